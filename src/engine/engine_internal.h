/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_internal.h - how the engine is made; only src/engine includes it.
 *
 * Clients, pools and memberships are host memory that is kept for the next one when they end, never freed
 * before the engine: an evictor that found one may look at it without a lock, pin it, and then see whether
 * it is still in use. Objects and chunks are records in the arenas.
 */
#ifndef TM_ENGINE_INTERNAL_H
#define TM_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "store/store.h"

/* ------------------------------------------------------- objects and chunks */

#define TM_CHUNK_PAGES 64u
#define TM_INDEX_OF_CHUNK(number) ((number) << 6)

/*
 * The slots of up to 64 neighbouring pages of an object: an aligned window of 4, 16 or 64 of them. Everything but
 * the slots and `count` is constant while the index names the chunk; object, next and prev belong to the
 * object's stripe. A chunk without an object's record stands alone: see object.c.
 */
struct tm_chunk {
    uint32_t kind;   /* TM_RECORD_LIVE(class) */
    uint16_t count;  /* slots that are not 0 */
    uint8_t first;   /* page of the window's begin, 0 ... 63 */
    uint8_t pages;   /* 4, 16 or 64 */
    uint32_t pool;   /* number */
    uint32_t number; /* index / 64 */
    uint64_t id[3];
    uint64_t object;     /* record; 0: none, this is all of the object */
    uint64_t next, prev; /* records: the object's other chunks, newest first; or, alone, the stripe's objects */
    tm_slot slot[];
};
TM_STATIC_ASSERT(sizeof(struct tm_chunk) == 64);

/* An object that has, or had, more than chunk 0. Everything belongs to its stripe. The chunks are a list from
 * first_chunk along `next`; going back, `prev` of the first is the last. The words that objects are found and listed by
 * are where a chunk has them. */
struct tm_object {
    uint32_t kind;
    uint32_t chunk_count;
    uint32_t pool;
    uint32_t reserved;
    uint64_t id[3];
    uint64_t first_chunk;
    uint64_t next, prev; /* of the stripe's objects: records, or chunks that stand alone */
};
TM_STATIC_ASSERT(sizeof(struct tm_object) == 64);

/* ------------------------------------------------------------------- pools */

#define TM_POOL_STRIPES 8u
#define TM_SHARDS 4u /* of what threads count that hold no worker */

enum tm_tally {
    TM_TALLY_PUTS,
    TM_TALLY_PUTS_REPLACED,
    TM_TALLY_PUTS_REFUSED,
    TM_TALLY_PUTS_DROPPED_OLD,
    TM_TALLY_GETS,
    TM_TALLY_GETS_FOUND,
    TM_TALLY_GETS_CORRUPT,
    TM_TALLY_INVALIDATES,
    TM_TALLY_INVALIDATES_FOUND,
    TM_TALLY_OBJECT_INVALIDATES,
    TM_TALLY_OBJECT_INVALIDATES_FOUND,
    TM_TALLY_EVICTED,
    TM_TALLY_PAGES,   /* now; a shard may be negative */
    TM_TALLY_OBJECTS, /* now */
    TM_TALLY_SAME,    /* now */
    TM_TALLY_SHARED,  /* now */
    TM_TALLIES
};

/*
 * Counters of a pool, spread so that threads do not share a line: TM_SHARDS sets for whoever holds no worker, then one
 * for each worker. Only who holds the worker counts in its set, so that counting there is no more than an addition.
 */
struct tm_tallies {
    tm_atomic64 count[TM_TALLIES]; /* atomic */
} TM_ALIGNED(TM_CACHE_LINE);

static inline unsigned tm_shard_of(const struct tm_worker *worker)
{
    return TM_SHARDS + tm_worker_number(worker);
}

/* Whose pages they are: a client's private pools of one kind, or one shared pool. */
struct tm_account {
    struct tm_heap *heap; /* NULL until the first pool of the kind */
    uint32_t worth;       /* atomic: how often pages worth keeping are used, in sixteenths; 0: not known yet */
};

