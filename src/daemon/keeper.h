/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keeper.h - a tiny parent of the daemon, where no service manager does it: it holds the descriptors that the daemon
 * gives it (keep.h), starts the daemon again when it has ended, whyever, and passes them to the next one.
 *
 * To the daemon it looks like a service manager: NOTIFY_SOCKET, LISTEN_FDS. It uses no memory of its own, does nothing
 * but wait, and reads no page, so there is little that could end it. Should it be killed, the daemon serves on.
 *
 * SIGTERM and SIGINT end the daemon for good, and then the keeper; SIGHUP is passed on. A daemon that is sent SIGTERM
 * itself is followed by the next: so a new version of the program takes over.
 */
#ifndef TM_DAEMON_KEEPER_H
#define TM_DAEMON_KEEPER_H

#include "command/command.h"

/*
 * tm_keeper_run - be the keeper of daemons that are started with these arguments, until told to end.
 *
 * @arguments  of this program, ended by NULL. A daemon sees by TM_KEEP_VARIABLE that it is one, and not a keeper.
 * @ready      where to write one byte when the first one serves, or -1.
 *
 * Returns what the first daemon ended with if it never served, else TM_EXIT_OK after a signal; TM_EXIT_FAILED, with a
 * message, when it cannot begin.
 */
enum tm_exit tm_keeper_run(char **arguments, int ready);

#endif
