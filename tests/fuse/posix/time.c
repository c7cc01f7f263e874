/* SPDX-License-Identifier: BSD-2-Clause */
/* time.c - times that are set, and times that change by themselves. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static void note_set_times(const char *path)
{
    struct stat status;
    MUST(lstat(path, &status));
    note("%s: access %lld.%09ld modification %lld.%09ld", path, (long long)status.st_atim.tv_sec,
         status.st_atim.tv_nsec, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* Whether a time is now, which both sides reach at different moments. */
static void note_now(const char *path)
{
    struct stat status;
    struct timespec now;
    MUST(lstat(path, &status));
    MUST(clock_gettime(CLOCK_REALTIME, &now));
    bool accessed = llabs((long long)(now.tv_sec - status.st_atim.tv_sec)) < 30;
    bool modified = llabs((long long)(now.tv_sec - status.st_mtim.tv_sec)) < 30;
    note("%s: access %s, modification %s", path, accessed ? "now" : "then", modified ? "now" : "then");
}

static const struct timespec interesting[][2] = {
    {{.tv_sec = 0}, {.tv_sec = 0}},
    {{.tv_sec = 1, .tv_nsec = 1}, {.tv_sec = 2, .tv_nsec = 999999999}},
    {{.tv_sec = 1234567890, .tv_nsec = 123456789}, {.tv_sec = 987654321, .tv_nsec = 987654321}},
    {{.tv_sec = -1, .tv_nsec = 5}, {.tv_sec = -1000000000, .tv_nsec = 7}},
    {{.tv_sec = 4294967296, .tv_nsec = 3}, {.tv_sec = 4294967295, .tv_nsec = 4}},
    {{.tv_sec = 15032385535, .tv_nsec = 0}, {.tv_sec = 20000000000, .tv_nsec = 0}},
    {{.tv_sec = -3000000000, .tv_nsec = 0}, {.tv_sec = -2147483648, .tv_nsec = 0}},
};

static void to_the_nanosecond(void)
{
    write_file("file", "x");
    MUST(mkdir("folder", 0755));
    MUST(symlink("file", "link"));
    MUST(mkfifo("pipe", 0600));
    int fd = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    for (size_t i = 0; i < sizeof interesting / sizeof *interesting; i++) {
        label("times %zu", i);
        TRY(utimensat(AT_FDCWD, "file", interesting[i], 0));
        note_set_times("file");
        TRY(utimensat(AT_FDCWD, "folder", interesting[i], 0));
        note_set_times("folder");
        TRY(utimensat(AT_FDCWD, "pipe", interesting[i], 0));
        note_set_times("pipe");
        TRY(utimensat(AT_FDCWD, "link", interesting[i], AT_SYMLINK_NOFOLLOW));
        note_set_times("link");
        TRY(futimens(fd, interesting[(i + 1) % (sizeof interesting / sizeof *interesting)]));
        note_set_times("file");
    }
    label("%s", "");
}

static void now_and_omit(void)
{
    const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    const struct timespec omit[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    const struct timespec only_access[2] = {{.tv_sec = 77, .tv_nsec = 5}, {.tv_nsec = UTIME_OMIT}};
    const struct timespec only_modification[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 88, .tv_nsec = 6}};
    const struct timespec mixed[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = 99, .tv_nsec = 7}};
    write_file("file", "x");
    MUST(utimensat(AT_FDCWD, "file", interesting[2], 0));
    TIMES("file", utimensat(AT_FDCWD, "file", omit, 0));
    note_set_times("file");
    TIMES("file", utimensat(AT_FDCWD, "file", only_access, 0));
    note_set_times("file");
    TIMES("file", utimensat(AT_FDCWD, "file", only_modification, 0));
    note_set_times("file");
    TRY(utimensat(AT_FDCWD, "file", now, 0));
    note_now("file");
    TRY(utimensat(AT_FDCWD, "file", mixed, 0));
    note_now("file");
    MUST(utimensat(AT_FDCWD, "file", interesting[2], 0));
    TRY(utimensat(AT_FDCWD, "file", NULL, 0));
    note_now("file");
    const struct utimbuf old = {.actime = 5, .modtime = 6};
    TRY(utime("file", &old));
    note_set_times("file");
    const struct timeval micro[2] = {{.tv_sec = 7, .tv_usec = 8}, {.tv_sec = 9, .tv_usec = 10}};
    TRY(utimes("file", micro));
    note_set_times("file");
}