struct tm_stripe {
    struct tm_lock lock;
    uint64_t first_object; /* records, or chunks that stand alone: the newest, */
    uint64_t last_object;  /* and the oldest */
} TM_ALIGNED(TM_CACHE_LINE);

enum tm_life {
    TM_LIFE_NONE,
    TM_LIFE_RUNNING,
    TM_LIFE_ENDING
};

#define TM_POOL_MAGIC 0x706f6f6cu
#define TM_CLIENT_MAGIC 0x636c6e74u
#define TM_MEMBER_MAGIC 0x6d656d62u
#define TM_ENGINE_MAGIC 0x656e676eu

struct tm_pool {
    unsigned magic;
    uint32_t life; /* atomic: enum tm_life */
    uint32_t pins; /* atomic: evictors that look at it */
    uint32_t number;
    struct tm_engine *engine;
    uint64_t id;
    enum tm_arena_kind kind;
    bool is_shared;
    struct tm_uuid uuid;
    uint64_t record; /* 0: none */
    struct tm_pool *next_free;

    struct tm_account *account; /* the owner's, or `own` */
    struct tm_account own;

    struct tm_client *watcher; /* atomic: who wants changes noted, or NULL; see dirty.c */

    struct tm_lock members_lock; /* the rest of this group; private pools do not use it for charging */
    struct tm_member *members;
    uint32_t member_count;
    uint64_t charged; /* shared: bytes of its pages */

    tm_atomic64 pages_max; /* atomic; see tm_note_pages() */
    uint32_t evict_stripe; /* atomic: where evicting chunks goes on */
    struct tm_stripe stripe[TM_POOL_STRIPES];
    struct tm_tallies tallies[]; /* tm_tally_shards() */
};

struct tm_member {
    unsigned magic;
    struct tm_pool *pool;
    struct tm_client *client;
    struct tm_member *next_of_pool;
    struct tm_member *next_of_client;
    bool is_last;    /* once it leaves: the pool ends with it */
    uint64_t part;   /* of the shared pool's charge; members_lock */
    uint64_t record; /* 0: none */
};

/* A right to join a shared pool. */
struct tm_right {
    struct tm_uuid uuid;
    struct tm_right *next;
    uint64_t record;
};

struct tm_client {
    unsigned magic;
    uint32_t life; /* atomic */
    uint32_t pins; /* atomic */
    struct tm_engine *engine;
    struct tm_client *next_free;
    char name[TM_CLIENT_NAME_BYTES];
    uint64_t serial;
    uint64_t record;                     /* 0: none */
    uint64_t note[TM_CLIENT_NOTE_WORDS]; /* control lock */

    uint32_t weight;                /* atomic */
    uint32_t frozen;                /* atomic */
    uint32_t plain;                 /* atomic: its pages are stored as they are */
    tm_atomic64 cap_bytes;          /* atomic */
    tm_atomic64 charged;            /* atomic */
    tm_atomic64 charged_max;        /* atomic */
    tm_atomic64 evicted_for_others; /* atomic */

    struct tm_ledger past; /* counts: of private pools that have ended; all atomic */
    struct tm_lock causers_lock;
    struct tm_causer causers[TM_CAUSERS + 1u]; /* the last: those that had to leave the table */

    struct tm_lock dirty_lock;
    struct tm_dirty *dirty; /* control lock and dirty_lock to change it; NULL: not watched */

    struct tm_account account[TM_ARENAS];

    /* Control lock. */
    struct tm_member *members; /* by ascending pool id */
    struct tm_right *rights;
    uint64_t pool_count;
};

/* --------------------------------------------------------------- the sketch */

/* How often pages were asked for lately, in 4 bits each, shared by hash. Advice only. */
struct tm_sketch {
    uint64_t *words; /* atomic; lines of 8 words; NULL: no memory for it, all pages look alike */
    uint64_t bytes;
    uint32_t lines;
    tm_atomic64 period; /* atomic: events between two sweeps */
    struct {
        tm_atomic64 events; /* atomic: of the threads with this shard, ever */
    } TM_ALIGNED(TM_CACHE_LINE) shard[TM_SHARDS];
    tm_atomic64 events TM_ALIGNED(TM_CACHE_LINE); /* atomic: since the last sweep began, in bunches */
    uint32_t hand;                                /* atomic: lines halved by the sweep under way; `lines`: none is */
};

