/* SPDX-License-Identifier: BSD-2-Clause */
/* control_client.c - verbs that change what a client may do, or end it. */
#include <stdio.h>
#include <string.h>

#include "daemon/control_json.h"
#include "daemon/control_verb.h"
#include "daemon/events.h"
#include "daemon/tenant.h"
#include "daemon/uuid.h"

/* What is done to one client. Answers TMEM_OK, or why not; then nothing changed. */
typedef enum tmem_result change_function(struct tm_control_call *call, struct tm_tenant *tenant);

static json_t *cannot(enum tmem_result result, const char *name)
{
    return tm_control_error(result, "client '%.64s': %s", name, tmem_result_text(result));
}

/* To the client that is named, or to all. */
static json_t *change(struct tm_control_call *call, change_function *function)
{
    struct tm_tenants *tenants = call->daemon->tenants;
    const char *wanted = tm_control_text(call, "client");
    bool all = tm_control_switch(call, "all");
    char name[TMEM_CLIENT_NAME_SIZE] = "";
    uint32_t count = 0;
    if ((wanted != NULL) == all)
        return tm_control_error(TMEM_INVALID, "expected either the field 'client', or 'all': true");
    struct tm_tenant *tenant = all ? tm_tenants_hold_next(tenants, name) : tm_tenant_hold(tenants, wanted);
    if (tenant == NULL && !all)
        return tm_control_no_client(wanted);
    while (tenant != NULL) {
        memcpy(name, tenant->name, sizeof name);
        enum tmem_result result = function(call, tenant);
        tm_tenant_release(tenants, tenant);
        if (result != TMEM_OK)
            return cannot(result, name);
        count++;
        tenant = all ? tm_tenants_hold_next(tenants, name) : NULL;
    }
    return tm_control_ok(json_pack("{s:I}", "clients", (json_int_t)count));
}

/* ---- freeze, thaw ---- */

static enum tmem_result freeze(struct tm_control_call *call, struct tm_tenant *tenant)
{
    tm_events_add(call->daemon->events, TM_EVENT_CLIENT_FROZEN, tenant->name, 0, 0, NULL);
    tm_tenant_set_frozen(call->daemon->tenants, tenant, true);
    return TMEM_OK;
}

static enum tmem_result thaw(struct tm_control_call *call, struct tm_tenant *tenant)
{
    tm_events_add(call->daemon->events, TM_EVENT_CLIENT_THAWED, tenant->name, 0, 0, NULL);
    tm_tenant_set_frozen(call->daemon->tenants, tenant, false);
    return TMEM_OK;
}

json_t *tm_control_freeze(struct tm_control_call *call)
{
    return change(call, freeze);
}

json_t *tm_control_thaw(struct tm_control_call *call)
{
    return change(call, thaw);
}

/* ---- set ---- */

static enum tmem_result set_limits(struct tm_control_call *call, struct tm_tenant *tenant)
{
    struct tmem_client *client = tenant->client;
    uint64_t weight;
    uint64_t cap_bytes;
    struct tmem_client_stats stats;
    enum tmem_result result = TMEM_OK;
    if (tm_control_number(call, "weight", &weight))
        result = tmem_client_set_weight(client, weight <= TMEM_WEIGHT_MAX ? (uint32_t)weight : 0);
    if (result == TMEM_OK && tm_control_number(call, "cap_bytes", &cap_bytes))
        result = tmem_client_set_cap(client, cap_bytes);
    if (result == TMEM_OK && tm_control_has(call, "compress"))
        result = tmem_client_set_compress(client, tm_control_switch(call, "compress"));
    if (result == TMEM_OK)
        result = tmem_client_stats(client, &stats, sizeof stats);
    if (result == TMEM_OK)
        tm_events_add(call->daemon->events, TM_EVENT_CLIENT_LIMITS, tenant->name, stats.weight, stats.cap_bytes, NULL);
    return result;
}

json_t *tm_control_set(struct tm_control_call *call)
{
    uint64_t weight = TMEM_WEIGHT_MIN;
    if (!tm_control_number(call, "weight", &weight) && !tm_control_has(call, "cap_bytes") &&
        !tm_control_has(call, "compress"))
        return tm_control_error(TMEM_INVALID, "nothing to set: expected 'weight', 'cap_bytes' or 'compress'");
    if (weight < TMEM_WEIGHT_MIN || weight > TMEM_WEIGHT_MAX)
        return tm_control_error(TMEM_INVALID, "weight %llu: expected %u to %u", (unsigned long long)weight,
                                TMEM_WEIGHT_MIN, TMEM_WEIGHT_MAX);
    return change(call, set_limits);
}

/* ---- shared-auth ---- */

static enum tmem_result authorise(struct tm_control_call *call, struct tm_tenant *tenant)
{
    struct tmem_client *client = tenant->client;
    struct tmem_uuid uuid;
    char text[TM_UUID_TEXT_SIZE];
    bool allow = tm_control_switch(call, "allow");
    if (!tm_uuid_parse(tm_control_text(call, "uuid"), &uuid))
        return TMEM_INVALID;
    enum tmem_result result = allow ? tmem_client_authorise(client, &uuid) : tmem_client_deauthorise(client, &uuid);
    /* Where it was not allowed before, it is not allowed now: as asked. */
    if (!allow && result == TMEM_NOT_FOUND)
        result = TMEM_OK;
    if (result == TMEM_OK)
        tm_events_add(call->daemon->events, TM_EVENT_CLIENT_SHARED_AUTH, tenant->name, allow, 0,
                      tm_uuid_format(&uuid, text));
    return result;
}

json_t *tm_control_shared_auth(struct tm_control_call *call)
{
    struct tmem_uuid uuid;
    const char *text = tm_control_text(call, "uuid");
    if (!tm_uuid_parse(text, &uuid))
        return tm_control_error(TMEM_INVALID, "'%.64s' is no uuid (32 hexadecimal digits, such as "
                                              "01234567-89ab-cdef-0123-456789abcdef)",
                                text);
    return change(call, authorise);
}

/* ---- destroy ---- */

json_t *tm_control_destroy_client(struct tm_control_call *call)
{
    const char *name = tm_control_text(call, "client");
    uint64_t pages = 0;
    if (!tm_tenant_doom(call->daemon->tenants, name, &pages))
        return tm_control_no_client(name);
    return tm_control_ok(json_pack("{s:I}", "pages", tm_json_number(pages)));
}

/* ---- token ---- */

json_t *tm_control_token(struct tm_control_call *call)
{
    const char *name = tm_control_text(call, "client");
    struct tm_tenant *tenant = tm_tenant_hold(call->daemon->tenants, name);
    if (tenant == NULL)
        return tm_control_no_client(name);
    json_t *token = tm_json_of_token(tenant->token.bytes);
    tm_tenant_release(call->daemon->tenants, tenant);
    return tm_control_ok(json_pack("{s:o}", "token", token));
}
