/* SPDX-License-Identifier: BSD-2-Clause */
/* tenant_operators.c - see tenant.h: what operators do with tenants, while their own threads go on. */
#include "daemon/tenant_internal.h"

#include <string.h>
#include <sys/socket.h>

#include "base/atomic.h"
#include "client/client.h"
#include "daemon/reaper.h"
#include "daemon/worker.h"

struct tm_tenant *tm_tenant_hold(struct tm_tenants *tenants, const char *name)
{
    tm_tenants_lock(tenants);
    struct tm_tenant *tenant = tm_tenants_find(tenants, name);
    if (tenant != NULL && tenant->state == TM_TENANT_ENDING)
        tenant = NULL;
    if (tenant != NULL)
        tenant->holds++;
    tm_tenants_unlock(tenants);
    return tenant;
}

struct tm_tenant *tm_tenants_hold_next(struct tm_tenants *tenants, const char *after)
{
    tm_tenants_lock(tenants);
    /* Whoever goes through all of them comes from the one before. */
    bool goes_on = tenants->looked != NULL && strcmp(tenants->looked->name, after) == 0;
    struct tm_tenant *next = goes_on ? tenants->looked : tenants->first;
    while (next != NULL && (next->state == TM_TENANT_ENDING || strcmp(next->name, after) <= 0))
        next = next->next;
    tenants->looked = next;
    if (next != NULL)
        next->holds++;
    tm_tenants_unlock(tenants);
    return next;
}

void tm_tenant_release(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    tm_tenants_lock(tenants);
    TM_ASSERT(tenant->holds > 0);
    bool is_put_off = --tenant->holds == 0 && tenant->is_put_off;
    tm_tenants_unlock(tenants);
    if (is_put_off)
        tm_reaper_add(tenants->daemon->reaper, tenant);
}

bool tm_tenant_waits(struct tm_tenants *tenants, const struct tm_tenant *tenant, uint64_t *left_ns)
{
    uint64_t now_ns = tm_now_ns();
    tm_tenants_lock(tenants);
    bool waits = tenant->state == TM_TENANT_ORPHAN;
    *left_ns = waits && tenant->orphan_until_ns > now_ns ? tenant->orphan_until_ns - now_ns : 0;
    tm_tenants_unlock(tenants);
    return waits;
}

/* Under the lock. */
static struct tm_tenant *find_serial(const struct tm_tenants *tenants, uint64_t serial)
{
    struct tm_tenant *tenant = tenants->first;
    while (tenant != NULL && tenant->serial != serial)
        tenant = tenant->next;
    return tenant;
}

/* Under the lock. True: the reaper is to be told. */
static bool doom(struct tm_tenant *tenant, uint64_t *pages)
{
    struct tmem_client_stats stats;
    bool is_orphan = tenant->state == TM_TENANT_ORPHAN;
    *pages = 0;
    if (tenant->state != TM_TENANT_ENDING && tmem_client_stats(tenant->client, &stats, sizeof stats) == TMEM_OK)
        *pages = stats.counters.pages;
    tenant->is_doomed = true;
    /* Its thread sees a hang-up. */
    if (tenant->state == TM_TENANT_CONNECTED && tenant->socket >= 0)
        (void)shutdown(tenant->socket, SHUT_RDWR);
    if (is_orphan)
        tenant->state = TM_TENANT_ENDING;
    return is_orphan;
}

bool tm_tenant_doom(struct tm_tenants *tenants, const char *name, uint64_t *pages)
{
    tm_tenants_lock(tenants);
    struct tm_tenant *tenant = tm_tenants_find(tenants, name);
    uint64_t serial = tenant != NULL ? tenant->serial : 0;
    bool is_orphan = tenant != NULL && doom(tenant, pages);
    tm_tenants_unlock(tenants);
    if (tenant == NULL)
        return false;
    if (is_orphan)
        tm_reaper_add(tenants->daemon->reaper, tenant);
    tm_tenants_lock(tenants);
    while (find_serial(tenants, serial) != NULL)
        (void)pthread_cond_wait(&tenants->gone, &tenants->mutex);
    tm_tenants_unlock(tenants);
    return true;
}

/* ---- standing still ---- */

/* Each of the two says first what it is about to do, then looks at the other: at least one sees it. */
bool tm_tenant_enter(struct tm_tenant *tenant)
{
    tm_store_seq(&tenant->busy, 1u);
    if (tm_load_seq(&tenant->paused) == 0)
        return true;
    tm_store_release(&tenant->busy, 0u);
    return false;
}

void tm_tenant_leave_turn(struct tm_tenant *tenant)
{
    tm_store_release(&tenant->busy, 0u);
}

bool tm_tenant_is_paused(const struct tm_tenant *tenant)
{
    return tm_load_relaxed(&tenant->paused) != 0;
}

void tm_tenant_pause(struct tm_tenant *tenant)
{
    tm_store_seq(&tenant->paused, 1u);
    for (unsigned attempt = 0; tm_load_seq(&tenant->busy) != 0; attempt++)
        tm_platform_wait(attempt);
}

void tm_tenant_go_on(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    tm_store_seq(&tenant->paused, 0u);
    tm_workers_rouse(tenants->daemon->workers);
}

bool tm_tenant_is_ending(struct tm_tenants *tenants, const struct tm_tenant *tenant)
{
    tm_tenants_lock(tenants);
    bool is_ending = tenant->state == TM_TENANT_ENDING || tenant->is_doomed;
    tm_tenants_unlock(tenants);
    return is_ending;
}

/* ---- saving while it runs ---- */

bool tm_tenant_save_begin(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    struct tmem_client_stats stats;
    tm_tenant_pause(tenant); /* no put is under way that has not seen it */
    tm_tenants_lock(tenants);
    bool is_known = tmem_client_stats(tenant->client, &stats, sizeof stats) == TMEM_OK;
    bool was_frozen = is_known && stats.frozen != 0;
    tenant->is_frozen_after = was_frozen;
    tm_store_relaxed(&tenant->is_saved, 1u);
    tm_tenant_write_note(tenant);
    tm_client_set_frozen(tm_client_of(tenant->client), true);
    tm_tenants_unlock(tenants);
    tm_tenant_go_on(tenants, tenant);
    return was_frozen;
}

void tm_tenant_finish_save(struct tm_tenant *tenant)
{
    tenant->is_save_over = false;
    tm_dirty_end(tm_client_of(tenant->client));
    tm_client_set_frozen(tm_client_of(tenant->client), tenant->is_frozen_after);
    tm_store_relaxed(&tenant->is_saved, 0u);
    tm_tenant_write_note(tenant);
}

void tm_tenant_save_end(struct tm_tenants *tenants, uint64_t serial)
{
    tm_tenants_lock(tenants);
    struct tm_tenant *tenant = find_serial(tenants, serial);
    /* One that is ENDING is the reaper's, which may have ended its client by now. */
    if (tenant != NULL && tenant->state == TM_TENANT_ENDING)
        tenant->is_save_over = true;
    else if (tenant != NULL)
        tm_tenant_finish_save(tenant);
    tm_tenants_unlock(tenants);
}

void tm_tenant_set_frozen(struct tm_tenants *tenants, struct tm_tenant *tenant, bool frozen)
{
    tm_tenants_lock(tenants);
    if (tm_load_relaxed(&tenant->is_saved) != 0) {
        tenant->is_frozen_after = frozen;
        tm_tenant_write_note(tenant);
    } else
        tm_client_set_frozen(tm_client_of(tenant->client), frozen);
    tm_tenants_unlock(tenants);
}
