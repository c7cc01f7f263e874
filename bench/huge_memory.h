/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge_memory.h - large memory in huge pages, all of it touched.
 */
#ifndef TM_BENCH_HUGE_MEMORY_H
#define TM_BENCH_HUGE_MEMORY_H

#include <stdint.h>

/* bench_memory - @bytes of zeroed memory in huge pages where the machine has them, or NULL.
 * NULL also when an address cannot count so many. */
unsigned char *bench_memory(uint64_t bytes);

/* bench_memory_free - NULL is legal. */
void bench_memory_free(unsigned char *memory, uint64_t bytes);

#endif
