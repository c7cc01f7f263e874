/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_kernel.h - XXH3's hash for long inputs. Included once by the file of each vector unit, which
 * defines before:
 *
 *   TM_KERNEL_TARGET  the attribute that lets the compiler use the vector unit, or nothing
 *   TM_KERNEL_WIDTH   bytes of a vector, 16 to 64
 *   TM_KERNEL_UNROLL  stripes in a row
 *   struct tm_sums    the eight running sums
 *   struct tm_stripe  64 bytes of input
 *   start()           the sums of no input
 *   load(), store()   a stripe from memory and to it
 *   add()             adds a stripe, mixed with 64 bytes of secret
 *   scramble()        stirs the sums with 64 bytes of secret
 *   sums_out()        writes the sums down, 64-byte aligned
 *
 * The input is cut into stripes of 64 bytes and blocks of sixteen stripes. The secret moves on by
 * eight bytes with each stripe of a block, and the sums are scrambled after each block. The last
 * stripe is the input's last 64 bytes, which may overlap the one before.
 *
 * Copying and hashing are one loop, so that the arithmetic is done while memory is waited for. The core has room
 * for two dozen lines that are on their way to it, too few for the time that each takes. So the loop leaves the first
 * lines of an input to it, and asks at once for all others, into the second cache, which has more room. The copy
 * takes as long so as the C library's does without a hash (docs/design-notes/hot-paths.md has the figures).
 */

/* Where the lines begin that are asked for. */
#define ASKED_FROM (16u * TM_CACHE_LINE)

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

/* Where memory is copied from, and to; @to is NULL where it is only hashed. */
struct way {
    unsigned char *to;
    const unsigned char *from;
    size_t size;
};

/* One stripe on, from @at. */
TM_KERNEL_INLINE struct tm_sums step(struct tm_sums sums, const struct way *way, size_t at, const unsigned char *secret)
{
    struct tm_stripe stripe = load(way->from + at);
    if (way->to != NULL)
        store(way->to + at, stripe);
    return add(sums, stripe, secret);
}

static inline void ask_ahead(const unsigned char *from, size_t size)
{
    for (size_t line = ASKED_FROM; line < size; line += TM_CACHE_LINE)
        tm_prefetch_second(from + line);
    tm_prefetch_second(from + size - 1u);
}

/* Hashes an input of more than TM_HASH_SHORT_MAX bytes, and copies it on the way. */
TM_KERNEL_INLINE uint64_t hash_long(struct way way, uint64_t seed)
{
    unsigned char secret[TM_HASH_SECRET_BYTES] TM_ALIGNED(64);
    uint64_t out[8] TM_ALIGNED(64);
    struct tm_sums sums = start();
    const size_t last_stripe = way.size - TM_HASH_STRIPE_BYTES;
    size_t blocks = (way.size - 1u) / TM_HASH_BLOCK_BYTES;
    size_t at = 0;

    if (way.to != NULL)
        ask_ahead(way.from, way.size);
    make_secret(secret, seed);
    for (size_t block = 0; block < blocks; block++) {
        TM_UNROLL(TM_KERNEL_UNROLL)
        for (size_t i = 0; i < TM_HASH_BLOCK_STRIPES; i++)
            sums = step(sums, &way, at + i * TM_HASH_STRIPE_BYTES, secret + i * TM_SECRET_STEP);
        sums = scramble(sums, secret + TM_SECRET_SCRAMBLE);
        at += TM_HASH_BLOCK_BYTES;
    }
    for (const unsigned char *key = secret; at < last_stripe; at += TM_HASH_STRIPE_BYTES, key += TM_SECRET_STEP)
        sums = step(sums, &way, at, key);
    sums = step(sums, &way, last_stripe, secret + TM_SECRET_LAST);
    sums_out(out, sums);
    return tm_hash_finish(out, secret, way.size);
}

static TM_KERNEL_TARGET uint64_t hash(const void *bytes, size_t size, uint64_t seed)
{
    if (size <= TM_HASH_SHORT_MAX)
        return tm_hash_short(bytes, size, seed);
    return hash_long((struct way){NULL, bytes, size}, seed);
}

static TM_KERNEL_TARGET uint64_t copy_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    if (size > TM_HASH_SHORT_MAX)
        return hash_long((struct way){to, from, size}, seed);
    memcpy(to, from, size);
    return tm_hash_short(to, size, seed);
}

/* Stores past the cache leave the core slowly: the hash takes its time while they do. */
static TM_KERNEL_TARGET uint64_t copy_out_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    tm_copy_out_begin(to, from, size);
    uint64_t result = hash(from, size, seed);
    tm_copy_out_end();
    return result;
}
