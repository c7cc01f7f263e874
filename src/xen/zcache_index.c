/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zcache_index.c - words in a store: each is a page of that word repeated, which the store keeps in 8 bytes at most.
 *
 * Pools are persistent ones, whatever zcache calls them: a word may not go without its user's knowing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <tmem/tmem.h>

#include "xen/zcache_index.h"

#define WORDS (TMEM_PAGE_SIZE / sizeof(uint64_t))

struct bucket {
    struct tm_zcache_bucket base;
    pthread_mutex_t lock;
};

struct tm_zcache_index {
    struct tmem_pool *pool;
    struct bucket buckets[TM_ZCACHE_BUCKETS];
};

static struct tmem_store *store;
static struct tmem_client *client;

int tm_zcache_open(const char *uri)
{
    if (store != NULL)
        return -EEXIST;
    enum tmem_result result = tmem_open(uri, &store, NULL);
    if (result != TMEM_OK)
        return result == TMEM_INVALID ? -EINVAL : -ENOMEM;
    if (tmem_client_create(store, "zcache", NULL, &client) == TMEM_OK)
        return 0;
    tm_zcache_close();
    return -ENOMEM;
}

void tm_zcache_close(void)
{
    tmem_close(store);
    store = NULL;
    client = NULL;
}

struct tm_zcache_index *tm_zcache_index_create(void)
{
    struct tm_zcache_index *index = client != NULL ? calloc(1, sizeof *index) : NULL;
    if (index == NULL)
        return NULL;
    if (tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &index->pool) != TMEM_OK) {
        free(index);
        return NULL;
    }
    for (unsigned i = 0; i < TM_ZCACHE_BUCKETS; i++)
        pthread_mutex_init(&index->buckets[i].lock, NULL);
    return index;
}

void tm_zcache_index_destroy(struct tm_zcache_index *index)
{
    if (index == NULL)
        return;
    tmem_pool_destroy(index->pool);
    for (unsigned i = 0; i < TM_ZCACHE_BUCKETS; i++)
        pthread_mutex_destroy(&index->buckets[i].lock);
    free(index);
}

/* ---- words ---- */

static struct tmem_object_id object_of(const uint64_t oid[3])
{
    return (struct tmem_object_id){{oid[0], oid[1], oid[2]}};
}

bool tm_zcache_index_put(struct tm_zcache_index *index, const uint64_t oid[3], uint32_t page, uint64_t word)
{
    const struct tmem_object_id object = object_of(oid);
    uint64_t words[WORDS];
    for (size_t i = 0; i < WORDS; i++)
        words[i] = word;
    return tmem_put(index->pool, &object, page, words, TMEM_PUT_PLAIN) == TMEM_OK;
}

uint64_t tm_zcache_index_get(struct tm_zcache_index *index, const uint64_t oid[3], uint32_t page, bool removes)
{
    const struct tmem_object_id object = object_of(oid);
    uint64_t words[WORDS];
    enum tmem_get_mode mode = removes ? TMEM_GET_EXCLUSIVE : TMEM_GET_INCLUSIVE;
    return tmem_get(index->pool, &object, page, words, mode) == TMEM_OK ? words[0] : 0;
}

void tm_zcache_index_remove_object(struct tm_zcache_index *index, const uint64_t oid[3])
{
    const struct tmem_object_id object = object_of(oid);
    (void)!tmem_invalidate_object(index->pool, &object);
}

/* ---- locks ---- */

struct tm_zcache_bucket *tm_zcache_lock_number(struct tm_zcache_index *index, unsigned number)
{
    pthread_mutex_lock(&index->buckets[number].lock);
    return &index->buckets[number].base;
}

/* Files' numbers that are alike in some byte must not all have one lock. */
struct tm_zcache_bucket *tm_zcache_lock(struct tm_zcache_index *index, const uint64_t oid[3])
{
    uint64_t mixed = (oid[0] ^ oid[1] ^ oid[2]) * UINT64_C(0x9e3779b97f4a7c15);
    return tm_zcache_lock_number(index, (unsigned)(mixed >> 56));
}

void tm_zcache_unlock(struct tm_zcache_index *index, struct tm_zcache_bucket *bucket)
{
    (void)index;
    pthread_mutex_unlock(&TM_CONTAINER_OF(bucket, struct bucket, base)->lock);
}
