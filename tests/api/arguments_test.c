/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arguments_test.c - what every call of tmem.h and control.h answers to arguments that are not valid: the documented
 * result, with nothing changed and nothing written to what it would have returned.
 *
 * TMEM_TEST_URI names another store to test: of a daemon's, cases that need an operator's calls are left out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/control.h>

#define MIB (UINT64_C(1) << 20)

static bool is_remote; /* a daemon's */
static struct tmem_store *store;
static struct tmem_client *client;
static struct tmem_pool *cache; /* ephemeral */
static struct tmem_pool *swap;  /* persistent */
static const struct tmem_object_id object = {{1, 2, 3}};
static unsigned char page[TMEM_PAGE_SIZE];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof page; i++)
        page[i] = (unsigned char)(i * 7u);
    const char *uri = getenv("TMEM_TEST_URI");
    is_remote = uri != NULL && strncmp(uri, "unix:", 5) == 0;
    assert_int_equal(tmem_open(uri != NULL ? uri : "embedded:size=16M,maintenance=none", &store, NULL), TMEM_OK);
    assert_int_equal(tmem_client_create(store, "client", NULL, &client), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_EPHEMERAL, NULL, &cache), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &swap), TMEM_OK);
    assert_int_equal(tmem_put(swap, &object, 0, page, TMEM_PUT_PLAIN), TMEM_OK);
    return 0;
}

/* Whatever was tried: the store is as it was made. */
static int tear_down(void **state)
{
    struct tmem_store_stats stats;
    unsigned char found[TMEM_PAGE_SIZE];
    (void)state;
    assert_int_equal(tmem_get(swap, &object, 0, found, TMEM_GET_DEFAULT), TMEM_OK);
    assert_memory_equal(found, page, sizeof found);
    assert_int_equal(tmem_store_stats(store, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.clients, 1);
    assert_int_equal(stats.pools, 2);
    assert_int_equal(stats.pages, 1);
    if (!is_remote)
        assert_int_equal(stats.size_bytes, 16 * MIB);
    assert_int_equal(tmem_store_check(store), is_remote ? TMEM_UNSUPPORTED : TMEM_OK);
    tmem_close(store);
    return 0;
}

static void names_of_clients_are_checked(void **state)
{
    char longest[TMEM_CLIENT_NAME_SIZE];
    char too_long[TMEM_CLIENT_NAME_SIZE + 1];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = 0;
    const char *const bad[] = {"", " ", "a b", "a/b", "a\n", "\xc3\xa4", "a,b", "a=b", too_long, NULL};
    struct tmem_client *made = (struct tmem_client *)page;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tmem_client_create(store, bad[i], NULL, &made), TMEM_INVALID);
        assert_ptr_equal(made, page);
        assert_int_equal(tmem_client_open(store, bad[i], &made), bad[i] == NULL ? TMEM_INVALID : TMEM_NOT_FOUND);
    }
    assert_int_equal(tmem_client_create(store, "client", NULL, &made), TMEM_EXISTS);
    assert_int_equal(tmem_client_create(NULL, "other", NULL, &made), TMEM_INVALID);
    assert_int_equal(tmem_client_create(store, "other", NULL, NULL), TMEM_INVALID);
    assert_int_equal(tmem_client_open(NULL, "client", &made), TMEM_INVALID);
    assert_int_equal(tmem_client_open(store, "client", NULL), TMEM_INVALID);
    assert_ptr_equal(made, page);
    const char *const good[] = {"A-z_0.9:@", ".", longest};
    /* A daemon's name for a client says first whose it is. */
    for (size_t i = 0; i < sizeof good / sizeof *good - is_remote; i++) {
        assert_int_equal(tmem_client_create(store, good[i], NULL, &made), TMEM_OK);
        tmem_client_destroy(made);
    }
    tmem_client_destroy(NULL);
}

