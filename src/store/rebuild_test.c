/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild_test.c - a store on what an earlier one left: what is referred to comes back or is known to be lost, the
 * rest is free.
 */
#include "store/world_test.h"

static struct world world;
static struct tm_store *store;
static struct tm_arena *arena; /* the persistent one */

static void make_store(void)
{
    world_start(&world);
    store = world.store;
    arena = &store->arena[TM_ARENA_PERSISTENT];
}

static void start_on(unsigned spans, bool dedup)
{
    world_host(&world, spans, dedup);
    world.host.host.persistent_survives = true;
    make_store();
}

static int set_up(void **state)
{
    (void)state;
    start_on(16, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put(unsigned index, enum world_sort sort, uint64_t number)
{
    assert_int_equal(world_put(&world, world.persistent, index, sort, number), TM_WRITE_OK);
}

static struct tm_content *content_of(unsigned index)
{
    assert_int_equal(tm_slot_type(world.page[index].slot), TM_SLOT_SHARED);
    return tm_record_at(store, TM_ARENA_PERSISTENT, tm_slot_offset(world.page[index].slot));
}

static tm_slot adopt_for(struct tm_heap *heap, unsigned index, tm_slot slot)
{
    tm_slots_adopt(store, heap, &slot, 1, TM_WORLD_HASH(index), TM_WORLD_NUMBER(index));
    return slot;
}

static tm_slot adopt(unsigned index)
{
    struct world_page *page = &world.page[index];
    page->heap = world.persistent;
    return page->slot = adopt_for(world.persistent, index, page->slot);
}

/* Ends the store, in order or not, and makes the next one, which is to adopt. What was ephemeral is gone. */
static void restart(bool in_order)
{
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++)
        if (world.page[i].heap == world.ephemeral)
            world.page[i] = (struct world_page){0};
    if (in_order)
        world_stop(&world);
    else
        world_crash(&world);
    make_store();
    assert_true(store->adopting);
}

static unsigned adopt_all(void)
{
    unsigned lost = 0;
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++)
        lost += world.page[i].heap != NULL && adopt(i) == TM_SLOT_LOST;
    assert_true(tm_store_adopted(store));
    world_check(&world);
    return lost;
}

/* ---- what comes back ---- */

static void everything_that_is_referred_to_comes_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 240; i++)
        put(i, (enum world_sort)(i % WORLD_SORTS), i % 120); /* each of them twice */
    for (unsigned i = 300; i < 310; i++)
        assert_int_equal(world_put(&world, world.ephemeral, i, WORLD_RAW, i), TM_WRITE_OK);
    world.page[5].slot |= TM_SLOT_USED;
    for (unsigned round = 0; round < 3; round++) {
        uint64_t blocks = tm_store_blocks(store);
        struct tm_store_figures before = world_figures(&world);
        restart(round == 1);
        assert_int_equal(adopt_all(), 0);
        for (unsigned i = 0; i < 240; i++)
            assert_true(world_has(&world, i));
        assert_int_equal(world.page[5].slot & TM_SLOT_USED, 0);
        struct tm_store_figures after = world_figures(&world);
        assert_int_equal(world_count(&world), 240);
        assert_int_equal(after.contents_shared, before.contents_shared);
        if (round > 0) {
            assert_int_equal(tm_store_blocks(store), blocks);
            assert_int_equal(after.block_bytes, before.block_bytes);
        }
    }
    put(400, WORLD_LONG, 4); /* a duplicate of a duplicate */
    assert_true(tm_slot_same(world.page[400].slot, world.page[4].slot));
}

static void a_page_that_was_alone_finds_its_twin_after_a_restart(void **state)
{
    (void)state;
    put(0, WORLD_LONG, 1);
    restart(false);
    assert_int_equal(adopt_all(), 0);
    assert_int_not_equal(world.page[0].slot & TM_SLOT_LISTED, 0);
    put(1, WORLD_LONG, 1);
    assert_int_equal(tm_slot_type(world.page[1].slot), TM_SLOT_SHARED);
    assert_true(tm_slot_same(world.page[0].slot, world.page[1].slot));
}

static void what_nobody_refers_to_is_free(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        put(i, i % 2 == 0 ? WORLD_RAW : WORLD_LONG, i % 150);
    for (unsigned i = 0; i < 199; i++)
        world.page[i] = (struct world_page){0};
    restart(false);
    assert_int_equal(adopt_all(), 0);
    assert_int_equal(world_count(&world), 1);
    assert_int_equal(world_figures(&world).contents_shared, 1); /* page 199 shared with page 49 */
    assert_int_equal(content_of(199)->references, 1);
    assert_int_equal(tm_store_blocks(store), 1);
    uint32_t number = tm_segment_of(arena, tm_slot_offset(content_of(199)->slot));
    const struct tm_segment *segment = tm_segment_at(arena, number);
    assert_int_equal(store->segment_bytes, segment->bytes + arena->unit_bytes); /* the block's and the content's */
    assert_int_equal(world.host.spans[TM_ARENA_PERSISTENT], 2);
}

