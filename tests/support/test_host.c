/* SPDX-License-Identifier: BSD-2-Clause */
/* test_host.c - see test_host.h. */
#include "support/test_host.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/mix.h"

#define POISON_SPAN 0xdb
#define POISON_BLOCK 0xdd
#define BLOCK_MAGIC UINT64_C(0x7465737462726963)

/* In front of every block that is out; keeps its alignment. */
struct tm_test_block {
    uint64_t magic;
    size_t bytes;
    struct tm_test_block *next, *prev;
} TM_ALIGNED(TM_CACHE_LINE);

struct tm_test_host *tm_test_faults_host;

const char *tm_test_fault_name(enum tm_test_fault fault)
{
    static const char *const names[TM_FAULTS] = {
        [TM_FAULT_ALLOC] = "alloc",
        [TM_FAULT_SPAN] = "span",
        [TM_FAULT_SEGMENT] = "segment",
        [TM_FAULT_RECORD] = "record",
        [TM_FAULT_TABLE] = "table",
        [TM_FAULT_INIT] = "init",
        [TM_FAULT_ENCODE] = "encode",
        [TM_FAULT_DECODE] = "decode",
    };
    return names[fault];
}

void tm_test_host_plan(struct tm_test_host *test, const struct tm_test_plan *plan)
{
    test->plan = plan != NULL ? *plan : (struct tm_test_plan){0};
    test->plan_calls = test->failed = 0;
}

bool tm_test_host_fails(struct tm_test_host *test, enum tm_test_fault fault)
{
    bool fails = false;
    if (test->decide != NULL) {
        fails = test->decide(test, fault);
    } else if ((test->plan.mask & TM_FAULT_BIT(fault)) != 0) {
        uint64_t call = __atomic_add_fetch(&test->plan_calls, 1u, __ATOMIC_RELAXED);
        fails = call == test->plan.at || (test->plan.for_ever && call > test->plan.at && test->plan.at != 0);
    }
    if (fails)
        __atomic_add_fetch(&test->failed, 1u, __ATOMIC_RELAXED);
    return fails;
}

/* ---- memory ---- */

/* The list is short-lived bookkeeping of the test's own: a spin lock without rank. */
static void lock_list(struct tm_test_host *test)
{
    for (unsigned attempt = 0; __atomic_exchange_n(&test->is_locked, 1u, __ATOMIC_ACQUIRE) != 0; attempt++)
        tm_platform_wait(attempt);
}

static void unlock_list(struct tm_test_host *test)
{
    __atomic_store_n(&test->is_locked, 0u, __ATOMIC_RELEASE);
}

static void *host_alloc(void *user, size_t bytes)
{
    struct tm_test_host *test = user;
    TM_ASSERT(bytes != 0);
    if (tm_test_host_fails(test, TM_FAULT_ALLOC))
        return NULL;
    size_t whole = sizeof(struct tm_test_block) + (size_t)tm_round_up(bytes, TM_CACHE_LINE);
    struct tm_test_block *block = aligned_alloc(TM_CACHE_LINE, whole);
    if (block == NULL)
        return NULL;
    memset(block, 0, whole);
    block->magic = BLOCK_MAGIC;
    block->bytes = bytes;
    lock_list(test);
    block->next = test->first;
    if (test->first != NULL)
        test->first->prev = block;
    test->first = block;
    unlock_list(test);
    __atomic_add_fetch(&test->blocks, 1u, __ATOMIC_RELAXED);
    uint64_t out = __atomic_add_fetch(&test->bytes, bytes, __ATOMIC_RELAXED);
    if (out > __atomic_load_n(&test->bytes_max, __ATOMIC_RELAXED))
        __atomic_store_n(&test->bytes_max, out, __ATOMIC_RELAXED);
    return block + 1;
}

static void host_free(void *user, void *memory, size_t bytes)
{
    struct tm_test_host *test = user;
    struct tm_test_block *block = (struct tm_test_block *)memory - 1;
    TM_ASSERT(memory != NULL);
    TM_ASSERT(block->magic == BLOCK_MAGIC);
    TM_ASSERT(block->bytes == bytes);
    lock_list(test);
    if (block->next != NULL)
        block->next->prev = block->prev;
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        test->first = block->next;
    unlock_list(test);
    __atomic_sub_fetch(&test->blocks, 1u, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&test->bytes, bytes, __ATOMIC_RELAXED);
    memset(block, POISON_BLOCK, sizeof *block + bytes);
    free(block);
}

/* ---- spans ---- */

static unsigned char *span_address(const struct tm_test_host *test, unsigned arena, uint64_t span)
{
    return test->host.arena_base[arena] + span * test->host.span_bytes;
}

static bool survives(const struct tm_test_host *test, unsigned arena)
{
    return arena == TM_ARENA_PERSISTENT && test->host.persistent_survives;
}

static bool host_span_commit(void *user, enum tm_arena_kind arena, uint64_t span)
{
    struct tm_test_host *test = user;
    TM_ASSERT(span < test->host.arena_bytes[arena] / test->host.span_bytes);
    if (tm_test_host_fails(test, TM_FAULT_SPAN))
        return false;
    if (test->is_committed[arena][span]) { /* only what an earlier store left behind */
        TM_ASSERT(survives(test, arena));
        return true;
    }
    memset(span_address(test, arena, span), 0, test->host.span_bytes);
    test->is_committed[arena][span] = true;
    __atomic_add_fetch(&test->spans[arena], 1u, __ATOMIC_RELAXED);
    return true;
}

