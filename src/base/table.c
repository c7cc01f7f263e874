/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - linear hashing with a lock in every bucket. */
#include "base/table.h"

#define BASE_BUCKETS (1u << TM_TABLE_BASE_BITS)
#define OVERFLOW_BASE 64u /* lines of the first overflow directory */
#define SPLITS_AHEAD 16u
#define TABLE_BUCKETS_MAX (1u << 31)

/* ---- where lines lie ---- */

/* Directory k > 0 holds the numbers base * 2^(k-1) ... base * 2^k - 1. */
static unsigned level_of(uint32_t number, uint32_t base)
{
    return number < base ? 0 : tm_log2(number / base) + 1u;
}

/* The same for a number that is there; it becomes the one inside its level. */
static unsigned locate(uint32_t *number, uint32_t base)
{
    if (*number < base)
        return 0;
    unsigned bits = tm_log2(*number);
    *number -= 1u << bits; /* the level's first */
    return bits - tm_log2(base) + 1u;
}

/* The line exists, so its level does; others may find that out at the same time. */
static struct tm_bucket *bucket_at(const struct tm_table *table, uint32_t number)
{
    unsigned level = locate(&number, BASE_BUCKETS);
    return &__atomic_load_n(&table->directory[level], __ATOMIC_RELAXED)[number];
}

static struct tm_overflow *overflow_at(const struct tm_table *table, uint32_t number)
{
    unsigned level = locate(&number, OVERFLOW_BASE);
    return &__atomic_load_n(&table->overflow_directory[level], __ATOMIC_RELAXED)[number];
}

static size_t level_bytes(unsigned level, uint32_t base, size_t line)
{
    return (size_t)(level == 0 ? base : base << (level - 1u)) * line;
}

static void *allocate_level(struct tm_table *table, unsigned level, uint32_t base, size_t line)
{
    return level < TM_TABLE_LEVELS ? table->host->alloc(table->host->user, level_bytes(level, base, line)) : NULL;
}

static struct tm_bucket *allocate_buckets(struct tm_table *table, unsigned level)
{
    return allocate_level(table, level, BASE_BUCKETS, sizeof(struct tm_bucket));
}

