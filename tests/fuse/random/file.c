/* SPDX-License-Identifier: BSD-2-Clause */
/* file.c - operations on a file that one process has for itself. */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

static char *path_of(const struct process *process, enum side side, const char *name, char path[static 4096])
{
    (void)snprintf(path, 4096, "%s/%s", process->roots[side], name);
    return path;
}

/* Makes the call for both sides, with `side` in it, and compares. */
#define BOTH(process, call)                                                               \
    __extension__({                                                                       \
        long results_[SIDES];                                                             \
        int errors_[SIDES];                                                               \
        for (enum side side = PLAIN; side < SIDES; side++) {                              \
            errno = 0;                                                                    \
            results_[side] = (long)(call);                                                \
            errors_[side] = errno;                                                        \
        }                                                                                 \
        agree(process, results_[PLAIN], errors_[PLAIN], results_[MOUNT], errors_[MOUNT]); \
    })

static int reopen_side(const struct process *process, const struct slot *slot, enum side side, int flags)
{
    char path[4096];
    return open(path_of(process, side, slot->name, path), flags | O_CLOEXEC, 0644);
}

static void unmap(const struct process *process, struct slot *slot)
{
    for (enum side side = PLAIN; side < SIDES; side++) {
        if (slot->map[side] != NULL)
            (void)munmap(slot->map[side], process->file_bytes);
        slot->map[side] = NULL;
    }
}

static void close_slot(const struct process *process, struct slot *slot)
{
    unmap(process, slot);
    for (enum side side = PLAIN; side < SIDES; side++) {
        (void)close(slot->fds[side]);
        if (slot->direct[side] >= 0)
            (void)close(slot->direct[side]);
        slot->fds[side] = slot->direct[side] = -1;
    }
}

static void open_slot(struct process *process, struct slot *slot, int flags)
{
    for (enum side side = PLAIN; side < SIDES; side++) {
        slot->direct[side] = -1;
        slot->fds[side] = reopen_side(process, slot, side, flags);
        if (slot->fds[side] < 0)
            fail(process, "cannot open", (uint64_t)side, (uint64_t)errno);
    }
    if ((flags & O_EXCL) != 0) {
        slot->id = ++process->files_made;
        slot->stored = false;
    }
}

/* The size that both say. */
static void look(struct process *process, struct slot *slot)
{
    struct stat status[SIDES];
    (void)BOTH(process, fstat(slot->fds[side], &status[side]));
    if (status[PLAIN].st_size != status[MOUNT].st_size)
        fail(process, "sizes", (uint64_t)status[PLAIN].st_size, (uint64_t)status[MOUNT].st_size);
    if (status[PLAIN].st_nlink != status[MOUNT].st_nlink || status[PLAIN].st_mode != status[MOUNT].st_mode)
        fail(process, "modes or links", status[PLAIN].st_nlink, status[MOUNT].st_nlink);
    slot->size = (uint64_t)status[PLAIN].st_size;
}

/* Bytes that tell when and where they were written; some compress well. */
static void make_bytes(struct process *process, size_t size)
{
    unsigned char *bytes = process->buffers[PLAIN];
    uint64_t word = next_random(process);
    bool noise = word % 4 == 0;
    for (size_t at = 0; at < size; at++) {
        if (at % 8 == 0 && noise)
            word = word * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[at] = (unsigned char)(word >> (at % 8 * 8));
    }
    memcpy(process->buffers[MOUNT], bytes, size);
    if (process->perturb_at != 0 && process->operation >= process->perturb_at && size > 0)
        process->buffers[MOUNT][size / 2] ^= 1;
}

static uint64_t any_offset(struct process *process, const struct slot *slot)
{
    uint64_t limit = slot->size < process->file_bytes ? slot->size : process->file_bytes;
    switch (next_random(process) % 4) {
    case 0:
        return limit == 0 ? 0 : next_random(process) % limit / PAGE_BYTES * PAGE_BYTES;
    case 1:
        return next_random(process) % (process->file_bytes - 1);
    default:
        return limit == 0 ? 0 : next_random(process) % limit;
    }
}

static size_t any_length(struct process *process, uint64_t offset)
{
    return (size_t)any_size(process, offset < process->file_bytes ? process->file_bytes - offset : 1);
}

/*
 * Linux 6.18 loses bytes of a FUSE filesystem that are written behind the end of a file into a page that was stored to
 * by a mapping, when it writes that page back at the same time: it clears what is behind the old end. So nothing is
 * to be written back then.
 */
static void before_growing(struct process *process, struct slot *slot, uint64_t end)
{
    if (!slot->stored || end <= slot->size)
        return;
    if (fdatasync(slot->fds[MOUNT]) != 0)
        fail(process, "fdatasync", 0, (uint64_t)errno);
    slot->stored = false;
}

