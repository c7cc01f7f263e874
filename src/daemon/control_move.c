/* SPDX-License-Identifier: BSD-2-Clause */
/* control_move.c - see control_move.h. */
#include "daemon/control_move.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096u

bool tm_move_begin(struct tm_transfer *transfer, struct tm_control_call *call)
{
    transfer->from = tm_control_take_descriptor(call, 0);
    transfer->to = tm_control_take_descriptor(call, 1);
    if (transfer->to < 0)
        transfer->to = transfer->from;
    return transfer->from >= 0;
}

json_t *tm_move_format(const struct tm_control_call *call, struct tm_move_format *format)
{
    const char *name = tm_control_text(call, "format");
    *format = (struct tm_move_format){.is_xen = name != NULL && strcmp(name, "tmem") != 0};
    if (!format->is_xen || strcmp(name, "xen") == 0 || strcmp(name, "xen-4.0") == 0)
        return NULL;
    format->generation = TM_XEN_STREAM_48;
    if (strcmp(name, "xen-4.8") == 0)
        return NULL;
    return tm_control_error(TMEM_INVALID, "format '%.64s' is not known (try: tmem, xen-4.0, or xen-4.8)", name);
}

bool tm_move_say(struct tm_transfer *transfer, json_t *line)
{
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    bool done = text != NULL && tm_transfer_write(transfer, text, strlen(text)) && tm_transfer_write(transfer, "\n", 1);
    free(text);
    return done;
}

json_t *tm_move_hear(struct tm_transfer *transfer, const char *expected, char *text, size_t text_size)
{
    char line[LINE_BYTES];
    size_t length = 0;
    while (length < sizeof line && tm_transfer_read(transfer, &line[length], 1) == 1 && line[length] != '\n')
        length++;
    bool is_whole = length < sizeof line && length > 0 && line[length] == '\n';
    json_t *heard = is_whole ? json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_true(json_object_get(heard, expected)))
        return heard;
    const char *error = json_string_value(json_object_get(heard, "error"));
    snprintf(text, text_size, "%s", error != NULL ? error : "nothing answered at the other end");
    json_decref(heard);
    return NULL;
}
