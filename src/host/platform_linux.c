/* SPDX-License-Identifier: BSD-2-Clause */
/* platform_linux.c - what base needs from a Linux process: waiting, panicking, the ranks a thread holds. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

/* Whoever holds a lock is done within a page's work, unless it was preempted. */
#define SPINS 100u
#define YIELDS 200u

void tm_platform_wait(unsigned attempt)
{
    if (attempt < SPINS) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
        return;
    }
    if (attempt < YIELDS) {
        sched_yield();
        return;
    }
    struct timespec briefly = {0, 50000};
    nanosleep(&briefly, NULL);
}

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

_Noreturn void tm_platform_panic(const char *file, int line, const char *what)
{
    char digits[12];
    unsigned at = sizeof digits - 1;
    unsigned value = line > 0 ? (unsigned)line : 0;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + value % 10u);
    while ((value /= 10u) != 0 && at > 0);
    say("tmem: broken invariant at ");
    say(file);
    say(":");
    say(digits + at);
    say(": ");
    say(what);
    say("\n");
    abort(); /* tidy: allow abort (this is what a broken invariant comes to) */
}

unsigned *tm_platform_held_ranks(void)
{
    static _Thread_local unsigned held;
    return &held;
}

void tm_platform_sim_point(void)
{
}
