/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_main.c - the model test: random operations on a store, and on a naive map beside it.
 *
 * Proves the laws of tmem.h as far as one thread can see them: what every call answers is what the map allows;
 * persistent pools hold exactly what the map says; an ephemeral page is missing or right, never stale; charges never
 * exceed caps, and resident bytes not the size; the statistics are the map's; a store over an arena that outlives it
 * is the same after a restart; and tmem_store_check() finds nothing wrong.
 *
 * Operations are done in worlds of some hundred thousand, each a store of another kind: codec, dedup, size, workers,
 * memory, background thread. The seed is printed; a failure is made small and printed as a command line.
 *
 * TMEM_TEST_URI names another store to test, such as "unix:/run/tmem.sock".
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "content.h"
#include "trial.h"

#define WORLD_OPERATIONS 250000u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEFAULT_OPERATIONS 50000u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEFAULT_OPERATIONS 50000u
#endif
#endif
#ifndef DEFAULT_OPERATIONS
#define DEFAULT_OPERATIONS 500000u
#endif

static int usage(FILE *to)
{
    fprintf(to, "usage: model [--seed N] [--operations N] [--only LIST] [--uri URI] [--shrink-seconds N]\n"
                "             [--verbose] [--here]\n"
                "  Environment: TMEM_TEST_SEED, TMEM_TEST_OPERATIONS, TMEM_TEST_URI.\n"
                "  --only 3,17-25   of one world, do these operations and no others\n"
                "  --here           do them in this process, for a debugger\n");
    return to == stdout ? 0 : 2;
}

static uint64_t parse(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != 0 || *text == '-' || errno != 0) {
        fprintf(stderr, "model: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == 0 ? otherwise : parse(text);
}

static int fails(struct trial *trial, uint64_t failed_at, unsigned shrink_seconds)
{
    fprintf(stderr, "model: failed; making it small, for at most %u s (--shrink-seconds)\n", shrink_seconds);
    trial_shrink(trial, failed_at, shrink_seconds);
    return 1;
}

static int run_worlds(struct trial *trial, uint64_t operations, unsigned shrink_seconds)
{
    uint64_t seed = trial->seed;
    uint64_t failed_at;
    for (uint64_t number = 0; operations > 0; number++) {
        trial->seed = number == 0 ? seed : content_scatter(seed + number);
        trial->operations = operations < WORLD_OPERATIONS ? operations : WORLD_OPERATIONS;
        if (trial->is_verbose)
            printf("world %llu, seed %llu\n", (unsigned long long)number, (unsigned long long)trial->seed);
        if (!trial_run(trial, false, &failed_at))
            return fails(trial, failed_at, shrink_seconds);
        operations -= trial->operations;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"operations", required_argument, NULL, 'n'},
        {"only", required_argument, NULL, 'o'},
        {"uri", required_argument, NULL, 'u'},
        {"verbose", no_argument, NULL, 'v'},
        {"here", no_argument, NULL, 'd'},
        {"shrink-seconds", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    uint64_t *only = NULL;
    unsigned shrink_seconds = 60;
    bool is_here = false;
    struct trial trial = {.program = argv[0], .uri = getenv("TMEM_TEST_URI")};
    trial.seed = from_environment("TMEM_TEST_SEED", (uint64_t)time(NULL));
    uint64_t operations = from_environment("TMEM_TEST_OPERATIONS", DEFAULT_OPERATIONS);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            trial.seed = parse(optarg);
            break;
        case 'n':
            operations = parse(optarg);
            break;
        case 'o':
            free(only);
            only = trial_parse_list(optarg, &trial.only_count);
            if (only == NULL)
                return usage(stderr);
            break;
        case 'u':
            trial.uri = optarg;
            break;
        case 'v':
            trial.is_verbose = true;
            break;
        case 'd':
            is_here = true;
            break;
        case 't':
            shrink_seconds = (unsigned)parse(optarg);
            break;
        default:
            return usage(option == 'h' ? stdout : stderr);
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("model: seed %llu, %llu operations\n", (unsigned long long)trial.seed, (unsigned long long)operations);
    if (only == NULL && !is_here)
        return run_worlds(&trial, operations, shrink_seconds);
    uint64_t failed_at;
    trial.only = only;
    trial.operations = operations;
    if (is_here) {
        trial_run_here(&trial);
        return 0;
    }
    int status = trial_run(&trial, false, &failed_at) ? 0 : fails(&trial, failed_at, shrink_seconds);
    free(only);
    return status;
}
