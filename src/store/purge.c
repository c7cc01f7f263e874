/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * purge.c - taking a segment apart: for eviction some pages stay and are copied on, for cleaning all
 * that somebody still refers to. Afterwards the segment is empty and free.
 *
 * The segment is off its heap's lists and has no writers, so its headers do not change; pages in it may
 * be replaced or invalidated meanwhile, and readers may be at work. A copy counts only if its reference
 * could be swapped from the old block to the new one.
 */
#include "store/store_internal.h"

struct purge {
    struct tm_store *store;
    struct tm_worker *worker;
    struct tm_heap *heap;
    enum tm_arena_kind arena;
    uint32_t segment;
    enum tm_purge why;
    unsigned lane;
    uint64_t dropped;
    uint64_t copied_bytes;
    bool out_of_room;
};

static enum tm_fate judge(struct purge *purge, const struct tm_block *block, uint64_t offset, tm_slot *slot)
{
    struct tm_store *store = purge->store;
    if ((block->word & TM_BLOCK_SHARED) != 0)
        return tm_content_judge(store, purge->arena, block->hash, offset, purge->why, slot);
    return store->owner.judge(store->owner.user, purge->arena, block->hash, tm_block_number(block->word), offset,
                              purge->why, slot);
}

static bool swap(struct purge *purge, const struct tm_block *block, uint64_t offset, tm_slot to)
{
    struct tm_store *store = purge->store;
    if ((block->word & TM_BLOCK_SHARED) != 0)
        return tm_content_swap(store, purge->arena, block->hash, offset, to);
    return store->owner.swap(store->owner.user, purge->arena, block->hash, tm_block_number(block->word), offset, to);
}

/* The page's last reference has been removed by the judge. */
static void free_dropped(struct purge *purge, const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    struct tm_store *store = purge->store;
    if ((block->word & TM_BLOCK_SHARED) != 0) {
        tm_count_block(store, tm_slot_type(slot), -1);
        tm_block_free(store, purge->arena, offset, tm_slot_bytes(slot));
    } else {
        tm_slot_release(store, purge->arena, slot);
    }
    purge->dropped++;
}

/*
 * Copies a block to where it stays. The table of contents follows first: a page that goes away
 * between the two steps then leaves an entry for the copy, which is removed with it.
 */
static void copy_block(struct purge *purge, const struct tm_block *block, uint64_t offset)
{
    struct tm_store *store = purge->store;
    uint32_t length = tm_block_length(block->word);
    uint32_t bytes = tm_block_bytes(length);
    bool is_shared = (block->word & TM_BLOCK_SHARED) != 0;
    struct tm_reservation at;
    if (!tm_heap_reserve(purge->heap, purge->lane, length, TM_TIER_COPY, &at)) {
        purge->out_of_room = true;
        return;
    }
    tm_block_copy(store, purge->arena, &at, block, block->hash, block->word);
    bool listed = !is_shared && block->content_hash != 0 && store->config.dedup &&
                  tm_dedup_relist(store, purge->arena, block->content_hash, offset, at.offset);
    tm_slot to = tm_slot_make(tm_block_codec(block->word), bytes, at.offset, listed || is_shared);
    if (swap(purge, block, offset, to)) {
        tm_segment_writer_done(store, purge->arena, at.segment);
        tm_block_free(store, purge->arena, offset, bytes);
        purge->copied_bytes += bytes;
    } else {
        if (listed)
            tm_dedup_unlist(store, purge->arena, block->content_hash, at.offset);
        tm_heap_unreserve(purge->heap, &at, length);
    }
}

/* No room to copy a page that may go: it goes. */
static void drop_block(struct purge *purge, const struct tm_block *block, uint64_t offset)
{
    tm_slot slot = 0;
    enum tm_purge why = purge->why;
    purge->why = TM_PURGE_ALL;
    if (judge(purge, block, offset, &slot) == TM_FATE_DROPPED)
        free_dropped(purge, block, offset, slot);
    purge->why = why;
}

static void purge_block(struct purge *purge, const struct tm_block *block, uint64_t offset)
{
    tm_slot slot = 0;
    switch (judge(purge, block, offset, &slot)) {
    case TM_FATE_DROPPED:
        free_dropped(purge, block, offset, slot);
        break;
    case TM_FATE_KEEP:
        if (!purge->out_of_room)
            copy_block(purge, block, offset);
        if (purge->out_of_room && purge->why != TM_PURGE_CLEAN)
            drop_block(purge, block, offset);
        break;
    case TM_FATE_DEAD:
    case TM_FATES:
        break;
    }
}

