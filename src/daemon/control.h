/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the operators' socket: who may ask, and the threads that answer.
 *
 * One JSON object a line asks, one or more lines answer (docs/control-protocol.md). A thread listens; each connection
 * has a thread of its own, which may take its time and may wait for whom it talks to: none of them serves clients of
 * the store, and none holds a lock that those need over anything that takes long.
 *
 * Bounded: connections, bytes of a line, descriptors that come along, and the time that half a line or an answer that
 * is not taken may stay so.
 */
#ifndef TM_DAEMON_CONTROL_H
#define TM_DAEMON_CONTROL_H

#include "daemon/daemon.h"

/* Most connections at once, and the longest line that asks. */
#define TM_CONTROL_CONNECTIONS 64u
#define TM_CONTROL_LINE_BYTES 65536u

/*
 * tm_control_create - listen where the configuration says, else at control.sock beside @socket, and answer.
 *
 * @text  receives what is wrong and what to do, where NULL is returned.
 */
struct tm_control *tm_control_create(const struct tm_daemon *daemon, const char *socket, char *text, size_t text_size);

/* tm_control_answer_all - answer who is connected by @socket, in this thread, until there are no more questions; closes
 * it. False: no memory, and it is open. For who lets operators in by himself. */
bool tm_control_answer_all(const struct tm_daemon *daemon, int socket);

/* tm_control_destroy - nobody is answered any more when it returns. NULL is legal. */
void tm_control_destroy(struct tm_control *control);

#endif
