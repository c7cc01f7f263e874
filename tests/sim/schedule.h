/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schedule.h - who runs next: drawn from a seed, or as a list says, at every lock, atomic operation, wait and call
 * of the host.
 *
 * Each of these is a *step*, numbered from 1. Where nothing else is said, whoever runs goes on; who waits, or ends,
 * gives way to the next in the circle. A *switch* is an exception to that: at this step, go on with that coroutine.
 * So the list of its switches is all there is to know about a schedule, and a shorter list is a simpler schedule.
 *
 * Drawn schedules are of several kinds (see schedule.c): switches everywhere, a few only, or coroutines
 * that are stopped in the middle of an operation while the others do many.
 *
 * This file's schedule.c is the platform of base/platform.h, too: assertions that fail in a coroutine end the run.
 */
#ifndef TM_TEST_SCHEDULE_H
#define TM_TEST_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/coroutine.h"

struct sim_switch {
    uint32_t step;
    uint32_t to;
};

#define SIM_SWITCHES_MAX 32768u
#define SIM_TEXT_BYTES 4096u

/* What is known about a run afterwards, even of one that ended its process: it may lie in shared memory. */
struct sim_report {
    uint64_t seed; /* of what was run last */
    uint64_t schedule;
    uint32_t operations;   /* that its seed asks for */
    uint32_t steps;        /* of the last run */
    uint32_t switch_count; /* recorded; SIM_SWITCHES_MAX: there were more */
    struct sim_switch switches[SIM_SWITCHES_MAX];
    bool has_failed;
    char text[SIM_TEXT_BYTES]; /* why */
};

struct sim_schedule {
    uint64_t seed;                     /* drawn from; not used with a list */
    const struct sim_switch *switches; /* ascending; NULL: draw */
    unsigned switch_count;
    uint32_t crash_at; /* step at which everything stops where it is; 0: never */
    struct sim_report *report;
    /* Called at switches: looks, and changes nothing. May be NULL. */
    void (*look)(void *user);
    /* Adds to a failure's text what the coroutine is doing. May be NULL. */
    const char *(*doing)(void *user, unsigned coroutine);
    void *user;
};

enum sim_end {
    SIM_DONE,
    SIM_CRASHED
};

/* Runs body(user) once in each of @count coroutines. Failures end the process: sim_fail(). */
enum sim_end sim_run(const struct sim_schedule *schedule, unsigned count, void (*body)(void *user), void *user);

/* A switching point of the tests' own. Outside of coroutines it does nothing. */
void sim_point(void);

/* One operation more has ended: so whoever goes on does not do so for ever. */
void sim_progress(void);

/* Where failures are described from now on, outside of a run, too. */
void sim_report_to(struct sim_report *report);

/* The run has shown a fault: writes the text to the report and to stderr, and ends the process with status 1. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True while a run is going on and a coroutine runs. */
bool sim_is_running(void);

/* Steps of the run so far. */
uint32_t sim_step(void);

#endif
