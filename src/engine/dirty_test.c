/* SPDX-License-Identifier: BSD-2-Clause */
/* dirty_test.c - every change of a watched client's pages is noted, and nothing of others. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

#define ROOM 96u

static struct tm_test_engine test;
static struct tm_change changes[ROOM];
static uint32_t count;

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_init(&test, 24, TM_TEST_PLENTY);
    assert_int_equal(tm_dirty_begin(test.client, 40), TM_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_faults_host = NULL;
    tm_dirty_end(test.client);
    tm_test_engine_fini(&test);
    return 0;
}

static void put(struct tm_member *member, uint64_t object, uint32_t index, enum tm_test_sort sort)
{
    assert_int_equal(tm_test_put(member, object, index, sort, object * 1000 + index), TM_OK);
}

static void take(uint32_t expected)
{
    assert_true(tm_dirty_take(test.client, changes, ROOM, &count));
    assert_int_equal(count, expected);
}

/* Whether the page is among what was taken. */
static bool has(struct tm_member *member, uint64_t object, uint32_t index)
{
    for (uint32_t i = 0; i < count; i++)
        if (changes[i].pool_id == tm_pool_id(member) && changes[i].object.word[0] == object &&
            changes[i].object.word[1] == 0 && changes[i].object.word[2] == 0 && changes[i].first == index / 64 * 64)
            return (changes[i].pages >> index % 64 & 1) != 0;
    return false;
}

static void puts_are_noted(void **state)
{
    (void)state;
    take(0);
    put(test.persistent, 1, 5, TM_TEST_SHORT);
    put(test.persistent, 1, 63, TM_TEST_RAW);
    put(test.persistent, 1, 64, TM_TEST_SMALL);
    put(test.persistent, 1, UINT32_MAX, TM_TEST_SMALL);
    put(test.ephemeral, 1, 6, TM_TEST_LONG);
    take(4);
    assert_true(has(test.persistent, 1, 5));
    assert_true(has(test.persistent, 1, 63));
    assert_true(has(test.persistent, 1, 64));
    assert_true(has(test.persistent, 1, UINT32_MAX));
    assert_true(has(test.ephemeral, 1, 6));
    assert_false(has(test.persistent, 1, 6));
    take(0);
    put(test.persistent, 1, 5, TM_TEST_LONG); /* over another */
    take(1);
    assert_true(has(test.persistent, 1, 5));
}

static void what_goes_is_noted(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    for (uint32_t i = 0; i < 70; i++)
        put(test.persistent, 2, i, TM_TEST_SHORT);
    put(test.ephemeral, 2, 1, TM_TEST_SHORT);
    take(3);
    assert_int_equal(tm_test_invalidate(test.persistent, 2, 3), TM_OK);
    assert_int_equal(tm_test_get(test.ephemeral, 2, 1, page, TM_GET_EXCLUSIVE), TM_OK);
    take(2);
    assert_true(has(test.persistent, 2, 3));
    assert_true(has(test.ephemeral, 2, 1));

    struct tm_object_id object = {{2, 0, 0}};
    assert_int_equal(tm_object_invalidate(test.persistent, &object), TM_OK);
    take(2);
    for (uint32_t i = 0; i < 70; i++)
        assert_int_equal(has(test.persistent, 2, i), i != 3);
}

static void what_is_evicted_is_noted(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 64; i++)
        put(test.ephemeral, 3, i, TM_TEST_RAW);
    take(1);
    assert_true(tm_engine_reclaim(test.engine, UINT64_MAX) != 0);
    assert_int_equal(tm_test_counts(test.ephemeral).pages, 0);
    take(1);
    assert_true(changes[0].pages == UINT64_MAX);
}

static void gets_and_failures_are_not(void **state)
{
    (void)state;
    put(test.persistent, 4, 1, TM_TEST_SHORT);
    take(1);
    assert_true(tm_test_has(test.persistent, 4, 1, TM_TEST_SHORT, 4001));
    assert_int_equal(tm_test_invalidate(test.persistent, 4, 2), TM_MISS);
    assert_int_equal(tm_test_look(test.ephemeral, 4, 2), TM_MISS);
    take(0);
}