static void options_of_clients_are_checked(void **state)
{
    static const struct tmem_client_options bad[] = {
        {0, 0, UINT64_MAX}, {TMEM_WEIGHT_MAX + 1u, 0, UINT64_MAX}, {UINT32_MAX, 0, 0}, {1, 1, UINT64_MAX}};
    static const struct tmem_client_options good[] = {
        {TMEM_WEIGHT_MIN, 0, 0}, {TMEM_WEIGHT_MAX, 0, 1}, TMEM_CLIENT_OPTIONS_INIT};
    struct tmem_client *made = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tmem_client_create(store, "other", &bad[i], &made), TMEM_INVALID);
        assert_null(made);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(tmem_client_create(store, "other", &good[i], &made), TMEM_OK);
        tmem_client_destroy(made);
    }
}

static void a_client_without_room_is_refused_each_put(void **state)
{
    static const struct tmem_client_options nothing = {100, 0, 0};
    struct tmem_client *other;
    struct tmem_pool *pool;
    (void)state;
    assert_int_equal(tmem_client_create(store, "other", &nothing, &other), TMEM_OK);
    assert_int_equal(tmem_pool_create(other, TMEM_POOL_PERSISTENT, NULL, &pool), TMEM_OK);
    assert_int_equal(tmem_put(pool, &object, 0, page, TMEM_PUT_PLAIN), TMEM_REFUSED);
    assert_int_equal(tmem_put(pool, &object, 0, page, TMEM_PUT_KEEP), TMEM_REFUSED);
    tmem_client_destroy(other);
}

