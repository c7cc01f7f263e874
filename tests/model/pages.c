/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c - operations on pages: what each may answer, and what is true afterwards. */
#include <string.h>

#include "model.h"

/* ---- put ---- */

/* Whether a put that failed had a right to; law 1 says when it had not. */
static void check_refusal(struct world *world, const struct model_spot *spot, uint64_t old, enum tmem_result result,
                          bool is_alone)
{
    world->refused++;
    if (result != TMEM_REFUSED && result != TMEM_NOMEM && result != TMEM_KEPT)
        model_fail(world, "put: answered '%s'", tmem_result_text(result));
    if (spot->client->is_frozen)
        return;
    /* The older page takes as many bytes as any page can, and shares them with none. */
    if (model_is_persistent(spot->pool) && content_is_unique_and_random(old) && !world->is_squeezed)
        model_fail(world, "put: '%s', although it replaces a page at least as large", tmem_result_text(result));
    if (is_alone && model_has_plenty(world, spot->client))
        model_fail(world, "put: '%s', although there is plenty of room", tmem_result_text(result));
}

/* @is_alone: nothing else happened since the put, so that there was as much room as there is now. */
static void put_done(struct world *world, const struct model_spot *spot, uint64_t content, uint32_t flags,
                     enum tmem_result result, bool is_alone)
{
    uint64_t *at = model_content(spot);
    uint64_t old = *at;
    struct tmem_counters *counted = &spot->pool->counted;
    bool keeps = (flags & TMEM_PUT_KEEP) != 0;
    counted->puts++;
    if (result == TMEM_OK) {
        if (spot->client->is_frozen)
            model_fail(world, "put: a frozen client's page was stored");
        counted->puts_stored++;
        counted->puts_replaced += old != 0;
        *at = content;
        return;
    }
    counted->puts_refused++;
    check_refusal(world, spot, old, result, is_alone);
    if (result == TMEM_KEPT) {
        if (!keeps || old == 0)
            model_fail(world, "put: kept, but %s", keeps ? "there was no page" : "nobody asked for it");
        world->kept++;
        return;
    }
    if (keeps && old != 0)
        model_fail(world, "put: asked to keep, but '%s'", tmem_result_text(result));
    counted->puts_dropped_old += old != 0;
    *at = 0;
}

static uint32_t draw_put_flags(struct model_draw *draw, const struct model_pool *pool)
{
    return model_is_persistent(pool) && model_chance(draw, 8) ? TMEM_PUT_KEEP : TMEM_PUT_PLAIN;
}

void model_put(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    if (!model_draw_spot(world, draw, &spot))
        return;
    uint64_t content = content_draw(model_random(draw));
    uint32_t flags = draw_put_flags(draw, spot.pool);
    struct tmem_object_id id = model_object_id(spot.object);
    content_fill(content, world->pages[0]);
    put_done(world, &spot, content, flags,
             tmem_put(spot.member, &id, model_page_index(spot.page), world->pages[0], flags), true);
    if (spot.client->cap_bytes != UINT64_MAX && model_chance(draw, 4))
        model_check_charge(world, spot.client);
}

/* ---- get ---- */

static bool is_exclusive(const struct model_pool *pool, enum tmem_get_mode mode)
{
    if (mode == TMEM_GET_DEFAULT)
        return !model_is_persistent(pool) && !model_is_shared(pool);
    return mode == TMEM_GET_EXCLUSIVE;
}

static void get_done(struct world *world, const struct model_spot *spot, enum tmem_get_mode mode,
                     enum tmem_result result, const void *page)
{
    uint64_t *at = model_content(spot);
    spot->pool->counted.gets++;
    if (result == TMEM_OK) {
        if (*at == 0)
            model_fail(world, "get: found a page where there is none");
        if (page != NULL && !content_matches(*at, page))
            model_fail(world, "get: not the page that was stored");
        spot->pool->counted.gets_found++;
        world->found++;
        if (is_exclusive(spot->pool, mode))
            *at = 0;
        return;
    }
    if (result != TMEM_MISS)
        model_fail(world, "get: answered '%s'", tmem_result_text(result));
    if (*at != 0 && model_is_persistent(spot->pool))
        model_fail(world, "get: missed a page of a persistent pool");
    world->missed++;
    world->evicted += *at != 0;
    *at = 0;
}

static enum tmem_get_mode draw_get_mode(struct model_draw *draw)
{
    static const enum tmem_get_mode modes[] = {TMEM_GET_DEFAULT, TMEM_GET_DEFAULT, TMEM_GET_DEFAULT,
                                               TMEM_GET_INCLUSIVE, TMEM_GET_INCLUSIVE, TMEM_GET_INCLUSIVE,
                                               TMEM_GET_INCLUSIVE, TMEM_GET_EXCLUSIVE};
    return modes[model_below(draw, sizeof modes / sizeof modes[0])];
}

