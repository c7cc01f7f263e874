/* SPDX-License-Identifier: BSD-2-Clause */
/* control.c - what operators do while others work, and clients that come and go. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stress.h"

#define MIB (UINT64_C(1) << 20)
#define TRANSIENT_PAGES 200u

/* ---- clients that come and go ---- */

static void fill_pool(struct stress *stress, struct tmem_pool *pool, bool is_persistent, unsigned count,
                      uint64_t family, uint8_t *is_there)
{
    unsigned char page[TMEM_PAGE_SIZE];
    for (unsigned i = 0; i < count; i++) {
        struct tmem_object_id id = stress_object(i / 40u);
        stress_page_fill(family, i + 1u, page);
        enum tmem_result result = tmem_put(pool, &id, i, page, TMEM_PUT_PLAIN);
        if (result != TMEM_OK && result != TMEM_REFUSED && result != TMEM_NOMEM)
            stress_fail(stress, "transient put: answered '%s'", tmem_result_text(result));
        is_there[i] = result == TMEM_OK && is_persistent;
    }
}

static void read_pool(struct stress *stress, struct tmem_pool *pool, unsigned count, uint64_t family,
                      const uint8_t *is_there)
{
    unsigned char page[TMEM_PAGE_SIZE];
    for (unsigned i = 0; i < count; i++) {
        struct tmem_object_id id = stress_object(i / 40u);
        enum tmem_result result = tmem_get(pool, &id, i, page, TMEM_GET_DEFAULT);
        if (result != TMEM_OK && (result != TMEM_MISS || is_there[i] != 0))
            stress_fail(stress, "transient get: answered '%s'", tmem_result_text(result));
        if (result == TMEM_OK && stress_page_version(family, page) != i + 1u)
            stress_fail(stress, "transient get: not the page that was stored");
    }
}

void stress_transient(struct stress *stress, uint64_t *random, unsigned number)
{
    struct tmem_client *client;
    struct tmem_pool *pool;
    uint8_t is_there[TRANSIENT_PAGES];
    char name[TMEM_CLIENT_NAME_SIZE];
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    options.weight = 1u + stress_below(random, 100);
    options.cap_bytes = stress_below(random, 2) == 0 ? UINT64_MAX : (uint64_t)stress_below(random, 1024) << 10;
    snprintf(name, sizeof name, "transient-%u", number);
    enum tmem_result result = tmem_client_create(stress->store, name, &options, &client);
    if (result != TMEM_OK && result != TMEM_NOMEM)
        stress_fail(stress, "transient client: answered '%s'", tmem_result_text(result));
    if (result != TMEM_OK)
        return;
    uint64_t family = (UINT64_C(1) << 20) + number * 1000u;
    for (unsigned pools = 1u + stress_below(random, 3); pools > 0; pools--, family++) {
        uint32_t flags = stress_below(random, 2) == 0 ? TMEM_POOL_PERSISTENT : TMEM_POOL_EPHEMERAL;
        unsigned count = stress_below(random, TRANSIENT_PAGES);
        result = tmem_pool_create(client, flags, NULL, &pool);
        if (result != TMEM_OK && result != TMEM_NOMEM)
            stress_fail(stress, "transient pool: answered '%s'", tmem_result_text(result));
        if (result != TMEM_OK)
            break;
        fill_pool(stress, pool, flags != 0, count, family, is_there);
        read_pool(stress, pool, count, family, is_there);
        if (stress_below(random, 2) == 0)
            tmem_pool_destroy(pool);
    }
    tmem_client_destroy(client);
    atomic_fetch_add_explicit(&stress->transient_clients, 1, memory_order_relaxed);
}

/* ---- what operators do ---- */

