/* SPDX-License-Identifier: BSD-2-Clause */
/* page_test.c - put, get and invalidate of single pages: the laws, one by one, for every sort of page. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

static struct tm_test_engine test;
static struct tm_member *both[2];

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_init(&test, 24, TM_TEST_PLENTY);
    both[0] = test.ephemeral;
    both[1] = test.persistent;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_engine_fini(&test);
    return 0;
}

static enum tm_result take(struct tm_member *member, uint64_t object, uint32_t index)
{
    unsigned char page[TM_PAGE_BYTES];
    return tm_test_get(member, object, index, page, TM_GET_EXCLUSIVE);
}

static enum tm_result put_keep(struct tm_member *member, uint64_t object, uint32_t index, enum tm_test_sort sort,
                               uint64_t number)
{
    unsigned char page[TM_PAGE_BYTES];
    struct tm_object_id id = {{object, 0, 0}};
    tm_test_page(page, sort, number);
    return tm_page_put(member, &id, index, page, TM_PUT_KEEP);
}

/* From now on no segment can be had: arenas and size are full. */
static void deny_segments(bool denied)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_SEGMENT) | TM_FAULT_BIT(TM_FAULT_SPAN), true, 1};
    tm_test_faults_host = &test.host;
    tm_test_host_plan(&test.host, denied ? &plan : NULL);
}

static void seal(struct tm_member *member)
{
    tm_heap_seal(member->pool->account->heap);
}

/* ---- what was put is what is got ---- */

static void every_sort_of_page_comes_back_whole(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++)
            for (uint64_t number = 1; number <= 9; number++)
                assert_int_equal(tm_test_put(both[pool], sort, (uint32_t)number, (enum tm_test_sort)sort, number),
                                 TM_OK);
        for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++)
            for (uint64_t number = 1; number <= 9; number++)
                assert_true(tm_test_has(both[pool], sort, (uint32_t)number, (enum tm_test_sort)sort, number));
        tm_engine_check(test.engine);
    }
    struct tm_engine_figures figures = tm_test_figures(&test);
    assert_int_equal(figures.pages, 2 * 9 * TM_TEST_SORTS);
    assert_int_equal(figures.pages_same, 2 * 9 * 3);
    assert_int_equal(figures.blocks_raw, 2 * 9);
    assert_int_equal(figures.blocks_compressed, 2 * 9 * 2);
}

static void any_object_and_index_is_legal(void **state)
{
    static const uint64_t words[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63};
    static const uint32_t indices[] = {0, 3, 4, 15, 16, 63, 64, UINT32_MAX - 1u, UINT32_MAX};
    unsigned char page[TM_PAGE_BYTES];
    unsigned char got[TM_PAGE_BYTES];
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        struct tm_object_id id = {{words[i % 4], words[i / 4 % 4], words[i / 16]}};
        for (unsigned k = 0; k < TM_ARRAY_SIZE(indices); k++) {
            tm_test_page(page, TM_TEST_SHORT, i * 100u + k);
            assert_int_equal(tm_page_put(test.persistent, &id, indices[k], page, TM_PUT_PLAIN), TM_OK);
        }
    }
    for (unsigned i = 0; i < 64; i++) {
        struct tm_object_id id = {{words[i % 4], words[i / 4 % 4], words[i / 16]}};
        for (unsigned k = 0; k < TM_ARRAY_SIZE(indices); k++) {
            tm_test_page(page, TM_TEST_SHORT, i * 100u + k);
            assert_int_equal(tm_page_get(test.persistent, &id, indices[k], got, TM_GET_DEFAULT), TM_OK);
            assert_memory_equal(got, page, sizeof page);
        }
    }
}

static void put_put_get_returns_the_second(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (unsigned first = 0; first < TM_TEST_SORTS; first++) {
            for (unsigned second = 0; second < TM_TEST_SORTS; second++) {
                assert_int_equal(tm_test_put(both[pool], first, second, (enum tm_test_sort)first, 1), TM_OK);
                assert_int_equal(tm_test_put(both[pool], first, second, (enum tm_test_sort)second, 2), TM_OK);
                assert_true(tm_test_has(both[pool], first, second, (enum tm_test_sort)second, 2));
            }
        }
        struct tm_page_counts counts = tm_test_counts(both[pool]);
        assert_int_equal(counts.puts, 2 * TM_TEST_SORTS * TM_TEST_SORTS);
        assert_int_equal(counts.puts_replaced, TM_TEST_SORTS * TM_TEST_SORTS);
    }
}

