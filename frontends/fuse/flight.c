/* SPDX-License-Identifier: BSD-2-Clause */
/* flight.c - disk reads under way. */
#include "flight.h"

void tm_flights_init(struct tm_flights *flights)
{
    pthread_mutex_init(&flights->lock, NULL);
    pthread_cond_init(&flights->landed, NULL);
    flights->list = NULL;
}

void tm_flights_fini(struct tm_flights *flights)
{
    TM_ASSERT(flights->list == NULL);
    pthread_mutex_destroy(&flights->lock);
    pthread_cond_destroy(&flights->landed);
}

/* There are never more flights than threads: a list is enough. */
static bool overlaps(const struct tm_flights *flights, const struct tm_flight *flight)
{
    for (const struct tm_flight *other = flights->list; other != NULL; other = other->next)
        if (other->file == flight->file && other->first < flight->behind && flight->first < other->behind)
            return true;
    return false;
}

bool tm_flight_begin(struct tm_flights *flights, struct tm_flight *flight, const void *file, uint64_t first,
                     uint64_t count)
{
    *flight = (struct tm_flight){.file = file, .first = first, .behind = first + count};
    bool waited = false;
    pthread_mutex_lock(&flights->lock);
    while (overlaps(flights, flight)) {
        waited = true;
        pthread_cond_wait(&flights->landed, &flights->lock);
    }
    flight->next = flights->list;
    flights->list = flight;
    pthread_mutex_unlock(&flights->lock);
    return waited;
}

void tm_flight_end(struct tm_flights *flights, struct tm_flight *flight)
{
    pthread_mutex_lock(&flights->lock);
    struct tm_flight **link = &flights->list;
    while (*link != flight)
        link = &(*link)->next;
    *link = flight->next;
    pthread_cond_broadcast(&flights->landed);
    pthread_mutex_unlock(&flights->lock);
}
