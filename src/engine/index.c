/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.c - from a handle to its slot: look-up, the commit point of a put, and the store's questions about
 * blocks. Chunks and objects coming and going are in chunk.c.
 *
 * One look-up of (pool, object, index / 64) finds a chunk; the page's slot is in it. Chunks and objects are
 * entries of one table; what kind a record is, its first word says.
 */
#include "base/mix.h"
#include "engine/index_internal.h"

/* How many pages more one thread may have put before the most that there were is looked at. */
#define PAGES_MAX_STEP 32u

void tm_place_init(struct tm_place *place, struct tm_pool *pool, const struct tm_object_id *id, uint32_t index)
{
    place->engine = pool->engine;
    place->pool = pool;
    place->index = &pool->engine->index[pool->kind];
    place->id = *id;
    place->chunk = index / TM_CHUNK_PAGES;
    place->page = index % TM_CHUNK_PAGES;
    place->hash = (uint32_t)tm_mix_handle(pool->engine->seeds, pool->number, id->word, place->chunk);
    place->shard = 0;
}

uint64_t tm_chunk_hash(const struct tm_engine *engine, const struct tm_chunk *chunk)
{
    return tm_mix_handle(engine->seeds, chunk->pool, chunk->id, chunk->number);
}

bool tm_is_chunk(const struct tm_chunk *chunk)
{
    uint32_t live = chunk->kind;
    return live == TM_RECORD_LIVE(TM_RECORD_CHUNK_4) || live == TM_RECORD_LIVE(TM_RECORD_CHUNK_16) ||
           live == TM_RECORD_LIVE(TM_RECORD_CHUNK_64);
}

static bool is_chunk_of(const struct tm_chunk *chunk, const struct tm_place *place)
{
    return tm_is_chunk(chunk) && chunk->number == place->chunk && chunk->pool == place->pool->number &&
           chunk->id[0] == place->id.word[0] && chunk->id[1] == place->id.word[1] && chunk->id[2] == place->id.word[2];
}

/* The lines of a chunk's record that a look-up reads. Where its window begins is in one of them; most begin at 0. */
static void prefetch_chunk(const struct tm_chunk *chunk, unsigned page)
{
    tm_prefetch(chunk);
    tm_prefetch(&chunk->slot[page]);
}

void tm_index_expect_bucket(const struct tm_place *place)
{
    tm_table_prefetch(place->index, place->hash);
}

void tm_index_expect_chunk(const struct tm_place *place)
{
    uint64_t ref = tm_table_guess(place->index, place->hash);
    if (ref != 0)
        prefetch_chunk(tm_record_at(place->engine->store, place->pool->kind, ref), place->page);
}

struct tm_chunk *tm_find_chunk(const struct tm_place *place, struct tm_bucket *bucket, struct tm_table_scan *scan)
{
    uint64_t ref;
    while ((ref = tm_table_next(place->index, bucket, place->hash, scan)) != 0) {
        struct tm_chunk *chunk = tm_record_at(place->engine->store, place->pool->kind, ref);
        prefetch_chunk(chunk, place->page); /* the slot with the header, not after it */
        if (is_chunk_of(chunk, place))
            return chunk;
    }
    return NULL;
}

/* The slot of a page in a chunk, or NULL if its window does not reach there. */
static tm_slot *slot_in(struct tm_chunk *chunk, unsigned page)
{
    unsigned at = page - chunk->first;
    return page >= chunk->first && at < chunk->pages ? &chunk->slot[at] : NULL;
}

void tm_index_lock(const struct tm_place *place, struct tm_found *found)
{
    struct tm_table_scan scan = {NULL, 0};
    found->bucket = tm_table_lock(place->index, place->hash);
    found->chunk = tm_find_chunk(place, found->bucket, &scan);
    found->slot = found->chunk == NULL ? NULL : slot_in(found->chunk, place->page);
}

void tm_index_unlock(const struct tm_place *place, struct tm_found *found)
{
    tm_table_unlock(place->index, found->bucket);
    found->bucket = NULL;
}

/* ---- books ---- */

static void count_kind(struct tm_pool *pool, unsigned shard, tm_slot slot, uint64_t change)
{
    if (tm_slot_is_same_filled(slot))
        tm_tally_add(pool, shard, TM_TALLY_SAME, change);
    else if (tm_slot_type(slot) == TM_SLOT_SHARED)
        tm_tally_add(pool, shard, TM_TALLY_SHARED, change);
}

static void raise_pages_max(struct tm_pool *pool)
{
    uint64_t pages = tm_tally_of(pool, TM_TALLY_PAGES);
    uint64_t most = tm_load_relaxed(&pool->pages_max);
    while (pages > most && !tm_compare_exchange(&pool->pages_max, &most, pages)) {
    }
}

