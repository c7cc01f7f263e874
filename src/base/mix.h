/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mix.h - mixing of 64-bit words for hash tables and checksums of small, fixed-size keys.
 *
 * tm_mix() is keyed: with a secret seed nobody outside can choose keys that collide. It is not for
 * page contents; those go through the codec's hash.
 */
#ifndef TM_BASE_MIX_H
#define TM_BASE_MIX_H

#include "base/base.h"

/* The 128-bit product of a and b, folded to 64 bits by exclusive or. */
static inline uint64_t tm_fold_multiply(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a_low = (uint32_t)a;
    uint64_t a_high = a >> 32;
    uint64_t b_low = (uint32_t)b;
    uint64_t b_high = b >> 32;
    uint64_t low = a_low * b_low;
    uint64_t middle = a_high * b_low + (low >> 32);
    uint64_t middle_carry = a_low * b_high + (uint32_t)middle;
    uint64_t high = a_high * b_high + (middle >> 32) + (middle_carry >> 32);
    return ((middle_carry << 32) | (uint32_t)low) ^ high;
#endif
}

/* A bijection of 64-bit words: any change of the input changes the output. Multiply and
 * shift-exclusive-or steps are each invertible. */
static inline uint64_t tm_scramble(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 29;
    x *= UINT64_C(0xa0761d6478bd642f);
    x ^= x >> 32;
    return x;
}

/* Keyed hash of a page's place: 192-bit object, pool and chunk number. */
static inline uint64_t tm_mix_handle(const uint64_t seed[4], uint64_t pool, const uint64_t object[3],
                                     uint64_t number)
{
    uint64_t a = tm_fold_multiply(object[0] ^ seed[0], object[1] ^ seed[1]);
    uint64_t b = tm_fold_multiply(object[2] ^ seed[2], (pool << 32 ^ pool >> 32 ^ number) ^ seed[3]);
    return tm_fold_multiply(a ^ seed[2], b ^ seed[0]) ^ tm_scramble(a + b + seed[1]);
}

/* The next number of a small pseudo-random sequence (for choices that need no secrecy). */
static inline uint64_t tm_random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return tm_scramble(*state);
}

#endif
