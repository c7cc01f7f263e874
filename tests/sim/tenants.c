/* SPDX-License-Identifier: BSD-2-Clause */
/* tenants.c - clients and pools coming and going, limits, sizes, and the work of the background. */
#include "sim/host.h"

/* ---- settings that others may be changing ---- */

static void begin_change(struct sim_setting *setting)
{
    setting->changes++;
}

static void end_change(struct sim_world *world, struct sim_setting *setting, bool is_on)
{
    setting->changes--;
    setting->is_on = is_on;
    setting->stamp = ++world->history.now;
}

/* The setting has been so since before, and nobody changes it: what a call meanwhile goes by is certain. */
struct certainty {
    uint32_t stamp;
    bool is_certain;
};

static struct certainty look_at(const struct sim_setting *setting)
{
    return (struct certainty){setting->stamp, setting->changes == 0};
}

static bool is_still(const struct sim_setting *setting, struct certainty before)
{
    return before.is_certain && setting->changes == 0 && setting->stamp == before.stamp;
}

/* ---- the cap ---- */

/* What the client may be charged changes, perhaps without its doing. */
static void begin_cap_change(struct sim_client *client)
{
    client->cap_changes++;
}

static void end_cap_change(struct sim_world *world, struct sim_client *client)
{
    client->cap_changes--;
    client->cap_stamp = ++world->history.now;
}

static bool has_older_operations(const struct sim_world *world, uint32_t stamp)
{
    for (unsigned who = 0; who < COROUTINES_MAX; who++)
        if (world->began[who] != 0 && world->began[who] < stamp)
            return true;
    return false;
}

static void check_charge(struct sim_world *world, unsigned number)
{
    struct sim_client *client = &world->client[number];
    if (client->handle == NULL || client->is_busy || client->cap_changes != 0)
        return;
    uint64_t charged = client->handle->charged;
    if (client->cap_stamp != 0) {
        if (has_older_operations(world, client->cap_stamp))
            return;
        client->cap_stamp = 0;
        client->charge_max = tm_max_u64(client->cap_bytes, charged);
    }
    if (charged > client->charge_max)
        sim_fail("client %u is charged %llu bytes, but its cap is %llu and %llu was the most", number,
                 (unsigned long long)charged, (unsigned long long)client->cap_bytes,
                 (unsigned long long)client->charge_max);
    client->charge_max = tm_max_u64(client->cap_bytes, charged < client->charge_max ? charged : client->charge_max);
}

void sim_check_limits(struct sim_world *world)
{
    uint64_t resident = tm_store_resident(world->engine->store);
    uint64_t limit = world->size_max + tm_max_u64(world->size_max / 50u, UINT64_C(8) << 20);
    for (unsigned i = 0; i < SIM_CLIENTS; i++)
        check_charge(world, i);
    if (resident > limit)
        sim_fail("%llu bytes are resident, and at most %llu may be", (unsigned long long)resident,
                 (unsigned long long)limit);
}

void sim_set_cap(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_client *client = &world->client[sim_random(draw, SIM_CLIENTS)];
    uint64_t kind = sim_random(draw, 4);
    uint64_t pages = sim_random(draw, 12);
    if (client->handle == NULL || client->is_busy)
        return;
    uint64_t charged = client->handle->charged;
    uint64_t cap = kind == 0 ? UINT64_MAX : kind == 1 ? charged + pages * PAGE_BYTES
                                                      : charged - charged * pages / 12u;
    client->users++;
    begin_cap_change(client);
    tm_client_set_cap(client->handle, cap);
    client->cap_bytes = client->handle->cap_bytes; /* two may have set it at once */
    end_cap_change(world, client);
    client->users--;
}

/* ---- clients ---- */

