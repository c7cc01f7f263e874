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

static void prepare_same(struct tm_worker *worker, struct tm_page_put *put, uint64_t word)
{
    put->slot = inline_slot(word);
    if (put->slot != 0)
        return;
    memcpy(worker->body, &word, sizeof word);
    put->body = worker->body;
    put->body_bytes = sizeof word;
    put->codec = TM_CODEC_SAME;
    put->bytes = tm_block_bytes(sizeof word);
}

/* Pages of different domains never meet: the domain is part of what contents are found by. */
static uint32_t content_hash(const struct tm_page_put *put)
{
    return (uint32_t)tm_scramble(put->page_hash ^ tm_scramble(put->heap->domain));
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
    if (tm_same_filled(put->page, &word)) {
        prepare_same(worker, put, word);
        return;
    }
    if (store->config.dedup) {
        put->page_hash = store->codec.hash(put->page, TM_PAGE_BYTES, store->check_seed);
        put->content_hash = content_hash(put);
        if (!put->no_dedup)
            tm_dedup_find(store, worker, put);
        if (put->twin != TM_TWIN_NONE)
            return;
    }
    put->is_deferred = !put->no_defer && tm_store_may_defer(store);
    enum tm_codec_id codec = TM_CODEC_RAW;
    size_t bytes = 0;
    if (!put->is_deferred)
        bytes = store->codec.encode(&store->codec, worker->context, put->page, worker->body, &codec);
    bool pays = bytes != 0 && bytes <= TM_CODEC_ENCODED_MAX;
    put->codec = pays ? (uint8_t)codec : TM_CODEC_RAW;
    put->body = pays ? worker->body : put->page;
    put->body_bytes = pays ? (uint32_t)bytes : TM_PAGE_BYTES;
    put->bytes = tm_block_bytes(put->body_bytes);
}

void tm_put_prepare_stored(struct tm_store *store, struct tm_page_put *put, enum tm_codec_id codec, const void *body,
                           uint32_t body_bytes)
{
    (void)store;
    put->slot = 0;
    put->twin = TM_TWIN_NONE;
    put->content_hash = 0;
    put->pinned_segment = 0;
    put->codec = (uint8_t)codec;
    put->body = body;
    put->body_bytes = body_bytes;
    put->bytes = tm_block_bytes(body_bytes);
    put->no_dedup = true;
    if (codec == TM_CODEC_SAME) {
        uint64_t word;
        memcpy(&word, body, sizeof word);
        put->slot = inline_slot(word);
        if (put->slot != 0)
            put->bytes = 0;
    }
}

enum tm_write tm_put_write(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    if (put->slot != 0) /* inline: nothing to write */
        return TM_WRITE_OK;
    if (put->twin != TM_TWIN_NONE)
        return tm_dedup_share(store, worker, put);

    struct tm_heap *heap = put->heap;
    struct tm_reservation at;
    if (!tm_heap_reserve(heap, tm_heap_put_lane(heap, worker->number), put->body_bytes, put->tier, &at))
        return TM_WRITE_NO_ROOM;
    uint64_t word = (uint64_t)put->codec << 19 | (uint64_t)put->number << 13 | put->body_bytes;
    if (put->is_deferred) {
        word |= TM_BLOCK_DEFERRED;
        tm_segment_defer(heap, at.segment);
    }
    /* A page as it is was hashed already, if equal ones were looked for. */
    const uint64_t *known = put->body == put->page && store->config.dedup ? &put->page_hash : NULL;
    tm_block_write(store, heap->kind, &at, put->hash, put->content_hash, word, put->body, put->body_bytes, known);
    bool listed = store->config.dedup && put->codec != TM_CODEC_SAME && put->content_hash != 0 &&
                  tm_dedup_list(store, heap->kind, put->content_hash, at.offset);
    put->slot = tm_slot_make(put->codec, put->bytes, at.offset, listed);
    put->pinned_segment = at.segment;
    tm_count_block(store, put->slot, 1);
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

/* Takes a block out of the table of contents. Answers how many entries that were: 0 or 1, not counted yet. */
static unsigned forget_block(struct tm_store *store, enum tm_arena_kind arena, tm_slot slot)
{
    uint64_t offset = tm_slot_offset(slot);
    if ((slot & TM_SLOT_LISTED) == 0)
        return 0;
    if (tm_dedup_unlist(store, arena, block_of(store, arena, slot)->content_hash, offset))
        return 1;
    tm_dedup_forget_damaged(store, arena, offset, tm_slot_bytes(slot));
    return 0;
}

void tm_slot_release(struct tm_store *store, enum tm_arena_kind arena, tm_slot slot)
{
    if (tm_slot_type(slot) == TM_SLOT_SHARED) {
        tm_content_unref(store, arena, tm_slot_offset(slot));
    } else if (tm_slot_is_block(slot)) {
        tm_dedup_unlisted(store, arena, forget_block(store, arena, slot));
        tm_count_block(store, slot, -1);
        tm_block_free(store, arena, tm_slot_offset(slot), tm_slot_bytes(slot));
    }
}

static bool is_listed(tm_slot slot)
{
    return tm_slot_is_block(slot) && (slot & TM_SLOT_LISTED) != 0;
}

/* What releasing these slots will look at comes into the cache together: first all headers, then all buckets. (Going
 * through them with the releases a fixed distance behind was slower: the core waits for the headers.) */
static void prefetch_listed(const struct tm_store *store, enum tm_arena_kind arena, const tm_slot *slots,
                            unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_listed(slots[i]))
            tm_prefetch(block_of(store, arena, slots[i]));
    for (unsigned i = 0; i < count; i++)
        if (is_listed(slots[i]))
            tm_table_prefetch(&store->contents[arena], block_of(store, arena, slots[i])->content_hash);
}

/* Neighbours often have one codec and lie in one segment: their books are kept together. */
struct release {
    uint32_t segment;
    uint32_t bytes; /* of it */
    int blocks[TM_CODEC_IDS];
    uint32_t codec_bytes[TM_CODEC_IDS];
    unsigned unlisted;
};

static void release_one(struct tm_store *store, enum tm_arena_kind arena, tm_slot slot, struct release *release)
{
    uint32_t segment = tm_segment_of(&store->arena[arena], tm_slot_offset(slot));
    release->unlisted += forget_block(store, arena, slot);
    if (segment != release->segment && release->bytes != 0) {
        tm_segment_sub_live(store, arena, release->segment, release->bytes);
        release->bytes = 0;
    }
    release->segment = segment;
    release->bytes += tm_slot_bytes(slot);
    release->blocks[tm_slot_type(slot)]--;
    release->codec_bytes[tm_slot_type(slot)] += tm_slot_bytes(slot);
}

void tm_slots_release(struct tm_store *store, enum tm_arena_kind arena, const tm_slot *slots, unsigned count)
{
    struct release release = {.bytes = 0};
    prefetch_listed(store, arena, slots, count);
    for (unsigned i = 0; i < count; i++) {
        if (tm_slot_is_block(slots[i]))
            release_one(store, arena, slots[i], &release);
        else if (slots[i] != 0)
            tm_slot_release(store, arena, slots[i]);
    }
    for (unsigned codec = 0; codec < TM_CODEC_IDS; codec++)
        if (release.blocks[codec] != 0)
            tm_count_blocks(store, codec, release.blocks[codec], -(int64_t)release.codec_bytes[codec]);
    tm_dedup_unlisted(store, arena, release.unlisted);
    if (release.bytes != 0)
        tm_segment_sub_live(store, arena, release.segment, release.bytes);
}
