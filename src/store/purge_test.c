/* SPDX-License-Identifier: BSD-2-Clause */
/* purge_test.c - segments taken apart, whole and bit by bit: what stays, what goes, and what comes back to the host. */
#include "base/mix.h"
#include "store/world_test.h"

static struct world world;
static struct tm_heap *heap; /* the ephemeral one */
static bool is_by_page;      /* the owner answers about single pages only */

static int set_up(void **state)
{
    (void)state;
    world_init(&world, 16, true);
    if (is_by_page)
        world.store->owner.judge_chunk = NULL;
    heap = world.ephemeral;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put(struct tm_heap *to, unsigned index, enum world_sort sort)
{
    assert_int_equal(world_put(&world, to, index, sort, 1000u + index), TM_WRITE_OK);
}

/* Pages @from ... @to - 1, and their segments sealed. */
static void put_row(struct tm_heap *where, unsigned from, unsigned to, enum world_sort sort)
{
    for (unsigned i = from; i < to; i++)
        put(where, i, sort);
    tm_heap_seal(where);
}

static bool purge(enum tm_age age, enum tm_purge why, uint64_t *dropped)
{
    return tm_heap_purge(world.store, world.worker, heap, age, why, dropped);
}

/* ---- whole segments ---- */

static void the_oldest_segment_goes_first(void **state)
{
    (void)state;
    uint64_t dropped = 99;
    assert_false(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_int_equal(dropped, 0);
    put_row(heap, 0, 5, WORLD_RAW); /* a page a segment */
    for (unsigned i = 0; i < 5; i++) {
        assert_true(world_has(&world, i));
        assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
        assert_int_equal(dropped, 1);
        assert_false(world_has(&world, i));
        assert_int_equal(world_count(&world), 4 - i);
        world_check(&world);
    }
    assert_false(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_int_equal(world_figures(&world).evicted_segments, 5);
    assert_int_equal(world_figures(&world).spans, 0); /* all of it went back */
    assert_int_equal(tm_store_returned(world.store), TM_TEST_SPAN_BYTES);
}

static void pages_that_stay_move_to_the_main_segments(void **state)
{
    (void)state;
    uint64_t dropped;
    put_row(heap, 0, 40, WORLD_SHORT);
    for (unsigned i = 0; i < 40; i += 4)
        world.page[i].slot |= TM_SLOT_USED;
    world_drop(&world, 1);
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_SECOND, &dropped));
    assert_int_equal(dropped, 29);
    assert_int_equal(world_count(&world), 10);
    assert_int_equal(tm_heap_age_bytes(heap, TM_AGE_YOUNG), 0);
    tm_heap_seal(heap);
    assert_int_equal(heap->list[TM_AGE_MAIN].count, 1);
    world_check(&world);
    /* Since then nobody has used them. */
    assert_true(purge(TM_AGE_MAIN, TM_PURGE_SECOND, &dropped));
    assert_int_equal(dropped, 10);
}

static void without_room_a_page_that_may_go_goes(void **state)
{
    (void)state;
    uint64_t dropped;
    put_row(heap, 0, 10, WORLD_LONG);
    put(heap, 10, WORLD_LONG);
    assert_int_equal(world_put(&world, heap, 11, WORLD_LONG, 1010), TM_WRITE_OK); /* 10 and 11 share */
    tm_heap_seal(heap);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    while (purge(TM_AGE_YOUNG, TM_PURGE_ADMIT, &dropped))
        world_check(&world);
    assert_int_equal(world_count(&world), 0);
    assert_int_equal(world.evicted, 2);
    assert_int_equal(world.dropped, 10);
}

static void cleaning_without_room_keeps_all_that_is_referred_to(void **state)
{
    (void)state;
    put_row(heap, 0, 40, WORLD_SHORT);
    for (unsigned i = 0; i < 40; i += 2)
        world_drop(&world, i);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    assert_true(tm_heap_is_cleanable(heap, 1));
    assert_false(tm_heap_clean(world.store, world.worker, heap, 0));
    assert_int_equal(world_count(&world), 20);
    world_check(&world);
    world_deny(&world, TM_FAULT_SEGMENT, false);
    assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
    assert_int_equal(world_count(&world), 20);
}

/* ---- bit by bit ---- */

static void a_segment_can_be_purged_bit_by_bit(void **state)
{
    (void)state;
    put_row(heap, 0, 30, WORLD_SHORT);
    assert_false(tm_heap_purge_some(world.store, world.worker, heap, 10)); /* none was begun */
    assert_false(tm_heap_purge_begin(heap, TM_AGE_MAIN, TM_PURGE_ALL));    /* there is none */
    assert_true(tm_heap_purge_begin(heap, TM_AGE_YOUNG, TM_PURGE_SECOND));
    assert_false(tm_heap_purge_begin(heap, TM_AGE_YOUNG, TM_PURGE_SECOND)); /* one at a time */
    world.page[29].slot |= TM_SLOT_USED;
    for (unsigned step = 1; step <= 3; step++) {
        assert_int_equal(world_count(&world), 30 - 10 * (step - 1));
        world_check(&world);
        assert_true(tm_heap_purge_some(world.store, world.worker, heap, 10));
    }
    assert_int_equal(world_count(&world), 1);
    assert_true(world_has(&world, 29));
    assert_false(tm_heap_purge_some(world.store, world.worker, heap, 10));
    assert_int_equal(world_figures(&world).evicted_segments, 1);
}

static void of_two_that_purge_bit_by_bit_one_has_to_wait(void **state)
{
    (void)state;
    put_row(heap, 0, 4, WORLD_SHORT);
    assert_true(tm_lock_try(&heap->purge_lock));
    assert_false(tm_heap_purge_begin(heap, TM_AGE_YOUNG, TM_PURGE_ALL));
    assert_false(tm_heap_purge_some(world.store, world.worker, heap, 10));
    tm_lock_release_tried(&heap->purge_lock);
    assert_int_equal(world_count(&world), 4);
}

static void a_purge_that_was_begun_ends_with_its_heap(void **state)
{
    (void)state;
    struct tm_heap *other = tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 9);
    put_row(other, 0, 3, WORLD_SHORT);
    assert_true(tm_heap_purge_begin(other, TM_AGE_YOUNG, TM_PURGE_ALL));
    for (unsigned i = 0; i < 3; i++)
        world_drop(&world, i);
    tm_heap_destroy(other);
    tm_store_check(world.store);
    assert_int_equal(world.store->segment_bytes, 0);
}

