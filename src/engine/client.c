/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c - tenants: coming and going, settings, rights, and the charge that never exceeds a cap. */
#include "engine/engine_internal.h"

#define WEIGHT_MAX 1000000u

struct tm_client *tm_client_at(const struct tm_engine *engine, uint32_t number)
{
    return tm_load_acquire(&engine->clients[number / TM_DIRECTORY][number % TM_DIRECTORY]);
}

/*
 * Pinning: first the pin, then a look whether it is still running. Ending: first the mark, then a look at the
 * pins. Both are sequentially consistent, so at least one of the two sees the other.
 */
static bool pin(uint32_t *pins, const uint32_t *life)
{
    __atomic_fetch_add(pins, 1u, __ATOMIC_SEQ_CST);
    if (tm_load_seq(life) == TM_LIFE_RUNNING)
        return true;
    tm_fetch_sub(pins, 1u);
    return false;
}

bool tm_client_pin(struct tm_client *client)
{
    return pin(&client->pins, &client->life);
}

void tm_client_unpin(struct tm_client *client)
{
    tm_fetch_sub(&client->pins, 1u);
}

bool tm_pool_pin(struct tm_pool *pool)
{
    return pin(&pool->pins, &pool->life);
}

void tm_pool_unpin(struct tm_pool *pool)
{
    tm_fetch_sub(&pool->pins, 1u);
}

/* ---- names ---- */

static bool name_is_valid(const char *name)
{
    size_t length = 0;
    for (; name[length] != 0; length++) {
        char c = name[length];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-' || c == ':' || c == '@';
        if (!ok || length + 1u >= TM_CLIENT_NAME_BYTES)
            return false;
    }
    return length > 0;
}

