/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dedup_test.c - equal pages are found and share their bytes; the table of contents follows blocks that move; a
 * content that is evicted is missed by every page that refers to it.
 */
#include "store/world_test.h"

static struct world world;

static int set_up(void **state)
{
    (void)state;
    world_init(&world, 16, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put(struct tm_heap *heap, unsigned index, enum world_sort sort, uint64_t number)
{
    assert_int_equal(world_put(&world, heap, index, sort, number), TM_WRITE_OK);
}

static bool shares(unsigned a, unsigned b)
{
    return tm_slot_type(world.page[a].slot) == TM_SLOT_SHARED && tm_slot_same(world.page[a].slot, world.page[b].slot);
}

static struct tm_content *content_of(unsigned index)
{
    assert_int_equal(tm_slot_type(world.page[index].slot), TM_SLOT_SHARED);
    return tm_record_at(world.store, world.page[index].heap->kind, tm_slot_offset(world.page[index].slot));
}

static void fail_call(enum tm_test_fault fault, uint64_t at)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(fault), false, at};
    tm_test_faults_host = &world.host;
    tm_test_host_plan(&world.host, &plan);
}

static void clean_all(struct tm_heap *heap)
{
    tm_heap_seal(heap);
    for (unsigned i = 0; i < 4; i++)
        if (!tm_heap_clean(world.store, world.worker, heap, 0))
            break;
    world_check(&world);
}

static void all_duplicates_are_found(void **state)
{
    (void)state;
    static const enum world_sort sorts[] = {WORLD_SHORT, WORLD_LONG, WORLD_RAW};
    for (unsigned i = 0; i < 300; i++)
        put(world.ephemeral, i, sorts[i % 3], i % 30);
    for (unsigned i = 0; i < 300; i++)
        assert_true(shares(i, i % 30));
    struct tm_store_figures figures = world_figures(&world);
    assert_int_equal(figures.contents_shared, 30);
    assert_int_equal(figures.blocks_raw + figures.blocks_compressed, 30);
    world_check(&world);
}

static void the_last_page_that_shares_takes_the_content_along(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        put(world.persistent, i, WORLD_LONG, 1);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(content_of(4)->references, 5 - i);
        assert_int_equal(world_figures(&world).contents_shared, 1);
        world_drop(&world, i);
    }
    assert_int_equal(world_figures(&world).contents_shared, 0);
    assert_int_equal(tm_store_blocks(world.store), 0);
    put(world.persistent, 0, WORLD_LONG, 1);
    assert_int_equal(tm_slot_type(world.page[0].slot), TM_CODEC_LZ4);
}

static void pages_of_different_heaps_never_share(void **state)
{
    (void)state;
    struct tm_heap *other = tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 3);
    struct tm_heap *same_domain = tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 1);
    put(world.ephemeral, 0, WORLD_LONG, 1);
    put(other, 1, WORLD_LONG, 1);
    put(world.persistent, 2, WORLD_LONG, 1);
    put(same_domain, 3, WORLD_LONG, 1);
    assert_int_equal(world_figures(&world).contents_shared, 0);
    put(world.ephemeral, 4, WORLD_LONG, 1);
    put(same_domain, 5, WORLD_LONG, 1); /* of the two that hash alike only its own */
    put(same_domain, 6, WORLD_LONG, 1);
    assert_true(shares(0, 4));
    assert_true(shares(3, 5) && shares(5, 6));
    assert_false(shares(4, 5));
    assert_int_equal(world_figures(&world).contents_shared, 2);
    world_check(&world);
    for (unsigned i = 0; i < 7; i++)
        world_drop(&world, i);
    tm_heap_destroy(other);
    tm_heap_destroy(same_domain);
}

static void same_filled_pages_and_those_told_not_to_do_not_share(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    put(world.ephemeral, 0, WORLD_WORD, 1);
    put(world.ephemeral, 1, WORLD_WORD, 1);
    put(world.ephemeral, 2, WORLD_LONG, 1);
    world_fill(page, WORLD_LONG, 1);
    struct tm_page_put alone = {
        .page = page, .heap = world.ephemeral, .hash = TM_WORLD_HASH(3), .number = 3, .no_dedup = true};
    tm_put_prepare(world.store, world.worker, &alone);
    assert_int_equal(tm_put_write(world.store, world.worker, &alone), TM_WRITE_OK);
    world_publish(&world, &alone, 3, WORLD_LONG, 1);
    assert_int_equal(world_figures(&world).contents_shared, 0);
    put(world.ephemeral, 4, WORLD_LONG, 1);
    assert_true(shares(4, 2) != shares(4, 3)); /* either twin will do */
}

