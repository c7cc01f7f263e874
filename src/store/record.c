/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - small things of fixed size, by class, in segments of their own inside the arenas.
 *
 * A class gives records from the first of its segments that has a free one; a segment that empties goes
 * back. A free record's first word is 0, which is also what tells a restart that nothing lives there; its
 * second 32-bit word links the segment's free records.
 */
#include "store/store_internal.h"

static const uint16_t class_bytes[TM_RECORD_CLASSES] = {
    [TM_RECORD_OBJECT] = 64,
    [TM_RECORD_CHUNK_4] = 96,
    [TM_RECORD_CHUNK_16] = 192,
    [TM_RECORD_CHUNK_64] = 576,
    [TM_RECORD_CONTENT] = 32,
    [TM_RECORD_CLIENT] = 128,
    [TM_RECORD_POOL] = 64,
    [TM_RECORD_RIGHT] = 32,
};

uint32_t tm_record_bytes(enum tm_record_class record_class)
{
    return class_bytes[record_class];
}

void *tm_record_at(const struct tm_store *store, enum tm_arena_kind arena, uint64_t ref)
{
    return tm_arena_address(&store->arena[arena], ref);
}

static uint32_t *record_words(const struct tm_arena *arena, uint64_t ref)
{
    return (uint32_t *)(void *)tm_arena_address(arena, ref);
}

static bool is_full(const struct tm_segment *segment, uint32_t bytes)
{
    return segment->free_record == 0 && segment->fill + bytes > segment->bytes;
}

/* Takes a record of a segment that has one. Class's lock held. */
static uint64_t take_record(struct tm_arena *arena, uint32_t number, uint32_t bytes)
{
    struct tm_segment *segment = tm_segment_at(arena, number);
    uint64_t ref = tm_segment_offset(arena, number);
    if (segment->free_record != 0) {
        ref += segment->free_record - 1u;
        segment->free_record = record_words(arena, ref)[1];
    } else {
        ref += segment->fill / TM_GRANULE_BYTES;
        segment->fill += bytes;
    }
    segment->use++;
    return ref;
}

uint64_t tm_record_alloc(struct tm_store *store, enum tm_arena_kind kind, enum tm_record_class record_class,
                         enum tm_tier tier)
{
    struct tm_arena *arena = &store->arena[kind];
    struct tm_record_list *list = &store->records[kind][record_class];
    uint32_t bytes = class_bytes[record_class];
    uint32_t fresh = 0;
    uint64_t ref = 0;
    for (;;) {
        tm_lock_acquire(&list->lock, TM_LOCK_record_class);
        if (fresh != 0)
            tm_list_append(&list->partial, arena, tm_segment_list_link, fresh);
        uint32_t number = list->partial.head;
        if (number != 0) {
            ref = take_record(arena, number, bytes);
            if (is_full(tm_segment_at(arena, number), bytes))
                tm_list_remove(&list->partial, arena, tm_segment_list_link, number);
        }
        tm_lock_release(&list->lock, TM_LOCK_record_class);
        if (ref != 0)
            break;
        fresh = tm_arena_take(arena, 0, 1u + (unsigned)record_class, NULL, tier);
        if (fresh == 0)
            return 0;
        tm_store_release(&tm_segment_at(arena, fresh)->state, TM_SEGMENT_RECORDS);
        tm_fetch_add_relaxed(&store->records_bytes, arena->unit_bytes);
    }
    memset(record_words(arena, ref), 0, bytes);
    return ref;
}

void tm_record_free(struct tm_store *store, enum tm_arena_kind kind, uint64_t ref)
{
    struct tm_arena *arena = &store->arena[kind];
    uint32_t number = tm_segment_of(arena, ref);
    struct tm_segment *segment = tm_segment_at(arena, number);
    unsigned record_class = segment->purpose - 1u;
    struct tm_record_list *list = &store->records[kind][record_class];
    TM_ASSERT(segment->state == TM_SEGMENT_RECORDS);
    uint32_t *words = record_words(arena, ref);
    tm_store_release(&words[0], 0u);

    tm_lock_acquire(&list->lock, TM_LOCK_record_class);
    bool was_full = is_full(segment, class_bytes[record_class]);
    words[1] = segment->free_record;
    segment->free_record = (uint32_t)(ref - tm_segment_offset(arena, number)) + 1u;
    TM_ASSERT(segment->use > 0);
    bool is_empty = --segment->use == 0;
    if (is_empty) /* so it was not full: a segment has room for many */
        tm_list_remove(&list->partial, arena, tm_segment_list_link, number);
    else if (was_full)
        tm_list_append(&list->partial, arena, tm_segment_list_link, number);
    tm_lock_release(&list->lock, TM_LOCK_record_class);

    if (is_empty) {
        tm_fetch_sub_relaxed(&store->records_bytes, arena->unit_bytes);
        tm_arena_give(arena, number);
    }
}

/* ---- rebuilding ---- */

