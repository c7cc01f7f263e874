/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progress.h - a thread that says that something takes long, and still goes on: to the service manager, which would
 * give up on a daemon that does not begin to serve, and after some seconds to people.
 */
#ifndef TM_DAEMON_PROGRESS_H
#define TM_DAEMON_PROGRESS_H

#include <pthread.h>

#include "base/base.h"

struct tm_progress {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool runs;
    bool ends;
    const char *what;
    unsigned step_ms;
    unsigned quiet_steps;
};

/*
 * tm_progress_begin - every @step_ms from now on the service manager is told, and after @quiet_steps of them the log:
 * "@what: 2.0 s so far". Without memory or a thread nobody is.
 */
void tm_progress_begin(struct tm_progress *progress, const char *what, unsigned step_ms, unsigned quiet_steps);

/* tm_progress_end - it is done. */
void tm_progress_end(struct tm_progress *progress);

#endif
