/* SPDX-License-Identifier: BSD-2-Clause */
/* rename.c - every kind onto every kind, with every flag. */
#include "posix.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"file", "other", "folder", "full", "link", "dangling", "pipe", "missing",
                                    "folder/below", "full/inner", "file/below", "missing/below", "folder/",
                                    "missing/", "file/", ".", "full/.", "..", "", "second-name"};
#define KINDS (sizeof kinds / sizeof *kinds)

static void make_kinds(void)
{
    write_file("file", "a file");
    MUST(link("file", "second-name"));
    write_file("other", "another file");
    MUST(mkdir("folder", 0755));
    MUST(mkdir("full", 0700));
    write_file("full/inner", "inner");
    MUST(symlink("file", "link"));
    MUST(symlink("nowhere", "dangling"));
    MUST(mkfifo("pipe", 0600));
}

/* What is where now, by what only one of the kinds has. */
static void note_kinds(void)
{
    char line[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < 12; i++) {
        struct stat status;
        if (lstat(kinds[i], &status) == 0)
            at += (size_t)snprintf(line + at, sizeof line - at, " %s:%o/%lu/%ld", kinds[i], status.st_mode,
                                   (unsigned long)status.st_nlink,
                                   S_ISDIR(status.st_mode) ? -1L : (long)status.st_size);
    }
    note("%s", line);
}

static void onto_every_kind(unsigned flags, const char *name)
{
    make_kinds();
    for (size_t from = 0; from < KINDS; from++)
        for (size_t to = 0; to < KINDS; to++) {
            label("%s %s -> %s", name, kinds[from], kinds[to]);
            if (TRY(renameat2(AT_FDCWD, kinds[from], AT_FDCWD, kinds[to], flags)) != 0)
                continue;
            note_kinds();
            remove_all_here();
            make_kinds();
        }
    label("%s", "");
}

static void plain(void)
{
    onto_every_kind(0, "plain");
}

static void no_replace(void)
{
    onto_every_kind(RENAME_NOREPLACE, "noreplace");
}

static void exchange(void)
{
    onto_every_kind(RENAME_EXCHANGE, "exchange");
}

static void whiteout(void)
{
    make_kinds();
    TRY(renameat2(AT_FDCWD, "file", AT_FDCWD, "moved", RENAME_WHITEOUT));
    note_stat("file");
    note_stat("moved");
    TRY(renameat2(AT_FDCWD, "other", AT_FDCWD, "full/inner", RENAME_WHITEOUT));
    note_stat("other");
    TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "pipe", RENAME_WHITEOUT | RENAME_NOREPLACE));
    TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "pipe", RENAME_WHITEOUT | RENAME_EXCHANGE));
    TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "pipe", RENAME_NOREPLACE | RENAME_EXCHANGE));
    TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "pipe", 0x80));
}

static void moves_and_changes(void)
{
    make_kinds();
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    int victim = MUST_OPEN(open("other", O_RDWR | O_CLOEXEC));
    TIMES(".", rename("file", "moved"));
    TIMES("moved", rename("moved", "moved-again"));
    TIMES("folder", rename("moved-again", "folder/inside"));
    TRY(write(fd, "A", 1));
    note_file("folder/inside");
    TRY(rename("folder/inside", "other"));
    struct stat status;
    TRY(fstat(victim, &status));
    note_status("replaced", &status);
    note_open_file("replaced", victim);
    TRY(write(victim, "still", 5));
    note_open_file("replaced", victim);
    note_file("other");
    TRY(pwrite(fd, "!", 1, 5));
    note_file("other");
}

