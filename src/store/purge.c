/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * purge.c - taking a segment apart: for eviction some pages stay and are copied on, for cleaning all
 * that somebody still refers to. Afterwards the segment is empty and free.
 *
 * The segment is off its heap's lists and has no writers, so its headers do not change; pages in it may
 * be replaced or invalidated meanwhile, and readers may be at work. A copy counts only if its reference
 * could be swapped from the old block to the new one.
 */
#include <limits.h>

#include "store/purge_internal.h"

/* The page's last reference has been removed by the judge. */
static void free_dropped(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    struct tm_store *store = purge->store;
    if ((block->word & TM_BLOCK_SHARED) != 0) {
        tm_count_block(store, slot, -1);
        tm_block_free(store, purge->arena, offset, tm_slot_bytes(slot));
    } else {
        tm_slot_release(store, purge->arena, slot);
    }
    purge->dropped++;
}

/* Compresses a block that waited for it, on its way to where it stays. False: it does not pay, or the block is
 * damaged. */
static bool code_block(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    const struct tm_coder coder = tm_store_coder(purge->store);
    const struct tm_rewrite how = {purge->heap, purge->lane, purge->tier, &coder, false};
    enum tm_rewritten result = tm_block_rewrite(purge->store, purge->worker, &how, block, offset, slot);
    if (result == TM_REWRITTEN)
        purge->copied_bytes += tm_slot_bytes(slot);
    purge->out_of_room = result == TM_REWRITTEN_NO_ROOM;
    return result != TM_REWRITTEN_NOT;
}

/* Copies a block to where it stays. */
static void copy_block(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    struct tm_store *store = purge->store;
    uint32_t length = tm_block_length(block->word);
    struct tm_reservation at;
    if ((block->word & TM_BLOCK_DEFERRED) != 0 && code_block(purge, block, offset, slot))
        return;
    if (!tm_heap_reserve(purge->heap, purge->lane, length, purge->tier, &at)) {
        purge->out_of_room = true;
        return;
    }
    tm_block_copy(store, purge->arena, &at, block, block->hash, block->word & ~TM_BLOCK_DEFERRED);
    if (tm_block_follow(store, purge->heap, block, offset, slot, &at, tm_slot_type(slot), length))
        purge->copied_bytes += tm_slot_bytes(slot);
}

/* No room to copy a page that may go: it goes. */
static void drop_block(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset)
{
    tm_slot slot = 0;
    if (tm_block_judge(purge->store, purge->arena, block, offset, TM_PURGE_ALL, &slot) == TM_FATE_DROPPED)
        free_dropped(purge, block, offset, slot);
}

void tm_purge_keep(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    /* A header that does not say what the reference says is damaged. It stays where it is: a copy would
     * be of some other length or sort. */
    bool fits = tm_slot_bytes(slot) == tm_block_bytes(tm_block_length(block->word)) &&
                tm_slot_type(slot) == tm_block_codec(block->word);
    if (!purge->out_of_room && fits)
        copy_block(purge, block, offset, slot);
    if (purge->out_of_room && purge->why != TM_PURGE_CLEAN)
        drop_block(purge, block, offset);
}

void tm_purge_settle(struct tm_purge_run *purge)
{
    uint32_t bytes = (uint32_t)(purge->copied_bytes - purge->settled_bytes);
    if (bytes != 0)
        tm_segment_sub_live(purge->store, purge->arena, purge->segment, bytes);
    purge->settled_bytes += bytes;
}

uint32_t tm_purge_block(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset)
{
    tm_slot slot = 0;
    uint32_t bytes = tm_block_bytes(tm_block_length(block->word));
    enum tm_fate fate = tm_block_judge(purge->store, purge->arena, block, offset, purge->why, &slot);
    if (fate == TM_FATE_DEAD)
        return bytes;
    TM_ASSERT(tm_slot_bytes(slot) > sizeof *block); /* or the walk would stand still */
    if (fate == TM_FATE_DROPPED) {
        free_dropped(purge, block, offset, slot);
        return tm_slot_bytes(slot);
    }
    tm_purge_keep(purge, block, offset, slot);
    return tm_slot_bytes(slot);
}

/* ---- the walk ---- */

/* How many blocks ahead of the work the cache is filled. */
#define SCOUT_AHEAD 8u
#define SCOUT_BODY_BYTES 2304u

