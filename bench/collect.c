/* SPDX-License-Identifier: BSD-2-Clause */
/* collect.c - see collect.h. */
#include "collect.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads whole pages up to the end of the file or of the room; what is left of a page is not taken.
 * Answers the pages; errno is set where reading failed, otherwise 0. */
static uint64_t read_pages(int file, unsigned char *pages, uint64_t capacity)
{
    uint64_t bytes = 0;
    uint64_t room = capacity * TM_PAGE_BYTES;
    errno = 0;
    while (bytes < room) {
        ssize_t part = read(file, pages + bytes, (size_t)(room - bytes));
        if (part > 0)
            bytes += (uint64_t)part;
        else if (part < 0 && errno == EINTR)
            errno = 0;
        else
            break;
    }
    return bytes / TM_PAGE_BYTES;
}

enum tm_exit bench_collect_file(const char *path, unsigned char *pages, uint64_t capacity, uint64_t *count)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return tm_fail(tm_exit_of_error(errno), "cannot open %s: %s (try: tools/corpus makes such files)", path,
                       tm_error_text(errno, cause));
    uint64_t found = read_pages(file, pages, capacity);
    int error = errno;
    (void)close(file);
    if (error != 0)
        return tm_fail(TM_EXIT_FAILED, "cannot read %s: %s (try: a file that tools/corpus made)", path,
                       tm_error_text(error, cause));
    if (found == 0)
        return tm_fail(TM_EXIT_FAILED, "%s holds no page: it is smaller than %u bytes (try: tools/corpus)", path,
                       TM_PAGE_BYTES);
    *count = found;
    return TM_EXIT_OK;
}

static bool is_library(const char *name)
{
    return strstr(name, ".so") != NULL;
}

static bool is_text(const char *name)
{
    static const char *const endings[] = {".h", ".hpp", ".c", ".py", ".pl", ".pm", ".txt", ".html", ".json", ".xml"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < TM_ARRAY_SIZE(endings); i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* Whole pages of the files below @folders whose names are wanted; files that cannot be read are
 * passed over. Answers the pages. */
static uint64_t collect_below(char *const *folders, bool (*wanted)(const char *name), unsigned char *pages,
                              uint64_t capacity)
{
    uint64_t count = 0;
    FTS *tree = fts_open(folders, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (tree == NULL)
        return 0;
    for (const FTSENT *entry = fts_read(tree); entry != NULL && count < capacity; entry = fts_read(tree)) {
        if ((entry->fts_info != FTS_NSOK && entry->fts_info != FTS_F) || !wanted(entry->fts_name))
            continue;
        int file = open(entry->fts_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (file < 0)
            continue;
        count += read_pages(file, pages + count * TM_PAGE_BYTES, capacity - count);
        (void)close(file);
    }
    (void)fts_close(tree);
    return count;
}

enum tm_exit bench_collect_machine(unsigned char *pages, uint64_t capacity, uint64_t *count)
{
    static char usr_include[] = "/usr/include", usr_share[] = "/usr/share", usr_lib[] = "/usr/lib";
    char *const text[] = {usr_include, usr_share, usr_lib, NULL};
    char *const libraries[] = {usr_lib, NULL};
    uint64_t found = collect_below(text, is_text, pages, (capacity + 1) / 2);
    found += collect_below(libraries, is_library, pages + found * TM_PAGE_BYTES, capacity - found);
    if (found == 0)
        return tm_fail(TM_EXIT_FAILED, "no text or libraries to make pages of below /usr (try: --corpus FILE)");
    *count = found;
    return TM_EXIT_OK;
}
