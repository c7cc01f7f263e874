/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.c - the exported functions, of each year; <tmem/xenctrl.h> maps the names of the calls to them. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <tmem/xenctrl.h>

#include "xenctrl/xenctrl.h"

struct tmem_xc_interface {
    struct tmem_daemon *daemon;
};

/* ---- results ---- */

static int answer(long result)
{
    if (result >= 0)
        return result < INT_MAX ? (int)result : INT_MAX;
    errno = (int)-result;
    return -1;
}

static int perform(struct tm_xc_request *request)
{
    if (request->daemon == NULL)
        return answer(-EBADF);
    return answer(request->value > 0 && request->buffer == NULL ? -EINVAL : tm_xc_perform(request));
}

/* ---- connections ---- */

static struct tmem_daemon *connect_daemon(void)
{
    struct tmem_daemon *daemon;
    enum tmem_result result = tmem_daemon_open(getenv("TMEM_XENCTRL_SOCKET"), &daemon, NULL);
    if (result == TMEM_OK)
        return daemon;
    errno = result == TMEM_DENIED ? EACCES : result == TMEM_NOMEM ? ENOMEM
                                                                  : ENOTCONN;
    return NULL;
}

xc_interface *xc_interface_open(void *logger, void *dombuild_logger, unsigned open_flags)
{
    struct tmem_daemon *daemon = connect_daemon();
    (void)logger;
    (void)dombuild_logger;
    (void)open_flags;
    xc_interface *xch = daemon != NULL ? malloc(sizeof *xch) : NULL;
    if (xch == NULL) {
        tmem_daemon_close(daemon);
        return NULL;
    }
    xch->daemon = daemon;
    return xch;
}

int xc_interface_close(xc_interface *xch)
{
    if (xch == NULL)
        return 0;
    tmem_daemon_close(xch->daemon);
    free(xch);
    return 0;
}

/* ---- 4.0 to 4.12 ---- */

int xc_tmem_control(xc_interface *xch, int32_t pool_id, uint32_t subop, uint32_t cli_id, uint32_t len, uint32_t arg,
                    void *buf)
{
    struct tm_xc_request request = {xch != NULL ? xch->daemon : NULL, false, subop, cli_id, pool_id, len, arg, buf};
    return perform(&request);
}

int xc_tmem_control_oid(xc_interface *xch, int32_t pool_id, uint32_t subop, uint32_t cli_id, uint32_t len,
                        uint32_t arg, struct xen_tmem_oid oid, void *buf)
{
    (void)oid;
    return xc_tmem_control(xch, pool_id, subop, cli_id, len, arg, buf);
}

/* A digit's value; 16: it is none. */
static unsigned hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return found != NULL ? (unsigned)(found - digits) : 16u;
}

/* 8-4-4-4-12 digits, the upper half first; or one digit. */
static bool parse_uuid(const char *text, uint64_t uuid[2])
{
    unsigned digits = 0;
    uuid[0] = uuid[1] = 0;
    for (unsigned i = 0; text[i] != 0; i++) {
        bool is_dash_place = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash_place && text[i] == '-')
            continue;
        unsigned digit = hex_digit(text[i]);
        if (is_dash_place || digit > 15 || digits == 32)
            return false;
        uint64_t *half = digits < 16 ? &uuid[1] : &uuid[0];
        *half = *half << 4 | digit;
        digits++;
    }
    if (digits == 1) {
        uuid[0] = uuid[1];
        uuid[1] = 0;
    }
    return digits == 32 || digits == 1;
}

int xc_tmem_auth(xc_interface *xch, int cli_id, char *uuid_str, int enable)
{
    struct tm_xc_request request = {.daemon = xch != NULL ? xch->daemon : NULL,
                                    .client = (uint32_t)cli_id & TMEM_CLIENT_ALL};
    uint64_t uuid[2];
    if (request.daemon == NULL)
        return answer(-EBADF);
    if (uuid_str == NULL || !parse_uuid(uuid_str, uuid))
        return answer(-EINVAL);
    return answer(tm_xc_authorise(&request, uuid, enable != 0));
}

int xc_tmem_save(xc_interface *xch, int dom, int io_fd, int live, int field_marker)
{
    return answer(tm_xc_save(xch != NULL ? xch->daemon : NULL, dom, io_fd, false, live != 0, field_marker));
}

int xc_tmem_save_extra(xc_interface *xch, int dom, int io_fd, int field_marker)
{
    return answer(tm_xc_save_extra(xch != NULL ? xch->daemon : NULL, dom, io_fd, field_marker));
}

