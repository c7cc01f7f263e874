/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - see report.h. */
#include "report.h"

#include "command/json.h"
#include "command/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 1024u

/* ---- lines ---- */

/* A line that is put together piece by piece; what does not fit is cut. */
struct line {
    char text[LINE_SIZE];
    size_t used;
};

static void add(struct line *line, const char *format, ...) TM_PRINTF(2, 3);

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->used, sizeof line->text - line->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->used += (size_t)tm_min_u64((uint64_t)length, sizeof line->text - line->used - 1u);
}

static enum tm_exit print(struct line *line)
{
    enum tm_exit code = tm_print_stdout(line->text);
    line->used = 0;
    line->text[0] = '\0';
    return code;
}

static enum tm_exit print_json(struct tm_json *json, char *line)
{
    tm_json_close_object(json);
    if (!tm_json_end(json))
        return tm_fail(TM_EXIT_FAILED, "a row is longer than a line");
    size_t length = strlen(line);
    memcpy(line + length, "\n", 2);
    return tm_print_stdout(line);
}

static void begin_json(struct tm_json *json, char line[static LINE_SIZE])
{
    tm_json_begin(json, line, LINE_SIZE - 1u);
    tm_json_open_object(json, NULL);
}

static const char *way_of(const struct policy_class *class)
{
    return class->is_behind ? "behind-cache" : "direct";
}

/* ---- traces ---- */

static enum tm_exit print_trace_json(const struct policy_trace *trace)
{
    char text[LINE_SIZE];
    struct tm_json json;
    begin_json(&json, text);
    tm_json_string(&json, "trace", trace->name);
    tm_json_unsigned(&json, "accesses", trace->stream.count);
    tm_json_unsigned(&json, "pages", trace->stream.pages);
    tm_json_unsigned(&json, "files", trace->stream.files);
    tm_json_decimal(&json, "seconds", trace->seconds, 1);
    return print_json(&json, text);
}

static enum tm_exit print_trace(const struct policy_trace *trace)
{
    char read[TM_SIZE_TEXT];
    char distinct[TM_SIZE_TEXT];
    struct line line = {.used = 0};
    add(&line, "%-10s %10llu %8s %10lu %8s %8lu %8.1f\n", trace->name, (unsigned long long)trace->stream.count,
        tm_size_format(trace->stream.count * TM_PAGE_BYTES, read), (unsigned long)trace->stream.pages,
        tm_size_format((uint64_t)trace->stream.pages * TM_PAGE_BYTES, distinct), (unsigned long)trace->stream.files,
        trace->seconds);
    return print(&line);
}

enum tm_exit policy_report_traces(const struct policy_trace *traces, unsigned count, bool json)
{
    struct line line = {.used = 0};
    add(&line, "%-10s %10s %8s %10s %8s %8s %8s\n", "trace", "page reads", "", "distinct", "", "files", "seconds");
    enum tm_exit code = json ? TM_EXIT_OK : print(&line);
    for (unsigned i = 0; i < count && code == TM_EXIT_OK; i++)
        if (traces[i].stream.count > 0)
            code = json ? print_trace_json(&traces[i]) : print_trace(&traces[i]);
    return code;
}

/* ---- cells, as JSON ---- */

static void put_ratios(struct tm_json *json, const double *ratio)
{
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
        tm_json_decimal(json, policy_contestant_member((enum policy_contestant)who), ratio[who], 4);
}

static enum tm_exit print_cell_json(const struct policy_cells *cells, const struct policy_cell *cell)
{
    char text[LINE_SIZE];
    double ratio[POLICY_CONTESTANTS];
    struct tm_json json;
    begin_json(&json, text);
    tm_json_string(&json, "cell", cells->class[cell->class].trace);
    tm_json_string(&json, "stream", way_of(&cells->class[cell->class]));
    tm_json_boolean(&json, "scan", cell->has_scan);
    tm_json_unsigned(&json, "percent", cell->percent);
    tm_json_unsigned(&json, "pages", cell->pages);
    tm_json_unsigned(&json, "capacity_pages", cell->capacity);
    tm_json_unsigned(&json, "accesses", cell->accesses);
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
        ratio[who] = policy_hit_ratio(cell, (enum policy_contestant)who);
    put_ratios(&json, ratio);
    return print_json(&json, text);
}

