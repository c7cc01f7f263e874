/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umount.c - `tmem umount`: undo a mount.
 *
 * A mount whose process has died is taken away the same way: nothing here needs an answer of the
 * process.
 */
#include "cli/cli.h"
#include "command/mount_stats.h"
#include "command/mount_table.h"
#include "command/unmount.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char tm_cli_umount_help[] =
    "usage: tmem umount [--lazy] MNT\n"
    "\n"
    "Undoes `tmem mount`. Returns when the process has ended and its memory is free again. What a\n"
    "process has left that was killed is taken away, also if files in it are open.\n"
    "\n"
    "  --lazy   take the mount away even though files in it are open; the process ends when the\n"
    "           last of them is closed\n"
    "\n"
    "Exit status: 0 unmounted, 1 busy or failed, 2 usage, 3 no such directory or no tmem mount,\n"
    "4 denied.\n";

/* How long the process may take to give its memory back. It is not an error if it takes longer. */
#define PROCESS_END_TIMEOUT_MS 10000

static enum tm_exit report(const char *point, int error)
{
    char cause[TM_ERROR_TEXT_SIZE];
    switch (error) {
    case EBUSY:
        return tm_fail(TM_EXIT_FAILED,
                       "cannot unmount %s: it is in use (close the files and leave the directories in "
                       "it, `fuser -m %s` lists who has them; or try: tmem umount --lazy %s)",
                       point, point, point);
    case ENOSYS:
        return tm_fail(TM_EXIT_FAILED,
                       "cannot unmount %s: only root can without fusermount3 (try: apt install fuse3)", point);
    case EPERM:
        return tm_fail(TM_EXIT_DENIED, "cannot unmount %s: permission denied (try: sudo tmem umount %s)", point,
                       point);
    default:
        return tm_fail(tm_exit_of_error(error), "cannot unmount %s: %s", point, tm_error_text(error, cause));
    }
}

/* Asks the mount who serves it: *process is a descriptor, or -1 where it cannot be known. */
static enum tm_mount_state ask(const char *point, int *process)
{
    char text[TM_MOUNT_STATS_SIZE];
    uint64_t number = 0;
    *process = -1;
    enum tm_mount_state state = tm_mount_state_of(tm_mount_stats_ask(point, TM_MOUNT_ANSWER_MS, text));
    if (state == TM_MOUNT_ALIVE && tm_json_find_unsigned(text, "pid", &number) && number != 0)
        *process = (int)syscall(SYS_pidfd_open, (pid_t)number, 0);
    return state;
}

static void wait_for_process(int process)
{
    struct pollfd end = {.fd = process, .events = POLLIN};
    (void)poll(&end, 1, PROCESS_END_TIMEOUT_MS);
}

/* Finds the mount that the user means. */
static enum tm_exit find(const char *path, struct tm_mount_entry *entry)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char point[PATH_MAX];
    if (tm_mount_resolve(path, point) != 0)
        return tm_fail(tm_exit_of_error(errno), "cannot unmount %s: %s (%s)", path, tm_error_text(errno, cause),
                       tm_error_remedy(errno, "`findmnt -t " TM_MOUNT_TYPE "` lists what is mounted"));
    int found = tm_mount_find(point, entry);
    if (found < 0)
        return tm_fail(TM_EXIT_FAILED, "cannot read the table of mounts: %s (is /proc mounted?)",
                       tm_error_text(errno, cause));
    if (found == 0)
        return tm_fail(TM_EXIT_NOT_FOUND, "%s is not mounted (`findmnt -t " TM_MOUNT_TYPE "` lists what is)",
                       path);
    if (strcmp(entry->type, TM_MOUNT_TYPE) != 0)
        return tm_fail(TM_EXIT_NOT_FOUND, "%s is no tmem mount but %s (try: umount %s)", path, entry->type, path);
    return TM_EXIT_OK;
}

enum tm_exit tm_cli_umount(int count, char **arguments)
{
    const char *path = NULL;
    bool lazy = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--lazy") == 0)
            lazy = true;
        else if (arguments[i][0] == '-')
            return tm_cli_usage("umount", "unknown option '%s'", arguments[i]);
        else if (path != NULL)
            return tm_cli_usage("umount", "more than one mount point: '%s'", arguments[i]);
        else
            path = arguments[i];
    }
    if (path == NULL || *path == '\0')
        return tm_cli_usage("umount", "no mount point");

    struct tm_mount_entry entry;
    enum tm_exit code = find(path, &entry);
    if (code != TM_EXIT_OK)
        return code;
    int process = -1;
    bool is_dead = ask(entry.point, &process) == TM_MOUNT_DEAD;
    int error = is_dead ? tm_unmount_dead(entry.point) : tm_unmount(entry.point, lazy);
    if (error == 0 && !lazy && process >= 0)
        wait_for_process(process);
    if (process >= 0)
        (void)close(process);
    return error == 0 ? TM_EXIT_OK : report(entry.point, error);
}
