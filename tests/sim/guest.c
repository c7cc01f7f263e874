/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.c - guests of the original's interface in the simulator: threads of one domain or two put, get and flush pages
 * while objects are flushed, pools are destroyed and made again, and now and then a domain dies under its threads. It
 * takes the place of world.c: what a case is, how it is run and made small is the same.
 *
 * What src/xen takes for locks of threads are those of coroutines (threads.h), the store is an embedded one on a test
 * host (guest_host.h). A pool of the history is a guest's number: destroying the pool removes its pages.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tmem/control.h>
#include <tmem/xen.h>

#include "base/mix.h"
#include "sim/guest_host.h"
#include "sim/world.h"

#define DOMAINS 2u
#define POOLS 2u
#define OBJECTS 3u
#define INDICES 4u
#define THREADS 4u
#define FRAMES (THREADS + 1u) /* one more for outside */
#define NO_EXTRA_CHANCE 24u

static const uint32_t pool_flags[POOLS] = {TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT,
                                           TMEM_POOL_PERSIST | TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT};
static const uint32_t indices[INDICES] = {0, 63, 64, UINT32_MAX};

struct domain {
    struct tmem_xen_domain *handle;
    bool is_dead;
    bool is_renewing[POOLS]; /* numbers are given lowest first, so one at a time */
    unsigned renewers;
};

struct guests {
    const struct sim_case *sim_case;
    struct sim_totals *totals;
    struct tmem_store *store;
    struct tmem_xen *xen;
    unsigned domain_count, operations;
    struct domain domains[DOMAINS];
    struct history history;
    uint32_t serial;
    uint64_t operation[FRAMES];
    const char *doing[FRAMES];
    unsigned char frames[FRAMES][PAGE_BYTES];
};

/* A page of a guest's. */
struct spot {
    unsigned domain, pool, object, index;
};

unsigned sim_who(void)
{
    return coroutine_current();
}

/* ---- the guests' memory ---- */

static bool read_memory(void *context, uint64_t address, void *to, size_t size_bytes)
{
    (void)context;
    memcpy(to, (const void *)(uintptr_t)address, size_bytes);
    return true;
}

static bool write_memory(void *context, uint64_t address, const void *from, size_t size_bytes)
{
    (void)context;
    memcpy((void *)(uintptr_t)address, from, size_bytes);
    return true;
}

static void *map_frame(void *context, uint64_t frame, bool for_write)
{
    struct guests *guests = context;
    (void)for_write;
    sim_point();
    return frame < FRAMES ? guests->frames[frame] : NULL;
}

static void unmap_frame(void *context, uint64_t frame, void *mapping, bool is_written)
{
    (void)context;
    (void)frame;
    (void)mapping;
    (void)is_written;
    sim_point();
}

/* ---- what they send ---- */

static long send_op(struct guests *guests, const struct spot *spot, uint32_t command)
{
    struct tmem_op op;
    memset(&op, 0xa5, sizeof op);
    op.cmd = command;
    op.pool_id = (int32_t)spot->pool;
    if (command == TMEM_NEW_POOL) {
        op.u.creat.uuid[0] = op.u.creat.uuid[1] = 0;
        op.u.creat.flags = pool_flags[spot->pool];
    } else {
        op.u.gen.oid[0] = spot->object;
        op.u.gen.oid[1] = 7;
        op.u.gen.oid[2] = UINT64_MAX;
        op.u.gen.index = indices[spot->index];
        op.u.gen.cmfn = sim_who();
    }
    return tmem_xen_op(guests->domains[spot->domain].handle, &op);
}

static uint64_t pool_of(const struct spot *spot)
{
    return 1u + spot->domain * POOLS + spot->pool;
}

static struct deed deed_of(const struct spot *spot, uint32_t value)
{
    return (struct deed){.pool = pool_of(spot),
                         .object = spot->object,
                         .index = indices[spot->index],
                         .value = value,
                         .who = (uint8_t)sim_who()};
}

