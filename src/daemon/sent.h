/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sent.h - which pages were written of a client that is saved while it runs, so that those that go meanwhile can be
 * named afterwards, also of pools that do. A note for each stretch of 64 pages of an object that has some.
 *
 * Who locks: nobody; it belongs to one thread at a time.
 */
#ifndef TM_DAEMON_SENT_H
#define TM_DAEMON_SENT_H

#include "engine/engine.h"

struct tm_sent {
    struct tm_change *stretches;
    size_t count, capacity;
};

/* tm_sent_add - a page was written. Neighbours share a note if they come one after the other. False: no memory. */
TM_MUST_USE bool tm_sent_add(struct tm_sent *sent, uint64_t pool_id, const struct tm_object_id *object,
                             uint32_t index);

/* A page that has gone. False: enough. */
typedef bool tm_sent_gone(void *user, uint64_t pool_id, const struct tm_object_id *object, uint32_t index);

/* tm_sent_compare - tell of each page that the client has no more. False: it was enough. */
bool tm_sent_compare(const struct tm_sent *sent, struct tm_client *client, tm_sent_gone *gone, void *user);

void tm_sent_fini(struct tm_sent *sent);

#endif
