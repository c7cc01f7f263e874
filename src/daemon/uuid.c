/* SPDX-License-Identifier: BSD-2-Clause */
/* uuid.c - see uuid.h. */
#include "daemon/uuid.h"

#include <inttypes.h>
#include <stdio.h>

#define DIGITS 32u

/* -1: it is no digit. */
static int digit_of(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    if (letter >= 'a' && letter <= 'f')
        return letter - 'a' + 10;
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

bool tm_uuid_parse(const char *text, struct tmem_uuid *uuid)
{
    struct tmem_uuid read = {{0, 0}};
    unsigned digits = 0;
    for (bool was_hyphen = true; *text != '\0'; text++) {
        int digit = digit_of(*text);
        bool is_hyphen = *text == '-';
        if ((is_hyphen && was_hyphen) || (!is_hyphen && (digit < 0 || digits == DIGITS)))
            return false;
        was_hyphen = is_hyphen;
        if (is_hyphen)
            continue;
        uint64_t *word = &read.word[digits < DIGITS / 2u ? 1 : 0];
        *word = *word << 4 | (unsigned)digit;
        digits++;
    }
    if (digits != DIGITS || text[-1] == '-')
        return false;
    *uuid = read;
    return true;
}

const char *tm_uuid_format(const struct tmem_uuid *uuid, char text[static TM_UUID_TEXT_SIZE])
{
    uint64_t high = uuid->word[1];
    uint64_t low = uuid->word[0];
    (void)snprintf(text, TM_UUID_TEXT_SIZE, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                   high >> 32, high >> 16 & 0xffffu, high & 0xffffu, low >> 48, low & UINT64_C(0xffffffffffff));
    return text;
}
