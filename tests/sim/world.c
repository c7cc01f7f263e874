/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - see world.h: what a seed makes, a run from begin to end, and what must be true after it. */
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mix.h"
#include "sim/host.h"

/* ---- names of things ---- */

/* What the pools are. Bits of `clients`: who may have it, or be a member. */
static const struct {
    bool is_persistent, is_shared;
    unsigned name;
    unsigned clients;
} pools[SIM_POOLS] = {
    {false, false, 0, 1u},
    {true, false, 0, 2u},
    {false, true, 0, 7u},
    {true, true, 1, 7u},
    {false, false, 0, 4u},
    {true, false, 0, 1u},
};

bool sim_pool_is_persistent(unsigned pool)
{
    return pools[pool].is_persistent;
}

bool sim_pool_is_shared(unsigned pool)
{
    return pools[pool].is_shared;
}

unsigned sim_pool_name(unsigned pool)
{
    return pools[pool].name;
}

bool sim_pool_may_be_of(unsigned pool, unsigned client)
{
    return (pools[pool].clients >> client & 1u) != 0;
}

void sim_client_name(unsigned client, char name[TM_CLIENT_NAME_BYTES])
{
    snprintf(name, TM_CLIENT_NAME_BYTES, "client-%u", client);
}

struct tm_uuid sim_uuid(unsigned name)
{
    return (struct tm_uuid){{name + 1u, ~(uint64_t)name}};
}

struct tm_object_id sim_object_id(const struct sim_world *world, unsigned object)
{
    if (object >= SIM_BALLAST)
        return (struct tm_object_id){{object, 77, 0}};
    uint64_t salt = world->salt[object];
    return (struct tm_object_id){{object, object == 1 ? ~salt : salt, object == 2 ? UINT64_MAX : 0}};
}

bool sim_find_object(const struct sim_world *world, const struct tm_object_id *id, unsigned *object)
{
    *object = (unsigned)id->word[0];
    if (*object >= SIM_OBJECTS && *object < SIM_BALLAST)
        return false;
    struct tm_object_id same = sim_object_id(world, *object);
    return memcmp(&same, id, sizeof same) == 0;
}

unsigned sim_who(void)
{
    return coroutine_current();
}

bool sim_is_faultless(const struct sim_world *world)
{
    return world->plan.faults == 0;
}

bool sim_may_be_unreadable(const struct sim_world *world)
{
    return (world->plan.faults & TM_FAULT_BIT(TM_FAULT_DECODE)) != 0;
}

/* ---- operations ---- */

static const struct {
    const char *name;
    uint8_t weight[SIM_THEMES]; /* all, twins, growth, tenants, cold */
    void (*act)(struct sim_world *world, struct sim_draw *draw);
} kinds[] = {
    {"put", {34, 120, 34, 34, 70}, sim_put},
    {"put fresh", {1, 0, 40, 1, 0}, sim_put_fresh},
    {"get", {22, 70, 22, 10, 90}, sim_get},
    {"put batch", {5, 5, 5, 5, 5}, sim_put_many},
    {"get batch", {5, 10, 5, 2, 20}, sim_get_many},
    {"put stored", {3, 3, 3, 3, 3}, sim_put_stored},
    {"get stored", {3, 3, 3, 3, 6}, sim_get_stored},
    {"invalidate page", {7, 50, 7, 7, 6}, sim_invalidate_page},
    {"invalidate object", {5, 15, 5, 5, 4}, sim_invalidate_object},
    {"walk", {2, 2, 2, 2, 1}, sim_walk},
    {"maintain", {6, 6, 6, 25, 50}, sim_maintain},
    {"recompress", {4, 4, 4, 12, 60}, sim_recompress},
    {"set cap", {3, 3, 3, 3, 6}, sim_set_cap},
    {"set size", {2, 2, 2, 5, 3}, sim_set_size},
    {"reclaim", {2, 2, 2, 8, 4}, sim_reclaim},
    {"make pool", {3, 3, 3, 20, 3}, sim_make_pool},
    {"end pool", {2, 2, 2, 15, 2}, sim_end_pool},
    {"make client", {1, 1, 1, 15, 1}, sim_make_client},
    {"end client", {1, 1, 1, 20, 1}, sim_end_client},
    {"freeze or thaw", {2, 2, 2, 2, 1}, sim_freeze},
    {"set weight", {1, 1, 1, 2, 1}, sim_set_weight},
    {"set right", {1, 1, 1, 4, 1}, sim_set_right},
    {"figures", {1, 1, 1, 4, 2}, sim_figures},
};

