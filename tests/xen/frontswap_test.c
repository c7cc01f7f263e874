/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frontswap_test.c - frontswap's contract with each of its options: what was stored stays or may go, what was loaded
 * stays or goes, and nothing is stored for a device that is not in use. TMEM_TEST_URI names another store.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/control.h>
#include <tmem/frontswap.h>

#include "tests/model/content.h"

#define FAR (UINT64_C(1) << 44) /* an offset that needs more than 32 bits */

static struct tmem_store *store;
static struct tmem_client *client;
static struct tmem_frontswap *frontswap;
static unsigned char page[TMEM_PAGE_SIZE];

static int set_up(void **state)
{
    const char *uri = getenv("TMEM_TEST_URI");
    const uint32_t *flags = *state;
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    options.cap_bytes = 1u << 20;
    assert_int_equal(tmem_open(uri != NULL ? uri : "embedded:size=16M,maintenance=none", &store, NULL), TMEM_OK);
    assert_int_equal(tmem_client_create(store, "vm", &options, &client), TMEM_OK);
    assert_int_equal(tmem_frontswap_create(client, *flags, &frontswap), TMEM_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct tmem_client_stats stats;
    (void)state;
    tmem_frontswap_destroy(frontswap);
    assert_int_equal(tmem_client_stats(client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.pools, 0);
    tmem_close(store);
    return 0;
}

static enum tmem_result put(unsigned type, uint64_t offset, uint64_t content)
{
    content_fill(content, page);
    return tmem_frontswap_store(frontswap, type, offset, page);
}

static enum tmem_result get(unsigned type, uint64_t offset, uint64_t content)
{
    memset(page, 0x5a, sizeof page);
    enum tmem_result result = tmem_frontswap_load(frontswap, type, offset, page);
    if (result == TMEM_OK)
        assert_true(content_matches(content, page));
    return result;
}

static uint64_t pages(void)
{
    uint64_t count = 99;
    assert_int_equal(tmem_frontswap_pages(frontswap, &count), TMEM_OK);
    return count;
}

/* ---- cases ---- */

static void stored_pages_stay_until_they_are_invalidated(void **state)
{
    (void)state;
    assert_int_equal(tmem_frontswap_init(frontswap, 0), TMEM_OK);
    assert_int_equal(tmem_frontswap_init(frontswap, 31), TMEM_OK);
    assert_int_equal(put(0, 7, 1001), TMEM_OK);
    assert_int_equal(put(31, 7, 1002), TMEM_OK);
    assert_int_equal(put(0, FAR + 7, 1003), TMEM_OK);
    assert_int_equal(pages(), 3);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(get(0, 7, 1001), TMEM_OK);
        assert_int_equal(get(31, 7, 1002), TMEM_OK);
        assert_int_equal(get(0, FAR + 7, 1003), TMEM_OK);
    }
    assert_int_equal(put(0, 7, 1004), TMEM_OK);
    assert_int_equal(get(0, 7, 1004), TMEM_OK);
    assert_int_equal(tmem_frontswap_invalidate_page(frontswap, 0, 7), TMEM_OK);
    assert_int_equal(tmem_frontswap_invalidate_page(frontswap, 0, 7), TMEM_MISS);
    assert_int_equal(get(0, 7, 0), TMEM_MISS);
    assert_int_equal(pages(), 2);
}

static void an_exclusive_load_takes_the_page(void **state)
{
    (void)state;
    assert_int_equal(tmem_frontswap_init(frontswap, 0), TMEM_OK);
    assert_int_equal(put(0, 7, 1001), TMEM_OK);
    assert_int_equal(get(0, 7, 1001), TMEM_OK);
    assert_int_equal(get(0, 7, 1001), TMEM_MISS);
    assert_int_equal(pages(), 0);
}

static void nothing_is_stored_for_a_device_that_is_not_in_use(void **state)
{
    (void)state;
    assert_int_equal(put(2, 7, 1001), TMEM_REFUSED);
    assert_int_equal(get(2, 7, 1001), TMEM_MISS);
    assert_int_equal(tmem_frontswap_invalidate_page(frontswap, 2, 7), TMEM_MISS);
    assert_int_equal(tmem_frontswap_invalidate_area(frontswap, 2), TMEM_MISS);
    assert_int_equal(tmem_frontswap_init(frontswap, 2), TMEM_OK);
    assert_int_equal(tmem_frontswap_init(frontswap, 3), TMEM_OK);
    assert_int_equal(put(2, 7, 1001), TMEM_OK);
    assert_int_equal(put(2, FAR, 1002), TMEM_OK);
    assert_int_equal(put(3, 7, 1003), TMEM_OK);
    assert_int_equal(tmem_frontswap_init(frontswap, 2), TMEM_OK); /* in use: nothing happens */
    assert_int_equal(pages(), 3);
    assert_int_equal(tmem_frontswap_invalidate_area(frontswap, 2), TMEM_OK);
    assert_int_equal(get(2, 7, 1001), TMEM_MISS);
    assert_int_equal(put(2, 7, 1001), TMEM_REFUSED);
    assert_int_equal(tmem_frontswap_init(frontswap, 2), TMEM_OK);
    assert_int_equal(get(2, 7, 1001), TMEM_MISS);
    assert_int_equal(get(2, FAR, 1002), TMEM_MISS);
    assert_int_equal(put(2, 7, 1004), TMEM_OK);
    assert_int_equal(get(3, 7, 1003), TMEM_OK);
    assert_int_equal(pages(), 2);
}

/* Of random pages, more than the client may have. */
static unsigned store_many(uint32_t count)
{
    unsigned stored = 0;
    uint64_t seed = 9;
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof page; k += 8) {
            uint64_t word = content_next(&seed);
            memcpy(page + k, &word, sizeof word);
        }
        stored += tmem_frontswap_store(frontswap, 0, i, page) == TMEM_OK;
    }
    return stored;
}

