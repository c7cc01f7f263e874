/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * write.c - the life of a write, and of everything else that changes a file's bytes.
 *
 * keep readers of these pages away (edit.h) -> drop the pages from the store -> write to DIR -> look at the
 * file -> let readers in -> answer. What was written lies in DIR's page cache until the kernel writes it to
 * the disk: the promise is that of a write to DIR itself.
 */
#include "caller.h"
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Long files are sent to the disk piece by piece, so that they fill no memory twice. */
#define PIECE_BYTES (UINT64_C(8) << 20)

/* When a piece is complete: begins to write it, and lets the one before go. */
static void write_behind(int fd, uint64_t offset, uint64_t bytes)
{
    uint64_t piece = (offset + bytes) / PIECE_BYTES;
    if (piece == 0 || piece == offset / PIECE_BYTES)
        return;
    (void)sync_file_range(fd, (off_t)((piece - 1u) * PIECE_BYTES), (off_t)PIECE_BYTES, SYNC_FILE_RANGE_WRITE);
    if (piece > 1u)
        (void)posix_fadvise(fd, (off_t)((piece - 2u) * PIECE_BYTES), (off_t)PIECE_BYTES, POSIX_FADV_DONTNEED);
}

/* Writes all of it, or as much as there is room for. Bytes written, or minus the errno. */
static ssize_t write_all(int fd, const char *bytes, size_t size, off_t offset, bool append)
{
    size_t done = 0;
    while (done < size) {
        struct iovec part = {(char *)(uintptr_t)(bytes + done), size - done};
        ssize_t length = append ? pwritev2(fd, &part, 1, offset + (off_t)done, RWF_APPEND)
                                : pwrite(fd, bytes + done, size - done, offset + (off_t)done);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return done > 0 ? (ssize_t)done : -errno;
        if (length == 0)
            break;
        done += (size_t)length;
    }
    return (ssize_t)done;
}

void tm_op_write(fuse_req_t request, fuse_ino_t number, const char *bytes, size_t size, off_t offset,
                 struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    const struct tm_file *file = tm_file_of(info);
    struct tm_edit edit;
    struct stat status;
    /* With --writeback the kernel knows where the end is. */
    bool append = (info->flags & O_APPEND) != 0 && !info->writepage && !mount->options.writeback;
    int fd = tm_file_fd(mount, node, file, O_WRONLY);
    if (fd < 0) {
        (void)fuse_reply_err(request, -fd);
        return;
    }
    /* Where an append lands is known when it has: others may append to DIR's file. */
    uint64_t first = append ? 0 : tm_edit_page((uint64_t)offset);
    uint64_t behind = append ? TM_EDIT_TO_END : tm_edit_page_behind((uint64_t)offset + size);
    ssize_t written = -tm_edit_begin(&edit, mount, node, fd, first, behind);
    if (written == 0) {
        /* What the kernel kept back for a while was asked for by nobody in particular. */
        written = info->writepage ? 0 : -tm_caller_assume(request);
        if (written == 0) {
            written = write_all(fd, bytes, size, offset, append);
            tm_caller_resign();
        }
        (void)tm_edit_end(&edit, &status);
        if (written > 0 && !append)
            write_behind(fd, (uint64_t)offset, (uint64_t)written);
    }
    tm_file_fd_end(file, fd);
    tm_count(&mount->counters.writes, 1);
    tm_count(&mount->counters.write_bytes, written > 0 ? (uint64_t)written : 0);
    if (written < 0)
        (void)fuse_reply_err(request, (int)-written);
    else
        (void)fuse_reply_write(request, (size_t)written);
}

void tm_op_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
                     struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    const struct tm_file *file = tm_file_of(info);
    struct tm_edit edit;
    struct stat status;
    int fd = tm_file_fd(mount, node, file, O_WRONLY);
    if (fd < 0) {
        (void)fuse_reply_err(request, -fd);
        return;
    }
    int error = tm_edit_begin(&edit, mount, node, fd, tm_edit_page((uint64_t)offset),
                              tm_edit_page_behind((uint64_t)offset + (uint64_t)length));
    if (error == 0) {
        error = tm_caller_assume(request);
        if (error == 0) {
            error = fallocate(fd, mode, offset, length) == 0 ? 0 : errno;
            tm_caller_resign();
        }
        (void)tm_edit_end(&edit, &status);
    }
    tm_file_fd_end(file, fd);
    (void)fuse_reply_err(request, error);
}

void tm_op_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info,
                           fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_info, size_t length, int flags)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *to_node = tm_node_of(mount, to);
    struct tm_edit edit;
    struct stat status;
    ssize_t copied = -1;
    int from_fd = tm_file_fd(mount, tm_node_of(mount, from), tm_file_of(from_info), O_RDONLY);
    int to_fd = tm_file_fd(mount, to_node, tm_file_of(to_info), O_WRONLY);
    int error = from_fd < 0 ? -from_fd : to_fd < 0 ? -to_fd
                                                   : 0;
    /* One answer has room for 32 bits. */
    length = tm_min_u64(length, UINT32_MAX & ~(uint64_t)(TMEM_PAGE_SIZE - 1u));
    if (error == 0)
        error = tm_edit_begin(&edit, mount, to_node, to_fd, tm_edit_page((uint64_t)to_offset),
                              tm_edit_page_behind((uint64_t)to_offset + length));
    if (error == 0) {
        error = tm_caller_assume(request);
        if (error == 0) {
            copied = copy_file_range(from_fd, &from_offset, to_fd, &to_offset, length, (unsigned)flags);
            error = copied < 0 ? errno : 0;
            tm_caller_resign();
        }
        (void)tm_edit_end(&edit, &status);
    }
    tm_file_fd_end(tm_file_of(from_info), from_fd);
    tm_file_fd_end(tm_file_of(to_info), to_fd);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else
        (void)fuse_reply_write(request, (size_t)copied);
}

static void sync_to_disk(fuse_req_t request, fuse_ino_t number, int only_data, const struct tm_file *file, int flags)
{
    struct tm_mount *mount = tm_mount_of(request);
    int fd = tm_file_fd(mount, tm_node_of(mount, number), file, flags);
    int error = fd < 0 ? -fd : (only_data != 0 ? fdatasync(fd) : fsync(fd)) == 0 ? 0
                                                                                 : errno;
    tm_file_fd_end(file, fd);
    (void)fuse_reply_err(request, error);
}

void tm_op_fsync(fuse_req_t request, fuse_ino_t number, int only_data, struct fuse_file_info *info)
{
    sync_to_disk(request, number, only_data, tm_file_of(info), O_RDONLY);
}

void tm_op_fsyncdir(fuse_req_t request, fuse_ino_t number, int only_data, struct fuse_file_info *info)
{
    sync_to_disk(request, number, only_data, tm_file_of(info), O_RDONLY | O_DIRECTORY);
}
