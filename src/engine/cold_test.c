/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold_test.c - which pages become cold and when; what that costs at most; which come back; and that charges follow.
 */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

#define SECOND UINT64_C(1000000000)
#define AGE 60u
#define PAGES 200u

static struct tm_test_engine test;
static bool is_busy;
static uint64_t asked;

static bool has_idle_cpu(void *user)
{
    (void)user;
    asked++;
    return !is_busy;
}

static int set_up_with(bool survives)
{
    is_busy = false;
    asked = 0;
    tm_test_engine_host(&test, 64, TM_TEST_PLENTY);
    test.host.host.persistent_survives = survives;
    test.host.host.has_idle_cpu = has_idle_cpu;
    tm_test_engine_start(&test);
    test.host.now_ns = 1000 * SECOND;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(false);
}

static int set_up_surviving(void **state)
{
    (void)state;
    return set_up_with(true);
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_engine_fini(&test);
    return 0;
}

static void put_pages(struct tm_member *member, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(tm_test_put(member, 1, i, TM_TEST_SHORT, i), TM_OK);
}

static void check_pages(struct tm_member *member, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(tm_test_has(member, 1, i, TM_TEST_SHORT, i));
}

static bool is_cold(struct tm_member *member, uint32_t index)
{
    return tm_slot_is_cold(test.engine->store, tm_test_slot(member, 1, index));
}

static unsigned cold_pages(struct tm_member *member, unsigned count)
{
    unsigned cold = 0;
    for (unsigned i = 0; i < count; i++)
        cold += is_cold(member, i);
    return cold;
}

/* Pages in segments that are full: the others may still become neighbours of new ones. */
static unsigned closed_pages(struct tm_member *member, unsigned count)
{
    struct tm_arena *arena = &test.engine->store->arena[TM_ARENA_PERSISTENT];
    unsigned closed = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t number = tm_segment_of(arena, tm_slot_offset(tm_test_slot(member, 1, i)));
        closed += tm_segment_at(arena, number)->state == TM_SEGMENT_SEALED;
    }
    return closed;
}

/* Lets the background work until it wants a pause. */
static enum tm_work work_off(void)
{
    enum tm_work work = TM_WORK_MORE;
    for (unsigned i = 0; work == TM_WORK_MORE; i++) {
        assert_true(i < 10000);
        work = tm_engine_maintain(test.engine, 4);
    }
    return work;
}

static void pass(uint64_t seconds)
{
    test.host.now_ns += seconds * SECOND;
}

static void set_cold(uint32_t percent)
{
    assert_true(tm_engine_set_cold(test.engine, percent, AGE));
}

static uint64_t recompress(void)
{
    uint64_t pages = 77;
    assert_true(tm_engine_recompress(test.engine, &pages));
    return pages;
}

/* ---- when ---- */

static void pages_are_cold_when_nobody_asked_for_them_for_so_long(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    pass(2 * AGE);
    assert_int_equal(work_off(), TM_WORK_NONE); /* it is off by default */
    unsigned closed = closed_pages(test.persistent, PAGES);
    assert_in_range(closed, 8, PAGES - 1u);
    set_cold(100);
    assert_int_equal(work_off(), TM_WORK_LATER);
    pass(AGE - 1);
    assert_true(tm_test_has(test.persistent, 1, 7, TM_TEST_SHORT, 7));
    assert_int_equal(work_off(), TM_WORK_LATER);
    assert_int_equal(cold_pages(test.persistent, PAGES), 0);
    pass(1);
    assert_int_equal(work_off(), TM_WORK_LATER);
    assert_int_equal(cold_pages(test.persistent, PAGES), closed - 1u);
    assert_false(is_cold(test.persistent, 7));
    tm_heap_seal(test.client->account[TM_ARENA_PERSISTENT].heap);
    for (unsigned i = 0; i < 2; i++) {
        pass(AGE);
        work_off();
    }
    assert_true(is_cold(test.persistent, 7));
    check_pages(test.persistent, PAGES);
    tm_engine_check(test.engine);
}