static void the_table_follows_blocks_that_move(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        put(world.ephemeral, i, WORLD_LONG, i);
    put(world.ephemeral, 40, WORLD_LONG, 0); /* a shared one among them */
    tm_slot before = world.page[1].slot;
    for (unsigned round = 0; round < 40; round++)
        clean_all(world.ephemeral);
    assert_false(tm_slot_same(before, world.page[1].slot));
    assert_true((world.page[1].slot & TM_SLOT_LISTED) != 0);
    for (unsigned i = 0; i < 40; i++)
        put(world.ephemeral, 100 + i, WORLD_LONG, i);
    for (unsigned i = 0; i < 40; i++)
        assert_true(shares(i, 100 + i));
    world_check(&world);
}

/* ---- found late ---- */

/* From now on pages are stored as they are, and equal ones looked for behind the copy. */
static void look_late(void)
{
    world.store->codec.encodes = TM_CODEC_RAW;
}

static uint32_t filled_bytes(const struct tm_heap *heap)
{
    return tm_segment_at(&world.store->arena[heap->kind], heap->lane[0].segment)->fill;
}

static void an_equal_page_found_late_takes_no_room(void **state)
{
    (void)state;
    look_late();
    put(world.ephemeral, 0, WORLD_RAW, 1);
    put(world.ephemeral, 1, WORLD_RAW, 1);
    assert_true(shares(0, 1));
    assert_int_equal(tm_store_blocks(world.store), 1);
    uint32_t before = filled_bytes(world.ephemeral);
    world.worker->twins = 0;
    put(world.ephemeral, 2, WORLD_RAW, 1);
    assert_true(shares(0, 2));
    assert_int_equal(world.worker->twins, TM_TWINS_ALWAYS / 8u);
    assert_int_equal(tm_heap_live_bytes(world.ephemeral), tm_block_bytes(TM_PAGE_BYTES));
    assert_true(filled_bytes(world.ephemeral) == before || filled_bytes(world.ephemeral) == 0);
    world_check(&world);
}

static void where_many_pages_have_equal_ones_they_are_looked_for_first(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    look_late();
    for (unsigned i = 0; i < 8; i++)
        put(world.ephemeral, i, WORLD_RAW, 1);
    struct tm_page_put next = world_prepare(&world, world.ephemeral, 8, WORLD_RAW, 1, page);
    assert_false(next.looks_late);
    assert_int_equal(next.twin, TM_TWIN_CONTENT);
    tm_put_abandon(world.store, world.worker, &next);
    for (unsigned i = 8; i < 40; i++)
        put(world.ephemeral, i, WORLD_RAW, i);
    next = world_prepare(&world, world.ephemeral, 40, WORLD_RAW, 1, page);
    assert_true(next.looks_late);
    assert_int_equal(next.twin, TM_TWIN_NONE);
    world_check(&world);
}

static void a_candidate_found_late_that_is_none_changes_nothing(void **state)
{
    (void)state;
    look_late();
    put(world.ephemeral, 0, WORLD_RAW, 1);
    world.refuses_pin = true;
    put(world.ephemeral, 1, WORLD_RAW, 1);
    assert_false(shares(0, 1));
    assert_true((world.page[1].slot & TM_SLOT_LISTED) != 0);
    assert_int_equal(tm_slot_bytes(world.page[1].slot), tm_block_bytes(TM_PAGE_BYTES));
    world.refuses_pin = false;
    world_drop(&world, 0);
    put(world.ephemeral, 2, WORLD_RAW, 1);
    assert_true(shares(1, 2));
    world_check(&world);
}