static void settings_of_clients_are_checked(void **state)
{
    static const struct tmem_uuid uuid = {{1, 2}};
    struct tmem_client_stats stats;
    uint64_t released = 7;
    (void)state;
    if (is_remote)
        skip();
    assert_int_equal(tmem_client_set_weight(client, 0), TMEM_INVALID);
    assert_int_equal(tmem_client_set_weight(client, TMEM_WEIGHT_MAX + 1u), TMEM_INVALID);
    assert_int_equal(tmem_client_set_weight(NULL, 1), TMEM_INVALID);
    assert_int_equal(tmem_client_set_cap(NULL, 1), TMEM_INVALID);
    assert_int_equal(tmem_client_reclaim(NULL, 1, &released), TMEM_INVALID);
    assert_int_equal(tmem_client_reclaim(client, 1, NULL), TMEM_INVALID);
    assert_int_equal(released, 7);
    assert_int_equal(tmem_client_reclaim(client, 1, &released), TMEM_OK);
    assert_int_equal(released, 0);
    assert_int_equal(tmem_client_set_compress(NULL, true), TMEM_INVALID);
    assert_int_equal(tmem_client_freeze(NULL), TMEM_INVALID);
    assert_int_equal(tmem_client_thaw(NULL), TMEM_INVALID);
    assert_int_equal(tmem_client_authorise(NULL, &uuid), TMEM_INVALID);
    assert_int_equal(tmem_client_authorise(client, NULL), TMEM_INVALID);
    assert_int_equal(tmem_client_deauthorise(NULL, &uuid), TMEM_INVALID);
    assert_int_equal(tmem_client_deauthorise(client, NULL), TMEM_INVALID);
    assert_int_equal(tmem_client_deauthorise(client, &uuid), TMEM_NOT_FOUND);
    assert_int_equal(tmem_client_stats(client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.weight, 100);
    assert_int_equal(stats.frozen, 0);
    assert_true(stats.cap_bytes == UINT64_MAX);
    assert_int_equal(tmem_client_set_weight(client, TMEM_WEIGHT_MAX), TMEM_OK);
}

static void flags_and_names_of_pools_are_checked(void **state)
{
    static const struct tmem_uuid uuid = {{1, 2}};
    static const struct {
        uint32_t flags;
        const struct tmem_uuid *uuid;
        enum tmem_result result;
    } table[] = {
        {4, NULL, TMEM_INVALID},
        {UINT32_MAX, &uuid, TMEM_INVALID},
        {TMEM_POOL_SHARED, NULL, TMEM_INVALID},
        {TMEM_POOL_EPHEMERAL, &uuid, TMEM_INVALID},
        {TMEM_POOL_PERSISTENT, &uuid, TMEM_INVALID},
        {TMEM_POOL_SHARED, &uuid, TMEM_DENIED},
        {TMEM_POOL_SHARED | TMEM_POOL_PERSISTENT, &uuid, TMEM_DENIED},
    };
    struct tmem_pool *made = (struct tmem_pool *)page;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(tmem_pool_create(client, table[i].flags, table[i].uuid, &made), table[i].result);
    assert_int_equal(tmem_pool_create(NULL, 0, NULL, &made), TMEM_INVALID);
    assert_int_equal(tmem_pool_create(client, 0, NULL, NULL), TMEM_INVALID);
    assert_int_equal(tmem_pool_open(client, 0, &made), TMEM_NOT_FOUND);
    assert_int_equal(tmem_pool_open(client, UINT64_MAX, &made), TMEM_NOT_FOUND);
    assert_int_equal(tmem_pool_open(NULL, tmem_pool_id(swap), &made), TMEM_INVALID);
    assert_int_equal(tmem_pool_open(client, tmem_pool_id(swap), NULL), TMEM_INVALID);
    assert_ptr_equal(made, page);
    assert_int_equal(tmem_pool_id(NULL), 0);
    assert_int_not_equal(tmem_pool_id(swap), 0);
    tmem_pool_destroy(NULL);
}

static void a_shared_pool_is_joined_once_and_as_what_it_is(void **state)
{
    static const struct tmem_uuid uuid = {{1, 2}};
    struct tmem_client *other;
    struct tmem_pool *pool;
    struct tmem_pool *again = NULL;
    (void)state;
    if (is_remote)
        skip();
    assert_int_equal(tmem_client_create(store, "other", NULL, &other), TMEM_OK);
    assert_int_equal(tmem_client_authorise(client, &uuid), TMEM_OK);
    assert_int_equal(tmem_client_authorise(other, &uuid), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &pool), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &again), TMEM_EXISTS);
    assert_int_equal(tmem_pool_create(other, TMEM_POOL_SHARED | TMEM_POOL_PERSISTENT, &uuid, &again), TMEM_INVALID);
    assert_null(again);
    tmem_client_destroy(other);
    tmem_pool_destroy(pool);
    assert_int_equal(tmem_client_deauthorise(client, &uuid), TMEM_OK);
}

static void arguments_of_puts_and_gets_are_checked(void **state)
{
    unsigned char found[TMEM_PAGE_SIZE];
    (void)state;
    assert_int_equal(tmem_put(NULL, &object, 0, page, 0), TMEM_INVALID);
    assert_int_equal(tmem_put(swap, NULL, 0, page, 0), TMEM_INVALID);
    assert_int_equal(tmem_put(swap, &object, 0, NULL, 0), TMEM_INVALID);
    assert_int_equal(tmem_put(swap, &object, 0, page, 2), TMEM_INVALID);
    assert_int_equal(tmem_put(swap, &object, 0, page, UINT32_MAX), TMEM_INVALID);
    assert_int_equal(tmem_put(cache, &object, 0, page, TMEM_PUT_KEEP), TMEM_INVALID);
    assert_int_equal(tmem_get(NULL, &object, 0, found, TMEM_GET_DEFAULT), TMEM_INVALID);
    assert_int_equal(tmem_get(swap, NULL, 0, found, TMEM_GET_DEFAULT), TMEM_INVALID);
    assert_int_equal(tmem_get(swap, &object, 0, NULL, TMEM_GET_DEFAULT), TMEM_INVALID);
    assert_int_equal(tmem_get(swap, &object, 0, found, (enum tmem_get_mode)3), TMEM_INVALID);
    assert_int_equal(tmem_get(swap, &object, 1, found, TMEM_GET_DEFAULT), TMEM_MISS);
    assert_int_equal(tmem_get(swap, &object, UINT32_MAX, found, TMEM_GET_DEFAULT), TMEM_MISS);
    assert_int_equal(tmem_invalidate_page(NULL, &object, 0), TMEM_INVALID);
    assert_int_equal(tmem_invalidate_page(swap, NULL, 0), TMEM_INVALID);
    assert_int_equal(tmem_invalidate_page(swap, &object, 1), TMEM_MISS);
    assert_int_equal(tmem_invalidate_object(NULL, &object), TMEM_INVALID);
    assert_int_equal(tmem_invalidate_object(swap, NULL), TMEM_INVALID);
    assert_int_equal(tmem_invalidate_object(cache, &object), TMEM_MISS);
}

