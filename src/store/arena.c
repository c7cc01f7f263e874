/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - spans and units: memory from the host, cut for segments, and given back when a span is
 * empty.
 *
 * A span with free units is on the list of its largest free run, so that a run is taken from the span
 * that fits best and full spans are never looked at. Data and records do not share spans: records stay
 * when pages go, and would keep spans from emptying.
 */
#include "store/store_internal.h"

#define ORDER_NONE 0xffu
/* Whose bytes lie in a unit of records: no account's, but those of a class. */
#define CLASS_STAMP(purpose) (UINT32_MAX - (purpose))

/* What a span's descriptors take once it has been used. */
#define DESCRIPTORS_BYTES ((int64_t)(TM_SPAN_UNITS * sizeof(struct tm_segment) + sizeof(struct tm_span)))

static struct tm_link *span_link(void *table, uint32_t number)
{
    return &((struct tm_arena *)table)->spans[number].link;
}

struct tm_link *tm_segment_list_link(void *arena, uint32_t number)
{
    return &((struct tm_arena *)arena)->segments[number].list;
}

struct tm_link *tm_segment_bin_link(void *arena, uint32_t number)
{
    return &((struct tm_arena *)arena)->segments[number].bin_link;
}

struct tm_link *tm_segment_deferred_link(void *arena, uint32_t number)
{
    return &((struct tm_arena *)arena)->segments[number].deferred_link;
}

/* ---- runs of units in a span ---- */

/* Bit u is set where an aligned run of 2^order free units begins. */
static uint32_t runs_of(uint32_t free_units, unsigned order)
{
    static const uint32_t begins[TM_SPAN_ORDERS] = {0xffffffffu, 0x55555555u, 0x11111111u,
                                                    0x01010101u, 0x00010001u, 0x00000001u};
    uint32_t run = free_units;
    for (unsigned i = 0; i < order; i++)
        run &= run >> (1u << i);
    return run & begins[order];
}

static uint32_t count_units(uint32_t units)
{
    return (uint32_t)__builtin_popcount(units);
}

static unsigned largest_run(uint32_t free_units)
{
    for (unsigned order = TM_SPAN_ORDERS; order-- > 0;)
        if (runs_of(free_units, order) != 0)
            return order;
    return ORDER_NONE;
}

static uint32_t run_mask(unsigned unit, unsigned order)
{
    return ((1u << (1u << order)) - 1u) << unit; /* of a segment: not of a whole span */
}

void tm_arena_relist(struct tm_arena *arena, uint32_t number)
{
    struct tm_span *span = &arena->spans[number];
    bool gives_units = span->state == TM_SPAN_IN_USE && number != arena->draining;
    unsigned order = gives_units ? largest_run(span->free_units) : ORDER_NONE;
    bool counts = gives_units && !span->for_records;
    uint32_t long_runs = counts ? count_units(runs_of(span->free_units, TM_SEGMENT_ORDER_MAX)) : 0;
    arena->long_runs += long_runs - span->long_runs;
    span->long_runs = (uint8_t)long_runs;
    if (order == span->order)
        return;
    if (span->order != ORDER_NONE)
        tm_list_remove(&arena->partial[span->for_records][span->order], arena, span_link, number);
    span->order = (uint8_t)order;
    if (order != ORDER_NONE)
        tm_list_append(&arena->partial[span->for_records][order], arena, span_link, number);
}

/* ---- spans from and to the host ---- */

/* Counts a span as resident if the limit allows. */
static bool count_span(struct tm_store *store, uint32_t span_bytes, enum tm_tier tier)
{
    uint64_t limit = tm_store_limit(store, tier);
    uint64_t before = tm_fetch_add(&store->span_bytes_resident, span_bytes);
    if (before + span_bytes + tm_store_metadata(store) <= limit)
        return true;
    tm_fetch_sub(&store->span_bytes_resident, span_bytes);
    return false;
}

/* A span number that nobody uses, marked busy; 0: the address space is used up. */
static uint32_t claim_span(struct tm_arena *arena)
{
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    uint32_t number = arena->released.head;
    bool is_new = false;
    if (number != 0) {
        tm_list_remove(&arena->released, arena, span_link, number);
    } else if (arena->next_span < arena->span_count) {
        number = arena->next_span;
        tm_store_relaxed(&arena->next_span, number + 1u); /* tm_arena_units_to_leave() may look */
        arena->header->next_span = arena->next_span;
        is_new = true;
    }
    if (number != 0)
        arena->spans[number].state = TM_SPAN_BUSY;
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    if (is_new) /* its descriptors become resident now and stay so */
        tm_store_add_metadata(arena->store, DESCRIPTORS_BYTES);
    return number;
}

