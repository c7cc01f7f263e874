/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zcache_test.c - zcache's interface with a user who counts: every pampd is freed once and never touched after that,
 * every object is allocated once and freed once, and gets find what was put last.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/zcache.h>

#include "tests/model/content.h"
#include "tests/xen/failing.h"

#define OBJECTS 12u
#define PAGES 200u
#define OPERATIONS 30000u
#define THREADS 4u

struct descriptor {
    uint64_t content;
    struct tmem_pool *pool;
    bool is_finished, is_ephemeral, is_evicting;
};

static _Atomic int descriptors, objects, allocations;
static _Atomic int freed_with_their_object;
static bool has_no_memory;

static struct tmem_obj *obj_alloc(struct tmem_pool *pool)
{
    (void)pool;
    struct tmem_obj *obj = has_no_memory ? NULL : malloc(sizeof *obj);
    objects += obj != NULL;
    allocations += obj != NULL;
    return obj;
}

static void obj_free(struct tmem_obj *obj, struct tmem_pool *pool)
{
    assert_ptr_equal(obj->pool, pool);
    assert_int_equal(obj->pampd_count, 0);
    objects--;
    free(obj);
}

static void create_finish(void *pampd, bool eph)
{
    struct descriptor *descriptor = pampd;
    descriptor->is_finished = true;
    descriptor->is_ephemeral = eph;
}

static void pampd_free(void *pampd, struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index, bool acct)
{
    struct descriptor *descriptor = pampd;
    (void)index;
    assert_ptr_equal(descriptor->pool, pool);
    assert_true(acct);
    freed_with_their_object += oid == NULL;
    descriptors--;
    free(descriptor);
}

static int get_data(char *data, size_t *sizep, bool raw, void *pampd, struct tmem_pool *pool, struct tmem_oid *oid,
                    uint32_t index)
{
    const struct descriptor *descriptor = pampd;
    (void)raw;
    (void)oid;
    (void)index;
    assert_ptr_equal(descriptor->pool, pool);
    assert_true(descriptor->is_finished);
    if (descriptor->is_evicting)
        return -7;
    memcpy(data, &descriptor->content, sizeof descriptor->content);
    *sizep = sizeof descriptor->content;
    return 5; /* whatever is not negative is a success */
}

static int get_data_and_free(char *data, size_t *sizep, bool raw, void *pampd, struct tmem_pool *pool,
                             struct tmem_oid *oid, uint32_t index)
{
    int result = get_data(data, sizep, raw, pampd, pool, oid, index);
    pampd_free(pampd, pool, oid, index, true);
    return result;
}

/* ---- shorthands ---- */

static struct tmem_pool pools[3]; /* ephemeral, persistent, and another client's ephemeral one */

static struct tmem_oid object(uint64_t number)
{
    return (struct tmem_oid){{number, number << 40, 0}};
}

static struct descriptor *describe(struct tmem_pool *pool, uint64_t content)
{
    struct descriptor *descriptor = malloc(sizeof *descriptor);
    assert_non_null(descriptor);
    *descriptor = (struct descriptor){.content = content, .pool = pool};
    descriptors++;
    return descriptor;
}

static int put(struct tmem_pool *pool, uint64_t number, uint32_t index, uint64_t content)
{
    struct tmem_oid oid = object(number);
    return tmem_put(pool, &oid, index, false, describe(pool, content));
}

/* The content, or what the get answered. */
static int64_t get(struct tmem_pool *pool, uint64_t number, uint32_t index, int get_and_free)
{
    struct tmem_oid oid = object(number);
    uint64_t content = 0;
    size_t size = 0;
    int result = tmem_get(pool, &oid, index, (char *)&content, &size, false, get_and_free);
    if (result == 0)
        assert_int_equal(size, sizeof content);
    return result == 0 ? (int64_t)content : result;
}

static int flush_page(struct tmem_pool *pool, uint64_t number, uint32_t index)
{
    struct tmem_oid oid = object(number);
    return tmem_flush_page(pool, &oid, index);
}

static int flush_object(struct tmem_pool *pool, uint64_t number)
{
    struct tmem_oid oid = object(number);
    return tmem_flush_object(pool, &oid);
}

static void make_pools(void)
{
    static int clients[2];
    const uint32_t flags[3] = {0x01000000, 0x01000001, 0x01000002};
    for (unsigned i = 0; i < 3; i++) {
        pools[i] = (struct tmem_pool){.client = &clients[i / 2], .pool_id = i};
        tmem_new_pool(&pools[i], flags[i]);
    }
}

static int set_up(void **state)
{
    struct tmem_hostops host = {obj_alloc, obj_free};
    struct tmem_pamops pam = {create_finish, get_data, get_data_and_free, pampd_free};
    (void)state;
    has_no_memory = false;
    allocations = freed_with_their_object = 0;
    tmem_register_hostops(&host);
    tmem_register_pamops(&pam);
    memset(&host, 0, sizeof host); /* they were copied */
    memset(&pam, 0, sizeof pam);
    assert_int_equal(tmem_zcache_open("embedded:size=16M"), 0);
    make_pools();
    return 0;
}

