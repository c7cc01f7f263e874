/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk.c - chunks coming and going, and objects with them.
 *
 * The lock of an object's stripe covers the object's list of chunks and the pool's list of objects (object.c); a
 * chunk is in the index exactly while it is on its object's list, or alone on the pool's. Records are allocated
 * before any lock is taken, and freed after all are released.
 *
 * A chunk grows by being copied into a larger record under its bucket's lock. For a restart that finds both,
 * they say the same, and the larger one is taken.
 */
#include "engine/index_internal.h"

static struct tm_chunk *chunk_at(const struct tm_pool *pool, uint64_t ref)
{
    return tm_record_at(pool->engine->store, pool->kind, ref);
}

/* ---- adding ---- */

/* What tm_chunk_add() brings with it, and what it leaves unused. */
struct addition {
    uint64_t chunk;
    uint64_t object;
    enum tm_record_class class_of_chunk;
    unsigned first;
    unsigned pages;
    uint64_t charged;
};

static enum tm_record_class class_for(unsigned pages)
{
    return pages <= 4 ? TM_RECORD_CHUNK_4 : pages <= 16 ? TM_RECORD_CHUNK_16
                                                        : TM_RECORD_CHUNK_64;
}

/* The window that holds the page, and the old window too. The first pages of an object are likely to be all
 * of it; further chunks are likely to fill. */
static void choose_window(const struct tm_place *place, const struct tm_chunk *shape, struct addition *add)
{
    unsigned pages = place->chunk == 0 ? 4 : 16;
    if (shape->pages != 0)
        pages = shape->pages * 4u;
    while (shape->pages != 0 && pages < TM_CHUNK_PAGES && place->page / pages != shape->first / pages)
        pages *= 4u;
    TM_ASSERT(pages <= TM_CHUNK_PAGES);
    add->pages = pages;
    add->first = place->page & ~(pages - 1u);
    add->class_of_chunk = class_for(pages);
}

/* True when the chunk cannot be added without a record for its object, as far as one can say without the lock. */
static bool needs_object(const struct tm_place *place, uint32_t hash)
{
    if (place->chunk == 0)
        return false;
    tm_stripe_lock(place->pool, hash);
    uint64_t object = tm_object_find(place->pool, &place->id, hash);
    bool needs = object == 0 || tm_stands_alone(place->pool, object);
    tm_stripe_unlock(place->pool, hash);
    return needs;
}

static void drop_addition(const struct tm_place *place, struct addition *add)
{
    struct tm_store *store = place->engine->store;
    if (add->chunk != 0)
        tm_record_free(store, place->pool->kind, add->chunk);
    if (add->object != 0)
        tm_record_free(store, place->pool->kind, add->object);
    if (add->charged != 0)
        tm_uncharge(place->pool, add->charged);
}

/* Charges and allocates the records. */
static enum tm_set get_records(const struct tm_place *place, struct addition *add, bool with_object)
{
    struct tm_store *store = place->engine->store;
    enum tm_arena_kind kind = place->pool->kind;
    uint64_t bytes = tm_record_bytes(add->class_of_chunk) + (with_object ? tm_record_bytes(TM_RECORD_OBJECT) : 0);
    if (!tm_charge(place->pool, bytes))
        return TM_SET_OVER_CAP;
    add->charged = bytes;
    /* Where no span of records has a free unit, room would be made by evicting until some span of data is empty: a
     * good part of a store for one record. Rather a little above the size; the pages that follow make up for it. */
    enum tm_tier tier = kind == TM_ARENA_EPHEMERAL ? TM_TIER_REPLACE : TM_TIER_NORMAL;
    add->chunk = tm_record_alloc(store, kind, add->class_of_chunk, tier);
    if (with_object && add->chunk != 0)
        add->object = tm_record_alloc(store, kind, TM_RECORD_OBJECT, tier);
    return add->chunk != 0 && (add->object != 0 || !with_object) ? TM_SET_OK : TM_SET_NOMEM;
}

