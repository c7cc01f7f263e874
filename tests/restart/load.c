/* SPDX-License-Identifier: BSD-2-Clause */
/* load.c - see load.h. */
#include "tests/restart/load.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tmem/tmem.h>

#include "tests/model/content.h"

#define POOLS 2u
#define OBJECTS 4u
#define PAGES 40u
#define BATCH 8u
#define CLIENTS_MAX 16u
#define PATIENCE_US UINT64_C(60000000)

/* What a page is, 0: there is none; and what else it may be, where a call was not answered. */
struct cell {
    uint64_t content;
    uint64_t other;
    bool is_open;
};

struct client {
    const struct kept *kept;
    struct load *load;
    unsigned number;
    uint64_t random;
    pthread_t thread;
    _Atomic bool stops;
    _Atomic bool has_stopped;
    _Atomic uint64_t done; /* calls, those for looking left out */
    _Atomic uint64_t calls[LOAD_KINDS];
    _Atomic uint64_t unanswered[LOAD_KINDS];
    _Atomic uint64_t slowest_us;
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool[POOLS];
    struct tmem_pool *cache;
    uint64_t cached; /* what was put there last */
    struct cell cell[POOLS][OBJECTS][PAGES];
    unsigned open_cells;
    bool has_lost; /* the connection, and has not looked at all pages since */
    unsigned char page[BATCH][TMEM_PAGE_SIZE] __attribute__((aligned(8)));
};

struct load {
    unsigned count;
    _Atomic int kill_after; /* enum load_kind, or -1 */
    struct client client[CLIENTS_MAX];
};

static unsigned below(struct client *client, unsigned limit)
{
    return (unsigned)((content_next(&client->random) >> 32) * limit >> 32);
}

static struct tmem_object_id object_of(unsigned object)
{
    /* What is next to each other here is next to each other there. */
    return (struct tmem_object_id){{object / 2u, object, 7}};
}

/* ---- the model ---- */

static void may_be(struct client *client, struct cell *cell, uint64_t other)
{
    if (other == cell->content)
        return;
    cell->other = other;
    client->open_cells += !cell->is_open;
    cell->is_open = true;
}

static void is_now(struct client *client, struct cell *cell, uint64_t content)
{
    cell->content = content;
    client->open_cells -= cell->is_open;
    cell->is_open = false;
}

/* Writes down what a call did to a page that made it @content, or would have. */
static void account(struct client *client, struct cell *cell, enum load_kind kind, enum tmem_result result,
                    uint64_t content)
{
    if (result == TMEM_UNAVAILABLE)
        may_be(client, cell, content);
    else if (result == TMEM_OK || (result == TMEM_MISS && content == 0))
        is_now(client, cell, content);
    else
        kept_fail(client->kept, "client %u: a call of kind %d answered '%s'", client->number, (int)kind,
                  tmem_result_text(result));
}

/* Compares a get's answer with the model, which knows more then. */
static void judge(struct client *client, struct cell *cell, enum tmem_result result, const void *page)
{
    if (result == TMEM_UNAVAILABLE)
        return;
    if (result != TMEM_OK && result != TMEM_MISS)
        kept_fail(client->kept, "client %u: a get answered '%s'", client->number, tmem_result_text(result));
    uint64_t allowed[2] = {cell->content, cell->is_open ? cell->other : cell->content};
    for (unsigned i = 0; i < 2; i++) {
        if (result == TMEM_MISS ? allowed[i] == 0 : allowed[i] != 0 && content_matches(allowed[i], page)) {
            is_now(client, cell, allowed[i]);
            return;
        }
    }
    kept_fail(client->kept, "client %u, page at %td: %s, where %s is acknowledged and %s possible", client->number,
              cell - &client->cell[0][0][0], result == TMEM_MISS ? "a miss" : "a page that is neither",
              allowed[0] == 0 ? "a miss" : "a page", allowed[1] == 0 ? "a miss" : "a page");
}

/* ---- calls ---- */

