/* SPDX-License-Identifier: BSD-2-Clause */
/* uri.h - store URIs: "embedded:size=512M,codec=zstd:3", "unix:/run/tmem/tmemd.sock,name=web". */
#ifndef TM_URI_H
#define TM_URI_H

#include <tmem/tmem.h>

#include "base/base.h"
#include "codec/codec.h"

/* Bytes below which a store cannot hold its own parts. */
#define TM_STORE_SIZE_MIN (UINT64_C(16) << 20)

#define TM_URI_PATH_BYTES 108u /* of a socket's path, the NUL included */

struct tm_uri {
    uint64_t size_bytes; /* unix: 0: whatever the daemon gives */
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

    /* unix: only; of the above it has the size. */
    bool is_unix;
    char path[TM_URI_PATH_BYTES];
    char token[TM_URI_PATH_BYTES]; /* of a file; empty: none */
    char name[32];                 /* comes before the names of clients; empty: nothing does */
    char codec_text[32];           /* as it was given; empty: the daemon's */
};

/*
 * Reads a URI. On TMEM_OK *uri is complete, defaults included. TMEM_INVALID and TMEM_UNSUPPORTED
 * say why in *error, where it is not NULL.
 */
TM_MUST_USE enum tmem_result tm_uri_parse(const char *text, struct tm_uri *uri, struct tmem_error *error);

/* Writes a message where one is wanted. */
void tm_error_set(struct tmem_error *error, const char *format, ...) TM_PRINTF(2, 3);

#endif
