/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask.h - what the verbs that talk to a daemon share: their command line, the question, and its answer.
 */
#ifndef TM_CLI_ASK_H
#define TM_CLI_ASK_H

#include "cli/cli.h"

#include <jansson.h>

/* ---- the command line ---- */

/* One option. Exactly one of @value and @is_set is there. */
struct tm_cli_option {
    const char *name;   /* "--json" */
    const char *letter; /* "-j", or NULL */
    const char **value; /* where its value goes */
    bool *is_set;       /* where it is told that it was there */
};

/*
 * tm_cli_read - read the arguments of a verb: options anywhere, and up to @operand_max operands, in order, NULL for
 * those that are missing. `--` ends the options.
 *
 * TM_EXIT_OK, or TM_EXIT_USAGE after a message.
 */
enum tm_exit tm_cli_read(int count, char **arguments, const struct tm_cli_option *options, size_t option_count,
                         const char **operands, size_t operand_max);

/* ---- the daemon ---- */

/* What every such verb takes: --socket PATH and --json. */
struct tm_cli_ask {
    const char *socket;
    bool as_json;           /* lines are printed as they come */
    const int *descriptors; /* go along with the question */
    size_t descriptor_count;
};

#define TM_CLI_ASK_OPTIONS(ask)               \
    {"--socket", NULL, &(ask)->socket, NULL}, \
    {                                         \
        "--json", NULL, NULL, &(ask)->as_json \
    }

#define TM_CLI_ASK_HELP                                                                       \
    "  --json         print the daemon's answer, a line of JSON (docs/control-protocol.md)\n" \
    "  --socket PATH  the daemon's control socket (default: the user's own daemon's, else\n"  \
    "                 /run/tmem/control.sock)\n"

#define TM_CLI_ASK_STATUS "Exit status: 0 ok, 1 failed, 2 usage, 3 no such client, 4 denied, 5 no daemon.\n"

/* Takes a line that is not the last one. */
typedef void tm_cli_line(void *context, json_t *line);

/*
 * tm_cli_ask - connect, ask, and wait for the answer's last line.
 *
 * @question  is consumed.
 * @each      called for the lines before; may be NULL. With --json lines are printed instead.
 * @answer    receives the last line where the result is TM_EXIT_OK, to be given back by json_decref(); else NULL.
 *
 * Anything but TM_EXIT_OK comes after a message.
 */
enum tm_exit tm_cli_ask(const struct tm_cli_ask *ask, json_t *question, tm_cli_line *each, void *context,
                        json_t **answer);

/* tm_cli_do - the same, where nothing is to be made of the answer. */
enum tm_exit tm_cli_do(const struct tm_cli_ask *ask, json_t *question);

/* Members of an answer: a number, 0 if it is not there or null, and a text, "" if it is not. */
uint64_t tm_cli_number(const json_t *object, const char *name);
const char *tm_cli_text(const json_t *object, const char *name);

#endif
