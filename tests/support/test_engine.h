/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine.h - an engine on a test host, with one client and its pools, and pages that say what they are: what
 * most tests of the engine begin with.
 */
#ifndef TM_TEST_ENGINE_H
#define TM_TEST_ENGINE_H

#include "engine/engine_internal.h"
#include "store/store_internal.h"
#include "support/test_host.h"

#define TM_TEST_PLENTY (UINT64_C(1) << 40)

/* What the store makes of a page. */
enum tm_test_sort {
    TM_TEST_SMALL, /* same-filled; in the slot, sign-extended */
    TM_TEST_TWICE, /* same-filled; in the slot, one 32-bit number twice */
    TM_TEST_WORD,  /* same-filled, by a word that needs a block */
    TM_TEST_SHORT, /* compresses to about 100 bytes */
    TM_TEST_LONG,  /* compresses to about two thirds */
    TM_TEST_RAW,   /* does not compress */
    TM_TEST_SORTS
};

/* Writes the page of this sort with this number; different numbers give different pages. */
void tm_test_page(void *page, enum tm_test_sort sort, uint64_t number);

struct tm_test_engine {
    struct tm_test_host host;
    struct tm_engine_config config;
    struct tm_engine *engine;
    struct tm_client *client; /* "client", weight 100, no cap */
    struct tm_member *ephemeral, *persistent;
};

/* A host with arenas of @spans spans, and on it an engine of this size. */
void tm_test_engine_init(struct tm_test_engine *test, unsigned spans, uint64_t size_bytes);
/* Ends all of it; nothing may have leaked. */
void tm_test_engine_fini(struct tm_test_engine *test);

/* The same in parts: a host, then an engine on it, and the client with its pools, made or found again. */
void tm_test_engine_host(struct tm_test_engine *test, unsigned spans, uint64_t size_bytes);
void tm_test_engine_start(struct tm_test_engine *test);
void tm_test_engine_stop(struct tm_test_engine *test);
/* As if the process had been killed, and was started again. The persistent arena survives if the host says so. */
void tm_test_engine_crash(struct tm_test_engine *test);

struct tm_client *tm_test_client(struct tm_test_engine *test, const char *name, uint32_t weight, uint64_t cap_bytes);
struct tm_member *tm_test_pool(struct tm_client *client, uint32_t flags, const struct tm_uuid *uuid);

/* Operations on page @index of object {@object, 0, 0}. */
enum tm_result tm_test_put(struct tm_member *member, uint64_t object, uint32_t index, enum tm_test_sort sort,
                           uint64_t number);
enum tm_result tm_test_get(struct tm_member *member, uint64_t object, uint32_t index, void *page,
                           enum tm_get_mode mode);
enum tm_result tm_test_invalidate(struct tm_member *member, uint64_t object, uint32_t index);

/* True when an inclusive get answers exactly this page. */
bool tm_test_has(struct tm_member *member, uint64_t object, uint32_t index, enum tm_test_sort sort, uint64_t number);
/* Its result, when the page is not looked at. */
enum tm_result tm_test_look(struct tm_member *member, uint64_t object, uint32_t index);

/* The slot of a page, 0: none; and the chunk. */
tm_slot tm_test_slot(struct tm_member *member, uint64_t object, uint32_t index);
struct tm_chunk *tm_test_chunk(struct tm_member *member, uint64_t object, uint32_t index);
/* The block that a page's bytes are in, of its own or shared; NULL: none. */
struct tm_block *tm_test_block(struct tm_member *member, uint64_t object, uint32_t index);

struct tm_client_figures tm_test_client_figures(struct tm_client *client);
struct tm_page_counts tm_test_counts(struct tm_member *member);
struct tm_engine_figures tm_test_figures(struct tm_test_engine *test);

#endif
