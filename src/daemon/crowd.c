/* SPDX-License-Identifier: BSD-2-Clause */
/* crowd.c - see crowd.h. */
#include "daemon/crowd.h"

#include <pthread.h>
#include <stdlib.h>

struct user {
    uid_t uid;
    uint32_t count;
};

struct tm_crowd {
    pthread_mutex_t mutex;
    uint32_t most;
    uid_t own;
    uint32_t count;
    struct user *users; /* those that have any, in any order */
    uint32_t user_count;
    uint32_t user_capacity;
};

struct tm_crowd *tm_crowd_create(uint32_t most, uid_t own)
{
    struct tm_crowd *crowd = calloc(1, sizeof *crowd);
    if (crowd == NULL)
        return NULL;
    crowd->most = most;
    crowd->own = own;
    if (pthread_mutex_init(&crowd->mutex, NULL) == 0)
        return crowd;
    free(crowd);
    return NULL;
}

void tm_crowd_destroy(struct tm_crowd *crowd)
{
    if (crowd == NULL)
        return;
    (void)pthread_mutex_destroy(&crowd->mutex);
    free(crowd->users);
    free(crowd);
}

static struct user *find(const struct tm_crowd *crowd, uid_t uid)
{
    for (uint32_t i = 0; i < crowd->user_count; i++)
        if (crowd->users[i].uid == uid)
            return &crowd->users[i];
    return NULL;
}

static struct user *find_or_add(struct tm_crowd *crowd, uid_t uid)
{
    struct user *user = find(crowd, uid);
    if (user != NULL)
        return user;
    if (crowd->user_count == crowd->user_capacity) {
        uint32_t capacity = crowd->user_capacity == 0 ? 8 : crowd->user_capacity * 2u;
        struct user *users = realloc(crowd->users, capacity * sizeof *users);
        if (users == NULL)
            return NULL;
        crowd->users = users;
        crowd->user_capacity = capacity;
    }
    user = &crowd->users[crowd->user_count++];
    *user = (struct user){uid, 0};
    return user;
}

static bool enter(struct tm_crowd *crowd, uid_t uid)
{
    if (crowd->count >= crowd->most)
        return false;
    uint32_t most = uid == crowd->own || uid == 0 ? crowd->most : (crowd->most + 3u) / 4u;
    struct user *user = find_or_add(crowd, uid);
    if (user == NULL || user->count >= most)
        return false;
    user->count++;
    crowd->count++;
    return true;
}

void tm_crowd_set_most(struct tm_crowd *crowd, uint32_t most)
{
    (void)pthread_mutex_lock(&crowd->mutex);
    crowd->most = most;
    (void)pthread_mutex_unlock(&crowd->mutex);
}

bool tm_crowd_enter(struct tm_crowd *crowd, uid_t uid)
{
    (void)pthread_mutex_lock(&crowd->mutex);
    bool entered = enter(crowd, uid);
    (void)pthread_mutex_unlock(&crowd->mutex);
    return entered;
}

void tm_crowd_leave(struct tm_crowd *crowd, uid_t uid)
{
    (void)pthread_mutex_lock(&crowd->mutex);
    struct user *user = find(crowd, uid);
    TM_ASSERT(user != NULL && user->count > 0 && crowd->count > 0);
    crowd->count--;
    if (--user->count == 0)
        *user = crowd->users[--crowd->user_count];
    (void)pthread_mutex_unlock(&crowd->mutex);
}