static void arguments_of_batches_are_checked(void **state)
{
    unsigned char other[TMEM_PAGE_SIZE] = {1};
    struct tmem_io io[] = {{.object = object, .index = 0, .page = other}, {.object = object, .index = 9, .page = NULL}};
    (void)state;
    assert_int_equal(tmem_put_many(NULL, io, 1, 0), TMEM_INVALID);
    assert_int_equal(tmem_put_many(swap, NULL, 1, 0), TMEM_INVALID);
    assert_int_equal(tmem_put_many(swap, io, 1, 2), TMEM_INVALID);
    assert_int_equal(tmem_put_many(cache, io, 1, TMEM_PUT_KEEP), TMEM_INVALID);
    assert_int_equal(tmem_put_many(swap, NULL, 0, 0), TMEM_OK);
    assert_int_equal(tmem_put_many(swap, io + 1, 1, 0), TMEM_OK);
    assert_int_equal(io[1].result, TMEM_INVALID);
    assert_int_equal(tmem_get_many(NULL, io, 1, TMEM_GET_DEFAULT), TMEM_INVALID);
    assert_int_equal(tmem_get_many(swap, NULL, 1, TMEM_GET_DEFAULT), TMEM_INVALID);
    assert_int_equal(tmem_get_many(swap, io, 1, (enum tmem_get_mode)3), TMEM_INVALID);
    assert_int_equal(tmem_get_many(swap, NULL, 0, TMEM_GET_DEFAULT), TMEM_OK);
    io[1].index = 0;
    assert_int_equal(tmem_get_many(swap, io, 2, TMEM_GET_DEFAULT), TMEM_OK);
    assert_int_equal(io[0].result, TMEM_OK);
    assert_memory_equal(other, page, sizeof other);
    assert_int_equal(io[1].result, TMEM_INVALID);
}

