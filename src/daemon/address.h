/* SPDX-License-Identifier: BSD-2-Clause */
/* address.h - addresses to listen at, as they are written in a configuration. */
#ifndef TM_DAEMON_ADDRESS_H
#define TM_DAEMON_ADDRESS_H

#include "base/base.h"

#include <sys/socket.h>

#define TM_ADDRESS_TEXT 64u

struct tm_address {
    char text[TM_ADDRESS_TEXT]; /* as it was written; empty: none */
    socklen_t bytes;
    struct sockaddr_storage name;
};

/*
 * tm_address_parse - take ADDRESS:PORT, [ADDRESS]:PORT or PORT, which means 127.0.0.1. Addresses are numbers.
 *
 * False: it is none of these; *address is as it was.
 */
bool tm_address_parse(const char *text, struct tm_address *address);

/* tm_address_listen - a socket that listens there, without blocking. -1: errno says why. */
int tm_address_listen(const struct tm_address *address);

#endif
