/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xattr.c - extended attributes, ACLs among them, and the attribute that answers with statistics.
 *
 * A file is opened as a place only, so that neither fifos nor devices notice; attributes of a place are
 * reached through its name in /proc/self/fd.
 */
#include "command/mount_stats.h"
#include "edit.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PLACE_NAME_SIZE 32u
#define TRUSTED "trusted."

static void name_place(int fd, char name[static PLACE_NAME_SIZE])
{
    (void)snprintf(name, PLACE_NAME_SIZE, "/proc/self/fd/%d", fd);
}

/* Answers with @length bytes of @value, or, where no room was offered, with their number. */
static void answer(fuse_req_t request, const char *value, size_t length, size_t size)
{
    if (size == 0)
        (void)fuse_reply_xattr(request, length);
    else if (length > size)
        (void)fuse_reply_err(request, ERANGE);
    else
        (void)fuse_reply_buf(request, value, length);
}

/* The kernel has checked that the caller may read the root of MNT: the name begins with `user.`. */
static void answer_statistics(fuse_req_t request, size_t size)
{
    struct tm_buffer *buffer = tm_worker_buffer();
    char *text = (char *)buffer->bytes;
    ssize_t length = tm_stats_write(tm_mount_of(request), text, TM_MOUNT_STATS_SIZE);
    if (length < 0)
        (void)fuse_reply_err(request, (int)-length);
    else
        answer(request, text, (size_t)length, size);
}

void tm_op_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_buffer *buffer = tm_worker_buffer();
    char place[PLACE_NAME_SIZE];
    if (number == FUSE_ROOT_ID && strcmp(name, TM_MOUNT_STATS_ATTRIBUTE) == 0) {
        answer_statistics(request, size);
        return;
    }
    int fd = tm_node_open(&mount->nodes, tm_node_of(mount, number), O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        (void)fuse_reply_err(request, -fd);
        return;
    }
    name_place(fd, place);
    size_t room = tm_min_u64(size, buffer->pages * TMEM_PAGE_SIZE);
    ssize_t length = getxattr(place, name, size == 0 ? NULL : buffer->bytes, room);
    int error = length < 0 ? errno : 0;
    (void)close(fd);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else
        answer(request, (const char *)buffer->bytes, (size_t)length, size);
}

/* Takes out the names that only root is told, as filesystems in the kernel do. Returns what is left. */
static size_t drop_trusted(char *names, size_t length)
{
    size_t kept = 0;
    for (size_t at = 0; at < length;) {
        size_t bytes = strnlen(names + at, length - at) + 1u;
        if (bytes > length - at)
            break;
        if (strncmp(names + at, TRUSTED, sizeof TRUSTED - 1u) != 0) {
            memmove(names + kept, names + at, bytes);
            kept += bytes;
        }
        at += bytes;
    }
    return kept;
}

void tm_op_listxattr(fuse_req_t request, fuse_ino_t number, size_t size)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_buffer *buffer = tm_worker_buffer();
    char *names = (char *)buffer->bytes;
    char place[PLACE_NAME_SIZE];
    int fd = tm_node_open(&mount->nodes, tm_node_of(mount, number), O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        (void)fuse_reply_err(request, -fd);
        return;
    }
    name_place(fd, place);
    /* All of them, because what is taken out changes the length. A list has at most 64 KiB. */
    ssize_t length = listxattr(place, names, XATTR_LIST_MAX);
    int error = length < 0 ? errno : 0;
    (void)close(fd);
    if (error != 0) {
        (void)fuse_reply_err(request, error);
        return;
    }
    size_t left = (size_t)length;
    if (fuse_req_ctx(request)->uid != 0)
        left = drop_trusted(names, left);
    answer(request, names, left, size);
}

/* What is to become of an attribute. */
struct wish {
    const char *name;
    const char *value; /* NULL: it is removed */
    size_t size;
    int flags;
};

static int change(int place, const struct wish *wish)
{
    char name[PLACE_NAME_SIZE];
    name_place(place, name);
    if (wish->value == NULL)
        return removexattr(name, wish->name) == 0 ? 0 : errno;
    return setxattr(name, wish->name, wish->value, wish->size, wish->flags) == 0 ? 0 : errno;
}

/* The kernel has checked that the caller may, with all his groups. */
static void change_and_reply(fuse_req_t request, fuse_ino_t number, const struct wish *wish)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    struct tm_edit edit;
    struct stat status;
    int place = tm_node_open(&mount->nodes, node, O_PATH | O_NOFOLLOW);
    int error = place < 0 ? -place : tm_edit_begin(&edit, mount, node, place, TM_EDIT_NO_PAGES);
    if (error == 0) {
        error = change(place, wish);
        (void)tm_edit_end(&edit, &status);
    }
    if (place >= 0)
        (void)close(place);
    (void)fuse_reply_err(request, error);
}

void tm_op_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t size,
                    int flags)
{
    change_and_reply(request, number, &(struct wish){.name = name, .value = value, .size = size, .flags = flags});
}

void tm_op_removexattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
    change_and_reply(request, number, &(struct wish){.name = name});
}