/* The most is looked at while pages are few, and now and then: threads that put would meet at it. */
void tm_note_pages(struct tm_pool *pool, unsigned shard, uint64_t change)
{
    uint64_t pages = tm_tally_add(pool, shard, TM_TALLY_PAGES, change);
    if ((int64_t)change > 0 && (pages < PAGES_MAX_STEP || pages % PAGES_MAX_STEP == 0))
        raise_pages_max(pool);
}

void tm_note_change(struct tm_pool *pool, unsigned shard, tm_slot old, tm_slot slot)
{
    if (old != 0)
        count_kind(pool, shard, old, (uint64_t)-1);
    if (slot != 0)
        count_kind(pool, shard, slot, 1);
    if ((old == 0) != (slot == 0))
        tm_note_pages(pool, shard, slot != 0 ? 1u : (uint64_t)-1);
}

uint64_t tm_note_removed(struct tm_pool *pool, unsigned shard, const tm_slot *slots, unsigned count)
{
    uint64_t pages = 0;
    uint64_t same = 0;
    uint64_t shared = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        pages += slots[i] != 0;
        same += tm_slot_is_same_filled(slots[i]);
        shared += tm_slot_type(slots[i]) == TM_SLOT_SHARED;
        bytes += tm_slot_bytes(slots[i]);
    }
    if (same != 0)
        tm_tally_add(pool, shard, TM_TALLY_SAME, -same);
    if (shared != 0)
        tm_tally_add(pool, shard, TM_TALLY_SHARED, -shared);
    tm_note_pages(pool, shard, -pages);
    return bytes;
}

/* Locked: stores a slot. For a restart this is the moment. */
static tm_slot change_slot(const struct tm_place *place, struct tm_found *found, tm_slot slot)
{
    tm_slot old = *found->slot;
    tm_store_release(found->slot, slot);
    found->chunk->count = (uint16_t)(found->chunk->count + (slot != 0) - (old != 0));
    tm_note_change(place->pool, place->shard, old, slot);
    tm_dirty_note(place->pool, place->hash, place->id.word, place->chunk, UINT64_C(1) << place->page);
    return old;
}

tm_slot tm_index_clear(const struct tm_place *place, struct tm_found *found, bool *is_empty)
{
    TM_ASSERT(found->slot != NULL && *found->slot != 0);
    tm_slot old = change_slot(place, found, 0);
    *is_empty = found->chunk->count == 0;
    return old;
}

enum tm_set tm_index_set(const struct tm_place *place, struct tm_worker *worker, tm_slot slot, uint32_t only_over,
                         tm_slot *old)
{
    (void)worker;
    for (;;) {
        struct tm_found found;
        enum tm_set result = TM_SET_OK;
        struct tm_chunk shape = {.pages = 0};
        tm_index_lock(place, &found);
        bool reaches = found.slot != NULL;
        if (only_over != 0 && (!reaches || tm_slot_bytes(*found.slot) < only_over))
            result = TM_SET_NOT_LARGER;
        else if (reaches)
            *old = change_slot(place, &found, slot);
        else if (found.chunk != NULL)
            shape = (struct tm_chunk){.first = found.chunk->first, .pages = found.chunk->pages};
        tm_index_unlock(place, &found);
        if (reaches || result != TM_SET_OK)
            return result;
        result = tm_chunk_add(place, &shape);
        if (result != TM_SET_OK)
            return result;
    }
}

/* ---- the store's questions ---- */

/* Locks the bucket of @hash and finds the slot that refers to the block at @offset. */
static bool lock_block(struct tm_engine *engine, enum tm_arena_kind arena, uint32_t hash, unsigned number,
                       uint64_t offset, struct tm_found *found)
{
    struct tm_table *table = &engine->index[arena];
    struct tm_table_scan scan = {NULL, 0};
    uint64_t ref;
    found->bucket = tm_table_lock(table, hash);
    while ((ref = tm_table_next(table, found->bucket, hash, &scan)) != 0) {
        found->chunk = tm_record_at(engine->store, arena, ref);
        if (!tm_is_chunk(found->chunk))
            continue;
        found->slot = slot_in(found->chunk, number);
        if (found->slot != NULL && tm_slot_is_block(*found->slot) && tm_slot_offset(*found->slot) == offset)
            return true;
    }
    return false;
}

/* The place of a page that lock_block() found. */
static void place_of(struct tm_engine *engine, const struct tm_found *found, unsigned number, uint32_t hash,
                     struct tm_place *place)
{
    const struct tm_chunk *chunk = found->chunk;
    place->engine = engine;
    place->pool = tm_pool_at(engine, chunk->pool);
    place->index = &engine->index[place->pool->kind];
    memcpy(place->id.word, chunk->id, sizeof place->id.word);
    place->chunk = chunk->number;
    place->page = number;
    place->hash = hash;
    place->shard = 0;
}

