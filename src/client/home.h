/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * home.h - where a store lives, as a table of functions: the public calls check that what they are given is there, and
 * pass it on.
 *
 * What the functions may rely on: no pointer is NULL that the public header does not say may be; names end with a NUL;
 * capacities and counts are what the header asks for. Everything else about the arguments is theirs to check. What a
 * store's home cannot do it leaves NULL, among the operators' functions only: the call answers TMEM_UNSUPPORTED.
 *
 * Threads, effects and results of each function: as of the public call of its name.
 */
#ifndef TM_HOME_H
#define TM_HOME_H

#include <tmem/control.h>

#include "base/base.h"

#define TM_HANDLE_MAGIC 0x68616e64u

struct tm_home {
    void (*close)(struct tmem_store *store);

    enum tmem_result (*client_create)(struct tmem_store *store, const char *name,
                                      const struct tmem_client_options *options, struct tmem_client **client);
    enum tmem_result (*client_open)(struct tmem_store *store, const char *name, struct tmem_client **client);
    void (*client_destroy)(struct tmem_client *client);
    enum tmem_result (*pool_create)(struct tmem_client *client, uint32_t flags, const struct tmem_uuid *uuid,
                                    struct tmem_pool **pool);
    enum tmem_result (*pool_open)(struct tmem_client *client, uint64_t pool_id, struct tmem_pool **pool);
    uint64_t (*pool_id)(const struct tmem_pool *pool);
    void (*pool_destroy)(struct tmem_pool *pool);

    enum tmem_result (*put)(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                            const void *page, uint32_t flags);
    enum tmem_result (*get)(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index, void *page,
                            enum tmem_get_mode mode);
    enum tmem_result (*invalidate_page)(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index);
    enum tmem_result (*invalidate_object)(struct tmem_pool *pool, const struct tmem_object_id *object);
    enum tmem_result (*put_many)(struct tmem_pool *pool, struct tmem_io *io, size_t count, uint32_t flags);
    enum tmem_result (*get_many)(struct tmem_pool *pool, struct tmem_io *io, size_t count, enum tmem_get_mode mode);
    enum tmem_result (*get_stored)(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                   struct tmem_stored *stored);
    /* @stored is private memory, its size, codec and checksum were verified. */
    enum tmem_result (*put_stored)(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                   const struct tmem_stored *stored, uint32_t flags);
    enum tmem_result (*memory_create)(struct tmem_client *client, size_t size_bytes, void **memory);
    void (*memory_destroy)(struct tmem_client *client, void *memory);
    enum tmem_result (*walk)(struct tmem_pool *pool, struct tmem_cursor *cursor, struct tmem_key *keys,
                             size_t capacity, size_t *count);

    /* Each fills all of *stats. */
    enum tmem_result (*store_stats)(struct tmem_store *store, struct tmem_store_stats *stats);
    enum tmem_result (*client_stats)(struct tmem_client *client, struct tmem_client_stats *stats);
    enum tmem_result (*pool_stats)(struct tmem_pool *pool, struct tmem_pool_stats *stats);
    /* @after is a buffer that may be written. */
    enum tmem_result (*store_clients)(struct tmem_store *store, char after[TMEM_CLIENT_NAME_SIZE],
                                      char (*names)[TMEM_CLIENT_NAME_SIZE], size_t capacity, size_t *count);
    enum tmem_result (*client_pools)(struct tmem_client *client, uint64_t after, uint64_t *ids, size_t capacity,
                                     size_t *count);

    /* Operators'. */
    enum tmem_result (*client_set_weight)(struct tmem_client *client, uint32_t weight);
    enum tmem_result (*client_set_cap)(struct tmem_client *client, uint64_t cap_bytes);
    enum tmem_result (*client_reclaim)(struct tmem_client *client, uint64_t bytes, uint64_t *released_bytes);
    enum tmem_result (*client_set_compress)(struct tmem_client *client, bool compress);
    enum tmem_result (*client_set_frozen)(struct tmem_client *client, bool is_frozen);
    enum tmem_result (*client_authorise)(struct tmem_client *client, const struct tmem_uuid *uuid);
    enum tmem_result (*client_deauthorise)(struct tmem_client *client, const struct tmem_uuid *uuid);
    enum tmem_result (*store_set_size)(struct tmem_store *store, uint64_t size_bytes);
    enum tmem_result (*store_reclaim)(struct tmem_store *store, uint64_t bytes, uint64_t *returned_bytes);
    enum tmem_result (*store_freeable)(struct tmem_store *store, uint64_t *bytes);
    enum tmem_result (*store_set_cold)(struct tmem_store *store, uint32_t cpu_percent, uint32_t age_seconds);
    enum tmem_result (*store_recompress)(struct tmem_store *store, uint64_t *pages);
    enum tmem_result (*store_check)(struct tmem_store *store);
    void (*store_ledger)(struct tmem_store *store, struct tmem_ledger *ledger);
    void (*client_ledger)(struct tmem_client *client, struct tmem_ledger *ledger);
    size_t (*client_evictors)(struct tmem_client *client, struct tmem_evictor *rows);
    bool (*client_next_pool)(struct tmem_client *client, uint64_t after, struct tmem_pool_stats *stats);
};

/* What every store begins with, whatever its home. */
struct tmem_store {
    unsigned magic;
    const struct tm_home *home;
};

extern const struct tm_home tm_embedded_home; /* the engine in this process */
extern const struct tm_home tm_unix_home;     /* a daemon, through shared memory */

/*
 * Added to the address that is the handle of a client or a pool of tm_unix_home; handles of tm_embedded_home are the
 * addresses of the engine's own objects. So neither needs a second object to say which it is.
 */
#define TM_HANDLE_UNIX 1u

static inline const struct tm_home *tm_home_of(const void *handle)
{
    return TM_LIKELY(((uintptr_t)handle & TM_HANDLE_UNIX) == 0) ? &tm_embedded_home : &tm_unix_home;
}

/* Gives a caller as much of the statistics as he has room for, and zeroes what he knows and this library does not. */
void tm_stats_copy(void *out, size_t out_bytes, const void *stats, size_t stats_bytes);

/* The checksum of a stored page: of its codec, size and bytes. */
uint64_t tm_stored_checksum(const struct tmem_stored *stored);

#endif
