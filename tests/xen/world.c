/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - guests for tests, their memory, and what they send. */
#include <stdlib.h>
#include <string.h>

#include "tests/model/content.h"
#include "tests/xen/world.h"

bool xen_world_is_remote(void)
{
    const char *uri = getenv("TMEM_TEST_URI");
    return uri != NULL && strncmp(uri, "unix:", 5) == 0;
}

void xen_world_open(struct xen_world *world, const struct tmem_xen_settings *settings)
{
    const char *uri = getenv("TMEM_TEST_URI");
    struct tmem_error error = {{0}};
    if (tmem_open(uri != NULL ? uri : "embedded:size=16M,maintenance=none", &world->store, &error) != TMEM_OK)
        fail_msg("%s", error.text);
    assert_int_equal(tmem_xen_open(world->store, settings, &world->xen), TMEM_OK);
}

void xen_world_close(struct xen_world *world)
{
    tmem_xen_close(world->xen);
    assert_int_equal(tmem_store_check(world->store), xen_world_is_remote() ? TMEM_UNSUPPORTED : TMEM_OK);
    tmem_close(world->store);
}

/* ---- memory ---- */

/* Where an address of the guest is here: its buffer has one of 32 bits, the others are this process's. */
static unsigned char *find_guest(struct xen_guest *guest, uint64_t address, size_t size_bytes)
{
    uint64_t offset = address - XEN_BUFFER;
    if (guest->is_unreadable || address == 0)
        return NULL;
    if (offset >= XEN_BUFFER_BYTES)
        return (unsigned char *)(uintptr_t)address;
    return size_bytes <= XEN_BUFFER_BYTES - offset ? guest->buffer + offset : NULL;
}

static bool read_guest(void *context, uint64_t address, void *to, size_t size_bytes)
{
    const unsigned char *from = find_guest(context, address, size_bytes);
    if (from != NULL)
        memcpy(to, from, size_bytes);
    return from != NULL;
}

static bool write_guest(void *context, uint64_t address, const void *from, size_t size_bytes)
{
    unsigned char *to = find_guest(context, address, size_bytes);
    if (to != NULL)
        memcpy(to, from, size_bytes);
    return to != NULL;
}

static void *map_frame(void *context, uint64_t frame, bool for_write)
{
    struct xen_guest *guest = context;
    uint64_t number = frame - XEN_FRAME_BASE;
    if (number >= XEN_FRAMES || number == XEN_FRAME_ABSENT || (number == XEN_FRAME_READ_ONLY && for_write))
        return NULL;
    guest->mapped++;
    return guest->frames[number];
}

static void unmap_frame(void *context, uint64_t frame, void *mapping, bool is_written)
{
    struct xen_guest *guest = context;
    assert_ptr_equal(mapping, guest->frames[frame - XEN_FRAME_BASE]);
    guest->mapped--;
    guest->dirtied += is_written;
}

static bool permits(void *context)
{
    return !((const struct xen_guest *)context)->is_denied;
}

void xen_guest_fill(struct xen_guest *guest, unsigned frame, uint64_t seed)
{
    for (size_t i = 0; i < TMEM_PAGE_SIZE; i += sizeof seed) {
        uint64_t word = content_next(&seed);
        memcpy(&guest->frames[frame][i], &word, sizeof word);
    }
}

struct xen_guest *xen_guest_create(struct xen_world *world, uint32_t id, uint32_t release, uint32_t abi,
                                   uint64_t max_pages)
{
    struct tmem_xen_domain_options options = TMEM_XEN_DOMAIN_INIT;
    struct xen_guest *guest = calloc(1, sizeof *guest);
    assert_non_null(guest);
    guest->abi = abi;
    guest->release = release;
    for (unsigned i = 1; i < XEN_FRAMES; i++)
        xen_guest_fill(guest, i, i);
    options.id = id;
    options.release = release;
    options.abi = abi;
    options.is_privileged = id == 0;
    options.max_pages = max_pages;
    options.guest = (struct tmem_xen_guest){guest, read_guest, write_guest, map_frame, unmap_frame};
    options.permits = permits;
    assert_int_equal(tmem_xen_domain_create(world->xen, &options, &guest->domain), TMEM_OK);
    return guest;
}

void xen_guest_free(struct xen_guest *guest)
{
    assert_int_equal(guest->mapped, 0);
    free(guest);
}

/* ---- what they send ---- */

long xen_send(struct xen_guest *guest, const struct tmem_op *op)
{
    unsigned char bytes[sizeof *op];
    memset(bytes, 0xa5, sizeof bytes);
    memcpy(bytes, op, tmem_xen_op_size(guest->abi)); /* both layouts are the same but for the last word's half */
    return tmem_xen_op(guest->domain, bytes);
}

void xen_garbage(struct tmem_op *op, uint32_t cmd)
{
    memset(op, 0xa5, sizeof *op);
    op->cmd = cmd;
}

long xen_new(struct xen_guest *guest, uint32_t flags, uint64_t low, uint64_t high)
{
    struct tmem_op op;
    xen_garbage(&op, TMEM_NEW_POOL);
    op.u.creat.uuid[0] = low;
    op.u.creat.uuid[1] = high;
    op.u.creat.flags = flags;
    return xen_send(guest, &op);
}

long xen_page(struct xen_guest *guest, uint32_t cmd, int32_t pool, uint64_t object, uint32_t index, unsigned frame,
              const uint32_t range[3])
{
    struct tmem_op op;
    xen_garbage(&op, cmd);
    op.pool_id = pool;
    op.u.gen.oid[0] = object;
    op.u.gen.oid[1] = ~object;
    op.u.gen.oid[2] = object << 32;
    op.u.gen.index = index;
    op.u.gen.cmfn = XEN_FRAME_BASE + frame;
    if (range != NULL) {
        op.u.gen.tmem_offset = range[0];
        op.u.gen.pfn_offset = range[1];
        op.u.gen.len = range[2];
    }
    return xen_send(guest, &op);
}

long xen_control(struct xen_guest *guest, uint32_t number, uint32_t client, int32_t pool, uint32_t value,
                 uint32_t extra)
{
    if (guest->release >= TMEM_XEN_RELEASE_4_7) {
        struct xen_sysctl_tmem_op op = {.cmd = number,
                                        .pool_id = pool,
                                        .cli_id = client,
                                        .len = value,
                                        .arg = extra,
                                        .buf = XEN_BUFFER};
        return tmem_xen_sysctl(guest->domain, &op);
    }
    struct tmem_op op = {.cmd = TMEM_CONTROL, .pool_id = pool};
    op.u.ctrl.subop = number;
    op.u.ctrl.cli_id = client;
    op.u.ctrl.arg1 = value;
    op.u.ctrl.arg2 = extra;
    op.u.ctrl.buf = XEN_BUFFER;
    return xen_send(guest, &op);
}
