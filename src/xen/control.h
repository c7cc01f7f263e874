/* SPDX-License-Identifier: BSD-2-Clause */
/* control.h - a control operation under way; those on whole clients' states, in control_state.c; to save, in save.c. */
#ifndef TM_XEN_CONTROL_H
#define TM_XEN_CONTROL_H

#include "xen/xen.h"

/* "No such client", "no such operation": the original's -1, which tools see as EPERM. */
#define TM_XEN_NO_SUCH (-1L)

struct tm_xen_request {
    struct tmem_xen_domain *caller;
    uint32_t number;
    uint32_t client; /* a domain's id, or TMEM_CLIENT_ALL */
    int32_t pool_id;
    uint32_t value; /* or bytes at buffer */
    uint32_t extra;
    const uint64_t *oid; /* three words */
    uint64_t buffer;
};

/* Does something to the request's client or to each of all, under the host's lock, which it may give back meanwhile.
 * Results: of the last client; 0 for none of all; TM_XEN_NO_SUCH: there is no such one. */
long tm_xen_for_clients(struct tm_xen_request *request,
                        long (*each)(struct tmem_xen_domain *client, const struct tm_xen_request *request));

/* The flags that say of which kind a pool is, the interface's version among them. */
uint32_t tm_xen_pool_flags(const struct tm_xen_pool *pool);

long tm_xen_get_client_info(struct tm_xen_request *request);
long tm_xen_set_client_info(struct tm_xen_request *request);
long tm_xen_get_pools(struct tm_xen_request *request);
long tm_xen_set_pools(struct tm_xen_request *request);
long tm_xen_set_auth(struct tm_xen_request *request);

/* ---- save.c ---- */

long tm_xen_save_begin(struct tm_xen_request *request);
long tm_xen_save_next_page(struct tm_xen_request *request);
long tm_xen_save_next_invalidated(struct tm_xen_request *request);
long tm_xen_save_end(struct tm_xen_request *request);
long tm_xen_restore_begin(struct tm_xen_request *request);
long tm_xen_restore_page(struct tm_xen_request *request);
long tm_xen_restore_flush(struct tm_xen_request *request);

#endif
