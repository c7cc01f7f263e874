/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch_fanotify.c - changes as fanotify reports them: for root, on the whole filesystem that DIR lies on.
 *
 * A report names files by their handles. What is not known, because it lies elsewhere on the filesystem or nobody has
 * asked for it, costs a look into the table of nodes. Opening, reading and closing what was read are not
 * reported. The queue has no limit, so that it overflows only where the kernel has no memory.
 */
#include "watch_kind.h"

#include <errno.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

/* Since Linux 5.17; without it, reports of names do not say which file it is, and 5.9 is enough. */
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x00001000
#endif

#define REPORT_NAMES (FAN_REPORT_FID | FAN_REPORT_DFID_NAME)

#define MADE_MASK (FAN_CREATE | FAN_MOVED_TO)
#define GONE_MASK (FAN_DELETE | FAN_MOVED_FROM)
#define BYTES_MASK (FAN_MODIFY | FAN_CLOSE_WRITE)
#define WATCH_MASK (MADE_MASK | GONE_MASK | BYTES_MASK | FAN_ATTRIB | FAN_ONDIR)

/* Records of a report that hold handles: what is not in older headers. */
#define RECORD_FID 1
#define RECORD_DFID_NAME 2
#define RECORD_DFID 3

/* A handle inside a report; bytes is NULL where there is none. */
struct reported_handle {
    const unsigned char *bytes;
    uint32_t size;
    int type;
};

/* What one report says. */
struct report {
    uint64_t mask;
    int process;
    struct reported_handle file;
    struct reported_handle directory;
    const char *name; /* in the directory; "." is itself */
    size_t name_length;
};

/* Takes one record of @length bytes in. False: it is not what it should be. */
static bool read_record(const unsigned char *at, size_t length, struct report *report)
{
    struct fanotify_event_info_fid record;
    struct file_handle handle;
    if (length < sizeof record + sizeof handle)
        return false;
    memcpy(&record, at, sizeof record);
    memcpy(&handle, at + sizeof record, sizeof handle);
    size_t behind = sizeof record + sizeof handle + handle.handle_bytes;
    /* A handle without bytes says that the kernel could make none. */
    if (handle.handle_bytes == 0 || handle.handle_bytes > MAX_HANDLE_SZ || behind > length)
        return false;
    struct reported_handle found = {at + sizeof record + sizeof handle, handle.handle_bytes, handle.handle_type};
    if (record.hdr.info_type == RECORD_FID) {
        report->file = found;
        return true;
    }
    report->directory = found;
    if (record.hdr.info_type == RECORD_DFID_NAME) {
        report->name = (const char *)at + behind;
        report->name_length = strnlen(report->name, length - behind);
        return report->name_length < length - behind;
    }
    return true;
}

/* Takes the report at @at in, which has @length bytes. False: it is not understood. */
static bool read_report(const unsigned char *at, const struct fanotify_event_metadata *head, struct report *report)
{
    *report = (struct report){.mask = head->mask, .process = head->pid};
    if (head->vers != FANOTIFY_METADATA_VERSION)
        return false;
    for (size_t offset = head->metadata_len; offset < head->event_len;) {
        struct fanotify_event_info_header record;
        if (head->event_len - offset < sizeof record)
            return false;
        memcpy(&record, at + offset, sizeof record);
        if (record.len < sizeof record || record.len > head->event_len - offset)
            return false;
        bool has_handle = record.info_type == RECORD_FID || record.info_type == RECORD_DFID_NAME ||
                          record.info_type == RECORD_DFID;
        if (has_handle && !read_record(at + offset, record.len, report))
            return false;
        offset += record.len;
    }
    return report->file.bytes != NULL || report->directory.bytes != NULL;
}

/*
 * Reads the report that begins at *at and goes on to the next. 1, 0 at the end, or -1: it is not understood, and
 * neither is what follows.
 */
static int next_report(const unsigned char **at, size_t *left, struct report *report)
{
    struct fanotify_event_metadata head;
    if (*left == 0)
        return 0;
    if (*left < sizeof head)
        return -1;
    memcpy(&head, *at, sizeof head);
    if (head.event_len < sizeof head || head.event_len > *left || head.metadata_len < sizeof head)
        return -1;
    if ((head.mask & FAN_Q_OVERFLOW) != 0)
        *report = (struct report){.mask = head.mask};
    else if (!read_report(*at, &head, report))
        return -1;
    *at += head.event_len;
    *left -= head.event_len;
    return 1;
}

static struct tm_node *find(struct tm_mount *mount, const struct reported_handle *handle)
{
    if (handle->bytes == NULL)
        return NULL;
    return tm_node_find_by_handle(&mount->nodes, handle->type, handle->bytes, handle->size);
}

/*
 * What may the kernel have under a name that was made or has gone? Of what was created, at most that there is no such
 * name; of a directory that was moved here, also an empty one that it replaced, which is no more.
 */
static enum tm_notify_name how_to_tell(uint64_t mask)
{
    if ((mask & GONE_MASK) != 0)
        return TM_NOTIFY_DROP;
    bool replaces = (mask & FAN_MOVED_TO) != 0 && (mask & FAN_ONDIR) == 0;
    return replaces ? TM_NOTIFY_DROP : TM_NOTIFY_EXPIRE;
}

