/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - see table.h. */
#include "table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/size.h"
#include "rates.h"

#define NAME_WIDTH 24

/* ---- lines ---- */

/* False: no memory. */
static TM_PRINTF(2, 3) bool add_line(struct top_table *table, const char *format, ...)
{
    va_list arguments;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity * 2u + 32u;
        char(*lines)[TOP_LINE_BYTES] = reallocarray(table->lines, capacity, sizeof *lines);
        if (lines == NULL)
            return false;
        table->lines = lines;
        table->capacity = capacity;
    }
    va_start(arguments, format);
    (void)vsnprintf(table->lines[table->count], TOP_LINE_BYTES, format, arguments);
    va_end(arguments);
    table->count++;
    return true;
}

void top_table_free(struct top_table *table)
{
    free(table->lines);
    *table = (struct top_table){.lines = NULL};
}

/* ---- cells ---- */

#define CELL 16u

/* A dash where there is none. */
static const char *number_text(char text[static CELL], double value, int decimals)
{
    if (isnan(value))
        (void)snprintf(text, CELL, "-");
    else
        (void)snprintf(text, CELL, "%.*f", decimals, value);
    return text;
}

static const char *ratio_text(char text[static CELL], uint64_t stored, uint64_t taken)
{
    return number_text(text, taken != 0 ? (double)stored / (double)taken : (double)NAN, 2);
}

/* Rates of one line. */
struct cells {
    char hits[CELL], gets[CELL], puts[CELL], evicted[CELL], get_us[CELL], put_us[CELL];
};

static void fill_cells(struct cells *cells, const struct top_rates *rates)
{
    (void)number_text(cells->hits, rates->hit_ratio * 100.0, 1);
    (void)number_text(cells->gets, rates->gets_per_second, 0);
    (void)number_text(cells->puts, rates->puts_per_second, 0);
    (void)number_text(cells->evicted, rates->evicted_per_second, 0);
    (void)number_text(cells->get_us, rates->get_us, 1);
    (void)number_text(cells->put_us, rates->put_us, 1);
}

/* ---- the store ---- */

static bool add_latency(struct top_table *table, const char *name, const struct top_sample *now,
                        const struct top_latency *before, const struct top_latency *latency)
{
    struct top_quantiles quantiles = top_quantiles_of(now, before, latency);
    const uint64_t ns[] = {quantiles.p50_ns, quantiles.p99_ns, quantiles.p999_ns};
    char cells[TM_ARRAY_SIZE(ns)][CELL];
    for (size_t i = 0; i < TM_ARRAY_SIZE(ns); i++)
        (void)number_text(cells[i], ns[i] != 0 ? (double)ns[i] / 1000.0 : (double)NAN, 1);
    return add_line(table, "%s  in the daemon, us: half %s, 99 %% %s, 99.9 %% %s", name, cells[0], cells[1], cells[2]);
}

static bool add_store(struct top_table *table, const struct top_sample *before, const struct top_sample *now)
{
    char sizes[3][TM_SIZE_TEXT];
    char ratio[CELL];
    struct cells cells;
    struct top_rates rates = top_rates_of_all(before, now);
    fill_cells(&cells, &rates);
    return add_line(table, "store  %s of %s resident, %s of pages, ratio %s, %zu clients",
                    tm_size_format(now->resident_bytes, sizes[0]), tm_size_format(now->size_bytes, sizes[1]),
                    tm_size_format(now->stored_bytes, sizes[2]),
                    ratio_text(ratio, now->stored_bytes, now->resident_bytes), now->client_count) &&
           add_line(table, "all    %s gets/s, hits %s %%, %s puts/s, %s evicted/s", cells.gets, cells.hits, cells.puts,
                    cells.evicted) &&
           add_latency(table, "get ", now, &before->get, &now->get) &&
           add_latency(table, "put ", now, &before->put, &now->put);
}

/* ---- clients and pools ---- */

/* For whom it lost most pages since, as "NAME COUNT"; "-": for nobody. */
static void worst_evictor(const struct top_client *before, const struct top_client *now, char *text, size_t text_size)
{
    uint64_t most = 0;
    (void)snprintf(text, text_size, "-");
    for (size_t i = 0; i < now->evictor_count; i++) {
        const struct top_evictor *evictor = &now->evictors[i];
        uint64_t pages = top_pages_lost(before, evictor);
        if (pages <= most)
            continue;
        most = pages;
        (void)snprintf(text, text_size, "%s %llu", evictor->name[0] != '\0' ? evictor->name : "(others)",
                       (unsigned long long)pages);
    }
}

