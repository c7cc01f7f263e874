/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cells.h - what is replayed, and what came out: a cell for each trace, way to the store and size, with the hits
 * of each order; classes of cells; and the judgement.
 */
#ifndef TM_BENCH_POLICY_CELLS_H
#define TM_BENCH_POLICY_CELLS_H

#include "command/command.h"
#include "trace.h"

enum policy_contestant {
    POLICY_LRU,
    POLICY_CLOCK,
    POLICY_SIEVE,
    POLICY_S3_FIFO,
    POLICY_ARC,
    POLICY_LIRS,
    POLICY_IN_USE,
    POLICY_BEST, /* which nobody can reach */
    POLICY_CONTESTANTS
};

/* The order in use must have this share of the hits of the best of the others. */
#define POLICY_BOUND 0.98

#define POLICY_SIZES_MAX 16u
#define POLICY_CELLS_MAX 512u
#define POLICY_CLASSES_MAX 16u

/* What is tried. */
struct policy_plan {
    unsigned percent[POLICY_SIZES_MAX]; /* sizes of the store, of the trace's pages */
    unsigned sizes;
    unsigned front_percent; /* what the kernel's cache has of all memory, in the streams behind it */
    unsigned scan_times;    /* length of the scan, in stores */
    uint32_t loop_capacity; /* pages that the store holds in the loops */
    unsigned loop_rounds;
};

struct policy_cell {
    unsigned class;
    bool has_scan;
    unsigned percent;  /* of the trace's pages that the store holds; of a loop: the loop's length, of the store's */
    uint32_t capacity; /* pages in the store */
    uint32_t pages;    /* distinct ones that are asked for */
    uint64_t accesses; /* that are counted */
    uint64_t hits[POLICY_CONTESTANTS];
};

/* Cells that say something of the same thing: one trace on one way to the store. */
struct policy_class {
    const char *trace;
    bool is_behind; /* the kernel's cache */
    unsigned cells;
    double ratio[POLICY_CONTESTANTS]; /* mean hit ratio of the cells */
    enum policy_contestant rival;     /* the best of those that could be in use instead */
    bool holds;
};

struct policy_cells {
    struct policy_cell cell[POLICY_CELLS_MAX];
    unsigned count;
    struct policy_class class[POLICY_CLASSES_MAX];
    unsigned classes;
    struct policy_class average; /* of the classes */
    unsigned loops_without_hits;
};

extern const char *const policy_loop_name;

/* policy_contestant_name - for people; policy_contestant_member - in JSON. */
const char *policy_contestant_name(enum policy_contestant who);
const char *policy_contestant_member(enum policy_contestant who);

/* policy_hit_ratio - of one order in a cell. */
double policy_hit_ratio(const struct policy_cell *cell, enum policy_contestant who);

/*
 * policy_cells_run - replays the traces, and the loops, and judges.
 *
 * @traces    @count of them; empty ones are left out.
 * @progress  is told what is being replayed.
 *
 * TM_EXIT_OK, or a code after a message.
 */
enum tm_exit policy_cells_run(struct policy_cells *cells, const struct policy_plan *plan,
                              const struct policy_trace *traces, unsigned count,
                              void (*progress)(const char *what));

/* policy_cells_judge - means of the classes, and whether the order in use is good enough. */
void policy_cells_judge(struct policy_cells *cells);

#endif