static void fill_chunk(const struct tm_place *place, const struct addition *add, struct tm_chunk *chunk)
{
    chunk->first = (uint8_t)add->first;
    chunk->pages = (uint8_t)add->pages;
    chunk->pool = place->pool->number;
    chunk->number = place->chunk;
    memcpy(chunk->id, place->id.word, sizeof chunk->id);
}

/* Stripe's lock held: enters a new chunk. False: there is one already, or no memory (*nomem). */
static bool enter_chunk(const struct tm_place *place, const struct addition *add, bool *nomem)
{
    struct tm_chunk *chunk = chunk_at(place->pool, add->chunk);
    struct tm_table_scan scan = {NULL, 0};
    fill_chunk(place, add, chunk);
    struct tm_bucket *bucket = tm_table_lock(place->index, place->hash);
    bool done = tm_find_chunk(place, bucket, &scan) == NULL;
    if (done) {
        tm_store_release(&chunk->kind, TM_RECORD_LIVE(add->class_of_chunk));
        done = tm_table_insert(place->index, bucket, place->hash, add->chunk);
        *nomem = !done;
    }
    tm_table_unlock(place->index, bucket);
    return done;
}

/* Stripe's lock held: replaces the chunk by a larger one. Answers the old record, 0: it is not what was seen. */
static uint64_t grow_chunk(const struct tm_place *place, const struct addition *add, const struct tm_chunk *shape,
                           uint32_t hash)
{
    struct tm_table_scan scan = {NULL, 0};
    struct tm_chunk *chunk = chunk_at(place->pool, add->chunk);
    uint64_t from = 0;
    struct tm_bucket *bucket = tm_table_lock(place->index, place->hash);
    struct tm_chunk *old = tm_find_chunk(place, bucket, &scan);
    if (old != NULL && old->pages == shape->pages && old->first == shape->first) {
        fill_chunk(place, add, chunk);
        chunk->object = old->object;
        chunk->next = old->next;
        chunk->prev = old->prev;
        chunk->count = old->count;
        memcpy(&chunk->slot[old->first - add->first], old->slot, old->pages * sizeof(tm_slot));
        tm_store_release(&chunk->kind, TM_RECORD_LIVE(add->class_of_chunk));
        from = tm_table_found(bucket, &scan);
        tm_table_replace(bucket, &scan, add->chunk);
        tm_store_release(&old->kind, 0u);
    }
    tm_table_unlock(place->index, bucket);
    if (from != 0)
        tm_object_relink(place->pool, hash, from, add->chunk);
    return from;
}

/* Grows a chunk. The old record's bytes are freed with it. */
static enum tm_set add_by_growing(const struct tm_place *place, const struct tm_chunk *shape, struct addition *add,
                                  uint32_t hash)
{
    enum tm_set result = get_records(place, add, false);
    if (result != TM_SET_OK) {
        drop_addition(place, add);
        return result;
    }
    tm_stripe_lock(place->pool, hash);
    uint64_t old = grow_chunk(place, add, shape, hash);
    tm_stripe_unlock(place->pool, hash);
    if (old == 0) {
        drop_addition(place, add);
        return TM_SET_OK;
    }
    tm_record_free(place->engine->store, place->pool->kind, old);
    tm_uncharge(place->pool, tm_record_bytes(class_for(shape->pages)));
    return TM_SET_OK;
}

