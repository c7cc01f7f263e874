/* SPDX-License-Identifier: BSD-2-Clause */
/* decode_test.c - ops as guests of each kind lay them out, byte by byte, and what a host and a domain are made with. */
#include <errno.h>
#include <string.h>

#include "tests/xen/world.h"

/* Every byte its own place, so that a field says where it was read. */
static const unsigned char *places(void)
{
    static unsigned char bytes[64];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    return bytes;
}

/* The little-endian number of @size bytes from @at. */
static uint64_t at(unsigned place, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | (place + i);
    return value;
}

static struct tmem_op decode(uint32_t abi, uint32_t cmd)
{
    unsigned char bytes[64];
    struct tmem_op op;
    memcpy(bytes, places(), sizeof bytes);
    memcpy(bytes, &cmd, sizeof cmd);
    assert_false(tmem_xen_decode(abi, bytes, tmem_xen_op_size(abi) - 1, &op));
    assert_true(tmem_xen_decode(abi, bytes, tmem_xen_op_size(abi), &op));
    assert_int_equal(op.cmd, cmd);
    assert_int_equal((uint32_t)op.pool_id, at(4, 4));
    return op;
}

static void expect_version_1(uint32_t abi, unsigned word_bytes)
{
    struct tmem_op op = decode(abi, TMEM_NEW_POOL);
    assert_int_equal(op.u.creat.uuid[0], at(8, 8));
    assert_int_equal(op.u.creat.uuid[1], at(16, 8));
    assert_int_equal(op.u.creat.flags, at(24, 4));
    assert_int_equal(op.u.creat.arg1, at(28, 4));
    op = decode(abi, TMEM_PUT_PAGE);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(op.u.gen.oid[i], at(8 + 8 * i, 8));
    assert_int_equal(op.u.gen.index, at(32, 4));
    assert_int_equal(op.u.gen.tmem_offset, at(36, 4));
    assert_int_equal(op.u.gen.pfn_offset, at(40, 4));
    assert_int_equal(op.u.gen.len, at(44, 4));
    assert_int_equal(op.u.gen.cmfn, at(48, word_bytes));
    op = decode(abi, TMEM_CONTROL);
    assert_int_equal(op.u.ctrl.subop, at(8, 4));
    assert_int_equal(op.u.ctrl.cli_id, at(12, 4));
    assert_int_equal(op.u.ctrl.arg1, at(16, 4));
    assert_int_equal(op.u.ctrl.arg2, at(20, 4));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(op.u.ctrl.oid[i], at(24 + 8 * i, 8));
    assert_int_equal(op.u.ctrl.buf, at(48, word_bytes));
}

static void expect_version_0(uint32_t abi, unsigned word_bytes)
{
    struct tmem_op op = decode(abi, TMEM_NEW_POOL);
    assert_int_equal(op.u.creat.uuid[0], at(8, 8));
    assert_int_equal(op.u.creat.uuid[1], at(16, 8));
    assert_int_equal(op.u.creat.flags, at(24, 4));
    op = decode(abi, TMEM_GET_PAGE);
    assert_int_equal(op.u.gen.oid[0], at(8, 8));
    assert_int_equal(op.u.gen.oid[1] | op.u.gen.oid[2], 0);
    assert_int_equal(op.u.gen.index, at(16, 4));
    assert_int_equal(op.u.gen.tmem_offset, at(20, 4));
    assert_int_equal(op.u.gen.pfn_offset, at(24, 4));
    assert_int_equal(op.u.gen.len, at(28, 4));
    assert_int_equal(op.u.gen.cmfn, at(32, word_bytes));
    op = decode(abi, TMEM_CONTROL);
    assert_int_equal(op.u.ctrl.subop, at(8, 4));
    assert_int_equal(op.u.ctrl.cli_id, at(12, 4));
    assert_int_equal(op.u.ctrl.arg1, at(16, 4));
    assert_int_equal(op.u.ctrl.arg2, at(20, 4));
    assert_int_equal(op.u.ctrl.buf, at(32, word_bytes));
}

static void ops_are_read_from_the_places_of_each_layout(void **state)
{
    (void)state;
    assert_int_equal(tmem_xen_op_size(TMEM_XEN_ABI_X86_64), 56);
    assert_int_equal(tmem_xen_op_size(TMEM_XEN_ABI_I386), 52);
    assert_int_equal(tmem_xen_op_size(TMEM_XEN_ABI_X86_64_V0), 40);
    assert_int_equal(tmem_xen_op_size(TMEM_XEN_ABI_I386_V0), 36);
    expect_version_1(TMEM_XEN_ABI_X86_64, 8);
    expect_version_1(TMEM_XEN_ABI_I386, 4);
    expect_version_0(TMEM_XEN_ABI_X86_64_V0, 8);
    expect_version_0(TMEM_XEN_ABI_I386_V0, 4);
}

static void layouts_that_are_none_are_refused(void **state)
{
    struct tmem_op op = {.cmd = 99};
    (void)state;
    assert_int_equal(tmem_xen_op_size(4), 0);
    assert_false(tmem_xen_decode(4, places(), 64, &op));
    assert_false(tmem_xen_decode(TMEM_XEN_ABI_X86_64, NULL, 64, &op));
    assert_false(tmem_xen_decode(TMEM_XEN_ABI_X86_64, places(), 64, NULL));
    assert_int_equal(op.cmd, 99);
}