static void seeds_and_serials_go_on(void **state)
{
    (void)state;
    uint64_t seeds[4];
    memcpy(seeds, tm_store_seeds(store), sizeof seeds);
    uint64_t serial = tm_store_next_serial(store);
    restart(false);
    assert_memory_equal(seeds, tm_store_seeds(store), sizeof seeds);
    uint64_t next = tm_store_next_serial(store);
    assert_true(next > serial);
    tm_store_note_serial(store, next + 1000u);
    tm_store_note_serial(store, next + 3u);
    tm_store_note_serial(store, UINT64_MAX - 3u); /* damage: so many were never given */
    assert_true(tm_store_next_serial(store) == next + 1001u);
    assert_int_equal(adopt_all(), 0);
}

static void a_full_arena_is_found_again(void **state)
{
    (void)state;
    start_on(3, true);
    put(0, WORLD_RAW, 1);
    put(1, WORLD_RAW, 1);
    unsigned pages = 2;
    while (world_put_tier(&world, world.persistent, pages, WORLD_RAW, pages, TM_TIER_COPY) == TM_WRITE_OK)
        pages++;
    assert_int_equal(arena->next_span, arena->span_count);
    /* Pages have taken what records left in their span. */
    uint32_t records = tm_segment_of(arena, tm_slot_offset(world.page[0].slot)) / TM_SPAN_UNITS;
    assert_int_equal(tm_segment_of(arena, tm_slot_offset(world.page[pages - 1u].slot)) / TM_SPAN_UNITS, records);
    restart(false);
    assert_int_equal(adopt_all(), 0);
    assert_int_equal(world_count(&world), pages);
    world_fini(&world);
}

/* ---- what is lost ---- */

static void a_damaged_block_is_lost_and_no_other(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        put(i, WORLD_LONG, i);
    world_block(&world, 3)->hash ^= 1u;
    world_block(&world, 9)->check ^= 1u;
    world_block(&world, 12)->word ^= UINT64_C(1) << 45; /* generation */
    ((unsigned char *)(world_block(&world, 20) + 1))[77] ^= 1u;
    restart(false);
    assert_int_equal(adopt_all(), 4);
    for (unsigned i = 0; i < 40; i++)
        assert_true(world_has(&world, i) == (i != 3 && i != 9 && i != 12 && i != 20));
    world_drop(&world, 3);
    put(3, WORLD_LONG, 3);
}

static void expect_lost(unsigned index, tm_slot slot)
{
    assert_true(adopt_for(world.persistent, index, slot) == TM_SLOT_LOST);
}

static tm_slot moved(tm_slot slot, uint64_t offset)
{
    return (slot & 0xffffffu) | offset << 24;
}

static void slots_that_make_no_sense_are_lost(void **state)
{
    (void)state;
    put(0, WORLD_LONG, 1);
    put(1, WORLD_SHORT, 1);
    for (unsigned i = 100; i < 103; i++)
        put(i, WORLD_LONG, 2); /* a content record */
    uint64_t ref = tm_slot_offset(world.page[100].slot);
    restart(false);
    tm_slot slot = world.page[0].slot;
    uint64_t offset = tm_slot_offset(slot);
    uint64_t behind = tm_segment_offset(arena, arena->next_span * TM_SPAN_UNITS);
    uint64_t free_unit = tm_segment_offset(arena, tm_segment_of(arena, offset) + 3u);
    expect_lost(0, moved(slot, 0)); /* in the head */
    expect_lost(0, moved(slot, behind));
    expect_lost(0, moved(slot, UINT64_C(0xffffffffff))); /* behind the arena */
    expect_lost(0, moved(slot, ref));                    /* among records */
    expect_lost(0, moved(slot, free_unit));
    expect_lost(0, moved(slot, offset + 1u));              /* beside the block */
    expect_lost(0, (slot & ~UINT64_C(0x3ff00)) | 2u << 8); /* shorter than a header */
    expect_lost(0, slot | 0x3ff00u);                       /* longer than its segment */
    expect_lost(0, (slot & ~UINT64_C(15)) | TM_CODEC_ZSTD);
    expect_lost(0, TM_SLOT_LOST);
    expect_lost(0, slot | 15u);
    expect_lost(1, slot); /* another page's */
    assert_true(adopt_for(world.persistent, 0, 0) == 0);
    assert_int_equal(adopt_all(), 0);
}

