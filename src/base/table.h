/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - a hash table of references that grows one bucket at a time.
 *
 * Purpose: the engine's index and the store's table of contents. It maps a 32-bit hash to 40-bit
 * references; what a reference means, and whether it is the one looked for, the caller decides.
 *
 * Shape: linear hashing. A bucket is two cache lines: its lock, up to 20 entries, and where needed a
 * chain of overflow lines. With n buckets the low bits of the hash choose one; the table grows from
 * n to n + 1 by splitting one bucket in two, so no call ever pauses for the whole table. An entry is
 * six bytes: the reference, and the 8 highest bits of its hash, which tell most of the others apart. A
 * split needs the whole hash, and asks for it (struct tm_table_owner): what a reference names knows its
 * own hash. The table does not shrink.
 *
 * Locking: tm_table_lock() locks the bucket of a hash; the other functions are called with it held.
 * What the references of a bucket name may be protected by that lock, too. Two buckets are never
 * locked together by one thread, but for the split, whose second bucket nobody can reach yet.
 *
 * Cost: one cache line for a look-up that finds nothing, two for others; one split for every
 * TM_TABLE_LOAD entries added; 8 to 9 bytes of memory for each entry.
 */
#ifndef TM_BASE_TABLE_H
#define TM_BASE_TABLE_H

#include "base/base.h"
#include "base/host.h"
#include "base/lock.h"

#define TM_BUCKET_ENTRIES 20u
#define TM_OVERFLOW_ENTRIES 10u
#define TM_TABLE_BASE_BITS 4u
#define TM_TABLE_LEVELS 29u /* directories; the last doubles the table to 2^32 buckets */
#define TM_TABLE_LOAD 18u   /* entries per bucket on average, above which the table grows */
#define TM_TABLE_REF_MAX ((UINT64_C(1) << 40) - 1u)

/*
 * An entry in two halves: 8 bits of hash above 8 bits of reference, two entries' in a word; and the other 32 bits of
 * the reference. All of it 0 is an empty place. What a look-up compares lies together in the bucket's first line.
 */
struct tm_bucket {
    struct tm_lock lock;
    uint32_t overflow; /* number of the chain's first line, or 0 */
    uint32_t high[TM_BUCKET_ENTRIES / 2u];
    uint32_t low[TM_BUCKET_ENTRIES];
};
TM_STATIC_ASSERT(sizeof(struct tm_bucket) == 2u * TM_CACHE_LINE);

/* For entries that a bucket has no place for. */
struct tm_overflow {
    uint32_t next; /* number of the next line of the chain, or of the free list; or 0 */
    uint32_t high[TM_OVERFLOW_ENTRIES / 2u];
    uint32_t low[TM_OVERFLOW_ENTRIES];
};
TM_STATIC_ASSERT(sizeof(struct tm_overflow) == TM_CACHE_LINE);

/* Who knows what references mean. */
struct tm_table_owner {
    void *user;
    enum tm_arena_kind arena;

    /* The hashes that @count references were entered with, into @hashes: at most TM_BUCKET_ENTRIES, all of one bucket,
     * whose lock is held. What is named may have been damaged: an entry that belongs elsewhere by the answer is
     * dropped. */
    void (*hashes)(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned count, uint32_t *hashes);
};

struct tm_table {
    /* Constant after init. */
    const struct tm_host *host;
    struct tm_table_owner owner;
    enum tm_lock_class lock_class;
    unsigned patience; /* 0, or entries per bucket above TM_TABLE_LOAD that whoever inserts leaves to
                        * tm_table_grow_ahead(). Set by the owner, after init. */

    uint32_t bucket_count; /* atomic; grows under `growing` */

    /* directory[0] has 2^TM_TABLE_BASE_BITS buckets, directory[k] as many as all before it. Set
     * before bucket_count reaches them. */
    struct tm_bucket *directory[TM_TABLE_LEVELS];

    /* Overflow lines in the same shape; protected by overflow_lock. Number 0 is not used. */
    struct tm_overflow *overflow_directory[TM_TABLE_LEVELS];

    /* What changes with every entry, away from what every look-up reads. */
    tm_atomic64 entry_count TM_ALIGNED(TM_CACHE_LINE); /* atomic */
    tm_atomic64 bytes;                                 /* atomic; what is in use of the memory above */
    uint32_t growing;                                  /* atomic flag: somebody splits */
    struct tm_lock overflow_lock;
    uint32_t overflow_free; /* first free line, linked through its `next` */
    uint32_t overflow_next; /* first line never used */
};

