/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - linear hashing with a lock in every bucket. */
#include "base/table.h"

#define BASE_BUCKETS (1u << TM_TABLE_BASE_BITS)
#define OVERFLOW_BASE 64u /* lines of the first overflow directory */
#define TABLE_BUCKETS_MAX (1u << 31)

/* ---- where lines lie ---- */

/* Directory k > 0 holds the numbers base * 2^(k-1) ... base * 2^k - 1. */
static unsigned level_of(uint32_t number, uint32_t base)
{
    return number < base ? 0 : tm_log2(number / base) + 1u;
}

static size_t level_bytes(unsigned level, uint32_t base)
{
    return (size_t)(level == 0 ? base : base << (level - 1u)) * sizeof(struct tm_bucket);
}

static struct tm_bucket *line_at(struct tm_bucket *const *directory, uint32_t number, uint32_t base)
{
    unsigned level = 0;
    if (number >= base) {
        unsigned bits = tm_log2(number);
        level = bits - tm_log2(base) + 1u;
        number -= 1u << bits; /* the level's first */
    }
    /* The line exists, so its level does; others may find that out at the same time. */
    return &__atomic_load_n(&directory[level], __ATOMIC_RELAXED)[number];
}

static struct tm_bucket *allocate_level(struct tm_table *table, unsigned level, uint32_t base)
{
    if (level >= TM_TABLE_LEVELS)
        return NULL;
    return table->host->alloc(table->host->user, level_bytes(level, base));
}

static void free_levels(struct tm_table *table, struct tm_bucket **directory, uint32_t base)
{
    for (unsigned level = 0; level < TM_TABLE_LEVELS; level++) {
        if (directory[level] == NULL)
            continue;
        table->host->free(table->host->user, directory[level], level_bytes(level, base));
        directory[level] = NULL;
    }
}

/* With @count buckets: the low bits that choose one of twice the last power of two, and one bit less
 * for those that have not been split yet. */
static uint32_t bucket_of(uint32_t hash, uint32_t count)
{
    uint32_t full = 1u << tm_log2(count);
    uint32_t number = hash & (2u * full - 1u);
    return number < count ? number : number & (full - 1u);
}

/* How many low bits of the hash all entries of bucket @number share. */
static unsigned bucket_bits(uint32_t number, uint32_t count)
{
    unsigned level = tm_log2(count);
    uint32_t full = 1u << level;
    bool is_split = number >= full || number + full < count;
    return is_split ? level + 1u : level;
}

/* ---- entries ---- */

static uint64_t tag_of(uint32_t hash)
{
    return (uint64_t)(hash >> TM_TABLE_BASE_BITS) << TM_ENTRY_REF_BITS;
}

/* True when the entry is one of those that begin with @tag, the high bits of a hash in their place. */
static inline bool has_tag(uint64_t entry, uint64_t tag)
{
    return entry - tag - 1u < TM_ENTRY_REF_MASK; /* what is left is a reference, and not 0 */
}

static uint64_t entry_make(uint32_t hash, uint64_t ref)
{
    return tag_of(hash) | ref;
}

static uint32_t entry_hash(uint64_t entry, uint32_t bucket_hash)
{
    return (uint32_t)(entry >> TM_ENTRY_REF_BITS) << TM_TABLE_BASE_BITS | (bucket_hash & (BASE_BUCKETS - 1u));
}

bool tm_table_init(struct tm_table *table, const struct tm_host *host, enum tm_lock_class lock_class)
{
    memset(table, 0, sizeof *table);
    table->host = host;
    table->lock_class = lock_class;
    table->bucket_count = BASE_BUCKETS;
    table->overflow_next = 1;
    table->bytes = BASE_BUCKETS * sizeof(struct tm_bucket);
    table->directory[0] = allocate_level(table, 0, BASE_BUCKETS);
    table->overflow_directory[0] = allocate_level(table, 0, OVERFLOW_BASE);
    if (table->directory[0] != NULL && table->overflow_directory[0] != NULL)
        return true;
    tm_table_fini(table);
    return false;
}

