/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold.c - when which pages become cold, and which come back.
 *
 * In the background rounds go over all accounts, as far apart as a page must have been left alone to be cold, a few
 * pages at a time, while the host has a CPU to spare and the budget lasts. A get that meets a cold page for the second
 * time leaves a note, and the page is coded by the store's own codec again.
 */
#include "engine/engine_internal.h"

#define PAGES_AT_ONCE 8u /* less than a millisecond */
#define STEPS_AT_ONCE 4u
#define BUDGET_SPAN_NS UINT64_C(200000000) /* for so long what was not used is saved up */

/* One at a time. */
static bool enter(struct tm_engine *engine)
{
    return tm_lock_try(&engine->cold.busy);
}

static void leave(struct tm_engine *engine)
{
    tm_lock_release_tried(&engine->cold.busy);
}

/* ---- settings ---- */

/* From now on gets leave their mark, also in persistent pages, of which nobody else wants to know. */
static bool start(struct tm_engine *engine)
{
    if (!tm_store_cold_start(engine->store))
        return false;
    tm_store_relaxed(&engine->marks[TM_ARENA_EPHEMERAL], TM_SLOT_USED | TM_SLOT_WARM);
    tm_store_relaxed(&engine->marks[TM_ARENA_PERSISTENT], TM_SLOT_WARM);
    return true;
}

bool tm_engine_set_cold(struct tm_engine *engine, uint32_t cpu_percent, uint32_t age_seconds)
{
    TM_ASSERT(cpu_percent <= 100u);
    if (cpu_percent != 0 && !start(engine))
        return false;
    tm_store_relaxed(&engine->cold.age_seconds, age_seconds);
    tm_store_relaxed(&engine->cold.cpu_percent, cpu_percent);
    if (cpu_percent != 0 && engine->host.kick != NULL)
        engine->host.kick(engine->host.user);
    return true;
}

/* ---- accounts, one after the other ---- */

/* A heap that does not end meanwhile, because a client or pool is pinned. */
struct turn {
    struct tm_heap *heap; /* NULL: the account has none, or is ending */
    struct tm_client *client;
    struct tm_pool *pool;
};

static void begin_client(struct tm_engine *engine, uint32_t at, struct turn *turn)
{
    struct tm_client *client = tm_client_at(engine, 1u + at / TM_ARENAS);
    if (!tm_client_pin(client))
        return;
    turn->client = client;
    turn->heap = tm_load_acquire(&client->account[at % TM_ARENAS].heap);
}

static void begin_shared(struct tm_engine *engine, uint32_t number, struct turn *turn)
{
    struct tm_pool *pool = tm_pool_at(engine, number);
    if (!tm_load_relaxed(&pool->is_shared) || !tm_pool_pin(pool))
        return;
    turn->pool = pool;
    turn->heap = tm_load_acquire(&pool->own.heap);
}

/* The account at the cursor: clients' two each, then those of shared pools. False: there are no more. */
static bool begin_turn(struct tm_engine *engine, struct turn *turn)
{
    uint32_t at = engine->cold.cursor;
    uint32_t of_clients = (tm_load_acquire(&engine->clients_next) - 1u) * TM_ARENAS;
    uint32_t shared = tm_load_acquire(&engine->pools_next) - 1u;
    *turn = (struct turn){NULL, NULL, NULL};
    if (at >= of_clients + shared)
        return false;
    if (at < of_clients)
        begin_client(engine, at, turn);
    else
        begin_shared(engine, 1u + at - of_clients, turn);
    return true;
}

static void end_turn(struct turn *turn)
{
    if (turn->client != NULL)
        tm_client_unpin(turn->client);
    if (turn->pool != NULL)
        tm_pool_unpin(turn->pool);
}

/* ---- rounds ---- */

static void begin_round(struct tm_engine *engine, uint64_t now_ns)
{
    struct tm_cold_tier *cold = &engine->cold;
    (void)tm_store_was_sealed(engine->store);
    cold->is_under_way = true;
    cold->round++;
    cold->cursor = 0;
    cold->is_left = false;
    cold->began_ns = now_ns;
}

/* A bit of the round. False: it is over. */
static bool go_round(struct tm_engine *engine, struct tm_worker *worker, bool at_once)
{
    struct tm_cold_tier *cold = &engine->cold;
    struct turn turn;
    if (!begin_turn(engine, &turn)) {
        cold->is_under_way = false;
        return false;
    }
    enum tm_cool_result result = TM_COOL_DONE;
    if (turn.heap != NULL)
        result = tm_heap_cool(engine->store, worker, turn.heap, cold->round, at_once, PAGES_AT_ONCE);
    end_turn(&turn);
    if (result != TM_COOL_MORE)
        cold->cursor++;
    cold->is_left = cold->is_left || result == TM_COOL_LATER;
    return true;
}

/* ---- pages that are wanted again ---- */

void tm_cold_note_wanted(const struct tm_place *place, tm_slot slot)
{
    struct tm_engine *engine = place->engine;
    struct tm_wanted *wanted = &engine->cold.wanted;
    /* Advice: who does not get the lock, or finds no room, leaves it to the next get. */
    if (!tm_lock_try(&wanted->busy))
        return;
    bool fits = wanted->count < TM_WANTED_MOST;
    if (fits) {
        struct tm_wanted_page *page = &wanted->page[wanted->count];
        *page = (struct tm_wanted_page){tm_slot_offset(slot), place->pool->number, place->hash, place->page};
        tm_store_relaxed(&wanted->count, wanted->count + 1u);
    }
    tm_lock_release_tried(&wanted->busy);
    if (fits && engine->host.kick != NULL)
        engine->host.kick(engine->host.user);
}