static void a_miss_stays_a_miss_until_the_next_put(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        assert_int_equal(tm_test_look(both[pool], 1, 1), TM_MISS);
        assert_int_equal(tm_test_put(both[pool], 1, 2, TM_TEST_RAW, 1), TM_OK);
        assert_int_equal(tm_test_look(both[pool], 1, 1), TM_MISS);   /* in the window */
        assert_int_equal(tm_test_look(both[pool], 1, 9), TM_MISS);   /* beside it */
        assert_int_equal(tm_test_look(both[pool], 1, 200), TM_MISS); /* in another chunk */
        assert_int_equal(tm_test_look(both[pool], 2, 2), TM_MISS);
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_RAW, 1), TM_OK);
        assert_int_equal(tm_test_look(both[pool], 1, 1), TM_OK);
    }
}

/* ---- modes ---- */

static void an_exclusive_get_removes_and_an_inclusive_one_keeps(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++) {
            assert_int_equal(tm_test_put(both[pool], 1, sort, (enum tm_test_sort)sort, 1), TM_OK);
            assert_int_equal(tm_test_look(both[pool], 1, sort), TM_OK);
            assert_int_equal(tm_test_look(both[pool], 1, sort), TM_OK);
            assert_int_equal(take(both[pool], 1, sort), TM_OK);
            assert_int_equal(take(both[pool], 1, sort), TM_MISS);
            assert_int_equal(tm_test_look(both[pool], 1, sort), TM_MISS);
        }
        assert_int_equal(tm_test_counts(both[pool]).pages, 0);
        assert_int_equal(tm_test_counts(both[pool]).objects, 0);
        assert_int_equal(tm_test_counts(both[pool]).gets, TM_TEST_SORTS * 5);
        assert_int_equal(tm_test_counts(both[pool]).gets_found, TM_TEST_SORTS * 3);
    }
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, 0);
}

static void the_default_is_exclusive_for_private_ephemeral_pools_only(void **state)
{
    static const struct tm_uuid names[2] = {{{1, 1}}, {{2, 2}}};
    unsigned char page[TM_PAGE_BYTES];
    struct tm_member *shared[2];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tm_client_authorise(test.client, &names[i]), TM_OK);
        shared[i] = tm_test_pool(test.client, TM_POOL_SHARED | i, &names[i]);
    }
    struct tm_member *const pools[] = {test.ephemeral, test.persistent, shared[0], shared[1]};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tm_test_put(pools[i], 1, 1, TM_TEST_RAW, 1), TM_OK);
        assert_int_equal(tm_test_get(pools[i], 1, 1, page, TM_GET_DEFAULT), TM_OK);
        assert_int_equal(tm_test_look(pools[i], 1, 1), i == 0 ? TM_MISS : TM_OK);
    }
}

/* ---- invalidation ---- */

static void invalidation_is_effective_and_says_what_there_was(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++) {
            assert_int_equal(tm_test_invalidate(both[pool], 1, sort), TM_MISS);
            assert_int_equal(tm_test_put(both[pool], 1, sort, (enum tm_test_sort)sort, 1), TM_OK);
            assert_int_equal(tm_test_invalidate(both[pool], 1, sort), TM_OK);
            assert_int_equal(tm_test_look(both[pool], 1, sort), TM_MISS);
            assert_int_equal(tm_test_invalidate(both[pool], 1, sort), TM_MISS);
        }
        struct tm_page_counts counts = tm_test_counts(both[pool]);
        assert_int_equal(counts.invalidates, 3 * TM_TEST_SORTS);
        assert_int_equal(counts.invalidates_found, TM_TEST_SORTS);
    }
}

