/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - a store, and beside it a naive map of what must be in it.
 *
 * A *world* is one store with its clients and pools, each with what the calls so far say about it. Of a page in a
 * persistent pool the map knows everything: the content, or that there is none. Of one in an ephemeral pool it knows
 * what the content is if the page is still there; once it was missed, it must be missed until the next put.
 *
 * Every operation is drawn from a number of its own, made of the world's seed and the operation's place. So
 * operations can be left out and the others stay what they were: that is how a failure is made small.
 *
 * One thread uses a world; nothing here locks.
 */
#ifndef TMEM_TEST_MODEL_H
#define TMEM_TEST_MODEL_H

#include <tmem/control.h>

#include "content.h"

#define MODEL_CLIENTS 4u
#define MODEL_POOLS 12u
#define MODEL_NAMES 2u /* of shared pools */
#define MODEL_OBJECTS 24u
#define MODEL_PAGES 160u /* of an object */
#define MODEL_BATCH 40u

struct model_client {
    struct tmem_client *handle; /* NULL: there is none */
    uint32_t weight;
    uint64_t cap_bytes;
    uint64_t allowance; /* what may be charged above the cap: it was there when the cap was lowered */
    bool is_frozen;
    bool has_right[MODEL_NAMES];
};

struct model_pool {
    uint64_t id; /* 0: there is none */
    uint32_t flags;
    unsigned name;                           /* shared pools */
    struct tmem_pool *member[MODEL_CLIENTS]; /* NULL: not a member */
    uint64_t *content;                       /* MODEL_OBJECTS x MODEL_PAGES; 0: nothing there */
    struct tmem_counters counted;            /* since the store was opened */
};

struct model_draw {
    uint64_t state;
};

struct world {
    uint64_t seed;
    uint64_t operation; /* the one under way */
    const char *replay; /* how to come here again, for messages */
    bool is_verbose;

    char uri[160];
    bool is_remote; /* a daemon's: what operators do answers TMEM_UNSUPPORTED */
    int arena_fd;   /* -1: the store cannot be opened again */
    struct tmem_store *store;
    uint64_t size_bytes;
    bool is_squeezed; /* persistent pages need more than the size */

    struct model_client client[MODEL_CLIENTS];
    struct model_pool pool[MODEL_POOLS];
    uint64_t *contents; /* of all pools */

    /* So that a run can show that it met what it looks for. */
    uint64_t found, missed, evicted, refused, kept, restarts, checks;

    unsigned char pages[MODEL_BATCH][TMEM_PAGE_SIZE];
};

/* A page of a pool, and the member through which it is reached. */
struct model_spot {
    struct model_pool *pool;
    struct model_client *client;
    struct tmem_pool *member;
    unsigned object;
    unsigned page;
};

/* Says what was wrong and how to see it again, and ends the process with status 1. */
_Noreturn void model_fail(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- world.c ---- */

/* Opens a store as the seed says, or with @uri, and @size_bytes from it, where that is not NULL. */
struct world *world_create(uint64_t seed, const char *uri, const char *replay, bool is_verbose);
/* Checks all books a last time and closes the store. */
void world_destroy(struct world *world);
/* Does one operation. */
void world_step(struct world *world, uint64_t operation);
/* Closes and opens the store again, and finds everything that must have stayed. */
void world_restart(struct world *world);

uint64_t model_random(struct model_draw *draw);
unsigned model_below(struct model_draw *draw, unsigned limit);
/* One chance in @of. */
bool model_chance(struct model_draw *draw, unsigned of);

struct tmem_object_id model_object_id(unsigned object);
uint32_t model_page_index(unsigned page);
/* Which page of which object a key names; false: none of the model's. */
bool model_find_key(const struct tmem_key *key, unsigned *object, unsigned *page);

uint64_t *model_content(const struct model_spot *spot);
bool model_is_persistent(const struct model_pool *pool);
bool model_is_shared(const struct model_pool *pool);
/* Draws a page of a pool that there is; false: there is no pool. */
bool model_draw_spot(struct world *world, struct model_draw *draw, struct model_spot *spot);

/* ---- pages.c: puts, gets, invalidations, batches, stored forms, walks ---- */

void model_put(struct world *world, struct model_draw *draw);
void model_get(struct world *world, struct model_draw *draw);
void model_put_many(struct world *world, struct model_draw *draw);
void model_get_many(struct world *world, struct model_draw *draw);
void model_invalidate_page(struct world *world, struct model_draw *draw);
void model_invalidate_object(struct world *world, struct model_draw *draw);
void model_get_stored(struct world *world, struct model_draw *draw);
void model_put_stored(struct world *world, struct model_draw *draw);
void model_walk(struct world *world, struct model_draw *draw);

/* ---- tenants.c: clients and pools coming and going, limits, sizes ---- */

void model_client_create(struct world *world, struct model_draw *draw);
void model_client_destroy(struct world *world, struct model_draw *draw);
void model_client_limits(struct world *world, struct model_draw *draw);
void model_client_freeze(struct world *world, struct model_draw *draw);
void model_client_rights(struct world *world, struct model_draw *draw);
void model_pool_create(struct world *world, struct model_draw *draw);
void model_pool_destroy(struct world *world, struct model_draw *draw);
void model_set_size(struct world *world, struct model_draw *draw);
void model_reclaim(struct world *world, struct model_draw *draw);
void model_recompress(struct world *world, struct model_draw *draw);

/* ---- books.c: what statistics and listings must say ---- */

/* The client's charge against its cap. */
void model_check_charge(struct world *world, struct model_client *client);
/* The store's resident bytes against its size. */
void model_check_size(struct world *world);
/* All statistics and listings against the map. */
void model_check_books(struct world *world);
/* True when there is so much room that no put may be refused for lack of it. */
bool model_has_plenty(struct world *world, const struct model_client *client);
/* Persistent pages in the map. */
uint64_t model_persistent_pages(const struct world *world);

#endif
