/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.h - the two conventions by which a service manager starts a daemon: it passes sockets that listen already
 * (LISTEN_PID, LISTEN_FDS), and wants to be told when the daemon serves and when it stops (NOTIFY_SOCKET).
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

/*
 * tm_passed_descriptors - how many descriptors were passed to this process, from TM_PASSED_FIRST on. Takes the
 * variables out of the environment and closes the descriptors on exec, so it is asked once. -1: the variables make no
 * sense.
 */
#define TM_PASSED_FIRST 3
int tm_passed_descriptors(void);

#endif
