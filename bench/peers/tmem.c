/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmem.c - tmem itself, through its public API: a store, embedded or a daemon's, with a persistent pool,
 * so that no page goes by itself. Page n is page n % 64 of object n / 64.
 */
#include "bench/store.h"
#include "crowd.h"
#include "peer.h"

#include <stdlib.h>

struct tmem_peer {
    struct bench_store store; /* first: what the operations of store.h take */
    uint64_t pages;
    struct tmem_pool *cache; /* ephemeral, made when it is needed */
    struct crowd *crowd;     /* likewise */
};

static bool check(enum tmem_result result, const char *what)
{
    return result == TMEM_OK || peer_fail("tmem: %s: %s", what, tmem_result_text(result));
}

static bool tmem_peer_open(const char *at, uint64_t pages, void **state)
{
    struct tmem_error error = {{0}};
    struct tmem_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return peer_fail("tmem: no memory");
    struct bench_store *store = &peer->store;
    store->object_pages = BENCH_OBJECT_PAGES;
    peer->pages = pages;
    if (tmem_open(at, &store->store, &error) != TMEM_OK) {
        free(peer);
        return peer_fail("tmem: cannot open %s: %s", at, error.text);
    }
    *state = peer;
    return check(tmem_client_create(store->store, "bench", NULL, &store->client), "cannot make a client") &&
           check(tmem_pool_create(store->client, TMEM_POOL_PERSISTENT, NULL, &store->pool), "cannot make a pool");
}

static void tmem_peer_close(void *state)
{
    struct tmem_peer *peer = state;
    crowd_free(peer->crowd);
    bench_store_close(&peer->store);
    free(peer);
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

/* Into a pool of its own, so that the store is full and somebody's pages go with each put. */
static bool tmem_peer_flood(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    struct tmem_peer *peer = state;
    struct tmem_io io[PEER_BATCH];
    if (peer->cache == NULL &&
        !check(tmem_pool_create(peer->store.client, TMEM_POOL_EPHEMERAL, NULL, &peer->cache), "cannot make a pool"))
        return false;
    name_pages(io, numbers, pages);
    return check(tmem_put_many(peer->cache, io, PEER_BATCH, TMEM_PUT_PLAIN), "put_many") &&
           check(tmem_get_many(peer->cache, io, PEER_BATCH, TMEM_GET_INCLUSIVE), "get_many");
}

static bool tmem_peer_crowd(void *state, uint64_t pages, double *page_ns)
{
    struct tmem_peer *peer = state;
    if (peer->crowd == NULL)
        peer->crowd = crowd_create(&peer->store, peer->pages);
    *page_ns = peer->crowd != NULL ? crowd_get(peer->crowd, pages) : -1.0;
    return *page_ns >= 0.0;
}

static bool tmem_peer_clients(void *state, uint32_t count)
{
    struct tmem_peer *peer = state;
    return crowd_idle(&peer->store, count);
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
    .flood = tmem_peer_flood,
    .crowd = tmem_peer_crowd,
    .clients = tmem_peer_clients,
    .settle = tmem_peer_settle,
    .reclaim = tmem_peer_reclaim,
    .memory = tmem_peer_memory,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &tmem_kind);
}
