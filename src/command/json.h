/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - writes JSON into a buffer, and reads back flat objects that it wrote.
 *
 * The writer never allocates and never overruns: what does not fit is counted, and
 * tm_json_end() says so. Commas come by themselves. Strings are escaped; bytes that are no valid
 * UTF-8 become U+FFFD, because file names may hold anything and JSON may not.
 */
#ifndef TM_COMMAND_JSON_H
#define TM_COMMAND_JSON_H

#include "base/base.h"

struct tm_json {
    char *buffer;
    size_t capacity;
    size_t used; /* may exceed capacity: what would have been needed */
    bool comma;  /* the next value needs one */
};

/* tm_json_begin - start writing into @buffer, which the caller keeps. */
void tm_json_begin(struct tm_json *json, char *buffer, size_t capacity);

/* tm_json_end - NUL-terminate. True when everything did fit. */
bool tm_json_end(struct tm_json *json) TM_MUST_USE;

/* A name of NULL writes the value alone: at the top, or in an array. */
void tm_json_open_object(struct tm_json *json, const char *name);
void tm_json_close_object(struct tm_json *json);
void tm_json_open_array(struct tm_json *json, const char *name);
void tm_json_close_array(struct tm_json *json);
void tm_json_string(struct tm_json *json, const char *name, const char *value);
void tm_json_unsigned(struct tm_json *json, const char *name, uint64_t value);
void tm_json_boolean(struct tm_json *json, const char *name, bool value);
void tm_json_null(struct tm_json *json, const char *name);

/* A number with @decimals (0 ... 9) digits after the point. Not a number becomes null. */
void tm_json_decimal(struct tm_json *json, const char *name, double value, unsigned decimals);

/*
 * tm_json_find_unsigned - the member @name of the flat object @text, as an integer. False when it
 * is not there, or no unsigned integer.
 */
bool tm_json_find_unsigned(const char *text, const char *name, uint64_t *value) TM_MUST_USE;

/* tm_json_find_decimal - the same for any number. */
bool tm_json_find_decimal(const char *text, const char *name, double *value) TM_MUST_USE;

/* tm_json_find_string - the same for a string, unescaped into @value; false also when it does not
 * fit. Escapes beyond ASCII become '?'. */
bool tm_json_find_string(const char *text, const char *name, char *value, size_t value_size) TM_MUST_USE;

#endif
