/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * complete.c - what shells complete. Verbs and their operands come from the table of verbs, options from what --help
 * tells, clients from the daemon, mount points from the kernel: so what is completed is what there is.
 */
#include "cli/ask.h"
#include "command/mount_table.h"

#include <tmem/control.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELP_BYTES 16384u

/* Values of options. */
static const struct {
    const char *verb;
    const char *option;
    const char *values; /* with blanks between; beginning with a colon: for the shell */
} known_values[] = {
    {"mount", "--codec", "lz4 zstd zstd:3 none"},
    {"mount", "--watch", "auto fanotify inotify off"},
    {"mount", "--size", "512M 1G 2G 4G 8G"},
    {"mount", "-o", ":nospace ro rw size= codec= store= name= read-ahead= attr-timeout= entry-timeout= threads= watch= "
                    "exclusive writeback nosuid nodev noexec noatime allow_other nofail"},
    {"mount", "--store", ""},
    {"mount", "--name", ""},
    {"mount", "--read-ahead", ""},
    {"mount", "--attr-timeout", ""},
    {"mount", "--entry-timeout", ""},
    {"mount", "--threads", ""},
    {"bench", "--pages", ""},
    {"bench", "--sizes", ""},
    {"bench", "--cache", ""},
    {"bench", "--compile", ""},
    {"bench", "--only", "blocks full give-back memory-file deferred index space cold"},
    {"bench", "--corpus", ":files"},
    {"bench", "--save", ":files"},
    {"bench", "--load", ":files"},
    {"bench", "--picture", ":files"},
    {"bench", "--tree", ":directories"},
    {"config", "--config", ":files"},
    {"set", "--weight", ""},
    {"set", "-w", ""},
    {"set", "--cap", "none 64M 256M 1G"},
    {"set", "-c", "none 64M 256M 1G"},
    {"set", "--compress", "0 1"},
    {"set", "-p", "0 1"},
    {"shared-auth", "--auth", "0 1"},
    {"shared-auth", "-A", "0 1"},
    {"shared-auth", "--uuid", ""},
    {"shared-auth", "-u", ""},
    {"events", "--from", ""},
    {"top", "--order", "charge gets name"},
    {"top", "--interval", ""},
    {"save", "--ephemeral", "none all 64M 256M 1G 10s"},
    {"save", "--format", "tmem xen xen-4.8"},
    {"restore", "--format", "tmem xen xen-4.8"},
    {"migrate", "--ephemeral", "none all 64M 256M 1G 10s"},
    {"migrate", "--psk", ":files"},
    {"migrate", "--certificate", ":files"},
    {"migrate", "--key", ":files"},
    {"migrate", "--ca", ":files"},
    {"receive", "--psk", ":files"},
    {"receive", "--certificate", ":files"},
    {"receive", "--key", ":files"},
    {"receive", "--ca", ":files"},
    {"receive", "--listen", ""},
    {NULL, "--as", ""},
    {NULL, "--socket", ":files"},
};

static void offer(const char *word, const char *begun)
{
    if (strncmp(word, begun, strlen(begun)) == 0)
        (void)puts(word);
}

/* Words with blanks between; those for the shell in any case. */
static void offer_all(const char *words, const char *begun)
{
    char copy[512];
    char *rest;
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        offer(word, word[0] == ':' ? "" : begun);
}

/* True: the word before is an option that takes a value. */
static bool offer_values(const char *verb, const char *option, const char *begun)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(known_values); i++) {
        bool is_verb = known_values[i].verb == NULL || strcmp(known_values[i].verb, verb) == 0;
        if (!is_verb || strcmp(known_values[i].option, option) != 0)
            continue;
        offer_all(known_values[i].values, begun);
        return true;
    }
    return false;
}

/* ---- options ---- */

