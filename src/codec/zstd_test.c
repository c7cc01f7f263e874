/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zstd_test.c - what zstd.c does when the library refuses: each of its calls fails once. Linked with
 * --wrap for these calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/library.h"

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

/* The call that fails, counting from 1; 0: none. */
static unsigned fail_at;
static unsigned calls;

static bool fails(void)
{
    return ++calls == fail_at;
}

#define REFUSED ((size_t)-ZSTD_error_memory_allocation)

ZSTD_CCtx *__real_ZSTD_initStaticCCtx(void *memory, size_t bytes);
ZSTD_CCtx *__wrap_ZSTD_initStaticCCtx(void *memory, size_t bytes);
ZSTD_CCtx *__wrap_ZSTD_initStaticCCtx(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_ZSTD_initStaticCCtx(memory, bytes);
}

ZSTD_DCtx *__real_ZSTD_initStaticDCtx(void *memory, size_t bytes);
ZSTD_DCtx *__wrap_ZSTD_initStaticDCtx(void *memory, size_t bytes);
ZSTD_DCtx *__wrap_ZSTD_initStaticDCtx(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_ZSTD_initStaticDCtx(memory, bytes);
}

size_t __real_ZSTD_CCtx_setParameter(ZSTD_CCtx *context, ZSTD_cParameter name, int value);
size_t __wrap_ZSTD_CCtx_setParameter(ZSTD_CCtx *context, ZSTD_cParameter name, int value);
size_t __wrap_ZSTD_CCtx_setParameter(ZSTD_CCtx *context, ZSTD_cParameter name, int value)
{
    return fails() ? REFUSED : __real_ZSTD_CCtx_setParameter(context, name, value);
}

size_t __real_ZSTD_DCtx_setParameter(ZSTD_DCtx *context, ZSTD_dParameter name, int value);
size_t __wrap_ZSTD_DCtx_setParameter(ZSTD_DCtx *context, ZSTD_dParameter name, int value);
size_t __wrap_ZSTD_DCtx_setParameter(ZSTD_DCtx *context, ZSTD_dParameter name, int value)
{
    return fails() ? REFUSED : __real_ZSTD_DCtx_setParameter(context, name, value);
}

size_t __real_ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t room, const void *in, size_t size);
size_t __wrap_ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t room, const void *in, size_t size);
size_t __wrap_ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t room, const void *in, size_t size)
{
    return fails() ? REFUSED : __real_ZSTD_compress2(context, out, room, in, size);
}

static unsigned char page[TM_PAGE_BYTES];
static unsigned char encoded[TM_PAGE_BYTES];
static unsigned char back[TM_PAGE_BYTES];

static void *zeroed_area(size_t bytes)
{
    void *area = aligned_alloc(TM_CACHE_LINE, (size_t)tm_round_up(bytes, TM_CACHE_LINE));
    assert_non_null(area);
    memset(area, 0, bytes);
    return area;
}

/* Makes an encoder and encodes a page, with every call failing in turn; answers the calls of a run
 * in which none did, and the encoded page's bytes in *size. */
static unsigned sweep_encoder(size_t *size)
{
    unsigned last = 0;
    for (fail_at = 1; last == 0; fail_at++) {
        void *area = zeroed_area(tm_library_zstd.encoder_bytes(1));
        bool made;
        calls = 0;
        made = tm_library_zstd.encoder_init(area, 1);
        *size = made ? tm_library_zstd.encode(area, page, encoded) : 0;
        if (calls < fail_at)
            last = calls;
        assert_int_equal(*size != 0, last != 0);
        free(area);
    }
    fail_at = 0;
    return last;
}

static void every_call_may_fail(void **state)
{
    size_t size = 0;
    void *area = zeroed_area(tm_library_zstd.decoder_bytes());
    (void)state;
    memset(page, 'a', sizeof page / 2);
    assert_in_range(sweep_encoder(&size), 4, 100);
    /* A decoder that could not be made is tried again with the next page. */
    for (fail_at = 1; fail_at <= 2; fail_at++) {
        calls = 0;
        assert_false(tm_library_zstd.decode(area, encoded, size, back));
    }
    fail_at = 0;
    assert_true(tm_library_zstd.decode(area, encoded, size, back));
    assert_memory_equal(back, page, sizeof page);
    free(area);
}

static void a_context_that_cannot_be_made(void **state)
{
    struct tm_codec codec;
    void *context;
    (void)state;
    assert_true(tm_codec_create(TM_CODEC_ZSTD, 1, &codec));
    context = zeroed_area(codec.context_bytes);
    calls = 0;
    fail_at = 1;
    assert_false(codec.context_init(&codec, context));
    fail_at = 0;
    memset(context, 0, codec.context_bytes);
    assert_true(codec.context_init(&codec, context));
    free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_fail),
        cmocka_unit_test(a_context_that_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
