/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - tells what was recorded and what came out: for people, for programs, and as a picture.
 */
#ifndef TM_BENCH_POLICY_REPORT_H
#define TM_BENCH_POLICY_REPORT_H

#include "cells.h"

/* All: TM_EXIT_OK, or a code after a message. */
enum tm_exit policy_report_traces(const struct policy_trace *traces, unsigned count, bool json);
enum tm_exit policy_report_cells(const struct policy_cells *cells, const struct policy_plan *plan, bool json);

/* policy_picture - writes an SVG picture to @path: hit ratio over size, a panel for each class. */
enum tm_exit policy_picture(const struct policy_cells *cells, const char *path);

#endif
