/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * door.h - the listening socket: where it is, that nobody else listens there, and what comes in.
 *
 * Invariants: what is at the socket's path is replaced only when it is a socket that nobody listens to. Beside it lies
 * PATH.lock, locked for as long as the daemon runs, so that of two that start at once one is first.
 *
 * Who locks: nobody; it belongs to the main thread.
 */
#ifndef TM_DAEMON_DOOR_H
#define TM_DAEMON_DOOR_H

#include "daemon/config.h"

/* What kind of door: where a client comes in, or where operators do. */
struct tm_door_kind {
    int type;           /* SOCK_... */
    uint32_t mode;      /* permissions; who comes in is judged as well */
    const char *group;  /* whose the socket is, if there is such a group; or NULL */
    const char *remedy; /* "choose another place with ..." */
};
extern const struct tm_door_kind tm_door_for_clients;

struct tm_door {
    const struct tm_door_kind *kind;
    int socket;
    int lock;     /* -1: the socket came from outside */
    bool is_ours; /* to remove at the end */
    bool goes_on; /* it is the socket of the daemon before */
    char path[TM_SOCKET_PATH_SIZE];
};

/*
 * tm_door_default_path - /run/tmem/tmemd.sock as root, $XDG_RUNTIME_DIR/tmem/tmemd.sock for others. False: there is no
 * such directory, or its name is too long.
 */
bool tm_door_default_path(char path[static TM_SOCKET_PATH_SIZE]);

/*
 * tm_door_open - listen at @path; its directory is made where only that is missing.
 *
 * @text  receives what is wrong and what to do, where the result is false.
 */
bool tm_door_open(struct tm_door *door, const struct tm_door_kind *kind, const char *path, char *text,
                  size_t text_size);

/*
 * tm_door_open_again - the same, with a socket that a daemon before has made and that listened all the time: who came
 * meanwhile waits there. Where @socket is another, or not at @path any more, it is closed and a new one made.
 */
bool tm_door_open_again(struct tm_door *door, const struct tm_door_kind *kind, int socket, const char *path,
                        char *text, size_t text_size);

/* tm_door_adopt - use a socket that listens already; false, with a text, when it is none of the right kind. */
bool tm_door_adopt(struct tm_door *door, int socket, char *text, size_t text_size);

/* tm_door_close - and remove the socket, if it is the one that was made, unless the next daemon goes on with it. */
void tm_door_close(struct tm_door *door, bool goes_on);

#endif
