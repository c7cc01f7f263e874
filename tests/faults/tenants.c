/* SPDX-License-Identifier: BSD-2-Clause */
/* tenants.c - clients, rights and pools coming and going, and what the statistics must say. */
#include "faults.h"

static const struct tm_uuid names[FAULTS_NAMES] = {{{1, 2}}, {{UINT64_MAX, 0}}};

static const uint32_t flags_of[FAULTS_POOLS] = {
    [FAULTS_CACHE] = 0,
    [FAULTS_SWAP] = TM_POOL_PERSISTENT,
    [FAULTS_SHARED_CACHE] = TM_POOL_SHARED,
    [FAULTS_SHARED_SWAP] = TM_POOL_SHARED | TM_POOL_PERSISTENT,
    [FAULTS_OTHER] = TM_POOL_PERSISTENT,
};

/* Index of a shared pool's name. */
static unsigned name_of(enum faults_pool_name pool)
{
    return pool == FAULTS_SHARED_CACHE ? 0u : 1u;
}

const char *faults_client_name(unsigned client)
{
    return client == 0 ? "first" : "second";
}

static uint32_t weight_of(unsigned client)
{
    return 100u + 50u * client;
}

/* ---- nothing changed ---- */

/* What an operation that failed may not have touched. */
struct state {
    uint64_t clients, pools, pages, objects;
    uint64_t charged[FAULTS_CLIENTS], pools_of[FAULTS_CLIENTS];
};

static struct state state_of(const struct faults_world *world)
{
    struct tm_engine_figures engine;
    struct state state;
    memset(&state, 0, sizeof state);
    tm_engine_figures(world->engine, &engine);
    state.clients = engine.clients;
    state.pools = engine.pools;
    state.pages = engine.pages;
    state.objects = engine.objects;
    for (unsigned i = 0; i < FAULTS_CLIENTS; i++) {
        struct tm_client_figures client;
        if (world->client[i] == NULL)
            continue;
        tm_client_figures(world->client[i], &client);
        state.charged[i] = client.charged_bytes;
        state.pools_of[i] = client.pools;
    }
    return state;
}

/* True: the operation is to be tried again, while nothing fails. It answered @result where @wanted would be right. */
static bool must_retry(struct faults_world *world, const struct state *before, const char *what,
                       enum tm_result result, enum tm_result wanted)
{
    if (result == wanted) {
        faults_end(world);
        return false;
    }
    if (result != TM_NOMEM || !faults_met(world))
        faults_fail(world, "%s: answers %d, must be %d", what, (int)result, (int)wanted);
    struct state after = state_of(world);
    if (memcmp(before, &after, sizeof after) != 0)
        faults_fail(world, "%s: failed, and something has changed", what);
    faults_end(world);
    return true;
}

static void check_retry(const struct faults_world *world, const char *what, enum tm_result result,
                        enum tm_result wanted)
{
    if (result != wanted)
        faults_fail(world, "%s: answers %d when tried again and nothing fails, must be %d", what, (int)result,
                    (int)wanted);
}

/* ---- clients ---- */

void faults_client_create(struct faults_world *world, unsigned client)
{
    const char *name = faults_client_name(client);
    bool exists = world->client[client] != NULL;
    enum tm_result wanted = exists ? TM_EXISTS : TM_OK;
    struct tm_client *made = NULL;
    struct state before = state_of(world);
    faults_begin(world);
    enum tm_result result = tm_client_create(world->engine, name, weight_of(client), UINT64_MAX, &made);
    if (must_retry(world, &before, "client_create", result, wanted)) {
        if ((tm_client_find(world->engine, name) != NULL) != exists)
            faults_fail(world, "client_create: failed, and the client is there");
        faults_suspend(world);
        result = tm_client_create(world->engine, name, weight_of(client), UINT64_MAX, &made);
        faults_resume(world);
        check_retry(world, "client_create", result, wanted);
    }
    if (!exists)
        world->client[client] = made;
}

