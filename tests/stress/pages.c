/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c - pages that describe themselves. */
#include <string.h>

#include "stress.h"

#define MARK UINT64_C(0x7374726573732121)
#define WORDS (TMEM_PAGE_SIZE / sizeof(uint64_t))

uint64_t stress_family(unsigned pool, unsigned object, unsigned page)
{
    return ((uint64_t)pool * STRESS_OBJECTS + object) * STRESS_PAGES + page / STRESS_FAMILY;
}

struct tmem_object_id stress_object(unsigned object)
{
    return (struct tmem_object_id){{content_scatter(object), object, object % 3u == 0 ? 0 : UINT64_MAX}};
}

/* Some pages are one repeated word: it has to say everything. 52 bits of it do; the others make it a word that fits a
 * slot, or one that does not. */
static uint64_t same_word(uint64_t family, uint64_t version, bool fits)
{
    return family << 26 | version | (fits ? 0 : UINT64_C(0x5a1) << 52);
}

void stress_page_fill(uint64_t family, uint64_t version, void *page)
{
    uint64_t *words = page;
    uint64_t random = content_scatter(family << 26 | version);
    unsigned kind = (unsigned)(random >> 40) % 8u;
    if (kind < 2) {
        uint64_t word = same_word(family, version, kind == 0);
        for (unsigned i = 0; i < WORDS; i++)
            words[i] = word;
        return;
    }
    content_fill((random | 15u) - (kind < 5 ? 6u : kind < 7 ? 8u
                                                            : 0u),
                 page); /* mixed, text, random */
    words[0] = MARK;
    words[1] = family;
    words[2] = version;
}

uint64_t stress_page_version(uint64_t family, const void *page)
{
    uint64_t expected[WORDS];
    const uint64_t *words = page;
    uint64_t version = words[0] == MARK ? words[2] : words[0] & ((UINT64_C(1) << 26) - 1u);
    if (version == 0 || version >> 26 != 0)
        return 0;
    stress_page_fill(family, version, expected);
    return memcmp(expected, page, sizeof expected) == 0 ? version : 0;
}
