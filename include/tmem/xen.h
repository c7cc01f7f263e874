/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xen.h - the interface of Xen's transcendent memory, to the bit, on a store of tmem.h.
 *
 * A virtual machine monitor, a hypervisor or a test opens a *host* over a store and creates *domains* on it. What a
 * guest sends with hypercall 38 goes to tmem_xen_op(), what the control domain's tools send as sysctl 24 to
 * tmem_xen_sysctl(); both answer what the original answered. A domain belongs to a release of Xen and gets the
 * commands, results and LIST keys of that release. Where the original was wrong this does right: docs/xen-compat.md
 * lists every such difference.
 *
 * The first part of this header is the original's interface: numbers, layouts. The second is this library's.
 */
#ifndef TMEM_XEN_H
#define TMEM_XEN_H

#include <tmem/tmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------- what guests send */

#define TMEM_HYPERCALL 38u /* one argument: the address of a struct tmem_op */
#define TMEM_SPEC_VERSION 1u

/* struct tmem_op: cmd */
#define TMEM_CONTROL 0u /* up to 4.5 */
#define TMEM_NEW_POOL 1u
#define TMEM_DESTROY_POOL 2u
#define TMEM_NEW_PAGE 3u /* up to 4.3, as READ, WRITE and XCHG */
#define TMEM_PUT_PAGE 4u
#define TMEM_GET_PAGE 5u
#define TMEM_FLUSH_PAGE 6u
#define TMEM_FLUSH_OBJECT 7u
#define TMEM_READ 8u
#define TMEM_WRITE 9u
#define TMEM_XCHG 10u
#define TMEM_AUTH 101u        /* up to 4.8 */
#define TMEM_RESTORE_NEW 102u /* up to 4.8 */

/* Flags of a new pool; TMEM_POOL_SHARED, which is 2 here as well, is in tmem.h. */
#define TMEM_POOL_PERSIST 1u
#define TMEM_POOL_PRECOMPRESSED 4u
#define TMEM_POOL_PAGESIZE_SHIFT 4
#define TMEM_POOL_PAGESIZE_MASK 0xfu
#define TMEM_POOL_RESERVED_BITS 0x00ffff00u
#define TMEM_POOL_VERSION_SHIFT 24
#define TMEM_POOL_VERSION_MASK 0xffu

/* Two results that no system's errno.h knows. */
#define EFROZEN 1000
#define EEMPTY 1001

/* Most pools of a client, shared pools of a host, and uuids that a client may be authorised for. */
#define TMEM_XEN_POOLS 16u

/* Version 1, of a 64-bit guest: 56 bytes. */
struct tmem_op {
    uint32_t cmd;
    int32_t pool_id;
    union {
        struct {
            uint64_t uuid[2]; /* uuid[0] is the low half */
            uint32_t flags;
            uint32_t arg1; /* AUTH, RESTORE_NEW: whose */
        } creat;           /* NEW_POOL, AUTH, RESTORE_NEW */
        struct {
            uint64_t oid[3];
            uint32_t index;
            uint32_t tmem_offset; /* READ, WRITE: in the stored page, */
            uint32_t pfn_offset;  /* in the guest's frame, */
            uint32_t len;         /* and how many bytes; others ignore all three */
            uint64_t cmfn;        /* the guest's frame */
        } gen;
        struct {
            uint32_t subop;
            uint32_t cli_id;
            uint32_t arg1;
            uint32_t arg2;
            uint64_t oid[3];
            uint64_t buf;
        } ctrl; /* CONTROL */
    } u;
};

/* ------------------------------------------------- what the control domain sends */

#define TMEM_SYSCTL 24u
#define TMEM_CLIENT_ALL 0xffffu

/* All releases. */
#define TMEM_CONTROL_THAW 0u
#define TMEM_CONTROL_FREEZE 1u
#define TMEM_CONTROL_FLUSH 2u
#define TMEM_CONTROL_DESTROY 3u
#define TMEM_CONTROL_LIST 4u
#define TMEM_CONTROL_QUERY_FREEABLE_MB 8u
#define TMEM_CONTROL_SAVE_BEGIN 10u
#define TMEM_CONTROL_SAVE_GET_NEXT_PAGE 19u
#define TMEM_CONTROL_SAVE_GET_NEXT_INV 20u
#define TMEM_CONTROL_SAVE_END 21u
#define TMEM_CONTROL_RESTORE_BEGIN 30u
#define TMEM_CONTROL_RESTORE_PUT_PAGE 32u
#define TMEM_CONTROL_RESTORE_FLUSH_PAGE 33u

/* 4.8 and later; SET_POOLS and SET_AUTH 4.9 and later. */
#define TMEM_CONTROL_GET_CLIENT_INFO 5u
#define TMEM_CONTROL_SET_CLIENT_INFO 6u
#define TMEM_CONTROL_GET_POOLS 7u
#define TMEM_CONTROL_SET_POOLS 9u
#define TMEM_CONTROL_SET_AUTH 11u