_Noreturn static void odd_answer(const struct spot *spot, const char *what, long result)
{
    sim_fail("%s answered %ld: domain %u, pool %u, object %u, index %u", what, result, spot->domain, spot->pool,
             spot->object, indices[spot->index]);
}

/* No pool, since it is just being renewed, or no domain: it did nothing. */
static bool is_nobody(long result)
{
    return result == -ENODEV;
}

/* ---- operations ---- */

static void put(struct guests *guests, struct sim_draw *draw, const struct spot *spot)
{
    static const uint8_t kinds[] = {PAGE_SMALL_WORD, PAGE_BIG_WORD, PAGE_SHORT, PAGE_RAW, PAGE_RAW};
    enum page_kind kind = (enum page_kind)kinds[sim_random(draw, TM_ARRAY_SIZE(kinds))];
    uint32_t value = page_value(++guests->serial, kind);
    struct deed deed = deed_of(spot, value);
    page_make(value, guests->frames[sim_who()]);
    size_t number = history_begin(&guests->history, &deed);
    long result = send_op(guests, spot, TMEM_PUT_PAGE);
    if (result == 1)
        guests->totals->stored++;
    else if (!is_nobody(result))
        odd_answer(spot, "a put", result); /* there is room for all, and nobody is frozen */
    history_end(&guests->history, number, result == 1 ? DEED_WRITE : DEED_NONE, value);
}

/* A private ephemeral page goes with the get that finds it. */
static void get(struct guests *guests, const struct spot *spot)
{
    struct deed deed = deed_of(spot, 0);
    size_t number = history_begin(&guests->history, &deed);
    memset(guests->frames[sim_who()], 0x5a, PAGE_BYTES);
    long result = send_op(guests, spot, TMEM_GET_PAGE);
    uint32_t value = result == 1 ? page_recognise(guests->frames[sim_who()]) : 0;
    if (result == 1 && value == 0)
        sim_fail("a get found what is no page that was put: pool %u, object %u", spot->pool, spot->object);
    if (result != 1 && result != 0 && result != -EEMPTY && !is_nobody(result))
        odd_answer(spot, "a get", result);
    bool takes = (pool_flags[spot->pool] & TMEM_POOL_PERSIST) == 0;
    enum deed_kind found = takes ? DEED_TAKE : DEED_READ;
    history_end(&guests->history, number, result == 1 ? found : is_nobody(result) ? DEED_NONE
                                                                                  : DEED_ABSENT,
                value);
    *(result != 1 ? &guests->totals->missed : takes ? &guests->totals->taken
                                                    : &guests->totals->found) += 1u;
}

static void flush_page(struct guests *guests, const struct spot *spot)
{
    struct deed deed = deed_of(spot, 0);
    size_t number = history_begin(&guests->history, &deed);
    long result = send_op(guests, spot, TMEM_FLUSH_PAGE);
    if (result != 1 && !is_nobody(result))
        odd_answer(spot, "a flush", result);
    history_end(&guests->history, number, result == 1 ? DEED_REMOVE : DEED_NONE, 0);
    guests->totals->removed += result == 1;
}

static size_t begin_wide(struct guests *guests, const struct spot *spot, unsigned object)
{
    const struct wide_deed wide = {.pool = pool_of(spot), .object = object, .who = (uint8_t)sim_who()};
    return history_begin_wide(&guests->history, &wide);
}

static void flush_object(struct guests *guests, const struct spot *spot)
{
    size_t number = begin_wide(guests, spot, spot->object);
    long result = send_op(guests, spot, TMEM_FLUSH_OBJECT);
    if (result != 1 && !is_nobody(result))
        odd_answer(spot, "an object's flush", result);
    history_end_wide(&guests->history, number, result == 1 ? DEED_REMOVE_MANY : DEED_NONE);
    guests->totals->removed += result == 1;
}

