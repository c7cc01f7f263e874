/* SPDX-License-Identifier: BSD-2-Clause */
/* forward_test.c - where clients went is known for an hour, also to the next daemon; a file of another kind stays. */
#include "daemon/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t now_ns;
static int file;
static struct tm_forwards *forwards;

uint64_t tm_now_ns(void)
{
    return now_ns;
}

static int set_up(void **state)
{
    (void)state;
    now_ns = TM_SECOND_NS;
    file = memfd_create("forward-test", MFD_CLOEXEC);
    forwards = tm_forwards_create(file);
    return file >= 0 && forwards != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tm_forwards_destroy(forwards);
    (void)close(file);
    return 0;
}

static void restart(void)
{
    tm_forwards_destroy(forwards);
    forwards = tm_forwards_create(file);
    assert_non_null(forwards);
}

static struct tm_wire_token token_of(unsigned number)
{
    struct tm_wire_token token = {{1}};
    memcpy(token.bytes + 1, &number, sizeof number);
    return token;
}

static void add(unsigned number)
{
    char path[32];
    struct tm_wire_token token = token_of(number);
    (void)snprintf(path, sizeof path, "/run/%u.sock", number);
    tm_forwards_add(forwards, &token, path);
}

static bool is_known(unsigned number)
{
    char path[TM_WIRE_PATH_BYTES];
    char expected[32];
    struct tm_wire_token token = token_of(number);
    (void)snprintf(expected, sizeof expected, "/run/%u.sock", number);
    return tm_forwards_find(forwards, &token, path) && strcmp(path, expected) == 0;
}

static void what_is_known_is_known_to_the_next_daemon(void **state)
{
    (void)state;
    add(1);
    add(2);
    restart();
    struct tm_wire_token token = token_of(2);
    assert_true(is_known(1) && is_known(2));
    assert_false(is_known(3));
    tm_forwards_forget(forwards, &token);
    restart();
    assert_true(is_known(1));
    assert_false(is_known(2));
    now_ns += TM_FORWARD_SECONDS * TM_SECOND_NS;
    assert_false(is_known(1));
}

/* A shorter path after a longer one leaves nothing of it: who gets it as a message looks at all of it. */
static void paths_are_whole(void **state)
{
    char path[TM_WIRE_PATH_BYTES];
    struct tm_wire_token token = token_of(1);
    (void)state;
    tm_forwards_add(forwards, &token, "/run/a/rather/long/path/to.sock");
    tm_forwards_add(forwards, &token, "/x");
    memset(path, 'x', sizeof path);
    assert_true(tm_forwards_find(forwards, &token, path));
    assert_string_equal(path, "/x");
    for (unsigned i = 2; i < TM_WIRE_PATH_BYTES; i++)
        assert_int_equal(path[i], 0);
}

static void the_oldest_is_forgotten_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_FORWARDS_MAX; i++)
        add(i);
    restart();
    assert_true(is_known(0));
    add(TM_FORWARDS_MAX);
    assert_false(is_known(0));
    assert_true(is_known(1) && is_known(TM_FORWARDS_MAX));
}

static void a_file_that_is_not_understood_stays_as_it_is(void **state)
{
    struct stat status;
    char first = 0;
    (void)state;
    for (unsigned change = 0; change < 2; change++) {
        tm_forwards_destroy(forwards);
        assert_int_equal(change == 0 ? pwrite(file, "x", 1, 0) : 1, 1); /* another layout, then another length */
        if (change == 1)
            assert_int_equal(ftruncate(file, 100), 0);
        forwards = tm_forwards_create(file);
        assert_non_null(forwards);
        add(7);
        assert_true(is_known(7));
        restart();
        assert_false(is_known(7));
        assert_int_equal(pread(file, &first, 1, 0), 1);
        assert_int_equal(first, 'x');
        assert_int_equal(fstat(file, &status), 0);
        assert_int_equal(status.st_size == 100, change);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_known_is_known_to_the_next_daemon),
        TEST(paths_are_whole),
        TEST(the_oldest_is_forgotten_first),
        TEST(a_file_that_is_not_understood_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
