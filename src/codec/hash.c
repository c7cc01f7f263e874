/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.c - the choice among the variants of the page hash, and what they share.
 */
#include "codec/hash.h"
#include "base/mix.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

const struct tm_hash_variant *const tm_hash_variants[] = {
#if TM_HASH_X86
    &tm_hash_avx512,
    &tm_hash_avx2,
    &tm_hash_sse2,
#endif
    &tm_hash_scalar,
};
const size_t tm_hash_variant_count = TM_ARRAY_SIZE(tm_hash_variants);

const struct tm_hash_variant *tm_hash_choose(void)
{
    size_t i = 0;
    while (!tm_hash_variants[i]->runs_here())
        i++;
    return tm_hash_variants[i];
}

uint64_t tm_hash_short(const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size, seed);
}

/* XXH3's published key material. The library makes the same secret from it and a seed, but in more
 * time than the rest of a small block's hash takes. */
const uint64_t tm_hash_published_secret[TM_HASH_SECRET_BYTES / sizeof(uint64_t)] TM_ALIGNED(64) = {
    UINT64_C(0xbe4ba423396cfeb8),
    UINT64_C(0x1cad21f72c81017c),
    UINT64_C(0xdb979083e96dd4de),
    UINT64_C(0x1f67b3b7a4a44072),
    UINT64_C(0x78e5c0cc4ee679cb),
    UINT64_C(0x2172ffcc7dd05a82),
    UINT64_C(0x8e2443f7744608b8),
    UINT64_C(0x4c263a81e69035e0),
    UINT64_C(0xcb00c391bb52283c),
    UINT64_C(0xa32e531b8b65d088),
    UINT64_C(0x4ef90da297486471),
    UINT64_C(0xd8acdea946ef1938),
    UINT64_C(0x3f349ce33f76faa8),
    UINT64_C(0x1d4f0bc7c7bbdcf9),
    UINT64_C(0x3159b4cd4be0518a),
    UINT64_C(0x647378d9c97e9fc8),
    UINT64_C(0xc3ebd33483acc5ea),
    UINT64_C(0xeb6313faffa081c5),
    UINT64_C(0x49daf0b751dd0d17),
    UINT64_C(0x9e68d429265516d3),
    UINT64_C(0xfca1477d58be162b),
    UINT64_C(0xce31d07ad1b8f88f),
    UINT64_C(0x280416958f3acb45),
    UINT64_C(0x7e404bbbcafbd7af),
};

uint64_t tm_hash_finish(const uint64_t sums[8], const void *secret, size_t size)
{
    /* Not aligned to the sums' own secret, so that the two never cancel out. */
    const unsigned char *key = (const unsigned char *)secret + 11;
    uint64_t hash = (uint64_t)size * TM_PRIME64_1;
    for (size_t i = 0; i < 8; i += 2, key += 16)
        hash += tm_fold_multiply(sums[i] ^ tm_hash_word(key), sums[i + 1] ^ tm_hash_word(key + 8));
    hash ^= hash >> 37;
    hash *= UINT64_C(0x165667919E3779F9);
    return hash ^ hash >> 32;
}
