/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * behind.h - what is done about a change on DIR that was made behind the mount's back.
 *
 * Pages of a file whose bytes changed are dropped from the store, and what the kernel caches of MNT is made
 * old. Names: one that is gone, or now another file's, is dropped by the kernel. One that is new is only
 * expired, because the kernel can hold nothing wrong for it but that there is no such name, while somebody may
 * have found and entered the new directory already, who must not find himself in one that is gone.
 *
 * Threads: the watcher's only.
 */
#ifndef TM_FUSE_BEHIND_H
#define TM_FUSE_BEHIND_H

#include "mount.h"
#include "notify.h"

/* Remembered files of a pass; the rest is done again. */
#define TM_BEHIND_RECENT 64u

/*
 * One pass over events that had all happened when it began: what was done once in it need not be done
 * again, however many events ask for it.
 */
struct tm_behind {
    struct tm_mount *mount;
    int session;
    bool everything;                   /* tm_behind_everything() is due when the pass ends */
    bool concerned;                    /* something that is known has changed */
    bool again;                        /* something was not found, which a later report may say more of */
    uint64_t recent[TM_BEHIND_RECENT]; /* twice the node's generation; one more: pages, too */
};

/* tm_behind_begin, tm_behind_end - around all others. */
void tm_behind_begin(struct tm_behind *pass, struct tm_mount *mount);
void tm_behind_end(struct tm_behind *pass);

/*
 * tm_behind_file - attributes of @node, or its bytes, too, have changed.
 *
 * @directory  where it was changed, or NULL: an answer that tells the kernel of the file for the first time may
 *             be on its way there; if the kernel does not know the file, it is told again after that.
 */
void tm_behind_file(struct tm_behind *pass, struct tm_node *node, struct tm_node *directory,
                    enum tm_notify_inode what);

/* tm_behind_name - @name (@length bytes and a NUL) in @directory is gone, or another file's, or new, as @how says. */
void tm_behind_name(struct tm_behind *pass, struct tm_node *directory, const char *name, size_t length,
                    enum tm_notify_name how);

/*
 * Do others change names in DIR at this time? tm_behind_note_others() says that they have just done so; it counts for
 * longer than any request of the mount's takes.
 */
void tm_behind_note_others(struct tm_mount *mount);
bool tm_behind_others_change_names(const struct tm_mount *mount);

/* tm_behind_everything - changes were missed: all that is known of any file may be old. */
void tm_behind_everything(struct tm_behind *pass);

#endif
