/* SPDX-License-Identifier: BSD-2-Clause */
/* work.c - what the working threads do, and what they hold against each answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress.h"

struct worker {
    struct stress *stress;
    unsigned number;
    uint64_t random;
    unsigned char page[STRESS_BATCH][TMEM_PAGE_SIZE];
};

/* A handle and the member through which it is reached this time. */
struct spot {
    unsigned pool_number;
    struct stress_pool *pool;
    struct tmem_pool *member;
    unsigned object;
    unsigned page;
};

static struct stress_handle *handle_at(const struct spot *spot)
{
    return &spot->pool->handle[spot->object][spot->page];
}

static uint64_t family_of(const struct spot *spot)
{
    return stress_family(spot->pool_number, spot->object, spot->page);
}

/* @is_own: a handle that this thread writes. */
static struct spot draw_spot(struct worker *worker, bool is_own)
{
    struct stress *stress = worker->stress;
    struct spot spot = {.pool_number = stress_below(&worker->random, STRESS_POOLS)};
    spot.pool = &stress->pool[spot.pool_number];
    unsigned client = stress_below(&worker->random, STRESS_CLIENTS);
    spot.member = spot.pool->member[client] != NULL ? spot.pool->member[client] : spot.pool->member[1u - client];
    spot.object = stress_below(&worker->random, STRESS_OBJECTS);
    if (is_own)
        spot.object = (spot.object / stress->threads * stress->threads + worker->number) % STRESS_OBJECTS;
    spot.page = stress_below(&worker->random, STRESS_PAGES);
    return spot;
}

/* The object's writer; with more threads than fit the last round, the first ones have one object more. */
static unsigned writer_of(const struct stress *stress, unsigned object)
{
    return object % stress->threads;
}

/* ---- put ---- */

static uint64_t next_version(struct spot *spot)
{
    struct stress_handle *handle = handle_at(spot);
    uint64_t version = atomic_load_explicit(&handle->issued, memory_order_relaxed) + 1u;
    atomic_store(&handle->issued, version);
    return version;
}

/* Nothing that was ever issued may be seen any more. */
static void raise_above_all(struct stress_handle *handle)
{
    handle->present = 0;
    atomic_store(&handle->floor, atomic_load_explicit(&handle->issued, memory_order_relaxed) + 1u);
}

static void put_done(struct worker *worker, const struct spot *spot, uint64_t version, uint32_t flags,
                     enum tmem_result result)
{
    struct stress_handle *handle = handle_at(spot);
    switch (result) {
    case TMEM_OK:
        handle->present = version;
        atomic_store(&handle->floor, version);
        return;
    case TMEM_KEPT:
        if ((flags & TMEM_PUT_KEEP) == 0 || handle->present == 0)
            stress_fail(worker->stress, "put: kept a page that was not there, or was not to be kept");
        break;
    case TMEM_REFUSED:
    case TMEM_NOMEM:
        if ((flags & TMEM_PUT_KEEP) != 0 && handle->present != 0)
            stress_fail(worker->stress, "put: asked to keep, but '%s'", tmem_result_text(result));
        raise_above_all(handle);
        break;
    default:
        stress_fail(worker->stress, "put: answered '%s'", tmem_result_text(result));
    }
    atomic_fetch_add_explicit(&worker->stress->refused, 1, memory_order_relaxed);
}

static uint32_t draw_flags(struct worker *worker, const struct spot *spot)
{
    return stress_is_persistent(spot->pool) && stress_below(&worker->random, 4) == 0 ? TMEM_PUT_KEEP : TMEM_PUT_PLAIN;
}

static void put(struct worker *worker)
{
    struct spot spot = draw_spot(worker, true);
    if (writer_of(worker->stress, spot.object) != worker->number)
        return;
    struct tmem_object_id id = stress_object(spot.object);
    uint32_t flags = draw_flags(worker, &spot);
    uint64_t version = next_version(&spot);
    stress_page_fill(family_of(&spot), version, worker->page[0]);
    put_done(worker, &spot, version, flags, tmem_put(spot.member, &id, spot.page, worker->page[0], flags));
}

static void put_many(struct worker *worker)
{
    struct tmem_io io[STRESS_BATCH];
    struct spot spots[STRESS_BATCH];
    uint64_t version[STRESS_BATCH];
    struct spot first = draw_spot(worker, true);
    unsigned count = 1u + stress_below(&worker->random, STRESS_BATCH);
    if (writer_of(worker->stress, first.object) != worker->number)
        return;
    uint32_t flags = draw_flags(worker, &first);
    for (unsigned i = 0; i < count; i++) {
        spots[i] = first;
        spots[i].page = (first.page + i) % STRESS_PAGES;
        version[i] = next_version(&spots[i]);
        stress_page_fill(family_of(&spots[i]), version[i], worker->page[i]);
        io[i] = (struct tmem_io){stress_object(first.object), spots[i].page, TMEM_RESULT_COUNT, worker->page[i]};
    }
    if (tmem_put_many(first.member, io, count, flags) != TMEM_OK)
        stress_fail(worker->stress, "put_many failed");
    for (unsigned i = 0; i < count; i++)
        put_done(worker, &spots[i], version[i], flags, io[i].result);
}