static void directories_with_children(void)
{
    char here[4096];
    char path[4200];
    MUST(mkdir("a", 0755));
    MUST(mkdir("a/b", 0755));
    MUST(mkdir("a/b/c", 0755));
    write_file("a/b/c/file", "deep");
    int fd = MUST_OPEN(open("a/b/c/file", O_RDWR | O_CLOEXEC));
    int folder = MUST_OPEN(open("a/b", O_RDONLY | O_CLOEXEC));
    MUST(getcwd(here, sizeof here) == NULL ? -1 : 0);
    MUST(chdir("a/b/c"));
    (void)snprintf(path, sizeof path, "%.4000s/moved", here);
    char from[4200];
    (void)snprintf(from, sizeof from, "%.4000s/a", here);
    note_result("rename of what is above", rename(from, path));
    MUST(getcwd(path, sizeof path) == NULL ? -1 : 0);
    note_text("working directory", path + strlen(here));
    note_file("file");
    TRY(chdir("../../.."));
    TRY(access("a/b/c/file", F_OK));
    note_file("moved/b/c/file");
    TRY(write(fd, "DEEP", 4));
    note_file("moved/b/c/file");
    TRY(faccessat(folder, "c/file", F_OK, 0));
    TRY(rename("moved", "moved/b/below"));
    TRY(rename("moved/b/c", "moved"));
    TRY(rename("moved/b/c", "c"));
    note_stat("moved/b");
    note_stat("moved");
    note_stat("c");
    TIMES("c", rename("c", "moved/c"));
    TIMES(".", rename("moved/c", "moved/d"));
}

static void exchanges_see_each_other(void)
{
    MUST(mkdir("one", 0755));
    MUST(mkdir("two", 0755));
    write_file("one/file", "in one");
    write_file("two/file", "in two");
    int fd = MUST_OPEN(open("one/file", O_RDWR | O_CLOEXEC));
    TRY(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE));
    note_file("one/file");
    note_file("two/file");
    TRY(pwrite(fd, "by", 2, 0));
    note_file("two/file");
    TRY(renameat2(AT_FDCWD, "one/file", AT_FDCWD, "two", RENAME_EXCHANGE));
    note_stat("one/file");
    note_file("two");
    note_file("one/file/file");
}

static void elsewhere(void)
{
    write_file("file", "x");
    MUST(mkdir("folder", 0755));
    TRY(rename("file", "/proc/self/file"));
    TRY(rename("file", "/dev/shm/file-of-a-test"));
    TRY(link("file", "/dev/shm/file-of-a-test"));
    TRY(rename("folder", "/dev/shm/folder-of-a-test"));
    TRY(rename("/proc/self/status", "file"));
    TRY(rename("loop/x", "file"));
    int folder = MUST_OPEN(open("folder", O_RDONLY | O_CLOEXEC));
    TRY(renameat(AT_FDCWD, "file", folder, "file"));
    TRY(renameat(folder, "file", folder, "again"));
    TRY(renameat(-1, "file", folder, "again"));
    TRY(renameat(AT_FDCWD, "folder", folder, "inside"));
    MUST(unlink("folder/again"));
    MUST(rmdir("folder"));
    write_file("file", "y");
    TRY(renameat(AT_FDCWD, "file", folder, "gone"));
}

static void again_and_again(void)
{
    char name[32];
    write_file("name-0", "moving");
    for (int i = 0; i < 50; i++) {
        char next[32];
        (void)snprintf(name, sizeof name, "name-%d", i);
        (void)snprintf(next, sizeof next, "name-%d", i + 1);
        TRY(rename(name, next));
        TRY(access(name, F_OK));
        note_file(next);
        /* The way of editors: a new file takes the name of the old one. */
        write_file("new", next);
        TRY(rename("new", next));
        note_file(next);
    }
}

const struct posix_case rename_cases[] = {
    {"every kind onto every kind", plain, false},
    {"with RENAME_NOREPLACE", no_replace, false},
    {"with RENAME_EXCHANGE", exchange, false},
    {"with RENAME_WHITEOUT and nonsense", whiteout, true},
    {"open files move and are replaced", moves_and_changes, false},
    {"directories with all that is below", directories_with_children, false},
    {"exchanged directories and files", exchanges_see_each_other, false},
    {"into other filesystems and by descriptor", elsewhere, false},
    {"again and again", again_and_again, false},
    {NULL, NULL, false},
};
