/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrite_test.c - pages coded anew: what refers to them follows, and nothing else changes.
 *
 * Pages are put while the encoder refuses, so that they are stored raw, and then coded by the store's codec.
 */
#include "store/world_test.h"

static struct world world;
static struct tm_heap *heap; /* the persistent one */

static uint32_t encode(void *user, struct tm_worker *worker, const void *page, void *body, enum tm_codec_id *codec)
{
    (void)user;
    return (uint32_t)world.codec.encode(&world.codec, worker->context, page, body, codec);
}

static uint32_t give_up(void *user, struct tm_worker *worker, const void *page, void *body, enum tm_codec_id *codec)
{
    (void)user;
    (void)worker;
    (void)page;
    (void)body;
    (void)codec;
    return 0;
}

static const struct tm_coder own_coder = {NULL, encode};

static int set_up(void **state)
{
    (void)state;
    world_init_surviving(&world, 16);
    heap = world.persistent;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put_raw(unsigned index, enum world_sort sort, uint64_t number)
{
    world_deny(&world, TM_FAULT_ENCODE, true);
    assert_int_equal(world_put(&world, heap, index, sort, number), TM_WRITE_OK);
    world_deny(&world, TM_FAULT_ENCODE, false);
    assert_int_equal(tm_block_codec(world_block(&world, index)->word), TM_CODEC_RAW);
}

/* Codes the block behind a page anew, with a hazard in its segment. */
static enum tm_rewritten rewrite_by(unsigned index, const struct tm_coder *coder)
{
    const struct tm_rewrite how = {heap, TM_LANE_KEPT, TM_TIER_COPY, coder, false};
    const unsigned char *base = world.store->arena[heap->kind].base;
    uint64_t offset = (uint64_t)((const unsigned char *)world_block(&world, index) - base) / TM_GRANULE_BYTES;
    tm_heap_seal(heap);
    tm_hazard_set(world.worker, TM_HAZARDS - 1u, heap->kind, offset << 24, 0);
    enum tm_rewritten result = tm_store_rewrite(world.store, world.worker, &how, offset);
    tm_unpin(world.worker, TM_HAZARDS - 1u);
    assert_false(tm_store_drain(world.store));
    return result;
}

static enum tm_rewritten rewrite(unsigned index)
{
    return rewrite_by(index, &own_coder);
}

static void a_page_coded_anew_is_the_same_page_in_less_room(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        heap = kind == TM_ARENA_EPHEMERAL ? world.ephemeral : world.persistent;
        put_raw(kind, WORLD_SHORT, kind);
        uint32_t before = tm_slot_bytes(world.page[kind].slot);
        world.page[kind].slot |= TM_SLOT_USED;
        assert_int_equal(rewrite(kind), TM_REWRITTEN);
        assert_true(tm_slot_bytes(world.page[kind].slot) < before / 8u);
        assert_int_equal(tm_slot_type(world.page[kind].slot), TM_CODEC_LZ4);
        assert_true((world.page[kind].slot & TM_SLOT_USED) != 0);
        world_check(&world);
    }
    assert_int_equal(world_figures(&world).blocks_raw, 0);
    assert_int_equal(world_figures(&world).blocks_compressed, 2);
}

static void an_equal_page_is_found_after_it(void **state)
{
    (void)state;
    put_raw(0, WORLD_LONG, 7);
    assert_int_equal(rewrite(0), TM_REWRITTEN);
    assert_int_equal(world_put(&world, heap, 1, WORLD_LONG, 7), TM_WRITE_OK);
    assert_int_equal(tm_slot_type(world.page[1].slot), TM_SLOT_SHARED);
    assert_int_equal(world_figures(&world).contents_shared, 1);
    world_check(&world);
}

static void a_shared_content_is_coded_anew_for_all_its_pages(void **state)
{
    (void)state;
    put_raw(0, WORLD_LONG, 7);
    put_raw(1, WORLD_LONG, 7);
    assert_int_equal(tm_slot_type(world.page[0].slot), TM_SLOT_SHARED);
    assert_int_equal(rewrite(0), TM_REWRITTEN);
    assert_int_equal(tm_block_codec(world_block(&world, 1)->word), TM_CODEC_LZ4);
    assert_int_equal(world_put(&world, heap, 2, WORLD_LONG, 7), TM_WRITE_OK);
    assert_true(tm_slot_bytes(world.page[2].slot) < tm_slot_bytes(world.page[0].slot));
    world_check(&world);
    /* After a restart, too. */
    tm_heap_seal(heap);
    world_crash(&world);
    world_start(&world);
    heap = world.persistent;
    for (unsigned i = 0; i < 3; i++) {
        struct world_page *page = &world.page[i];
        page->heap = heap;
        tm_slots_adopt(world.store, heap, &page->slot, 1, TM_WORLD_HASH(i), TM_WORLD_NUMBER(i));
        assert_int_equal(tm_slot_type(page->slot), TM_SLOT_SHARED);
    }
    assert_true(tm_store_adopted(world.store));
    world_check(&world);
}

