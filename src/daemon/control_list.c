/* SPDX-License-Identifier: BSD-2-Clause */
/* control_list.c - the verb `list`: clients, and their pools. */
#include <string.h>

#include "daemon/control_activity.h"
#include "daemon/control_json.h"
#include "daemon/control_verb.h"
#include "daemon/tenant.h"

/* Most clients, and pools of clients, in one line: "next" says where to go on. A client has 4096 pools at most. */
#define CLIENTS_MAX 1024u
#define POOLS_MAX 8192u
#define POOLS_OF_CLIENT 4096u

/* What is in one line. */
struct listing {
    struct tm_tenants *tenants;
    json_t *clients;
    bool orphans_only;
    bool with_pools;
    bool with_activity;
    unsigned pools_left;
};

static json_t *json_of_pools(struct listing *listing, struct tmem_client *client)
{
    struct tmem_pool_stats stats = {.id = 0};
    json_t *pools = json_array();
    while (pools != NULL && listing->pools_left > 0 &&
           tmem_client_next_pool(client, stats.id, &stats, sizeof stats) == TMEM_OK) {
        listing->pools_left--;
        if (json_array_append_new(pools, tm_json_of_pool(&stats)) == 0)
            continue;
        json_decref(pools);
        return NULL;
    }
    return pools;
}

static json_t *json_of_tenant(struct listing *listing, const struct tm_tenant *tenant, bool is_orphan,
                              uint64_t left_ns)
{
    struct tmem_client_stats stats;
    if (tmem_client_stats(tenant->client, &stats, sizeof stats) != TMEM_OK)
        return NULL;
    json_t *client = tm_json_of_client(&stats);
    json_t *left = is_orphan ? json_integer((json_int_t)((left_ns + TM_SECOND_NS - 1u) / TM_SECOND_NS)) : json_null();
    client = tm_json_joined(client, json_pack("{s:I, s:s, s:o}", "uid", (json_int_t)tenant->uid, "state",
                                              is_orphan ? "orphan" : "connected", "seconds_left", left));
    if (listing->with_activity)
        client = tm_json_joined(client, tm_control_activity(tenant));
    if (listing->with_pools)
        client = tm_json_joined(client, json_pack("{s:o}", "pool_list", json_of_pools(listing, tenant->client)));
    return client;
}

/* False: no memory. */
static bool add_tenant(struct listing *listing, const struct tm_tenant *tenant)
{
    uint64_t left_ns;
    bool is_orphan = tm_tenant_waits(listing->tenants, tenant, &left_ns);
    return (listing->orphans_only && !is_orphan) ||
           json_array_append_new(listing->clients, json_of_tenant(listing, tenant, is_orphan, left_ns)) == 0;
}

/* False: no memory. @name: after which to begin; receives after which to go on, empty at the end. */
static bool add_tenants(struct listing *listing, char name[static TMEM_CLIENT_NAME_SIZE])
{
    struct tm_tenant *tenant;
    while ((tenant = tm_tenants_hold_next(listing->tenants, name)) != NULL) {
        memcpy(name, tenant->name, TMEM_CLIENT_NAME_SIZE);
        bool is_added = add_tenant(listing, tenant);
        tm_tenant_release(listing->tenants, tenant);
        if (!is_added)
            return false;
        if (json_array_size(listing->clients) >= CLIENTS_MAX || listing->pools_left < POOLS_OF_CLIENT)
            return true;
    }
    name[0] = '\0';
    return true;
}

/* Consumes the clients. */
static json_t *answer_of(struct tm_control_call *call, json_t *clients, const char *next)
{
    struct tmem_store_stats stats;
    if (tmem_store_stats(call->daemon->store, &stats, sizeof stats) != TMEM_OK) {
        json_decref(clients);
        return NULL;
    }
    return tm_control_ok(json_pack("{s:o, s:o, s:s?}", "store", tm_json_of_store(&stats), "clients", clients, "next",
                                   next[0] != '\0' ? next : NULL));
}

json_t *tm_control_list(struct tm_control_call *call)
{
    char next[TMEM_CLIENT_NAME_SIZE] = "";
    const char *wanted = tm_control_text(call, "client");
    const char *after = tm_control_text(call, "after");
    struct listing listing = {
        .tenants = call->daemon->tenants,
        .orphans_only = tm_control_switch(call, "orphans"),
        .with_pools = tm_control_switch(call, "pools"),
        .with_activity = tm_control_switch(call, "activity"),
        .pools_left = POOLS_MAX,
    };
    struct tm_tenant *tenant = NULL;
    if (wanted != NULL && (tenant = tm_tenant_hold(listing.tenants, wanted)) == NULL)
        return tm_control_no_client(wanted);
    if (after != NULL && strlen(after) < sizeof next)
        memcpy(next, after, strlen(after) + 1u);
    listing.clients = json_array();
    bool is_whole = listing.clients != NULL;
    if (tenant != NULL) {
        is_whole = is_whole && add_tenant(&listing, tenant);
        tm_tenant_release(listing.tenants, tenant);
    } else
        is_whole = is_whole && add_tenants(&listing, next);
    if (is_whole)
        return answer_of(call, listing.clients, next);
    json_decref(listing.clients);
    return NULL;
}
