/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild.c - from the records in a persistent arena back to clients, pools and pages.
 *
 * Clients first, then pools whose client is there, then memberships and rights, then chunks whose pool is
 * there, larger ones before smaller ones. What belongs to nobody is freed: it was being made or removed when its
 * maker was killed.
 */
#include "engine/engine_internal.h"

struct rebuild {
    struct tm_engine *engine;
    uint32_t highest;     /* pool number */
    uint32_t chunk_kind;  /* the chunks that are being adopted, */
    unsigned chunk_pages; /* which have so many pages */
    bool nomem;
};

static struct tm_client *client_of(const struct rebuild *rebuild, uint64_t serial)
{
    for (uint32_t n = 1; n < rebuild->engine->clients_next; n++) {
        struct tm_client *client = tm_client_at(rebuild->engine, n);
        if (client->life == TM_LIFE_RUNNING && client->serial == serial)
            return client;
    }
    return NULL;
}

/* The pool that had this number, if it has been adopted. */
static struct tm_pool *pool_of(const struct rebuild *rebuild, uint32_t number)
{
    if (number == 0 || number > rebuild->highest)
        return NULL;
    struct tm_pool *pool = tm_pool_at(rebuild->engine, number);
    return pool->magic == TM_POOL_MAGIC ? pool : NULL;
}

static void free_record(const struct rebuild *rebuild, uint64_t ref)
{
    tm_record_free(rebuild->engine->store, TM_ARENA_PERSISTENT, ref);
}

static bool adopt_client(void *user, uint64_t ref, void *memory)
{
    struct rebuild *rebuild = user;
    const struct tm_client_record *record = memory;
    bool is_new = client_of(rebuild, record->serial) == NULL;
    enum tm_result result = is_new ? tm_client_adopt(rebuild->engine, record, ref) : TM_EXISTS;
    if (result == TM_OK)
        tm_store_note_serial(rebuild->engine->store, record->serial);
    if (result == TM_INVALID || result == TM_EXISTS)
        free_record(rebuild, ref);
    rebuild->nomem = result == TM_NOMEM;
    return !rebuild->nomem;
}

static bool find_highest(void *user, uint64_t ref, void *memory)
{
    struct rebuild *rebuild = user;
    const struct tm_pool_record *record = memory;
    (void)ref;
    if (record->number > rebuild->highest && record->number < TM_DIRECTORY * TM_DIRECTORY)
        rebuild->highest = record->number;
    return true;
}

static bool adopt_pool(void *user, uint64_t ref, void *memory)
{
    struct rebuild *rebuild = user;
    struct tm_pool_record *record = memory;
    bool is_shared = (record->flags & TM_POOL_SHARED) != 0;
    struct tm_client *client = is_shared ? NULL : client_of(rebuild, record->client);
    bool fits = record->number != 0 && record->number <= rebuild->highest && (is_shared || client != NULL) &&
                pool_of(rebuild, record->number) == NULL;
    if (!fits) {
        free_record(rebuild, ref);
        return true;
    }
    tm_store_note_serial(rebuild->engine->store, record->id);
    struct tm_pool *pool = tm_pool_adopt(rebuild->engine, record, ref);
    if (pool == NULL || (client != NULL && !tm_member_adopt(pool, client, 0))) {
        rebuild->nomem = true;
        return false;
    }
    return true;
}

static bool adopt_right(void *user, uint64_t ref, void *memory)
{
    struct rebuild *rebuild = user;
    const struct tm_right_record *record = memory;
    struct tm_client *client = client_of(rebuild, record->client);
    bool is_member = (record->kind & TM_RIGHT_MEMBER) != 0;
    struct tm_pool *pool = is_member ? pool_of(rebuild, record->pool) : NULL;
    if (client == NULL || (is_member && (pool == NULL || !pool->is_shared))) {
        free_record(rebuild, ref);
        return true;
    }
    bool done = is_member ? tm_member_adopt(pool, client, ref) : tm_right_adopt(client, &record->uuid, ref);
    rebuild->nomem = !done;
    return done;
}

