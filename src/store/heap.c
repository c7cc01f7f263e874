/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.c - the log of one account: open segments that lanes fill by bumping, and sealed ones on lists
 * by age and by how dead they are.
 *
 * A segment's life: FREE - OPEN (a lane fills it) - SEALED (listed) - PURGING (somebody takes it apart)
 * - WAITING (empty, but a reader may be inside) - FREE. A sealed segment whose last block dies goes
 * straight to WAITING. `use` holds writers and live bytes in one word, so that "nobody writes and nothing
 * lives" is one comparison.
 */
#include "store/store_internal.h"

/* While what waits to be compressed is less than this part of the size, it waits until the thread looks by itself. */
#define DEFERRED_PATIENT_PART 32u

struct tm_heap *tm_heap_at(const struct tm_store *store, uint32_t number)
{
    return tm_load_acquire(&store->heaps[number / TM_HEAP_DIRECTORY][number % TM_HEAP_DIRECTORY]);
}

uint64_t tm_heap_segment_bytes(const struct tm_heap *heap)
{
    return tm_load_relaxed(&heap->segment_bytes);
}

uint64_t tm_heap_age_bytes(const struct tm_heap *heap, enum tm_age age)
{
    return tm_load_relaxed(&heap->age_bytes[age]);
}

/* ---- lists; the heap's lock is held ---- */

static struct tm_arena *arena_of(const struct tm_heap *heap)
{
    return &heap->store->arena[heap->kind];
}

static unsigned dead_eighths(const struct tm_segment *segment)
{
    uint64_t live = tm_load_relaxed(&segment->use) & TM_USE_LIVE_MASK;
    uint32_t length = segment->bytes - tm_segment_end_bytes(segment);
    TM_ASSERT(live <= length);
    if (tm_load_relaxed(&segment->is_stuck) != 0)
        return 0;
    unsigned eighths = (unsigned)((length - live) * TM_DEAD_BINS / length);
    return eighths < TM_DEAD_BINS ? eighths : TM_DEAD_BINS - 1u;
}

static void list_deferred(struct tm_heap *heap, uint32_t number)
{
    struct tm_arena *arena = arena_of(heap);
    tm_list_append(&heap->deferred, arena, tm_segment_deferred_link, number);
    tm_fetch_add_relaxed(&heap->store->deferred_bytes, tm_segment_at(arena, number)->bytes);
}

static void unlist_deferred(struct tm_heap *heap, uint32_t number)
{
    struct tm_arena *arena = arena_of(heap);
    tm_list_remove(&heap->deferred, arena, tm_segment_deferred_link, number);
    tm_fetch_sub_relaxed(&heap->store->deferred_bytes, tm_segment_at(arena, number)->bytes);
}

static void list_segment(struct tm_heap *heap, uint32_t number, bool at_front)
{
    struct tm_arena *arena = arena_of(heap);
    struct tm_segment *segment = tm_segment_at(arena, number);
    struct tm_list *list = &heap->list[segment->age];
    if (at_front)
        tm_list_prepend(list, arena, tm_segment_list_link, number);
    else
        tm_list_append(list, arena, tm_segment_list_link, number);
    tm_store_relaxed(&heap->age_bytes[segment->age], heap->age_bytes[segment->age] + segment->bytes);
    segment->bin = dead_eighths(segment) & 15u;
    tm_list_append(&heap->bin[segment->bin], arena, tm_segment_bin_link, number);
    if (tm_load_relaxed(&segment->is_deferred) != 0)
        list_deferred(heap, number);
    tm_store_release(&segment->state, TM_SEGMENT_SEALED);
}

