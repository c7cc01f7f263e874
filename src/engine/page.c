/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.c - put, get and invalidate of one page: the laws.
 *
 * A put prepares (may fail), commits by one store of the slot, then retires what was there. Whatever fails before
 * the commit undoes itself and then obeys law 1: the older page goes, or is said to be kept.
 */
#include "engine/engine_internal.h"

/* Steps of making room that one put may take; each frees a segment or answers that there is none. */
#define ROOM_STEPS 4096u
/* Times that "no room" is believed only after somebody else had time to finish. */
#define ROOM_PATIENCE 3u

struct put {
    struct tm_place place;
    struct tm_member *member;
    struct tm_worker *worker;
    struct tm_page_put page;
    uint32_t flags;
    uint32_t charged;   /* bytes charged for the page so far */
    uint32_t only_over; /* not charged: replace a page of at least so many bytes, or fail */
};

static uint32_t old_bytes(const struct tm_place *place)
{
    struct tm_found found;
    tm_index_lock(place, &found);
    uint32_t bytes = found.slot == NULL ? 0 : tm_slot_bytes(*found.slot);
    tm_index_unlock(place, &found);
    return bytes;
}

/* After the index let go of @old, which made its chunk empty or not. False: there was nothing to let go of. */
static bool finish_removal(const struct tm_place *place, tm_slot old, bool is_empty)
{
    if (old == 0)
        return false;
    tm_slot_release(place->engine->store, place->pool->kind, old);
    tm_uncharge(place->pool, tm_slot_bytes(old));
    if (is_empty)
        tm_index_reap(place);
    return true;
}

/* Removes the page. True: there was one. */
static bool remove_page(const struct tm_place *place)
{
    struct tm_found found;
    tm_slot old = 0;
    bool is_empty = false;
    tm_index_lock(place, &found);
    if (found.slot != NULL && *found.slot != 0)
        old = tm_index_clear(place, &found, &is_empty);
    tm_index_unlock(place, &found);
    return finish_removal(place, old, is_empty);
}

/* ---- put, step by step ---- */

/* Memory or the cap is short: a page that was to be compressed later is compressed now, and an equal one looked for
 * before there is room for this one. False: that was done. */
static bool tighten(struct put *put)
{
    if (!put->page.is_deferred && !put->page.looks_late)
        return false;
    put->page.is_tight = true;
    tm_put_prepare(put->place.engine->store, put->worker, &put->page);
    return true;
}

/* Charges the page before its block is reserved. A page that replaces one at least as large needs no charge:
 * it takes over the other's, at the commit. */
static bool charge_page(struct put *put)
{
    put->charged = 0;
    put->only_over = 0;
    if (put->page.bytes == 0)
        return true;
    for (;;) {
        if (tm_charge(put->place.pool, put->page.bytes)) {
            put->charged = put->page.bytes;
            return true;
        }
        if (tighten(put))
            continue;
        if (old_bytes(&put->place) >= put->page.bytes) {
            put->only_over = put->page.bytes;
            return true;
        }
        if (!tm_make_room_in(put->place.pool, put->worker, TM_EVICTED_CAP))
            return false;
    }
}

static void uncharge_page(struct put *put)
{
    if (put->charged != 0)
        tm_uncharge(put->place.pool, put->charged);
    put->charged = 0;
}

/* An equal page that was found late takes less than the page would have. */
static void settle_charge(struct put *put)
{
    if (put->charged > put->page.bytes) {
        tm_uncharge(put->place.pool, put->charged - put->page.bytes);
        put->charged = put->page.bytes;
    }
    if (put->only_over > put->page.bytes)
        put->only_over = put->page.bytes;
}

/* Writes the block, making room as needed. */
static enum tm_result write_page(struct put *put)
{
    struct tm_engine *engine = put->place.engine;
    struct tm_room room = {.for_whom = put->member->client};
    unsigned patience = 0;
    for (unsigned attempt = 0; attempt < ROOM_STEPS; attempt++) {
        room.tier = put->page.tier;
        switch (tm_put_write(engine->store, put->worker, &put->page)) {
        case TM_WRITE_OK:
            settle_charge(put);
            return TM_OK;
        case TM_WRITE_CHANGED:
            uncharge_page(put);
            put->page.no_dedup = true;
            tm_put_prepare(engine->store, put->worker, &put->page);
            if (!charge_page(put))
                return TM_REFUSED;
            break;
        case TM_WRITE_NO_ROOM:
            if (tighten(put)) {
                uncharge_page(put);
                if (!charge_page(put))
                    return TM_REFUSED;
                break;
            }
            if (tm_make_room(engine, put->worker, &room))
                break;
            if (put->page.tier == TM_TIER_NORMAL && old_bytes(&put->place) >= put->page.bytes)
                put->page.tier = TM_TIER_REPLACE;
            else if (patience++ < ROOM_PATIENCE)
                tm_platform_wait(patience + 64u);
            else
                return TM_REFUSED;
            break;
        }
    }
    return TM_REFUSED;
}

