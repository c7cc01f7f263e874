/* SPDX-License-Identifier: BSD-2-Clause */
/* mount_table.c - reading /proc/self/mountinfo. */
#include "command/mount_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Copies one field, undoing the kernel's `\ooo` for space, tab, newline and backslash. What does
 * not fit is cut: such a path cannot be the one looked for. */
static void copy_unescaped(char *to, size_t to_size, const char *from)
{
    size_t used = 0;
    while (*from != '\0' && used + 1u < to_size) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
            from[3] >= '0' && from[3] <= '7') {
            to[used++] = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            to[used++] = *from++;
        }
    }
    to[used] = '\0';
}

/* Splits a line `id parent major:minor root POINT options [tags...] - TYPE SOURCE super-options`. */
static bool parse_line(char *line, struct tm_mount_entry *entry)
{
    char *save = NULL;
    char *field = strtok_r(line, " \n", &save);
    for (unsigned number = 1; field != NULL && number < 5; number++) {
        field = strtok_r(NULL, " \n", &save);
        unsigned device[2];
        if (number == 2 && field != NULL && sscanf(field, "%u:%u", &device[0], &device[1]) == 2)
            entry->device = makedev(device[0], device[1]);
        if (number == 3 && field != NULL)
            entry->is_part = strcmp(field, "/") != 0;
    }
    if (field == NULL)
        return false;
    copy_unescaped(entry->point, sizeof entry->point, field);
    do
        field = strtok_r(NULL, " \n", &save);
    while (field != NULL && strcmp(field, "-") != 0);
    char *type = strtok_r(NULL, " \n", &save);
    char *source = strtok_r(NULL, " \n", &save);
    if (type == NULL || source == NULL)
        return false;
    copy_unescaped(entry->type, sizeof entry->type, type);
    copy_unescaped(entry->source, sizeof entry->source, source);
    return true;
}

int tm_mount_each(tm_mount_visitor visit, void *context)
{
    FILE *table = fopen("/proc/self/mountinfo", "re");
    if (table == NULL)
        return -1;
    struct tm_mount_entry *entry = malloc(sizeof *entry);
    char *line = NULL;
    size_t line_size = 0;
    int result = entry == NULL ? -1 : 0;

    bool more = result == 0;
    while (more && getline(&line, &line_size, table) > 0)
        if (parse_line(line, entry))
            more = visit(entry, context);
    if (ferror(table))
        result = -1;
    int error = errno;
    free(entry);
    free(line);
    (void)fclose(table);
    errno = error;
    return result;
}

struct search {
    const char *point;
    struct tm_mount_entry *entry;
    bool found;
};

/* Later lines lie above earlier ones. */
static bool compare(const struct tm_mount_entry *entry, void *context)
{
    struct search *search = context;
    if (strcmp(entry->point, search->point) == 0) {
        *search->entry = *entry;
        search->found = true;
    }
    return true;
}

int tm_mount_find(const char *point, struct tm_mount_entry *entry)
{
    struct search search = {.point = point, .entry = entry};
    int result = tm_mount_each(compare, &search);
    return result != 0 ? result : search.found ? 1
                                               : 0;
}

/* Appends "/name" to the resolved parent. */
static int join(char resolved[static PATH_MAX], const char *name)
{
    size_t length = strlen(resolved);
    if (length == 1) /* the root ends in its slash already */
        length = 0;
    if (length + 1u + strlen(name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    resolved[length] = '/';
    memcpy(resolved + length + 1u, name, strlen(name) + 1u);
    return 0;
}

int tm_mount_resolve(const char *path, char resolved[static PATH_MAX])
{
    if (realpath(path, resolved) != NULL)
        return 0;
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
        return -1;

    int error = errno;
    char *copy = strdup(path);
    if (copy == NULL)
        return -1;
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1u] == '/')
        copy[--length] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash == NULL ? copy : slash + 1;
    const char *parent = slash == NULL ? "." : slash == copy ? "/"
                                                             : copy;
    int result = -1;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = error;
    } else {
        if (slash != NULL && slash != copy)
            *slash = '\0';
        if (realpath(parent, resolved) != NULL)
            result = join(resolved, name);
    }
    error = errno;
    free(copy);
    errno = error;
    return result;
}
