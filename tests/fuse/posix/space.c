/* SPDX-License-Identifier: BSD-2-Clause */
/* space.c - holes, preallocation, copies inside the filesystem, large files. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <unistd.h>

#define KIB ((off_t)1024)
#define GIB ((off_t)1 << 30)

static int filled(const char *name, size_t size)
{
    write_bytes(name, size, 7);
    return MUST_OPEN(open(name, O_RDWR | O_CLOEXEC));
}

static void note_allocated(int fd)
{
    struct stat status;
    MUST(fsync(fd));
    MUST(fstat(fd, &status));
    note("%lld bytes on the disk", (long long)status.st_blocks * 512);
}

static void every_mode(void)
{
    static const struct {
        int mode;
        const char *name;
        bool refused; /* by FUSE */
    } modes[] = {
        {0, "plain", false},
        {FALLOC_FL_KEEP_SIZE, "keep size", false},
        {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch hole", false},
        {FALLOC_FL_PUNCH_HOLE, "punch hole, changing the size", false},
        {FALLOC_FL_ZERO_RANGE, "zero range", false},
        {FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zero range, keep size", false},
        {FALLOC_FL_COLLAPSE_RANGE, "collapse range", true},
        {FALLOC_FL_INSERT_RANGE, "insert range", true},
        {FALLOC_FL_UNSHARE_RANGE, "unshare range", false},
        {0x4000, "unknown", false},
    };
    static const off_t ranges[][2] = {{0, 4096}, {1000, 5000}, {65536, 65536}, {199000, 40000}, {8192, 4096}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int fd = filled("file", 200000);
        for (size_t range = 0; range < sizeof ranges / sizeof *ranges; range++) {
            label("%s, %lld of %lld", modes[i].name, (long long)ranges[range][1], (long long)ranges[range][0]);
            if (modes[i].refused)
                known("FUSE does not pass on collapse range and insert range");
            TRY(fallocate(fd, modes[i].mode, ranges[range][0], ranges[range][1]));
            note_open_file("file", fd);
            known(NULL);
        }
        MUST(close(fd));
        MUST(unlink("file"));
    }
}

static void refused(void)
{
    int fd = filled("file", 10000);
    int reader = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    int appender = MUST_OPEN(open("file", O_WRONLY | O_APPEND | O_CLOEXEC));
    int folder = MUST_OPEN(open(".", O_RDONLY | O_CLOEXEC));
    MUST(mkfifo("pipe", 0600));
    int pipe_end = MUST_OPEN(open("pipe", O_RDWR | O_CLOEXEC));
    TRY(fallocate(reader, 0, 0, 4096));
    TRY(fallocate(fd, 0, -1, 4096));
    TRY(fallocate(fd, 0, 0, 0));
    TRY(fallocate(fd, 0, 0, -5));
    TRY(fallocate(fd, 0, INT64_MAX - 10, 100));
    TRY(fallocate(fd, 0, INT64_C(1) << 60, 4096));
    TRY(fallocate(folder, 0, 0, 4096));
    TRY(fallocate(pipe_end, 0, 0, 4096));
    TRY(fallocate(-1, 0, 0, 4096));
    TRY(fallocate(appender, 0, 20000, 4096));
    TRY(posix_fallocate(fd, 30000, 5));
    note_file("file");
}

static void what_a_hole_leaves(void)
{
    int fd = filled("file", 1 << 20);
    note_allocated(fd);
    TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 128 * KIB, 512 * KIB));
    note_allocated(fd);
    TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 64 * KIB));
    note_allocated(fd);
    TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 1 << 20, 256 * KIB));
    note_allocated(fd);
    TRY(ftruncate(fd, 1 << 20));
    note_allocated(fd);
    note_open_file("file", fd);
    MUST(close(fd));
    TIMES("file", truncate("file", 1 << 19));
    fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TIMES("file", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    TIMES("file", fallocate(fd, FALLOC_FL_KEEP_SIZE, 1 << 19, 4096));
    TIMES("file", fallocate(fd, 0, 1 << 19, 8192));
}

static void note_holes(int fd)
{
    off_t at = 0;
    MUST(fsync(fd));
    for (int i = 0; i < 40; i++) {
        off_t next = (off_t)TRY(lseek(fd, at, i % 2 == 0 ? SEEK_DATA : SEEK_HOLE));
        if (next < 0)
            break;
        at = next;
    }
}

static void seeking_holes(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    unsigned char page[4096];
    fill(page, sizeof page, 1);
    note_holes(fd);
    MUST(pwrite(fd, page, sizeof page, 1 << 20));
    MUST(pwrite(fd, page, sizeof page, 3 << 20));
    MUST(ftruncate(fd, 5 << 20));
    note_holes(fd);
    TRY(lseek(fd, (1 << 20) + 100, SEEK_DATA));
    TRY(lseek(fd, (1 << 20) + 100, SEEK_HOLE));
    TRY(lseek(fd, (5 << 20) - 1, SEEK_HOLE));
    TRY(lseek(fd, 5 << 20, SEEK_HOLE));
    TRY(lseek(fd, 5 << 20, SEEK_DATA));
    TRY(lseek(fd, -1, SEEK_DATA));
    TRY(lseek(fd, 0, SEEK_CUR));
    /* From memory that is mapped and not yet written back: only that what is read can be found counts. */
    MUST(ftruncate(fd, 0));
    MUST(write(fd, page, sizeof page));
    TRY(lseek(fd, 0, SEEK_DATA));
    TRY(lseek(fd, 0, SEEK_HOLE));
}

