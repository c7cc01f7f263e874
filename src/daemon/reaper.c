/* SPDX-License-Identifier: BSD-2-Clause */
/* reaper.c - see reaper.h. */
#include "daemon/reaper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/tenant.h"

struct tm_reaper {
    const struct tm_daemon *daemon;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    struct tm_tenant *first; /* ended, in order */
    struct tm_tenant *last;
    bool stops;
    bool looks; /* at the orphans, now */
};

static void lock(struct tm_reaper *reaper)
{
    int error = pthread_mutex_lock(&reaper->mutex);
    TM_ASSERT(error == 0);
}

static void unlock(struct tm_reaper *reaper)
{
    int error = pthread_mutex_unlock(&reaper->mutex);
    TM_ASSERT(error == 0);
}

static void wait_until(struct tm_reaper *reaper, uint64_t when_ns)
{
    struct timespec when = {(time_t)(when_ns / TM_SECOND_NS), (long)(when_ns % TM_SECOND_NS)};
    if (when_ns == UINT64_MAX)
        (void)pthread_cond_wait(&reaper->changed, &reaper->mutex);
    else
        (void)pthread_cond_timedwait(&reaper->changed, &reaper->mutex, &when);
}

/* The next that has ended, or NULL when it is time to look after the orphans, or to stop. */
static struct tm_tenant *next(struct tm_reaper *reaper, uint64_t until_ns, bool *stops)
{
    lock(reaper);
    if (reaper->first == NULL && !reaper->stops && !reaper->looks)
        wait_until(reaper, until_ns);
    reaper->looks = false;
    struct tm_tenant *tenant = reaper->first;
    if (tenant != NULL)
        reaper->first = tenant->next_ended;
    *stops = tenant == NULL && reaper->stops;
    unlock(reaper);
    return tenant;
}

static void *run(void *argument)
{
    struct tm_reaper *reaper = argument;
    struct tm_tenants *tenants = reaper->daemon->tenants;
    uint64_t until_ns = UINT64_MAX;
    for (bool stops = false; !stops;) {
        struct tm_tenant *tenant = next(reaper, until_ns, &stops);
        if (tenant != NULL)
            tm_tenant_settle(tenants, tenant);
        while (!stops && (tenant = tm_tenants_expire(tenants, tm_now_ns(), &until_ns)) != NULL)
            tm_tenant_settle(tenants, tenant);
    }
    return NULL;
}

struct tm_reaper *tm_reaper_create(const struct tm_daemon *daemon)
{
    pthread_condattr_t monotonic;
    struct tm_reaper *reaper = calloc(1, sizeof *reaper);
    if (reaper == NULL)
        return NULL;
    reaper->daemon = daemon;
    bool ready = pthread_condattr_init(&monotonic) == 0 &&
                 pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                 pthread_cond_init(&reaper->changed, &monotonic) == 0 &&
                 pthread_mutex_init(&reaper->mutex, NULL) == 0 &&
                 pthread_create(&reaper->thread, NULL, run, reaper) == 0;
    if (!ready) {
        free(reaper);
        return NULL;
    }
    (void)pthread_condattr_destroy(&monotonic);
    return reaper;
}

void tm_reaper_destroy(struct tm_reaper *reaper)
{
    if (reaper == NULL)
        return;
    lock(reaper);
    reaper->stops = true;
    (void)pthread_cond_signal(&reaper->changed);
    unlock(reaper);
    (void)pthread_join(reaper->thread, NULL);
    (void)pthread_cond_destroy(&reaper->changed);
    (void)pthread_mutex_destroy(&reaper->mutex);
    free(reaper);
}

void tm_reaper_add(struct tm_reaper *reaper, struct tm_tenant *tenant)
{
    lock(reaper);
    tenant->next_ended = NULL;
    if (reaper->first == NULL)
        reaper->first = tenant;
    else
        reaper->last->next_ended = tenant;
    reaper->last = tenant;
    (void)pthread_cond_signal(&reaper->changed);
    unlock(reaper);
}

void tm_reaper_look(struct tm_reaper *reaper)
{
    lock(reaper);
    reaper->looks = true;
    (void)pthread_cond_signal(&reaper->changed);
    unlock(reaper);
}
