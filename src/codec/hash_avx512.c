/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_avx512.c - the page hash with 512-bit vectors: a stripe is one. Bytes in cache are hashed hardly faster than by
 * two halves of it; but a copy from memory has half as many instructions to get through between two lines.
 */
#include "codec/hash.h"

#if TM_HASH_X86
#include <immintrin.h>

#define TM_KERNEL_TARGET __attribute__((target("avx512f")))
#define TM_KERNEL_WIDTH 64
#define TM_KERNEL_UNROLL 4

struct tm_sums {
    __m512i all;
};

struct tm_stripe {
    __m512i all;
};

TM_KERNEL_INLINE struct tm_sums start(void)
{
    static const uint64_t first[8] TM_ALIGNED(64) = TM_SUMS_START;
    return (struct tm_sums){_mm512_load_si512(first)};
}

TM_KERNEL_INLINE struct tm_stripe load(const unsigned char *from)
{
    return (struct tm_stripe){_mm512_loadu_si512(from)};
}

TM_KERNEL_INLINE void store(unsigned char *to, struct tm_stripe stripe)
{
    _mm512_storeu_si512(to, stripe.all);
}

TM_KERNEL_INLINE struct tm_sums add(struct tm_sums sums, struct tm_stripe stripe, const unsigned char *secret)
{
    __m512i key = _mm512_xor_si512(stripe.all, _mm512_loadu_si512(secret));
    __m512i product = _mm512_mul_epu32(key, _mm512_srli_epi64(key, 32));
    __m512i swapped = _mm512_shuffle_epi32(stripe.all, (_MM_PERM_ENUM)_MM_SHUFFLE(1, 0, 3, 2));
    return (struct tm_sums){_mm512_add_epi64(_mm512_add_epi64(sums.all, swapped), product)};
}

TM_KERNEL_INLINE struct tm_sums scramble(struct tm_sums sums, const unsigned char *secret)
{
    const __m512i prime = _mm512_set1_epi32((int)TM_PRIME32_1);
    __m512i mixed = _mm512_xor_si512(sums.all, _mm512_srli_epi64(sums.all, 47));
    __m512i key = _mm512_xor_si512(mixed, _mm512_loadu_si512(secret));
    __m512i low = _mm512_mul_epu32(key, prime);
    __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(key, 32), prime);
    return (struct tm_sums){_mm512_add_epi64(low, _mm512_slli_epi64(high, 32))};
}

TM_KERNEL_INLINE void sums_out(uint64_t out[8], struct tm_sums sums)
{
    _mm512_store_si512(out, sums.all);
}

#include "codec/hash_kernel.h"

/* The first processors that had such vectors lowered their clock for them, and did not have these instructions yet. */
static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vbmi2");
}

const struct tm_hash_variant tm_hash_avx512 = {"avx512", runs_here, hash, copy_hash, copy_out_hash};
#endif
