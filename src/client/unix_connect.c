/* SPDX-License-Identifier: BSD-2-Clause */
/* unix_connect.c - a client's connection: making it, losing it, making it again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/unix.h"

#define FIRST_WAIT_MS 5000u /* for a daemon that may have much to do just then */
#define AGAIN_WAIT_MS 800u  /* so that a call is answered within a second */
#define RETRY_MS_MIN 10u
#define RETRY_MS_MAX 1000u
#define ENTRIES 64u
#define MOVES_MAX 8u /* from daemon to daemon, in one try */

/* ---- pools, after the connection was lost ---- */

/* A request or a question while nobody else may use the link. */
static enum tm_wire_result call_alone(struct tm_unix_client *client, struct tm_wire_request *request,
                                      struct tm_wire_answer *answer)
{
    uint32_t place;
    if (tm_link_take(&client->link, 1, &place, true) == 0)
        return TM_WIRE_UNAVAILABLE;
    tm_link_send(&client->link, &place, request, 1, false);
    bool is_answered = tm_link_wait(&client->link, place, answer);
    tm_link_give_back(&client->link, &place, 1);
    return is_answered ? (enum tm_wire_result)answer->result : TM_WIRE_UNAVAILABLE;
}

static enum tm_wire_result open_again(struct tm_unix_pool *pool)
{
    union tm_wire_any any;
    tm_message_begin(&any, TM_WIRE_POOL_OPEN, 0, 0);
    any.pool.pool = tm_load_relaxed(&pool->id);
    return tm_link_ask(&pool->client->link, &any, -1, TM_WIRE_DONE, &any, true);
}

static enum tm_wire_result destroy_again(struct tm_unix_pool *pool)
{
    struct tm_wire_request request = {.operation = TM_WIRE_POOL_DESTROY, .pool = tm_load_relaxed(&pool->id)};
    struct tm_wire_answer answer;
    return call_alone(pool->client, &request, &answer);
}

static enum tm_wire_result create_again(struct tm_unix_pool *pool)
{
    struct tm_wire_answer answer;
    struct tm_wire_request request = {.operation = TM_WIRE_POOL_CREATE,
                                      .index = pool->flags,
                                      .object = {pool->uuid.word[0], pool->uuid.word[1], 0}};
    enum tm_wire_result result = call_alone(pool->client, &request, &answer);
    if (result == TM_WIRE_OK) {
        tm_store_relaxed(&pool->id, answer.value);
        pool->was_moved = false;
    }
    return result;
}

/* The id that it has with the daemon to which the client was moved, if it was. */
static enum tm_wire_result find_again(struct tm_unix_pool *pool)
{
    union tm_wire_any any;
    if (!pool->was_moved)
        return TM_WIRE_OK;
    tm_message_begin(&any, TM_WIRE_POOL_FORMER, 0, 0);
    any.pool.pool = tm_load_relaxed(&pool->id);
    enum tm_wire_result result = tm_link_ask(&pool->client->link, &any, -1, TM_WIRE_POOL_FOUND, &any, true);
    if (result != TM_WIRE_OK)
        return result;
    tm_store_relaxed(&pool->id, any.pool.pool);
    pool->was_moved = false;
    return TM_WIRE_OK;
}

/* False: it cannot be told now. */
static bool restore_pool(struct tm_unix_pool *pool, bool is_claimed)
{
    bool is_persistent = (pool->flags & TMEM_POOL_PERSISTENT) != 0;
    bool is_shared = (pool->flags & TMEM_POOL_SHARED) != 0;
    enum tm_wire_result result = TM_WIRE_NOT_FOUND;
    enum tm_wire_result found = is_claimed ? find_again(pool) : TM_WIRE_NOT_FOUND;
    if (found == TM_WIRE_UNAVAILABLE)
        return false;
    is_claimed = found == TM_WIRE_OK;
    if (is_claimed && (is_persistent || is_shared))
        result = open_again(pool);
    else if (is_claimed)
        /* What became of the last puts and invalidations is not known: nothing of it may be found again. */
        result = destroy_again(pool) == TM_WIRE_UNAVAILABLE ? TM_WIRE_UNAVAILABLE : TM_WIRE_NOT_FOUND;
    if (result == TM_WIRE_NOT_FOUND && !is_persistent)
        result = create_again(pool);
    if (result == TM_WIRE_OK)
        return true;
    if (result == TM_WIRE_UNAVAILABLE || result == TM_WIRE_NOMEM || result == TM_WIRE_REFUSED)
        return false;
    tm_store_relaxed(&pool->state, TM_UNIX_POOL_LOST);
    return true;
}