bool tm_index_stays(struct tm_engine *engine, struct tm_account *account, tm_slot *slot, uint32_t hash, unsigned number,
                    enum tm_purge why)
{
    bool was_used = (*slot & TM_SLOT_USED) != 0;
    switch (why) {
    case TM_PURGE_CLEAN:
        return true;
    case TM_PURGE_COOL:
        *slot &= ~TM_SLOT_WARM;
        return true;
    case TM_PURGE_SECOND:
        *slot &= ~TM_SLOT_USED;
        return was_used;
    case TM_PURGE_ADMIT:
        *slot &= ~TM_SLOT_USED;
        return tm_is_worth_keeping(engine, account, hash, number);
    case TM_PURGE_ALL:
        break;
    }
    return false;
}

enum tm_fate tm_index_judge(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                            enum tm_purge why, tm_slot *slot)
{
    struct tm_engine *engine = user;
    struct tm_found found;
    if (!lock_block(engine, arena, hash, number, offset, &found)) {
        tm_table_unlock(&engine->index[arena], found.bucket);
        return TM_FATE_DEAD;
    }
    struct tm_place place;
    place_of(engine, &found, number, hash, &place);
    *slot = *found.slot;
    if (tm_index_stays(engine, place.pool->account, found.slot, hash, number, why)) {
        tm_index_unlock(&place, &found);
        return TM_FATE_KEEP;
    }
    TM_ASSERT(arena == TM_ARENA_EPHEMERAL);
    bool is_empty;
    /* While the bucket is locked the pool has a chunk, so it has not ended; the pin keeps it so. */
    tm_fetch_add(&place.pool->pins, 1u);
    *slot = tm_index_clear(&place, &found, &is_empty);
    tm_index_unlock(&place, &found);
    tm_tally_add(place.pool, 0, TM_TALLY_EVICTED, 1);
    tm_uncharge(place.pool, tm_slot_bytes(*slot));
    if (is_empty)
        tm_index_reap(&place);
    tm_pool_unpin(place.pool);
    return TM_FATE_DROPPED;
}

enum swapped {
    SWAPPED,
    SWAP_GONE, /* nobody refers to the block */
    SWAP_GROWS /* the new block takes more than was paid for */
};

/* Swaps if @paid bytes and the old block's suffice. *bytes: how many were left over, or are missing, for which *pool
 * is pinned. */
static enum swapped try_swap(struct tm_engine *engine, enum tm_arena_kind arena, uint32_t hash, unsigned number,
                             uint64_t from, tm_slot to, uint32_t paid, struct tm_pool **pool, uint32_t *bytes)
{
    struct tm_found found;
    enum swapped result = SWAP_GONE;
    *bytes = paid;
    if (lock_block(engine, arena, hash, number, from, &found)) {
        struct tm_pool *owner = tm_pool_at(engine, found.chunk->pool);
        tm_slot old = *found.slot;
        uint32_t allowed = tm_slot_bytes(old) + paid;
        result = tm_slot_bytes(to) <= allowed ? SWAPPED : SWAP_GROWS;
        *bytes = result == SWAPPED ? allowed - tm_slot_bytes(to) : tm_slot_bytes(to) - allowed;
        if (result == SWAPPED) {
            tm_store_release(found.slot, to | (old & (TM_SLOT_USED | TM_SLOT_WARM)));
            tm_note_change(owner, 0, old, to);
        }
        if (*bytes != 0 && *pool == NULL) {
            tm_fetch_add(&owner->pins, 1u); /* see tm_index_judge() */
            *pool = owner;
        }
    }
    tm_table_unlock(&engine->index[arena], found.bucket);
    return result;
}

bool tm_index_swap(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t from, tm_slot to)
{
    struct tm_engine *engine = user;
    struct tm_pool *pool = NULL;
    uint32_t bytes;
    enum swapped result = try_swap(engine, arena, hash, number, from, to, 0, &pool, &bytes);
    if (result == SWAP_GROWS) {
        /* The charge comes first, without the lock; then the reference is looked for again. */
        uint32_t paid = tm_charge(pool, bytes) ? bytes : 0;
        bytes = 0;
        if (paid != 0)
            result = try_swap(engine, arena, hash, number, from, to, paid, &pool, &bytes);
    }
    if (bytes != 0)
        tm_uncharge(pool, bytes);
    if (pool != NULL)
        tm_pool_unpin(pool);
    return result == SWAPPED;
}

bool tm_index_pin(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                  struct tm_worker *worker, unsigned hazard)
{
    struct tm_engine *engine = user;
    struct tm_found found;
    bool done = lock_block(engine, arena, hash, number, offset, &found);
    if (done)
        done = tm_pin(engine->store, arena, worker, hazard, *found.slot);
    tm_table_unlock(&engine->index[arena], found.bucket);
    return done;
}

void tm_index_expect(void *user, enum tm_arena_kind arena, uint32_t hash)
{
    tm_table_prefetch(&((struct tm_engine *)user)->index[arena], hash);
}
