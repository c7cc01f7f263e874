/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.c - making and ending an engine, its figures, and walks over a pool's pages. */
#include "base/mix.h"
#include "engine/engine_internal.h"

bool tm_keeps_records(const struct tm_engine *engine)
{
    return engine->host.persistent_survives;
}

/* ---- making and ending ---- */

static enum tm_result create_store(struct tm_engine *engine, const struct tm_codec *codec,
                                   const struct tm_engine_config *config, bool *found)
{
    struct tm_owner owner = {engine, tm_index_judge, tm_index_swap, tm_index_pin,
                             tm_index_judge_chunk, tm_index_swap_chunk, tm_index_expect};
    struct tm_store_config store_config = {config->size_bytes, config->dedup, config->ahead, config->defer};
    *found = false;
    switch (tm_store_create(&engine->host, codec, &owner, &store_config, &engine->store)) {
    case TM_CREATE_FOUND:
        *found = true;
        return TM_OK;
    case TM_CREATE_OK:
        return TM_OK;
    case TM_CREATE_NOMEM:
        return TM_NOMEM;
    case TM_CREATE_VERSION:
        return TM_UNSUPPORTED;
    case TM_CREATE_CORRUPT:
        return TM_CORRUPT;
    }
    return TM_CORRUPT;
}

static bool init_tables(struct tm_engine *engine)
{
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        const struct tm_table_owner owner = {engine, (enum tm_arena_kind)kind, tm_index_hashes};
        if (!tm_table_init(&engine->index[kind], &engine->host, TM_LOCK_index_bucket, &owner))
            return false;
        tm_store_add_table(engine->store, &engine->index[kind]);
    }
    tm_store_add_metadata(engine->store, (int64_t)sizeof *engine);
    return true;
}

static void free_engine(struct tm_engine *engine)
{
    struct tm_host host = engine->host;
    tm_clients_fini(engine);
    tm_pools_fini(engine);
    tm_sketch_fini(&engine->sketch, &host);
    for (unsigned kind = 0; kind < TM_ARENAS; kind++)
        tm_table_fini(&engine->index[kind]);
    if (engine->store != NULL)
        tm_store_destroy(engine->store);
    host.free(host.user, engine, sizeof *engine);
}

enum tm_result tm_engine_create(const struct tm_host *host, const struct tm_codec *codec,
                                const struct tm_engine_config *config, struct tm_engine **result)
{
    struct tm_engine *engine = host->alloc(host->user, sizeof *engine);
    if (engine == NULL)
        return TM_NOMEM;
    TM_MAGIC_SET(engine, TM_ENGINE_MAGIC);
    engine->host = *host;
    engine->clients_next = engine->pools_next = 1;
    engine->is_ahead = config->ahead;
    engine->marks[TM_ARENA_EPHEMERAL] = TM_SLOT_USED;
    bool found;
    enum tm_result outcome = create_store(engine, codec, config, &found);
    if (outcome != TM_OK)
        engine->store = NULL;
    if (outcome == TM_OK) {
        memcpy(engine->seeds, tm_store_seeds(engine->store), sizeof engine->seeds);
        outcome = init_tables(engine) ? TM_OK : TM_NOMEM;
    }
    if (outcome == TM_OK && found)
        outcome = tm_engine_rebuild(engine);
    if (outcome == TM_OK)
        *result = engine;
    else
        free_engine(engine);
    return outcome;
}

void tm_engine_destroy(struct tm_engine *engine)
{
    TM_MAGIC_CHECK(engine, TM_ENGINE_MAGIC);
    /* What survives shall survive: only what lives nowhere else is taken down by hand. */
    if (!tm_keeps_records(engine)) {
        char name[TM_CLIENT_NAME_BYTES] = {0};
        while (tm_client_next_name(engine, "", name))
            tm_client_destroy(tm_client_find(engine, name));
    }
    TM_MAGIC_END(engine, TM_ENGINE_MAGIC);
    free_engine(engine);
}

/* ---- figures ---- */

uint64_t tm_tally_of(const struct tm_pool *pool, enum tm_tally tally)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < tm_tally_shards(pool->engine); i++)
        sum += tm_load_relaxed(&pool->tallies[i].count[tally]);
    /* While others count, what was taken away may be seen before what it was taken from. */
    return (int64_t)sum < 0 ? 0 : sum;
}

