/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory.c - reading directories, also very large ones.
 *
 * Entries come from the kernel in the order of DIR's filesystem, and an entry's offset is the one which
 * that filesystem gave it: so offsets are as stable as on DIR, and going on costs nothing. Going back is one
 * seek. The kernel may keep a listing as it keeps a file's pages, by the same rule (files.c).
 */
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_BYTES 32768u

/* An open directory. `file` is first: a directory is an open file as far as the kernel's cache goes. */
struct directory {
    struct tm_file file;
    pthread_mutex_t lock;
    char *entries; /* ENTRIES_BYTES, made at the first read */
    size_t at;     /* the next entry in entries */
    size_t behind;
    off_t offset; /* of the next entry, as the filesystem names it */
};

static void end_directory(struct tm_file *file)
{
    struct directory *directory = TM_CONTAINER_OF(file, struct directory, file);
    if (directory->file.fd >= 0)
        (void)close(directory->file.fd);
    pthread_mutex_destroy(&directory->lock);
    free(directory->entries);
    free(directory);
}

/* Opens and looks at the directory; 0, or the errno. */
static int open_directory(struct tm_mount *mount, struct tm_node *node, struct directory *directory)
{
    struct stat status;
    struct tm_observation observation;
    int64_t now_ns = tm_version_now_ns();
    directory->file.fd = tm_node_open(&mount->nodes, node, O_RDONLY | O_DIRECTORY);
    if (directory->file.fd < 0)
        return -directory->file.fd;
    tm_watch_directory(mount, node, directory->file.fd);
    if (fstat(directory->file.fd, &status) != 0)
        return errno;
    int error = tm_mount_look(mount, node, directory->file.fd, &status, TM_TELL_KERNEL, &observation);
    if (error != 0)
        return error;
    directory->file.settled = mount->trusted || tm_version_settled(&observation.version, now_ns);
    return 0;
}

/* An open directory, to be ended by end_directory(); NULL and *error when that fails. */
static struct directory *make_directory(struct tm_mount *mount, struct tm_node *node, int *error)
{
    struct directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&directory->lock, NULL);
    *error = open_directory(mount, node, directory);
    if (*error == 0)
        return directory;
    end_directory(&directory->file);
    return NULL;
}

void tm_op_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    int error = ENOSYS;
    struct directory *directory = mount->stateless ? NULL : make_directory(mount, node, &error);
    if (directory == NULL) {
        (void)fuse_reply_err(request, error);
        return;
    }
    tm_file_add(mount, &directory->file, end_directory);
    info->fh = (uint64_t)(uintptr_t)directory;
    info->cache_readdir = 1;
    info->keep_cache = tm_node_is_current(&mount->nodes, node, &directory->file.epoch) || mount->trusted;
    if (fuse_reply_open(request, info) != 0)
        tm_file_end(mount, &directory->file);
}

void tm_op_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct directory *directory = (struct directory *)(uintptr_t)info->fh;
    tm_file_refreshed(mount, tm_node_of(mount, number), &directory->file);
    tm_file_end(mount, &directory->file);
    (void)fuse_reply_err(request, 0);
}

/* Makes @offset the next entry. 0, or the errno. */
static int go_to(struct directory *directory, off_t offset)
{
    if (directory->entries == NULL) {
        directory->entries = malloc(ENTRIES_BYTES);
        if (directory->entries == NULL)
            return ENOMEM;
    }
    if (offset == directory->offset)
        return 0;
    if (lseek(directory->file.fd, offset, SEEK_SET) < 0)
        return errno;
    directory->at = directory->behind = 0;
    directory->offset = offset;
    return 0;
}

/* The next entry, NULL at the end or on an error (*error). It stays next until it is consumed. */
static const struct dirent64 *next_entry(struct directory *directory, int *error)
{
    if (directory->at == directory->behind) {
        ssize_t length = getdents64(directory->file.fd, directory->entries, ENTRIES_BYTES);
        if (length <= 0) {
            *error = length < 0 ? errno : 0;
            return NULL;
        }
        directory->at = 0;
        directory->behind = (size_t)length;
    }
    return (const struct dirent64 *)(const void *)(directory->entries + directory->at);
}