static struct tm_overflow *allocate_overflow(struct tm_table *table, unsigned level)
{
    return allocate_level(table, level, OVERFLOW_BASE, sizeof(struct tm_overflow));
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

/* The places of a bucket, or of one line of its chain. */
struct places {
    uint32_t *high, *low;
    unsigned count;
};

static inline struct places places_of(struct tm_bucket *bucket, struct tm_overflow *line)
{
    if (TM_LIKELY(line == NULL))
        return (struct places){bucket->high, bucket->low, TM_BUCKET_ENTRIES};
    return (struct places){line->high, line->low, TM_OVERFLOW_ENTRIES};
}

static inline unsigned half_of(uint32_t word, unsigned at)
{
    return word >> at % 2u * 16u & UINT16_MAX;
}

static inline uint64_t join(unsigned half, uint32_t low)
{
    return (uint64_t)(half & UINT8_MAX) << 32 | low;
}

static inline uint64_t ref_at(const struct places *places, unsigned at)
{
    return join(half_of(places->high[at / 2u], at), places->low[at]);
}

/* The upper half of an entry. */
static unsigned half_make(uint32_t hash, uint64_t ref)
{
    return hash >> 24 << 8 | (unsigned)(ref >> 32);
}

/* Entries change under the lock of their bucket; but tm_table_guess() looks without it. */
static inline void set_entry(const struct places *places, unsigned at, unsigned half, uint32_t low)
{
    unsigned shift = at % 2u * 16u;
    uint32_t word = (places->high[at / 2u] & ~((uint32_t)UINT16_MAX << shift)) | (uint32_t)half << shift;
    __atomic_store_n(&places->high[at / 2u], word, __ATOMIC_RELAXED);
    __atomic_store_n(&places->low[at], low, __ATOMIC_RELAXED);
}

/* A bit for each of eight places whose entry has the hash's 8 bits. */
static inline uint32_t match_eight(const uint32_t high[4], uint32_t hash)
{
#ifdef __SSE2__ /* every operation looks something up; the compiler knows these without a header */
    typedef uint16_t halves __attribute__((vector_size(16)));
    typedef short words __attribute__((vector_size(16)));
    typedef char bytes __attribute__((vector_size(16)));
    halves all;
    memcpy(&all, high, sizeof all);
    words equal = (words)(all >> 8 == (uint16_t)(hash >> 24));
    return (uint32_t)__builtin_ia32_pmovmskb128((bytes)__builtin_ia32_packsswb128(equal, (words){0}));
#else
    uint32_t found = 0;
    for (unsigned at = 0; at < 8; at++)
        found |= (uint32_t)(half_of(high[at / 2u], at) >> 8 == hash >> 24) << at;
    return found;
#endif
}

/* The same for all places, empty ones too. What follows the halves belongs to the entries as well, and is taken off. */
static inline uint32_t match_places(const uint32_t *high, unsigned count, uint32_t hash)
{
    uint32_t found = match_eight(high, hash) | match_eight(high + 4, hash) << 8;
    if (count > 16u)
        found |= match_eight(high + 8, hash) << 16;
    return found & ((1u << count) - 1u);
}

/* The next place at or after @at whose entry has the hash's 8 bits; places->count: there is none. */
static inline unsigned next_with_tag(const struct places *places, unsigned at, uint32_t hash)
{
    uint32_t found = match_places(places->high, places->count, hash) & UINT32_MAX << at;
    for (; found != 0; found &= found - 1u) {
        at = (unsigned)__builtin_ctz(found);
        if (TM_LIKELY(ref_at(places, at) != 0))
            return at;
    }
    return places->count;
}

static inline bool is_free(const struct places *places, unsigned at)
{
    return places->low[at] == 0 && half_of(places->high[at / 2u], at) == 0;
}

/* The first place that is free; places->count: there is none. */
static inline unsigned free_place(const struct places *places)
{
    for (uint32_t found = match_places(places->high, places->count, 0); found != 0; found &= found - 1u)
        if (TM_LIKELY(is_free(places, (unsigned)__builtin_ctz(found))))
            return (unsigned)__builtin_ctz(found);
    return places->count;
}

/* The next place at or after @at that is not free; places->count: there is none. */
static unsigned next_place(const struct places *places, unsigned at)
{
    while (at < places->count && is_free(places, at))
        at++;
    return at;
}

bool tm_table_init(struct tm_table *table, const struct tm_host *host, enum tm_lock_class lock_class,
                   const struct tm_table_owner *owner)
{
    memset(table, 0, sizeof *table);
    table->host = host;
    table->owner = *owner;
    table->lock_class = lock_class;
    table->bucket_count = BASE_BUCKETS;
    table->overflow_next = 1;
    table->bytes = BASE_BUCKETS * sizeof(struct tm_bucket);
    table->directory[0] = allocate_buckets(table, 0);
    table->overflow_directory[0] = allocate_overflow(table, 0);
    if (table->directory[0] != NULL && table->overflow_directory[0] != NULL)
        return true;
    tm_table_fini(table);
    return false;
}

static void free_level(struct tm_table *table, void *lines, unsigned level, uint32_t base, size_t line)
{
    if (lines != NULL)
        table->host->free(table->host->user, lines, level_bytes(level, base, line));
}

void tm_table_fini(struct tm_table *table)
{
    for (unsigned level = 0; level < TM_TABLE_LEVELS; level++) {
        free_level(table, table->directory[level], level, BASE_BUCKETS, sizeof(struct tm_bucket));
        free_level(table, table->overflow_directory[level], level, OVERFLOW_BASE, sizeof(struct tm_overflow));
        table->directory[level] = NULL;
        table->overflow_directory[level] = NULL;
    }
}

/* The line of the chain after @line, which is NULL for the bucket itself; or NULL. */
static inline struct tm_overflow *next_line(const struct tm_table *table, const struct tm_bucket *bucket,
                                            const struct tm_overflow *line)
{
    uint32_t number = line == NULL ? bucket->overflow : line->next;
    return TM_LIKELY(number == 0) ? NULL : overflow_at(table, number);
}

/* ---- locking ---- */

struct tm_bucket *tm_table_lock(struct tm_table *table, uint32_t hash)
{
    for (;;) {
        /* Acquire: pairs with the release in split_one(), so the bucket's memory is seen. */
        uint32_t count = tm_load_acquire(&table->bucket_count);
        uint32_t number = bucket_of(hash, count);
        struct tm_bucket *bucket = bucket_at(table, number);
        tm_prefetch(&bucket->low[TM_BUCKET_ENTRIES - 1u]);
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
    struct tm_bucket *bucket = bucket_at(table, number);
    tm_prefetch_write(bucket);
    tm_prefetch_write(&bucket->low[TM_BUCKET_ENTRIES - 1u]);
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

bool tm_table_is_bucket_of(const struct tm_table *table, const struct tm_bucket *bucket, uint32_t hash)
{
    return bucket_at(table, bucket_of(hash, tm_load_relaxed(&table->bucket_count))) == bucket;
}

/* The hash's highest 8 bits in both halves' places. */
static inline uint32_t pattern_of(uint32_t hash)
{
    return (hash >> 24) * UINT32_C(0x01000100);
}

/* True when one half of the word has the highest 8 bits that @pattern was made of. */
static inline bool has_tag(uint32_t word, uint32_t pattern)
{
    uint32_t other = (word ^ pattern) & UINT32_C(0xff00ff00);
    return other <= UINT16_MAX || (other & UINT16_MAX) == 0;
}

uint64_t tm_table_guess(const struct tm_table *table, uint32_t hash)
{
    uint32_t number = bucket_of(hash, __atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE));
    const struct tm_bucket *bucket = bucket_at(table, number);
    uint32_t pattern = pattern_of(hash);
    for (unsigned i = 0; i < TM_BUCKET_ENTRIES; i += 2u) {
        uint32_t word = __atomic_load_n(&bucket->high[i / 2u], __ATOMIC_RELAXED);
        if (TM_LIKELY(!has_tag(word, pattern)))
            continue;
        unsigned at = (word ^ pattern) >> 8 & UINT8_MAX ? i + 1u : i;
        uint64_t ref = join(half_of(word, at), __atomic_load_n(&bucket->low[at], __ATOMIC_RELAXED));
        if (ref != 0)
            return ref;
    }
    return 0;
}

/* The next entry with the hash's 8 bits, or, with @any, the next one. */
static inline uint64_t next_entry(const struct tm_table *table, struct tm_bucket *bucket, struct tm_table_scan *scan,
                                  uint32_t hash, bool any)
{
    struct tm_overflow *line = scan->line;
    unsigned position = scan->position;
    do {
        struct places places = places_of(bucket, line);
        position = any ? next_place(&places, position) : next_with_tag(&places, position, hash);
        if (position < places.count) {
            *scan = (struct tm_table_scan){line, position + 1u};
            return ref_at(&places, position);
        }
        line = next_line(table, bucket, line);
        position = 0;
    } while (line != NULL);
    return 0;
}

uint64_t tm_table_next(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, struct tm_table_scan *scan)
{
    return next_entry(table, bucket, scan, hash, false);
}

uint64_t tm_table_next_any(struct tm_table *table, struct tm_bucket *bucket, struct tm_table_scan *scan)
{
    return next_entry(table, bucket, scan, 0, true);
}

uint64_t tm_table_found(struct tm_bucket *bucket, const struct tm_table_scan *scan)
{
    TM_ASSERT(scan->position > 0);
    struct places places = places_of(bucket, scan->line);
    return ref_at(&places, scan->position - 1u);
}

void tm_table_replace(struct tm_bucket *bucket, const struct tm_table_scan *scan, uint64_t ref)
{
    TM_ASSERT(scan->position > 0);
    TM_ASSERT(ref != 0 && ref <= TM_TABLE_REF_MAX);
    struct places places = places_of(bucket, scan->line);
    unsigned at = scan->position - 1u;
    unsigned tag = half_of(places.high[at / 2u], at) & 0xff00u;
    set_entry(&places, at, tag | (unsigned)(ref >> 32), (uint32_t)ref);
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
        table->overflow_free = overflow_at(table, number)->next;
    } else if (level < TM_TABLE_LEVELS && tm_load_acquire(&table->overflow_directory[level]) != NULL) {
        number = table->overflow_next;
        tm_store_relaxed(&table->overflow_next, number + 1u);
        tm_fetch_add_relaxed(&table->bytes, sizeof(struct tm_overflow));
    }
    tm_lock_release(&table->overflow_lock, TM_LOCK_table_overflow);
    if (number != 0)
        memset(overflow_at(table, number), 0, sizeof(struct tm_overflow));
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
    struct tm_overflow *none = NULL;
    struct tm_overflow *lines = allocate_overflow(table, level);
    if (lines != NULL && !tm_compare_exchange(&table->overflow_directory[level], &none, lines))
        free_level(table, lines, level, OVERFLOW_BASE, sizeof *lines);
}

static void overflow_give(struct tm_table *table, uint32_t number)
{
    tm_lock_acquire(&table->overflow_lock, TM_LOCK_table_overflow);
    overflow_at(table, number)->next = table->overflow_free;
    table->overflow_free = number;
    tm_lock_release(&table->overflow_lock, TM_LOCK_table_overflow);
}

static bool is_empty(const struct tm_overflow *line)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < TM_OVERFLOW_ENTRIES; i++)
        bits |= line->low[i] | line->high[i / 2u];
    return bits == 0;
}

