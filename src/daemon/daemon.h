/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.h - tmemd: one store for many processes, none of which trusts another.
 *
 * Purpose      Serves clients over shared memory (src/wire), each as the configuration allows. The store itself is
 *              libtmem's, opened `embedded:`; the daemon adds who may, who is who, and when what is left behind goes.
 * Parts        config (files), door (the listening socket), tenants (clients of the store and what they left), sessions
 *              (connections: session.c begins and ends them, serve.c answers rings, ask.c answers messages), workers
 *              (threads, each with sessions of its own), the reaper (a thread for what takes long), control (the
 *              operators' socket and its verbs: control_*.c), events (what happened lately), metrics (what was
 *              counted, as a text; scrape serves it).
 * Invariants   A session belongs to one worker's thread from the moment it is handed over; only that thread touches
 *              it, and the tenant it is connected to. What a client can write is read once: rings copy, pages are
 *              copied before they are stored. Nothing that a client does or leaves undone makes a thread wait: every
 *              descriptor that clients share is used without blocking. What breaks the format ends its connection,
 *              and nothing else.
 * Who locks    The list of tenants has a mutex (tenant.c), each worker's inbox one (worker.c), the reaper's queue one,
 *              the crowd one. None is held over a call that destroys pages.
 * Cost         A request: two copies of ring entries, one of the page where it is put, and the library's call.
 */
#ifndef TM_DAEMON_H
#define TM_DAEMON_H

#include <tmem/control.h>

#include "base/atomic.h"
#include "daemon/config.h"

struct tm_control;
struct tm_scrape;
struct tm_crowd;
struct tm_events;
struct tm_forwards;
struct tm_tenants;
struct tm_reaper;
struct tm_workers;

/* What all parts know. Made once, before the first connection; read only from then on, but for the configuration. */
struct tm_daemon {
    const struct tm_config *config; /* atomic: tm_config_of(); another one when it was read again */
    struct tmem_store *store;
    char socket[TM_SOCKET_PATH_SIZE]; /* where clients come in */
    struct tm_events *events;
    struct tm_forwards *forwards;
    struct tm_crowd *crowd;
    struct tm_tenants *tenants;
    struct tm_reaper *reaper;
    struct tm_workers *workers;
    struct tm_control *control; /* nobody else needs it */
    struct tm_scrape *scrape;   /* nor this; NULL: no metrics are served */
};

/* The configuration as it is now; what was looked at stays until the daemon ends. */
static inline const struct tm_config *tm_config_of(const struct tm_daemon *daemon)
{
    return tm_load_acquire(&daemon->config);
}

/* Monotonic time. */
uint64_t tm_now_ns(void);

/* What this daemon knows of what a client may know: enum tm_wire_feature. */
#define TM_DAEMON_FEATURES ((uint32_t)(TM_WIRE_STORED_PAGES | TM_WIRE_REGIONS | TM_WIRE_MOVES | TM_WIRE_CLAIMS))

#define TM_SECOND_NS UINT64_C(1000000000)

#endif
