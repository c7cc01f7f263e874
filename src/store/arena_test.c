/* SPDX-License-Identifier: BSD-2-Clause */
/* arena_test.c - runs of units cut from spans, spans from and to the host, ahead of use, and drained. */
#include "store/world_test.h"

static struct world world;
static struct tm_store *store;
static struct tm_arena *arena; /* the ephemeral one */

static void begin(unsigned spans)
{
    world_host(&world, spans, false);
    world.config.ahead = false;
}

static void start(void)
{
    world_start(&world);
    store = world.store;
    arena = &store->arena[TM_ARENA_EPHEMERAL];
}

static int set_up(void **state)
{
    (void)state;
    begin(16);
    start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

/* A segment of the heap, as a lane would hold it. 0: none. */
static uint32_t take(const struct tm_heap *heap, unsigned order)
{
    uint32_t number = tm_arena_take(arena, order, TM_PURPOSE_DATA, heap, TM_TIER_NORMAL);
    if (number != 0)
        tm_segment_at(arena, number)->state = TM_SEGMENT_OPEN;
    return number;
}

static void take_row(uint32_t *numbers, unsigned count, unsigned order)
{
    for (unsigned i = 0; i < count; i++) {
        numbers[i] = take(world.ephemeral, order);
        assert_int_not_equal(numbers[i], 0);
    }
}

static void give_row(const uint32_t *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        tm_arena_give(arena, numbers[i]);
}

/* ---- units ---- */

static void runs_are_aligned_and_every_unit_knows_its_first(void **state)
{
    (void)state;
    uint32_t numbers[TM_SEGMENT_ORDER_MAX + 1u];
    for (unsigned order = 0; order <= TM_SEGMENT_ORDER_MAX; order++) {
        uint32_t number = numbers[order] = take(world.ephemeral, order);
        const struct tm_segment *segment = tm_segment_at(arena, number);
        assert_int_equal(number % (1u << order), 0);
        assert_int_equal(number / TM_SPAN_UNITS, numbers[0] / TM_SPAN_UNITS);
        assert_int_equal(segment->bytes, arena->unit_bytes << order);
        assert_int_equal(segment->heap, world.ephemeral->number);
        uint64_t last = tm_segment_offset(arena, number) + segment->bytes / TM_GRANULE_BYTES - 1u;
        assert_int_equal(tm_segment_of(arena, last), number);
    }
    tm_arena_check(arena);
    assert_int_equal(arena->in_use, 1);
    give_row(numbers, TM_ARRAY_SIZE(numbers));
    assert_int_equal(arena->in_use, 0);
}

static void a_run_comes_from_the_span_that_fits_best(void **state)
{
    (void)state;
    uint32_t a[TM_SPAN_UNITS];
    uint32_t b[TM_SPAN_UNITS];
    take_row(a, TM_SPAN_UNITS, 0);
    take_row(b, TM_SPAN_UNITS, 0);
    assert_int_equal(arena->in_use, 2);
    give_row(b + 8, 8);
    tm_arena_give(arena, a[5]);
    tm_arena_check(arena);
    assert_int_equal(take(world.ephemeral, 0), a[5]); /* and not a piece of the longer run */
    assert_int_equal(take(world.ephemeral, 3), b[8]);
    assert_int_equal(arena->in_use, 2);
    give_row(a, TM_SPAN_UNITS);
    give_row(b, 9); /* the run of eight is one segment now */
    give_row(b + 16, 16);
}

static void generations_tell_uses_of_a_unit_apart(void **state)
{
    (void)state;
    uint32_t keep = take(world.ephemeral, 0);
    uint32_t number = take(world.ephemeral, 0);
    uint32_t generation = tm_segment_at(arena, number)->generation;
    tm_arena_give(arena, number);
    assert_int_equal(take(world.ephemeral, 0), number);
    assert_int_equal(tm_segment_at(arena, number)->generation, generation + 1u);
    tm_arena_give(arena, number);
    tm_arena_give(arena, keep);
}

static void records_and_pages_do_not_share_spans(void **state)
{
    (void)state;
    uint32_t data = take(world.ephemeral, 0);
    uint64_t ref = tm_record_alloc(store, TM_ARENA_EPHEMERAL, TM_RECORD_OBJECT, TM_TIER_NORMAL);
    uint32_t records = tm_segment_of(arena, ref);
    assert_int_not_equal(data / TM_SPAN_UNITS, records / TM_SPAN_UNITS);
    assert_int_equal(take(world.ephemeral, 0) / TM_SPAN_UNITS, data / TM_SPAN_UNITS);
    tm_arena_check(arena);
    tm_arena_give(arena, data);
    tm_arena_give(arena, data + 1u);
    tm_record_free(store, TM_ARENA_EPHEMERAL, ref);
}

/* A segment of pages that must stay. */
static uint32_t take_persistent(unsigned order)
{
    uint32_t number = tm_arena_take(&store->arena[TM_ARENA_PERSISTENT], order, TM_PURPOSE_DATA, world.persistent,
                                    TM_TIER_NORMAL);
    assert_int_not_equal(number, 0);
    tm_segment_at(&store->arena[TM_ARENA_PERSISTENT], number)->state = TM_SEGMENT_OPEN;
    return number;
}

static void the_span_of_records_lends_what_they_do_not_want_soon(void **state)
{
    (void)state;
    struct tm_arena *persistent = &store->arena[TM_ARENA_PERSISTENT];
    uint64_t ref = tm_record_alloc(store, TM_ARENA_PERSISTENT, TM_RECORD_OBJECT, TM_TIER_NORMAL);
    uint32_t span = tm_segment_of(persistent, ref) / TM_SPAN_UNITS;
    uint32_t numbers[4];
    for (unsigned i = 0; i < 3; i++) {
        numbers[i] = take_persistent(3);
        assert_int_equal(numbers[i] / TM_SPAN_UNITS, span);
    }
    numbers[3] = take_persistent(3); /* seven units are left beside the record */
    assert_int_not_equal(numbers[3] / TM_SPAN_UNITS, span);
    assert_int_equal(persistent->in_use, 2);
    assert_int_equal(persistent->free_units[1], 7);
    tm_arena_check(persistent);
    for (unsigned i = 0; i < 4; i++)
        tm_arena_give(persistent, numbers[i]);
    tm_record_free(store, TM_ARENA_PERSISTENT, ref);
    assert_int_equal(persistent->in_use, 0);
}

static void what_is_left_between_segments_is_used_first(void **state)
{
    (void)state;
    struct tm_arena *persistent = &store->arena[TM_ARENA_PERSISTENT];
    uint32_t longs[7];
    uint32_t units[8];
    assert_int_equal(tm_arena_fit(persistent, 3, TM_TIER_NORMAL), 3); /* nothing is there */
    for (unsigned i = 0; i < TM_ARRAY_SIZE(longs); i++)
        longs[i] = take_persistent(3);
    assert_int_equal(persistent->in_use, 2); /* a run is left for copies */
    tm_arena_give(persistent, longs[0]);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(units); i++)
        units[i] = take_persistent(0);
    assert_int_equal(units[7], units[0] + 7u);
    tm_arena_give(persistent, units[3]);
    tm_arena_give(persistent, units[6]);
    tm_arena_give(persistent, units[7]);
    assert_int_equal(tm_arena_fit(persistent, 3, TM_TIER_NORMAL), 1);
    assert_int_equal(tm_arena_fit(persistent, 0, TM_TIER_NORMAL), 0);
    assert_int_equal(tm_arena_fit(persistent, 3, TM_TIER_COPY), 3);
    assert_int_equal(take_persistent(1), units[6]);
    assert_int_equal(tm_arena_fit(persistent, 3, TM_TIER_NORMAL), 0);
    assert_int_equal(take_persistent(0), units[3]);
    assert_int_equal(tm_arena_fit(persistent, 3, TM_TIER_NORMAL), 3); /* a new span */
    for (unsigned i = 0; i < 7; i++)
        tm_arena_give(persistent, units[i]);
    for (unsigned i = 1; i < TM_ARRAY_SIZE(longs); i++)
        tm_arena_give(persistent, longs[i]);
    assert_int_equal(persistent->in_use, 0);
}

