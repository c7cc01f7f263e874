/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history.c - see history.h.
 *
 * The search goes through the begins and ends of a handle's deeds in order of time. It keeps all that may be
 * true: pairs of what the page is, and which of the deeds under way have taken effect. When a deed ends, it must
 * have taken effect: each pair in which it has not is continued by effects of deeds under way, in all orders, until it
 * has, or is dropped. When nothing is left, there is no order.
 */
#include "sim/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define UNDER_WAY_MAX 64u
#define STATES_MAX 16384u

/* ---- keeping ---- */

static void *grown(void *memory, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return memory;
    *room = *room == 0 ? 64 : *room * 2u;
    void *larger = realloc(memory, *room * size);
    if (larger == NULL) {
        fprintf(stderr, "no memory for a history\n");
        exit(1);
    }
    return larger;
}

void history_init(struct history *history)
{
    memset(history, 0, sizeof *history);
}

void history_fini(struct history *history)
{
    free(history->deeds);
    free(history->wide);
    history_init(history);
}

void history_persistent(struct history *history, uint64_t pool)
{
    TM_ASSERT(history->persistent_count < TM_ARRAY_SIZE(history->persistent));
    history->persistent[history->persistent_count++] = pool;
}

static bool is_persistent(const struct history *history, uint64_t pool)
{
    for (unsigned i = 0; i < history->persistent_count; i++)
        if (history->persistent[i] == pool)
            return true;
    return false;
}

size_t history_begin(struct history *history, const struct deed *deed)
{
    history->deeds = grown(history->deeds, history->count, &history->room, sizeof *history->deeds);
    history->deeds[history->count] = *deed;
    history->deeds[history->count].begin = ++history->now;
    return history->count++;
}

void history_end(struct history *history, size_t number, enum deed_kind kind, uint32_t value)
{
    struct deed *deed = &history->deeds[number];
    deed->end = ++history->now;
    deed->kind = (uint8_t)kind;
    deed->value = value;
}

void history_note(struct history *history, const struct deed *deed, uint32_t begin)
{
    size_t number = history_begin(history, deed);
    history->deeds[number].begin = begin;
    history->deeds[number].end = ++history->now;
}

size_t history_begin_wide(struct history *history, const struct wide_deed *deed)
{
    history->wide = grown(history->wide, history->wide_count, &history->wide_room, sizeof *history->wide);
    history->wide[history->wide_count] = *deed;
    history->wide[history->wide_count].begin = ++history->now;
    return history->wide_count++;
}

void history_end_wide(struct history *history, size_t number, enum deed_kind kind)
{
    history->wide[number].end = ++history->now;
    history->wide[number].kind = (uint8_t)kind;
}

void history_crash(struct history *history)
{
    history->crashed_at = ++history->now;
}

/* ---- the deeds of one handle ---- */

struct event {
    uint32_t time;
    uint32_t deed;
    bool is_end;
};

struct state {
    uint64_t done;  /* by place among those under way */
    uint32_t value; /* 0: there is no page */
};

struct search {
    const struct deed *deeds; /* of one handle */
    size_t count;
    bool is_persistent;
    uint32_t under_way[UNDER_WAY_MAX]; /* deed + 1; 0: free */
    struct state *states;
    size_t state_count;
    bool has_overflowed;
};

/* Adds a state, once. */
static void add_state(struct search *search, uint64_t done, uint32_t value)
{
    for (size_t i = 0; i < search->state_count; i++)
        if (search->states[i].done == done && search->states[i].value == value)
            return;
    if (search->state_count == STATES_MAX) {
        search->has_overflowed = true;
        return;
    }
    search->states[search->state_count++] = (struct state){done, value};
}

