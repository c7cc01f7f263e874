/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - a store and its map: how they begin, what is done to them, and how they come through a restart. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model.h"

#define MIB (UINT64_C(1) << 20)

/* What the statistics say, for whoever looks into a failure. */
static void print_state(const struct world *world)
{
    struct tmem_store_stats store;
    if (world->store == NULL || tmem_store_stats(world->store, &store, sizeof store) != TMEM_OK)
        return;
    fprintf(stderr, "  KiB: size %llu, resident %llu, metadata %llu, spans %llu, blocks %llu, dead %llu\n",
            (unsigned long long)store.size_bytes >> 10, (unsigned long long)store.resident_bytes >> 10,
            (unsigned long long)store.metadata_bytes >> 10, (unsigned long long)(store.spans * store.span_bytes) >> 10,
            (unsigned long long)store.block_bytes >> 10, (unsigned long long)store.dead_bytes >> 10);
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        struct tmem_client_stats stats;
        if (world->client[i].handle == NULL ||
            tmem_client_stats(world->client[i].handle, &stats, sizeof stats) != TMEM_OK)
            continue;
        fprintf(stderr, "  %s: weight %u, cap %llu KiB, charged %llu KiB%s\n", stats.name, stats.weight,
                (unsigned long long)stats.cap_bytes >> 10, (unsigned long long)stats.charged_bytes >> 10,
                stats.frozen != 0 ? ", frozen" : "");
        for (unsigned k = 0; k < MODEL_POOLS; k++) {
            struct tmem_pool_stats pool;
            if (world->pool[k].member[i] != NULL &&
                tmem_pool_stats(world->pool[k].member[i], &pool, sizeof pool) == TMEM_OK)
                fprintf(stderr, "    pool %llu, flags %u: %llu pages in %llu objects, %llu same-filled\n",
                        (unsigned long long)pool.id, pool.flags, (unsigned long long)pool.counters.pages,
                        (unsigned long long)pool.counters.objects, (unsigned long long)pool.counters.same_filled);
        }
    }
}

void model_fail(const struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "operation %llu: ", (unsigned long long)world->operation);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n  store: %s\n  again: %s\n", world->uri, world->replay);
    va_end(arguments);
    print_state(world);
    exit(1);
}

/* ---- drawing ---- */

uint64_t model_random(struct model_draw *draw)
{
    return content_next(&draw->state);
}

unsigned model_below(struct model_draw *draw, unsigned limit)
{
    return (unsigned)((model_random(draw) >> 32) * limit >> 32);
}

bool model_chance(struct model_draw *draw, unsigned of)
{
    return model_below(draw, of) == 0;
}

/* ---- handles ---- */