static void consume(struct directory *directory, const struct dirent64 *entry)
{
    directory->offset = entry->d_off;
    directory->at += entry->d_reclen;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Adds the entry to the answer if it fits; its size, or 0. */
static size_t add_plain(fuse_req_t request, char *to, size_t room, const struct dirent64 *entry)
{
    struct stat status = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)};
    size_t bytes = fuse_add_direntry(request, to, room, entry->d_name, &status, entry->d_off);
    return bytes <= room ? bytes : 0;
}

/*
 * Looks the entry up for the kernel; false where it is not to have it. It takes no look-ups for the two dots. Those of
 * directories it takes back twice when the directory is moved meanwhile and forgotten at once: it would then ask for
 * a node that has ended. A file that cannot be looked at just now shows its error when it is looked up by itself.
 */
static bool look_up(struct tm_mount *mount, struct tm_node *node, const struct directory *directory,
                    const struct dirent64 *entry, struct fuse_entry_param *found)
{
    if (is_dot(entry->d_name) || entry->d_type == DT_DIR)
        return false;
    if (tm_mount_enter(mount, node, directory->file.fd, entry->d_name, found) != 0)
        return false;
    if (!S_ISDIR(found->attr.st_mode))
        return true;
    tm_node_forget(&mount->nodes, tm_node_of(mount, found->ino), 1);
    return false;
}

/* The same with attributes. The look-up counts only once the entry is in the answer. */
static size_t add_with_attributes(fuse_req_t request, struct tm_node *node, const struct directory *directory,
                                  char *to, size_t room, const struct dirent64 *entry)
{
    struct tm_mount *mount = tm_mount_of(request);
    size_t bytes = fuse_add_direntry_plus(request, NULL, 0, entry->d_name, NULL, 0);
    if (bytes > room)
        return 0;
    struct fuse_entry_param found;
    if (!look_up(mount, node, directory, entry, &found)) {
        found = (struct fuse_entry_param){.ino = 0};
        found.attr.st_ino = entry->d_ino;
        found.attr.st_mode = (mode_t)DTTOIF(entry->d_type);
    }
    return fuse_add_direntry_plus(request, to, room, entry->d_name, &found, entry->d_off);
}

/* Takes back the look-ups of an answer that was not taken. */
static void forget_answer(struct tm_mount *mount, const char *answer, size_t length)
{
    for (size_t at = 0; at < length;) {
        struct fuse_direntplus entry;
        memcpy(&entry, answer + at, sizeof entry);
        if (entry.entry_out.nodeid != 0)
            tm_node_forget(&mount->nodes, tm_node_of(mount, (fuse_ino_t)entry.entry_out.nodeid), 1);
        at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + entry.dirent.namelen);
    }
}

static void read_directory(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                           struct fuse_file_info *info, bool with_attributes)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_node *node = tm_node_of(mount, number);
    struct directory *opened = (struct directory *)(uintptr_t)info->fh;
    struct tm_buffer *buffer = tm_worker_buffer();
    char *to = (char *)buffer->bytes;
    size_t room = tm_min_u64(size, buffer->pages * TMEM_PAGE_SIZE);
    size_t used = 0;
    int error = 0;
    struct directory *directory = opened != NULL ? opened : make_directory(mount, node, &error);
    if (directory == NULL) {
        (void)fuse_reply_err(request, error);
        return;
    }
    if (opened != NULL)
        tm_file_refreshed(mount, node, &directory->file);
    pthread_mutex_lock(&directory->lock);
    error = go_to(directory, offset);
    while (error == 0) {
        const struct dirent64 *entry = next_entry(directory, &error);
        if (entry == NULL)
            break;
        size_t bytes = with_attributes
                           ? add_with_attributes(request, node, directory, to + used, room - used, entry)
                           : add_plain(request, to + used, room - used, entry);
        if (bytes == 0)
            break;
        used += bytes;
        consume(directory, entry);
    }
    pthread_mutex_unlock(&directory->lock);
    if (opened == NULL)
        end_directory(&directory->file);

    /* What was read before an error is given first; the error comes when the kernel asks on. */
    if (error != 0 && used == 0)
        (void)fuse_reply_err(request, error);
    else if (fuse_reply_buf(request, to, used) != 0 && with_attributes)
        forget_answer(mount, to, used);
}

void tm_op_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info)
{
    read_directory(request, number, size, offset, info, false);
}

void tm_op_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info)
{
    read_directory(request, number, size, offset, info, true);
}
