/* SPDX-License-Identifier: BSD-2-Clause */
/* restore.h - what the daemon before has left becomes this one's tenants. */
#ifndef TM_DAEMON_RESTORE_H
#define TM_DAEMON_RESTORE_H

#include "daemon/daemon.h"

/*
 * tm_restore - make a tenant of each client that the store has found in its memory file; before there are threads and
 * connections. False, with a message: no memory.
 */
bool tm_restore(const struct tm_daemon *daemon);

#endif
