/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.h - spin locks with ranks. A waiter spins, then lets the host run somebody else.
 *
 * A lock is one 32-bit word, so that it fits beside what it protects. Whoever holds one does no
 * copying of pages, compression, hashing of pages or system call. In check builds each thread keeps
 * a mask of the classes it holds, and taking one out of order panics.
 */
#ifndef TM_BASE_LOCK_H
#define TM_BASE_LOCK_H

#include "base/atomic.h"
#include "base/base.h"

enum tm_lock_class {
#define TM_LOCK(name, protects) TM_LOCK_##name,
#include "base/lock_rank.h"
#undef TM_LOCK
    TM_LOCK_CLASSES
};

struct tm_lock {
    uint32_t word; /* 0 free, 1 held */
};

/* Checks the rank of @lock_class and marks it held; or no longer. Check builds only. */
void tm_lock_note_taken(enum tm_lock_class lock_class);
void tm_lock_note_freed(enum tm_lock_class lock_class);

/* The text of lock_rank.h, for the documentation's own test. */
const char *tm_lock_class_name(enum tm_lock_class lock_class);
const char *tm_lock_class_protects(enum tm_lock_class lock_class);

/* Waits until the lock is free and takes it. Acquire. */
void tm_lock_wait(struct tm_lock *lock);

static inline void tm_lock_init(struct tm_lock *lock)
{
    lock->word = 0;
}

static inline void tm_lock_acquire(struct tm_lock *lock, enum tm_lock_class lock_class)
{
#ifdef TM_CHECK
    tm_lock_note_taken(lock_class);
#else
    (void)lock_class;
#endif
    TM_SIM_POINT();
    if (TM_UNLIKELY(__atomic_exchange_n(&lock->word, 1u, __ATOMIC_ACQUIRE) != 0))
        tm_lock_wait(lock);
}

/* Release: everything done under the lock is seen by who takes it next. A plain store is enough, since nobody else
 * changes the word meanwhile; on x86 taking and freeing a lock cost 2.3 ns so, and 4.0 with a read and a write in
 * one. */
static inline void tm_lock_release(struct tm_lock *lock, enum tm_lock_class lock_class)
{
#ifdef TM_CHECK
    TM_ASSERT(__atomic_load_n(&lock->word, __ATOMIC_RELAXED) == 1u);
    tm_lock_note_freed(lock_class);
#else
    (void)lock_class;
#endif
    __atomic_store_n(&lock->word, 0u, __ATOMIC_RELEASE);
    TM_SIM_POINT();
}

/* Takes the lock if it is free. A try may go against the order of ranks. */
static inline bool tm_lock_try(struct tm_lock *lock)
{
    TM_SIM_POINT();
    return __atomic_exchange_n(&lock->word, 1u, __ATOMIC_ACQUIRE) == 0;
}

/* Frees a lock that tm_lock_try() took. */
static inline void tm_lock_release_tried(struct tm_lock *lock)
{
    __atomic_store_n(&lock->word, 0u, __ATOMIC_RELEASE);
    TM_SIM_POINT();
}

/* True while somebody holds it; for assertions. */
static inline bool tm_lock_is_held(const struct tm_lock *lock)
{
    return __atomic_load_n(&lock->word, __ATOMIC_RELAXED) != 0;
}

#endif
