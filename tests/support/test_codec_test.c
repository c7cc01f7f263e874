/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_codec_test.c - the tests' own codec keeps what codec.h promises.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "support/test_codec.h"

static struct tm_test_codec test;
static unsigned char context[64] TM_ALIGNED(64);
static uint64_t random_state = 3;

_Noreturn void tm_platform_panic(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    (void)what;
    abort();
}

static int set_up(void **state)
{
    (void)state;
    tm_test_codec_init(&test);
    memset(context, 0, sizeof context);
    return test.codec.context_bytes <= sizeof context && test.codec.context_init(&test.codec, context) ? 0 : -1;
}

static void pages_come_back(void **state)
{
    unsigned char page[TM_PAGE_BYTES];
    unsigned char out[TM_PAGE_BYTES];
    unsigned char back[TM_PAGE_BYTES];
    unsigned encoded = 0;
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        enum tm_codec_id id = TM_CODEC_NONE;
        size_t size;
        for (size_t at = 0; at < sizeof page;) {
            size_t run = 1 + (size_t)tm_random_next(&random_state) % (1 + round / 4);
            unsigned char byte = (unsigned char)tm_random_next(&random_state);
            for (; run > 0 && at < sizeof page; run--)
                page[at++] = byte;
        }
        size = test.codec.encode(&test.codec, context, page, out, &id);
        assert_in_range(size, 0, TM_CODEC_ENCODED_MAX);
        if (size == 0)
            continue;
        encoded++;
        assert_true(test.codec.decode(&test.codec, context, id, out, size, back));
        assert_memory_equal(page, back, sizeof page);
        for (size_t cut = 0; cut < size; cut += 1 + size / 50)
            assert_false(test.codec.decode(&test.codec, context, id, out, cut, back));
    }
    assert_in_range(encoded, 1000, 1999);
}

static void garbage_stays_in_its_page(void **state)
{
    unsigned char in[300];
    unsigned char back[TM_PAGE_BYTES + 1];
    (void)state;
    back[TM_PAGE_BYTES] = 0x5a;
    for (unsigned round = 0; round < 20000; round++) {
        size_t size = (size_t)tm_random_next(&random_state) % sizeof in;
        for (size_t i = 0; i < size; i++)
            in[i] = (unsigned char)(tm_random_next(&random_state) >> 20);
        (void)test.codec.decode(&test.codec, context, (enum tm_codec_id)(round % 10), in, size, back);
        assert_int_equal(back[TM_PAGE_BYTES], 0x5a);
    }
}

static bool asked(void *user, enum tm_test_codec_call call)
{
    return *(enum tm_test_codec_call *)user == call;
}

static void fails_on_demand(void **state)
{
    enum tm_test_codec_call call = TM_TEST_CODEC_ENCODE;
    enum tm_codec_id id = TM_CODEC_NONE;
    unsigned char page[TM_PAGE_BYTES] = {0};
    unsigned char out[TM_PAGE_BYTES];
    size_t size = test.codec.encode(&test.codec, context, page, out, &id);
    (void)state;
    assert_int_not_equal(size, 0);
    test.fails = asked;
    test.user = &call;
    assert_int_equal(test.codec.encode(&test.codec, context, page, out, &id), 0);
    assert_true(test.codec.decode(&test.codec, context, id, out, size, page));
    call = TM_TEST_CODEC_DECODE;
    assert_false(test.codec.decode(&test.codec, context, id, out, size, page));
    call = TM_TEST_CODEC_INIT;
    memset(context, 0, sizeof context);
    assert_false(test.codec.context_init(&test.codec, context));
}

/* Its form for cold pages: runs of one length take less. */
static void cold_pages_come_back(void **state)
{
    static unsigned char cold[64] TM_ALIGNED(64);
    unsigned char page[TM_PAGE_BYTES];
    unsigned char out[TM_PAGE_BYTES];
    unsigned char back[TM_PAGE_BYTES];
    unsigned smaller = 0;
    (void)state;
    memset(cold, 0, sizeof cold);
    assert_true(test.codec.cold_init(&test.codec, cold));
    for (unsigned round = 0; round < 1000; round++) {
        enum tm_codec_id id = TM_CODEC_NONE;
        size_t run = 1 + (size_t)tm_random_next(&random_state) % 120;
        for (size_t at = 0; at < sizeof page; at++)
            page[at] = (unsigned char)(at < round ? tm_random_next(&random_state) : tm_scramble(at / run));
        size_t own = test.codec.encode(&test.codec, context, page, out, &id);
        size_t size = test.codec.cold_encode(&test.codec, cold, page, out);
        assert_in_range(size, 0, TM_CODEC_ENCODED_MAX);
        smaller += size != 0 && size < own;
        if (size == 0)
            continue;
        assert_true(test.codec.decode(&test.codec, context, TM_TEST_CODEC_COLD, out, size, back));
        assert_memory_equal(page, back, sizeof page);
        for (size_t cut = 0; cut < size; cut += 1 + size / 50)
            assert_false(test.codec.decode(&test.codec, context, TM_TEST_CODEC_COLD, out, cut, back));
        for (unsigned i = 0; i < 20; i++) { /* no garbage leaves the page */
            out[(size_t)tm_random_next(&random_state) % size] ^= (unsigned char)tm_random_next(&random_state);
            (void)test.codec.decode(&test.codec, context, TM_TEST_CODEC_COLD, out, size, back);
        }
    }
    assert_true(smaller > 500);
}

static void any_bit_changes_the_hash(void **state)
{
    unsigned char bytes[100] = {1, 2, 3};
    unsigned char copy[100];
    (void)state;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        uint64_t before = test.codec.hash(bytes, size, 9);
        assert_true(before == test.codec.copy_hash(copy, bytes, size, 9));
        assert_memory_equal(copy, bytes, size);
        assert_true(before != test.codec.hash(bytes, size, 8));
        for (size_t bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_true(before != test.codec.hash(bytes, size, 9));
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pages_come_back, set_up),
        cmocka_unit_test_setup(garbage_stays_in_its_page, set_up),
        cmocka_unit_test_setup(fails_on_demand, set_up),
        cmocka_unit_test_setup(cold_pages_come_back, set_up),
        cmocka_unit_test_setup(any_bit_changes_the_hash, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
