/* SPDX-License-Identifier: BSD-2-Clause */
/* filled.h - a store filled with pages, and its statistics. */
#ifndef TM_BENCH_FILLED_H
#define TM_BENCH_FILLED_H

#include "bench.h"

#define BENCH_GIB ((double)(1u << 30))

/* bench_open_filled - opens a store and puts @count pages from @pages on under the handles 0, 1, 2, ...
 * TM_EXIT_NOT_FOUND, without a message: this build lacks the codec. Otherwise TM_EXIT_OK, or a code after a message. */
enum tm_exit bench_open_filled(struct bench_store *store, const struct bench_settings *settings,
                               const unsigned char *pages, uint64_t count);

/* bench_statistics - of the store. TM_EXIT_OK, or a code after a message. */
enum tm_exit bench_statistics(const struct bench_store *store, struct tmem_store_stats *stats);

/* bench_add_row - notes a round of a case. TM_EXIT_OK, or a code after a message. */
enum tm_exit bench_add_row(struct bench *bench, const struct bench_case *row, double value, double limit);

#endif
