/* SPDX-License-Identifier: BSD-2-Clause */
/* embedded.c - the home of a store whose engine runs in this process. */
#include <stdlib.h>
#include <string.h>

#include "client/embedded.h"

TM_STATIC_ASSERT((int)TM_OK == (int)TMEM_OK && (int)TM_MISS == (int)TMEM_MISS);
TM_STATIC_ASSERT((int)TM_REFUSED == (int)TMEM_REFUSED && (int)TM_KEPT == (int)TMEM_KEPT);
TM_STATIC_ASSERT((int)TM_NOMEM == (int)TMEM_NOMEM && (int)TM_CORRUPT == (int)TMEM_CORRUPT);
TM_STATIC_ASSERT((int)TM_INVALID == (int)TMEM_INVALID && (int)TM_NOT_FOUND == (int)TMEM_NOT_FOUND);
TM_STATIC_ASSERT((int)TM_EXISTS == (int)TMEM_EXISTS && (int)TM_DENIED == (int)TMEM_DENIED);
TM_STATIC_ASSERT((int)TM_UNSUPPORTED == (int)TMEM_UNSUPPORTED);

/* ---- opening ---- */

static enum tmem_result create_host(const struct tm_uri *uri, struct tm_host_linux **host, struct tmem_error *error)
{
    struct tm_host_linux_config config = {uri->size_bytes, uri->workers, uri->use_memfd, uri->arena_fd};
    switch (tm_host_linux_create(&config, host)) {
    case TM_HOST_LINUX_OK:
        return TMEM_OK;
    case TM_HOST_LINUX_NOMEM:
        tm_error_set(error, "no memory, or not enough address space (is a limit set? see ulimit -v)");
        return TMEM_NOMEM;
    case TM_HOST_LINUX_BAD_FD:
        tm_error_set(error, "arena-fd=%d: not a memory file, empty or as a store left it; not touched",
                     uri->arena_fd);
        return TMEM_INVALID;
    case TM_HOST_LINUX_NO_MEMFD:
        tm_error_set(error, "persistent=memfd: the kernel gave no memory file (too many open files?)");
        return TMEM_UNSUPPORTED;
    }
    return TMEM_NOMEM;
}

static enum tmem_result create_engine(const struct tm_uri *uri, struct tm_embedded *store, struct tmem_error *error)
{
    struct tm_engine_config config = {uri->size_bytes, uri->dedup, uri->maintenance, uri->defer};
    bool made = tm_codec_create(uri->codec, uri->level, &store->codec);
    TM_ASSERT(made); /* the URI's parser tried it */
    enum tm_result result = tm_engine_create(tm_host_linux_table(store->host), &store->codec, &config, &store->engine);
    if (result == TM_NOMEM)
        tm_error_set(error, "no memory for the store's own tables");
    else if (result == TM_UNSUPPORTED)
        tm_error_set(error, "arena-fd=%d: written in another format, by another version of tmem; not touched",
                     uri->arena_fd);
    else if (result == TM_CORRUPT)
        tm_error_set(error, "arena-fd=%d: its head is damaged, or it is not tmem's; not touched", uri->arena_fd);
    return tm_public(result);
}

/* What a store answers that could not begin to make cold pages smaller. */
static enum tmem_result no_cold(const struct tm_embedded *store)
{
    return store->codec.cold_encodes == TM_CODEC_NONE ? TMEM_UNSUPPORTED : TMEM_NOMEM;
}

static enum tm_background_work maintain(void *user)
{
    switch (tm_engine_maintain(user, 16)) {
    case TM_WORK_MORE:
        return TM_BACKGROUND_MORE;
    case TM_WORK_LATER:
        return TM_BACKGROUND_LATER;
    case TM_WORK_NONE:
        break;
    }
    return TM_BACKGROUND_NONE;
}

static enum tmem_result start(const struct tm_uri *uri, struct tm_embedded *store, struct tmem_error *error)
{
    enum tmem_result result = create_host(uri, &store->host, error);
    if (result != TMEM_OK)
        return result;
    result = create_engine(uri, store, error);
    if (result != TMEM_OK)
        return result;
    if (uri->cold_percent != 0 && !tm_engine_set_cold(store->engine, uri->cold_percent, uri->cold_seconds)) {
        tm_error_set(error, "cold=%u: no memory for the slower codec", uri->cold_percent);
        return no_cold(store);
    }
    store->maintenance = uri->maintenance;
    if (uri->maintenance && !tm_host_linux_start_worker(store->host, maintain, store->engine)) {
        tm_error_set(error, "no thread for background work (is a limit set? see ulimit -u and -v)");
        return TMEM_NOMEM;
    }
    return TMEM_OK;
}

