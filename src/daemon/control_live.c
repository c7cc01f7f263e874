/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_live.c - the original's way to save a client while it runs, as its toolstacks went: `save` with `live`, which
 * writes pages that from then on can only go; `save-extra`, which names those that went; and `save-done`.
 *
 * What one question leaves for the next belongs to the connection. In between nobody holds the tenant, which may end
 * meanwhile; its serial tells whether it has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "daemon/control_json.h"
#include "daemon/control_move.h"
#include "daemon/send.h"
#include "daemon/tenant.h"

struct live {
    struct tm_control_kept kept;
    uint64_t serial; /* 0: nothing has begun */
    struct tm_send send;
    struct tm_send_plan plan;
    struct tm_sent sent;
    struct tm_foreign_writer xen;
    struct tm_save_item item;
};

static void end_live(struct tm_control_kept *kept, const struct tm_daemon *daemon)
{
    struct live *live = TM_CONTAINER_OF(kept, struct live, kept);
    if (live->serial != 0) {
        live->send.is_watched = false; /* this ends with the tenant's part */
        tm_tenant_save_end(daemon->tenants, live->serial);
    }
    tm_send_end(&live->send);
    tm_sent_fini(&live->sent);
    free(live);
}

static bool is_wanted(void *user)
{
    return tm_control_is_wanted(user);
}

static bool open_transfer(struct tm_transfer *transfer, struct tm_control_call *call)
{
    *transfer = (struct tm_transfer){.from = -1, .to = -1, .is_wanted = is_wanted, .user = call};
    return tm_move_begin(transfer, call);
}

static json_t *no_descriptor(void)
{
    return tm_control_error(TMEM_INVALID, "where to write has to come along as a descriptor");
}

/* Why what was to be written is of no use. */
static json_t *cannot_write(const struct live *live, const struct tm_transfer *transfer)
{
    char text[TM_SEND_TEXT_SIZE];
    if (live->xen.text[0] != '\0')
        snprintf(text, sizeof text, "%s", live->xen.text);
    else if (live->xen.failed)
        tm_transfer_text(transfer, "the descriptor that came along", text, sizeof text);
    else
        snprintf(text, sizeof text, "%s", live->send.text);
    return tm_control_error(TMEM_UNAVAILABLE, "client '%.64s' stays as it was: %s", live->kept.client, text);
}

/* ---- save ---- */

/* The tenant is held. NULL: it was written, and its pages can only go now; else the answer. */
static json_t *write_first(struct live *live, struct tm_tenants *tenants, struct tm_tenant *tenant,
                           struct tm_transfer *transfer)
{
    live->send.client = tenant->client;
    live->send.plan = &live->plan;
    live->send.xen = &live->xen;
    live->send.sent = &live->sent;
    live->send.changes_max = 1; /* to be watched is what keeps others from saving it; what changes can be seen */
    enum tmem_result result = tm_send_begin(&live->send);
    if (result != TMEM_OK)
        return tm_control_error(result, "client '%.64s': %s", tenant->name, live->send.text);
    live->send.hides_freeze = !tm_tenant_save_begin(tenants, tenant);
    live->serial = tenant->serial;
    bool done = tm_send_round(&live->send, true) && tm_foreign_finish(&live->xen);
    return done ? NULL : cannot_write(live, transfer);
}

