/* SPDX-License-Identifier: BSD-2-Clause */
/* stats.c - `tmem stats`: what a mount has read from where, for people and for programs. */
#include "cli/cli.h"
#include "cli/daemon_stats.h"
#include "command/mount_stats.h"
#include "command/mount_table.h"
#include "command/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char tm_cli_stats_help[] =
    "usage: tmem stats [--json] [--watch [SECONDS]] MNT\n"
    "       tmem stats [--json] [--socket PATH]\n"
    "\n"
    "Shows what the files in MNT were read from since it was mounted: the store or the disk, and how\n"
    "well the store is filled. The kernel's own cache answers without asking tmem; such reads cannot\n"
    "be counted. Who may read the directory may ask.\n"
    "\n"
    "Without MNT: how the store of a daemon is filled.\n"
    "\n"
    "  --json             one flat JSON object on one line\n"
    "  --watch [SECONDS]  again every so many seconds (default 1), with what happened per second;\n"
    "                     ends with ^C, or with the mount\n"
    "  --socket PATH      the daemon's control socket\n"
    "\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 3 no such directory or no tmem mount, 4 denied, 5 no daemon.\n";

/* A process that is busy answers late; one that is stopped never. */
#define ANSWER_MS 10000

#define WATCH_MIN_SECONDS 0.1
#define WATCH_MAX_SECONDS 86400.0

/* How a row's number is meant. */
enum row_kind {
    ROW_COUNT,
    ROW_BYTES,
    ROW_PERCENT,
    ROW_RATIO,
    ROW_SECONDS
};

struct row {
    const char *label;
    const char *member;
    enum row_kind kind;
    bool grows; /* a sum since the mount began: what it grew by is of interest */
};

static const struct row rows[] = {
    {"mounted for", "uptime_seconds", ROW_SECONDS, false},
    {"reads asked of tmem", "reads", ROW_COUNT, true},
    {"pages from the store", "pages_from_store", ROW_COUNT, true},
    {"pages from the disk", "pages_from_disk", ROW_COUNT, true},
    {"hit ratio", "hit_ratio", ROW_PERCENT, false},
    {"disk reads", "disk_reads", ROW_COUNT, true},
    {"read from the disk", "disk_bytes", ROW_BYTES, true},
    {"of it read ahead", "read_ahead_bytes", ROW_BYTES, true},
    {"writes", "writes", ROW_COUNT, true},
    {"written", "write_bytes", ROW_BYTES, true},
    {"pages put", "puts", ROW_COUNT, true},
    {"of them stored", "puts_stored", ROW_COUNT, true},
    {"pages evicted", "evicted_pages", ROW_COUNT, true},
    {"store size", "size_bytes", ROW_BYTES, false},
    {"resident", "resident_bytes", ROW_BYTES, false},
    {"stored", "stored_bytes", ROW_BYTES, false},
    {"stored per resident byte", "stored_per_resident", ROW_RATIO, false},
    {"cold pages", "cold_pages", ROW_COUNT, false},
    {"cold blocks", "cold_bytes", ROW_BYTES, false},
    {"pages made cold", "recompressed_pages", ROW_COUNT, true},
    {"cold pages brought back", "promoted_pages", ROW_COUNT, true},
    {"time on cold pages", "cold_seconds", ROW_SECONDS, false},
    {"files known", "files_known", ROW_COUNT, false},
    {"files found changed", "files_changed", ROW_COUNT, true},
    {"disk errors", "disk_errors", ROW_COUNT, true},
};

/* What has been told, now and one interval ago. */
struct told {
    const char *now;
    const char *before; /* NULL: nothing yet */
    double seconds;     /* between the two, by the process's own clock; 0 without before */
};

/* What a sum has grown by in a second. False: not known. */
static bool find_rate(const struct told *told, const char *member, double *per_second)
{
    uint64_t now = 0;
    uint64_t before = 0;
    if (told->seconds <= 0 || !tm_json_find_unsigned(told->now, member, &now) ||
        !tm_json_find_unsigned(told->before, member, &before) || now < before)
        return false;
    *per_second = (double)(now - before) / told->seconds;
    return true;
}

