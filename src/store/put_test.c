/* SPDX-License-Identifier: BSD-2-Clause */
/* put_test.c - pages of every sort into a slot and back, coded bytes, and slots released one by one and in rows. */
#include "store/world_test.h"

static struct world world;
static struct tm_heap *both[2];

static int set_up(void **state)
{
    (void)state;
    world_init(&world, 16, true);
    both[0] = world.ephemeral;
    both[1] = world.persistent;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static tm_slot put_slot(unsigned index, enum world_sort sort, uint64_t number)
{
    assert_int_equal(world_put(&world, world.ephemeral, index, sort, number), TM_WRITE_OK);
    return world.page[index].slot;
}

static void every_sort_comes_back(void **state)
{
    (void)state;
    unsigned index = 0;
    for (unsigned heap = 0; heap < 2; heap++)
        for (unsigned sort = 0; sort < WORLD_SORTS; sort++)
            for (uint64_t number = 1; number <= 20; number++, index++)
                assert_int_equal(world_put(&world, both[heap], index, (enum world_sort)sort, number), TM_WRITE_OK);
    for (unsigned i = 0; i < index; i++)
        assert_true(world_has(&world, i));
    struct tm_store_figures figures = world_figures(&world);
    assert_int_equal(figures.blocks_raw, 40);
    assert_int_equal(figures.blocks_compressed, 80);
    assert_int_equal(tm_store_blocks(world.store), 160); /* with the words that need a block */
    world_check(&world);
}

static void words_take_no_more_than_they_need(void **state)
{
    (void)state;
    static const uint64_t small[] = {0, 1, UINT64_MAX, UINT64_C(0x007fffffffffffff), UINT64_C(0xff80000000000000)};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(small); i++) {
        tm_slot slot = put_slot(0, WORLD_SMALL, small[i]);
        assert_int_equal(tm_slot_type(slot), TM_SLOT_SAME_SMALL);
        assert_true(tm_slot_word(slot) == small[i]);
        assert_int_equal(tm_slot_bytes(slot), 0);
        assert_true(tm_slot_is_same_filled(slot));
    }
    tm_slot twice = put_slot(1, WORLD_TWICE, 7);
    assert_int_equal(tm_slot_type(twice), TM_SLOT_SAME_TWICE);
    assert_true(tm_slot_word(twice) == UINT64_C(0x8000000780000007));
    tm_slot word = put_slot(2, WORLD_WORD, 7);
    assert_int_equal(tm_slot_type(word), TM_CODEC_SAME);
    assert_int_equal(tm_slot_bytes(word), sizeof(struct tm_block) + 8);
    assert_true(tm_slot_is_same_filled(word));
}

static void what_does_not_pay_is_stored_raw(void **state)
{
    (void)state;
    assert_int_equal(tm_slot_type(put_slot(0, WORLD_RAW, 1)), TM_CODEC_RAW);
    assert_int_equal(tm_slot_type(put_slot(1, WORLD_SHORT, 1)), TM_CODEC_LZ4);
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ENCODE), true, 1};
    tm_test_host_plan(&world.host, &plan);
    assert_int_equal(tm_slot_type(put_slot(2, WORLD_SHORT, 2)), TM_CODEC_RAW);
    assert_true(world_has(&world, 2));
}

/* An encoder that answers more than it may. */
static size_t encode_too_long(const struct tm_codec *codec, void *context, const void *page, void *out,
                              enum tm_codec_id *id)
{
    (void)codec;
    (void)context;
    memcpy(out, page, TM_PAGE_BYTES);
    *id = TM_CODEC_LZ4;
    return TM_CODEC_ENCODED_MAX + 1u;
}

static void an_encoding_longer_than_allowed_is_not_used(void **state)
{
    (void)state;
    world.store->codec.encode = encode_too_long;
    assert_int_equal(tm_slot_type(put_slot(0, WORLD_SHORT, 1)), TM_CODEC_RAW);
    assert_true(world_has(&world, 0));
}

