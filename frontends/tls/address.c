/* SPDX-License-Identifier: BSD-2-Clause */
/* address.c - HOST:PORT, and the TCP connections from there and to there. */
#include "tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* So long nothing of what was sent may be acknowledged before the connection counts as cut. */
#define SILENCE_MS 30000

enum tm_exit tls_address_read(struct tls_address *address, const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    address->text = text;
    if (length > 2 && text[0] == '[' && text[length - 1u] == ']') {
        host = text + 1;
        length -= 2u;
    } else if (length != 0 && memchr(text, ':', length) != NULL) {
        length = 0; /* which of the colons is meant? */
    }
    if (length == 0 || length >= sizeof address->host || colon[1] == '\0' || strlen(colon) > sizeof address->port)
        return tm_fail(TM_EXIT_USAGE, "'%s': expected HOST:PORT, an IPv6 address as in [::1]:7070", text);
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    memcpy(address->port, colon + 1, strlen(colon));
    return TM_EXIT_OK;
}

static enum tm_exit look_up(const struct tls_address *address, int flags, struct addrinfo **found)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    int problem = getaddrinfo(address->host, address->port, &wanted, found);
    if (problem == 0)
        return TM_EXIT_OK;
    return tm_fail(TM_EXIT_NOT_FOUND, "cannot find %s: %s (are host and port right?)", address->text,
                   gai_strerror(problem));
}

/*
 * So much may be on its way. Where the receiver is slower than the network, whatever waits in buffers is waited for
 * while the client stands still; at a gigabit and below this is enough for 8 ms from end to end and back.
 */
#define WINDOW_BYTES (1 << 20)
#define UNSENT_BYTES (128 << 10)

static bool switch_on(int descriptor, int level, int option, int value)
{
    return setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

/* A dead host is noticed, and the short lines at the end of a move do not wait for each other. */
static bool set_up(int descriptor)
{
    return switch_on(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_MS) &&
           switch_on(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           switch_on(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, SILENCE_MS / 1000) &&
           switch_on(descriptor, IPPROTO_TCP, TCP_WINDOW_CLAMP, WINDOW_BYTES) &&
           switch_on(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES) &&
           switch_on(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
}

static bool connect_to(int descriptor, const struct addrinfo *to)
{
    return set_up(descriptor) && connect(descriptor, to->ai_addr, to->ai_addrlen) == 0;
}

static bool listen_at(int descriptor, const struct addrinfo *at)
{
    return switch_on(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) &&
           bind(descriptor, at->ai_addr, at->ai_addrlen) == 0 && listen(descriptor, 8) == 0;
}

/* The first of the host's addresses with which @use can be done; -1 with errno. */
static int open_first(const struct addrinfo *found, bool (*use)(int descriptor, const struct addrinfo *address))
{
    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        int descriptor = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
        if (descriptor >= 0 && use(descriptor, each))
            return descriptor;
        error = errno;
        if (descriptor >= 0)
            (void)close(descriptor);
    }
    errno = error;
    return -1;
}

enum tm_exit tls_connect(const struct tls_address *address, int *descriptor)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct addrinfo *found;
    enum tm_exit code = look_up(address, 0, &found);
    if (code != TM_EXIT_OK)
        return code;
    *descriptor = open_first(found, connect_to);
    int error = errno;
    freeaddrinfo(found);
    if (*descriptor >= 0)
        return TM_EXIT_OK;
    return tm_fail(TM_EXIT_FAILED, "cannot connect to %s: %s (does it wait there? try there: tmem receive --listen)",
                   address->text, tm_error_text(error, cause));
}

/* The address of a socket's end in numbers. */
static void name_of(const struct sockaddr_storage *end, socklen_t bytes, char *name, size_t name_bytes)
{
    char host[INET6_ADDRSTRLEN + 16];
    char port[16];
    if (getnameinfo((const struct sockaddr *)end, bytes, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        (void)snprintf(name, name_bytes, "an unknown address");
    else
        (void)snprintf(name, name_bytes, end->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

enum tm_exit tls_listen(const struct tls_address *address, int *descriptor)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char name[128];
    struct sockaddr_storage end;
    socklen_t bytes = sizeof end;
    struct addrinfo *found;
    enum tm_exit code = look_up(address, AI_PASSIVE, &found);
    if (code != TM_EXIT_OK)
        return code;
    *descriptor = open_first(found, listen_at);
    int error = errno;
    freeaddrinfo(found);
    if (*descriptor < 0)
        return tm_fail(tm_exit_of_error(error), "cannot listen at %s: %s (try: another port, an address of this host)",
                       address->text, tm_error_text(error, cause));
    (void)getsockname(*descriptor, (struct sockaddr *)&end, &bytes);
    name_of(&end, bytes, name, sizeof name);
    tm_message("listening at %s", name);
    return TM_EXIT_OK;
}

enum tm_exit tls_accept(int listener, int *descriptor, char *peer, size_t peer_bytes)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct sockaddr_storage end;
    socklen_t bytes;
    do {
        bytes = sizeof end;
        *descriptor = accept4(listener, (struct sockaddr *)&end, &bytes, SOCK_CLOEXEC);
    } while (*descriptor < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (*descriptor < 0 || !set_up(*descriptor))
        return tm_fail(TM_EXIT_FAILED, "cannot take a connection: %s", tm_error_text(errno, cause));
    name_of(&end, bytes, peer, peer_bytes);
    return TM_EXIT_OK;
}
