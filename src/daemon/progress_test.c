/* SPDX-License-Identifier: BSD-2-Clause */
/* Who waits for something that takes long is told again and again that it still goes on, and not after its end. */
#include "daemon/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define STEP_MS 20u

static int manager = -1;

static int set_up(void **state)
{
    (void)state;
    char name[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {20, 0};
    int length = snprintf(name, sizeof name, "@tmem-progress-test-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)length);
    address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager >= 0);
    assert_int_equal(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
    assert_int_equal(bind(manager, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    return close(manager);
}

static bool is_told(int flags)
{
    char text[64] = "";
    ssize_t bytes = recv(manager, text, sizeof text - 1u, flags);
    return bytes > 0 && strcmp(text, "EXTEND_TIMEOUT_USEC=600000") == 0;
}

static void who_waits_is_told_until_the_end(void **state)
{
    (void)state;
    struct tm_progress progress;
    tm_progress_begin(&progress, "test", STEP_MS, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_true(is_told(0));
    tm_progress_end(&progress);
    while (is_told(MSG_DONTWAIT)) {
    }
    usleep(3u * STEP_MS * 1000u);
    assert_false(is_told(MSG_DONTWAIT));
}

static void what_is_done_at_once_is_not_told(void **state)
{
    (void)state;
    struct tm_progress progress;
    tm_progress_begin(&progress, "test", 60000, 1);
    tm_progress_end(&progress);
    assert_false(is_told(MSG_DONTWAIT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_waits_is_told_until_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_done_at_once_is_not_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