static void unlist_segment(struct tm_heap *heap, uint32_t number, enum tm_segment_state state)
{
    struct tm_arena *arena = arena_of(heap);
    struct tm_segment *segment = tm_segment_at(arena, number);
    TM_ASSERT(segment->state == TM_SEGMENT_SEALED);
    if (heap->sample_segment == number)
        heap->sample_segment = 0;
    tm_cool_unlisted(heap, number);
    tm_list_remove(&heap->list[segment->age], arena, tm_segment_list_link, number);
    tm_store_relaxed(&heap->age_bytes[segment->age], heap->age_bytes[segment->age] - segment->bytes);
    tm_list_remove(&heap->bin[segment->bin], arena, tm_segment_bin_link, number);
    if (tm_load_relaxed(&segment->is_deferred) != 0)
        unlist_deferred(heap, number);
    tm_store_release(&segment->state, (uint8_t)state);
}

static struct tm_link *waiting_link(void *arena, uint32_t number)
{
    return tm_segment_list_link(arena, number);
}

/* The segment is empty and on no list: it is free as soon as no reader is in it. No locks held. */
static void discard_segment(struct tm_heap *heap, uint32_t number)
{
    struct tm_store *store = heap->store;
    struct tm_arena *arena = arena_of(heap);
    struct tm_segment *segment = tm_segment_at(arena, number);
    uint64_t from = tm_segment_offset(arena, number);
    TM_ASSERT(segment->state == TM_SEGMENT_WAITING);
    uint32_t bytes = segment->bytes;
    if (tm_hazard_in(store, heap->kind, from, from + bytes / TM_GRANULE_BYTES)) {
        tm_lock_acquire(&store->waiting_lock, TM_LOCK_record_class);
        tm_list_append(&store->waiting[heap->kind], arena, waiting_link, number);
        tm_lock_release(&store->waiting_lock, TM_LOCK_record_class);
    } else {
        tm_arena_give(arena, number);
    }
    /* Last: the heap may end when nothing of it is left. */
    tm_fetch_sub(&heap->segment_bytes, bytes);
}

bool tm_store_drain(struct tm_store *store)
{
    bool some_wait = false;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_arena *arena = &store->arena[kind];
        for (uint32_t rounds = tm_load_relaxed(&store->waiting[kind].count); rounds > 0; rounds--) {
            tm_lock_acquire(&store->waiting_lock, TM_LOCK_record_class);
            uint32_t number = store->waiting[kind].head;
            if (number != 0)
                tm_list_remove(&store->waiting[kind], arena, waiting_link, number);
            tm_lock_release(&store->waiting_lock, TM_LOCK_record_class);
            if (number == 0)
                break;
            uint64_t from = tm_segment_offset(arena, number);
            uint64_t to = from + tm_segment_at(arena, number)->bytes / TM_GRANULE_BYTES;
            if (!tm_hazard_in(store, (enum tm_arena_kind)kind, from, to)) {
                tm_arena_give(arena, number);
                continue;
            }
            some_wait = true;
            tm_lock_acquire(&store->waiting_lock, TM_LOCK_record_class);
            tm_list_append(&store->waiting[kind], arena, waiting_link, number);
            tm_lock_release(&store->waiting_lock, TM_LOCK_record_class);
        }
    }
    return some_wait;
}

/* ---- after bytes died ---- */

/* A sealed segment lost bytes: frees it when it is empty, or lists it as deader. */
static void reconsider(struct tm_heap *heap, uint32_t number)
{
    struct tm_arena *arena = arena_of(heap);
    struct tm_segment *segment = tm_segment_at(arena, number);
    bool is_empty = false;
    bool is_worth_cleaning = false;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    /* Between the caller's subtraction and here the segment may have been freed and be in use again,
     * even for another heap; what is looked at now is what counts. */
    bool is_ours = tm_load_acquire(&segment->state) == TM_SEGMENT_SEALED;
    is_ours = is_ours && segment->heap == heap->number;
    if (is_ours && tm_load_acquire(&segment->use) == 0) {
        unlist_segment(heap, number, TM_SEGMENT_WAITING);
        is_empty = true;
    } else if (is_ours) {
        unsigned bin = dead_eighths(segment);
        if (bin != segment->bin) {
            tm_list_remove(&heap->bin[segment->bin], arena, tm_segment_bin_link, number);
            segment->bin = bin & 15u;
            tm_list_append(&heap->bin[bin], arena, tm_segment_bin_link, number);
            is_worth_cleaning = bin >= 2u;
        }
    }
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    if (is_empty)
        discard_segment(heap, number);
    if (is_worth_cleaning && heap->store->host.kick != NULL)
        heap->store->host.kick(heap->store->host.user);
}

