/* SPDX-License-Identifier: BSD-2-Clause */
/* books.c - statistics and listings, held against the map. */
#include <string.h>

#include "model.h"

#define MIB (UINT64_C(1) << 20)
#define PAGE_MOST 4500u /* bytes that a page takes at most, its share of records included */
#define SPANS_APART 4u  /* ephemeral and persistent pages, and the records of either, share no span */

typedef unsigned long long number;

uint64_t model_persistent_pages(const struct world *world)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        for (unsigned k = 0; model_is_persistent(&world->pool[i]) && k < MODEL_OBJECTS * MODEL_PAGES; k++)
            pages += world->pool[i].content[k] != 0;
    return pages;
}

static struct tmem_store_stats store_stats(const struct world *world)
{
    struct tmem_store_stats stats;
    if (tmem_store_stats(world->store, &stats, sizeof stats) != TMEM_OK)
        model_fail(world, "store_stats: failed");
    return stats;
}

static struct tmem_client_stats client_stats(const struct world *world, const struct model_client *client)
{
    struct tmem_client_stats stats;
    if (tmem_client_stats(client->handle, &stats, sizeof stats) != TMEM_OK)
        model_fail(world, "client_stats: failed");
    return stats;
}

/* ---- limits ---- */

void model_check_charge(struct world *world, struct model_client *client)
{
    struct tmem_client_stats stats = client_stats(world, client);
    uint64_t most = stats.cap_bytes > client->allowance ? stats.cap_bytes : client->allowance;
    if (stats.charged_bytes > most)
        model_fail(world, "client %s: %llu bytes charged, the cap is %llu, %llu were there before", stats.name,
                   (number)stats.charged_bytes, (number)stats.cap_bytes, (number)client->allowance);
    if (stats.charged_bytes < client->allowance)
        client->allowance = stats.charged_bytes;
}

void model_check_size(struct world *world)
{
    struct tmem_store_stats stats = store_stats(world);
    uint64_t excess = stats.size_bytes / 50u > 8u * MIB ? stats.size_bytes / 50u : 8u * MIB;
    if (stats.size_bytes != world->size_bytes)
        model_fail(world, "store: the size is not what was set");
    if (stats.resident_bytes <= stats.size_bytes)
        world->is_squeezed = false;
    if (stats.resident_bytes > stats.size_bytes + excess && !world->is_squeezed)
        model_fail(world, "store: %llu bytes resident, the size is %llu", (number)stats.resident_bytes,
                   (number)stats.size_bytes);
}

/* A client far below its share of the store may not be refused for lack of room; one above it may, rather than take
 * room from others. */
static bool is_below_share(const struct world *world, const struct model_client *client, uint64_t room)
{
    uint64_t weights = 0;
    for (unsigned i = 0; i < MODEL_CLIENTS; i++)
        weights += world->client[i].handle != NULL ? world->client[i].weight : 0;
    return client_stats(world, client).charged_bytes < room / weights * client->weight;
}

bool model_has_plenty(struct world *world, const struct model_client *client)
{
    struct tmem_store_stats stats = store_stats(world);
    uint64_t fixed = stats.metadata_bytes + SPANS_APART * stats.span_bytes;
    uint64_t room = stats.size_bytes > fixed ? (stats.size_bytes - fixed) / 2u : 0;
    if (model_persistent_pages(world) * PAGE_MOST > room)
        return false;
    if (client == NULL)
        return true;
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        /* A shared pool's page needs room in every member's cap; an older page may have gone meanwhile. */
        if (world->client[i].handle == NULL || world->client[i].cap_bytes == UINT64_MAX)
            continue;
        struct tmem_client_stats tenant = client_stats(world, &world->client[i]);
        if (tenant.charged_bytes + 3u * PAGE_MOST > tenant.cap_bytes)
            return false;
    }
    return is_below_share(world, client, room);
}

/* ---- pools ---- */

