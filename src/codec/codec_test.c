/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_test.c - every codec of this build: pages come back as they were, and no bytes that claim to
 * be a page, cut, flipped or made up, make a decoder leave its buffers.
 *
 * Every buffer is one page of memory between two that may not be touched; what is shorter lies at
 * its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/mix.h"
#include "codec/codec.h"

/* Everything that can encode, at the ends and in the middle of its levels. */
static const struct encoder {
    enum tm_codec_id id;
    int level;
} encoders[] = {
    {TM_CODEC_RAW, 0},
    {TM_CODEC_LZ4, 0},
    {TM_CODEC_ZSTD, -7},
    {TM_CODEC_ZSTD, -1},
    {TM_CODEC_ZSTD, 0},
    {TM_CODEC_ZSTD, 1},
    {TM_CODEC_ZSTD, 9},
    {TM_CODEC_ZSTD, 19},
#ifdef TM_WITH_LZO
    {TM_CODEC_LZO, 0},
#endif
};

#define PAGE_KINDS 6

struct bench {
    unsigned char *page, *in, *out; /* one page each, guarded on both sides */
    struct tm_codec codec;
    void *context;
    unsigned char encoded[TM_PAGE_BYTES];
    size_t encoded_size;
    enum tm_codec_id encoded_id;
};

static struct bench bench;

