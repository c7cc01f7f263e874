/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world_test.h - a store with a small owner around it: what its unit tests begin with.
 *
 * The owner keeps a slot for each of a row of pages, and what the page should hold. Page i belongs to chunk
 * hash TM_WORLD_HASH(i), so the owner's questions are answered without any index. The row outlives the store, as the
 * engine's records do, and can be adopted by the next one.
 */
#ifndef TM_STORE_WORLD_TEST_H
#define TM_STORE_WORLD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/store_internal.h"
#include "tests/support/test_host.h"

#define TM_WORLD_PLENTY (UINT64_C(1) << 40)
#define TM_WORLD_PAGES 2048u
#define TM_WORLD_HASH(index) (UINT32_C(2654435761) * (uint32_t)(index))
#define TM_WORLD_NUMBER(index) ((unsigned)(index) % 64u)

/* What the store makes of a page. */
enum world_sort {
    WORLD_SMALL, /* in the slot, sign-extended */
    WORLD_TWICE, /* in the slot, one 32-bit number twice */
    WORLD_WORD,  /* one word that needs a block */
    WORLD_SHORT, /* compresses to less than 100 bytes */
    WORLD_LONG,  /* compresses to about two thirds */
    WORLD_RAW,   /* does not compress: one block fills a segment of one unit */
    WORLD_SORTS
};

struct world_page {
    struct tm_heap *heap; /* NULL: there is no page */
    tm_slot slot;
    enum world_sort sort;
    uint64_t number;
};

struct world {
    struct tm_test_host host;
    struct tm_store_config config;
    struct tm_owner owner;
    struct tm_codec codec;
    struct tm_store *store;
    struct tm_worker *worker;
    struct tm_heap *ephemeral, *persistent;
    struct world_page page[TM_WORLD_PAGES];
    bool refuses_swap, refuses_pin; /* as if the page had changed in between */
    bool releases_on_swap;          /* the page goes away while it is being copied */
    bool releases_on_keep;          /* the page goes away after it was said to stay */
    uint64_t expected;              /* calls of expect() */
    uint64_t dropped;               /* pages that judge() let go */
    uint64_t evicted;               /* pages whose shared content was found evicted */
};

/* Writes the page of this sort with this number. */
void world_fill(void *page, enum world_sort sort, uint64_t number);

/* A host with arenas of @spans spans, and a store without limit, with dedup or not; two heaps. */
void world_init(struct world *world, unsigned spans, bool dedup);
/* The same with dedup and a persistent arena that survives the store. */
void world_init_surviving(struct world *world, unsigned spans);
/* From now on every call of this kind fails, or no longer. */
void world_deny(struct world *world, enum tm_test_fault fault, bool denied);
/* Lets all calls succeed again, drops everything, and demands that nothing leaked. */
void world_fini(struct world *world);
/* The same in parts. */
void world_host(struct world *world, unsigned spans, bool dedup);
enum tm_create world_create(struct world *world);
void world_start(struct world *world);
void world_stop(struct world *world);
/* The process is killed; the row of pages stays. */
void world_crash(struct world *world);

/* Puts page @index in place of what it was. */
enum tm_write world_put_tier(struct world *world, struct tm_heap *heap, unsigned index, enum world_sort sort,
                             uint64_t number, enum tm_tier tier);
enum tm_write world_put(struct world *world, struct tm_heap *heap, unsigned index, enum world_sort sort,
                        uint64_t number);
/* The first half of it: what the page will be. @page is TM_PAGE_BYTES that outlive the put. */
struct tm_page_put world_prepare(struct world *world, struct tm_heap *heap, unsigned index, enum world_sort sort,
                                 uint64_t number, void *page);
void world_publish(struct world *world, struct tm_page_put *put, unsigned index, enum world_sort sort,
                   uint64_t number);
void world_drop(struct world *world, unsigned index);
/* True when the page is there and holds what was put. */
bool world_has(struct world *world, unsigned index);
/* The block behind a page, of its own or shared. */
struct tm_block *world_block(struct world *world, unsigned index);

/* Pages that are there; the rest is checked to be as it was put, and the books between owner and store. */
unsigned world_count(struct world *world);
void world_check(struct world *world);

struct tm_store_figures world_figures(struct world *world);

#endif