static void a_replaced_page_gives_its_bytes_back(void **state)
{
    (void)state;
    for (unsigned sort = 0; sort < WORLD_SORTS; sort++)
        (void)put_slot(0, (enum world_sort)sort, 5);
    assert_int_equal(tm_store_blocks(world.store), 1);
    assert_int_equal(tm_heap_live_bytes(world.ephemeral), tm_slot_bytes(world.page[0].slot));
    world_drop(&world, 0);
    assert_int_equal(tm_store_blocks(world.store), 0);
    assert_int_equal(tm_heap_live_bytes(world.ephemeral), 0);
}

static void a_put_given_up_after_writing_leaves_nothing(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    struct tm_page_put put = world_prepare(&world, world.persistent, 0, WORLD_LONG, 1, page);
    assert_int_equal(tm_put_write(world.store, world.worker, &put), TM_WRITE_OK);
    tm_slot_release(world.store, TM_ARENA_PERSISTENT, put.slot);
    tm_put_finish(world.store, &put);
    tm_put_finish(world.store, &put); /* ending twice is ending once */
    assert_int_equal(tm_store_blocks(world.store), 0);
    assert_int_equal(tm_heap_live_bytes(world.persistent), 0);
}

static void rows_of_slots_are_released_as_one_by_one(void **state)
{
    (void)state;
    tm_slot slots[100] = {0};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(slots); i++) {
        bool shared = i % 7 == 6;
        if (i % 11 != 0)
            (void)put_slot(i, shared ? WORLD_SHORT : (enum world_sort)(i % WORLD_SORTS), shared ? 1000 : i);
    }
    for (unsigned i = 0; i < TM_ARRAY_SIZE(slots); i++) {
        slots[i] = world.page[i].slot;
        world.page[i] = (struct world_page){0};
    }
    tm_slots_release(world.store, TM_ARENA_EPHEMERAL, slots, TM_ARRAY_SIZE(slots));
    tm_slots_release(world.store, TM_ARENA_EPHEMERAL, slots, 1); /* a zero */
    assert_int_equal(tm_store_blocks(world.store), 0);
    assert_int_equal(tm_heap_live_bytes(world.ephemeral), 0);
}

/* ---- coded bytes ---- */

static bool read_stored(unsigned index, enum tm_codec_id *codec, unsigned char *body, uint32_t *body_bytes)
{
    const struct world_page *page = &world.page[index];
    assert_true(tm_pin(world.store, page->heap->kind, world.worker, 0, page->slot));
    bool done = tm_pinned_read_stored(world.store, world.worker, 0, TM_WORLD_HASH(index), TM_WORLD_NUMBER(index),
                                      codec, body, body_bytes);
    tm_unpin(world.worker, 0);
    return done;
}

static void put_stored(unsigned index, enum tm_codec_id codec, const void *body, uint32_t body_bytes)
{
    struct tm_page_put put = {.heap = world.persistent,
                              .hash = TM_WORLD_HASH(index),
                              .number = (uint8_t)TM_WORLD_NUMBER(index)};
    assert_true(tm_stored_check(world.store, world.worker, codec, body, body_bytes));
    tm_put_prepare_stored(world.store, world.worker, &put, codec, body, body_bytes);
    assert_int_equal(tm_put_write(world.store, world.worker, &put), TM_WRITE_OK);
    world_publish(&world, &put, index, world.page[0].sort, world.page[0].number);
}

