/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c - operations on pages, each noted in the history with what it answered. */
#include "sim/world.h"

static const uint32_t indices[SIM_INDICES] = {0, 1, 5, 17, 63, 64, 2, UINT32_MAX};

uint32_t sim_index(const struct sim_spot *spot)
{
    return spot->object < SIM_OBJECTS ? indices[spot->index] : spot->index;
}

/* ---- where ---- */

/* Draws a page of a pool that there is. False: there is no pool. */
static bool draw_spot(struct sim_world *world, struct sim_draw *draw, struct sim_spot *spot)
{
    unsigned first = (unsigned)sim_random(draw, SIM_POOLS * SIM_CLIENTS);
    spot->object = (unsigned)sim_random(draw, world->plan.objects);
    spot->index = (unsigned)sim_random(draw, world->plan.indices);
    for (unsigned i = 0; i < SIM_POOLS * SIM_CLIENTS; i++) {
        unsigned at = (first + i) % (SIM_POOLS * SIM_CLIENTS);
        struct sim_member *member = &world->member[at / SIM_CLIENTS][at % SIM_CLIENTS];
        if (member->handle == NULL || member->is_busy)
            continue;
        spot->pool = at / SIM_CLIENTS;
        spot->client = at % SIM_CLIENTS;
        spot->member = member;
        return true;
    }
    return false;
}

/* While an operation uses a member, nobody ends it. */
static void enter(struct sim_world *world, const struct sim_spot *spot)
{
    spot->member->users++;
    world->client[spot->client].users++;
}

static void leave(struct sim_world *world, const struct sim_spot *spot)
{
    spot->member->users--;
    world->client[spot->client].users--;
}

/* ---- what is known ---- */

/* NULL: ballast. */
static struct sim_known *known_at(struct sim_world *world, const struct sim_spot *spot)
{
    return spot->object < SIM_OBJECTS ? &world->known[spot->pool][spot->object][spot->index] : NULL;
}

/* Somebody begins to do something to the page. Answers what is known so far. */
static struct sim_known known_begin(struct sim_world *world, const struct sim_spot *spot)
{
    struct sim_known *known = known_at(world, spot);
    if (known == NULL)
        return (struct sim_known){.pool = 0};
    if (known->pool != spot->member->pool)
        *known = (struct sim_known){.pool = spot->member->pool};
    struct sim_known before = *known;
    known->begun++;
    return before;
}

/* Nobody else has done anything to the page since known_begin() answered @before. */
static bool is_alone(struct sim_world *world, const struct sim_spot *spot, const struct sim_known *before)
{
    const struct sim_known *known = known_at(world, spot);
    return known != NULL && known->pool == before->pool && before->begun == before->ended &&
           known->begun == before->begun + 1u;
}

/* The page is @value now, if nobody else did anything. */
static void known_end(struct sim_world *world, const struct sim_spot *spot, const struct sim_known *before,
                      uint32_t value)
{
    struct sim_known *known = known_at(world, spot);
    if (known == NULL || known->pool != before->pool)
        return;
    known->value = is_alone(world, spot, before) ? value : 0;
    known->ended++;
}

/* ---- one operation on one page ---- */

struct act {
    struct sim_spot spot;
    size_t deed;
    uint32_t value; /* of a put */
    uint32_t flags; /* put: TM_PUT_...; get: whether it is exclusive */
    uint32_t batch;
    struct sim_known before;
    bool was_frozen;
    uint32_t frozen_stamp;
};

static void begin_act(struct sim_world *world, struct act *act, unsigned chance)
{
    const struct sim_spot *spot = &act->spot;
    const struct sim_setting *frozen = &world->client[spot->client].frozen;
    struct deed deed = {.pool = spot->member->pool,
                        .object = spot->object,
                        .index = sim_index(spot),
                        .value = act->value,
                        .chance = (uint8_t)chance,
                        .batch = act->batch,
                        .who = (uint8_t)sim_who(),
                        .flags = (uint8_t)act->flags};
    act->before = known_begin(world, spot);
    act->was_frozen = frozen->is_on && frozen->changes == 0;
    act->frozen_stamp = frozen->changes == 0 ? frozen->stamp : UINT32_MAX;
    act->deed = history_begin(&world->history, &deed);
}

