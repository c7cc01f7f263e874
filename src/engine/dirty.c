/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dirty.c - which pages of a client change, for one that is saved or moved while it runs.
 *
 * A change is noted under the lock of the index bucket under which it is made. Whoever takes the note and then looks
 * for the page therefore finds what the change left, or something newer that is noted again; and a change that is
 * made after a walk has passed its bucket sees that it is to be noted.
 *
 * Notes are an open hash table of chunks, with a bit for each page, and room for so many as were asked for: a client
 * that changes more in one round is copied as a whole again.
 */
#include "engine/engine_internal.h"

#define LOAD_MAX(capacity) ((capacity) / 4u * 3u)
#define CHANGES_MIN 64u
#define CHANGES_MAX (UINT32_C(1) << 26)

struct tm_dirty_set {
    uint32_t used;
    bool overflowed;
    struct tm_change changes[]; /* pages == 0: free */
};

/* What a client that is watched has. */
struct tm_dirty {
    uint32_t capacity; /* of each set; a power of two */
    struct tm_dirty_set *now;
    struct tm_dirty_set *spare; /* empty, but while it is being taken */
};

static size_t set_bytes(uint32_t capacity)
{
    return sizeof(struct tm_dirty_set) + (size_t)capacity * sizeof(struct tm_change);
}

static struct tm_dirty_set *make_set(const struct tm_host *host, uint32_t capacity)
{
    struct tm_dirty_set *set = host->alloc(host->user, set_bytes(capacity));
    if (set != NULL)
        memset(set, 0, set_bytes(capacity));
    return set;
}

static void free_dirty(struct tm_engine *engine, struct tm_dirty *dirty)
{
    const struct tm_host *host = &engine->host;
    if (dirty->now != NULL)
        host->free(host->user, dirty->now, set_bytes(dirty->capacity));
    if (dirty->spare != NULL)
        host->free(host->user, dirty->spare, set_bytes(dirty->capacity));
    tm_store_add_metadata(engine->store, -(int64_t)(2 * set_bytes(dirty->capacity)));
    host->free(host->user, dirty, sizeof *dirty);
}

/* NULL: no memory. */
static struct tm_dirty *make_dirty(struct tm_engine *engine, uint32_t changes)
{
    const struct tm_host *host = &engine->host;
    struct tm_dirty *dirty = host->alloc(host->user, sizeof *dirty);
    if (dirty == NULL)
        return NULL;
    dirty->capacity = CHANGES_MIN;
    while (LOAD_MAX(dirty->capacity) < changes && dirty->capacity < CHANGES_MAX)
        dirty->capacity *= 2u;
    dirty->now = make_set(host, dirty->capacity);
    dirty->spare = make_set(host, dirty->capacity);
    tm_store_add_metadata(engine->store, (int64_t)(2 * set_bytes(dirty->capacity)));
    if (dirty->now != NULL && dirty->spare != NULL)
        return dirty;
    free_dirty(engine, dirty);
    return NULL;
}

/* ---- who is watched; control lock ---- */

/* False: somebody else watches it. */
bool tm_dirty_watch(struct tm_client *client, struct tm_pool *pool)
{
    struct tm_client *watcher = tm_load_relaxed(&pool->watcher);
    if (watcher == NULL)
        tm_store_release(&pool->watcher, client);
    return watcher == NULL || watcher == client;
}

void tm_dirty_unwatch(struct tm_client *client, struct tm_pool *pool)
{
    if (tm_load_relaxed(&pool->watcher) == client)
        tm_store_release(&pool->watcher, (struct tm_client *)NULL);
}

static bool watch_all(struct tm_client *client)
{
    bool done = true;
    for (struct tm_member *member = client->members; done && member != NULL; member = member->next_of_client)
        done = tm_dirty_watch(client, member->pool);
    if (!done)
        for (struct tm_member *member = client->members; member != NULL; member = member->next_of_client)
            tm_dirty_unwatch(client, member->pool);
    return done;
}

