/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keep.h - what outlives the daemon: the memory file with persistent pages and the listening socket, held by the
 * service manager or the keeper (keeper.h) and passed to the next daemon.
 *
 * Invariants: the memory file is in the holder's hands before the first page is stored in it. What was passed and is
 * not understood is not touched.
 *
 * Who locks: nobody; it belongs to the main thread.
 */
#ifndef TM_DAEMON_KEEP_H
#define TM_DAEMON_KEEP_H

#include "base/base.h"

/* What the descriptors are called, and a variable in the environment of who has a keeper. */
#define TM_KEEP_ARENA "tmem-arena"
#define TM_KEEP_DOOR "tmem-door"
#define TM_KEEP_MOVED "tmem-moved"
#define TM_KEEP_VARIABLE "TMEM_KEEPER"

struct tm_keep {
    int listener;  /* a socket that listens, for this process, or -1 */
    int arena;     /* the memory file, or -1 */
    int door;      /* the socket to listen at that is kept, or -1 */
    int moved;     /* a memory file about clients that went elsewhere (forward.h), or -1 */
    bool is_found; /* the memory file is that of a daemon before */
    bool is_held;  /* and somebody holds it for the next one */
};

/*
 * tm_keep_take - what was passed to this process; asked once, before there are threads.
 *
 * False: it makes no sense; @text says why, and what to do.
 */
bool tm_keep_take(struct tm_keep *keep, char *text, size_t text_size);

/*
 * tm_keep_begin - see to it that there is a memory file, and that who keeps descriptors has it.
 *
 * False: the kernel gives none. @text: why; or, where the result is true, why nobody holds it, or empty.
 */
bool tm_keep_begin(struct tm_keep *keep, char *text, size_t text_size);

/* tm_keep_door - the next daemon shall have this socket, instead of what was kept as such. */
void tm_keep_door(struct tm_keep *keep, int socket);

/* tm_keep_nothing - nobody shall go on with what there is; when this returns, nobody holds it. */
void tm_keep_nothing(struct tm_keep *keep);

/* What becomes of the pages when this daemon ends. */
enum tm_keep_fate {
    TM_KEEP_LOST,
    TM_KEEP_BY_KEEPER, /* the next daemon finds them */
    TM_KEEP_BY_MANAGER /* the next one does after a restart, but not after a stop */
};
enum tm_keep_fate tm_keep_fate(const struct tm_keep *keep);

/* tm_keep_end - closes what there is here. */
void tm_keep_end(struct tm_keep *keep);

#endif
