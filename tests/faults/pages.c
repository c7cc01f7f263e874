/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c - operations on pages, and what each may answer. */
#include "faults.h"

#define NUMBERS 3u /* few, so that pages are equal */

/* ---- contents and places ---- */

faults_content faults_make_content(enum tm_test_sort sort, uint32_t number)
{
    return number << 4 | ((uint32_t)sort + 1u);
}

static void write_page(void *page, faults_content content)
{
    tm_test_page(page, (enum tm_test_sort)((content & 15u) - 1u), content >> 4);
}

static bool is_page(const void *page, faults_content content)
{
    unsigned char wanted[TM_PAGE_BYTES];
    write_page(wanted, content);
    return memcmp(page, wanted, sizeof wanted) == 0;
}

faults_content faults_draw_content(struct faults_world *world)
{
    enum tm_test_sort sort = (enum tm_test_sort)faults_below(world, TM_TEST_SORTS);
    return faults_make_content(sort, faults_below(world, NUMBERS));
}

/* Every second page of two neighbouring chunks, and a few far away. */
static uint32_t index_of(unsigned page)
{
    return page < FAULTS_PAGES - 4u ? page * 2u : UINT32_MAX - page;
}

static bool find_page(const struct tm_page_key *key, unsigned *object, unsigned *page)
{
    for (*object = 0; *object < FAULTS_OBJECTS; ++*object)
        for (*page = 0; *page < FAULTS_PAGES; ++*page)
            if (key->object.word[0] == *object && key->index == index_of(*page))
                return true;
    return false;
}

struct faults_spot faults_spot_at(struct faults_world *world, enum faults_pool_name name, unsigned object,
                                  unsigned page)
{
    struct faults_pool *pool = &world->pool[name];
    unsigned client = pool->member[0] == NULL ? 1u : 0u;
    if (pool->member[0] != NULL && pool->member[1] != NULL)
        client = (object + page) % 2u;
    return (struct faults_spot){
        .pool = pool,
        .member = pool->member[client],
        .client = client,
        .id = {{object, UINT64_MAX, 0}},
        .index = index_of(page),
        .content = &pool->content[object][page],
    };
}

struct faults_spot faults_draw_spot(struct faults_world *world, enum faults_pool_name pool)
{
    unsigned object = faults_below(world, FAULTS_OBJECTS);
    return faults_spot_at(world, pool, object, faults_below(world, FAULTS_PAGES));
}

uint64_t faults_pages_of(const struct faults_pool *pool)
{
    uint64_t pages = 0;
    for (unsigned object = 0; object < FAULTS_OBJECTS; object++)
        for (unsigned page = 0; page < FAULTS_PAGES; page++)
            pages += pool->content[object][page] != 0;
    return pages;
}

/* ---- puts ---- */

/* Law 1: what a put may have answered, and what is there now. */
static void note_put(const struct faults_world *world, const struct faults_spot *spot, faults_content content,
                     uint32_t flags, enum tm_result result)
{
    bool is_frozen = world->is_frozen[spot->client];
    bool may_fail = faults_met(world) || world->is_tight || is_frozen;
    bool keeps = (flags & TM_PUT_KEEP) != 0;
    if (result == TM_OK) {
        if (is_frozen)
            faults_fail(world, "put: a frozen client's was taken");
        *spot->content = content;
        return;
    }
    if (!may_fail)
        faults_fail(world, "put: answers %d though nothing failed", (int)result);
    if (result == TM_KEPT) {
        if (!keeps || *spot->content == 0)
            faults_fail(world, "put: says that a page was kept; there was none, or nobody asked for it");
        return;
    }
    if (result != TM_REFUSED && result != TM_NOMEM)
        faults_fail(world, "put: answers %d", (int)result);
    if (keeps && *spot->content != 0)
        faults_fail(world, "put: does not say that the older page was kept");
    *spot->content = 0;
}

