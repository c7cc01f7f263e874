/* SPDX-License-Identifier: BSD-2-Clause */
/* room_test.c - room for pages that must stay: what makes a full store full, and what is free again afterwards. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "tests/support/test_engine.h"

/* 4 MiB, by the store's size or by the arena's length. One span is the head. */
#define ROOM (UINT64_C(4) << 20)
#define SPANS_OF_ROOM ((unsigned)(ROOM / TM_TEST_SPAN_BYTES) + 1u)
#define MANY_SPANS 60u
#define PAGES_MAX (1u << 16)

static struct tm_test_engine test;
static bool is_there[PAGES_MAX];
static uint64_t seed;

static int tear_down(void **state)
{
    (void)state;
    tm_test_faults_host = NULL;
    tm_test_host_plan(&test.host, NULL);
    tm_test_engine_fini(&test);
    return 0;
}

/* So many pages of an object each. */
static unsigned pages_of_object;

static enum tm_result put(struct tm_member *member, uint32_t page, enum tm_test_sort sort)
{
    uint64_t number = tm_random_next(&seed) >> 24; /* so no two are equal, and none is one word by chance */
    return tm_test_put(member, page / pages_of_object, page % pages_of_object, sort, number);
}

/* Puts whatever page is missing until one is refused. */
static void fill(struct tm_member *member, enum tm_test_sort sort)
{
    for (uint32_t page = 0; page < PAGES_MAX; page++) {
        if (is_there[page])
            continue;
        enum tm_result result = put(member, page, sort);
        is_there[page] = result == TM_OK;
        if (result != TM_OK) {
            assert_true(result == TM_REFUSED || result == TM_NOMEM);
            return;
        }
    }
    fail();
}

static void invalidate_half(struct tm_member *member, bool at_random)
{
    bool goes = false;
    for (uint32_t page = 0; page < PAGES_MAX; page++) {
        goes = at_random ? (tm_random_next(&seed) & 1u) != 0 : !goes;
        if (!is_there[page] || !goes)
            continue;
        assert_int_equal(tm_test_invalidate(member, page / pages_of_object, page % pages_of_object), TM_OK);
        is_there[page] = false;
    }
}

/* Blocks that are alive, records and tables. */
static uint64_t bytes_in_use(void)
{
    struct tm_engine_figures figures = tm_test_figures(&test);
    return figures.block_bytes + figures.metadata_bytes;
}

/* In hundredths of the room. */
static unsigned percent_in_use(void)
{
    return (unsigned)(bytes_in_use() * 100u / ROOM);
}

static uint32_t count_pages(void)
{
    uint32_t count = 0;
    for (uint32_t page = 0; page < PAGES_MAX; page++)
        count += is_there[page];
    return count;
}

/* Fills the pool, drops half of it, and again. What is in use must be as much every time, at least @percent. */
static void fill_again_and_again(enum tm_test_sort sort, unsigned percent)
{
    memset(is_there, 0, sizeof is_there);
    for (unsigned round = 0; round < 4; round++) {
        fill(test.persistent, sort);
        assert_true(percent_in_use() >= percent);
        assert_int_equal(count_pages(), tm_test_counts(test.persistent).pages);
        tm_engine_check(test.engine);
        invalidate_half(test.persistent, round % 2u != 0);
    }
}

/* A segment of one unit has room for a single page that does not compress, so much is lost at segments' ends there. */
static void fill_with_every_sort(unsigned spans, uint64_t size_bytes)
{
    static const unsigned percents[TM_TEST_SORTS] = {
        [TM_TEST_WORD] = 90, [TM_TEST_SHORT] = 90, [TM_TEST_LONG] = 80, [TM_TEST_RAW] = 75};
    for (pages_of_object = 1; pages_of_object <= 64; pages_of_object *= 64u) {
        for (unsigned sort = TM_TEST_WORD; sort < TM_TEST_SORTS; sort++) {
            if (sort == TM_TEST_WORD && pages_of_object == 64)
                continue; /* too many pages for the row */
            tm_test_engine_init(&test, spans, size_bytes);
            fill_again_and_again((enum tm_test_sort)sort, percents[sort]);
            tm_test_engine_fini(&test);
        }
    }
    tm_test_engine_init(&test, spans, size_bytes);
}

static void dropping_half_makes_room_for_as_much_where_the_size_is_the_limit(void **state)
{
    (void)state;
    fill_with_every_sort(MANY_SPANS, ROOM);
}

static void dropping_half_makes_room_for_as_much_where_the_arena_is_full(void **state)
{
    (void)state;
    fill_with_every_sort(SPANS_OF_ROOM, TM_TEST_PLENTY);
}

static bool denies_new_spans(struct tm_test_host *host, enum tm_test_fault fault)
{
    return fault == TM_FAULT_SPAN && host->spans[TM_ARENA_PERSISTENT] * TM_TEST_SPAN_BYTES >= ROOM;
}

static void dropping_half_makes_room_for_as_much_where_the_host_has_no_more(void **state)
{
    (void)state;
    tm_test_engine_init(&test, MANY_SPANS, TM_TEST_PLENTY);
    test.host.decide = denies_new_spans;
    pages_of_object = 8;
    fill_again_and_again(TM_TEST_LONG, 80);
    test.host.decide = NULL;
}

