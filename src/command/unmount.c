/* SPDX-License-Identifier: BSD-2-Clause */
/* unmount.c - taking a FUSE mount away. */
#include "command/unmount.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit status of the child when the program cannot be started. */
#define NOT_STARTED 127

/* Runs fusermount3, whose messages go to stderr. */
static int unmount_as_user(const char *point, bool lazy)
{
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0) {
        (void)execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--", point, (char *)NULL);
        _exit(NOT_STARTED);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED ? ENOSYS : EPERM;
}

int tm_unmount(const char *point, bool lazy)
{
    if (umount2(point, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        return 0;
    return errno == EPERM ? unmount_as_user(point, lazy) : errno;
}

int tm_unmount_dead(const char *point)
{
    int error = umount2(point, UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
    /* Asked once only, so that fusermount3 does not complain before it succeeds. */
    return error == 0 ? 0 : tm_unmount(point, true);
}