static void change_size(struct stress *stress, uint64_t *random)
{
    struct tmem_store_stats stats;
    uint64_t size_bytes = (16u + stress_below(random, 40)) * MIB;
    enum tmem_result result = tmem_store_set_size(stress->store, size_bytes);
    if (result != TMEM_OK && result != TMEM_REFUSED)
        stress_fail(stress, "set_size: answered '%s'", tmem_result_text(result));
    if (tmem_store_stats(stress->store, &stats, sizeof stats) != TMEM_OK)
        stress_fail(stress, "store_stats failed");
    if (stats.size_bytes != size_bytes)
        stress_fail(stress, "set_size: the size is another");
    if (result == TMEM_OK && stats.resident_bytes > size_bytes + 8u * MIB)
        stress_fail(stress, "set_size: %llu MiB resident, the size is %llu MiB",
                    (unsigned long long)(stats.resident_bytes / MIB), (unsigned long long)(size_bytes / MIB));
}

static void change_cap(struct stress *stress, uint64_t *random)
{
    struct tmem_client *client = stress->client[stress_below(random, STRESS_CLIENTS)];
    struct tmem_client_stats before;
    struct tmem_client_stats after;
    uint64_t cap_bytes = stress_below(random, 2) == 0 ? UINT64_MAX : (uint64_t)stress_below(random, 12u << 10) << 10;
    if (tmem_client_set_cap(client, cap_bytes) != TMEM_OK ||
        tmem_client_stats(client, &before, sizeof before) != TMEM_OK ||
        tmem_client_stats(client, &after, sizeof after) != TMEM_OK)
        stress_fail(stress, "set_cap failed");
    /* What is above the cap now was there before, and may only become less. */
    if (after.charged_bytes > cap_bytes && after.charged_bytes > before.charged_bytes)
        stress_fail(stress, "the charge of %s grew above its cap", after.name);
}

static void change_state(struct stress *stress, uint64_t *random)
{
    struct tmem_client *client = stress->client[stress_below(random, STRESS_CLIENTS)];
    const struct timespec briefly = {0, 200000};
    uint64_t returned;
    enum tmem_result result;
    switch (stress_below(random, 7)) {
    case 0:
        if (tmem_client_set_weight(client, 1u + stress_below(random, 1000)) != TMEM_OK)
            stress_fail(stress, "set_weight failed");
        break;
    case 1:
        if (tmem_client_freeze(client) != TMEM_OK)
            stress_fail(stress, "freeze failed");
        nanosleep(&briefly, NULL);
        if (tmem_client_thaw(client) != TMEM_OK)
            stress_fail(stress, "thaw failed");
        break;
    case 2:
        result = tmem_store_recompress(stress->store, &returned);
        if (result != TMEM_OK && result != TMEM_UNSUPPORTED) /* zstd has no cold tier */
            stress_fail(stress, "recompress failed");
        break;
    case 4:
        if (tmem_client_reclaim(client, (uint64_t)stress_below(random, 2048) << 10, &returned) != TMEM_OK)
            stress_fail(stress, "client_reclaim failed");
        break;
    case 5:
        if (tmem_client_set_compress(client, stress_below(random, 3) != 0) != TMEM_OK)
            stress_fail(stress, "set_compress failed");
        break;
    case 3:
        result = tmem_store_set_cold(stress->store, stress_below(random, 101), stress_below(random, 2));
        if (result != TMEM_OK && result != TMEM_UNSUPPORTED)
            stress_fail(stress, "set_cold failed");
        break;
    default:
        if (tmem_store_reclaim(stress->store, stress_below(random, 16) * MIB, &returned) != TMEM_OK)
            stress_fail(stress, "reclaim failed");
    }
}

