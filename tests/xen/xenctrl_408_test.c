/* SPDX-License-Identifier: BSD-2-Clause */
/* xenctrl_408_test.c - a toolstack of 4.8 and later: its calls, structures and lists, on a daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tmem/xenctrl.h>

#include "tests/xen/list_parse.h"
#include "tests/xen/xenctrl.h"

static xc_interface *xch;
static char buffer[32768];

static int set_up(void **state)
{
    xenctrl_set_up(state);
    xch = xc_interface_open(NULL, NULL, 0);
    return xch != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    assert_int_equal(xc_interface_close(xch), 0);
    assert_int_equal(xc_interface_close(NULL), 0);
    return xenctrl_tear_down(state);
}

static int ask(uint32_t subop, uint32_t client, uint32_t arg)
{
    return xc_tmem_control(xch, 0, subop, client, 0, arg, NULL);
}

static void expect_error(int result, int error)
{
    int found = errno;
    assert_int_equal(result, -1);
    assert_int_equal(found, error);
}

static void clients_are_read_and_set(void **state)
{
    struct xen_tmem_client info = {0};
    (void)state;
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_CLIENT_INFO, 7, sizeof info, 0, &info), 0);
    assert_int_equal(info.version, 1);
    assert_int_equal(info.maxpools, 16);
    assert_int_equal(info.nr_pools, 2);
    assert_int_equal(info.flags & XEN_TMEM_CLIENT_FROZEN, 0);
    assert_int_equal(info.weight, 100);
    info.weight = 700;
    info.flags = 0;
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_SET_CLIENT_INFO, 7, sizeof info, 0, &info), 0);
    assert_int_equal(ask(TMEM_CONTROL_FREEZE, 7, 0), 0);
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_CLIENT_INFO, 7, sizeof info, 0, &info), 0);
    assert_int_equal(info.weight, 700);
    assert_int_equal(info.flags, XEN_TMEM_CLIENT_FROZEN);
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_CLIENT_INFO, 99, sizeof info, 0, &info), 0);
    assert_int_equal(info.nr_pools, 0); /* of nobody: what is generally so */
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_SET_CLIENT_INFO, 99, sizeof info, 0, &info), ENOENT);
    info.maxpools = 17;
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_SET_CLIENT_INFO, 7, sizeof info, 0, &info), ERANGE);
    info.version = 2;
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_SET_CLIENT_INFO, 7, sizeof info, 0, &info), EOPNOTSUPP);
    expect_error(ask(TMEM_CONTROL_GET_CLIENT_INFO, 7, 0), EFAULT);
    expect_error(ask(TMEM_CONTROL_SET_CLIENT_INFO, 7, 0), EFAULT);
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_CLIENT_INFO, 7, sizeof info, 0, NULL), EINVAL);
}

static void pools_are_read(void **state)
{
    struct xen_tmem_pool_info pools[16];
    const struct xen_tmem_oid oid = {{0, 0, 0}};
    (void)state;
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_POOLS, 7, sizeof pools, 0, pools), 2);
    assert_int_equal(pools[0].flags, 0x01000000);
    assert_int_equal(pools[1].flags, 0x01000001);
    assert_int_equal(pools[1].id, 1);
    assert_int_equal(pools[1].n_pages, PAGES);
    assert_int_equal(xc_tmem_control_oid(xch, 0, TMEM_CONTROL_GET_POOLS, 7, sizeof pools[0], 0, oid, pools), 1);
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_POOLS, 7, 33, 0, pools), EINVAL);
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_POOLS, 7, 17 * 32, 0, pools), E2BIG);
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_GET_POOLS, 99, sizeof pools, 0, pools), EINVAL);
}

static void a_list_has_the_keys_of_that_time(void **state)
{
    struct list_line line;
    const char *text = buffer;
    (void)state;
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_LIST, 12, sizeof buffer, 0, buffer), 0);
    assert_true(list_next(&text, &line));
    list_expect_keys(&line, "CI,ww,co,fr,Tc,Ge,Pp,Gp");
    assert_int_equal(list_value(&line, "CI"), 12);
    assert_true(list_next(&text, &line));
    assert_string_equal(line.text, "P=CI:12,PI:0,PT:PP,U0:0,U1:0");
    assert_false(list_next(&text, &line));
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_LIST, TMEM_CLIENT_ALL, sizeof buffer, 1, buffer), 0);
    for (text = buffer; list_next(&text, &line);)
        list_expect_found(&line);
    expect_error(xc_tmem_control(xch, 0, TMEM_CONTROL_LIST, 99, sizeof buffer, 0, buffer), EPERM);
}

