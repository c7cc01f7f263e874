/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sketch.c - about how often a page was asked for lately, without remembering pages.
 *
 * A count-min sketch of 4-bit counters: a page's four counters lie in one cache line, and its estimate is the
 * least of them. Ageing is a clock: every so many events one line's counters are halved, so that a full turn
 * takes about ten events per page the store can hold. Updates may be lost between threads; it is advice.
 */
#include "base/mix.h"
#include "engine/engine_internal.h"

#define LINE_WORDS 8u
#define COUNTERS 4u
#define PAGES_PER_LINE 16u
#define EVENTS_PER_PAGE 10u
#define COUNTER_MAX 15u

void tm_sketch_init(struct tm_sketch *sketch, const struct tm_host *host, uint64_t pages)
{
    uint64_t lines = 64;
    while (lines * PAGES_PER_LINE < pages && lines < UINT32_C(1) << 26)
        lines *= 2;
    sketch->lines = (uint32_t)lines;
    sketch->bytes = lines * LINE_WORDS * sizeof(uint64_t);
    sketch->events_per_line = EVENTS_PER_PAGE * PAGES_PER_LINE;
    sketch->words = host->alloc(host->user, (size_t)sketch->bytes);
    if (sketch->words == NULL)
        sketch->bytes = 0;
}

void tm_sketch_fini(struct tm_sketch *sketch, const struct tm_host *host)
{
    if (sketch->words != NULL)
        host->free(host->user, sketch->words, (size_t)sketch->bytes);
    sketch->words = NULL;
}

struct spot {
    uint64_t *word[COUNTERS];
    unsigned shift[COUNTERS];
};

static void find_spot(const struct tm_sketch *sketch, uint32_t hash, unsigned number, struct spot *spot)
{
    uint64_t mixed = tm_scramble((uint64_t)hash << 6 | number);
    uint64_t *line = &sketch->words[(uint64_t)((uint32_t)mixed & (sketch->lines - 1u)) * LINE_WORDS];
    uint64_t bits = mixed >> 32;
    for (unsigned i = 0; i < COUNTERS; i++, bits >>= 5) {
        spot->word[i] = &line[2u * i + (bits & 1u)];
        spot->shift[i] = (unsigned)(bits >> 1 & 15u) * 4u;
    }
}

void tm_sketch_prefetch(const struct tm_sketch *sketch, uint32_t hash, unsigned number)
{
    struct spot spot;
    if (sketch->words == NULL)
        return;
    find_spot(sketch, hash, number, &spot);
    tm_prefetch_write(spot.word[0]);
}

static unsigned counter(const struct spot *spot, unsigned i)
{
    return (unsigned)(tm_load_relaxed(spot->word[i]) >> spot->shift[i] & COUNTER_MAX);
}

static unsigned least(const struct spot *spot)
{
    unsigned value = counter(spot, 0);
    for (unsigned i = 1; i < COUNTERS; i++) {
        unsigned other = counter(spot, i);
        value = other < value ? other : value;
    }
    return value;
}

static void halve_line(struct tm_sketch *sketch, uint64_t number)
{
    uint64_t *line = &sketch->words[(number & (sketch->lines - 1u)) * LINE_WORDS];
    for (unsigned i = 0; i < LINE_WORDS; i++)
        tm_store_relaxed(&line[i], tm_load_relaxed(&line[i]) >> 1 & UINT64_C(0x7777777777777777));
}

void tm_sketch_add(struct tm_sketch *sketch, uint32_t hash, unsigned number)
{
    if (sketch->words == NULL)
        return;
    struct spot spot;
    find_spot(sketch, hash, number, &spot);
    unsigned value = least(&spot);
    for (unsigned i = 0; i < COUNTERS && value < COUNTER_MAX; i++)
        if (counter(&spot, i) == value)
            tm_store_relaxed(spot.word[i], tm_load_relaxed(spot.word[i]) + (UINT64_C(1) << spot.shift[i]));
    uint64_t event = tm_load_relaxed(&sketch->events) + 1u;
    tm_store_relaxed(&sketch->events, event);
    if (event % sketch->events_per_line == 0)
        halve_line(sketch, event / sketch->events_per_line);
}

unsigned tm_sketch_estimate(const struct tm_sketch *sketch, uint32_t hash, unsigned number)
{
    struct spot spot;
    if (sketch->words == NULL)
        return 1;
    find_spot(sketch, hash, number, &spot);
    return least(&spot);
}
