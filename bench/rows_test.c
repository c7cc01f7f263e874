/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows_test.c - medians, rounds that are void, rows that are skipped, and bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bounds.h"
#include "rows.h"

static struct bench_rows rows;

static int start_over(void **state)
{
    (void)state;
    rows = (struct bench_rows){0};
    return 0;
}

static int drop_rows(void **state)
{
    (void)state;
    bench_rows_free(&rows);
    return 0;
}

static bool near(double value, double expected)
{
    return value > expected - 1e-9 && value < expected + 1e-9;
}

static void fill(struct bench_samples *samples, const double *values, size_t count)
{
    assert_true(bench_samples_reserve(samples, count));
    for (size_t i = 0; i < count; i++)
        bench_samples_add(samples, values[i]);
}

static void medians_and_percentiles(void **state)
{
    static const double odd[] = {9, 1, 5};
    static const double even[] = {4, 1, 3, 2};
    struct bench_samples samples = {NULL, 0, 0};
    struct bench_samples all = {NULL, 0, 0};
    (void)state;
    assert_true(near(bench_samples_median(&samples), 0));
    assert_true(near(bench_samples_percentile(&samples, 50), 0));
    fill(&samples, odd, 3);
    assert_true(near(bench_samples_median(&samples), 5));
    bench_samples_add(&samples, 100); /* no room: not taken */
    assert_int_equal(samples.count, 3);
    assert_true(bench_samples_join(&all, &samples));
    bench_samples_free(&samples);
    fill(&samples, even, 4);
    assert_true(near(bench_samples_median(&samples), 2.5));
    assert_true(bench_samples_join(&all, &samples));
    assert_int_equal(all.count, 7);
    assert_true(near(bench_samples_percentile(&all, 0), 1));
    assert_true(near(bench_samples_percentile(&all, 100), 9));
    assert_true(near(bench_samples_percentile(&all, 50), 3));
    bench_samples_free(&samples);
    bench_samples_free(&all);
}

static const struct bench_case get_raw = {"get-random", "raw", 1, "ns", true, "cold-copy"};

/* A round with its probe on both sides. */
static void add_round(const struct bench_case *what, double probe, double value, double limit)
{
    assert_true(bench_rows_probe(&rows, probe));
    assert_true(bench_rows_probe(&rows, probe));
    assert_true(bench_rows_add(&rows, what, value, limit));
}

static void a_row_is_the_median_of_its_rounds(void **state)
{
    static const double values[] = {500, 520, 480, 510, 490, 505, 495};
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(rows.count, i > 0);
        assert_false(i > 0 && bench_rows_judge(&rows));
        add_round(&get_raw, 400, values[i], 400);
    }
    assert_true(bench_rows_judge(&rows));
    assert_false(bench_rows_lack(&rows, "raw"));
    assert_int_equal(rows.row[0].valid, 7);
    assert_true(near(rows.row[0].value, 500));
    assert_true(near(rows.row[0].ratio, 1.25));
    assert_true(rows.row[0].holds);
}

static void rounds_beside_an_uneven_probe_are_void(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        add_round(&get_raw, 400, 500, 400);
    add_round(&get_raw, 600, 5000, 600);
    assert_false(bench_rows_judge(&rows));
    assert_int_equal(rows.row[0].rounds, 7);
    assert_int_equal(rows.row[0].valid, 6);
    assert_true(near(rows.row[0].value, 500));
    add_round(&get_raw, 410, 510, 410);
    assert_true(bench_rows_judge(&rows));
    /* Off before the case only, or after it only, is off as well. */
    assert_true(bench_rows_probe(&rows, 300));
    assert_true(bench_rows_probe(&rows, 400));
    assert_true(bench_rows_add(&rows, &get_raw, 9, 9));
    assert_true(bench_rows_probe(&rows, 300));
    assert_true(bench_rows_add(&rows, &get_raw, 9, 9));
    assert_true(bench_rows_judge(&rows));
    assert_int_equal(rows.row[0].rounds, 10);
    assert_int_equal(rows.row[0].valid, 7);
}

