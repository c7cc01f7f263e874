/* SPDX-License-Identifier: BSD-2-Clause */
/* tenants.c - clients and pools that come and go, their limits and rights, and the store's size. */
#include <stdio.h>
#include <string.h>

#include "model.h"

#define MIB (UINT64_C(1) << 20)

/* What a daemon's configuration decides is not for its clients to change. */
static void expect_no_control(const struct world *world, enum tmem_result result)
{
    if (result != TMEM_UNSUPPORTED)
        model_fail(world, "an operator's call of a client: answered '%s'", tmem_result_text(result));
}

static struct model_client *draw_client(struct world *world, struct model_draw *draw)
{
    struct model_client *client = &world->client[model_below(draw, MODEL_CLIENTS)];
    return client->handle == NULL ? NULL : client;
}

static unsigned number_of(const struct world *world, const struct model_client *client)
{
    return (unsigned)(client - world->client);
}

static void client_name(unsigned number, char name[TMEM_CLIENT_NAME_SIZE])
{
    snprintf(name, TMEM_CLIENT_NAME_SIZE, "tenant-%u", number);
}

static struct tmem_uuid uuid_of(unsigned name)
{
    return (struct tmem_uuid){{content_scatter(name + 1000u), content_scatter(name + 2000u)}};
}

/* Others leaving a shared pool makes the parts of those who stay larger, whatever their caps say. */
static void note_allowances(struct world *world)
{
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        struct tmem_client_stats stats;
        if (world->client[i].handle == NULL)
            continue;
        if (tmem_client_stats(world->client[i].handle, &stats, sizeof stats) != TMEM_OK)
            model_fail(world, "client_stats failed");
        world->client[i].allowance = stats.charged_bytes;
    }
}

/* ---- clients ---- */

static uint64_t draw_cap(struct model_draw *draw)
{
    return model_chance(draw, 2) ? UINT64_MAX : (uint64_t)model_below(draw, 32u << 10) << 10;
}

void model_client_create(struct world *world, struct model_draw *draw)
{
    unsigned number = model_below(draw, MODEL_CLIENTS);
    struct model_client *client = &world->client[number];
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    char name[TMEM_CLIENT_NAME_SIZE];
    client_name(number, name);
    options.weight = 1u + model_below(draw, 1000);
    options.cap_bytes = model_chance(draw, 2) ? UINT64_MAX : draw_cap(draw);
    if (world->is_remote && options.cap_bytes == 0)
        options.cap_bytes = 1; /* what a daemon is asked for then */
    struct tmem_client *made = NULL;
    enum tmem_result result = tmem_client_create(world->store, name, &options, &made);
    if (client->handle != NULL) {
        if (result != TMEM_EXISTS)
            model_fail(world, "client_create: '%s' for a name that is taken", tmem_result_text(result));
        return;
    }
    if (result == TMEM_NOMEM && !model_has_plenty(world, NULL))
        return;
    if (result != TMEM_OK)
        model_fail(world, "client_create: answered '%s'", tmem_result_text(result));
    *client = (struct model_client){.handle = made, .weight = options.weight, .cap_bytes = options.cap_bytes};
}

static void forget_pool(struct model_pool *pool)
{
    memset(pool->content, 0, MODEL_OBJECTS * MODEL_PAGES * sizeof *pool->content);
    *pool = (struct model_pool){.content = pool->content};
}

static bool has_members(const struct model_pool *pool)
{
    for (unsigned i = 0; i < MODEL_CLIENTS; i++)
        if (pool->member[i] != NULL)
            return true;
    return false;
}

void model_client_destroy(struct world *world, struct model_draw *draw)
{
    struct model_client *client = draw_client(world, draw);
    if (client == NULL)
        return;
    tmem_client_destroy(client->handle);
    *client = (struct model_client){0};
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        struct model_pool *pool = &world->pool[i];
        pool->member[number_of(world, client)] = NULL;
        if (pool->id != 0 && !has_members(pool))
            forget_pool(pool);
    }
    note_allowances(world);
}

/* Whether everything that the client may lose has gone. */
static bool has_ephemeral_pages(struct world *world, const struct model_client *client)
{
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        struct tmem_pool_stats stats;
        struct tmem_pool *member = world->pool[i].member[number_of(world, client)];
        if (member == NULL || model_is_persistent(&world->pool[i]))
            continue;
        if (tmem_pool_stats(member, &stats, sizeof stats) != TMEM_OK)
            model_fail(world, "pool_stats failed");
        if (stats.counters.pages != 0)
            return true;
    }
    return false;
}

static void set_cap(struct world *world, struct model_draw *draw, struct model_client *client)
{
    struct tmem_client_stats stats;
    client->cap_bytes = draw_cap(draw);
    if (tmem_client_set_cap(client->handle, client->cap_bytes) != TMEM_OK ||
        tmem_client_stats(client->handle, &stats, sizeof stats) != TMEM_OK)
        model_fail(world, "client_set_cap: failed");
    if (stats.cap_bytes != client->cap_bytes)
        model_fail(world, "client_set_cap: the cap is another");
    client->allowance = stats.charged_bytes;
    if (stats.charged_bytes > client->cap_bytes && has_ephemeral_pages(world, client))
        model_fail(world, "client_set_cap: %llu charged, cap %llu, and ephemeral pages are left",
                   (unsigned long long)stats.charged_bytes, (unsigned long long)client->cap_bytes);
}