/* ---- races that a single thread can play ---- */

static void a_copy_whose_page_has_changed_is_undone(void **state)
{
    (void)state;
    put_row(heap, 0, 10, WORLD_SHORT);
    world.releases_on_swap = true;
    assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
    world.releases_on_swap = false;
    assert_int_equal(world_count(&world), 0);
    assert_int_equal(tm_store_blocks(world.store), 0);
    put_row(heap, 0, 10, WORLD_WORD); /* the same without an entry in the table */
    world.releases_on_swap = true;
    assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
    world.releases_on_swap = false;
    assert_int_equal(world_count(&world), 0);
    assert_int_equal(tm_heap_live_bytes(heap), 0);
}

static void a_page_that_goes_before_it_is_dropped_for_want_of_room_is_gone_once(void **state)
{
    (void)state;
    uint64_t dropped;
    put_row(heap, 0, 3, WORLD_LONG);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    world.releases_on_keep = true;
    while (purge(TM_AGE_YOUNG, TM_PURGE_ADMIT, &dropped))
        assert_int_equal(dropped, 0);
    world.releases_on_keep = false;
    assert_int_equal(world_count(&world), 0);
    assert_int_equal(world.dropped, 0);
    assert_int_equal(tm_store_blocks(world.store), 0);
    assert_int_equal(world.store->segment_bytes, 0);
}

static void a_reader_keeps_a_purged_segment_from_being_used_again(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    unsigned char wanted[TM_PAGE_BYTES];
    uint64_t dropped;
    put_row(heap, 0, 1, WORLD_RAW);
    assert_true(tm_pin(world.store, TM_ARENA_EPHEMERAL, world.worker, 2, world.page[0].slot));
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_true(tm_store_drain(world.store)); /* some still wait */
    assert_int_equal(world_figures(&world).spans, 1);
    put_row(heap, 1, 20, WORLD_RAW);
    assert_true(tm_pinned_read(world.store, world.worker, 2, TM_WORLD_HASH(0), TM_WORLD_NUMBER(0), page));
    world_fill(wanted, WORLD_RAW, 1000);
    assert_memory_equal(page, wanted, sizeof page);
    tm_unpin(world.worker, 2);
    uint64_t before = world.store->segment_bytes;
    assert_false(tm_store_drain(world.store));
    assert_int_equal(before - world.store->segment_bytes, world.store->arena[0].unit_bytes);
}

