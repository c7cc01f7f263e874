/* SPDX-License-Identifier: BSD-2-Clause */
/* host_linux.c - arenas, metadata memory, clock and random numbers from the Linux kernel. */
#include "host/host_linux.h"

#include "host/idle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPAN_BYTES (UINT32_C(2) << 20)
#define MIB (UINT64_C(1) << 20)
#define WORKERS_MAX 64u
#define LARGE_BYTES (256u << 10) /* metadata blocks of this size are mapped by themselves */

/* Known to newer kernels than the headers. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct tm_host_linux {
    struct tm_host table;
    int arena_fd; /* -1: anonymous */
    void *mapping[TM_ARENAS];
    uint64_t mapping_bytes[TM_ARENAS];
    struct tm_background background;
    struct tm_idle idle;
};

uint64_t tm_host_linux_machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
}

/* ---- services ---- */

static unsigned thread_number(void *user)
{
    static unsigned next;
    static _Thread_local unsigned own;
    (void)user;
    if (own == 0)
        own = __atomic_add_fetch(&next, 1u, __ATOMIC_RELAXED);
    return own - 1u;
}

static void *alloc_metadata(void *user, size_t bytes)
{
    (void)user;
    if (bytes >= LARGE_BYTES) {
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return memory == MAP_FAILED ? NULL : memory;
    }
    void *memory = aligned_alloc(TM_CACHE_LINE, (size_t)tm_round_up(bytes, TM_CACHE_LINE));
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

static void free_metadata(void *user, void *memory, size_t bytes)
{
    (void)user;
    if (memory == NULL)
        return;
    if (bytes >= LARGE_BYTES)
        munmap(memory, bytes);
    else
        free(memory);
}

static void *span_address(const struct tm_host_linux *host, enum tm_arena_kind arena, uint64_t span)
{
    return host->table.arena_base[arena] + span * SPAN_BYTES;
}

/*
 * Faults the span in as a whole, as one huge page where the kernel has one. In a memory file the first page is
 * touched, and the span collapsed around it: a hole cannot be collapsed.
 */
static bool commit_span(void *user, enum tm_arena_kind arena, uint64_t span)
{
    struct tm_host_linux *host = user;
    unsigned char *address = span_address(host, arena, span);
    bool in_file = arena == TM_ARENA_PERSISTENT && host->arena_fd >= 0;
    if (in_file) {
        if (madvise(address, (size_t)sysconf(_SC_PAGESIZE), MADV_POPULATE_WRITE) != 0 && errno != EINVAL)
            return false;
        (void)madvise(address, SPAN_BYTES, MADV_COLLAPSE);
    }
    int result = madvise(address, SPAN_BYTES, MADV_POPULATE_WRITE);
    /* A kernel before 5.14 does not know the call: then pages come when they are touched. */
    return result == 0 || errno == EINVAL;
}

static void release_span(void *user, enum tm_arena_kind arena, uint64_t span)
{
    struct tm_host_linux *host = user;
    void *address = span_address(host, arena, span);
    if (arena == TM_ARENA_PERSISTENT && host->arena_fd >= 0)
        (void)fallocate(host->arena_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(span * SPAN_BYTES),
                        SPAN_BYTES);
    else
        (void)madvise(address, SPAN_BYTES, MADV_DONTNEED);
}

static uint64_t clock_ns(void *user)
{
    struct timespec now;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t random_word(void *user)
{
    uint64_t word = 0;
    if (getrandom(&word, sizeof word, 0) != (ssize_t)sizeof word)
        word = clock_ns(user) ^ (uint64_t)(uintptr_t)user << 17; /* never on kernels that have getrandom */
    return word;
}

static bool has_idle_cpu(void *user)
{
    return tm_idle_has(&((struct tm_host_linux *)user)->idle, clock_ns(user));
}

static void kick(void *user)
{
    tm_background_kick(&((struct tm_host_linux *)user)->background);
}

static void hurry(void *user)
{
    tm_background_hurry(&((struct tm_host_linux *)user)->background);
}

/* ---- address space ---- */

/* Reserves @bytes aligned to a span. */
static bool map_arena(struct tm_host_linux *host, enum tm_arena_kind arena, uint64_t bytes, int fd)
{
    uint64_t length = bytes + SPAN_BYTES;
    if (length > SIZE_MAX / 2u)
        return false;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    unsigned char *memory = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    unsigned char *base = (unsigned char *)(uintptr_t)tm_round_up((uintptr_t)memory, SPAN_BYTES);
    if (fd >= 0) {
        void *file = mmap(base, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        if (file == MAP_FAILED) {
            munmap(memory, (size_t)length);
            return false;
        }
    } else {
        (void)madvise(base, (size_t)bytes, MADV_HUGEPAGE);
    }
    (void)madvise(base, (size_t)bytes, MADV_DONTDUMP);
    (void)madvise(base, (size_t)bytes, MADV_DONTFORK);
    host->mapping[arena] = memory;
    host->mapping_bytes[arena] = length;
    host->table.arena_base[arena] = base;
    host->table.arena_bytes[arena] = bytes;
    return true;
}

/* The head's descriptors are touched one by one: huge pages would make them resident in lumps. */
static void no_huge_head(struct tm_host_linux *host, enum tm_arena_kind arena)
{
    uint64_t head = host->table.arena_bytes[arena] / SPAN_BYTES * TM_SPAN_UNITS * 64u + 2u * SPAN_BYTES;
    if (head < host->table.arena_bytes[arena])
        (void)madvise(host->table.arena_base[arena], (size_t)(head / SPAN_BYTES * SPAN_BYTES), MADV_NOHUGEPAGE);
}

/* As much as the store may ever be given; less where address space is scarce. */
static uint64_t wanted_bytes(uint64_t size_bytes)
{
    uint64_t machine = tm_host_linux_machine_bytes();
    uint64_t most = sizeof(void *) == 4 ? 512u * MIB : UINT64_C(64) << 40;
    uint64_t wanted = tm_max_u64(machine, size_bytes);
    wanted += wanted / 4u + 64u * MIB;
    return tm_round_up(tm_min_u64(wanted, most), SPAN_BYTES);
}

/* @file_bytes: the length that a taken memory file keeps; 0: a new one becomes as long as the other arena. */
static enum tm_host_linux_error map_both(struct tm_host_linux *host, const struct tm_host_linux_config *config,
                                         uint64_t file_bytes)
{
    uint64_t least = tm_round_up(config->size_bytes + config->size_bytes / 4u + 32u * MIB, SPAN_BYTES);
    uint64_t bytes = wanted_bytes(config->size_bytes);
    for (;; bytes = tm_max_u64(bytes / 2u / SPAN_BYTES * SPAN_BYTES, least)) {
        bool is_new_file = host->arena_fd >= 0 && file_bytes == 0;
        if (is_new_file && ftruncate(host->arena_fd, (off_t)bytes) != 0)
            return TM_HOST_LINUX_BAD_FD;
        if (map_arena(host, TM_ARENA_EPHEMERAL, bytes, -1)) {
            if (map_arena(host, TM_ARENA_PERSISTENT, file_bytes != 0 ? file_bytes : bytes, host->arena_fd))
                return TM_HOST_LINUX_OK;
            munmap(host->mapping[TM_ARENA_EPHEMERAL], (size_t)host->mapping_bytes[TM_ARENA_EPHEMERAL]);
            host->mapping[TM_ARENA_EPHEMERAL] = NULL;
        }
        if (bytes <= least)
            return TM_HOST_LINUX_NOMEM;
    }
}

/* Opens or takes the memory file. *bytes: the length it must keep, or 0 to choose one. */
static enum tm_host_linux_error open_file(struct tm_host_linux *host, const struct tm_host_linux_config *config,
                                          uint64_t *bytes)
{
    struct stat status;
    if (config->arena_fd < 0) {
        host->arena_fd = memfd_create("tmem-persistent", MFD_CLOEXEC);
        return host->arena_fd < 0 ? TM_HOST_LINUX_NO_MEMFD : TM_HOST_LINUX_OK;
    }
    host->arena_fd = fcntl(config->arena_fd, F_DUPFD_CLOEXEC, 0);
    if (host->arena_fd < 0 || fstat(host->arena_fd, &status) != 0 || !S_ISREG(status.st_mode))
        return TM_HOST_LINUX_BAD_FD;
    *bytes = (uint64_t)status.st_size;
    return *bytes % SPAN_BYTES == 0 ? TM_HOST_LINUX_OK : TM_HOST_LINUX_BAD_FD;
}

static enum tm_host_linux_error map_memory(struct tm_host_linux *host, const struct tm_host_linux_config *config)
{
    uint64_t file_bytes = 0;
    host->arena_fd = -1;
    if (config->use_memfd) {
        enum tm_host_linux_error error = open_file(host, config, &file_bytes);
        if (error != TM_HOST_LINUX_OK)
            return error;
    }
    return map_both(host, config, file_bytes);
}

static unsigned default_workers(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers = cpus > 0 ? (unsigned)cpus * 2u : 2u;
    return workers < WORKERS_MAX ? workers : WORKERS_MAX;
}

enum tm_host_linux_error tm_host_linux_create(const struct tm_host_linux_config *config, struct tm_host_linux **result)
{
    struct tm_host_linux *host = calloc(1, sizeof *host);
    if (host == NULL)
        return TM_HOST_LINUX_NOMEM;
    host->table = (struct tm_host){
        .user = host,
        .span_bytes = SPAN_BYTES,
        .persistent_survives = config->use_memfd,
        .workers = config->workers != 0 ? config->workers : default_workers(),
        .thread_number = thread_number,
        .alloc = alloc_metadata,
        .free = free_metadata,
        .span_commit = commit_span,
        .span_release = release_span,
        .clock_ns = clock_ns,
        .random = random_word,
        .has_idle_cpu = has_idle_cpu,
        .kick = kick,
        .hurry = hurry,
    };
    tm_idle_init(&host->idle);
    enum tm_host_linux_error error = map_memory(host, config);
    if (error != TM_HOST_LINUX_OK) {
        tm_host_linux_destroy(host);
        return error;
    }
    no_huge_head(host, TM_ARENA_EPHEMERAL);
    if (host->arena_fd < 0)
        no_huge_head(host, TM_ARENA_PERSISTENT);
    *result = host;
    return TM_HOST_LINUX_OK;
}

void tm_host_linux_destroy(struct tm_host_linux *host)
{
    tm_background_stop(&host->background);
    for (unsigned arena = 0; arena < TM_ARENAS; arena++)
        if (host->mapping[arena] != NULL)
            munmap(host->mapping[arena], (size_t)host->mapping_bytes[arena]);
    if (host->arena_fd >= 0)
        close(host->arena_fd);
    tm_idle_fini(&host->idle);
    free(host);
}

const struct tm_host *tm_host_linux_table(struct tm_host_linux *host)
{
    return &host->table;
}

bool tm_host_linux_start_worker(struct tm_host_linux *host, enum tm_background_work (*work)(void *user), void *user)
{
    return tm_background_start(&host->background, work, user);
}

void tm_host_linux_stop_worker(struct tm_host_linux *host)
{
    tm_background_stop(&host->background);
}
