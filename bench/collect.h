/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect.h - pages of files: of one that is named, or of what every machine has.
 */
#ifndef TM_BENCH_COLLECT_H
#define TM_BENCH_COLLECT_H

#include "command/command.h"

/*
 * bench_collect_file - reads at most @capacity pages from the start of @path.
 *
 * *count receives their number, at least 1. TM_EXIT_OK, or an exit code after a message.
 */
enum tm_exit bench_collect_file(const char *path, unsigned char *pages, uint64_t capacity, uint64_t *count);

/*
 * bench_collect_machine - reads at most @capacity pages from this machine's files: text for one
 * half, shared libraries for the other, or what there is of them.
 *
 * *count receives their number, at least 1. TM_EXIT_OK, or an exit code after a message.
 */
enum tm_exit bench_collect_machine(unsigned char *pages, uint64_t capacity, uint64_t *count);

#endif
