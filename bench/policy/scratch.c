/* SPDX-License-Identifier: BSD-2-Clause */
/* scratch.c - see scratch.h. */
#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

enum tm_exit policy_scratch_create(struct policy_scratch *scratch)
{
    char cause[TM_ERROR_TEXT_SIZE];
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/')
        parent = "/var/tmp";
    *scratch = (struct policy_scratch){.is_there = false};
    int length = snprintf(scratch->folder, sizeof scratch->folder, "%s/tmem-bench.XXXXXX", parent);
    if (length < 0 || (size_t)length >= sizeof scratch->folder || mkdtemp(scratch->folder) == NULL)
        return tm_fail(tm_exit_of_error(errno), "cannot make a folder in %s: %s (try: TMPDIR=DIR)", parent,
                       tm_error_text(errno, cause));
    scratch->is_there = true;
    return TM_EXIT_OK;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void policy_scratch_remove(struct policy_scratch *scratch)
{
    if (scratch->is_there)
        (void)nftw(scratch->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    scratch->is_there = false;
}

enum tm_exit policy_scratch_write(const struct policy_scratch *scratch, const char *name,
                                  void (*write)(FILE *file, const void *user), const void *user)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", scratch->folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return tm_fail(TM_EXIT_FAILED, "cannot make %s: %s", path, tm_error_text(errno, cause));
    write(file, user);
    bool is_good = ferror(file) == 0;
    if (fclose(file) != 0 || !is_good)
        return tm_fail(TM_EXIT_FAILED, "cannot write %s: %s (try: TMPDIR=DIR)", path, tm_error_text(errno, cause));
    return TM_EXIT_OK;
}
