/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list_text.c - the text in which the original lists its statistics: one record on each line, KEY:VALUE pairs, keys of
 * two letters that are never dropped nor used for something else. docs/xen-compat.md says what each value is.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "xen/list_text.h"

#define LINE_BYTES 1024u /* no piece is longer */

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
    bool fits = length >= 0 && (unsigned)length < LINE_BYTES;
    text->is_short = text->is_short || !fits;
    text->length += fits ? (size_t)length : 0;
}

static void add_count(struct tm_xen_text *text, const char *key, uint64_t value)
{
    add(text, ",%s:%llu", key, (unsigned long long)value);
}

static void add_pair(struct tm_xen_text *text, const char *now_key, const char *max_key,
                     const struct tm_xen_host_text *host, enum tm_xen_gauge gauge)
{
    add_count(text, now_key, host->now[gauge]);
    add_count(text, max_key, host->max[gauge]);
}

static unsigned long long wide(uint64_t value)
{
    return value;
}

/* ---- sums ---- */

/* What the store knows of all pages together, for the ephemeral ones among them. */
void tm_xen_text_share(struct tm_xen_host_text *host, const struct tmem_store_stats *store)
{
    double share = store->pages == 0 ? 0 : (double)host->now[TM_XEN_EPHEMERAL] / (double)store->pages;
    uint64_t copies = store->pages_deduplicated - tm_min_u64(store->pages_deduplicated, store->contents_shared);
    uint64_t used = store->metadata_bytes + store->block_bytes;
    host->free_pages = (store->resident_bytes - tm_min_u64(store->resident_bytes, used)) / TM_PAGE_BYTES;
    host->evicted_pages = store->evicted_pages;
    host->copies = tm_min_u64((uint64_t)((double)copies * share), host->now[TM_XEN_EPHEMERAL]);
    host->bytes = (uint64_t)((double)store->block_bytes * share);
    host->now[TM_XEN_CONTENTS] = host->now[TM_XEN_EPHEMERAL] - host->copies;
    host->now[TM_XEN_FRAMES] = (store->block_bytes + TM_PAGE_BYTES - 1) / TM_PAGE_BYTES;
}

/* ---- lines ---- */

void tm_xen_text_host(struct tm_xen_text *text, const struct tm_xen_host_text *host, bool is_long)
{
    add(text, "G=Tt:%llu", wide(host->operations));
    add_count(text, "Te", host->errors);
    add_count(text, "Cf", host->bad_copies);
    add_count(text, "Af", host->no_memory);
    add_count(text, "Pf", host->no_room);
    add_count(text, "Ta", host->free_pages);
    add_count(text, "Lm", host->short_releases);
    add_count(text, "Et", host->evicted_pages);
    add_count(text, "Ea", host->evicted_pages);
    add_count(text, "Rt", host->released_pages);
    add_count(text, "Ra", host->releases);
    add_count(text, "Rx", host->release_evicted_most);
    add_count(text, "Fp", host->ended_pools);
    if (is_long) {
        add_pair(text, "Ec", "Em", host, TM_XEN_EPHEMERAL);
        add_pair(text, "Oc", "Om", host, TM_XEN_OBJECTS);
        add(text, ",Nc:0,Nm:0"); /* there are no radix nodes */
        add_pair(text, "Pc", "Pm", host, TM_XEN_PAGES);
        add_pair(text, "Fc", "Fm", host, TM_XEN_FRAMES);
        add_pair(text, "Sc", "Sm", host, TM_XEN_CONTENTS);
        add_count(text, "Ep", host->ephemeral_puts);
        add_count(text, "Gd", host->copies);
        add_count(text, "Zt", host->now[TM_XEN_CONTENTS] * TM_PAGE_BYTES);
        add_count(text, "Gz", host->bytes);
    }
    add(text, "\n");
}

void tm_xen_text_client(struct tm_xen_text *text, const struct tm_xen_client_text *client, bool is_long)
{
    add(text, "C=CI:%u,ww:%u", client->id, client->weight);
    if (client->has_cap)
        add_count(text, "ca", client->cap);
    add(text, ",co:%d,fr:%d,Tc:0", client->compress, client->is_frozen); /* cycles are not counted */
    add_count(text, "Ge", client->ephemeral_gets);
    add_count(text, "Pp", client->persistent_puts);
    add_count(text, "Gp", client->persistent_gets);
    if (is_long) {
        add_count(text, "Ec", client->ephemeral);
        add_count(text, "Em", client->ephemeral_max);
        add_count(text, "cp", client->compressed_pages);
        add_count(text, "cb", client->compressed_bytes);
        add_count(text, "cn", 0);
        add_count(text, "cm", client->puts_without_memory);
    }
    add(text, "\n");
}

static void pool_tail(struct tm_xen_text *text, const struct tm_xen_pool_text *pool)
{
    add_count(text, "Pc", pool->pages);
    add_count(text, "Pm", pool->pages_max);
    add_count(text, "Oc", pool->objects);
    add_count(text, "Om", pool->objects_max);
    add(text, ",Nc:0,Nm:0");
    add_count(text, "ps", pool->puts_good);
    add_count(text, "pt", pool->puts);
    add_count(text, "pd", pool->puts_flushed);
    add_count(text, "pr", pool->puts_replaced);
    add_count(text, "px", pool->puts_bad);
    add_count(text, "gs", pool->gets_found);
    add_count(text, "gt", pool->gets);
    add_count(text, "fs", pool->flushes_found);
    add_count(text, "ft", pool->flushes);
    add_count(text, "os", pool->object_flushes_found);
    add_count(text, "ot", pool->object_flushes);
}

void tm_xen_text_pool(struct tm_xen_text *text, const struct tm_xen_pool_text *pool, bool is_long)
{
    add(text, "P=CI:%u,PI:%u,PT:%c%c,U0:%llx,U1:%llx", pool->client, pool->number, pool->is_persistent ? 'P' : 'E',
        pool->is_shared ? 'S' : 'P', wide(pool->is_shared ? pool->uuid[0] : 0),
        wide(pool->is_shared ? pool->uuid[1] : 0));
    if (is_long)
        pool_tail(text, pool);
    add(text, "\n");
}

void tm_xen_text_shared(struct tm_xen_text *text, uint32_t number, const struct tm_xen_pool_text *pool,
                        const uint32_t *sharers, size_t count, bool is_long)
{
    add(text, "S=SI:%u,PT:%cS,U0:%llx,U1:%llx", number, pool->is_persistent ? 'P' : 'E', wide(pool->uuid[0]),
        wide(pool->uuid[1]));
    for (size_t i = 0; i < count; i++)
        add(text, ",SC:%u", sharers[i]);
    if (is_long)
        pool_tail(text, pool);
    add(text, "\n");
}

void tm_xen_text_end(struct tm_xen_text *text)
{
    add(text, "T\n"); /* as without performance counters */
}

size_t tm_xen_text_fitting(const struct tm_xen_text *text, size_t room)
{
    size_t length = text->length < room ? text->length : room - 1;
    while (length > 0 && text->bytes[length - 1] != '\n')
        length--;
    return length;
}
