/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c - making and ending a store, its limits, its figures, and the books between its parts. */
#include "base/mix.h"
#include "store/store_internal.h"

#define MIB (UINT64_C(1) << 20)

void *tm_store_alloc(struct tm_store *store, size_t bytes)
{
    void *memory = store->host.alloc(store->host.user, bytes);
    if (memory != NULL)
        tm_fetch_add_relaxed(&store->metadata_bytes, bytes);
    return memory;
}

void tm_store_free(struct tm_store *store, void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    tm_fetch_sub_relaxed(&store->metadata_bytes, bytes);
    store->host.free(store->host.user, memory, bytes);
}

/* ---- making and ending ---- */

static enum tm_create init_arenas(struct tm_store *store)
{
    enum tm_create result = TM_CREATE_OK;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        enum tm_create made = tm_arena_init(&store->arena[kind], store, (enum tm_arena_kind)kind);
        if (made != TM_CREATE_OK && made != TM_CREATE_FOUND)
            return made;
        if (made == TM_CREATE_FOUND)
            result = made;
    }
    return result;
}

static void fini_store(struct tm_store *store)
{
    struct tm_host host = store->host;
    tm_heaps_fini(store);
    tm_workers_fini(store);
    tm_cold_fini(store);
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        tm_table_fini(&store->contents[kind]);
        tm_arena_fini(&store->arena[kind]);
    }
    host.free(host.user, store, sizeof *store);
}

enum tm_create tm_store_create(const struct tm_host *host, const struct tm_codec *codec, const struct tm_owner *owner,
                               const struct tm_store_config *config, struct tm_store **result)
{
    struct tm_store *store = host->alloc(host->user, sizeof *store);
    if (store == NULL)
        return TM_CREATE_NOMEM;
    TM_MAGIC_SET(store, TM_STORE_MAGIC);
    store->host = *host;
    store->codec = *codec;
    store->owner = *owner;
    store->config = *config;
    store->config.defer = config->defer && codec->encodes != TM_CODEC_RAW;
    store->size_bytes = config->size_bytes;
    store->metadata_bytes = sizeof *store;
    store->heaps_next = 1;
    enum tm_create created = init_arenas(store);
    if (created == TM_CREATE_OK || created == TM_CREATE_FOUND) {
        store->check_seed = tm_scramble(store->arena[TM_ARENA_PERSISTENT].header->seeds[0]);
        if (!tm_contents_init(store) || !tm_workers_init(store))
            created = TM_CREATE_NOMEM;
    }
    if (created == TM_CREATE_FOUND) {
        struct tm_arena *arena = &store->arena[TM_ARENA_PERSISTENT];
        store->adopting = true;
        if (tm_rebuild_examine(arena)) {
            tm_arena_rebuild(arena);
            tm_rebuild_begin(store);
        } else {
            created = TM_CREATE_CORRUPT;
        }
    }
    if (created == TM_CREATE_OK || created == TM_CREATE_FOUND)
        *result = store;
    else
        fini_store(store);
    return created;
}

void tm_store_destroy(struct tm_store *store)
{
    TM_MAGIC_END(store, TM_STORE_MAGIC);
    fini_store(store);
}

const uint64_t *tm_store_seeds(const struct tm_store *store)
{
    return store->arena[TM_ARENA_PERSISTENT].header->seeds;
}

uint64_t tm_store_next_serial(struct tm_store *store)
{
    return tm_fetch_add(&store->arena[TM_ARENA_PERSISTENT].header->serial, 1u) + 1u;
}

void tm_store_note_serial(struct tm_store *store, uint64_t serial)
{
    uint64_t *last = &store->arena[TM_ARENA_PERSISTENT].header->serial;
    TM_ASSERT(store->adopting);
    if (*last < serial && serial < UINT64_MAX / 2u) /* so many were never given */
        *last = serial;
}

/* ---- limits ---- */

uint64_t tm_store_size(const struct tm_store *store)
{
    return tm_load_relaxed(&store->size_bytes);
}

void tm_store_set_size(struct tm_store *store, uint64_t size_bytes)
{
    tm_store_release(&store->size_bytes, size_bytes);
}