static void a_segment_with_a_writer_is_left_alone(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    uint64_t dropped;
    struct tm_page_put late = world_prepare(&world, heap, 0, WORLD_RAW, 1000, page);
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_OK);
    tm_heap_seal(heap);
    assert_false(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_false(tm_heap_clean(world.store, world.worker, heap, 0));
    assert_false(tm_heap_take(heap, late.pinned_segment));
    put_row(heap, 1, 2, WORLD_RAW);
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped)); /* the one behind it */
    assert_int_equal(world_count(&world), 0);
    world_publish(&world, &late, 0, WORLD_RAW, 1000);
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
}

/* ---- damage ---- */

static void a_damaged_length_ends_the_walk_and_nothing_else(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 5000};
    uint64_t dropped;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(lengths); i++) {
        put_row(heap, 0, 10, WORLD_SHORT);
        struct tm_block *block = world_block(&world, 4);
        uint64_t word = block->word;
        block->word = (word & ~UINT64_C(8191)) | lengths[i];
        assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
        assert_int_equal(dropped, 4);
        assert_int_equal(world_count(&world), 6);                  /* the segment stays as long as they do */
        assert_false(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped)); /* and is not tried again */
        block->word = word;
        world_check(&world);
        for (unsigned k = 4; k < 10; k++)
            world_drop(&world, k);
    }
}

static void a_block_whose_header_disagrees_with_its_slot_stays_where_it_is(void **state)
{
    (void)state;
    static const uint64_t damages[] = {8, UINT64_C(1) << 19}; /* the length, the codec */
    for (unsigned i = 0; i < TM_ARRAY_SIZE(damages); i++) {
        put_row(heap, 0, 10, WORLD_SHORT);
        struct tm_block *block = world_block(&world, 4);
        tm_slot slot = world.page[4].slot;
        block->word ^= damages[i];
        assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
        assert_int_equal(world.page[4].slot, slot);
        assert_false(world_has(&world, 4));
        assert_false(tm_heap_is_cleanable(heap, 1)); /* trying again would be in vain */
        block->word ^= damages[i];
        tm_heap_seal(heap);
        world_check(&world); /* with the nine others, which have moved */
        for (unsigned k = 0; k < 10; k++)
            world_drop(&world, k);
        assert_int_equal(tm_heap_live_bytes(heap), 0);
    }
}

static void a_block_of_an_earlier_generation_is_passed_over(void **state)
{
    (void)state;
    uint64_t dropped;
    put_row(heap, 0, 3, WORLD_SHORT);
    struct tm_block *block = world_block(&world, 1);
    block->word ^= UINT64_C(1) << 40;
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_int_equal(dropped, 2);
    block->word ^= UINT64_C(1) << 40;
    assert_true(world_has(&world, 1));
}

static void a_reservation_that_was_never_written_is_passed_over(void **state)
{
    (void)state;
    uint64_t dropped;
    struct tm_reservation at;
    put(heap, 0, WORLD_SHORT);
    assert_true(tm_heap_reserve(heap, 0, 50, TM_TIER_NORMAL, &at));
    tm_heap_unreserve(heap, &at, 50);
    put_row(heap, 1, 2, WORLD_SHORT);
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_int_equal(dropped, 2);
    assert_int_equal(world_count(&world), 0);
}

static void an_owner_that_expects_nothing_is_not_asked(void **state)
{
    (void)state;
    uint64_t dropped;
    put_row(heap, 0, 10, WORLD_SHORT);
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_int_equal(world.expected, is_by_page ? 10 : 0); /* whose pages come by chunks says so at once */
    world.store->owner.expect = NULL;
    put_row(heap, 0, 10, WORLD_SHORT);
    assert_true(purge(TM_AGE_YOUNG, TM_PURGE_ALL, &dropped));
    assert_int_equal(world.expected, is_by_page ? 10 : 0); /* whose pages come by chunks says so at once */
}

/* ---- cleaning and compacting ---- */

