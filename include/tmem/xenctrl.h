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
 *
 * Saving and restoring, of either API; @dom is a domain, and @io_fd is open for reading or writing, a file, pipe or
 * socket of which nobody else uses anything meanwhile. The daemon reads or writes exactly the bytes of its part.
 *
 *   xc_tmem_save          writes @field_marker (-5 to Xen's tools) and the client: settings, pools, persistent pages.
 *                         In the format of the API's time: 4.0's for 200905, 4.8's for 408. With @live the domain runs
 *                         on: until xc_tmem_save_done() or xc_interface_close() its puts only remove pages, and it
 *                         makes no pools. Without, it stands still for the call, and goes on as it was. Answers 1; or
 *                         0 and has written nothing: there is no such client, or it has no pools. EEXIST: it is being
 *                         saved.
 *   xc_tmem_save_extra    after a live save, and when the domain stands still: @field_marker (-6), and which of the
 *                         pages have gone since. 0.
 *   xc_tmem_save_done     ends a live save, by the same handle. Nothing happens where there is none.
 *   xc_tmem_restore       reads what xc_tmem_save() wrote behind its marker, in either format, and makes the client. It
 *                         is called as the environment's TMEM_XENCTRL_CLIENTS says, or "domain-", and the number; who
 *                         comes with its token finds its pages (see `tmem token`). 0; EEXIST: there is such a domain.
 *                         EINVAL: what is read is not whole, or wrong; then there is no client.
 *   xc_tmem_restore_extra by the same handle, reads what xc_tmem_save_extra() wrote behind its marker, and removes
 *                         those pages. 0; EINVAL: as above, but what came before that is removed.
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
#define xc_tmem_save tmem_xc_200905_tmem_save
#define xc_tmem_save_extra tmem_xc_200905_tmem_save_extra
#define xc_tmem_save_done tmem_xc_200905_tmem_save_done
#define xc_tmem_restore tmem_xc_200905_tmem_restore
#define xc_tmem_restore_extra tmem_xc_200905_tmem_restore_extra

/*
 * xc_interface_open, xc_interface_close - connect to the daemon whose control socket TMEM_XENCTRL_SOCKET names in the
 * environment, or else to that which `tmem` asks; and hang up. Results: the descriptor, or 0.
 */
TMEM_XENCTRL_EXPORT int xc_interface_open(void);
TMEM_XENCTRL_EXPORT int xc_interface_close(int xc);

/* xc_tmem_control - a control operation, by its number up to 4.7. Results: the operation's, which is not negative. */
TMEM_XENCTRL_EXPORT int xc_tmem_control(int xc, int32_t pool_id, uint32_t subop, uint32_t cli_id, uint32_t arg1,
                                        uint32_t arg2, void *buf);

/* See above. */
TMEM_XENCTRL_EXPORT int xc_tmem_save(int xc, int dom, int io_fd, int live, int field_marker);
TMEM_XENCTRL_EXPORT int xc_tmem_save_extra(int xc, int dom, int io_fd, int field_marker);
TMEM_XENCTRL_EXPORT void xc_tmem_save_done(int xc, int dom);
TMEM_XENCTRL_EXPORT int xc_tmem_restore(int xc, int dom, int io_fd);
TMEM_XENCTRL_EXPORT int xc_tmem_restore_extra(int xc, int dom, int io_fd);

#elif TMEM_XENCTRL_API == 408

#define xc_interface_open tmem_xc_408_interface_open
#define xc_interface_close tmem_xc_408_interface_close
#define xc_tmem_control tmem_xc_408_tmem_control
#define xc_tmem_control_oid tmem_xc_408_tmem_control_oid
#define xc_tmem_auth tmem_xc_408_tmem_auth
#define xc_tmem_save tmem_xc_408_tmem_save
#define xc_tmem_save_extra tmem_xc_408_tmem_save_extra
#define xc_tmem_save_done tmem_xc_408_tmem_save_done
#define xc_tmem_restore tmem_xc_408_tmem_restore
#define xc_tmem_restore_extra tmem_xc_408_tmem_restore_extra

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

/* See above. */
TMEM_XENCTRL_EXPORT int xc_tmem_save(xc_interface *xch, int dom, int io_fd, int live, int field_marker);
TMEM_XENCTRL_EXPORT int xc_tmem_save_extra(xc_interface *xch, int dom, int io_fd, int field_marker);
TMEM_XENCTRL_EXPORT void xc_tmem_save_done(xc_interface *xch, int dom);
TMEM_XENCTRL_EXPORT int xc_tmem_restore(xc_interface *xch, int dom, int io_fd);
TMEM_XENCTRL_EXPORT int xc_tmem_restore_extra(xc_interface *xch, int dom, int io_fd);

#else
#error "TMEM_XENCTRL_API must be 200905 or 408"
#endif

#ifdef __cplusplus
}
#endif

#endif
