/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.c - opening and closing files, and why an open never shows old pages.
 *
 * Where every change on DIR is heard of (content.h) and files are found by handle, the kernel is told once that
 * it need not ask when it opens: a *stateless* mount. It keeps its pages until it is told otherwise, and a request
 * that needs a descriptor opens one for itself.
 *
 * Else the file is looked at when it is opened. If it is what it was (size, times, identity), the kernel may keep the
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
    tm_node_set_current(&mount->nodes, node, file->epoch);
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
        tm_mount_dropped(mount, node, observation);
    }
    /* A negative offset: attributes only. Pages would have to wait for reads under way, maybe ours. */
    if (tell == TM_TELL_KERNEL && node != mount->nodes.root)
        (void)fuse_lowlevel_notify_inval_inode(mount->session, (fuse_ino_t)(uintptr_t)node, -1, 0);
    return 0;
}

int tm_file_open_data(struct tm_mount *mount, struct tm_node *node, struct tm_file *file, bool buffered)
{
    /* By path, a name may meanwhile be that of a fifo, which would wait for a writer. */
    int flags = O_RDONLY | O_NOCTTY | (mount->source.by_handle ? 0 : O_NONBLOCK);
    bool direct = !buffered && __atomic_load_n(&mount->source.buffered, __ATOMIC_RELAXED) == 0;
    int fd = tm_node_open(&mount->nodes, node, flags | (direct ? O_DIRECT : 0));
    if (fd == -EINVAL && direct) {
        direct = false;
        fd = tm_node_open(&mount->nodes, node, flags);
        if (fd >= 0)
            __atomic_store_n(&mount->source.buffered, 1, __ATOMIC_RELAXED);
    }
    /* The kernel's read-ahead would read what is not asked for, and leave it cached. */
    if (fd >= 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    file->fd = fd;
    file->direct = direct;
    return fd < 0 ? -fd : 0;
}

/* Opens for writing. Not past the page cache: writes have any size and place. */
static int open_for_writing(struct tm_mount *mount, struct tm_node *node, struct tm_file *file, int flags)
{
    /* A kernel that keeps writes back reads what it does not overwrite. */
    int access = mount->options.writeback ? O_RDWR : flags & O_ACCMODE;
    file->fd = tm_node_open(&mount->nodes, node, access | O_NOCTTY | O_NONBLOCK);
    if (file->fd >= 0)
        (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
    return file->fd < 0 ? -file->fd : 0;
}

int tm_file_fd(struct tm_mount *mount, struct tm_node *node, const struct tm_file *file, int flags)
{
    return file != NULL ? file->fd : tm_node_open(&mount->nodes, node, flags | O_NOCTTY | O_NONBLOCK);
}

void tm_file_fd_end(const struct tm_file *file, int fd)
{
    if (file == NULL && fd >= 0)
        (void)close(fd);
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
    file->settled = mount->trusted || tm_version_settled(&observation.version, now_ns);
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
    bool writes = (info->flags & O_ACCMODE) != O_RDONLY;
    if (writes && mount->options.read_only) {
        (void)fuse_reply_err(request, EROFS);
        return;
    }
    if (mount->stateless) {
        (void)fuse_reply_err(request, ENOSYS);
        return;
    }
    struct tm_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        (void)fuse_reply_err(request, ENOMEM);
        return;
    }
    int error = writes ? open_for_writing(mount, node, file, info->flags)
                       : tm_file_open_data(mount, node, file, tm_node_is_written(&mount->nodes, node));
    if (error == 0)
        error = look_at_opened(mount, node, file, fuse_req_ctx(request)->pid);
    if (error != 0) {
        (void)fuse_reply_err(request, error);
        end_file(file);
        return;
    }
    tm_file_opened(mount, node, file, info);
    /* A caller that was interrupted meanwhile will send no release. */
    if (fuse_reply_open(request, info) != 0)
        tm_file_end(mount, file);
}

void tm_file_opened(struct tm_mount *mount, struct tm_node *node, struct tm_file *file, struct fuse_file_info *info)
{
    tm_file_add(mount, file, end_file);
    info->fh = (uint64_t)(uintptr_t)file;
    info->keep_cache = tm_node_is_current(&mount->nodes, node, &file->epoch) || mount->trusted;
    tm_count(&mount->counters.opens, 1);
    tm_count(&mount->counters.opens_kept, info->keep_cache);
}

void tm_op_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_file *file = tm_file_of(info);
    /* In a stateless mount too, for files that were made before the first open. */
    if (file != NULL) {
        tm_file_refreshed(mount, tm_node_of(mount, number), file);
        tm_file_end(mount, file);
    }
    (void)fuse_reply_err(request, 0);
}

void tm_op_lseek(fuse_req_t request, fuse_ino_t number, off_t offset, int whence, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    const struct tm_file *file = tm_file_of(info);
    if (mount->options.writeback) {
        /* DIR does not know yet what is data. The kernel then says that all of it is. */
        (void)fuse_reply_err(request, ENOSYS);
        return;
    }
    int fd = tm_file_fd(mount, tm_node_of(mount, number), file, O_RDONLY);
    off_t found = fd < 0 ? fd : lseek(fd, offset, whence);
    int error = fd < 0 ? -fd : errno;
    tm_file_fd_end(file, fd);
    if (found < 0)
        (void)fuse_reply_err(request, error);
    else
        (void)fuse_reply_lseek(request, found);
}