uint32_t tm_purge_look(const struct tm_purge_run *purge, const struct tm_segment *segment, uint32_t at,
                       const struct tm_block **block)
{
    const struct tm_arena *arena = &purge->store->arena[purge->arena];
    if (at + sizeof(struct tm_block) > segment->fill)
        return 0;
    uint64_t offset = tm_segment_offset(arena, purge->segment) + at / TM_GRANULE_BYTES;
    *block = (const struct tm_block *)(const void *)tm_arena_address(arena, offset);
    uint32_t length = tm_block_length((*block)->word);
    if (length == 0 || length > TM_PAGE_BYTES)
        return 0; /* damaged: what lies behind is found by its readers */
    return tm_block_bytes(length);
}

/* Brings what the block at @at will need into the cache. Answers where the next one is. */
static uint32_t scout(struct tm_purge_run *purge, const struct tm_segment *segment, uint32_t at)
{
    struct tm_store *store = purge->store;
    const struct tm_block *block;
    uint32_t bytes = tm_purge_look(purge, segment, at, &block);
    if (bytes == 0)
        return segment->fill;
    /* Neighbours are often of one length: a guess where the next headers are. */
    for (uint32_t i = 1; i <= 4; i++)
        tm_prefetch((const unsigned char *)block + i * bytes);
    if (tm_block_codec(block->word) == TM_CODEC_NONE)
        return at + bytes;
    bool is_shared = (block->word & TM_BLOCK_SHARED) != 0;
    if (!is_shared && store->owner.expect != NULL)
        store->owner.expect(store->owner.user, purge->arena, block->hash);
    if (block->content_hash != 0)
        tm_table_prefetch(&store->contents[purge->arena], block->content_hash);
    for (uint32_t i = 0; purge->why == TM_PURGE_CLEAN && i < SCOUT_BODY_BYTES; i += TM_CACHE_LINE)
        tm_prefetch((const unsigned char *)block + i);
    return at + bytes;
}

/* Takes up to @count blocks of a segment that is not written to, from @at on, one after the other. Answers where it
 * got to; the segment's fill: it is done. */
static uint32_t purge_blocks(struct tm_purge_run *purge, uint32_t at, unsigned count)
{
    const struct tm_arena *arena = &purge->store->arena[purge->arena];
    const struct tm_segment *segment = tm_segment_at(arena, purge->segment);
    uint64_t begin = tm_segment_offset(arena, purge->segment);
    const struct tm_block *block;
    uint32_t scouted = at;
    uint32_t bytes;
    for (unsigned i = 0; i < SCOUT_AHEAD && i < count; i++)
        scouted = scout(purge, segment, scouted);
    /* Cleaning only copies: without room for one page it looks for no more of them. */
    while (count-- > 0 && !(purge->out_of_room && purge->why == TM_PURGE_CLEAN) &&
           (bytes = tm_purge_look(purge, segment, at, &block)) != 0) {
        if (count >= SCOUT_AHEAD)
            scouted = scout(purge, segment, scouted);
        if (tm_block_codec(block->word) != TM_CODEC_NONE && tm_block_generation(block->word) == segment->generation)
            bytes = tm_purge_block(purge, block, begin + at / TM_GRANULE_BYTES);
        at += bytes;
    }
    tm_purge_settle(purge); /* what was copied away, all at once */
    return tm_purge_look(purge, segment, at, &block) == 0 ? segment->fill : at;
}

/* First chunk by chunk, which is quick, then one by one what is left. */
static void purge_segment(struct tm_purge_run *purge)
{
    if (!tm_purge_sweep(purge))
        (void)purge_blocks(purge, 0, UINT_MAX);
}

bool tm_heap_purge_begin(struct tm_heap *heap, enum tm_age age, enum tm_purge why)
{
    if (!tm_lock_try(&heap->purge_lock))
        return false;
    bool done = false;
    if (heap->purge_segment == 0) {
        heap->purge_segment = tm_heap_take_oldest(heap, age);
        heap->purge_position = 0;
        heap->purge_why = why;
        done = heap->purge_segment != 0;
    }
    tm_lock_release_tried(&heap->purge_lock);
    return done;
}

