/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c - flock, locks of processes and of open files, leases. */
#include "posix.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void flock_child(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TRY(flock(fd, LOCK_SH | LOCK_NB));
    TRY(flock(fd, LOCK_EX | LOCK_NB));
}

static void flocks(void)
{
    write_file("file", "x");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    int second = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    TRY(flock(fd, LOCK_EX));
    TRY(flock(second, LOCK_SH | LOCK_NB));
    in_child(flock_child);
    TRY(flock(fd, LOCK_SH));
    TRY(flock(second, LOCK_SH | LOCK_NB));
    in_child(flock_child);
    TRY(flock(fd, LOCK_UN));
    TRY(flock(second, LOCK_EX | LOCK_NB));
    TRY(flock(fd, LOCK_SH | LOCK_NB));
    MUST(close(second));
    TRY(flock(fd, LOCK_EX | LOCK_NB));
    int copy = MUST_OPEN(dup(fd));
    MUST(close(fd));
    in_child(flock_child);
    MUST(close(copy));
    in_child(flock_child);
    TRY(flock(-1, LOCK_SH));
    fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TRY(flock(fd, 77));
    int folder = MUST_OPEN(open(".", O_RDONLY | O_CLOEXEC));
    TRY(flock(folder, LOCK_EX | LOCK_NB));
}

static struct flock range(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static void try_ranges(int fd)
{
    static const off_t ranges[][2] = {{0, 10}, {5, 10}, {15, 5}, {100, 0}, {150, 1}, {0, 0}};
    static const short types[] = {F_RDLCK, F_WRLCK};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (size_t type = 0; type < 2; type++) {
            struct flock one = range(types[type], ranges[i][0], ranges[i][1]);
            label("%lld+%lld type %d", (long long)ranges[i][0], (long long)ranges[i][1], types[type]);
            if (TRY(fcntl(fd, F_GETLK, &one)) == 0)
                note("type %d start %lld length %lld", one.l_type, (long long)one.l_start, (long long)one.l_len);
            one = range(types[type], ranges[i][0], ranges[i][1]);
            if (TRY(fcntl(fd, F_SETLK, &one)) == 0) {
                one.l_type = F_UNLCK;
                TRY(fcntl(fd, F_SETLK, &one));
            }
        }
    label("%s", "");
}

static void range_child(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    try_ranges(fd);
}

static void process_locks(void)
{
    write_file("file", "some bytes to be locked");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    struct flock first = range(F_WRLCK, 0, 10);
    struct flock shared = range(F_RDLCK, 100, 100);
    TRY(fcntl(fd, F_SETLK, &first));
    TRY(fcntl(fd, F_SETLK, &shared));
    in_child(range_child);
    try_ranges(fd);
    struct flock middle = range(F_UNLCK, 3, 3);
    TRY(fcntl(fd, F_SETLK, &middle));
    in_child(range_child);
    /* Any descriptor of the file that the process closes takes its locks away. */
    MUST(close(MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC))));
    in_child(range_child);
    int reader = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    int writer = MUST_OPEN(open("file", O_WRONLY | O_CLOEXEC));
    struct flock one = range(F_WRLCK, 0, 1);
    TRY(fcntl(reader, F_SETLK, &one));
    one = range(F_RDLCK, 0, 1);
    TRY(fcntl(writer, F_SETLK, &one));
    one = range(F_RDLCK, -1, 1);
    TRY(fcntl(reader, F_SETLK, &one));
    one = range(77, 0, 1);
    TRY(fcntl(reader, F_SETLK, &one));
    TRY(fcntl(-1, F_SETLK, &one));
    TRY(lockf(writer, F_TEST, 5));
    TRY(lockf(writer, F_TLOCK, 5));
}

static void open_file_child(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    struct flock one = range(F_WRLCK, 5, 1);
    TRY(fcntl(fd, F_OFD_SETLK, &one));
    if (TRY(fcntl(fd, F_OFD_GETLK, &one)) == 0)
        note("type %d start %lld pid %d", one.l_type, (long long)one.l_start, (int)one.l_pid);
    one = range(F_WRLCK, 20, 1);
    TRY(fcntl(fd, F_OFD_SETLK, &one));
    one = range(F_WRLCK, 5, 1);
    TRY(fcntl(fd, F_SETLK, &one));
}

static void open_file_locks(void)
{
    write_file("file", "x");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    int second = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    struct flock one = range(F_WRLCK, 0, 10);
    TRY(fcntl(fd, F_OFD_SETLK, &one));
    one = range(F_WRLCK, 5, 10);
    TRY(fcntl(second, F_OFD_SETLK, &one));
    one = range(F_RDLCK, 10, 10);
    TRY(fcntl(second, F_OFD_SETLK, &one));
    in_child(open_file_child);
    MUST(close(MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC))));
    in_child(open_file_child);
    MUST(close(fd));
    in_child(open_file_child);
    one = range(F_WRLCK, 0, 1);
    one.l_pid = 5;
    TRY(fcntl(second, F_OFD_SETLK, &one));
}

static void wait_child(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    struct flock one = range(F_WRLCK, 0, 1);
    char text[16] = "";
    TRY(fcntl(fd, F_SETLKW, &one));
    MUST(pread(fd, text, 7, 0));
    note_text("what was written before the lock came", text);
}

static void waiting(void)
{
    write_file("file", "before");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    int ready[2];
    MUST(pipe2(ready, O_CLOEXEC));
    pid_t holder = (pid_t)MUST(fork());
    if (holder == 0) {
        struct flock one = range(F_WRLCK, 0, 1);
        MUST(fcntl(fd, F_SETLK, &one));
        MUST(write(ready[1], "r", 1));
        (void)usleep(50000);
        MUST(pwrite(fd, "written", 7, 0));
        one.l_type = F_UNLCK;
        MUST(fcntl(fd, F_SETLK, &one));
        (void)usleep(10000);
        _exit(0);
    }
    char byte;
    MUST(read(ready[0], &byte, 1));
    in_child(wait_child);
    note("the holder is there: %d", kill(holder, 0));
}

static void leases(void)
{
    write_file("file", "x");
    int reader = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    TRY(fcntl(reader, F_GETLEASE));
    TRY(fcntl(reader, F_SETLEASE, F_RDLCK));
    TRY(fcntl(reader, F_GETLEASE));
    TRY(fcntl(reader, F_SETLEASE, F_UNLCK));
    TRY(fcntl(reader, F_SETLEASE, F_WRLCK));
    TRY(fcntl(reader, F_SETLEASE, F_UNLCK));
}

const struct posix_case lock_cases[] = {
    {"flock", flocks, false},
    {"locks of processes", process_locks, false},
    {"locks of open files", open_file_locks, false},
    {"waiting for a lock", waiting, false},
    {"leases", leases, false},
    {NULL, NULL, false},
};
