/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xenctrl_save_test.c - a toolstack that moves a domain from one daemon to another, as Xen's did: the tmem part stands
 * in the middle of a longer stream, behind a marker that the toolstack itself reads. Built once for each API.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tmem/xenctrl.h>

#include "tests/xen/xenctrl.h"

#define MARKER (-5)
#define MARKER_EXTRA (-6)
#define NOBODY 65534u

#if TMEM_XENCTRL_API == 200905
typedef int handle;
#define OTHER_FORMAT "xen-4.8"
static handle open_handle(void)
{
    return xc_interface_open();
}
static bool is_open(handle xc)
{
    return xc >= 0;
}
#else
typedef xc_interface *handle;
#define OTHER_FORMAT "xen-4.0"
static handle open_handle(void)
{
    return xc_interface_open(NULL, NULL, 0);
}
static bool is_open(handle xc)
{
    return xc != NULL;
}
#endif

static handle here, there;
static int stream; /* of the whole domain */
static char other_control[256];
static char folder[256];

static int set_up(void **state)
{
    const char *other = getenv("TMEM_TEST_OTHER_URI");
    if (other == NULL || strncmp(other, "unix:", 5) != 0)
        return -1;
    (void)snprintf(other_control, sizeof other_control, "%.*s/control.sock", (int)(strrchr(other, '/') - other) - 5,
                   other + 5);
    xenctrl_set_up(state);
    here = open_handle();
    char *control = strdup(getenv("TMEM_XENCTRL_SOCKET"));
    setenv("TMEM_XENCTRL_SOCKET", other_control, 1);
    there = open_handle();
    setenv("TMEM_XENCTRL_SOCKET", control, 1);
    free(control);
    setenv("TMEM_XENCTRL_CLIENTS", "test:domain-", 1);
    stream = memfd_create("domain", MFD_CLOEXEC);
    return is_open(here) && is_open(there) && stream >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    assert_int_equal(xc_tmem_control(there, 0, TMEM_CONTROL_DESTROY, TMEM_CLIENT_ALL, 0, 0, NULL), 0);
    assert_int_equal(xc_interface_close(here), 0);
    assert_int_equal(xc_interface_close(there), 0);
    (void)close(stream);
    return xenctrl_tear_down(state);
}

static void expect_error(int result, int error)
{
    int found = errno;
    assert_int_equal(result, -1);
    assert_int_equal(found, error);
}

/* ---- the stream around it ---- */

static void write_word(int32_t word)
{
    assert_int_equal(write(stream, &word, sizeof word), sizeof word);
}

static int32_t read_word(void)
{
    int32_t word = 0;
    assert_int_equal(read(stream, &word, sizeof word), sizeof word);
    return word;
}

static void rewind_stream(void)
{
    assert_int_equal(lseek(stream, 0, SEEK_SET), 0);
}

static off_t size_of_stream(void)
{
    struct stat status;
    assert_int_equal(fstat(stream, &status), 0);
    return status.st_size;
}

/* ---- what came ---- */

/* Opens the other daemon's store as the client, as a program does that goes on with the domain. */
static struct tmem_store *claim(const char *name, enum tmem_result expected)
{
    char uri[800];
    char path[300];
    char question[128];
    const char *answer;
    struct tmem_daemon *daemon;
    struct tmem_store *store = NULL;
    struct tmem_error error;
    assert_int_equal(tmem_daemon_open(other_control, &daemon, NULL), TMEM_OK);
    (void)snprintf(question, sizeof question, "{\"verb\":\"token\",\"client\":\"%s\"}", name);
    assert_int_equal(tmem_daemon_ask(daemon, question, NULL, 0, &answer), TMEM_OK);
    const char *token = strstr(answer, "\"token\":\"");
    assert_non_null(token);
    (void)snprintf(path, sizeof path, "%s/token", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "%.32s\n", token + 9);
    assert_int_equal(fclose(file), 0);
    tmem_daemon_close(daemon);
    (void)snprintf(uri, sizeof uri, "%s,token=%s", getenv("TMEM_TEST_OTHER_URI"), path);
    enum tmem_result result = tmem_open(uri, &store, &error);
    if (result != expected)
        fail_msg("%s", error.text);
    (void)unlink(path);
    return store;
}

