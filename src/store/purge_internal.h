/* SPDX-License-Identifier: BSD-2-Clause */
/* purge_internal.h - what purge.c and sweep.c share; only they include it. */
#ifndef TM_PURGE_INTERNAL_H
#define TM_PURGE_INTERNAL_H

#include "store/store_internal.h"

/* A segment that is taken apart, and what has become of it. */
struct tm_purge_run {
    struct tm_store *store;
    struct tm_worker *worker;
    struct tm_heap *heap;
    enum tm_arena_kind arena;
    uint32_t segment;
    enum tm_purge why;
    enum tm_tier tier;
    unsigned lane;
    uint64_t dropped;
    uint64_t copied_bytes;  /* all, and */
    uint64_t settled_bytes; /* of them, those subtracted from its live bytes */
    bool out_of_room;
};

/* Bytes of the block at @at bytes from the segment's begin, and the block; 0: the segment ends here. */
uint32_t tm_purge_look(const struct tm_purge_run *purge, const struct tm_segment *segment, uint32_t at,
                       const struct tm_block **block);

/* Does with one block what is to be done. Answers the bytes that it takes, as far as anybody knows. */
uint32_t tm_purge_block(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset);

/* The same for a page that is known to stay, as @slot says. Without room for a copy it goes, if it may. */
void tm_purge_keep(struct tm_purge_run *purge, const struct tm_block *block, uint64_t offset, tm_slot slot);

/* Subtracts what was copied away from the segment's live bytes. */
void tm_purge_settle(struct tm_purge_run *purge);

/* Takes the segment apart chunk by chunk, as far as that goes. True: nothing in it is alive any more. */
bool tm_purge_sweep(struct tm_purge_run *purge);

#endif
