/* SPDX-License-Identifier: BSD-2-Clause */
/* xenctrl_200905_test.c - a toolstack of May 2009: one call, with numbers and keys of that time, on a daemon. */
#include <errno.h>
#include <string.h>

#define TMEM_XENCTRL_API 200905
#include <tmem/xenctrl.h>

#include "tests/xen/list_parse.h"
#include "tests/xen/xenctrl.h"

static int xc;
static char buffer[32768];

static int set_up(void **state)
{
    xenctrl_set_up(state);
    xc = xc_interface_open();
    return xc >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    assert_int_equal(xc_interface_close(xc), 0);
    assert_int_equal(xc_interface_close(xc), -1);
    assert_int_equal(errno, EBADF);
    return xenctrl_tear_down(state);
}

static int ask(uint32_t subop, uint32_t client, uint32_t value)
{
    return xc_tmem_control(xc, 0, subop, client, value, 0, NULL);
}

static long put(struct xen_guest *guest, int32_t pool)
{
    return xen_page(guest, TMEM_PUT_PAGE, pool, 1, 0, 1, NULL);
}

static void expect_error(int result, int error)
{
    int found = errno;
    assert_int_equal(result, -1);
    assert_int_equal(found, error);
}

static void frozen_clients_store_nothing_new(void **state)
{
    (void)state;
    assert_int_equal(ask(TMEM_CONTROL_FREEZE, 7, 0), 0);
    assert_int_equal(put(domain_7, 0), -ENOMEM);
    assert_int_equal(put(domain_12, 0), 1);
    assert_int_equal(ask(TMEM_CONTROL_GET_CLIENT_FLAGS, 7, 0) & TMEM_CLIENT_FROZEN, TMEM_CLIENT_FROZEN);
    assert_int_equal(ask(TMEM_CONTROL_THAW, 7, 0), 0);
    assert_int_equal(put(domain_7, 0), 1);
    assert_int_equal(ask(TMEM_CONTROL_FREEZE, TMEM_CLIENT_ALL, 0), 0);
    assert_int_equal(xen_page(domain_12, TMEM_PUT_PAGE, 0, 9, 9, 1, NULL), -ENOMEM);
    assert_int_equal(ask(TMEM_CONTROL_THAW, TMEM_CLIENT_ALL, 0), 0);
    expect_error(ask(TMEM_CONTROL_FREEZE, 8, 0), EPERM);
}

static void weights_and_caps_are_set_and_read(void **state)
{
    (void)state;
    assert_int_equal(ask(TMEM_CONTROL_SET_WEIGHT, 7, 300), 0);
    assert_int_equal(ask(TMEM_CONTROL_GET_CLIENT_WEIGHT, 7, 0), 300);
    assert_int_equal(ask(TMEM_CONTROL_GET_CLIENT_WEIGHT, 12, 0), 100);
    assert_int_equal(ask(TMEM_CONTROL_SET_CAP, 7, 5), 0);
    assert_int_equal(ask(TMEM_CONTROL_GET_CLIENT_CAP, 7, 0), 5);
    assert_int_equal(ask(TMEM_CONTROL_SET_CAP, 7, 0), 0);
    assert_int_equal(ask(TMEM_CONTROL_GET_CLIENT_CAP, 7, 0), 0);
    assert_int_equal(ask(TMEM_CONTROL_SET_COMPRESS, 7, 0), 0);
    assert_int_equal(ask(TMEM_CONTROL_GET_CLIENT_FLAGS, 7, 0), 0);
    expect_error(ask(TMEM_CONTROL_GET_CLIENT_WEIGHT, TMEM_CLIENT_ALL, 0), EPERM);
    expect_error(ask(TMEM_CONTROL_SET_WEIGHT, 8, 1), EPERM);
}

static void pools_are_described(void **state)
{
    uint64_t uuid[2] = {1, 1};
    (void)state;
    assert_int_equal(ask(TMEM_CONTROL_GET_MAXPOOLS, 0, 0), 16);
    assert_int_equal(ask(TMEM_CONTROL_GET_VERSION, 0, 0), 1);
    assert_int_equal(xc_tmem_control(xc, 0, TMEM_CONTROL_GET_POOL_FLAGS, 7, 0, 0, NULL), 0x01000000);
    assert_int_equal(xc_tmem_control(xc, 1, TMEM_CONTROL_GET_POOL_FLAGS, 7, 0, 0, NULL), 0x01000001);
    assert_int_equal(xc_tmem_control(xc, 1, TMEM_CONTROL_GET_POOL_NPAGES, 7, 0, 0, NULL), PAGES);
    assert_int_equal(xc_tmem_control(xc, 1, TMEM_CONTROL_GET_POOL_UUID, 7, sizeof uuid, 0, uuid), 0);
    assert_int_equal(uuid[0] | uuid[1], 0);
    expect_error(xc_tmem_control(xc, 2, TMEM_CONTROL_GET_POOL_FLAGS, 7, 0, 0, NULL), EPERM);
    expect_error(xc_tmem_control(xc, -1, TMEM_CONTROL_GET_POOL_FLAGS, 7, 0, 0, NULL), EPERM);
    expect_error(xc_tmem_control(xc, 1, TMEM_CONTROL_GET_POOL_UUID, 7, 15, 0, uuid), EINVAL);
}

