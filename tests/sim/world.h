/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a small engine on a host that fails on demand, with clients and pools whose operations are drawn from a
 * seed and recorded in a history.
 *
 * Everything follows from a case: the seed says what the engine is like and what each operation does, the schedule who
 * runs when. Operations have numbers, and each is drawn from a number of its own: so some can be left out, and the
 * others stay what they were.
 *
 * What is known about clients and pools here is changed between two steps of the simulation, so nothing is locked.
 */
#ifndef TM_TEST_SIM_WORLD_H
#define TM_TEST_SIM_WORLD_H

#include "engine/engine_internal.h"
#include "sim/history.h"
#include "sim/page.h"
#include "sim/schedule.h"
#include "support/test_host.h"

#define SIM_CLIENTS 3u
#define SIM_POOLS 6u
#define SIM_NAMES 2u /* of shared pools */
#define SIM_OBJECTS 3u
#define SIM_INDICES 8u
#define SIM_BATCH 8u
#define SIM_BALLAST 100u /* objects from this number on were there at the begin */

#define SIM_DRAW_CRASH UINT32_MAX

/* One run, to the last switch. */
struct sim_case {
    uint64_t seed;
    uint64_t schedule;
    unsigned operations;  /* 0: as the seed says */
    const uint64_t *only; /* ascending: these operations and no others; NULL: all */
    size_t only_count;
    const struct sim_switch *switches; /* NULL: as the schedule says */
    unsigned switch_count;
    uint32_t crash_at; /* a step, 0: never; SIM_DRAW_CRASH: as seed and schedule say */
};

/* What all runs met: what is never met is not tested. */
struct sim_totals {
    uint64_t runs, steps, switches, operations;
    uint64_t stored, refused, kept, nomem, found, missed, taken, removed;
    uint64_t evicted, segments_evicted, segments_cleaned, shared_found, splits;
    uint64_t cooled, warmed;
    uint64_t corrupt, faults[TM_FAULTS];
    uint64_t crashes, restarts, walks, fresh, undecided;
};

struct sim_draw {
    uint64_t state;
};

/* What is set and when it was set last, so that calls which overlap a change expect nothing. */
struct sim_setting {
    bool is_on;
    unsigned changes; /* under way */
    uint32_t stamp;
};

struct sim_client {
    struct tm_client *handle; /* NULL: there is none */
    unsigned users;           /* operations under way */
    bool is_busy;             /* being made or ended */
    struct sim_setting frozen;
    struct sim_setting right[SIM_NAMES];
    uint64_t cap_bytes;
    /* The charge's own limit: the cap, or what was charged when the cap was lowered. */
    uint64_t charge_max;
    unsigned cap_changes; /* under way */
    uint32_t cap_stamp;   /* what began before this may have charged by an earlier cap; 0: checked already */
};

struct sim_member {
    struct tm_member *handle;
    uint64_t pool; /* id */
    unsigned users;
    bool is_busy;
};

/* What is known about one of the pages that operations meet at. */
struct sim_known {
    uint64_t pool;
    uint32_t begun, ended; /* operations */
    uint32_t value;        /* what the page was after the last; 0: there was none, or it is not certain */
};

/* What a run is about. */
enum sim_theme {
    SIM_THEME_ALL,
    SIM_THEME_TWINS,   /* few pages with few contents: shared contents come and go at every put */
    SIM_THEME_GROWTH,  /* tables grow, and the pages that operations meet at are in the buckets that are split */
    SIM_THEME_TENANTS, /* clients and pools come and go, while memory is short */
    SIM_THEME_COLD,    /* few pages become cold and are wanted again */
    SIM_THEMES
};

/* How the store is filled at the begin. */
enum sim_fill {
    SIM_FILL_NOTHING,
    SIM_FILL_SOME,
    SIM_FILL_FULL, /* memory is short */
    SIM_FILL_MANY  /* objects: tables are about to grow */
};

struct sim_plan {
    enum sim_theme theme;
    unsigned coroutines, operations, objects, indices;
    unsigned pools; /* bits */
    bool dedup, ahead, defer, survives;
    bool has_weak_hash; /* different pages often have one hash */
    unsigned workers;
    unsigned spans;  /* of the size */
    uint32_t faults; /* TM_FAULT_BIT */
    unsigned fault_chance;
    unsigned twins; /* of values, in sixteenths */
    unsigned twin_count;
    enum sim_fill fill;
    bool may_crash;
};

struct sim_world {
    const struct sim_case *sim_case;
    struct sim_plan plan;
    struct tm_test_host host;
    struct tm_host outer;   /* what the engine gets: switching points around the test host's services */
    struct tm_host as_made; /* the test host's table before it was changed */
    struct tm_engine_config config;
    struct tm_engine *engine;
    uint64_t size_max; /* the largest there was */
    struct sim_client client[SIM_CLIENTS];
    struct sim_member member[SIM_POOLS][SIM_CLIENTS];
    struct sim_known known[SIM_POOLS][SIM_OBJECTS][SIM_INDICES];
    struct history history;
    uint32_t serial;            /* of values */
    uint64_t salt[SIM_OBJECTS]; /* in the objects' ids: where in the tables they are */
    unsigned fresh_objects;     /* ballast so far */
    uint32_t walks;
    uint32_t batches;
    struct sim_totals *totals;
    /* By coroutine, and one more for outside. */
    uint64_t operation[COROUTINES_MAX + 1u];
    uint64_t fault_calls[COROUTINES_MAX + 1u];
    bool is_spared[COROUTINES_MAX + 1u]; /* nothing fails on purpose: it looks at what came out */
    uint32_t began[COROUTINES_MAX + 1u]; /* when the operation under way began; 0: none is */
    const char *doing[COROUTINES_MAX + 1u];
    unsigned char pages[COROUTINES_MAX + 1u][SIM_BATCH][PAGE_BYTES];
    unsigned char codec_context[COROUTINES_MAX + 1u][TM_CACHE_LINE] TM_ALIGNED(TM_CACHE_LINE);
};

