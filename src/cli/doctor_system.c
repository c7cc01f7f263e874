/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor_system.c - cgroups, memory pressure, and the mark of a process that memory reclaim waits for. */
#include "cli/doctor.h"
#include "command/size.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define PRESSURE_FILE "/proc/pressure/memory"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

/* The controllers of version 1 that are switched on, each behind a blank. */
static void find_old_controllers(char *text, size_t text_size)
{
    char line[128];
    char name[64];
    int enabled = 0;
    size_t used = 0;
    FILE *file = fopen("/proc/cgroups", "re");
    text[0] = '\0';
    while (file != NULL && used < text_size && fgets(line, sizeof line, file) != NULL)
        if (line[0] != '#' && sscanf(line, "%63s %*d %*d %d", name, &enabled) == 2 && enabled == 1)
            used += (size_t)snprintf(text + used, text_size - used, " %s", name);
    if (file != NULL)
        (void)fclose(file);
}

/* The path of this process in the hierarchy of version 2. */
static bool find_own_group(char *path, size_t path_size)
{
    char line[PATH_MAX];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::", 3) == 0;
        if (found)
            (void)snprintf(path, path_size, "%s", line + 3);
    }
    if (file != NULL)
        (void)fclose(file);
    return found;
}

/* The smallest limit from the own group up to the root of what is visible; 0: none. */
static uint64_t find_limit(char *path)
{
    uint64_t limit = 0;
    for (char *slash = path + strlen(path); slash != NULL; slash = strrchr(path, '/')) {
        char name[2 * PATH_MAX];
        char line[32];
        *slash = '\0';
        (void)snprintf(name, sizeof name, CGROUP_ROOT "%s/memory.max", path);
        uint64_t bytes = tm_doctor_read_line(name, line, sizeof line) ? strtoull(line, NULL, 10) : 0;
        if (bytes != 0 && (limit == 0 || bytes < limit))
            limit = bytes;
    }
    return limit;
}

void tm_doctor_cgroup(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    struct statfs status;
    char controllers[200];
    char path[PATH_MAX];
    char text[TM_SIZE_TEXT];
    const char *unified = "boot with systemd.unified_cgroup_hierarchy=1 (the kernel's command line)";
    if (statfs(CGROUP_ROOT, &status) != 0 || (unsigned long)status.f_type != CGROUP2_SUPER_MAGIC) {
        bool is_first_version = access(CGROUP_ROOT "/memory/memory.limit_in_bytes", F_OK) == 0;
        find_old_controllers(controllers, sizeof controllers);
        if (is_first_version)
            tm_doctor_say(finding, TM_DOCTOR_LIMITED, "version 1:%s; it does not tell the pressure of a group",
                          controllers);
        else
            tm_doctor_say(finding, TM_DOCTOR_MISSING, "no hierarchy with memory at " CGROUP_ROOT);
        tm_doctor_advise(finding, place, unified, "--cgroupns private (on a host with cgroup version 2)");
        return;
    }
    if (!find_own_group(path, sizeof path))
        path[0] = '\0'; /* the limits of the root, then */
    (void)tm_doctor_read_line(CGROUP_ROOT "/cgroup.controllers", controllers, sizeof controllers);
    if (strstr(controllers, "memory") == NULL) {
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "version 2 without the controller memory (it has: %s)",
                      controllers[0] != '\0' ? controllers : "none");
        tm_doctor_advise(finding, place, "boot with cgroup_enable=memory, or delegate it: systemctl set-property ... "
                                         "MemoryAccounting=yes",
                         "--memory SIZE");
        return;
    }
    uint64_t limit = find_limit(path);
    tm_doctor_say(finding, TM_DOCTOR_OK, "version 2: %s; memory of this process: %s", controllers,
                  limit != 0 ? tm_size_format(limit, text) : "no limit");
}

void tm_doctor_pressure(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char line[128];
    errno = 0;
    if (tm_doctor_read_line(PRESSURE_FILE, line, sizeof line) && strncmp(line, "some ", 5) == 0) {
        tm_doctor_say(finding, TM_DOCTOR_OK, PRESSURE_FILE " tells: %s", line);
        return;
    }
    tm_doctor_say(finding, TM_DOCTOR_MISSING, PRESSURE_FILE " cannot be read: %s", tm_error_text(errno, cause));
    tm_doctor_advise(finding, place, "boot with psi=1, on a kernel with CONFIG_PSI", NULL);
}

void tm_doctor_pressure_trigger(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    /* Stalls of 150 ms in 2 s; ordinary users may have windows of whole 2 s only. */
    static const char trigger[] = "some 150000 2000000";
    char cause[TM_ERROR_TEXT_SIZE];
    int fd = open(PRESSURE_FILE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    /* The trigger is gone when the file is closed. */
    bool is_set = fd >= 0 && write(fd, trigger, sizeof trigger) == (ssize_t)sizeof trigger;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    if (is_set) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "a process can sleep until memory is short");
        return;
    }
    tm_doctor_say(finding, TM_DOCTOR_MISSING, "cannot be set: %s", tm_error_text(error, cause));
    if ((error == EPERM || error == EACCES || error == EROFS) && place->container[0] != '\0')
        tm_doctor_advise(finding, place, "", "--cap-add SYS_RESOURCE --security-opt systempaths=unconfined");
    else if (error == EPERM || error == EACCES)
        tm_doctor_advise(finding, place, "as root, or a kernel from 6.5 on", NULL);
    else
        tm_doctor_advise(finding, place, "boot with psi=1, on a kernel with CONFIG_PSI", NULL);
}

void tm_doctor_io_flusher(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int before = prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0);
    if (before >= 0 && prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0) {
        (void)prctl(PR_SET_IO_FLUSHER, before, 0, 0, 0);
        tm_doctor_say(finding, TM_DOCTOR_OK, "PR_SET_IO_FLUSHER is permitted");
        return;
    }
    int error = errno;
    tm_doctor_say(finding, TM_DOCTOR_MISSING, "PR_SET_IO_FLUSHER: %s", tm_error_text(error, cause));
    if (error == EPERM && !tm_doctor_may_on_machine(place, CAP_SYS_RESOURCE))
        tm_doctor_advise_capability(finding, place, "SYS_RESOURCE");
    else
        tm_doctor_advise(finding, place, "a kernel from 5.6 on", NULL);
}
