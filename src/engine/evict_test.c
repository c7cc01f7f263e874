/* SPDX-License-Identifier: BSD-2-Clause */
/* evict_test.c - who loses pages, and which; smaller sizes; what the host gets back. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "tests/support/test_engine.h"

static struct tm_test_engine test;

#define SPANS 64
#define SIZE (UINT64_C(8) << 20)

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_init(&test, SPANS, SIZE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_engine_fini(&test);
    return 0;
}

static uint64_t charged(struct tm_client *client)
{
    return tm_test_client_figures(client).charged_bytes;
}

static void put(struct tm_member *member, uint64_t number)
{
    assert_int_equal(tm_test_put(member, number, (uint32_t)(number % 64u), TM_TEST_RAW, number), TM_OK);
}

static bool get(struct tm_member *member, uint64_t number)
{
    return tm_test_has(member, number, (uint32_t)(number % 64u), TM_TEST_RAW, number);
}

static void assert_fits(void)
{
    struct tm_engine_figures figures = tm_test_figures(&test);
    assert_true(figures.resident_bytes <= figures.size_bytes + (UINT64_C(8) << 20));
}

/* ---- by weight ---- */

static void memory_is_shared_by_weight(void **state)
{
    struct tm_client *heavy = tm_test_client(&test, "heavy", 300, UINT64_MAX);
    struct tm_client *light = tm_test_client(&test, "light", 100, UINT64_MAX);
    struct tm_member *heavy_pool = tm_test_pool(heavy, 0, NULL);
    struct tm_member *light_pool = tm_test_pool(light, 0, NULL);
    (void)state;
    for (uint64_t i = 0; i < 12000; i++) {
        put(heavy_pool, i);
        put(light_pool, i + 1000000u);
    }
    double ratio = (double)charged(heavy) / (double)charged(light);
    assert_true(ratio > 2.5 && ratio < 3.5);
    assert_int_equal(tm_client_set_weight(heavy, 100), TM_OK);
    assert_int_equal(tm_client_set_weight(light, 300), TM_OK);
    for (uint64_t i = 12000; i < 24000; i++) {
        put(heavy_pool, i);
        put(light_pool, i + 1000000u);
    }
    ratio = (double)charged(light) / (double)charged(heavy);
    assert_true(ratio > 2.5 && ratio < 3.5);
    assert_true(tm_test_client_figures(heavy).evicted_for_others > 0);
    assert_fits();
}

static void whoever_is_alone_may_have_all(void **state)
{
    struct tm_client *light = tm_test_client(&test, "light", 1, UINT64_MAX);
    struct tm_member *pool = tm_test_pool(light, 0, NULL);
    (void)state;
    for (uint64_t i = 0; i < 6000; i++)
        put(pool, i);
    assert_true(charged(light) > SIZE / 2u);
    for (uint64_t i = 0; i < 100; i++) /* the other gets its share at once */
        put(test.ephemeral, i + 1000000u);
    assert_true(tm_test_counts(test.ephemeral).pages > 90);
    assert_fits();
}

static void a_shared_pools_pages_are_evicted_too(void **state)
{
    static const struct tm_uuid name = {{5, 6}};
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    assert_int_equal(tm_client_authorise(other, &name), TM_OK);
    struct tm_member *shared = tm_test_pool(test.client, TM_POOL_SHARED, &name);
    (void)tm_test_pool(other, TM_POOL_SHARED, &name);
    for (uint64_t i = 0; i < 4000; i++) {
        put(shared, i);
        if (i % 4 == 0)
            put(test.ephemeral, i);
    }
    assert_true(tm_test_counts(shared).evicted > 1000);
    assert_true(tm_engine_freeable(test.engine) > SIZE / 2u);
    assert_fits();
}

/* ---- by value ---- */

/* Asks for so many pages in turn, over and over, and puts what is missing. Answers how many were there. */
static unsigned read_loop(uint64_t pages, unsigned rounds)
{
    unsigned found = 0;
    for (unsigned round = 0; round < rounds; round++) {
        for (uint64_t i = 0; i < pages; i++) {
            if (get(test.ephemeral, i))
                found++;
            else
                put(test.ephemeral, i);
        }
    }
    return found;
}

