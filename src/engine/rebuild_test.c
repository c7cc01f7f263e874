/* SPDX-License-Identifier: BSD-2-Clause */
/* rebuild_test.c - an engine on the arena of one that was killed: everything that was said to be there is. */
#include "engine/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/test_engine.h"

static struct tm_test_engine test;

static const struct tm_uuid name = {{3, 4}};

static int set_up(void **state)
{
    (void)state;
    tm_test_engine_host(&test, 24, TM_TEST_PLENTY);
    test.host.host.persistent_survives = true;
    tm_test_engine_start(&test);
    tm_test_faults_host = &test.host;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_test_host_plan(&test.host, NULL);
    tm_test_faults_host = NULL;
    tm_test_engine_stop(&test);
    tm_test_host_wipe(&test.host);
    tm_test_engine_fini(&test);
    return 0;
}

/* Pages of every sort, also twice, in windows of every size. */
static void fill(struct tm_member *member)
{
    for (uint32_t index = 0; index < 90; index++) {
        enum tm_test_sort sort = (enum tm_test_sort)(index % TM_TEST_SORTS);
        assert_int_equal(tm_test_put(member, 1, index, sort, index), TM_OK);
        assert_int_equal(tm_test_put(member, 2 + index, index, sort, index), TM_OK);
    }
}

static void assert_filled(struct tm_member *member)
{
    for (uint32_t index = 0; index < 90; index++) {
        enum tm_test_sort sort = (enum tm_test_sort)(index % TM_TEST_SORTS);
        assert_true(tm_test_has(member, 1, index, sort, index));
        assert_true(tm_test_has(member, 2 + index, index, sort, index));
    }
    assert_int_equal(tm_test_counts(member).pages, 180);
    assert_int_equal(tm_test_counts(member).objects, 91);
}

static void crash(void)
{
    tm_test_engine_crash(&test);
    tm_engine_check(test.engine);
}

static void pages_are_there_after_a_crash_and_after_a_second(void **state)
{
    (void)state;
    fill(test.persistent);
    assert_int_equal(tm_test_put(test.ephemeral, 1, 1, TM_TEST_RAW, 1), TM_OK);
    uint64_t id = tm_pool_id(test.persistent);
    for (unsigned round = 0; round < 2; round++) {
        tm_test_host_crash(&test.host);
        tm_test_engine_start(&test);
        tm_engine_check(test.engine);
        assert_true(tm_pool_id(test.persistent) == id);
        assert_filled(test.persistent);
        assert_true(tm_test_figures(&test).contents_shared > 0);
    }
    assert_int_equal(tm_test_invalidate(test.persistent, 1, 5), TM_OK);
    crash();
    assert_int_equal(tm_test_look(test.persistent, 1, 5), TM_MISS);
}

static void clients_come_back_with_their_settings_and_notes(void **state)
{
    const uint64_t written[TM_CLIENT_NOTE_WORDS] = {1, UINT64_MAX, 0, 4};
    uint64_t note[TM_CLIENT_NOTE_WORDS];
    (void)state;
    struct tm_client *client = tm_test_client(&test, "other", 7, 123456);
    tm_client_set_frozen(client, true);
    tm_client_destroy(tm_test_client(&test, "gone", 1, UINT64_MAX));
    tm_client_note(client, note);
    for (unsigned i = 0; i < TM_CLIENT_NOTE_WORDS; i++)
        assert_true(note[i] == 0);
    tm_client_set_note(client, written);
    crash();
    client = tm_client_find(test.engine, "other");
    assert_non_null(client);
    struct tm_client_figures figures = tm_test_client_figures(client);
    assert_int_equal(figures.weight, 7);
    assert_int_equal(figures.cap_bytes, 123456);
    assert_true(figures.frozen);
    tm_client_note(client, note);
    assert_memory_equal(note, written, sizeof note);
    assert_null(tm_client_find(test.engine, "gone"));
    assert_int_equal(tm_client_set_weight(client, 9), TM_OK);
    tm_client_set_frozen(client, false);
    tm_client_set_cap(client, 5);
    crash();
    figures = tm_test_client_figures(tm_client_find(test.engine, "other"));
    assert_int_equal(figures.weight, 9);
    assert_int_equal(figures.cap_bytes, 5);
    assert_false(figures.frozen);
}