void tm_segment_sub_live(struct tm_store *store, enum tm_arena_kind kind, uint32_t number, uint32_t bytes)
{
    struct tm_arena *arena = &store->arena[kind];
    struct tm_segment *segment = tm_segment_at(arena, number);
    /* Read before the subtraction: until then our own bytes keep segment and heap in place. */
    struct tm_heap *heap = tm_heap_at(store, segment->heap);
    bool is_sealed = tm_load_acquire(&segment->state) == TM_SEGMENT_SEALED;
    uint32_t length = segment->bytes - tm_segment_end_bytes(segment);
    uint64_t before = tm_fetch_sub(&segment->use, bytes);
    TM_ASSERT((before & TM_USE_LIVE_MASK) >= bytes);
    uint32_t dead = length - (uint32_t)(before & TM_USE_LIVE_MASK);
    uint32_t eighth = length / TM_DEAD_BINS;
    bool crosses = dead / eighth != (dead + bytes) / eighth;
    if (before == bytes || (is_sealed && crosses))
        reconsider(heap, number);
}

void tm_segment_writer_done(struct tm_store *store, enum tm_arena_kind kind, uint32_t number)
{
    struct tm_segment *segment = tm_segment_at(&store->arena[kind], number);
    struct tm_heap *heap = tm_heap_at(store, segment->heap);
    uint64_t before = tm_fetch_sub(&segment->use, TM_USE_WRITER);
    TM_ASSERT(before >= TM_USE_WRITER);
    if (before == TM_USE_WRITER)
        reconsider(heap, number);
}

/* ---- lanes ---- */

/* Small accounts fill one segment at a time, so that they do not hold more memory open than they need. */
unsigned tm_heap_put_lane(const struct tm_heap *heap, unsigned worker_number)
{
    uint64_t bytes = tm_heap_segment_bytes(heap);
    uint64_t unit = heap->store->arena[heap->kind].unit_bytes;
    if (bytes < 64u * unit)
        return 0;
    return worker_number % (bytes < 256u * unit ? 2u : TM_PUT_LANES);
}

/* Larger accounts use longer segments: less is lost at their ends. Ephemeral ones stay short, since whoever needs
 * room waits until a segment has been taken apart. */
static unsigned segment_order(const struct tm_heap *heap)
{
    uint64_t units = tm_heap_segment_bytes(heap) / arena_of(heap)->unit_bytes;
    if (heap->kind == TM_ARENA_EPHEMERAL)
        return units < 256 ? 0 : units < 1024 ? 1u
                                              : 2u;
    if (units < 32)
        return 0;
    return units < 128 ? 1u : units < 512 ? 2u
                                          : TM_SEGMENT_ORDER_MAX;
}

/* Bumps the lane's segment. False: there is none, or it is full. Lane's lock held. */
static bool bump(struct tm_arena *arena, struct tm_lane *lane, uint32_t body_bytes, struct tm_reservation *at)
{
    uint32_t bytes = tm_block_bytes(body_bytes);
    if (lane->segment == 0)
        return false;
    struct tm_segment *segment = tm_segment_at(arena, lane->segment);
    if (segment->bytes - segment->fill < bytes)
        return false;
    at->offset = tm_segment_offset(arena, lane->segment) + segment->fill / TM_GRANULE_BYTES;
    at->segment = lane->segment;
    at->generation = segment->generation;
    tm_fetch_add(&segment->use, TM_USE_WRITER + bytes);
    struct tm_block *block = (struct tm_block *)(void *)tm_arena_address(arena, at->offset);
    block->word = (uint64_t)at->generation << 32 | body_bytes;
    tm_crash_barrier();
    tm_store_release(&segment->fill, segment->fill + bytes);
    return true;
}

