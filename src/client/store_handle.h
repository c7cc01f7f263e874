/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_handle.h - what stands behind the public handles.
 *
 * A struct tmem_store is a host, an engine and what it was opened with. The public client and pool handles are
 * the engine's clients and memberships under other names.
 */
#ifndef TM_STORE_HANDLE_H
#define TM_STORE_HANDLE_H

#include <tmem/control.h>

#include "client/uri.h"
#include "engine/engine.h"
#include "host/host_linux.h"

#define TM_HANDLE_MAGIC 0x68616e64u

struct tmem_store {
    unsigned magic;
    struct tm_host_linux *host;
    struct tm_engine *engine;
    struct tm_codec codec;
    bool maintenance; /* a thread of its own does background work */
};

static inline struct tm_client *tm_client_of(struct tmem_client *client)
{
    return (struct tm_client *)(void *)client;
}

static inline struct tm_member *tm_member_of(struct tmem_pool *pool)
{
    return (struct tm_member *)(void *)pool;
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

#endif
