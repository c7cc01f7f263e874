/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * put.c - from a page to a slot: same-filled? equal to another? coded; reserved; written. And from a
 * slot back to nothing.
 */
#include "base/mix.h"
#include "store/store_internal.h"

#define SMALL_SHIFT 8

/* The word as an inline slot, or 0 if it does not fit one. */
static tm_slot inline_slot(uint64_t word)
{
    if ((uint64_t)((int64_t)(word << SMALL_SHIFT) >> SMALL_SHIFT) == word)
        return word << SMALL_SHIFT | TM_SLOT_SAME_SMALL;
    if (word >> 32 == (word & UINT32_MAX))
        return (word & UINT32_MAX) << SMALL_SHIFT | TM_SLOT_SAME_TWICE;
    if ((word & 0xffu) == 0) /* such as most numbers in floating point that somebody fills memory with */
        return word | TM_SLOT_SAME_HIGH;
    return 0;
}

/* What is stored are the first so many bytes of the worker's memory; padded. */
static void set_body(struct tm_worker *worker, struct tm_page_put *put, enum tm_codec_id codec, uint32_t bytes)
{
    put->codec = (uint8_t)codec;
    put->body = worker->body;
    put->body_bytes = bytes;
    put->bytes = tm_block_bytes(bytes);
    tm_block_pad(worker->body, bytes);
}

static void prepare_same(struct tm_worker *worker, struct tm_page_put *put, uint64_t word)
{
    put->slot = inline_slot(word);
    if (put->slot != 0)
        return;
    memcpy(worker->body, &word, sizeof word);
    set_body(worker, put, TM_CODEC_SAME, sizeof word);
}

static void prepare_raw(struct tm_page_put *put)
{
    put->codec = TM_CODEC_RAW;
    put->body = put->page;
    put->body_bytes = TM_PAGE_BYTES;
    put->bytes = tm_block_bytes(TM_PAGE_BYTES);
}

/* Pages of different domains never meet: the domain is part of what contents are found by. */
static uint32_t content_hash(const struct tm_page_put *put)
{
    return (uint32_t)tm_scramble(put->page_hash ^ tm_scramble(put->heap->domain));
}

/* From more equal pages on than one in so many, looking for them before writing is cheaper. */
#define LATE_PART 4u

/* Notes whether a page had an equal one; the last few count most. */
static void note_twin(struct tm_worker *worker, const struct tm_page_put *put)
{
    worker->twins -= worker->twins / 8u;
    worker->twins += put->twin != TM_TWIN_NONE ? TM_TWINS_ALWAYS / 8u : 0;
}

void tm_put_prepare(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    uint64_t word;
    put->slot = 0;
    put->bytes = 0;
    put->twin = TM_TWIN_NONE;
    put->content_hash = 0;
    put->pinned_segment = 0;
    put->is_deferred = false;
    put->looks_late = false;
    if (tm_same_filled(put->page, &word)) {
        prepare_same(worker, put, word);
        return;
    }
    bool may_look = store->config.dedup && !put->no_dedup;
    put->is_deferred = !put->is_tight && !put->no_code && tm_store_may_defer(store);
    if (may_look && !put->is_tight && (put->is_deferred || store->codec.encodes == TM_CODEC_RAW) &&
        worker->twins < TM_TWINS_ALWAYS / LATE_PART) {
        put->looks_late = true;
        prepare_raw(put);
        return;
    }
    if (store->config.dedup) {
        put->page_hash = store->codec.hash(put->page, TM_PAGE_BYTES, store->check_seed);
        put->content_hash = content_hash(put);
        tm_table_prefetch(&store->contents[put->heap->kind], put->content_hash);
    }
    if (may_look) {
        tm_dedup_find(store, worker, put);
        note_twin(worker, put);
        if (put->twin != TM_TWIN_NONE) {
            put->is_deferred = false;
            return;
        }
    }
    enum tm_codec_id codec = TM_CODEC_RAW;
    size_t bytes = 0;
    if (!put->is_deferred && !put->no_code)
        bytes = store->codec.encode(&store->codec, worker->context, put->page, worker->body, &codec);
    if (bytes != 0 && bytes <= TM_CODEC_ENCODED_MAX)
        set_body(worker, put, codec, (uint32_t)bytes);
    else
        prepare_raw(put);
}

