/* SPDX-License-Identifier: BSD-2-Clause */
/* cells.c - see cells.h. */
#include "cells.h"

#include "in_use.h"
#include "order.h"

#include <stdio.h>
#include <string.h>

/* How much larger than asked for a store may be, in hundredths. */
#define CAPACITY_OFF 12u

const char *const policy_loop_name = "loop";

static const struct policy_order *const orders[POLICY_CONTESTANTS] = {
    [POLICY_LRU] = &policy_lru,
    [POLICY_CLOCK] = &policy_clock,
    [POLICY_SIEVE] = &policy_sieve,
    [POLICY_S3_FIFO] = &policy_s3_fifo,
    [POLICY_ARC] = &policy_arc,
    [POLICY_LIRS] = &policy_lirs,
    [POLICY_BEST] = &policy_best,
};

const char *policy_contestant_name(enum policy_contestant who)
{
    return who == POLICY_IN_USE ? "in use" : orders[who]->name;
}

const char *policy_contestant_member(enum policy_contestant who)
{
    return who == POLICY_IN_USE ? "in_use" : orders[who]->member;
}

double policy_hit_ratio(const struct policy_cell *cell, enum policy_contestant who)
{
    return cell->accesses == 0 ? 0.0 : (double)cell->hits[who] / (double)cell->accesses;
}

/* ---- replaying ---- */

struct replay {
    struct policy_cells *cells;
    const struct policy_plan *plan;
    void (*progress)(const char *what);
};

static enum tm_exit no_memory(void)
{
    return tm_fail(TM_EXIT_FAILED, "no memory to replay the traces (try: --quick)");
}

/* Gives the stream to every order, and notes what came out. */
static enum tm_exit replay_stream(struct replay *replay, const struct policy_stream *stream,
                                  const struct policy_room *room, struct policy_cell cell)
{
    struct policy_cells *cells = replay->cells;
    cell.capacity = room->capacity;
    cell.accesses = policy_stream_counted(stream);
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
        if (orders[who] != NULL && !policy_order_run(orders[who], stream, room->capacity, &cell.hits[who]))
            return no_memory();
    enum tm_exit code = policy_in_use_run(room, stream, &cell.hits[POLICY_IN_USE]);
    if (code == TM_EXIT_OK && cells->count == POLICY_CELLS_MAX)
        code = tm_fail(TM_EXIT_FAILED, "more results than there is room for (try: fewer --sizes)");
    if (code == TM_EXIT_OK)
        cells->cell[cells->count++] = cell;
    return code;
}

/* The class of that name, which is made if need be. */
static unsigned class_of(struct policy_cells *cells, const char *trace, bool is_behind)
{
    unsigned i = 0;
    while (i < cells->classes &&
           (strcmp(cells->class[i].trace, trace) != 0 || cells->class[i].is_behind != is_behind))
        i++;
    if (i == cells->classes)
        cells->class[cells->classes++] = (struct policy_class){.trace = trace, .is_behind = is_behind};
    return i;
}

/* What reaches the store of a trace: with a scan or without, behind the kernel's cache or not. */
static bool make_stream(const struct replay *replay, const struct policy_stream *stream, uint32_t capacity,
                        bool has_scan, bool is_behind, struct policy_stream *made)
{
    unsigned front_percent = is_behind ? replay->plan->front_percent : 0;
    uint32_t front = (uint32_t)((uint64_t)capacity * front_percent / (100u - front_percent));
    struct policy_stream with = {0};
    bool done = !has_scan || policy_stream_with_scan(&with, stream, capacity * replay->plan->scan_times);
    done = done && policy_stream_behind(made, has_scan ? &with : stream, front);
    policy_stream_free(&with);
    return done;
}

static enum tm_exit replay_variant(struct replay *replay, const struct policy_trace *trace, unsigned percent,
                                   const struct policy_room *room, bool has_scan, bool is_behind)
{
    struct policy_stream stream = {0};
    const struct policy_cell cell = {.class = class_of(replay->cells, trace->name, is_behind),
                                     .has_scan = has_scan,
                                     .percent = percent,
                                     .pages = trace->stream.pages};
    char what[64];
    (void)snprintf(what, sizeof what, "%s, %u %%", trace->name, percent);
    replay->progress(what);
    enum tm_exit code = make_stream(replay, &trace->stream, room->capacity, has_scan, is_behind, &stream)
                            ? replay_stream(replay, &stream, room, cell)
                            : no_memory();
    policy_stream_free(&stream);
    return code;
}