static void act_on(struct tm_behind *pass, const struct report *report)
{
    struct tm_mount *mount = pass->mount;
    bool names = (report->mask & (MADE_MASK | GONE_MASK)) != 0;
    enum tm_notify_inode what = (report->mask & BYTES_MASK) != 0 ? TM_NOTIFY_PAGES : TM_NOTIFY_ATTRIBUTES;
    struct tm_node *directory = find(mount, &report->directory);
    struct tm_node *file = find(mount, &report->file);
    if (directory != NULL && names)
        tm_behind_note_others(mount);
    if (directory != NULL && names && report->name != NULL)
        tm_behind_name(pass, directory, report->name, report->name_length, how_to_tell(report->mask));
    if (file != NULL)
        tm_behind_file(pass, file, directory, what);
    else if (directory != NULL && !names && report->file.bytes == NULL)
        tm_behind_file(pass, directory, NULL, what); /* the report is on the directory itself */
    if (file != NULL)
        tm_node_unref(&mount->nodes, file);
    if (directory != NULL)
        tm_node_unref(&mount->nodes, directory);
}

/*
 * The mount itself has changed a name. It knows what it meant to change; but if somebody else has given the name to
 * another file just before, it was that one, and not what the kernel has moved or removed. Reports on the old name do
 * not tell: the kernel has it under the new one.
 */
static void check_own(struct tm_behind *pass, const struct report *report)
{
    struct tm_mount *mount = pass->mount;
    if ((report->mask & (GONE_MASK | FAN_MOVED_TO)) == 0 || !tm_behind_others_change_names(mount))
        return;
    struct tm_node *directory = find(mount, &report->directory);
    struct tm_node *file = find(mount, &report->file);
    if (directory != NULL && report->name != NULL && (report->mask & FAN_MOVED_TO) != 0)
        tm_behind_name(pass, directory, report->name, report->name_length, TM_NOTIFY_EXPIRE);
    if (file != NULL)
        tm_behind_file(pass, file, directory, TM_NOTIFY_ATTRIBUTES);
    if (file != NULL)
        tm_node_unref(&mount->nodes, file);
    if (directory != NULL)
        tm_node_unref(&mount->nodes, directory);
}

static bool handle_reports(struct tm_behind *pass, const unsigned char *reports, size_t length)
{
    struct tm_counters *counters = &pass->mount->counters;
    struct report report;
    uint64_t count = 0;
    uint64_t own = 0;
    int more;
    while ((more = next_report(&reports, &length, &report)) > 0) {
        count++;
        if ((report.mask & FAN_Q_OVERFLOW) != 0) {
            tm_count(&counters->watch_overflows, 1);
            pass->everything = true;
        } else if (report.process == pass->mount->watch.process) {
            own++;
            check_own(pass, &report);
        } else {
            act_on(pass, &report);
        }
    }
    tm_count(&counters->watch_events, count);
    tm_count(&counters->watch_own, own);
    return more == 0;
}

/* ----------------------------------------------------------------- beginning */

/* Lets the kernel report that DIR is opened. 0 when the report has the handle under which the mount knows it. */
static int try_handles(const struct tm_mount *mount, int group)
{
    unsigned char reports[1024] TM_ALIGNED(16);
    const unsigned char *at = reports;
    struct report report;
    struct tm_identity identity;
    int root = mount->source.root;
    int error = tm_source_identify(&mount->source, root, &identity);
    if (error != 0)
        return error;
    if (fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, root, NULL) != 0)
        return errno;
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = fd < 0 ? errno : 0;
    ssize_t length = fd < 0 ? -1 : read(group, reports, sizeof reports);
    if (fd >= 0)
        (void)close(fd);
    if (error != 0 || fanotify_mark(group, FAN_MARK_REMOVE, FAN_OPEN | FAN_ONDIR, root, NULL) != 0)
        return error != 0 ? error : errno;
    size_t left = length < 0 ? 0 : (size_t)length;
    if (next_report(&at, &left, &report) <= 0)
        return EOPNOTSUPP;
    const struct reported_handle *handle = report.file.bytes != NULL ? &report.file : &report.directory;
    bool same = handle->type == identity.handle_type && handle->size == identity.handle_bytes &&
                memcmp(handle->bytes, identity.handle, handle->size) == 0;
    return same ? 0 : EOPNOTSUPP;
}

static int open_group(void)
{
    const unsigned flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | REPORT_NAMES;
    int group = fanotify_init(flags | FAN_REPORT_TARGET_FID, O_RDONLY);
    if (group < 0 && errno == EINVAL)
        group = fanotify_init(flags, O_RDONLY);
    return group >= 0 ? group : -errno;
}

static int open_fanotify(struct tm_mount *mount)
{
    /* Reports name handles: files that are found otherwise are not in them. */
    if (!mount->source.by_handle)
        return -EOPNOTSUPP;
    int group = open_group();
    if (group < 0)
        return group;
    int error = try_handles(mount, group);
    if (error == 0 &&
        fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, WATCH_MASK, mount->source.root, NULL) != 0)
        error = errno;
    if (error == 0)
        return group;
    (void)close(group);
    return -error;
}

const struct tm_watch_kind tm_watch_by_fanotify = {
    .name = "fanotify",
    .complete = true,
    .open = open_fanotify,
    .handle = handle_reports,
};
