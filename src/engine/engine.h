/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - tmem itself: clients, pools, objects, from a handle to a slot, the laws, who loses pages.
 *
 * Purpose: the meaning of every operation, for one store and any number of clients at once. It keeps
 * slots and never sees page bytes; it knows no operating system. src/client puts the public API of
 * <tmem/tmem.h> on top, src/xen the original hypercall's.
 *
 * Invariants: a slot is read and changed only under the lock of its chunk's index bucket. A put has one
 * commit point: the store of the slot. The charge of a client is made before its block is reserved and is
 * never above its cap. Every block that a slot names belongs to the heap of the pool's account.
 *
 * Locks: inside; ranks in base/lock_rank.h. Any call may overlap any other, but for the end of what it is
 * given. Cost: one index bucket, one chunk and one block for a put or a get.
 */
#ifndef TM_ENGINE_H
#define TM_ENGINE_H

#include "base/base.h"
#include "base/host.h"
#include "store/store.h"

/* The numbers are those of enum tmem_result. */
enum tm_result {
    TM_OK = 0,
    TM_MISS = 1,
    TM_REFUSED = 2,
    TM_KEPT = 3,
    TM_NOMEM = 4,
    TM_CORRUPT = 5,
    TM_INVALID = 6,
    TM_NOT_FOUND = 7,
    TM_EXISTS = 8,
    TM_DENIED = 9,
    TM_UNSUPPORTED = 10
};

struct tm_engine;
struct tm_client;
struct tm_member; /* a client's membership in a pool: what page operations are given */

struct tm_object_id {
    uint64_t word[3];
};

struct tm_uuid {
    uint64_t word[2];
};

/* ----------------------------------------------------------------- engine */

struct tm_engine_config {
    uint64_t size_bytes;
    bool dedup;
    bool ahead; /* tm_engine_maintain() is called by a thread of its own */
    bool defer; /* pages are stored raw while there is room, and compressed by tm_engine_maintain() */
};

/*
 * Makes an engine and its store; a persistent arena that holds an earlier one's pages is rebuilt.
 *
 * Results: TM_OK, TM_NOMEM, TM_UNSUPPORTED (the arena has another format; untouched), TM_CORRUPT (the
 * arena's head is damaged; untouched).
 */
TM_MUST_USE enum tm_result tm_engine_create(const struct tm_host *host, const struct tm_codec *codec,
                                            const struct tm_engine_config *config, struct tm_engine **engine);

/* Ends it with all its clients. With an arena that survives, their persistent pages stay in it. */
void tm_engine_destroy(struct tm_engine *engine);

enum tm_work {
    TM_WORK_NONE, /* until host->kick() is called */
    TM_WORK_MORE, /* call again */
    TM_WORK_LATER /* call again within a second */
};

/* Does up to @steps pieces of background work: cleaning, giving memory back, getting some ahead of its use. */
enum tm_work tm_engine_maintain(struct tm_engine *engine, unsigned steps);

/*
 * See tmem_store_set_cold(), tmem_store_recompress(). *pages: that were coded anew. False: no memory for the coder, or
 * the codec has no slower one; nothing changed.
 */
TM_MUST_USE bool tm_engine_set_cold(struct tm_engine *engine, uint32_t cpu_percent, uint32_t age_seconds);
TM_MUST_USE bool tm_engine_recompress(struct tm_engine *engine, uint64_t *pages);

/* See tmem_store_set_size(), tmem_store_reclaim(), tmem_store_freeable(). */
TM_MUST_USE enum tm_result tm_engine_set_size(struct tm_engine *engine, uint64_t size_bytes);
uint64_t tm_engine_reclaim(struct tm_engine *engine, uint64_t bytes);
uint64_t tm_engine_freeable(struct tm_engine *engine);

/* Asserts all invariants of engine and store, and balances the books. Nobody else uses them meanwhile. */
void tm_engine_check(struct tm_engine *engine);

/* ---------------------------------------------------------------- clients */

#define TM_CLIENT_NAME_BYTES 64u

/* Results: TM_OK, TM_INVALID (name, weight), TM_EXISTS, TM_NOMEM. */
TM_MUST_USE enum tm_result tm_client_create(struct tm_engine *engine, const char *name, uint32_t weight,
                                            uint64_t cap_bytes, struct tm_client **client);
