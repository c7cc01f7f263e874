/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.c - what a host's list shows: counted here, or by the store. docs/xen-compat.md says where each value is from.
 *
 * What is shown with its highest value is looked at whenever a list is made; a highest value is at least what it was at
 * any such moment, and at least that of the fullest single pool.
 */
#include <stdlib.h>
#include <string.h>

#include "xen/xen.h"

static void raise_to(uint64_t *most, uint64_t value)
{
    *most = tm_max_u64(*most, value);
}

/* ---- pools ---- */

static struct tm_xen_pool_text pool_of(const struct tm_xen_slot *slot)
{
    struct tm_xen_pool *pool = slot->pool;
    struct tmem_counters counters;
    tm_xen_count(slot, &counters);
    raise_to(&pool->objects_max, counters.objects);
    return (struct tm_xen_pool_text){
        .is_persistent = pool->is_persistent,
        .is_shared = pool->is_shared,
        .uuid = {pool->uuid[0], pool->uuid[1]},
        .pages = counters.pages,
        .pages_max = tm_max_u64(counters.pages, counters.pages_max),
        .objects = counters.objects,
        .objects_max = pool->objects_max,
        .puts = tm_load_relaxed(&pool->puts),
        .puts_good = tm_load_relaxed(&pool->puts_good),
        .puts_flushed = tm_load_relaxed(&pool->puts_flushed),
        .puts_replaced = counters.puts_replaced,
        .puts_bad = tm_load_relaxed(&pool->puts_bad),
        .gets = tm_load_relaxed(&pool->gets),
        .gets_found = tm_load_relaxed(&pool->gets_found),
        .flushes = tm_load_relaxed(&pool->flushes),
        .flushes_found = tm_load_relaxed(&pool->flushes_found),
        .object_flushes = tm_load_relaxed(&pool->object_flushes),
        .object_flushes_found = tm_load_relaxed(&pool->object_flushes_found),
    };
}

/* A shared pool is shown under its owner's number. It has one there. */
static uint32_t number_of(const struct tmem_xen_domain *client, const struct tm_xen_pool *pool)
{
    uint32_t number = 0;
    while (number < TMEM_XEN_POOLS - 1 && client->slots[number].pool != pool)
        number++;
    return number;
}

static void pool_line(struct tm_xen_text *text, const struct tmem_xen_domain *client, uint32_t number, bool is_long)
{
    const struct tm_xen_slot *slot = &client->slots[number];
    struct tm_xen_pool_text line = pool_of(slot);
    line.client = client->options.id;
    line.number = slot->pool->owner == client ? number : number_of(slot->pool->owner, slot->pool);
    tm_xen_text_pool(text, &line, is_long);
}

/* The next that is in the pool after @order, in the order of coming. */
static const struct tm_xen_slot *next_sharer(const struct tmem_xen *xen, const struct tm_xen_pool *pool,
                                             uint64_t order, uint32_t *id)
{
    const struct tm_xen_slot *next = NULL;
    for (const struct tmem_xen_domain *client = xen->clients; client != NULL; client = client->next_client)
        for (unsigned i = 0; i < TMEM_XEN_POOLS; i++) {
            const struct tm_xen_slot *slot = &client->slots[i];
            if (slot->pool == pool && slot->order >= order && (next == NULL || slot->order < next->order)) {
                next = slot;
                *id = client->options.id;
            }
        }
    return next;
}

static void shared_line(struct tm_xen_text *text, const struct tmem_xen *xen, uint32_t number, bool is_long)
{
    const struct tm_xen_pool *pool = xen->shared[number];
    const struct tm_xen_slot *any = NULL;
    const struct tm_xen_slot *slot;
    uint32_t *sharers = calloc(pool->users, sizeof *sharers);
    size_t count = 0;
    uint32_t id;
    if (sharers == NULL) {
        text->is_short = true;
        return;
    }
    for (uint64_t order = 0; (slot = next_sharer(xen, pool, order, &id)) != NULL; order = slot->order + 1) {
        sharers[count++] = id;
        any = slot;
    }
    struct tm_xen_pool_text line = pool_of(any);
    tm_xen_text_shared(text, number, &line, sharers, count, is_long);
    free(sharers);
}

/* ---- sums ---- */

static void add_pool(struct tm_xen_host_text *sums, const struct tm_xen_slot *slot)
{
    struct tm_xen_pool_text pool = pool_of(slot);
    sums->now[TM_XEN_PAGES] += pool.pages;
    sums->now[TM_XEN_OBJECTS] += pool.objects;
    raise_to(&sums->max[TM_XEN_PAGES], pool.pages_max);
    if (pool.is_persistent)
        return;
    sums->now[TM_XEN_EPHEMERAL] += pool.pages;
    sums->ephemeral_puts += pool.puts_good - tm_min_u64(pool.puts_good, pool.puts_replaced);
    raise_to(&sums->max[TM_XEN_EPHEMERAL], pool.pages_max);
}

