/* SPDX-License-Identifier: BSD-2-Clause */
/* uuid.h - names of shared pools as people write them. */
#ifndef TM_DAEMON_UUID_H
#define TM_DAEMON_UUID_H

#include <tmem/tmem.h>

#define TM_UUID_TEXT_SIZE 37u

/* 32 hexadecimal digits, with hyphens between them or without. False: it is none; *uuid is as it was. */
bool tm_uuid_parse(const char *text, struct tmem_uuid *uuid);

/* With hyphens. Returns @text. */
const char *tm_uuid_format(const struct tmem_uuid *uuid, char text[static TM_UUID_TEXT_SIZE]);

#endif
