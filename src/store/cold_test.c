/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold_test.c - pages that nobody gets are coded anew, those that somebody gets are not, and nothing else changes.
 *
 * Short pages become smaller in the test codec's form for cold pages; raw ones do not.
 */
#include "store/world_test.h"

#define PAGES 60u /* less than a segment of short ones */

static struct world world;
static struct tm_heap *heap; /* the persistent one */
static uint64_t rounds;

static int set_up(void **state)
{
    (void)state;
    world_init_surviving(&world, 16);
    heap = world.persistent;
    rounds = 0;
    assert_true(tm_store_cold_start(world.store));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void fill(unsigned first, unsigned count, enum world_sort sort)
{
    for (unsigned i = first; i < first + count; i++)
        assert_int_equal(world_put(&world, heap, i, sort, i), TM_WRITE_OK);
}

static enum tm_cool_result go_on(bool at_once, unsigned blocks)
{
    enum tm_cool_result result = tm_heap_cool(world.store, world.worker, heap, rounds, at_once, blocks);
    (void)tm_store_drain(world.store);
    return result;
}

/* A whole round. Answers how it ended. */
static enum tm_cool_result go_round(bool at_once)
{
    enum tm_cool_result result = TM_COOL_MORE;
    rounds++;
    while (result == TM_COOL_MORE)
        result = go_on(at_once, 7);
    return result;
}

static unsigned cold_pages(unsigned first, unsigned count)
{
    unsigned cold = 0;
    for (unsigned i = first; i < first + count; i++)
        cold += tm_slot_is_cold(world.store, world.page[i].slot);
    return cold;
}

static void what_two_rounds_met_is_cold(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    fill(PAGES, 3, WORLD_RAW);
    tm_heap_seal(heap);
    uint64_t before = world_figures(&world).block_bytes;
    assert_int_equal(go_round(false), TM_COOL_LATER);
    assert_int_equal(cold_pages(0, PAGES + 3), 0);
    assert_int_equal(go_round(false), TM_COOL_DONE);
    assert_int_equal(cold_pages(0, PAGES), PAGES);
    assert_int_equal(cold_pages(PAGES, 3), 0);
    world_check(&world);
    struct tm_store_figures figures = world_figures(&world);
    assert_int_equal(figures.cooled_pages, PAGES);
    assert_int_equal(figures.cooled_saved_bytes, before - figures.block_bytes);
    assert_int_equal(figures.codec_blocks[TM_TEST_CODEC_COLD], PAGES);
    assert_int_equal(figures.codec_bytes[TM_TEST_CODEC_COLD], PAGES * tm_slot_bytes(world.page[0].slot));
    assert_int_equal(figures.codec_blocks[TM_CODEC_RAW], 3);
    assert_int_equal(figures.codec_blocks[TM_CODEC_LZ4], 0);
    assert_int_equal(figures.codec_bytes[TM_CODEC_LZ4], 0);
}

static void when_all_is_cold_nothing_is_left_to_do(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    fill(PAGES, 3, WORLD_RAW);
    assert_true(tm_store_was_sealed(world.store)); /* as if: the tier has just begun */
    tm_heap_seal(heap);
    assert_true(tm_store_was_sealed(world.store));
    assert_false(tm_store_was_sealed(world.store));
    assert_int_equal(go_round(false), TM_COOL_LATER);
    assert_int_equal(go_round(false), TM_COOL_DONE);
    assert_false(tm_store_was_sealed(world.store));
    tm_heap_seal(heap); /* where the cold ones are */
    assert_true(tm_store_was_sealed(world.store));
    assert_int_equal(go_round(false), TM_COOL_LATER);
    assert_int_equal(go_round(false), TM_COOL_DONE);
    uint64_t kicks = world.host.kicks;
    assert_int_equal(go_round(false), TM_COOL_DONE);
    assert_int_equal(world.host.kicks, kicks);
    fill(0, 1, WORLD_RAW);
    tm_heap_seal(heap);
    assert_true(world.host.kicks > kicks);
    assert_int_equal(go_round(false), TM_COOL_LATER);
}

static void what_was_got_since_stays_warm(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    world.page[5].slot |= TM_SLOT_WARM;
    world.page[6].slot |= TM_SLOT_USED;
    assert_int_equal(go_round(true), TM_COOL_LATER);
    assert_int_equal(cold_pages(0, PAGES), PAGES - 1u);
    assert_false(tm_slot_is_cold(world.store, world.page[5].slot));
    assert_int_equal(world.page[5].slot & TM_SLOT_WARM, 0);
    assert_true((world.page[6].slot & TM_SLOT_USED) != 0); /* that is the evictor's */
    /* The one that stays does not keep the segment. */
    assert_int_equal(tm_heap_segment_bytes(heap), world.store->arena[heap->kind].unit_bytes);
    go_round(true);
    assert_int_equal(cold_pages(0, PAGES), PAGES);
    world_check(&world);
}

static void equal_pages_are_found_when_they_are_cold(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    go_round(true);
    assert_int_equal(world_put(&world, heap, PAGES, WORLD_SHORT, 3), TM_WRITE_OK);
    assert_int_equal(tm_slot_type(world.page[PAGES].slot), TM_SLOT_SHARED);
    world_check(&world);
}

static void a_shared_content_becomes_cold_and_is_found_after_a_restart(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_put(&world, heap, PAGES + i, WORLD_SHORT, 3), TM_WRITE_OK);
    assert_true(world_has(&world, 3)); /* warm */
    go_round(true);
    assert_int_equal(tm_block_codec(world_block(&world, 3)->word), TM_CODEC_LZ4);
    go_round(true);
    assert_int_equal(tm_block_codec(world_block(&world, 3)->word), TM_TEST_CODEC_COLD);
    world_check(&world);
    tm_heap_seal(heap);
    world_crash(&world);
    world_start(&world);
    heap = world.persistent;
    for (unsigned i = 0; i < PAGES + 3; i++) {
        struct world_page *page = &world.page[i];
        page->heap = heap;
        tm_slots_adopt(world.store, heap, &page->slot, 1, TM_WORLD_HASH(i), TM_WORLD_NUMBER(i));
        assert_int_not_equal(page->slot, TM_SLOT_LOST);
    }
    assert_true(tm_store_adopted(world.store));
    world_check(&world);
    assert_int_equal(world_figures(&world).codec_blocks[TM_TEST_CODEC_COLD], PAGES);
}

