/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.c - the text in which the original lists its statistics: one record on each line, KEY:VALUE pairs, keys of two
 * letters that are never dropped nor used for something else. docs/xen-compat.md says where each value comes from.
 *
 * What is shown with its highest value ("now" and "max") is looked at whenever a list is made; a highest value is at
 * least what it was at any such moment, and at least that of the fullest single pool.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen/xen.h"

#define LINE_BYTES 1024u /* no piece is longer */

/* What is added up over pools. */
struct sums {
    uint64_t now[TM_XEN_GAUGES];
    uint64_t max[TM_XEN_GAUGES];
    uint64_t ephemeral_puts; /* of new pages */
    uint64_t copies;         /* ephemeral pages that are stored as another page's bytes */
    uint64_t bytes;          /* of the blocks of ephemeral pages */
};

/* ---- text ---- */

static bool make_room(struct tm_xen_text *text)
{
    if (text->room - text->length > LINE_BYTES)
        return true;
    size_t room = text->room * 2 + 4 * LINE_BYTES;
    char *bytes = realloc(text->bytes, room);
    if (bytes == NULL)
        return false;
    text->bytes = bytes;
    text->room = room;
    return true;
}

static void TM_PRINTF(2, 3) add(struct tm_xen_text *text, const char *format, ...)
{
    va_list arguments;
    if (!make_room(text)) {
        text->is_short = true;
        return;
    }
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, LINE_BYTES, format, arguments);
    va_end(arguments);
    TM_ASSERT(length >= 0 && (unsigned)length < LINE_BYTES);
    text->length += (size_t)length;
}

static void add_count(struct tm_xen_text *text, const char *key, uint64_t value)
{
    add(text, ",%s:%llu", key, (unsigned long long)value);
}

static void add_pair(struct tm_xen_text *text, const char *now_key, const char *max_key, const struct sums *sums,
                     enum tm_xen_gauge gauge)
{
    add_count(text, now_key, sums->now[gauge]);
    add_count(text, max_key, sums->max[gauge]);
}

/* ---- sums ---- */

static void raise_to(uint64_t *most, uint64_t value)
{
    *most = tm_max_u64(*most, value);
}

/* Ended pools' pages are gone, so their highest values are only known as far as somebody looked. */
static void add_pool(struct sums *sums, const struct tm_xen_slot *slot)
{
    struct tmem_counters counters;
    tm_xen_count(slot, &counters);
    sums->now[TM_XEN_PAGES] += counters.pages;
    sums->now[TM_XEN_OBJECTS] += counters.objects;
    raise_to(&sums->max[TM_XEN_PAGES], counters.pages_max);
    if (slot->pool->is_persistent)
        return;
    uint64_t good = tm_load_relaxed(&slot->pool->puts_good);
    sums->now[TM_XEN_EPHEMERAL] += counters.pages;
    sums->ephemeral_puts += good - tm_min_u64(good, counters.puts_replaced);
    raise_to(&sums->max[TM_XEN_EPHEMERAL], counters.pages_max);
}

/* Pools that a client owns: a shared one counts as its owner's. */
static void add_client(struct sums *sums, const struct tmem_xen_domain *client)
{
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++) {
        const struct tm_xen_slot *slot = &client->slots[i];
        bool counts = slot->pool != NULL && slot->pool->owner == client;
        for (unsigned k = 0; counts && k < i; k++)
            counts = client->slots[k].pool != slot->pool;
        if (counts)
            add_pool(sums, slot);
    }
}

/* ---- pools ---- */

static void pool_tail(struct tm_xen_text *text, const struct tm_xen_slot *slot)
{
    struct tm_xen_pool *pool = slot->pool;
    struct tmem_counters counters;
    tm_xen_count(slot, &counters);
    raise_to(&pool->objects_max, counters.objects);
    add_count(text, "Pc", counters.pages);
    add_count(text, "Pm", tm_max_u64(counters.pages, counters.pages_max));
    add_count(text, "Oc", counters.objects);
    add_count(text, "Om", pool->objects_max);
    add_count(text, "Nc", 0);
    add_count(text, "Nm", 0);
    add_count(text, "ps", tm_load_relaxed(&pool->puts_good));
    add_count(text, "pt", tm_load_relaxed(&pool->puts));
    add_count(text, "pd", tm_load_relaxed(&pool->puts_flushed));
    add_count(text, "pr", counters.puts_replaced);
    add_count(text, "px", tm_load_relaxed(&pool->puts_bad));
    add_count(text, "gs", tm_load_relaxed(&pool->gets_found));
    add_count(text, "gt", tm_load_relaxed(&pool->gets));
    add_count(text, "fs", tm_load_relaxed(&pool->flushes_found));
    add_count(text, "ft", tm_load_relaxed(&pool->flushes));
    add_count(text, "os", tm_load_relaxed(&pool->object_flushes_found));
    add_count(text, "ot", tm_load_relaxed(&pool->object_flushes));
}

