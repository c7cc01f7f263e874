/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coroutine.h - several stacks in one thread. Nothing runs at the same time; who runs next is told, never decided
 * here. schedule.h decides.
 */
#ifndef TM_TEST_COROUTINE_H
#define TM_TEST_COROUTINE_H

#include <stdbool.h>

#define COROUTINES_MAX 4u

/* Makes coroutine @number, which will call body(user) when it is resumed first. Its stack is kept for the next. */
void coroutine_make(unsigned number, void (*body)(void *user), void *user);

/* Called outside of all coroutines: runs @number until somebody calls coroutine_leave() or its body ends. */
void coroutine_resume(unsigned number);

/* Called in a coroutine: goes on in another one. */
void coroutine_switch(unsigned to);

/* Called in a coroutine: goes back to who called coroutine_resume(). */
void coroutine_leave(void);

/* The one that runs; COROUTINES_MAX: none. */
unsigned coroutine_current(void);

#endif