/* Draws one of the kinds by their weights. */
static unsigned draw_kind(const struct sim_world *world, struct sim_draw *draw)
{
    unsigned theme = world->plan.theme;
    unsigned weights = 0;
    unsigned kind = 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(kinds); i++)
        weights += kinds[i].weight[theme];
    for (uint64_t at = sim_random(draw, weights); at >= kinds[kind].weight[theme]; kind++)
        at -= kinds[kind].weight[theme];
    return kind;
}

static void operate(struct sim_world *world, uint64_t operation)
{
    struct sim_draw draw = {tm_scramble(tm_scramble(world->sim_case->seed) + operation)};
    unsigned who = sim_who();
    unsigned kind = draw_kind(world, &draw);
    world->operation[who] = operation;
    world->fault_calls[who] = 0;
    world->doing[who] = kinds[kind].name;
    world->began[who] = ++world->history.now;
    kinds[kind].act(world, &draw);
    world->began[who] = 0;
    world->totals->operations++;
    sim_progress();
}

/* What one coroutine does: every so many-th operation. */
static void body(void *user)
{
    struct sim_world *world = user;
    const struct sim_case *sim_case = world->sim_case;
    size_t count = sim_case->only == NULL ? world->plan.operations : sim_case->only_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t operation = sim_case->only == NULL ? i : sim_case->only[i];
        if (operation % world->plan.coroutines == sim_who())
            operate(world, operation);
    }
    world->doing[sim_who()] = "nothing any more";
}

static const char *doing(void *user, unsigned coroutine)
{
    static char text[64];
    const struct sim_world *world = user;
    if (world->began[coroutine] == 0)
        return "between operations";
    snprintf(text, sizeof text, "operation %llu, %s", (unsigned long long)world->operation[coroutine],
             world->doing[coroutine]);
    return text;
}

static void look(void *user)
{
    sim_check_limits(user);
}

/* ---- the begin ---- */

uint64_t sim_base_size(const struct sim_world *world)
{
    /* What an empty engine takes: its tables, sketch and workers. */
    return (UINT64_C(450) << 10) + ((uint64_t)world->plan.workers << 14);
}

static void start_engine(struct sim_world *world)
{
    enum tm_result result =
        tm_engine_create(&world->outer, &world->host.codec.codec, &world->config, &world->engine);
    if (result != TM_OK)
        sim_fail("making the engine answered %d", (int)result);
    if (world->plan.theme == SIM_THEME_COLD)
        (void)!tm_engine_set_cold(world->engine, 100, 0);
}

static void make_tenants(struct sim_world *world)
{
    for (unsigned client = 0; client < SIM_CLIENTS; client++) {
        sim_client_create(world, client);
        for (unsigned name = 0; name < SIM_NAMES && world->client[client].handle != NULL; name++)
            sim_authorise(world, client, name);
    }
    for (unsigned pool = 0; pool < SIM_POOLS; pool++)
        for (unsigned client = 0; client < SIM_CLIENTS; client++)
            if ((world->plan.pools >> pool & 1u) != 0 && sim_pool_may_be_of(pool, client) &&
                world->client[client].handle != NULL)
                sim_pool_create(world, pool, client);
}

/* The n-th membership there is, going round; NULL: there is none. */
static struct sim_member *nth_member(struct sim_world *world, uint64_t n, struct sim_spot *spot)
{
    for (unsigned i = 0; i < SIM_POOLS * SIM_CLIENTS; i++) {
        unsigned at = (unsigned)((n + i) % (SIM_POOLS * SIM_CLIENTS));
        struct sim_member *member = &world->member[at / SIM_CLIENTS][at % SIM_CLIENTS];
        if (member->handle == NULL)
            continue;
        spot->pool = at / SIM_CLIENTS;
        spot->client = at % SIM_CLIENTS;
        spot->member = member;
        return member;
    }
    return NULL;
}

