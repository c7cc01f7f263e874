/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest_test.c - a Linux guest at work: its cleancache and frontswap get what the kernel relies on, with 64-bit and
 * 32-bit guests, on any store. TMEM_TEST_URI names another than an embedded one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/model/content.h"
#include "tests/xen/linux.h"

#define FRAME 6u
#define OPERATIONS 20000u
#define OPERATIONS_MAX 1000000u
#define OPERATIONS_MAX_CONNECTED 50000u /* each miss is two questions there */
#define FILES 8u
#define FILE_PAGES 40u
#define SWAP_TYPES 2u
#define SWAP_PAGES 400u

static struct xen_world world;
static struct xen_guest *guests[2];
static struct linux_guest linux_guests[2];

static int set_up(void **state)
{
    uint32_t abi = *(const uint32_t *)*state;
    xen_world_open(&world, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        guests[i] = xen_guest_create(&world, 1 + i, TMEM_XEN_RELEASE_4_12, abi, 1024);
        linux_boot(&linux_guests[i], guests[i], FRAME);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xen_world_close(&world);
    for (unsigned i = 0; i < 2; i++)
        xen_guest_free(guests[i]);
    return 0;
}

static void write_page(struct linux_guest *guest, uint64_t content)
{
    content_fill(content, guest->guest->frames[guest->frame]);
}

static bool holds(const struct linux_guest *guest, uint64_t content)
{
    return content_matches(content, guest->guest->frames[guest->frame]);
}

/* ---- cleancache ---- */

static void a_clean_page_comes_back_once(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    int pool = linux_cleancache_init_fs(guest);
    assert_int_equal(pool, 0);
    write_page(guest, 4711);
    linux_cleancache_put_page(guest, pool, linux_inode(12), 3);
    write_page(guest, 1);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(12), 3), 0);
    assert_true(holds(guest, 4711));
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(12), 3), -1);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(12), 3), -1);
}

static void the_second_of_two_puts_is_what_comes_back(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    int pool = linux_cleancache_init_fs(guest);
    write_page(guest, 71);
    linux_cleancache_put_page(guest, pool, linux_inode(12), 3);
    write_page(guest, 72);
    linux_cleancache_put_page(guest, pool, linux_inode(12), 3);
    write_page(guest, 1);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(12), 3), 0);
    assert_true(holds(guest, 72));
}

static void invalidated_pages_files_and_filesystems_are_gone(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    int pool = linux_cleancache_init_fs(guest);
    int other = linux_cleancache_init_fs(guest);
    for (uint64_t i = 0; i < 200; i++) {
        write_page(guest, 100 + i);
        linux_cleancache_put_page(guest, pool, linux_inode(i % 2), i);
    }
    write_page(guest, 99);
    linux_cleancache_put_page(guest, other, linux_inode(0), 0);
    linux_cleancache_invalidate_page(guest, pool, linux_inode(0), 0);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(0), 0), -1);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(0), 2), 0);
    linux_cleancache_invalidate_inode(guest, pool, linux_inode(0));
    for (uint64_t i = 0; i < 200; i += 2)
        assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(0), i), -1);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(1), 1), 0);
    assert_true(holds(guest, 101));
    linux_cleancache_invalidate_fs(guest, pool);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(1), 3), -1);
    assert_int_equal(linux_cleancache_init_fs(guest), pool); /* given up, so it may be another's */
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(1), 3), -1);
    assert_int_equal(linux_cleancache_get_page(guest, other, linux_inode(0), 0), 0);
    assert_true(holds(guest, 99));
}

static void keys_of_files_count_in_all_their_words(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    struct linux_filekey key = {{0x11, 0x22, 0x33, 0, 0, 0}};
    (void)state;
    int pool = linux_cleancache_init_fs(guest);
    for (unsigned i = 0; i < 6; i++) {
        struct linux_filekey near = key;
        near.word[i] ^= 0x80000000u;
        write_page(guest, 200 + i);
        linux_cleancache_put_page(guest, pool, near, 1);
    }
    assert_int_equal(linux_cleancache_get_page(guest, pool, key, 1), -1);
    for (unsigned i = 0; i < 6; i++) {
        struct linux_filekey near = key;
        near.word[i] ^= 0x80000000u;
        assert_int_equal(linux_cleancache_get_page(guest, pool, near, 1), 0);
        assert_true(holds(guest, 200 + i));
    }
}

static void what_no_hypercall_can_say_is_not_said(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    int pool = linux_cleancache_init_fs(guest);
    uint64_t calls = guest->calls;
    linux_cleancache_put_page(guest, pool, linux_inode(1), UINT64_C(1) << 32);
    linux_cleancache_put_page(guest, -1, linux_inode(1), 0);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(1), UINT64_C(1) << 32), -1);
    assert_int_equal(linux_frontswap_store(guest, 0, 0), -1); /* before init */
    assert_int_equal(guest->calls, calls);
    write_page(guest, 5);
    linux_cleancache_put_page(guest, pool, linux_inode(1), UINT32_MAX);
    assert_int_equal(linux_cleancache_get_page(guest, pool, linux_inode(1), UINT32_MAX), 0);
}

