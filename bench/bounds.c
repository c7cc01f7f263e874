/* SPDX-License-Identifier: BSD-2-Clause */
/* bounds.c - see bounds.h. Ratios to the limit that the case names, unless the unit says otherwise. */
#include "bounds.h"

#include "base/base.h"

#include <string.h>

static const struct bench_bound bounds[] = {
    {"get-random", "raw", 1, 1.35, false},
    {"get-random", "lz4", 1, 1.05, false},
    {"get-random", "same", 1, 0.2, false},
    {"get-random", "same-any", 1, 0.2, false},
    {"get-16", "raw", 1, 1.6, false},
    {"put-new", "raw", 1, 1.9, false},
    {"put-new-nodedup", "raw", 1, 1.25, false},
    {"put-new", "lz4", 1, 1.15, false},
    {"put-new-nodedup", "lz4", 1, 1.08, false},
    {"put-new", "same", 1, 0.7, false},
    {"put-new", "same-any", 1, 0.7, false},
    {"put-new", "random", 1, 2.2, false},
    {"put-replace-nodedup", "raw", 1, 1.8, false},
    {"invalidate-page-nodedup", NULL, 1, 0.25, false},
    {"invalidate-object-nodedup", NULL, 1, 3.0, false},
    {"invalidate-page", NULL, 1, 0.9, false},
    {"invalidate-object", NULL, 1, 8.0, false},
    {"miss", NULL, 1, 0.15, false},
    {"index-miss", NULL, 1, 0.7, false},
    {"index-pause", NULL, 1, 1e6, false},
    {"put-full", NULL, 1, 1.35, false},
    {"put-full-p99", NULL, 1, 3.0, false},
    /* Two threads: the reciprocals of 0.92 and 0.90 of the machine's own scaling. */
    {"put-new", NULL, 2, 1.087, false},
    {"get-random", "lz4", 2, 1.087, false},
    {"get-random", "raw", 2, 1.111, false},
    {"metadata-objects-of-64", NULL, 1, 48.0, false},
    {"metadata-outside-blocks", NULL, 1, 24.0, false},
    {"metadata-objects-of-4", NULL, 1, 80.0, false},
    {"returned", NULL, 1, 95.0, true},
    {"return-rate", NULL, 1, 8.0, true},
    {"return-rate-all", NULL, 1, 20.0, true},
    {"returned-memfd", NULL, 1, 95.0, true},
    {"return-rate-memfd", NULL, 1, 8.0, true},
    {"put-new-memfd", NULL, 1, 1.1, false},
    {"get-random-memfd", NULL, 1, 1.1, false},
    {"rebuild", NULL, 1, 100.0, false},
    {"put-new-deferred", NULL, 1, 0.15, false},
    {"duplicates-found", NULL, 1, 100.0, true},
};

const struct bench_bound *bench_bound_of(const char *name, const char *codec, unsigned threads)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(bounds); i++)
        if (strcmp(bounds[i].name, name) == 0 && bounds[i].threads == threads &&
            (bounds[i].codec == NULL || strcmp(bounds[i].codec, codec) == 0))
            return &bounds[i];
    return NULL;
}