void tm_table_fini(struct tm_table *table)
{
    free_levels(table, table->directory, BASE_BUCKETS);
    free_levels(table, table->overflow_directory, OVERFLOW_BASE);
}

static struct tm_bucket *overflow_line(struct tm_table *table, uint32_t number)
{
    return line_at(table->overflow_directory, number, OVERFLOW_BASE);
}

/* The line after @line in its chain, or NULL. */
static struct tm_bucket *next_line(struct tm_table *table, const struct tm_bucket *line)
{
    return line->overflow == 0 ? NULL : overflow_line(table, line->overflow);
}

/* ---- locking ---- */

struct tm_bucket *tm_table_lock(struct tm_table *table, uint32_t hash)
{
    for (;;) {
        /* Acquire: pairs with the release in split_one(), so the bucket's memory is seen. */
        uint32_t count = tm_load_acquire(&table->bucket_count);
        uint32_t number = bucket_of(hash, count);
        struct tm_bucket *bucket = line_at(table->directory, number, BASE_BUCKETS);
        tm_lock_acquire(&bucket->lock, table->lock_class);
        /* A split may have moved the hash while we waited. It holds the lock of the bucket that it
         * splits, so under the lock the answer is final. */
        uint32_t now = tm_load_relaxed(&table->bucket_count);
        if (TM_LIKELY(now == count || bucket_of(hash, now) == number))
            return bucket;
        tm_table_unlock(table, bucket);
    }
}

void tm_table_unlock(struct tm_table *table, struct tm_bucket *bucket)
{
    tm_lock_release(&bucket->lock, table->lock_class);
}

void tm_table_prefetch(const struct tm_table *table, uint32_t hash)
{
    uint32_t number = bucket_of(hash, __atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE));
    tm_prefetch_write(line_at(table->directory, number, BASE_BUCKETS));
}

struct tm_bucket *tm_table_lock_position(struct tm_table *table, uint32_t position, uint32_t *next)
{
    uint32_t hash = tm_reverse_bits(position);
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    uint32_t count = tm_load_relaxed(&table->bucket_count);
    uint32_t number = bucket_of(hash, count);
    unsigned bits = bucket_bits(number, count);
    /* In reversed order the hashes of a bucket are one range, of 2^(32 - bits) numbers. */
    uint32_t range = 1u << (32u - bits);
    *next = (position & ~(range - 1u)) + range;
    return bucket;
}

uint32_t tm_reverse_bits(uint32_t value)
{
    value = (value >> 16) | (value << 16);
    value = ((value & 0xff00ff00u) >> 8) | ((value & 0x00ff00ffu) << 8);
    value = ((value & 0xf0f0f0f0u) >> 4) | ((value & 0x0f0f0f0fu) << 4);
    value = ((value & 0xccccccccu) >> 2) | ((value & 0x33333333u) << 2);
    return ((value & 0xaaaaaaaau) >> 1) | ((value & 0x55555555u) << 1);
}

/* ---- look-up ---- */

/* Entries change under the lock of their bucket; but tm_table_guess() looks without it. */
static void set_entry(uint64_t *place, uint64_t entry)
{
    __atomic_store_n(place, entry, __ATOMIC_RELAXED);
}

uint64_t tm_table_guess(const struct tm_table *table, uint32_t hash)
{
    uint32_t number = bucket_of(hash, __atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE));
    const struct tm_bucket *line = line_at(table->directory, number, BASE_BUCKETS);
    uint64_t tag = tag_of(hash);
    for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i++) {
        uint64_t entry = __atomic_load_n(&line->entry[i], __ATOMIC_RELAXED);
        if (has_tag(entry, tag))
            return entry - tag;
    }
    return 0;
}

uint64_t tm_table_next(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, struct tm_table_scan *scan)
{
    struct tm_bucket *line = scan->line == NULL ? bucket : scan->line;
    unsigned position = scan->position;
    uint64_t tag = tag_of(hash);
    do {
        for (; position < TM_BUCKET_ENTRIES; position++) {
            if (!has_tag(line->entry[position], tag))
                continue;
            scan->line = line;
            scan->position = position + 1u;
            return line->entry[position] - tag;
        }
        line = next_line(table, line);
        position = 0;
    } while (line != NULL);
    return 0;
}