static void invalidating_an_object_leaves_the_others(void **state)
{
    struct tm_object_id id = {{1, 0, 0}};
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (uint32_t index = 0; index < 500; index += 3) {
            assert_int_equal(tm_test_put(both[pool], 1, index, TM_TEST_SHORT, index), TM_OK);
            assert_int_equal(tm_test_put(both[pool], 2, index, TM_TEST_SHORT, index), TM_OK);
        }
        assert_int_equal(tm_object_invalidate(both[pool], &id), TM_OK);
        assert_int_equal(tm_object_invalidate(both[pool], &id), TM_MISS);
        for (uint32_t index = 0; index < 500; index += 3) {
            assert_int_equal(tm_test_look(both[pool], 1, index), TM_MISS);
            assert_true(tm_test_has(both[pool], 2, index, TM_TEST_SHORT, index));
        }
        assert_int_equal(tm_test_counts(both[pool]).objects, 1);
        assert_int_equal(tm_test_counts(both[pool]).object_invalidates, 2);
        assert_int_equal(tm_test_counts(both[pool]).object_invalidates_found, 1);
        tm_engine_check(test.engine);
    }
}

/* ---- puts that fail ---- */

static void failed_put_drops_the_older_page(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_SHORT, 1), TM_OK);
        tm_client_set_cap(test.client, 100); /* what is ephemeral goes already here */
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_RAW, 2), TM_REFUSED);
        assert_int_equal(tm_test_look(both[pool], 1, 1), TM_MISS);
        tm_client_set_cap(test.client, UINT64_MAX);
    }
    assert_int_equal(tm_test_counts(test.persistent).puts_refused, 1);
    assert_int_equal(tm_test_counts(test.persistent).puts_dropped_old, 1);
}

static void failed_put_with_keep_leaves_the_older_page_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(put_keep(test.persistent, 1, 1, TM_TEST_SHORT, 1), TM_OK);
    tm_client_set_cap(test.client, 300);
    assert_int_equal(put_keep(test.persistent, 1, 1, TM_TEST_RAW, 2), TM_KEPT);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_SHORT, 1));
    assert_int_equal(put_keep(test.persistent, 1, 2, TM_TEST_RAW, 2), TM_REFUSED);
    assert_int_equal(put_keep(test.persistent, 7, 2, TM_TEST_RAW, 2), TM_REFUSED);
    assert_int_equal(tm_test_look(test.persistent, 1, 2), TM_MISS);
    assert_int_equal(tm_test_counts(test.persistent).puts_dropped_old, 0);
}

static void keep_is_for_persistent_pools(void **state)
{
    (void)state;
    assert_int_equal(put_keep(test.ephemeral, 1, 1, TM_TEST_SHORT, 1), TM_INVALID);
    assert_int_equal(tm_test_counts(test.ephemeral).puts, 0);
}

static void what_is_not_valid_changes_nothing(void **state)
{
    unsigned char page[TM_PAGE_BYTES] = {1, 2, 3};
    struct tm_object_id id = {{1, 0, 0}};
    (void)state;
    assert_int_equal(tm_page_put(test.persistent, &id, 1, page, TM_PUT_PLAIN), TM_OK);
    assert_int_equal(tm_page_put(test.persistent, &id, 1, NULL, TM_PUT_PLAIN), TM_INVALID);
    assert_int_equal(tm_page_put(test.persistent, &id, 1, page, 2), TM_INVALID);
    assert_int_equal(tm_page_put(test.persistent, &id, 1, page, UINT32_MAX), TM_INVALID);
    assert_int_equal(tm_page_get(test.persistent, &id, 1, NULL, TM_GET_DEFAULT), TM_INVALID);
    assert_int_equal(tm_page_get(test.persistent, &id, 1, page, (enum tm_get_mode)3), TM_INVALID);
    assert_int_equal(tm_page_get(test.persistent, &id, 1, page, TM_GET_EXCLUSIVE), TM_OK);
    assert_int_equal(tm_test_counts(test.persistent).puts, 1);
}