/* Adds what @state becomes by the deed at @place. */
static void apply(struct search *search, struct state state, unsigned place)
{
    const struct deed *deed = &search->deeds[search->under_way[place] - 1u];
    uint64_t done = state.done | UINT64_C(1) << place;
    switch ((enum deed_kind)deed->kind) {
    case DEED_WRITE:
        add_state(search, done, deed->value);
        break;
    case DEED_REMOVE:
        add_state(search, done, 0);
        break;
    case DEED_REMOVE_PAGE:
        if (state.value != 0)
            add_state(search, done, 0);
        break;
    case DEED_REMOVE_MANY:
        add_state(search, state.done, 0);
        add_state(search, done, 0);
        break;
    case DEED_TAKE:
        if (state.value == deed->value)
            add_state(search, done, 0);
        break;
    case DEED_READ:
        if (state.value == deed->value)
            add_state(search, done, state.value);
        break;
    case DEED_PRESENT:
        if (state.value != 0)
            add_state(search, done, state.value);
        break;
    case DEED_ABSENT:
        if (state.value == 0 || !search->is_persistent)
            add_state(search, done, 0);
        break;
    case DEED_PENDING:
        if ((deed->chance & CHANCE_WRITE) != 0)
            add_state(search, done, deed->value);
        if ((deed->chance & CHANCE_REMOVE) != 0)
            add_state(search, state.done, 0);
        break;
    case DEED_NONE:
    case DEED_KINDS:
        add_state(search, done, state.value);
        break;
    }
}

/* An earlier deed of the same batch has not taken effect yet. */
static bool must_wait(const struct search *search, struct state state, unsigned place)
{
    const struct deed *deed = &search->deeds[search->under_way[place] - 1u];
    for (unsigned other = 0; other < UNDER_WAY_MAX && deed->batch != 0; other++) {
        if (search->under_way[other] == 0 || (state.done >> other & 1u) != 0)
            continue;
        const struct deed *before = &search->deeds[search->under_way[other] - 1u];
        if (before->batch == deed->batch && before->begin < deed->begin)
            return true;
    }
    return false;
}

/* Continues every state until the deed at @place has taken effect; UNDER_WAY_MAX: by everything that may. */
static void expand(struct search *search, unsigned place)
{
    for (size_t i = 0; i < search->state_count; i++) {
        struct state state = search->states[i];
        if (place < UNDER_WAY_MAX && (state.done >> place & 1u) != 0)
            continue;
        for (unsigned other = 0; other < UNDER_WAY_MAX; other++)
            if (search->under_way[other] != 0 && (state.done >> other & 1u) == 0 && !must_wait(search, state, other))
                apply(search, state, other);
    }
}

/* The deed at @place is over: what it has not done, it never does. @must: states in which it has not are wrong. */
static void finish(struct search *search, unsigned place, bool must)
{
    size_t count = search->state_count;
    uint64_t bit = UINT64_C(1) << place;
    search->state_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct state state = search->states[i];
        if (!must || (state.done & bit) != 0)
            add_state(search, state.done & ~bit, state.value);
    }
    search->under_way[place] = 0;
}

static unsigned place_of(const struct search *search, uint32_t entry)
{
    unsigned place = 0;
    while (place < UNDER_WAY_MAX && search->under_way[place] != entry)
        place++;
    TM_ASSERT(place < UNDER_WAY_MAX);
    return place;
}

static int compare_events(const void *a, const void *b)
{
    const struct event *left = a;
    const struct event *right = b;
    if (left->time != right->time)
        return left->time < right->time ? -1 : 1;
    return (int)left->is_end - (int)right->is_end; /* what a walk found began with the walk */
}

/* Answers the deed at whose end nothing is left; @count: there is an order. */
static size_t search_order(struct search *search, const struct history *history)
{
    struct event *events = malloc((2u * search->count + 1u) * sizeof *events);
    size_t event_count = 0;
    size_t wrong = search->count;
    TM_ASSERT(events != NULL);
    for (uint32_t i = 0; i < search->count; i++) {
        const struct deed *deed = &search->deeds[i];
        events[event_count++] = (struct event){deed->begin, i, false};
        events[event_count++] = (struct event){deed->end != 0 ? deed->end : history->crashed_at, i, true};
    }
    qsort(events, event_count, sizeof *events, compare_events);
    search->state_count = 0;
    add_state(search, 0, 0);
    for (size_t i = 0; i < event_count && wrong == search->count && !search->has_overflowed; i++) {
        uint32_t number = events[i].deed;
        if (!events[i].is_end) {
            search->under_way[place_of(search, 0)] = number + 1u;
            continue;
        }
        bool was_cut_off = search->deeds[number].end == 0;
        unsigned place = place_of(search, number + 1u);
        expand(search, was_cut_off ? UNDER_WAY_MAX : place);
        finish(search, place, !was_cut_off);
        if (search->state_count == 0 && !search->has_overflowed)
            wrong = number;
    }
    free(events);
    return wrong;
}

/* ---- all handles ---- */

