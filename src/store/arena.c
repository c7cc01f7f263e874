/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - spans and units: memory from the host, cut for segments, and given back when a span is
 * empty.
 *
 * A span with free units is on the list of its largest free run, so that a run is taken from the span
 * that fits best and full spans are never looked at. Data and records do not share spans: records stay
 * when pages go, and would keep spans from emptying.
 */
#include "base/mix.h"
#include "store/store_internal.h"

#define ORDER_NONE 0xffu
#define NO_STAMP 0u /* units of records */

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

/* Lists the span by its largest free run. Arena's lock held. */
static void relist_span(struct tm_arena *arena, uint32_t number)
{
    struct tm_span *span = &arena->spans[number];
    bool gives_units = span->state == TM_SPAN_IN_USE && number != arena->draining;
    unsigned order = gives_units ? largest_run(span->free_units) : ORDER_NONE;
    if (order == span->order)
        return;
    if (span->order != ORDER_NONE)
        tm_list_remove(&arena->partial[span->for_records][span->order], arena, span_link, number);
    span->order = (uint8_t)order;
    if (order != ORDER_NONE)
        tm_list_append(&arena->partial[span->for_records][order], arena, span_link, number);
}

/* ---- head ---- */

static uint64_t header_check(const struct tm_arena_header *header)
{
    const uint64_t words[] = {TM_ARENA_MAGIC, (uint64_t)header->version << 32 | header->span_bytes,
                              header->arena_bytes, header->seeds[0],
                              header->seeds[1], header->seeds[2],
                              header->seeds[3]};
    uint64_t check = 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(words); i++)
        check = tm_scramble(check + words[i]);
    return check;
}

/* The spans that header and descriptors take. */
static uint32_t head_span_count(const struct tm_arena *arena)
{
    uint64_t bytes = TM_ARENA_HEADER_BYTES + (uint64_t)arena->span_count * TM_SPAN_UNITS * sizeof(struct tm_segment);
    return (uint32_t)((bytes + arena->span_bytes - 1u) / arena->span_bytes);
}

static void format_header(struct tm_arena *arena)
{
    struct tm_arena_header *header = arena->header;
    struct tm_host *host = &arena->store->host;
    header->version = TM_ARENA_VERSION;
    header->span_bytes = arena->span_bytes;
    header->arena_bytes = host->arena_bytes[arena->kind];
    for (unsigned i = 0; i < 4; i++)
        header->seeds[i] = host->random(host->user);
    header->serial = 0;
    header->next_span = arena->next_span;
    /* The magic comes last: whoever is killed in here leaves an arena that is still a fresh one. */
    header->check = header_check(header);
    tm_crash_barrier();
    tm_store_release(&header->magic, TM_ARENA_MAGIC);
}

/* Looks at what an arena that outlives its store holds. */
static enum tm_create examine_header(const struct tm_arena *arena)
{
    const struct tm_arena_header *header = arena->header;
    if (header->magic == 0)
        return TM_CREATE_OK;
    if (header->magic != TM_ARENA_MAGIC)
        return TM_CREATE_CORRUPT;
    if (header->version != TM_ARENA_VERSION)
        return TM_CREATE_VERSION;
    if (header->check != header_check(header))
        return TM_CREATE_CORRUPT;
    bool fits = header->span_bytes == arena->span_bytes && header->arena_bytes >= header->span_bytes &&
                header->arena_bytes <= arena->store->host.arena_bytes[arena->kind];
    return fits ? TM_CREATE_FOUND : TM_CREATE_VERSION;
}

/* How far the head reaches depends on the length, so an arena keeps the one that it was formatted with. */
static void set_length(struct tm_arena *arena, uint64_t bytes)
{
    arena->span_count = (uint32_t)(bytes / arena->span_bytes);
    arena->head_spans = head_span_count(arena);
    arena->next_span = arena->head_spans;
}

enum tm_create tm_arena_init(struct tm_arena *arena, struct tm_store *store, enum tm_arena_kind kind)
{
    const struct tm_host *host = &store->host;
    arena->store = store;
    arena->kind = kind;
    arena->base = host->arena_base[kind];
    arena->span_bytes = host->span_bytes;
    arena->unit_bytes = host->span_bytes / TM_SPAN_UNITS;
    arena->header = (struct tm_arena_header *)(void *)arena->base;
    arena->segments = (struct tm_segment *)(void *)(arena->base + TM_ARENA_HEADER_BYTES);
    bool survives = kind == TM_ARENA_PERSISTENT && host->persistent_survives;
    enum tm_create result = survives ? examine_header(arena) : TM_CREATE_OK;
    if (result != TM_CREATE_OK && result != TM_CREATE_FOUND)
        return result;
    set_length(arena, result == TM_CREATE_FOUND ? arena->header->arena_bytes : host->arena_bytes[kind]);
    if (arena->span_count <= arena->head_spans)
        return TM_CREATE_NOMEM;
    arena->spans_bytes = (uint64_t)arena->span_count * sizeof(struct tm_span);
    arena->spans = host->alloc(host->user, (size_t)arena->spans_bytes);
    if (arena->spans == NULL)
        return TM_CREATE_NOMEM;
    if (result == TM_CREATE_OK)
        format_header(arena);
    tm_store_add_metadata(store, TM_ARENA_HEADER_BYTES);
    return result;
}

