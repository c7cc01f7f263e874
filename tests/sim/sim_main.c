/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim_main.c - the simulator: operations of several clients as coroutines, switched by seed at every lock, atomic
 * operation and call of the host, on an engine that is short of everything.
 *
 * Proves for each run: the history of every page can be explained by the laws; charges and resident bytes keep
 * their limits at every switch; nobody waits for ever; locks are taken in order; after a crash at any step, what was
 * acknowledged is there, and what was acknowledged as gone is not; the books of engine and store balance; nothing
 * leaks.
 *
 * A run that fails is made small and printed as a command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/trial.h"
#include "sim/world.h"

#define CASES_AT_ONCE 100u
#define OPERATIONS_PER_CASE 5000u /* of TMEM_TEST_OPERATIONS, which counts cheaper ones */
#define DEFAULT_CASES 2000u
#define LONG_CASES 40000u
#define ENOUGH_CASES 1000u /* to have met everything; fewer only where --schedules says so */

struct arguments {
    uint64_t seed, cases;
    bool is_one;
    struct sim_case one;
    unsigned shrink_seconds;
};

static int usage(FILE *to)
{
    fprintf(to,
            "usage: sim [--seed N] [--schedules N] [--long] [--shrink-seconds N]\n"
            "       sim --case N [--schedule N] [--operations N] [--only LIST] [--switches LIST] [--crash STEP]\n"
            "  --schedules N    how many cases of the seed are run\n"
            "  --only 3,17-25   of a case, do these operations and no others\n"
            "  --switches 9:1   at step 9 go on with coroutine 1, and so on; otherwise whoever runs goes on\n"
            "  --crash STEP     stop everything at this step; 0: never\n"
            "  Environment: TMEM_TEST_SEED, TMEM_TEST_OPERATIONS (%u of them are one case, but %u cases at least).\n",
            OPERATIONS_PER_CASE, ENOUGH_CASES);
    return to == stdout ? 0 : 2;
}

static uint64_t parse(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != 0 || *text == '-' || errno != 0) {
        fprintf(stderr, "sim: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == 0 ? otherwise : parse(text);
}

bool sim_met_all(const struct sim_met *needed, size_t count)
{
    bool is_all = true;
    for (size_t i = 0; i < count; i++) {
        printf("%s%llu %s", i == 0 ? "sim: " : ", ", (unsigned long long)needed[i].count, needed[i].what);
        is_all = is_all && needed[i].count != 0;
    }
    printf("\n");
    return is_all;
}

static int run_cases(struct trial *trial, const struct arguments *arguments)
{
    for (uint64_t done = 0; done < arguments->cases; done += CASES_AT_ONCE) {
        uint64_t now = tm_min_u64(arguments->cases - done, CASES_AT_ONCE);
        if (trial_cases(trial, arguments->seed, done, now, false))
            continue;
        struct sim_case failing = {.seed = trial->report->seed,
                                   .schedule = trial->report->schedule,
                                   .crash_at = SIM_DRAW_CRASH};
        fprintf(stderr, "sim: seed %llu failed; making it small, for about %u s (--shrink-seconds)\n",
                (unsigned long long)arguments->seed, arguments->shrink_seconds);
        trial_shrink(trial, &failing, arguments->shrink_seconds);
        return 1;
    }
    const struct sim_totals *totals = trial->totals;
    printf("sim: %llu schedules, %llu operations, %llu steps, %llu switches\n", (unsigned long long)totals->runs,
           (unsigned long long)totals->operations, (unsigned long long)totals->steps,
           (unsigned long long)totals->switches);
    bool is_all = sim_has_met_everything(totals);
    if (!is_all && arguments->cases >= ENOUGH_CASES) {
        fprintf(stderr, "sim: so many cases must meet all of these\n");
        return 1;
    }
    return 0;
}

static int run_one(struct trial *trial, const struct arguments *arguments)
{
    if (trial_one(trial, &arguments->one, false)) {
        printf("sim: %u steps, %u switches\n", trial->report->steps, trial->report->switch_count);
        (void)sim_has_met_everything(trial->totals);
        return 0;
    }
    trial_shrink(trial, &arguments->one, arguments->shrink_seconds);
    return 1;
}

/* False: not one of the options that choose or change a single case. */
static bool parse_case_option(int option, const char *value, struct sim_case *one)
{
    static const struct sim_switch no_switch;
    switch (option) {
    case 'S':
        one->schedule = parse(value);
        return true;
    case 'p':
        one->operations = (unsigned)parse(value);
        return true;
    case 'o':
        one->only = trial_parse_list(value, &one->only_count);
        return one->only != NULL;
    case 'w':
        one->switches = *value == 0 ? &no_switch : trial_parse_switches(value, &one->switch_count);
        return one->switches != NULL;
    case 'x':
        one->crash_at = (uint32_t)parse(value);
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"schedules", required_argument, NULL, 'n'},
        {"long", no_argument, NULL, 'l'},
        {"shrink-seconds", required_argument, NULL, 't'},
        {"case", required_argument, NULL, 'c'},
        {"schedule", required_argument, NULL, 'S'},
        {"operations", required_argument, NULL, 'p'},
        {"only", required_argument, NULL, 'o'},
        {"switches", required_argument, NULL, 'w'},
        {"crash", required_argument, NULL, 'x'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {.shrink_seconds = 60, .one = {.crash_at = SIM_DRAW_CRASH}};
    struct trial trial;
    arguments.seed = from_environment("TMEM_TEST_SEED", (uint64_t)time(NULL));
    arguments.cases = from_environment("TMEM_TEST_OPERATIONS", DEFAULT_CASES * OPERATIONS_PER_CASE);
    arguments.cases = tm_max_u64(arguments.cases / OPERATIONS_PER_CASE, ENOUGH_CASES);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            arguments.seed = parse(optarg);
            break;
        case 'n':
            arguments.cases = parse(optarg);
            break;
        case 'l':
            arguments.cases = LONG_CASES;
            break;
        case 't':
            arguments.shrink_seconds = (unsigned)parse(optarg);
            break;
        case 'c':
            arguments.is_one = true;
            arguments.one.seed = arguments.one.schedule = parse(optarg);
            break;
        default:
            if (!parse_case_option(option, optarg, &arguments.one))
                return usage(option == 'h' ? stdout : stderr);
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    trial_init(&trial, argv[0], sim_case_run);
    if (arguments.is_one)
        return run_one(&trial, &arguments);
    printf("sim: seed %llu, %llu schedules\n", (unsigned long long)arguments.seed, (unsigned long long)arguments.cases);
    return run_cases(&trial, &arguments);
}
