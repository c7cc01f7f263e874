/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults.h - an engine on a host whose services fail on demand, and beside it what must be in it.
 *
 * A *world* is one engine with two clients and five pools, one of each sort. Operations are done through the functions
 * below; each knows what it may answer, whether or not a service failed meanwhile:
 *
 *   - What was not hindered succeeds. A failure that is over leaves no trace: what could not be made is made at once
 *     when it is tried again while nothing fails, and that is how the script goes on.
 *   - What failed has changed nothing; a put that failed has removed the older page, or kept it and said so.
 *   - Of pages in persistent pools the world knows everything: the content, or that there is none. Of those in
 *     ephemeral pools it knows the content if the page is still there; what was missed must be missed again.
 *
 * One thread uses a world.
 */
#ifndef TM_TEST_FAULTS_H
#define TM_TEST_FAULTS_H

#include "engine/engine.h"
#include "tests/support/test_engine.h"

#define FAULTS_CLIENTS 2u
#define FAULTS_NAMES 2u /* of shared pools */
#define FAULTS_OBJECTS 4u
#define FAULTS_PAGES 40u /* of an object */
#define FAULTS_BATCH 18u

enum faults_pool_name {
    FAULTS_CACHE,        /* the first client's, ephemeral */
    FAULTS_SWAP,         /* the first client's, persistent */
    FAULTS_SHARED_CACHE, /* both clients', ephemeral */
    FAULTS_SHARED_SWAP,  /* both clients', persistent */
    FAULTS_OTHER,        /* the second client's, persistent */
    FAULTS_POOLS
};

/* What a page holds: a sort and a number; 0 for no page. */
typedef uint32_t faults_content;

struct faults_pool {
    uint64_t id; /* 0: there is none */
    uint32_t flags;
    struct tm_member *member[FAULTS_CLIENTS];
    faults_content content[FAULTS_OBJECTS][FAULTS_PAGES];
};

/* How the engine is made. */
struct faults_setup {
    const char *name;
    bool survives; /* the persistent arena outlives the engine */
    bool dedup;
    bool ahead;
    bool defer;      /* pages wait to be compressed */
    unsigned stride; /* of the calls that fail in their turn, where time is short */
};

struct faults_world {
    struct tm_test_host host;
    const struct faults_setup *setup;
    struct tm_engine_config config;
    struct tm_engine *engine;
    struct tm_client *client[FAULTS_CLIENTS];
    bool is_frozen[FAULTS_CLIENTS];
    bool has_right[FAULTS_CLIENTS][FAULTS_NAMES];
    struct faults_pool pool[FAULTS_POOLS];
    bool is_tight; /* puts may be refused though nothing failed */

    uint64_t random;
    const char *replay;     /* how to come here again, for messages */
    uint64_t failed_before; /* when the operation under way began */
    unsigned checks_left;   /* after how many more operations with failures all invariants are looked at */
    struct tm_test_plan suspended;
};

/* A page of a pool, and the client through which it is reached. */
struct faults_spot {
    struct faults_pool *pool;
    struct tm_member *member;
    unsigned client;
    struct tm_object_id id;
    uint32_t index;
    faults_content *content;
};

/* Says what was wrong and how to see it again, and ends the process with status 1. */
_Noreturn void faults_fail(const struct faults_world *world, const char *format, ...) TM_PRINTF(2, 3);

/* ---- world.c ---- */

/* Makes host and engine. Calls fail as @plan says from the first on. */
void faults_world_init(struct faults_world *world, const struct faults_setup *setup, const struct tm_test_plan *plan,
                       uint64_t seed, const char *replay);
/* Ends the engine and the host. Nothing may be left of them. */
void faults_world_fini(struct faults_world *world);
/* As if the process had been killed (or the engine ended in good order), and was started again. All is found that
 * must have stayed. */
void faults_restart(struct faults_world *world, bool is_killed);

/* Between these two nothing fails. */
void faults_suspend(struct faults_world *world);
void faults_resume(struct faults_world *world);
/* Around an operation: whether something failed while it was under way. */
void faults_begin(struct faults_world *world);
bool faults_met(const struct faults_world *world);
/* Looks at all invariants after the first operations that met failures. */
void faults_end(struct faults_world *world);
/* Checks all invariants, books and pages. */
void faults_verify(struct faults_world *world);

unsigned faults_below(struct faults_world *world, unsigned limit);
bool faults_is_persistent(const struct faults_pool *pool);

/* ---- pages.c ---- */

faults_content faults_make_content(enum tm_test_sort sort, uint32_t number);
/* A page, through a client that is a member of the pool. */
struct faults_spot faults_spot_at(struct faults_world *world, enum faults_pool_name pool, unsigned object,
                                  unsigned page);
struct faults_spot faults_draw_spot(struct faults_world *world, enum faults_pool_name pool);
faults_content faults_draw_content(struct faults_world *world);

enum tm_result faults_put(struct faults_world *world, const struct faults_spot *spot, faults_content content,
                          uint32_t flags);
enum tm_result faults_get(struct faults_world *world, const struct faults_spot *spot, enum tm_get_mode mode);
void faults_invalidate_page(struct faults_world *world, const struct faults_spot *spot);
void faults_invalidate_object(struct faults_world *world, enum faults_pool_name pool, unsigned object);
void faults_put_many(struct faults_world *world, enum faults_pool_name pool, unsigned count, uint32_t flags);
void faults_get_many(struct faults_world *world, enum faults_pool_name pool, unsigned count, enum tm_get_mode mode);
/* Takes a page out in its stored form and stores it elsewhere. */
void faults_copy_stored(struct faults_world *world, const struct faults_spot *from, const struct faults_spot *to,
                        uint32_t flags);
void faults_walk(struct faults_world *world, enum faults_pool_name pool);
uint64_t faults_pages_of(const struct faults_pool *pool);

/* ---- tenants.c ---- */

void faults_client_create(struct faults_world *world, unsigned client);
void faults_client_destroy(struct faults_world *world, unsigned client);
void faults_client_settings(struct faults_world *world, unsigned client);
void faults_set_frozen(struct faults_world *world, unsigned client, bool is_frozen);
void faults_authorise(struct faults_world *world, unsigned client, unsigned name);
void faults_deauthorise(struct faults_world *world, unsigned client, unsigned name);
/* Makes the pool for a client, or lets it join; whoever may not, is refused. */
void faults_pool_create(struct faults_world *world, unsigned client, enum faults_pool_name pool);
void faults_pool_destroy(struct faults_world *world, unsigned client, enum faults_pool_name pool);
/* After a restart: finds the clients and pools that must be there again. */
void faults_find_tenants(struct faults_world *world);
/* All statistics and listings against what is known. */
void faults_check_tenants(struct faults_world *world);
const char *faults_client_name(unsigned client);

/* ---- script.c ---- */

/* Does all that an engine can do, from its making to its end. */
void faults_script(const struct faults_setup *setup, const struct tm_test_plan *plan, uint64_t seed,
                   const char *replay, struct tm_test_host *counts);

#endif