/* ---- what was there before ---- */

static bool is_zero(uint32_t number)
{
    const unsigned char *bytes = tm_arena_address(arena, tm_segment_offset(arena, number));
    for (uint32_t i = 0; i < tm_segment_at(arena, number)->bytes; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void scribble(uint32_t number)
{
    memset(tm_arena_address(arena, tm_segment_offset(arena, number)), 0xa5, tm_segment_at(arena, number)->bytes);
}

static void what_another_account_left_cannot_be_read(void **state)
{
    (void)state;
    struct tm_heap *other = tm_heap_create(store, TM_ARENA_EPHEMERAL, 3);
    uint32_t keep = take(world.ephemeral, 0);
    uint32_t mine[4] = {take(other, 0), take(other, 0), take(other, 0), take(other, 0)};
    for (unsigned i = 0; i < 4; i++) {
        assert_true(is_zero(mine[i])); /* a fresh span */
        scribble(mine[i]);
    }
    give_row(mine, 4);
    assert_int_equal(take(other, 0), mine[0]);
    assert_false(is_zero(mine[0])); /* its own: no need */
    tm_arena_give(arena, mine[0]);

    /* An account that takes over the number of one that ended is another one. */
    uint32_t number = other->number;
    tm_heap_destroy(other);
    other = tm_heap_create(store, TM_ARENA_EPHEMERAL, 3);
    assert_int_equal(other->number, number);
    assert_int_equal(take(other, 0), mine[0]);
    assert_true(is_zero(mine[0]));

    /* A longer run over units some of which were used. */
    uint32_t longer = take(world.ephemeral, 2);
    assert_true(is_zero(longer));
    scribble(longer);
    tm_arena_give(arena, longer);
    assert_int_equal(take(other, 2), longer);
    assert_true(is_zero(longer));
    tm_arena_give(arena, longer);
    tm_arena_give(arena, mine[0]);
    tm_arena_give(arena, keep);
    tm_heap_destroy(other);
}

static void what_records_left_is_wiped_for_records_too(void **state)
{
    (void)state;
    uint64_t keep = tm_record_alloc(store, TM_ARENA_EPHEMERAL, TM_RECORD_OBJECT, TM_TIER_NORMAL);
    uint64_t ref = tm_record_alloc(store, TM_ARENA_EPHEMERAL, TM_RECORD_POOL, TM_TIER_NORMAL);
    uint32_t number = tm_segment_of(arena, ref);
    scribble(number);
    tm_record_free(store, TM_ARENA_EPHEMERAL, ref);
    ref = tm_record_alloc(store, TM_ARENA_EPHEMERAL, TM_RECORD_RIGHT, TM_TIER_NORMAL);
    assert_int_equal(tm_segment_of(arena, ref), number);
    assert_true(is_zero(number));
    tm_record_free(store, TM_ARENA_EPHEMERAL, ref);
    tm_record_free(store, TM_ARENA_EPHEMERAL, keep);
}

/* ---- spans ---- */

static void a_span_goes_back_with_its_last_unit(void **state)
{
    (void)state;
    uint32_t numbers[2];
    take_row(numbers, 2, 0);
    assert_int_equal(world.host.spans[TM_ARENA_EPHEMERAL], 1);
    assert_int_equal(world_figures(&world).spans, 1);
    tm_arena_give(arena, numbers[1]);
    assert_int_equal(world.host.spans[TM_ARENA_EPHEMERAL], 1);
    assert_int_equal(tm_store_returned(store), 0);
    tm_arena_give(arena, numbers[0]);
    assert_int_equal(world.host.spans[TM_ARENA_EPHEMERAL], 0);
    assert_int_equal(tm_store_returned(store), TM_TEST_SPAN_BYTES);
    assert_int_equal(world_figures(&world).spans, 0);
    uint32_t used = arena->next_span;
    uint32_t again = take(world.ephemeral, 0);
    assert_int_equal(again, numbers[0]); /* spans that were used before come first */
    assert_int_equal(arena->next_span, used);
    tm_arena_give(arena, again);
}

static void a_host_without_memory_costs_nothing(void **state)
{
    (void)state;
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_SPAN), false, 1};
    tm_test_host_plan(&world.host, &plan);
    assert_int_equal(take(world.ephemeral, 0), 0);
    assert_int_equal(world.host.failed, 1);
    assert_int_equal(store->span_bytes_resident, 0);
    assert_int_equal(store->segment_bytes, 0);
    tm_store_check(store);
    uint32_t number = take(world.ephemeral, 0);
    assert_int_not_equal(number, 0);
    tm_arena_give(arena, number);
}

