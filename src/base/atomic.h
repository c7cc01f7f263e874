/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atomic.h - atomic operations by their orderings' names, each a switching point of the simulator.
 *
 * Macros over the compiler's builtins, so that they work on any integer of up to 64 bits in place.
 * Every use that is stronger than relaxed says at its place what it orders against what.
 */
#ifndef TM_BASE_ATOMIC_H
#define TM_BASE_ATOMIC_H

#include <stdint.h>

#include "base/platform.h"

/*
 * A 64-bit word in a structure that these operations are used on. 32-bit x86 aligns others to four bytes only, and one
 * that lies across two cache lines is slow at best. What the address of one points to is plain uint64_t.
 */
typedef uint64_t tm_atomic64 __attribute__((aligned(8)));

#ifdef TM_SIM
#define TM_SIM_POINT() tm_platform_sim_point()
#else
#define TM_SIM_POINT() ((void)0)
#endif

#define tm_load_relaxed(p) (TM_SIM_POINT(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define tm_load_acquire(p) (TM_SIM_POINT(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define tm_store_relaxed(p, v) (TM_SIM_POINT(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define tm_store_release(p, v) (TM_SIM_POINT(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define tm_store_seq(p, v) (TM_SIM_POINT(), __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))
#define tm_load_seq(p) (TM_SIM_POINT(), __atomic_load_n((p), __ATOMIC_SEQ_CST))

/* Each answers the value before. */
#define tm_fetch_add(p, v) (TM_SIM_POINT(), __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL))
#define tm_fetch_sub(p, v) (TM_SIM_POINT(), __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL))
#define tm_fetch_add_relaxed(p, v) (TM_SIM_POINT(), __atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define tm_fetch_sub_relaxed(p, v) (TM_SIM_POINT(), __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED))
#define tm_fetch_or_relaxed(p, v) (TM_SIM_POINT(), __atomic_fetch_or((p), (v), __ATOMIC_RELAXED))
#define tm_fetch_and_relaxed(p, v) (TM_SIM_POINT(), __atomic_fetch_and((p), (v), __ATOMIC_RELAXED))
#define tm_fetch_add_seq(p, v) (TM_SIM_POINT(), __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define tm_fetch_and_seq(p, v) (TM_SIM_POINT(), __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))
#define tm_fetch_or_seq(p, v) (TM_SIM_POINT(), __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define tm_exchange(p, v) (TM_SIM_POINT(), __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL))

/* True when *p was *expected and is now v; else *expected receives what *p is. */
#define tm_compare_exchange(p, expected, v) \
    (TM_SIM_POINT(),                        \
     __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))

/* Keeps the compiler from moving stores across: what a killed process leaves in shared memory is
 * then what the program's order says (x86 keeps the order of stores; others need the fence). */
#define tm_crash_barrier() __atomic_thread_fence(__ATOMIC_RELEASE)

#endif
