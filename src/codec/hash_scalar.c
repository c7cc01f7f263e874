/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_scalar.c - the page hash with nothing but 64-bit arithmetic: runs everywhere.
 */
#include "codec/hash.h"

#define TM_KERNEL_TARGET
#define TM_KERNEL_WIDTH 16
#define TM_KERNEL_UNROLL 1

struct tm_sums {
    uint64_t each[8];
};

TM_KERNEL_INLINE struct tm_sums start(void)
{
    return (struct tm_sums){TM_SUMS_START};
}

struct tm_stripe {
    uint64_t each[8];
};

TM_KERNEL_INLINE struct tm_stripe load(const unsigned char *from)
{
    struct tm_stripe stripe;
    TM_UNROLL(8)
    for (size_t i = 0; i < 8; i++)
        stripe.each[i] = tm_hash_word(from + 8 * i);
    return stripe;
}

TM_KERNEL_INLINE void store(unsigned char *to, struct tm_stripe stripe)
{
    TM_UNROLL(8)
    for (size_t word = 0; word < 8; word++)
        memcpy(to + 8 * word, &stripe.each[word], sizeof stripe.each[word]);
}

TM_KERNEL_INLINE struct tm_sums add(struct tm_sums sums, struct tm_stripe stripe, const unsigned char *secret)
{
    TM_UNROLL(8)
    for (size_t i = 0; i < 8; i++) {
        uint64_t key = stripe.each[i] ^ tm_hash_word(secret + 8 * i);
        sums.each[i ^ 1] += stripe.each[i];
        sums.each[i] += (key & UINT32_MAX) * (key >> 32);
    }
    return sums;
}

TM_KERNEL_INLINE struct tm_sums scramble(struct tm_sums sums, const unsigned char *secret)
{
    TM_UNROLL(8)
    for (size_t i = 0; i < 8; i++) {
        uint64_t mixed = sums.each[i] ^ sums.each[i] >> 47;
        sums.each[i] = (mixed ^ tm_hash_word(secret + 8 * i)) * TM_PRIME32_1;
    }
    return sums;
}

TM_KERNEL_INLINE void sums_out(uint64_t out[8], struct tm_sums sums)
{
    memcpy(out, sums.each, sizeof sums.each);
}

#include "codec/hash_kernel.h"

static bool runs_here(void)
{
    return true;
}

const struct tm_hash_variant tm_hash_scalar = {"scalar", runs_here, hash, copy_hash, copy_out_hash};
