/* SPDX-License-Identifier: BSD-2-Clause */
/* govern.c - the verbs that change what a client of a daemon may do: freeze, thaw, destroy, set, shared-auth. */
#include "cli/ask.h"
#include "command/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL_HELP "  -a, --all      all clients that there are, instead of CLIENT\n"

const char tm_cli_freeze_help[] =
    "usage: tmem freeze [OPTIONS] CLIENT\n"
    "       tmem freeze [OPTIONS] -a\n"
    "\n"
    "Refuses the client's puts until it is thawed. Its gets and invalidations work.\n"
    "\n" ALL_HELP TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_thaw_help[] =
    "usage: tmem thaw [OPTIONS] CLIENT\n"
    "       tmem thaw [OPTIONS] -a\n"
    "\n"
    "Ends what `tmem freeze` began.\n"
    "\n" ALL_HELP TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_destroy_help[] =
    "usage: tmem destroy [OPTIONS] CLIENT\n"
    "\n"
    "Ends a client: its connection, its pools and all its pages, also persistent ones that wait for a\n"
    "client that is gone. A program that is still there may connect anew, and finds nothing.\n"
    "\n" TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_set_help[] =
    "usage: tmem set [OPTIONS] CLIENT\n"
    "       tmem set [OPTIONS] -a\n"
    "\n"
    "Changes the client's limits, until it leaves. Those of the next client of its name are in the\n"
    "daemon's configuration.\n"
    "\n"
    "  -w, --weight WEIGHT  its share when memory is short, 1 to 1000000: weight / sum of weights\n"
    "  -c, --cap CAP        most that may be charged to it, such as 512M, or none\n"
    "  -p, --compress 0|1   whether its pages are compressed from now on\n" ALL_HELP TM_CLI_ASK_HELP
    "\n" TM_CLI_ASK_STATUS;

const char tm_cli_shared_auth_help[] =
    "usage: tmem shared-auth [OPTIONS] -u UUID -A 0|1 CLIENT\n"
    "       tmem shared-auth [OPTIONS] -u UUID -A 0|1 -a\n"
    "\n"
    "Lets the client join the shared pool of that name, or no longer. A member stays one until it\n"
    "leaves. What is to hold for clients that come later belongs in the configuration (`uuids`).\n"
    "\n"
    "  -u, --uuid UUID  the pool's name, 32 hexadecimal digits, with hyphens or without\n"
    "  -A, --auth 0|1   1: may join; 0: may not\n" ALL_HELP TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

/* Adds "client" or "all" to the question, which is consumed where that fails. */
static enum tm_exit whom(const char *verb, json_t *question, const char *client, bool all)
{
    if ((client != NULL) != all) {
        if (question != NULL && (all ? json_object_set_new(question, "all", json_true())
                                     : json_object_set_new(question, "client", json_string(client))) == 0)
            return TM_EXIT_OK;
        json_decref(question);
        return tm_fail(TM_EXIT_USAGE, "%s: '%s' is no client's name", verb, client != NULL ? client : "");
    }
    json_decref(question);
    return tm_cli_usage(verb, client == NULL ? "no client (or -a for all)" : "both a client and -a");
}

static enum tm_exit freeze_or_thaw(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *client;
    bool all = false;
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask), {"--all", "-a", NULL, &all}};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &client, 1);
    if (code != TM_EXIT_OK)
        return code;
    json_t *question = json_pack("{s:s}", "verb", arguments[0]);
    code = whom(arguments[0], question, client, all);
    return code == TM_EXIT_OK ? tm_cli_do(&ask, question) : code;
}

enum tm_exit tm_cli_freeze(int count, char **arguments)
{
    return freeze_or_thaw(count, arguments);
}

enum tm_exit tm_cli_thaw(int count, char **arguments)
{
    return freeze_or_thaw(count, arguments);
}