static void pool_figures(struct tm_pool *pool, struct tm_pool_figures *out)
{
    memset(out, 0, sizeof *out);
    out->id = pool->id;
    out->flags = (pool->kind == TM_ARENA_PERSISTENT ? TM_POOL_PERSISTENT : 0u) |
                 (pool->is_shared ? TM_POOL_SHARED : 0u);
    out->uuid = pool->uuid;
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    out->members = pool->member_count;
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    tm_counts_add(pool, &out->counts);
}

void tm_pool_figures(struct tm_member *member, struct tm_pool_figures *out)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    pool_figures(member->pool, out);
}

bool tm_pool_next_figures(struct tm_client *client, uint64_t after, struct tm_pool_figures *out)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    const struct tm_member *member = client->members;
    while (member != NULL && member->pool->id <= after)
        member = member->next_of_client;
    if (member != NULL)
        pool_figures(member->pool, out);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    return member != NULL;
}

void tm_client_figures(struct tm_client *client, struct tm_client_figures *out)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    memset(out, 0, sizeof *out);
    memcpy(out->name, client->name, sizeof out->name);
    out->weight = tm_load_relaxed(&client->weight);
    out->frozen = tm_load_relaxed(&client->frozen) != 0;
    out->compress = tm_load_relaxed(&client->plain) == 0;
    out->cap_bytes = tm_load_relaxed(&client->cap_bytes);
    out->charged_bytes = tm_load_relaxed(&client->charged);
    out->charged_max_bytes = tm_max_u64(tm_client_charged_max(client), out->charged_bytes);
    out->evicted_for_others = tm_load_relaxed(&client->evicted_for_others);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    out->pools = client->pool_count;
    for (const struct tm_member *member = client->members; member != NULL; member = member->next_of_client)
        tm_counts_add(member->pool, &out->counts);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
}

static void add_pools(struct tm_engine *engine, struct tm_engine_figures *out)
{
    struct tm_page_counts counts = {0};
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    out->clients = engine->client_count;
    out->pools = engine->pool_count;
    out->evicted_pages = tm_load_relaxed(&engine->past.counts[TM_ARENA_EPHEMERAL].evicted);
    for (uint32_t n = 1; n < engine->pools_next; n++) {
        const struct tm_pool *pool = tm_pool_at(engine, n);
        if (tm_load_relaxed(&pool->life) == TM_LIFE_RUNNING)
            tm_counts_add(pool, &counts);
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    out->pages = counts.pages;
    out->pages_same = counts.same_filled;
    out->pages_shared = counts.shared;
    out->objects = counts.objects;
    out->evicted_pages += counts.evicted;
}

void tm_engine_figures(struct tm_engine *engine, struct tm_engine_figures *out)
{
    TM_MAGIC_CHECK(engine, TM_ENGINE_MAGIC);
    struct tm_store_figures store;
    tm_store_figures(engine->store, &store);
    memset(out, 0, sizeof *out);
    out->size_bytes = store.size_bytes;
    out->resident_bytes = store.resident_bytes;
    out->metadata_bytes = store.metadata_bytes;
    out->block_bytes = store.block_bytes;
    out->dead_bytes = store.dead_bytes;
    out->spans = store.spans;
    out->span_bytes = store.span_bytes;
    out->returned_bytes = store.returned_bytes;
    out->blocks_raw = store.blocks_raw;
    out->blocks_compressed = store.blocks_compressed;
    out->contents_shared = store.contents_shared;
    out->evicted_segments = store.evicted_segments;
    out->refused_admissions = tm_load_relaxed(&engine->refused_admissions);
    out->cleaned_segments = store.cleaned_segments;
    out->cleaned_bytes = store.cleaned_bytes;
    out->corrupt_blocks = store.corrupt_blocks;
    out->deferred_bytes = store.deferred_bytes;
    memcpy(out->codec_blocks, store.codec_blocks, sizeof out->codec_blocks);
    memcpy(out->codec_bytes, store.codec_bytes, sizeof out->codec_bytes);
    out->cooled_pages = store.cooled_pages;
    out->cooled_saved_bytes = store.cooled_saved_bytes;
    out->warmed_pages = store.warmed_pages;
    out->cold_spent_ns = tm_load_relaxed(&engine->cold.spent_ns);
    out->cold_codec = store.cold_codec;
    add_pools(engine, out);
}
