/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a host with guests to test: their memory, what they send, and what a control domain sends.
 *
 * Ops are filled with garbage first, as a guest's stack is, and sent from the guest's memory in its own layout.
 */
#ifndef TMEM_TEST_XEN_WORLD_H
#define TMEM_TEST_XEN_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/control.h>
#include <tmem/xen.h>

#define XEN_FRAMES 16u
#define XEN_FRAME_BASE 0x7f000u /* number of the first frame */
#define XEN_FRAME_ZERO 0u       /* zeros; frames 1 to 7 have random bytes, all different */
#define XEN_FRAME_READ_ONLY 8u
#define XEN_FRAME_ABSENT 9u
#define XEN_BUFFER 0x4000u /* the guest's address of its buffer */
#define XEN_BUFFER_BYTES 65536u

struct xen_world {
    struct tmem_store *store;
    struct tmem_xen *xen;
};

struct xen_guest {
    struct tmem_xen_domain *domain;
    uint32_t abi, release;
    bool is_denied;     /* by policy */
    bool is_unreadable; /* its ops and buffers are */
    _Atomic int mapped; /* frames, now */
    _Atomic uint64_t dirtied;
    unsigned char buffer[XEN_BUFFER_BYTES]; /* for control operations */
    unsigned char frames[XEN_FRAMES][TMEM_PAGE_SIZE];
};

/* Opens TMEM_TEST_URI, or else an embedded store that nothing happens in by itself. */
void xen_world_open(struct xen_world *world, const struct tmem_xen_settings *settings);
/* Ends it; all guests' domains with it. */
void xen_world_close(struct xen_world *world);
/* Whether the store is a daemon's, where operators' calls are not to be had. */
bool xen_world_is_remote(void);

/* A guest with its domain. */
struct xen_guest *xen_guest_create(struct xen_world *world, uint32_t id, uint32_t release, uint32_t abi,
                                   uint64_t max_pages);
/* Asserts that it mapped nothing that it did not unmap. Its domain has ended. */
void xen_guest_free(struct xen_guest *guest);
void xen_guest_fill(struct xen_guest *guest, unsigned frame, uint64_t seed);

/* Sends an op in the guest's layout. */
long xen_send(struct xen_guest *guest, const struct tmem_op *op);
/* An op full of garbage, but for its command. */
void xen_garbage(struct tmem_op *op, uint32_t cmd);

long xen_new(struct xen_guest *guest, uint32_t flags, uint64_t low, uint64_t high);
/* Any command on a page; range: offset in the page, offset in the frame, bytes. */
long xen_page(struct xen_guest *guest, uint32_t cmd, int32_t pool, uint64_t object, uint32_t index, unsigned frame,
              const uint32_t range[3]);
/* A control operation of the guest's generation, with the guest's buffer. */
long xen_control(struct xen_guest *guest, uint32_t number, uint32_t client, int32_t pool, uint32_t value,
                 uint32_t extra);

#endif
