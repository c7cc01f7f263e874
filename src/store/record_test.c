/* SPDX-License-Identifier: BSD-2-Clause */
/* record_test.c - records of every class: given, freed, and found again by a restart. */
#include "store/world_test.h"

static struct world world;
static struct tm_store *store;

static void start(bool survives)
{
    world_host(&world, 16, false);
    world.host.host.persistent_survives = survives;
    world_start(&world);
    store = world.store;
}

static int set_up(void **state)
{
    (void)state;
    start(false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static uint64_t make(enum tm_arena_kind arena, enum tm_record_class record_class)
{
    uint64_t ref = tm_record_alloc(store, arena, record_class, TM_TIER_NORMAL);
    assert_true(ref != 0);
    return ref;
}

/* Makes a live record that says who it is. */
static uint64_t make_live(enum tm_record_class record_class, uint32_t name)
{
    uint64_t ref = make(TM_ARENA_PERSISTENT, record_class);
    uint32_t *words = tm_record_at(store, TM_ARENA_PERSISTENT, ref);
    words[2] = name;
    words[0] = TM_RECORD_LIVE(record_class);
    return ref;
}

static uint32_t segment_of(enum tm_arena_kind arena, uint64_t ref)
{
    return tm_segment_of(&store->arena[arena], ref);
}

static uint32_t records_of_a_segment(enum tm_record_class record_class)
{
    return store->arena[TM_ARENA_PERSISTENT].unit_bytes / tm_record_bytes(record_class);
}

/* ---- giving and freeing ---- */

static void records_are_zero_and_do_not_overlap(void **state)
{
    (void)state;
    enum {
        EACH = 50
    };
    uint64_t refs[TM_ARENAS][TM_RECORD_CLASSES][EACH];
    for (unsigned arena = 0; arena < TM_ARENAS; arena++) {
        for (unsigned sort = 0; sort < TM_RECORD_CLASSES; sort++) {
            for (unsigned i = 0; i < EACH; i++) {
                uint64_t ref = make((enum tm_arena_kind)arena, (enum tm_record_class)sort);
                unsigned char *bytes = tm_record_at(store, (enum tm_arena_kind)arena, ref);
                for (uint32_t k = 0; k < tm_record_bytes((enum tm_record_class)sort); k++)
                    assert_int_equal(bytes[k], 0);
                memset(bytes, (int)(i + 1u), tm_record_bytes((enum tm_record_class)sort));
                refs[arena][sort][i] = ref;
            }
        }
    }
    tm_store_check(store);
    for (unsigned arena = 0; arena < TM_ARENAS; arena++) {
        for (unsigned sort = 0; sort < TM_RECORD_CLASSES; sort++) {
            for (unsigned i = 0; i < EACH; i++) {
                const unsigned char *bytes = tm_record_at(store, (enum tm_arena_kind)arena, refs[arena][sort][i]);
                for (uint32_t k = 0; k < tm_record_bytes((enum tm_record_class)sort); k++)
                    assert_int_equal(bytes[k], i + 1u);
                tm_record_free(store, (enum tm_arena_kind)arena, refs[arena][sort][i]);
            }
        }
    }
    assert_int_equal(store->records_bytes, 0);
    assert_int_equal(world_figures(&world).spans, 0);
}

static void a_freed_record_is_given_again_and_zero(void **state)
{
    (void)state;
    uint64_t keep = make(TM_ARENA_EPHEMERAL, TM_RECORD_POOL);
    uint64_t ref = make(TM_ARENA_EPHEMERAL, TM_RECORD_POOL);
    memset(tm_record_at(store, TM_ARENA_EPHEMERAL, ref), 0xff, tm_record_bytes(TM_RECORD_POOL));
    tm_record_free(store, TM_ARENA_EPHEMERAL, ref);
    assert_int_equal(*(uint32_t *)tm_record_at(store, TM_ARENA_EPHEMERAL, ref), 0);
    tm_store_check(store);
    assert_true(make(TM_ARENA_EPHEMERAL, TM_RECORD_POOL) == ref);
    const unsigned char *bytes = tm_record_at(store, TM_ARENA_EPHEMERAL, ref);
    for (uint32_t i = 0; i < tm_record_bytes(TM_RECORD_POOL); i++)
        assert_int_equal(bytes[i], 0);
    tm_record_free(store, TM_ARENA_EPHEMERAL, ref);
    tm_record_free(store, TM_ARENA_EPHEMERAL, keep);
}

static void a_full_segment_that_loses_a_record_gives_again(void **state)
{
    (void)state;
    static uint64_t refs[1000];
    uint32_t count = records_of_a_segment(TM_RECORD_CHUNK_16);
    for (unsigned i = 0; i < 2u * count; i++)
        refs[i] = make(TM_ARENA_PERSISTENT, TM_RECORD_CHUNK_16);
    struct tm_record_list *list = &store->records[TM_ARENA_PERSISTENT][TM_RECORD_CHUNK_16];
    assert_int_equal(list->partial.count, 0); /* both are full */
    assert_int_equal(store->records_bytes, 2u * store->arena[TM_ARENA_PERSISTENT].unit_bytes);
    tm_record_free(store, TM_ARENA_PERSISTENT, refs[3]);
    assert_int_equal(list->partial.head, segment_of(TM_ARENA_PERSISTENT, refs[3]));
    assert_true(make(TM_ARENA_PERSISTENT, TM_RECORD_CHUNK_16) == refs[3]);
    assert_int_equal(list->partial.count, 0);
    tm_store_check(store);
    for (unsigned i = 0; i < 2u * count; i++)
        tm_record_free(store, TM_ARENA_PERSISTENT, refs[i]);
    assert_int_equal(list->partial.count, 0); /* empty ones have gone back */
}

static void without_room_there_is_no_record(void **state)
{
    (void)state;
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_SPAN), true, 1};
    tm_test_host_plan(&world.host, &plan);
    assert_true(tm_record_alloc(store, TM_ARENA_PERSISTENT, TM_RECORD_OBJECT, TM_TIER_NORMAL) == 0);
    assert_int_equal(store->records_bytes, 0);
    tm_store_check(store);
}

