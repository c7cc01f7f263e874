/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * save_test.c - a domain moves to another one as the original's tools moved it: read out while it runs, put in, and
 * told what has gone meanwhile. Each case fails with a flaw that the original's had; single results are rows of
 * results.table.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/world.h"

#define EPHEMERAL 0x01000000u
#define PERSISTENT 0x01000001u
#define POOLS 3u /* of the guest that moves: persistent, ephemeral, persistent */
#define OBJECTS 5u
#define INDICES 40u
#define FRAME 5u
#define SOURCE 1u
#define TARGET 2u
#define RECORD_BYTES 4128u

static struct xen_world world;
static struct xen_guest *tools, *source, *target;

static void open_world(uint32_t release)
{
    xen_world_open(&world, NULL);
    tools = xen_guest_create(&world, 0, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    source = xen_guest_create(&world, SOURCE, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    target = xen_guest_create(&world, TARGET, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    for (unsigned i = 0; i < POOLS; i++)
        assert_int_equal(xen_new(source, i == 1 ? EPHEMERAL : PERSISTENT, 0, 0), i);
}

static int set_up(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    return 0;
}

static int set_up_old(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xen_world_close(&world);
    xen_guest_free(tools);
    xen_guest_free(source);
    xen_guest_free(target);
    return 0;
}

static bool is_new(void)
{
    return tools->release >= TMEM_XEN_RELEASE_4_12;
}

/* ---- the guest ---- */

/* What a page has: compressible, a repeated word, or neither. */
static void fill(struct xen_guest *guest, int32_t pool, uint64_t object, uint32_t index)
{
    uint64_t seed = ((uint64_t)pool * OBJECTS + object) * 100000u + index;
    xen_guest_fill(guest, FRAME, seed);
    if (seed % 3 == 1)
        memset(guest->frames[FRAME], 0, TMEM_PAGE_SIZE / 2);
    if (seed % 3 == 2)
        memset(guest->frames[FRAME], (int)(index & 0xff), TMEM_PAGE_SIZE);
}

static void put_all(void)
{
    for (int32_t pool = 0; pool < (int32_t)POOLS; pool++)
        for (uint64_t object = 0; object < OBJECTS; object++)
            for (uint32_t index = 0; index < INDICES; index++) {
                fill(source, pool, object, index * 7);
                assert_int_equal(xen_page(source, TMEM_PUT_PAGE, pool, object, index * 7, FRAME, NULL), 1);
            }
}

static long flush(int32_t pool, uint64_t object, uint32_t index)
{
    return xen_page(source, TMEM_FLUSH_PAGE, pool, object, index, 0, NULL);
}

/* ---- tools ---- */

static long control(uint32_t number, uint32_t client, int32_t pool, uint32_t bytes, uint32_t extra)
{
    return xen_control(tools, number, client, pool, bytes, extra);
}

/* An operation on the page that a handle names, with bytes at an address of the tools'. */
static long control_page(uint32_t number, uint32_t client, const struct tmem_handle *handle, uint32_t bytes,
                         const void *at)
{
    if (is_new()) {
        struct xen_sysctl_tmem_op op = {
            number, (int32_t)handle->pool_id, client, bytes, handle->index, 0, {0}, (uintptr_t)at};
        memcpy(op.oid, handle->oid, sizeof op.oid);
        return tmem_xen_sysctl(tools->domain, &op);
    }
    struct tmem_op op = {.cmd = TMEM_CONTROL, .pool_id = (int32_t)handle->pool_id};
    op.u.ctrl.subop = number;
    op.u.ctrl.cli_id = client;
    op.u.ctrl.arg1 = bytes;
    op.u.ctrl.arg2 = handle->index;
    memcpy(op.u.ctrl.oid, handle->oid, sizeof op.u.ctrl.oid);
    op.u.ctrl.buf = (uintptr_t)at;
    return xen_send(tools, &op);
}

static void begin(bool is_live)
{
    assert_int_equal(control(TMEM_CONTROL_SAVE_BEGIN, SOURCE, 0, is_live, is_live), is_new() ? 0 : 1);
}

static void end(void)
{
    assert_int_equal(control(TMEM_CONTROL_SAVE_END, SOURCE, 0, 0, 0), 0);
}

/* What comes next is in the tools' buffer. */
static bool read_page(int32_t pool, struct tmem_handle *handle)
{
    long result = control(TMEM_CONTROL_SAVE_GET_NEXT_PAGE, SOURCE, pool, RECORD_BYTES, 0);
    memcpy(handle, tools->buffer, sizeof *handle);
    assert_true(result == 1 || result == -1);
    return result == 1;
}

/* A number for each handle of the guest's, which an oid tells as world.c makes them. */
static size_t place_of(const struct tmem_handle *handle)
{
    uint64_t object = handle->oid[0];
    assert_true(handle->pool_id < POOLS && object < OBJECTS && handle->index % 7 == 0);
    assert_true(handle->index / 7 < INDICES && handle->oid[1] == ~object && handle->oid[2] == object << 32);
    return (handle->pool_id * OBJECTS + (size_t)object) * INDICES + handle->index / 7;
}

/* Reads a pool to its end, with bytes compared. Answers how many pages it had; each came once. */
static unsigned read_pool(int32_t pool)
{
    static bool seen[POOLS * OBJECTS * INDICES];
    struct tmem_handle handle;
    unsigned count = 0;
    memset(seen, 0, sizeof seen);
    while (read_page(pool, &handle)) {
        bool *is_seen = &seen[place_of(&handle)];
        assert_false(*is_seen);
        *is_seen = true;
        assert_int_equal(handle.pool_id, pool);
        fill(tools, pool, handle.oid[0], handle.index);
        assert_memory_equal(tools->buffer + sizeof handle, tools->frames[FRAME], TMEM_PAGE_SIZE);
        count++;
    }
    return count;
}

static void make_target(void)
{
    assert_int_equal(control(TMEM_CONTROL_RESTORE_BEGIN, TARGET, 0, 0, 0), is_new() ? 0 : 1);
    for (int32_t pool = 0; pool < (int32_t)POOLS; pool++) {
        struct xen_tmem_pool_info info = {pool == 1 ? EPHEMERAL : PERSISTENT, (uint32_t)pool, 0, {0, 0}};
        struct tmem_op op = {.cmd = TMEM_RESTORE_NEW, .pool_id = pool};
        op.u.creat.flags = info.flags;
        op.u.creat.arg1 = TARGET;
        memcpy(tools->buffer, &info, sizeof info);
        long made = is_new() ? control(TMEM_CONTROL_SET_POOLS, TARGET, 0, sizeof info, 0) : xen_send(tools, &op);
        assert_int_equal(made, is_new() && pool == 0 ? 1 : pool);
    }
}

/* Moves up to @count pages of a pool; answers how many there were. */
static unsigned move_pages(int32_t pool, unsigned count)
{
    struct tmem_handle handle;
    unsigned moved = 0;
    while (moved < count && read_page(pool, &handle)) {
        assert_int_equal(control_page(TMEM_CONTROL_RESTORE_PUT_PAGE, TARGET, &handle, TMEM_PAGE_SIZE,
                                      tools->buffer + sizeof handle),
                         1);
        moved++;
    }
    return moved;
}

static unsigned move_notes(void)
{
    struct tmem_handle handle;
    unsigned moved = 0;
    while (control(TMEM_CONTROL_SAVE_GET_NEXT_INV, SOURCE, 0, sizeof handle, 0) == 1) {
        memcpy(&handle, tools->buffer, sizeof handle);
        (void)place_of(&handle);
        assert_int_equal(control_page(TMEM_CONTROL_RESTORE_FLUSH_PAGE, TARGET, &handle, 0, NULL), 1);
        moved++;
    }
    return moved;
}

/* Both sides have the same pages, of the persistent pool; answers how many. */
static unsigned compare(int32_t pool)
{
    unsigned count = 0;
    for (uint64_t object = 0; object < OBJECTS; object++)
        for (uint32_t index = 0; index < INDICES; index++) {
            long here = xen_page(source, TMEM_GET_PAGE, pool, object, index * 7, 6, NULL);
            assert_int_equal(xen_page(target, TMEM_GET_PAGE, pool, object, index * 7, 6, NULL), here);
            if (here == 1)
                assert_memory_equal(source->frames[6], target->frames[6], TMEM_PAGE_SIZE);
            count += here == 1;
        }
    return count;
}

/* ---- cases ---- */

/* The first page of each pool was left out, and pages that were not compressed could not be read. */
static void each_page_is_read_once_the_first_as_well(void **state)
{
    (void)state;
    put_all();
    begin(false);
    assert_int_equal(read_pool(0), OBJECTS * INDICES);
    assert_int_equal(read_pool(2), OBJECTS * INDICES);
    end();
}

/* With one page in the pool the list's head was taken for a page. */
static void a_single_page_is_read(void **state)
{
    (void)state;
    fill(source, 0, 3, 14);
    assert_int_equal(xen_page(source, TMEM_PUT_PAGE, 0, 3, 14, FRAME, NULL), 1);
    begin(false);
    assert_int_equal(read_pool(0), 1);
    assert_int_equal(read_pool(2), 0);
    end();
}

/* Where the first save had ended, the second one went on: it read nothing. */
static void a_second_save_reads_everything_again(void **state)
{
    struct tmem_handle handle;
    (void)state;
    put_all();
    begin(true);
    assert_int_equal(read_pool(0), OBJECTS * INDICES);
    end();
    begin(true);
    for (unsigned i = 0; i < 70; i++)
        assert_true(read_page(0, &handle));
    begin(false);
    assert_int_equal(read_pool(0), OBJECTS * INDICES);
    end();
}

/* The page that was to be read next was freed, and the walk went on from there; a page that had gone answered 0, and
 * the stream was one page short. */
static void pages_that_go_meanwhile_hold_up_nobody(void **state)
{
    struct tmem_handle handle;
    unsigned count = 0;
    (void)state;
    put_all();
    begin(true);
    while (read_page(0, &handle)) {
        count++;
        assert_int_equal(flush(0, handle.oid[0], handle.index), -EFROZEN);
        for (uint32_t index = 0; index < INDICES; index += 9)
            assert_int_equal(flush(0, handle.oid[0], index * 7), -EFROZEN);
    }
    assert_in_range(count, OBJECTS * (INDICES - 5), OBJECTS * INDICES);
    end();
}

/* The store's index grows while it is read. */
static void each_page_is_read_once_while_others_fill_the_store(void **state)
{
    struct tmem_handle handle;
    static bool seen[POOLS * OBJECTS * INDICES];
    unsigned count = 0;
    (void)state;
    memset(seen, 0, sizeof seen);
    put_all();
    assert_int_equal(xen_new(target, PERSISTENT, 0, 0), 0);
    begin(true);
    while (read_page(0, &handle)) {
        assert_false(seen[place_of(&handle)]);
        seen[place_of(&handle)] = true;
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(xen_page(target, TMEM_PUT_PAGE, 0, 1000 + 100 * count + i, i, XEN_FRAME_ZERO, NULL), 1);
        count++;
    }
    assert_int_equal(count, OBJECTS * INDICES);
    end();
}

/* What was removed in other ways than by flushing it alone has to be told, too. */
static void a_guest_moves_while_it_runs(void **state)
{
    (void)state;
    put_all();
    begin(true);
    make_target();
    assert_int_equal(move_pages(0, 90), 90);
    for (uint64_t object = 0; object < OBJECTS; object++)
        for (uint32_t i = 0; i < 20; i++) {
            fill(source, 0, object, i * 7 + 1);
            assert_int_equal(xen_page(source, TMEM_PUT_PAGE, 0, object, i * 7, FRAME, NULL), -ENOSPC);
        }
    assert_int_equal(xen_page(source, TMEM_FLUSH_OBJECT, 0, 3, 0, 0, NULL), -EFROZEN);
    assert_int_equal(flush(0, 4, 39 * 7), -EFROZEN);
    assert_int_equal(flush(0, 4, 39 * 7), -EFROZEN);
    (void)move_pages(0, UINT32_MAX);
    assert_int_equal(move_pages(2, UINT32_MAX), OBJECTS * INDICES);
    /* 20 pages of each of 5 objects, what the one object had left, and one. */
    assert_int_equal(move_notes(), 100 + 20 + 1);
    assert_int_equal(compare(0), OBJECTS * INDICES - 121);
    assert_int_equal(compare(2), OBJECTS * INDICES);
    end();
    assert_int_equal(xen_page(source, TMEM_PUT_PAGE, 0, 1, 0, FRAME, NULL), 1);
}

/* The slot was cleared and the pool leaked; its pages came back on the other side. */
static void a_pool_that_ends_meanwhile_is_empty_on_the_other_side(void **state)
{
    (void)state;
    put_all();
    begin(true);
    make_target();
    assert_int_equal(move_pages(0, UINT32_MAX), OBJECTS * INDICES);
    assert_int_equal(xen_page(source, TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    assert_int_equal(xen_page(source, TMEM_DESTROY_POOL, 1, 0, 0, 0, NULL), 1);
    assert_int_equal(move_notes(), OBJECTS * INDICES);
    assert_int_equal(xen_page(target, TMEM_GET_PAGE, 0, 1, 0, 6, NULL), -EEMPTY);
    end();
}

/* Notes were freed and stayed in the list; pools that were no more were looked at. */
static void an_end_leaves_nothing_of_what_was_noted(void **state)
{
    (void)state;
    put_all();
    for (unsigned round = 0; round < 3; round++) {
        struct tmem_handle handle;
        begin(true);
        assert_true(read_page(0, &handle));
        for (uint32_t i = 0; i < 10; i++)
            assert_int_equal(flush(0, round, i * 7), -EFROZEN);
        if (round == 1)
            assert_int_equal(xen_page(source, TMEM_DESTROY_POOL, 2, 0, 0, 0, NULL), 1);
        end();
        assert_int_equal(control(TMEM_CONTROL_SAVE_GET_NEXT_INV, SOURCE, 0, sizeof handle, 0), 0);
    }
    assert_int_equal(xen_new(source, PERSISTENT, 0, 0), 2);
}

static void a_buffer_that_cannot_be_reached_loses_nothing(void **state)
{
    struct tmem_handle none = {0, 0, {0, 0, 0}};
    (void)state;
    put_all();
    begin(true);
    assert_int_equal(control_page(TMEM_CONTROL_SAVE_GET_NEXT_PAGE, SOURCE, &none, RECORD_BYTES, NULL), -EFAULT);
    assert_int_equal(read_pool(0), OBJECTS * INDICES);
    assert_int_equal(flush(0, 1, 7), -EFROZEN);
    assert_int_equal(control_page(TMEM_CONTROL_SAVE_GET_NEXT_INV, SOURCE, &none, 32, NULL), -EFAULT);
    make_target();
    assert_int_equal(move_notes(), 1);
    end();
}

/* As every put that fails. */
static void a_page_that_cannot_be_read_takes_the_older_one_with_it(void **state)
{
    struct tmem_handle handle = {2, 7, {1, 2, 3}};
    (void)state;
    make_target();
    assert_int_equal(
        control_page(TMEM_CONTROL_RESTORE_PUT_PAGE, TARGET, &handle, TMEM_PAGE_SIZE, tools->frames[1]), 1);
    assert_int_equal(control_page(TMEM_CONTROL_RESTORE_PUT_PAGE, TARGET, &handle, TMEM_PAGE_SIZE, NULL), -EFAULT);
    assert_int_equal(xen_page(target, TMEM_GET_PAGE, 2, 1, 7, 6, NULL), -EEMPTY);
}

static void a_domain_may_die_while_it_is_saved(void **state)
{
    struct tmem_handle handle;
    (void)state;
    put_all();
    begin(true);
    assert_true(read_page(0, &handle));
    assert_int_equal(flush(0, handle.oid[0], handle.index), -EFROZEN);
    tmem_xen_domain_kill(source->domain);
    assert_false(read_page(0, &handle));
    assert_int_equal(control(TMEM_CONTROL_SAVE_GET_NEXT_INV, SOURCE, 0, sizeof handle, 0), 0);
    assert_int_equal(control(TMEM_CONTROL_SAVE_END, SOURCE, 0, 0, 0), is_new() ? -ENOENT : -1);
}

/* ---- at the same time ---- */

static void *run_guest(void *seed)
{
    struct xen_guest *guest = source;
    uint64_t number = (uint64_t)(uintptr_t)seed;
    for (unsigned i = 0; i < 300; i++) {
        uint64_t object = (number + i) % OBJECTS;
        uint32_t index = (uint32_t)((i * 13 + number) % INDICES) * 7;
        if (i % 50 == 7)
            (void)xen_page(guest, TMEM_FLUSH_OBJECT, 0, object, 0, 0, NULL);
        else
            (void)xen_page(guest, i % 2 == 0 ? TMEM_FLUSH_PAGE : TMEM_PUT_PAGE, 0, object, index, XEN_FRAME_ZERO,
                           NULL);
    }
    (void)xen_page(guest, TMEM_DESTROY_POOL, 2, 0, 0, 0, NULL);
    return NULL;
}

/* What is on the other side in the end is what is on this one, whoever was first. */
static void guests_run_while_tools_read(void **state)
{
    pthread_t threads[3];
    (void)state;
    put_all();
    begin(true);
    make_target();
    assert_int_equal(move_pages(2, 10), 10);
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_guest, (void *)(i * 17)), 0);
    (void)move_pages(0, UINT32_MAX);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    (void)move_notes();
    (void)compare(0);
    assert_int_equal(xen_page(target, TMEM_GET_PAGE, 2, 1, 0, 6, NULL), -EEMPTY);
    end();
}

/* Answers NULL if all results were possible ones. */
static void *flush_objects(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 200; i++) {
        long result = xen_page(source, TMEM_FLUSH_OBJECT, 0, i % OBJECTS, 0, 0, NULL);
        if (result != 1 && result != -EFROZEN && result != -ENODEV)
            return source;
    }
    return NULL;
}

static void start_flushing(pthread_t threads[2])
{
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flush_objects, NULL), 0);
}

