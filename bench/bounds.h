/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bounds.h - what the rows must reach.
 */
#ifndef TM_BENCH_BOUNDS_H
#define TM_BENCH_BOUNDS_H

#include <stdbool.h>

struct bench_bound {
    const char *name;
    const char *codec; /* NULL: all */
    unsigned threads;
    double bound;
    bool at_least;
};

/* bench_bound_of - the bound of a case, or NULL where there is none. */
const struct bench_bound *bench_bound_of(const char *name, const char *codec, unsigned threads);

#endif
