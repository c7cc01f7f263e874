/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flaws_test.c - what was wrong with the original, and must not be wrong here: each case fails with the flaw that its
 * comment names. Those that show in a single result are rows of results.table; docs/xen-compat.md lists all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/xen/list_parse.h"
#include "tests/xen/world.h"

#define EPHEMERAL 0x01000000u
#define PERSISTENT 0x01000001u
#define SHARED 0x01000002u
#define FRAME 5u

static struct xen_world world;
static struct xen_guest *tools;
static struct xen_guest *guests[3]; /* domains 1, 2, 3 */

static void open_world(uint32_t release, bool needs_no_right)
{
    struct tmem_xen_settings settings = TMEM_XEN_SETTINGS_INIT;
    settings.no_shared_auth = needs_no_right;
    xen_world_open(&world, &settings);
    tools = xen_guest_create(&world, 0, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    for (uint32_t i = 0; i < 3; i++)
        guests[i] = xen_guest_create(&world, 1 + i, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
}

static int set_up(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12, false);
    return 0;
}

static int set_up_old(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_7, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xen_world_close(&world);
    xen_guest_free(tools);
    for (unsigned i = 0; i < 3; i++)
        xen_guest_free(guests[i]);
    return 0;
}

static void authorise(uint32_t id, uint64_t low, uint64_t high)
{
    const struct xen_tmem_pool_info right = {XEN_TMEM_POOL_AUTH, 0, 0, {low, high}};
    memcpy(tools->buffer, &right, sizeof right);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_AUTH, id, 0, sizeof right, 0), 1);
}

static long put(struct xen_guest *guest, int32_t pool, uint64_t object, uint32_t index, unsigned frame)
{
    return xen_page(guest, TMEM_PUT_PAGE, pool, object, index, frame, NULL);
}

static long get(struct xen_guest *guest, int32_t pool, uint64_t object, uint32_t index, unsigned frame)
{
    return xen_page(guest, TMEM_GET_PAGE, pool, object, index, frame, NULL);
}

/* Puts pages of random bytes under one object; answers how many were stored. */
static unsigned put_random(struct xen_guest *guest, int32_t pool, uint64_t object, uint32_t from, uint32_t count)
{
    unsigned stored = 0;
    for (uint32_t i = from; i < from + count; i++) {
        xen_guest_fill(guest, FRAME, object * 1000000u + i);
        stored += put(guest, pool, object, i, FRAME) == 1;
    }
    return stored;
}

static unsigned count_found(struct xen_guest *guest, int32_t pool, uint64_t object, uint32_t from, uint32_t count)
{
    unsigned found = 0;
    for (uint32_t i = from; i < from + count; i++)
        found += get(guest, pool, object, i, FRAME) == 1;
    return found;
}

/* A value of the first line of a kind in the list of one client. */
static uint64_t shown(uint32_t id, char kind, const char *key)
{
    struct list_line line;
    const char *text = (const char *)tools->buffer;
    assert_int_equal(xen_control(tools, TMEM_CONTROL_LIST, id, 0, sizeof tools->buffer, 1), 0);
    while (list_next(&text, &line))
        if (line.kind == kind)
            return list_value(&line, key);
    fail_msg("no line %c of %u", kind, id);
    return 0;
}

/* ---- shared pools ---- */

/* The owner was put down as the last to use what others put, and took it with him. */
static void pages_of_a_shared_pool_stay_when_the_owner_leaves(void **state)
{
    (void)state;
    authorise(1, 7, 8);
    authorise(2, 7, 8);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 0);
    assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
    assert_int_equal(put(guests[1], 0, 2, 0, 2), 1);
    assert_int_equal(get(guests[0], 0, 2, 0, 7), 1); /* inclusive, whoever put it */
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    assert_int_equal(get(guests[0], 0, 1, 0, 7), -ENODEV);
    assert_int_equal(get(guests[1], 0, 1, 0, 7), 1);
    assert_memory_equal(guests[1]->frames[7], guests[0]->frames[1], TMEM_PAGE_SIZE);
    assert_int_equal(get(guests[1], 0, 2, 0, 7), 1);
    assert_memory_equal(guests[1]->frames[7], guests[1]->frames[2], TMEM_PAGE_SIZE);
    tmem_xen_domain_kill(guests[1]->domain); /* the last one */
    authorise(3, 7, 8);
    assert_int_equal(xen_new(guests[2], SHARED, 7, 8), 0);
    assert_int_equal(get(guests[2], 0, 1, 0, 7), -EEMPTY);
}

