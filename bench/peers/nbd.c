/* SPDX-License-Identifier: BSD-2-Clause */
/* nbd.c - a disk of a server that speaks NBD over a unix socket, one request at a time. */
#include "peer.h"

#include <libnbd.h>

static bool check(int result, const char *what)
{
    return result == 0 || peer_fail("nbd: %s: %s", what, nbd_get_error());
}

static bool nbd_peer_open(const char *at, uint64_t pages, void **state)
{
    struct nbd_handle *disk = nbd_create();
    *state = disk;
    if (disk == NULL || !check(nbd_connect_unix(disk, at), at))
        return disk != NULL || peer_fail("nbd: %s", nbd_get_error());
    return nbd_get_size(disk) >= (int64_t)(pages * TM_PAGE_BYTES) || peer_fail("nbd: %s is too small", at);
}

static void nbd_peer_close(void *state)
{
    (void)nbd_shutdown(state, 0);
    nbd_close(state);
}

static bool nbd_peer_put(void *state, uint64_t number, const unsigned char *page)
{
    return check(nbd_pwrite(state, page, TM_PAGE_BYTES, number * TM_PAGE_BYTES, 0), "write");
}

static bool nbd_peer_get(void *state, uint64_t number, unsigned char *page)
{
    return check(nbd_pread(state, page, TM_PAGE_BYTES, number * TM_PAGE_BYTES, 0), "read");
}

static bool nbd_peer_drop(void *state, uint64_t number)
{
    return check(nbd_trim(state, TM_PAGE_BYTES, number * TM_PAGE_BYTES, 0), "trim");
}

static const struct peer_kind nbd_kind = {
    .name = "nbd",
    .at = "SOCKET",
    .open = nbd_peer_open,
    .close = nbd_peer_close,
    .put = nbd_peer_put,
    .get = nbd_peer_get,
    .drop = nbd_peer_drop,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &nbd_kind);
}
