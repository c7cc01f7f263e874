/* SPDX-License-Identifier: BSD-2-Clause */
/* shared.c - operations on slices of a file in which other processes work at the same time. */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHARED_BYTES (SLICES * SLICE_BYTES)

void shared_open(struct process *process)
{
    for (enum side side = PLAIN; side < SIDES; side++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/shared", process->roots[side]);
        int fd = process->shared[side] = open(path, O_RDWR | O_CLOEXEC);
        void *at = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd < 0 || at == MAP_FAILED)
            fail(process, "cannot open or map the shared file", (uint64_t)side, (uint64_t)errno);
        process->shared_map[side] = at;
    }
}

void shared_close(struct process *process)
{
    for (enum side side = PLAIN; side < SIDES; side++) {
        (void)munmap(process->shared_map[side], SHARED_BYTES);
        (void)close(process->shared[side]);
    }
}

static void move_bytes(struct process *process, enum side side, bool by_map, bool out, size_t length, uint64_t offset)
{
    unsigned char *buffer = process->buffers[side];
    unsigned char *mapped = process->shared_map[side] + offset;
    ssize_t done = (ssize_t)length;
    errno = 0;
    if (by_map)
        memcpy(out ? mapped : buffer, out ? buffer : mapped, length);
    else if (out)
        done = pwrite(process->shared[side], buffer, length, (off_t)offset);
    else
        done = pread(process->shared[side], buffer, length, (off_t)offset);
    if (done != (ssize_t)length)
        fail(process, "a slice", (uint64_t)done, (uint64_t)errno);
}

void shared_operation(struct process *process)
{
    uint64_t slice = next_random(process) % (SLICES / process->processes) * process->processes + process->number;
    uint64_t from = next_random(process) % SLICE_BYTES;
    size_t length = (size_t)any_size(process, SLICE_BYTES - from);
    uint64_t offset = slice * SLICE_BYTES + from;
    uint64_t word = next_random(process);
    bool by_map = word % 2 == 0;
    switch (word >> 8 & 15) {
    case 0:
        remember(process, "shared, drop caches", NULL, 0, 0, 0);
        (void)posix_fadvise(process->shared[MOUNT], 0, 0, POSIX_FADV_DONTNEED);
        return;
    case 1:
        remember(process, "shared, msync", NULL, 0, 0, 0);
        if (msync(process->shared_map[MOUNT], SHARED_BYTES, MS_ASYNC) != 0)
            fail(process, "msync", 0, (uint64_t)errno);
        return;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        remember(process, by_map ? "shared, store" : "shared, write", NULL, offset, length, slice);
        for (enum side side = PLAIN; side < SIDES; side++) {
            memset(process->buffers[side], (int)(word >> 16 & 255), length);
            memcpy(process->buffers[side], &word, length < sizeof word ? length : sizeof word);
            move_bytes(process, side, by_map, true, length, offset);
        }
        return;
    default:
        remember(process, by_map ? "shared, load" : "shared, read", NULL, offset, length, slice);
        for (enum side side = PLAIN; side < SIDES; side++)
            move_bytes(process, side, by_map, false, length, offset);
        same_bytes(process, process->buffers[PLAIN], process->buffers[MOUNT], length, offset);
    }
}
