/* SPDX-License-Identifier: BSD-2-Clause */
/* link.c - hard links and symbolic links. */
#include "posix.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long inode_of(const char *path)
{
    struct stat status;
    MUST(lstat(path, &status));
    return (unsigned long)status.st_ino;
}

static void hard_links(void)
{
    write_file("file", "one inode");
    MUST(mkdir("folder", 0755));
    TRY(link("file", "second"));
    TRY(link("second", "folder/third"));
    note("the same inode: %d", inode_of("file") == inode_of("second") && inode_of("file") == inode_of("folder/third"));
    note_stat("file");
    int fd = MUST_OPEN(open("folder/third", O_WRONLY | O_APPEND | O_CLOEXEC));
    TRY(write(fd, ", three names", 13));
    note_file("file");
    TRY(chmod("second", 0600));
    note_stat("folder/third");
    TRY(unlink("file"));
    note_stat("second");
    TIMES("second", link("second", "fourth"));
    TIMES("second", unlink("fourth"));
    TIMES(".", link("second", "fifth"));
    TRY(rename("second", "fifth"));
    note_stat("second");
    note_stat("fifth");
    TRY(unlink("folder/third"));
    TRY(unlink("second"));
    note_stat("fifth");
    note_file("fifth");
}

static void hard_links_refused(void)
{
    write_file("file", "x");
    write_file("there", "y");
    MUST(mkdir("folder", 0755));
    MUST(symlink("file", "symbolic"));
    MUST(symlink("missing", "dangling"));
    MUST(symlink("loop", "loop"));
    TRY(link("file", "there"));
    TRY(link("file", "file"));
    TRY(link("folder", "second-folder"));
    TRY(link(".", "second-folder"));
    TRY(link("missing", "new"));
    TRY(link("file", "missing/new"));
    TRY(link("file", "there/new"));
    TRY(link("there/below", "new"));
    TRY(link("file", "new/"));
    TRY(link("file", ""));
    TRY(link("", "new"));
    TRY(link("file", "dangling"));
    TRY(link("loop/x", "new"));
    TRY(link("file", "/proc/self/new"));
    TRY(link("/proc/self/status", "new"));
    TRY(link("symbolic", "link-to-link"));
    note_stat("link-to-link");
    TRY(linkat(AT_FDCWD, "symbolic", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    note_stat("followed");
    TRY(linkat(AT_FDCWD, "dangling", AT_FDCWD, "followed-nowhere", AT_SYMLINK_FOLLOW));
    TRY(linkat(AT_FDCWD, "loop", AT_FDCWD, "followed-loop", AT_SYMLINK_FOLLOW));
    TRY(linkat(AT_FDCWD, "file", AT_FDCWD, "new", 0x8000));
}

static void hard_links_by_descriptor(void)
{
    char path[64];
    write_file("file", "by descriptor");
    MUST(mkdir("folder", 0755));
    int folder = MUST_OPEN(open("folder", O_RDONLY | O_CLOEXEC));
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TRY(linkat(AT_FDCWD, "file", folder, "inner", 0));
    TRY(linkat(folder, "inner", AT_FDCWD, "outer", 0));
    TRY(linkat(fd, "", AT_FDCWD, "empty", AT_EMPTY_PATH));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    note_result("through /proc", linkat(AT_FDCWD, path, AT_FDCWD, "through", AT_SYMLINK_FOLLOW));
    note_stat("file");
    MUST(unlink("file"));
    MUST(unlink("folder/inner"));
    MUST(unlink("outer"));
    (void)unlink("empty");
    (void)unlink("through");
    /* A file without names gets none again. */
    note_result("when unlinked", linkat(AT_FDCWD, path, AT_FDCWD, "revived", AT_SYMLINK_FOLLOW));
    TRY(linkat(fd, "", AT_FDCWD, "revived", AT_EMPTY_PATH));
    note_stat("revived");
}

static void many_hard_links(void)
{
    char name[32];
    struct stat status;
    write_file("file", "many");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "link-%d", i);
        MUST(link("file", name));
    }
    note_stat("file");
    int same = 0;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "link-%d", i);
        same += inode_of(name) == inode_of("file");
    }
    note("%d of 100 are the same", same);
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    for (int i = 99; i >= 0; i--) {
        (void)snprintf(name, sizeof name, "link-%d", i);
        MUST(unlink(name));
        MUST(fstat(fd, &status));
        note("%lu left", (unsigned long)status.st_nlink);
    }
}

