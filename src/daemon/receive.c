/* SPDX-License-Identifier: BSD-2-Clause */
/* receive.c - see receive.h. */
#include "daemon/receive.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tmem/control.h>

#include "client/client.h"

TM_PRINTF(3, 4)
static enum tmem_result failed(struct tm_receive *receive, enum tmem_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(receive->text, sizeof receive->text, format, arguments);
    va_end(arguments);
    return result;
}

/* Room for one element more. */
static bool has_room(void **elements, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity * 2u + 16u;
    void *more = realloc(*elements, wanted * bytes);
    if (more == NULL)
        return false;
    *elements = more;
    *capacity = wanted;
    return true;
}

/* ---- the client ---- */

static enum tmem_result make_client(struct tm_receive *receive, const struct tm_save_client *settings)
{
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    const char *name = receive->name != NULL ? receive->name : settings->stats.name;
    options.weight = settings->stats.weight;
    options.cap_bytes = settings->stats.cap_bytes;
    enum tmem_result result = tmem_client_create(receive->store, name, &options, &receive->client);
    if (result == TMEM_OK)
        return TMEM_OK;
    receive->client = NULL;
    if (result == TMEM_EXISTS)
        return failed(receive, result, "a client '%s' exists already (choose another name: --as NAME)", name);
    return failed(receive, result, "client '%s': %s", name, tmem_result_text(result));
}

static enum tmem_result take_client(struct tm_receive *receive, const struct tm_save_client *settings)
{
    enum tmem_result result = TMEM_OK;
    receive->right_count = 0; /* all of them follow */
    if (receive->client == NULL)
        result = make_client(receive, settings);
    else {
        result = tmem_client_set_weight(receive->client, settings->stats.weight);
        if (result == TMEM_OK)
            result = tmem_client_set_cap(receive->client, settings->stats.cap_bytes);
        if (result != TMEM_OK)
            (void)failed(receive, result, "the client's settings: %s", tmem_result_text(result));
    }
    if (result == TMEM_OK && receive->is_raw && settings->stats.uncompressed != 0)
        result = tmem_client_set_compress(receive->client, false);
    receive->settings = *settings;
    return result;
}

static enum tmem_result take_right(struct tm_receive *receive, const struct tmem_uuid *uuid)
{
    if (!has_room((void **)&receive->rights, receive->right_count, &receive->right_capacity, sizeof *uuid))
        return failed(receive, TMEM_NOMEM, "no memory for the client's rights");
    receive->rights[receive->right_count++] = *uuid;
    return TMEM_OK;
}

/* ---- pools ---- */

static struct tm_receive_pool *pool_of(struct tm_receive *receive, uint64_t id)
{
    for (size_t i = receive->pool_count; i-- > 0;)
        if (receive->pools[i].id == id)
            return &receive->pools[i];
    return NULL;
}

static enum tmem_result take_pool(struct tm_receive *receive, const struct tmem_pool_stats *stats)
{
    struct tm_receive_pool *known = pool_of(receive, stats->id);
    if (known != NULL && known->flags != stats->flags)
        return failed(receive, TMEM_INVALID, "pool %" PRIu64 " twice, of different kinds", stats->id);
    if (known != NULL) {
        known->counters = stats->counters;
        return TMEM_OK;
    }
    if (!has_room((void **)&receive->pools, receive->pool_count, &receive->pool_capacity, sizeof *receive->pools))
        return failed(receive, TMEM_NOMEM, "no memory for the list of pools");
    struct tm_receive_pool pool = {
        .id = stats->id, .uuid = stats->uuid, .flags = stats->flags, .counters = stats->counters};
    if ((stats->flags & TMEM_POOL_SHARED) == 0) {
        enum tmem_result result = tmem_pool_create(receive->client, stats->flags, NULL, &pool.pool);
        if (result != TMEM_OK)
            return failed(receive, result, "pool %" PRIu64 ": %s", stats->id, tmem_result_text(result));
    }
    receive->pools[receive->pool_count++] = pool;
    return TMEM_OK;
}

