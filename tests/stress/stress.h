/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress.h - several threads on one store, and how each knows what it may see.
 *
 * Every page says which *family* of handles it was made for and in which version, and all its other bytes follow from
 * those two; a page that was mixed from two, or cut, does not match itself. Handles of one family hold equal pages
 * when they are at the same version, so that there is something to deduplicate.
 *
 * Each handle has one thread that writes it, so its versions only grow. Before the writer puts a version it raises
 * `issued`; when a put or a removal has been answered, it raises `floor`: whatever is got from then on is not older.
 * Any thread may read: it looks at `floor` before the get and at `issued` after it.
 */
#ifndef TMEM_TEST_STRESS_H
#define TMEM_TEST_STRESS_H

#include <stdatomic.h>
#include <tmem/control.h>

#include "tests/model/content.h"

#define STRESS_POOLS 5u
#define STRESS_CLIENTS 2u
#define STRESS_OBJECTS 16u
#define STRESS_PAGES 96u /* of an object: more than one chunk */
#define STRESS_FAMILY 8u /* neighbouring pages that share their contents */
#define STRESS_THREADS_MOST 16u
#define STRESS_BATCH 24u

struct stress_handle {
    _Atomic uint64_t issued;
    _Atomic uint64_t floor;
    uint64_t present; /* the writer's: version that a persistent pool holds, 0: none */
};

struct stress_pool {
    uint32_t flags;
    struct tmem_pool *member[STRESS_CLIENTS]; /* NULL: not a member */
    struct stress_handle handle[STRESS_OBJECTS][STRESS_PAGES];
};

struct stress {
    uint64_t seed;
    unsigned threads;
    struct tmem_store *store;
    bool has_control; /* not over a connection: then what operators do is left out, and pools are not shared */
    struct tmem_client *client[STRESS_CLIENTS];
    struct stress_pool pool[STRESS_POOLS];
    _Atomic bool is_over;
    _Atomic uint64_t operations, found, missed, refused, transient_clients;
};

/* Says what was wrong, and ends the process with status 1. */
_Noreturn void stress_fail(const struct stress *stress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- pages.c ---- */

/* Writes version @version of a family's page. Both are below 2^26, and version is not 0. */
void stress_page_fill(uint64_t family, uint64_t version, void *page);
/* The version, if the page is one whole page of the family; 0 if it is not. */
uint64_t stress_page_version(uint64_t family, const void *page);

uint64_t stress_family(unsigned pool, unsigned object, unsigned page);
struct tmem_object_id stress_object(unsigned object);

static inline bool stress_is_persistent(const struct stress_pool *pool)
{
    return (pool->flags & TMEM_POOL_PERSISTENT) != 0;
}

static inline unsigned stress_below(uint64_t *state, unsigned limit)
{
    return (unsigned)((content_next(state) >> 32) * limit >> 32);
}

/* ---- threads ---- */

/* Puts, gets and removes until it is over: thread @number of those that write. */
void stress_work(struct stress *stress, unsigned number);
/* Changes sizes, caps, weights, members, reads statistics, walks, reclaims, until it is over. */
void stress_control(struct stress *stress);
/* A client with pools of its own that comes, works and goes. */
void stress_transient(struct stress *stress, uint64_t *random, unsigned number);
/* When all threads have ended: everything that must be there is. */
void stress_check_all(struct stress *stress);

#endif
