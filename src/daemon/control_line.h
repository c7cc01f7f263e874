/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_line.h - one operator's connection: lines in, with descriptors, and lines out.
 *
 * Who locks: nobody; it belongs to its thread. Only tm_control_line_cut() is for others.
 */
#ifndef TM_DAEMON_CONTROL_LINE_H
#define TM_DAEMON_CONTROL_LINE_H

#include "daemon/control.h"

#define TM_CONTROL_DESCRIPTORS 8u

struct tm_control_line {
    int socket;
    bool is_cut; /* told to end */
    size_t bytes;
    size_t used; /* of them, the line that was returned last */
    unsigned descriptor_count;
    int descriptors[TM_CONTROL_DESCRIPTORS]; /* that came with it; -1: taken */
    char input[TM_CONTROL_LINE_BYTES + 1u];
};

enum tm_control_heard {
    TM_CONTROL_HEARD_LINE,
    TM_CONTROL_HEARD_END,      /* hung up, cut, or nothing more is to be said */
    TM_CONTROL_HEARD_TOO_LONG, /* the line does not fit */
    TM_CONTROL_HEARD_HALF,     /* the rest of a line did not come in time */
    TM_CONTROL_HEARD_TOO_MANY, /* descriptors */
};

/* Takes over @socket. */
void tm_control_line_init(struct tm_control_line *line, int socket);
void tm_control_line_fini(struct tm_control_line *line);

/* The next line, without its end, in @text until the next call; waits for it. Descriptors of the one before are closed.
 */
enum tm_control_heard tm_control_line_next(struct tm_control_line *line, const char **text, size_t *bytes);

/* Sends @bytes; waits a while for who takes them slowly. False: he does not take them, or is gone. */
bool tm_control_line_send(struct tm_control_line *line, const char *text, size_t bytes);

/* True: nobody has hung up, and it was not cut. */
bool tm_control_line_is_open(const struct tm_control_line *line);

/* Makes it end, also from another thread, which knows that it is not being ended by its own. */
void tm_control_line_cut(struct tm_control_line *line);

#endif
