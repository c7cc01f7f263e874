/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - `tmem bench`: which benchmark; of `engine` the command line and the rounds.
 */
#include "policy/policy.h"
#include "report.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PAGES 65536u
#define PAGES_MIN 1024u
#define PAGES_MAX (UINT64_C(1) << 26)

/* Rounds that are run at most to have enough that count. */
#define ROUNDS_MAX 12u

static const char help[] =
    "usage: tmem bench engine [--corpus FILE] [--pages N] [--only PART] [--rounds N] [--json]\n"
    "       tmem bench policy [OPTION]...   (see: tmem bench policy --help)\n"
    "\n"
    "engine measures every operation of the store, each beside the limit that this machine sets in the same\n"
    "run: copies of memory, the bare compression libraries. Takes one to two minutes.\n"
    "\n"
    "  --corpus FILE  pages of 4096 bytes to measure with, such as tools/corpus makes (default: text\n"
    "                 and shared libraries of this machine)\n"
    "  --pages N      pages in each store, 1024 or more (default: 65536)\n"
    "  --only PART    blocks (puts, gets, invalidations), full, give-back, memory-file, deferred,\n"
    "                 index, space or cold\n"
    "  --rounds N     so many rounds, 1 to 12 (default: 7, and more for cases with void ones)\n"
    "  --json         one JSON object a line instead of the table\n"
    "  --help         this text\n"
    "\n"
    "A round in which the machine's own copy was off by a fifth is void; a case all of whose rounds\n"
    "are void is skipped. Costs are CPU time of the thread.\n"
    "\n"
    "exit status: 0 measured, 1 failed, 2 usage, 3 no such file, 4 permission denied\n";

struct options {
    const char *corpus;
    uint64_t pages;
    const char *only; /* NULL: all parts */
    unsigned rounds;  /* 0: as many as are needed */
    bool json;
    bool help;
};

static enum tm_exit usage(const char *problem, const char *what)
{
    return tm_fail(TM_EXIT_USAGE, "bench: %s%s (try: tmem bench --help)", problem, what);
}

/* The parts of a run; what takes no time is measured once. */
static const struct part {
    const char *name;
    enum tm_exit (*run)(struct bench *bench);
    bool is_timed;
} parts[] = {
    {"blocks", bench_blocks_run, true},
    {"full", bench_full_run, true},
    {"give-back", bench_give_back_run, true},
    {"memory-file", bench_memory_file_run, true},
    {"deferred", bench_deferred_run, true},
    {"index", bench_index_run, true},
    {"space", bench_space_run, false},
    {"cold", bench_cold_run, false},
};

static bool is_part(const char *name)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(parts); i++)
        if (strcmp(parts[i].name, name) == 0)
            return true;
    return false;
}

/* Rounded down, so that both halves of the pages are whole objects. */
static bool parse_pages(const char *text, uint64_t *pages)
{
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < PAGES_MIN || number > PAGES_MAX)
        return false;
    *pages = number / (2 * BENCH_OBJECT_PAGES) * (2 * BENCH_OBJECT_PAGES);
    return true;
}

static bool parse_rounds(const char *text, unsigned *rounds)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 || number > ROUNDS_MAX)
        return false;
    *rounds = (unsigned)number;
    return true;
}

static enum tm_exit parse(int count, char **arguments, struct options *options)
{
    static const struct option known[] = {{"corpus", required_argument, NULL, 'c'},
                                          {"pages", required_argument, NULL, 'p'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){.pages = DEFAULT_PAGES};
    opterr = 0;
    for (int letter = getopt_long(count, arguments, "h", known, NULL); letter != -1;
         letter = getopt_long(count, arguments, "h", known, NULL)) {
        if (letter == 'c')
            options->corpus = optarg;
        else if (letter == 'j')
            options->json = true;
        else if (letter == 'h')
            options->help = true;
        else if (letter == 'o' && is_part(optarg))
            options->only = optarg;
        else if (letter == 'o')
            return usage("no such part (see --help): ", optarg);
        else if (letter == 'r' && !parse_rounds(optarg, &options->rounds))
            return usage("not a number of rounds from 1 to 12: ", optarg);
        else if (letter != 'p' && letter != 'r')
            return usage("unknown option, or its value is missing: ", arguments[optind - 1]);
        else if (letter == 'p' && !parse_pages(optarg, &options->pages))
            return usage("not a number of pages from 1024 on: ", optarg);
    }
    if (options->help)
        return TM_EXIT_OK;
    if (optind == count)
        return usage("what to measure is missing: engine or policy", "");
    if (strcmp(arguments[optind], "engine") != 0 || optind + 1 < count)
        return usage("not understood: ", arguments[strcmp(arguments[optind], "engine") == 0 ? optind + 1 : optind]);
    return TM_EXIT_OK;
}

/* Runs the parts that are timed, or the others; of all, or only that one. */
static enum tm_exit run_parts(struct bench *bench, const char *only, bool timed)
{
    enum tm_exit code = TM_EXIT_OK;
    for (size_t i = 0; i < TM_ARRAY_SIZE(parts) && code == TM_EXIT_OK; i++)
        if (parts[i].is_timed == timed && (only == NULL || strcmp(only, parts[i].name) == 0))
            code = parts[i].run(bench);
    return code;
}

static enum tm_exit run_round(struct bench *bench, const char *only)
{
    enum tm_exit code = bench_probe(bench);
    if (code == TM_EXIT_OK)
        code = run_parts(bench, only, true);
    bench->round++;
    return code;
}

/* So many rounds; 0: until every row has enough that count, or there have been too many. */
static enum tm_exit run_rounds(struct bench *bench, const char *only, unsigned rounds)
{
    enum tm_exit code = TM_EXIT_OK;
    bool enough = false;
    while (code == TM_EXIT_OK && bench->round < (rounds != 0 ? rounds : ROUNDS_MAX) && !enough) {
        code = run_round(bench, only);
        enough = rounds == 0 && bench->round >= BENCH_ROUNDS && bench_rows_judge(&bench->rows);
    }
    if (code == TM_EXIT_OK)
        code = run_parts(bench, only, false);
    (void)bench_rows_judge(&bench->rows);
    bench_progress_end(bench);
    return code;
}

/* `tmem bench engine`. */
static enum tm_exit engine(int count, char **arguments)
{
    struct options options;
    static struct bench bench;
    enum tm_exit code = parse(count, arguments, &options);
    if (code != TM_EXIT_OK)
        return code;
    if (options.help)
        return tm_print_stdout(help);
    code = bench_create(&bench, options.corpus, options.pages);
    if (code == TM_EXIT_OK && !options.json)
        code = bench_report_settings(&bench, options.corpus);
    if (code == TM_EXIT_OK)
        code = run_rounds(&bench, options.only, options.rounds);
    if (code == TM_EXIT_OK)
        code = options.json ? bench_report_json(&bench) : bench_report_table(&bench);
    bench_destroy(&bench);
    return code;
}

int main(int count, char **arguments)
{
    bool is_policy = count > 1 && strcmp(arguments[1], "policy") == 0;
    return (int)(is_policy ? policy_main(count - 1, arguments + 1) : engine(count, arguments));
}
