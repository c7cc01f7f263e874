/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dedup.c - equal pages of one heap share their bytes.
 *
 * The table of contents maps the hash of a page's bytes to a block, or to a content record once several
 * pages share it. The hash only proposes: bytes are always compared. At the first duplicate the block's
 * bytes move to a block of their own, which belongs to a content record with a count; the pages' slots
 * refer to the record. Only the table's entries and content records need this file; to cleaning, checksums
 * and restarts a shared block is a block.
 *
 * A block is named in the table only while it is complete and its memory is not used again. So while a
 * bucket is locked, the header of a block that it names can be read.
 *
 * An ephemeral content may be evicted: its record then waits, without a slot, until the pages that refer to it
 * have noticed.
 */
#include "store/store_internal.h"

static struct tm_content *content_at(const struct tm_store *store, enum tm_arena_kind arena, uint64_t ref)
{
    return tm_record_at(store, arena, ref);
}

static const struct tm_block *block_at(const struct tm_store *store, enum tm_arena_kind arena, uint64_t offset)
{
    return (const struct tm_block *)(const void *)tm_arena_address(&store->arena[arena], offset);
}

static bool is_content(const struct tm_store *store, enum tm_arena_kind arena, uint64_t ref)
{
    const struct tm_arena *where = &store->arena[arena];
    return tm_segment_at(where, tm_segment_of(where, ref))->purpose == 1u + TM_RECORD_CONTENT;
}

/* ---- the table ---- */

/* What the table of contents asks when it grows: see struct tm_table_owner. Headers of many blocks come into the cache
 * together. */
static void content_hashes(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned count, uint32_t *hashes)
{
    struct tm_store *store = user;
    for (unsigned i = 0; i < count; i++)
        tm_prefetch(block_at(store, arena, refs[i]));
    for (unsigned i = 0; i < count; i++)
        hashes[i] = is_content(store, arena, refs[i]) ? content_at(store, arena, refs[i])->hash
                                                      : block_at(store, arena, refs[i])->content_hash;
}

bool tm_contents_init(struct tm_store *store)
{
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        const struct tm_table_owner owner = {store, (enum tm_arena_kind)kind, content_hashes};
        if (!tm_table_init(&store->contents[kind], &store->host, TM_LOCK_dedup_bucket, &owner))
            return false;
        store->contents[kind].patience = store->config.ahead ? 1u : 0;
        tm_store_add_table(store, &store->contents[kind]);
    }
    return true;
}

bool tm_dedup_list(struct tm_store *store, enum tm_arena_kind arena, uint32_t content_hash, uint64_t ref)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_bucket *bucket = tm_table_lock(table, content_hash);
    bool done = tm_table_insert(table, bucket, content_hash, ref);
    tm_table_unlock(table, bucket);
    tm_table_grow(table);
    return done;
}

bool tm_dedup_unlist(struct tm_store *store, enum tm_arena_kind arena, uint32_t content_hash, uint64_t ref)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_bucket *bucket = tm_table_lock(table, content_hash);
    bool done = tm_table_remove(table, bucket, content_hash, ref);
    tm_table_unlock(table, bucket);
    return done;
}

/* A walk over all of the table; but this is about damage, not about every page. */
void tm_dedup_forget_damaged(struct tm_store *store, enum tm_arena_kind arena, uint64_t offset, uint32_t bytes)
{
    struct tm_table *table = &store->contents[arena];
    uint32_t position = 0;
    if (tm_block_is_whole(store, arena, offset, bytes))
        return;
    do {
        struct tm_table_scan scan = {NULL, 0};
        uint32_t next;
        uint64_t ref;
        struct tm_bucket *bucket = tm_table_lock_position(table, position, &next);
        do
            ref = tm_table_next_any(table, bucket, &scan);
        while (ref != 0 && ref != offset);
        if (ref != 0)
            tm_table_remove_found(table, bucket, &scan);
        tm_table_unlock(table, bucket);
        position = ref != 0 ? 0 : next;
    } while (position != 0);
}

