/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * example.c - a program with a store of its own.
 *
 *     cc -o example example.c $(pkg-config --cflags --libs tmem) && ./example
 *
 * prints:
 *
 *     put:            ok
 *     get:            ok, the same page
 *     after dropping: miss
 *     16 in a batch:  16 stored, 16 found
 *     the store:      16 pages in less than a quarter of their size
 */
#include <stdio.h>
#include <string.h>

#include <tmem/tmem.h>

#define BATCH 16

/* Any 4096 bytes are a page. Here: a line of text, repeated. */
static void write_page(char *page, unsigned number)
{
    char line[64];
    snprintf(line, sizeof line, "This is line %06u of a page that compresses well enough.\n", number);
    for (size_t at = 0; at < TMEM_PAGE_SIZE; at++)
        page[at] = line[at % strlen(line)];
}

/* One page: put, get, invalidate. A handle is (pool, object, index), such as (filesystem, file, page of it). */
static void use_page(struct tmem_pool *pool)
{
    const struct tmem_object_id object = {{42, 0, 0}}; /* 192 bits, any value */
    char page[TMEM_PAGE_SIZE];
    char found[TMEM_PAGE_SIZE];

    write_page(page, 1);
    enum tmem_result result = tmem_put(pool, &object, 7, page, TMEM_PUT_PLAIN);
    printf("put:            %s\n", tmem_result_text(result)); /* a store may refuse: that is no error */

    /* Private ephemeral pools give a page away when it is asked for; TMEM_GET_INCLUSIVE keeps it. */
    result = tmem_get(pool, &object, 7, found, TMEM_GET_INCLUSIVE);
    if (result == TMEM_OK)
        printf("get:            ok, %s page\n", memcmp(page, found, sizeof page) == 0 ? "the same" : "another");

    /* From here on no get answers this page, whatever else happens. */
    if (tmem_invalidate_page(pool, &object, 7) != TMEM_OK)
        printf("invalidate:     there was no such page\n");
    result = tmem_get(pool, &object, 7, found, TMEM_GET_DEFAULT);
    printf("after dropping: %s\n", tmem_result_text(result)); /* a miss is an answer: fetch the page elsewhere */
}

/* Many pages in one call: cheaper, and each has a result of its own. */
static void use_batch(struct tmem_pool *pool)
{
    static char pages[BATCH][TMEM_PAGE_SIZE];
    struct tmem_io io[BATCH];
    int stored = 0;
    int found = 0;

    for (unsigned i = 0; i < BATCH; i++) {
        write_page(pages[i], i);
        io[i] = (struct tmem_io){.object = {{43, 0, 0}}, .index = i, .page = pages[i]};
    }
    if (tmem_put_many(pool, io, BATCH, TMEM_PUT_PLAIN) != TMEM_OK)
        return;
    for (unsigned i = 0; i < BATCH; i++)
        stored += io[i].result == TMEM_OK;
    memset(pages, 0, sizeof pages);
    if (tmem_get_many(pool, io, BATCH, TMEM_GET_INCLUSIVE) != TMEM_OK)
        return;
    for (unsigned i = 0; i < BATCH; i++)
        found += io[i].result == TMEM_OK;
    printf("%d in a batch:  %d stored, %d found\n", BATCH, stored, found);
}

int main(void)
{
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool;
    struct tmem_error error;
    struct tmem_store_stats stats;

    /* A store in this process, with at most 64 MiB resident. */
    if (tmem_open("embedded:size=64M,codec=lz4", &store, &error) != TMEM_OK) {
        fprintf(stderr, "example: %s\n", error.text); /* what was wrong, and what would be right */
        return 1;
    }
    /* A client is a tenant: it has a weight, a cap and statistics. NULL: the defaults. */
    if (tmem_client_create(store, "example", NULL, &client) != TMEM_OK ||
        /* Ephemeral: a cache, whose pages may go when memory is short. TMEM_POOL_PERSISTENT: pages that stay. */
        tmem_pool_create(client, TMEM_POOL_EPHEMERAL, NULL, &pool) != TMEM_OK) {
        fprintf(stderr, "example: no client, or no pool\n");
        tmem_close(store);
        return 1;
    }
    use_page(pool);
    use_batch(pool);

    if (tmem_store_stats(store, &stats, sizeof stats) == TMEM_OK)
        printf("the store:      %d pages in %s a quarter of their size\n", (int)stats.pages,
               stats.block_bytes < stats.stored_bytes / 4 ? "less than" : "more than");
    tmem_close(store); /* ends the client and its pool, too */
    return 0;
}
