/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writers.c - threads that write and read the same files through MNT; every word tells where it belongs and when
 * it was written.
 *
 * usage: writers MNT SECONDS WRITERS READERS SEED
 *
 * A file consists of blocks of words (file, generation, position). Each writer has blocks of its own and gives them
 * ever higher generations: it says which one it begins, writes it by a call, by O_DIRECT or by a shared mapping,
 * and says that it is done. Readers read any range of any file in the same ways, and every word must be of a
 * generation that was at least done before the read began and at most begun when it had ended. Exit status 0 when no
 * check failed.
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
#include <unistd.h>

#define FILES 6u
#define BLOCKS 96u
#define BLOCK_WORDS 320u /* 2560 bytes: pages and blocks cross */
#define BLOCK_BYTES (BLOCK_WORDS * 8u)
#define FILE_BYTES (BLOCKS * BLOCK_BYTES)
#define DIRECT_BYTES 4096u
#define THREADS_MAX 32u

/* Blocks that lie in whole pages of their own can be written directly: five pages are eight blocks. */
#define BLOCKS_OF_PAGES 8u

static const char *mnt;
static uint64_t begun[FILES][BLOCKS];
static uint64_t done[FILES][BLOCKS];
static unsigned writer_count;
static int stop;
static uint64_t writes, reads, words, failures;

struct worker {
    pthread_t thread;
    unsigned number;
    uint64_t random;
};

static uint64_t add(uint64_t *counter, uint64_t amount)
{
    return __atomic_add_fetch(counter, amount, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

static void store(uint64_t *value, uint64_t to)
{
    __atomic_store_n(value, to, __ATOMIC_SEQ_CST);
}

static bool goes_on(void)
{
    return __atomic_load_n(&stop, __ATOMIC_RELAXED) == 0;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void report(const char *what, unsigned file, uint64_t a, uint64_t b)
{
    if (add(&failures, 1) <= 10)
        printf("FAILED: file %u: %s (%" PRIx64 ", %" PRIx64 ")\n", file, what, a, b);
}

static int open_file(unsigned file, int flags)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/written-%u", mnt, file);
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd < 0)
        report(strerror(errno), file, (uint64_t)flags, 0);
    return fd;
}

static uint64_t word_of(unsigned file, uint64_t generation, uint64_t position)
{
    return (uint64_t)file << 56 | (generation & 0xffffff) << 32 | position;
}

static void make_block(uint64_t *bytes, unsigned file, uint64_t generation, uint64_t block)
{
    for (uint64_t i = 0; i < BLOCK_WORDS; i++)
        bytes[i] = word_of(file, generation, block * BLOCK_WORDS + i);
}

/* ------------------------------------------------------------------------------- writing */

static void write_by_call(unsigned file, int fd, uint64_t block, const uint64_t *bytes, uint64_t *random)
{
    size_t cut = next_random(random) % 2 == 0 ? BLOCK_BYTES : next_random(random) % BLOCK_BYTES;
    off_t offset = (off_t)(block * BLOCK_BYTES);
    const char *at = (const char *)bytes;
    if (pwrite(fd, at, cut, offset) != (ssize_t)cut ||
        pwrite(fd, at + cut, BLOCK_BYTES - cut, offset + (off_t)cut) != (ssize_t)(BLOCK_BYTES - cut))
        report(strerror(errno), file, block, cut);
}

/* Word by word, as others may look meanwhile; relaxed, because the kernel's copies are no more than that. */
static void write_by_map(unsigned file, int fd, uint64_t block, const uint64_t *bytes)
{
    uint64_t *map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        report(strerror(errno), file, block, 0);
        return;
    }
    for (uint64_t i = 0; i < BLOCK_WORDS; i++)
        __atomic_store_n(&map[block * BLOCK_WORDS + i], bytes[i], __ATOMIC_RELAXED);
    (void)munmap(map, FILE_BYTES);
}

/* All blocks of five pages at once. */
static void write_directly(unsigned file, uint64_t group, uint64_t *buffer)
{
    uint64_t generations[BLOCKS_OF_PAGES];
    int fd = open_file(file, O_WRONLY | O_DIRECT);
    if (fd < 0)
        return;
    for (uint64_t i = 0; i < BLOCKS_OF_PAGES; i++) {
        uint64_t block = group * BLOCKS_OF_PAGES + i;
        generations[i] = load(&begun[file][block]) + 1;
        make_block(buffer + i * BLOCK_WORDS, file, generations[i], block);
        store(&begun[file][block], generations[i]);
    }
    size_t size = BLOCKS_OF_PAGES * BLOCK_BYTES;
    if (pwrite(fd, buffer, size, (off_t)(group * size)) != (ssize_t)size)
        report(strerror(errno), file, group, size);
    for (uint64_t i = 0; i < BLOCKS_OF_PAGES; i++)
        store(&done[file][group * BLOCKS_OF_PAGES + i], generations[i]);
    (void)close(fd);
}

static void write_once(const struct worker *worker, uint64_t *buffer, uint64_t *random)
{
    unsigned file = (unsigned)(next_random(random) % FILES);
    uint64_t block = next_random(random) % BLOCKS;
    uint64_t group = block / BLOCKS_OF_PAGES;
    /* Every third group is only written directly, by one writer; elsewhere neighbours share pages. */
    bool direct = group % 3 == 0;
    if ((direct ? group / 3 : block) % writer_count != worker->number)
        return;
    add(&writes, 1);
    if (direct) {
        write_directly(file, group, buffer);
        return;
    }
    uint64_t generation = load(&begun[file][block]) + 1;
    int fd = open_file(file, O_RDWR);
    if (fd < 0)
        return;
    make_block(buffer, file, generation, block);
    store(&begun[file][block], generation);
    if (next_random(random) % 3 == 0)
        write_by_map(file, fd, block, buffer);
    else
        write_by_call(file, fd, block, buffer, random);
    store(&done[file][block], generation);
    (void)close(fd);
}