bool tm_dedup_relist(struct tm_store *store, enum tm_arena_kind arena, uint32_t content_hash, uint64_t from,
                     uint64_t to)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_bucket *bucket = tm_table_lock(table, content_hash);
    struct tm_table_scan scan = {NULL, 0};
    uint64_t ref;
    do
        ref = tm_table_next(table, bucket, content_hash, &scan);
    while (ref != 0 && ref != from);
    if (ref != 0)
        tm_table_replace(bucket, &scan, to);
    tm_table_unlock(table, bucket);
    return ref != 0;
}

/* ---- looking for a twin ---- */

/* Bucket locked: pins a content's block and takes a reference, if the content is of this heap. */
static bool find_content(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put, uint64_t ref)
{
    enum tm_arena_kind arena = put->heap->kind;
    struct tm_content *content = content_at(store, arena, ref);
    if (content->hash != put->content_hash || content->heap != put->heap->number)
        return false;
    content->references++;
    tm_hazard_set(worker, 0, arena, content->slot, content->hash);
    put->twin = TM_TWIN_CONTENT;
    put->twin_ref = ref;
    put->twin_bytes = tm_slot_bytes(content->slot);
    return true;
}

/* Bucket locked: notes a block of this heap, to be pinned through its owner. */
static bool find_block(struct tm_store *store, struct tm_page_put *put, uint64_t ref)
{
    struct tm_arena *arena = &store->arena[put->heap->kind];
    const struct tm_block *block = block_at(store, put->heap->kind, ref);
    if (block->content_hash != put->content_hash ||
        tm_segment_at(arena, tm_segment_of(arena, ref))->heap != put->heap->number)
        return false;
    uint64_t word = block->word;
    if (tm_block_length(word) > TM_PAGE_BYTES)
        return false;
    put->twin = TM_TWIN_BLOCK;
    put->twin_ref = ref;
    put->twin_hash = block->hash;
    put->twin_number = (uint8_t)tm_block_number(word);
    put->twin_bytes = tm_block_bytes(tm_block_length(word));
    return true;
}

/* The pinned twin is whole and its page the same. A damaged block must not become the new page's, even if its
 * bytes happen to agree. */
static bool is_equal(struct tm_store *store, struct tm_worker *worker, const struct tm_page_put *put)
{
    enum tm_arena_kind arena = put->heap->kind;
    uint64_t offset = worker->hazard[0] >> 1;
    const struct tm_block *block = block_at(store, arena, offset);
    bool is_shared = put->twin == TM_TWIN_CONTENT;
    if (!tm_block_verify(store, arena, offset, put->twin_bytes, is_shared ? put->content_hash : put->twin_hash,
                         is_shared ? 0 : put->twin_number, is_shared))
        return false;
    if (tm_block_codec(block->word) == TM_CODEC_RAW)
        return memcmp(block + 1, put->page, TM_PAGE_BYTES) == 0;
    return tm_block_decode(store, worker, block, worker->page) && memcmp(worker->page, put->page, TM_PAGE_BYTES) == 0;
}

/* Bucket locked: the first candidate, in put->twin... */
static void find_candidate(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put,
                           struct tm_bucket *bucket)
{
    enum tm_arena_kind arena = put->heap->kind;
    struct tm_table_scan scan = {NULL, 0};
    uint64_t ref;
    put->twin = TM_TWIN_NONE;
    while ((ref = tm_table_next(&store->contents[arena], bucket, put->content_hash, &scan)) != 0) {
        bool found =
            is_content(store, arena, ref) ? find_content(store, worker, put, ref) : find_block(store, put, ref);
        if (found)
            break;
    }
}

/* Keeps the candidate if it is an equal page: pinned at hazard 0, and so until the put is written or abandoned. */
static void check_candidate(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    enum tm_arena_kind arena = put->heap->kind;
    bool pinned = put->twin == TM_TWIN_CONTENT ||
                  store->owner.pin(store->owner.user, arena, put->twin_hash, put->twin_number, put->twin_ref, worker,
                                   0);
    if (pinned && is_equal(store, worker, put)) {
        put->bytes = put->twin_bytes;
        return;
    }
    if (pinned)
        tm_unpin(worker, 0);
    if (put->twin == TM_TWIN_CONTENT)
        tm_content_unref(store, arena, put->twin_ref);
    put->twin = TM_TWIN_NONE;
}

