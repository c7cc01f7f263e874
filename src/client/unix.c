/* SPDX-License-Identifier: BSD-2-Clause */
/* unix.c - the home of a store in a daemon: opening, closing, statistics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/unix.h"

#define TRY_MS 1000u

/* ---- statistics ---- */

enum tm_wire_result tm_unix_count(struct tm_unix_client *client, enum tm_wire_subject subject, uint64_t pool,
                                  void *out, size_t out_bytes)
{
    union tm_wire_any any;
    tm_message_begin(&any, TM_WIRE_STATISTICS, 0, 0);
    any.statistics.subject = subject;
    any.statistics.pool = pool;
    enum tm_wire_result result = tm_unix_ask(client, &any, TM_WIRE_COUNTED, &any);
    if (result != TM_WIRE_OK)
        return result;
    if (any.counted.subject != (uint32_t)subject)
        return TM_WIRE_UNAVAILABLE;
    tm_stats_copy(out, out_bytes, any.counted.words, any.counted.count * sizeof any.counted.words[0]);
    return TM_WIRE_OK;
}

static enum tmem_result client_stats(struct tmem_client *handle, struct tmem_client_stats *stats)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    enum tm_wire_result result = tm_unix_count(client, TM_WIRE_OF_CLIENT, 0, stats, sizeof *stats);
    /* The daemon's name for it says whose it is, too; here it has the name that it was given. */
    if (result == TM_WIRE_OK)
        memcpy(stats->name, client->name, sizeof stats->name);
    return tm_wire_public(result);
}

static enum tmem_result pool_stats(struct tmem_pool *handle, struct tmem_pool_stats *stats)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    if (tm_load_relaxed(&pool->state) != TM_UNIX_POOL_READY)
        return TMEM_UNAVAILABLE;
    uint64_t id = tm_load_relaxed(&pool->id);
    enum tm_wire_result result = tm_unix_count(pool->client, TM_WIRE_OF_POOL, id, stats, sizeof *stats);
    return result == TM_WIRE_NOT_FOUND ? TMEM_UNAVAILABLE : tm_wire_public(result);
}

/* What one client knows of the store, added to what others do. Sizes are the store's, the rest is each client's own. */
static void add_stats(struct tmem_store_stats *sum, const struct tmem_store_stats *one)
{
    struct tmem_store_stats before = *sum;
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)one;
    TM_STATIC_ASSERT(sizeof *sum % sizeof *to == 0);
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
    sum->size_bytes = tm_max_u64(before.size_bytes, one->size_bytes);
    sum->span_bytes = tm_max_u64(before.span_bytes, one->span_bytes);
}

/* Without a client of its own a store asks as one that comes and goes. */
static enum tmem_result ask_as_guest(struct tm_unix_store *store, struct tmem_store_stats *stats)
{
    const struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    struct tm_unix_client *guest;
    char name[TMEM_CLIENT_NAME_SIZE];
    (void)snprintf(name, sizeof name, "guest-%d", (int)getpid());
    enum tmem_result result = tm_unix_connect(store, name, &options, &guest);
    if (result != TMEM_OK)
        return result;
    enum tm_wire_result outcome = tm_unix_count(guest, TM_WIRE_OF_STORE, 0, stats, sizeof *stats);
    tm_unix_disconnect(guest, true);
    stats->clients = 0;
    return tm_wire_public(outcome);
}

static enum tmem_result store_stats(struct tmem_store *public_store, struct tmem_store_stats *stats)
{
    struct tm_unix_store *store = tm_unix_store_of(public_store);
    enum tm_wire_result result = TM_WIRE_OK;
    uint64_t clients = 0;
    if (!tm_unix_is_alive(store))
        return TMEM_UNAVAILABLE;
    memset(stats, 0, sizeof *stats);
    pthread_mutex_lock(&store->lock);
    for (struct tm_unix_client *at = store->clients; at != NULL && result == TM_WIRE_OK; at = at->next) {
        struct tmem_store_stats one;
        result = tm_unix_count(at, TM_WIRE_OF_STORE, 0, &one, sizeof one);
        if (result == TM_WIRE_OK)
            add_stats(stats, &one);
        clients++;
    }
    pthread_mutex_unlock(&store->lock);
    if (clients == 0)
        return ask_as_guest(store, stats);
    stats->clients = clients;
    return tm_wire_public(result);
}

