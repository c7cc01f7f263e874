/* SPDX-License-Identifier: BSD-2-Clause */
/* store_test.c - a store as a whole: made and ended, its limits by tier, workers, figures, and what its check finds. */
#include <pthread.h>
#include <time.h>

#include "store/world_test.h"
#include "tests/support/test_death.h"

#define MIB (UINT64_C(1) << 20)

static struct world world;
static struct tm_store *store;

static void start(unsigned spans)
{
    world_init(&world, spans, true);
    store = world.store;
}

static int set_up(void **state)
{
    (void)state;
    start(16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

/* ---- made and ended ---- */

static void a_store_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    static const enum tm_test_fault faults[] = {TM_FAULT_ALLOC, TM_FAULT_INIT};
    world_host(&world, 8, true);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(faults); i++) {
        uint64_t at = 1;
        for (; at < 100; at++) {
            const struct tm_test_plan plan = {TM_FAULT_BIT(faults[i]), false, at};
            tm_test_host_plan(&world.host, &plan);
            enum tm_create answer = world_create(&world);
            if (answer == TM_CREATE_OK)
                break;
            assert_int_equal(answer, TM_CREATE_NOMEM);
            assert_true(tm_test_host_is_clean(&world.host));
        }
        assert_true(at > 2 && at < 100);
        tm_store_check(world.store);
        tm_store_destroy(world.store);
        assert_true(tm_test_host_is_clean(&world.host));
    }
    tm_test_host_fini(&world.host);
}

static void a_store_may_end_with_all_that_is_in_it(void **state)
{
    (void)state;
    start(16);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(world_put(&world, i % 2 == 0 ? world.ephemeral : world.persistent, i, WORLD_LONG, i / 5u),
                         TM_WRITE_OK);
    world_stop(&world);
    assert_true(tm_test_host_is_clean(&world.host));
    tm_test_host_fini(&world.host);
}

/* ---- limits ---- */

/* Puts raw pages of a tier until there is no room, and answers how many went in. */
static unsigned fill(unsigned *index, enum tm_tier tier)
{
    unsigned before = *index;
    while (world_put_tier(&world, world.ephemeral, *index, WORLD_RAW, *index, tier) == TM_WRITE_OK)
        (*index)++;
    uint64_t use = store->segment_bytes + tm_store_metadata(store);
    assert_true(use <= tm_store_use_limit(store, tier));
    assert_true(tm_store_resident(store) <= tm_store_limit(store, tier));
    /* One more segment would have been too many, or the span for it. */
    assert_true(use + store->arena[TM_ARENA_EPHEMERAL].unit_bytes > tm_store_use_limit(store, tier) ||
                tm_store_resident(store) + TM_TEST_SPAN_BYTES > tm_store_limit(store, tier));
    world_check(&world);
    return *index - before;
}

static void each_tier_goes_a_step_further_above_the_size(void **state)
{
    (void)state;
    start(64);
    unsigned index = 0;
    uint64_t unit_bytes = store->arena[TM_ARENA_EPHEMERAL].unit_bytes;
    tm_store_set_size(store, tm_store_resident(store) + 3u * MIB);
    assert_true(tm_store_has_room(store));
    assert_false(tm_store_is_tight(store));
    assert_true(fill(&index, TM_TIER_NORMAL) > 2u * MIB / unit_bytes);
    assert_false(tm_store_has_room(store));
    assert_true(fill(&index, TM_TIER_REPLACE) * unit_bytes > 3u * MIB);
    assert_true(fill(&index, TM_TIER_COPY) * unit_bytes > MIB);
    assert_true(tm_store_is_tight(store));
    assert_int_equal(world_put(&world, world.ephemeral, index, WORLD_RAW, index), TM_WRITE_NO_ROOM);
    assert_true(tm_store_resident(store) <= tm_store_size(store) + 8u * MIB);
    world_fini(&world);
}

static void limits_are_by_2_percent_of_a_large_size(void **state)
{
    (void)state;
    uint64_t size = UINT64_C(1) << 40;
    uint64_t eighth = size / 50u / 8u;
    tm_store_set_size(store, size);
    assert_int_equal(tm_store_size(store), size);
    assert_true(tm_store_limit(store, TM_TIER_NORMAL) == size);
    assert_true(tm_store_use_limit(store, TM_TIER_NORMAL) == size);
    assert_true(tm_store_limit(store, TM_TIER_REPLACE) == size + 5u * eighth);
    assert_true(tm_store_use_limit(store, TM_TIER_REPLACE) == size + 4u * eighth);
    assert_true(tm_store_limit(store, TM_TIER_COPY) == size + 7u * eighth);
    assert_true(tm_store_use_limit(store, TM_TIER_COPY) == size + 6u * eighth);
    tm_store_set_size(store, 100u * MIB); /* 8 MiB are more than 2 % */
    assert_true(tm_store_limit(store, TM_TIER_COPY) == 107u * MIB);
}