static void a_full_client_is_refused_and_keeps_what_it_has(void **state)
{
    (void)state;
    assert_int_equal(tmem_frontswap_init(frontswap, 0), TMEM_OK);
    assert_int_equal(put(0, 999, 4711), TMEM_OK);
    unsigned stored = store_many(600);
    assert_true(stored < 256);
    assert_int_equal(pages(), stored + 1);
    assert_int_equal(get(0, 999, 4711), TMEM_OK);
}

static void with_write_through_old_pages_make_room_for_new_ones(void **state)
{
    (void)state;
    assert_int_equal(tmem_frontswap_init(frontswap, 0), TMEM_OK);
    assert_int_equal(put(0, 5, 1001), TMEM_OK);
    assert_int_equal(get(0, 5, 1001), TMEM_OK);
    assert_int_equal(get(0, 5, 1001), TMEM_OK); /* it is no cache that gives its pages away */
    assert_int_equal(store_many(600), 600);
    assert_true(pages() < 256);
    assert_int_equal(tmem_frontswap_invalidate_area(frontswap, 0), TMEM_OK);
    assert_int_equal(put(0, 5, 1001), TMEM_REFUSED);
}

static void arguments_that_are_not_valid_change_nothing(void **state)
{
    struct tmem_frontswap *other = NULL;
    uint64_t count;
    (void)state;
    assert_int_equal(tmem_frontswap_create(NULL, 0, &other), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_create(client, 4, &other), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_create(client, 0, NULL), TMEM_INVALID);
    assert_null(other);
    assert_int_equal(tmem_frontswap_init(frontswap, 32), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_init(NULL, 0), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_store(frontswap, 32, 0, page), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_store(frontswap, 0, 0, NULL), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_load(frontswap, 32, 0, page), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_load(frontswap, 0, 0, NULL), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_invalidate_page(frontswap, 32, 0), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_invalidate_area(frontswap, 32), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_pages(frontswap, NULL), TMEM_INVALID);
    assert_int_equal(tmem_frontswap_pages(NULL, &count), TMEM_INVALID);
    tmem_frontswap_destroy(NULL);
    assert_int_equal(pages(), 0);
}

/* Stores go on while the area goes and comes; at the end it is gone, and so are they all. */
static void *store_on(void *argument)
{
    unsigned char own[TMEM_PAGE_SIZE];
    content_fill(4711, own);
    for (unsigned i = 0; i < 3000; i++) {
        enum tmem_result result = tmem_frontswap_store(frontswap, 1, (uintptr_t)argument * 8 + i % 8, own);
        if (result != TMEM_OK && result != TMEM_REFUSED)
            abort();
        result = tmem_frontswap_load(frontswap, 1, i % 16, own);
        if (result != TMEM_OK && result != TMEM_MISS)
            abort();
        content_fill(4711, own);
    }
    return NULL;
}

static void an_area_may_go_while_others_store(void **state)
{
    pthread_t threads[2];
    (void)state;
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, store_on, (void *)i), 0);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(tmem_frontswap_init(frontswap, 1), TMEM_OK);
        assert_int_equal(tmem_frontswap_invalidate_area(frontswap, 1), TMEM_OK);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(pages(), 0);
}

static uint32_t plain = TMEM_FRONTSWAP_PLAIN, exclusive = TMEM_FRONTSWAP_EXCLUSIVE,
                through = TMEM_FRONTSWAP_WRITE_THROUGH;

#define TEST(name, flags)                        \
    {                                            \
#name, name, set_up, tear_down, &(flags) \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stored_pages_stay_until_they_are_invalidated, plain),
        TEST(an_exclusive_load_takes_the_page, exclusive),
        TEST(nothing_is_stored_for_a_device_that_is_not_in_use, plain),
        TEST(a_full_client_is_refused_and_keeps_what_it_has, plain),
        TEST(with_write_through_old_pages_make_room_for_new_ones, through),
        TEST(arguments_that_are_not_valid_change_nothing, exclusive),
        TEST(an_area_may_go_while_others_store, plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