static void without_room_the_round_ends_and_nothing_changes(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    tm_heap_seal(heap);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    assert_int_equal(go_round(true), TM_COOL_LATER);
    assert_int_equal(cold_pages(0, PAGES), 0);
    world_deny(&world, TM_FAULT_SEGMENT, false);
    go_round(true);
    assert_int_equal(cold_pages(0, PAGES), PAGES);
}

/* The segment that the walk stands in goes away between two steps, empty or copied together. */
static void a_segment_that_goes_away_is_left_behind(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 2; turn++) {
        fill(0, 3 * PAGES, WORLD_SHORT);
        tm_heap_seal(heap);
        for (unsigned i = 0; i < PAGES; i += 1u + turn)
            world_drop(&world, i);
        rounds++;
        assert_int_equal(go_on(true, 3), TM_COOL_MORE);
        if (turn == 0) {
            for (unsigned i = PAGES; i < 2 * PAGES; i++)
                world_drop(&world, i);
        } else {
            while (tm_heap_clean(world.store, world.worker, heap, 1)) {
            }
        }
        enum tm_cool_result result = TM_COOL_MORE;
        for (unsigned i = 0; result == TM_COOL_MORE; i++) {
            assert_true(i < 1000);
            result = go_on(true, 3);
        }
        assert_int_equal(result, TM_COOL_LATER);
        world_check(&world);
    }
}

static void young_pages_are_left_alone(void **state)
{
    (void)state;
    heap = world.ephemeral;
    fill(0, PAGES, WORLD_SHORT);
    tm_heap_seal(heap);
    assert_int_equal(go_round(true), TM_COOL_DONE);
    assert_int_equal(cold_pages(0, PAGES), 0);
    assert_true(tm_heap_promote(heap));
    go_round(true);
    assert_int_equal(cold_pages(0, PAGES), PAGES);
}

static void a_page_that_changes_meanwhile_stays_what_it_became(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    world.releases_on_swap = true;
    go_round(true);
    world.releases_on_swap = false;
    assert_int_equal(world_count(&world), 0);
    world_check(&world);
}

static void damage_is_not_made_good(void **state)
{
    (void)state;
    fill(0, PAGES, WORLD_SHORT);
    ((unsigned char *)(world_block(&world, 9) + 1))[3] ^= 1u;
    uint64_t *word = &world_block(&world, 40)->word;
    uint64_t whole = *word;
    *word &= ~UINT64_C(8191); /* no length: the walk through the segment ends here */
    go_round(true);
    assert_int_equal(cold_pages(0, PAGES), 39);
    assert_false(tm_slot_is_cold(world.store, world.page[9].slot));
    assert_false(world_has(&world, 9));
    ((unsigned char *)(world_block(&world, 9) + 1))[3] ^= 1u; /* it may have moved, damage and all */
    *word = whole;
    world_check(&world);
}

