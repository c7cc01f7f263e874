/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_internal.h - how the store is made; only src/store includes it.
 *
 * An arena's first spans are its head: a header and one descriptor for each unit of the arena. The head
 * and everything behind it hold offsets and numbers, no pointers, so that a persistent arena means the same
 * after a restart. What is rebuilt at a restart is marked so.
 */
#ifndef TM_STORE_INTERNAL_H
#define TM_STORE_INTERNAL_H

#include "base/list.h"
#include "store/store.h"

/* --------------------------------------------------------- arena, segments */

#define TM_ARENA_MAGIC UINT64_C(0x746d656d6172656e)
#define TM_ARENA_HEADER_BYTES 4096u

struct tm_arena_header {
    uint64_t magic;
    uint32_t version;
    uint32_t span_bytes;
    uint64_t arena_bytes;
    uint64_t seeds[4];
    uint64_t check;     /* of everything above */
    uint64_t serial;    /* last one given */
    uint64_t next_span; /* spans from here on were never used */
};

enum tm_segment_state {
    TM_SEGMENT_FREE,    /* the unit is not in use, or inside a longer segment */
    TM_SEGMENT_OPEN,    /* a lane fills it */
    TM_SEGMENT_SEALED,  /* full, on its heap's lists */
    TM_SEGMENT_PURGING, /* being taken apart by whoever set this */
    TM_SEGMENT_WAITING, /* empty; readers may still be in it */
    TM_SEGMENT_RECORDS  /* holds records of one class */
};

/* What the cold tier has done about a sealed segment. */
enum tm_coolness {
    TM_COOLNESS_NEW,
    TM_COOLNESS_NOTED, /* a round has met it: what is got from now on is warm to the next */
    TM_COOLNESS_DONE   /* no block is left that could become cold */
};

#define TM_PURPOSE_DATA 0u /* of a segment; otherwise 1 + the record class */

#define TM_DEAD_BINS 8u
#define TM_BLOCK_BYTES_MAX (24u + TM_PAGE_BYTES) /* with its header */

/* One for each unit; a segment's is that of its first unit. */
struct tm_segment {
    tm_atomic64 use;     /* atomic: writers << 40 | bytes of live blocks; records: number in use */
    uint32_t heap;       /* number of the heap. Rebuilt. */
    uint32_t generation; /* of the segment's bytes; in every header */
    uint32_t fill;       /* bytes given out; by its lane or class, constant once sealed */
    uint32_t bytes;      /* length of the segment */
    uint8_t state;       /* enum tm_segment_state; atomic */
    uint8_t purpose;
    uint8_t order; /* 2^order units */
    uint8_t age;
    uint8_t first_distance; /* units back to the segment's first */
    uint8_t bin : 4;        /* eighths that are dead, its end apart, as the heap has it listed; heap's lock */
    uint8_t coolness : 4;   /* enum tm_coolness; heap's lock. Rebuilt. */
    uint8_t is_stuck;       /* taken apart, and not empty: damage keeps something in it. Rebuilt. */
    uint8_t is_deferred;    /* has pages that wait to be compressed; set once, under the heap's lock. Rebuilt. */
    struct tm_link list;    /* the heap's age list, the class's partial list, or the waiting list */
    struct tm_link bin_link;
    uint32_t free_record;         /* records: first free one, granules from the segment's begin + 1; class lock */
    uint32_t stamp;               /* of the heap; in every unit, kept when freed: whose bytes lie there */
    struct tm_link deferred_link; /* the heap's, while sealed and is_deferred. Rebuilt. */
};
TM_STATIC_ASSERT(sizeof(struct tm_segment) == 64);

#define TM_USE_WRITER (UINT64_C(1) << 40)
#define TM_USE_LIVE_MASK (TM_USE_WRITER - 1u)

enum tm_span_state {
    TM_SPAN_FREE,
    TM_SPAN_BUSY,
    TM_SPAN_IN_USE,
    TM_SPAN_READY
};
#define TM_SPAN_ORDERS 6u /* runs of 1 ... 32 units */
#define TM_SEGMENT_ORDER_MAX 3u

