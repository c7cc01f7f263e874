/* SPDX-License-Identifier: BSD-2-Clause */
/* client_test.c - tenants: names, settings, rights, the charge that never exceeds a cap, and their end. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

#define MANY 300u /* more than one directory holds */

static struct tm_test_engine test;

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_init(&test, 24, TM_TEST_PLENTY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_faults_host = NULL;
    tm_test_engine_fini(&test);
    return 0;
}

static enum tm_result create(const char *name, uint32_t weight)
{
    struct tm_client *client;
    return tm_client_create(test.engine, name, weight, UINT64_MAX, &client);
}

static uint64_t charged(struct tm_client *client)
{
    return tm_test_client_figures(client).charged_bytes;
}

static void fill(struct tm_member *member, uint64_t object, uint32_t pages, enum tm_test_sort sort)
{
    for (uint32_t index = 0; index < pages; index++)
        assert_int_equal(tm_test_put(member, object, index, sort, object * 1000u + index + 1u), TM_OK);
}

/* ---- names and settings ---- */

static void a_name_has_1_to_63_bytes_of_certain_characters(void **state)
{
    static const char *const bad[] = {"", " ", "a b", "a/b", "a\n", "\x80", "a,", "[", "`", "{", "a;", "?", "+"};
    char longest[TM_CLIENT_NAME_BYTES + 1u];
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(bad); i++)
        assert_int_equal(create(bad[i], 1), TM_INVALID);
    assert_int_equal(create("azAZ09._-:@", 1), TM_OK);
    memset(longest, 'x', sizeof longest);
    longest[TM_CLIENT_NAME_BYTES] = 0;
    assert_int_equal(create(longest, 1), TM_INVALID);
    longest[TM_CLIENT_NAME_BYTES - 1u] = 0;
    assert_int_equal(create(longest, 1), TM_OK);
    assert_string_equal(tm_test_client_figures(tm_client_find(test.engine, longest)).name, longest);
    assert_int_equal(tm_test_figures(&test).clients, 3);
}

static void a_name_is_taken_until_its_client_ends(void **state)
{
    (void)state;
    struct tm_client *first = tm_test_client(&test, "one", 1, 1000);
    assert_int_equal(create("one", 1), TM_EXISTS);
    assert_ptr_equal(tm_client_find(test.engine, "one"), first);
    assert_null(tm_client_find(test.engine, "on"));
    assert_null(tm_client_find(test.engine, "onf"));
    tm_client_destroy(first);
    assert_null(tm_client_find(test.engine, "one"));
    assert_int_equal(create("one", 7), TM_OK);
    struct tm_client_figures figures = tm_test_client_figures(tm_client_find(test.engine, "one"));
    assert_int_equal(figures.weight, 7);
    assert_true(figures.cap_bytes == UINT64_MAX);
}

static void names_are_listed_in_byte_order(void **state)
{
    static const char *const names[] = {"b", "A", "a.1", "a", "Z", "a-"};
    static const char *const sorted[] = {"A", "Z", "a", "a-", "a.1", "b", "client"};
    char name[TM_CLIENT_NAME_BYTES] = {0};
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(names); i++)
        assert_int_equal(create(names[i], 1), TM_OK);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(sorted); i++) {
        assert_true(tm_client_next_name(test.engine, name, name));
        assert_string_equal(name, sorted[i]);
    }
    assert_false(tm_client_next_name(test.engine, name, name));
}

static void a_weight_is_1_to_1000000(void **state)
{
    (void)state;
    assert_int_equal(create("x", 0), TM_INVALID);
    assert_int_equal(create("x", 1000001), TM_INVALID);
    assert_int_equal(create("x", 1000000), TM_OK);
    assert_int_equal(tm_client_set_weight(test.client, 0), TM_INVALID);
    assert_int_equal(tm_client_set_weight(test.client, 1000001), TM_INVALID);
    assert_int_equal(tm_test_client_figures(test.client).weight, 100);
    assert_int_equal(tm_client_set_weight(test.client, 1000000), TM_OK);
    assert_int_equal(tm_test_client_figures(test.client).weight, 1000000);
}

