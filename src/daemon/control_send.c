/* SPDX-License-Identifier: BSD-2-Clause */
/* control_send.c - the verbs `save` and `migrate`: a client goes into a descriptor while it runs. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/control_json.h"
#include "daemon/control_move.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/send.h"
#include "daemon/tenant.h"

/* The client stands still for the last round; this leaves room for the other daemon's answer within 50 ms. */
#define STOP_NS (25u * 1000u * 1000u)
#define ROUNDS_MAX 30u

struct sending {
    struct tm_control_call *call;
    struct tm_tenants *tenants;
    struct tm_tenant *tenant;
    struct tm_transfer transfer;
    struct tm_move_format format;
    struct tm_save_writer writer;
    struct tm_foreign_writer xen;
    struct tm_send_plan plan;
    struct tm_send send;
    bool is_paused;
    uint64_t paused_ns; /* when; then for how long */
    uint64_t until_ns;  /* after which nothing is waited for, while it is paused */
    char text[TM_SEND_TEXT_SIZE];
};

static bool is_wanted(void *user)
{
    struct sending *sending = user;
    if (sending->is_paused && tm_now_ns() > sending->until_ns)
        return false;
    return tm_control_is_wanted(sending->call) && !tm_tenant_is_ending(sending->tenants, sending->tenant);
}

static void pause_client(struct sending *sending)
{
    tm_tenant_pause(sending->tenant);
    sending->paused_ns = tm_now_ns();
    sending->until_ns = sending->paused_ns + TM_MOVE_LINE_NS;
    sending->is_paused = true;
}

static void go_on(struct sending *sending)
{
    if (!sending->is_paused)
        return;
    tm_tenant_go_on(sending->tenants, sending->tenant);
    sending->paused_ns = tm_now_ns() - sending->paused_ns;
    sending->is_paused = false;
}

static bool tell_progress(struct sending *sending)
{
    const struct tm_send *send = &sending->send;
    return tm_control_say(sending->call,
                          json_pack("{s:I, s:I, s:I, s:I}", "round", (json_int_t)send->round, "pages",
                                    tm_json_number(send->pages), "bytes", tm_json_number(sending->transfer.written),
                                    "round_pages", tm_json_number(send->round_pages)));
}

/* Why a round failed: the writer only knows that it did. */
static bool explain(struct sending *sending)
{
    const struct tm_foreign_writer *xen = &sending->xen;
    if (xen->text[0] != '\0')
        snprintf(sending->text, sizeof sending->text, "%s", xen->text);
    else if (!sending->writer.failed && !xen->failed)
        snprintf(sending->text, sizeof sending->text, "%s", sending->send.text);
    else
        tm_transfer_text(&sending->transfer, "the descriptor that came along", sending->text, sizeof sending->text);
    return false;
}

/* Everything, the client standing still at the end. */
static bool send_rounds(struct sending *sending)
{
    do {
        if (!tm_send_round(&sending->send, false))
            return explain(sending);
        if (!tell_progress(sending)) {
            snprintf(sending->text, sizeof sending->text, "nobody waits for it any more");
            return false;
        }
    } while (!tm_send_is_ready(&sending->send));
    pause_client(sending);
    return tm_send_round(&sending->send, true) || explain(sending);
}

/* What takes long is waited for as long as something is taken. */
static bool xen_sink(void *user, const void *bytes, size_t size)
{
    struct sending *sending = user;
    sending->until_ns = tm_now_ns() + TM_MOVE_LINE_NS;
    return tm_transfer_sink(&sending->transfer, bytes, size);
}

/* The original's format cannot say what changes: the client stands still for all of it. */
static bool send_xen(struct sending *sending)
{
    struct tm_send *send = &sending->send;
    tm_foreign_begin(&sending->xen, sending->format.generation, xen_sink, sending);
    sending->xen.marker = sending->format.marker;
    send->xen = &sending->xen;
    if (tm_send_begin(send) != TMEM_OK)
        return explain(sending);
    pause_client(sending);
    return (tm_send_round(send, true) && tm_foreign_finish(&sending->xen)) || explain(sending);
}

static bool send_own(struct sending *sending)
{
    uint64_t salt;
    if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt)
        salt = tm_now_ns();
    bool done = tm_save_begin(&sending->writer, TM_SAVE_STREAM, salt, tm_transfer_sink, &sending->transfer);
    done = done && tm_send_begin(&sending->send) == TMEM_OK;
    if (!done)
        (void)explain(sending);
    done = done && send_rounds(sending);
    bool is_written = tm_save_finish(&sending->writer, done);
    return done && (is_written || explain(sending));
}

static bool send_client(struct sending *sending)
{
    struct tm_send *send = &sending->send;
    send->client = sending->tenant->client;
    send->writer = &sending->writer;
    send->plan = &sending->plan;
    send->uid = (uint32_t)sending->tenant->uid;
    memcpy(send->token, sending->tenant->token.bytes, sizeof send->token);
    bool done = sending->format.is_xen ? send_xen(sending) : send_own(sending);
    tm_send_end(send);
    return done;
}