/* Host memory, one for each span of an arena. */
struct tm_span {
    uint32_t free_units;  /* bit set: unit free */
    uint32_t dirty_units; /* bit set: used since the span was committed */
    struct tm_link link;
    uint8_t state;
    uint8_t for_records;
    uint8_t order;     /* largest free run, as listed; 0xff: on no list */
    uint8_t long_runs; /* free runs that the longest segment fits in, as counted by the arena */
};

struct tm_arena {
    struct tm_store *store;
    enum tm_arena_kind kind;
    unsigned char *base;
    uint32_t span_bytes;
    uint32_t unit_bytes;
    uint32_t unit_shift; /* a unit has 2^unit_shift granules */
    uint32_t span_count;
    uint32_t head_spans;
    struct tm_arena_header *header;
    struct tm_segment *segments; /* by unit number */
    struct tm_span *spans;
    uint64_t spans_bytes;

    struct tm_lock lock;                       /* the rest */
    struct tm_list partial[2][TM_SPAN_ORDERS]; /* spans with a free run of that order: data, records */
    struct tm_list released;                   /* spans used before, now free */
    struct tm_list ready;                      /* spans committed ahead, not in use */
    uint32_t free_units[2];                    /* of spans in use: data, records */
    uint32_t long_runs;                        /* free ones, in spans of data, that the longest segment fits in */
    uint32_t draining;                         /* span whose free units are not given out; 0: none */
    uint32_t drain_cursor;                     /* where the search for one goes on */
    tm_atomic64 grown_ns;                      /* atomic: when a span was taken last; 0: never */
    uint32_t next_span;                        /* first never used */
    uint32_t cool_span;                        /* atomic: that the cold tier is at; 0: none */
    uint32_t in_use;                           /* spans, */
    uint32_t in_use_records;                   /* and of them those of records */
};

/* The span that cleaning leaves alone unless memory is short: the cold tier is just emptying it, and what was copied
 * out of it would count as new. 0: none. */
static inline uint32_t tm_cool_spared(const struct tm_arena *arena, unsigned eighths)
{
    return eighths >= 2u ? tm_load_relaxed(&arena->cool_span) : 0;
}

/* Gives every arena its head. */
enum tm_create tm_arena_init(struct tm_arena *arena, struct tm_store *store, enum tm_arena_kind kind);
void tm_arena_fini(struct tm_arena *arena);
bool tm_arena_head_is_whole(const struct tm_arena *arena);
/* All that an earlier version left was found: from here on the arena is of this one. */
void tm_arena_upgrade(struct tm_arena *arena);
/* A segment's number, or 0. @heap: NULL for records. No locks held. */
uint32_t tm_arena_take(struct tm_arena *arena, unsigned order, unsigned purpose, const struct tm_heap *heap,
                       enum tm_tier tier);
/* The length up to @order that a segment of data should have: what is left between others is used before another span
 * is. */
unsigned tm_arena_fit(struct tm_arena *arena, unsigned order, enum tm_tier tier);
/* The segment's units are free; the span goes back when it is the last. No locks held. */
void tm_arena_give(struct tm_arena *arena, uint32_t segment);
/* Commits one span ahead of its use, if the arena grew lately and there is room. False: no need. */
bool tm_arena_prepare(struct tm_arena *arena);
/* Gives back a span that was committed ahead. False: there is none. */
bool tm_arena_unprepare(struct tm_arena *arena);
/* Arena's lock held: lists the span by its largest free run. */
void tm_arena_relist(struct tm_arena *arena, uint32_t number);
/* Units that takers of @tier leave for copies, and those that records keep for themselves. */
uint32_t tm_arena_units_to_leave(const struct tm_arena *arena, enum tm_tier tier);
uint64_t tm_arena_units_for_records(const struct tm_arena *arena);
/* Chooses a span at least @eighths/8 of which is dead or free, with nothing but sealed segments of data, and gives none
 * of its units out until tm_arena_drain_end(), or until it was empty and is taken anew. With less than two eighths
 * memory is short: segments may also be open, or begun to be taken apart. *tier: for the copies; it fits into what
 * others have free, or so much of it is dead that a new span is worth it. 0: none among those looked at, or another is
 * being drained. */
