/* SPDX-License-Identifier: BSD-2-Clause */
/* control_about.c - the verb `version`: what this daemon is, and which formats it speaks. */
#include "daemon/control_verb.h"
#include "store/store.h"
#include "wire/message.h"

json_t *tm_control_version(struct tm_control_call *call)
{
    (void)call;
    return tm_control_ok(json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "version", tmem_version(), "control_format",
                                   (int)TM_CONTROL_FORMAT, "wire_oldest", (int)TM_WIRE_VERSION_MIN, "wire_newest",
                                   (int)TM_WIRE_VERSION_MAX, "arena_oldest", (int)TM_ARENA_VERSION_OLDEST,
                                   "arena_newest", (int)TM_ARENA_VERSION));
}
