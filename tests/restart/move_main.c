/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_main.c TMEMD TMEM [--moves N] [--seed N] - clients that are moved between two daemons while they work lose
 * nothing that was acknowledged, and nothing comes back that was acknowledged as gone.
 *
 * The clients and what they know are those of the test of restarts (tests/restart/load.h). `tmem migrate` moves them,
 * one after the other, to the other daemon and back again; their library follows by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/model/content.h"
#include "tests/restart/load.h"

#define CLIENTS 4u

static const char settings[] = "[daemon]\ngrace = 600\n[store]\nsize = 64M\n";

static bool parse(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *value = number;
    return end != text && *end == 0 && *text != '-' && errno == 0;
}

/* Runs `tmem migrate`; what it says goes to the daemon's log. */
static void migrate(const char *tmem, const struct kept *from, const struct kept *to, unsigned number)
{
    extern char **environ;
    char client[64];
    char socket[128];
    char there[128];
    int status;
    pid_t child;
    snprintf(client, sizeof client, "uid-%u:client-%u", (unsigned)geteuid(), number);
    snprintf(socket, sizeof socket, "%s/control.sock", from->folder);
    snprintf(there, sizeof there, "unix:%s/control.sock", to->folder);
    char name[] = "tmem";
    char verb[] = "migrate";
    char option[] = "--socket";
    char everything[] = "--ephemeral=all";
    char *arguments[] = {name, verb, option, socket, everything, client, there, NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, from->log, O_WRONLY | O_APPEND, 0) != 0 ||
        posix_spawn(&child, tmem, &actions, NULL, arguments, environ) != 0)
        kept_fail(from, "cannot run %s", tmem);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        kept_fail(from, "`tmem migrate %s %s` ended with %d", client, there, status);
}

static void run(const char *tmemd, const char *tmem, uint64_t seed, uint64_t moves)
{
    struct kept kept[2];
    struct load_sum sum;
    uint64_t calls = 0;
    uint64_t unanswered = 0;
    for (unsigned i = 0; i < 2; i++)
        kept_start(&kept[i], tmemd, settings);
    struct load *load = load_start(&kept[0], CLIENTS, seed);
    for (uint64_t i = 0; i < moves; i++) {
        load_await(load, 20);
        for (unsigned number = 0; number < CLIENTS; number++)
            migrate(tmem, &kept[i % 2], &kept[(i + 1) % 2], number);
    }
    load_await(load, 20);
    load_stop(load);
    load_sum(load, &sum);
    for (unsigned i = 0; i < LOAD_KINDS; i++) {
        calls += sum.calls[i];
        unanswered += sum.unanswered[i];
    }
    printf("move: %u clients moved %" PRIu64 " times each; %" PRIu64 " calls, %" PRIu64
           " unanswered, the slowest took %" PRIu64 " ms\n",
           CLIENTS, moves, calls, unanswered, sum.slowest_us / 1000u);
    free(load);
    for (unsigned i = 0; i < 2; i++)
        kept_stop(&kept[i]);
}

static int usage(void)
{
    fprintf(stderr, "usage: move TMEMD TMEM [--moves N] [--seed N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"moves", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    const char *seed_text = getenv("TMEM_TEST_SEED");
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t moves = 10;
    if (seed_text != NULL && !parse(seed_text, &seed))
        return usage();
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!(option == 'n' ? parse(optarg, &moves) && moves > 0 : option == 's' && parse(optarg, &seed)))
            return usage();
    if (optind + 2 != argc)
        return usage();
    if (!kept_is_possible()) {
        printf("skipped: this kernel does not tell a process's children (CONFIG_PROC_CHILDREN)\n");
        return 77;
    }
    printf("move: seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    run(argv[optind], argv[optind + 1], seed, moves);
    return 0;
}
