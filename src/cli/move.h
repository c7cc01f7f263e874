/* SPDX-License-Identifier: BSD-2-Clause */
/* move.h - what the verbs share that move clients: save, restore, migrate, receive. */
#ifndef TM_CLI_MOVE_H
#define TM_CLI_MOVE_H

#include "cli/ask.h"

#define TM_CLI_SEND_HELP                                                                      \
    "  --ephemeral SIZE|SECONDSs|all|none\n"                                                  \
    "                 so much of what is ephemeral goes along, or for so long, the hottest\n" \
    "                 first (default none)\n"

#define TM_CLI_FORMAT_HELP          \
    "  --format tmem|xen|xen-4.8\n" \
    "                 as Xen 4.0-4.7 or 4.8 has it, for the persistent pages (default tmem)\n"

/* ---- tls: ---- */

/* What tmem-tls is told of the options of the same names. */
struct tm_cli_tls {
    const char *psk;
    const char *certificate;
    const char *key;
    const char *ca;
    bool forever;
};

#define TM_CLI_TLS_OPTIONS(tls)                             \
    {"--psk", NULL, &(tls)->psk, NULL},                     \
        {"--certificate", NULL, &(tls)->certificate, NULL}, \
        {"--key", NULL, &(tls)->key, NULL},                 \
    {                                                       \
        "--ca", NULL, &(tls)->ca, NULL                      \
    }

#define TM_CLI_TLS_HELP                                                                  \
    "  --psk FILE     the key that both ends have, a line IDENTITY:HEX (see: psktool)\n" \
    "  --certificate FILE, --key FILE, --ca FILE\n"                                      \
    "                 or: this end's certificate, its key, and who signs the other's\n"

/* Whether one of them but --forever was there. */
bool tm_cli_is_tls(const struct tm_cli_tls *tls);

/* tm_cli_run_tls() takes so many words, up to the first NULL. */
#define TM_CLI_TLS_WORDS 8u

/* Replaces this process by tmem-tls. Returns only where that failed, after a message. */
enum tm_exit tm_cli_run_tls(const struct tm_cli_tls *tls, const char *const *words);

/* ---- progress, questions and answers ---- */

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

/* Asks for `restore` or `receive` from these descriptors, and says what came. @format: NULL, the own one. */
enum tm_exit tm_cli_take(struct tm_cli_ask *ask, const char *verb, const char *name, const char *format,
                         const int *descriptors, size_t descriptor_count);

#endif