static bool take_wanted(struct tm_wanted *wanted, struct tm_wanted_page *page)
{
    if (tm_load_relaxed(&wanted->count) == 0 || !tm_lock_try(&wanted->busy))
        return false;
    bool some = wanted->count != 0;
    if (some) {
        tm_store_relaxed(&wanted->count, wanted->count - 1u);
        *page = wanted->page[wanted->count];
    }
    tm_lock_release_tried(&wanted->busy);
    return some;
}

/* False: none is wanted. */
static bool warm_one(struct tm_engine *engine, struct tm_worker *worker)
{
    struct tm_wanted_page page;
    if (!take_wanted(&engine->cold.wanted, &page))
        return false;
    struct tm_pool *pool = tm_pool_at(engine, page.pool);
    if (tm_pool_pin(pool)) {
        (void)tm_heap_warm(engine->store, worker, pool->account->heap, page.hash, page.number, page.offset);
        tm_pool_unpin(pool);
    }
    return true;
}

/* ---- in the background ---- */

/* Adds what the budget has grown by since the last look; false: it is used up. */
static bool has_budget(struct tm_engine *engine, uint64_t now_ns)
{
    struct tm_cold_tier *cold = &engine->cold;
    uint64_t percent = tm_load_relaxed(&cold->cpu_percent);
    uint64_t passed = tm_min_u64(now_ns - cold->looked_ns, BUDGET_SPAN_NS);
    int64_t most = (int64_t)(BUDGET_SPAN_NS * percent / 100u);
    cold->looked_ns = now_ns;
    cold->budget_ns += (int64_t)(passed * percent / 100u);
    if (cold->budget_ns > most)
        cold->budget_ns = most;
    return cold->budget_ns > 0;
}

static bool host_is_idle(const struct tm_engine *engine)
{
    return engine->host.has_idle_cpu == NULL || engine->host.has_idle_cpu(engine->host.user);
}

/* What there is to do: a page that is wanted, a bit of a round, or nothing yet. */
static enum tm_work do_some(struct tm_engine *engine, struct tm_worker *worker, uint64_t now_ns)
{
    struct tm_cold_tier *cold = &engine->cold;
    if (warm_one(engine, worker))
        return TM_WORK_MORE;
    if (!cold->is_under_way) {
        uint64_t age_ns = tm_load_relaxed(&cold->age_seconds) * UINT64_C(1000000000);
        cold->is_left = tm_store_was_sealed(engine->store) || cold->is_left;
        if (!cold->is_left)
            return TM_WORK_NONE;
        if (cold->round != 0 && now_ns - cold->began_ns < age_ns)
            return TM_WORK_LATER;
        begin_round(engine, now_ns);
    }
    (void)go_round(engine, worker, false);
    return TM_WORK_MORE;
}

static enum tm_work work(struct tm_engine *engine, struct tm_worker *worker)
{
    struct tm_cold_tier *cold = &engine->cold;
    enum tm_work result = TM_WORK_MORE;
    for (unsigned i = 0; i < STEPS_AT_ONCE && result == TM_WORK_MORE; i++) {
        uint64_t began = engine->host.clock_ns(engine->host.user);
        if (!has_budget(engine, began) || !host_is_idle(engine))
            return TM_WORK_LATER;
        result = do_some(engine, worker, began);
        uint64_t took = engine->host.clock_ns(engine->host.user) - began;
        cold->budget_ns -= (int64_t)took;
        tm_fetch_add_relaxed(&cold->spent_ns, took);
    }
    return result;
}

enum tm_work tm_cold_work(struct tm_engine *engine, struct tm_worker *worker)
{
    if (tm_load_relaxed(&engine->cold.cpu_percent) == 0) {
        tm_store_cool_pause(engine->store);
        return TM_WORK_NONE;
    }
    if (!enter(engine))
        return TM_WORK_LATER;
    enum tm_work result = work(engine, worker);
    leave(engine);
    return result;
}

/* ---- by order ---- */

bool tm_engine_recompress(struct tm_engine *engine, uint64_t *pages)
{
    struct tm_cold_tier *cold = &engine->cold;
    if (!start(engine))
        return false;
    struct tm_worker *worker = tm_worker_acquire(engine->store);
    for (unsigned attempt = 0; !enter(engine); attempt++)
        tm_platform_wait(attempt);
    uint64_t before = tm_store_cooled_pages(engine->store);
    uint64_t began = engine->host.clock_ns(engine->host.user);
    while (warm_one(engine, worker)) {
    }
    begin_round(engine, began);
    /* What cleaning copies would count as new, and be behind the round. */
    tm_store_relaxed(&cold->is_ordered, 1u);
    while (go_round(engine, worker, true)) {
    }
    tm_store_relaxed(&cold->is_ordered, 0u);
    cold->is_left = true; /* what was warm, or was closed meanwhile, is for the rounds in the background */
    *pages = tm_store_cooled_pages(engine->store) - before;
    tm_fetch_add_relaxed(&cold->spent_ns, engine->host.clock_ns(engine->host.user) - began);
    leave(engine);
    (void)tm_store_drain(engine->store);
    tm_worker_release(engine->store, worker);
    return true;
}