/* Unlinks the empty lines of a chain. */
static void drop_empty_lines(struct tm_table *table, struct tm_bucket *bucket)
{
    uint32_t *link = &bucket->overflow;
    while (*link != 0) {
        uint32_t number = *link;
        struct tm_overflow *line = overflow_at(table, number);
        if (is_empty(line)) {
            *link = line->next;
            overflow_give(table, number);
        } else {
            link = &line->next;
        }
    }
}

/* ---- insert and remove ---- */

/* Puts an entry in a free place of the chain. False: there is none. */
static bool fill_place(struct tm_table *table, struct tm_bucket *bucket, unsigned half, uint32_t low)
{
    struct tm_overflow *line = NULL;
    do {
        struct places places = places_of(bucket, line);
        unsigned at = free_place(&places);
        if (at < places.count) {
            set_entry(&places, at, half, low);
            return true;
        }
        line = next_line(table, bucket, line);
    } while (line != NULL);
    return false;
}

/* The same, or in a new line of it. */
static bool place_entry(struct tm_table *table, struct tm_bucket *bucket, unsigned half, uint32_t low)
{
    if (TM_LIKELY(fill_place(table, bucket, half, low)))
        return true;
    uint32_t number = overflow_take(table);
    if (number == 0)
        return false;
    struct tm_overflow *line = overflow_at(table, number);
    line->next = bucket->overflow;
    bucket->overflow = number;
    struct places places = places_of(bucket, line);
    set_entry(&places, 0, half, low);
    return true;
}

