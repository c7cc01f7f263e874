/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * defer_test.c - pages stored raw for now: when they are compressed, and that neither caps, nor the size, nor who reads
 * them can tell.
 */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

static struct tm_test_engine test;
static struct tm_member *both[2];

static void start(void)
{
    tm_test_engine_start(&test);
    both[0] = test.ephemeral;
    both[1] = test.persistent;
}

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_host(&test, 40, TM_TEST_PLENTY);
    test.config.defer = true;
    start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_engine_fini(&test);
    return 0;
}

static void restart(uint64_t size_bytes, bool ahead)
{
    tm_test_engine_stop(&test);
    test.config.size_bytes = size_bytes;
    test.config.ahead = ahead;
    start();
}

static void put(struct tm_member *member, uint32_t index, enum tm_test_sort sort)
{
    assert_int_equal(tm_test_put(member, 1, index, sort, index), TM_OK);
}

static bool is_raw(struct tm_member *member, uint32_t index)
{
    return tm_slot_type(tm_test_slot(member, 1, index)) == TM_CODEC_RAW;
}

static void work(void)
{
    while (tm_engine_maintain(test.engine, 8) == TM_WORK_MORE) {
    }
}

static void pages_are_raw_at_first_and_compressed_in_the_background(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 40; i++)
        for (unsigned pool = 0; pool < 2; pool++)
            put(both[pool], i, i % 2 != 0 ? TM_TEST_LONG : TM_TEST_SHORT);
    assert_int_equal(tm_test_figures(&test).blocks_raw, 80);
    assert_int_not_equal(tm_test_figures(&test).deferred_bytes, 0);
    uint64_t before = tm_test_client_figures(test.client).charged_bytes;
    assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_LONG, 3));
    assert_true(test.host.kicks != 0);
    work();
    assert_int_equal(tm_test_figures(&test).blocks_raw, 0);
    assert_int_equal(tm_test_figures(&test).blocks_compressed, 80);
    assert_int_equal(tm_test_figures(&test).deferred_bytes, 0);
    assert_true(tm_test_client_figures(test.client).charged_bytes < before / 2u);
    for (uint32_t i = 0; i < 40; i++)
        for (unsigned pool = 0; pool < 2; pool++)
            assert_true(tm_test_has(both[pool], 1, i, i % 2 != 0 ? TM_TEST_LONG : TM_TEST_SHORT, i));
    tm_engine_check(test.engine);
}

static void a_shared_pool_is_charged_less_too(void **state)
{
    static const struct tm_uuid uuid = {{1, 2}};
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &uuid), TM_OK);
    struct tm_member *shared = tm_test_pool(test.client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &uuid);
    put(shared, 0, TM_TEST_SHORT);
    uint64_t before = tm_test_client_figures(test.client).charged_bytes;
    work();
    assert_true(tm_test_client_figures(test.client).charged_bytes + 3000u < before);
    tm_engine_check(test.engine);
}

/* While others come, segments that are still being filled are left alone; then they are closed. */
static void open_segments_are_closed_after_a_while(void **state)
{
    (void)state;
    restart(TM_TEST_PLENTY, true);
    test.host.now_ns += UINT64_C(1000000000);
    put(test.persistent, 0, TM_TEST_SHORT);
    tm_heap_seal(test.persistent->pool->account->heap);
    put(test.persistent, 1, TM_TEST_SHORT);
    work();
    assert_false(is_raw(test.persistent, 0));
    assert_true(is_raw(test.persistent, 1));
    assert_int_equal(tm_engine_maintain(test.engine, 8), TM_WORK_LATER);
    assert_true(is_raw(test.persistent, 1));
    test.host.now_ns += UINT64_C(1000000000);
    work();
    assert_false(is_raw(test.persistent, 1));
    enum tm_work left = TM_WORK_MORE;
    for (unsigned i = 0; i < 8 && left != TM_WORK_NONE; i++) { /* what else there is for later takes a while */
        test.host.now_ns += UINT64_C(1000000000);
        left = tm_engine_maintain(test.engine, 8);
    }
    assert_int_equal(left, TM_WORK_NONE);
}

/* Raw, a third of these pages would be as much as is allowed. */
static void a_cap_holds_as_many_pages_as_without(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        uint64_t base = tm_test_client_figures(test.client).charged_bytes;
        tm_client_set_cap(test.client, base + 64u * 1024u);
        for (uint32_t i = 0; i < 64; i++)
            put(both[pool], i, TM_TEST_SHORT);
        for (uint32_t i = 0; i < 64; i++)
            assert_true(tm_test_has(both[pool], 1, i, TM_TEST_SHORT, i));
        assert_true(tm_test_client_figures(test.client).charged_max_bytes <= base + 64u * 1024u);
        tm_client_set_cap(test.client, UINT64_MAX);
        work();
    }
    assert_int_equal(tm_test_counts(test.ephemeral).evicted, 0);
}

/* Whoever pays for a shared pool may have pages of its own that wait. */
static void a_shared_pool_has_the_room_that_its_members_pages_take_for_now(void **state)
{
    (void)state;
    const struct tm_uuid uuid = {{5, 6}};
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    assert_int_equal(tm_client_authorise(test.client, &uuid), TM_OK);
    assert_int_equal(tm_client_authorise(other, &uuid), TM_OK);
    struct tm_member *mine = tm_test_pool(test.client, TM_POOL_PERSISTENT | TM_POOL_SHARED, &uuid);
    struct tm_member *theirs = tm_test_pool(other, TM_POOL_PERSISTENT | TM_POOL_SHARED, &uuid);
    put(theirs, 0, TM_TEST_SHORT);
    uint64_t base = tm_test_client_figures(test.client).charged_bytes;
    tm_client_set_cap(test.client, base + 14u * 1024u);
    for (uint32_t i = 0; i < 3; i++)
        put(test.persistent, i, TM_TEST_SHORT);
    put(theirs, 1, TM_TEST_RAW);
    put(theirs, 2, TM_TEST_RAW);
    assert_true(tm_test_client_figures(test.client).charged_max_bytes <= base + 14u * 1024u);
    tm_pool_destroy(mine);
    tm_client_destroy(other);
}