static unsigned char *guarded_page(void)
{
    unsigned char *memory =
        mmap(NULL, 3 * TM_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + TM_PAGE_BYTES, TM_PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
    return memory + TM_PAGE_BYTES;
}

static int set_up(void **state)
{
    (void)state;
    bench.page = guarded_page();
    bench.in = guarded_page();
    bench.out = guarded_page();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(bench.page - TM_PAGE_BYTES, 3 * TM_PAGE_BYTES) |
           munmap(bench.in - TM_PAGE_BYTES, 3 * TM_PAGE_BYTES) |
           munmap(bench.out - TM_PAGE_BYTES, 3 * TM_PAGE_BYTES);
}

/* Starts over with this encoder; end with drop_codec(). */
static void take_codec(const struct encoder *encoder)
{
    assert_true(tm_codec_create(encoder->id, encoder->level, &bench.codec));
    bench.context = aligned_alloc(TM_CACHE_LINE, (size_t)tm_round_up(bench.codec.context_bytes, TM_CACHE_LINE));
    assert_non_null(bench.context);
    memset(bench.context, 0, bench.codec.context_bytes);
    assert_true(bench.codec.context_init(&bench.codec, bench.context));
}

static void drop_codec(void)
{
    free(bench.context);
}

/* Pages of different nature into bench.page; the last kind is the only one nothing can shrink. */
static void make_page(unsigned kind)
{
    static const char text[] = "the store may drop any page at any time: a second-chance cache. ";
    uint64_t random = kind + 1;
    uint64_t walk = 0;
    for (size_t i = 0; i < TM_PAGE_BYTES; i++) {
        uint64_t r = tm_random_next(&random) >> 20;
        if (i % 8 == 0)
            walk += r % 64;
        switch (kind) {
        case 0:
            bench.page[i] = (unsigned char)text[i % 61];
            break;
        case 1:
            bench.page[i] = (unsigned char)(r % 16 == 0 ? r >> 8 : 0);
            break;
        case 2:
            bench.page[i] = (unsigned char)text[r % (sizeof text - 1)];
            break;
        case 3:
            bench.page[i] = (unsigned char)(walk >> 8 * (i % 8));
            break;
        case 4:
            bench.page[i] = (unsigned char)(i < TM_PAGE_BYTES / 2 ? r : 3);
            break;
        default:
            bench.page[i] = (unsigned char)r;
            break;
        }
    }
}

/* Encodes bench.page, decodes it again, and keeps the encoded form. False: it did not pay. */
static bool round_trip(void)
{
    bench.encoded_id = TM_CODEC_NONE;
    bench.encoded_size =
        bench.codec.encode(&bench.codec, bench.context, bench.page, bench.out, &bench.encoded_id);
    if (bench.encoded_size == 0)
        return false;
    assert_in_range(bench.encoded_size, 1, TM_CODEC_ENCODED_MAX);
    assert_int_equal(bench.encoded_id, bench.codec.encodes);
    memcpy(bench.encoded, bench.out, bench.encoded_size);
    return true;
}

/* Decodes @size bytes that end at the guard. */
static bool decode(enum tm_codec_id id, const void *bytes, size_t size)
{
    unsigned char *in = bench.in + TM_PAGE_BYTES - size;
    memcpy(in, bytes, size);
    return bench.codec.decode(&bench.codec, bench.context, id, in, size, bench.out);
}

static void expect_page(enum tm_codec_id id)
{
    memset(bench.out, 0xee, TM_PAGE_BYTES);
    assert_true(decode(id, bench.encoded, bench.encoded_size));
    assert_memory_equal(bench.out, bench.page, TM_PAGE_BYTES);
}

static void pages_come_back(void **state)
{
    (void)state;
    for (size_t e = 0; e < TM_ARRAY_SIZE(encoders); e++) {
        take_codec(&encoders[e]);
        for (unsigned kind = 0; kind < PAGE_KINDS; kind++) {
            make_page(kind);
            if (round_trip())
                expect_page(bench.encoded_id);
            else
                assert_true(encoders[e].id == TM_CODEC_RAW || kind == PAGE_KINDS - 1 || kind == 2 || kind == 4);
        }
        drop_codec();
    }
}

/* What one store has encoded is decoded by any other, whatever that one encodes with. */
static void every_table_decodes_every_codec(void **state)
{
    (void)state;
    make_page(0);
    for (size_t e = 1; e < TM_ARRAY_SIZE(encoders); e++) {
        take_codec(&encoders[e]);
        assert_true(round_trip());
        drop_codec();
        for (size_t d = 0; d < TM_ARRAY_SIZE(encoders); d++) {
            take_codec(&encoders[d]);
            assert_true(bench.codec.knows(&bench.codec, encoders[e].id));
            expect_page(encoders[e].id);
            drop_codec();
        }
    }
}

static void truncated_pages_are_refused(void **state)
{
    (void)state;
    for (size_t e = 1; e < TM_ARRAY_SIZE(encoders); e++) {
        take_codec(&encoders[e]);
        for (unsigned kind = 0; kind < PAGE_KINDS; kind++) {
            make_page(kind);
            if (!round_trip())
                continue;
            for (size_t size = 0; size < bench.encoded_size; size++)
                if (decode(bench.encoded_id, bench.encoded, size))
                    fail_msg("%s decodes %zu of %zu bytes", tm_codec_name(bench.encoded_id), size,
                             bench.encoded_size);
            expect_page(bench.encoded_id);
        }
        drop_codec();
    }
}

static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    for (size_t e = 1; e < TM_ARRAY_SIZE(encoders); e++) {
        take_codec(&encoders[e]);
        for (unsigned kind = 0; kind < PAGE_KINDS; kind++) {
            make_page(kind);
            if (!round_trip())
                continue;
            for (size_t bit = 0; bit < 8 * bench.encoded_size; bit++) {
                bench.encoded[bit / 8] ^= (unsigned char)(1u << bit % 8);
                (void)decode(bench.encoded_id, bench.encoded, bench.encoded_size);
                bench.encoded[bit / 8] ^= (unsigned char)(1u << bit % 8);
            }
            expect_page(bench.encoded_id);
        }
        drop_codec();
    }
}

static void garbage_does_no_harm(void **state)
{
    unsigned char garbage[TM_PAGE_BYTES];
    uint64_t random = 5;
    unsigned accepted = 0;
    (void)state;
    take_codec(&encoders[0]);
    for (unsigned round = 0; round < 3000; round++) {
        size_t size = (size_t)tm_random_next(&random) % (sizeof garbage + 1);
        for (size_t i = 0; i < size; i++)
            garbage[i] = (unsigned char)(tm_random_next(&random) >> 40 >> round % 5);
        for (int id = -1; id <= TM_CODEC_IDS; id++)
            if (id != TM_CODEC_RAW && id != TM_CODEC_SAME)
                accepted += decode((enum tm_codec_id)id, garbage, size);
    }
    drop_codec();
    print_message("random bytes taken for pages: %u\n", accepted);
    assert_in_range(accepted, 0, 3000);
}