uint32_t tm_arena_drain_begin(struct tm_arena *arena, unsigned eighths, enum tm_tier *tier);
/* False: something is left in it. */
bool tm_arena_drain_end(struct tm_arena *arena, uint32_t span);
/* Rebuilding: units in use are those of the segments whose state is not FREE. */
void tm_arena_rebuild(struct tm_arena *arena);
void tm_arena_check(struct tm_arena *arena);

static inline struct tm_segment *tm_segment_at(const struct tm_arena *arena, uint32_t number)
{
    return &arena->segments[number];
}

static inline unsigned char *tm_arena_address(const struct tm_arena *arena, uint64_t offset)
{
    return arena->base + offset * TM_GRANULE_BYTES;
}

/* Offset in granules of a segment's first byte. */
static inline uint64_t tm_segment_offset(const struct tm_arena *arena, uint32_t number)
{
    return (uint64_t)number << arena->unit_shift;
}

/* Bytes at a sealed segment's end that no block of full length fits in: neither alive nor worth a copy. */
static inline uint32_t tm_segment_end_bytes(const struct tm_segment *segment)
{
    uint32_t left = segment->bytes - tm_load_relaxed(&segment->fill);
    return left < TM_BLOCK_BYTES_MAX ? left : 0;
}

/* The segment that @offset lies in. */
static inline uint32_t tm_segment_of(const struct tm_arena *arena, uint64_t offset)
{
    uint32_t unit = (uint32_t)(offset >> arena->unit_shift);
    return unit - arena->segments[unit].first_distance;
}

struct tm_link *tm_segment_list_link(void *arena, uint32_t number);
struct tm_link *tm_segment_bin_link(void *arena, uint32_t number);
struct tm_link *tm_segment_deferred_link(void *arena, uint32_t number);

/* ------------------------------------------------------------------ blocks */

/*
 * In front of every block's bytes. word: bits 0-12 length of the body, 13-18 page number, 19-22 codec (0: no
 * block was written here), 23 shared content, 24 deferred, 32-63 generation of the segment. The body is padded with
 * zeros to a granule. check = hash(body with padding) ^ mix(the two words before): no bit of a block can change
 * unseen.
 */
struct tm_block {
    uint32_t hash;         /* of the chunk; of the content if shared */
    uint32_t content_hash; /* of the page's bytes, for the table of contents */
    uint64_t word;
    uint64_t check;
};
TM_STATIC_ASSERT(sizeof(struct tm_block) == 24 && sizeof(struct tm_block) + TM_PAGE_BYTES == TM_BLOCK_BYTES_MAX);

#define TM_BLOCK_SHARED (UINT64_C(1) << 23)
#define TM_BLOCK_DEFERRED (UINT64_C(1) << 24) /* raw for now: nobody has tried yet to compress it */
#define TM_BLOCK_NUMBER_MASK (UINT64_C(63) << 13)

static inline uint32_t tm_block_length(uint64_t word)
{
    return (uint32_t)(word & 8191u);
}

static inline unsigned tm_block_number(uint64_t word)
{
    return (unsigned)(word >> 13 & 63u);
}

static inline unsigned tm_block_codec(uint64_t word)
{
    return (unsigned)(word >> 19 & 15u);
}

static inline uint32_t tm_block_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/* Bytes of a block with that body, header and padding included. */
static inline uint32_t tm_block_bytes(uint32_t body_bytes)
{
    return (uint32_t)tm_round_up(sizeof(struct tm_block) + body_bytes, TM_GRANULE_BYTES);
}

/* A reference to a block, as a slot. */
static inline tm_slot tm_slot_make(unsigned codec, uint32_t bytes, uint64_t offset, bool listed)
{
    return (uint64_t)codec | (listed ? TM_SLOT_LISTED : 0) | (uint64_t)(bytes / TM_GRANULE_BYTES) << 8 | offset << 24;
}

