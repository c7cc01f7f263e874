/* SPDX-License-Identifier: BSD-2-Clause */
/* test_engine.c - see test_engine.h. */
#include "support/test_engine.h"

#include "base/mix.h"

/* ---- pages ---- */

static void fill_random(unsigned char *page, uint32_t bytes, uint64_t number)
{
    uint64_t state = number ^ UINT64_C(0x70616765);
    for (uint32_t at = 0; at < bytes; at += (uint32_t)sizeof(uint64_t)) {
        uint64_t word = tm_random_next(&state);
        memcpy(page + at, &word, sizeof word);
    }
}

void tm_test_page(void *page, enum tm_test_sort sort, uint64_t number)
{
    uint64_t twice = number << 32 | (number & UINT32_MAX);
    switch (sort) {
    case TM_TEST_SMALL:
        tm_same_fill(page, number);
        break;
    case TM_TEST_TWICE:
        tm_same_fill(page, twice ^ UINT64_C(0x8000000080000000));
        break;
    case TM_TEST_WORD:
        tm_same_fill(page, number ^ UINT64_C(0x4321000000000000));
        break;
    case TM_TEST_SHORT:
        memset(page, 0x5a, TM_PAGE_BYTES);
        memcpy(page, &number, sizeof number);
        break;
    case TM_TEST_LONG:
        memset(page, 0, TM_PAGE_BYTES);
        fill_random(page, TM_PAGE_BYTES * 2u / 3u / 64u * 64u, number);
        break;
    case TM_TEST_RAW:
    case TM_TEST_SORTS:
        fill_random(page, TM_PAGE_BYTES, number);
        break;
    }
}

/* ---- making and ending ---- */

void tm_test_engine_host(struct tm_test_engine *test, unsigned spans, uint64_t size_bytes)
{
    memset(test, 0, sizeof *test);
    tm_test_host_init(&test->host, spans, 4);
    test->config = (struct tm_engine_config){.size_bytes = size_bytes, .dedup = true, .ahead = false};
}

static struct tm_member *find_pool(struct tm_client *client, uint32_t flags)
{
    uint64_t id = 0;
    while (tm_pool_next_id(client, id, &id)) {
        struct tm_pool_figures figures;
        struct tm_member *member = tm_pool_find(client, id);
        tm_pool_figures(member, &figures);
        if (figures.flags == flags)
            return member;
    }
    return NULL;
}

void tm_test_engine_start(struct tm_test_engine *test)
{
    enum tm_result result =
        tm_engine_create(&test->host.host, &test->host.codec.codec, &test->config, &test->engine);
    TM_ASSERT(result == TM_OK);
    test->client = tm_client_find(test->engine, "client");
    bool found = test->client != NULL;
    if (!found)
        test->client = tm_test_client(test, "client", 100, UINT64_MAX);
    test->ephemeral = found ? find_pool(test->client, 0) : tm_test_pool(test->client, 0, NULL);
    test->persistent =
        found ? find_pool(test->client, TM_POOL_PERSISTENT) : tm_test_pool(test->client, TM_POOL_PERSISTENT, NULL);
}

void tm_test_engine_init(struct tm_test_engine *test, unsigned spans, uint64_t size_bytes)
{
    tm_test_engine_host(test, spans, size_bytes);
    tm_test_engine_start(test);
}

void tm_test_engine_stop(struct tm_test_engine *test)
{
    tm_engine_check(test->engine);
    tm_engine_destroy(test->engine);
    test->engine = NULL;
    TM_ASSERT(tm_test_host_is_clean(&test->host));
    tm_test_host_crash(&test->host); /* only makes the heads fresh: nothing is out */
}

void tm_test_engine_fini(struct tm_test_engine *test)
{
    if (test->engine != NULL)
        tm_test_engine_stop(test);
    tm_test_host_fini(&test->host);
}

void tm_test_engine_crash(struct tm_test_engine *test)
{
    tm_test_host_crash(&test->host);
    tm_test_engine_start(test);
}

