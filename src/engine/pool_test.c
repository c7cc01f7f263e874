/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_test.c - pools: ids, shared ones with their members and parts, and their end. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

static struct tm_test_engine test;

#define SPANS 24
#define SIZE TM_TEST_PLENTY

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

static const struct tm_uuid name = {{3, 4}};

static struct tm_client *member_client(const char *client_name, uint64_t cap_bytes)
{
    struct tm_client *client = tm_test_client(&test, client_name, 100, cap_bytes);
    assert_int_equal(tm_client_authorise(client, &name), TM_OK);
    return client;
}

static uint64_t charged(struct tm_client *client)
{
    return tm_test_client_figures(client).charged_bytes;
}

static uint32_t members(struct tm_member *member)
{
    struct tm_pool_figures figures;
    tm_pool_figures(member, &figures);
    return figures.members;
}

static void fill(struct tm_member *member, uint32_t pages)
{
    for (uint32_t index = 0; index < pages; index++)
        assert_int_equal(tm_test_put(member, 1, index, TM_TEST_RAW, index), TM_OK);
}

static void ids_ascend_and_are_never_used_again(void **state)
{
    uint64_t last = 0;
    uint64_t id = 0;
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        struct tm_member *member = tm_test_pool(test.client, i % 2, NULL);
        assert_true(tm_pool_id(member) > last);
        last = tm_pool_id(member);
        assert_ptr_equal(tm_pool_find(test.client, last), member);
        if (i % 3 == 0) {
            tm_pool_destroy(member);
            assert_null(tm_pool_find(test.client, last));
        }
    }
    unsigned count = 0;
    for (last = 0; tm_pool_next_id(test.client, last, &id); last = id, count++)
        assert_true(id > last);
    assert_int_equal(count, 202);
    assert_int_equal(tm_test_figures(&test).pools, 202);
}

static void flags_and_uuid_must_go_together(void **state)
{
    struct tm_member *member;
    (void)state;
    assert_int_equal(tm_pool_create(test.client, 4, NULL, &member), TM_INVALID);
    assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, NULL, &member), TM_INVALID);
    assert_int_equal(tm_pool_create(test.client, TM_POOL_PERSISTENT, &name, &member), TM_INVALID);
    assert_int_equal(tm_test_figures(&test).pools, 2);
}

static void a_shared_pool_is_joined_by_those_who_may(void **state)
{
    struct tm_member *member;
    struct tm_client *one = member_client("one", UINT64_MAX);
    struct tm_client *two = member_client("two", UINT64_MAX);
    (void)state;
    struct tm_member *first = tm_test_pool(one, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name, &member), TM_DENIED);
    assert_int_equal(tm_pool_create(two, TM_POOL_SHARED, &name, &member), TM_INVALID);
    assert_int_equal(tm_pool_create(one, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name, &member), TM_EXISTS);
    struct tm_member *second = tm_test_pool(two, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    assert_true(tm_pool_id(first) == tm_pool_id(second));
    assert_int_equal(members(first), 2);
    fill(first, 20);
    assert_true(tm_test_has(second, 1, 7, TM_TEST_RAW, 7));
    tm_client_destroy(one); /* its pages belong to the pool */
    assert_int_equal(members(second), 1);
    assert_true(tm_test_has(second, 1, 7, TM_TEST_RAW, 7));
    tm_pool_destroy(second);
    assert_int_equal(tm_test_figures(&test).pages, 0);
    second = tm_test_pool(two, TM_POOL_SHARED, &name); /* another pool of the name, of another kind */
    assert_int_equal(tm_test_look(second, 1, 7), TM_MISS);
}

static void members_pay_equal_parts(void **state)
{
    struct tm_client *clients[3];
    struct tm_member *pools[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"a", "b", "c"};
        clients[i] = member_client(names[i], UINT64_MAX);
        pools[i] = tm_test_pool(clients[i], TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
        if (i == 0)
            fill(pools[0], 31);
        tm_engine_check(test.engine);
    }
    uint64_t whole = pools[0]->pool->charged;
    for (unsigned i = 0; i < 3; i++)
        assert_true(charged(clients[i]) == (whole + 2u) / 3u);
    tm_pool_destroy(pools[1]);
    assert_true(charged(clients[1]) == 0);
    assert_true(charged(clients[0]) == (whole + 1u) / 2u && charged(clients[2]) == (whole + 1u) / 2u);
    tm_pool_destroy(pools[0]);
    assert_true(charged(clients[2]) == whole);
}