/* Where bytes are reserved; see tm_heap_reserve(). */
struct tm_reservation {
    uint64_t offset;
    uint32_t segment;
    uint32_t generation;
};

/* Zeros behind a body, up to the next granule. */
static inline void tm_block_pad(unsigned char *body, uint32_t body_bytes)
{
    memset(body + body_bytes, 0, tm_block_bytes(body_bytes) - sizeof(struct tm_block) - body_bytes);
}

/* Copies a body, padded by tm_block_pad(), into reserved memory. Answers its hash with the store's seed; @known: that
 * hash if there is no padding, or NULL. */
uint64_t tm_block_fill(struct tm_store *store, enum tm_arena_kind arena, const struct tm_reservation *at,
                       const void *body, uint32_t body_bytes, const uint64_t *known);
/* Writes the header in front of a body whose hash is @body_hash: the block is complete. */
void tm_block_seal(struct tm_store *store, enum tm_arena_kind arena, const struct tm_reservation *at, uint32_t hash,
                   uint32_t content_hash, uint64_t word, uint64_t body_hash);
/* Copies a block, changing its hash word, identity and generation but not its body. */
void tm_block_copy(struct tm_store *store, enum tm_arena_kind arena, const struct tm_reservation *at,
                   const struct tm_block *from, uint32_t hash, uint64_t word);
/* True when the block is whole and belongs there. */
bool tm_block_verify(struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes, uint32_t hash,
                     unsigned number, bool shared);
/* True when the block says of itself, with so many bytes, what its checksum says. */
bool tm_block_is_whole(const struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes);
/* Decodes the block's body without checking it; for comparing. False: it does not decode. */
bool tm_block_decode(struct tm_store *store, struct tm_worker *worker, const struct tm_block *block, void *page);
/* A block nobody refers to: off the books. Its memory may be gone when the call returns. */
void tm_block_free(struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes);

/* ------------------------------------------------------- moving, rewriting */

/* What becomes of the block: asks its owner, or the table of contents. See tm_owner.judge. */
enum tm_fate tm_block_judge(struct tm_store *store, enum tm_arena_kind arena, const struct tm_block *block,
                            uint64_t offset, enum tm_purge why, tm_slot *slot);

/* The block at @offset, which @slot referred to, has another in its place, complete at @at: what refers to it follows,
 * and the writer of @at is done. False: nobody refers to it any more; the reservation is undone. */
bool tm_block_follow(struct tm_store *store, struct tm_heap *heap, const struct tm_block *block, uint64_t offset,
                     tm_slot slot, const struct tm_reservation *at, unsigned codec, uint32_t length);

/* How a page is coded anew, in the background: compressed after all, or by a slower and better codec. */
struct tm_coder {
    void *user;
    /* Codes @page into @body, which has TM_PAGE_BYTES of room, and says how in *codec; both are the worker's own or
     * the arena's, and worker->body is neither. Answers the bytes; 0: the block stays as it is. No locks are held. */
    uint32_t (*encode)(void *user, struct tm_worker *worker, const void *page, void *body, enum tm_codec_id *codec);
};

struct tm_rewrite {
    struct tm_heap *heap; /* the block's own */
    unsigned lane;        /* enum tm_lane_number: where the new block goes */
    enum tm_tier tier;
    const struct tm_coder *coder;
    bool may_grow; /* the new block may take more than the old one */
};

enum tm_rewritten {
    TM_REWRITTEN,        /* the page, or shared content, refers to the new block, which is smaller, or may grow */
    TM_REWRITTEN_NOT,    /* it would not be smaller, or the block is damaged: nothing changed */
    TM_REWRITTEN_GONE,   /* nobody refers to the block any more, or a cap forbids that it grows */
    TM_REWRITTEN_NO_ROOM /* nothing changed */
};

/* The store's own codec. */
struct tm_coder tm_store_coder(struct tm_store *store);

