/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * by_hand.h - a daemon without threads of its own, and one connection to it: what a target writes is heard and served
 * when the target says so, so that an input does the same each time.
 *
 * Who locks: nobody; a target is one thread.
 */
#ifndef TM_FUZZ_BY_HAND_H
#define TM_FUZZ_BY_HAND_H

#include "daemon/session.h"
#include "tests/support/raw.h"

#define BY_HAND_POOLS 2u /* one of each kind */

struct by_hand {
    struct tm_session *session; /* NULL: none */
    struct raw_client client;
    uint64_t pools[BY_HAND_POOLS];
    struct tm_scratch scratch;
};

/* by_hand_knock - a new connection that has said nothing yet; the one before ends. by_hand_enter - and that is served,
 * with pools. What fails in either is a fault of the daemon's, and ends the program. */
void by_hand_knock(struct by_hand *it);
void by_hand_enter(struct by_hand *it);

/* by_hand_settle - lets the daemon hear and serve until there is no more to do, takes what it says, and ends the
 * connection if it is over. Asserts that the store is sound every so many times. */
void by_hand_settle(struct by_hand *it);

/* by_hand_daemon - the daemon itself, with the threads that operators' questions need. The first call begins it. */
const struct tm_daemon *by_hand_daemon(void);

/* What a target is for: one input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
