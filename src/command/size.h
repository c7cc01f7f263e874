/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * size.h - sizes in bytes as people write them, both ways: `4096`, `512M`, `1.5G`.
 *
 * Units are powers of 1024: K, M, G, T, P, E, in either case, optionally followed by `B` or `iB`.
 */
#ifndef TM_COMMAND_SIZE_H
#define TM_COMMAND_SIZE_H

#include "base/base.h"

enum tm_size_problem {
    TM_SIZE_OK = 0,
    TM_SIZE_EMPTY,
    TM_SIZE_NOT_A_NUMBER,
    TM_SIZE_NEGATIVE,
    TM_SIZE_UNKNOWN_UNIT,
    TM_SIZE_TOO_LARGE,
    TM_SIZE_ZERO,
    TM_SIZE_FRACTION, /* a fraction of a byte: `1.5` without a unit */
};

/*
 * tm_size_parse - read a size that must be at least one byte.
 *
 * Writes *bytes only for TM_SIZE_OK. A fraction is taken to the byte, rounded down. No spaces, no
 * signs, decimal point whatever the locale is.
 */
enum tm_size_problem tm_size_parse(const char *text, uint64_t *bytes) TM_MUST_USE;

/* tm_size_parse_zero - the same, but 0 is a size. */
enum tm_size_problem tm_size_parse_zero(const char *text, uint64_t *bytes) TM_MUST_USE;

/* tm_size_problem_text - what is wrong, as in "not a size: <text>". Constant. */
const char *tm_size_problem_text(enum tm_size_problem problem);

/* Bytes that tm_size_format() writes at most. */
#define TM_SIZE_TEXT 16u

/*
 * tm_size_format - print @bytes for a person: exactly where a unit fits (`512M`), else with one
 * decimal (`1.5G`), rounded to nearest. Returns @text. What it prints, tm_size_parse() reads.
 */
const char *tm_size_format(uint64_t bytes, char text[static TM_SIZE_TEXT]);

#endif
