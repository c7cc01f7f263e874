/* SPDX-License-Identifier: BSD-2-Clause */
/* events.c - `tmem events`: what happened in a daemon. */
#include "cli/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char tm_cli_events_help[] =
    "usage: tmem events [OPTIONS]\n"
    "\n"
    "Prints what happened in a daemon lately: clients that came, left, left pages behind or were\n"
    "frozen, limits and sizes that were changed, pages evicted for others, puts and connections\n"
    "refused. One line each: time, number, what, client, and more as NAME=VALUE.\n"
    "\n"
    "  --follow       go on with what happens from now on, until ^C\n"
    "  --new          not what happened before\n"
    "  --from NUMBER  from the event of this number on; tells how many are forgotten\n" TM_CLI_ASK_HELP
    "\n" TM_CLI_ASK_STATUS;

static void print_time(uint64_t time_ms)
{
    struct tm parts;
    char text[32] = "";
    time_t seconds = (time_t)(time_ms / 1000u);
    if (localtime_r(&seconds, &parts) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    printf("%s.%03u", text, (unsigned)(time_ms % 1000u));
}

static void print_value(const char *name, const json_t *value)
{
    if (json_is_string(value))
        printf(" %s=%s", name, json_string_value(value));
    else if (json_is_integer(value))
        printf(" %s=%" PRIu64, name, (uint64_t)json_integer_value(value));
    else
        printf(" %s=none", name);
}

static void print_event(void *context, json_t *event)
{
    static const char *const printed[] = {"event", "number", "time_ms", "client"};
    const char *name;
    json_t *value;
    const char *client = tm_cli_text(event, "client");
    (void)context;
    if (json_object_get(event, "missed") != NULL) {
        printf("(%" PRIu64 " events are forgotten)\n", tm_cli_number(event, "missed"));
        return;
    }
    print_time(tm_cli_number(event, "time_ms"));
    printf(" #%" PRIu64 " %s%s%s", tm_cli_number(event, "number"), tm_cli_text(event, "event"),
           client[0] != '\0' ? " " : "", client);
    json_object_foreach(event, name, value)
    {
        bool is_printed = false;
        for (size_t i = 0; i < TM_ARRAY_SIZE(printed); i++)
            is_printed = is_printed || strcmp(printed[i], name) == 0;
        if (!is_printed)
            print_value(name, value);
    }
    printf("\n");
    (void)fflush(stdout);
}

enum tm_exit tm_cli_events(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    bool follow = false;
    bool is_new = false;
    const char *from = NULL;
    char *end = NULL;
    json_t *answer;
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask),
        {"--follow", "-f", NULL, &follow},
        {"--new", NULL, NULL, &is_new},
        {"--from", NULL, &from, NULL},
    };
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), NULL, 0);
    if (code != TM_EXIT_OK)
        return code;
    json_t *question = json_pack("{s:s, s:b, s:b}", "verb", "events", "follow", (int)follow, "new", (int)is_new);
    if (from != NULL) {
        errno = 0;
        unsigned long long number = strtoull(from, &end, 10);
        if (from[0] < '0' || from[0] > '9' || *end != '\0' || errno != 0 || number > INT64_MAX) {
            json_decref(question);
            return tm_cli_usage("events", "--from %s: expected a number", from);
        }
        (void)json_object_set_new(question, "from", json_integer((json_int_t)number));
    }
    code = tm_cli_ask(&ask, question, print_event, NULL, &answer);
    if (code != TM_EXIT_OK)
        return code;
    json_decref(answer);
    return tm_print_stdout("");
}