/*
 * Codes the block at @offset anew, which must not be written to any more. Its segment cannot be freed meanwhile:
 * the caller took it, or the worker has a hazard in it. Readers, puts and invalidations go on; whoever changes the page
 * meanwhile wins. The checksum is verified before, and the dedup table follows. The charge shrinks with a page's block;
 * pages that share a content stay charged what they were when they were put.
 *
 * Threads: any; two at one block at once do the work twice, and one wins. Uses worker->page and worker->block, so
 * it may be called while a put of the same worker makes room. Cost: hash, decode, encode, write, three bucket locks.
 */
enum tm_rewritten tm_store_rewrite(struct tm_store *store, struct tm_worker *worker, const struct tm_rewrite *how,
                                   uint64_t offset);

/* The same where the block has been judged and @slot is the answer. With TM_REWRITTEN the caller takes the old block
 * off its segment's books (tm_block_free()), for many at once if it likes. */
enum tm_rewritten tm_block_rewrite(struct tm_store *store, struct tm_worker *worker, const struct tm_rewrite *how,
                                   const struct tm_block *block, uint64_t offset, tm_slot slot);

/* ------------------------------------------------------------------- heaps */

#define TM_PUT_LANES 4u
enum tm_lane_number {
    TM_LANE_KEPT = TM_PUT_LANES, /* pages that stay when a segment is purged */
    TM_LANE_CLEAN_YOUNG,         /* pages copied by cleaning: as old as where they come from */
    TM_LANE_CLEAN_MAIN,
    TM_LANE_CODED, /* young pages compressed after they were put */
    TM_LANES
};

struct tm_lane {
    struct tm_lock lock;
    uint32_t segment; /* 0: none */
} TM_ALIGNED(TM_CACHE_LINE);

#define TM_HEAP_MAGIC 0x68656170u

struct tm_heap {
    unsigned magic;
    uint32_t number;
    enum tm_arena_kind kind;
    struct tm_store *store;
    uint64_t domain;
    uint32_t next_free; /* while it is not in use */
    uint32_t stamp;     /* the account's, never given before: the number may have been another account's */

    tm_atomic64 segment_bytes; /* atomic */

    struct tm_lock lock; /* the lists, and bin and links of the segments on them */
    struct tm_list list[TM_AGES];
    struct tm_list bin[TM_DEAD_BINS];
    struct tm_list deferred;        /* segments with pages that wait to be compressed */
    tm_atomic64 age_bytes[TM_AGES]; /* written under the lock, read anywhere */
    struct tm_lock purge_lock;      /* only ever tried: the segment that is taken apart bit by bit, and how far it is */
    uint32_t purge_segment;         /* 0: none */
    uint32_t purge_position;
    enum tm_purge purge_why;
    uint32_t sample_segment; /* where tm_heap_sample_main() goes on */
    uint32_t sample_position;
    struct tm_cool {      /* where tm_heap_cool() goes on */
        uint64_t round;   /* the last one that was begun */
        uint32_t segment; /* 0: the round is over */
        uint32_t position;
        uint32_t warm; /* blocks of the segment before the position that may become cold, */
        uint32_t left; /* and segments of the round with some */
    } cool;

    struct tm_lane lane[TM_LANES];
};

/*
 * Reserves memory for a block and marks the writer. The block's word is written as "nothing here yet, so long",
 * so that the segment can be walked at any time. False: no room.
 */
bool tm_heap_reserve(struct tm_heap *heap, unsigned lane, uint32_t body_bytes, enum tm_tier tier,
                     struct tm_reservation *at);
/* The writer of a reserved block is done with its segment. */
void tm_segment_writer_done(struct tm_store *store, enum tm_arena_kind arena, uint32_t segment);
/* Copies what is alive out of this segment, if it is the heap's and sealed, and frees it. False: there is no room. */
bool tm_heap_clean_one(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, uint32_t number,
                       enum tm_tier tier);
