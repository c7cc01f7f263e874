/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk.c - chunks and objects coming and going.
 *
 * An object has a record while it has chunks. Its stripe's lock covers the object's list of chunks and the
 * pool's list of objects; a chunk is in the index exactly while it is on its object's list. Records are
 * allocated before any lock is taken, and freed after all are released.
 *
 * A chunk grows by being copied into a larger record under its bucket's lock. For a restart that finds both,
 * they say the same, and the larger one is taken.
 */
#include "base/mix.h"
#include "engine/index_internal.h"

/* Objects are in the index under a chunk number that no page has. */
#define OBJECT_NUMBER UINT64_MAX

static uint32_t object_hash(const struct tm_engine *engine, const struct tm_pool *pool, const struct tm_object_id *id)
{
    return (uint32_t)tm_mix_handle(engine->seeds, pool->number, id->word, OBJECT_NUMBER);
}

void tm_index_hashes(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned count, uint32_t *hashes)
{
    const struct tm_engine *engine = user;
    for (unsigned i = 0; i < count; i++)
        tm_prefetch(tm_record_at(engine->store, arena, refs[i]));
    for (unsigned i = 0; i < count; i++) {
        const struct tm_chunk *chunk = tm_record_at(engine->store, arena, refs[i]);
        const struct tm_object *object = (const struct tm_object *)(const void *)chunk;
        hashes[i] = tm_is_chunk(chunk)
                        ? (uint32_t)tm_chunk_hash(engine, chunk)
                        : (uint32_t)tm_mix_handle(engine->seeds, object->pool, object->id, OBJECT_NUMBER);
    }
}

static struct tm_stripe *stripe_of(struct tm_pool *pool, uint32_t hash)
{
    return &pool->stripe[(hash >> 24) % TM_POOL_STRIPES];
}

static struct tm_chunk *chunk_at(const struct tm_engine *engine, const struct tm_pool *pool, uint64_t ref)
{
    return tm_record_at(engine->store, pool->kind, ref);
}

static struct tm_object *object_at(const struct tm_engine *engine, const struct tm_pool *pool, uint64_t ref)
{
    return tm_record_at(engine->store, pool->kind, ref);
}

/* ---- objects; stripe's lock held ---- */

static uint64_t find_object(struct tm_engine *engine, struct tm_pool *pool, const struct tm_object_id *id,
                            uint32_t hash)
{
    struct tm_table *table = &engine->index[pool->kind];
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    struct tm_table_scan scan = {NULL, 0};
    uint64_t ref;
    while ((ref = tm_table_next(table, bucket, hash, &scan)) != 0) {
        const struct tm_object *object = object_at(engine, pool, ref);
        if (object->kind == TM_RECORD_LIVE(TM_RECORD_OBJECT) && object->pool == pool->number &&
            memcmp(object->id, id->word, sizeof object->id) == 0)
            break;
    }
    tm_table_unlock(table, bucket);
    return ref;
}

static bool enter_object(struct tm_engine *engine, struct tm_pool *pool, const struct tm_object_id *id, uint32_t hash,
                         uint64_t ref)
{
    struct tm_table *table = &engine->index[pool->kind];
    struct tm_object *object = object_at(engine, pool, ref);
    object->pool = pool->number;
    memcpy(object->id, id->word, sizeof object->id);
    tm_store_release(&object->kind, TM_RECORD_LIVE(TM_RECORD_OBJECT));
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    bool done = tm_table_insert(table, bucket, hash, ref);
    tm_table_unlock(table, bucket);
    if (!done)
        return false;
    struct tm_stripe *stripe = stripe_of(pool, hash);
    object->next = stripe->first_object;
    object->prev = 0;
    if (object->next != 0)
        object_at(engine, pool, object->next)->prev = ref;
    else
        stripe->last_object = ref;
    stripe->first_object = ref;
    tm_tally_add(pool, 0, TM_TALLY_OBJECTS, 1);
    return true;
}