/* Makes the counters, for a store of about so many pages; others may use the sketch already. False: no memory. */
bool tm_sketch_start(struct tm_sketch *sketch, const struct tm_host *host, uint64_t pages);
void tm_sketch_fini(struct tm_sketch *sketch, const struct tm_host *host);
/* How many events pass before what was counted weighs half. */
void tm_sketch_set_period(struct tm_sketch *sketch, uint64_t events);
/* One more event. @shard: of tallies. */
void tm_sketch_add(struct tm_sketch *sketch, unsigned shard, uint32_t hash, unsigned number);
/* Begins to bring a page's counters into the cache. */
void tm_sketch_prefetch(const struct tm_sketch *sketch, uint32_t hash, unsigned number);
unsigned tm_sketch_estimate(const struct tm_sketch *sketch, uint32_t hash, unsigned number);

/* ------------------------------------------------------------- the cold tier */

#define TM_WANTED_MOST 64u

/* Cold pages that were got more than once since the cold tier last looked. A few: the rest is noted by the next get. */
struct tm_wanted {
    struct tm_lock busy; /* only ever tried */
    uint32_t count;      /* written under `busy`, read anywhere */
    struct tm_wanted_page {
        uint64_t offset; /* of the block */
        uint32_t pool;   /* number */
        uint32_t hash;   /* of the chunk */
        uint32_t number; /* page of the chunk */
    } page[TM_WANTED_MOST];
};

struct tm_cold_tier {
    uint32_t cpu_percent; /* atomic; 0: off */
    uint32_t age_seconds; /* atomic */
    struct tm_lock busy;  /* only ever tried: the next group. One at a time works at it. */
    uint64_t round;       /* number of the last one, */
    uint32_t is_ordered;  /* atomic flag: by order, so that cleaning waits unless memory is short */
    bool is_under_way;    /* and whether it is over */
    bool is_left;         /* the round has found what may become cold later */
    uint32_t cursor;      /* the account it is at */
    uint64_t began_ns;    /* when it began */
    uint64_t looked_ns;   /* when the budget was looked at */
    int64_t budget_ns;    /* what is left of it */
    tm_atomic64 spent_ns; /* atomic: ever */
    struct tm_wanted wanted;
};

/* ------------------------------------------------------------------ engine */

#define TM_DIRECTORY 256u /* directories of as many pointers */

struct tm_engine {
    unsigned magic;
    struct tm_host host;
    struct tm_store *store;
    uint64_t seeds[4];
    struct tm_table index[TM_ARENAS];
    struct tm_sketch sketch;
    uint32_t sketch_started;      /* atomic flag */
    tm_atomic64 marks[TM_ARENAS]; /* atomic: what a get leaves in a slot */
    struct tm_cold_tier cold;

    struct tm_lock control;                   /* clients, pools and memberships coming and going */
    struct tm_client **clients[TM_DIRECTORY]; /* entries are set once; read without the lock */
    uint32_t clients_next;                    /* atomic */
    struct tm_client *clients_free;
    uint64_t client_count;
    struct tm_pool **pools[TM_DIRECTORY];
    uint32_t pools_next; /* atomic */
    struct tm_pool *pools_free;
    uint64_t pool_count;

    tm_atomic64 refused_admissions; /* atomic */
    struct tm_ledger past;          /* atomic; counts: of pools that have ended; the rest: of clients that have, and of
                                       shared pools' evictions that are no client's */
    bool is_ahead;                  /* a thread of its own does the background work */
    tm_atomic64 patient_since_ns;   /* atomic: when something was left to be cleaned later; 0: never */
    tm_atomic64 coded_ns;           /* atomic: when pages that waited for it were compressed last; 0: never */
};

/* Where a page belongs. */
struct tm_place {
    struct tm_engine *engine;
    struct tm_pool *pool;
    struct tm_table *index;
    struct tm_object_id id;
    uint32_t chunk; /* index / 64 */
    unsigned page;  /* index % 64 */
    uint32_t hash;  /* of the chunk */
    unsigned shard; /* of tallies */
};

