/* SPDX-License-Identifier: BSD-2-Clause */
/* open.c - open with every flag, on every kind of name. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of each kind of name. */
static const char *const kinds[] = {"file", "folder", "link", "folder-link", "dangling", "loop", "missing",
                                    "file/below", "missing/below", "pipe", "", ".", "folder/", "file/", "link/",
                                    "missing/", "unreadable", "unwritable"};
#define KINDS (sizeof kinds / sizeof *kinds)

static void make_kinds(void)
{
    write_file("file", "content of the file");
    MUST(mkdir("folder", 0755));
    MUST(symlink("file", "link"));
    MUST(symlink("folder", "folder-link"));
    MUST(symlink("nothing", "dangling"));
    MUST(symlink("loop", "loop"));
    MUST(mkfifo("pipe", 0644));
    write_file("unreadable", "secret");
    MUST(chmod("unreadable", 0200));
    write_file("unwritable", "constant");
    MUST(chmod("unwritable", 0444));
}

static void note_flags(int fd)
{
    if (fd < 0)
        return;
    /* O_LARGEFILE and what the kernel keeps for itself are the same for all files. */
    note("F_GETFL %o", (unsigned)fcntl(fd, F_GETFL));
    note("F_GETFD %d", fcntl(fd, F_GETFD));
    note("offset %lld", (long long)lseek(fd, 0, SEEK_CUR));
}

static void open_each_kind(int flags, const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        label("%s %s", name, kinds[i]);
        int fd = TRY_OPEN(open(kinds[i], flags | O_NONBLOCK | O_CLOEXEC, 0640));
        note_flags(fd);
        if (fd >= 0)
            (void)close(fd);
    }
    label("%s", name);
    note_file("file");
    note_stat("missing");
    note_stat("nothing");
    label("%s", "");
}

static void for_reading_and_writing(void)
{
    make_kinds();
    open_each_kind(O_RDONLY, "O_RDONLY");
    open_each_kind(O_WRONLY, "O_WRONLY");
    open_each_kind(O_RDWR, "O_RDWR");
    open_each_kind(O_ACCMODE, "3");
    open_each_kind(O_PATH, "O_PATH");
    open_each_kind(O_RDWR | O_APPEND, "O_APPEND");
}

static void of_directories_and_links(void)
{
    make_kinds();
    open_each_kind(O_RDONLY | O_DIRECTORY, "O_DIRECTORY");
    open_each_kind(O_RDWR | O_DIRECTORY, "O_DIRECTORY|O_RDWR");
    open_each_kind(O_PATH | O_DIRECTORY, "O_DIRECTORY|O_PATH");
    open_each_kind(O_RDONLY | O_NOFOLLOW, "O_NOFOLLOW");
    open_each_kind(O_PATH | O_NOFOLLOW, "O_NOFOLLOW|O_PATH");
    open_each_kind(O_RDWR | O_NOFOLLOW | O_TRUNC, "O_NOFOLLOW|O_TRUNC");
}

static void with_durability(void)
{
    make_kinds();
    open_each_kind(O_RDWR | O_SYNC, "O_SYNC");
    open_each_kind(O_WRONLY | O_DSYNC, "O_DSYNC");
    open_each_kind(O_RDONLY | O_NOATIME, "O_NOATIME");
    open_each_kind(O_RDONLY | O_DIRECT, "O_DIRECT");
    open_each_kind(O_RDWR | O_ASYNC, "O_ASYNC");
}

static void makes(void)
{
    static const struct {
        int flags;
        const char *name;
    } ways[] = {
        {O_WRONLY | O_CREAT, "O_CREAT"},
        {O_RDONLY | O_CREAT, "O_CREAT|O_RDONLY"},
        {O_RDWR | O_CREAT | O_EXCL, "O_CREAT|O_EXCL"},
        {O_RDWR | O_CREAT | O_TRUNC, "O_CREAT|O_TRUNC"},
        {O_RDONLY | O_CREAT | O_TRUNC, "O_CREAT|O_TRUNC|O_RDONLY"},
        {O_RDWR | O_CREAT | O_APPEND, "O_CREAT|O_APPEND"},
        {O_RDWR | O_CREAT | O_NOFOLLOW, "O_CREAT|O_NOFOLLOW"},
        {O_RDONLY | O_CREAT | O_DIRECTORY, "O_CREAT|O_DIRECTORY"},
        {O_WRONLY | O_CREAT | O_DIRECT, "O_CREAT|O_DIRECT"},
        {O_RDONLY | O_EXCL, "O_EXCL"},
    };
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        char folder[16];
        (void)snprintf(folder, sizeof folder, "%zu", way);
        MUST(mkdir(folder, 0755));
        MUST(chdir(folder));
        make_kinds();
        open_each_kind(ways[way].flags, ways[way].name);
        MUST(chdir(".."));
    }
}

