/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge.c - the store's questions about all pages of a chunk at once: one lock for what index.c answers page by page.
 */
#include "engine/index_internal.h"

/* The pages of a chunk that are judged, bucket locked. */
struct session {
    struct tm_engine *engine;
    struct tm_pool *pool;
    struct tm_chunk *chunk;
    tm_slot dropped[TM_CHUNK_PAGES];
    unsigned dropped_count;
    uint64_t dropped_bytes;
};

/* Judges one page. */
static void judge_page(struct session *session, unsigned at, uint32_t hash, enum tm_purge why, struct tm_judged *page)
{
    tm_slot *slot = &session->chunk->slot[at];
    page->number = (uint8_t)(session->chunk->first + at);
    page->is_kept = tm_index_stays(session->engine, session->pool->account, slot, hash, page->number, why);
    page->slot = *slot;
    if (page->is_kept)
        return;
    tm_store_release(slot, (tm_slot)0);
    session->chunk->count--;
    tm_dirty_note(session->pool, hash, session->chunk->id, session->chunk->number, UINT64_C(1) << page->number);
    session->dropped[session->dropped_count++] = page->slot;
    session->dropped_bytes += tm_slot_bytes(page->slot);
}

static unsigned judge_pages(struct session *session, uint32_t hash, uint64_t from, uint64_t to, enum tm_purge why,
                            struct tm_judged *pages)
{
    const struct tm_chunk *chunk = session->chunk;
    unsigned count = 0;
    session->pool = tm_pool_at(session->engine, chunk->pool);
    for (unsigned i = 0; i < chunk->pages; i++) {
        uint64_t offset = tm_slot_offset(chunk->slot[i]);
        if (tm_slot_is_block(chunk->slot[i]) && offset >= from && offset < to)
            judge_page(session, i, hash, why, &pages[count++]);
    }
    return count;
}

/* After the bucket is unlocked: the books of what was dropped. The pool is pinned until then. */
static void settle(struct session *session, const struct tm_object_id *id, uint32_t number, bool is_empty)
{
    struct tm_pool *pool = session->pool;
    tm_note_removed(pool, 0, session->dropped, session->dropped_count);
    tm_tally_add(pool, 0, TM_TALLY_EVICTED, session->dropped_count);
    tm_uncharge(pool, session->dropped_bytes);
    if (is_empty) {
        struct tm_place place;
        tm_place_init(&place, pool, id, TM_INDEX_OF_CHUNK(number));
        tm_index_reap(&place);
    }
    tm_pool_unpin(pool);
}

unsigned tm_index_judge_chunk(void *user, enum tm_arena_kind arena, uint32_t hash, uint64_t from, uint64_t to,
                              enum tm_purge why, struct tm_judged pages[TM_JUDGED_MAX])
{
    struct session session = {.engine = user};
    struct tm_table *table = &session.engine->index[arena];
    struct tm_table_scan scan = {NULL, 0};
    struct tm_object_id id = {{0, 0, 0}};
    unsigned count = 0;
    uint64_t ref;
    bool is_empty = false;
    uint32_t number = 0;
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    while (count == 0 && (ref = tm_table_next(table, bucket, hash, &scan)) != 0) {
        session.chunk = tm_record_at(session.engine->store, arena, ref);
        if (tm_is_chunk(session.chunk) && (uint32_t)tm_chunk_hash(session.engine, session.chunk) == hash)
            count = judge_pages(&session, hash, from, to, why, pages);
    }
    if (session.dropped_count != 0) {
        TM_ASSERT(arena == TM_ARENA_EPHEMERAL);
        tm_fetch_add(&session.pool->pins, 1u); /* see tm_index_judge() */
        memcpy(id.word, session.chunk->id, sizeof id.word);
        number = session.chunk->number;
        is_empty = session.chunk->count == 0;
    }
    tm_table_unlock(table, bucket);
    if (session.dropped_count != 0)
        settle(&session, &id, number, is_empty);
    return count;
}

void tm_index_swap_chunk(void *user, enum tm_arena_kind arena, uint32_t hash, struct tm_exchange *exchange,
                         unsigned count)
{
    struct tm_engine *engine = user;
    struct tm_table *table = &engine->index[arena];
    struct tm_table_scan scan = {NULL, 0};
    uint64_t ref;
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    while ((ref = tm_table_next(table, bucket, hash, &scan)) != 0) {
        struct tm_chunk *chunk = tm_record_at(engine->store, arena, ref);
        for (unsigned i = 0; i < count && tm_is_chunk(chunk); i++) {
            unsigned at = (unsigned)exchange[i].number - chunk->first;
            if (exchange[i].is_done || at >= chunk->pages)
                continue;
            tm_slot old = chunk->slot[at];
            if (!tm_slot_is_block(old) || tm_slot_offset(old) != exchange[i].from)
                continue;
            TM_ASSERT(tm_slot_bytes(old) == tm_slot_bytes(exchange[i].to));
            tm_store_release(&chunk->slot[at], exchange[i].to | (old & (TM_SLOT_USED | TM_SLOT_WARM)));
            exchange[i].is_done = true;
        }
    }
    tm_table_unlock(table, bucket);
}