static void there_may_be_many_clients(void **state)
{
    char name[TM_CLIENT_NAME_BYTES];
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "many-%u", i);
            assert_int_equal(create(name, 1), TM_OK);
        }
        assert_int_equal(tm_test_figures(&test).clients, MANY + 1u);
        tm_engine_check(test.engine);
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "many-%u", i);
            tm_client_destroy(tm_client_find(test.engine, name));
        }
        assert_int_equal(tm_test_figures(&test).clients, 1);
    }
}

/* Lets every call of a kind fail once, until a client can be made. */
static void fail_each(uint32_t mask, unsigned least)
{
    for (uint64_t at = 1;; at++) {
        const struct tm_test_plan plan = {mask, false, at};
        tm_test_host_plan(&test.host, &plan);
        enum tm_result result = create("new", 1);
        bool has_failed = test.host.failed != 0;
        tm_test_host_plan(&test.host, NULL);
        tm_engine_check(test.engine);
        if (!has_failed) {
            assert_int_equal(result, TM_OK);
            assert_true(at > least);
            tm_client_destroy(tm_client_find(test.engine, "new"));
            return;
        }
        if (result == TM_OK) /* did without */
            tm_client_destroy(tm_client_find(test.engine, "new"));
        else
            assert_int_equal(result, TM_NOMEM);
        assert_int_equal(tm_test_figures(&test).clients, 1);
    }
}

static void a_client_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    fail_each(TM_FAULT_BIT(TM_FAULT_ALLOC), 1);
}

/* ---- rights ---- */

static void a_right_is_had_until_it_is_taken_away(void **state)
{
    static const struct tm_uuid names[] = {{{1, 2}}, {{2, 1}}, {{1, 1}}};
    struct tm_member *member;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tm_client_deauthorise(test.client, &names[i]), TM_NOT_FOUND);
        assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, &names[i], &member), TM_DENIED);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tm_client_authorise(test.client, &names[i]), TM_OK);
        assert_int_equal(tm_client_authorise(test.client, &names[i]), TM_OK); /* twice is once */
    }
    assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, &names[2], &member), TM_DENIED);
    assert_int_equal(tm_client_deauthorise(test.client, &names[1]), TM_OK);
    assert_int_equal(tm_client_deauthorise(test.client, &names[1]), TM_NOT_FOUND);
    assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, &names[1], &member), TM_DENIED);
    assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, &names[0], &member), TM_OK);
    assert_int_equal(tm_client_deauthorise(test.client, &names[0]), TM_OK); /* stays a member */
    assert_int_equal(tm_test_put(member, 1, 1, TM_TEST_SHORT, 1), TM_OK);
    tm_pool_destroy(member);
    assert_int_equal(tm_pool_create(test.client, TM_POOL_SHARED, &names[0], &member), TM_DENIED);
}

static void a_right_without_memory_for_it_is_not_given(void **state)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), true, 1};
    static const struct tm_uuid name = {{1, 2}};
    (void)state;
    tm_test_host_plan(&test.host, &plan);
    assert_int_equal(tm_client_authorise(test.client, &name), TM_NOMEM);
    tm_test_host_plan(&test.host, NULL);
    assert_int_equal(tm_client_deauthorise(test.client, &name), TM_NOT_FOUND);
}

/* ---- the charge ---- */

static void the_charge_is_never_above_the_cap_by_a_byte(void **state)
{
    (void)state;
    for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++) {
        assert_int_equal(tm_test_put(test.persistent, 1, 1, (enum tm_test_sort)sort, 1), TM_OK);
        uint64_t needed = charged(test.client);
        assert_int_equal(tm_test_invalidate(test.persistent, 1, 1), TM_OK);
        assert_int_equal(charged(test.client), 0);
        for (uint64_t cap = needed - 200u; cap < needed; cap++) {
            tm_client_set_cap(test.client, cap);
            assert_int_equal(tm_test_put(test.persistent, 1, 1, (enum tm_test_sort)sort, 1), TM_REFUSED);
            assert_int_equal(charged(test.client), 0);
            if (needed < 200u)
                break; /* a page in its slot takes only what its chunk does */
        }
        tm_client_set_cap(test.client, needed);
        assert_int_equal(tm_test_put(test.persistent, 1, 1, (enum tm_test_sort)sort, 1), TM_OK);
        assert_int_equal(charged(test.client), needed);
        assert_int_equal(tm_test_invalidate(test.persistent, 1, 1), TM_OK);
        tm_client_set_cap(test.client, UINT64_MAX);
    }
}