/* Walks the segments of the persistent arena that hold records of a class. */
static bool each_segment(struct tm_store *store, unsigned purpose, bool (*visit)(void *, uint32_t), void *user)
{
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    for (uint64_t unit = (uint64_t)arena->head_spans * TM_SPAN_UNITS; unit < (uint64_t)arena->next_span * TM_SPAN_UNITS;
         unit++) {
        struct tm_segment *segment = tm_segment_at(arena, (uint32_t)unit);
        if (segment->state == TM_SEGMENT_RECORDS && segment->purpose == purpose && !visit(user, (uint32_t)unit))
            return false;
    }
    return true;
}

struct each {
    struct tm_store *store;
    enum tm_record_class record_class;
    bool (*visit)(void *user, uint64_t ref, void *record);
    void *user;
};

static bool each_record(void *user, uint32_t number)
{
    struct each *each = user;
    struct tm_arena *arena = &each->store->arena[TM_ARENA_PERSISTENT];
    uint32_t bytes = class_bytes[each->record_class];
    uint32_t live = TM_RECORD_LIVE(each->record_class);
    uint64_t begin = tm_segment_offset(arena, number);
    /* The visit may free the segment's last record, and the segment with it. */
    for (uint32_t at = 0; at + bytes <= arena->unit_bytes && tm_segment_at(arena, number)->use != 0; at += bytes) {
        uint64_t ref = begin + at / TM_GRANULE_BYTES;
        uint32_t *words = record_words(arena, ref);
        if ((words[0] & 255u) == live && !each->visit(each->user, ref, words))
            return false;
    }
    return true;
}

bool tm_record_each(struct tm_store *store, enum tm_record_class record_class,
                    bool (*visit)(void *user, uint64_t ref, void *record), void *user)
{
    struct each each = {store, record_class, visit, user};
    return each_segment(store, 1u + (unsigned)record_class, each_record, &each);
}

/* Rebuilds a segment's free list and count from the first words of its records. */
static bool rebuild_segment(void *user, uint32_t number)
{
    struct tm_store *store = user;
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    struct tm_segment *segment = tm_segment_at(arena, number);
    unsigned record_class = segment->purpose - 1u;
    uint32_t bytes = class_bytes[record_class];
    uint64_t begin = tm_segment_offset(arena, number);
    segment->use = 0;
    segment->free_record = 0;
    segment->list = (struct tm_link){0, 0};
    segment->fill = segment->bytes - segment->bytes % bytes;
    for (uint32_t at = 0; at < segment->fill; at += bytes) {
        uint32_t *words = record_words(arena, begin + at / TM_GRANULE_BYTES);
        if ((words[0] & 255u) == TM_RECORD_LIVE(record_class)) {
            segment->use++;
            continue;
        }
        words[0] = 0;
        words[1] = segment->free_record;
        segment->free_record = at / TM_GRANULE_BYTES + 1u;
    }
    if (segment->use == 0) { /* its first record was never complete, or its last was freed at the very end */
        tm_arena_give(arena, number);
        return true;
    }
    if (segment->free_record != 0)
        tm_list_append(&store->records[TM_ARENA_PERSISTENT][record_class].partial, arena, tm_segment_list_link, number);
    tm_fetch_add_relaxed(&store->records_bytes, arena->unit_bytes);
    return true;
}

void tm_records_rebuild(struct tm_store *store)
{
    for (unsigned record_class = 0; record_class < TM_RECORD_CLASSES; record_class++)
        each_segment(store, 1u + record_class, rebuild_segment, store);
}

/* ---- invariants ---- */

static uint64_t check_segment(const struct tm_arena *arena, uint32_t number)
{
    const struct tm_segment *segment = tm_segment_at(arena, number);
    uint32_t bytes = class_bytes[segment->purpose - 1u];
    uint64_t begin = tm_segment_offset(arena, number);
    uint64_t given = segment->fill / bytes;
    uint64_t free_records = 0;
    for (uint32_t at = segment->free_record; at != 0; free_records++) {
        uint32_t *words = record_words(arena, begin + at - 1u);
        TM_ASSERT((at - 1u) * TM_GRANULE_BYTES % bytes == 0);
        TM_ASSERT(words[0] == 0);
        TM_ASSERT(free_records < given);
        at = words[1];
    }
    TM_ASSERT(segment->use + free_records == given);
    return arena->unit_bytes;
}

void tm_records_check(struct tm_store *store)
{
    uint64_t bytes = 0;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_arena *arena = &store->arena[kind];
        uint64_t last = (uint64_t)arena->next_span * TM_SPAN_UNITS;
        for (uint64_t unit = (uint64_t)arena->head_spans * TM_SPAN_UNITS; unit < last; unit++)
            if (tm_segment_at(arena, (uint32_t)unit)->state == TM_SEGMENT_RECORDS)
                bytes += check_segment(arena, (uint32_t)unit);
    }
    TM_ASSERT(bytes == store->records_bytes);
}