static void symbolic_links(void)
{
    char target[PATH_MAX];
    char long_name[300];
    write_file("file", "target");
    memset(long_name, 'l', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    TRY(symlink("file", "link"));
    TRY(symlink("no such name", "dangling"));
    TRY(symlink(long_name, "long"));
    TRY(symlink("/absolute//path/", "absolute"));
    TRY(symlink("", "empty"));
    TRY(symlink("file", "link"));
    TRY(symlink("file", "missing/link"));
    TRY(symlink("file", "file/link"));
    TRY(symlink("file", "new/"));
    TRY(symlink("file", ""));
    static const char *const names[] = {"link", "dangling", "long", "absolute", "file", ".", "missing", "link/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        label("%s", names[i]);
        memset(target, 0, sizeof target);
        TRY(readlink(names[i], target, sizeof target));
        note_text("target", target);
        memset(target, 0, sizeof target);
        TRY(readlink(names[i], target, 3));
        note_text("cut", target);
        TRY(readlink(names[i], target, 0));
        note_stat(names[i]);
    }
    label("%s", "");
    int fd = MUST_OPEN(open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC));
    memset(target, 0, sizeof target);
    TRY(readlinkat(fd, "", target, sizeof target));
    note_text("by descriptor", target);
    TRY(unlink("link"));
    TRY(symlink("another", "link"));
    memset(target, 0, sizeof target);
    TRY(readlink("link", target, sizeof target));
    note_text("made again", target);
    TRY(readlinkat(fd, "", target, sizeof target));
}

static void symbolic_loops(void)
{
    char name[32];
    char next[32];
    write_file("link-0", "the end of the chain");
    for (int i = 1; i <= 45; i++) {
        (void)snprintf(name, sizeof name, "link-%d", i);
        (void)snprintf(next, sizeof next, "link-%d", i - 1);
        MUST(symlink(next, name));
    }
    /* Near the limit of 40 the answer varies: a walk that begins again, because something moved, goes on counting. */
    TRY_OPEN(open("link-13", O_RDONLY | O_CLOEXEC));
    TRY_OPEN(open("link-41", O_RDONLY | O_CLOEXEC));
    TRY_OPEN(open("link-45", O_RDONLY | O_CLOEXEC));
    MUST(symlink("b", "a"));
    MUST(symlink("a", "b"));
    struct stat status;
    TRY(stat("a", &status));
    TRY(lstat("a", &status));
    TRY_OPEN(open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(mkdir("a/x", 0755));
    TRY(truncate("a", 0));
    TRY(chmod("a", 0600));
    TRY(access("a", F_OK));
    TRY(rename("a", "c"));
    TRY(unlink("c"));
    TRY(unlink("b"));
}

static void longest_target(void)
{
    static char target[PATH_MAX + 1];
    static char answer[PATH_MAX + 1];
    memset(target, 'x', PATH_MAX);
    TRY(symlink(target, "too-long"));
    target[PATH_MAX - 1] = '\0';
    TRY(symlink(target, "longest"));
    TRY(readlink("longest", answer, sizeof answer));
    note_bytes("answer", answer, PATH_MAX);
}

const struct posix_case link_cases[] = {
    {"names of one inode", hard_links, false},
    {"hard links that are refused, or follow", hard_links_refused, false},
    {"hard links by descriptor", hard_links_by_descriptor, false},
    {"a hundred names", many_hard_links, false},
    {"symbolic links say what they were told", symbolic_links, false},
    {"chains and loops", symbolic_loops, false},
    {"the longest target", longest_target, false},
    {NULL, NULL, false},
};
