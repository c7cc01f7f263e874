/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block.c - blocks: a header in front of the stored bytes, and the checksum over both.
 *
 * The checksum is the hash of the body, padding included, mixed with the header's words. Mixing is by
 * exclusive or of bijections, so the body's hash can be taken out again: a block that moves keeps the hash
 * that was computed when it was stored, and damage done before the move is still found after it.
 */
#include "base/copy.h"
#include "base/mix.h"
#include "store/store_internal.h"

/* Each header word through a bijection of its own: any single change in a word changes the result. */
static uint64_t mix_header(uint64_t first, uint64_t word)
{
    return tm_scramble(first ^ UINT64_C(0x8e2f6d0c4b5a1793)) ^ tm_scramble(word + UINT64_C(0x2545f4914f6cdd1d));
}

static uint64_t first_word(uint32_t hash, uint32_t content_hash)
{
    return (uint64_t)content_hash << 32 | hash;
}

static struct tm_block *block_at(const struct tm_store *store, enum tm_arena_kind arena, uint64_t offset)
{
    return (struct tm_block *)(void *)tm_arena_address(&store->arena[arena], offset);
}

uint64_t tm_block_fill(struct tm_store *store, enum tm_arena_kind arena, const struct tm_reservation *at,
                       const void *body, uint32_t body_bytes, const uint64_t *known)
{
    struct tm_block *block = block_at(store, arena, at->offset);
    uint32_t padded = tm_block_bytes(body_bytes) - (uint32_t)sizeof *block;
    TM_ASSERT(known == NULL || padded == body_bytes);
    if (known == NULL)
        return store->codec.copy_out_hash(block + 1, body, padded, store->check_seed);
    store->codec.copy_out(block + 1, body, padded);
    return *known;
}

void tm_block_seal(struct tm_store *store, enum tm_arena_kind arena, const struct tm_reservation *at, uint32_t hash,
                   uint32_t content_hash, uint64_t word, uint64_t body_hash)
{
    struct tm_block *block = block_at(store, arena, at->offset);
    word |= (uint64_t)at->generation << 32;
    tm_store_relaxed(&block->hash, hash); /* sampling may look, see tm_heap_sample_main() */
    block->content_hash = content_hash;
    block->check = body_hash ^ mix_header(first_word(hash, content_hash), word);
    tm_store_relaxed(&block->word, word);
}

void tm_block_copy(struct tm_store *store, enum tm_arena_kind arena, const struct tm_reservation *at,
                   const struct tm_block *from, uint32_t hash, uint64_t word)
{
    struct tm_block *block = block_at(store, arena, at->offset);
    uint32_t bytes = tm_block_bytes(tm_block_length(word));
    uint64_t body_hash = from->check ^ mix_header(first_word(from->hash, from->content_hash), from->word);
    tm_copy_words(block + 1, from + 1, bytes - sizeof *block);
    word = (word & UINT32_MAX) | (uint64_t)at->generation << 32;
    tm_store_relaxed(&block->hash, hash); /* sampling may look, see tm_heap_sample_main() */
    block->content_hash = from->content_hash;
    block->check = body_hash ^ mix_header(first_word(hash, from->content_hash), word);
    tm_store_relaxed(&block->word, word);
}

/* What the header must say for the block to be the one that is looked for. */
static bool header_fits(const struct tm_block *block, uint32_t bytes, uint32_t hash, unsigned number, bool shared)
{
    uint64_t word = block->word;
    unsigned codec = tm_block_codec(word);
    return block->hash == hash && tm_block_number(word) == number && ((word & TM_BLOCK_SHARED) != 0) == shared &&
           codec != TM_CODEC_NONE && codec < TM_CODEC_IDS && tm_block_bytes(tm_block_length(word)) == bytes;
}

bool tm_block_verify(struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes, uint32_t hash,
                     unsigned number, bool shared)
{
    const struct tm_block *block = block_at(store, arena, offset);
    if (bytes < sizeof *block || !header_fits(block, bytes, hash, number, shared))
        return false;
    uint64_t body_hash = store->codec.hash(block + 1, bytes - sizeof *block, store->check_seed);
    return block->check == (body_hash ^ mix_header(first_word(hash, block->content_hash), block->word));
}

bool tm_block_is_whole(const struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes)
{
    const struct tm_block *block = block_at(store, arena, offset);
    uint64_t body_hash = store->codec.hash(block + 1, bytes - sizeof *block, store->check_seed);
    return block->check == (body_hash ^ mix_header(first_word(block->hash, block->content_hash), block->word));
}