/* The size may be exceeded by 2 % or 8 MiB, whichever is more: an eighth of that at a time. */
static uint64_t size_and_eighths(const struct tm_store *store, unsigned eighths)
{
    uint64_t size = tm_store_size(store);
    return size + tm_max_u64(size / 50u, 8u * MIB) / 8u * eighths;
}

/*
 * At a full store, replacing pages leaves dead bytes everywhere, a few in each segment. Copying segments together
 * turns them into free ones, if it has room to begin with; so there are two steps above the size, and what a step
 * may use is not what the next one needs. The last eighth is left for what is counted late.
 */
uint64_t tm_store_limit(const struct tm_store *store, enum tm_tier tier)
{
    static const unsigned eighths[] = {
        [TM_TIER_NORMAL] = 0, [TM_TIER_REPLACE] = 5, [TM_TIER_COPY] = 7, [TM_TIER_MOVE] = 7};
    return size_and_eighths(store, eighths[tier]);
}

uint64_t tm_store_use_limit(const struct tm_store *store, enum tm_tier tier)
{
    static const unsigned eighths[] = {
        [TM_TIER_NORMAL] = 0, [TM_TIER_REPLACE] = 4, [TM_TIER_COPY] = 6, [TM_TIER_MOVE] = 6};
    return size_and_eighths(store, eighths[tier]);
}

uint64_t tm_store_metadata(const struct tm_store *store)
{
    uint64_t bytes = tm_load_relaxed(&store->metadata_bytes);
    for (unsigned i = 0; i < TM_STORE_TABLES; i++)
        if (store->tables[i] != NULL)
            bytes += tm_load_relaxed(&store->tables[i]->bytes);
    return bytes;
}

uint64_t tm_store_resident(const struct tm_store *store)
{
    return tm_load_relaxed(&store->span_bytes_resident) + tm_store_metadata(store);
}

uint64_t tm_store_returned(const struct tm_store *store)
{
    return tm_load_relaxed(&store->returned_bytes);
}

bool tm_store_has_room(const struct tm_store *store)
{
    uint64_t ready = 0; /* resident, but not used yet */
    for (unsigned kind = 0; kind < TM_ARENAS; kind++)
        ready += tm_load_relaxed(&store->arena[kind].ready.count);
    return tm_store_resident(store) + store->host.span_bytes <= tm_store_size(store) + ready * store->host.span_bytes;
}

void tm_store_add_metadata(struct tm_store *store, int64_t bytes)
{
    tm_fetch_add_relaxed(&store->metadata_bytes, (uint64_t)bytes);
}

void tm_store_add_table(struct tm_store *store, const struct tm_table *table)
{
    unsigned number = 0;
    while (number < TM_STORE_TABLES - 1u && store->tables[number] != NULL)
        number++;
    TM_ASSERT(store->tables[number] == NULL);
    store->tables[number] = table;
}

/* Pages wait raw only while an eighth of the size is free, and in a quarter of it at most. */
bool tm_store_may_defer(const struct tm_store *store)
{
    if (!store->config.defer)
        return false;
    uint64_t size = tm_store_size(store);
    uint64_t use = tm_load_relaxed(&store->segment_bytes) + tm_store_metadata(store);
    return use < size - size / 8u && tm_load_relaxed(&store->deferred_bytes) < size / 4u;
}

bool tm_store_has_open_deferred(const struct tm_store *store)
{
    return tm_load_relaxed(&store->deferred_open) != 0;
}

bool tm_store_is_tight(const struct tm_store *store)
{
    uint64_t two_segments = (uint64_t)store->host.span_bytes / TM_SPAN_UNITS * 8u;
    uint64_t use = tm_load_relaxed(&store->segment_bytes) + tm_store_metadata(store);
    return use + two_segments > tm_store_use_limit(store, TM_TIER_NORMAL);
}

/* ---- spans ahead of use ---- */

void tm_store_hurry(const struct tm_store *store)
{
    void (*call)(void *user) = store->host.hurry != NULL ? store->host.hurry : store->host.kick;
    if (call != NULL)
        call(store->host.user);
}

/* An arena that has not grown for so long gives its ready spans back. */
#define AHEAD_NS UINT64_C(500000000)

