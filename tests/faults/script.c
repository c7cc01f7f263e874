/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * script.c - all that an engine can do, once: its making, clients, rights and pools, pages in every way, frozen
 * clients, caps, too little room, restarts, and the end. What is put where is drawn from the seed.
 */
#include "faults.h"

#define ROOM_FOR_NONE 4096u

/* ---- pieces ---- */

static void put_some(struct faults_world *world, enum faults_pool_name pool, unsigned count, uint32_t flags)
{
    for (unsigned i = 0; i < count; i++) {
        struct faults_spot spot = faults_draw_spot(world, pool);
        (void)faults_put(world, &spot, faults_draw_content(world), flags);
    }
}

static void get_some(struct faults_world *world, enum faults_pool_name pool, unsigned count)
{
    static const enum tm_get_mode modes[] = {TM_GET_DEFAULT, TM_GET_INCLUSIVE, TM_GET_EXCLUSIVE};
    for (unsigned i = 0; i < count; i++) {
        struct faults_spot spot = faults_draw_spot(world, pool);
        (void)faults_get(world, &spot, modes[i % TM_ARRAY_SIZE(modes)]);
    }
}

/* Every operation on pages of one pool. */
static void use_pool(struct faults_world *world, enum faults_pool_name pool)
{
    uint32_t keep = faults_is_persistent(&world->pool[pool]) ? TM_PUT_KEEP : TM_PUT_PLAIN;
    put_some(world, pool, 8, TM_PUT_PLAIN);
    faults_put_many(world, pool, 8, TM_PUT_PLAIN);
    put_some(world, pool, 4, keep);
    get_some(world, pool, 6);
    faults_get_many(world, pool, FAULTS_BATCH, TM_GET_INCLUSIVE);
    faults_put_many(world, pool, 4, keep);
    for (unsigned i = 0; i < 2; i++) {
        struct faults_spot from = faults_draw_spot(world, pool);
        struct faults_spot to = faults_draw_spot(world, pool);
        faults_copy_stored(world, &from, &to, i % 2u == 0 ? TM_PUT_PLAIN : keep);
        faults_invalidate_page(world, &from);
    }
    faults_walk(world, pool);
    faults_get_many(world, pool, 6, TM_GET_EXCLUSIVE);
    faults_invalidate_object(world, pool, faults_below(world, FAULTS_OBJECTS));
    faults_invalidate_object(world, pool, faults_below(world, FAULTS_OBJECTS));
}

static void recompress(struct faults_world *world)
{
    uint64_t pages;
    faults_begin(world);
    bool done = tm_engine_set_cold(world->engine, 100, 0) && tm_engine_recompress(world->engine, &pages);
    if (!done && !faults_met(world))
        faults_fail(world, "engine_recompress: cannot, and nothing failed");
    faults_end(world);
}

static void maintain(struct faults_world *world)
{
    recompress(world);
    faults_begin(world);
    for (unsigned i = 0; i < 8 && tm_engine_maintain(world->engine, 4) == TM_WORK_MORE; i++) {
    }
    faults_end(world);
}

/* ---- acts ---- */

static void make_tenants(struct faults_world *world)
{
    for (unsigned client = 0; client < FAULTS_CLIENTS; client++) {
        faults_client_create(world, client);
        faults_pool_create(world, client, FAULTS_SHARED_SWAP); /* not authorised yet */
        for (unsigned name = 0; name < FAULTS_NAMES; name++) {
            faults_authorise(world, client, name);
            faults_authorise(world, client, name);
        }
        faults_client_settings(world, client);
    }
    faults_client_create(world, 0); /* exists */
    faults_pool_create(world, 0, FAULTS_CACHE);
    faults_pool_create(world, 0, FAULTS_SWAP);
    faults_pool_create(world, 1, FAULTS_OTHER);
    for (unsigned client = 0; client < FAULTS_CLIENTS; client++) {
        faults_pool_create(world, client, FAULTS_SHARED_SWAP);
        faults_pool_create(world, client, FAULTS_SHARED_CACHE);
        faults_pool_create(world, client, FAULTS_SHARED_CACHE); /* a member already */
    }
    faults_deauthorise(world, 1, 1);
    faults_deauthorise(world, 1, 1);
}

static void use_all(struct faults_world *world)
{
    for (unsigned pool = 0; pool < FAULTS_POOLS; pool++)
        use_pool(world, (enum faults_pool_name)pool);
    maintain(world);
}

static void freeze(struct faults_world *world)
{
    faults_set_frozen(world, 0, true);
    put_some(world, FAULTS_SWAP, 3, TM_PUT_PLAIN);
    put_some(world, FAULTS_SWAP, 3, TM_PUT_KEEP);
    faults_put_many(world, FAULTS_SHARED_CACHE, 4, TM_PUT_PLAIN);
    get_some(world, FAULTS_SWAP, 3);
    faults_restart(world, true);
    faults_set_frozen(world, 0, false);
}