static void a_cold_page_comes_back_as_it_was(void **state)
{
    (void)state;
    fill(0, 3, WORLD_SHORT);
    tm_slot before = world.page[1].slot;
    assert_false(tm_heap_warm(world.store, world.worker, heap, TM_WORLD_HASH(1), TM_WORLD_NUMBER(1),
                              tm_slot_offset(before))); /* it is not cold */
    go_round(true);
    uint64_t offset = tm_slot_offset(world.page[1].slot);
    assert_true(tm_heap_warm(world.store, world.worker, heap, TM_WORLD_HASH(1), TM_WORLD_NUMBER(1), offset));
    assert_int_equal(tm_slot_type(world.page[1].slot), TM_CODEC_LZ4);
    assert_int_equal(tm_slot_bytes(world.page[1].slot), tm_slot_bytes(before));
    assert_false(tm_heap_warm(world.store, world.worker, heap, TM_WORLD_HASH(1), TM_WORLD_NUMBER(1), offset));
    assert_int_equal(world_figures(&world).warmed_pages, 1);
    world_check(&world);
    /* As a put would store it: raw, when the codec makes nothing of it. */
    world_deny(&world, TM_FAULT_ENCODE, true);
    assert_true(tm_heap_warm(world.store, world.worker, heap, TM_WORLD_HASH(2), TM_WORLD_NUMBER(2),
                             tm_slot_offset(world.page[2].slot)));
    world_deny(&world, TM_FAULT_ENCODE, false);
    assert_int_equal(tm_slot_type(world.page[2].slot), TM_CODEC_RAW);
    world_check(&world);
}

/* What decoding cold pages touches counts from the first of them on. */
static void decoders_count_when_there_are_cold_pages(void **state)
{
    struct world *other = calloc(1, sizeof *other);
    (void)state;
    assert_non_null(other);
    world_host(other, 8, true);
    world_start(other);
    assert_true(tm_store_cold_start(other->store));
    uint64_t decoders = UINT64_C(1) << 20;
    other->store->codec.context_bytes += decoders / other->store->worker_count;
    other->store->codec.touched_bytes = other->codec.context_bytes;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(world_put(other, other->persistent, i, i == 0 ? WORLD_RAW : WORLD_SHORT, i), TM_WRITE_OK);
        uint64_t before = other->store->metadata_bytes;
        (void)tm_heap_cool(other->store, other->worker, other->persistent, 1u + i, true, 9);
        uint64_t more = other->store->metadata_bytes - before; /* descriptors of a new span, too */
        assert_in_range(more, i == 1 ? decoders : 0, (i == 1 ? decoders : 0) + decoders / 2u);
    }
    world_fini(other);
    free(other);
}

static void without_memory_or_a_better_codec_there_is_no_cold_tier(void **state)
{
    struct world *other = calloc(1, sizeof *other);
    (void)state;
    assert_non_null(other);
    world_host(other, 8, true);
    other->codec.cold_encodes = TM_CODEC_NONE;
    world_start(other);
    assert_false(tm_store_cold_start(other->store));
    world_fini(other);

    world_host(other, 8, true);
    world_start(other);
    const struct tm_test_plan no_memory = {TM_FAULT_BIT(TM_FAULT_ALLOC), true, 1};
    const struct tm_test_plan no_context = {TM_FAULT_BIT(TM_FAULT_INIT), true, 1};
    tm_test_host_plan(&other->host, &no_memory);
    assert_false(tm_store_cold_start(other->store));
    tm_test_host_plan(&other->host, &no_context);
    assert_false(tm_store_cold_start(other->store));
    tm_test_host_plan(&other->host, NULL);
    uint64_t before = world_figures(other).metadata_bytes;
    assert_true(tm_store_cold_start(other->store));
    assert_int_equal(world_figures(other).metadata_bytes, before + other->codec.cold_bytes);
    before = world_figures(other).metadata_bytes;
    assert_true(tm_store_cold_start(other->store));
    assert_int_equal(world_figures(other).metadata_bytes, before);
    world_fini(other);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_two_rounds_met_is_cold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_all_is_cold_nothing_is_left_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_got_since_stays_warm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_pages_are_found_when_they_are_cold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shared_content_becomes_cold_and_is_found_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_room_the_round_ends_and_nothing_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_segment_that_goes_away_is_left_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(young_pages_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_that_changes_meanwhile_stays_what_it_became, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_not_made_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cold_page_comes_back_as_it_was, set_up, tear_down),
        cmocka_unit_test(decoders_count_when_there_are_cold_pages),
        cmocka_unit_test(without_memory_or_a_better_codec_there_is_no_cold_tier),
    };
    return cmocka_run_group_tests_name("cold", tests, NULL, NULL);
}