/* ---------------------------------------------------------------------------- operations */

static void do_read(struct process *process, struct slot *slot)
{
    uint64_t offset = any_offset(process, slot);
    size_t length = any_length(process, offset);
    remember(process, "read", slot, offset, length, 0);
    long got = BOTH(process, pread(slot->fds[side], process->buffers[side], length, (off_t)offset));
    if (got > 0)
        same_bytes(process, process->buffers[PLAIN], process->buffers[MOUNT], (size_t)got, offset);
}

static void do_write(struct process *process, struct slot *slot)
{
    uint64_t offset = any_offset(process, slot);
    size_t length = any_length(process, offset);
    remember(process, "write", slot, offset, length, 0);
    before_growing(process, slot, offset + length);
    make_bytes(process, length);
    (void)BOTH(process, pwrite(slot->fds[side], process->buffers[side], length, (off_t)offset));
    if (offset + length > slot->size)
        slot->size = offset + length;
}

static void do_append(struct process *process, struct slot *slot)
{
    size_t length = (size_t)any_size(process, 20000);
    if (slot->size + length > process->file_bytes)
        return;
    remember(process, "append", slot, slot->size, length, 0);
    before_growing(process, slot, slot->size + length);
    make_bytes(process, length);
    int fds[SIDES];
    for (enum side side = PLAIN; side < SIDES; side++)
        fds[side] = reopen_side(process, slot, side, O_WRONLY | O_APPEND);
    (void)BOTH(process, write(fds[side], process->buffers[side], length));
    (void)BOTH(process, close(fds[side]));
    look(process, slot);
}

static bool has_map(struct process *process, struct slot *slot)
{
    for (enum side side = PLAIN; side < SIDES; side++) {
        if (slot->map[side] != NULL)
            continue;
        void *at = mmap(NULL, process->file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slot->fds[side], 0);
        if (at == MAP_FAILED)
            fail(process, "cannot map", (uint64_t)side, (uint64_t)errno);
        slot->map[side] = at;
    }
    return slot->size > 0;
}

static void do_load(struct process *process, struct slot *slot)
{
    if (!has_map(process, slot))
        return;
    uint64_t offset = next_random(process) % slot->size;
    /* To the end of the last page: behind the end of the file there are zeros. */
    uint64_t end = (slot->size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    size_t length = (size_t)any_size(process, end - offset);
    remember(process, "load", slot, offset, length, 0);
    same_bytes(process, slot->map[PLAIN] + offset, slot->map[MOUNT] + offset, length, offset);
}

static void do_store(struct process *process, struct slot *slot)
{
    if (!has_map(process, slot))
        return;
    uint64_t offset = next_random(process) % slot->size;
    size_t length = (size_t)any_size(process, slot->size - offset);
    remember(process, "store", slot, offset, length, 0);
    make_bytes(process, length);
    for (enum side side = PLAIN; side < SIDES; side++)
        memcpy(slot->map[side] + offset, process->buffers[side], length);
    slot->stored = true;
}

static void do_msync(struct process *process, struct slot *slot)
{
    if (slot->map[PLAIN] == NULL)
        return;
    int flags = next_random(process) % 2 == 0 ? MS_SYNC : MS_ASYNC;
    uint64_t offset = next_random(process) % (process->file_bytes / PAGE_BYTES) * PAGE_BYTES;
    remember(process, "msync", slot, offset, process->file_bytes - offset, (uint64_t)flags);
    (void)BOTH(process, msync(slot->map[side] + offset, process->file_bytes - offset, flags));
}

static void do_unmap(struct process *process, struct slot *slot)
{
    remember(process, "munmap", slot, 0, 0, 0);
    unmap(process, slot);
}

static void do_truncate(struct process *process, struct slot *slot)
{
    uint64_t size = next_random(process) % 3 == 0 ? any_size(process, process->file_bytes)
                                                  : next_random(process) % (slot->size + 1);
    remember(process, "truncate", slot, size, 0, slot->size);
    (void)BOTH(process, ftruncate(slot->fds[side], (off_t)size));
    slot->size = size;
}

static void do_allocate(struct process *process, struct slot *slot)
{
    static const int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                0, FALLOC_FL_KEEP_SIZE};
    int mode = modes[next_random(process) % (sizeof modes / sizeof *modes)];
    uint64_t offset = any_offset(process, slot);
    size_t length = any_length(process, offset);
    remember(process, "fallocate", slot, offset, length, (uint64_t)mode);
    (void)BOTH(process, fallocate(slot->fds[side], mode, (off_t)offset, (off_t)length));
    look(process, slot);
}