/* Of a page that waits to be compressed the equal one is compressed already. */
static void a_smaller_twin_found_late_counts_as_what_it_takes(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    put(world.ephemeral, 0, WORLD_LONG, 1);
    world.store->config.defer = true;
    struct tm_page_put late = world_prepare(&world, world.ephemeral, 1, WORLD_LONG, 1, page);
    assert_int_equal(late.bytes, tm_block_bytes(TM_PAGE_BYTES));
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_OK);
    assert_int_equal(late.bytes, tm_slot_bytes(world.page[0].slot));
    assert_int_equal(tm_slot_bytes(late.slot), late.bytes);
    world_publish(&world, &late, 1, WORLD_LONG, 1);
    assert_true(shares(0, 1));
    world_check(&world);
}

static void without_room_for_a_content_a_page_found_late_is_put_again(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    look_late();
    put(world.ephemeral, 0, WORLD_RAW, 1);
    struct tm_page_put late = world_prepare(&world, world.ephemeral, 1, WORLD_RAW, 1, page);
    fail_call(TM_FAULT_RECORD, 1);
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_NO_ROOM);
    assert_int_equal(late.twin, TM_TWIN_BLOCK);
    assert_false(late.looks_late);
    assert_int_equal(tm_heap_live_bytes(world.ephemeral), tm_block_bytes(TM_PAGE_BYTES));
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_OK);
    world_publish(&world, &late, 1, WORLD_RAW, 1);
    assert_true(shares(0, 1));
}

/* ---- twins that are not what they seem ---- */

static void a_damaged_twin_is_not_shared(void **state)
{
    (void)state;
    for (unsigned damage = 0; damage < 3; damage++) {
        enum world_sort sort = damage == 0 ? WORLD_RAW : WORLD_LONG;
        put(world.ephemeral, 0, sort, 1);
        if (damage == 2)
            put(world.ephemeral, 2, sort, 1); /* the content's block, not a page's */
        unsigned char *body = (unsigned char *)(world_block(&world, 0) + 1);
        body[9] ^= 1u;
        put(world.ephemeral, 1, sort, 1);
        assert_false(shares(0, 1));
        assert_true(world_has(&world, 1));
        assert_int_equal(tm_slot_type(world.page[1].slot), sort == WORLD_RAW ? TM_CODEC_RAW : TM_CODEC_LZ4);
        body[9] ^= 1u;
        for (unsigned i = 0; i < 3; i++)
            world_drop(&world, i);
    }
}

static void a_header_with_a_senseless_length_is_no_twin(void **state)
{
    (void)state;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    struct tm_block *block = world_block(&world, 0);
    uint64_t word = block->word;
    block->word |= 8191u;
    put(world.ephemeral, 1, WORLD_LONG, 1);
    assert_int_equal(tm_slot_type(world.page[1].slot), TM_CODEC_LZ4);
    block->word = word;
}

/* A hash by which all pages are alike; blocks' checksums remain what they are. */
static uint64_t (*real_hash)(const void *bytes, size_t size, uint64_t seed);

static uint64_t colliding_hash(const void *bytes, size_t size, uint64_t seed)
{
    return size == TM_PAGE_BYTES && seed != world.store->check_seed ? 7 : real_hash(bytes, size, seed);
}

static void pages_that_only_hash_alike_stay_apart(void **state)
{
    (void)state;
    real_hash = world.store->codec.hash;
    world.store->codec.hash = colliding_hash;
    for (unsigned i = 0; i < 24; i++)
        put(world.ephemeral, i, i % 2 == 0 ? WORLD_LONG : WORLD_RAW, i);
    assert_int_equal(world_figures(&world).contents_shared, 0);
    world_check(&world);
    put(world.ephemeral, 30, WORLD_LONG, 0); /* the entry that is asked first decides; it may or may not be its twin */
    assert_true(world_has(&world, 30));
    clean_all(world.ephemeral);
}

static void a_twin_whose_page_has_changed_is_left_alone(void **state)
{
    (void)state;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    world.refuses_pin = true;
    put(world.ephemeral, 1, WORLD_LONG, 1);
    assert_false(shares(0, 1));
    world.refuses_pin = false;
    world_drop(&world, 1);

    world.refuses_swap = true; /* changed between being found and being replaced */
    put(world.ephemeral, 1, WORLD_LONG, 1);
    assert_int_equal(tm_slot_type(world.page[0].slot), TM_CODEC_LZ4);
    assert_int_equal(content_of(1)->references, 1);
    assert_int_equal(tm_store_blocks(world.store), 2);
    world.refuses_swap = false;
    world_check(&world);
    put(world.ephemeral, 2, WORLD_LONG, 1);
    assert_true(shares(1, 2));
}

