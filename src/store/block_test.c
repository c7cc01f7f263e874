/* SPDX-License-Identifier: BSD-2-Clause */
/* block_test.c - no bit of a stored block can change unseen, with every codec; and what a block that moved keeps. */
#include "store/world_test.h"

static struct world world;

/* A store with the codec of the libraries. */
static void start(enum tm_codec_id id)
{
    world_host(&world, 16, false);
    assert_true(tm_codec_create(id, 0, &world.codec));
    world_start(&world);
}

static bool verifies(unsigned index)
{
    const struct world_page *page = &world.page[index];
    return tm_block_verify(world.store, page->heap->kind, tm_slot_offset(page->slot), tm_slot_bytes(page->slot),
                           TM_WORLD_HASH(index), TM_WORLD_NUMBER(index), false);
}

/* Flips each bit of the page's block, header and padding included: each flip is found by reading and by verifying. */
static void flip_each_bit(unsigned index)
{
    unsigned char *block = (unsigned char *)world_block(&world, index);
    uint32_t bytes = tm_slot_bytes(world.page[index].slot);
    uint64_t flips = 0;
    assert_true(world_has(&world, index));
    for (uint32_t at = 0; at < bytes; at++) {
        for (unsigned bit = 0; bit < 8; bit++, flips++) {
            block[at] ^= (unsigned char)(1u << bit);
            bool is_generation = at >= offsetof(struct tm_block, word) + 4u && at < offsetof(struct tm_block, check);
            if (world_has(&world, index) || verifies(index))
                fail_msg("bit %u of byte %u of %u changed unseen%s", bit, at, bytes,
                         is_generation ? " (generation)" : "");
            block[at] ^= (unsigned char)(1u << bit);
        }
    }
    assert_int_equal(world_figures(&world).corrupt_blocks, flips);
    assert_true(world_has(&world, index));
    assert_true(verifies(index));
}

static void check_codec(enum tm_codec_id id, enum world_sort sort, enum tm_codec_id stored_as)
{
    start(id);
    /* The second page is not the first block of its segment, nor is it the last. */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world_put(&world, i == 1 ? world.persistent : world.ephemeral, i, sort, 77 + i), TM_WRITE_OK);
    assert_int_equal(tm_slot_type(world.page[2].slot), stored_as);
    flip_each_bit(2);
    world_fini(&world);
}

static void any_flip_in_a_raw_block_is_found(void **state)
{
    (void)state;
    check_codec(TM_CODEC_RAW, WORLD_RAW, TM_CODEC_RAW);
}

static void any_flip_in_an_lz4_block_is_found(void **state)
{
    (void)state;
    check_codec(TM_CODEC_LZ4, WORLD_LONG, TM_CODEC_LZ4);
    check_codec(TM_CODEC_LZ4, WORLD_SHORT, TM_CODEC_LZ4);
}

static void any_flip_in_a_zstd_block_is_found(void **state)
{
    (void)state;
    check_codec(TM_CODEC_ZSTD, WORLD_LONG, TM_CODEC_ZSTD);
    check_codec(TM_CODEC_ZSTD, WORLD_SHORT, TM_CODEC_ZSTD);
}

static void any_flip_in_a_same_filled_block_is_found(void **state)
{
    (void)state;
    check_codec(TM_CODEC_LZ4, WORLD_WORD, TM_CODEC_SAME);
}

static void a_flip_is_found_after_the_block_moved_too(void **state)
{
    (void)state;
    start(TM_CODEC_LZ4);
    assert_int_equal(world_put(&world, world.ephemeral, 1, WORLD_SHORT, 1), TM_WRITE_OK);
    assert_int_equal(world_put(&world, world.ephemeral, 2, WORLD_SHORT, 2), TM_WRITE_OK);
    /* Damaged before the move ... */
    unsigned char *body = (unsigned char *)(world_block(&world, 2) + 1);
    body[5] ^= 8u;
    tm_slot from = world.page[2].slot;
    tm_heap_seal(world.ephemeral);
    assert_true(tm_heap_clean(world.store, world.worker, world.ephemeral, 0));
    assert_false(tm_slot_same(from, world.page[2].slot));
    assert_true(world_has(&world, 1));
    assert_false(world_has(&world, 2));
    assert_int_equal(world_figures(&world).corrupt_blocks, 1);
    world_drop(&world, 2);
    /* ... and after. */
    world.store->corrupt_blocks = 0;
    flip_each_bit(1);
    world_fini(&world);
}

static void a_block_is_not_taken_for_another(void **state)
{
    (void)state;
    unsigned char page[TM_PAGE_BYTES];
    start(TM_CODEC_LZ4);
    assert_int_equal(world_put(&world, world.ephemeral, 3, WORLD_SHORT, 1), TM_WRITE_OK);
    tm_slot slot = world.page[3].slot;
    uint64_t offset = tm_slot_offset(slot);
    uint32_t bytes = tm_slot_bytes(slot);
    struct tm_store *store = world.store;
    assert_true(tm_block_verify(store, TM_ARENA_EPHEMERAL, offset, bytes, TM_WORLD_HASH(3), 3, false));
    assert_false(tm_block_verify(store, TM_ARENA_EPHEMERAL, offset, bytes, TM_WORLD_HASH(4), 3, false));
    assert_false(tm_block_verify(store, TM_ARENA_EPHEMERAL, offset, bytes, TM_WORLD_HASH(3), 4, false));
    assert_false(tm_block_verify(store, TM_ARENA_EPHEMERAL, offset, bytes, TM_WORLD_HASH(3), 3, true));
    assert_false(tm_block_verify(store, TM_ARENA_EPHEMERAL, offset, bytes + 8, TM_WORLD_HASH(3), 3, false));
    assert_false(tm_block_verify(store, TM_ARENA_EPHEMERAL, offset, 16, TM_WORLD_HASH(3), 3, false));
    assert_true(tm_pin(store, TM_ARENA_EPHEMERAL, world.worker, 0, slot));
    assert_false(tm_pinned_read(store, world.worker, 0, TM_WORLD_HASH(3), 4, page));
    assert_true(tm_pinned_read(store, world.worker, 0, TM_WORLD_HASH(3), 3, page));
    tm_unpin(world.worker, 0);
    world_fini(&world);
}