static void a_scan_does_not_empty_a_pool(void **state)
{
    (void)state;
    (void)read_loop(600, 8);
    for (uint64_t i = 0; i < 8000; i++)
        put(test.ephemeral, 1000000 + i);
    unsigned found = 0;
    for (uint64_t i = 0; i < 600; i++)
        found += get(test.ephemeral, i);
    assert_true(found > 550);
}

/* Nearly all that was there in the first round stays: equal pages do not replace each other, however long it takes. */
static void a_loop_larger_than_the_store_keeps_hits(void **state)
{
    (void)state;
    unsigned found = read_loop(3000, 24);
    uint64_t pages = tm_test_counts(test.ephemeral).pages;
    assert_true(found > 23 * pages / 10u * 9u); /* where the least recently used went first there would be none */
    assert_true(found < 23 * pages);
    assert_true(tm_test_figures(&test).evicted_pages > 3000);
    assert_true(tm_test_figures(&test).refused_admissions > 0);
}

/* So many other pages are read between two uses that nobody has any count left. */
static void a_loop_many_times_larger_than_the_store_keeps_hits(void **state)
{
    (void)state;
    unsigned found = read_loop(15000, 6);
    assert_true(found > 5 * tm_test_counts(test.ephemeral).pages / 10u * 8u);
}

/* Each page is an object of its own: records come and go with the pages, and need room now and then. */
static void a_change_of_objects_costs_few_other_pages(void **state)
{
    uint64_t pages = 1;
    (void)state;
    while (put(test.ephemeral, pages), tm_test_counts(test.ephemeral).evicted == 0)
        pages++;
    pages = pages / 8u * 7u;
    (void)read_loop(pages, 8);
    for (unsigned round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < 4000; i++)
            put(test.ephemeral, 1000000 + round * 4000u + i);
        assert_true(read_loop(pages, 1) > pages / 10u * 9u);
    }
}

static void pages_without_bytes_go_when_their_records_are_needed(void **state)
{
    uint64_t count = 0;
    (void)state;
    for (uint64_t i = 0; i < 150000; i++)
        assert_int_equal(tm_test_put(test.ephemeral, i, 1, TM_TEST_SMALL, i), TM_OK);
    assert_true(tm_test_counts(test.ephemeral).evicted > 1000);
    assert_fits();
    while (count < 1000 && tm_test_put(test.persistent, count, 1, TM_TEST_RAW, count) == TM_OK)
        count++;
    assert_int_equal(count, 1000);
}

/* ---- sizes ---- */

static void a_smaller_size_gives_memory_back_before_it_returns(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1500; i++)
        put(test.ephemeral, i);
    for (uint64_t i = 0; i < 100; i++)
        put(test.persistent, i);
    uint64_t before = tm_test_figures(&test).resident_bytes;
    assert_int_equal(tm_engine_set_size(test.engine, SIZE / 2u), TM_OK);
    assert_true(tm_test_figures(&test).resident_bytes <= SIZE / 2u && before > SIZE / 2u);
    assert_int_equal(tm_test_figures(&test).size_bytes, SIZE / 2u);
    tm_engine_check(test.engine);
    assert_int_equal(tm_engine_set_size(test.engine, 0), TM_REFUSED); /* set all the same */
    assert_int_equal(tm_test_counts(test.ephemeral).pages, 0);
    assert_int_equal(tm_test_put(test.persistent, 5000, 1, TM_TEST_RAW, 1), TM_REFUSED);
    tm_engine_check(test.engine);
    assert_int_equal(tm_engine_set_size(test.engine, SIZE), TM_OK);
    for (uint64_t i = 0; i < 100; i++)
        assert_true(get(test.persistent, i));
    put(test.ephemeral, 1);
    assert_true(get(test.ephemeral, 1));
}

/* As many bytes as the store needs if nothing ephemeral is left, records apart. */
static uint64_t bytes_that_stay(void)
{
    return tm_store_metadata(test.engine->store) + tm_heap_segment_bytes(test.persistent->pool->account->heap);
}

