/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep.c - taking a segment apart by the chunks that its pages belong to.
 *
 * Pages that were put together lie together: one header names a chunk, and the chunk's slots name all of its pages that
 * are alive in the segment. So one question is asked for many pages, dead blocks between them are never looked at, and
 * what will be copied is known before it is needed. The walk goes on behind the last of them. Where pages of several
 * chunks lie among each other it passes over some: then live bytes are left, and the caller looks at every block.
 */
#include "store/purge_internal.h"

/* A page on its way: where it is, and where its copy is. */
struct move {
    const struct tm_block *block;
    uint64_t offset;
    tm_slot slot;
    struct tm_reservation at;
    bool is_listed; /* the table of contents names the copy */
};

/* Pages of one chunk. */
struct group {
    struct tm_purge_run *purge;
    uint32_t hash;
    unsigned count;
    struct move move[TM_JUDGED_MAX];
    struct tm_exchange exchange[TM_JUDGED_MAX];
};

static const struct tm_block *block_of(const struct tm_purge_run *purge, tm_slot slot)
{
    const void *address = tm_arena_address(&purge->store->arena[purge->arena], tm_slot_offset(slot));
    return address;
}

/* How many blocks ahead of the copy their bytes are asked for. */
#define COPY_AHEAD 4u

/* Into the second cache: the first has too few places for what is on its way to keep the copy going. */
static void prefetch_block(const struct tm_purge_run *purge, tm_slot slot)
{
    const unsigned char *bytes = (const unsigned char *)block_of(purge, slot);
    for (uint32_t at = 0; at < tm_slot_bytes(slot); at += TM_CACHE_LINE)
        tm_prefetch_second(bytes + at);
}

/* A header that does not say what the reference says is damaged: see tm_purge_block(). Pages that wait to be
 * compressed are left to it, too. */
static bool is_plain(const struct tm_purge_run *purge, uint32_t hash, const struct tm_judged *page)
{
    const struct tm_block *block = block_of(purge, page->slot);
    uint64_t word = block->word;
    return block->hash == hash && tm_block_bytes(tm_block_length(word)) == tm_slot_bytes(page->slot) &&
           tm_block_codec(word) == tm_slot_type(page->slot) && tm_block_number(word) == page->number &&
           (word & (TM_BLOCK_SHARED | TM_BLOCK_DEFERRED)) == 0;
}

/* Writes the copy of a page that stays. */
static void copy_page(struct group *group, const struct tm_judged *page)
{
    struct tm_purge_run *purge = group->purge;
    struct move *move = &group->move[group->count];
    move->block = block_of(purge, page->slot);
    move->offset = tm_slot_offset(page->slot);
    move->slot = page->slot;
    if (!tm_heap_reserve(purge->heap, purge->lane, tm_block_length(move->block->word), purge->tier, &move->at)) {
        purge->out_of_room = true;
        tm_purge_keep(purge, move->block, move->offset, move->slot);
        return;
    }
    if ((page->slot & TM_SLOT_LISTED) != 0)
        tm_table_prefetch(&purge->store->contents[purge->arena], move->block->content_hash);
    tm_block_copy(purge->store, purge->arena, &move->at, move->block, group->hash, move->block->word);
    group->exchange[group->count++] = (struct tm_exchange){.number = page->number, .from = move->offset};
}

/* Copies the pages that stay: all of their headers, which are looked at first, and the next ones' bytes on their way
 * into the caches. */
static void copy_pages(struct group *group, const struct tm_judged *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        tm_prefetch(block_of(group->purge, pages[i].slot));
    for (unsigned i = 0; i < count && i < COPY_AHEAD; i++)
        prefetch_block(group->purge, pages[i].slot);
    for (unsigned i = 0; i < count; i++) {
        tm_slot slot = pages[i].slot;
        if (i + COPY_AHEAD < count)
            prefetch_block(group->purge, pages[i + COPY_AHEAD].slot);
        if (!group->purge->out_of_room && is_plain(group->purge, group->hash, &pages[i]))
            copy_page(group, &pages[i]);
        else
            tm_purge_keep(group->purge, block_of(group->purge, slot), tm_slot_offset(slot), slot);
    }
}