/* Nothing is left of anything. */
static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(tmem_destroy_pool(&pools[i]), 0);
        assert_int_equal(pools[i].obj_count, 0);
    }
    tmem_zcache_close();
    assert_int_equal(descriptors, 0);
    assert_int_equal(objects, 0);
    return 0;
}

/* ---- cases ---- */

static void pools_know_their_kind(void **state)
{
    (void)state;
    assert_false(pools[0].persistent || pools[0].shared);
    assert_true(pools[1].persistent && !pools[1].shared);
    assert_true(pools[2].shared && !pools[2].persistent);
    assert_int_equal(tmem_destroy_pool(NULL), -1);
}

static void what_is_put_can_be_got(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get(&pools[i], 1, 0, -1), -1);
        assert_int_equal(put(&pools[i], 1, 0, 70 + i), 0);
        assert_int_equal(put(&pools[i], 1, UINT32_MAX, 80 + i), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get(&pools[i], 1, 0, -1), 70 + i);
        assert_int_equal(get(&pools[i], 1, UINT32_MAX, -1), 80 + i);
        assert_int_equal(get(&pools[i], 1, 1, -1), -1);
        assert_int_equal(get(&pools[i], 2, 0, -1), -1);
    }
}

static void gets_free_as_they_are_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(put(&pools[i], 1, 5, 9), 0);
        assert_int_equal(get(&pools[i], 1, 5, -1), 9); /* never */
        assert_int_equal(get(&pools[i], 1, 5, 0), 9);  /* of ephemeral pools only */
        assert_int_equal(get(&pools[i], 1, 5, -1), i == 1 ? 9 : -1);
        assert_int_equal(put(&pools[i], 1, 5, 10), 0);
        assert_int_equal(get(&pools[i], 1, 5, 1), 10); /* always */
        assert_int_equal(get(&pools[i], 1, 5, 1), -1);
        assert_int_equal(pools[i].obj_count, 0);
    }
}

static void the_older_page_is_freed_when_another_comes(void **state)
{
    (void)state;
    assert_int_equal(put(&pools[1], 1, 5, 1), 0);
    assert_int_equal(put(&pools[1], 1, 5, 2), 0);
    assert_int_equal(descriptors, 1);
    assert_int_equal(allocations, 1);
    assert_int_equal(get(&pools[1], 1, 5, 0), 2);
}

static void a_failed_put_leaves_nothing(void **state)
{
    (void)state;
    has_no_memory = true;
    assert_int_equal(put(&pools[1], 1, 5, 1), -ENOMEM);
    assert_int_equal(descriptors, 0);
    has_no_memory = false;
    struct tmem_pool poor = {.pool_id = 9};
    assert_int_equal(put(&poor, 1, 5, 1), -ENOMEM); /* its index could not be made */
    assert_int_equal(get(&poor, 1, 5, 0), -1);
    assert_int_equal(flush_page(&poor, 1, 5), -1);
    assert_int_equal(flush_object(&poor, 1), -1);
    assert_int_equal(tmem_destroy_pool(&poor), 0);
    assert_int_equal(get(&pools[1], 1, 5, 0), -1);
}

/* The user's own allocations are refused like the library's. */
static void a_refused_allocation_costs_one_put(void **state)
{
    (void)state;
    for (long i = 0; i < 400; i++) {
        uint64_t random = content_scatter((uint64_t)i);
        uint64_t number = 40 + random % 3;
        uint32_t index = (uint32_t)(random >> 32) % 3000;
        struct tmem_oid oid = object(number);
        struct descriptor *descriptor = describe(&pools[1], (uint64_t)i + 1);
        failing_after(i % 3);
        int result = tmem_put(&pools[1], &oid, index, false, descriptor);
        bool has_failed = failing_has_happened();
        failing_after(-1);
        assert_true(result == 0 || (result == -ENOMEM && has_failed));
        assert_int_equal(get(&pools[1], number, index, -1), result == 0 ? i + 1 : -1);
    }
    assert_true(pools[1].obj_count == 3);
}

