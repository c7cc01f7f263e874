/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters.h - what the mount has done, counted since it began.
 *
 * Each is a sum that any thread adds to, without order among them. What the kernel answered from its
 * own page cache never reaches this process and is not counted.
 */
#ifndef TM_FUSE_COUNTERS_H
#define TM_FUSE_COUNTERS_H

#include "command/command.h"

#define TM_COUNTERS(X)                                                                \
    X(reads)              /* read requests of the kernel */                           \
    X(pages_from_store)   /* pages asked for and found */                             \
    X(pages_from_disk)    /* pages asked for and read from DIR */                     \
    X(pages_ahead)        /* pages read from DIR beyond what was asked for */         \
    X(disk_reads)         /* read calls on DIR */                                     \
    X(disk_bytes)         /* that they transferred */                                 \
    X(disk_errors)        /* that failed */                                           \
    X(puts)               /* pages offered to the store */                            \
    X(puts_stored)        /* of them, taken */                                        \
    X(pages_not_put)      /* read, but of a file that was changing */                 \
    X(writes)             /* write requests of the kernel */                          \
    X(write_bytes)        /* that they wrote */                                       \
    X(reads_waited)       /* requests that found their pages being read by another */ \
    X(opens)              /* of files */                                              \
    X(opens_kept)         /* of them, the kernel kept its own cache of the file */    \
    X(lookups)            /* of names */                                              \
    X(lookups_remembered) /* of them, answered without DIR */                         \
    X(files_changed)      /* files found changed on DIR */                            \
    X(watch_events)       /* changes that the kernel reported */                      \
    X(watch_own)          /* of them, made by the mount itself */                     \
    X(watch_files)        /* known files that the kernel was told have changed */     \
    X(watch_names)        /* names that it was told have changed */                   \
    X(watch_repeats)      /* readings of reports that were worked off twice */        \
    X(watch_overflows)    /* times that reports were lost */

struct tm_counters {
#define TM_COUNTER(name) uint64_t name;
    TM_COUNTERS(TM_COUNTER)
#undef TM_COUNTER
};

static inline void tm_count(uint64_t *counter, uint64_t amount)
{
    __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

static inline uint64_t tm_counted(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