static void a_row_of_void_rounds_has_none(void **state)
{
    const struct bench_case other = {"miss", "raw", 1, "ns", true, "cold-copy"};
    (void)state;
    for (unsigned i = 0; i < 9; i++)
        add_round(&get_raw, 400, 500, 400);
    add_round(&other, 900, 50, 900);
    assert_true(bench_rows_lack(&rows, "raw"));
    assert_false(bench_rows_judge(&rows));
    assert_true(bench_rows_lack(&rows, "raw"));
    assert_true(bench_rows_lack(&rows, "lz4"));
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.row[1].valid, 0);
    assert_int_equal(rows.row[1].rounds, 1);
}

/* What does not depend on time is measured once, whatever the probe says. */
static void what_is_not_timed_needs_one_round(void **state)
{
    const struct bench_case metadata = {"metadata-objects-of-64", "raw", 1, "bytes", false, NULL};
    (void)state;
    for (unsigned i = 0; i < 7; i++)
        add_round(&get_raw, 400, 500, 400);
    add_round(&metadata, 900, 40, 0);
    assert_true(bench_rows_judge(&rows));
    assert_int_equal(rows.row[1].valid, 1);
    assert_true(near(rows.row[1].ratio, 40));
    assert_true(rows.row[1].holds);
}

static void rows_differ_by_case_codec_and_threads(void **state)
{
    struct bench_case what = get_raw;
    (void)state;
    add_round(&what, 400, 1, 1);
    add_round(&what, 400, 1, 1);
    what.threads = 2;
    add_round(&what, 400, 1, 1);
    what.codec = "lz4";
    add_round(&what, 400, 1, 1);
    what.name = "miss";
    add_round(&what, 400, 1, 1);
    assert_int_equal(rows.count, 4);
    assert_int_equal(rows.row[0].rounds, 2);
}

static void no_more_rounds_than_there_is_room_for(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BENCH_ROUNDS_MAX; i++)
        add_round(&get_raw, 400, 1, 1);
    assert_false(bench_rows_add(&rows, &get_raw, 1, 1));
}

static void bounds_hold_from_their_side(void **state)
{
    const struct bench_case returned = {"returned", "lz4", 1, "percent", false, NULL};
    const struct bench_case unbounded = {"get-16", "zstd", 1, "ns", true, "cold-copy"};
    (void)state;
    add_round(&get_raw, 400, 400 * 1.35 + 1, 400);
    add_round(&returned, 400, 95 - 1, 0);
    add_round(&unbounded, 400, 1, 1);
    (void)bench_rows_judge(&rows);
    assert_false(rows.row[0].holds);
    assert_false(rows.row[1].holds);
    assert_true(near(rows.row[2].bound, 0));
    rows.row[0].round[0].value -= 2;
    rows.row[1].round[0].value += 2;
    (void)bench_rows_judge(&rows);
    assert_true(rows.row[0].holds);
    assert_true(rows.row[1].holds);
}

static void bounds_are_found(void **state)
{
    (void)state;
    assert_null(bench_bound_of("no-such-case", "raw", 1));
    assert_null(bench_bound_of("get-random", "zstd", 1));
    assert_null(bench_bound_of("get-random", "raw", 3));
    assert_true(near(bench_bound_of("get-random", "raw", 1)->bound, 1.35));
    assert_non_null(bench_bound_of("miss", "zstd", 1));
    assert_true(bench_bound_of("returned", "lz4", 1)->at_least);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_and_percentiles),
        cmocka_unit_test_setup_teardown(a_row_is_the_median_of_its_rounds, start_over, drop_rows),
        cmocka_unit_test_setup_teardown(rounds_beside_an_uneven_probe_are_void, start_over, drop_rows),
        cmocka_unit_test_setup_teardown(a_row_of_void_rounds_has_none, start_over, drop_rows),
        cmocka_unit_test_setup_teardown(what_is_not_timed_needs_one_round, start_over, drop_rows),
        cmocka_unit_test_setup_teardown(rows_differ_by_case_codec_and_threads, start_over, drop_rows),
        cmocka_unit_test_setup_teardown(no_more_rounds_than_there_is_room_for, start_over, drop_rows),
        cmocka_unit_test_setup_teardown(bounds_hold_from_their_side, start_over, drop_rows),
        cmocka_unit_test(bounds_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