/* Stripe's lock held: enters what was brought; what is used of it is the caller's no more. */
static enum tm_set enter(const struct tm_place *place, struct addition *add, uint32_t hash)
{
    struct tm_pool *pool = place->pool;
    uint64_t found = tm_object_find(pool, &place->id, hash);
    uint64_t alone = found != 0 && tm_stands_alone(pool, found) ? found : 0;
    uint64_t object = alone != 0 ? 0 : found;
    bool nomem = false;
    bool will_stand_alone = found == 0 && place->chunk == 0;
    if (object == 0 && !will_stand_alone) {
        /* Without the record, what others did meanwhile comes to be looked at anew. */
        if (add->object == 0 || place->chunk == 0)
            return TM_SET_OK;
        if (!tm_object_make(pool, &place->id, hash, alone, add->object))
            return TM_SET_NOMEM;
        object = add->object;
    }
    if (enter_chunk(place, add, &nomem)) {
        tm_object_add(pool, hash, object, add->chunk);
        add->charged -= tm_record_bytes(add->class_of_chunk);
        add->chunk = 0;
    }
    if (object != 0 && object == add->object && !tm_object_end(pool, hash, object)) {
        add->charged -= tm_record_bytes(TM_RECORD_OBJECT);
        add->object = 0;
    }
    return nomem ? TM_SET_NOMEM : TM_SET_OK;
}

static enum tm_set add_new(const struct tm_place *place, struct addition *add, uint32_t hash)
{
    enum tm_set result = get_records(place, add, needs_object(place, hash));
    if (result == TM_SET_OK) {
        tm_stripe_lock(place->pool, hash);
        result = enter(place, add, hash);
        tm_stripe_unlock(place->pool, hash);
    }
    drop_addition(place, add);
    return result;
}

enum tm_set tm_chunk_add(const struct tm_place *place, const struct tm_chunk *shape)
{
    uint32_t hash = tm_object_hash(place->pool, place->id.word);
    struct addition add = {0};
    choose_window(place, shape, &add);
    enum tm_set result =
        shape->pages != 0 ? add_by_growing(place, shape, &add, hash) : add_new(place, &add, hash);
    tm_table_grow(place->index);
    return result;
}

/* ---- removing ---- */

void tm_index_reap(const struct tm_place *place)
{
    struct tm_pool *pool = place->pool;
    struct tm_store *store = place->engine->store;
    uint32_t hash = tm_object_hash(pool, place->id.word);
    struct tm_table_scan scan = {NULL, 0};
    uint64_t object = 0;
    uint64_t ref = 0;
    uint64_t bytes = 0;
    tm_stripe_lock(pool, hash);
    struct tm_bucket *bucket = tm_table_lock(place->index, place->hash);
    struct tm_chunk *chunk = tm_find_chunk(place, bucket, &scan);
    if (chunk != NULL && chunk->count == 0) {
        ref = tm_table_found(bucket, &scan);
        bytes = tm_record_bytes(class_for(chunk->pages));
        tm_store_release(&chunk->kind, 0u);
        tm_table_remove_found(place->index, bucket, &scan);
    }
    tm_table_unlock(place->index, bucket);
    if (ref != 0)
        object = tm_object_drop(pool, hash, ref);
    tm_stripe_unlock(pool, hash);
    if (ref == 0)
        return;
    tm_record_free(store, pool->kind, ref);
    if (object != 0) {
        tm_record_free(store, pool->kind, object);
        bytes += tm_record_bytes(TM_RECORD_OBJECT);
    }
    tm_uncharge(pool, bytes);
}

/* The pages that a chunk has, a bit each. */
static uint64_t pages_in(const struct tm_chunk *chunk)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < chunk->pages; i++)
        if (chunk->slot[i] != 0)
            pages |= UINT64_C(1) << (chunk->first + i);
    return pages;
}

/* What was taken out under a stripe's lock, to be freed without it. */
struct detached {
    uint64_t chunk;
    uint64_t object;      /* 0: it has other chunks, or no record */
    uint32_t chunks_left; /* of the object */
};