void tm_place_init(struct tm_place *place, struct tm_pool *pool, const struct tm_object_id *id, uint32_t index);

static inline unsigned tm_tally_shards(const struct tm_engine *engine)
{
    return TM_SHARDS + engine->host.workers;
}

/* Answers what the set of counters says now. @shard: tm_shard_of() the worker that is held, or any number below
 * TM_SHARDS. */
static inline uint64_t tm_tally_add(struct tm_pool *pool, unsigned shard, enum tm_tally tally, uint64_t change)
{
    uint64_t *count = &pool->tallies[shard].count[tally];
    if (shard < TM_SHARDS)
        return tm_fetch_add_relaxed(count, change) + change;
    uint64_t now = tm_load_relaxed(count) + change;
    tm_store_relaxed(count, now);
    return now;
}

/* The shard of a thread that holds no worker. */
static inline unsigned tm_shard_of_thread(const struct tm_engine *engine)
{
    return engine->host.thread_number(engine->host.user) % TM_SHARDS;
}

/* The sum over all threads; exact when none is at work. */
uint64_t tm_tally_of(const struct tm_pool *pool, enum tm_tally tally);

/* A pool or client that an evictor found: false when it is ending. */
bool tm_pool_pin(struct tm_pool *pool);
void tm_pool_unpin(struct tm_pool *pool);
bool tm_client_pin(struct tm_client *client);
void tm_client_unpin(struct tm_client *client);
struct tm_pool *tm_pool_at(const struct tm_engine *engine, uint32_t number);
struct tm_client *tm_client_at(const struct tm_engine *engine, uint32_t number);

/* ------------------------------------------------------------- the charge */

/* Charges the pool's owner, or its members their parts. False: a cap would be exceeded; nothing changed. */
bool tm_charge(struct tm_pool *pool, uint64_t bytes);
/* As tm_charge(), whatever the caps say: for records that must be, and for rebuilding. */
void tm_charge_anyway(struct tm_pool *pool, uint64_t bytes);
void tm_uncharge(struct tm_pool *pool, uint64_t bytes);
void tm_uncharge_client(struct tm_client *client, uint64_t bytes);
/* The most that a client was ever charged. */
uint64_t tm_client_charged_max(const struct tm_client *client);
/* Members came or went: everybody is charged the new part. Members' lock held. */
void tm_settle_parts(struct tm_pool *pool);
/* Members' lock held, before the member is linked: charges what its part will be. False: above its cap. */
bool tm_charge_newcomer(struct tm_pool *pool, struct tm_member *member, bool anyway);

/* ------------------------------------------------------------------- index */

/* A page's slot, found and locked; slot NULL: there is no such chunk, or it does not reach to this page. */
struct tm_found {
    struct tm_bucket *bucket;
    struct tm_chunk *chunk;
    tm_slot *slot;
};

/* What the index asks when it grows: see struct tm_table_owner. */
void tm_index_hashes(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned count, uint32_t *hashes);

/* Brings what a look-up of the page takes into the cache: first the bucket, then what it names. Hints, without a lock;
 * before tm_index_expect_chunk() the bucket should have come. */
void tm_index_expect_bucket(const struct tm_place *place);
void tm_index_expect_chunk(const struct tm_place *place);

/* Locks the page's bucket and looks. Ends with tm_index_unlock(). */
void tm_index_lock(const struct tm_place *place, struct tm_found *found);
void tm_index_unlock(const struct tm_place *place, struct tm_found *found);
/* Locked: the page is gone; answers what it was. The books are kept; the caller releases the slot and
 * its charge, and calls tm_index_reap() if the chunk has become empty, which *is_empty says. */
tm_slot tm_index_clear(const struct tm_place *place, struct tm_found *found, bool *is_empty);
/* Removes the chunk if it is empty, and its object if that was the last. No locks held. */
void tm_index_reap(const struct tm_place *place);

