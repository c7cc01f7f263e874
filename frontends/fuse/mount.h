/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount.h - the mount: everything that its request handlers share, and the handlers.
 *
 * The program is a filesystem in user space: the kernel sends it requests about files under MNT, it
 * answers them from DIR and from the store. It is read-only: whatever would change something answers
 * EROFS, here and, since it is mounted read-only, in the kernel before.
 *
 * Who knows what: source.h DIR, node.h the files, version.h their contents, pages.h the store,
 * flight.h disk reads under way, worker.h threads and buffers, session.c the list of handlers.
 *
 * Which answers may be old: names and attributes up to their time-outs, because the kernel does not ask
 * before. Page contents never after an open: see files.c.
 */
#ifndef TM_FUSE_MOUNT_H
#define TM_FUSE_MOUNT_H

/* The version of the FUSE API that is used. */
#define FUSE_USE_VERSION 312

#include "counters.h"
#include "flight.h"
#include "node.h"
#include "options.h"
#include "pages.h"
#include "source.h"

#include <fuse_lowlevel.h>

/* The most that one read request may ask for. */
#define TM_READ_MAX_BYTES (UINT64_C(1) << 20)

struct tm_mount {
    struct tm_options options;
    char directory[PATH_MAX]; /* DIR, absolute; for messages and statistics */
    char point[PATH_MAX];     /* MNT, absolute */
    struct tm_source source;
    struct tm_nodes nodes;
    struct tm_pages pages;
    struct tm_flights flights;
    struct tm_counters counters;
    pthread_mutex_t files_lock;
    struct tm_file *files; /* open files and directories, under files_lock */
    struct fuse_session *session;
    int64_t began_ns;
};

/* An open file; the kernel hands its address back. */
struct tm_file {
    int fd;
    int direct;                /* atomic: fd reads past the page cache of DIR */
    int marked;                /* atomic: tm_file_refreshed() was done */
    bool settled;              /* the version below was settled at open */
    struct tm_version version; /* as of open */
    struct tm_file *next;      /* in mount->files, by tm_file_add() */
    struct tm_file **link;
    void (*end)(struct tm_file *file);
};

static inline struct tm_mount *tm_mount_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

static inline struct tm_node *tm_node_of(struct tm_mount *mount, fuse_ino_t number)
{
    return number == FUSE_ROOT_ID ? mount->nodes.root : (struct tm_node *)(uintptr_t)number;
}

/*
 * Open files are listed, because the kernel does not release those that are open when the mount ends.
 * tm_file_add() lists one that @end ends; tm_file_end() takes it off and ends it; tm_files_end_all() ends the
 * rest, when no worker runs any more.
 */
void tm_file_add(struct tm_mount *mount, struct tm_file *file, void (*end)(struct tm_file *));
void tm_file_end(struct tm_mount *mount, struct tm_file *file);
void tm_files_end_all(struct tm_mount *mount);

/* tm_file_refreshed - the kernel has dropped its pages of before this file was opened, and so what it
 * holds is of the file's version. Called on every read and at release. */
void tm_file_refreshed(struct tm_mount *mount, struct tm_node *node, struct tm_file *file);

/* Whether the kernel gets to know the attributes by the answer that follows. */
enum tm_tell_kernel {
    TM_ANSWER_TELLS,
    TM_TELL_KERNEL
};

/*
 * tm_mount_look - the file @fd of @node was looked at and *status read: notes it, and does what is due
 * when the file has changed: drops its pages, and tells the kernel that its attributes are old.
 *
 * *status receives the newest look. 0, or the errno.
 */
int tm_mount_look(struct tm_mount *mount, struct tm_node *node, int fd, struct stat *status, enum tm_tell_kernel tell,
                  struct tm_observation *observation) TM_MUST_USE;

/* tm_mount_number_inode - give *status the inode number that MNT shows. */
void tm_mount_number_inode(const struct tm_mount *mount, struct stat *status);

/*
 * tm_mount_enter - look up @name in the open directory @directory_fd of @directory.
 *
 * On 0, *entry has one look-up counted, which is given to the kernel or taken back. Else the errno.
 */
int tm_mount_enter(struct tm_mount *mount, struct tm_node *directory, int directory_fd, const char *name,
                   struct fuse_entry_param *entry) TM_MUST_USE;

/* tm_stats_write - the statistics as one flat JSON object; its length, or minus the errno. */
ssize_t tm_stats_write(struct tm_mount *mount, char *text, size_t text_size) TM_MUST_USE;

/* The handlers, by file. Each answers its request exactly once. */
void tm_op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void tm_op_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups);
void tm_op_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void tm_op_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void tm_op_readlink(fuse_req_t request, fuse_ino_t number);
void tm_op_statfs(fuse_req_t request, fuse_ino_t number);

void tm_op_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size);
void tm_op_listxattr(fuse_req_t request, fuse_ino_t number, size_t size);

void tm_op_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void tm_op_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info);
void tm_op_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info);
void tm_op_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);

void tm_op_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void tm_op_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void tm_op_lseek(fuse_req_t request, fuse_ino_t number, off_t offset, int whence, struct fuse_file_info *info);
void tm_op_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info);

/* tm_session_operations - the table of handlers; constant. */
const struct fuse_lowlevel_ops *tm_session_operations(void);

/* refuse.c: sets every handler that would change something. */
void tm_refuse_changes(struct fuse_lowlevel_ops *operations);

#endif
