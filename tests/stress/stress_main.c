/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_main.c - several threads on one store at once.
 *
 * Proves, as far as running shows: a page that is got is one whole page of its handle, never older than what had
 * been answered before the get began; a persistent page is there until its owner's act; and this while others put,
 * get, batch, invalidate, move stored pages, create and destroy pools and clients, join and leave shared pools,
 * while the size goes up and down, caps, weights and states change, memory is reclaimed, segments are cleaned and
 * pages evicted. At the end everything is compared, and tmem_store_check() finds nothing wrong. Meant to be run
 * under sanitizers, too.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

_Noreturn void stress_fail(const struct stress *stress, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "stress: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (--seed %llu --threads %u)\n", (unsigned long long)stress->seed, stress->threads);
    va_end(arguments);
    _exit(1);
}

/* ---- threads ---- */

struct start {
    struct stress *stress;
    unsigned number;
};

static void *work(void *user)
{
    struct start *start = user;
    stress_work(start->stress, start->number);
    return NULL;
}

static void *control(void *user)
{
    stress_control(user);
    return NULL;
}

static void run_threads(struct stress *stress, unsigned seconds)
{
    pthread_t threads[STRESS_THREADS_MOST + 1u];
    struct start starts[STRESS_THREADS_MOST];
    for (unsigned i = 0; i < stress->threads; i++) {
        starts[i] = (struct start){stress, i};
        if (pthread_create(&threads[i], NULL, work, &starts[i]) != 0)
            stress_fail(stress, "cannot start a thread");
    }
    if (pthread_create(&threads[stress->threads], NULL, control, stress) != 0)
        stress_fail(stress, "cannot start a thread");
    struct timespec left = {(time_t)seconds, 0};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    atomic_store(&stress->is_over, true);
    for (unsigned i = 0; i <= stress->threads; i++)
        pthread_join(threads[i], NULL);
}

/* ---- what they work on ---- */

static void make_pool(struct stress *stress, unsigned number, uint32_t flags, unsigned clients,
                      const struct tmem_uuid *uuid)
{
    if (!stress->has_control && uuid != NULL) {
        flags &= ~(uint32_t)TMEM_POOL_SHARED;
        clients &= 1u;
        uuid = NULL;
    }
    stress->pool[number].flags = flags;
    for (unsigned i = 0; i < STRESS_CLIENTS; i++) {
        if ((clients >> i & 1u) == 0)
            continue;
        if (uuid != NULL && tmem_client_authorise(stress->client[i], uuid) != TMEM_OK)
            stress_fail(stress, "cannot authorise");
        if (tmem_pool_create(stress->client[i], flags, uuid, &stress->pool[number].member[i]) != TMEM_OK)
            stress_fail(stress, "cannot make a pool");
    }
}

static void set_up(struct stress *stress, const char *uri)
{
    static const char *const names[STRESS_CLIENTS] = {"one", "two"};
    const struct tmem_uuid uuids[2] = {{{1, 1}}, {{2, 2}}};
    struct tmem_error error;
    if (tmem_open(uri, &stress->store, &error) != TMEM_OK)
        stress_fail(stress, "cannot open %s: %s", uri, error.text);
    for (unsigned i = 0; i < STRESS_CLIENTS; i++)
        if (tmem_client_create(stress->store, names[i], NULL, &stress->client[i]) != TMEM_OK)
            stress_fail(stress, "cannot make a client");
    stress->has_control = tmem_client_thaw(stress->client[0]) != TMEM_UNSUPPORTED;
    make_pool(stress, 0, TMEM_POOL_PERSISTENT, 1, NULL);
    make_pool(stress, 1, TMEM_POOL_EPHEMERAL, 1, NULL);
    make_pool(stress, 2, TMEM_POOL_EPHEMERAL | TMEM_POOL_SHARED, 3, &uuids[0]);
    make_pool(stress, 3, TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED, 3, &uuids[1]);
    make_pool(stress, 4, TMEM_POOL_EPHEMERAL, 2, NULL);
}

static int finish(struct stress *stress)
{
    stress_check_all(stress);
    enum tmem_result result = tmem_store_check(stress->store);
    if (result != TMEM_OK && result != TMEM_UNSUPPORTED)
        stress_fail(stress, "store_check: '%s'", tmem_result_text(result));
    struct tmem_store_stats stats;
    if (tmem_store_stats(stress->store, &stats, sizeof stats) != TMEM_OK)
        stress_fail(stress, "store_stats failed");
    if (stats.corrupt_pages != 0)
        stress_fail(stress, "%llu damaged pages", (unsigned long long)stats.corrupt_pages);
    printf("stress: %llu operations, %llu found, %llu missed, %llu puts refused, %llu clients came and went,\n"
           "  %llu pages evicted, %llu segments cleaned, %llu pages share %llu contents, %llu MiB returned\n",
           (unsigned long long)stress->operations, (unsigned long long)stress->found,
           (unsigned long long)stress->missed, (unsigned long long)stress->refused,
           (unsigned long long)stress->transient_clients, (unsigned long long)stats.evicted_pages,
           (unsigned long long)stats.cleaned_segments, (unsigned long long)stats.pages_deduplicated,
           (unsigned long long)stats.contents_shared, (unsigned long long)(stats.returned_bytes >> 20));
    tmem_close(stress->store);
    return stress->found == 0 || stress->operations == 0;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: stress [--seconds N] [--threads 1-%u] [--seed N] [--uri URI]\n", STRESS_THREADS_MOST);
    return to == stdout ? 0 : 2;
}

static bool parse(const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || *end != 0 || *text == '-' || errno != 0 || number > most)
        return false;
    *value = number;
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'},
        {"threads", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'r'},
        {"uri", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct stress stress;
    const char *uri = getenv("TMEM_TEST_URI");
    const char *seed_text = getenv("TMEM_TEST_SEED");
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t seconds = 4;
    uint64_t threads = 4;
    if (seed_text != NULL && !parse(seed_text, UINT64_MAX, &seed))
        return usage(stderr);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool ok = true;
        if (option == 's')
            ok = parse(optarg, 1000000, &seconds);
        else if (option == 't')
            ok = parse(optarg, STRESS_THREADS_MOST, &threads) && threads != 0;
        else if (option == 'r')
            ok = parse(optarg, UINT64_MAX, &seed);
        else if (option == 'u')
            uri = optarg;
        else
            return usage(option == 'h' ? stdout : stderr);
        if (!ok)
            return usage(stderr);
    }
    stress.seed = seed;
    stress.threads = (unsigned)threads;
    printf("stress: seed %llu, %u threads, %llu s\n", (unsigned long long)seed, stress.threads,
           (unsigned long long)seconds);
    set_up(&stress, uri != NULL ? uri : "embedded:size=24M");
    run_threads(&stress, (unsigned)seconds);
    return finish(&stress);
}