bool tm_heap_purge_some(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, unsigned blocks)
{
    if (!tm_lock_try(&heap->purge_lock))
        return false;
    uint32_t number = heap->purge_segment;
    if (number != 0) {
        struct tm_purge_run purge = {.store = store,
                                     .worker = worker,
                                     .heap = heap,
                                     .arena = heap->kind,
                                     .segment = number,
                                     .why = heap->purge_why,
                                     .tier = TM_TIER_COPY,
                                     .lane = TM_LANE_KEPT};
        heap->purge_position = purge_blocks(&purge, heap->purge_position, blocks);
        if (heap->purge_position >= tm_segment_at(&store->arena[heap->kind], number)->fill) {
            heap->purge_segment = 0;
            tm_heap_end_purge(heap, number, true);
            tm_fetch_add_relaxed(&store->evicted_segments, 1u);
        }
    }
    tm_lock_release_tried(&heap->purge_lock);
    return number != 0;
}

void tm_heap_purge_stop(struct tm_heap *heap, uint32_t number)
{
    if (!tm_lock_try(&heap->purge_lock))
        return;
    bool is_begun = heap->purge_segment == number;
    if (is_begun)
        heap->purge_segment = 0;
    tm_lock_release_tried(&heap->purge_lock);
    if (is_begun)
        tm_heap_end_purge(heap, number, false);
}

bool tm_heap_purge(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, enum tm_age age,
                   enum tm_purge why, uint64_t *dropped)
{
    uint32_t number = tm_heap_take_oldest(heap, age);
    *dropped = 0;
    if (number == 0)
        return false;
    struct tm_purge_run purge = {.store = store,
                                 .worker = worker,
                                 .heap = heap,
                                 .arena = heap->kind,
                                 .segment = number,
                                 .why = why,
                                 .tier = TM_TIER_COPY,
                                 .lane = TM_LANE_KEPT};
    purge_segment(&purge);
    tm_heap_end_purge(heap, number, true);
    tm_fetch_add_relaxed(&store->evicted_segments, 1u);
    *dropped = purge.dropped;
    return true;
}

/* Where pages of an age go that cleaning copies, and that are compressed after all. */
static const unsigned clean_lanes[TM_AGES] = {[TM_AGE_YOUNG] = TM_LANE_CLEAN_YOUNG, [TM_AGE_MAIN] = TM_LANE_CLEAN_MAIN};
static const unsigned coded_lanes[TM_AGES] = {[TM_AGE_YOUNG] = TM_LANE_CODED, [TM_AGE_MAIN] = TM_LANE_KEPT};

/* Copies what is alive out of a segment that was taken. False: there was no room for all. */
static bool clean_segment(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, uint32_t number,
                          enum tm_tier tier, const unsigned lanes[TM_AGES])
{
    struct tm_purge_run purge = {.store = store,
                                 .worker = worker,
                                 .heap = heap,
                                 .arena = heap->kind,
                                 .segment = number,
                                 .why = TM_PURGE_CLEAN,
                                 .tier = tier,
                                 .lane = lanes[tm_segment_at(&store->arena[heap->kind], number)->age]};
    purge_segment(&purge);
    tm_heap_end_purge(heap, number, !purge.out_of_room);
    tm_fetch_add_relaxed(&store->cleaned_segments, 1u);
    tm_fetch_add_relaxed(&store->cleaned_bytes, purge.copied_bytes);
    return !purge.out_of_room;
}

bool tm_heap_clean(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, unsigned eighths)
{
    uint32_t number = tm_heap_take_deadest(heap, eighths);
    return number != 0 && clean_segment(store, worker, heap, number, TM_TIER_COPY, clean_lanes);
}

bool tm_heap_clean_one(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, uint32_t number,
                       enum tm_tier tier)
{
    return !tm_heap_take(heap, number) || clean_segment(store, worker, heap, number, tier, clean_lanes);
}

bool tm_heap_undefer(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, bool with_open)
{
    uint32_t number = tm_heap_take_deferred(heap);
    if (number == 0 && with_open && tm_heap_seal_deferred(heap))
        number = tm_heap_take_deferred(heap);
    return number != 0 && clean_segment(store, worker, heap, number, TM_TIER_COPY, coded_lanes);
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
        /* Its writer may still be at work; only the length is sure, the rest is advice. */
        uint64_t word = tm_load_relaxed(&block->word);
        uint32_t length = tm_block_length(word);
        if (length == 0 || length > TM_PAGE_BYTES) {
            at = fill;
            break;
        }
        visit(user, tm_load_relaxed(&block->hash), tm_block_number(word));
        at += tm_block_bytes(length);
    }
    tm_unpin(worker, TM_HAZARDS - 1u);
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    if (heap->sample_segment == number)
        heap->sample_position = at;
    tm_lock_release(&heap->lock, TM_LOCK_heap);
}
