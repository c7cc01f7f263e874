/* SPDX-License-Identifier: BSD-2-Clause */
/* mount_stats.c - reading the statistics attribute. */
#include "command/mount_stats.h"

#include <errno.h>
#include <sys/xattr.h>

int tm_mount_stats_read(const char *point, char text[static TM_MOUNT_STATS_SIZE])
{
    ssize_t length = getxattr(point, TM_MOUNT_STATS_ATTRIBUTE, text, TM_MOUNT_STATS_SIZE - 1u);
    if (length < 0)
        return errno;
    text[length] = '\0';
    return 0;
}
