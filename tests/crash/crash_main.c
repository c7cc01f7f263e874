/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash_main.c - a store whose process is killed at any instruction loses nothing that it acknowledged.
 *
 * A child process works on a store whose persistent arena is a memfd: two threads put, replace, invalidate pages and
 * objects, take, create and destroy pools and clients and change settings, while ephemeral pages fill the store, and
 * segments are evicted and cleaned in the background. It is killed: some microseconds after its begin (while it
 * rebuilds), while it works, or after so and so many single instructions inside a call. The parent rebuilds the store
 * from the memfd and proves: nothing that was acknowledged as stored is missing or other, nothing that was acknowledged
 * as gone is back, a call under way has happened or not; settings, clients and pools are what they were; and
 * tmem_store_check() finds nothing wrong. Then the next child goes on with the same memfd.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"

#define DEFAULT_ROUNDS 150u

void crash_fail(const struct crash_journal *journal, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "crash: round %llu: ", (unsigned long long)journal->round);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n  again: %s --seed %llu --rounds %llu\n", journal->program, (unsigned long long)journal->seed,
            (unsigned long long)journal->round + 1u);
    va_end(arguments);
    exit(1);
}

/* What a store holds does not depend on what it is opened with: each life has other settings. */
static void draw_uri(uint64_t *random, int arena_fd, char *uri, size_t room)
{
    static const char *const codecs[] = {"lz4,cold=100,cold-age=0", "lz4", "zstd:1", "none"};
    snprintf(uri, room, "embedded:size=%uM,codec=%s,dedup=%s,defer=%s,maintenance=%s,workers=%u,arena-fd=%d",
             24u + crash_below(random, 16), codecs[crash_below(random, 4)], crash_below(random, 5) == 0 ? "off" : "on",
             crash_below(random, 3) == 0 ? "on" : "off",
             crash_below(random, 4) == 0 ? "none" : "thread", 2u + crash_below(random, 4), arena_fd);
}

static bool run_round(struct crash_journal *journal, int arena_fd, uint64_t *random, bool may_step)
{
    char uri[160];
    draw_uri(random, arena_fd, uri, sizeof uri);
    enum crash_way way = (enum crash_way)crash_below(random, CRASH_WAYS);
    if (way == CRASH_BY_STEPS && !may_step)
        way = CRASH_AT_WORK;
    atomic_store(&journal->is_working, false);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        crash_fail(journal, "cannot fork: %m");
    if (child == 0)
        crash_child(journal, uri);
    bool done = crash_kill(journal, child, way, random);
    draw_uri(random, arena_fd, uri, sizeof uri);
    crash_verify(journal, uri);
    return done;
}

static void print_calls(const struct crash_journal *journal)
{
    static const char *const names[CRASH_KINDS] = {
        [CRASH_PUT] = "puts",
        [CRASH_PUT_MANY] = "batches",
        [CRASH_INVALIDATE_PAGE] = "page invalidations",
        [CRASH_TAKE] = "exclusive gets",
        [CRASH_INVALIDATE_OBJECT] = "object invalidations",
        [CRASH_POOL_CREATE] = "pools made",
        [CRASH_POOL_DESTROY] = "pools destroyed",
        [CRASH_SETTINGS] = "settings",
        [CRASH_GUEST_CREATE] = "clients made",
        [CRASH_GUEST_DESTROY] = "clients destroyed",
    };
    printf("crash: killed %llu times;", (unsigned long long)journal->round);
    for (unsigned i = 0; i < CRASH_KINDS; i++)
        printf(" %llu %s%s", (unsigned long long)journal->calls[i], names[i], i + 1u < CRASH_KINDS ? "," : "\n");
}

static int usage(FILE *to)
{
    fprintf(to, "usage: crash [--rounds N] [--seed N]\n");
    return to == stdout ? 0 : 2;
}

static bool parse(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *value = number;
    return end != text && *end == 0 && *text != '-' && errno == 0;
}

static struct crash_journal *make_journal(void)
{
    struct crash_journal *journal =
        mmap(NULL, sizeof *journal, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (journal == MAP_FAILED) {
        fprintf(stderr, "crash: no memory for the journal\n");
        exit(1);
    }
    return journal;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"rounds", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *seed_text = getenv("TMEM_TEST_SEED");
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t rounds = DEFAULT_ROUNDS;
    char uri[160];
    if (seed_text != NULL && !parse(seed_text, &seed))
        return usage(stderr);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool ok = option == 'n' ? parse(optarg, &rounds) : option == 's' ? parse(optarg, &seed)
                                                                         : false;
        if (!ok)
            return usage(option == 'h' ? stdout : stderr);
    }
    struct crash_journal *journal = make_journal();
    uint64_t random = content_scatter(seed);
    int arena_fd = memfd_create("crash", MFD_CLOEXEC);
    journal->seed = seed;
    journal->program = argv[0];
    if (arena_fd < 0)
        crash_fail(journal, "memfd_create: %m");
    printf("crash: seed %llu, %llu rounds\n", (unsigned long long)seed, (unsigned long long)rounds);
    draw_uri(&random, arena_fd, uri, sizeof uri);
    crash_set_up(journal, uri);
    bool may_step = true;
    for (; journal->round < rounds; journal->round++) {
        bool done = run_round(journal, arena_fd, &random, may_step);
        if (!done && may_step)
            printf("crash: no single steps: this machine does not allow ptrace\n");
        may_step = may_step && done;
    }
    print_calls(journal);
    close(arena_fd);
    return 0;
}
