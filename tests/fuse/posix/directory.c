/* SPDX-License-Identifier: BSD-2-Clause */
/* directory.c - making, removing and listing directories. */
#include "posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MANY 300

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of an open directory from where it stands, in order of the alphabet. */
static void note_names(const char *what, DIR *directory)
{
    char *lines[MANY + 10];
    size_t count = 0;
    uint64_t hash = 0;
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL && count < MANY + 10;)
        if (asprintf(&lines[count++], "%s:%d", entry->d_name, entry->d_type) < 0)
            _exit(99);
    note("%s: %zu names, error %d", what, count, errno);
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++) {
        if (count <= 20)
            note("  %s", lines[i]);
        hash = hash_bytes(hash, lines[i], strlen(lines[i]));
        free(lines[i]);
    }
    note("  %016llx", (unsigned long long)hash);
}

static void list(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        note("opendir(%s): %s", path, strerrorname_np(errno));
        return;
    }
    note_names(path, directory);
    (void)closedir(directory);
}

static void make_many(const char *prefix, int from, int to)
{
    char name[64];
    for (int i = from; i < to; i++) {
        (void)snprintf(name, sizeof name, "%s-%d", prefix, i);
        MUST(close(MUST_OPEN(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644))));
    }
}

static void making(void)
{
    write_file("file", "x");
    MUST(symlink("nowhere", "dangling"));
    MUST(symlink("loop", "loop"));
    TRY(mkdir("folder", 0755));
    TRY(mkdir("folder", 0755));
    TRY(mkdir("folder/", 0755));
    TRY(mkdir("file", 0755));
    TRY(mkdir("file/below", 0755));
    TRY(mkdir("missing/below", 0755));
    TRY(mkdir("loop/below", 0755));
    TRY(mkdir("dangling", 0755));
    TRY(mkdir("", 0755));
    TRY(mkdir(".", 0755));
    TRY(mkdir("..", 0755));
    TRY(mkdir("new/", 0755));
    TRY(mkdir("new/.", 0755));
    TRY(mkdir("/proc/self/new", 0755));
    TRY(mkdirat(-1, "x", 0755));
    static const unsigned masks[] = {0, 022, 077, 0777};
    static const unsigned modes[] = {0, 0777, 01777, 02777, 07777};
    for (size_t mask = 0; mask < sizeof masks / sizeof *masks; mask++)
        for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
            char name[64];
            (void)umask(masks[mask]);
            (void)snprintf(name, sizeof name, "folder-%o-%o", masks[mask], modes[mode]);
            TRY(mkdir(name, modes[mode]));
            note_stat(name);
        }
    (void)umask(022);
    note_stat("folder");
    TRY(mkdir("folder/one", 0755));
    TRY(mkdir("folder/two", 0755));
    note_stat("folder");
    TRY(rmdir("folder/one"));
    note_stat("folder");
    TIMES("folder", mkdir("folder/three", 0755));
    TIMES("folder", mkdir("folder/three", 0755));
}

static void removing(void)
{
    write_file("file", "x");
    MUST(mkdir("empty", 0755));
    MUST(mkdir("full", 0755));
    write_file("full/file", "x");
    MUST(symlink("empty", "link"));
    TRY(rmdir("file"));
    TRY(rmdir("full"));
    TRY(rmdir("missing"));
    TRY(rmdir("link"));
    TRY(rmdir("link/"));
    TRY(rmdir("empty/."));
    TRY(rmdir("full/.."));
    TRY(rmdir("file/"));
    TRY(rmdir("file/below"));
    TRY(rmdir(""));
    TRY(rmdir("/"));
    TRY(rmdir("/proc/self"));
    TRY(unlink("empty"));
    TRY(rmdir("empty"));
    TRY(unlink("full/file"));
    TRY(rmdir("full"));
}

static void listing(void)
{
    write_file("file", "x");
    MUST(mkdir("folder", 0755));
    MUST(symlink("x", "link"));
    MUST(mkfifo("pipe", 0600));
    list(".");
    list("folder");
    list("file");
    list("link");
    list("missing");
    MUST(mkdir("many", 0755));
    make_many("many/name", 0, MANY);
    list("many");
    for (int i = 0; i < MANY; i += 2) {
        char name[64];
        (void)snprintf(name, sizeof name, "many/name-%d", i);
        MUST(unlink(name));
    }
    list("many");
    list(".");
}

/* A directory is listed again and again, each time right after a change. */
static void seen_at_once(void)
{
    static const char *const steps[] = {"a", "b", "c"};
    list(".");
    for (size_t i = 0; i < 3; i++) {
        write_file(steps[i], "x");
        list(".");
        MUST(mkdir("folder", 0755));
        list(".");
        MUST(rename(steps[i], "moved"));
        list(".");
        MUST(rename("moved", "folder/inside"));
        list(".");
        list("folder");
        MUST(link("folder/inside", "linked"));
        MUST(unlink("folder/inside"));
        MUST(rmdir("folder"));
        list(".");
        MUST(unlink("linked"));
        list(".");
    }
}