static void a_mount_too_many_is_refused(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    for (int i = 0; i < (int)TMEM_XEN_POOLS; i++)
        assert_int_equal(linux_cleancache_init_fs(guest), i);
    assert_true(linux_cleancache_init_fs(guest) < 0);
    linux_frontswap_init(guest, 0);
    assert_int_equal(linux_frontswap_store(guest, 0, 0), -1);
    linux_cleancache_invalidate_fs(guest, 7);
    linux_frontswap_init(guest, 1);
    assert_int_equal(guest->frontswap_pool, 7);
    assert_int_equal(linux_frontswap_store(guest, 0, 0), 0);
}

/* Nobody gave these guests a right, and they cannot tell: each has a cache of its own. */
static void a_cluster_filesystem_works_whether_it_is_shared_or_not(void **state)
{
    static const unsigned char uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(linux_cleancache_init_shared_fs(&linux_guests[i], uuid), 0);
        write_page(&linux_guests[i], 300 + i);
        linux_cleancache_put_page(&linux_guests[i], 0, linux_inode(1), 1);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(linux_cleancache_get_page(&linux_guests[i], 0, linux_inode(1), 1), 0);
        assert_true(holds(&linux_guests[i], 300 + i));
    }
}

/* ---- frontswap ---- */

static void a_swapped_page_stays_until_it_is_invalidated(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    linux_frontswap_init(guest, 0);
    for (uint64_t i = 0; i < 100; i++) {
        write_page(guest, 1000 + i);
        assert_int_equal(linux_frontswap_store(guest, 0, i), 0);
    }
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 100; i++) {
            assert_int_equal(linux_frontswap_load(guest, 0, i), 0);
            assert_true(holds(guest, 1000 + i));
        }
    linux_frontswap_invalidate_page(guest, 0, 17);
    assert_int_equal(linux_frontswap_load(guest, 0, 17), -1);
    assert_int_equal(linux_frontswap_load(guest, 0, 33), 0); /* same object, the next page */
}

static void a_swap_device_is_invalidated_whole_and_alone(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    (void)state;
    linux_frontswap_init(guest, 0);
    linux_frontswap_init(guest, 1);
    for (unsigned type = 0; type < 2; type++)
        for (uint64_t i = 0; i < 64; i++) {
            write_page(guest, 2000 + 100 * type + i);
            assert_int_equal(linux_frontswap_store(guest, type, i), 0);
        }
    uint64_t calls = guest->calls;
    linux_frontswap_invalidate_area(guest, 0);
    assert_int_equal(guest->calls - calls, 16);
    for (uint64_t i = 0; i < 64; i++) {
        assert_int_equal(linux_frontswap_load(guest, 0, i), -1);
        assert_int_equal(linux_frontswap_load(guest, 1, i), 0);
        assert_true(holds(guest, 2100 + i));
    }
    assert_int_equal(linux_frontswap_store(guest, 0, 5), 0); /* the pool is still there */
}

/* Random pages, more than the guest may have: what was refused is gone, everything else is there. */
static void a_full_store_refuses_and_forgets_what_it_refused(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    static bool stored[2000];
    unsigned refused = 0;
    (void)state;
    linux_frontswap_init(guest, 0);
    for (uint64_t i = 0; i < 2000; i++) {
        xen_guest_fill(guest->guest, FRAME, 9000 + i);
        stored[i] = linux_frontswap_store(guest, 0, i) == 0;
        refused += !stored[i];
    }
    assert_true(refused > 900); /* 1024 pages are all it may have */
    assert_true(refused < 1300);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_int_equal(linux_frontswap_load(guest, 0, i), stored[i] ? 0 : -1);
        xen_guest_fill(guest->guest, 1, 9000 + i);
        if (stored[i])
            assert_memory_equal(guest->guest->frames[FRAME], guest->guest->frames[1], TMEM_PAGE_SIZE);
    }
}

/* ---- a daemon that is gone ---- */

