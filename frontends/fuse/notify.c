/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c - telling the kernel that what it caches of MNT is old. */
#include "notify.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>

/* Newer than the headers that this is built with may be. */
#define NOTIFY_INC_EPOCH 8
#define EXPIRE_ONLY 1u

#define PARTS_MAX 4

/* Sends a message of @count parts, the first of which is for the header. 0, or the errno. */
static int send_message(int session, int code, struct iovec *parts, int count)
{
    struct fuse_out_header header = {.error = code};
    parts[0] = (struct iovec){.iov_base = &header, .iov_len = sizeof header};
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    header.len = (uint32_t)length;
    ssize_t written;
    do
        written = writev(session, parts, count);
    while (written < 0 && errno == EINTR);
    return written < 0 ? errno : 0;
}

int tm_notify_inode(int session, uint64_t number, enum tm_notify_inode what)
{
    /* A negative offset means the attributes alone, length 0 all of the file. */
    struct fuse_notify_inval_inode_out inode = {.ino = number, .off = what == TM_NOTIFY_PAGES ? 0 : -1};
    struct iovec parts[PARTS_MAX] = {[1] = {.iov_base = &inode, .iov_len = sizeof inode}};
    return send_message(session, FUSE_NOTIFY_INVAL_INODE, parts, 2);
}

int tm_notify_name(int session, uint64_t directory, const char *name, size_t length, enum tm_notify_name how)
{
    struct fuse_notify_inval_entry_out entry = {.parent = directory, .namelen = (uint32_t)length};
    char end = '\0';
    unsigned flags = how == TM_NOTIFY_EXPIRE ? EXPIRE_ONLY : 0;
    /* What older headers call padding are the flags, and older kernels do not look at them. */
    memcpy((unsigned char *)&entry + sizeof entry - sizeof flags, &flags, sizeof flags);
    struct iovec parts[PARTS_MAX] = {
        [1] = {.iov_base = &entry, .iov_len = sizeof entry},
        [2] = {.iov_base = (void *)(uintptr_t)name, .iov_len = length},
        [3] = {.iov_base = &end, .iov_len = sizeof end},
    };
    return send_message(session, FUSE_NOTIFY_INVAL_ENTRY, parts, 4);
}

void tm_notify_wait(int session, uint64_t directory)
{
    /* No file can have this name, but the kernel takes the directory's lock to look for it. */
    (void)tm_notify_name(session, directory, "/", 1, TM_NOTIFY_EXPIRE);
}

int tm_notify_all_names(int session)
{
    struct iovec parts[PARTS_MAX];
    return send_message(session, NOTIFY_INC_EPOCH, parts, 1);
}
