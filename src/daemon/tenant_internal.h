/* SPDX-License-Identifier: BSD-2-Clause */
/* tenant_internal.h - the list of tenants, for its own parts. */
#ifndef TM_DAEMON_TENANT_INTERNAL_H
#define TM_DAEMON_TENANT_INTERNAL_H

#include "daemon/tenant.h"

#include <pthread.h>

struct tm_tenants {
    const struct tm_daemon *daemon;
    pthread_mutex_t mutex;
    pthread_cond_t gone;      /* some tenant is */
    struct tm_tenant *first;  /* in the order of names */
    struct tm_tenant *looked; /* of the list, the one that tm_tenants_hold_next() found last, or NULL */
    uint64_t last_serial;
};

static inline void tm_tenants_lock(struct tm_tenants *tenants)
{
    int error = pthread_mutex_lock(&tenants->mutex);
    TM_ASSERT(error == 0);
}

static inline void tm_tenants_unlock(struct tm_tenants *tenants)
{
    int error = pthread_mutex_unlock(&tenants->mutex);
    TM_ASSERT(error == 0);
}

/* ---- tenant_rule.c ---- */

/* What a rule allows to one who wishes for this; 0: nothing. */
uint32_t tm_tenant_weight(const struct tm_rule *rule, uint32_t wish);
uint64_t tm_tenant_cap(const struct tm_rule *rule, uint64_t wish);
void tm_tenant_note_wish(struct tm_tenant *tenant, const struct tm_tenant_wish *wish);
/* Under the lock: from now on this rule holds. What changes so is for tm_tenant_apply(), which may take long. */
struct tm_tenant_change {
    uint32_t weight; /* 0: as it was */
    bool has_cap;
    uint64_t cap_bytes;
};
/* What the configuration says of shared pools, where it said @before (NULL: nothing). TMEM_OK or TMEM_NOMEM. */
enum tmem_result tm_tenant_authorise(struct tmem_client *client, const struct tm_rule *before,
                                     const struct tm_rule *next);

struct tm_tenant_change tm_tenant_follow(struct tm_tenant *tenant, const struct tm_rule *next);
void tm_tenant_apply(struct tm_tenant *tenant, struct tm_tenant_change change);
/* What a rule says of weight and cap, in 31 bits: whether it says another thing than before. */
uint32_t tm_rule_terms(const struct tm_rule *rule);
/* After a restart, where the rule says another thing: no more than it allows. What its client wishes for is not known
 * before it has come back. */
void tm_tenant_lower(struct tm_tenant *tenant);

/* ---- tenant.c ---- */

/* Under the lock. What of the tenant the next daemon has to know. */
void tm_tenant_write_note(const struct tm_tenant *tenant);

/* Under the lock. What tm_tenant_save_end() does. */
void tm_tenant_finish_save(struct tm_tenant *tenant);

/* Under the lock. NULL: there is none of this name. */
struct tm_tenant *tm_tenants_find(const struct tm_tenants *tenants, const char *name);

#endif
