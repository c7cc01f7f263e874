/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operator's connection to a daemon (tmem_daemon_... of control.h): lines of any length come out as they were sent,
 * descriptors go along, and a daemon that hangs up, says half a line or nothing at all is told from one that answers.
 * The other end is a socket of this test's own.
 */
#include <tmem/control.h>

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_BYTES 3000000u

static char folder[64];
static char path[100];
static int listener;
static struct tmem_daemon *operator;
static int server = -1; /* the other end */

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%.40s/operator-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(tmem_daemon_open(path, &operator, NULL), TMEM_OK);
    server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tmem_daemon_close(operator);
    if (server >= 0)
        close(server);
    close(listener);
    unlink(path);
    return rmdir(folder);
}

static void say(const char *text)
{
    assert_int_equal(send(server, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hang_up(void)
{
    close(server);
    server = -1;
}

/* ---- connecting ---- */

static void who_cannot_be_reached_is_named(void **state)
{
    char long_path[200];
    struct tmem_daemon *other = NULL;
    struct tmem_error error;
    (void)state;
    assert_int_equal(tmem_daemon_open("/no/such/place", &other, &error), TMEM_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/no/such/place"));
    assert_non_null(strstr(error.text, "try: tmemd"));
    assert_int_equal(tmem_daemon_open("/dev/null", &other, &error), TMEM_UNAVAILABLE);
    memset(long_path, 'x', sizeof long_path - 1u);
    long_path[sizeof long_path - 1u] = '\0';
    assert_int_equal(tmem_daemon_open(long_path, &other, &error), TMEM_INVALID);
    assert_non_null(strstr(error.text, "at most 107 bytes"));
    assert_int_equal(tmem_daemon_open(path, NULL, NULL), TMEM_INVALID);
    assert_null(other);
    tmem_daemon_close(NULL);
}

static void the_users_own_daemon_comes_first_but_for_root(void **state)
{
    struct tmem_daemon *other = NULL;
    struct tmem_error error;
    char own[100];
    char runtime[80];
    (void)state;
    snprintf(runtime, sizeof runtime, "%s", folder);
    snprintf(own, sizeof own, "%s/tmem", folder);
    assert_int_equal(mkdir(own, 0755), 0);
    snprintf(own, sizeof own, "%s/tmem/control.sock", folder);
    assert_int_equal(rename(path, own), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
    enum tmem_result result = tmem_daemon_open(NULL, &other, &error);
    if (geteuid() == 0)
        assert_true(result == TMEM_OK || strstr(error.text, "/run/tmem/control.sock") != NULL);
    else {
        assert_int_equal(result, TMEM_OK);
        int mine = accept(listener, NULL, NULL);
        assert_true(mine >= 0);
        close(mine);
    }
    if (result == TMEM_OK)
        tmem_daemon_close(other);
    assert_int_equal(rename(own, path), 0);
    snprintf(own, sizeof own, "%s/tmem", folder);
    assert_int_equal(rmdir(own), 0);
}

/* ---- asking ---- */

static void a_question_goes_out_as_a_line(void **state)
{
    char heard[64];
    const char *answer;
    (void)state;
    say("{\"result\":\"ok\"}\n");
    assert_int_equal(tmem_daemon_ask(operator, "{\"verb\":\"x\"}", NULL, 0, &answer), TMEM_OK);
    assert_string_equal(answer, "{\"result\":\"ok\"}");
    assert_int_equal(recv(server, heard, sizeof heard, 0), 13);
    assert_memory_equal(heard, "{\"verb\":\"x\"}\n", 13);
}

static void what_is_no_question_is_not_sent(void **state)
{
    static char too_long[TMEM_DAEMON_LINE_BYTES + 1u];
    const int descriptors[TMEM_DAEMON_DESCRIPTORS + 1u] = {0};
    const char *answer = NULL;
    char heard;
    (void)state;
    memset(too_long, 'x', TMEM_DAEMON_LINE_BYTES);
    assert_int_equal(tmem_daemon_ask(NULL, "{}", NULL, 0, &answer), TMEM_INVALID);
    assert_int_equal(tmem_daemon_ask(operator, NULL, NULL, 0, &answer), TMEM_INVALID);
    assert_int_equal(tmem_daemon_ask(operator, "{}", NULL, 0, NULL), TMEM_INVALID);
    assert_int_equal(tmem_daemon_ask(operator, "{}\n{}", NULL, 0, &answer), TMEM_INVALID);
    assert_int_equal(tmem_daemon_ask(operator, too_long, NULL, 0, &answer), TMEM_INVALID);
    assert_int_equal(tmem_daemon_ask(operator, "{}", NULL, 1, &answer), TMEM_INVALID);
    assert_int_equal(tmem_daemon_ask(operator, "{}", descriptors, TMEM_DAEMON_DESCRIPTORS + 1u, &answer),
                     TMEM_INVALID);
    assert_int_equal(tmem_daemon_next(NULL, 0, &answer), TMEM_INVALID);
    assert_int_equal(tmem_daemon_next(operator, 0, NULL), TMEM_INVALID);
    assert_null(answer);
    assert_int_equal(recv(server, &heard, 1, MSG_DONTWAIT), -1);
    too_long[TMEM_DAEMON_LINE_BYTES - 1u] = '\0'; /* with its end it fits */
    say("{}\n");
    assert_int_equal(tmem_daemon_ask(operator, too_long, NULL, 0, &answer), TMEM_OK);
}

static void descriptors_go_along(void **state)
{
    int ends[2];
    int received[2] = {-1, -1};
    char heard[16];
    const char *answer;
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof received)];
    } control;
    struct iovec part = {heard, sizeof heard};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say("{}\n");
    assert_int_equal(tmem_daemon_ask(operator, "{}", ends, 2, &answer), TMEM_OK);
    assert_int_equal(recvmsg(server, &message, 0), 3);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_len == CMSG_LEN(sizeof received))
        memcpy(received, CMSG_DATA(head), sizeof received);
    assert_true(received[0] >= 0 && received[1] >= 0);
    assert_int_equal(write(received[1], "x", 1), 1);
    assert_int_equal(read(ends[0], heard, 1), 1);
    for (unsigned i = 0; i < 2; i++) {
        close(ends[i]);
        close(received[i]);
    }
}

/* ---- being answered ---- */

static void lines_come_one_by_one_however_they_were_sent(void **state)
{
    const char *line;
    (void)state;
    say("{\"a\":1}\n{\"b\":2}\n{\"c\"");
    assert_int_equal(tmem_daemon_next(operator, 1000, &line), TMEM_OK);
    assert_string_equal(line, "{\"a\":1}");
    assert_int_equal(tmem_daemon_next(operator, 0, &line), TMEM_OK);
    assert_string_equal(line, "{\"b\":2}");
    assert_int_equal(tmem_daemon_next(operator, 0, &line), TMEM_MISS);
    say(":3}");
    assert_int_equal(tmem_daemon_next(operator, 20, &line), TMEM_MISS);
    say("\n\n");
    assert_int_equal(tmem_daemon_next(operator, 0, &line), TMEM_OK);
    assert_string_equal(line, "{\"c\":3}");
    assert_int_equal(tmem_daemon_next(operator, 0, &line), TMEM_OK);
    assert_string_equal(line, "");
}

static void *say_long(void *text)
{
    for (size_t sent = 0; sent < LONG_BYTES + 1u;) {
        ssize_t more = send(server, (const char *)text + sent, LONG_BYTES + 1u - sent, MSG_NOSIGNAL);
        if (more <= 0)
            return NULL;
        sent += (size_t)more;
    }
    return text;
}

static void a_line_may_be_long(void **state)
{
    pthread_t thread;
    void *is_sent;
    const char *line;
    char *text = malloc(LONG_BYTES + 1u);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < LONG_BYTES; i++)
        text[i] = (char)('a' + i % 23u);
    text[LONG_BYTES] = '\n';
    assert_int_equal(pthread_create(&thread, NULL, say_long, text), 0);
    assert_int_equal(tmem_daemon_ask(operator, "{}", NULL, 0, &line), TMEM_OK);
    assert_int_equal(pthread_join(thread, &is_sent), 0);
    assert_non_null(is_sent);
    assert_int_equal(strlen(line), LONG_BYTES);
    assert_memory_equal(line, text, LONG_BYTES);
    free(text);
}

static void last_words_are_heard_after_a_hang_up(void **state)
{
    const char *line;
    (void)state;
    say("{\"result\":\"refused\"}\n{\"half");
    hang_up();
    assert_int_equal(tmem_daemon_ask(operator, "{}", NULL, 0, &line), TMEM_OK);
    assert_string_equal(line, "{\"result\":\"refused\"}");
    assert_int_equal(tmem_daemon_next(operator, - 1, &line), TMEM_UNAVAILABLE);
    assert_int_equal(tmem_daemon_ask(operator, "{}", NULL, 0, &line), TMEM_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_cannot_be_reached_is_named),
        TEST(the_users_own_daemon_comes_first_but_for_root),
        TEST(a_question_goes_out_as_a_line),
        TEST(what_is_no_question_is_not_sent),
        TEST(descriptors_go_along),
        TEST(lines_come_one_by_one_however_they_were_sent),
        TEST(a_line_may_be_long),
        TEST(last_words_are_heard_after_a_hang_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
