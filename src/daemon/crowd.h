/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd.h - how many connections there are, and how many of them one user has: nobody may take all.
 *
 * Who locks: a mutex.
 */
#ifndef TM_DAEMON_CROWD_H
#define TM_DAEMON_CROWD_H

#include "base/base.h"

#include <sys/types.h>

struct tm_crowd;

/*
 * tm_crowd_create - for @most connections, of which a user may have a quarter; root, and @own, whose daemon it is, all.
 * NULL: no memory.
 */
struct tm_crowd *tm_crowd_create(uint32_t most, uid_t own);
void tm_crowd_destroy(struct tm_crowd *crowd);

/* tm_crowd_set_most - from now on; those who are there stay. */
void tm_crowd_set_most(struct tm_crowd *crowd, uint32_t most);

/* tm_crowd_enter - one more of this user; false: there are too many, or there is no memory. */
bool tm_crowd_enter(struct tm_crowd *crowd, uid_t uid);
void tm_crowd_leave(struct tm_crowd *crowd, uid_t uid);

#endif
