/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zcache.c - zcache's interface: objects that come with their first page and go with their last, and whose turn it is
 * to free a pampd.
 *
 * An object keeps its pages' numbers as a sorted array of 64-bit maps, so that all of its pampds can be found when it
 * goes. It is on the list of its bucket, whose lock is held in all that follows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tmem/zcache.h>

#include "base/atomic.h"
#include "xen/zcache_index.h"

/* Pages base * 64 and on. */
struct place {
    uint32_t base;
    uint32_t reserved;
    uint64_t map;
};

struct places {
    uint32_t count, room;
    struct place place[];
};

static struct tmem_hostops host;
static struct tmem_pamops pam;

void tmem_register_hostops(struct tmem_hostops *ops)
{
    host = *ops;
}

void tmem_register_pamops(struct tmem_pamops *ops)
{
    pam = *ops;
}

int tmem_zcache_open(const char *uri)
{
    return tm_zcache_open(uri);
}

void tmem_zcache_close(void)
{
    tm_zcache_close();
}

/* ---- which pages an object has ---- */

/* Where the map of a page is, or would be. */
static uint32_t find_place(const struct places *places, uint32_t base)
{
    uint32_t low = 0;
    uint32_t high = places == NULL ? 0 : places->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (places->place[middle].base < base)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct place *existing_place(const struct tmem_obj *obj, uint32_t page)
{
    struct places *places = obj->places;
    uint32_t at = find_place(places, page / 64);
    return places != NULL && at < places->count && places->place[at].base == page / 64 ? &places->place[at] : NULL;
}

/* The map of a page, made if there is none; NULL: no memory. */
static struct place *make_place(struct tmem_obj *obj, uint32_t page)
{
    struct places *places = obj->places;
    struct place *place = existing_place(obj, page);
    if (place != NULL)
        return place;
    if (places == NULL || places->count == places->room) {
        uint32_t room = places == NULL ? 1 : places->room * 2;
        struct places *larger = realloc(places, sizeof *places + room * sizeof places->place[0]);
        if (larger == NULL)
            return NULL;
        if (places == NULL)
            larger->count = 0;
        larger->room = room;
        obj->places = places = larger;
    }
    uint32_t at = find_place(places, page / 64);
    place = &places->place[at];
    memmove(place + 1, place, (places->count - at) * sizeof *place);
    places->count++;
    *place = (struct place){.base = page / 64};
    return place;
}

static void forget_page(struct tmem_obj *obj, uint32_t page)
{
    struct places *places = obj->places;
    struct place *place = existing_place(obj, page);
    place->map &= ~(UINT64_C(1) << page % 64);
    obj->pampd_count--;
    if (place->map != 0)
        return;
    places->count--;
    memmove(place, place + 1, (size_t)(&places->place[places->count] - place) * sizeof *place);
}

/* ---- objects ---- */

static bool is_valid(const struct tmem_oid *oid)
{
    return (oid->oid[0] & oid->oid[1] & oid->oid[2]) != UINT64_MAX;
}

/* The place in the bucket's list where the object is, or where it ends. */
static struct tmem_obj **find_object(struct tm_zcache_bucket *bucket, const struct tmem_oid *oid)
{
    struct tmem_obj **at = (struct tmem_obj **)&bucket->first;
    while (*at != NULL && memcmp(&(*at)->oid, oid, sizeof *oid) != 0)
        at = &(*at)->next;
    return at;
}

static struct tmem_obj *make_object(struct tmem_pool *pool, struct tmem_obj **at, const struct tmem_oid *oid)
{
    struct tmem_obj *obj = host.obj_alloc(pool);
    if (obj == NULL)
        return NULL;
    *obj = (struct tmem_obj){.oid = *oid, .pool = pool};
    *at = obj;
    tm_fetch_add_relaxed(&pool->obj_count, 1u);
    return obj;
}

static void end_object(struct tmem_obj **at)
{
    struct tmem_obj *obj = *at;
    *at = obj->next;
    free(obj->places);
    tm_fetch_sub_relaxed(&obj->pool->obj_count, 1u);
    host.obj_free(obj, obj->pool);
}

/* Takes a pampd out; NULL: there is none. The object stays, even if it is empty now. */
static void *take(struct tmem_pool *pool, struct tmem_obj *obj, uint32_t page)
{
    uint64_t word = tm_zcache_index_get(pool->index, obj->oid.oid, page, true);
    if (word != 0)
        forget_page(obj, page);
    return (void *)(uintptr_t)word;
}

/* The object goes with all its pages; their owner learns no more than that. */
static void flush_all(struct tmem_pool *pool, struct tmem_obj **at)
{
    struct tmem_obj *obj = *at;
    const struct places *places = obj->places;
    for (uint32_t i = 0; i < places->count; i++)
        for (uint64_t map = places->place[i].map; map != 0; map &= map - 1u) {
            uint32_t page = places->place[i].base * 64u + tm_count_trailing_zeros(map);
            uint64_t word = tm_zcache_index_get(pool->index, obj->oid.oid, page, false);
            pam.free((void *)(uintptr_t)word, pool, NULL, 0, true);
        }
    tm_zcache_index_remove_object(pool->index, obj->oid.oid);
    obj->pampd_count = 0;
    end_object(at);
}

/* ---- pools ---- */

void tmem_new_pool(struct tmem_pool *pool, uint32_t flags)
{
    pool->persistent = (flags & TMEM_POOL_PERSIST) != 0;
    pool->shared = (flags & TMEM_POOL_SHARED) != 0;
    pool->obj_count = 0;
    pool->index = tm_zcache_index_create();
}

int tmem_destroy_pool(struct tmem_pool *pool)
{
    if (pool == NULL)
        return -1;
    for (unsigned i = 0; pool->index != NULL && i < TM_ZCACHE_BUCKETS; i++) {
        struct tm_zcache_bucket *bucket = tm_zcache_lock_number(pool->index, i);
        while (bucket->first != NULL)
            flush_all(pool, (struct tmem_obj **)&bucket->first);
        tm_zcache_unlock(pool->index, bucket);
    }
    tm_zcache_index_destroy(pool->index);
    pool->index = NULL;
    return 0;
}

/* ---- pages ---- */

static int put_locked(struct tmem_pool *pool, struct tmem_obj **at, struct tmem_oid *oid, uint32_t page, void *pampd)
{
    struct tmem_obj *obj = *at;
    void *older = obj != NULL ? take(pool, obj, page) : NULL;
    if (older != NULL)
        pam.free(older, pool, oid, page, true);
    if (obj == NULL)
        obj = make_object(pool, at, oid);
    struct place *place = obj != NULL ? make_place(obj, page) : NULL;
    bool is_put = place != NULL && tm_zcache_index_put(pool->index, oid->oid, page, (uintptr_t)pampd);
    if (is_put) {
        place->map |= UINT64_C(1) << page % 64;
        obj->pampd_count++;
        if (pam.create_finish != NULL)
            pam.create_finish(pampd, !pool->persistent);
        return 0;
    }
    pam.free(pampd, pool, oid, page, true);
    if (obj != NULL && obj->pampd_count == 0)
        end_object(at);
    return -ENOMEM;
}

int tmem_put(struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index, bool raw, void *pampd)
{
    (void)raw; /* how its bytes are kept is its owner's business */
    if (!is_valid(oid) || pampd == NULL) {
        if (pampd != NULL)
            pam.free(pampd, pool, oid, index, true);
        return -EINVAL;
    }
    if (pool->index == NULL) {
        pam.free(pampd, pool, oid, index, true);
        return -ENOMEM;
    }
    struct tm_zcache_bucket *bucket = tm_zcache_lock(pool->index, oid->oid);
    int result = put_locked(pool, find_object(bucket, oid), oid, index, pampd);
    tm_zcache_unlock(pool->index, bucket);
    return result;
}

static int get_locked(struct tmem_pool *pool, struct tmem_obj **at, struct tmem_oid *oid, uint32_t page, char *data,
                      size_t *sizep, bool raw, bool removes)
{
    struct tmem_obj *obj = *at;
    if (obj == NULL)
        return -1;
    if (!removes) {
        void *pampd = (void *)(uintptr_t)tm_zcache_index_get(pool->index, oid->oid, page, false);
        int result = pampd != NULL ? pam.get_data(data, sizep, raw, pampd, pool, oid, page) : -1;
        return result < 0 ? result : 0;
    }
    void *pampd = take(pool, obj, page);
    if (pampd == NULL)
        return -1;
    if (obj->pampd_count == 0)
        end_object(at);
    int result = pam.get_data_and_free(data, sizep, raw, pampd, pool, oid, page);
    return result < 0 ? result : 0;
}

int tmem_get(struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index, char *data, size_t *sizep, bool raw,
             int get_and_free)
{
    if (!is_valid(oid) || pool->index == NULL)
        return -1;
    bool removes = get_and_free == 1 || (get_and_free == 0 && !pool->persistent);
    struct tm_zcache_bucket *bucket = tm_zcache_lock(pool->index, oid->oid);
    int result = get_locked(pool, find_object(bucket, oid), oid, index, data, sizep, raw, removes);
    tm_zcache_unlock(pool->index, bucket);
    return result;
}

int tmem_flush_page(struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index)
{
    void *pampd = NULL;
    if (!is_valid(oid) || pool->index == NULL)
        return -1;
    struct tm_zcache_bucket *bucket = tm_zcache_lock(pool->index, oid->oid);
    struct tmem_obj **at = find_object(bucket, oid);
    if (*at != NULL)
        pampd = take(pool, *at, index);
    if (pampd != NULL) {
        pam.free(pampd, pool, oid, index, true);
        if ((*at)->pampd_count == 0)
            end_object(at);
    }
    tm_zcache_unlock(pool->index, bucket);
    return pampd != NULL ? 0 : -1;
}

int tmem_flush_object(struct tmem_pool *pool, struct tmem_oid *oid)
{
    if (!is_valid(oid) || pool->index == NULL)
        return -1;
    struct tm_zcache_bucket *bucket = tm_zcache_lock(pool->index, oid->oid);
    struct tmem_obj **at = find_object(bucket, oid);
    bool is_there = *at != NULL;
    if (is_there)
        flush_all(pool, at);
    tm_zcache_unlock(pool->index, bucket);
    return is_there ? 0 : -1;
}