/* Counts a call that began then. */
static void count(struct client *client, enum load_kind kind, uint64_t begun_us, bool is_answered)
{
    int expected = (int)kind;
    if (is_answered && atomic_load(&client->load->kill_after) == expected &&
        atomic_compare_exchange_strong(&client->load->kill_after, &expected, -1))
        kept_kill(client->kept, SIGKILL);
    client->has_lost = client->has_lost || !is_answered;
    uint64_t took_us = kept_now_us() - begun_us;
    if (took_us > atomic_load(&client->slowest_us))
        atomic_store(&client->slowest_us, took_us);
    atomic_fetch_add(is_answered ? &client->calls[kind] : &client->unanswered[kind], 1);
}

static void get(struct client *client, unsigned pool, unsigned object, unsigned page, enum tmem_get_mode mode)
{
    struct tmem_object_id id = object_of(object);
    struct cell *cell = &client->cell[pool][object][page];
    enum load_kind kind = mode == TMEM_GET_EXCLUSIVE ? LOAD_TAKE : LOAD_GET;
    uint64_t begun_us = kept_now_us();
    enum tmem_result result = tmem_get(client->pool[pool], &id, page, client->page[0], mode);
    count(client, kind, begun_us, result != TMEM_UNAVAILABLE);
    judge(client, cell, result, client->page[0]);
    if (mode == TMEM_GET_EXCLUSIVE)
        account(client, cell, kind, result, 0);
}

static void put(struct client *client, unsigned pool, unsigned object, unsigned page, unsigned pages)
{
    struct tmem_io io[BATCH];
    uint64_t content[BATCH];
    enum load_kind kind = pages == 1 ? LOAD_PUT : LOAD_PUT_MANY;
    for (unsigned i = 0; i < pages; i++) {
        content[i] = content_draw(content_next(&client->random));
        content_fill(content[i], client->page[i]);
        io[i] = (struct tmem_io){object_of(object), (page + i) % PAGES, TMEM_INVALID, client->page[i]};
    }
    uint64_t begun_us = kept_now_us();
    if (pages == 1)
        io[0].result = tmem_put(client->pool[pool], &io[0].object, page, client->page[0], TMEM_PUT_PLAIN);
    else if (tmem_put_many(client->pool[pool], io, pages, TMEM_PUT_PLAIN) != TMEM_OK)
        kept_fail(client->kept, "client %u: a batch failed as a whole", client->number);
    count(client, kind, begun_us, io[pages - 1u].result != TMEM_UNAVAILABLE);
    for (unsigned i = 0; i < pages; i++)
        account(client, &client->cell[pool][object][(page + i) % PAGES], kind, io[i].result, content[i]);
}

static void invalidate_page(struct client *client, unsigned pool, unsigned object, unsigned page)
{
    struct tmem_object_id id = object_of(object);
    uint64_t begun_us = kept_now_us();
    enum tmem_result result = tmem_invalidate_page(client->pool[pool], &id, page);
    count(client, LOAD_INVALIDATE_PAGE, begun_us, result != TMEM_UNAVAILABLE);
    account(client, &client->cell[pool][object][page], LOAD_INVALIDATE_PAGE, result, 0);
}

static void invalidate_object(struct client *client, unsigned pool, unsigned object)
{
    struct tmem_object_id id = object_of(object);
    uint64_t begun_us = kept_now_us();
    enum tmem_result result = tmem_invalidate_object(client->pool[pool], &id);
    count(client, LOAD_INVALIDATE_OBJECT, begun_us, result != TMEM_UNAVAILABLE);
    for (unsigned page = 0; page < PAGES; page++)
        account(client, &client->cell[pool][object][page], LOAD_INVALIDATE_OBJECT, result, 0);
}

/* Until it is made: a pool cannot be half there. */
static struct tmem_pool *make_pool(struct client *client, uint32_t flags)
{
    struct tmem_pool *pool;
    for (uint64_t end_us = kept_now_us() + PATIENCE_US;;) {
        enum tmem_result result = tmem_pool_create(client->client, flags, NULL, &pool);
        if (result == TMEM_OK)
            return pool;
        if (result != TMEM_UNAVAILABLE || kept_now_us() > end_us)
            kept_fail(client->kept, "client %u: no pool: '%s'", client->number, tmem_result_text(result));
        usleep(500);
    }
}

