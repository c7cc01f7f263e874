/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actor.c - a client of a store that does what it is told, one line at a time.
 *
 * usage: actor URI CLIENT
 *
 * CLIENT is made; "-": it is the only one that the store has already.
 *
 * Each line of its standard input is a command, and is answered by one line, the result's text:
 *
 *   pool NAME ephemeral|persistent [UUID]   make or join a pool, and call it NAME; UUID as two hexadecimal numbers
 *   find NAME PLACE                         call the pool at this place of the client's NAME; the first is 0
 *   put NAME OBJECT INDEX NUMBER            a page full of NUMBER
 *   get NAME OBJECT INDEX                   "ok NUMBER"
 *   fill NAME OBJECT COUNT                  puts of pages 0 to COUNT - 1 that do not compress: "ok STORED"
 *   drop NAME                               destroy it, or leave it
 *
 * It leaves at the end of its input; a client whose daemon has ended it answers what the library does.
 */
#include <tmem/control.h>
#include <tmem/tmem.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOLS 8u

static struct {
    char name[16];
    struct tmem_pool *pool;
} pools[POOLS];

static struct tmem_pool **pool_of(const char *name)
{
    unsigned i = 0;
    while (i < POOLS - 1u && pools[i].pool != NULL && strcmp(pools[i].name, name) != 0)
        i++;
    snprintf(pools[i].name, sizeof pools[i].name, "%s", name);
    return &pools[i].pool;
}

static void answer(enum tmem_result result)
{
    printf("%s\n", tmem_result_text(result));
}

static void make_pool(struct tmem_client *client, const char *name, const char *kind, const char *high,
                      const char *low)
{
    struct tmem_uuid uuid = {{0, 0}};
    uint32_t flags = strcmp(kind, "persistent") == 0 ? TMEM_POOL_PERSISTENT : TMEM_POOL_EPHEMERAL;
    if (high != NULL && low != NULL) {
        flags |= TMEM_POOL_SHARED;
        uuid.word[1] = strtoull(high, NULL, 16);
        uuid.word[0] = strtoull(low, NULL, 16);
    }
    answer(tmem_pool_create(client, flags, high != NULL ? &uuid : NULL, pool_of(name)));
}

static void find(struct tmem_client *client, const char *name, uint64_t place)
{
    uint64_t ids[POOLS];
    size_t count = 0;
    enum tmem_result result = tmem_client_pools(client, 0, ids, POOLS, &count);
    if (result == TMEM_OK && place >= count)
        result = TMEM_NOT_FOUND;
    answer(result == TMEM_OK ? tmem_pool_open(client, ids[place], pool_of(name)) : result);
}

static void put(const char *name, uint64_t object, uint32_t index, uint64_t number)
{
    uint64_t page[TMEM_PAGE_SIZE / sizeof(uint64_t)];
    const struct tmem_object_id id = {{object, 0, 0}};
    for (size_t i = 0; i < TMEM_PAGE_SIZE / sizeof page[0]; i++)
        page[i] = number + (i == 0);
    answer(tmem_put(*pool_of(name), &id, index, page, TMEM_PUT_PLAIN));
}

static void get(const char *name, uint64_t object, uint32_t index)
{
    uint64_t page[TMEM_PAGE_SIZE / sizeof(uint64_t)];
    const struct tmem_object_id id = {{object, 0, 0}};
    enum tmem_result result = tmem_get(*pool_of(name), &id, index, page, TMEM_GET_INCLUSIVE);
    if (result == TMEM_OK)
        printf("ok %" PRIu64 "\n", page[1]);
    else
        answer(result);
}

static void fill(const char *name, uint64_t object, uint32_t count)
{
    uint64_t page[TMEM_PAGE_SIZE / sizeof(uint64_t)];
    const struct tmem_object_id id = {{object, 0, 0}};
    uint64_t state = object * 1000003u + 1u;
    uint32_t stored = 0;
    for (uint32_t index = 0; index < count; index++) {
        for (size_t i = 0; i < TMEM_PAGE_SIZE / sizeof page[0]; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            page[i] = state ^ state >> 29;
        }
        stored += tmem_put(*pool_of(name), &id, index, page, TMEM_PUT_PLAIN) == TMEM_OK;
    }
    printf("ok %" PRIu32 "\n", stored);
}

static void drop(const char *name)
{
    struct tmem_pool **pool = pool_of(name);
    tmem_pool_destroy(*pool);
    *pool = NULL;
    answer(TMEM_OK);
}

static uint64_t number(const char *text)
{
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void obey(struct tmem_client *client, char *line)
{
    char *rest;
    char *words[6] = {strtok_r(line, " \n", &rest)};
    for (unsigned i = 1; i < 6 && words[i - 1u] != NULL; i++)
        words[i] = strtok_r(NULL, " \n", &rest);
    if (words[0] == NULL || words[1] == NULL)
        printf("what?\n");
    else if (strcmp(words[0], "pool") == 0 && words[2] != NULL)
        make_pool(client, words[1], words[2], words[3], words[3] != NULL ? words[4] : NULL);
    else if (strcmp(words[0], "find") == 0)
        find(client, words[1], number(words[2]));
    else if (*pool_of(words[1]) == NULL)
        printf("no such pool\n");
    else if (strcmp(words[0], "put") == 0)
        put(words[1], number(words[2]), (uint32_t)number(words[3]), number(words[4]));
    else if (strcmp(words[0], "get") == 0)
        get(words[1], number(words[2]), (uint32_t)number(words[3]));
    else if (strcmp(words[0], "fill") == 0)
        fill(words[1], number(words[2]), (uint32_t)number(words[3]));
    else if (strcmp(words[0], "drop") == 0)
        drop(words[1]);
    else
        printf("what?\n");
    fflush(stdout);
}

static enum tmem_result open_only(struct tmem_store *store, struct tmem_client **client)
{
    char name[TMEM_CLIENT_NAME_SIZE] = "";
    size_t count = 0;
    enum tmem_result result = tmem_store_clients(store, name, &name, 1, &count);
    if (result == TMEM_OK && count == 0)
        result = TMEM_NOT_FOUND;
    return result == TMEM_OK ? tmem_client_open(store, name, client) : result;
}

int main(int count, char **arguments)
{
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_error error;
    char line[256];
    if (count != 3)
        return 2;
    if (tmem_open(arguments[1], &store, &error) != TMEM_OK) {
        printf("%s\n", error.text);
        return 1;
    }
    bool makes = strcmp(arguments[2], "-") != 0;
    enum tmem_result result =
        makes ? tmem_client_create(store, arguments[2], NULL, &client) : open_only(store, &client);
    answer(result);
    fflush(stdout);
    while (result == TMEM_OK && fgets(line, sizeof line, stdin) != NULL)
        obey(client, line);
    tmem_close(store);
    return result == TMEM_OK ? 0 : 1;
}
