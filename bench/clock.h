/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the clock of the benchmarks, in nanoseconds.
 *
 * Costs are taken as CPU time of the calling thread, so that what else runs on the machine is not
 * counted. Reading that clock is a system call: it is read once for many operations, and what the
 * reading costs is taken off.
 */
#ifndef TM_BENCH_CLOCK_H
#define TM_BENCH_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static inline uint64_t bench_thread_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nothing before is still under way when what follows begins. */
static inline void bench_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The compiler has to produce what @memory holds. */
static inline void bench_keep(const void *memory)
{
    __asm__ volatile(""
                     :
                     : "r"(memory)
                     : "memory");
}

/* Reads all of @memory, a multiple of 16 bytes rounded down. */
static inline void bench_touch(const unsigned char *memory, size_t bytes)
{
    typedef uint64_t pair __attribute__((vector_size(16)));
    pair sum = {0, 0};
    for (size_t at = 0; at + sizeof sum <= bytes; at += sizeof sum) {
        pair words;
        memcpy(&words, memory + at, sizeof words);
        sum += words;
    }
    __asm__ volatile(""
                     :
                     : "r"(sum[0] + sum[1]));
}

#endif
