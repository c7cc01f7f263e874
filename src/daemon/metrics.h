/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - everything that is counted, as one text for Prometheus (docs/metrics.md).
 *
 * Cost: a scrape reads the counters of each pool of each client. It holds no lock for longer than one client takes.
 * Threads: any.
 */
#ifndef TM_DAEMON_METRICS_H
#define TM_DAEMON_METRICS_H

#include "daemon/daemon.h"
#include "daemon/exposition.h"

/* What stands for all clients above the limit of [metrics] clients=; no client can be called so. */
#define TM_METRICS_OTHERS "(others)"

/*
 * tm_metrics_text - the text of one scrape, the caller's to free(). NULL: no memory.
 *
 * Clients beyond the configured number, in the order of their names, are summed under TM_METRICS_OTHERS.
 */
char *tm_metrics_text(const struct tm_daemon *daemon, bool is_open_metrics, size_t *length);

#endif
