/* SPDX-License-Identifier: BSD-2-Clause */
/* config.c - see config.h. */
#include "daemon/config.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "command/size.h"
#include "daemon/uuid.h"

#define LINE_SIZE 512u
#define PROBLEM_SIZE 400u
#define RULES_MAX 4096u

#define THREADS_MAX 64u
#define GRACE_MAX 86400u
#define CONNECTIONS_MAX 65536u
#define REGION_BYTES (UINT64_C(16) << 20)
#define POOLS_MAX 4096u
#define METRICS_CLIENTS_MAX 4096u

/* Where reading stands. */
struct reader {
    struct tm_config *config;
    tm_config_report report;
    void *context;
    const char *path;
    unsigned line;
    unsigned problems;
    const struct section *section; /* NULL: before the first, or an unknown one, whose lines are passed over */
    bool passes_over;
    struct tm_rule *rule; /* of [client NAME] and [others] */
};

void tm_config_init(struct tm_config *config)
{
    static const struct tm_rule others = {
        .allowed = true,
        .weight = 100,
        .cap_bytes = UINT64_MAX,
        .region_bytes = REGION_BYTES,
        .persistent = false,
        .pools = 256,
        .clients = 64,
    };
    *config = (struct tm_config){
        .grace_seconds = 30,
        .connections = 4096,
        .size_bytes = UINT64_C(256) << 20,
        .codec = "lz4",
        .dedup = true,
        .control_group = "tmem-admin",
        .control_mode = 0660,
        .metrics_clients = 100,
        .own = others,
        .others = others,
    };
    /* Whose daemon it is does not need to be kept from using it up. */
    config->own.weight = 1000000;
    config->own.persistent = true;
    config->own.region_bytes = UINT64_MAX;
    config->own.pools = POOLS_MAX;
    config->own.clients = UINT32_MAX;
}

void tm_config_fini(struct tm_config *config)
{
    for (size_t i = 0; i < config->rule_count; i++)
        free(config->rules[i].uuids);
    free(config->rules);
    config->rules = NULL;
    config->rule_count = 0;
}

static TM_PRINTF(2, 3) void problem(struct reader *reader, const char *format, ...)
{
    char place[PATH_MAX + 16];
    char text[PROBLEM_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (reader->line != 0)
        (void)snprintf(place, sizeof place, "%s:%u", reader->path, reader->line);
    else
        (void)snprintf(place, sizeof place, "%s", reader->path);
    reader->problems++;
    reader->report(reader->context, place, text);
}

/* ---- values ---- */

static bool number_of(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < least || value > most)
        return false;
    *number = value;
    return true;
}

static bool set_number(struct reader *reader, const char *key, const char *value, uint64_t least, uint64_t most,
                       uint32_t *number)
{
    uint64_t wide;
    if (!number_of(value, least, most, &wide)) {
        problem(reader, "%s = %s: expected a number from %llu to %llu", key, value, (unsigned long long)least,
                (unsigned long long)most);
        return false;
    }
    *number = (uint32_t)wide;
    return true;
}

static void set_switch(struct reader *reader, const char *key, const char *value, bool *is_on)
{
    if (strcmp(value, "yes") == 0)
        *is_on = true;
    else if (strcmp(value, "no") == 0)
        *is_on = false;
    else
        problem(reader, "%s = %s: expected yes or no", key, value);
}

static void set_size(struct reader *reader, const char *key, const char *value, uint64_t *bytes)
{
    enum tm_size_problem what = tm_size_parse(value, bytes);
    if (what != TM_SIZE_OK)
        problem(reader, "%s = %s: expected a size such as 512M or 4G (%s)", key, value, tm_size_problem_text(what));
}

/* A user's number or name. */
static void set_user(struct reader *reader, const char *key, const char *value, struct tm_rule *rule)
{
    uint64_t number;
    struct passwd entry;
    struct passwd *found = NULL;
    char room[4096];
    if (number_of(value, 0, UINT32_MAX - 1u, &number)) {
        rule->uid = (uid_t)number;
        rule->has_uid = true;
    } else if (getpwnam_r(value, &entry, room, sizeof room, &found) == 0 && found != NULL) {
        rule->uid = entry.pw_uid;
        rule->has_uid = true;
    } else
        problem(reader, "%s = %s: no such user (a name, or a number)", key, value);
}