/* Calls @each for the blocks of a segment that is not written to. */
static void purge_segment(struct purge *purge)
{
    const struct tm_arena *arena = &purge->store->arena[purge->arena];
    const struct tm_segment *segment = tm_segment_at(arena, purge->segment);
    uint64_t begin = tm_segment_offset(arena, purge->segment);
    for (uint32_t at = 0; at + sizeof(struct tm_block) <= segment->fill;) {
        uint64_t offset = begin + at / TM_GRANULE_BYTES;
        const struct tm_block *block = (const struct tm_block *)(const void *)tm_arena_address(arena, offset);
        uint32_t length = tm_block_length(block->word);
        if (length == 0 || length > TM_PAGE_BYTES)
            break; /* damaged: what lies behind is found by its readers */
        uint32_t bytes = tm_block_bytes(length);
        tm_prefetch((const unsigned char *)block + bytes);
        if (tm_block_codec(block->word) != TM_CODEC_NONE && tm_block_generation(block->word) == segment->generation)
            purge_block(purge, block, offset);
        at += bytes;
    }
}

bool tm_heap_purge(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, enum tm_age age,
                   enum tm_purge why, uint64_t *dropped)
{
    uint32_t number = tm_heap_take_oldest(heap, age);
    *dropped = 0;
    if (number == 0)
        return false;
    struct purge purge = {.store = store,
                          .worker = worker,
                          .heap = heap,
                          .arena = heap->kind,
                          .segment = number,
                          .why = why,
                          .lane = TM_LANE_KEPT};
    purge_segment(&purge);
    tm_heap_end_purge(heap, number);
    tm_fetch_add_relaxed(&store->evicted_segments, 1u);
    *dropped = purge.dropped;
    return true;
}

bool tm_heap_clean(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, unsigned eighths)
{
    uint32_t number = tm_heap_take_deadest(heap, eighths);
    if (number == 0)
        return false;
    bool is_young = tm_segment_at(&store->arena[heap->kind], number)->age == TM_AGE_YOUNG;
    bool as_young = is_young && heap->kind == TM_ARENA_EPHEMERAL;
    struct purge purge = {.store = store,
                          .worker = worker,
                          .heap = heap,
                          .arena = heap->kind,
                          .segment = number,
                          .why = TM_PURGE_CLEAN,
                          .lane = as_young ? TM_LANE_CLEAN_YOUNG : TM_LANE_CLEAN_MAIN};
    purge_segment(&purge);
    tm_heap_end_purge(heap, number);
    tm_fetch_add_relaxed(&store->cleaned_segments, 1u);
    tm_fetch_add_relaxed(&store->cleaned_bytes, purge.copied_bytes);
    return !purge.out_of_room;
}

/* ---- sampling ---- */

/* The next main segment to sample, protected from being freed by a hazard. 0: none. */
static uint32_t sample_begin(struct tm_heap *heap, struct tm_worker *worker, uint32_t *position)
{
    const struct tm_arena *arena = &heap->store->arena[heap->kind];
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    uint32_t number = heap->sample_segment;
    if (number != 0 && heap->sample_position >= tm_segment_at(arena, number)->fill) {
        number = tm_segment_at(arena, number)->list.next;
        heap->sample_position = 0;
    }
    if (number == 0) {
        number = heap->list[TM_AGE_MAIN].head;
        heap->sample_position = 0;
    }
    heap->sample_segment = number;
    *position = heap->sample_position;
    if (number != 0)
        tm_hazard_set(worker, TM_HAZARDS - 1u, heap->kind, tm_segment_offset(arena, number) << 24, 0);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return number;
}

void tm_heap_sample_main(struct tm_heap *heap, struct tm_worker *worker, unsigned count,
                         void (*visit)(void *user, uint32_t hash, unsigned number), void *user)
{
    const struct tm_arena *arena = &heap->store->arena[heap->kind];
    uint32_t at;
    uint32_t number = sample_begin(heap, worker, &at);
    if (number == 0)
        return;
    const struct tm_segment *segment = tm_segment_at(arena, number);
    uint32_t fill = segment->fill;
    const unsigned char *begin = tm_arena_address(arena, tm_segment_offset(arena, number));
    for (unsigned i = 0; i < count && at + sizeof(struct tm_block) <= fill; i++) {
        const struct tm_block *block = (const struct tm_block *)(const void *)(begin + at);
        uint32_t length = tm_block_length(block->word);
        if (length == 0 || length > TM_PAGE_BYTES) {
            at = fill;
            break;
        }
        visit(user, block->hash, tm_block_number(block->word));
        at += tm_block_bytes(length);
    }
    tm_unpin(worker, TM_HAZARDS - 1u);
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    if (heap->sample_segment == number)
        heap->sample_position = at;
    tm_lock_release(&heap->lock, TM_LOCK_heap);
}
