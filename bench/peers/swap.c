/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swap.c - memory of this process that the kernel is asked to swap out: what zswap sees. A get is the
 * fault that brings a page back, and the copy.
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct memory {
    unsigned char *begin;
    size_t bytes;
};

static bool swap_open(const char *at, uint64_t pages, void **state)
{
    struct memory *memory = calloc(1, sizeof *memory);
    (void)at;
    if (memory == NULL)
        return peer_fail("swap: no memory");
    *state = memory;
    memory->bytes = (size_t)(pages * TM_PAGE_BYTES);
    memory->begin = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory->begin == MAP_FAILED)
        return peer_fail_system("swap: no memory");
    /* Single pages: what is brought back is one, as with all others. */
    return madvise(memory->begin, memory->bytes, MADV_NOHUGEPAGE) == 0 || peer_fail_system("swap: madvise");
}

static void swap_close(void *state)
{
    struct memory *memory = state;
    (void)munmap(memory->begin, memory->bytes);
    free(memory);
}

static bool swap_put(void *state, uint64_t number, const unsigned char *page)
{
    struct memory *memory = state;
    memcpy(memory->begin + number * TM_PAGE_BYTES, page, TM_PAGE_BYTES);
    return true;
}

static bool swap_get(void *state, uint64_t number, unsigned char *page)
{
    struct memory *memory = state;
    memcpy(page, memory->begin + number * TM_PAGE_BYTES, TM_PAGE_BYTES);
    return true;
}

static bool swap_drop(void *state, uint64_t number)
{
    struct memory *memory = state;
    return madvise(memory->begin + number * TM_PAGE_BYTES, TM_PAGE_BYTES, MADV_DONTNEED) == 0 ||
           peer_fail_system("swap: madvise");
}

/* Swaps everything out. */
static bool swap_settle(void *state)
{
    struct memory *memory = state;
    return madvise(memory->begin, memory->bytes, MADV_PAGEOUT) == 0 || peer_fail_system("swap: madvise");
}

/* How much of the memory is out. */
static bool swap_memory(void *state, struct tm_json *json)
{
    char line[256];
    unsigned long long kib = 0;
    unsigned long long all_kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    (void)state;
    if (file == NULL)
        return peer_fail_system("cannot read /proc/self/smaps_rollup");
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Swap: %llu kB", &kib) == 1)
            all_kib = kib;
    (void)fclose(file);
    tm_json_unsigned(json, "swapped_bytes", all_kib << 10);
    return true;
}

static const struct peer_kind swap_kind = {
    .name = "swap",
    .open = swap_open,
    .close = swap_close,
    .put = swap_put,
    .get = swap_get,
    .drop = swap_drop,
    .settle = swap_settle,
    .memory = swap_memory,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &swap_kind);
}
