/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_kernel.h - XXH3's hash for long inputs. Included once by the file of each vector unit, which
 * defines before:
 *
 *   TM_KERNEL_TARGET  the attribute that lets the compiler use the vector unit, or nothing
 *   TM_KERNEL_WIDTH   bytes of a vector, 16 or 32
 *   TM_KERNEL_UNROLL  stripes in a row
 *   struct tm_sums    the eight running sums
 *   start()           the sums of no input
 *   stripe()          adds 64 bytes of input, mixed with 64 bytes of secret
 *   scramble()        stirs the sums with 64 bytes of secret
 *   sums_out()        writes the sums down, 64-byte aligned
 *
 * The input is cut into stripes of 64 bytes and blocks of sixteen stripes. The secret moves on by
 * eight bytes with each stripe of a block, and the sums are scrambled after each block. The last
 * stripe is the input's last 64 bytes, which may overlap the one before.
 *
 * Copying first and hashing the copy, which is in cache by then, beats one loop that does both: the
 * C library's copy keeps more cache misses under way at once than a loop with arithmetic in it
 * (1.11 of the time of a cold copy alone against 1.26; with SSE2 1.22 against 1.32).
 */

/* Writes the secret that belongs to @seed. In words as wide as the unit's: what is stored in small
 * pieces cannot be loaded in large ones at once. */
TM_KERNEL_INLINE void make_secret(unsigned char *secret, uint64_t seed)
{
    typedef uint64_t wide __attribute__((vector_size(TM_KERNEL_WIDTH), may_alias));
    wide step;
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i += 2) {
        step[i] = seed;
        step[i + 1] = -seed;
    }
    for (size_t i = 0; i < TM_HASH_SECRET_BYTES / sizeof step; i++)
        ((wide *)(void *)secret)[i] = ((const wide *)(const void *)tm_hash_published_secret)[i] + step;
}

/* Hashes an input of more than TM_HASH_SHORT_MAX bytes. */
TM_KERNEL_INLINE uint64_t hash_long(const unsigned char *from, size_t size, uint64_t seed)
{
    unsigned char secret[TM_HASH_SECRET_BYTES] TM_ALIGNED(64);
    uint64_t out[8] TM_ALIGNED(64);
    struct tm_sums sums = start();
    const unsigned char *last_stripe = from + size - TM_HASH_STRIPE_BYTES;
    size_t blocks = (size - 1u) / TM_HASH_BLOCK_BYTES;

    make_secret(secret, seed);
    for (size_t block = 0; block < blocks; block++) {
        TM_UNROLL(TM_KERNEL_UNROLL)
        for (size_t i = 0; i < TM_HASH_BLOCK_STRIPES; i++)
            sums = stripe(sums, from + i * TM_HASH_STRIPE_BYTES, secret + i * TM_SECRET_STEP);
        sums = scramble(sums, secret + TM_SECRET_SCRAMBLE);
        from += TM_HASH_BLOCK_BYTES;
    }
    for (const unsigned char *key = secret; from < last_stripe; from += TM_HASH_STRIPE_BYTES, key += TM_SECRET_STEP)
        sums = stripe(sums, from, key);
    sums = stripe(sums, last_stripe, secret + TM_SECRET_LAST);
    sums_out(out, sums);
    return tm_hash_finish(out, secret, size);
}

static TM_KERNEL_TARGET uint64_t hash(const void *bytes, size_t size, uint64_t seed)
{
    if (size <= TM_HASH_SHORT_MAX)
        return tm_hash_short(bytes, size, seed);
    return hash_long(bytes, size, seed);
}

static TM_KERNEL_TARGET uint64_t copy_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    memcpy(to, from, size);
    return hash(to, size, seed);
}

/* Stores past the cache leave the core slowly: the hash takes its time while they do. */
static TM_KERNEL_TARGET uint64_t copy_out_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    tm_copy_out_begin(to, from, size);
    uint64_t result = hash(from, size, seed);
    tm_copy_out_end();
    return result;
}