static void a_frozen_client_gets_but_does_not_put(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++)
        for (uint32_t index = 1; index <= 4; index++)
            assert_int_equal(tm_test_put(both[pool], 1, index, TM_TEST_SHORT, index), TM_OK);
    tm_client_set_frozen(test.client, true);
    tm_client_set_frozen(test.client, true);
    assert_true(tm_test_client_figures(test.client).frozen);
    for (unsigned pool = 0; pool < 2; pool++) {
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_SMALL, 9), TM_REFUSED);
        assert_int_equal(tm_test_look(both[pool], 1, 1), TM_MISS);
        assert_int_equal(tm_test_put(both[pool], 1, 9, TM_TEST_SMALL, 9), TM_REFUSED);
        assert_true(tm_test_has(both[pool], 1, 2, TM_TEST_SHORT, 2));
        assert_int_equal(take(both[pool], 1, 2), TM_OK);
        assert_int_equal(tm_test_invalidate(both[pool], 1, 3), TM_OK);
    }
    assert_int_equal(put_keep(test.persistent, 1, 4, TM_TEST_SMALL, 9), TM_KEPT);
    assert_true(tm_test_has(test.persistent, 1, 4, TM_TEST_SHORT, 4));
    tm_client_set_frozen(test.client, false);
    assert_int_equal(tm_test_put(test.persistent, 1, 4, TM_TEST_SMALL, 9), TM_OK);
}

/* ---- replacing when there is no room ---- */

static void replacing_by_no_more_bytes_succeeds_at_a_full_cap(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < 16; index++)
        assert_int_equal(tm_test_put(test.persistent, 1, index, TM_TEST_RAW, index), TM_OK);
    uint64_t charged = tm_test_client_figures(test.client).charged_bytes;
    tm_client_set_cap(test.client, charged);
    for (uint32_t round = 1; round <= 200; round++) {
        uint32_t index = round * 7u % 16u;
        assert_int_equal(tm_test_put(test.persistent, 1, index, TM_TEST_RAW, 1000u + round), TM_OK);
        assert_true(tm_test_has(test.persistent, 1, index, TM_TEST_RAW, 1000u + round));
        assert_int_equal(tm_test_client_figures(test.client).charged_bytes, charged);
    }
    assert_int_equal(tm_test_put(test.persistent, 1, 16, TM_TEST_RAW, 1), TM_REFUSED);
    assert_int_equal(tm_test_client_figures(test.client).charged_max_bytes, charged);
    tm_client_set_cap(test.client, charged / 2u); /* lower than what is there: nothing goes, and replacing works */
    assert_int_equal(tm_test_put(test.persistent, 1, 3, TM_TEST_RAW, 1), TM_OK);
    assert_int_equal(tm_test_put(test.persistent, 1, 3, TM_TEST_SHORT, 1), TM_OK);
    assert_int_equal(tm_test_put(test.persistent, 1, 3, TM_TEST_RAW, 1), TM_REFUSED);
    assert_int_equal(tm_test_look(test.persistent, 1, 3), TM_MISS);
}

static void a_put_without_memory_for_its_records_is_refused_and_forgotten(void **state)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_RECORD), true, 1};
    (void)state;
    tm_test_faults_host = &test.host;
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_RAW, 1), TM_OK);
    uint64_t charged = tm_test_client_figures(test.client).charged_bytes;
    tm_test_host_plan(&test.host, &plan);
    assert_int_equal(tm_test_put(test.persistent, 2, 1, TM_TEST_RAW, 2), TM_NOMEM);
    assert_int_equal(tm_test_put(test.persistent, 1, 50, TM_TEST_RAW, 3), TM_NOMEM); /* the chunk cannot grow */
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_RAW, 4), TM_OK);     /* needs none */
    tm_test_host_plan(&test.host, NULL);
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, charged);
    assert_int_equal(tm_test_look(test.persistent, 2, 1), TM_MISS);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_RAW, 4));
}