uint64_t tm_table_next_any(struct tm_table *table, struct tm_bucket *bucket, uint32_t bucket_hash,
                           struct tm_table_scan *scan, uint32_t *hash)
{
    if (scan->line == NULL)
        scan->line = bucket;
    do {
        while (scan->position < TM_BUCKET_ENTRIES) {
            uint64_t entry = scan->line->entry[scan->position++];
            if (entry == 0)
                continue;
            *hash = entry_hash(entry, bucket_hash);
            return entry & TM_ENTRY_REF_MASK;
        }
        if (scan->line->overflow == 0)
            return 0;
        scan->line = next_line(table, scan->line);
        scan->position = 0;
    } while (true);
}

void tm_table_replace(struct tm_table *table, struct tm_table_scan *scan, uint64_t ref)
{
    (void)table;
    TM_ASSERT(scan->line != NULL);
    TM_ASSERT(scan->position > 0);
    TM_ASSERT(ref != 0 && ref <= TM_ENTRY_REF_MASK);
    uint64_t *entry = &scan->line->entry[scan->position - 1u];
    set_entry(entry, (*entry & ~TM_ENTRY_REF_MASK) | ref);
}

/* ---- overflow lines ---- */

/* Answers the number of a zeroed line, or 0. Called under a bucket's lock, so it only takes from what
 * stock_overflow() has laid in. */
static uint32_t overflow_take(struct tm_table *table)
{
    uint32_t number = 0;
    tm_lock_acquire(&table->overflow_lock, TM_LOCK_table_overflow);
    unsigned level = level_of(table->overflow_next, OVERFLOW_BASE);
    if (table->overflow_free != 0) {
        number = table->overflow_free;
        table->overflow_free = overflow_line(table, number)->overflow;
    } else if (level < TM_TABLE_LEVELS && tm_load_acquire(&table->overflow_directory[level]) != NULL) {
        number = table->overflow_next;
        tm_store_relaxed(&table->overflow_next, number + 1u);
        tm_fetch_add_relaxed(&table->bytes, sizeof(struct tm_bucket));
    }
    tm_lock_release(&table->overflow_lock, TM_LOCK_table_overflow);
    if (number != 0)
        memset(overflow_line(table, number), 0, sizeof(struct tm_bucket));
    return number;
}

/* The level that the lines after the next few lie in, if it does not exist yet; else TM_TABLE_LEVELS. */
static unsigned missing_level(struct tm_table *table)
{
    unsigned level = level_of(tm_load_relaxed(&table->overflow_next) + OVERFLOW_BASE / 2u, OVERFLOW_BASE);
    bool is_missing = level < TM_TABLE_LEVELS && tm_load_relaxed(&table->overflow_directory[level]) == NULL;
    return is_missing ? level : TM_TABLE_LEVELS;
}

/* Keeps memory for the next overflow lines ready. Called without locks, by anybody: chains are longest while whoever
 * splits has been stopped, and that is no time to wait for him. */
static void stock_overflow(struct tm_table *table, unsigned level)
{
    struct tm_bucket *none = NULL;
    struct tm_bucket *lines = allocate_level(table, level, OVERFLOW_BASE);
    if (lines != NULL && !tm_compare_exchange(&table->overflow_directory[level], &none, lines))
        table->host->free(table->host->user, lines, level_bytes(level, OVERFLOW_BASE));
}

static void overflow_give(struct tm_table *table, uint32_t number)
{
    tm_lock_acquire(&table->overflow_lock, TM_LOCK_table_overflow);
    overflow_line(table, number)->overflow = table->overflow_free;
    table->overflow_free = number;
    tm_lock_release(&table->overflow_lock, TM_LOCK_table_overflow);
}

static bool is_empty(const struct tm_bucket *line)
{
    uint64_t entries = 0;
    for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i++)
        entries |= line->entry[i];
    return entries == 0;
}