static bool add_client(struct top_table *table, const struct top_client *before, const struct top_client *now,
                       double seconds)
{
    char sizes[2][TM_SIZE_TEXT];
    char ratio[CELL];
    char evictor[TMEM_CLIENT_NAME_SIZE + 24u];
    struct cells cells;
    struct top_rates rates = top_rates_of_client(before, now, seconds);
    fill_cells(&cells, &rates);
    worst_evictor(before, now, evictor, sizeof evictor);
    return add_line(table, "%-*.*s %-9s %6llu %9llu %8s %8s %5s %5s %9s %9s %7s %6s %6s  %s", NAME_WIDTH, NAME_WIDTH,
                    now->name, now->is_frozen ? "frozen" : now->state, (unsigned long long)now->weight,
                    (unsigned long long)now->counts.pages, tm_size_format(now->charged_bytes, sizes[0]),
                    now->cap_bytes == UINT64_MAX ? "-" : tm_size_format(now->cap_bytes, sizes[1]),
                    ratio_text(ratio, now->counts.pages * TMEM_PAGE_SIZE, now->charged_bytes), cells.hits, cells.gets,
                    cells.puts, cells.evicted, cells.get_us, cells.put_us, evictor);
}

static bool add_pool(struct top_table *table, const struct top_pool *before, const struct top_pool *now,
                     double seconds)
{
    char name[48];
    struct cells cells;
    struct top_rates rates = top_rates_of_pool(before, now, seconds);
    fill_cells(&cells, &rates);
    (void)snprintf(name, sizeof name, "  pool %llu %s%s", (unsigned long long)now->id, now->kind,
                   now->members > 1 ? ", shared" : "");
    return add_line(table, "%-*s %9llu %8s %8s %5s %5s %9s %9s %7s", NAME_WIDTH + 17, name,
                    (unsigned long long)now->counts.pages, "", "", "", cells.hits, cells.gets, cells.puts,
                    cells.evicted);
}

/* ---- order ---- */

const char *top_order_name(enum top_order order)
{
    static const char *const names[TOP_ORDERS] = {"charge", "gets", "name"};
    return names[order];
}

static int compare_charge(const void *a, const void *b)
{
    const struct top_client *const *first = a;
    const struct top_client *const *second = b;
    if ((*first)->charged_bytes != (*second)->charged_bytes)
        return (*first)->charged_bytes < (*second)->charged_bytes ? 1 : -1;
    return strcmp((*first)->name, (*second)->name);
}

static int compare_gets(const void *a, const void *b)
{
    const struct top_client *const *first = a;
    const struct top_client *const *second = b;
    if ((*first)->counts.gets != (*second)->counts.gets)
        return (*first)->counts.gets < (*second)->counts.gets ? 1 : -1;
    return strcmp((*first)->name, (*second)->name);
}

static int compare_name(const void *a, const void *b)
{
    const struct top_client *const *first = a;
    const struct top_client *const *second = b;
    return strcmp((*first)->name, (*second)->name);
}

static bool add_clients(struct top_table *table, const struct top_client **clients, const struct top_sample *before,
                        const struct top_sample *now, bool with_pools)
{
    double seconds = top_seconds_between(before, now);
    for (size_t i = 0; i < now->client_count; i++) {
        const struct top_client *earlier = top_find_client(before, clients[i]->name);
        if (!add_client(table, earlier, clients[i], seconds))
            return false;
        for (size_t k = 0; with_pools && k < clients[i]->pool_count; k++)
            if (!add_pool(table, top_find_pool(earlier, clients[i]->pools[k].id), &clients[i]->pools[k], seconds))
                return false;
    }
    return true;
}

bool top_table_make(struct top_table *table, const struct top_sample *before, const struct top_sample *now,
                    enum top_order order, bool with_pools)
{
    static int (*const compare[TOP_ORDERS])(const void *, const void *) = {compare_charge, compare_gets,
                                                                           compare_name};
    table->count = 0;
    const struct top_client **clients = calloc(now->client_count + 1u, sizeof *clients);
    if (clients == NULL)
        return false;
    for (size_t i = 0; i < now->client_count; i++)
        clients[i] = &now->clients[i];
    qsort(clients, now->client_count, sizeof *clients, compare[order]);
    bool is_whole = add_store(table, before, now) && add_line(table, "%s", "") &&
                    add_line(table, "%-*s %-9s %6s %9s %8s %8s %5s %5s %9s %9s %7s %6s %6s  %s", NAME_WIDTH, "CLIENT",
                             "STATE", "WEIGHT", "PAGES", "CHARGED", "CAP", "RATIO", "HIT %", "GETS/s", "PUTS/s",
                             "EVICT/s", "GET us", "PUT us", "LOST PAGES TO");
    table->heading = table->count;
    is_whole = is_whole && add_clients(table, clients, before, now, with_pools);
    free(clients);
    if (!is_whole)
        table->count = 0;
    return is_whole;
}