/* ---- keys ---- */

static void set_socket(struct reader *reader, const char *value, char path[static TM_SOCKET_PATH_SIZE])
{
    size_t length = strlen(value);
    if (value[0] != '/' || length >= TM_SOCKET_PATH_SIZE)
        problem(reader, "socket = %s: expected a path from / on of at most %u bytes", value, TM_SOCKET_PATH_SIZE - 1u);
    else
        memcpy(path, value, length + 1u);
}

static bool set_daemon(struct reader *reader, const char *key, const char *value)
{
    struct tm_config *config = reader->config;
    if (strcmp(key, "socket") == 0)
        set_socket(reader, value, config->socket);
    else if (strcmp(key, "threads") == 0)
        (void)set_number(reader, key, value, 1, THREADS_MAX, &config->threads);
    else if (strcmp(key, "grace") == 0)
        (void)set_number(reader, key, value, 0, GRACE_MAX, &config->grace_seconds);
    else if (strcmp(key, "connections") == 0)
        (void)set_number(reader, key, value, 1, CONNECTIONS_MAX, &config->connections);
    else
        return false;
    return true;
}

/* Letters, digits and what a level needs; whether there is such a codec is for the store to say. */
static void set_codec(struct reader *reader, const char *value)
{
    size_t length = strlen(value);
    if (length >= sizeof reader->config->codec || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789:-") != length)
        problem(reader, "codec = %s: expected lz4, zstd, zstd:LEVEL, lzo or none", value);
    else
        memcpy(reader->config->codec, value, length + 1u);
}

static bool set_store(struct reader *reader, const char *key, const char *value)
{
    struct tm_config *config = reader->config;
    if (strcmp(key, "size") == 0)
        set_size(reader, key, value, &config->size_bytes);
    else if (strcmp(key, "codec") == 0)
        set_codec(reader, value);
    else if (strcmp(key, "dedup") == 0)
        set_switch(reader, key, value, &config->dedup);
    else if (strcmp(key, "defer") == 0)
        set_switch(reader, key, value, &config->defer);
    else if (strcmp(key, "cold") == 0)
        (void)set_number(reader, key, value, 0, 100, &config->cold_percent);
    else
        return false;
    return true;
}

static bool set_limit(struct reader *reader, const char *key, const char *value)
{
    struct tm_rule *rule = reader->rule;
    if (strcmp(key, "weight") == 0)
        (void)set_number(reader, key, value, 1, 1000000, &rule->weight);
    else if (strcmp(key, "cap") == 0 && strcmp(value, "none") == 0)
        rule->cap_bytes = UINT64_MAX;
    else if (strcmp(key, "cap") == 0)
        set_size(reader, key, value, &rule->cap_bytes);
    else if (strcmp(key, "regions") == 0)
        set_size(reader, key, value, &rule->region_bytes);
    else if (strcmp(key, "persistent") == 0)
        set_switch(reader, key, value, &rule->persistent);
    else if (strcmp(key, "pools") == 0)
        (void)set_number(reader, key, value, 1, POOLS_MAX, &rule->pools);
    else if (strcmp(key, "clients") == 0)
        (void)set_number(reader, key, value, 1, CONNECTIONS_MAX, &rule->clients);
    else
        return false;
    return true;
}

static void add_uuid(struct reader *reader, const char *word)
{
    struct tm_rule *rule = reader->rule;
    struct tmem_uuid uuid;
    if (!tm_uuid_parse(word, &uuid)) {
        problem(reader, "uuids: '%s' is no uuid (32 hexadecimal digits, with hyphens or without)", word);
        return;
    }
    struct tmem_uuid *uuids = reallocarray(rule->uuids, rule->uuid_count + 1u, sizeof *uuids);
    if (uuids == NULL) {
        problem(reader, "uuids: no memory");
        return;
    }
    rule->uuids = uuids;
    rule->uuids[rule->uuid_count++] = uuid;
}

/* Names of shared pools, with blanks or commas between. */
static void set_uuids(struct reader *reader, const char *value)
{
    char words[LINE_SIZE];
    char *rest;
    reader->rule->uuid_count = 0;
    (void)snprintf(words, sizeof words, "%s", value);
    for (char *word = strtok_r(words, ", \t", &rest); word != NULL; word = strtok_r(NULL, ", \t", &rest))
        add_uuid(reader, word);
}

static bool set_client(struct reader *reader, const char *key, const char *value)
{
    if (strcmp(key, "uid") == 0)
        set_user(reader, key, value, reader->rule);
    else if (strcmp(key, "uuids") == 0)
        set_uuids(reader, value);
    else
        return set_limit(reader, key, value);
    return true;
}

static bool set_others(struct reader *reader, const char *key, const char *value)
{
    if (strcmp(key, "allow") != 0)
        return set_limit(reader, key, value);
    set_switch(reader, key, value, &reader->rule->allowed);
    return true;
}

/* Permissions as chmod takes them: a socket is only connected to, by who may write. */
static void set_mode(struct reader *reader, const char *value)
{
    char *end;
    unsigned long mode = strtoul(value, &end, 8);
    if (value[0] < '0' || value[0] > '7' || *end != '\0' || mode > 0777u || (mode & 0600u) != 0600u)
        problem(reader, "mode = %s: expected permissions such as 0660, for the owner at least 0600", value);
    else
        reader->config->control_mode = (uint32_t)mode;
}

static bool set_control(struct reader *reader, const char *key, const char *value)
{
    struct tm_config *config = reader->config;
    size_t length = strlen(value);
    if (strcmp(key, "socket") == 0)
        set_socket(reader, value, config->control_socket);
    else if (strcmp(key, "mode") == 0)
        set_mode(reader, value);
    else if (strcmp(key, "group") != 0)
        return false;
    else if (length == 0 || length >= sizeof config->control_group)
        problem(reader, "group = %s: expected the name of a group", value);
    else
        memcpy(config->control_group, value, length + 1u);
    return true;
}

static bool set_metrics(struct reader *reader, const char *key, const char *value)
{
    struct tm_config *config = reader->config;
    if (strcmp(key, "socket") == 0)
        set_socket(reader, value, config->metrics_socket);
    else if (strcmp(key, "clients") == 0)
        (void)set_number(reader, key, value, 0, METRICS_CLIENTS_MAX, &config->metrics_clients);
    else if (strcmp(key, "listen") != 0)
        return false;
    else if (!tm_address_parse(value, &config->metrics_address))
        problem(reader, "listen = %s: expected an address and a port such as 127.0.0.1:9753", value);
    return true;
}

/* ---- sections ---- */

#define SECTIONS "[daemon], [store], [client NAME], [others], [control], [metrics]"

static const struct section {
    const char *name;
    const char *keys; /* for messages */
    bool (*set)(struct reader *reader, const char *key, const char *value);
} sections[] = {
    {"daemon", "socket, threads, grace, connections", set_daemon},
    {"store", "size, codec, dedup, defer, cold", set_store},
    {"client", "uid, weight, cap, persistent, pools, clients, regions, uuids", set_client},
    {"others", "allow, weight, cap, persistent, pools, clients, regions", set_others},
    {"control", "socket, group, mode", set_control},
    {"metrics", "listen, socket, clients", set_metrics},
};

static bool is_client_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < TMEM_CLIENT_NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-@") == length;
}