static void puts_leave_room_for_copies_where_the_arena_ends(void **state)
{
    (void)state;
    static const enum tm_tier tiers[] = {TM_TIER_NORMAL, TM_TIER_REPLACE, TM_TIER_COPY};
    begin(3); /* two spans for pages that must stay: 64 units */
    start();
    unsigned index = 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(tiers); i++) {
        while (world_put_tier(&world, world.persistent, index, WORLD_RAW, index, tiers[i]) == TM_WRITE_OK)
            index++;
        const struct tm_arena *persistent = &store->arena[TM_ARENA_PERSISTENT];
        unsigned left = persistent->free_units[0] + (2u - persistent->in_use) * TM_SPAN_UNITS;
        unsigned runs = left / 8u; /* and pieces of one more */
        assert_int_equal(runs, i == 0 ? 3 : i == 1 ? 2
                                                   : 0);
        assert_true(i != 2 || left == 0);
        world_check(&world);
    }
    world_fini(&world);
}

static void address_space_ends(void **state)
{
    (void)state;
    uint32_t numbers[8];
    begin(3); /* one of them is the head */
    start();
    take_row(numbers, 8, 3);
    uint64_t resident = tm_store_resident(store);
    assert_int_equal(take(world.ephemeral, 0), 0);
    assert_int_equal(tm_store_resident(store), resident);
    assert_int_equal(store->segment_bytes, 2u * TM_TEST_SPAN_BYTES);
    tm_arena_check(arena);
    tm_arena_give(arena, numbers[3]);
    assert_int_equal(take(world.ephemeral, 3), numbers[3]);
    give_row(numbers, 8);
    world_fini(&world);
}