/* A third client joins the shared pools, reads a little, and leaves. */
static void visit(struct stress *stress, const struct tmem_uuid *uuids, uint64_t *random)
{
    struct tmem_client *guest;
    unsigned char page[TMEM_PAGE_SIZE];
    enum tmem_result result = tmem_client_create(stress->store, "guest", NULL, &guest);
    if (result == TMEM_NOMEM)
        return;
    if (result != TMEM_OK)
        stress_fail(stress, "guest: answered '%s'", tmem_result_text(result));
    for (unsigned i = 0; i < 2; i++) {
        struct tmem_pool *pool;
        if (tmem_client_authorise(guest, &uuids[i]) != TMEM_OK ||
            tmem_pool_create(guest, stress->pool[2u + i].flags, &uuids[i], &pool) != TMEM_OK)
            continue;
        unsigned object = stress_below(random, STRESS_OBJECTS);
        struct tmem_object_id id = stress_object(object);
        for (unsigned k = 0; k < STRESS_PAGES; k++) {
            result = tmem_get(pool, &id, k, page, TMEM_GET_INCLUSIVE);
            if (result == TMEM_OK && stress_page_version(stress_family(2u + i, object, k), page) == 0)
                stress_fail(stress, "guest: not a whole page, or another handle's");
            if (result != TMEM_OK && result != TMEM_MISS)
                stress_fail(stress, "guest: answered '%s'", tmem_result_text(result));
        }
        if (stress_below(random, 2) == 0)
            tmem_pool_destroy(pool);
    }
    tmem_client_destroy(guest);
}

static void walk(struct stress *stress, uint64_t *random)
{
    struct stress_pool *pool = &stress->pool[stress_below(random, STRESS_POOLS)];
    struct tmem_pool *member = pool->member[0] != NULL ? pool->member[0] : pool->member[1];
    struct tmem_cursor cursor = TMEM_CURSOR_INIT;
    struct tmem_key keys[64];
    size_t count;
    enum tmem_result result;
    while ((result = tmem_walk(member, &cursor, keys, 64, &count)) == TMEM_OK)
        for (size_t i = 0; i < count; i++)
            if (keys[i].index >= STRESS_PAGES || keys[i].object.word[1] >= STRESS_OBJECTS)
                stress_fail(stress, "walk: a key that was never put");
    if (result != TMEM_MISS)
        stress_fail(stress, "walk: answered '%s'", tmem_result_text(result));
}

static void look(struct stress *stress, uint64_t *random)
{
    struct tmem_pool_stats stats;
    struct stress_pool *pool = &stress->pool[stress_below(random, STRESS_POOLS)];
    char names[8][TMEM_CLIENT_NAME_SIZE];
    uint64_t ids[8];
    uint64_t freeable;
    size_t count;
    if (tmem_pool_stats(pool->member[0] != NULL ? pool->member[0] : pool->member[1], &stats, sizeof stats) != TMEM_OK ||
        tmem_store_clients(stress->store, NULL, names, 8, &count) != TMEM_OK ||
        tmem_client_pools(stress->client[0], 0, ids, 8, &count) != TMEM_OK ||
        tmem_store_freeable(stress->store, &freeable) != (stress->has_control ? TMEM_OK : TMEM_UNSUPPORTED))
        stress_fail(stress, "statistics or listings failed");
    if (stats.counters.pages > STRESS_OBJECTS * STRESS_PAGES)
        stress_fail(stress, "pool_stats: more pages than there are handles");
}

void stress_control(struct stress *stress)
{
    const struct timespec briefly = {0, 300000};
    const struct tmem_uuid uuids[2] = {{{1, 1}}, {{2, 2}}};
    uint64_t random = content_scatter(stress->seed ^ UINT64_C(0xc0ffee));
    while (!atomic_load(&stress->is_over)) {
        switch (stress->has_control ? stress_below(&random, 8) : 4u + stress_below(&random, 4)) {
        case 0:
            change_size(stress, &random);
            break;
        case 1:
            change_cap(stress, &random);
            break;
        case 2:
        case 3:
            change_state(stress, &random);
            break;
        case 4:
            visit(stress, uuids, &random);
            break;
        case 5:
            walk(stress, &random);
            break;
        default:
            look(stress, &random);
        }
        nanosleep(&briefly, NULL);
    }
}
