/* SPDX-License-Identifier: BSD-2-Clause */
/* control_activity.c - see control_activity.h; and the verb `latency`. */
#include "daemon/control_activity.h"

#include "daemon/causes.h"
#include "daemon/control_json.h"
#include "daemon/control_verb.h"
#include "daemon/worker.h"

/* ---- a client ---- */

static json_t *json_of_causes(const uint64_t *counts, const char *(*name)(unsigned cause))
{
    json_t *object = json_object();
    for (unsigned cause = 0; name(cause) != NULL && object != NULL; cause++)
        if (json_object_set_new(object, name(cause), json_integer(tm_json_number(counts[cause]))) != 0) {
            json_decref(object);
            object = NULL;
        }
    return object;
}

static json_t *json_of_evictors(struct tmem_client *client)
{
    struct tmem_evictor rows[TMEM_EVICTORS_MAX];
    size_t count = 0;
    json_t *array = json_array();
    if (tmem_client_evictors(client, rows, &count) != TMEM_OK)
        count = 0;
    for (size_t i = 0; i < count && array != NULL; i++) {
        json_t *row = json_pack("{s:s?, s:I}", "client", rows[i].name[0] != '\0' ? rows[i].name : NULL, "pages",
                                tm_json_number(rows[i].pages));
        if (json_array_append_new(array, row) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

json_t *tm_control_activity(const struct tm_tenant *tenant)
{
    struct tmem_ledger ledger;
    const struct tm_latency_sums *latency = &tenant->latency;
    if (tmem_client_ledger(tenant->client, &ledger, sizeof ledger) != TMEM_OK)
        return NULL;
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "evicted_by",
                     json_of_causes(ledger.evicted, tm_eviction_name), "refused_by",
                     json_of_causes(ledger.refused, tm_refusal_name), "evictors", json_of_evictors(tenant->client),
                     "timed_gets", tm_json_number(tm_load_relaxed(&latency->gets)), "timed_get_ns",
                     tm_json_number(tm_load_relaxed(&latency->get_ns)), "timed_puts",
                     tm_json_number(tm_load_relaxed(&latency->puts)), "timed_put_ns",
                     tm_json_number(tm_load_relaxed(&latency->put_ns)));
}

/* ---- all requests ---- */

static json_t *json_of_limits(void)
{
    json_t *array = json_array();
    for (unsigned i = 0; i + 1u < TM_LATENCY_BUCKETS && array != NULL; i++)
        if (json_array_append_new(array, json_integer(tm_json_number(tm_latency_limit_ns(i)))) != 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static json_t *json_of_latency(const struct tm_latency *latency)
{
    json_t *counts = json_array();
    for (unsigned i = 0; i < TM_LATENCY_BUCKETS && counts != NULL; i++)
        if (json_array_append_new(counts, json_integer(tm_json_number(latency->count[i]))) != 0) {
            json_decref(counts);
            counts = NULL;
        }
    return json_pack("{s:o, s:I}", "counts", counts, "sum_ns", tm_json_number(latency->sum_ns));
}

json_t *tm_control_latency(struct tm_control_call *call)
{
    json_t *operations = json_object();
    for (unsigned operation = TM_WIRE_PUT; operation < TM_WIRE_OPERATION_COUNT && operations != NULL; operation++) {
        struct tm_latency sum = {.sum_ns = 0};
        tm_workers_latency(call->daemon->workers, operation, &sum);
        if (json_object_set_new(operations, tm_latency_name(operation), json_of_latency(&sum)) != 0) {
            json_decref(operations);
            operations = NULL;
        }
    }
    return tm_control_ok(json_pack("{s:o, s:o}", "limits_ns", json_of_limits(), "operations", operations));
}
