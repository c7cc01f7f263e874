/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list_text.h - lines of a list, from numbers. Where those come from differs: list.c has them from a host, the library
 * of control calls from a daemon.
 */
#ifndef TM_XEN_LIST_TEXT_H
#define TM_XEN_LIST_TEXT_H

#include <tmem/tmem.h>

#include "base/base.h"

/* Text that grows; lines are whole. Begin with zeros. */
struct tm_xen_text {
    char *bytes; /* NUL-terminated; the caller's to free */
    size_t length, room;
    bool is_short; /* of memory: something is missing */
};

/* What is shown with its highest value. */
enum tm_xen_gauge {
    TM_XEN_EPHEMERAL,
    TM_XEN_OBJECTS,
    TM_XEN_PAGES,
    TM_XEN_FRAMES,
    TM_XEN_CONTENTS,
    TM_XEN_GAUGES
};

struct tm_xen_host_text {
    uint64_t operations, errors, bad_copies, no_memory, no_room;
    uint64_t free_pages, short_releases, evicted_pages, released_pages, releases, release_evicted_most, ended_pools;
    uint64_t now[TM_XEN_GAUGES], max[TM_XEN_GAUGES];
    uint64_t ephemeral_puts; /* of new pages */
    uint64_t copies;         /* ephemeral pages that are stored as another page's bytes */
    uint64_t bytes;          /* of the blocks of ephemeral pages */
};

struct tm_xen_client_text {
    uint32_t id, weight, cap;
    bool has_cap, compress, is_frozen;
    uint64_t ephemeral_gets, persistent_puts, persistent_gets;
    uint64_t ephemeral, ephemeral_max, compressed_pages, compressed_bytes, puts_without_memory;
};

struct tm_xen_pool_text {
    uint32_t client, number;
    bool is_persistent, is_shared;
    uint64_t uuid[2];
    uint64_t pages, pages_max, objects, objects_max;
    uint64_t puts, puts_good, puts_flushed, puts_replaced, puts_bad;
    uint64_t gets, gets_found, flushes, flushes_found, object_flushes, object_flushes_found;
};

/* Fills in what the store knows of all pages together, as far as it is of the host's ephemeral ones. */
void tm_xen_text_share(struct tm_xen_host_text *host, const struct tmem_store_stats *store);

void tm_xen_text_host(struct tm_xen_text *text, const struct tm_xen_host_text *host, bool is_long);
void tm_xen_text_client(struct tm_xen_text *text, const struct tm_xen_client_text *client, bool is_long);
void tm_xen_text_pool(struct tm_xen_text *text, const struct tm_xen_pool_text *pool, bool is_long);
/* The pool's client and number are not shown, but @number and who shares it. */
void tm_xen_text_shared(struct tm_xen_text *text, uint32_t number, const struct tm_xen_pool_text *pool,
                        const uint32_t *sharers, size_t count, bool is_long);
void tm_xen_text_end(struct tm_xen_text *text);

/* As many bytes of whole lines as fit before a NUL in @room, which is not 0. */
size_t tm_xen_text_fitting(const struct tm_xen_text *text, size_t room);

#endif