/* ---- get ---- */

/* @floor: what it was before the get. */
static void get_done(struct worker *worker, const struct spot *spot, uint64_t floor, enum tmem_result result,
                     const void *page)
{
    struct stress *stress = worker->stress;
    struct stress_handle *handle = handle_at(spot);
    bool is_own = writer_of(stress, spot->object) == worker->number;
    if (result == TMEM_MISS) {
        if (is_own && stress_is_persistent(spot->pool) && handle->present != 0)
            stress_fail(stress, "get: missed a page of a persistent pool");
        atomic_fetch_add_explicit(&stress->missed, 1, memory_order_relaxed);
        return;
    }
    if (result != TMEM_OK)
        stress_fail(stress, "get: answered '%s'", tmem_result_text(result));
    uint64_t version = stress_page_version(family_of(spot), page);
    if (version == 0)
        stress_fail(stress, "get: not a whole page, or another handle's");
    if (version < floor)
        stress_fail(stress, "get: version %llu, but %llu had been answered before", (unsigned long long)version,
                    (unsigned long long)floor);
    if (version > atomic_load(&handle->issued))
        stress_fail(stress, "get: a version that was never put");
    if (is_own && stress_is_persistent(spot->pool) && version != handle->present)
        stress_fail(stress, "get: version %llu, the last one stored is %llu", (unsigned long long)version,
                    (unsigned long long)handle->present);
    atomic_fetch_add_explicit(&stress->found, 1, memory_order_relaxed);
}

/* In a persistent pool only the writer takes pages out, so that it knows what is there. */
static enum tmem_get_mode draw_mode(struct worker *worker, const struct spot *spot)
{
    bool may_take = !stress_is_persistent(spot->pool) || writer_of(worker->stress, spot->object) == worker->number;
    unsigned kind = stress_below(&worker->random, 8);
    return kind == 0 && may_take ? TMEM_GET_EXCLUSIVE : kind < 3 ? TMEM_GET_DEFAULT
                                                                 : TMEM_GET_INCLUSIVE;
}

/* What a writer that took its page out of a persistent pool knows: it is gone. */
static void note_taken(struct worker *worker, const struct spot *spot, enum tmem_get_mode mode,
                       enum tmem_result result)
{
    bool is_own = writer_of(worker->stress, spot->object) == worker->number;
    if (result == TMEM_OK && mode == TMEM_GET_EXCLUSIVE && is_own)
        raise_above_all(handle_at(spot));
}

static void get(struct worker *worker)
{
    struct spot spot = draw_spot(worker, stress_below(&worker->random, 2) == 0);
    struct tmem_object_id id = stress_object(spot.object);
    enum tmem_get_mode mode = draw_mode(worker, &spot);
    uint64_t floor = atomic_load(&handle_at(&spot)->floor);
    enum tmem_result result = tmem_get(spot.member, &id, spot.page, worker->page[0], mode);
    get_done(worker, &spot, floor, result, worker->page[0]);
    note_taken(worker, &spot, mode, result);
}

static void get_many(struct worker *worker)
{
    struct tmem_io io[STRESS_BATCH];
    struct spot spots[STRESS_BATCH];
    uint64_t floor[STRESS_BATCH];
    struct spot first = draw_spot(worker, stress_below(&worker->random, 2) == 0);
    unsigned count = 1u + stress_below(&worker->random, STRESS_BATCH);
    enum tmem_get_mode mode = draw_mode(worker, &first);
    for (unsigned i = 0; i < count; i++) {
        spots[i] = first;
        spots[i].page = (first.page + i) % STRESS_PAGES;
        floor[i] = atomic_load(&handle_at(&spots[i])->floor);
        io[i] = (struct tmem_io){stress_object(first.object), spots[i].page, TMEM_RESULT_COUNT, worker->page[i]};
    }
    if (tmem_get_many(first.member, io, count, mode) != TMEM_OK)
        stress_fail(worker->stress, "get_many failed");
    for (unsigned i = 0; i < count; i++) {
        get_done(worker, &spots[i], floor[i], io[i].result, io[i].page);
        note_taken(worker, &spots[i], mode, io[i].result);
    }
}

/* ---- removing ---- */