/* Draws a page that should be there, if a few tries find one: most gets are of pages that were put. */
static bool draw_present(struct world *world, struct model_draw *draw, struct model_spot *spot)
{
    bool is_drawn = model_draw_spot(world, draw, spot);
    for (unsigned tries = model_below(draw, 8); tries > 0 && is_drawn && *model_content(spot) == 0; tries--)
        is_drawn = model_draw_spot(world, draw, spot);
    return is_drawn;
}

void model_get(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    if (!draw_present(world, draw, &spot))
        return;
    enum tmem_get_mode mode = draw_get_mode(draw);
    struct tmem_object_id id = model_object_id(spot.object);
    get_done(world, &spot, mode, tmem_get(spot.member, &id, model_page_index(spot.page), world->pages[0], mode),
             world->pages[0]);
}

/* ---- batches ---- */

/* A batch is a run of pages, sometimes with one of them named again. */
static unsigned draw_batch(struct world *world, struct model_draw *draw, const struct model_spot *first,
                           struct model_spot *spots, struct tmem_io *io)
{
    unsigned count = 1u + model_below(draw, model_chance(draw, 4) ? MODEL_BATCH : 16u);
    for (unsigned i = 0; i < count; i++) {
        spots[i] = *first;
        spots[i].page = (first->page + i) % MODEL_PAGES;
        if (i > 0 && model_chance(draw, 12))
            spots[i] = spots[model_below(draw, i)];
        io[i].object = model_object_id(spots[i].object);
        io[i].index = model_page_index(spots[i].page);
        io[i].result = TMEM_RESULT_COUNT;
        io[i].page = world->pages[i];
    }
    return count;
}

void model_put_many(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    struct model_spot spots[MODEL_BATCH];
    struct tmem_io io[MODEL_BATCH];
    uint64_t content[MODEL_BATCH];
    if (!model_draw_spot(world, draw, &spot))
        return;
    uint32_t flags = draw_put_flags(draw, spot.pool);
    unsigned count = draw_batch(world, draw, &spot, spots, io);
    for (unsigned i = 0; i < count; i++) {
        content[i] = content_draw(model_random(draw));
        content_fill(content[i], world->pages[i]);
    }
    enum tmem_result result = tmem_put_many(spot.member, io, count, flags);
    if (result != TMEM_OK)
        model_fail(world, "put_many: answered '%s'", tmem_result_text(result));
    for (unsigned i = 0; i < count; i++)
        put_done(world, &spots[i], content[i], flags, io[i].result, false);
    model_check_charge(world, spot.client);
}

void model_get_many(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    struct model_spot spots[MODEL_BATCH];
    struct tmem_io io[MODEL_BATCH];
    if (!model_draw_spot(world, draw, &spot))
        return;
    enum tmem_get_mode mode = draw_get_mode(draw);
    unsigned count = draw_batch(world, draw, &spot, spots, io);
    enum tmem_result result = tmem_get_many(spot.member, io, count, mode);
    if (result != TMEM_OK)
        model_fail(world, "get_many: answered '%s'", tmem_result_text(result));
    for (unsigned i = 0; i < count; i++)
        get_done(world, &spots[i], mode, io[i].result, io[i].page);
}

/* ---- invalidate ---- */

void model_invalidate_page(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    if (!model_draw_spot(world, draw, &spot))
        return;
    struct tmem_object_id id = model_object_id(spot.object);
    uint64_t *at = model_content(&spot);
    enum tmem_result result = tmem_invalidate_page(spot.member, &id, model_page_index(spot.page));
    if (result != TMEM_OK && result != TMEM_MISS)
        model_fail(world, "invalidate page: answered '%s'", tmem_result_text(result));
    if (result == TMEM_OK && *at == 0)
        model_fail(world, "invalidate page: removed a page where there is none");
    if (result == TMEM_MISS && *at != 0 && model_is_persistent(spot.pool))
        model_fail(world, "invalidate page: missed a page of a persistent pool");
    spot.pool->counted.invalidates++;
    spot.pool->counted.invalidates_found += result == TMEM_OK;
    *at = 0;
}

void model_invalidate_object(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    if (!model_draw_spot(world, draw, &spot))
        return;
    struct tmem_object_id id = model_object_id(spot.object);
    uint64_t *contents = spot.pool->content + spot.object * MODEL_PAGES;
    bool has_pages = false;
    for (unsigned i = 0; i < MODEL_PAGES; i++)
        has_pages = has_pages || contents[i] != 0;
    enum tmem_result result = tmem_invalidate_object(spot.member, &id);
    if (result != TMEM_OK && result != TMEM_MISS)
        model_fail(world, "invalidate object: answered '%s'", tmem_result_text(result));
    if (result == TMEM_OK && !has_pages)
        model_fail(world, "invalidate object: removed something where there is nothing");
    if (result == TMEM_MISS && has_pages && model_is_persistent(spot.pool))
        model_fail(world, "invalidate object: missed pages of a persistent pool");
    spot.pool->counted.object_invalidates++;
    spot.pool->counted.object_invalidates_found += result == TMEM_OK;
    memset(contents, 0, MODEL_PAGES * sizeof *contents);
}