static void unclaim_span(struct tm_arena *arena, uint32_t number)
{
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    arena->spans[number].state = TM_SPAN_FREE;
    tm_list_prepend(&arena->released, arena, span_link, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    tm_fetch_sub(&arena->store->span_bytes_resident, arena->span_bytes);
}

/* A span that was committed ahead, now busy; 0: there is none. */
static uint32_t take_ready(struct tm_arena *arena)
{
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    uint32_t number = arena->ready.head;
    if (number != 0) {
        tm_list_remove(&arena->ready, arena, span_link, number);
        arena->spans[number].state = TM_SPAN_BUSY;
    }
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return number;
}

enum commit {
    COMMIT_OK,
    COMMIT_LIMIT, /* the store is as large as it may be */
    COMMIT_NONE   /* the address space is used up, or the host has no memory */
};

/* A span counted, claimed and committed. */
static enum commit commit_span(struct tm_arena *arena, enum tm_tier tier, uint32_t *span)
{
    struct tm_store *store = arena->store;
    if (!count_span(store, arena->span_bytes, tier))
        return COMMIT_LIMIT;
    uint32_t number = claim_span(arena);
    if (number == 0) {
        tm_fetch_sub(&store->span_bytes_resident, arena->span_bytes);
        return COMMIT_NONE;
    }
    if (!store->host.span_commit(store->host.user, arena->kind, number)) {
        unclaim_span(arena, number);
        return COMMIT_NONE;
    }
    arena->spans[number].dirty_units = 0;
    *span = number;
    return COMMIT_OK;
}

/* Gets one more span, and takes its first units at once: a span in use always has a segment, by which it comes back. */
static enum commit add_span(struct tm_arena *arena, unsigned order, bool for_records, enum tm_tier tier,
                            uint32_t *first, uint32_t *dirty)
{
    struct tm_store *store = arena->store;
    uint32_t number = take_ready(arena);
    enum commit result = number != 0 ? COMMIT_OK : commit_span(arena, tier, &number);
    if (result != COMMIT_OK)
        return result;
    struct tm_span *span = &arena->spans[number];
    uint32_t mask = run_mask(0, order);
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    span->free_units = ~mask;
    *dirty = span->dirty_units & mask;
    span->dirty_units |= mask;
    span->for_records = for_records;
    span->order = ORDER_NONE;
    span->state = TM_SPAN_IN_USE;
    arena->in_use++;
    if (arena->draining == number) /* what was drained has gone; nobody need be told yet */
        arena->draining = 0;
    arena->in_use_records += for_records;
    arena->free_units[for_records] += TM_SPAN_UNITS - (1u << order);
    tm_arena_relist(arena, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    if (store->config.ahead) {
        tm_store_relaxed(&arena->grown_ns, store->host.clock_ns(store->host.user));
        tm_store_hurry(store);
    }
    *first = number * TM_SPAN_UNITS;
    return COMMIT_OK;
}

/* ---- ahead of use ---- */

#define SPANS_AHEAD 4u

bool tm_arena_prepare(struct tm_arena *arena)
{
    if (tm_load_relaxed(&arena->ready.count) >= SPANS_AHEAD)
        return false;
    uint32_t number;
    if (commit_span(arena, TM_TIER_NORMAL, &number) != COMMIT_OK)
        return false;
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    arena->spans[number].state = TM_SPAN_READY;
    tm_list_append(&arena->ready, arena, span_link, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return true;
}

bool tm_arena_unprepare(struct tm_arena *arena)
{
    struct tm_store *store = arena->store;
    uint32_t number = take_ready(arena);
    if (number == 0)
        return false;
    store->host.span_release(store->host.user, arena->kind, number);
    tm_fetch_add_relaxed(&store->returned_bytes, arena->span_bytes);
    unclaim_span(arena, number);
    return true;
}

/* ---- taking ---- */

/* Left free for copies, where spans come to an end; by half less for pages that replace others; and while there are
 * spans to be had, for a host that has no more all of a sudden. */
#define UNITS_FOR_COPIES (3u << TM_SEGMENT_ORDER_MAX)
#define UNITS_BESIDE_REPLACING (2u << TM_SEGMENT_ORDER_MAX)
#define UNITS_WHILE_ROOMY (1u << TM_SEGMENT_ORDER_MAX)
/* Free units that records keep for themselves. */
#define UNITS_FOR_RECORDS 4u

/* Up to which list runs of data may be taken, so that @leave units are left, in long runs as far as they come to such.
 * 0: none may. Arena's lock held. */
static unsigned lists_to_use(const struct tm_arena *arena, unsigned order, uint32_t leave)
{
    if (arena->free_units[0] < leave + (1u << order))
        return 0;
    return arena->long_runs > leave >> TM_SEGMENT_ORDER_MAX ? TM_SPAN_ORDERS : TM_SEGMENT_ORDER_MAX;
}

/* Carves a run out of a listed span, but leaves so many units of data. Answers its first unit, 0: none; *dirty:
 * its units used before. */
static uint32_t carve(struct tm_arena *arena, unsigned order, bool for_records, uint32_t leave, uint32_t *dirty)
{
    uint32_t unit = 0;
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    unsigned lists = for_records ? TM_SPAN_ORDERS : lists_to_use(arena, order, leave);
    for (unsigned list = order; list < lists && unit == 0; list++) {
        uint32_t number = arena->partial[for_records][list].head;
        if (number == 0)
            continue;
        struct tm_span *span = &arena->spans[number];
        unsigned first = tm_count_trailing_zeros(runs_of(span->free_units, order));
        uint32_t mask = run_mask(first, order);
        *dirty = (span->dirty_units & mask) >> first;
        span->free_units &= ~mask;
        span->dirty_units |= mask;
        arena->free_units[for_records] -= 1u << order;
        tm_arena_relist(arena, number);
        unit = number * TM_SPAN_UNITS + first;
    }
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return unit;
}

/* What another account left in the units must not be readable by the new one, whatever goes wrong; and what records
 * of one class left must not look like records of another to a restart. (Free records of the same class look free.) */
static void wipe_foreign(struct tm_arena *arena, uint32_t first, unsigned order, uint32_t dirty, uint32_t stamp)
{
    for (uint32_t i = 0; i < 1u << order; i++)
        if ((dirty >> i & 1u) != 0 && arena->segments[first + i].stamp != stamp)
            memset(tm_arena_address(arena, tm_segment_offset(arena, first + i)), 0, arena->unit_bytes);
}

/* Counts a segment as in use if the limit allows: free units of spans that are there are not free for all. */
static bool count_segment(struct tm_arena *arena, unsigned order, enum tm_tier tier)
{
    struct tm_store *store = arena->store;
    uint64_t bytes = (uint64_t)arena->unit_bytes << order;
    uint64_t before = tm_fetch_add(&store->segment_bytes, bytes);
    if (before + bytes + tm_store_metadata(store) <= tm_store_use_limit(store, tier))
        return true;
    tm_fetch_sub(&store->segment_bytes, bytes);
    return false;
}

/* Pages that must stay can be moved together only where there is room to begin with, and into short segments fewer
 * go. What is ephemeral can also go. */
uint32_t tm_arena_units_to_leave(const struct tm_arena *arena, enum tm_tier tier)
{
    if (arena->kind != TM_ARENA_PERSISTENT || tier == TM_TIER_COPY || tier == TM_TIER_MOVE)
        return 0;
    uint32_t spans = tm_load_relaxed(&arena->released.count) + arena->span_count - tm_load_relaxed(&arena->next_span);
    if (spans > 1 && tm_store_has_room(arena->store))
        return UNITS_WHILE_ROOMY;
    return tier == TM_TIER_NORMAL ? UNITS_FOR_COPIES : UNITS_BESIDE_REPLACING;
}

/* More than records are likely to want soon. What they lend comes to less than two spans, however much they grow. */
uint64_t tm_arena_units_for_records(const struct tm_arena *arena)
{
    return UNITS_FOR_RECORDS + tm_load_relaxed(&arena->store->records_bytes) / arena->unit_bytes / 4u;
}

/* Whether records have units to lend to data. In a small store their span would be empty for the most part. */
static bool may_borrow(struct tm_arena *arena, unsigned order)
{
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    bool may = arena->free_units[1] >= tm_arena_units_for_records(arena) + (1u << order);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return may;
}

unsigned tm_arena_fit(struct tm_arena *arena, unsigned order, enum tm_tier tier)
{
    bool is_there = false;
    unsigned fits = order + 1u;
    uint32_t leave = tm_arena_units_to_leave(arena, tier);
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    while (fits > 0 && !is_there) {
        fits--;
        unsigned lists = lists_to_use(arena, fits, leave);
        for (unsigned list = fits; list < lists; list++)
            is_there = is_there || arena->partial[0][list].head != 0;
    }
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return is_there ? fits : order;
}

/* Records do not take the last span either, where data could not be moved together any more. */
static bool may_take_span(struct tm_arena *arena, bool for_records, uint32_t leave)
{
    if (!for_records)
        return true;
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    uint32_t others = arena->released.count + arena->ready.count + arena->span_count - arena->next_span;
    bool may = others > 1 || arena->free_units[0] >= leave ||
               arena->in_use == arena->in_use_records;
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return may;
}

/* Units of spans of the sort, of a new one, or for data, when there is no other way, those that records do not use. */
static uint32_t find_units(struct tm_arena *arena, unsigned order, bool for_records, enum tm_tier tier, uint32_t *dirty)
{
    uint32_t leave = tm_arena_units_to_leave(arena, tier);
    uint32_t first = carve(arena, order, for_records, leave, dirty);
    enum commit commit = COMMIT_LIMIT;
    if (first == 0 && !for_records && arena->kind == TM_ARENA_PERSISTENT && may_borrow(arena, order))
        first = carve(arena, order, true, 0, dirty);
    if (first == 0 && tier != TM_TIER_MOVE && may_take_span(arena, for_records, leave))
        commit = add_span(arena, order, for_records, tier, &first, dirty);
    if (first != 0 || for_records)
        return first;
    /* At the store's size there is room for copies: they may go above it. */
    if (commit == COMMIT_LIMIT && leave != 0)
        first = carve(arena, order, false, 0, dirty);
    /* But puts of pages that must stay leave records the units that these keep: where no span is to be had, the first
     * page of the next object would be refused for lack of a unit, whatever is free elsewhere. (Ephemeral records may
     * go above the size, and copies leave as much as they take.) */
    bool spares = arena->kind == TM_ARENA_PERSISTENT && (tier == TM_TIER_NORMAL || tier == TM_TIER_REPLACE);
    return first != 0 || spares ? first : carve(arena, order, true, 0, dirty);
}

uint32_t tm_arena_take(struct tm_arena *arena, unsigned order, unsigned purpose, const struct tm_heap *heap,
                       enum tm_tier tier)
{
    uint32_t dirty = 0;
    uint32_t stamp = heap != NULL ? heap->stamp : CLASS_STAMP(purpose);
    if (!count_segment(arena, order, tier))
        return 0;
    uint32_t first = find_units(arena, order, purpose != TM_PURPOSE_DATA, tier, &dirty);
    if (first == 0) {
        tm_fetch_sub(&arena->store->segment_bytes, (uint64_t)arena->unit_bytes << order);
        return 0;
    }
    wipe_foreign(arena, first, order, dirty, stamp);
    for (uint32_t i = 0; i < 1u << order; i++) {
        struct tm_segment *unit = &arena->segments[first + i];
        unit->heap = heap != NULL ? heap->number : 0;
        unit->stamp = stamp;
        unit->first_distance = (uint8_t)i;
    }
    struct tm_segment *segment = &arena->segments[first];
    segment->use = 0;
    segment->generation++;
    segment->fill = 0;
    segment->bytes = arena->unit_bytes << order;
    segment->order = (uint8_t)order;
    segment->purpose = (uint8_t)purpose;
    segment->age = 0;
    segment->bin = 0;
    segment->is_stuck = 0;
    segment->is_deferred = 0;
    segment->free_record = 0;
    segment->list = segment->bin_link = segment->deferred_link = (struct tm_link){0, 0};
    return first;
}

/* ---- giving back ---- */

void tm_arena_give(struct tm_arena *arena, uint32_t first)
{
    struct tm_store *store = arena->store;
    struct tm_segment *segment = &arena->segments[first];
    unsigned order = segment->order;
    uint32_t number = first / TM_SPAN_UNITS;
    struct tm_span *span = &arena->spans[number];
    TM_ASSERT(segment->use == 0);
    tm_store_release(&segment->state, TM_SEGMENT_FREE);
    tm_fetch_sub(&store->segment_bytes, (uint64_t)arena->unit_bytes << order);

    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    uint32_t mask = run_mask(first % TM_SPAN_UNITS, order);
    TM_ASSERT((span->free_units & mask) == 0);
    span->free_units |= mask;
    arena->free_units[span->for_records] += 1u << order;
    bool is_empty = span->free_units == 0xffffffffu;
    /* A span that was drained is where what is drained next goes: no need to give it back in between. */
    bool is_kept = is_empty && number == arena->draining && arena->ready.count == 0;
    if (is_empty) {
        span->state = is_kept ? TM_SPAN_READY : TM_SPAN_BUSY;
        arena->in_use--;
        arena->in_use_records -= span->for_records;
        arena->free_units[span->for_records] -= TM_SPAN_UNITS;
    }
    tm_arena_relist(arena, number);
    if (is_kept)
        tm_list_append(&arena->ready, arena, span_link, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);

    if (is_empty && !is_kept) {
        store->host.span_release(store->host.user, arena->kind, number);
        tm_fetch_add_relaxed(&store->returned_bytes, arena->span_bytes);
        unclaim_span(arena, number);
    }
}

/* ---- rebuilding ---- */

static bool holds_records(const struct tm_segment *units)
{
    for (unsigned i = 0; i < TM_SPAN_UNITS; i++)
        if (units[i].state != TM_SEGMENT_FREE && units[i].purpose != TM_PURPOSE_DATA)
            return true;
    return false;
}

void tm_arena_rebuild(struct tm_arena *arena)
{
    struct tm_store *store = arena->store;
    arena->next_span = (uint32_t)arena->header->next_span;
    for (uint32_t number = arena->head_spans; number < arena->next_span; number++) {
        struct tm_span *span = &arena->spans[number];
        struct tm_segment *units = &arena->segments[(uint64_t)number * TM_SPAN_UNITS];
        uint32_t used = 0;
        for (unsigned i = 0; i < TM_SPAN_UNITS; i++)
            if (units[i].state != TM_SEGMENT_FREE)
                used |= run_mask(i, units[i].order);
        tm_store_add_metadata(store, DESCRIPTORS_BYTES);
        span->order = ORDER_NONE;
        if (used == 0) {
            store->host.span_release(store->host.user, arena->kind, number);
            span->state = TM_SPAN_FREE;
            tm_list_append(&arena->released, arena, span_link, number);
            continue;
        }
        span->for_records = holds_records(units);
        span->free_units = ~used;
        span->dirty_units = 0xffffffffu;
        span->state = TM_SPAN_IN_USE;
        arena->in_use++;
        arena->in_use_records += span->for_records;
        uint32_t used_units = count_units(used);
        arena->free_units[span->for_records] += TM_SPAN_UNITS - used_units;
        tm_fetch_add(&store->span_bytes_resident, arena->span_bytes);
        tm_fetch_add(&store->segment_bytes, (uint64_t)used_units * arena->unit_bytes);
        tm_arena_relist(arena, number);
    }
}

/* ---- invariants ---- */

static void check_span(const struct tm_arena *arena, uint32_t number, uint32_t *free_units)
{
    const struct tm_span *span = &arena->spans[number];
    uint32_t used = 0;
    for (unsigned i = 0; i < TM_SPAN_UNITS; i++) {
        const struct tm_segment *segment = &arena->segments[number * TM_SPAN_UNITS + i];
        if (segment->state == TM_SEGMENT_FREE)
            continue;
        TM_ASSERT((used & run_mask(i, segment->order)) == 0);
        TM_ASSERT(segment->first_distance == 0);
        TM_ASSERT(segment->bytes == arena->unit_bytes << segment->order);
        TM_ASSERT(segment->fill <= segment->bytes);
        TM_ASSERT(span->for_records || segment->purpose == TM_PURPOSE_DATA);
        used |= run_mask(i, segment->order);
    }
    TM_ASSERT(span->free_units == ~used);
    TM_ASSERT(used != 0);
    TM_ASSERT(span->order == largest_run(span->free_units));
    free_units[span->for_records] += count_units(span->free_units);
}

void tm_arena_check(struct tm_arena *arena)
{
    uint32_t in_use = 0;
    uint32_t released = 0;
    uint32_t free_units[2] = {0, 0};
    for (uint32_t number = arena->head_spans; number < arena->next_span; number++) {
        if (arena->spans[number].state == TM_SPAN_IN_USE) {
            check_span(arena, number, free_units);
            in_use++;
        } else if (arena->spans[number].state == TM_SPAN_FREE) {
            released++;
        }
        TM_ASSERT(arena->spans[number].state != TM_SPAN_BUSY);
    }
    TM_ASSERT(in_use == arena->in_use);
    TM_ASSERT(free_units[0] == arena->free_units[0] && free_units[1] == arena->free_units[1]);
    TM_ASSERT(released == arena->released.count);
    TM_ASSERT(in_use + released + arena->ready.count == arena->next_span - arena->head_spans);
    TM_ASSERT(tm_arena_head_is_whole(arena));
}