/* The next pool must not have the pages of this one, and nobody must: load_stop() counts them. */
static void destroy_pool(struct client *client, unsigned pool)
{
    uint64_t begun_us = kept_now_us();
    tmem_pool_destroy(client->pool[pool]);
    count(client, LOAD_POOL_DESTROY, begun_us, true);
    client->pool[pool] = make_pool(client, TMEM_POOL_PERSISTENT);
    for (unsigned object = 0; object < OBJECTS; object++)
        for (unsigned page = 0; page < PAGES; page++)
            is_now(client, &client->cell[pool][object][page], 0);
}

/* A page that is a cache's is there or not, but if it is, it is the last one. */
static void use_cache(struct client *client)
{
    static const struct tmem_object_id id = {{1, 1, 1}};
    uint64_t begun_us = kept_now_us();
    enum tmem_result result = tmem_get(client->cache, &id, 1, client->page[0], TMEM_GET_INCLUSIVE);
    if (result == TMEM_OK && (client->cached == 0 || !content_matches(client->cached, client->page[0])))
        kept_fail(client->kept, "client %u: an ephemeral page that was replaced came back", client->number);
    count(client, LOAD_CACHE, begun_us, result != TMEM_UNAVAILABLE);
    client->cached = content_draw(content_next(&client->random));
    content_fill(client->cached, client->page[0]);
    if (tmem_put(client->cache, &id, 1, client->page[0], TMEM_PUT_PLAIN) != TMEM_OK)
        client->cached = 0; /* whatever it became: an answer that was lost is followed by an empty pool */
}

/* ---- work ---- */

/* Of what a lost answer left open each page is asked for, before anything else is done with it. */
static void close_cells(struct client *client)
{
    struct cell *first = &client->cell[0][0][0];
    for (unsigned i = 0; i < POOLS * OBJECTS * PAGES && client->open_cells > 0; i++) {
        if (!first[i].is_open)
            continue;
        get(client, i / (OBJECTS * PAGES), i / PAGES % OBJECTS, i % PAGES, TMEM_GET_INCLUSIVE);
        if (first[i].is_open)
            return;
    }
}

static void do_one(struct client *client)
{
    static const unsigned shares[LOAD_KINDS] = {30, 10, 30, 8, 8, 4, 1, 9};
    unsigned pool = below(client, POOLS);
    unsigned object = below(client, OBJECTS);
    unsigned page = below(client, PAGES);
    unsigned kind = 0;
    for (unsigned drawn = below(client, 100); drawn >= shares[kind]; kind++)
        drawn -= shares[kind];
    switch ((enum load_kind)kind) {
    case LOAD_PUT:
        put(client, pool, object, page, 1);
        return;
    case LOAD_PUT_MANY:
        put(client, pool, object, page, 2u + below(client, BATCH - 1u));
        return;
    case LOAD_GET:
        get(client, pool, object, page, TMEM_GET_INCLUSIVE);
        return;
    case LOAD_TAKE:
        get(client, pool, object, page, TMEM_GET_EXCLUSIVE);
        return;
    case LOAD_INVALIDATE_PAGE:
        invalidate_page(client, pool, object, page);
        return;
    case LOAD_INVALIDATE_OBJECT:
        invalidate_object(client, pool, object);
        return;
    case LOAD_POOL_DESTROY:
        destroy_pool(client, pool);
        return;
    case LOAD_CACHE:
        use_cache(client);
        return;
    case LOAD_KINDS:
        break;
    }
}

/* All that is known must be there. Ends where the daemon is lost again. */
static void look_at_all(struct client *client)
{
    client->has_lost = false;
    for (unsigned i = 0; i < POOLS * OBJECTS * PAGES && !client->has_lost; i++)
        get(client, i / (OBJECTS * PAGES), i / PAGES % OBJECTS, i % PAGES, TMEM_GET_INCLUSIVE);
}

/* And nothing else: pages of pools that are gone would count. */
static void count_pages(struct client *client)
{
    struct tmem_client_stats stats;
    const struct cell *first = &client->cell[0][0][0];
    uint64_t pages = 0;
    look_at_all(client);
    for (unsigned i = 0; i < POOLS * OBJECTS * PAGES; i++)
        pages += first[i].content != 0;
    tmem_pool_destroy(client->cache);
    enum tmem_result result = tmem_client_stats(client->client, &stats, sizeof stats);
    if (result != TMEM_OK)
        kept_fail(client->kept, "client %u: its statistics: '%s'", client->number, tmem_result_text(result));
    if (client->open_cells != 0 || client->has_lost || stats.counters.pages != pages)
        kept_fail(client->kept, "client %u has %llu pages, of which it knows %llu", client->number,
                  (unsigned long long)stats.counters.pages, (unsigned long long)pages);
}

