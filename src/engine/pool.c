/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c - pools coming and going, private and shared, and who is a member of which. */
#include "engine/engine_internal.h"

struct tm_pool *tm_pool_at(const struct tm_engine *engine, uint32_t number)
{
    return tm_load_acquire(&engine->pools[number / TM_DIRECTORY][number % TM_DIRECTORY]);
}

/* ---- memory ---- */

/* Enters new memory in the directory; control lock held. @spare: a directory, taken if needed. */
static bool enter_number(struct tm_engine *engine, struct tm_pool *pool, struct tm_pool ***spare)
{
    uint32_t number = engine->pools_next;
    uint32_t high = number / TM_DIRECTORY;
    if (high >= TM_DIRECTORY)
        return false;
    if (engine->pools[high] == NULL) {
        if (*spare == NULL)
            return false;
        engine->pools[high] = *spare;
        *spare = NULL;
    }
    pool->number = number;
    tm_store_release(&engine->pools[high][number % TM_DIRECTORY], pool);
    tm_store_release(&engine->pools_next, number + 1u);
    return true;
}

static size_t pool_bytes(const struct tm_engine *engine)
{
    return sizeof(struct tm_pool) + tm_tally_shards(engine) * sizeof(struct tm_tallies);
}

static struct tm_pool *new_memory(struct tm_engine *engine)
{
    struct tm_host *host = &engine->host;
    size_t directory_bytes = TM_DIRECTORY * sizeof(struct tm_pool *);
    struct tm_pool *pool = host->alloc(host->user, pool_bytes(engine));
    struct tm_pool **spare = host->alloc(host->user, directory_bytes);
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    bool done = pool != NULL && enter_number(engine, pool, &spare);
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (spare != NULL)
        host->free(host->user, spare, directory_bytes);
    if (done) {
        pool->engine = engine;
        tm_store_add_metadata(engine->store, (int64_t)pool_bytes(engine));
        return pool;
    }
    if (pool != NULL)
        host->free(host->user, pool, pool_bytes(engine));
    return NULL;
}

/* A pool's memory with its number, from one that ended or new. */
static struct tm_pool *get_memory(struct tm_engine *engine)
{
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    struct tm_pool *pool = engine->pools_free;
    if (pool != NULL)
        engine->pools_free = pool->next_free;
    tm_lock_release(&engine->control, TM_LOCK_control);
    return pool != NULL ? pool : new_memory(engine);
}

static void give_memory(struct tm_pool *pool)
{
    struct tm_engine *engine = pool->engine;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    pool->next_free = engine->pools_free;
    engine->pools_free = pool;
    tm_lock_release(&engine->control, TM_LOCK_control);
}

/* A page in the store takes about this much: for how many the sketch is made. */
#define BYTES_PER_PAGE 1536u

/* With the first ephemeral pool: persistent pages are never evicted. Without memory pages are merely evicted by age. */
static void start_sketch(struct tm_engine *engine)
{
    if (tm_exchange(&engine->sketch_started, 1u) != 0)
        return;
    /* A store may be given more than its arena can ever hold. */
    uint64_t bytes = tm_min_u64(tm_store_size(engine->store), engine->host.arena_bytes[TM_ARENA_EPHEMERAL]);
    if (tm_sketch_start(&engine->sketch, &engine->host, bytes / BYTES_PER_PAGE))
        tm_store_add_metadata(engine->store, (int64_t)engine->sketch.bytes);
    else
        tm_store_release(&engine->sketch_started, 0u);
}

/* Makes sure that an account has a heap. Two may try at once: the second gives its own back. */
static bool get_heap(struct tm_engine *engine, struct tm_account *account, enum tm_arena_kind kind, uint64_t domain)
{
    if (tm_load_acquire(&account->heap) != NULL)
        return true;
    if (kind == TM_ARENA_EPHEMERAL)
        start_sketch(engine);
    struct tm_heap *heap = tm_heap_create(engine->store, kind, domain);
    if (heap == NULL)
        return false;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    bool is_first = account->heap == NULL;
    if (is_first)
        tm_store_release(&account->heap, heap);
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (!is_first)
        tm_heap_destroy(heap);
    return true;
}

/* ---- making ---- */

