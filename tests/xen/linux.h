/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linux.h - the client side of a Linux guest: what the kernel's cleancache and frontswap ask of a driver, and what that
 * driver sends to the hypervisor. Fields that the kernel's driver leaves alone hold garbage here.
 *
 * Calls return what the kernel's functions of these names returned: a pool's number or a negative one; 0 or -1.
 */
#ifndef TMEM_TEST_XEN_LINUX_H
#define TMEM_TEST_XEN_LINUX_H

#include "tests/xen/world.h"

/* A file as its filesystem names it: an inode number, or a handle of up to six words. */
struct linux_filekey {
    uint32_t word[6];
};

struct linux_guest {
    struct xen_guest *guest;
    int32_t frontswap_pool; /* negative before init, and where that failed */
    unsigned frame;         /* through which pages go */
    uint64_t calls;         /* hypercalls, ever */
};

void linux_boot(struct linux_guest *linux_guest, struct xen_guest *guest, unsigned frame);
struct linux_filekey linux_inode(uint64_t inode);

/* ---- cleancache: pages are those of the guest's frame ---- */

int linux_cleancache_init_fs(struct linux_guest *linux_guest);
int linux_cleancache_init_shared_fs(struct linux_guest *linux_guest, const unsigned char uuid[16]);
/* The kernel does not learn what became of it. */
void linux_cleancache_put_page(struct linux_guest *linux_guest, int pool, struct linux_filekey key, uint64_t index);
int linux_cleancache_get_page(struct linux_guest *linux_guest, int pool, struct linux_filekey key, uint64_t index);
void linux_cleancache_invalidate_page(struct linux_guest *linux_guest, int pool, struct linux_filekey key,
                                      uint64_t index);
void linux_cleancache_invalidate_inode(struct linux_guest *linux_guest, int pool, struct linux_filekey key);
void linux_cleancache_invalidate_fs(struct linux_guest *linux_guest, int pool);

/* ---- frontswap: a swap device of a type, and an offset in it ---- */

void linux_frontswap_init(struct linux_guest *linux_guest, unsigned type);
int linux_frontswap_store(struct linux_guest *linux_guest, unsigned type, uint64_t offset);
int linux_frontswap_load(struct linux_guest *linux_guest, unsigned type, uint64_t offset);
void linux_frontswap_invalidate_page(struct linux_guest *linux_guest, unsigned type, uint64_t offset);
void linux_frontswap_invalidate_area(struct linux_guest *linux_guest, unsigned type);

#endif
