/* SPDX-License-Identifier: BSD-2-Clause */
/* trial.c - see trial.h. */
#include "trial.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

#define REPLAY_BYTES (64u << 10)
#define SECONDS_MOST 1200u /* a world that takes longer hangs */

/* ---- lists of operations ---- */

static void append(char *text, size_t room, const char *piece)
{
    size_t length = strlen(text);
    if (length + strlen(piece) < room)
        memcpy(text + length, piece, strlen(piece) + 1u);
}

/* The command line that runs exactly this. */
static void describe(const struct trial *trial, char *text, size_t room)
{
    char piece[128];
    *text = 0;
    append(text, room, trial->program);
    if (trial->uri != NULL) {
        append(text, room, " --uri ");
        append(text, room, trial->uri);
    }
    snprintf(piece, sizeof piece, " --seed %llu --operations %llu", (unsigned long long)trial->seed,
             (unsigned long long)trial->operations);
    append(text, room, piece);
    if (trial->only == NULL)
        return;
    append(text, room, " --only ");
    for (size_t i = 0; i < trial->only_count;) {
        size_t last = i;
        while (last + 1u < trial->only_count && trial->only[last + 1u] == trial->only[last] + 1u)
            last++;
        snprintf(piece, sizeof piece, last == i ? "%s%llu" : "%s%llu-%llu", i == 0 ? "" : ",",
                 (unsigned long long)trial->only[i], (unsigned long long)trial->only[last]);
        append(text, room, piece);
        i = last + 1u;
    }
}

uint64_t *trial_parse_list(const char *text, size_t *count)
{
    uint64_t *list = NULL;
    size_t room = 0;
    *count = 0;
    while (*text != 0) {
        char *end;
        uint64_t first = strtoull(text, &end, 10);
        uint64_t last = first;
        if (end != text && *end == '-') {
            text = end + 1;
            last = strtoull(text, &end, 10);
        }
        if (end == text || last < first || last - first > 100000000u || (*end != 0 && *end != ',')) {
            free(list);
            return NULL;
        }
        if (*count + (last - first) + 1u > room) {
            room = 2u * (*count + (size_t)(last - first) + 1u);
            uint64_t *larger = realloc(list, room * sizeof *list);
            if (larger == NULL) {
                free(list);
                return NULL;
            }
            list = larger;
        }
        for (uint64_t number = first; number <= last; number++)
            list[(*count)++] = number;
        text = *end == ',' ? end + 1 : end;
    }
    return list;
}

/* ---- running ---- */

/* Where a process is, for whoever waits for it. */
static uint64_t *shared_word(void)
{
    static uint64_t *word;
    if (word == NULL) {
        word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (word == MAP_FAILED) {
            fprintf(stderr, "no memory to share with a trial\n");
            exit(1);
        }
    }
    return word;
}

void trial_run_here(const struct trial *trial)
{
    uint64_t *at = shared_word();
    static char replay[REPLAY_BYTES];
    describe(trial, replay, sizeof replay);
    struct world *world = world_create(trial->seed, trial->uri, replay, trial->is_verbose);
    size_t count = trial->only == NULL ? trial->operations : trial->only_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t operation = trial->only == NULL ? i : trial->only[i];
        *(volatile uint64_t *)at = operation;
        world_step(world, operation);
    }
    world_destroy(world);
}

static void say_nothing(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDERR_FILENO);
        dup2(null, STDOUT_FILENO);
    }
}

bool trial_run(const struct trial *trial, bool is_quiet, uint64_t *failed_at)
{
    uint64_t *at = shared_word();
    int status = 0;
    *at = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "cannot fork: %m\n");
        exit(1);
    }
    if (child == 0) {
        if (is_quiet)
            say_nothing();
        alarm(SECONDS_MOST);
        trial_run_here(trial);
        exit(0);
    }
    while (waitpid(child, &status, 0) < 0) {
    }
    *failed_at = *at;
    if (WIFSIGNALED(status) && !is_quiet)
        fprintf(stderr, "operation %llu: ended by signal %d (%s)\n", (unsigned long long)*at, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- shrinking ---- */

static time_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Tries without [from, from + length) of the list; keeps it out if the rest still fails. */
static bool try_without(struct trial *trial, uint64_t *list, size_t from, size_t length)
{
    uint64_t *rest = malloc((trial->only_count + 1u) * sizeof *rest);
    uint64_t failed_at;
    if (rest == NULL)
        return false;
    size_t behind = trial->only_count - from - length;
    memcpy(rest, list, from * sizeof *rest);
    memcpy(rest + from, list + from + length, behind * sizeof *rest);
    struct trial smaller = *trial;
    smaller.only = rest;
    smaller.only_count = from + behind;
    bool fails = !trial_run(&smaller, true, &failed_at);
    if (fails) {
        memcpy(list, rest, smaller.only_count * sizeof *list);
        trial->only_count = smaller.only_count;
        /* What comes after the failure is not needed either. */
        while (trial->only_count > 0 && list[trial->only_count - 1u] > failed_at)
            trial->only_count--;
    }
    free(rest);
    return fails;
}

void trial_shrink(struct trial *trial, uint64_t failed_at, unsigned seconds)
{
    static char replay[REPLAY_BYTES];
    time_t end = now_seconds() + (time_t)seconds;
    uint64_t *list = NULL;
    if (trial->only == NULL)
        trial->operations = failed_at + 1u;
    size_t count = trial->only == NULL ? trial->operations : trial->only_count;
    list = calloc(count + 1u, sizeof *list);
    if (list == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        list[i] = trial->only == NULL ? i : trial->only[i];
    trial->only = list;
    trial->only_count = count;
    for (size_t length = count / 2u; length > 0 && now_seconds() < end; length /= 2u)
        for (size_t from = 0; from + length <= trial->only_count && now_seconds() < end;)
            if (!try_without(trial, list, from, length))
                from += length;
    describe(trial, replay, sizeof replay);
    fprintf(stderr, "%zu operations are enough:\n  %s\n", trial->only_count, replay);
    if (trial_run(trial, false, &failed_at))
        fprintf(stderr, "but not always: it passed this time\n");
    free(list);
    trial->only = NULL;
}