void sim_client_create(struct sim_world *world, unsigned number)
{
    struct sim_client *client = &world->client[number];
    char name[TM_CLIENT_NAME_BYTES];
    sim_client_name(number, name);
    client->is_busy = true;
    enum tm_result result = tm_client_create(world->engine, name, 100, UINT64_MAX, &client->handle);
    client->is_busy = false;
    if (result != TM_OK && result != TM_NOMEM)
        sim_fail("making a client answered %d", (int)result);
    if (result == TM_NOMEM && sim_is_faultless(world) && !world->plan.survives)
        sim_fail("there is no memory for a client, but nothing failed");
    if (result != TM_OK) {
        client->handle = NULL;
        return;
    }
    uint32_t now = ++world->history.now;
    client->cap_bytes = client->charge_max = UINT64_MAX;
    client->cap_stamp = 0;
    client->frozen = (struct sim_setting){.stamp = now};
    for (unsigned i = 0; i < SIM_NAMES; i++)
        client->right[i] = (struct sim_setting){.stamp = now};
}

void sim_make_client(struct sim_world *world, struct sim_draw *draw)
{
    unsigned number = (unsigned)sim_random(draw, SIM_CLIENTS);
    if (world->client[number].handle == NULL && !world->client[number].is_busy)
        sim_client_create(world, number);
}

/* What the members of a shared pool are charged changes when one of them goes. */
static void change_all_caps(struct sim_world *world, bool begins)
{
    for (unsigned i = 0; i < SIM_CLIENTS; i++) {
        if (begins)
            begin_cap_change(&world->client[i]);
        else
            end_cap_change(world, &world->client[i]);
    }
}

void sim_end_client(struct sim_world *world, struct sim_draw *draw)
{
    unsigned number = (unsigned)sim_random(draw, SIM_CLIENTS);
    struct sim_client *client = &world->client[number];
    if (client->handle == NULL || client->is_busy || !sim_chance(draw, 2))
        return;
    client->is_busy = true;
    for (unsigned pool = 0; pool < SIM_POOLS; pool++)
        world->member[pool][number].is_busy = true;
    for (unsigned attempt = 0; client->users != 0; attempt++)
        tm_platform_wait(attempt);
    change_all_caps(world, true);
    tm_client_destroy(client->handle);
    change_all_caps(world, false);
    client->handle = NULL;
    for (unsigned pool = 0; pool < SIM_POOLS; pool++)
        world->member[pool][number] = (struct sim_member){.handle = NULL};
    client->is_busy = false;
}

void sim_freeze(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_client *client = &world->client[sim_random(draw, SIM_CLIENTS)];
    bool freezes = sim_chance(draw, 2);
    /* Two at once: which is last nobody knows. */
    if (client->handle == NULL || client->is_busy || client->frozen.changes != 0)
        return;
    client->users++;
    begin_change(&client->frozen);
    tm_client_set_frozen(client->handle, freezes);
    end_change(world, &client->frozen, freezes);
    client->users--;
}

void sim_set_weight(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_client *client = &world->client[sim_random(draw, SIM_CLIENTS)];
    uint32_t weight = 1u + (uint32_t)sim_random(draw, 300);
    if (client->handle == NULL || client->is_busy)
        return;
    client->users++;
    tm_client_set_compress(client->handle, weight % 4u != 0);
    if (tm_client_set_weight(client->handle, weight) != TM_OK)
        sim_fail("a weight of %u was refused", weight);
    client->users--;
}

void sim_authorise(struct sim_world *world, unsigned number, unsigned name)
{
    struct sim_client *client = &world->client[number];
    struct tm_uuid uuid = sim_uuid(name);
    client->users++;
    begin_change(&client->right[name]);
    enum tm_result result = tm_client_authorise(client->handle, &uuid);
    end_change(world, &client->right[name], result == TM_OK || client->right[name].is_on);
    if (result != TM_OK && (result != TM_NOMEM || (sim_is_faultless(world) && !world->plan.survives)))
        sim_fail("authorising answered %d", (int)result);
    client->users--;
}

