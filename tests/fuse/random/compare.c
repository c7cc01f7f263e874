/* SPDX-License-Identifier: BSD-2-Clause */
/* compare.c - what lies in the directories when all is over. */
#include "random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A whole file in memory; NULL when it cannot be read. */
static unsigned char *read_all(const char *root, const char *name, bool drop, size_t *size)
{
    char path[4096];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return NULL;
    }
    if (drop)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    *size = (size_t)status.st_size;
    unsigned char *bytes = malloc(*size + 1);
    ssize_t got = bytes == NULL ? -1 : pread(fd, bytes, *size + 1, 0);
    (void)close(fd);
    if (got != (ssize_t)*size) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static bool same_file(const char *a, const char *b, const char *name, bool drop)
{
    size_t sizes[2] = {0, 0};
    unsigned char *one = read_all(a, name, false, &sizes[0]);
    unsigned char *other = read_all(b, name, drop, &sizes[1]);
    bool same = one != NULL && other != NULL && sizes[0] == sizes[1] && memcmp(one, other, sizes[0]) == 0;
    size_t at = 0;
    while (!same && one != NULL && other != NULL && at < sizes[0] && at < sizes[1] && one[at] == other[at])
        at++;
    if (!same)
        printf("FAILED: %s in %s and %s%s: %zu and %zu bytes, different from %zu on\n", name, a, b,
               drop ? ", not from memory" : "", sizes[0], sizes[1], at);
    free(one);
    free(other);
    return same;
}

/* Every file of @a is the same in @b. */
static unsigned compare_files(const char *a, const char *b, bool drop)
{
    unsigned differences = 0;
    DIR *directory = opendir(a);
    if (directory == NULL)
        return 1;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            differences += !same_file(a, b, entry->d_name, drop);
    (void)closedir(directory);
    return differences;
}

static unsigned count_of(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        (void)closedir(directory);
    return count;
}

unsigned compare_all(const char *plain, const char *mount, const char *dir)
{
    /* Files that changed behind MNT are in DIR and MNT only. */
    unsigned differences = compare_files(plain, mount, false) + compare_files(plain, mount, true);
    if (dir == NULL)
        return differences + (count_of(plain) != count_of(mount));
    return differences + compare_files(dir, mount, false) + compare_files(dir, mount, true) +
           (count_of(dir) != count_of(mount));
}