/* The share of pages that came from the store during the interval. False: none was asked for. */
static bool find_interval_ratio(const struct told *told, double *ratio)
{
    double store = 0;
    double disk = 0;
    if (!find_rate(told, "pages_from_store", &store) || !find_rate(told, "pages_from_disk", &disk) || store + disk <= 0)
        return false;
    *ratio = store / (store + disk);
    return true;
}

/* What stands in the second column: what happened in the interval. */
static void format_interval(const struct told *told, const struct row *row, char *text, size_t text_size)
{
    char size[TM_SIZE_TEXT];
    double value = 0;
    text[0] = '\0';
    if (row->kind == ROW_PERCENT && find_interval_ratio(told, &value))
        (void)snprintf(text, text_size, "%.1f %%", 100.0 * value);
    else if (row->grows && find_rate(told, row->member, &value) && row->kind == ROW_BYTES)
        (void)snprintf(text, text_size, "%s/s", tm_size_format((uint64_t)(value + 0.5), size));
    else if (row->grows && find_rate(told, row->member, &value))
        (void)snprintf(text, text_size, "%.0f/s", value);
}

/* What stands in the first column; false for a member that an older process does not have. */
static bool format_total(const char *text, const struct row *row, char *total, size_t total_size)
{
    uint64_t number = 0;
    double decimal = 0;
    char size[TM_SIZE_TEXT];
    if (row->kind == ROW_COUNT || row->kind == ROW_BYTES) {
        if (!tm_json_find_unsigned(text, row->member, &number))
            return false;
    } else if (!tm_json_find_decimal(text, row->member, &decimal)) {
        return false;
    }
    switch (row->kind) {
    case ROW_COUNT:
        (void)snprintf(total, total_size, "%" PRIu64, number);
        return true;
    case ROW_BYTES:
        (void)snprintf(total, total_size, "%s", tm_size_format(number, size));
        return true;
    case ROW_PERCENT:
        (void)snprintf(total, total_size, "%.1f %%", 100.0 * decimal);
        return true;
    case ROW_RATIO:
        (void)snprintf(total, total_size, "%.2f", decimal);
        return true;
    case ROW_SECONDS:
        (void)snprintf(total, total_size, "%.0f s", decimal);
        return true;
    }
    return false;
}

static enum tm_exit print_table(const char *point, const struct told *told, const char *prefix)
{
    char table[PATH_MAX + 4096];
    char directory[PATH_MAX];
    char watch_kind[32];
    size_t used = 0;
    if (!tm_json_find_string(told->now, "directory", directory, sizeof directory))
        directory[0] = '\0';
    used += (size_t)snprintf(table, sizeof table, "%s%s on %s\n", prefix, directory, point);
    if (tm_json_find_string(told->now, "watch", watch_kind, sizeof watch_kind))
        used += (size_t)snprintf(table + used, sizeof table - used, "%-26s %s\n", "changes noticed by", watch_kind);
    for (size_t i = 0; i < TM_ARRAY_SIZE(rows) && used < sizeof table; i++) {
        char total[32];
        char interval[32];
        if (!format_total(told->now, &rows[i], total, sizeof total))
            continue;
        format_interval(told, &rows[i], interval, sizeof interval);
        if (interval[0] != '\0')
            used += (size_t)snprintf(table + used, sizeof table - used, "%-26s %-14s %s\n", rows[i].label, total,
                                     interval);
        else
            used += (size_t)snprintf(table + used, sizeof table - used, "%-26s %s\n", rows[i].label, total);
    }
    return tm_print_stdout(table);
}