void sim_set_right(struct sim_world *world, struct sim_draw *draw)
{
    unsigned number = (unsigned)sim_random(draw, SIM_CLIENTS);
    unsigned name = (unsigned)sim_random(draw, SIM_NAMES);
    bool gives = !sim_chance(draw, 3);
    struct sim_client *client = &world->client[number];
    struct tm_uuid uuid = sim_uuid(name);
    if (client->handle == NULL || client->is_busy || client->right[name].changes != 0)
        return;
    if (gives) {
        sim_authorise(world, number, name);
        return;
    }
    client->users++;
    bool had = client->right[name].is_on;
    begin_change(&client->right[name]);
    enum tm_result result = tm_client_deauthorise(client->handle, &uuid);
    end_change(world, &client->right[name], false);
    if (result != (had ? TM_OK : TM_NOT_FOUND))
        sim_fail("taking a right that %s answered %d", had ? "there was" : "there was not", (int)result);
    client->users--;
}

/* ---- pools ---- */

static void check_created(struct sim_world *world, enum tm_result result, bool needs_right, bool is_certain,
                          bool has_right)
{
    bool may_lack_memory = !sim_is_faultless(world) || world->plan.survives;
    switch (result) {
    case TM_OK:
        if (needs_right && is_certain && !has_right)
            sim_fail("law 7: a client without the right joined a shared pool");
        return;
    case TM_NOMEM:
        if (!may_lack_memory)
            sim_fail("there is no memory for a pool, but nothing failed");
        return;
    case TM_REFUSED:
        if (!needs_right)
            sim_fail("making a private pool was refused");
        return;
    case TM_DENIED:
        if (!needs_right || (is_certain && has_right))
            sim_fail("a client was denied what it had the right to");
        return;
    default:
        sim_fail("making a pool answered %d", (int)result);
    }
}

void sim_pool_create(struct sim_world *world, unsigned pool, unsigned number)
{
    struct sim_client *client = &world->client[number];
    struct sim_member *member = &world->member[pool][number];
    bool is_shared = sim_pool_is_shared(pool);
    struct tm_uuid uuid = sim_uuid(sim_pool_name(pool));
    uint32_t flags = (sim_pool_is_persistent(pool) ? TM_POOL_PERSISTENT : 0u) | (is_shared ? TM_POOL_SHARED : 0u);
    struct sim_setting *right = &client->right[sim_pool_name(pool)];
    member->is_busy = true;
    client->users++;
    struct certainty before = look_at(right);
    enum tm_result result = tm_pool_create(client->handle, flags, is_shared ? &uuid : NULL, &member->handle);
    check_created(world, result, is_shared, is_still(right, before), right->is_on);
    if (result == TM_OK) {
        member->pool = tm_pool_id(member->handle);
        member->users = 0;
        if (sim_pool_is_persistent(pool))
            history_persistent(&world->history, member->pool);
    } else {
        member->handle = NULL;
    }
    client->users--;
    member->is_busy = client->is_busy; /* somebody may be waiting to end the client with all that it has */
}

void sim_make_pool(struct sim_world *world, struct sim_draw *draw)
{
    unsigned first = (unsigned)sim_random(draw, SIM_POOLS * SIM_CLIENTS);
    for (unsigned i = 0; i < SIM_POOLS * SIM_CLIENTS; i++) {
        unsigned at = (first + i) % (SIM_POOLS * SIM_CLIENTS);
        unsigned pool = at / SIM_CLIENTS;
        unsigned number = at % SIM_CLIENTS;
        const struct sim_client *client = &world->client[number];
        const struct sim_member *member = &world->member[pool][number];
        if ((world->plan.pools >> pool & 1u) == 0 || !sim_pool_may_be_of(pool, number))
            continue;
        if (client->handle == NULL || client->is_busy || member->handle != NULL || member->is_busy)
            continue;
        sim_pool_create(world, pool, number);
        return;
    }
}

void sim_end_pool(struct sim_world *world, struct sim_draw *draw)
{
    unsigned pool = (unsigned)sim_random(draw, SIM_POOLS);
    unsigned number = (unsigned)sim_random(draw, SIM_CLIENTS);
    struct sim_member *member = &world->member[pool][number];
    struct sim_client *client = &world->client[number];
    if (member->handle == NULL || member->is_busy)
        return;
    client->users++;
    member->is_busy = true;
    for (unsigned attempt = 0; member->users != 0; attempt++)
        tm_platform_wait(attempt);
    change_all_caps(world, true);
    tm_pool_destroy(member->handle);
    change_all_caps(world, false);
    *member = (struct sim_member){.handle = NULL};
    client->users--;
}