/* Ids at the ends of the range, some that differ in one word only, and any. */
struct tmem_object_id model_object_id(unsigned object)
{
    struct tmem_object_id id = {{0, 0, 0}};
    if (object == 1)
        id = (struct tmem_object_id){{UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    else if (object >= 2 && object < 8)
        id.word[object % 3] = object;
    else if (object >= 8)
        for (unsigned i = 0; i < 3; i++)
            id.word[i] = content_scatter(object * 3u + i);
    return id;
}

/* Pages that fill chunks, pages with gaps, one to a chunk, and the last ones that an index can name. */
uint32_t model_page_index(unsigned page)
{
    if (page < 64)
        return page;
    if (page < 96)
        return 4096u + (page - 64u) * 3u;
    if (page < 128)
        return 100000u + (page - 96u) * 64u + page % 7u;
    return UINT32_MAX - (page - 128u) * 2u;
}

bool model_find_key(const struct tmem_key *key, unsigned *object, unsigned *page)
{
    for (*object = 0; *object < MODEL_OBJECTS; (*object)++) {
        struct tmem_object_id id = model_object_id(*object);
        if (memcmp(&id, &key->object, sizeof id) == 0)
            break;
    }
    for (*page = 0; *page < MODEL_PAGES; (*page)++)
        if (model_page_index(*page) == key->index)
            break;
    return *object < MODEL_OBJECTS && *page < MODEL_PAGES;
}

uint64_t *model_content(const struct model_spot *spot)
{
    return &spot->pool->content[spot->object * MODEL_PAGES + spot->page];
}

bool model_is_persistent(const struct model_pool *pool)
{
    return (pool->flags & TMEM_POOL_PERSISTENT) != 0;
}

bool model_is_shared(const struct model_pool *pool)
{
    return (pool->flags & TMEM_POOL_SHARED) != 0;
}

/* For some ten thousand operations one pool is preferred, so that pools fill up. */
bool model_draw_spot(struct world *world, struct model_draw *draw, struct model_spot *spot)
{
    uint64_t era = content_scatter(world->seed ^ world->operation >> 14);
    unsigned first = model_chance(draw, 2) ? (unsigned)(era % MODEL_POOLS) : model_below(draw, MODEL_POOLS);
    unsigned of_client = model_below(draw, MODEL_CLIENTS);
    spot->object = model_chance(draw, 3) ? (unsigned)(era >> 8) % MODEL_OBJECTS : model_below(draw, MODEL_OBJECTS);
    spot->page = model_below(draw, model_chance(draw, 2) ? MODEL_PAGES : 1u + (unsigned)(era >> 16) % MODEL_PAGES);
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        spot->pool = &world->pool[(first + i) % MODEL_POOLS];
        for (unsigned k = 0; k < MODEL_CLIENTS && spot->pool->id != 0; k++) {
            unsigned number = (of_client + k) % MODEL_CLIENTS;
            spot->client = &world->client[number];
            spot->member = spot->pool->member[number];
            if (spot->member != NULL)
                return true;
        }
    }
    return false;
}

/* ---- beginning and end ---- */

static void open_store(struct world *world)
{
    struct tmem_error error = {{0}};
    enum tmem_result result = tmem_open(world->uri, &world->store, &error);
    if (result != TMEM_OK)
        model_fail(world, "open: '%s': %s", tmem_result_text(result), error.text);
}

/* A store of one of several kinds: each world tries one. */
static void draw_uri(struct world *world, struct model_draw *draw)
{
    static const char *const codecs[] = {"lz4", "lz4", "lz4", "lz4", "lz4", "zstd:1", "zstd:-5", "none"};
    unsigned size_mib = 16u + 8u * model_below(draw, 5);
    const char *codec = codecs[model_below(draw, sizeof codecs / sizeof codecs[0])];
    const char *dedup = model_chance(draw, 6) ? "off" : "on";
    const char *maintenance = model_chance(draw, 3) ? "thread" : "none";
    unsigned workers = 1u + model_below(draw, 4);
    const char *defer = model_chance(draw, 3) ? "on" : "off";
    char memory[32] = "persistent=anon";
    unsigned kind = model_below(draw, 4);
    if (kind == 0)
        snprintf(memory, sizeof memory, "persistent=memfd");
    if (kind == 1) {
        world->arena_fd = memfd_create("model", MFD_CLOEXEC);
        if (world->arena_fd < 0)
            model_fail(world, "memfd_create: %m");
        snprintf(memory, sizeof memory, "arena-fd=%d", world->arena_fd);
    }
    snprintf(world->uri, sizeof world->uri, "embedded:size=%uM,codec=%s,dedup=%s,defer=%s,workers=%u,maintenance=%s,%s",
             size_mib, codec, dedup, defer, workers, maintenance, memory);
}

struct world *world_create(uint64_t seed, const char *uri, const char *replay, bool is_verbose)
{
    struct world *world = calloc(1, sizeof *world);
    size_t map = MODEL_OBJECTS * MODEL_PAGES;
    uint64_t *contents = calloc(MODEL_POOLS * map, sizeof *contents);
    if (world == NULL || contents == NULL) {
        fprintf(stderr, "no memory for the map\n");
        exit(1);
    }
    struct model_draw draw = {content_scatter(seed ^ UINT64_C(0x776f726c64))};
    *world = (struct world){.seed = seed, .replay = replay, .is_verbose = is_verbose, .arena_fd = -1};
    world->contents = contents;
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        world->pool[i].content = contents + i * map;
    if (uri != NULL)
        snprintf(world->uri, sizeof world->uri, "%s", uri);
    else
        draw_uri(world, &draw);
    world->is_remote = strncmp(world->uri, "unix:", 5) == 0;
    if (is_verbose)
        printf("store %s\n", world->uri);
    open_store(world);
    struct tmem_store_stats stats;
    if (tmem_store_stats(world->store, &stats, sizeof stats) != TMEM_OK)
        model_fail(world, "store_stats: failed");
    world->size_bytes = stats.size_bytes;
    return world;
}

static void check_store(struct world *world)
{
    enum tmem_result result = tmem_store_check(world->store);
    if (result != (world->is_remote ? TMEM_UNSUPPORTED : TMEM_OK))
        model_fail(world, "store_check: answered '%s'", tmem_result_text(result));
    world->checks++;
}

void world_destroy(struct world *world)
{
    model_check_books(world);
    check_store(world);
    if (world->is_verbose)
        printf("  found %llu, missed %llu (evicted %llu), refused %llu, kept %llu, restarts %llu, checks %llu\n",
               (unsigned long long)world->found, (unsigned long long)world->missed, (unsigned long long)world->evicted,
               (unsigned long long)world->refused, (unsigned long long)world->kept,
               (unsigned long long)world->restarts, (unsigned long long)world->checks);
    tmem_close(world->store);
    if (world->arena_fd >= 0)
        close(world->arena_fd);
    free(world->contents);
    free(world);
}

/* ---- restart ---- */

/* Pages of ephemeral pools are gone; the pool itself stays its members'. */
static void reopen_pool(struct world *world, struct model_pool *pool)
{
    pool->counted = (struct tmem_counters){0};
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        if (pool->member[i] == NULL)
            continue;
        if (tmem_pool_open(world->client[i].handle, pool->id, &pool->member[i]) != TMEM_OK)
            model_fail(world, "restart: pool %llu is gone", (unsigned long long)pool->id);
    }
    if (!model_is_persistent(pool))
        memset(pool->content, 0, MODEL_OBJECTS * MODEL_PAGES * sizeof *pool->content);
}

