/* SPDX-License-Identifier: BSD-2-Clause */
/* progress.c - see progress.h. */
#include "daemon/progress.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/notify.h"

/* How much longer the service manager is asked to wait, in steps: the next request comes long before. */
#define PATIENCE_STEPS 30u

static void tell(const struct tm_progress *progress, unsigned steps)
{
    char text[64];
    uint64_t patience_us = (uint64_t)progress->step_ms * PATIENCE_STEPS * 1000u;
    (void)snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)patience_us);
    (void)tm_notify(text);
    if (steps >= progress->quiet_steps)
        tm_log("%s: %.1f s so far", progress->what, (double)progress->step_ms * steps / 1000.0);
}

static void *run(void *user)
{
    struct tm_progress *progress = user;
    struct timespec when;
    (void)clock_gettime(CLOCK_MONOTONIC, &when);
    (void)pthread_mutex_lock(&progress->mutex);
    for (unsigned steps = 1; !progress->ends; steps++) {
        uint64_t nanoseconds = (uint64_t)when.tv_nsec + (uint64_t)progress->step_ms * 1000000u;
        when.tv_sec += (time_t)(nanoseconds / 1000000000u);
        when.tv_nsec = (long)(nanoseconds % 1000000000u);
        int error = 0;
        while (!progress->ends && error != ETIMEDOUT)
            error = pthread_cond_timedwait(&progress->changed, &progress->mutex, &when);
        if (!progress->ends)
            tell(progress, steps);
    }
    (void)pthread_mutex_unlock(&progress->mutex);
    return NULL;
}

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    bool done = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(condition, &monotonic) == 0;
    (void)pthread_condattr_destroy(&monotonic);
    return done;
}

void tm_progress_begin(struct tm_progress *progress, const char *what, unsigned step_ms, unsigned quiet_steps)
{
    *progress = (struct tm_progress){.what = what, .step_ms = step_ms, .quiet_steps = quiet_steps};
    if (!init_condition(&progress->changed))
        return;
    if (pthread_mutex_init(&progress->mutex, NULL) == 0) {
        progress->runs = pthread_create(&progress->thread, NULL, run, progress) == 0;
        if (progress->runs)
            return;
        (void)pthread_mutex_destroy(&progress->mutex);
    }
    (void)pthread_cond_destroy(&progress->changed);
}

void tm_progress_end(struct tm_progress *progress)
{
    if (!progress->runs)
        return;
    (void)pthread_mutex_lock(&progress->mutex);
    progress->ends = true;
    (void)pthread_cond_signal(&progress->changed);
    (void)pthread_mutex_unlock(&progress->mutex);
    (void)pthread_join(progress->thread, NULL);
    (void)pthread_cond_destroy(&progress->changed);
    (void)pthread_mutex_destroy(&progress->mutex);
}
