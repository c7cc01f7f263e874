/* SPDX-License-Identifier: BSD-2-Clause */
/* policy.c - see policy.h: the command line, and what is done in which order. */
#include "policy.h"

#include "report.h"
#include "trace_file.h"
#include "workloads.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char policy_help[] =
    "usage: tmem bench policy [OPTION]...\n"
    "\n"
    "Which pages should stay when the store is full? Records which pages of files real programs read (a\n"
    "compile, searches, a database), replays that over several orders of eviction, over the store itself\n"
    "and over the unreachable best, and prints hit ratios. Takes some minutes.\n"
    "\n"
    "  --tree DIR         folder that is searched (default: /usr/include)\n"
    "  --compile COMMAND  what is recorded as the compile (default: cc on C files made for it)\n"
    "  --sizes LIST       sizes of the store in percent of the pages read (default: 10,25,50,75,90)\n"
    "  --cache PERCENT    of all memory, for the kernel's cache in front of the store (default: 25)\n"
    "  --turns            replay the programs one after the other, too\n"
    "  --quick            smaller traces, two sizes\n"
    "  --save FILE        keep what was recorded\n"
    "  --load FILE        replay what --save kept, and record nothing\n"
    "  --picture FILE     draw the result (SVG)\n"
    "  --json             one JSON object a line instead of tables\n"
    "  --help             this text\n"
    "\n"
    "exit status: 0 replayed, 1 failed, 2 usage, 3 no such file or no tracing here, 4 permission denied\n";

#define LOOP_CAPACITY 32768u
#define LOOP_CAPACITY_QUICK 4096u
#define LOOP_ROUNDS 16u
#define SCAN_TIMES 4u
#define FRONT_PERCENT 25u
#define DEFAULT_TREE "/usr/include"

struct options {
    struct policy_recording recording;
    struct policy_plan plan;
    const char *save;
    const char *load;
    const char *picture;
    bool turns;
    bool json;
    bool help;
};

static enum tm_exit usage(const char *problem, const char *what)
{
    return tm_fail(TM_EXIT_USAGE, "bench policy: %s%s (try: tmem bench policy --help)", problem, what);
}

/* ---- options ---- */

/* A whole number of at least 1 at the start of the text; *end: what follows. */
static bool parse_number(const char *text, unsigned most, unsigned *number, const char **end)
{
    char *behind;
    unsigned long value = strtoul(text, &behind, 10);
    *end = behind;
    *number = (unsigned)value;
    return text[0] >= '0' && text[0] <= '9' && value >= 1 && value <= most;
}

/* Percents in ascending order, with commas between. */
static bool parse_sizes(const char *text, struct policy_plan *plan)
{
    const char *end;
    plan->sizes = 0;
    for (;; text = end + 1) {
        unsigned percent;
        if (plan->sizes == POLICY_SIZES_MAX || !parse_number(text, 100, &percent, &end) ||
            (plan->sizes > 0 && percent <= plan->percent[plan->sizes - 1u]))
            return false;
        plan->percent[plan->sizes++] = percent;
        if (*end != ',')
            return *end == '\0';
    }
}

static bool parse_front(const char *text, struct policy_plan *plan)
{
    const char *end;
    return parse_number(text, 90, &plan->front_percent, &end) && *end == '\0';
}

static enum tm_exit take_option(int letter, struct options *options, const char *given)
{
    switch (letter) {
    case 't':
        options->recording.tree = optarg;
        return TM_EXIT_OK;
    case 'c':
        options->recording.compile = optarg;
        return TM_EXIT_OK;
    case 's':
        return parse_sizes(optarg, &options->plan)
                   ? TM_EXIT_OK
                   : usage("no list of ascending percents from 1 to 100, such as 10,50: ", optarg);
    case 'f':
        return parse_front(optarg, &options->plan) ? TM_EXIT_OK : usage("no percentage from 1 to 90: ", optarg);
    case 'T':
        options->turns = true;
        return TM_EXIT_OK;
    case 'q':
        options->recording.quick = true;
        return TM_EXIT_OK;
    case 'S':
        options->save = optarg;
        return TM_EXIT_OK;
    case 'L':
        options->load = optarg;
        return TM_EXIT_OK;
    case 'p':
        options->picture = optarg;
        return TM_EXIT_OK;
    case 'j':
        options->json = true;
        return TM_EXIT_OK;
    case 'h':
        options->help = true;
        return TM_EXIT_OK;
    default:
        return usage("unknown option, or its value is missing: ", given);
    }
}