static void a_put_without_a_segment_drops_the_older_page(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_SHORT, 1), TM_OK);
        seal(both[pool]);
        deny_segments(true);
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_RAW, 2), TM_REFUSED);
        deny_segments(false);
        assert_int_equal(tm_test_look(both[pool], 1, 1), TM_MISS);
    }
    assert_int_equal(put_keep(test.persistent, 1, 1, TM_TEST_SHORT, 1), TM_OK);
    seal(test.persistent);
    deny_segments(true);
    assert_int_equal(put_keep(test.persistent, 1, 1, TM_TEST_RAW, 2), TM_KEPT);
    assert_int_equal(put_keep(test.persistent, 1, 1, TM_TEST_SMALL, 2), TM_OK); /* needs none */
    deny_segments(false);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_SMALL, 2));
}

/* ---- stored form ---- */

struct stored {
    enum tm_codec_id codec;
    uint32_t bytes;
    unsigned char body[TM_PAGE_BYTES];
};

static enum tm_result get_stored(struct tm_member *member, uint32_t index, struct stored *stored)
{
    struct tm_object_id id = {{1, 0, 0}};
    return tm_page_get_stored(member, &id, index, &stored->codec, stored->body, &stored->bytes);
}

static enum tm_result put_stored(struct tm_member *member, uint32_t index, const struct stored *stored, uint32_t flags)
{
    struct tm_object_id id = {{1, 0, 0}};
    return tm_page_put_stored(member, &id, index, stored->codec, stored->body, stored->bytes, flags);
}

static void a_page_moves_in_its_stored_form(void **state)
{
    static const enum tm_codec_id codecs[TM_TEST_SORTS] = {TM_CODEC_SAME, TM_CODEC_SAME, TM_CODEC_SAME,
                                                           TM_CODEC_LZ4, TM_CODEC_LZ4, TM_CODEC_RAW};
    struct stored stored;
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (unsigned sort = 0; sort < TM_TEST_SORTS; sort++) {
            assert_int_equal(tm_test_put(both[pool], 1, sort, (enum tm_test_sort)sort, 5), TM_OK);
            assert_int_equal(get_stored(both[pool], sort, &stored), TM_OK);
            assert_int_equal(stored.codec, codecs[sort]);
            assert_int_equal(put_stored(both[1 - pool], 100 + sort, &stored, TM_PUT_PLAIN), TM_OK);
            assert_true(tm_test_has(both[1 - pool], 1, 100 + sort, (enum tm_test_sort)sort, 5));
            assert_true(tm_test_has(both[pool], 1, sort, (enum tm_test_sort)sort, 5));
        }
        assert_int_equal(get_stored(both[pool], 50, &stored), TM_MISS);
    }
}

static void a_stored_form_that_is_no_page_changes_nothing(void **state)
{
    struct stored stored = {TM_CODEC_LZ4, 0, {0}};
    (void)state;
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_RAW, 5), TM_OK);
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_INVALID);
    stored.bytes = 10;
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_INVALID);
    stored.bytes = TM_CODEC_ENCODED_MAX + 1u;
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_INVALID);
    stored.codec = TM_CODEC_ZSTD;
    stored.bytes = 100;
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_INVALID);
    stored.codec = TM_CODEC_RAW;
    stored.bytes = TM_PAGE_BYTES - 1u;
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_INVALID);
    stored.codec = TM_CODEC_SAME;
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_INVALID);
    stored.bytes = 8;
    assert_int_equal(put_stored(test.persistent, 1, &stored, 4), TM_INVALID);
    assert_int_equal(put_stored(test.ephemeral, 1, &stored, TM_PUT_KEEP), TM_INVALID);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_RAW, 5));
    tm_client_set_frozen(test.client, true);
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_KEEP), TM_KEPT);
    assert_int_equal(put_stored(test.persistent, 1, &stored, TM_PUT_PLAIN), TM_REFUSED);
    assert_int_equal(tm_test_look(test.persistent, 1, 1), TM_MISS);
}

/* ---- while a page is being copied ---- */

static struct tm_member *changing;

