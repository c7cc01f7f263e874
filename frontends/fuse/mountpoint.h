/* SPDX-License-Identifier: BSD-2-Clause */
/* mountpoint.h - is MNT a place where the cache can be shown? */
#ifndef TM_FUSE_MOUNTPOINT_H
#define TM_FUSE_MOUNTPOINT_H

#include "mount.h"

/*
 * tm_mountpoint_repair - take away what tmem processes that were killed have left mounted at @point.
 *
 * Before DIR is opened, since DIR may be the same place. Programs that still have files of the dead mount
 * open keep getting errors. Returns TM_EXIT_OK also when there was nothing to do, or a code after a message.
 */
enum tm_exit tm_mountpoint_repair(const char *point) TM_MUST_USE;

/*
 * tm_mountpoint_check - check MNT against the open source, and that FUSE is there.
 *
 * MNT must be an empty directory, or DIR itself, and no tmem mount already. Fills mount->point and
 * mount->directory. Returns TM_EXIT_OK, or a code after a message; changes nothing.
 */
enum tm_exit tm_mountpoint_check(struct tm_mount *mount) TM_MUST_USE;

#endif