static void an_ephemeral_pool_at_its_cap_makes_room_in_itself(void **state)
{
    struct tm_client *small = tm_test_client(&test, "small", 100, 300000);
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    struct tm_member *pool = tm_test_pool(small, 0, NULL);
    struct tm_member *others = tm_test_pool(other, 0, NULL);
    (void)state;
    fill(others, 1, 100, TM_TEST_RAW);
    for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++)
        for (uint32_t i = 0; i < 3000; i++) {
            assert_int_equal(tm_test_put(pool, sort * 10000u + i, 1, (enum tm_test_sort)sort, i + 1u), TM_OK);
            assert_true(charged(small) <= 300000);
        }
    assert_true(tm_test_client_figures(small).charged_max_bytes > 250000);
    assert_true(tm_test_client_figures(small).charged_max_bytes <= 300000);
    assert_int_equal(tm_test_counts(others).pages, 100);
    assert_int_equal(tm_test_client_figures(small).evicted_for_others, 0);
    assert_true(tm_test_counts(pool).evicted > 10000);
    assert_true(tm_test_counts(pool).pages + tm_test_counts(pool).evicted <= 3000u * TM_TEST_SORTS);
}

static void a_lower_cap_drops_ephemeral_pages_at_once(void **state)
{
    static const struct tm_uuid name = {{7, 7}};
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    struct tm_member *shared = tm_test_pool(test.client, TM_POOL_SHARED, &name);
    fill(test.persistent, 1, 50, TM_TEST_RAW);
    uint64_t persistent_bytes = charged(test.client);
    fill(test.ephemeral, 1, 200, TM_TEST_RAW);
    fill(test.ephemeral, 2, 200, TM_TEST_SMALL);
    fill(shared, 3, 200, TM_TEST_LONG);
    fill(shared, 4, 200, TM_TEST_TWICE);
    uint64_t before = charged(test.client);
    for (unsigned part = 4; part-- > 0;) {
        uint64_t cap = persistent_bytes + (before - persistent_bytes) / 4u * part;
        tm_client_set_cap(test.client, cap);
        assert_true(charged(test.client) <= cap);
        tm_engine_check(test.engine);
    }
    assert_int_equal(charged(test.client), persistent_bytes);
    assert_int_equal(tm_test_counts(test.ephemeral).pages, 0);
    assert_int_equal(tm_test_counts(shared).pages, 0);
    tm_client_set_cap(test.client, 1000); /* what is persistent stays */
    assert_int_equal(tm_test_counts(test.persistent).pages, 50);
    assert_int_equal(charged(test.client), persistent_bytes);
    assert_int_equal(tm_test_put(test.persistent, 1, 60, TM_TEST_SMALL, 1), TM_OK); /* takes no byte */
    assert_int_equal(tm_test_put(test.persistent, 2, 1, TM_TEST_SMALL, 1), TM_REFUSED);
    for (uint32_t index = 0; index < 50; index++)
        assert_true(tm_test_has(test.persistent, 1, index, TM_TEST_RAW, 1000u + index + 1u));
}

static void what_is_reclaimed_from_a_client_is_its_ephemeral_pages_only(void **state)
{
    (void)state;
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    struct tm_member *others = tm_test_pool(other, 0, NULL);
    struct tm_ledger ledger;
    fill(others, 1, 100, TM_TEST_RAW);
    fill(test.persistent, 1, 50, TM_TEST_RAW);
    uint64_t persistent_bytes = charged(test.client);
    fill(test.ephemeral, 1, 400, TM_TEST_RAW);
    uint64_t before = charged(test.client);
    assert_int_equal(tm_client_reclaim(test.client, 0), 0);
    assert_int_equal(charged(test.client), before);
    uint64_t released = tm_client_reclaim(test.client, 100000);
    assert_true(released >= 100000);
    assert_int_equal(charged(test.client), before - released);
    assert_int_equal(tm_client_reclaim(test.client, UINT64_MAX), before - released - persistent_bytes);
    assert_int_equal(charged(test.client), persistent_bytes);
    assert_int_equal(tm_client_reclaim(test.client, 1), 0);
    assert_int_equal(tm_test_counts(test.persistent).pages, 50);
    assert_int_equal(tm_test_counts(others).pages, 100);
    tm_client_ledger(test.client, &ledger);
    assert_int_equal(ledger.evicted[TM_EVICTED_RECLAIM], 400);
    assert_int_equal(ledger.evicted[TM_EVICTED_CAP], 0);
    tm_engine_check(test.engine);
}

