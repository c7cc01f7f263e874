/* SPDX-License-Identifier: BSD-2-Clause */
/* embedded_client.c - clients and pools of an engine in this process. */
#include <string.h>

#include "client/embedded.h"

TM_STATIC_ASSERT(TM_CLIENT_NAME_BYTES == TMEM_CLIENT_NAME_SIZE);
TM_STATIC_ASSERT((int)TM_POOL_PERSISTENT == (int)TMEM_POOL_PERSISTENT);
TM_STATIC_ASSERT((int)TM_POOL_SHARED == (int)TMEM_POOL_SHARED);
TM_STATIC_ASSERT(sizeof(struct tm_uuid) == sizeof(struct tmem_uuid));

/* ---- clients ---- */

enum tmem_result tm_embedded_client_create(struct tmem_store *store, const char *name,
                                           const struct tmem_client_options *options, struct tmem_client **client)
{
    struct tm_client *made;
    enum tm_result result =
        tm_client_create(tm_embedded_of(store)->engine, name, options->weight, options->cap_bytes, &made);
    if (result == TM_OK)
        *client = (struct tmem_client *)(void *)made;
    return tm_public(result);
}

enum tmem_result tm_embedded_client_open(struct tmem_store *store, const char *name, struct tmem_client **client)
{
    struct tm_client *found = tm_client_find(tm_embedded_of(store)->engine, name);
    if (found == NULL)
        return TMEM_NOT_FOUND;
    *client = (struct tmem_client *)(void *)found;
    return TMEM_OK;
}

void tm_embedded_client_destroy(struct tmem_client *client)
{
    tm_client_destroy(tm_client_of(client));
}

enum tmem_result tm_embedded_client_set_weight(struct tmem_client *client, uint32_t weight)
{
    return tm_public(tm_client_set_weight(tm_client_of(client), weight));
}

enum tmem_result tm_embedded_client_set_cap(struct tmem_client *client, uint64_t cap_bytes)
{
    tm_client_set_cap(tm_client_of(client), cap_bytes);
    return TMEM_OK;
}

enum tmem_result tm_embedded_client_reclaim(struct tmem_client *client, uint64_t bytes, uint64_t *released_bytes)
{
    *released_bytes = tm_client_reclaim(tm_client_of(client), bytes);
    return TMEM_OK;
}

enum tmem_result tm_embedded_client_set_compress(struct tmem_client *client, bool compress)
{
    tm_client_set_compress(tm_client_of(client), compress);
    return TMEM_OK;
}

enum tmem_result tm_embedded_client_set_frozen(struct tmem_client *client, bool is_frozen)
{
    tm_client_set_frozen(tm_client_of(client), is_frozen);
    return TMEM_OK;
}

enum tmem_result tm_embedded_client_authorise(struct tmem_client *client, const struct tmem_uuid *uuid)
{
    return tm_public(tm_client_authorise(tm_client_of(client), tm_uuid_of(uuid)));
}

enum tmem_result tm_embedded_client_deauthorise(struct tmem_client *client, const struct tmem_uuid *uuid)
{
    return tm_public(tm_client_deauthorise(tm_client_of(client), tm_uuid_of(uuid)));
}

/* ---- pools ---- */

enum tmem_result tm_embedded_pool_create(struct tmem_client *client, uint32_t flags, const struct tmem_uuid *uuid,
                                         struct tmem_pool **pool)
{
    struct tm_member *made;
    enum tm_result result = tm_pool_create(tm_client_of(client), flags, tm_uuid_of(uuid), &made);
    if (result == TM_OK)
        *pool = (struct tmem_pool *)(void *)made;
    return tm_public(result);
}

enum tmem_result tm_embedded_pool_open(struct tmem_client *client, uint64_t pool_id, struct tmem_pool **pool)
{
    struct tm_member *found = tm_pool_find(tm_client_of(client), pool_id);
    if (found == NULL)
        return TMEM_NOT_FOUND;
    *pool = (struct tmem_pool *)(void *)found;
    return TMEM_OK;
}

uint64_t tm_embedded_pool_id(const struct tmem_pool *pool)
{
    return tm_pool_id((const struct tm_member *)(const void *)pool);
}

void tm_embedded_pool_destroy(struct tmem_pool *pool)
{
    tm_pool_destroy(tm_member_of(pool));
}

enum tmem_result tm_embedded_client_pools(struct tmem_client *client, uint64_t after, uint64_t *ids,
                                          size_t capacity, size_t *count)
{
    for (*count = 0; *count < capacity && tm_pool_next_id(tm_client_of(client), after, &ids[*count]); (*count)++)
        after = ids[*count];
    return TMEM_OK;
}

/* ---- statistics ---- */