/* Up to 4.7. */
#define TMEM_CONTROL_SET_WEIGHT 5u
#define TMEM_CONTROL_SET_CAP 6u
#define TMEM_CONTROL_SET_COMPRESS 7u
#define TMEM_CONTROL_GET_VERSION 11u
#define TMEM_CONTROL_GET_MAXPOOLS 12u
#define TMEM_CONTROL_GET_CLIENT_WEIGHT 13u
#define TMEM_CONTROL_GET_CLIENT_CAP 14u
#define TMEM_CONTROL_GET_CLIENT_FLAGS 15u
#define TMEM_CONTROL_GET_POOL_FLAGS 16u
#define TMEM_CONTROL_GET_POOL_NPAGES 17u
#define TMEM_CONTROL_GET_POOL_UUID 18u

/* TMEM_CONTROL_GET_CLIENT_FLAGS. */
#define TMEM_CLIENT_COMPRESS 1u
#define TMEM_CLIENT_FROZEN 2u

/* The operation of a sysctl: 56 bytes, at offset 8 of struct xen_sysctl. */
struct xen_sysctl_tmem_op {
    uint32_t cmd;
    int32_t pool_id;
    uint32_t cli_id; /* a domain's id, or TMEM_CLIENT_ALL */
    uint32_t len;    /* bytes at buf; up to 4.7 "arg1", a value or bytes */
    uint32_t arg;    /* up to 4.7 "arg2" */
    uint32_t pad;    /* 0 */
    uint64_t oid[3];
    uint64_t buf; /* an address in the caller */
};

/* Flags of struct xen_tmem_client. */
#define XEN_TMEM_CLIENT_FROZEN 1u
#define XEN_TMEM_CLIENT_COMPRESS 2u
#define XEN_TMEM_CLIENT_MIGRATING 4u

struct xen_tmem_client {
    uint32_t version;
    uint32_t maxpools;
    uint32_t nr_pools;
    uint32_t flags;
    uint32_t weight;
};

/* Flags of struct xen_tmem_pool_info: those of a new pool, and this one of SET_AUTH. */
#define XEN_TMEM_POOL_AUTH 4u

struct xen_tmem_pool_info {
    uint32_t flags;
    uint32_t id;
    uint64_t n_pages;
    uint64_t uuid[2];
};

/* In front of each page that is saved. */
struct tmem_handle {
    uint32_t pool_id;
    uint32_t index;
    uint64_t oid[3];
};

/* ------------------------------------------------------------------ the host */

struct tmem_xen;        /* what a hypervisor knows about tmem: its domains, over one store */
struct tmem_xen_domain; /* one of them */

/*
 * What the original took from the boot command line. Start from TMEM_XEN_SETTINGS_INIT; docs/xen-compat.md has the
 * table of the old options.
 */
struct tmem_xen_settings {
    bool is_off;          /* without "tmem": every operation answers -ENODEV */
    bool compress;        /* "tmem_compress": what clients are shown to do at first; the store's codec= decides */
    bool no_shared_auth;  /* up to 4.7, without "tmem_shared_auth": whoever names a shared pool may join it */
    const char *prefix;   /* of the clients' names in the store, PREFIX then the domain's id; NULL: "domain-" */
    uint64_t reserved[4]; /* 0 */
};

#define TMEM_XEN_SETTINGS_INIT     \
    {                              \
        false, false, false, NULL, \
        {                          \
            0u, 0u, 0u, 0u         \
        }                          \
    }

/*
 * tmem_xen_open - a host without domains.
 *
 * @store     of any home; must outlive the host. Clients that are not domains may use it as well.
 * @settings  NULL for the defaults; kept by value, the prefix too.
 *
 * Results: TMEM_OK (the caller ends it with tmem_xen_close()), TMEM_INVALID (also: a prefix longer than 40 bytes, or
 * reserved words that are not 0), TMEM_NOMEM.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_xen_open(struct tmem_store *store,
                                                      const struct tmem_xen_settings *settings,
                                                      struct tmem_xen **xen);

/* tmem_xen_close - end a host with its domains. NULL is legal. No other call of this header may be under way. */
TMEM_API void tmem_xen_close(struct tmem_xen *xen);

/* ------------------------------------------------------------------- domains */

/* The release whose commands, results and LIST keys a domain gets. */
enum tmem_xen_release {
    TMEM_XEN_RELEASE_DEFAULT = 0, /* 4.12 */
    TMEM_XEN_RELEASE_4_0 = 400,
    TMEM_XEN_RELEASE_4_3 = 403,
    TMEM_XEN_RELEASE_4_7 = 407,
    TMEM_XEN_RELEASE_4_12 = 412,
};

/* How the words of an op lie in memory. */
enum tmem_xen_abi {
    TMEM_XEN_ABI_X86_64 = 0,    /* version 1: 56 bytes */
    TMEM_XEN_ABI_I386 = 1,      /* version 1: 52 bytes */
    TMEM_XEN_ABI_X86_64_V0 = 2, /* version 0, of 4.0.0: 40 bytes; to decode old traces */
    TMEM_XEN_ABI_I386_V0 = 3,   /* 36 bytes */
};