/* Makes the page what the handle means. On success *old is what it meant before. */
static enum tm_result commit_page(struct put *put, tm_slot *old)
{
    struct tm_room room = {.tier = TM_TIER_NORMAL, .for_whom = put->member->client};
    unsigned patience = 0;
    for (unsigned attempt = 0; attempt < ROOM_STEPS; attempt++) {
        switch (tm_index_set(&put->place, put->worker, put->page.slot, put->only_over, old)) {
        case TM_SET_OK:
            return TM_OK;
        case TM_SET_NOT_LARGER:
            return TM_REFUSED; /* what it was to replace has gone meanwhile */
        case TM_SET_OVER_CAP:
            if (!tm_make_room_in(put->place.pool, put->worker, TM_EVICTED_CAP))
                return TM_REFUSED;
            break;
        case TM_SET_NOMEM:
            if (tm_make_room(put->place.engine, put->worker, &room))
                break;
            if (patience++ >= ROOM_PATIENCE) /* either the size is the limit, or the host has no more */
                return tm_store_has_room(put->place.engine->store) ? TM_NOMEM : TM_REFUSED;
            tm_platform_wait(patience + 64u);
            break;
        }
    }
    return TM_NOMEM;
}

static enum tm_result store_page(struct put *put)
{
    struct tm_store *store = put->place.engine->store;
    struct tm_pool *pool = put->place.pool;
    if (!charge_page(put)) {
        tm_put_abandon(store, put->worker, &put->page);
        return TM_REFUSED;
    }
    enum tm_result result = write_page(put);
    if (result != TM_OK) {
        tm_put_abandon(store, put->worker, &put->page);
        uncharge_page(put);
        return result;
    }
    tm_slot old = 0;
    result = commit_page(put, &old);
    if (result != TM_OK) {
        tm_slot_release(store, pool->kind, put->page.slot);
        tm_put_finish(store, &put->page);
        uncharge_page(put);
        return result;
    }
    tm_put_finish(store, &put->page);
    if (old == 0)
        return TM_OK;
    tm_tally_add(pool, put->place.shard, TM_TALLY_PUTS_REPLACED, 1);
    tm_slot_release(store, pool->kind, old);
    uint32_t freed = tm_slot_bytes(old) - put->only_over; /* only_over: what the new page took over */
    if (freed != 0)
        tm_uncharge(pool, freed);
    return TM_OK;
}

/* Law 1, after a put that stored nothing. */
static enum tm_result fail_put(struct put *put, enum tm_result why)
{
    struct tm_pool *pool = put->place.pool;
    tm_tally_add(pool, put->place.shard, TM_TALLY_PUTS_REFUSED, 1);
    tm_note_refused(pool, put->member->client, why, put->page.bytes);
    if ((put->flags & TM_PUT_KEEP) != 0) {
        struct tm_found found;
        tm_index_lock(&put->place, &found);
        bool is_there = found.slot != NULL && *found.slot != 0;
        tm_index_unlock(&put->place, &found);
        return is_there ? TM_KEPT : why;
    }
    if (remove_page(&put->place))
        tm_tally_add(pool, put->place.shard, TM_TALLY_PUTS_DROPPED_OLD, 1);
    return why;
}

