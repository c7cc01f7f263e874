/* SPDX-License-Identifier: BSD-2-Clause */
/* timing.c - see timing.h. */
#include "timing.h"

#include "bench/clock.h"
#include "bench/samples.h"

uint64_t peer_wall_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What the clocks themselves take between two readings, as run_chunk() reads them. */
static void measure_clocks(struct peer_times *cost)
{
    double values[2][101];
    struct bench_samples wall = {values[0], 0, 101};
    struct bench_samples cpu = {values[1], 0, 101};
    for (unsigned i = 0; i < 101; i++) {
        uint64_t wall_ns = peer_wall_ns();
        uint64_t cpu_ns = bench_thread_ns();
        bench_samples_add(&cpu, (double)(bench_thread_ns() - cpu_ns));
        bench_samples_add(&wall, (double)(peer_wall_ns() - wall_ns));
    }
    cost->cpu_ns = bench_samples_median(&cpu);
    cost->wall_ns = bench_samples_median(&wall);
}

static bool run_chunk(const struct peer_timing *timing, struct bench_samples *cpu, struct bench_samples *wall,
                      const struct peer_times *cost)
{
    double pages = (double)timing->chunk * timing->pages_each;
    if (timing->prepare != NULL)
        timing->prepare(timing->user);
    uint64_t wall_ns = peer_wall_ns();
    uint64_t cpu_ns = bench_thread_ns();
    for (unsigned i = 0; i < timing->chunk; i++)
        if (!timing->operation(timing->user, i))
            return false;
    double cpu_took = (double)(bench_thread_ns() - cpu_ns) - cost->cpu_ns;
    double wall_took = (double)(peer_wall_ns() - wall_ns) - cost->wall_ns;
    bench_samples_add(cpu, cpu_took > 0.0 ? cpu_took / pages : 0.0);
    bench_samples_add(wall, wall_took > 0.0 ? wall_took / pages : 0.0);
    return true;
}

bool peer_time(const struct peer_timing *timing, uint64_t pages, struct peer_times *times)
{
    size_t chunks = (size_t)(pages / timing->chunk / timing->pages_each) + 1;
    struct bench_samples cpu = {NULL, 0, 0};
    struct bench_samples wall = {NULL, 0, 0};
    struct peer_times cost;
    bool done = bench_samples_reserve(&cpu, chunks) && bench_samples_reserve(&wall, chunks);
    measure_clocks(&cost);
    for (size_t i = 0; i < chunks && done; i++)
        done = run_chunk(timing, &cpu, &wall, &cost);
    times->cpu_ns = bench_samples_median(&cpu);
    times->wall_ns = bench_samples_median(&wall);
    bench_samples_free(&cpu);
    bench_samples_free(&wall);
    return done;
}
