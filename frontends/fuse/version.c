/* SPDX-License-Identifier: BSD-2-Clause */
/* version.c - which content of a file a page belongs to. */
#include "version.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SETTLED_NS INT64_C(2000000000)
#define NS_PER_SECOND INT64_C(1000000000)

/* The 128-bit product, folded: every bit of both factors reaches every bit of the result. */
static uint64_t fold_multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

int tm_version_key_init(struct tm_version_key *key)
{
    unsigned char *at = (unsigned char *)key->word;
    size_t left = sizeof key->word;
    while (left > 0) {
        ssize_t drawn = getrandom(at, left, 0);
        if (drawn < 0 && errno != EINTR)
            return errno;
        if (drawn > 0) {
            at += drawn;
            left -= (size_t)drawn;
        }
    }
    /* Odd factors lose nothing when they multiply. */
    for (size_t i = 0; i < TM_ARRAY_SIZE(key->word); i++)
        key->word[i] |= 1u;
    return 0;
}

/* One step of a lane: the word enters before the multiplication, the key after. */
static uint64_t mix(uint64_t lane, uint64_t word, uint64_t factor, uint64_t offset)
{
    return fold_multiply(lane ^ word, factor) + offset + word;
}

uint64_t tm_version_hash(const struct tm_version_key *key, uint64_t device, uint64_t inode, const void *handle,
                         size_t handle_bytes)
{
    const unsigned char *bytes = handle;
    uint64_t lane = mix(key->word[0], device, key->word[1], key->word[2]);
    lane = mix(lane, inode, key->word[1], key->word[3]);
    for (size_t at = 0; at < handle_bytes; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, tm_min_u64(sizeof word, handle_bytes - at));
        lane = mix(lane, word, key->word[1], key->word[2]);
    }
    return fold_multiply(lane ^ handle_bytes, key->word[3]);
}

/* Since the epoch. Files may have times that 64 bits have no room for: those are the last there is. */
static int64_t nanoseconds_of(const struct timespec *time)
{
    int64_t seconds = time->tv_sec;
    if (seconds >= INT64_MAX / NS_PER_SECOND)
        return INT64_MAX;
    if (seconds <= INT64_MIN / NS_PER_SECOND)
        return INT64_MIN;
    return seconds * NS_PER_SECOND + time->tv_nsec;
}

struct tm_version tm_version_of(const struct tm_version_key *key, uint64_t hash, const struct stat *status)
{
    const uint64_t words[] = {
        hash,
        (uint64_t)status->st_size,
        (uint64_t)status->st_mtim.tv_sec,
        (uint64_t)status->st_ctim.tv_sec,
        (uint64_t)status->st_mtim.tv_nsec << 32 | (uint64_t)status->st_ctim.tv_nsec,
    };
    struct tm_version version = {
        .word = {key->word[2], key->word[3]},
        .size_bytes = (uint64_t)status->st_size,
        .changed_ns = nanoseconds_of(&status->st_ctim),
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(words); i++) {
        version.word[0] = mix(version.word[0], words[i], key->word[0], key->word[1]);
        version.word[1] = mix(version.word[1], words[i], key->word[3], key->word[2]);
    }
    return version;
}

bool tm_version_settled(const struct tm_version *version, int64_t now_ns)
{
    return version->changed_ns <= now_ns - SETTLED_NS;
}

int64_t tm_version_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}