static void begin_put(struct put *put, struct tm_member *member, const struct tm_object_id *id, uint32_t index,
                      struct tm_worker *worker, uint32_t flags)
{
    struct tm_pool *pool = member->pool;
    tm_place_init(&put->place, pool, id, index);
    put->place.shard = tm_shard_of(worker);
    put->member = member;
    put->worker = worker;
    put->page = (struct tm_page_put){.heap = pool->account->heap,
                                     .hash = put->place.hash,
                                     .number = (uint8_t)put->place.page,
                                     .tier = TM_TIER_NORMAL};
    put->flags = flags;
    put->charged = 0;
    put->only_over = 0;
    if (pool->kind == TM_ARENA_EPHEMERAL)
        tm_sketch_prefetch(&pool->engine->sketch, put->place.hash, put->place.page);
    tm_index_expect_bucket(&put->place);
    tm_tally_add(pool, put->place.shard, TM_TALLY_PUTS, 1);
}

static enum tm_result end_put(struct put *put, enum tm_result result)
{
    struct tm_engine *engine = put->place.engine;
    if (result != TM_OK)
        return fail_put(put, result);
    if (put->place.pool->kind == TM_ARENA_EPHEMERAL && !tm_slot_is_inline(put->page.slot)) {
        tm_sketch_add(&engine->sketch, put->place.shard, put->place.hash, put->place.page);
        tm_age_heap(engine, put->place.pool->account);
        tm_evict_ahead(engine, put->worker, put->place.pool->account, put->member->client);
    }
    return TM_OK;
}

static bool put_flags_ok(const struct tm_member *member, uint32_t flags)
{
    if ((flags & ~(uint32_t)TM_PUT_KEEP) != 0)
        return false;
    return (flags & TM_PUT_KEEP) == 0 || member->pool->kind == TM_ARENA_PERSISTENT;
}

/* What is looked at first, to see whether the page is one repeated word. The rest comes in order, as it is hashed: to
 * ask for all of it here was slower by a tenth. */
static void prefetch_ends(const void *page)
{
    tm_prefetch_once(page);
    tm_prefetch_once((const unsigned char *)page + TM_PAGE_BYTES - TM_CACHE_LINE);
}

static enum tm_result put_with(struct tm_worker *worker, struct tm_member *member, const struct tm_object_id *id,
                               uint32_t index, const void *page, uint32_t flags)
{
    struct put put;
    begin_put(&put, member, id, index, worker, flags);
    prefetch_ends(page);
    if (tm_load_relaxed(&member->client->frozen) != 0)
        return fail_put(&put, TM_REFUSED);
    put.page.page = page;
    put.page.no_code = tm_load_relaxed(&member->client->plain) != 0;
    tm_put_prepare(put.place.engine->store, worker, &put.page);
    tm_index_expect_chunk(&put.place);
    return end_put(&put, store_page(&put));
}

enum tm_result tm_page_put(struct tm_member *member, const struct tm_object_id *object, uint32_t index,
                           const void *page, uint32_t flags)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_store *store = member->pool->engine->store;
    if (page == NULL || !put_flags_ok(member, flags))
        return TM_INVALID;
    struct tm_worker *worker = tm_worker_acquire(store);
    enum tm_result result = put_with(worker, member, object, index, page, flags);
    tm_worker_release(store, worker);
    return result;
}

bool tm_page_put_many(struct tm_member *member, struct tm_page_io *io, size_t count, uint32_t flags)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_store *store = member->pool->engine->store;
    bool is_valid = put_flags_ok(member, flags);
    struct tm_worker *worker = tm_worker_acquire(store);
    for (size_t i = 0; i < count; i++) {
        bool ok = is_valid && io[i].page != NULL;
        io[i].result = ok ? put_with(worker, member, &io[i].object, io[i].index, io[i].page, flags) : TM_INVALID;
    }
    tm_worker_release(store, worker);
    return is_valid;
}

enum tm_result tm_page_put_stored(struct tm_member *member, const struct tm_object_id *object, uint32_t index,
                                  enum tm_codec_id codec, const void *body, uint32_t body_bytes, uint32_t flags)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_store *store = member->pool->engine->store;
    if (!put_flags_ok(member, flags))
        return TM_INVALID;
    struct tm_worker *worker = tm_worker_acquire(store);
    enum tm_result result = TM_INVALID;
    if (tm_stored_check(store, worker, codec, body, body_bytes)) {
        struct put put;
        begin_put(&put, member, object, index, worker, flags);
        if (tm_load_relaxed(&member->client->frozen) != 0) {
            result = fail_put(&put, TM_REFUSED);
        } else {
            tm_put_prepare_stored(store, worker, &put.page, codec, body, body_bytes);
            result = end_put(&put, store_page(&put));
        }
    }
    tm_worker_release(store, worker);
    return result;
}

