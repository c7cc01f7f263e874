/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_test.c - what is made of streams, what a store finds of one, and the judgement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cells.h"
#include "in_use.h"
#include "order.h"
#include "stream.h"

static struct policy_trace trace;
static struct policy_stream made;

static int start_over(void **state)
{
    (void)state;
    trace = (struct policy_trace){0};
    made = (struct policy_stream){0};
    return 0;
}

static int drop_streams(void **state)
{
    (void)state;
    policy_trace_free(&trace);
    policy_stream_free(&made);
    return 0;
}

/* Each letter is a page; small and large ones are those of two files. */
static void read_pages(const char *letters)
{
    for (; *letters != '\0'; letters++) {
        uint32_t file;
        bool is_large = *letters < 'a';
        assert_true(policy_trace_file(&trace, 7, is_large ? 1 : 2, &file));
        assert_true(policy_trace_read(&trace, file, (uint32_t)*letters));
    }
}

static void assert_accesses(const uint32_t *numbers, uint64_t count)
{
    assert_int_equal(made.count, count);
    assert_memory_equal(made.access, numbers, (size_t)count * sizeof *numbers);
}

static void pages_are_numbered_as_they_come(void **state)
{
    (void)state;
    read_pages("aBaAB");
    static const uint32_t expected[] = {0, 1, 0, 2, 1};
    assert_int_equal(trace.stream.pages, 3);
    assert_int_equal(trace.stream.files, 2);
    assert_memory_equal(trace.stream.access, expected, sizeof expected);
    assert_int_equal(trace.stream.page[2].file, 1);
    assert_int_equal(trace.stream.page[2].index, 'A');
}

static void many_pages_and_files_are_told_apart(void **state)
{
    uint32_t file;
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            assert_true(policy_trace_file(&trace, i % 3u, i / 3u, &file));
            assert_int_equal(file, i);
            assert_true(policy_trace_read(&trace, file, i % 5u));
        }
    }
    assert_int_equal(trace.stream.pages, 20000);
    assert_int_equal(trace.stream.count, 40000);
    assert_memory_equal(trace.stream.access, trace.stream.access + 20000, 20000 * sizeof(uint32_t));
}

static void a_cache_in_front_keeps_what_it_answers(void **state)
{
    (void)state;
    read_pages("abacbdab");
    assert_true(policy_stream_behind(&made, &trace.stream, 2));
    static const uint32_t expected[] = {0, 1, 2, 1, 3, 0, 1}; /* only the second a is found */
    assert_accesses(expected, 7);
    policy_stream_free(&made);
    assert_true(policy_stream_behind(&made, &trace.stream, 0));
    assert_int_equal(made.count, 8);
}

static void a_scan_comes_in_the_middle(void **state)
{
    (void)state;
    read_pages("abab");
    assert_true(policy_stream_with_scan(&made, &trace.stream, 3));
    static const uint32_t expected[] = {0, 1, 2, 3, 4, 0, 1};
    assert_accesses(expected, 7);
    assert_int_equal(made.scan_from, 2);
    assert_int_equal(made.scan_to, 5);
    assert_int_equal(policy_stream_counted(&made), 4);
    assert_int_equal(made.page[4].file, 1); /* of its own */
}

static void a_scan_is_still_known_behind_a_cache(void **state)
{
    struct policy_stream with = {0};
    (void)state;
    read_pages("aaaa");
    assert_true(policy_stream_with_scan(&with, &trace.stream, 3));
    assert_true(policy_stream_behind(&made, &with, 2));
    policy_stream_free(&with);
    static const uint32_t expected[] = {0, 1, 2, 3, 0};
    assert_accesses(expected, 5);
    assert_int_equal(made.scan_from, 1);
    assert_int_equal(made.scan_to, 4);
}

static void a_mix_keeps_each_streams_order(void **state)
{
    struct policy_stream loops[2] = {{0}};
    const struct policy_stream *const both[] = {&loops[0], &loops[1]};
    (void)state;
    assert_true(policy_stream_loop(&loops[0], 1000, 2));
    assert_true(policy_stream_loop(&loops[1], 3000, 1));
    assert_true(policy_stream_mix(&made, both, 2));
    assert_int_equal(made.count, 5000);
    assert_int_equal(made.pages, 4000);
    assert_int_equal(made.files, 2);
    uint32_t next[2] = {0, 0};
    unsigned turns = 0;
    for (uint64_t i = 0; i < made.count; i++) {
        unsigned who = made.access[i] >= 1000;
        assert_int_equal(made.access[i], who == 0 ? next[0] % 1000u : 1000u + next[1]);
        turns += i > 0 && who != (made.access[i - 1] >= 1000);
        next[who]++;
    }
    assert_true(turns > 20);
    policy_stream_free(&loops[0]);
    policy_stream_free(&loops[1]);
}