/* A client at its cap: what is put in place of an equal page needs no room. */
static void cap(struct faults_world *world)
{
    struct tm_client_figures figures;
    put_some(world, FAULTS_CACHE, 12, TM_PUT_PLAIN);
    for (unsigned page = 0; page < 6; page++) {
        struct faults_spot spot = faults_spot_at(world, FAULTS_SWAP, 0, page);
        (void)faults_put(world, &spot, faults_make_content(TM_TEST_RAW, page), TM_PUT_PLAIN);
    }
    tm_client_figures(world->client[0], &figures);
    faults_begin(world);
    tm_client_set_cap(world->client[0], figures.charged_bytes - 3u * TM_PAGE_BYTES);
    faults_end(world);
    for (unsigned page = 0; page < 6; page++) {
        struct faults_spot spot = faults_spot_at(world, FAULTS_SWAP, 0, page);
        bool is_there = *spot.content == faults_make_content(TM_TEST_RAW, page);
        faults_content other = faults_make_content(TM_TEST_RAW, page + 100u);
        world->is_tight = !is_there;
        (void)faults_put(world, &spot, other, TM_PUT_PLAIN);
    }
    world->is_tight = true;
    put_some(world, FAULTS_SWAP, 8, TM_PUT_KEEP);
    put_some(world, FAULTS_SWAP, 8, TM_PUT_PLAIN);
    put_some(world, FAULTS_CACHE, 8, TM_PUT_PLAIN);
    put_some(world, FAULTS_SHARED_SWAP, 8, TM_PUT_KEEP);
    world->is_tight = false;
    tm_client_set_cap(world->client[0], UINT64_MAX);
}

/* One client's pages are stored as they are, and it loses those that it may. */
static void plain(struct faults_world *world)
{
    tm_client_set_compress(world->client[0], false);
    put_some(world, FAULTS_CACHE, 6, TM_PUT_PLAIN);
    put_some(world, FAULTS_SWAP, 6, TM_PUT_PLAIN);
    get_some(world, FAULTS_SWAP, 6);
    faults_begin(world);
    (void)tm_client_reclaim(world->client[0], UINT64_MAX);
    faults_end(world);
    get_some(world, FAULTS_SWAP, 6);
    tm_client_set_compress(world->client[0], true);
}

/* Not even the pages that must stay have room. */
static void shrink_to_nothing(struct faults_world *world)
{
    faults_begin(world);
    if (tm_engine_set_size(world->engine, ROOM_FOR_NONE) != TM_REFUSED)
        faults_fail(world, "set_size: says that everything fits into one page");
    faults_end(world);
    put_some(world, FAULTS_SWAP, 2, TM_PUT_KEEP);
}

/* Less room than pages: ephemeral ones go, the others stay. */
static void squeeze(struct faults_world *world)
{
    struct tm_engine_figures figures;
    world->is_tight = true;
    tm_engine_figures(world->engine, &figures);
    faults_begin(world);
    (void)tm_engine_reclaim(world->engine, tm_engine_freeable(world->engine) / 2u);
    uint64_t spans = world->host.spans[TM_ARENA_PERSISTENT] + 2u;
    uint64_t size = figures.metadata_bytes + spans * figures.span_bytes;
    enum tm_result result = tm_engine_set_size(world->engine, size);
    if (result != TM_OK && result != TM_REFUSED)
        faults_fail(world, "set_size: answers %d", (int)result);
    faults_end(world);
    for (unsigned round = 0; round < 2; round++) {
        faults_put_many(world, FAULTS_CACHE, FAULTS_BATCH, TM_PUT_PLAIN);
        faults_put_many(world, FAULTS_SHARED_CACHE, FAULTS_BATCH, TM_PUT_PLAIN);
        faults_put_many(world, FAULTS_OTHER, FAULTS_BATCH, TM_PUT_KEEP);
        faults_put_many(world, FAULTS_SWAP, FAULTS_BATCH, TM_PUT_PLAIN);
        maintain(world);
    }
    if (!world->setup->survives)
        shrink_to_nothing(world);
    if (tm_engine_set_size(world->engine, TM_TEST_PLENTY) != TM_OK)
        faults_fail(world, "set_size: growing is refused");
    world->is_tight = false;
}

static void restart_killed(struct faults_world *world)
{
    faults_restart(world, true);
}

static void restart_ended(struct faults_world *world)
{
    faults_restart(world, false);
}

static void leave(struct faults_world *world)
{
    faults_pool_destroy(world, 0, FAULTS_SHARED_SWAP);
    faults_pool_destroy(world, 0, FAULTS_CACHE);
    faults_restart(world, true);
    use_pool(world, FAULTS_SHARED_SWAP);
    faults_client_destroy(world, 1);
    faults_restart(world, true);
    faults_pool_create(world, 0, FAULTS_CACHE);
    faults_pool_create(world, 0, FAULTS_SHARED_SWAP);
    use_pool(world, FAULTS_CACHE);
    use_pool(world, FAULTS_SWAP);
    faults_verify(world);
    faults_client_destroy(world, 0);
    faults_restart(world, true);
}

void faults_script(const struct faults_setup *setup, const struct tm_test_plan *plan, uint64_t seed,
                   const char *replay, struct tm_test_host *counts)
{
    static struct faults_world world;
    static void (*const acts[])(struct faults_world *) = {make_tenants, use_all, restart_killed, freeze,
                                                          cap, plain, squeeze, use_all, restart_ended, leave};
    faults_world_init(&world, setup, plan, seed, replay);
    /* Two acts after the first failure what it can do is done: the rest would be as without it, or fail alike. */
    unsigned acts_left = 2;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(acts) && acts_left > 0; i++) {
        acts_left -= world.host.failed != 0;
        acts[i](&world);
    }
    faults_verify(&world);
    faults_restart(&world, true);
    faults_world_fini(&world);
    *counts = world.host;
}
