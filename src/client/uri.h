/* SPDX-License-Identifier: BSD-2-Clause */
/* uri.h - store URIs: "embedded:size=512M,codec=zstd:3". */
#ifndef TM_URI_H
#define TM_URI_H

#include <tmem/tmem.h>

#include "base/base.h"
#include "codec/codec.h"

/* Bytes below which a store cannot hold its own parts. */
#define TM_STORE_SIZE_MIN (UINT64_C(16) << 20)

struct tm_uri {
    uint64_t size_bytes;
    enum tm_codec_id codec;
    int level;
    bool dedup;
    bool defer;
    bool maintenance;
    uint32_t cold_percent; /* of one CPU, for making cold pages smaller; 0: off */
    uint32_t cold_seconds; /* how long a page was not asked for when it is cold */
    unsigned workers;      /* 0: the host's choice */
    bool use_memfd;
    int arena_fd; /* -1: none given */
};

/*
 * Reads an `embedded:` URI. On TMEM_OK *uri is complete, defaults included. TMEM_INVALID and TMEM_UNSUPPORTED
 * say why in *error, where it is not NULL.
 */
TM_MUST_USE enum tmem_result tm_uri_parse(const char *text, struct tm_uri *uri, struct tmem_error *error);

/* Writes a message where one is wanted. */
void tm_error_set(struct tmem_error *error, const char *format, ...) TM_PRINTF(2, 3);

#endif
