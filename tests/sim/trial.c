/* SPDX-License-Identifier: BSD-2-Clause */
/* trial.c - see trial.h. */
#include "sim/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mix.h"
#include "sim/world.h"

#define SECONDS_MOST 1200u  /* a process that takes longer hangs where there is no step to be counted */
#define OTHER_SCHEDULES 60u /* tried before operations are said to be needed */
#define SIMPLER_SCHEDULES 2000u

/* ---- processes ---- */

static void *shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "no memory to share with a process\n");
        exit(1);
    }
    return memory;
}

void trial_init(struct trial *trial, const char *program, trial_body body)
{
    trial->program = program;
    trial->body = body;
    trial->report = shared(sizeof *trial->report);
    trial->totals = shared(sizeof *trial->totals);
}

static void say_nothing(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
}

/* Answers 0 in the new process. */
static pid_t begin_process(struct trial *trial, bool is_quiet)
{
    trial->report->has_failed = false;
    trial->report->text[0] = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "cannot fork: %m\n");
        exit(1);
    }
    if (child == 0) {
        if (is_quiet)
            say_nothing();
        alarm(SECONDS_MOST);
    }
    return child;
}

/* True: the process ended well. */
static bool end_process(struct trial *trial, pid_t child, bool is_quiet)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (!trial->report->has_failed && WIFSIGNALED(status))
        snprintf(trial->report->text, sizeof trial->report->text, "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (!trial->report->has_failed)
        snprintf(trial->report->text, sizeof trial->report->text, "ended with status %d", WEXITSTATUS(status));
    if (!trial->report->has_failed && !is_quiet)
        fprintf(stderr, "%s\n", trial->report->text);
    return false;
}

bool trial_cases(struct trial *trial, uint64_t seed, uint64_t first, uint64_t count, bool is_quiet)
{
    pid_t child = begin_process(trial, is_quiet);
    if (child == 0) {
        for (uint64_t i = first; i < first + count; i++) {
            uint64_t scattered = tm_scramble(tm_scramble(seed) + i) >> 16;
            struct sim_case sim_case = {.seed = scattered, .schedule = scattered, .crash_at = SIM_DRAW_CRASH};
            trial->body(&sim_case, trial->report, trial->totals);
        }
        exit(0);
    }
    return end_process(trial, child, is_quiet);
}

bool trial_one(struct trial *trial, const struct sim_case *sim_case, bool is_quiet)
{
    pid_t child = begin_process(trial, is_quiet);
    if (child == 0) {
        trial->body(sim_case, trial->report, trial->totals);
        exit(0);
    }
    return end_process(trial, child, is_quiet);
}

static time_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Runs a case with schedules from @first on until one fails, or the time is over. True: none did. */
static bool trial_schedules(struct trial *trial, const struct sim_case *sim_case, uint64_t first, uint64_t count,
                            time_t until)
{
    pid_t child = begin_process(trial, true);
    if (child == 0) {
        struct sim_case other = *sim_case;
        for (other.schedule = first; other.schedule < first + count && now_seconds() < until; other.schedule++)
            trial->body(&other, trial->report, trial->totals);
        exit(0);
    }
    return end_process(trial, child, true);
}

/* ---- lists ---- */

uint64_t *trial_parse_list(const char *text, size_t *count)
{
    uint64_t *list = NULL;
    *count = 0;
    do {
        char *end;
        uint64_t first = strtoull(text, &end, 10);
        uint64_t last = first;
        if (end != text && *end == '-') {
            text = end + 1;
            last = strtoull(text, &end, 10);
        }
        bool is_list = end != text && last >= first && last - first < 1000000u && (*end == 0 || *end == ',');
        size_t more = is_list ? (size_t)(last - first) + 1u : 0;
        uint64_t *longer = is_list ? realloc(list, (*count + more) * sizeof *list) : NULL;
        if (longer == NULL) {
            free(list);
            return NULL;
        }
        list = longer;
        for (uint64_t number = first; number <= last; number++)
            list[(*count)++] = number;
        text = *end == ',' ? end + 1 : end;
    } while (*text != 0);
    return list;
}

