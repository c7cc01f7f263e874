/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bytes.h - numbers as bytes, lowest first, whatever the machine's own order and alignment are: for what leaves the
 * machine.
 */
#ifndef TM_BYTES_H
#define TM_BYTES_H

#include "base/base.h"

/* Writes the lowest @size bytes of @number. */
static inline void tm_bytes_put(unsigned char *to, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (unsigned char)(number >> 8u * i);
}

/* The number that @size bytes stand for. */
static inline uint64_t tm_bytes_get(const unsigned char *from, unsigned size)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < size; i++)
        number |= (uint64_t)from[i] << 8u * i;
    return number;
}

#endif
