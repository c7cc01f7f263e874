/* SPDX-License-Identifier: BSD-2-Clause */
/* unix_client.c - clients and pools of a store in a daemon. */
#include <stdlib.h>
#include <string.h>

#include "client/unix.h"

TM_STATIC_ASSERT((int)TM_WIRE_POOL_PERSISTENT == (int)TMEM_POOL_PERSISTENT);
TM_STATIC_ASSERT((int)TM_WIRE_POOL_SHARED == (int)TMEM_POOL_SHARED);
TM_STATIC_ASSERT(TM_WIRE_NAME_BYTES == TMEM_CLIENT_NAME_SIZE);

/* ---- clients ---- */

static bool name_is_valid(const struct tm_unix_store *store, const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@";
    size_t length = strlen(name);
    return length > 0 && length < TMEM_CLIENT_NAME_SIZE && strspn(name, legal) == length &&
           length + strlen(store->uri.name) + 1u < TM_WIRE_NAME_BYTES;
}

/* Under the store's lock. Its place in the list, which is ordered by name: there, or where it would be. */
static struct tm_unix_client **find_client(struct tm_unix_store *store, const char *name)
{
    struct tm_unix_client **at = &store->clients;
    while (*at != NULL && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    return at;
}

void tm_unix_add_client(struct tm_unix_store *store, struct tm_unix_client *client)
{
    pthread_mutex_lock(&store->lock);
    struct tm_unix_client **at = find_client(store, client->name);
    client->next = *at;
    *at = client;
    tm_unix_watch_start(store);
    pthread_mutex_unlock(&store->lock);
}

enum tmem_result tm_unix_client_create(struct tmem_store *public_store, const char *name,
                                       const struct tmem_client_options *options, struct tmem_client **result)
{
    struct tm_unix_store *store = tm_unix_store_of(public_store);
    struct tm_unix_client *client = NULL;
    if (!name_is_valid(store, name) || options->weight < TMEM_WEIGHT_MIN || options->weight > TMEM_WEIGHT_MAX)
        return TMEM_INVALID;
    /* The daemon knows one client of a name, so two that are made at the same time are told apart there. */
    enum tmem_result outcome = tm_unix_connect(store, name, options, &client);
    if (outcome != TMEM_OK)
        return outcome;
    tm_unix_add_client(store, client);
    *result = tm_unix_client_handle(client);
    return TMEM_OK;
}

enum tmem_result tm_unix_client_open(struct tmem_store *public_store, const char *name, struct tmem_client **result)
{
    struct tm_unix_store *store = tm_unix_store_of(public_store);
    if (!tm_unix_is_alive(store))
        return TMEM_UNAVAILABLE;
    pthread_mutex_lock(&store->lock);
    struct tm_unix_client *client = *find_client(store, name);
    bool is_found = client != NULL && strcmp(client->name, name) == 0;
    pthread_mutex_unlock(&store->lock);
    if (!is_found)
        return TMEM_NOT_FOUND;
    *result = tm_unix_client_handle(client);
    return TMEM_OK;
}

void tm_unix_client_destroy(struct tmem_client *handle)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    struct tm_unix_store *store = client->store;
    if (!tm_unix_is_alive(store))
        return; /* the parent's */
    pthread_mutex_lock(&store->lock);
    struct tm_unix_client **at = &store->clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    while (client->is_watched)
        pthread_cond_wait(&store->watch.unwatched, &store->lock);
    pthread_mutex_unlock(&store->lock);
    tm_unix_disconnect(client, true);
}

enum tmem_result tm_unix_store_clients(struct tmem_store *public_store, char after[TMEM_CLIENT_NAME_SIZE],
                                       char (*names)[TMEM_CLIENT_NAME_SIZE], size_t capacity, size_t *count)
{
    struct tm_unix_store *store = tm_unix_store_of(public_store);
    if (!tm_unix_is_alive(store))
        return TMEM_UNAVAILABLE;
    *count = 0;
    pthread_mutex_lock(&store->lock);
    for (struct tm_unix_client *at = *find_client(store, after); at != NULL && *count < capacity; at = at->next)
        if (strcmp(at->name, after) > 0)
            memcpy(names[(*count)++], at->name, sizeof at->name);
    pthread_mutex_unlock(&store->lock);
    return TMEM_OK;
}

