/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * foreign_layout.h - what the original's streams are made of, for their writer and reader. All numbers are lowest byte
 * first, as on the only machines that it ran on.
 */
#ifndef TM_SAVE_FOREIGN_LAYOUT_H
#define TM_SAVE_FOREIGN_LAYOUT_H

#include <tmem/xen.h>

#include "save/save.h"

/* The lists' ends, and the number that stands behind a header. */
#define TM_XEN_NONE UINT32_MAX
#define TM_XEN_MARKER_BYTES 4u

/*
 * The first bytes, marker included. 4.0: version, most pools, -1, flags, weight, cap, -1; 4.8: struct xen_tmem_client,
 * -1. All of 4 bytes.
 */
#define TM_XEN_HEADER_40 32u
#define TM_XEN_HEADER_48 28u

/* A pool. 4.0: number, flags, pages, all of 4 bytes, uuid; 4.8: struct xen_tmem_pool_info. */
#define TM_XEN_POOL_40 28u
#define TM_XEN_POOL_48 32u

/* In front of a page's bytes: object, index. */
#define TM_XEN_OBJECT_BYTES 24u
#define TM_XEN_KEY_BYTES 28u

/* The original counted its cap, which never had an effect, in MiB. */
#define TM_XEN_CAP_SHIFT 20

/* An object of all ones stands for the end of a pool's pages. */
static inline bool tm_foreign_is_end(const struct tmem_object_id *object)
{
    return (object->word[0] & object->word[1] & object->word[2]) == UINT64_MAX;
}

#endif