/* Gives all memory back, but for an arena that shall outlive the store. */
void tm_arena_fini(struct tm_arena *arena)
{
    struct tm_store *store = arena->store;
    if (arena->spans == NULL)
        return;
    bool survives = arena->kind == TM_ARENA_PERSISTENT && store->host.persistent_survives;
    for (uint32_t span = arena->head_spans; span < arena->next_span && !survives; span++)
        if (arena->spans[span].state == TM_SPAN_IN_USE || arena->spans[span].state == TM_SPAN_READY)
            store->host.span_release(store->host.user, arena->kind, span);
    store->host.free(store->host.user, arena->spans, (size_t)arena->spans_bytes);
    arena->spans = NULL;
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
        number = arena->next_span++;
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

/* A span counted, claimed and committed; 0: the limit, the address space or the host says no. */
static uint32_t commit_span(struct tm_arena *arena, enum tm_tier tier)
{
    struct tm_store *store = arena->store;
    if (!count_span(store, arena->span_bytes, tier))
        return 0;
    uint32_t number = claim_span(arena);
    if (number == 0) {
        tm_fetch_sub(&store->span_bytes_resident, arena->span_bytes);
        return 0;
    }
    if (store->host.span_commit(store->host.user, arena->kind, number)) {
        arena->spans[number].dirty_units = 0;
        return number;
    }
    unclaim_span(arena, number);
    return 0;
}

/* Gets one more span, and takes its first units at once: a span in use always has a segment, by which it comes back. */
static uint32_t add_span(struct tm_arena *arena, unsigned order, bool for_records, enum tm_tier tier, uint32_t *dirty)
{
    struct tm_store *store = arena->store;
    uint32_t number = take_ready(arena);
    if (number == 0)
        number = commit_span(arena, tier);
    if (number == 0)
        return 0;
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
    relist_span(arena, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    if (store->config.ahead) {
        tm_store_relaxed(&arena->grown_ns, store->host.clock_ns(store->host.user));
        void (*call)(void *user) = store->host.hurry != NULL ? store->host.hurry : store->host.kick;
        if (call != NULL)
            call(store->host.user);
    }
    return number * TM_SPAN_UNITS;
}

/* ---- ahead of use ---- */

#define SPANS_AHEAD 4u

bool tm_arena_prepare(struct tm_arena *arena)
{
    if (tm_load_relaxed(&arena->ready.count) >= SPANS_AHEAD)
        return false;
    uint32_t number = commit_span(arena, TM_TIER_NORMAL);
    if (number == 0)
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

/* Carves a run out of a listed span. Answers its first unit, 0: none; *dirty: its units used before. */
static uint32_t carve(struct tm_arena *arena, unsigned order, bool for_records, uint32_t *dirty)
{
    uint32_t unit = 0;
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    for (unsigned list = order; list < TM_SPAN_ORDERS && unit == 0; list++) {
        uint32_t number = arena->partial[for_records][list].head;
        if (number == 0)
            continue;
        struct tm_span *span = &arena->spans[number];
        unsigned first = tm_count_trailing_zeros(runs_of(span->free_units, order));
        uint32_t mask = run_mask(first, order);
        *dirty = (span->dirty_units & mask) >> first;
        span->free_units &= ~mask;
        span->dirty_units |= mask;
        relist_span(arena, number);
        unit = number * TM_SPAN_UNITS + first;
    }
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return unit;
}

/* What another account left in the units must not be readable by the new one, whatever goes wrong; and what records
 * of one class left must not look like records of another to a restart. */
static void wipe_foreign(struct tm_arena *arena, uint32_t first, unsigned order, uint32_t dirty, uint32_t stamp)
{
    for (uint32_t i = 0; i < 1u << order; i++)
        if ((dirty >> i & 1u) != 0 && (stamp == NO_STAMP || arena->segments[first + i].stamp != stamp))
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

uint32_t tm_arena_take(struct tm_arena *arena, unsigned order, unsigned purpose, const struct tm_heap *heap,
                       enum tm_tier tier)
{
    uint32_t dirty = 0;
    uint32_t stamp = heap != NULL ? heap->stamp : NO_STAMP;
    bool for_records = purpose != TM_PURPOSE_DATA;
    if (!count_segment(arena, order, tier))
        return 0;
    uint32_t first = carve(arena, order, for_records, &dirty);
    if (first == 0)
        first = add_span(arena, order, for_records, tier, &dirty);
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
    segment->free_record = 0;
    segment->list = segment->bin_link = (struct tm_link){0, 0};
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
    bool is_empty = span->free_units == 0xffffffffu;
    /* A span that was drained is where what is drained next goes: no need to give it back in between. */
    bool is_kept = is_empty && number == arena->draining && arena->ready.count == 0;
    if (is_empty) {
        span->state = is_kept ? TM_SPAN_READY : TM_SPAN_BUSY;
        arena->in_use--;
    }
    relist_span(arena, number);
    if (is_kept)
        tm_list_append(&arena->ready, arena, span_link, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);

    if (is_empty && !is_kept) {
        store->host.span_release(store->host.user, arena->kind, number);
        tm_fetch_add_relaxed(&store->returned_bytes, arena->span_bytes);
        unclaim_span(arena, number);
    }
}

/* ---- draining ---- */

#define DRAIN_LOOKS 64u

/* Live bytes of a span all of whose segments are sealed data; more than it has otherwise, or when there is none: then
 * somebody is just giving the span back. */
static uint64_t live_bytes_of(const struct tm_arena *arena, uint32_t number)
{
    const struct tm_span *span = &arena->spans[number];
    uint64_t live = 0;
    bool has_segments = false;
    if (span->state != TM_SPAN_IN_USE || span->for_records)
        return UINT64_MAX;
    for (unsigned i = 0; i < TM_SPAN_UNITS; i++) {
        const struct tm_segment *segment = tm_segment_at(arena, number * TM_SPAN_UNITS + i);
        unsigned state = tm_load_acquire(&segment->state);
        if (state == TM_SEGMENT_FREE)
            continue;
        if (state != TM_SEGMENT_SEALED || segment->is_stuck != 0)
            return UINT64_MAX;
        live += tm_load_relaxed(&segment->use) & TM_USE_LIVE_MASK;
        has_segments = true;
    }
    return has_segments ? live : UINT64_MAX;
}

uint32_t tm_arena_drain_begin(struct tm_arena *arena, unsigned eighths)
{
    uint32_t best = 0;
    uint64_t least = (uint64_t)arena->span_bytes / 8u * (8u - eighths) + 1u;
    uint32_t at = tm_load_relaxed(&arena->drain_cursor);
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    uint32_t count = arena->next_span - arena->head_spans;
    for (uint32_t i = 0; i < DRAIN_LOOKS && i < count && arena->draining == 0; i++, at++) {
        uint32_t number = arena->head_spans + at % count;
        uint64_t live = live_bytes_of(arena, number);
        if (live < least) {
            least = live;
            best = number;
        }
    }
    tm_store_relaxed(&arena->drain_cursor, at);
    if (best != 0) {
        arena->draining = best;
        relist_span(arena, best);
    }
    tm_lock_release(&arena->lock, TM_LOCK_arena);
    return best;
}

void tm_arena_drain_end(struct tm_arena *arena, uint32_t number)
{
    tm_lock_acquire(&arena->lock, TM_LOCK_arena);
    if (arena->draining == number) /* else it was emptied, and is in use again */
        arena->draining = 0;
    relist_span(arena, number);
    tm_lock_release(&arena->lock, TM_LOCK_arena);
}

/* ---- rebuilding ---- */

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
        unsigned first = tm_count_trailing_zeros(used);
        span->for_records = units[first].purpose != TM_PURPOSE_DATA;
        span->free_units = ~used;
        span->dirty_units = 0xffffffffu;
        span->state = TM_SPAN_IN_USE;
        arena->in_use++;
        tm_fetch_add(&store->span_bytes_resident, arena->span_bytes);
        tm_fetch_add(&store->segment_bytes, (uint64_t)(unsigned)__builtin_popcount(used) * arena->unit_bytes);
        relist_span(arena, number);
    }
}

/* ---- invariants ---- */

static uint32_t check_span(const struct tm_arena *arena, uint32_t number)
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
        TM_ASSERT(span->for_records == (segment->purpose != TM_PURPOSE_DATA));
        used |= run_mask(i, segment->order);
    }
    TM_ASSERT(span->free_units == ~used);
    TM_ASSERT(used != 0);
    TM_ASSERT(span->order == largest_run(span->free_units));
    return 1;
}

void tm_arena_check(struct tm_arena *arena)
{
    uint32_t in_use = 0;
    uint32_t released = 0;
    for (uint32_t number = arena->head_spans; number < arena->next_span; number++) {
        if (arena->spans[number].state == TM_SPAN_IN_USE)
            in_use += check_span(arena, number);
        else if (arena->spans[number].state == TM_SPAN_FREE)
            released++;
        TM_ASSERT(arena->spans[number].state != TM_SPAN_BUSY);
    }
    TM_ASSERT(in_use == arena->in_use);
    TM_ASSERT(released == arena->released.count);
    TM_ASSERT(in_use + released + arena->ready.count == arena->next_span - arena->head_spans);
    TM_ASSERT(arena->header->check == header_check(arena->header));
}