static void unknown_codecs_are_refused(void **state)
{
    static const int unknown[] = {TM_CODEC_NONE, 6, 7, TM_CODEC_IDS, 255, -1, INT32_MAX, INT32_MIN};
    unsigned char bytes[TM_PAGE_BYTES] = {0};
    (void)state;
    take_codec(&encoders[0]);
    for (size_t i = 0; i < TM_ARRAY_SIZE(unknown); i++) {
        enum tm_codec_id id = (enum tm_codec_id)unknown[i];
        assert_false(bench.codec.knows(&bench.codec, id));
        assert_null(tm_codec_name(id));
        for (size_t size = 0; size <= sizeof bytes; size += 8)
            assert_false(decode(id, bytes, size));
    }
#ifndef TM_WITH_LZO
    assert_false(bench.codec.knows(&bench.codec, TM_CODEC_LZO));
    assert_false(decode(TM_CODEC_LZO, bytes, 100));
#endif
    drop_codec();
}

static void raw_and_same_filled_pages_are_decoded(void **state)
{
    const uint64_t word = UINT64_C(0x1122334455667788);
    (void)state;
    take_codec(&encoders[1]);
    assert_true(bench.codec.knows(&bench.codec, TM_CODEC_RAW));
    assert_true(bench.codec.knows(&bench.codec, TM_CODEC_SAME));
    make_page(2);
    for (size_t size = 0; size < TM_PAGE_BYTES; size++)
        assert_false(decode(TM_CODEC_RAW, bench.page, size));
    assert_true(decode(TM_CODEC_RAW, bench.page, TM_PAGE_BYTES));
    assert_memory_equal(bench.out, bench.page, TM_PAGE_BYTES);
    for (size_t size = 0; size <= 16; size++)
        assert_int_equal(decode(TM_CODEC_SAME, (uint64_t[]){word, word}, size), size == sizeof word);
    assert_true(decode(TM_CODEC_SAME, &word, sizeof word));
    tm_same_fill(bench.page, word);
    assert_memory_equal(bench.out, bench.page, TM_PAGE_BYTES);
    drop_codec();
}

/* A table that was not made by tm_codec_create(). */
static void a_table_of_no_codec_encodes_nothing(void **state)
{
    enum tm_codec_id id = TM_CODEC_NONE;
    (void)state;
    make_page(0);
    take_codec(&encoders[1]);
    bench.codec.encodes = TM_CODEC_IDS;
    assert_true(bench.codec.context_init(&bench.codec, bench.context));
    assert_int_equal(bench.codec.encode(&bench.codec, bench.context, bench.page, bench.out, &id), 0);
    assert_int_equal(id, TM_CODEC_NONE);
    drop_codec();
}

static void what_a_build_lacks_is_refused(void **state)
{
    static const struct encoder wrong[] = {
        {TM_CODEC_NONE, 0},
        {TM_CODEC_SAME, 0},
        {TM_CODEC_RAW, 1},
        {TM_CODEC_LZ4, 1},
        {TM_CODEC_LZ4, -1},
        {TM_CODEC_ZSTD, -8},
        {TM_CODEC_ZSTD, 20},
        {TM_CODEC_IDS, 0},
#ifndef TM_WITH_LZO
        {TM_CODEC_LZO, 0},
#endif
    };
    struct tm_codec codec = {.level = 1234};
    (void)state;
    for (size_t i = 0; i < TM_ARRAY_SIZE(wrong); i++) {
        assert_false(tm_codec_create(wrong[i].id, wrong[i].level, &codec));
        assert_int_equal(codec.level, 1234);
    }
    assert_true(tm_codec_create(TM_CODEC_ZSTD, 0, &codec));
    assert_int_equal(codec.level, 3);
}