static void do_copy(struct process *process, struct slot *slot)
{
    struct slot *target = &process->slots[next_random(process) % SLOTS];
    uint64_t from = any_offset(process, slot);
    uint64_t to = any_offset(process, target);
    size_t length = (size_t)any_size(process, process->file_bytes - (from > to ? from : to));
    if (target == slot && from < to + length && to < from + length)
        return;
    remember(process, "copy from", slot, from, length, to);
    remember(process, "copy to", target, to, length, from);
    off_t offsets[SIDES][2] = {{(off_t)from, (off_t)to}, {(off_t)from, (off_t)to}};
    /* Both may copy less than asked for: the rest is asked for again. */
    for (enum side side = PLAIN; side < SIDES; side++)
        for (size_t left = length; left > 0;) {
            off_t *at = offsets[side];
            ssize_t got = copy_file_range(slot->fds[side], &at[0], target->fds[side], &at[1], left, 0);
            if (got < 0)
                fail(process, "copy_file_range", (uint64_t)side, (uint64_t)errno);
            if (got == 0)
                break;
            left -= (size_t)got;
        }
    if (offsets[PLAIN][1] != offsets[MOUNT][1])
        fail(process, "copied to", (uint64_t)offsets[PLAIN][1], (uint64_t)offsets[MOUNT][1]);
    look(process, target);
}

static void do_reopen(struct process *process, struct slot *slot)
{
    static const int flags[] = {O_RDWR, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_SYNC, O_RDWR | O_TRUNC};
    int how = flags[next_random(process) % (sizeof flags / sizeof *flags)];
    remember(process, "reopen", slot, 0, 0, (uint64_t)how);
    close_slot(process, slot);
    open_slot(process, slot, how);
    look(process, slot);
}

static void open_direct(struct process *process, struct slot *slot)
{
    for (enum side side = PLAIN; side < SIDES; side++)
        if (slot->direct[side] < 0 && (slot->direct[side] = reopen_side(process, slot, side, O_RDWR | O_DIRECT)) < 0)
            fail(process, "cannot open with O_DIRECT", (uint64_t)side, (uint64_t)errno);
}

static void do_direct(struct process *process, struct slot *slot)
{
    uint64_t pages = process->file_bytes / PAGE_BYTES;
    uint64_t page = next_random(process) % pages;
    size_t length = (size_t)(any_size(process, pages - page) * PAGE_BYTES);
    bool writes = next_random(process) % 2 == 0;
    remember(process, writes ? "direct write" : "direct read", slot, page * PAGE_BYTES, length, 0);
    open_direct(process, slot);
    if (writes) {
        make_bytes(process, length);
        (void)BOTH(process, pwrite(slot->direct[side], process->buffers[side], length, (off_t)(page * PAGE_BYTES)));
    } else {
        long got = BOTH(process, pread(slot->direct[side], process->buffers[side], length, (off_t)(page * PAGE_BYTES)));
        if (got > 0)
            same_bytes(process, process->buffers[PLAIN], process->buffers[MOUNT], (size_t)got, page * PAGE_BYTES);
    }
    look(process, slot);
}

static void do_sync(struct process *process, struct slot *slot)
{
    bool data_only = next_random(process) % 2 == 0;
    remember(process, "fsync", slot, 0, 0, data_only);
    /* What the plain directory has on the disk is not what is tried here. */
    if ((data_only ? fdatasync(slot->fds[MOUNT]) : fsync(slot->fds[MOUNT])) != 0)
        fail(process, "fsync", 0, (uint64_t)errno);
    slot->stored = false;
}

static void do_drop(struct process *process, struct slot *slot)
{
    uint64_t offset = next_random(process) % 2 == 0 ? 0 : any_offset(process, slot);
    remember(process, "drop caches", slot, offset, 0, 0);
    int error = posix_fadvise(slot->fds[MOUNT], (off_t)offset, 0, POSIX_FADV_DONTNEED);
    if (error != 0)
        fail(process, "posix_fadvise", 0, (uint64_t)error);
}

static void do_look(struct process *process, struct slot *slot)
{
    remember(process, "fstat", slot, 0, 0, 0);
    uint64_t expected = slot->size;
    look(process, slot);
    if (slot->size != expected)
        fail(process, "the size changed by itself", expected, slot->size);
}

