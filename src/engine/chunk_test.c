/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_test.c - chunks and objects: windows, growth, lists, what two puts at once do, and no memory for them. */
#include "engine/index_internal.h"

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
    tm_test_faults_host = &test.host;
    both[0] = test.ephemeral;
    both[1] = test.persistent;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test.host.decide = NULL;
    tm_test_host_plan(&test.host, NULL);
    tm_test_faults_host = NULL;
    tm_test_engine_fini(&test);
    return 0;
}

static void put(struct tm_member *member, uint64_t object, uint32_t index)
{
    assert_int_equal(tm_test_put(member, object, index, TM_TEST_SHORT, object << 32 | index), TM_OK);
}

static bool has(struct tm_member *member, uint64_t object, uint32_t index)
{
    return tm_test_has(member, object, index, TM_TEST_SHORT, object << 32 | index);
}

static void assert_window(uint64_t object, uint32_t index, unsigned first, unsigned pages)
{
    const struct tm_chunk *chunk = tm_test_chunk(test.persistent, object, index);
    assert_non_null(chunk);
    assert_int_equal(chunk->first, first);
    assert_int_equal(chunk->pages, pages);
}

/* ---- windows ---- */

static void a_chunk_grows_from_4_to_16_to_64_pages(void **state)
{
    (void)state;
    put(test.persistent, 1, 1);
    assert_window(1, 1, 0, 4);
    put(test.persistent, 1, 3);
    assert_window(1, 1, 0, 4);
    put(test.persistent, 1, 4);
    assert_window(1, 1, 0, 16);
    put(test.persistent, 1, 16);
    assert_window(1, 1, 0, 64);
    put(test.persistent, 1, 63);
    assert_window(1, 63, 0, 64);
    static const uint32_t all[] = {1, 3, 4, 16, 63};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(all); i++)
        assert_true(has(test.persistent, 1, all[i]));
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes,
                     tm_record_bytes(TM_RECORD_CHUNK_64) + 5u * tm_slot_bytes(tm_test_slot(test.persistent, 1, 1)));
}

static void a_window_lies_where_its_first_page_is(void **state)
{
    (void)state;
    put(test.persistent, 1, 50);
    assert_window(1, 50, 48, 4);
    assert_int_equal(tm_test_look(test.persistent, 1, 47), TM_MISS);
    assert_int_equal(tm_test_look(test.persistent, 1, 52), TM_MISS);
    put(test.persistent, 1, 63);
    assert_window(1, 50, 48, 16);
    put(test.persistent, 2, 50);
    put(test.persistent, 2, 0); /* too far for 16 */
    assert_window(2, 0, 0, 64);
    put(test.persistent, 3, 640 + 20); /* a later chunk begins larger */
    assert_window(3, 640 + 20, 16, 16);
    put(test.persistent, 3, 640 + 1);
    assert_window(3, 640 + 20, 0, 64);
    assert_true(has(test.persistent, 1, 50) && has(test.persistent, 1, 63) && has(test.persistent, 2, 50) &&
                has(test.persistent, 2, 0) && has(test.persistent, 3, 660) && has(test.persistent, 3, 641));
}

/* ---- lists ---- */

#define CHUNKS 5u

static void a_chunk_may_grow_wherever_it_is_in_its_object(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= CHUNKS; count++) {
        for (uint32_t n = 0; n < count; n++)
            put(test.persistent, count, n * 64u);
        for (uint32_t n = 0; n < count; n++) {
            put(test.persistent, count, n * 64u + 63u);
            tm_engine_check(test.engine);
        }
        for (uint32_t n = 0; n < count; n++)
            assert_true(has(test.persistent, count, n * 64u) && has(test.persistent, count, n * 64u + 63u));
    }
}

