/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold.c - the cold tier: pages that nobody asks for are coded anew by a slower and better codec, and back by the
 * store's own when they are asked for again.
 *
 * Rounds go over a heap's main segments, oldest first. The first round that meets a segment only notes it; from the
 * next on, whatever was not got since the round before is cold. Rounds are made by whoever calls, so how far apart they
 * are is how old a page must be. A segment in which nothing is left to do is not looked at again. Nothing is taken off
 * any list meanwhile: the segment is kept by a hazard, and cleaned or evicted as ever.
 */
#include "store/store_internal.h"

#define SEGMENTS_AT_ONCE 64u /* looked at under the heap's lock */
#define WORTH_CLEANING 2u    /* eighths that are dead */

/* ---- what coding takes ---- */

bool tm_store_cold_start(struct tm_store *store)
{
    struct tm_cold *cold = &store->cold;
    if (tm_load_acquire(&cold->encoder) != NULL)
        return true;
    if (store->codec.cold_encodes == TM_CODEC_NONE)
        return false;
    void *encoder = tm_store_alloc(store, store->codec.cold_bytes);
    if (encoder == NULL)
        return false;
    if (!store->codec.cold_init(&store->codec, encoder)) {
        tm_store_free(store, encoder, store->codec.cold_bytes);
        return false;
    }
    tm_store_relaxed(&cold->was_sealed, 1u);
    void *first = NULL;
    if (!tm_compare_exchange(&cold->encoder, &first, encoder)) { /* two at once: one is enough */
        tm_store_free(store, encoder, store->codec.cold_bytes);
        return true;
    }
    return true;
}

/* With the first cold page every worker may come to decode one, and to touch what that takes. */
static void count_decoders(struct tm_store *store)
{
    if (tm_load_relaxed(&store->cold.has_decoders) != 0 || tm_exchange(&store->cold.has_decoders, 1u) != 0)
        return;
    if (store->codec.touched_bytes != 0)
        tm_store_add_metadata(store, (int64_t)((store->codec.context_bytes - store->codec.touched_bytes) *
                                               store->worker_count));
}

void tm_cold_fini(struct tm_store *store)
{
    tm_store_free(store, store->cold.encoder, store->codec.cold_bytes);
}

void tm_cool_sealed(struct tm_store *store)
{
    /* Who puts a lot finds the flag set, and does not fight for its line. */
    if (tm_load_relaxed(&store->cold.encoder) == NULL || tm_load_relaxed(&store->cold.was_sealed) != 0)
        return;
    tm_store_relaxed(&store->cold.was_sealed, 1u);
    if (store->host.kick != NULL)
        store->host.kick(store->host.user);
}

bool tm_store_was_sealed(struct tm_store *store)
{
    return tm_load_relaxed(&store->cold.was_sealed) != 0 && tm_exchange(&store->cold.was_sealed, 0u) != 0;
}

bool tm_slot_is_cold(const struct tm_store *store, tm_slot slot)
{
    return tm_slot_is_block(slot) && tm_slot_type(slot) == (unsigned)store->codec.cold_encodes;
}

static bool is_cold(const struct tm_store *store, const struct tm_block *block)
{
    return tm_block_codec(block->word) == (unsigned)store->codec.cold_encodes;
}

void tm_store_cool_pause(struct tm_store *store)
{
    for (unsigned kind = 0; kind < TM_ARENAS; kind++)
        tm_store_relaxed(&store->arena[kind].cool_span, 0u);
}

uint64_t tm_store_cooled_pages(const struct tm_store *store)
{
    return tm_load_relaxed(&store->cold.cooled_pages);
}

/* ---- coding ---- */

struct cooling {
    struct tm_store *store;
    uint32_t most;  /* bytes that the new block may take: to save less does not pay for slower gets */
    uint32_t bytes; /* that it takes */
};

static uint32_t encode_cold(void *user, struct tm_worker *worker, const void *page, void *body,
                            enum tm_codec_id *codec)
{
    struct cooling *cooling = user;
    struct tm_store *store = cooling->store;
    (void)worker;
    size_t bytes = store->codec.cold_encode(&store->codec, store->cold.encoder, page, body);
    *codec = store->codec.cold_encodes;
    if (bytes > TM_CODEC_ENCODED_MAX || tm_block_bytes((uint32_t)bytes) > cooling->most)
        return 0;
    cooling->bytes = tm_block_bytes((uint32_t)bytes);
    return (uint32_t)bytes;
}

/* As a put would code it. */
static uint32_t encode_warm(void *user, struct tm_worker *worker, const void *page, void *body,
                            enum tm_codec_id *codec)
{
    struct tm_store *store = user;
    size_t bytes = store->codec.encode(&store->codec, worker->context, page, body, codec);
    if (bytes != 0 && bytes <= TM_CODEC_ENCODED_MAX)
        return (uint32_t)bytes;
    memcpy(body, page, TM_PAGE_BYTES);
    *codec = TM_CODEC_RAW;
    return TM_PAGE_BYTES;
}