/* ---- get ---- */

struct get {
    struct tm_place place;
    struct tm_worker *worker;
    unsigned hazard;
    bool is_exclusive;
    tm_slot slot; /* what was found */
};

/* A content that was evicted: the page has gone, and is taken off the books now. Bucket locked; unlocks. */
static void drop_evicted(struct get *get, struct tm_found *found)
{
    bool is_empty;
    tm_slot old = tm_index_clear(&get->place, found, &is_empty);
    tm_index_unlock(&get->place, found);
    tm_tally_add(get->place.pool, get->place.shard, TM_TALLY_EVICTED, 1);
    tm_slot_release(get->place.engine->store, get->place.pool->kind, old);
    tm_uncharge(get->place.pool, tm_slot_bytes(old));
    if (is_empty)
        tm_index_reap(&get->place);
}

/* Finds the page and pins it. TM_OK: get->slot says what it is; an inline slot is all of the page. */
static enum tm_result find_page(struct get *get)
{
    struct tm_place *place = &get->place;
    struct tm_store *store = place->engine->store;
    struct tm_found found;
    tm_index_lock(place, &found);
    tm_slot slot = found.slot == NULL ? 0 : *found.slot;
    get->slot = slot;
    if (slot == 0 || tm_slot_type(slot) == TM_SLOT_LOST) {
        tm_index_unlock(place, &found);
        return slot == 0 ? TM_MISS : TM_CORRUPT;
    }
    tm_slot marks = tm_load_relaxed(&place->engine->marks[place->pool->kind]);
    if ((slot & marks) != marks)
        tm_store_relaxed(found.slot, slot | marks);
    if (tm_slot_is_inline(slot)) {
        tm_index_unlock(place, &found);
        return TM_OK;
    }
    if (!tm_pin(store, place->pool->kind, get->worker, get->hazard, slot)) {
        drop_evicted(get, &found);
        return TM_MISS;
    }
    tm_index_unlock(place, &found);
    return TM_OK;
}

/* A page that needs no block is not evicted either: nobody asks how often it was wanted. */
static bool is_counted(const struct get *get)
{
    return get->place.pool->kind == TM_ARENA_EPHEMERAL && !tm_slot_is_inline(get->slot);
}

/* Brings the found page's bytes into the cache, if it has any, with the counters that go with it. Also where the copy
 * follows at once: what it asks for again is what there was no room for. */
static void expect_copy(const struct get *get)
{
    if (is_counted(get)) /* first: it waits behind the page otherwise */
        tm_sketch_prefetch(&get->place.engine->sketch, get->place.hash, get->place.page);
    if (!tm_slot_is_inline(get->slot))
        tm_pinned_prefetch(get->place.engine->store, get->worker, get->hazard);
}

/* Locked: the slot is what was read. A pinned block cannot be used again meanwhile, so the place says who it is. */
static bool is_same(const struct get *get, tm_slot slot)
{
    const struct tm_place *place = &get->place;
    if (slot == 0 || !tm_slot_same(slot, get->slot))
        return false;
    return tm_slot_is_inline(slot) ||
           tm_pinned_is(place->engine->store, place->pool->kind, get->worker, get->hazard, slot);
}

/* The page still is what was read. */
static bool is_still_there(const struct get *get)
{
    struct tm_found found;
    tm_index_lock(&get->place, &found);
    bool is_there = found.slot != NULL && is_same(get, *found.slot);
    tm_index_unlock(&get->place, &found);
    return is_there;
}

/* Removes the page if it still is what was read. False: somebody else was quicker. */
static bool remove_same(struct get *get)
{
    struct tm_place *place = &get->place;
    struct tm_found found;
    tm_slot old = 0;
    bool is_empty = false;
    tm_index_lock(place, &found);
    if (found.slot != NULL && is_same(get, *found.slot))
        old = tm_index_clear(place, &found, &is_empty);
    tm_index_unlock(place, &found);
    return finish_removal(place, old, is_empty);
}

enum tm_read {
    TM_READ_DONE,
    TM_READ_MISS,
    TM_READ_CORRUPT,
    TM_READ_RACED /* somebody else was quicker: look again */
};