/* The interval's members, behind those that the process has told. */
static void write_interval(struct tm_json *json, const struct told *told)
{
    double value = 0;
    if (told->seconds > 0)
        tm_json_decimal(json, "interval_seconds", told->seconds, 3);
    else
        tm_json_null(json, "interval_seconds");
    if (find_interval_ratio(told, &value))
        tm_json_decimal(json, "interval_hit_ratio", value, 4);
    else
        tm_json_null(json, "interval_hit_ratio");
    for (size_t i = 0; i < TM_ARRAY_SIZE(rows); i++) {
        char name[64];
        if (!rows[i].grows)
            continue;
        (void)snprintf(name, sizeof name, "%s_per_second", rows[i].member);
        if (find_rate(told, rows[i].member, &value))
            tm_json_decimal(json, name, value, 3);
        else
            tm_json_null(json, name);
    }
}

static enum tm_exit print_json(const char *path, const struct told *told, bool watching)
{
    static char line[TM_MOUNT_STATS_SIZE + 4096];
    struct tm_json json;
    size_t length = strlen(told->now);
    bool fits = length >= 2 && length + 2u < sizeof line;
    if (fits && watching) {
        /* Both are objects: the second follows the first without its brace. */
        memcpy(line, told->now, length);
        tm_json_begin(&json, line + length - 1u, sizeof line - length - 1u);
        tm_json_open_object(&json, NULL);
        write_interval(&json, told);
        tm_json_close_object(&json);
        fits = tm_json_end(&json);
        line[length - 1u] = ',';
        length += json.used - 1u;
    } else if (fits) {
        memcpy(line, told->now, length);
    }
    if (!fits)
        return tm_fail(TM_EXIT_FAILED, "the statistics of %s do not fit", path);
    line[length] = '\n';
    line[length + 1u] = '\0';
    return tm_print_stdout(line);
}

/* The process did not answer: says why, as well as the table of mounts knows. */
static enum tm_exit explain(const char *path, int error)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char point[PATH_MAX];
    struct tm_mount_entry entry;
    if (tm_mount_resolve(path, point) != 0)
        return tm_fail(tm_exit_of_error(errno), "cannot read statistics of %s: %s (%s)", path,
                       tm_error_text(errno, cause),
                       tm_error_remedy(errno, "`findmnt -t " TM_MOUNT_TYPE "` lists what is mounted"));
    bool is_ours = tm_mount_find(point, &entry) == 1 && strcmp(entry.type, TM_MOUNT_TYPE) == 0;
    if (!is_ours)
        return tm_fail(TM_EXIT_NOT_FOUND, "%s is no tmem mount (`findmnt -t " TM_MOUNT_TYPE "` lists them)", path);
    if (error == ETIMEDOUT)
        return tm_fail(TM_EXIT_FAILED, "the process of the mount %s does not answer (is it stopped, or the disk?)",
                       path);
    if (error == ENOTCONN || error == ECONNABORTED)
        return tm_fail(TM_EXIT_FAILED, "the process of the mount %s has died (try: tmem umount %s)", path, path);
    return tm_fail(tm_exit_of_error(error), "cannot read statistics of %s: %s (who may read the directory may)",
                   path, tm_error_text(error, cause));
}

struct request {
    const char *path;
    bool as_json;
    double watch_seconds; /* 0: once */
};

static enum tm_exit show_once(const struct request *request)
{
    static char text[TM_MOUNT_STATS_SIZE];
    const struct told told = {.now = text};
    int error = tm_mount_stats_ask(request->path, ANSWER_MS, text);
    if (error != 0)
        return explain(request->path, error);
    return request->as_json ? print_json(request->path, &told, false) : print_table(request->path, &told, "");
}

/* The seconds between two answers; 0 when they are not of the same mount. */
static double seconds_between(const char *before, const char *now)
{
    uint64_t pids[2] = {0, 0};
    double uptimes[2] = {0, 0};
    if (!tm_json_find_unsigned(before, "pid", &pids[0]) || !tm_json_find_unsigned(now, "pid", &pids[1]) ||
        !tm_json_find_decimal(before, "uptime_seconds", &uptimes[0]) ||
        !tm_json_find_decimal(now, "uptime_seconds", &uptimes[1]) || pids[0] != pids[1] || uptimes[1] <= uptimes[0])
        return 0;
    return uptimes[1] - uptimes[0];
}

