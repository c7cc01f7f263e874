/* SPDX-License-Identifier: BSD-2-Clause */
/* worker.c - what an operation under way needs for itself, and the hazards that protect what it reads. */
#include "store/store_internal.h"

#define BLOCK_ROOM ((uint32_t)sizeof(struct tm_block) + TM_PAGE_BYTES)

static struct tm_worker *worker_at(const struct tm_store *store, unsigned number)
{
    return (struct tm_worker *)(void *)((unsigned char *)store->workers + number * store->worker_stride);
}

bool tm_workers_init(struct tm_store *store)
{
    size_t context = (size_t)tm_round_up(store->codec.context_bytes, TM_CACHE_LINE);
    size_t block = (size_t)tm_round_up(BLOCK_ROOM, TM_CACHE_LINE);
    store->worker_count = store->host.workers;
    store->worker_stride = sizeof(struct tm_worker) + context + 2u * TM_PAGE_BYTES + block;
    store->workers_bytes = (uint64_t)store->worker_stride * store->worker_count;
    store->workers = store->host.alloc(store->host.user, (size_t)store->workers_bytes);
    if (store->workers == NULL)
        return false;
    /* What no page of this store's codec ever touches does not become resident. */
    size_t untouched = store->codec.touched_bytes != 0 ? store->codec.context_bytes - store->codec.touched_bytes : 0;
    tm_store_add_metadata(store, (int64_t)(store->workers_bytes - (uint64_t)untouched * store->worker_count));
    for (unsigned i = 0; i < store->worker_count; i++) {
        struct tm_worker *worker = worker_at(store, i);
        unsigned char *memory = (unsigned char *)(worker + 1);
        worker->number = i;
        worker->body = memory;
        worker->page = memory + TM_PAGE_BYTES;
        worker->block = memory + 2u * TM_PAGE_BYTES;
        worker->context = worker->block + block;
        if (!store->codec.context_init(&store->codec, worker->context))
            return false;
    }
    return true;
}

void tm_workers_fini(struct tm_store *store)
{
    if (store->workers != NULL)
        store->host.free(store->host.user, store->workers, (size_t)store->workers_bytes);
    store->workers = NULL;
}

struct tm_worker *tm_worker_acquire(struct tm_store *store)
{
    unsigned first = store->host.thread_number(store->host.user) % store->worker_count;
    for (unsigned attempt = 0;; attempt++) {
        for (unsigned i = 0; i < store->worker_count; i++) {
            unsigned number = first + i < store->worker_count ? first + i : first + i - store->worker_count;
            struct tm_worker *worker = worker_at(store, number);
            if (tm_load_relaxed(&worker->busy) == 0 && tm_exchange(&worker->busy, 1u) == 0)
                return worker;
        }
        tm_platform_wait(attempt);
    }
}

void tm_worker_release(struct tm_store *store, struct tm_worker *worker)
{
    (void)store;
    tm_store_release(&worker->busy, 0u);
}

unsigned tm_worker_number(const struct tm_worker *worker)
{
    return worker->number;
}

uint64_t tm_workers_blocks(const struct tm_store *store, unsigned codec)
{
    uint64_t blocks = 0;
    for (unsigned i = 0; i < store->worker_count; i++)
        blocks += tm_load_relaxed(&worker_at(store, i)->blocks[codec]);
    return blocks;
}

/*
 * Why no fence is needed: a hazard is set under the lock that protects the reference to the block, while
 * the reference is there. Who frees a block has removed the reference under the same lock, and looks at
 * the hazards afterwards. So either it sees the hazard, or the reader did not find the reference.
 */
void tm_hazard_set(struct tm_worker *worker, unsigned hazard, enum tm_arena_kind arena, tm_slot slot, uint32_t hash)
{
    TM_ASSERT(hazard < TM_HAZARDS);
    TM_ASSERT(worker->hazard[hazard] == 0);
    worker->pinned[hazard] = slot;
    worker->pinned_hash[hazard] = hash;
    tm_store_release(&worker->hazard[hazard], tm_slot_offset(slot) << 1 | (uint64_t)arena);
}

bool tm_pin(struct tm_store *store, enum tm_arena_kind arena, struct tm_worker *worker, unsigned hazard, tm_slot slot)
{
    if (tm_slot_type(slot) == TM_SLOT_SHARED)
        return tm_content_pin(store, arena, worker, hazard, tm_slot_offset(slot));
    TM_ASSERT(tm_slot_is_block(slot));
    tm_hazard_set(worker, hazard, arena, slot, 0);
    return true;
}

bool tm_pinned_is(struct tm_store *store, enum tm_arena_kind arena, const struct tm_worker *worker, unsigned hazard,
                  tm_slot slot)
{
    TM_ASSERT(worker->hazard[hazard] != 0);
    if (tm_slot_type(slot) == TM_SLOT_SHARED)
        slot = tm_content_block(store, arena, tm_slot_offset(slot));
    return tm_slot_is_block(slot) && tm_slot_offset(slot) == worker->hazard[hazard] >> 1;
}

/* Release: all reads of the block come before. */
void tm_unpin(struct tm_worker *worker, unsigned hazard)
{
    TM_ASSERT(hazard < TM_HAZARDS);
    tm_store_release(&worker->hazard[hazard], UINT64_C(0));
}

void tm_workers_check(const struct tm_store *store)
{
    for (unsigned i = 0; i < store->worker_count; i++)
        for (unsigned k = 0; k < TM_HAZARDS; k++)
            TM_ASSERT(worker_at(store, i)->hazard[k] == 0);
}

bool tm_hazard_in(const struct tm_store *store, enum tm_arena_kind arena, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < store->worker_count; i++) {
        struct tm_worker *worker = worker_at(store, i);
        /* A worker that nobody holds has no hazards. Acquire: whoever held it has read what he was to read. */
        if (tm_load_acquire(&worker->busy) == 0)
            continue;
        for (unsigned k = 0; k < TM_HAZARDS; k++) {
            uint64_t hazard = tm_load_acquire(&worker->hazard[k]);
            if (hazard != 0 && (hazard & 1u) == (uint64_t)arena && hazard >> 1 >= from && hazard >> 1 < to)
                return true;
        }
    }
    return false;
}
