/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults_main.c - the fault sweep: for each service that can fail, call after call of a script is made to fail, the
 * first, the second and so on, alone and with all that follow, until a run meets no failure any more.
 *
 * Proves that no failed allocation, span, segment, record, table entry or codec breaks a law, an invariant or the
 * books, that what could not be done has changed nothing, and that nothing leaks. The script runs in three engines:
 * on an arena that outlives it, so that rebuilding fails, too; with work done ahead; and on memory that is lost. In
 * the first every call fails in its turn; in the others, every eighth, or with --every all.
 *
 * A failure prints the command line that does it again.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"

static const struct faults_setup setups[] = {
    {"kept", true, true, false, false, 1},
    {"ahead", true, true, true, true, 8},
    {"lost", false, false, false, false, 8},
};

/* Sanitizers make it ten times slower: they look at a part of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARSE 16u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPARSE 16u
#endif
#endif
#ifndef SPARSE
#define SPARSE 1u
#endif

/* From one call on nothing can be had any more: as on a machine that is out of memory. */
#define MEMORY_FAULTS                                                                              \
    (TM_FAULT_BIT(TM_FAULT_ALLOC) | TM_FAULT_BIT(TM_FAULT_SPAN) | TM_FAULT_BIT(TM_FAULT_SEGMENT) | \
     TM_FAULT_BIT(TM_FAULT_RECORD) | TM_FAULT_BIT(TM_FAULT_TABLE))
#define MEMORY_STRIDE 10u

static char replay[256]; /* the run under way */

static int usage(FILE *to)
{
    fprintf(to, "usage: faults [--seed N] [--setup NAME] [--every | --only FAULT:K[+]] [--verbose]\n"
                "  --setup kept|ahead|lost   one of the engines\n"
                "  --every                   every call in every engine (without: every eighth in two of them)\n"
                "  --only alloc:17           the 17th allocation alone\n"
                "  --only span:3+            the third span and all after it\n"
                "  FAULT: memory (any of alloc ... table)");
    for (unsigned fault = 0; fault < TM_FAULTS; fault++)
        fprintf(to, ", %s", tm_test_fault_name((enum tm_test_fault)fault));
    fprintf(to, "\n  TMEM_TEST_SEED sets the seed, too.\n");
    return to == stdout ? 0 : 2;
}

/* A broken invariant ends the process: this says how to see it again. */
static void on_abort(int number)
{
    static const char intro[] = "faults: ended by a signal in\n  ";
    ssize_t written = write(STDERR_FILENO, intro, sizeof intro - 1u);
    written += write(STDERR_FILENO, replay, strlen(replay));
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    raise(number); /* the handler is gone: SA_RESETHAND */
}