bool tm_table_insert(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    TM_ASSERT(ref != 0 && ref <= TM_TABLE_REF_MAX);
    if (!place_entry(table, bucket, half_make(hash, ref), (uint32_t)ref))
        return false;
    tm_fetch_add_relaxed(&table->entry_count, 1u);
    return true;
}

/* Empties the place that @scan found last. */
static void clear_found(struct tm_table *table, struct tm_bucket *bucket, const struct tm_table_scan *scan)
{
    struct places places = places_of(bucket, scan->line);
    set_entry(&places, scan->position - 1u, 0, 0);
    /* Only the line that lost an entry can be empty now; others are not brought into the cache for nothing. */
    if (TM_UNLIKELY(scan->line != NULL) && is_empty(scan->line))
        drop_empty_lines(table, bucket);
}

static bool take_from_chain(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    struct tm_table_scan scan = {NULL, TM_BUCKET_ENTRIES};
    uint64_t found;
    while ((found = tm_table_next(table, bucket, hash, &scan)) != ref)
        if (found == 0)
            return false;
    clear_found(table, bucket, &scan);
    return true;
}

/* Most entries are in the bucket itself: there it is looked for without the detour of a scan. */
static bool take(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    const struct places places = {bucket->high, bucket->low, TM_BUCKET_ENTRIES};
    for (uint32_t found = match_places(places.high, places.count, hash); found != 0; found &= found - 1u) {
        unsigned at = (unsigned)__builtin_ctz(found);
        if (TM_UNLIKELY(ref_at(&places, at) != ref))
            continue;
        set_entry(&places, at, 0, 0);
        return true;
    }
    return bucket->overflow != 0 && take_from_chain(table, bucket, hash, ref);
}

