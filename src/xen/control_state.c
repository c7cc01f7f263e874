/* SPDX-License-Identifier: BSD-2-Clause */
/* control_state.c - what the control domain reads and sets as a whole: clients, their pools, their rights. */
#include <errno.h>

#include "xen/control.h"

uint32_t tm_xen_pool_flags(const struct tm_xen_pool *pool)
{
    return (pool->is_persistent ? TMEM_POOL_PERSIST : 0) | (pool->is_shared ? (uint32_t)TMEM_POOL_SHARED : 0) |
           TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
}

/* ---- clients ---- */

static uint32_t count_pools(const struct tmem_xen_domain *client)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        count += client->slots[i].pool != NULL;
    return count;
}

long tm_xen_get_client_info(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    struct xen_tmem_client info = {.version = TMEM_SPEC_VERSION, .maxpools = TMEM_XEN_POOLS};
    pthread_mutex_lock(&xen->lock);
    const struct tmem_xen_domain *client = tm_xen_find_client(xen, request->client);
    if (client != NULL) {
        info.nr_pools = count_pools(client);
        info.flags |= client->is_frozen ? XEN_TMEM_CLIENT_FROZEN : 0;
        info.flags |= client->is_migrating ? XEN_TMEM_CLIENT_MIGRATING : 0;
        info.flags |= client->compress ? XEN_TMEM_CLIENT_COMPRESS : 0;
        info.weight = client->weight;
    }
    pthread_mutex_unlock(&xen->lock);
    return tm_xen_write(request->caller, request->buffer, &info, sizeof info) ? 0 : -EFAULT;
}

/* Only weight and compression: what else the struct has is not settable. */
static long set_info(struct tmem_xen *xen, uint32_t id, const struct xen_tmem_client *info)
{
    long result = -ENOENT;
    for (struct tmem_xen_domain *client = xen->clients; client != NULL; client = client->next_client) {
        if (id != TMEM_CLIENT_ALL && client->options.id != id)
            continue;
        result = info->weight != client->weight ? tm_xen_set_weight(client, info->weight) : 0;
        if (result != 0)
            break;
        client->compress = (info->flags & XEN_TMEM_CLIENT_COMPRESS) != 0;
    }
    return result;
}

long tm_xen_set_client_info(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    struct xen_tmem_client info;
    if (!tm_xen_read(request->caller, request->buffer, &info, sizeof info))
        return -EFAULT;
    if (info.version != TMEM_SPEC_VERSION)
        return -EOPNOTSUPP;
    if (info.maxpools > TMEM_XEN_POOLS)
        return -ERANGE;
    pthread_mutex_lock(&xen->lock);
    long result = set_info(xen, request->client, &info);
    pthread_mutex_unlock(&xen->lock);
    return result;
}

/* ---- pools ---- */

/* How many of them the caller's buffer has or takes; negative: that cannot be. */
static long pool_room(const struct tm_xen_request *request)
{
    uint32_t count = request->value / (uint32_t)sizeof(struct xen_tmem_pool_info);
    if (request->value % sizeof(struct xen_tmem_pool_info) != 0)
        return -EINVAL;
    return count <= TMEM_XEN_POOLS ? (long)count : -E2BIG;
}

static long fill_pools(const struct tmem_xen_domain *client, struct xen_tmem_pool_info *pools, long room)
{
    long count = 0;
    for (unsigned i = 0; i < TMEM_XEN_POOLS && count < room; i++) {
        const struct tm_xen_slot *slot = &client->slots[i];
        struct tmem_counters counters;
        if (slot->pool == NULL)
            continue;
        tm_xen_count(slot, &counters);
        pools[count++] = (struct xen_tmem_pool_info){.flags = tm_xen_pool_flags(slot->pool),
                                                     .id = i,
                                                     .n_pages = counters.pages,
                                                     .uuid = {slot->pool->uuid[0], slot->pool->uuid[1]}};
    }
    return count;
}

long tm_xen_get_pools(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    struct xen_tmem_pool_info pools[TMEM_XEN_POOLS];
    long count = pool_room(request);
    if (count < 0)
        return count;
    pthread_mutex_lock(&xen->lock);
    const struct tmem_xen_domain *client = tm_xen_find_client(xen, request->client);
    count = client != NULL ? fill_pools(client, pools, count) : -EINVAL;
    pthread_mutex_unlock(&xen->lock);
    if (count > 0 && !tm_xen_write(request->caller, request->buffer, pools, (size_t)count * sizeof pools[0]))
        return -EFAULT;
    return count;
}