/* A hash that is wrong once: as when memory has a bad moment, or the caller's buffer changes under the copy. */
static uint64_t (*real_copy_hash)(void *to, const void *from, size_t size, uint64_t seed);
static unsigned wrong_hashes;

static uint64_t wrong_copy_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    uint64_t right = real_copy_hash(to, from, size, seed);
    return wrong_hashes != 0 ? (wrong_hashes--, ~right) : right;
}

static void a_page_is_read_again_before_it_is_called_damaged(void **state)
{
    (void)state;
    start(TM_CODEC_RAW);
    assert_int_equal(world_put(&world, world.ephemeral, 0, WORLD_RAW, 1), TM_WRITE_OK);
    real_copy_hash = world.store->codec.copy_hash;
    world.store->codec.copy_hash = wrong_copy_hash;
    wrong_hashes = 1;
    assert_true(world_has(&world, 0));
    assert_int_equal(world_figures(&world).corrupt_blocks, 0);
    wrong_hashes = 2;
    assert_false(world_has(&world, 0));
    assert_int_equal(world_figures(&world).corrupt_blocks, 1);
    world_fini(&world);
}

/* Writes a block that nobody's put would, with a right checksum. */
static tm_slot write_odd_block(unsigned index, unsigned codec, uint32_t body_bytes, struct tm_reservation *at)
{
    unsigned char body[TM_PAGE_BYTES] = {1, 2, 3};
    struct tm_store *store = world.store;
    assert_true(tm_heap_reserve(world.ephemeral, 0, body_bytes, TM_TIER_NORMAL, at));
    uint64_t word = (uint64_t)codec << 19 | (uint64_t)TM_WORLD_NUMBER(index) << 13 | body_bytes;
    uint64_t body_hash = tm_block_fill(store, TM_ARENA_EPHEMERAL, at, body, body_bytes, NULL);
    tm_block_seal(store, TM_ARENA_EPHEMERAL, at, TM_WORLD_HASH(index), 0, word, body_hash);
    return tm_slot_make(codec, tm_block_bytes(body_bytes), at->offset, false);
}

static void whole_blocks_that_decode_to_no_page_are_damaged(void **state)
{
    (void)state;
    static const struct {
        unsigned codec;
        uint32_t bytes;
    } odd[] = {{TM_CODEC_RAW, 4000}, {TM_CODEC_SAME, 16}, {TM_CODEC_LZ4, 40}, {TM_CODEC_IDS - 1u, 40}};
    unsigned char page[TM_PAGE_BYTES];
    start(TM_CODEC_LZ4);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(odd); i++) {
        struct tm_reservation at;
        tm_slot slot = write_odd_block(i, odd[i].codec, odd[i].bytes, &at);
        assert_true(tm_block_verify(world.store, TM_ARENA_EPHEMERAL, at.offset, tm_slot_bytes(slot), TM_WORLD_HASH(i),
                                    TM_WORLD_NUMBER(i), false));
        assert_true(tm_pin(world.store, TM_ARENA_EPHEMERAL, world.worker, 0, slot));
        assert_false(tm_pinned_read(world.store, world.worker, 0, TM_WORLD_HASH(i), TM_WORLD_NUMBER(i), page));
        tm_unpin(world.worker, 0);
        assert_int_equal(world_figures(&world).corrupt_blocks, i + 1u);
        tm_heap_unreserve(world.ephemeral, &at, odd[i].bytes);
    }
    world_fini(&world);
}

static void a_length_above_a_page_is_not_decoded(void **state)
{
    (void)state;
    static struct {
        struct tm_block block;
        unsigned char body[TM_PAGE_BYTES + 64u];
    } odd;
    unsigned char page[TM_PAGE_BYTES];
    start(TM_CODEC_LZ4);
    odd.block.word = (uint64_t)TM_CODEC_LZ4 << 19 | (TM_PAGE_BYTES + 1u);
    assert_false(tm_block_decode(world.store, world.worker, &odd.block, page));
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_flip_in_a_raw_block_is_found),
        cmocka_unit_test(any_flip_in_an_lz4_block_is_found),
        cmocka_unit_test(any_flip_in_a_zstd_block_is_found),
        cmocka_unit_test(any_flip_in_a_same_filled_block_is_found),
        cmocka_unit_test(a_flip_is_found_after_the_block_moved_too),
        cmocka_unit_test(a_block_is_not_taken_for_another),
        cmocka_unit_test(a_page_is_read_again_before_it_is_called_damaged),
        cmocka_unit_test(whole_blocks_that_decode_to_no_page_are_damaged),
        cmocka_unit_test(a_length_above_a_page_is_not_decoded),
    };
    return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
