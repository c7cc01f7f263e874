/* SPDX-License-Identifier: BSD-2-Clause */
/* report.h - prints what was measured: a table for people, or JSON, one object a line. */
#ifndef TM_BENCH_REPORT_H
#define TM_BENCH_REPORT_H

#include "bench.h"

/* bench_report_settings - what was measured with, for a person. */
enum tm_exit bench_report_settings(const struct bench *bench, const char *corpus_path);

/* bench_report_table, bench_report_json - all rows, after bench_rows_judge(). */
enum tm_exit bench_report_table(const struct bench *bench);
enum tm_exit bench_report_json(const struct bench *bench);

#endif