static void truncates(void)
{
    make_kinds();
    open_each_kind(O_WRONLY | O_TRUNC, "O_TRUNC");
    write_file("file", "another content");
    /* Not specified, but the same everywhere on Linux. */
    int fd = TRY_OPEN(open("file", O_RDONLY | O_TRUNC | O_CLOEXEC));
    note_open_file("file", fd);
    MUST(close(fd));
    write_file("unwritable-now", "x");
    int kept = MUST_OPEN(open("unwritable-now", O_WRONLY | O_CLOEXEC));
    MUST(chmod("unwritable-now", 0));
    TRY(write(kept, "written", 7));
    MUST(close(kept));
    note_stat("unwritable-now");
}

static void modes_and_masks(void)
{
    static const unsigned masks[] = {0, 022, 077, 0777, 0111};
    static const unsigned modes[] = {0, 0644, 0777, 01777, 02755, 04755, 07777, 0100644};
    for (size_t mask = 0; mask < sizeof masks / sizeof *masks; mask++)
        for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
            char name[64];
            (void)umask(masks[mask]);
            (void)snprintf(name, sizeof name, "file-%o-%o", masks[mask], modes[mode]);
            int fd = TRY_OPEN(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, modes[mode]));
            /* What its own mode forbids, the one that makes it may do all the same. */
            TRY(write(fd, "x", 1));
            MUST(close(fd));
            note_stat(name);
        }
    (void)umask(022);
}

static void at_a_directory(void)
{
    make_kinds();
    write_file("folder/inner", "inner");
    int folder = MUST_OPEN(open("folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int file = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    int path = MUST_OPEN(open("folder", O_PATH | O_CLOEXEC));
    int fd = TRY_OPEN(openat(folder, "inner", O_RDONLY | O_CLOEXEC));
    note_open_file("inner", fd);
    MUST(close(fd));
    fd = TRY_OPEN(openat(path, "made", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    MUST(close(fd));
    fd = TRY_OPEN(openat(folder, "../file", O_RDONLY | O_CLOEXEC));
    MUST(close(fd));
    TRY_OPEN(openat(file, "inner", O_RDONLY | O_CLOEXEC));
    TRY_OPEN(openat(-1, "inner", O_RDONLY | O_CLOEXEC));
    TRY_OPEN(openat(folder, "", O_RDONLY | O_CLOEXEC));
    MUST(unlink("folder/inner"));
    MUST(unlink("folder/made"));
    MUST(rmdir("folder"));
    TRY_OPEN(openat(folder, "inner", O_RDONLY | O_CLOEXEC));
    TRY_OPEN(openat(folder, "inner", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    fd = TRY_OPEN(openat(folder, ".", O_RDONLY | O_CLOEXEC));
    if (fd >= 0)
        MUST(close(fd));
    fd = TRY_OPEN(openat(folder, "..", O_RDONLY | O_CLOEXEC));
    if (fd >= 0)
        MUST(close(fd));
}

static void by_path_descriptors(void)
{
    char buffer[8];
    write_file("file", "content");
    int path = MUST_OPEN(open("file", O_PATH | O_CLOEXEC));
    TRY(read(path, buffer, 1));
    TRY(write(path, "x", 1));
    TRY(ftruncate(path, 0));
    TRY(fchmod(path, 0600));
    TRY(fsync(path));
    struct stat status;
    TRY(fstat(path, &status));
    note_status("by path", &status);
    (void)snprintf(buffer, sizeof buffer, "%d", path);
    char again[64];
    (void)snprintf(again, sizeof again, "/proc/self/fd/%d", path);
    int fd = note_open("reopened", open(again, O_RDWR | O_CLOEXEC));
    note_open_file("reopened", fd);
    MUST(unlink("file"));
    TRY(pwrite(fd, "C", 1, 0));
    int more = note_open("reopened when unlinked", open(again, O_RDONLY | O_CLOEXEC));
    if (more >= 0)
        note_open_file("reopened when unlinked", more);
}

static void temporary_files(void)
{
    known("FUSE does not make files without a name (O_TMPFILE)");
    (void)TRY_OPEN(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    known(NULL);
    TRY_OPEN(open("missing", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    TRY_OPEN(open(".", O_TMPFILE | O_RDONLY | O_CLOEXEC, 0600));
}

static void many_at_once(void)
{
    int fds[64];
    for (int i = 0; i < 64; i++)
        fds[i] = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    for (int i = 0; i < 64; i++)
        TRY(pwrite(fds[i], "abcdefgh", 8, i * 8));
    note_open_file("the first", fds[0]);
    note_open_file("the last", fds[63]);
    for (int i = 0; i < 64; i++)
        MUST(close(fds[i]));
    TRY(close(fds[0]));
}

const struct posix_case open_cases[] = {
    {"for reading and writing, every kind of name", for_reading_and_writing, false},
    {"of directories and without following links", of_directories_and_links, false},
    {"with O_SYNC, O_DSYNC, O_NOATIME, O_DIRECT, O_ASYNC", with_durability, false},
    {"makes files, or finds them there", makes, false},
    {"truncates", truncates, false},
    {"modes are cut by the mask", modes_and_masks, false},
    {"relative to directories, removed ones too", at_a_directory, false},
    {"descriptors of a path only", by_path_descriptors, false},
    {"files without a name", temporary_files, false},
    {"the same file many times", many_at_once, false},
    {NULL, NULL, false},
};
