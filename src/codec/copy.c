/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.c - copies to memory that nobody reads soon: past the cache, so that what lies there is not fetched only to be
 * overwritten, and what is in cache stays in it.
 */
#include "codec/codec.h"
#include "codec/hash.h"

#ifdef __SSE2__
#include <immintrin.h>

/* Copies of less are not worth the wait at their end. */
#define STREAM_BYTES_MIN 512u

/* Copies whole lines to where a line begins. */
static void stream(unsigned char *to, const unsigned char *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += TM_CACHE_LINE) {
        const __m128i *in = (const __m128i *)(const void *)(from + at);
        __m128i *out = (__m128i *)(void *)(to + at);
        __m128i a = _mm_loadu_si128(in);
        __m128i b = _mm_loadu_si128(in + 1);
        __m128i c = _mm_loadu_si128(in + 2);
        __m128i d = _mm_loadu_si128(in + 3);
        _mm_stream_si128(out, a);
        _mm_stream_si128(out + 1, b);
        _mm_stream_si128(out + 2, c);
        _mm_stream_si128(out + 3, d);
    }
}

__attribute__((target("avx2"))) static void stream_avx2(unsigned char *to, const unsigned char *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += TM_CACHE_LINE) {
        const __m256i *in = (const __m256i *)(const void *)(from + at);
        __m256i *out = (__m256i *)(void *)(to + at);
        __m256i a = _mm256_loadu_si256(in);
        __m256i b = _mm256_loadu_si256(in + 1);
        _mm256_stream_si256(out, a);
        _mm256_stream_si256(out + 1, b);
    }
}

/* By @lines_of, which copies whole lines. */
static void copy_by(void (*lines_of)(unsigned char *, const unsigned char *, size_t), void *to, const void *from,
                    size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    if (size < STREAM_BYTES_MIN) {
        memcpy(to, from, size);
        return;
    }
    /* Lines at both ends are shared with neighbours, which are in cache more often than not. */
    size_t head = -(uintptr_t)to % TM_CACHE_LINE;
    size_t lines = (size - head) / TM_CACHE_LINE * TM_CACHE_LINE;
    memcpy(out, in, head);
    lines_of(out + head, in + head, lines);
    memcpy(out + head + lines, in + head + lines, size - head - lines);
}

void tm_copy_out_begin(void *to, const void *from, size_t size)
{
    copy_by(__builtin_cpu_supports("avx2") ? stream_avx2 : stream, to, from, size);
}

/* Such stores are not in the order of the others: whoever sees what is stored next must see them. */
void tm_copy_out_end(void)
{
    _mm_sfence();
}

void tm_copy_out_anywhere(void *to, const void *from, size_t size)
{
    copy_by(stream, to, from, size);
    tm_copy_out_end();
}
#else
void tm_copy_out_begin(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
}

void tm_copy_out_end(void)
{
}

void tm_copy_out_anywhere(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
}
#endif

void tm_copy_out(void *to, const void *from, size_t size)
{
    tm_copy_out_begin(to, from, size);
    tm_copy_out_end();
}