/* Whoever left made the pool's pages such that they could not be evicted any more. */
static void pages_of_a_shared_pool_can_be_evicted_when_somebody_left(void **state)
{
    (void)state;
    authorise(1, 7, 8);
    authorise(2, 7, 8);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 0);
    assert_int_equal(put_random(guests[0], 0, 1, 0, 500), 500);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    assert_int_equal(shown(2, 'C', "Ec"), 500);
    assert_true(xen_control(tools, TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 0, 0, 16384) >= 2000);
    assert_int_equal(shown(2, 'C', "Ec"), 0);
}

/* The new owner got all ephemeral pages of the old one, of his other pools as well. */
static void a_new_owner_gets_the_shared_pool_only(void **state)
{
    (void)state;
    authorise(1, 7, 8);
    authorise(2, 7, 8);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[0], EPHEMERAL, 0, 0), 1);
    assert_int_equal(put_random(guests[0], 0, 1, 0, 30), 30);
    assert_int_equal(put_random(guests[0], 1, 1, 0, 20), 20);
    assert_int_equal(shown(1, 'C', "Ec"), 50);
    assert_int_equal(shown(2, 'C', "Ec"), 0);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    assert_int_equal(shown(1, 'C', "Ec"), 20);
    assert_int_equal(shown(2, 'C', "Ec"), 30);
}

/* Held twice by one client, a shared pool crashed, hung or leaked. */
static void a_client_may_hold_a_shared_pool_twice(void **state)
{
    (void)state;
    authorise(1, 7, 8);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 1);
    assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
    assert_int_equal(get(guests[0], 1, 1, 0, 7), 1);
    assert_memory_equal(guests[0]->frames[7], guests[0]->frames[1], TMEM_PAGE_SIZE);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    assert_int_equal(get(guests[0], 1, 1, 0, 7), 1);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 1, 0, 0, 0, NULL), 1);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(get(guests[0], 0, 1, 0, 7), -EEMPTY);
}

/* A shared pool too many left its number leading to freed memory. */
static void the_seventeenth_shared_pool_of_a_host_leaves_nothing_behind(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < TMEM_XEN_POOLS; i++) {
        struct xen_guest *guest = guests[i / 8];
        authorise(1 + (uint32_t)i / 8, 100 + i, 5);
        assert_int_equal(xen_new(guest, SHARED, 100 + i, 5), i % 8);
    }
    authorise(1, 99, 5);
    assert_int_equal(xen_new(guests[0], SHARED, 99, 5), -EPERM);
    assert_int_equal(put(guests[0], 8, 1, 0, 1), -ENODEV);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 8, 0, 0, 0, NULL), 0);
    assert_int_equal(xen_new(guests[0], EPHEMERAL, 0, 0), 8);
    assert_int_equal(put(guests[0], 8, 1, 0, 1), 1);
    /* One that is there can be joined all the same. */
    authorise(3, 100, 5);
    assert_int_equal(xen_new(guests[2], SHARED, 100, 5), 0);
}

/* Without a right, or with one that was taken back, there is no sharing; who shares already goes on. */
static void rights_decide_who_shares(void **state)
{
    (void)state;
    struct xen_tmem_pool_info right = {0, 0, 0, {7, 8}};
    authorise(1, 7, 8);
    authorise(2, 7, 8);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 0);
    assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
    memcpy(tools->buffer, &right, sizeof right);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_AUTH, 2, 0, sizeof right, 0), 1);
    assert_int_equal(get(guests[1], 0, 1, 0, 7), 1);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 1); /* a private one */
    assert_int_equal(get(guests[1], 1, 1, 0, 7), -EEMPTY);
    assert_int_equal(xen_new(guests[2], SHARED, 7, 8), 0); /* never had the right */
    assert_int_equal(get(guests[2], 0, 1, 0, 7), -EEMPTY);
    assert_int_equal(put(guests[2], 0, 1, 0, 2), 1);
    assert_int_equal(get(guests[0], 0, 1, 0, 7), 1);
    assert_memory_equal(guests[0]->frames[7], guests[0]->frames[1], TMEM_PAGE_SIZE);
}