static void memory_for_pages_takes_them_at_any_place(void **state)
{
    void *memory = NULL;
    void *more[TMEM_MEMORY_MAX] = {NULL};
    unsigned char *bytes;
    (void)state;
    assert_int_equal(tmem_memory_create(NULL, 1, &memory), TMEM_INVALID);
    assert_int_equal(tmem_memory_create(client, 0, &memory), TMEM_INVALID);
    assert_int_equal(tmem_memory_create(client, 1, NULL), TMEM_INVALID);
    assert_int_equal(tmem_memory_create(client, SIZE_MAX, &memory), TMEM_NOMEM);
    tmem_memory_destroy(client, NULL);
    tmem_memory_destroy(NULL, page);
    assert_int_equal(tmem_memory_create(client, 3 * TMEM_PAGE_SIZE - 1, &memory), TMEM_OK);
    bytes = memory;
    for (size_t i = 0; i < 3 * (size_t)TMEM_PAGE_SIZE; i++)
        assert_int_equal(bytes[i], 0);
    memcpy(bytes, page, sizeof page);
    assert_int_equal(tmem_put(cache, &object, 7, bytes, TMEM_PUT_PLAIN), TMEM_OK);
    assert_int_equal(tmem_get(cache, &object, 7, bytes + TMEM_PAGE_SIZE + 9, TMEM_GET_INCLUSIVE), TMEM_OK);
    assert_memory_equal(bytes + TMEM_PAGE_SIZE + 9, page, sizeof page);
    struct tmem_io io[3] = {{.object = object, .index = 7, .page = bytes},
                            {.object = object, .index = 8, .page = page},
                            {.object = object, .index = 9, .page = bytes + 2 * TMEM_PAGE_SIZE}};
    assert_int_equal(tmem_put_many(cache, io, 3, TMEM_PUT_PLAIN), TMEM_OK);
    memset(bytes, 1, 3 * (size_t)TMEM_PAGE_SIZE);
    assert_int_equal(tmem_get_many(cache, io, 2, TMEM_GET_EXCLUSIVE), TMEM_OK);
    assert_int_equal(io[0].result + io[1].result, TMEM_OK);
    assert_memory_equal(bytes, page, sizeof page);
    assert_int_equal(tmem_invalidate_page(cache, &object, 9), TMEM_OK);
    for (size_t i = 1; i < TMEM_MEMORY_MAX; i++)
        assert_int_equal(tmem_memory_create(client, 1, &more[i]), TMEM_OK);
    for (size_t i = 1; i < TMEM_MEMORY_MAX; i++)
        tmem_memory_destroy(client, more[i]);
    tmem_memory_destroy(client, memory);
}

static void a_stored_page_is_not_trusted(void **state)
{
    struct tmem_stored good;
    struct tmem_stored stored;
    (void)state;
    assert_int_equal(tmem_get_stored(NULL, &object, 0, &stored), TMEM_INVALID);
    assert_int_equal(tmem_get_stored(swap, NULL, 0, &stored), TMEM_INVALID);
    assert_int_equal(tmem_get_stored(swap, &object, 0, NULL), TMEM_INVALID);
    assert_int_equal(tmem_get_stored(swap, &object, 7, &stored), TMEM_MISS);
    assert_int_equal(tmem_get_stored(swap, &object, 0, &good), TMEM_OK);
    assert_int_equal(tmem_put_stored(NULL, &object, 0, &good, 0), TMEM_INVALID);
    assert_int_equal(tmem_put_stored(swap, NULL, 0, &good, 0), TMEM_INVALID);
    assert_int_equal(tmem_put_stored(swap, &object, 0, NULL, 0), TMEM_INVALID);
    assert_int_equal(tmem_put_stored(swap, &object, 0, &good, 2), TMEM_INVALID);
    assert_int_equal(tmem_put_stored(cache, &object, 0, &good, TMEM_PUT_KEEP), TMEM_INVALID);
    for (unsigned change = 0; change < 6; change++) {
        stored = good;
        switch (change) {
        case 0:
            stored.codec = 0;
            break;
        case 1:
            stored.codec = UINT32_MAX;
            break;
        case 2:
            stored.size_bytes = 0;
            break;
        case 3:
            stored.size_bytes = TMEM_STORED_MAX + 1u;
            break;
        case 4:
            stored.check ^= 1u;
            break;
        default:
            stored.bytes[stored.size_bytes / 2u] ^= 0x10;
        }
        assert_int_equal(tmem_put_stored(swap, &object, 0, &stored, 0), TMEM_INVALID);
    }
    assert_int_equal(tmem_put_stored(swap, &object, 0, &good, TMEM_PUT_KEEP), TMEM_OK);
}

