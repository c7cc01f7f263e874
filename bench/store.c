/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c - see store.h. */
#include "store.h"

#include <stdio.h>

uint64_t bench_store_size(uint64_t pages)
{
    return pages * TM_PAGE_BYTES / 8u * 9u + (UINT64_C(64) << 20);
}

void bench_store_uri(const struct bench_settings *settings, char uri[BENCH_URI_SIZE])
{
    char file[24] = "";
    if (settings->arena_file != 0)
        (void)snprintf(file, sizeof file, ",arena-fd=%d", settings->arena_file);
    (void)snprintf(uri, BENCH_URI_SIZE, "embedded:size=%lluK,codec=%s%s%s%s%s%s",
                   (unsigned long long)(settings->size_bytes >> 10), settings->codec,
                   settings->no_dedup ? ",dedup=off" : "", settings->no_maintenance ? ",maintenance=none" : "",
                   settings->memory_file ? ",persistent=memfd" : "", settings->defer ? ",defer=on" : "", file);
}

enum tm_exit bench_store_open(struct bench_store *store, const struct bench_settings *settings)
{
    char uri[BENCH_URI_SIZE];
    struct tmem_error error = {{0}};
    *store = (struct bench_store){.object_pages =
                                      settings->object_pages != 0 ? settings->object_pages : BENCH_OBJECT_PAGES};
    bench_store_uri(settings, uri);
    enum tmem_result result = tmem_open(uri, &store->store, &error);
    if (result == TMEM_UNSUPPORTED)
        return TM_EXIT_NOT_FOUND;
    if (result != TMEM_OK)
        return tm_fail(TM_EXIT_FAILED, "cannot open %s: %s (try: a smaller --pages)", uri, error.text);
    result = tmem_client_create(store->store, "bench", NULL, &store->client);
    if (result == TMEM_OK)
        result = tmem_pool_create(store->client,
                                  settings->persistent ? TMEM_POOL_PERSISTENT : TMEM_POOL_EPHEMERAL, NULL,
                                  &store->pool);
    if (result == TMEM_OK)
        return TM_EXIT_OK;
    bench_store_close(store);
    return tm_fail(TM_EXIT_FAILED, "cannot make a pool in %s: %s", uri, tmem_result_text(result));
}

void bench_store_close(struct bench_store *store)
{
    tmem_close(store->store);
    *store = (struct bench_store){0};
}