static int compare_names(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

/* Control lock held. */
static struct tm_client *find_locked(struct tm_engine *engine, const char *name)
{
    for (uint32_t n = 1; n < engine->clients_next; n++) {
        struct tm_client *client = tm_client_at(engine, n);
        if (tm_load_relaxed(&client->life) == TM_LIFE_RUNNING && compare_names(client->name, name) == 0)
            return client;
    }
    return NULL;
}

struct tm_client *tm_client_find(struct tm_engine *engine, const char *name)
{
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    struct tm_client *client = find_locked(engine, name);
    tm_lock_release(&engine->control, TM_LOCK_control);
    return client;
}

bool tm_client_next_name(struct tm_engine *engine, const char *after, char name[TM_CLIENT_NAME_BYTES])
{
    const struct tm_client *best = NULL;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    for (uint32_t n = 1; n < engine->clients_next; n++) {
        const struct tm_client *client = tm_client_at(engine, n);
        bool fits = tm_load_relaxed(&client->life) == TM_LIFE_RUNNING && compare_names(client->name, after) > 0;
        if (fits && (best == NULL || compare_names(client->name, best->name) < 0))
            best = client;
    }
    if (best != NULL)
        memcpy(name, best->name, TM_CLIENT_NAME_BYTES);
    tm_lock_release(&engine->control, TM_LOCK_control);
    return best != NULL;
}

/* ---- coming ---- */

/* A client's memory, from one that ended or new; entered in the directory. NULL: no memory. */
static struct tm_client *get_memory(struct tm_engine *engine)
{
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    struct tm_client *client = engine->clients_free;
    if (client != NULL)
        engine->clients_free = client->next_free;
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (client != NULL)
        return client;

    struct tm_host *host = &engine->host;
    size_t directory_bytes = TM_DIRECTORY * sizeof(struct tm_client *);
    client = host->alloc(host->user, sizeof *client);
    struct tm_client **spare = host->alloc(host->user, directory_bytes);
    bool done = false;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    uint32_t number = engine->clients_next;
    uint32_t high = number / TM_DIRECTORY;
    if (client != NULL && high < TM_DIRECTORY) {
        if (engine->clients[high] == NULL) {
            engine->clients[high] = spare;
            spare = NULL;
        }
        if (engine->clients[high] != NULL) {
            tm_store_release(&engine->clients[high][number % TM_DIRECTORY], client);
            tm_store_release(&engine->clients_next, number + 1u);
            done = true;
        }
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    if (spare != NULL)
        host->free(host->user, spare, directory_bytes);
    if (!done && client != NULL)
        host->free(host->user, client, sizeof *client);
    if (!done)
        return NULL;
    tm_store_add_metadata(engine->store, sizeof *client);
    client->engine = engine;
    return client;
}

static void give_memory(struct tm_client *client)
{
    struct tm_engine *engine = client->engine;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    client->next_free = engine->clients_free;
    engine->clients_free = client;
    tm_lock_release(&engine->control, TM_LOCK_control);
}

static void write_record(struct tm_client *client)
{
    if (client->record == 0)
        return;
    struct tm_client_record *record = tm_record_at(client->engine->store, TM_ARENA_PERSISTENT, client->record);
    tm_store_relaxed(&record->weight, client->weight);
    tm_store_relaxed(&record->cap_bytes, client->cap_bytes);
    tm_store_relaxed(&record->frozen, (uint64_t)client->frozen);
    for (unsigned i = 0; i < TM_CLIENT_NOTE_WORDS; i++)
        tm_store_relaxed(&record->note[i], client->note[i]);
}

static void publish_record(struct tm_client *client)
{
    struct tm_client_record *record = tm_record_at(client->engine->store, TM_ARENA_PERSISTENT, client->record);
    record->serial = client->serial;
    memcpy(record->name, client->name, sizeof record->name);
    write_record(client);
    tm_store_release(&record->kind, TM_RECORD_LIVE(TM_RECORD_CLIENT));
}

/* Fills in what a new client is. */
static void fill(struct tm_client *client, const char *name, uint32_t weight, uint64_t cap_bytes, uint64_t serial)
{
    memset(client->name, 0, sizeof client->name);
    for (size_t i = 0; name[i] != 0; i++)
        client->name[i] = name[i];
    client->serial = serial;
    client->record = 0;
    memset(client->note, 0, sizeof client->note);
    /* Whoever looks for a victim may look here, too, before it sees that the client has ended. */
    tm_store_relaxed(&client->weight, weight);
    tm_store_relaxed(&client->frozen, 0u);
    tm_store_relaxed(&client->plain, 0u);
    tm_store_relaxed(&client->cap_bytes, cap_bytes);
    tm_store_relaxed(&client->charged, UINT64_C(0));
    tm_store_relaxed(&client->charged_max, UINT64_C(0));
    tm_store_relaxed(&client->evicted_for_others, UINT64_C(0));
    tm_ledger_init(client);
    client->dirty = NULL;
    client->members = NULL;
    client->rights = NULL;
    client->pool_count = 0;
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        tm_store_relaxed(&client->account[kind].heap, (struct tm_heap *)NULL);
        tm_store_relaxed(&client->account[kind].worth, 0u);
    }
    TM_MAGIC_SET(client, TM_CLIENT_MAGIC);
}

/* Makes the client known, unless its name is taken. */
static bool enter(struct tm_client *client)
{
    struct tm_engine *engine = client->engine;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    bool is_new = find_locked(engine, client->name) == NULL;
    if (is_new) {
        engine->client_count++;
        if (client->record != 0)
            publish_record(client);
        tm_store_seq(&client->life, (uint32_t)TM_LIFE_RUNNING);
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    return is_new;
}

enum tm_result tm_client_create(struct tm_engine *engine, const char *name, uint32_t weight, uint64_t cap_bytes,
                                struct tm_client **result)
{
    TM_MAGIC_CHECK(engine, TM_ENGINE_MAGIC);
    if (!name_is_valid(name) || weight == 0 || weight > WEIGHT_MAX)
        return TM_INVALID;
    struct tm_client *client = get_memory(engine);
    if (client == NULL)
        return TM_NOMEM;
    fill(client, name, weight, cap_bytes, tm_store_next_serial(engine->store));
    enum tm_result outcome = TM_OK;
    if (tm_keeps_records(engine)) {
        client->record = tm_record_alloc(engine->store, TM_ARENA_PERSISTENT, TM_RECORD_CLIENT, TM_TIER_COPY);
        outcome = client->record == 0 ? TM_NOMEM : TM_OK;
    }
    if (outcome == TM_OK && !enter(client))
        outcome = TM_EXISTS;
    if (outcome == TM_OK) {
        *result = client;
        return TM_OK;
    }
    if (client->record != 0)
        tm_record_free(engine->store, TM_ARENA_PERSISTENT, client->record);
    TM_MAGIC_END(client, TM_CLIENT_MAGIC);
    give_memory(client);
    return outcome;
}

enum tm_result tm_client_adopt(struct tm_engine *engine, const struct tm_client_record *record, uint64_t ref)
{
    char name[TM_CLIENT_NAME_BYTES];
    memcpy(name, record->name, sizeof name);
    name[sizeof name - 1u] = 0;
    if (!name_is_valid(name) || record->weight == 0 || record->weight > WEIGHT_MAX)
        return TM_INVALID;
    struct tm_client *client = get_memory(engine);
    if (client == NULL)
        return TM_NOMEM;
    fill(client, name, record->weight, record->cap_bytes, record->serial);
    client->frozen = record->frozen != 0;
    memcpy(client->note, record->note, sizeof client->note);
    client->record = ref;
    if (enter(client))
        return TM_OK;
    TM_MAGIC_END(client, TM_CLIENT_MAGIC);
    give_memory(client);
    return TM_EXISTS;
}

/* ---- going ---- */

static void free_right(struct tm_engine *engine, struct tm_right *right)
{
    if (right->record != 0)
        tm_record_free(engine->store, TM_ARENA_PERSISTENT, right->record);
    engine->host.free(engine->host.user, right, sizeof *right);
}

static struct tm_member *first_member(struct tm_client *client)
{
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    struct tm_member *member = client->members;
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    return member;
}

void tm_client_destroy(struct tm_client *client)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_engine *engine = client->engine;
    tm_dirty_end(client);
    /* For a restart the client ends here, with all its private pages. */
    if (client->record != 0)
        tm_record_free(engine->store, TM_ARENA_PERSISTENT, client->record);
    client->record = 0;
    for (struct tm_member *member = first_member(client); member != NULL; member = first_member(client))
        tm_pool_destroy(member);

    tm_lock_acquire(&engine->control, TM_LOCK_control);
    tm_store_seq(&client->life, (uint32_t)TM_LIFE_ENDING);
    tm_ledger_end_client(client);
    engine->client_count--;
    struct tm_right *right = client->rights;
    client->rights = NULL;
    tm_lock_release(&engine->control, TM_LOCK_control);
    while (right != NULL) {
        struct tm_right *next = right->next;
        free_right(engine, right);
        right = next;
    }
    for (unsigned attempt = 0; tm_load_seq(&client->pins) != 0; attempt++)
        tm_platform_wait(attempt);
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_heap *heap = client->account[kind].heap;
        tm_store_release(&client->account[kind].heap, (struct tm_heap *)NULL);
        if (heap != NULL)
            tm_heap_destroy(heap);
    }
    TM_ASSERT(client->charged == 0);
    TM_MAGIC_END(client, TM_CLIENT_MAGIC);
    tm_store_seq(&client->life, (uint32_t)TM_LIFE_NONE);
    give_memory(client);
}

