/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor.c - `tmem doctor`: the list of probes, and the report. */
#include "cli/doctor.h"
#include "command/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char tm_cli_doctor_help[] =
    "usage: tmem doctor [--json]\n"
    "\n"
    "Tries what tmem can use of this machine, and says what to do about what does not work: FUSE,\n"
    "watches for changes, cgroups, memory pressure, huge pages, memfd, locked memory, userfaultfd. In a\n"
    "container it names the option that the container must be started with. Changes nothing.\n"
    "\n"
    "  --json   one JSON object\n"
    "\n"
    "Exit status: 0 `tmem mount` can work, 1 it cannot, 2 usage.\n";

/* In the order in which they are needed. */
static const struct {
    const char *name;
    tm_doctor_probe probe;
} probes[] = {
    {"fuse-device", tm_doctor_fuse_device},
    {"fuse-mount", tm_doctor_fuse_mount},
    {"fusermount3", tm_doctor_fusermount},
    {"allow-other", tm_doctor_allow_other},
    {"fanotify", tm_doctor_fanotify},
    {"inotify", tm_doctor_inotify},
    {"file-handles", tm_doctor_file_handles},
    {"cgroup", tm_doctor_cgroup},
    {"pressure", tm_doctor_pressure},
    {"pressure-trigger", tm_doctor_pressure_trigger},
    {"huge-pages", tm_doctor_huge_pages},
    {"huge-memfd", tm_doctor_huge_memfd},
    {"memfd", tm_doctor_memfd},
    {"memlock", tm_doctor_memlock},
    {"userfaultfd", tm_doctor_userfaultfd},
    {"io-flusher", tm_doctor_io_flusher},
};

static const char *const state_names[] = {
    [TM_DOCTOR_OK] = "ok",
    [TM_DOCTOR_LIMITED] = "limited",
    [TM_DOCTOR_MISSING] = "missing",
};

static const char *const state_colours[] = {
    [TM_DOCTOR_OK] = "\033[32m",
    [TM_DOCTOR_LIMITED] = "\033[33m",
    [TM_DOCTOR_MISSING] = "\033[31m",
};

void tm_doctor_say(struct tm_doctor_finding *finding, enum tm_doctor_state state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(finding->reason, sizeof finding->reason, format, arguments);
    va_end(arguments);
    finding->state = state;
}

void tm_doctor_advise(struct tm_doctor_finding *finding, const struct tm_doctor_place *place, const char *outside,
                      const char *options)
{
    const char *kind = place->container;
    if (kind[0] == '\0' || options == NULL)
        (void)snprintf(finding->remedy, sizeof finding->remedy, "%s", outside != NULL ? outside : "");
    else if (strcmp(kind, "docker") == 0 || strcmp(kind, "podman") == 0)
        (void)snprintf(finding->remedy, sizeof finding->remedy, "start the container with: %s run %s", kind, options);
    else
        (void)snprintf(finding->remedy, sizeof finding->remedy,
                       "start the container with what these options are to docker: %s", options);
}

void tm_doctor_advise_capability(struct tm_doctor_finding *finding, const struct tm_doctor_place *place,
                                 const char *name)
{
    char options[96];
    char outside[96];
    /* Root of a user namespace has the capability there only; an ordinary user loses it on the way. */
    (void)snprintf(options, sizeof options, "%s--cap-add %s",
                   place->user_namespace ? "--userns host " : place->root ? ""
                                                                          : "--user 0 ",
                   name);
    if (place->user_namespace)
        (void)snprintf(outside, sizeof outside, "outside of this user namespace, as root");
    else if (place->root)
        (void)snprintf(outside, sizeof outside, "give root the capability CAP_%s", name);
    else
        (void)snprintf(outside, sizeof outside, "run it as root");
    tm_doctor_advise(finding, place, outside, options);
}