/* ---- stored form ---- */

void model_get_stored(struct world *world, struct model_draw *draw)
{
    struct model_spot spot;
    struct tmem_stored stored;
    if (!draw_present(world, draw, &spot))
        return;
    struct tmem_object_id id = model_object_id(spot.object);
    enum tmem_result result = tmem_get_stored(spot.member, &id, model_page_index(spot.page), &stored);
    get_done(world, &spot, TMEM_GET_INCLUSIVE, result, NULL);
    if (result != TMEM_OK)
        return;
    if (stored.size_bytes == 0 || stored.size_bytes > TMEM_STORED_MAX)
        model_fail(world, "get_stored: a page of %u bytes", stored.size_bytes);
    if ((stored.codec == TMEM_CODEC_SAME) != content_is_same_filled(*model_content(&spot)))
        model_fail(world, "get_stored: codec %u for a page that is%s same-filled", stored.codec,
                   content_is_same_filled(*model_content(&spot)) ? "" : " not");
    if (stored.codec == TMEM_CODEC_RAW && !content_matches(*model_content(&spot), stored.bytes))
        model_fail(world, "get_stored: not the page that was stored");
}

/* Damaged stored pages must change nothing. */
static void put_damaged(struct world *world, struct model_draw *draw, const struct model_spot *spot,
                        struct tmem_stored *stored)
{
    struct tmem_object_id id = model_object_id(spot->object);
    unsigned bit = model_below(draw, stored->size_bytes * 8u);
    stored->bytes[bit / 8u] ^= (unsigned char)(1u << bit % 8u);
    enum tmem_result result = tmem_put_stored(spot->member, &id, model_page_index(spot->page), stored, 0);
    if (result != TMEM_INVALID)
        model_fail(world, "put_stored: damaged bytes answered '%s'", tmem_result_text(result));
}

/* Takes a page out in its stored form, and puts it somewhere else, perhaps in another pool. */
void model_put_stored(struct world *world, struct model_draw *draw)
{
    struct model_spot from;
    struct model_spot to;
    struct tmem_stored stored;
    if (!draw_present(world, draw, &from) || !model_draw_spot(world, draw, &to))
        return;
    struct tmem_object_id id = model_object_id(from.object);
    enum tmem_result result = tmem_get_stored(from.member, &id, model_page_index(from.page), &stored);
    get_done(world, &from, TMEM_GET_INCLUSIVE, result, NULL);
    if (result != TMEM_OK)
        return;
    uint64_t content = *model_content(&from);
    uint32_t flags = draw_put_flags(draw, to.pool);
    id = model_object_id(to.object);
    result = tmem_put_stored(to.member, &id, model_page_index(to.page), &stored, flags);
    put_done(world, &to, content, flags, result, true);
    if (model_chance(draw, 4))
        put_damaged(world, draw, &to, &stored);
}

/* ---- walk ---- */

static void list_key(struct world *world, const struct model_spot *spot, const struct tmem_key *key, uint8_t *listed)
{
    struct model_spot at = *spot;
    if (!model_find_key(key, &at.object, &at.page))
        model_fail(world, "walk: a key that was never put");
    if (*model_content(&at) == 0)
        model_fail(world, "walk: a page where there is none");
    if (listed[at.object * MODEL_PAGES + at.page]++ != 0)
        model_fail(world, "walk: a page twice, and the store did not grow");
}

void model_walk(struct world *world, struct model_draw *draw)
{
    static uint8_t listed[MODEL_OBJECTS * MODEL_PAGES];
    static struct tmem_key keys[512];
    struct model_spot spot;
    struct tmem_cursor cursor = TMEM_CURSOR_INIT;
    enum tmem_result result = TMEM_OK;
    if (!model_draw_spot(world, draw, &spot))
        return;
    memset(listed, 0, sizeof listed);
    for (unsigned steps = 0; result == TMEM_OK; steps++) {
        size_t capacity = 64u + model_below(draw, 448);
        size_t count = 0;
        result = tmem_walk(spot.member, &cursor, keys, capacity, &count);
        if (count > capacity || (result == TMEM_MISS && count != 0))
            model_fail(world, "walk: %zu keys where %zu fit, '%s'", count, capacity, tmem_result_text(result));
        for (size_t i = 0; i < count; i++)
            list_key(world, &spot, &keys[i], listed);
        if (steps > 1000000)
            model_fail(world, "walk: no end");
    }
    if (result != TMEM_MISS)
        model_fail(world, "walk: answered '%s'", tmem_result_text(result));
    for (unsigned i = 0; i < MODEL_OBJECTS * MODEL_PAGES && model_is_persistent(spot.pool); i++)
        if (spot.pool->content[i] != 0 && listed[i] == 0)
            model_fail(world, "walk: a page of a persistent pool is not listed");
}
