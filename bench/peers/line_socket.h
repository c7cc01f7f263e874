/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line_socket.h - a unix socket to a server whose answers are lines, and bytes behind some of them.
 */
#ifndef TM_BENCH_PEERS_LINE_SOCKET_H
#define TM_BENCH_PEERS_LINE_SOCKET_H

#include "peer.h"

/* More than a page with what the protocols put around it. */
#define LINE_SOCKET_ROOM (2u * TM_PAGE_BYTES)

struct line_socket {
    int fd;
    size_t from; /* what has come and was not read yet */
    size_t to;
    char room[LINE_SOCKET_ROOM];
};

/* line_socket_open - connects to @path. */
bool line_socket_open(struct line_socket *socket, const char *path);
void line_socket_close(struct line_socket *socket);

/* line_socket_send - a request of at most three parts, in one system call; those without bytes are legal. */
bool line_socket_send(struct line_socket *socket, const char *head, const void *bytes, size_t size, const char *tail);

/* line_socket_line - the next line of the answer without its CR LF; valid until the next call. NULL after a
 * message. */
const char *line_socket_line(struct line_socket *socket);

/* line_socket_expect - the next line has to be this one. */
bool line_socket_expect(struct line_socket *socket, const char *expected);

/* line_socket_bytes - the next @size bytes. */
bool line_socket_bytes(struct line_socket *socket, void *bytes, size_t size);

#endif