static void cleaning_takes_the_deadest_and_keeps_its_age(void **state)
{
    (void)state;
    put_row(heap, 0, 64, WORLD_SHORT);
    put_row(heap, 64, 128, WORLD_SHORT);
    uint32_t segments = heap->list[TM_AGE_YOUNG].count;
    for (unsigned i = 64; i < 120; i++)
        world_drop(&world, i);
    assert_false(tm_heap_is_cleanable(heap, TM_DEAD_BINS));
    assert_true(tm_heap_clean(world.store, world.worker, heap, 6));
    struct tm_store_figures figures = world_figures(&world);
    assert_int_equal(figures.cleaned_segments, 1);
    assert_true(figures.cleaned_bytes <= 8u * tm_slot_bytes(world.page[120].slot));
    tm_heap_seal(heap);
    assert_int_equal(heap->list[TM_AGE_YOUNG].count, segments);
    assert_int_equal(heap->list[TM_AGE_MAIN].count, 0);
    world_check(&world);
    assert_true(tm_heap_promote(heap)); /* what was main stays main */
    assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
    world_check(&world);
}

static void compacting_gives_spans_back(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_heap *where = kind == TM_ARENA_EPHEMERAL ? world.ephemeral : world.persistent;
        enum tm_arena_kind arena = where->kind;
        put_row(where, 0, 256, WORLD_LONG);
        uint64_t before = world_figures(&world).spans;
        assert_true(before >= 3);
        assert_false(tm_store_compact(world.store, world.worker, arena, 8)); /* none is quite empty */
        for (unsigned i = 0; i < 256; i++)
            if (i % 8 != 0)
                world_drop(&world, i);
        for (uint64_t rounds = 0; tm_store_compact(world.store, world.worker, arena, 4); rounds++) {
            assert_true(rounds < before);
            world_check(&world);
        }
        while (tm_store_unprepare(world.store)) {
        }
        assert_int_equal(world_count(&world), 32);
        assert_true(world_figures(&world).spans < before);
        for (unsigned i = 0; i < 256; i++)
            world_drop(&world, i);
        tm_heap_seal(where);
    }
}

static void compacting_again_and_again_comes_to_an_end(void **state)
{
    (void)state;
    static const enum world_sort sorts[] = {WORLD_LONG, WORLD_RAW, WORLD_SHORT};
    struct tm_heap *heaps[3] = {heap, tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 5),
                                tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 6)};
    uint64_t dice = 1;
    unsigned kept = 0;
    for (unsigned i = 0; i < 600; i++)
        put(heaps[tm_random_next(&dice) % 3u], i, sorts[i % 3u]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tm_heap_promote(heaps[i])); /* both ages */
        tm_heap_seal(heaps[i]);
    }
    for (unsigned i = 0; i < 600; i++) {
        if (tm_random_next(&dice) % 4u != 0)
            world_drop(&world, i);
        else
            kept++;
    }
    uint64_t before = world_figures(&world).spans;
    for (uint64_t rounds = 0; tm_store_compact(world.store, world.worker, TM_ARENA_EPHEMERAL, 1); rounds++)
        assert_true(rounds < before * 2u);
    assert_int_equal(world_count(&world), kept);
    world_check(&world);
    assert_true(world_figures(&world).spans * 2u < before);
    for (unsigned i = 0; i < 600; i++)
        world_drop(&world, i);
    tm_heap_destroy(heaps[1]);
    tm_heap_destroy(heaps[2]);
}

static void compacting_leaves_alone_what_is_being_written(void **state)
{
    (void)state;
    struct tm_arena *arena = &world.store->arena[TM_ARENA_EPHEMERAL];
    struct tm_reservation at;
    put_row(heap, 0, 40, WORLD_RAW); /* a span, and a quarter of another */
    for (unsigned i = 1; i < 31; i++)
        world_drop(&world, i);
    assert_true(tm_heap_reserve(heap, 0, TM_PAGE_BYTES, TM_TIER_NORMAL, &at));
    tm_heap_seal(heap);
    tm_slot before = world.page[0].slot;
    assert_int_equal(at.segment / TM_SPAN_UNITS, tm_segment_of(arena, tm_slot_offset(before)) / TM_SPAN_UNITS);
    assert_false(tm_store_compact(world.store, world.worker, TM_ARENA_EPHEMERAL, 1)); /* it is not empty */
    assert_false(tm_slot_same(before, world.page[0].slot));
    struct tm_segment *segment = tm_segment_at(arena, at.segment);
    assert_int_equal(segment->state, TM_SEGMENT_SEALED);
    tm_heap_unreserve(heap, &at, TM_PAGE_BYTES);
    assert_int_equal(segment->state, TM_SEGMENT_FREE);
    assert_int_equal(world_figures(&world).spans, 1);
}

