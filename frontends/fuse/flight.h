/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flight.h - which parts of which files are being read from the disk just now.
 *
 * Two requests that need the same pages at the same time would read them twice; read-ahead makes that
 * common. The second waits here until the first has put them into the store.
 *
 * Threads: all calls may overlap. One lock, taken once before and once after a disk read.
 */
#ifndef TM_FUSE_FLIGHT_H
#define TM_FUSE_FLIGHT_H

#include "command/command.h"

#include <pthread.h>

/* One range being read. Lies in its reader's stack or buffer. */
struct tm_flight {
    struct tm_flight *next;
    const void *file;
    uint64_t first;
    uint64_t behind; /* first + count */
};

struct tm_flights {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    struct tm_flight *list; /* under lock */
};

void tm_flights_init(struct tm_flights *flights);
void tm_flights_fini(struct tm_flights *flights);

/*
 * tm_flight_begin - say that @count pages of @file from @first on are about to be read.
 *
 * Waits until nobody else reads any of them. True when it had to wait: the pages may be in the store
 * now. The flight is the caller's until tm_flight_end().
 */
bool tm_flight_begin(struct tm_flights *flights, struct tm_flight *flight, const void *file, uint64_t first,
                     uint64_t count) TM_MUST_USE;

/* tm_flight_end - what was read is in the store, or will not be. */
void tm_flight_end(struct tm_flights *flights, struct tm_flight *flight);

#endif
