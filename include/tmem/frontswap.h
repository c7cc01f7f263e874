/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frontswap.h - what Linux's frontswap asked of a backend, on a client of <tmem/tmem.h>: pages of swap devices, by type
 * and offset. Each device's pages are a pool of their own while it is in use.
 *
 * What a store accepted stays until it is invalidated, as persistent pages do; a store that is refused removes the
 * older page. What frontswap had options for is said when it is made:
 *
 *   exclusive      a load that succeeds removes the page: the caller has it now, and marks it dirty
 *   write-through  every page is written to the device as well, so any may be dropped at any time: its pools are
 *                  ephemeral, and a load that misses reads from the device
 *
 * Threads: any call may overlap any other but tmem_frontswap_destroy(); the kernel's own serialised by page.
 */
#ifndef TMEM_FRONTSWAP_H
#define TMEM_FRONTSWAP_H

#include <tmem/tmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Types are below this. */
#define TMEM_FRONTSWAP_TYPES 32u

enum tmem_frontswap_flags {
    TMEM_FRONTSWAP_PLAIN = 0x0,
    TMEM_FRONTSWAP_EXCLUSIVE = 0x1,
    TMEM_FRONTSWAP_WRITE_THROUGH = 0x2,
};

struct tmem_frontswap;

/*
 * tmem_frontswap_create - a backend without devices.
 *
 * @client  whose its pools are; must outlive it.
 * @flags   enum tmem_frontswap_flags.
 *
 * Results: TMEM_OK (ended by tmem_frontswap_destroy()), TMEM_INVALID, TMEM_NOMEM.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_create(struct tmem_client *client, uint32_t flags,
                                                              struct tmem_frontswap **frontswap);

/* tmem_frontswap_destroy - end it with all its pages. NULL is legal. */
TMEM_API void tmem_frontswap_destroy(struct tmem_frontswap *frontswap);

/*
 * tmem_frontswap_init - a device of this type begins to be used: its stores are accepted from now on. One that is in
 * use keeps its pages.
 *
 * Results: TMEM_OK, TMEM_INVALID (no such type), and those of tmem_pool_create().
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_init(struct tmem_frontswap *frontswap, unsigned type);

/*
 * tmem_frontswap_store - store a page. On any result but TMEM_OK nothing is under its offset any more.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_REFUSED (also: before init, and after the area was invalidated, until init),
 * TMEM_NOMEM, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_store(struct tmem_frontswap *frontswap, unsigned type,
                                                             uint64_t offset, const void *page);

/*
 * tmem_frontswap_load - get a page. It stays, unless gets are exclusive.
 *
 * Results: those of tmem_get(). A miss of what was stored happens with write-through only.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_load(struct tmem_frontswap *frontswap, unsigned type,
                                                            uint64_t offset, void *page);

/*
 * tmem_frontswap_invalidate_page, tmem_frontswap_invalidate_area - remove a page; remove all of a type, whose stores
 * are refused from then on. Effective before they return.
 *
 * Results: TMEM_OK, TMEM_MISS (there was nothing; an area that was not in use), TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_invalidate_page(struct tmem_frontswap *frontswap,
                                                                       unsigned type, uint64_t offset);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_invalidate_area(struct tmem_frontswap *frontswap,
                                                                       unsigned type);

/*
 * tmem_frontswap_pages - how many pages there are now, of all types.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_frontswap_pages(struct tmem_frontswap *frontswap, uint64_t *pages);

#ifdef __cplusplus
}
#endif

#endif
