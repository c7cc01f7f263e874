/* SPDX-License-Identifier: BSD-2-Clause */
/* list_test.c - lists of numbers: order, ends, and removal anywhere. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_death.h"

#define LINKS 8u

static struct tm_link links[LINKS];
static struct tm_list list;

static struct tm_link *link_of(void *table, uint32_t number)
{
    return &((struct tm_link *)table)[number];
}

static int clear(void **state)
{
    (void)state;
    memset(links, 0, sizeof links);
    tm_list_init(&list);
    return 0;
}

/* Compares the list, from both ends, with @count numbers. */
static void assert_list(const uint32_t *numbers, uint32_t count)
{
    uint32_t before = 0;
    uint32_t at = list.head;
    assert_int_equal(list.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(at, numbers[i]);
        assert_int_equal(links[at].prev, before);
        before = at;
        at = links[at].next;
    }
    assert_int_equal(at, 0);
    assert_int_equal(list.tail, before);
}

static void append(uint32_t number)
{
    tm_list_append(&list, links, link_of, number);
}

static void take(uint32_t number)
{
    tm_list_remove(&list, links, link_of, number);
    assert_int_equal(links[number].next, 0);
    assert_int_equal(links[number].prev, 0);
}

static void appended_numbers_keep_their_order(void **state)
{
    (void)state;
    assert_list(NULL, 0);
    append(3);
    append(1);
    append(2);
    assert_list((const uint32_t[]){3, 1, 2}, 3);
}

static void prepended_numbers_come_first(void **state)
{
    (void)state;
    tm_list_prepend(&list, links, link_of, 5);
    tm_list_prepend(&list, links, link_of, 6);
    append(7);
    assert_list((const uint32_t[]){6, 5, 7}, 3);
}

static void any_number_can_be_removed(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 5; i++)
        append(i);
    take(3);
    assert_list((const uint32_t[]){1, 2, 4, 5}, 4);
    take(1);
    assert_list((const uint32_t[]){2, 4, 5}, 3);
    take(5);
    assert_list((const uint32_t[]){2, 4}, 2);
    take(2);
    take(4);
    assert_list(NULL, 0);
    append(4);
    assert_list((const uint32_t[]){4}, 1);
}

static void remove_from_an_empty_list(void)
{
    struct tm_list empty = {0, 0, 0};
    tm_list_remove(&empty, links, link_of, 1);
}

static void remove_what_is_elsewhere(void)
{
    append(1);
    tm_list_remove(&list, links, link_of, 2);
}

static void removing_what_is_not_there_panics(void **state)
{
    (void)state;
    assert_true(tm_test_dies(remove_from_an_empty_list));
    assert_true(tm_test_dies(remove_what_is_elsewhere));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(appended_numbers_keep_their_order, clear),
        cmocka_unit_test_setup(prepended_numbers_come_first, clear),
        cmocka_unit_test_setup(any_number_can_be_removed, clear),
        cmocka_unit_test_setup(removing_what_is_not_there_panics, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
