/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress.c - readers through MNT while files change on DIR; every byte tells where it belongs.
 *
 * usage: stress DIR MNT SECONDS READERS SEED
 *
 * A file consists of words (file number, generation, position). A writer changes files on DIR, in place or by
 * rename, with other sizes, and then publishes the generation. A reader remembers the published generation,
 * opens the file through MNT, reads any part in any of several ways, and checks every word: its file, its
 * position, and a generation not older than the one remembered. Where nothing changed meanwhile, the
 * length must be right as well. Exit status 0 when no check failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES 16u
#define WORDS_MAX 40000u
#define CHANGE_EVERY_US 100000u

/* Published after the file on DIR is complete: generation and size in one word, generation in the high half. */
static uint64_t published[FILES];
static uint64_t begun[FILES]; /* the newest generation that may be seen */
static const char *dir;
static const char *mnt;
static int stop;
static uint64_t checked_words, opens, changes, stale, failures;

static uint64_t add(uint64_t *counter, uint64_t amount)
{
    return __atomic_add_fetch(counter, amount, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t word_of(unsigned file, uint64_t generation, uint64_t position)
{
    return (uint64_t)file << 56 | (generation & 0xffffff) << 32 | position;
}

static void report(const char *what, unsigned file, uint64_t a, uint64_t b)
{
    if (add(&failures, 1) <= 10)
        printf("FAILED: file %u: %s (%" PRIx64 ", %" PRIx64 ")\n", file, what, a, b);
}

static void path_of(char path[static PATH_MAX], const char *base, unsigned file, const char *suffix)
{
    (void)snprintf(path, PATH_MAX, "%s/file-%u%s", base, file, suffix);
}

static void write_words(int fd, unsigned file, uint64_t generation, uint64_t count)
{
    uint64_t words[512];
    for (uint64_t at = 0; at < count;) {
        uint64_t n = count - at < 512 ? count - at : 512;
        for (uint64_t i = 0; i < n; i++)
            words[i] = word_of(file, generation, at + i);
        if (pwrite(fd, words, n * 8, (off_t)(at * 8)) != (ssize_t)(n * 8)) {
            perror("stress: writing");
            exit(99);
        }
        at += n;
    }
}

/* Makes the next generation of a file: in place, or as a new file of the same name. */
static void change(unsigned file, uint64_t *random)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    uint64_t generation = (load(&published[file]) >> 32) + 1;
    uint64_t count = 1 + next_random(random) % WORDS_MAX;
    bool replace = next_random(random) % 2 == 0;
    if (next_random(random) % 3 == 0 && generation > 1)
        count = load(&published[file]) & 0xffffffff; /* the same size: only times tell */
    path_of(path, dir, file, "");
    path_of(fresh, dir, file, ".new");
    __atomic_store_n(&begun[file], generation, __ATOMIC_RELEASE);
    int fd = open(replace ? fresh : path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0) {
        perror("stress: opening for writing");
        exit(99);
    }
    write_words(fd, file, generation, count);
    if (ftruncate(fd, (off_t)(count * 8)) != 0 || close(fd) != 0 || (replace && rename(fresh, path) != 0)) {
        perror("stress: changing");
        exit(99);
    }
    __atomic_store_n(&published[file], generation << 32 | count, __ATOMIC_RELEASE);
    add(&changes, 1);
}

static void *writer(void *argument)
{
    uint64_t random = *(const uint64_t *)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        change((unsigned)(next_random(&random) % FILES), &random);
        (void)usleep((useconds_t)(next_random(&random) % (2 * CHANGE_EVERY_US)));
    }
    return NULL;
}

/* Checks @bytes bytes that were read at @offset, any alignment: whole words of them. */
static void check_bytes(unsigned file, const unsigned char *data, size_t bytes, uint64_t offset, uint64_t oldest)
{
    uint64_t newest = load(&begun[file]);
    size_t at = (size_t)((8 - offset % 8) % 8);
    for (; at + 8 <= bytes; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, 8);
        uint64_t position = (offset + at) / 8;
        uint64_t generation = word >> 32 & 0xffffff;
        if (word >> 56 != file || (word & 0xffffffff) != position) {
            /* Between truncation and the next write a file that grows has zeros. */
            if (word != 0 || newest == oldest)
                report("a word of somewhere else", file, word, position);
            return;
        }
        if (generation < oldest || generation > newest) {
            report("an old page", file, generation, oldest);
            return;
        }
    }
    add(&checked_words, bytes / 8);
}