void tm_segment_defer(struct tm_heap *heap, uint32_t number)
{
    struct tm_segment *segment = tm_segment_at(arena_of(heap), number);
    if (TM_LIKELY(tm_load_relaxed(&segment->is_deferred) != 0))
        return;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    bool is_first = segment->is_deferred == 0;
    bool is_open = segment->state != TM_SEGMENT_SEALED;
    tm_store_relaxed(&segment->is_deferred, (uint8_t)1u);
    if (is_first && is_open)
        tm_fetch_add_relaxed(&heap->store->deferred_open, 1u);
    else if (is_first) /* it was closed since the caller reserved its place */
        list_deferred(heap, number);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    if (is_first && heap->store->host.kick != NULL)
        heap->store->host.kick(heap->store->host.user);
}

/* Takes the lane's segment out of it. Lane's lock held. */
static uint32_t detach(struct tm_lane *lane)
{
    uint32_t number = lane->segment;
    lane->segment = 0;
    return number;
}

static void seal_segment(struct tm_heap *heap, uint32_t number, bool at_front)
{
    if (number == 0)
        return;
    struct tm_store *store = heap->store;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    bool is_deferred = tm_load_relaxed(&tm_segment_at(arena_of(heap), number)->is_deferred) != 0;
    if (is_deferred)
        tm_fetch_sub_relaxed(&store->deferred_open, 1u);
    tm_segment_at(arena_of(heap), number)->coolness = TM_COOLNESS_NEW;
    list_segment(heap, number, at_front);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    if (is_deferred && tm_load_relaxed(&store->deferred_bytes) > tm_store_size(store) / DEFERRED_PATIENT_PART)
        tm_store_hurry(store);
    tm_cool_sealed(store);
    /* Whoever took the last byte while the segment was open could not free it. */
    reconsider(heap, number);
}

static uint32_t open_segment(struct tm_heap *heap, unsigned lane, enum tm_tier tier)
{
    struct tm_arena *arena = arena_of(heap);
    unsigned order = segment_order(heap);
    if (heap->kind == TM_ARENA_PERSISTENT)
        order = tm_arena_fit(arena, order, tier);
    uint32_t number = tm_arena_take(arena, order, TM_PURPOSE_DATA, heap, tier);
    while (number == 0 && order > 0)
        number = tm_arena_take(arena, --order, TM_PURPOSE_DATA, heap, tier);
    if (number == 0)
        return 0;
    struct tm_segment *segment = tm_segment_at(arena, number);
    bool is_young = heap->kind == TM_ARENA_EPHEMERAL && lane != TM_LANE_KEPT && lane != TM_LANE_CLEAN_MAIN;
    segment->age = is_young ? TM_AGE_YOUNG : TM_AGE_MAIN;
    tm_store_release(&segment->state, TM_SEGMENT_OPEN);
    tm_fetch_add(&heap->segment_bytes, segment->bytes);
    return number;
}

/* What is left in segments that other lanes have open; to puts, what copies need is not left. */
static bool bump_any(struct tm_heap *heap, unsigned lane_number, uint32_t body_bytes, struct tm_reservation *at)
{
    unsigned lanes = lane_number < TM_PUT_LANES ? TM_PUT_LANES : TM_LANES;
    bool done = false;
    for (unsigned i = 0; i < lanes && !done; i++) {
        struct tm_lane *lane = &heap->lane[i];
        tm_lock_acquire(&lane->lock, TM_LOCK_lane);
        done = bump(arena_of(heap), lane, body_bytes, at);
        tm_lock_release(&lane->lock, TM_LOCK_lane);
    }
    return done;
}

