/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * defer_test.c - pages that are stored raw and compressed later: each waits once, and none is forgotten, whatever
 * becomes of its segment meanwhile.
 */
#include "store/world_test.h"

static struct world world;
static struct tm_heap *heap; /* the persistent one */

static int set_up(void **state)
{
    (void)state;
    world_host(&world, 16, true);
    world.host.host.persistent_survives = true;
    world.config.defer = true;
    world_start(&world);
    heap = world.persistent;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put(struct tm_heap *to, unsigned index, enum world_sort sort, uint64_t number)
{
    assert_int_equal(world_put(&world, to, index, sort, number), TM_WRITE_OK);
}

static bool waits(unsigned index)
{
    return (world_block(&world, index)->word & TM_BLOCK_DEFERRED) != 0;
}

static unsigned codec_of(unsigned index)
{
    return tm_block_codec(world_block(&world, index)->word);
}

static bool undefer(bool with_open)
{
    bool done = tm_heap_undefer(world.store, world.worker, heap, with_open);
    world_check(&world);
    return done;
}

static void a_page_is_compressed_later(void **state)
{
    (void)state;
    put(heap, 0, WORLD_SHORT, 1);
    put(heap, 1, WORLD_SMALL, 2);
    assert_int_equal(codec_of(0), TM_CODEC_RAW);
    assert_true(waits(0));
    assert_true(tm_store_has_open_deferred(world.store));
    assert_int_equal(world_figures(&world).deferred_bytes, 0);
    world_check(&world);
    assert_false(undefer(false)); /* its segment is still being filled */
    assert_true(undefer(true));
    assert_int_equal(codec_of(0), TM_CODEC_LZ4);
    assert_false(waits(0));
    assert_false(tm_store_has_open_deferred(world.store));
    assert_false(undefer(true));
}

static void segments_that_are_full_come_first_the_oldest_before_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) { /* a raw page fills a segment */
        put(heap, i, WORLD_LONG, i);
        tm_heap_seal(heap);
    }
    put(heap, 3, WORLD_LONG, 3);
    assert_int_equal(world_figures(&world).deferred_bytes, 3u * world.store->arena[heap->kind].unit_bytes);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(undefer(false));
        assert_int_equal(codec_of(i), TM_CODEC_LZ4);
        assert_true(waits(3));
    }
    assert_false(undefer(false));
    assert_int_equal(world_figures(&world).deferred_bytes, 0);
}

static void a_page_that_does_not_compress_waits_only_once(void **state)
{
    (void)state;
    put(heap, 0, WORLD_RAW, 1);
    assert_true(waits(0));
    assert_true(undefer(true));
    assert_int_equal(codec_of(0), TM_CODEC_RAW);
    assert_false(waits(0));
    tm_heap_seal(heap);
    assert_false(undefer(true));
}

static void equal_pages_share_while_they_wait(void **state)
{
    (void)state;
    put(heap, 0, WORLD_LONG, 7);
    put(heap, 1, WORLD_LONG, 7);
    assert_int_equal(tm_slot_type(world.page[1].slot), TM_SLOT_SHARED);
    assert_true(waits(0));
    assert_true(undefer(true));
    while (undefer(true)) { /* the content may lie in another segment than the page did */
    }
    assert_int_equal(codec_of(1), TM_CODEC_LZ4);
    assert_false(tm_store_has_open_deferred(world.store));
}

static void young_pages_stay_young_and_main_ones_main(void **state)
{
    (void)state;
    heap = world.ephemeral;
    put(heap, 0, WORLD_LONG, 1);
    assert_true(undefer(true));
    tm_heap_seal(heap);
    assert_int_not_equal(tm_heap_age_bytes(heap, TM_AGE_YOUNG), 0);
    assert_int_equal(tm_heap_age_bytes(heap, TM_AGE_MAIN), 0);
    put(heap, 1, WORLD_LONG, 2);
    tm_heap_seal(heap);
    while (tm_heap_promote(heap)) {
    }
    assert_true(undefer(false));
    tm_heap_seal(heap);
    assert_int_equal(codec_of(1), TM_CODEC_LZ4);
    assert_int_equal(tm_heap_age_bytes(heap, TM_AGE_YOUNG), 0);
}

static void who_takes_its_segment_apart_compresses_it(void **state)
{
    (void)state;
    uint64_t dropped;
    heap = world.ephemeral;
    put(heap, 0, WORLD_LONG, 1);
    tm_heap_seal(heap);
    assert_true(tm_heap_purge(world.store, world.worker, heap, TM_AGE_YOUNG, TM_PURGE_ADMIT, &dropped));
    assert_int_equal(dropped, 0);
    assert_int_equal(codec_of(0), TM_CODEC_LZ4);
    put(heap, 1, WORLD_LONG, 2);
    tm_heap_seal(heap);
    assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
    assert_true(tm_heap_clean(world.store, world.worker, heap, 0));
    assert_int_equal(codec_of(1), TM_CODEC_LZ4);
    assert_false(undefer(true));
}

