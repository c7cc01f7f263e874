/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - what a daemon tells at one moment, and connecting to it again and again.
 *
 * Who locks: nobody; one thread.
 */
#ifndef TM_TOP_SAMPLE_H
#define TM_TOP_SAMPLE_H

#include <tmem/control.h>

#include "command/command.h"

struct top_counts {
    uint64_t pages, gets, found, puts, evicted;
};

struct top_pool {
    uint64_t id;
    char kind[16];
    uint64_t members; /* more than one: shared */
    struct top_counts counts;
};

struct top_evictor {
    char name[TMEM_CLIENT_NAME_SIZE]; /* empty: the others together */
    uint64_t pages;
};

struct top_client {
    char name[TMEM_CLIENT_NAME_SIZE];
    char state[16];
    bool is_frozen;
    uint64_t weight;
    uint64_t cap_bytes; /* UINT64_MAX: none */
    uint64_t charged_bytes;
    struct top_counts counts;
    uint64_t refused;
    uint64_t timed_gets, timed_get_ns, timed_puts, timed_put_ns;
    struct top_evictor evictors[TMEM_EVICTORS_MAX];
    size_t evictor_count;
    struct top_pool *pools;
    size_t pool_count;
};

#define TOP_LIMITS_MAX 128u

struct top_latency {
    uint64_t counts[TOP_LIMITS_MAX];
};

struct top_sample {
    double seconds; /* monotonic */
    uint64_t size_bytes, resident_bytes, stored_bytes, metadata_bytes;
    size_t limit_count; /* the element behind the last: more than all */
    uint64_t limits_ns[TOP_LIMITS_MAX];
    struct top_latency get, put;
    struct top_client *clients; /* by name */
    size_t client_count;
};

/* The connection, made when it is needed. */
struct top_source {
    const char *path; /* NULL: the usual place */
    struct tmem_daemon *daemon;
};

/*
 * top_sample_take - ask the daemon; connects first where there is no connection.
 *
 * @text  receives what is wrong, for a person, on every result but TM_EXIT_OK; *sample is empty then.
 */
enum tm_exit top_sample_take(struct top_source *source, struct top_sample *sample, char *text, size_t text_size);

/* top_sample_free - and make it empty. */
void top_sample_free(struct top_sample *sample);

void top_source_close(struct top_source *source);

#endif