void tm_dedup_find(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    struct tm_table *table = &store->contents[put->heap->kind];
    struct tm_bucket *bucket = tm_table_lock(table, put->content_hash);
    find_candidate(store, worker, put, bucket);
    tm_table_unlock(table, bucket);
    if (put->twin != TM_TWIN_NONE)
        check_candidate(store, worker, put);
}

bool tm_dedup_find_or_list(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put, uint64_t ref)
{
    enum tm_arena_kind arena = put->heap->kind;
    struct tm_table *table = &store->contents[arena];
    struct tm_bucket *bucket = tm_table_lock(table, put->content_hash);
    find_candidate(store, worker, put, bucket);
    bool is_new = put->twin == TM_TWIN_NONE;
    bool listed = is_new && tm_table_insert(table, bucket, put->content_hash, ref);
    tm_table_unlock(table, bucket);
    if (is_new) {
        tm_table_grow(table);
        return listed;
    }
    check_candidate(store, worker, put);
    return put->twin == TM_TWIN_NONE && tm_dedup_list(store, arena, put->content_hash, ref);
}

/* ---- sharing ---- */

static tm_slot shared_slot(uint32_t bytes, uint64_t ref)
{
    return tm_slot_make(TM_SLOT_SHARED, bytes, ref, false);
}

/* Copies the pinned twin into a block of its own that belongs to content @ref. 0: no room. */
static tm_slot copy_twin(struct tm_store *store, struct tm_page_put *put, struct tm_reservation *at)
{
    enum tm_arena_kind arena = put->heap->kind;
    const struct tm_block *twin = block_at(store, arena, put->twin_ref);
    uint32_t length = tm_block_length(twin->word);
    if (!tm_heap_reserve(put->heap, 0, length, put->tier, at))
        return 0;
    unsigned codec = tm_block_codec(twin->word);
    uint64_t word = (uint64_t)codec << 19 | TM_BLOCK_SHARED | (twin->word & TM_BLOCK_DEFERRED) | length;
    if ((twin->word & TM_BLOCK_DEFERRED) != 0)
        tm_segment_defer(put->heap, at->segment);
    tm_block_copy(store, arena, at, twin, put->content_hash, word);
    return tm_slot_make(codec, tm_block_bytes(length), at->offset, true);
}

/* Puts the content in the table where its twin was, or anew if the twin has gone meanwhile. */
static bool enter_content(struct tm_store *store, struct tm_page_put *put, uint64_t ref)
{
    enum tm_arena_kind arena = put->heap->kind;
    return tm_dedup_relist(store, arena, put->content_hash, put->twin_ref, ref) ||
           tm_dedup_list(store, arena, put->content_hash, ref);
}

/* Makes a content of the twin's block. The new record has two references: this put's, and the twin's page's,
 * which is given back if that page has changed meanwhile. */
static enum tm_write share_block(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    enum tm_arena_kind arena = put->heap->kind;
    uint64_t ref = tm_record_alloc(store, arena, TM_RECORD_CONTENT, put->tier);
    struct tm_reservation at;
    tm_slot slot = ref == 0 ? 0 : copy_twin(store, put, &at);
    if (slot == 0) {
        if (ref != 0)
            tm_record_free(store, arena, ref);
        return TM_WRITE_NO_ROOM;
    }
    struct tm_content *content = content_at(store, arena, ref);
    content->references = 2;
    content->slot = slot;
    content->hash = put->content_hash;
    content->heap = put->heap->number;
    tm_store_release(&content->kind, TM_RECORD_LIVE(TM_RECORD_CONTENT));
    if (!enter_content(store, put, ref)) {
        tm_heap_unreserve(put->heap, &at, tm_block_length(block_at(store, arena, put->twin_ref)->word));
        tm_record_free(store, arena, ref);
        tm_unpin(worker, 0);
        put->twin = TM_TWIN_NONE;
        return TM_WRITE_CHANGED;
    }
    tm_segment_writer_done(store, arena, at.segment);
    tm_fetch_add_relaxed(&store->contents_shared, 1u);
    put->slot = shared_slot(put->bytes, ref);
    bool swapped =
        store->owner.swap(store->owner.user, arena, put->twin_hash, put->twin_number, put->twin_ref, put->slot);
    tm_unpin(worker, 0);
    if (swapped) {
        tm_block_free(store, arena, put->twin_ref, put->bytes);
    } else {
        tm_count_block(store, slot, 1); /* the twin was not replaced: there is one block more */
        tm_content_unref(store, arena, ref);
    }
    put->twin = TM_TWIN_NONE;
    return TM_WRITE_OK;
}