static void stop(struct tm_embedded *store)
{
    if (store->host != NULL)
        tm_host_linux_stop_worker(store->host);
    if (store->engine != NULL)
        tm_engine_destroy(store->engine);
    if (store->host != NULL)
        tm_host_linux_destroy(store->host);
    free(store);
}

enum tmem_result tm_embedded_open(const struct tm_uri *uri, struct tmem_store **result, struct tmem_error *error)
{
    if (uri->size_bytes > tm_host_linux_machine_bytes()) {
        tm_error_set(error, "size=%lluM: this machine has %llu MiB of memory (choose a size below that)",
                     (unsigned long long)(uri->size_bytes >> 20),
                     (unsigned long long)(tm_host_linux_machine_bytes() >> 20));
        return TMEM_INVALID;
    }
    struct tm_embedded *store = calloc(1, sizeof *store);
    if (store == NULL) {
        tm_error_set(error, "no memory");
        return TMEM_NOMEM;
    }
    enum tmem_result outcome = start(uri, store, error);
    if (outcome != TMEM_OK) {
        stop(store);
        return outcome;
    }
    store->base.home = &tm_embedded_home;
    *result = &store->base;
    return TMEM_OK;
}

static void embedded_close(struct tmem_store *store)
{
    stop(tm_embedded_of(store));
}

/* ---- operators ---- */

static enum tmem_result set_size(struct tmem_store *store, uint64_t size_bytes)
{
    if (size_bytes < TM_STORE_SIZE_MIN || size_bytes > tm_host_linux_machine_bytes())
        return TMEM_INVALID;
    return tm_public(tm_engine_set_size(tm_embedded_of(store)->engine, size_bytes));
}

static enum tmem_result reclaim(struct tmem_store *store, uint64_t bytes, uint64_t *returned_bytes)
{
    *returned_bytes = tm_engine_reclaim(tm_embedded_of(store)->engine, bytes);
    return TMEM_OK;
}

static enum tmem_result freeable(struct tmem_store *store, uint64_t *bytes)
{
    *bytes = tm_engine_freeable(tm_embedded_of(store)->engine);
    return TMEM_OK;
}

static enum tmem_result set_cold(struct tmem_store *store, uint32_t cpu_percent, uint32_t age_seconds)
{
    const struct tm_embedded *embedded = tm_embedded_of(store);
    return tm_engine_set_cold(embedded->engine, cpu_percent, age_seconds) ? TMEM_OK : no_cold(embedded);
}

static enum tmem_result recompress(struct tmem_store *store, uint64_t *pages)
{
    const struct tm_embedded *embedded = tm_embedded_of(store);
    return tm_engine_recompress(embedded->engine, pages) ? TMEM_OK : no_cold(embedded);
}

static enum tmem_result check(struct tmem_store *public_store)
{
    struct tm_embedded *store = tm_embedded_of(public_store);
    tm_host_linux_stop_worker(store->host);
    tm_engine_maintain(store->engine, 0);
    tm_engine_check(store->engine);
    /* Should the thread not start again, the store works as with maintenance=none. */
    if (store->maintenance)
        (void)!tm_host_linux_start_worker(store->host, maintain, store->engine);
    return TMEM_OK;
}

/* ---- what there is ---- */

static enum tmem_result clients(struct tmem_store *store, char after[TMEM_CLIENT_NAME_SIZE],
                                char (*names)[TMEM_CLIENT_NAME_SIZE], size_t capacity, size_t *count)
{
    struct tm_engine *engine = tm_embedded_of(store)->engine;
    for (*count = 0; *count < capacity && tm_client_next_name(engine, after, names[*count]); (*count)++)
        memcpy(after, names[*count], TMEM_CLIENT_NAME_SIZE);
    return TMEM_OK;
}