/* The pinned block behind the slot failed its check: a persistent page stays and says so, an ephemeral one goes. */
static enum tm_read damaged(struct get *get)
{
    struct tm_pool *pool = get->place.pool;
    bool stays = pool->kind == TM_ARENA_PERSISTENT;
    if (!(stays ? is_still_there(get) : remove_same(get)))
        return TM_READ_RACED;
    tm_tally_add(pool, get->place.shard, TM_TALLY_GETS_CORRUPT, 1);
    return stays ? TM_READ_CORRUPT : TM_READ_MISS;
}

/* Copies the found page out, and removes it if the get is exclusive, while what was found is still pinned. */
static enum tm_read copy_page(struct get *get, void *page)
{
    struct tm_store *store = get->place.engine->store;
    bool is_pinned = !tm_slot_is_inline(get->slot);
    enum tm_read result = TM_READ_DONE;
    if (!is_pinned)
        tm_same_fill(page, tm_slot_word(get->slot));
    else if (!tm_pinned_read(store, get->worker, get->hazard, get->place.hash, get->place.page, page))
        result = damaged(get);
    if (result == TM_READ_DONE && get->is_exclusive && !remove_same(get))
        result = TM_READ_RACED;
    if (is_pinned)
        tm_unpin(get->worker, get->hazard);
    return result;
}

static bool is_exclusive(const struct tm_pool *pool, enum tm_get_mode mode)
{
    if (mode == TM_GET_DEFAULT)
        return pool->kind == TM_ARENA_EPHEMERAL && !pool->is_shared;
    return mode == TM_GET_EXCLUSIVE;
}

static void begin_get(struct get *get, struct tm_member *member, const struct tm_object_id *id, uint32_t index,
                      struct tm_worker *worker, unsigned hazard, enum tm_get_mode mode)
{
    tm_place_init(&get->place, member->pool, id, index);
    get->place.shard = tm_shard_of(worker);
    get->worker = worker;
    get->hazard = hazard;
    get->is_exclusive = is_exclusive(member->pool, mode);
    get->slot = 0;
    tm_tally_add(member->pool, get->place.shard, TM_TALLY_GETS, 1);
}

/* After find_page() said TM_OK. An exclusive get that was raced looks again: the page may only have moved. */
static enum tm_result finish_get(struct get *get, void *page)
{
    for (;;) {
        enum tm_result result;
        switch (copy_page(get, page)) {
        case TM_READ_DONE:
            tm_tally_add(get->place.pool, get->place.shard, TM_TALLY_GETS_FOUND, 1);
            if (is_counted(get))
                tm_sketch_add(&get->place.engine->sketch, get->place.shard, get->place.hash, get->place.page);
            if ((get->slot & TM_SLOT_WARM) != 0 && !get->is_exclusive &&
                tm_slot_is_cold(get->place.engine->store, get->slot))
                tm_cold_note_wanted(&get->place, get->slot);
            return TM_OK;
        case TM_READ_MISS:
            return TM_MISS;
        case TM_READ_CORRUPT:
            return TM_CORRUPT;
        case TM_READ_RACED:
            result = find_page(get);
            if (result != TM_OK)
                return result;
            break;
        }
    }
}

enum tm_result tm_page_get(struct tm_member *member, const struct tm_object_id *object, uint32_t index, void *page,
                           enum tm_get_mode mode)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_store *store = member->pool->engine->store;
    if (page == NULL || (unsigned)mode > TM_GET_INCLUSIVE)
        return TM_INVALID;
    struct tm_worker *worker = tm_worker_acquire(store);
    struct get get;
    begin_get(&get, member, object, index, worker, 0, mode);
    enum tm_result result = find_page(&get);
    if (result == TM_OK) {
        expect_copy(&get);
        result = finish_get(&get, page);
    }
    tm_worker_release(store, worker);
    return result;
}

/* ---- batches of gets ---- */

#define BATCH (TM_HAZARDS - 1u)

/* Up to BATCH gets at once: first all buckets come into the cache, then all chunks, then all slots are found; and
 * while one page is copied the next one comes. */
