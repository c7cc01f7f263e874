/* SPDX-License-Identifier: BSD-2-Clause */
/* behind.c - files that change in DIR, behind MNT's back, while they are read and written through MNT. */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void name_of(char path[static 4096], const char *root, uint64_t file, const char *suffix)
{
    (void)snprintf(path, 4096, "%s/changing-%u%s", root, (unsigned)(file % BEHIND_FILES), suffix);
}

#define CHANGE_BYTES 60000u

static unsigned char bytes[CHANGE_BYTES];

static void change_one(const char *dir, struct process *process)
{
    char path[4096];
    char other[4096];
    uint64_t word = next_random(process);
    name_of(path, dir, word >> 8, "");
    name_of(other, dir, word >> 16, word % 8 == 0 ? ".new" : "");
    memset(bytes, (int)(word >> 24 & 255), sizeof bytes);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    switch (word % 8) {
    case 0:
        (void)rename(path, other);
        (void)rename(other, path);
        break;
    case 1:
        (void)unlink(path);
        break;
    case 2:
        (void)ftruncate(fd, (off_t)(word >> 32 & 65535));
        break;
    case 3:
        (void)rename(path, other);
        break;
    default:
        (void)pwrite(fd, bytes, 1 + (size_t)(word >> 40) % sizeof bytes, (off_t)(word >> 32 & 65535));
    }
    (void)close(fd);
}

void change_behind(const char *dir, uint64_t seed, const int *stop)
{
    struct process changer = {.random = seed};
    while (__atomic_load_n(stop, __ATOMIC_RELAXED) == 0) {
        change_one(dir, &changer);
        (void)usleep((useconds_t)(next_random(&changer) % 2000));
    }
}

void touch_changing(struct process *process)
{
    char path[4096];
    uint64_t word = next_random(process);
    name_of(path, process->roots[MOUNT], word >> 8, "");
    remember(process, "a changing file", NULL, 0, 0, word % 4);
    int fd = open(path, (word % 4 == 0 ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0644);
    if (fd < 0) {
        /* It may have gone; or it changes faster than an open finds it. */
        if (errno != ENOENT && errno != ESTALE)
            fail(process, "opening a changing file", 0, (uint64_t)errno);
        return;
    }
    ssize_t got = word % 4 == 0 ? pwrite(fd, "written through MNT", 19, (off_t)(word >> 32 & 65535))
                                : pread(fd, bytes, sizeof bytes, (off_t)(word >> 32 & 65535));
    /* Removed in DIR it may be gone for those who have it open in MNT, too. */
    if (got < 0 && errno != ESTALE)
        fail(process, "a changing file", word % 4, (uint64_t)errno);
    (void)close(fd);
}
