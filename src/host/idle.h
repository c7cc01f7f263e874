/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle.h - whether a CPU has nothing to do, at this moment.
 *
 * The kernel counts the threads that run or want to (the fourth field of /proc/loadavg). While they are no more than
 * the CPUs, whoever works takes nobody's place. The averages of /proc/pressure/cpu are brought up to date every two
 * seconds, and those of /proc/stat with every tick: too late to stop at once.
 */
#ifndef TM_IDLE_H
#define TM_IDLE_H

#include "base/base.h"

struct tm_idle {
    int file;           /* -1: not known */
    unsigned cpus;      /* that there are */
    uint64_t looked_ns; /* atomic: when it was found out last */
    uint32_t has_idle;  /* atomic: what was found */
};

void tm_idle_init(struct tm_idle *idle);
void tm_idle_fini(struct tm_idle *idle);

/* True when the threads that run, the caller's included, leave a CPU idle or fill it just so, or when it is not known.
 * What was found out in the last millisecond is believed. Any thread. */
bool tm_idle_has(struct tm_idle *idle, uint64_t now_ns);

/* The number of running threads in the text of /proc/loadavg. False: it is of another form. */
bool tm_idle_parse(const char *text, unsigned *running);

#endif
