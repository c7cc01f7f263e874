/* SPDX-License-Identifier: BSD-2-Clause */
/* control_store.c - verbs about the store as a whole: its statistics, its size, what it gives back. */
#include "daemon/control_json.h"
#include "daemon/control_verb.h"
#include "daemon/events.h"
#include "daemon/tenant.h"

/* What is given back before progress is told, and somebody may have hung up. */
#define STEP_BYTES (UINT64_C(64) << 20)

static json_t *cannot(enum tmem_result result)
{
    return tm_control_error(result, "the store: %s", tmem_result_text(result));
}

json_t *tm_control_stats(struct tm_control_call *call)
{
    struct tmem_store_stats stats;
    enum tmem_result result = tmem_store_stats(call->daemon->store, &stats, sizeof stats);
    return result == TMEM_OK ? tm_control_ok(json_pack("{s:o}", "store", tm_json_of_store(&stats))) : cannot(result);
}

json_t *tm_control_freeable(struct tm_control_call *call)
{
    uint64_t bytes;
    enum tmem_result result = tmem_store_freeable(call->daemon->store, &bytes);
    if (result != TMEM_OK)
        return cannot(result);
    return tm_control_ok(json_pack("{s:I}", "freeable_bytes", tm_json_number(bytes)));
}

json_t *tm_control_size(struct tm_control_call *call)
{
    uint64_t bytes = 0;
    (void)tm_control_number(call, "size_bytes", &bytes);
    enum tmem_result result = tmem_store_set_size(call->daemon->store, bytes);
    if (result == TMEM_INVALID)
        return tm_control_error(result, "a store of %llu bytes cannot be: at least 16M, and no more than the machine "
                                        "has",
                                (unsigned long long)bytes);
    if (result != TMEM_OK && result != TMEM_REFUSED)
        return cannot(result);
    tm_events_add(call->daemon->events, TM_EVENT_STORE_SIZE, NULL, bytes, 0, NULL);
    return tm_control_ok(json_pack("{s:I, s:b}", "size_bytes", tm_json_number(bytes), "fits", result == TMEM_OK));
}

/* ---- reclaim ---- */

static bool tell_progress(struct tm_control_call *call, uint64_t done, uint64_t of)
{
    return tm_control_say(call, json_pack("{s:I, s:I}", "done_bytes", tm_json_number(done), "of_bytes",
                                          tm_json_number(of)));
}

/* In steps; less than asked when there is no more, or nobody wants it any more. */
static enum tmem_result reclaim_store(struct tm_control_call *call, uint64_t bytes, uint64_t *done)
{
    enum tmem_result result = TMEM_OK;
    uint64_t returned = 1;
    for (*done = 0; *done < bytes && returned != 0; *done += returned) {
        if (*done != 0 && !tell_progress(call, *done, bytes))
            break;
        result = tmem_store_reclaim(call->daemon->store, tm_min_u64(bytes - *done, STEP_BYTES), &returned);
        if (result != TMEM_OK)
            break;
    }
    return result;
}

static enum tmem_result reclaim_client(struct tm_control_call *call, struct tmem_client *client, uint64_t bytes,
                                       uint64_t *done)
{
    enum tmem_result result = TMEM_OK;
    uint64_t released = 1;
    for (*done = 0; *done < bytes && released != 0; *done += released) {
        if (*done != 0 && !tell_progress(call, *done, bytes))
            break;
        result = tmem_client_reclaim(client, tm_min_u64(bytes - *done, STEP_BYTES), &released);
        if (result != TMEM_OK)
            break;
    }
    return result;
}

json_t *tm_control_reclaim(struct tm_control_call *call)
{
    struct tm_tenants *tenants = call->daemon->tenants;
    const char *name = tm_control_text(call, "client");
    struct tm_tenant *tenant = NULL;
    enum tmem_result result;
    uint64_t bytes = 0;
    uint64_t done;
    (void)tm_control_number(call, "bytes", &bytes);
    if (name != NULL && (tenant = tm_tenant_hold(tenants, name)) == NULL)
        return tm_control_no_client(name);
    if (tenant != NULL) {
        result = reclaim_client(call, tenant->client, bytes, &done);
        tm_tenant_release(tenants, tenant);
    } else
        result = reclaim_store(call, bytes, &done);
    if (result != TMEM_OK)
        return cannot(result);
    tm_events_add(call->daemon->events, TM_EVENT_STORE_RECLAIMED, name, done, 0, NULL);
    return tm_control_ok(json_pack("{s:I}", name != NULL ? "released_bytes" : "returned_bytes", tm_json_number(done)));
}