/* NULL: there is none. */
struct tm_client *tm_client_find(struct tm_engine *engine, const char *name);
void tm_client_destroy(struct tm_client *client);

TM_MUST_USE enum tm_result tm_client_set_weight(struct tm_client *client, uint32_t weight);
void tm_client_set_cap(struct tm_client *client, uint64_t cap_bytes);
/* See tmem_client_reclaim(): what the charge has gone down by. */
uint64_t tm_client_reclaim(struct tm_client *client, uint64_t bytes);
void tm_client_set_frozen(struct tm_client *client, bool frozen);
/* See tmem_client_set_compress(). */
void tm_client_set_compress(struct tm_client *client, bool compress);
/* Results: TM_OK, TM_NOMEM. */
TM_MUST_USE enum tm_result tm_client_authorise(struct tm_client *client, const struct tm_uuid *uuid);
/* Results: TM_OK, TM_NOT_FOUND. */
TM_MUST_USE enum tm_result tm_client_deauthorise(struct tm_client *client, const struct tm_uuid *uuid);
/* The right number @n, from 0 on, in no order; false: there are not so many. */
bool tm_client_right(struct tm_client *client, unsigned n, struct tm_uuid *uuid);

/*
 * A client's note: some words of the caller's own, zero at first, that a restart finds again. When who writes one is
 * killed, each word is the old one or the new one.
 */
#define TM_CLIENT_NOTE_WORDS 4u
void tm_client_set_note(struct tm_client *client, const uint64_t note[TM_CLIENT_NOTE_WORDS]);
void tm_client_note(struct tm_client *client, uint64_t note[TM_CLIENT_NOTE_WORDS]);

/* The name after @after in byte order; false: there is none. */
bool tm_client_next_name(struct tm_engine *engine, const char *after, char name[TM_CLIENT_NAME_BYTES]);

/* ------------------------------------------------------------------ pools */

enum tm_pool_flags {
    TM_POOL_PERSISTENT = 1,
    TM_POOL_SHARED = 2
};

/* See tmem_pool_create(). Results: TM_OK, TM_INVALID, TM_DENIED, TM_EXISTS, TM_REFUSED, TM_NOMEM. */
TM_MUST_USE enum tm_result tm_pool_create(struct tm_client *client, uint32_t flags, const struct tm_uuid *uuid,
                                          struct tm_member **member);
/* The client's membership in the pool with this id; NULL: none. */
struct tm_member *tm_pool_find(struct tm_client *client, uint64_t pool_id);
/* The client's pool ids in ascending order, after @after; false: no more. */
bool tm_pool_next_id(struct tm_client *client, uint64_t after, uint64_t *pool_id);
uint64_t tm_pool_id(const struct tm_member *member);
/*
 * The same membership for somebody else than its owner, who may destroy the pool meanwhile: that waits until it is
 * returned, so it is for a few pages only. The client itself must not end. NULL: none, or no memory.
 */
struct tm_member *tm_pool_borrow(struct tm_client *client, uint64_t pool_id);
void tm_pool_return(struct tm_member *borrowed);
/* Destroys a private pool, leaves a shared one. */
void tm_pool_destroy(struct tm_member *member);
/*
 * The same in steps, for who must not be held up: when the first returns the pool is gone for its client, and for a
 * restart; nothing may be done to it but steps, each of which frees about so many chunks, until one answers false. Its
 * client must not end before.
 */
void tm_pool_destroy_begin(struct tm_member *member);
bool tm_pool_destroy_step(struct tm_member *member, uint32_t chunks);

/* ------------------------------------------------------------------ pages */

enum tm_put_flags {
    TM_PUT_PLAIN = 0,
    TM_PUT_KEEP = 1
};
enum tm_get_mode {
    TM_GET_DEFAULT = 0,
    TM_GET_EXCLUSIVE = 1,
    TM_GET_INCLUSIVE = 2
};

/* As the public calls of the same names say, results included; @page is private memory for a put. */
TM_MUST_USE enum tm_result tm_page_put(struct tm_member *member, const struct tm_object_id *object, uint32_t index,
                                       const void *page, uint32_t flags);
