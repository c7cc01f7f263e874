/* SPDX-License-Identifier: BSD-2-Clause */
/* redis.c - Redis over a unix socket. */
#include "line_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool redis_open(const char *at, uint64_t pages, void **state)
{
    struct line_socket *line = malloc(sizeof *line);
    (void)pages;
    if (line == NULL)
        return peer_fail("redis: no memory");
    *state = line;
    return line_socket_open(line, at);
}

static void redis_close(void *state)
{
    line_socket_close(state);
    free(state);
}

/* The beginning of a request: its name and the key, of so many parts in all. */
static void begin_request(char *text, size_t size, unsigned parts, const char *name, uint64_t number)
{
    char key[24];
    int length = snprintf(key, sizeof key, "%llu", (unsigned long long)number);
    (void)snprintf(text, size, "*%u\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", parts, strlen(name), name, length, key);
}

static bool redis_put(void *state, uint64_t number, const unsigned char *page)
{
    char head[96];
    begin_request(head, sizeof head, 3, "SET", number);
    size_t used = strlen(head);
    (void)snprintf(head + used, sizeof head - used, "$%u\r\n", TM_PAGE_BYTES);
    return line_socket_send(state, head, page, TM_PAGE_BYTES, "\r\n") && line_socket_expect(state, "+OK");
}

static bool take_page(struct line_socket *line, unsigned char *page)
{
    char head[16];
    (void)snprintf(head, sizeof head, "$%u", TM_PAGE_BYTES);
    return line_socket_expect(line, head) && line_socket_bytes(line, page, TM_PAGE_BYTES) &&
           line_socket_expect(line, "");
}

static bool redis_get(void *state, uint64_t number, unsigned char *page)
{
    char request[96];
    begin_request(request, sizeof request, 2, "GET", number);
    return line_socket_send(state, request, NULL, 0, "") && take_page(state, page);
}

/* All requests in one call, then all answers: what Redis calls pipelining. */
static bool redis_get_many(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    char requests[PEER_BATCH * 96];
    size_t used = 0;
    for (unsigned i = 0; i < PEER_BATCH; i++) {
        begin_request(requests + used, sizeof requests - used, 2, "GET", numbers[i]);
        used += strlen(requests + used);
    }
    bool done = line_socket_send(state, requests, NULL, 0, "");
    for (unsigned i = 0; i < PEER_BATCH && done; i++)
        done = take_page(state, pages + i * TM_PAGE_BYTES);
    return done;
}

static bool redis_drop(void *state, uint64_t number)
{
    char request[96];
    begin_request(request, sizeof request, 2, "DEL", number);
    return line_socket_send(state, request, NULL, 0, "") && line_socket_expect(state, ":1");
}

static bool redis_reclaim(void *state)
{
    return line_socket_send(state, "*2\r\n$6\r\nMEMORY\r\n$5\r\nPURGE\r\n", NULL, 0, "") &&
           line_socket_expect(state, "+OK");
}

static const struct peer_kind redis_kind = {
    .name = "redis",
    .at = "SOCKET",
    .open = redis_open,
    .close = redis_close,
    .put = redis_put,
    .get = redis_get,
    .get_many = redis_get_many,
    .drop = redis_drop,
    .reclaim = redis_reclaim,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &redis_kind);
}
