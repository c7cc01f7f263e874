/* SPDX-License-Identifier: BSD-2-Clause */
/* control_receive.c - the verbs `restore` and `receive`: a client comes out of a descriptor. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

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
    return true;
}

/* ---- the verbs ---- */

static json_t *begin(struct tm_control_call *call, struct taking *taking)
{
    memset(taking, 0, sizeof *taking);
    taking->call = call;
    taking->receive.store = call->daemon->store;
    taking->receive.name = tm_control_text(call, "as");
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

/* Of a client whose program never got one: who shows it is that program. NULL: no memory. */
static json_t *token_text(const struct taking *taking)
{
    const unsigned char *token = taking->receive.settings.token;
    char text[2u * TM_SAVE_TOKEN_BYTES + 1u];
    for (unsigned i = 0; i < TM_SAVE_TOKEN_BYTES; i++)
        snprintf(&text[2u * i], 3, "%02x", token[i]);
    return json_string(text);
}

static json_t *end(struct taking *taking, bool done)
{
    tm_save_close(&taking->reader);
    tm_receive_abandon(&taking->receive);
    tm_transfer_close(&taking->transfer);
    if (!done)
        return tm_control_error(taking->result, "nothing was restored: %s", taking->text);
    json_t *token = taking->format.is_xen ? token_text(taking) : NULL;
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
