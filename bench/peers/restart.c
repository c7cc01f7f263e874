/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restart.c URI PAGES - a client of a daemon that is killed and comes back with many pages; driven by
 * tools/bench-peers as the programs of peer.h are, a command a line:
 *
 *   fill    puts all pages into a persistent pool: random bytes, all different
 *   return  asks for a page again and again until it is there: how long that took
 *   verify  gets some pages, and compares every byte
 */
#include "base/mix.h"
#include "bench/store.h"
#include "command/command.h"
#include "command/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 16u
#define PAGE_WORDS (TMEM_PAGE_SIZE / sizeof(uint64_t))
#define VERIFIED_PAGES 2000u
#define PATIENCE_SECONDS 60.0

static struct bench_store bench = {.object_pages = BENCH_OBJECT_PAGES};
static uint64_t pages;

static TM_PRINTF(1, 2) bool fail(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tm_message("%s", text);
    return false;
}

static bool check(enum tmem_result result, const char *what)
{
    return result == TMEM_OK || fail("%s: %s", what, tmem_result_text(result));
}

static void make_page(uint64_t number, uint64_t *page)
{
    uint64_t random = number * 2654435761u + 1u;
    for (size_t i = 0; i < PAGE_WORDS; i++)
        page[i] = tm_random_next(&random);
}

static bool fill(struct tm_json *json)
{
    static uint64_t buffers[BATCH][PAGE_WORDS];
    struct tmem_io io[BATCH];
    for (uint64_t number = 0; number < pages; number += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            make_page(number + i, buffers[i]);
            io[i] = (struct tmem_io){bench_object((number + i) / BENCH_OBJECT_PAGES),
                                     (uint32_t)((number + i) % BENCH_OBJECT_PAGES), TMEM_OK, buffers[i]};
        }
        if (!check(tmem_put_many(bench.pool, io, BATCH, TMEM_PUT_PLAIN), "put_many"))
            return false;
        for (unsigned i = 0; i < BATCH; i++)
            if (!check(io[i].result, "put"))
                return false;
    }
    tm_json_unsigned(json, "pages", pages);
    return true;
}

static bool get_verified(uint64_t number)
{
    uint64_t page[PAGE_WORDS];
    uint64_t expected[PAGE_WORDS];
    make_page(number, expected);
    return check(bench_get(&bench, number, page, TMEM_GET_INCLUSIVE), "get") &&
           (memcmp(page, expected, sizeof page) == 0 ||
            fail("page %llu is not the one that was put", (unsigned long long)number));
}

static double now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool await_return(struct tm_json *json)
{
    uint64_t page[PAGE_WORDS];
    double begun = now_seconds();
    enum tmem_result result;
    while ((result = bench_get(&bench, 0, page, TMEM_GET_INCLUSIVE)) == TMEM_UNAVAILABLE &&
           now_seconds() - begun < PATIENCE_SECONDS)
        usleep(200);
    tm_json_decimal(json, "seconds", now_seconds() - begun, 4);
    return check(result, "get after the restart") && get_verified(0);
}

static bool verify(struct tm_json *json)
{
    uint64_t random = 1;
    for (unsigned i = 0; i < VERIFIED_PAGES; i++)
        if (!get_verified(tm_random_next(&random) % pages))
            return false;
    tm_json_unsigned(json, "verified", VERIFIED_PAGES);
    return true;
}

static const struct {
    const char *line;
    bool (*run)(struct tm_json *json);
} commands[] = {{"fill\n", fill}, {"return\n", await_return}, {"verify\n", verify}};

/* Answers one line. False after a message. */
static bool run_command(const char *line)
{
    char answer[256];
    struct tm_json json;
    for (size_t i = 0; i < TM_ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].line, line) != 0)
            continue;
        tm_json_begin(&json, answer, sizeof answer - 1);
        tm_json_open_object(&json, NULL);
        if (!commands[i].run(&json))
            return false;
        tm_json_close_object(&json);
        if (!tm_json_end(&json))
            return fail("an answer is longer than a line");
        memcpy(answer + strlen(answer), "\n", 2);
        return tm_print_stdout(answer) == TM_EXIT_OK;
    }
    return fail("no such command: %s", line);
}

static bool connect_to(const char *uri)
{
    struct tmem_error error;
    if (tmem_open(uri, &bench.store, &error) != TMEM_OK)
        return fail("cannot open %s: %s", uri, error.text);
    return check(tmem_client_create(bench.store, "bench", NULL, &bench.client), "cannot make a client") &&
           check(tmem_pool_create(bench.client, TMEM_POOL_PERSISTENT, NULL, &bench.pool), "cannot make a pool");
}

int main(int count, char **arguments)
{
    char line[64];
    char *end = NULL;
    pages = count == 3 ? strtoull(arguments[2], &end, 10) : 0;
    if (pages == 0 || *end != '\0' || pages % BATCH != 0)
        return tm_fail(TM_EXIT_USAGE, "usage: peer-restart URI PAGES (a multiple of %u; see tools/bench-peers)",
                       BATCH);
    bool done = connect_to(arguments[1]);
    while (done && fgets(line, sizeof line, stdin) != NULL)
        done = run_command(line);
    tmem_close(bench.store);
    return done ? TM_EXIT_OK : TM_EXIT_FAILED;
}