static void changed_while_open(void)
{
    MUST(mkdir("folder", 0755));
    DIR *directory = opendir("folder");
    if (directory == NULL)
        _exit(99);
    note_names("empty", directory);
    make_many("folder/name", 0, 10);
    rewinddir(directory);
    note_names("rewound", directory);
    MUST(unlink("folder/name-5"));
    MUST(rename("folder/name-6", "folder/renamed"));
    rewinddir(directory);
    note_names("rewound again", directory);
    note_names("at the end", directory);
    (void)closedir(directory);
}

static void removed_while_open(void)
{
    MUST(mkdir("folder", 0755));
    MUST(mkdir("folder/inner", 0755));
    DIR *directory = opendir("folder");
    DIR *inner = opendir("folder/inner");
    if (directory == NULL || inner == NULL)
        _exit(99);
    MUST(rmdir("folder/inner"));
    MUST(rmdir("folder"));
    errno = 0;
    note("readdir of a removed directory: %s", readdir(directory) == NULL ? strerrorname_np(errno) : "a name");
    rewinddir(inner);
    errno = 0;
    note("readdir of a removed inner one: %s", readdir(inner) == NULL ? strerrorname_np(errno) : "a name");
    struct stat status;
    TRY(fstat(dirfd(directory), &status));
    note("links %lu", (unsigned long)status.st_nlink);
    TRY(fchmod(dirfd(directory), 0700));
    TRY(fsync(dirfd(directory)));
    TRY_OPEN(openat(dirfd(directory), "x", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    (void)closedir(directory);
    (void)closedir(inner);
}

/* Going back to any place in a listing shows what followed there. */
static void places(void)
{
    long place[MANY + 3];
    char *names[MANY + 3];
    int count = 0;
    int wrong = 0;
    MUST(mkdir("many", 0755));
    make_many("many/name", 0, MANY);
    DIR *directory = opendir("many");
    if (directory == NULL)
        _exit(99);
    for (;;) {
        place[count] = telldir(directory);
        const struct dirent *entry = readdir(directory);
        if (entry == NULL || count == MANY + 2)
            break;
        names[count++] = strdup(entry->d_name);
    }
    note("%d places", count);
    for (int i = 0; i < count; i += 7) {
        int at = (i * 331) % count;
        seekdir(directory, place[at]);
        const struct dirent *entry = readdir(directory);
        wrong += entry == NULL || strcmp(entry->d_name, names[at]) != 0;
    }
    note("%d of them lead elsewhere", wrong);
    seekdir(directory, place[count / 2]);
    for (int i = count / 2; i < count; i++) {
        const struct dirent *entry = readdir(directory);
        wrong += entry == NULL || strcmp(entry->d_name, names[i]) != 0;
    }
    note("%d names of the second half are others", wrong);
    for (int i = 0; i < count; i++)
        free(names[i]);
    (void)closedir(directory);
}

static void small_buffers(void)
{
    char buffer[4096];
    MUST(mkdir("many", 0755));
    make_many("many/name-that-is-rather-long-so-that-few-fit", 0, 100);
    int fd = MUST_OPEN(open("many", O_RDONLY | O_CLOEXEC));
    TRY(syscall(SYS_getdents64, fd, buffer, 8));
    int total = 0;
    for (long got; (got = syscall(SYS_getdents64, fd, buffer, 200)) > 0;)
        for (long at = 0; at < got; total++) {
            uint16_t length;
            memcpy(&length, buffer + at + 16, sizeof length);
            at += length;
        }
    note("%d names in small pieces", total);
    TRY(lseek(fd, 0, SEEK_SET));
    TRY(lseek(fd, -1, SEEK_SET));
    total = 0;
    for (long got; (got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0;)
        for (long at = 0; at < got; total++) {
            uint16_t length;
            memcpy(&length, buffer + at + 16, sizeof length);
            at += length;
        }
    note("%d names again", total);
    TRY(syscall(SYS_getdents64, -1, buffer, sizeof buffer));
    int file = MUST_OPEN(open("many/name-that-is-rather-long-so-that-few-fit-1", O_RDONLY | O_CLOEXEC));
    TRY(syscall(SYS_getdents64, file, buffer, sizeof buffer));
}

static void inode_numbers(void)
{
    write_file("file", "x");
    MUST(link("file", "second"));
    MUST(mkdir("folder", 0755));
    struct stat status;
    DIR *directory = opendir(".");
    int wrong = 0;
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        MUST(lstat(entry->d_name, &status));
        wrong += strcmp(entry->d_name, "..") != 0 && entry->d_ino != status.st_ino;
    }
    note("%d inode numbers of the listing are wrong", wrong);
    MUST(stat("folder", &status));
    ino_t number = status.st_ino;
    MUST(stat("folder/.", &status));
    note("of . %d", status.st_ino == number);
    MUST(stat(".", &status));
    number = status.st_ino;
    MUST(stat("folder/..", &status));
    note("of .. %d", status.st_ino == number);
    (void)closedir(directory);
}

const struct posix_case directory_cases[] = {
    {"making, with modes and masks", making, false},
    {"removing", removing, false},
    {"listing", listing, false},
    {"changes show in the next listing", seen_at_once, false},
    {"changed while open", changed_while_open, false},
    {"removed while open", removed_while_open, false},
    {"places in a listing", places, false},
    {"listing in small pieces", small_buffers, false},
    {"inode numbers of listings", inode_numbers, false},
    {NULL, NULL, false},
};
