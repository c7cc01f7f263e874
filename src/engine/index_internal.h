/* SPDX-License-Identifier: BSD-2-Clause */
/* index_internal.h - what index.c and chunk.c share; only they include it. */
#ifndef TM_INDEX_INTERNAL_H
#define TM_INDEX_INTERNAL_H

#include "engine/engine_internal.h"

/* True for a live chunk record, false for an object's. */
bool tm_is_chunk(const struct tm_chunk *chunk);

/* What the index finds a chunk by, in its low half; all of it orders chunks. */
uint64_t tm_chunk_hash(const struct tm_engine *engine, const struct tm_chunk *chunk);

/* The place's chunk in its locked bucket, or NULL. @scan: zeroed, then where it was found. */
struct tm_chunk *tm_find_chunk(const struct tm_place *place, struct tm_bucket *bucket, struct tm_table_scan *scan);

/* Adds the chunk that the place needs, or grows the one there is, whose shape was seen as @shape (pages 0: none).
 * TM_SET_OK: look again. */
enum tm_set tm_chunk_add(const struct tm_place *place, const struct tm_chunk *shape);

/* Whether the page stays that @slot refers to, and is taken apart for that reason; takes its used bit. */
bool tm_index_stays(struct tm_engine *engine, struct tm_account *account, tm_slot *slot, uint32_t hash, unsigned number,
                    enum tm_purge why);

/* The books of a slot that changed from @old to @slot. */
void tm_note_change(struct tm_pool *pool, unsigned shard, tm_slot old, tm_slot slot);
void tm_note_pages(struct tm_pool *pool, unsigned shard, uint64_t change);
/* The books of all of a chunk's slots at once. Answers the bytes of their pages. */
uint64_t tm_note_removed(struct tm_pool *pool, unsigned shard, const tm_slot *slots, unsigned count);

#endif
