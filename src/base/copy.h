/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.h - copies rows of words that lie in memory, not in cache.
 *
 * Compilers turn a copy of unknown length into one string instruction where they may, which neither looks ahead nor
 * gets up to speed within a few KiB.
 */
#ifndef TM_BASE_COPY_H
#define TM_BASE_COPY_H

#include "base/base.h"

struct tm_line {
    uint64_t word[8];
};

/* Copies @bytes, a multiple of 8, between places that are aligned to 8 and do not overlap. */
static inline void tm_copy_words(void *to, const void *from, size_t bytes)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    for (; bytes >= sizeof(struct tm_line); bytes -= sizeof(struct tm_line)) {
        struct tm_line line;
        __builtin_memcpy(&line, in, sizeof line);
        __builtin_memcpy(out, &line, sizeof line);
        in += sizeof line;
        out += sizeof line;
    }
    for (; bytes != 0; bytes -= sizeof(uint64_t)) {
        __builtin_memcpy(out, in, sizeof(uint64_t));
        in += sizeof(uint64_t);
        out += sizeof(uint64_t);
    }
}

#endif