static void remove_object(struct tm_engine *engine, struct tm_pool *pool, uint32_t hash, uint64_t ref)
{
    struct tm_table *table = &engine->index[pool->kind];
    struct tm_object *object = object_at(engine, pool, ref);
    TM_ASSERT(object->chunk_count == 0);
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    bool was_there = tm_table_remove(table, bucket, hash, ref);
    tm_table_unlock(table, bucket);
    TM_ASSERT(was_there);
    if (object->next != 0)
        object_at(engine, pool, object->next)->prev = object->prev;
    else
        stripe_of(pool, hash)->last_object = object->prev;
    if (object->prev != 0)
        object_at(engine, pool, object->prev)->next = object->next;
    else
        stripe_of(pool, hash)->first_object = object->next;
    tm_tally_add(pool, 0, TM_TALLY_OBJECTS, (uint64_t)-1);
}

static void link_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t object_ref, uint64_t ref)
{
    struct tm_object *object = object_at(engine, pool, object_ref);
    struct tm_chunk *chunk = chunk_at(engine, pool, ref);
    chunk->object = object_ref;
    chunk->next = object->first_chunk;
    chunk->prev = ref;
    if (chunk->next != 0) {
        struct tm_chunk *next = chunk_at(engine, pool, chunk->next);
        chunk->prev = next->prev; /* the last */
        next->prev = ref;
    }
    object->first_chunk = ref;
    object->chunk_count++;
}

static void unlink_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t ref)
{
    struct tm_chunk *chunk = chunk_at(engine, pool, ref);
    struct tm_object *object = object_at(engine, pool, chunk->object);
    bool is_first = object->first_chunk == ref;
    TM_ASSERT(object->chunk_count > 0);
    if (!is_first)
        chunk_at(engine, pool, chunk->prev)->next = chunk->next;
    if (chunk->next != 0)
        chunk_at(engine, pool, chunk->next)->prev = chunk->prev;
    else if (!is_first)
        chunk_at(engine, pool, object->first_chunk)->prev = chunk->prev; /* a new last */
    if (is_first)
        object->first_chunk = chunk->next;
    object->chunk_count--;
}

