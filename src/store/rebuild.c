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

/* ---- the head ---- */

/* What the descriptor of a segment in use says, if a store wrote it: whatever moment it was killed at. */
static bool is_sane_segment(const struct tm_arena *arena, const struct tm_segment *units, unsigned first)
{
    const struct tm_segment *segment = &units[first];
    bool is_records = segment->state == TM_SEGMENT_RECORDS;
    if (segment->state > TM_SEGMENT_RECORDS || segment->order > (is_records ? 0 : TM_SEGMENT_ORDER_MAX))
        return false;
    if (is_records != (segment->purpose != TM_PURPOSE_DATA) || segment->purpose > TM_RECORD_CLASSES)
        return false;
    unsigned length = 1u << segment->order;
    if (first % length != 0 || segment->bytes != arena->unit_bytes << segment->order || segment->fill > segment->bytes)
        return false;
    for (unsigned i = 0; i < length; i++)
        if (units[first + i].first_distance != i || (i > 0 && units[first + i].state != TM_SEGMENT_FREE))
            return false;
    return true;
}

static bool is_sane_span(const struct tm_arena *arena, uint32_t number)
{
    const struct tm_segment *units = tm_segment_at(arena, number * TM_SPAN_UNITS);
    for (unsigned i = 0; i < TM_SPAN_UNITS; i++)
        if (units[i].first_distance > i ||
            (units[i].state != TM_SEGMENT_FREE && !is_sane_segment(arena, units, i)))
            return false;
    return true;
}

bool tm_rebuild_examine(const struct tm_arena *arena)
{
    uint64_t last = arena->header->next_span;
    if (last < arena->head_spans || last > arena->span_count)
        return false;
    /* The next span has never been used. */
    if (last < arena->span_count && tm_segment_at(arena, (uint32_t)last * TM_SPAN_UNITS)->generation != 0)
        return false;
    for (uint32_t number = arena->head_spans; number < last; number++)
        if (!is_sane_span(arena, number))
            return false;
    return true;
}

/* ---- segments ---- */

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
        segment->is_deferred = 0;
        segment->list = segment->bin_link = segment->deferred_link = (struct tm_link){0, 0};
    }
    tm_records_rebuild(store);
    tm_contents_reset(store);
}

/* The waiting segment that holds [offset, offset + bytes), or NULL: the reference makes no sense. */
static struct tm_segment *segment_for(const struct tm_arena *arena, uint64_t offset, uint32_t bytes)
{
    uint64_t unit = offset >> arena->unit_shift;
    if (unit < (uint64_t)arena->head_spans * TM_SPAN_UNITS || unit >= (uint64_t)arena->next_span * TM_SPAN_UNITS)
        return NULL;
    uint32_t first = tm_segment_of(arena, offset);
    struct tm_segment *segment = tm_segment_at(arena, first);
    if (segment->state != TM_SEGMENT_WAITING)
        return NULL;
    uint64_t at = (offset - tm_segment_offset(arena, first)) * TM_GRANULE_BYTES;
    if (bytes < sizeof(struct tm_block) || at + bytes > segment->fill)
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
    if (segment->use + bytes > segment->fill) /* several damaged references to one block */
        return false;
    if (!tm_block_verify(store, TM_ARENA_PERSISTENT, offset, bytes, hash, number, shared))
        return false;
    const struct tm_block *block = (const struct tm_block *)(const void *)tm_arena_address(arena, offset);
    if (tm_block_generation(block->word) != segment->generation || tm_block_codec(block->word) != tm_slot_type(slot))
        return false;
    segment->heap = heap->number;
    segment->use += bytes;
    if ((block->word & TM_BLOCK_DEFERRED) != 0 && segment->is_deferred == 0) {
        segment->is_deferred = 1; /* it counts as open until all is adopted */
        tm_fetch_add_relaxed(&store->deferred_open, 1u);
    }
    tm_count_block(store, slot, 1);
    return true;
}

static bool is_content_record(const struct tm_store *store, uint64_t ref)
{
    const struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    uint64_t unit = ref >> arena->unit_shift;
    if (unit < (uint64_t)arena->head_spans * TM_SPAN_UNITS || unit >= (uint64_t)arena->next_span * TM_SPAN_UNITS)
        return false;
    const struct tm_segment *segment = tm_segment_at(arena, (uint32_t)unit);
    if (segment->state != TM_SEGMENT_RECORDS || segment->purpose != 1u + TM_RECORD_CONTENT)
        return false;
    uint64_t at = (ref - tm_segment_offset(arena, (uint32_t)unit)) * TM_GRANULE_BYTES;
    const struct tm_content *content = tm_record_at(store, TM_ARENA_PERSISTENT, ref);
    return at % sizeof *content == 0 && content->kind == TM_RECORD_LIVE(TM_RECORD_CONTENT);
}