/* The pool without this member; without any, it is gone. */
static void forget_member(struct faults_world *world, unsigned client, struct faults_pool *pool)
{
    pool->member[client] = NULL;
    for (unsigned i = 0; i < FAULTS_CLIENTS; i++)
        if (pool->member[i] != NULL)
            return;
    (void)world;
    memset(pool, 0, sizeof *pool);
}

void faults_client_destroy(struct faults_world *world, unsigned client)
{
    faults_begin(world);
    tm_client_destroy(world->client[client]);
    world->client[client] = NULL;
    world->is_frozen[client] = false;
    memset(world->has_right[client], 0, sizeof world->has_right[client]);
    for (unsigned i = 0; i < FAULTS_POOLS; i++)
        if (world->pool[i].member[client] != NULL)
            forget_member(world, client, &world->pool[i]);
    if (tm_client_find(world->engine, faults_client_name(client)) != NULL)
        faults_fail(world, "client_destroy: the client is still there");
    faults_end(world);
}

void faults_client_settings(struct faults_world *world, unsigned client)
{
    struct tm_client_figures figures;
    faults_begin(world);
    if (tm_client_set_weight(world->client[client], 7) != TM_OK ||
        tm_client_set_weight(world->client[client], 0) != TM_INVALID)
        faults_fail(world, "set_weight: takes what it must not, or does not take what it must");
    tm_client_figures(world->client[client], &figures);
    if (figures.weight != 7 || tm_client_set_weight(world->client[client], weight_of(client)) != TM_OK)
        faults_fail(world, "set_weight: the weight is %u", figures.weight);
    faults_end(world);
}

void faults_set_frozen(struct faults_world *world, unsigned client, bool is_frozen)
{
    tm_client_set_frozen(world->client[client], is_frozen);
    world->is_frozen[client] = is_frozen;
}

/* ---- rights ---- */

void faults_authorise(struct faults_world *world, unsigned client, unsigned name)
{
    struct state before = state_of(world);
    faults_begin(world);
    enum tm_result result = tm_client_authorise(world->client[client], &names[name]);
    if (must_retry(world, &before, "authorise", result, TM_OK)) {
        enum tm_result had = world->has_right[client][name] ? TM_OK : TM_NOT_FOUND;
        faults_suspend(world);
        if (tm_client_deauthorise(world->client[client], &names[name]) != had)
            faults_fail(world, "authorise: failed, and the client has the right, or lost the one it had");
        check_retry(world, "authorise", tm_client_authorise(world->client[client], &names[name]), TM_OK);
        faults_resume(world);
    }
    world->has_right[client][name] = true;
}

void faults_deauthorise(struct faults_world *world, unsigned client, unsigned name)
{
    enum tm_result wanted = world->has_right[client][name] ? TM_OK : TM_NOT_FOUND;
    faults_begin(world);
    enum tm_result result = tm_client_deauthorise(world->client[client], &names[name]);
    if (result != wanted)
        faults_fail(world, "deauthorise: answers %d, must be %d", (int)result, (int)wanted);
    world->has_right[client][name] = false;
    faults_end(world);
}

/* ---- pools ---- */

void faults_pool_create(struct faults_world *world, unsigned client, enum faults_pool_name name)
{
    struct faults_pool *pool = &world->pool[name];
    uint32_t flags = flags_of[name];
    bool is_shared = (flags & TM_POOL_SHARED) != 0;
    const struct tm_uuid *uuid = is_shared ? &names[name_of(name)] : NULL;
    struct tm_member *made = NULL;
    enum tm_result wanted = TM_OK;
    if (is_shared && !world->has_right[client][name_of(name)])
        wanted = TM_DENIED;
    else if (pool->member[client] != NULL)
        wanted = TM_EXISTS;
    struct state before = state_of(world);
    faults_begin(world);
    enum tm_result result = tm_pool_create(world->client[client], flags, uuid, &made);
    if (must_retry(world, &before, "pool_create", result, wanted)) {
        faults_suspend(world);
        result = tm_pool_create(world->client[client], flags, uuid, &made);
        faults_resume(world);
        check_retry(world, "pool_create", result, wanted);
    }
    if (wanted != TM_OK)
        return;
    if (pool->id != 0 && pool->id != tm_pool_id(made))
        faults_fail(world, "pool_create: joined another pool than the first client's");
    pool->member[client] = made;
    pool->id = tm_pool_id(made);
    pool->flags = flags;
}

