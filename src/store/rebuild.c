/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild.c - taking over an arena that outlived its store.
 *
 * What counts is what records refer to: a slot was written after its block was complete, and cleared before
 * its removal was acknowledged. So segments begin empty here, and every slot that the engine finds in its
 * records brings back its block, if header and checksum agree; whatever no slot names is free.
 */
#include "base/mix.h"
#include "store/store_internal.h"

/* Segments of data wait, empty, for what is adopted; records stay. */
void tm_rebuild_begin(struct tm_store *store)
{
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    uint64_t last = (uint64_t)arena->next_span * TM_SPAN_UNITS;
    for (uint64_t unit = (uint64_t)arena->head_spans * TM_SPAN_UNITS; unit < last; unit++) {
        struct tm_segment *segment = tm_segment_at(arena, (uint32_t)unit);
        if (segment->state == TM_SEGMENT_FREE || segment->state == TM_SEGMENT_RECORDS)
            continue;
        segment->state = TM_SEGMENT_WAITING;
        segment->use = 0;
        segment->heap = 0;
        segment->age = TM_AGE_MAIN;
        segment->is_stuck = 0;
        segment->list = segment->bin_link = (struct tm_link){0, 0};
    }
    tm_records_rebuild(store);
    tm_contents_reset(store);
}

/* The waiting segment that holds [offset, offset + bytes), or NULL: the reference makes no sense. */
static struct tm_segment *segment_for(const struct tm_arena *arena, uint64_t offset, uint32_t bytes)
{
    uint64_t unit = offset / (arena->unit_bytes / TM_GRANULE_BYTES);
    if (unit < (uint64_t)arena->head_spans * TM_SPAN_UNITS || unit >= (uint64_t)arena->next_span * TM_SPAN_UNITS)
        return NULL;
    uint32_t first = tm_segment_of(arena, offset);
    struct tm_segment *segment = tm_segment_at(arena, first);
    if (segment->state != TM_SEGMENT_WAITING || segment->order > TM_SEGMENT_ORDER_MAX)
        return NULL;
    uint64_t at = (offset - tm_segment_offset(arena, first)) * TM_GRANULE_BYTES;
    if (segment->fill > segment->bytes || bytes < sizeof(struct tm_block) || at + bytes > segment->fill)
        return NULL;
    return segment;
}

/* Brings a block back. False: it is not there, or damaged. */
static bool adopt_block(struct tm_store *store, struct tm_heap *heap, tm_slot slot, uint32_t hash, unsigned number,
                        bool shared)
{
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    uint64_t offset = tm_slot_offset(slot);
    uint32_t bytes = tm_slot_bytes(slot);
    struct tm_segment *segment = segment_for(arena, offset, bytes);
    if (segment == NULL || (segment->use != 0 && segment->heap != heap->number))
        return false;
    if (!tm_block_verify(store, TM_ARENA_PERSISTENT, offset, bytes, hash, number, shared))
        return false;
    const struct tm_block *block = (const struct tm_block *)(const void *)tm_arena_address(arena, offset);
    if (tm_block_generation(block->word) != segment->generation || tm_block_codec(block->word) != tm_slot_type(slot))
        return false;
    segment->heap = heap->number;
    segment->use += bytes;
    TM_ASSERT(segment->use <= segment->bytes);
    tm_count_block(store, tm_slot_type(slot), 1);
    return true;
}

static bool is_content_record(const struct tm_store *store, uint64_t ref)
{
    const struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    uint64_t unit = ref / (arena->unit_bytes / TM_GRANULE_BYTES);
    if (unit < (uint64_t)arena->head_spans * TM_SPAN_UNITS || unit >= (uint64_t)arena->next_span * TM_SPAN_UNITS)
        return false;
    const struct tm_segment *segment = tm_segment_at(arena, (uint32_t)unit);
    if (segment->state != TM_SEGMENT_RECORDS || segment->purpose != 1u + TM_RECORD_CONTENT)
        return false;
    uint64_t at = (ref - tm_segment_offset(arena, (uint32_t)unit)) * TM_GRANULE_BYTES;
    const struct tm_content *content = tm_record_at(store, TM_ARENA_PERSISTENT, ref);
    return at % sizeof *content == 0 && (content->kind & 255u) == TM_RECORD_LIVE(TM_RECORD_CONTENT);
}

/* The first page that refers to a content brings its block back. */
static tm_slot adopt_shared(struct tm_store *store, struct tm_heap *heap, tm_slot slot)
{
    uint64_t ref = tm_slot_offset(slot);
    if (!is_content_record(store, ref))
        return TM_SLOT_LOST;
    struct tm_content *content = tm_record_at(store, TM_ARENA_PERSISTENT, ref);
    if (content->references == 0) {
        if (!tm_slot_is_block(content->slot) || !adopt_block(store, heap, content->slot, content->hash, 0, true))
            return TM_SLOT_LOST;
        content->heap = heap->number;
        tm_fetch_add_relaxed(&store->contents_shared, 1u);
        /* Not listed for lack of memory: later duplicates will not find it. */
        (void)tm_dedup_list(store, TM_ARENA_PERSISTENT, content->hash, ref);
    }
    if (content->heap != heap->number || tm_slot_bytes(slot) != tm_slot_bytes(content->slot))
        return TM_SLOT_LOST;
    content->references++;
    return slot & ~(TM_SLOT_USED | TM_SLOT_LISTED);
}

tm_slot tm_slot_adopt(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, tm_slot slot,
                      uint32_t hash, unsigned number)
{
    (void)worker;
    TM_ASSERT(store->adopting);
    TM_ASSERT(heap->kind == TM_ARENA_PERSISTENT);
    if (slot == 0 || tm_slot_is_inline(slot))
        return slot;
    if (tm_slot_type(slot) == TM_SLOT_SHARED)
        return adopt_shared(store, heap, slot);
    if (!tm_slot_is_block(slot) || !adopt_block(store, heap, slot, hash, number, false))
        return TM_SLOT_LOST;
    slot &= ~(TM_SLOT_USED | TM_SLOT_LISTED);
    const void *address = tm_arena_address(&store->arena[TM_ARENA_PERSISTENT], tm_slot_offset(slot));
    uint32_t content_hash = ((const struct tm_block *)address)->content_hash;
    if (store->config.dedup && content_hash != 0 &&
        tm_dedup_list(store, TM_ARENA_PERSISTENT, content_hash, tm_slot_offset(slot)))
        slot |= TM_SLOT_LISTED;
    return slot;
}

bool tm_store_adopted(struct tm_store *store)
{
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    TM_ASSERT(store->adopting);
    uint64_t last = (uint64_t)arena->next_span * TM_SPAN_UNITS;
    for (uint64_t unit = (uint64_t)arena->head_spans * TM_SPAN_UNITS; unit < last; unit++) {
        struct tm_segment *segment = tm_segment_at(arena, (uint32_t)unit);
        if (segment->state != TM_SEGMENT_WAITING)
            continue;
        if (segment->use == 0)
            tm_arena_give(arena, (uint32_t)unit);
        else
            tm_heap_adopt_segment(tm_heap_at(store, segment->heap), (uint32_t)unit);
    }
    tm_contents_free_unreferenced(store);
    store->adopting = false;
    return true;
}
