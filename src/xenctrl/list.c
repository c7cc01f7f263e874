/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c - the list of a daemon's clients, from what it says of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xen/xen.h"
#include "xenctrl/xenctrl.h"

static bool is_persistent(const json_t *pool)
{
    return strcmp(tm_xc_text(pool, "kind"), "persistent") == 0;
}

static struct tm_xen_pool_text pool_of(const json_t *pool)
{
    struct tm_xen_pool_text line = {
        .is_persistent = is_persistent(pool),
        .is_shared = tm_xc_flag(pool, "shared"),
        .pages = tm_xc_count(pool, "pages"),
        .pages_max = tm_xc_count(pool, "pages_max"),
        .objects = tm_xc_count(pool, "objects"),
        .objects_max = tm_xc_count(pool, "objects"),
        .puts = tm_xc_count(pool, "puts"),
        .puts_good = tm_xc_count(pool, "puts_stored"),
        .puts_flushed = tm_xc_count(pool, "puts_dropped_old"),
        .puts_replaced = tm_xc_count(pool, "puts_replaced"),
        .gets = tm_xc_count(pool, "gets"),
        .gets_found = tm_xc_count(pool, "gets_found"),
        .flushes = tm_xc_count(pool, "invalidates"),
        .flushes_found = tm_xc_count(pool, "invalidates_found"),
        .object_flushes = tm_xc_count(pool, "object_invalidates"),
        .object_flushes_found = tm_xc_count(pool, "object_invalidates_found"),
    };
    (void)tm_xc_uuid(pool, line.uuid);
    line.puts_bad = line.puts - tm_min_u64(line.puts, line.puts_good + line.puts_flushed);
    return line;
}

static const json_t *membership(const json_t *client, uint64_t id)
{
    size_t index;
    const json_t *pool;
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        if (tm_xc_count(pool, "pool") == id)
            return pool;
    }
    return NULL;
}

/* A shared pool counts as that of its first member. */
static bool counts_for(const json_t *clients, const json_t *client, const json_t *pool)
{
    size_t index;
    const json_t *other;
    json_array_foreach(clients, index, other)
    {
        if (other == client || membership(other, tm_xc_count(pool, "pool")) != NULL)
            return other == client;
    }
    return true;
}

/* ---- lines ---- */

static void client_lines(struct tm_xen_text *text, const json_t *clients, const json_t *client, bool is_old,
                         bool is_long)
{
    bool compress = tm_xc_flag(client, "compress");
    size_t index;
    const json_t *pool;
    struct tm_xen_client_text line = {
        .id = tm_xc_number(client),
        .weight = (uint32_t)tm_xc_count(client, "weight"),
        .cap = (uint32_t)(tm_xc_count(client, "cap_bytes") >> 20),
        .has_cap = is_old,
        .compress = compress,
        .is_frozen = tm_xc_flag(client, "frozen"),
        .compressed_pages = compress ? tm_xc_count(client, "pages") : 0,
        .compressed_bytes = compress ? tm_xc_count(client, "charged_bytes") : 0,
        .puts_without_memory = tm_xc_count(json_object_get(client, "refused_by"), "memory"),
    };
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        if (!counts_for(clients, client, pool))
            continue;
        if (is_persistent(pool)) {
            line.persistent_puts += tm_xc_count(pool, "puts_stored");
            line.persistent_gets += tm_xc_count(pool, "gets_found");
        } else {
            line.ephemeral_gets += tm_xc_count(pool, "gets_found");
            line.ephemeral += tm_xc_count(pool, "pages");
            line.ephemeral_max += tm_xc_count(pool, "pages_max");
        }
    }
    tm_xen_text_client(text, &line, is_long);
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        struct tm_xen_pool_text pool_line = pool_of(pool);
        pool_line.client = line.id;
        pool_line.number = (uint32_t)index;
        tm_xen_text_pool(text, &pool_line, is_long);
    }
}

static void shared_line(struct tm_xen_text *text, const json_t *clients, const json_t *pool, uint32_t number,
                        bool is_long)
{
    struct tm_xen_pool_text line = pool_of(pool);
    uint32_t *sharers = calloc(json_array_size(clients), sizeof *sharers);
    size_t count = 0;
    size_t index;
    const json_t *client;
    if (sharers == NULL) {
        text->is_short = true;
        return;
    }
    json_array_foreach(clients, index, client)
    {
        if (membership(client, tm_xc_count(pool, "pool")) != NULL)
            sharers[count++] = tm_xc_number(client);
    }
    tm_xen_text_shared(text, number, &line, sharers, count, is_long);
    free(sharers);
}

