/* SPDX-License-Identifier: BSD-2-Clause */
/* disk.c - a disk of the kernel's, such as zram: read and written directly, past the page cache. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct disk {
    int fd;
    unsigned char *bounce; /* the page of a put may lie anywhere; direct writes want it aligned */
};

static bool disk_open(const char *at, uint64_t pages, void **state)
{
    struct disk *disk = calloc(1, sizeof *disk);
    uint64_t bytes = 0;
    if (disk == NULL)
        return peer_fail("disk: no memory");
    *state = disk;
    disk->fd = open(at, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (disk->fd < 0 || ioctl(disk->fd, BLKGETSIZE64, &bytes) != 0)
        return peer_fail_system(at);
    disk->bounce = aligned_alloc(TM_PAGE_BYTES, TM_PAGE_BYTES);
    return (disk->bounce != NULL || peer_fail("disk: no memory")) &&
           (bytes >= pages * TM_PAGE_BYTES || peer_fail("disk: %s is too small", at));
}

static void disk_close(void *state)
{
    struct disk *disk = state;
    (void)close(disk->fd);
    free(disk->bounce);
    free(disk);
}

static bool is_whole(ssize_t result, const char *what)
{
    if (result == (ssize_t)TM_PAGE_BYTES)
        return true;
    return result < 0 ? peer_fail_system(what) : peer_fail("disk: %s: cut short", what);
}

static bool is_aligned(const unsigned char *page)
{
    return (uintptr_t)page % TM_PAGE_BYTES == 0;
}

static bool disk_put(void *state, uint64_t number, const unsigned char *page)
{
    struct disk *disk = state;
    if (!is_aligned(page))
        page = memcpy(disk->bounce, page, TM_PAGE_BYTES);
    return is_whole(pwrite(disk->fd, page, TM_PAGE_BYTES, (off_t)(number * TM_PAGE_BYTES)), "write");
}

static bool disk_get(void *state, uint64_t number, unsigned char *page)
{
    struct disk *disk = state;
    unsigned char *to = is_aligned(page) ? page : disk->bounce;
    if (!is_whole(pread(disk->fd, to, TM_PAGE_BYTES, (off_t)(number * TM_PAGE_BYTES)), "read"))
        return false;
    if (to != page)
        memcpy(page, to, TM_PAGE_BYTES);
    return true;
}

static bool disk_drop(void *state, uint64_t number)
{
    struct disk *disk = state;
    uint64_t range[2] = {number * TM_PAGE_BYTES, TM_PAGE_BYTES};
    return ioctl(disk->fd, BLKDISCARD, range) == 0 || peer_fail_system("discard");
}

static const struct peer_kind disk_kind = {
    .name = "disk",
    .at = "DEVICE",
    .open = disk_open,
    .close = disk_close,
    .put = disk_put,
    .get = disk_get,
    .drop = disk_drop,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &disk_kind);
}
