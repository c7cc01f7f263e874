/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embedded.h - what stands behind the public handles of a store whose engine runs in this process.
 *
 * A store is a host, an engine and what it was opened with. The public client and pool handles are the engine's
 * clients and memberships under other names: making one allocates nothing of its own.
 */
#ifndef TM_EMBEDDED_H
#define TM_EMBEDDED_H

#include "client/client.h"
#include "client/home.h"
#include "client/uri.h"
#include "host/host_linux.h"

struct tm_embedded {
    struct tmem_store base;
    struct tm_host_linux *host;
    struct tm_engine *engine;
    struct tm_codec codec;
    bool maintenance; /* a thread of its own does background work */
};

static inline struct tm_embedded *tm_embedded_of(struct tmem_store *store)
{
    return TM_CONTAINER_OF(store, struct tm_embedded, base);
}

static inline const struct tm_object_id *tm_object_of(const struct tmem_object_id *object)
{
    return (const struct tm_object_id *)(const void *)object;
}

static inline const struct tm_uuid *tm_uuid_of(const struct tmem_uuid *uuid)
{
    return (const struct tm_uuid *)(const void *)uuid;
}

/* The engine's results are numbered as the public ones. */
static inline enum tmem_result tm_public(enum tm_result result)
{
    return (enum tmem_result)result;
}

/* Opens a store as the URI says; on TMEM_OK all of *store but its magic is set. */
TM_MUST_USE enum tmem_result tm_embedded_open(const struct tm_uri *uri, struct tmem_store **store,
                                              struct tmem_error *error);

/* ---- embedded_client.c, embedded_page.c: functions of tm_embedded_home ---- */

enum tmem_result tm_embedded_client_create(struct tmem_store *store, const char *name,
                                           const struct tmem_client_options *options, struct tmem_client **client);
enum tmem_result tm_embedded_client_open(struct tmem_store *store, const char *name, struct tmem_client **client);
void tm_embedded_client_destroy(struct tmem_client *client);
enum tmem_result tm_embedded_client_set_weight(struct tmem_client *client, uint32_t weight);
enum tmem_result tm_embedded_client_set_cap(struct tmem_client *client, uint64_t cap_bytes);
enum tmem_result tm_embedded_client_reclaim(struct tmem_client *client, uint64_t bytes, uint64_t *released_bytes);
enum tmem_result tm_embedded_client_set_compress(struct tmem_client *client, bool compress);
enum tmem_result tm_embedded_client_set_frozen(struct tmem_client *client, bool is_frozen);
enum tmem_result tm_embedded_client_authorise(struct tmem_client *client, const struct tmem_uuid *uuid);
enum tmem_result tm_embedded_client_deauthorise(struct tmem_client *client, const struct tmem_uuid *uuid);
enum tmem_result tm_embedded_pool_create(struct tmem_client *client, uint32_t flags, const struct tmem_uuid *uuid,
                                         struct tmem_pool **pool);
enum tmem_result tm_embedded_pool_open(struct tmem_client *client, uint64_t pool_id, struct tmem_pool **pool);
uint64_t tm_embedded_pool_id(const struct tmem_pool *pool);
void tm_embedded_pool_destroy(struct tmem_pool *pool);
enum tmem_result tm_embedded_client_pools(struct tmem_client *client, uint64_t after, uint64_t *ids,
                                          size_t capacity, size_t *count);
enum tmem_result tm_embedded_client_stats(struct tmem_client *client, struct tmem_client_stats *stats);
enum tmem_result tm_embedded_pool_stats(struct tmem_pool *pool, struct tmem_pool_stats *stats);
void tm_embedded_store_ledger(struct tmem_store *store, struct tmem_ledger *ledger);
void tm_embedded_client_ledger(struct tmem_client *client, struct tmem_ledger *ledger);
size_t tm_embedded_client_evictors(struct tmem_client *client, struct tmem_evictor *rows);
bool tm_embedded_client_next_pool(struct tmem_client *client, uint64_t after, struct tmem_pool_stats *stats);
enum tmem_result tm_embedded_put(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 const void *page, uint32_t flags);
enum tmem_result tm_embedded_get(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 void *page, enum tmem_get_mode mode);
enum tmem_result tm_embedded_invalidate_page(struct tmem_pool *pool, const struct tmem_object_id *object,
                                             uint32_t index);
enum tmem_result tm_embedded_invalidate_object(struct tmem_pool *pool, const struct tmem_object_id *object);
enum tmem_result tm_embedded_put_many(struct tmem_pool *pool, struct tmem_io *io, size_t count, uint32_t flags);
enum tmem_result tm_embedded_get_many(struct tmem_pool *pool, struct tmem_io *io, size_t count,
                                      enum tmem_get_mode mode);
enum tmem_result tm_embedded_get_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                        struct tmem_stored *stored);
enum tmem_result tm_embedded_put_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                        const struct tmem_stored *stored, uint32_t flags);
enum tmem_result tm_embedded_walk(struct tmem_pool *pool, struct tmem_cursor *cursor, struct tmem_key *keys,
                                  size_t capacity, size_t *count);

#endif
