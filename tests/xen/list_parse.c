/* SPDX-License-Identifier: BSD-2-Clause */
/* list_parse.c - reads lists as the original's tools did, and checks that they can be read so. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/xen/list_parse.h"

static void take_pair(struct list_line *line, char *pair)
{
    char *colon = strchr(pair, ':');
    assert_true(line->pairs < LIST_PAIRS);
    if (colon == NULL || colon != pair + 2)
        fail_msg("'%s' of '%s' is no KEY:VALUE", pair, line->text);
    size_t length = strlen(colon + 1);
    assert_true(length > 0 && length < sizeof line->value[0]);
    memcpy(line->key[line->pairs], pair, 2);
    line->key[line->pairs][2] = 0;
    memcpy(line->value[line->pairs], colon + 1, length + 1);
    line->pairs++;
}

bool list_next(const char **text, struct list_line *line)
{
    char copy[LIST_LINE_BYTES];
    char *rest = NULL;
    if (**text == 0)
        return false;
    const char *end = strchr(*text, '\n');
    assert_non_null(end);
    size_t length = (size_t)(end - *text);
    assert_true(length > 0 && length + 1 < sizeof copy); /* with its end, in one piece */
    memset(line, 0, sizeof *line);
    memcpy(line->text, *text, length);
    line->kind = line->text[0];
    *text = end + 1;
    if (length == 1)
        return true;
    assert_int_equal(line->text[1], '=');
    memcpy(copy, line->text + 2, length - 1);
    for (char *pair = strtok_r(copy, ",", &rest); pair != NULL; pair = strtok_r(NULL, ",", &rest))
        take_pair(line, pair);
    assert_null(strstr(line->text, ",,"));
    assert_int_not_equal(line->text[length - 1], ',');
    return true;
}

static const char *find(const struct list_line *line, const char *key)
{
    const char *hit = strstr(line->text, key);
    return hit != NULL && hit[2] == ':' ? hit + 3 : NULL;
}

uint64_t list_value(const struct list_line *line, const char *key)
{
    const char *found = find(line, key);
    return found == NULL ? 0 : strtoull(found, NULL, key[0] == 'U' ? 16 : 10);
}

const char *list_type(const struct list_line *line)
{
    const char *found = find(line, "PT");
    assert_non_null(found);
    return found;
}

void list_expect_keys(const struct list_line *line, const char *keys)
{
    char found[4 * LIST_PAIRS] = "";
    size_t length = 0;
    for (unsigned i = 0; i < line->pairs; i++) {
        if (i > 0)
            found[length++] = ',';
        memcpy(found + length, line->key[i], 3);
        length += 2;
    }
    assert_string_equal(found, keys);
}

void list_expect_found(const struct list_line *line)
{
    for (unsigned i = 0; i < line->pairs; i++) {
        const char *found = find(line, line->key[i]);
        size_t length = strlen(line->value[i]);
        bool is_again = i > 0 && strcmp(line->key[i], line->key[i - 1]) == 0; /* the second, third ... sharer */
        if (is_again)
            continue;
        if (found == NULL || strncmp(found, line->value[i], length) != 0)
            fail_msg("the value of %s is not found in '%s'", line->key[i], line->text);
    }
}
