/* SPDX-License-Identifier: BSD-2-Clause */
/* crowd.c - see crowd.h. */
#include "crowd.h"

#include "base/mix.h"
#include "peer.h"
#include "timing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_BATCH 16u /* as many as the library has under way at most */

struct member {
    struct crowd *crowd;
    struct bench_store store;
    pthread_t thread;
    uint64_t random;
    bool failed;
};

struct crowd {
    struct member members[CROWD_CLIENTS];
    pthread_barrier_t barrier;
    uint64_t pages;   /* of each */
    uint64_t batches; /* that each has to get this time */
};

static bool fill(struct member *member, const struct bench_store *from, uint64_t first, uint64_t pages)
{
    unsigned char page[TM_PAGE_BYTES];
    struct bench_store source = *from;
    for (uint64_t i = 0; i < pages; i++)
        if (bench_get(&source, first + i, page, TMEM_GET_INCLUSIVE) != TMEM_OK ||
            bench_put(&member->store, i, page) != TMEM_OK)
            return peer_fail("tmem: cannot fill one of %u clients", CROWD_CLIENTS);
    return true;
}

static bool join(struct member *member, const struct bench_store *from, uint64_t pages, unsigned number)
{
    char name[16];
    (void)snprintf(name, sizeof name, "crowd-%u", number);
    member->store = (struct bench_store){.store = from->store, .object_pages = from->object_pages};
    member->random = number + 1u;
    if (tmem_client_create(from->store, name, NULL, &member->store.client) != TMEM_OK ||
        tmem_pool_create(member->store.client, TMEM_POOL_PERSISTENT, NULL, &member->store.pool) != TMEM_OK)
        return peer_fail("tmem: cannot make one of %u clients", CROWD_CLIENTS);
    return fill(member, from, number * pages, pages);
}

struct crowd *crowd_create(const struct bench_store *from, uint64_t pages)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    if (crowd == NULL || pthread_barrier_init(&crowd->barrier, NULL, CROWD_CLIENTS + 1u) != 0) {
        free(crowd);
        (void)peer_fail("tmem: no memory");
        return NULL;
    }
    crowd->pages = pages / CROWD_CLIENTS;
    for (unsigned i = 0; i < CROWD_CLIENTS; i++) {
        crowd->members[i].crowd = crowd;
        if (!join(&crowd->members[i], from, crowd->pages, i)) {
            crowd_free(crowd);
            return NULL;
        }
    }
    return crowd;
}

void crowd_free(struct crowd *crowd)
{
    if (crowd == NULL)
        return;
    (void)pthread_barrier_destroy(&crowd->barrier);
    free(crowd);
}

static bool get_batch(struct member *member, unsigned char *pages)
{
    struct tmem_io io[CROWD_BATCH];
    for (unsigned i = 0; i < CROWD_BATCH; i++) {
        uint64_t number = tm_random_next(&member->random) % member->crowd->pages;
        io[i].object = bench_object(number / BENCH_OBJECT_PAGES);
        io[i].index = (uint32_t)(number % BENCH_OBJECT_PAGES);
        io[i].page = pages + i * TM_PAGE_BYTES;
    }
    if (tmem_get_many(member->store.pool, io, CROWD_BATCH, TMEM_GET_INCLUSIVE) != TMEM_OK)
        return false;
    for (unsigned i = 0; i < CROWD_BATCH; i++)
        if (io[i].result != TMEM_OK)
            return false;
    return true;
}

static void *work(void *user)
{
    struct member *member = user;
    unsigned char pages[CROWD_BATCH * TM_PAGE_BYTES];
    member->failed = false;
    (void)pthread_barrier_wait(&member->crowd->barrier);
    for (uint64_t i = 0; i < member->crowd->batches && !member->failed; i++)
        member->failed = !get_batch(member, pages);
    return NULL;
}

double crowd_get(struct crowd *crowd, uint64_t pages)
{
    bool failed = false;
    crowd->batches = pages / CROWD_CLIENTS / CROWD_BATCH + 1u;
    for (unsigned i = 0; i < CROWD_CLIENTS; i++)
        if (pthread_create(&crowd->members[i].thread, NULL, work, &crowd->members[i]) != 0) {
            /* Those that were started wait for the rest for ever: the program ends. */
            (void)peer_fail("tmem: no %u threads", CROWD_CLIENTS);
            exit(TM_EXIT_FAILED);
        }
    (void)pthread_barrier_wait(&crowd->barrier);
    uint64_t begin_ns = peer_wall_ns();
    for (unsigned i = 0; i < CROWD_CLIENTS; i++) {
        (void)pthread_join(crowd->members[i].thread, NULL);
        failed = failed || crowd->members[i].failed;
    }
    uint64_t took_ns = peer_wall_ns() - begin_ns;
    if (failed) {
        (void)peer_fail("tmem: one of %u clients could not get its pages", CROWD_CLIENTS);
        return -1.0;
    }
    return (double)took_ns / (double)(crowd->batches * CROWD_BATCH * CROWD_CLIENTS);
}

static bool use_once(struct tmem_pool *pool)
{
    static unsigned char pages[IDLE_BATCH * TM_PAGE_BYTES];
    struct tmem_io io[IDLE_BATCH];
    for (unsigned i = 0; i < IDLE_BATCH; i++) {
        io[i] = (struct tmem_io){.index = i, .page = pages + i * TM_PAGE_BYTES};
        memcpy(io[i].page, &(uint64_t){i * 0x9e3779b97f4a7c15u}, sizeof(uint64_t));
    }
    return tmem_put_many(pool, io, IDLE_BATCH, TMEM_PUT_PLAIN) == TMEM_OK &&
           tmem_get_many(pool, io, IDLE_BATCH, TMEM_GET_INCLUSIVE) == TMEM_OK;
}

bool crowd_idle(const struct bench_store *from, uint32_t count)
{
    static uint32_t made; /* so far: each has a name of its own */
    for (uint32_t i = 0; i < count; i++) {
        char name[24];
        struct tmem_client *client;
        struct tmem_pool *pool;
        (void)snprintf(name, sizeof name, "idle-%u", made++);
        if (tmem_client_create(from->store, name, NULL, &client) != TMEM_OK ||
            tmem_pool_create(client, TMEM_POOL_EPHEMERAL, NULL, &pool) != TMEM_OK || !use_once(pool))
            return peer_fail("tmem: cannot make %u clients", count);
        tmem_pool_destroy(pool);
    }
    return true;
}
