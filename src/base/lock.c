/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c - waiting for a lock, and the ranks that check builds enforce. */
#include "base/lock.h"

static const char *const class_names[] = {
#define TM_LOCK(name, protects) #name,
#include "base/lock_rank.h"
#undef TM_LOCK
};

static const char *const class_protects[] = {
#define TM_LOCK(name, protects) protects,
#include "base/lock_rank.h"
#undef TM_LOCK
};

TM_STATIC_ASSERT(TM_LOCK_CLASSES <= 32);

const char *tm_lock_class_name(enum tm_lock_class lock_class)
{
    TM_ASSERT((unsigned)lock_class < TM_LOCK_CLASSES);
    return class_names[lock_class];
}

const char *tm_lock_class_protects(enum tm_lock_class lock_class)
{
    TM_ASSERT((unsigned)lock_class < TM_LOCK_CLASSES);
    return class_protects[lock_class];
}

void tm_lock_note_taken(enum tm_lock_class lock_class)
{
    unsigned *held = tm_platform_held_ranks();
    unsigned this_and_below = ~0u << (unsigned)lock_class;
    TM_ASSERT((*held & this_and_below) == 0);
    *held |= 1u << (unsigned)lock_class;
}

void tm_lock_note_freed(enum tm_lock_class lock_class)
{
    unsigned *held = tm_platform_held_ranks();
    TM_ASSERT((*held & (1u << (unsigned)lock_class)) != 0);
    *held &= ~(1u << (unsigned)lock_class);
}

void tm_lock_wait(struct tm_lock *lock)
{
    unsigned attempt = 0;
    do {
        /* Only read while somebody else holds it, so that the line is not fought over. */
        while (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) != 0)
            tm_platform_wait(attempt++);
    } while (__atomic_exchange_n(&lock->word, 1u, __ATOMIC_ACQUIRE) != 0);
}
