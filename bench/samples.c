/* SPDX-License-Identifier: BSD-2-Clause */
/* samples.c - see samples.h. */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

bool bench_samples_reserve(struct bench_samples *samples, size_t count)
{
    if (count <= samples->capacity)
        return true;
    double *values = reallocarray(samples->values, count, sizeof *values);
    if (values == NULL)
        return false;
    samples->values = values;
    samples->capacity = count;
    return true;
}

void bench_samples_add(struct bench_samples *samples, double value)
{
    if (samples->count < samples->capacity)
        samples->values[samples->count++] = value;
}

bool bench_samples_join(struct bench_samples *samples, const struct bench_samples *other)
{
    if (other->count == 0)
        return true;
    if (!bench_samples_reserve(samples, samples->count + other->count))
        return false;
    memcpy(samples->values + samples->count, other->values, other->count * sizeof *other->values);
    samples->count += other->count;
    return true;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(struct bench_samples *samples)
{
    if (samples->count > 1)
        qsort(samples->values, samples->count, sizeof *samples->values, compare);
}

double bench_samples_percentile(struct bench_samples *samples, double percent)
{
    if (samples->count == 0)
        return 0.0;
    sort(samples);
    return samples->values[(size_t)(percent / 100.0 * (double)(samples->count - 1) + 0.5)];
}

double bench_samples_median(struct bench_samples *samples)
{
    if (samples->count == 0)
        return 0.0;
    sort(samples);
    return (samples->values[(samples->count - 1) / 2] + samples->values[samples->count / 2]) / 2.0;
}

void bench_samples_free(struct bench_samples *samples)
{
    free(samples->values);
    *samples = (struct bench_samples){NULL, 0, 0};
}
