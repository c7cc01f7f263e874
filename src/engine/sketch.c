/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sketch.c - about how often a page was asked for lately, without remembering pages.
 *
 * A count-min sketch of 4-bit counters: a page's four counters lie in one cache line, and its estimate is the
 * least of them. Every so many events per page in the store, all counters are halved. The halving sweeps through
 * the lines in small steps; while it is under way, lines that it has not reached yet are read as half of what they
 * say and counted in twos, so that two pages can be compared at any time. Updates may be lost between threads; it is
 * advice.
 */
#include "base/mix.h"
#include "engine/engine_internal.h"

#define LINE_WORDS 8u
#define COUNTERS 4
#define PAGES_PER_LINE 8u
#define LINES_PER_EVENT 4u
#define BUNCH 16u /* events of one shard that are counted together */
#define COUNTER_MAX 15u

bool tm_sketch_start(struct tm_sketch *sketch, const struct tm_host *host, uint64_t pages)
{
    uint64_t lines = tm_min_u64(pages / PAGES_PER_LINE + 64u, UINT32_MAX);
    uint64_t bytes = lines * LINE_WORDS * sizeof(uint64_t);
    uint64_t *words = host->alloc(host->user, (size_t)bytes);
    if (words == NULL)
        return false;
    sketch->lines = (uint32_t)lines;
    sketch->bytes = bytes;
    sketch->hand = sketch->lines;
    sketch->period = lines * PAGES_PER_LINE;
    tm_store_release(&sketch->words, words);
    return true;
}

void tm_sketch_fini(struct tm_sketch *sketch, const struct tm_host *host)
{
    if (sketch->words != NULL)
        host->free(host->user, sketch->words, (size_t)sketch->bytes);
    sketch->words = NULL;
}

/* The counters, or NULL: there are none, and all pages look alike. */
static uint64_t *words_of(const struct tm_sketch *sketch)
{
    return tm_load_acquire(&sketch->words);
}

/* Where a page's counters are: which line, and in each pair of its words which nibble of which word. */
struct spot {
    uint32_t line;
    uint64_t *word[COUNTERS];
    unsigned shift[COUNTERS];
};

static uint64_t mix_page(uint32_t hash, unsigned number)
{
    return tm_scramble((uint64_t)hash << 6 | number);
}

static uint32_t line_of(const struct tm_sketch *sketch, uint64_t mixed)
{
    return (uint32_t)((mixed & UINT32_MAX) * sketch->lines >> 32);
}

static inline void find_spot(const struct tm_sketch *sketch, uint64_t *words, uint32_t hash, unsigned number,
                             struct spot *spot)
{
    uint64_t mixed = mix_page(hash, number);
    spot->line = line_of(sketch, mixed);
    uint64_t *line = &words[(uint64_t)spot->line * LINE_WORDS];
    unsigned bits = (unsigned)(mixed >> 32);
    TM_UNROLL(COUNTERS)
    for (unsigned i = 0; i < COUNTERS; i++, bits >>= 5) {
        spot->word[i] = &line[2u * i + (bits & 1u)];
        spot->shift[i] = (bits << 1) & 60u;
    }
}

void tm_sketch_prefetch(const struct tm_sketch *sketch, uint32_t hash, unsigned number)
{
    const uint64_t *words = words_of(sketch);
    if (words != NULL)
        tm_prefetch_write(&words[(uint64_t)line_of(sketch, mix_page(hash, number)) * LINE_WORDS]);
}

static inline unsigned counter(const struct spot *spot, unsigned i)
{
    return (unsigned)(tm_load_relaxed(spot->word[i]) >> spot->shift[i] & COUNTER_MAX);
}

static inline unsigned least(const unsigned value[COUNTERS])
{
    unsigned low = value[0] < value[1] ? value[0] : value[1];
    unsigned high = value[2] < value[3] ? value[2] : value[3];
    return low < high ? low : high;
}

static inline void read_counters(const struct spot *spot, unsigned value[COUNTERS])
{
    TM_UNROLL(COUNTERS)
    for (unsigned i = 0; i < COUNTERS; i++)
        value[i] = counter(spot, i);
}

static void halve_line(struct tm_sketch *sketch, uint32_t number)
{
    uint64_t *line = &sketch->words[(uint64_t)number * LINE_WORDS];
    for (unsigned i = 0; i < LINE_WORDS; i++)
        tm_store_relaxed(&line[i], tm_load_relaxed(&line[i]) >> 1 & UINT64_C(0x7777777777777777));
}

/* True while the line's counters are twice what they should be. */
static bool is_to_be_halved(const struct tm_sketch *sketch, uint32_t line)
{
    uint32_t hand = tm_load_relaxed(&sketch->hand);
    return hand < sketch->lines && line >= hand;
}

/* A bunch of events more: the sweep goes on, or begins when its time has come. */
static void age(struct tm_sketch *sketch)
{
    uint32_t hand = tm_load_relaxed(&sketch->hand);
    for (unsigned i = 0; i < BUNCH * LINES_PER_EVENT && hand < sketch->lines; i++) {
        if (tm_compare_exchange(&sketch->hand, &hand, hand + 1u))
            halve_line(sketch, hand++);
    }
    uint64_t event = tm_load_relaxed(&sketch->events) + BUNCH;
    bool begins = event >= tm_load_relaxed(&sketch->period) && hand >= sketch->lines;
    tm_store_relaxed(&sketch->events, begins ? 0 : event);
    if (begins)
        tm_store_relaxed(&sketch->hand, 0u);
}

void tm_sketch_set_period(struct tm_sketch *sketch, uint64_t events)
{
    tm_store_relaxed(&sketch->period, tm_max_u64(events, sketch->lines));
}

void tm_sketch_add(struct tm_sketch *sketch, unsigned shard, uint32_t hash, unsigned number)
{
    uint64_t *words = words_of(sketch);
    if (words == NULL)
        return;
    struct spot spot;
    unsigned value[COUNTERS];
    find_spot(sketch, words, hash, number, &spot);
    read_counters(&spot, value);
    unsigned now = least(value) + (is_to_be_halved(sketch, spot.line) ? 2u : 1u);
    if (now > COUNTER_MAX)
        now = COUNTER_MAX;
    TM_UNROLL(COUNTERS)
    for (unsigned i = 0; i < COUNTERS; i++)
        if (value[i] < now) {
            uint64_t more = (uint64_t)(now - value[i]) << spot.shift[i];
            tm_store_relaxed(spot.word[i], tm_load_relaxed(spot.word[i]) + more);
        }
    uint64_t *events = &sketch->shard[shard % TM_SHARDS].events;
    uint64_t event = tm_load_relaxed(events) + 1u;
    tm_store_relaxed(events, event);
    if (event % BUNCH == 0)
        age(sketch);
}

unsigned tm_sketch_estimate(const struct tm_sketch *sketch, uint32_t hash, unsigned number)
{
    struct spot spot;
    uint64_t *words = words_of(sketch);
    if (words == NULL)
        return 1;
    unsigned value[COUNTERS];
    find_spot(sketch, words, hash, number, &spot);
    read_counters(&spot, value);
    return least(value) >> is_to_be_halved(sketch, spot.line);
}
