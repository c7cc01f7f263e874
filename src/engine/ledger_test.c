/* SPDX-License-Identifier: BSD-2-Clause */
/* ledger_test.c - why pages went and puts were refused, for whom, and what is remembered of those that ended. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

static struct tm_test_engine test;

#define SPANS 64
#define SIZE (UINT64_C(8) << 20)
#define LARGER_THAN_STORE 4000u
#define PART_OF_STORE 600u

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

static void fill(struct tm_member *member, uint64_t first, unsigned pages)
{
    for (uint64_t i = first; i < first + pages; i++)
        assert_int_equal(tm_test_put(member, i, (uint32_t)(i % 64u), TM_TEST_RAW, i + 1u), TM_OK);
}

static struct tm_ledger of_client(struct tm_client *client)
{
    struct tm_ledger ledger;
    tm_client_ledger(client, &ledger);
    return ledger;
}

static struct tm_ledger of_all(void)
{
    struct tm_ledger ledger;
    tm_engine_ledger(test.engine, &ledger);
    return ledger;
}

static uint64_t evicted(const struct tm_ledger *ledger)
{
    uint64_t sum = 0;
    for (unsigned why = 0; why < TM_EVICTIONS; why++)
        sum += ledger->evicted[why];
    return sum;
}

/* ---- why pages went ---- */

static void a_full_store_evicts_for_room(void **state)
{
    (void)state;
    fill(test.ephemeral, 0, LARGER_THAN_STORE);
    /* What comes into the same arena is made room for ahead; pages of the other one need whole spans at once. */
    fill(test.persistent, 0, PART_OF_STORE);
    struct tm_ledger ledger = of_client(test.client);
    assert_true(evicted(&ledger) != 0);
    assert_int_equal(ledger.evicted[TM_EVICTED_CAP] + ledger.evicted[TM_EVICTED_SIZE] +
                         ledger.evicted[TM_EVICTED_RECLAIM],
                     0);
    assert_int_equal(evicted(&ledger), ledger.counts[TM_ARENA_EPHEMERAL].evicted);
    assert_int_equal(evicted(&ledger), tm_test_figures(&test).evicted_pages);
    struct tm_ledger all = of_all();
    assert_memory_equal(all.evicted, ledger.evicted, sizeof all.evicted);
}

static void caps_sizes_and_operators_are_reasons_of_their_own(void **state)
{
    (void)state;
    fill(test.ephemeral, 0, 1000);
    assert_true(tm_engine_reclaim(test.engine, UINT64_C(1) << 20) != 0);
    uint64_t reclaimed = of_all().evicted[TM_EVICTED_RECLAIM];
    assert_true(reclaimed != 0);
    assert_int_equal(tm_engine_set_size(test.engine, SIZE / 2u), TM_OK);
    tm_client_set_cap(test.client, 400000);
    struct tm_ledger ledger = of_client(test.client);
    assert_int_equal(ledger.evicted[TM_EVICTED_RECLAIM], reclaimed);
    assert_true(ledger.evicted[TM_EVICTED_CAP] != 0);
    uint64_t before = ledger.evicted[TM_EVICTED_CAP];
    fill(test.ephemeral, 5000, 200);
    ledger = of_client(test.client);
    assert_true(ledger.evicted[TM_EVICTED_CAP] > before);
    assert_int_equal(evicted(&ledger), ledger.counts[TM_ARENA_EPHEMERAL].evicted);
}

static void a_smaller_store_is_a_reason(void **state)
{
    (void)state;
    fill(test.ephemeral, 0, 1500);
    (void)!tm_engine_set_size(test.engine, SIZE / 4u);
    assert_true(of_all().evicted[TM_EVICTED_SIZE] > 100);
}

static void what_a_shared_pool_loses_at_a_cap_is_counted_for_the_store(void **state)
{
    static const struct tm_uuid name = {{1, 2}};
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    struct tm_member *shared = tm_test_pool(test.client, TM_POOL_SHARED, &name);
    fill(shared, 0, 200);
    tm_client_set_cap(test.client, 100000);
    assert_true(of_all().evicted[TM_EVICTED_CAP] > 100);
}

/* ---- for whom ---- */

static void it_is_known_who_evicted_whom(void **state)
{
    struct tm_causer causers[TM_CAUSERS + 1u];
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    struct tm_member *pool = tm_test_pool(other, 0, NULL);
    (void)state;
    assert_int_equal(tm_client_causers(test.client, causers), 0);
    fill(test.ephemeral, 0, LARGER_THAN_STORE);
    assert_int_equal(tm_client_causers(test.client, causers), 0);
    fill(pool, 10000, 500);
    assert_int_equal(tm_client_causers(test.client, causers), 1);
    assert_string_equal(causers[0].name, "other");
    assert_int_equal(causers[0].pages, tm_test_client_figures(test.client).evicted_for_others);
    assert_int_equal(tm_client_causers(other, causers), 0);
}

static void the_table_of_causers_is_bounded_and_loses_no_page(void **state)
{
    struct tm_causer causers[TM_CAUSERS + 1u];
    uint64_t sum = 0;
    (void)state;
    for (unsigned i = 0; i < 3u * TM_CAUSERS; i++) {
        char name[TM_CLIENT_NAME_BYTES] = "";
        snprintf(name, sizeof name, "causer-%u", i);
        struct tm_client *causer = tm_test_client(&test, name, 100, UINT64_MAX);
        tm_note_causer(test.client, causer, 0);
        tm_note_causer(test.client, causer, i == 0 ? 1000 : i);
        tm_note_causer(test.client, causer, 1);
    }
    unsigned count = tm_client_causers(test.client, causers);
    assert_int_equal(count, TM_CAUSERS + 1u);
    bool has_first = false;
    for (unsigned i = 0; i < count; i++) {
        sum += causers[i].pages;
        has_first = has_first || (strcmp(causers[i].name, "causer-0") == 0 && causers[i].pages == 1001);
    }
    assert_true(has_first); /* who evicted most stays */
    assert_string_equal(causers[count - 1u].name, "");
    assert_int_equal(sum, tm_test_client_figures(test.client).evicted_for_others);
}

