/* SPDX-License-Identifier: BSD-2-Clause */
/* send.c - see send.h. */
#include "daemon/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "daemon/daemon.h"

/* Changes of so many chunks of 64 pages are noted in a round: 2.6 MiB, twice, and once more here. */
#define CHANGES (UINT32_C(1) << 15)
#define KEYS 64u

static bool failed(struct tm_send *send, const char *what)
{
    snprintf(send->text, sizeof send->text, "%s", what);
    return false;
}

enum tmem_result tm_send_begin(struct tm_send *send)
{
    if (send->changes_max == 0)
        send->changes_max = CHANGES;
    send->changes = calloc(send->changes_max, sizeof *send->changes);
    send->ephemeral_left = send->plan->ephemeral_bytes;
    send->ephemeral_until_ns = send->plan->ephemeral_ns == 0 ? UINT64_MAX : tm_now_ns() + send->plan->ephemeral_ns;
    enum tm_result result = TM_NOMEM;
    if (send->changes != NULL)
        result = tm_dirty_begin(tm_client_of(send->client), send->changes_max);
    send->is_watched = result == TM_OK;
    if (result == TM_NOMEM)
        (void)failed(send, "no memory to note what changes meanwhile");
    else if (result != TM_OK)
        (void)failed(send, "it is being saved or moved already, or a shared pool of its is (try again later)");
    return (enum tmem_result)result;
}

void tm_send_end(struct tm_send *send)
{
    if (send->is_watched)
        tm_dirty_end(tm_client_of(send->client));
    send->is_watched = false;
    free(send->changes);
    free(send->pools);
    send->changes = NULL;
    send->pools = NULL;
}

/* ---- items ---- */

static bool write_item(struct tm_send *send)
{
    bool is_xen = send->xen != NULL;
    bool done = is_xen ? tm_foreign_write(send->xen, &send->item) : tm_save_write(send->writer, &send->item);
    bool is_refused = is_xen && send->xen->text[0] != '\0';
    return done || failed(send, is_refused ? send->xen->text : "what was to be written could not be");
}

static bool write_client(struct tm_send *send)
{
    struct tm_save_client *client = &send->item.client;
    send->item.kind = TM_SAVE_CLIENT;
    client->uid = send->uid;
    memcpy(client->token, send->token, sizeof client->token);
    if (tmem_client_stats(send->client, &client->stats, sizeof client->stats) != TMEM_OK)
        return failed(send, "the client has no statistics");
    client->stats.frozen = send->hides_freeze ? 0 : client->stats.frozen;
    return write_item(send);
}

static bool write_rights(struct tm_send *send)
{
    struct tm_uuid uuid;
    for (unsigned n = 0; tm_client_right(tm_client_of(send->client), n, &uuid); n++) {
        send->item.kind = TM_SAVE_RIGHT;
        memcpy(&send->item.right, &uuid, sizeof uuid);
        if (!write_item(send))
            return false;
    }
    return true;
}

/* As it is stored; the original's format takes it as it is. */
static enum tmem_result read_page(struct tm_send *send, struct tmem_pool *pool)
{
    struct tm_save_item *item = &send->item;
    if (send->xen == NULL)
        return tmem_get_stored(pool, &item->object, item->index, &item->page);
    item->page.codec = TMEM_CODEC_RAW;
    item->page.size_bytes = TMEM_PAGE_SIZE;
    return tmem_get(pool, &item->object, item->index, item->page.bytes, TMEM_GET_INCLUSIVE);
}