static void pools_that_come_are_watched_and_those_that_go_are_not(void **state)
{
    (void)state;
    struct tm_member *late = tm_test_pool(test.client, TM_POOL_PERSISTENT, NULL);
    put(late, 1, 1, TM_TEST_SHORT);
    take(1);
    assert_true(has(late, 1, 1));
    put(late, 1, 2, TM_TEST_SHORT);
    take(1);
    tm_pool_destroy(late);
    take(0);
}

static void others_are_left_alone(void **state)
{
    (void)state;
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    struct tm_member *member = tm_test_pool(other, TM_POOL_PERSISTENT, NULL);
    put(member, 1, 1, TM_TEST_SHORT);
    take(0);
    tm_client_destroy(other);
}

static void a_shared_pool_is_watched_once(void **state)
{
    (void)state;
    const struct tm_uuid uuid = {{9, 9}};
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    assert_int_equal(tm_client_authorise(test.client, &uuid), TM_OK);
    assert_int_equal(tm_client_authorise(other, &uuid), TM_OK);
    struct tm_member *mine = tm_test_pool(test.client, TM_POOL_PERSISTENT | TM_POOL_SHARED, &uuid);
    struct tm_member *theirs = tm_test_pool(other, TM_POOL_PERSISTENT | TM_POOL_SHARED, &uuid);
    struct tm_member *own = tm_test_pool(other, 0, NULL);
    put(theirs, 1, 1, TM_TEST_SHORT);
    take(1);
    assert_true(has(mine, 1, 1));
    assert_int_equal(tm_dirty_begin(other, 40), TM_EXISTS);
    assert_int_equal(tm_dirty_begin(test.client, 40), TM_EXISTS);
    put(own, 1, 1, TM_TEST_SHORT); /* and none of the refused one's is watched now */
    take(0);
    tm_pool_destroy(mine);
    assert_int_equal(tm_dirty_begin(other, 40), TM_OK);
    tm_client_destroy(other);
}

static void more_than_fits_is_said(void **state)
{
    (void)state;
    for (uint64_t object = 0; object < 200; object++)
        put(test.persistent, object, 1, TM_TEST_SMALL);
    assert_false(tm_dirty_take(test.client, changes, ROOM, &count));
    assert_int_equal(count, 0);
    take(0);
    for (uint64_t object = 0; object < 40; object++)
        put(test.persistent, object, 1, TM_TEST_SMALL);
    assert_false(tm_dirty_take(test.client, changes, 39, &count));
    for (uint64_t object = 0; object < 40; object++)
        put(test.persistent, object, 1, TM_TEST_SMALL);
    take(40);
    for (uint64_t object = 0; object < 40; object++)
        assert_true(has(test.persistent, object, 1));
}

static void an_end_forgets_all(void **state)
{
    (void)state;
    put(test.persistent, 1, 1, TM_TEST_SHORT);
    tm_dirty_end(test.client);
    tm_dirty_end(test.client);
    put(test.persistent, 1, 2, TM_TEST_SHORT);
    assert_int_equal(tm_dirty_begin(test.client, 1), TM_OK);
    take(0);
}

static void without_memory_nothing_is_watched(void **state)
{
    (void)state;
    tm_dirty_end(test.client);
    tm_test_faults_host = &test.host;
    for (uint64_t at = 1; at <= 3; at++) {
        const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), false, at};
        tm_test_host_plan(&test.host, &plan);
        assert_int_equal(tm_dirty_begin(test.client, 40), TM_NOMEM);
    }
    tm_test_host_plan(&test.host, NULL);
    assert_int_equal(tm_dirty_begin(test.client, 40), TM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(puts_are_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_is_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_evicted_is_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gets_and_failures_are_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pools_that_come_are_watched_and_those_that_go_are_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shared_pool_is_watched_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_fits_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_forgets_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_watched, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