void tm_put_prepare_stored(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put,
                           enum tm_codec_id codec, const void *body, uint32_t body_bytes)
{
    (void)store;
    put->slot = 0;
    put->twin = TM_TWIN_NONE;
    put->content_hash = 0;
    put->pinned_segment = 0;
    put->no_dedup = true;
    memcpy(worker->body, body, body_bytes);
    set_body(worker, put, codec, body_bytes);
    if (codec == TM_CODEC_SAME) {
        uint64_t word;
        memcpy(&word, body, sizeof word);
        put->slot = inline_slot(word);
        if (put->slot != 0)
            put->bytes = 0;
    }
}

/* Writes the block into its place, and names it in the table of contents. True: it did. */
static bool write_block(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put,
                        const struct tm_reservation *at)
{
    enum tm_arena_kind arena = put->heap->kind;
    /* A page as it is may have been hashed already, to look for an equal one. */
    bool is_page = put->body == put->page && store->config.dedup;
    bool is_known = is_page && !put->looks_late;
    uint64_t hash = tm_block_fill(store, arena, at, put->body, put->body_bytes, is_known ? &put->page_hash : NULL);
    if (put->looks_late) {
        put->page_hash = hash;
        put->content_hash = content_hash(put);
        tm_table_prefetch(&store->contents[arena], put->content_hash);
    }
    uint64_t word = (uint64_t)put->codec << 19 | (uint64_t)put->number << 13 | put->body_bytes;
    if (put->is_deferred)
        word |= TM_BLOCK_DEFERRED;
    tm_block_seal(store, arena, at, put->hash, put->content_hash, word, hash);
    if (put->content_hash == 0 || put->codec == TM_CODEC_SAME)
        return false;
    if (!put->looks_late)
        return tm_dedup_list(store, arena, put->content_hash, at->offset);
    bool listed = tm_dedup_find_or_list(store, worker, put, at->offset);
    note_twin(worker, put);
    return listed;
}

enum tm_write tm_put_write(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    if (put->slot != 0) /* inline: nothing to write */
        return TM_WRITE_OK;
    if (put->twin != TM_TWIN_NONE)
        return tm_dedup_share(store, worker, put);

    struct tm_heap *heap = put->heap;
    unsigned lane = tm_heap_put_lane(heap, worker->number);
    struct tm_reservation at;
    if (!tm_heap_reserve(heap, lane, put->body_bytes, put->tier, &at))
        return TM_WRITE_NO_ROOM;
    bool listed = write_block(store, worker, put, &at);
    if (put->twin != TM_TWIN_NONE) {
        tm_heap_give_back(heap, lane, &at, put->body_bytes);
        put->is_deferred = put->looks_late = false;
        return tm_dedup_share(store, worker, put);
    }
    if (put->is_deferred)
        tm_segment_defer(heap, at.segment);
    put->slot = tm_slot_make(put->codec, put->bytes, at.offset, listed);
    put->pinned_segment = at.segment;
    if (TM_UNLIKELY(put->codec == (unsigned)store->codec.cold_encodes))
        tm_count_block(store, put->slot, 1);
    else
        tm_worker_count_block(worker, put->codec);
    return TM_WRITE_OK;
}

void tm_put_finish(struct tm_store *store, struct tm_page_put *put)
{
    if (put->pinned_segment != 0)
        tm_segment_writer_done(store, put->heap->kind, put->pinned_segment);
    put->pinned_segment = 0;
}

void tm_put_abandon(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    if (put->twin == TM_TWIN_NONE)
        return;
    tm_unpin(worker, 0);
    if (put->twin == TM_TWIN_CONTENT)
        tm_content_unref(store, put->heap->kind, put->twin_ref);
    put->twin = TM_TWIN_NONE;
}