static void a_twin_that_goes_while_it_is_copied_is_entered_anew(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    put(world.ephemeral, 0, WORLD_LONG, 1);
    struct tm_page_put late = world_prepare(&world, world.ephemeral, 1, WORLD_LONG, 1, page);
    assert_int_equal(late.twin, TM_TWIN_BLOCK);
    world_drop(&world, 0);
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_OK);
    world_publish(&world, &late, 1, WORLD_LONG, 1);
    assert_int_equal(content_of(1)->references, 1);
    put(world.ephemeral, 2, WORLD_LONG, 1);
    assert_true(shares(1, 2));
}

static void a_put_given_up_gives_its_twin_back(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    put(world.ephemeral, 0, WORLD_LONG, 1);
    struct tm_page_put first = world_prepare(&world, world.ephemeral, 5, WORLD_LONG, 1, page);
    assert_int_equal(first.twin, TM_TWIN_BLOCK);
    tm_put_abandon(world.store, world.worker, &first);
    put(world.ephemeral, 1, WORLD_LONG, 1);
    struct tm_page_put second = world_prepare(&world, world.ephemeral, 5, WORLD_LONG, 1, page);
    assert_int_equal(second.twin, TM_TWIN_CONTENT);
    assert_int_equal(content_of(0)->references, 3);
    tm_put_abandon(world.store, world.worker, &second);
    assert_int_equal(content_of(0)->references, 2);
    tm_put_abandon(world.store, world.worker, &second); /* nothing left to give back */
    assert_int_equal(content_of(0)->references, 2);
}

static void a_twin_that_does_not_decode_is_not_shared(void **state)
{
    (void)state;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    fail_call(TM_FAULT_DECODE, 1);
    put(world.ephemeral, 1, WORLD_LONG, 1);
    assert_int_equal(world.host.failed, 1);
    assert_int_equal(tm_slot_type(world.page[0].slot), TM_CODEC_LZ4);
    assert_int_equal(tm_slot_type(world.page[1].slot), TM_CODEC_LZ4);
}

/* ---- damage to the hash under which a block is listed ---- */

static uint64_t entries(void)
{
    return world.store->contents[TM_ARENA_EPHEMERAL].entry_count;
}

static void what_names_a_damaged_block_is_found_all_the_same(void **state)
{
    (void)state;
    enum {
        PAGES = 400
    }; /* enough for the table to have grown */
    for (unsigned i = 0; i < PAGES; i++)
        put(world.ephemeral, i, WORLD_SHORT, i);
    tm_heap_seal(world.ephemeral);
    for (unsigned i = 0; i < PAGES; i++) {
        if (i % 2 == 0)
            world_block(&world, i)->content_hash ^= UINT32_C(0x10001) << i % 16u;
        assert_int_equal(entries(), PAGES - i);
        world_drop(&world, i);
    }
    assert_int_equal(entries(), 0);
}

static void a_damaged_block_that_moves_is_listed_no_more(void **state)
{
    (void)state;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    put(world.ephemeral, 1, WORLD_LONG, 2);
    world_block(&world, 0)->content_hash ^= 4u;
    tm_slot before = world.page[0].slot;
    tm_heap_seal(world.ephemeral);
    assert_true(tm_heap_clean(world.store, world.worker, world.ephemeral, 0));
    assert_false(tm_slot_same(before, world.page[0].slot));
    assert_int_equal(world.page[0].slot & TM_SLOT_LISTED, 0);
    assert_int_not_equal(world.page[1].slot & TM_SLOT_LISTED, 0);
    assert_int_equal(entries(), 1);
    assert_false(world_has(&world, 0)); /* copying does not mend it */
    world_drop(&world, 0);
}

