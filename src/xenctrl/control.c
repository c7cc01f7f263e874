/* SPDX-License-Identifier: BSD-2-Clause */
/* control.c - control operations by their numbers, as questions to a daemon. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "xenctrl/xenctrl.h"

#define NO_SUCH (-(long)EPERM) /* the original's -1 */

/* ---- questions about a client, or all ---- */

/* {"verb":VERB,"client":NAME}, or "all". NULL: no memory. */
static json_t *about(const char *verb, const json_t *client)
{
    return client != NULL ? json_pack("{s:s, s:s}", "verb", verb, "client", tm_xc_text(client, "client"))
                          : json_pack("{s:s, s:b}", "verb", verb, "all", 1);
}

/* Sets a member of a question; consumes both. */
static json_t *with(json_t *question, const char *member, json_t *value)
{
    if (question == NULL || value == NULL) {
        json_decref(question);
        json_decref(value);
        return NULL;
    }
    if (json_object_set_new(question, member, value) == 0)
        return question;
    json_decref(question);
    return NULL;
}

static long govern(struct tm_xc_request *request, const json_t *client)
{
    const char *verb = request->number == TMEM_CONTROL_FREEZE ? "freeze" : "thaw";
    return tm_xc_do(request->daemon, about(verb, client));
}

static long set_weight(struct tm_xc_request *request, const json_t *client)
{
    uint32_t weight = request->value == 0 ? 100u : request->value < 1000000u ? request->value
                                                                             : 1000000u;
    return tm_xc_do(request->daemon, with(about("set", client), "weight", json_integer(weight)));
}

static long set_cap(struct tm_xc_request *request, const json_t *client)
{
    json_t *cap = request->value == 0 ? json_null() : json_integer((json_int_t)request->value << 20);
    return tm_xc_do(request->daemon, with(about("set", client), "cap_bytes", cap));
}

static long set_compress(struct tm_xc_request *request, const json_t *client)
{
    return tm_xc_do(request->daemon, with(about("set", client), "compress", json_boolean(request->value != 0)));
}

/* ---- one client ---- */

static long destroy(struct tm_xc_request *request, const json_t *client)
{
    return tm_xc_do(request->daemon, about("destroy", client));
}

static long get_weight(struct tm_xc_request *request, const json_t *client)
{
    (void)request;
    return (long)tm_xc_count(client, "weight");
}

static long get_cap(struct tm_xc_request *request, const json_t *client)
{
    (void)request;
    return (long)(tm_xc_count(client, "cap_bytes") >> 20);
}

static long get_flags(struct tm_xc_request *request, const json_t *client)
{
    (void)request;
    return (tm_xc_flag(client, "compress") ? TMEM_CLIENT_COMPRESS : 0) |
           (tm_xc_flag(client, "frozen") ? TMEM_CLIENT_FROZEN : 0);
}

/* ---- pools of one client ---- */

static uint32_t flags_of(const json_t *pool)
{
    return (strcmp(tm_xc_text(pool, "kind"), "persistent") == 0 ? TMEM_POOL_PERSIST : 0) |
           (tm_xc_flag(pool, "shared") ? (uint32_t)TMEM_POOL_SHARED : 0) |
           TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
}

/* NULL: there is none of this number. */
static const json_t *find_pool(const struct tm_xc_request *request, const json_t *client)
{
    return request->pool_id < 0 ? NULL : json_array_get(json_object_get(client, "pool_list"), (size_t)request->pool_id);
}

static long get_pool_flags(struct tm_xc_request *request, const json_t *client)
{
    const json_t *pool = find_pool(request, client);
    return pool == NULL ? NO_SUCH : (long)flags_of(pool);
}

static long get_pool_pages(struct tm_xc_request *request, const json_t *client)
{
    const json_t *pool = find_pool(request, client);
    return pool == NULL ? NO_SUCH : (long)tm_xc_count(pool, "pages");
}

static long get_pool_uuid(struct tm_xc_request *request, const json_t *client)
{
    const json_t *pool = find_pool(request, client);
    uint64_t uuid[2];
    if (pool == NULL)
        return NO_SUCH;
    if (request->value < sizeof uuid)
        return -EINVAL;
    (void)tm_xc_uuid(pool, uuid);
    memcpy(request->buffer, uuid, sizeof uuid);
    return 0;
}

