/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - see table.h. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/size.h"

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

/* ---- figures ---- */

/* The time between the samples; 0: there is no earlier one. */
static double seconds_between(const struct top_sample *before, const struct top_sample *now)
{
    return before->seconds > 0.0 && now->seconds > before->seconds ? now->seconds - before->seconds : 0.0;
}

/* Counters begin again when a daemon does. */
static uint64_t since(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

#define CELL 16u

static const char *rate_text(char text[static CELL], uint64_t events, double seconds)
{
    if (seconds <= 0.0)
        (void)snprintf(text, CELL, "-");
    else
        (void)snprintf(text, CELL, "%.0f", (double)events / seconds);
    return text;
}

static const char *percent_text(char text[static CELL], uint64_t part, uint64_t whole)
{
    if (whole == 0)
        (void)snprintf(text, CELL, "-");
    else
        (void)snprintf(text, CELL, "%.1f", 100.0 * (double)part / (double)whole);
    return text;
}

static const char *ratio_text(char text[static CELL], uint64_t stored, uint64_t taken)
{
    if (taken == 0)
        (void)snprintf(text, CELL, "-");
    else
        (void)snprintf(text, CELL, "%.2f", (double)stored / (double)taken);
    return text;
}

static const char *micros_text(char text[static CELL], uint64_t ns, uint64_t events)
{
    if (events == 0)
        (void)snprintf(text, CELL, "-");
    else
        (void)snprintf(text, CELL, "%.1f", (double)ns / (double)events / 1000.0);
    return text;
}

uint64_t top_quantile_ns(const struct top_sample *now, const struct top_latency *latency,
                         const struct top_latency *before, unsigned permille)
{
    uint64_t all = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i <= now->limit_count; i++)
        all += since(before->counts[i], latency->counts[i]);
    uint64_t rank = (all * permille + 999u) / 1000u;
    for (size_t i = 0; i < now->limit_count && rank != 0; i++) {
        seen += since(before->counts[i], latency->counts[i]);
        if (seen >= rank)
            return now->limits_ns[i];
    }
    return rank == 0 || now->limit_count == 0 ? 0 : now->limits_ns[now->limit_count - 1u];
}

/* ---- the store ---- */

static void add_counts(struct top_counts *sum, const struct top_counts *counts)
{
    sum->pages += counts->pages;
    sum->gets += counts->gets;
    sum->found += counts->found;
    sum->puts += counts->puts;
    sum->evicted += counts->evicted;
}

static struct top_counts sum_of(const struct top_sample *sample)
{
    struct top_counts sum = {0};
    for (size_t i = 0; i < sample->client_count; i++)
        add_counts(&sum, &sample->clients[i].counts);
    return sum;
}

static struct top_counts counts_since(const struct top_counts *before, const struct top_counts *now)
{
    return (struct top_counts){.pages = now->pages,
                               .gets = since(before->gets, now->gets),
                               .found = since(before->found, now->found),
                               .puts = since(before->puts, now->puts),
                               .evicted = since(before->evicted, now->evicted)};
}

static bool add_latency(struct top_table *table, const char *name, const struct top_sample *now,
                        const struct top_latency *latency, const struct top_latency *before)
{
    static const unsigned permilles[] = {500, 990, 999};
    char cells[TM_ARRAY_SIZE(permilles)][CELL];
    for (size_t i = 0; i < TM_ARRAY_SIZE(permilles); i++) {
        uint64_t ns = top_quantile_ns(now, latency, before, permilles[i]);
        (void)micros_text(cells[i], ns, ns != 0);
    }
    return add_line(table, "%s  in the daemon, us: half %s, 99 %% %s, 99.9 %% %s", name, cells[0], cells[1], cells[2]);
}

static bool add_store(struct top_table *table, const struct top_sample *before, const struct top_sample *now)
{
    char sizes[3][TM_SIZE_TEXT];
    char cells[5][CELL];
    double seconds = seconds_between(before, now);
    struct top_counts earlier = sum_of(before);
    struct top_counts all = sum_of(now);
    struct top_counts counts = counts_since(&earlier, &all);
    return add_line(table, "store  %s of %s resident, %s of pages, ratio %s, %zu clients",
                    tm_size_format(now->resident_bytes, sizes[0]), tm_size_format(now->size_bytes, sizes[1]),
                    tm_size_format(now->stored_bytes, sizes[2]),
                    ratio_text(cells[0], now->stored_bytes, now->resident_bytes), now->client_count) &&
           add_line(table, "all    %s gets/s, hits %s %%, %s puts/s, %s evicted/s",
                    rate_text(cells[1], counts.gets, seconds), percent_text(cells[2], counts.found, counts.gets),
                    rate_text(cells[3], counts.puts, seconds), rate_text(cells[4], counts.evicted, seconds)) &&
           add_latency(table, "get ", now, &now->get, &before->get) &&
           add_latency(table, "put ", now, &now->put, &before->put);
}

