/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_move.h - what the verbs share by which clients are saved, restored and moved to another daemon.
 *
 * Two daemons that move a client between them have one descriptor each of a connection. From the source comes a stream
 * (docs/save-format.md); then each says a line of JSON in turn: the target `{"ready":true}` when all was there and
 * whole, the source `{"go":true}`, the target `{"done":true,...}` when the client can be found there. Instead of its
 * line each may say `{"error":TEXT}`. Until the source has read the last line the client is its own, and goes on there.
 */
#ifndef TM_DAEMON_CONTROL_MOVE_H
#define TM_DAEMON_CONTROL_MOVE_H

#include "daemon/control_verb.h"
#include "daemon/transfer.h"
#include "save/save.h"

/* How long the other daemon's line may take, and a stalled one keeps a client standing still. */
#define TM_MOVE_LINE_NS (10u * TM_SECOND_NS)

/* tm_move_begin - takes the descriptor that came along, or two, to read from and to write to. False: none did. */
bool tm_move_begin(struct tm_transfer *transfer, struct tm_control_call *call);

/* What the bytes are. */
struct tm_move_format {
    bool is_xen; /* the original's, and not docs/save-format.md */
    enum tm_xen_stream generation;
    uint32_t marker;
};

/* tm_move_format - what the question's field `format` says; without it the own. NULL, or an error for the answer. */
json_t *tm_move_format(const struct tm_control_call *call, struct tm_move_format *format);

/* tm_move_marker - what the field `marker` says, 32 bits, or @usual. False: it says more. */
bool tm_move_marker(const struct tm_control_call *call, uint32_t usual, uint32_t *marker);

/* tm_move_save_live - the verb `save` with `live`, which `save-extra` and `save-done` follow (control_live.c). */
tm_control_function tm_move_save_live;

/* tm_move_say - send an object as a line; it is consumed. False: it could not be sent. */
bool tm_move_say(struct tm_transfer *transfer, json_t *line);

/*
 * tm_move_hear - the other side's next line, to be given back by json_decref(). NULL: none came, or it says what is
 * wrong; @text tells.
 */
json_t *tm_move_hear(struct tm_transfer *transfer, const char *expected, char *text, size_t text_size);

#endif
