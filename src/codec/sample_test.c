/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_test.c - same-filled pages are found and made; random pages are refused early, and pages
 * that would shrink practically never.
 */
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "codec/library.h"

static uint64_t random_state = 11;

static void fill_random(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(tm_random_next(&random_state) >> 32);
}

static void same_filled_pages_are_found(void **state)
{
    static const uint64_t words[] = {0, UINT64_MAX, 1, UINT64_C(0x4141414141414141), UINT64_C(0x0123456789abcdef)};
    unsigned char memory[TM_PAGE_BYTES + 16];
    (void)state;
    for (size_t i = 0; i < TM_ARRAY_SIZE(words); i++)
        for (size_t shift = 0; shift <= 8; shift++) {
            uint64_t word = ~words[i];
            memset(memory, 0x77, sizeof memory);
            tm_same_fill(memory + shift, words[i]);
            assert_true(tm_same_filled(memory + shift, &word));
            assert_true(word == words[i]);
            assert_int_equal(memory[shift + TM_PAGE_BYTES], 0x77);
            assert_true(shift == 0 || memory[shift - 1] == 0x77);
        }
}

static void any_other_bit_makes_a_page_not_same_filled(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    uint64_t word = 42;
    (void)state;
    tm_same_fill(page, UINT64_C(0x0101010101010101));
    for (size_t bit = 0; bit < 8 * sizeof page; bit++) {
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(tm_same_filled(page, &word));
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_true(word == 42);
    assert_true(tm_same_filled(page, &word));
}

static void random_pages_are_refused(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    unsigned refused = 0;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        fill_random(page, sizeof page);
        refused += !tm_looks_compressible(page);
    }
    print_message("random pages refused: %u of 10000\n", refused);
    assert_in_range(refused, 9900, 10000);
}

/* A quarter of the page is something regular, at any place: an encoder would save a fifth. */
static void partly_regular_pages_pass(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    unsigned refused = 0;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        size_t at = (size_t)tm_random_next(&random_state) % (sizeof page - sizeof page / 4 + 1);
        fill_random(page, sizeof page);
        for (size_t k = 0; k < sizeof page / 4; k++)
            page[at + k] = (unsigned char)(i % 2 == 0 ? 0 : "put get invalidate "[k % 19]);
        refused += !tm_looks_compressible(page);
    }
    print_message("three quarters random, refused: %u of 10000\n", refused);
    assert_in_range(refused, 0, 50);
}

struct tally {
    void *encoder;
    unsigned worth;   /* pages that shrink by a fifth */
    unsigned refused; /* of them */
};

/* Tallies the pages of a library's file. */
static int look_at_library(struct dl_phdr_info *info, size_t size, void *data)
{
    struct tally *tally = data;
    unsigned char page[TM_PAGE_BYTES];
    unsigned char out[TM_PAGE_BYTES];
    FILE *file = fopen(info->dlpi_name, "rb");
    (void)size;
    while (file != NULL && fread(page, sizeof page, 1, file) == 1) {
        size_t encoded = tm_library_lz4.encode(tally->encoder, page, out);
        if (encoded == 0 || encoded > TM_PAGE_BYTES * 4 / 5)
            continue;
        tally->worth++;
        tally->refused += !tm_looks_compressible(page);
    }
    return file != NULL ? fclose(file) : 0;
}

static void real_pages_pass(void **state)
{
    struct tally tally = {malloc(tm_library_lz4.encoder_bytes(0)), 0, 0};
    (void)state;
    assert_non_null(tally.encoder);
    assert_int_equal(dl_iterate_phdr(look_at_library, &tally), 0);
    free(tally.encoder);
    print_message("pages of this program's libraries that shrink by a fifth: %u, refused: %u\n", tally.worth,
                  tally.refused);
    assert_in_range(tally.worth, 100, 1000000);
    assert_in_range(tally.refused, 0, tally.worth / 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_filled_pages_are_found),
        cmocka_unit_test(any_other_bit_makes_a_page_not_same_filled),
        cmocka_unit_test(random_pages_are_refused),
        cmocka_unit_test(partly_regular_pages_pass),
        cmocka_unit_test(real_pages_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
