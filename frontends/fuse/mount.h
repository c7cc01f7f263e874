/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount.h - the mount: everything that its request handlers share, and the handlers.
 *
 * The program is a filesystem in user space: the kernel sends it requests about files under MNT, it
 * answers them from DIR and from the store. What changes a file goes to DIR before it is answered.
 *
 * Who knows what: source.h DIR, node.h the files, entries.h their names, content.h which pages are theirs,
 * pages.h the store,
 * flight.h ranges of files being read or written, change.h how the mount changes a file, caller.h on
 * whose behalf, worker.h threads and buffers, session.c the list of handlers.
 *
 * Which answers may be old: names and attributes up to their time-outs, because the kernel does not ask
 * before. Page contents never after an open: see files.c.
 */
#ifndef TM_FUSE_MOUNT_H
#define TM_FUSE_MOUNT_H

/* The version of the FUSE API that is used. */
#define FUSE_USE_VERSION 312

#include "counters.h"
#include "entries.h"
#include "flight.h"
#include "node.h"
#include "options.h"
#include "pages.h"
#include "source.h"
#include "watch.h"

#include <fuse_lowlevel.h>

/* The most that one read request may ask for. */
#define TM_READ_MAX_BYTES (UINT64_C(1) << 20)

struct tm_mount {
    struct tm_options options;
    char directory[PATH_MAX]; /* DIR, absolute; for messages and statistics */
    char point[PATH_MAX];     /* MNT, absolute */
    struct tm_source source;
    struct tm_nodes nodes;
    struct tm_entries entries;
    struct tm_pages pages;
    struct tm_flights flights;
    struct tm_counters counters;
    struct tm_watch watch;
    pthread_mutex_t files_lock;
    struct tm_file *files; /* open files and directories, under files_lock */
    bool trusted;          /* content.h; constant once the mount answers */
    bool stateless;        /* the kernel opens files and directories without asking: fh is 0 */
    struct fuse_session *session;
    int64_t began_ns;
};

/* An open file; the kernel hands its address back. A stateless mount has one for each request. */
struct tm_file {
    int fd;
    int direct;           /* atomic: fd reads past the page cache of DIR */
    int marked;           /* atomic: tm_file_refreshed() was done */
    bool settled;         /* what the kernel reads is of this epoch, and any change will show: */
    uint32_t epoch;       /* as of open */
    struct tm_file *next; /* in mount->files, by tm_file_add() */
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

/* What is open under the request's handle; NULL when nothing is. */
static inline struct tm_file *tm_file_of(const struct fuse_file_info *info)
{
    return info != NULL ? (struct tm_file *)(uintptr_t)info->fh : NULL;
}

/*
 * tm_file_open_data - open the node's file for reading its bytes, past DIR's page cache unless they may be
 * newest there. 0, or the errno; file->fd and file->direct say what was opened.
 */
int tm_file_open_data(struct tm_mount *mount, struct tm_node *node, struct tm_file *file, bool buffered) TM_MUST_USE;

/* tm_file_opened - list a file that was opened or made, and say so in *info. */
void tm_file_opened(struct tm_mount *mount, struct tm_node *node, struct tm_file *file, struct fuse_file_info *info);

/* tm_file_fd - a descriptor for one request: that of @file, else one opened with @flags. Minus the errno on failure;
 * tm_file_fd_end() closes it if it was opened. */
int tm_file_fd(struct tm_mount *mount, struct tm_node *node, const struct tm_file *file, int flags) TM_MUST_USE;
void tm_file_fd_end(const struct tm_file *file, int fd);

/*
 * Open files are listed, because the kernel does not release those that are open when the mount ends.
 * tm_file_add() lists one that @end ends; tm_file_end() takes it off and ends it; tm_files_end_all() ends the
 * rest, when no worker runs any more.
 */
void tm_file_add(struct tm_mount *mount, struct tm_file *file, void (*end)(struct tm_file *));
void tm_file_end(struct tm_mount *mount, struct tm_file *file);
void tm_files_end_all(struct tm_mount *mount);

/* tm_file_refreshed - the kernel has dropped its pages of before this file was opened, and so what it
 * holds is of the file's epoch. Called on every read and at release. */
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

#define TM_MOUNT_NOT_OPEN (-1)

/*
 * tm_mount_enter - look up @name in @directory, which is open as @directory_fd, or TM_MOUNT_NOT_OPEN.
 *
 * On 0, *entry has one look-up counted, which is given to the kernel or taken back. Else the errno.
 */
int tm_mount_enter(struct tm_mount *mount, struct tm_node *directory, int directory_fd, const char *name,
                   struct fuse_entry_param *entry) TM_MUST_USE;

/* tm_mount_drop - the file has changed, or its pages are not to be found any more for another reason: gives its content
 * another name, and drops its pages. Tells the kernel nothing. */
void tm_mount_drop(struct tm_mount *mount, struct tm_node *node);

/* tm_mount_dropped - what @observation says has another name now: drops the pages of before. */
void tm_mount_dropped(struct tm_mount *mount, struct tm_node *node, const struct tm_observation *observation);

/* tm_mount_enter_opened - the same for a file that is open already, as @fd, and was found as @name. */
int tm_mount_enter_opened(struct tm_mount *mount, struct tm_node *directory, const char *name, int fd,
                          struct fuse_entry_param *entry) TM_MUST_USE;

/* tm_mount_open_directory - the directory of a request as a place; minus the errno. Closed by close(). */
int tm_mount_open_directory(struct tm_mount *mount, fuse_ino_t number) TM_MUST_USE;

/* tm_mount_reply_new - answer with the file @name of @directory, which has just been made. */
void tm_mount_reply_new(fuse_req_t request, struct tm_node *directory, int directory_fd, const char *name);

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

void tm_op_setattr(fuse_req_t request, fuse_ino_t number, struct stat *wanted, int which, struct fuse_file_info *info);
void tm_op_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t size,
                    int flags);
void tm_op_removexattr(fuse_req_t request, fuse_ino_t number, const char *name);

void tm_op_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info);
void tm_op_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void tm_op_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void tm_op_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void tm_op_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, const char *name);

void tm_op_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void tm_op_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void tm_op_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags);

void tm_op_write(fuse_req_t request, fuse_ino_t number, const char *bytes, size_t size, off_t offset,
                 struct fuse_file_info *info);
void tm_op_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
                     struct fuse_file_info *info);
void tm_op_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info,
                           fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_info, size_t length, int flags);
void tm_op_fsync(fuse_req_t request, fuse_ino_t number, int only_data, struct fuse_file_info *info);
void tm_op_fsyncdir(fuse_req_t request, fuse_ino_t number, int only_data, struct fuse_file_info *info);

/* refuse.c: sets every handler that would change something. */
void tm_refuse_changes(struct fuse_lowlevel_ops *operations);

#endif
