/* SPDX-License-Identifier: BSD-2-Clause */
/* name.c - names and paths at their limits, and of any bytes. */
#include "posix.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Every call that takes a name, on this one; what can be is undone. */
static void every_call(const char *name)
{
    char buffer[16];
    struct stat status;
    TRY(lstat(name, &status));
    TRY(mkdir(name, 0755));
    TRY(rmdir(name));
    TRY(symlink("target", name));
    TRY(readlink(name, buffer, sizeof buffer));
    TRY(unlink(name));
    TRY(mkfifo(name, 0644));
    TRY(unlink(name));
    int fd = TRY_OPEN(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (fd >= 0)
        (void)close(fd);
    TRY(access(name, F_OK));
    TRY(chmod(name, 0600));
    TRY(lchown(name, (uid_t)-1, (gid_t)-1));
    TRY(truncate(name, 10));
    TRY(utimensat(AT_FDCWD, name, NULL, 0));
    TRY(setxattr(name, "user.x", "x", 1, 0));
    TRY(lgetxattr(name, "user.x", buffer, sizeof buffer));
    TRY(listxattr(name, NULL, 0));
    TRY(removexattr(name, "user.x"));
    TRY(link(name, "linked"));
    TRY(unlink(name));
    TRY(link("linked", name));
    TRY(unlink("linked"));
    TRY(rename(name, "renamed"));
    TRY(rename("renamed", name));
    TRY(unlink(name));
    TRY(chdir(name));
    (void)unlink("renamed");
}

static void of_every_length(void)
{
    static char name[PATH_MAX + 10];
    static const size_t lengths[] = {1, 2, 100, 254, 255, 256, 257, 1000, 1023, 1024, 1025, PATH_MAX - 1, PATH_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        label("%zu bytes", lengths[i]);
        memset(name, 'n', lengths[i]);
        name[lengths[i]] = '\0';
        every_call(name);
    }
    label("%s", "");
}

static void of_any_bytes(void)
{
    static const char *const names[] = {" ", "a b", "new\nline", "-rf", "\"quoted\"", "back\\slash", "\x01\x7f",
                                        "\xff\xfe", "\xc3\xa4\xe2\x82\xac", "*", "%s%n", "...", "..a", ".hidden"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        label("name %zu", i);
        every_call(names[i]);
        write_file(names[i], "stays");
    }
    label("%s", "");
    char name[4] = "x?";
    for (int byte = 1; byte < 256; byte++) {
        if (byte == '/')
            continue;
        name[1] = (char)byte;
        write_file(name, "any byte");
    }
}

/* Paths of just the length that is allowed, and one more, through directories. */
static void of_long_paths(void)
{
    static char path[PATH_MAX + 100];
    size_t length = 0;
    char folder[202];
    memset(folder, 'd', 200);
    folder[200] = '\0';
    int start = MUST_OPEN(open(".", O_RDONLY | O_CLOEXEC));
    int depth = 0;
    for (; length + 201 < PATH_MAX - 100; depth++) {
        MUST(mkdir(folder, 0755));
        MUST(chdir(folder));
        memcpy(path + length, folder, 200);
        path[length + 200] = '/';
        length += 201;
    }
    MUST(fchdir(start));
    for (size_t total = PATH_MAX - 3; total <= PATH_MAX + 1; total++) {
        memset(path + length, 'f', total - length);
        path[total] = '\0';
        label("a path of %zu bytes", total);
        every_call(path);
    }
    label("%s", "");
    /* Deeper than any path reaches. */
    path[length] = '\0';
    MUST(chdir(path));
    for (int i = 0; i < 10; i++) {
        MUST(mkdir(folder, 0755));
        MUST(chdir(folder));
    }
    write_file("deep", "down");
    note_file("deep");
    errno = 0;
    note("getcwd: %s", getcwd(path, PATH_MAX) != NULL ? "works" : strerrorname_np(errno));
}

static void with_slashes(void)
{
    MUST(mkdir("folder", 0755));
    write_file("folder/file", "x");
    struct stat status;
    TRY(lstat("folder//file", &status));
    TRY(lstat("folder/./file", &status));
    TRY(lstat("folder/../folder/file", &status));
    TRY(lstat("folder/file/", &status));
    TRY(lstat("folder/file/.", &status));
    TRY(lstat("folder/file/..", &status));
    TRY(lstat("./folder/", &status));
    TRY(lstat(".//", &status));
    TRY(mkdir("a//b", 0755));
    TRY(mkdir("a", 0755));
    TRY(mkdir("a//b", 0755));
    TRY(mkdir("a/b///c///", 0755));
    TRY(rename("a/b/", "a/d/"));
    TRY(rmdir("a/d/c/"));
}

static void negative_names(void)
{
    struct stat status;
    for (int i = 0; i < 5; i++) {
        TRY(lstat("later", &status));
        write_file("later", "now it is");
        note_stat("later");
        MUST(unlink("later"));
        TRY(lstat("later", &status));
        MUST(symlink("later", "other"));
        MUST(rename("other", "later"));
        note_stat("later");
        MUST(unlink("later"));
    }
    /* Case matters. */
    write_file("Name", "upper");
    TRY(lstat("name", &status));
    write_file("name", "lower");
    note_file("Name");
    note_file("name");
}

const struct posix_case name_cases[] = {
    {"of every length", of_every_length, false},
    {"of any bytes", of_any_bytes, false},
    {"in paths that are as long as can be", of_long_paths, false},
    {"with slashes and dots", with_slashes, false},
    {"that were not there, and are", negative_names, false},
    {NULL, NULL, false},
};