enum tm_write tm_dedup_share(struct tm_store *store, struct tm_worker *worker, struct tm_page_put *put)
{
    put->pinned_segment = 0;
    if (put->twin == TM_TWIN_BLOCK)
        return share_block(store, worker, put);
    tm_unpin(worker, 0);
    put->slot = shared_slot(put->bytes, put->twin_ref); /* with the reference taken when it was found */
    put->twin = TM_TWIN_NONE;
    return TM_WRITE_OK;
}

void tm_content_unref(struct tm_store *store, enum tm_arena_kind arena, uint64_t ref)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_content *content = content_at(store, arena, ref);
    uint32_t hash = content->hash; /* constant while we hold a reference */
    tm_slot slot = 0;
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    TM_ASSERT(content->references > 0);
    bool is_last = --content->references == 0;
    if (is_last) {
        slot = content->slot;
        content->slot = 0;
        if (slot != 0)
            tm_table_remove(table, bucket, hash, ref);
    }
    tm_table_unlock(table, bucket);
    if (!is_last)
        return;
    /* The record first: after a crash between the two, the block is merely dead. */
    tm_record_free(store, arena, ref);
    if (slot != 0) {
        tm_fetch_sub_relaxed(&store->contents_shared, 1u);
        tm_count_block(store, slot, -1);
        tm_block_free(store, arena, tm_slot_offset(slot), tm_slot_bytes(slot));
    }
}

bool tm_content_pin(struct tm_store *store, enum tm_arena_kind arena, struct tm_worker *worker, unsigned hazard,
                    uint64_t ref)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_content *content = content_at(store, arena, ref);
    struct tm_bucket *bucket = tm_table_lock(table, content->hash);
    tm_slot slot = content->slot;
    if (slot != 0) {
        tm_slot marks = arena == TM_ARENA_EPHEMERAL ? TM_SLOT_USED | TM_SLOT_WARM : TM_SLOT_WARM;
        if ((slot & marks) != marks)
            content->slot = slot | marks;
        /* What is pinned is known to be shared by its type. */
        tm_hazard_set(worker, hazard, arena, (slot & ~UINT64_C(15)) | TM_SLOT_SHARED, content->hash);
    }
    tm_table_unlock(table, bucket);
    return slot != 0;
}

tm_slot tm_content_block(struct tm_store *store, enum tm_arena_kind arena, uint64_t ref)
{
    struct tm_content *content = content_at(store, arena, ref);
    struct tm_bucket *bucket = tm_table_lock(&store->contents[arena], content->hash);
    tm_slot slot = content->slot;
    tm_table_unlock(&store->contents[arena], bucket);
    return slot;
}

/* ---- when segments are taken apart ---- */

/* Bucket locked: the content whose block is at @offset, or NULL. */
static struct tm_content *content_of_block(struct tm_store *store, enum tm_arena_kind arena, struct tm_bucket *bucket,
                                           uint32_t hash, uint64_t offset, uint64_t *ref)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_table_scan scan = {NULL, 0};
    while ((*ref = tm_table_next(table, bucket, hash, &scan)) != 0) {
        if (!is_content(store, arena, *ref))
            continue;
        struct tm_content *content = content_at(store, arena, *ref);
        if (tm_slot_offset(content->slot) == offset)
            return content;
    }
    return NULL;
}