/* Its first number there; it has one. */
static unsigned number_of(const struct tmem_xen_domain *client, const struct tm_xen_pool *pool)
{
    unsigned number = 0;
    while (number < TMEM_XEN_POOLS - 1 && client->slots[number].pool != pool)
        number++;
    return number;
}

static void pool_line(struct tm_xen_text *text, const struct tmem_xen_domain *client, unsigned number, bool is_long)
{
    const struct tm_xen_slot *slot = &client->slots[number];
    const struct tm_xen_pool *pool = slot->pool;
    unsigned shown = pool->owner == client ? number : number_of(pool->owner, pool);
    add(text, "P=CI:%u,PI:%u,PT:%c%c,U0:%llx,U1:%llx", client->options.id, shown, pool->is_persistent ? 'P' : 'E',
        pool->is_shared ? 'S' : 'P', (unsigned long long)(pool->is_shared ? pool->uuid[0] : 0),
        (unsigned long long)(pool->is_shared ? pool->uuid[1] : 0));
    if (is_long)
        pool_tail(text, slot);
    add(text, "\n");
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

static void shared_line(struct tm_xen_text *text, const struct tmem_xen *xen, unsigned number, bool is_long)
{
    const struct tm_xen_pool *pool = xen->shared[number];
    const struct tm_xen_slot *any = NULL;
    const struct tm_xen_slot *slot;
    uint32_t id;
    add(text, "S=SI:%u,PT:ES,U0:%llx,U1:%llx", number, (unsigned long long)pool->uuid[0],
        (unsigned long long)pool->uuid[1]);
    for (uint64_t order = 0; (slot = next_sharer(xen, pool, order, &id)) != NULL; order = slot->order + 1) {
        add(text, ",SC:%u", id);
        any = slot;
    }
    if (is_long)
        pool_tail(text, any);
    add(text, "\n");
}

/* ---- clients ---- */

static void client_tail(struct tm_xen_text *text, struct tmem_xen_domain *client)
{
    struct sums sums = {0};
    struct tmem_client_stats stats;
    add_client(&sums, client);
    raise_to(&client->pages_max, tm_max_u64(sums.now[TM_XEN_EPHEMERAL], sums.max[TM_XEN_EPHEMERAL]));
    if (!client->compress || tmem_client_stats(client->client, &stats, sizeof stats) != TMEM_OK)
        memset(&stats, 0, sizeof stats);
    add_count(text, "Ec", sums.now[TM_XEN_EPHEMERAL]);
    add_count(text, "Em", client->pages_max);
    add_count(text, "cp", stats.counters.pages);
    add_count(text, "cb", stats.charged_bytes);
    add_count(text, "cn", 0);
    add_count(text, "cm", tm_load_relaxed(&client->puts_without_memory));
}

static void client_lines(struct tm_xen_text *text, struct tmem_xen_domain *client, uint32_t release, bool is_long)
{
    add(text, "C=CI:%u,ww:%u", client->options.id, client->weight);
    if (release <= TMEM_XEN_RELEASE_4_7)
        add_count(text, "ca", client->cap);
    add(text, ",co:%d,fr:%d,Tc:0", client->compress, client->is_frozen);
    add_count(text, "Ge", tm_load_relaxed(&client->ephemeral_gets));
    add_count(text, "Pp", tm_load_relaxed(&client->persistent_puts));
    add_count(text, "Gp", tm_load_relaxed(&client->persistent_gets));
    if (is_long)
        client_tail(text, client);
    add(text, "\n");
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        if (client->slots[i].pool != NULL)
            pool_line(text, client, i, is_long);
}

/* ---- the host ---- */

static void sum_up(struct tmem_xen *xen, const struct tmem_store_stats *store, struct sums *sums)
{
    for (const struct tmem_xen_domain *client = xen->clients; client != NULL; client = client->next_client)
        add_client(sums, client);
    /* What the store knows of all pages together, for the ephemeral ones among them. */
    double share = store->pages == 0 ? 0 : (double)sums->now[TM_XEN_EPHEMERAL] / (double)store->pages;
    uint64_t copies = store->pages_deduplicated - tm_min_u64(store->pages_deduplicated, store->contents_shared);
    sums->copies = tm_min_u64((uint64_t)((double)copies * share), sums->now[TM_XEN_EPHEMERAL]);
    sums->bytes = (uint64_t)((double)store->block_bytes * share);
    sums->now[TM_XEN_CONTENTS] = sums->now[TM_XEN_EPHEMERAL] - sums->copies;
    sums->now[TM_XEN_FRAMES] = (store->block_bytes + TMEM_PAGE_SIZE - 1) / TMEM_PAGE_SIZE;
    sums->ephemeral_puts += xen->ended_ephemeral_puts;
    for (unsigned i = 0; i < TM_XEN_GAUGES; i++) {
        raise_to(&xen->gauge_max[i], tm_max_u64(sums->now[i], sums->max[i]));
        sums->max[i] = xen->gauge_max[i];
    }
}

static void host_tail(struct tm_xen_text *text, const struct sums *sums)
{
    add_pair(text, "Ec", "Em", sums, TM_XEN_EPHEMERAL);
    add_pair(text, "Oc", "Om", sums, TM_XEN_OBJECTS);
    add_count(text, "Nc", 0);
    add_count(text, "Nm", 0);
    add_pair(text, "Pc", "Pm", sums, TM_XEN_PAGES);
    add_pair(text, "Fc", "Fm", sums, TM_XEN_FRAMES);
    add_pair(text, "Sc", "Sm", sums, TM_XEN_CONTENTS);
    add_count(text, "Ep", sums->ephemeral_puts);
    add_count(text, "Gd", sums->copies);
    add_count(text, "Zt", sums->now[TM_XEN_CONTENTS] * TMEM_PAGE_SIZE);
    add_count(text, "Gz", sums->bytes);
}

/* Domains that are no more included. */
static void host_line(struct tm_xen_text *text, struct tmem_xen *xen, bool is_long)
{
    uint64_t operations = xen->ended_operations, errors = xen->ended_errors, bad_copies = xen->ended_bad_copies;
    uint64_t no_memory = xen->ended_without_memory, no_room = xen->ended_without_room;
    struct tmem_store_stats store;
    struct sums sums = {0};
    if (tmem_store_stats(xen->store, &store, sizeof store) != TMEM_OK)
        memset(&store, 0, sizeof store);
    for (const struct tmem_xen_domain *domain = xen->domains; domain != NULL; domain = domain->next) {
        operations += tm_load_relaxed(&domain->operations);
        errors += tm_load_relaxed(&domain->errors);
        bad_copies += tm_load_relaxed(&domain->bad_copies);
        no_memory += tm_load_relaxed(&domain->puts_without_memory);
        no_room += tm_load_relaxed(&domain->puts_without_room);
    }
    sum_up(xen, &store, &sums);
    uint64_t used = store.metadata_bytes + store.block_bytes;
    add(text, "G=Tt:%llu", (unsigned long long)operations);
    add_count(text, "Te", errors);
    add_count(text, "Cf", bad_copies);
    add_count(text, "Af", no_memory);
    add_count(text, "Pf", no_room);
    add_count(text, "Ta", (store.resident_bytes - tm_min_u64(store.resident_bytes, used)) / TMEM_PAGE_SIZE);
    add_count(text, "Lm", xen->releases_short);
    add_count(text, "Et", store.evicted_pages);
    add_count(text, "Ea", store.evicted_pages);
    add_count(text, "Rt", xen->released_pages);
    add_count(text, "Ra", xen->releases);
    add_count(text, "Rx", xen->release_evicted_most);
    add_count(text, "Fp", xen->ended_pools);
    if (is_long)
        host_tail(text, &sums);
    add(text, "\n");
}

void tm_xen_list(struct tmem_xen *xen, struct tmem_xen_domain *client, uint32_t release, bool is_long,
                 struct tm_xen_text *text)
{
    if (client != NULL) {
        client_lines(text, client, release, is_long);
        return;
    }
    host_line(text, xen, is_long);
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        if (xen->shared[i] != NULL)
            shared_line(text, xen, i, is_long);
    for (client = xen->clients; client != NULL; client = client->next_client)
        client_lines(text, client, release, is_long);
    add(text, "T\n");
}
