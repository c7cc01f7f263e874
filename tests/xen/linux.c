/* SPDX-License-Identifier: BSD-2-Clause */
/* linux.c - what a Linux guest's driver sends for each call of cleancache and frontswap. */
#include <string.h>

#include "tests/xen/linux.h"

#define SWIZZLE_BITS 4u /* a swap device is so many objects, as a power of two */

void linux_boot(struct linux_guest *linux_guest, struct xen_guest *guest, unsigned frame)
{
    *linux_guest = (struct linux_guest){.guest = guest, .frontswap_pool = -1, .frame = frame};
}

struct linux_filekey linux_inode(uint64_t inode)
{
    return (struct linux_filekey){{(uint32_t)inode, (uint32_t)(inode >> 32), 0, 0, 0, 0}};
}

/* ---- hypercalls ---- */

static long new_pool(struct linux_guest *linux_guest, uint32_t kind, const unsigned char uuid[16])
{
    struct tmem_op op;
    xen_garbage(&op, TMEM_NEW_POOL); /* its pool, and what comes after the flags, stay so */
    memset(op.u.creat.uuid, 0, sizeof op.u.creat.uuid);
    if (uuid != NULL)
        memcpy(op.u.creat.uuid, uuid, sizeof op.u.creat.uuid);
    op.u.creat.flags = kind | TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
    linux_guest->calls++;
    return xen_send(linux_guest->guest, &op);
}

static long generic(struct linux_guest *linux_guest, uint32_t cmd, int32_t pool, const uint64_t oid[3], uint32_t index,
                    uint64_t frame)
{
    struct tmem_op op;
    xen_garbage(&op, cmd);
    op.pool_id = pool;
    memcpy(op.u.gen.oid, oid, sizeof op.u.gen.oid);
    op.u.gen.index = index;
    op.u.gen.tmem_offset = op.u.gen.pfn_offset = op.u.gen.len = 0;
    op.u.gen.cmfn = frame;
    linux_guest->calls++;
    return xen_send(linux_guest->guest, &op);
}

/* A page operation on a handle that fits; else none, which answers as if it had failed. */
static long on_page(struct linux_guest *linux_guest, uint32_t cmd, int32_t pool, const uint64_t oid[3], uint64_t index,
                    bool has_frame)
{
    if (pool < 0 || index > UINT32_MAX)
        return -1;
    return generic(linux_guest, cmd, pool, oid, (uint32_t)index,
                   has_frame ? XEN_FRAME_BASE + linux_guest->frame : 0);
}

/* ---- cleancache ---- */

static void take_key(struct linux_filekey key, uint64_t oid[3])
{
    _Static_assert(sizeof key == 3 * sizeof oid[0], "a file's key is an object's id, byte by byte");
    memcpy(oid, &key, sizeof key);
}

int linux_cleancache_init_fs(struct linux_guest *linux_guest)
{
    return (int)new_pool(linux_guest, 0, NULL);
}

int linux_cleancache_init_shared_fs(struct linux_guest *linux_guest, const unsigned char uuid[16])
{
    return (int)new_pool(linux_guest, TMEM_POOL_SHARED, uuid);
}

void linux_cleancache_put_page(struct linux_guest *linux_guest, int pool, struct linux_filekey key, uint64_t index)
{
    uint64_t oid[3];
    take_key(key, oid);
    (void)on_page(linux_guest, TMEM_PUT_PAGE, pool, oid, index, true);
}

int linux_cleancache_get_page(struct linux_guest *linux_guest, int pool, struct linux_filekey key, uint64_t index)
{
    uint64_t oid[3];
    take_key(key, oid);
    return on_page(linux_guest, TMEM_GET_PAGE, pool, oid, index, true) == 1 ? 0 : -1;
}

void linux_cleancache_invalidate_page(struct linux_guest *linux_guest, int pool, struct linux_filekey key,
                                      uint64_t index)
{
    uint64_t oid[3];
    take_key(key, oid);
    (void)on_page(linux_guest, TMEM_FLUSH_PAGE, pool, oid, index, false);
}

void linux_cleancache_invalidate_inode(struct linux_guest *linux_guest, int pool, struct linux_filekey key)
{
    uint64_t oid[3];
    take_key(key, oid);
    (void)on_page(linux_guest, TMEM_FLUSH_OBJECT, pool, oid, 0, false);
}

void linux_cleancache_invalidate_fs(struct linux_guest *linux_guest, int pool)
{
    static const uint64_t none[3] = {0, 0, 0};
    (void)on_page(linux_guest, TMEM_DESTROY_POOL, pool, none, 0, false);
}

/* ---- frontswap ---- */

static void take_offset(unsigned type, uint64_t offset, uint64_t oid[3])
{
    oid[0] = (uint64_t)type << SWIZZLE_BITS | (offset & ((1u << SWIZZLE_BITS) - 1u));
    oid[1] = oid[2] = 0;
}

/* All types share one pool, which is asked for again if it was refused. */
void linux_frontswap_init(struct linux_guest *linux_guest, unsigned type)
{
    (void)type;
    if (linux_guest->frontswap_pool < 0)
        linux_guest->frontswap_pool = (int32_t)new_pool(linux_guest, TMEM_POOL_PERSIST, NULL);
}

int linux_frontswap_store(struct linux_guest *linux_guest, unsigned type, uint64_t offset)
{
    uint64_t oid[3];
    take_offset(type, offset, oid);
    return on_page(linux_guest, TMEM_PUT_PAGE, linux_guest->frontswap_pool, oid, offset >> SWIZZLE_BITS, true) == 1
               ? 0
               : -1;
}

int linux_frontswap_load(struct linux_guest *linux_guest, unsigned type, uint64_t offset)
{
    uint64_t oid[3];
    take_offset(type, offset, oid);
    return on_page(linux_guest, TMEM_GET_PAGE, linux_guest->frontswap_pool, oid, offset >> SWIZZLE_BITS, true) == 1
               ? 0
               : -1;
}

void linux_frontswap_invalidate_page(struct linux_guest *linux_guest, unsigned type, uint64_t offset)
{
    uint64_t oid[3];
    take_offset(type, offset, oid);
    (void)on_page(linux_guest, TMEM_FLUSH_PAGE, linux_guest->frontswap_pool, oid, offset >> SWIZZLE_BITS, false);
}

void linux_frontswap_invalidate_area(struct linux_guest *linux_guest, unsigned type)
{
    uint64_t oid[3];
    for (unsigned slice = 1u << SWIZZLE_BITS; slice-- > 0;) {
        take_offset(type, slice, oid);
        (void)on_page(linux_guest, TMEM_FLUSH_OBJECT, linux_guest->frontswap_pool, oid, 0, false);
    }
}