static void coded_bytes_move_from_store_to_store(void **state)
{
    (void)state;
    unsigned char body[TM_PAGE_BYTES];
    for (unsigned sort = WORLD_WORD; sort < WORLD_SORTS; sort++) {
        enum tm_codec_id codec;
        uint32_t body_bytes;
        (void)put_slot(0, (enum world_sort)sort, 9);
        assert_true(read_stored(0, &codec, body, &body_bytes));
        put_stored(1, codec, body, body_bytes);
        assert_true(world_has(&world, 1));
        assert_int_equal(tm_slot_bytes(world.page[1].slot), tm_slot_bytes(world.page[0].slot));
    }
    uint64_t word = 3;
    (void)put_slot(0, WORLD_SMALL, word);
    put_stored(1, TM_CODEC_SAME, &word, sizeof word);
    assert_true(tm_slot_is_inline(world.page[1].slot));
    assert_true(world_has(&world, 1));
}

static void bytes_that_are_no_page_are_refused(void **state)
{
    (void)state;
    unsigned char body[TM_PAGE_BYTES] = {0};
    struct tm_store *store = world.store;
    struct tm_worker *worker = world.worker;
    assert_false(tm_stored_check(store, worker, TM_CODEC_RAW, body, TM_PAGE_BYTES - 1u));
    assert_false(tm_stored_check(store, worker, TM_CODEC_SAME, body, 7));
    assert_false(tm_stored_check(store, worker, TM_CODEC_LZ4, body, 0));
    assert_false(tm_stored_check(store, worker, TM_CODEC_LZ4, body, TM_CODEC_ENCODED_MAX + 1u));
    assert_false(tm_stored_check(store, worker, TM_CODEC_LZ4, body, 100));
    assert_false(tm_stored_check(store, worker, TM_CODEC_ZSTD, body, 100)); /* a codec that this store lacks */
    assert_false(tm_stored_check(store, worker, TM_CODEC_NONE, body, 100));
}

static void damaged_coded_bytes_are_not_handed_out(void **state)
{
    (void)state;
    unsigned char body[TM_PAGE_BYTES];
    enum tm_codec_id codec;
    uint32_t body_bytes;
    (void)put_slot(0, WORLD_LONG, 9);
    unsigned char *bytes = (unsigned char *)(world_block(&world, 0) + 1);
    bytes[100] ^= 1u;
    assert_false(read_stored(0, &codec, body, &body_bytes));
    assert_int_equal(world_figures(&world).corrupt_blocks, 1);
    bytes[100] ^= 1u;
    assert_true(read_stored(0, &codec, body, &body_bytes));
}

/* ---- no room ---- */

static void without_room_nothing_changes(void **state)
{
    (void)state;
    (void)put_slot(0, WORLD_RAW, 1);
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_SPAN), true, 1};
    tm_test_host_plan(&world.host, &plan);
    unsigned index = 1;
    while (world_put(&world, world.ephemeral, index, WORLD_RAW, index + 1u) == TM_WRITE_OK)
        index++;
    assert_int_equal(index, TM_SPAN_UNITS); /* a raw page a unit, and one span was there */
    assert_int_equal(world_count(&world), index);
    assert_int_equal(world_put(&world, world.ephemeral, 0, WORLD_RAW, 99), TM_WRITE_NO_ROOM);
    world_check(&world);
    tm_test_host_plan(&world.host, NULL);
    assert_int_equal(world_put(&world, world.ephemeral, 0, WORLD_RAW, 99), TM_WRITE_OK);
    assert_true(world_has(&world, 0));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_sort_comes_back),
        CASE(words_take_no_more_than_they_need),
        CASE(what_does_not_pay_is_stored_raw),
        CASE(an_encoding_longer_than_allowed_is_not_used),
        CASE(a_replaced_page_gives_its_bytes_back),
        CASE(a_put_given_up_after_writing_leaves_nothing),
        CASE(rows_of_slots_are_released_as_one_by_one),
        CASE(coded_bytes_move_from_store_to_store),
        CASE(bytes_that_are_no_page_are_refused),
        CASE(damaged_coded_bytes_are_not_handed_out),
        CASE(without_room_nothing_changes),
    };
    return cmocka_run_group_tests_name("put", tests, NULL, NULL);
}