static enum tm_exit print_class_json(const struct policy_class *class)
{
    char text[LINE_SIZE];
    struct tm_json json;
    begin_json(&json, text);
    tm_json_string(&json, "class", class->trace);
    tm_json_string(&json, "stream", way_of(class));
    tm_json_unsigned(&json, "cells", class->cells);
    put_ratios(&json, class->ratio);
    tm_json_string(&json, "rival", policy_contestant_member(class->rival));
    tm_json_decimal(&json, "bound", POLICY_BOUND, 2);
    tm_json_boolean(&json, "holds", class->holds);
    return print_json(&json, text);
}

static enum tm_exit report_json(const struct policy_cells *cells)
{
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned i = 0; i < cells->count && code == TM_EXIT_OK; i++)
        code = print_cell_json(cells, &cells->cell[i]);
    for (unsigned i = 0; i < cells->classes && code == TM_EXIT_OK; i++)
        code = print_class_json(&cells->class[i]);
    return code == TM_EXIT_OK ? print_class_json(&cells->average) : code;
}

/* ---- cells, as tables ---- */

static void add_names(struct line *line)
{
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
        add(line, " %7s", policy_contestant_name((enum policy_contestant)who));
}

static enum tm_exit print_cells(const struct policy_cells *cells, unsigned class)
{
    struct line line = {.used = 0};
    bool is_loop = strcmp(cells->class[class].trace, policy_loop_name) == 0;
    enum tm_exit code = TM_EXIT_OK;
    add(&line, "\n%s, %s\n%-6s %-5s %9s %10s", cells->class[class].trace, way_of(&cells->class[class]),
        is_loop ? "length" : "size", is_loop ? "" : "scan", "capacity", "reads");
    add_names(&line);
    add(&line, "\n");
    code = print(&line);
    for (unsigned i = 0; i < cells->count && code == TM_EXIT_OK; i++) {
        const struct policy_cell *cell = &cells->cell[i];
        if (cell->class != class)
            continue;
        add(&line, "%4u %% %-5s %9lu %10llu", cell->percent, cell->has_scan ? "scan" : "",
            (unsigned long)cell->capacity, (unsigned long long)cell->accesses);
        for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
            add(&line, " %6.2f%%", 100.0 * policy_hit_ratio(cell, (enum policy_contestant)who));
        add(&line, "\n");
        code = print(&line);
    }
    return code;
}

static enum tm_exit print_class(const struct policy_class *class)
{
    struct line line = {.used = 0};
    double rival = class->ratio[class->rival];
    add(&line, "%-10s %-13s", class->trace, strcmp(class->trace, "average") == 0 ? "" : way_of(class));
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++)
        add(&line, " %6.2f%%", 100.0 * class->ratio[who]);
    if (rival > 0.0)
        add(&line, "  %.3f of %s, %s\n", class->ratio[POLICY_IN_USE] / rival, policy_contestant_name(class->rival),
            class->holds ? "holds" : "does not hold");
    else
        add(&line, "  the others have none\n");
    return print(&line);
}

static enum tm_exit print_judgement(const struct policy_cells *cells)
{
    struct line line = {.used = 0};
    unsigned held = 0;
    add(&line, "\nmeans\n%-10s %-13s", "", "");
    add_names(&line);
    add(&line, "\n");
    enum tm_exit code = print(&line);
    for (unsigned i = 0; i < cells->classes && code == TM_EXIT_OK; i++) {
        code = print_class(&cells->class[i]);
        held += cells->class[i].holds;
    }
    if (code == TM_EXIT_OK)
        code = print_class(&cells->average);
    add(&line,
        "\nThe order in use is to have at least %.2f of the hits of the best of the others, in each class on average: "
        "%u of %u classes hold, the mean of all %s; %u loops without hits.\n",
        POLICY_BOUND, held, cells->classes, cells->average.holds ? "holds" : "does not hold",
        cells->loops_without_hits);
    return code == TM_EXIT_OK ? print(&line) : code;
}

enum tm_exit policy_report_cells(const struct policy_cells *cells, const struct policy_plan *plan, bool json)
{
    struct line line = {.used = 0};
    enum tm_exit code = TM_EXIT_OK;
    if (json)
        return report_json(cells);
    add(&line,
        "\nHit ratios. size: of the trace's pages, in the store; scan: %u stores' length read once in the middle, not "
        "counted;\nbehind-cache: what a kernel's cache with %u %% of all memory, least recently used first, lets "
        "through.\n",
        plan->scan_times, plan->front_percent);
    code = print(&line);
    for (unsigned i = 0; i < cells->classes && code == TM_EXIT_OK; i++)
        code = print_cells(cells, i);
    return code == TM_EXIT_OK ? print_judgement(cells) : code;
}
