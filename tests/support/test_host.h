/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_host.h - a host for tests: plain memory in small arenas, a fake clock, seeded numbers, and
 * services that fail on demand.
 *
 * Everything that the store is given is counted and can be demanded back, so that a leak is one
 * comparison; released spans are poisoned, fresh ones zeroed. The persistent arena can outlive
 * the store, also one that was abandoned in the middle of an operation as a crash would leave it.
 *
 * Failures are named (enum tm_test_fault). A fault plan says which of them count, and which call of
 * those fails: the k-th alone, or all from the k-th on. Not all are services of the host: segments,
 * records and places in tables are refused where test_faults.c is linked in.
 *
 * Threads: as a host must be. Plans, the clock and the counters are for whoever sets up the test.
 */
#ifndef TM_TEST_HOST_H
#define TM_TEST_HOST_H

#include "base/host.h"
#include "support/test_codec.h"

/* The smallest span there is: 32 units of 8 KiB. */
#define TM_TEST_SPAN_BYTES (256u << 10)
#define TM_TEST_SPANS_MAX 4096u

enum tm_test_fault {
    TM_FAULT_ALLOC,   /* host: no memory for metadata */
    TM_FAULT_SPAN,    /* host: no memory for a span */
    TM_FAULT_SEGMENT, /* store: no segment of data */
    TM_FAULT_RECORD,  /* store: no record */
    TM_FAULT_TABLE,   /* base: no place in a hash table */
    TM_FAULT_INIT,    /* codec: no context */
    TM_FAULT_ENCODE,  /* codec: does not pay */
    TM_FAULT_DECODE,  /* codec: not a page */
    TM_FAULTS
};

#define TM_FAULT_BIT(fault) (1u << (unsigned)(fault))
#define TM_FAULT_ALL (TM_FAULT_BIT(TM_FAULTS) - 1u)

/* Which calls fail: number @at (1, 2, ...) of those that @mask names, and with @for_ever all after it. */
struct tm_test_plan {
    uint32_t mask;
    bool for_ever;
    uint64_t at;
};

struct tm_test_host {
    /* What the engine is given. Fields may be changed between init and the engine's making. */
    struct tm_host host;
    struct tm_test_codec codec;

    uint64_t now_ns; /* the clock; moves only when the test moves it, and by clock_step_ns a look */
    uint64_t clock_step_ns;
    uint64_t random_state;
    uint64_t kicks; /* atomic: calls of host.kick */

    struct tm_test_plan plan;
    uint64_t plan_calls; /* atomic: calls since the plan was made that its mask names */
    uint64_t failed;     /* atomic: of them, how many failed */
    /* Asked instead of the plan where it is not NULL. True: the call fails. */
    bool (*decide)(struct tm_test_host *test, enum tm_test_fault fault);
    void *decide_user;

    /* What is out. */
    uint64_t blocks;           /* atomic */
    uint64_t bytes;            /* atomic */
    uint64_t bytes_max;        /* atomic, about */
    uint64_t spans[TM_ARENAS]; /* atomic */
    uint32_t is_locked;        /* the list of blocks */
    struct tm_test_block *first;

    bool is_committed[TM_ARENAS][TM_TEST_SPANS_MAX];
};

/* Makes a host with arenas of @spans spans each (head included), and @workers workers. */
void tm_test_host_init(struct tm_test_host *test, unsigned spans, unsigned workers);
/* Frees the arenas. Nothing may be out but for a persistent arena that survives. */
void tm_test_host_fini(struct tm_test_host *test);

/* True when nothing is out: no block, no span; with host.persistent_survives those of that arena do not count. */
bool tm_test_host_is_clean(const struct tm_test_host *test);

/* As if the process had been killed: everything that is out is gone, but for a persistent arena that survives.
 * Also to be called between two stores on one host. */
void tm_test_host_crash(struct tm_test_host *test);

/* Makes the persistent arena empty again. Nothing of it is in use. */
void tm_test_host_wipe(struct tm_test_host *test);

/* From now on calls fail as planned; NULL: none do. Counts begin at 0. */
void tm_test_host_plan(struct tm_test_host *test, const struct tm_test_plan *plan);

/* True when this call shall fail. For failures that are made elsewhere. */
bool tm_test_host_fails(struct tm_test_host *test, enum tm_test_fault fault);

/* The host whose plan test_faults.c asks. NULL: nothing fails there. */
extern struct tm_test_host *tm_test_faults_host;

/* "segment": the failure's name, for messages. */
const char *tm_test_fault_name(enum tm_test_fault fault);

#endif
