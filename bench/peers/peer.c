/* SPDX-License-Identifier: BSD-2-Clause */
/* peer.c - see peer.h: the options, the pages, the commands and their answers. */
#include "peer.h"

#include "base/mix.h"
#include "bench/clock.h"
#include "bench/collect.h"
#include "bench/huge_memory.h"
#include "bench/memory_limits.h"
#include "bench/samples.h"
#include "timing.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_SIZE 1024u
#define VERIFIED_PAGES 256u
#define PAGES_MAX (UINT64_C(1) << 26)

/* What the pages are, before any of them is put over. */
enum source {
    FOUND, /* as the corpus has them, with duplicates and same-filled ones */
    TIMED, /* all different, none same-filled */
    WORDS, /* one word repeated: the page's number, as small numbers are what most such pages hold */
};

struct driver {
    const struct peer_kind *kind;
    void *state;
    uint64_t pages;
    uint64_t cold_pages;
    enum source source;
    struct bench_corpus corpus;
    struct bench_limits limits;
    uint64_t *stamps; /* of each page that was put over: which page is there now, and how it was changed; or 0 */
    uint64_t random;

    /* The chunk that is under way: */
    unsigned char *buffers; /* PEER_BATCH pages */
    uint64_t numbers[PEER_BATCH];
};

bool peer_fail(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tm_message("%s", text);
    return false;
}

bool peer_fail_system(const char *what)
{
    char text[TM_ERROR_TEXT_SIZE];
    return peer_fail("%s: %s", what, tm_error_text(errno, text));
}

/* ---------------------------------------------------------------------------- pages */

/* The page that is under a number now, in @page. */
static void make_page(const struct driver *driver, uint64_t number, unsigned char *page)
{
    uint64_t stamp = driver->stamps[number];
    uint64_t word = number;
    if (driver->source == FOUND) {
        memcpy(page, driver->corpus.pages + number % driver->corpus.count * TM_PAGE_BYTES, TM_PAGE_BYTES);
    } else if (driver->source == TIMED) {
        memcpy(page, bench_page(&driver->corpus, stamp != 0 ? stamp : number), TM_PAGE_BYTES);
        if (stamp != 0)
            memcpy(page, &stamp, sizeof stamp);
    } else {
        for (size_t at = 0; at < TM_PAGE_BYTES; at += sizeof word)
            memcpy(page + at, &word, sizeof word);
    }
}

static uint64_t random_number(struct driver *driver)
{
    return tm_random_next(&driver->random) % driver->pages;
}

static void choose_numbers(void *user)
{
    struct driver *driver = user;
    for (unsigned i = 0; i < PEER_BATCH; i++)
        driver->numbers[i] = random_number(driver);
}

/* Random numbers and what they are to hold from now on, made in the buffers. */
static void choose_changes(void *user)
{
    struct driver *driver = user;
    choose_numbers(user);
    for (unsigned i = 0; i < PEER_BATCH; i++) {
        driver->stamps[driver->numbers[i]] = tm_random_next(&driver->random) | 1;
        make_page(driver, driver->numbers[i], driver->buffers + i * TM_PAGE_BYTES);
    }
}

static bool put_one(void *user, unsigned i)
{
    struct driver *driver = user;
    return driver->kind->put(driver->state, driver->numbers[i], driver->buffers + i * TM_PAGE_BYTES);
}

static bool put_many(void *user, unsigned i)
{
    struct driver *driver = user;
    (void)i;
    return driver->kind->put_many(driver->state, driver->numbers, driver->buffers);
}

/* Ends with a fence, as the copy that it is compared with does. */
static bool get_one(void *user, unsigned i)
{
    struct driver *driver = user;
    bool done = driver->kind->get(driver->state, driver->numbers[i], driver->buffers);
    bench_fence();
    return done;
}

static bool get_many(void *user, unsigned i)
{
    struct driver *driver = user;
    (void)i;
    bool done = driver->kind->get_many(driver->state, driver->numbers, driver->buffers);
    bench_fence();
    return done;
}