static void all_ones_is_no_object(void **state)
{
    struct tmem_oid none = {{UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct tmem_oid near = {{UINT64_MAX, UINT64_MAX, UINT64_MAX - 1}};
    size_t size;
    char data[8];
    (void)state;
    assert_int_equal(tmem_put(&pools[1], &none, 0, false, describe(&pools[1], 1)), -EINVAL);
    assert_int_equal(tmem_put(&pools[1], &near, 0, false, NULL), -EINVAL);
    assert_int_equal(descriptors, 0);
    assert_int_equal(tmem_get(&pools[1], &none, 0, data, &size, false, 0), -1);
    assert_int_equal(tmem_flush_page(&pools[1], &none, 0), -1);
    assert_int_equal(tmem_flush_object(&pools[1], &none), -1);
    assert_int_equal(tmem_put(&pools[1], &near, 0, false, describe(&pools[1], 1)), 0);
}

static void a_page_that_is_being_evicted_is_a_miss_and_stays_one(void **state)
{
    (void)state;
    struct tmem_oid oid = object(1);
    struct descriptor *descriptor = describe(&pools[0], 4);
    assert_int_equal(tmem_put(&pools[0], &oid, 3, false, descriptor), 0);
    assert_true(descriptor->is_ephemeral);
    descriptor->is_evicting = true;
    assert_int_equal(get(&pools[0], 1, 3, -1), -7);
    assert_int_equal(get(&pools[0], 1, 3, 0), -7);
    assert_int_equal(get(&pools[0], 1, 3, 0), -1);
}

static void flushes_say_whether_there_was_something(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(put(&pools[1], 1, i * 7, i), 0);
    assert_int_equal(put(&pools[1], 2, 7, 1), 0);
    assert_int_equal(allocations, 2);
    assert_int_equal(flush_page(&pools[1], 1, 7), 0);
    assert_int_equal(flush_page(&pools[1], 1, 7), -1);
    assert_int_equal(flush_page(&pools[1], 3, 7), -1);
    assert_int_equal(freed_with_their_object, 0);
    assert_int_equal(flush_object(&pools[1], 1), 0);
    assert_int_equal(freed_with_their_object, 499);
    assert_int_equal(flush_object(&pools[1], 1), -1);
    assert_int_equal(pools[1].obj_count, 1);
    assert_int_equal(flush_page(&pools[1], 2, 7), 0);
    assert_int_equal(pools[1].obj_count, 0);
}

static void one_index_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(tmem_zcache_open("embedded:size=16M"), -EEXIST);
    tear_down(state);
    assert_int_equal(tmem_zcache_open("embedded:size=nonsense"), -EINVAL);
    assert_int_equal(tmem_zcache_open("unix:/nonexistent/socket"), -ENOMEM);
    set_up(state);
}

static void random_operations_are_those_of_a_map(void **state)
{
    static uint64_t map[3][OBJECTS][PAGES]; /* 0: nothing */
    uint64_t random = 1;
    (void)state;
    memset(map, 0, sizeof map);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t draw = content_next(&random) >> 16;
        unsigned pool = (unsigned)draw % 3u;
        unsigned number = (unsigned)(draw >> 8) % OBJECTS;
        uint32_t page = (uint32_t)(draw >> 16) % PAGES;
        uint64_t *there = &map[pool][number][page];
        int mode = (int)(draw >> 40) % 3 - 1;
        switch ((draw >> 32) % 16) {
        case 0:
            flush_object(&pools[pool], number);
            memset(map[pool][number], 0, sizeof map[pool][number]);
            break;
        case 1:
        case 2:
            assert_int_equal(flush_page(&pools[pool], number, page), *there != 0 ? 0 : -1);
            *there = 0;
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            assert_int_equal(get(&pools[pool], number, page, mode), *there != 0 ? (int64_t)*there : -1);
            if (mode == 1 || (mode == 0 && pool != 1))
                *there = 0;
            break;
        default:
            assert_int_equal(put(&pools[pool], number, page, i + 1), 0);
            *there = i + 1;
        }
    }
}

static void *work(void *argument)
{
    uint64_t random = content_scatter((uintptr_t)argument + 1);
    for (unsigned i = 0; i < OPERATIONS / 4; i++) {
        uint64_t draw = content_next(&random) >> 16;
        struct tmem_pool *pool = &pools[draw % 3u];
        uint64_t number = (draw >> 8) % OBJECTS;
        uint32_t page = (uint32_t)(draw >> 16) % 40u;
        uint64_t content = number << 32 | page;
        int64_t found = -1;
        if ((draw >> 32) % 32 == 0)
            (void)flush_object(pool, number);
        else if ((draw >> 32) % 4 == 0)
            (void)flush_page(pool, number, page);
        else if ((draw >> 32) % 2 == 0)
            (void)put(pool, number, page, content);
        else
            found = get(pool, number, page, 0);
        if (found != -1 && found != (int64_t)content)
            abort();
    }
    return NULL;
}

static void threads_free_everything_once(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pools_know_their_kind),
        TEST(what_is_put_can_be_got),
        TEST(gets_free_as_they_are_told),
        TEST(the_older_page_is_freed_when_another_comes),
        TEST(a_failed_put_leaves_nothing),
        TEST(a_refused_allocation_costs_one_put),
        TEST(all_ones_is_no_object),
        TEST(a_page_that_is_being_evicted_is_a_miss_and_stays_one),
        TEST(flushes_say_whether_there_was_something),
        TEST(one_index_at_a_time),
        TEST(random_operations_are_those_of_a_map),
        TEST(threads_free_everything_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