/* The table of contents, then the index: see tm_block_follow(). */
static void follow_pages(struct group *group)
{
    struct tm_store *store = group->purge->store;
    enum tm_arena_kind arena = group->purge->arena;
    for (unsigned i = 0; i < group->count; i++) {
        struct move *move = &group->move[i];
        bool was_listed = (move->slot & TM_SLOT_LISTED) != 0;
        move->is_listed = was_listed && tm_dedup_relist(store, arena, move->block->content_hash, move->offset,
                                                        move->at.offset);
        if (was_listed && !move->is_listed)
            tm_dedup_forget_damaged(store, arena, move->offset, tm_slot_bytes(move->slot));
        group->exchange[i].to = tm_slot_make(tm_slot_type(move->slot), tm_slot_bytes(move->slot), move->at.offset,
                                             move->is_listed);
    }
    store->owner.swap_chunk(store->owner.user, arena, group->hash, group->exchange, group->count);
}

/* Copies that nobody wants any more are undone; of the others the writer is done. */
static void finish_pages(struct group *group)
{
    struct tm_purge_run *purge = group->purge;
    for (unsigned i = 0; i < group->count; i++) {
        const struct move *move = &group->move[i];
        if (group->exchange[i].is_done) {
            tm_segment_writer_done(purge->store, purge->arena, move->at.segment);
            purge->copied_bytes += tm_slot_bytes(move->slot);
            continue;
        }
        if (move->is_listed)
            (void)tm_dedup_unlist(purge->store, purge->arena, move->block->content_hash, move->at.offset);
        tm_heap_unreserve(purge->heap, &move->at, tm_block_length(move->block->word));
    }
}

/* Does with the chunk's pages what is to be done. Answers where the last of them ends, in bytes from @begin. */
static uint32_t take_chunk(struct tm_purge_run *purge, uint32_t hash, uint64_t begin, uint64_t end)
{
    struct tm_store *store = purge->store;
    struct tm_judged pages[TM_JUDGED_MAX];
    tm_slot dropped[TM_JUDGED_MAX];
    struct group group = {.purge = purge, .hash = hash};
    unsigned kept_count = 0;
    unsigned dropped_count = 0;
    uint64_t last = begin;
    unsigned count = store->owner.judge_chunk(store->owner.user, purge->arena, hash, begin, end, purge->why, pages);
    for (unsigned i = 0; i < count; i++) {
        last = tm_max_u64(last, tm_slot_offset(pages[i].slot) + tm_slot_bytes(pages[i].slot) / TM_GRANULE_BYTES);
        if (pages[i].is_kept)
            pages[kept_count++] = pages[i];
        else
            dropped[dropped_count++] = pages[i].slot;
    }
    if (dropped_count != 0)
        tm_slots_release(store, purge->arena, dropped, dropped_count);
    purge->dropped += dropped_count;
    if (kept_count != 0) {
        copy_pages(&group, pages, kept_count);
        follow_pages(&group);
        finish_pages(&group);
    }
    return (uint32_t)(last - begin) * TM_GRANULE_BYTES;
}

bool tm_purge_sweep(struct tm_purge_run *purge)
{
    struct tm_store *store = purge->store;
    const struct tm_arena *arena = &store->arena[purge->arena];
    const struct tm_segment *segment = tm_segment_at(arena, purge->segment);
    uint64_t begin = tm_segment_offset(arena, purge->segment);
    uint64_t end = begin + segment->bytes / TM_GRANULE_BYTES;
    const struct tm_block *block;
    uint32_t bytes;
    if (store->owner.judge_chunk == NULL)
        return false;
    for (uint32_t at = 0; !purge->out_of_room && (bytes = tm_purge_look(purge, segment, at, &block)) != 0;) {
        at += bytes;
        bool is_written = tm_block_codec(block->word) != TM_CODEC_NONE &&
                          tm_block_generation(block->word) == segment->generation;
        if (is_written && (block->word & TM_BLOCK_SHARED) == 0)
            at = (uint32_t)tm_max_u64(at, take_chunk(purge, block->hash, begin, end));
        else if (is_written)
            (void)tm_purge_block(purge, block, begin + (at - bytes) / TM_GRANULE_BYTES);
        if (tm_load_acquire(&segment->use) == purge->copied_bytes)
            break; /* nothing else is alive */
    }
    tm_purge_settle(purge);
    return tm_load_acquire(&segment->use) == 0;
}