/* The first @at and what is behind @size bytes of bench.out stay as they were. */
static void copy_out_and_compare(void (*copy)(void *, const void *, size_t), size_t at, size_t size)
{
    memset(bench.out, 0xee, TM_PAGE_BYTES);
    copy(bench.out + at, bench.in, size);
    for (size_t i = 0; i < TM_PAGE_BYTES; i++)
        assert_int_equal(bench.out[i], i < at || i >= at + size ? 0xee : bench.in[i - at]);
}

static void copies_past_the_cache_are_whole_and_touch_nothing_else(void **state)
{
    void (*const copies[])(void *, const void *, size_t) = {tm_copy_out, tm_copy_out_anywhere};
    (void)state;
    for (size_t i = 0; i < TM_PAGE_BYTES; i++)
        bench.in[i] = (unsigned char)tm_scramble(i);
    for (size_t i = 0; i < TM_ARRAY_SIZE(copies); i++) {
        for (size_t at = 0; at <= 2 * TM_CACHE_LINE; at += 8)
            for (size_t size = 0; at + size <= TM_PAGE_BYTES; size += 121)
                copy_out_and_compare(copies[i], at, size);
        copy_out_and_compare(copies[i], 0, TM_PAGE_BYTES);
    }
}

static void names_are_those_of_uris(void **state)
{
    (void)state;
    assert_string_equal(tm_codec_name(TM_CODEC_RAW), "none");
    assert_string_equal(tm_codec_name(TM_CODEC_SAME), "same");
    assert_string_equal(tm_codec_name(TM_CODEC_LZ4), "lz4");
    assert_string_equal(tm_codec_name(TM_CODEC_ZSTD), "zstd");
    assert_string_equal(tm_codec_name(TM_CODEC_LZO), "lzo");
}

/* What is coded for pages that nobody asks for is decoded as the rest, and takes no more than LZ4 makes of it. */
static void cold_pages_come_back_and_are_smaller(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++) {
        take_codec(&encoders[i]);
        if (encoders[i].id == TM_CODEC_ZSTD) {
            assert_int_equal(bench.codec.cold_encodes, TM_CODEC_NONE);
            drop_codec();
            continue;
        }
        size_t bytes = (size_t)tm_round_up(bench.codec.cold_bytes, TM_CACHE_LINE);
        void *cold = aligned_alloc(TM_CACHE_LINE, bytes);
        assert_non_null(cold);
        memset(cold, 0, bytes);
        assert_true(bench.codec.cold_init(&bench.codec, cold));
        for (unsigned kind = 0; kind < PAGE_KINDS; kind++) {
            enum tm_codec_id id = TM_CODEC_NONE;
            make_page(kind);
            size_t size = bench.codec.cold_encode(&bench.codec, cold, bench.page, bench.encoded);
            size_t own = bench.codec.encode(&bench.codec, bench.context, bench.page, bench.in, &id);
            assert_in_range(size, 0, TM_CODEC_ENCODED_MAX);
            assert_true(own == 0 || (size != 0 && size <= own));
            assert_true(size != 0 || kind == PAGE_KINDS - 1);
            if (size != 0) {
                assert_true(bench.codec.decode(&bench.codec, bench.context, bench.codec.cold_encodes, bench.encoded,
                                               size, bench.out));
                assert_memory_equal(bench.page, bench.out, TM_PAGE_BYTES);
            }
        }
        free(cold);
        drop_codec();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_come_back),
        cmocka_unit_test(every_table_decodes_every_codec),
        cmocka_unit_test(truncated_pages_are_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(unknown_codecs_are_refused),
        cmocka_unit_test(raw_and_same_filled_pages_are_decoded),
        cmocka_unit_test(a_table_of_no_codec_encodes_nothing),
        cmocka_unit_test(what_a_build_lacks_is_refused),
        cmocka_unit_test(copies_past_the_cache_are_whole_and_touch_nothing_else),
        cmocka_unit_test(cold_pages_come_back_and_are_smaller),
        cmocka_unit_test(names_are_those_of_uris),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
