/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mappings.h - which pages of mapped files a stopped process has used.
 */
#ifndef TM_BENCH_POLICY_MAPPINGS_H
#define TM_BENCH_POLICY_MAPPINGS_H

#include "trace.h"

#include <sys/types.h>

/* Pages of files in a row. */
struct policy_pages {
    struct policy_page *page;
    uint64_t count;
    uint64_t capacity;
};

/*
 * policy_mappings_read - appends to @pages what the process has mapped in of files between two addresses. Files are
 * numbered by the trace. False: no memory. A process that cannot be looked at has nothing mapped in.
 */
bool policy_mappings_read(struct policy_trace *trace, pid_t process, uint64_t from, uint64_t to,
                          struct policy_pages *pages);

void policy_pages_free(struct policy_pages *pages);

#endif
