/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.h - pages that say what they are. A *value* is a number that is not 0; its page is a function of it, and
 * the value can be told from the page. What is torn, mixed or poisoned is no value's page.
 */
#ifndef TM_TEST_SIM_PAGE_H
#define TM_TEST_SIM_PAGE_H

#include <stdint.h>

/* How a value's page is made; the lowest three bits of the value. */
enum page_kind {
    PAGE_SMALL_WORD,  /* one repeated word that fits a slot */
    PAGE_DOUBLE_WORD, /* the same, one 32-bit number twice */
    PAGE_BIG_WORD,    /* one repeated word that needs a block */
    PAGE_SHORT,       /* encodes to few bytes */
    PAGE_MEDIUM,      /* encodes to about half */
    PAGE_RAW,         /* does not encode */
    PAGE_SHORT_TWIN,  /* as PAGE_SHORT and PAGE_RAW, of values that are used again and again */
    PAGE_RAW_TWIN,
    PAGE_KINDS
};

#define PAGE_BYTES 4096u
#define PAGE_SERIAL_MAX (UINT32_MAX >> 5)

static inline uint32_t page_value(uint32_t serial, enum page_kind kind)
{
    return serial << 3 | (uint32_t)kind;
}

static inline enum page_kind page_kind_of(uint32_t value)
{
    return (enum page_kind)(value & 7u);
}

/* Writes the page of @value: a serial from 1 to PAGE_SERIAL_MAX, and a kind. */
void page_make(uint32_t value, unsigned char *page);

/* The value of a page; 0: it is no value's page. */
uint32_t page_recognise(const unsigned char *page);

#endif
