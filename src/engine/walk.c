/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk.c - the handles of a pool's pages, in bounded steps, while everything goes on.
 *
 * The walk goes through the index in the order of reversed hashes, which growth only refines; chunks of
 * one bucket are ordered by their whole 64-bit hash. Neither depends on where a record lies, so a chunk that
 * grows meanwhile keeps its place.
 */
#include "engine/index_internal.h"

/* The order of chunks: reversed low half first, so that a bucket is one range. */
static uint64_t order_of(uint64_t hash)
{
    return (uint64_t)tm_reverse_bits((uint32_t)hash) << 32 | hash >> 32;
}

/* Lists the pages of a chunk. */
static size_t list_chunk(const struct tm_chunk *chunk, struct tm_page_key *keys)
{
    size_t count = 0;
    for (unsigned i = 0; i < chunk->pages; i++) {
        if (chunk->slot[i] == 0)
            continue;
        memcpy(keys[count].object.word, chunk->id, sizeof chunk->id);
        keys[count].index = TM_INDEX_OF_CHUNK(chunk->number) + chunk->first + i;
        keys[count].reserved = 0;
        count++;
    }
    return count;
}

/* The pool's chunk of this bucket that comes first at or after @from. */
static struct tm_chunk *first_chunk(struct tm_pool *pool, struct tm_bucket *bucket, uint64_t from, uint64_t *order)
{
    struct tm_engine *engine = pool->engine;
    struct tm_table *table = &engine->index[pool->kind];
    struct tm_table_scan scan = {NULL, 0};
    struct tm_chunk *best = NULL;
    uint64_t ref;
    while ((ref = tm_table_next_any(table, bucket, &scan)) != 0) {
        struct tm_chunk *chunk = tm_record_at(engine->store, pool->kind, ref);
        if (!tm_is_chunk(chunk) || chunk->pool != pool->number)
            continue;
        uint64_t at = order_of(tm_chunk_hash(engine, chunk));
        if (at >= from && (best == NULL || at < *order)) {
            best = chunk;
            *order = at;
        }
    }
    return best;
}

/* position[0]: the order to go on from; position[1]: 1 at the end. */
bool tm_pool_walk(struct tm_member *member, uint64_t position[4], struct tm_page_key *keys, size_t capacity,
                  size_t *count)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    TM_ASSERT(capacity >= TM_CHUNK_PAGES);
    struct tm_pool *pool = member->pool;
    struct tm_table *table = &pool->engine->index[pool->kind];
    *count = 0;
    /* Each look at a bucket is a step; an empty stretch of the index ends the call, too. */
    for (unsigned steps = 0; steps < 64 && position[1] == 0; steps++) {
        uint32_t next;
        uint64_t order = 0;
        uint32_t at = (uint32_t)(position[0] >> 32);
        struct tm_bucket *bucket = tm_table_lock_position(table, at, &next);
        const struct tm_chunk *chunk = first_chunk(pool, bucket, position[0], &order);
        bool has_room = *count + TM_CHUNK_PAGES <= capacity;
        if (chunk != NULL && has_room)
            *count += list_chunk(chunk, keys + *count);
        tm_table_unlock(table, bucket);
        if (!has_room)
            break;
        position[1] = chunk == NULL ? next == 0 : order == UINT64_MAX;
        position[0] = chunk == NULL ? (uint64_t)next << 32 : order + 1u;
    }
    return *count != 0 || position[1] == 0;
}

bool tm_page_is_there(struct tm_member *member, const struct tm_object_id *object, uint32_t index)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_place place;
    struct tm_found found;
    tm_place_init(&place, member->pool, object, index);
    tm_index_lock(&place, &found);
    bool is_there = found.slot != NULL && *found.slot != 0;
    tm_index_unlock(&place, &found);
    return is_there;
}

unsigned tm_page_heat(struct tm_member *member, const struct tm_object_id *object, uint32_t index)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_place place;
    tm_place_init(&place, member->pool, object, index);
    return tm_sketch_estimate(&place.engine->sketch, place.hash, place.page);
}