static enum tmem_result store_stats(struct tmem_store *store, struct tmem_store_stats *stats)
{
    struct tm_engine_figures figures;
    tm_engine_figures(tm_embedded_of(store)->engine, &figures);
    *stats = (struct tmem_store_stats){
        .size_bytes = figures.size_bytes,
        .resident_bytes = figures.resident_bytes,
        .metadata_bytes = figures.metadata_bytes,
        .stored_bytes = figures.pages * TMEM_PAGE_SIZE,
        .block_bytes = figures.block_bytes,
        .dead_bytes = figures.dead_bytes,
        .pages = figures.pages,
        .pages_same = figures.pages_same,
        .pages_raw = figures.blocks_raw,
        .pages_compressed = figures.blocks_compressed,
        .pages_deduplicated = figures.pages_shared,
        .contents_shared = figures.contents_shared,
        .clients = figures.clients,
        .pools = figures.pools,
        .objects = figures.objects,
        .evicted_pages = figures.evicted_pages,
        .evicted_segments = figures.evicted_segments,
        .refused_admissions = figures.refused_admissions,
        .cleaned_segments = figures.cleaned_segments,
        .cleaned_bytes = figures.cleaned_bytes,
        .returned_bytes = figures.returned_bytes,
        .corrupt_pages = figures.corrupt_blocks,
        .spans = figures.spans,
        .span_bytes = figures.span_bytes,
        .deferred_bytes = figures.deferred_bytes,
        .pages_cold = figures.codec_blocks[figures.cold_codec],
        .cold_bytes = figures.codec_bytes[figures.cold_codec],
        .recompressed_pages = figures.cooled_pages,
        .recompressed_saved_bytes = figures.cooled_saved_bytes,
        .promoted_pages = figures.warmed_pages,
        .cold_ns = figures.cold_spent_ns,
    };
    TM_STATIC_ASSERT(TMEM_CODECS == TM_CODEC_IDS);
    memcpy(stats->codec_pages, figures.codec_blocks, sizeof stats->codec_pages);
    memcpy(stats->codec_bytes, figures.codec_bytes, sizeof stats->codec_bytes);
    return TMEM_OK;
}

/* Pages go straight to and from any memory here. */
static enum tmem_result memory_create(struct tmem_client *client, size_t size_bytes, void **memory)
{
    (void)client;
    if (size_bytes > SIZE_MAX / 2u)
        return TMEM_NOMEM;
    size_t bytes = (size_t)tm_round_up(size_bytes, TMEM_PAGE_SIZE);
    *memory = aligned_alloc(TMEM_PAGE_SIZE, bytes);
    if (*memory == NULL)
        return TMEM_NOMEM;
    memset(*memory, 0, bytes);
    return TMEM_OK;
}

static void memory_destroy(struct tmem_client *client, void *memory)
{
    (void)client;
    free(memory);
}

const struct tm_home tm_embedded_home = {
    .close = embedded_close,
    .client_create = tm_embedded_client_create,
    .client_open = tm_embedded_client_open,
    .client_destroy = tm_embedded_client_destroy,
    .pool_create = tm_embedded_pool_create,
    .pool_open = tm_embedded_pool_open,
    .pool_id = tm_embedded_pool_id,
    .pool_destroy = tm_embedded_pool_destroy,
    .put = tm_embedded_put,
    .get = tm_embedded_get,
    .invalidate_page = tm_embedded_invalidate_page,
    .invalidate_object = tm_embedded_invalidate_object,
    .put_many = tm_embedded_put_many,
    .get_many = tm_embedded_get_many,
    .get_stored = tm_embedded_get_stored,
    .put_stored = tm_embedded_put_stored,
    .memory_create = memory_create,
    .memory_destroy = memory_destroy,
    .walk = tm_embedded_walk,
    .store_stats = store_stats,
    .client_stats = tm_embedded_client_stats,
    .pool_stats = tm_embedded_pool_stats,
    .store_clients = clients,
    .client_pools = tm_embedded_client_pools,
    .client_set_weight = tm_embedded_client_set_weight,
    .client_set_cap = tm_embedded_client_set_cap,
    .client_set_compress = tm_embedded_client_set_compress,
    .client_reclaim = tm_embedded_client_reclaim,
    .client_set_frozen = tm_embedded_client_set_frozen,
    .client_authorise = tm_embedded_client_authorise,
    .client_deauthorise = tm_embedded_client_deauthorise,
    .store_set_size = set_size,
    .store_reclaim = reclaim,
    .store_freeable = freeable,
    .store_set_cold = set_cold,
    .store_recompress = recompress,
    .store_check = check,
    .store_ledger = tm_embedded_store_ledger,
    .client_ledger = tm_embedded_client_ledger,
    .client_evictors = tm_embedded_client_evictors,
    .client_next_pool = tm_embedded_client_next_pool,
};