/* Unlinks the empty lines of a chain. */
static void drop_empty_lines(struct tm_table *table, struct tm_bucket *bucket)
{
    struct tm_bucket *before = bucket;
    while (before->overflow != 0) {
        uint32_t number = before->overflow;
        struct tm_bucket *line = overflow_line(table, number);
        if (is_empty(line)) {
            before->overflow = line->overflow;
            overflow_give(table, number);
        } else {
            before = line;
        }
    }
}

/* ---- insert and remove ---- */

static uint64_t *free_place(struct tm_table *table, struct tm_bucket *bucket)
{
    for (struct tm_bucket *line = bucket; line != NULL; line = next_line(table, line))
        for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i++)
            if (line->entry[i] == 0)
                return &line->entry[i];
    return NULL;
}

/* Puts an entry in a free place of the chain, or in a new line of it. */
static bool place_entry(struct tm_table *table, struct tm_bucket *bucket, uint64_t entry)
{
    uint64_t *place = free_place(table, bucket);
    if (place == NULL) {
        uint32_t number = overflow_take(table);
        if (number == 0)
            return false;
        struct tm_bucket *line = overflow_line(table, number);
        line->overflow = bucket->overflow;
        bucket->overflow = number;
        place = &line->entry[0];
    }
    set_entry(place, entry);
    return true;
}

bool tm_table_insert(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    TM_ASSERT(ref != 0 && ref <= TM_ENTRY_REF_MASK);
    if (!place_entry(table, bucket, entry_make(hash, ref)))
        return false;
    tm_fetch_add_relaxed(&table->entry_count, 1u);
    return true;
}

static bool take(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    uint64_t entry = entry_make(hash, ref);
    for (struct tm_bucket *line = bucket; line != NULL; line = next_line(table, line)) {
        for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i++) {
            if (line->entry[i] != entry)
                continue;
            set_entry(&line->entry[i], 0);
            /* Only the line that lost an entry can be empty now; others are not brought into the cache for nothing. */
            if (line != bucket && is_empty(line))
                drop_empty_lines(table, bucket);
            return true;
        }
    }
    return false;
}

bool tm_table_remove(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    bool was_there = take(table, bucket, hash, ref);
    if (was_there)
        tm_fetch_sub_relaxed(&table->entry_count, 1u);
    return was_there;
}

void tm_table_remove_many(struct tm_table *table, struct tm_table_entry *entries, unsigned count)
{
    uint32_t buckets = tm_load_acquire(&table->bucket_count);
    uint64_t taken = 0;
    for (unsigned i = 0; i < count; i++) {
        entries[i].bucket = line_at(table->directory, bucket_of(entries[i].hash, buckets), BASE_BUCKETS);
        tm_prefetch_write(entries[i].bucket);
    }
    for (unsigned i = 0; i < count; i++) {
        struct tm_bucket *bucket = entries[i].bucket;
        tm_lock_acquire(&bucket->lock, table->lock_class);
        if (TM_UNLIKELY(tm_load_relaxed(&table->bucket_count) != buckets)) { /* it may have moved meanwhile */
            tm_table_unlock(table, bucket);
            bucket = tm_table_lock(table, entries[i].hash);
        }
        bool was_there = take(table, bucket, entries[i].hash, entries[i].ref);
        tm_table_unlock(table, bucket);
        if (!was_there)
            entries[i].bucket = NULL;
        taken += was_there;
    }
    if (taken != 0)
        tm_fetch_sub_relaxed(&table->entry_count, taken);
}

/* ---- growth ---- */

/* Moves the entries of @from that belong to bucket @number of the next level to @to, which nobody
 * can reach yet. False: no memory for an overflow line; all entries are back in @from. */
static bool move_entries(struct tm_table *table, struct tm_bucket *from, struct tm_bucket *to, uint64_t bit)
{
    for (struct tm_bucket *line = from; line != NULL; line = next_line(table, line)) {
        for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i++) {
            if (line->entry[i] == 0 || (line->entry[i] & bit) == 0)
                continue;
            if (!place_entry(table, to, line->entry[i]))
                return false;
            set_entry(&line->entry[i], 0);
        }
    }
    return true;
}

