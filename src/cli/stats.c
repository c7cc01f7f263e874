/* SPDX-License-Identifier: BSD-2-Clause */
/* stats.c - `tmem stats`: what a mount has read from where, for people and for programs. */
#include "cli/cli.h"
#include "command/mount_stats.h"
#include "command/mount_table.h"
#include "command/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char tm_cli_stats_help[] =
    "usage: tmem stats [--json] MNT\n"
    "\n"
    "Shows what the files in MNT were read from since it was mounted: the store or the disk, and how\n"
    "well the store is filled. The kernel's own cache answers without asking tmem; such reads cannot\n"
    "be counted. Who may read the directory may ask.\n"
    "\n"
    "  --json   one flat JSON object on one line\n"
    "\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 3 no such directory or no tmem mount, 4 denied.\n";

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
};

static const struct row rows[] = {
    {"mounted for", "uptime_seconds", ROW_SECONDS},
    {"reads asked of tmem", "reads", ROW_COUNT},
    {"pages from the store", "pages_from_store", ROW_COUNT},
    {"pages from the disk", "pages_from_disk", ROW_COUNT},
    {"hit ratio", "hit_ratio", ROW_PERCENT},
    {"disk reads", "disk_reads", ROW_COUNT},
    {"read from the disk", "disk_bytes", ROW_BYTES},
    {"of it read ahead", "read_ahead_bytes", ROW_BYTES},
    {"pages put", "puts", ROW_COUNT},
    {"of them stored", "puts_stored", ROW_COUNT},
    {"pages evicted", "evicted_pages", ROW_COUNT},
    {"store size", "size_bytes", ROW_BYTES},
    {"resident", "resident_bytes", ROW_BYTES},
    {"stored", "stored_bytes", ROW_BYTES},
    {"stored per resident byte", "stored_per_resident", ROW_RATIO},
    {"files known", "files_known", ROW_COUNT},
    {"files found changed", "files_changed", ROW_COUNT},
    {"disk errors", "disk_errors", ROW_COUNT},
};

/* One line of the table; a member that an older process does not have is left out. */
static void format_row(const char *text, const struct row *row, char *line, size_t line_size)
{
    uint64_t number = 0;
    double decimal = 0;
    char size[TM_SIZE_TEXT];
    line[0] = '\0';
    if (row->kind == ROW_PERCENT || row->kind == ROW_RATIO || row->kind == ROW_SECONDS) {
        if (!tm_json_find_decimal(text, row->member, &decimal))
            return;
    } else if (!tm_json_find_unsigned(text, row->member, &number)) {
        return;
    }
    switch (row->kind) {
    case ROW_COUNT:
        (void)snprintf(line, line_size, "%-26s %" PRIu64 "\n", row->label, number);
        return;
    case ROW_BYTES:
        (void)snprintf(line, line_size, "%-26s %s\n", row->label, tm_size_format(number, size));
        return;
    case ROW_PERCENT:
        (void)snprintf(line, line_size, "%-26s %.1f %%\n", row->label, 100.0 * decimal);
        return;
    case ROW_RATIO:
        (void)snprintf(line, line_size, "%-26s %.2f\n", row->label, decimal);
        return;
    case ROW_SECONDS:
        (void)snprintf(line, line_size, "%-26s %.0f s\n", row->label, decimal);
        return;
    }
}

static enum tm_exit print_table(const char *point, const char *text)
{
    char table[PATH_MAX + 4096];
    char directory[PATH_MAX];
    size_t used = 0;
    if (!tm_json_find_string(text, "directory", directory, sizeof directory))
        directory[0] = '\0';
    used += (size_t)snprintf(table, sizeof table, "%s on %s\n", directory, point);
    for (size_t i = 0; i < TM_ARRAY_SIZE(rows) && used < sizeof table; i++) {
        format_row(text, &rows[i], table + used, sizeof table - used);
        used += strlen(table + used);
    }
    return tm_print_stdout(table);
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
    if (error == ENOTCONN || error == ECONNABORTED)
        return tm_fail(TM_EXIT_FAILED, "the process of the mount %s has died (try: tmem umount %s)", path, path);
    return tm_fail(tm_exit_of_error(error), "cannot read statistics of %s: %s (who may read the directory may)",
                   path, tm_error_text(error, cause));
}

enum tm_exit tm_cli_stats(int count, char **arguments)
{
    const char *path = NULL;
    bool as_json = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--json") == 0)
            as_json = true;
        else if (arguments[i][0] == '-')
            return tm_cli_usage("stats", "unknown option '%s'", arguments[i]);
        else if (path != NULL)
            return tm_cli_usage("stats", "more than one mount point: '%s'", arguments[i]);
        else
            path = arguments[i];
    }
    if (path == NULL || *path == '\0')
        return tm_cli_usage("stats", "no mount point");

    char text[TM_MOUNT_STATS_SIZE];
    int error = tm_mount_stats_read(path, text);
    if (error != 0)
        return explain(path, error);
    if (!as_json)
        return print_table(path, text);
    size_t length = strlen(text);
    if (length + 1u >= sizeof text)
        return tm_fail(TM_EXIT_FAILED, "the statistics of %s do not fit", path);
    text[length] = '\n';
    text[length + 1u] = '\0';
    return tm_print_stdout(text);
}