json_t *tm_move_save_live(struct tm_control_call *call)
{
    const char *name = tm_control_text(call, "client");
    struct tm_tenants *tenants = call->daemon->tenants;
    struct tm_move_format format;
    struct tm_transfer transfer;
    json_t *refused = tm_move_format(call, &format);
    if (refused != NULL)
        return refused;
    if (!open_transfer(&transfer, call))
        return no_descriptor();
    struct tm_tenant *tenant = tm_tenant_hold(tenants, name);
    struct live *live = tenant != NULL ? calloc(1, sizeof *live) : NULL;
    if (live != NULL) {
        live->kept.end = end_live;
        memcpy(live->kept.client, tenant->name, sizeof live->kept.client);
        tm_foreign_begin(&live->xen, format.generation, tm_transfer_sink, &transfer);
        live->xen.marker = format.marker;
        refused = write_first(live, tenants, tenant, &transfer);
    } else
        refused = tenant != NULL ? tm_control_error(TMEM_NOMEM, "no memory to save a client")
                                 : tm_control_no_client(name);
    if (tenant != NULL)
        tm_tenant_release(tenants, tenant);
    tm_transfer_close(&transfer);
    if (refused != NULL && live != NULL)
        end_live(&live->kept, call->daemon);
    if (refused != NULL)
        return refused;
    tm_control_keep(call, &live->kept);
    return tm_control_ok(json_pack("{s:I, s:I}", "pages", tm_json_number(live->send.pages), "bytes",
                                   tm_json_number(transfer.written)));
}

/* ---- save-extra ---- */

static bool write_gone(void *user, uint64_t pool_id, const struct tm_object_id *object, uint32_t index)
{
    struct live *live = user;
    live->item.kind = TM_SAVE_GONE_PAGE;
    live->item.pool = pool_id;
    memcpy(&live->item.object, object, sizeof live->item.object);
    live->item.index = index;
    live->send.round_pages++;
    return tm_foreign_write(&live->xen, &live->item);
}

static struct live *find_live(struct tm_control_call *call, const char *name)
{
    struct tm_control_kept *kept = tm_control_take_kept(call, end_live, name);
    return kept != NULL ? TM_CONTAINER_OF(kept, struct live, kept) : NULL;
}

static json_t *nothing_is_saved(const char *name)
{
    return tm_control_error(TMEM_NOT_FOUND,
                            "client '%.64s' is not being saved by this connection (ask first: save, with 'live')",
                            name);
}

/* NULL: it was written. */
static json_t *write_extra(struct tm_control_call *call, struct live *live, struct tm_transfer *transfer)
{
    uint32_t marker;
    if (!tm_move_marker(call, TM_XEN_MARKER_EXTRA, &marker))
        return tm_control_error(TMEM_INVALID, "field 'marker': expected 32 bits, such as 4294967290 for -6");
    struct tm_tenant *tenant = tm_tenant_hold(call->daemon->tenants, live->kept.client);
    if (tenant == NULL)
        return tm_control_no_client(live->kept.client);
    json_t *refused = NULL;
    live->send.round_pages = 0;
    if (tenant->serial != live->serial)
        refused = tm_control_error(TMEM_NOT_FOUND, "the client '%.64s' that was saved is gone; this is another",
                                   tenant->name);
    else if (!tm_foreign_begin_extra(&live->xen, marker, tm_transfer_sink, transfer) ||
             !tm_sent_compare(&live->sent, tm_client_of(tenant->client), write_gone, live) ||
             !tm_foreign_finish(&live->xen))
        refused = cannot_write(live, transfer);
    tm_tenant_release(call->daemon->tenants, tenant);
    return refused;
}

json_t *tm_control_save_extra(struct tm_control_call *call)
{
    const char *name = tm_control_text(call, "client");
    struct tm_transfer transfer;
    struct live *live = find_live(call, name);
    if (live == NULL)
        return nothing_is_saved(name);
    bool has_place = open_transfer(&transfer, call);
    json_t *refused = has_place ? write_extra(call, live, &transfer) : no_descriptor();
    tm_transfer_close(&transfer);
    tm_control_keep(call, &live->kept);
    if (refused != NULL)
        return refused;
    return tm_control_ok(json_pack("{s:I, s:I}", "pages", tm_json_number(live->send.round_pages), "bytes",
                                   tm_json_number(transfer.written)));
}

/* ---- save-done ---- */

json_t *tm_control_save_done(struct tm_control_call *call)
{
    const char *name = tm_control_text(call, "client");
    struct live *live = find_live(call, name);
    if (live == NULL)
        return nothing_is_saved(name);
    end_live(&live->kept, call->daemon);
    return tm_control_ok(json_object());
}
