/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_avx2.c - the page hash with 256-bit vectors: a stripe is two vectors.
 */
#include "codec/hash.h"

#if TM_HASH_X86
#include <immintrin.h>

#define TM_KERNEL_TARGET __attribute__((target("avx2")))
#define TM_KERNEL_WIDTH 32
#define TM_KERNEL_UNROLL 4

struct tm_sums {
    __m256i low, high;
};

TM_KERNEL_INLINE struct tm_sums start(void)
{
    static const uint64_t first[8] TM_ALIGNED(64) = TM_SUMS_START;
    return (struct tm_sums){_mm256_load_si256((const __m256i *)(const void *)first),
                            _mm256_load_si256((const __m256i *)(const void *)(first + 4))};
}

struct tm_stripe {
    __m256i low, high;
};

TM_KERNEL_INLINE struct tm_stripe load(const unsigned char *from)
{
    const __m256i *words = (const __m256i *)(const void *)from;
    return (struct tm_stripe){_mm256_loadu_si256(words), _mm256_loadu_si256(words + 1)};
}

TM_KERNEL_INLINE void store(unsigned char *to, struct tm_stripe stripe)
{
    _mm256_storeu_si256((__m256i *)(void *)to, stripe.low);
    _mm256_storeu_si256((__m256i *)(void *)(to + 32), stripe.high);
}

TM_KERNEL_INLINE __m256i add_half(__m256i sum, __m256i data, const unsigned char *secret)
{
    __m256i key = _mm256_xor_si256(data, _mm256_loadu_si256((const __m256i *)(const void *)secret));
    __m256i product = _mm256_mul_epu32(key, _mm256_srli_epi64(key, 32));
    __m256i swapped = _mm256_shuffle_epi32(data, _MM_SHUFFLE(1, 0, 3, 2));
    return _mm256_add_epi64(_mm256_add_epi64(sum, swapped), product);
}

TM_KERNEL_INLINE struct tm_sums add(struct tm_sums sums, struct tm_stripe stripe, const unsigned char *secret)
{
    return (struct tm_sums){add_half(sums.low, stripe.low, secret), add_half(sums.high, stripe.high, secret + 32)};
}

TM_KERNEL_INLINE __m256i stir(__m256i sum, const unsigned char *secret)
{
    const __m256i prime = _mm256_set1_epi32((int)TM_PRIME32_1);
    __m256i mixed = _mm256_xor_si256(sum, _mm256_srli_epi64(sum, 47));
    __m256i key = _mm256_xor_si256(mixed, _mm256_loadu_si256((const __m256i *)(const void *)secret));
    __m256i low = _mm256_mul_epu32(key, prime);
    __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(key, 32), prime);
    return _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
}

TM_KERNEL_INLINE struct tm_sums scramble(struct tm_sums sums, const unsigned char *secret)
{
    return (struct tm_sums){stir(sums.low, secret), stir(sums.high, secret + 32)};
}

TM_KERNEL_INLINE void sums_out(uint64_t out[8], struct tm_sums sums)
{
    _mm256_store_si256((__m256i *)(void *)out, sums.low);
    _mm256_store_si256((__m256i *)(void *)(out + 4), sums.high);
}

#include "codec/hash_kernel.h"

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx2");
}

const struct tm_hash_variant tm_hash_avx2 = {"avx2", runs_here, hash, copy_hash, copy_out_hash};
#endif
