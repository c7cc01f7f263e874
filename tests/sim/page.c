/* SPDX-License-Identifier: BSD-2-Clause */
/* page.c - see page.h. */
#include "sim/page.h"

#include <string.h>

#include "base/mix.h"

#define MARK UINT64_C(0x70616765) /* the first word's upper half, where pages are not one repeated word */
#define DOUBLE_BIT 0x80000000u
#define BIG_BITS UINT64_C(0x9e37000000000000)
#define RUN_BYTES 100u /* short pages; the test codec repeats up to 130 */

static void repeat_word(unsigned char *page, uint64_t word)
{
    for (unsigned at = 0; at < PAGE_BYTES; at += sizeof word)
        memcpy(page + at, &word, sizeof word);
}

static void fill_random(unsigned char *page, unsigned from, unsigned to, uint32_t value)
{
    uint64_t state = tm_scramble(value);
    for (unsigned at = from; at < to; at += sizeof state) {
        uint64_t word = tm_random_next(&state);
        memcpy(page + at, &word, sizeof word);
    }
}

static void fill_runs(unsigned char *page, unsigned from, uint32_t value)
{
    for (unsigned at = from; at < PAGE_BYTES; at++)
        page[at] = (unsigned char)(tm_scramble((uint64_t)value << 32 | at / RUN_BYTES) | 1u);
}

void page_make(uint32_t value, unsigned char *page)
{
    uint64_t first = MARK << 32 | value;
    switch (page_kind_of(value)) {
    case PAGE_SMALL_WORD:
        repeat_word(page, value);
        return;
    case PAGE_DOUBLE_WORD:
        repeat_word(page, (uint64_t)(value | DOUBLE_BIT) << 32 | value | DOUBLE_BIT);
        return;
    case PAGE_BIG_WORD:
        repeat_word(page, BIG_BITS | value);
        return;
    case PAGE_SHORT:
    case PAGE_SHORT_TWIN:
        fill_runs(page, sizeof first, value);
        break;
    case PAGE_MEDIUM:
        fill_random(page, sizeof first, PAGE_BYTES / 2u, value);
        fill_runs(page, PAGE_BYTES / 2u, value);
        break;
    case PAGE_RAW:
    case PAGE_RAW_TWIN:
    case PAGE_KINDS:
        fill_random(page, sizeof first, PAGE_BYTES, value);
        break;
    }
    memcpy(page, &first, sizeof first);
}

/* The value that the page's first word claims. */
static uint32_t claimed(const unsigned char *page)
{
    uint64_t first;
    memcpy(&first, page, sizeof first);
    uint32_t high = (uint32_t)(first >> 32);
    uint32_t low = (uint32_t)first;
    if (high == 0 || high == MARK || high == BIG_BITS >> 32)
        return low;
    return high == low ? low & ~DOUBLE_BIT : 0;
}

uint32_t page_recognise(const unsigned char *page)
{
    unsigned char expected[PAGE_BYTES];
    uint32_t value = claimed(page);
    if (value >> 3 == 0 || value >> 3 > PAGE_SERIAL_MAX)
        return 0;
    page_make(value, expected);
    return memcmp(page, expected, PAGE_BYTES) == 0 ? value : 0;
}
