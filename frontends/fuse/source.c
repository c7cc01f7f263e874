/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c - DIR, and how its files are found again. */
#include "source.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How often, and how long, an answer of "no memory" is waited out. */
#define HANDLE_ATTEMPTS 5
#define HANDLE_WAIT_NS 1000000

/* Handles have a flexible tail; this one lies on the stack. */
union handle_room {
    struct file_handle handle;
    unsigned char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

/* A detached bind mount of DIR, without what is mounted below it; -1 where that is not allowed. */
static int open_private_view(int place, bool read_only)
{
    int view = open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (view < 0)
        return -1;
    struct mount_attr attributes = {
        .attr_set = (read_only ? MOUNT_ATTR_RDONLY : 0) | MOUNT_ATTR_NOATIME,
        .attr_clr = MOUNT_ATTR__ATIME,
        .propagation = MS_PRIVATE,
    };
    /* Private, so that what gets mounted on DIR later does not show up in here. */
    if (mount_setattr(view, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
        (void)close(view);
        return -1;
    }
    return view;
}

/* Filesystems whose files are made when they are read: they have no size, no times to compare. */
static bool is_made_when_read(int fd)
{
    static const unsigned long types[] = {
        PROC_SUPER_MAGIC,
        SYSFS_MAGIC,
        DEBUGFS_MAGIC,
        TRACEFS_MAGIC,
        SECURITYFS_MAGIC,
        CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC,
        BPF_FS_MAGIC,
        PSTOREFS_MAGIC,
        EFIVARFS_MAGIC,
        DEVPTS_SUPER_MAGIC,
        SELINUX_MAGIC,
    };
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return false;
    for (size_t i = 0; i < TM_ARRAY_SIZE(types); i++)
        if ((unsigned long)status.f_type == types[i])
            return true;
    return false;
}

/* True when a handle of DIR can be made and opened again: it needs the filesystem and the right. */
static bool can_open_handles(const struct tm_source *source)
{
    struct tm_identity identity;
    if (!source->readable || tm_source_identify(source, source->root, &identity) != 0)
        return false;
    int fd = tm_source_open_handle(source, identity.handle_type, identity.handle, identity.handle_bytes,
                                   O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

static enum tm_exit check_directory(const char *directory, int place)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct stat status;
    if (fstat(place, &status) != 0)
        return tm_fail(tm_exit_of_error(errno), "cannot look at %s: %s (%s)", directory, tm_error_text(errno, cause),
                       tm_error_remedy(errno, "it has gone just now"));
    if (!S_ISDIR(status.st_mode))
        return tm_fail(TM_EXIT_NOT_FOUND, "%s is no directory (name the directory that holds the file)", directory);
    if (is_made_when_read(place))
        return tm_fail(TM_EXIT_FAILED,
                       "%s lies on a filesystem whose files are made when they are read: there is nothing "
                       "to cache",
                       directory);
    return TM_EXIT_OK;
}

static enum tm_exit open_root(struct tm_source *source, const char *directory, int place, bool read_only)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct statvfs filesystem;
    struct stat status;
    int view = open_private_view(place, read_only);
    source->private_view = view >= 0;
    int base = view >= 0 ? view : place;
    source->root = openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    source->readable = source->root >= 0;
    if (source->root < 0 && errno == EACCES)
        source->root = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    if (view >= 0)
        (void)close(view);
    if (source->root < 0)
        return tm_fail(tm_exit_of_error(error), "cannot open %s: %s (%s)", directory, tm_error_text(error, cause),
                       tm_error_remedy(error, "it has gone just now"));
    if (fstat(source->root, &status) != 0 || fstatvfs(place, &filesystem) != 0) {
        error = errno;
        tm_source_close(source);
        return tm_fail(tm_exit_of_error(error), "cannot look at %s: %s (%s)", directory, tm_error_text(error, cause),
                       tm_error_remedy(error, "it has gone just now"));
    }
    source->device = status.st_dev;
    source->mount_flags = filesystem.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC);
    source->by_handle = true; /* so that identify makes handles for the trial */
    source->by_handle = can_open_handles(source);
    return TM_EXIT_OK;
}

enum tm_exit tm_source_open(struct tm_source *source, const char *directory, bool read_only)
{
    char cause[TM_ERROR_TEXT_SIZE];
    *source = (struct tm_source){.root = -1};
    int place = open(directory, O_PATH | O_CLOEXEC);
    if (place < 0 && errno == ENOTCONN)
        return tm_fail(TM_EXIT_FAILED, "%s is a mount whose process has died (try: tmem umount %s)", directory,
                       directory);
    if (place < 0)
        return tm_fail(tm_exit_of_error(errno), "cannot open %s: %s (%s)", directory, tm_error_text(errno, cause),
                       tm_error_remedy(errno, "does it exist? DIR is what is cached"));
    enum tm_exit code = check_directory(directory, place);
    if (code == TM_EXIT_OK)
        code = open_root(source, directory, place, read_only);
    (void)close(place);
    return code;
}

void tm_source_close(struct tm_source *source)
{
    if (source->root >= 0)
        (void)close(source->root);
    source->root = -1;
}

int tm_source_identify(const struct tm_source *source, int fd, struct tm_identity *identity)
{
    if (fstat(fd, &identity->status) != 0)
        return errno;
    identity->handle_bytes = 0;
    identity->handle_type = 0;
    if (!source->by_handle)
        return 0;

    union handle_room room;
    int mount_id = 0;
    room.handle.handle_bytes = MAX_HANDLE_SZ;
    if (name_to_handle_at(fd, "", &room.handle, &mount_id, AT_EMPTY_PATH) != 0)
        return errno;
    identity->handle_type = room.handle.handle_type;
    identity->handle_bytes = room.handle.handle_bytes;
    memcpy(identity->handle, room.handle.f_handle, room.handle.handle_bytes);
    return 0;
}

int tm_source_open_handle(const struct tm_source *source, int handle_type, const unsigned char *handle,
                          unsigned handle_bytes, int flags)
{
    union handle_room room;
    TM_ASSERT(handle_bytes <= MAX_HANDLE_SZ);
    room.handle.handle_bytes = handle_bytes;
    room.handle.handle_type = handle_type;
    memcpy(room.handle.f_handle, handle, handle_bytes);
    /*
     * While a new file is being made that has the inode number of the one that is gone, the kernel says that it
     * has no memory; a moment later it says what is true.
     */
    const struct timespec moment = {.tv_nsec = HANDLE_WAIT_NS};
    int fd = -1;
    for (int attempt = 0; attempt < HANDLE_ATTEMPTS; attempt++) {
        fd = open_by_handle_at(source->root, &room.handle, flags | O_CLOEXEC);
        if (fd >= 0 || errno != ENOMEM)
            break;
        (void)nanosleep(&moment, NULL);
        errno = ENOMEM;
    }
    return fd >= 0 ? fd : -errno;
}

int tm_source_open_at(const struct tm_source *source, int directory, const char *name, int flags)
{
    /* In a view of our own nothing is mounted and the plain call is enough for one name. */
    if (source->private_view && strchr(name, '/') == NULL) {
        int fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW);
        return fd >= 0 ? fd : -errno;
    }
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
    return fd >= 0 ? (int)fd : -errno;
}
