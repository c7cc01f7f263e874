/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reaper.h - a thread for the end of clients, which takes as long as they have pages: nobody who is served waits for
 * it.
 *
 * Who locks: its queue has a mutex.
 */
#ifndef TM_DAEMON_REAPER_H
#define TM_DAEMON_REAPER_H

#include "daemon/daemon.h"

struct tm_tenant;

/* Starts it; NULL: no memory, no thread. */
struct tm_reaper *tm_reaper_create(const struct tm_daemon *daemon);

/* Ends it, when its queue is empty. Orphans stay for tm_tenants_destroy(). */
void tm_reaper_destroy(struct tm_reaper *reaper);

/* Hands over a tenant that is ENDING. */
void tm_reaper_add(struct tm_reaper *reaper, struct tm_tenant *tenant);

/* There is an orphan that it does not know of yet. */
void tm_reaper_look(struct tm_reaper *reaper);

#endif