static void a_store_is_tight_before_it_is_full(void **state)
{
    (void)state;
    uint64_t two_segments = TM_TEST_SPAN_BYTES / TM_SPAN_UNITS * 8u;
    assert_int_equal(world_put(&world, world.ephemeral, 0, WORLD_RAW, 1), TM_WRITE_OK);
    uint64_t use = store->segment_bytes + tm_store_metadata(store);
    tm_store_set_size(store, use + two_segments);
    assert_false(tm_store_is_tight(store));
    tm_store_set_size(store, use + two_segments - 1u);
    assert_true(tm_store_is_tight(store));
}

/* ---- workers ---- */

static void *acquire_worker(void *unused)
{
    (void)unused;
    return tm_worker_acquire(store);
}

static void who_wants_a_worker_waits_for_one(void **state)
{
    (void)state;
    struct tm_worker *second = tm_worker_acquire(store);
    assert_ptr_not_equal(second, world.worker);
    assert_int_equal(tm_worker_number(second) + tm_worker_number(world.worker), 1); /* there are two */
    pthread_t thread;
    void *third;
    assert_int_equal(pthread_create(&thread, NULL, acquire_worker, NULL), 0);
    const struct timespec little = {0, 5000000};
    nanosleep(&little, NULL);
    tm_worker_release(store, second);
    assert_int_equal(pthread_join(thread, &third), 0);
    assert_ptr_equal(third, second); /* the only one that was ever free */
    tm_worker_release(store, third);
}

static void the_part_of_a_context_that_is_not_touched_does_not_count(void **state)
{
    (void)state;
    uint64_t metadata[2];
    for (unsigned i = 0; i < 2; i++) {
        world_host(&world, 8, false);
        world.codec.touched_bytes = i == 0 ? 0 : world.codec.context_bytes - 16u;
        world_start(&world);
        metadata[i] = tm_store_metadata(world.store);
        world_fini(&world);
    }
    assert_int_equal(metadata[0] - metadata[1], 2u * 16u); /* of two workers */
}

/* ---- figures ---- */

static void figures_say_what_is_there(void **state)
{
    (void)state;
    struct tm_store_figures empty = world_figures(&world);
    assert_int_equal(empty.spans, 0);
    assert_int_equal(empty.block_bytes, 0);
    assert_int_equal(empty.resident_bytes, empty.metadata_bytes);
    static const enum world_sort sorts[] = {WORLD_RAW, WORLD_LONG, WORLD_WORD, WORLD_SMALL};
    uint64_t bytes = 0;
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(world_put(&world, world.persistent, i, sorts[i % 4u], i), TM_WRITE_OK);
        bytes += tm_slot_bytes(world.page[i].slot);
    }
    assert_int_equal(world_put(&world, world.persistent, 40, WORLD_RAW, 0), TM_WRITE_OK); /* shares with page 0 */
    world_drop(&world, 4);
    bytes -= tm_slot_bytes(world.page[0].slot);
    struct tm_store_figures figures = world_figures(&world);
    assert_int_equal(figures.blocks_raw, 9);
    assert_int_equal(figures.blocks_compressed, 10);
    assert_int_equal(tm_store_blocks(store), 29);
    assert_int_equal(figures.contents_shared, 1);
    assert_int_equal(figures.block_bytes, bytes);
    assert_int_equal(figures.block_bytes + figures.dead_bytes, tm_heap_segment_bytes(world.persistent));
    assert_int_equal(figures.span_bytes, TM_TEST_SPAN_BYTES);
    assert_true(figures.spans >= 2); /* pages, records */
    assert_int_equal(figures.spans, world.host.spans[TM_ARENA_PERSISTENT]);
    assert_int_equal(figures.resident_bytes, figures.spans * TM_TEST_SPAN_BYTES + tm_store_metadata(store));
    assert_int_equal(figures.metadata_bytes, tm_store_metadata(store) + store->records_bytes);
    assert_int_equal(figures.size_bytes, TM_WORLD_PLENTY);
}

static uint32_t hash_of_number(uint64_t number)
{
    return (uint32_t)number * UINT32_C(2654435761);
}

static void hashes_of_numbers(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned count,
                              uint32_t *hashes)
{
    (void)user;
    (void)arena;
    for (unsigned i = 0; i < count; i++)
        hashes[i] = hash_of_number(refs[i]);
}

static void tables_of_others_count_as_they_grow(void **state)
{
    (void)state;
    struct tm_table table = {0};
    const struct tm_table_owner owner = {NULL, TM_ARENA_EPHEMERAL, hashes_of_numbers};
    start(16);
    assert_true(tm_table_init(&table, &store->host, TM_LOCK_index_bucket, &owner));
    uint64_t before = tm_store_metadata(store);
    tm_store_add_table(store, &table);
    assert_int_equal(tm_store_metadata(store), before + table.bytes);
    uint64_t bytes = table.bytes;
    for (uint64_t i = 1; i <= 20000; i++) {
        uint32_t hash = hash_of_number(i);
        struct tm_bucket *bucket = tm_table_lock(&table, hash);
        assert_true(tm_table_insert(&table, bucket, hash, i));
        tm_table_unlock(&table, bucket);
        tm_table_grow(&table);
    }
    assert_true(table.bytes > bytes);
    assert_int_equal(tm_store_metadata(store), before + table.bytes);
    tm_store_add_metadata(store, 1000);
    tm_store_add_metadata(store, -1000);
    assert_int_equal(tm_store_metadata(store), before + table.bytes);
    tm_table_fini(&table);
    world_fini(&world);
}