static void read_by_calls(unsigned file, int fd, unsigned char *buffer, uint64_t *random, uint64_t before)
{
    uint64_t size = (before & 0xffffffff) * 8;
    uint64_t offset = next_random(random) % 4 == 0 ? 0 : next_random(random) % size;
    size_t length = 1 + (size_t)(next_random(random) % (next_random(random) % 2 ? 5000 : WORDS_MAX * 8));
    ssize_t got = pread(fd, buffer, length, (off_t)offset);
    if (got < 0) {
        report(strerror(errno), file, offset, length);
        return;
    }
    uint64_t expected = offset + length > size ? size - offset : length;
    bool unchanged = load(&published[file]) == before && load(&begun[file]) == before >> 32;
    if (unchanged && (uint64_t)got != expected)
        report("a wrong length", file, (uint64_t)got, expected);
    check_bytes(file, buffer, (size_t)got, offset, before >> 32);
}

/* Mapped pages can vanish when the file shrinks; so only the part that is there is copied out. */
static void read_by_map(unsigned file, int fd, unsigned char *buffer, uint64_t before)
{
    struct stat status;
    bool unchanged = load(&begun[file]) == before >> 32;
    if (!unchanged || fstat(fd, &status) != 0 || status.st_size != (off_t)((before & 0xffffffff) * 8))
        return;
    size_t length = (size_t)status.st_size;
    void *map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        report(strerror(errno), file, length, 0);
        return;
    }
    /* Through the kernel, which answers EFAULT where a load would raise a signal. */
    int sink[2];
    if (pipe(sink) == 0) {
        size_t part = length < 4096 ? length : 4096;
        if (write(sink[1], (unsigned char *)map + (length - part) / 8 * 8, part) == (ssize_t)part &&
            read(sink[0], buffer, part) == (ssize_t)part)
            check_bytes(file, buffer, part, (length - part) / 8 * 8, before >> 32);
        (void)close(sink[0]);
        (void)close(sink[1]);
    }
    (void)munmap(map, length);
}

static void read_once(unsigned file, unsigned char *buffer, uint64_t *random)
{
    char path[PATH_MAX];
    path_of(path, mnt, file, "");
    uint64_t before = load(&published[file]);
    int fd = open(path, O_RDONLY | (next_random(random) % 8 == 0 ? O_DIRECT : 0));
    if (fd < 0) {
        /* A file that is replaced again and again may be too fast for one open. */
        if (errno == ESTALE && load(&begun[file]) != before >> 32)
            add(&stale, 1);
        else
            report(strerror(errno), file, before, load(&published[file]));
        return;
    }
    add(&opens, 1);
    if (next_random(random) % 5 == 0)
        read_by_map(file, fd, buffer, before);
    for (unsigned i = 0; i < 4; i++)
        read_by_calls(file, fd, buffer, random, before);
    /* Now and then the kernel loses its own pages, so that the store is asked. */
    if (next_random(random) % 2 == 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(fd);
}

static void *reader(void *argument)
{
    uint64_t random = *(const uint64_t *)argument;
    unsigned char *buffer = aligned_alloc(4096, 1u << 20);
    while (buffer != NULL && !__atomic_load_n(&stop, __ATOMIC_RELAXED))
        read_once((unsigned)(next_random(&random) % FILES), buffer, &random);
    free(buffer);
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: stress DIR MNT SECONDS READERS SEED\n");
        return 99;
    }
    dir = arguments[1];
    mnt = arguments[2];
    unsigned seconds = (unsigned)strtoul(arguments[3], NULL, 10);
    unsigned readers = (unsigned)strtoul(arguments[4], NULL, 10);
    uint64_t seed = strtoull(arguments[5], NULL, 10);
    if (readers == 0 || readers > 32)
        return 99;
    printf("seed %" PRIu64 "\n", seed);

    uint64_t seeds[33];
    pthread_t threads[33];
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned file = 0; file < FILES; file++)
        change(file, &state);
    for (unsigned i = 0; i <= readers; i++) {
        seeds[i] = next_random(&state) | 1;
        if (pthread_create(&threads[i], NULL, i == 0 ? writer : reader, &seeds[i]) != 0)
            return 99;
    }
    (void)sleep(seconds);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i <= readers; i++)
        (void)pthread_join(threads[i], NULL);
    printf("%" PRIu64 " opens, %" PRIu64 " words checked, %" PRIu64 " changes, %" PRIu64 " opens too slow, %" PRIu64
           " failures\n",
           opens, checked_words, changes, stale, failures);
    return failures == 0 && checked_words > 0 && changes > FILES ? 0 : 1;
}
