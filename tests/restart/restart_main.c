/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restart_main.c TMEMD [--kills N] [--seed N] - a daemon that is killed under load, at any instruction, and started
 * again by its keeper, loses nothing that it acknowledged, and nothing that it acknowledged as gone comes back.
 *
 * Clients put, replace, get, take and invalidate pages, and destroy pools, and know what was acknowledged. The daemon
 * is killed some microseconds after all of them are at work again, or right when a call was answered, or while the next
 * one begins, or is told to end as for an upgrade. Then each client looks at all of its pages. Their library connects
 * again by itself.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/model/content.h"
#include "tests/restart/load.h"

#define CLIENTS 4u

static const char settings[] = "[daemon]\ngrace = 600\n[store]\nsize = 64M\n";

enum way {
    WAY_AT_WORK,   /* kill -9 while all are at work */
    WAY_ANSWERED,  /* the same at the moment when an answer has come */
    WAY_BEGINNING, /* the same, and the next one as well while it begins */
    WAY_UPGRADE,   /* SIGTERM */
    WAYS
};

static bool parse(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *value = number;
    return end != text && *end == 0 && *text != '-' && errno == 0;
}

/* Looks at the clock until then: sleeping would choose where it strikes. */
static void spin_us(uint64_t us)
{
    for (uint64_t end = kept_now_us() + us; kept_now_us() < end;) {
    }
}

static void kill_once(struct kept *kept, struct load *load, uint64_t *random, uint64_t kills[WAYS])
{
    uint64_t drawn = content_next(random) >> 16;
    static const enum way ways[8] = {WAY_UPGRADE, WAY_BEGINNING, WAY_AT_WORK, WAY_AT_WORK,
                                     WAY_ANSWERED, WAY_ANSWERED, WAY_ANSWERED, WAY_ANSWERED};
    enum way way = ways[drawn % 8u];
    load_await(load, 20);
    spin_us(drawn / 8u % 3000u);
    if (way == WAY_ANSWERED)
        load_kill_after(load, (enum load_kind)(drawn / 24000u % LOAD_KINDS));
    else
        kept_kill(kept, way == WAY_UPGRADE ? SIGTERM : SIGKILL);
    kept_await_daemon(kept);
    if (way == WAY_BEGINNING) {
        spin_us(drawn / 24000u % 4000u);
        kept_kill(kept, SIGKILL);
        kept_await_daemon(kept);
    }
    kills[way]++;
}

static void report(const struct load *load, const uint64_t kills[WAYS])
{
    static const char *const names[LOAD_KINDS] = {
        [LOAD_PUT] = "puts",
        [LOAD_PUT_MANY] = "batches",
        [LOAD_GET] = "gets",
        [LOAD_TAKE] = "exclusive gets",
        [LOAD_INVALIDATE_PAGE] = "page invalidations",
        [LOAD_INVALIDATE_OBJECT] = "object invalidations",
        [LOAD_POOL_DESTROY] = "pools destroyed",
        [LOAD_CACHE] = "ephemeral pages",
    };
    struct load_sum sum;
    load_sum(load, &sum);
    printf("restart: killed %" PRIu64 " times at work, %" PRIu64 " times at an answer, %" PRIu64
           " times twice, ended %" PRIu64 " times;",
           kills[WAY_AT_WORK], kills[WAY_ANSWERED], kills[WAY_BEGINNING], kills[WAY_UPGRADE]);
    for (unsigned i = 0; i < LOAD_KINDS; i++)
        printf(" %" PRIu64 " %s (%" PRIu64 " unanswered)%s", sum.calls[i], names[i], sum.unanswered[i],
               i + 1u < LOAD_KINDS ? "," : "");
    printf("; the slowest took %" PRIu64 " ms\n", sum.slowest_us / 1000u);
}

static int usage(void)
{
    fprintf(stderr, "usage: restart TMEMD [--kills N] [--seed N]\n");
    return 2;
}

static int run(const char *tmemd, uint64_t seed, uint64_t rounds)
{
    struct kept kept;
    uint64_t random = content_scatter(seed);
    uint64_t kills[WAYS] = {0};
    uint64_t begun_us = kept_now_us();
    kept_start(&kept, tmemd, settings);
    struct load *load = load_start(&kept, CLIENTS, seed);
    for (uint64_t i = 0; i < rounds; i++)
        kill_once(&kept, load, &random, kills);
    load_await(load, 20);
    load_stop(load);
    report(load, kills);
    free(load);
    kept_stop(&kept);
    printf("restart: %.1f ms for each kill\n", (double)(kept_now_us() - begun_us) / 1000.0 / (double)rounds);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"kills", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    const char *seed_text = getenv("TMEM_TEST_SEED");
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t rounds = 50;
    if (seed_text != NULL && !parse(seed_text, &seed))
        return usage();
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!(option == 'n' ? parse(optarg, &rounds) && rounds > 0 : option == 's' && parse(optarg, &seed)))
            return usage();
    if (optind + 1 != argc)
        return usage();
    if (!kept_is_possible()) {
        printf("skipped: this kernel does not tell a process's children (CONFIG_PROC_CHILDREN)\n");
        return 77;
    }
    printf("restart: seed %" PRIu64 ", %" PRIu64 " kills\n", seed, rounds);
    fflush(stdout);
    return run(argv[optind], seed, rounds);
}
