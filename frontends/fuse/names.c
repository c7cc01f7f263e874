/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - names, attributes, symlinks, and the filesystem's figures. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A filesystem with several devices in one mount (subvolumes) numbers inodes anew on each; programs
 * that look for hard links must not take two of them for one. */
#define OTHER_DEVICE_SHIFT 40

void tm_mount_number_inode(const struct tm_mount *mount, struct stat *status)
{
    if (status->st_dev != mount->source.device)
        status->st_ino ^= (status->st_dev ^ mount->source.device) << OTHER_DEVICE_SHIFT;
}

int tm_mount_open_directory(struct tm_mount *mount, fuse_ino_t number)
{
    struct tm_node *node = tm_node_of(mount, number);
    return tm_node_open(&mount->nodes, node, O_PATH | O_DIRECTORY);
}

static void fill_entry(const struct tm_mount *mount, const struct tm_node *node, const struct stat *status,
                       struct fuse_entry_param *entry)
{
    bool several_names = !S_ISDIR(status->st_mode) && status->st_nlink > 1;
    *entry = (struct fuse_entry_param){
        .ino = (fuse_ino_t)(uintptr_t)node,
        .generation = node->generation,
        .attr = *status,
        .attr_timeout = several_names ? tm_watch_doubtful_seconds(mount) : mount->options.attribute_seconds,
        .entry_timeout = mount->options.entry_seconds,
    };
    tm_mount_number_inode(mount, &entry->attr);
}

/* Answers from memory: true, with *error 0 or ENOENT. Else *ticket is for what the disk will say. */
static bool enter_from_memory(struct tm_mount *mount, struct tm_node *directory, const char *name,
                              struct fuse_entry_param *entry, int *error, uint32_t *ticket)
{
    struct tm_node *node = NULL;
    struct stat status;
    enum tm_entry_answer answer = tm_entry_find(&mount->entries, directory, name, &node, ticket);
    if (answer == TM_ENTRY_NODE) {
        *error = 0;
        if (tm_node_attributes(&mount->nodes, node, &status)) {
            fill_entry(mount, node, &status, entry);
            return true;
        }
        /* It has changed, or gone: the name may as well. */
        tm_node_forget(&mount->nodes, node, 1);
        tm_entry_change(&mount->entries, directory, name);
        answer = tm_entry_find(&mount->entries, directory, name, &node, ticket);
        if (answer == TM_ENTRY_NODE)
            tm_node_forget(&mount->nodes, node, 1);
        return false;
    }
    *error = ENOENT;
    return answer == TM_ENTRY_NONE;
}

/* Looks at what @fd is, under @name. */
static int enter_opened(struct tm_mount *mount, struct tm_node *directory, int fd, const char *name,
                        struct tm_node **node, struct stat *status)
{
    struct tm_identity identity;
    struct tm_observation observation;
    int error = tm_source_identify(&mount->source, fd, &identity);
    if (error != 0)
        return error;
    *node = tm_node_enter(&mount->nodes, &identity, directory, name);
    if (*node == NULL)
        return ENOMEM;
    /* Again, now that whoever hears of changes finds the node. */
    error = fstat(fd, status) == 0 ? 0 : errno;
    if (error == 0)
        error = tm_mount_look(mount, *node, fd, status, TM_ANSWER_TELLS, &observation);
    if (error == 0)
        tm_node_confirm(&mount->nodes, *node);
    else
        tm_node_forget(&mount->nodes, *node, 1);
    return error;
}

int tm_mount_enter_opened(struct tm_mount *mount, struct tm_node *directory, const char *name, int fd,
                          struct fuse_entry_param *entry)
{
    struct tm_node *node = NULL;
    struct stat status;
    int error = enter_opened(mount, directory, fd, name, &node, &status);
    if (error == 0)
        fill_entry(mount, node, &status, entry);
    return error;
}

