/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - `tmem`: options of the command itself, and the way to its verbs. */
#include "cli/cli.h"

#include <tmem/tmem.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum tm_exit version(int count, char **arguments);

static const char version_help[] = "usage: tmem version\n"
                                   "\n"
                                   "Prints the version of the command and of the library that it uses.\n";

static const struct tm_cli_verb verbs[] = {
    {"mount", "show a directory again, with its file pages cached in the store", NULL, NULL},
    {"umount", "undo a mount, also one whose process has died", tm_cli_umount, tm_cli_umount_help},
    {"stats", "what a mount has read from the store and from the disk", tm_cli_stats, tm_cli_stats_help},
    {"top", "a daemon at work: clients, rates, latencies, who evicted whom", NULL, NULL},
    {"doctor", "what works on this machine, and the remedy for what does not", tm_cli_doctor, tm_cli_doctor_help},
    {"bench", "measure the engine on this machine", NULL, NULL},
    {"version", "print the version", version, version_help},
};

const struct tm_cli_verb *tm_cli_find_verb(const char *name)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

enum tm_exit tm_cli_usage(const char *verb, const char *format, ...)
{
    char problem[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return tm_fail(TM_EXIT_USAGE, "%s: %s (try: tmem %s --help)", verb, problem, verb);
}

static enum tm_exit version(int count, char **arguments)
{
    char line[96];
    if (count > 1)
        return tm_cli_usage("version", "unexpected argument '%s'", arguments[1]);
    (void)snprintf(line, sizeof line, "tmem %u.%u.%u (library %s)\n", TMEM_VERSION_MAJOR, TMEM_VERSION_MINOR,
                   TMEM_VERSION_PATCH, tmem_version());
    return tm_print_stdout(line);
}

static enum tm_exit help(void)
{
    char text[2048];
    size_t used = 0;
    used += (size_t)snprintf(text, sizeof text, "usage: tmem VERB [ARGUMENTS]\n\n");
    for (size_t i = 0; i < TM_ARRAY_SIZE(verbs); i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    (void)snprintf(text + used, sizeof text - used,
                   "\n"
                   "`tmem VERB --help` tells the arguments of a verb. Sizes are written as 4096, 512M, 1.5G.\n"
                   "Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 no daemon.\n");
    return tm_print_stdout(text);
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* `tmem help` and `tmem help VERB` are what people type first. */
static enum tm_exit run_verb(int count, char **arguments)
{
    const struct tm_cli_verb *verb = tm_cli_find_verb(arguments[0]);
    if (verb != NULL && verb->function != NULL) {
        for (int i = 1; i < count; i++)
            if (asks_for_help(arguments[i]))
                return tm_print_stdout(verb->help);
        return verb->function(count, arguments);
    }
    enum tm_exit code = tm_cli_run_program(arguments);
    if (code != TM_EXIT_USAGE)
        return code;
    if (verb != NULL)
        return tm_fail(TM_EXIT_NOT_FOUND,
                       "%s: the program tmem-%s is not installed (this build may have left it out: "
                       "`tmem mount` needs libfuse3 at build time, `tmem top` ncurses)",
                       verb->name, verb->name);
    return tm_fail(TM_EXIT_USAGE, "unknown verb '%s' (try: tmem --help)", arguments[0]);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        tm_message("no verb (try: tmem --help)");
        return TM_EXIT_USAGE;
    }
    bool is_help = strcmp(arguments[1], "help") == 0;
    if (asks_for_help(arguments[1]) || (is_help && count == 2))
        return help();
    if (strcmp(arguments[1], "--version") == 0)
        return version(1, arguments + 1);
    if (is_help) {
        char option[] = "--help";
        char *request[] = {arguments[2], option, NULL};
        return run_verb(2, request);
    }
    return run_verb(count - 1, arguments + 1);
}