bool tm_stored_check(struct tm_store *store, struct tm_worker *worker, enum tm_codec_id codec, const void *body,
                     uint32_t body_bytes)
{
    if (codec == TM_CODEC_RAW)
        return body_bytes == TM_PAGE_BYTES;
    if (codec == TM_CODEC_SAME)
        return body_bytes == sizeof(uint64_t);
    if (body_bytes == 0 || body_bytes > TM_CODEC_ENCODED_MAX || !store->codec.knows(&store->codec, codec))
        return false;
    return store->codec.decode(&store->codec, worker->context, codec, body, body_bytes, worker->page);
}

static const struct tm_block *block_of(const struct tm_store *store, enum tm_arena_kind arena, tm_slot slot)
{
    return (const struct tm_block *)(const void *)tm_arena_address(&store->arena[arena], tm_slot_offset(slot));
}

static bool is_listed(tm_slot slot)
{
    return tm_slot_is_block(slot) && (slot & TM_SLOT_LISTED) != 0;
}

#define SLOTS_AT_ONCE 64u

/*
 * Takes up to SLOTS_AT_ONCE blocks out of the table of contents. What that looks at comes into the cache together:
 * first all headers, then all buckets. (Going through them with the buckets a fixed distance behind was slower: the
 * core waits for headers.)
 */
static void forget_blocks(struct tm_store *store, enum tm_arena_kind arena, const tm_slot *slots, unsigned count)
{
    struct tm_table_entry entries[SLOTS_AT_ONCE];
    const tm_slot *of_entry[SLOTS_AT_ONCE];
    unsigned listed = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!is_listed(slots[i]))
            continue;
        tm_prefetch(block_of(store, arena, slots[i]));
        of_entry[listed++] = &slots[i];
    }
    if (listed == 0)
        return;
    for (unsigned i = 0; i < listed; i++) {
        entries[i].ref = tm_slot_offset(*of_entry[i]);
        entries[i].hash = block_of(store, arena, *of_entry[i])->content_hash;
    }
    tm_table_remove_many(&store->contents[arena], entries, listed);
    for (unsigned i = 0; i < listed; i++)
        if (TM_UNLIKELY(entries[i].bucket == NULL))
            tm_dedup_forget_damaged(store, arena, entries[i].ref, tm_slot_bytes(*of_entry[i]));
}

void tm_slots_release(struct tm_store *store, enum tm_arena_kind arena, const tm_slot *slots, unsigned count)
{
    /* Neighbours often have one codec and lie in one segment: their books are kept together. */
    int blocks[TM_CODEC_IDS] = {0};
    uint32_t codec_bytes[TM_CODEC_IDS] = {0};
    uint32_t segment = 0;
    uint32_t bytes = 0; /* of it */
    for (unsigned at = 0; at < count; at += SLOTS_AT_ONCE)
        forget_blocks(store, arena, slots + at, count - at < SLOTS_AT_ONCE ? count - at : SLOTS_AT_ONCE);
    for (unsigned i = 0; i < count; i++) {
        if (tm_slot_type(slots[i]) == TM_SLOT_SHARED)
            tm_content_unref(store, arena, tm_slot_offset(slots[i]));
        if (!tm_slot_is_block(slots[i]))
            continue;
        uint32_t its = tm_segment_of(&store->arena[arena], tm_slot_offset(slots[i]));
        if (its != segment && bytes != 0) {
            tm_segment_sub_live(store, arena, segment, bytes);
            bytes = 0;
        }
        segment = its;
        bytes += tm_slot_bytes(slots[i]);
        blocks[tm_slot_type(slots[i])]--;
        codec_bytes[tm_slot_type(slots[i])] += tm_slot_bytes(slots[i]);
    }
    for (unsigned codec = 0; codec < TM_CODEC_IDS; codec++)
        if (blocks[codec] != 0)
            tm_count_blocks(store, codec, blocks[codec], -(int64_t)codec_bytes[codec]);
    if (bytes != 0)
        tm_segment_sub_live(store, arena, segment, bytes);
}

void tm_slot_release(struct tm_store *store, enum tm_arena_kind arena, tm_slot slot)
{
    tm_slots_release(store, arena, &slot, 1);
}
