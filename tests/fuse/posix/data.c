/* SPDX-License-Identifier: BSD-2-Clause */
/* data.c - reading, writing, seeking, truncating, synchronising. */
#include "posix.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned char bytes[1 << 20];

/* What compilers would rather not see passed on. */
static void *volatile nowhere = (void *)8;
static volatile int wrong_count = -1;

static void any_size_and_place(void)
{
    static const size_t sizes[] = {0, 1, 7, 511, 512, 4095, 4096, 4097, 65536, 100000, 262145};
    static const off_t offsets[] = {0, 1, 4095, 4096, 5000, 131071, 400000};
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++) {
            label("%zu at %lld", sizes[s], (long long)offsets[o]);
            fill(bytes, sizes[s], s * 1000 + o);
            TRY(pwrite(fd, bytes, sizes[s], offsets[o]));
            memset(bytes, 0, sizeof bytes);
            long got = TRY(pread(fd, bytes, sizes[s] + 100, offsets[o] / 2));
            note_bytes("read", bytes, (size_t)got);
        }
    label("%s", "");
    TRY(lseek(fd, 0, SEEK_CUR));
    note_open_file("in the end", fd);
    struct stat status;
    MUST(fstat(fd, &status));
    note("size %lld", (long long)status.st_size);
}

static void refused(void)
{
    write_file("file", "content");
    MUST(mkdir("folder", 0755));
    int reader = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    int writer = MUST_OPEN(open("file", O_WRONLY | O_CLOEXEC));
    int folder = MUST_OPEN(open("folder", O_RDONLY | O_CLOEXEC));
    TRY(write(reader, "x", 1));
    TRY(pwrite(reader, "x", 1, 0));
    TRY(read(writer, bytes, 1));
    TRY(pread(writer, bytes, 1, 0));
    TRY(read(folder, bytes, 1));
    TRY(pread(folder, bytes, 1, 0));
    TRY(write(folder, bytes, 1));
    TRY(read(-1, bytes, 1));
    TRY(write(-1, bytes, 1));
    TRY(pread(reader, bytes, 1, -1));
    TRY(pwrite(writer, bytes, 1, -1));
    TRY(read(reader, nowhere, 4));
    TRY(write(writer, nowhere, 4));
    TRY(pread(reader, bytes, 1, LLONG_MAX));
    TRY(read(reader, bytes, 0));
    TRY(write(writer, bytes, 0));
    TRY(ftruncate(reader, 0));
    TRY(ftruncate(writer, -1));
    TRY(ftruncate(folder, 0));
    TRY(truncate("folder", 0));
    TRY(truncate("missing", 0));
    TRY(truncate("file/below", 0));
    TRY(truncate("file", -1));
    TRY(fsync(-1));
    TRY(fsync(folder));
    TRY(fdatasync(folder));
    note_file("file");
}

static void seeking(void)
{
    write_bytes("file", 10000, 1);
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TRY(lseek(fd, 100, SEEK_SET));
    TRY(lseek(fd, 100, SEEK_CUR));
    TRY(lseek(fd, -300, SEEK_CUR));
    TRY(lseek(fd, 0, SEEK_CUR));
    TRY(lseek(fd, -10, SEEK_END));
    TRY(read(fd, bytes, 100));
    TRY(read(fd, bytes, 100));
    TRY(lseek(fd, 90000, SEEK_END));
    TRY(read(fd, bytes, 1));
    TRY(lseek(fd, -100001, SEEK_END));
    TRY(lseek(fd, 0, 77));
    TRY(lseek(fd, -1, SEEK_SET));
    TRY(lseek(-1, 0, SEEK_SET));
    TRY(lseek(fd, INT64_C(1) << 40, SEEK_SET));
    known("offsets beyond the largest file of the disk are refused by the write, not by lseek");
    TRY(lseek(fd, LLONG_MAX, SEEK_SET));
    known(NULL);
    TRY(lseek(fd, INT64_C(1) << 40, SEEK_SET));
    TRY(write(fd, "x", 1));
    TRY(lseek(fd, 20000, SEEK_SET));
    TRY(write(fd, "behind", 6));
    note_open_file("grown", fd);
    int second = MUST_OPEN(dup(fd));
    TRY(lseek(second, 5, SEEK_SET));
    TRY(lseek(fd, 0, SEEK_CUR));
}

