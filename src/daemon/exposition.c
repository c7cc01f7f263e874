/* SPDX-License-Identifier: BSD-2-Clause */
/* exposition.c - see exposition.h. */
#include "daemon/exposition.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_CAPACITY 65536u
#define SECOND_NS UINT64_C(1000000000)

/* ---- text ---- */

static void append(struct tm_exposition *out, const char *bytes, size_t count)
{
    if (out->has_failed)
        return;
    if (out->capacity - out->length < count) {
        size_t capacity = out->capacity * 2u + count;
        char *text = realloc(out->text, capacity);
        out->has_failed = text == NULL;
        if (text == NULL)
            return;
        out->text = text;
        out->capacity = capacity;
    }
    memcpy(out->text + out->length, bytes, count);
    out->length += count;
}

static void append_text(struct tm_exposition *out, const char *text)
{
    append(out, text, strlen(text));
}

static TM_PRINTF(2, 3) void append_format(struct tm_exposition *out, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    TM_ASSERT(length >= 0 && length < (int)sizeof text);
    append(out, text, (size_t)length);
}

/* Backslashes, ends of lines and, where it is quoted, quotes. */
static void append_escaped(struct tm_exposition *out, const char *text, bool with_quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            append_text(out, "\\n");
        else {
            if (*text == '\\' || (*text == '"' && with_quotes))
                append_text(out, "\\");
            append(out, text, 1);
        }
    }
}

/* Nanoseconds as seconds, exactly, with at least one digit behind the point. */
static void append_seconds(struct tm_exposition *out, uint64_t ns)
{
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%09llu", (unsigned long long)(ns % SECOND_NS));
    for (size_t last = strlen(digits) - 1u; last > 0 && digits[last] == '0'; last--)
        digits[last] = '\0';
    append_format(out, "%llu.%s", (unsigned long long)(ns / SECOND_NS), digits);
}

/* ---- families ---- */

void tm_exposition_begin(struct tm_exposition *out, bool is_open_metrics)
{
    *out = (struct tm_exposition){.is_open_metrics = is_open_metrics, .capacity = FIRST_CAPACITY};
    out->text = malloc(out->capacity);
    out->has_failed = out->text == NULL;
}

/* What stands behind the family's name in its samples, and in the older format also in its own lines. */
static const char *suffix_of(enum tm_family_kind kind)
{
    if (kind == TM_FAMILY_COUNTER)
        return "_total";
    return kind == TM_FAMILY_INFO ? "_info" : "";
}

static const char *type_of(const struct tm_exposition *out)
{
    switch (out->kind) {
    case TM_FAMILY_GAUGE:
        return "gauge";
    case TM_FAMILY_COUNTER:
        return "counter";
    case TM_FAMILY_HISTOGRAM:
        return "histogram";
    case TM_FAMILY_SUMMARY:
        return "summary";
    case TM_FAMILY_INFO:
        return out->is_open_metrics ? "info" : "gauge";
    }
    return "unknown";
}

void tm_exposition_family(struct tm_exposition *out, enum tm_family_kind kind, const char *name, const char *help)
{
    const char *suffix = out->is_open_metrics ? "" : suffix_of(kind);
    out->family = name;
    out->kind = kind;
    append_text(out, "# HELP ");
    append_text(out, name);
    append_text(out, suffix);
    append_text(out, " ");
    append_escaped(out, help, out->is_open_metrics);
    append_text(out, "\n# TYPE ");
    append_text(out, name);
    append_text(out, suffix);
    append_text(out, " ");
    append_text(out, type_of(out));
    append_text(out, "\n");
}

/* ---- samples ---- */

static void append_label(struct tm_exposition *out, const struct tm_label *label, bool is_first)
{
    append_text(out, is_first ? "{" : ",");
    append_text(out, label->name);
    append_text(out, "=\"");
    append_escaped(out, label->value, true);
    append_text(out, "\"");
}