static void await_flushing(const pthread_t threads[2])
{
    for (unsigned i = 0; i < 2; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

/* Whoever removes an object page by page finds the pool, or the save, gone. */
static void pools_and_saves_end_while_objects_are_flushed(void **state)
{
    pthread_t threads[2];
    (void)state;
    put_all();
    begin(true);
    make_target();
    assert_int_equal(move_pages(0, UINT32_MAX), OBJECTS * INDICES);
    start_flushing(threads);
    assert_int_equal(xen_page(source, TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    await_flushing(threads);
    assert_int_equal(move_notes(), OBJECTS * INDICES);
    assert_int_equal(xen_page(target, TMEM_GET_PAGE, 0, 1, 0, 6, NULL), -EEMPTY);
    end();
    assert_int_equal(xen_new(source, PERSISTENT, 0, 0), 0);
    start_flushing(threads);
    for (unsigned i = 0; i < 50; i++) {
        struct tmem_handle handle;
        (void)xen_page(source, TMEM_PUT_PAGE, 0, i % OBJECTS, 7, XEN_FRAME_ZERO, NULL);
        begin(true);
        (void)read_page(0, &handle);
        end();
    }
    await_flushing(threads);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_OLD(name) cmocka_unit_test_setup_teardown(name, set_up_old, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_page_is_read_once_the_first_as_well),
        TEST(a_single_page_is_read),
        TEST(a_second_save_reads_everything_again),
        TEST(pages_that_go_meanwhile_hold_up_nobody),
        TEST(each_page_is_read_once_while_others_fill_the_store),
        TEST(a_guest_moves_while_it_runs),
        TEST(a_pool_that_ends_meanwhile_is_empty_on_the_other_side),
        TEST(an_end_leaves_nothing_of_what_was_noted),
        TEST(a_buffer_that_cannot_be_reached_loses_nothing),
        TEST(a_page_that_cannot_be_read_takes_the_older_one_with_it),
        TEST(a_domain_may_die_while_it_is_saved),
        TEST(guests_run_while_tools_read),
        TEST(pools_and_saves_end_while_objects_are_flushed),
        TEST_OLD(each_page_is_read_once_the_first_as_well),
        TEST_OLD(a_guest_moves_while_it_runs),
        TEST_OLD(a_pool_that_ends_meanwhile_is_empty_on_the_other_side),
        TEST_OLD(a_domain_may_die_while_it_is_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
