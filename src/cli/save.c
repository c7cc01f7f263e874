/* SPDX-License-Identifier: BSD-2-Clause */
/* save.c - the verbs `save` and `restore`: a client of a daemon into a file, and back. */
#include "cli/move.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/size.h"

const char tm_cli_save_help[] =
    "usage: tmem save [OPTIONS] CLIENT FILE\n"
    "\n"
    "Writes a client with its settings, rights, pools and persistent pages into FILE (-: standard output)\n"
    "while it runs; it stands still for the last moment only. The file holds the client's token and its\n"
    "data: who can read it can read them. FILE appears when it is complete.\n"
    "\n" TM_CLI_SEND_HELP TM_CLI_FORMAT_HELP TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_restore_help[] =
    "usage: tmem restore [OPTIONS] FILE\n"
    "\n"
    "Makes the client that `tmem save` wrote into FILE (-: standard input) again. It waits for the program\n"
    "whose it was as one does that was left behind (see: tmem list). A file that is damaged, cut short\n"
    "or made up changes nothing.\n"
    "\n"
    "  --as NAME      call it so (Xen's formats have no name)\n" TM_CLI_FORMAT_HELP TM_CLI_ASK_HELP
    "\n" TM_CLI_ASK_STATUS;

/* ---- progress, and what was done ---- */

void tm_cli_show_move(void *context, json_t *line)
{
    char bytes[TM_SIZE_TEXT];
    char rate[TM_SIZE_TEXT];
    struct tm_cli_move_progress *progress = context;
    if (isatty(STDERR_FILENO) != 1)
        return;
    double seconds = tm_cli_seconds() - progress->begun;
    uint64_t done = tm_cli_number(line, "bytes");
    progress->has_shown = true;
    (void)fprintf(stderr, "\rround %llu: %llu pages, %s, %s a second\033[K",
                  (unsigned long long)tm_cli_number(line, "round"), (unsigned long long)tm_cli_number(line, "pages"),
                  tm_size_format(done, bytes),
                  tm_size_format(seconds > 0 ? (uint64_t)((double)done / seconds) : 0, rate));
}

enum tm_exit tm_cli_ask_move(const struct tm_cli_ask *ask, json_t *question, json_t **answer)
{
    struct tm_cli_move_progress progress = {false, tm_cli_seconds()};
    enum tm_exit code = tm_cli_ask(ask, question, tm_cli_show_move, &progress, answer);
    if (progress.has_shown)
        (void)fputs("\r\033[K", stderr);
    return code;
}

/* Of what was sent; it goes to stderr, since stdout may be the file. */
void tm_cli_tell_sent(const struct tm_cli_ask *ask, const json_t *answer, const char *verb)
{
    char text[TM_SIZE_TEXT];
    uint64_t bytes = tm_cli_number(answer, "bytes");
    if (!ask->as_json)
        tm_message("%s %llu pages, %s%s, in %llu rounds; the client stood still for %.1f ms", verb,
                   (unsigned long long)tm_cli_number(answer, "pages"), tm_size_format(bytes, text),
                   bytes < 1024u ? " bytes" : "",
                   (unsigned long long)tm_cli_number(answer, "rounds"),
                   (double)tm_cli_number(answer, "paused_ns") / 1e6);
}

/* "10s": how long; false: it is something else. */
static bool parse_seconds(const char *text, uint64_t *ms)
{
    char *end;
    unsigned long long seconds = strtoull(text, &end, 10);
    *ms = (uint64_t)seconds * 1000u;
    return text[0] >= '0' && text[0] <= '9' && strcmp(end, "s") == 0 && seconds > 0 && seconds < UINT32_MAX / 1000u;
}

enum tm_exit tm_cli_send_question(const char *verb, const char *client, const char *ephemeral, json_t **question)
{
    uint64_t bytes = 0;
    uint64_t ms = 0;
    bool is_all = ephemeral != NULL && (strcmp(ephemeral, "all") == 0 || parse_seconds(ephemeral, &ms));
    if (ephemeral != NULL && !is_all && strcmp(ephemeral, "none") != 0) {
        enum tm_size_problem problem = tm_size_parse(ephemeral, &bytes);
        if (problem != TM_SIZE_OK || bytes > INT64_MAX)
            return tm_cli_usage(verb, "--ephemeral '%s': expected none, all, a size such as 512M, or a time such as "
                                      "10s",
                                ephemeral);
    }
    *question = json_pack("{s:s, s:s, s:o, s:I}", "verb", verb, "client", client, "ephemeral_bytes",
                          is_all ? json_null() : json_integer((json_int_t)bytes), "ephemeral_ms",
                          (json_int_t)(is_all ? ms : 0));
    return TM_EXIT_OK;
}