/* The rule of [client NAME]: a drop-in may go on with one that is there. NULL: no memory. */
static struct tm_rule *client_rule(struct tm_config *config, const char *name)
{
    for (size_t i = 0; i < config->rule_count; i++)
        if (strcmp(config->rules[i].name, name) == 0)
            return &config->rules[i];
    struct tm_rule *rules = reallocarray(config->rules, config->rule_count + 1u, sizeof *rules);
    if (rules == NULL)
        return NULL;
    config->rules = rules;
    struct tm_rule *rule = &rules[config->rule_count++];
    *rule = (struct tm_rule){.allowed = true,
                             .weight = 100,
                             .cap_bytes = UINT64_MAX,
                             .region_bytes = REGION_BYTES,
                             .persistent = true,
                             .pools = 256,
                             .clients = 1};
    memcpy(rule->name, name, strlen(name) + 1u);
    return rule;
}

static void open_client(struct reader *reader, const char *name)
{
    if (!is_client_name(name))
        problem(reader, "[client %s]: a name has 1 to %u letters, digits and .:_-@", name,
                TMEM_CLIENT_NAME_SIZE - 1u);
    else if (reader->config->rule_count >= RULES_MAX)
        problem(reader, "[client %s]: more than %u clients", name, RULES_MAX);
    else if ((reader->rule = client_rule(reader->config, name)) == NULL)
        problem(reader, "[client %s]: no memory", name);
    reader->passes_over = reader->rule == NULL;
}

