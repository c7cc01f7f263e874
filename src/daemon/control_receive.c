/* SPDX-License-Identifier: BSD-2-Clause */
/* control_receive.c - the verbs `restore` and `receive`: a client comes out of a descriptor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/client.h"
#include "daemon/control_json.h"
#include "daemon/control_move.h"
#include "daemon/events.h"
#include "daemon/receive.h"
#include "daemon/tenant.h"

/* Progress is told after so many pages. */
#define TELL_EVERY 4096u

struct taking {
    struct tm_control_call *call;
    struct tm_transfer transfer;
    struct tm_move_format format;
    struct tm_save_reader reader;
    struct tm_foreign_reader foreign; /* instead of it, where the format says so */
    bool is_part;
    struct restored *restored; /* of a part, until it is kept */
    struct tm_receive receive;
    struct tm_save_item item;
    uint64_t told_pages;
    enum tmem_result result;
    char text[2u * TM_RECEIVE_TEXT_SIZE];
    uint64_t until_ns; /* after which nothing is waited for; 0: ever */
};

static bool is_wanted(void *user)
{
    const struct taking *taking = user;
    return (taking->until_ns == 0 || tm_now_ns() < taking->until_ns) && tm_control_is_wanted(taking->call);
}

static bool refuse(struct taking *taking, enum tmem_result result, const char *text)
{
    taking->result = result;
    snprintf(taking->text, sizeof taking->text, "%s", text);
    return false;
}

/* False: nobody wants it any more. */
static bool tell_progress(struct taking *taking)
{
    if (taking->receive.pages - taking->told_pages < TELL_EVERY)
        return true;
    taking->told_pages = taking->receive.pages;
    return tm_control_say(taking->call, json_pack("{s:I, s:I}", "pages", tm_json_number(taking->receive.pages), "bytes",
                                                  tm_json_number(taking->transfer.read))) ||
           refuse(taking, TMEM_UNAVAILABLE, "nobody waits for it any more");
}

/* What the original's format has no place for: who may come as this client. */
static bool complete(struct taking *taking)
{
    struct tm_save_client *client = &taking->item.client;
    client->uid = (uint32_t)geteuid();
    return getrandom(client->token, sizeof client->token, 0) == (ssize_t)sizeof client->token ||
           refuse(taking, TMEM_UNAVAILABLE, "this system gives no random numbers for its token");
}

static const char *text_of(const struct taking *taking)
{
    return taking->format.is_xen ? taking->foreign.text : taking->reader.text;
}

static bool open_reader(struct taking *taking)
{
    struct tm_transfer *transfer = &taking->transfer;
    if (!taking->format.is_xen)
        return tm_save_open(&taking->reader, tm_transfer_source, transfer) ||
               refuse(taking, TMEM_INVALID, taking->reader.text);
    if (taking->is_part)
        tm_foreign_open_part(&taking->foreign, taking->format.generation, tm_transfer_source, transfer);
    else
        tm_foreign_open(&taking->foreign, taking->format.generation, tm_transfer_source, transfer);
    taking->receive.is_raw = true;
    return true;
}

static enum tm_save_answer next_item(struct taking *taking)
{
    return taking->format.is_xen ? tm_foreign_read(&taking->foreign, &taking->item)
                                 : tm_save_read(&taking->reader, &taking->item);
}

/* All of it. False: the result and the text say why; nothing has changed for anybody. */
static bool take_items(struct taking *taking)
{
    enum tm_save_answer answer = TM_SAVE_BROKEN;
    if (!open_reader(taking))
        return false;
    while ((answer = next_item(taking)) == TM_SAVE_ITEM) {
        if (taking->format.is_xen && taking->item.kind == TM_SAVE_CLIENT && !complete(taking))
            return false;
        enum tmem_result result = tm_receive_item(&taking->receive, &taking->item);
        if (result != TMEM_OK)
            return refuse(taking, result, taking->receive.text);
        if (!tell_progress(taking))
            return false;
    }
    if (answer == TM_SAVE_ENDED)
        return true;
    if (taking->transfer.error != 0 || !is_wanted(taking)) {
        tm_transfer_text(&taking->transfer, "the descriptor that came along", taking->text, sizeof taking->text);
        taking->result = TMEM_UNAVAILABLE;
        return false;
    }
    return refuse(taking, TMEM_INVALID, text_of(taking));
}

/* ---- publishing ---- */