static bool miss_one(void *user, unsigned i)
{
    struct driver *driver = user;
    return driver->kind->miss(driver->state, driver->pages + driver->numbers[i], driver->buffers);
}

/* ------------------------------------------------------------------------- commands */

/* What a command may add to its answer, and whether it went well. */
typedef bool command_function(struct driver *driver, uint64_t count, struct tm_json *json);

/* A command whose answer is times, with a probe before and after it. */
static bool run_probed(struct driver *driver, command_function *command, uint64_t count, struct tm_json *json)
{
    double before_ns = 0.0;
    double after_ns = 0.0;
    if (driver->source == FOUND)
        return peer_fail("pages of --source found are not timed");
    if (!bench_limit_cold_copy(&driver->limits, 1, &before_ns) || !command(driver, count, json) ||
        !bench_limit_cold_copy(&driver->limits, 1, &after_ns))
        return false;
    tm_json_decimal(json, "probe_before_ns", before_ns, 2);
    tm_json_decimal(json, "probe_after_ns", after_ns, 2);
    return true;
}

static bool run_timed(const struct peer_timing *timing, uint64_t count, struct tm_json *json)
{
    struct peer_times times;
    if (!peer_time(timing, count, &times))
        return false;
    tm_json_decimal(json, "cpu_ns", times.cpu_ns, 2);
    tm_json_decimal(json, "wall_ns", times.wall_ns, 2);
    return true;
}

static bool command_get(struct driver *driver, uint64_t count, struct tm_json *json)
{
    return run_timed(&(struct peer_timing){choose_numbers, get_one, driver, PEER_BATCH, 1}, count, json);
}

static bool command_get_many(struct driver *driver, uint64_t count, struct tm_json *json)
{
    if (driver->kind->get_many == NULL)
        return peer_fail("%s has no batches", driver->kind->name);
    return run_timed(&(struct peer_timing){choose_numbers, get_many, driver, 1, PEER_BATCH}, count, json);
}

static bool is_changeable(const struct driver *driver)
{
    return driver->source == TIMED || peer_fail("only pages of --source timed can be put over");
}

static bool command_put(struct driver *driver, uint64_t count, struct tm_json *json)
{
    return is_changeable(driver) &&
           run_timed(&(struct peer_timing){choose_changes, put_one, driver, PEER_BATCH, 1}, count, json);
}

static bool command_put_many(struct driver *driver, uint64_t count, struct tm_json *json)
{
    if (driver->kind->put_many == NULL)
        return peer_fail("%s has no batches", driver->kind->name);
    return is_changeable(driver) &&
           run_timed(&(struct peer_timing){choose_changes, put_many, driver, 1, PEER_BATCH}, count, json);
}

static bool command_miss(struct driver *driver, uint64_t count, struct tm_json *json)
{
    if (driver->kind->miss == NULL)
        return peer_fail("%s cannot miss", driver->kind->name);
    return run_timed(&(struct peer_timing){choose_numbers, miss_one, driver, PEER_BATCH, 1}, count, json);
}

/* Each get for itself, not in chunks: what is rare counts. */
static bool command_latency(struct driver *driver, uint64_t count, struct tm_json *json)
{
    struct bench_samples samples = {NULL, 0, 0};
    bool done = bench_samples_reserve(&samples, (size_t)count);
    for (uint64_t i = 0; i < count && done; i++) {
        driver->numbers[0] = random_number(driver);
        uint64_t begin_ns = peer_wall_ns();
        done = driver->kind->get(driver->state, driver->numbers[0], driver->buffers);
        bench_samples_add(&samples, (double)(peer_wall_ns() - begin_ns));
    }
    if (done) {
        tm_json_decimal(json, "p99_ns", bench_samples_percentile(&samples, 99.0), 2);
        tm_json_decimal(json, "median_ns", bench_samples_median(&samples), 2);
    }
    bench_samples_free(&samples);
    return done;
}

