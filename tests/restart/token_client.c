/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token_client.c - a client for tests of tokens, which prints what it is told:
 *
 *   hold SOCKET NAME            stores pages, prints "TOKEN POOL", and stays until it is killed
 *   claim SOCKET NAME TOKEN POOL  prints "claimed N", the pages that are there, or "refused"; exits at once
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/raw.h"

#define PAGES 5u

static int fail(const char *what)
{
    fprintf(stderr, "token_client: %s\n", what);
    return 1;
}

static int hold(struct raw_client *client)
{
    uint64_t pool;
    if (raw_pool(client, TM_WIRE_POOL_PERSISTENT, &pool) != TM_WIRE_OK)
        return fail("no pool");
    for (uint32_t i = 0; i < PAGES; i++) {
        raw_fill(client, 0, 100u + i);
        if (raw_put(client, pool, 1, i, 0) != TM_WIRE_OK)
            return fail("a page is not stored");
    }
    for (size_t i = 0; i < sizeof client->token.bytes; i++)
        printf("%02x", client->token.bytes[i]);
    printf(" %llu\n", (unsigned long long)pool);
    fflush(stdout);
    for (;;)
        pause();
}

static int claim(struct raw_client *client, uint64_t pool)
{
    unsigned found = 0;
    for (uint32_t i = 0; i < PAGES; i++)
        found += raw_get(client, pool, 1, i, 0) == TM_WIRE_OK && raw_is_filled(client, 0, 100u + i);
    printf("claimed %u\n", found);
    return 0;
}

static bool read_token(const char *text, struct tm_wire_token *token)
{
    for (size_t i = 0; i < sizeof token->bytes; i++) {
        unsigned byte;
        if (sscanf(text + 2u * i, "%2x", &byte) != 1)
            return false;
        token->bytes[i] = (unsigned char)byte;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct raw_client client;
    struct tm_wire_token token = {{0}};
    bool holds = argc == 4 && strcmp(argv[1], "hold") == 0;
    bool claims = argc == 6 && strcmp(argv[1], "claim") == 0 && read_token(argv[4], &token);
    if (!holds && !claims)
        return fail("usage: token_client hold SOCKET NAME | claim SOCKET NAME TOKEN POOL");
    raw_use(&client, -1);
    if (!raw_connect(&client, argv[2]))
        return fail("nobody listens");
    int kind = raw_hello(&client, argv[3], claims ? &token : NULL);
    if (kind == TM_WIRE_FAILED && claims)
        return puts("refused") == EOF;
    if (kind != TM_WIRE_WELCOME)
        return fail("not welcome");
    return holds ? hold(&client) : claim(&client, strtoull(argv[5], NULL, 10));
}
