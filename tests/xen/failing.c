/* SPDX-License-Identifier: BSD-2-Clause */
/* failing.c - the C library's allocations, one of which is refused. */
#include <stdatomic.h>
#include <stddef.h>

#include "tests/xen/failing.h"

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void *__real_realloc(void *memory, size_t size_bytes);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);
void *__wrap_realloc(void *memory, size_t size_bytes);

static atomic_long left = -1;

void failing_after(long count)
{
    left = count;
}

bool failing_has_happened(void)
{
    return left < 0;
}

static bool is_refused(void)
{
    return left >= 0 && atomic_fetch_sub(&left, 1) == 0;
}

void *__wrap_malloc(size_t size_bytes)
{
    return is_refused() ? NULL : __real_malloc(size_bytes);
}

void *__wrap_calloc(size_t count, size_t size_bytes)
{
    return is_refused() ? NULL : __real_calloc(count, size_bytes);
}

void *__wrap_realloc(void *memory, size_t size_bytes)
{
    return is_refused() ? NULL : __real_realloc(memory, size_bytes);
}