/* Without the boot option, up to 4.7, whoever knows the uuid shares; the control domain may end that for all. */
static void before_4_8_sharing_needed_no_right_unless_asked_for(void **state)
{
    struct tmem_op op = {.cmd = TMEM_AUTH};
    (void)state;
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 0);
    assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
    assert_int_equal(get(guests[1], 0, 1, 0, 7), 1);
    op.u.creat.arg1 = TMEM_CLIENT_ALL;
    op.u.creat.flags = 1;
    assert_int_equal(xen_send(guests[2], &op), -EPERM); /* any guest could, for all */
    assert_int_equal(xen_new(guests[2], SHARED, 7, 8), 0);
    assert_int_equal(get(guests[2], 0, 1, 0, 7), 1);
    assert_int_equal(xen_send(tools, &op), 1);
    assert_int_equal(xen_new(guests[2], SHARED, 7, 8), 1);
    assert_int_equal(get(guests[2], 1, 1, 0, 7), -EEMPTY);
}

/* ---- weights and caps ---- */

/* The test for "over quota" was the wrong way round: who had little lost it. */
static void who_has_more_than_his_share_loses_pages_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(xen_new(guests[i], EPHEMERAL, 0, 0), 0);
    put_random(guests[0], 0, 1, 0, 5000); /* more than there is room for */
    assert_int_equal(put_random(guests[1], 0, 2, 0, 400), 400);
    put_random(guests[0], 0, 1, 5000, 4000);
    assert_true(count_found(guests[1], 0, 2, 0, 400) >= 380);
}

static void weights_divide_what_there_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct xen_tmem_client info = {.version = 1, .weight = i == 0 ? 300 : 100};
        assert_int_equal(xen_new(guests[i], EPHEMERAL, 0, 0), 0);
        memcpy(tools->buffer, &info, sizeof info);
        assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_CLIENT_INFO, 1 + i, 0, sizeof info, 0), 0);
    }
    for (uint32_t from = 0; from < 6000; from += 50)
        for (unsigned i = 0; i < 2; i++)
            put_random(guests[i], 0, 1 + i, from, 50);
    uint64_t first = shown(1, 'C', "Ec");
    uint64_t second = shown(2, 'C', "Ec");
    assert_true(first > 2 * second);
    assert_true(first < 4 * second);
}

/* A dead client's weight went on counting. */
static void the_weight_of_the_dead_counts_no_more(void **state)
{
    struct xen_tmem_client info = {.version = 1, .weight = 1000000};
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(xen_new(guests[i], EPHEMERAL, 0, 0), 0);
    memcpy(tools->buffer, &info, sizeof info);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_CLIENT_INFO, 1, 0, sizeof info, 0), 0);
    put_random(guests[0], 0, 1, 0, 4000);
    uint64_t most = shown(1, 'C', "Ec");
    tmem_xen_domain_kill(guests[0]->domain);
    put_random(guests[1], 0, 2, 0, 4000);
    assert_true(shown(2, 'C', "Ec") > most * 9 / 10);
}

/* Who was over quota and had nothing to evict was refused, with others' ephemeral pages all around. */
static void persistent_pages_get_room_from_others_ephemeral_ones(void **state)
{
    (void)state;
    assert_int_equal(xen_new(guests[0], EPHEMERAL, 0, 0), 0);
    assert_int_equal(xen_new(guests[1], PERSISTENT, 0, 0), 0);
    put_random(guests[0], 0, 1, 0, 5000);
    assert_int_equal(put_random(guests[1], 0, 2, 0, 1500), 1500);
    assert_int_equal(count_found(guests[1], 0, 2, 0, 1500), 1500);
}

/* Caps were accepted and had no effect. */
static void a_cap_holds(void **state)
{
    (void)state;
    assert_int_equal(xen_new(guests[0], PERSISTENT, 0, 0), 0);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_CAP, 1, 0, 1, 0), 0);
    unsigned stored = put_random(guests[0], 0, 1, 0, 400);
    assert_true(stored > 200 && stored < 256);
    assert_int_equal(count_found(guests[0], 0, 1, 0, 400), stored);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_CAP, 1, 0, 0, 0), 0); /* none */
    assert_int_equal(put_random(guests[0], 0, 2, 0, 400), 400);
}

/* ---- errors ---- */

/* A get into a bad frame left the page on the evictor's list, and a flush freed it there. */
static void a_get_that_failed_leaves_no_page_behind(void **state)
{
    (void)state;
    assert_int_equal(xen_new(guests[0], EPHEMERAL, 0, 0), 0);
    assert_int_equal(put_random(guests[0], 0, 1, 0, 300), 300);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(get(guests[0], 0, 1, i, XEN_FRAME_ABSENT), -EFAULT);
    assert_int_equal(xen_page(guests[0], TMEM_FLUSH_OBJECT, 0, 1, 0, 0, NULL), 1);
    assert_int_equal(shown(1, 'C', "Ec"), 0);
    assert_true(xen_control(tools, TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 0, 0, 16384) >= 0);
    assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
    assert_int_equal(get(guests[0], 0, 1, 0, 7), 1);
}

