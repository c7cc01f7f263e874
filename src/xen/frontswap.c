/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frontswap.c - swap devices as pools: one is made when a device begins to be used, and destroyed when its area is
 * invalidated, so that what is stored after that has nowhere to go until the device is used again.
 */
#include <pthread.h>
#include <stdlib.h>

#include <tmem/frontswap.h>

#include "base/base.h"

#define FRONTSWAP_MAGIC 0x66737770u

/* Whoever uses the pool holds the lock for reading. */
struct area {
    pthread_rwlock_t lock;
    struct tmem_pool *pool; /* NULL: not in use */
};

struct tmem_frontswap {
    unsigned magic;
    struct tmem_client *client;
    uint32_t flags;
    struct area areas[TMEM_FRONTSWAP_TYPES];
};

enum tmem_result tmem_frontswap_create(struct tmem_client *client, uint32_t flags, struct tmem_frontswap **result)
{
    const uint32_t known = TMEM_FRONTSWAP_EXCLUSIVE | TMEM_FRONTSWAP_WRITE_THROUGH;
    if (client == NULL || result == NULL || (flags & ~known) != 0)
        return TMEM_INVALID;
    struct tmem_frontswap *frontswap = calloc(1, sizeof *frontswap);
    if (frontswap == NULL)
        return TMEM_NOMEM;
    frontswap->client = client;
    frontswap->flags = flags;
    for (unsigned i = 0; i < TMEM_FRONTSWAP_TYPES; i++)
        pthread_rwlock_init(&frontswap->areas[i].lock, NULL);
    TM_MAGIC_SET(frontswap, FRONTSWAP_MAGIC);
    *result = frontswap;
    return TMEM_OK;
}

void tmem_frontswap_destroy(struct tmem_frontswap *frontswap)
{
    if (frontswap == NULL)
        return;
    TM_MAGIC_END(frontswap, FRONTSWAP_MAGIC);
    for (unsigned i = 0; i < TMEM_FRONTSWAP_TYPES; i++) {
        tmem_pool_destroy(frontswap->areas[i].pool);
        pthread_rwlock_destroy(&frontswap->areas[i].lock);
    }
    free(frontswap);
}

/* ---- areas ---- */

static struct area *find_area(struct tmem_frontswap *frontswap, unsigned type)
{
    if (frontswap == NULL || type >= TMEM_FRONTSWAP_TYPES)
        return NULL;
    TM_MAGIC_CHECK(frontswap, FRONTSWAP_MAGIC);
    return &frontswap->areas[type];
}

enum tmem_result tmem_frontswap_init(struct tmem_frontswap *frontswap, unsigned type)
{
    struct area *area = find_area(frontswap, type);
    enum tmem_result result = TMEM_OK;
    if (area == NULL)
        return TMEM_INVALID;
    bool may_drop = (frontswap->flags & TMEM_FRONTSWAP_WRITE_THROUGH) != 0;
    uint32_t kind = may_drop ? TMEM_POOL_EPHEMERAL : TMEM_POOL_PERSISTENT;
    pthread_rwlock_wrlock(&area->lock);
    if (area->pool == NULL)
        result = tmem_pool_create(frontswap->client, kind, NULL, &area->pool);
    pthread_rwlock_unlock(&area->lock);
    return result;
}

enum tmem_result tmem_frontswap_invalidate_area(struct tmem_frontswap *frontswap, unsigned type)
{
    struct area *area = find_area(frontswap, type);
    if (area == NULL)
        return TMEM_INVALID;
    pthread_rwlock_wrlock(&area->lock);
    struct tmem_pool *pool = area->pool;
    area->pool = NULL;
    pthread_rwlock_unlock(&area->lock);
    tmem_pool_destroy(pool);
    return pool != NULL ? TMEM_OK : TMEM_MISS;
}

/* ---- pages ---- */

static struct tmem_object_id object_of(uint64_t offset)
{
    return (struct tmem_object_id){{offset >> 32, 0, 0}};
}

enum tmem_result tmem_frontswap_store(struct tmem_frontswap *frontswap, unsigned type, uint64_t offset,
                                      const void *page)
{
    const struct tmem_object_id object = object_of(offset);
    struct area *area = find_area(frontswap, type);
    enum tmem_result result = TMEM_REFUSED;
    if (area == NULL || page == NULL)
        return TMEM_INVALID;
    pthread_rwlock_rdlock(&area->lock);
    if (area->pool != NULL)
        result = tmem_put(area->pool, &object, (uint32_t)offset, page, TMEM_PUT_PLAIN);
    pthread_rwlock_unlock(&area->lock);
    return result;
}

enum tmem_result tmem_frontswap_load(struct tmem_frontswap *frontswap, unsigned type, uint64_t offset, void *page)
{
    const struct tmem_object_id object = object_of(offset);
    struct area *area = find_area(frontswap, type);
    enum tmem_result result = TMEM_MISS;
    if (area == NULL || page == NULL)
        return TMEM_INVALID;
    bool removes = (frontswap->flags & TMEM_FRONTSWAP_EXCLUSIVE) != 0;
    pthread_rwlock_rdlock(&area->lock);
    if (area->pool != NULL)
        result = tmem_get(area->pool, &object, (uint32_t)offset, page,
                          removes ? TMEM_GET_EXCLUSIVE : TMEM_GET_INCLUSIVE);
    pthread_rwlock_unlock(&area->lock);
    return result;
}

enum tmem_result tmem_frontswap_invalidate_page(struct tmem_frontswap *frontswap, unsigned type, uint64_t offset)
{
    const struct tmem_object_id object = object_of(offset);
    struct area *area = find_area(frontswap, type);
    enum tmem_result result = TMEM_MISS;
    if (area == NULL)
        return TMEM_INVALID;
    pthread_rwlock_rdlock(&area->lock);
    if (area->pool != NULL)
        result = tmem_invalidate_page(area->pool, &object, (uint32_t)offset);
    pthread_rwlock_unlock(&area->lock);
    return result;
}

enum tmem_result tmem_frontswap_pages(struct tmem_frontswap *frontswap, uint64_t *pages)
{
    uint64_t sum = 0;
    enum tmem_result result = TMEM_OK;
    if (frontswap == NULL || pages == NULL)
        return TMEM_INVALID;
    for (unsigned i = 0; result == TMEM_OK && i < TMEM_FRONTSWAP_TYPES; i++) {
        struct area *area = find_area(frontswap, i);
        struct tmem_pool_stats stats = {0};
        pthread_rwlock_rdlock(&area->lock);
        if (area->pool != NULL)
            result = tmem_pool_stats(area->pool, &stats, sizeof stats);
        pthread_rwlock_unlock(&area->lock);
        sum += stats.counters.pages;
    }
    if (result == TMEM_OK)
        *pages = sum;
    return result;
}
