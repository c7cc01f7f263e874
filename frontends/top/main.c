/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - `tmem top`: a daemon at work. What there is, and what happened since the last look.
 *
 * Purpose     sample.c asks the daemon over its control socket, table.c makes lines of two samples, screen.c shows
 *             them.
 * Invariants  Nothing is shown that the daemon did not say; rates are of the time between two answers.
 * Who locks   nobody: one thread.
 * Cost        Two questions for each look.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "screen.h"

static const char help[] =
    "usage: tmem top [OPTIONS]\n"
    "\n"
    "Shows a daemon at work: each client with its pages, what it is charged, how well that compresses,\n"
    "hits, rates, how long requests take in the daemon, and for whom it lost most pages.\n"
    "\n"
    "  --once              print one table, of one interval, and end\n"
    "  --json              the same as an object of JSON\n"
    "  --interval SECONDS  time between two looks, 0.1 to 3600 (default 1)\n"
    "  --pools             pools as well\n"
    "  --order ORDER       charge (default), gets or name; of --once\n"
    "  --socket PATH       the daemon's control socket\n"
    "  --help              this text\n"
    "\n"
    "Keys: q quit, p pools, s next order, arrows and page keys move.\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 4 denied, 5 no daemon.\n";

struct options {
    struct top_source source;
    double interval_seconds;
    enum top_order order;
    bool once;
    bool json;
    bool with_pools;
};

enum chosen {
    OPTION_ONCE = 256,
    OPTION_JSON,
    OPTION_INTERVAL,
    OPTION_POOLS,
    OPTION_ORDER,
    OPTION_SOCKET,
    OPTION_HELP,
};

static const struct option known[] = {
    {"once", no_argument, NULL, OPTION_ONCE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"pools", no_argument, NULL, OPTION_POOLS},
    {"order", required_argument, NULL, OPTION_ORDER},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool set_interval(struct options *options, const char *text)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(seconds >= 0.1) || !(seconds <= 3600.0))
        return false;
    options->interval_seconds = seconds;
    return true;
}

static bool set_order(struct options *options, const char *text)
{
    for (unsigned order = 0; order < TOP_ORDERS; order++)
        if (strcmp(text, top_order_name((enum top_order)order)) == 0) {
            options->order = (enum top_order)order;
            return true;
        }
    return false;
}

/* True: go on. Else *code is the answer. */
static bool read_options(int count, char **arguments, struct options *options, enum tm_exit *code)
{
    int answer;
    *code = TM_EXIT_USAGE;
    while ((answer = getopt_long(count, arguments, ":", known, NULL)) != -1) {
        switch (answer) {
        case OPTION_ONCE:
            options->once = true;
            break;
        case OPTION_JSON:
            options->once = options->json = true;
            break;
        case OPTION_POOLS:
            options->with_pools = true;
            break;
        case OPTION_SOCKET:
            options->source.path = optarg;
            break;
        case OPTION_INTERVAL:
            if (set_interval(options, optarg))
                break;
            tm_message("top: --interval %s: expected 0.1 to 3600 seconds (try: tmem top --help)", optarg);
            return false;
        case OPTION_ORDER:
            if (set_order(options, optarg))
                break;
            tm_message("top: --order %s: expected charge, gets or name (try: tmem top --help)", optarg);
            return false;
        case OPTION_HELP:
            *code = tm_print_stdout(help);
            return false;
        case ':':
            tm_message("top: %s needs a value (try: tmem top --help)", arguments[optind - 1]);
            return false;
        default:
            tm_message("top: unknown option '%s' (try: tmem top --help)", arguments[optind - 1]);
            return false;
        }
    }
    if (optind == count)
        return true;
    tm_message("top: unexpected argument '%s' (try: tmem top --help)", arguments[optind]);
    return false;
}

static void pause_for(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static enum tm_exit print_table(const struct top_sample *before, const struct top_sample *now,
                                const struct options *options)
{
    struct top_table table = {.lines = NULL};
    bool is_whole = top_table_make(&table, before, now, options->order, options->with_pools);
    for (size_t i = 0; i < table.count; i++)
        (void)printf("%s\n", table.lines[i]);
    top_table_free(&table);
    if (!is_whole)
        return tm_fail(TM_EXIT_FAILED, "top: no memory");
    return tm_print_stdout(""); /* which says what became of the rest */
}

static enum tm_exit print_json(const struct top_sample *before, const struct top_sample *now,
                               const struct options *options)
{
    char *text = top_report(before, now, options->with_pools);
    if (text == NULL)
        return tm_fail(TM_EXIT_FAILED, "top: no memory");
    (void)puts(text);
    free(text);
    return tm_print_stdout("");
}

static enum tm_exit once(struct options *options)
{
    struct top_sample before;
    struct top_sample now;
    char problem[512];
    enum tm_exit code = top_sample_take(&options->source, &before, problem, sizeof problem);
    if (code != TM_EXIT_OK)
        return tm_fail(code, "top: %s", problem);
    pause_for(options->interval_seconds);
    code = top_sample_take(&options->source, &now, problem, sizeof problem);
    if (code != TM_EXIT_OK)
        code = tm_fail(code, "top: %s", problem);
    else
        code = options->json ? print_json(&before, &now, options) : print_table(&before, &now, options);
    top_sample_free(&before);
    top_sample_free(&now);
    return code;
}

int main(int count, char **arguments)
{
    struct options options = {.interval_seconds = 1.0};
    enum tm_exit code;
    if (!read_options(count, arguments, &options, &code))
        return code;
    if (!options.once && (isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1))
        return tm_fail(TM_EXIT_FAILED, "top: standard input and output are no terminal (try: tmem top --once)");
    code = options.once ? once(&options)
                        : top_screen_run(&options.source, (unsigned)(options.interval_seconds * 1000.0),
                                         options.with_pools);
    top_source_close(&options.source);
    return code;
}
