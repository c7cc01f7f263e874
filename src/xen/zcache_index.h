/* SPDX-License-Identifier: BSD-2-Clause */
/* zcache_index.h - where zcache.c, which speaks zcache's names, meets zcache_index.c, which speaks tmem.h's. */
#ifndef TM_XEN_ZCACHE_INDEX_H
#define TM_XEN_ZCACHE_INDEX_H

#include "base/base.h"

struct tm_zcache_index; /* of one pool: from (object, page) to a word that is not 0 */

/* The store of this process. Results: 0, -EEXIST, -EINVAL, -ENOMEM. */
int tm_zcache_open(const char *uri);
void tm_zcache_close(void);

/* NULL: no store, or no memory. */
struct tm_zcache_index *tm_zcache_index_create(void);
void tm_zcache_index_destroy(struct tm_zcache_index *index);

/* Nothing is under the handle. False: no memory, and nothing is. */
TM_MUST_USE bool tm_zcache_index_put(struct tm_zcache_index *index, const uint64_t oid[3], uint32_t page,
                                     uint64_t word);
/* The word, which stays or goes; 0: there is none. */
uint64_t tm_zcache_index_get(struct tm_zcache_index *index, const uint64_t oid[3], uint32_t page, bool removes);
void tm_zcache_index_remove_object(struct tm_zcache_index *index, const uint64_t oid[3]);

/* A lock for each of an object's neighbours: by the number that the object's id has. */
#define TM_ZCACHE_BUCKETS 256u
struct tm_zcache_bucket {
    void *first; /* the user's of the lock */
};
struct tm_zcache_bucket *tm_zcache_lock(struct tm_zcache_index *index, const uint64_t oid[3]);
struct tm_zcache_bucket *tm_zcache_lock_number(struct tm_zcache_index *index, unsigned number);
void tm_zcache_unlock(struct tm_zcache_index *index, struct tm_zcache_bucket *bucket);

#endif