static void a_chunk_may_empty_wherever_it_is_in_its_object(void **state)
{
    (void)state;
    for (unsigned first = 0; first < CHUNKS; first++) {
        for (unsigned step = 1; step < CHUNKS; step++) {
            for (uint32_t n = 0; n < CHUNKS; n++)
                put(both[step % 2], 1, n * 64u);
            for (uint32_t i = 0; i < CHUNKS; i++) {
                uint32_t n = (first + i * step) % CHUNKS;
                assert_int_equal(tm_test_invalidate(both[step % 2], 1, n * 64u), TM_OK);
                assert_null(tm_test_chunk(both[step % 2], 1, n * 64u));
                tm_engine_check(test.engine);
            }
            assert_int_equal(tm_test_counts(both[step % 2]).objects, 0);
        }
    }
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, 0);
}

static void objects_may_go_in_any_order(void **state)
{
    (void)state;
    for (uint64_t step = 1; step < 40; step += 6) {
        for (uint64_t object = 0; object < 41; object++)
            put(test.persistent, object, 1);
        assert_int_equal(tm_test_counts(test.persistent).objects, 41);
        for (uint64_t i = 0; i < 41; i++) {
            struct tm_object_id id = {{i * step % 41u, 0, 0}};
            assert_int_equal(tm_object_invalidate(test.persistent, &id), TM_OK);
            tm_engine_check(test.engine);
        }
        assert_int_equal(tm_test_counts(test.persistent).objects, 0);
    }
}

static void an_object_of_many_chunks_goes_as_a_whole(void **state)
{
    struct tm_object_id id = {{1, 0, 0}};
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        for (uint32_t n = 0; n < 400; n++)
            put(both[pool], 1, n * 1000003u);
        put(both[pool], 2, 0);
        assert_int_equal(tm_object_invalidate(both[pool], &id), TM_OK);
        for (uint32_t n = 0; n < 400; n++)
            assert_int_equal(tm_test_look(both[pool], 1, n * 1000003u), TM_MISS);
        assert_true(has(both[pool], 2, 0));
        assert_int_equal(tm_test_counts(both[pool]).pages, 1);
    }
}

static void an_object_goes_in_steps_of_so_many_chunks(void **state)
{
    struct tm_object_id id = {{7, 0, 0}};
    struct tm_invalidation invalidation = {0};
    unsigned steps = 1;
    (void)state;
    assert_false(tm_object_invalidate_step(test.persistent, &id, &invalidation, 4));
    assert_int_equal(invalidation.result, TM_MISS);
    for (uint32_t chunk = 0; chunk < 11; chunk++)
        put(test.persistent, 7, chunk * 64u);
    invalidation = (struct tm_invalidation){0};
    for (; tm_object_invalidate_step(test.persistent, &id, &invalidation, 4); steps++) {
        assert_int_equal(tm_test_counts(test.persistent).pages, 11u - 4u * steps);
        /* What is put meanwhile stays. */
        assert_int_equal(tm_test_put(test.persistent, 7, 64000u, TM_TEST_SHORT, steps), TM_OK);
        assert_int_equal(tm_test_invalidate(test.persistent, 7, 64000u), TM_OK);
    }
    assert_int_equal(steps, 3);
    assert_int_equal(invalidation.result, TM_OK);
    assert_int_equal(tm_test_counts(test.persistent).pages, 0);
    assert_int_equal(tm_test_counts(test.persistent).objects, 0);
}

static void an_object_that_goes_otherwise_between_two_steps_is_gone(void **state)
{
    struct tm_object_id id = {{7, 0, 0}};
    struct tm_invalidation invalidation = {0};
    (void)state;
    for (uint32_t chunk = 0; chunk < 4; chunk++)
        put(test.persistent, 7, chunk * 64u);
    assert_true(tm_object_invalidate_step(test.persistent, &id, &invalidation, 1));
    assert_int_equal(tm_object_invalidate(test.persistent, &id), TM_OK);
    assert_false(tm_object_invalidate_step(test.persistent, &id, &invalidation, 1));
    assert_int_equal(invalidation.result, TM_OK);
}