enum tm_fate tm_content_judge(struct tm_store *store, enum tm_arena_kind arena, uint32_t hash, uint64_t offset,
                              enum tm_purge why, tm_slot *slot)
{
    struct tm_table *table = &store->contents[arena];
    struct tm_bucket *bucket = tm_table_lock(table, hash);
    uint64_t ref;
    struct tm_content *content = content_of_block(store, arena, bucket, hash, offset, &ref);
    enum tm_fate fate = TM_FATE_DEAD;
    if (content != NULL) {
        bool stays = why == TM_PURGE_CLEAN || why == TM_PURGE_COOL;
        bool keep = stays || (why != TM_PURGE_ALL && (content->slot & TM_SLOT_USED) != 0);
        fate = keep ? TM_FATE_KEEP : TM_FATE_DROPPED;
        *slot = content->slot & ~TM_SLOT_LISTED; /* the table names the content, not the block */
        if (!keep) {
            content->slot = 0;
            tm_table_remove(table, bucket, hash, ref);
            tm_fetch_sub_relaxed(&store->contents_shared, 1u);
        } else if (why != TM_PURGE_CLEAN) {
            content->slot &= why == TM_PURGE_COOL ? ~TM_SLOT_WARM : ~TM_SLOT_USED;
        }
    }
    tm_table_unlock(table, bucket);
    return fate;
}

bool tm_content_swap(struct tm_store *store, enum tm_arena_kind arena, uint32_t hash, uint64_t from, tm_slot to)
{
    struct tm_bucket *bucket = tm_table_lock(&store->contents[arena], hash);
    uint64_t ref;
    struct tm_content *content = content_of_block(store, arena, bucket, hash, from, &ref);
    if (content != NULL)
        tm_store_release(&content->slot, to | (content->slot & (TM_SLOT_USED | TM_SLOT_WARM)));
    tm_table_unlock(&store->contents[arena], bucket);
    return content != NULL;
}

/* ---- invariants ---- */

uint64_t tm_store_content_bytes(struct tm_store *store)
{
    uint64_t bytes = 0;
    uint64_t contents = 0;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_table *table = &store->contents[kind];
        uint32_t position = 0;
        do {
            uint64_t ref;
            struct tm_table_scan scan = {NULL, 0};
            uint32_t next;
            struct tm_bucket *bucket = tm_table_lock_position(table, position, &next);
            while ((ref = tm_table_next_any(table, bucket, &scan)) != 0) {
                if (!is_content(store, (enum tm_arena_kind)kind, ref))
                    continue;
                const struct tm_content *content = content_at(store, (enum tm_arena_kind)kind, ref);
                TM_ASSERT(content->kind == TM_RECORD_LIVE(TM_RECORD_CONTENT));
                TM_ASSERT(tm_table_is_bucket_of(table, bucket, content->hash));
                TM_ASSERT(content->references != 0);
                TM_ASSERT(content->slot != 0);
                bytes += tm_slot_bytes(content->slot);
                contents++;
            }
            tm_table_unlock(table, bucket);
            position = next;
        } while (position != 0);
    }
    TM_ASSERT(contents == store->contents_shared);
    return bytes;
}

/* ---- rebuilding ---- */

/* Counts start at 0; adopting the pages that refer to a content counts them again. */
static bool reset_content(void *user, uint64_t ref, void *record)
{
    struct tm_content *content = record;
    (void)user;
    (void)ref;
    content->references = 0;
    content->heap = 0;
    content->slot &= ~(TM_SLOT_USED | TM_SLOT_WARM);
    return true;
}

void tm_contents_reset(struct tm_store *store)
{
    tm_record_each(store, TM_RECORD_CONTENT, reset_content, NULL);
}

static bool free_if_unreferenced(void *user, uint64_t ref, void *record)
{
    struct tm_store *store = user;
    const struct tm_content *content = record;
    if (content->references == 0)
        tm_record_free(store, TM_ARENA_PERSISTENT, ref);
    return true;
}

void tm_contents_free_unreferenced(struct tm_store *store)
{
    tm_record_each(store, TM_RECORD_CONTENT, free_if_unreferenced, store);
}
