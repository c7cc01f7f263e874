/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * version.h - which content of a file a page belongs to.
 *
 * A version is a keyed 128-bit hash of what identifies the file and of what changes with its content:
 * size, modification and change time to the nanosecond. It is part of the name under which pages are
 * stored, so pages of an older version are never found for a newer one, whatever else goes wrong, and
 * a file that was forgotten and is met again unchanged finds its pages.
 *
 * Times tell two contents apart only if the clock moved on between them: see tm_version_settled().
 */
#ifndef TM_FUSE_VERSION_H
#define TM_FUSE_VERSION_H

#include "command/command.h"

#include <sys/stat.h>

struct tm_version {
    uint64_t word[2];
    uint64_t size_bytes;
    int64_t changed_ns; /* the change time, since the epoch */
};

/* The secret of this process: nobody outside can make two files' versions collide. */
struct tm_version_key {
    uint64_t word[4];
};

/* tm_version_key_init - draw the key. 0, or the errno. */
int tm_version_key_init(struct tm_version_key *key) TM_MUST_USE;

/* tm_version_hash - the keyed hash of a file's identity, to find it in a table. */
uint64_t tm_version_hash(const struct tm_version_key *key, uint64_t device, uint64_t inode, const void *handle,
                         size_t handle_bytes);

/* tm_version_of - the version that @status tells for the file of identity @hash. */
struct tm_version tm_version_of(const struct tm_version_key *key, uint64_t hash, const struct stat *status);

static inline bool tm_version_equal(const struct tm_version *a, const struct tm_version *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/*
 * tm_version_settled - true when any later change of the file must show in its times: the last one is
 * longer ago than clocks of filesystems are coarse (two seconds at worst) and than one write call
 * takes. What is read before that is not kept.
 *
 * @now_ns  since the epoch, taken before the bytes are read.
 */
bool tm_version_settled(const struct tm_version *version, int64_t now_ns);

/* tm_version_now_ns - the time of day in nanoseconds, as file times are taken from. */
int64_t tm_version_now_ns(void);

#endif
