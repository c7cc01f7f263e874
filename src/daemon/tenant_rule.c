/* SPDX-License-Identifier: BSD-2-Clause */
/* tenant_rule.c - what a tenant may have: the configuration's rule and its own wish together. */
#include "daemon/tenant_internal.h"

#include <string.h>

#include "base/mix.h"
#include "daemon/log.h"

/* The smallest of what is wished for and what is allowed; a wish of 0 is none. */
static uint64_t bounded(uint64_t allowed, uint64_t wish)
{
    return wish != 0 && wish < allowed ? wish : allowed;
}

uint32_t tm_tenant_weight(const struct tm_rule *rule, uint32_t wish)
{
    const struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    return (uint32_t)bounded(rule->weight, wish != 0 ? wish : options.weight);
}

uint64_t tm_tenant_cap(const struct tm_rule *rule, uint64_t wish)
{
    return bounded(rule->cap_bytes, wish);
}

void tm_tenant_note_wish(struct tm_tenant *tenant, const struct tm_tenant_wish *wish)
{
    tenant->wished_weight = wish->weight;
    /* The size that was wished for bounds the cap, too. */
    tenant->wished_cap_bytes = wish->cap_bytes != 0 ? bounded(wish->cap_bytes, wish->size_bytes) : wish->size_bytes;
}

static bool has_uuid(const struct tm_rule *rule, const struct tmem_uuid *uuid)
{
    for (size_t i = 0; i < rule->uuid_count; i++)
        if (memcmp(&rule->uuids[i], uuid, sizeof *uuid) == 0)
            return true;
    return false;
}

enum tmem_result tm_tenant_authorise(struct tmem_client *client, const struct tm_rule *before,
                                     const struct tm_rule *next)
{
    enum tmem_result result = TMEM_OK;
    /* One that an operator took away already is no failure. */
    for (size_t i = 0; before != NULL && i < before->uuid_count; i++)
        if (!has_uuid(next, &before->uuids[i]))
            (void)!tmem_client_deauthorise(client, &before->uuids[i]);
    for (size_t i = 0; i < next->uuid_count && result == TMEM_OK; i++)
        result = tmem_client_authorise(client, &next->uuids[i]);
    return result;
}

struct tm_tenant_change tm_tenant_follow(struct tm_tenant *tenant, const struct tm_rule *next)
{
    const struct tm_rule *now = tenant->rule;
    struct tm_tenant_change change = {.has_cap = next->cap_bytes != now->cap_bytes};
    if (next->weight != now->weight)
        change.weight = tm_tenant_weight(next, tenant->wished_weight);
    if (change.has_cap)
        change.cap_bytes = tm_tenant_cap(next, tenant->wished_cap_bytes);
    tm_store_release(&tenant->rule, next);
    return change;
}

void tm_tenant_apply(struct tm_tenant *tenant, struct tm_tenant_change change)
{
    if (change.weight != 0 && tmem_client_set_weight(tenant->client, change.weight) != TMEM_OK)
        tm_log("client '%s' cannot have weight %u", tenant->name, change.weight);
    if (change.has_cap && tmem_client_set_cap(tenant->client, change.cap_bytes) != TMEM_OK)
        tm_log("client '%s' cannot have a cap of %llu bytes", tenant->name, (unsigned long long)change.cap_bytes);
}

uint32_t tm_rule_terms(const struct tm_rule *rule)
{
    return (uint32_t)(tm_scramble(rule->weight ^ tm_scramble(rule->cap_bytes)) >> 33);
}

void tm_tenant_lower(struct tm_tenant *tenant)
{
    const struct tm_rule *rule = tenant->rule;
    struct tmem_client_stats stats;
    if (tmem_client_stats(tenant->client, &stats, sizeof stats) != TMEM_OK)
        return;
    tm_tenant_apply(tenant, (struct tm_tenant_change){.weight = stats.weight > rule->weight ? rule->weight : 0,
                                                      .has_cap = stats.cap_bytes > rule->cap_bytes,
                                                      .cap_bytes = rule->cap_bytes});
}

void tm_tenants_reload(struct tm_tenants *tenants, struct tm_daemon *daemon, const struct tm_config *config)
{
    char name[TMEM_CLIENT_NAME_SIZE] = "";
    struct tm_tenant *tenant;
    /* Who comes from here on comes by the new rules. */
    tm_tenants_lock(tenants);
    tm_store_release(&daemon->config, config);
    tm_tenants_unlock(tenants);
    /* Who is ending just now, and stays after all, follows when it is claimed. */
    while ((tenant = tm_tenants_hold_next(tenants, name)) != NULL) {
        memcpy(name, tenant->name, sizeof name);
        const struct tm_rule *next = tm_config_rule_of(config, tenant->uid, name);
        if (tm_tenant_authorise(tenant->client, tm_load_acquire(&tenant->rule), next) != TMEM_OK)
            tm_log("client '%s' cannot be authorised: no memory", name);
        tm_tenants_lock(tenants);
        struct tm_tenant_change change = tm_tenant_follow(tenant, next);
        tm_tenants_unlock(tenants);
        tm_tenant_apply(tenant, change);
        tm_tenants_lock(tenants);
        tm_tenant_write_note(tenant);
        tm_tenants_unlock(tenants);
        tm_tenant_release(tenants, tenant);
    }
}