static enum tm_exit parse(int count, char **arguments, struct options *options)
{
    static const struct option known[] = {{"tree", required_argument, NULL, 't'},
                                          {"compile", required_argument, NULL, 'c'},
                                          {"sizes", required_argument, NULL, 's'},
                                          {"cache", required_argument, NULL, 'f'},
                                          {"turns", no_argument, NULL, 'T'},
                                          {"quick", no_argument, NULL, 'q'},
                                          {"save", required_argument, NULL, 'S'},
                                          {"load", required_argument, NULL, 'L'},
                                          {"picture", required_argument, NULL, 'p'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    enum tm_exit code = TM_EXIT_OK;
    *options = (struct options){.recording = {.tree = DEFAULT_TREE},
                                .plan = {.front_percent = FRONT_PERCENT, .scan_times = SCAN_TIMES}};
    opterr = 0;
    optind = 1;
    int letter;
    while (code == TM_EXIT_OK && (letter = getopt_long(count, arguments, "h", known, NULL)) != -1)
        code = take_option(letter, options, arguments[optind - 1]);
    if (code != TM_EXIT_OK || options->help)
        return code;
    if (optind < count)
        return usage("not understood: ", arguments[optind]);
    if (options->load != NULL && options->save != NULL)
        return usage("--save keeps what is recorded, --load records nothing: choose one", "");
    bool quick = options->recording.quick;
    if (options->plan.sizes == 0)
        (void)parse_sizes(quick ? "50,80" : "10,25,50,75,90", &options->plan);
    options->plan.loop_capacity = quick ? LOOP_CAPACITY_QUICK : LOOP_CAPACITY;
    options->plan.loop_rounds = LOOP_ROUNDS;
    return TM_EXIT_OK;
}

/* ---- what is done ---- */

static void progress(const char *what)
{
    if (isatty(STDERR_FILENO) == 1)
        (void)fprintf(stderr, "\r\033[K%s", what);
}

static void progress_end(void)
{
    if (isatty(STDERR_FILENO) == 1)
        (void)fputs("\r\033[K", stderr);
}

/* Finds out now what would otherwise fail after minutes. */
static enum tm_exit check_paths(struct options *options, char tree[static PATH_MAX])
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct stat status;
    if (options->load != NULL)
        return TM_EXIT_OK;
    if (realpath(options->recording.tree, tree) == NULL || stat(tree, &status) != 0)
        return tm_fail(tm_exit_of_error(errno), "cannot search %s: %s (try: --tree DIR)", options->recording.tree,
                       tm_error_text(errno, cause));
    if (!S_ISDIR(status.st_mode))
        return tm_fail(TM_EXIT_FAILED, "cannot search %s: it is no folder (try: --tree DIR)", options->recording.tree);
    options->recording.tree = tree;
    return TM_EXIT_OK;
}

static enum tm_exit obtain(const struct options *options, struct policy_trace *traces)
{
    enum tm_exit code = options->load != NULL ? policy_traces_load(options->load, traces)
                                              : policy_workloads_record(&options->recording, traces, progress);
    progress_end();
    if (code == TM_EXIT_OK && options->save != NULL)
        code = policy_traces_save(options->save, traces);
    if (code == TM_EXIT_OK && options->turns)
        code = policy_workloads_turns(traces);
    return code;
}

static enum tm_exit run(const struct options *options, struct policy_trace *traces, struct policy_cells *cells)
{
    enum tm_exit code = obtain(options, traces);
    if (code == TM_EXIT_OK)
        code = policy_report_traces(traces, POLICY_TRACES, options->json);
    if (code == TM_EXIT_OK)
        code = policy_cells_run(cells, &options->plan, traces, POLICY_TRACES, progress);
    progress_end();
    if (code == TM_EXIT_OK)
        code = policy_report_cells(cells, &options->plan, options->json);
    if (code == TM_EXIT_OK && options->picture != NULL)
        code = policy_picture(cells, options->picture);
    return code;
}

enum tm_exit policy_main(int count, char **arguments)
{
    static struct policy_cells cells;
    struct policy_trace traces[POLICY_TRACES] = {{0}};
    struct options options;
    char tree[PATH_MAX];
    enum tm_exit code = parse(count, arguments, &options);
    if (code != TM_EXIT_OK)
        return code;
    if (options.help)
        return tm_print_stdout(policy_help);
    code = check_paths(&options, tree);
    if (code == TM_EXIT_OK)
        code = run(&options, traces, &cells);
    for (unsigned i = 0; i < POLICY_TRACES; i++)
        policy_trace_free(&traces[i]);
    return code;
}