/* ---- pools ---- */

static struct tm_unix_pool *add_pool(struct tm_unix_client *client, uint32_t flags, const struct tmem_uuid *uuid)
{
    struct tm_unix_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->client = client;
    pool->flags = flags;
    if (uuid != NULL)
        pool->uuid = *uuid;
    pool->state = TM_UNIX_POOL_MAKING;
    TM_MAGIC_SET(pool, TM_UNIX_POOL_MAGIC);
    pthread_mutex_lock(&client->pools_lock);
    pool->next = client->pools;
    client->pools = pool;
    pthread_mutex_unlock(&client->pools_lock);
    return pool;
}

static void remove_pool(struct tm_unix_pool *pool)
{
    struct tm_unix_client *client = pool->client;
    pthread_mutex_lock(&client->pools_lock);
    struct tm_unix_pool **at = &client->pools;
    while (*at != pool)
        at = &(*at)->next;
    *at = pool->next;
    pthread_mutex_unlock(&client->pools_lock);
    TM_MAGIC_END(pool, TM_UNIX_POOL_MAGIC);
    free(pool);
}

enum tmem_result tm_unix_pool_create(struct tmem_client *handle, uint32_t flags, const struct tmem_uuid *uuid,
                                     struct tmem_pool **result)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    struct tm_wire_request request = {.operation = TM_WIRE_POOL_CREATE, .index = flags};
    struct tm_wire_answer answer = {0};
    uint32_t place;
    bool is_shared = (flags & TMEM_POOL_SHARED) != 0;
    if ((flags & ~(uint32_t)(TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED)) != 0 || is_shared != (uuid != NULL))
        return TMEM_INVALID;
    if (is_shared)
        memcpy(request.object, uuid->word, sizeof uuid->word);
    if (!tm_unix_is_alive(client->store))
        return TMEM_UNAVAILABLE;
    struct tm_unix_pool *pool = add_pool(client, flags, uuid);
    if (pool == NULL)
        return TMEM_NOMEM;
    if (tm_unix_take(client, 1, &place) == 0) {
        remove_pool(pool);
        return TMEM_UNAVAILABLE;
    }
    tm_link_send(&client->link, &place, &request, 1, false);
    bool is_answered = tm_link_wait(&client->link, place, &answer);
    bool is_made = is_answered && answer.result == TM_WIRE_OK;
    if (is_made) {
        /* Before the place goes back: nobody restores pools while there is one in use. */
        tm_store_relaxed(&pool->id, answer.value);
        tm_store_relaxed(&pool->state, TM_UNIX_POOL_READY);
    }
    tm_link_give_back(&client->link, &place, 1);
    if (!is_made) {
        remove_pool(pool);
        return is_answered ? tm_wire_public((enum tm_wire_result)answer.result) : TMEM_UNAVAILABLE;
    }
    *result = tm_unix_pool_handle(pool);
    return TMEM_OK;
}

static struct tm_unix_pool *find_pool(struct tm_unix_client *client, uint64_t id)
{
    pthread_mutex_lock(&client->pools_lock);
    struct tm_unix_pool *pool = client->pools;
    while (pool != NULL &&
           (tm_load_relaxed(&pool->id) != id || tm_load_relaxed(&pool->state) != TM_UNIX_POOL_READY))
        pool = pool->next;
    pthread_mutex_unlock(&client->pools_lock);
    return pool;
}