/* ---- walks and restarts ---- */

struct seen {
    uint32_t count;
    uint32_t most; /* the walk ends after so many */
    bool frees;
    uint64_t names; /* bit by name */
};

static bool see(void *user, uint64_t ref, void *record)
{
    struct seen *seen = user;
    assert_ptr_equal(record, tm_record_at(store, TM_ARENA_PERSISTENT, ref));
    seen->names |= UINT64_C(1) << ((const uint32_t *)record)[2];
    if (seen->frees)
        tm_record_free(store, TM_ARENA_PERSISTENT, ref);
    return ++seen->count < seen->most;
}

static void a_walk_meets_every_live_record_of_its_class(void **state)
{
    (void)state;
    struct seen seen = {.most = 1000};
    uint64_t refs[40];
    for (unsigned i = 0; i < 40; i++) /* in several segments */
        refs[i] = make_live(TM_RECORD_CHUNK_64, i);
    uint64_t other = make_live(TM_RECORD_OBJECT, 63);
    uint64_t incomplete = make(TM_ARENA_PERSISTENT, TM_RECORD_CHUNK_64);
    tm_record_free(store, TM_ARENA_PERSISTENT, refs[7]);
    assert_true(tm_record_each(store, TM_RECORD_CHUNK_64, see, &seen));
    assert_int_equal(seen.count, 39);
    assert_true(seen.names == ((UINT64_C(1) << 40) - 1u) - (1u << 7));

    seen = (struct seen){.most = 5};
    assert_false(tm_record_each(store, TM_RECORD_CHUNK_64, see, &seen));
    assert_int_equal(seen.count, 5);

    tm_record_free(store, TM_ARENA_PERSISTENT, incomplete);
    seen = (struct seen){.most = 1000, .frees = true}; /* the segments go with their last ones */
    assert_true(tm_record_each(store, TM_RECORD_CHUNK_64, see, &seen));
    assert_int_equal(seen.count, 39);
    assert_int_equal(store->records_bytes, store->arena[TM_ARENA_PERSISTENT].unit_bytes);
    tm_record_free(store, TM_ARENA_PERSISTENT, other);
}

static void a_restart_finds_live_records_and_frees_the_rest(void **state)
{
    (void)state;
    start(true);
    for (unsigned i = 0; i < 40; i++) {
        uint64_t ref = make_live(TM_RECORD_CHUNK_64, i);
        if (i % 3 == 0)
            tm_record_free(store, TM_ARENA_PERSISTENT, ref);
    }
    for (unsigned i = 0; i < records_of_a_segment(TM_RECORD_CLIENT); i++)
        (void)make_live(TM_RECORD_CLIENT, 1); /* a full segment */
    for (unsigned i = 0; i < 20; i++)
        (void)make(TM_ARENA_PERSISTENT, TM_RECORD_OBJECT); /* never complete */
    (void)make(TM_ARENA_EPHEMERAL, TM_RECORD_OBJECT);
    world_crash(&world);
    assert_int_equal(world_create(&world), TM_CREATE_FOUND);
    store = world.store;
    struct seen seen = {.most = 1000};
    assert_true(tm_record_each(store, TM_RECORD_CHUNK_64, see, &seen));
    assert_int_equal(seen.count, 26);
    assert_true((seen.names & UINT64_C(0x9249249249)) == 0);
    seen = (struct seen){.most = 1000};
    assert_true(tm_record_each(store, TM_RECORD_OBJECT, see, &seen));
    assert_int_equal(seen.count, 0);
    assert_int_equal(store->records[TM_ARENA_PERSISTENT][TM_RECORD_CLIENT].partial.count, 0);
    assert_int_equal(store->records[TM_ARENA_PERSISTENT][TM_RECORD_OBJECT].partial.count, 0); /* given back */
    assert_true(tm_store_adopted(store));
    tm_store_check(store);
    /* Places are given again, and what is alive is left alone. */
    uint64_t taken[14];
    for (unsigned i = 0; i < TM_ARRAY_SIZE(taken); i++)
        taken[i] = make_live(TM_RECORD_CHUNK_64, 50);
    seen = (struct seen){.most = 1000};
    assert_true(tm_record_each(store, TM_RECORD_CHUNK_64, see, &seen));
    assert_int_equal(seen.count, 40);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(taken); i++)
        tm_record_free(store, TM_ARENA_PERSISTENT, taken[i]);
    seen = (struct seen){.most = 1000, .frees = true};
    assert_true(tm_record_each(store, TM_RECORD_CHUNK_64, see, &seen));
    assert_true(tm_record_each(store, TM_RECORD_CLIENT, see, &seen));
    assert_int_equal(store->records_bytes, 0);
    tm_store_check(store);
    tm_store_destroy(store);
    assert_true(tm_test_host_is_clean(&world.host));
    tm_test_host_wipe(&world.host);
    tm_test_host_fini(&world.host);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(records_are_zero_and_do_not_overlap),
        CASE(a_freed_record_is_given_again_and_zero),
        CASE(a_full_segment_that_loses_a_record_gives_again),
        CASE(without_room_there_is_no_record),
        CASE(a_walk_meets_every_live_record_of_its_class),
        cmocka_unit_test(a_restart_finds_live_records_and_frees_the_rest),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