static void a_pool_ends_with_all_its_objects(void **state)
{
    (void)state;
    for (uint64_t object = 0; object < 300; object++)
        for (uint32_t n = 0; n < 3; n++)
            put(test.persistent, object, n * 64u);
    tm_pool_destroy(test.persistent);
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, 0);
    assert_int_equal(tm_test_figures(&test).objects, 0);
    assert_int_equal(tm_test_figures(&test).block_bytes, 0);
}

/* ---- two puts at once: the second runs while the first gets memory for its records ---- */

struct race {
    struct tm_member *member;
    uint64_t object;
    uint32_t index;
    bool removes; /* or puts */
    bool is_done;
};

static bool run_other(struct tm_test_host *host, enum tm_test_fault fault)
{
    struct race *race = host->decide_user;
    if (fault != TM_FAULT_RECORD || race->is_done)
        return false;
    race->is_done = true;
    if (race->removes)
        assert_int_equal(tm_test_invalidate(race->member, race->object, race->index), TM_OK);
    else
        put(race->member, race->object, race->index);
    return false;
}

static void put_while(struct race *race, uint32_t index)
{
    test.host.decide = run_other;
    test.host.decide_user = race;
    put(race->member, 1, index);
    assert_true(race->is_done);
    test.host.decide = NULL;
    tm_engine_check(test.engine);
    assert_true(has(race->member, 1, index));
}

static void two_puts_may_make_one_chunk(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        struct race near = {both[pool], 1, 1, false, false};
        put_while(&near, 2);
        struct race far = {both[pool], 1, 130, false, false}; /* beside the window that the first wants */
        put_while(&far, 170);
        struct race same = {both[pool], 1, 640, false, false};
        put_while(&same, 640);
        assert_true(has(both[pool], 1, 1) && has(both[pool], 1, 130) && has(both[pool], 1, 640));
    }
}

static void two_puts_may_make_one_object(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        struct race race = {both[pool], 1, 64, false, false};
        put_while(&race, 1);
        assert_true(has(both[pool], 1, 64));
        assert_int_equal(tm_test_counts(both[pool]).objects, 1);
    }
}

static void two_puts_may_grow_one_chunk(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        put(both[pool], 1, 1);
        struct race race = {both[pool], 1, 9, false, false};
        put_while(&race, 10);
        struct race larger = {both[pool], 1, 63, false, false};
        put_while(&larger, 40);
        assert_true(has(both[pool], 1, 1) && has(both[pool], 1, 9) && has(both[pool], 1, 63));
    }
}

static void a_chunk_may_go_while_a_put_would_grow_it(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        put(both[pool], 1, 1);
        struct race race = {both[pool], 1, 1, true, false};
        put_while(&race, 10);
        assert_int_equal(tm_test_counts(both[pool]).pages, 1);
    }
}

static void an_object_may_go_while_a_put_would_add_to_it(void **state)
{
    (void)state;
    for (unsigned pool = 0; pool < 2; pool++) {
        put(both[pool], 1, 1);
        struct race race = {both[pool], 1, 1, true, false};
        put_while(&race, 100);
        assert_int_equal(tm_test_counts(both[pool]).pages, 1);
        assert_int_equal(tm_test_counts(both[pool]).objects, 1);
    }
}

/* ---- no memory ---- */

/* Lets each call of a kind fail, alone or with all after it, in a put of a new page. */
static void fail_each(uint32_t mask, bool for_ever, uint64_t object, uint32_t index)
{
    for (uint64_t at = 1;; at++) {
        const struct tm_test_plan plan = {mask, for_ever, at};
        tm_test_host_plan(&test.host, &plan);
        enum tm_result result = tm_test_put(test.persistent, object, index, TM_TEST_RAW, 9);
        bool has_failed = test.host.failed != 0;
        tm_test_host_plan(&test.host, NULL);
        tm_engine_check(test.engine);
        assert_int_equal(tm_test_look(test.persistent, object, index), result == TM_OK ? TM_OK : TM_MISS);
        if (!has_failed) {
            assert_int_equal(result, TM_OK);
            assert_true(at > 1);
            return;
        }
        if (for_ever && at == 1)
            assert_int_not_equal(result, TM_OK);
        if (result == TM_OK) /* tried again, and got it: the next one needs nothing any more */
            assert_int_equal(tm_test_invalidate(test.persistent, object, index), TM_OK);
    }
}

