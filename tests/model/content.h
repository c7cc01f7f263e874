/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * content.h - pages all of whose bytes follow from one 64-bit number, for tests that must know what to expect
 * without keeping it.
 *
 * A *content* is never 0. Its lowest bits say what the page is like: zeros, one repeated word of each kind that
 * a store treats differently, compressible to any degree, text, random, or all but equal to another page. The same
 * number makes the same page, so that equal pages come up by drawing from few numbers.
 */
#ifndef TMEM_TEST_CONTENT_H
#define TMEM_TEST_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

/* A bijection that scatters its argument: numbers that have nothing to do with each other from 1, 2, 3. */
uint64_t content_scatter(uint64_t number);

/* The next of a sequence of pseudo-random numbers. */
uint64_t content_next(uint64_t *state);

/* Turns any random number into a content of any kind; one of four comes up again and again. */
uint64_t content_draw(uint64_t random);

/* Writes the whole page, TMEM_PAGE_SIZE bytes, aligned to 8. */
void content_fill(uint64_t content, void *page);

/* True when all bytes of the page are what content_fill() writes. Keeps nothing between calls. */
bool content_matches(uint64_t content, const void *page);

/* True when the page is one 64-bit word repeated. */
bool content_is_same_filled(uint64_t content);

/* True when no codec makes it smaller and no other draw is likely to equal it. */
bool content_is_unique_and_random(uint64_t content);

#endif