enum tm_result faults_put(struct faults_world *world, const struct faults_spot *spot, faults_content content,
                          uint32_t flags)
{
    unsigned char page[TM_PAGE_BYTES];
    write_page(page, content);
    faults_begin(world);
    enum tm_result result = tm_page_put(spot->member, &spot->id, spot->index, page, flags);
    note_put(world, spot, content, flags, result);
    faults_end(world);
    return result;
}

void faults_put_many(struct faults_world *world, enum faults_pool_name name, unsigned count, uint32_t flags)
{
    static unsigned char pages[FAULTS_BATCH][TM_PAGE_BYTES];
    struct tm_page_io io[FAULTS_BATCH];
    struct faults_spot spots[FAULTS_BATCH];
    faults_content contents[FAULTS_BATCH];
    struct faults_spot first = faults_draw_spot(world, name);
    for (unsigned i = 0; i < count; i++) {
        spots[i] = faults_draw_spot(world, name);
        contents[i] = faults_draw_content(world);
        write_page(pages[i], contents[i]);
        io[i] = (struct tm_page_io){.object = spots[i].id, .index = spots[i].index, .page = pages[i]};
    }
    faults_begin(world);
    tm_page_put_many(first.member, io, count, flags);
    for (unsigned i = 0; i < count; i++) {
        spots[i].client = first.client;
        note_put(world, &spots[i], contents[i], flags, io[i].result);
    }
    faults_end(world);
}

/* ---- gets ---- */

/* Laws 2 to 5: what a get may have answered, and what is there now. */
static void note_get(const struct faults_world *world, const struct faults_spot *spot, const void *page,
                     enum tm_get_mode mode, enum tm_result result)
{
    const struct faults_pool *pool = spot->pool;
    bool is_exclusive = mode == TM_GET_DEFAULT ? pool->flags == 0 : mode == TM_GET_EXCLUSIVE;
    bool may_be_missing = !faults_is_persistent(pool) || *spot->content == 0;
    switch (result) {
    case TM_OK:
        if (*spot->content == 0)
            faults_fail(world, "get: a page that had gone is there again");
        if (!is_page(page, *spot->content))
            faults_fail(world, "get: not the page that was stored last");
        if (is_exclusive)
            *spot->content = 0;
        return;
    case TM_MISS:
        if (!may_be_missing)
            faults_fail(world, "get: a page of a persistent pool is missing");
        *spot->content = 0;
        return;
    case TM_CORRUPT:
        if (may_be_missing || !faults_met(world))
            faults_fail(world, "get: says that the page is damaged; it is not");
        return;
    default:
        faults_fail(world, "get: answers %d", (int)result);
    }
}

enum tm_result faults_get(struct faults_world *world, const struct faults_spot *spot, enum tm_get_mode mode)
{
    unsigned char page[TM_PAGE_BYTES];
    faults_begin(world);
    enum tm_result result = tm_page_get(spot->member, &spot->id, spot->index, page, mode);
    note_get(world, spot, page, mode, result);
    faults_end(world);
    return result;
}

void faults_get_many(struct faults_world *world, enum faults_pool_name name, unsigned count, enum tm_get_mode mode)
{
    static unsigned char pages[FAULTS_BATCH][TM_PAGE_BYTES];
    struct tm_page_io io[FAULTS_BATCH];
    struct faults_spot spots[FAULTS_BATCH];
    struct tm_member *member = faults_spot_at(world, name, 0, 0).member;
    for (unsigned i = 0; i < count; i++) {
        spots[i] = faults_draw_spot(world, name);
        io[i] = (struct tm_page_io){.object = spots[i].id, .index = spots[i].index, .page = pages[i]};
    }
    faults_begin(world);
    tm_page_get_many(member, io, count, mode);
    /* The batch looks for pages together, so of two exclusive gets of one page either may be the one that gets it. */
    static const enum tm_result order[] = {TM_CORRUPT, TM_OK, TM_MISS};
    for (unsigned turn = 0; turn < TM_ARRAY_SIZE(order); turn++)
        for (unsigned i = 0; i < count; i++)
            if (io[i].result == order[turn])
                note_get(world, &spots[i], pages[i], mode, io[i].result);
    for (unsigned i = 0; i < count; i++)
        if (io[i].result > TM_CORRUPT || io[i].result == TM_REFUSED || io[i].result == TM_KEPT ||
            io[i].result == TM_NOMEM)
            faults_fail(world, "get_many: answers %d", (int)io[i].result);
    faults_end(world);
}