/* Stripe's lock held: takes an object's oldest chunk out of index and lists, and the object with its only one. */
static struct detached detach(struct tm_pool *pool, uint64_t object, uint32_t object_hash)
{
    struct detached detached = {.chunk = tm_object_oldest(pool, object)};
    struct tm_chunk *chunk = chunk_at(pool, detached.chunk);
    bool is_only = tm_stands_alone(pool, object);
    uint32_t hash = (uint32_t)tm_chunk_hash(pool->engine, chunk);
    struct tm_table *table = &pool->engine->index[pool->kind];
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    /* First for a restart, then for everybody: from here on the pages are gone. */
    tm_store_release(&chunk->kind, 0u);
    bool was_there = tm_table_remove(table, bucket, hash, detached.chunk);
    tm_dirty_note(pool, hash, chunk->id, chunk->number, pages_in(chunk));
    tm_table_unlock(table, bucket);
    TM_ASSERT(was_there);
    detached.object = tm_object_drop(pool, object_hash, detached.chunk);
    if (!is_only && detached.object == 0)
        detached.chunks_left = tm_object_at(pool, object)->chunk_count;
    return detached;
}

/* They are gone for everybody. Frees what the chunk's pages refer to, and the records. */
static void free_detached(struct tm_pool *pool, const struct detached *detached, unsigned shard)
{
    struct tm_store *store = pool->engine->store;
    struct tm_chunk *chunk = chunk_at(pool, detached->chunk);
    uint64_t bytes = tm_record_bytes(class_for(chunk->pages));
    bytes += tm_note_removed(pool, shard, chunk->slot, chunk->pages);
    tm_slots_release(store, pool->kind, chunk->slot, chunk->pages);
    tm_record_free(store, pool->kind, detached->chunk);
    if (detached->object != 0) {
        tm_record_free(store, pool->kind, detached->object);
        bytes += tm_record_bytes(TM_RECORD_OBJECT);
    }
    tm_uncharge(pool, bytes);
}

/* Removes one chunk of an object, and the object with its last. False: there was none. Answers in *left how
 * many chunks are left. */
static bool remove_one_chunk(struct tm_pool *pool, const struct tm_object_id *id, uint32_t hash, unsigned shard,
                             uint32_t *left)
{
    struct detached detached = {0};
    tm_stripe_lock(pool, hash);
    uint64_t object = tm_object_find(pool, id, hash);
    if (object != 0)
        detached = detach(pool, object, hash);
    tm_stripe_unlock(pool, hash);
    *left = detached.chunks_left;
    if (object != 0)
        free_detached(pool, &detached, shard);
    return object != 0;
}

/*
 * Chunk by chunk, oldest first, so that nobody waits long for the stripe. New chunks come in front: after as many
 * as there were, those that were there at the begin are gone, whatever others add meanwhile.
 */
bool tm_index_remove_object(struct tm_pool *pool, const struct tm_object_id *id, unsigned shard, uint32_t chunks,
                            uint32_t *left)
{
    uint32_t hash = tm_object_hash(pool, id->word);
    uint32_t there;
    bool begins = *left == 0;
    bool found = remove_one_chunk(pool, id, hash, shard, &there);
    *left = !found ? 0 : begins ? there
                                : *left - 1u;
    while (*left > 0 && --chunks > 0)
        *left = remove_one_chunk(pool, id, hash, shard, &there) ? *left - 1u : 0;
    return found;
}

bool tm_index_evict_chunk(struct tm_pool *pool, uint64_t *dropped)
{
    unsigned first = tm_fetch_add_relaxed(&pool->evict_stripe, 1u);
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++) {
        struct tm_stripe *stripe = &pool->stripe[(first + i) % TM_POOL_STRIPES];
        struct detached detached = {0};
        tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
        uint64_t object = stripe->last_object;
        if (object != 0)
            detached = detach(pool, object, tm_object_hash(pool, tm_object_at(pool, object)->id));
        tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
        if (object == 0)
            continue;
        *dropped = chunk_at(pool, detached.chunk)->count;
        tm_tally_add(pool, first % TM_SHARDS, TM_TALLY_EVICTED, *dropped);
        free_detached(pool, &detached, first % TM_SHARDS);
        return true;
    }
    return false;
}

