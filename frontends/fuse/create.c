/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create.c - making files, directories, nodes and links: for the caller, with his umask.
 *
 * The directory changes by it, which is the mount's own change (edit.h).
 */
#include "caller.h"
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is to be made. */
struct wish {
    const char *name;
    mode_t mode;
    dev_t device;
    const char *target; /* of a symlink */
    int flags;          /* of an open */
};

static int make_node(int directory, const struct wish *wish)
{
    return mknodat(directory, wish->name, wish->mode, wish->device);
}

static int make_directory(int directory, const struct wish *wish)
{
    return mkdirat(directory, wish->name, wish->mode);
}

static int make_symlink(int directory, const struct wish *wish)
{
    return symlinkat(wish->target, directory, wish->name);
}

/* A descriptor, or -1 as the others answer. */
static int make_file(int directory, const struct wish *wish)
{
    return openat(directory, wish->name, wish->flags, wish->mode);
}

/* Makes it for the caller; what @make returned, or minus the errno. */
static int make_for_caller(fuse_req_t request, struct tm_node *parent, int directory,
                           int (*make)(int directory, const struct wish *wish), const struct wish *wish)
{
    struct tm_edit edit;
    struct stat status;
    int result = -tm_edit_begin(&edit, tm_mount_of(request), parent, directory, TM_EDIT_NO_PAGES);
    if (result != 0)
        return result;
    result = -tm_caller_assume(request);
    if (result == 0) {
        result = make(directory, wish);
        result = result < 0 ? -errno : result;
        tm_caller_resign();
    }
    tm_entry_change(&tm_mount_of(request)->entries, parent, wish->name);
    (void)tm_edit_end(&edit, &status);
    return result;
}

static void make_and_reply(fuse_req_t request, fuse_ino_t parent, int (*make)(int directory, const struct wish *wish),
                           const struct wish *wish)
{
    struct tm_node *node = tm_node_of(tm_mount_of(request), parent);
    int directory = tm_mount_open_directory(tm_mount_of(request), parent);
    int error = directory < 0 ? -directory : -make_for_caller(request, node, directory, make, wish);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else
        tm_mount_reply_new(request, node, directory, wish->name);
    if (directory >= 0)
        (void)close(directory);
}

void tm_op_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    make_and_reply(request, parent, make_node, &(struct wish){.name = name, .mode = mode, .device = device});
}

void tm_op_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    make_and_reply(request, parent, make_directory, &(struct wish){.name = name, .mode = mode});
}

void tm_op_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    make_and_reply(request, parent, make_symlink, &(struct wish){.name = name, .target = target});
}

/* The new file is known and open: tells the kernel both. */
static void reply_created(fuse_req_t request, const struct fuse_entry_param *entry, int fd,
                          struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, entry->ino);
    struct tm_file *file = NULL;
    if (mount->stateless) {
        (void)close(fd);
    } else {
        file = calloc(1, sizeof *file);
        if (file == NULL) {
            (void)close(fd);
            tm_node_forget(&mount->nodes, node, 1);
            (void)fuse_reply_err(request, ENOMEM);
            return;
        }
        file->fd = fd;
        file->settled = mount->trusted;
        tm_file_opened(mount, node, file, info);
    }
    if (fuse_reply_create(request, entry, info) == 0)
        return;
    if (file != NULL)
        tm_file_end(mount, file);
    tm_node_forget(&mount->nodes, node, 1);
}

void tm_op_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, parent);
    struct fuse_entry_param entry;
    int directory = tm_mount_open_directory(mount, parent);
    int fd = directory;
    /* The kernel empties files by itself, and says with each write whether it appends. */
    int access = mount->options.writeback ? O_RDWR : info->flags & O_ACCMODE;
    struct wish wish = {
        .name = name,
        .mode = mode,
        .flags = access | O_CREAT | (info->flags & O_EXCL) | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
    };
    if (directory >= 0)
        fd = make_for_caller(request, node, directory, make_file, &wish);
    /* What was opened, whatever has the name now. */
    int error = fd < 0 ? -fd : tm_mount_enter_opened(mount, node, name, fd, &entry);
    if (directory >= 0)
        (void)close(directory);
    if (error == 0) {
        reply_created(request, &entry, fd, info);
        return;
    }
    if (fd >= 0 && directory >= 0)
        (void)close(fd);
    (void)fuse_reply_err(request, error);
}

/* A link to what @place refers to. By the descriptor where that is allowed, else through its name in /proc. */
static int link_place(int place, int directory, const char *name)
{
    char place_name[32];
    if (linkat(place, "", directory, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT)
        return errno;
    (void)snprintf(place_name, sizeof place_name, "/proc/self/fd/%d", place);
    return linkat(AT_FDCWD, place_name, directory, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

static int make_link(struct tm_mount *mount, struct tm_node *node, int place, struct tm_node *parent, int directory,
                     const char *name)
{
    struct tm_edit edit;
    struct tm_edit parent_edit;
    struct stat status;
    int error = tm_edit_begin(&edit, mount, node, place, TM_EDIT_NO_PAGES);
    if (error != 0)
        return error;
    error = tm_edit_begin(&parent_edit, mount, parent, directory, TM_EDIT_NO_PAGES);
    if (error == 0) {
        error = link_place(place, directory, name);
        tm_entry_change(&mount->entries, parent, name);
        (void)tm_edit_end(&parent_edit, &status);
    }
    (void)tm_edit_end(&edit, &status);
    return error;
}

void tm_op_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, const char *name)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *parent_node = tm_node_of(mount, parent);
    struct tm_node *node = tm_node_of(mount, number);
    int directory = tm_mount_open_directory(mount, parent);
    int place = directory < 0 ? directory : tm_node_open(&mount->nodes, node, O_PATH | O_NOFOLLOW);
    int error = place < 0 ? -place : make_link(mount, node, place, parent_node, directory, name);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else
        tm_mount_reply_new(request, parent_node, directory, name);
    if (place >= 0)
        (void)close(place);
    if (directory >= 0)
        (void)close(directory);
}