/* A client that came as a part, until the connection ends: where the stream's pools are. */
struct restored {
    struct tm_control_kept kept;
    uint64_t serial;
    uint32_t known;                      /* a bit for each number that the stream gave a pool, */
    uint64_t pools[TM_XEN_STREAM_POOLS]; /* which has this id here */
};

static void end_restored(struct tm_control_kept *kept, const struct tm_daemon *daemon)
{
    (void)daemon;
    free(TM_CONTAINER_OF(kept, struct restored, kept));
}

/* NULL: no memory. */
static struct restored *remember(const struct tm_receive *receive)
{
    struct restored *restored = calloc(1, sizeof *restored);
    if (restored == NULL)
        return NULL;
    restored->kept.end = end_restored;
    for (size_t i = 0; i < receive->pool_count; i++) {
        uint64_t number = receive->pools[i].id - 1u;
        restored->known |= 1u << number;
        restored->pools[number] = tmem_pool_id(receive->pools[i].pool);
    }
    return restored;
}

/* Whoever came first: what follows is for this one. */
static void keep_restored(struct taking *taking, const char *name)
{
    struct tm_tenants *tenants = taking->call->daemon->tenants;
    struct tm_tenant *tenant = tm_tenant_hold(tenants, name);
    if (tenant == NULL)
        return;
    taking->restored->serial = tenant->serial;
    memcpy(taking->restored->kept.client, tenant->name, sizeof tenant->name);
    tm_control_keep(taking->call, &taking->restored->kept);
    taking->restored = NULL;
    tm_tenant_release(tenants, tenant);
}

/* From here on everybody sees it. */
static bool publish(struct taking *taking)
{
    struct tm_wire_token token;
    struct tmem_client *client;
    struct tmem_client_stats stats;
    const struct tm_save_client *settings = &taking->receive.settings;
    enum tmem_result result = tm_receive_finish(&taking->receive, &client);
    if (result != TMEM_OK)
        return refuse(taking, result, taking->receive.text);
    memcpy(token.bytes, settings->token, sizeof token.bytes);
    result = tmem_client_stats(client, &stats, sizeof stats);
    if (result == TMEM_OK && taking->is_part && (taking->restored = remember(&taking->receive)) == NULL)
        result = TMEM_NOMEM;
    if (result == TMEM_OK)
        result = tm_tenant_adopt(taking->call->daemon->tenants, client, stats.name, (uid_t)settings->uid, &token,
                                 taking->receive.pools, taking->receive.pool_count);
    if (result != TMEM_OK) {
        tmem_client_destroy(client);
        return refuse(taking, result, "no memory for the client");
    }
    tm_events_add(taking->call->daemon->events, TM_EVENT_CLIENT_RECEIVED, stats.name, taking->receive.pages,
                  taking->receive.dropped, NULL);
    snprintf(taking->text, sizeof taking->text, "%s", stats.name);
    if (taking->restored != NULL)
        keep_restored(taking, stats.name);
    return true;
}

/* ---- pages that went while the client was saved ---- */

/* Whether the page is there makes no difference; nor does whether its pool is still. */
static bool remove_page(struct taking *taking, const struct restored *restored, const struct tm_tenant *tenant)
{
    const struct tm_save_item *item = &taking->item;
    struct tm_member *member = tm_pool_borrow(tm_client_of(tenant->client), restored->pools[item->pool - 1u]);
    if (member == NULL)
        return true;
    enum tmem_result result =
        tmem_invalidate_page((struct tmem_pool *)(void *)member, &item->object, item->index);
    tm_pool_return(member);
    taking->receive.pages += result == TMEM_OK;
    return result == TMEM_OK || result == TMEM_MISS || refuse(taking, result, tmem_result_text(result));
}

/* Page by page: what has come before something is wrong has gone all the same. */
static bool remove_pages(struct taking *taking, const struct restored *restored, const struct tm_tenant *tenant)
{
    enum tm_save_answer answer;
    tm_foreign_open_extra(&taking->foreign, restored->known, tm_transfer_source, &taking->transfer);
    while ((answer = tm_foreign_read(&taking->foreign, &taking->item)) == TM_SAVE_ITEM)
        if (!remove_page(taking, restored, tenant))
            return false;
    return answer == TM_SAVE_ENDED || refuse(taking, TMEM_INVALID, taking->foreign.text);
}

static bool restore_extra(struct taking *taking, const struct restored *restored)
{
    struct tm_tenants *tenants = taking->call->daemon->tenants;
    struct tm_tenant *tenant = tm_tenant_hold(tenants, restored->kept.client);
    bool is_it = tenant != NULL && tenant->serial == restored->serial;
    bool done = is_it ? remove_pages(taking, restored, tenant)
                      : refuse(taking, TMEM_NOT_FOUND, "the client that was restored is gone");
    if (tenant != NULL)
        tm_tenant_release(tenants, tenant);
    return done;
}