static bool drop_object(void *user, uint64_t ref, void *record)
{
    (void)record;
    free_record(user, ref);
    return true;
}

/* What the tables will hold, as records say that nobody has looked at yet. */
struct expected {
    unsigned pages; /* of the chunks that are looked at */
    uint64_t chunks;
    uint64_t blocks;
};

static bool expect_chunk(void *user, uint64_t ref, void *memory)
{
    struct expected *expected = user;
    const struct tm_chunk *chunk = memory;
    (void)ref;
    expected->chunks++;
    for (unsigned i = 0; i < expected->pages; i++)
        expected->blocks += tm_slot_is_block(chunk->slot[i]);
    return true;
}

static bool adopt_chunk(void *user, uint64_t ref, void *memory)
{
    struct rebuild *rebuild = user;
    struct tm_chunk *chunk = memory;
    struct tm_pool *pool = pool_of(rebuild, chunk->pool);
    bool fits = chunk->kind == rebuild->chunk_kind && chunk->pages == rebuild->chunk_pages &&
                chunk->first % chunk->pages == 0 && chunk->first + chunk->pages <= TM_CHUNK_PAGES &&
                chunk->number < UINT32_C(1) << 26;
    if (pool == NULL || pool->kind != TM_ARENA_PERSISTENT || pool->members == NULL || !fits) {
        free_record(rebuild, ref);
        return true;
    }
    chunk->next = chunk->prev = chunk->object = 0;
    rebuild->nomem = !tm_index_adopt_chunk(rebuild->engine, pool, ref);
    return !rebuild->nomem;
}

/* A shared pool that lost its last member while being left. */
static void end_memberless(struct rebuild *rebuild)
{
    for (uint32_t n = 1; n <= rebuild->highest; n++) {
        struct tm_pool *pool = pool_of(rebuild, n);
        if (pool != NULL && pool->members == NULL)
            tm_pool_forget(pool);
    }
}

static bool adopt_all(struct rebuild *rebuild)
{
    static const struct {
        enum tm_record_class class_of_chunk;
        unsigned pages;
    } chunks[] = {{TM_RECORD_CHUNK_64, 64}, {TM_RECORD_CHUNK_16, 16}, {TM_RECORD_CHUNK_4, 4}};
    struct tm_store *store = rebuild->engine->store;
    bool done = tm_record_each(store, TM_RECORD_CLIENT, adopt_client, rebuild) &&
                tm_record_each(store, TM_RECORD_POOL, adopt_pool, rebuild) &&
                tm_record_each(store, TM_RECORD_RIGHT, adopt_right, rebuild);
    if (done)
        end_memberless(rebuild);
    done = done && tm_record_each(store, TM_RECORD_OBJECT, drop_object, rebuild);
    struct expected expected = {0, 0, 0};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(chunks) && done; i++) {
        expected.pages = chunks[i].pages;
        tm_record_each(store, chunks[i].class_of_chunk, expect_chunk, &expected);
    }
    tm_store_expect(store, expected.blocks);
    tm_table_reserve(&rebuild->engine->index[TM_ARENA_PERSISTENT], expected.chunks);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(chunks) && done; i++) {
        rebuild->chunk_kind = TM_RECORD_LIVE(chunks[i].class_of_chunk);
        rebuild->chunk_pages = chunks[i].pages;
        done = tm_record_each(store, chunks[i].class_of_chunk, adopt_chunk, rebuild);
    }
    return done;
}

enum tm_result tm_engine_rebuild(struct tm_engine *engine)
{
    struct rebuild rebuild = {.engine = engine};
    tm_record_each(engine->store, TM_RECORD_POOL, find_highest, &rebuild);
    if (!tm_pools_make_numbers(engine, rebuild.highest))
        return TM_NOMEM;
    bool done = adopt_all(&rebuild);
    tm_pools_free_numbers(engine);
    return done && tm_store_adopted(engine->store) ? TM_OK : TM_NOMEM;
}
