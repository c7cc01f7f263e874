/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.h - runs of a world in a process of their own, and making one that fails small.
 *
 * A process of its own, because a broken invariant aborts, and because what fails is run again and again.
 */
#ifndef TMEM_TEST_TRIAL_H
#define TMEM_TEST_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which operations of a world are done: all below `operations`, or only those listed. */
struct trial {
    const char *program;
    const char *uri; /* NULL: as the seed says */
    uint64_t seed;
    uint64_t operations;
    const uint64_t *only; /* ascending; NULL: all */
    size_t only_count;
    bool is_verbose;
};

/* Runs it. False: it failed; *failed_at receives the operation that it had come to. @is_quiet: says nothing. */
bool trial_run(const struct trial *trial, bool is_quiet, uint64_t *failed_at);

/* Runs it in this process, for a debugger; a failure ends the process. */
void trial_run_here(const struct trial *trial);

/* Leaves out whatever the failure does not need, for at most @seconds, and prints how to see it again. */
void trial_shrink(struct trial *trial, uint64_t failed_at, unsigned seconds);

/* Reads "3,17-25": the numbers, in memory that the caller frees. NULL: not such a list. */
uint64_t *trial_parse_list(const char *text, size_t *count);

#endif