/* ---- the store ---- */

void sim_set_size(struct sim_world *world, struct sim_draw *draw)
{
    uint64_t size = sim_base_size(world) + SIM_SPAN_BYTES * sim_random(draw, 6);
    world->size_max = tm_max_u64(world->size_max, size);
    enum tm_result result = tm_engine_set_size(world->engine, size);
    if (result != TM_OK && result != TM_REFUSED)
        sim_fail("setting a size answered %d", (int)result);
}

static void reclaim_from(struct sim_client *client, uint64_t bytes)
{
    client->users++;
    (void)tm_client_reclaim(client->handle, bytes);
    client->users--;
}

void sim_reclaim(struct sim_world *world, struct sim_draw *draw)
{
    uint64_t bytes = SIM_SPAN_BYTES * sim_random(draw, 3);
    struct sim_client *client = &world->client[sim_random(draw, SIM_CLIENTS)];
    if (sim_chance(draw, 2) && client->handle != NULL && !client->is_busy) {
        reclaim_from(client, bytes / 4u);
        return;
    }
    uint64_t returned = tm_engine_reclaim(world->engine, bytes);
    if (returned % SIM_SPAN_BYTES != 0)
        sim_fail("%llu bytes were given back, which is no number of spans", (unsigned long long)returned);
    (void)tm_engine_freeable(world->engine);
}

void sim_maintain(struct sim_world *world, struct sim_draw *draw)
{
    unsigned steps = 1u + (unsigned)sim_random(draw, 4);
    if (sim_chance(draw, 2))
        world->host.now_ns += sim_random(draw, UINT64_C(1000000000));
    (void)tm_engine_maintain(world->engine, steps);
}

/* By order, or from now on by whoever maintains. */
void sim_recompress(struct sim_world *world, struct sim_draw *draw)
{
    uint64_t pages = 0;
    if (sim_chance(draw, 2))
        (void)!tm_engine_set_cold(world->engine, sim_chance(draw, 8) ? 0 : 100u, 0);
    else
        (void)!tm_engine_recompress(world->engine, &pages);
}

void sim_figures(struct sim_world *world, struct sim_draw *draw)
{
    struct tm_engine_figures all;
    struct tm_ledger total;
    unsigned number = (unsigned)sim_random(draw, SIM_CLIENTS);
    struct sim_client *client = &world->client[number];
    tm_engine_figures(world->engine, &all);
    tm_engine_ledger(world->engine, &total);
    if (all.clients > SIM_CLIENTS || all.pools > SIM_POOLS)
        sim_fail("there are said to be %llu clients and %llu pools", (unsigned long long)all.clients,
                 (unsigned long long)all.pools);
    if (client->handle == NULL || client->is_busy)
        return;
    struct tm_client_figures one;
    struct tm_pool_figures pool = {.id = 0};
    struct tm_ledger ledger;
    struct tm_causer causers[TM_CAUSERS + 1u];
    client->users++;
    tm_client_figures(client->handle, &one);
    tm_client_ledger(client->handle, &ledger);
    for (uint64_t after = 0; tm_pool_next_figures(client->handle, after, &pool); after = pool.id)
        if (pool.id <= after)
            sim_fail("pool %llu is listed after %llu", (unsigned long long)pool.id, (unsigned long long)after);
    uint64_t lost = 0;
    unsigned rows = tm_client_causers(client->handle, causers);
    while (rows-- > 0)
        lost += causers[rows].pages;
    if (lost < one.evicted_for_others)
        sim_fail("client %u lost pages to others that are not in the table", number);
    char name[TM_CLIENT_NAME_BYTES] = {0};
    sim_client_name(number, name);
    if (memcmp(name, one.name, sizeof name) != 0)
        sim_fail("client %u is said to be '%s'", number, one.name);
    client->users--;
}
