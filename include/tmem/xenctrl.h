/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xenctrl.h - the tmem calls of Xen's library for toolstacks, on a running tmemd: libtmemxenctrl.so asks its control
 * socket. Source that was written for libxenctrl compiles and links without changes to its calls.
 *
 * The calls had other arguments in other years. Define TMEM_XENCTRL_API before including this:
 *
 *   200905   the first version, of May 2009
 *   408      4.0 to 4.12; subops are those of 4.8 (the default)
 *
 * Each name is a macro for a symbol of its own, so parts of one program may be written for either.
 *
 * Clients of the daemon are domains by the number that their names end in: "vm:domain-7" is domain 7. Others are not
 * seen. Numbers of pools are places in a client's list. A client's pages are where it runs, and so is what it was
 * authorised for in between; docs/xen-compat.md says what each operation does here.
 *
 * Calls return -1 and set errno on failure: EPERM for no such client, EACCES where the daemon denies it, ENOTCONN
 * where it has hung up, and otherwise what docs/xen-compat.md says. A handle is used by one thread at a time.
 */
#ifndef TMEM_XENCTRL_H
#define TMEM_XENCTRL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TMEM_XENCTRL_EXPORT __attribute__((visibility("default")))
#else
#define TMEM_XENCTRL_EXPORT
#endif

#ifndef TMEM_XENCTRL_API
#define TMEM_XENCTRL_API 408
#endif

#if TMEM_XENCTRL_API == 200905

#define xc_interface_open tmem_xc_200905_interface_open
#define xc_interface_close tmem_xc_200905_interface_close
#define xc_tmem_control tmem_xc_200905_tmem_control

/*
 * xc_interface_open, xc_interface_close - connect to the daemon whose control socket TMEM_XENCTRL_SOCKET names in the
 * environment, or else to that which `tmem` asks; and hang up. Results: the descriptor, or 0.
 */
TMEM_XENCTRL_EXPORT int xc_interface_open(void);
TMEM_XENCTRL_EXPORT int xc_interface_close(int xc);

/* xc_tmem_control - a control operation, by its number up to 4.7. Results: the operation's, which is not negative. */
TMEM_XENCTRL_EXPORT int xc_tmem_control(int xc, int32_t pool_id, uint32_t subop, uint32_t cli_id, uint32_t arg1,
                                        uint32_t arg2, void *buf);

#elif TMEM_XENCTRL_API == 408

#define xc_interface_open tmem_xc_408_interface_open
#define xc_interface_close tmem_xc_408_interface_close
#define xc_tmem_control tmem_xc_408_tmem_control
#define xc_tmem_control_oid tmem_xc_408_tmem_control_oid
#define xc_tmem_auth tmem_xc_408_tmem_auth

typedef struct tmem_xc_interface xc_interface;

struct xen_tmem_oid {
    uint64_t oid[3];
};

/* As above. Loggers and flags are not looked at; NULL: it cannot be reached. */
TMEM_XENCTRL_EXPORT xc_interface *xc_interface_open(void *logger, void *dombuild_logger, unsigned open_flags);
TMEM_XENCTRL_EXPORT int xc_interface_close(xc_interface *xch);

/*
 * xc_tmem_control, xc_tmem_control_oid - a control operation, by its number since 4.8. With @len and no @buf: EINVAL.
 * No operation here looks at an object.
 */
TMEM_XENCTRL_EXPORT int xc_tmem_control(xc_interface *xch, int32_t pool_id, uint32_t subop, uint32_t cli_id,
                                        uint32_t len, uint32_t arg, void *buf);
TMEM_XENCTRL_EXPORT int xc_tmem_control_oid(xc_interface *xch, int32_t pool_id, uint32_t subop, uint32_t cli_id,
                                            uint32_t len, uint32_t arg, struct xen_tmem_oid oid, void *buf);

/*
 * xc_tmem_auth - let a client share the pool of this name (@enable 1), or no longer (0).
 *
 * @uuid_str  8-4-4-4-12 hexadecimal digits, or a single digit. Others: EINVAL.
 */
TMEM_XENCTRL_EXPORT int xc_tmem_auth(xc_interface *xch, int cli_id, char *uuid_str, int enable);

#else
#error "TMEM_XENCTRL_API must be 200905 or 408"
#endif

#ifdef __cplusplus
}
#endif

#endif