static void an_arena_that_holds_only_its_head_is_refused(void **state)
{
    (void)state;
    begin(1);
    assert_int_equal(world_create(&world), TM_CREATE_NOMEM);
    assert_true(tm_test_host_is_clean(&world.host));
    tm_test_host_fini(&world.host);
}

/* ---- ahead of use ---- */

static unsigned hurries;

static void host_hurry(void *user)
{
    (void)user;
    hurries++;
}

static void whoever_commits_ahead_is_called_when_a_span_is_taken(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        begin(8);
        world.config.ahead = way != 3;
        world.host.host.hurry = way == 0 ? host_hurry : NULL;
        if (way == 2)
            world.host.host.kick = NULL;
        start();
        hurries = 0;
        world.host.kicks = 0;
        uint32_t number = take(world.ephemeral, 0);
        assert_int_equal(hurries, way == 0);
        assert_int_equal(world.host.kicks, way == 1);
        assert_true((arena->grown_ns != 0) == (way != 3));
        tm_arena_give(arena, number);
        world_fini(&world);
    }
}

static void spans_are_committed_ahead_while_the_store_grows(void **state)
{
    (void)state;
    bool later = true;
    begin(16);
    start();
    assert_false(tm_store_prepare(store, &later)); /* nobody asked for it */
    assert_false(later);
    world_fini(&world);

    begin(16);
    world.config.ahead = true;
    start();
    assert_false(tm_store_prepare(store, &later)); /* it has not grown yet */
    assert_false(later);
    uint32_t number = take(world.ephemeral, 0);
    uint64_t before = world_figures(&world).spans;
    while (tm_store_prepare(store, &later))
        assert_true(later);
    uint64_t ready = arena->ready.count;
    assert_true(ready >= 2);
    assert_int_equal(store->arena[TM_ARENA_PERSISTENT].ready.count, 0);
    assert_int_equal(world_figures(&world).spans, before + ready);
    assert_true(tm_store_has_room(store));
    tm_arena_check(arena);

    /* They are what is used next, without the host. */
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_SPAN), true, 1};
    tm_test_host_plan(&world.host, &plan);
    uint32_t numbers[4];
    take_row(numbers, 4, 3); /* three in the first span: its first unit is taken */
    assert_int_equal(arena->ready.count, ready - 1u);
    assert_int_equal(world.host.failed, 0);
    assert_false(tm_store_prepare(store, &later)); /* the host has no more */
    assert_true(later);
    tm_test_host_plan(&world.host, NULL);

    /* A store that has stopped growing gives them back. */
    world.host.now_ns += UINT64_C(1000000000);
    while (tm_store_prepare(store, &later)) {
    }
    assert_false(later);
    assert_int_equal(arena->ready.count, 0);
    give_row(numbers, 4);
    tm_arena_give(arena, number);
    world_fini(&world);
}