static void a_damaged_block_that_nothing_names_is_looked_for_in_vain(void **state)
{
    (void)state;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    world.refuses_swap = true; /* the table names the content now, and the page keeps its block */
    put(world.ephemeral, 1, WORLD_LONG, 1);
    world.refuses_swap = false;
    assert_int_not_equal(world.page[0].slot & TM_SLOT_LISTED, 0);
    world_block(&world, 0)->content_hash ^= 4u;
    world_drop(&world, 0);
    assert_int_equal(entries(), 1);
    assert_true(world_has(&world, 1));
}

/* ---- no room ---- */

static void without_room_for_a_content_nothing_changes(void **state)
{
    (void)state;
    static const enum tm_test_fault faults[] = {TM_FAULT_RECORD, TM_FAULT_SEGMENT};
    put(world.ephemeral, 0, WORLD_RAW, 1);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(faults); i++) {
        fail_call(faults[i], 1);
        assert_int_equal(world_put(&world, world.ephemeral, 1, WORLD_RAW, 1), TM_WRITE_NO_ROOM);
        assert_int_equal(world.host.failed, 1);
        assert_int_equal(tm_slot_type(world.page[0].slot), TM_CODEC_RAW);
        world_check(&world);
    }
    put(world.ephemeral, 1, WORLD_RAW, 1);
    assert_true(shares(0, 1));
}

static void without_a_place_in_the_table_pages_stay_apart(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    fail_call(TM_FAULT_TABLE, 1);
    put(world.ephemeral, 0, WORLD_LONG, 1);
    assert_int_equal(world.host.failed, 1);
    assert_int_equal(world.page[0].slot & TM_SLOT_LISTED, 0);
    put(world.ephemeral, 1, WORLD_LONG, 1); /* does not find the first */
    assert_false(shares(0, 1));

    /* The twin leaves the table, and the content finds no place in it. */
    struct tm_page_put late = world_prepare(&world, world.ephemeral, 2, WORLD_LONG, 1, page);
    assert_int_equal(late.twin, TM_TWIN_BLOCK);
    world_drop(&world, 1);
    fail_call(TM_FAULT_TABLE, 1);
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_CHANGED);
    world_check(&world);
    late.no_dedup = true;
    tm_put_prepare(world.store, world.worker, &late);
    assert_int_equal(tm_put_write(world.store, world.worker, &late), TM_WRITE_OK);
    world_publish(&world, &late, 2, WORLD_LONG, 1);
    assert_true(world_has(&world, 2));
}

/* ---- eviction ---- */

static void purge_all(enum tm_purge why)
{
    uint64_t dropped;
    tm_heap_seal(world.ephemeral);
    for (unsigned age = 0; age < TM_AGES; age++)
        for (uint64_t left = world.ephemeral->list[age].count; left > 0; left--)
            assert_true(tm_heap_purge(world.store, world.worker, world.ephemeral, (enum tm_age)age, why, &dropped));
}

static void an_evicted_content_is_missed_by_all_its_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        put(world.ephemeral, i, WORLD_LONG, 1);
    purge_all(TM_PURGE_ALL);
    assert_int_equal(tm_store_blocks(world.store), 0);
    assert_int_equal(world_figures(&world).contents_shared, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_false(world_has(&world, i));
    put(world.ephemeral, 5, WORLD_LONG, 1); /* does not join what was evicted */
    assert_int_equal(tm_slot_type(world.page[5].slot), TM_CODEC_LZ4);
    world_check(&world);
    assert_int_equal(world.evicted, 4);
    assert_int_equal(world_figures(&world).spans, 1); /* the content's record went with its last page */
}

static void a_pin_is_known_by_its_block(void **state)
{
    (void)state;
    enum tm_arena_kind arena = TM_ARENA_EPHEMERAL;
    struct tm_store *store = world.store;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    put(world.ephemeral, 1, WORLD_LONG, 1);
    put(world.ephemeral, 2, WORLD_LONG, 2);
    put(world.ephemeral, 3, WORLD_SMALL, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tm_pin(store, arena, world.worker, 3, world.page[i].slot));
        for (unsigned k = 0; k < 4; k++)
            assert_true(tm_pinned_is(store, arena, world.worker, 3, world.page[k].slot) == (k == i || i + k == 1));
        tm_unpin(world.worker, 3);
    }
    assert_true(tm_pin(store, arena, world.worker, 3, world.page[0].slot));
    purge_all(TM_PURGE_ALL);
    assert_false(tm_pinned_is(store, arena, world.worker, 3, world.page[0].slot)); /* evicted */
    tm_unpin(world.worker, 3);
}

