/* SPDX-License-Identifier: BSD-2-Clause */
/* address.c - see address.h. */
#include "daemon/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 16

bool tm_address_parse(const char *text, struct tm_address *address)
{
    char host[TM_ADDRESS_TEXT] = "127.0.0.1";
    const char *port = text;
    const char *colon = strrchr(text, ':');
    size_t length = strlen(text);
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (length >= sizeof address->text)
        return false;
    if (colon != NULL) {
        bool has_brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
        bool is_bare = memchr(text, ':', (size_t)(colon - text)) == NULL && colon != text;
        if (!has_brackets && !is_bare)
            return false; /* whose colon is it? */
        (void)snprintf(host, sizeof host, "%.*s", (int)(colon - text) - (has_brackets ? 2 : 0),
                       text + (has_brackets ? 1 : 0));
        port = colon + 1;
    }
    size_t digits = strspn(port, "0123456789");
    if (digits == 0 || digits > 5 || port[digits] != '\0' || strtoul(port, NULL, 10) > UINT16_MAX ||
        getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    memcpy(address->text, text, length + 1u);
    address->bytes = found->ai_addrlen;
    memcpy(&address->name, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

int tm_address_listen(const struct tm_address *address)
{
    const int on = 1;
    int descriptor = socket(address->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    /* One that was killed a moment ago has left connections behind that keep nobody from listening. */
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(descriptor, (const struct sockaddr *)&address->name, address->bytes) == 0 &&
        listen(descriptor, BACKLOG) == 0)
        return descriptor;
    int error = errno;
    (void)close(descriptor);
    errno = error;
    return -1;
}
