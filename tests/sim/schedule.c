/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schedule.c - see schedule.h.
 *
 * Errors between threads need few switches at the right places, but some of those are far apart: one operation stands
 * still while another runs from begin to end, perhaps several times. So a drawn schedule is of one of these kinds:
 *
 *   often    a switch at each step with a chance of 1/2 ... 1/256
 *   few      1 to 6 switches in all, at steps drawn beforehand
 *   stalls   now and then whoever runs is stopped for up to some thousand steps of the others
 */
#include "sim/schedule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mix.h"

#define STEPS_MAX 2000000u  /* of one operation: if it takes more, it does not end */
#define LONELY_WAITS 10000u /* waits without anybody else to run: for what? */
#define VAIN_WAITS 64u      /* in a row: whoever is waited for may be stalled */
#define HANGING_WAITS 200000u
#define FEW_SPREAD 4096u /* steps over which a few switches are spread, at least */

enum kind {
    KIND_LISTED,
    KIND_OFTEN,
    KIND_FEW,
    KIND_STALLS
};

static struct {
    struct sim_schedule schedule;
    enum kind kind;
    uint64_t random;
    uint64_t chance; /* often, stalls: one in so many */
    uint32_t few[8]; /* steps */
    unsigned few_count;
    uint32_t stalled_until[COROUTINES_MAX];

    unsigned count;
    bool ended[COROUTINES_MAX];
    unsigned alive;
    unsigned held[COROUTINES_MAX + 1u]; /* ranks */
    uint32_t step;
    uint32_t progress; /* the last step at which an operation ended */
    unsigned next_listed;
    uint32_t waits;        /* in a row, of all */
    uint32_t lonely_waits; /* of the last that runs, whatever it did in between */
    bool is_looking;
    bool is_over;
    void (*body)(void *user);
    void *user;
} run;

static struct sim_report *report_to;

/* ---- failing ---- */

void sim_report_to(struct sim_report *report)
{
    report_to = report;
}