/* Paths of errors left locks held, or gave back what they had not. */
static void errors_leave_nothing_locked_or_mapped(void **state)
{
    (void)state;
    assert_int_equal(xen_new(guests[0], PERSISTENT, 0, 0), 0);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
        assert_int_equal(get(guests[0], 0, 1, 0, XEN_FRAME_READ_ONLY), -EFAULT);
        assert_int_equal(put(guests[0], 0, 1, 0, XEN_FRAME_ABSENT), -EFAULT);
        assert_int_equal(get(guests[0], 0, 1, 0, XEN_FRAME_ABSENT), -EEMPTY);
        assert_int_equal(xen_new(guests[0], 0x02000000, 0, 0), -EPERM);
        assert_int_equal(xen_page(guests[0], 77, 0, 1, 0, 1, NULL), -ENOSYS);
        assert_int_equal(xen_control(tools, TMEM_CONTROL_FREEZE, 9, 0, 0, 0), -1);
        assert_int_equal(guests[0]->mapped, 0);
        assert_int_equal(put(guests[0], 0, 1, 0, 2), 1);
        assert_int_equal(get(guests[0], 0, 1, 0, 7), 1);
        assert_int_equal(xen_new(guests[0], EPHEMERAL, 0, 0), 1);
        assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 1, 0, 0, 0, NULL), 1);
        assert_int_equal(shown(1, 'P', "Pc"), 1);
    }
}

/* Only what is written is reported as written: a guest that migrates sends no more pages than it must. */
static void frames_are_dirty_only_when_a_page_came(void **state)
{
    (void)state;
    assert_int_equal(xen_new(guests[0], PERSISTENT, 0, 0), 0);
    assert_int_equal(put(guests[0], 0, 1, 0, 1), 1);
    assert_int_equal(get(guests[0], 0, 1, 5, 7), 0);
    assert_int_equal(guests[0]->dirtied, 0);
    assert_int_equal(get(guests[0], 0, 1, 0, 7), 1);
    assert_int_equal(guests[0]->dirtied, 1);
}

/* Results and arguments went through addresses that nobody had checked. */
static void buffers_that_cannot_be_reached_are_an_error(void **state)
{
    static const uint32_t numbers[] = {TMEM_CONTROL_LIST, TMEM_CONTROL_GET_CLIENT_INFO,
                                       TMEM_CONTROL_SET_CLIENT_INFO, TMEM_CONTROL_GET_POOLS,
                                       TMEM_CONTROL_SET_POOLS, TMEM_CONTROL_SET_AUTH};
    (void)state;
    assert_int_equal(xen_new(guests[0], PERSISTENT, 0, 0), 0);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct xen_sysctl_tmem_op op = {.cmd = numbers[i], .cli_id = 1, .len = 64, .buf = 0};
        assert_int_equal(tmem_xen_sysctl(tools->domain, &op), -EFAULT);
        op.buf = XEN_BUFFER + XEN_BUFFER_BYTES - 8; /* its end is beyond what there is */
        op.len = 512;
        assert_int_equal(tmem_xen_sysctl(tools->domain, &op), -EFAULT);
    }
    const struct xen_sysctl_tmem_op padded = {.cmd = TMEM_CONTROL_THAW, .cli_id = 1, .pad = 1};
    assert_int_equal(tmem_xen_sysctl(tools->domain, &padded), -EINVAL);
    assert_int_equal(tmem_xen_sysctl(tools->domain, NULL), -EFAULT);
    assert_int_equal(tmem_xen_op(guests[0]->domain, NULL), -EFAULT);
}

/* Equal pages of two guests were one: how long a put took told a guest what another had. */
static void equal_pages_of_two_guests_stay_two(void **state)
{
    struct tmem_store_stats stats;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(xen_new(guests[i], PERSISTENT, 0, 0), 0);
        assert_int_equal(put_random(guests[i], 0, 1, 0, 50), 50);
    }
    assert_int_equal(tmem_store_stats(world.store, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.pages, 100);
    assert_int_equal(stats.pages_deduplicated, 0);
}

/* ---- what the original had no result for ---- */

/* Flips a bit of the page that is stored as it is, in the memory file that the store keeps persistent pages in. */
static void damage(int fd, const unsigned char *page)
{
    static unsigned char part[(1u << 20) + TMEM_PAGE_SIZE]; /* a page may begin in one and end in the next */
    off_t at = 0;
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        ssize_t length = pread(fd, part, sizeof part, at);
        assert_true(length > 0);
        const unsigned char *found = memmem(part, (size_t)length, page, TMEM_PAGE_SIZE);
        if (found != NULL) {
            unsigned char byte = found[1000] ^ 4;
            assert_int_equal(pwrite(fd, &byte, 1, at + (found - part) + 1000), 1);
            return;
        }
        at += 1 << 20;
    }
    fail_msg("the page is not in the file");
}