static void fill(struct tm_pool *pool, uint32_t flags, const struct tm_uuid *uuid, uint64_t id)
{
    pool->id = id;
    pool->kind = (flags & TM_POOL_PERSISTENT) != 0 ? TM_ARENA_PERSISTENT : TM_ARENA_EPHEMERAL;
    tm_store_relaxed(&pool->is_shared, (flags & TM_POOL_SHARED) != 0);
    pool->uuid = uuid != NULL ? *uuid : (struct tm_uuid){{0, 0}};
    pool->record = 0;
    tm_store_relaxed(&pool->watcher, (struct tm_client *)NULL);
    pool->members = NULL;
    pool->member_count = 0;
    pool->charged = 0;
    pool->pages_max = 0;
    memset(pool->tallies, 0, tm_tally_shards(pool->engine) * sizeof(struct tm_tallies));
    for (unsigned i = 0; i < TM_POOL_STRIPES; i++)
        pool->stripe[i].first_object = pool->stripe[i].last_object = 0;
    tm_store_relaxed(&pool->own.worth, 0u);
    TM_MAGIC_SET(pool, TM_POOL_MAGIC);
}

static uint32_t flags_of(const struct tm_pool *pool)
{
    return (pool->kind == TM_ARENA_PERSISTENT ? TM_POOL_PERSISTENT : 0u) | (pool->is_shared ? TM_POOL_SHARED : 0u);
}

/* Undoes a pool that nobody has seen, or the last of one that everybody has left. */
static void unmake(struct tm_pool *pool)
{
    struct tm_heap *own = pool->own.heap;
    tm_store_release(&pool->own.heap, (struct tm_heap *)NULL);
    if (own != NULL)
        tm_heap_destroy(own);
    if (pool->record != 0)
        tm_record_free(pool->engine->store, TM_ARENA_PERSISTENT, pool->record);
    pool->record = 0;
    TM_MAGIC_END(pool, TM_POOL_MAGIC);
    tm_store_seq(&pool->life, (uint32_t)TM_LIFE_NONE);
    give_memory(pool);
}

static bool make_record(struct tm_pool *pool, uint64_t client_serial)
{
    struct tm_engine *engine = pool->engine;
    if (!tm_keeps_records(engine))
        return true;
    pool->record = tm_record_alloc(engine->store, TM_ARENA_PERSISTENT, TM_RECORD_POOL, TM_TIER_COPY);
    if (pool->record == 0)
        return false;
    struct tm_pool_record *record = tm_record_at(engine->store, TM_ARENA_PERSISTENT, pool->record);
    record->number = pool->number;
    record->id = pool->id;
    record->client = client_serial;
    record->flags = flags_of(pool);
    record->uuid = pool->uuid;
    return true;
}

static struct tm_pool *make_pool(struct tm_client *client, uint32_t flags, const struct tm_uuid *uuid)
{
    struct tm_engine *engine = client->engine;
    struct tm_pool *pool = get_memory(engine);
    if (pool == NULL)
        return NULL;
    fill(pool, flags, uuid, tm_store_next_serial(engine->store));
    pool->account = pool->is_shared ? &pool->own : &client->account[pool->kind];
    uint64_t domain = pool->is_shared ? pool->id : client->serial;
    if (get_heap(engine, pool->account, pool->kind, domain) && make_record(pool, pool->is_shared ? 0 : client->serial))
        return pool;
    unmake(pool);
    return NULL;
}

/* ---- members ---- */

static struct tm_member *make_member(struct tm_client *client, bool with_record)
{
    struct tm_engine *engine = client->engine;
    struct tm_member *member = engine->host.alloc(engine->host.user, sizeof *member);
    if (member == NULL)
        return NULL;
    member->client = client;
    TM_MAGIC_SET(member, TM_MEMBER_MAGIC);
    if (!with_record || !tm_keeps_records(engine))
        return member;
    member->record = tm_record_alloc(engine->store, TM_ARENA_PERSISTENT, TM_RECORD_RIGHT, TM_TIER_COPY);
    if (member->record != 0)
        return member;
    engine->host.free(engine->host.user, member, sizeof *member);
    return NULL;
}

static void free_member(struct tm_member *member)
{
    struct tm_engine *engine = member->client->engine;
    if (member->record != 0)
        tm_record_free(engine->store, TM_ARENA_PERSISTENT, member->record);
    TM_MAGIC_END(member, TM_MEMBER_MAGIC);
    engine->host.free(engine->host.user, member, sizeof *member);
}

