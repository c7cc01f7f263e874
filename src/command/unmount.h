/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unmount.h - taking a FUSE mount away: by the system call, or through fusermount3, which is allowed
 * to do it for an ordinary user's own mounts.
 */
#ifndef TM_COMMAND_UNMOUNT_H
#define TM_COMMAND_UNMOUNT_H

#include "base/base.h"

/*
 * tm_unmount - unmount what is topmost at @point.
 *
 * @point  an absolute path without symlinks.
 * @lazy   take it out of the tree at once even if it is in use; it ends with its last user.
 *
 * Returns 0, or an errno: EBUSY (in use, nothing changed), EPERM (not allowed, or fusermount3 said
 * why on stderr), ENOSYS (not root, and there is no fusermount3), others as umount2() gives them.
 */
int tm_unmount(const char *point, bool lazy) TM_MUST_USE;

/*
 * tm_unmount_dead - the same for a mount whose process has ended: also one in which files are open, which
 * cannot be used any more, at once.
 */
int tm_unmount_dead(const char *point) TM_MUST_USE;

#endif