static void shared_pools_come_back_with_members_and_rights(void **state)
{
    static const struct tm_uuid unused = {{9, 9}};
    struct tm_client *other = tm_test_client(&test, "other", 7, UINT64_MAX);
    struct tm_member *member;
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    assert_int_equal(tm_client_authorise(other, &name), TM_OK);
    assert_int_equal(tm_client_authorise(other, &unused), TM_OK);
    assert_int_equal(tm_client_authorise(other, &unused), TM_OK);
    member = tm_test_pool(test.client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    fill(member);
    (void)tm_test_pool(other, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    uint64_t id = tm_pool_id(member);
    uint64_t charged = tm_test_client_figures(other).charged_bytes;
    assert_int_equal(tm_client_deauthorise(test.client, &name), TM_OK);
    crash();
    other = tm_client_find(test.engine, "other");
    member = tm_pool_find(other, id);
    assert_non_null(member);
    assert_non_null(tm_pool_find(test.client, id));
    assert_filled(member);
    assert_true(tm_test_client_figures(other).charged_bytes == charged);
    assert_int_equal(tm_client_deauthorise(test.client, &name), TM_NOT_FOUND);
    assert_int_equal(tm_client_deauthorise(other, &unused), TM_OK);
    assert_int_equal(tm_client_deauthorise(other, &unused), TM_NOT_FOUND);
    tm_pool_destroy(tm_pool_find(test.client, id));
    tm_pool_destroy(member);
    crash();
    assert_null(tm_pool_find(tm_client_find(test.engine, "other"), id));
}

static void *record_at(uint64_t ref)
{
    return tm_record_at(test.engine->store, TM_ARENA_PERSISTENT, ref);
}

static uint64_t new_record(enum tm_record_class record_class)
{
    uint64_t ref = tm_record_alloc(test.engine->store, TM_ARENA_PERSISTENT, record_class, TM_TIER_COPY);
    assert_int_not_equal(ref, 0);
    return ref;
}

static void what_belongs_to_nobody_goes(void **state)
{
    struct tm_client *other = tm_test_client(&test, "other", 7, UINT64_MAX);
    struct tm_member *pool = tm_test_pool(other, TM_POOL_PERSISTENT, NULL);
    (void)state;
    fill(test.persistent);
    fill(pool);
    assert_int_equal(tm_client_authorise(other, &name), TM_OK);
    struct tm_member *shared = tm_test_pool(other, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    fill(shared);
    *(uint32_t *)record_at(other->record) = 0; /* killed while the client ended */
    crash();
    assert_null(tm_client_find(test.engine, "other"));
    assert_int_equal(tm_test_figures(&test).pools, 2);
    assert_int_equal(tm_test_figures(&test).pages, 180);
    assert_filled(test.persistent);
}

static void records_that_make_no_sense_go(void **state)
{
    (void)state;
    fill(test.persistent);
    const struct tm_pool_record *own = record_at(test.persistent->pool->record);
    for (unsigned i = 0; i < 4; i++) {
        struct tm_client_record *client = record_at(new_record(TM_RECORD_CLIENT));
        client->weight = i == 0 ? 0 : i == 1 ? 1000001
                                             : 1;
        memset(client->name, i == 2 ? ' ' : 'x', sizeof client->name);
        if (i == 3)
            memcpy(client->name, "client", sizeof "client");
        client->kind = TM_RECORD_LIVE(TM_RECORD_CLIENT);
        struct tm_pool_record *pool = record_at(new_record(TM_RECORD_POOL));
        *pool = *own;
        pool->number = i == 0 ? 0 : i == 1 ? UINT32_MAX
                                           : own->number;
        pool->client = i == 2 ? UINT64_MAX : own->client;
        struct tm_right_record *right = record_at(new_record(TM_RECORD_RIGHT));
        right->client = i == 0 ? UINT64_MAX : own->client;
        right->pool = i == 1 ? 0 : i == 2 ? UINT32_MAX
                                          : own->number;
        right->kind = TM_RECORD_LIVE(TM_RECORD_RIGHT) | (i == 0 ? TM_RIGHT_TO_JOIN : TM_RIGHT_MEMBER);
    }
    static const uint8_t bad[][2] = {{5, 0}, {4, 2}, {4, 64}, {4, 0}, {4, 0}}; /* pages, first */
    for (unsigned i = 0; i < TM_ARRAY_SIZE(bad); i++) {
        struct tm_chunk *chunk = record_at(new_record(TM_RECORD_CHUNK_4));
        chunk->pages = bad[i][0];
        chunk->first = bad[i][1];
        chunk->number = i == 3 ? UINT32_MAX : 0;
        chunk->pool = own->number;
        memset(chunk->id, 0x77, sizeof chunk->id);
        chunk->kind = TM_RECORD_LIVE(TM_RECORD_CHUNK_4);
    }
    crash();
    assert_int_equal(tm_test_figures(&test).clients, 1);
    assert_filled(test.persistent);
}

static void of_a_chunk_that_was_growing_the_larger_one_counts(void **state)
{
    (void)state;
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_RAW, 1), TM_OK);
    assert_int_equal(tm_test_put(test.persistent, 1, 9, TM_TEST_RAW, 9), TM_OK);
    const struct tm_chunk *large = tm_test_chunk(test.persistent, 1, 1);
    assert_int_equal(large->pages, 16);
    struct tm_chunk *small = record_at(new_record(TM_RECORD_CHUNK_4));
    *small = *large;
    small->pages = 4;
    memcpy(small->slot, large->slot, 4 * sizeof(tm_slot));
    small->kind = TM_RECORD_LIVE(TM_RECORD_CHUNK_4);
    crash();
    assert_int_equal(tm_test_chunk(test.persistent, 1, 1)->pages, 16);
    assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_RAW, 1));
    assert_true(tm_test_has(test.persistent, 1, 9, TM_TEST_RAW, 9));
    assert_int_equal(tm_test_counts(test.persistent).pages, 2);
}

