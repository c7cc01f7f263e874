/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.c - everything that would change something answers EROFS.
 *
 * The kernel refuses before it asks, because it mounts read-only; these are for the day when somebody
 * remounts MNT writable.
 */
#include "mount.h"

#include <errno.h>

static void refuse(fuse_req_t request)
{
    (void)fuse_reply_err(request, EROFS);
}

static void refuse_setattr(fuse_req_t request, fuse_ino_t number, struct stat *status, int set,
                           struct fuse_file_info *info)
{
    (void)number, (void)status, (void)set, (void)info;
    refuse(request);
}

static void refuse_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    (void)parent, (void)name, (void)mode, (void)device;
    refuse(request);
}

static void refuse_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    (void)parent, (void)name, (void)mode;
    refuse(request);
}

static void refuse_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    (void)parent, (void)name;
    refuse(request);
}

static void refuse_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    (void)target, (void)parent, (void)name;
    refuse(request);
}

static void refuse_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                          const char *new_name, unsigned flags)
{
    (void)parent, (void)name, (void)new_parent, (void)new_name, (void)flags;
    refuse(request);
}

static void refuse_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t new_parent, const char *new_name)
{
    (void)number, (void)new_parent, (void)new_name;
    refuse(request);
}

static void refuse_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                          struct fuse_file_info *info)
{
    (void)parent, (void)name, (void)mode, (void)info;
    refuse(request);
}

static void refuse_write(fuse_req_t request, fuse_ino_t number, const char *bytes, size_t size, off_t offset,
                         struct fuse_file_info *info)
{
    (void)number, (void)bytes, (void)size, (void)offset, (void)info;
    refuse(request);
}

static void refuse_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t size,
                            int flags)
{
    (void)number, (void)name, (void)value, (void)size, (void)flags;
    refuse(request);
}

static void refuse_removexattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
    (void)number, (void)name;
    refuse(request);
}

static void refuse_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
                             struct fuse_file_info *info)
{
    (void)number, (void)mode, (void)offset, (void)length, (void)info;
    refuse(request);
}

static void refuse_copy(fuse_req_t request, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info,
                        fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_info, size_t length, int flags)
{
    (void)from, (void)from_offset, (void)from_info, (void)to, (void)to_offset, (void)to_info, (void)length;
    (void)flags;
    refuse(request);
}

void tm_refuse_changes(struct fuse_lowlevel_ops *operations)
{
    operations->setattr = refuse_setattr;
    operations->mknod = refuse_mknod;
    operations->mkdir = refuse_mkdir;
    operations->unlink = refuse_unlink;
    operations->rmdir = refuse_unlink;
    operations->symlink = refuse_symlink;
    operations->rename = refuse_rename;
    operations->link = refuse_link;
    operations->create = refuse_create;
    operations->write = refuse_write;
    operations->setxattr = refuse_setxattr;
    operations->removexattr = refuse_removexattr;
    operations->fallocate = refuse_fallocate;
    operations->copy_file_range = refuse_copy;
}