static long get_pools(struct tm_xc_request *request, const json_t *client)
{
    uint32_t room = request->value / (uint32_t)sizeof(struct xen_tmem_pool_info);
    uint32_t count = 0;
    size_t index;
    const json_t *pool;
    if (client == NULL || request->value % sizeof(struct xen_tmem_pool_info) != 0)
        return -EINVAL;
    if (room > TMEM_XEN_POOLS)
        return -E2BIG;
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        struct xen_tmem_pool_info info = {flags_of(pool), (uint32_t)index, tm_xc_count(pool, "pages"), {0, 0}};
        if (count == room)
            break;
        (void)tm_xc_uuid(pool, info.uuid);
        memcpy((unsigned char *)request->buffer + count++ * sizeof info, &info, sizeof info);
    }
    return (long)count;
}

/* ---- a client as a whole ---- */

static long get_info(struct tm_xc_request *request, const json_t *client)
{
    struct xen_tmem_client info = {.version = TMEM_SPEC_VERSION, .maxpools = TMEM_XEN_POOLS};
    if (request->buffer == NULL)
        return -EFAULT;
    if (client != NULL) {
        info.nr_pools = (uint32_t)json_array_size(json_object_get(client, "pool_list"));
        info.flags |= tm_xc_flag(client, "frozen") ? XEN_TMEM_CLIENT_FROZEN : 0;
        info.flags |= tm_xc_flag(client, "compress") ? XEN_TMEM_CLIENT_COMPRESS : 0;
        info.weight = (uint32_t)tm_xc_count(client, "weight");
    }
    memcpy(request->buffer, &info, sizeof info);
    return 0;
}

static long set_info(struct tm_xc_request *request, const json_t *client)
{
    struct xen_tmem_client info;
    if (request->buffer == NULL)
        return -EFAULT;
    memcpy(&info, request->buffer, sizeof info);
    if (info.version != TMEM_SPEC_VERSION)
        return -EOPNOTSUPP;
    if (info.maxpools > TMEM_XEN_POOLS)
        return -ERANGE;
    if (client == NULL && request->client != TMEM_CLIENT_ALL)
        return -ENOENT;
    request->value = info.weight;
    long result = set_weight(request, client);
    request->value = info.flags & XEN_TMEM_CLIENT_COMPRESS;
    return result == 0 ? set_compress(request, client) : result;
}

/* ---- rights ---- */

static long share(struct tm_xc_request *request, const json_t *client, const uint64_t uuid[2], bool allow)
{
    char text[40];
    snprintf(text, sizeof text, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, uuid[1] >> 32,
             uuid[1] >> 16 & 0xffff, uuid[1] & 0xffff, uuid[0] >> 48, uuid[0] & UINT64_C(0xffffffffffff));
    json_t *question = with(about("shared-auth", client), "uuid", json_string(text));
    long result = tm_xc_do(request->daemon, with(question, "allow", json_boolean(allow)));
    return result == 0 ? 1 : result;
}

static long set_auth(struct tm_xc_request *request, const json_t *client)
{
    struct xen_tmem_pool_info info;
    uint32_t count = request->value / (uint32_t)sizeof info;
    long result = 0;
    if (request->value % sizeof info != 0)
        return -EINVAL;
    if (count > TMEM_XEN_POOLS)
        return -E2BIG;
    if (client == NULL && request->client != TMEM_CLIENT_ALL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count && result >= 0; i++) {
        memcpy(&info, (const unsigned char *)request->buffer + i * sizeof info, sizeof info);
        result = share(request, client, info.uuid, (info.flags & XEN_TMEM_POOL_AUTH) != 0);
    }
    return result != 0 ? result : (long)count;
}

long tm_xc_authorise(struct tm_xc_request *request, const uint64_t uuid[2], bool allow)
{
    json_t *clients, *store;
    long result = tm_xc_clients(request->daemon, &clients, &store);
    if (result != 0)
        return result;
    const json_t *client = tm_xc_find(clients, request->client);
    bool is_known = client != NULL || request->client == TMEM_CLIENT_ALL;
    result = is_known ? share(request, client, uuid, allow) : -ENOMEM;
    json_decref(clients);
    json_decref(store);
    return result;
}

/* ---- the store ---- */

/* A number of the answer to a question. */
static long ask_for(struct tm_xc_request *request, json_t *question, const char *member, unsigned shift)
{
    json_t *answer;
    long result = tm_xc_ask(request->daemon, question, &answer);
    if (result != 0)
        return result;
    result = (long)(tm_xc_count(answer, member) >> shift);
    json_decref(answer);
    return result;
}

static long flush(struct tm_xc_request *request, const json_t *client)
{
    (void)client;
    if (request->client != TMEM_CLIENT_ALL)
        return NO_SUCH;
    json_int_t bytes = (json_int_t)(request->is_old ? request->value : request->extra) << 10;
    return bytes == 0 ? 0
                      : ask_for(request, json_pack("{s:s, s:I}", "verb", "reclaim", "bytes", bytes), "returned_bytes",
                                10);
}