static void streams_take_turns(void **state)
{
    struct policy_stream loop = {0};
    const struct policy_stream *const both[] = {&trace.stream, &loop};
    static const uint32_t expected[] = {0, 1, 4, 5, 6, 2, 3, 0, 4, 5, 6};
    (void)state;
    read_pages("abcda");
    assert_true(policy_stream_loop(&loop, 3, 2));
    assert_true(policy_stream_turns(&made, both, 2, 2));
    policy_stream_free(&loop);
    assert_accesses(expected, 11);
    assert_int_equal(made.pages, 7);
}

/* ---- the store ---- */

static void a_store_holds_as_many_pages_as_was_measured(void **state)
{
    struct policy_room room;
    uint64_t hits;
    (void)state;
    assert_true(policy_stream_loop(&made, 4500, 1));
    assert_int_equal(policy_room_find(&made, 4500, &room), TM_EXIT_OK);
    assert_true(room.capacity > 4300 && room.capacity < 4700);
    policy_stream_free(&made);
    uint32_t pages = room.capacity / 10u * 9u;
    assert_true(policy_stream_loop(&made, pages, 3));
    assert_int_equal(policy_in_use_run(&room, &made, &hits), TM_EXIT_OK);
    assert_int_equal(hits, 2u * pages);
    policy_stream_free(&made);
    assert_true(policy_stream_loop(&made, room.capacity * 2u, 5));
    uint64_t best;
    assert_true(policy_order_run(&policy_best, &made, room.capacity, &best));
    assert_int_equal(policy_in_use_run(&room, &made, &hits), TM_EXIT_OK);
    assert_true(hits > best / 2u && hits <= best);
}

/* ---- the judgement ---- */

static void add_cell(struct policy_cells *cells, unsigned class, uint64_t lirs, uint64_t in_use)
{
    struct policy_cell *cell = &cells->cell[cells->count++];
    cell->class = class;
    cell->accesses = 1000;
    cell->hits[POLICY_LRU] = 100;
    cell->hits[POLICY_LIRS] = lirs;
    cell->hits[POLICY_IN_USE] = in_use;
    cell->hits[POLICY_BEST] = 900;
}

static void the_order_in_use_is_compared_with_the_best_of_the_others(void **state)
{
    static struct policy_cells cells;
    (void)state;
    cells.classes = 2;
    cells.class[0].trace = "search";
    cells.class[1].trace = policy_loop_name;
    add_cell(&cells, 0, 500, 480);
    add_cell(&cells, 0, 300, 310);
    add_cell(&cells, 1, 500, 600);
    add_cell(&cells, 1, 500, 0);
    policy_cells_judge(&cells);
    assert_int_equal(cells.class[0].rival, POLICY_LIRS);
    assert_true(cells.class[0].holds); /* 0.395 of 0.4 */
    assert_false(cells.class[1].holds);
    assert_false(cells.average.holds); /* 0.3475 of 0.45 */
    assert_int_equal(cells.average.cells, 4);
    assert_int_equal(cells.loops_without_hits, 1);
    assert_true(cells.average.ratio[POLICY_BEST] > 0.8999 && cells.average.ratio[POLICY_BEST] < 0.9001);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_over, drop_streams)
    const struct CMUnitTest tests[] = {
        TEST(pages_are_numbered_as_they_come),
        TEST(many_pages_and_files_are_told_apart),
        TEST(a_cache_in_front_keeps_what_it_answers),
        TEST(a_scan_comes_in_the_middle),
        TEST(a_scan_is_still_known_behind_a_cache),
        TEST(a_mix_keeps_each_streams_order),
        TEST(streams_take_turns),
        TEST(a_store_holds_as_many_pages_as_was_measured),
        TEST(the_order_in_use_is_compared_with_the_best_of_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