static void end_act(struct sim_world *world, struct act *act, enum deed_kind kind, uint32_t value, uint32_t left)
{
    history_end(&world->history, act->deed, kind, value);
    known_end(world, &act->spot, &act->before, left);
}

static bool was_unfrozen(struct sim_world *world, const struct act *act)
{
    const struct sim_setting *frozen = &world->client[act->spot.client].frozen;
    return !frozen->is_on && frozen->changes == 0 && frozen->stamp == act->frozen_stamp;
}

static bool stayed_frozen(struct sim_world *world, const struct act *act)
{
    const struct sim_setting *frozen = &world->client[act->spot.client].frozen;
    return act->was_frozen && frozen->changes == 0 && frozen->stamp == act->frozen_stamp;
}

/* ---- put ---- */

static uint32_t draw_value(struct sim_world *world, struct sim_draw *draw, enum page_kind kind)
{
    if (kind == PAGE_SHORT_TWIN || kind == PAGE_RAW_TWIN)
        return page_value(1u + (uint32_t)sim_random(draw, world->plan.twin_count), kind);
    TM_ASSERT(world->serial < PAGE_SERIAL_MAX);
    return page_value(++world->serial, kind);
}

static enum page_kind draw_page_kind(struct sim_world *world, struct sim_draw *draw)
{
    static const uint8_t unique[] = {PAGE_SMALL_WORD, PAGE_DOUBLE_WORD, PAGE_BIG_WORD, PAGE_SHORT,
                                     PAGE_MEDIUM, PAGE_RAW, PAGE_RAW, PAGE_RAW};
    uint64_t number = sim_random(draw, 16);
    uint64_t which = sim_random(draw, TM_ARRAY_SIZE(unique));
    if (number < world->plan.twins)
        return number % 2u == 0 || world->plan.theme == SIM_THEME_TWINS ? PAGE_RAW_TWIN : PAGE_SHORT_TWIN;
    if (world->plan.theme == SIM_THEME_COLD && sim_chance(draw, 2))
        return PAGE_SHORT;
    return (enum page_kind)unique[which];
}

static uint32_t draw_put_flags(struct sim_draw *draw, const struct sim_spot *spot)
{
    bool keeps = sim_chance(draw, 3);
    return keeps && sim_pool_is_persistent(spot->pool) ? TM_PUT_KEEP : TM_PUT_PLAIN;
}

static void begin_put(struct sim_world *world, struct act *act)
{
    bool keeps = (act->flags & TM_PUT_KEEP) != 0;
    begin_act(world, act, CHANCE_WRITE | (keeps ? 0u : CHANCE_REMOVE));
}

/* Law 1: a page that is no larger than the one it replaces is never refused for lack of room. */
static void check_refusal(struct sim_world *world, const struct act *act, enum tm_result result)
{
    uint32_t old = act->before.value;
    bool replaces = old != 0 && page_kind_of(old) == PAGE_RAW && is_alone(world, &act->spot, &act->before);
    if (replaces && sim_pool_is_persistent(act->spot.pool) && was_unfrozen(world, act) && sim_is_faultless(world))
        sim_fail("law 1: a put answered %d, although it replaces a page that is as large as any: pool %llu, object "
                 "%u, index %u",
                 (int)result, (unsigned long long)act->spot.member->pool, act->spot.object, sim_index(&act->spot));
}