enum tmem_result tm_unix_pool_open(struct tmem_client *handle, uint64_t pool_id, struct tmem_pool **result)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    struct tmem_pool_stats stats;
    union tm_wire_any any;
    if (!tm_unix_is_alive(client->store))
        return TMEM_UNAVAILABLE;
    struct tm_unix_pool *pool = find_pool(client, pool_id);
    if (pool != NULL) {
        *result = tm_unix_pool_handle(pool);
        return TMEM_OK;
    }
    tm_message_begin(&any, TM_WIRE_POOL_OPEN, 0, 0);
    any.pool.pool = pool_id;
    enum tm_wire_result outcome = tm_unix_ask(client, &any, TM_WIRE_DONE, &any);
    /* Of which kind it is decides what becomes of it when the connection is lost. */
    if (outcome == TM_WIRE_OK)
        outcome = tm_unix_count(client, TM_WIRE_OF_POOL, pool_id, &stats, sizeof stats);
    if (outcome != TM_WIRE_OK)
        return tm_wire_public(outcome);
    pool = add_pool(client, stats.flags, &stats.uuid);
    if (pool == NULL)
        return TMEM_NOMEM;
    tm_store_relaxed(&pool->id, pool_id);
    tm_store_relaxed(&pool->state, TM_UNIX_POOL_READY);
    *result = tm_unix_pool_handle(pool);
    return TMEM_OK;
}

enum tmem_result tm_unix_find_pools(struct tm_unix_client *client)
{
    union tm_wire_any any;
    enum tmem_result result = TMEM_OK;
    for (uint64_t id = 0; result == TMEM_OK; id = any.pool.pool) {
        struct tmem_pool *pool;
        tm_message_begin(&any, TM_WIRE_POOL_NEXT, 0, 0);
        any.pool.pool = id;
        result = tm_wire_public(tm_unix_ask(client, &any, TM_WIRE_POOL_FOUND, &any));
        if (result == TMEM_OK)
            result = tm_unix_pool_open(tm_unix_client_handle(client), any.pool.pool, &pool);
    }
    return result == TMEM_NOT_FOUND ? TMEM_OK : result;
}

uint64_t tm_unix_pool_id(const struct tmem_pool *handle)
{
    const struct tm_unix_pool *pool =
        (const struct tm_unix_pool *)(const void *)((const unsigned char *)handle - TM_HANDLE_UNIX);
    TM_MAGIC_CHECK(pool, TM_UNIX_POOL_MAGIC);
    return tm_load_relaxed(&pool->id);
}

void tm_unix_pool_destroy(struct tmem_pool *handle)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    struct tm_wire_request request = {.operation = TM_WIRE_POOL_DESTROY};
    struct tm_wire_answer answer;
    uint32_t place;
    if (!tm_unix_is_alive(pool->client->store))
        return; /* the parent's */
    struct tm_link *link = &pool->client->link;
    bool is_answered = false;
    if (tm_unix_take(pool->client, 1, &place) != 0) {
        request.pool = tm_load_relaxed(&pool->id);
        tm_link_send(link, &place, &request, 1, false);
        is_answered = tm_link_wait(link, place, &answer) && answer.result != TM_WIRE_UNAVAILABLE;
        if (!is_answered)
            tm_store_relaxed(&pool->state, TM_UNIX_POOL_DOOMED);
        tm_link_give_back(link, &place, 1);
    } else {
        tm_store_relaxed(&pool->state, TM_UNIX_POOL_DOOMED);
    }
    if (is_answered)
        remove_pool(pool);
}

enum tmem_result tm_unix_client_pools(struct tmem_client *handle, uint64_t after, uint64_t *ids, size_t capacity,
                                      size_t *count)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    if (!tm_unix_is_alive(client->store))
        return TMEM_UNAVAILABLE;
    pthread_mutex_lock(&client->pools_lock);
    for (*count = 0; *count < capacity; (*count)++) {
        uint64_t least = UINT64_MAX;
        for (const struct tm_unix_pool *pool = client->pools; pool != NULL; pool = pool->next) {
            uint64_t id = tm_load_relaxed(&pool->id);
            uint32_t state = tm_load_relaxed(&pool->state);
            if (id > after && id < least && (state == TM_UNIX_POOL_READY || state == TM_UNIX_POOL_LOST))
                least = id;
        }
        if (least == UINT64_MAX)
            break;
        after = ids[*count] = least;
    }
    pthread_mutex_unlock(&client->pools_lock);
    return TMEM_OK;
}
