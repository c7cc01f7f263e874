/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - see report.h. */
#include "report.h"

#include "command/json.h"
#include "command/size.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512u

static unsigned decimals_of(const struct bench_row *row)
{
    return row->value < 100.0 ? 2 : 0;
}

enum tm_exit bench_report_settings(const struct bench *bench, const char *corpus_path)
{
    char line[LINE_SIZE];
    char size[TM_SIZE_TEXT];
    const struct bench_corpus *corpus = &bench->corpus;
    (void)snprintf(line, sizeof line,
                   "pages      %llu of %u bytes in each store, in objects of %u\n"
                   "corpus     %s: %llu pages, %llu of them same-filled, %llu duplicates; %llu timed pages made up\n"
                   "stores     embedded:size=%s, all else as by default (checksums, dedup on) unless the case says "
                   "otherwise\n\n",
                   (unsigned long long)bench->pages, TM_PAGE_BYTES, BENCH_OBJECT_PAGES,
                   corpus_path != NULL ? corpus_path : "files of this machine", (unsigned long long)corpus->count,
                   (unsigned long long)corpus->same_filled, (unsigned long long)corpus->duplicates,
                   (unsigned long long)corpus->made_up, tm_size_format(bench_store_size(bench->pages), size));
    return tm_print_stdout(line);
}

/* ---------------------------------------------------------------------------- table */

static void format_bound(const struct bench_row *row, char *text, size_t size)
{
    if (row->bound > 0.0)
        (void)snprintf(text, size, "%s %.2f", row->at_least ? ">=" : "<=", row->bound);
    else
        (void)snprintf(text, size, "-");
}

static void format_limit(const struct bench_row *row, char *text, size_t size)
{
    if (row->limit != NULL)
        (void)snprintf(text, size, "%10.*f %7.2f  ", row->limit_value < 100.0 ? 2 : 0, row->limit_value, row->ratio);
    else
        (void)snprintf(text, size, "%10s %7s  ", "-", "-");
}

static void format_row(const struct bench_row *row, char *line, size_t size)
{
    char limit[32];
    char bound[24];
    format_limit(row, limit, sizeof limit);
    format_bound(row, bound, sizeof bound);
    const char *verdict = row->bound > 0.0 ? (row->holds ? "holds" : "beyond") : "";
    if (row->valid == 0)
        (void)snprintf(line, size, "%-26s %-7s %u  skipped: the machine was too uneven in all %u rounds\n", row->name,
                       row->codec, row->threads, row->rounds);
    else
        (void)snprintf(line, size, "%-26s %-7s %u %10.*f %-7s %s%-9s %-7s %s\n", row->name, row->codec, row->threads,
                       (int)decimals_of(row), row->value, row->unit, limit, bound, verdict,
                       row->limit != NULL ? row->limit : "");
}

enum tm_exit bench_report_table(const struct bench *bench)
{
    char line[LINE_SIZE];
    unsigned beyond = 0;
    unsigned bounded = 0;
    unsigned skipped = 0;
    (void)snprintf(line, sizeof line, "%-26s %-7s %s %10s %-7s %10s %7s  %-9s %-7s %s\n", "case", "codec", "T", "value",
                   "unit", "limit", "ratio", "bound", "", "limit is");
    enum tm_exit code = tm_print_stdout(line);
    for (unsigned i = 0; i < bench->rows.count && code == TM_EXIT_OK; i++) {
        const struct bench_row *row = &bench->rows.row[i];
        format_row(row, line, sizeof line);
        code = tm_print_stdout(line);
        skipped += row->valid == 0;
        bounded += row->valid != 0 && row->bound > 0.0;
        beyond += row->valid != 0 && row->bound > 0.0 && !row->holds;
    }
    for (unsigned i = 0; i < BENCH_CONTENTS && code == TM_EXIT_OK; i++)
        if (bench->lacks[i]) {
            (void)snprintf(line, sizeof line, "%s: not measured, this build lacks the codec\n", bench_contents[i].name);
            code = tm_print_stdout(line);
        }
    (void)snprintf(line, sizeof line, "\n%u rounds; %u of %u rows with a bound hold it, %u skipped\n", bench->round,
                   bounded - beyond, bounded, skipped);
    return code == TM_EXIT_OK ? tm_print_stdout(line) : code;
}

/* ----------------------------------------------------------------------------- JSON */

/* "GiB/s" is no name for a member. */
static const char *member_of(const struct bench_row *row)
{
    if (strcmp(row->unit, "GiB/s") == 0)
        return "gib_per_s";
    return strcmp(row->unit, "ms/GiB") == 0 ? "ms_per_gib" : row->unit;
}

static void put_measured(struct tm_json *json, const struct bench_row *row)
{
    char limit_member[32];
    (void)snprintf(limit_member, sizeof limit_member, "limit_%s", member_of(row));
    tm_json_decimal(json, member_of(row), row->value, decimals_of(row));
    if (row->limit != NULL) {
        tm_json_string(json, "limit", row->limit);
        tm_json_decimal(json, limit_member, row->limit_value, decimals_of(row));
        tm_json_decimal(json, "ratio", row->ratio, 3);
    }
    if (row->bound > 0.0) {
        tm_json_decimal(json, "bound", row->bound, 3);
        tm_json_boolean(json, "holds", row->holds);
    }
}

static enum tm_exit print_object(const struct bench_row *row)
{
    char line[LINE_SIZE];
    struct tm_json json;
    tm_json_begin(&json, line, sizeof line - 1);
    tm_json_open_object(&json, NULL);
    tm_json_string(&json, "case", row->name);
    tm_json_string(&json, "codec", row->codec);
    tm_json_unsigned(&json, "threads", row->threads);
    if (row->valid != 0)
        put_measured(&json, row);
    else
        tm_json_string(&json, "skipped", "every round was void");
    tm_json_unsigned(&json, "rounds", row->valid);
    tm_json_unsigned(&json, "voided", row->rounds - row->valid);
    tm_json_close_object(&json);
    if (!tm_json_end(&json))
        return tm_fail(TM_EXIT_FAILED, "a row is longer than a line");
    memcpy(line + strlen(line), "\n", 2);
    return tm_print_stdout(line);
}

enum tm_exit bench_report_json(const struct bench *bench)
{
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned i = 0; i < bench->rows.count && code == TM_EXIT_OK; i++)
        code = print_object(&bench->rows.row[i]);
    return code;
}