static void end_put(struct sim_world *world, struct act *act, enum tm_result result)
{
    bool keeps = (act->flags & TM_PUT_KEEP) != 0;
    switch (result) {
    case TM_OK:
        if (stayed_frozen(world, act))
            sim_fail("a frozen client's page was stored");
        world->totals->stored++;
        end_act(world, act, DEED_WRITE, act->value, act->value);
        return;
    case TM_KEPT:
        if (!keeps)
            sim_fail("a put answered 'kept', and was not asked to keep");
        world->totals->kept++;
        check_refusal(world, act, result);
        end_act(world, act, DEED_PRESENT, act->value, act->before.value);
        return;
    case TM_REFUSED:
    case TM_NOMEM:
        *(result == TM_REFUSED ? &world->totals->refused : &world->totals->nomem) += 1u;
        check_refusal(world, act, result);
        end_act(world, act, keeps ? DEED_ABSENT : DEED_REMOVE, act->value, 0);
        return;
    case TM_INVALID: /* of a stored form */
        if (!sim_may_be_unreadable(world))
            sim_fail("a put said that its page is no page");
        end_act(world, act, DEED_NONE, act->value, act->before.value);
        return;
    default:
        sim_fail("a put answered %d", (int)result);
    }
}

void sim_put(struct sim_world *world, struct sim_draw *draw)
{
    struct act act = {.batch = 0};
    unsigned char *page = world->pages[sim_who()][0];
    if (!draw_spot(world, draw, &act.spot))
        return;
    act.value = draw_value(world, draw, draw_page_kind(world, draw));
    act.flags = draw_put_flags(draw, &act.spot);
    struct tm_object_id id = sim_object_id(world, act.spot.object);
    page_make(act.value, page);
    enter(world, &act.spot);
    begin_put(world, &act);
    end_put(world, &act, tm_page_put(act.spot.member->handle, &id, sim_index(&act.spot), page, act.flags));
    leave(world, &act.spot);
}

/* Draws the pages of a batch, all of one pool. Answers how many; 0: there is no pool. A page is drawn twice at most. */
static unsigned draw_batch(struct sim_world *world, struct sim_draw *draw, struct act act[SIM_BATCH])
{
    unsigned wanted = 2u + (unsigned)sim_random(draw, SIM_BATCH - 1u);
    unsigned drawn[SIM_OBJECTS][SIM_INDICES] = {{0}};
    unsigned count = 0;
    if (!draw_spot(world, draw, &act[0].spot))
        return 0;
    world->batches++;
    for (unsigned i = 0; i < wanted; i++) {
        unsigned object = (unsigned)sim_random(draw, world->plan.objects);
        unsigned index = (unsigned)sim_random(draw, world->plan.indices);
        if (drawn[object][index]++ >= 2u)
            continue;
        act[count].spot = act[0].spot;
        act[count].spot.object = object;
        act[count].spot.index = index;
        act[count].batch = world->batches;
        count++;
    }
    return count;
}

static struct tm_page_io page_io(struct sim_world *world, const struct act *act, unsigned number)
{
    return (struct tm_page_io){.object = sim_object_id(world, act->spot.object),
                               .index = sim_index(&act->spot),
                               .page = world->pages[sim_who()][number]};
}

void sim_put_many(struct sim_world *world, struct sim_draw *draw)
{
    struct act act[SIM_BATCH] = {{.batch = 0}};
    struct tm_page_io io[SIM_BATCH];
    unsigned count = draw_batch(world, draw, act);
    if (count == 0)
        return;
    uint32_t flags = draw_put_flags(draw, &act[0].spot);
    enter(world, &act[0].spot);
    for (unsigned i = 0; i < count; i++) {
        act[i].value = draw_value(world, draw, draw_page_kind(world, draw));
        act[i].flags = flags;
        page_make(act[i].value, world->pages[sim_who()][i]);
        io[i] = page_io(world, &act[i], i);
        begin_put(world, &act[i]);
    }
    tm_page_put_many(act[0].spot.member->handle, io, count, flags);
    for (unsigned i = 0; i < count; i++)
        end_put(world, &act[i], io[i].result);
    leave(world, &act[0].spot);
}

