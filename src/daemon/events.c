/* SPDX-License-Identifier: BSD-2-Clause */
/* events.c - see events.h. */
#include "daemon/events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define RING_EVENTS 1024u
#define FOLLOWERS_MAX 64u

struct tm_events {
    pthread_mutex_t mutex;
    uint64_t next; /* number of the next one */
    int followers[FOLLOWERS_MAX];
    unsigned follower_count;
    struct tm_event ring[RING_EVENTS]; /* number N at N % RING_EVENTS */
};

struct tm_events *tm_events_create(void)
{
    struct tm_events *events = calloc(1, sizeof *events);
    if (events == NULL)
        return NULL;
    events->next = 1;
    if (pthread_mutex_init(&events->mutex, NULL) == 0)
        return events;
    free(events);
    return NULL;
}

void tm_events_destroy(struct tm_events *events)
{
    if (events == NULL)
        return;
    TM_ASSERT(events->follower_count == 0);
    (void)pthread_mutex_destroy(&events->mutex);
    free(events);
}

static void lock(struct tm_events *events)
{
    int error = pthread_mutex_lock(&events->mutex);
    TM_ASSERT(error == 0);
}

static void unlock(struct tm_events *events)
{
    int error = pthread_mutex_unlock(&events->mutex);
    TM_ASSERT(error == 0);
}

static uint64_t wall_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void tm_events_add(struct tm_events *events, enum tm_event_kind kind, const char *client, uint64_t value,
                   uint64_t second_value, const char *detail)
{
    struct tm_event event = {.time_ms = wall_clock_ms(), .kind = kind, .values = {value, second_value}};
    if (client != NULL)
        (void)snprintf(event.client, sizeof event.client, "%s", client);
    if (detail != NULL)
        (void)snprintf(event.detail, sizeof event.detail, "%s", detail);
    lock(events);
    event.number = events->next++;
    events->ring[event.number % RING_EVENTS] = event;
    /* Full means that it is awake: a write that fails changes nothing. */
    for (unsigned i = 0; i < events->follower_count; i++)
        (void)eventfd_write(events->followers[i], 1);
    unlock(events);
}

/* Under the lock. */
static uint64_t oldest_of(const struct tm_events *events)
{
    return events->next > RING_EVENTS ? events->next - RING_EVENTS : 1u;
}

uint64_t tm_events_oldest(struct tm_events *events)
{
    lock(events);
    uint64_t oldest = oldest_of(events);
    unlock(events);
    return oldest;
}

uint64_t tm_events_next(struct tm_events *events)
{
    lock(events);
    uint64_t next = events->next;
    unlock(events);
    return next;
}

size_t tm_events_read(struct tm_events *events, uint64_t *from, struct tm_event *copies, size_t capacity,
                      uint64_t *missed)
{
    size_t count = 0;
    lock(events);
    uint64_t oldest = oldest_of(events);
    *missed = *from < oldest ? oldest - *from : 0;
    *from = tm_max_u64(*from, oldest);
    for (; count < capacity && *from < events->next; (*from)++)
        copies[count++] = events->ring[*from % RING_EVENTS];
    unlock(events);
    return count;
}

bool tm_events_follow(struct tm_events *events, int wake)
{
    lock(events);
    bool has_room = events->follower_count < FOLLOWERS_MAX;
    if (has_room)
        events->followers[events->follower_count++] = wake;
    unlock(events);
    return has_room;
}

void tm_events_unfollow(struct tm_events *events, int wake)
{
    lock(events);
    unsigned i = 0;
    while (i < events->follower_count && events->followers[i] != wake)
        i++;
    TM_ASSERT(i < events->follower_count);
    events->followers[i] = events->followers[--events->follower_count];
    unlock(events);
}