static bool restore_pools(struct tm_unix_client *client, bool is_claimed)
{
    bool is_right = true;
    pthread_mutex_lock(&client->pools_lock);
    for (struct tm_unix_pool **at = &client->pools; is_right && *at != NULL;) {
        struct tm_unix_pool *pool = *at;
        if (tm_load_relaxed(&pool->state) == TM_UNIX_POOL_DOOMED) {
            enum tm_wire_result found = is_claimed ? find_again(pool) : TM_WIRE_NOT_FOUND;
            if (found == TM_WIRE_OK)
                found = destroy_again(pool);
            if (found == TM_WIRE_UNAVAILABLE) {
                is_right = false;
                break;
            }
            *at = pool->next;
            TM_MAGIC_END(pool, TM_UNIX_POOL_MAGIC);
            free(pool);
            continue;
        }
        if (tm_load_relaxed(&pool->state) == TM_UNIX_POOL_READY)
            is_right = restore_pool(pool, is_claimed);
        at = &pool->next;
    }
    pthread_mutex_unlock(&client->pools_lock);
    return is_right;
}

/* ---- connecting ---- */

/* From now on it is the other daemon's pools that are to be found. */
static void note_move(struct tm_unix_client *client)
{
    pthread_mutex_lock(&client->pools_lock);
    for (struct tm_unix_pool *pool = client->pools; pool != NULL; pool = pool->next)
        pool->was_moved = true;
    pthread_mutex_unlock(&client->pools_lock);
}

/* @error may be NULL. */
static enum tm_wire_result connect_once(struct tm_unix_client *client, unsigned wait_ms, bool *is_claimed,
                                        struct tmem_error *error)
{
    struct tm_wire_welcome welcome;
    enum tm_wire_result result = TM_LINK_MOVED;
    for (unsigned hops = 0; result == TM_LINK_MOVED && hops <= MOVES_MAX; hops++) {
        result = tm_link_open(&client->link, client->path, &client->hello, wait_ms, &welcome, error);
        if (result == TM_LINK_MOVED) {
            memcpy(client->path, client->link.moved_to, sizeof client->path);
            note_move(client);
        }
    }
    if (result != TM_WIRE_OK)
        return result == TM_LINK_MOVED ? TM_WIRE_UNAVAILABLE : result;
    client->hello.token = welcome.token;
    if (client->name[0] == '\0')
        (void)snprintf(client->name, sizeof client->name, "%.*s", (int)sizeof welcome.name - 1, welcome.name);
    *is_claimed = welcome.claimed != 0;
    tm_unix_watch_socket(&client->store->watch, client->link.socket);
    return TM_WIRE_OK;
}

static bool revive_locked(struct tm_unix_client *client)
{
    bool is_claimed = false;
    if (tm_link_is_open(&client->link))
        return true; /* somebody else was faster */
    if (tm_link_now_ms() < client->retry_at_ms)
        return false;
    tm_link_close(&client->link);
    struct tm_wire_token token = client->hello.token;
    if (connect_once(client, AGAIN_WAIT_MS, &is_claimed, NULL) == TM_WIRE_OK) {
        tm_unix_restore_memory(client);
        if (restore_pools(client, is_claimed)) {
            tm_link_publish(&client->link);
            client->retry_ms = RETRY_MS_MIN;
            client->retry_at_ms = 0;
            return true;
        }
        /* Pools that are still to be found need the token by which the daemon knew them. */
        if (is_claimed)
            client->hello.token = token;
        tm_link_break(&client->link);
    }
    client->retry_at_ms = tm_link_now_ms() + client->retry_ms;
    client->retry_ms = client->retry_ms * 2u < RETRY_MS_MAX ? client->retry_ms * 2u : RETRY_MS_MAX;
    return false;
}

bool tm_unix_revive(struct tm_unix_client *client)
{
    pthread_mutex_lock(&client->connecting);
    bool is_open = revive_locked(client);
    pthread_mutex_unlock(&client->connecting);
    return is_open;
}

uint32_t tm_unix_take(struct tm_unix_client *client, uint32_t wanted, uint32_t *places)
{
    if (!tm_unix_is_alive(client->store))
        return 0;
    uint32_t count = tm_link_take(&client->link, wanted, places, false);
    if (count == 0 && tm_unix_revive(client))
        count = tm_link_take(&client->link, wanted, places, false);
    return count;
}

enum tm_wire_result tm_unix_call(struct tm_unix_client *client, struct tm_wire_request *request,
                                 struct tm_wire_answer *answer)
{
    uint32_t place;
    if (tm_unix_take(client, 1, &place) == 0)
        return TM_WIRE_UNAVAILABLE;
    tm_link_send(&client->link, &place, request, 1, false);
    bool is_answered = tm_link_wait(&client->link, place, answer);
    tm_link_give_back(&client->link, &place, 1);
    return is_answered ? (enum tm_wire_result)answer->result : TM_WIRE_UNAVAILABLE;
}

enum tm_wire_result tm_unix_ask(struct tm_unix_client *client, union tm_wire_any *question,
                                enum tm_wire_kind expected, union tm_wire_any *answer)
{
    if (!tm_unix_is_alive(client->store) || (!tm_link_is_open(&client->link) && !tm_unix_revive(client)))
        return TM_WIRE_UNAVAILABLE;
    return tm_link_ask(&client->link, question, -1, expected, answer, false);
}