/* Free units between blocks are of no use to records until a span of them is. */
static void records_get_the_room_that_pages_left(void **state)
{
    (void)state;
    tm_test_engine_init(&test, MANY_SPANS, ROOM);
    memset(is_there, 0, sizeof is_there);
    pages_of_object = 64;
    fill(test.persistent, TM_TEST_SHORT);
    invalidate_half(test.persistent, false);
    uint32_t more = 0;
    while (tm_test_put(test.persistent, UINT64_C(1) << 40 | more, 0, TM_TEST_SMALL, more) == TM_OK)
        more++;
    /* More than 1 MiB, at 160 bytes of records each. */
    assert_true(more > 6000);
    /* What is left free: less than a span of data that pages would fill, and one of records. */
    assert_true(bytes_in_use() + 2u * TM_TEST_SPAN_BYTES >= ROOM);
}

/* And free units between records go to pages, if need be; they are found again there. */
static void pages_get_the_room_that_records_left(void **state)
{
    (void)state;
    tm_test_engine_host(&test, SPANS_OF_ROOM, TM_TEST_PLENTY);
    test.host.host.persistent_survives = true;
    tm_test_engine_start(&test);
    uint32_t count = 0;
    while (tm_test_put(test.persistent, count, 0, TM_TEST_SMALL, count) == TM_OK)
        count++;
    for (uint32_t i = 0; i < count; i++)
        if (i % 1024 != 0)
            assert_int_equal(tm_test_invalidate(test.persistent, i, 0), TM_OK);
    uint32_t more = 0;
    while (tm_test_put(test.persistent, UINT64_C(1) << 40, more, TM_TEST_RAW, more) == TM_OK)
        more++;
    assert_true(more > 300);
    tm_engine_check(test.engine);
    tm_test_engine_crash(&test);
    tm_engine_check(test.engine);
    for (uint32_t i = 0; i < more; i++)
        assert_true(tm_test_has(test.persistent, UINT64_C(1) << 40, i, TM_TEST_RAW, i));
    tm_client_destroy(test.client);
    tm_test_engine_stop(&test);
    tm_test_host_wipe(&test.host);
}

/* Bytes that the size leaves for segments, and that are in none. */
static uint64_t bytes_free(void)
{
    return ROOM - tm_test_figures(&test).metadata_bytes - tm_load_relaxed(&test.engine->store->segment_bytes);
}

/* Who may not evict others is refused at last. But not before, for lack of a unit for the record of a new object: pages
 * do not take the last ones of the records' span. And not while there are units in spans that others have begun to
 * fill, or that were made for records and hold none. */
static void who_may_not_evict_gets_what_is_free(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 8; round++) {
        pages_of_object = 64u >> round % 4u * 2u;
        tm_test_engine_init(&test, MANY_SPANS, ROOM);
        struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
        struct tm_member *stays = tm_test_pool(other, TM_POOL_PERSISTENT, NULL);
        for (uint32_t page = 0; page < 3000u + 40u * round; page++)
            assert_int_equal(put(test.ephemeral, page, TM_TEST_LONG), TM_OK);
        uint32_t refused = 0;
        for (uint32_t page = 0; page < 1500; page++) {
            enum tm_result result = put(stays, page, TM_TEST_LONG);
            assert_true(result == TM_OK || result == TM_REFUSED);
            refused += result == TM_REFUSED;
        }
        assert_true(refused > 0);
        uint64_t charged = tm_test_client_figures(test.client).charged_bytes;
        assert_true(charged > ROOM / 4u && charged <= tm_test_client_figures(other).charged_bytes);
        assert_int_equal(test.engine->store->arena[TM_ARENA_PERSISTENT].in_use_records, 1);
        assert_true(bytes_free() < TM_TEST_SPAN_BYTES * 3u / 2u); /* a piece of a span is of no use to others */
        tm_engine_check(test.engine);
        tm_test_engine_fini(&test);
    }
    tm_test_engine_init(&test, MANY_SPANS, ROOM);
}

/* ---- compaction ---- */

static void compacting_comes_to_an_end(void **state)
{
    (void)state;
    tm_test_engine_init(&test, MANY_SPANS, TM_TEST_PLENTY);
    struct tm_store *store = test.engine->store;
    pages_of_object = 1;
    /* Accounts whose segments are half empty at best: a page that does not compress in each unit. */
    struct tm_member *pools[8];
    for (unsigned i = 0; i < TM_ARRAY_SIZE(pools); i++) {
        char name[] = {'c', (char)('0' + (int)i), 0};
        pools[i] = tm_test_pool(tm_test_client(&test, name, 100, UINT64_MAX), TM_POOL_PERSISTENT, NULL);
    }
    for (uint32_t page = 0; page < 640; page++)
        assert_int_equal(put(pools[page % 8u], page, TM_TEST_RAW), TM_OK);
    for (uint32_t page = 0; page < 640; page++)
        if (page % 3u != 0)
            assert_int_equal(tm_test_invalidate(pools[page % 8u], page, 0), TM_OK);
    uint64_t spans = tm_test_figures(&test).spans;
    struct tm_worker *worker = tm_worker_acquire(store);
    unsigned emptied[2] = {0, 0};
    for (unsigned looks = 0; looks < 200; looks++)
        emptied[looks / 100] += tm_store_compact(store, worker, TM_ARENA_PERSISTENT, 1);
    tm_worker_release(store, worker);
    assert_true(emptied[0] > 0 && emptied[0] < spans);
    assert_int_equal(emptied[1], 0);
    assert_true(tm_test_figures(&test).spans <= spans / 2u);
    tm_engine_check(test.engine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(dropping_half_makes_room_for_as_much_where_the_size_is_the_limit),
        TEST(dropping_half_makes_room_for_as_much_where_the_arena_is_full),
        TEST(dropping_half_makes_room_for_as_much_where_the_host_has_no_more),
        TEST(records_get_the_room_that_pages_left),
        TEST(pages_get_the_room_that_records_left),
        TEST(who_may_not_evict_gets_what_is_free),
        TEST(compacting_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
