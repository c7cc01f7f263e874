/* SPDX-License-Identifier: BSD-2-Clause */
/* xenctrl.c - a daemon's domains for the tests of control calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/xenctrl.h"

struct xen_guest *domain_7, *domain_12;
struct xen_world xenctrl_world;

static void put_pages(struct xen_guest *guest, int32_t pool)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        xen_guest_fill(guest, 5, 100 * (uint64_t)pool + i);
        assert_int_equal(xen_page(guest, TMEM_PUT_PAGE, pool, 1, i, 5, NULL), 1);
    }
}

static struct xen_guest *create(uint32_t id)
{
    return xen_guest_create(&xenctrl_world, id, TMEM_XEN_RELEASE_4_12, TMEM_XEN_ABI_X86_64, UINT64_MAX);
}

int xenctrl_set_up(void **state)
{
    char path[256];
    const char *uri = getenv("TMEM_TEST_URI");
    (void)state;
    assert_true(xen_world_is_remote());
    const char *slash = strrchr(uri, '/');
    snprintf(path, sizeof path, "%.*s/control.sock", (int)(slash - uri) - 5, uri + 5);
    setenv("TMEM_XENCTRL_SOCKET", path, 1);
    xen_world_open(&xenctrl_world, NULL);
    domain_12 = create(12);
    domain_7 = create(7);
    assert_int_equal(xen_new(domain_12, 0x01000001, 0, 0), 0);
    assert_int_equal(xen_new(domain_7, 0x01000000, 0, 0), 0);
    assert_int_equal(xen_new(domain_7, 0x01000001, 0, 0), 1);
    put_pages(domain_12, 0);
    put_pages(domain_7, 0);
    put_pages(domain_7, 1);
    return 0;
}

int xenctrl_tear_down(void **state)
{
    (void)state;
    xen_world_close(&xenctrl_world);
    xen_guest_free(domain_7);
    xen_guest_free(domain_12);
    return 0;
}
