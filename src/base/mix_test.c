/* SPDX-License-Identifier: BSD-2-Clause */
/* mix_test.c - mixing of words, the same on every machine; and the small helpers of base.h. */
#include "base/mix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/atomic.h"

static void the_folded_product_is_that_of_128_bits(void **state)
{
    static const uint64_t known[][3] = {
        {UINT64_C(0x0), UINT64_C(0x5), UINT64_C(0x0)},
        {UINT64_C(0x1), UINT64_C(0x1), UINT64_C(0x1)},
        {UINT64_C(0xffffffffffffffff), UINT64_C(0xffffffffffffffff), UINT64_C(0xffffffffffffffff)},
        {UINT64_C(0xffffffffffffffff), UINT64_C(0x2), UINT64_C(0xffffffffffffffff)},
        {UINT64_C(0x123456789abcdef0), UINT64_C(0xfedcba9876543210), UINT64_C(0x317228f48165bb22)},
        {UINT64_C(0x100000000), UINT64_C(0x100000000), UINT64_C(0x1)},
        {UINT64_C(0xffffffff), UINT64_C(0xffffffff), UINT64_C(0xfffffffe00000001)},
        {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xc9d874ca57d9e055)},
    };
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(known); i++) {
        assert_true(tm_fold_multiply(known[i][0], known[i][1]) == known[i][2]);
        assert_true(tm_fold_multiply(known[i][1], known[i][0]) == known[i][2]);
    }
}

static void any_bit_changes_about_half_of_a_scrambled_word(void **state)
{
    uint64_t random = 1;
    uint64_t changed = 0;
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t word = tm_random_next(&random);
        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t difference = tm_scramble(word) ^ tm_scramble(word ^ UINT64_C(1) << bit);
            assert_true(difference != 0);
            changed += (uint64_t)__builtin_popcountll(difference);
        }
    }
    assert_in_range(changed / 200u, 64u * 30u, 64u * 34u);
}

static void every_part_of_a_handle_changes_its_hash(void **state)
{
    const uint64_t seed[4] = {11, 22, 33, 44};
    const uint64_t other_seed[4] = {11, 22, 33, 45};
    const uint64_t object[3] = {1, 2, 3};
    uint64_t hash = tm_mix_handle(seed, 7, object, 9);
    (void)state;
    assert_true(hash == tm_mix_handle(seed, 7, object, 9));
    assert_true(hash != tm_mix_handle(other_seed, 7, object, 9));
    assert_true(hash != tm_mix_handle(seed, 8, object, 9));
    assert_true(hash != tm_mix_handle(seed, 7, object, 10));
    assert_true(hash != tm_mix_handle(seed, 9, object, 7));
    for (unsigned i = 0; i < 3; i++) {
        uint64_t changed[3] = {1, 2, 3};
        changed[i]++;
        assert_true(hash != tm_mix_handle(seed, 7, changed, 9));
    }
}

static void neighbouring_pages_spread_over_all_buckets(void **state)
{
    const uint64_t seed[4] = {1, 2, 3, 4};
    unsigned in_bucket[256] = {0};
    (void)state;
    for (uint64_t object = 0; object < 256; object++)
        for (uint64_t number = 0; number < 64; number++) {
            const uint64_t id[3] = {object, 0, 0};
            in_bucket[tm_mix_handle(seed, 1, id, number) & 255u]++;
        }
    for (unsigned i = 0; i < 256; i++)
        assert_in_range(in_bucket[i], 64 - 40, 64 + 40);
}

static void sums_and_products_say_whether_they_fit(void **state)
{
    uint64_t result = 5;
    (void)state;
    assert_false(tm_add_u64(UINT64_MAX, 1, &result));
    assert_false(tm_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &result));
    assert_int_equal(result, 5);
    assert_true(tm_add_u64(UINT64_MAX - 1u, 1, &result));
    assert_true(result == UINT64_MAX);
    assert_true(tm_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 31, &result));
    assert_true(result == UINT64_C(1) << 63);
}

static void small_helpers_do_as_they_are_named(void **state)
{
    (void)state;
    assert_int_equal(tm_min_u64(3, 4), 3);
    assert_int_equal(tm_min_u64(4, 3), 3);
    assert_int_equal(tm_max_u64(3, 4), 4);
    assert_int_equal(tm_max_u64(4, 3), 4);
    assert_int_equal(tm_round_up(0, 8), 0);
    assert_int_equal(tm_round_up(1, 8), 8);
    assert_int_equal(tm_round_up(8, 8), 8);
    assert_true(tm_is_power_of_two(64));
    assert_false(tm_is_power_of_two(0));
    assert_false(tm_is_power_of_two(65));
    assert_int_equal(tm_log2(1), 0);
    assert_int_equal(tm_log2(255), 7);
    assert_int_equal(tm_log2(UINT64_MAX), 63);
    assert_int_equal(tm_count_trailing_zeros(UINT64_C(1) << 40), 40);
}

/* ---- atomic words ---- */

struct after_a_byte {
    uint8_t byte;
    tm_atomic64 word;
};

static void atomic_words_lie_in_one_cache_line(void **state)
{
    struct after_a_byte row[16];
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(row); i++)
        assert_int_equal((uintptr_t)&row[i].word % sizeof row[i].word, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folded_product_is_that_of_128_bits),
        cmocka_unit_test(any_bit_changes_about_half_of_a_scrambled_word),
        cmocka_unit_test(every_part_of_a_handle_changes_its_hash),
        cmocka_unit_test(neighbouring_pages_spread_over_all_buckets),
        cmocka_unit_test(sums_and_products_say_whether_they_fit),
        cmocka_unit_test(small_helpers_do_as_they_are_named),
        cmocka_unit_test(atomic_words_lie_in_one_cache_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