static void spans_ahead_go_first_when_memory_is_short(void **state)
{
    (void)state;
    begin(16);
    world.config.ahead = true;
    start();
    bool later;
    struct tm_arena *persistent = &store->arena[TM_ARENA_PERSISTENT];
    assert_int_equal(world_put(&world, world.persistent, 0, WORLD_RAW, 1), TM_WRITE_OK);
    assert_true(tm_store_prepare(store, &later));
    assert_int_equal(persistent->ready.count, 1);
    assert_false(tm_arena_unprepare(arena));
    uint64_t returned = tm_store_returned(store);
    assert_true(tm_store_unprepare(store)); /* looks at both */
    assert_false(tm_store_unprepare(store));
    assert_int_equal(tm_store_returned(store) - returned, TM_TEST_SPAN_BYTES);
    assert_false(tm_store_prepare(store, &later)); /* none until it grows again */
    uint64_t grown_ns = store->host.clock_ns(store->host.user);
    persistent->grown_ns = grown_ns;

    tm_store_set_size(store, tm_store_resident(store) + TM_TEST_SPAN_BYTES - 1u);
    assert_false(tm_store_prepare(store, &later)); /* no room for it */
    assert_false(tm_store_has_room(store));
    tm_store_set_size(store, tm_store_size(store) + 1u);
    assert_true(tm_store_has_room(store));
    assert_true(tm_store_prepare(store, &later));
    assert_true(tm_store_has_room(store)); /* resident, but not used */
    world_fini(&world);                    /* with a span that is ready still */
}

/* ---- draining ---- */

static uint32_t drain(unsigned eighths)
{
    enum tm_tier tier;
    return tm_arena_drain_begin(arena, eighths, &tier);
}

/* A full span and one in use to a quarter, a page in each unit. */
static void put_a_span_and_a_quarter(void)
{
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(world_put(&world, world.ephemeral, i, WORLD_RAW, i), TM_WRITE_OK);
}

static void a_span_is_drained_when_that_gains_something(void **state)
{
    (void)state;
    enum tm_tier tier;
    uint32_t first = arena->head_spans;
    put_a_span_and_a_quarter();
    tm_heap_seal(world.ephemeral);
    assert_int_equal(drain(1), 0); /* the pages of the second have no place in the first */
    for (unsigned i = 0; i < 8; i++)
        world_drop(&world, i);
    assert_int_equal(tm_arena_drain_begin(arena, 1, &tier), first + 1u); /* now they have */
    assert_int_equal(tier, TM_TIER_MOVE);
    assert_false(tm_arena_drain_end(arena, first + 1u));
    world_check(&world);
    for (unsigned i = 0; i < 40; i++)
        world_drop(&world, i);

    /* Half of a full span is dead, but no unit is free. */
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(world_put(&world, world.ephemeral, i, WORLD_SHORT, i), TM_WRITE_OK);
    uint32_t numbers[TM_SPAN_UNITS];
    unsigned count = 0;
    while (arena->free_units[0] != 0)
        numbers[count++] = take(world.ephemeral, 0);
    tm_heap_seal(world.ephemeral);
    for (unsigned i = 0; i < 256; i++)
        if (i % 8 != 0)
            world_drop(&world, i);
    assert_int_equal(drain(4), 0); /* the rest of the span is in use */
    give_row(numbers, count);
    assert_int_equal(drain(4), 0); /* that it is hardly used is no reason yet */
    for (unsigned i = 0; i < 256; i++)
        world_drop(&world, i);
}

static void a_span_that_is_being_drained_gives_no_units(void **state)
{
    (void)state;
    put_a_span_and_a_quarter();
    for (unsigned i = 0; i < 24; i++)
        world_drop(&world, i);
    assert_int_equal(drain(8), 0);
    uint32_t span = drain(4);
    assert_int_equal(span, arena->head_spans); /* in the other a segment is open */
    assert_int_equal(drain(0), 0);             /* one at a time */
    uint32_t number = take(world.ephemeral, 0);
    assert_int_not_equal(number / TM_SPAN_UNITS, span);
    assert_false(tm_arena_drain_end(arena, span));
    uint32_t runs[3];
    take_row(runs, 3, 3);
    tm_arena_check(arena);
    assert_int_equal(arena->in_use, 2);
    assert_int_equal(runs[2] / TM_SPAN_UNITS, span);
    give_row(runs, 3);
    tm_arena_give(arena, number);
    tm_heap_seal(world.ephemeral);
    world_check(&world);
}