/*
 * How the memory of a guest is reached. Called from the thread of the operation, several at once; they must not call
 * functions of this header for the same domain.
 */
struct tmem_xen_guest {
    void *context; /* of the functions below */
    /*
     * Copy bytes from or to an address of the guest: ops, and buffers of control operations. False: it cannot be
     * read, or written; what was copied before that stays. NULL: addresses are this process's own.
     */
    bool (*read)(void *context, uint64_t address, void *to, size_t size_bytes);
    bool (*write)(void *context, uint64_t address, const void *from, size_t size_bytes);
    /*
     * The 4096 bytes of a frame, until unmap() is called with the same frame and address. NULL: there is no such
     * frame, or it may not be written and @for_write. @is_written: it was written to. The bytes may change while they
     * are mapped. NULL functions: no frame is ever there; a NULL unmap() needs nothing.
     */
    void *(*map)(void *context, uint64_t frame, bool for_write);
    void (*unmap)(void *context, uint64_t frame, void *mapping, bool is_written);
};

/* What a domain is created with. Start from TMEM_XEN_DOMAIN_INIT. */
struct tmem_xen_domain_options {
    uint32_t id;          /* below TMEM_CLIENT_ALL; no two of a host */
    uint32_t release;     /* enum tmem_xen_release */
    uint32_t abi;         /* enum tmem_xen_abi, one of version 1 */
    bool is_privileged;   /* may use control operations */
    uint64_t max_pages;   /* most pages of memory that may be charged to it; UINT64_MAX: no limit */
    uint64_t reserved[4]; /* 0 */
    struct tmem_xen_guest guest;
    /* Asked before each operation; false: -EPERM. NULL: all are permitted. With the guest's context. */
    bool (*permits)(void *context);
};

#define TMEM_XEN_DOMAIN_INIT                                                                    \
    {                                                                                           \
        0u, TMEM_XEN_RELEASE_DEFAULT, TMEM_XEN_ABI_X86_64, false, UINT64_MAX, {0u, 0u, 0u, 0u}, \
            {NULL, NULL, NULL, NULL, NULL}, NULL                                                \
    }

/*
 * tmem_xen_domain_create - let a domain in. It becomes a client of the store with its first operation, as in the
 * original.
 *
 * Results: TMEM_OK (ended by tmem_xen_domain_destroy(), or with the host), TMEM_INVALID, TMEM_EXISTS (the id is
 * taken), TMEM_NOMEM.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_xen_domain_create(struct tmem_xen *xen,
                                                               const struct tmem_xen_domain_options *options,
                                                               struct tmem_xen_domain **domain);

/*
 * tmem_xen_domain_kill - a domain is dying: its operations answer -ENODEV from now on, its pools are gone when this
 * returns. Others may go on calling for it meanwhile. Idempotent.
 */
TMEM_API void tmem_xen_domain_kill(struct tmem_xen_domain *domain);

/* tmem_xen_domain_destroy - kill a domain and end its handle. NULL is legal. No call for it may be under way. */
TMEM_API void tmem_xen_domain_destroy(struct tmem_xen_domain *domain);

/*
 * tmem_xen_op - hypercall 38 of a domain.
 *
 * @op  the guest's address of a struct tmem_op, in the domain's layout; read once.
 *
 * Threads: calls for one domain may overlap in any way, those that destroy pools included. A domain's puts, gets and
 * flushes hold each other up only as the store does.
 *
 * Results: those of the domain's release; negative ones are errno values of Linux, EFROZEN and EEMPTY. And -EIO, which
 * the original had not: a persistent page failed its check, or the store's daemon could not be reached.
 */
TMEM_API long tmem_xen_op(struct tmem_xen_domain *domain, const void *op);

/*
 * tmem_xen_sysctl - sysctl 24 of a domain.
 *
 * @op  the domain's address of a struct xen_sysctl_tmem_op, the same for 32-bit callers; read once.
 *
 * Results: -EPERM unless the domain is privileged, else those of its release; -ENOSYS for one before 4.6, whose
 * control operations are command 0 of the hypercall. And -EOPNOTSUPP where the store's home lets its clients do no
 * such thing (a daemon's), -ENOBUFS: a list did not fit, what is in the buffer are the whole lines that did.
 */
TMEM_API long tmem_xen_sysctl(struct tmem_xen_domain *domain, const void *op);

/* ----------------------------------------------------------------- decoding */

/* tmem_xen_op_size - bytes of an op in a layout; 0: there is no such layout. */
TMEM_API size_t tmem_xen_op_size(uint32_t abi);

/*
 * tmem_xen_decode - the op that lies at @bytes in layout @abi, of version 0 as well: its 64-bit objects become
 * oid[0], its last control argument is dropped.
 *
 * False: there is no such layout, or @size_bytes is less than it needs; *op is untouched.
 */
TMEM_API TMEM_MUST_USE bool tmem_xen_decode(uint32_t abi, const void *bytes, size_t size_bytes, struct tmem_op *op);

#ifdef __cplusplus
}
#endif

#endif