/* Pages 1 and 2 share a content, which goes; another of the same length takes its record, and page 1 is that. */
static bool change_content(struct tm_test_host *host, enum tm_test_fault fault)
{
    if (fault != TM_FAULT_DECODE)
        return false;
    host->decide = NULL;
    tm_slot before = tm_test_slot(changing, 1, 1);
    assert_int_equal(tm_test_invalidate(changing, 1, 1), TM_OK);
    assert_int_equal(tm_test_invalidate(changing, 1, 2), TM_OK);
    for (uint32_t index = 3; index <= 4; index++)
        assert_int_equal(tm_test_put(changing, 1, index, TM_TEST_SHORT, 8), TM_OK);
    assert_int_equal(tm_test_put(changing, 1, 1, TM_TEST_SHORT, 8), TM_OK);
    assert_int_equal(tm_slot_type(before), TM_SLOT_SHARED);
    assert_true(tm_slot_same(tm_test_slot(changing, 1, 1), before));
    return false;
}

static void an_exclusive_get_takes_what_it_removes_although_the_slot_is_equal(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    unsigned char expected[TM_PAGE_BYTES];
    (void)state;
    tm_test_page(expected, TM_TEST_SHORT, 8);
    for (unsigned pool = 0; pool < 2; pool++) {
        changing = both[pool];
        assert_int_equal(tm_test_put(changing, 1, 1, TM_TEST_SHORT, 7), TM_OK);
        assert_int_equal(tm_test_put(changing, 1, 2, TM_TEST_SHORT, 7), TM_OK);
        test.host.decide = change_content;
        assert_int_equal(tm_test_get(changing, 1, 1, page, TM_GET_EXCLUSIVE), TM_OK);
        assert_memory_equal(page, expected, sizeof page);
        assert_int_equal(tm_test_look(changing, 1, 1), TM_MISS);
        assert_true(tm_test_has(changing, 1, 3, TM_TEST_SHORT, 8));
    }
}

/* ---- damage ---- */

static void a_damaged_page_has_no_stored_form_either(void **state)
{
    unsigned char body[TM_PAGE_BYTES];
    enum tm_codec_id codec;
    uint32_t body_bytes;
    struct tm_object_id id = {{1, 0, 0}};
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_LONG, 1), TM_OK);
        tm_test_block(both[pool], 1, 1)->check ^= 1u;
        enum tm_result wanted = pool == 0 ? TM_MISS : TM_CORRUPT;
        for (unsigned again = 0; again < 2; again++)
            assert_int_equal(tm_page_get_stored(both[pool], &id, 1, &codec, body, &body_bytes), wanted);
        assert_int_equal(tm_test_look(both[pool], 1, 1), wanted);
        assert_int_equal(tm_test_counts(both[pool]).gets_found, 0);
        assert_int_equal(tm_test_counts(both[pool]).gets_corrupt, pool == 0 ? 1 : 3);
        assert_int_equal(tm_test_put(both[pool], 1, 1, TM_TEST_LONG, 2), TM_OK);
        assert_true(tm_test_has(both[pool], 1, 1, TM_TEST_LONG, 2));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_sort_of_page_comes_back_whole),
        TEST(any_object_and_index_is_legal),
        TEST(put_put_get_returns_the_second),
        TEST(a_miss_stays_a_miss_until_the_next_put),
        TEST(an_exclusive_get_removes_and_an_inclusive_one_keeps),
        TEST(the_default_is_exclusive_for_private_ephemeral_pools_only),
        TEST(invalidation_is_effective_and_says_what_there_was),
        TEST(invalidating_an_object_leaves_the_others),
        TEST(failed_put_drops_the_older_page),
        TEST(failed_put_with_keep_leaves_the_older_page_and_says_so),
        TEST(keep_is_for_persistent_pools),
        TEST(what_is_not_valid_changes_nothing),
        TEST(a_frozen_client_gets_but_does_not_put),
        TEST(replacing_by_no_more_bytes_succeeds_at_a_full_cap),
        TEST(a_put_without_memory_for_its_records_is_refused_and_forgotten),
        TEST(a_put_without_a_segment_drops_the_older_page),
        TEST(a_page_moves_in_its_stored_form),
        TEST(a_stored_form_that_is_no_page_changes_nothing),
        TEST(a_damaged_page_has_no_stored_form_either),
        TEST(an_exclusive_get_takes_what_it_removes_although_the_slot_is_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