void sim_put_ballast(struct sim_world *world, struct sim_draw *draw, struct sim_spot *spot, enum page_kind kind)
{
    struct act act = {.spot = *spot, .value = draw_value(world, draw, kind)};
    struct tm_object_id id = sim_object_id(world, spot->object);
    page_make(act.value, world->pages[sim_who()][0]);
    begin_put(world, &act);
    end_put(world, &act, tm_page_put(spot->member->handle, &id, sim_index(spot), world->pages[sim_who()][0], 0));
}

#define FRESH_AT_ONCE 6u

void sim_put_fresh(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_spot spot;
    if (!draw_spot(world, draw, &spot))
        return;
    enter(world, &spot);
    for (unsigned i = 0; i < FRESH_AT_ONCE; i++) {
        spot.object = SIM_BALLAST + world->fresh_objects++;
        spot.index = 0;
        sim_put_ballast(world, draw, &spot, PAGE_SHORT);
        world->totals->fresh++;
    }
    leave(world, &spot);
}

/* ---- get ---- */

static enum tm_get_mode draw_mode(const struct sim_world *world, struct sim_draw *draw, const struct sim_spot *spot,
                                  uint32_t *is_exclusive)
{
    bool stays = world->plan.theme == SIM_THEME_COLD && !sim_chance(draw, 4);
    enum tm_get_mode mode = stays ? TM_GET_INCLUSIVE : (enum tm_get_mode)sim_random(draw, 3);
    bool by_default = !sim_pool_is_persistent(spot->pool) && !sim_pool_is_shared(spot->pool);
    *is_exclusive = mode == TM_GET_EXCLUSIVE || (mode == TM_GET_DEFAULT && by_default);
    return mode;
}

static void end_get(struct sim_world *world, struct act *act, enum tm_result result, const unsigned char *page)
{
    if (result == TM_MISS) {
        world->totals->missed++;
        end_act(world, act, DEED_ABSENT, 0, 0);
        return;
    }
    if (result == TM_CORRUPT && sim_may_be_unreadable(world) && sim_pool_is_persistent(act->spot.pool)) {
        world->totals->corrupt++;
        end_act(world, act, DEED_PRESENT, 0, act->before.value);
        return;
    }
    if (result != TM_OK)
        sim_fail("a get answered %d", (int)result);
    uint32_t value = page_recognise(page);
    if (value == 0)
        sim_fail("law 3: a get's page is no page that was ever put");
    world->totals->found++;
    world->totals->taken += act->flags;
    end_act(world, act, act->flags != 0 ? DEED_TAKE : DEED_READ, value, act->flags != 0 ? 0 : value);
}

static void get_once(struct sim_world *world, struct sim_draw *draw, const struct sim_spot *spot)
{
    struct act act = {.spot = *spot};
    unsigned char *page = world->pages[sim_who()][0];
    enum tm_get_mode mode = draw_mode(world, draw, &act.spot, &act.flags);
    struct tm_object_id id = sim_object_id(world, act.spot.object);
    enter(world, &act.spot);
    begin_act(world, &act, act.flags != 0 ? CHANCE_REMOVE : CHANCE_NOTHING);
    enum tm_result result = tm_page_get(act.spot.member->handle, &id, sim_index(&act.spot), page, mode);
    end_get(world, &act, result, page);
    leave(world, &act.spot);
}

/* What is wanted again is wanted more than once. */
void sim_get(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_spot spot;
    unsigned times = world->plan.theme == SIM_THEME_COLD ? 1u + (unsigned)sim_random(draw, 4) : 1u;
    if (!draw_spot(world, draw, &spot))
        return;
    for (; times > 0 && spot.member->handle != NULL && !spot.member->is_busy; times--)
        get_once(world, draw, &spot);
}

