/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - what the control domain asks for, in the three generations of the original: as command 0 of the
 * hypercall up to 4.5, as sysctl 24 with the same numbers in 4.6 and 4.7, and with fewer and other ones since 4.8.
 *
 * One table says what exists in which. Whose business an operation is, and whether it needs that client, is found out
 * in one place before any is called.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xen/control.h"

/* ---- what is done to one client, or to each ---- */

static long thaw(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    (void)request;
    tm_xen_set_frozen(client, false);
    return 0;
}

static long freeze(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    (void)request;
    tm_xen_set_frozen(client, true);
    return 0;
}

/* The original thawed, and said that it had destroyed. */
static long destroy(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    (void)request;
    tm_xen_set_frozen(client, false);
    tm_xen_pools_end(client, 0, TMEM_XEN_POOLS);
    return 0;
}

static long set_weight(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    return tm_xen_set_weight(client, request->value);
}

static long set_cap(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    return tm_xen_set_cap(client, request->value);
}

static long set_compress(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    client->compress = request->value != 0;
    return 0;
}

static long get_weight(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    (void)request;
    return client->weight == UINT32_MAX ? -2 : (long)client->weight;
}

static long get_cap(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    (void)request;
    return client->cap == UINT32_MAX ? -2 : (long)client->cap;
}

static long get_flags(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    (void)request;
    bool is_frozen = client->save != NULL ? client->was_frozen : client->is_frozen; /* they are saved with it */
    return (client->compress ? TMEM_CLIENT_COMPRESS : 0) | (is_frozen ? TMEM_CLIENT_FROZEN : 0);
}

/* ---- pools of one client ---- */

static const struct tm_xen_slot *find_slot(const struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    uint32_t number = (uint32_t)request->pool_id;
    return number < TMEM_XEN_POOLS && client->slots[number].pool != NULL ? &client->slots[number] : NULL;
}

static long get_pool_flags(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    const struct tm_xen_slot *slot = find_slot(client, request);
    return slot == NULL ? TM_XEN_NO_SUCH : (long)tm_xen_pool_flags(slot->pool);
}

static long get_pool_pages(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    const struct tm_xen_slot *slot = find_slot(client, request);
    struct tmem_counters counters;
    if (slot == NULL)
        return TM_XEN_NO_SUCH;
    tm_xen_count(slot, &counters);
    return (long)counters.pages;
}

/* ---- what is done once ---- */

/* How much stood where values do up to 4.7, and since 4.8 where LIST has its switch. */
static long flush(struct tm_xen_request *request)
{
    bool is_new = tm_xen_since(request->caller, TMEM_XEN_RELEASE_4_12);
    uint64_t bytes = (uint64_t)(is_new ? request->extra : request->value) << 10;
    uint64_t returned;
    struct tmem_store_stats before;
    struct tmem_store_stats after;
    struct tmem_xen *xen = request->caller->xen;
    if (request->client != TMEM_CLIENT_ALL)
        return TM_XEN_NO_SUCH;
    if (tmem_store_stats(xen->store, &before, sizeof before) != TMEM_OK)
        return -EIO;
    enum tmem_result result = tmem_store_reclaim(xen->store, bytes, &returned);
    if (result == TMEM_UNSUPPORTED)
        return -EOPNOTSUPP;
    if (result != TMEM_OK || tmem_store_stats(xen->store, &after, sizeof after) != TMEM_OK)
        return -EIO;
    pthread_mutex_lock(&xen->lock);
    xen->releases++;
    xen->releases_short += returned < bytes;
    xen->released_pages += returned / TMEM_PAGE_SIZE;
    xen->release_evicted_most =
        tm_max_u64(xen->release_evicted_most, after.evicted_pages - before.evicted_pages);
    pthread_mutex_unlock(&xen->lock);
    return (long)(returned >> 10);
}

static long query_freeable(struct tm_xen_request *request)
{
    uint64_t bytes;
    enum tmem_result result = tmem_store_freeable(request->caller->xen->store, &bytes);
    if (result == TMEM_UNSUPPORTED)
        return -EOPNOTSUPP;
    return result == TMEM_OK ? (long)(bytes >> 20) : -EIO;
}

