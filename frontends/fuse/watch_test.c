/* SPDX-License-Identifier: BSD-2-Clause */
/* watch_test.c - which reports are worked off again, and when: with reports that come out of a pipe. */
#include "watch_kind.h"

#include <errno.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CALLS_MAX 64u
#define PATIENCE_MS 5000
/* Long enough for a wrong repetition to happen. */
#define REST_MS 30

/* What the watcher did, in order: a letter is what was read, '*' all that is known. */
static char calls[CALLS_MAX];
static unsigned call_count; /* atomic */
static bool wants_again;
static int pipe_ends[2];

static void note(char what)
{
    unsigned at = __atomic_load_n(&call_count, __ATOMIC_ACQUIRE);
    assert_true(at < CALLS_MAX);
    calls[at] = what;
    __atomic_store_n(&call_count, at + 1u, __ATOMIC_RELEASE);
}

static int open_pipe(struct tm_mount *mount)
{
    (void)mount;
    assert_int_equal(pipe(pipe_ends), 0);
    return pipe_ends[0];
}

static int open_nothing(struct tm_mount *mount)
{
    (void)mount;
    return -EPERM;
}

static bool handle_letter(struct tm_behind *pass, const unsigned char *reports, size_t length)
{
    if (length == 0)
        return false; /* the end of the pipe */
    note((char)reports[0]);
    pass->again = wants_again;
    return reports[0] != '?';
}

const struct tm_watch_kind tm_watch_by_fanotify = {"fanotify", true, open_nothing, handle_letter};
const struct tm_watch_kind tm_watch_by_inotify = {"inotify", false, open_pipe, handle_letter};

void tm_behind_begin(struct tm_behind *pass, struct tm_mount *mount)
{
    *pass = (struct tm_behind){.mount = mount};
}

void tm_behind_end(struct tm_behind *pass)
{
    if (pass->everything)
        note('*');
}

void tm_watched_init(struct tm_watched *watched)
{
    (void)watched;
}

void tm_watched_fini(struct tm_watched *watched)
{
    (void)watched;
}

void tm_watched_add(struct tm_mount *mount, struct tm_node *directory, int fd)
{
    (void)mount;
    (void)directory;
    (void)fd;
}

static int set_up(void **state)
{
    struct tm_mount *mount = calloc(1, sizeof *mount);
    mount->options.threads = 3;
    mount->source.root = open("/tmp", O_RDONLY | O_DIRECTORY);
    __atomic_store_n(&call_count, 0, __ATOMIC_RELEASE);
    wants_again = false;
    assert_int_equal(tm_watch_open(mount), TM_EXIT_OK);
    assert_string_equal(tm_watch_name(mount), "inotify");
    assert_int_equal(tm_watch_start(mount), TM_EXIT_OK);
    *state = mount;
    return 0;
}

static int tear_down(void **state)
{
    struct tm_mount *mount = *state;
    tm_watch_stop(mount);
    tm_watch_close(mount);
    (void)close(pipe_ends[1]);
    (void)close(mount->source.root);
    free(mount);
    return 0;
}

static void begin(struct tm_mount *mount, unsigned worker, uint32_t opcode)
{
    struct fuse_in_header header = {.opcode = opcode};
    struct fuse_buf request = {.size = sizeof header, .mem = &header};
    tm_watch_request_begins(mount, worker, &request);
}

static void report(char what)
{
    assert_int_equal(write(pipe_ends[1], &what, 1), 1);
}

/* Waits for what is to be done, and whether nothing else is. */
static void expect(const char *expected)
{
    size_t length = strlen(expected);
    for (int i = 0; i < PATIENCE_MS && __atomic_load_n(&call_count, __ATOMIC_ACQUIRE) < length; i++)
        (void)usleep(1000);
    (void)usleep(REST_MS * 1000);
    assert_int_equal(__atomic_load_n(&call_count, __ATOMIC_ACQUIRE), length);
    assert_memory_equal(calls, expected, length);
}

static void reports_are_worked_off_once_when_nothing_is_under_way(void **state)
{
    (void)state;
    report('a');
    expect("a");
    report('b');
    expect("ab");
}

static void doubtful_answers_are_for_a_second_at_most(void **state)
{
    struct tm_mount *mount = *state;
    mount->options.attribute_seconds = 3600;
    assert_true(tm_watch_doubtful_seconds(mount) == 1.0);
    mount->options.attribute_seconds = 0.25;
    assert_true(tm_watch_doubtful_seconds(mount) == 0.25);

    mount->options.entry_seconds = 3600;
    assert_true(tm_watch_name_seconds(mount, 44) == 3600.0);
    assert_true(tm_watch_name_seconds(mount, 43) == 60.0);
    mount->options.entry_seconds = 1;
    assert_true(tm_watch_name_seconds(mount, 43) == 1.0);
}

