/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowds.c - many clients at once, by the library: of two daemons, or idle ones of one.
 *
 *   crowds serve NUMBER SOCKET...   so many clients of each, all connected at the same time; each puts pages that say
 *                                   whose they are, and gets its own back
 *   crowds idle NUMBER SOCKET       so many that have done something once; ready when it says so, until stdin ends
 *   crowds ping SOCKET              one client's pages, there and back
 *
 * Exit status 0: all went as it should.
 */
#include <tmem/tmem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DAEMONS_MAX 2u
#define PAGES 6u

struct member {
    struct tmem_client *client;
    struct tmem_pool *pool;
};

static unsigned failures;

static void need(enum tmem_result result, const char *what)
{
    if (result == TMEM_OK)
        return;
    fprintf(stderr, "crowds: %s: %s\n", what, tmem_result_text(result));
    exit(1);
}

static void make_page(unsigned char *page, unsigned number, uint32_t index)
{
    memset(page, (int)(number % 251u), TMEM_PAGE_SIZE);
    (void)snprintf((char *)page, 64, "client %u, page %u", number, (unsigned)index);
}

static struct tmem_store *open_store(const char *path)
{
    char uri[160];
    struct tmem_store *store;
    struct tmem_error error;
    (void)snprintf(uri, sizeof uri, "unix:%s", path);
    enum tmem_result result = tmem_open(uri, &store, &error);
    need(result, result != TMEM_OK ? error.text : "");
    return store;
}

static void join(struct tmem_store *store, struct member *member, unsigned number)
{
    char name[24];
    unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_object_id object = {{1, 2, 3}};
    (void)snprintf(name, sizeof name, "crowd-%u", number);
    need(tmem_client_create(store, name, NULL, &member->client), "a client");
    need(tmem_pool_create(member->client, TMEM_POOL_PERSISTENT, NULL, &member->pool), "a pool");
    for (uint32_t i = 0; i < PAGES; i++) {
        make_page(page, number, i);
        need(tmem_put(member->pool, &object, i, page, TMEM_PUT_PLAIN), "put");
    }
}

static void check(const struct member *member, unsigned number)
{
    unsigned char page[TMEM_PAGE_SIZE];
    unsigned char expected[TMEM_PAGE_SIZE];
    struct tmem_object_id object = {{1, 2, 3}};
    for (uint32_t i = 0; i < PAGES; i++) {
        make_page(expected, number, i);
        need(tmem_get(member->pool, &object, i, page, TMEM_GET_INCLUSIVE), "get");
        failures += memcmp(page, expected, sizeof page) != 0;
    }
}

static void may_open_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Clients of all daemons have the same names and handles, and differ in what they put. */
static void serve(unsigned number, char **paths, unsigned daemons)
{
    struct tmem_store *stores[DAEMONS_MAX];
    struct member *members = calloc((size_t)number * daemons, sizeof *members);
    if (members == NULL)
        need(TMEM_NOMEM, "clients");
    for (unsigned d = 0; d < daemons; d++)
        stores[d] = open_store(paths[d]);
    for (unsigned i = 0; i < number * daemons; i++)
        join(stores[i % daemons], &members[i], i);
    for (unsigned i = 0; i < number * daemons; i++)
        check(&members[i], i);
    for (unsigned d = 0; d < daemons; d++)
        tmem_close(stores[d]);
    free(members);
    printf("%u clients of %u daemons\n", number * daemons, daemons);
}

static void idle(unsigned number, const char *path)
{
    char byte;
    struct tmem_store *store = open_store(path);
    for (unsigned i = 0; i < number; i++) {
        struct member member;
        join(store, &member, i);
        check(&member, i);
    }
    printf("ready\n");
    (void)fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
    tmem_close(store);
}

static void ping(const char *path)
{
    struct member member;
    struct tmem_store *store = open_store(path);
    join(store, &member, (unsigned)getpid());
    check(&member, (unsigned)getpid());
    tmem_close(store);
    printf("a program of %zu bits\n", sizeof(void *) * 8u);
}

int main(int count, char **arguments)
{
    may_open_many_files();
    if (count >= 4 && count <= 3 + (int)DAEMONS_MAX && strcmp(arguments[1], "serve") == 0)
        serve((unsigned)strtoul(arguments[2], NULL, 10), arguments + 3, (unsigned)count - 3u);
    else if (count == 4 && strcmp(arguments[1], "idle") == 0)
        idle((unsigned)strtoul(arguments[2], NULL, 10), arguments[3]);
    else if (count == 3 && strcmp(arguments[1], "ping") == 0)
        ping(arguments[2]);
    else {
        fprintf(stderr, "usage: crowds serve NUMBER SOCKET...|idle NUMBER SOCKET|ping SOCKET\n");
        return 2;
    }
    if (failures != 0)
        fprintf(stderr, "crowds: %u pages are not their clients'\n", failures);
    return failures != 0;
}