/* Moves *next on by the interval, and sleeps until then. */
static void sleep_until_next(struct timespec *next, double seconds)
{
    int64_t nanoseconds = next->tv_nsec + (int64_t)(seconds * 1e9);
    next->tv_sec += (time_t)(nanoseconds / 1000000000);
    next->tv_nsec = (long)(nanoseconds % 1000000000);
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL);
}

static enum tm_exit watch(const struct request *request)
{
    static char texts[2][TM_MOUNT_STATS_SIZE];
    /* On a terminal each block is written over the one before; elsewhere an empty line parts them. */
    bool in_place = isatty(STDOUT_FILENO) == 1;
    struct timespec next;
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned turn = 0;; turn++) {
        struct told told = {.now = texts[turn % 2u], .before = turn == 0 ? NULL : texts[(turn + 1u) % 2u]};
        int error = tm_mount_stats_ask(request->path, ANSWER_MS, texts[turn % 2u]);
        if (error != 0)
            return explain(request->path, error);
        if (told.before != NULL)
            told.seconds = seconds_between(told.before, told.now);
        const char *prefix = in_place ? "\033[H\033[J" : turn == 0 ? ""
                                                                   : "\n";
        enum tm_exit code =
            request->as_json ? print_json(request->path, &told, true) : print_table(request->path, &told, prefix);
        if (code != TM_EXIT_OK)
            return code;
        sleep_until_next(&next, request->watch_seconds);
    }
}

/* A number of seconds, if @text is one. */
static bool parse_seconds(const char *text, double *seconds)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= WATCH_MIN_SECONDS && number <= WATCH_MAX_SECONDS))
        return false;
    *seconds = number;
    return true;
}

/* Reads `--watch`, `--watch SECONDS`, `--watch=SECONDS`. What follows may be the mount point instead. */
static enum tm_exit parse_watch(int count, char **arguments, int *at, struct request *request)
{
    const char *equals = strchr(arguments[*at], '=');
    request->watch_seconds = 1.0;
    if (equals != NULL && !parse_seconds(equals + 1, &request->watch_seconds))
        return tm_cli_usage("stats", "--watch '%s' is not a number of seconds from 0.1 to 86400", equals + 1);
    if (equals != NULL || *at + 1 >= count)
        return TM_EXIT_OK;
    const char *value = arguments[*at + 1];
    char *end = NULL;
    (void)strtod(value, &end);
    bool is_number = end != value && *end == '\0';
    if (!is_number)
        return TM_EXIT_OK;
    if (!parse_seconds(value, &request->watch_seconds))
        return tm_cli_usage("stats", "--watch '%s' is not a number of seconds from 0.1 to 86400", value);
    (*at)++;
    return TM_EXIT_OK;
}

enum tm_exit tm_cli_stats(int count, char **arguments)
{
    struct request request = {.path = NULL};
    const char *socket = NULL;
    for (int i = 1; i < count; i++) {
        enum tm_exit code = TM_EXIT_OK;
        if (strcmp(arguments[i], "--json") == 0)
            request.as_json = true;
        else if (strcmp(arguments[i], "--socket") == 0 && i + 1 < count)
            socket = arguments[++i];
        else if (strcmp(arguments[i], "--watch") == 0 || strncmp(arguments[i], "--watch=", 8) == 0)
            code = parse_watch(count, arguments, &i, &request);
        else if (arguments[i][0] == '-')
            code = tm_cli_usage("stats", "unknown option '%s'", arguments[i]);
        else if (request.path != NULL)
            code = tm_cli_usage("stats", "more than one mount point: '%s'", arguments[i]);
        else
            request.path = arguments[i];
        if (code != TM_EXIT_OK)
            return code;
    }
    if (request.path == NULL && request.watch_seconds > 0)
        return tm_cli_usage("stats", "--watch needs a mount point");
    if (request.path == NULL)
        return tm_cli_daemon_stats(socket, request.as_json);
    if (*request.path == '\0' || socket != NULL)
        return tm_cli_usage("stats", socket != NULL ? "both a mount point and --socket" : "no mount point");
    return request.watch_seconds > 0 ? watch(&request) : show_once(&request);
}
