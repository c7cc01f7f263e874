/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - lines to stderr, "tmemd: ..."; what clients can cause is limited in rate.
 *
 * Who locks: nobody; a line is one write, a limit's counters are atomic.
 */
#ifndef TM_DAEMON_LOG_H
#define TM_DAEMON_LOG_H

#include "base/base.h"

/* One line. */
void tm_log(const char *format, ...) TM_PRINTF(1, 2);

/* For one place in the code: at most TM_LOG_BURST lines in TM_LOG_PERIOD_NS; the next one says how many were left
 * out. */
struct tm_log_limit {
    uint64_t begin_ns;
    uint32_t lines;
    uint32_t left_out;
};

#define TM_LOG_BURST 10u
#define TM_LOG_PERIOD_NS UINT64_C(10000000000)

void tm_log_limited(struct tm_log_limit *limit, uint64_t now_ns, const char *format, ...) TM_PRINTF(3, 4);

#endif
