/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_test.c - every variant of the page hash gives the library's value, for every size, alignment
 * and seed tried, and reads nothing beyond its input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/mix.h"
#include "codec/codec.h"
#include "codec/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define GUARDED_BYTES 16384u

/* Random bytes that end where nothing may be read. */
static unsigned char *guarded;

static const uint64_t seeds[] = {0, 1, UINT64_C(0x8000000000000000), UINT64_MAX, UINT64_C(0x0123456789abcdef)};

static int set_up(void **state)
{
    uint64_t random = 7;
    (void)state;
    guarded = mmap(NULL, 2 * GUARDED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded == MAP_FAILED || mprotect(guarded + GUARDED_BYTES, GUARDED_BYTES, PROT_NONE) != 0)
        return -1;
    for (size_t i = 0; i < GUARDED_BYTES; i++)
        guarded[i] = (unsigned char)tm_random_next(&random);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(guarded, 2 * GUARDED_BYTES);
}

static void compare(const struct tm_hash_variant *variant, const unsigned char *bytes, size_t size, uint64_t seed)
{
    static unsigned char copy[GUARDED_BYTES + 64];
    uint64_t expected = XXH3_64bits_withSeed(bytes, size, seed);
    size_t shift = size % 64;
    if (variant->hash(bytes, size, seed) != expected)
        fail_msg("%s differs from the library at %zu bytes", variant->name, size);
    copy[shift + size] = 0x5a;
    if (variant->copy_hash(copy + shift, bytes, size, seed) != expected)
        fail_msg("%s differs from the library at %zu bytes copied", variant->name, size);
    assert_memory_equal(copy + shift, bytes, size);
    assert_int_equal(copy[shift + size], 0x5a);
    memset(copy + shift, 0x33, size);
    if (variant->copy_out_hash(copy + shift, bytes, size, seed) != expected)
        fail_msg("%s differs from the library at %zu bytes copied past the cache", variant->name, size);
    assert_memory_equal(copy + shift, bytes, size);
    assert_int_equal(copy[shift + size], 0x5a);
}

static void every_size_up_to_the_guard(void **state)
{
    (void)state;
    for (size_t v = 0; v < tm_hash_variant_count; v++) {
        if (!tm_hash_variants[v]->runs_here()) {
            print_message("this CPU lacks %s: variant not tried\n", tm_hash_variants[v]->name);
            continue;
        }
        for (size_t size = 0; size <= TM_PAGE_BYTES + 70; size++)
            compare(tm_hash_variants[v], guarded + GUARDED_BYTES - size, size, seeds[size % TM_ARRAY_SIZE(seeds)]);
    }
}

static void every_alignment_and_seed(void **state)
{
    static const size_t sizes[] = {1, 8, 16, 17, 128, 129, 240, 241, 256, 1023, 1024, 1025, 2048, 3584, 4096, 8192};
    (void)state;
    for (size_t v = 0; v < tm_hash_variant_count; v++)
        for (size_t shift = 0; shift < 64 && tm_hash_variants[v]->runs_here(); shift++)
            for (size_t i = 0; i < TM_ARRAY_SIZE(sizes); i++)
                for (size_t k = 0; k < TM_ARRAY_SIZE(seeds); k++)
                    compare(tm_hash_variants[v], guarded + shift, sizes[i], seeds[k]);
}

/* What is stored in an arena must be found again by every later build. */
static void values_never_change(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    struct tm_codec codec;
    (void)state;
    for (size_t i = 0; i < sizeof page; i++)
        page[i] = (unsigned char)(i * 7 + i / 256);
    assert_true(tm_codec_create(TM_CODEC_RAW, 0, &codec));
    assert_true(codec.hash("", 0, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(codec.hash(page, 100, 5) == UINT64_C(0xd137572f0bfeba15));
    assert_true(codec.hash(page, 1500, 5) == UINT64_C(0x809cc6a1a2958ae3));
    assert_true(codec.hash(page, sizeof page, 5) == UINT64_C(0x29bde2b66851eabb));
}

static void any_bit_changes_the_hash(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    const struct tm_hash_variant *variant = tm_hash_choose();
    uint64_t before;
    (void)state;
    memcpy(page, guarded, sizeof page);
    before = variant->hash(page, sizeof page, 3);
    assert_true(before != variant->hash(page, sizeof page, 4));
    for (size_t bit = 0; bit < 8 * sizeof page; bit++) {
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (variant->hash(page, sizeof page, 3) == before)
            fail_msg("bit %zu does not matter", bit);
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void the_best_variant_is_chosen(void **state)
{
    const struct tm_hash_variant *chosen = tm_hash_choose();
    struct tm_codec codec;
    (void)state;
    assert_true(chosen->runs_here());
    for (size_t v = 0; tm_hash_variants[v] != chosen; v++)
        assert_false(tm_hash_variants[v]->runs_here());
    assert_true(tm_hash_variants[tm_hash_variant_count - 1]->runs_here());
    assert_true(tm_codec_create(TM_CODEC_RAW, 0, &codec));
    assert_ptr_equal(codec.hash, chosen->hash);
    assert_ptr_equal(codec.copy_hash, chosen->copy_hash);
    assert_ptr_equal(codec.copy_out_hash, chosen->copy_out_hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_up_to_the_guard),
        cmocka_unit_test(every_alignment_and_seed),
        cmocka_unit_test(values_never_change),
        cmocka_unit_test(any_bit_changes_the_hash),
        cmocka_unit_test(the_best_variant_is_chosen),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
