/* SPDX-License-Identifier: BSD-2-Clause */
/* mountpoint.c - is MNT a place where the cache can be shown? */
#include "mountpoint.h"

#include "command/mount_stats.h"
#include "command/mount_table.h"
#include "command/unmount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUSE_DEVICE "/dev/fuse"

/* 1: empty, 0: not, -1: cannot be read (errno). */
static int is_empty(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    int empty = 1;
    errno = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = 0;
    if (errno != 0)
        empty = -1;
    int error = errno;
    (void)closedir(directory);
    errno = error;
    return empty;
}

static enum tm_exit check_device(void)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
        return TM_EXIT_OK;
    }
    switch (errno) {
    case ENOENT:
        return tm_fail(TM_EXIT_FAILED, "there is no " FUSE_DEVICE " (try: modprobe fuse; in a container: "
                                       "--device " FUSE_DEVICE ")");
    case ENODEV:
    case ENXIO:
        return tm_fail(TM_EXIT_FAILED, "the kernel has no FUSE behind " FUSE_DEVICE " (try: modprobe fuse)");
    case EACCES:
    case EPERM:
        return tm_fail(TM_EXIT_DENIED, "cannot open " FUSE_DEVICE ": permission denied (try: sudo tmem mount ...; in a "
                                       "container: --device " FUSE_DEVICE ")");
    default:
        return tm_fail(TM_EXIT_FAILED, "cannot open " FUSE_DEVICE ": %s", tm_error_text(errno, cause));
    }
}

static enum tm_exit check_contents(const struct tm_mount *mount, const char *point)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct stat here;
    struct stat source;
    if (stat(point, &here) != 0)
        return tm_fail(tm_exit_of_error(errno), "cannot look at %s: %s (%s)", point, tm_error_text(errno, cause),
                       tm_error_remedy(errno, "MNT must exist; try: mkdir"));
    if (!S_ISDIR(here.st_mode))
        return tm_fail(TM_EXIT_NOT_FOUND, "%s is no directory (MNT must be an empty directory, or DIR itself)", point);
    if (fstat(mount->source.root, &source) == 0 && source.st_dev == here.st_dev && source.st_ino == here.st_ino)
        return TM_EXIT_OK;
    int empty = is_empty(point);
    if (empty < 0)
        return tm_fail(tm_exit_of_error(errno), "cannot read %s: %s (%s)", point, tm_error_text(errno, cause),
                       tm_error_remedy(errno, "MNT must exist; try: mkdir"));
    if (empty == 0)
        return tm_fail(TM_EXIT_FAILED,
                       "%s is not empty, and it is not %s itself: the mount would hide what is in it (try an empty "
                       "directory, or lay the cache over DIR: tmem mount %s %s)",
                       point, mount->options.directory, mount->options.directory, mount->options.directory);
    return TM_EXIT_OK;
}

enum tm_exit tm_mountpoint_repair(const char *given)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char point[PATH_MAX];
    struct tm_mount_entry *entry = malloc(sizeof *entry);
    if (entry == NULL)
        return tm_fail(TM_EXIT_FAILED, "out of memory");
    enum tm_exit code = TM_EXIT_OK;
    bool more = tm_mount_resolve(given, point) == 0; /* tm_mountpoint_check() says why not */
    while (more && code == TM_EXIT_OK) {
        more = tm_mount_find(point, entry) == 1 && strcmp(entry->type, TM_MOUNT_TYPE) == 0 &&
               tm_mount_is_dead(point);
        int error = more ? tm_unmount_dead(point) : 0;
        if (error != 0)
            code = tm_fail(tm_exit_of_error(error), "cannot take away the dead mount at %s: %s (try: sudo tmem umount "
                                                    "%s)",
                           point, tm_error_text(error, cause), point);
    }
    free(entry);
    return code;
}

static enum tm_exit check_not_mounted(const char *point)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct tm_mount_entry *entry = malloc(sizeof *entry);
    if (entry == NULL)
        return tm_fail(TM_EXIT_FAILED, "out of memory");
    int found = tm_mount_find(point, entry);
    enum tm_exit code = TM_EXIT_OK;
    if (found < 0)
        code = tm_fail(TM_EXIT_FAILED, "cannot read the table of mounts: %s (is /proc mounted?)",
                       tm_error_text(errno, cause));
    else if (found == 1 && strcmp(entry->type, TM_MOUNT_TYPE) == 0)
        code = tm_fail(TM_EXIT_FAILED, "%s is busy: %s is mounted there by tmem already (try: tmem umount %s)", point,
                       entry->source, point);
    free(entry);
    return code;
}

enum tm_exit tm_mountpoint_check(struct tm_mount *mount)
{
    char cause[TM_ERROR_TEXT_SIZE];
    const char *point = mount->options.point;
    if (tm_mount_resolve(point, mount->point) != 0)
        return tm_fail(tm_exit_of_error(errno), "cannot mount at %s: %s (%s)", point, tm_error_text(errno, cause),
                       tm_error_remedy(errno, "MNT must exist; try: mkdir"));
    enum tm_exit code = check_not_mounted(mount->point);
    if (code == TM_EXIT_OK)
        code = check_contents(mount, mount->point);
    if (code != TM_EXIT_OK)
        return code;
    if (realpath(mount->options.directory, mount->directory) == NULL)
        return tm_fail(tm_exit_of_error(errno), "cannot find the path of %s: %s", mount->options.directory,
                       tm_error_text(errno, cause));
    return check_device();
}