/* Control lock held: links a member into its pool and its client. False: its part of what the pool holds already
 * would exceed its cap; nothing changed. @anyway: whatever the cap says. */
static bool join(struct tm_pool *pool, struct tm_member *member, bool anyway)
{
    struct tm_client *client = member->client;
    member->pool = pool;
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    bool done = !pool->is_shared || tm_charge_newcomer(pool, member, anyway);
    if (done) {
        member->next_of_pool = pool->members;
        pool->members = member;
        pool->member_count++;
        if (pool->is_shared)
            tm_settle_parts(pool); /* the others' parts shrink */
    }
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    if (!done)
        return false;
    if (member->record != 0) {
        struct tm_right_record *record = tm_record_at(pool->engine->store, TM_ARENA_PERSISTENT, member->record);
        record->pool = pool->number;
        record->client = client->serial;
        tm_store_release(&record->kind, TM_RECORD_LIVE(TM_RECORD_RIGHT) | TM_RIGHT_MEMBER);
    }
    if (client->dirty != NULL)
        (void)tm_dirty_watch(client, pool);
    struct tm_member **at = &client->members;
    while (*at != NULL && (*at)->pool->id < pool->id)
        at = &(*at)->next_of_client;
    member->next_of_client = *at;
    *at = member;
    client->pool_count++;
    return true;
}

/* Control lock held: takes a member out of its client's list and, if others are left, out of its pool. The last
 * one stays in the pool until its pages are gone: they are charged to it. */
static bool leave(struct tm_member *member)
{
    struct tm_pool *pool = member->pool;
    struct tm_member **at = &member->client->members;
    while (*at != member)
        at = &(*at)->next_of_client;
    *at = member->next_of_client;
    member->client->pool_count--;
    tm_dirty_unwatch(member->client, pool);
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    bool is_last = pool->member_count == 1;
    if (!is_last) {
        at = &pool->members;
        while (*at != member)
            at = &(*at)->next_of_pool;
        *at = member->next_of_pool;
        pool->member_count--;
        tm_uncharge_client(member->client, member->part);
        tm_settle_parts(pool);
    }
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    return is_last;
}

/* Control lock held. */
static struct tm_pool *find_shared(struct tm_engine *engine, const struct tm_uuid *uuid)
{
    for (uint32_t n = 1; n < engine->pools_next; n++) {
        struct tm_pool *pool = tm_pool_at(engine, n);
        if (tm_load_relaxed(&pool->life) == TM_LIFE_RUNNING && pool->is_shared && pool->uuid.word[0] == uuid->word[0] &&
            pool->uuid.word[1] == uuid->word[1])
            return pool;
    }
    return NULL;
}

/* Control lock held. */
static bool is_authorised(const struct tm_client *client, const struct tm_uuid *uuid)
{
    for (const struct tm_right *right = client->rights; right != NULL; right = right->next)
        if (right->uuid.word[0] == uuid->word[0] && right->uuid.word[1] == uuid->word[1])
            return true;
    return false;
}

static bool is_member(const struct tm_client *client, const struct tm_pool *pool)
{
    for (const struct tm_member *member = client->members; member != NULL; member = member->next_of_client)
        if (member->pool == pool)
            return true;
    return false;
}

static void publish(struct tm_pool *pool)
{
    if (pool->record != 0) {
        struct tm_pool_record *record = tm_record_at(pool->engine->store, TM_ARENA_PERSISTENT, pool->record);
        tm_store_release(&record->kind, TM_RECORD_LIVE(TM_RECORD_POOL));
    }
    pool->engine->pool_count++;
    tm_store_seq(&pool->life, (uint32_t)TM_LIFE_RUNNING);
}