static void appending(void)
{
    int one = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    int other = MUST_OPEN(open("file", O_RDWR | O_APPEND | O_CLOEXEC));
    int plain = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    TRY(write(one, "first ", 6));
    TRY(write(other, "second ", 7));
    TRY(pwrite(one, "third ", 6, 0));
    TRY(lseek(one, 0, SEEK_CUR));
    TRY(lseek(one, 2, SEEK_SET));
    TRY(write(one, "fourth ", 7));
    TRY(lseek(one, 0, SEEK_CUR));
    TRY(pwrite(plain, "FIRST", 5, 0));
    TRY(ftruncate(plain, 10));
    TRY(write(other, "fifth", 5));
    TRY(fcntl(plain, F_SETFL, O_APPEND));
    TRY(write(plain, " sixth", 6));
    TRY(fcntl(plain, F_SETFL, 0));
    TRY(write(plain, "+", 1));
    note_file("file");
}

static void vectors(void)
{
    char a[10], b[5000], c[3];
    fill(a, sizeof a, 1);
    fill(b, sizeof b, 2);
    fill(c, sizeof c, 3);
    const struct iovec out[] = {{a, sizeof a}, {b, sizeof b}, {NULL, 0}, {c, sizeof c}};
    const struct iovec bad[] = {{a, sizeof a}, {nowhere, 100}};
    const struct iovec huge[] = {{a, SSIZE_MAX}, {a, SSIZE_MAX}};
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(writev(fd, out, 4));
    TRY(pwritev(fd, out, 4, 3000));
    TRY(pwritev2(fd, out, 4, 9000, RWF_DSYNC));
    TRY(pwritev2(fd, out, 1, 9000, RWF_SYNC));
    TRY(pwritev2(fd, out, 1, 0, RWF_APPEND));
    TRY(pwritev2(fd, out, 2, -1, 0));
    note_open_file("written", fd);
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    TRY(preadv(fd, out, 4, 2995));
    note_bytes("a", a, sizeof a);
    note_bytes("b", b, sizeof b);
    TRY(preadv2(fd, out, 4, 0, RWF_HIPRI));
    TRY(preadv2(fd, out, 4, 0, 0x40000000));
    TRY(pwritev2(fd, out, 1, 0, 0x40000000));
    known("a read that must not wait (RWF_NOWAIT) is refused");
    TRY(preadv2(fd, out, 1, 0, RWF_NOWAIT));
    known(NULL);
    TRY(preadv(fd, bad, 2, 0));
    TRY(readv(fd, huge, 2));
    TRY(writev(fd, out, wrong_count));
    wrong_count = IOV_MAX + 1;
    TRY(writev(fd, out, wrong_count));
    TRY(writev(fd, out, 0));
    note_open_file("in the end", fd);
}

/* Memory ends inside a write: what is before the end is written, or nothing; not more. */
static void from_memory_that_ends(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *at = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        _exit(99);
    fill(at, 3 * page, 5);
    MUST(munmap(at + 2 * page, page));
    TRY(write(fd, at + page, 2 * page));
    note_open_file("one page of two", fd);
    TRY(pwrite(fd, at + 2 * page - 100, 200, 50));
    note_open_file("100 bytes of 200", fd);
    TRY(write(fd, nowhere, 4096));
    TRY(pread(fd, at + 2 * page - 100, 200, 0));
    note_bytes("read", at + 2 * page - 100, 100);
}

static void truncating(void)
{
    static const off_t sizes[] = {0, 1, 4095, 4096, 4097, 100, 100000, 99999, 8192, 0, 5, 65536, 3};
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    fill(bytes, 70000, 9);
    TRY(pwrite(fd, bytes, 70000, 0));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        label("%lld", (long long)sizes[i]);
        if (i % 2 == 0)
            TRY(ftruncate(fd, sizes[i]));
        else
            TRY(truncate("file", sizes[i]));
        note_open_file("file", fd);
        note_stat("file");
        /* What was cut off must not come back when the file grows. */
        TRY(pwrite(fd, "end", 3, sizes[i] + 5000));
        note_open_file("grown", fd);
    }
    label("%s", "");
    MUST(close(fd));
    TIMES("file", truncate("file", 8003));
    TIMES("file", truncate("file", 8004));
    TIMES("file", truncate("file", 8004));
}