bool tm_heap_reserve(struct tm_heap *heap, unsigned lane_number, uint32_t body_bytes, enum tm_tier tier,
                     struct tm_reservation *at)
{
    struct tm_arena *arena = arena_of(heap);
    struct tm_lane *lane = &heap->lane[lane_number];
    bool at_front = lane_number == TM_LANE_CLEAN_YOUNG || lane_number == TM_LANE_CLEAN_MAIN;
    for (;;) {
        tm_lock_acquire(&lane->lock, TM_LOCK_lane);
        bool done = bump(arena, lane, body_bytes, at);
        uint32_t full = done ? 0 : detach(lane);
        tm_lock_release(&lane->lock, TM_LOCK_lane);
        if (TM_LIKELY(done))
            return true;
        seal_segment(heap, full, at_front);

        uint32_t fresh = open_segment(heap, lane_number, tier);
        if (fresh == 0)
            return heap->kind == TM_ARENA_PERSISTENT && bump_any(heap, lane_number, body_bytes, at);
        tm_lock_acquire(&lane->lock, TM_LOCK_lane);
        uint32_t surplus = fresh;
        if (lane->segment == 0) {
            lane->segment = fresh;
            surplus = 0;
        }
        tm_lock_release(&lane->lock, TM_LOCK_lane);
        seal_segment(heap, surplus, false); /* another thread was quicker: empty, so freed at once */
    }
}

void tm_heap_unreserve(struct tm_heap *heap, const struct tm_reservation *at, uint32_t body_bytes)
{
    tm_segment_sub_live(heap->store, heap->kind, at->segment, tm_block_bytes(body_bytes));
    tm_segment_writer_done(heap->store, heap->kind, at->segment);
}

void tm_heap_give_back(struct tm_heap *heap, unsigned lane_number, const struct tm_reservation *at,
                       uint32_t body_bytes)
{
    struct tm_arena *arena = arena_of(heap);
    struct tm_lane *lane = &heap->lane[lane_number];
    struct tm_segment *segment = tm_segment_at(arena, at->segment);
    uint32_t bytes = tm_block_bytes(body_bytes);
    uint32_t begin = (uint32_t)(at->offset - tm_segment_offset(arena, at->segment)) * TM_GRANULE_BYTES;
    tm_lock_acquire(&lane->lock, TM_LOCK_lane);
    bool is_last = lane->segment == at->segment && segment->fill == begin + bytes;
    if (is_last) {
        tm_store_release(&segment->fill, begin);
        tm_fetch_sub(&segment->use, TM_USE_WRITER + bytes);
    }
    tm_lock_release(&lane->lock, TM_LOCK_lane);
    if (!is_last)
        tm_heap_unreserve(heap, at, body_bytes);
}

/* Closes the segment that a lane has open; @number: if it is this one, 0: whichever. */
static void seal_lane(struct tm_heap *heap, unsigned i, uint32_t number)
{
    struct tm_lane *lane = &heap->lane[i];
    tm_lock_acquire(&lane->lock, TM_LOCK_lane);
    uint32_t full = number == 0 || lane->segment == number ? detach(lane) : 0;
    tm_lock_release(&lane->lock, TM_LOCK_lane);
    seal_segment(heap, full, i == TM_LANE_CLEAN_YOUNG || i == TM_LANE_CLEAN_MAIN);
}

void tm_heap_seal(struct tm_heap *heap)
{
    tm_heap_seal_one(heap, 0);
}

void tm_heap_seal_one(struct tm_heap *heap, uint32_t number)
{
    for (unsigned i = 0; i < TM_LANES; i++)
        seal_lane(heap, i, number);
}

bool tm_heap_seal_deferred(struct tm_heap *heap)
{
    bool some = false;
    for (unsigned i = 0; i < TM_PUT_LANES; i++) {
        struct tm_lane *lane = &heap->lane[i];
        uint32_t number = 0;
        tm_lock_acquire(&lane->lock, TM_LOCK_lane);
        if (lane->segment != 0 && tm_load_relaxed(&tm_segment_at(arena_of(heap), lane->segment)->is_deferred) != 0)
            number = detach(lane);
        tm_lock_release(&lane->lock, TM_LOCK_lane);
        seal_segment(heap, number, false);
        some = some || number != 0;
    }
    return some;
}

/* ---- segments to be taken apart ---- */

