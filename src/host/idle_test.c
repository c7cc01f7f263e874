/* SPDX-License-Identifier: BSD-2-Clause */
/* idle_test.c - what the kernel says about running threads is understood, and what is not known does not stop work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "host/idle.h"

static void running_threads_are_the_fourth_field(void **state)
{
    unsigned running = 77;
    (void)state;
    assert_true(tm_idle_parse("0.20 0.18 0.12 1/80 11206\n", &running));
    assert_int_equal(running, 1);
    assert_true(tm_idle_parse("120.20 99.18 7.12 4096/123456 11206", &running));
    assert_int_equal(running, 4096);
}

static void other_text_is_refused(void **state)
{
    static const char *const texts[] = {"", "1", "0.20 0.18 0.12", "0.20 0.18 0.12 ",
                                        "1 2 3 /4", "1 2 3 -1/4", "0.20 0.18 0.12 1 80 2", "1 2 3 99999999999999/4"};
    unsigned running = 77;
    (void)state;
    for (size_t i = 0; i < TM_ARRAY_SIZE(texts); i++)
        assert_false(tm_idle_parse(texts[i], &running));
    assert_int_equal(running, 77);
}

/* A file in place of the kernel's. */
static void say(struct tm_idle *idle, const char *text, size_t bytes)
{
    assert_int_equal(ftruncate(idle->file, 0), 0);
    assert_int_equal(pwrite(idle->file, text, bytes, 0), bytes);
}

static void more_threads_than_cpus_leave_none_idle(void **state)
{
    struct tm_idle idle;
    (void)state;
    tm_idle_init(&idle);
    tm_idle_fini(&idle);
    idle.cpus = 2;
    idle.file = memfd_create("loadavg", MFD_CLOEXEC);
    assert_true(idle.file >= 0);
    say(&idle, "0 0 0 2/9 1", 11);
    assert_true(tm_idle_has(&idle, 1000000));
    say(&idle, "0 0 0 3/9 1", 11);
    assert_true(tm_idle_has(&idle, 1999999)); /* still believed */
    assert_false(tm_idle_has(&idle, 2000000));
    say(&idle, "nothing that", 12);
    assert_true(tm_idle_has(&idle, 3000000));
    say(&idle, "", 0);
    assert_true(tm_idle_has(&idle, 4000000));
    tm_idle_fini(&idle);
    assert_true(tm_idle_has(&idle, 5000000)); /* no file at all */
    tm_idle_fini(&idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_threads_are_the_fourth_field),
        cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(more_threads_than_cpus_leave_none_idle),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
