/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_stats.h - asking the process behind a mount for its statistics.
 *
 * It answers an extended attribute of the mount's root. So there is no socket and no daemon, and
 * the kernel lets only those ask who may read the directory.
 */
#ifndef TM_COMMAND_MOUNT_STATS_H
#define TM_COMMAND_MOUNT_STATS_H

#include "command/json.h"

/* Bytes that the answer takes at most, the NUL included. */
#define TM_MOUNT_STATS_SIZE 32768u

/* The attribute's name. Whoever lists the attributes does not see it, so that copies of the tree
 * do not carry it. */
#define TM_MOUNT_STATS_ATTRIBUTE "user.tmem.stats"

/* tm_mount_stats_read - the statistics as one flat JSON object in @text. 0, or the errno. */
int tm_mount_stats_read(const char *point, char text[static TM_MOUNT_STATS_SIZE]) TM_MUST_USE;

/*
 * tm_mount_stats_ask - the same, but for at most @timeout_ms: who is asked may be stopped, or stuck. A child
 * process asks, since the kernel lets nobody take such a question back.
 *
 * 0, or the errno; ETIMEDOUT when no answer came.
 */
int tm_mount_stats_ask(const char *point, int timeout_ms, char text[static TM_MOUNT_STATS_SIZE]) TM_MUST_USE;

/* How long a process is given that has nothing else to do than to answer. */
#define TM_MOUNT_ANSWER_MS 2000

/* What the errno of the two above says about the mount. */
enum tm_mount_state {
    TM_MOUNT_ALIVE,
    TM_MOUNT_DEAD,    /* its process has ended, and the mount was left behind */
    TM_MOUNT_SILENT,  /* no answer */
    TM_MOUNT_PRIVATE, /* the caller may not ask */
    TM_MOUNT_OTHER,   /* what answers is no tmem mount, or an error */
};

enum tm_mount_state tm_mount_state_of(int error);

/* tm_mount_is_dead - the process of the tmem mount at @point has ended, as far as the caller may know. */
bool tm_mount_is_dead(const char *point);

#endif
