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

#endif