static void get_batch(struct tm_worker *worker, struct tm_member *member, struct tm_page_io *io, unsigned count,
                      enum tm_get_mode mode)
{
    struct get get[BATCH];
    for (unsigned i = 0; i < count; i++) {
        begin_get(&get[i], member, &io[i].object, io[i].index, worker, i, mode);
        tm_index_expect_bucket(&get[i].place);
    }
    for (unsigned i = 0; i < count; i++)
        tm_index_expect_chunk(&get[i].place);
    for (unsigned i = 0; i < count; i++)
        io[i].result = io[i].page == NULL ? TM_INVALID : find_page(&get[i]);
    for (unsigned i = 0; i <= count; i++) {
        if (i < count && io[i].result == TM_OK) {
            expect_copy(&get[i]);
        }
        if (i > 0 && io[i - 1].result == TM_OK)
            io[i - 1].result = finish_get(&get[i - 1], io[i - 1].page);
    }
}

void tm_page_get_many(struct tm_member *member, struct tm_page_io *io, size_t count, enum tm_get_mode mode)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_store *store = member->pool->engine->store;
    struct tm_worker *worker = tm_worker_acquire(store);
    for (size_t done = 0; done < count; done += BATCH) {
        unsigned now = count - done < BATCH ? (unsigned)(count - done) : BATCH;
        get_batch(worker, member, io + done, now, mode);
    }
    tm_worker_release(store, worker);
}

/* Copies the found page's stored form out. */
static enum tm_read copy_stored(struct get *get, enum tm_codec_id *codec, void *body, uint32_t *body_bytes)
{
    struct tm_store *store = get->place.engine->store;
    if (tm_slot_is_inline(get->slot)) {
        uint64_t word = tm_slot_word(get->slot);
        memcpy(body, &word, sizeof word);
        *codec = TM_CODEC_SAME;
        *body_bytes = sizeof word;
        return TM_READ_DONE;
    }
    bool whole = tm_pinned_read_stored(store, get->worker, get->hazard, get->place.hash, get->place.page, codec, body,
                                       body_bytes);
    enum tm_read result = whole ? TM_READ_DONE : damaged(get);
    tm_unpin(get->worker, get->hazard);
    return result;
}

enum tm_result tm_page_get_stored(struct tm_member *member, const struct tm_object_id *object, uint32_t index,
                                  enum tm_codec_id *codec, void *body, uint32_t *body_bytes)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_store *store = member->pool->engine->store;
    struct tm_worker *worker = tm_worker_acquire(store);
    struct get get;
    enum tm_result result;
    enum tm_read read = TM_READ_RACED;
    begin_get(&get, member, object, index, worker, 0, TM_GET_INCLUSIVE);
    while (read == TM_READ_RACED && (result = find_page(&get)) == TM_OK)
        read = copy_stored(&get, codec, body, body_bytes);
    if (result == TM_OK && read != TM_READ_DONE)
        result = read == TM_READ_MISS ? TM_MISS : TM_CORRUPT;
    if (result == TM_OK)
        tm_tally_add(member->pool, get.place.shard, TM_TALLY_GETS_FOUND, 1);
    tm_worker_release(store, worker);
    return result;
}

/* ---- invalidate ---- */

enum tm_result tm_page_invalidate(struct tm_member *member, const struct tm_object_id *object, uint32_t index)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_place place;
    tm_place_init(&place, member->pool, object, index);
    place.shard = tm_shard_of_thread(member->pool->engine);
    tm_tally_add(place.pool, place.shard, TM_TALLY_INVALIDATES, 1);
    if (!remove_page(&place))
        return TM_MISS;
    tm_tally_add(place.pool, place.shard, TM_TALLY_INVALIDATES_FOUND, 1);
    return TM_OK;
}

bool tm_object_invalidate_step(struct tm_member *member, const struct tm_object_id *object,
                               struct tm_invalidation *invalidation, uint32_t chunks)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_pool *pool = member->pool;
    unsigned shard = tm_shard_of_thread(pool->engine);
    bool found = tm_index_remove_object(pool, object, shard, chunks, &invalidation->chunks_left);
    if (!invalidation->is_begun) {
        invalidation->is_begun = true;
        invalidation->result = found ? TM_OK : TM_MISS;
        tm_tally_add(pool, shard, TM_TALLY_OBJECT_INVALIDATES, 1);
        if (found)
            tm_tally_add(pool, shard, TM_TALLY_OBJECT_INVALIDATES_FOUND, 1);
    }
    return invalidation->chunks_left > 0;
}

enum tm_result tm_object_invalidate(struct tm_member *member, const struct tm_object_id *object)
{
    struct tm_invalidation invalidation = {0};
    (void)tm_object_invalidate_step(member, object, &invalidation, UINT32_MAX);
    return invalidation.result;
}