static bool command_crowd(struct driver *driver, uint64_t count, struct tm_json *json)
{
    double one_ns = 0.0;
    double several_ns = 0.0;
    if (driver->kind->crowd == NULL)
        return peer_fail("%s is one client", driver->kind->name);
    uint64_t begin_ns = peer_wall_ns();
    for (uint64_t i = 0; i < count; i += PEER_BATCH) {
        choose_numbers(driver);
        if (!driver->kind->get_many(driver->state, driver->numbers, driver->buffers))
            return false;
    }
    one_ns = (double)(peer_wall_ns() - begin_ns) / (double)count;
    if (!driver->kind->crowd(driver->state, count, &several_ns))
        return false;
    tm_json_decimal(json, "one_ns", one_ns, 2);
    tm_json_decimal(json, "several_ns", several_ns, 2);
    return true;
}

/* True until there is a line of input, which is taken. */
static bool goes_on(void)
{
    char line[64];
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) == 0)
        return true;
    (void)!fgets(line, sizeof line, stdin);
    return false;
}

static bool command_idle(struct driver *driver, uint64_t count, struct tm_json *json)
{
    if (driver->kind->clients == NULL)
        return peer_fail("%s is one client", driver->kind->name);
    tm_json_unsigned(json, "clients", count);
    return driver->kind->clients(driver->state, (uint32_t)count);
}

static bool command_flood(struct driver *driver, uint64_t count, struct tm_json *json)
{
    (void)count;
    uint64_t batches = 0;
    if (driver->kind->flood == NULL)
        return peer_fail("%s floods nobody", driver->kind->name);
    for (; goes_on(); batches++) {
        choose_changes(driver);
        if (!driver->kind->flood(driver->state, driver->numbers, driver->buffers))
            return false;
    }
    tm_json_unsigned(json, "pages", batches * PEER_BATCH);
    return true;
}

static bool command_burn(struct driver *driver, uint64_t count, struct tm_json *json)
{
    (void)count;
    uint64_t rounds = 0;
    for (; goes_on(); rounds++)
        for (unsigned i = 0; i < 100000; i++)
            (void)tm_random_next(&driver->random);
    tm_json_unsigned(json, "rounds", rounds);
    return true;
}

static bool command_fill(struct driver *driver, uint64_t count, struct tm_json *json)
{
    (void)count;
    for (uint64_t number = 0; number < driver->pages; number++) {
        make_page(driver, number, driver->buffers);
        if (!driver->kind->put(driver->state, number, driver->buffers))
            return false;
    }
    tm_json_unsigned(json, "pages", driver->pages);
    return true;
}

static bool command_verify(struct driver *driver, uint64_t count, struct tm_json *json)
{
    size_t bytes = driver->kind->words_only ? sizeof(uint64_t) : TM_PAGE_BYTES;
    unsigned char *expected = driver->buffers + TM_PAGE_BYTES;
    (void)count;
    for (unsigned i = 0; i < VERIFIED_PAGES; i++) {
        uint64_t number = random_number(driver);
        make_page(driver, number, expected);
        if (!driver->kind->get(driver->state, number, driver->buffers))
            return false;
        if (memcmp(driver->buffers, expected, bytes) != 0)
            return peer_fail("%s: page %llu is not the one that was put", driver->kind->name,
                             (unsigned long long)number);
    }
    tm_json_unsigned(json, "verified", VERIFIED_PAGES);
    return true;
}

/* The dice are the same for every kind. */
static bool command_drop(struct driver *driver, uint64_t count, struct tm_json *json)
{
    uint64_t dice = 1;
    uint64_t dropped = 0;
    (void)count;
    if (driver->kind->drop == NULL)
        return peer_fail("%s drops nothing", driver->kind->name);
    for (uint64_t number = 0; number < driver->pages; number++) {
        if (tm_random_next(&dice) % 2 != 0)
            continue;
        if (!driver->kind->drop(driver->state, number))
            return false;
        dropped++;
    }
    tm_json_unsigned(json, "dropped", dropped);
    return true;
}

