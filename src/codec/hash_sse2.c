/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_sse2.c - the page hash with 128-bit vectors, which every x86-64 has: a stripe is four of them.
 */
#include "codec/hash.h"

#if TM_HASH_X86
#include <emmintrin.h>

#define TM_KERNEL_TARGET __attribute__((target("sse2")))
#define TM_KERNEL_WIDTH 16
#define TM_KERNEL_UNROLL 2

struct tm_sums {
    __m128i a, b, c, d;
};

TM_KERNEL_INLINE struct tm_sums start(void)
{
    static const uint64_t first[8] TM_ALIGNED(64) = TM_SUMS_START;
    const __m128i *words = (const __m128i *)(const void *)first;
    return (struct tm_sums){words[0], words[1], words[2], words[3]};
}

struct tm_stripe {
    __m128i a, b, c, d;
};

TM_KERNEL_INLINE struct tm_stripe load(const unsigned char *from)
{
    const __m128i *words = (const __m128i *)(const void *)from;
    return (struct tm_stripe){_mm_loadu_si128(words), _mm_loadu_si128(words + 1), _mm_loadu_si128(words + 2),
                              _mm_loadu_si128(words + 3)};
}

TM_KERNEL_INLINE void store(unsigned char *to, struct tm_stripe stripe)
{
    __m128i *words = (__m128i *)(void *)to;
    _mm_storeu_si128(words, stripe.a);
    _mm_storeu_si128(words + 1, stripe.b);
    _mm_storeu_si128(words + 2, stripe.c);
    _mm_storeu_si128(words + 3, stripe.d);
}

TM_KERNEL_INLINE __m128i add_part(__m128i sum, __m128i data, const unsigned char *secret)
{
    __m128i key = _mm_xor_si128(data, _mm_loadu_si128((const __m128i *)(const void *)secret));
    __m128i product = _mm_mul_epu32(key, _mm_shuffle_epi32(key, _MM_SHUFFLE(2, 3, 0, 1)));
    __m128i swapped = _mm_shuffle_epi32(data, _MM_SHUFFLE(1, 0, 3, 2));
    return _mm_add_epi64(_mm_add_epi64(sum, swapped), product);
}

TM_KERNEL_INLINE struct tm_sums add(struct tm_sums sums, struct tm_stripe stripe, const unsigned char *secret)
{
    return (struct tm_sums){add_part(sums.a, stripe.a, secret), add_part(sums.b, stripe.b, secret + 16),
                            add_part(sums.c, stripe.c, secret + 32), add_part(sums.d, stripe.d, secret + 48)};
}

TM_KERNEL_INLINE __m128i stir(__m128i sum, const unsigned char *secret)
{
    const __m128i prime = _mm_set1_epi32((int)TM_PRIME32_1);
    __m128i mixed = _mm_xor_si128(sum, _mm_srli_epi64(sum, 47));
    __m128i key = _mm_xor_si128(mixed, _mm_loadu_si128((const __m128i *)(const void *)secret));
    __m128i low = _mm_mul_epu32(key, prime);
    __m128i high = _mm_mul_epu32(_mm_srli_epi64(key, 32), prime);
    return _mm_add_epi64(low, _mm_slli_epi64(high, 32));
}

TM_KERNEL_INLINE struct tm_sums scramble(struct tm_sums sums, const unsigned char *secret)
{
    return (struct tm_sums){stir(sums.a, secret), stir(sums.b, secret + 16), stir(sums.c, secret + 32),
                            stir(sums.d, secret + 48)};
}

TM_KERNEL_INLINE void sums_out(uint64_t out[8], struct tm_sums sums)
{
    __m128i *words = (__m128i *)(void *)out;
    words[0] = sums.a;
    words[1] = sums.b;
    words[2] = sums.c;
    words[3] = sums.d;
}

#include "codec/hash_kernel.h"

static bool runs_here(void)
{
    return __builtin_cpu_supports("sse2");
}

const struct tm_hash_variant tm_hash_sse2 = {"sse2", runs_here, hash, copy_hash, copy_out_hash};
#endif