#define MANY_PAGES 600u /* an entry for each object and each chunk: a table is loaded soon */

/* Ballast: so that memory is short from the begin, or the tables are about to grow. */
static void fill(struct sim_world *world)
{
    struct sim_draw draw = {tm_scramble(world->sim_case->seed ^ UINT64_C(0x66696c6c))};
    unsigned room = world->plan.spans * SIM_SPAN_BYTES / PAGE_BYTES;
    unsigned pages = 0;
    if (world->plan.fill == SIM_FILL_SOME)
        pages = (unsigned)sim_random(&draw, room);
    else if (world->plan.fill == SIM_FILL_FULL)
        pages = room + (unsigned)sim_random(&draw, room);
    else if (world->plan.fill == SIM_FILL_MANY)
        pages = MANY_PAGES + (unsigned)sim_random(&draw, MANY_PAGES / 4u);
    enum page_kind kind = world->plan.fill == SIM_FILL_MANY ? PAGE_SHORT : PAGE_RAW;
    unsigned per_object = world->plan.fill == SIM_FILL_MANY ? 1u : 8u;
    uint64_t stored = world->totals->stored;
    for (unsigned i = 0, vain = 0; i < pages && vain < 8u; i++) {
        struct sim_spot spot = {.object = SIM_BALLAST + i / per_object, .index = i % per_object};
        world->fresh_objects = i / per_object + 1u;
        /* Persistent ballast is never evicted: a quarter of it at most. */
        uint64_t n = sim_random(&draw, SIM_POOLS * SIM_CLIENTS);
        if (nth_member(world, n, &spot) == NULL)
            return;
        if (sim_pool_is_persistent(spot.pool) && i % 4u != 0 && world->plan.fill != SIM_FILL_MANY)
            continue;
        sim_put_ballast(world, &draw, &spot, kind);
        vain = world->totals->stored == stored ? vain + 1u : 0;
        stored = world->totals->stored;
    }
}

#define SPLITS_AHEAD 32u

/* The objects that operations meet at get ids whose first pages are in the buckets that will be split next. */
static void choose_salts(struct sim_world *world)
{
    struct sim_draw draw = {tm_scramble(world->sim_case->seed ^ UINT64_C(0x73616c74))};
    struct sim_spot spot;
    if (world->plan.theme != SIM_THEME_GROWTH || nth_member(world, 0, &spot) == NULL)
        return;
    struct tm_pool *pool = spot.member->handle->pool;
    uint32_t buckets = pool->engine->index[pool->kind].bucket_count;
    uint32_t full = 1u << tm_log2(buckets);
    for (unsigned object = 0; object < SIM_OBJECTS; object++) {
        uint32_t wanted = (buckets - full + (uint32_t)sim_random(&draw, SPLITS_AHEAD)) & (full - 1u);
        struct tm_place place;
        do {
            world->salt[object] = tm_random_next(&draw.state);
            struct tm_object_id id = sim_object_id(world, object);
            tm_place_init(&place, pool, &id, 0);
        } while ((place.hash & (full - 1u)) != wanted);
    }
}

/* ---- the end ---- */

