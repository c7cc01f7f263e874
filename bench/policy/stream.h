/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - pages in the order in which they are asked for, and what is made of such a stream.
 *
 * A stream names pages by numbers from 0 on, without gaps, so that an order of eviction can keep what it knows in
 * plain arrays. What a page is, a file and the number of a page in it, is kept beside: the store is given handles like
 * those that a mount gives it.
 */
#ifndef TM_BENCH_POLICY_STREAM_H
#define TM_BENCH_POLICY_STREAM_H

#include "base/base.h"

/* A page of a file; files are numbered as they come. */
struct policy_page {
    uint32_t file;
    uint32_t index;
};

struct policy_stream {
    uint32_t *access; /* page numbers, in the order of the reads */
    uint64_t count;
    uint64_t capacity;
    struct policy_page *page; /* what the numbers mean */
    uint32_t pages;           /* distinct ones */
    uint32_t pages_capacity;
    uint32_t files;
    uint64_t scan_from; /* accesses from here to below scan_to are a scan that was put in: they are not counted */
    uint64_t scan_to;
};

/* Accesses that a stream can have at most: positions in it are 32 bits wide. */
#define POLICY_ACCESSES_MAX (UINT64_C(1) << 31)

/* All begin with an empty stream, {0}, and end with policy_stream_free(), also after they failed. False: no memory, or
 * more than POLICY_ACCESSES_MAX. */
bool policy_stream_add(struct policy_stream *stream, uint32_t number);
bool policy_stream_name(struct policy_stream *stream, struct policy_page page, uint32_t *number);
void policy_stream_free(struct policy_stream *stream);

/* policy_stream_counted - the accesses that are counted. */
static inline uint64_t policy_stream_counted(const struct policy_stream *stream)
{
    return stream->count - (stream->scan_to - stream->scan_from);
}

/*
 * policy_stream_mix - @count streams as if their programs ran at the same time: bursts of each by turns, drawn by a
 * seed so that all come to their ends at about the same time. Their files are taken for different ones.
 */
bool policy_stream_mix(struct policy_stream *mix, const struct policy_stream *const *streams, unsigned count);

/* policy_stream_turns - @count streams one after the other, in @rounds rounds: in each as much of every stream. */
bool policy_stream_turns(struct policy_stream *turns, const struct policy_stream *const *streams, unsigned count,
                         unsigned rounds);

/* policy_stream_loop - @pages pages of one file in order, @rounds times over. */
bool policy_stream_loop(struct policy_stream *loop, uint32_t pages, unsigned rounds);

/* policy_stream_with_scan - the same, with @pages pages that are read once in the middle. */
bool policy_stream_with_scan(struct policy_stream *with, const struct policy_stream *stream, uint32_t pages);

/*
 * policy_stream_behind - what passes through a cache of @capacity pages in front, where the page that was not used
 * for longest goes first: what reaches a store that lies behind the kernel's own cache. 0: everything.
 */
bool policy_stream_behind(struct policy_stream *behind, const struct policy_stream *stream, uint32_t capacity);

#endif
