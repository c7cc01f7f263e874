/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmem.c - tmem itself, through its public API: an embedded store with a persistent pool, so that no
 * page goes by itself. Page n is page n % 64 of object n / 64.
 */
#include "bench/store.h"
#include "peer.h"

#include <stdlib.h>

static bool check(enum tmem_result result, const char *what)
{
    return result == TMEM_OK || peer_fail("tmem: %s: %s", what, tmem_result_text(result));
}

static bool tmem_peer_open(const char *at, uint64_t pages, void **state)
{
    struct tmem_error error = {{0}};
    struct bench_store *store = calloc(1, sizeof *store);
    (void)pages;
    if (store == NULL)
        return peer_fail("tmem: no memory");
    store->object_pages = BENCH_OBJECT_PAGES;
    if (tmem_open(at, &store->store, &error) != TMEM_OK) {
        free(store);
        return peer_fail("tmem: cannot open %s: %s", at, error.text);
    }
    *state = store;
    return check(tmem_client_create(store->store, "bench", NULL, &store->client), "cannot make a client") &&
           check(tmem_pool_create(store->client, TMEM_POOL_PERSISTENT, NULL, &store->pool), "cannot make a pool");
}

static void tmem_peer_close(void *state)
{
    struct bench_store *store = state;
    bench_store_close(store);
    free(store);
}

static bool tmem_peer_put(void *state, uint64_t number, const unsigned char *page)
{
    return check(bench_put(state, number, page), "put");
}

static bool tmem_peer_get(void *state, uint64_t number, unsigned char *page)
{
    return check(bench_get(state, number, page, TMEM_GET_INCLUSIVE), "get");
}

static bool tmem_peer_drop(void *state, uint64_t number)
{
    return check(bench_invalidate(state, number), "invalidate");
}

static bool tmem_peer_miss(void *state, uint64_t number, unsigned char *page)
{
    enum tmem_result result = bench_get(state, number, page, TMEM_GET_INCLUSIVE);
    return result == TMEM_MISS || check(TMEM_NOT_FOUND, "get of a page that is not there answers no miss");
}

static void name_pages(struct tmem_io io[PEER_BATCH], const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    for (unsigned i = 0; i < PEER_BATCH; i++) {
        io[i].object = bench_object(numbers[i] / BENCH_OBJECT_PAGES);
        io[i].index = (uint32_t)(numbers[i] % BENCH_OBJECT_PAGES);
        io[i].page = pages + i * TM_PAGE_BYTES;
    }
}

static bool check_each(const struct tmem_io io[PEER_BATCH], const char *what)
{
    for (unsigned i = 0; i < PEER_BATCH; i++)
        if (!check(io[i].result, what))
            return false;
    return true;
}

static bool tmem_peer_get_many(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    struct bench_store *store = state;
    struct tmem_io io[PEER_BATCH];
    name_pages(io, numbers, pages);
    return check(tmem_get_many(store->pool, io, PEER_BATCH, TMEM_GET_INCLUSIVE), "get_many") &&
           check_each(io, "get_many");
}

static bool tmem_peer_put_many(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    struct bench_store *store = state;
    struct tmem_io io[PEER_BATCH];
    name_pages(io, numbers, pages);
    return check(tmem_put_many(store->pool, io, PEER_BATCH, TMEM_PUT_PLAIN), "put_many") &&
           check_each(io, "put_many");
}

static bool read_stats(const struct bench_store *store, struct tmem_store_stats *stats)
{
    return check(tmem_store_stats(store->store, stats, sizeof *stats), "statistics");
}

static bool tmem_peer_reclaim(void *state)
{
    struct bench_store *store = state;
    uint64_t ignored = 0;
    return check(tmem_store_reclaim(store->store, UINT64_MAX, &ignored), "reclaim");
}

/* What a store with a cold tier comes to when nobody asks for its pages: by order, since the rest of this
 * machine may not be idle for long enough. */
static bool tmem_peer_settle(void *state)
{
    struct bench_store *store = state;
    uint64_t pages = 0;
    return check(tmem_store_recompress(store->store, &pages), "recompress");
}

static bool tmem_peer_memory(void *state, struct tm_json *json)
{
    struct tmem_store_stats stats = {0};
    if (!read_stats(state, &stats))
        return false;
    tm_json_unsigned(json, "resident_bytes", stats.resident_bytes);
    tm_json_unsigned(json, "metadata_bytes", stats.metadata_bytes);
    tm_json_unsigned(json, "block_bytes", stats.block_bytes);
    tm_json_unsigned(json, "pages", stats.pages);
    tm_json_unsigned(json, "same_filled_pages", stats.pages_same);
    tm_json_unsigned(json, "deduplicated_pages", stats.pages_deduplicated);
    tm_json_unsigned(json, "shared_contents", stats.contents_shared);
    return true;
}

static const struct peer_kind tmem_kind = {
    .name = "tmem",
    .at = "URI",
    .open = tmem_peer_open,
    .close = tmem_peer_close,
    .put = tmem_peer_put,
    .get = tmem_peer_get,
    .drop = tmem_peer_drop,
    .put_many = tmem_peer_put_many,
    .get_many = tmem_peer_get_many,
    .miss = tmem_peer_miss,
    .settle = tmem_peer_settle,
    .reclaim = tmem_peer_reclaim,
    .memory = tmem_peer_memory,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &tmem_kind);
}
