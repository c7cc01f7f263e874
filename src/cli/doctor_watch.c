/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor_watch.c - how changes behind a mount can be noticed here, and how files are found again. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/fanotify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A tree of this many directories is no rarity. */
#define WATCHES_WANTED 65536u

/* What a mount's watch asks for: everything about names and contents, of a whole filesystem. */
#define FANOTIFY_EVENTS (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_ATTRIB | FAN_ONDIR)

static int open_fanotify(unsigned flags)
{
    return (int)syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | flags, O_RDONLY | O_CLOEXEC);
}

static bool can_mark(int fd, const char *path)
{
    return syscall(SYS_fanotify_mark, fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, (uint64_t)FANOTIFY_EVENTS, AT_FDCWD,
                   path) == 0;
}

void tm_doctor_fanotify(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int fd = open_fanotify(FAN_REPORT_DFID_NAME_TARGET);
    bool names_files = fd >= 0 || errno != EINVAL;
    if (!names_files)
        fd = open_fanotify(FAN_REPORT_FID | FAN_REPORT_DFID_NAME);
    int error = errno;
    if (fd < 0 && error == EINVAL) {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "this kernel does not report names (before 5.9); inotify is used");
        tm_doctor_advise(finding, place, "a newer kernel", NULL);
        return;
    }
    /* Ordinary users may open one, for single files. */
    bool marked = fd >= 0 && can_mark(fd, ".");
    if (fd >= 0 && !marked)
        error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (marked && names_files) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "reports every change on a filesystem, and of which file");
        return;
    }
    if (marked) {
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "reports names that change, but not of which file (before 5.17)");
        tm_doctor_advise(finding, place, "a newer kernel", NULL);
        return;
    }
    if (!tm_doctor_may_on_machine(place, CAP_SYS_ADMIN)) {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "needs the capability CAP_SYS_ADMIN; inotify is used");
        tm_doctor_advise_capability(finding, place, "SYS_ADMIN");
        return;
    }
    tm_doctor_say(finding, TM_DOCTOR_LIMITED, "the filesystem of this directory cannot be watched: %s",
                  tm_error_text(error, cause));
    tm_doctor_advise(finding, place, "try in DIR; where it is the same there, inotify is used", NULL);
}

void tm_doctor_inotify(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char line[32];
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int watch = fd >= 0 ? inotify_add_watch(fd, "/", IN_DELETE_SELF) : -1;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    uint64_t watches = tm_doctor_read_line("/proc/sys/fs/inotify/max_user_watches", line, sizeof line)
                           ? strtoull(line, NULL, 10)
                           : 0;
    const char *raise = "sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024";
    if (watch < 0) {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "no watch can be made: %s", tm_error_text(error, cause));
        if (error == EMFILE || error == ENOSPC)
            (void)snprintf(finding->remedy, sizeof finding->remedy, "on the host: %s", raise);
    } else if (watches < WATCHES_WANTED) {
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "%" PRIu64 " directories can be watched", watches);
        (void)snprintf(finding->remedy, sizeof finding->remedy, "for larger trees%s: %s",
                       place->container[0] != '\0' ? ", on the host" : "", raise);
    } else {
        tm_doctor_say(finding, TM_DOCTOR_OK, "%" PRIu64 " directories can be watched", watches);
    }
}

void tm_doctor_file_handles(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    union {
        struct file_handle handle;
        unsigned char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } room;
    int mount = 0;
    room.handle.handle_bytes = MAX_HANDLE_SZ;
    if (name_to_handle_at(AT_FDCWD, ".", &room.handle, &mount, 0) != 0) {
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "the filesystem of this directory has none: %s; files are found by "
                                                  "path",
                      tm_error_text(errno, cause));
        return;
    }
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int plain = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = open_by_handle_at(plain >= 0 ? plain : here, &room.handle, O_PATH | O_CLOEXEC);
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (plain >= 0)
        (void)close(plain);
    if (here >= 0)
        (void)close(here);
    if (fd >= 0) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "files are found by handle, renamed ones too");
        return;
    }
    tm_doctor_say(finding, TM_DOCTOR_LIMITED, "open_by_handle_at: %s; files are found by path",
                  tm_error_text(error, cause));
    if (!tm_doctor_may_on_machine(place, CAP_DAC_READ_SEARCH))
        tm_doctor_advise_capability(finding, place, "DAC_READ_SEARCH");
}
