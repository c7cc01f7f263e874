/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send.h - a client with its pools and pages into a writer (save/save.h), while the client runs.
 *
 * In rounds: the first takes everything, each later one what changed since the one before, so they get shorter; the
 * last is taken while the client stands still, and makes the copy exact. Of private pools the persistent ones go along,
 * the ephemeral ones where the plan says so: hottest pages first, as many as it allows. Of shared pools the membership
 * goes along; what is in a persistent one is taken in the last round, and what is in an ephemeral one stays.
 *
 * Who locks: nobody; it belongs to one thread. Others may do anything with the client meanwhile but end it.
 */
#ifndef TM_DAEMON_SEND_H
#define TM_DAEMON_SEND_H

#include "daemon/sent.h"
#include "engine/engine.h"
#include "save/save.h"

struct tm_send_plan {
    uint64_t ephemeral_bytes; /* most of ephemeral pages, as they are stored; 0: none */
    uint64_t ephemeral_ns;    /* and none after so long; 0: however long it takes */
    uint64_t stop_ns;         /* how long the client may stand still */
    unsigned rounds_max;      /* after so many it does, however long it takes */
};

#define TM_SEND_TEXT_SIZE 160u

struct tm_send {
    struct tmem_client *client;
    struct tm_save_writer *writer;
    struct tm_foreign_writer *xen; /* NULL; or, instead of the other, for one round that is the last */
    struct tm_sent *sent;          /* NULL; or notes which pages were written */
    bool hides_freeze;             /* whoever saves has frozen the client for that */
    const struct tm_send_plan *plan;
    uint32_t uid;
    unsigned char token[TM_SAVE_TOKEN_BYTES];

    unsigned round;       /* of the next one; 0: the first */
    uint64_t pages;       /* sent so far; some again and again */
    uint64_t bytes;       /* of them, as they are stored */
    uint64_t round_pages; /* of the last round, with those that were gone */
    uint64_t round_ns;
    uint64_t earlier_pages; /* of the round before it */

    uint64_t ephemeral_left;
    uint64_t ephemeral_until_ns;
    struct tm_change *changes;
    uint32_t changes_max; /* of chunks in one round that are noted; 0: as many as is good */
    uint64_t *pools;      /* ids of those that were announced */
    uint32_t pool_count, pool_capacity;
    bool is_watched;
    struct tm_save_item item;
    char text[TM_SEND_TEXT_SIZE]; /* what went wrong, and what to do */
};

/*
 * tm_send_begin - watch the client from now on. The caller has filled in client, writer, plan, uid and token, and may
 * have changes_max; the rest is 0.
 *
 * Results: TMEM_OK, TMEM_EXISTS (somebody else does), TMEM_NOMEM. With all others but TMEM_OK, text says why.
 */
TM_MUST_USE enum tmem_result tm_send_begin(struct tm_send *send);

/*
 * tm_send_round - one round more. @last: the client stands still, and this is all.
 *
 * False: text says why, and the copy is of no use: the writer's sink said no, a page is damaged, or memory is short.
 */
TM_MUST_USE bool tm_send_round(struct tm_send *send, bool last);

/* tm_send_is_ready - the next round may be the last: it is short, or rounds do not get shorter any more. */
bool tm_send_is_ready(const struct tm_send *send);

/* tm_send_end - nobody watches the client any more. Also after a begin that failed. */
void tm_send_end(struct tm_send *send);

#endif
