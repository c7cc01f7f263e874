/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_table.h - what is mounted where, as the kernel tells this process.
 *
 * A path is compared as the kernel prints it (absolute, no symlinks), never looked at with stat():
 * a dead FUSE mount answers errors to everything, and finding it must work all the same.
 */
#ifndef TM_COMMAND_MOUNT_TABLE_H
#define TM_COMMAND_MOUNT_TABLE_H

#include "base/base.h"

#include <limits.h>
#include <sys/types.h>

/* The filesystem type under which the kernel lists our mounts. */
#define TM_MOUNT_TYPE "fuse.tmem"

struct tm_mount_entry {
    char point[PATH_MAX];
    char source[PATH_MAX]; /* the directory that is cached */
    char type[64];
    dev_t device; /* st_dev of what lies in it */
    bool is_part; /* not the whole filesystem: a directory of it that is bound elsewhere */
};

/* Looks at one mount, of which nothing stays after it returns. False: no more are wanted. */
typedef bool (*tm_mount_visitor)(const struct tm_mount_entry *entry, void *context);

/* tm_mount_each - call @visit for every mount, lower ones before those that lie above them. 0, or -1 with
 * errno when the table cannot be read. */
int tm_mount_each(tm_mount_visitor visit, void *context) TM_MUST_USE;

/*
 * tm_mount_find - the topmost mount at @point.
 *
 * @point  as tm_mount_resolve() gives it.
 *
 * Returns 1 and fills *entry; 0 when nothing is mounted there; -1 with errno when the table cannot
 * be read.
 */
int tm_mount_find(const char *point, struct tm_mount_entry *entry) TM_MUST_USE;

/*
 * tm_mount_resolve - the absolute path of @path without symlinks, in @resolved.
 *
 * The last component is not looked at when its parent can be resolved and it cannot: the root of a
 * dead mount. Returns 0, or -1 with errno.
 */
int tm_mount_resolve(const char *path, char resolved[static PATH_MAX]) TM_MUST_USE;

#endif
