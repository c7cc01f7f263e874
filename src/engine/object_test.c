/* SPDX-License-Identifier: BSD-2-Clause */
/* object_test.c - which objects have a record, what stands in a pool's list, and that its order stays. */
#include "engine/index_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

#define OBJECTS 40u
#define SECOND_CHUNK TM_INDEX_OF_CHUNK(3)

static struct tm_test_engine test;

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_host(&test, 24, TM_TEST_PLENTY);
    test.host.host.persistent_survives = true;
    tm_test_engine_start(&test);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_engine_fini(&test);
    return 0;
}

static void put(uint64_t object, uint32_t index)
{
    assert_int_equal(tm_test_put(test.persistent, object, index, TM_TEST_SMALL, object), TM_OK);
}

static uint64_t find(uint64_t object)
{
    struct tm_object_id id = {{object, 0, 0}};
    return tm_object_find(test.persistent->pool, &id, tm_object_hash(test.persistent->pool, id.word));
}

static bool has_record(uint64_t object)
{
    return !tm_stands_alone(test.persistent->pool, find(object));
}

/* Same-filled pages take nothing: what is charged are the records. */
static uint64_t charged(void)
{
    return tm_test_client_figures(test.client).charged_bytes;
}

/* All of the pool's objects, as its stripes list them. */
static void list(uint64_t *ids)
{
    const struct tm_pool *pool = test.persistent->pool;
    unsigned count = 0;
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++)
        for (uint64_t ref = pool->stripe[i].first_object; ref != 0; ref = tm_object_at(pool, ref)->next)
            ids[count++] = tm_object_at(pool, ref)->id[0];
    assert_int_equal(count, OBJECTS);
}

static void an_object_has_a_record_from_its_second_chunk_on(void **state)
{
    (void)state;
    put(1, 0);
    assert_false(has_record(1));
    assert_int_equal(charged(), tm_record_bytes(TM_RECORD_CHUNK_4));
    put(1, 63);
    assert_false(has_record(1));
    assert_int_equal(charged(), tm_record_bytes(TM_RECORD_CHUNK_64));
    put(1, SECOND_CHUNK);
    assert_true(has_record(1));
    assert_int_equal(charged(), tm_record_bytes(TM_RECORD_CHUNK_64) + tm_record_bytes(TM_RECORD_CHUNK_16) +
                                    tm_record_bytes(TM_RECORD_OBJECT));
    assert_int_equal(tm_test_counts(test.persistent).objects, 1);
}

static void an_object_that_begins_elsewhere_has_one_at_once(void **state)
{
    (void)state;
    put(1, SECOND_CHUNK);
    assert_true(has_record(1));
    put(1, 0);
    assert_int_equal(tm_object_at(test.persistent->pool, find(1))->chunk_count, 2);
    assert_int_equal(tm_test_counts(test.persistent).objects, 1);
}

static void a_record_stays_until_the_last_chunk_goes(void **state)
{
    (void)state;
    put(1, 0);
    put(1, SECOND_CHUNK);
    assert_int_equal(tm_test_invalidate(test.persistent, 1, SECOND_CHUNK), TM_OK);
    assert_true(has_record(1));
    assert_int_equal(tm_test_counts(test.persistent).objects, 1);
    assert_int_equal(tm_test_invalidate(test.persistent, 1, 0), TM_OK);
    assert_int_equal(find(1), 0);
    assert_int_equal(charged(), 0);
    put(1, 0);
    assert_false(has_record(1));
}

static void the_pools_order_stays_whatever_stands_in_it(void **state)
{
    uint64_t before[OBJECTS];
    uint64_t after[OBJECTS];
    (void)state;
    for (uint64_t object = 1; object <= OBJECTS; object++)
        put(object, 0);
    list(before);
    /* Chunks that grow, objects that get a record; the first of their list, the last, and between. */
    for (uint64_t object = 1; object <= OBJECTS; object += 2)
        put(object, 20);
    for (uint64_t object = 1; object <= OBJECTS; object += 3)
        put(object, SECOND_CHUNK);
    for (uint64_t object = 1; object <= OBJECTS; object++)
        put(object, 63);
    tm_engine_check(test.engine);
    list(after);
    assert_memory_equal(before, after, sizeof before);
}

static void the_oldest_is_evicted_with_or_without_a_record(void **state)
{
    uint64_t ids[OBJECTS];
    uint64_t dropped;
    (void)state;
    for (uint64_t object = 1; object <= OBJECTS; object++) {
        put(object, 0);
        if (object % 2u != 0)
            put(object, SECOND_CHUNK);
    }
    list(ids);
    struct tm_pool *pool = test.persistent->pool;
    unsigned chunks = OBJECTS + OBJECTS / 2u;
    for (; chunks > 0; chunks--) {
        assert_true(tm_index_evict_chunk(pool, &dropped));
        assert_int_equal(dropped, 1);
        tm_engine_check(test.engine);
    }
    assert_false(tm_index_evict_chunk(pool, &dropped));
    assert_int_equal(charged(), 0);
}

static void a_restart_makes_records_where_they_are_needed(void **state)
{
    (void)state;
    for (uint64_t object = 1; object <= OBJECTS; object++) {
        put(object, object % 3u == 0 ? SECOND_CHUNK : 0);
        if (object % 2u != 0)
            put(object, SECOND_CHUNK);
    }
    uint64_t bytes = charged();
    tm_test_engine_crash(&test);
    tm_engine_check(test.engine);
    assert_int_equal(charged(), bytes);
    for (uint64_t object = 1; object <= OBJECTS; object++)
        assert_int_equal(has_record(object), object % 3u == 0 || object % 2u != 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_object_has_a_record_from_its_second_chunk_on),
        TEST(an_object_that_begins_elsewhere_has_one_at_once),
        TEST(a_record_stays_until_the_last_chunk_goes),
        TEST(the_pools_order_stays_whatever_stands_in_it),
        TEST(the_oldest_is_evicted_with_or_without_a_record),
        TEST(a_restart_makes_records_where_they_are_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