void model_client_limits(struct world *world, struct model_draw *draw)
{
    struct model_client *client = draw_client(world, draw);
    if (client == NULL)
        return;
    if (world->is_remote) {
        expect_no_control(world, tmem_client_set_cap(client->handle, 1));
        expect_no_control(world, tmem_client_set_weight(client->handle, 1));
        expect_no_control(world, tmem_client_set_compress(client->handle, false));
        return;
    }
    if (model_chance(draw, 2)) {
        set_cap(world, draw, client);
        return;
    }
    /* What is put is the same, however it is stored. */
    if (tmem_client_set_compress(client->handle, model_chance(draw, 2)) != TMEM_OK)
        model_fail(world, "client_set_compress: failed");
    uint32_t weight = model_below(draw, 20) == 0 ? 0 : 1u + model_below(draw, 1000000);
    enum tmem_result result = tmem_client_set_weight(client->handle, weight);
    if (result != (weight == 0 ? TMEM_INVALID : TMEM_OK))
        model_fail(world, "client_set_weight(%u): answered '%s'", weight, tmem_result_text(result));
    if (weight != 0)
        client->weight = weight;
}

void model_client_freeze(struct world *world, struct model_draw *draw)
{
    struct model_client *client = draw_client(world, draw);
    if (client == NULL)
        return;
    if (world->is_remote) {
        expect_no_control(world, tmem_client_freeze(client->handle));
        return;
    }
    client->is_frozen = model_chance(draw, 8);
    enum tmem_result result =
        client->is_frozen ? tmem_client_freeze(client->handle) : tmem_client_thaw(client->handle);
    if (result != TMEM_OK)
        model_fail(world, "freeze or thaw: answered '%s'", tmem_result_text(result));
}

void model_client_rights(struct world *world, struct model_draw *draw)
{
    struct model_client *client = draw_client(world, draw);
    unsigned name = model_below(draw, MODEL_NAMES);
    struct tmem_uuid uuid = uuid_of(name);
    if (client == NULL)
        return;
    if (world->is_remote) {
        expect_no_control(world, tmem_client_authorise(client->handle, &uuid));
        expect_no_control(world, tmem_client_deauthorise(client->handle, &uuid));
        return;
    }
    if (model_below(draw, 4) != 0) {
        enum tmem_result result = tmem_client_authorise(client->handle, &uuid);
        if (result == TMEM_NOMEM && !model_has_plenty(world, NULL))
            return;
        if (result != TMEM_OK)
            model_fail(world, "client_authorise: answered '%s'", tmem_result_text(result));
        client->has_right[name] = true;
        return;
    }
    enum tmem_result result = tmem_client_deauthorise(client->handle, &uuid);
    if (result != (client->has_right[name] ? TMEM_OK : TMEM_NOT_FOUND))
        model_fail(world, "client_deauthorise: answered '%s'", tmem_result_text(result));
    client->has_right[name] = false;
}

/* ---- pools ---- */

static struct model_pool *free_pool(struct world *world)
{
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        if (world->pool[i].id == 0)
            return &world->pool[i];
    return NULL;
}

static struct model_pool *shared_pool(struct world *world, unsigned name)
{
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        if (world->pool[i].id != 0 && model_is_shared(&world->pool[i]) && world->pool[i].name == name)
            return &world->pool[i];
    return NULL;
}

/* What joining or making a shared pool must answer; TMEM_RESULT_COUNT: it depends. */
static enum tmem_result expect_join(const struct world *world, const struct model_client *client,
                                    const struct model_pool *pool, unsigned name, uint32_t flags)
{
    if (!client->has_right[name])
        return TMEM_DENIED;
    if (pool == NULL)
        return TMEM_OK;
    if (pool->flags != flags)
        return TMEM_INVALID;
    if (pool->member[number_of(world, client)] != NULL)
        return TMEM_EXISTS;
    return client->cap_bytes == UINT64_MAX ? TMEM_OK : TMEM_RESULT_COUNT;
}

static void enter_pool(struct world *world, const struct model_client *client, struct model_pool *pool,
                       struct tmem_pool *made, uint32_t flags, unsigned name)
{
    uint64_t id = tmem_pool_id(made);
    if (id == 0 || (pool->id != 0 && pool->id != id))
        model_fail(world, "pool_create: the id is not the pool's");
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        if (&world->pool[i] != pool && world->pool[i].id == id)
            model_fail(world, "pool_create: the id is another pool's, too");
    pool->id = id;
    pool->flags = flags;
    pool->name = name;
    pool->member[number_of(world, client)] = made;
}