/* A page of a pool, and the member through which it is reached. */
struct sim_spot {
    unsigned pool;
    unsigned client;
    struct sim_member *member;
    unsigned object;
    unsigned index; /* which of the indices; ballast: the index */
};

/* ---- plan.c ---- */

/* What the case's seed says. */
void sim_draw_plan(const struct sim_case *sim_case, struct sim_plan *plan);

/* ---- draw.c ---- */

uint64_t sim_random(struct sim_draw *draw, uint64_t below);
/* One chance in @of. */
bool sim_chance(struct sim_draw *draw, unsigned of);

/* ---- world.c ---- */

/* Runs a case. A failure ends the process, after it was written to @report. */
void sim_case_run(const struct sim_case *sim_case, struct sim_report *report, struct sim_totals *totals);

/* What runs must meet, or they show little: prints how often they have. False: something they have not. */
struct sim_met {
    const char *what;
    uint64_t count;
};
bool sim_has_met_everything(const struct sim_totals *totals);
/* ---- sim_main.c ---- */
bool sim_met_all(const struct sim_met *needed, size_t count);

/* Who runs, or COROUTINES_MAX. */
unsigned sim_who(void);

bool sim_pool_is_persistent(unsigned pool);
bool sim_pool_is_shared(unsigned pool);
unsigned sim_pool_name(unsigned pool);
bool sim_pool_may_be_of(unsigned pool, unsigned client);
void sim_client_name(unsigned client, char name[TM_CLIENT_NAME_BYTES]);
struct tm_uuid sim_uuid(unsigned name);
struct tm_object_id sim_object_id(const struct sim_world *world, unsigned object);
uint32_t sim_index(const struct sim_spot *spot);
/* The object's number; false: none of ours. */
bool sim_find_object(const struct sim_world *world, const struct tm_object_id *id, unsigned *object);
uint64_t sim_base_size(const struct sim_world *world);

/* True when nothing fails on purpose, now or earlier in this run. */
bool sim_is_faultless(const struct sim_world *world);
/* True where decoding may fail on purpose, and what is stored well cannot always be read. */
bool sim_may_be_unreadable(const struct sim_world *world);

/* ---- pages.c ---- */

void sim_put(struct sim_world *world, struct sim_draw *draw);
void sim_get(struct sim_world *world, struct sim_draw *draw);
void sim_put_many(struct sim_world *world, struct sim_draw *draw);
void sim_get_many(struct sim_world *world, struct sim_draw *draw);
void sim_put_stored(struct sim_world *world, struct sim_draw *draw);
void sim_get_stored(struct sim_world *world, struct sim_draw *draw);
void sim_invalidate_page(struct sim_world *world, struct sim_draw *draw);
void sim_invalidate_object(struct sim_world *world, struct sim_draw *draw);
void sim_walk(struct sim_world *world, struct sim_draw *draw);
/* Puts pages into objects that are not there yet. */
void sim_put_fresh(struct sim_world *world, struct sim_draw *draw);
/* Outside of coroutines: puts ballast; looks at a page without removing it. */
void sim_put_ballast(struct sim_world *world, struct sim_draw *draw, struct sim_spot *spot, enum page_kind kind);
void sim_look_at(struct sim_world *world, struct tm_member *member, const struct deed *handle);

/* ---- tenants.c ---- */

void sim_client_create(struct sim_world *world, unsigned client);
void sim_make_client(struct sim_world *world, struct sim_draw *draw);
void sim_end_client(struct sim_world *world, struct sim_draw *draw);
void sim_pool_create(struct sim_world *world, unsigned pool, unsigned client);
void sim_make_pool(struct sim_world *world, struct sim_draw *draw);
void sim_end_pool(struct sim_world *world, struct sim_draw *draw);
void sim_freeze(struct sim_world *world, struct sim_draw *draw);
void sim_set_cap(struct sim_world *world, struct sim_draw *draw);
void sim_set_weight(struct sim_world *world, struct sim_draw *draw);
void sim_set_right(struct sim_world *world, struct sim_draw *draw);
void sim_authorise(struct sim_world *world, unsigned client, unsigned name);
void sim_set_size(struct sim_world *world, struct sim_draw *draw);
void sim_reclaim(struct sim_world *world, struct sim_draw *draw);
void sim_maintain(struct sim_world *world, struct sim_draw *draw);
void sim_recompress(struct sim_world *world, struct sim_draw *draw);
void sim_figures(struct sim_world *world, struct sim_draw *draw);
/* At every switch: charges and resident bytes against their limits. */
void sim_check_limits(struct sim_world *world);

#endif
