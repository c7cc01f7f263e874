/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * platform.h - the functions that whoever links base supplies: a process on Linux (src/host), the
 * simulator (tests/sim), a hypervisor. They are link-time symbols because locks and assertions have
 * no instance to carry a table.
 */
#ifndef TM_BASE_PLATFORM_H
#define TM_BASE_PLATFORM_H

/* Reports a broken invariant of our own and does not return. */
_Noreturn void tm_platform_panic(const char *file, int line, const char *what);

/*
 * Called by a waiter whose @attempt-th try failed (0, 1, 2, ...): relaxes the CPU at first, later
 * lets somebody else run. Never waits for an event: the caller looks again.
 */
void tm_platform_wait(unsigned attempt);

/* The calling thread's own word, for the lock ranks it holds. Check builds only. */
unsigned *tm_platform_held_ranks(void);

/* Where the simulator may switch to another coroutine; called in TM_SIM builds only. */
void tm_platform_sim_point(void);

#endif