static int compare_handles(const void *a, const void *b)
{
    const struct deed *left = a;
    const struct deed *right = b;
    if (left->pool != right->pool)
        return left->pool < right->pool ? -1 : 1;
    if (left->object != right->object)
        return left->object < right->object ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static struct tm_member *member_of(const struct sim_world *world, uint64_t pool)
{
    for (unsigned i = 0; i < SIM_POOLS; i++)
        for (unsigned client = 0; client < SIM_CLIENTS; client++)
            if (world->member[i][client].handle != NULL && world->member[i][client].pool == pool &&
                !world->member[i][client].is_busy)
                return world->member[i][client].handle;
    return NULL;
}

/* Looks at every page that was ever named. */
static void look_at_all(struct sim_world *world)
{
    size_t count = world->history.count;
    struct deed *handles = malloc((count + 1u) * sizeof *handles);
    TM_ASSERT(handles != NULL);
    if (count != 0) {
        memcpy(handles, world->history.deeds, count * sizeof *handles);
        qsort(handles, count, sizeof *handles, compare_handles);
    }
    for (size_t i = 0; i < count; i++) {
        if (i != 0 && compare_handles(&handles[i - 1u], &handles[i]) == 0)
            continue;
        struct tm_member *member = member_of(world, handles[i].pool);
        if (member != NULL)
            sim_look_at(world, member, &handles[i]);
    }
    free(handles);
}

static void check_engine(struct sim_world *world)
{
    struct tm_engine_figures figures;
    tm_engine_check(world->engine);
    tm_engine_figures(world->engine, &figures);
    if (figures.corrupt_blocks != 0 && !sim_may_be_unreadable(world))
        sim_fail("law 3: %llu blocks were damaged", (unsigned long long)figures.corrupt_blocks);
    if (figures.spans != world->host.spans[TM_ARENA_EPHEMERAL] + world->host.spans[TM_ARENA_PERSISTENT])
        sim_fail("%llu spans are in use, but the host has lent %llu and %llu", (unsigned long long)figures.spans,
                 (unsigned long long)world->host.spans[TM_ARENA_EPHEMERAL],
                 (unsigned long long)world->host.spans[TM_ARENA_PERSISTENT]);
    struct sim_totals *totals = world->totals;
    totals->evicted += figures.evicted_pages;
    totals->segments_evicted += figures.evicted_segments;
    totals->segments_cleaned += figures.cleaned_segments;
    totals->cooled += figures.cooled_pages;
    totals->warmed += figures.warmed_pages;
    totals->shared_found += figures.pages_shared;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++)
        totals->splits += world->engine->index[kind].bucket_count - (1u << TM_TABLE_BASE_BITS);
}

/* The handles of clients and pools that were known before, from an engine that was made again. */
static void find_tenants(struct sim_world *world)
{
    for (unsigned number = 0; number < SIM_CLIENTS; number++) {
        struct sim_client *client = &world->client[number];
        char name[TM_CLIENT_NAME_BYTES];
        sim_client_name(number, name);
        bool was_there = client->handle != NULL;
        client->handle = client->is_busy || !was_there ? NULL : tm_client_find(world->engine, name);
        if (was_there && !client->is_busy && client->handle == NULL)
            sim_fail("client %u is gone after a restart", number);
        for (unsigned pool = 0; pool < SIM_POOLS; pool++) {
            struct sim_member *member = &world->member[pool][number];
            if (member->handle == NULL)
                continue;
            bool is_known = client->handle != NULL && !member->is_busy;
            member->handle = is_known ? tm_pool_find(client->handle, member->pool) : NULL;
            if (is_known && member->handle == NULL)
                sim_fail("client %u: pool %llu is gone after a restart", number, (unsigned long long)member->pool);
        }
    }
}

/* Ends the engine, all at once or client by client. */
static void stop_engine(struct sim_world *world)
{
    if (!world->plan.survives && (world->sim_case->seed & 1u) != 0) {
        char name[TM_CLIENT_NAME_BYTES] = {0};
        while (tm_client_next_name(world->engine, "", name)) {
            tm_client_destroy(tm_client_find(world->engine, name));
            tm_engine_check(world->engine);
        }
        (void)tm_store_drain(world->engine->store);
        struct tm_engine_figures figures;
        tm_engine_figures(world->engine, &figures);
        if (figures.pages != 0 || figures.block_bytes != 0 || figures.contents_shared != 0)
            sim_fail("all clients are gone, and %llu pages, %llu bytes, %llu contents are not",
                     (unsigned long long)figures.pages, (unsigned long long)figures.block_bytes,
                     (unsigned long long)figures.contents_shared);
    }
    tm_engine_destroy(world->engine);
    world->engine = NULL;
}

