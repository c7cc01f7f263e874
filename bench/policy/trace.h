/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a recorded stream of file reads: pages of files, known by device and inode.
 */
#ifndef TM_BENCH_POLICY_TRACE_H
#define TM_BENCH_POLICY_TRACE_H

#include "stream.h"

/* A set of keys of 128 bits, each with the number that was given to it first. */
struct policy_keys {
    struct policy_key *slots;
    uint64_t mask; /* slots less one */
    uint64_t used;
};

struct policy_trace {
    const char *name;
    struct policy_stream stream;
    struct policy_keys files; /* device and inode */
    struct policy_keys pages; /* file and index */
    double seconds;           /* that recording took */
};

/* policy_trace_file - the number of a file in the trace. False: no memory. */
bool policy_trace_file(struct policy_trace *trace, uint64_t device, uint64_t inode, uint32_t *file);

/* policy_trace_read - notes that a page of the file was read. False: no memory, or the trace is full. */
bool policy_trace_read(struct policy_trace *trace, uint32_t file, uint32_t index);

/* policy_trace_free - an empty trace is {0}. */
void policy_trace_free(struct policy_trace *trace);

#endif