/* `[NAME]` or `[client NAME]`, without the brackets. */
static void open_section(struct reader *reader, char *text)
{
    char *argument = text + strcspn(text, " ");
    if (*argument != '\0') {
        *argument++ = '\0';
        argument += strspn(argument, " ");
    }
    reader->section = NULL;
    reader->rule = NULL;
    reader->passes_over = false;
    for (size_t i = 0; i < TM_ARRAY_SIZE(sections); i++)
        if (strcmp(sections[i].name, text) == 0)
            reader->section = &sections[i];
    bool is_client = reader->section != NULL && reader->section->set == set_client;
    if (reader->section == NULL || (!is_client && *argument != '\0')) {
        problem(reader, "[%s%s%s]: no such section (" SECTIONS ")", text,
                *argument != '\0' ? " " : "", argument);
        reader->passes_over = true;
    } else if (is_client)
        open_client(reader, argument);
    else if (reader->section->set == set_others)
        reader->rule = &reader->config->others;
}

/* ---- lines ---- */

/* Without blanks around it. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1u]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static void read_pair(struct reader *reader, char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        problem(reader, "'%s': expected key = value, or [section]", text);
        return;
    }
    *equals = '\0';
    const char *key = trimmed(text);
    const char *value = trimmed(equals + 1);
    if (reader->section == NULL)
        problem(reader, "%s: stands before the first section (" SECTIONS ")", key);
    else if (!reader->section->set(reader, key, value))
        problem(reader, "%s: no such key in [%s] (%s)", key, reader->section->name, reader->section->keys);
}

static void read_line(struct reader *reader, char *line)
{
    char *text = trimmed(line);
    if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
        return;
    size_t length = strlen(text);
    if (text[0] == '[' && text[length - 1u] == ']') {
        text[length - 1u] = '\0';
        open_section(reader, trimmed(text + 1));
    } else if (!reader->passes_over)
        read_pair(reader, text);
}

/* True: there was such a file. */
static bool read_file(struct reader *reader, const char *path, bool is_required)
{
    char line[LINE_SIZE];
    char cause[TM_ERROR_TEXT_SIZE];
    reader->path = path;
    reader->line = 0;
    reader->section = NULL;
    reader->rule = NULL;
    reader->passes_over = false;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        if (is_required || errno != ENOENT)
            problem(reader, "cannot open it: %s (%s)", tm_error_text(errno, cause),
                    tm_error_remedy(errno, "is the name right?"));
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        reader->line++;
        if (strchr(line, '\n') == NULL && !feof(file)) {
            problem(reader, "the line is longer than %u bytes", LINE_SIZE - 2u);
            for (int letter = 0; letter != '\n' && letter != EOF;)
                letter = fgetc(file);
        } else
            read_line(reader, line);
    }
    reader->line = 0;
    if (ferror(file))
        problem(reader, "cannot read it: %s", tm_error_text(errno, cause));
    (void)fclose(file);
    return true;
}

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static void read_drop_ins(struct reader *reader, const char *path)
{
    char directory[PATH_MAX];
    char file[PATH_MAX + NAME_MAX + 2];
    struct dirent **entries;
    if (snprintf(directory, sizeof directory, "%s.d", path) >= (int)sizeof directory)
        return;
    int count = scandir(directory, &entries, is_drop_in, alphasort);
    for (int i = 0; i < count; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", directory, entries[i]->d_name);
        (void)read_file(reader, file, true);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

unsigned tm_config_read(struct tm_config *config, const char *path, bool is_required, tm_config_report report,
                        void *context)
{
    struct reader reader = {.config = config, .report = report, .context = context};
    (void)read_file(&reader, path, is_required);
    read_drop_ins(&reader, path);
    reader.path = path;
    reader.line = 0;
    for (size_t i = 0; i < config->rule_count; i++)
        if (!config->rules[i].has_uid)
            problem(&reader, "[client %s] has no uid = USER: nobody could connect as it", config->rules[i].name);
    return reader.problems;
}

/* ---- who is who ---- */

/* The section of this user that has the name asked for, else the first. */
static const struct tm_rule *named_rule(const struct tm_config *config, uid_t uid, const char *wish)
{
    const struct tm_rule *first = NULL;
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct tm_rule *rule = &config->rules[i];
        if (rule->uid != uid)
            continue;
        if (strcmp(rule->name, wish) == 0)
            return rule;
        if (first == NULL)
            first = rule;
    }
    return first;
}

static const struct tm_rule *rule_without_name(const struct tm_config *config, uid_t uid)
{
    return uid == geteuid() ? &config->own : &config->others;
}

const struct tm_rule *tm_config_rule(const struct tm_config *config, uid_t uid, const char *wish,
                                     char name[static TMEM_CLIENT_NAME_SIZE], char *text, size_t text_size)
{
    char base[TMEM_CLIENT_NAME_SIZE];
    const struct tm_rule *rule = named_rule(config, uid, wish);
    if (rule != NULL)
        memcpy(base, rule->name, sizeof base);
    else {
        rule = rule_without_name(config, uid);
        (void)snprintf(base, sizeof base, "uid-%u", (unsigned)uid);
    }
    if (!rule->allowed) {
        snprintf(text, text_size,
                 "user %u may not connect (see [client NAME] and [others] in the daemon's configuration)",
                 (unsigned)uid);
        return NULL;
    }
    /* Nothing behind the end: the name travels whole. */
    memset(name, 0, TMEM_CLIENT_NAME_SIZE);
    bool is_other = wish[0] != '\0' && strcmp(wish, base) != 0;
    int length = snprintf(name, TMEM_CLIENT_NAME_SIZE, "%s%s%s", base, is_other ? ":" : "", is_other ? wish : "");
    if (length >= (int)TMEM_CLIENT_NAME_SIZE || !is_client_name(name)) {
        snprintf(text, text_size,
                 "'%s' cannot be part of a client's name, %s:NAME (at most %u letters, digits and .:_-@)", wish, base,
                 TMEM_CLIENT_NAME_SIZE - 1u);
        return NULL;
    }
    return rule;
}

const struct tm_rule *tm_config_rule_of(const struct tm_config *config, uid_t uid, const char *name)
{
    const struct tm_rule *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct tm_rule *rule = &config->rules[i];
        size_t length = strlen(rule->name);
        bool fits = rule->uid == uid && strncmp(name, rule->name, length) == 0 &&
                    (name[length] == '\0' || name[length] == ':');
        if (fits && length > best_length) {
            best = rule;
            best_length = length;
        }
    }
    if (best == NULL)
        best = named_rule(config, uid, "");
    return best != NULL ? best : rule_without_name(config, uid);
}

void tm_config_uri(const struct tm_config *config, int arena, char *uri, size_t uri_size)
{
    char cold[40] = "";
    char file[24] = "";
    if (arena >= 0)
        (void)snprintf(file, sizeof file, ",arena-fd=%d", arena);
    if (config->cold_percent != 0)
        (void)snprintf(cold, sizeof cold, ",cold=%u,cold-age=%u", config->cold_percent, TM_CONFIG_COLD_SECONDS);
    (void)snprintf(uri, uri_size, "embedded:size=%llu,codec=%s,dedup=%s,defer=%s,persistent=memfd%s%s",
                   (unsigned long long)config->size_bytes, config->codec, config->dedup ? "on" : "off",
                   config->defer ? "on" : "off", cold, file);
}