static void a_block_of_an_earlier_use_of_its_segment_is_lost(void **state)
{
    (void)state;
    struct tm_reservation at;
    for (unsigned i = 3; i < 10; i++)
        put(i, WORLD_RAW, i); /* so that the span stays, as it is */
    tm_heap_seal(world.persistent);
    put(1, WORLD_SHORT, 1);
    put(2, WORLD_SHORT, 2);
    tm_heap_seal(world.persistent);
    tm_slot earlier = world.page[2].slot;
    world_drop(&world, 1);
    world_drop(&world, 2);
    /* Killed before it was written: the earlier bytes lie there still, and their checksum is right. */
    assert_true(tm_heap_reserve(world.persistent, 0, TM_PAGE_BYTES, TM_TIER_NORMAL, &at));
    assert_int_equal(at.segment, tm_segment_of(arena, tm_slot_offset(earlier)));
    restart(false);
    assert_true(tm_block_verify(store, TM_ARENA_PERSISTENT, tm_slot_offset(earlier), tm_slot_bytes(earlier),
                                TM_WORLD_HASH(2), TM_WORLD_NUMBER(2), false));
    expect_lost(2, earlier);
    assert_int_equal(adopt_all(), 0);
}

static void a_segment_belongs_to_the_first_that_adopts_from_it(void **state)
{
    (void)state;
    put(0, WORLD_LONG, 1);
    put(1, WORLD_LONG, 2);
    assert_int_equal(tm_segment_of(arena, tm_slot_offset(world.page[0].slot)),
                     tm_segment_of(arena, tm_slot_offset(world.page[1].slot)));
    restart(false);
    struct tm_heap *other = tm_heap_create(store, TM_ARENA_PERSISTENT, 77);
    assert_true(adopt(0) != TM_SLOT_LOST);
    assert_true(adopt_for(other, 1, world.page[1].slot) == TM_SLOT_LOST);
    assert_true(adopt(1) != TM_SLOT_LOST);
    assert_true(tm_store_adopted(store));
    world_check(&world);
    tm_heap_destroy(other);
}

static void more_references_than_a_segment_has_bytes_are_lost(void **state)
{
    (void)state;
    put(0, WORLD_RAW, 1);
    restart(false);
    tm_slot slot = world.page[0].slot;
    assert_true(adopt(0) != TM_SLOT_LOST);
    expect_lost(0, slot); /* the same block once more would not fit */
    assert_true(tm_store_adopted(store));
    world_check(&world);
}

static void contents_that_make_no_sense_are_lost_to_all_their_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++)
        put(i, WORLD_LONG, i / 3); /* three of each */
    tm_slot bare = world.page[27].slot;
    content_of(0)->kind = 0;
    content_of(3)->slot = 0;
    content_of(6)->slot ^= UINT64_C(1) << 24; /* the offset */
    content_of(9)->slot ^= UINT64_C(1) << 8;  /* the length */
    content_of(12)->slot = (content_of(12)->slot & ~UINT64_C(15)) | TM_SLOT_SAME_SMALL;
    world_block(&world, 15)->check ^= 1u;
    world.page[18].slot += UINT64_C(1) << 24;                                               /* beside the record */
    world.page[21].slot = moved(world.page[21].slot, 0);                                    /* in the head */
    world.page[22].slot = moved(world.page[22].slot, UINT32_MAX);                           /* behind the arena */
    world.page[23].slot = moved(world.page[23].slot, tm_slot_offset(content_of(24)->slot)); /* a block */
    restart(false);
    struct tm_heap *other = tm_heap_create(store, TM_ARENA_PERSISTENT, 77);
    tm_slot *nested = &((struct tm_content *)tm_record_at(store, TM_ARENA_PERSISTENT, tm_slot_offset(bare)))->slot;
    tm_slot own = *nested;
    *nested = bare; /* a content that refers to a content, of the right length */
    expect_lost(27, bare);
    *nested = own;
    assert_true(adopt(24) != TM_SLOT_LOST);
    assert_true(adopt_for(other, 25, world.page[25].slot) == TM_SLOT_LOST); /* another heap's */
    tm_content_unref(store, TM_ARENA_PERSISTENT, tm_slot_offset(world.page[24].slot));
    world.page[24] = (struct world_page){0};
    world.page[25] = (struct world_page){0};
    world.page[26] = (struct world_page){0};
    unsigned lost = 0;
    for (unsigned i = 0; i < 30; i++)
        lost += world.page[i].heap != NULL && adopt(i) == TM_SLOT_LOST;
    assert_int_equal(lost, 6 * 3 + 1 + 3);
    for (unsigned i = 0; i < 30; i++)
        assert_true(world_has(&world, i) == (i == 19 || i == 20 || i >= 27));
    for (unsigned i = 0; i < 30; i++)
        if (tm_slot_type(world.page[i].slot) == TM_SLOT_LOST)
            world.page[i] = (struct world_page){0};
    assert_true(tm_store_adopted(store));
    world_check(&world);
    assert_int_equal(world_figures(&world).contents_shared, 2);
    tm_heap_destroy(other);
}

