/* SPDX-License-Identifier: BSD-2-Clause */
/* in_use.c - see in_use.h. */
#include "in_use.h"

#include "base/mix.h"

#include <stdio.h>
#include <string.h>

#include <tmem/tmem.h>

#define SIZE_MIN (UINT64_C(16) << 20)
#define PAGE_ESTIMATE 4400u /* bytes that a page takes, with its share of all else: where the search begins */
#define FIXED_ESTIMATE (UINT64_C(8) << 20)
#define SIZE_UNIT 65536u
#define SEARCHES 6u
#define NEAR_ENOUGH 100u /* capacities differ by less than a hundredth */
#define SAMPLE_EVERY 16u

struct in_use {
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool;
    uint64_t page[TM_PAGE_BYTES / sizeof(uint64_t)];
};

static struct tmem_object_id object_of(struct policy_page page, uint64_t round)
{
    return (struct tmem_object_id){{page.file, round, 0}};
}

static enum tmem_result put(struct in_use *store, struct policy_page page, uint64_t round)
{
    struct tmem_object_id object = object_of(page, round);
    store->page[0] = (uint64_t)page.file << 32 | page.index;
    return tmem_put(store->pool, &object, page.index, store->page, TMEM_PUT_PLAIN);
}

static enum tm_exit open_store(struct in_use *store, const struct policy_room *room)
{
    char uri[96];
    struct tmem_error error = {{0}};
    uint64_t random = 1;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(store->page); i++)
        store->page[i] = tm_random_next(&random);
    (void)snprintf(uri, sizeof uri, "embedded:size=%lluK,codec=none,dedup=off,maintenance=none",
                   (unsigned long long)(room->size_bytes >> 10));
    if (tmem_open(uri, &store->store, &error) != TMEM_OK)
        return tm_fail(TM_EXIT_FAILED, "cannot open %s: %s", uri, error.text);
    enum tmem_result result = tmem_client_create(store->store, "reader", NULL, &store->client);
    if (result == TMEM_OK)
        result = tmem_pool_create(store->client, TMEM_POOL_EPHEMERAL, NULL, &store->pool);
    if (result == TMEM_OK)
        return TM_EXIT_OK;
    tmem_close(store->store);
    return tm_fail(TM_EXIT_FAILED, "cannot fill %s: %s", uri, tmem_result_text(result));
}

/* ---- how many pages a store holds ---- */

static bool count_pages(const struct in_use *store, uint64_t *pages)
{
    struct tmem_pool_stats stats;
    if (tmem_pool_stats(store->pool, &stats, sizeof stats) != TMEM_OK)
        return false;
    *pages = stats.counters.pages;
    return true;
}

/* Puts the stream's pages, under ever new names, until they are four times as many as would fit, and answers how
 * many were there at most. */
static bool measure(struct in_use *store, const struct policy_stream *stream, uint32_t wanted, uint32_t *capacity)
{
    uint64_t puts = (uint64_t)wanted * 4u;
    uint64_t most = 0;
    for (uint64_t i = 0; i < puts; i++) {
        uint64_t pages;
        if (put(store, stream->page[i % stream->pages], i / stream->pages) != TMEM_OK)
            return false;
        if (i % SAMPLE_EVERY != 0)
            continue;
        if (!count_pages(store, &pages))
            return false;
        most = tm_max_u64(most, pages);
    }
    *capacity = (uint32_t)most;
    return true;
}

static enum tm_exit measure_room(const struct policy_stream *stream, uint32_t wanted, struct policy_room *room)
{
    struct in_use store;
    enum tm_exit code = open_store(&store, room);
    if (code != TM_EXIT_OK)
        return code;
    if (!measure(&store, stream, wanted, &room->capacity))
        code = tm_fail(TM_EXIT_FAILED, "a store of %llu KiB does not take pages",
                       (unsigned long long)(room->size_bytes >> 10));
    tmem_close(store.store);
    return code;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

enum tm_exit policy_room_find(const struct policy_stream *stream, uint32_t wanted, struct policy_room *room)
{
    uint64_t bytes = (uint64_t)wanted * PAGE_ESTIMATE + FIXED_ESTIMATE;
    uint64_t nearest = UINT64_MAX;
    for (unsigned i = 0; i < SEARCHES && nearest > wanted / NEAR_ENOUGH; i++) {
        struct policy_room tried = {.size_bytes = tm_max_u64(bytes / SIZE_UNIT * SIZE_UNIT, SIZE_MIN)};
        enum tm_exit code = measure_room(stream, wanted, &tried);
        if (code != TM_EXIT_OK)
            return code;
        if (difference(tried.capacity, wanted) < nearest) {
            nearest = difference(tried.capacity, wanted);
            *room = tried;
        }
        if (tried.size_bytes == SIZE_MIN && tried.capacity > wanted)
            break;
        bytes = tried.size_bytes + (uint64_t)wanted * PAGE_ESTIMATE;
        bytes -= tm_min_u64((uint64_t)tried.capacity * PAGE_ESTIMATE, bytes);
    }
    return TM_EXIT_OK;
}

/* ---- the stream ---- */

enum tm_exit policy_in_use_run(const struct policy_room *room, const struct policy_stream *stream, uint64_t *hits)
{
    unsigned char page[TM_PAGE_BYTES];
    struct in_use store;
    enum tmem_result result = TMEM_OK;
    enum tm_exit code = open_store(&store, room);
    *hits = 0;
    if (code != TM_EXIT_OK)
        return code;
    for (uint64_t at = 0; at < stream->count && result == TMEM_OK; at++) {
        struct policy_page name = stream->page[stream->access[at]];
        struct tmem_object_id object = object_of(name, 0);
        /* A file is read more often than once: tmem mount asks like this, too. */
        enum tmem_result found = tmem_get(store.pool, &object, name.index, page, TMEM_GET_INCLUSIVE);
        if (found == TMEM_MISS)
            result = put(&store, name, 0);
        else if (at < stream->scan_from || at >= stream->scan_to)
            *hits += found == TMEM_OK;
    }
    if (result != TMEM_OK)
        code = tm_fail(TM_EXIT_FAILED, "the store does not take a page: %s", tmem_result_text(result));
    tmem_close(store.store);
    return code;
}
