/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - a client of a store that does something: it asks for pages at random, and puts those that are missing.
 *
 * usage: load URI CLIENT WEIGHT PAGES OPERATIONS [persistent]
 *
 * Half of each page compresses well. Prints "ready HITS MISSES" after the operations, and again after as many for each
 * line of its standard input, with which it ends.
 */
#include <tmem/tmem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long state;

static unsigned long long draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(unsigned char *page, unsigned long long number)
{
    memset(page, (int)(number & 0xff), TMEM_PAGE_SIZE);
    for (size_t i = 0; i < TMEM_PAGE_SIZE / 2u; i += sizeof number) {
        number = number * 6364136223846793005ull + 1442695040888963407ull;
        memcpy(page + i, &number, sizeof number);
    }
}

/* The number of hits; -1: something is wrong. */
static long long work(struct tmem_pool *pool, unsigned long long pages, unsigned long long operations)
{
    static unsigned char page[TMEM_PAGE_SIZE];
    static unsigned char expected[TMEM_PAGE_SIZE];
    long long hits = 0;
    for (unsigned long long i = 0; i < operations; i++) {
        unsigned long long number = draw() % pages;
        const struct tmem_object_id object = {{number / 64u, 0, 0}};
        enum tmem_result result = tmem_get(pool, &object, (uint32_t)(number % 64u), page, TMEM_GET_INCLUSIVE);
        fill(expected, number);
        if (result == TMEM_OK && memcmp(page, expected, sizeof page) != 0)
            return -1;
        if (result == TMEM_OK)
            hits++;
        else if (result != TMEM_MISS)
            return -1;
        else
            result = tmem_put(pool, &object, (uint32_t)(number % 64u), expected, TMEM_PUT_PLAIN);
        if (result != TMEM_OK && result != TMEM_REFUSED)
            return -1;
    }
    return hits;
}

int main(int count, char **arguments)
{
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool;
    struct tmem_error error;
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    char line[64];
    if (count < 6) {
        fprintf(stderr, "usage: load URI CLIENT WEIGHT PAGES OPERATIONS [persistent]\n");
        return 2;
    }
    options.weight = (uint32_t)strtoul(arguments[3], NULL, 10);
    unsigned long long operations = strtoull(arguments[5], NULL, 10);
    state = 88172645463325252ull + options.weight;
    if (tmem_open(arguments[1], &store, &error) != TMEM_OK) {
        fprintf(stderr, "load: %s\n", error.text);
        return 1;
    }
    enum tmem_result result = tmem_client_create(store, arguments[2], &options, &client);
    if (result == TMEM_OK)
        result = tmem_pool_create(client, count > 6 ? TMEM_POOL_PERSISTENT : TMEM_POOL_EPHEMERAL, NULL, &pool);
    do {
        long long hits = result == TMEM_OK ? work(pool, strtoull(arguments[4], NULL, 10), operations) : -1;
        if (hits < 0) {
            fprintf(stderr, "load: %s\n", result == TMEM_OK ? "an answer is wrong" : tmem_result_text(result));
            return 1;
        }
        printf("ready %lld %lld\n", hits, (long long)operations - hits);
        fflush(stdout);
    } while (fgets(line, sizeof line, stdin) != NULL);
    tmem_close(store);
    return 0;
}