static void a_record_of_another_class_is_no_content(void **state)
{
    (void)state;
    put(0, WORLD_LONG, 1);
    put(1, WORLD_LONG, 1);
    uint64_t right = tm_record_alloc(store, TM_ARENA_PERSISTENT, TM_RECORD_RIGHT, TM_TIER_NORMAL);
    memcpy(tm_record_at(store, TM_ARENA_PERSISTENT, right), content_of(0), sizeof(struct tm_content));
    *(uint32_t *)tm_record_at(store, TM_ARENA_PERSISTENT, right) = TM_RECORD_LIVE(TM_RECORD_RIGHT);
    restart(false);
    expect_lost(0, moved(world.page[0].slot, right));
    assert_int_equal(adopt_all(), 0);
    tm_record_free(store, TM_ARENA_PERSISTENT, right);
}

/* ---- the table of contents ---- */

static void without_a_place_in_the_table_pages_are_adopted_all_the_same(void **state)
{
    (void)state;
    put(0, WORLD_LONG, 1);
    put(1, WORLD_LONG, 2);
    put(2, WORLD_LONG, 2);
    restart(false);
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_TABLE), true, 1};
    tm_test_faults_host = &world.host;
    tm_test_host_plan(&world.host, &plan);
    assert_int_equal(adopt(0) & TM_SLOT_LISTED, 0);
    assert_int_not_equal(world.host.failed, 0);
    tm_test_host_plan(&world.host, NULL);
    assert_true(adopt(1) != TM_SLOT_LOST && adopt(2) != TM_SLOT_LOST);
    assert_true(tm_store_adopted(store));
    world_check(&world);
    put(3, WORLD_LONG, 1); /* its twin is not found */
    assert_int_equal(tm_slot_type(world.page[3].slot), TM_CODEC_LZ4);
}

static void a_content_without_a_place_in_the_table_waits_for_another_store(void **state)
{
    (void)state;
    put(0, WORLD_LONG, 1);
    put(1, WORLD_LONG, 1);
    restart(false);
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_TABLE), true, 1};
    tm_test_faults_host = &world.host;
    tm_test_host_plan(&world.host, &plan);
    assert_true(adopt(0) != TM_SLOT_LOST && adopt(1) != TM_SLOT_LOST);
    assert_false(tm_store_adopted(store));
    tm_test_host_plan(&world.host, NULL);
    restart(true);
    assert_int_equal(adopt_all(), 0);
    assert_int_equal(content_of(1)->references, 2);
}

static void dedup_may_be_turned_on_and_off_between_stores(void **state)
{
    (void)state;
    start_on(16, false);
    put(0, WORLD_LONG, 1);
    world.config.dedup = true;
    restart(true);
    assert_int_equal(adopt_all(), 0);
    assert_int_equal(world.page[0].slot & TM_SLOT_LISTED, 0); /* nobody took its hash */
    put(1, WORLD_LONG, 1);
    put(2, WORLD_LONG, 1);
    assert_int_equal(content_of(1)->references, 2);
    put(3, WORLD_LONG, 3);
    assert_int_not_equal(world.page[3].slot & TM_SLOT_LISTED, 0);
    world.config.dedup = false;
    restart(true);
    assert_int_equal(adopt_all(), 0);
    assert_int_equal(content_of(2)->references, 2);
    assert_int_equal(world.page[3].slot & TM_SLOT_LISTED, 0);
    world_fini(&world);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(everything_that_is_referred_to_comes_back),
        CASE(a_page_that_was_alone_finds_its_twin_after_a_restart),
        CASE(what_nobody_refers_to_is_free),
        CASE(seeds_and_serials_go_on),
        cmocka_unit_test(a_full_arena_is_found_again),
        CASE(a_damaged_block_is_lost_and_no_other),
        CASE(slots_that_make_no_sense_are_lost),
        CASE(a_block_of_an_earlier_use_of_its_segment_is_lost),
        CASE(a_segment_belongs_to_the_first_that_adopts_from_it),
        CASE(more_references_than_a_segment_has_bytes_are_lost),
        CASE(contents_that_make_no_sense_are_lost_to_all_their_pages),
        CASE(a_record_of_another_class_is_no_content),
        CASE(without_a_place_in_the_table_pages_are_adopted_all_the_same),
        CASE(a_content_without_a_place_in_the_table_waits_for_another_store),
        cmocka_unit_test(dedup_may_be_turned_on_and_off_between_stores),
    };
    return cmocka_run_group_tests_name("rebuild", tests, NULL, NULL);
}
