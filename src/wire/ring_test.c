/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings: entries arrive whole, once and in order, and a lying other end is found out. */
#include "wire/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIZE 16u
#define MANY 200000u

struct entry {
    uint64_t word[4];
};

static struct tm_wire_head head;
static struct entry entries[SIZE] TM_ALIGNED(64);
static struct tm_ring writer;
static struct tm_ring taker;

static int set_up(void **state)
{
    (void)state;
    memset(&head, 0, sizeof head);
    memset(entries, 0, sizeof entries);
    tm_ring_init(&writer, entries, sizeof entries[0], SIZE, &head.submitted.count, &head.accepted.count);
    tm_ring_init(&taker, entries, sizeof entries[0], SIZE, &head.accepted.count, &head.submitted.count);
    return 0;
}

static struct entry make(uint64_t number)
{
    return (struct entry){{number, ~number, number * 3u, number ^ 0x5555u}};
}

static void write_one(uint64_t number)
{
    struct entry entry = make(number);
    assert_true(tm_ring_room(&writer, 1) >= 1);
    tm_ring_write(&writer, &entry);
}

static void take_one(uint64_t number)
{
    struct entry entry;
    struct entry expected = make(number);
    assert_true(tm_ring_waiting(&taker, 1) >= 1);
    tm_ring_take(&taker, &entry);
    assert_memory_equal(&entry, &expected, sizeof entry);
}

static void nothing_is_seen_before_it_is_published(void **state)
{
    (void)state;
    write_one(1);
    assert_int_equal(tm_ring_waiting(&taker, 1), 0);
    tm_ring_publish(&writer);
    assert_int_equal(tm_ring_waiting(&taker, 1), 1);
    take_one(1);
    assert_int_equal(tm_ring_waiting(&taker, 1), 0);
    tm_ring_check(&writer);
    tm_ring_check(&taker);
}

static void a_full_ring_has_no_room_until_something_is_taken(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < SIZE; i++)
        write_one(i);
    tm_ring_publish(&writer);
    assert_int_equal(tm_ring_room(&writer, 1), 0);
    take_one(0);
    assert_int_equal(tm_ring_room(&writer, 1), 0);
    tm_ring_publish(&taker);
    assert_int_equal(tm_ring_room(&writer, 1), 1);
    for (uint64_t i = 1; i < SIZE; i++)
        take_one(i);
}

static void counts_wrap(void **state)
{
    (void)state;
    writer.count = writer.known = taker.count = taker.known = UINT32_MAX - 5u;
    head.submitted.count = head.accepted.count = UINT32_MAX - 5u;
    for (uint64_t i = 0; i < 100; i++) {
        write_one(i);
        tm_ring_publish(&writer);
        take_one(i);
        tm_ring_publish(&taker);
        tm_ring_check(&writer);
        tm_ring_check(&taker);
    }
    assert_true(head.submitted.count < 100);
}

static void a_writer_that_claims_more_than_fits_is_found_out(void **state)
{
    (void)state;
    head.submitted.count = SIZE;
    assert_int_equal(tm_ring_waiting(&taker, 1), SIZE);
    struct entry entry;
    for (unsigned i = 0; i < SIZE; i++)
        tm_ring_take(&taker, &entry);
    head.submitted.count = 2 * SIZE + 1u;
    assert_int_equal(tm_ring_waiting(&taker, 1), 0);
    assert_int_equal(taker.state, TM_RING_BROKEN);
    head.submitted.count = SIZE + 1u; /* for ever */
    assert_int_equal(tm_ring_waiting(&taker, 1), 0);
}

static void a_count_that_goes_back_is_found_out(void **state)
{
    (void)state;
    write_one(1);
    write_one(2);
    tm_ring_publish(&writer);
    take_one(1);
    take_one(2);
    head.submitted.count = 1;
    assert_int_equal(tm_ring_waiting(&taker, 1), 0);
    assert_int_equal(taker.state, TM_RING_BROKEN);
}

static void a_taker_that_takes_what_is_not_there_is_found_out(void **state)
{
    (void)state;
    write_one(1);
    tm_ring_publish(&writer);
    head.accepted.count = 2;
    assert_int_equal(tm_ring_room(&writer, SIZE), 0);
    assert_int_equal(writer.state, TM_RING_BROKEN);
    head.accepted.count = 1;
    assert_int_equal(tm_ring_room(&writer, SIZE), 0);
}

static void who_sleeps_is_woken_once(void **state)
{
    (void)state;
    assert_false(tm_sleep_must_wake(&head.daemon));
    tm_sleep_begin(&head.daemon);
    assert_true(tm_sleep_must_wake(&head.daemon));
    assert_false(tm_sleep_must_wake(&head.daemon));
    tm_sleep_begin(&head.daemon);
    tm_sleep_end(&head.daemon);
    assert_false(tm_sleep_must_wake(&head.daemon));
}

static void *write_many(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < MANY;) {
        uint32_t room = tm_ring_room(&writer, 1);
        if (room == 0)
            (void)sched_yield();
        for (uint32_t n = (uint32_t)tm_min_u64(room, i % 5u + 1u); n > 0 && i < MANY; n--, i++) {
            struct entry entry = make(i);
            tm_ring_write(&writer, &entry);
        }
        tm_ring_publish(&writer);
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_many, NULL), 0);
    for (uint64_t i = 0; i < MANY;) {
        uint32_t waiting = tm_ring_waiting(&taker, 1);
        if (waiting == 0)
            (void)sched_yield();
        for (; waiting > 0; waiting--, i++) {
            struct entry entry;
            struct entry expected = make(i);
            tm_ring_take(&taker, &entry);
            assert_memory_equal(&entry, &expected, sizeof entry);
        }
        tm_ring_publish(&taker);
    }
    (void)pthread_join(thread, NULL);
    assert_int_equal(tm_ring_waiting(&taker, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_seen_before_it_is_published),
        TEST(a_full_ring_has_no_room_until_something_is_taken),
        TEST(counts_wrap),
        TEST(a_writer_that_claims_more_than_fits_is_found_out),
        TEST(a_count_that_goes_back_is_found_out),
        TEST(a_taker_that_takes_what_is_not_there_is_found_out),
        TEST(who_sleeps_is_woken_once),
        TEST(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