static void slots_say_what_they_are(void **state)
{
    (void)state;
    tm_slot raw = tm_slot_make(TM_CODEC_RAW, tm_block_bytes(TM_PAGE_BYTES), 12345, true);
    tm_slot word = tm_slot_make(TM_CODEC_SAME, 32, 1, false);
    assert_true(tm_slot_is_block(raw) && !tm_slot_is_inline(raw) && !tm_slot_is_same_filled(raw));
    assert_true(tm_slot_is_block(word) && !tm_slot_is_inline(word) && tm_slot_is_same_filled(word));
    assert_int_equal(tm_slot_bytes(raw), 24 + TM_PAGE_BYTES);
    assert_int_equal(tm_slot_offset(raw), 12345);
    assert_true(tm_slot_same(raw, raw | TM_SLOT_USED));
    assert_true(tm_slot_same(raw, raw & ~TM_SLOT_LISTED));
    assert_false(tm_slot_same(raw, word));
    assert_false(tm_slot_is_block(0));
    assert_false(tm_slot_is_same_filled(0));
    assert_false(tm_slot_is_block(TM_SLOT_LOST));
    assert_int_equal(tm_slot_bytes(TM_SLOT_LOST | 9u << 8), 0);
}

/* ---- what the check finds ---- */

static void (*spoil)(void);

static void spoil_and_check(void)
{
    spoil();
    tm_store_check(store);
}

static struct tm_segment *segment_of_page_0(void)
{
    struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
    return tm_segment_at(arena, tm_segment_of(arena, tm_slot_offset(world.page[0].slot)));
}

static void nothing(void)
{
}

static void a_heap_lost_bytes(void)
{
    world.persistent->segment_bytes--;
}

static void the_store_lost_a_segment(void)
{
    store->segment_bytes -= store->arena[0].unit_bytes;
}

static void a_span_too_many(void)
{
    store->span_bytes_resident += TM_TEST_SPAN_BYTES;
}

static void a_writer_was_forgotten(void)
{
    segment_of_page_0()->use += TM_USE_WRITER;
}

static void a_segment_is_in_two_states(void)
{
    segment_of_page_0()->state = TM_SEGMENT_PURGING;
}

static void a_record_was_freed_twice(void)
{
    uint64_t ref = tm_record_alloc(store, TM_ARENA_PERSISTENT, TM_RECORD_POOL, TM_TIER_NORMAL);
    uint64_t other = tm_record_alloc(store, TM_ARENA_PERSISTENT, TM_RECORD_POOL, TM_TIER_NORMAL);
    (void)tm_record_alloc(store, TM_ARENA_PERSISTENT, TM_RECORD_POOL, TM_TIER_NORMAL);
    tm_record_free(store, TM_ARENA_PERSISTENT, ref);
    tm_record_free(store, TM_ARENA_PERSISTENT, ref);
    (void)other;
}

static void a_pin_was_forgotten(void)
{
    assert_true(tm_pin(store, TM_ARENA_PERSISTENT, world.worker, 3, world.page[0].slot));
}

static void the_header_changed(void)
{
    store->arena[TM_ARENA_EPHEMERAL].header->seeds[0]++;
}

static void a_content_was_counted_twice(void)
{
    store->contents_shared++;
    (void)tm_store_content_bytes(store);
}

static void the_books_are_balanced(void **state)
{
    (void)state;
    static void (*const spoilers[])(void) = {a_heap_lost_bytes, the_store_lost_a_segment, a_span_too_many,
                                             a_writer_was_forgotten, a_segment_is_in_two_states,
                                             a_record_was_freed_twice, a_pin_was_forgotten, the_header_changed,
                                             a_content_was_counted_twice};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_put(&world, world.persistent, i, WORLD_RAW, i), TM_WRITE_OK);
    spoil = nothing;
    assert_false(tm_test_dies(spoil_and_check));
    for (unsigned i = 0; i < TM_ARRAY_SIZE(spoilers); i++) {
        spoil = spoilers[i];
        if (!tm_test_dies(spoil_and_check))
            fail_msg("the check did not see what spoiler %u did", i);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(a_store_may_end_with_all_that_is_in_it),
        cmocka_unit_test(each_tier_goes_a_step_further_above_the_size),
        CASE(limits_are_by_2_percent_of_a_large_size),
        CASE(a_store_is_tight_before_it_is_full),
        CASE(who_wants_a_worker_waits_for_one),
        cmocka_unit_test(the_part_of_a_context_that_is_not_touched_does_not_count),
        CASE(figures_say_what_is_there),
        cmocka_unit_test(tables_of_others_count_as_they_grow),
        CASE(slots_say_what_they_are),
        CASE(the_books_are_balanced),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
