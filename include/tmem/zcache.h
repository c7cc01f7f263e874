/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zcache.h - the tmem interface that Linux's zcache was built on: an index from (pool, object, page) to what its user
 * calls a page descriptor, on the engine behind <tmem/tmem.h>.
 *
 * A *pampd* is a pointer that means something to its user alone, who keeps the page's bytes where he likes; the index
 * holds it until it is overwritten, flushed or got for good, and then has it freed by his functions. The engine keeps
 * it as the 8 bytes of one repeated word, so it takes next to no memory; no radix tree nodes are asked for.
 *
 * Threads: any call may overlap any other, but for the end of the pool that it is given; two on one handle are put in
 * some order. The registered functions are called with a lock of the object's bucket held: they must not call back,
 * nor wait for anybody who does.
 *
 * This header has names that tmem.h has, too, and cannot be included beside it in one file; a program may use both.
 */
#ifndef TMEM_ZCACHE_H
#define TMEM_ZCACHE_H

#ifdef TMEM_TMEM_H
#error "<tmem/zcache.h> and <tmem/tmem.h> have the same names: include them in different files"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TMEM_ZCACHE_API __attribute__((visibility("default")))
#else
#define TMEM_ZCACHE_API
#endif

#define tmem_register_hostops tmem_zcache_register_hostops
#define tmem_register_pamops tmem_zcache_register_pamops
#define tmem_new_pool tmem_zcache_new_pool
#define tmem_destroy_pool tmem_zcache_destroy_pool
#define tmem_put tmem_zcache_put
#define tmem_get tmem_zcache_get
#define tmem_flush_page tmem_zcache_flush_page
#define tmem_flush_object tmem_zcache_flush_object
#define tmem_pool tmem_zcache_pool
#define tmem_obj tmem_zcache_obj
#define tmem_oid tmem_zcache_oid
#define tmem_hostops tmem_zcache_hostops
#define tmem_pamops tmem_zcache_pamops

/* Flags of a pool. Page size and version, in the bits above, are ignored. */
#define TMEM_POOL_PERSIST 1u
#define TMEM_POOL_SHARED 2u

/* All bits set in all words is no object. */
struct tmem_oid {
    uint64_t oid[3];
};

/* The caller's memory, who sets client and pool_id, and may read the rest. */
struct tmem_pool {
    void *client; /* whose it is; any number of clients */
    uint32_t pool_id;
    bool persistent;
    bool shared;
    uint32_t obj_count; /* atomic */
    void *index;        /* the library's */
};

/* The user's memory, by obj_alloc(); the library's content. */
struct tmem_obj {
    struct tmem_oid oid;
    struct tmem_pool *pool;
    struct tmem_obj *next;
    uint64_t pampd_count;
    void *places;
};

/* Memory for objects. Once each for an object: when its first page comes, and when its last has gone. */
struct tmem_hostops {
    struct tmem_obj *(*obj_alloc)(struct tmem_pool *pool); /* NULL: the put answers -ENOMEM */
    void (*obj_free)(struct tmem_obj *obj, struct tmem_pool *pool);
};

/* What is done with a pampd. */
struct tmem_pamops {
    /* It is in the index now, and may be evicted if @eph. NULL: nothing to do. */
    void (*create_finish)(void *pampd, bool eph);
    /* Copy its page out; negative: it has gone meanwhile, which the get answers. The second frees it as well; it is in
     * the index no more. */
    int (*get_data)(char *data, size_t *sizep, bool raw, void *pampd, struct tmem_pool *pool, struct tmem_oid *oid,
                    uint32_t index);
    int (*get_data_and_free)(char *data, size_t *sizep, bool raw, void *pampd, struct tmem_pool *pool,
                             struct tmem_oid *oid, uint32_t index);
    /* @oid NULL: its object, or pool, goes with all its pages. */
    void (*free)(void *pampd, struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index, bool acct);
};

/*
 * tmem_zcache_open - make the index of this process, on a store by URI (<tmem/tmem.h>); "embedded:" for instance.
 *
 * Results: 0, -EEXIST (there is one), -EINVAL (the URI), -ENOMEM (or the store cannot be opened).
 */
TMEM_ZCACHE_API int tmem_zcache_open(const char *uri);

/* tmem_zcache_close - end it. All pools have been destroyed. */
TMEM_ZCACHE_API void tmem_zcache_close(void);

/* Both copy what they are given; before the first pool, and not while others call. */
TMEM_ZCACHE_API void tmem_register_hostops(struct tmem_hostops *ops);
TMEM_ZCACHE_API void tmem_register_pamops(struct tmem_pamops *ops);

/* tmem_new_pool - make a pool in memory of the caller's. Never fails; without memory its puts do. */
TMEM_ZCACHE_API void tmem_new_pool(struct tmem_pool *pool, uint32_t flags);

/* tmem_destroy_pool - remove a pool with all its pages; its memory is the caller's again. Results: 0, -1 (NULL). */
TMEM_ZCACHE_API int tmem_destroy_pool(struct tmem_pool *pool);

/*
 * tmem_put - enter a pampd. One that is under the handle already is removed and freed first, whatever comes of it.
 *
 * Results: 0; -ENOMEM, -EINVAL (no object, or a NULL pampd): the pampd was freed, and nothing is under the handle.
 */
TMEM_ZCACHE_API int tmem_put(struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index, bool raw, void *pampd);

/*
 * tmem_get - copy out what is under a handle, by get_data() or get_data_and_free().
 *
 * @get_and_free  1: it is removed; -1: it stays; 0: it is removed from an ephemeral pool, stays in a persistent one.
 *
 * Results: 0, -1 (there is nothing), or what the function answered if that was negative.
 */
TMEM_ZCACHE_API int tmem_get(struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index, char *data, size_t *sizep,
                             bool raw, int get_and_free);

/* Remove a page, or all of an object. Results: 0, -1 (there was nothing). */
TMEM_ZCACHE_API int tmem_flush_page(struct tmem_pool *pool, struct tmem_oid *oid, uint32_t index);
TMEM_ZCACHE_API int tmem_flush_object(struct tmem_pool *pool, struct tmem_oid *oid);

#ifdef __cplusplus
}
#endif

#endif