static bool command_settle(struct driver *driver, uint64_t count, struct tm_json *json)
{
    uint64_t begin_ns = bench_thread_ns();
    (void)count;
    if (driver->kind->settle != NULL && !driver->kind->settle(driver->state))
        return false;
    tm_json_decimal(json, "cpu_seconds", (double)(bench_thread_ns() - begin_ns) / 1e9, 3);
    return true;
}

static bool command_reclaim(struct driver *driver, uint64_t count, struct tm_json *json)
{
    (void)count;
    tm_json_boolean(json, "reclaims", driver->kind->reclaim != NULL);
    return driver->kind->reclaim == NULL || driver->kind->reclaim(driver->state);
}

/* Of this process, as the kernel counts it. */
static bool process_bytes(uint64_t *bytes)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL)
        return peer_fail_system("cannot read /proc/self/smaps_rollup");
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Rss: %llu kB", &kib) != 1) {
    }
    (void)fclose(file);
    *bytes = kib << 10;
    return true;
}

static bool command_memory(struct driver *driver, uint64_t count, struct tm_json *json)
{
    uint64_t bytes = 0;
    (void)count;
    if (!process_bytes(&bytes))
        return false;
    tm_json_unsigned(json, "process_bytes", bytes);
    return driver->kind->memory == NULL || driver->kind->memory(driver->state, json);
}

/* Everything is open before the first command is read. */
static bool command_open(struct driver *driver, uint64_t count, struct tm_json *json)
{
    (void)count;
    tm_json_string(json, "kind", driver->kind->name);
    return true;
}

static const struct {
    const char *name;
    command_function *function;
    bool is_probed;
} commands[] = {
    {"open", command_open, false},
    {"fill", command_fill, false},
    {"get", command_get, true},
    {"get-many", command_get_many, true},
    {"put", command_put, true},
    {"put-many", command_put_many, true},
    {"miss", command_miss, true},
    {"latency", command_latency, true},
    {"crowd", command_crowd, true},
    {"flood", command_flood, false},
    {"idle", command_idle, false},
    {"burn", command_burn, false},
    {"verify", command_verify, false},
    {"drop", command_drop, false},
    {"settle", command_settle, false},
    {"reclaim", command_reclaim, false},
    {"memory", command_memory, false},
};

/* Runs one line. False after a message. */
static bool run_command(struct driver *driver, char *line)
{
    char answer[ANSWER_SIZE];
    char name[16] = "";
    unsigned long long count = 0;
    struct tm_json json;
    (void)sscanf(line, "%15s %llu", name, &count);
    for (size_t i = 0; i < TM_ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        tm_json_begin(&json, answer, sizeof answer - 1);
        tm_json_open_object(&json, NULL);
        bool done = commands[i].is_probed ? run_probed(driver, commands[i].function, count, &json)
                                          : commands[i].function(driver, count, &json);
        if (!done)
            return false;
        tm_json_close_object(&json);
        if (!tm_json_end(&json))
            return peer_fail("an answer to %s is longer than a line", name);
        memcpy(answer + strlen(answer), "\n", 2);
        return tm_print_stdout(answer) == TM_EXIT_OK;
    }
    return peer_fail("no such command: %s", name);
}

static int run_commands(struct driver *driver)
{
    char line[64];
    bool done = true;
    while (done) {
        if (driver->kind->idle != NULL)
            driver->kind->idle(driver->state, true);
        bool is_line = fgets(line, sizeof line, stdin) != NULL && strcmp(line, "quit\n") != 0;
        if (driver->kind->idle != NULL)
            driver->kind->idle(driver->state, false);
        if (!is_line)
            break;
        done = run_command(driver, line);
    }
    return done ? TM_EXIT_OK : TM_EXIT_FAILED;
}

/* -------------------------------------------------------------------------- options */

struct options {
    const char *at;
    const char *corpus;
    uint64_t pages;
    uint64_t cold_pages;
    enum source source;
};

static bool parse_source(const char *text, enum source *source)
{
    static const char *const names[] = {[FOUND] = "found", [TIMED] = "timed", [WORDS] = "words"};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *source = (enum source)i;
            return true;
        }
    return false;
}