int tm_mount_enter(struct tm_mount *mount, struct tm_node *directory, int directory_fd, const char *name,
                   struct fuse_entry_param *entry)
{
    struct tm_node *node = NULL;
    struct stat status;
    uint32_t ticket = 0;
    int error = 0;
    if (mount->trusted && enter_from_memory(mount, directory, name, entry, &error, &ticket)) {
        tm_count(&mount->counters.lookups_remembered, 1);
        return error;
    }
    int opened = directory_fd >= 0 ? -1 : tm_mount_open_directory(mount, (fuse_ino_t)(uintptr_t)directory);
    if (directory_fd < 0 && opened < 0)
        return -opened;
    int place = opened >= 0 ? opened : directory_fd;
    tm_watch_directory(mount, directory, place);
    int fd = tm_source_open_at(&mount->source, place, name, O_PATH);
    error = fd < 0 ? -fd : enter_opened(mount, directory, fd, name, &node, &status);
    if (mount->trusted && (error == 0 || error == ENOENT))
        tm_entry_keep(&mount->entries, directory, name, error == 0 ? node : NULL, ticket);
    if (error == 0)
        fill_entry(mount, node, &status, entry);
    if (fd >= 0)
        (void)close(fd);
    if (opened >= 0)
        (void)close(opened);
    return error;
}

void tm_op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *directory = tm_node_of(mount, parent);
    struct fuse_entry_param entry;
    tm_count(&mount->counters.lookups, 1);
    int directory_fd = directory == mount->nodes.root ? mount->source.root : TM_MOUNT_NOT_OPEN;
    int error = tm_mount_enter(mount, directory, directory_fd, name, &entry);
    if (error == ENOENT) {
        /* The kernel may remember for a while that there is no such name. */
        entry = (struct fuse_entry_param){.ino = 0, .entry_timeout = mount->options.entry_seconds};
        error = 0;
    }
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else if (fuse_reply_entry(request, &entry) != 0 && entry.ino != 0)
        tm_node_forget(&mount->nodes, tm_node_of(mount, entry.ino), 1);
}

void tm_mount_reply_new(fuse_req_t request, struct tm_node *directory, int directory_fd, const char *name)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct fuse_entry_param entry;
    int error = tm_mount_enter(mount, directory, directory_fd, name, &entry);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else if (fuse_reply_entry(request, &entry) != 0)
        tm_node_forget(&mount->nodes, tm_node_of(mount, entry.ino), 1);
}

void tm_op_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
    struct tm_mount *mount = tm_mount_of(request);
    tm_node_forget(&mount->nodes, tm_node_of(mount, number), lookups);
    fuse_reply_none(request);
}

void tm_op_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    struct tm_mount *mount = tm_mount_of(request);
    for (size_t i = 0; i < count; i++)
        tm_node_forget(&mount->nodes, tm_node_of(mount, (fuse_ino_t)forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(request);
}

void tm_op_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    struct tm_observation observation;
    struct stat status;
    if (tm_node_attributes(&mount->nodes, node, &status)) {
        tm_mount_number_inode(mount, &status);
        (void)fuse_reply_attr(request, &status, mount->options.attribute_seconds);
        return;
    }
    /* An open file answers for itself, also when its name is gone. */
    const struct tm_file *file = tm_file_of(info);
    int fd = file != NULL ? file->fd : tm_node_open(&mount->nodes, node, O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        (void)fuse_reply_err(request, -fd);
        return;
    }
    int error = fstat(fd, &status) == 0 ? 0 : errno;
    if (error == 0)
        error = tm_mount_look(mount, node, fd, &status, TM_ANSWER_TELLS, &observation);
    if (file == NULL)
        (void)close(fd);
    tm_mount_number_inode(mount, &status);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else
        (void)fuse_reply_attr(request, &status, mount->options.attribute_seconds);
}

void tm_op_readlink(fuse_req_t request, fuse_ino_t number)
{
    struct tm_mount *mount = tm_mount_of(request);
    char target[PATH_MAX + 1];
    int fd = tm_node_open(&mount->nodes, tm_node_of(mount, number), O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        (void)fuse_reply_err(request, -fd);
        return;
    }
    ssize_t length = readlinkat(fd, "", target, sizeof target - 1u);
    int error = length < 0 ? errno : 0;
    (void)close(fd);
    if (error != 0) {
        (void)fuse_reply_err(request, error);
        return;
    }
    target[length] = '\0';
    (void)fuse_reply_readlink(request, target);
}

void tm_op_statfs(fuse_req_t request, fuse_ino_t number)
{
    struct statvfs status;
    (void)number;
    if (fstatvfs(tm_mount_of(request)->source.root, &status) != 0)
        (void)fuse_reply_err(request, errno);
    else
        (void)fuse_reply_statfs(request, &status);
}