/* The pool of domain 7 that is persistent; it had number 1 there. */
static struct tmem_pool *find_pool(struct tmem_store *store)
{
    uint64_t ids[4];
    size_t count = 0;
    struct tmem_client *client;
    struct tmem_pool *pool;
    struct tmem_pool_stats stats;
    assert_int_equal(tmem_client_open(store, "test:domain-7", &client), TMEM_OK);
    assert_int_equal(tmem_client_pools(client, 0, ids, 4, &count), TMEM_OK);
    assert_int_equal(count, 2);
    assert_int_equal(tmem_pool_open(client, ids[1], &pool), TMEM_OK);
    assert_int_equal(tmem_pool_stats(pool, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.flags, TMEM_POOL_PERSISTENT);
    return pool;
}

/* Pages are those of xenctrl_set_up(), but for the @gone first. */
static void expect_pages(uint32_t gone)
{
    unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_store *store = claim("test:domain-7", TMEM_OK);
    struct tmem_pool *pool = find_pool(store);
    const struct tmem_object_id object = {{1, ~UINT64_C(1), UINT64_C(1) << 32}};
    for (uint32_t i = 0; i < PAGES; i++) {
        enum tmem_result result = tmem_get(pool, &object, i, page, TMEM_GET_INCLUSIVE);
        assert_int_equal(result, i < gone ? TMEM_MISS : TMEM_OK);
        xen_guest_fill(domain_7, 5, 100 + i);
        if (result == TMEM_OK)
            assert_memory_equal(page, domain_7->frames[5], sizeof page);
    }
    tmem_close(store);
}

static long put(uint32_t index)
{
    return xen_page(domain_7, TMEM_PUT_PAGE, 1, 1, index, 5, NULL);
}

/* ---- tests ---- */

static void a_domain_moves(void **state)
{
    (void)state;
    write_word(77);
    assert_int_equal(xc_tmem_save(here, 7, stream, 0, MARKER), 1);
    write_word(78);
    assert_int_equal(put(50), 1); /* it went on */
    rewind_stream();
    assert_int_equal(read_word(), 77);
    assert_int_equal(read_word(), MARKER);
    assert_int_equal(xc_tmem_restore(there, 7, stream), 0);
    assert_int_equal(read_word(), 78);
    expect_pages(0);
}

static void a_domain_moves_while_it_runs(void **state)
{
    (void)state;
    assert_int_equal(xc_tmem_save(here, 7, stream, 1, MARKER), 1);
    assert_int_equal(put(0), -ENOSPC); /* and the page has gone */
    assert_int_equal(xen_page(domain_7, TMEM_FLUSH_PAGE, 1, 1, 1, 0, NULL), 1);
    assert_int_equal(xen_page(domain_7, TMEM_GET_PAGE, 1, 1, 2, 6, NULL), 1);
    assert_true(xen_new(domain_7, 0x01000001, 0, 0) < 0);
    expect_error(xc_tmem_save(here, 7, stream, 1, MARKER), EEXIST);
    write_word(79);
    assert_int_equal(xc_tmem_save_extra(here, 7, stream, MARKER_EXTRA), 0);
    assert_int_equal(size_of_stream() % 4, 0);
    xc_tmem_save_done(here, 7);
    assert_int_equal(put(0), 1);
    rewind_stream();
    assert_int_equal(read_word(), MARKER);
    assert_int_equal(xc_tmem_restore(there, 7, stream), 0);
    assert_int_equal(read_word(), 79);
    assert_int_equal(read_word(), MARKER_EXTRA);
    assert_int_equal(xc_tmem_restore_extra(there, 7, stream), 0);
    assert_int_equal(lseek(stream, 0, SEEK_CUR), size_of_stream());
    expect_pages(2);
}

static void pages_of_a_pool_that_ends_meanwhile_go(void **state)
{
    struct tmem_op op;
    (void)state;
    assert_int_equal(xc_tmem_save(here, 7, stream, 1, MARKER), 1);
    xen_garbage(&op, TMEM_DESTROY_POOL);
    op.pool_id = 1;
    assert_int_equal(xen_send(domain_7, &op), 1);
    assert_int_equal(xc_tmem_save_extra(here, 7, stream, 5), 0);
    xc_tmem_save_done(here, 7);
    rewind_stream();
    (void)read_word();
    assert_int_equal(xc_tmem_restore(there, 7, stream), 0);
    assert_int_equal(read_word(), 5);
    assert_int_equal(xc_tmem_restore_extra(there, 7, stream), 0);
    expect_pages(PAGES);
}

static void what_is_told_to_a_domain_meanwhile_holds_afterwards(void **state)
{
    (void)state;
    assert_int_equal(xc_tmem_save(here, 7, stream, 1, MARKER), 1);
    assert_int_equal(xc_tmem_control(here, 0, TMEM_CONTROL_THAW, 7, 0, 0, NULL), 0);
    assert_int_equal(put(20), -ENOMEM);
    assert_int_equal(xc_tmem_control(here, 0, TMEM_CONTROL_FREEZE, 7, 0, 0, NULL), 0);
    xc_tmem_save_done(here, 7);
    xc_tmem_save_done(here, 7);
    assert_int_equal(put(20), -ENOMEM);
    assert_int_equal(xc_tmem_control(here, 0, TMEM_CONTROL_THAW, 7, 0, 0, NULL), 0);
    assert_int_equal(put(20), 1);
}

static void a_toolstack_that_goes_leaves_the_domain_as_it_was(void **state)
{
    long result = -ENOMEM;
    handle second = open_handle();
    (void)state;
    assert_int_equal(xc_tmem_save(second, 7, stream, 1, MARKER), 1);
    expect_error(xc_tmem_save_extra(here, 7, stream, MARKER_EXTRA), EPERM); /* another's */
    assert_int_equal(put(20), -ENOMEM);
    assert_int_equal(xc_interface_close(second), 0);
    for (unsigned tries = 0; result != 1 && tries < 1000; tries++) {
        usleep(10000);
        result = put(20);
    }
    assert_int_equal(result, 1);
    assert_int_equal(xc_tmem_save(here, 7, stream, 1, MARKER), 1);
    xc_tmem_save_done(here, 7);
}

static void of_nobody_nothing_is_saved(void **state)
{
    (void)state;
    assert_int_equal(xc_tmem_save(here, 99, stream, 1, MARKER), 0);
    assert_int_equal(xc_tmem_save(here, 99, stream, 0, MARKER), 0);
    xc_tmem_save_done(here, 99);
    expect_error(xc_tmem_save_extra(here, 99, stream, MARKER_EXTRA), EPERM);
    expect_error(xc_tmem_save_extra(here, 7, stream, MARKER_EXTRA), EPERM);
    expect_error(xc_tmem_restore_extra(there, 7, stream), EPERM);
    expect_error(xc_tmem_save(here, -1, stream, 0, MARKER), EINVAL);
    assert_int_equal(size_of_stream(), 0);
}

/* What the other API writes is read as well. */
static void either_format_is_read(void **state)
{
    const char *answer;
    struct tmem_daemon *daemon;
    (void)state;
    assert_int_equal(tmem_daemon_open(getenv("TMEM_XENCTRL_SOCKET"), &daemon, NULL), TMEM_OK);
    static const char question[] =
        "{\"verb\":\"save\",\"client\":\"test:domain-7\",\"format\":\"" OTHER_FORMAT "\"}";
    assert_int_equal(tmem_daemon_ask(daemon, question, &stream, 1, &answer), TMEM_OK);
    assert_non_null(strstr(answer, "\"result\":\"ok\""));
    tmem_daemon_close(daemon);
    rewind_stream();
    assert_int_equal(read_word(), MARKER);
    assert_int_equal(xc_tmem_restore(there, 7, stream), 0);
    expect_pages(0);
}

static void descriptors_that_cannot_do_it(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    expect_error(xc_tmem_save(here, 7, -1, 0, MARKER), EBADF);
    expect_error(xc_tmem_save(here, 7, ends[0], 0, MARKER), EIO);
    expect_error(xc_tmem_save(here, 7, ends[0], 1, MARKER), EIO);
    assert_int_equal(put(20), 1);
    expect_error(xc_tmem_restore(there, 7, -1), EBADF);
    expect_error(xc_tmem_restore(there, 7, ends[1]), EIO);
    assert_int_equal(xc_tmem_save(here, 7, stream, 1, MARKER), 1);
    expect_error(xc_tmem_save_extra(here, 7, ends[0], MARKER_EXTRA), EIO);
    xc_tmem_save_done(here, 7);
    (void)close(ends[0]);
    expect_error(xc_tmem_save(here, 7, ends[1], 0, MARKER), EIO); /* nobody reads it */
    (void)close(ends[1]);
}

static void torn_streams_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(xc_tmem_save(here, 7, stream, 0, MARKER), 1);
    off_t whole = size_of_stream();
    for (off_t size = whole - 1; size >= 4; size -= size > 200 ? 1237 : 1) {
        assert_int_equal(ftruncate(stream, size), 0);
        assert_int_equal(lseek(stream, 4, SEEK_SET), 4);
        expect_error(xc_tmem_restore(there, 7, stream), EINVAL);
    }
    assert_int_equal(ftruncate(stream, 0), 0);
    rewind_stream();
    assert_int_equal(xc_tmem_save(here, 7, stream, 0, MARKER), 1);
    assert_int_equal(lseek(stream, 4, SEEK_SET), 4);
    assert_int_equal(xc_tmem_restore(there, 7, stream), 0);
    expect_error(xc_tmem_restore_extra(there, 7, stream), EINVAL); /* there is nothing more */
    assert_int_equal(lseek(stream, 4, SEEK_SET), 4);
    expect_error(xc_tmem_restore(there, 7, stream), EEXIST);
    expect_pages(0);
}

