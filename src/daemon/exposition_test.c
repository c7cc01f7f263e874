/* SPDX-License-Identifier: BSD-2-Clause */
/* exposition_test.c - metrics as text in both formats, latencies and their buckets, what an Accept header asks for. */
#include "daemon/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tm_exposition out;

/* What was written since begin(), which the next call of it frees. */
static void assert_text(const char *expected)
{
    assert_true(tm_exposition_end(&out));
    out.text = realloc(out.text, out.length + 1u);
    assert_non_null(out.text);
    out.text[out.length] = '\0';
    assert_string_equal(out.text, expected);
    free(out.text);
}

/* ---- texts ---- */

static void a_counter_is_called_after_the_format(void **state)
{
    const struct tm_label label = {"kind", "ephemeral"};
    (void)state;
    tm_exposition_begin(&out, false);
    tm_exposition_family(&out, TM_FAMILY_COUNTER, "x_puts", "Puts.");
    tm_exposition_number(&out, &label, 1, UINT64_MAX);
    assert_text("# HELP x_puts_total Puts.\n# TYPE x_puts_total counter\n"
                "x_puts_total{kind=\"ephemeral\"} 18446744073709551615\n");
    tm_exposition_begin(&out, true);
    tm_exposition_family(&out, TM_FAMILY_COUNTER, "x_puts", "Puts.");
    tm_exposition_number(&out, NULL, 0, 0);
    assert_text("# HELP x_puts Puts.\n# TYPE x_puts counter\nx_puts_total 0\n# EOF\n");
}

static void information_is_a_gauge_where_there_is_no_such_type(void **state)
{
    const struct tm_label label = {"version", "1"};
    (void)state;
    tm_exposition_begin(&out, false);
    tm_exposition_family(&out, TM_FAMILY_INFO, "x_build", "Build.");
    tm_exposition_number(&out, &label, 1, 1);
    assert_text("# HELP x_build_info Build.\n# TYPE x_build_info gauge\nx_build_info{version=\"1\"} 1\n");
    tm_exposition_begin(&out, true);
    tm_exposition_family(&out, TM_FAMILY_INFO, "x_build", "Build.");
    tm_exposition_number(&out, &label, 1, 1);
    assert_text("# HELP x_build Build.\n# TYPE x_build info\nx_build_info{version=\"1\"} 1\n# EOF\n");
}

static void labels_and_help_are_escaped(void **state)
{
    const struct tm_label labels[] = {{"a", "say \"\\\n\""}, {"b", ""}};
    (void)state;
    tm_exposition_begin(&out, false);
    tm_exposition_family(&out, TM_FAMILY_GAUGE, "x", "A \"quote\", a \\ and\nan end.");
    tm_exposition_number(&out, labels, 2, 1);
    assert_text("# HELP x A \"quote\", a \\\\ and\\nan end.\n# TYPE x gauge\nx{a=\"say \\\"\\\\\\n\\\"\",b=\"\"} 1\n");
    tm_exposition_begin(&out, true);
    tm_exposition_family(&out, TM_FAMILY_GAUGE, "x", "\"");
    assert_text("# HELP x \\\"\n# TYPE x gauge\n# EOF\n");
}

static void seconds_are_exact(void **state)
{
    (void)state;
    tm_exposition_begin(&out, false);
    tm_exposition_family(&out, TM_FAMILY_GAUGE, "x", "");
    tm_exposition_seconds(&out, NULL, 0, 0);
    tm_exposition_seconds(&out, NULL, 0, 1);
    tm_exposition_seconds(&out, NULL, 0, UINT64_C(12345678900000000));
    assert_text("# HELP x \n# TYPE x gauge\nx 0.0\nx 0.000000001\nx 12345678.9\n");
}

static void a_text_grows_as_it_must(void **state)
{
    char value[1000];
    const struct tm_label label = {"a", value};
    (void)state;
    memset(value, 'x', sizeof value - 1u);
    value[sizeof value - 1u] = '\0';
    tm_exposition_begin(&out, false);
    tm_exposition_family(&out, TM_FAMILY_GAUGE, "x", "");
    for (unsigned i = 0; i < 1000; i++)
        tm_exposition_number(&out, &label, 1, 7);
    assert_true(tm_exposition_end(&out));
    assert_int_equal(out.length, strlen("# HELP x \n# TYPE x gauge\n") + 1000u * strlen("x{a=\"\"} 7\n") + 999000u);
    free(out.text);
}