void tm_clients_fini(struct tm_engine *engine)
{
    struct tm_host *host = &engine->host;
    for (uint32_t n = 1; n < engine->clients_next; n++) {
        struct tm_client *client = tm_client_at(engine, n);
        tm_dirty_fini(client);
        while (client->rights != NULL) {
            struct tm_right *right = client->rights;
            client->rights = right->next;
            host->free(host->user, right, sizeof *right);
        }
        while (client->members != NULL) {
            struct tm_member *member = client->members;
            client->members = member->next_of_client;
            host->free(host->user, member, sizeof *member);
        }
        host->free(host->user, client, sizeof *client);
    }
    for (unsigned i = 0; i < TM_DIRECTORY; i++)
        if (engine->clients[i] != NULL)
            host->free(host->user, engine->clients[i], TM_DIRECTORY * sizeof(struct tm_client *));
}

/* ---- settings ---- */

enum tm_result tm_client_set_weight(struct tm_client *client, uint32_t weight)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    if (weight == 0 || weight > WEIGHT_MAX)
        return TM_INVALID;
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    tm_store_relaxed(&client->weight, weight);
    write_record(client);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    return TM_OK;
}

void tm_client_set_frozen(struct tm_client *client, bool frozen)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    tm_store_release(&client->frozen, (uint32_t)frozen);
    write_record(client);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
}

void tm_client_set_compress(struct tm_client *client, bool compress)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_store_relaxed(&client->plain, compress ? 0u : 1u);
}

void tm_client_set_note(struct tm_client *client, const uint64_t note[TM_CLIENT_NOTE_WORDS])
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    memcpy(client->note, note, sizeof client->note);
    write_record(client);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
}