void model_pool_create(struct world *world, struct model_draw *draw)
{
    struct model_client *client = draw_client(world, draw);
    uint32_t flags = model_below(draw, 2) != 0 ? TMEM_POOL_PERSISTENT : TMEM_POOL_EPHEMERAL;
    flags |= model_chance(draw, 3) ? TMEM_POOL_SHARED : 0u;
    unsigned name = model_below(draw, MODEL_NAMES);
    struct tmem_uuid uuid = uuid_of(name);
    bool is_shared = (flags & TMEM_POOL_SHARED) != 0;
    struct model_pool *pool = is_shared ? shared_pool(world, name) : NULL;
    struct model_pool *place = pool != NULL ? pool : free_pool(world);
    if (client == NULL || place == NULL)
        return;
    enum tmem_result expected = is_shared ? expect_join(world, client, pool, name, flags) : TMEM_OK;
    struct tmem_pool *made = NULL;
    enum tmem_result result = tmem_pool_create(client->handle, flags, is_shared ? &uuid : NULL, &made);
    if (result == TMEM_NOMEM && !model_has_plenty(world, NULL))
        return;
    bool depends = expected == TMEM_RESULT_COUNT && (result == TMEM_OK || result == TMEM_REFUSED);
    if (result != expected && !depends)
        model_fail(world, "pool_create(flags %u): answered '%s'", flags, tmem_result_text(result));
    if (result == TMEM_OK)
        enter_pool(world, client, place, made, flags, name);
    model_check_charge(world, client);
}

void model_pool_destroy(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    if (!model_draw_spot(world, draw, &spot))
        return;
    spot.pool->member[number_of(world, spot.client)] = NULL;
    tmem_pool_destroy(spot.member);
    if (!has_members(spot.pool))
        forget_pool(spot.pool);
    note_allowances(world);
}

/* ---- the store ---- */

void model_set_size(struct world *world, struct model_draw *draw)
{
    uint64_t size_bytes = (16u + model_below(draw, 49)) * MIB;
    enum tmem_result result = tmem_store_set_size(world->store, size_bytes);
    if (world->is_remote) {
        expect_no_control(world, result);
        return;
    }
    if (result != TMEM_OK && result != TMEM_REFUSED)
        model_fail(world, "store_set_size: answered '%s'", tmem_result_text(result));
    world->size_bytes = size_bytes;
    world->is_squeezed = result == TMEM_REFUSED;
    if (world->is_squeezed && model_has_plenty(world, NULL))
        model_fail(world, "store_set_size: refused, although persistent pages need far less");
    model_check_size(world);
}

/* From one client, who loses what it may lose and nothing else. */
static void reclaim_from(struct world *world, struct model_client *client, uint64_t wanted)
{
    uint64_t released = 0;
    enum tmem_result result = tmem_client_reclaim(client->handle, wanted, &released);
    if (world->is_remote) {
        expect_no_control(world, result);
        return;
    }
    if (result != TMEM_OK)
        model_fail(world, "client_reclaim: answered '%s'", tmem_result_text(result));
    if (released < wanted && has_ephemeral_pages(world, client))
        model_fail(world, "client_reclaim: %llu bytes released of %llu, and ephemeral pages are left",
                   (unsigned long long)released, (unsigned long long)wanted);
}

void model_reclaim(struct world *world, struct model_draw *draw)
{
    struct model_client *client = model_chance(draw, 2) ? draw_client(world, draw) : NULL;
    if (client != NULL) {
        reclaim_from(world, client, (uint64_t)model_below(draw, 4096) << 10);
        return;
    }
    uint64_t freeable = 0;
    uint64_t returned = 0;
    uint64_t wanted = (uint64_t)model_below(draw, 32) * MIB;
    if (world->is_remote) {
        expect_no_control(world, tmem_store_reclaim(world->store, wanted, &returned));
        return;
    }
    if (tmem_store_freeable(world->store, &freeable) != TMEM_OK)
        model_fail(world, "store_freeable: failed");
    if (model_chance(draw, 3))
        wanted = freeable;
    if (tmem_store_reclaim(world->store, wanted, &returned) != TMEM_OK)
        model_fail(world, "store_reclaim: failed");
    if (returned < wanted && returned < freeable)
        model_fail(world, "store_reclaim: %llu bytes came back of %llu wanted and %llu said to be freeable",
                   (unsigned long long)returned, (unsigned long long)wanted, (unsigned long long)freeable);
    model_check_size(world);
}

/* By order, or from now on by the store's own thread, if it has one. */
void model_recompress(struct world *world, struct model_draw *draw)
{
    bool has_slower = strstr(world->uri, "codec=zstd") == NULL;
    bool is_order = model_chance(draw, 3);
    uint32_t percent = is_order ? 0 : model_below(draw, 101);
    uint64_t pages = 0;
    enum tmem_result result = is_order ? tmem_store_recompress(world->store, &pages)
                                       : tmem_store_set_cold(world->store, percent, model_below(draw, 2));
    if (world->is_remote) {
        expect_no_control(world, result);
        return;
    }
    bool is_ok = has_slower || (!is_order && percent == 0);
    if (result != (is_ok ? TMEM_OK : TMEM_UNSUPPORTED))
        model_fail(world, "store_%s: answered '%s'", is_order ? "recompress" : "set_cold", tmem_result_text(result));
    model_check_size(world);
}
