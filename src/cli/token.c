/* SPDX-License-Identifier: BSD-2-Clause */
/* token.c - `tmem token`: what a program shows to be a client that waits. */
#include "cli/ask.h"

#include <stdio.h>

const char tm_cli_token_help[] =
    "usage: tmem token [OPTIONS] CLIENT\n"
    "\n"
    "Prints the token of a client, 32 digits and a secret. A program that opens the store as\n"
    "unix:PATH,token=FILE, with the token in FILE, is that client from then on, with its pools and pages:\n"
    "one that was restored, or left behind by a program that died. One that is connected cannot be claimed.\n"
    "\n" TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

enum tm_exit tm_cli_token(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *client;
    char line[64];
    json_t *answer;
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask)};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &client, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (client == NULL)
        return tm_cli_usage("token", "no client (see: tmem list)");
    code = tm_cli_ask(&ask, json_pack("{s:s, s:s}", "verb", "token", "client", client), NULL, NULL, &answer);
    if (code != TM_EXIT_OK)
        return code;
    (void)snprintf(line, sizeof line, "%s\n", tm_cli_text(answer, "token"));
    json_decref(answer);
    return ask.as_json ? TM_EXIT_OK : tm_print_stdout(line);
}
