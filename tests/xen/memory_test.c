/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_test.c - each allocation of a host's life is refused once: whoever asked is told so, and what he asks for
 * again is done, with nothing lost or left behind.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/control.h>
#include <tmem/frontswap.h>
#include <tmem/xen.h>

#include "tests/xen/failing.h"

#define MOST_ALLOCATIONS 2000

static unsigned char frame[TMEM_PAGE_SIZE];
static char buffer[8192];

static void *map(void *context, uint64_t number, bool for_write)
{
    (void)context;
    (void)number;
    (void)for_write;
    return frame;
}

/* Does it again when it was refused; a second time nothing is. */
#define PERSIST(result, call, refused)           \
    do {                                         \
        (result) = (call);                       \
        if ((result) == (refused)) {             \
            assert_true(failing_has_happened()); \
            (result) = (call);                   \
        }                                        \
    } while (0)

static struct tmem_xen_domain *create_domain(struct tmem_xen *xen, uint32_t id)
{
    struct tmem_xen_domain_options options = TMEM_XEN_DOMAIN_INIT;
    struct tmem_xen_domain *domain = NULL;
    enum tmem_result result;
    options.id = id;
    options.is_privileged = id == 0;
    options.guest.map = map;
    PERSIST(result, tmem_xen_domain_create(xen, &options, &domain), TMEM_NOMEM);
    assert_int_equal(result, TMEM_OK);
    return domain;
}

static void new_pool(struct tmem_xen_domain *domain, uint32_t flags, long number)
{
    struct tmem_op op = {.cmd = TMEM_NEW_POOL};
    long result;
    op.u.creat.uuid[0] = 5;
    op.u.creat.flags = flags;
    PERSIST(result, tmem_xen_op(domain, &op), -ENOMEM);
    assert_int_equal(result, number);
}

static void page(struct tmem_xen_domain *domain, uint32_t cmd, int32_t pool, uint64_t object, uint32_t index)
{
    struct tmem_op op = {.cmd = cmd, .pool_id = pool};
    long result;
    op.u.gen.oid[0] = object;
    op.u.gen.index = index;
    PERSIST(result, tmem_xen_op(domain, &op), -ENOMEM);
    assert_int_equal(result, 1);
}

static void control(struct tmem_xen_domain *domain, uint32_t number, uint32_t client, uint32_t size_bytes,
                    long expected)
{
    const struct xen_sysctl_tmem_op op = {
        .cmd = number, .cli_id = client, .len = size_bytes, .arg = 1, .buf = (uintptr_t)buffer};
    long result;
    PERSIST(result, tmem_xen_sysctl(domain, &op), -ENOMEM);
    assert_int_equal(result, expected);
}

static void live(struct tmem_xen *xen)
{
    const struct xen_tmem_pool_info right = {XEN_TMEM_POOL_AUTH, 0, 0, {5, 0}};
    struct tmem_xen_domain *tools = create_domain(xen, 0);
    struct tmem_xen_domain *domains[2] = {create_domain(xen, 1), create_domain(xen, 2)};
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(buffer, &right, sizeof right);
        control(tools, TMEM_CONTROL_SET_AUTH, 1 + i, sizeof right, 1);
        new_pool(domains[i], 0x01000001, 0);
        new_pool(domains[i], 0x01000002, 1);
        for (uint32_t k = 0; k < 200; k++)
            page(domains[i], TMEM_PUT_PAGE, (int32_t)(k % 2), k, k);
    }
    control(tools, TMEM_CONTROL_LIST, TMEM_CLIENT_ALL, sizeof buffer, 0);
    assert_non_null(strstr(buffer, "S=SI:0,PT:ES,U0:5,U1:0,SC:1,SC:2"));
    assert_memory_equal(buffer + strlen(buffer) - 3, "\nT\n", 3);
    page(domains[1], TMEM_GET_PAGE, 1, 1, 1);
    control(tools, TMEM_CONTROL_SAVE_BEGIN, 1, 0, 0);
    for (uint32_t k = 0; k < 100; k++)
        control(tools, TMEM_CONTROL_SAVE_GET_NEXT_PAGE, 1, sizeof buffer, 1);
    control(tools, TMEM_CONTROL_SAVE_GET_NEXT_PAGE, 1, sizeof buffer, -1);
    control(tools, TMEM_CONTROL_SAVE_END, 1, 0, 0);
    page(domains[0], TMEM_PUT_PAGE, 0, 1, 1);
    tmem_xen_domain_destroy(domains[0]);
    page(domains[1], TMEM_GET_PAGE, 1, 1, 1);
    control(tools, TMEM_CONTROL_DESTROY, TMEM_CLIENT_ALL, 0, 0);
}

static void swap(struct tmem_store *store)
{
    struct tmem_frontswap *frontswap = NULL;
    struct tmem_client *client = NULL;
    enum tmem_result result;
    PERSIST(result, tmem_client_create(store, "swap", NULL, &client), TMEM_NOMEM);
    assert_int_equal(result, TMEM_OK);
    PERSIST(result, tmem_frontswap_create(client, TMEM_FRONTSWAP_PLAIN, &frontswap), TMEM_NOMEM);
    assert_int_equal(result, TMEM_OK);
    PERSIST(result, tmem_frontswap_init(frontswap, 3), TMEM_NOMEM);
    assert_int_equal(result, TMEM_OK);
    PERSIST(result, tmem_frontswap_store(frontswap, 3, 4, frame), TMEM_NOMEM);
    assert_int_equal(result, TMEM_OK);
    tmem_frontswap_destroy(frontswap);
}

static void each_refused_allocation_is_told_and_nothing_is_lost(void **state)
{
    long count = 0;
    bool has_happened = true;
    (void)state;
    memset(frame, 'x', sizeof frame);
    for (; has_happened; count++) {
        struct tmem_store *store = NULL;
        struct tmem_xen *xen = NULL;
        enum tmem_result result;
        assert_true(count < MOST_ALLOCATIONS);
        failing_after(-1);
        assert_int_equal(tmem_open("embedded:size=16M,maintenance=none", &store, NULL), TMEM_OK);
        failing_after(count);
        PERSIST(result, tmem_xen_open(store, NULL, &xen), TMEM_NOMEM);
        assert_int_equal(result, TMEM_OK);
        live(xen);
        swap(store);
        has_happened = failing_has_happened();
        failing_after(-1);
        tmem_xen_close(xen);
        assert_int_equal(tmem_store_check(store), TMEM_OK);
        tmem_close(store);
    }
    assert_true(count > 10); /* a host, domains, pools and a list at least */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_refused_allocation_is_told_and_nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
