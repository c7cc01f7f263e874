/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - `tmem`: options of the command itself, and the way to its verbs. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum tm_exit tm_cli_usage(const char *verb, const char *format, ...)
{
    char problem[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return tm_fail(TM_EXIT_USAGE, "%s: %s (try: tmem %s --help)", verb, problem, verb);
}

static enum tm_exit help(void)
{
    char text[4096];
    size_t used = 0;
    used += (size_t)snprintf(text, sizeof text, "usage: tmem VERB [ARGUMENTS]\n\n");
    for (const struct tm_cli_verb *verb = tm_cli_verbs; verb->name != NULL; verb++)
        used += (size_t)snprintf(text + used, sizeof text - used, "  %-12s %s\n", verb->name, verb->summary);
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
    /* What completion asks: whatever follows is not for us to read. */
    if (strcmp(arguments[1], "complete") == 0)
        return tm_cli_complete(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--version") == 0)
        return tm_cli_print_version();
    if (is_help) {
        char option[] = "--help";
        char *request[] = {arguments[2], option, NULL};
        return run_verb(2, request);
    }
    return run_verb(count - 1, arguments + 1);
}
