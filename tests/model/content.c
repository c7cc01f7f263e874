/* SPDX-License-Identifier: BSD-2-Clause */
/* content.c - pages from numbers, fast enough to be made again for every comparison. */
#include "content.h"

#include <string.h>
#include <tmem/tmem.h>

#define WORDS (TMEM_PAGE_SIZE / sizeof(uint64_t))
#define KINDS 16u
#define FEW 48u /* numbers that come up again and again */
#define UNIQUE_BIT (UINT64_C(1) << 63)

/* Lowest four bits of a content. */
enum kind {
    KIND_ZERO,
    KIND_SMALL,  /* a word that fits 56 bits, with a sign */
    KIND_TWICE,  /* a 32-bit number, twice */
    KIND_FULL,   /* any 64-bit word */
    KIND_SPARSE, /* zeros, but for a few words */
    KIND_LAST,   /* zeros, but for one byte at the end */
    KIND_NEAR,   /* a random page of few, with one byte changed */
    KIND_TEXT,   /* words of a small vocabulary */
    KIND_TEXT_TOO,
    KIND_MIXED, /* runs of random and of repeated words, to a degree */
    KIND_MIXED_TOO,
    KIND_MIXED_AGAIN,
    KIND_ALMOST, /* mixed, at the edge of what pays */
    KIND_RANDOM,
    KIND_RANDOM_TOO,
    KIND_RANDOM_AGAIN
};

uint64_t content_scatter(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

uint64_t content_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return content_scatter(*state);
}

uint64_t content_draw(uint64_t random)
{
    bool again = random >> 62 == 0;
    uint64_t kind = random & (KINDS - 1u);
    uint64_t number = random >> 8 & 0xffffffffffu;
    if (again)
        return 256u + (number % FEW << 8) + kind;
    return UNIQUE_BIT | number << 8 | kind;
}

static enum kind kind_of(uint64_t content)
{
    return (enum kind)(content & (KINDS - 1u));
}

bool content_is_same_filled(uint64_t content)
{
    return kind_of(content) <= KIND_FULL;
}

bool content_is_unique_and_random(uint64_t content)
{
    return kind_of(content) >= KIND_RANDOM && (content & UNIQUE_BIT) != 0;
}

/* ---- what pages are made of ---- */

/* Four sequences side by side, so that the processor does not wait for one. */
static void fill_random(uint64_t content, uint64_t *words)
{
    uint64_t lane[4];
    for (unsigned i = 0; i < 4; i++)
        lane[i] = content_scatter(content + i * UINT64_C(0x51ed270b5f1a9c3d)) | 1u;
    for (unsigned i = 0; i < WORDS; i += 4) {
        for (unsigned k = 0; k < 4; k++) {
            lane[k] ^= lane[k] << 13;
            lane[k] ^= lane[k] >> 7;
            lane[k] ^= lane[k] << 17;
            words[i + k] = lane[k];
        }
    }
}

static void fill_same(uint64_t word, uint64_t *words)
{
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = word;
}

static uint64_t same_word(uint64_t content)
{
    uint64_t random = content_scatter(content);
    switch (kind_of(content)) {
    case KIND_SMALL:
        return (random & 1u) != 0 ? random >> 9 : ~(random >> 9);
    case KIND_TWICE:
        return (random >> 32) << 32 | random >> 32;
    case KIND_FULL:
        return (random & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 62;
    default:
        return 0;
    }
}

static void fill_sparse(uint64_t content, uint64_t *words)
{
    uint64_t state = content;
    fill_same(0, words);
    for (uint64_t left = 1u + (content >> 8) % 24u; left > 0; left--) {
        uint64_t random = content_next(&state);
        words[random % WORDS] = random;
    }
}

static void fill_text(uint64_t content, uint64_t *words)
{
    uint64_t vocabulary[64];
    uint64_t state = content % 4096u; /* several pages share a vocabulary, as files of one kind do */
    for (unsigned i = 0; i < 64; i++)
        vocabulary[i] = (content_next(&state) & UINT64_C(0x1f1f1f1f1f1f1f1f)) | UINT64_C(0x6060606060606060);
    uint64_t random = 0;
    state = content;
    for (unsigned i = 0; i < WORDS; i++) {
        if (i % 10 == 0)
            random = content_next(&state);
        words[i] = vocabulary[random & 63u];
        random >>= 6;
    }
}

/* Of every 16 words @degree are random and the others alike. */
static void fill_mixed(uint64_t content, unsigned degree, uint64_t *words)
{
    uint64_t lane = content_scatter(content) | 1u;
    uint64_t repeated = content_scatter(content ^ UINT64_C(0xabcdef));
    for (unsigned i = 0; i < WORDS; i++) {
        if (i % 16 >= degree) {
            words[i] = repeated;
            continue;
        }
        lane ^= lane << 13;
        lane ^= lane >> 7;
        lane ^= lane << 17;
        words[i] = lane;
    }
}

/* A page of few with one byte changed, so that hashes of contents and comparisons must look at all of it. */
static void fill_near(uint64_t content, uint64_t *words)
{
    uint64_t random = content_scatter(content);
    fill_random(content >> 8 & 7u, words);
    ((unsigned char *)words)[random % TMEM_PAGE_SIZE] ^= (unsigned char)(1u + (random >> 32) % 255u);
}

void content_fill(uint64_t content, void *page)
{
    uint64_t *words = page;
    switch (kind_of(content)) {
    case KIND_ZERO:
    case KIND_SMALL:
    case KIND_TWICE:
    case KIND_FULL:
        fill_same(same_word(content), words);
        break;
    case KIND_SPARSE:
        fill_sparse(content, words);
        break;
    case KIND_LAST:
        fill_same(0, words);
        ((unsigned char *)page)[TMEM_PAGE_SIZE - 1u] = (unsigned char)(1u + (content >> 8) % 255u);
        break;
    case KIND_NEAR:
        fill_near(content, words);
        break;
    case KIND_TEXT:
    case KIND_TEXT_TOO:
        fill_text(content, words);
        break;
    case KIND_MIXED:
    case KIND_MIXED_TOO:
    case KIND_MIXED_AGAIN:
        fill_mixed(content, 1u + (unsigned)(content >> 8) % 12u, words);
        break;
    case KIND_ALMOST:
        fill_mixed(content, 13u + (unsigned)(content >> 8) % 3u, words);
        break;
    case KIND_RANDOM:
    case KIND_RANDOM_TOO:
    case KIND_RANDOM_AGAIN:
        fill_random(content, words);
        break;
    }
}

bool content_matches(uint64_t content, const void *page)
{
    uint64_t expected[WORDS];
    content_fill(content, expected);
    return memcmp(expected, page, sizeof expected) == 0;
}