struct sim_switch *trial_parse_switches(const char *text, unsigned *count)
{
    struct sim_switch *list = calloc(strlen(text) / 2u + 1u, sizeof *list);
    *count = 0;
    while (list != NULL && *text != 0) {
        char *end;
        unsigned long step = strtoul(text, &end, 10);
        const char *colon = end;
        unsigned long to = *colon == ':' ? strtoul(colon + 1, &end, 10) : 0;
        bool is_list = colon != text && *colon == ':' && end != colon + 1 && (*end == 0 || *end == ',') &&
                       step <= UINT32_MAX && to < COROUTINES_MAX;
        if (!is_list) {
            free(list);
            return NULL;
        }
        list[(*count)++] = (struct sim_switch){(uint32_t)step, (uint32_t)to};
        text = *end == ',' ? end + 1 : end;
    }
    return list;
}

static void print_case(const struct trial *trial, const struct sim_case *sim_case)
{
    fprintf(stderr, "  %s --case %llu --schedule %llu", trial->program, (unsigned long long)sim_case->seed,
            (unsigned long long)sim_case->schedule);
    if (sim_case->crash_at != SIM_DRAW_CRASH)
        fprintf(stderr, " --crash %u", sim_case->crash_at);
    for (size_t i = 0; i < sim_case->only_count; i++)
        fprintf(stderr, "%s%llu", i == 0 ? " --only " : ",", (unsigned long long)sim_case->only[i]);
    for (unsigned i = 0; i < sim_case->switch_count; i++)
        fprintf(stderr, "%s%u:%u", i == 0 ? " --switches " : ",", sim_case->switches[i].step, sim_case->switches[i].to);
    if (sim_case->switches != NULL && sim_case->switch_count == 0)
        fprintf(stderr, " --switches ''");
    fprintf(stderr, "\n");
}

/* ---- shrinking ---- */

struct shrink {
    struct trial *trial;
    struct sim_case best;
    uint64_t *only;
    struct sim_switch *switches;
    time_t end;
};

/* Without operations [from, from + length): with this schedule, or any of some others. */
static bool try_without_operations(struct shrink *shrink, size_t from, size_t length)
{
    uint64_t rest[1024];
    struct sim_case less = shrink->best;
    size_t behind = less.only_count - from - length;
    if (less.only_count > TM_ARRAY_SIZE(rest))
        return false;
    memcpy(rest, shrink->only, from * sizeof *rest);
    memcpy(rest + from, shrink->only + from + length, behind * sizeof *rest);
    less.only = rest;
    less.only_count = from + behind;
    if (trial_one(shrink->trial, &less, true)) {
        if (trial_schedules(shrink->trial, &less, 1, OTHER_SCHEDULES, shrink->end))
            return false;
        less.schedule = shrink->trial->report->schedule;
    }
    memcpy(shrink->only, rest, less.only_count * sizeof *rest);
    less.only = shrink->only;
    shrink->best = less;
    return true;
}

static void shrink_operations(struct shrink *shrink)
{
    for (size_t length = (shrink->best.only_count + 1u) / 2u; length > 0 && now_seconds() < shrink->end; length /= 2u)
        for (size_t from = 0; from + length <= shrink->best.only_count && now_seconds() < shrink->end;)
            if (!try_without_operations(shrink, from, length))
                from += length;
}

/* Looks for a schedule that fails with fewer switches. */
static void find_simpler_schedule(struct shrink *shrink)
{
    struct sim_case other = shrink->best;
    trial_one(shrink->trial, &other, true);
    unsigned least = shrink->trial->report->switch_count;
    for (uint64_t next = 1; next < SIMPLER_SCHEDULES && now_seconds() < shrink->end;) {
        if (trial_schedules(shrink->trial, &other, next, SIMPLER_SCHEDULES - next, shrink->end))
            break;
        const struct sim_report *report = shrink->trial->report;
        next = report->schedule + 1u;
        if (report->switch_count < least) {
            least = report->switch_count;
            shrink->best.schedule = report->schedule;
        }
    }
}