/* No store is that small. */
static void leave_out(struct replay *replay, const struct policy_trace *trace, unsigned percent)
{
    replay->progress("");
    tm_message("%s: %u %% is left out: %lu pages are fewer than the smallest store holds", trace->name, percent,
               (unsigned long)((uint64_t)trace->stream.pages * percent / 100u));
}

static enum tm_exit replay_trace(struct replay *replay, const struct policy_trace *trace)
{
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned i = 0; i < replay->plan->sizes && code == TM_EXIT_OK; i++) {
        unsigned percent = replay->plan->percent[i];
        struct policy_room room;
        uint32_t wanted = (uint32_t)((uint64_t)trace->stream.pages * percent / 100u);
        if (wanted == 0)
            continue;
        code = policy_room_find(&trace->stream, wanted, &room);
        if (code != TM_EXIT_OK)
            return code;
        if ((uint64_t)room.capacity * 100u > (uint64_t)wanted * (100u + CAPACITY_OFF)) {
            leave_out(replay, trace, percent);
            continue;
        }
        for (unsigned variant = 0; variant < 4 && code == TM_EXIT_OK; variant++)
            code = replay_variant(replay, trace, percent, &room, (variant & 1u) != 0, (variant & 2u) != 0);
    }
    return code;
}

/* Loops slightly larger than the store, and up to twice as large. */
static enum tm_exit replay_loops(struct replay *replay)
{
    static const unsigned percents[] = {105, 120, 150, 200};
    const struct policy_plan *plan = replay->plan;
    enum tm_exit code = TM_EXIT_OK;
    struct policy_room room;
    struct policy_stream longest = {0};
    if (!policy_stream_loop(&longest, plan->loop_capacity * 2u, 1))
        code = no_memory();
    replay->progress("loops");
    if (code == TM_EXIT_OK)
        code = policy_room_find(&longest, plan->loop_capacity, &room);
    policy_stream_free(&longest);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(percents) && code == TM_EXIT_OK; i++) {
        struct policy_stream loop = {0};
        const struct policy_cell cell = {.class = class_of(replay->cells, policy_loop_name, false),
                                         .percent = percents[i],
                                         .pages = (uint32_t)((uint64_t)room.capacity * percents[i] / 100u)};
        code = policy_stream_loop(&loop, cell.pages, plan->loop_rounds) ? replay_stream(replay, &loop, &room, cell)
                                                                        : no_memory();
        policy_stream_free(&loop);
    }
    return code;
}

enum tm_exit policy_cells_run(struct policy_cells *cells, const struct policy_plan *plan,
                              const struct policy_trace *traces, unsigned count,
                              void (*progress)(const char *what))
{
    struct replay replay = {cells, plan, progress};
    enum tm_exit code = TM_EXIT_OK;
    *cells = (struct policy_cells){.count = 0};
    for (unsigned i = 0; i < count && code == TM_EXIT_OK; i++)
        if (traces[i].stream.count > 0)
            code = replay_trace(&replay, &traces[i]);
    if (code == TM_EXIT_OK)
        code = replay_loops(&replay);
    if (code == TM_EXIT_OK)
        policy_cells_judge(cells);
    return code;
}

/* ---- judging ---- */

/* Which of the others is best, and whether the order in use is as good. */
static void judge(struct policy_class *class)
{
    class->rival = POLICY_LRU;
    for (unsigned who = 0; who < POLICY_IN_USE; who++)
        if (class->ratio[who] > class->ratio[class->rival])
            class->rival = (enum policy_contestant)who;
    class->holds = class->ratio[POLICY_IN_USE] >= POLICY_BOUND * class->ratio[class->rival];
}

void policy_cells_judge(struct policy_cells *cells)
{
    cells->average = (struct policy_class){.trace = "average"};
    cells->loops_without_hits = 0;
    for (unsigned i = 0; i < cells->count; i++) {
        const struct policy_cell *cell = &cells->cell[i];
        struct policy_class *class = &cells->class[cell->class];
        class->cells++;
        for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
            class->ratio[who] += policy_hit_ratio(cell, (enum policy_contestant)who);
        if (strcmp(class->trace, policy_loop_name) == 0 && cell->hits[POLICY_IN_USE] == 0)
            cells->loops_without_hits++;
    }
    for (unsigned i = 0; i < cells->classes; i++) {
        struct policy_class *class = &cells->class[i];
        for (unsigned who = 0; who<POLICY_CONTESTANTS &&class->cells> 0; who++) {
            class->ratio[who] /= class->cells;
            cells->average.ratio[who] += class->ratio[who] / cells->classes;
        }
        cells->average.cells += class->cells;
        judge(class);
    }
    judge(&cells->average);
}