/* Takes the first segment of a list that nobody writes to, and that is not in the spared span. */
static uint32_t take_from(struct tm_heap *heap, struct tm_list *list, tm_link_of link, uint32_t spared_span)
{
    struct tm_arena *arena = arena_of(heap);
    uint32_t number = list->head;
    /* A writer is a put between reserving and publishing: a few at most stand in the way. */
    for (unsigned tries = 0; number != 0 && tries < 64; tries++) {
        struct tm_segment *segment = tm_segment_at(arena, number);
        bool is_spared = spared_span != 0 && number / TM_SPAN_UNITS == spared_span;
        if (!is_spared && tm_load_acquire(&segment->use) < TM_USE_WRITER &&
            tm_load_relaxed(&segment->is_stuck) == 0) {
            unlist_segment(heap, number, TM_SEGMENT_PURGING);
            return number;
        }
        number = link(arena, number)->next;
    }
    return 0;
}

bool tm_heap_take(struct tm_heap *heap, uint32_t number)
{
    struct tm_segment *segment = tm_segment_at(arena_of(heap), number);
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    /* Since it was looked at it may have been freed and be in use again, also for another heap. */
    bool done = tm_load_acquire(&segment->state) == TM_SEGMENT_SEALED && segment->heap == heap->number &&
                tm_load_acquire(&segment->use) < TM_USE_WRITER;
    if (done)
        unlist_segment(heap, number, TM_SEGMENT_PURGING);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return done;
}

uint32_t tm_heap_take_oldest(struct tm_heap *heap, enum tm_age age)
{
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    uint32_t number = take_from(heap, &heap->list[age], tm_segment_list_link, 0);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return number;
}

uint32_t tm_heap_take_deadest(struct tm_heap *heap, unsigned eighths)
{
    uint32_t number = 0;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    for (unsigned bin = TM_DEAD_BINS; bin-- > eighths && number == 0;)
        number = take_from(heap, &heap->bin[bin], tm_segment_bin_link, tm_cool_spared(arena_of(heap), eighths));
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return number;
}

uint32_t tm_heap_take_deferred(struct tm_heap *heap)
{
    if (tm_load_relaxed(&heap->deferred.count) == 0)
        return 0;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    uint32_t number = take_from(heap, &heap->deferred, tm_segment_deferred_link, 0);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return number;
}

bool tm_heap_is_cleanable(const struct tm_heap *heap, unsigned eighths)
{
    for (unsigned bin = eighths; bin < TM_DEAD_BINS; bin++)
        if (tm_load_relaxed(&heap->bin[bin].count) != 0)
            return true;
    return false;
}

void tm_heap_end_purge(struct tm_heap *heap, uint32_t number, bool is_done)
{
    struct tm_segment *segment = tm_segment_at(arena_of(heap), number);
    TM_ASSERT(segment->state == TM_SEGMENT_PURGING);
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    /* Bytes that are just being freed may count as stuck for a moment: the segment is free with the last of them. */
    tm_store_relaxed(&segment->is_stuck, (uint8_t)(is_done && tm_load_acquire(&segment->use) != 0));
    if (is_done) /* what is left is damaged, or somebody is just freeing it */
        tm_store_relaxed(&segment->is_deferred, (uint8_t)0u);
    /* At the end: what could not be emptied now is not tried again at once. */
    list_segment(heap, number, false);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    reconsider(heap, number);
}

bool tm_heap_promote(struct tm_heap *heap)
{
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    uint32_t number = heap->list[TM_AGE_YOUNG].head;
    if (number != 0) {
        unlist_segment(heap, number, TM_SEGMENT_PURGING);
        tm_segment_at(arena_of(heap), number)->age = TM_AGE_MAIN;
        list_segment(heap, number, false);
    }
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    if (number != 0)
        reconsider(heap, number);
    return number != 0;
}

void tm_heap_adopt_segment(struct tm_heap *heap, uint32_t number)
{
    tm_fetch_add(&heap->segment_bytes, tm_segment_at(arena_of(heap), number)->bytes);
    seal_segment(heap, number, false);
}