static void what_would_not_be_smaller_stays(void **state)
{
    static const struct tm_coder gives_up = {NULL, give_up};
    (void)state;
    put_raw(0, WORLD_RAW, 1);
    assert_int_equal(world_put(&world, heap, 1, WORLD_LONG, 2), TM_WRITE_OK);
    put_raw(2, WORLD_LONG, 3);
    tm_slot before[3] = {world.page[0].slot, world.page[1].slot, world.page[2].slot};
    assert_int_equal(rewrite(0), TM_REWRITTEN_NOT);
    assert_int_equal(rewrite(1), TM_REWRITTEN_NOT); /* decoded, and coded just as before */
    assert_int_equal(rewrite_by(2, &gives_up), TM_REWRITTEN_NOT);
    for (unsigned i = 0; i < 3; i++)
        assert_true(world.page[i].slot == before[i]);
    world_check(&world);
}

static void damage_is_not_coded_into_a_good_checksum(void **state)
{
    (void)state;
    put_raw(0, WORLD_LONG, 1);
    assert_int_equal(world_put(&world, heap, 1, WORLD_LONG, 2), TM_WRITE_OK);
    unsigned char *byte = (unsigned char *)(world_block(&world, 0) + 1);
    byte[100] ^= 1u;
    assert_int_equal(rewrite(0), TM_REWRITTEN_NOT);
    assert_false(world_has(&world, 0));
    byte[100] ^= 1u;
    assert_true(world_has(&world, 0));
    /* A block that does not decode, though its checksum is right. */
    world_deny(&world, TM_FAULT_DECODE, true);
    assert_int_equal(rewrite(1), TM_REWRITTEN_NOT);
    world_deny(&world, TM_FAULT_DECODE, false);
    world_check(&world);
    /* One that says it is coded otherwise than its slot says. */
    world.page[1].slot = (world.page[1].slot & ~UINT64_C(15)) | TM_CODEC_ZSTD;
    assert_int_equal(rewrite(1), TM_REWRITTEN_NOT);
    world.page[1].slot = (world.page[1].slot & ~UINT64_C(15)) | TM_CODEC_LZ4;
}

static void without_room_nothing_changes(void **state)
{
    (void)state;
    put_raw(0, WORLD_LONG, 1);
    tm_slot before = world.page[0].slot;
    tm_heap_seal(heap);
    world_deny(&world, TM_FAULT_SEGMENT, true);
    assert_int_equal(rewrite(0), TM_REWRITTEN_NO_ROOM);
    assert_true(world.page[0].slot == before);
    world_check(&world);
}

static void who_changes_the_page_meanwhile_wins(void **state)
{
    (void)state;
    put_raw(0, WORLD_LONG, 1);
    put_raw(1, WORLD_LONG, 2);
    put_raw(2, WORLD_LONG, 3);
    world.refuses_swap = true;
    assert_int_equal(rewrite(0), TM_REWRITTEN_GONE);
    world.refuses_swap = false;
    world.releases_on_swap = true;
    assert_int_equal(rewrite(1), TM_REWRITTEN_GONE);
    world.releases_on_swap = false;
    assert_int_equal(world_count(&world), 2);
    /* And of a block that nobody refers to, nothing is made. */
    const struct tm_rewrite how = {heap, TM_LANE_KEPT, TM_TIER_COPY, &own_coder, false};
    uint64_t offset = tm_slot_offset(world.page[2].slot);
    tm_hazard_set(world.worker, TM_HAZARDS - 1u, heap->kind, offset << 24, 0);
    world_drop(&world, 2);
    assert_int_equal(tm_store_rewrite(world.store, world.worker, &how, offset), TM_REWRITTEN_GONE);
    tm_unpin(world.worker, TM_HAZARDS - 1u);
    assert_false(tm_store_drain(world.store));
    /* The swap that was refused took the table's entry with it: the first page is as good as not listed. */
    world.page[0].slot &= ~TM_SLOT_LISTED;
    world_check(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_page_coded_anew_is_the_same_page_in_less_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_equal_page_is_found_after_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shared_content_is_coded_anew_for_all_its_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_would_not_be_smaller_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_not_coded_into_a_good_checksum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_room_nothing_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_changes_the_page_meanwhile_wins, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
