/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics_client.h - families of what is counted for each client, and for all: operations and reasons. */
#ifndef TM_DAEMON_METRICS_CLIENT_H
#define TM_DAEMON_METRICS_CLIENT_H

#include "daemon/daemon.h"
#include "daemon/exposition.h"

/* The store's operations, evictions and refusals. */
void tm_metrics_store_ledger(struct tm_exposition *out, const struct tmem_ledger *ledger);

/* All families with the label `client`. False: no memory. */
bool tm_metrics_clients(struct tm_exposition *out, const struct tm_daemon *daemon);

#endif