static void note_copy(int target)
{
    note_open_file("target", target);
}

static void copying(void)
{
    int source = filled("source", 300000);
    int target = MUST_OPEN(open("target", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    off_t from = 0;
    off_t to = 0;
    TRY(copy_file_range(source, &from, target, &to, 300000, 0));
    note("offsets %lld %lld", (long long)from, (long long)to);
    note_copy(target);
    from = 1234, to = 200001;
    TRY(copy_file_range(source, &from, target, &to, 150000, 0));
    note_copy(target);
    from = 299000;
    TRY(copy_file_range(source, &from, target, &to, 5000, 0));
    TRY(copy_file_range(source, &from, target, &to, 5000, 0));
    TRY(lseek(source, 5, SEEK_SET));
    TRY(lseek(target, 7, SEEK_SET));
    TRY(copy_file_range(source, NULL, target, NULL, 4096, 0));
    TRY(lseek(source, 0, SEEK_CUR));
    TRY(lseek(target, 0, SEEK_CUR));
    note_copy(target);
    from = 0, to = 100000;
    TRY(copy_file_range(source, &from, source, &to, 50000, 0));
    note_open_file("within one file", source);
    /* What was just written, mapped or not, is what is copied. */
    TRY(pwrite(source, "fresh", 5, 40));
    from = 0, to = 0;
    TRY(copy_file_range(source, &from, target, &to, 100, 0));
    note_copy(target);
    from = 0, to = GIB;
    TRY(copy_file_range(source, &from, target, &to, 10, 0));
    note_copy(target);
}

static void copying_refused(void)
{
    int source = filled("source", 10000);
    int target = MUST_OPEN(open("target", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    int reader = MUST_OPEN(open("target", O_RDONLY | O_CLOEXEC));
    int writer = MUST_OPEN(open("source", O_WRONLY | O_CLOEXEC));
    int appender = MUST_OPEN(open("target", O_WRONLY | O_APPEND | O_CLOEXEC));
    int folder = MUST_OPEN(open(".", O_RDONLY | O_CLOEXEC));
    int pipes[2];
    off_t from = 0;
    off_t to = 0;
    MUST(pipe(pipes));
    TRY(copy_file_range(source, &from, reader, &to, 10, 0));
    TRY(copy_file_range(writer, &from, target, &to, 10, 0));
    TRY(copy_file_range(source, &from, appender, &to, 10, 0));
    TRY(copy_file_range(folder, &from, target, &to, 10, 0));
    TRY(copy_file_range(source, &from, folder, &to, 10, 0));
    TRY(copy_file_range(source, &from, pipes[1], NULL, 10, 0));
    TRY(copy_file_range(source, &from, target, &to, 10, 1));
    TRY(copy_file_range(-1, &from, target, &to, 10, 0));
    to = 5;
    TRY(copy_file_range(source, &from, source, &to, 10, 0));
    from = -1;
    TRY(copy_file_range(source, &from, target, &to, 10, 0));
    from = 20000;
    TRY(copy_file_range(source, &from, target, &to, 10, 0));
    from = 0;
    TRY(copy_file_range(source, &from, target, &to, 0, 0));
    note_file("target");
    known("files cannot share blocks (FICLONE)");
    TRY(ioctl(target, FICLONE, source));
    known(NULL);
}

static void over_four_gigabytes(void)
{
    static const off_t places[] = {2 * GIB - 5, 4 * GIB - 5, 4 * GIB + 100, 100 * GIB - 3};
    char text[16];
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        (void)snprintf(text, sizeof text, "at place %zu", i);
        TRY(pwrite(fd, text, 10, places[i]));
        note_stat("file");
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memset(text, 0, sizeof text);
        TRY(pread(fd, text, 10, places[i]));
        note_text("read", text);
    }
    note_open_file("file", fd);
    note_holes(fd);
    TRY(ftruncate(fd, 4 * GIB + 105));
    TRY(lseek(fd, -10, SEEK_END));
    TRY(read(fd, text, 16));
    note_text("end", text);
    TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * GIB));
    note_open_file("punched", fd);
}

const struct posix_case space_cases[] = {
    {"fallocate in every mode", every_mode, false},
    {"fallocate refused", refused, false},
    {"what a hole leaves on the disk", what_a_hole_leaves, false},
    {"holes are found", seeking_holes, false},
    {"copies inside the filesystem", copying, false},
    {"copies that are refused", copying_refused, false},
    {"files over 4 GiB", over_four_gigabytes, false},
    {NULL, NULL, false},
};