static long query_freeable(struct tm_xc_request *request, const json_t *client)
{
    (void)client;
    return ask_for(request, json_pack("{s:s}", "verb", "freeable"), "freeable_bytes", 20);
}

static long get_version(struct tm_xc_request *request, const json_t *client)
{
    (void)request;
    (void)client;
    return TMEM_SPEC_VERSION;
}

static long get_maxpools(struct tm_xc_request *request, const json_t *client)
{
    (void)request;
    (void)client;
    return TMEM_XEN_POOLS;
}

/* ---- the table ---- */

/* Whom an operation is about. */
enum target {
    SELF, /* finds out itself; the client is NULL for all, and where there is none */
    ONE,  /* one client that there is */
    ANY,  /* the same, or NULL for all */
    EACH  /* one, or each of all in turn */
};

struct operation {
    uint32_t number;
    bool is_old, is_new;
    enum target target;
    long (*perform)(struct tm_xc_request *request, const json_t *client);
};

static const struct operation operations[] = {
    {TMEM_CONTROL_THAW, true, true, ANY, govern},
    {TMEM_CONTROL_FREEZE, true, true, ANY, govern},
    {TMEM_CONTROL_FLUSH, true, true, SELF, flush},
    {TMEM_CONTROL_DESTROY, true, true, EACH, destroy},
    {TMEM_CONTROL_QUERY_FREEABLE_MB, true, true, SELF, query_freeable},

    {TMEM_CONTROL_GET_CLIENT_INFO, false, true, SELF, get_info},
    {TMEM_CONTROL_SET_CLIENT_INFO, false, true, SELF, set_info},
    {TMEM_CONTROL_GET_POOLS, false, true, SELF, get_pools},
    {TMEM_CONTROL_SET_AUTH, false, true, SELF, set_auth},

    {TMEM_CONTROL_SET_WEIGHT, true, false, ANY, set_weight},
    {TMEM_CONTROL_SET_CAP, true, false, ANY, set_cap},
    {TMEM_CONTROL_SET_COMPRESS, true, false, ANY, set_compress},
    {TMEM_CONTROL_GET_VERSION, true, false, SELF, get_version},
    {TMEM_CONTROL_GET_MAXPOOLS, true, false, SELF, get_maxpools},
    {TMEM_CONTROL_GET_CLIENT_WEIGHT, true, false, ONE, get_weight},
    {TMEM_CONTROL_GET_CLIENT_CAP, true, false, ONE, get_cap},
    {TMEM_CONTROL_GET_CLIENT_FLAGS, true, false, ONE, get_flags},
    {TMEM_CONTROL_GET_POOL_FLAGS, true, false, ONE, get_pool_flags},
    {TMEM_CONTROL_GET_POOL_NPAGES, true, false, ONE, get_pool_pages},
    {TMEM_CONTROL_GET_POOL_UUID, true, false, ONE, get_pool_uuid},
};

static long on_each(struct tm_xc_request *request, const struct operation *operation, const json_t *clients)
{
    long result = 0;
    size_t index;
    const json_t *client;
    json_array_foreach(clients, index, client)
    {
        long one = operation->perform(request, client);
        result = one == NO_SUCH ? result : one; /* it has gone meanwhile */
    }
    return result;
}

static long on_clients(struct tm_xc_request *request, const struct operation *operation, const json_t *clients)
{
    const json_t *client = tm_xc_find(clients, request->client);
    bool is_all = request->client == TMEM_CLIENT_ALL;
    if (operation->target != SELF && client == NULL && (!is_all || operation->target == ONE))
        return NO_SUCH;
    return operation->target == EACH && is_all ? on_each(request, operation, clients)
                                               : operation->perform(request, client);
}

static const struct operation *find_operation(const struct tm_xc_request *request)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(operations); i++) {
        const struct operation *operation = &operations[i];
        if (operation->number == request->number && (request->is_old ? operation->is_old : operation->is_new))
            return operation;
    }
    return NULL;
}

static long list(struct tm_xc_request *request, const json_t *clients, const json_t *store)
{
    const json_t *only = tm_xc_find(clients, request->client);
    return only == NULL && request->client != TMEM_CLIENT_ALL ? NO_SUCH : tm_xc_list(request, clients, only, store);
}

long tm_xc_perform(struct tm_xc_request *request)
{
    const struct operation *operation = find_operation(request);
    json_t *clients, *store;
    if (operation == NULL && request->number != TMEM_CONTROL_LIST)
        return NO_SUCH;
    long result = tm_xc_clients(request->daemon, &clients, &store);
    if (result != 0)
        return result;
    result = operation == NULL ? list(request, clients, store) : on_clients(request, operation, clients);
    json_decref(clients);
    json_decref(store);
    return result;
}
