/* SPDX-License-Identifier: BSD-2-Clause */
/* walk.c - the state of a tree as text. */
#include "posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK_BYTES 4096u

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    hash ^= UINT64_C(0xcbf29ce484222325) + size;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    for (; size > 0; at++, size--)
        hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Blocks of zeros do not count, so that holes cost nothing and hash like the zeros that they read as. */
static uint64_t hash_block(uint64_t hash, off_t offset, const unsigned char *bytes, size_t size)
{
    if (is_zero(bytes, size))
        return hash;
    uint64_t place = (uint64_t)offset;
    return hash_bytes(hash_bytes(hash, &place, sizeof place), bytes, size);
}

uint64_t hash_file(int fd)
{
    /* Aligned, and read at whole blocks only: the descriptor may be one of O_DIRECT. */
    static _Alignas(BLOCK_BYTES) unsigned char bytes[64 * BLOCK_BYTES];
    uint64_t hash = 0;
    off_t offset = 0;
    for (;;) {
        off_t data = lseek(fd, offset, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return hash;
        if (data > offset)
            offset = data / BLOCK_BYTES * BLOCK_BYTES;
        ssize_t got = pread(fd, bytes, sizeof bytes, offset);
        if (got < 0)
            return hash_bytes(hash, "error", 5) + (uint64_t)errno;
        for (size_t at = 0; at < (size_t)got; at += BLOCK_BYTES) {
            size_t size = (size_t)got - at < BLOCK_BYTES ? (size_t)got - at : BLOCK_BYTES;
            hash = hash_block(hash, offset + (off_t)at, bytes + at, size);
        }
        if ((size_t)got < sizeof bytes)
            return hash;
        offset += got;
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void write_xattrs(FILE *out, const char *path)
{
    char names[8192];
    char *list[256];
    size_t count = 0;
    ssize_t length = llistxattr(path, names, sizeof names);
    if (length < 0) {
        fprintf(out, " %s", strerrorname_np(errno));
        return;
    }
    for (char *name = names; name < names + length && count < 256; name += strlen(name) + 1)
        list[count++] = name;
    qsort(list, count, sizeof *list, compare_names);
    for (size_t i = 0; i < count; i++) {
        char value[65536];
        ssize_t size = lgetxattr(path, list[i], value, sizeof value);
        if (size < 0)
            fprintf(out, " %s:%s", list[i], strerrorname_np(errno));
        else
            fprintf(out, " %s=%zd:%016" PRIx64, list[i], size, hash_bytes(0, value, (size_t)size));
    }
}

static void write_content(FILE *out, const char *path, const struct stat *status)
{
    if (S_ISLNK(status->st_mode)) {
        char target[PATH_MAX];
        ssize_t length = readlink(path, target, sizeof target);
        fprintf(out, " -> '%.*s'", length < 0 ? 0 : (int)length, target);
    }
    if (!S_ISREG(status->st_mode))
        return;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        fprintf(out, " %s", strerrorname_np(errno));
        return;
    }
    fprintf(out, " size %lld bytes %016" PRIx64, (long long)status->st_size, hash_file(fd));
    (void)close(fd);
}

static void write_entry(FILE *out, const char *path, const char *shown, enum walk_detail detail)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        fprintf(out, "%s: %s\n", shown, strerrorname_np(errno));
        return;
    }
    fprintf(out, "%s: mode %o owner %u:%u links %lu device %lx", shown, status.st_mode, status.st_uid, status.st_gid,
            (unsigned long)status.st_nlink, (unsigned long)status.st_rdev);
    if (detail == WALK_IDENTICAL)
        fprintf(out, " inode %lu modified %lld.%09ld changed %lld.%09ld", (unsigned long)status.st_ino,
                (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, (long long)status.st_ctim.tv_sec,
                status.st_ctim.tv_nsec);
    write_content(out, path, &status);
    fprintf(out, " attributes");
    write_xattrs(out, path);
    (void)fputc('\n', out);
}

/* The names in a directory, in order. NULL: it cannot be read. */
static char **names_of(const char *path, size_t *count)
{
    DIR *directory = opendir(path);
    char **names = NULL;
    *count = 0;
    if (directory == NULL)
        return NULL;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char **more = realloc(names, (*count + 1) * sizeof *names);
        if (more == NULL || (more[*count] = strdup(entry->d_name)) == NULL)
            exit(99);
        names = more;
        (*count)++;
    }
    (void)closedir(directory);
    if (names != NULL)
        qsort(names, *count, sizeof *names, compare_names);
    return names;
}

/* Descends by changing the directory, so that trees deeper than a path may be long can be told. */
static void walk_here(FILE *out, const char *shown, enum walk_detail detail)
{
    size_t count;
    char **names = names_of(".", &count);
    for (size_t i = 0; i < count; i++) {
        char below[PATH_MAX];
        struct stat status;
        (void)snprintf(below, sizeof below, "%.*s/%s", (int)(sizeof below - 300), shown, names[i]);
        write_entry(out, names[i], below, detail);
        if (lstat(names[i], &status) == 0 && S_ISDIR(status.st_mode) && chdir(names[i]) == 0) {
            walk_here(out, below, detail);
            if (chdir("..") != 0)
                exit(99);
        }
        free(names[i]);
    }
    free(names);
}

void walk_tree(FILE *out, const char *root, enum walk_detail detail)
{
    int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    write_entry(out, root, ".", detail);
    if (chdir(root) == 0)
        walk_here(out, ".", detail);
    if (back < 0 || fchdir(back) != 0)
        exit(99);
    (void)close(back);
}

void remove_all_here(void)
{
    DIR *directory = opendir(".");
    if (directory == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlink(entry->d_name) == 0 || errno != EISDIR)
            continue;
        (void)chmod(entry->d_name, 0700);
        if (chdir(entry->d_name) == 0) {
            remove_all_here();
            if (chdir("..") != 0)
                exit(99);
        }
        (void)rmdir(entry->d_name);
    }
    (void)closedir(directory);
}
