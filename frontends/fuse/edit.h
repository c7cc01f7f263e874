/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit.h - how the mount changes a file: between tm_edit_begin() and tm_edit_end().
 *
 * A change of a file's bytes names the pages that it touches. It waits until nobody reads them from the
 * disk, drops them from the store, and keeps readers of them away until it has ended. So what a reader puts
 * is never older than the last change of these pages, and other pages stay where they are.
 *
 * A change of attributes only, or of names, touches no pages: TM_EDIT_NO_PAGES.
 *
 * Threads: edits of the same file may overlap; those of overlapping pages wait for each other.
 */
#ifndef TM_FUSE_EDIT_H
#define TM_FUSE_EDIT_H

#include "mount.h"

#define TM_EDIT_NO_PAGES UINT64_C(0), UINT64_C(0)
#define TM_EDIT_TO_END UINT64_MAX

struct tm_edit {
    struct tm_mount *mount;
    struct tm_node *node;
    int fd;
    bool has_pages;
    struct tm_flight flight;
};

/*
 * tm_edit_begin - the file behind @fd is about to be changed in the pages from @first up to but without @behind.
 *
 * 0, and the edit is to be ended; or the errno, and it is not.
 */
int tm_edit_begin(struct tm_edit *edit, struct tm_mount *mount, struct tm_node *node, int fd, uint64_t first,
                  uint64_t behind) TM_MUST_USE;

/* tm_edit_end - it was made, or has failed. *status receives a look at the file; 0, or the errno of that. */
int tm_edit_end(struct tm_edit *edit, struct stat *status);

/* tm_edit_page - the page of a byte. tm_edit_page_behind - the first page that ends at or behind @offset. */
static inline uint64_t tm_edit_page(uint64_t offset)
{
    return offset / TMEM_PAGE_SIZE;
}

static inline uint64_t tm_edit_page_behind(uint64_t offset)
{
    return offset / TMEM_PAGE_SIZE + (offset % TMEM_PAGE_SIZE != 0);
}

#endif