/* The list is made before a byte of it is written: guest's memory is never touched under the host's lock. */
static long list(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    struct tm_xen_text text = {0};
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *client = tm_xen_find_client(xen, request->client);
    bool is_known = client != NULL || request->client == TMEM_CLIENT_ALL;
    if (is_known)
        tm_xen_list(xen, client, request->caller->options.release, request->extra != 0, &text);
    pthread_mutex_unlock(&xen->lock);
    long result = !is_known ? TM_XEN_NO_SUCH : text.is_short              ? -ENOMEM
                                           : text.length < request->value ? 0
                                                                          : -ENOBUFS;
    if ((result == 0 || result == -ENOBUFS) && request->value > 0) {
        size_t length = tm_xen_text_fitting(&text, request->value);
        text.bytes[length] = 0;
        if (!tm_xen_write(request->caller, request->buffer, text.bytes, length + 1))
            result = -EFAULT;
    }
    free(text.bytes);
    return result;
}

static long get_version(struct tm_xen_request *request)
{
    (void)request;
    return TMEM_SPEC_VERSION;
}

static long get_maxpools(struct tm_xen_request *request)
{
    (void)request;
    return TMEM_XEN_POOLS;
}

static long get_pool_uuid(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    uint64_t uuid[2];
    pthread_mutex_lock(&xen->lock);
    const struct tmem_xen_domain *client = tm_xen_find_client(xen, request->client);
    const struct tm_xen_slot *slot = client != NULL ? find_slot(client, request) : NULL;
    if (slot != NULL)
        memcpy(uuid, slot->pool->uuid, sizeof uuid);
    pthread_mutex_unlock(&xen->lock);
    if (slot == NULL)
        return TM_XEN_NO_SUCH;
    if (request->value < sizeof uuid)
        return -EINVAL;
    return tm_xen_write(request->caller, request->buffer, uuid, sizeof uuid) ? 0 : -EFAULT;
}

/* ---- the table ---- */

enum generations {
    OLD = 1, /* up to 4.7 */
    NEW = 2, /* since 4.8 */
    BOTH = 3
};

/* Either is done to the client, or to each of all; or once, and then finds out itself. */
struct operation {
    uint32_t number;
    enum generations generations;
    long (*each)(struct tmem_xen_domain *client, const struct tm_xen_request *request);
    bool one_only; /* not for all */
    long (*once)(struct tm_xen_request *request);
};

static const struct operation operations[] = {
    {TMEM_CONTROL_THAW, BOTH, thaw, false, NULL},
    {TMEM_CONTROL_FREEZE, BOTH, freeze, false, NULL},
    {TMEM_CONTROL_FLUSH, BOTH, NULL, false, flush},
    {TMEM_CONTROL_DESTROY, BOTH, destroy, false, NULL},
    {TMEM_CONTROL_LIST, BOTH, NULL, false, list},
    {TMEM_CONTROL_QUERY_FREEABLE_MB, BOTH, NULL, false, query_freeable},

    {TMEM_CONTROL_SAVE_BEGIN, BOTH, NULL, false, tm_xen_save_begin},
    {TMEM_CONTROL_SAVE_GET_NEXT_PAGE, BOTH, NULL, true, tm_xen_save_next_page},
    {TMEM_CONTROL_SAVE_GET_NEXT_INV, BOTH, NULL, false, tm_xen_save_next_invalidated},
    {TMEM_CONTROL_SAVE_END, BOTH, NULL, false, tm_xen_save_end},
    {TMEM_CONTROL_RESTORE_BEGIN, BOTH, NULL, false, tm_xen_restore_begin},
    {TMEM_CONTROL_RESTORE_PUT_PAGE, BOTH, NULL, true, tm_xen_restore_page},
    {TMEM_CONTROL_RESTORE_FLUSH_PAGE, BOTH, NULL, true, tm_xen_restore_flush},

    {TMEM_CONTROL_GET_CLIENT_INFO, NEW, NULL, false, tm_xen_get_client_info},
    {TMEM_CONTROL_SET_CLIENT_INFO, NEW, NULL, false, tm_xen_set_client_info},
    {TMEM_CONTROL_GET_POOLS, NEW, NULL, false, tm_xen_get_pools},
    {TMEM_CONTROL_SET_POOLS, NEW, NULL, false, tm_xen_set_pools},
    {TMEM_CONTROL_SET_AUTH, NEW, NULL, false, tm_xen_set_auth},

    {TMEM_CONTROL_SET_WEIGHT, OLD, set_weight, false, NULL},
    {TMEM_CONTROL_SET_CAP, OLD, set_cap, false, NULL},
    {TMEM_CONTROL_SET_COMPRESS, OLD, set_compress, false, NULL},
    {TMEM_CONTROL_GET_VERSION, OLD, NULL, false, get_version},
    {TMEM_CONTROL_GET_MAXPOOLS, OLD, NULL, false, get_maxpools},
    {TMEM_CONTROL_GET_CLIENT_WEIGHT, OLD, get_weight, true, NULL},
    {TMEM_CONTROL_GET_CLIENT_CAP, OLD, get_cap, true, NULL},
    {TMEM_CONTROL_GET_CLIENT_FLAGS, OLD, get_flags, true, NULL},
    {TMEM_CONTROL_GET_POOL_FLAGS, OLD, get_pool_flags, true, NULL},
    {TMEM_CONTROL_GET_POOL_NPAGES, OLD, get_pool_pages, true, NULL},
    {TMEM_CONTROL_GET_POOL_UUID, OLD, NULL, true, get_pool_uuid},
};

