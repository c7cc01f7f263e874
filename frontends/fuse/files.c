/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c - opening and closing files, and why an open never shows old pages.
 *
 * At open the file is looked at. If it is what it was (size, times, identity), the kernel may keep the
 * pages that it has itself, but only once it is sure that those are of this version: another file
 * handle was opened before at the same version, the kernel dropped its pages for that open, and has read
 * or closed that handle since. If the file has changed, the pages in the store have another name from now on,
 * the kernel is told that the attributes it knows are old, and opens answer ESTALE until a name of it was looked
 * up: then the kernel looks up all names of the path again, because a file that was replaced by another of the
 * same name also shows as a change (of its link count or change time) while the kernel may still use the old
 * name.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void tm_file_refreshed(struct tm_mount *mount, struct tm_node *node, struct tm_file *file)
{
    if (!file->settled || __atomic_exchange_n(&file->marked, 1, __ATOMIC_RELAXED) != 0)
        return;
    tm_node_set_current(&mount->nodes, node, &file->version);
}

void tm_file_add(struct tm_mount *mount, struct tm_file *file, void (*end)(struct tm_file *))
{
    file->end = end;
    pthread_mutex_lock(&mount->files_lock);
    file->next = mount->files;
    file->link = &mount->files;
    if (file->next != NULL)
        file->next->link = &file->next;
    mount->files = file;
    pthread_mutex_unlock(&mount->files_lock);
}

void tm_file_end(struct tm_mount *mount, struct tm_file *file)
{
    pthread_mutex_lock(&mount->files_lock);
    *file->link = file->next;
    if (file->next != NULL)
        file->next->link = file->link;
    pthread_mutex_unlock(&mount->files_lock);
    file->end(file);
}

void tm_files_end_all(struct tm_mount *mount)
{
    while (mount->files != NULL)
        tm_file_end(mount, mount->files);
}

int tm_mount_look(struct tm_mount *mount, struct tm_node *node, int fd, struct stat *status, enum tm_tell_kernel tell,
                  struct tm_observation *observation)
{
    int error = tm_node_observe(&mount->nodes, node, fd, status, observation);
    if (error != 0 || !observation->changed)
        return error;
    if (S_ISREG(status->st_mode)) {
        tm_count(&mount->counters.files_changed, 1);
        tm_pages_invalidate(&mount->pages, &observation->before, node->inode);
    }
    /* A negative offset: attributes only. Pages would have to wait for reads under way, maybe ours. */
    if (tell == TM_TELL_KERNEL && node != mount->nodes.root)
        (void)fuse_lowlevel_notify_inval_inode(mount->session, (fuse_ino_t)(uintptr_t)node, -1, 0);
    return 0;
}

/* Opens the node's file for reading, past DIR's page cache where that is possible. */
static int open_for_reading(struct tm_mount *mount, struct tm_node *node, bool *direct)
{
    /* By path, a name may meanwhile be that of a fifo, which would wait for a writer. */
    int flags = O_RDONLY | O_NOCTTY | (mount->source.by_handle ? 0 : O_NONBLOCK);
    *direct = __atomic_load_n(&mount->source.buffered, __ATOMIC_RELAXED) == 0;
    int fd = tm_node_open(&mount->nodes, node, flags | (*direct ? O_DIRECT : 0));
    if (fd == -EINVAL && *direct) {
        *direct = false;
        fd = tm_node_open(&mount->nodes, node, flags);
        if (fd >= 0)
            __atomic_store_n(&mount->source.buffered, 1, __ATOMIC_RELAXED);
    }
    /* The kernel's read-ahead would read what is not asked for, and leave it cached. */
    if (fd >= 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    return fd;
}

/* Looks at the file that @thread has opened. 0, or the errno to answer. */
static int look_at_opened(struct tm_mount *mount, struct tm_node *node, struct tm_file *file, int thread)
{
    struct stat status;
    struct tm_observation observation;
    int64_t now_ns = tm_version_now_ns();
    if (fstat(file->fd, &status) != 0)
        return errno;
    int error = tm_mount_look(mount, node, file->fd, &status, TM_TELL_KERNEL, &observation);
    if (error != 0)
        return error;
    if (tm_node_tell_to_look_up(&mount->nodes, node, thread, status.st_nlink == 0))
        return ESTALE;
    file->version = observation.version;
    file->settled = tm_version_settled(&observation.version, now_ns);
    return 0;
}

static void end_file(struct tm_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file);
}

void tm_op_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    bool direct = false;
    if ((info->flags & O_ACCMODE) != O_RDONLY || (info->flags & O_TRUNC) != 0) {
        (void)fuse_reply_err(request, EROFS);
        return;
    }
    struct tm_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        (void)fuse_reply_err(request, ENOMEM);
        return;
    }
    file->fd = open_for_reading(mount, node, &direct);
    file->direct = direct;
    int error = file->fd < 0 ? -file->fd : look_at_opened(mount, node, file, fuse_req_ctx(request)->pid);
    if (error != 0) {
        (void)fuse_reply_err(request, error);
        end_file(file);
        return;
    }
    tm_file_add(mount, file, end_file);
    info->fh = (uint64_t)(uintptr_t)file;
    info->keep_cache = tm_node_is_current(&mount->nodes, node, &file->version);
    tm_count(&mount->counters.opens, 1);
    tm_count(&mount->counters.opens_kept, info->keep_cache);
    /* A caller that was interrupted meanwhile will send no release. */
    if (fuse_reply_open(request, info) != 0)
        tm_file_end(mount, file);
}

void tm_op_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_file *file = (struct tm_file *)(uintptr_t)info->fh;
    tm_file_refreshed(mount, tm_node_of(mount, number), file);
    tm_file_end(mount, file);
    (void)fuse_reply_err(request, 0);
}

void tm_op_lseek(fuse_req_t request, fuse_ino_t number, off_t offset, int whence, struct fuse_file_info *info)
{
    const struct tm_file *file = (const struct tm_file *)(uintptr_t)info->fh;
    (void)number;
    off_t found = lseek(file->fd, offset, whence);
    if (found < 0)
        (void)fuse_reply_err(request, errno);
    else
        (void)fuse_reply_lseek(request, found);
}
