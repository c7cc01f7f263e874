/* SPDX-License-Identifier: BSD-2-Clause */
/* watch_kind.h - what a way of having changes reported must supply; for watch*.c only. */
#ifndef TM_FUSE_WATCH_KIND_H
#define TM_FUSE_WATCH_KIND_H

#include "behind.h"

struct tm_watch_kind {
    const char *name;
    bool complete; /* sees every change on a filesystem that allows it */

    /* Begins to watch DIR. A descriptor that is read without waiting, or minus the errno. */
    int (*open)(struct tm_mount *mount);

    /* Works off what was read from it. False: it is not understood, and changes may be missed. */
    bool (*handle)(struct tm_behind *pass, const unsigned char *reports, size_t length);
};

extern const struct tm_watch_kind tm_watch_by_fanotify;
extern const struct tm_watch_kind tm_watch_by_inotify;

/* watch_inotify.c: what begins and ends with the mount, whatever the kind. */
void tm_watched_init(struct tm_watched *watched);
void tm_watched_fini(struct tm_watched *watched);

/* tm_watched_add - tm_watch_directory() for inotify. */
void tm_watched_add(struct tm_mount *mount, struct tm_node *directory, int fd);

/* tm_watched_refused - directories that have no watch because none was to be had. */
uint64_t tm_watched_refused(struct tm_watched *watched);

#endif
