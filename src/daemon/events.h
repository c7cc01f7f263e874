/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.h - what happened lately, for operators: a ring of the last events, each with a number.
 *
 * Numbers begin at 1 and have no gaps, so who reads from a number on sees how many were forgotten meanwhile. Adding
 * never waits for a reader: the ring overwrites the oldest, and readers are woken by eventfds of their own.
 *
 * Who locks: a mutex, held for the copy of an event.
 */
#ifndef TM_DAEMON_EVENTS_H
#define TM_DAEMON_EVENTS_H

#include <tmem/tmem.h>

#include "base/base.h"

/* What control_events.c calls them, and their values, stands there. */
enum tm_event_kind {
    TM_EVENT_CLIENT_CAME,
    TM_EVENT_CLIENT_RETURNED, /* and has what it left */
    TM_EVENT_CLIENT_LEFT,
    TM_EVENT_CLIENT_ORPHANED,
    TM_EVENT_ORPHAN_ENDED, /* it did not come back in time */
    TM_EVENT_CLIENT_DESTROYED,
    TM_EVENT_CLIENT_MOVED,    /* to another daemon, or tried to */
    TM_EVENT_CLIENT_RECEIVED, /* from a file or another daemon */
    TM_EVENT_CLIENT_FROZEN,
    TM_EVENT_CLIENT_THAWED,
    TM_EVENT_CLIENT_LIMITS,
    TM_EVENT_CLIENT_SHARED_AUTH,
    TM_EVENT_STORE_SIZE,
    TM_EVENT_STORE_RECLAIMED,
    TM_EVENT_PAGES_EVICTED,
    TM_EVENT_PUTS_REFUSED,
    TM_EVENT_CONNECTION_REFUSED,
    TM_EVENT_KIND_COUNT
};

#define TM_EVENT_VALUES 2u
#define TM_EVENT_DETAIL_SIZE 64u

struct tm_event {
    uint64_t number;
    uint64_t time_ms; /* since 1970 */
    enum tm_event_kind kind;
    char client[TMEM_CLIENT_NAME_SIZE]; /* empty: of no client */
    char detail[TM_EVENT_DETAIL_SIZE];  /* empty: none */
    uint64_t values[TM_EVENT_VALUES];
};

struct tm_events;

/* NULL: no memory. Readers have left before the ring is destroyed. */
struct tm_events *tm_events_create(void);
void tm_events_destroy(struct tm_events *events);

/*
 * tm_events_add - something happened. @client and @detail may be NULL. Waits for nobody; any thread.
 */
void tm_events_add(struct tm_events *events, enum tm_event_kind kind, const char *client, uint64_t value,
                   uint64_t second_value, const char *detail);

/*
 * tm_events_read - copy the events from number *from on; at most @capacity, oldest first.
 *
 * *from moves behind the last one that was copied. *missed receives how many were forgotten between where *from was
 * and the first one copied.
 *
 * Returns the number of events copied.
 */
size_t tm_events_read(struct tm_events *events, uint64_t *from, struct tm_event *copies, size_t capacity,
                      uint64_t *missed);

/* The number of the oldest event that is there, and of the next one that will be. */
uint64_t tm_events_oldest(struct tm_events *events);
uint64_t tm_events_next(struct tm_events *events);

/* tm_events_follow, tm_events_unfollow - have @wake, a non-blocking eventfd, written to whenever one is added. False:
 * there are too many readers. */
bool tm_events_follow(struct tm_events *events, int wake);
void tm_events_unfollow(struct tm_events *events, int wake);

#endif
