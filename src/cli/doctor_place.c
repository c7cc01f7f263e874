/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_place.c - is this process in a container, in which, and what may it do?
 *
 * The files by which runtimes mark their containers also lie in images that a virtual machine boots. So they
 * name the kind only where the kernel says that this process is not among all others: in a namespace that is
 * not the machine's first. Those have fixed numbers (the kernel's include/linux/proc_ns.h).
 */
#include "cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct {
    const char *path;
    unsigned long first;
} namespaces[] = {
    {"/proc/self/ns/pid", 0xeffffffcul},
    {"/proc/self/ns/user", 0xeffffffdul},
    {"/proc/self/ns/uts", 0xeffffffeul},
    {"/proc/self/ns/ipc", 0xeffffffful},
    {"/proc/self/ns/cgroup", 0xeffffffbul},
};

#define PID_NAMESPACE 0u
#define USER_NAMESPACE 1u

static bool is_first(size_t which)
{
    struct stat status;
    return stat(namespaces[which].path, &status) != 0 || status.st_ino == namespaces[which].first;
}

static bool is_apart(void)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(namespaces); i++)
        if (!is_first(i))
            return true;
    return false;
}

/* The value of `container=` that the runtime gives to the first process, where it may be read. */
static bool find_in_environment(char *kind, size_t kind_size)
{
    static const char name[] = "container=";
    char text[8192];
    FILE *file = fopen("/proc/1/environ", "re");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1u, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    text[length] = '\0';
    for (size_t at = 0; at < length; at += strlen(text + at) + 1u) {
        if (strncmp(text + at, name, sizeof name - 1u) == 0 && text[at + sizeof name - 1u] != '\0') {
            (void)snprintf(kind, kind_size, "%s", text + at + sizeof name - 1u);
            return true;
        }
    }
    return false;
}

static bool find_by_file(char *kind, size_t kind_size)
{
    static const struct {
        const char *path;
        const char *kind;
    } marks[] = {
        {"/var/run/secrets/kubernetes.io", "kubernetes"},
        {"/run/.containerenv", "podman"},
        {"/.dockerenv", "docker"},
    };
    if (tm_doctor_read_line("/run/systemd/container", kind, kind_size) && kind[0] != '\0')
        return true;
    for (size_t i = 0; i < TM_ARRAY_SIZE(marks); i++) {
        if (access(marks[i].path, F_OK) == 0) {
            (void)snprintf(kind, kind_size, "%s", marks[i].kind);
            return true;
        }
    }
    return false;
}

static void find_container(char *kind, size_t kind_size)
{
    const char *own = getenv("container");
    kind[0] = '\0';
    if (!is_apart())
        return;
    if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
        (void)snprintf(kind, kind_size, "kubernetes");
    else if (find_by_file(kind, kind_size) || find_in_environment(kind, kind_size))
        return;
    else if (own != NULL && own[0] != '\0')
        (void)snprintf(kind, kind_size, "%s", own);
    else if (!is_first(PID_NAMESPACE))
        (void)snprintf(kind, kind_size, "of an unknown kind");
}

static uint64_t read_capabilities(void)
{
    static const char name[] = "CapEff:";
    char line[256];
    uint64_t capabilities = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, sizeof name - 1u) == 0)
            capabilities = strtoull(line + sizeof name - 1u, NULL, 16);
    if (file != NULL)
        (void)fclose(file);
    return capabilities;
}

void tm_doctor_look_around(struct tm_doctor_place *place)
{
    struct utsname names;
    *place = (struct tm_doctor_place){.root = geteuid() == 0, .capabilities = read_capabilities()};
    (void)snprintf(place->kernel, sizeof place->kernel, "%s", uname(&names) == 0 ? names.release : "unknown");
    place->user_namespace = !is_first(USER_NAMESPACE);
    find_container(place->container, sizeof place->container);
}
