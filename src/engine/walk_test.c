/* SPDX-License-Identifier: BSD-2-Clause */
/* walk_test.c - walks over a pool's pages, and batches of pages. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

static struct tm_test_engine test;

#define SPANS 64
#define SIZE TM_TEST_PLENTY
#define OBJECTS 50u
#define PAGES 70u

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

static unsigned seen[OBJECTS][PAGES];

/* One step of a walk; pages of OBJECTS and PAGES are noted as seen. */
static bool step(struct tm_member *member, uint64_t position[4], size_t capacity)
{
    struct tm_page_key keys[256];
    size_t count = 0;
    bool more = tm_pool_walk(member, position, keys, capacity, &count);
    assert_true(count <= capacity);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(keys[i].reserved, 0);
        if (keys[i].object.word[0] < OBJECTS && keys[i].index < PAGES)
            seen[keys[i].object.word[0]][keys[i].index]++;
    }
    assert_true(more || count == 0);
    return more;
}

static void fill(struct tm_member *member)
{
    memset(seen, 0, sizeof seen);
    for (uint32_t object = 0; object < OBJECTS; object++)
        for (uint32_t index = 0; index < PAGES; index++)
            assert_int_equal(tm_test_put(member, object, index, TM_TEST_SMALL, index), TM_OK);
}

static void a_walk_lists_every_page_once(void **state)
{
    static const size_t capacities[] = {64, 65, 128, 256};
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(capacities); i++) {
        struct tm_member *member = i % 2 == 0 ? test.ephemeral : test.persistent;
        uint64_t position[4] = {0};
        fill(member);
        while (step(member, position, capacities[i])) {
        }
        for (uint32_t object = 0; object < OBJECTS; object++)
            for (uint32_t index = 0; index < PAGES; index++)
                assert_int_equal(seen[object][index], 1);
        assert_false(step(member, position, capacities[i])); /* the end stays the end */
    }
}

static void a_walk_lists_no_other_pools_pages(void **state)
{
    uint64_t position[4] = {0};
    (void)state;
    fill(test.persistent);
    struct tm_member *other = tm_test_pool(test.client, TM_POOL_PERSISTENT, NULL);
    assert_int_equal(tm_test_put(other, 1, 1, TM_TEST_SMALL, 1), TM_OK);
    while (step(other, position, 64)) {
    }
    unsigned sum = 0;
    for (uint32_t object = 0; object < OBJECTS; object++)
        for (uint32_t index = 0; index < PAGES; index++)
            sum += seen[object][index];
    assert_int_equal(sum, 1);
    assert_int_equal(seen[1][1], 1);
}

static void a_walk_misses_nothing_while_the_index_grows(void **state)
{
    uint64_t position[4] = {0};
    uint64_t object = OBJECTS;
    (void)state;
    fill(test.persistent);
    while (step(test.persistent, position, 64) && object < 20000)
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(tm_test_put(test.persistent, object++, 1, TM_TEST_SMALL, 1), TM_OK);
    while (step(test.persistent, position, 64)) {
    }
    for (uint32_t i = 0; i < OBJECTS; i++)
        for (uint32_t index = 0; index < PAGES; index++)
            assert_true(seen[i][index] >= 1);
}

static void a_walk_through_others_pages_goes_on_in_steps(void **state)
{
    uint64_t position[4] = {0};
    struct tm_page_key keys[64];
    size_t count;
    size_t found = 0;
    unsigned steps = 0;
    (void)state;
    for (uint32_t object = 0; object < 6000; object++)
        assert_int_equal(tm_test_put(test.persistent, object, 0, TM_TEST_SMALL, object), TM_OK);
    struct tm_member *other = tm_test_pool(test.client, TM_POOL_PERSISTENT, NULL);
    assert_int_equal(tm_test_put(other, 1, 5, TM_TEST_SMALL, 1), TM_OK);
    for (; tm_pool_walk(other, position, keys, TM_ARRAY_SIZE(keys), &count); steps++) {
        found += count;
        assert_true(count == 0 || keys[0].index == 5);
    }
    assert_int_equal(found, 1);
    assert_true(steps > 2); /* most of them without a page, and none that takes long */
}

static void a_walk_over_an_empty_pool_ends(void **state)
{
    uint64_t position[4] = {0};
    (void)state;
    unsigned steps = 0;
    while (step(test.ephemeral, position, 64))
        steps++;
    assert_true(steps < 100000);
}

/* ---- batches ---- */

#define BATCH 50u

static unsigned char pages[BATCH][TM_PAGE_BYTES];
static struct tm_page_io io[BATCH];

static void prepare(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        tm_test_page(pages[i], (enum tm_test_sort)(i % TM_TEST_SORTS), i);
        io[i] = (struct tm_page_io){{{i, 0, 0}}, i, TM_CORRUPT, pages[i]};
    }
}

