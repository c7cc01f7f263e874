/* SPDX-License-Identifier: BSD-2-Clause */
/* version.c - `tmem version`: of the command, of the library, and of the daemon where there is one. */
#include "cli/ask.h"

#include <tmem/control.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char tm_cli_version_help[] =
    "usage: tmem version [OPTIONS]\n"
    "\n"
    "Prints the version of the command and of the library that it uses, and of the daemon, with the\n"
    "formats that it speaks: to its clients, to operators, and in memory that outlives it.\n"
    "\n" TM_CLI_ASK_HELP "\n"
    "Exit status: 0 ok, also where no daemon runs; 1 failed, 2 usage, 4 denied.\n";

enum tm_exit tm_cli_print_version(void)
{
    char line[96];
    (void)snprintf(line, sizeof line, "tmem %u.%u.%u (library %s)\n", TMEM_VERSION_MAJOR, TMEM_VERSION_MINOR,
                   TMEM_VERSION_PATCH, tmem_version());
    return tm_print_stdout(line);
}

/* "1", or "1 to 2". */
static const char *range(const json_t *answer, const char *oldest, const char *newest, char *text, size_t text_size)
{
    uint64_t from = tm_cli_number(answer, oldest);
    uint64_t to = tm_cli_number(answer, newest);
    if (from == to)
        (void)snprintf(text, text_size, "%" PRIu64, from);
    else
        (void)snprintf(text, text_size, "%" PRIu64 " to %" PRIu64, from, to);
    return text;
}

static enum tm_exit print_daemon(const json_t *answer)
{
    char line[256];
    char wire[48];
    char arena[48];
    (void)snprintf(line, sizeof line, "tmemd %.64s: wire format %s, control format %" PRIu64 ", arena format %s\n",
                   tm_cli_text(answer, "version"), range(answer, "wire_oldest", "wire_newest", wire, sizeof wire),
                   tm_cli_number(answer, "control_format"),
                   range(answer, "arena_oldest", "arena_newest", arena, sizeof arena));
    return tm_print_stdout(line);
}

/* Consumes the answer, which may be NULL. */
static enum tm_exit print_json(json_t *answer)
{
    char command[32];
    (void)snprintf(command, sizeof command, "%u.%u.%u", TMEM_VERSION_MAJOR, TMEM_VERSION_MINOR, TMEM_VERSION_PATCH);
    json_t *all = json_pack("{s:s, s:s, s:o?}", "command", command, "library", tmem_version(), "daemon", answer);
    char *text = all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;
    enum tm_exit code = text != NULL ? tm_print_stdout(text) : tm_fail(TM_EXIT_FAILED, "no memory");
    if (code == TM_EXIT_OK)
        code = tm_print_stdout("\n");
    free(text);
    json_decref(all);
    return code;
}

/* Nobody has to have a daemon, but who names one wants it. */
static bool is_one_there(const struct tm_cli_ask *ask)
{
    struct tmem_daemon *daemon;
    if (ask->socket != NULL)
        return true;
    if (tmem_daemon_open(NULL, &daemon, NULL) != TMEM_OK)
        return false;
    tmem_daemon_close(daemon);
    return true;
}

enum tm_exit tm_cli_version(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask)};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), NULL, 0);
    bool as_json = ask.as_json;
    json_t *answer = NULL;
    ask.as_json = false; /* the daemon's answer is a part of what is printed */
    if (code == TM_EXIT_OK && !as_json)
        code = tm_cli_print_version();
    if (code == TM_EXIT_OK && is_one_there(&ask))
        code = tm_cli_ask(&ask, json_pack("{s:s}", "verb", "version"), NULL, NULL, &answer);
    if (code != TM_EXIT_OK)
        return code;
    if (as_json)
        return print_json(answer);
    code = answer != NULL ? print_daemon(answer) : tm_print_stdout("tmemd: there is none to be asked\n");
    json_decref(answer);
    return code;
}
