/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - the threads that serve requests, and the buffer that each of them has.
 *
 * A fixed number of them, made before the mount answers anything: serving a read allocates no memory.
 * A buffer's pages cost memory once they were used.
 */
#ifndef TM_FUSE_WORKER_H
#define TM_FUSE_WORKER_H

#include "mount.h"

/* What one request has to work with. */
struct tm_buffer {
    unsigned char *bytes; /* aligned to pages */
    size_t pages;
    struct tmem_io *io; /* as many entries */
};

struct tm_workers {
    struct tm_mount *mount;
    unsigned count;
    unsigned running; /* atomic */
    int ended;        /* an eventfd: readable when none is running any more */
    struct tm_worker *list;
};

/*
 * tm_workers_start - start serving. TM_EXIT_OK, or a code after a message; no thread runs then.
 */
enum tm_exit tm_workers_start(struct tm_workers *workers, struct tm_mount *mount) TM_MUST_USE;

/* tm_workers_join - wait for all workers, which end when the mount has ended, and free them. */
void tm_workers_join(struct tm_workers *workers);

/* tm_worker_buffer - the buffer of the calling worker. */
struct tm_buffer *tm_worker_buffer(void);

#endif