/* The pool has a damaged page and another one: the tools read past the one, and are told. */
static void read_past_damage(void)
{
    struct xen_guest *reader = xen_guest_create(&world, 0, TMEM_XEN_RELEASE_4_12, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    unsigned count = 0;
    unsigned damaged = 0;
    long result;
    assert_int_equal(xen_control(reader, TMEM_CONTROL_SAVE_BEGIN, 1, 0, 0, 1), 0);
    while ((result = xen_control(reader, TMEM_CONTROL_SAVE_GET_NEXT_PAGE, 1, 0, 4128, 0)) != -1) {
        assert_true(result == 1 || result == -EIO);
        count += result == 1;
        damaged += result == -EIO;
    }
    assert_int_equal(count, 1);
    assert_int_equal(damaged, 1);
    assert_int_equal(xen_control(reader, TMEM_CONTROL_SAVE_END, 1, 0, 0, 0), 0);
    tmem_xen_domain_destroy(reader->domain);
    xen_guest_free(reader);
}

static void a_damaged_page_is_an_error_until_it_is_put_again(void **state)
{
    char uri[80];
    struct tmem_xen *usual = world.xen;
    struct tmem_store *usual_store = world.store;
    int fd = memfd_create("pages", MFD_CLOEXEC);
    (void)state;
    assert_true(fd >= 0);
    snprintf(uri, sizeof uri, "embedded:size=16M,maintenance=none,arena-fd=%d", fd);
    assert_int_equal(tmem_open(uri, &world.store, NULL), TMEM_OK);
    assert_int_equal(tmem_xen_open(world.store, NULL, &world.xen), TMEM_OK);
    struct xen_guest *guest = xen_guest_create(&world, 1, TMEM_XEN_RELEASE_4_3, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    const uint32_t range[3] = {0, 0, 1};
    assert_int_equal(xen_new(guest, PERSISTENT, 0, 0), 0);
    assert_int_equal(put(guest, 0, 1, 0, 1), 1);
    assert_int_equal(put(guest, 0, 1, 1, 3), 1);
    damage(fd, guest->frames[1]);
    read_past_damage();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(get(guest, 0, 1, 0, 7), -EIO);
    assert_int_equal(xen_page(guest, TMEM_READ, 0, 1, 0, 7, range), -EIO);
    assert_int_equal(xen_page(guest, TMEM_WRITE, 0, 1, 0, 2, range), -EIO);
    assert_int_equal(get(guest, 0, 1, 0, XEN_FRAME_ABSENT), -EFAULT);
    assert_int_equal(put(guest, 0, 1, 0, 2), 1);
    assert_int_equal(get(guest, 0, 1, 0, 7), 1);
    assert_memory_equal(guest->frames[7], guest->frames[2], TMEM_PAGE_SIZE);
    xen_world_close(&world);
    xen_guest_free(guest);
    close(fd);
    world = (struct xen_world){usual_store, usual};
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_OLD(name) cmocka_unit_test_setup_teardown(name, set_up_old, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_of_a_shared_pool_stay_when_the_owner_leaves),
        TEST(pages_of_a_shared_pool_can_be_evicted_when_somebody_left),
        TEST(a_new_owner_gets_the_shared_pool_only),
        TEST(a_client_may_hold_a_shared_pool_twice),
        TEST(the_seventeenth_shared_pool_of_a_host_leaves_nothing_behind),
        TEST(rights_decide_who_shares),
        TEST_OLD(before_4_8_sharing_needed_no_right_unless_asked_for),
        TEST(who_has_more_than_his_share_loses_pages_first),
        TEST(weights_divide_what_there_is),
        TEST(the_weight_of_the_dead_counts_no_more),
        TEST(persistent_pages_get_room_from_others_ephemeral_ones),
        TEST_OLD(a_cap_holds),
        TEST(a_get_that_failed_leaves_no_page_behind),
        TEST(errors_leave_nothing_locked_or_mapped),
        TEST(frames_are_dirty_only_when_a_page_came),
        TEST(buffers_that_cannot_be_reached_are_an_error),
        TEST(equal_pages_of_two_guests_stay_two),
        TEST(a_damaged_page_is_an_error_until_it_is_put_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