static void refused(void)
{
    const struct timespec wrong[2] = {{.tv_nsec = 1000000000}, {.tv_nsec = 0}};
    const struct timespec negative[2] = {{.tv_nsec = -1}, {.tv_nsec = 0}};
    write_file("file", "x");
    MUST(symlink("missing", "dangling"));
    TRY(utimensat(AT_FDCWD, "file", wrong, 0));
    TRY(utimensat(AT_FDCWD, "file", negative, 0));
    TRY(utimensat(AT_FDCWD, "missing", NULL, 0));
    TRY(utimensat(AT_FDCWD, "dangling", NULL, 0));
    TRY(utimensat(AT_FDCWD, "dangling", NULL, AT_SYMLINK_NOFOLLOW));
    TRY(utimensat(AT_FDCWD, "file/x", NULL, 0));
    TRY(utimensat(AT_FDCWD, "file", NULL, 0x4000));
    TRY(utimensat(-1, "file", NULL, 0));
    TRY(futimens(-1, NULL));
}

/* Calls that change times of files and of the directories they lie in. */
static void change_by_themselves(void)
{
    write_bytes("file", 10000, 1);
    MUST(mkdir("folder", 0755));
    MUST(symlink("x", "link"));
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    char buffer[16];
    TIMES("file", pwrite(fd, "x", 1, 0));
    TIMES("file", pwrite(fd, "x", 0, 0));
    TIMES("file", pread(fd, buffer, 1, 0));
    TIMES("file", ftruncate(fd, 9000));
    TIMES("file", ftruncate(fd, 9000));
    TIMES("file", fchmod(fd, 0600));
    TIMES("file", fsync(fd));
    TIMES("file", link("file", "second"));
    TIMES("file", rename("second", "third"));
    TIMES("file", unlink("third"));
    TIMES("file", fsetxattr(fd, "user.a", "1", 1, 0));
    TIMES("file", fremovexattr(fd, "user.a"));
    TIMES("file", fremovexattr(fd, "user.a"));
    TIMES("file", access("file", R_OK));
    TIMES("file", close(open("file", O_WRONLY | O_TRUNC | O_CLOEXEC)));
    TIMES("file", close(open("file", O_WRONLY | O_TRUNC | O_CLOEXEC)));
    TIMES("file", close(open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
    TIMES("folder", close(open("folder/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
    TIMES("folder", close(open("folder/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
    TIMES("folder", symlink("x", "folder/link"));
    TIMES("folder", mkfifo("folder/pipe", 0600));
    TIMES("folder", rename("folder/pipe", "folder/pipe-2"));
    TIMES("folder", rename("folder/new", "file-2"));
    TIMES(".", rename("file-2", "file-3"));
    TIMES("folder", unlink("folder/link"));
    TIMES("folder", chmod("folder/pipe-2", 0644));
    TIMES("folder", setxattr("folder", "user.b", "2", 1, 0));
}

static void change_by_mapping(void)
{
    write_bytes("file", 10000, 1);
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        _exit(99);
    struct stat before;
    times_before("file", &before);
    at[0] = 1;
    TRY(msync(at, 8192, MS_SYNC));
    times_after("file", &before);
    times_before("file", &before);
    note("only read: %d", at[4096]);
    TRY(msync(at, 8192, MS_SYNC));
    times_after("file", &before);
}

/* Set times stay set whatever was written before: the copying of a tree depends on it. */
static void stay_set(void)
{
    write_bytes("file", 300000, 1);
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TRY(pwrite(fd, "written", 7, 1000));
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        _exit(99);
    at[5] = 1;
    TRY(msync(at, 8192, MS_SYNC));
    MUST(munmap(at, 8192));
    TRY(futimens(fd, interesting[2]));
    note_set_times("file");
    MUST(close(fd));
    note_set_times("file");
    TRY(chmod("file", 0600));
    MUST(rename("file", "copy"));
    note_set_times("copy");
    sync();
    note_set_times("copy");
}

const struct posix_case time_cases[] = {
    {"are set to the nanosecond", to_the_nanosecond, false},
    {"of now, and left out", now_and_omit, false},
    {"what is refused", refused, false},
    {"change by themselves", change_by_themselves, false},
    {"change by stores", change_by_mapping, false},
    {"stay as they were set", stay_set, false},
    {NULL, NULL, false},
};