/* ---- one segment ---- */

struct walk {
    struct tm_store *store;
    struct tm_worker *worker;
    struct tm_heap *heap;
    uint32_t segment;
    uint32_t warm; /* blocks that were left as they are, but may be cold next time */
    uint32_t freed_bytes;
    bool out_of_room;
};

/* Answers the bytes that the block takes, as far as anybody knows. */
static uint32_t cool_block(struct walk *walk, const struct tm_block *block, uint64_t offset)
{
    struct tm_store *store = walk->store;
    tm_slot slot = 0;
    uint32_t bytes = tm_block_bytes(tm_block_length(block->word));
    if (tm_block_judge(store, walk->heap->kind, block, offset, TM_PURGE_COOL, &slot) != TM_FATE_KEEP)
        return bytes;
    if ((slot & TM_SLOT_WARM) != 0) {
        walk->warm++;
        return tm_slot_bytes(slot);
    }
    struct cooling cooling = {store, tm_slot_bytes(slot) / 8u * 7u, 0};
    const struct tm_coder coder = {&cooling, encode_cold};
    const struct tm_rewrite how = {walk->heap, TM_LANE_CLEAN_MAIN, TM_TIER_COPY, &coder, false};
    switch (tm_block_rewrite(store, walk->worker, &how, block, offset, slot)) {
    case TM_REWRITTEN:
        walk->freed_bytes += tm_slot_bytes(slot);
        count_decoders(store);
        tm_fetch_add_relaxed(&store->cold.cooled_pages, 1u);
        tm_fetch_add_relaxed(&store->cold.saved_bytes, tm_slot_bytes(slot) - cooling.bytes);
        break;
    case TM_REWRITTEN_NO_ROOM:
        walk->out_of_room = true;
        walk->warm++;
        break;
    case TM_REWRITTEN_NOT:
    case TM_REWRITTEN_GONE:
        break;
    }
    return tm_slot_bytes(slot);
}

/* Goes on in a segment that cannot be freed meanwhile, from @at on. Answers where it got to. */
static uint32_t cool_blocks(struct walk *walk, uint32_t at, unsigned *blocks)
{
    const struct tm_arena *arena = &walk->store->arena[walk->heap->kind];
    const struct tm_segment *segment = tm_segment_at(arena, walk->segment);
    uint64_t begin = tm_segment_offset(arena, walk->segment);
    while (*blocks > 0 && !walk->out_of_room && at + sizeof(struct tm_block) <= segment->fill) {
        uint64_t offset = begin + at / TM_GRANULE_BYTES;
        const struct tm_block *block = (const struct tm_block *)(const void *)tm_arena_address(arena, offset);
        uint32_t length = tm_block_length(block->word);
        unsigned codec = tm_block_codec(block->word);
        if (length == 0 || length > TM_PAGE_BYTES)
            return segment->fill; /* damaged: what lies behind is found by its readers */
        bool may_be_cold = codec != TM_CODEC_NONE && codec != TM_CODEC_SAME &&
                           !is_cold(walk->store, block) &&
                           tm_block_generation(block->word) == segment->generation;
        at += may_be_cold ? cool_block(walk, block, offset) : tm_block_bytes(length);
        *blocks -= may_be_cold;
    }
    return at;
}

/* ---- the round ---- */

/* Heap's lock held: what there is to do in a sealed segment that nobody writes to; notes it if it is new. */
static bool is_worth_a_look(struct tm_heap *heap, struct tm_segment *segment, bool at_once)
{
    if (segment->coolness == TM_COOLNESS_DONE)
        return false;
    bool is_new = segment->coolness == TM_COOLNESS_NEW;
    if (is_new)
        segment->coolness = TM_COOLNESS_NOTED;
    bool is_free = tm_load_acquire(&segment->use) < TM_USE_WRITER && tm_load_relaxed(&segment->is_stuck) == 0;
    bool is_worth = is_free && (at_once || !is_new);
    heap->cool.left += !is_worth;
    return is_worth;
}

