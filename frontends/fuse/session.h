/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - the connection with the kernel: mounted by tm_session_open(), served by workers, ended by
 * somebody who unmounts, be it this process.
 */
#ifndef TM_FUSE_SESSION_H
#define TM_FUSE_SESSION_H

#include "mount.h"

/* tm_session_open - mount at mount->point. TM_EXIT_OK, or a code after a message; nothing is mounted
 * then. */
enum tm_exit tm_session_open(struct tm_mount *mount) TM_MUST_USE;

/* tm_session_answers - look at the mount as a user does, through the kernel. Workers must run.
 * *device receives the mount's. TM_EXIT_OK, or a code after a message. */
enum tm_exit tm_session_answers(struct tm_mount *mount, dev_t *device) TM_MUST_USE;

/*
 * tm_session_unmount - take the mount away, lazily if it is in use. Leaves alone what somebody else has
 * mounted on top, and what is not mounted any more.
 *
 * True when nothing of it is in use any more: the workers end by themselves at once.
 */
bool tm_session_unmount(struct tm_mount *mount, dev_t device) TM_MUST_USE;

/* tm_session_close - end the connection. No worker runs any more. */
void tm_session_close(struct tm_mount *mount);

#endif