/* Who may connect and is no operator. */
static void who_is_no_operator_is_denied(void **state)
{
    char parent[256];
    int status;
    (void)state;
    if (geteuid() != 0)
        skip();
    const char *control = getenv("TMEM_XENCTRL_SOCKET");
    (void)snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(control, '/') - control), control);
    assert_int_equal(chmod(parent, 0711) | chmod(control, 0666), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            _exit(2);
        handle denied = open_handle();
        bool is_right = is_open(denied) && xc_tmem_save(denied, 7, 2, 0, MARKER) == -1 && errno == EACCES;
        denied = open_handle();
        is_right = is_right && xc_tmem_restore(denied, 7, 0) == -1 && errno == EACCES;
        _exit(is_right ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_domain_moves),
        TEST(a_domain_moves_while_it_runs),
        TEST(pages_of_a_pool_that_ends_meanwhile_go),
        TEST(what_is_told_to_a_domain_meanwhile_holds_afterwards),
        TEST(a_toolstack_that_goes_leaves_the_domain_as_it_was),
        TEST(of_nobody_nothing_is_saved),
        TEST(either_format_is_read),
        TEST(descriptors_that_cannot_do_it),
        TEST(torn_streams_change_nothing),
        TEST(who_is_no_operator_is_denied),
    };
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/xenctrl-save-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