/* What a verb that is a program tells; empty where that fails. */
static void read_help(const struct tm_cli_verb *verb, const char *more, char *help, size_t help_bytes)
{
    char name[] = "tmem";
    char option[] = "--help";
    int ends[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    size_t used = 0;
    ssize_t got;
    /* posix_spawn() does not write to them. */
    char *arguments[] = {name, (char *)(uintptr_t)verb->name, option, NULL, NULL};
    if (more != NULL) {
        arguments[2] = (char *)(uintptr_t)more;
        arguments[3] = option;
    }
    help[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    bool is_begun = posix_spawn_file_actions_init(&actions) == 0;
    if (is_begun) {
        is_begun = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0 &&
                   posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ) == 0;
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(ends[1]);
    while (is_begun && (got = read(ends[0], help + used, help_bytes - 1u - used)) > 0)
        used += (size_t)got;
    help[used] = '\0';
    (void)close(ends[0]);
    if (is_begun)
        (void)waitpid(child, NULL, 0);
}

/* True: the option, of @length bytes, stands earlier in the text as well. */
static bool is_told(const char *help, const char *option, size_t length)
{
    for (const char *at = help; (at = strstr(at, "--")) != NULL && at < option; at += 2)
        if (strncmp(at, option, length) == 0 && strchr("abcdefghijklmnopqrstuvwxyz-", at[length]) == NULL)
            return true;
    return false;
}

static void offer_options(const struct tm_cli_verb *verb, const char *more, const char *begun)
{
    static char text[HELP_BYTES];
    char option[64];
    const char *help = verb->help;
    if (help == NULL) {
        read_help(verb, more, text, sizeof text);
        help = text;
    }
    for (const char *at = help; (at = strstr(at, "--")) != NULL; at += 2) {
        size_t length = 2u + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");
        bool begins = at == help || strchr(" \n[|,(`", at[-1]) != NULL;
        if (length <= 2u || length >= sizeof option || !begins || is_told(help, at, length))
            continue;
        memcpy(option, at, length);
        option[length] = '\0';
        offer(option, begun);
    }
}

/* ---- operands ---- */

static bool offer_mount(const struct tm_mount_entry *entry, void *context)
{
    const char *begun = context;
    if (strcmp(entry->type, TM_MOUNT_TYPE) == 0)
        offer(entry->point, begun);
    return true;
}

/* What stands behind --socket among the words, or NULL. */
static const char *socket_of(int count, char **words)
{
    for (int i = 0; i + 2 < count; i++)
        if (strcmp(words[i], "--socket") == 0)
            return words[i + 1];
    return NULL;
}

/* Nothing where there is no daemon. */
static void offer_clients(const char *socket, const char *begun)
{
    struct tmem_daemon *daemon;
    const char *line;
    size_t index;
    const json_t *client;
    if (tmem_daemon_open(socket, &daemon, NULL) != TMEM_OK)
        return;
    if (tmem_daemon_ask(daemon, "{\"verb\":\"list\"}", NULL, 0, &line) == TMEM_OK) {
        json_t *answer = json_loads(line, 0, NULL);
        json_array_foreach(json_object_get(answer, "clients"), index, client)
        {
            offer(tm_cli_text(client, "client"), begun);
        }
        json_decref(answer);
    }
    tmem_daemon_close(daemon);
}

static void offer_operands(const struct tm_cli_verb *verb, int count, char **words)
{
    int at = count - 1;
    char *begun = words[at];
    switch (verb->operand) {
    case TM_CLI_DIRECTORIES:
        (void)puts(":directories");
        break;
    case TM_CLI_FILES:
        (void)puts(":files");
        break;
    case TM_CLI_MOUNTS:
        (void)!tm_mount_each(offer_mount, begun);
        break;
    case TM_CLI_CLIENTS:
        offer_clients(socket_of(count, words), begun);
        break;
    case TM_CLI_SIZE_AND_CLIENT:
        if (at > 1)
            offer_clients(socket_of(count, words), begun);
        break;
    case TM_CLI_CHECK:
        if (at == 1)
            offer("check", begun);
        break;
    case TM_CLI_BENCHES:
        if (at == 1)
            offer_all("engine policy", begun);
        break;
    case TM_CLI_NOTHING:
        break;
    }
}

static void offer_verbs(const char *begun)
{
    for (const struct tm_cli_verb *verb = tm_cli_verbs; verb->name != NULL; verb++)
        offer(verb->name, begun);
}

enum tm_exit tm_cli_complete(int count, char **words)
{
    if (count < 1)
        return TM_EXIT_USAGE;
    char *begun = words[count - 1];
    const struct tm_cli_verb *verb = count > 1 ? tm_cli_find_verb(words[0]) : NULL;
    if (count == 1) {
        offer_verbs(begun);
        offer_all("help --help --version", begun);
    } else if (verb == NULL) {
        if (count == 2 && strcmp(words[0], "help") == 0)
            offer_verbs(begun);
    } else if (count > 2 && offer_values(verb->name, words[count - 2], begun))
        return TM_EXIT_OK;
    else if (begun[0] == '-') {
        bool is_policy = verb->operand == TM_CLI_BENCHES && count > 2 && strcmp(words[1], "policy") == 0;
        offer_options(verb, is_policy ? "policy" : NULL, begun);
    } else
        offer_operands(verb, count, words);
    return TM_EXIT_OK;
}
