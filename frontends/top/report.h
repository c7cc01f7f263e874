/* SPDX-License-Identifier: BSD-2-Clause */
/* report.h - two samples as one object of JSON, for programs. */
#ifndef TM_TOP_REPORT_H
#define TM_TOP_REPORT_H

#include "sample.h"

/* The text, the caller's to free(); NULL: no memory. */
char *top_report(const struct top_sample *before, const struct top_sample *now, bool with_pools);

#endif