enum tm_set {
    TM_SET_OK,
    TM_SET_NOMEM,     /* no memory for chunk or object; nothing changed */
    TM_SET_OVER_CAP,  /* the chunk's own bytes would exceed a cap; nothing changed */
    TM_SET_NOT_LARGER /* asked to replace a page of at least @only_over bytes, and there is none */
};

/* The commit point of a put: the page is @slot. *old receives what it was. @only_over: 0, or replace only. */
enum tm_set tm_index_set(const struct tm_place *place, struct tm_worker *worker, tm_slot slot, uint32_t only_over,
                         tm_slot *old);

/*
 * Removes up to @chunks chunks of an object, at least one, oldest first, and the object with its last. *left: how many
 * of those that were there at the begin are left; 0: this is the begin. False: there was none.
 */
bool tm_index_remove_object(struct tm_pool *pool, const struct tm_object_id *id, unsigned shard, uint32_t chunks,
                            uint32_t *left);
/* Evicts the oldest chunk of one of the pool's oldest objects. *dropped: its pages. False: the pool is empty. */
bool tm_index_evict_chunk(struct tm_pool *pool, uint64_t *dropped);
/* Removes up to @chunks chunks of a pool, to which nobody adds any. True: there are more. */
bool tm_index_remove_some(struct tm_pool *pool, uint32_t chunks);
/* Rebuilding: enters a chunk record. False: no memory. */
bool tm_index_adopt_chunk(struct tm_engine *engine, struct tm_pool *pool, uint64_t ref);

/* The owner's operations, given to the store. */
enum tm_fate tm_index_judge(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                            enum tm_purge why, tm_slot *slot);
bool tm_index_swap(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t from, tm_slot to);
bool tm_index_pin(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                  struct tm_worker *worker, unsigned hazard);
unsigned tm_index_judge_chunk(void *user, enum tm_arena_kind arena, uint32_t hash, uint64_t from, uint64_t to,
                              enum tm_purge why, struct tm_judged pages[TM_JUDGED_MAX]);
void tm_index_swap_chunk(void *user, enum tm_arena_kind arena, uint32_t hash, struct tm_exchange *exchange,
                         unsigned count);
void tm_index_expect(void *user, enum tm_arena_kind arena, uint32_t hash);
void tm_index_check(struct tm_engine *engine);

/* ----------------------------------------------------------- the cold tier */

/* A get has met a cold page that is warm: notes it for later. */
void tm_cold_note_wanted(const struct tm_place *place, tm_slot slot);
/* A bit of background work, as budget and host allow. */
enum tm_work tm_cold_work(struct tm_engine *engine, struct tm_worker *worker);

/* ---------------------------------------------------------------- eviction */

/* What one put needs room for, and what it has had done for it. */
struct tm_room {
    enum tm_tier tier;
    const struct tm_client *for_whom;
    unsigned cleaned; /* segments */
};

/* One step towards room for a segment or record. False: nothing more can be done, or has been in vain for so long
 * that the put had better fail. */
bool tm_make_room(struct tm_engine *engine, struct tm_worker *worker, struct tm_room *room);
/* One step towards a smaller charge of the pool's payers. False: nothing of theirs can go. */
bool tm_make_room_in(struct tm_pool *pool, struct tm_worker *worker, enum tm_eviction why);
/* Before the store is full: a bit of eviction with each put of whoever will lose pages next. */
void tm_evict_ahead(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *account,
                    const struct tm_client *client);
/* After a put into an ephemeral pool: young pages become main ones while there is room for all. */
void tm_age_heap(struct tm_engine *engine, struct tm_account *account);
/* Whether a candidate is worth a place among those that stay. */
bool tm_is_worth_keeping(struct tm_engine *engine, struct tm_account *account, uint32_t hash, unsigned number);

/* ----------------------------------------------------------------- ledgers */

