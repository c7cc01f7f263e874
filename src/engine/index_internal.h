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

/* ---- objects; with the lock of the object's stripe held ---- */

/* The lock of a stripe. @hash: the object's. */
void tm_stripe_lock(struct tm_pool *pool, uint32_t hash);
void tm_stripe_unlock(struct tm_pool *pool, uint32_t hash);

/* What an object and its chunk 0 are found by. No lock. */
uint32_t tm_object_hash(const struct tm_pool *pool, const uint64_t id[3]);
/* The object's record, or its only chunk, which stands alone; 0: there is none. */
uint64_t tm_object_find(const struct tm_pool *pool, const struct tm_object_id *id, uint32_t hash);
struct tm_object *tm_object_at(const struct tm_pool *pool, uint64_t ref);
/* Whether what tm_object_find() found, or the pool lists, is a chunk. */
bool tm_stands_alone(const struct tm_pool *pool, uint64_t ref);
/* Record @ref becomes the object's; it takes in the chunk that stood alone so far, if @alone is not 0. False: no memory
 * for the index; the record is still the caller's. */
bool tm_object_make(struct tm_pool *pool, const struct tm_object_id *id, uint32_t hash, uint64_t alone, uint64_t ref);
/* The chunk is the object's newest; @object 0: it stands alone. */
void tm_object_add(struct tm_pool *pool, uint32_t hash, uint64_t object, uint64_t chunk);
/* A larger record @to of the chunk, with the same links, takes the place of @from. */
void tm_object_relink(struct tm_pool *pool, uint32_t hash, uint64_t from, uint64_t to);
/* The chunk is no longer the object's. Answers the object's record if that was the last, which is the caller's to
 * free; or 0. */
uint64_t tm_object_drop(struct tm_pool *pool, uint32_t hash, uint64_t chunk);
/* Ends an object whose record has no chunks; the record is the caller's to free. False: it has some. */
bool tm_object_end(struct tm_pool *pool, uint32_t hash, uint64_t ref);
/* The oldest of the object's chunks. */
uint64_t tm_object_oldest(struct tm_pool *pool, uint64_t ref);

/* ---- chunks ---- */

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
