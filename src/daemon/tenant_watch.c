/* SPDX-License-Identifier: BSD-2-Clause */
/* tenant_watch.c - what tenants lost since somebody looked last, as events. */
#include "daemon/tenant_internal.h"

#include <string.h>

#include "daemon/causes.h"
#include "daemon/events.h"

/* Pages that it lost so far for the client of this name; also for those that are told of together, who have none. */
static uint64_t lost_before(const struct tm_tenant_watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->evictor_count; i++)
        if (strcmp(watch->evictors[i].name, name) == 0)
            return watch->evictors[i].pages;
    return 0;
}

static void watch_evictions(struct tm_events *events, struct tm_tenant *tenant)
{
    struct tmem_evictor rows[TMEM_EVICTORS_MAX];
    struct tm_tenant_watch *watch = &tenant->watch;
    size_t count = 0;
    if (tmem_client_evictors(tenant->client, rows, &count) != TMEM_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t before = lost_before(watch, rows[i].name);
        if (rows[i].pages > before)
            tm_events_add(events, TM_EVENT_PAGES_EVICTED, tenant->name, rows[i].pages - before, 0, rows[i].name);
    }
    memcpy(watch->evictors, rows, count * sizeof rows[0]);
    watch->evictor_count = count;
}

static void watch_refusals(struct tm_events *events, struct tm_tenant *tenant)
{
    struct tmem_ledger ledger;
    struct tm_tenant_watch *watch = &tenant->watch;
    if (tmem_client_ledger(tenant->client, &ledger, sizeof ledger) != TMEM_OK)
        return;
    for (unsigned cause = 0; cause < TMEM_REFUSAL_COUNT; cause++) {
        uint64_t before = watch->refused[cause];
        if (ledger.refused[cause] > before)
            tm_events_add(events, TM_EVENT_PUTS_REFUSED, tenant->name, ledger.refused[cause] - before, 0,
                          tm_refusal_name(cause));
        watch->refused[cause] = ledger.refused[cause];
    }
}

void tm_tenants_watch(struct tm_tenants *tenants)
{
    tm_tenants_lock(tenants);
    for (struct tm_tenant *tenant = tenants->first; tenant != NULL; tenant = tenant->next) {
        if (tenant->state == TM_TENANT_ENDING)
            continue;
        watch_evictions(tenants->daemon->events, tenant);
        watch_refusals(tenants->daemon->events, tenant);
    }
    tm_tenants_unlock(tenants);
}