enum tm_exit tm_cli_destroy(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *client;
    const struct tm_cli_option options[] = {TM_CLI_ASK_OPTIONS(&ask)};
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &client, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (client == NULL)
        return tm_cli_usage("destroy", "no client");
    return tm_cli_do(&ask, json_pack("{s:s, s:s}", "verb", "destroy", "client", client));
}

/* ---- set ---- */

/* 0 or 1. */
static bool parse_switch(const char *text, bool *is_on)
{
    *is_on = strcmp(text, "1") == 0;
    return *is_on || strcmp(text, "0") == 0;
}

static enum tm_exit add_weight(json_t *question, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long weight = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || weight > INT64_MAX)
        return tm_cli_usage("set", "--weight %s: expected a number from 1 to 1000000", text);
    (void)json_object_set_new(question, "weight", json_integer((json_int_t)weight));
    return TM_EXIT_OK;
}

static enum tm_exit add_cap(json_t *question, const char *text)
{
    uint64_t bytes = 0;
    bool is_none = strcmp(text, "none") == 0;
    enum tm_size_problem problem = is_none ? TM_SIZE_OK : tm_size_parse_zero(text, &bytes);
    if (problem != TM_SIZE_OK || bytes > INT64_MAX)
        return tm_cli_usage("set", "--cap %s: expected a size such as 512M, or none (%s)", text,
                            tm_size_problem_text(problem != TM_SIZE_OK ? problem : TM_SIZE_TOO_LARGE));
    (void)json_object_set_new(question, "cap_bytes", is_none ? json_null() : json_integer((json_int_t)bytes));
    return TM_EXIT_OK;
}

static enum tm_exit add_compress(json_t *question, const char *text)
{
    bool is_on;
    if (!parse_switch(text, &is_on))
        return tm_cli_usage("set", "--compress %s: expected 0 or 1", text);
    (void)json_object_set_new(question, "compress", json_boolean(is_on));
    return TM_EXIT_OK;
}

enum tm_exit tm_cli_set(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *client;
    const char *weight = NULL;
    const char *cap = NULL;
    const char *compress = NULL;
    bool all = false;
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask),
        {"--all", "-a", NULL, &all},
        {"--weight", "-w", &weight, NULL},
        {"--cap", "-c", &cap, NULL},
        {"--compress", "-p", &compress, NULL},
    };
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &client, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (weight == NULL && cap == NULL && compress == NULL)
        return tm_cli_usage("set", "nothing to set (-w, -c or -p)");
    json_t *question = json_pack("{s:s}", "verb", "set");
    code = weight != NULL ? add_weight(question, weight) : TM_EXIT_OK;
    if (code == TM_EXIT_OK && cap != NULL)
        code = add_cap(question, cap);
    if (code == TM_EXIT_OK && compress != NULL)
        code = add_compress(question, compress);
    if (code != TM_EXIT_OK) {
        json_decref(question);
        return code;
    }
    code = whom("set", question, client, all);
    return code == TM_EXIT_OK ? tm_cli_do(&ask, question) : code;
}

enum tm_exit tm_cli_shared_auth(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    const char *client;
    const char *uuid = NULL;
    const char *auth = NULL;
    bool all = false;
    bool allow = false;
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask),
        {"--all", "-a", NULL, &all},
        {"--uuid", "-u", &uuid, NULL},
        {"--auth", "-A", &auth, NULL},
    };
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &client, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (uuid == NULL)
        return tm_cli_usage("shared-auth", "no -u UUID");
    if (auth == NULL || !parse_switch(auth, &allow))
        return tm_cli_usage("shared-auth", "expected -A 0 or -A 1");
    json_t *question = json_pack("{s:s, s:s, s:b}", "verb", "shared-auth", "uuid", uuid, "allow", (int)allow);
    code = whom("shared-auth", question, client, all);
    return code == TM_EXIT_OK ? tm_cli_do(&ask, question) : code;
}