bool tm_doctor_read_line(const char *path, char *line, size_t line_size)
{
    FILE *file = fopen(path, "re");
    bool is_read = file != NULL && fgets(line, (int)line_size, file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    if (!is_read)
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return is_read;
}

static bool mount_can_work(const struct tm_doctor_finding *findings)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(probes); i++)
        if (findings[i].needed && findings[i].state == TM_DOCTOR_MISSING)
            return false;
    return true;
}

static enum tm_exit print_table(const struct tm_doctor_place *place, const struct tm_doctor_finding *findings)
{
    char text[TM_ARRAY_SIZE(probes) * (sizeof *findings + 96u) + 512u];
    bool coloured = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
    size_t used = 0;
    bool in_one = place->container[0] != '\0';
    used += (size_t)snprintf(text, sizeof text, "Linux %s, %s, in %s%s\n", place->kernel,
                             place->root ? "root" : "an ordinary user", in_one ? "a container: " : "no container",
                             place->container);
    for (size_t i = 0; i < TM_ARRAY_SIZE(probes); i++) {
        const struct tm_doctor_finding *finding = &findings[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%-8s%s %-17s %s\n",
                                 coloured ? state_colours[finding->state] : "", state_names[finding->state],
                                 coloured ? "\033[0m" : "", probes[i].name, finding->reason);
        if (finding->remedy[0] != '\0')
            used += (size_t)snprintf(text + used, sizeof text - used, "%26s -> %s\n", "", finding->remedy);
    }
    (void)snprintf(text + used, sizeof text - used, "`tmem mount` %s here.\n",
                   mount_can_work(findings) ? "works" : "cannot work");
    return tm_print_stdout(text);
}

static enum tm_exit print_json(const struct tm_doctor_place *place, const struct tm_doctor_finding *findings)
{
    /* A byte takes six at most. */
    static char text[6u * TM_ARRAY_SIZE(probes) * (sizeof *findings + 128u)];
    struct tm_json json;
    tm_json_begin(&json, text, sizeof text - 1u);
    tm_json_open_object(&json, NULL);
    tm_json_boolean(&json, "mount_works", mount_can_work(findings));
    tm_json_string(&json, "kernel", place->kernel);
    tm_json_boolean(&json, "root", place->root);
    if (place->container[0] != '\0')
        tm_json_string(&json, "container", place->container);
    else
        tm_json_null(&json, "container");
    tm_json_open_array(&json, "findings");
    for (size_t i = 0; i < TM_ARRAY_SIZE(probes); i++) {
        tm_json_open_object(&json, NULL);
        tm_json_string(&json, "name", probes[i].name);
        tm_json_string(&json, "state", state_names[findings[i].state]);
        tm_json_boolean(&json, "needed", findings[i].needed);
        tm_json_string(&json, "reason", findings[i].reason);
        if (findings[i].remedy[0] != '\0')
            tm_json_string(&json, "remedy", findings[i].remedy);
        else
            tm_json_null(&json, "remedy");
        tm_json_close_object(&json);
    }
    tm_json_close_array(&json);
    tm_json_close_object(&json);
    if (!tm_json_end(&json))
        return tm_fail(TM_EXIT_FAILED, "the report does not fit");
    enum tm_exit code = tm_print_stdout(text);
    return code == TM_EXIT_OK ? tm_print_stdout("\n") : code;
}

enum tm_exit tm_cli_doctor(int count, char **arguments)
{
    struct tm_doctor_finding findings[TM_ARRAY_SIZE(probes)] = {{.state = TM_DOCTOR_OK}};
    struct tm_doctor_place place;
    bool as_json = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--json") != 0)
            return tm_cli_usage("doctor", "unexpected argument '%s'", arguments[i]);
        as_json = true;
    }
    tm_doctor_look_around(&place);
    for (size_t i = 0; i < TM_ARRAY_SIZE(probes); i++)
        probes[i].probe(&place, &findings[i]);
    enum tm_exit code = as_json ? print_json(&place, findings) : print_table(&place, findings);
    if (code != TM_EXIT_OK)
        return code;
    return mount_can_work(findings) ? TM_EXIT_OK : TM_EXIT_FAILED;
}
