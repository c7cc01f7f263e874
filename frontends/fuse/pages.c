/* SPDX-License-Identifier: BSD-2-Clause */
/* pages.c - file pages in the store. */
#include "pages.h"

#include <stdio.h>
#include <string.h>

/* Spreads the bits of a page number that an index has no room for. Odd: no two of them meet. */
#define HIGH_BITS_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* The longest range that is dropped page by page: some milliseconds. */
#define RANGE_PAGES_MAX 65536u

static struct tmem_object_id object_of(const struct tm_content *content, uint64_t inode, uint64_t page)
{
    return (struct tmem_object_id){{inode, content->word[0], content->word[1] + (page >> 32) * HIGH_BITS_FACTOR}};
}

static enum tm_exit exit_of_result(enum tmem_result result)
{
    switch (result) {
    case TMEM_OK:
        return TM_EXIT_OK;
    case TMEM_INVALID:
    case TMEM_UNSUPPORTED:
        return TM_EXIT_USAGE;
    case TMEM_NOT_FOUND:
        return TM_EXIT_NOT_FOUND;
    case TMEM_DENIED:
        return TM_EXIT_DENIED;
    case TMEM_UNAVAILABLE:
        return TM_EXIT_NO_DAEMON;
    case TMEM_MISS:
    case TMEM_REFUSED:
    case TMEM_KEPT:
    case TMEM_NOMEM:
    case TMEM_CORRUPT:
    case TMEM_EXISTS:
    case TMEM_RESULT_COUNT:
        return TM_EXIT_FAILED;
    }
    return TM_EXIT_FAILED;
}

enum tm_exit tm_pages_open(struct tm_pages *pages, const char *uri, const char *client_name)
{
    struct tmem_error error = {.text = ""};
    *pages = (struct tm_pages){.store = NULL};
    enum tmem_result result = tmem_open(uri, &pages->store, &error);
    if (result != TMEM_OK) {
        pages->store = NULL;
        return tm_fail(exit_of_result(result), "cannot open the store %s: %s", uri,
                       error.text[0] != '\0' ? error.text : tmem_result_text(result));
    }
    result = tmem_client_create(pages->store, client_name, NULL, &pages->client);
    if (result != TMEM_OK) {
        tm_pages_close(pages);
        return tm_fail(exit_of_result(result),
                       "cannot become client '%s' of the store: %s (a name is 1 to 63 letters, digits and . _ - : @ "
                       "and nobody else's; try: --name NAME)",
                       client_name, tmem_result_text(result));
    }
    result = tmem_pool_create(pages->client, TMEM_POOL_EPHEMERAL, NULL, &pages->pool);
    if (result != TMEM_OK) {
        tm_pages_close(pages);
        return tm_fail(exit_of_result(result), "cannot make a pool in the store: %s", tmem_result_text(result));
    }
    return TM_EXIT_OK;
}

void tm_pages_close(struct tm_pages *pages)
{
    /* The pool ends with its client, the client with this handle of the store. */
    tmem_close(pages->store);
    pages->store = NULL;
}

static void fill_io(const struct tm_content *content, uint64_t inode, uint64_t first, size_t count, struct tmem_io *io,
                    unsigned char *bytes)
{
    for (size_t i = 0; i < count; i++) {
        io[i].object = object_of(content, inode, first + i);
        io[i].index = (uint32_t)(first + i);
        io[i].result = TMEM_MISS;
        io[i].page = bytes + i * TMEM_PAGE_SIZE;
    }
}

static size_t count_ok(const struct tmem_io *io, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += io[i].result == TMEM_OK;
    return found;
}

/* The batch as a whole did not happen: no entry says anything. */
static void all_missed(struct tmem_io *io, size_t count)
{
    for (size_t i = 0; i < count; i++)
        io[i].result = TMEM_MISS;
}

size_t tm_pages_get(struct tm_pages *pages, const struct tm_content *content, uint64_t inode, uint64_t first,
                    size_t count, struct tmem_io *io, unsigned char *bytes)
{
    fill_io(content, inode, first, count, io, bytes);
    /* Inclusive, because a file is read more often than once, and each time would be a put. */
    if (tmem_get_many(pages->pool, io, count, TMEM_GET_INCLUSIVE) != TMEM_OK)
        all_missed(io, count);
    return count_ok(io, count);
}

size_t tm_pages_put(struct tm_pages *pages, const struct tm_content *content, uint64_t inode, uint64_t first,
                    size_t count, struct tmem_io *io, unsigned char *bytes)
{
    fill_io(content, inode, first, count, io, bytes);
    if (tmem_put_many(pages->pool, io, count, TMEM_PUT_PLAIN) != TMEM_OK)
        all_missed(io, count);
    return count_ok(io, count);
}

void tm_pages_invalidate(struct tm_pages *pages, const struct tm_content *content, uint64_t inode,
                         uint64_t size_bytes)
{
    uint64_t objects = (size_bytes / TMEM_PAGE_SIZE >> 32) + 1u;
    for (uint64_t i = 0; i < objects; i++) {
        struct tmem_object_id object = object_of(content, inode, i << 32);
        /* Also when it fails: nobody will ask for pages of this name again. */
        if (tmem_invalidate_object(pages->pool, &object) == TMEM_OK)
            __atomic_fetch_add(&pages->invalidated_objects, 1, __ATOMIC_RELAXED);
    }
}

bool tm_pages_invalidate_range(struct tm_pages *pages, const struct tm_content *content, uint64_t inode,
                               uint64_t first, uint64_t behind, uint64_t size_bytes)
{
    /* There are no pages behind the end of the file. */
    behind = tm_min_u64(behind, tm_round_up(size_bytes, TMEM_PAGE_SIZE) / TMEM_PAGE_SIZE);
    if (first < behind && behind - first > RANGE_PAGES_MAX)
        return false;
    for (uint64_t page = first; page < behind; page++) {
        struct tmem_object_id object = object_of(content, inode, page);
        enum tmem_result result = tmem_invalidate_page(pages->pool, &object, (uint32_t)page);
        if (result != TMEM_OK && result != TMEM_MISS)
            return false;
    }
    return true;
}
