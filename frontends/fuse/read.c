/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read.c - the life of a read.
 *
 * gather from the store -> all there: answer. Otherwise: announce what will be read (flight.h) -> read
 * the missing runs from DIR, the last one with read-ahead -> is the file still in the epoch that the
 * pages are named by? -> answer -> put what was read -> end of the announcement.
 *
 * The answer goes out before the puts, so that no reader waits for compression. After it the file may be
 * closed: nothing below that line may use it.
 *
 * If the file changed meanwhile, all is done again with what it is now; if it keeps changing, the bytes
 * come from the disk alone, as any filesystem would give them, and nothing is put.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* How often a read begins again because the file changed under it. */
#define ATTEMPTS 3

/* One read request. Pages are counted from `first`. */
struct read_request {
    fuse_req_t request;
    struct tm_mount *mount;
    struct tm_node *node;
    struct tm_file *file;
    struct tm_buffer *buffer;
    uint64_t offset;
    size_t size;
    uint64_t inode;
    struct tm_reading reading;
    uint64_t end;   /* offset behind the last byte that the file has of it */
    uint64_t first; /* page number */
    size_t count;   /* pages that hold the bytes asked for */
    size_t ahead;   /* pages read beyond them */
    bool in_order;  /* begins where the last one of this file ended */
};

/* A run of pages that the store does not have. */
struct run {
    size_t at;
    size_t count; /* without read-ahead */
};

static void answer(struct read_request *read, uint64_t end)
{
    const char *bytes = (const char *)read->buffer->bytes + (read->offset - read->first * TMEM_PAGE_SIZE);
    (void)fuse_reply_buf(read->request, bytes, end > read->offset ? (size_t)(end - read->offset) : 0);
}

/*
 * Reads @bytes at @offset, a page boundary, to @to, a page boundary with room to the end of its last page.
 * *got receives what there was: less than asked for at the end of the file. 0, or the errno.
 */
static int read_disk(struct read_request *read, uint64_t offset, size_t bytes, unsigned char *to, size_t *got)
{
    struct tm_file *file = read->file;
    struct tm_counters *counters = &read->mount->counters;
    size_t done = 0;
    int error = 0;
    while (done < bytes) {
        bool direct = __atomic_load_n(&file->direct, __ATOMIC_RELAXED) != 0;
        size_t want = direct ? tm_round_up(bytes - done, TMEM_PAGE_SIZE) : bytes - done;
        ssize_t length = pread(file->fd, to + done, want, (off_t)(offset + done));
        tm_count(&counters->disk_reads, 1);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EINVAL && direct) {
            /* This file cannot be read past the page cache after all, or its blocks are larger. */
            (void)fcntl(file->fd, F_SETFL, O_RDONLY);
            __atomic_store_n(&file->direct, 0, __ATOMIC_RELAXED);
            continue;
        }
        if (length < 0) {
            error = errno;
            tm_count(&counters->disk_errors, 1);
            break;
        }
        done += (size_t)length;
        tm_count(&counters->disk_bytes, (uint64_t)length);
        if (length == 0 || (direct && (size_t)length % TMEM_PAGE_SIZE != 0))
            break;
    }
    /* File bytes are cached once: in the store. Some filesystems accept direct reads and serve them
     * through their cache all the same (journalled data, encryption, bytes kept in the inode). */
    if (done > 0)
        (void)posix_fadvise(file->fd, (off_t)offset, (off_t)done, POSIX_FADV_DONTNEED);
    *got = done < bytes ? done : bytes;
    return error;
}

/* Reads pages [at, at + count) of the request, zero-padded. EAGAIN: the file has become shorter. */
static int read_pages(struct read_request *read, size_t at, size_t count)
{
    unsigned char *to = read->buffer->bytes + at * TMEM_PAGE_SIZE;
    uint64_t offset = (read->first + at) * TMEM_PAGE_SIZE;
    size_t room = count * TMEM_PAGE_SIZE;
    size_t bytes = (size_t)tm_min_u64(room, read->reading.version.size_bytes - offset);
    size_t got = 0;
    int error = read_disk(read, offset, bytes, to, &got);
    if (error != 0)
        return error;
    if (got < bytes)
        return EAGAIN;
    memset(to + bytes, 0, room - bytes);
    return 0;
}

/* The next run of pages that are missing from page @at on; count 0: there is none. */
static struct run next_run(const struct read_request *read, size_t at)
{
    const struct tmem_io *io = read->buffer->io;
    while (at < read->count && io[at].result == TMEM_OK)
        at++;
    size_t behind = at;
    while (behind < read->count && io[behind].result != TMEM_OK)
        behind++;
    return (struct run){.at = at, .count = behind - at};
}

/* The run with its read-ahead, which belongs to the one that reaches the end of the request. */
static size_t whole_count(const struct read_request *read, struct run run)
{
    return run.at + run.count == read->count ? run.count + read->ahead : run.count;
}

