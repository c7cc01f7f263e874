/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * misses_test.c - a get that misses tells whether the pool is empty, and seldom asks the store for that: over a
 * connection it would be a second question with each miss.
 */
#include <errno.h>

#include "tests/xen/world.h"

#define PAGES 40u
#define OBJECT_ABSENT 9u

enum tmem_result __real_tmem_pool_stats(const struct tmem_pool *pool, struct tmem_pool_stats *stats, size_t size);
enum tmem_result __wrap_tmem_pool_stats(const struct tmem_pool *pool, struct tmem_pool_stats *stats, size_t size);

static struct xen_world world;
static struct xen_guest *guest;
static unsigned asked;

enum tmem_result __wrap_tmem_pool_stats(const struct tmem_pool *pool, struct tmem_pool_stats *stats, size_t size)
{
    asked++;
    return __real_tmem_pool_stats(pool, stats, size);
}

static int set_up(void **state)
{
    (void)state;
    xen_world_open(&world, NULL);
    guest = xen_guest_create(&world, 1, TMEM_XEN_RELEASE_4_12, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    assert_int_equal(xen_new(guest, 0x01000000, 0, 0), 0);
    assert_int_equal(xen_new(guest, 0x01000001, 0, 0), 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xen_world_close(&world);
    xen_guest_free(guest);
    return 0;
}

static long page(uint32_t command, int32_t pool, uint64_t object, uint32_t index)
{
    return xen_page(guest, command, pool, object, index, 5, NULL);
}

static void put_all(int32_t pool)
{
    for (uint32_t i = 0; i < PAGES; i++)
        assert_int_equal(page(TMEM_PUT_PAGE, pool, 1, i), 1);
}

static void many_misses_are_one_question(void **state)
{
    (void)state;
    for (int32_t pool = 0; pool < 2; pool++) {
        put_all(pool);
        asked = 0;
        for (uint32_t i = 0; i < 4 * PAGES; i++)
            assert_int_equal(page(TMEM_GET_PAGE, pool, OBJECT_ABSENT, i), 0);
        assert_true(asked > 1 && asked <= 4);
    }
}

/* Each way by which the last page goes, after the store was asked when there was more. */
static void an_empty_pool_says_so_at_once(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        int32_t pool = way == 0 ? 0 : 1;
        put_all(pool);
        assert_int_equal(page(TMEM_GET_PAGE, pool, OBJECT_ABSENT, 0), 0);
        for (uint32_t i = 0; i < PAGES; i++) {
            if (way == 0)
                assert_int_equal(page(TMEM_GET_PAGE, pool, 1, i), 1); /* it is taken */
            else if (way == 1)
                assert_int_equal(page(TMEM_FLUSH_PAGE, pool, 1, i), 1);
            else if (way == 2 && i == 0)
                assert_int_equal(page(TMEM_FLUSH_OBJECT, pool, 1, 0), 1);
            else if (way == 3) /* a put that fails takes the older page with it */
                assert_int_equal(xen_page(guest, TMEM_PUT_PAGE, pool, 1, i, XEN_FRAME_ABSENT, NULL), -EFAULT);
        }
        assert_int_equal(page(TMEM_GET_PAGE, pool, OBJECT_ABSENT, 0), -EEMPTY);
        assert_int_equal(page(TMEM_PUT_PAGE, pool, 1, 0), 1);
        assert_int_equal(page(TMEM_GET_PAGE, pool, OBJECT_ABSENT, 0), 0);
        assert_int_equal(page(TMEM_FLUSH_PAGE, pool, 1, 0), 1);
        assert_int_equal(page(TMEM_GET_PAGE, pool, 1, 0), -EEMPTY);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_misses_are_one_question),
        TEST(an_empty_pool_says_so_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