/* ---- the verbs ---- */

static json_t *begin(struct tm_control_call *call, struct taking *taking)
{
    memset(taking, 0, sizeof *taking);
    taking->call = call;
    taking->receive.store = call->daemon->store;
    taking->receive.name = tm_control_text(call, "as");
    taking->is_part = tm_control_switch(call, "part");
    json_t *refused = tm_move_format(call, &taking->format);
    if (refused != NULL)
        return refused;
    if (taking->format.is_xen && taking->receive.name == NULL)
        return tm_control_error(TMEM_INVALID, "the original's format has no name (give the client one: --as NAME)");
    taking->transfer.is_wanted = is_wanted;
    taking->transfer.user = taking;
    if (tm_move_begin(&taking->transfer, call))
        return NULL;
    return tm_control_error(TMEM_INVALID, "where to read has to come along as a descriptor");
}

static json_t *end(struct taking *taking, bool done)
{
    tm_save_close(&taking->reader);
    tm_receive_abandon(&taking->receive);
    tm_transfer_close(&taking->transfer);
    free(taking->restored);
    if (!done)
        return tm_control_error(taking->result, "nothing was restored: %s", taking->text);
    /* Of a client whose program never got one: who shows it is that program. */
    json_t *token = taking->format.is_xen ? tm_json_of_token(taking->receive.settings.token) : NULL;
    return tm_control_ok(json_pack("{s:s, s:I, s:I, s:I, s:o*}", "client", taking->text, "pages",
                                   tm_json_number(taking->receive.pages), "dropped",
                                   tm_json_number(taking->receive.dropped), "bytes",
                                   tm_json_number(taking->transfer.read), "token", token));
}

json_t *tm_control_restore(struct tm_control_call *call)
{
    struct taking taking;
    json_t *refused = begin(call, &taking);
    if (refused != NULL)
        return refused;
    bool done = take_items(&taking) && publish(&taking);
    return end(&taking, done);
}

json_t *tm_control_restore_extra(struct tm_control_call *call)
{
    struct taking taking = {.call = call};
    const char *name = tm_control_text(call, "client");
    struct tm_control_kept *kept = tm_control_take_kept(call, end_restored, name);
    if (kept == NULL)
        return tm_control_error(TMEM_NOT_FOUND, "client '%.64s' was not restored by this connection (ask first: "
                                                "restore, with 'part')",
                                name);
    taking.transfer = (struct tm_transfer){.is_wanted = is_wanted, .user = &taking};
    bool has_source = tm_move_begin(&taking.transfer, call);
    bool done = has_source && restore_extra(&taking, TM_CONTAINER_OF(kept, struct restored, kept));
    tm_transfer_close(&taking.transfer);
    tm_control_keep(call, kept);
    if (!has_source)
        return tm_control_error(TMEM_INVALID, "where to read has to come along as a descriptor");
    if (!done)
        return tm_control_error(taking.result, "client '%.64s': %s", name, taking.text);
    return tm_control_ok(json_pack("{s:I}", "pages", tm_json_number(taking.receive.pages)));
}

/* The source decides whether it is given away. */
static bool wait_for_go(struct taking *taking)
{
    char text[TM_RECEIVE_TEXT_SIZE];
    taking->until_ns = tm_now_ns() + TM_MOVE_LINE_NS;
    if (!tm_move_say(&taking->transfer, json_pack("{s:b}", "ready", 1)))
        return refuse(taking, TMEM_UNAVAILABLE, "the other daemon is gone");
    json_t *heard = tm_move_hear(&taking->transfer, "go", text, sizeof text);
    json_decref(heard);
    return heard != NULL || refuse(taking, TMEM_UNAVAILABLE, text);
}

json_t *tm_control_receive(struct tm_control_call *call)
{
    struct taking taking;
    json_t *refused = begin(call, &taking);
    if (refused != NULL)
        return refused;
    bool done = take_items(&taking) && wait_for_go(&taking) && publish(&taking);
    json_t *line = done ? json_pack("{s:b, s:s, s:s}", "done", 1, "client", taking.text, "socket", call->daemon->socket)
                        : json_pack("{s:s}", "error", taking.text);
    /* Whether it arrives or not: the client is here, or it is not. */
    (void)tm_move_say(&taking.transfer, line);
    return end(&taking, done);
}
