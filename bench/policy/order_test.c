/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * order_test.c - every order on streams that are short enough to be worked out by hand, and the best against all on
 * random ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mix.h"
#include "order.h"

static const struct policy_order *const all[] = {&policy_lru, &policy_clock, &policy_sieve, &policy_s3_fifo,
                                                 &policy_arc, &policy_lirs, &policy_best};

static struct policy_stream stream;

static int start_over(void **state)
{
    (void)state;
    stream = (struct policy_stream){0};
    return 0;
}

static int drop_stream(void **state)
{
    (void)state;
    policy_stream_free(&stream);
    return 0;
}

static void name_pages(uint32_t pages)
{
    uint32_t number;
    for (uint32_t i = 0; i < pages; i++)
        assert_true(policy_stream_name(&stream, (struct policy_page){0, i}, &number));
}

/* Each letter is a page. */
static void read_pages(const char *letters)
{
    name_pages(26);
    for (; *letters != '\0'; letters++)
        assert_true(policy_stream_add(&stream, (uint32_t)(*letters - 'a')));
}

static uint64_t hits(const struct policy_order *order, uint32_t capacity)
{
    uint64_t found = 0;
    assert_true(policy_order_run(order, &stream, capacity, &found));
    return found;
}

static void nothing_is_lost_where_all_fits(void **state)
{
    (void)state;
    read_pages("abcdeabcdeabcde");
    for (unsigned i = 0; i < TM_ARRAY_SIZE(all); i++)
        if (all[i] != &policy_lirs) /* it keeps a place for what passes through: see below */
            assert_int_equal(hits(all[i], 5), 10);
    assert_int_equal(hits(&policy_lirs, 6), 10);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    read_pages("abcdabeabcde"); /* 3 places: only the second ab after e is found */
    assert_int_equal(hits(&policy_lru, 3), 2);
    assert_int_equal(hits(&policy_lru, 4), 4);
    assert_int_equal(hits(&policy_best, 3), 5);
}

static void what_was_used_goes_round_again(void **state)
{
    (void)state;
    read_pages("aabcda"); /* d: a was used and goes round, b goes */
    assert_int_equal(hits(&policy_lru, 3), 1);
    assert_int_equal(hits(&policy_clock, 3), 2);
    assert_int_equal(hits(&policy_sieve, 3), 2);
}

static void the_hand_of_sieve_passes_over_what_was_used(void **state)
{
    (void)state;
    read_pages("aabcdefa"); /* CLOCK: b, c, a go. SIEVE: b, c, d go, since a stays in its place behind the hand */
    assert_int_equal(hits(&policy_clock, 3), 1);
    assert_int_equal(hits(&policy_sieve, 3), 2);
}

static void what_comes_back_soon_goes_to_the_main_queue(void **state)
{
    (void)state;
    /* 1 place of 4 is small. a, used twice there, goes to main; b, c, d leave; b comes back, to main. */
    read_pages("aaabcdefgbab");
    assert_int_equal(hits(&policy_lru, 4), 3);
    assert_int_equal(hits(&policy_s3_fifo, 4), 4);
}

static void lists_adapt_to_what_comes_back(void **state)
{
    (void)state;
    /* c drives b out, since a was used twice. b comes back: a goes. c is found; a comes back: b goes; c is found. */
    read_pages("aabcabcac");
    assert_int_equal(hits(&policy_arc, 2), 4);
    assert_int_equal(hits(&policy_lru, 2), 2);
}

static void half_a_loop_stays(void **state)
{
    (void)state;
    read_pages("abcdabcdabcd"); /* a and b stay, the third place is for what passes through */
    assert_int_equal(hits(&policy_lru, 3), 0);
    assert_int_equal(hits(&policy_lirs, 3), 4);
    assert_int_equal(hits(&policy_best, 3), 6);
}

static void what_is_used_again_soon_takes_the_oldest_place(void **state)
{
    (void)state;
    /* a and b stay. c passes, and is used again while it is in the history: it stays, and a, used longest ago, passes
     * and goes with d. */
    read_pages("abccdbcbc");
    assert_int_equal(hits(&policy_lirs, 3), 5);
}

static void the_best_takes_no_page_that_is_needed_later_than_all_others(void **state)
{
    (void)state;
    read_pages("abacadab"); /* b stays besides a, c and d never come */
    assert_int_equal(hits(&policy_best, 2), 4);
    assert_int_equal(hits(&policy_best, 1), 3);
}

static void what_a_scan_finds_is_not_counted(void **state)
{
    (void)state;
    read_pages("ababab");
    stream.scan_from = 2;
    stream.scan_to = 4;
    assert_int_equal(hits(&policy_lru, 2), 2);
    assert_int_equal(policy_stream_counted(&stream), 4);
}

/* Of the pages, the first are read more often. */
static void read_at_random(uint64_t seed, uint32_t pages, uint64_t count)
{
    name_pages(pages);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bound = (uint32_t)(tm_random_next(&seed) % pages) + 1u;
        assert_true(policy_stream_add(&stream, (uint32_t)(tm_random_next(&seed) % bound)));
    }
}

static void nobody_is_better_than_the_best(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        read_at_random(seed, 60, 3000);
        for (uint32_t capacity = 1; capacity <= 64; capacity += 7) {
            uint64_t most = hits(&policy_best, capacity);
            for (unsigned i = 0; i < TM_ARRAY_SIZE(all); i++)
                assert_true(hits(all[i], capacity) <= most);
            assert_true(hits(&policy_lru, capacity) > 0);
        }
        policy_stream_free(&stream);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_over, drop_stream)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_lost_where_all_fits),
        TEST(the_least_recently_used_goes_first),
        TEST(what_was_used_goes_round_again),
        TEST(the_hand_of_sieve_passes_over_what_was_used),
        TEST(what_comes_back_soon_goes_to_the_main_queue),
        TEST(lists_adapt_to_what_comes_back),
        TEST(half_a_loop_stays),
        TEST(what_is_used_again_soon_takes_the_oldest_place),
        TEST(the_best_takes_no_page_that_is_needed_later_than_all_others),
        TEST(what_a_scan_finds_is_not_counted),
        TEST(nobody_is_better_than_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