void world_restart(struct world *world)
{
    if (world->arena_fd < 0)
        return;
    tmem_close(world->store);
    open_store(world);
    for (unsigned i = 0; i < MODEL_CLIENTS; i++) {
        char name[TMEM_CLIENT_NAME_SIZE];
        if (world->client[i].handle == NULL)
            continue;
        snprintf(name, sizeof name, "tenant-%u", i);
        if (tmem_client_open(world->store, name, &world->client[i].handle) != TMEM_OK)
            model_fail(world, "restart: client %s is gone", name);
    }
    for (unsigned i = 0; i < MODEL_POOLS; i++)
        if (world->pool[i].id != 0)
            reopen_pool(world, &world->pool[i]);
    struct tmem_store_stats stats;
    if (tmem_store_stats(world->store, &stats, sizeof stats) != TMEM_OK)
        model_fail(world, "store_stats: failed");
    world->size_bytes = stats.size_bytes;
    world->is_squeezed = stats.resident_bytes > stats.size_bytes;
    world->restarts++;
    model_check_books(world);
    check_store(world);
}

/* ---- one operation ---- */

static void restart(struct world *world, struct model_draw *draw)
{
    (void)draw;
    world_restart(world);
}

static void check(struct world *world, struct model_draw *draw)
{
    model_check_books(world);
    if (model_chance(draw, 4))
        check_store(world);
}

void world_step(struct world *world, uint64_t operation)
{
    static const struct {
        unsigned weight; /* of 100,000 */
        void (*act)(struct world *world, struct model_draw *draw);
    } acts[] = {
        {36000, model_put},
        {36000, model_get},
        {11000, model_invalidate_page},
        {2500, model_put_many},
        {2500, model_get_many},
        {400, model_invalidate_object},
        {2000, model_get_stored},
        {1500, model_put_stored},
        {60, model_client_create},
        {8, model_client_destroy},
        {60, model_client_limits},
        {60, model_client_freeze},
        {60, model_client_rights},
        {120, model_pool_create},
        {20, model_pool_destroy},
        {30, model_set_size},
        {20, model_reclaim},
        {30, model_recompress},
        {40, model_walk},
        {40, check},
        {6, restart},
    };
    struct model_draw draw = {content_scatter(world->seed + content_scatter(operation))};
    unsigned total = 0;
    for (unsigned i = 0; i < sizeof acts / sizeof acts[0]; i++)
        total += acts[i].weight;
    world->operation = operation;
    /* The first operations make clients and pools, so that the others have something to do. */
    if (operation < 8)
        model_client_create(world, &draw);
    else if (operation < 24)
        (operation % 3 == 0 ? model_client_rights : model_pool_create)(world, &draw);
    unsigned at = model_below(&draw, total);
    for (unsigned i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (at < acts[i].weight) {
            acts[i].act(world, &draw);
            return;
        }
        at -= acts[i].weight;
    }
}
