/* SPDX-License-Identifier: BSD-2-Clause */
/* rows.c - see rows.h. */
#include "rows.h"

#include "bounds.h"

#include <math.h>
#include <string.h>

bool bench_rows_probe(struct bench_rows *rows, double ns)
{
    if (!bench_samples_reserve(&rows->probes, rows->probes.count + 1))
        return false;
    bench_samples_add(&rows->probes, ns);
    rows->probe_before = rows->probe_now;
    rows->probe_now = ns;
    return true;
}

static struct bench_row *find(struct bench_rows *rows, const struct bench_case *what)
{
    for (unsigned i = 0; i < rows->count; i++) {
        struct bench_row *row = &rows->row[i];
        if (strcmp(row->name, what->name) == 0 && strcmp(row->codec, what->codec) == 0 &&
            row->threads == what->threads)
            return row;
    }
    if (rows->count == BENCH_ROWS_MAX)
        return NULL;
    const struct bench_bound *bound = bench_bound_of(what->name, what->codec, what->threads);
    struct bench_row *row = &rows->row[rows->count++];
    *row = (struct bench_row){.name = what->name,
                              .codec = what->codec,
                              .threads = what->threads,
                              .unit = what->unit,
                              .timed = what->timed,
                              .limit = what->limit,
                              .bound = bound != NULL ? bound->bound : 0.0,
                              .at_least = bound != NULL && bound->at_least};
    return row;
}

bool bench_rows_add(struct bench_rows *rows, const struct bench_case *what, double value, double limit)
{
    struct bench_row *row = find(rows, what);
    if (row == NULL || row->rounds == BENCH_ROUNDS_MAX)
        return false;
    row->round[row->rounds].value = value;
    row->round[row->rounds].limit = limit;
    row->round[row->rounds].probe_before = rows->probe_before;
    row->round[row->rounds].probe_after = rows->probe_now;
    row->rounds++;
    return true;
}

static bool is_off(double probe, double usual)
{
    return fabs(probe / usual - 1.0) > BENCH_PROBE_OFF;
}

/* The value and the limit of a row, from the rounds that count. */
static void judge(struct bench_row *row, double usual_probe)
{
    double values[BENCH_ROUNDS_MAX];
    double limits[BENCH_ROUNDS_MAX];
    struct bench_samples value = {values, 0, BENCH_ROUNDS_MAX};
    struct bench_samples limit = {limits, 0, BENCH_ROUNDS_MAX};
    for (unsigned i = 0; i < row->rounds; i++) {
        if (row->timed && (is_off(row->round[i].probe_before, usual_probe) ||
                           is_off(row->round[i].probe_after, usual_probe)))
            continue;
        bench_samples_add(&value, row->round[i].value);
        bench_samples_add(&limit, row->round[i].limit);
    }
    row->valid = (unsigned)value.count;
    row->value = bench_samples_median(&value);
    row->limit_value = bench_samples_median(&limit);
    row->ratio = row->limit != NULL && row->limit_value > 0.0 ? row->value / row->limit_value : row->value;
    row->holds = row->at_least ? row->ratio >= row->bound : row->ratio <= row->bound;
}

static bool has_enough(const struct bench_row *row)
{
    return !row->timed || row->valid >= BENCH_ROUNDS;
}

bool bench_rows_judge(struct bench_rows *rows)
{
    double usual_probe = bench_samples_median(&rows->probes);
    bool enough = true;
    for (unsigned i = 0; i < rows->count; i++) {
        judge(&rows->row[i], usual_probe);
        enough = enough && has_enough(&rows->row[i]);
    }
    return enough;
}

bool bench_rows_lack(const struct bench_rows *rows, const char *codec)
{
    bool found = false;
    for (unsigned i = 0; i < rows->count; i++)
        if (strcmp(rows->row[i].codec, codec) == 0) {
            if (!has_enough(&rows->row[i]))
                return true;
            found = true;
        }
    return !found;
}

void bench_rows_free(struct bench_rows *rows)
{
    bench_samples_free(&rows->probes);
}