static void a_batch_answers_as_single_calls_would(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= BATCH; count += 7) {
        prepare(count);
        tm_page_put_many(test.ephemeral, io, count, TM_PUT_PLAIN);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(io[i].result, TM_OK);
            assert_true(tm_test_has(test.ephemeral, i, i, (enum tm_test_sort)(i % TM_TEST_SORTS), i));
        }
        memset(pages, 0xee, sizeof pages);
        tm_page_get_many(test.ephemeral, io, count, TM_GET_DEFAULT); /* exclusive */
        for (unsigned i = 0; i < count; i++) {
            unsigned char wanted[TM_PAGE_BYTES];
            tm_test_page(wanted, (enum tm_test_sort)(i % TM_TEST_SORTS), i);
            assert_int_equal(io[i].result, TM_OK);
            assert_memory_equal(pages[i], wanted, sizeof wanted);
        }
        tm_page_get_many(test.ephemeral, io, count, TM_GET_INCLUSIVE);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(io[i].result, TM_MISS);
    }
}

static void of_two_exclusive_gets_in_a_batch_one_succeeds(void **state)
{
    (void)state;
    for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++) {
        assert_int_equal(tm_test_put(test.persistent, 1, 1, (enum tm_test_sort)sort, 3), TM_OK);
        for (unsigned i = 0; i < 3; i++)
            io[i] = (struct tm_page_io){{{1, 0, 0}}, 1, TM_CORRUPT, pages[i]};
        tm_page_get_many(test.persistent, io, 3, TM_GET_EXCLUSIVE);
        assert_int_equal(io[0].result, TM_OK);
        assert_int_equal(io[1].result, TM_MISS);
        assert_int_equal(io[2].result, TM_MISS);
    }
}

static void the_later_of_two_puts_in_a_batch_counts(void **state)
{
    (void)state;
    prepare(2);
    io[1].object = io[0].object;
    io[1].index = io[0].index;
    tm_page_put_many(test.persistent, io, 2, TM_PUT_KEEP);
    assert_int_equal(io[0].result, TM_OK);
    assert_int_equal(io[1].result, TM_OK);
    assert_true(tm_test_has(test.persistent, 0, 0, (enum tm_test_sort)1, 1));
}

static void what_is_not_valid_in_a_batch_is_said_of_it_alone(void **state)
{
    (void)state;
    prepare(3);
    io[1].page = NULL;
    tm_page_put_many(test.persistent, io, 3, TM_PUT_PLAIN);
    assert_int_equal(io[0].result, TM_OK);
    assert_int_equal(io[1].result, TM_INVALID);
    assert_int_equal(io[2].result, TM_OK);
    tm_page_get_many(test.persistent, io, 3, TM_GET_DEFAULT);
    assert_int_equal(io[0].result, TM_OK);
    assert_int_equal(io[1].result, TM_INVALID);
    assert_int_equal(io[2].result, TM_OK);
    tm_page_put_many(test.ephemeral, io, 3, TM_PUT_KEEP);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(io[i].result, TM_INVALID);
    assert_int_equal(tm_test_counts(test.ephemeral).pages, 0);
}

static void what_is_asked_for_is_hotter(void **state)
{
    (void)state;
    const struct tm_object_id object = {{1, 0, 0}};
    for (uint32_t i = 0; i < PAGES; i++)
        assert_int_equal(tm_test_put(test.ephemeral, 1, i, TM_TEST_RAW, i), TM_OK);
    unsigned before = tm_page_heat(test.ephemeral, &object, 3);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(tm_test_look(test.ephemeral, 1, 3), TM_OK);
    assert_true(tm_page_heat(test.ephemeral, &object, 3) > before);
}

static void a_page_is_there_from_its_put_to_its_end(void **state)
{
    (void)state;
    const struct tm_object_id object = {{1, 0, 0}};
    assert_false(tm_page_is_there(test.persistent, &object, 3));
    assert_int_equal(tm_test_put(test.persistent, 1, 3, TM_TEST_RAW, 1), TM_OK);
    assert_true(tm_page_is_there(test.persistent, &object, 3));
    assert_false(tm_page_is_there(test.persistent, &object, 4));
    assert_false(tm_page_is_there(test.ephemeral, &object, 3));
    assert_int_equal(tm_page_invalidate(test.persistent, &object, 3), TM_OK);
    assert_false(tm_page_is_there(test.persistent, &object, 3));
    assert_int_equal(tm_test_counts(test.persistent).gets, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_walk_lists_every_page_once),
        TEST(a_walk_lists_no_other_pools_pages),
        TEST(a_walk_misses_nothing_while_the_index_grows),
        TEST(a_walk_over_an_empty_pool_ends),
        TEST(a_walk_through_others_pages_goes_on_in_steps),
        TEST(a_batch_answers_as_single_calls_would),
        TEST(of_two_exclusive_gets_in_a_batch_one_succeeds),
        TEST(the_later_of_two_puts_in_a_batch_counts),
        TEST(what_is_not_valid_in_a_batch_is_said_of_it_alone),
        TEST(what_is_asked_for_is_hotter),
        TEST(a_page_is_there_from_its_put_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
