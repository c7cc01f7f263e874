/* SPDX-License-Identifier: BSD-2-Clause */
/* huge_memory.c - see huge_memory.h. */
#include "huge_memory.h"

#include "base/base.h"

#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2u << 20)

/* What is mapped: room to align in, which is never touched and so costs nothing. */
static size_t mapped_bytes(uint64_t bytes)
{
    return (size_t)tm_round_up(bytes, HUGE_BYTES) + HUGE_BYTES;
}

unsigned char *bench_memory(uint64_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t mapped = mapped_bytes(bytes);
    unsigned char *begin = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (begin == MAP_FAILED)
        return NULL;
    size_t skip = (size_t)(tm_round_up((uintptr_t)begin, HUGE_BYTES) - (uintptr_t)begin);
    if (skip > 0)
        (void)munmap(begin, skip);
    if (skip < HUGE_BYTES)
        (void)munmap(begin + mapped - (HUGE_BYTES - skip), HUGE_BYTES - skip);
    (void)madvise(begin + skip, mapped - HUGE_BYTES, MADV_HUGEPAGE);
    for (size_t at = 0; at < (size_t)bytes; at += TM_PAGE_BYTES)
        begin[skip + at] = 0;
    return begin + skip;
}

void bench_memory_free(unsigned char *memory, uint64_t bytes)
{
    if (memory != NULL)
        (void)munmap(memory, mapped_bytes(bytes) - HUGE_BYTES);
}