static void where_memory_is_short_nothing_waits(void **state)
{
    (void)state;
    for (unsigned i = 10; i < 310; i++)
        put(heap, i, WORLD_RAW, i);
    uint64_t use = world.store->segment_bytes + tm_store_metadata(world.store);
    tm_store_set_size(world.store, use / 7u * 8u);
    put(heap, 0, WORLD_LONG, 1);
    assert_int_equal(codec_of(0), TM_CODEC_LZ4);
    tm_store_set_size(world.store, TM_WORLD_PLENTY);
    put(heap, 1, WORLD_LONG, 2);
    assert_true(waits(1));
    /* Nor when a quarter of the size waits. */
    tm_heap_seal(heap);
    uint64_t waiting = world_figures(&world).deferred_bytes;
    assert_int_not_equal(waiting, 0);
    world.store->deferred_bytes = TM_WORLD_PLENTY / 4u;
    put(heap, 2, WORLD_LONG, 3);
    world.store->deferred_bytes = waiting;
    assert_int_equal(codec_of(2), TM_CODEC_LZ4);
}

static void a_codec_that_does_nothing_lets_nothing_wait(void **state)
{
    (void)state;
    world_stop(&world);
    tm_test_host_wipe(&world.host);
    world.codec.encodes = TM_CODEC_RAW;
    world_start(&world);
    heap = world.persistent;
    put(heap, 0, WORLD_RAW, 1);
    assert_false(waits(0));
    assert_false(undefer(true));
}

static void without_room_pages_go_on_waiting(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        put(heap, i, WORLD_LONG, i);
    tm_heap_seal(heap);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    assert_false(undefer(true));
    assert_true(waits(0));
    assert_int_not_equal(world_figures(&world).deferred_bytes, 0);
    world_deny(&world, TM_FAULT_SEGMENT, false);
    while (undefer(true)) {
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(codec_of(i), TM_CODEC_LZ4);
}

static void a_damaged_page_does_not_wait_for_ever(void **state)
{
    (void)state;
    put(heap, 0, WORLD_LONG, 1);
    ((unsigned char *)(world_block(&world, 0) + 1))[9] ^= 1u;
    assert_true(tm_heap_undefer(world.store, world.worker, heap, true));
    assert_false(world_has(&world, 0)); /* it moved, and the damage with it */
    assert_false(tm_heap_undefer(world.store, world.worker, heap, true));
    world_drop(&world, 0);
}

static void a_segment_closed_before_its_page_was_written_is_not_forgotten(void **state)
{
    (void)state;
    struct tm_reservation at;
    assert_true(tm_heap_reserve(heap, 0, TM_PAGE_BYTES, TM_TIER_NORMAL, &at));
    tm_heap_seal(heap);
    uint64_t kicks = world.host.kicks;
    tm_segment_defer(heap, at.segment);
    tm_segment_defer(heap, at.segment);
    assert_int_equal(world.host.kicks, kicks + 1);
    assert_false(tm_store_has_open_deferred(world.store));
    assert_int_not_equal(world_figures(&world).deferred_bytes, 0);
    assert_int_equal(tm_heap_take_deferred(heap), 0); /* its writer is at work */
    tm_heap_unreserve(heap, &at, TM_PAGE_BYTES);
    assert_int_equal(world_figures(&world).deferred_bytes, 0);
    world_check(&world);
}

static void pages_wait_through_a_restart(void **state)
{
    (void)state;
    put(heap, 0, WORLD_LONG, 7);
    put(heap, 1, WORLD_LONG, 7);
    put(heap, 2, WORLD_SHORT, 8);
    put(heap, 3, WORLD_RAW, 9);
    world_crash(&world);
    world.config.defer = false; /* whoever comes next, whatever it would do itself */
    world_start(&world);
    heap = world.persistent;
    for (unsigned i = 0; i < 4; i++) {
        struct world_page *page = &world.page[i];
        page->heap = heap;
        tm_slots_adopt(world.store, heap, &page->slot, 1, TM_WORLD_HASH(i), TM_WORLD_NUMBER(i));
    }
    assert_true(tm_store_adopted(world.store));
    world_check(&world);
    assert_false(tm_store_has_open_deferred(world.store));
    while (undefer(true)) {
    }
    assert_int_equal(codec_of(0), TM_CODEC_LZ4);
    assert_int_equal(codec_of(2), TM_CODEC_LZ4);
    assert_false(waits(3));
    assert_int_equal(world_figures(&world).deferred_bytes, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_page_is_compressed_later),
        CASE(segments_that_are_full_come_first_the_oldest_before_others),
        CASE(a_page_that_does_not_compress_waits_only_once),
        CASE(equal_pages_share_while_they_wait),
        CASE(young_pages_stay_young_and_main_ones_main),
        CASE(who_takes_its_segment_apart_compresses_it),
        CASE(where_memory_is_short_nothing_waits),
        CASE(a_codec_that_does_nothing_lets_nothing_wait),
        CASE(without_room_pages_go_on_waiting),
        CASE(a_damaged_page_does_not_wait_for_ever),
        CASE(a_segment_closed_before_its_page_was_written_is_not_forgotten),
        CASE(pages_wait_through_a_restart),
    };
    return cmocka_run_group_tests_name("defer", tests, NULL, NULL);
}