/* ---- all ---- */

static void add_to_host(struct tm_xen_host_text *host, const json_t *pool)
{
    struct tm_xen_pool_text line = pool_of(pool);
    host->operations += line.puts + line.gets + line.flushes + line.object_flushes;
    host->errors += line.puts - tm_min_u64(line.puts, line.puts_good);
    host->now[TM_XEN_PAGES] += line.pages;
    host->max[TM_XEN_PAGES] += line.pages_max;
    host->now[TM_XEN_OBJECTS] += line.objects;
    if (line.is_persistent)
        return;
    host->now[TM_XEN_EPHEMERAL] += line.pages;
    host->max[TM_XEN_EPHEMERAL] += line.pages_max;
    host->ephemeral_puts += line.puts_good - tm_min_u64(line.puts_good, line.puts_replaced);
}

static void host_line(struct tm_xen_text *text, const json_t *clients, const json_t *store, bool is_long)
{
    struct tm_xen_host_text host = {.released_pages = tm_xc_count(store, "returned_bytes") / TMEM_PAGE_SIZE};
    const struct tmem_store_stats stats = {
        .resident_bytes = tm_xc_count(store, "resident_bytes"),
        .metadata_bytes = tm_xc_count(store, "metadata_bytes"),
        .block_bytes = tm_xc_count(store, "block_bytes"),
        .pages = tm_xc_count(store, "pages"),
        .pages_deduplicated = tm_xc_count(store, "pages_deduplicated"),
        .contents_shared = tm_xc_count(store, "contents_shared"),
        .evicted_pages = tm_xc_count(store, "evicted_pages"),
    };
    size_t index, pool_index;
    const json_t *client, *pool;
    json_array_foreach(clients, index, client)
    {
        json_array_foreach(json_object_get(client, "pool_list"), pool_index, pool)
        {
            if (counts_for(clients, client, pool))
                add_to_host(&host, pool);
        }
        host.no_memory += tm_xc_count(json_object_get(client, "refused_by"), "memory");
        host.no_room += tm_xc_count(json_object_get(client, "refused_by"), "room") +
                        tm_xc_count(json_object_get(client, "refused_by"), "cap");
    }
    tm_xen_text_share(&host, &stats);
    for (unsigned i = 0; i < TM_XEN_GAUGES; i++)
        host.max[i] = tm_max_u64(host.max[i], host.now[i]);
    tm_xen_text_host(text, &host, is_long);
}

static void all_lines(struct tm_xen_text *text, const json_t *clients, const json_t *store, bool is_old, bool is_long)
{
    uint32_t shared = 0;
    size_t index, pool_index;
    const json_t *client, *pool;
    host_line(text, clients, store, is_long);
    json_array_foreach(clients, index, client)
    {
        json_array_foreach(json_object_get(client, "pool_list"), pool_index, pool)
        {
            if (tm_xc_flag(pool, "shared") && counts_for(clients, client, pool))
                shared_line(text, clients, pool, shared++, is_long);
        }
    }
    json_array_foreach(clients, index, client)
    {
        client_lines(text, clients, client, is_old, is_long);
    }
    tm_xen_text_end(text);
}

char *tm_xc_list_text(const json_t *clients, const json_t *store, bool is_long)
{
    struct tm_xen_text text = {0};
    size_t index;
    const json_t *client;
    if (store != NULL) {
        all_lines(&text, clients, store, true, is_long);
    } else {
        json_array_foreach(clients, index, client)
        {
            client_lines(&text, clients, client, true, is_long);
        }
    }
    if (!text.is_short)
        return text.bytes;
    free(text.bytes);
    return NULL;
}

long tm_xc_list(const struct tm_xc_request *request, const json_t *clients, const json_t *only, const json_t *store)
{
    struct tm_xen_text text = {0};
    bool is_long = request->extra != 0;
    if (only != NULL)
        client_lines(&text, clients, only, request->is_old, is_long);
    else
        all_lines(&text, clients, store, request->is_old, is_long);
    long result = text.is_short ? -ENOMEM : text.length < request->value ? 0
                                                                         : -ENOBUFS;
    if (result != -ENOMEM && request->value > 0) {
        size_t length = tm_xen_text_fitting(&text, request->value);
        memcpy(request->buffer, text.bytes, length);
        ((char *)request->buffer)[length] = 0;
    }
    free(text.bytes);
    return result;
}