static void reports_are_worked_off_again_when_older_requests_have_ended(void **state)
{
    struct tm_mount *mount = *state;
    begin(mount, 0, FUSE_LOOKUP);
    begin(mount, 2, FUSE_GETATTR);
    report('a');
    expect("a");
    tm_watch_request_ends(mount, 2);
    expect("a");
    /* One that begins after the report sees what it says. */
    begin(mount, 1, FUSE_LOOKUP);
    tm_watch_request_ends(mount, 0);
    expect("aa");
    report('b');
    expect("aab");
    tm_watch_request_ends(mount, 1);
    expect("aabb");
}

static void requests_whose_answers_are_not_kept_do_not_count(void **state)
{
    struct tm_mount *mount = *state;
    begin(mount, 0, FUSE_READ);
    begin(mount, 1, FUSE_SETLKW);
    report('a');
    expect("a");
}

static void what_is_not_understood_drops_everything(void **state)
{
    struct tm_mount *mount = *state;
    begin(mount, 0, FUSE_LOOKUP);
    report('?');
    expect("?*");
    tm_watch_request_ends(mount, 0);
    expect("?*?*");
}

static void what_was_not_found_is_tried_once_more(void **state)
{
    (void)state;
    wants_again = true;
    report('a');
    expect("aa");
}

static void reports_without_a_place_to_wait_become_everything(void **state)
{
    struct tm_mount *mount = *state;
    char done[CALLS_MAX] = "";
    begin(mount, 0, FUSE_LOOKUP);
    for (unsigned i = 0; i < TM_WATCH_BATCHES + 2u; i++) {
        report((char)('a' + i));
        done[i] = (char)('a' + i);
        expect(done);
    }
    /* The first seven as they are, all others as one. */
    tm_watch_request_ends(mount, 0);
    (void)memcpy(done + TM_WATCH_BATCHES + 2u, "abcdefg*", 9);
    expect(done);
}

static void what_is_reported_no_more_is_dropped_again_and_again(void **state)
{
    struct tm_mount *mount = *state;
    int pipe_end = dup(mount->watch.fd);
    assert_true(pipe_end >= 0);
    /* Nothing can be read from a directory. */
    assert_int_equal(dup2(mount->source.root, mount->watch.fd), mount->watch.fd);
    report('x'); /* wakes whoever still waits for the pipe */
    for (int i = 0; i < PATIENCE_MS && __atomic_load_n(&call_count, __ATOMIC_ACQUIRE) < 2; i++)
        (void)usleep(1000);
    assert_true(__atomic_load_n(&call_count, __ATOMIC_ACQUIRE) >= 2);
    assert_int_equal(calls[0], '*');
    assert_int_equal(calls[1], '*');
    assert_true(tm_counted(&mount->counters.watch_overflows) >= 2);
    (void)close(pipe_end);
}

static void a_kind_that_was_demanded_must_be_had(void **state)
{
    (void)state;
    struct tm_mount mount = {.options = {.threads = 1, .watch = TM_WATCH_FANOTIFY}};
    assert_int_equal(tm_watch_open(&mount), TM_EXIT_DENIED);
    tm_watch_close(&mount);
    mount.options.exclusive = true;
    assert_int_equal(tm_watch_open(&mount), TM_EXIT_OK);
    assert_string_equal(tm_watch_name(&mount), "off");
    mount.options.attribute_seconds = 3600;
    mount.options.entry_seconds = 3600;
    assert_true(tm_watch_doubtful_seconds(&mount) == 3600.0);
    assert_true(tm_watch_name_seconds(&mount, 43) == 3600.0);
    assert_int_equal(tm_watch_start(&mount), TM_EXIT_OK);
    begin(&mount, 0, FUSE_LOOKUP);
    tm_watch_request_ends(&mount, 0);
    tm_watch_stop(&mount);
    tm_watch_close(&mount);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reports_are_worked_off_once_when_nothing_is_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubtful_answers_are_for_a_second_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_are_worked_off_again_when_older_requests_have_ended, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(requests_whose_answers_are_not_kept_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_understood_drops_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_found_is_tried_once_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_without_a_place_to_wait_become_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_reported_no_more_is_dropped_again_and_again, set_up, tear_down),
        cmocka_unit_test(a_kind_that_was_demanded_must_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
