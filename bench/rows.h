/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows.h - what was measured: a row for each case, a value and its limit for each round.
 *
 * Around everything that is timed the cold copy is measured, as a probe. A round of a row whose probe
 * is off the median of all probes by more than BENCH_PROBE_OFF is void. A row's value is the median
 * of its rounds that are not; a row all of whose rounds are void is skipped.
 */
#ifndef TM_BENCH_ROWS_H
#define TM_BENCH_ROWS_H

#include "samples.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_ROWS_MAX 128u
#define BENCH_ROUNDS_MAX 16u

/* Rounds that a row needs; more are run while there are rows with fewer. */
#define BENCH_ROUNDS 7u
#define BENCH_PROBE_OFF 0.2

struct bench_row {
    const char *name;
    const char *codec;
    unsigned threads;
    const char *unit;  /* "ns", "bytes", "ratio", "percent", "GiB/s", "ms/GiB" */
    bool timed;        /* rounds count or are void; otherwise every round is alike, and one is enough */
    const char *limit; /* what it is compared with; NULL: nothing */
    double bound;      /* of the ratio, or of the value where there is no limit; 0: none */
    bool at_least;     /* the bound is from below */

    unsigned rounds;
    struct {
        double value;
        double limit;
        double probe_before;
        double probe_after;
    } round[BENCH_ROUNDS_MAX];

    /* Written by bench_rows_judge(): */
    unsigned valid;
    double value;
    double limit_value;
    double ratio; /* value / limit_value, or value where there is no limit */
    bool holds;
};

struct bench_rows {
    struct bench_row row[BENCH_ROWS_MAX];
    unsigned count;
    struct bench_samples probes;
    double probe_before; /* the last two */
    double probe_now;
};

/* What names a row and what it is held against; the texts are constants. */
struct bench_case {
    const char *name;
    const char *codec;
    unsigned threads;
    const char *unit;
    bool timed;
    const char *limit;
};

/* bench_rows_probe - notes a probe. False: no memory. */
bool bench_rows_probe(struct bench_rows *rows, double ns);

/* bench_rows_add - notes a round of a case; the probes around it are the last two. False: no room. */
bool bench_rows_add(struct bench_rows *rows, const struct bench_case *what, double value, double limit);

/* bench_rows_judge - works out all rows. True when each that is timed has BENCH_ROUNDS rounds that
 * count. */
bool bench_rows_judge(struct bench_rows *rows);

/* bench_rows_lack - whether a row of this codec that is timed has too few rounds that count, as
 * bench_rows_judge() found; true also where there is no row of it. */
bool bench_rows_lack(const struct bench_rows *rows, const char *codec);

void bench_rows_free(struct bench_rows *rows);

#endif
