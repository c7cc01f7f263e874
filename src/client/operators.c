/* SPDX-License-Identifier: BSD-2-Clause */
/* operators.c - the public API: what operators may know of clients and of the store. */
#include "client/home.h"

enum tmem_result tmem_store_ledger(struct tmem_store *store, struct tmem_ledger *out, size_t out_bytes)
{
    struct tmem_ledger ledger;
    if (store == NULL || out == NULL)
        return TMEM_INVALID;
    if (store->home->store_ledger == NULL)
        return TMEM_UNSUPPORTED;
    store->home->store_ledger(store, &ledger);
    tm_stats_copy(out, out_bytes, &ledger, sizeof ledger);
    return TMEM_OK;
}

enum tmem_result tmem_client_ledger(struct tmem_client *client, struct tmem_ledger *out, size_t out_bytes)
{
    struct tmem_ledger ledger;
    if (client == NULL || out == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    if (home->client_ledger == NULL)
        return TMEM_UNSUPPORTED;
    home->client_ledger(client, &ledger);
    tm_stats_copy(out, out_bytes, &ledger, sizeof ledger);
    return TMEM_OK;
}

enum tmem_result tmem_client_evictors(struct tmem_client *client, struct tmem_evictor *rows, size_t *count)
{
    if (client == NULL || rows == NULL || count == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    if (home->client_evictors == NULL)
        return TMEM_UNSUPPORTED;
    *count = home->client_evictors(client, rows);
    return TMEM_OK;
}

enum tmem_result tmem_client_next_pool(struct tmem_client *client, uint64_t after, struct tmem_pool_stats *out,
                                       size_t out_bytes)
{
    struct tmem_pool_stats stats;
    if (client == NULL || out == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    if (home->client_next_pool == NULL)
        return TMEM_UNSUPPORTED;
    if (!home->client_next_pool(client, after, &stats))
        return TMEM_MISS;
    tm_stats_copy(out, out_bytes, &stats, sizeof stats);
    return TMEM_OK;
}
