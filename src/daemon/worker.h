/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - the threads that serve sessions, each its own.
 *
 * A worker goes round the sessions that are awake, a turn each; looks at sockets now and then; and sleeps in the kernel
 * when none is awake. So it uses no CPU when nobody wants anything, and nobody pays for a wake-up while somebody does.
 *
 * Who locks: an inbox with a mutex for new sessions; all else belongs to the thread.
 */
#ifndef TM_DAEMON_WORKER_H
#define TM_DAEMON_WORKER_H

#include "daemon/daemon.h"

struct tm_latency;
struct tm_session;

/* Starts @count threads; NULL: there is no memory for them, or a limit. */
struct tm_workers *tm_workers_create(const struct tm_daemon *daemon, unsigned count);

/* Ends the threads, then the sessions without telling their tenants: the daemon ends. */
void tm_workers_destroy(struct tm_workers *workers);

/* tm_workers_add - hand over a new session, to the thread that has the fewest clients. */
void tm_workers_add(struct tm_workers *workers, struct tm_session *session);

/*
 * tm_workers_are_alive - whether each thread has gone round since this was asked last, as it does at least once each
 * time; true when it is asked first. For one thread, which leaves them time in between.
 */
bool tm_workers_are_alive(struct tm_workers *workers);

/* tm_workers_rouse - look at all sessions: one that sleeps may have something to do. */
void tm_workers_rouse(struct tm_workers *workers);

/* tm_workers_latency - add to @sum how long requests of one kind took; for any thread. */
void tm_workers_latency(const struct tm_workers *workers, unsigned operation, struct tm_latency *sum);

#endif