/* If this segment is the one that is taken apart bit by bit: no longer, what is left of it stays. */
void tm_heap_purge_stop(struct tm_heap *heap, uint32_t number);
/* Closes this segment, if a lane has it open. */
void tm_heap_seal_one(struct tm_heap *heap, uint32_t number);
/* Heap's lock held: the segment leaves its list, and the cold tier's walk goes on behind it. */
void tm_cool_unlisted(struct tm_heap *heap, uint32_t number);
/* A segment of the store was closed: there may be something to cool. */
void tm_cool_sealed(struct tm_store *store);
/* Undoes a reservation in a lane of puts: its bytes are free again if it was the segment's last, else dead. */
void tm_heap_give_back(struct tm_heap *heap, unsigned lane, const struct tm_reservation *at, uint32_t body_bytes);
/* Undoes a reservation: the bytes are dead. */
void tm_heap_unreserve(struct tm_heap *heap, const struct tm_reservation *at, uint32_t body_bytes);
/* Subtracts dead bytes and frees the segment or lists it as deader. */
void tm_segment_sub_live(struct tm_store *store, enum tm_arena_kind arena, uint32_t segment, uint32_t bytes);
/* Takes a sealed segment without writers off the lists. 0: none. */
bool tm_heap_take(struct tm_heap *heap, uint32_t segment);
uint32_t tm_heap_take_oldest(struct tm_heap *heap, enum tm_age age);
uint32_t tm_heap_take_deadest(struct tm_heap *heap, unsigned eighths);
uint32_t tm_heap_take_deferred(struct tm_heap *heap);
/* Closes the open segments with pages that wait to be compressed. False: there are none. */
bool tm_heap_seal_deferred(struct tm_heap *heap);
/* The caller writes a page into the segment that waits to be compressed. */
void tm_segment_defer(struct tm_heap *heap, uint32_t segment);
/* What was taken has been emptied, or not altogether. @is_done: whatever could go has gone; what is left then is not
 * found from here, since headers are damaged, and the segment is not taken again. */
void tm_heap_end_purge(struct tm_heap *heap, uint32_t segment, bool is_done);
/* Rebuilding: lists a segment whose live bytes are known. */
void tm_heap_adopt_segment(struct tm_heap *heap, uint32_t segment);
void tm_heap_check(struct tm_heap *heap);
void tm_heaps_fini(struct tm_store *store);
struct tm_heap *tm_heap_at(const struct tm_store *store, uint32_t number);
unsigned tm_heap_put_lane(const struct tm_heap *heap, unsigned worker_number);

/* ----------------------------------------------------------------- workers */

#define TM_TWINS_ALWAYS 256u

struct tm_worker {
    uint32_t busy; /* atomic */
    unsigned number;
    uint32_t twins;                 /* how often pages put lately had equal ones: TM_TWINS_ALWAYS and less */
    tm_atomic64 hazard[TM_HAZARDS]; /* atomic: offset << 1 | arena, or 0; read by who frees */
    tm_slot pinned[TM_HAZARDS];     /* the block slot behind it */
    uint32_t pinned_hash[TM_HAZARDS];
    tm_atomic64 blocks[TM_CODEC_IDS]; /* atomic; that it put: see tm_worker_count_block() */
    void *context;                    /* of the codec */
    unsigned char *body;              /* TM_PAGE_BYTES */
    unsigned char *page;              /* TM_PAGE_BYTES */
    unsigned char *block;             /* one block of any length */
} TM_ALIGNED(TM_CACHE_LINE);

/* As tm_count_block() with one more, without being in anybody's way. */
static inline void tm_worker_count_block(struct tm_worker *worker, unsigned codec)
{
    tm_store_relaxed(&worker->blocks[codec], tm_load_relaxed(&worker->blocks[codec]) + 1u);
}
/* Blocks of a codec that all workers put. */
uint64_t tm_workers_blocks(const struct tm_store *store, unsigned codec);

bool tm_workers_init(struct tm_store *store);
void tm_workers_fini(struct tm_store *store);
void tm_workers_check(const struct tm_store *store);
/* True when a worker reads inside [from, to) of the arena. */
bool tm_hazard_in(const struct tm_store *store, enum tm_arena_kind arena, uint64_t from, uint64_t to);
void tm_hazard_set(struct tm_worker *worker, unsigned hazard, enum tm_arena_kind arena, tm_slot slot, uint32_t hash);

