/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forward.h - clients that went to another daemon on this machine: who shows the token of one is told where it is, also
 * by the next daemon, if somebody keeps the memory file for it (keep.h).
 *
 * Who locks: a mutex of its own.
 */
#ifndef TM_DAEMON_FORWARD_H
#define TM_DAEMON_FORWARD_H

#include "daemon/daemon.h"
#include "wire/message.h"

/* So many are remembered, and for so long; the oldest is forgotten first. */
#define TM_FORWARDS_MAX 1024u
#define TM_FORWARD_SECONDS 3600u

struct tm_forwards;

/* tm_token_is - takes the same time wherever they differ: nobody finds out a token byte by byte. */
bool tm_token_is(const struct tm_wire_token *token, const struct tm_wire_token *shown);

/*
 * tm_forwards_create - remember in a memory file, in which the daemon before may have left some; -1, or one that is not
 * understood, which is not touched: in memory that ends with this process. NULL: no memory.
 */
struct tm_forwards *tm_forwards_create(int file);
void tm_forwards_destroy(struct tm_forwards *forwards);

/* tm_forwards_add - from now on who shows the token is sent to @path, shorter than TM_WIRE_PATH_BYTES. */
void tm_forwards_add(struct tm_forwards *forwards, const struct tm_wire_token *token, const char *path);

/* tm_forwards_forget - the client is back: it is sent nowhere. */
void tm_forwards_forget(struct tm_forwards *forwards, const struct tm_wire_token *token);

/* tm_forwards_find - true: @path is where the client went. */
bool tm_forwards_find(struct tm_forwards *forwards, const struct tm_wire_token *token,
                      char path[static TM_WIRE_PATH_BYTES]);

#endif
