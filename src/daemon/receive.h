/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * receive.h - a client from what save/save.h reads, made while nobody sees it.
 *
 * It is the store's from its first page on, and counts against the store's size; but no connection and no operator
 * finds it before who receives it makes it known. What was there before stays as it was, whatever comes: the client is
 * a new one, and a shared pool that has other members keeps each page that it has.
 *
 * Who locks: nobody; it belongs to one thread.
 */
#ifndef TM_DAEMON_RECEIVE_H
#define TM_DAEMON_RECEIVE_H

#include "save/save.h"

#define TM_RECEIVE_TEXT_SIZE 160u

struct tm_receive_pool {
    uint64_t id;            /* where it comes from */
    struct tmem_pool *pool; /* NULL: a shared one that is not joined yet */
    struct tmem_uuid uuid;
    uint32_t flags;
    struct tmem_counters counters; /* as they were there */
};

struct tm_receive {
    struct tmem_store *store;
    const char *name;           /* NULL: the one it had */
    bool is_raw;                /* pages are as they were put, and have no check */
    struct tmem_client *client; /* NULL: not begun */
    struct tm_save_client settings;
    struct tmem_uuid *rights;
    size_t right_count, right_capacity;
    struct tm_receive_pool *pools; /* in the order of their making */
    size_t pool_count, pool_capacity;
    uint64_t pages;   /* stored */
    uint64_t dropped; /* ephemeral ones for which there was no room */
    char text[TM_RECEIVE_TEXT_SIZE];
};

/*
 * tm_receive_item - the next item; the caller has filled in store and name, the rest was 0.
 *
 * Results: TMEM_OK; else text says what is wrong, and tm_receive_abandon() is all that is left: TMEM_EXISTS (a client
 * has this name), TMEM_REFUSED (no room, or a shared pool of the other kind), TMEM_INVALID (a page that does not match
 * its checksum or is none), TMEM_UNSUPPORTED (a codec that this build lacks), TMEM_NOMEM.
 */
TM_MUST_USE enum tmem_result tm_receive_item(struct tm_receive *receive, const struct tm_save_item *item);

/*
 * tm_receive_finish - all was there: join what is shared, and set what was frozen. Results as above; on TMEM_OK the
 * client is the caller's.
 */
TM_MUST_USE enum tmem_result tm_receive_finish(struct tm_receive *receive, struct tmem_client **client);

/* tm_receive_abandon - destroy what there is of it, unless it was finished; and free the rest. */
void tm_receive_abandon(struct tm_receive *receive);

#endif