/* A member need not have the right any more that it once had: it is lent for as long as joining takes. */
static enum tmem_result join(struct tm_receive *receive, struct tm_receive_pool *pool)
{
    if (pool->pool != NULL)
        return TMEM_OK;
    bool may = false;
    for (size_t i = 0; i < receive->right_count; i++)
        may = may || memcmp(&receive->rights[i], &pool->uuid, sizeof pool->uuid) == 0;
    enum tmem_result result = tmem_client_authorise(receive->client, &pool->uuid);
    if (result == TMEM_OK)
        result = tmem_pool_create(receive->client, pool->flags, &pool->uuid, &pool->pool);
    if (result != TMEM_OK)
        pool->pool = NULL;
    if (result == TMEM_OK && !may)
        result = tmem_client_deauthorise(receive->client, &pool->uuid);
    if (result == TMEM_OK)
        return TMEM_OK;
    if (result == TMEM_INVALID)
        return failed(receive, TMEM_REFUSED, "the shared pool %016" PRIx64 "%016" PRIx64 " is of the other kind here",
                      pool->uuid.word[1], pool->uuid.word[0]);
    return failed(receive, result, "a shared pool: %s", tmem_result_text(result));
}

static void end_pool(struct tm_receive *receive, struct tm_receive_pool *pool)
{
    size_t after = receive->pool_count - (size_t)(pool - receive->pools) - 1u;
    tmem_pool_destroy(pool->pool);
    memmove(pool, pool + 1, after * sizeof *pool);
    receive->pool_count--;
}

/* ---- pages ---- */

/* A shared pool belongs to all who are in it already: what it has there stays. */
static bool is_there(struct tm_receive_pool *pool, const struct tm_save_item *item)
{
    struct tmem_stored stored;
    return (pool->flags & TMEM_POOL_SHARED) != 0 &&
           tmem_get_stored(pool->pool, &item->object, item->index, &stored) != TMEM_MISS;
}

static enum tmem_result take_page(struct tm_receive *receive, struct tm_receive_pool *pool,
                                  const struct tm_save_item *item)
{
    enum tmem_result result = join(receive, pool);
    if (result != TMEM_OK || is_there(pool, item))
        return result;
    if (receive->is_raw)
        result = tmem_put(pool->pool, &item->object, item->index, item->page.bytes, TMEM_PUT_PLAIN);
    else
        result = tmem_put_stored(pool->pool, &item->object, item->index, &item->page, TMEM_PUT_PLAIN);
    if (result == TMEM_OK) {
        receive->pages++;
        return TMEM_OK;
    }
    if ((pool->flags & TMEM_POOL_PERSISTENT) == 0 && (result == TMEM_REFUSED || result == TMEM_NOMEM)) {
        receive->dropped++;
        return TMEM_OK;
    }
    switch (result) {
    case TMEM_REFUSED:
        return failed(receive, result, "there is no room for its persistent pages (try: a larger size of the store)");
    case TMEM_INVALID:
        return failed(receive, result, "a page does not match its checksum, or is none");
    case TMEM_UNSUPPORTED:
        return failed(receive, result, "a page in codec %u, which this build does not have", item->page.codec);
    default:
        return failed(receive, result, "a page: %s", tmem_result_text(result));
    }
}

/* Whether there was something makes no difference. */
static enum tmem_result gone(struct tm_receive *receive, enum tmem_result result)
{
    if (result == TMEM_OK || result == TMEM_MISS)
        return TMEM_OK;
    return failed(receive, result, "a page that is gone: %s", tmem_result_text(result));
}