static bool parse_pages(const char *text, uint64_t *pages)
{
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 10);
    *pages = number;
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && number <= PAGES_MAX;
}

static bool parse(int count, char **arguments, const struct peer_kind *kind, struct options *options)
{
    static const struct option known[] = {{"at", required_argument, NULL, 'a'},
                                          {"corpus", required_argument, NULL, 'c'},
                                          {"pages", required_argument, NULL, 'p'},
                                          {"cold-pages", required_argument, NULL, 'd'},
                                          {"source", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    *options = (struct options){.cold_pages = BENCH_COLD_PAGES, .source = TIMED};
    opterr = 0;
    for (int letter = getopt_long(count, arguments, "", known, NULL); letter != -1 && good;
         letter = getopt_long(count, arguments, "", known, NULL)) {
        if (letter == 'a')
            options->at = optarg;
        else if (letter == 'c')
            options->corpus = optarg;
        else if (letter == 'p')
            good = parse_pages(optarg, &options->pages);
        else if (letter == 'd')
            good = parse_pages(optarg, &options->cold_pages);
        else
            good = letter == 's' && parse_source(optarg, &options->source);
    }
    if (good && optind == count && options->pages != 0 && (options->at != NULL || kind->at == NULL))
        return true;
    tm_message("usage: peer-%s --pages N%s%s [--corpus FILE] [--cold-pages N] [--source found|timed|words]   "
               "(started by tools/bench-peers)",
               kind->name, kind->at != NULL ? " --at " : "", kind->at != NULL ? kind->at : "");
    return false;
}

/* Where nothing is timed the pages alone are enough. Where they are words, the corpus is only what the
 * cold copy is made of. */
static bool load_corpus(struct driver *driver, const char *path)
{
    struct bench_corpus *corpus = &driver->corpus;
    if (driver->source != FOUND)
        return bench_corpus_load(corpus, path, driver->source == WORDS ? driver->cold_pages : driver->pages,
                                 driver->cold_pages) == TM_EXIT_OK &&
               (bench_limits_create(&driver->limits, corpus) || peer_fail("no memory for the cold copy"));
    corpus->pages_bytes = driver->pages * TM_PAGE_BYTES;
    corpus->pages = bench_memory(corpus->pages_bytes);
    if (corpus->pages == NULL)
        return peer_fail("no memory for %llu pages", (unsigned long long)driver->pages);
    return (path != NULL ? bench_collect_file(path, corpus->pages, driver->pages, &corpus->count)
                         : bench_collect_machine(corpus->pages, driver->pages, &corpus->count)) == TM_EXIT_OK;
}

static bool prepare(struct driver *driver, const struct options *options)
{
    if (!load_corpus(driver, options->corpus))
        return false;
    /* All of it touched now, so that what the process grows by later is the kind's. */
    driver->stamps = (uint64_t *)(void *)bench_memory(driver->pages * sizeof *driver->stamps);
    driver->buffers = aligned_alloc(TM_PAGE_BYTES, PEER_BATCH * TM_PAGE_BYTES);
    if (driver->stamps == NULL || driver->buffers == NULL)
        return peer_fail("no memory for %llu pages", (unsigned long long)driver->pages);
    memset(driver->buffers, 0, PEER_BATCH * TM_PAGE_BYTES);
    return true;
}

int peer_main(int count, char **arguments, const struct peer_kind *kind)
{
    struct options options;
    static struct driver driver;
    if (!parse(count, arguments, kind, &options))
        return TM_EXIT_USAGE;
    driver = (struct driver){.kind = kind,
                             .pages = options.pages,
                             .cold_pages = options.cold_pages,
                             .source = options.source};
    int status = TM_EXIT_FAILED;
    if (prepare(&driver, &options) && kind->open(options.at, driver.pages, &driver.state)) {
        status = run_commands(&driver);
        kind->close(driver.state);
    }
    bench_limits_free(&driver.limits);
    bench_corpus_free(&driver.corpus);
    bench_memory_free((unsigned char *)driver.stamps, driver.pages * sizeof *driver.stamps);
    free(driver.buffers);
    return status;
}