static void move_back(struct tm_table *table, struct tm_bucket *from, struct tm_bucket *to)
{
    for (struct tm_bucket *line = from; line != NULL; line = next_line(table, line)) {
        for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i++) {
            if (line->entry[i] == 0)
                continue;
            /* The places that these entries left are still free. */
            uint64_t *place = free_place(table, to);
            TM_ASSERT(place != NULL);
            set_entry(place, line->entry[i]);
            set_entry(&line->entry[i], 0);
        }
    }
    drop_empty_lines(table, from);
}

/* Splits the next bucket. The caller holds `growing`. */
static bool split_one(struct tm_table *table)
{
    uint32_t count = tm_load_relaxed(&table->bucket_count);
    if (count >= TABLE_BUCKETS_MAX)
        return false;
    unsigned level = level_of(count, BASE_BUCKETS);
    if (table->directory[level] == NULL) {
        table->directory[level] = allocate_level(table, level, BASE_BUCKETS);
        if (table->directory[level] == NULL)
            return false; /* others read it only after bucket_count says so */
    }
    unsigned bits = tm_log2(count);
    struct tm_bucket *from = line_at(table->directory, count - (1u << bits), BASE_BUCKETS);
    struct tm_bucket *to = line_at(table->directory, count, BASE_BUCKETS);
    uint64_t bit = UINT64_C(1) << (TM_ENTRY_REF_BITS + bits - TM_TABLE_BASE_BITS);

    tm_lock_acquire(&from->lock, table->lock_class);
    bool moved = move_entries(table, from, to, bit);
    if (moved) {
        drop_empty_lines(table, from);
        /* Release: whoever sees the new count sees the new bucket's entries. */
        tm_store_release(&table->bucket_count, count + 1u);
        tm_fetch_add_relaxed(&table->bytes, sizeof(struct tm_bucket));
    } else {
        move_back(table, to, from);
    }
    tm_lock_release(&from->lock, table->lock_class);
    return moved;
}

static bool is_loaded(struct tm_table *table)
{
    uint64_t room = (uint64_t)tm_load_relaxed(&table->bucket_count) * TM_TABLE_LOAD;
    return tm_load_relaxed(&table->entry_count) > room;
}

void tm_table_grow(struct tm_table *table)
{
    unsigned level = missing_level(table);
    if (TM_UNLIKELY(level != TM_TABLE_LEVELS))
        stock_overflow(table, level);
    if (TM_LIKELY(!is_loaded(table)))
        return;
    if (tm_exchange(&table->growing, 1u) != 0)
        return;
    for (unsigned splits = 0; splits < 2 && is_loaded(table); splits++)
        if (!split_one(table))
            break;
    tm_store_release(&table->growing, 0u);
}

void tm_table_reserve(struct tm_table *table, uint64_t entries)
{
    if (tm_exchange(&table->growing, 1u) != 0)
        return;
    while ((uint64_t)tm_load_relaxed(&table->bucket_count) * TM_TABLE_LOAD < entries && split_one(table)) {
    }
    tm_store_release(&table->growing, 0u);
}

/* ---- invariants ---- */

void tm_table_check(struct tm_table *table)
{
    uint64_t entries = 0;
    uint32_t count = table->bucket_count;
    uint32_t lines = 0;
    TM_ASSERT(count >= BASE_BUCKETS);
    TM_ASSERT(table->growing == 0);
    for (uint32_t number = 0; number < count; number++) {
        struct tm_bucket *bucket = line_at(table->directory, number, BASE_BUCKETS);
        TM_ASSERT(!tm_lock_is_held(&bucket->lock));
        struct tm_table_scan scan = {NULL, 0};
        uint32_t hash;
        while (tm_table_next_any(table, bucket, number, &scan, &hash) != 0) {
            TM_ASSERT(bucket_of(hash, count) == number);
            entries++;
        }
        for (struct tm_bucket *line = next_line(table, bucket); line != NULL; line = next_line(table, line))
            lines++;
    }
    TM_ASSERT(entries == table->entry_count);
    for (uint32_t number = table->overflow_free; number != 0; number = overflow_line(table, number)->overflow)
        lines++;
    TM_ASSERT(lines == table->overflow_next - 1u);
    TM_ASSERT(table->bytes == ((uint64_t)count + lines) * sizeof(struct tm_bucket));
}
