/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.h - telling the kernel that what it caches of MNT is old.
 *
 * The messages are written here instead of by libfuse, because its versions disagree on them and none knows
 * all of them. They go to the descriptor of the session; when that has ended they fail and do nothing else.
 *
 * A message is in effect when the call returns. It may wait for requests under way, whose answers a worker must
 * give: for those in the directory (names), for reads of the file (pages). So only the watcher's thread sends
 * them, holding no lock.
 *
 * Threads: all calls may overlap.
 */
#ifndef TM_FUSE_NOTIFY_H
#define TM_FUSE_NOTIFY_H

#include "command/command.h"

enum tm_notify_inode {
    TM_NOTIFY_ATTRIBUTES, /* ACLs among them */
    TM_NOTIFY_PAGES,      /* and file pages, mapped ones too; of a directory, its listing */
};

enum tm_notify_name {
    TM_NOTIFY_DROP,   /* the kernel takes the name out, and unmounts what is mounted on it or below */
    TM_NOTIFY_EXPIRE, /* it asks at the next use whether the name is still the same file's; before 6.2: drops */
};

/* tm_notify_inode - the inode number @number has changed. 0; ENOENT: the kernel does not know it; or another errno. */
int tm_notify_inode(int session, uint64_t number, enum tm_notify_inode what);

/* tm_notify_name - @name (@length bytes) in the directory number @directory has changed, and with it the directory.
 * 0; ENOENT: the kernel knows no such name or no such directory; or another errno. */
int tm_notify_name(int session, uint64_t directory, const char *name, size_t length, enum tm_notify_name how);

/* tm_notify_wait - wait until answers for names in @directory that were given before have been taken in. */
void tm_notify_wait(int session, uint64_t directory);

/* tm_notify_all_names - all names have changed. 0, or the errno: kernels before 6.16 cannot. */
int tm_notify_all_names(int session);

#endif
