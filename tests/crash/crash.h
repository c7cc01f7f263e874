/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash.h - a process that works on a store and is killed, and one that looks what is left.
 *
 * The store's persistent pages lie in a memfd that outlives the process. Beside it there is a *journal* in memory that
 * both processes share: what each call was about to do, written before the call, and what is known to be so, written
 * after it. Whoever was killed has left each of its threads in one of three phases: between two calls; inside a call,
 * which may have happened or not; or with an answer that it had no time to write down.
 *
 * Each thread has pages of its own, so that it always knows what must be there; pools, memory, segments, chunks and
 * locks they share.
 */
#ifndef TMEM_TEST_CRASH_H
#define TMEM_TEST_CRASH_H

#include <stdatomic.h>
#include <tmem/control.h>

#include "tests/model/content.h"

#define CRASH_THREADS 2u
#define CRASH_POOLS 3u /* of a thread: two private ones, and the one that both clients share */
#define CRASH_SHARED_POOL 2u
#define CRASH_OBJECTS 6u
#define CRASH_PAGES 80u
#define CRASH_BATCH 8u

enum crash_phase {
    CRASH_IDLE,
    CRASH_CALLING,
    CRASH_ANSWERED
};

enum crash_kind {
    CRASH_PUT,
    CRASH_PUT_MANY,
    CRASH_INVALIDATE_PAGE,
    CRASH_TAKE, /* exclusive get */
    CRASH_INVALIDATE_OBJECT,
    CRASH_POOL_CREATE,
    CRASH_POOL_DESTROY,
    CRASH_SETTINGS, /* weight, cap, state: one of them */
    CRASH_GUEST_CREATE,
    CRASH_GUEST_DESTROY,
    CRASH_KINDS
};

struct crash_settings {
    uint32_t weight;
    bool is_frozen;
    uint64_t cap_bytes;
};

/* What a thread is about to do, and what was answered. */
struct crash_intent {
    _Atomic int phase; /* enum crash_phase */
    enum crash_kind kind;
    unsigned pool, object, page, count;
    uint32_t flags;
    uint64_t content[CRASH_BATCH];
    enum tmem_result result[CRASH_BATCH];
    uint64_t pool_id; /* answered by pool_create */
    struct crash_settings settings;
};

struct crash_pool {
    uint64_t id; /* 0: there is none */
    uint64_t content[CRASH_OBJECTS][CRASH_PAGES];
};

struct crash_thread {
    _Atomic int tid;
    struct crash_intent intent;
    struct crash_pool pool[CRASH_POOLS];
    struct crash_settings settings;
    bool has_guest;
};

struct crash_journal {
    _Atomic bool is_working; /* the threads have begun */
    _Atomic uint64_t calls[CRASH_KINDS];
    uint64_t seed;
    uint64_t round;
    const char *program;
    struct crash_thread thread[CRASH_THREADS];
};

/* Says what was wrong and how to see it again, and ends the process with status 1. */
_Noreturn void crash_fail(const struct crash_journal *journal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- journal.c ---- */

struct tmem_object_id crash_object(unsigned thread, unsigned object);
uint32_t crash_index(unsigned page);
/* Names of a thread's client and of its guest. */
const char *crash_client_name(unsigned thread);
const char *crash_guest_name(unsigned thread);
struct tmem_uuid crash_uuid(void);

/* Writes down what follows from an answer. Doing it twice is the same as once. */
void crash_apply(struct crash_thread *thread);

static inline unsigned crash_below(uint64_t *state, unsigned limit)
{
    return (unsigned)((content_next(state) >> 32) * limit >> 32);
}

/* ---- child.c: the process that is killed ---- */

_Noreturn void crash_child(struct crash_journal *journal, const char *uri);

/* ---- verify.c: what is left ---- */

/* Makes what the first child expects. */
void crash_set_up(struct crash_journal *journal, const char *uri);
/* Opens the store, checks it against the journal, adds to the journal what was under way, and closes the store. */
void crash_verify(struct crash_journal *journal, const char *uri);

/* ---- kill.c: ways to kill ---- */

enum crash_way {
    CRASH_AFTER_FORK, /* some time after it began: while it opens the store, too */
    CRASH_AT_WORK,    /* some time after its threads began */
    CRASH_BY_STEPS,   /* after some instructions inside a call, counted one by one */
    CRASH_WAYS
};

/* Kills the process and waits until it is gone. False: this machine does not allow this way; another was taken. */
bool crash_kill(struct crash_journal *journal, int child, enum crash_way way, uint64_t *random);

#endif
