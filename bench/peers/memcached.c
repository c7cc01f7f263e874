/* SPDX-License-Identifier: BSD-2-Clause */
/* memcached.c - memcached over a unix socket. */
#include "line_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool memcached_open(const char *at, uint64_t pages, void **state)
{
    struct line_socket *line = malloc(sizeof *line);
    (void)pages;
    if (line == NULL)
        return peer_fail("memcached: no memory");
    *state = line;
    return line_socket_open(line, at);
}

static void memcached_close(void *state)
{
    line_socket_close(state);
    free(state);
}

static bool memcached_put(void *state, uint64_t number, const unsigned char *page)
{
    char head[64];
    (void)snprintf(head, sizeof head, "set %llu 0 0 %u\r\n", (unsigned long long)number, TM_PAGE_BYTES);
    return line_socket_send(state, head, page, TM_PAGE_BYTES, "\r\n") && line_socket_expect(state, "STORED");
}

/* All requests in one call, then all answers. */
static bool memcached_put_many(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    static char requests[PEER_BATCH * (TM_PAGE_BYTES + 64)];
    size_t used = 0;
    for (unsigned i = 0; i < PEER_BATCH; i++) {
        used += (size_t)snprintf(requests + used, 64, "set %llu 0 0 %u\r\n", (unsigned long long)numbers[i],
                                 TM_PAGE_BYTES);
        memcpy(requests + used, pages + i * TM_PAGE_BYTES, TM_PAGE_BYTES);
        memcpy(requests + used + TM_PAGE_BYTES, "\r\n", 2);
        used += TM_PAGE_BYTES + 2;
    }
    bool done = line_socket_send(state, "", requests, used, "");
    for (unsigned i = 0; i < PEER_BATCH && done; i++)
        done = line_socket_expect(state, "STORED");
    return done;
}

static bool memcached_get(void *state, uint64_t number, unsigned char *page)
{
    char request[32];
    char head[64];
    (void)snprintf(request, sizeof request, "get %llu\r\n", (unsigned long long)number);
    (void)snprintf(head, sizeof head, "VALUE %llu 0 %u", (unsigned long long)number, TM_PAGE_BYTES);
    return line_socket_send(state, request, NULL, 0, "") && line_socket_expect(state, head) &&
           line_socket_bytes(state, page, TM_PAGE_BYTES) && line_socket_expect(state, "") &&
           line_socket_expect(state, "END");
}

static bool memcached_drop(void *state, uint64_t number)
{
    char request[40];
    (void)snprintf(request, sizeof request, "delete %llu\r\n", (unsigned long long)number);
    return line_socket_send(state, request, NULL, 0, "") && line_socket_expect(state, "DELETED");
}

static const struct peer_kind memcached_kind = {
    .name = "memcached",
    .at = "SOCKET",
    .open = memcached_open,
    .close = memcached_close,
    .put = memcached_put,
    .get = memcached_get,
    .put_many = memcached_put_many,
    .drop = memcached_drop,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &memcached_kind);
}
