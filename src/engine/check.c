/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - the engine's invariants, and the books between index, pools, clients and store. */
#include "base/mix.h"
#include "engine/index_internal.h"

struct books {
    uint64_t pages, objects, same, shared;
    uint64_t bytes;       /* of pages, chunks and objects: what is charged */
    uint64_t block_bytes; /* of slots that are blocks */
};

static enum tm_record_class class_of(const struct tm_chunk *chunk)
{
    return (enum tm_record_class)((chunk->kind & 255u) - 1u);
}

static void check_chunk(struct tm_pool *pool, uint64_t object, const struct tm_chunk *chunk, struct books *books)
{
    unsigned count = 0;
    TM_ASSERT(tm_is_chunk(chunk));
    TM_ASSERT(chunk->pool == pool->number);
    TM_ASSERT(chunk->object == object);
    TM_ASSERT(chunk->first % chunk->pages == 0);
    for (unsigned i = 0; i < chunk->pages; i++) {
        tm_slot slot = chunk->slot[i];
        if (slot == 0)
            continue;
        count++;
        books->same += tm_slot_is_same_filled(slot);
        books->shared += tm_slot_type(slot) == TM_SLOT_SHARED;
        books->bytes += tm_slot_bytes(slot);
        books->block_bytes += tm_slot_is_block(slot) ? tm_slot_bytes(slot) : 0;
    }
    TM_ASSERT(count == chunk->count);
    TM_ASSERT(count != 0);
    books->pages += count;
    books->bytes += tm_record_bytes(class_of(chunk));
}

/* The index must find exactly this chunk. */
static void check_findable(struct tm_pool *pool, const struct tm_chunk *chunk)
{
    struct tm_object_id id;
    struct tm_place place;
    struct tm_found found;
    memcpy(id.word, chunk->id, sizeof id.word);
    tm_place_init(&place, pool, &id, TM_INDEX_OF_CHUNK(chunk->number));
    tm_index_lock(&place, &found);
    TM_ASSERT(found.chunk == chunk);
    tm_index_unlock(&place, &found);
}

static void check_chunks(struct tm_pool *pool, uint64_t ref, const struct tm_object *object, struct books *books)
{
    struct tm_store *store = pool->engine->store;
    uint32_t count = 0;
    uint64_t last = 0;
    for (uint64_t at = object->first_chunk; at != 0; count++) {
        const struct tm_chunk *chunk = tm_record_at(store, pool->kind, at);
        TM_ASSERT(memcmp(chunk->id, object->id, sizeof chunk->id) == 0);
        TM_ASSERT(last == 0 || chunk->prev == last);
        check_chunk(pool, ref, chunk, books);
        check_findable(pool, chunk);
        last = at;
        at = chunk->next;
    }
    const struct tm_chunk *first = tm_record_at(store, pool->kind, object->first_chunk);
    TM_ASSERT(first->prev == last);
    TM_ASSERT(count == object->chunk_count);
    books->bytes += tm_record_bytes(TM_RECORD_OBJECT);
}

static void check_object(struct tm_pool *pool, uint64_t ref, struct books *books)
{
    struct tm_object_id id;
    const struct tm_object *object = tm_object_at(pool, ref);
    books->objects++;
    memcpy(id.word, object->id, sizeof id.word);
    TM_ASSERT(object->pool == pool->number);
    TM_ASSERT(tm_object_find(pool, &id, tm_object_hash(pool, id.word)) == ref);
    if (!tm_stands_alone(pool, ref)) {
        check_chunks(pool, ref, object, books);
        return;
    }
    const struct tm_chunk *chunk = tm_record_at(pool->engine->store, pool->kind, ref);
    TM_ASSERT(chunk->number == 0);
    check_chunk(pool, 0, chunk, books);
    check_findable(pool, chunk);
}

static void check_pool(struct tm_pool *pool, struct books *books)
{
    TM_MAGIC_CHECK(pool, TM_POOL_MAGIC);
    TM_ASSERT(pool->pins == 0);
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++) {
        uint64_t before = 0;
        for (uint64_t ref = pool->stripe[i].first_object; ref != 0;) {
            const struct tm_object *object = tm_object_at(pool, ref);
            TM_ASSERT(object->prev == before);
            check_object(pool, ref, books);
            before = ref;
            ref = object->next;
        }
        TM_ASSERT(pool->stripe[i].last_object == before);
    }
    TM_ASSERT(books->pages == tm_tally_of(pool, TM_TALLY_PAGES));
    TM_ASSERT(books->objects == tm_tally_of(pool, TM_TALLY_OBJECTS));
    TM_ASSERT(books->same == tm_tally_of(pool, TM_TALLY_SAME));
    TM_ASSERT(books->shared == tm_tally_of(pool, TM_TALLY_SHARED));
    if (pool->is_shared)
        TM_ASSERT(books->bytes == pool->charged);
}

/* What a client is charged: its private pools' bytes and its parts of shared ones. */
static void check_client(struct tm_client *client, uint64_t *block_bytes)
{
    uint64_t charged = 0;
    uint64_t pools = 0;
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    TM_ASSERT(client->pins == 0);
    for (struct tm_member *member = client->members; member != NULL; member = member->next_of_client) {
        struct books books = {0};
        TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
        check_pool(member->pool, &books);
        pools++;
        if (member->pool->is_shared) {
            charged += member->part;
        } else {
            charged += books.bytes;
            *block_bytes += books.block_bytes;
        }
        if (member->pool->is_shared && member->pool->members == member)
            *block_bytes += books.block_bytes;
    }
    TM_ASSERT(pools == client->pool_count);
    TM_ASSERT(charged == client->charged);
}

void tm_engine_check(struct tm_engine *engine)
{
    uint64_t block_bytes = 0;
    uint64_t clients = 0;
    struct tm_store_figures figures;
    TM_MAGIC_CHECK(engine, TM_ENGINE_MAGIC);
    tm_store_check(engine->store);
    for (unsigned kind = 0; kind < TM_ARENAS; kind++)
        tm_table_check(&engine->index[kind]);
    for (uint32_t n = 1; n < engine->clients_next; n++) {
        struct tm_client *client = tm_client_at(engine, n);
        if (client->life != TM_LIFE_RUNNING)
            continue;
        check_client(client, &block_bytes);
        clients++;
    }
    TM_ASSERT(clients == engine->client_count);
    /* Every live byte is a page's block or a shared content's. */
    tm_store_figures(engine->store, &figures);
    TM_ASSERT(figures.block_bytes == block_bytes + tm_store_content_bytes(engine->store));
}