struct tm_client *tm_test_client(struct tm_test_engine *test, const char *name, uint32_t weight, uint64_t cap_bytes)
{
    struct tm_client *client = NULL;
    enum tm_result result = tm_client_create(test->engine, name, weight, cap_bytes, &client);
    TM_ASSERT(result == TM_OK);
    return client;
}

struct tm_member *tm_test_pool(struct tm_client *client, uint32_t flags, const struct tm_uuid *uuid)
{
    struct tm_member *member = NULL;
    enum tm_result result = tm_pool_create(client, flags, uuid, &member);
    TM_ASSERT(result == TM_OK);
    return member;
}

/* ---- operations ---- */

static struct tm_object_id object_id(uint64_t object)
{
    return (struct tm_object_id){{object, 0, 0}};
}

enum tm_result tm_test_put(struct tm_member *member, uint64_t object, uint32_t index, enum tm_test_sort sort,
                           uint64_t number)
{
    unsigned char page[TM_PAGE_BYTES];
    struct tm_object_id id = object_id(object);
    tm_test_page(page, sort, number);
    return tm_page_put(member, &id, index, page, TM_PUT_PLAIN);
}

enum tm_result tm_test_get(struct tm_member *member, uint64_t object, uint32_t index, void *page, enum tm_get_mode mode)
{
    struct tm_object_id id = object_id(object);
    return tm_page_get(member, &id, index, page, mode);
}

enum tm_result tm_test_invalidate(struct tm_member *member, uint64_t object, uint32_t index)
{
    struct tm_object_id id = object_id(object);
    return tm_page_invalidate(member, &id, index);
}

bool tm_test_has(struct tm_member *member, uint64_t object, uint32_t index, enum tm_test_sort sort, uint64_t number)
{
    unsigned char page[TM_PAGE_BYTES];
    unsigned char wanted[TM_PAGE_BYTES];
    tm_test_page(wanted, sort, number);
    return tm_test_get(member, object, index, page, TM_GET_INCLUSIVE) == TM_OK &&
           memcmp(page, wanted, sizeof page) == 0;
}

enum tm_result tm_test_look(struct tm_member *member, uint64_t object, uint32_t index)
{
    unsigned char page[TM_PAGE_BYTES];
    return tm_test_get(member, object, index, page, TM_GET_INCLUSIVE);
}

/* ---- looking inside ---- */

struct tm_chunk *tm_test_chunk(struct tm_member *member, uint64_t object, uint32_t index)
{
    struct tm_place place;
    struct tm_found found;
    struct tm_object_id id = object_id(object);
    tm_place_init(&place, member->pool, &id, index);
    tm_index_lock(&place, &found);
    tm_index_unlock(&place, &found);
    return found.chunk;
}

tm_slot tm_test_slot(struct tm_member *member, uint64_t object, uint32_t index)
{
    const struct tm_chunk *chunk = tm_test_chunk(member, object, index);
    unsigned page = index % TM_CHUNK_PAGES;
    if (chunk == NULL || page < chunk->first || page - chunk->first >= chunk->pages)
        return 0;
    return chunk->slot[page - chunk->first];
}

struct tm_block *tm_test_block(struct tm_member *member, uint64_t object, uint32_t index)
{
    struct tm_store *store = member->pool->engine->store;
    enum tm_arena_kind kind = member->pool->kind;
    tm_slot slot = tm_test_slot(member, object, index);
    if (tm_slot_type(slot) == TM_SLOT_SHARED)
        slot = ((const struct tm_content *)tm_record_at(store, kind, tm_slot_offset(slot)))->slot;
    if (!tm_slot_is_block(slot))
        return NULL;
    return (struct tm_block *)(void *)tm_arena_address(&store->arena[kind], tm_slot_offset(slot));
}

struct tm_client_figures tm_test_client_figures(struct tm_client *client)
{
    struct tm_client_figures figures;
    tm_client_figures(client, &figures);
    return figures;
}

struct tm_page_counts tm_test_counts(struct tm_member *member)
{
    struct tm_pool_figures figures;
    tm_pool_figures(member, &figures);
    return figures.counts;
}

struct tm_engine_figures tm_test_figures(struct tm_test_engine *test)
{
    struct tm_engine_figures figures;
    tm_engine_figures(test->engine, &figures);
    return figures;
}
