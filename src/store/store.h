/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - page-addressable memory: what the engine sees of it.
 *
 * Purpose: to hold page contents compactly and hand each a *slot*, a 64-bit word that says all there
 * is to know about where the bytes are. The engine keeps slots and never sees bytes; the store
 * keeps bytes and does not know handles: where it must ask whether a block is still wanted, or tell
 * that it moved, it asks its owner (struct tm_owner).
 *
 * Inside: two arenas (ephemeral, persistent) of spans, cut into units; segments are runs of units,
 * filled by bumping with blocks, each a 24-byte header in front of its bytes; heaps are the logs of
 * segments of one account; records are small fixed-size things (the engine's chunks and objects, the
 * store's shared contents) in segments of their own. See docs/ARCHITECTURE.md.
 *
 * Invariants: a block is published (its slot handed to the owner) only when it is complete. Its
 * memory is used again only after its slot is gone from the owner, its writer is done, and no
 * worker's hazard names it. Live bytes of a segment are the sum of its blocks that somebody may
 * still refer to.
 *
 * Locks: taken and released inside; ranks in base/lock_rank.h. No lock is held over copying,
 * hashing, coding or a call of the host, but for host->kick.
 *
 * Cost: a put or a get touches the block, its segment's descriptor, and nothing else of size.
 */
#ifndef TM_STORE_H
#define TM_STORE_H

#include "base/base.h"
#include "base/host.h"
#include "base/table.h"
#include "codec/codec.h"

/* ------------------------------------------------------------------ slots */

/*
 * Where a page is, 0 for nowhere. Bits: 0-3 type, 4 used, 5 listed, 6 warm, 8-17 granules, 24-63 offset in
 * granules from the arena's base. For the three inline kinds, bits 8-63 hold the word.
 */
typedef uint64_t tm_slot;

#define TM_GRANULE_BYTES 8u

/* Types below TM_CODEC_IDS are a block coded so (enum tm_codec_id); these need no block: */
enum tm_slot_type {
    TM_SLOT_SHARED = 8,      /* offset is that of a content record */
    TM_SLOT_SAME_SMALL = 9,  /* the repeated word, sign-extended from 56 bits */
    TM_SLOT_SAME_TWICE = 10, /* the repeated word is this 32-bit number twice */
    TM_SLOT_SAME_HIGH = 11,  /* the repeated word without its lowest byte, which is 0 */
    TM_SLOT_LOST = 12        /* found damaged when the store was rebuilt */
};

#define TM_SLOT_USED (UINT64_C(1) << 4)   /* got since the evictor last looked */
#define TM_SLOT_LISTED (UINT64_C(1) << 5) /* the table of contents names the block */
#define TM_SLOT_WARM (UINT64_C(1) << 6)   /* got since the cold tier last looked */
#define TM_SLOT_MARKS (TM_SLOT_USED | TM_SLOT_LISTED | TM_SLOT_WARM)

static inline unsigned tm_slot_type(tm_slot slot)
{
    return (unsigned)(slot & 15u);
}

static inline uint64_t tm_slot_offset(tm_slot slot)
{
    return slot >> 24;
}

/* Bytes that the page takes, its header included; what an account is charged for it. */
static inline uint32_t tm_slot_bytes(tm_slot slot)
{
    return tm_slot_type(slot) > TM_SLOT_SHARED ? 0 : (uint32_t)(slot >> 8 & 1023u) * TM_GRANULE_BYTES;
}

static inline bool tm_slot_is_block(tm_slot slot)
{
    return slot != 0 && tm_slot_type(slot) < TM_CODEC_IDS;
}

static inline bool tm_slot_is_inline(tm_slot slot)
{
    return tm_slot_type(slot) >= TM_SLOT_SAME_SMALL && tm_slot_type(slot) <= TM_SLOT_SAME_HIGH;
}

/* True when the page is one repeated word, which lies in the slot or in a block. */
static inline bool tm_slot_is_same_filled(tm_slot slot)
{
    return tm_slot_is_inline(slot) || (slot != 0 && tm_slot_type(slot) == TM_CODEC_SAME);
}

/* True when both name the same bytes, whatever their marks. */
static inline bool tm_slot_same(tm_slot a, tm_slot b)
{
    return ((a ^ b) & ~TM_SLOT_MARKS) == 0;
}

/* The word of an inline slot. */
static inline uint64_t tm_slot_word(tm_slot slot)
{
    uint64_t payload = slot >> 8;
    if (tm_slot_type(slot) == TM_SLOT_SAME_TWICE)
        return payload | payload << 32;
    if (tm_slot_type(slot) == TM_SLOT_SAME_HIGH)
        return payload << 8;
    return (uint64_t)((int64_t)(payload << 8) >> 8);
}

/* ------------------------------------------------------- store and owner */

struct tm_store;
struct tm_heap;
struct tm_worker;

/* What the owner answers about a block. */
enum tm_fate {
    TM_FATE_DEAD,    /* nobody refers to it */
    TM_FATE_KEEP,    /* it is referred to, and should stay */
    TM_FATE_DROPPED, /* it was referred to; the owner has removed the reference just now */
    TM_FATES
};

/* One page of many that were judged together. */
struct tm_judged {
    tm_slot slot; /* what the reference is, or was */
    uint8_t number;
    bool is_kept; /* TM_FATE_KEEP; otherwise TM_FATE_DROPPED */
};
#define TM_JUDGED_MAX 64u

/* One reference of many that are replaced together. */
struct tm_exchange {
    uint64_t from;
    tm_slot to;
    uint8_t number;
    bool is_done; /* set; false: nobody refers to @from any more */
};

/* Why a segment is taken apart. */
enum tm_purge {
    TM_PURGE_CLEAN,  /* keep everything that is referred to */
    TM_PURGE_ADMIT,  /* keep pages that are worth more than those that have been kept before */
    TM_PURGE_SECOND, /* keep pages that were used since they were last looked at */
    TM_PURGE_ALL,    /* keep nothing */
    TM_PURGE_COOL    /* nothing goes: keep everything, and take the mark of warm ones away */
};

struct tm_owner {
    void *user;

    /* Decides about the block at @offset, which belongs to page @number of the chunk that hashes to
     * @hash. But for TM_FATE_DEAD, *slot receives what the reference was, marks included: its bytes are how far it is
     * to the next block, even if this one's header is damaged. */
    enum tm_fate (*judge)(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                          enum tm_purge why, tm_slot *slot);

    /* Replaces the reference to the block at @from by @to, keeping its used and warm marks; the charge follows. False:
     * nobody refers to @from any more, or a cap forbids that @to takes more; nothing changed. */
    bool (*swap)(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t from, tm_slot to);

    /* If the block at @offset is referred to, calls tm_pin() for it under the lock that protects the
     * reference. False: it is not. */
    bool (*pin)(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                struct tm_worker *worker, unsigned hazard);

    /* May be NULL, both of them. As judge() for every block in [from, to) that a page of one chunk refers to which
     * hashes to @hash: answers how many there are. */
    unsigned (*judge_chunk)(void *user, enum tm_arena_kind arena, uint32_t hash, uint64_t from, uint64_t to,
                            enum tm_purge why, struct tm_judged pages[TM_JUDGED_MAX]);
    /* As swap() for many pages of chunks that hash to @hash. */
    void (*swap_chunk)(void *user, enum tm_arena_kind arena, uint32_t hash, struct tm_exchange *exchange,
                       unsigned count);

    /* May be NULL. A question about a chunk that hashes to @hash is about to come: brings what it takes into the
     * cache. */
    void (*expect)(void *user, enum tm_arena_kind arena, uint32_t hash);
};

/* Of what the persistent arena holds, so that another build knows whether it can go on with it: 2 has notes in the
 * records of clients, where 1 had zeros. */
#define TM_ARENA_VERSION 2u
#define TM_ARENA_VERSION_OLDEST 1u

struct tm_store_config {
    uint64_t size_bytes; /* limit on resident bytes */
    bool dedup;          /* find equal pages inside a heap */
    bool ahead;          /* tm_store_prepare() is called by a thread of its own: commit spans before they are needed */
    bool defer;          /* while there is room, pages are stored raw and compressed by tm_heap_undefer() */
};

/*
 * Makes a store. With host->persistent_survives and an arena that holds a store already, its blocks and
 * records are found again: the engine walks the records and adopts what they refer to, between
 * tm_store_create() and tm_store_adopted().
 *
 * @host, @codec, @owner  copied; what they point to must outlive the store.
 */
enum tm_create {
    TM_CREATE_OK,
    TM_CREATE_FOUND,   /* ok, and the persistent arena holds an earlier store to be adopted */
    TM_CREATE_NOMEM,   /* nothing was made */
    TM_CREATE_VERSION, /* the arena is of a format that this build does not read; untouched */
    TM_CREATE_CORRUPT  /* the arena's head is damaged; untouched */
};
TM_MUST_USE enum tm_create tm_store_create(const struct tm_host *host, const struct tm_codec *codec,
                                           const struct tm_owner *owner, const struct tm_store_config *config,
                                           struct tm_store **store);
void tm_store_destroy(struct tm_store *store);

/* Secrets for keyed hashes; they live with the persistent arena, so that hashes stay the same. */
const uint64_t *tm_store_seeds(const struct tm_store *store);

/* A number that was never given before, not even before a restart. */
uint64_t tm_store_next_serial(struct tm_store *store);
/* While rebuilding: @serial has been given. */
void tm_store_note_serial(struct tm_store *store, uint64_t serial);

/* ---------------------------------------------------------------- workers */

/* Most hazards of one worker: blocks that one operation may read at the same time. */
#define TM_HAZARDS 17u

/* An operation's own things: codec context, scratch memory, hazards. Waits while all are taken. */
struct tm_worker *tm_worker_acquire(struct tm_store *store);
void tm_worker_release(struct tm_store *store, struct tm_worker *worker);
/* A small number that differs among the workers. */
unsigned tm_worker_number(const struct tm_worker *worker);

/* ------------------------------------------------------------------ heaps */

/* Makes the log of an account in one arena. @domain: a number of the account's own that stays the same over a
 * restart; equal pages are looked for inside it. NULL: no memory. */
struct tm_heap *tm_heap_create(struct tm_store *store, enum tm_arena_kind arena, uint64_t domain);
/* Ends a heap none of whose blocks is referred to any more. */
void tm_heap_destroy(struct tm_heap *heap);
/* Bytes of its segments; and of the live blocks in them, which takes a walk over the segments. */
uint64_t tm_heap_segment_bytes(const struct tm_heap *heap);
uint64_t tm_heap_live_bytes(struct tm_heap *heap);

/* -------------------------------------------------------------------- put */

/* Who may go how far above the store's size, because otherwise nothing could ever move. */
enum tm_tier {
    TM_TIER_NORMAL,  /* not at all */
    TM_TIER_REPLACE, /* a page that takes the place of one at least as large */
    TM_TIER_COPY,    /* cleaning, and the records that every page needs */
    TM_TIER_MOVE     /* as far as TM_TIER_COPY, but only within spans that are there: to empty one */
};

/* A page on its way into the store. Zero it, set the first group, then call in order: tm_put_prepare,
 * tm_put_write, and after the slot is published, or given up, tm_put_finish. */
struct tm_page_put {
    const void *page;     /* private memory: does not change meanwhile */
    struct tm_heap *heap; /* where it goes */
    uint32_t hash;        /* of the chunk it will belong to */
    uint8_t number;       /* page of that chunk, 0 ... 63 */
    bool no_dedup;        /* do not look for an equal page */
    bool is_tight;        /* compress it, and look for an equal page, before room is taken for it */
    bool no_code;         /* store it as it is */
    enum tm_tier tier;    /* how far above its size the store may go for it */

    /* Set by tm_put_prepare(). */
    uint32_t bytes;   /* what the page will take; the charge */
    const void *body; /* coded bytes, in the worker's memory, or the page itself */
    uint32_t body_bytes;
    uint32_t content_hash;
    uint64_t page_hash; /* with dedup */
    uint8_t codec;      /* enum tm_codec_id */
    bool is_deferred;   /* raw for now: preparing it again with is_tight may make it smaller */
    bool looks_late;    /* for an equal page, once it is written; is_tight may help here, too */
    uint8_t twin;       /* what the equal page is, if one was found */
    uint64_t twin_ref;
    uint32_t twin_hash;
    uint32_t twin_bytes;
    uint8_t twin_number;

    /* Set by tm_put_write(), and @bytes to less if an equal page was found late. */
    tm_slot slot;
    uint32_t pinned_segment;
};

/* Finds out what will be stored. No failure; *put says how many bytes it takes. */
void tm_put_prepare(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put);

/* As tm_put_prepare() for bytes that are coded already, and were checked by tm_stored_check(). */
void tm_put_prepare_stored(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put,
                           enum tm_codec_id codec, const void *body, uint32_t body_bytes);

enum tm_write {
    TM_WRITE_OK,      /* put->slot is ready to be published */
    TM_WRITE_NO_ROOM, /* no segment to be had: make room and call again */
    TM_WRITE_CHANGED  /* the equal page went away: prepare again with no_dedup set */
};
TM_MUST_USE enum tm_write tm_put_write(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put);

/* Ends a put that was written, whether its slot was published or, first, given to tm_slot_release(). */
void tm_put_finish(struct tm_store *store, struct tm_page_put *put);

/* Gives up a put that was prepared but not written. */
void tm_put_abandon(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put);

/* -------------------------------------------------------------------- get */

/*
 * Keeps the bytes of @slot from being used again until tm_unpin(). Called under the lock that
 * protects the reference. False: the slot refers to a shared content that was evicted.
 */
TM_MUST_USE bool tm_pin(struct tm_store *store, enum tm_arena_kind arena, struct tm_worker *worker, unsigned hazard,
                        tm_slot slot);
void tm_unpin(struct tm_worker *worker, unsigned hazard);

/*
 * True when @slot refers to the very bytes that are pinned. Called under the lock that protects the reference. An equal
 * slot is not enough: while a shared content's block is pinned, its record may come to stand for another content.
 */
bool tm_pinned_is(struct tm_store *store, enum tm_arena_kind arena, const struct tm_worker *worker, unsigned hazard,
                  tm_slot slot);

/* Starts to bring the pinned bytes into the cache. */
void tm_pinned_prefetch(struct tm_store *store, const struct tm_worker *worker, unsigned hazard);

/*
 * Copies the pinned page to @page and verifies it: header, checksum, and that it belongs to page @number
 * of a chunk that hashes to @hash. False: it is damaged; @page is undefined.
 */
TM_MUST_USE bool tm_pinned_read(struct tm_store *store, struct tm_worker *worker, unsigned hazard, uint32_t hash,
                                unsigned number, void *page);

/* As tm_pinned_read(), but the coded bytes: at most TM_PAGE_BYTES to @body. */
TM_MUST_USE bool tm_pinned_read_stored(struct tm_store *store, struct tm_worker *worker, unsigned hazard,
                                       uint32_t hash, unsigned number, enum tm_codec_id *codec, void *body,
                                       uint32_t *body_bytes);

/* True when the bytes decode to a page. For what comes from outside; @body does not change meanwhile. */
bool tm_stored_check(struct tm_store *store, struct tm_worker *worker, enum tm_codec_id codec, const void *body,
                     uint32_t body_bytes);

/* The reference is gone: frees what @slot refers to. Called without locks, while the caller's own
 * bytes are still counted, so exactly once. */
void tm_slot_release(struct tm_store *store, enum tm_arena_kind arena, tm_slot slot);

/* As tm_slot_release() for each of @count slots, zeros included; neighbours in one segment cost little more than
 * one. */
void tm_slots_release(struct tm_store *store, enum tm_arena_kind arena, const tm_slot *slots, unsigned count);

/* ----------------------------------------------------- making room, sizes */

enum tm_age {
    TM_AGE_YOUNG,
    TM_AGE_MAIN,
    TM_AGES
};

/* Segments of an age, and their bytes. */
uint64_t tm_heap_age_bytes(const struct tm_heap *heap, enum tm_age age);

/*
 * Takes the oldest segment of @age apart as @why says: pages that stay are copied to the youngest
 * main segment. Answers false when there was no segment to take. *dropped receives the pages that went.
 */
bool tm_heap_purge(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, enum tm_age age,
                   enum tm_purge why, uint64_t *dropped);

/*
 * The same bit by bit, so that no put waits for a whole segment: tm_heap_purge_begin() takes the oldest segment of
 * @age, tm_heap_purge_some() goes on with it for up to @blocks of its blocks. False: there is none, none was begun, or
 * somebody else is at it.
 */
bool tm_heap_purge_some(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, unsigned blocks);
bool tm_heap_purge_begin(struct tm_heap *heap, enum tm_age age, enum tm_purge why);

/* True while the size leaves less than two segments, so that one should be taken apart ahead of need. */
bool tm_store_is_tight(const struct tm_store *store);

/* Turns the oldest young segment into the youngest main segment, without copying. */
bool tm_heap_promote(struct tm_heap *heap);

/* Calls @visit for up to @count blocks of main segments, dead ones too, oldest first, going on where
 * the last call ended. */
void tm_heap_sample_main(struct tm_heap *heap, struct tm_worker *worker, unsigned count,
                         void (*visit)(void *user, uint32_t hash, unsigned number), void *user);

/* Copies the live blocks out of a segment at least @eighths/8 of which is dead, the deadest first, and frees it.
 * False: there is none, or no room to copy to. With 0 there always is one: whoever repeats it counts. */
bool tm_heap_clean(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, unsigned eighths);

/*
 * Compresses what waits for it in one segment, the oldest that waits, and frees it. Where none is sealed and
 * @with_open, those are closed that puts still fill. False: nothing waits, or there is no room to compress to.
 */
bool tm_heap_undefer(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, bool with_open);

/* True when pages wait to be compressed in segments that puts still fill. */
bool tm_store_has_open_deferred(const struct tm_store *store);

/*
 * Empties a whole span at least @eighths/8 of which is dead or free, so that it goes back to the host: copies what is
 * alive in it elsewhere. Looks at a few spans at a time. False: none came free this time round, for lack of room too.
 *
 * Each true is a span less, or else @eighths of a span of dead bytes less: called again and again it comes to an end,
 * as long as nobody changes pages.
 */
bool tm_store_compact(struct tm_store *store, struct tm_worker *worker, enum tm_arena_kind arena, unsigned eighths);

/* True when tm_heap_clean() with @eighths would find a segment. */
bool tm_heap_is_cleanable(const struct tm_heap *heap, unsigned eighths);

/* Closes the open segments, so that they can be taken apart. */
void tm_heap_seal(struct tm_heap *heap);

/* Blocks there are, about. */
uint64_t tm_store_blocks(const struct tm_store *store);

/* Bytes that are resident for data and hold nothing alive: what copying might give back. Walks all segments. */
uint64_t tm_store_gain(struct tm_store *store);

/* True while another segment can be had without taking one apart. */
bool tm_store_has_room(const struct tm_store *store);

/*
 * Keeps a few spans committed ahead of their use while the store grows, and the table of contents large enough, so that
 * puts neither wait for the kernel to clear memory nor look at others' pages; gives spans back when it does not grow
 * any more. Answers false when there is nothing to do; *later: but there will be, in a while, without anybody asking.
 */
bool tm_store_prepare(struct tm_store *store, bool *later);

/* Gives back a span that was committed ahead: memory is short. False: there is none. */
bool tm_store_unprepare(struct tm_store *store);

/* Frees segments that waited for readers. True: some still wait. */
bool tm_store_drain(struct tm_store *store);

uint64_t tm_store_size(const struct tm_store *store);
uint64_t tm_store_resident(const struct tm_store *store);
uint64_t tm_store_returned(const struct tm_store *store); /* bytes given back to the host, ever */
void tm_store_set_size(struct tm_store *store, uint64_t size_bytes);

/* Counts metadata of the engine's own as resident, or no longer; a table's as it grows. */
void tm_store_add_metadata(struct tm_store *store, int64_t bytes);
void tm_store_add_table(struct tm_store *store, const struct tm_table *table);

/* -------------------------------------------------------------- cold tier */

/* Makes what coding of cold pages takes; once made it stays. False: no memory, or the codec has no better one. */
TM_MUST_USE bool tm_store_cold_start(struct tm_store *store);

/* True when the page's own block, not a shared one, is coded as cold pages are. */
bool tm_slot_is_cold(const struct tm_store *store, tm_slot slot);

/* True when segments were closed since the last call: there may be more to do than the last round found. */
bool tm_store_was_sealed(struct tm_store *store);

/* Nobody goes on with a round for now: cleaning need not leave alone the span that it is in. */
void tm_store_cool_pause(struct tm_store *store);

/* Pages that were coded anew because they were cold, ever. */
uint64_t tm_store_cooled_pages(const struct tm_store *store);

enum tm_cool_result {
    TM_COOL_MORE,  /* call again */
    TM_COOL_LATER, /* the round is over; the next may find more */
    TM_COOL_DONE   /* the round is over, and nothing is left that could become cold */
};

/*
 * Goes on with a round over the heap's pages, for up to @blocks of them: codes anew what was not got since the round
 * before, if the result is an eighth smaller. Rounds have numbers that grow, from 1. @at_once: also what no round has
 * seen before, and what is in segments that are still open. Needs tm_store_cold_start(); one caller at a time in a
 * store, beside all other calls.
 */
enum tm_cool_result tm_heap_cool(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap,
                                 uint64_t round, bool at_once, unsigned blocks);

/* Codes the cold block at @offset as a put would, if it still is what page @number of the chunk that hashes to @hash
 * refers to, there is room, and no cap forbids it. */
bool tm_heap_warm(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, uint32_t hash,
                  unsigned number, uint64_t offset);

/* ---------------------------------------------------------------- records */

enum tm_record_class {
    TM_RECORD_OBJECT,
    TM_RECORD_CHUNK_4,
    TM_RECORD_CHUNK_16,
    TM_RECORD_CHUNK_64,
    TM_RECORD_CONTENT,
    TM_RECORD_CLIENT,
    TM_RECORD_POOL,
    TM_RECORD_RIGHT,
    TM_RECORD_CLASSES
};

/* Every record begins with this word: 0 while the record is free or not complete yet. Its lowest byte is the
 * class + 1; the rest is the owner's. */
#define TM_RECORD_LIVE(record_class) ((uint32_t)(record_class) + 1u)

uint32_t tm_record_bytes(enum tm_record_class record_class);

/* Answers a zeroed record's reference (its offset in granules), or 0: no memory. No locks held. */
uint64_t tm_record_alloc(struct tm_store *store, enum tm_arena_kind arena, enum tm_record_class record_class,
                         enum tm_tier tier);

/* Frees a record that nobody can reach any more. Gone for a restart, too, when the call returns. */
void tm_record_free(struct tm_store *store, enum tm_arena_kind arena, uint64_t ref);

/* Where a record is. */
void *tm_record_at(const struct tm_store *store, enum tm_arena_kind arena, uint64_t ref);

/* Calls @visit for every live record of a class in the persistent arena; for rebuilding. It may free the
 * record that it is called for. False from it ends the walk. */
bool tm_record_each(struct tm_store *store, enum tm_record_class record_class,
                    bool (*visit)(void *user, uint64_t ref, void *record), void *user);

/* ------------------------------------------------------------ rebuilding */

/* About so many blocks are about to be adopted. */
void tm_store_expect(struct tm_store *store, uint64_t blocks);

/*
 * Takes over what @count slots of an earlier store refer to, for @heap: those of pages @first and on of the chunk that
 * hashes to @hash. Each becomes what it shall be now: TM_SLOT_LOST where the bytes are damaged or the reference makes
 * no sense.
 */
void tm_slots_adopt(struct tm_store *store, struct tm_heap *heap, tm_slot *slots, unsigned count, uint32_t hash,
                    unsigned first);

/* Everything has been adopted: what is not referred to is free. False: no memory. */
TM_MUST_USE bool tm_store_adopted(struct tm_store *store);

/* ------------------------------------------------------------- statistics */

struct tm_store_figures {
    uint64_t size_bytes, resident_bytes, metadata_bytes, block_bytes, dead_bytes;
    uint64_t spans, span_bytes, returned_bytes;
    uint64_t blocks_raw, blocks_compressed, contents_shared;
    uint64_t evicted_segments, cleaned_segments, cleaned_bytes, corrupt_blocks;
    uint64_t deferred_bytes; /* of sealed segments in which pages wait to be compressed */

    uint64_t codec_blocks[TM_CODEC_IDS], codec_bytes[TM_CODEC_IDS]; /* now; by enum tm_codec_id */
    uint64_t cooled_pages, cooled_saved_bytes, warmed_pages;        /* ever */
    enum tm_codec_id cold_codec;                                    /* what cold pages are coded in */
};
void tm_store_figures(struct tm_store *store, struct tm_store_figures *out);

/* Bytes of the blocks that belong to shared contents; for the books, as tm_store_check(). */
uint64_t tm_store_content_bytes(struct tm_store *store);

/* Asserts what this header claims and balances the books. Nobody else uses the store meanwhile. */
void tm_store_check(struct tm_store *store);

#endif