static void copy_counters(const struct tm_page_counts *from, struct tmem_counters *to)
{
    *to = (struct tmem_counters){
        .pages = from->pages,
        .pages_max = from->pages_max,
        .objects = from->objects,
        .puts = from->puts,
        .puts_stored = from->puts - from->puts_refused,
        .puts_replaced = from->puts_replaced,
        .puts_refused = from->puts_refused,
        .puts_dropped_old = from->puts_dropped_old,
        .gets = from->gets,
        .gets_found = from->gets_found,
        .gets_corrupt = from->gets_corrupt,
        .invalidates = from->invalidates,
        .invalidates_found = from->invalidates_found,
        .object_invalidates = from->object_invalidates,
        .object_invalidates_found = from->object_invalidates_found,
        .evicted = from->evicted,
        .same_filled = from->same_filled,
    };
}

enum tmem_result tm_embedded_client_stats(struct tmem_client *client, struct tmem_client_stats *stats)
{
    struct tm_client_figures figures;
    tm_client_figures(tm_client_of(client), &figures);
    *stats = (struct tmem_client_stats){
        .weight = figures.weight,
        .frozen = figures.frozen,
        .uncompressed = !figures.compress,
        .cap_bytes = figures.cap_bytes,
        .charged_bytes = figures.charged_bytes,
        .charged_max_bytes = figures.charged_max_bytes,
        .pools = figures.pools,
        .evicted_for_others = figures.evicted_for_others,
    };
    memcpy(stats->name, figures.name, sizeof stats->name);
    copy_counters(&figures.counts, &stats->counters);
    return TMEM_OK;
}

static void copy_pool(const struct tm_pool_figures *figures, struct tmem_pool_stats *stats)
{
    *stats = (struct tmem_pool_stats){
        .id = figures->id,
        .flags = figures->flags,
        .members = figures->members,
        .uuid = {{figures->uuid.word[0], figures->uuid.word[1]}},
    };
    copy_counters(&figures->counts, &stats->counters);
}

enum tmem_result tm_embedded_pool_stats(struct tmem_pool *pool, struct tmem_pool_stats *stats)
{
    struct tm_pool_figures figures;
    tm_pool_figures(tm_member_of(pool), &figures);
    copy_pool(&figures, stats);
    return TMEM_OK;
}

bool tm_embedded_client_next_pool(struct tmem_client *client, uint64_t after, struct tmem_pool_stats *stats)
{
    struct tm_pool_figures figures;
    if (!tm_pool_next_figures(tm_client_of(client), after, &figures))
        return false;
    copy_pool(&figures, stats);
    return true;
}

/* ---- ledgers ---- */

TM_STATIC_ASSERT((int)TM_EVICTIONS == (int)TMEM_EVICTION_COUNT && (int)TM_REFUSALS == (int)TMEM_REFUSAL_COUNT);
TM_STATIC_ASSERT(TM_EVICTIONS <= TM_ARRAY_SIZE(((struct tmem_ledger *)NULL)->evicted));
TM_STATIC_ASSERT(TM_REFUSALS <= TM_ARRAY_SIZE(((struct tmem_ledger *)NULL)->refused));
TM_STATIC_ASSERT(TM_CAUSERS + 1u == TMEM_EVICTORS_MAX);

static void copy_ledger(const struct tm_ledger *from, struct tmem_ledger *to)
{
    memset(to, 0, sizeof *to);
    copy_counters(&from->counts[TM_ARENA_EPHEMERAL], &to->ephemeral);
    copy_counters(&from->counts[TM_ARENA_PERSISTENT], &to->persistent);
    memcpy(to->evicted, from->evicted, sizeof from->evicted);
    memcpy(to->refused, from->refused, sizeof from->refused);
}

void tm_embedded_store_ledger(struct tmem_store *store, struct tmem_ledger *ledger)
{
    struct tm_ledger figures;
    tm_engine_ledger(tm_embedded_of(store)->engine, &figures);
    copy_ledger(&figures, ledger);
}

void tm_embedded_client_ledger(struct tmem_client *client, struct tmem_ledger *ledger)
{
    struct tm_ledger figures;
    tm_client_ledger(tm_client_of(client), &figures);
    copy_ledger(&figures, ledger);
}

size_t tm_embedded_client_evictors(struct tmem_client *client, struct tmem_evictor *rows)
{
    struct tm_causer causers[TM_CAUSERS + 1u];
    unsigned count = tm_client_causers(tm_client_of(client), causers);
    for (unsigned i = 0; i < count; i++) {
        memcpy(rows[i].name, causers[i].name, sizeof rows[i].name);
        rows[i].pages = causers[i].pages;
    }
    return count;
}