/* Lets each call of a kind fail while an engine is made on what a crash left. */
static void a_rebuild_without_memory_changes_nothing(void **state)
{
    static const enum tm_test_fault faults[] = {TM_FAULT_ALLOC, TM_FAULT_RECORD, TM_FAULT_TABLE};
    (void)state;
    assert_int_equal(tm_client_authorise(test.client, &name), TM_OK);
    struct tm_member *shared = tm_test_pool(test.client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &name);
    uint64_t id = tm_pool_id(shared);
    fill(test.persistent);
    fill(shared);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(faults); i++) {
        bool done = false;
        for (uint64_t at = 1; !done; at += 1u + at / 16u) {
            const struct tm_test_plan plan = {TM_FAULT_BIT(faults[i]), true, at};
            tm_test_host_crash(&test.host);
            tm_test_host_plan(&test.host, &plan);
            enum tm_result result =
                tm_engine_create(&test.host.host, &test.host.codec.codec, &test.config, &test.engine);
            done = test.host.failed == 0;
            tm_test_host_plan(&test.host, NULL);
            assert_int_equal(result == TM_OK || result == TM_NOMEM, true);
            if (result != TM_OK)
                assert_int_equal(test.host.blocks, 0);
            else if (!done)
                tm_engine_destroy(test.engine);
            assert_true(at > 1 || !done);
        }
        crash();
        assert_filled(test.persistent);
        assert_filled(tm_pool_find(test.client, id));
    }
}

/* ---- no memory for what a restart needs to know ---- */

/* Makes a client with pools, as far as memory goes. True: all of it. */
static bool make_all(struct tm_client **client)
{
    static const struct tm_uuid uuid = {{8, 9}};
    struct tm_member *member;
    enum tm_result results[5] = {tm_client_create(test.engine, "second", 100, UINT64_MAX, client)};
    if (results[0] == TM_OK) {
        results[1] = tm_client_authorise(*client, &uuid);
        if (results[1] == TM_OK)
            results[2] = tm_pool_create(*client, TM_POOL_SHARED | TM_POOL_PERSISTENT, &uuid, &member);
        results[3] = tm_pool_create(*client, TM_POOL_PERSISTENT, NULL, &member);
        results[4] = tm_pool_create(*client, 0, NULL, &member);
    } else {
        *client = NULL;
    }
    bool done = true;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(results); i++) {
        assert_true(results[i] == TM_OK || results[i] == TM_NOMEM);
        done = done && results[i] == TM_OK;
    }
    return done;
}

static void what_could_not_be_made_is_not_found_after_a_restart(void **state)
{
    (void)state;
    assert_int_equal(tm_test_put(test.persistent, 1, 1, TM_TEST_SHORT, 1), TM_OK);
    bool done = false;
    unsigned rounds = 0;
    for (; !done; rounds++) {
        const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC) | TM_FAULT_BIT(TM_FAULT_RECORD), false,
                                          rounds / 2u + 1u};
        struct tm_client *client = NULL;
        tm_test_host_plan(&test.host, &plan);
        (void)make_all(&client);
        done = test.host.failed == 0;
        tm_test_host_plan(&test.host, NULL);
        struct tm_engine_figures before = tm_test_figures(&test);
        if (rounds % 2u == 0) {
            tm_test_engine_crash(&test); /* what was made is there, and only that */
            client = tm_client_find(test.engine, "second");
            assert_int_equal(tm_test_figures(&test).clients, before.clients);
        }
        tm_engine_check(test.engine);
        if (client != NULL)
            tm_client_destroy(client);
        assert_int_equal(tm_test_figures(&test).clients, 1);
        assert_true(tm_test_has(test.persistent, 1, 1, TM_TEST_SHORT, 1));
    }
    assert_true(rounds > 10);
}

static void a_pool_whose_end_was_begun_does_not_come_back(void **state)
{
    struct tm_member *member = tm_test_pool(test.client, TM_POOL_PERSISTENT, NULL);
    uint64_t id = tm_pool_id(member);
    (void)state;
    fill(member);
    fill(test.persistent);
    tm_pool_destroy_begin(member);
    assert_true(tm_pool_destroy_step(member, 3));
    crash();
    assert_null(tm_pool_find(test.client, id));
    assert_filled(test.persistent);
    assert_int_equal(tm_test_client_figures(test.client).counts.pages, 180);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pages_are_there_after_a_crash_and_after_a_second),
        TEST(a_pool_whose_end_was_begun_does_not_come_back),
        TEST(clients_come_back_with_their_settings_and_notes),
        TEST(shared_pools_come_back_with_members_and_rights),
        TEST(what_belongs_to_nobody_goes),
        TEST(records_that_make_no_sense_go),
        TEST(of_a_chunk_that_was_growing_the_larger_one_counts),
        TEST(a_rebuild_without_memory_changes_nothing),
        TEST(what_could_not_be_made_is_not_found_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
