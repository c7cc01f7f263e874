/* SPDX-License-Identifier: BSD-2-Clause */
/* sketch_test.c - how often pages were asked for: estimates, their ageing, and what there is without memory. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "tests/support/test_host.h"

#define PAGES 4096u
#define MOST 15u

static struct tm_test_host host;
static struct tm_sketch sketch;

static int set_up(void **state)
{
    (void)state;
    tm_test_host_init(&host, 2, 1);
    memset(&sketch, 0, sizeof sketch);
    assert_true(tm_sketch_start(&sketch, &host.host, PAGES));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_sketch_fini(&sketch, &host.host);
    tm_sketch_fini(&sketch, &host.host); /* again does nothing */
    assert_true(tm_test_host_is_clean(&host));
    tm_test_host_fini(&host);
    return 0;
}

/* Chunks' hashes are as good as random. */
static uint32_t hash_of(uint32_t page)
{
    return (uint32_t)tm_scramble(page / 64u + 1u);
}

static void ask_for(uint32_t page, unsigned times)
{
    while (times-- > 0) {
        tm_sketch_prefetch(&sketch, hash_of(page), page % 64u);
        tm_sketch_add(&sketch, page, hash_of(page), page % 64u);
    }
}

static unsigned estimate(uint32_t page)
{
    return tm_sketch_estimate(&sketch, hash_of(page), page % 64u);
}

/* Events of pages that nobody looks at, until no sweep is under way. */
static void finish_sweep(void)
{
    for (uint32_t i = 0; sketch.hand < sketch.lines; i++)
        ask_for(1000000u + i % 16u, 1);
}

static void a_page_that_was_never_asked_for_counts_nothing(void **state)
{
    (void)state;
    for (uint32_t page = 0; page < 1000; page++)
        assert_int_equal(estimate(page), 0);
}

static void a_page_counts_as_often_as_it_was_asked_for_up_to_the_most(void **state)
{
    (void)state;
    for (unsigned times = 1; times <= 20; times++) {
        ask_for(7, 1);
        assert_int_equal(estimate(7), times < MOST ? times : MOST);
    }
    assert_int_equal(estimate(8), 0); /* its neighbour does not */
}

static void estimates_are_never_too_low_and_seldom_too_high(void **state)
{
    unsigned too_high = 0;
    (void)state;
    tm_sketch_set_period(&sketch, UINT64_MAX); /* without ageing */
    for (uint32_t page = 0; page < PAGES; page++)
        ask_for(page, page % 5u);
    for (uint32_t page = 0; page < PAGES; page++) {
        assert_true(estimate(page) >= page % 5u);
        too_high += estimate(page) > page % 5u;
    }
    assert_true(too_high < PAGES / 10u);
}

static void what_was_counted_halves_with_every_period(void **state)
{
    uint32_t other = 5000;
    (void)state;
    tm_sketch_set_period(&sketch, 1); /* as short as makes sense: an event for each line */
    assert_int_equal(sketch.period, sketch.lines);
    ask_for(7, 12);
    unsigned expected = 12;
    for (unsigned round = 0; round < 4; round++) {
        unsigned before = estimate(7);
        assert_int_equal(before, expected);
        while (sketch.hand == sketch.lines)
            ask_for(other++, 1);
        expected /= 2;
        assert_int_equal(sketch.hand, 0);
        assert_int_equal(estimate(7), expected); /* at once, though no line has been halved yet */
        while (sketch.hand < sketch.lines) {
            assert_int_equal(estimate(7), expected); /* and while they are */
            ask_for(other++, 1);
        }
        assert_int_equal(estimate(7), expected);
    }
    assert_int_equal(expected, 0);
}

static void counting_goes_on_during_a_sweep(void **state)
{
    uint32_t other = 5000;
    (void)state;
    tm_sketch_set_period(&sketch, 1);
    while (sketch.hand == sketch.lines)
        ask_for(other++, 1);
    /* Lines that have not been reached yet count in twos. */
    for (uint32_t page = 0; page < 16; page++) {
        unsigned before = estimate(page);
        tm_sketch_add(&sketch, 1000u + page, hash_of(page), page % 64u);
        assert_int_equal(estimate(page), before + 1u);
    }
    for (unsigned times = 0; times < 20; times++)
        tm_sketch_add(&sketch, 0, hash_of(20), 20);
    assert_true(estimate(20) >= MOST / 2u);
    finish_sweep();
    for (uint32_t page = 0; page < 16; page++)
        assert_true(estimate(page) >= 1);
}

static void threads_with_counters_of_their_own_count_for_one_period(void **state)
{
    (void)state;
    uint64_t period = sketch.period;
    assert_true(period >= PAGES);
    uint64_t events = 0;
    for (; sketch.hand == sketch.lines; events++)
        tm_sketch_add(&sketch, (unsigned)(events % 4u), (uint32_t)tm_scramble(events), 0);
    assert_true(events >= period && events <= period + 64u);
}

static void without_memory_all_pages_look_alike(void **state)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), true, 1};
    struct tm_sketch none = {0};
    (void)state;
    tm_test_host_plan(&host, &plan);
    assert_false(tm_sketch_start(&none, &host.host, PAGES));
    tm_test_host_plan(&host, NULL);
    assert_int_equal(tm_sketch_estimate(&none, 1, 1), tm_sketch_estimate(&none, 2, 2));
    tm_sketch_prefetch(&none, 1, 1);
    tm_sketch_add(&none, 0, 1, 1);
    assert_int_equal(tm_sketch_estimate(&none, 1, 1), tm_sketch_estimate(&none, 2, 2));
    tm_sketch_fini(&none, &host.host);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_page_that_was_never_asked_for_counts_nothing),
        TEST(a_page_counts_as_often_as_it_was_asked_for_up_to_the_most),
        TEST(estimates_are_never_too_low_and_seldom_too_high),
        TEST(what_was_counted_halves_with_every_period),
        TEST(counting_goes_on_during_a_sweep),
        TEST(threads_with_counters_of_their_own_count_for_one_period),
        TEST(without_memory_all_pages_look_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
