/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages.h - file pages in the store.
 *
 * The filesystem is one ephemeral pool. An object is what one file contains (and 16 TiB of it, since
 * an index has 32 bits) under the name that content.c gave it, an index the page's number in the file. The
 * store may drop any page and refuse any put: whatever it answers but a page is a miss, and the disk has
 * the rest.
 *
 * Threads: all calls but open and close may overlap.
 */
#ifndef TM_FUSE_PAGES_H
#define TM_FUSE_PAGES_H

#include "content.h"

#include <tmem/tmem.h>

struct tm_pages {
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool;
    uint64_t invalidated_objects; /* atomic */
};

/* tm_pages_open - open the store and make the pool. TM_EXIT_OK, or a code after a message. */
enum tm_exit tm_pages_open(struct tm_pages *pages, const char *uri, const char *client_name) TM_MUST_USE;

/* tm_pages_close - give all of it up; what was opened in part, too. */
void tm_pages_close(struct tm_pages *pages);

/*
 * tm_pages_get - read @count pages of a file from page number @first on.
 *
 * @io     room for @count entries; entry i says what became of page @first + i.
 * @bytes  @count pages; those whose entry is not TMEM_OK are undefined.
 *
 * Returns how many were found.
 */
size_t tm_pages_get(struct tm_pages *pages, const struct tm_content *content, uint64_t inode, uint64_t first,
                    size_t count, struct tmem_io *io, unsigned char *bytes);

/* tm_pages_put - store @count pages. Returns how many were stored. */
size_t tm_pages_put(struct tm_pages *pages, const struct tm_content *content, uint64_t inode, uint64_t first,
                    size_t count, struct tmem_io *io, unsigned char *bytes);

/* tm_pages_invalidate - drop all pages of @content, whose file had @size_bytes at most. */
void tm_pages_invalidate(struct tm_pages *pages, const struct tm_content *content, uint64_t inode,
                         uint64_t size_bytes);

/*
 * tm_pages_invalidate_range - drop the pages from @first up to but without @behind, of a file that has
 * @size_bytes. True: they are gone. False: not known, since the store could not, or the range is too long
 * for going page by page; the caller then gives the file another content name.
 */
bool tm_pages_invalidate_range(struct tm_pages *pages, const struct tm_content *content, uint64_t inode,
                               uint64_t first, uint64_t behind, uint64_t size_bytes) TM_MUST_USE;

#endif