_Noreturn void sim_fail(const char *format, ...)
{
    char text[SIM_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    unsigned current = coroutine_current();
    for (unsigned i = 0; i < run.count && current < COROUTINES_MAX && run.schedule.doing != NULL; i++)
        if (length >= 0 && (size_t)length < sizeof text && !run.ended[i])
            length += snprintf(text + length, sizeof text - (size_t)length, "\n  coroutine %u%s: %s", i,
                               i == current ? " (runs)" : "", run.schedule.doing(run.schedule.user, i));
    if (report_to != NULL && !report_to->has_failed) {
        report_to->steps = run.step;
        memcpy(report_to->text, text, sizeof text);
        report_to->has_failed = true;
    }
    fprintf(stderr, "%s\n", text);
    fflush(stderr);
    _exit(1);
}

/* ---- drawing ---- */

static uint64_t draw(uint64_t below)
{
    return tm_random_next(&run.random) % below;
}

static void draw_kind(void)
{
    run.random = tm_scramble(run.schedule.seed ^ UINT64_C(0x736368656475));
    run.few_count = 0;
    switch (draw(4)) {
    case 0:
        run.kind = KIND_OFTEN;
        run.chance = UINT64_C(2) << draw(8);
        break;
    case 1:
        run.kind = KIND_FEW;
        run.few_count = 1u + (unsigned)draw(6);
        for (unsigned i = 0; i < run.few_count; i++)
            run.few[i] = 1u + (uint32_t)draw(FEW_SPREAD << draw(4));
        break;
    default:
        run.kind = KIND_STALLS;
        run.chance = UINT64_C(16) << draw(6);
        break;
    }
}

/* A coroutine that can run, other than @but; @but itself when there is none. Stalled ones only if @anyone. */
static unsigned draw_other(unsigned but, bool anyone)
{
    unsigned first = (unsigned)draw(run.count);
    for (unsigned i = 0; i < run.count; i++) {
        unsigned number = (first + i) % run.count;
        if (number != but && !run.ended[number] && (anyone || run.stalled_until[number] <= run.step))
            return number;
    }
    return but;
}

static bool is_one_of_few(void)
{
    for (unsigned i = 0; i < run.few_count; i++)
        if (run.few[i] == run.step)
            return true;
    return false;
}

/* Who runs after this step, if nothing forces a switch. */
static unsigned draw_next(unsigned current)
{
    switch (run.kind) {
    case KIND_OFTEN:
        return draw(run.chance) == 0 ? draw_other(current, true) : current;
    case KIND_FEW:
        return is_one_of_few() ? draw_other(current, true) : current;
    case KIND_STALLS:
        if (draw(run.chance) != 0)
            return current;
        run.stalled_until[current] = run.step + (uint32_t)(UINT64_C(16) << draw(9));
        return draw_other(current, false);
    case KIND_LISTED:
        break;
    }
    return current;
}

/* The next in the circle that has not ended. */
static unsigned next_alive(unsigned after)
{
    for (unsigned i = 1; i <= run.count; i++)
        if (!run.ended[(after + i) % run.count])
            return (after + i) % run.count;
    return after;
}

/* Who runs when the current one cannot go on. */
static unsigned draw_forced(unsigned current, unsigned usual)
{
    if (run.kind == KIND_FEW && draw(8) != 0)
        return usual;
    if (run.waits > VAIN_WAITS)
        memset(run.stalled_until, 0, sizeof run.stalled_until);
    unsigned to = draw_other(current, false);
    return to != current ? to : draw_other(current, true);
}

/* ---- steps ---- */

static void record(unsigned to)
{
    struct sim_report *report = run.schedule.report;
    if (report->switch_count < SIM_SWITCHES_MAX)
        report->switches[report->switch_count++] = (struct sim_switch){run.step, to};
}

/* What the list says for this step. */
static unsigned listed(unsigned usual)
{
    unsigned to = usual;
    while (run.next_listed < run.schedule.switch_count && run.schedule.switches[run.next_listed].step <= run.step) {
        const struct sim_switch *entry = &run.schedule.switches[run.next_listed++];
        if (entry->step == run.step && entry->to < run.count && !run.ended[entry->to])
            to = entry->to;
    }
    return to;
}

static void go_to(unsigned to, unsigned usual)
{
    if (to != usual)
        record(to);
    if (to == coroutine_current())
        return;
    if (run.schedule.look != NULL) {
        run.is_looking = true;
        run.schedule.look(run.schedule.user);
        run.is_looking = false;
    }
    coroutine_switch(to);
}

static void count_step(void)
{
    run.step++;
    if (run.step - run.progress > STEPS_MAX)
        sim_fail("does not end: no operation has ended for %u steps", STEPS_MAX);
    if (run.step == run.schedule.crash_at) {
        run.is_over = true;
        coroutine_leave();
    }
}

bool sim_is_running(void)
{
    return coroutine_current() != COROUTINES_MAX && !run.is_looking;
}

uint32_t sim_step(void)
{
    return run.step;
}

void sim_progress(void)
{
    run.progress = run.step;
}

void sim_point(void)
{
    if (!sim_is_running())
        return;
    unsigned current = coroutine_current();
    run.waits = 0;
    count_step();
    go_to(run.kind == KIND_LISTED ? listed(current) : draw_next(current), current);
}

static void wait_step(void)
{
    unsigned current = coroutine_current();
    unsigned usual = next_alive(current);
    count_step();
    run.waits++;
    if (run.alive == 1 && run.lonely_waits++ > LONELY_WAITS)
        sim_fail("waits for ever, and there is nobody else");
    if (run.waits > HANGING_WAITS)
        sim_fail("deadlock: everybody waits");
    go_to(run.kind == KIND_LISTED ? listed(usual) : draw_forced(current, usual), usual);
}

static void run_body(void *user)
{
    unsigned current = coroutine_current();
    (void)user;
    run.body(run.user);
    if (run.held[current] != 0)
        sim_fail("ended with locks held: ranks %#x", run.held[current]);
    run.ended[current] = true;
    run.alive--;
    if (run.alive == 0)
        return;
    unsigned usual = next_alive(current);
    run.waits = 0;
    count_step();
    go_to(run.kind == KIND_LISTED ? listed(usual) : draw_forced(current, usual), usual);
}

enum sim_end sim_run(const struct sim_schedule *schedule, unsigned count, void (*body)(void *user), void *user)
{
    TM_ASSERT(count > 0 && count <= COROUTINES_MAX && schedule->report != NULL);
    memset(&run, 0, sizeof run);
    run.schedule = *schedule;
    run.count = run.alive = count;
    run.body = body;
    run.user = user;
    report_to = schedule->report;
    report_to->steps = report_to->switch_count = 0;
    if (schedule->switches != NULL)
        run.kind = KIND_LISTED;
    else
        draw_kind();
    for (unsigned i = 0; i < count; i++)
        coroutine_make(i, run_body, NULL);
    coroutine_resume(0);
    report_to->steps = run.step;
    run.count = 0;
    return run.is_over ? SIM_CRASHED : SIM_DONE;
}

/* ---- the platform ---- */

_Noreturn void tm_platform_panic(const char *file, int line, const char *what)
{
    sim_fail("%s:%d: broken invariant: %s", file, line, what);
}

void tm_platform_wait(unsigned attempt)
{
    if (sim_is_running())
        wait_step();
    else if (attempt > LONELY_WAITS)
        sim_fail("waits for ever, outside of all coroutines");
}

unsigned *tm_platform_held_ranks(void)
{
    return &run.held[coroutine_current()];
}

void tm_platform_sim_point(void)
{
    sim_point();
}
