/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scrape.h - where metrics are asked for: HTTP at an address, at a unix socket, or both, as [metrics] says.
 *
 * Anybody who can connect may read; nothing can be changed. A thread of its own serves each place, a few connections at
 * once, and none for longer than a few seconds of silence.
 */
#ifndef TM_DAEMON_SCRAPE_H
#define TM_DAEMON_SCRAPE_H

#include "daemon/daemon.h"

struct tm_scrape;

/*
 * tm_scrape_create - serve metrics where the configuration says. A place that cannot be had is logged, and the daemon
 * does without it: pages are worth more than figures.
 *
 * NULL: they are served nowhere.
 */
struct tm_scrape *tm_scrape_create(const struct tm_daemon *daemon);

/* tm_scrape_destroy - nobody is answered any more when it returns. NULL is legal. */
void tm_scrape_destroy(struct tm_scrape *scrape);

#endif
