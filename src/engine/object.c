/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.c - which chunks are an object's, and which objects are a pool's.
 *
 * Most objects are a file, or a slice of one, with pages at the begin only: one chunk, number 0. Such a chunk *stands
 * alone*: it is its object, and links the pool's list of objects itself. A record of its own an object gets with its
 * first chunk of another number, and keeps it as long as it has chunks. Both are in the index under the hash of
 * chunk 0, so that one look finds either.
 *
 * All of it is called with the lock of the object's stripe held.
 */
#include "base/mix.h"
#include "engine/index_internal.h"

/* What stands in a pool's list, a chunk or an object's record, is linked by the same words. */
TM_STATIC_ASSERT(offsetof(struct tm_object, id) == offsetof(struct tm_chunk, id));
TM_STATIC_ASSERT(offsetof(struct tm_object, next) == offsetof(struct tm_chunk, next));
TM_STATIC_ASSERT(offsetof(struct tm_object, prev) == offsetof(struct tm_chunk, prev));

static struct tm_chunk *chunk_at(const struct tm_pool *pool, uint64_t ref)
{
    return tm_record_at(pool->engine->store, pool->kind, ref);
}

struct tm_object *tm_object_at(const struct tm_pool *pool, uint64_t ref)
{
    return tm_record_at(pool->engine->store, pool->kind, ref);
}

bool tm_stands_alone(const struct tm_pool *pool, uint64_t ref)
{
    return tm_object_at(pool, ref)->kind != TM_RECORD_LIVE(TM_RECORD_OBJECT);
}

uint32_t tm_object_hash(const struct tm_pool *pool, const uint64_t id[3])
{
    return (uint32_t)tm_mix_handle(pool->engine->seeds, pool->number, id, 0);
}

void tm_index_hashes(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned count, uint32_t *hashes)
{
    const struct tm_engine *engine = user;
    for (unsigned i = 0; i < count; i++)
        tm_prefetch(tm_record_at(engine->store, arena, refs[i]));
    for (unsigned i = 0; i < count; i++) {
        const struct tm_chunk *chunk = tm_record_at(engine->store, arena, refs[i]);
        uint32_t number = tm_is_chunk(chunk) ? chunk->number : 0;
        hashes[i] = (uint32_t)tm_mix_handle(engine->seeds, chunk->pool, chunk->id, number);
    }
}

uint64_t tm_object_find(const struct tm_pool *pool, const struct tm_object_id *id, uint32_t hash)
{
    struct tm_table *table = &pool->engine->index[pool->kind];
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    struct tm_table_scan scan = {NULL, 0};
    uint64_t ref;
    while ((ref = tm_table_next(table, bucket, hash, &scan)) != 0) {
        const struct tm_chunk *chunk = chunk_at(pool, ref);
        if (chunk->pool != pool->number || memcmp(chunk->id, id->word, sizeof chunk->id) != 0)
            continue;
        if (!tm_is_chunk(chunk))
            break;
        if (chunk->number != 0)
            continue;
        ref = chunk->object != 0 ? chunk->object : ref;
        break;
    }
    tm_table_unlock(table, bucket);
    return ref;
}

/* ---- a pool's objects ---- */

static struct tm_stripe *stripe_of(struct tm_pool *pool, uint32_t hash)
{
    return &pool->stripe[(hash >> 24) % TM_POOL_STRIPES];
}

void tm_stripe_lock(struct tm_pool *pool, uint32_t hash)
{
    tm_lock_acquire(&stripe_of(pool, hash)->lock, TM_LOCK_object_stripe);
}

void tm_stripe_unlock(struct tm_pool *pool, uint32_t hash)
{
    tm_lock_release(&stripe_of(pool, hash)->lock, TM_LOCK_object_stripe);
}

static void list_object(struct tm_pool *pool, uint32_t hash, uint64_t ref)
{
    struct tm_stripe *stripe = stripe_of(pool, hash);
    struct tm_object *object = tm_object_at(pool, ref);
    object->next = stripe->first_object;
    object->prev = 0;
    if (object->next != 0)
        tm_object_at(pool, object->next)->prev = ref;
    else
        stripe->last_object = ref;
    stripe->first_object = ref;
    tm_tally_add(pool, 0, TM_TALLY_OBJECTS, 1);
}

static void unlist_object(struct tm_pool *pool, uint32_t hash, uint64_t ref)
{
    struct tm_stripe *stripe = stripe_of(pool, hash);
    const struct tm_object *object = tm_object_at(pool, ref);
    *(object->next != 0 ? &tm_object_at(pool, object->next)->prev : &stripe->last_object) = object->prev;
    *(object->prev != 0 ? &tm_object_at(pool, object->prev)->next : &stripe->first_object) = object->next;
    tm_tally_add(pool, 0, TM_TALLY_OBJECTS, (uint64_t)-1);
}

