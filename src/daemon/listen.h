/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen.h - the main thread while the daemon serves: lets connections in, and hears signals.
 *
 * SIGTERM and SIGINT end it, SIGHUP reads the configuration again. Where a service manager watches (WATCHDOG_USEC), it
 * is told that the daemon is alive for as long as all threads that serve are.
 */
#ifndef TM_DAEMON_LISTEN_H
#define TM_DAEMON_LISTEN_H

#include "daemon/settings.h"

/* tm_listen_signals - a descriptor by which they come; they are blocked in all threads made from here on. -1: none. */
int tm_listen_signals(void);

/* tm_listen - until a signal says that it is time to end; returns it. */
int tm_listen(struct tm_daemon *daemon, struct tm_settings *settings, int door, int signals);

#endif
