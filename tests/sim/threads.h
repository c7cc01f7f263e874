/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.h - comes before the sources in src/xen where they are simulated: locks of threads become locks of
 * coroutines, each call a switching point. The types stay, and are room for a few words.
 */
#ifndef TM_TEST_SIM_THREADS_H
#define TM_TEST_SIM_THREADS_H

#include <pthread.h>

int sim_mutex_init(pthread_mutex_t *mutex, const void *attributes);
int sim_mutex_destroy(pthread_mutex_t *mutex);
int sim_mutex_lock(pthread_mutex_t *mutex);
int sim_mutex_unlock(pthread_mutex_t *mutex);
int sim_rwlock_init(pthread_rwlock_t *lock, const void *attributes);
int sim_rwlock_destroy(pthread_rwlock_t *lock);
int sim_rwlock_rdlock(pthread_rwlock_t *lock);
int sim_rwlock_wrlock(pthread_rwlock_t *lock);
int sim_rwlock_unlock(pthread_rwlock_t *lock);
int sim_cond_init(pthread_cond_t *condition, const void *attributes);
int sim_cond_destroy(pthread_cond_t *condition);
int sim_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int sim_cond_broadcast(pthread_cond_t *condition);

#define pthread_mutex_init sim_mutex_init
#define pthread_mutex_destroy sim_mutex_destroy
#define pthread_mutex_lock sim_mutex_lock
#define pthread_mutex_unlock sim_mutex_unlock
#define pthread_rwlock_init sim_rwlock_init
#define pthread_rwlock_destroy sim_rwlock_destroy
#define pthread_rwlock_rdlock sim_rwlock_rdlock
#define pthread_rwlock_wrlock sim_rwlock_wrlock
#define pthread_rwlock_unlock sim_rwlock_unlock
#define pthread_cond_init sim_cond_init
#define pthread_cond_destroy sim_cond_destroy
#define pthread_cond_wait sim_cond_wait
#define pthread_cond_signal sim_cond_broadcast
#define pthread_cond_broadcast sim_cond_broadcast

#endif