/*
 * How far to read beyond the request when its last page is missing and what is read will be kept. A file that
 * fits into a window of --read-ahead bytes comes whole with its beginning. One that is read in order comes in
 * aligned windows, so that those of consecutive requests do not overlap. Where reads jump about, as in programs that
 * are mapped, what is asked for is enough: the kernel has added its part.
 */
static size_t pages_ahead(const struct read_request *read)
{
    uint64_t window = read->mount->options.read_ahead_bytes / TMEM_PAGE_SIZE;
    if (window == 0 || !read->reading.keep || read->buffer->io[read->count - 1u].result == TMEM_OK)
        return 0;
    uint64_t file_pages = tm_round_up(read->reading.version.size_bytes, TMEM_PAGE_SIZE) / TMEM_PAGE_SIZE;
    uint64_t behind = read->first + read->count;
    uint64_t limit = behind;
    if (read->first == 0 && file_pages <= window)
        limit = file_pages;
    else if (read->in_order)
        limit = tm_min_u64(((behind - 1u) / window + 1u) * window, read->first + window);
    return (size_t)(tm_max_u64(tm_min_u64(limit, file_pages), behind) - behind);
}

/* Up to the first page that is in the store already. */
static size_t pages_ahead_missing(struct read_request *read)
{
    struct tm_buffer *buffer = read->buffer;
    size_t ahead = pages_ahead(read);
    size_t missing = 0;
    if (ahead == 0)
        return 0;
    (void)tm_pages_get(&read->mount->pages, &read->reading.content, read->inode, read->first + read->count, ahead,
                       buffer->io + read->count, buffer->bytes + read->count * TMEM_PAGE_SIZE);
    while (missing < ahead && buffer->io[read->count + missing].result != TMEM_OK)
        missing++;
    return missing;
}

static int read_missing_runs(struct read_request *read)
{
    for (struct run run = next_run(read, 0); run.count > 0; run = next_run(read, run.at + run.count)) {
        int error = read_pages(read, run.at, whole_count(read, run));
        if (error != 0 && error != EAGAIN && whole_count(read, run) > run.count) {
            /* The error may lie where nobody has asked. */
            read->ahead = 0;
            error = read_pages(read, run.at, run.count);
        }
        if (error != 0)
            return error;
        tm_count(&read->mount->counters.pages_from_disk, run.count);
    }
    tm_count(&read->mount->counters.pages_ahead, read->ahead);
    return 0;
}

/* True when the file is still what was read. Otherwise the node knows the new one. */
static bool is_unchanged(struct read_request *read)
{
    struct stat status;
    struct tm_observation now;
    if (fstat(read->file->fd, &status) != 0)
        return false;
    if (tm_mount_look(read->mount, read->node, read->file->fd, &status, TM_TELL_KERNEL, &now) != 0)
        return false;
    return tm_node_is_in(&read->mount->nodes, read->node, read->reading.epoch);
}

/* Offers all pages that were read. Uses nothing of the file. */
static void put_runs(struct read_request *read)
{
    struct tm_counters *counters = &read->mount->counters;
    struct run run = next_run(read, 0);
    while (run.count > 0) {
        size_t count = whole_count(read, run);
        struct run following = next_run(read, run.at + run.count);
        size_t stored =
            tm_pages_put(&read->mount->pages, &read->reading.content, read->inode, read->first + run.at, count,
                         read->buffer->io + run.at, read->buffer->bytes + run.at * TMEM_PAGE_SIZE);
        tm_count(&counters->puts, count);
        tm_count(&counters->puts_stored, stored);
        run = following;
    }
    /* The file may have got another name since it was asked; then nobody else drops what came too late. */
    if (!tm_node_is_in(&read->mount->nodes, read->node, read->reading.epoch))
        tm_pages_invalidate(&read->mount->pages, &read->reading.content, read->inode,
                            read->reading.version.size_bytes);
}

static void count_not_put(struct read_request *read)
{
    uint64_t pages = read->ahead;
    for (struct run run = next_run(read, 0); run.count > 0; run = next_run(read, run.at + run.count))
        pages += run.count;
    tm_count(&read->mount->counters.pages_not_put, pages);
}

/* Another request was reading some of these pages: looks again for those that were missing. */
static void gather_again(struct read_request *read)
{
    for (struct run run = next_run(read, 0); run.count > 0; run = next_run(read, run.at + run.count)) {
        size_t found =
            tm_pages_get(&read->mount->pages, &read->reading.content, read->inode, read->first + run.at, run.count,
                         read->buffer->io + run.at, read->buffer->bytes + run.at * TMEM_PAGE_SIZE);
        tm_count(&read->mount->counters.pages_from_store, found);
    }
    read->ahead = pages_ahead_missing(read);
    tm_count(&read->mount->counters.reads_waited, 1);
}

/* In a stateless mount the file is opened when the disk is needed. */
static int ensure_open(struct read_request *read, bool buffered)
{
    return read->file->fd >= 0 ? 0 : tm_file_open_data(read->mount, read->node, read->file, buffered);
}

