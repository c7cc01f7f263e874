/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xenctrl.h - Xen's control calls on a daemon: libtmemxenctrl.so.
 *
 * Purpose: what a toolstack asks by number becomes questions to tmemd's control socket, and its answers the results,
 * structures and lists that the toolstack reads. The public header is <tmem/xenctrl.h>.
 *
 * Invariants: results are those of a hypercall, not negative or -errno; only calls.c turns them into -1 and errno.
 * Each operation asks anew which clients there are: nothing is kept between calls but the connection.
 *
 * Threads: one connection is used by one thread at a time. Cost: one question to the daemon for each 256 clients that
 * an operation must see, and one more to change something.
 */
#ifndef TM_XENCTRL_H
#define TM_XENCTRL_H

#include <jansson.h>
#include <tmem/control.h>
#include <tmem/xen.h>

#include "base/base.h"

struct tm_xc_request {
    struct tmem_daemon *daemon;
    bool is_old;     /* numbers and keys up to 4.7 */
    uint32_t number; /* of the operation */
    uint32_t client; /* a domain, or TMEM_CLIENT_ALL */
    int32_t pool_id;
    uint32_t value; /* or bytes at buffer */
    uint32_t extra;
    void *buffer;
};

/* Results: the operation's, or -errno. */
long tm_xc_perform(struct tm_xc_request *request);

/* SET_AUTH of one uuid. Results: 1, or -errno. */
long tm_xc_authorise(struct tm_xc_request *request, const uint64_t uuid[2], bool allow);

/* ---- save.c; see <tmem/xenctrl.h>. Results: as there, or -errno. ---- */

long tm_xc_save(struct tmem_daemon *daemon, int domain, int descriptor, bool is_old, bool live, int marker);
long tm_xc_save_extra(struct tmem_daemon *daemon, int domain, int descriptor, int marker);
void tm_xc_save_done(struct tmem_daemon *daemon, int domain);
long tm_xc_restore(struct tmem_daemon *daemon, int domain, int descriptor);
long tm_xc_restore_extra(struct tmem_daemon *daemon, int domain, int descriptor);

/* ---- ask.c ---- */

/* Asks, and consumes the question (NULL: no memory). Results: 0 and *answer, the caller's to decref; or -errno. */
long tm_xc_ask(struct tmem_daemon *daemon, json_t *question, json_t **answer);
/* The same without a need for the answer; and with a descriptor that goes along. */
long tm_xc_do(struct tmem_daemon *daemon, json_t *question);
long tm_xc_do_with(struct tmem_daemon *daemon, json_t *question, int descriptor);

/*
 * All clients that are domains, as an array in the order of their numbers, and what the daemon says of its store.
 * Results: 0, both the caller's to decref; -errno.
 */
long tm_xc_clients(struct tmem_daemon *daemon, json_t **clients, json_t **store);

/*
 * The number of a client in that array, which its name ends in unless it has a member "number"; and the client with a
 * number; NULL: there is none.
 */
uint32_t tm_xc_number(const json_t *client);
const json_t *tm_xc_find(const json_t *clients, uint32_t number);

/* A member that is a number, 0 if it is none; and one that is a text, "" if it is none. */
uint64_t tm_xc_count(const json_t *object, const char *member);
const char *tm_xc_text(const json_t *object, const char *member);
bool tm_xc_flag(const json_t *object, const char *member);
/* Of a pool; false: it has none. */
bool tm_xc_uuid(const json_t *pool, uint64_t uuid[2]);

/* ---- list.c ---- */

/*
 * The list as a text, to be freed; NULL: no memory. Clients have any names, and are called by a member "number".
 *
 * @store  NULL: only the clients' lines.
 */
char *tm_xc_list_text(const json_t *clients, const json_t *store, bool is_long);

/* Answers the text's result: 0, -ENOBUFS, -ENOMEM, -EINVAL (no buffer). @only NULL: all. */
long tm_xc_list(const struct tm_xc_request *request, const json_t *clients, const json_t *only, const json_t *store);

#endif