/* All before the value. @limit: of a histogram's bucket, or NULL. */
static void begin_sample(struct tm_exposition *out, const char *suffix, const struct tm_label *labels, unsigned count,
                         const struct tm_label *limit)
{
    append_text(out, out->family);
    append_text(out, suffix);
    for (unsigned i = 0; i < count; i++)
        append_label(out, &labels[i], i == 0);
    if (limit != NULL)
        append_label(out, limit, count == 0);
    append_text(out, count != 0 || limit != NULL ? "} " : " ");
}

static void append_number(struct tm_exposition *out, uint64_t value)
{
    append_format(out, "%llu\n", (unsigned long long)value);
}

void tm_exposition_number(struct tm_exposition *out, const struct tm_label *labels, unsigned count, uint64_t value)
{
    begin_sample(out, suffix_of(out->kind), labels, count, NULL);
    append_number(out, value);
}

void tm_exposition_seconds(struct tm_exposition *out, const struct tm_label *labels, unsigned count, uint64_t ns)
{
    begin_sample(out, suffix_of(out->kind), labels, count, NULL);
    append_seconds(out, ns);
    append_text(out, "\n");
}

void tm_exposition_summary(struct tm_exposition *out, const struct tm_label *labels, unsigned count, uint64_t events,
                           uint64_t sum_ns)
{
    begin_sample(out, "_sum", labels, count, NULL);
    append_seconds(out, sum_ns);
    append_text(out, "\n");
    begin_sample(out, "_count", labels, count, NULL);
    append_number(out, events);
}

void tm_exposition_histogram(struct tm_exposition *out, const struct tm_label *labels, unsigned count,
                             const struct tm_latency *latency)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < TM_LATENCY_BUCKETS; i++) {
        uint64_t limit_ns = tm_latency_limit_ns(i);
        char text[40] = "+Inf";
        const struct tm_label limit = {"le", text};
        seen += latency->count[i];
        if (limit_ns != UINT64_MAX && (limit_ns & (limit_ns - 1u)) != 0)
            continue; /* steps between powers of two are for quantiles */
        if (limit_ns != UINT64_MAX)
            (void)snprintf(text, sizeof text, "%.10g", (double)limit_ns / (double)SECOND_NS);
        begin_sample(out, "_bucket", labels, count, &limit);
        append_number(out, seen);
    }
    tm_exposition_summary(out, labels, count, seen, latency->sum_ns);
}

bool tm_exposition_end(struct tm_exposition *out)
{
    if (out->is_open_metrics)
        append_text(out, "# EOF\n");
    if (!out->has_failed)
        return true;
    free(out->text);
    out->text = NULL;
    return false;
}

/* ---- what is asked for ---- */

/* The value of a media range, in thousandths: 1000 where it says none. */
static unsigned value_of(const char *parameters, size_t length)
{
    for (size_t i = 0; i + 1u < length; i++) {
        if (parameters[i] != ';')
            continue;
        size_t at = i + 1u + strspn(parameters + i + 1u, " \t");
        if (at + 2u > length || strncasecmp(parameters + at, "q=", 2) != 0)
            continue;
        double value = strtod(parameters + at + 2u, NULL);
        return value <= 0.0 ? 0 : value >= 1.0 ? 1000u
                                               : (unsigned)(value * 1000.0);
    }
    return 1000;
}

static bool is_range(const char *text, size_t length, const char *range)
{
    size_t name = strcspn(text, ";, \t");
    return tm_min_u64(name, length) == strlen(range) && strncasecmp(text, range, strlen(range)) == 0;
}

bool tm_exposition_is_open_wanted(const char *accept)
{
    unsigned open = 0;
    unsigned plain = 0;
    while (accept != NULL && *accept != '\0') {
        accept += strspn(accept, ", \t");
        size_t length = strcspn(accept, ",");
        unsigned value = value_of(accept, length);
        if (is_range(accept, length, "application/openmetrics-text"))
            open = value > open ? value : open;
        else if (is_range(accept, length, "text/plain"))
            plain = value > plain ? value : plain;
        accept += length;
    }
    return open != 0 && open >= plain;
}