static void finish(struct sim_world *world, enum sim_end end)
{
    char text[SIM_TEXT_BYTES];
    if (end == SIM_CRASHED) {
        world->totals->crashes++;
        history_crash(&world->history);
        tm_test_host_crash(&world->host);
        start_engine(world);
        find_tenants(world);
    }
    look_at_all(world);
    check_engine(world);
    if (end == SIM_DONE && world->plan.survives) {
        world->totals->restarts++;
        stop_engine(world);
        start_engine(world);
        find_tenants(world);
        look_at_all(world);
        check_engine(world);
    }
    if (!history_check(&world->history, text, sizeof text))
        sim_fail("%s", text);
    world->totals->undecided += world->history.undecided;
    stop_engine(world);
    sim_host_fini(world);
}

/* ---- a run ---- */

static uint32_t crash_step(const struct sim_world *world)
{
    const struct sim_case *sim_case = world->sim_case;
    if (sim_case->crash_at != SIM_DRAW_CRASH)
        return sim_case->crash_at;
    if (!world->plan.may_crash)
        return 0;
    struct sim_draw draw = {tm_scramble(sim_case->seed ^ sim_case->schedule ^ UINT64_C(0x6372617368))};
    return 1u + (uint32_t)sim_random(&draw, UINT64_C(64) << sim_random(&draw, 10));
}

void sim_case_run(const struct sim_case *sim_case, struct sim_report *report, struct sim_totals *totals)
{
    struct sim_world *world = aligned_alloc(TM_CACHE_LINE, (size_t)tm_round_up(sizeof *world, TM_CACHE_LINE));
    TM_ASSERT(world != NULL);
    memset(world, 0, sizeof *world);
    world->sim_case = sim_case;
    world->totals = totals;
    report->seed = sim_case->seed;
    report->schedule = sim_case->schedule;
    report->switch_count = 0;
    sim_report_to(report);
    sim_draw_plan(sim_case, &world->plan);
    report->operations = world->plan.operations;
    sim_host_init(world);
    history_init(&world->history);
    world->config = (struct tm_engine_config){.size_bytes = sim_base_size(world) + world->plan.spans * SIM_SPAN_BYTES,
                                              .dedup = world->plan.dedup,
                                              .ahead = world->plan.ahead,
                                              .defer = world->plan.defer};
    world->size_max = world->config.size_bytes;
    start_engine(world);
    make_tenants(world);
    fill(world);
    choose_salts(world);
    struct sim_schedule schedule = {.seed = sim_case->schedule,
                                    .switches = sim_case->switches,
                                    .switch_count = sim_case->switch_count,
                                    .crash_at = crash_step(world),
                                    .report = report,
                                    .look = look,
                                    .doing = doing,
                                    .user = world};
    enum sim_end end = sim_run(&schedule, world->plan.coroutines, body, world);
    totals->runs++;
    totals->steps += report->steps;
    totals->switches += report->switch_count;
    finish(world, end);
    history_fini(&world->history);
    free(world);
}

bool sim_has_met_everything(const struct sim_totals *totals)
{
    const struct sim_met needed[] = {
        {"puts stored", totals->stored},
        {"puts in new objects", totals->fresh},
        {"puts refused", totals->refused},
        {"puts kept", totals->kept},
        {"puts without memory", totals->nomem},
        {"gets found", totals->found},
        {"gets missed", totals->missed},
        {"exclusive gets", totals->taken},
        {"pages invalidated", totals->removed},
        {"pages evicted", totals->evicted},
        {"segments evicted", totals->segments_evicted},
        {"segments cleaned", totals->segments_cleaned},
        {"pages made smaller since they were cold", totals->cooled},
        {"pages wanted again", totals->warmed},
        {"shared contents", totals->shared_found},
        {"buckets split", totals->splits},
        {"unreadable pages", totals->corrupt},
        {"times no memory", totals->faults[TM_FAULT_ALLOC]},
        {"no span", totals->faults[TM_FAULT_SPAN]},
        {"no segment", totals->faults[TM_FAULT_SEGMENT]},
        {"no record", totals->faults[TM_FAULT_RECORD]},
        {"no place in a table", totals->faults[TM_FAULT_TABLE]},
        {"no encoding", totals->faults[TM_FAULT_ENCODE]},
        {"no decoding", totals->faults[TM_FAULT_DECODE]},
        {"crashes", totals->crashes},
        {"restarts", totals->restarts},
        {"walks", totals->walks},
    };
    return sim_met_all(needed, TM_ARRAY_SIZE(needed));
}