bool tm_block_decode(struct tm_store *store, struct tm_worker *worker, const struct tm_block *block, void *page)
{
    uint32_t length = tm_block_length(block->word);
    enum tm_codec_id codec = (enum tm_codec_id)tm_block_codec(block->word);
    if (codec == TM_CODEC_RAW) {
        memcpy(page, block + 1, TM_PAGE_BYTES);
        return length == TM_PAGE_BYTES;
    }
    if (codec == TM_CODEC_SAME) {
        uint64_t word;
        memcpy(&word, block + 1, sizeof word);
        tm_same_fill(page, word);
        return length == sizeof word;
    }
    return length <= TM_PAGE_BYTES &&
           store->codec.decode(&store->codec, worker->context, codec, block + 1, length, page);
}

/* ---- reading what is pinned ---- */

struct pinned {
    enum tm_arena_kind arena;
    const struct tm_block *block;
    uint32_t bytes;
    uint32_t hash;
    unsigned number;
    bool shared;
};

/* What a hazard's block must be. */
static struct pinned pinned_block(const struct tm_store *store, const struct tm_worker *worker, unsigned hazard,
                                  uint32_t hash, unsigned number)
{
    uint64_t word = worker->hazard[hazard];
    TM_ASSERT(word != 0);
    enum tm_arena_kind arena = (enum tm_arena_kind)(word & 1u);
    bool shared = tm_slot_type(worker->pinned[hazard]) == TM_SLOT_SHARED;
    struct pinned pin = {
        .arena = arena,
        .block = block_at(store, arena, word >> 1),
        .bytes = (uint32_t)(worker->pinned[hazard] >> 8 & 1023u) * TM_GRANULE_BYTES,
        .hash = shared ? worker->pinned_hash[hazard] : hash,
        .number = shared ? 0 : number,
        .shared = shared,
    };
    return pin;
}

void tm_pinned_prefetch(struct tm_store *store, const struct tm_worker *worker, unsigned hazard)
{
    struct pinned pin = pinned_block(store, worker, hazard, 0, 0);
    const unsigned char *bytes = (const unsigned char *)pin.block;
    for (uint32_t i = 0; i < pin.bytes; i += TM_CACHE_LINE)
        tm_prefetch_second(bytes + i);
}

/* The block in one pass: the body's hash is taken while it is read. */
static bool read_once(struct tm_store *store, struct tm_worker *worker, const struct pinned *pin,
                      const struct tm_block *block, void *page)
{
    if (!header_fits(block, pin->bytes, pin->hash, pin->number, pin->shared))
        return false;
    uint32_t padded = pin->bytes - (uint32_t)sizeof *block;
    uint64_t header = mix_header(first_word(block->hash, block->content_hash), block->word);
    if (tm_block_codec(block->word) == TM_CODEC_RAW && padded == TM_PAGE_BYTES)
        return block->check == (store->codec.copy_hash(page, block + 1, TM_PAGE_BYTES, store->check_seed) ^ header);
    if (block->check != (store->codec.hash(block + 1, padded, store->check_seed) ^ header))
        return false;
    return tm_block_decode(store, worker, block, page);
}

bool tm_pinned_read(struct tm_store *store, struct tm_worker *worker, unsigned hazard, uint32_t hash, unsigned number,
                    void *page)
{
    struct pinned pin = pinned_block(store, worker, hazard, hash, number);
    if (TM_LIKELY(read_once(store, worker, &pin, pin.block, page)))
        return true;
    /* Before anything is called damaged: the caller's buffer may be somebody else's to write, and memory
     * may have a bad moment. Look again, at a private copy. */
    memcpy(worker->block, pin.block, pin.bytes);
    const struct tm_block *copy = (const struct tm_block *)(const void *)worker->block;
    if (read_once(store, worker, &pin, copy, page))
        return true;
    tm_fetch_add_relaxed(&store->corrupt_blocks, 1u);
    return false;
}

bool tm_pinned_read_stored(struct tm_store *store, struct tm_worker *worker, unsigned hazard, uint32_t hash,
                           unsigned number, enum tm_codec_id *codec, void *body, uint32_t *body_bytes)
{
    struct pinned pin = pinned_block(store, worker, hazard, hash, number);
    uint64_t offset = worker->hazard[hazard] >> 1;
    if (!tm_block_verify(store, pin.arena, offset, pin.bytes, pin.hash, pin.number, pin.shared)) {
        tm_fetch_add_relaxed(&store->corrupt_blocks, 1u);
        return false;
    }
    *codec = (enum tm_codec_id)tm_block_codec(pin.block->word);
    *body_bytes = tm_block_length(pin.block->word);
    memcpy(body, pin.block + 1, *body_bytes);
    return true;
}

void tm_block_free(struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes)
{
    tm_segment_sub_live(store, arena, tm_segment_of(&store->arena[arena], offset), bytes);
}