/* ---- the verbs ---- */

static json_t *answer(struct sending *sending, bool done)
{
    const struct tm_send *send = &sending->send;
    if (!done)
        return tm_control_error(TMEM_UNAVAILABLE, "client '%.64s' stays as it was: %s", sending->tenant->name,
                                sending->text);
    return tm_control_ok(json_pack("{s:I, s:I, s:I, s:I}", "rounds", (json_int_t)send->round, "pages",
                                   tm_json_number(send->pages), "bytes", tm_json_number(sending->transfer.written),
                                   "paused_ns", tm_json_number(sending->paused_ns)));
}

static json_t *begin(struct tm_control_call *call, struct sending *sending)
{
    const char *name = tm_control_text(call, "client");
    *sending = (struct sending){.call = call, .tenants = call->daemon->tenants};
    sending->plan = (struct tm_send_plan){.stop_ns = STOP_NS, .rounds_max = ROUNDS_MAX};
    (void)tm_control_number(call, "ephemeral_bytes", &sending->plan.ephemeral_bytes);
    (void)tm_control_number(call, "ephemeral_ms", &sending->plan.ephemeral_ns);
    sending->plan.ephemeral_ns = tm_min_u64(sending->plan.ephemeral_ns, UINT32_MAX) * 1000000u;
    json_t *refused = tm_move_format(call, &sending->format);
    if (refused != NULL)
        return refused;
    if (sending->format.is_xen && sending->plan.ephemeral_bytes != 0)
        return tm_control_error(TMEM_INVALID, "the original's format takes no ephemeral pages (try: --ephemeral none)");
    sending->transfer.is_wanted = is_wanted;
    sending->transfer.user = sending;
    if (!tm_move_begin(&sending->transfer, call))
        return tm_control_error(TMEM_INVALID, "where to write has to come along as a descriptor");
    sending->tenant = tm_tenant_hold(sending->tenants, name);
    if (sending->tenant != NULL)
        return NULL;
    tm_transfer_close(&sending->transfer);
    return tm_control_no_client(name);
}

json_t *tm_control_save(struct tm_control_call *call)
{
    struct sending sending;
    if (tm_control_switch(call, "live"))
        return tm_move_save_live(call);
    json_t *refused = begin(call, &sending);
    if (refused != NULL)
        return refused;
    bool done = send_client(&sending);
    go_on(&sending);
    json_t *result = answer(&sending, done);
    tm_tenant_release(sending.tenants, sending.tenant);
    tm_transfer_close(&sending.transfer);
    return result;
}

/* Who shows the client's token here is sent there: to a socket of this machine. */
static void redirect(struct sending *sending, const json_t *done)
{
    const char *socket = json_string_value(json_object_get(done, "socket"));
    if (!tm_control_switch(sending->call, "redirect") || socket == NULL || socket[0] != '/' ||
        strlen(socket) >= TM_WIRE_PATH_BYTES)
        return;
    tm_forwards_add(sending->call->daemon->forwards, &sending->tenant->token, socket);
}

/* The other daemon has all of it: agree on whose the client is from now on. */
static bool hand_over(struct sending *sending)
{
    json_t *heard = tm_move_hear(&sending->transfer, "ready", sending->text, sizeof sending->text);
    json_decref(heard);
    if (heard == NULL)
        return false;
    if (!tm_move_say(&sending->transfer, json_pack("{s:b}", "go", 1))) {
        tm_transfer_text(&sending->transfer, "the other daemon", sending->text, sizeof sending->text);
        return false;
    }
    heard = tm_move_hear(&sending->transfer, "done", sending->text, sizeof sending->text);
    if (heard != NULL)
        redirect(sending, heard);
    json_decref(heard);
    return heard != NULL;
}

json_t *tm_control_migrate(struct tm_control_call *call)
{
    struct sending sending;
    char name[TMEM_CLIENT_NAME_SIZE];
    uint64_t pages;
    json_t *refused = begin(call, &sending);
    if (refused != NULL)
        return refused;
    bool done = send_client(&sending) && hand_over(&sending);
    if (!done && sending.writer.failed && sending.transfer.error != 0) {
        sending.transfer.error = 0; /* of writing: who stopped reading may have said why */
        json_decref(tm_move_hear(&sending.transfer, "ready", sending.text, sizeof sending.text));
    }
    memcpy(name, sending.tenant->name, sizeof name);
    if (done)
        sending.paused_ns = tm_now_ns() - sending.paused_ns;
    else
        go_on(&sending);
    json_t *result = answer(&sending, done);
    tm_tenant_release(sending.tenants, sending.tenant);
    tm_transfer_close(&sending.transfer);
    if (done)
        (void)tm_tenant_doom(sending.tenants, name, &pages);
    tm_events_add(call->daemon->events, TM_EVENT_CLIENT_MOVED, name, sending.send.pages, sending.paused_ns,
                  done ? "done" : "failed");
    return result;
}
