/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c - the public API: stores, and what operators do to them. */
#include <string.h>

#include "client/embedded.h"
#include "client/unix.h"

#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

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

enum tmem_result tmem_open(const char *text, struct tmem_store **result, struct tmem_error *error)
{
    struct tm_uri uri;
    struct tmem_store *store;
    if (text == NULL || result == NULL) {
        tm_error_set(error, "no URI, or no place for the store");
        return TMEM_INVALID;
    }
    enum tmem_result outcome = tm_uri_parse(text, &uri, error);
    if (outcome == TMEM_OK)
        outcome = uri.is_unix ? tm_unix_open(&uri, &store, error) : tm_embedded_open(&uri, &store, error);
    if (outcome != TMEM_OK)
        return outcome;
    TM_MAGIC_SET(store, TM_HANDLE_MAGIC);
    *result = store;
    return TMEM_OK;
}

void tmem_close(struct tmem_store *store)
{
    if (store == NULL)
        return;
    TM_MAGIC_END(store, TM_HANDLE_MAGIC);
    store->home->close(store);
}

/* ---- operators ---- */

enum tmem_result tmem_store_set_size(struct tmem_store *store, uint64_t size_bytes)
{
    if (store == NULL)
        return TMEM_INVALID;
    return store->home->store_set_size != NULL ? store->home->store_set_size(store, size_bytes) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_store_reclaim(struct tmem_store *store, uint64_t bytes, uint64_t *returned_bytes)
{
    if (store == NULL || returned_bytes == NULL)
        return TMEM_INVALID;
    if (store->home->store_reclaim == NULL)
        return TMEM_UNSUPPORTED;
    return store->home->store_reclaim(store, bytes, returned_bytes);
}

enum tmem_result tmem_store_freeable(struct tmem_store *store, uint64_t *bytes)
{
    if (store == NULL || bytes == NULL)
        return TMEM_INVALID;
    return store->home->store_freeable != NULL ? store->home->store_freeable(store, bytes) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_store_set_cold(struct tmem_store *store, uint32_t cpu_percent, uint32_t age_seconds)
{
    if (store == NULL || cpu_percent > 100u || age_seconds > TMEM_COLD_AGE_MAX)
        return TMEM_INVALID;
    if (store->home->store_set_cold == NULL)
        return TMEM_UNSUPPORTED;
    return store->home->store_set_cold(store, cpu_percent, age_seconds);
}

enum tmem_result tmem_store_recompress(struct tmem_store *store, uint64_t *pages)
{
    if (store == NULL || pages == NULL)
        return TMEM_INVALID;
    return store->home->store_recompress != NULL ? store->home->store_recompress(store, pages) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_store_check(struct tmem_store *store)
{
    if (store == NULL)
        return TMEM_INVALID;
    return store->home->store_check != NULL ? store->home->store_check(store) : TMEM_UNSUPPORTED;
}

/* ---- what there is ---- */

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
    return store->home->store_clients(store, last, names, capacity, count);
}

enum tmem_result tmem_store_stats(struct tmem_store *store, struct tmem_store_stats *out, size_t out_bytes)
{
    struct tmem_store_stats stats;
    if (store == NULL || out == NULL)
        return TMEM_INVALID;
    enum tmem_result result = store->home->store_stats(store, &stats);
    if (result == TMEM_OK)
        tm_stats_copy(out, out_bytes, &stats, sizeof stats);
    return result;
}