/* ---- hosts and domains ---- */

static void hosts_are_refused_what_is_not_valid(void **state)
{
    struct xen_world world;
    struct tmem_xen *xen = NULL;
    struct tmem_xen_settings settings = TMEM_XEN_SETTINGS_INIT;
    (void)state;
    xen_world_open(&world, NULL);
    assert_int_equal(tmem_xen_open(NULL, NULL, &xen), TMEM_INVALID);
    assert_int_equal(tmem_xen_open(world.store, NULL, NULL), TMEM_INVALID);
    settings.reserved[3] = 1;
    assert_int_equal(tmem_xen_open(world.store, &settings, &xen), TMEM_INVALID);
    settings.reserved[3] = 0;
    settings.prefix = "12345678901234567890123456789012345678901"; /* 41 bytes */
    assert_int_equal(tmem_xen_open(world.store, &settings, &xen), TMEM_INVALID);
    settings.prefix++;
    assert_int_equal(tmem_xen_open(world.store, &settings, &xen), TMEM_OK);
    tmem_xen_close(xen);
    tmem_xen_close(NULL);
    xen_world_close(&world);
}

static void domains_are_refused_what_is_not_valid(void **state)
{
    struct xen_world world;
    struct tmem_xen_domain *domain = NULL;
    struct tmem_xen_domain *second = NULL;
    const struct tmem_xen_domain_options defaults = TMEM_XEN_DOMAIN_INIT;
    struct tmem_xen_domain_options options = defaults;
    (void)state;
    xen_world_open(&world, NULL);
    assert_int_equal(tmem_xen_domain_create(NULL, &options, &domain), TMEM_INVALID);
    assert_int_equal(tmem_xen_domain_create(world.xen, NULL, &domain), TMEM_INVALID);
    assert_int_equal(tmem_xen_domain_create(world.xen, &options, NULL), TMEM_INVALID);
    options.id = TMEM_CLIENT_ALL;
    assert_int_equal(tmem_xen_domain_create(world.xen, &options, &domain), TMEM_INVALID);
    options = defaults;
    options.release = 404;
    assert_int_equal(tmem_xen_domain_create(world.xen, &options, &domain), TMEM_INVALID);
    options = defaults;
    options.abi = TMEM_XEN_ABI_X86_64_V0;
    assert_int_equal(tmem_xen_domain_create(world.xen, &options, &domain), TMEM_INVALID);
    options = defaults;
    options.reserved[0] = 1;
    assert_int_equal(tmem_xen_domain_create(world.xen, &options, &domain), TMEM_INVALID);
    assert_int_equal(tmem_xen_domain_create(world.xen, &defaults, &domain), TMEM_OK);
    assert_int_equal(tmem_xen_domain_create(world.xen, &defaults, &second), TMEM_EXISTS);
    tmem_xen_domain_kill(domain);
    tmem_xen_domain_kill(domain);
    assert_int_equal(tmem_xen_domain_create(world.xen, &defaults, &second), TMEM_EXISTS);
    tmem_xen_domain_destroy(domain);
    assert_int_equal(tmem_xen_domain_create(world.xen, &defaults, &second), TMEM_OK);
    tmem_xen_domain_destroy(second);
    tmem_xen_domain_destroy(NULL);
    xen_world_close(&world);
}

/* A monitor that maps nothing and copies nothing has its guest in its own memory, and no frames. */
static void a_domain_without_callbacks_reads_this_process(void **state)
{
    struct xen_world world;
    struct tmem_xen_domain *domain;
    struct tmem_xen_domain_options options = TMEM_XEN_DOMAIN_INIT;
    struct xen_tmem_client info = {0};
    const struct xen_sysctl_tmem_op ask = {.cmd = TMEM_CONTROL_GET_CLIENT_INFO, .cli_id = 5, .buf = (uintptr_t)&info};
    struct tmem_op op = {.cmd = TMEM_NEW_POOL};
    (void)state;
    xen_world_open(&world, NULL);
    options.id = 5;
    options.is_privileged = true;
    assert_int_equal(tmem_xen_domain_create(world.xen, &options, &domain), TMEM_OK);
    op.u.creat.flags = 0x01000000;
    assert_int_equal(tmem_xen_op(domain, &op), 0);
    assert_int_equal(tmem_xen_op(domain, NULL), -EFAULT);
    op.cmd = TMEM_PUT_PAGE;
    assert_int_equal(tmem_xen_op(domain, &op), -EFAULT);
    assert_int_equal(tmem_xen_sysctl(domain, &ask), 0);
    assert_int_equal(info.nr_pools, 1);
    xen_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_are_read_from_the_places_of_each_layout),
        cmocka_unit_test(layouts_that_are_none_are_refused),
        cmocka_unit_test(hosts_are_refused_what_is_not_valid),
        cmocka_unit_test(domains_are_refused_what_is_not_valid),
        cmocka_unit_test(a_domain_without_callbacks_reads_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
