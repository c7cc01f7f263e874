/* SPDX-License-Identifier: BSD-2-Clause */
/* kill.c - ways to kill a process: after any time, and after any instruction. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include "crash.h"

#define STEPS_LOG2_MOST 13u

/* From a microsecond to 2^@log2_most of them, every order of magnitude equally likely. */
static void wait_some(uint64_t *random, unsigned log2_most)
{
    unsigned log2 = crash_below(random, log2_most + 1u);
    uint64_t nanoseconds = 1000u + ((UINT64_C(1000) << log2) * crash_below(random, 1000) / 1000u);
    struct timespec left = {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static bool has_ended(int child)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

static void wait_for_work(struct crash_journal *journal, int child)
{
    while (!atomic_load(&journal->is_working) && !has_ended(child))
        sched_yield();
}

/* Kills it and waits; one that ended by itself had something to say. */
static void finish(struct crash_journal *journal, int child)
{
    int status = 0;
    pid_t ended;
    kill(child, SIGKILL);
    do
        ended = waitpid(-1, &status, __WALL);
    while (ended != child && (ended > 0 || errno == EINTR));
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        crash_fail(journal, "the child ended by itself, status %#x", (unsigned)status);
}

/* Lets one thread go on instruction by instruction, while the other runs. False: not allowed here. */
static bool step_thread(struct crash_journal *journal, unsigned number, uint64_t *random)
{
    struct crash_thread *thread = &journal->thread[number];
    unsigned log2 = crash_below(random, STEPS_LOG2_MOST + 1u);
    unsigned steps = crash_below(random, 1u << log2);
    pid_t tid = atomic_load(&thread->tid);
    int status;
    if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0)
        return errno == ESRCH;
    if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) != 0 || waitpid(tid, &status, __WALL) != tid)
        return true;
    for (; steps > 0 && WIFSTOPPED(status); steps--)
        if (ptrace(PTRACE_SINGLESTEP, tid, 0, 0) != 0 || waitpid(tid, &status, __WALL) != tid)
            return true;
    return true;
}

/* Waits, not for ever, until the thread is inside a call of some kind. */
static void wait_for_call(struct crash_journal *journal, unsigned number, uint64_t *random)
{
    const struct crash_intent *intent = &journal->thread[number].intent;
    enum crash_kind wanted = (enum crash_kind)crash_below(random, CRASH_KINDS);
    for (unsigned looks = 0; looks < 200000; looks++)
        if (atomic_load(&intent->phase) == CRASH_CALLING && *(volatile const enum crash_kind *)&intent->kind == wanted)
            return;
}

bool crash_kill(struct crash_journal *journal, int child, enum crash_way way, uint64_t *random)
{
    bool done = true;
    if (way != CRASH_AFTER_FORK)
        wait_for_work(journal, child);
    switch (way) {
    case CRASH_AFTER_FORK:
        wait_some(random, 14);
        break;
    case CRASH_AT_WORK:
        wait_some(random, 14);
        break;
    case CRASH_BY_STEPS:
        wait_some(random, 12);
        unsigned number = crash_below(random, CRASH_THREADS);
        wait_for_call(journal, number, random);
        done = has_ended(child) || step_thread(journal, number, random);
        break;
    case CRASH_WAYS:
        break;
    }
    finish(journal, child);
    return done;
}