static void when_all_is_cold_the_thread_may_sleep(void **state)
{
    enum tm_work work = TM_WORK_LATER;
    (void)state;
    put_pages(test.persistent, PAGES);
    set_cold(100);
    for (unsigned i = 0; i < 8 && work != TM_WORK_NONE; i++) {
        tm_heap_seal(test.client->account[TM_ARENA_PERSISTENT].heap);
        pass(AGE);
        work = work_off();
    }
    assert_int_equal(work, TM_WORK_NONE);
    assert_int_equal(cold_pages(test.persistent, PAGES), PAGES);
    /* Until something is closed again. */
    uint64_t kicks = test.host.kicks;
    put_pages(test.persistent, 3);
    tm_heap_seal(test.client->account[TM_ARENA_PERSISTENT].heap);
    assert_true(test.host.kicks > kicks);
    assert_int_equal(work_off(), TM_WORK_LATER);
}

static void what_is_switched_off_stops(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    tm_heap_seal(test.client->account[TM_ARENA_PERSISTENT].heap);
    set_cold(100);
    work_off();
    set_cold(0);
    pass(2 * AGE);
    assert_int_equal(work_off(), TM_WORK_NONE);
    assert_int_equal(cold_pages(test.persistent, PAGES), 0);
    /* In the middle of a round, too: then no span is spared any more. */
    const uint32_t *spared = &test.engine->store->arena[TM_ARENA_PERSISTENT].cool_span;
    set_cold(100);
    for (unsigned i = 0; i < 1000 && *spared == 0; i++)
        (void)tm_engine_maintain(test.engine, 1);
    assert_int_not_equal(*spared, 0);
    set_cold(0);
    work_off();
    assert_int_equal(*spared, 0);
}

static void all_accounts_have_their_turn(void **state)
{
    const struct tm_uuid uuid = {{1, 2}};
    struct tm_member *member[2];
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &uuid), TM_OK);
    member[0] = tm_test_pool(test.client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &uuid);
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    member[1] = tm_test_pool(other, TM_POOL_PERSISTENT, NULL);
    for (unsigned i = 0; i < 2; i++)
        put_pages(member[i], PAGES);
    put_pages(test.persistent, PAGES);
    assert_int_equal(recompress(), 3 * PAGES);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(cold_pages(member[i], PAGES), PAGES);
    tm_client_destroy(other);
    assert_int_equal(recompress(), 0);
    tm_engine_check(test.engine);
}

static void pages_that_may_go_become_cold_too_and_are_evicted_as_ever(void **state)
{
    (void)state;
    struct tm_heap *heap = test.client->account[TM_ARENA_EPHEMERAL].heap;
    put_pages(test.ephemeral, PAGES);
    tm_heap_seal(heap);
    while (tm_heap_promote(heap)) {
    }
    assert_int_equal(recompress(), PAGES);
    check_pages(test.ephemeral, PAGES);
    assert_true(tm_engine_reclaim(test.engine, UINT64_MAX) > 0);
    assert_int_equal(tm_test_counts(test.ephemeral).pages, 0);
    tm_engine_check(test.engine);
}

/* ---- at which cost ---- */

static void no_more_time_is_spent_than_the_budget_allows(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    work_off();
    unsigned closed = closed_pages(test.persistent, PAGES);
    set_cold(10);
    work_off();
    pass(AGE);
    test.host.clock_step_ns = SECOND / 1000; /* so long takes whatever is done between two looks at the clock */
    uint64_t began = test.host.now_ns;
    uint64_t before = tm_test_figures(&test).cold_spent_ns;
    for (unsigned i = 0; i < 1000 && cold_pages(test.persistent, PAGES) < closed; i++) {
        work_off();
        test.host.now_ns += SECOND / 50;
    }
    test.host.clock_step_ns = 0;
    assert_int_equal(cold_pages(test.persistent, PAGES), closed);
    uint64_t spent = tm_test_figures(&test).cold_spent_ns - before;
    /* What was saved up before, and one step beyond. */
    assert_in_range(spent, 1, (test.host.now_ns - began) / 10u + SECOND / 50u + SECOND / 250u);
}