static enum tmem_result take_of_pool(struct tm_receive *receive, const struct tm_save_item *item)
{
    struct tm_receive_pool *pool = pool_of(receive, item->pool);
    if (pool == NULL)
        return failed(receive, TMEM_INVALID, "pool %" PRIu64 " was not announced", item->pool);
    if (item->kind == TM_SAVE_PAGE)
        return take_page(receive, pool, item);
    if (item->kind == TM_SAVE_GONE_POOL) {
        end_pool(receive, pool);
        return TMEM_OK;
    }
    if (pool->pool == NULL || (pool->flags & TMEM_POOL_SHARED) != 0)
        return TMEM_OK; /* what others share is not the stream's to remove */
    return gone(receive, tmem_invalidate_page(pool->pool, &item->object, item->index));
}

enum tmem_result tm_receive_item(struct tm_receive *receive, const struct tm_save_item *item)
{
    switch (item->kind) {
    case TM_SAVE_CLIENT:
        return take_client(receive, &item->client);
    case TM_SAVE_RIGHT:
        return take_right(receive, &item->right);
    case TM_SAVE_POOL:
        return take_pool(receive, &item->of_pool);
    case TM_SAVE_PAGE:
    case TM_SAVE_GONE_PAGE:
    case TM_SAVE_GONE_POOL:
        return take_of_pool(receive, item);
    case TM_SAVE_ROUND:
    case TM_SAVE_END:
        return TMEM_OK;
    }
    return failed(receive, TMEM_INVALID, "an item of kind %d", (int)item->kind);
}

/* ---- the end ---- */

/* What happened there goes on here; what happened while it came is forgotten. A shared pool has a past of its own. */
static void set_past(struct tm_receive *receive)
{
    const struct tmem_client_stats *stats = &receive->settings.stats;
    tm_client_set_past(tm_client_of(receive->client), stats->charged_max_bytes, stats->evicted_for_others);
    for (size_t i = 0; i < receive->pool_count; i++) {
        const struct tmem_counters *counters = &receive->pools[i].counters;
        const struct tm_page_counts past = {
            .pages_max = counters->pages_max,
            .puts = counters->puts,
            .puts_replaced = counters->puts_replaced,
            .puts_refused = counters->puts_refused,
            .puts_dropped_old = counters->puts_dropped_old,
            .gets = counters->gets,
            .gets_found = counters->gets_found,
            .gets_corrupt = counters->gets_corrupt,
            .invalidates = counters->invalidates,
            .invalidates_found = counters->invalidates_found,
            .object_invalidates = counters->object_invalidates,
            .object_invalidates_found = counters->object_invalidates_found,
            .evicted = counters->evicted,
        };
        if ((receive->pools[i].flags & TMEM_POOL_SHARED) == 0)
            tm_pool_set_past(tm_member_of(receive->pools[i].pool), &past);
    }
}

enum tmem_result tm_receive_finish(struct tm_receive *receive, struct tmem_client **client)
{
    enum tmem_result result = TMEM_OK;
    if (receive->client == NULL)
        return failed(receive, TMEM_INVALID, "there is no client in it");
    for (size_t i = 0; result == TMEM_OK && i < receive->pool_count; i++)
        result = join(receive, &receive->pools[i]);
    for (size_t i = 0; result == TMEM_OK && i < receive->right_count; i++)
        if (tmem_client_authorise(receive->client, &receive->rights[i]) != TMEM_OK)
            result = failed(receive, TMEM_NOMEM, "no memory for the client's rights");
    if (result == TMEM_OK && receive->settings.stats.uncompressed != 0)
        result = tmem_client_set_compress(receive->client, false);
    if (result == TMEM_OK && receive->settings.stats.frozen != 0)
        result = tmem_client_freeze(receive->client);
    if (result != TMEM_OK)
        return result;
    set_past(receive);
    *client = receive->client;
    receive->client = NULL;
    return TMEM_OK;
}

void tm_receive_abandon(struct tm_receive *receive)
{
    tmem_client_destroy(receive->client);
    free(receive->rights);
    free(receive->pools);
    receive->client = NULL;
    receive->rights = NULL;
    receive->pools = NULL;
}