static void any_size_with_room_for_what_must_stay_can_be_set(void **state)
{
    (void)state;
    uint64_t dice = 1;
    for (unsigned round = 0; round < 16; round++) {
        unsigned share = (unsigned)(tm_random_next(&dice) % 8u);
        enum tm_test_sort sort = (enum tm_test_sort)(TM_TEST_SHORT + (unsigned)(tm_random_next(&dice) % 3u));
        for (uint64_t i = 0; i < (sort == TM_TEST_SHORT ? 20000u : 1500u); i++) {
            struct tm_member *member = tm_random_next(&dice) % 8u < share ? test.persistent : test.ephemeral;
            (void)tm_test_put(member, i / 16u, (uint32_t)(i % 64u), sort, i);
            if (tm_random_next(&dice) % 8u < 3u)
                (void)tm_test_invalidate(test.persistent, i / 32u, (uint32_t)(i / 2u % 64u));
        }
        uint64_t pages = tm_test_counts(test.persistent).pages;
        uint64_t needed = bytes_that_stay() + 4u * TM_TEST_SPAN_BYTES; /* two for records, two that are partly used */
        uint64_t size = needed + (SIZE - needed) / 16u * round;
        assert_int_equal(tm_engine_set_size(test.engine, size), TM_OK);
        assert_true(tm_test_figures(&test).resident_bytes <= size);
        assert_int_equal(tm_test_counts(test.persistent).pages, pages);
        tm_test_engine_stop(&test);
        tm_test_engine_start(&test);
    }
}

static void reclaiming_gives_back_what_was_said_to_be_freeable(void **state)
{
    (void)state;
    assert_int_equal(tm_engine_freeable(test.engine), 0);
    for (uint64_t i = 0; i < 1200; i++)
        put(test.ephemeral, i);
    uint64_t freeable = tm_engine_freeable(test.engine);
    assert_true(freeable >= UINT64_C(4) << 20);
    uint64_t before = tm_test_figures(&test).returned_bytes;
    uint64_t returned = tm_engine_reclaim(test.engine, 1u << 20);
    assert_true(returned >= 1u << 20);
    assert_int_equal(tm_test_figures(&test).returned_bytes - before, returned);
    assert_true(tm_test_counts(test.ephemeral).pages > 300);
    returned += tm_engine_reclaim(test.engine, UINT64_MAX);
    assert_true(returned >= freeable);
    assert_int_equal(tm_test_counts(test.ephemeral).pages, 0);
    assert_int_equal(tm_engine_reclaim(test.engine, 0), 0);
}

/* ---- background work ---- */

static void background_work_comes_to_an_end(void **state)
{
    (void)state;
    for (unsigned ahead = 0; ahead < 2; ahead++) {
        tm_test_engine_stop(&test);
        test.config.ahead = ahead != 0;
        tm_test_engine_start(&test);
        for (uint64_t i = 0; i < 1000; i++) {
            put(test.persistent, i);
            (void)tm_engine_maintain(test.engine, 1);
        }
        for (uint64_t i = 0; i < 1000; i++)
            if (i % 4 != 0)
                assert_int_equal(tm_test_invalidate(test.persistent, i, (uint32_t)(i % 64u)), TM_OK);
        uint64_t before = tm_test_figures(&test).resident_bytes;
        enum tm_work work = TM_WORK_MORE;
        for (unsigned i = 0; i < 10000 && work != TM_WORK_NONE; i++) {
            work = tm_engine_maintain(test.engine, 4);
            if (work == TM_WORK_LATER)
                test.host.now_ns += UINT64_C(1000000000);
        }
        assert_int_equal(work, TM_WORK_NONE);
        assert_true(tm_test_figures(&test).resident_bytes < before / 4u * 3u);
        for (uint64_t i = 0; i < 1000; i += 4)
            assert_true(get(test.persistent, i));
        tm_engine_check(test.engine);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_shared_by_weight),
        TEST(whoever_is_alone_may_have_all),
        TEST(a_shared_pools_pages_are_evicted_too),
        TEST(a_scan_does_not_empty_a_pool),
        TEST(a_loop_larger_than_the_store_keeps_hits),
        TEST(a_loop_many_times_larger_than_the_store_keeps_hits),
        TEST(a_change_of_objects_costs_few_other_pages),
        TEST(pages_without_bytes_go_when_their_records_are_needed),
        TEST(a_smaller_size_gives_memory_back_before_it_returns),
        TEST(any_size_with_room_for_what_must_stay_can_be_set),
        TEST(reclaiming_gives_back_what_was_said_to_be_freeable),
        TEST(background_work_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