/* Joins the shared pool of that name, or makes @fresh it. *fresh is NULL when it was used. */
static enum tm_result join_shared(struct tm_client *client, uint32_t flags, const struct tm_uuid *uuid,
                                  struct tm_pool **fresh, struct tm_member *member)
{
    struct tm_engine *engine = client->engine;
    enum tm_result result = TM_OK;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    struct tm_pool *pool = find_shared(engine, uuid);
    if (!is_authorised(client, uuid)) {
        result = TM_DENIED;
    } else if (pool == NULL) {
        publish(*fresh);
        (void)join(*fresh, member, true);
        *fresh = NULL;
    } else if (flags_of(pool) != flags) {
        result = TM_INVALID;
    } else if (is_member(client, pool)) {
        result = TM_EXISTS;
    } else if (!join(pool, member, false)) {
        result = TM_REFUSED;
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    return result;
}

enum tm_result tm_pool_create(struct tm_client *client, uint32_t flags, const struct tm_uuid *uuid,
                              struct tm_member **result)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_engine *engine = client->engine;
    bool is_shared = (flags & TM_POOL_SHARED) != 0;
    if ((flags & ~(uint32_t)(TM_POOL_PERSISTENT | TM_POOL_SHARED)) != 0 || is_shared != (uuid != NULL))
        return TM_INVALID;
    struct tm_member *member = make_member(client, is_shared);
    struct tm_pool *pool = member == NULL ? NULL : make_pool(client, flags, uuid);
    if (pool == NULL) {
        if (member != NULL)
            free_member(member);
        return TM_NOMEM;
    }
    enum tm_result outcome = TM_OK;
    if (is_shared) {
        outcome = join_shared(client, flags, uuid, &pool, member);
    } else {
        tm_lock_acquire(&engine->control, TM_LOCK_control);
        (void)join(pool, member, true);
        publish(pool);
        tm_lock_release(&engine->control, TM_LOCK_control);
        pool = NULL;
    }
    if (pool != NULL)
        unmake(pool);
    if (outcome == TM_OK)
        *result = member;
    else
        free_member(member);
    return outcome;
}

/* Control lock held. */
static struct tm_member *find_member(const struct tm_client *client, uint64_t pool_id)
{
    struct tm_member *member = client->members;
    while (member != NULL && member->pool->id != pool_id)
        member = member->next_of_client;
    return member;
}

struct tm_member *tm_pool_find(struct tm_client *client, uint64_t pool_id)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    struct tm_member *member = find_member(client, pool_id);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    return member;
}

struct tm_member *tm_pool_borrow(struct tm_client *client, uint64_t pool_id)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_engine *engine = client->engine;
    struct tm_member *borrowed = engine->host.alloc(engine->host.user, sizeof *borrowed);
    if (borrowed == NULL)
        return NULL;
    memset(borrowed, 0, sizeof *borrowed);
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    const struct tm_member *member = find_member(client, pool_id);
    bool done = member != NULL && tm_pool_pin(member->pool);
    if (done) {
        borrowed->pool = member->pool;
        borrowed->client = client;
        TM_MAGIC_SET(borrowed, TM_MEMBER_MAGIC);
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (!done)
        engine->host.free(engine->host.user, borrowed, sizeof *borrowed);
    return done ? borrowed : NULL;
}

void tm_pool_return(struct tm_member *borrowed)
{
    struct tm_engine *engine = borrowed->client->engine;
    tm_pool_unpin(borrowed->pool);
    TM_MAGIC_END(borrowed, TM_MEMBER_MAGIC);
    engine->host.free(engine->host.user, borrowed, sizeof *borrowed);
}

bool tm_pool_next_id(struct tm_client *client, uint64_t after, uint64_t *pool_id)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    const struct tm_member *member = client->members;
    while (member != NULL && member->pool->id <= after)
        member = member->next_of_client;
    if (member != NULL)
        *pool_id = member->pool->id;
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    return member != NULL;
}

uint64_t tm_pool_id(const struct tm_member *member)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    return member->pool->id;
}

/* ---- going ---- */

/* The members that are left have larger parts now: what is above a cap goes, if it may. */
static void trim_shared(struct tm_pool *pool)
{
    struct tm_engine *engine = pool->engine;
    struct tm_worker *worker = tm_worker_acquire(engine->store);
    bool is_over = true;
    while (is_over && tm_pool_pin(pool)) {
        is_over = false;
        tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
        for (struct tm_member *member = pool->members; member != NULL; member = member->next_of_pool)
            is_over = is_over ||
                      tm_load_relaxed(&member->client->charged) > tm_load_relaxed(&member->client->cap_bytes);
        tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
        is_over = is_over && tm_make_room_in(pool, worker, TM_EVICTED_CAP);
        tm_pool_unpin(pool);
    }
    tm_worker_release(engine->store, worker);
}