static void *work(void *user)
{
    struct client *client = user;
    while (!atomic_load(&client->stops) || client->open_cells > 0) {
        if (client->open_cells > 0)
            close_cells(client);
        else if (client->has_lost)
            look_at_all(client);
        else
            do_one(client);
        if (client->has_lost)
            usleep(200); /* there is no daemon, or was none just now */
        else
            atomic_fetch_add(&client->done, 1);
    }
    count_pages(client);
    tmem_close(client->store);
    atomic_store(&client->has_stopped, true);
    return NULL;
}

static void begin(struct client *client)
{
    struct tmem_error error;
    char name[32];
    if (tmem_open(client->kept->uri, &client->store, &error) != TMEM_OK)
        kept_fail(client->kept, "client %u: %s", client->number, error.text);
    snprintf(name, sizeof name, "client-%u", client->number);
    enum tmem_result result = tmem_client_create(client->store, name, NULL, &client->client);
    if (result != TMEM_OK)
        kept_fail(client->kept, "client %u: %s", client->number, tmem_result_text(result));
    for (unsigned pool = 0; pool < POOLS; pool++)
        client->pool[pool] = make_pool(client, TMEM_POOL_PERSISTENT);
    client->cache = make_pool(client, TMEM_POOL_EPHEMERAL);
}

struct load *load_start(const struct kept *kept, unsigned clients, uint64_t seed)
{
    struct load *load = aligned_alloc(64, (sizeof *load + 63u) / 64u * 64u);
    if (load == NULL || clients > CLIENTS_MAX)
        kept_fail(kept, "no memory");
    memset(load, 0, sizeof *load);
    load->count = clients;
    atomic_store(&load->kill_after, -1);
    for (unsigned i = 0; i < clients; i++) {
        struct client *client = &load->client[i];
        client->kept = kept;
        client->load = load;
        client->number = i;
        client->random = content_scatter(seed + i);
        begin(client);
        if (pthread_create(&client->thread, NULL, work, client) != 0)
            kept_fail(kept, "no thread");
    }
    return load;
}

void load_await(struct load *load, unsigned calls)
{
    uint64_t end_us = kept_now_us() + PATIENCE_US;
    uint64_t before[CLIENTS_MAX];
    for (unsigned i = 0; i < load->count; i++)
        before[i] = atomic_load(&load->client[i].done);
    for (unsigned i = 0; i < load->count; i++)
        while (atomic_load(&load->client[i].done) < before[i] + calls) {
            if (kept_now_us() > end_us)
                kept_fail(load->client[i].kept, "client %u does not come back", i);
            usleep(200);
        }
}

void load_kill_after(struct load *load, enum load_kind kind)
{
    atomic_store(&load->kill_after, (int)kind);
    for (uint64_t end_us = kept_now_us() + PATIENCE_US; atomic_load(&load->kill_after) != -1;) {
        if (kept_now_us() > end_us)
            kept_fail(load->client[0].kept, "no call of kind %d was answered", (int)kind);
        usleep(200);
    }
}

void load_stop(struct load *load)
{
    for (unsigned i = 0; i < load->count; i++)
        atomic_store(&load->client[i].stops, true);
    for (unsigned i = 0; i < load->count; i++)
        pthread_join(load->client[i].thread, NULL);
}

void load_sum(const struct load *load, struct load_sum *sum)
{
    *sum = (struct load_sum){.slowest_us = 0};
    for (unsigned i = 0; i < load->count; i++) {
        const struct client *client = &load->client[i];
        for (unsigned kind = 0; kind < LOAD_KINDS; kind++) {
            sum->calls[kind] += atomic_load(&client->calls[kind]);
            sum->unanswered[kind] += atomic_load(&client->unanswered[kind]);
        }
        if (atomic_load(&client->slowest_us) > sum->slowest_us)
            sum->slowest_us = atomic_load(&client->slowest_us);
    }
}