void sim_get_many(struct sim_world *world, struct sim_draw *draw)
{
    struct act act[SIM_BATCH] = {{.batch = 0}};
    struct tm_page_io io[SIM_BATCH];
    unsigned count = draw_batch(world, draw, act);
    if (count == 0)
        return;
    uint32_t is_exclusive;
    enum tm_get_mode mode = draw_mode(world, draw, &act[0].spot, &is_exclusive);
    enter(world, &act[0].spot);
    for (unsigned i = 0; i < count; i++) {
        act[i].flags = is_exclusive;
        io[i] = page_io(world, &act[i], i);
        begin_act(world, &act[i], is_exclusive != 0 ? CHANCE_REMOVE : CHANCE_NOTHING);
    }
    tm_page_get_many(act[0].spot.member->handle, io, count, mode);
    for (unsigned i = 0; i < count; i++)
        end_get(world, &act[i], io[i].result, io[i].page);
    leave(world, &act[0].spot);
}

void sim_look_at(struct sim_world *world, struct tm_member *member, const struct deed *handle)
{
    unsigned char *page = world->pages[sim_who()][0];
    struct deed deed = {.pool = handle->pool, .object = handle->object, .index = handle->index, .who = COROUTINES_MAX};
    struct tm_object_id id = sim_object_id(world, handle->object);
    size_t number = history_begin(&world->history, &deed);
    enum tm_result result = tm_page_get(member, &id, handle->index, page, TM_GET_INCLUSIVE);
    uint32_t value = result == TM_OK ? page_recognise(page) : 0;
    if (result != TM_OK && result != TM_MISS)
        sim_fail("at the end a get answered %d: pool %llu, object %u, index %u", (int)result,
                 (unsigned long long)handle->pool, handle->object, handle->index);
    if (result == TM_OK && value == 0)
        sim_fail("law 3: at the end a get's page is no page that was ever put");
    history_end(&world->history, number, result == TM_OK ? DEED_READ : DEED_ABSENT, value);
}

/* ---- stored forms ---- */

void sim_put_stored(struct sim_world *world, struct sim_draw *draw)
{
    struct act act = {.batch = 0};
    unsigned char *page = world->pages[sim_who()][0];
    unsigned char *coded = world->pages[sim_who()][1];
    const struct tm_codec *codec = &world->host.codec.codec;
    if (!draw_spot(world, draw, &act.spot))
        return;
    act.value = draw_value(world, draw, draw_page_kind(world, draw));
    act.flags = draw_put_flags(draw, &act.spot);
    struct tm_object_id id = sim_object_id(world, act.spot.object);
    page_make(act.value, page);
    enter(world, &act.spot);
    enum tm_codec_id form = TM_CODEC_RAW;
    uint32_t bytes = PAGE_BYTES;
    const unsigned char *body = page;
    if (page_kind_of(act.value) <= PAGE_BIG_WORD) {
        form = TM_CODEC_SAME;
        bytes = sizeof(uint64_t);
    } else {
        uint32_t encoded = (uint32_t)codec->encode(codec, world->codec_context[sim_who()], page, coded, &form);
        body = encoded != 0 ? coded : page;
        bytes = encoded != 0 ? encoded : PAGE_BYTES;
    }
    begin_put(world, &act);
    end_put(world, &act,
            tm_page_put_stored(act.spot.member->handle, &id, sim_index(&act.spot), form, body, bytes, act.flags));
    leave(world, &act.spot);
}

void sim_get_stored(struct sim_world *world, struct sim_draw *draw)
{
    struct act act = {.batch = 0};
    unsigned char *page = world->pages[sim_who()][0];
    unsigned char *body = world->pages[sim_who()][1];
    const struct tm_codec *codec = &world->host.codec.codec;
    if (!draw_spot(world, draw, &act.spot))
        return;
    enum tm_codec_id form = TM_CODEC_NONE;
    uint32_t bytes = 0;
    struct tm_object_id id = sim_object_id(world, act.spot.object);
    enter(world, &act.spot);
    begin_act(world, &act, CHANCE_NOTHING);
    enum tm_result result =
        tm_page_get_stored(act.spot.member->handle, &id, sim_index(&act.spot), &form, body, &bytes);
    world->is_spared[sim_who()] = true;
    if (result == TM_OK && !codec->decode(codec, world->codec_context[sim_who()], form, body, bytes, page))
        sim_fail("law 3: a stored form does not decode");
    world->is_spared[sim_who()] = false;
    end_get(world, &act, result, page);
    leave(world, &act.spot);
}