bool tm_store_prepare(struct tm_store *store, bool *later)
{
    bool worked = false;
    *later = false;
    if (!store->config.ahead)
        return false;
    uint64_t now = store->host.clock_ns(store->host.user);
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_arena *arena = &store->arena[kind];
        uint64_t grown = tm_load_relaxed(&arena->grown_ns);
        bool grows = grown != 0 && now - grown < AHEAD_NS;
        worked = (grows ? tm_arena_prepare(arena) : tm_arena_unprepare(arena)) || worked;
        worked = tm_table_grow_ahead(&store->contents[kind]) || worked;
        *later = *later || tm_load_relaxed(&arena->ready.count) != 0;
    }
    return worked;
}

bool tm_store_unprepare(struct tm_store *store)
{
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_arena *arena = &store->arena[kind];
        if (tm_arena_unprepare(arena)) {
            tm_store_relaxed(&arena->grown_ns, UINT64_C(0)); /* or the next one would be committed at once */
            return true;
        }
    }
    return false;
}

/* ---- figures ---- */

void tm_count_blocks(struct tm_store *store, unsigned codec, int blocks, int64_t bytes)
{
    unsigned shard = store->host.thread_number(store->host.user) % TM_COUNT_SHARDS;
    tm_fetch_add_relaxed(&store->counts[shard].blocks[codec], (uint64_t)(int64_t)blocks);
    if (codec == (unsigned)store->codec.cold_encodes)
        tm_fetch_add_relaxed(&store->counts[shard].cold_bytes, (uint64_t)bytes);
}

static uint64_t blocks_of(const struct tm_store *store, unsigned codec)
{
    uint64_t blocks = tm_workers_blocks(store, codec);
    for (unsigned shard = 0; shard < TM_COUNT_SHARDS; shard++)
        blocks += tm_load_relaxed(&store->counts[shard].blocks[codec]);
    return blocks;
}

uint64_t tm_store_blocks(const struct tm_store *store)
{
    uint64_t blocks = 0;
    for (unsigned codec = 0; codec < TM_CODEC_IDS; codec++)
        blocks += blocks_of(store, codec);
    return blocks;
}

uint64_t tm_store_gain(struct tm_store *store)
{
    uint64_t used = tm_load_relaxed(&store->records_bytes);
    uint32_t last = tm_load_acquire(&store->heaps_next);
    for (uint32_t number = 1; number < last; number++)
        used += tm_heap_live_bytes(tm_heap_at(store, number));
    uint64_t resident = tm_load_relaxed(&store->span_bytes_resident);
    return resident > used ? resident - used : 0;
}

/* Adds up heap by heap; a heap that comes or goes meanwhile may be missing. */
static void add_heaps(struct tm_store *store, struct tm_store_figures *out)
{
    uint32_t last = tm_load_acquire(&store->heaps_next);
    for (uint32_t number = 1; number < last; number++) {
        struct tm_heap *heap = tm_heap_at(store, number);
        uint64_t bytes = tm_heap_segment_bytes(heap);
        uint64_t live = tm_heap_live_bytes(heap);
        out->block_bytes += live;
        out->dead_bytes += bytes > live ? bytes - live : 0;
    }
}

/* By codec. What has neither a fixed length nor a count of its own takes what is left. */
static void add_codecs(const struct tm_store *store, struct tm_store_figures *out)
{
    unsigned cold = store->codec.cold_encodes;
    uint64_t rest = out->block_bytes;
    for (unsigned codec = TM_CODEC_SAME; codec < TM_CODEC_IDS; codec++) {
        uint64_t blocks = blocks_of(store, codec);
        uint64_t bytes = 0;
        if (codec == TM_CODEC_SAME)
            bytes = blocks * tm_block_bytes(sizeof(uint64_t));
        else if (codec == TM_CODEC_RAW)
            bytes = blocks * tm_block_bytes(TM_PAGE_BYTES);
        for (unsigned shard = 0; shard < TM_COUNT_SHARDS && codec == cold; shard++)
            bytes += tm_load_relaxed(&store->counts[shard].cold_bytes);
        out->codec_blocks[codec] = blocks;
        out->codec_bytes[codec] = bytes;
        rest -= tm_min_u64(rest, bytes);
    }
    if (store->codec.encodes != TM_CODEC_RAW)
        out->codec_bytes[store->codec.encodes] = rest;
}