TM_MUST_USE enum tm_result tm_page_get(struct tm_member *member, const struct tm_object_id *object, uint32_t index,
                                       void *page, enum tm_get_mode mode);
TM_MUST_USE enum tm_result tm_page_invalidate(struct tm_member *member, const struct tm_object_id *object,
                                              uint32_t index);
TM_MUST_USE enum tm_result tm_object_invalidate(struct tm_member *member, const struct tm_object_id *object);

/* How far the invalidation of an object has come; all zero: it was not begun. */
struct tm_invalidation {
    bool is_begun;
    enum tm_result result; /* once it is done */
    uint32_t chunks_left;
};
/* The same in steps of so many chunks. True: there are more; nothing is known of the pages that are left until then. */
bool tm_object_invalidate_step(struct tm_member *member, const struct tm_object_id *object,
                               struct tm_invalidation *invalidation, uint32_t chunks);

/* One page of a batch; laid out as struct tmem_io. */
struct tm_page_io {
    struct tm_object_id object;
    uint32_t index;
    enum tm_result result;
    void *page;
};
/* False: the flags are not valid for the pool; every entry says so, and nothing was done. */
bool tm_page_put_many(struct tm_member *member, struct tm_page_io *io, size_t count, uint32_t flags);
void tm_page_get_many(struct tm_member *member, struct tm_page_io *io, size_t count, enum tm_get_mode mode);

/* @body has TM_PAGE_BYTES of room. */
TM_MUST_USE enum tm_result tm_page_get_stored(struct tm_member *member, const struct tm_object_id *object,
                                              uint32_t index, enum tm_codec_id *codec, void *body,
                                              uint32_t *body_bytes);
TM_MUST_USE enum tm_result tm_page_put_stored(struct tm_member *member, const struct tm_object_id *object,
                                              uint32_t index, enum tm_codec_id codec, const void *body,
                                              uint32_t body_bytes, uint32_t flags);

struct tm_page_key {
    struct tm_object_id object;
    uint32_t index;
    uint32_t reserved;
};

/* See tmem_walk(). Answers false at the end. */
bool tm_pool_walk(struct tm_member *member, uint64_t position[4], struct tm_page_key *keys, size_t capacity,
                  size_t *count);

/* Whether there is such a page. Nothing is read, counted or changed. */
bool tm_page_is_there(struct tm_member *member, const struct tm_object_id *object, uint32_t index);

/* How often the page was asked for lately, as far as anybody counts: 0 ... 15. For ephemeral pools. */
unsigned tm_page_heat(struct tm_member *member, const struct tm_object_id *object, uint32_t index);

/* Pages of an object that changed: were put, went, or both. */
struct tm_change {
    uint64_t pool_id;
    struct tm_object_id object;
    uint32_t first; /* index */
    uint32_t reserved;
    uint64_t pages; /* bit i: page first + i */
};

/*
 * tm_dirty_begin - note from now on which pages of the client's pools change; also of pools that it makes later. What
 * is under way is noted if a walk that begins afterwards could miss it.
 *
 * @changes  room for so many chunks of 64 pages that change between two calls of tm_dirty_take().
 *
 * Results: TM_OK, TM_EXISTS (the client, or a shared pool of its, is watched already), TM_NOMEM.
 */
TM_MUST_USE enum tm_result tm_dirty_begin(struct tm_client *client, uint32_t changes);
/*
 * tm_dirty_take - what changed since the last call, in no order. By one thread at a time, between begin and end.
 *
 * False: there were more than fit, and anything may have changed; *count is 0. Pools that are gone are not said to
 * change, nor are their pages.
 */
TM_MUST_USE bool tm_dirty_take(struct tm_client *client, struct tm_change *changes, uint32_t capacity,
                               uint32_t *count);
void tm_dirty_end(struct tm_client *client);

/* ------------------------------------------------------------- statistics */

struct tm_page_counts {
    uint64_t pages, pages_max, objects, same_filled, shared;
    uint64_t puts, puts_replaced, puts_refused, puts_dropped_old;
    uint64_t gets, gets_found, gets_corrupt;
    uint64_t invalidates, invalidates_found, object_invalidates, object_invalidates_found;
    uint64_t evicted;
} TM_ALIGNED(8); /* in a ledger they are counted atomically: see tm_atomic64 */

