/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setattr.c - changing attributes: size, owner, mode, times.
 *
 * The kernel has decided what is allowed and what it means for the set-uid bits, with the caller's groups;
 * so all of it is done with the mount's own rights. The mode comes last, since a change of owner takes
 * set-uid bits away.
 */
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PLACE_NAME_SIZE 32u

static int change_size(struct tm_mount *mount, struct tm_node *node, const struct tm_file *file, uint64_t size_bytes)
{
    int fd = tm_file_fd(mount, node, file, O_WRONLY);
    if (fd < 0)
        return -fd;
    int error = ftruncate(fd, (off_t)size_bytes) == 0 ? 0 : errno;
    tm_file_fd_end(file, fd);
    return error;
}

static int change_owner(int place, const struct stat *wanted, int which)
{
    uid_t user = (which & FUSE_SET_ATTR_UID) != 0 ? wanted->st_uid : (uid_t)-1;
    gid_t group = (which & FUSE_SET_ATTR_GID) != 0 ? wanted->st_gid : (gid_t)-1;
    return fchownat(place, "", user, group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

static int change_mode(int place, mode_t mode)
{
    char name[PLACE_NAME_SIZE];
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", place);
    return chmod(name, mode & 07777u) == 0 ? 0 : errno;
}

static struct timespec time_to_set(int which, int set, int now, struct timespec time)
{
    if ((which & now) != 0)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    if ((which & set) != 0)
        return time;
    return (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int change_times(int place, const struct stat *wanted, int which)
{
    const struct timespec times[] = {
        time_to_set(which, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, wanted->st_atim),
        time_to_set(which, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, wanted->st_mtim),
    };
    return utimensat(place, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

static int change(struct tm_mount *mount, struct tm_node *node, const struct tm_file *file, int place,
                  const struct stat *wanted, int which)
{
    int error = 0;
    if ((which & FUSE_SET_ATTR_SIZE) != 0)
        error = change_size(mount, node, file, (uint64_t)wanted->st_size);
    /* Nothing at all is chown() to the same owner and group: it is a change, and gives a new change time. */
    if (error == 0 && (which == 0 || (which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0))
        error = change_owner(place, wanted, which);
    if (error == 0 && (which & FUSE_SET_ATTR_MODE) != 0)
        error = change_mode(place, wanted->st_mode);
    if (error == 0 && (which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) != 0)
        error = change_times(place, wanted, which);
    return error;
}

void tm_op_setattr(fuse_req_t request, fuse_ino_t number, struct stat *wanted, int which, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    const struct tm_file *file = tm_file_of(info);
    struct tm_edit edit;
    struct stat status;
    int place = tm_node_open(&mount->nodes, node, O_PATH | O_NOFOLLOW);
    if (place < 0) {
        (void)fuse_reply_err(request, -place);
        return;
    }
    /* Everything behind the new end is gone, and the page in which it lies ends in zeros. */
    bool cuts = (which & FUSE_SET_ATTR_SIZE) != 0;
    int error = tm_edit_begin(&edit, mount, node, place, cuts ? tm_edit_page((uint64_t)wanted->st_size) : 0,
                              cuts ? TM_EDIT_TO_END : 0);
    if (error == 0) {
        error = change(mount, node, file, place, wanted, which);
        int seen = tm_edit_end(&edit, &status);
        error = error != 0 ? error : seen;
    }
    (void)close(place);
    tm_mount_number_inode(mount, &status);
    if (error != 0)
        (void)fuse_reply_err(request, error);
    else
        (void)fuse_reply_attr(request, &status, tm_watch_doubtful_seconds(mount));
}