/* Makes an empty table. @owner is copied. False: no memory; nothing to undo. */
TM_MUST_USE bool tm_table_init(struct tm_table *table, const struct tm_host *host, enum tm_lock_class lock_class,
                               const struct tm_table_owner *owner);

/* Frees the memory; what the references name is the caller's. */
void tm_table_fini(struct tm_table *table);

/* Locks the bucket of @hash and answers it. Unlock with tm_table_unlock(). */
struct tm_bucket *tm_table_lock(struct tm_table *table, uint32_t hash);
void tm_table_unlock(struct tm_table *table, struct tm_bucket *bucket);

/* Brings the bucket of @hash into the cache; a hint, without a lock. */
void tm_table_prefetch(const struct tm_table *table, uint32_t hash);

/* A reference that the bucket of @hash may have for it, or 0; a hint, without a lock: to bring what it names into the
 * cache. It may name nothing any more. */
uint64_t tm_table_guess(const struct tm_table *table, uint32_t hash);

/* Where a walk through the entries of a locked bucket has got to; zeroed before the first call. */
struct tm_table_scan {
    struct tm_overflow *line; /* NULL: the bucket itself */
    unsigned position;
};

/*
 * Finds the next entry in the locked @bucket whose hash may be @hash: one in 256 of the others is found, too. Answers
 * its reference, or 0 at the end.
 */
uint64_t tm_table_next(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, struct tm_table_scan *scan);

/* As tm_table_next(), but every entry. */
uint64_t tm_table_next_any(struct tm_table *table, struct tm_bucket *bucket, struct tm_table_scan *scan);

/* True when entries with this hash are in the locked @bucket, if anywhere. */
bool tm_table_is_bucket_of(const struct tm_table *table, const struct tm_bucket *bucket, uint32_t hash);

/* The reference that @scan found last; replaces it; removes its entry. */
uint64_t tm_table_found(struct tm_bucket *bucket, const struct tm_table_scan *scan);
void tm_table_replace(struct tm_bucket *bucket, const struct tm_table_scan *scan, uint64_t ref);
void tm_table_remove_found(struct tm_table *table, struct tm_bucket *bucket, const struct tm_table_scan *scan);

/*
 * Adds an entry to the locked bucket; @ref is not 0 and below 2^40. False: no memory for an
 * overflow line; nothing changed. Afterwards, with no lock held, call tm_table_grow().
 */
TM_MUST_USE bool tm_table_insert(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref);

/* Removes the entry with this reference, if it was entered with this hash. False: there is none. */
bool tm_table_remove(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref);

/* One of many to be removed. */
struct tm_table_entry {
    uint64_t ref;
    uint32_t hash;
    struct tm_bucket *bucket; /* afterwards; NULL: there was no such entry */
};

/* Removes many entries, whose buckets come into the cache together. Without locks held. */
void tm_table_remove_many(struct tm_table *table, struct tm_table_entry *entries, unsigned count);

/* Splits a bucket or two if the table is loaded beyond its patience and nobody else is at it, and lays in memory for
 * overflow lines; called without locks. Lack of memory only makes chains longer. */
void tm_table_grow(struct tm_table *table);

/* The same for a thread in the background, in which nobody waits: a few more splits, without patience. False: there is
 * nothing to do. */
bool tm_table_grow_ahead(struct tm_table *table);

/* Grows the table for so many entries at once, while it is empty: that moves none. Lack of memory only makes chains
 * longer. No locks held. */
void tm_table_reserve(struct tm_table *table, uint64_t entries);

/*
 * Walks the table by ranges of hashes that stay the same while it grows: @position goes from 0 up
 * through the hashes with their bits reversed. Answers the locked bucket that covers @position, and in
 * *next the position after its range; 0: this was the last.
 */
struct tm_bucket *tm_table_lock_position(struct tm_table *table, uint32_t position, uint32_t *next);

/* The bits of a hash in reverse order: where a walk meets it. */
uint32_t tm_reverse_bits(uint32_t value);

/* Asserts what this header claims. Nobody else uses the table meanwhile. */
void tm_table_check(struct tm_table *table);

#endif