static void limits_of_size(void)
{
    const struct rlimit limit = {10000, 10000};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    MUST(sigaction(SIGXFSZ, &ignore, NULL));
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(pwrite(fd, "x", 1, INT64_C(1) << 62));
    TRY(ftruncate(fd, INT64_C(1) << 62));
    TRY(truncate("file", LLONG_MAX));
    MUST(setrlimit(RLIMIT_FSIZE, &limit));
    fill(bytes, 20000, 1);
    TRY(pwrite(fd, bytes, 20000, 0));
    TRY(pwrite(fd, bytes, 1, 10000));
    TRY(pwrite(fd, bytes, 100, 9950));
    TRY(ftruncate(fd, 10001));
    TRY(ftruncate(fd, 9000));
    TRY(posix_fallocate(fd, 0, 20000));
    TRY(fallocate(fd, 0, 0, 20000));
    note_open_file("file", fd);
}

static void killed_by_the_limit(void)
{
    const struct rlimit limit = {100, 100};
    MUST(setrlimit(RLIMIT_FSIZE, &limit));
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(pwrite(fd, bytes, 100, 0));
    TRY(pwrite(fd, bytes, 1, 100));
}

static void the_limit_kills(void)
{
    note("one child");
    in_child(killed_by_the_limit);
}

static void direct(void)
{
    unsigned char *aligned = aligned_alloc(4096, 65536);
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644));
    int other = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    if (aligned == NULL)
        _exit(99);
    fill(aligned, 65536, 3);
    TRY(pwrite(fd, aligned, 65536, 0));
    note_open_file("seen by another", other);
    TRY(pwrite(other, "buffered", 8, 4000));
    memset(aligned, 0, 65536);
    TRY(pread(fd, aligned, 8192, 0));
    note_bytes("seen directly", aligned, 8192);
    TRY(pwrite(fd, aligned, 4096, 131072));
    TRY(ftruncate(other, 100001));
    TRY(pread(fd, aligned, 65536, 98304));
    TRY(pread(fd, aligned, 4096, 1 << 20));
    note_open_file("in the end", fd);
    TRY(pread(fd, aligned, 4096, 0));
    known("direct reads and writes of any alignment work");
    TRY(pwrite(fd, aligned, 100, 0));
    TRY(pread(fd, aligned, 100, 0));
    TRY(pread(fd, aligned + 1, 4096, 0));
    TRY(pread(fd, aligned, 4096, 7));
    known(NULL);
    /* Where it was refused, the file is as it was; where not, the same bytes were there. */
    note_open_file("in the end", fd);
    free(aligned);
}

static void synchronised(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CREAT | O_SYNC | O_CLOEXEC, 0644));
    TRY(write(fd, "synchronous", 11));
    TRY(fsync(fd));
    TRY(fdatasync(fd));
    TRY(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    TRY(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    TRY(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
    TRY(posix_fadvise(fd, 0, 0, 99));
    TRY(readahead(fd, 0, 4096));
    TRY(syncfs(fd));
    int reader = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    TRY(fsync(reader));
    int folder = MUST_OPEN(open(".", O_RDONLY | O_CLOEXEC));
    TRY(fsync(folder));
    TRY(syncfs(folder));
    note_open_file("file", reader);
}

static void between_descriptors(void)
{
    int pipes[2];
    off_t from = 100;
    write_bytes("source", 200000, 1);
    int source = MUST_OPEN(open("source", O_RDONLY | O_CLOEXEC));
    int target = MUST_OPEN(open("target", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(sendfile(target, source, &from, 150000));
    note("offset %lld", (long long)from);
    TRY(sendfile(target, source, NULL, 10));
    MUST(pipe(pipes));
    from = 5;
    TRY(splice(source, &from, pipes[1], NULL, 4096, 0));
    TRY(splice(pipes[0], NULL, target, NULL, 4096, 0));
    TRY(sendfile(source, target, NULL, 10));
    note_file("target");
}

const struct posix_case data_cases[] = {
    {"any size at any place", any_size_and_place, false},
    {"what is refused", refused, false},
    {"seeking", seeking, false},
    {"appending, several at once", appending, false},
    {"vectors, and their flags", vectors, false},
    {"from memory that is not there", from_memory_that_ends, false},
    {"what is cut off stays away", truncating, false},
    {"limits of size", limits_of_size, false},
    {"the limit of size ends a process", the_limit_kills, false},
    {"O_DIRECT beside buffered", direct, false},
    {"O_SYNC, fsync, advice", synchronised, false},
    {"sendfile and splice", between_descriptors, false},
    {NULL, NULL, false},
};