static int compare_deeds(const void *a, const void *b)
{
    const struct deed *left = a;
    const struct deed *right = b;
    if (left->pool != right->pool)
        return left->pool < right->pool ? -1 : 1;
    if (left->object != right->object)
        return left->object < right->object ? -1 : 1;
    if (left->index != right->index)
        return left->index < right->index ? -1 : 1;
    return left->begin < right->begin ? -1 : left->begin > right->begin;
}

static bool was_listed(const struct deed *deeds, size_t count, uint32_t walk)
{
    for (size_t i = 0; i < count; i++)
        if (deeds[i].walk == walk)
            return true;
    return false;
}

/* Adds what wide deeds mean for the handle of @deeds, of which there are @count. */
static size_t add_wide(const struct history *history, struct deed *deeds, size_t count)
{
    size_t all = count;
    for (size_t i = 0; i < history->wide_count; i++) {
        const struct wide_deed *wide = &history->wide[i];
        bool is_walk = wide->walk != 0;
        if (wide->pool != deeds->pool || (!is_walk && wide->object != deeds->object))
            continue;
        if (is_walk && (wide->end == 0 || wide->kind != DEED_ABSENT || was_listed(deeds, count, wide->walk)))
            continue;
        deeds[all] = (struct deed){.pool = deeds->pool,
                                   .object = deeds->object,
                                   .index = deeds->index,
                                   .begin = wide->begin,
                                   .end = wide->end,
                                   .kind = wide->kind,
                                   .chance = CHANCE_REMOVE,
                                   .who = wide->who};
        all++;
    }
    return all;
}

static void describe(const struct search *search, size_t wrong, char *text, size_t room)
{
    static const char *const names[DEED_KINDS] = {
        [DEED_PENDING] = "cut off",
        [DEED_WRITE] = "stored",
        [DEED_REMOVE] = "failed: none left",
        [DEED_REMOVE_PAGE] = "removed",
        [DEED_REMOVE_MANY] = "removed all of the object",
        [DEED_TAKE] = "took",
        [DEED_READ] = "read",
        [DEED_PRESENT] = "there was one",
        [DEED_ABSENT] = "there was none",
        [DEED_NONE] = "nothing",
    };
    const struct deed *first = search->deeds;
    int used = snprintf(text, room, "no order explains pool %llu (%s), object %u, index %u; * is when it became wrong:",
                        (unsigned long long)first->pool, search->is_persistent ? "persistent" : "ephemeral",
                        first->object, first->index);
    for (size_t i = 0; i < search->count && used > 0 && (size_t)used < room; i++) {
        const struct deed *deed = &search->deeds[i];
        used += snprintf(text + used, room - (size_t)used, "\n  %c %u ... %u  coroutine %u  %s %x (%u)",
                         i == wrong ? '*' : ' ', deed->begin, deed->end, deed->who, names[deed->kind], deed->value,
                         deed->flags);
    }
}

static bool check_handle(struct history *history, struct deed *deeds, size_t count, struct state *states, char *text,
                         size_t room)
{
    struct search search = {.deeds = deeds, .states = states};
    search.is_persistent = is_persistent(history, deeds->pool);
    search.count = add_wide(history, deeds, count);
    qsort(deeds, search.count, sizeof *deeds, compare_deeds);
    size_t wrong = search_order(&search, history);
    history->undecided += search.has_overflowed;
    if (wrong == search.count)
        return true;
    describe(&search, wrong, text, room);
    return false;
}

bool history_check(struct history *history, char *text, size_t room)
{
    struct state *states = malloc(STATES_MAX * sizeof *states);
    struct deed *deeds = malloc((history->count + history->wide_count + 1u) * sizeof *deeds);
    bool is_right = true;
    TM_ASSERT(states != NULL && deeds != NULL);
    if (history->count != 0)
        qsort(history->deeds, history->count, sizeof *history->deeds, compare_deeds);
    for (size_t first = 0, last; first < history->count && is_right; first = last) {
        const struct deed *at = &history->deeds[first];
        for (last = first + 1u; last < history->count; last++) {
            const struct deed *next = &history->deeds[last];
            if (next->pool != at->pool || next->object != at->object || next->index != at->index)
                break;
        }
        memcpy(deeds, at, (last - first) * sizeof *deeds);
        is_right = check_handle(history, deeds, last - first, states, text, room);
    }
    free(states);
    free(deeds);
    return is_right;
}