/* Removes all of a pool's pages: by its destruction, or its domain's death, which @answer of 1 says happened. */
static long remove_all(struct guests *guests, const struct spot *spot,
                       long (*act)(struct guests *, const struct spot *))
{
    size_t numbers[OBJECTS];
    for (unsigned object = 0; object < OBJECTS; object++)
        numbers[object] = begin_wide(guests, spot, object);
    long result = act(guests, spot);
    for (unsigned object = 0; object < OBJECTS; object++)
        history_end_wide(&guests->history, numbers[object], result == 1 ? DEED_REMOVE_MANY : DEED_NONE);
    return result;
}

static long destroy_pool(struct guests *guests, const struct spot *spot)
{
    return send_op(guests, spot, TMEM_DESTROY_POOL);
}

static void renew_pool(struct guests *guests, const struct spot *spot)
{
    struct domain *domain = &guests->domains[spot->domain];
    for (unsigned attempt = 0; domain->renewers != 0; attempt++)
        tm_platform_wait(attempt);
    domain->renewers++;
    long destroyed = remove_all(guests, spot, destroy_pool);
    long made = send_op(guests, spot, TMEM_NEW_POOL);
    domain->renewers--;
    if (!domain->is_dead && (destroyed != 1 || made != (long)spot->pool))
        sim_fail("a pool's end answered %ld and its renewal %ld, instead of 1 and %u", destroyed, made, spot->pool);
    guests->totals->fresh++;
}

static long kill_domain(struct guests *guests, const struct spot *spot)
{
    tmem_xen_domain_kill(guests->domains[spot->domain].handle);
    return 1;
}

/* Its other pool goes at the same time: of that nothing is known from here on, and nothing can be got. */
static void die(struct guests *guests, const struct spot *spot)
{
    guests->domains[spot->domain].is_dead = true;
    (void)remove_all(guests, spot, kill_domain);
    guests->totals->crashes++;
}

static void act(struct guests *guests, struct sim_draw *draw, const struct spot *spot, unsigned kind)
{
    const char **doing = &guests->doing[sim_who()];
    if (kind < 42) {
        *doing = "put";
        put(guests, draw, spot);
    } else if (kind < 76) {
        *doing = "get";
        get(guests, spot);
    } else if (kind < 84) {
        *doing = "flush page";
        flush_page(guests, spot);
    } else if (kind < 92) {
        *doing = "flush object";
        flush_object(guests, spot);
    } else if (kind < 99) {
        *doing = "renew pool";
        renew_pool(guests, spot);
    } else if (sim_chance(draw, NO_EXTRA_CHANCE)) {
        *doing = "die";
        die(guests, spot);
    }
}

static void operate(struct guests *guests, uint64_t operation)
{
    struct sim_draw draw = {tm_scramble(tm_scramble(guests->sim_case->seed) + operation)};
    unsigned who = sim_who();
    const struct spot spot = {who % guests->domain_count, (unsigned)sim_random(&draw, POOLS),
                              (unsigned)sim_random(&draw, OBJECTS), (unsigned)sim_random(&draw, INDICES)};
    guests->operation[who] = operation;
    act(guests, &draw, &spot, (unsigned)sim_random(&draw, 100));
    guests->doing[who] = "nothing";
    guests->totals->operations++;
    sim_progress();
}

static void body(void *user)
{
    struct guests *guests = user;
    const struct sim_case *sim_case = guests->sim_case;
    size_t count = sim_case->only == NULL ? guests->operations : sim_case->only_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t operation = sim_case->only == NULL ? i : sim_case->only[i];
        if (operation % THREADS == sim_who())
            operate(guests, operation);
    }
}

static const char *doing(void *user, unsigned coroutine)
{
    static char text[64];
    const struct guests *guests = user;
    snprintf(text, sizeof text, "operation %llu, %s", (unsigned long long)guests->operation[coroutine],
             guests->doing[coroutine] != NULL ? guests->doing[coroutine] : "nothing");
    return text;
}