/* ---- why puts were refused ---- */

static void a_frozen_client_is_a_reason_to_refuse(void **state)
{
    (void)state;
    tm_client_set_frozen(test.client, true);
    assert_int_equal(tm_test_put(test.ephemeral, 1, 1, TM_TEST_RAW, 1), TM_REFUSED);
    assert_int_equal(of_client(test.client).refused[TM_REFUSAL_FROZEN], 1);
}

static void a_cap_is_a_reason_to_refuse(void **state)
{
    static const struct tm_uuid name = {{3, 4}};
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    struct tm_member *shared = tm_test_pool(test.client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    tm_client_set_cap(test.client, 1000);
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_RAW, 1), TM_REFUSED);
    assert_int_equal(tm_test_put(shared, 1, 1, TM_TEST_RAW, 1), TM_REFUSED);
    struct tm_ledger ledger = of_client(test.client);
    assert_int_equal(ledger.refused[TM_REFUSAL_CAP], 2);
    assert_int_equal(ledger.counts[TM_ARENA_PERSISTENT].puts_refused, 2);
    assert_int_equal(ledger.counts[TM_ARENA_EPHEMERAL].puts_refused, 0);
}

static void a_store_full_of_pages_that_stay_is_a_reason_to_refuse(void **state)
{
    enum tm_result result = TM_OK;
    (void)state;
    for (uint64_t i = 0; i < LARGER_THAN_STORE && result == TM_OK; i++)
        result = tm_test_put(test.persistent, i, 1, TM_TEST_RAW, i + 1u);
    assert_true(result == TM_REFUSED || result == TM_NOMEM);
    struct tm_ledger ledger = of_all();
    assert_int_equal(ledger.refused[TM_REFUSAL_ROOM] + ledger.refused[TM_REFUSAL_MEMORY], 1);
    tm_note_refused(test.persistent->pool, test.client, TM_NOMEM, 100);
    assert_true(of_all().refused[TM_REFUSAL_MEMORY] != 0);
}

/* ---- the end ---- */

static void what_has_ended_stays_on_the_books(void **state)
{
    struct tm_client *client = tm_test_client(&test, "short-lived", 100, UINT64_MAX);
    struct tm_member *pool = tm_test_pool(client, TM_POOL_PERSISTENT, NULL);
    (void)state;
    fill(pool, 0, 70);
    fill(tm_test_pool(client, 0, NULL), 100, 30);
    tm_client_set_cap(client, 1000);
    tm_pool_destroy(pool);
    struct tm_ledger ledger = of_client(client);
    assert_int_equal(ledger.counts[TM_ARENA_PERSISTENT].puts, 70);
    assert_int_equal(ledger.counts[TM_ARENA_PERSISTENT].pages, 0);
    assert_int_equal(tm_test_client_figures(client).counts.puts, 30);
    assert_int_equal(ledger.evicted[TM_EVICTED_CAP], 30);
    tm_client_destroy(client);
    ledger = of_all();
    assert_int_equal(ledger.counts[TM_ARENA_PERSISTENT].puts, 70);
    assert_int_equal(ledger.counts[TM_ARENA_EPHEMERAL].puts, 30);
    assert_int_equal(ledger.evicted[TM_EVICTED_CAP], 30);
    assert_int_equal(ledger.counts[TM_ARENA_EPHEMERAL].evicted, tm_test_figures(&test).evicted_pages);
    /* Whoever comes next has done nothing yet, in the same memory. */
    ledger = of_client(tm_test_client(&test, "next", 100, UINT64_MAX));
    assert_int_equal(ledger.counts[TM_ARENA_PERSISTENT].puts + evicted(&ledger), 0);
}

static void pools_are_told_one_after_the_other(void **state)
{
    struct tm_pool_figures figures;
    (void)state;
    fill(test.persistent, 0, 3);
    uint64_t first = tm_pool_id(test.ephemeral) < tm_pool_id(test.persistent) ? tm_pool_id(test.ephemeral)
                                                                              : tm_pool_id(test.persistent);
    assert_true(tm_pool_next_figures(test.client, 0, &figures));
    assert_int_equal(figures.id, first);
    uint64_t pages = figures.counts.pages;
    assert_true(tm_pool_next_figures(test.client, first, &figures));
    assert_int_equal(pages + figures.counts.pages, 3);
    assert_false(tm_pool_next_figures(test.client, figures.id, &figures));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_store_evicts_for_room),
        TEST(caps_sizes_and_operators_are_reasons_of_their_own),
        TEST(a_smaller_store_is_a_reason),
        TEST(what_a_shared_pool_loses_at_a_cap_is_counted_for_the_store),
        TEST(it_is_known_who_evicted_whom),
        TEST(the_table_of_causers_is_bounded_and_loses_no_page),
        TEST(a_frozen_client_is_a_reason_to_refuse),
        TEST(a_cap_is_a_reason_to_refuse),
        TEST(a_store_full_of_pages_that_stay_is_a_reason_to_refuse),
        TEST(what_has_ended_stays_on_the_books),
        TEST(pools_are_told_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
