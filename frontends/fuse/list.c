/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.c - `tmem mount --list`.
 *
 * The kernel's table says what is mounted; each process says by its statistics how it does. The table is read
 * first and to its end, so that nothing that happens while a process is asked changes the list.
 */
#include "list.h"

#include "command/mount_stats.h"
#include "command/mount_table.h"
#include "command/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mounted {
    struct tm_mount_entry entry;
    bool covered; /* another mount lies above it at the same place */
    struct mounted *next;
};

struct list {
    struct mounted *first;
    struct mounted **end;
    bool out_of_memory;
};

/* What can be said about one mount. */
struct row {
    const char *state;
    char remedy[PATH_MAX + 64]; /* empty: none needed */
    bool known;                 /* the numbers below are */
    uint64_t pid;
    uint64_t size_bytes;
    uint64_t resident_bytes;
    double hit_ratio;
};

static bool collect(const struct tm_mount_entry *entry, void *context)
{
    struct list *list = context;
    for (struct mounted *below = list->first; below != NULL; below = below->next)
        below->covered = below->covered || strcmp(below->entry.point, entry->point) == 0;
    if (strcmp(entry->type, TM_MOUNT_TYPE) != 0 || entry->is_part)
        return true;
    struct mounted *mounted = calloc(1, sizeof *mounted);
    if (mounted == NULL) {
        list->out_of_memory = true;
        return false;
    }
    mounted->entry = *entry;
    *list->end = mounted;
    list->end = &mounted->next;
    return true;
}

static void free_list(struct list *list)
{
    while (list->first != NULL) {
        struct mounted *mounted = list->first;
        list->first = mounted->next;
        free(mounted);
    }
}

static void read_numbers(const char *text, struct row *row)
{
    row->known = tm_json_find_unsigned(text, "pid", &row->pid) &&
                 tm_json_find_unsigned(text, "size_bytes", &row->size_bytes) &&
                 tm_json_find_unsigned(text, "resident_bytes", &row->resident_bytes) &&
                 tm_json_find_decimal(text, "hit_ratio", &row->hit_ratio);
}

static void look_at(const struct mounted *mounted, struct row *row)
{
    static char text[TM_MOUNT_STATS_SIZE];
    const char *point = mounted->entry.point;
    *row = (struct row){.state = "covered"};
    if (mounted->covered) {
        (void)snprintf(row->remedy, sizeof row->remedy, "something else is mounted on it");
        return;
    }
    int error = tm_mount_stats_ask(point, TM_MOUNT_ANSWER_MS, text);
    switch (tm_mount_state_of(error)) {
    case TM_MOUNT_ALIVE:
        row->state = "alive";
        read_numbers(text, row);
        return;
    case TM_MOUNT_DEAD:
        row->state = "dead";
        (void)snprintf(row->remedy, sizeof row->remedy, "try: tmem umount %s", point);
        return;
    case TM_MOUNT_SILENT:
        row->state = "silent";
        (void)snprintf(row->remedy, sizeof row->remedy, "its process is stopped or stuck; try: tmem umount --lazy %s",
                       point);
        return;
    case TM_MOUNT_PRIVATE:
        row->state = "private";
        (void)snprintf(row->remedy, sizeof row->remedy, "only who may read it may ask");
        return;
    case TM_MOUNT_OTHER:
        row->state = "unreachable";
        (void)snprintf(row->remedy, sizeof row->remedy, "something else is mounted above it");
        return;
    }
}

static enum tm_exit print_row(const struct mounted *mounted, const struct row *row)
{
    static char line[4 * PATH_MAX];
    char size[TM_SIZE_TEXT];
    char resident[TM_SIZE_TEXT];
    char numbers[96];
    (void)snprintf(numbers, sizeof numbers, "%8s %8s %8s %7s", "-", "-", "-", "-");
    if (row->known)
        (void)snprintf(numbers, sizeof numbers, "%8" PRIu64 " %8s %8s %5.1f %%", row->pid,
                       tm_size_format(row->size_bytes, size), tm_size_format(row->resident_bytes, resident),
                       100.0 * row->hit_ratio);
    (void)snprintf(line, sizeof line, "%-11s %s  %s on %s%s%s%s\n", row->state, numbers, mounted->entry.source,
                   mounted->entry.point, row->remedy[0] != '\0' ? " (" : "", row->remedy,
                   row->remedy[0] != '\0' ? ")" : "");
    return tm_print_stdout(line);
}

static enum tm_exit print_object(const struct mounted *mounted, const struct row *row)
{
    /* A byte of a path takes six when it is escaped. */
    static char text[20 * PATH_MAX];
    struct tm_json json;
    tm_json_begin(&json, text, sizeof text);
    tm_json_open_object(&json, NULL);
    tm_json_string(&json, "directory", mounted->entry.source);
    tm_json_string(&json, "mount", mounted->entry.point);
    tm_json_string(&json, "state", row->state);
    if (row->known) {
        tm_json_unsigned(&json, "pid", row->pid);
        tm_json_unsigned(&json, "size_bytes", row->size_bytes);
        tm_json_unsigned(&json, "resident_bytes", row->resident_bytes);
        tm_json_decimal(&json, "hit_ratio", row->hit_ratio, 4);
    } else {
        tm_json_null(&json, "pid");
        tm_json_null(&json, "size_bytes");
        tm_json_null(&json, "resident_bytes");
        tm_json_null(&json, "hit_ratio");
    }
    if (row->remedy[0] != '\0')
        tm_json_string(&json, "remedy", row->remedy);
    else
        tm_json_null(&json, "remedy");
    tm_json_close_object(&json);
    if (!tm_json_end(&json))
        return tm_fail(TM_EXIT_FAILED, "the list does not fit");
    return tm_print_stdout(text);
}

static enum tm_exit print_list(const struct list *list, bool as_json)
{
    enum tm_exit code = TM_EXIT_OK;
    struct row row;
    if (as_json)
        code = tm_print_stdout("[");
    else if (list->first != NULL)
        code = tm_print_stdout("state            pid     size resident    hits  directory on mount\n");
    else
        tm_message("nothing is mounted by tmem that can be seen from here");
    for (const struct mounted *mounted = list->first; mounted != NULL && code == TM_EXIT_OK; mounted = mounted->next) {
        look_at(mounted, &row);
        if (as_json && mounted != list->first)
            code = tm_print_stdout(",\n ");
        if (code == TM_EXIT_OK)
            code = as_json ? print_object(mounted, &row) : print_row(mounted, &row);
    }
    if (as_json && code == TM_EXIT_OK)
        code = tm_print_stdout("]\n");
    return code;
}

enum tm_exit tm_list_mounts(bool as_json)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct list list = {.first = NULL, .end = &list.first};
    enum tm_exit code = TM_EXIT_OK;
    if (tm_mount_each(collect, &list) != 0)
        code = tm_fail(TM_EXIT_FAILED, "cannot read the table of mounts: %s (is /proc mounted?)",
                       tm_error_text(errno, cause));
    else if (list.out_of_memory)
        code = tm_fail(TM_EXIT_FAILED, "out of memory");
    else
        code = print_list(&list, as_json);
    free_list(&list);
    return code;
}