void tm_table_remove_found(struct tm_table *table, struct tm_bucket *bucket, const struct tm_table_scan *scan)
{
    clear_found(table, bucket, scan);
    tm_fetch_sub_relaxed(&table->entry_count, 1u);
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
        entries[i].bucket = bucket_at(table, bucket_of(entries[i].hash, buckets));
        tm_prefetch_write(entries[i].bucket);
        tm_prefetch_write(&entries[i].bucket->low[TM_BUCKET_ENTRIES - 1u]);
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

/* Entries of the chain go to places that others left, as near to the bucket as there are, and empty lines away. */
static void draw_together(struct tm_table *table, struct tm_bucket *bucket)
{
    struct tm_overflow *line = NULL;
    while ((line = next_line(table, bucket, line)) != NULL) {
        struct places places = places_of(bucket, line);
        for (unsigned i = next_place(&places, 0); i < places.count; i = next_place(&places, i + 1u)) {
            unsigned half = half_of(places.high[i / 2u], i);
            uint32_t low = places.low[i];
            set_entry(&places, i, 0, 0);
            bool done = fill_place(table, bucket, half, low); /* in the end where it was */
            TM_ASSERT(done);
        }
    }
    drop_empty_lines(table, bucket);
}

/* A bucket that is split in two. */
struct split {
    struct tm_table *table;
    struct tm_bucket *from, *to; /* nobody can reach @to yet */
    uint32_t from_number, to_number;
    uint32_t mask;    /* of the bits that choose one of twice as many buckets as at the level's begin */
    uint64_t dropped; /* entries that belong nowhere: what they name is damaged */
};

/* Moves the entries of one line that belong to the new bucket. False: no memory for an overflow line. */
static bool move_line(struct split *split, struct places places)
{
    struct tm_table *table = split->table;
    uint64_t refs[TM_BUCKET_ENTRIES];
    uint32_t hashes[TM_BUCKET_ENTRIES];
    unsigned at[TM_BUCKET_ENTRIES];
    unsigned count = 0;
    for (unsigned i = next_place(&places, 0); i < places.count; i = next_place(&places, i + 1u)) {
        refs[count] = ref_at(&places, i);
        at[count++] = i;
    }
    if (count != 0)
        table->owner.hashes(table->owner.user, table->owner.arena, refs, count, hashes);
    for (unsigned i = 0; i < count; i++) {
        unsigned half = half_of(places.high[at[i] / 2u], at[i]);
        uint32_t number = hashes[i] & split->mask;
        bool is_sound = hashes[i] >> 24 == half >> 8;
        if (is_sound && number == split->from_number)
            continue;
        if (!is_sound || number != split->to_number)
            split->dropped++;
        else if (!place_entry(table, split->to, half, (uint32_t)refs[i]))
            return false;
        set_entry(&places, at[i], 0, 0);
    }
    return true;
}

static bool move_entries(struct split *split)
{
    struct tm_overflow *line = NULL;
    do {
        if (!move_line(split, places_of(split->from, line)))
            return false;
        line = next_line(split->table, split->from, line);
    } while (line != NULL);
    return true;
}

/* What move_entries() moved before memory ran out goes back. */
static void move_back(struct split *split)
{
    struct tm_overflow *line = NULL;
    do {
        struct places places = places_of(split->to, line);
        for (unsigned i = next_place(&places, 0); i < places.count; i = next_place(&places, i + 1u)) {
            /* There are at least the places that these entries left. */
            bool done = fill_place(split->table, split->from, half_of(places.high[i / 2u], i), places.low[i]);
            TM_ASSERT(done);
            set_entry(&places, i, 0, 0);
        }
        line = next_line(split->table, split->to, line);
    } while (line != NULL);
    drop_empty_lines(split->table, split->to);
    draw_together(split->table, split->from);
}

/* Splits the next bucket. The caller holds `growing`. */
static bool split_one(struct tm_table *table)
{
    uint32_t count = tm_load_relaxed(&table->bucket_count);
    if (count >= TABLE_BUCKETS_MAX)
        return false;
    unsigned level = level_of(count, BASE_BUCKETS);
    if (table->directory[level] == NULL) {
        table->directory[level] = allocate_buckets(table, level);
        if (table->directory[level] == NULL)
            return false; /* others read it only after bucket_count says so */
    }
    uint32_t full = 1u << tm_log2(count);
    struct split split = {.table = table,
                          .from = bucket_at(table, count - full),
                          .to = bucket_at(table, count),
                          .from_number = count - full,
                          .to_number = count,
                          .mask = 2u * full - 1u};

    tm_lock_acquire(&split.from->lock, table->lock_class);
    bool moved = move_entries(&split);
    if (moved) {
        draw_together(table, split.from);
        /* Release: whoever sees the new count sees the new bucket's entries. */
        tm_store_release(&table->bucket_count, count + 1u);
        tm_fetch_add_relaxed(&table->bytes, sizeof(struct tm_bucket));
    } else {
        move_back(&split);
    }
    tm_lock_release(&split.from->lock, table->lock_class);
    if (split.dropped != 0)
        tm_fetch_sub_relaxed(&table->entry_count, split.dropped);
    return moved;
}

/* True when there are more entries than so many in a bucket. */
static bool is_loaded(struct tm_table *table, unsigned entries)
{
    uint64_t room = (uint64_t)tm_load_relaxed(&table->bucket_count) * entries;
    return tm_load_relaxed(&table->entry_count) > room;
}

/* Splits so many buckets at most, while the table is loaded. False: somebody else does, or there is nothing to do. */
static bool split_some(struct tm_table *table, unsigned splits, unsigned entries)
{
    bool done = false;
    if (TM_LIKELY(!is_loaded(table, entries)) || tm_exchange(&table->growing, 1u) != 0)
        return false;
    for (; splits > 0 && is_loaded(table, entries) && split_one(table); splits--)
        done = true;
    tm_store_release(&table->growing, 0u);
    return done;
}

void tm_table_grow(struct tm_table *table)
{
    unsigned level = missing_level(table);
    if (TM_UNLIKELY(level != TM_TABLE_LEVELS))
        stock_overflow(table, level);
    (void)split_some(table, 2, TM_TABLE_LOAD + table->patience);
}

bool tm_table_grow_ahead(struct tm_table *table)
{
    return split_some(table, SPLITS_AHEAD, TM_TABLE_LOAD);
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
        struct tm_bucket *bucket = bucket_at(table, number);
        TM_ASSERT(!tm_lock_is_held(&bucket->lock));
        struct tm_table_scan scan = {NULL, 0};
        while (tm_table_next_any(table, bucket, &scan) != 0)
            entries++;
        struct tm_overflow *line = NULL;
        while ((line = next_line(table, bucket, line)) != NULL) {
            TM_ASSERT(!is_empty(line));
            lines++;
        }
    }
    TM_ASSERT(entries == table->entry_count);
    for (uint32_t number = table->overflow_free; number != 0; number = overflow_at(table, number)->next)
        lines++;
    TM_ASSERT(lines == table->overflow_next - 1u);
    TM_ASSERT(table->bytes == count * sizeof(struct tm_bucket) + lines * sizeof(struct tm_overflow));
}
