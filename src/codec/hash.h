/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h - the page hash: XXH3's 64-bit hash with a seed, and the same hash of bytes on their way
 * from one place to another.
 *
 * A distribution compiles for the least machine that it supports, which on x86-64 has SSE2 only and
 * needs twice the time that AVX2 does. So the part for long inputs is here, once for each kind of
 * vector unit; what is short goes to the library's header. All variants answer what
 * XXH3_64bits_withSeed() answers. Nothing here locks or allocates.
 */
#ifndef TM_CODEC_HASH_H
#define TM_CODEC_HASH_H

#include "base/base.h"

#if defined(__x86_64__) || defined(__i386__)
#define TM_HASH_X86 1
#else
#define TM_HASH_X86 0
#endif

/* Inputs of up to this many bytes are hashed in other ways, and by the library. */
#define TM_HASH_SHORT_MAX 240u

/* Key material of the long hash. */
#define TM_HASH_SECRET_BYTES 192u

typedef uint64_t tm_hash_function(const void *bytes, size_t size, uint64_t seed);
typedef uint64_t tm_copy_hash_function(void *to, const void *from, size_t size, uint64_t seed);

/* One way to compute the hash, and whether this machine has what it needs. */
struct tm_hash_variant {
    const char *name;
    bool (*runs_here)(void);
    tm_hash_function *hash;
    tm_copy_hash_function *copy_hash;
    tm_copy_hash_function *copy_out_hash;
};

/* Every variant of this build, fastest first; the last one runs everywhere. */
extern const struct tm_hash_variant *const tm_hash_variants[];
extern const size_t tm_hash_variant_count;

/* The first variant that runs on this machine. */
const struct tm_hash_variant *tm_hash_choose(void);

extern const struct tm_hash_variant tm_hash_scalar;
#if TM_HASH_X86
extern const struct tm_hash_variant tm_hash_sse2;
extern const struct tm_hash_variant tm_hash_avx2;
extern const struct tm_hash_variant tm_hash_avx512;
#endif

/* ---------------------------------------------- what the variants are made from, hash_kernel.h */

#define TM_HASH_STRIPE_BYTES 64u
#define TM_HASH_BLOCK_STRIPES 16u
#define TM_HASH_BLOCK_BYTES (TM_HASH_STRIPE_BYTES * TM_HASH_BLOCK_STRIPES)
#define TM_SECRET_STEP 8u
#define TM_SECRET_SCRAMBLE (TM_HASH_SECRET_BYTES - TM_HASH_STRIPE_BYTES)
#define TM_SECRET_LAST (TM_SECRET_SCRAMBLE - 7u)

/* Primes that the sums start from and are scrambled with. */
#define TM_PRIME32_1 UINT32_C(0x9E3779B1)
#define TM_PRIME32_2 UINT32_C(0x85EBCA77)
#define TM_PRIME32_3 UINT32_C(0xC2B2AE3D)
#define TM_PRIME64_1 UINT64_C(0x9E3779B185EBCA87)
#define TM_PRIME64_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define TM_PRIME64_3 UINT64_C(0x165667B19E3779F9)
#define TM_PRIME64_4 UINT64_C(0x85EBCA77C2B2AE63)
#define TM_PRIME64_5 UINT64_C(0x27D4EB2F165667C5)

#define TM_SUMS_START                                                                       \
    {                                                                                       \
        TM_PRIME32_3, TM_PRIME64_1, TM_PRIME64_2, TM_PRIME64_3, TM_PRIME64_4, TM_PRIME32_2, \
            TM_PRIME64_5, TM_PRIME32_1                                                      \
    }

/* In front of a variant's functions, which all end up in one. */
#define TM_KERNEL_INLINE static inline __attribute__((always_inline)) TM_KERNEL_TARGET

/* The eight bytes at @bytes as a number. The hash is defined by little-endian ones. */
TM_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
static inline uint64_t tm_hash_word(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* For the variants: hash of at most TM_HASH_SHORT_MAX bytes. */
tm_hash_function tm_hash_short;

/* For the variants: codec.h's tm_copy_out() in two steps. Others see the bytes before they see anything that is stored
 * after the second. */
void tm_copy_out_begin(void *to, const void *from, size_t size);
void tm_copy_out_end(void);

/* For the variants: the secret of seed 0. */
extern const uint64_t tm_hash_published_secret[TM_HASH_SECRET_BYTES / sizeof(uint64_t)];

/* For the variants: turns the eight sums of a long input into its hash. */
uint64_t tm_hash_finish(const uint64_t sums[8], const void *secret, size_t size);

#endif