/* Record @to, whose links say the same, takes the place of another. */
static void relist_object(struct tm_pool *pool, uint32_t hash, uint64_t to)
{
    struct tm_stripe *stripe = stripe_of(pool, hash);
    const struct tm_object *object = tm_object_at(pool, to);
    *(object->next != 0 ? &tm_object_at(pool, object->next)->prev : &stripe->last_object) = to;
    *(object->prev != 0 ? &tm_object_at(pool, object->prev)->next : &stripe->first_object) = to;
}

/* ---- an object's chunks ---- */

static void link_chunk(struct tm_pool *pool, uint64_t object_ref, uint64_t ref)
{
    struct tm_object *object = tm_object_at(pool, object_ref);
    struct tm_chunk *chunk = chunk_at(pool, ref);
    chunk->object = object_ref;
    chunk->next = object->first_chunk;
    chunk->prev = ref;
    if (chunk->next != 0) {
        struct tm_chunk *next = chunk_at(pool, chunk->next);
        chunk->prev = next->prev; /* the last */
        next->prev = ref;
    }
    object->first_chunk = ref;
    object->chunk_count++;
}

static void unlink_chunk(struct tm_pool *pool, uint64_t ref)
{
    const struct tm_chunk *chunk = chunk_at(pool, ref);
    struct tm_object *object = tm_object_at(pool, chunk->object);
    bool is_first = object->first_chunk == ref;
    TM_ASSERT(object->chunk_count > 0);
    if (!is_first)
        chunk_at(pool, chunk->prev)->next = chunk->next;
    if (chunk->next != 0)
        chunk_at(pool, chunk->next)->prev = chunk->prev;
    else if (!is_first)
        chunk_at(pool, object->first_chunk)->prev = chunk->prev; /* a new last */
    if (is_first)
        object->first_chunk = chunk->next;
    object->chunk_count--;
}

void tm_object_relink(struct tm_pool *pool, uint32_t hash, uint64_t from, uint64_t to)
{
    struct tm_chunk *chunk = chunk_at(pool, to);
    if (chunk->object == 0) {
        relist_object(pool, hash, to);
        return;
    }
    struct tm_object *object = tm_object_at(pool, chunk->object);
    bool is_first = object->first_chunk == from;
    if (is_first)
        object->first_chunk = to;
    else
        chunk_at(pool, chunk->prev)->next = to;
    if (chunk->next != 0)
        chunk_at(pool, chunk->next)->prev = to;
    else
        chunk_at(pool, object->first_chunk)->prev = to;
    if (is_first && chunk->next == 0)
        chunk->prev = to;
}

/* ---- coming and going ---- */

bool tm_object_make(struct tm_pool *pool, const struct tm_object_id *id, uint32_t hash, uint64_t alone, uint64_t ref)
{
    struct tm_table *table = &pool->engine->index[pool->kind];
    struct tm_object *object = tm_object_at(pool, ref);
    object->pool = pool->number;
    memcpy(object->id, id->word, sizeof object->id);
    tm_store_release(&object->kind, TM_RECORD_LIVE(TM_RECORD_OBJECT));
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    bool done = tm_table_insert(table, bucket, hash, ref);
    tm_table_unlock(table, bucket);
    if (!done)
        return false;
    if (alone == 0) {
        list_object(pool, hash, ref);
        return true;
    }
    object->next = chunk_at(pool, alone)->next;
    object->prev = chunk_at(pool, alone)->prev;
    relist_object(pool, hash, ref);
    link_chunk(pool, ref, alone);
    return true;
}

/* An object without chunks goes out of index and list. */
static void remove_object(struct tm_pool *pool, uint32_t hash, uint64_t ref)
{
    struct tm_table *table = &pool->engine->index[pool->kind];
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    bool was_there = tm_table_remove(table, bucket, hash, ref);
    tm_table_unlock(table, bucket);
    TM_ASSERT(was_there);
    unlist_object(pool, hash, ref);
}

void tm_object_add(struct tm_pool *pool, uint32_t hash, uint64_t object, uint64_t chunk)
{
    if (object != 0)
        link_chunk(pool, object, chunk);
    else
        list_object(pool, hash, chunk);
}

uint64_t tm_object_drop(struct tm_pool *pool, uint32_t hash, uint64_t ref)
{
    uint64_t object = chunk_at(pool, ref)->object;
    if (object == 0) {
        unlist_object(pool, hash, ref);
        return 0;
    }
    unlink_chunk(pool, ref);
    return tm_object_end(pool, hash, object) ? object : 0;
}

bool tm_object_end(struct tm_pool *pool, uint32_t hash, uint64_t ref)
{
    if (tm_object_at(pool, ref)->chunk_count != 0)
        return false;
    remove_object(pool, hash, ref);
    return true;
}

uint64_t tm_object_oldest(struct tm_pool *pool, uint64_t ref)
{
    return tm_stands_alone(pool, ref) ? ref : chunk_at(pool, tm_object_at(pool, ref)->first_chunk)->prev;
}
