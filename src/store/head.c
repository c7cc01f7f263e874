/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * head.c - an arena's first spans: a header that says what format the rest has, and the units' descriptors.
 *
 * Of an arena that outlives its store nothing is believed before the header has been examined; what is not tmem's, or
 * another version's, is left untouched.
 */
#include "base/mix.h"
#include "store/store_internal.h"

static uint64_t header_check(const struct tm_arena_header *header, uint32_t version)
{
    const uint64_t words[] = {TM_ARENA_MAGIC, (uint64_t)version << 32 | header->span_bytes,
                              header->arena_bytes, header->seeds[0],
                              header->seeds[1], header->seeds[2],
                              header->seeds[3]};
    uint64_t check = 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(words); i++)
        check = tm_scramble(check + words[i]);
    return check;
}

/* The spans that header and descriptors take. */
static uint32_t head_span_count(const struct tm_arena *arena)
{
    uint64_t bytes = TM_ARENA_HEADER_BYTES + (uint64_t)arena->span_count * TM_SPAN_UNITS * sizeof(struct tm_segment);
    return (uint32_t)((bytes + arena->span_bytes - 1u) / arena->span_bytes);
}

static void format_header(struct tm_arena *arena)
{
    struct tm_arena_header *header = arena->header;
    struct tm_host *host = &arena->store->host;
    header->version = TM_ARENA_VERSION;
    header->span_bytes = arena->span_bytes;
    header->arena_bytes = host->arena_bytes[arena->kind];
    for (unsigned i = 0; i < 4; i++)
        header->seeds[i] = host->random(host->user);
    header->serial = 0;
    header->next_span = arena->next_span;
    /* The magic comes last: whoever is killed in here leaves an arena that is still a fresh one. */
    header->check = header_check(header, TM_ARENA_VERSION);
    tm_crash_barrier();
    tm_store_release(&header->magic, TM_ARENA_MAGIC);
}

/* Whoever is killed in tm_arena_upgrade() leaves the check of this version with the number of the one before. */
static bool check_fits(const struct tm_arena_header *header)
{
    return header->check == header_check(header, header->version) ||
           header->check == header_check(header, TM_ARENA_VERSION);
}

/* Looks at what an arena that outlives its store holds. */
static enum tm_create examine_header(const struct tm_arena *arena)
{
    const struct tm_arena_header *header = arena->header;
    if (header->magic == 0)
        return TM_CREATE_OK;
    if (header->magic != TM_ARENA_MAGIC)
        return TM_CREATE_CORRUPT;
    if (header->version < TM_ARENA_VERSION_OLDEST || header->version > TM_ARENA_VERSION)
        return TM_CREATE_VERSION;
    if (!check_fits(header))
        return TM_CREATE_CORRUPT;
    bool fits = header->span_bytes == arena->span_bytes && header->arena_bytes >= header->span_bytes &&
                header->arena_bytes <= arena->store->host.arena_bytes[arena->kind];
    return fits ? TM_CREATE_FOUND : TM_CREATE_VERSION;
}

/* How far the head reaches depends on the length, so an arena keeps the one that it was formatted with. */
static void set_length(struct tm_arena *arena, uint64_t bytes)
{
    arena->span_count = (uint32_t)(bytes / arena->span_bytes);
    arena->head_spans = head_span_count(arena);
    arena->next_span = arena->head_spans;
}

enum tm_create tm_arena_init(struct tm_arena *arena, struct tm_store *store, enum tm_arena_kind kind)
{
    const struct tm_host *host = &store->host;
    arena->store = store;
    arena->kind = kind;
    arena->base = host->arena_base[kind];
    arena->span_bytes = host->span_bytes;
    arena->unit_bytes = host->span_bytes / TM_SPAN_UNITS;
    arena->unit_shift = tm_log2(arena->unit_bytes / TM_GRANULE_BYTES);
    arena->header = (struct tm_arena_header *)(void *)arena->base;
    arena->segments = (struct tm_segment *)(void *)(arena->base + TM_ARENA_HEADER_BYTES);
    bool survives = kind == TM_ARENA_PERSISTENT && host->persistent_survives;
    enum tm_create result = survives ? examine_header(arena) : TM_CREATE_OK;
    if (result != TM_CREATE_OK && result != TM_CREATE_FOUND)
        return result;
    set_length(arena, result == TM_CREATE_FOUND ? arena->header->arena_bytes : host->arena_bytes[kind]);
    if (arena->span_count <= arena->head_spans)
        return TM_CREATE_NOMEM;
    arena->spans_bytes = (uint64_t)arena->span_count * sizeof(struct tm_span);
    arena->spans = host->alloc(host->user, (size_t)arena->spans_bytes);
    if (arena->spans == NULL)
        return TM_CREATE_NOMEM;
    if (result == TM_CREATE_OK)
        format_header(arena);
    tm_store_add_metadata(store, TM_ARENA_HEADER_BYTES);
    return result;
}

/* Gives all memory back, but for an arena that shall outlive the store. */
void tm_arena_fini(struct tm_arena *arena)
{
    struct tm_store *store = arena->store;
    if (arena->spans == NULL)
        return;
    bool survives = arena->kind == TM_ARENA_PERSISTENT && store->host.persistent_survives;
    for (uint32_t span = arena->head_spans; span < arena->next_span && !survives; span++)
        if (arena->spans[span].state == TM_SPAN_IN_USE || arena->spans[span].state == TM_SPAN_READY)
            store->host.span_release(store->host.user, arena->kind, span);
    store->host.free(store->host.user, arena->spans, (size_t)arena->spans_bytes);
    arena->spans = NULL;
}

bool tm_arena_head_is_whole(const struct tm_arena *arena)
{
    return check_fits(arena->header);
}

void tm_arena_upgrade(struct tm_arena *arena)
{
    struct tm_arena_header *header = arena->header;
    tm_store_release(&header->check, header_check(header, TM_ARENA_VERSION));
    tm_store_release(&header->version, TM_ARENA_VERSION);
}