bool tm_index_remove_some(struct tm_pool *pool, uint32_t chunks)
{
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++) {
        struct tm_stripe *stripe = &pool->stripe[i];
        for (;;) {
            struct detached detached = {0};
            tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
            uint64_t object = stripe->first_object;
            if (object != 0 && chunks != 0)
                detached = detach(pool, object, tm_object_hash(pool, tm_object_at(pool, object)->id));
            tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
            if (object == 0)
                break;
            if (chunks-- == 0)
                return true;
            free_detached(pool, &detached, 0);
        }
    }
    return false;
}

/* ---- rebuilding ---- */

/* An earlier copy of the chunk, from before it grew: the larger one counts. */
static bool resolve_twice(struct tm_engine *engine, struct tm_place *place, uint64_t ref)
{
    struct tm_table_scan scan = {NULL, 0};
    struct tm_chunk *chunk = chunk_at(place->pool, ref);
    struct tm_bucket *bucket = tm_table_lock(place->index, place->hash);
    struct tm_chunk *other = tm_find_chunk(place, bucket, &scan);
    uint64_t other_ref = 0;
    if (other != NULL)
        other_ref = tm_table_found(bucket, &scan);
    tm_table_unlock(place->index, bucket);
    if (other == NULL)
        return false;
    /* Larger ones are adopted first, so what is there is what counts. */
    TM_ASSERT(other_ref != ref && other->pages >= chunk->pages);
    tm_record_free(engine->store, place->pool->kind, ref);
    return true;
}

static bool has_pages(const struct tm_chunk *chunk)
{
    for (unsigned i = 0; i < chunk->pages; i++)
        if (chunk->slot[i] != 0)
            return true;
    return false;
}

static void adopt_slots(struct tm_engine *engine, struct tm_pool *pool, struct tm_chunk *chunk, uint32_t hash)
{
    uint64_t bytes = 0;
    chunk->count = 0;
    tm_slots_adopt(engine->store, pool->account->heap, chunk->slot, chunk->pages, hash, chunk->first);
    for (unsigned i = 0; i < chunk->pages; i++) {
        tm_slot slot = chunk->slot[i];
        chunk->count = (uint16_t)(chunk->count + (slot != 0));
        tm_note_change(pool, 0, 0, slot);
        bytes += tm_slot_bytes(slot);
    }
    tm_charge_anyway(pool, bytes);
}

/* False: no memory for the object or the index. The chunk's numbers have been checked. */
bool tm_index_adopt_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t ref)
{
    struct tm_chunk *chunk = chunk_at(pool, ref);
    struct tm_place place;
    struct tm_object_id id;
    memcpy(id.word, chunk->id, sizeof id.word);
    tm_place_init(&place, pool, &id, TM_INDEX_OF_CHUNK(chunk->number));
    if (resolve_twice(engine, &place, ref))
        return true;
    if (!has_pages(chunk)) { /* killed between making the chunk and publishing its first page */
        tm_record_free(engine->store, pool->kind, ref);
        return true;
    }

    uint32_t hash = tm_object_hash(pool, id.word);
    uint64_t found = tm_object_find(pool, &id, hash);
    uint64_t alone = found != 0 && tm_stands_alone(pool, found) ? found : 0;
    uint64_t object = alone != 0 ? 0 : found;
    if (object == 0 && (alone != 0 || chunk->number != 0)) {
        object = tm_record_alloc(engine->store, pool->kind, TM_RECORD_OBJECT, TM_TIER_COPY);
        if (object == 0 || !tm_object_make(pool, &id, hash, alone, object))
            return false;
        tm_charge_anyway(pool, tm_record_bytes(TM_RECORD_OBJECT));
    }
    struct tm_bucket *bucket = tm_table_lock(place.index, place.hash);
    bool done = tm_table_insert(place.index, bucket, place.hash, ref);
    tm_table_unlock(place.index, bucket);
    if (!done)
        return false;
    tm_object_add(pool, hash, object, ref);
    tm_charge_anyway(pool, tm_record_bytes(class_for(chunk->pages)));
    adopt_slots(engine, pool, chunk, place.hash);
    tm_table_grow(place.index);
    return true;
}