/* The segment where the walk stands, kept by a hazard; 0: none among those looked at. *at: where in it. */
static uint32_t enter_segment(struct tm_heap *heap, struct tm_worker *worker, uint64_t round, bool at_once,
                              uint32_t *at, enum tm_cool_result *result)
{
    struct tm_arena *arena = &heap->store->arena[heap->kind];
    struct tm_cool *cool = &heap->cool;
    uint32_t found = 0;
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    if (cool->round != round) {
        cool->round = round;
        cool->segment = heap->list[TM_AGE_MAIN].head;
        cool->position = 0;
        cool->warm = 0;
        cool->left = 0;
    }
    for (unsigned i = 0; i < SEGMENTS_AT_ONCE && found == 0 && cool->segment != 0; i++) {
        struct tm_segment *segment = tm_segment_at(arena, cool->segment);
        if (cool->position != 0 || is_worth_a_look(heap, segment, at_once))
            found = cool->segment;
        else
            cool->segment = segment->list.next;
    }
    *at = cool->position;
    *result = cool->segment != 0 ? TM_COOL_MORE : cool->left != 0 ? TM_COOL_LATER
                                                                  : TM_COOL_DONE;
    tm_store_relaxed(&arena->cool_span, found / TM_SPAN_UNITS);
    if (found != 0)
        tm_hazard_set(worker, TM_HAZARDS - 1u, heap->kind, tm_segment_offset(arena, found) << 24, 0);
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return found;
}

/* Notes how far the walk has come in the segment, if that has not left the list meanwhile. True: it is through. */
static bool leave_segment(struct walk *walk, uint32_t at)
{
    struct tm_heap *heap = walk->heap;
    struct tm_cool *cool = &heap->cool;
    struct tm_segment *segment = tm_segment_at(&walk->store->arena[heap->kind], walk->segment);
    bool is_through = false;
    tm_unpin(walk->worker, TM_HAZARDS - 1u);
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    if (cool->segment == walk->segment) {
        cool->warm += walk->warm;
        cool->position = at;
        if (at + sizeof(struct tm_block) > segment->fill || walk->out_of_room) {
            if (cool->warm == 0)
                segment->coolness = TM_COOLNESS_DONE;
            else
                cool->left++;
            cool->segment = walk->out_of_room ? 0 : segment->list.next;
            cool->position = 0;
            cool->warm = 0;
            is_through = !walk->out_of_room;
        }
    }
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    return is_through;
}

/* What stays of a segment, most of which has become cold, is copied out of it at once: what is left of many segments
 * would keep the memory of all of them. */
static void give_back(const struct walk *walk)
{
    struct tm_heap *heap = walk->heap;
    const struct tm_segment *segment = tm_segment_at(&walk->store->arena[heap->kind], walk->segment);
    tm_lock_acquire(&heap->lock, TM_LOCK_heap);
    bool is_worth = tm_load_acquire(&segment->state) == TM_SEGMENT_SEALED && segment->heap == heap->number &&
                    segment->bin >= WORTH_CLEANING;
    tm_lock_release(&heap->lock, TM_LOCK_heap);
    if (is_worth)
        (void)tm_heap_clean_one(walk->store, walk->worker, heap, walk->segment, TM_TIER_COPY);
}

void tm_cool_unlisted(struct tm_heap *heap, uint32_t number)
{
    struct tm_cool *cool = &heap->cool;
    if (cool->segment != number)
        return;
    cool->segment = tm_segment_at(&heap->store->arena[heap->kind], number)->list.next;
    cool->position = 0;
    cool->warm = 0;
    cool->left++; /* what was in it comes back elsewhere */
}

enum tm_cool_result tm_heap_cool(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap,
                                 uint64_t round, bool at_once, unsigned blocks)
{
    struct walk walk = {.store = store, .worker = worker, .heap = heap};
    if (at_once && heap->cool.round != round)
        tm_heap_seal(heap);
    enum tm_cool_result result;
    uint32_t at;
    walk.segment = enter_segment(heap, worker, round, at_once, &at, &result);
    if (walk.segment != 0) {
        at = cool_blocks(&walk, at, &blocks);
        bool is_through = leave_segment(&walk, at);
        /* Last: until then these bytes keep the segment from being freed. */
        if (walk.freed_bytes != 0)
            tm_segment_sub_live(store, heap->kind, walk.segment, walk.freed_bytes);
        if (is_through)
            give_back(&walk);
    }
    return result;
}

/* ---- and back ---- */

bool tm_heap_warm(struct tm_store *store, struct tm_worker *worker, struct tm_heap *heap, uint32_t hash,
                  unsigned number, uint64_t offset)
{
    const unsigned hazard = TM_HAZARDS - 1u;
    if (!store->owner.pin(store->owner.user, heap->kind, hash, number, offset, worker, hazard))
        return false;
    const void *address = tm_arena_address(&store->arena[heap->kind], offset);
    const struct tm_block *block = address;
    const struct tm_coder coder = {store, encode_warm};
    const struct tm_rewrite how = {heap, TM_LANE_KEPT, TM_TIER_NORMAL, &coder, true};
    bool done = is_cold(store, block) &&
                tm_store_rewrite(store, worker, &how, offset) == TM_REWRITTEN;
    tm_unpin(worker, hazard);
    if (done)
        tm_fetch_add_relaxed(&store->cold.warmed_pages, 1u);
    return done;
}