enum tm_result tm_dirty_begin(struct tm_client *client, uint32_t changes)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_engine *engine = client->engine;
    struct tm_dirty *dirty = make_dirty(engine, changes);
    if (dirty == NULL)
        return TM_NOMEM;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    bool is_first = client->dirty == NULL;
    if (is_first) {
        tm_lock_acquire(&client->dirty_lock, TM_LOCK_dirty);
        client->dirty = dirty;
        tm_lock_release(&client->dirty_lock, TM_LOCK_dirty);
    }
    bool done = is_first && watch_all(client);
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (is_first && !done)
        tm_dirty_end(client);
    else if (!done)
        free_dirty(engine, dirty);
    return done ? TM_OK : TM_EXISTS;
}

void tm_dirty_end(struct tm_client *client)
{
    struct tm_engine *engine = client->engine;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    for (struct tm_member *member = client->members; member != NULL; member = member->next_of_client)
        tm_dirty_unwatch(client, member->pool);
    tm_lock_acquire(&client->dirty_lock, TM_LOCK_dirty);
    struct tm_dirty *dirty = client->dirty;
    client->dirty = NULL;
    tm_lock_release(&client->dirty_lock, TM_LOCK_dirty);
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (dirty != NULL)
        free_dirty(engine, dirty);
}

void tm_dirty_fini(struct tm_client *client)
{
    if (client->dirty != NULL)
        free_dirty(client->engine, client->dirty);
    client->dirty = NULL;
}

/* ---- notes ---- */

static bool is_chunk(const struct tm_change *change, uint64_t pool_id, const uint64_t object[3], uint32_t first)
{
    return change->pool_id == pool_id && change->first == first && change->object.word[0] == object[0] &&
           change->object.word[1] == object[1] && change->object.word[2] == object[2];
}

static void enter(struct tm_dirty *dirty, uint64_t pool_id, uint32_t hash, const uint64_t object[3], uint32_t first,
                  uint64_t pages)
{
    struct tm_dirty_set *set = dirty->now;
    uint32_t at = hash & (dirty->capacity - 1u);
    while (set->changes[at].pages != 0 && !is_chunk(&set->changes[at], pool_id, object, first))
        at = (at + 1u) & (dirty->capacity - 1u);
    struct tm_change *change = &set->changes[at];
    if (change->pages == 0 && set->used >= LOAD_MAX(dirty->capacity)) {
        set->overflowed = true;
        return;
    }
    if (change->pages == 0) {
        set->used++;
        change->pool_id = pool_id;
        memcpy(change->object.word, object, sizeof change->object.word);
        change->first = first;
    }
    change->pages |= pages;
}

void tm_dirty_enter(struct tm_client *watcher, const struct tm_pool *pool, uint32_t hash, const uint64_t object[3],
                    uint32_t number, uint64_t pages)
{
    tm_lock_acquire(&watcher->dirty_lock, TM_LOCK_dirty);
    if (watcher->dirty != NULL && pages != 0)
        enter(watcher->dirty, pool->id, hash, object, TM_INDEX_OF_CHUNK(number), pages);
    tm_lock_release(&watcher->dirty_lock, TM_LOCK_dirty);
}

bool tm_dirty_take(struct tm_client *client, struct tm_change *changes, uint32_t capacity, uint32_t *count)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_dirty *dirty = client->dirty;
    TM_ASSERT(dirty != NULL);
    tm_lock_acquire(&client->dirty_lock, TM_LOCK_dirty);
    struct tm_dirty_set *set = dirty->now;
    dirty->now = dirty->spare;
    dirty->spare = set;
    tm_lock_release(&client->dirty_lock, TM_LOCK_dirty);
    bool complete = !set->overflowed && set->used <= capacity;
    *count = 0;
    for (uint32_t i = 0; complete && i < dirty->capacity; i++)
        if (set->changes[i].pages != 0)
            changes[(*count)++] = set->changes[i];
    memset(set, 0, set_bytes(dirty->capacity));
    return complete;
}
