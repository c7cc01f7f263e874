/* SPDX-License-Identifier: BSD-2-Clause */
/* move.h - what the verbs share that move clients: save, restore, migrate, receive. */
#ifndef TM_CLI_MOVE_H
#define TM_CLI_MOVE_H

#include "cli/ask.h"

#define TM_CLI_SEND_HELP            \
    "  --ephemeral SIZE|all|none\n" \
    "                 so much of what is ephemeral goes along, the hottest first (default none)\n"

struct tm_cli_move_progress {
    bool has_shown;
    double begun; /* tm_cli_seconds() */
};

/* Monotonic time. */
double tm_cli_seconds(void);

/* Shows a line of progress on a terminal; a tm_cli_line. */
void tm_cli_show_move(void *context, json_t *line);

/* tm_cli_ask() with progress. */
enum tm_exit tm_cli_ask_move(const struct tm_cli_ask *ask, json_t *question, json_t **answer);

/* The question of `save` or `migrate`. TM_EXIT_USAGE after a message. */
enum tm_exit tm_cli_send_question(const char *verb, const char *client, const char *ephemeral, json_t **question);

/* Says what was sent, and how long the client stood still. */
void tm_cli_tell_sent(const struct tm_cli_ask *ask, const json_t *answer, const char *verb);

/* Asks for `restore` or `receive` from these descriptors, and says what came. */
enum tm_exit tm_cli_take(struct tm_cli_ask *ask, const char *verb, const char *name, const int *descriptors,
                         size_t descriptor_count);

#endif
