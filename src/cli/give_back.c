/* SPDX-License-Identifier: BSD-2-Clause */
/* give_back.c - verbs about the memory of a daemon's store: freeable, reclaim, size. */
#include "cli/ask.h"
#include "command/size.h"

#include <stdio.h>
#include <unistd.h>

const char tm_cli_freeable_help[] = "usage: tmem freeable [OPTIONS]\n"
                                    "\n"
                                    "Prints how much memory the store could give back to the host without losing "
                                    "anything persistent.\n"
                                    "\n" TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_reclaim_help[] =
    "usage: tmem reclaim [OPTIONS] SIZE [CLIENT]\n"
    "\n"
    "Gives memory back to the host now: what is dead, then pages that may be dropped, the least valuable\n"
    "first. With CLIENT it is taken from that client, and is room for the others first. Prints how\n"
    "much it was. The size of the store stays, so it may grow again.\n"
    "\n" TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_size_help[] =
    "usage: tmem size [OPTIONS] SIZE\n"
    "\n"
    "Changes the most memory that the store may use, until the daemon ends. Pages that have no room\n"
    "then and may be dropped are, before the command returns.\n"
    "\n" TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

static enum tm_exit print_bytes(uint64_t bytes)
{
    char size[TM_SIZE_TEXT];
    char line[TM_SIZE_TEXT + 2u];
    (void)snprintf(line, sizeof line, "%s\n", tm_size_format(bytes, size));
    return tm_print_stdout(line);
}

/* The answer's member, for people; with --json all was printed. */
static enum tm_exit print_member(const struct tm_cli_ask *ask, json_t *answer, const char *name)
{
    uint64_t bytes = tm_cli_number(answer, name);
    json_decref(answer);
    return ask->as_json ? TM_EXIT_OK : print_bytes(bytes);
}

enum tm_exit tm_cli_freeable(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    json_t *answer;
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask)};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), NULL, 0);
    if (code == TM_EXIT_OK)
        code = tm_cli_ask(&ask, json_pack("{s:s}", "verb", "freeable"), NULL, NULL, &answer);
    return code == TM_EXIT_OK ? print_member(&ask, answer, "freeable_bytes") : code;
}

static enum tm_exit parse_size(const char *verb, const char *text, uint64_t *bytes)
{
    if (text == NULL)
        return tm_cli_usage(verb, "no size");
    enum tm_size_problem problem = tm_size_parse(text, bytes);
    if (problem == TM_SIZE_OK && *bytes > INT64_MAX)
        problem = TM_SIZE_TOO_LARGE;
    if (problem == TM_SIZE_OK)
        return TM_EXIT_OK;
    return tm_cli_usage(verb, "'%s': expected a size such as 512M (%s)", text, tm_size_problem_text(problem));
}

static void show_progress(void *context, json_t *line)
{
    char done[TM_SIZE_TEXT];
    char of[TM_SIZE_TEXT];
    bool *has_shown = context;
    if (isatty(STDERR_FILENO) != 1)
        return;
    *has_shown = true;
    (void)fprintf(stderr, "\r%s of %s\033[K", tm_size_format(tm_cli_number(line, "done_bytes"), done),
                  tm_size_format(tm_cli_number(line, "of_bytes"), of));
}

enum tm_exit tm_cli_reclaim(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *operands[2];
    json_t *answer;
    uint64_t bytes = 0;
    bool has_shown = false;
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask)};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), operands, 2);
    if (code == TM_EXIT_OK)
        code = parse_size("reclaim", operands[0], &bytes);
    if (code != TM_EXIT_OK)
        return code;
    json_t *question = json_pack("{s:s, s:I, s:s*}", "verb", "reclaim", "bytes", (json_int_t)bytes, "client",
                                 operands[1]);
    code = tm_cli_ask(&ask, question, show_progress, &has_shown, &answer);
    if (has_shown)
        (void)fputs("\r\033[K", stderr);
    if (code != TM_EXIT_OK)
        return code;
    return print_member(&ask, answer, operands[1] != NULL ? "released_bytes" : "returned_bytes");
}

enum tm_exit tm_cli_size(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *text;
    json_t *answer;
    uint64_t bytes = 0;
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask)};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &text, 1);
    if (code == TM_EXIT_OK)
        code = parse_size("size", text, &bytes);
    if (code == TM_EXIT_OK)
        code = tm_cli_ask(&ask, json_pack("{s:s, s:I}", "verb", "size", "size_bytes", (json_int_t)bytes), NULL, NULL,
                          &answer);
    if (code != TM_EXIT_OK)
        return code;
    bool fits = json_is_true(json_object_get(answer, "fits"));
    json_decref(answer);
    if (fits)
        return TM_EXIT_OK;
    return tm_fail(TM_EXIT_FAILED, "the store is to use %s at most, but persistent pages need more: puts are refused "
                                   "until some are gone (see: tmem list)",
                   text);
}