static void a_drained_span_is_ready_for_what_is_drained_next(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= TM_SPAN_UNITS; i++)
        assert_int_equal(world_put(&world, world.ephemeral, i, WORLD_RAW, i), TM_WRITE_OK);
    for (unsigned i = 1; i < TM_SPAN_UNITS; i++)
        world_drop(&world, i);
    uint32_t span = drain(1);
    assert_int_equal(span, arena->head_spans);
    uint64_t returned = tm_store_returned(store);
    world_drop(&world, 0);
    assert_int_equal(arena->ready.count, 1);
    assert_int_equal(arena->spans[span].state, TM_SPAN_READY);
    assert_int_equal(tm_store_returned(store), returned);
    assert_true(tm_arena_drain_end(arena, span));
    tm_store_check(store);
    assert_true(tm_store_unprepare(store));
}

static void a_span_that_is_taken_anew_is_not_being_drained(void **state)
{
    (void)state;
    put_a_span_and_a_quarter();
    tm_heap_seal(world.ephemeral);
    for (unsigned i = 0; i < TM_SPAN_UNITS; i++)
        if (i % 4u != 0)
            world_drop(&world, i);
    uint32_t span = drain(1);
    assert_int_not_equal(span, 0);
    for (unsigned i = 0; i < 40; i++)
        world_drop(&world, i);
    assert_true(tm_store_unprepare(store));
    uint32_t first = take(world.ephemeral, 0);
    uint32_t second = take(world.ephemeral, 0);
    assert_int_equal(first / TM_SPAN_UNITS, span);
    assert_int_equal(second / TM_SPAN_UNITS, span);
    assert_true(tm_arena_drain_end(arena, span)); /* by whoever drained it before */
    tm_arena_give(arena, first);
    tm_arena_give(arena, second);
    world_check(&world);
}

static void draining_looks_at_a_few_spans_at_a_time(void **state)
{
    (void)state;
    uint32_t numbers[100];
    begin(120);
    start();
    for (unsigned i = 0; i < 100; i++) { /* whole spans, as far as segments reach, all of them in use */
        numbers[i] = take(world.ephemeral, 3);
        for (unsigned run = 1; run < 4; run++)
            assert_int_not_equal(take(world.ephemeral, 3), 0);
    }
    /* An empty segment in the last span makes that the one to take. */
    for (unsigned run = 0; run < 4; run++)
        tm_segment_at(arena, numbers[99] + 8u * run)->state = TM_SEGMENT_SEALED;
    assert_int_equal(drain(4), 0);
    uint32_t span = drain(4);
    assert_int_equal(span, numbers[99] / TM_SPAN_UNITS);
    tm_arena_drain_end(arena, span);
    for (unsigned i = 0; i < 100; i++)
        for (unsigned run = 0; run < 4; run++)
            tm_arena_give(arena, numbers[i] + 8u * run);
    world_fini(&world);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(runs_are_aligned_and_every_unit_knows_its_first),
        CASE(a_run_comes_from_the_span_that_fits_best),
        CASE(generations_tell_uses_of_a_unit_apart),
        CASE(records_and_pages_do_not_share_spans),
        CASE(the_span_of_records_lends_what_they_do_not_want_soon),
        CASE(what_is_left_between_segments_is_used_first),
        CASE(what_another_account_left_cannot_be_read),
        CASE(what_records_left_is_wiped_for_records_too),
        CASE(a_span_goes_back_with_its_last_unit),
        CASE(a_host_without_memory_costs_nothing),
        cmocka_unit_test(puts_leave_room_for_copies_where_the_arena_ends),
        cmocka_unit_test(address_space_ends),
        cmocka_unit_test(an_arena_that_holds_only_its_head_is_refused),
        cmocka_unit_test(whoever_commits_ahead_is_called_when_a_span_is_taken),
        cmocka_unit_test(spans_are_committed_ahead_while_the_store_grows),
        cmocka_unit_test(spans_ahead_go_first_when_memory_is_short),
        CASE(a_span_is_drained_when_that_gains_something),
        CASE(a_span_that_is_being_drained_gives_no_units),
        CASE(a_drained_span_is_ready_for_what_is_drained_next),
        CASE(a_span_that_is_taken_anew_is_not_being_drained),
        cmocka_unit_test(draining_looks_at_a_few_spans_at_a_time),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