static void *writer(void *argument)
{
    struct worker *worker = argument;
    uint64_t *buffer = aligned_alloc(DIRECT_BYTES, BLOCKS_OF_PAGES * BLOCK_BYTES);
    while (buffer != NULL && goes_on())
        write_once(worker, buffer, &worker->random);
    free(buffer);
    return NULL;
}

/* ------------------------------------------------------------------------------- reading */

static void check_words(unsigned file, const uint64_t *bytes, uint64_t first, uint64_t count, const uint64_t *oldest)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t position = first + i;
        uint64_t block = position / BLOCK_WORDS;
        uint64_t generation = bytes[i] >> 32 & 0xffffff;
        if (bytes[i] >> 56 != file || (bytes[i] & 0xffffffff) != position) {
            report("a word of somewhere else", file, bytes[i], position);
            return;
        }
        if (generation < oldest[block] || generation > load(&begun[file][block])) {
            report("an old word", file, bytes[i], oldest[block]);
            return;
        }
    }
    add(&words, count);
}

/* Mapped words are read one by one; calls read whole ranges. */
static bool read_range(unsigned file, int fd, bool by_map, uint64_t *buffer, uint64_t first, uint64_t count)
{
    if (!by_map) {
        ssize_t got = pread(fd, buffer, count * 8, (off_t)(first * 8));
        if (got != (ssize_t)(count * 8))
            report(got < 0 ? strerror(errno) : "a short read", file, (uint64_t)got, count);
        return got == (ssize_t)(count * 8);
    }
    const uint64_t *map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        report(strerror(errno), file, first, count);
        return false;
    }
    for (uint64_t i = 0; i < count; i++)
        buffer[i] = __atomic_load_n(&map[first + i], __ATOMIC_RELAXED);
    union {
        const uint64_t *constant;
        void *any;
    } address = {.constant = map};
    (void)munmap(address.any, FILE_BYTES);
    return true;
}

static void read_once(uint64_t *buffer, uint64_t *random)
{
    uint64_t oldest[BLOCKS];
    unsigned file = (unsigned)(next_random(random) % FILES);
    bool direct = next_random(random) % 4 == 0;
    bool by_map = !direct && next_random(random) % 3 == 0;
    uint64_t total = FILE_BYTES / 8;
    uint64_t step = direct ? DIRECT_BYTES / 8 : 1;
    uint64_t first = next_random(random) % (total / step) * step;
    uint64_t count = (1 + next_random(random) % (total / step / 4)) * step;
    if (first + count > total)
        count = total - first;
    int fd = open_file(file, O_RDONLY | (direct ? O_DIRECT : 0));
    if (fd < 0)
        return;
    for (unsigned block = 0; block < BLOCKS; block++)
        oldest[block] = load(&done[file][block]);
    if (read_range(file, fd, by_map, buffer, first, count))
        check_words(file, buffer, first, count, oldest);
    add(&reads, 1);
    if (next_random(random) % 2 == 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(fd);
}

static void *reader(void *argument)
{
    struct worker *worker = argument;
    uint64_t *buffer = aligned_alloc(DIRECT_BYTES, FILE_BYTES);
    while (buffer != NULL && goes_on())
        read_once(buffer, &worker->random);
    free(buffer);
    return NULL;
}

static bool make_files(void)
{
    static uint64_t bytes[BLOCK_WORDS];
    for (unsigned file = 0; file < FILES; file++) {
        int fd = open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
        for (uint64_t block = 0; fd >= 0 && block < BLOCKS; block++) {
            make_block(bytes, file, 0, block);
            if (write(fd, bytes, BLOCK_BYTES) != BLOCK_BYTES)
                return false;
        }
        if (fd < 0 || close(fd) != 0)
            return false;
    }
    return true;
}

int main(int count, char **arguments)
{
    static struct worker workers[THREADS_MAX];
    if (count != 6) {
        fprintf(stderr, "usage: writers MNT SECONDS WRITERS READERS SEED\n");
        return 2;
    }
    mnt = arguments[1];
    unsigned seconds = (unsigned)strtoul(arguments[2], NULL, 10);
    writer_count = (unsigned)strtoul(arguments[3], NULL, 10);
    unsigned threads = writer_count + (unsigned)strtoul(arguments[4], NULL, 10);
    uint64_t seed = strtoull(arguments[5], NULL, 10);
    if (writer_count == 0 || threads > THREADS_MAX || !make_files())
        return 99;
    printf("seed %" PRIu64 "\n", seed);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].number = i;
        workers[i].random = (seed * UINT64_C(0x9e3779b97f4a7c15) + i * 7919) | 1;
        if (pthread_create(&workers[i].thread, NULL, i < writer_count ? writer : reader, &workers[i]) != 0)
            return 99;
    }
    (void)sleep(seconds);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(workers[i].thread, NULL);
    printf("%" PRIu64 " writes, %" PRIu64 " reads, %" PRIu64 " words checked, %" PRIu64 " failures\n", writes, reads,
           words, failures);
    return failures == 0 && writes > 0 && words > 0 ? 0 : 1;
}
