/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list_parse.h - reads a list as the tools of the original did: the first place of a line where the two letters of a
 * key are, wherever that is, must be followed by a colon; if it is not, or there is none, the value is 0.
 */
#ifndef TMEM_TEST_XEN_LIST_PARSE_H
#define TMEM_TEST_XEN_LIST_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIST_LINE_BYTES 4096u /* what the tools read at once */
#define LIST_PAIRS 80u

struct list_line {
    char kind; /* G, S, C, P; T has no "=" and no pairs */
    char text[LIST_LINE_BYTES];
    unsigned pairs;
    char key[LIST_PAIRS][3]; /* as they stand there */
    char value[LIST_PAIRS][24];
};

/* Reads the next line of a list and moves on. False: it is over. Fails the test if the line is not whole or not of
 * the grammar: KIND=KEY:VALUE,KEY:VALUE... with keys of two letters. */
bool list_next(const char **text, struct list_line *line);

/* As the tools do: decimal, or hexadecimal for U0 and U1. */
uint64_t list_value(const struct list_line *line, const char *key);
/* The two letters of PT. */
const char *list_type(const struct list_line *line);

/* Asserts that the keys are these, in this order: "CI,PI,PT". */
void list_expect_keys(const struct list_line *line, const char *keys);
/* Asserts that the tools find each value that stands there. */
void list_expect_found(const struct list_line *line);

#endif