#define SAME(field)                                                                            \
    do {                                                                                       \
        if (stats->field != counted->field)                                                    \
            model_fail(world, "pool %llu: " #field " is %llu, must be %llu", (number)pool->id, \
                       (number)stats->field, (number)counted->field);                          \
    } while (0)

/* What the calls alone decide. */
static void check_counters(const struct world *world, const struct model_pool *pool,
                           const struct tmem_counters *stats)
{
    const struct tmem_counters *counted = &pool->counted;
    SAME(puts);
    SAME(puts_stored);
    SAME(puts_refused);
    SAME(gets);
    SAME(gets_found);
    SAME(gets_corrupt);
    SAME(invalidates);
    SAME(invalidates_found);
    SAME(object_invalidates);
    SAME(object_invalidates_found);
    if (!model_is_persistent(pool))
        return;
    SAME(puts_replaced);
    SAME(puts_dropped_old);
    SAME(evicted);
}

/* What is in the pool now; exact where nothing leaves on its own. */
static void check_contents(const struct world *world, const struct model_pool *pool,
                           const struct tmem_counters *stats)
{
    uint64_t pages = 0;
    uint64_t objects = 0;
    uint64_t same_filled = 0;
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        uint64_t before = pages;
        for (unsigned k = 0; k < MODEL_PAGES; k++) {
            uint64_t content = pool->content[i * MODEL_PAGES + k];
            pages += content != 0;
            same_filled += content != 0 && content_is_same_filled(content);
        }
        objects += pages != before;
    }
    bool is_exact = model_is_persistent(pool);
    if (stats->pages > pages || (is_exact && stats->pages != pages))
        model_fail(world, "pool %llu: %llu pages, must be %llu", (number)pool->id, (number)stats->pages, (number)pages);
    if (stats->objects > objects || (is_exact && stats->objects != objects))
        model_fail(world, "pool %llu: %llu objects, must be %llu", (number)pool->id, (number)stats->objects,
                   (number)objects);
    if (stats->same_filled > same_filled || (is_exact && stats->same_filled != same_filled))
        model_fail(world, "pool %llu: %llu same-filled pages, must be %llu", (number)pool->id,
                   (number)stats->same_filled, (number)same_filled);
    if (stats->pages_max < stats->pages)
        model_fail(world, "pool %llu: more pages than there ever were", (number)pool->id);
}

static void check_pool(const struct world *world, const struct model_pool *pool)
{
    unsigned members = 0;
    for (unsigned i = 0; i < MODEL_CLIENTS; i++)
        members += pool->member[i] != NULL;
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        struct tmem_pool_stats stats;
        struct tmem_pool *found = NULL;
        if (pool->member[i] == NULL)
            continue;
        if (tmem_pool_stats(pool->member[i], &stats, sizeof stats) != TMEM_OK)
            model_fail(world, "pool_stats: failed");
        if (stats.id != pool->id || stats.flags != pool->flags || stats.members != members)
            model_fail(world, "pool %llu: id, flags or number of members are wrong", (number)pool->id);
        check_counters(world, pool, &stats.counters);
        check_contents(world, pool, &stats.counters);
        if (tmem_pool_open(world->client[i].handle, pool->id, &found) != TMEM_OK || tmem_pool_id(found) != pool->id)
            model_fail(world, "pool_open: does not find the pool by its id");
    }
}

/* ---- clients ---- */

static unsigned pools_of(const struct world *world, unsigned client)
{
    unsigned pools = 0;
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        pools += world->pool[i].member[client] != NULL;
    return pools;
}

static bool is_pool_of(const struct world *world, unsigned client, uint64_t id)
{
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        if (world->pool[i].id == id && world->pool[i].member[client] != NULL)
            return true;
    return false;
}

