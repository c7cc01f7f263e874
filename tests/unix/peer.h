/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h - a daemon in the test's own process, for tests of the library's end of a connection: a thread that serves
 * clients from an embedded store, and that can be told to answer late, in another order, with garbage, or to die.
 *
 * It keeps what clients left behind until it is forgotten, and gives it back to whoever shows the token.
 */
#ifndef TMEM_TEST_PEER_H
#define TMEM_TEST_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct peer;

/* What it does wrong from now on; all zero: nothing. */
struct peer_manners {
    _Atomic unsigned late_us;     /* before each answer */
    _Atomic unsigned hold;        /* collects so many requests, or all there are, and answers the last one first */
    _Atomic bool has_strangers;   /* answers things that nobody asked for as well, and everything twice */
    _Atomic bool has_bad_results; /* the next answer has a result that there is not */
    _Atomic bool has_bad_counts;  /* says that it wrote more answers than there is room for */
    _Atomic unsigned die_after;   /* hangs up on everybody at that many requests from now, without an answer */
    _Atomic bool has_bad_hello;   /* answers the next TM_WIRE_HELLO with something else */
    _Atomic bool has_open_memory; /* gives memory that is not sealed */
    _Atomic uint64_t requests;    /* so far */
    _Atomic uint64_t connections;
};

/* Listens at a new path in TMPDIR. */
struct peer *peer_create(void);
const char *peer_path(const struct peer *peer);
struct peer_manners *peer_manners(struct peer *peer);
/* Hangs up on everybody and listens no more; then as if it had been started again, with or without what was there. */
void peer_stop(struct peer *peer);
void peer_start(struct peer *peer, bool has_forgotten);
void peer_destroy(struct peer *peer);

#endif
