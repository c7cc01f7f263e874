/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * background.h - a thread that works when it is kicked, and otherwise sleeps without waking up.
 *
 * A kick is one atomic store, and one system call only if the thread is asleep.
 */
#ifndef TM_BACKGROUND_H
#define TM_BACKGROUND_H

#include <pthread.h>

#include "base/base.h"

/* What the work answers. */
enum tm_background_work {
    TM_BACKGROUND_NONE, /* sleep until kicked */
    TM_BACKGROUND_MORE, /* call again */
    TM_BACKGROUND_LATER /* sleep until kicked, but for a fifth of a second at most */
};

struct tm_background {
    uint32_t state; /* atomic: see background.c; also what the thread sleeps on */
    bool runs;
    enum tm_background_work (*work)(void *user);
    void *user;
    pthread_t thread;
};

/* Starts the thread. False: none could be made. @background is zeroed. */
TM_MUST_USE bool tm_background_start(struct tm_background *background, enum tm_background_work (*work)(void *user),
                                     void *user);
/* Ends the thread, if it runs, after the work that it is at. */
void tm_background_stop(struct tm_background *background);
/* There is work. A thread that will look within a fifth of a second by itself is left alone: no system call. */
void tm_background_kick(struct tm_background *background);
/* There is work that somebody will wait for. */
void tm_background_hurry(struct tm_background *background);

#endif