/* ---- stored form ---- */

void faults_copy_stored(struct faults_world *world, const struct faults_spot *from, const struct faults_spot *to,
                        uint32_t flags)
{
    unsigned char body[TM_PAGE_BYTES];
    enum tm_codec_id codec = TM_CODEC_NONE;
    uint32_t bytes = 0;
    faults_begin(world);
    enum tm_result result = tm_page_get_stored(from->member, &from->id, from->index, &codec, body, &bytes);
    faults_end(world);
    if (result != TM_OK) {
        note_get(world, from, body, TM_GET_INCLUSIVE, result);
        return;
    }
    if (*from->content == 0)
        faults_fail(world, "get_stored: a page that had gone is there again");
    faults_content content = *from->content;
    faults_begin(world);
    result = tm_page_put_stored(to->member, &to->id, to->index, codec, body, bytes, flags);
    if (result != TM_INVALID)
        note_put(world, to, content, flags, result);
    else if (!faults_met(world))
        faults_fail(world, "put_stored: does not take what get_stored gave");
    if (tm_page_put_stored(to->member, &to->id, to->index, TM_CODEC_RAW, body, 17, flags) != TM_INVALID)
        faults_fail(world, "put_stored: takes what is not a page");
    faults_end(world);
}

/* ---- invalidations and walks ---- */

void faults_invalidate_page(struct faults_world *world, const struct faults_spot *spot)
{
    faults_begin(world);
    enum tm_result result = tm_page_invalidate(spot->member, &spot->id, spot->index);
    bool is_there = *spot->content != 0;
    bool fits = result == TM_OK ? is_there : !is_there || !faults_is_persistent(spot->pool);
    if ((result != TM_OK && result != TM_MISS) || !fits)
        faults_fail(world, "invalidate_page: answers %d", (int)result);
    *spot->content = 0;
    faults_end(world);
}

void faults_invalidate_object(struct faults_world *world, enum faults_pool_name name, unsigned object)
{
    struct faults_spot spot = faults_spot_at(world, name, object, 0);
    unsigned pages = 0;
    for (unsigned page = 0; page < FAULTS_PAGES; page++)
        pages += spot.pool->content[object][page] != 0;
    faults_begin(world);
    enum tm_result result = tm_object_invalidate(spot.member, &spot.id);
    bool fits = result == TM_OK ? pages != 0 : pages == 0 || !faults_is_persistent(spot.pool);
    if ((result != TM_OK && result != TM_MISS) || !fits)
        faults_fail(world, "invalidate_object: answers %d for %u pages", (int)result, pages);
    memset(spot.pool->content[object], 0, sizeof spot.pool->content[object]);
    faults_end(world);
}

void faults_walk(struct faults_world *world, enum faults_pool_name name)
{
    struct faults_pool *pool = &world->pool[name];
    struct tm_member *member = faults_spot_at(world, name, 0, 0).member;
    struct tm_page_key keys[TM_CHUNK_PAGES];
    uint64_t position[4] = {0};
    uint64_t listed = 0;
    size_t count;
    faults_begin(world);
    while (tm_pool_walk(member, position, keys, TM_ARRAY_SIZE(keys), &count)) {
        for (size_t i = 0; i < count; i++) {
            unsigned object;
            unsigned page;
            if (!find_page(&keys[i], &object, &page) || pool->content[object][page] == 0)
                faults_fail(world, "walk: lists a page that is not there");
        }
        listed += count;
    }
    uint64_t pages = faults_pages_of(pool);
    if (listed > pages || (faults_is_persistent(pool) && listed != pages))
        faults_fail(world, "walk: %llu pages listed, must be %llu", (unsigned long long)listed,
                    (unsigned long long)pages);
    faults_end(world);
}
