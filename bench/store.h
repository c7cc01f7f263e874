/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - an embedded store with one client and one pool, and the handles that the benchmarks use:
 * page n is page n % 64 of object n / 64, or as many pages an object as asked for.
 */
#ifndef TM_BENCH_STORE_H
#define TM_BENCH_STORE_H

#include "command/command.h"

#include <tmem/control.h>
#include <tmem/tmem.h>

#define BENCH_OBJECT_PAGES 64u

struct bench_store {
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool;
    uint32_t object_pages;
};

/* What a store is opened with; what is not named has its default. */
struct bench_settings {
    uint64_t size_bytes;
    const char *codec; /* as in a URI */
    bool no_dedup;
    bool no_maintenance;   /* what the store does, it does in calls that are timed */
    bool persistent;       /* kind of pool */
    bool memory_file;      /* persistent pages in a memory file, */
    int arena_file;        /* or in this one; 0: none */
    bool defer;            /* pages are compressed in the background */
    uint32_t object_pages; /* 0: BENCH_OBJECT_PAGES */
};

/*
 * bench_store_open - opens a store, and makes its client and pool.
 *
 * TM_EXIT_OK: close it. TM_EXIT_NOT_FOUND: this build lacks the codec; no message. Otherwise an exit
 * code after a message.
 */
enum tm_exit bench_store_open(struct bench_store *store, const struct bench_settings *settings);

#define BENCH_URI_SIZE 192u

/* bench_store_uri - what bench_store_open() opens. */
void bench_store_uri(const struct bench_settings *settings, char uri[BENCH_URI_SIZE]);

void bench_store_close(struct bench_store *store);

/* bench_store_size - a size that holds @pages raw pages and what they need besides. */
uint64_t bench_store_size(uint64_t pages);

static inline struct tmem_object_id bench_object(uint64_t number)
{
    return (struct tmem_object_id){{number + 1, 0, 0}};
}

/* An object that nobody ever puts a page into. */
static inline struct tmem_object_id bench_missing_object(uint64_t number)
{
    return (struct tmem_object_id){{number + 1, 0, 1}};
}

static inline enum tmem_result bench_put(const struct bench_store *store, uint64_t number, const void *page)
{
    struct tmem_object_id object = bench_object(number / store->object_pages);
    return tmem_put(store->pool, &object, (uint32_t)(number % store->object_pages), page, TMEM_PUT_PLAIN);
}

static inline enum tmem_result bench_get(const struct bench_store *store, uint64_t number, void *page,
                                         enum tmem_get_mode mode)
{
    struct tmem_object_id object = bench_object(number / store->object_pages);
    return tmem_get(store->pool, &object, (uint32_t)(number % store->object_pages), page, mode);
}

static inline enum tmem_result bench_invalidate(const struct bench_store *store, uint64_t number)
{
    struct tmem_object_id object = bench_object(number / store->object_pages);
    return tmem_invalidate_page(store->pool, &object, (uint32_t)(number % store->object_pages));
}

#endif
