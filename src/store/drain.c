/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drain.c - emptying whole spans, so that they go back to the host: what is alive in one is copied to others.
 *
 * A span is drained where copying gains something: there is room for what it holds in others, or so much of it is dead
 * that a new span is worth it. Segments that puts fill are left alone, and so are those that are taken apart bit by
 * bit, unless memory is short: then a span of them may be all that is free.
 */
#include "store/store_internal.h"

#define DRAIN_LOOKS 64u
#define EIGHTHS_IF_SHORT 1u

/* A span that may be emptied. */
struct candidate {
    uint32_t number; /* 0: none */
    uint64_t used;   /* bytes that will be copied, and ends of segments, which may be lost again */
    enum tm_tier tier;
};

#define CANNOT_GO UINT64_MAX

/* Bytes that what is in a segment takes elsewhere. */
static uint64_t bytes_to_move(const struct tm_segment *segment, bool is_short)
{
    switch (tm_load_acquire(&segment->state)) {
    case TM_SEGMENT_SEALED:
        if (tm_load_relaxed(&segment->is_stuck) != 0)
            return CANNOT_GO;
        return (tm_load_relaxed(&segment->use) & TM_USE_LIVE_MASK) + tm_segment_end_bytes(segment);
    case TM_SEGMENT_OPEN: /* its lane will open another */
    case TM_SEGMENT_PURGING:
        return is_short ? segment->bytes : CANNOT_GO;
    default:
        return CANNOT_GO;
    }
}

/* Free units that copies out of the span may use. */
static uint64_t units_beside(const struct tm_arena *arena, const struct tm_span *span)
{
    uint64_t units[2] = {arena->free_units[0], arena->free_units[1]};
    uint64_t kept[2] = {tm_arena_units_to_leave(arena, TM_TIER_NORMAL), tm_arena_units_for_records(arena)};
    units[span->for_records] -= (unsigned)__builtin_popcount(span->free_units);
    return (units[0] > kept[0] ? units[0] - kept[0] : 0) + (units[1] > kept[1] ? units[1] - kept[1] : 0);
}

/* Looks at a span. False: something in it cannot go, or copying what is alive would not gain @least bytes: neither is
 * there room in others, nor is so much dead that a new one is worth it. */
static bool examine_span(const struct tm_arena *arena, uint32_t number, uint64_t least, bool is_short,
                         struct candidate *found)
{
    const struct tm_span *span = &arena->spans[number];
    uint64_t used = 0;
    bool has_segments = false;
    if (span->state != TM_SPAN_IN_USE)
        return false;
    for (unsigned i = 0; i < TM_SPAN_UNITS; i++) {
        const struct tm_segment *segment = tm_segment_at(arena, number * TM_SPAN_UNITS + i);
        if (tm_load_acquire(&segment->state) == TM_SEGMENT_FREE)
            continue;
        uint64_t bytes = bytes_to_move(segment, is_short);
        if (bytes == CANNOT_GO)
            return false;
        used += bytes;
        has_segments = true;
    }
    uint64_t in_use = (uint64_t)(TM_SPAN_UNITS - (unsigned)__builtin_popcount(span->free_units)) * arena->unit_bytes;
    bool fits = used <= units_beside(arena, span) * arena->unit_bytes;
    *found = (struct candidate){number, used, fits ? TM_TIER_MOVE : TM_TIER_COPY};
    /* Without segments somebody is just giving it back. */
    return has_segments && (fits || (in_use > used && in_use - used >= least));
}

uint32_t tm_arena_drain_begin(struct tm_arena *arena, unsigned eighths, enum tm_tier *tier)
{
    uint64_t least = arena->span_bytes / 8u * eighths;
    uint32_t spared = tm_cool_spared(arena, eighths);
    struct candidate best = {0, arena->span_bytes - least + 1u, TM_TIER_MOVE};
    struct candidate found;
    uint32_t at = tm_load_relaxed(&arena->drain_cursor);
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    uint32_t count = arena->next_span - arena->head_spans;
    for (uint32_t i = 0; i < DRAIN_LOOKS && i < count && arena->draining == 0; i++, at++)
        if (arena->head_spans + at % count != spared &&
            examine_span(arena, arena->head_spans + at % count, least, eighths <= EIGHTHS_IF_SHORT, &found) &&
            found.used < best.used)
            best = found;
    tm_store_relaxed(&arena->drain_cursor, at);
    if (best.number != 0) {
        arena->draining = best.number;
        tm_arena_relist(arena, best.number);
    }
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    *tier = best.tier;
    return best.number;
}

bool tm_arena_drain_end(struct tm_arena *arena, uint32_t number)
{
    bool is_empty = true;
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    if (arena->draining == number) { /* else it was emptied, and is in use again */
        arena->draining = 0;
        for (unsigned i = 0; i < TM_SPAN_UNITS; i++) {
            unsigned state = tm_load_acquire(&tm_segment_at(arena, number * TM_SPAN_UNITS + i)->state);
            /* What waits for a reader will be free. */
            is_empty = is_empty && (state == TM_SEGMENT_FREE || state == TM_SEGMENT_WAITING);
        }
    }
    tm_arena_relist(arena, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return is_empty;
}

/* What puts are still at in the span is theirs no longer: they go on elsewhere. */
static void take_from_puts(struct tm_store *store, const struct tm_arena *arena, uint32_t span)
{
    for (uint32_t i = 0; i < TM_SPAN_UNITS; i++) {
        uint32_t number = span * TM_SPAN_UNITS + i;
        const struct tm_segment *segment = tm_segment_at(arena, number);
        unsigned state = tm_load_acquire(&segment->state);
        if (state != TM_SEGMENT_OPEN && state != TM_SEGMENT_PURGING)
            continue;
        struct tm_heap *heap = tm_heap_at(store, segment->heap);
        if (heap != NULL && state == TM_SEGMENT_OPEN)
            tm_heap_seal_one(heap, number);
        else if (heap != NULL)
            tm_heap_purge_stop(heap, number);
    }
}

bool tm_store_compact(struct tm_store *store, struct tm_worker *worker, enum tm_arena_kind kind, unsigned eighths)
{
    struct tm_arena *arena = &store->arena[kind];
    enum tm_tier tier;
    uint32_t span = tm_arena_drain_begin(arena, eighths, &tier);
    if (span == 0)
        return false;
    if (eighths <= EIGHTHS_IF_SHORT)
        take_from_puts(store, arena, span);
    bool has_room = true;
    for (uint32_t i = 0; i < TM_SPAN_UNITS && has_room; i++) {
        uint32_t number = span * TM_SPAN_UNITS + i;
        const struct tm_segment *segment = tm_segment_at(arena, number);
        if (tm_load_acquire(&segment->state) != TM_SEGMENT_SEALED)
            continue;
        struct tm_heap *heap = tm_heap_at(store, segment->heap);
        has_room = heap == NULL || tm_heap_clean_one(store, worker, heap, number, tier);
    }
    return tm_arena_drain_end(arena, span);
}