/* Pools that a client owns, each once: it may have one shared pool in two slots. */
static void add_client(struct tm_xen_host_text *sums, const struct tmem_xen_domain *client)
{
    for (uint32_t i = 0; i < TMEM_XEN_POOLS; i++) {
        const struct tm_xen_slot *slot = &client->slots[i];
        if (slot->pool != NULL && slot->pool->owner == client && number_of(client, slot->pool) == i)
            add_pool(sums, slot);
    }
}

/* ---- clients ---- */

static void client_lines(struct tm_xen_text *text, struct tmem_xen_domain *client, uint32_t release, bool is_long)
{
    struct tm_xen_host_text sums = {0};
    struct tmem_client_stats stats;
    add_client(&sums, client);
    raise_to(&client->pages_max, tm_max_u64(sums.now[TM_XEN_EPHEMERAL], sums.max[TM_XEN_EPHEMERAL]));
    if (!client->compress || tmem_client_stats(client->client, &stats, sizeof stats) != TMEM_OK)
        memset(&stats, 0, sizeof stats);
    const struct tm_xen_client_text line = {
        .id = client->options.id,
        .weight = client->weight,
        .cap = client->cap,
        .has_cap = release <= TMEM_XEN_RELEASE_4_7,
        .compress = client->compress,
        .is_frozen = client->is_frozen,
        .ephemeral_gets = tm_load_relaxed(&client->ephemeral_gets),
        .persistent_puts = tm_load_relaxed(&client->persistent_puts),
        .persistent_gets = tm_load_relaxed(&client->persistent_gets),
        .ephemeral = sums.now[TM_XEN_EPHEMERAL],
        .ephemeral_max = client->pages_max,
        .compressed_pages = stats.counters.pages,
        .compressed_bytes = stats.charged_bytes,
        .puts_without_memory = tm_load_relaxed(&client->puts_without_memory),
    };
    tm_xen_text_client(text, &line, is_long);
    for (uint32_t i = 0; i < TMEM_XEN_POOLS; i++)
        if (client->slots[i].pool != NULL)
            pool_line(text, client, i, is_long);
}

/* ---- the host ---- */

/* Domains that are no more included. */
static struct tm_xen_host_text host_of(struct tmem_xen *xen)
{
    struct tmem_store_stats store;
    struct tm_xen_host_text host = {
        .operations = xen->ended_operations,
        .errors = xen->ended_errors,
        .bad_copies = xen->ended_bad_copies,
        .no_memory = xen->ended_without_memory,
        .no_room = xen->ended_without_room,
        .short_releases = xen->releases_short,
        .released_pages = xen->released_pages,
        .releases = xen->releases,
        .release_evicted_most = xen->release_evicted_most,
        .ended_pools = xen->ended_pools,
        .ephemeral_puts = xen->ended_ephemeral_puts,
    };
    if (tmem_store_stats(xen->store, &store, sizeof store) != TMEM_OK)
        memset(&store, 0, sizeof store);
    for (const struct tmem_xen_domain *domain = xen->domains; domain != NULL; domain = domain->next) {
        host.operations += tm_load_relaxed(&domain->operations);
        host.errors += tm_load_relaxed(&domain->errors);
        host.bad_copies += tm_load_relaxed(&domain->bad_copies);
        host.no_memory += tm_load_relaxed(&domain->puts_without_memory);
        host.no_room += tm_load_relaxed(&domain->puts_without_room);
    }
    for (const struct tmem_xen_domain *client = xen->clients; client != NULL; client = client->next_client)
        add_client(&host, client);
    tm_xen_text_share(&host, &store);
    for (unsigned i = 0; i < TM_XEN_GAUGES; i++) {
        raise_to(&xen->gauge_max[i], tm_max_u64(host.now[i], host.max[i]));
        host.max[i] = xen->gauge_max[i];
    }
    return host;
}

void tm_xen_list(struct tmem_xen *xen, struct tmem_xen_domain *client, uint32_t release, bool is_long,
                 struct tm_xen_text *text)
{
    if (client != NULL) {
        client_lines(text, client, release, is_long);
        return;
    }
    const struct tm_xen_host_text host = host_of(xen);
    tm_xen_text_host(text, &host, is_long);
    for (uint32_t i = 0; i < TMEM_XEN_POOLS; i++)
        if (xen->shared[i] != NULL)
            shared_line(text, xen, i, is_long);
    for (client = xen->clients; client != NULL; client = client->next_client)
        client_lines(text, client, release, is_long);
    tm_xen_text_end(text);
}