static void a_put_that_gets_no_memory_leaves_no_trace(void **state)
{
    static const enum tm_test_fault faults[] = {TM_FAULT_RECORD, TM_FAULT_TABLE};
    struct tm_object_id id = {{1, 0, 0}};
    (void)state;
    for (unsigned i = 0; i < 2u * TM_ARRAY_SIZE(faults); i++) {
        uint32_t mask = TM_FAULT_BIT(faults[i / 2]);
        bool for_ever = i % 2 != 0;
        fail_each(mask, for_ever, 1, 1);   /* a new object */
        fail_each(mask, for_ever, 1, 100); /* a new chunk */
        assert_int_equal(tm_test_look(test.persistent, 1, 1), TM_OK);
        assert_int_equal(tm_object_invalidate(test.persistent, &id), TM_OK);
        assert_int_equal(tm_test_counts(test.persistent).objects, 0);
        assert_int_equal(tm_test_client_figures(test.client).charged_bytes, 0);
    }
}

static void a_chunk_without_memory_does_not_grow(void **state)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_RECORD), true, 1};
    (void)state;
    put(test.persistent, 1, 1);
    uint64_t charged = tm_test_client_figures(test.client).charged_bytes;
    tm_test_host_plan(&test.host, &plan);
    assert_int_equal(tm_test_put(test.persistent, 1, 30, TM_TEST_SHORT, 1), TM_NOMEM);
    tm_test_host_plan(&test.host, NULL);
    assert_window(1, 1, 0, 4);
    assert_true(has(test.persistent, 1, 1));
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, charged);
}

static void a_chunk_that_does_not_fit_under_the_cap_is_not_made(void **state)
{
    (void)state;
    put(test.persistent, 1, 1);
    uint64_t charged = tm_test_client_figures(test.client).charged_bytes;
    uint64_t more = tm_record_bytes(TM_RECORD_CHUNK_16);
    tm_client_set_cap(test.client, charged + more - 1u);
    assert_int_equal(tm_test_put(test.persistent, 1, 10, TM_TEST_SMALL, 1), TM_REFUSED);
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes, charged);
    tm_client_set_cap(test.client, charged + more); /* both are charged until the smaller one goes */
    assert_int_equal(tm_test_put(test.persistent, 1, 10, TM_TEST_SMALL, 1), TM_OK);
    assert_int_equal(tm_test_client_figures(test.client).charged_bytes,
                     charged + more - tm_record_bytes(TM_RECORD_CHUNK_4));
    assert_true(has(test.persistent, 1, 1));
}

/* ---- equal hashes ---- */

/* Names that differ in one part only; of two objects with records, the last, it is the object's hash that counts for
 * the second. */
enum part {
    PART_WORD_0,
    PART_WORD_1,
    PART_WORD_2,
    PART_CHUNK,
    PART_OBJECT,
    PARTS
};

struct name {
    struct tm_object_id id;
    uint32_t index;
};

static struct name name_at(enum part part, uint32_t number)
{
    struct name name = {{{7, 7, 7}}, 0};
    if (part == PART_OBJECT)
        name.index = TM_INDEX_OF_CHUNK(1);
    if (part == PART_CHUNK)
        name.index = TM_INDEX_OF_CHUNK(number);
    else
        name.id.word[part == PART_OBJECT ? PART_WORD_0 : part] = number;
    return name;
}

static uint32_t hash_of(struct tm_member *member, const struct name *name)
{
    struct tm_place place;
    tm_place_init(&place, member->pool, &name->id, name->index);
    return place.hash;
}

static uint32_t second_hash_of(struct tm_member *member, enum part part, const struct name *name)
{
    return part == PART_OBJECT ? tm_object_hash(member->pool, name->id.word) : hash_of(member, name);
}