static void arguments_of_walks_and_lists_are_checked(void **state)
{
    struct tmem_cursor cursor = TMEM_CURSOR_INIT;
    static struct tmem_key keys[64];
    char names[2][TMEM_CLIENT_NAME_SIZE];
    char too_long[TMEM_CLIENT_NAME_SIZE + 1];
    uint64_t ids[1];
    size_t count = 77;
    (void)state;
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = 0;
    assert_int_equal(tmem_walk(NULL, &cursor, keys, 64, &count), TMEM_INVALID);
    assert_int_equal(tmem_walk(swap, NULL, keys, 64, &count), TMEM_INVALID);
    assert_int_equal(tmem_walk(swap, &cursor, NULL, 64, &count), TMEM_INVALID);
    assert_int_equal(tmem_walk(swap, &cursor, keys, 63, &count), TMEM_INVALID);
    assert_int_equal(tmem_walk(swap, &cursor, keys, 64, NULL), TMEM_INVALID);
    assert_int_equal(tmem_store_clients(NULL, NULL, names, 2, &count), TMEM_INVALID);
    assert_int_equal(tmem_store_clients(store, NULL, NULL, 2, &count), TMEM_INVALID);
    assert_int_equal(tmem_store_clients(store, NULL, names, 2, NULL), TMEM_INVALID);
    assert_int_equal(tmem_store_clients(store, too_long, names, 2, &count), TMEM_INVALID);
    assert_int_equal(tmem_client_pools(NULL, 0, ids, 1, &count), TMEM_INVALID);
    assert_int_equal(tmem_client_pools(client, 0, NULL, 1, &count), TMEM_INVALID);
    assert_int_equal(tmem_client_pools(client, 0, ids, 1, NULL), TMEM_INVALID);
    assert_int_equal(count, 77);
    assert_int_equal(tmem_store_clients(store, "", names, 2, &count), TMEM_OK);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "client");
    assert_int_equal(tmem_client_pools(client, UINT64_MAX, ids, 1, &count), TMEM_OK);
    assert_int_equal(count, 0);
}

static void ledgers_are_for_operators(void **state)
{
    struct tmem_ledger ledger;
    struct tmem_evictor rows[TMEM_EVICTORS_MAX];
    struct tmem_pool_stats stats;
    size_t count = 77;
    (void)state;
    assert_int_equal(tmem_store_ledger(NULL, &ledger, sizeof ledger), TMEM_INVALID);
    assert_int_equal(tmem_store_ledger(store, NULL, sizeof ledger), TMEM_INVALID);
    assert_int_equal(tmem_client_ledger(NULL, &ledger, sizeof ledger), TMEM_INVALID);
    assert_int_equal(tmem_client_ledger(client, NULL, sizeof ledger), TMEM_INVALID);
    assert_int_equal(tmem_client_evictors(NULL, rows, &count), TMEM_INVALID);
    assert_int_equal(tmem_client_evictors(client, NULL, &count), TMEM_INVALID);
    assert_int_equal(tmem_client_evictors(client, rows, NULL), TMEM_INVALID);
    assert_int_equal(tmem_client_next_pool(NULL, 0, &stats, sizeof stats), TMEM_INVALID);
    assert_int_equal(tmem_client_next_pool(client, 0, NULL, sizeof stats), TMEM_INVALID);
    assert_int_equal(count, 77);
    if (is_remote)
        return; /* all of them are TMEM_UNSUPPORTED */
    assert_int_equal(tmem_client_evictors(client, rows, &count), TMEM_OK);
    assert_int_equal(count, 0);
    assert_int_equal(tmem_client_ledger(client, &ledger, sizeof ledger), TMEM_OK);
    assert_int_equal(tmem_client_next_pool(client, UINT64_MAX, &stats, sizeof stats), TMEM_MISS);
}

