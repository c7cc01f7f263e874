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
    static const struct {
        const char *name;
        enum tm_xen_stream generation;
    } formats[] = {{"xen", TM_XEN_STREAM_ANY}, {"xen-4.0", TM_XEN_STREAM_40}, {"xen-4.8", TM_XEN_STREAM_48}};
    *format = (struct tm_move_format){.is_xen = name != NULL && strcmp(name, "tmem") != 0};
    if (!tm_move_marker(call, TM_XEN_MARKER, &format->marker))
        return tm_control_error(TMEM_INVALID, "field 'marker': expected 32 bits, such as 4294967291 for -5");
    if (!format->is_xen && (tm_control_has(call, "marker") || tm_control_has(call, "live") ||
                            tm_control_has(call, "part")))
        return tm_control_error(TMEM_INVALID, "'marker', 'live' and 'part' are of the original's formats (add: "
                                              "\"format\":\"xen\")");
    if (!format->is_xen)
        return NULL;
    for (size_t i = 0; i < TM_ARRAY_SIZE(formats); i++)
        if (strcmp(formats[i].name, name) == 0) {
            format->generation = formats[i].generation;
            return NULL;
        }
    return tm_control_error(TMEM_INVALID, "format '%.64s' is not known (try: tmem, xen, xen-4.0, or xen-4.8)", name);
}

bool tm_move_marker(const struct tm_control_call *call, uint32_t usual, uint32_t *marker)
{
    uint64_t number = usual;
    (void)tm_control_number(call, "marker", &number);
    *marker = (uint32_t)number;
    return number <= UINT32_MAX;
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