static uint64_t parse(const char *text, char **end)
{
    errno = 0;
    uint64_t value = strtoull(text, end, 10);
    if (*end == text || *text == '-' || errno != 0) {
        fprintf(stderr, "faults: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

struct sweep {
    const char *program;
    uint64_t seed;
    const char *setup; /* NULL: all */
    bool is_verbose;
    bool is_complete;
    uint64_t runs, injected;
};

static const char *name_of_mask(uint32_t mask)
{
    for (unsigned fault = 0; fault < TM_FAULTS; fault++)
        if (mask == TM_FAULT_BIT(fault))
            return tm_test_fault_name((enum tm_test_fault)fault);
    return "memory";
}

/* One run of the script. True: something failed. */
static bool run(struct sweep *sweep, const struct faults_setup *setup, const struct tm_test_plan *plan)
{
    static struct tm_test_host counts;
    snprintf(replay, sizeof replay, "%s --seed %llu --setup %s --only %s:%llu%s", sweep->program,
             (unsigned long long)sweep->seed, setup->name, name_of_mask(plan->mask), (unsigned long long)plan->at,
             plan->for_ever ? "+" : "");
    if (sweep->is_verbose)
        printf("%s\n", replay);
    faults_script(setup, plan, sweep->seed, replay, &counts);
    sweep->runs++;
    sweep->injected += counts.failed;
    if (sweep->is_verbose)
        printf("  %llu of %llu calls failed\n", (unsigned long long)counts.failed,
               (unsigned long long)counts.plan_calls);
    return counts.failed != 0;
}

/* Fails call after call, or every so many, until a run does not come that far. Answers how many runs met failures. */
static uint64_t run_all(struct sweep *sweep, const struct faults_setup *setup, uint32_t mask, bool for_ever)
{
    uint64_t runs = 0;
    uint64_t most = mask == MEMORY_FAULTS ? MEMORY_STRIDE : 1u; /* of what has failed one by one already */
    uint64_t stride = sweep->is_complete ? 1 : setup->stride * SPARSE * most;
    struct tm_test_plan plan = {.mask = mask, .for_ever = for_ever, .at = 1u + sweep->seed % stride};
    for (; run(sweep, setup, &plan); plan.at += stride)
        runs++;
    return runs;
}

static void run_both(struct sweep *sweep, const struct faults_setup *setup, uint32_t mask)
{
    uint64_t before = sweep->injected;
    uint64_t alone = mask == MEMORY_FAULTS ? 0 : run_all(sweep, setup, mask, false);
    uint64_t later = run_all(sweep, setup, mask, true);
    printf("%-6s %-8s %5llu calls failed alone, %5llu with all after them: %llu failures\n", setup->name,
           name_of_mask(mask), (unsigned long long)alone, (unsigned long long)later,
           (unsigned long long)(sweep->injected - before));
}

static void run_setup(struct sweep *sweep, const struct faults_setup *setup)
{
    for (unsigned fault = 0; fault < TM_FAULTS; fault++)
        run_both(sweep, setup, TM_FAULT_BIT(fault));
    run_both(sweep, setup, MEMORY_FAULTS);
}

static int run_only(struct sweep *sweep, const char *only)
{
    struct tm_test_plan plan = {0};
    const char *colon = strchr(only, ':');
    char *end;
    if (colon == NULL)
        return usage(stderr);
    size_t length = (size_t)(colon - only);
    for (unsigned fault = 0; fault < TM_FAULTS; fault++) {
        const char *name = tm_test_fault_name((enum tm_test_fault)fault);
        if (strlen(name) == length && strncmp(name, only, length) == 0)
            plan.mask = TM_FAULT_BIT(fault);
    }
    if (length == 6 && strncmp("memory", only, length) == 0)
        plan.mask = MEMORY_FAULTS;
    plan.at = parse(colon + 1, &end);
    plan.for_ever = *end == '+';
    if (plan.mask == 0 || end[plan.for_ever] != 0)
        return usage(stderr);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(setups); i++)
        if (sweep->setup == NULL || strcmp(sweep->setup, setups[i].name) == 0)
            run(sweep, &setups[i], &plan);
    return 0;
}

static int run_sweep(struct sweep *sweep)
{
    bool is_known = false;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(setups); i++) {
        if (sweep->setup != NULL && strcmp(sweep->setup, setups[i].name) != 0)
            continue;
        is_known = true;
        run_setup(sweep, &setups[i]);
    }
    if (!is_known)
        return usage(stderr);
    printf("faults: %llu failures injected in %llu runs; all laws, invariants and books held, nothing leaked\n",
           (unsigned long long)sweep->injected, (unsigned long long)sweep->runs);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"setup", required_argument, NULL, 'e'},
        {"only", required_argument, NULL, 'o'},
        {"verbose", no_argument, NULL, 'v'},
        {"every", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct sigaction action = {.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND};
    const char *only = NULL;
    const char *from_environment = getenv("TMEM_TEST_SEED");
    struct sweep sweep = {.program = argv[0], .seed = 1};
    char *end;
    if (from_environment != NULL && *from_environment != 0)
        sweep.seed = parse(from_environment, &end);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            sweep.seed = parse(optarg, &end);
            break;
        case 'e':
            sweep.setup = optarg;
            break;
        case 'o':
            only = optarg;
            break;
        case 'a':
            sweep.is_complete = true;
            break;
        case 'v':
            sweep.is_verbose = true;
            break;
        default:
            return usage(option == 'h' ? stdout : stderr);
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    printf("faults: seed %llu\n", (unsigned long long)sweep.seed);
    return only != NULL ? run_only(&sweep, only) : run_sweep(&sweep);
}