/* ---- beginning and end ---- */

static void fill_hello(struct tm_unix_client *client, const struct tmem_client_options *options)
{
    const struct tm_uri *uri = &client->store->uri;
    struct tm_wire_hello *hello = &client->hello;
    *hello = (struct tm_wire_hello){
        .sizes = {ENTRIES, ENTRIES},
        .size_bytes = uri->size_bytes,
        .cap_bytes = options->cap_bytes != 0 ? options->cap_bytes : 1u, /* 0 would be no wish; 1 is as little */
        .weight = options->weight,
    };
    size_t prefix = strlen(uri->name);
    size_t length = strlen(client->name);
    /* Whoever calls looked at the lengths. */
    TM_ASSERT(prefix + 1u + length < sizeof hello->name);
    memcpy(hello->name, uri->name, prefix);
    if (prefix > 0)
        hello->name[prefix++] = '.';
    memcpy(hello->name + prefix, client->name, length);
    memcpy(hello->codec, uri->codec_text, sizeof hello->codec);
}

static void free_client(struct tm_unix_client *client)
{
    tm_unix_release_memory(client);
    tm_link_fini(&client->link);
    pthread_mutex_destroy(&client->connecting);
    pthread_mutex_destroy(&client->pools_lock);
    TM_MAGIC_END(client, TM_UNIX_CLIENT_MAGIC);
    free(client);
}

static struct tm_unix_client *allocate_client(struct tm_unix_store *store, const char *name)
{
    struct tm_unix_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->store = store;
    client->retry_ms = RETRY_MS_MIN;
    (void)snprintf(client->name, sizeof client->name, "%s", name);
    (void)snprintf(client->path, sizeof client->path, "%s", store->uri.path);
    if (pthread_mutex_init(&client->connecting, NULL) == 0) {
        if (pthread_mutex_init(&client->pools_lock, NULL) == 0) {
            if (tm_link_init(&client->link)) {
                TM_MAGIC_SET(client, TM_UNIX_CLIENT_MAGIC);
                return client;
            }
            pthread_mutex_destroy(&client->pools_lock);
        }
        pthread_mutex_destroy(&client->connecting);
    }
    free(client);
    return NULL;
}

enum tmem_result tm_unix_connect(struct tm_unix_store *store, const char *name,
                                 const struct tmem_client_options *options, struct tm_unix_client **result)
{
    bool is_claimed;
    if (!tm_unix_is_alive(store))
        return TMEM_UNAVAILABLE;
    struct tm_unix_client *client = allocate_client(store, name);
    if (client == NULL)
        return TMEM_NOMEM;
    fill_hello(client, options);
    enum tm_wire_result outcome = connect_once(client, FIRST_WAIT_MS, &is_claimed, NULL);
    if (outcome != TM_WIRE_OK) {
        free_client(client);
        return tm_wire_public(outcome);
    }
    tm_link_publish(&client->link);
    *result = client;
    return TMEM_OK;
}

enum tmem_result tm_unix_claim(struct tm_unix_store *store, const struct tm_wire_token *token,
                               struct tm_unix_client **result, struct tmem_error *error)
{
    bool is_claimed = false;
    struct tm_unix_client *client = allocate_client(store, "");
    if (client == NULL) {
        tm_error_set(error, "no memory for a client");
        return TMEM_NOMEM;
    }
    /* It wishes for nothing but what it had, and comes back by its token only. */
    client->hello = (struct tm_wire_hello){.sizes = {ENTRIES, ENTRIES}, .token = *token};
    enum tm_wire_result outcome = connect_once(client, FIRST_WAIT_MS, &is_claimed, error);
    if (outcome != TM_WIRE_OK) {
        free_client(client);
        return tm_wire_public(outcome);
    }
    tm_link_publish(&client->link);
    if (!is_claimed) {
        tm_unix_disconnect(client, true);
        tm_error_set(error, "this daemon cannot be asked for a client by its token alone (update it)");
        return TMEM_UNSUPPORTED;
    }
    *result = client;
    return TMEM_OK;
}

void tm_unix_disconnect(struct tm_unix_client *client, bool leaves)
{
    if (leaves) {
        union tm_wire_any any;
        tm_message_begin(&any, TM_WIRE_LEAVE, 0, 0);
        client->retry_at_ms = 0;
        (void)tm_unix_ask(client, &any, TM_WIRE_DONE, &any);
    }
    tm_link_break(&client->link);
    tm_link_close(&client->link);
    while (client->pools != NULL) {
        struct tm_unix_pool *pool = client->pools;
        client->pools = pool->next;
        TM_MAGIC_END(pool, TM_UNIX_POOL_MAGIC);
        free(pool);
    }
    free_client(client);
}
