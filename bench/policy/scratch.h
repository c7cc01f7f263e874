/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scratch.h - a folder for the files that the workloads need: C sources, a database, scripts.
 */
#ifndef TM_BENCH_POLICY_SCRATCH_H
#define TM_BENCH_POLICY_SCRATCH_H

#include "command/command.h"

#include <limits.h>
#include <stdio.h>

struct policy_scratch {
    char folder[PATH_MAX];
    bool is_there;
};

/* policy_scratch_create - makes a folder below TMPDIR, or /var/tmp. TM_EXIT_OK, or a code after a message. */
enum tm_exit policy_scratch_create(struct policy_scratch *scratch);

/* policy_scratch_remove - removes it and all in it. */
void policy_scratch_remove(struct policy_scratch *scratch);

/*
 * policy_scratch_write - makes a file of the name, and has @write fill it.
 *
 * TM_EXIT_OK, or a code after a message: the disk may be full.
 */
enum tm_exit policy_scratch_write(const struct policy_scratch *scratch, const char *name,
                                  void (*write)(FILE *file, const void *user), const void *user);

#endif