static bool try_without_switches(struct shrink *shrink, unsigned from, unsigned length)
{
    struct sim_case less = shrink->best;
    struct sim_switch *rest = calloc(less.switch_count + 1u, sizeof *rest);
    TM_ASSERT(rest != NULL);
    unsigned behind = less.switch_count - from - length;
    memcpy(rest, shrink->switches, from * sizeof *rest);
    memcpy(rest + from, shrink->switches + from + length, behind * sizeof *rest);
    less.switches = rest;
    less.switch_count = from + behind;
    bool fails = !trial_one(shrink->trial, &less, true);
    if (fails) {
        memcpy(shrink->switches, rest, less.switch_count * sizeof *rest);
        shrink->best.switch_count = less.switch_count;
    }
    free(rest);
    return fails;
}

/* From the schedule to the list of its switches, and from there to as few as are needed. */
static void shrink_switches(struct shrink *shrink)
{
    const struct sim_report *report = shrink->trial->report;
    struct sim_case listed = shrink->best;
    trial_one(shrink->trial, &listed, true);
    unsigned count = report->switch_count;
    if (count >= SIM_SWITCHES_MAX)
        return;
    memcpy(shrink->switches, report->switches, count * sizeof *shrink->switches);
    listed.switches = shrink->switches;
    listed.switch_count = count;
    if (trial_one(shrink->trial, &listed, true))
        return;
    shrink->best = listed;
    for (unsigned length = (count + 1u) / 2u; length > 0 && now_seconds() < shrink->end; length /= 2u)
        for (unsigned from = 0; from + length <= shrink->best.switch_count && now_seconds() < shrink->end;)
            if (!try_without_switches(shrink, from, length))
                from += length;
}

/* Where it crashed stays a number while operations go; the last step that still fails is as good as any. */
static void fix_crash(struct shrink *shrink)
{
    if (shrink->best.crash_at != SIM_DRAW_CRASH)
        return;
    struct sim_case without = shrink->best;
    without.crash_at = 0;
    if (!trial_one(shrink->trial, &without, true) ||
        !trial_schedules(shrink->trial, &without, 1, OTHER_SCHEDULES, shrink->end)) {
        without.schedule = shrink->trial->report->schedule;
        shrink->best = without;
    }
}

void trial_shrink(struct trial *trial, const struct sim_case *failing, unsigned seconds)
{
    struct shrink shrink = {.trial = trial, .best = *failing, .end = now_seconds() + (time_t)seconds};
    fprintf(stderr, "to see it again:\n");
    print_case(trial, failing);
    if (trial_one(trial, failing, true)) {
        fprintf(stderr, "but it does not fail in a process of its own: run the cases before it, too\n");
        return;
    }
    if (failing->switches != NULL || seconds == 0)
        return;
    size_t count = failing->only == NULL ? trial->report->operations : failing->only_count;
    shrink.only = calloc(count + 1u, sizeof *shrink.only);
    shrink.switches = calloc(SIM_SWITCHES_MAX, sizeof *shrink.switches);
    TM_ASSERT(shrink.only != NULL && shrink.switches != NULL);
    for (size_t i = 0; i < count; i++)
        shrink.only[i] = failing->only == NULL ? i : failing->only[i];
    fix_crash(&shrink);
    shrink.best.only = shrink.only;
    shrink.best.only_count = count;
    shrink_operations(&shrink);
    find_simpler_schedule(&shrink);
    shrink_switches(&shrink);
    fprintf(stderr, "made smaller: %zu operations, %u switches\n", shrink.best.only_count, shrink.best.switch_count);
    print_case(trial, &shrink.best);
    if (trial_one(trial, &shrink.best, false))
        fprintf(stderr, "but it passed this time\n");
    free(shrink.only);
    free(shrink.switches);
}