static void a_histogram_counts_up_and_ends_with_all(void **state)
{
    static struct tm_latency latency;
    const struct tm_label label = {"operation", "get"};
    char *at;
    uint64_t before = 0;
    unsigned buckets = 0;
    (void)state;
    tm_latency_note(&latency, 100);
    tm_latency_note(&latency, 1000);
    tm_latency_note(&latency, UINT64_C(5000000000));
    tm_exposition_begin(&out, false);
    tm_exposition_family(&out, TM_FAMILY_HISTOGRAM, "x", "");
    tm_exposition_histogram(&out, &label, 1, &latency);
    tm_exposition_number(&out, NULL, 0, 0); /* so that there is an end to the last line that is looked at */
    assert_true(tm_exposition_end(&out));
    out.text[out.length - 1u] = '\0';
    for (at = strstr(out.text, "x_bucket"); at != NULL; at = strstr(at + 1, "x_bucket"), buckets++) {
        uint64_t count = strtoull(strchr(at, ' ') + 1, NULL, 10);
        assert_true(count >= before);
        before = count;
    }
    assert_int_equal(before, 3);
    assert_int_equal(buckets, TM_LATENCY_LAST - TM_LATENCY_FIRST + 2u);
    assert_non_null(strstr(out.text, "x_bucket{operation=\"get\",le=\"1.28e-07\"} 1\n"));
    assert_non_null(strstr(out.text, "x_bucket{operation=\"get\",le=\"1.024e-06\"} 2\n"));
    assert_non_null(strstr(out.text, "x_bucket{operation=\"get\",le=\"2.147483648\"} 2\n"));
    assert_non_null(strstr(out.text, "x_bucket{operation=\"get\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(out.text, "x_sum{operation=\"get\"} 5.0000011\n"));
    assert_non_null(strstr(out.text, "x_count{operation=\"get\"} 3\n"));
    free(out.text);
}

/* ---- latencies ---- */

static void buckets_have_the_limits_that_they_tell(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1u < TM_LATENCY_BUCKETS; i++) {
        static struct tm_latency latency;
        uint64_t limit = tm_latency_limit_ns(i);
        memset(&latency, 0, sizeof latency);
        assert_true(i == 0 || limit > tm_latency_limit_ns(i - 1u));
        tm_latency_note(&latency, limit);
        assert_int_equal(latency.count[i], 1);
        tm_latency_note(&latency, limit + 1u);
        assert_int_equal(latency.count[i + 1u], 1);
        assert_int_equal(tm_latency_count(&latency), 2);
        assert_int_equal(latency.sum_ns, 2u * limit + 1u);
    }
    assert_int_equal(tm_latency_limit_ns(TM_LATENCY_BUCKETS - 1u), UINT64_MAX);
}

static void quantiles_are_those_of_what_was_counted(void **state)
{
    static struct tm_latency latency;
    static struct tm_latency sum;
    (void)state;
    assert_int_equal(tm_latency_quantile_ns(&latency, 500), 0);
    for (unsigned i = 0; i < 990; i++)
        tm_latency_note(&latency, 1000);
    for (unsigned i = 0; i < 10; i++)
        tm_latency_note(&latency, 100000);
    tm_latency_add(&sum, &latency);
    tm_latency_add(&sum, &latency);
    assert_int_equal(tm_latency_count(&sum), 2000);
    assert_int_equal(tm_latency_quantile_ns(&sum, 500), 1024);
    assert_int_equal(tm_latency_quantile_ns(&sum, 990), 1024);
    assert_in_range(tm_latency_quantile_ns(&sum, 991), 100000, 125000);
    tm_latency_note(&sum, UINT64_MAX / 2u);
    assert_int_equal(tm_latency_quantile_ns(&sum, 1000), UINT64_C(1) << TM_LATENCY_LAST);
}

static void one_in_sixteen_is_timed(void **state)
{
    static struct tm_latencies latencies;
    unsigned timed = 0;
    unsigned even = 0;
    (void)state;
    for (unsigned i = 0; i < 160000; i++)
        if (tm_latency_is_due(&latencies)) {
            timed++;
            even += i % 2u == 0;
        }
    assert_in_range(timed, 160000 / TM_LATENCY_EVERY * 9 / 10, 160000 / TM_LATENCY_EVERY * 11 / 10);
    assert_in_range(even, timed * 2u / 5u, timed * 3u / 5u);
}

static void gets_and_puts_of_a_client_are_summed(void **state)
{
    struct tm_latency_sums sums = {.gets = 0};
    (void)state;
    for (unsigned operation = 0; operation < TM_WIRE_OPERATION_COUNT; operation++)
        tm_latency_sums_note(&sums, operation, 5);
    assert_int_equal(sums.gets, 2);
    assert_int_equal(sums.get_ns, 10);
    assert_int_equal(sums.puts, 2);
    assert_int_equal(sums.put_ns, 10);
}

static void every_operation_has_a_name(void **state)
{
    (void)state;
    for (unsigned operation = TM_WIRE_PUT; operation < TM_WIRE_OPERATION_COUNT; operation++)
        assert_non_null(tm_latency_name(operation));
    assert_null(tm_latency_name(TM_WIRE_OPERATION_COUNT));
}

/* ---- what is asked for ---- */

static void the_accept_header_chooses_the_format(void **state)
{
    static const struct {
        const char *accept;
        bool is_open;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"application/openmetrics-text", true},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", true},
        {"APPLICATION/OpenMetrics-Text;Q=0.5", true},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text;q=0.3,text/plain;q=0.5", false},
        {"application/openmetrics-text;q=0.5,text/plain;q=0.5", true},
        {"text/plain;q=0.9, application/openmetrics-text", true},
        {"application/openmetrics-textual", false},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {", ,;q", false},
        {"application/openmetrics-text;q=", false},
    };
    (void)state;
    for (size_t i = 0; i < TM_ARRAY_SIZE(cases); i++)
        if (tm_exposition_is_open_wanted(cases[i].accept) != cases[i].is_open)
            fail_msg("Accept: %s", cases[i].accept != NULL ? cases[i].accept : "(none)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_called_after_the_format),
        cmocka_unit_test(information_is_a_gauge_where_there_is_no_such_type),
        cmocka_unit_test(labels_and_help_are_escaped),
        cmocka_unit_test(seconds_are_exact),
        cmocka_unit_test(a_text_grows_as_it_must),
        cmocka_unit_test(a_histogram_counts_up_and_ends_with_all),
        cmocka_unit_test(buckets_have_the_limits_that_they_tell),
        cmocka_unit_test(quantiles_are_those_of_what_was_counted),
        cmocka_unit_test(one_in_sixteen_is_timed),
        cmocka_unit_test(gets_and_puts_of_a_client_are_summed),
        cmocka_unit_test(every_operation_has_a_name),
        cmocka_unit_test(the_accept_header_chooses_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