static void while_all_cpus_are_busy_nothing_is_done(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    work_off();
    unsigned closed = closed_pages(test.persistent, PAGES);
    set_cold(100);
    work_off();
    pass(2 * AGE);
    is_busy = true;
    assert_int_equal(work_off(), TM_WORK_LATER);
    assert_int_equal(cold_pages(test.persistent, PAGES), 0);
    is_busy = false;
    asked = 0;
    work_off();
    assert_int_equal(cold_pages(test.persistent, PAGES), closed);
    assert_true(asked >= closed / 8u); /* for every few pages */
    /* By order it is done all the same. */
    is_busy = true;
    assert_int_equal(recompress(), PAGES - closed);
}

/* ---- and back ---- */

static void what_is_wanted_again_becomes_fast_again(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    set_cold(100);
    recompress();
    assert_int_equal(cold_pages(test.persistent, PAGES), PAGES);
    assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    assert_true(tm_test_has(test.persistent, 1, 4, TM_TEST_SHORT, 4));
    work_off();
    assert_true(is_cold(test.persistent, 3)); /* once is nothing */
    uint64_t kicks = test.host.kicks;
    assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    assert_true(test.host.kicks > kicks);
    work_off();
    assert_false(is_cold(test.persistent, 3));
    assert_true(is_cold(test.persistent, 4));
    assert_int_equal(tm_test_figures(&test).warmed_pages, 1);
    check_pages(test.persistent, PAGES);
    tm_engine_check(test.engine);
}

static void more_are_wanted_than_can_be_noted(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    set_cold(100);
    recompress();
    check_pages(test.persistent, PAGES);
    check_pages(test.persistent, PAGES);
    work_off();
    /* Fewer, where cleaning has moved a page before its turn. */
    uint64_t warmed = tm_test_figures(&test).warmed_pages;
    assert_in_range(warmed, 1, TM_WANTED_MOST);
    assert_int_equal(cold_pages(test.persistent, PAGES), PAGES - warmed);
    tm_engine_check(test.engine);
}

static void an_order_brings_back_what_is_wanted(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    recompress();
    for (unsigned i = 0; i < 2; i++)
        assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    assert_int_equal(recompress(), 0);
    assert_false(is_cold(test.persistent, 3));
    assert_int_equal(recompress(), 1); /* nobody has asked since */
    assert_true(is_cold(test.persistent, 3));
}

/* Nobody waits for whoever is at it: what is not done now is done later. */
static void what_somebody_else_is_at_is_left_to_him(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    recompress();
    set_cold(100);
    pass(AGE);
    test.engine->cold.busy.word = 1;
    assert_int_equal(work_off(), TM_WORK_LATER);
    test.engine->cold.busy.word = 0;
    test.engine->cold.wanted.busy.word = 1;
    for (unsigned i = 0; i < 2; i++)
        assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    test.engine->cold.wanted.busy.word = 0;
    assert_int_equal(test.engine->cold.wanted.count, 0);
    assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    test.engine->cold.wanted.busy.word = 1;
    work_off();
    test.engine->cold.wanted.busy.word = 0;
    assert_true(is_cold(test.persistent, 3));
    work_off();
    assert_false(is_cold(test.persistent, 3));
}

/* A host that cannot tell whether it is idle, and has no thread to be woken. */
static void a_host_may_know_nothing_of_idle_cpus(void **state)
{
    (void)state;
    tm_test_engine_stop(&test);
    test.host.host.has_idle_cpu = NULL;
    test.host.host.kick = NULL;
    tm_test_engine_start(&test);
    put_pages(test.persistent, PAGES);
    unsigned closed = closed_pages(test.persistent, PAGES);
    set_cold(100);
    work_off();
    pass(AGE);
    work_off();
    assert_true(closed != 0 && cold_pages(test.persistent, PAGES) != 0);
    recompress();
    for (unsigned i = 0; i < 2; i++)
        assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    work_off();
    assert_false(is_cold(test.persistent, 3));
}