static void pages_are_compressed_unless_their_client_does_without(void **state)
{
    (void)state;
    tm_client_set_compress(test.client, false);
    assert_false(tm_test_client_figures(test.client).compress);
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_SHORT, 1), TM_OK);
    uint64_t plain = charged(test.client);
    assert_true(plain > TM_PAGE_BYTES);
    assert_int_equal(tm_test_put(test.persistent, 1, 2, TM_TEST_SMALL, 2), TM_OK);
    assert_true(charged(test.client) < plain + 256u); /* one word repeated */
    tm_client_set_compress(test.client, true);
    assert_true(tm_test_client_figures(test.client).compress);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_SHORT, 1));
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_SHORT, 3), TM_OK);
    assert_true(charged(test.client) < TM_PAGE_BYTES);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_SHORT, 3));
    tm_engine_check(test.engine);
}

/* ---- the end ---- */

static void an_end_leaves_nothing_behind(void **state)
{
    static const struct tm_uuid names[2] = {{{1, 1}}, {{2, 2}}};
    (void)state;
    fill(test.persistent, 1, 20, TM_TEST_LONG);
    uint64_t before = tm_test_figures(&test).block_bytes;
    struct tm_client *client = tm_test_client(&test, "short-lived", 5, UINT64_MAX);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(tm_client_authorise(client, &names[i]), TM_OK);
        fill(tm_test_pool(client, i, NULL), 1, 100, TM_TEST_RAW);
        fill(tm_test_pool(client, i, NULL), 2, 100, TM_TEST_SHORT);
        fill(tm_test_pool(client, TM_POOL_SHARED | i, &names[i]), 3, 100, TM_TEST_WORD);
    }
    assert_int_equal(tm_test_figures(&test).pools, 8);
    assert_int_equal(tm_test_figures(&test).pages, 620);
    assert_int_equal(tm_test_client_figures(client).pools, 6);
    assert_int_equal(tm_test_client_figures(client).counts.pages, 600);
    tm_client_destroy(client);
    struct tm_engine_figures figures = tm_test_figures(&test);
    assert_int_equal(figures.pools, 2);
    assert_int_equal(figures.clients, 1);
    assert_int_equal(figures.pages, 20);
    assert_int_equal(figures.objects, 1);
    assert_int_equal(figures.block_bytes, before);
}

static void rights_are_listed(void **state)
{
    (void)state;
    struct tm_uuid found;
    uint64_t sum = 0;
    assert_false(tm_client_right(test.client, 0, &found));
    for (uint64_t i = 1; i <= 3; i++) {
        const struct tm_uuid uuid = {{i, 5}};
        assert_int_equal(tm_client_authorise(test.client, &uuid), TM_OK);
    }
    for (unsigned n = 0; n < 3; n++) {
        assert_true(tm_client_right(test.client, n, &found));
        sum += found.word[0];
    }
    assert_int_equal(sum, 6);
    assert_false(tm_client_right(test.client, 3, &found));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_name_has_1_to_63_bytes_of_certain_characters),
        TEST(a_name_is_taken_until_its_client_ends),
        TEST(names_are_listed_in_byte_order),
        TEST(a_weight_is_1_to_1000000),
        TEST(there_may_be_many_clients),
        TEST(a_client_that_cannot_be_made_leaves_nothing),
        TEST(a_right_is_had_until_it_is_taken_away),
        TEST(a_right_without_memory_for_it_is_not_given),
        TEST(the_charge_is_never_above_the_cap_by_a_byte),
        TEST(an_ephemeral_pool_at_its_cap_makes_room_in_itself),
        TEST(a_lower_cap_drops_ephemeral_pages_at_once),
        TEST(what_is_reclaimed_from_a_client_is_its_ephemeral_pages_only),
        TEST(pages_are_compressed_unless_their_client_does_without),
        TEST(an_end_leaves_nothing_behind),
        TEST(rights_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
