/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.h - the conventions between a daemon and what started it, a service manager or the keeper: descriptors are
 * passed to a process (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), it tells when it serves and when it stops, and gives
 * descriptors away that the next one shall have (NOTIFY_SOCKET).
 *
 * Threads: any, but for tm_passed_descriptors().
 */
#ifndef TM_DAEMON_NOTIFY_H
#define TM_DAEMON_NOTIFY_H

#include "base/base.h"

/*
 * tm_notify - tell the service manager, such as "READY=1"; several lines are divided by '\n'.
 *
 * 0: told, or nobody wants to know; else an errno.
 */
int tm_notify(const char *text);

/* tm_notify_with - the same, with a descriptor; it stays the caller's as well. */
int tm_notify_with(const char *text, int descriptor);

/*
 * tm_notify_wait - wait until all that was told has been taken note of, also if this process is killed then.
 *
 * 0: it has, or nobody wants to know; ETIMEDOUT, or another errno.
 */
int tm_notify_wait(unsigned most_ms);

/* True when somebody wants to know. */
bool tm_notify_is_wanted(void);

#define TM_PASSED_FIRST 3
#define TM_PASSED_MAX 16u
#define TM_PASSED_NAME_SIZE 64u

/* Descriptors passed to this process: number i is TM_PASSED_FIRST + i. */
struct tm_passed {
    unsigned count;
    char name[TM_PASSED_MAX][TM_PASSED_NAME_SIZE]; /* empty: without one */
};

/*
 * tm_passed_descriptors - which descriptors were passed to this process. Takes the variables out of the environment and
 * closes the descriptors on exec, so it is asked once, before there are threads. False: the variables make no sense.
 */
bool tm_passed_descriptors(struct tm_passed *passed);

#endif