static void a_list_has_the_keys_of_that_time(void **state)
{
    struct list_line line;
    const char *text = buffer;
    char kinds[16] = "";
    size_t count = 0;
    (void)state;
    assert_int_equal(xc_tmem_control(xc, 0, TMEM_CONTROL_LIST, TMEM_CLIENT_ALL, sizeof buffer, 1, buffer), 0);
    while (list_next(&text, &line)) {
        assert_true(count < sizeof kinds - 1);
        kinds[count++] = line.kind;
        list_expect_found(&line);
        if (line.kind == 'C')
            list_expect_keys(&line, "CI,ww,ca,co,fr,Tc,Ge,Pp,Gp,Ec,Em,cp,cb,cn,cm");
    }
    assert_string_equal(kinds, "GCPPCPT");
    text = buffer;
    (void)list_next(&text, &line);
    assert_int_equal(list_value(&line, "Pc"), 3 * PAGES);
    assert_int_equal(list_value(&line, "Ec"), PAGES);
    (void)list_next(&text, &line);
    assert_int_equal(list_value(&line, "CI"), 7);
    assert_int_equal(list_value(&line, "Ec"), PAGES);
    assert_int_equal(list_value(&line, "Pp"), PAGES);
    (void)list_next(&text, &line);
    assert_memory_equal(list_type(&line), "EP", 2);
    assert_int_equal(list_value(&line, "ps"), PAGES);
}

static void a_small_buffer_gets_whole_lines(void **state)
{
    (void)state;
    memset(buffer, '#', sizeof buffer);
    expect_error(xc_tmem_control(xc, 0, TMEM_CONTROL_LIST, 7, 60, 0, buffer), ENOBUFS);
    assert_int_equal(buffer[60], '#');
    assert_memory_equal(buffer, "C=CI:7,", 7);
    assert_int_equal(buffer[strlen(buffer) - 1], '\n');
    expect_error(xc_tmem_control(xc, 0, TMEM_CONTROL_LIST, 7, 60, 0, NULL), ENOMEM);
    expect_error(xc_tmem_control(xc, 0, TMEM_CONTROL_LIST, 8, sizeof buffer, 0, buffer), EPERM);
}

/* A library that lives on connects its client again, at once; but the pages have gone, and persistent pools say so. */
static void pages_of_destroyed_clients_are_gone(void **state)
{
    (void)state;
    assert_int_equal(ask(TMEM_CONTROL_DESTROY, 12, 0), 0);
    assert_int_equal(xen_page(domain_12, TMEM_GET_PAGE, 0, 1, 0, 7, NULL), -EIO);
    assert_int_equal(xen_page(domain_7, TMEM_GET_PAGE, 1, 1, 0, 7, NULL), 1);
    assert_int_equal(ask(TMEM_CONTROL_DESTROY, TMEM_CLIENT_ALL, 0), 0);
    assert_int_equal(xen_page(domain_7, TMEM_GET_PAGE, 1, 1, 0, 7, NULL), -EIO);
    expect_error(ask(TMEM_CONTROL_DESTROY, 99, 0), EPERM);
}

static void memory_is_given_back(void **state)
{
    (void)state;
    assert_true(ask(TMEM_CONTROL_QUERY_FREEABLE_MB, 0, 0) >= 0);
    assert_int_equal(ask(TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 0), 0);
    assert_true(ask(TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 1024) >= 0);
    expect_error(ask(TMEM_CONTROL_FLUSH, 7, 1024), EPERM);
    expect_error(ask(99, TMEM_CLIENT_ALL, 0), EPERM);
    expect_error(ask(TMEM_CONTROL_SET_POOLS, 7, 0), EPERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frozen_clients_store_nothing_new),
        TEST(weights_and_caps_are_set_and_read),
        TEST(pools_are_described),
        TEST(a_list_has_the_keys_of_that_time),
        TEST(a_small_buffer_gets_whole_lines),
        TEST(pages_of_destroyed_clients_are_gone),
        TEST(memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
