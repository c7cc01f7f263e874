/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - an engine and what must be in it: how they begin, come through a restart, and end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mix.h"
#include "faults.h"

#define SPANS 28u
#define WORKERS 3u
#define CHECKS 4u /* of all invariants, after as many operations that met failures */

void faults_fail(const struct faults_world *world, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "faults: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n  %s\n", world->replay);
    exit(1);
}

unsigned faults_below(struct faults_world *world, unsigned limit)
{
    return (unsigned)(tm_random_next(&world->random) >> 33) % limit;
}

bool faults_is_persistent(const struct faults_pool *pool)
{
    return (pool->flags & TM_POOL_PERSISTENT) != 0;
}

/* ---- failures ---- */

void faults_suspend(struct faults_world *world)
{
    world->suspended = world->host.plan;
    world->host.plan = (struct tm_test_plan){0};
}

/* The count goes on: what fails for ever goes on failing. */
void faults_resume(struct faults_world *world)
{
    world->host.plan = world->suspended;
}

void faults_begin(struct faults_world *world)
{
    world->failed_before = world->host.failed;
}

bool faults_met(const struct faults_world *world)
{
    return world->host.failed != world->failed_before;
}

void faults_end(struct faults_world *world)
{
    if (!faults_met(world) || world->checks_left == 0)
        return;
    world->checks_left--;
    faults_suspend(world);
    tm_engine_check(world->engine);
    faults_resume(world);
}

/* ---- the engine ---- */

/* Makes the engine. Where a failure prevents it, nothing is left of the attempt, and the next one succeeds. */
static void start(struct faults_world *world)
{
    struct tm_test_host *host = &world->host;
    faults_begin(world);
    enum tm_result result =
        tm_engine_create(&host->host, &host->codec.codec, &world->config, &world->engine);
    if (result == TM_OK)
        return;
    if (result != TM_NOMEM || !faults_met(world))
        faults_fail(world, "engine_create: answers %d", (int)result);
    if (!tm_test_host_is_clean(host))
        faults_fail(world, "engine_create: failed, and kept %llu bytes and %llu + %llu spans",
                    (unsigned long long)host->bytes, (unsigned long long)host->spans[TM_ARENA_EPHEMERAL],
                    (unsigned long long)host->spans[TM_ARENA_PERSISTENT]);
    tm_test_host_crash(host); /* only makes the heads fresh */
    faults_suspend(world);
    result = tm_engine_create(&host->host, &host->codec.codec, &world->config, &world->engine);
    faults_resume(world);
    if (result != TM_OK)
        faults_fail(world, "engine_create: answers %d when tried again and nothing fails", (int)result);
}

void faults_world_init(struct faults_world *world, const struct faults_setup *setup, const struct tm_test_plan *plan,
                       uint64_t seed, const char *replay)
{
    memset(world, 0, sizeof *world);
    world->setup = setup;
    world->random = tm_scramble(seed + 1u);
    world->replay = replay;
    world->checks_left = CHECKS;
    world->config = (struct tm_engine_config){TM_TEST_PLENTY, setup->dedup, setup->ahead, setup->defer};
    tm_test_host_init(&world->host, SPANS, WORKERS);
    world->host.host.persistent_survives = setup->survives;
    tm_test_faults_host = &world->host;
    tm_test_host_plan(&world->host, plan);
    start(world);
}

void faults_world_fini(struct faults_world *world)
{
    faults_suspend(world);
    tm_engine_check(world->engine);
    tm_engine_destroy(world->engine);
    if (!tm_test_host_is_clean(&world->host))
        faults_fail(world, "a leak: %llu blocks with %llu bytes, %llu + %llu spans",
                    (unsigned long long)world->host.blocks, (unsigned long long)world->host.bytes,
                    (unsigned long long)world->host.spans[TM_ARENA_EPHEMERAL],
                    (unsigned long long)world->host.spans[TM_ARENA_PERSISTENT]);
    tm_test_host_wipe(&world->host);
    tm_test_host_fini(&world->host);
    tm_test_faults_host = NULL;
}

/* Ephemeral pages, and all members' handles, are gone with the engine. */
static void forget(struct faults_world *world)
{
    for (unsigned i = 0; i < FAULTS_POOLS; i++) {
        struct faults_pool *pool = &world->pool[i];
        if (!faults_is_persistent(pool))
            memset(pool->content, 0, sizeof pool->content);
    }
}

void faults_restart(struct faults_world *world, bool is_killed)
{
    if (!world->setup->survives)
        return;
    if (!is_killed) {
        tm_engine_destroy(world->engine);
        if (!tm_test_host_is_clean(&world->host))
            faults_fail(world, "engine_destroy: %llu bytes are left", (unsigned long long)world->host.bytes);
    }
    tm_test_host_crash(&world->host);
    forget(world);
    start(world);
    faults_find_tenants(world);
    faults_verify(world);
}

void faults_verify(struct faults_world *world)
{
    faults_suspend(world);
    tm_engine_check(world->engine);
    faults_check_tenants(world);
    for (unsigned name = 0; name < FAULTS_POOLS; name++) {
        if (world->pool[name].id == 0)
            continue;
        for (unsigned object = 0; object < FAULTS_OBJECTS; object++)
            for (unsigned page = 0; page < FAULTS_PAGES; page++) {
                struct faults_spot spot = faults_spot_at(world, (enum faults_pool_name)name, object, page);
                (void)faults_get(world, &spot, TM_GET_INCLUSIVE);
            }
    }
    faults_resume(world);
}