static void invalidate_page(struct worker *worker)
{
    struct spot spot = draw_spot(worker, true);
    struct tmem_object_id id = stress_object(spot.object);
    if (writer_of(worker->stress, spot.object) != worker->number)
        return;
    enum tmem_result result = tmem_invalidate_page(spot.member, &id, spot.page);
    if (result != TMEM_OK && result != TMEM_MISS)
        stress_fail(worker->stress, "invalidate page: answered '%s'", tmem_result_text(result));
    if (stress_is_persistent(spot.pool) && (result == TMEM_OK) != (handle_at(&spot)->present != 0))
        stress_fail(worker->stress, "invalidate page: '%s', present version %llu", tmem_result_text(result),
                    (unsigned long long)handle_at(&spot)->present);
    raise_above_all(handle_at(&spot));
}

static void invalidate_object(struct worker *worker)
{
    struct spot spot = draw_spot(worker, true);
    struct tmem_object_id id = stress_object(spot.object);
    if (writer_of(worker->stress, spot.object) != worker->number)
        return;
    enum tmem_result result = tmem_invalidate_object(spot.member, &id);
    if (result != TMEM_OK && result != TMEM_MISS)
        stress_fail(worker->stress, "invalidate object: answered '%s'", tmem_result_text(result));
    for (spot.page = 0; spot.page < STRESS_PAGES; spot.page++)
        raise_above_all(handle_at(&spot));
}

/* Moves a page in its stored form from one handle of a family to another; the version goes with it. */
static void move_stored(struct worker *worker)
{
    struct tmem_stored stored;
    struct spot from = draw_spot(worker, true);
    struct tmem_object_id id = stress_object(from.object);
    if (writer_of(worker->stress, from.object) != worker->number)
        return;
    enum tmem_result result = tmem_get_stored(from.member, &id, from.page, &stored);
    if (result == TMEM_MISS)
        return;
    if (result != TMEM_OK)
        stress_fail(worker->stress, "get_stored: answered '%s'", tmem_result_text(result));
    struct spot to = from;
    to.page = from.page / STRESS_FAMILY * STRESS_FAMILY + stress_below(&worker->random, STRESS_FAMILY);
    uint64_t version = atomic_load_explicit(&handle_at(&from)->issued, memory_order_relaxed);
    struct stress_handle *handle = handle_at(&to);
    /* Versions must only grow, and the stored one must be known. */
    bool is_known = stress_is_persistent(from.pool) && handle_at(&from)->present == version;
    if (!is_known || version <= atomic_load_explicit(&handle->issued, memory_order_relaxed))
        return;
    atomic_store(&handle->issued, version);
    put_done(worker, &to, version, 0, tmem_put_stored(to.member, &id, to.page, &stored, 0));
}

void stress_work(struct stress *stress, unsigned number)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        stress_fail(stress, "no memory for a thread");
    worker->stress = stress;
    worker->number = number;
    worker->random = content_scatter(stress->seed + number);
    while (!atomic_load(&stress->is_over)) {
        unsigned kind = stress_below(&worker->random, 2000);
        if (kind < 640)
            put(worker);
        else if (kind < 1450)
            get(worker);
        else if (kind < 1550)
            put_many(worker);
        else if (kind < 1700)
            get_many(worker);
        else if (kind < 1900)
            invalidate_page(worker);
        else if (kind < 1925)
            invalidate_object(worker);
        else if (kind < 1999)
            move_stored(worker);
        else
            stress_transient(stress, &worker->random, number);
        atomic_fetch_add_explicit(&stress->operations, 1, memory_order_relaxed);
    }
    free(worker);
}

void stress_check_all(struct stress *stress)
{
    static unsigned char page[TMEM_PAGE_SIZE];
    for (unsigned pool = 0; pool < STRESS_POOLS; pool++) {
        struct stress_pool *at = &stress->pool[pool];
        struct tmem_pool *member = at->member[0] != NULL ? at->member[0] : at->member[1];
        for (unsigned i = 0; i < STRESS_OBJECTS * STRESS_PAGES && stress_is_persistent(at); i++) {
            unsigned object = i / STRESS_PAGES;
            struct tmem_object_id id = stress_object(object);
            uint64_t present = at->handle[object][i % STRESS_PAGES].present;
            enum tmem_result result = tmem_get(member, &id, i % STRESS_PAGES, page, TMEM_GET_INCLUSIVE);
            if (result != (present != 0 ? TMEM_OK : TMEM_MISS))
                stress_fail(stress, "at the end: '%s', present version %llu", tmem_result_text(result),
                            (unsigned long long)present);
            if (present != 0 && stress_page_version(stress_family(pool, object, i % STRESS_PAGES), page) != present)
                stress_fail(stress, "at the end: not the version that was stored last");
        }
    }
}
