/* SPDX-License-Identifier: BSD-2-Clause */
/* unlink.c - names that go while what they named is in use. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

static void refused(void)
{
    write_file("file", "x");
    MUST(mkdir("folder", 0755));
    MUST(symlink("folder", "link"));
    MUST(symlink("loop", "loop"));
    TRY(unlink("missing"));
    TRY(unlink("folder"));
    TRY(unlink("folder/"));
    TRY(unlink("file/"));
    TRY(unlink("file/below"));
    TRY(unlink("missing/below"));
    TRY(unlink("loop/below"));
    TRY(unlink(""));
    TRY(unlink("."));
    TRY(unlink(".."));
    TRY(unlink("link/"));
    TRY(unlink("link"));
    TRY(unlink("loop"));
    TRY(unlinkat(AT_FDCWD, "file", AT_REMOVEDIR));
    TRY(unlinkat(AT_FDCWD, "folder", 0));
    TRY(unlinkat(AT_FDCWD, "folder", 77));
    TRY(unlinkat(-1, "file", 0));
    TRY(unlink("/proc/self/status"));
    TRY(unlinkat(AT_FDCWD, "folder", AT_REMOVEDIR));
}

static void of_an_open_file(void)
{
    char text[32] = "";
    struct stat status;
    write_file("file", "open and unlinked");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    int second = MUST_OPEN(open("file", O_RDWR | O_APPEND | O_CLOEXEC));
    TRY(unlink("file"));
    TRY(access("file", F_OK));
    TRY(fstat(fd, &status));
    note_status("unlinked", &status);
    TRY(pread(fd, text, 17, 0));
    note_text("read", text);
    TRY(pwrite(fd, "OPEN", 4, 0));
    TRY(write(second, ", and longer", 12));
    note_open_file("written", fd);
    TRY(ftruncate(fd, 100000));
    TRY(fallocate(fd, 0, 0, 200000));
    TRY(fchmod(fd, 0600));
    TRY(futimens(fd, NULL));
    TRY(fsetxattr(fd, "user.name", "value", 5, 0));
    TRY(fgetxattr(fd, "user.name", text, sizeof text));
    TRY(flistxattr(fd, text, sizeof text));
    TRY(fremovexattr(fd, "user.name"));
    TRY(lseek(fd, 0, SEEK_HOLE));
    TRY(fsync(fd));
    TRY(fstat(second, &status));
    note_status("in the end", &status);
    note_open_file("in the end", second);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    note_open_file("not from memory", fd);
    /* Another file of the same name has nothing to do with it. */
    write_file("file", "a new one");
    note_file("file");
    TRY(write(second, "old", 3));
    note_file("file");
    note_open_file("the old one", fd);
    MUST(close(fd));
    MUST(close(second));
    note_file("file");
}

static void of_a_mapped_file(void)
{
    write_bytes("file", 20000, 4);
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    unsigned char *at = mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        _exit(99);
    MUST(close(fd));
    TRY(unlink("file"));
    write_bytes("file", 20000, 5);
    note_bytes("the old one", at, 20000);
    memset(at, 'x', 10000);
    TRY(msync(at, 20000, MS_SYNC));
    note_bytes("the old one", at, 20000);
    note_file("file");
    MUST(munmap(at, 20000));
    note_file("file");
}

static void of_a_working_directory(void)
{
    char path[4096];
    MUST(mkdir("folder", 0755));
    MUST(chdir("folder"));
    TRY(rmdir("../folder"));
    TRY_OPEN(open("new", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(mkdir("new", 0755));
    TRY(symlink("x", "new"));
    TRY(access(".", F_OK));
    TRY(rmdir("."));
    struct stat status;
    TRY(stat(".", &status));
    note("links %lu", (unsigned long)status.st_nlink);
    errno = 0;
    note("getcwd %s", getcwd(path, sizeof path) != NULL ? "works" : strerrorname_np(errno));
    TRY(chmod(".", 0700));
    TRY(chdir(".."));
}

static void makes_again(void)
{
    for (int i = 0; i < 20; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "round %d", i);
        write_file("file", text);
        note_file("file");
        MUST(unlink("file"));
        TRY(access("file", F_OK));
        MUST(mkdir("file", 0755));
        note_stat("file");
        MUST(rmdir("file"));
        MUST(symlink(text, "file"));
        note_stat("file");
        MUST(unlink("file"));
    }
}

static void changes_times(void)
{
    write_file("file", "x");
    MUST(link("file", "second"));
    MUST(mkdir("folder", 0755));
    TIMES(".", unlink("file"));
    TIMES(".", rmdir("folder"));
    TIMES(".", unlink("missing"));
    MUST(link("second", "file"));
    TIMES("second", unlink("file"));
}

const struct posix_case unlink_cases[] = {
    {"what is refused", refused, false},
    {"an open file lives on", of_an_open_file, false},
    {"a mapped file lives on", of_a_mapped_file, false},
    {"a working directory that is gone", of_a_working_directory, false},
    {"the same name again and again", makes_again, false},
    {"times of what stays", changes_times, false},
    {NULL, NULL, false},
};