/* ---- figures and invariants ---- */

uint64_t tm_heap_live_bytes(struct tm_heap *heap)
{
    struct tm_arena *arena = arena_of(heap);
    uint64_t live = 0;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    for (unsigned age = 0; age < TM_AGES; age++)
        for (uint32_t n = heap->list[age].head; n != 0; n = tm_segment_at(arena, n)->list.next)
            live += tm_load_relaxed(&tm_segment_at(arena, n)->use) & TM_USE_LIVE_MASK;
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    if (tm_lock_try(&heap->purge_lock)) {
        if (heap->purge_segment != 0)
            live += tm_load_relaxed(&tm_segment_at(arena, heap->purge_segment)->use) & TM_USE_LIVE_MASK;
        tm_lock_release_tried(&heap->purge_lock);
    }
    for (unsigned i = 0; i < TM_LANES; i++) {
        struct tm_lane *lane = &heap->lane[i];
        tm_lock_acquire(&lane->lock, TM_LOCK_lane);
        if (lane->segment != 0)
            live += tm_load_relaxed(&tm_segment_at(arena, lane->segment)->use) & TM_USE_LIVE_MASK;
        tm_lock_release(&lane->lock, TM_LOCK_lane);
    }
    return live;
}

static uint64_t check_list(struct tm_heap *heap, unsigned age, uint32_t *binned)
{
    struct tm_arena *arena = arena_of(heap);
    uint64_t bytes = 0;
    uint32_t count = 0;
    for (uint32_t n = heap->list[age].head; n != 0; n = tm_segment_at(arena, n)->list.next) {
        const struct tm_segment *segment = tm_segment_at(arena, n);
        TM_ASSERT(segment->state == TM_SEGMENT_SEALED);
        TM_ASSERT(segment->age == age);
        TM_ASSERT(segment->heap == heap->number);
        TM_ASSERT(segment->use != 0 && segment->use < TM_USE_WRITER);
        TM_ASSERT(segment->bin < TM_DEAD_BINS);
        bytes += segment->bytes;
        count++;
    }
    TM_ASSERT(count == heap->list[age].count);
    TM_ASSERT(bytes == heap->age_bytes[age]);
    *binned += count;
    return bytes;
}

void tm_heap_check(struct tm_heap *heap)
{
    struct tm_arena *arena = arena_of(heap);
    uint32_t listed = 0;
    uint32_t binned = 0;
    uint64_t bytes = 0;
    TM_MAGIC_CHECK(heap, TM_HEAP_MAGIC);
    TM_ASSERT(heap->lock.word == 0);
    for (unsigned age = 0; age < TM_AGES; age++)
        bytes += check_list(heap, age, &listed);
    for (unsigned bin = 0; bin < TM_DEAD_BINS; bin++) {
        for (uint32_t n = heap->bin[bin].head; n != 0; n = tm_segment_at(arena, n)->bin_link.next)
            TM_ASSERT(tm_segment_at(arena, n)->bin == bin);
        binned += heap->bin[bin].count;
    }
    TM_ASSERT(listed == binned);
    for (unsigned i = 0; i < TM_LANES; i++) {
        TM_ASSERT(heap->lane[i].lock.word == 0);
        if (heap->lane[i].segment == 0)
            continue;
        const struct tm_segment *segment = tm_segment_at(arena, heap->lane[i].segment);
        TM_ASSERT(segment->state == TM_SEGMENT_OPEN);
        TM_ASSERT(segment->heap == heap->number);
        TM_ASSERT(segment->use < TM_USE_WRITER);
        bytes += segment->bytes;
    }
    if (heap->purge_segment != 0) {
        TM_ASSERT(tm_segment_at(arena, heap->purge_segment)->state == TM_SEGMENT_PURGING);
        bytes += tm_segment_at(arena, heap->purge_segment)->bytes;
    }
    TM_ASSERT(bytes == heap->segment_bytes);
}