long tm_xen_for_clients(struct tm_xen_request *request,
                        long (*each)(struct tmem_xen_domain *client, const struct tm_xen_request *request))
{
    struct tmem_xen *xen = request->caller->xen;
    bool is_all = request->client == TMEM_CLIENT_ALL;
    long result = is_all ? 0 : TM_XEN_NO_SUCH;
    pthread_mutex_lock(&xen->lock);
    for (struct tmem_xen_domain *client = xen->clients; client != NULL; client = client->next_client)
        if (is_all || client->options.id == request->client)
            result = each(client, request);
    pthread_mutex_unlock(&xen->lock);
    return result;
}

static long perform(struct tm_xen_request *request)
{
    unsigned generation = tm_xen_since(request->caller, TMEM_XEN_RELEASE_4_12) ? NEW : OLD;
    for (size_t i = 0; i < TM_ARRAY_SIZE(operations); i++) {
        const struct operation *operation = &operations[i];
        if (operation->number != request->number || ((unsigned)operation->generations & generation) == 0)
            continue;
        if (operation->one_only && request->client == TMEM_CLIENT_ALL)
            return TM_XEN_NO_SUCH;
        return operation->each != NULL ? tm_xen_for_clients(request, operation->each) : operation->once(request);
    }
    return TM_XEN_NO_SUCH;
}

/* ---- how it arrives ---- */

long tm_xen_control(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    struct tm_xen_request request = {
        .caller = domain,
        .number = op->u.ctrl.subop,
        .client = op->u.ctrl.cli_id,
        .pool_id = op->pool_id,
        .value = op->u.ctrl.arg1,
        .extra = op->u.ctrl.arg2,
        .oid = op->u.ctrl.oid,
        .buffer = op->u.ctrl.buf,
    };
    return perform(&request);
}

long tmem_xen_sysctl(struct tmem_xen_domain *domain, const void *address)
{
    struct xen_sysctl_tmem_op op;
    TM_MAGIC_CHECK(domain, TM_XEN_DOMAIN_MAGIC);
    if (!tm_xen_since(domain, TMEM_XEN_RELEASE_4_7))
        return -ENOSYS;
    if (!domain->options.is_privileged)
        return -EPERM;
    if (domain->xen->settings.is_off)
        return -ENODEV;
    if (!tm_xen_read(domain, (uintptr_t)address, &op, sizeof op))
        return -EFAULT;
    if (op.pad != 0)
        return -EINVAL;
    struct tm_xen_request request = {
        .caller = domain,
        .number = op.cmd,
        .client = op.cli_id,
        .pool_id = op.pool_id,
        .value = op.len,
        .extra = op.arg,
        .oid = op.oid,
        .buffer = op.buf,
    };
    return perform(&request);
}