static void check_pool_list(const struct world *world, unsigned client)
{
    uint64_t after = 0;
    unsigned listed = 0;
    for (;;) {
        uint64_t ids[3];
        size_t count = 0;
        if (tmem_client_pools(world->client[client].handle, after, ids, 3, &count) != TMEM_OK || count > 3)
            model_fail(world, "client_pools: failed");
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++) {
            if (ids[i] <= after || !is_pool_of(world, client, ids[i]))
                model_fail(world, "client_pools: %llu is listed after %llu", (number)ids[i], (number)after);
            after = ids[i];
            listed++;
        }
    }
    if (listed != pools_of(world, client))
        model_fail(world, "client_pools: %u listed, must be %u", listed, pools_of(world, client));
}

static void check_client(struct world *world, unsigned number_of_client)
{
    struct model_client *client = &world->client[number_of_client];
    struct tmem_client_stats stats = client_stats(world, client);
    if (stats.weight != client->weight || stats.cap_bytes != client->cap_bytes ||
        (stats.frozen != 0) != client->is_frozen)
        model_fail(world, "client %s: weight, cap or state are wrong", stats.name);
    if (stats.pools != pools_of(world, number_of_client))
        model_fail(world, "client %s: %llu pools, must be %u", stats.name, (number)stats.pools,
                   pools_of(world, number_of_client));
    if (stats.charged_max_bytes < stats.charged_bytes)
        model_fail(world, "client %s: charged more than it ever was", stats.name);
    model_check_charge(world, client);
    check_pool_list(world, number_of_client);
}

/* ---- the store ---- */

static void check_client_list(const struct world *world, unsigned clients)
{
    char after[TMEM_CLIENT_NAME_SIZE] = "";
    unsigned listed = 0;
    for (;;) {
        char names[2][TMEM_CLIENT_NAME_SIZE];
        size_t count = 0;
        if (tmem_store_clients(world->store, after, names, 2, &count) != TMEM_OK || count > 2)
            model_fail(world, "store_clients: failed");
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++, listed++) {
            struct tmem_client *found;
            if (strcmp(names[i], after) <= 0 || tmem_client_open(world->store, names[i], &found) != TMEM_OK)
                model_fail(world, "store_clients: '%s' is listed after '%s'", names[i], after);
            memcpy(after, names[i], sizeof after);
        }
    }
    if (listed != clients)
        model_fail(world, "store_clients: %u listed, must be %u", listed, clients);
}

void model_check_books(struct world *world)
{
    uint64_t clients = 0;
    uint64_t pools = 0;
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        if (world->client[i].handle == NULL)
            continue;
        check_client(world, i);
        clients++;
    }
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        if (world->pool[i].id == 0)
            continue;
        check_pool(world, &world->pool[i]);
        pools++;
    }
    check_client_list(world, (unsigned)clients);
    struct tmem_store_stats stats = store_stats(world);
    if (stats.clients != clients || stats.pools != pools)
        model_fail(world, "store: %llu clients and %llu pools, must be %llu and %llu", (number)stats.clients,
                   (number)stats.pools, (number)clients, (number)pools);
    if (stats.pages < model_persistent_pages(world))
        model_fail(world, "store: %llu pages, but %llu in persistent pools alone", (number)stats.pages,
                   (number)model_persistent_pages(world));
    struct tmem_ledger ledger;
    if (tmem_store_ledger(world->store, &ledger, sizeof ledger) == TMEM_OK &&
        (ledger.persistent.pages != model_persistent_pages(world) ||
         ledger.persistent.pages + ledger.ephemeral.pages != stats.pages))
        model_fail(world, "store: the ledger has %llu persistent pages, and %llu others",
                   (number)ledger.persistent.pages, (number)ledger.ephemeral.pages);
    if (stats.corrupt_pages != 0)
        model_fail(world, "store: %llu damaged pages", (number)stats.corrupt_pages);
    if (stats.pages_same > stats.pages || stats.pages_deduplicated > stats.pages ||
        stats.pages_raw > stats.pages || stats.pages_compressed > stats.pages)
        model_fail(world, "store: more pages of a kind than pages");
    model_check_size(world);
}