static void host_span_release(void *user, enum tm_arena_kind arena, uint64_t span)
{
    struct tm_test_host *test = user;
    TM_ASSERT(span < test->host.arena_bytes[arena] / test->host.span_bytes);
    /* A span that a crash caught before it was committed is released by whoever comes after. */
    if (!test->is_committed[arena][span]) {
        TM_ASSERT(survives(test, arena));
        return;
    }
    memset(span_address(test, arena, span), POISON_SPAN, test->host.span_bytes);
    test->is_committed[arena][span] = false;
    __atomic_sub_fetch(&test->spans[arena], 1u, __ATOMIC_RELAXED);
}

/* ---- the rest of the host ---- */

static unsigned host_thread_number(void *user)
{
    static unsigned next;
    static _Thread_local unsigned number;
    (void)user;
    if (number == 0)
        number = __atomic_add_fetch(&next, 1u, __ATOMIC_RELAXED);
    return number;
}

static uint64_t host_clock_ns(void *user)
{
    struct tm_test_host *test = user;
    return __atomic_add_fetch(&test->now_ns, test->clock_step_ns, __ATOMIC_RELAXED);
}

static uint64_t host_random(void *user)
{
    struct tm_test_host *test = user;
    return tm_random_next(&test->random_state);
}

static void host_kick(void *user)
{
    struct tm_test_host *test = user;
    __atomic_add_fetch(&test->kicks, 1u, __ATOMIC_RELAXED);
}

static bool codec_fails(void *user, enum tm_test_codec_call call)
{
    static const enum tm_test_fault faults[] = {
        [TM_TEST_CODEC_INIT] = TM_FAULT_INIT,
        [TM_TEST_CODEC_ENCODE] = TM_FAULT_ENCODE,
        [TM_TEST_CODEC_DECODE] = TM_FAULT_DECODE,
    };
    return tm_test_host_fails(user, faults[call]);
}

/* Address space aligned to a span: more than needed, and its ends given back. */
static unsigned char *map_arena(size_t bytes, size_t align)
{
    size_t whole = bytes + align;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    unsigned char *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, flags, -1, 0);
    TM_ASSERT(memory != MAP_FAILED);
    size_t before = (align - (uintptr_t)memory % align) % align;
    if (before != 0)
        munmap(memory, before);
    if (align - before != 0)
        munmap(memory + before + bytes, align - before);
    return memory + before;
}

void tm_test_host_init(struct tm_test_host *test, unsigned spans, unsigned workers)
{
    TM_ASSERT(spans <= TM_TEST_SPANS_MAX);
    memset(test, 0, sizeof *test);
    test->random_state = 1;
    test->clock_step_ns = 1000;
    struct tm_host *host = &test->host;
    host->user = test;
    host->span_bytes = TM_TEST_SPAN_BYTES;
    host->workers = workers;
    host->thread_number = host_thread_number;
    host->alloc = host_alloc;
    host->free = host_free;
    host->span_commit = host_span_commit;
    host->span_release = host_span_release;
    host->clock_ns = host_clock_ns;
    host->random = host_random;
    host->kick = host_kick;
    for (unsigned arena = 0; arena < TM_ARENAS; arena++) {
        host->arena_bytes[arena] = (uint64_t)spans * TM_TEST_SPAN_BYTES;
        host->arena_base[arena] = map_arena((size_t)host->arena_bytes[arena], TM_TEST_SPAN_BYTES);
    }
    tm_test_codec_init(&test->codec);
    test->codec.fails = codec_fails;
    test->codec.user = test;
}

void tm_test_host_fini(struct tm_test_host *test)
{
    TM_ASSERT(tm_test_host_is_clean(test));
    for (unsigned arena = 0; arena < TM_ARENAS; arena++)
        munmap(test->host.arena_base[arena], (size_t)test->host.arena_bytes[arena]);
}

bool tm_test_host_is_clean(const struct tm_test_host *test)
{
    bool clean = test->blocks == 0 && test->bytes == 0;
    for (unsigned arena = 0; arena < TM_ARENAS; arena++)
        clean = clean && (test->spans[arena] == 0 || survives(test, arena));
    return clean;
}

static void drop_spans(struct tm_test_host *test, unsigned arena)
{
    for (uint64_t span = 0; span < TM_TEST_SPANS_MAX; span++)
        if (test->is_committed[arena][span])
            host_span_release(test, (enum tm_arena_kind)arena, span);
}

/* The first spans of an arena are used without being committed, and zero at first. */
static void wipe_head(struct tm_test_host *test, unsigned arena)
{
    uint64_t spans = test->host.arena_bytes[arena] / test->host.span_bytes;
    uint64_t head = tm_min_u64(4096u + spans * TM_SPAN_UNITS * 64u, test->host.arena_bytes[arena]);
    memset(test->host.arena_base[arena], 0, (size_t)head);
}

void tm_test_host_crash(struct tm_test_host *test)
{
    while (test->first != NULL)
        host_free(test, test->first + 1, test->first->bytes);
    for (unsigned arena = 0; arena < TM_ARENAS; arena++) {
        if (survives(test, arena))
            continue;
        drop_spans(test, arena);
        wipe_head(test, arena);
    }
}

void tm_test_host_wipe(struct tm_test_host *test)
{
    drop_spans(test, TM_ARENA_PERSISTENT);
    wipe_head(test, TM_ARENA_PERSISTENT);
}
