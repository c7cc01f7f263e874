/* SPDX-License-Identifier: BSD-2-Clause */
/* test_platform.c - the functions of base/platform.h for tests that run in real threads. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/platform.h"

_Noreturn void tm_platform_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
    abort();
}

void tm_platform_wait(unsigned attempt)
{
    if (attempt < 16)
        __builtin_ia32_pause();
    else
        sched_yield();
}

unsigned *tm_platform_held_ranks(void)
{
    static _Thread_local unsigned held;
    return &held;
}

void tm_platform_sim_point(void)
{
}
