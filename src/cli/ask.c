/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c - see ask.h. */
#include "cli/ask.h"

#include <tmem/control.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the command line ---- */

/* The option that the argument is, and its value where that is part of it; NULL: none. */
static const struct tm_cli_option *find_option(const char *argument, const struct tm_cli_option *options,
                                               size_t option_count, const char **value)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct tm_cli_option *option = &options[i];
        size_t length = strlen(option->name);
        *value = NULL;
        if (strcmp(argument, option->name) == 0 || (option->letter != NULL && strcmp(argument, option->letter) == 0))
            return option;
        if (option->value == NULL)
            continue;
        if (strncmp(argument, option->name, length) == 0 && argument[length] == '=')
            *value = argument + length + 1u;
        else if (option->letter != NULL && strncmp(argument, option->letter, 2) == 0)
            *value = argument + 2;
        if (*value != NULL)
            return option;
    }
    return NULL;
}

enum tm_exit tm_cli_read(int count, char **arguments, const struct tm_cli_option *options, size_t option_count,
                         const char **operands, size_t operand_max)
{
    const char *verb = arguments[0];
    size_t operand_count = 0;
    bool may_be_option = true;
    for (size_t i = 0; i < operand_max; i++)
        operands[i] = NULL;
    for (int i = 1; i < count; i++) {
        const char *value;
        if (may_be_option && strcmp(arguments[i], "--") == 0) {
            may_be_option = false;
            continue;
        }
        if (!may_be_option || arguments[i][0] != '-' || arguments[i][1] == '\0') {
            if (operand_count == operand_max)
                return tm_cli_usage(verb, "unexpected argument '%s'", arguments[i]);
            operands[operand_count++] = arguments[i];
            continue;
        }
        const struct tm_cli_option *option = find_option(arguments[i], options, option_count, &value);
        if (option == NULL)
            return tm_cli_usage(verb, "unknown option '%s'", arguments[i]);
        if (option->is_set != NULL)
            *option->is_set = true;
        else if (value != NULL)
            *option->value = value;
        else if (i + 1 < count)
            *option->value = arguments[++i];
        else
            return tm_cli_usage(verb, "%s needs a value", arguments[i]);
    }
    return TM_EXIT_OK;
}

/* ---- the daemon ---- */

static enum tm_exit cannot_connect(enum tmem_result result, const struct tmem_error *error)
{
    enum tm_exit code = result == TMEM_UNAVAILABLE ? TM_EXIT_NO_DAEMON
                        : result == TMEM_DENIED    ? TM_EXIT_DENIED
                        : result == TMEM_INVALID   ? TM_EXIT_USAGE
                                                   : TM_EXIT_FAILED;
    return tm_fail(code, "%s", error->text);
}

/* What the daemon thinks of it: 0, or a code after a message. */
static enum tm_exit judge(const json_t *answer)
{
    static const struct {
        const char *word;
        enum tm_exit code;
    } codes[] = {{"ok", TM_EXIT_OK},
                 {"invalid", TM_EXIT_USAGE},
                 {"not-found", TM_EXIT_NOT_FOUND},
                 {"denied", TM_EXIT_DENIED}};
    const char *word = tm_cli_text(answer, "result");
    enum tm_exit code = TM_EXIT_FAILED;
    for (size_t i = 0; i < TM_ARRAY_SIZE(codes); i++)
        if (strcmp(codes[i].word, word) == 0)
            code = codes[i].code;
    return code == TM_EXIT_OK ? code : tm_fail(code, "%s", tm_cli_text(answer, "error"));
}

static enum tm_exit lost(enum tmem_result result)
{
    return tm_fail(result == TMEM_UNAVAILABLE ? TM_EXIT_NO_DAEMON : TM_EXIT_FAILED,
                   result == TMEM_UNAVAILABLE ? "the daemon hung up (has it ended? its log says why)"
                                              : "no memory for the daemon's answer");
}

static enum tm_exit print_line(const char *line)
{
    size_t bytes = strlen(line);
    char *text = malloc(bytes + 2u);
    if (text == NULL)
        return tm_fail(TM_EXIT_FAILED, "no memory for the daemon's answer");
    memcpy(text, line, bytes);
    memcpy(text + bytes, "\n", 2);
    enum tm_exit code = tm_print_stdout(text);
    free(text);
    return code;
}

/* Reads lines until the last one. */
static enum tm_exit hear(const struct tm_cli_ask *ask, struct tmem_daemon *daemon, const char *line,
                         tm_cli_line *each, void *context, json_t **answer)
{
    for (;;) {
        json_t *read = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(read)) {
            json_decref(read);
            return tm_fail(TM_EXIT_FAILED, "whatever listens there is no tmemd: it answers '%.80s'", line);
        }
        bool is_last = json_object_get(read, "result") != NULL;
        if (ask->as_json && print_line(line) != TM_EXIT_OK) {
            json_decref(read);
            return TM_EXIT_FAILED;
        }
        if (is_last) {
            *answer = read;
            return TM_EXIT_OK;
        }
        if (each != NULL && !ask->as_json)
            each(context, read);
        json_decref(read);
        enum tmem_result result = tmem_daemon_next(daemon, -1, &line);
        if (result != TMEM_OK)
            return lost(result);
    }
}

enum tm_exit tm_cli_ask(const struct tm_cli_ask *ask, json_t *question, tm_cli_line *each, void *context,
                        json_t **answer)
{
    struct tmem_daemon *daemon;
    struct tmem_error error;
    const char *line;
    char *text = question != NULL ? json_dumps(question, JSON_COMPACT) : NULL;
    *answer = NULL;
    json_decref(question);
    if (text == NULL)
        return tm_fail(TM_EXIT_USAGE, "an argument is no text in UTF-8, or there is no memory for the question");
    enum tmem_result result = tmem_daemon_open(ask->socket, &daemon, &error);
    if (result != TMEM_OK) {
        free(text);
        return cannot_connect(result, &error);
    }
    result = tmem_daemon_ask(daemon, text, ask->descriptors, ask->descriptor_count, &line);
    free(text);
    enum tm_exit code = result == TMEM_OK ? hear(ask, daemon, line, each, context, answer) : lost(result);
    tmem_daemon_close(daemon);
    if (code == TM_EXIT_OK)
        code = judge(*answer);
    if (code != TM_EXIT_OK) {
        json_decref(*answer);
        *answer = NULL;
    }
    return code;
}

enum tm_exit tm_cli_do(const struct tm_cli_ask *ask, json_t *question)
{
    json_t *answer;
    enum tm_exit code = tm_cli_ask(ask, question, NULL, NULL, &answer);
    if (code == TM_EXIT_OK)
        json_decref(answer);
    return code;
}

uint64_t tm_cli_number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

const char *tm_cli_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}