/* ---- save ---- */

static enum tm_exit cannot_write(const char *path)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int error = errno;
    return tm_fail(tm_exit_of_error(error), "cannot write %s: %s (try: %s)", path, tm_error_text(error, cause),
                   tm_error_remedy(error, "an existing directory"));
}

static enum tm_exit ask_to_save(struct tm_cli_ask *ask, json_t *question, int descriptor)
{
    json_t *answer;
    ask->descriptors = &descriptor;
    ask->descriptor_count = 1;
    enum tm_exit code = tm_cli_ask_move(ask, question, &answer);
    if (code != TM_EXIT_OK)
        return code;
    tm_cli_tell_sent(ask, answer, "saved");
    json_decref(answer);
    return TM_EXIT_OK;
}

/* Into another file first: what has the name is whole. */
static enum tm_exit save_file(struct tm_cli_ask *ask, json_t *question, const char *path)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        json_decref(question);
        return tm_fail(TM_EXIT_USAGE, "save: the file's name is too long");
    }
    int file = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        json_decref(question);
        return cannot_write(part);
    }
    enum tm_exit code = ask_to_save(ask, question, file);
    if (code == TM_EXIT_OK && (fsync(file) != 0 || rename(part, path) != 0))
        code = cannot_write(path);
    if (code != TM_EXIT_OK)
        (void)unlink(part);
    (void)close(file);
    return code;
}

enum tm_exit tm_cli_save(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *operands[2];
    const char *ephemeral = NULL;
    const char *format = NULL;
    json_t *question;
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask), {"--ephemeral", NULL, &ephemeral, NULL}, {"--format", NULL, &format, NULL}};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), operands, 2);
    if (code != TM_EXIT_OK)
        return code;
    if (operands[0] == NULL || operands[1] == NULL)
        return tm_cli_usage("save", operands[0] == NULL ? "no client" : "no file");
    bool is_stdout = strcmp(operands[1], "-") == 0;
    if (is_stdout && (isatty(STDOUT_FILENO) == 1 || ask.as_json))
        return tm_cli_usage("save", "standard output is taken (name a file, or use a pipe, without --json)");
    code = tm_cli_send_question("save", operands[0], ephemeral, &question);
    if (code != TM_EXIT_OK)
        return code;
    if (question != NULL && format != NULL)
        (void)json_object_set_new(question, "format", json_string(format));
    return is_stdout ? ask_to_save(&ask, question, STDOUT_FILENO) : save_file(&ask, question, operands[1]);
}

/* ---- restore ---- */

enum tm_exit tm_cli_take(struct tm_cli_ask *ask, const char *verb, const char *name, const char *format,
                         const int *descriptors, size_t descriptor_count)
{
    json_t *answer;
    ask->descriptors = descriptors;
    ask->descriptor_count = descriptor_count;
    json_t *question = json_pack("{s:s, s:s*, s:s*}", "verb", verb, "as", name, "format", format);
    /* Who migrates shows the progress of the other end. */
    bool is_moved = strcmp(verb, "receive") == 0;
    enum tm_exit code = is_moved ? tm_cli_ask(ask, question, NULL, NULL, &answer)
                                 : tm_cli_ask_move(ask, question, &answer);
    if (code != TM_EXIT_OK)
        return code;
    if (!ask->as_json)
        tm_message("client '%s' is here, with %llu pages%s", tm_cli_text(answer, "client"),
                   (unsigned long long)tm_cli_number(answer, "pages"),
                   tm_cli_number(answer, "dropped") != 0 ? "; for some of its ephemeral ones there was no room" : "");
    json_decref(answer);
    return TM_EXIT_OK;
}

enum tm_exit tm_cli_restore(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *path;
    const char *name = NULL;
    const char *format = NULL;
    char cause[TM_ERROR_TEXT_SIZE];
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask), {"--as", NULL, &name, NULL}, {"--format", NULL, &format, NULL}};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &path, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (path == NULL)
        return tm_cli_usage("restore", "no file");
    bool is_stdin = strcmp(path, "-") == 0;
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        int error = errno;
        return tm_fail(tm_exit_of_error(error), "cannot open %s: %s (try: %s)", path, tm_error_text(error, cause),
                       tm_error_remedy(error, "a file that `tmem save` wrote"));
    }
    code = tm_cli_take(&ask, "restore", name, format, &file, 1);
    if (!is_stdin)
        (void)close(file);
    return code;
}