static void a_content_that_was_used_gets_a_second_chance(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        put(world.ephemeral, i, WORLD_LONG, i / 2);
    assert_true(world_has(&world, 1));
    purge_all(TM_PURGE_SECOND);
    assert_int_equal(world_figures(&world).contents_shared, 1);
    assert_true(content_of(0)->slot != 0 && (content_of(0)->slot & TM_SLOT_USED) == 0);
    assert_false(world_has(&world, 2));
    world_drop(&world, 2);
    world_drop(&world, 3);
    purge_all(TM_PURGE_SECOND);
    assert_int_equal(world_figures(&world).contents_shared, 0);
    assert_false(world_has(&world, 0));
}

static void a_dead_content_block_is_neither_kept_nor_swapped(void **state)
{
    (void)state;
    tm_slot slot = 0;
    put(world.ephemeral, 0, WORLD_LONG, 1);
    put(world.ephemeral, 1, WORLD_LONG, 1);
    put(world.ephemeral, 2, WORLD_LONG, 2);
    uint64_t offset = tm_slot_offset(content_of(0)->slot);
    uint32_t hash = content_of(0)->hash;
    enum tm_arena_kind arena = TM_ARENA_EPHEMERAL;
    assert_int_equal(tm_content_judge(world.store, arena, hash, offset + 1, TM_PURGE_ALL, &slot), TM_FATE_DEAD);
    assert_int_equal(tm_content_judge(world.store, arena, hash + 1, offset, TM_PURGE_ALL, &slot), TM_FATE_DEAD);
    assert_false(tm_content_swap(world.store, arena, hash, offset + 1, TM_SLOT_LOST));
    assert_true(slot == 0);
    assert_int_equal(tm_content_judge(world.store, arena, hash, offset, TM_PURGE_CLEAN, &slot), TM_FATE_KEEP);
    assert_true(tm_slot_offset(slot) == offset && tm_slot_bytes(slot) == tm_slot_bytes(content_of(0)->slot));
    assert_true(world_has(&world, 0));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(all_duplicates_are_found),
        CASE(the_last_page_that_shares_takes_the_content_along),
        CASE(pages_of_different_heaps_never_share),
        CASE(same_filled_pages_and_those_told_not_to_do_not_share),
        CASE(the_table_follows_blocks_that_move),
        CASE(an_equal_page_found_late_takes_no_room),
        CASE(where_many_pages_have_equal_ones_they_are_looked_for_first),
        CASE(a_candidate_found_late_that_is_none_changes_nothing),
        CASE(a_smaller_twin_found_late_counts_as_what_it_takes),
        CASE(without_room_for_a_content_a_page_found_late_is_put_again),
        CASE(a_damaged_twin_is_not_shared),
        CASE(a_header_with_a_senseless_length_is_no_twin),
        CASE(pages_that_only_hash_alike_stay_apart),
        CASE(a_twin_whose_page_has_changed_is_left_alone),
        CASE(a_twin_that_goes_while_it_is_copied_is_entered_anew),
        CASE(a_put_given_up_gives_its_twin_back),
        CASE(a_twin_that_does_not_decode_is_not_shared),
        CASE(what_names_a_damaged_block_is_found_all_the_same),
        CASE(a_damaged_block_that_moves_is_listed_no_more),
        CASE(a_damaged_block_that_nothing_names_is_looked_for_in_vain),
        CASE(without_room_for_a_content_nothing_changes),
        CASE(without_a_place_in_the_table_pages_stay_apart),
        CASE(an_evicted_content_is_missed_by_all_its_pages),
        CASE(a_pin_is_known_by_its_block),
        CASE(a_content_that_was_used_gets_a_second_chance),
        CASE(a_dead_content_block_is_neither_kept_nor_swapped),
    };
    return cmocka_run_group_tests_name("dedup", tests, NULL, NULL);
}