static void sizes_of_the_store_are_checked(void **state)
{
    static const uint64_t bad[] = {0, 1, 16 * MIB - 1, UINT64_C(1) << 60, UINT64_MAX};
    uint64_t bytes = 77;
    (void)state;
    if (is_remote)
        skip();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tmem_store_set_size(store, bad[i]), TMEM_INVALID);
    assert_int_equal(tmem_store_set_size(NULL, 32 * MIB), TMEM_INVALID);
    assert_int_equal(tmem_store_set_size(store, 16 * MIB), TMEM_OK);
    assert_int_equal(tmem_store_reclaim(NULL, 1, &bytes), TMEM_INVALID);
    assert_int_equal(tmem_store_reclaim(store, 1, NULL), TMEM_INVALID);
    assert_int_equal(tmem_store_freeable(NULL, &bytes), TMEM_INVALID);
    assert_int_equal(tmem_store_freeable(store, NULL), TMEM_INVALID);
    assert_int_equal(bytes, 77);
    assert_int_equal(tmem_store_reclaim(store, UINT64_MAX, &bytes), TMEM_OK);
    assert_int_equal(tmem_store_check(NULL), TMEM_INVALID);
}

static void settings_of_the_cold_tier_are_checked(void **state)
{
    uint64_t pages = 77;
    (void)state;
    if (is_remote)
        skip();
    assert_int_equal(tmem_store_set_cold(NULL, 10, 60), TMEM_INVALID);
    assert_int_equal(tmem_store_set_cold(store, 101, 60), TMEM_INVALID);
    assert_int_equal(tmem_store_set_cold(store, 10, TMEM_COLD_AGE_MAX + 1u), TMEM_INVALID);
    assert_int_equal(tmem_store_recompress(NULL, &pages), TMEM_INVALID);
    assert_int_equal(tmem_store_recompress(store, NULL), TMEM_INVALID);
    assert_int_equal(pages, 77);
    assert_int_equal(tmem_store_set_cold(store, 100, 0), TMEM_OK);
    assert_int_equal(tmem_store_set_cold(store, 0, TMEM_COLD_AGE_MAX), TMEM_OK);
}

/* Through the public calls, with the real codecs. */
static void cold_pages_take_less_and_are_the_same(void **state)
{
    static const char text[] = "a page of text that says the same again and again, but not quite: ";
    unsigned char pages[32][TMEM_PAGE_SIZE];
    unsigned char back[TMEM_PAGE_SIZE];
    struct tmem_store_stats before;
    struct tmem_store_stats after;
    uint64_t recompressed = 0;
    (void)state;
    if (is_remote)
        skip();
    for (unsigned i = 0; i < 32; i++) {
        for (unsigned k = 0; k < TMEM_PAGE_SIZE; k++)
            pages[i][k] = (unsigned char)(text[(k + i) % (sizeof text - 1u)] + (k / 50u + i) % 5u);
        assert_int_equal(tmem_put(swap, &object, 100 + i, pages[i], 0), TMEM_OK);
    }
    assert_int_equal(tmem_store_stats(store, &before, sizeof before), TMEM_OK);
    assert_int_equal(tmem_store_recompress(store, &recompressed), TMEM_OK);
    assert_int_equal(tmem_store_stats(store, &after, sizeof after), TMEM_OK);
    assert_in_range(recompressed, 32, before.pages);
    assert_int_equal(after.recompressed_pages, recompressed);
    assert_int_equal(after.pages_cold, recompressed);
    assert_int_equal(after.codec_pages[TMEM_CODEC_ZSTD], recompressed);
    assert_int_equal(after.codec_bytes[TMEM_CODEC_ZSTD], after.cold_bytes);
    assert_int_equal(after.block_bytes, before.block_bytes - after.recompressed_saved_bytes);
    assert_true(after.cold_ns > 0);
    for (unsigned i = 0; i < 32; i++) {
        struct tmem_stored stored;
        assert_int_equal(tmem_get_stored(swap, &object, 100 + i, &stored), TMEM_OK);
        assert_int_equal(stored.codec, TMEM_CODEC_ZSTD);
        assert_int_equal(tmem_get(swap, &object, 100 + i, back, TMEM_GET_INCLUSIVE), TMEM_OK);
        assert_memory_equal(back, pages[i], sizeof back);
        assert_int_equal(tmem_invalidate_page(swap, &object, 100 + i), TMEM_OK);
    }
    assert_int_equal(tmem_store_check(store), TMEM_OK);
}

