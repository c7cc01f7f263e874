/* SPDX-License-Identifier: BSD-2-Clause */
/* config.c - `tmem config check`: the daemon looks at its configuration, and does not begin. */
#include "cli/ask.h"

#include <string.h>

const char tm_cli_config_help[] =
    "usage: tmem config check [--config FILE]\n"
    "\n"
    "Says what is wrong with a daemon's configuration, each with its file and line, or that it can be\n"
    "used. No daemon needs to run.\n"
    "\n"
    "  --config FILE  read this file and FILE.d/*.conf (default /etc/tmem/tmemd.conf as root, else\n"
    "                 ~/.config/tmem/tmemd.conf)\n"
    "\n"
    "Exit status: 0 it can be used, 1 it cannot, 2 usage, 3 no such file, 4 denied.\n";

enum tm_exit tm_cli_config(int count, char **arguments)
{
    const char *what;
    const char *file = NULL;
    const struct tm_cli_option options[] = {{"--config", NULL, &file, NULL}};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &what, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (what == NULL || strcmp(what, "check") != 0)
        return tm_cli_usage("config", "expected `tmem config check`");
    char name[] = "tmemd";
    char check[] = "--check-config";
    char with[] = "--config";
    /* execv() does not write to them. */
    char *request[] = {name, check, file != NULL ? with : NULL, (char *)(uintptr_t)file, NULL};
    return tm_cli_run_daemon(request);
}