/* Its connection is the parent's alone, so to a child the daemon is as good as gone. */
static void a_store_that_cannot_be_reached_is_an_error(void **state)
{
    struct xen_guest *guest = guests[0];
    int status;
    (void)state;
    if (!xen_world_is_remote())
        skip();
    assert_int_equal(xen_new(guest, 0x01000001, 0, 0), 0);
    assert_int_equal(xen_page(guest, TMEM_PUT_PAGE, 0, 1, 0, 1, NULL), 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_right = xen_page(guest, TMEM_GET_PAGE, 0, 1, 0, 7, NULL) == -EIO &&
                        xen_page(guest, TMEM_PUT_PAGE, 0, 1, 0, 2, NULL) == -EIO &&
                        xen_page(guest, TMEM_FLUSH_PAGE, 0, 1, 0, 0, NULL) == -EIO &&
                        xen_page(guest, TMEM_GET_PAGE, 0, 1, 0, XEN_FRAME_ABSENT, NULL) == -EIO;
        _exit(is_right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(xen_page(guest, TMEM_GET_PAGE, 0, 1, 0, 7, NULL), 1);
    assert_memory_equal(guest->frames[7], guest->frames[1], TMEM_PAGE_SIZE);
}

/* ---- at work ---- */

/* What must be there; 0: nothing. */
static uint64_t cached[FILES][FILE_PAGES];
static uint64_t swapped[SWAP_TYPES][SWAP_PAGES];

static void work_on_cache(struct linux_guest *guest, int pool, uint64_t *random)
{
    unsigned file = (unsigned)(content_next(random) >> 33) % FILES;
    unsigned index = (unsigned)(content_next(random) >> 33) % FILE_PAGES;
    struct linux_filekey key = linux_inode(file * UINT64_C(0x100000001));
    switch ((content_next(random) >> 33) % 12) {
    case 0:
        linux_cleancache_invalidate_page(guest, pool, key, index);
        cached[file][index] = 0;
        break;
    case 1:
        linux_cleancache_invalidate_inode(guest, pool, key);
        memset(cached[file], 0, sizeof cached[file]);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        if (linux_cleancache_get_page(guest, pool, key, index) == 0) {
            assert_true(cached[file][index] != 0);
            assert_true(holds(guest, cached[file][index]));
        }
        cached[file][index] = 0; /* a hit took it, and after a miss it may not come */
        break;
    default:
        cached[file][index] = content_draw(content_next(random));
        write_page(guest, cached[file][index]);
        linux_cleancache_put_page(guest, pool, key, index);
    }
}

static void work_on_swap(struct linux_guest *guest, uint64_t *random)
{
    unsigned type = (unsigned)(content_next(random) >> 33) % SWAP_TYPES;
    unsigned offset = (unsigned)(content_next(random) >> 33) % SWAP_PAGES;
    switch ((content_next(random) >> 33) % 12) {
    case 0:
        if (content_next(random) >> 33 == 0) {
            linux_frontswap_invalidate_area(guest, type);
            memset(swapped[type], 0, sizeof swapped[type]);
        }
        break;
    case 1:
    case 2:
        linux_frontswap_invalidate_page(guest, type, offset);
        swapped[type][offset] = 0;
        break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        assert_int_equal(linux_frontswap_load(guest, type, offset), swapped[type][offset] != 0 ? 0 : -1);
        if (swapped[type][offset] != 0)
            assert_true(holds(guest, swapped[type][offset]));
        break;
    default:
        swapped[type][offset] = content_draw(content_next(random));
        write_page(guest, swapped[type][offset]);
        if (linux_frontswap_store(guest, type, offset) != 0)
            swapped[type][offset] = 0;
    }
}

static void a_guest_at_work_never_sees_a_wrong_page(void **state)
{
    struct linux_guest *guest = &linux_guests[0];
    const char *seed = getenv("TMEM_TEST_SEED");
    const char *operations = getenv("TMEM_TEST_OPERATIONS");
    uint64_t random = seed != NULL ? strtoull(seed, NULL, 0) : 1;
    uint64_t count = operations != NULL ? strtoull(operations, NULL, 0) : OPERATIONS;
    uint64_t most = getenv("TMEM_TEST_URI") != NULL ? OPERATIONS_MAX_CONNECTED : OPERATIONS_MAX;
    count = count < most ? count : most;
    (void)state;
    printf("seed %llu\n", (unsigned long long)random);
    memset(cached, 0, sizeof cached);
    memset(swapped, 0, sizeof swapped);
    random = content_scatter(random);
    linux_frontswap_init(guest, 0);
    int pool = linux_cleancache_init_fs(guest);
    for (uint64_t i = 0; i < count; i++) {
        if (content_next(&random) >> 63 != 0)
            work_on_cache(guest, pool, &random);
        else
            work_on_swap(guest, &random);
        if (content_next(&random) >> 54 == 0) { /* umount and mount */
            linux_cleancache_invalidate_fs(guest, pool);
            memset(cached, 0, sizeof cached);
            pool = linux_cleancache_init_fs(guest);
            assert_true(pool >= 0);
        }
    }
}

static uint32_t wide = TMEM_XEN_ABI_X86_64, narrow = TMEM_XEN_ABI_I386;

#define TEST(name)                                           \
    {#name " (64 bits)", name, set_up, tear_down, &wide},    \
    {                                                        \
#name " (32 bits)", name, set_up, tear_down, &narrow \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_clean_page_comes_back_once),
        TEST(the_second_of_two_puts_is_what_comes_back),
        TEST(invalidated_pages_files_and_filesystems_are_gone),
        TEST(keys_of_files_count_in_all_their_words),
        TEST(what_no_hypercall_can_say_is_not_said),
        TEST(a_mount_too_many_is_refused),
        TEST(a_cluster_filesystem_works_whether_it_is_shared_or_not),
        TEST(a_swapped_page_stays_until_it_is_invalidated),
        TEST(a_swap_device_is_invalidated_whole_and_alone),
        TEST(a_full_store_refuses_and_forgets_what_it_refused),
        TEST(a_store_that_cannot_be_reached_is_an_error),
        TEST(a_guest_at_work_never_sees_a_wrong_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