/* The pages are announced: reads, answers and puts them. False: the file changed, begin again. */
static bool read_announced(struct read_request *read)
{
    int error = read_missing_runs(read);
    bool failed = error != 0 && error != EAGAIN;
    bool same = !failed && is_unchanged(read) && error == 0;
    if (same)
        answer(read, read->end);
    else if (failed)
        (void)fuse_reply_err(read->request, error);

    /* Answered: the file may be closed by now. */
    if (same && read->reading.keep)
        put_runs(read);
    else if (same)
        count_not_put(read);
    return same || failed;
}

/* Reads what the store does not have. False: the file changed, begin again. */
static bool read_missing(struct read_request *read)
{
    struct run missing = next_run(read, 0);
    struct tm_flight flight;
    int error = ensure_open(read, read->reading.buffered);
    if (error != 0) {
        (void)fuse_reply_err(read->request, error);
        return true;
    }
    tm_node_ref(read->node);
    read->ahead = pages_ahead_missing(read);
    bool waited = tm_flight_begin(&read->mount->flights, &flight, read->node, read->first + missing.at,
                                  read->count + read->ahead - missing.at);
    /* Whoever was waited for may have changed the file, and with it where its last page ends. */
    struct tm_reading now = tm_node_reading(&read->mount->nodes, read->node, tm_version_now_ns());
    bool done = now.epoch == read->reading.epoch && !now.unseen && now.version.size_bytes >= read->end;
    read->reading.version = now.version;
    if (done && waited)
        gather_again(read);
    if (done)
        done = read_announced(read);
    tm_flight_end(&read->mount->flights, &flight);
    tm_node_unref(&read->mount->nodes, read->node);
    return done;
}

/* Somebody else has changed the file: looks at it. */
static void look_first(struct read_request *read)
{
    struct stat status;
    struct tm_observation now;
    if (ensure_open(read, read->reading.buffered) == 0 && fstat(read->file->fd, &status) == 0 &&
        tm_mount_look(read->mount, read->node, read->file->fd, &status, TM_TELL_KERNEL, &now) == 0)
        read->reading = tm_node_reading(&read->mount->nodes, read->node, tm_version_now_ns());
}

/* One attempt. False: the file changed meanwhile, and nothing was answered. */
static bool read_once(struct read_request *read)
{
    read->reading = tm_node_reading(&read->mount->nodes, read->node, tm_version_now_ns());
    if (read->reading.unseen)
        look_first(read);
    if (read->reading.unseen || read->offset >= read->reading.version.size_bytes)
        return false; /* beyond the end: only the disk can say that it is still so */
    read->end = tm_min_u64(read->offset + read->size, read->reading.version.size_bytes);
    read->first = read->offset / TMEM_PAGE_SIZE;
    read->count = (size_t)((read->end - 1u) / TMEM_PAGE_SIZE - read->first + 1u);
    read->in_order = tm_node_follow(read->node, read->first, read->count);
    size_t found = tm_pages_get(&read->mount->pages, &read->reading.content, read->inode, read->first, read->count,
                                read->buffer->io, read->buffer->bytes);
    tm_count(&read->mount->counters.pages_from_store, found);
    if (found < read->count)
        return read_missing(read);
    answer(read, read->end);
    return true;
}

/* Reads from the disk alone, whatever the file is at this moment. */
static void read_plain(struct read_request *read)
{
    size_t got = 0;
    read->first = read->offset / TMEM_PAGE_SIZE;
    uint64_t start = read->first * TMEM_PAGE_SIZE;
    int error = ensure_open(read, true);
    if (error == 0)
        error = read_disk(read, start, (size_t)(read->offset + read->size - start), read->buffer->bytes, &got);
    tm_count(&read->mount->counters.pages_from_disk, tm_round_up(got, TMEM_PAGE_SIZE) / TMEM_PAGE_SIZE);
    if (error != 0)
        (void)fuse_reply_err(read->request, error);
    else
        answer(read, start + got);
}

void tm_op_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct tm_file opened = {.fd = -1};
    struct tm_file *file = tm_file_of(info);
    struct read_request read = {
        .request = request,
        .mount = mount,
        .node = tm_node_of(mount, number),
        .file = file != NULL ? file : &opened,
        .buffer = tm_worker_buffer(),
        .offset = (uint64_t)offset,
        .size = size,
    };
    tm_count(&mount->counters.reads, 1);
    if (offset < 0 || size > TM_READ_MAX_BYTES) {
        (void)fuse_reply_err(request, EINVAL);
        return;
    }
    read.inode = read.node->inode;
    if (file != NULL)
        tm_file_refreshed(mount, read.node, file);
    bool done = false;
    for (int attempt = 0; attempt < ATTEMPTS && !done; attempt++)
        done = read_once(&read);
    if (!done)
        read_plain(&read);
    if (opened.fd >= 0)
        (void)close(opened.fd);
}