static bool compact(unsigned eighths)
{
    return tm_store_compact(world.store, world.worker, TM_ARENA_EPHEMERAL, eighths);
}

/* Another heap has two segments in a span of its own, one that puts fill and one that is taken apart. */
static void what_is_being_filled_or_taken_apart_moves_when_memory_is_short(void **state)
{
    (void)state;
    struct tm_heap *other = tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 9);
    for (unsigned i = 0; i < TM_SPAN_UNITS + 2; i++)
        put(i < TM_SPAN_UNITS ? heap : other, i, WORLD_RAW);
    for (unsigned i = 0; i < 12; i++)
        world_drop(&world, i);
    assert_true(tm_heap_purge_begin(other, TM_AGE_YOUNG, TM_PURGE_ALL));
    assert_false(compact(2));
    assert_true(tm_lock_try(&other->purge_lock)); /* somebody is at it */
    assert_false(compact(1));
    tm_lock_release_tried(&other->purge_lock);
    assert_true(compact(1));
    assert_int_equal(other->purge_segment, 0);
    assert_int_equal(world.store->arena[TM_ARENA_EPHEMERAL].in_use, 1);
    assert_int_equal(world_count(&world), TM_SPAN_UNITS + 2 - 12); /* nothing was evicted */
    world_check(&world);
    world_drop(&world, TM_SPAN_UNITS);
    world_drop(&world, TM_SPAN_UNITS + 1);
    tm_heap_destroy(other);
}

static void what_somebody_takes_apart_at_once_stays(void **state)
{
    (void)state;
    put_row(heap, 0, 40, WORLD_RAW);
    for (unsigned i = 0; i < 24; i++)
        world_drop(&world, i);
    uint32_t number = tm_heap_take_oldest(heap, TM_AGE_YOUNG);
    assert_false(compact(1)); /* what is left of that span moves, but for this */
    assert_int_equal(tm_segment_at(&world.store->arena[TM_ARENA_EPHEMERAL], number)->state, TM_SEGMENT_PURGING);
    tm_heap_end_purge(heap, number, false);
    assert_int_equal(world_count(&world), 16);
}

static void compacting_without_room_stops_and_loses_nothing(void **state)
{
    (void)state;
    put_row(heap, 0, 64, WORLD_LONG);
    for (unsigned i = 0; i < 64; i += 2)
        world_drop(&world, i);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    assert_false(compact(1));
    assert_int_equal(world.store->arena[TM_ARENA_EPHEMERAL].draining, 0);
    assert_int_equal(world_count(&world), 32);
}

static void a_span_that_is_being_drained_gives_no_units(void **state)
{
    (void)state;
    struct tm_arena *arena = &world.store->arena[TM_ARENA_EPHEMERAL];
    enum tm_tier tier;
    put_row(heap, 0, 40, WORLD_RAW);
    assert_int_equal(tm_arena_drain_begin(arena, 4, &tier), 0); /* one is full, and the other's pages have no place */
    for (unsigned i = 0; i < 24; i++)
        world_drop(&world, i);
    uint32_t span = tm_arena_drain_begin(arena, 4, &tier);
    assert_int_not_equal(span, 0);
    assert_int_equal(tier, TM_TIER_MOVE);
    assert_int_equal(tm_arena_drain_begin(arena, 0, &tier), 0); /* one at a time */
    put(heap, 40, WORLD_RAW);
    assert_int_not_equal(tm_segment_of(arena, tm_slot_offset(world.page[40].slot)) / TM_SPAN_UNITS, span);
    assert_false(tm_arena_drain_end(arena, span));
    tm_heap_seal(heap);
    put(heap, 41, WORLD_RAW);
    world_check(&world);
}

/* ---- sampling ---- */

static void count_visit(void *user, uint32_t hash, unsigned number)
{
    unsigned *visits = user;
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++)
        if (TM_WORLD_HASH(i) == hash && TM_WORLD_NUMBER(i) == number)
            visits[i]++;
}