void xc_tmem_save_done(xc_interface *xch, int dom)
{
    tm_xc_save_done(xch != NULL ? xch->daemon : NULL, dom);
}

int xc_tmem_restore(xc_interface *xch, int dom, int io_fd)
{
    return answer(tm_xc_restore(xch != NULL ? xch->daemon : NULL, dom, io_fd));
}

int xc_tmem_restore_extra(xc_interface *xch, int dom, int io_fd)
{
    return answer(tm_xc_restore_extra(xch != NULL ? xch->daemon : NULL, dom, io_fd));
}

/* ---- May 2009: a descriptor is a place in a table ---- */

#define DESCRIPTORS 64

static struct tmem_daemon *table[DESCRIPTORS];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

TMEM_XENCTRL_EXPORT int tmem_xc_200905_interface_open(void);
TMEM_XENCTRL_EXPORT int tmem_xc_200905_interface_close(int xc);
TMEM_XENCTRL_EXPORT int tmem_xc_200905_tmem_control(int xc, int32_t pool_id, uint32_t subop, uint32_t cli_id,
                                                    uint32_t arg1, uint32_t arg2, void *buf);
TMEM_XENCTRL_EXPORT int tmem_xc_200905_tmem_save(int xc, int dom, int io_fd, int live, int field_marker);
TMEM_XENCTRL_EXPORT int tmem_xc_200905_tmem_save_extra(int xc, int dom, int io_fd, int field_marker);
TMEM_XENCTRL_EXPORT void tmem_xc_200905_tmem_save_done(int xc, int dom);
TMEM_XENCTRL_EXPORT int tmem_xc_200905_tmem_restore(int xc, int dom, int io_fd);
TMEM_XENCTRL_EXPORT int tmem_xc_200905_tmem_restore_extra(int xc, int dom, int io_fd);

/* NULL: the descriptor is none. Takes it out of the table if it is to be closed. */
static struct tmem_daemon *find(int xc, bool closes)
{
    if (xc < 0 || xc >= DESCRIPTORS)
        return NULL;
    pthread_mutex_lock(&table_lock);
    struct tmem_daemon *daemon = table[xc];
    if (closes)
        table[xc] = NULL;
    pthread_mutex_unlock(&table_lock);
    return daemon;
}

int tmem_xc_200905_interface_open(void)
{
    struct tmem_daemon *daemon = connect_daemon();
    int xc = 0;
    if (daemon == NULL)
        return -1;
    pthread_mutex_lock(&table_lock);
    while (xc < DESCRIPTORS && table[xc] != NULL)
        xc++;
    if (xc < DESCRIPTORS)
        table[xc] = daemon;
    pthread_mutex_unlock(&table_lock);
    if (xc < DESCRIPTORS)
        return xc;
    tmem_daemon_close(daemon);
    return answer(-EMFILE);
}

int tmem_xc_200905_interface_close(int xc)
{
    struct tmem_daemon *daemon = find(xc, true);
    if (daemon == NULL)
        return answer(-EBADF);
    tmem_daemon_close(daemon);
    return 0;
}

/* Only a list has a buffer of so many bytes; of others the first argument may be a value. */
int tmem_xc_200905_tmem_control(int xc, int32_t pool_id, uint32_t subop, uint32_t cli_id, uint32_t arg1, uint32_t arg2,
                                void *buf)
{
    struct tm_xc_request request = {find(xc, false), true, subop, cli_id, pool_id, arg1, arg2, buf};
    bool has_buffer = subop == TMEM_CONTROL_LIST || subop == TMEM_CONTROL_GET_POOL_UUID;
    if (request.daemon == NULL)
        return answer(-EBADF);
    return answer(has_buffer && arg1 > 0 && buf == NULL ? -ENOMEM : tm_xc_perform(&request));
}

int tmem_xc_200905_tmem_save(int xc, int dom, int io_fd, int live, int field_marker)
{
    return answer(tm_xc_save(find(xc, false), dom, io_fd, true, live != 0, field_marker));
}

int tmem_xc_200905_tmem_save_extra(int xc, int dom, int io_fd, int field_marker)
{
    return answer(tm_xc_save_extra(find(xc, false), dom, io_fd, field_marker));
}

void tmem_xc_200905_tmem_save_done(int xc, int dom)
{
    tm_xc_save_done(find(xc, false), dom);
}

int tmem_xc_200905_tmem_restore(int xc, int dom, int io_fd)
{
    return answer(tm_xc_restore(find(xc, false), dom, io_fd));
}

int tmem_xc_200905_tmem_restore_extra(int xc, int dom, int io_fd)
{
    return answer(tm_xc_restore_extra(find(xc, false), dom, io_fd));
}