/* A page as it is now. @changed: it may have been written before, and if it is gone this has to be said. */
static bool write_page(struct tm_send *send, struct tm_member *member, uint64_t pool, bool is_ephemeral,
                       const struct tm_object_id *object, uint32_t index, bool changed)
{
    struct tm_save_item *item = &send->item;
    item->pool = pool;
    memcpy(&item->object, object, sizeof item->object);
    item->index = index;
    item->kind = TM_SAVE_PAGE;
    enum tmem_result result = read_page(send, (struct tmem_pool *)(void *)member);
    tm_pool_uncount_get(member, result == TMEM_OK);
    if (result == TMEM_CORRUPT) {
        snprintf(send->text, sizeof send->text,
                 "page %" PRIu32 " of object %" PRIx64 "-%" PRIx64 "-%" PRIx64 " in pool %" PRIu64
                 " is damaged (its client has to put or invalidate it first)",
                 index, object->word[2], object->word[1], object->word[0], pool);
        return false;
    }
    bool is_there = result == TMEM_OK;
    if (is_there && is_ephemeral) {
        is_there = item->page.size_bytes <= send->ephemeral_left &&
                   (send->ephemeral_until_ns == UINT64_MAX || tm_now_ns() < send->ephemeral_until_ns);
        send->ephemeral_left -= is_there ? item->page.size_bytes : 0;
    }
    if (!is_there && !changed)
        return true;
    send->round_pages++;
    if (!is_there)
        item->kind = TM_SAVE_GONE_PAGE;
    else {
        send->pages++;
        send->bytes += item->page.size_bytes;
        if (send->sent != NULL && !tm_sent_add(send->sent, pool, object, index))
            return failed(send, "no memory to note which pages were written");
    }
    return write_item(send);
}

/* ---- pools ---- */

static bool is_announced(const struct tm_send *send, uint64_t id)
{
    for (uint32_t i = 0; i < send->pool_count; i++)
        if (send->pools[i] == id)
            return true;
    return false;
}

static bool announce(struct tm_send *send, const struct tmem_pool_stats *stats)
{
    if (send->pool_count == send->pool_capacity) {
        uint32_t capacity = send->pool_capacity * 2u + 16u;
        uint64_t *pools = realloc(send->pools, capacity * sizeof *pools);
        if (pools == NULL)
            return failed(send, "no memory for the list of pools");
        send->pools = pools;
        send->pool_capacity = capacity;
    }
    send->pools[send->pool_count++] = stats->id;
    send->item.kind = TM_SAVE_POOL;
    send->item.of_pool = *stats;
    return write_item(send);
}

static bool write_gone_pool(struct tm_send *send, uint32_t at)
{
    send->item.kind = TM_SAVE_GONE_POOL;
    send->item.pool = send->pools[at];
    send->pools[at] = send->pools[--send->pool_count];
    return write_item(send);
}

/* How often pages were asked for, from the hottest class to the coldest. */
static const struct {
    unsigned least, most;
} heats[] = {{8, UINT32_MAX}, {4, 7}, {2, 3}, {1, 1}, {0, 0}};

/* All pages of a pool; of an ephemeral one those of one class. A pool that goes meanwhile has no more. */
static bool write_pages(struct tm_send *send, const struct tmem_pool_stats *stats, unsigned heat)
{
    uint64_t position[4] = {0};
    bool is_ephemeral = (stats->flags & TMEM_POOL_PERSISTENT) == 0;
    bool more = true;
    while (more) {
        struct tm_page_key keys[KEYS];
        size_t count = 0;
        bool done = true;
        struct tm_member *member = tm_pool_borrow(tm_client_of(send->client), stats->id);
        if (member == NULL)
            return true;
        more = tm_pool_walk(member, position, keys, KEYS, &count);
        for (size_t i = 0; done && i < count; i++) {
            unsigned at = is_ephemeral ? tm_page_heat(member, &keys[i].object, keys[i].index) : 0;
            if (!is_ephemeral || (at >= heats[heat].least && at <= heats[heat].most))
                done = write_page(send, member, stats->id, is_ephemeral, &keys[i].object, keys[i].index, false);
        }
        tm_pool_return(member);
        if (!done)
            return false;
    }
    return true;
}

/* Again, with what was counted until now. */
static bool write_counts(struct tm_send *send, const struct tmem_pool_stats *stats)
{
    send->item.kind = TM_SAVE_POOL;
    send->item.of_pool = *stats;
    return write_item(send);
}

enum stage {
    STAGE_NEW,       /* announces pools, and takes all of private persistent ones that are new */
    STAGE_EPHEMERAL, /* all of private ephemeral ones */
    STAGE_SHARED,    /* all of shared persistent ones */
    STAGE_COUNTS,    /* what happened in each until now */
};