/* The larger record takes the smaller one's place in its object's list. */
static void relink_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t from, uint64_t to)
{
    struct tm_chunk *chunk = chunk_at(engine, pool, to);
    struct tm_object *object = object_at(engine, pool, chunk->object);
    bool is_first = object->first_chunk == from;
    if (is_first)
        object->first_chunk = to;
    else
        chunk_at(engine, pool, chunk->prev)->next = to;
    if (chunk->next != 0)
        chunk_at(engine, pool, chunk->next)->prev = to;
    else
        chunk_at(engine, pool, object->first_chunk)->prev = to;
    if (is_first && chunk->next == 0)
        chunk->prev = to;
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

static bool object_exists(const struct tm_place *place, uint32_t hash)
{
    struct tm_stripe *stripe = stripe_of(place->pool, hash);
    tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
    bool exists = find_object(place->engine, place->pool, &place->id, hash) != 0;
    tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
    return exists;
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
static bool enter_chunk(const struct tm_place *place, const struct addition *add, uint64_t object_ref, bool *nomem)
{
    struct tm_chunk *chunk = chunk_at(place->engine, place->pool, add->chunk);
    struct tm_table_scan scan = {NULL, 0};
    fill_chunk(place, add, chunk);
    chunk->object = object_ref;
    struct tm_bucket *bucket = tm_table_lock(place->index, place->hash);
    bool done = tm_find_chunk(place, bucket, &scan) == NULL;
    if (done) {
        tm_store_release(&chunk->kind, TM_RECORD_LIVE(add->class_of_chunk));
        done = tm_table_insert(place->index, bucket, place->hash, add->chunk);
        *nomem = !done;
    }
    tm_table_unlock(place->index, bucket);
    if (done)
        link_chunk(place->engine, place->pool, object_ref, add->chunk);
    return done;
}

/* Stripe's lock held: replaces the chunk by a larger one. Answers the old record, 0: it is not what was seen. */
static uint64_t grow_chunk(const struct tm_place *place, const struct addition *add, const struct tm_chunk *shape)
{
    struct tm_table_scan scan = {NULL, 0};
    struct tm_chunk *chunk = chunk_at(place->engine, place->pool, add->chunk);
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
        relink_chunk(place->engine, place->pool, from, add->chunk);
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
    struct tm_stripe *stripe = stripe_of(place->pool, hash);
    tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
    uint64_t old = grow_chunk(place, add, shape);
    tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
    if (old == 0) {
        drop_addition(place, add);
        return TM_SET_OK;
    }
    tm_record_free(place->engine->store, place->pool->kind, old);
    tm_uncharge(place->pool, tm_record_bytes(class_for(shape->pages)));
    return TM_SET_OK;
}

static enum tm_set add_new(const struct tm_place *place, struct addition *add, uint32_t hash)
{
    enum tm_set result = get_records(place, add, !object_exists(place, hash));
    if (result != TM_SET_OK) {
        drop_addition(place, add);
        return result;
    }
    struct tm_engine *engine = place->engine;
    struct tm_pool *pool = place->pool;
    struct tm_stripe *stripe = stripe_of(pool, hash);
    bool nomem = false;
    tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
    uint64_t object = find_object(engine, pool, &place->id, hash);
    if (object == 0 && add->object != 0) {
        nomem = !enter_object(engine, pool, &place->id, hash, add->object);
        object = nomem ? 0 : add->object;
    }
    if (object != 0 && enter_chunk(place, add, object, &nomem)) {
        add->chunk = 0;
        add->charged = object == add->object ? 0 : add->object != 0 ? tm_record_bytes(TM_RECORD_OBJECT)
                                                                    : 0;
        add->object = object == add->object ? 0 : add->object;
    } else if (object != 0 && object == add->object) {
        if (object_at(engine, pool, object)->chunk_count == 0)
            remove_object(engine, pool, hash, object);
    }
    tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
    drop_addition(place, add);
    return nomem ? TM_SET_NOMEM : TM_SET_OK;
}

enum tm_set tm_chunk_add(const struct tm_place *place, const struct tm_chunk *shape)
{
    uint32_t hash = object_hash(place->engine, place->pool, &place->id);
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
    struct tm_engine *engine = place->engine;
    struct tm_pool *pool = place->pool;
    uint32_t hash = object_hash(engine, pool, &place->id);
    struct tm_stripe *stripe = stripe_of(pool, hash);
    struct tm_table_scan scan = {NULL, 0};
    uint64_t object = 0;
    uint64_t ref = 0;
    uint64_t bytes = 0;
    tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
    struct tm_bucket *bucket = tm_table_lock(place->index, place->hash);
    struct tm_chunk *chunk = tm_find_chunk(place, bucket, &scan);
    if (chunk != NULL && chunk->count == 0) {
        ref = tm_table_found(bucket, &scan);
        bytes = tm_record_bytes(class_for(chunk->pages));
        tm_store_release(&chunk->kind, 0u);
        tm_table_remove(place->index, bucket, place->hash, ref);
    }
    tm_table_unlock(place->index, bucket);
    if (ref != 0) {
        object = chunk->object;
        unlink_chunk(engine, pool, ref);
        if (object_at(engine, pool, object)->chunk_count == 0)
            remove_object(engine, pool, hash, object);
        else
            object = 0;
    }
    tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
    if (ref == 0)
        return;
    tm_record_free(engine->store, pool->kind, ref);
    if (object != 0) {
        tm_record_free(engine->store, pool->kind, object);
        bytes += tm_record_bytes(TM_RECORD_OBJECT);
    }
    tm_uncharge(pool, bytes);
}

/* The chunk is out of the index: its pages are gone for everybody. Frees what they refer to. */
static void free_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t ref, unsigned shard)
{
    struct tm_chunk *chunk = chunk_at(engine, pool, ref);
    uint64_t bytes = tm_record_bytes(class_for(chunk->pages));
    bytes += tm_note_removed(pool, shard, chunk->slot, chunk->pages);
    tm_slots_release(engine->store, pool->kind, chunk->slot, chunk->pages);
    tm_record_free(engine->store, pool->kind, ref);
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

/* Stripe's lock held: takes the object's last chunk out of the index and the list. */
static uint64_t detach_last_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t object_ref)
{
    struct tm_object *object = object_at(engine, pool, object_ref);
    uint64_t ref = chunk_at(engine, pool, object->first_chunk)->prev;
    struct tm_chunk *chunk = chunk_at(engine, pool, ref);
    uint32_t hash = (uint32_t)tm_chunk_hash(engine, chunk);
    struct tm_table *table = &engine->index[pool->kind];
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    /* First for a restart, then for everybody: from here on the pages are gone. */
    tm_store_release(&chunk->kind, 0u);
    bool was_there = tm_table_remove(table, bucket, hash, ref);
    tm_dirty_note(pool, hash, chunk->id, chunk->number, pages_in(chunk));
    tm_table_unlock(table, bucket);
    TM_ASSERT(was_there);
    unlink_chunk(engine, pool, ref);
    return ref;
}

/* What was taken out under a stripe's lock, to be freed without it. */
struct detached {
    uint64_t chunk;
    uint64_t object;      /* 0: it has other chunks */
    uint32_t chunks_left; /* of the object */
};

/* Stripe's lock held: takes an object's last chunk out, and the object with its only one. */
static struct detached detach(struct tm_engine *engine, struct tm_pool *pool, uint64_t object, uint32_t hash)
{
    struct detached detached = {.chunk = detach_last_chunk(engine, pool, object)};
    detached.chunks_left = object_at(engine, pool, object)->chunk_count;
    if (detached.chunks_left == 0) {
        remove_object(engine, pool, hash, object);
        detached.object = object;
    }
    return detached;
}

static void free_detached(struct tm_engine *engine, struct tm_pool *pool, const struct detached *detached,
                          unsigned shard)
{
    free_chunk(engine, pool, detached->chunk, shard);
    if (detached->object == 0)
        return;
    tm_record_free(engine->store, pool->kind, detached->object);
    tm_uncharge(pool, tm_record_bytes(TM_RECORD_OBJECT));
}

/* Removes one chunk of an object, and the object with its last. False: there was none. Answers in *left how
 * many chunks are left. */
static bool remove_one_chunk(struct tm_engine *engine, struct tm_pool *pool, struct tm_stripe *stripe,
                             const struct tm_object_id *id, uint32_t hash, unsigned shard, uint32_t *left)
{
    struct detached detached = {0};
    tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
    uint64_t object = find_object(engine, pool, id, hash);
    if (object != 0)
        detached = detach(engine, pool, object, hash);
    tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
    *left = detached.chunks_left;
    if (object != 0)
        free_detached(engine, pool, &detached, shard);
    return object != 0;
}

/*
 * Chunk by chunk, oldest first, so that nobody waits long for the stripe. New chunks come in front: after as many
 * as there were, those that were there at the begin are gone, whatever others add meanwhile.
 */
bool tm_index_remove_object(struct tm_engine *engine, struct tm_pool *pool, const struct tm_object_id *id,
                            unsigned shard)
{
    uint32_t hash = object_hash(engine, pool, id);
    struct tm_stripe *stripe = stripe_of(pool, hash);
    uint32_t left;
    if (!remove_one_chunk(engine, pool, stripe, id, hash, shard, &left))
        return false;
    for (uint32_t more = left; more > 0; more--)
        if (!remove_one_chunk(engine, pool, stripe, id, hash, shard, &left))
            break;
    return true;
}

bool tm_index_evict_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t *dropped)
{
    unsigned first = tm_fetch_add_relaxed(&pool->evict_stripe, 1u);
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++) {
        struct tm_stripe *stripe = &pool->stripe[(first + i) % TM_POOL_STRIPES];
        struct detached detached = {0};
        tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
        uint64_t object = stripe->last_object;
        if (object != 0) {
            struct tm_object_id id;
            memcpy(id.word, object_at(engine, pool, object)->id, sizeof id.word);
            detached = detach(engine, pool, object, object_hash(engine, pool, &id));
        }
        tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
        if (object == 0)
            continue;
        *dropped = chunk_at(engine, pool, detached.chunk)->count;
        tm_tally_add(pool, first % TM_SHARDS, TM_TALLY_EVICTED, *dropped);
        free_detached(engine, pool, &detached, first % TM_SHARDS);
        return true;
    }
    return false;
}