/* The file takes the name of another, which lives on for a moment without one. */
static void do_replace(struct process *process, struct slot *slot)
{
    struct slot *victim = &process->slots[next_random(process) % SLOTS];
    char from[SIDES][4096];
    char to[SIDES][4096];
    if (victim == slot)
        return;
    remember(process, "rename over", victim, slot->id, 0, 0);
    remember(process, "rename", slot, victim->id, 0, 0);
    for (enum side side = PLAIN; side < SIDES; side++) {
        (void)path_of(process, side, slot->name, from[side]);
        (void)path_of(process, side, victim->name, to[side]);
    }
    (void)BOTH(process, rename(from[side], to[side]));
    do_read(process, victim);
    do_write(process, victim);
    do_read(process, victim);
    look(process, victim);
    close_slot(process, victim);
    /* The descriptors go with the file; the freed name gets a new one. */
    struct slot moved = *slot;
    memcpy(moved.name, victim->name, sizeof moved.name);
    *victim = moved;
    slot->map[PLAIN] = slot->map[MOUNT] = NULL;
    open_slot(process, slot, O_RDWR | O_CREAT | O_EXCL);
    look(process, slot);
    look(process, victim);
}

static void do_exchange(struct process *process, struct slot *slot)
{
    struct slot *other = &process->slots[next_random(process) % SLOTS];
    char from[SIDES][4096];
    char to[SIDES][4096];
    if (other == slot)
        return;
    remember(process, "exchange", other, slot->id, 0, 0);
    remember(process, "exchange", slot, other->id, 0, 0);
    for (enum side side = PLAIN; side < SIDES; side++) {
        (void)path_of(process, side, slot->name, from[side]);
        (void)path_of(process, side, other->name, to[side]);
    }
    (void)BOTH(process, renameat2(AT_FDCWD, from[side], AT_FDCWD, to[side], RENAME_EXCHANGE));
    struct slot copy = *slot;
    *slot = *other;
    *other = copy;
    memcpy(other->name, slot->name, sizeof other->name);
    memcpy(slot->name, copy.name, sizeof slot->name);
}

static void do_link(struct process *process, struct slot *slot)
{
    char from[SIDES][4096];
    char to[SIDES][4096];
    char name[48];
    (void)snprintf(name, sizeof name, "%s.link", slot->name);
    remember(process, "link", slot, 0, 0, 0);
    for (enum side side = PLAIN; side < SIDES; side++) {
        (void)path_of(process, side, slot->name, from[side]);
        (void)path_of(process, side, name, to[side]);
    }
    (void)BOTH(process, link(from[side], to[side]));
    look(process, slot);
    (void)BOTH(process, truncate(to[side], (off_t)(slot->size / 2)));
    (void)BOTH(process, unlink(to[side]));
    look(process, slot);
}

static void do_unlink(struct process *process, struct slot *slot)
{
    char path[4096];
    remember(process, "unlink", slot, 0, 0, 0);
    (void)BOTH(process, unlink(path_of(process, side, slot->name, path)));
    do_write(process, slot);
    do_read(process, slot);
    look(process, slot);
    close_slot(process, slot);
    open_slot(process, slot, O_RDWR | O_CREAT | O_EXCL);
    look(process, slot);
}

static const struct {
    unsigned weight;
    void (*run)(struct process *process, struct slot *slot);
} operations[] = {
    {220, do_read},
    {200, do_write},
    {40, do_append},
    {90, do_load},
    {90, do_store},
    {15, do_msync},
    {10, do_unmap},
    {60, do_truncate},
    {60, do_allocate},
    {40, do_copy},
    {40, do_reopen},
    {50, do_direct},
    {3, do_sync},
    {60, do_drop},
    {30, do_look},
    {8, do_replace},
    {6, do_exchange},
    {6, do_link},
    {5, do_unlink},
};

void file_operation(struct process *process)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        total += operations[i].weight;
    unsigned at = (unsigned)(next_random(process) % total);
    size_t choice = 0;
    while (at >= operations[choice].weight)
        at -= operations[choice++].weight;
    operations[choice].run(process, &process->slots[next_random(process) % SLOTS]);
}

void slots_open(struct process *process)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &process->slots[i];
        (void)snprintf(slot->name, sizeof slot->name, "process-%u-file-%u", process->number, i);
        open_slot(process, slot, O_RDWR | O_CREAT | O_EXCL);
    }
}

/* Reads every file whole, by descriptors and anew by name. */
void slots_close(struct process *process)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &process->slots[i];
        for (int pass = 0; pass < 2; pass++) {
            remember(process, "read at the end", slot, 0, process->file_bytes, (uint64_t)pass);
            look(process, slot);
            long got = BOTH(process, pread(slot->fds[side], process->buffers[side], process->file_bytes, 0));
            if (got > 0)
                same_bytes(process, process->buffers[PLAIN], process->buffers[MOUNT], (size_t)got, 0);
            close_slot(process, slot);
            if (pass == 0)
                open_slot(process, slot, O_RDWR);
        }
    }
}
