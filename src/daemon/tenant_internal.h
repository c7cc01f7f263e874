/* SPDX-License-Identifier: BSD-2-Clause */
/* tenant_internal.h - the list of tenants, for its own parts. */
#ifndef TM_DAEMON_TENANT_INTERNAL_H
#define TM_DAEMON_TENANT_INTERNAL_H

#include "daemon/tenant.h"

#include <pthread.h>

struct tm_tenants {
    const struct tm_daemon *daemon;
    pthread_mutex_t mutex;
    pthread_cond_t released; /* some tenant is held no more, or is gone */
    struct tm_tenant *first;
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

/* Under the lock. NULL: there is none of this name. */
struct tm_tenant *tm_tenants_find(const struct tm_tenants *tenants, const char *name);

#endif