/* ----------------------------------------------------------------- records */

struct tm_record_list {
    struct tm_lock lock;
    struct tm_list partial; /* segments with free records */
} TM_ALIGNED(TM_CACHE_LINE);

void tm_records_check(struct tm_store *store);
/* Rebuilding: true when the head's descriptors make sense; nothing is changed. */
bool tm_rebuild_examine(const struct tm_arena *arena);
/* Rebuilding: data segments empty, records counted. */
void tm_rebuild_begin(struct tm_store *store);
/* Rebuilding: free lists and counts from what is live. */
void tm_records_rebuild(struct tm_store *store);

/* ------------------------------------------------------------------- dedup */

/* A content that several pages share. Protected by the dedup bucket of its hash. */
struct tm_content {
    uint32_t kind; /* TM_RECORD_LIVE(TM_RECORD_CONTENT) */
    uint32_t references;
    tm_slot slot; /* of the block; 0: evicted, the record waits for its last reference */
    uint32_t hash;
    uint32_t heap;
    uint64_t reserved;
};
TM_STATIC_ASSERT(sizeof(struct tm_content) == 32);

enum tm_twin {
    TM_TWIN_NONE,
    TM_TWIN_BLOCK,
    TM_TWIN_CONTENT
};

/* Makes the tables of contents. False: no memory. */
bool tm_contents_init(struct tm_store *store);
/* Looks for an equal page; sets put->twin... and put->bytes if there is one. A content found is referenced. */
void tm_dedup_find(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put);
/* The same, and names the page's own block in the table if there is none. True: it did. */
bool tm_dedup_find_or_list(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put, uint64_t ref);
/* Makes put->slot share the twin. */
enum tm_write tm_dedup_share(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put);
/* Names a block in the table. False: no memory. */
bool tm_dedup_list(struct tm_store *store, enum tm_arena_kind arena, uint32_t content_hash, uint64_t ref);
bool tm_dedup_unlist(struct tm_store *store, enum tm_arena_kind arena, uint32_t content_hash, uint64_t ref);
/* The table was to name this block under its content's hash, and does not. Where the header is damaged, the hash may
 * be: then whatever names the block goes, while its bytes are still counted. */
void tm_dedup_forget_damaged(struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes);
/* The block moves: the table names the new place. False: it did not name the old one. */
bool tm_dedup_relist(struct tm_store *store, enum tm_arena_kind arena, uint32_t content_hash, uint64_t from,
                     uint64_t to);
void tm_content_unref(struct tm_store *store, enum tm_arena_kind arena, uint64_t ref);
/* Under the lock of the reference: pins the content's block. */
bool tm_content_pin(struct tm_store *store, enum tm_arena_kind arena, struct tm_worker *worker, unsigned hazard,
                    uint64_t ref);
/* Under the lock of the reference: where the content's block is, as a slot; 0: evicted. */
tm_slot tm_content_block(struct tm_store *store, enum tm_arena_kind arena, uint64_t ref);
/* As the owner's judge() and swap(), for content blocks. */
enum tm_fate tm_content_judge(struct tm_store *store, enum tm_arena_kind arena, uint32_t hash, uint64_t offset,
                              enum tm_purge why, tm_slot *slot);
bool tm_content_swap(struct tm_store *store, enum tm_arena_kind arena, uint32_t hash, uint64_t from, tm_slot to);
/* Rebuilding: all contents without references, before pages are adopted; what has none after goes. */
void tm_contents_reset(struct tm_store *store);
void tm_contents_free_unreferenced(struct tm_store *store);

/* ------------------------------------------------------------------- store */

/* Counters of what no worker counts, spread so that threads do not share a line. */
#define TM_COUNT_SHARDS 8u
struct tm_counts {
    tm_atomic64 blocks[TM_CODEC_IDS]; /* atomic; a shard may be negative, the sum is not */
    tm_atomic64 cold_bytes;           /* of blocks in the codec of cold pages; as above */
} TM_ALIGNED(TM_CACHE_LINE);

