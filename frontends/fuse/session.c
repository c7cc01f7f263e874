/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - the connection with the kernel. */
#include "session.h"

#include "command/mount_table.h"
#include "command/unmount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FUSE_CONF "/etc/fuse.conf"

/* Requests that the kernel sends ahead of being waited for; a few per worker keep all of them busy. */
#define BACKGROUND_PER_THREAD 4u

/* How far the kernel reads ahead of its own accord: a part of --read-ahead. */
#define KERNEL_AHEAD_DIVISOR 4u

static void on_init(void *userdata, struct fuse_conn_info *connection)
{
    struct tm_mount *mount = userdata;
    mount->options.entry_seconds = tm_watch_name_seconds(mount, connection->proto_minor);
    /* A request has as many pages as one write could have. */
    connection->max_write = TM_READ_MAX_BYTES;
    /* The kernel reads ahead as well, above all around pages of programs that are mapped: most of what it reads
     * there is never used. Large files that are read in order want more: each request costs a wake-up. */
    unsigned kernel_ahead = (unsigned)(mount->options.read_ahead_bytes / KERNEL_AHEAD_DIVISOR);
    if (connection->max_readahead > kernel_ahead)
        connection->max_readahead = kernel_ahead;
    connection->max_background = BACKGROUND_PER_THREAD * mount->options.threads;
    if (connection->max_background < 16u)
        connection->max_background = 16u;
    connection->congestion_threshold = connection->max_background * 3u / 4u;

    /* ACLs are checked by the kernel, which reads them as attributes. Where a directory has one for what is made in
     * it, the umask does not count: DIR's filesystem knows. */
    connection->want |= connection->capable & (FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK);
    /* Emptying a file is a change of size like others; an open that is left out cannot do it. */
    connection->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
    if (mount->trusted) {
        /* Whoever changes a file tells the kernel. It need not drop its pages for a new time that it made itself. */
        connection->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
        unsigned without_opens = FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT;
        mount->stateless = mount->source.by_handle && (connection->capable & without_opens) == without_opens;
        if (mount->stateless)
            connection->want |= without_opens;
    }
    if (mount->options.writeback)
        connection->want |= connection->capable & FUSE_CAP_WRITEBACK_CACHE;
    /* A symlink never changes while its inode lives; a handle never names another inode. */
    if ((connection->capable & FUSE_CAP_CACHE_SYMLINKS) != 0 && mount->source.by_handle)
        connection->want |= FUSE_CAP_CACHE_SYMLINKS;
}

static const struct fuse_lowlevel_ops all_operations = {
    .init = on_init,
    .lookup = tm_op_lookup,
    .forget = tm_op_forget,
    .forget_multi = tm_op_forget_multi,
    .getattr = tm_op_getattr,
    .setattr = tm_op_setattr,
    .readlink = tm_op_readlink,
    .statfs = tm_op_statfs,
    .getxattr = tm_op_getxattr,
    .listxattr = tm_op_listxattr,
    .setxattr = tm_op_setxattr,
    .removexattr = tm_op_removexattr,
    .opendir = tm_op_opendir,
    .readdir = tm_op_readdir,
    .readdirplus = tm_op_readdirplus,
    .releasedir = tm_op_releasedir,
    .fsyncdir = tm_op_fsyncdir,
    .create = tm_op_create,
    .mknod = tm_op_mknod,
    .mkdir = tm_op_mkdir,
    .symlink = tm_op_symlink,
    .link = tm_op_link,
    .unlink = tm_op_unlink,
    .rmdir = tm_op_rmdir,
    .rename = tm_op_rename,
    .open = tm_op_open,
    .release = tm_op_release,
    .lseek = tm_op_lseek,
    .read = tm_op_read,
    .write = tm_op_write,
    .fallocate = tm_op_fallocate,
    .copy_file_range = tm_op_copy_file_range,
    .fsync = tm_op_fsync,
};

static struct fuse_lowlevel_ops operations_of(const struct tm_mount *mount)
{
    struct fuse_lowlevel_ops operations = all_operations;
    if (mount->options.read_only)
        tm_refuse_changes(&operations);
    return operations;
}

/* Messages of libfuse: the last one tells why a mount failed. */
static char last_message[256];

static TM_PRINTF(2, 0) void on_message(enum fuse_log_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)vsnprintf(last_message, sizeof last_message, format, arguments);
    last_message[strcspn(last_message, "\n")] = '\0';
}

/* True when the administrator lets ordinary users show their mounts to others. */
static bool others_are_allowed(void)
{
    if (geteuid() == 0)
        return true;
    FILE *file = fopen(FUSE_CONF, "re");
    char line[256];
    bool allowed = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, " \t\r\n")] = '\0';
        allowed = allowed || strcmp(line, "user_allow_other") == 0;
    }
    if (file != NULL)
        (void)fclose(file);
    return allowed;
}