/* Why pages were evicted; the numbers are those of enum tmem_eviction. */
enum tm_eviction {
    TM_EVICTED_AHEAD,   /* a few with each put of who is furthest above its share, shortly before the store is full */
    TM_EVICTED_ROOM,    /* a put needed room */
    TM_EVICTED_CAP,     /* who put was at its cap */
    TM_EVICTED_SIZE,    /* the store was made smaller */
    TM_EVICTED_RECLAIM, /* the operator took memory back */
    TM_EVICTIONS
};

/* Why puts were refused; the numbers are those of enum tmem_refusal. */
enum tm_refusal {
    TM_REFUSAL_FROZEN,
    TM_REFUSAL_CAP,
    TM_REFUSAL_ROOM,   /* nothing more could be evicted */
    TM_REFUSAL_MEMORY, /* none for records */
    TM_REFUSALS
};

struct tm_pool_figures {
    uint64_t id;
    uint32_t flags;
    uint32_t members;
    struct tm_uuid uuid;
    struct tm_page_counts counts;
};
void tm_pool_figures(struct tm_member *member, struct tm_pool_figures *out);
/* The same of the client's pool with the smallest id above @after; the pool may end meanwhile. False: no more. */
bool tm_pool_next_figures(struct tm_client *client, uint64_t after, struct tm_pool_figures *out);

/* A get was none of the client's: it is not counted. */
void tm_pool_uncount_get(struct tm_member *member, bool was_found);

/*
 * What happened to a pool and a client elsewhere, before they came here: from now on their counts go on from there, but
 * for those of what there is. Nobody else uses them yet.
 */
void tm_pool_set_past(struct tm_member *member, const struct tm_page_counts *past);
void tm_client_set_past(struct tm_client *client, uint64_t charged_max_bytes, uint64_t evicted_for_others);

struct tm_client_figures {
    char name[TM_CLIENT_NAME_BYTES];
    uint32_t weight;
    bool frozen;
    bool compress;
    uint64_t cap_bytes, charged_bytes, charged_max_bytes, pools, evicted_for_others;
    struct tm_page_counts counts; /* of its private pools and the shared ones that it is a member of */
};
void tm_client_figures(struct tm_client *client, struct tm_client_figures *out);

/* What an operator wants to know of a client or of all: counts since the beginning, pools that have ended included, by
 * the pools' kind, and the reasons. */
struct tm_ledger {
    struct tm_page_counts counts[TM_ARENAS]; /* what is now: of pools that there are */
    uint64_t evicted[TM_EVICTIONS];          /* [AHEAD]: all that the others are not */
    uint64_t refused[TM_REFUSALS];
} TM_ALIGNED(8);
void tm_client_ledger(struct tm_client *client, struct tm_ledger *out);
void tm_engine_ledger(struct tm_engine *engine, struct tm_ledger *out);

/* Who made room for its own pages of this client's. */
struct tm_causer {
    char name[TM_CLIENT_NAME_BYTES]; /* empty: all the others together */
    uint64_t serial;
    uint64_t pages;
};
#define TM_CAUSERS 8u
/* The most zealous, in no order; answers how many there are. */
unsigned tm_client_causers(struct tm_client *client, struct tm_causer out[TM_CAUSERS + 1u]);

struct tm_engine_figures {
    uint64_t size_bytes, resident_bytes, metadata_bytes, block_bytes, dead_bytes;
    uint64_t spans, span_bytes, returned_bytes;
    uint64_t pages, pages_same, pages_shared, blocks_raw, blocks_compressed, contents_shared;
    uint64_t clients, pools, objects;
    uint64_t evicted_pages, evicted_segments, refused_admissions, cleaned_segments, cleaned_bytes, corrupt_blocks;
    uint64_t deferred_bytes;
    uint64_t codec_blocks[TM_CODEC_IDS], codec_bytes[TM_CODEC_IDS]; /* see struct tm_store_figures */
    uint64_t cooled_pages, cooled_saved_bytes, warmed_pages, cold_spent_ns;
    enum tm_codec_id cold_codec;
};
void tm_engine_figures(struct tm_engine *engine, struct tm_engine_figures *out);

#endif