static void end_pool(struct tm_member *last)
{
    struct tm_pool *pool = last->pool;
    for (unsigned attempt = 0; tm_load_seq(&pool->pins) != 0; attempt++)
        tm_platform_wait(attempt);
    TM_ASSERT(tm_tally_of(pool, TM_TALLY_PAGES) == 0);
    if (pool->is_shared) {
        TM_ASSERT(pool->charged == 0);
        pool->members = NULL;
        pool->member_count = 0;
    }
    tm_ledger_end_pool(pool, pool->is_shared ? NULL : last->client);
    unmake(pool);
}

void tm_pool_destroy_begin(struct tm_member *member)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_pool *pool = member->pool;
    struct tm_engine *engine = pool->engine;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    member->is_last = leave(member);
    if (member->is_last) {
        tm_store_seq(&pool->life, (uint32_t)TM_LIFE_ENDING);
        engine->pool_count--;
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    /* For a restart the pool ends here, with all its pages; then for everybody else, chunk by chunk. */
    if (member->is_last && pool->record != 0) {
        struct tm_pool_record *record = tm_record_at(engine->store, TM_ARENA_PERSISTENT, pool->record);
        tm_store_release(&record->kind, 0u);
    }
}

bool tm_pool_destroy_step(struct tm_member *member, uint32_t chunks)
{
    struct tm_pool *pool = member->pool;
    if (member->is_last && tm_index_remove_some(pool, chunks))
        return true;
    if (member->is_last)
        end_pool(member);
    else if (pool->kind == TM_ARENA_EPHEMERAL)
        trim_shared(pool);
    free_member(member);
    return false;
}

void tm_pool_destroy(struct tm_member *member)
{
    tm_pool_destroy_begin(member);
    while (tm_pool_destroy_step(member, UINT32_MAX)) {
    }
}

void tm_pools_fini(struct tm_engine *engine)
{
    struct tm_host *host = &engine->host;
    for (uint32_t n = 1; n < engine->pools_next; n++)
        host->free(host->user, tm_pool_at(engine, n), pool_bytes(engine));
    for (unsigned i = 0; i < TM_DIRECTORY; i++)
        if (engine->pools[i] != NULL)
            host->free(host->user, engine->pools[i], TM_DIRECTORY * sizeof(struct tm_pool *));
}

/* ---- rebuilding ---- */

/* Pools keep their numbers: blocks are found by hashes that contain them. */
bool tm_pools_make_numbers(struct tm_engine *engine, uint32_t highest)
{
    while (engine->pools_next <= highest)
        if (new_memory(engine) == NULL)
            return false;
    return true;
}

void tm_pools_free_numbers(struct tm_engine *engine)
{
    for (uint32_t n = engine->pools_next; n-- > 1;)
        if (tm_pool_at(engine, n)->magic != TM_POOL_MAGIC)
            give_memory(tm_pool_at(engine, n));
}

struct tm_pool *tm_pool_adopt(struct tm_engine *engine, const struct tm_pool_record *record, uint64_t ref)
{
    struct tm_pool *pool = tm_pool_at(engine, record->number);
    fill(pool, record->flags, &record->uuid, record->id);
    pool->record = ref;
    pool->account = pool->is_shared ? &pool->own : NULL;
    if (pool->is_shared && !get_heap(engine, &pool->own, pool->kind, pool->id))
        return NULL;
    return pool;
}

/* A pool without members: as if it had not been there. */
void tm_pool_forget(struct tm_pool *pool)
{
    struct tm_heap *own = pool->own.heap;
    pool->own.heap = NULL;
    if (own != NULL)
        tm_heap_destroy(own);
    tm_record_free(pool->engine->store, TM_ARENA_PERSISTENT, pool->record);
    pool->record = 0;
    TM_MAGIC_END(pool, TM_POOL_MAGIC);
}

bool tm_member_adopt(struct tm_pool *pool, struct tm_client *client, uint64_t ref)
{
    struct tm_engine *engine = pool->engine;
    struct tm_member *member = make_member(client, false);
    if (member == NULL)
        return false;
    member->record = ref;
    if (!pool->is_shared) {
        pool->account = &client->account[pool->kind];
        if (!get_heap(engine, pool->account, pool->kind, client->serial)) {
            member->record = 0;
            free_member(member);
            return false;
        }
    }
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    (void)join(pool, member, true);
    if (pool->life != TM_LIFE_RUNNING)
        publish(pool);
    tm_lock_release(&engine->control, TM_LOCK_control);
    return true;
}
