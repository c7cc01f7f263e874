/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - what the project's own parts may know of libtmem beyond its public headers: which engine's object a handle
 * of an embedded store stands for.
 *
 * Invariants: the handles of clients and pools of an embedded store are the addresses of the engine's objects. Those of
 * a store in a daemon are not, and have no business here.
 * Who locks: nobody. Cost: none.
 */
#ifndef TM_CLIENT_H
#define TM_CLIENT_H

#include <tmem/tmem.h>

#include "engine/engine.h"

static inline struct tm_client *tm_client_of(struct tmem_client *client)
{
    return (struct tm_client *)(void *)client;
}

static inline struct tm_member *tm_member_of(struct tmem_pool *pool)
{
    return (struct tm_member *)(void *)pool;
}

#endif