/* Digits a to f were once read as 0 to 5, so that names of pools were taken for others. */
static void pools_are_shared_by_who_was_allowed_to(void **state)
{
    char upper[] = "0123ABCD-4567-89ab-cdef-0a1b2c3d4e5f";
    char wrong[][40] = {"",
                        "0123abcd-4567-89ab-cdef-0a1b2c3d4e5",
                        "0123abcd-4567-89ab-cdef-0a1b2c3d4e5f0",
                        "0123abcd04567-89ab-cdef-0a1b2c3d4e5f",
                        "0123abcg-4567-89ab-cdef-0a1b2c3d4e5f",
                        "12"};
    struct xen_tmem_pool_info right = {XEN_TMEM_POOL_AUTH, 0, 0, {UINT64_C(0xcdef0a1b2c3d4e5f), 0}};
    char one[] = "b";
    (void)state;
    assert_int_equal(xc_tmem_auth(xch, 7, upper, 1), 1);
    struct tmem_uuid uuid = {{UINT64_C(0xcdef0a1b2c3d4e5f), UINT64_C(0x0123abcd456789ab)}};
    struct tmem_client *client;
    struct tmem_pool *pool;
    assert_int_equal(tmem_client_open(xenctrl_world.store, "domain-7", &client), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &pool), TMEM_OK);
    uuid.word[1] = UINT64_C(0x0123012345670901); /* as which it was read then */
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &pool), TMEM_DENIED);
    assert_int_equal(xc_tmem_auth(xch, 7, one, 1), 1);
    uuid = (struct tmem_uuid){{0xb, 0}};
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &pool), TMEM_OK);
    right.uuid[1] = 77;
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_SET_AUTH, 7, sizeof right, 0, &right), 1);
    uuid = (struct tmem_uuid){{right.uuid[0], 77}};
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &pool), TMEM_OK);
    tmem_pool_destroy(pool);
    right.flags = 0;
    assert_int_equal(xc_tmem_control(xch, 0, TMEM_CONTROL_SET_AUTH, 7, sizeof right, 0, &right), 1);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_SHARED, &uuid, &pool), TMEM_DENIED);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_error(xc_tmem_auth(xch, 7, wrong[i], 1), EINVAL);
    expect_error(xc_tmem_auth(xch, 7, NULL, 1), EINVAL);
    expect_error(xc_tmem_auth(xch, 99, upper, 1), ENOMEM);
}

static void memory_is_given_back(void **state)
{
    (void)state;
    assert_true(ask(TMEM_CONTROL_QUERY_FREEABLE_MB, 0, 0) >= 0);
    assert_true(ask(TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 1024) >= 0);
    expect_error(ask(TMEM_CONTROL_FLUSH, 7, 1024), EPERM);
    expect_error(ask(14, 7, 0), EPERM); /* a number of 4.7 */
    expect_error(ask(TMEM_CONTROL_SAVE_BEGIN, 7, 1), EPERM);
    expect_error(ask(TMEM_CONTROL_RESTORE_BEGIN, 99, 0), EPERM);
}

static void without_a_daemon_there_is_no_handle(void **state)
{
    (void)state;
    setenv("TMEM_XENCTRL_SOCKET", "/nonexistent/control.sock", 1);
    assert_null(xc_interface_open(NULL, NULL, 0));
    assert_int_equal(errno, ENOTCONN);
    expect_error(xc_tmem_control(NULL, 0, TMEM_CONTROL_THAW, 7, 0, 0, NULL), EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clients_are_read_and_set),
        TEST(pools_are_read),
        TEST(a_list_has_the_keys_of_that_time),
        TEST(pools_are_shared_by_who_was_allowed_to),
        TEST(memory_is_given_back),
        TEST(without_a_daemon_there_is_no_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
