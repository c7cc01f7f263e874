/* SPDX-License-Identifier: BSD-2-Clause */
/* json.c - a JSON writer, and a reader of the flat objects that it writes. */
#include "command/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_byte(struct tm_json *json, char byte)
{
    if (json->used < json->capacity)
        json->buffer[json->used] = byte;
    json->used++;
}

static void add_text(struct tm_json *json, const char *text)
{
    while (*text != '\0')
        add_byte(json, *text++);
}

/* The length of the valid UTF-8 sequence at @bytes, 0 where there is none. NUL-terminated, so that
 * no continuation is looked for behind the end. */
static unsigned utf8_length(const unsigned char *bytes)
{
    unsigned char first = bytes[0];
    if (first < 0x80)
        return 1;
    unsigned length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3
                                                        : 2;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    for (unsigned i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    /* Over-long forms, surrogates, and beyond U+10FFFF show in the second byte. */
    if ((first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] >= 0xa0) ||
        (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] >= 0x90))
        return 0;
    return length;
}

static void add_quoted(struct tm_json *json, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    add_byte(json, '"');
    while (*at != '\0') {
        unsigned length = utf8_length(at);
        if (length == 0) {
            add_text(json, "\\ufffd");
            at++;
        } else if (*at == '"' || *at == '\\') {
            add_byte(json, '\\');
            add_byte(json, (char)*at++);
        } else if (*at < 0x20 || *at == 0x7f) {
            char escape[8];
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*at++);
            add_text(json, escape);
        } else {
            for (unsigned i = 0; i < length; i++)
                add_byte(json, (char)*at++);
        }
    }
    add_byte(json, '"');
}

static void begin_value(struct tm_json *json, const char *name)
{
    if (json->comma)
        add_text(json, ", ");
    json->comma = true;
    if (name != NULL) {
        add_quoted(json, name);
        add_text(json, ": ");
    }
}

void tm_json_begin(struct tm_json *json, char *buffer, size_t capacity)
{
    *json = (struct tm_json){.buffer = buffer, .capacity = capacity};
}

bool tm_json_end(struct tm_json *json)
{
    bool fits = json->used < json->capacity;
    if (json->capacity > 0)
        json->buffer[fits ? json->used : json->capacity - 1u] = '\0';
    return fits;
}

static void open_group(struct tm_json *json, const char *name, char bracket)
{
    begin_value(json, name);
    add_byte(json, bracket);
    json->comma = false;
}

static void close_group(struct tm_json *json, char bracket)
{
    add_byte(json, bracket);
    json->comma = true;
}

void tm_json_open_object(struct tm_json *json, const char *name)
{
    open_group(json, name, '{');
}

void tm_json_close_object(struct tm_json *json)
{
    close_group(json, '}');
}

void tm_json_open_array(struct tm_json *json, const char *name)
{
    open_group(json, name, '[');
}

void tm_json_close_array(struct tm_json *json)
{
    close_group(json, ']');
}

void tm_json_string(struct tm_json *json, const char *name, const char *value)
{
    begin_value(json, name);
    add_quoted(json, value);
}

void tm_json_unsigned(struct tm_json *json, const char *name, uint64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    begin_value(json, name);
    add_text(json, digits);
}

void tm_json_boolean(struct tm_json *json, const char *name, bool value)
{
    begin_value(json, name);
    add_text(json, value ? "true" : "false");
}

void tm_json_null(struct tm_json *json, const char *name)
{
    begin_value(json, name);
    add_text(json, "null");
}

void tm_json_decimal(struct tm_json *json, const char *name, double value, unsigned decimals)
{
    char digits[352]; /* the longest double without an exponent has 309 digits before the point */
    if (!isfinite(value)) {
        tm_json_null(json, name);
        return;
    }
    (void)snprintf(digits, sizeof digits, "%.*f", (int)(decimals < 9 ? decimals : 9), value);
    begin_value(json, name);
    add_text(json, digits);
}

/* Behind the string that begins at @at with a quote; NULL where it has no end. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return NULL;
}

/* The value of member @name of a flat object, or NULL. A string in the place of a value is skipped
 * whole, so that its content is never taken for a name. */
static const char *find_member(const char *text, const char *name)
{
    size_t name_length = strlen(name);
    const char *at = strchr(text, '{');
    if (at == NULL)
        return NULL;
    at++;
    for (;;) {
        at += strspn(at, " ,\n");
        if (*at != '"')
            return NULL;
        const char *behind = skip_string(at);
        if (behind == NULL || *behind != ':')
            return NULL;
        bool same = (size_t)(behind - at) == name_length + 2u && memcmp(at + 1, name, name_length) == 0;
        at = behind + 1 + strspn(behind + 1, " ");
        if (same)
            return at;
        at = *at == '"' ? skip_string(at) : at + strcspn(at, ",}");
        if (at == NULL)
            return NULL;
    }
}

bool tm_json_find_unsigned(const char *text, const char *name, uint64_t *value)
{
    const char *at = find_member(text, name);
    if (at == NULL || *at < '0' || *at > '9')
        return false;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (!tm_mul_u64(number, 10, &number) || !tm_add_u64(number, (uint64_t)(*at - '0'), &number))
            return false;
    if (*at == '.' || *at == 'e' || *at == 'E')
        return false;
    *value = number;
    return true;
}

bool tm_json_find_decimal(const char *text, const char *name, double *value)
{
    const char *at = find_member(text, name);
    if (at == NULL || ((*at < '0' || *at > '9') && *at != '-'))
        return false;
    char *end = NULL;
    double number = strtod(at, &end);
    if (end == at)
        return false;
    *value = number;
    return true;
}

bool tm_json_find_string(const char *text, const char *name, char *value, size_t value_size)
{
    const char *at = find_member(text, name);
    if (at == NULL || *at != '"')
        return false;
    size_t used = 0;
    for (at++; *at != '"'; at++) {
        char byte = *at;
        if (byte == '\0' || used + 1u >= value_size)
            return false;
        if (byte == '\\') {
            byte = *++at;
            if (byte == 'u') {
                unsigned code = 0;
                if (sscanf(at + 1, "%4x", &code) != 1 || strlen(at) < 5)
                    return false;
                byte = code > 0 && code < 0x80 ? (char)code : '?';
                at += 4;
            }
        }
        value[used++] = byte;
    }
    if (value_size == 0)
        return false;
    value[used] = '\0';
    return true;
}