static void nobody_is_charged_above_the_cap_by_another_member(void **state)
{
    struct tm_client *large = member_client("large", UINT64_MAX);
    struct tm_client *small = member_client("small", 30000);
    struct tm_member *member;
    (void)state;
    struct tm_member *first = tm_test_pool(small, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    struct tm_member *second = tm_test_pool(large, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    uint32_t index = 0;
    while (tm_test_put(second, 1, index, TM_TEST_RAW, index) == TM_OK)
        index++;
    assert_true(index > 10);
    assert_true(charged(small) <= 30000 && charged(large) == charged(small));
    tm_engine_check(test.engine);
    tm_pool_destroy(first); /* what it may not pay for any more, it cannot join */
    fill(second, 40);
    assert_int_equal(tm_pool_create(small, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name, &member), TM_REFUSED);
    assert_int_equal(charged(small), 0);
    assert_int_equal(members(second), 1);
}

static void what_the_last_members_cannot_pay_for_goes(void **state)
{
    struct tm_client *large = member_client("large", UINT64_MAX);
    struct tm_client *small = member_client("small", 100000);
    (void)state;
    struct tm_member *first = tm_test_pool(small, TM_POOL_SHARED, &name);
    struct tm_member *second = tm_test_pool(large, TM_POOL_SHARED, &name);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(tm_test_put(second, i, 1, TM_TEST_RAW, i), TM_OK);
    tm_pool_destroy(second);
    assert_true(charged(small) <= 100000);
    assert_true(charged(small) == first->pool->charged);
}

static void a_pool_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    for (uint32_t flags = 0; flags < 4; flags++) {
        const struct tm_uuid *uuid = (flags & TM_POOL_SHARED) != 0 ? &name : NULL;
        for (uint64_t at = 1;; at++) {
            const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), false, at};
            struct tm_member *member;
            tm_test_host_plan(&test.host, &plan);
            enum tm_result result = tm_pool_create(test.client, flags, uuid, &member);
            bool has_failed = test.host.failed != 0;
            tm_test_host_plan(&test.host, NULL);
            tm_engine_check(test.engine);
            if (result == TM_OK)
                tm_pool_destroy(member);
            else
                assert_int_equal(result, TM_NOMEM);
            assert_int_equal(tm_test_figures(&test).pools, 2);
            if (!has_failed) {
                assert_int_equal(result, TM_OK);
                assert_true(at > 1);
                break;
            }
        }
    }
}

static void names_of_shared_pools_count_as_a_whole(void **state)
{
    static const struct tm_uuid names[] = {{{3, 4}}, {{3, 5}}, {{2, 4}}};
    struct tm_member *pools[TM_ARRAY_SIZE(names)];
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(names); i++) {
        struct tm_member *refused = NULL;
        assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, &names[i], &refused), TM_DENIED);
        assert_int_equal(tm_client_authorise(test.client, &names[i]), TM_OK);
        pools[i] = tm_test_pool(test.client, TM_POOL_SHARED, &names[i]);
        assert_int_equal(tm_test_put(pools[i], 1, 1, TM_TEST_SHORT, i), TM_OK);
    }
    for (unsigned i = 0; i < TM_ARRAY_SIZE(names); i++) {
        assert_true(tm_test_has(pools[i], 1, 1, TM_TEST_SHORT, i));
        assert_int_equal(tm_client_deauthorise(test.client, &names[i]), TM_OK);
        assert_int_equal(tm_client_deauthorise(test.client, &names[i]), TM_NOT_FOUND);
    }
}

static void a_borrowed_pool_can_be_used_and_outlives_its_owners_handle(void **state)
{
    (void)state;
    uint64_t id = tm_pool_id(test.persistent);
    assert_null(tm_pool_borrow(test.client, id + 1000));
    struct tm_member *borrowed = tm_pool_borrow(test.client, id);
    assert_non_null(borrowed);
    assert_int_equal(tm_pool_id(borrowed), id);
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_SHORT, 7), TM_OK);
    assert_true(tm_test_has(borrowed, 1, 1, TM_TEST_SHORT, 7));
    tm_pool_return(borrowed);

    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), false, 1};
    tm_test_faults_host = &test.host;
    tm_test_host_plan(&test.host, &plan);
    assert_null(tm_pool_borrow(test.client, id));
    tm_test_host_plan(&test.host, NULL);
    tm_test_faults_host = NULL;
}

static void a_pool_is_gone_at_once_and_its_pages_in_steps(void **state)
{
    struct tm_member *member = tm_test_pool(test.client, TM_POOL_PERSISTENT, NULL);
    uint64_t id = tm_pool_id(member);
    uint64_t left_ids = 0;
    unsigned steps = 0;
    (void)state;
    fill(member, 640); /* ten chunks */
    uint64_t before = charged(test.client);
    tm_pool_destroy_begin(member);
    assert_null(tm_pool_find(test.client, id));
    while (tm_pool_destroy_step(member, 3)) {
        assert_true(charged(test.client) < before);
        before = charged(test.client);
        steps++;
    }
    assert_int_equal(steps, 3);
    assert_int_equal(charged(test.client), 0);
    assert_false(tm_pool_next_id(test.client, id, &left_ids));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ids_ascend_and_are_never_used_again),
        TEST(flags_and_uuid_must_go_together),
        TEST(a_shared_pool_is_joined_by_those_who_may),
        TEST(members_pay_equal_parts),
        TEST(nobody_is_charged_above_the_cap_by_another_member),
        TEST(what_the_last_members_cannot_pay_for_goes),
        TEST(a_pool_that_cannot_be_made_leaves_nothing),
        TEST(names_of_shared_pools_count_as_a_whole),
        TEST(a_borrowed_pool_can_be_used_and_outlives_its_owners_handle),
        TEST(a_pool_is_gone_at_once_and_its_pages_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
