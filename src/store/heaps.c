/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heaps.c - which heaps there are: each has a number, by which segments name it.
 *
 * A heap that ended keeps its memory and its number for the next of its kind.
 */
#include "store/store_internal.h"

/* Takes a heap of the kind that ended, or NULL. */
static struct tm_heap *reuse_heap(struct tm_store *store, enum tm_arena_kind kind)
{
    struct tm_heap *heap = NULL;
    tm_lock_acquire(&store->heaps_lock, TM_LOCK_record_class);
    if (store->heaps_free[kind] != 0) {
        heap = tm_heap_at(store, store->heaps_free[kind]);
        TM_ASSERT(heap != NULL);
        store->heaps_free[kind] = heap->next_free;
    }
    tm_lock_release(&store->heaps_lock, TM_LOCK_record_class);
    return heap;
}

/* Enters a new heap under the next number. Number 0 is not used: it is what fresh units carry. */
static bool number_heap(struct tm_store *store, struct tm_heap *heap)
{
    size_t bytes = TM_HEAP_DIRECTORY * sizeof(struct tm_heap *);
    struct tm_heap **spare = tm_store_alloc(store, bytes);
    bool done = false;
    tm_lock_acquire(&store->heaps_lock, TM_LOCK_record_class);
    uint32_t number = store->heaps_next;
    uint32_t high = number / TM_HEAP_DIRECTORY;
    if (high < TM_HEAP_DIRECTORY) {
        if (store->heaps[high] == NULL) {
            tm_store_release(&store->heaps[high], spare);
            spare = NULL;
        }
        if (store->heaps[high] != NULL) {
            heap->number = number;
            tm_store_release(&store->heaps[high][number % TM_HEAP_DIRECTORY], heap);
            tm_store_release(&store->heaps_next, number + 1u); /* whoever sees it finds the heap */
            done = true;
        }
    }
    tm_lock_release(&store->heaps_lock, TM_LOCK_record_class);
    tm_store_free(store, spare, bytes);
    return done;
}

struct tm_heap *tm_heap_create(struct tm_store *store, enum tm_arena_kind arena, uint64_t domain)
{
    struct tm_heap *heap = reuse_heap(store, arena);
    if (heap == NULL) {
        heap = tm_store_alloc(store, sizeof *heap);
        if (heap == NULL)
            return NULL;
        heap->store = store;
        heap->kind = arena;
        if (!number_heap(store, heap)) {
            tm_store_free(store, heap, sizeof *heap);
            return NULL;
        }
    }
    heap->domain = domain;
    heap->stamp = (uint32_t)tm_store_next_serial(store);
    TM_MAGIC_SET(heap, TM_HEAP_MAGIC);
    return heap;
}

/*
 * The memory stays, for the next heap: a thread that freed the heap's last block may be about to take
 * its lock, to see whether the segment is empty. It then finds that the segment is not this heap's.
 */
void tm_heap_destroy(struct tm_heap *heap)
{
    struct tm_store *store = heap->store;
    TM_MAGIC_CHECK(heap, TM_HEAP_MAGIC);
    tm_heap_seal(heap);
    for (unsigned attempt = 0; !tm_lock_try(&heap->purge_lock); attempt++) /* somebody counts its bytes */
        tm_platform_wait(attempt);
    uint32_t begun = heap->purge_segment;
    heap->purge_segment = 0;
    tm_lock_release_tried(&heap->purge_lock);
    if (begun != 0) /* by a put that is done; nothing in it is alive any more */
        tm_heap_end_purge(heap, begun, false);
    /* Somebody may still be taking a segment apart: it finds nothing alive and lets go. But first it may open one
     * more, for a copy of what was alive when it looked. */
    for (unsigned attempt = 0; tm_load_acquire(&heap->segment_bytes) != 0; attempt++) {
        tm_heap_seal(heap);
        tm_platform_wait(attempt);
    }
    TM_MAGIC_END(heap, TM_HEAP_MAGIC);
    tm_lock_acquire(&store->heaps_lock, TM_LOCK_record_class);
    heap->next_free = store->heaps_free[heap->kind];
    store->heaps_free[heap->kind] = heap->number;
    tm_lock_release(&store->heaps_lock, TM_LOCK_record_class);
}

/* Frees the memory of all heaps, when the store ends. */
void tm_heaps_fini(struct tm_store *store)
{
    for (uint32_t high = 0; high < TM_HEAP_DIRECTORY; high++) {
        if (store->heaps[high] == NULL)
            continue;
        for (uint32_t low = 0; low < TM_HEAP_DIRECTORY; low++)
            if (store->heaps[high][low] != NULL)
                tm_store_free(store, store->heaps[high][low], sizeof(struct tm_heap));
        tm_store_free(store, store->heaps[high], TM_HEAP_DIRECTORY * sizeof(struct tm_heap *));
    }
}