#define TM_STORE_MAGIC 0x73746f72u
#define TM_STORE_TABLES 4u
#define TM_HEAP_DIRECTORY 256u /* directories of as many heaps */

struct tm_store {
    unsigned magic;
    bool adopting;        /* between tm_store_create() and tm_store_adopted() */
    bool adopting_failed; /* no memory for something that must be found again */

    /* Constant. */
    struct tm_host host;
    struct tm_codec codec;
    struct tm_owner owner;
    struct tm_store_config config;
    uint64_t check_seed; /* for block checksums */

    struct tm_arena arena[TM_ARENAS];
    struct tm_table contents[TM_ARENAS];
    struct tm_record_list records[TM_ARENAS][TM_RECORD_CLASSES];
    const struct tm_table *tables[TM_STORE_TABLES]; /* whose memory counts, the engine's included */

    struct tm_worker *workers;
    unsigned worker_count;
    uint64_t workers_bytes;
    size_t worker_stride;

    struct tm_lock heaps_lock; /* rank: record_class. The two numbers. */
    uint32_t heaps_next;
    uint32_t heaps_free[TM_ARENAS]; /* ended ones, by kind: a heap's kind never changes */
    struct tm_heap **heaps[TM_HEAP_DIRECTORY];

    struct tm_lock waiting_lock; /* rank: record_class. Segments that wait for readers. */
    struct tm_list waiting[TM_ARENAS];

    struct tm_counts counts[TM_COUNT_SHARDS];

    struct tm_cold {
        /* Atomic; the codec's, for one call at a time; NULL: the cold tier was never started. */
        void *encoder;
        uint32_t has_decoders;                               /* atomic flag: their memory counts */
        uint32_t was_sealed;                                 /* atomic flag: tm_store_was_sealed() */
        tm_atomic64 cooled_pages, saved_bytes, warmed_pages; /* atomic */
    } cold;

    /* Atomic. */
    tm_atomic64 size_bytes;
    tm_atomic64 span_bytes_resident;
    tm_atomic64 segment_bytes; /* of all segments in use */
    tm_atomic64 metadata_bytes;
    tm_atomic64 records_bytes; /* segments of records: inside span bytes, but metadata */
    tm_atomic64 returned_bytes;
    tm_atomic64 contents_shared;
    tm_atomic64 evicted_segments;
    tm_atomic64 cleaned_segments;
    tm_atomic64 cleaned_bytes;
    tm_atomic64 corrupt_blocks;
    tm_atomic64 deferred_bytes; /* of sealed segments with pages that wait to be compressed */
    tm_atomic64 deferred_open;  /* open segments with such pages */
};

/* Resident bytes that a taker of this tier may go up to by a new span; and bytes of metadata and of segments in use,
 * by a new segment. */
uint64_t tm_store_limit(const struct tm_store *store, enum tm_tier tier);
uint64_t tm_store_use_limit(const struct tm_store *store, enum tm_tier tier);

/* Somebody will wait for what tm_store_prepare() and others do in the background. */
void tm_store_hurry(const struct tm_store *store);

/* Whether a page may be stored raw for now. */
bool tm_store_may_defer(const struct tm_store *store);

/* Counts blocks of a codec, more or less; and bytes, where it is that of cold pages: what others take follows. */
void tm_count_blocks(struct tm_store *store, unsigned codec, int blocks, int64_t bytes);
/* Counts one more, or one less (-1), like that which @slot refers to. */
static inline void tm_count_block(struct tm_store *store, tm_slot slot, int change)
{
    tm_count_blocks(store, tm_slot_type(slot), change, (int64_t)tm_slot_bytes(slot) * change);
}

/* All metadata outside the spans. */
uint64_t tm_store_metadata(const struct tm_store *store);

/* When the store ends. */
void tm_cold_fini(struct tm_store *store);

/* Host memory that counts as metadata. */
void *tm_store_alloc(struct tm_store *store, size_t bytes);
void tm_store_free(struct tm_store *store, void *memory, size_t bytes);

#endif
