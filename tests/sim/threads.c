/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.c - see threads.h. Coroutines change places only at switching points, so the words are looked at and changed
 * without one in between.
 */
#include "sim/threads.h"

#include <string.h>

#include "base/base.h"
#include "sim/schedule.h"

/* What is in a mutex: 1 held. In a condition: how often it was told. */
struct word {
    uint32_t value;
};

struct rwlock {
    uint32_t readers;
    uint32_t writers; /* who waits counts */
    uint32_t is_written;
};

TM_STATIC_ASSERT(sizeof(struct word) <= sizeof(pthread_mutex_t) && sizeof(struct word) <= sizeof(pthread_cond_t));
TM_STATIC_ASSERT(sizeof(struct rwlock) <= sizeof(pthread_rwlock_t));

static struct word *word_of(void *memory)
{
    return memory;
}

static struct rwlock *rwlock_of(pthread_rwlock_t *lock)
{
    return (struct rwlock *)(void *)lock;
}

/* ---- mutexes ---- */

int sim_mutex_init(pthread_mutex_t *mutex, const void *attributes)
{
    (void)attributes;
    word_of(mutex)->value = 0;
    return 0;
}

int sim_mutex_destroy(pthread_mutex_t *mutex)
{
    TM_ASSERT(word_of(mutex)->value == 0);
    return 0;
}

int sim_mutex_lock(pthread_mutex_t *mutex)
{
    sim_point();
    for (unsigned attempt = 0; word_of(mutex)->value != 0; attempt++)
        tm_platform_wait(attempt);
    word_of(mutex)->value = 1;
    return 0;
}

int sim_mutex_unlock(pthread_mutex_t *mutex)
{
    TM_ASSERT(word_of(mutex)->value == 1);
    word_of(mutex)->value = 0;
    sim_point();
    return 0;
}

/* ---- locks of readers and writers; a writer who waits comes before later readers ---- */

int sim_rwlock_init(pthread_rwlock_t *lock, const void *attributes)
{
    (void)attributes;
    memset(rwlock_of(lock), 0, sizeof(struct rwlock));
    return 0;
}

int sim_rwlock_destroy(pthread_rwlock_t *lock)
{
    const struct rwlock *it = rwlock_of(lock);
    TM_ASSERT(it->readers == 0 && it->writers == 0);
    return 0;
}

int sim_rwlock_rdlock(pthread_rwlock_t *lock)
{
    struct rwlock *it = rwlock_of(lock);
    sim_point();
    for (unsigned attempt = 0; it->writers != 0; attempt++)
        tm_platform_wait(attempt);
    it->readers++;
    return 0;
}

int sim_rwlock_wrlock(pthread_rwlock_t *lock)
{
    struct rwlock *it = rwlock_of(lock);
    sim_point();
    it->writers++;
    for (unsigned attempt = 0; it->readers != 0 || it->is_written != 0; attempt++)
        tm_platform_wait(attempt);
    it->is_written = 1;
    return 0;
}

int sim_rwlock_unlock(pthread_rwlock_t *lock)
{
    struct rwlock *it = rwlock_of(lock);
    if (it->is_written != 0) {
        it->is_written = 0;
        it->writers--;
    } else {
        TM_ASSERT(it->readers != 0);
        it->readers--;
    }
    sim_point();
    return 0;
}

/* ---- conditions ---- */

int sim_cond_init(pthread_cond_t *condition, const void *attributes)
{
    (void)attributes;
    word_of(condition)->value = 0;
    return 0;
}

int sim_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    return 0;
}

int sim_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    uint32_t before = word_of(condition)->value;
    (void)sim_mutex_unlock(mutex);
    for (unsigned attempt = 0; word_of(condition)->value == before; attempt++)
        tm_platform_wait(attempt);
    return sim_mutex_lock(mutex);
}

int sim_cond_broadcast(pthread_cond_t *condition)
{
    word_of(condition)->value++;
    sim_point();
    return 0;
}
