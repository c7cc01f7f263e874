/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.h - runs in processes of their own, because what fails ends its process; and making a run that fails small:
 * fewer operations, fewer coroutines with them, fewer switches.
 */
#ifndef TM_TEST_SIM_TRIAL_H
#define TM_TEST_SIM_TRIAL_H

#include <stddef.h>

#include "sim/schedule.h"

struct sim_case;
struct sim_totals;

/* What runs a case: sim_case_run(), or a toy's. */
typedef void (*trial_body)(const struct sim_case *sim_case, struct sim_report *report, struct sim_totals *totals);

struct trial {
    const char *program; /* for the command line that is printed */
    trial_body body;
    struct sim_report *report; /* shared with the processes */
    struct sim_totals *totals; /* likewise */
};

/* Gets the shared memory. */
void trial_init(struct trial *trial, const char *program, trial_body body);

/* Runs cases of the seeds that follow from @seed + @first ... False: one failed; trial->report says which and why. */
bool trial_cases(struct trial *trial, uint64_t seed, uint64_t first, uint64_t count, bool is_quiet);

/* Runs one case. False: it failed. */
bool trial_one(struct trial *trial, const struct sim_case *sim_case, bool is_quiet);

/* Makes a failing case small, for at most about so long, and writes to stderr how to see it. */
void trial_shrink(struct trial *trial, const struct sim_case *failing, unsigned seconds);

/* "3,17-25", and "12:1,57:0". In memory that the caller frees; NULL: not such a list. */
uint64_t *trial_parse_list(const char *text, size_t *count);
struct sim_switch *trial_parse_switches(const char *text, unsigned *count);

#endif