void tm_store_figures(struct tm_store *store, struct tm_store_figures *out)
{
    memset(out, 0, sizeof *out);
    out->size_bytes = tm_store_size(store);
    out->resident_bytes = tm_store_resident(store);
    out->metadata_bytes = tm_store_metadata(store) + tm_load_relaxed(&store->records_bytes);
    out->span_bytes = store->host.span_bytes;
    out->spans = tm_load_relaxed(&store->span_bytes_resident) / store->host.span_bytes;
    out->returned_bytes = tm_load_relaxed(&store->returned_bytes);
    out->blocks_raw = blocks_of(store, TM_CODEC_RAW);
    for (unsigned codec = TM_CODEC_RAW + 1u; codec < TM_CODEC_IDS; codec++)
        out->blocks_compressed += blocks_of(store, codec);
    out->contents_shared = tm_load_relaxed(&store->contents_shared);
    out->evicted_segments = tm_load_relaxed(&store->evicted_segments);
    out->cleaned_segments = tm_load_relaxed(&store->cleaned_segments);
    out->cleaned_bytes = tm_load_relaxed(&store->cleaned_bytes);
    out->corrupt_blocks = tm_load_relaxed(&store->corrupt_blocks);
    out->deferred_bytes = tm_load_relaxed(&store->deferred_bytes);
    out->cold_codec = store->codec.cold_encodes;
    out->cooled_pages = tm_load_relaxed(&store->cold.cooled_pages);
    out->cooled_saved_bytes = tm_load_relaxed(&store->cold.saved_bytes);
    out->warmed_pages = tm_load_relaxed(&store->cold.warmed_pages);
    add_heaps(store, out);
    add_codecs(store, out);
}

/* ---- invariants ---- */

/* Bytes of segments, as they are found. */
struct segments_found {
    uint64_t bytes, deferred_bytes, deferred_open;
};

/* Segments in use by state, against what heaps, waiting list and records say. */
static void check_segments(struct tm_store *store, unsigned kind, uint64_t heap_bytes, struct segments_found *found)
{
    struct tm_arena *arena = &store->arena[kind];
    uint64_t data_bytes = 0;
    uint32_t waiting = 0;
    uint64_t last = (uint64_t)arena->next_span * TM_SPAN_UNITS;
    for (uint64_t unit = (uint64_t)arena->head_spans * TM_SPAN_UNITS; unit < last; unit++) {
        const struct tm_segment *segment = tm_segment_at(arena, (uint32_t)unit);
        if (segment->state != TM_SEGMENT_FREE)
            found->bytes += segment->bytes;
        if (segment->state == TM_SEGMENT_OPEN || segment->state == TM_SEGMENT_SEALED ||
            segment->state == TM_SEGMENT_PURGING)
            data_bytes += segment->bytes;
        if (segment->state == TM_SEGMENT_WAITING)
            waiting++;
        if (segment->state == TM_SEGMENT_OPEN)
            found->deferred_open += segment->is_deferred;
        if (segment->state == TM_SEGMENT_SEALED && segment->is_deferred != 0)
            found->deferred_bytes += segment->bytes;
    }
    TM_ASSERT(data_bytes == heap_bytes);
    TM_ASSERT(waiting == store->waiting[kind].count);
}

void tm_store_check(struct tm_store *store)
{
    uint64_t heap_bytes[TM_ARENAS] = {0, 0};
    uint64_t spans = 0;
    struct segments_found found = {0, 0, 0};
    TM_MAGIC_CHECK(store, TM_STORE_MAGIC);
    TM_ASSERT(!store->adopting);
    for (uint32_t number = 1; number < store->heaps_next; number++) {
        struct tm_heap *heap = tm_heap_at(store, number);
        if (heap->magic != TM_HEAP_MAGIC) /* it ended, and waits for the next */
            continue;
        tm_heap_check(heap);
        heap_bytes[heap->kind] += heap->segment_bytes;
    }
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        tm_arena_check(&store->arena[kind]);
        tm_table_check(&store->contents[kind]);
        check_segments(store, kind, heap_bytes[kind], &found);
        spans += store->arena[kind].in_use + store->arena[kind].ready.count;
    }
    tm_records_check(store);
    TM_ASSERT(found.bytes == store->segment_bytes);
    TM_ASSERT(found.deferred_bytes == store->deferred_bytes && found.deferred_open == store->deferred_open);
    TM_ASSERT(store->span_bytes_resident == spans * store->host.span_bytes);
    tm_workers_check(store);
}