/* Adds what a pool's threads have counted. */
void tm_counts_add(const struct tm_pool *pool, struct tm_page_counts *out);
/* @victim: whose pages went; NULL: a shared pool's, for no member in particular. */
void tm_note_evicted(struct tm_engine *engine, struct tm_client *victim, enum tm_eviction why, uint64_t pages);
/* Pages of @victim, pinned, went for a put of @causer, another client. */
void tm_note_causer(struct tm_client *victim, const struct tm_client *causer, uint64_t pages);
/* A put failed that needed so many bytes. */
void tm_note_refused(struct tm_pool *pool, struct tm_client *client, enum tm_result why, uint64_t bytes);
/* A client begins with an empty ledger. */
void tm_ledger_init(struct tm_client *client);
/* Client or pool are gone: what they counted stays on the books. @owner: of a private pool, else NULL. */
void tm_ledger_end_client(struct tm_client *client);
void tm_ledger_end_pool(const struct tm_pool *pool, struct tm_client *owner);

/* ----------------------------------------------------------- what changes */

/* Control lock held: a pool joins those that are watched, unless somebody else watches it; or leaves them. */
bool tm_dirty_watch(struct tm_client *client, struct tm_pool *pool);
void tm_dirty_unwatch(struct tm_client *client, struct tm_pool *pool);
/* The engine ends, and its pools may have ended already. */
void tm_dirty_fini(struct tm_client *client);

void tm_dirty_enter(struct tm_client *watcher, const struct tm_pool *pool, uint32_t hash, const uint64_t object[3],
                    uint32_t number, uint64_t pages);

/* Bucket of @hash locked: pages of a chunk change. */
static inline void tm_dirty_note(struct tm_pool *pool, uint32_t hash, const uint64_t object[3], uint32_t number,
                                 uint64_t pages)
{
    struct tm_client *watcher = tm_load_acquire(&pool->watcher);
    if (TM_UNLIKELY(watcher != NULL))
        tm_dirty_enter(watcher, pool, hash, object, number, pages);
}

/* -------------------------------------------------------------- rebuilding */

TM_MUST_USE enum tm_result tm_engine_rebuild(struct tm_engine *engine);

/* What a restart needs to know, in the persistent arena. */
struct tm_client_record {
    uint32_t kind;
    uint32_t weight;
    uint64_t serial;
    uint64_t cap_bytes;
    uint64_t frozen;
    char name[TM_CLIENT_NAME_BYTES];
    uint64_t note[TM_CLIENT_NOTE_WORDS];
};
TM_STATIC_ASSERT(sizeof(struct tm_client_record) == 128);

struct tm_pool_record {
    uint32_t kind;
    uint32_t number;
    uint64_t id;
    uint64_t client; /* serial of a private pool's owner */
    uint32_t flags;
    uint32_t reserved_word;
    struct tm_uuid uuid;
    uint64_t reserved[2];
};
TM_STATIC_ASSERT(sizeof(struct tm_pool_record) == 64);

#define TM_RIGHT_TO_JOIN 0x100u /* above the class in `kind` */
#define TM_RIGHT_MEMBER 0x200u

struct tm_right_record {
    uint32_t kind;
    uint32_t pool; /* number; members only */
    uint64_t client;
    struct tm_uuid uuid; /* rights to join only */
};
TM_STATIC_ASSERT(sizeof(struct tm_right_record) == 32);

/* Whether such records are kept at all: only for an arena that survives. */
bool tm_keeps_records(const struct tm_engine *engine);
/* TM_INVALID, TM_EXISTS: the record makes no sense. TM_NOMEM: it does, and must stay. */
enum tm_result tm_client_adopt(struct tm_engine *engine, const struct tm_client_record *record, uint64_t ref);
struct tm_pool *tm_pool_adopt(struct tm_engine *engine, const struct tm_pool_record *record, uint64_t ref);
/* Memory for all pool numbers up to @highest; then what was not adopted is free. */
bool tm_pools_make_numbers(struct tm_engine *engine, uint32_t highest);
void tm_pools_free_numbers(struct tm_engine *engine);
void tm_pool_forget(struct tm_pool *pool);
bool tm_member_adopt(struct tm_pool *pool, struct tm_client *client, uint64_t ref);
bool tm_right_adopt(struct tm_client *client, const struct tm_uuid *uuid, uint64_t ref);
void tm_clients_fini(struct tm_engine *engine);
void tm_pools_fini(struct tm_engine *engine);

#endif
