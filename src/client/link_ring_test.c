/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the reaper looks for answers where many clients want the CPUs. The scheduler and the clock are the test's: what
 * others do while it lets them go first is what a test says.
 */
#include <sched.h>
#include <time.h>

static int yield_of_test(void);
static int clock_of_test(clockid_t which, struct timespec *now);
#define sched_yield yield_of_test
#define clock_gettime clock_of_test
#include "client/link_ring.c" /* how it looks is nobody else's business */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 16u
#define NEVER UINT32_MAX

static _Alignas(64) unsigned char memory[TM_PAGE_BYTES];
static _Alignas(64) struct tm_wire_answer entries[ENTRIES];
static struct tm_link link_of_test;
static struct tm_ring daemon_end;

/* What happens at each yield. */
static uint32_t yields;
static uint32_t answer_at; /* that one */
static uint64_t time_ns;
static uint64_t take_ns;

static int yield_of_test(void)
{
    static const struct tm_wire_answer answer = {.tag = 1};
    if (++yields == answer_at) {
        tm_ring_write(&daemon_end, &answer);
        tm_ring_publish(&daemon_end);
    }
    time_ns += take_ns;
    return 0;
}

static int clock_of_test(clockid_t which, struct timespec *now)
{
    assert_int_equal(which, CLOCK_MONOTONIC);
    time_ns += 100;
    *now = (struct timespec){.tv_sec = (time_t)(time_ns / 1000000000u), .tv_nsec = (long)(time_ns % 1000000000u)};
    return 0;
}

static int set_up(void **state)
{
    struct tm_wire_head *head = (struct tm_wire_head *)(void *)memory;
    (void)state;
    memset(memory, 0, sizeof memory);
    link_of_test = (struct tm_link){.memory = memory, .may_spin = true, .spin_credit = CREDIT_MAX};
    tm_ring_init(&daemon_end, entries, sizeof entries[0], ENTRIES, &head->answered.count, &head->seen.count);
    tm_ring_init(&link_of_test.answers, entries, sizeof entries[0], ENTRIES, &head->seen.count,
                 &head->answered.count);
    head->daemon.crowded = TM_WIRE_THRONG;
    yields = 0;
    answer_at = NEVER;
    time_ns = 1000000000u;
    take_ns = 20000;
    return 0;
}

static void in_a_throng_it_lets_others_go_first_until_there_is_an_answer(void **state)
{
    (void)state;
    answer_at = 3;
    assert_true(spin(&link_of_test));
    assert_int_equal(yields, 3);
}

static void where_none_comes_it_sleeps_in_the_end(void **state)
{
    (void)state;
    assert_false(spin(&link_of_test));
    assert_int_equal(yields, YIELDS_MAX);
}

static void who_keeps_the_cpu_for_long_is_not_let_go_first_for_a_while(void **state)
{
    (void)state;
    take_ns = YIELD_LONG_NS;
    answer_at = 1;
    assert_true(spin(&link_of_test));
    assert_int_equal(yields, 1);
    tm_ring_take(&link_of_test.answers, &(struct tm_wire_answer){0});
    assert_false(spin(&link_of_test));
    assert_int_equal(yields, 1);
    time_ns += YIELD_LONG_NS * (YIELD_REST - 1u);
    assert_false(spin(&link_of_test));
    assert_int_equal(yields, 1);
    time_ns += YIELD_LONG_NS * 2u;
    assert_false(spin(&link_of_test));
    assert_int_equal(yields, 2);
}

static void where_it_is_only_crowded_it_sleeps_at_once(void **state)
{
    (void)state;
    ((struct tm_wire_head *)(void *)memory)->daemon.crowded = TM_WIRE_CROWDED;
    uint64_t begun_ns = time_ns;
    assert_false(spin(&link_of_test));
    assert_int_equal(yields, 0);
    assert_in_range(time_ns - begun_ns, 0, SPIN_NS / 2u);
}

static void where_there_is_room_it_looks_for_as_long_as_it_is_worth(void **state)
{
    (void)state;
    ((struct tm_wire_head *)(void *)memory)->daemon.crowded = TM_WIRE_ROOM;
    uint64_t begun_ns = time_ns;
    assert_false(spin(&link_of_test));
    assert_int_equal(yields, 0);
    assert_in_range(time_ns - begun_ns, SPIN_NS, 2u * SPIN_NS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(in_a_throng_it_lets_others_go_first_until_there_is_an_answer),
        TEST(where_none_comes_it_sleeps_in_the_end),
        TEST(who_keeps_the_cpu_for_long_is_not_let_go_first_for_a_while),
        TEST(where_it_is_only_crowded_it_sleeps_at_once),
        TEST(where_there_is_room_it_looks_for_as_long_as_it_is_worth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