static void a_store_of_small_pages_has_no_cold_tier(void **state)
{
    struct tmem_store *other = NULL;
    uint64_t pages = 77;
    (void)state;
    assert_int_equal(tmem_open("embedded:size=16M,codec=zstd", &other, NULL), TMEM_OK);
    assert_int_equal(tmem_store_set_cold(other, 10, 60), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_recompress(other, &pages), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_set_cold(other, 0, 60), TMEM_OK);
    assert_int_equal(pages, 77);
    tmem_close(other);
}

static void statistics_fit_older_and_newer_callers(void **state)
{
    struct {
        struct tmem_store_stats stats;
        uint64_t newer[4];
    } large;
    struct tmem_store_stats whole;
    struct tmem_client_stats of_client;
    struct tmem_pool_stats of_pool;
    uint64_t small[2] = {77, 77};
    (void)state;
    assert_int_equal(tmem_store_stats(NULL, &whole, sizeof whole), TMEM_INVALID);
    assert_int_equal(tmem_store_stats(store, NULL, sizeof whole), TMEM_INVALID);
    assert_int_equal(tmem_client_stats(NULL, &of_client, sizeof of_client), TMEM_INVALID);
    assert_int_equal(tmem_client_stats(client, NULL, sizeof of_client), TMEM_INVALID);
    assert_int_equal(tmem_pool_stats(NULL, &of_pool, sizeof of_pool), TMEM_INVALID);
    assert_int_equal(tmem_pool_stats(swap, NULL, sizeof of_pool), TMEM_INVALID);
    assert_int_equal(tmem_store_stats(store, &whole, sizeof whole), TMEM_OK);
    assert_int_equal(tmem_store_stats(store, (struct tmem_store_stats *)(void *)small, sizeof small[0]), TMEM_OK);
    assert_int_equal(small[0], whole.size_bytes);
    assert_int_equal(small[1], 77);
    memset(&large, 0xff, sizeof large);
    assert_int_equal(tmem_store_stats(store, &large.stats, sizeof large), TMEM_OK);
    for (size_t i = 0; i < sizeof large.newer / sizeof large.newer[0]; i++)
        assert_int_equal(large.newer[i], 0);
}

static void every_result_has_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < TMEM_RESULT_COUNT; i++) {
        const char *text = tmem_result_text((enum tmem_result)i);
        assert_string_not_equal(text, "unknown result");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(text, tmem_result_text((enum tmem_result)k));
    }
    assert_string_equal(tmem_result_text(TMEM_RESULT_COUNT), "unknown result");
    assert_string_equal(tmem_result_text((enum tmem_result) - 1), "unknown result");
    assert_non_null(strchr(tmem_version(), '.'));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(names_of_clients_are_checked),
        CASE(options_of_clients_are_checked),
        CASE(a_client_without_room_is_refused_each_put),
        CASE(settings_of_clients_are_checked),
        CASE(flags_and_names_of_pools_are_checked),
        CASE(a_shared_pool_is_joined_once_and_as_what_it_is),
        CASE(arguments_of_puts_and_gets_are_checked),
        CASE(arguments_of_batches_are_checked),
        CASE(memory_for_pages_takes_them_at_any_place),
        CASE(a_stored_page_is_not_trusted),
        CASE(arguments_of_walks_and_lists_are_checked),
        CASE(ledgers_are_for_operators),
        CASE(sizes_of_the_store_are_checked),
        CASE(settings_of_the_cold_tier_are_checked),
        CASE(cold_pages_take_less_and_are_the_same),
        CASE(a_store_of_small_pages_has_no_cold_tier),
        CASE(statistics_fit_older_and_newer_callers),
        cmocka_unit_test(every_result_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