#define NAMES (1u << 20)

static void find_equal(struct tm_member *member, enum part part, struct name pair[2])
{
    static uint32_t seen[NAMES];
    memset(seen, 0, sizeof seen);
    for (uint32_t number = 1; number < NAMES; number++) {
        pair[0] = name_at(part, number);
        uint32_t hash = hash_of(member, &pair[0]);
        uint32_t second_hash = second_hash_of(member, part, &pair[0]);
        pair[1] = name_at(part, seen[hash >> 12]);
        if (seen[hash >> 12] != 0 && second_hash_of(member, part, &pair[1]) == hash)
            return;
        seen[second_hash >> 12] = number;
    }
    fail();
}

static bool is_there(struct tm_member *member, const struct name *name, uint64_t number)
{
    unsigned char wanted[TM_PAGE_BYTES];
    unsigned char page[TM_PAGE_BYTES];
    tm_test_page(wanted, TM_TEST_SHORT, number);
    return tm_page_get(member, &name->id, name->index, page, TM_GET_INCLUSIVE) == TM_OK &&
           memcmp(page, wanted, sizeof page) == 0;
}

static void names_with_equal_hashes_are_told_apart(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    struct name pair[2];
    (void)state;
    for (unsigned part = 0; part < PARTS; part++) {
        struct tm_member *member = both[part % 2u];
        struct tm_heap *heap = member->pool->account->heap;
        find_equal(member, (enum part)part, pair);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(tm_page_get(member, &pair[i].id, pair[i].index, page, TM_GET_INCLUSIVE), TM_MISS);
            tm_test_page(page, TM_TEST_SHORT, 10u * part + i);
            assert_int_equal(tm_page_put(member, &pair[i].id, pair[i].index, page, TM_PUT_PLAIN), TM_OK);
        }
        for (unsigned i = 0; i < 2; i++)
            assert_true(is_there(member, &pair[i], 10u * part + i));
        /* Also when the store asks who a block belongs to. */
        tm_heap_seal(heap);
        struct tm_worker *worker = tm_worker_acquire(test.engine->store);
        assert_true(tm_heap_clean(test.engine->store, worker, heap, 0));
        tm_worker_release(test.engine->store, worker);
        for (unsigned i = 0; i < 2; i++)
            assert_true(is_there(member, &pair[i], 10u * part + i));
        tm_engine_check(test.engine);
        assert_int_equal(tm_page_invalidate(member, &pair[0].id, pair[0].index), TM_OK);
        assert_true(is_there(member, &pair[1], 10u * part + 1u));
        assert_int_equal(tm_page_invalidate(member, &pair[0].id, pair[0].index), TM_MISS);
        assert_int_equal(tm_object_invalidate(member, &pair[1].id), TM_OK);
        assert_int_equal(tm_test_counts(member).pages, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_chunk_grows_from_4_to_16_to_64_pages),
        TEST(a_window_lies_where_its_first_page_is),
        TEST(a_chunk_may_grow_wherever_it_is_in_its_object),
        TEST(a_chunk_may_empty_wherever_it_is_in_its_object),
        TEST(objects_may_go_in_any_order),
        TEST(an_object_of_many_chunks_goes_as_a_whole),
        TEST(an_object_goes_in_steps_of_so_many_chunks),
        TEST(an_object_that_goes_otherwise_between_two_steps_is_gone),
        TEST(a_pool_ends_with_all_its_objects),
        TEST(two_puts_may_make_one_chunk),
        TEST(two_puts_may_make_one_object),
        TEST(two_puts_may_grow_one_chunk),
        TEST(a_chunk_may_go_while_a_put_would_grow_it),
        TEST(an_object_may_go_while_a_put_would_add_to_it),
        TEST(a_put_that_gets_no_memory_leaves_no_trace),
        TEST(a_chunk_without_memory_does_not_grow),
        TEST(a_chunk_that_does_not_fit_under_the_cap_is_not_made),
        TEST(names_with_equal_hashes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
