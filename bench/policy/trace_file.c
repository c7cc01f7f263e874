/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_file.c - see trace_file.h. A head, and for each trace its figures, its pages and its accesses. What is read is
 * checked before it is used: numbers of pages must be below their count.
 */
#include "trace_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x7472616365733031)

struct head {
    uint64_t magic;
    uint64_t traces;
};

struct figures {
    uint64_t accesses;
    uint64_t pages;
    double seconds;
};

static bool write_trace(FILE *file, const struct policy_trace *trace)
{
    const struct policy_stream *stream = &trace->stream;
    const struct figures figures = {stream->count, stream->pages, trace->seconds};
    return fwrite(&figures, sizeof figures, 1, file) == 1 &&
           fwrite(stream->page, sizeof *stream->page, stream->pages, file) == stream->pages &&
           fwrite(stream->access, sizeof *stream->access, (size_t)stream->count, file) == stream->count;
}

enum tm_exit policy_traces_save(const char *path, const struct policy_trace *traces)
{
    char cause[TM_ERROR_TEXT_SIZE];
    const struct head head = {MAGIC, POLICY_WORKLOADS};
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return tm_fail(tm_exit_of_error(errno), "cannot write %s: %s (try: another --save FILE)", path,
                       tm_error_text(errno, cause));
    bool is_good = fwrite(&head, sizeof head, 1, file) == 1;
    for (unsigned i = 0; i < POLICY_WORKLOADS && is_good; i++)
        is_good = traces[i].stream.count == 0 ? write_trace(file, &(struct policy_trace){0})
                                              : write_trace(file, &traces[i]);
    if (fclose(file) != 0 || !is_good)
        return tm_fail(TM_EXIT_FAILED, "cannot write %s: %s", path, tm_error_text(errno, cause));
    return TM_EXIT_OK;
}

enum read_result {
    READ_OK,
    READ_DAMAGED,
    READ_NO_MEMORY
};

static enum read_result read_trace(FILE *file, struct policy_trace *trace)
{
    struct figures figures;
    if (fread(&figures, sizeof figures, 1, file) != 1)
        return READ_DAMAGED;
    trace->seconds = figures.seconds;
    for (uint64_t i = 0; i < figures.pages; i++) {
        struct policy_page page;
        uint32_t number;
        if (fread(&page, sizeof page, 1, file) != 1 || page.file == UINT32_MAX)
            return READ_DAMAGED;
        if (!policy_stream_name(&trace->stream, page, &number))
            return READ_NO_MEMORY;
    }
    for (uint64_t i = 0; i < figures.accesses; i++) {
        uint32_t number;
        if (fread(&number, sizeof number, 1, file) != 1 || number >= trace->stream.pages)
            return READ_DAMAGED;
        if (!policy_stream_add(&trace->stream, number))
            return READ_NO_MEMORY;
    }
    return READ_OK;
}

enum tm_exit policy_traces_load(const char *path, struct policy_trace *traces)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct head head;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return tm_fail(tm_exit_of_error(errno), "cannot open %s: %s (try: --save FILE before --load FILE)", path,
                       tm_error_text(errno, cause));
    bool is_head = fread(&head, sizeof head, 1, file) == 1 && head.magic == MAGIC && head.traces == POLICY_WORKLOADS;
    enum read_result result = is_head ? READ_OK : READ_DAMAGED;
    for (unsigned i = 0; i < POLICY_WORKLOADS && result == READ_OK; i++) {
        traces[i].name = policy_workload_names[i];
        result = read_trace(file, &traces[i]);
    }
    if (result == READ_OK && fgetc(file) != EOF)
        result = READ_DAMAGED;
    (void)fclose(file);
    if (result == READ_DAMAGED)
        return tm_fail(TM_EXIT_FAILED, "%s holds no traces, or is damaged (try: --save FILE)", path);
    if (result == READ_NO_MEMORY)
        return tm_fail(TM_EXIT_FAILED, "no memory for the traces of %s", path);
    return TM_EXIT_OK;
}
