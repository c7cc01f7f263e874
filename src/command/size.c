/* SPDX-License-Identifier: BSD-2-Clause */
/* size.c - reading and printing sizes in bytes. */
#include "command/size.h"

#include <stdio.h>
#include <string.h>

static const char units[] = "KMGTPE";

/* The shift of the unit that @text names, 0 for none; -1 where it is no unit. */
static int unit_shift(const char *text)
{
    if (text[0] == '\0' || strcmp(text, "B") == 0)
        return 0;
    char letter = text[0] >= 'a' && text[0] <= 'z' ? (char)(text[0] - 'a' + 'A') : text[0];
    const char *unit = strchr(units, letter);
    if (unit == NULL)
        return -1;
    if (text[1] != '\0' && strcmp(text + 1, "B") != 0 && strcmp(text + 1, "iB") != 0)
        return -1;
    return 10 * (int)(unit - units + 1);
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* Digits after the point that count; more are read and change nothing (2^-60 needs 19). */
#define FRACTION_DIGITS 18

/* Adds `0.digits` of 2^shift to *bytes. The digits are taken from the last to the first, so that
 * each step divides a number below ten units by ten: 10 x 2^60 still fits. */
static bool add_fraction(const char *digits, size_t count, int shift, uint64_t *bytes)
{
    uint64_t part = 0;
    if (count > FRACTION_DIGITS)
        count = FRACTION_DIGITS;
    for (size_t i = count; i > 0; i--) {
        uint64_t digit = (uint64_t)(digits[i - 1] - '0');
        part = ((digit << shift) + part) / 10u;
    }
    return tm_add_u64(*bytes, part, bytes);
}

enum tm_size_problem tm_size_parse_zero(const char *text, uint64_t *bytes)
{
    if (text[0] == '\0')
        return TM_SIZE_EMPTY;
    if (text[0] == '-' && is_digit(text[1]))
        return TM_SIZE_NEGATIVE;
    if (!is_digit(text[0]))
        return TM_SIZE_NOT_A_NUMBER;

    uint64_t value = 0;
    const char *at = text;
    for (; is_digit(*at); at++)
        if (!tm_mul_u64(value, 10, &value) || !tm_add_u64(value, (uint64_t)(*at - '0'), &value))
            return TM_SIZE_TOO_LARGE;

    const char *fraction = NULL;
    size_t fraction_digits = 0;
    if (*at == '.') {
        fraction = ++at;
        while (is_digit(*at))
            at++;
        fraction_digits = (size_t)(at - fraction);
        if (fraction_digits == 0)
            return TM_SIZE_NOT_A_NUMBER;
    }

    int shift = unit_shift(at);
    if (shift < 0)
        return TM_SIZE_UNKNOWN_UNIT;
    if (fraction != NULL && shift == 0)
        return TM_SIZE_FRACTION;
    if (!tm_mul_u64(value, UINT64_C(1) << shift, &value))
        return TM_SIZE_TOO_LARGE;
    if (fraction != NULL && !add_fraction(fraction, fraction_digits, shift, &value))
        return TM_SIZE_TOO_LARGE;
    *bytes = value;
    return TM_SIZE_OK;
}

enum tm_size_problem tm_size_parse(const char *text, uint64_t *bytes)
{
    uint64_t value = 0;
    enum tm_size_problem problem = tm_size_parse_zero(text, &value);
    if (problem != TM_SIZE_OK)
        return problem;
    if (value == 0)
        return TM_SIZE_ZERO;
    *bytes = value;
    return TM_SIZE_OK;
}

const char *tm_size_problem_text(enum tm_size_problem problem)
{
    switch (problem) {
    case TM_SIZE_OK:
        return "it is a size";
    case TM_SIZE_EMPTY:
        return "it is empty";
    case TM_SIZE_NOT_A_NUMBER:
        return "it is not a number";
    case TM_SIZE_NEGATIVE:
        return "it is negative";
    case TM_SIZE_UNKNOWN_UNIT:
        return "the unit is none of K, M, G, T, P, E";
    case TM_SIZE_TOO_LARGE:
        return "it does not fit 64 bits";
    case TM_SIZE_ZERO:
        return "it is zero";
    case TM_SIZE_FRACTION:
        return "it has a fraction but no unit";
    }
    return "unknown problem";
}

const char *tm_size_format(uint64_t bytes, char text[static TM_SIZE_TEXT])
{
    unsigned unit = 0; /* 0: bytes; then units[unit - 1] */
    uint64_t whole = bytes;
    while (unit < sizeof units - 1u && whole >= 1024u) {
        whole >>= 10;
        unit++;
    }
    if (unit == 0) {
        (void)snprintf(text, TM_SIZE_TEXT, "%u", (unsigned)bytes);
        return text;
    }
    uint64_t size = UINT64_C(1) << (10u * unit);
    uint64_t rest = bytes & (size - 1u);
    /* Tenths, to nearest; the last unit's rest is below 2^60, ten times it fits. */
    uint64_t tenths = (rest * 10u + size / 2u) >> (10u * unit);
    if (tenths == 10u) {
        whole++;
        tenths = 0;
    }
    if (whole == 1024u && unit < sizeof units - 1u) {
        whole = 1;
        unit++;
    }
    if (tenths == 0)
        (void)snprintf(text, TM_SIZE_TEXT, "%u%c", (unsigned)whole, units[unit - 1u]);
    else
        (void)snprintf(text, TM_SIZE_TEXT, "%u.%u%c", (unsigned)whole, (unsigned)tenths, units[unit - 1u]);
    return text;
}