void tm_client_note(struct tm_client *client, uint64_t note[TM_CLIENT_NOTE_WORDS])
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    memcpy(note, client->note, sizeof client->note);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
}

/* The client's ephemeral pools, private first. NULL: none. Control lock held. */
static struct tm_pool *ephemeral_pool(struct tm_client *client, unsigned skip)
{
    for (struct tm_member *member = client->members; member != NULL; member = member->next_of_client)
        if (member->pool->kind == TM_ARENA_EPHEMERAL && skip-- == 0)
            return member->pool;
    return NULL;
}

/* Drops ephemeral pages until the charge is no more than @bytes, or there are none. */
static void shrink_charge(struct tm_client *client, uint64_t bytes, enum tm_eviction why)
{
    struct tm_engine *engine = client->engine;
    struct tm_worker *worker = tm_worker_acquire(engine->store);
    for (unsigned skip = 0; tm_load_relaxed(&client->charged) > bytes; skip++) {
        tm_lock_acquire(&engine->control, TM_LOCK_control);
        struct tm_pool *pool = ephemeral_pool(client, skip);
        bool pinned = pool != NULL && tm_pool_pin(pool);
        tm_lock_release(&engine->control, TM_LOCK_control);
        if (pool == NULL)
            break;
        while (pinned && tm_load_relaxed(&client->charged) > bytes && tm_make_room_in(pool, worker, why)) {
        }
        if (pinned)
            tm_pool_unpin(pool);
    }
    tm_worker_release(engine->store, worker);
}

void tm_client_set_cap(struct tm_client *client, uint64_t cap_bytes)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_engine *engine = client->engine;
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    tm_store_release(&client->cap_bytes, cap_bytes);
    write_record(client);
    tm_lock_release(&engine->control, TM_LOCK_control);
    shrink_charge(client, cap_bytes, TM_EVICTED_CAP);
}

uint64_t tm_client_reclaim(struct tm_client *client, uint64_t bytes)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    uint64_t before = tm_load_relaxed(&client->charged);
    shrink_charge(client, before - tm_min_u64(before, bytes), TM_EVICTED_RECLAIM);
    uint64_t after = tm_load_relaxed(&client->charged);
    return before - tm_min_u64(before, after);
}

/* ---- rights to join shared pools ---- */

static bool same_uuid(const struct tm_uuid *a, const struct tm_uuid *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* Control lock held: the place where the right is linked, or where its end is. */
static struct tm_right **find_right(struct tm_client *client, const struct tm_uuid *uuid)
{
    struct tm_right **at = &client->rights;
    while (*at != NULL && !same_uuid(&(*at)->uuid, uuid))
        at = &(*at)->next;
    return at;
}

bool tm_client_right(struct tm_client *client, unsigned n, struct tm_uuid *uuid)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    const struct tm_right *right = client->rights;
    for (unsigned i = 0; right != NULL && i < n; i++)
        right = right->next;
    if (right != NULL)
        *uuid = right->uuid;
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    return right != NULL;
}

bool tm_right_adopt(struct tm_client *client, const struct tm_uuid *uuid, uint64_t ref)
{
    struct tm_host *host = &client->engine->host;
    struct tm_right *right = host->alloc(host->user, sizeof *right);
    if (right == NULL)
        return false;
    right->uuid = *uuid;
    right->record = ref;
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    struct tm_right **at = find_right(client, uuid);
    bool is_new = *at == NULL;
    if (is_new)
        *at = right;
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    if (!is_new)
        free_right(client->engine, right);
    return true;
}

enum tm_result tm_client_authorise(struct tm_client *client, const struct tm_uuid *uuid)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    struct tm_engine *engine = client->engine;
    uint64_t ref = 0;
    if (tm_keeps_records(engine)) {
        ref = tm_record_alloc(engine->store, TM_ARENA_PERSISTENT, TM_RECORD_RIGHT, TM_TIER_COPY);
        if (ref == 0)
            return TM_NOMEM;
        struct tm_right_record *record = tm_record_at(engine->store, TM_ARENA_PERSISTENT, ref);
        record->client = client->serial;
        record->uuid = *uuid;
        tm_store_release(&record->kind, TM_RECORD_LIVE(TM_RECORD_RIGHT) | TM_RIGHT_TO_JOIN);
    }
    if (tm_right_adopt(client, uuid, ref))
        return TM_OK;
    if (ref != 0)
        tm_record_free(engine->store, TM_ARENA_PERSISTENT, ref);
    return TM_NOMEM;
}