/* Reads the caller's array; answers how many, or a negative result. */
static long read_pools(const struct tm_xen_request *request, struct xen_tmem_pool_info pools[TMEM_XEN_POOLS])
{
    long count = pool_room(request);
    if (count > 0 && !tm_xen_read(request->caller, request->buffer, pools, (size_t)count * sizeof pools[0]))
        return -EFAULT;
    return count;
}

/* What is done with one entry of the array. */
typedef long (*act_on_pool)(struct tmem_xen_domain *client, const struct xen_tmem_pool_info *pool);

/* Makes it a client if it is none yet. Answers the last entry's result unless that is 0, else how many there are. */
static long act_on_pools(struct tmem_xen_domain *client, const struct xen_tmem_pool_info *pools, long count,
                         act_on_pool act)
{
    long result = tm_xen_enlist(client);
    if (result != 0)
        return result == -ENODEV ? -ENOMEM : result;
    for (long i = 0; i < count && result >= 0; i++)
        result = act(client, &pools[i]);
    return result != 0 ? result : count;
}

static long with_pools(struct tm_xen_request *request, act_on_pool act, bool takes_all)
{
    struct tmem_xen *xen = request->caller->xen;
    struct xen_tmem_pool_info pools[TMEM_XEN_POOLS];
    long count = read_pools(request, pools);
    if (count < 0)
        return count;
    bool is_all = takes_all && request->client == TMEM_CLIENT_ALL;
    long result = -ENOMEM; /* no such domain */
    pthread_mutex_lock(&xen->lock);
    for (struct tmem_xen_domain *client = xen->domains; client != NULL; client = client->next)
        if (client->options.id == request->client || (is_all && tm_xen_is_client(client)))
            result = act_on_pools(client, pools, count, act);
    pthread_mutex_unlock(&xen->lock);
    return result;
}

static long set_pool(struct tmem_xen_domain *client, const struct xen_tmem_pool_info *pool)
{
    if (pool->n_pages != 0)
        return -EINVAL;
    if (pool->id >= TMEM_XEN_POOLS)
        return -EPERM;
    return tm_xen_pool_create(client, (int)pool->id, pool->flags, pool->uuid);
}

long tm_xen_set_pools(struct tm_xen_request *request)
{
    return with_pools(request, set_pool, false);
}

/* ---- rights ---- */

static long set_right(struct tmem_xen_domain *client, const struct xen_tmem_pool_info *pool)
{
    bool is_given = (pool->flags & XEN_TMEM_POOL_AUTH) != 0;
    return is_given ? tm_xen_authorise(client, pool->uuid) : tm_xen_deauthorise(client, pool->uuid);
}

long tm_xen_set_auth(struct tm_xen_request *request)
{
    return with_pools(request, set_right, true);
}

/* ---- commands of the hypercall, up to 4.8 ---- */

/* For all: whether rights are needed at all. */
long tm_xen_old_auth(struct tmem_xen *xen, const struct tmem_op *op)
{
    long result = -EINVAL;
    bool is_given = op->u.creat.flags != 0;
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *client = tm_xen_find_client(xen, op->u.creat.arg1);
    if (op->u.creat.arg1 == TMEM_CLIENT_ALL) {
        xen->needs_no_right = !is_given;
        result = 1;
    } else if (client != NULL) {
        result = is_given ? tm_xen_authorise(client, op->u.creat.uuid) : tm_xen_deauthorise(client, op->u.creat.uuid);
    }
    pthread_mutex_unlock(&xen->lock);
    return result;
}

long tm_xen_old_restore_new(struct tmem_xen *xen, const struct tmem_op *op)
{
    long result = -EPERM;
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *client = tm_xen_find_client(xen, op->u.creat.arg1);
    if (client != NULL && (uint32_t)op->pool_id < TMEM_XEN_POOLS)
        result = tm_xen_pool_create(client, op->pool_id, op->u.creat.flags, op->u.creat.uuid);
    pthread_mutex_unlock(&xen->lock);
    return result;
}
