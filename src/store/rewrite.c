/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrite.c - a page coded anew: its bytes go to another block, and its reference follows, as when cleaning moves
 * a block.
 *
 * The order is that of every move: the new block is complete; the table of contents names it instead of the old one;
 * the reference is swapped, if it still is to the old block; the old block's bytes are dead. A page that goes away
 * between the steps leaves an entry for the new block, which is removed with it. What somebody damaged is not coded
 * anew: its checksum would become right.
 */
#include "store/store_internal.h"

enum tm_fate tm_block_judge(struct tm_store *store, enum tm_arena_kind arena, const struct tm_block *block,
                            uint64_t offset, enum tm_purge why, tm_slot *slot)
{
    if ((block->word & TM_BLOCK_SHARED) != 0)
        return tm_content_judge(store, arena, block->hash, offset, why, slot);
    return store->owner.judge(store->owner.user, arena, block->hash, tm_block_number(block->word), offset, why, slot);
}

static bool swap(struct tm_store *store, enum tm_arena_kind arena, const struct tm_block *block, uint64_t offset,
                 tm_slot to)
{
    if ((block->word & TM_BLOCK_SHARED) != 0)
        return tm_content_swap(store, arena, block->hash, offset, to);
    return store->owner.swap(store->owner.user, arena, block->hash, tm_block_number(block->word), offset, to);
}

bool tm_block_follow(struct tm_store *store, struct tm_heap *heap, const struct tm_block *block, uint64_t offset,
                     tm_slot slot, const struct tm_reservation *at, unsigned codec, uint32_t length)
{
    enum tm_arena_kind arena = heap->kind;
    bool is_shared = (block->word & TM_BLOCK_SHARED) != 0;
    bool was_listed = !is_shared && (slot & TM_SLOT_LISTED) != 0;
    bool listed = was_listed && tm_dedup_relist(store, arena, block->content_hash, offset, at->offset);
    if (was_listed && !listed)
        tm_dedup_forget_damaged(store, arena, offset, tm_slot_bytes(slot));
    if (swap(store, arena, block, offset,
             tm_slot_make(codec, tm_block_bytes(length), at->offset, listed || is_shared))) {
        tm_segment_writer_done(store, arena, at->segment);
        return true;
    }
    if (listed)
        (void)tm_dedup_unlist(store, arena, block->content_hash, at->offset);
    tm_heap_unreserve(heap, at, length);
    return false;
}

static uint32_t encode(void *user, struct tm_worker *worker, const void *page, void *body, enum tm_codec_id *codec)
{
    const struct tm_codec *own = user;
    size_t bytes = own->encode(own, worker->context, page, body, codec);
    return bytes <= TM_CODEC_ENCODED_MAX ? (uint32_t)bytes : 0;
}

struct tm_coder tm_store_coder(struct tm_store *store)
{
    return (struct tm_coder){&store->codec, encode};
}

/* The page of a block that is whole, in the worker's memory or in the block; NULL: it is damaged. */
static const void *page_of(struct tm_store *store, struct tm_worker *worker, enum tm_arena_kind arena,
                           const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    unsigned codec = tm_block_codec(block->word);
    if (codec != tm_slot_type(slot) || !tm_block_verify(store, arena, offset, tm_slot_bytes(slot), block->hash,
                                                        tm_block_number(block->word),
                                                        (block->word & TM_BLOCK_SHARED) != 0))
        return NULL;
    if (codec == TM_CODEC_RAW)
        return block + 1;
    return tm_block_decode(store, worker, block, worker->page) ? worker->page : NULL;
}

enum tm_rewritten tm_block_rewrite(struct tm_store *store, struct tm_worker *worker, const struct tm_rewrite *how,
                                   const struct tm_block *block, uint64_t offset, tm_slot slot)
{
    struct tm_heap *heap = how->heap;
    const void *page = page_of(store, worker, heap->kind, block, offset, slot);
    if (page == NULL)
        return TM_REWRITTEN_NOT;
    enum tm_codec_id codec = TM_CODEC_NONE;
    uint32_t length = how->coder->encode(how->coder->user, worker, page, worker->block, &codec);
    if (length == 0 || (!how->may_grow && tm_block_bytes(length) >= tm_slot_bytes(slot)))
        return TM_REWRITTEN_NOT;
    struct tm_reservation at;
    if (!tm_heap_reserve(heap, how->lane, length, how->tier, &at))
        return TM_REWRITTEN_NO_ROOM;
    tm_block_pad(worker->block, length);
    uint64_t kept = block->word & (TM_BLOCK_SHARED | (uint64_t)TM_BLOCK_NUMBER_MASK);
    uint64_t body_hash = tm_block_fill(store, heap->kind, &at, worker->block, length, NULL);
    tm_block_seal(store, heap->kind, &at, block->hash, block->content_hash, kept | (uint64_t)codec << 19 | length,
                  body_hash);
    if (!tm_block_follow(store, heap, block, offset, slot, &at, codec, length))
        return TM_REWRITTEN_GONE;
    tm_count_block(store, slot, -1);
    tm_count_block(store, tm_slot_make(codec, tm_block_bytes(length), at.offset, false), 1);
    return TM_REWRITTEN;
}

enum tm_rewritten tm_store_rewrite(struct tm_store *store, struct tm_worker *worker, const struct tm_rewrite *how,
                                   uint64_t offset)
{
    enum tm_arena_kind arena = how->heap->kind;
    const void *address = tm_arena_address(&store->arena[arena], offset);
    const struct tm_block *block = address;
    tm_slot slot = 0;
    if (tm_block_judge(store, arena, block, offset, TM_PURGE_CLEAN, &slot) != TM_FATE_KEEP)
        return TM_REWRITTEN_GONE;
    enum tm_rewritten result = tm_block_rewrite(store, worker, how, block, offset, slot);
    if (result == TM_REWRITTEN)
        tm_block_free(store, arena, offset, tm_slot_bytes(slot));
    return result;
}