void tm_index_remove_pool(struct tm_engine *engine, struct tm_pool *pool)
{
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++) {
        struct tm_stripe *stripe = &pool->stripe[i];
        for (;;) {
            struct tm_object_id id = {{0, 0, 0}};
            tm_lock_acquire(&stripe->lock, TM_LOCK_object_stripe);
            uint64_t object = stripe->first_object;
            if (object != 0)
                memcpy(id.word, object_at(engine, pool, object)->id, sizeof id.word);
            tm_lock_release(&stripe->lock, TM_LOCK_object_stripe);
            if (object == 0)
                break;
            tm_index_remove_object(engine, pool, &id, 0);
        }
    }
}

/* ---- rebuilding ---- */

/* An earlier copy of the chunk, from before it grew: the larger one counts. */
static bool resolve_twice(struct tm_engine *engine, struct tm_place *place, uint64_t ref)
{
    struct tm_table_scan scan = {NULL, 0};
    struct tm_chunk *chunk = chunk_at(engine, place->pool, ref);
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

static void adopt_slots(struct tm_engine *engine, struct tm_pool *pool, struct tm_chunk *chunk, uint32_t hash,
                        struct tm_worker *worker)
{
    uint64_t bytes = 0;
    chunk->count = 0;
    for (unsigned i = 0; i < chunk->pages; i++) {
        tm_slots_expect(engine->store, chunk->slot, i, chunk->pages);
        tm_slot slot =
            tm_slot_adopt(engine->store, worker, pool->account->heap, chunk->slot[i], hash, chunk->first + i);
        chunk->slot[i] = slot;
        chunk->count = (uint16_t)(chunk->count + (slot != 0));
        tm_note_change(pool, 0, 0, slot);
        bytes += tm_slot_bytes(slot);
    }
    tm_charge_anyway(pool, bytes);
}

/* False: no memory for the object or the index. The chunk's numbers have been checked. */
bool tm_index_adopt_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t ref, struct tm_worker *worker)
{
    struct tm_chunk *chunk = chunk_at(engine, pool, ref);
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

    uint32_t hash = object_hash(engine, pool, &id);
    uint64_t object = find_object(engine, pool, &id, hash);
    if (object == 0) {
        object = tm_record_alloc(engine->store, pool->kind, TM_RECORD_OBJECT, TM_TIER_COPY);
        if (object == 0 || !enter_object(engine, pool, &id, hash, object))
            return false;
        tm_charge_anyway(pool, tm_record_bytes(TM_RECORD_OBJECT));
    }
    struct tm_bucket *bucket = tm_table_lock(place.index, place.hash);
    bool done = tm_table_insert(place.index, bucket, place.hash, ref);
    tm_table_unlock(place.index, bucket);
    if (!done)
        return false;
    link_chunk(engine, pool, object, ref);
    tm_charge_anyway(pool, tm_record_bytes(class_for(chunk->pages)));
    adopt_slots(engine, pool, chunk, place.hash, worker);
    tm_table_grow(place.index);
    return true;
}