/* ---- clients and pools ---- */

static const struct top_client *find_client(const struct top_sample *sample, const char *name)
{
    for (size_t i = 0; i < sample->client_count; i++)
        if (strcmp(sample->clients[i].name, name) == 0)
            return &sample->clients[i];
    return NULL;
}

/* For whom it lost most pages since, as "NAME COUNT"; "-": for nobody. */
static void worst_evictor(const struct top_client *before, const struct top_client *now, char *text, size_t text_size)
{
    uint64_t most = 0;
    (void)snprintf(text, text_size, "-");
    for (size_t i = 0; i < now->evictor_count; i++) {
        uint64_t pages = now->evictors[i].pages;
        for (size_t k = 0; before != NULL && k < before->evictor_count; k++)
            if (strcmp(before->evictors[k].name, now->evictors[i].name) == 0)
                pages = since(before->evictors[k].pages, pages);
        if (pages <= most)
            continue;
        most = pages;
        (void)snprintf(text, text_size, "%s %llu",
                       now->evictors[i].name[0] != '\0' ? now->evictors[i].name : "(others)",
                       (unsigned long long)pages);
    }
}

static const char *state_of(const struct top_client *client)
{
    return client->is_frozen ? "frozen" : client->state;
}

static bool add_client(struct top_table *table, const struct top_client *before, const struct top_client *now,
                       double seconds)
{
    static const struct top_client nobody;
    const struct top_client *earlier = before != NULL ? before : &nobody;
    char sizes[2][TM_SIZE_TEXT];
    char cells[7][CELL];
    char evictor[TMEM_CLIENT_NAME_SIZE + 24u];
    struct top_counts counts = counts_since(&earlier->counts, &now->counts);
    if (before == NULL)
        seconds = 0.0; /* it was not there */
    worst_evictor(before, now, evictor, sizeof evictor);
    return add_line(
        table, "%-*.*s %-9s %6llu %9llu %8s %8s %5s %5s %9s %9s %7s %6s %6s  %s", NAME_WIDTH, NAME_WIDTH, now->name,
        state_of(now), (unsigned long long)now->weight, (unsigned long long)now->counts.pages,
        tm_size_format(now->charged_bytes, sizes[0]),
        now->cap_bytes == UINT64_MAX ? "-" : tm_size_format(now->cap_bytes, sizes[1]),
        ratio_text(cells[0], now->counts.pages * TMEM_PAGE_SIZE, now->charged_bytes),
        percent_text(cells[1], counts.found, counts.gets), rate_text(cells[2], counts.gets, seconds),
        rate_text(cells[3], counts.puts, seconds), rate_text(cells[4], counts.evicted, seconds),
        micros_text(cells[5], since(earlier->timed_get_ns, now->timed_get_ns),
                    since(earlier->timed_gets, now->timed_gets)),
        micros_text(cells[6], since(earlier->timed_put_ns, now->timed_put_ns),
                    since(earlier->timed_puts, now->timed_puts)),
        evictor);
}

static const struct top_pool *find_pool(const struct top_client *client, uint64_t id)
{
    for (size_t i = 0; client != NULL && i < client->pool_count; i++)
        if (client->pools[i].id == id)
            return &client->pools[i];
    return NULL;
}

static bool add_pool(struct top_table *table, const struct top_pool *before, const struct top_pool *now,
                     double seconds)
{
    static const struct top_pool nothing;
    const struct top_pool *earlier = before != NULL ? before : &nothing;
    char name[48];
    char cells[4][CELL];
    struct top_counts counts = counts_since(&earlier->counts, &now->counts);
    if (before == NULL)
        seconds = 0.0;
    (void)snprintf(name, sizeof name, "  pool %llu %s%s", (unsigned long long)now->id, now->kind,
                   now->members > 1 ? ", shared" : "");
    return add_line(table, "%-*s %9llu %8s %8s %5s %5s %9s %9s %7s", NAME_WIDTH + 17, name,
                    (unsigned long long)now->counts.pages, "", "", "",
                    percent_text(cells[0], counts.found, counts.gets), rate_text(cells[1], counts.gets, seconds),
                    rate_text(cells[2], counts.puts, seconds), rate_text(cells[3], counts.evicted, seconds));
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
    double seconds = seconds_between(before, now);
    for (size_t i = 0; i < now->client_count; i++) {
        const struct top_client *earlier = find_client(before, clients[i]->name);
        if (!add_client(table, earlier, clients[i], seconds))
            return false;
        for (size_t k = 0; with_pools && k < clients[i]->pool_count; k++)
            if (!add_pool(table, find_pool(earlier, clients[i]->pools[k].id), &clients[i]->pools[k], seconds))
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