static void what_is_gone_is_not_brought_back(void **state)
{
    struct tm_client *other = tm_test_client(&test, "other", 100, UINT64_MAX);
    struct tm_member *member = tm_test_pool(other, TM_POOL_PERSISTENT, NULL);
    (void)state;
    put_pages(test.persistent, 3);
    put_pages(member, 3);
    set_cold(100);
    recompress();
    for (unsigned i = 0; i < 2; i++) {
        assert_true(tm_test_has(test.persistent, 1, 0, TM_TEST_SHORT, 0));
        assert_true(tm_test_has(member, 1, 1, TM_TEST_SHORT, 1));
    }
    assert_int_equal(tm_test_invalidate(test.persistent, 1, 0), TM_OK);
    tm_client_destroy(other);
    work_off();
    assert_int_equal(tm_test_look(test.persistent, 1, 0), TM_MISS);
    assert_int_equal(tm_test_figures(&test).warmed_pages, 0);
    tm_engine_check(test.engine);
}

/* ---- the charge ---- */

static uint64_t charged(void)
{
    return tm_test_client_figures(test.client).charged_bytes;
}

static void the_charge_follows(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    set_cold(100);
    uint64_t before = charged();
    recompress();
    uint64_t saved = tm_test_figures(&test).cooled_saved_bytes;
    assert_true(saved > PAGES * 8u);
    assert_int_equal(charged(), before - saved);
    for (unsigned i = 0; i < 2; i++)
        assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    work_off();
    assert_int_equal(charged(), before - saved + saved / PAGES);
    tm_engine_check(test.engine);
}

static void a_page_whose_owner_is_at_its_cap_stays_cold(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    set_cold(100);
    recompress();
    tm_client_set_cap(test.client, charged());
    for (unsigned i = 0; i < 2; i++)
        assert_true(tm_test_has(test.persistent, 1, 3, TM_TEST_SHORT, 3));
    work_off();
    assert_true(is_cold(test.persistent, 3));
    assert_int_equal(tm_test_figures(&test).warmed_pages, 0);
    tm_engine_check(test.engine);
    check_pages(test.persistent, PAGES);
}

static void cold_pages_are_found_after_a_restart(void **state)
{
    (void)state;
    put_pages(test.persistent, PAGES);
    recompress();
    uint64_t before = charged();
    tm_test_engine_crash(&test);
    assert_int_equal(cold_pages(test.persistent, PAGES), PAGES);
    assert_int_equal(charged(), before);
    check_pages(test.persistent, PAGES);
    tm_engine_check(test.engine);
    assert_int_equal(tm_test_figures(&test).codec_blocks[TM_TEST_CODEC_COLD], PAGES);
}

static void without_a_slower_codec_there_is_nothing_to_do(void **state)
{
    uint64_t pages = 77;
    (void)state;
    tm_test_engine_stop(&test);
    test.host.codec.codec.cold_encodes = TM_CODEC_NONE;
    tm_test_engine_start(&test);
    assert_false(tm_engine_set_cold(test.engine, 10, AGE));
    assert_false(tm_engine_recompress(test.engine, &pages));
    assert_int_equal(pages, 77);
    assert_true(tm_engine_set_cold(test.engine, 0, AGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_are_cold_when_nobody_asked_for_them_for_so_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_all_is_cold_the_thread_may_sleep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_switched_off_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_accounts_have_their_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_that_may_go_become_cold_too_and_are_evicted_as_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_time_is_spent_than_the_budget_allows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_all_cpus_are_busy_nothing_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wanted_again_becomes_fast_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_are_wanted_than_can_be_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_brings_back_what_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_somebody_else_is_at_is_left_to_him, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_host_may_know_nothing_of_idle_cpus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_gone_is_not_brought_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_charge_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_whose_owner_is_at_its_cap_stays_cold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cold_pages_are_found_after_a_restart, set_up_surviving, tear_down),
        cmocka_unit_test_setup_teardown(without_a_slower_codec_there_is_nothing_to_do, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cold", tests, NULL, NULL);
}
