/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exposition.h - metrics as text: the Prometheus format 0.0.4, or OpenMetrics 1.0.
 *
 * A text is begun, then come families, each with all its samples, then it is ended. What differs between the formats
 * (names of counters, information, the end) is done here; whoever writes metrics does not see it.
 *
 * Who locks: nobody; a text belongs to its thread.
 */
#ifndef TM_DAEMON_EXPOSITION_H
#define TM_DAEMON_EXPOSITION_H

#include "daemon/latency.h"

enum tm_family_kind {
    TM_FAMILY_GAUGE,
    TM_FAMILY_COUNTER,   /* its name has no "_total": that is added to the samples */
    TM_FAMILY_HISTOGRAM, /* tm_exposition_histogram() */
    TM_FAMILY_SUMMARY,   /* "_count" and "_sum" */
    TM_FAMILY_INFO,      /* its name has no "_info" */
};

struct tm_label {
    const char *name;
    const char *value; /* any text: it is escaped */
};

struct tm_exposition {
    char *text; /* not terminated */
    size_t length;
    size_t capacity;
    bool is_open_metrics;
    bool has_failed; /* no memory: the text is worth nothing */
    const char *family;
    enum tm_family_kind kind;
};

/* The Content-Type of the formats. */
#define TM_EXPOSITION_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TM_EXPOSITION_OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void tm_exposition_begin(struct tm_exposition *out, bool is_open_metrics);

/* A family, named until the next one begins. @name and @help are kept by reference. */
void tm_exposition_family(struct tm_exposition *out, enum tm_family_kind kind, const char *name, const char *help);

/* One sample of the family, of so many labels. */
void tm_exposition_number(struct tm_exposition *out, const struct tm_label *labels, unsigned count, uint64_t value);
void tm_exposition_seconds(struct tm_exposition *out, const struct tm_label *labels, unsigned count, uint64_t ns);
/* The two samples of a summary. */
void tm_exposition_summary(struct tm_exposition *out, const struct tm_label *labels, unsigned count, uint64_t events,
                           uint64_t sum_ns);
/* All samples of a histogram, its limits in powers of two. */
void tm_exposition_histogram(struct tm_exposition *out, const struct tm_label *labels, unsigned count,
                             const struct tm_latency *latency);

/* Ends it. True: the text is whole, and the caller's to free(); else there is none. */
bool tm_exposition_end(struct tm_exposition *out);

/*
 * tm_exposition_is_open_wanted - what an Accept header asks for: true for OpenMetrics, where it is named and valued at
 * least as much as plain text. NULL: there was no header.
 */
bool tm_exposition_is_open_wanted(const char *accept);

#endif
