/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_file.h - recorded traces in a file, to be replayed again: on this machine, and of this machine's byte order.
 */
#ifndef TM_BENCH_POLICY_TRACE_FILE_H
#define TM_BENCH_POLICY_TRACE_FILE_H

#include "workloads.h"

/* Both: POLICY_WORKLOADS traces. TM_EXIT_OK, or a code after a message. What is loaded belongs to the caller, also
 * after a failure. */
enum tm_exit policy_traces_save(const char *path, const struct policy_trace *traces);
enum tm_exit policy_traces_load(const char *path, struct policy_trace *traces);

#endif