enum tm_result tm_client_deauthorise(struct tm_client *client, const struct tm_uuid *uuid)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    struct tm_right **at = find_right(client, uuid);
    struct tm_right *right = *at;
    if (right != NULL)
        *at = right->next;
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    if (right == NULL)
        return TM_NOT_FOUND;
    free_right(client->engine, right);
    return TM_OK;
}

/* ---- the charge ---- */

/* The most is noted when the charge falls, not each time it rises: so it is the most of what was noted and of what is
 * charged now. */
static void note_most(struct tm_client *client, uint64_t charged)
{
    uint64_t most = tm_load_relaxed(&client->charged_max);
    while (charged > most && !tm_compare_exchange(&client->charged_max, &most, charged)) {
    }
}

uint64_t tm_client_charged_max(const struct tm_client *client)
{
    uint64_t charged = tm_load_relaxed(&client->charged); /* first: what falls meanwhile has been noted */
    return tm_max_u64(charged, tm_load_acquire(&client->charged_max));
}

static bool charge_client(struct tm_client *client, uint64_t bytes)
{
    uint64_t charged = tm_load_relaxed(&client->charged);
    do {
        /* Bytes that exist: their sum is far from overflowing. */
        if (charged + bytes > tm_load_relaxed(&client->cap_bytes))
            return false;
    } while (!tm_compare_exchange(&client->charged, &charged, charged + bytes));
    return true;
}

void tm_uncharge_client(struct tm_client *client, uint64_t bytes)
{
    note_most(client, tm_load_relaxed(&client->charged));
    uint64_t before = tm_fetch_sub(&client->charged, bytes);
    TM_ASSERT(before >= bytes);
    note_most(client, before); /* it may have risen in between */
}

static void charge_client_anyway(struct tm_client *client, uint64_t bytes)
{
    tm_fetch_add(&client->charged, bytes);
}

/* What each of @members of a shared pool is charged: an equal part, rounded up. */
static uint64_t part_of(const struct tm_pool *pool, uint32_t members)
{
    TM_ASSERT(members != 0); /* whoever leaves last stays until the pages are gone */
    return (pool->charged + members - 1u) / members;
}

bool tm_charge_newcomer(struct tm_pool *pool, struct tm_member *member, bool anyway)
{
    uint64_t part = part_of(pool, pool->member_count + 1u);
    if (anyway)
        charge_client_anyway(member->client, part);
    else if (!charge_client(member->client, part))
        return false;
    member->part = part;
    return true;
}

/* Members' lock held: brings every member's charge to its part. Growing parts may be refused by a cap: then the
 * first members get theirs back. */
static bool settle_parts(struct tm_pool *pool, bool anyway)
{
    uint64_t part = part_of(pool, pool->member_count);
    struct tm_member *member;
    for (member = pool->members; member != NULL; member = member->next_of_pool) {
        if (part <= member->part) {
            tm_uncharge_client(member->client, member->part - part);
        } else if (anyway) {
            charge_client_anyway(member->client, part - member->part);
        } else if (!charge_client(member->client, part - member->part)) {
            break;
        }
        member->part = part;
    }
    return member == NULL;
}

void tm_settle_parts(struct tm_pool *pool)
{
    (void)settle_parts(pool, true);
}

static bool charge_shared(struct tm_pool *pool, uint64_t bytes, bool anyway)
{
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    pool->charged += bytes;
    bool done = settle_parts(pool, anyway);
    if (!done) {
        pool->charged -= bytes;
        (void)settle_parts(pool, true); /* only shrinks */
    }
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    return done;
}

bool tm_charge(struct tm_pool *pool, uint64_t bytes)
{
    return pool->is_shared ? charge_shared(pool, bytes, false) : charge_client(pool->members->client, bytes);
}

void tm_charge_anyway(struct tm_pool *pool, uint64_t bytes)
{
    if (pool->is_shared) {
        (void)charge_shared(pool, bytes, true);
    } else {
        charge_client_anyway(pool->members->client, bytes);
    }
}

void tm_uncharge(struct tm_pool *pool, uint64_t bytes)
{
    if (!pool->is_shared) {
        tm_uncharge_client(pool->members->client, bytes);
        return;
    }
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    TM_ASSERT(pool->charged >= bytes);
    pool->charged -= bytes;
    (void)settle_parts(pool, true);
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
}
