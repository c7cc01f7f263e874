/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * samples.h - a growing list of numbers, and its percentiles.
 */
#ifndef TM_BENCH_SAMPLES_H
#define TM_BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

struct bench_samples {
    double *values;
    size_t count;
    size_t capacity;
};

/* bench_samples_reserve - room for @count numbers in all. False: no memory; nothing changed. */
bool bench_samples_reserve(struct bench_samples *samples, size_t count);

/* bench_samples_add - one more; there must be room. */
void bench_samples_add(struct bench_samples *samples, double value);

/* bench_samples_join - adds all numbers of @other. False: no memory; nothing changed. */
bool bench_samples_join(struct bench_samples *samples, const struct bench_samples *other);

/* bench_samples_percentile - the number that @percent of all are not above; 0 of an empty list.
 * Sorts the list. */
double bench_samples_percentile(struct bench_samples *samples, double percent);

/* bench_samples_median - the middle one, or the mean of the two in the middle. Sorts the list. */
double bench_samples_median(struct bench_samples *samples);

void bench_samples_free(struct bench_samples *samples);

#endif
