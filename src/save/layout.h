/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.h - sizes and places of docs/save-format.md, for the writer and the reader. All numbers are lowest byte first.
 */
#ifndef TM_SAVE_LAYOUT_H
#define TM_SAVE_LAYOUT_H

#include <stdarg.h>

#include "save/save.h"

/* The begin: magic, version (2), form (2), bytes of a page (4), salt (8), checksum (8). */
#define TM_SAVE_MAGIC UINT64_C(0x7661732d6d656d74) /* "tmem-sav" */
#define TM_SAVE_BEGIN_BYTES 32u

/* In front of a section: kind (4), number (4), entries (4), bytes of the body (4). After it: checksum (8). */
#define TM_SAVE_HEADER_BYTES 16u
#define TM_SAVE_CHECK_BYTES 8u

/* A page's entry without its bytes: pool (8), object (24), index (4), codec (2), size (2), check (8). */
#define TM_SAVE_PAGE_BYTES 48u

/* Flags of a client. */
#define TM_SAVE_FROZEN 1u
#define TM_SAVE_UNCOMPRESSED 2u

/* The longest entry there can be; counters are the longest part of most. */
#define TM_SAVE_ENTRY_MAX (TM_SAVE_PAGE_BYTES + TMEM_STORED_MAX)

/* Counters of struct tmem_counters that are saved, in its order; more may follow one day. */
#define TM_SAVE_COUNTERS 17u
#define TM_SAVE_COUNTERS_MAX 256u
TM_STATIC_ASSERT(offsetof(struct tmem_counters, reserved) == TM_SAVE_COUNTERS * sizeof(uint64_t));

/* The checksum of @size bytes that follow what has the checksum @chain. */
uint64_t tm_save_check(const void *bytes, size_t size, uint64_t chain);

/* Writes "at byte @offset: ", and why a file or a stream is refused. */
TM_PRINTF(4, 0)
void tm_save_say_where(char *text, size_t text_size, uint64_t offset, const char *format, va_list arguments);

#endif