/* The first page that refers to a content brings its block back. */
static tm_slot adopt_shared(struct tm_store *store, struct tm_heap *heap, tm_slot slot)
{
    uint64_t ref = tm_slot_offset(slot);
    if (!is_content_record(store, ref))
        return TM_SLOT_LOST;
    struct tm_content *content = tm_record_at(store, TM_ARENA_PERSISTENT, ref);
    if (tm_slot_bytes(slot) < tm_slot_bytes(content->slot)) /* less: it was coded anew since the page was put */
        return TM_SLOT_LOST;
    if (content->references == 0) {
        if (!tm_slot_is_block(content->slot) || !adopt_block(store, heap, content->slot, content->hash, 0, true))
            return TM_SLOT_LOST;
        content->heap = heap->number;
        tm_fetch_add_relaxed(&store->contents_shared, 1u);
        /* Cleaning finds a content by the table alone: one that is not listed would lose its bytes. */
        if (!tm_dedup_list(store, TM_ARENA_PERSISTENT, content->hash, ref))
            store->adopting_failed = true;
    }
    if (content->heap != heap->number)
        return TM_SLOT_LOST;
    content->references++;
    return slot & ~TM_SLOT_MARKS;
}

void tm_store_expect(struct tm_store *store, uint64_t blocks)
{
    if (store->config.dedup)
        tm_table_reserve(&store->contents[TM_ARENA_PERSISTENT], blocks);
}

/* How many blocks ahead bytes are read. */
#define EXPECT_BYTES 3u
/* Slots whose places in the table of contents come into the cache together. */
#define SLOTS_AT_ONCE 64u

/* Brings the block that a slot refers to into the cache, if there is one. */
static void expect_block(const struct tm_arena *arena, tm_slot slot)
{
    uint64_t units = (uint64_t)arena->next_span * TM_SPAN_UNITS;
    if (!tm_slot_is_block(slot) || tm_slot_offset(slot) >> arena->unit_shift >= units)
        return;
    const unsigned char *bytes = tm_arena_address(arena, tm_slot_offset(slot));
    for (uint32_t at = 0; at < tm_slot_bytes(slot); at += TM_CACHE_LINE)
        tm_prefetch(bytes + at);
}

static tm_slot adopt_slot(struct tm_store *store, struct tm_heap *heap, tm_slot slot, uint32_t hash, unsigned number)
{
    if (slot == 0 || tm_slot_is_inline(slot))
        return slot;
    if (tm_slot_type(slot) == TM_SLOT_SHARED)
        return adopt_shared(store, heap, slot);
    if (!tm_slot_is_block(slot) || !adopt_block(store, heap, slot, hash, number, false))
        return TM_SLOT_LOST;
    return slot & ~TM_SLOT_MARKS;
}

/* Enters the blocks that were adopted in the table of contents: first all of its lines, then all entries. */
static void list_slots(struct tm_store *store, tm_slot *slots, unsigned count)
{
    const struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    struct tm_table *contents = &store->contents[TM_ARENA_PERSISTENT];
    uint32_t hashes[SLOTS_AT_ONCE];
    for (unsigned i = 0; i < count; i++) {
        hashes[i] = 0;
        if (!tm_slot_is_block(slots[i]))
            continue;
        const void *block = tm_arena_address(arena, tm_slot_offset(slots[i]));
        hashes[i] = ((const struct tm_block *)block)->content_hash;
        tm_table_prefetch(contents, hashes[i]);
    }
    for (unsigned i = 0; i < count; i++)
        if (hashes[i] != 0 && tm_dedup_list(store, TM_ARENA_PERSISTENT, hashes[i], tm_slot_offset(slots[i])))
            slots[i] |= TM_SLOT_LISTED;
}

void tm_slots_adopt(struct tm_store *store, struct tm_heap *heap, tm_slot *slots, unsigned count, uint32_t hash,
                    unsigned first)
{
    const struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    TM_ASSERT(store->adopting);
    TM_ASSERT(heap->kind == TM_ARENA_PERSISTENT);
    for (unsigned i = 0; i < count && i < EXPECT_BYTES; i++)
        expect_block(arena, slots[i]);
    for (unsigned i = 0; i < count; i++) {
        if (i + EXPECT_BYTES < count)
            expect_block(arena, slots[i + EXPECT_BYTES]);
        slots[i] = adopt_slot(store, heap, slots[i], hash, first + i);
    }
    for (unsigned at = 0; store->config.dedup && at < count; at += SLOTS_AT_ONCE)
        list_slots(store, slots + at, count - at < SLOTS_AT_ONCE ? count - at : SLOTS_AT_ONCE);
}

bool tm_store_adopted(struct tm_store *store)
{
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    TM_ASSERT(store->adopting);
    if (store->adopting_failed)
        return false;
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
    tm_arena_upgrade(arena);
    store->adopting = false;
    return true;
}