void faults_pool_destroy(struct faults_world *world, unsigned client, enum faults_pool_name name)
{
    struct faults_pool *pool = &world->pool[name];
    uint64_t id = pool->id;
    faults_begin(world);
    tm_pool_destroy(pool->member[client]);
    forget_member(world, client, pool);
    if (tm_pool_find(world->client[client], id) != NULL)
        faults_fail(world, "pool_destroy: the pool is still there");
    faults_end(world);
}

/* ---- after a restart, and statistics ---- */

void faults_find_tenants(struct faults_world *world)
{
    for (unsigned client = 0; client < FAULTS_CLIENTS; client++) {
        struct tm_client *found = tm_client_find(world->engine, faults_client_name(client));
        if ((found != NULL) != (world->client[client] != NULL))
            faults_fail(world, "a client is missing after a restart, or one that had gone is there again");
        world->client[client] = found;
        for (unsigned i = 0; i < FAULTS_POOLS && found != NULL; i++) {
            struct faults_pool *pool = &world->pool[i];
            if (pool->member[client] == NULL)
                continue;
            pool->member[client] = tm_pool_find(found, pool->id);
            if (pool->member[client] == NULL)
                faults_fail(world, "pool %u is missing after a restart", i);
        }
    }
}

static void check_pool(const struct faults_world *world, unsigned client, const struct faults_pool *pool,
                       unsigned members)
{
    struct tm_pool_figures figures;
    tm_pool_figures(pool->member[client], &figures);
    uint64_t pages = faults_pages_of(pool);
    if (figures.id != pool->id || figures.flags != pool->flags || figures.members != members)
        faults_fail(world, "pool %llu: id, flags or members are wrong", (unsigned long long)pool->id);
    if (figures.counts.pages > pages || (faults_is_persistent(pool) && figures.counts.pages != pages))
        faults_fail(world, "pool %llu: %llu pages, must be %llu", (unsigned long long)pool->id,
                    (unsigned long long)figures.counts.pages, (unsigned long long)pages);
}

static unsigned check_client(const struct faults_world *world, unsigned client)
{
    struct tm_client_figures figures;
    unsigned pools = 0;
    uint64_t id = 0;
    tm_client_figures(world->client[client], &figures);
    if (figures.weight != weight_of(client) || figures.frozen != world->is_frozen[client])
        faults_fail(world, "client %s: weight or state are wrong", figures.name);
    if (figures.charged_bytes > figures.cap_bytes)
        faults_fail(world, "client %s: charged above its cap", figures.name);
    for (; tm_pool_next_id(world->client[client], id, &id); pools++)
        if (tm_pool_find(world->client[client], id) == NULL)
            faults_fail(world, "client %s: a pool is listed that is not found", figures.name);
    if (figures.pools != pools)
        faults_fail(world, "client %s: %llu pools, but %u are listed", figures.name,
                    (unsigned long long)figures.pools, pools);
    return pools;
}

void faults_check_tenants(struct faults_world *world)
{
    unsigned pools[FAULTS_CLIENTS] = {0};
    unsigned clients = 0;
    char name[TM_CLIENT_NAME_BYTES] = {0};
    for (unsigned i = 0; i < FAULTS_POOLS; i++) {
        const struct faults_pool *pool = &world->pool[i];
        unsigned members = (pool->member[0] != NULL) + (pool->member[1] != NULL);
        for (unsigned client = 0; client < FAULTS_CLIENTS; client++) {
            if (pool->member[client] == NULL)
                continue;
            check_pool(world, client, pool, members);
            pools[client]++;
        }
    }
    for (unsigned client = 0; client < FAULTS_CLIENTS; client++) {
        if (world->client[client] == NULL)
            continue;
        clients++;
        if (check_client(world, client) != pools[client])
            faults_fail(world, "client %s: not the pools that it must have", faults_client_name(client));
    }
    while (tm_client_next_name(world->engine, name, name))
        clients--;
    if (clients != 0)
        faults_fail(world, "not the clients that must be there");
}
