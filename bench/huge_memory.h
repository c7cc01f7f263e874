/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge_memory.h - large memory in huge pages, all of it touched.
 */
#ifndef TM_BENCH_HUGE_MEMORY_H
#define TM_BENCH_HUGE_MEMORY_H

#include <stddef.h>

/* bench_memory - @bytes of zeroed memory in huge pages where the machine has them, or NULL. */
unsigned char *bench_memory(size_t bytes);

/* bench_memory_free - NULL is legal. */
void bench_memory_free(unsigned char *memory, size_t bytes);

#endif
