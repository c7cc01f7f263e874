/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c - see host.h. */
#include "sim/host.h"

#include "base/mix.h"

static struct sim_world *of(void *user)
{
    return TM_CONTAINER_OF(user, struct sim_world, host);
}

/* ---- failures ---- */

/* One in so many operations cannot decode anything. */
#define CANNOT_DECODE 4u

/* Drawn from the operation and how many calls it has made: not from what others do meanwhile. What cannot be decoded
 * cannot be decoded later in the same operation either, as if it were damaged. */
static bool decide(struct tm_test_host *test, enum tm_test_fault fault)
{
    struct sim_world *world = of(test);
    unsigned who = sim_who();
    if (!sim_is_running() || (world->plan.faults & TM_FAULT_BIT(fault)) == 0 || world->is_spared[who])
        return false;
    bool is_decode = fault == TM_FAULT_DECODE;
    uint64_t call = is_decode ? UINT64_MAX : world->fault_calls[who]++;
    uint64_t drawn = tm_scramble(tm_scramble(world->sim_case->seed + world->operation[who]) + call);
    if (drawn % (is_decode ? CANNOT_DECODE : world->plan.fault_chance) != 0)
        return false;
    world->totals->faults[fault]++;
    return true;
}

/* ---- services, with switching points ---- */

static void *point_alloc(void *user, size_t bytes)
{
    sim_point();
    void *memory = of(user)->host.host.alloc(user, bytes);
    sim_point();
    return memory;
}

static void point_free(void *user, void *memory, size_t bytes)
{
    sim_point();
    of(user)->host.host.free(user, memory, bytes);
    sim_point();
}

static bool point_commit(void *user, enum tm_arena_kind arena, uint64_t span)
{
    sim_point();
    bool done = of(user)->host.host.span_commit(user, arena, span);
    sim_point();
    return done;
}

static void point_release(void *user, enum tm_arena_kind arena, uint64_t span)
{
    sim_point();
    of(user)->host.host.span_release(user, arena, span);
    sim_point();
}

static uint64_t point_clock(void *user)
{
    sim_point();
    return of(user)->host.host.clock_ns(user);
}

static unsigned thread_number(void *user)
{
    (void)user;
    return coroutine_current();
}

/* ---- copying in two halves ---- */

static uint64_t (*plain_hash)(const void *bytes, size_t size, uint64_t seed);

static bool is_weak;

/* What contents are found by is the lower half. */
static uint64_t weaken(uint64_t hash)
{
    return is_weak ? hash & ~UINT64_C(0xfffffffc) : hash;
}

static uint64_t point_hash(const void *bytes, size_t size, uint64_t seed)
{
    sim_point();
    uint64_t hash = plain_hash(bytes, size, seed);
    sim_point();
    return weaken(hash);
}

static uint64_t point_copy_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    memcpy(to, from, size / 2u);
    sim_point();
    memcpy((unsigned char *)to + size / 2u, (const unsigned char *)from + size / 2u, size - size / 2u);
    sim_point();
    return weaken(plain_hash(to, size, seed));
}

static void point_copy_out(void *to, const void *from, size_t size)
{
    memcpy(to, from, size / 2u);
    sim_point();
    memcpy((unsigned char *)to + size / 2u, (const unsigned char *)from + size / 2u, size - size / 2u);
    sim_point();
}

/* ---- making and ending ---- */

/* Arenas of larger spans, inside those that the test host has made. */
static void enlarge_spans(struct tm_host *host)
{
    host->span_bytes = SIM_SPAN_BYTES;
    for (unsigned arena = 0; arena < TM_ARENAS; arena++) {
        uintptr_t begin = (uintptr_t)host->arena_base[arena];
        host->arena_base[arena] += tm_round_up(begin, SIM_SPAN_BYTES) - begin;
        host->arena_bytes[arena] = (uint64_t)SIM_ARENA_SPANS * SIM_SPAN_BYTES;
    }
}

void sim_host_init(struct sim_world *world)
{
    struct tm_test_host *test = &world->host;
    tm_test_host_init(test, (SIM_ARENA_SPANS + 1u) * (SIM_SPAN_BYTES / TM_TEST_SPAN_BYTES), world->plan.workers);
    world->as_made = test->host;
    enlarge_spans(&test->host);
    test->random_state = world->sim_case->seed;
    test->decide = decide;
    test->host.persistent_survives = world->plan.survives;
    tm_test_faults_host = test;
    world->outer = test->host;
    world->outer.alloc = point_alloc;
    world->outer.free = point_free;
    world->outer.span_commit = point_commit;
    world->outer.span_release = point_release;
    world->outer.clock_ns = point_clock;
    world->outer.thread_number = thread_number;
    struct tm_codec *codec = &test->codec.codec;
    plain_hash = codec->hash;
    is_weak = world->plan.has_weak_hash;
    codec->hash = point_hash;
    codec->copy_hash = point_copy_hash;
    codec->copy_out = point_copy_out;
    codec->copy_out_hash = point_copy_hash;
    for (unsigned i = 0; i <= COROUTINES_MAX; i++) {
        TM_ASSERT(codec->context_bytes <= sizeof world->codec_context[i]);
        memset(world->codec_context[i], 0, sizeof world->codec_context[i]);
        if (!codec->context_init(codec, world->codec_context[i]))
            sim_fail("the test codec has no context");
    }
}

void sim_host_fini(struct sim_world *world)
{
    if (!tm_test_host_is_clean(&world->host))
        sim_fail("at the end %llu blocks, %llu bytes, %llu and %llu spans are not given back",
                 (unsigned long long)world->host.blocks, (unsigned long long)world->host.bytes,
                 (unsigned long long)world->host.spans[TM_ARENA_EPHEMERAL],
                 (unsigned long long)world->host.spans[TM_ARENA_PERSISTENT]);
    tm_test_host_wipe(&world->host);
    world->host.host = world->as_made;
    tm_test_host_fini(&world->host);
    tm_test_faults_host = NULL;
}