static bool write_pool(struct tm_send *send, const struct tmem_pool_stats *stats, enum stage stage, unsigned heat)
{
    bool is_persistent = (stats->flags & TMEM_POOL_PERSISTENT) != 0;
    bool is_shared = (stats->flags & TMEM_POOL_SHARED) != 0;
    switch (stage) {
    case STAGE_NEW:
        if (is_announced(send, stats->id))
            return true;
        return announce(send, stats) && (is_shared || !is_persistent || write_pages(send, stats, 0));
    case STAGE_EPHEMERAL:
        return is_persistent || is_shared || !is_announced(send, stats->id) || write_pages(send, stats, heat);
    case STAGE_SHARED:
        return !is_persistent || !is_shared || write_pages(send, stats, 0);
    case STAGE_COUNTS:
        return write_counts(send, stats);
    }
    return true;
}

static bool write_pools(struct tm_send *send, enum stage stage, unsigned heat)
{
    struct tmem_pool_stats stats = {.id = 0};
    while (tmem_client_next_pool(send->client, stats.id, &stats, sizeof stats) == TMEM_OK)
        if (!write_pool(send, &stats, stage, heat))
            return false;
    return true;
}

/* The hottest class first, of all pools. */
static bool write_ephemeral(struct tm_send *send)
{
    bool done = true;
    for (unsigned heat = 0; done && send->ephemeral_left != 0 && heat < TM_ARRAY_SIZE(heats); heat++)
        done = write_pools(send, STAGE_EPHEMERAL, heat);
    return done;
}

/* Says which pools are gone; or that all are, so that they begin anew. */
static bool write_gone_pools(struct tm_send *send, bool all)
{
    for (uint32_t i = send->pool_count; i-- > 0;) {
        struct tm_member *member = all ? NULL : tm_pool_borrow(tm_client_of(send->client), send->pools[i]);
        if (member != NULL)
            tm_pool_return(member);
        else if (!write_gone_pool(send, i))
            return false;
    }
    return true;
}

/* ---- changes ---- */

/* A pool that is gone has been said to be, or will be. */
static bool write_change(struct tm_send *send, const struct tm_change *change)
{
    bool done = true;
    struct tm_pool_figures figures;
    struct tm_member *member = tm_pool_borrow(tm_client_of(send->client), change->pool_id);
    if (member == NULL)
        return true;
    tm_pool_figures(member, &figures);
    bool is_ephemeral = (figures.flags & TM_POOL_PERSISTENT) == 0;
    bool is_wanted = is_announced(send, change->pool_id) && (figures.flags & TM_POOL_SHARED) == 0 &&
                     (!is_ephemeral || send->plan->ephemeral_bytes != 0);
    for (uint32_t i = 0; done && is_wanted && i < 64u; i++)
        if ((change->pages >> i & 1u) != 0)
            done = write_page(send, member, change->pool_id, is_ephemeral, &change->object, change->first + i, true);
    tm_pool_return(member);
    return done;
}

static bool write_changes(struct tm_send *send)
{
    uint32_t count;
    send->item.kind = TM_SAVE_ROUND;
    send->item.round = send->round;
    if (!write_item(send) || !write_client(send))
        return false;
    bool complete = tm_dirty_take(tm_client_of(send->client), send->changes, send->changes_max, &count);
    if (!write_gone_pools(send, !complete))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!write_change(send, &send->changes[i]))
            return false;
    return write_rights(send) && write_pools(send, STAGE_NEW, 0);
}

bool tm_send_round(struct tm_send *send, bool last)
{
    uint64_t begun_ns = tm_now_ns();
    send->earlier_pages = send->round_pages;
    send->round_pages = 0;
    bool done = true;
    if (send->round == 0)
        done = write_client(send) && write_rights(send) && write_pools(send, STAGE_NEW, 0) && write_ephemeral(send);
    else
        done = write_changes(send);
    done = done && (!last || (write_pools(send, STAGE_SHARED, 0) && write_pools(send, STAGE_COUNTS, 0)));
    if (done && send->xen == NULL)
        done = tm_save_flush(send->writer) || failed(send, "what was to be written could not be");
    send->round++;
    send->round_ns = tm_now_ns() - begun_ns;
    return done;
}

bool tm_send_is_ready(const struct tm_send *send)
{
    if (send->round == 0)
        return false;
    bool is_short = send->round_ns <= send->plan->stop_ns;
    bool is_vain = send->round > 3 && send->round_pages > send->earlier_pages / 10u * 9u;
    return is_short || is_vain || send->round >= send->plan->rounds_max;
}