static void sampling_goes_round_all_main_blocks(void **state)
{
    (void)state;
    static unsigned visits[TM_WORLD_PAGES];
    memset(visits, 0, sizeof visits);
    tm_heap_sample_main(world.persistent, world.worker, 10, count_visit, visits); /* there is none */
    put_row(world.persistent, 0, 200, WORLD_SHORT);
    assert_true(world.persistent->list[TM_AGE_MAIN].count > 1);
    for (unsigned i = 0; i < 200; i++)
        tm_heap_sample_main(world.persistent, world.worker, 7, count_visit, visits);
    for (unsigned i = 0; i < 200; i++)
        assert_true(visits[i] >= 2);
    /* The segment that the next sample would come from goes. */
    uint64_t dropped;
    assert_true(tm_heap_purge(world.store, world.worker, world.persistent, TM_AGE_MAIN, TM_PURGE_CLEAN, &dropped));
    tm_heap_sample_main(world.persistent, world.worker, 7, count_visit, visits);
    /* A damaged length ends the sample of its segment. */
    uint32_t head = world.persistent->list[TM_AGE_MAIN].head;
    const struct tm_arena *arena = &world.store->arena[TM_ARENA_PERSISTENT];
    struct tm_block *block = (struct tm_block *)(void *)tm_arena_address(arena, tm_segment_offset(arena, head));
    uint64_t word = block->word;
    static const uint64_t lengths[] = {0, 5000};
    for (unsigned i = 0; i < 2; i++) {
        block->word = (word & ~UINT64_C(8191)) | lengths[i];
        for (unsigned k = 0; k < 60; k++)
            tm_heap_sample_main(world.persistent, world.worker, 7, count_visit, visits);
    }
    block->word = word;
}

/* A visit that takes the very segment apart that is sampled. */
static void purge_visit(void *user, uint32_t hash, unsigned number)
{
    uint64_t dropped;
    bool *done = user;
    (void)hash;
    (void)number;
    if (!*done)
        *done = tm_heap_purge(world.store, world.worker, heap, TM_AGE_MAIN, TM_PURGE_ALL, &dropped);
}

static void a_segment_may_go_while_it_is_sampled(void **state)
{
    (void)state;
    static unsigned visits[TM_WORLD_PAGES];
    bool done = false;
    put_row(heap, 0, 40, WORLD_SHORT);
    assert_true(tm_heap_promote(heap));
    tm_heap_sample_main(heap, world.worker, 5, purge_visit, &done);
    assert_true(done);
    assert_int_equal(world_count(&world), 0);
    assert_false(tm_store_drain(world.store));
    assert_int_equal(world.store->segment_bytes, 0);
    tm_heap_sample_main(heap, world.worker, 5, count_visit, visits); /* nothing there */
    assert_int_equal(visits[0], 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_oldest_segment_goes_first),
        CASE(pages_that_stay_move_to_the_main_segments),
        CASE(without_room_a_page_that_may_go_goes),
        CASE(cleaning_without_room_keeps_all_that_is_referred_to),
        CASE(a_segment_can_be_purged_bit_by_bit),
        CASE(of_two_that_purge_bit_by_bit_one_has_to_wait),
        CASE(a_purge_that_was_begun_ends_with_its_heap),
        CASE(a_copy_whose_page_has_changed_is_undone),
        CASE(a_page_that_goes_before_it_is_dropped_for_want_of_room_is_gone_once),
        CASE(a_reader_keeps_a_purged_segment_from_being_used_again),
        CASE(a_segment_with_a_writer_is_left_alone),
        CASE(a_damaged_length_ends_the_walk_and_nothing_else),
        CASE(a_block_whose_header_disagrees_with_its_slot_stays_where_it_is),
        CASE(a_block_of_an_earlier_generation_is_passed_over),
        CASE(a_reservation_that_was_never_written_is_passed_over),
        CASE(an_owner_that_expects_nothing_is_not_asked),
        CASE(cleaning_takes_the_deadest_and_keeps_its_age),
        CASE(compacting_gives_spans_back),
        CASE(compacting_again_and_again_comes_to_an_end),
        CASE(compacting_leaves_alone_what_is_being_written),
        CASE(what_is_being_filled_or_taken_apart_moves_when_memory_is_short),
        CASE(what_somebody_takes_apart_at_once_stays),
        CASE(compacting_without_room_stops_and_loses_nothing),
        CASE(a_span_that_is_being_drained_gives_no_units),
        CASE(sampling_goes_round_all_main_blocks),
        CASE(a_segment_may_go_while_it_is_sampled),
    };
    int failed = cmocka_run_group_tests_name("purge by chunk", tests, NULL, NULL);
    is_by_page = true;
    return failed + cmocka_run_group_tests_name("purge by page", tests, NULL, NULL);
}