/* Adds one option unless an earlier one had no memory. */
static void add(char **options, bool *ok, const char *option)
{
    *ok = *ok && fuse_opt_add_opt_escaped(options, option) == 0;
}

/* What mount(8) knows. libfuse means nosuid and nodev unless told otherwise, which only root may. What
 * DIR's own mount forbids stays forbidden. */
static void add_flags(const struct tm_mount *mount, char **options, bool *ok)
{
    const struct tm_options *asked = &mount->options;
    unsigned long forbidden = mount->source.mount_flags;
    if (geteuid() == 0) {
        add(options, ok, asked->no_suid || (forbidden & ST_NOSUID) != 0 ? "nosuid" : "suid");
        add(options, ok, asked->no_device || (forbidden & ST_NODEV) != 0 ? "nodev" : "dev");
    }
    if (asked->no_execute || (forbidden & ST_NOEXEC) != 0)
        add(options, ok, "noexec");
    if (asked->no_access_time)
        add(options, ok, "noatime");
}

/* The options as libfuse wants them; to be freed. NULL: no memory. */
static char *mount_options(const struct tm_mount *mount)
{
    char source[sizeof "fsname=" + PATH_MAX];
    char *options = NULL;
    bool ok = true;
    (void)snprintf(source, sizeof source, "fsname=%s", mount->directory);
    add(&options, &ok, mount->options.read_only ? "ro" : "rw");
    add(&options, &ok, "default_permissions");
    add(&options, &ok, "subtype=tmem");
    add(&options, &ok, source);
    if (others_are_allowed())
        add(&options, &ok, "allow_other");
    add_flags(mount, &options, &ok);
    if (!ok) {
        free(options);
        options = NULL;
    }
    return options;
}

static enum tm_exit mount_failed(const struct tm_mount *mount)
{
    const char *why = last_message[0] != '\0' ? last_message : "no reason was given";
    bool denied = strcasestr(why, "permitted") != NULL || strcasestr(why, "denied") != NULL;
    return tm_fail(denied ? TM_EXIT_DENIED : TM_EXIT_FAILED,
                   "cannot mount at %s: %s (mounting needs root, or fusermount3 from the package fuse3; "
                   "`tmem doctor` tells what is missing here)",
                   mount->point, why);
}

enum tm_exit tm_session_open(struct tm_mount *mount)
{
    if (mount->options.allow_other && !others_are_allowed())
        return tm_fail(TM_EXIT_DENIED, "-o allow_other: only root may, unless " FUSE_CONF " has a line "
                                       "user_allow_other (leave it out, or ask the administrator)");
    char program[] = "tmem-mount";
    char option[] = "-o";
    char *options = mount_options(mount);
    if (options == NULL)
        return tm_fail(TM_EXIT_FAILED, "cannot mount at %s: out of memory", mount->point);
    char *arguments[] = {program, option, options, NULL};
    struct fuse_args fuse_arguments = FUSE_ARGS_INIT(3, arguments);

    fuse_set_log_func(on_message);
    struct fuse_lowlevel_ops operations = operations_of(mount);
    mount->session = fuse_session_new(&fuse_arguments, &operations, sizeof operations, mount);
    fuse_opt_free_args(&fuse_arguments);
    free(options);
    if (mount->session == NULL)
        return mount_failed(mount);
    if (fuse_session_mount(mount->session, mount->point) != 0) {
        fuse_session_destroy(mount->session);
        mount->session = NULL;
        return mount_failed(mount);
    }
    return TM_EXIT_OK;
}

enum tm_exit tm_session_answers(struct tm_mount *mount, dev_t *device)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct stat status;
    if (stat(mount->point, &status) != 0)
        return tm_fail(TM_EXIT_FAILED, "the mount at %s does not answer: %s", mount->point,
                       tm_error_text(errno, cause));
    *device = status.st_dev;
    return TM_EXIT_OK;
}

bool tm_session_unmount(struct tm_mount *mount, dev_t device)
{
    struct tm_mount_entry top;
    if (tm_mount_find(mount->point, &top) != 1 || top.device != device)
        return true;
    int error = tm_unmount(mount->point, false);
    if (error != EBUSY)
        return error == 0;
    error = tm_unmount(mount->point, true);
    return error != 0;
}

void tm_session_close(struct tm_mount *mount)
{
    /* Closes the descriptor; unmounts only if that has not happened. */
    fuse_session_unmount(mount->session);
    fuse_session_destroy(mount->session);
    mount->session = NULL;
}
