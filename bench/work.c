/* SPDX-License-Identifier: BSD-2-Clause */
/* work.c - see work.h. */
#include "work.h"

#include "base/base.h"
#include "base/mix.h"
#include "clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static double clock_cost_ns;

/* What a reading adds to what lies between two: the median of many. */
void bench_clock_cost(void)
{
    double values[1001];
    struct bench_samples samples = {values, 0, TM_ARRAY_SIZE(values)};
    for (size_t i = 0; i < TM_ARRAY_SIZE(values); i++) {
        uint64_t before = bench_thread_ns();
        bench_samples_add(&samples, (double)(bench_thread_ns() - before));
    }
    clock_cost_ns = bench_samples_median(&samples);
}

/* Notes what an operation took, of so many since @before. */
static void add_sample(struct bench_work *work, uint64_t before, uint64_t count)
{
    double took = (double)(bench_thread_ns() - before) - clock_cost_ns;
    bench_samples_add(&work->samples, (took > 0.0 ? took : 0.0) / (double)count);
}

static bool run_each(struct bench_work *work, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        uint64_t before = bench_thread_ns();
        if (!work->operation(work, i))
            return false;
        add_sample(work, before, 1);
    }
    return true;
}

static bool run_chunk(struct bench_work *work, uint64_t first, uint64_t count)
{
    if (work->prepare != NULL)
        work->prepare(work, first, count);
    if (work->each)
        return run_each(work, first, count);
    uint64_t before = bench_thread_ns();
    for (uint64_t i = first; i < first + count; i++)
        if (!work->operation(work, i))
            return false;
    add_sample(work, before, count);
    return true;
}

static void run_all(struct bench_work *work)
{
    for (uint64_t done = 0; done < work->count && !work->failed; done += work->chunk)
        work->failed = !run_chunk(work, work->first + done, tm_min_u64(work->chunk, work->count - done));
}

/* The start of a run: its threads wait until all are there, or until it is called off. */
struct start {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum {
        START_WAIT,
        START_GO,
        START_CALLED_OFF
    } state;
};

/* One thread of a run. */
struct runner {
    struct bench_work work;
    struct start *start;
    pthread_t thread;
};

static void start_decide(struct start *start, bool go)
{
    (void)pthread_mutex_lock(&start->mutex);
    start->state = go ? START_GO : START_CALLED_OFF;
    (void)pthread_cond_broadcast(&start->changed);
    (void)pthread_mutex_unlock(&start->mutex);
}

static bool start_wait(struct start *start)
{
    (void)pthread_mutex_lock(&start->mutex);
    while (start->state == START_WAIT)
        (void)pthread_cond_wait(&start->changed, &start->mutex);
    bool go = start->state == START_GO;
    (void)pthread_mutex_unlock(&start->mutex);
    return go;
}

static void *runner_main(void *argument)
{
    struct runner *runner = argument;
    if (start_wait(runner->start))
        run_all(&runner->work);
    return NULL;
}

static bool runner_make(struct runner *runner, const struct bench_work *work, unsigned index, unsigned threads)
{
    uint64_t share = work->count / threads;
    struct bench_work *own = &runner->work;
    *own = *work;
    own->first = work->first + share * index;
    own->count = share;
    own->random = work->random + index + 1;
    own->samples = (struct bench_samples){NULL, 0, 0};
    own->failed = false;
    own->thread = index;
    own->buffers = aligned_alloc(TM_PAGE_BYTES, BENCH_BUFFERS * TM_PAGE_BYTES);
    if (own->buffers == NULL)
        return false;
    memset(own->buffers, 0, BENCH_BUFFERS * TM_PAGE_BYTES);
    return bench_samples_reserve(&own->samples, (size_t)(work->each ? share + 1 : share / work->chunk + 2));
}

static void runner_free(struct runner *runner)
{
    bench_samples_free(&runner->work.samples);
    free(runner->work.buffers);
}

/* Runs in new threads. False: a thread could not be made, and nothing was run. */
static bool run_in_threads(struct runner *runners, unsigned threads)
{
    struct start start = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, START_WAIT};
    unsigned made = 0;
    for (; made < threads; made++) {
        runners[made].start = &start;
        if (pthread_create(&runners[made].thread, NULL, runner_main, &runners[made]) != 0)
            break;
    }
    start_decide(&start, made == threads);
    for (unsigned i = 0; i < made; i++)
        (void)pthread_join(runners[i].thread, NULL);
    return made == threads;
}

bool bench_run(const struct bench_work *work, unsigned threads, double *median_ns, double *percentile_ns)
{
    struct runner runners[BENCH_THREADS_MAX] = {0};
    struct bench_samples all = {NULL, 0, 0};
    bool done = true;
    for (unsigned i = 0; i < threads && done; i++)
        done = runner_make(&runners[i], work, i, threads);
    if (done && threads == 1)
        run_all(&runners[0].work);
    else if (done)
        done = run_in_threads(runners, threads);
    for (unsigned i = 0; i < threads && done; i++)
        done = !runners[i].work.failed && bench_samples_join(&all, &runners[i].work.samples);
    if (done) {
        *median_ns = bench_samples_median(&all);
        if (percentile_ns != NULL)
            *percentile_ns = bench_samples_percentile(&all, 99.0);
    }
    bench_samples_free(&all);
    for (unsigned i = 0; i < threads; i++)
        runner_free(&runners[i]);
    return done;
}
