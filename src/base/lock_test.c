/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_test.c - locks exclude, and check builds refuse the wrong order. The inline functions are compiled with
 * checks here, whatever the build; what must panic does so in a child.
 */
#ifndef TM_CHECK
#define TM_CHECK 1
#endif
#include "base/lock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_death.h"

#define ROUNDS 20000u

static struct tm_lock lock;
static uint64_t shared;

static void every_class_has_a_name_and_says_what_it_protects(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_LOCK_CLASSES; i++) {
        assert_int_not_equal(tm_lock_class_name((enum tm_lock_class)i)[0], 0);
        assert_int_not_equal(tm_lock_class_protects((enum tm_lock_class)i)[0], 0);
    }
    assert_string_equal(tm_lock_class_name(TM_LOCK_control), "control");
    assert_true(TM_LOCK_index_bucket < TM_LOCK_dedup_bucket);
}

static void a_lock_is_held_until_it_is_released(void **state)
{
    (void)state;
    tm_lock_init(&lock);
    assert_false(tm_lock_is_held(&lock));
    tm_lock_acquire(&lock, TM_LOCK_heap);
    assert_true(tm_lock_is_held(&lock));
    assert_false(tm_lock_try(&lock));
    tm_lock_release(&lock, TM_LOCK_heap);
    assert_true(tm_lock_try(&lock));
    assert_true(tm_lock_is_held(&lock));
    tm_lock_release_tried(&lock);
    assert_false(tm_lock_is_held(&lock));
    assert_int_equal(*tm_platform_held_ranks(), 0);
}

static void *count_up(void *unused)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        tm_lock_acquire(&lock, TM_LOCK_heap);
        uint64_t before = *(volatile uint64_t *)&shared;
        *(volatile uint64_t *)&shared = before + 1u;
        tm_lock_release(&lock, TM_LOCK_heap);
    }
    return unused;
}

static void of_several_threads_one_holds_it(void **state)
{
    pthread_t thread[3];
    (void)state;
    shared = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, count_up, NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(shared, 3u * ROUNDS);
}

static void *wait_for_lock(void *unused)
{
    tm_lock_acquire(&lock, TM_LOCK_lane);
    shared = 77;
    tm_lock_release(&lock, TM_LOCK_lane);
    return unused;
}

static void who_waits_goes_on_when_the_lock_is_free(void **state)
{
    pthread_t thread;
    (void)state;
    shared = 0;
    tm_lock_init(&lock);
    tm_lock_acquire(&lock, TM_LOCK_lane);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, NULL), 0);
    for (unsigned i = 0; i < 200; i++)
        tm_platform_wait(100);
    assert_int_equal(shared, 0);
    tm_lock_release(&lock, TM_LOCK_lane);
    pthread_join(thread, NULL);
    assert_int_equal(shared, 77);
}

/* ---- ranks ---- */

static void in_order(void)
{
    for (unsigned i = 0; i < TM_LOCK_CLASSES; i++)
        tm_lock_note_taken((enum tm_lock_class)i);
    for (unsigned i = 0; i < TM_LOCK_CLASSES; i++)
        tm_lock_note_freed((enum tm_lock_class)i);
    _Exit(0);
}

static void against_the_order(void)
{
    struct tm_lock first = {0};
    struct tm_lock second = {0};
    tm_lock_acquire(&first, TM_LOCK_heap);
    tm_lock_acquire(&second, TM_LOCK_control);
}

static void two_of_a_class(void)
{
    struct tm_lock first = {0};
    struct tm_lock second = {0};
    tm_lock_acquire(&first, TM_LOCK_heap);
    tm_lock_acquire(&second, TM_LOCK_heap);
}

static void free_twice(void)
{
    tm_lock_acquire(&lock, TM_LOCK_heap);
    tm_lock_release(&lock, TM_LOCK_heap);
    tm_lock_release(&lock, TM_LOCK_heap);
}

static void free_another_class(void)
{
    tm_lock_acquire(&lock, TM_LOCK_heap);
    tm_lock_release(&lock, TM_LOCK_lane);
}

static void name_no_class(void)
{
    (void)tm_lock_class_name(TM_LOCK_CLASSES);
}

static void locks_are_taken_in_the_order_of_their_ranks(void **state)
{
    (void)state;
    assert_false(tm_test_dies(in_order));
    assert_true(tm_test_dies(against_the_order));
    assert_true(tm_test_dies(two_of_a_class));
    assert_true(tm_test_dies(free_twice));
    assert_true(tm_test_dies(free_another_class));
    assert_true(tm_test_dies(name_no_class));
}

static void a_try_may_go_against_the_order(void **state)
{
    struct tm_lock other = {0};
    (void)state;
    tm_lock_init(&lock);
    tm_lock_acquire(&lock, TM_LOCK_record_class);
    assert_true(tm_lock_try(&other));
    tm_lock_release_tried(&other);
    tm_lock_release(&lock, TM_LOCK_record_class);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_has_a_name_and_says_what_it_protects),
        cmocka_unit_test(a_lock_is_held_until_it_is_released),
        cmocka_unit_test(of_several_threads_one_holds_it),
        cmocka_unit_test(who_waits_goes_on_when_the_lock_is_free),
        cmocka_unit_test(locks_are_taken_in_the_order_of_their_ranks),
        cmocka_unit_test(a_try_may_go_against_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
