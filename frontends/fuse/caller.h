/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caller.h - on whose behalf a worker changes something.
 *
 * What is made belongs to who asked for it, is made with his umask, and is charged to his share of the disk.
 * Permission was checked by the kernel before it asked, with all the caller's groups: so a worker takes on the
 * caller's uid and gid, and keeps the rights to pass over permissions. Mounts of ordinary users act as that
 * user, whoever asks.
 *
 * Threads: each call concerns the calling thread only.
 */
#ifndef TM_FUSE_CALLER_H
#define TM_FUSE_CALLER_H

#include "mount.h"

/* tm_caller_prepare_thread - to be called once in every worker. */
void tm_caller_prepare_thread(void);

/* tm_caller_assume - act for the sender of @request until tm_caller_resign(). 0, or the errno: then for nobody. */
int tm_caller_assume(fuse_req_t request) TM_MUST_USE;
void tm_caller_resign(void);

#endif