static void a_page_that_replaces_one_as_large_fits_at_a_full_cap(void **state)
{
    (void)state;
    put(test.persistent, 0, TM_TEST_LONG);
    work();
    tm_client_set_cap(test.client, tm_test_client_figures(test.client).charged_bytes);
    assert_int_equal(tm_test_put(test.persistent, 1, 0, TM_TEST_LONG, 77), TM_OK);
    assert_true(tm_test_has(test.persistent, 1, 0, TM_TEST_LONG, 77));
    assert_int_equal(tm_test_put(test.persistent, 1, 0, TM_TEST_RAW, 78), TM_REFUSED);
}

/* An equal page is found once the page is written, or before where there is no room to write it: not under the cap,
 * and not in the store. */
static void an_equal_page_fits_where_another_would_not(void **state)
{
    (void)state;
    put(test.persistent, 0, TM_TEST_LONG);
    work();
    put(test.persistent, 1, TM_TEST_RAW); /* the chunk has room for the others */
    uint64_t before = tm_test_client_figures(test.client).charged_bytes;
    assert_int_equal(tm_test_put(test.persistent, 1, 2, TM_TEST_LONG, 0), TM_OK);
    uint64_t twin_bytes = tm_test_client_figures(test.client).charged_bytes - before;
    assert_int_equal(twin_bytes, tm_slot_bytes(tm_test_slot(test.persistent, 1, 2)));
    assert_true(twin_bytes < TM_PAGE_BYTES);
    tm_client_set_cap(test.client, before + 2u * twin_bytes);
    assert_int_equal(tm_test_put(test.persistent, 1, 3, TM_TEST_LONG, 0), TM_OK);
    assert_int_equal(tm_test_put(test.persistent, 1, 3, TM_TEST_LONG, 0), TM_OK); /* replaces it at a full cap */
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, before + 2u * twin_bytes);
    assert_int_equal(tm_test_figures(&test).contents_shared, 1);
    tm_client_set_cap(test.client, UINT64_MAX);
    tm_heap_seal(test.persistent->pool->account->heap);
    const struct tm_test_plan for_ever = {TM_FAULT_BIT(TM_FAULT_SEGMENT), true, 1};
    tm_test_faults_host = &test.host;
    tm_test_host_plan(&test.host, &for_ever);
    put(test.persistent, 0, TM_TEST_LONG);
    tm_test_host_plan(&test.host, NULL);
    tm_test_faults_host = NULL;
    tm_engine_check(test.engine);
}

/* As many pages that must stay as the size holds when they are compressed, put as fast as can be. */
static void a_full_store_holds_as_many_pages_as_without(void **state)
{
    uint32_t held[2];
    (void)state;
    for (unsigned defer = 0; defer < 2; defer++) {
        test.config.defer = defer != 0;
        restart(UINT64_C(6) << 20, false);
        for (held[defer] = 0; tm_test_put(test.persistent, 1, held[defer], TM_TEST_LONG, held[defer]) == TM_OK;)
            held[defer]++;
        for (uint32_t i = 0; i < held[defer]; i++)
            assert_true(tm_test_has(test.persistent, 1, i, TM_TEST_LONG, i));
        tm_engine_check(test.engine);
    }
    assert_true(held[0] > 1000 && held[1] >= held[0] - held[0] / 50u);
}

static void pages_are_compressed_before_others_are_evicted(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 60; i++)
        put(test.ephemeral, i, TM_TEST_SHORT);
    assert_true(tm_engine_reclaim(test.engine, 1) > 0 || tm_test_figures(&test).blocks_raw < 60);
    tm_engine_check(test.engine);
    work();
    assert_int_equal(tm_test_counts(test.ephemeral).evicted, 0);
    assert_int_equal(tm_test_figures(&test).blocks_compressed, 60);
}

/* No segment can be had when the page is to be written: it is compressed, and where even that is too much, refused. */
static void without_room_a_page_does_not_wait(void **state)
{
    const struct tm_test_plan once = {TM_FAULT_BIT(TM_FAULT_SEGMENT), false, 1};
    const struct tm_test_plan for_ever = {TM_FAULT_BIT(TM_FAULT_SEGMENT), true, 1};
    (void)state;
    tm_test_faults_host = &test.host;
    tm_test_host_plan(&test.host, &once);
    put(test.persistent, 0, TM_TEST_SHORT);
    assert_false(is_raw(test.persistent, 0));
    tm_heap_seal(test.persistent->pool->account->heap);
    tm_test_host_plan(&test.host, &for_ever);
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_LONG, 1), TM_REFUSED);
    tm_test_host_plan(&test.host, NULL);
    tm_test_faults_host = NULL;
    tm_engine_check(test.engine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pages_are_raw_at_first_and_compressed_in_the_background),
        TEST(a_shared_pool_is_charged_less_too),
        TEST(open_segments_are_closed_after_a_while),
        TEST(a_cap_holds_as_many_pages_as_without),
        TEST(a_shared_pool_has_the_room_that_its_members_pages_take_for_now),
        TEST(a_page_that_replaces_one_as_large_fits_at_a_full_cap),
        TEST(an_equal_page_fits_where_another_would_not),
        TEST(a_full_store_holds_as_many_pages_as_without),
        TEST(pages_are_compressed_before_others_are_evicted),
        TEST(without_room_a_page_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
