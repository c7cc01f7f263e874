/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c - the public API: opening and closing stores, and what operators do to them. */
#include <stdlib.h>
#include <string.h>

#include "client/store_handle.h"

#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

TM_STATIC_ASSERT((int)TM_OK == (int)TMEM_OK && (int)TM_MISS == (int)TMEM_MISS);
TM_STATIC_ASSERT((int)TM_REFUSED == (int)TMEM_REFUSED && (int)TM_KEPT == (int)TMEM_KEPT);
TM_STATIC_ASSERT((int)TM_NOMEM == (int)TMEM_NOMEM && (int)TM_CORRUPT == (int)TMEM_CORRUPT);
TM_STATIC_ASSERT((int)TM_INVALID == (int)TMEM_INVALID && (int)TM_NOT_FOUND == (int)TMEM_NOT_FOUND);
TM_STATIC_ASSERT((int)TM_EXISTS == (int)TMEM_EXISTS && (int)TM_DENIED == (int)TMEM_DENIED);
TM_STATIC_ASSERT((int)TM_UNSUPPORTED == (int)TMEM_UNSUPPORTED);

const char *tmem_result_text(enum tmem_result result)
{
    static const char *const texts[TMEM_RESULT_COUNT] = {
        [TMEM_OK] = "ok",
        [TMEM_MISS] = "miss",
        [TMEM_REFUSED] = "refused",
        [TMEM_KEPT] = "not stored, older page kept",
        [TMEM_NOMEM] = "no memory",
        [TMEM_CORRUPT] = "corrupt",
        [TMEM_INVALID] = "invalid argument",
        [TMEM_NOT_FOUND] = "not found",
        [TMEM_EXISTS] = "exists",
        [TMEM_DENIED] = "denied",
        [TMEM_UNSUPPORTED] = "unsupported",
        [TMEM_UNAVAILABLE] = "unavailable",
    };
    return (unsigned)result < TMEM_RESULT_COUNT ? texts[result] : "unknown result";
}

const char *tmem_version(void)
{
    return VERSION_TEXT(TMEM_VERSION_MAJOR, TMEM_VERSION_MINOR, TMEM_VERSION_PATCH);
}

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

static enum tmem_result create_engine(const struct tm_uri *uri, struct tmem_store *store, struct tmem_error *error)
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
static enum tmem_result no_cold(const struct tmem_store *store)
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

static enum tmem_result start(const struct tm_uri *uri, struct tmem_store *store, struct tmem_error *error)
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

static void stop(struct tmem_store *store)
{
    if (store->host != NULL)
        tm_host_linux_stop_worker(store->host);
    if (store->engine != NULL)
        tm_engine_destroy(store->engine);
    if (store->host != NULL)
        tm_host_linux_destroy(store->host);
    free(store);
}

enum tmem_result tmem_open(const char *text, struct tmem_store **result, struct tmem_error *error)
{
    struct tm_uri uri;
    if (text == NULL || result == NULL) {
        tm_error_set(error, "no URI, or no place for the store");
        return TMEM_INVALID;
    }
    enum tmem_result outcome = tm_uri_parse(text, &uri, error);
    if (outcome != TMEM_OK)
        return outcome;
    if (uri.size_bytes > tm_host_linux_machine_bytes()) {
        tm_error_set(error, "size=%lluM: this machine has %llu MiB of memory (choose a size below that)",
                     (unsigned long long)(uri.size_bytes >> 20),
                     (unsigned long long)(tm_host_linux_machine_bytes() >> 20));
        return TMEM_INVALID;
    }
    struct tmem_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        tm_error_set(error, "no memory");
        return TMEM_NOMEM;
    }
    outcome = start(&uri, store, error);
    if (outcome != TMEM_OK) {
        stop(store);
        return outcome;
    }
    TM_MAGIC_SET(store, TM_HANDLE_MAGIC);
    *result = store;
    return TMEM_OK;
}

void tmem_close(struct tmem_store *store)
{
    if (store == NULL)
        return;
    TM_MAGIC_END(store, TM_HANDLE_MAGIC);
    stop(store);
}

/* ---- operators ---- */

enum tmem_result tmem_store_set_size(struct tmem_store *store, uint64_t size_bytes)
{
    if (store == NULL || size_bytes < TM_STORE_SIZE_MIN || size_bytes > tm_host_linux_machine_bytes())
        return TMEM_INVALID;
    return tm_public(tm_engine_set_size(store->engine, size_bytes));
}

enum tmem_result tmem_store_reclaim(struct tmem_store *store, uint64_t bytes, uint64_t *returned_bytes)
{
    if (store == NULL || returned_bytes == NULL)
        return TMEM_INVALID;
    *returned_bytes = tm_engine_reclaim(store->engine, bytes);
    return TMEM_OK;
}

enum tmem_result tmem_store_freeable(struct tmem_store *store, uint64_t *bytes)
{
    if (store == NULL || bytes == NULL)
        return TMEM_INVALID;
    *bytes = tm_engine_freeable(store->engine);
    return TMEM_OK;
}

enum tmem_result tmem_store_set_cold(struct tmem_store *store, uint32_t cpu_percent, uint32_t age_seconds)
{
    if (store == NULL || cpu_percent > 100u || age_seconds > TMEM_COLD_AGE_MAX)
        return TMEM_INVALID;
    return tm_engine_set_cold(store->engine, cpu_percent, age_seconds) ? TMEM_OK : no_cold(store);
}

enum tmem_result tmem_store_recompress(struct tmem_store *store, uint64_t *pages)
{
    if (store == NULL || pages == NULL)
        return TMEM_INVALID;
    return tm_engine_recompress(store->engine, pages) ? TMEM_OK : no_cold(store);
}

enum tmem_result tmem_store_clients(struct tmem_store *store, const char *after, char (*names)[TMEM_CLIENT_NAME_SIZE],
                                    size_t capacity, size_t *count)
{
    if (store == NULL || names == NULL || count == NULL)
        return TMEM_INVALID;
    char last[TMEM_CLIENT_NAME_SIZE] = {0};
    if (after != NULL && strlen(after) >= sizeof last)
        return TMEM_INVALID;
    if (after != NULL)
        memcpy(last, after, strlen(after) + 1u);
    for (*count = 0; *count < capacity && tm_client_next_name(store->engine, last, names[*count]); (*count)++)
        memcpy(last, names[*count], sizeof last);
    return TMEM_OK;
}

enum tmem_result tmem_store_check(struct tmem_store *store)
{
    if (store == NULL)
        return TMEM_INVALID;
    tm_host_linux_stop_worker(store->host);
    tm_engine_maintain(store->engine, 0);
    tm_engine_check(store->engine);
    /* Should the thread not start again, the store works as with maintenance=none. */
    if (store->maintenance)
        (void)!tm_host_linux_start_worker(store->host, maintain, store->engine);
    return TMEM_OK;
}

enum tmem_result tmem_store_stats(struct tmem_store *store, struct tmem_store_stats *out, size_t out_bytes)
{
    struct tm_engine_figures figures;
    if (store == NULL || out == NULL)
        return TMEM_INVALID;
    tm_engine_figures(store->engine, &figures);
    struct tmem_store_stats stats = {
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
    memcpy(stats.codec_pages, figures.codec_blocks, sizeof stats.codec_pages);
    memcpy(stats.codec_bytes, figures.codec_bytes, sizeof stats.codec_bytes);
    memset(out, 0, out_bytes);
    memcpy(out, &stats, out_bytes < sizeof stats ? out_bytes : sizeof stats);
    return TMEM_OK;
}