/* ---- invalidate ---- */

void sim_invalidate_page(struct sim_world *world, struct sim_draw *draw)
{
    struct act act = {.batch = 0};
    if (!draw_spot(world, draw, &act.spot))
        return;
    struct tm_object_id id = sim_object_id(world, act.spot.object);
    enter(world, &act.spot);
    begin_act(world, &act, CHANCE_REMOVE);
    enum tm_result result = tm_page_invalidate(act.spot.member->handle, &id, sim_index(&act.spot));
    if (result != TM_OK && result != TM_MISS)
        sim_fail("an invalidation answered %d", (int)result);
    world->totals->removed += result == TM_OK;
    end_act(world, &act, result == TM_OK ? DEED_REMOVE_PAGE : DEED_ABSENT, 0, 0);
    leave(world, &act.spot);
}

void sim_invalidate_object(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_spot spot;
    struct sim_known before[SIM_INDICES];
    if (!draw_spot(world, draw, &spot))
        return;
    struct tm_object_id id = sim_object_id(world, spot.object);
    struct wide_deed deed = {.pool = spot.member->pool, .object = spot.object, .who = (uint8_t)sim_who()};
    enter(world, &spot);
    size_t number = history_begin_wide(&world->history, &deed);
    for (spot.index = 0; spot.index < SIM_INDICES; spot.index++)
        before[spot.index] = known_begin(world, &spot);
    enum tm_result result = tm_object_invalidate(spot.member->handle, &id);
    if (result != TM_OK && result != TM_MISS)
        sim_fail("an object's invalidation answered %d", (int)result);
    history_end_wide(&world->history, number, result == TM_OK ? DEED_REMOVE_MANY : DEED_ABSENT);
    for (spot.index = 0; spot.index < SIM_INDICES; spot.index++)
        known_end(world, &spot, &before[spot.index], 0);
    leave(world, &spot);
}

/* ---- walk ---- */

#define WALK_KEYS 80u

/* Notes that the walk found these pages. */
static void note_keys(struct sim_world *world, const struct tm_page_key *keys, size_t count, uint64_t pool,
                      uint32_t walk, uint32_t begin)
{
    for (size_t i = 0; i < count; i++) {
        struct deed deed = {.pool = pool,
                            .index = keys[i].index,
                            .walk = walk,
                            .kind = DEED_PRESENT,
                            .who = (uint8_t)sim_who()};
        if (!sim_find_object(world, &keys[i].object, &deed.object))
            sim_fail("a walk found an object that nobody put");
        history_note(&world->history, &deed, begin);
    }
}

void sim_walk(struct sim_world *world, struct sim_draw *draw)
{
    struct sim_spot spot;
    struct tm_page_key keys[WALK_KEYS];
    uint64_t position[4] = {0};
    size_t count;
    if (!draw_spot(world, draw, &spot))
        return;
    uint32_t walk = ++world->walks;
    struct wide_deed deed = {.pool = spot.member->pool, .walk = walk, .who = (uint8_t)sim_who()};
    enter(world, &spot);
    size_t number = history_begin_wide(&world->history, &deed);
    uint32_t begin = world->history.wide[number].begin;
    while (tm_pool_walk(spot.member->handle, position, keys, WALK_KEYS, &count)) {
        note_keys(world, keys, count, spot.member->pool, walk, begin);
        begin = ++world->history.now;
    }
    note_keys(world, keys, count, spot.member->pool, walk, begin);
    history_end_wide(&world->history, number, DEED_ABSENT);
    world->totals->walks++;
    leave(world, &spot);
}