/* ---- begin and end ---- */

static void open_guests(struct guests *guests)
{
    struct tmem_error error;
    sim_guest_host_seed = guests->sim_case->seed;
    if (tmem_open("embedded:size=16M,maintenance=none,workers=4", &guests->store, &error) != TMEM_OK)
        sim_fail("the store: %s", error.text);
    if (tmem_xen_open(guests->store, NULL, &guests->xen) != TMEM_OK)
        sim_fail("the host of guests cannot be opened");
    for (unsigned i = 0; i < guests->domain_count; i++) {
        struct tmem_xen_domain_options options = TMEM_XEN_DOMAIN_INIT;
        options.id = i + 1u;
        options.guest = (struct tmem_xen_guest){guests, read_memory, write_memory, map_frame, unmap_frame};
        if (tmem_xen_domain_create(guests->xen, &options, &guests->domains[i].handle) != TMEM_OK)
            sim_fail("a domain cannot be created");
        for (unsigned pool = 0; pool < POOLS; pool++) {
            const struct spot spot = {i, pool, 0, 0};
            if (send_op(guests, &spot, TMEM_NEW_POOL) != (long)pool)
                sim_fail("a pool cannot be made");
        }
        history_persistent(&guests->history, 1u + i * POOLS + 1u);
    }
}

static void finish(struct guests *guests)
{
    char text[SIM_TEXT_BYTES];
    for (unsigned at = 0; at < guests->domain_count * POOLS * OBJECTS * INDICES; at++) {
        const struct spot spot = {at / (POOLS * OBJECTS * INDICES), at / (OBJECTS * INDICES) % POOLS,
                                  at / INDICES % OBJECTS, at % INDICES};
        get(guests, &spot);
    }
    if (tmem_store_check(guests->store) != TMEM_OK)
        sim_fail("the store's books are wrong");
    if (!history_check(&guests->history, text, sizeof text))
        sim_fail("%s", text);
    guests->totals->undecided += guests->history.undecided;
    tmem_xen_close(guests->xen);
    tmem_close(guests->store);
}

void sim_case_run(const struct sim_case *sim_case, struct sim_report *report, struct sim_totals *totals)
{
    struct guests *guests = calloc(1, sizeof *guests);
    struct sim_draw draw = {tm_scramble(sim_case->seed ^ UINT64_C(0x6775657374))};
    TM_ASSERT(guests != NULL);
    guests->sim_case = sim_case;
    guests->totals = totals;
    guests->domain_count = 1u + (unsigned)sim_random(&draw, DOMAINS);
    guests->operations = 20u + (unsigned)sim_random(&draw, 100);
    if (sim_case->operations != 0)
        guests->operations = sim_case->operations;
    report->seed = sim_case->seed;
    report->schedule = sim_case->schedule;
    report->switch_count = 0;
    report->operations = guests->operations;
    sim_report_to(report);
    history_init(&guests->history);
    open_guests(guests);
    struct sim_schedule schedule = {.seed = sim_case->schedule,
                                    .switches = sim_case->switches,
                                    .switch_count = sim_case->switch_count,
                                    .report = report,
                                    .doing = doing,
                                    .user = guests};
    (void)sim_run(&schedule, THREADS, body, guests);
    totals->runs++;
    totals->steps += report->steps;
    totals->switches += report->switch_count;
    finish(guests);
    history_fini(&guests->history);
    free(guests);
}

bool sim_has_met_everything(const struct sim_totals *totals)
{
    const struct sim_met needed[] = {
        {"puts stored", totals->stored},
        {"gets found", totals->found},
        {"exclusive gets", totals->taken},
        {"gets missed", totals->missed},
        {"pages and objects flushed", totals->removed},
        {"pools made anew", totals->fresh},
        {"domains that died", totals->crashes},
    };
    return sim_met_all(needed, TM_ARRAY_SIZE(needed));
}