/* ---- opening and closing ---- */

static void free_store(struct tm_unix_store *store)
{
    if (store->alive != NULL)
        munmap(store->alive, TM_PAGE_BYTES);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* In a forked child the connections are the parent's: only the child's descriptors go. */
static void forget_all(struct tm_unix_store *store)
{
    for (struct tm_unix_client *client = store->clients; client != NULL; client = client->next)
        tm_link_forget(&client->link);
    tm_unix_watch_forget(&store->watch);
}

static void unix_close(struct tmem_store *public_store)
{
    struct tm_unix_store *store = tm_unix_store_of(public_store);
    if (!tm_unix_is_alive(store)) {
        forget_all(store);
        return;
    }
    tm_unix_watch_fini(&store->watch);
    while (store->clients != NULL) {
        struct tm_unix_client *client = store->clients;
        store->clients = client->next;
        tm_unix_disconnect(client, true);
    }
    free_store(store);
}

static bool watch_forks(struct tm_unix_store *store)
{
    void *page = mmap(NULL, TM_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    store->alive = page;
    *store->alive = 1;
    return madvise(page, TM_PAGE_BYTES, MADV_WIPEONFORK) == 0;
}

enum tmem_result tm_unix_open(const struct tm_uri *uri, struct tmem_store **result, struct tmem_error *error)
{
    enum tm_wire_result outcome = tm_link_try(uri->path, TRY_MS, error);
    if (outcome != TM_WIRE_OK)
        return tm_wire_public(outcome);
    struct tm_unix_store *store = calloc(1, sizeof *store);
    if (store == NULL || pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store);
        tm_error_set(error, "no memory");
        return TMEM_NOMEM;
    }
    store->base.home = &tm_unix_home;
    store->uri = *uri;
    if (!watch_forks(store)) {
        tm_error_set(error, "no memory to tell a forked child by");
        free_store(store);
        return TMEM_NOMEM;
    }
    if (!tm_unix_watch_init(&store->watch)) {
        tm_error_set(error, "no descriptors to watch connections by (is a limit set? see ulimit -n)");
        free_store(store);
        return TMEM_NOMEM;
    }
    enum tmem_result claimed = uri->token[0] != '\0' ? tm_unix_claim_by_file(store, error) : TMEM_OK;
    if (claimed != TMEM_OK) {
        tm_unix_watch_fini(&store->watch);
        free_store(store);
        return claimed;
    }
    *result = &store->base;
    return TMEM_OK;
}

const struct tm_home tm_unix_home = {
    .close = unix_close,
    .client_create = tm_unix_client_create,
    .client_open = tm_unix_client_open,
    .client_destroy = tm_unix_client_destroy,
    .pool_create = tm_unix_pool_create,
    .pool_open = tm_unix_pool_open,
    .pool_id = tm_unix_pool_id,
    .pool_destroy = tm_unix_pool_destroy,
    .put = tm_unix_put,
    .get = tm_unix_get,
    .invalidate_page = tm_unix_invalidate_page,
    .invalidate_object = tm_unix_invalidate_object,
    .put_many = tm_unix_put_many,
    .get_many = tm_unix_get_many,
    .get_stored = tm_unix_get_stored,
    .put_stored = tm_unix_put_stored,
    .memory_create = tm_unix_memory_create,
    .memory_destroy = tm_unix_memory_destroy,
    .walk = tm_unix_walk,
    .store_stats = store_stats,
    .client_stats = client_stats,
    .pool_stats = pool_stats,
    .store_clients = tm_unix_store_clients,
    .client_pools = tm_unix_client_pools,
};
