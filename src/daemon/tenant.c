/* SPDX-License-Identifier: BSD-2-Clause */
/* tenant.c - see tenant.h. */
#include "daemon/tenant_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/log.h"
#include "daemon/reaper.h"
#include "daemon/receive.h"

struct tm_tenants *tm_tenants_create(const struct tm_daemon *daemon)
{
    struct tm_tenants *tenants = calloc(1, sizeof *tenants);
    if (tenants == NULL)
        return NULL;
    tenants->daemon = daemon;
    if (pthread_mutex_init(&tenants->mutex, NULL) == 0) {
        if (pthread_cond_init(&tenants->gone, NULL) == 0)
            return tenants;
        (void)pthread_mutex_destroy(&tenants->mutex);
    }
    free(tenants);
    return NULL;
}

static void free_tenant(struct tm_tenant *tenant)
{
    free(tenant->pools);
    free(tenant);
}

void tm_tenants_destroy(struct tm_tenants *tenants)
{
    if (tenants == NULL)
        return;
    while (tenants->first != NULL) {
        struct tm_tenant *tenant = tenants->first;
        tenants->first = tenant->next;
        free_tenant(tenant);
    }
    (void)pthread_cond_destroy(&tenants->gone);
    (void)pthread_mutex_destroy(&tenants->mutex);
    free(tenants);
}

/* ---- tokens ---- */

static bool make_token(struct tm_wire_token *token)
{
    return getrandom(token->bytes, sizeof token->bytes, 0) == (ssize_t)sizeof token->bytes;
}

/* ---- notes ---- */

/* What is written into a client's note, so that the next daemon knows the tenant. */
enum {
    NOTE_TOKEN,     /* two words */
    NOTE_USER = 2,  /* and NOTE_IS_WRITTEN, and from NOTE_TERMS on what its rule said when that was applied last */
    NOTE_UNTIL = 3, /* monotonic time until which an orphan waits, 0: it is none. The memory is gone when that starts
                       anew. And NOTE_IS_SAVED: it is frozen only for that, with what it is to be after it */
};
#define NOTE_IS_SAVED (UINT64_C(1) << 63)
#define NOTE_IS_FROZEN_AFTER (UINT64_C(1) << 62)
#define NOTE_TIME (NOTE_IS_FROZEN_AFTER - 1u)
#define NOTE_IS_WRITTEN (UINT64_C(1) << 32)
#define NOTE_TERMS 33u
TM_STATIC_ASSERT(sizeof(struct tm_wire_token) == 2u * sizeof(uint64_t));

void tm_tenant_write_note(const struct tm_tenant *tenant)
{
    uint64_t note[TM_CLIENT_NOTE_WORDS];
    memcpy(&note[NOTE_TOKEN], tenant->token.bytes, sizeof tenant->token.bytes);
    note[NOTE_USER] = tenant->uid | NOTE_IS_WRITTEN | (uint64_t)tm_rule_terms(tenant->rule) << NOTE_TERMS;
    note[NOTE_UNTIL] = tenant->state == TM_TENANT_ORPHAN ? tenant->orphan_until_ns & NOTE_TIME : 0;
    if (tm_load_relaxed(&tenant->is_saved) != 0)
        note[NOTE_UNTIL] |= NOTE_IS_SAVED | (tenant->is_frozen_after ? NOTE_IS_FROZEN_AFTER : 0);
    tm_client_set_note(tm_client_of(tenant->client), note);
}

/* ---- connecting ---- */

struct tm_tenant *tm_tenants_find(const struct tm_tenants *tenants, const char *name)
{
    struct tm_tenant *tenant = tenants->first;
    while (tenant != NULL && strcmp(tenant->name, name) != 0)
        tenant = tenant->next;
    return tenant;
}

/* Clients of the same rule and, where the rule is for many users, of the same user. */
static uint32_t count_of(const struct tm_tenants *tenants, const struct tm_rule *rule, uid_t uid)
{
    uint32_t count = 0;
    for (const struct tm_tenant *tenant = tenants->first; tenant != NULL; tenant = tenant->next)
        count += tenant->uid == uid && strcmp(tenant->rule->name, rule->name) == 0;
    return count;
}

static enum tmem_result reconnect(struct tm_tenant *tenant, const struct tm_tenant_wish *wish, char *text,
                                  size_t text_size)
{
    uint64_t now_ns = tm_now_ns();
    uint64_t left_ns = tenant->orphan_until_ns > now_ns ? tenant->orphan_until_ns - now_ns : 0;
    switch (tenant->state) {
    case TM_TENANT_CONNECTED:
        snprintf(text, text_size, "a client '%s' is connected already (choose another name)", tenant->name);
        return TMEM_EXISTS;
    case TM_TENANT_ENDING:
        snprintf(text, text_size, "the last connection of '%s' is just ending (try again in a moment)", tenant->name);
        return TMEM_UNAVAILABLE;
    case TM_TENANT_ORPHAN:
        if (tm_token_is(&tenant->token, &wish->token))
            return TMEM_OK;
        snprintf(text, text_size, "'%s' left something behind, which waits for its token (in %u s it goes)",
                 tenant->name, (unsigned)(left_ns / TM_SECOND_NS + 1u));
        return TMEM_EXISTS;
    }
    return TMEM_EXISTS;
}

static void add(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    tenant->farewell = -1;
    tenant->socket = -1;
    tenant->serial = ++tenants->last_serial;
    struct tm_tenant **at = &tenants->first;
    while (*at != NULL && strcmp((*at)->name, tenant->name) < 0)
        at = &(*at)->next;
    tenant->next = *at;
    *at = tenant;
}

static enum tmem_result make(struct tm_tenants *tenants, const struct tm_rule *rule,
                             const struct tm_tenant_wish *wish, const char *name, struct tm_tenant **result)
{
    struct tm_tenant *tenant = calloc(1, sizeof *tenant);
    if (tenant == NULL)
        return TMEM_NOMEM;
    if (!make_token(&tenant->token)) {
        free(tenant);
        return TMEM_NOMEM;
    }
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    tm_tenant_note_wish(tenant, wish);
    options.weight = tm_tenant_weight(rule, tenant->wished_weight);
    options.cap_bytes = tm_tenant_cap(rule, tenant->wished_cap_bytes);
    enum tmem_result outcome = tmem_client_create(tenants->daemon->store, name, &options, &tenant->client);
    if (outcome == TMEM_OK) {
        outcome = tm_tenant_authorise(tenant->client, NULL, rule);
        if (outcome != TMEM_OK)
            tmem_client_destroy(tenant->client);
    }
    if (outcome != TMEM_OK) {
        free(tenant);
        return outcome;
    }
    memcpy(tenant->name, name, sizeof tenant->name);
    tenant->rule = rule;
    tenant->uid = wish->uid;
    add(tenants, tenant);
    *result = tenant;
    return TMEM_OK;
}

/* The new one, where there may be one more. */
static enum tmem_result make_another(struct tm_tenants *tenants, const struct tm_rule *rule,
                                     const struct tm_tenant_wish *wish, const char *name, struct tm_tenant **tenant,
                                     char *text, size_t text_size)
{
    if (count_of(tenants, rule, wish->uid) >= rule->clients) {
        snprintf(text, text_size, "user %u has %u clients, as many as the daemon allows (see `clients` in its "
                                  "configuration)",
                 (unsigned)wish->uid, rule->clients);
        return TMEM_REFUSED;
    }
    enum tmem_result result = make(tenants, rule, wish, name, tenant);
    if (result == TMEM_INVALID)
        snprintf(text, text_size, "'%s' is no client's name (letters, digits and .:_-@)", name);
    else if (result != TMEM_OK)
        snprintf(text, text_size, "client '%s': %s", name, tmem_result_text(result));
    return result;
}

/* Every one is looked at: time tells nothing of a token. */
static struct tm_tenant *find_token(const struct tm_tenants *tenants, const struct tm_wire_token *token)
{
    struct tm_tenant *found = NULL;
    for (struct tm_tenant *tenant = tenants->first; tenant != NULL; tenant = tenant->next)
        if (tm_token_is(&tenant->token, token))
            found = tenant;
    return found;
}

/* The one that is there already, or a new one. */
static enum tmem_result find_or_make(struct tm_tenants *tenants, const struct tm_rule *rule,
                                     const struct tm_tenant_wish *wish, const char *name, struct tm_tenant **tenant,
                                     char *text, size_t text_size)
{
    *tenant = wish->must_claim ? find_token(tenants, &wish->token) : tm_tenants_find(tenants, name);
    if (*tenant != NULL)
        return reconnect(*tenant, wish, text, text_size);
    if (!wish->must_claim)
        return make_another(tenants, rule, wish, name, tenant, text, text_size);
    snprintf(text, text_size, "no client here has this token (it ended, or waited too long: see `tmem list`)");
    return TMEM_DENIED;
}

enum tmem_result tm_tenant_connect(struct tm_tenants *tenants, const struct tm_tenant_wish *wish,
                                   struct tm_tenant **tenant, bool *claimed, char *text, size_t text_size)
{
    char name[TMEM_CLIENT_NAME_SIZE];
    /* Under the lock, so that no tenant is made by a rule that is just being replaced. */
    tm_tenants_lock(tenants);
    const struct tm_rule *rule =
        tm_config_rule(tm_config_of(tenants->daemon), wish->uid, wish->name, name, text, text_size);
    if (rule == NULL) {
        tm_tenants_unlock(tenants);
        return TMEM_DENIED;
    }
    struct tm_tenant *found;
    uint64_t last_serial = tenants->last_serial;
    enum tmem_result result = find_or_make(tenants, rule, wish, name, &found, text, text_size);
    *claimed = last_serial == tenants->last_serial; /* nobody was made */
    if (result == TMEM_OK && *claimed && (result = tm_tenant_authorise(found->client, found->rule, rule)) != TMEM_OK)
        snprintf(text, text_size, "client '%s': %s", name, tmem_result_text(result));
    if (result == TMEM_OK) {
        found->state = TM_TENANT_CONNECTED;
        found->socket = wish->socket;
        found->orphan_until_ns = 0;
        tm_tenant_note_wish(found, wish);
        /* It has no ephemeral pages that a lower cap would take time to drop. */
        tm_tenant_apply(found, tm_tenant_follow(found, rule));
        tm_tenant_write_note(found); /* before the client is told its token */
        *tenant = found;
        tm_events_add(tenants->daemon->events, *claimed ? TM_EVENT_CLIENT_RETURNED : TM_EVENT_CLIENT_CAME,
                      found->name, wish->uid, 0, NULL);
    }
    tm_tenants_unlock(tenants);
    return result;
}

void tm_tenant_disconnect(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    tm_tenants_lock(tenants);
    TM_ASSERT(tenant->state == TM_TENANT_CONNECTED);
    tenant->state = TM_TENANT_ENDING;
    tenant->socket = -1;
    tm_tenants_unlock(tenants);
    tm_reaper_add(tenants->daemon->reaper, tenant);
}

void tm_tenant_leave(struct tm_tenants *tenants, struct tm_tenant *tenant, int farewell, uint32_t number)
{
    tenant->leaves = true;
    tenant->farewell = farewell;
    tenant->farewell_number = number;
    tm_tenant_disconnect(tenants, tenant);
}

/* ---- ending ---- */

static uint64_t pages_of(struct tmem_pool *pool)
{
    struct tmem_pool_stats stats;
    return tmem_pool_stats(pool, &stats, sizeof stats) == TMEM_OK ? stats.counters.pages : 0;
}

static bool is_persistent(const struct tm_tenant_pool *pool)
{
    return (pool->flags & TMEM_POOL_PERSISTENT) != 0;
}

/* Ephemeral pools go. Returns the number of persistent pages. */
static uint64_t keep_persistent(struct tm_tenant *tenant)
{
    uint32_t kept = 0;
    uint64_t pages = 0;
    for (uint32_t i = 0; i < tenant->pool_count; i++) {
        if (is_persistent(&tenant->pools[i])) {
            pages += pages_of(tenant->pools[i].pool);
            tenant->pools[kept++] = tenant->pools[i];
        } else
            tmem_pool_destroy(tenant->pools[i].pool);
    }
    tenant->pool_count = kept;
    tenant->pool_last = 0;
    return pages;
}

/* The client may be gone, and its socket is never waited for. */
static void bid_farewell(struct tm_tenant *tenant)
{
    union tm_wire_any any;
    size_t bytes = tm_message_begin(&any, TM_WIRE_DONE, TM_WIRE_VERSION_MAX, tenant->farewell_number);
    ssize_t sent = send(tenant->farewell, &any, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    (void)close(tenant->farewell);
}

static void end(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    tmem_client_destroy(tenant->client);
    tm_tenants_lock(tenants);
    struct tm_tenant **at = &tenants->first;
    while (*at != tenant)
        at = &(*at)->next;
    *at = tenant->next;
    if (tenants->looked == tenant)
        tenants->looked = NULL;
    (void)pthread_cond_broadcast(&tenants->gone);
    tm_tenants_unlock(tenants);
    /* From here on its name is free. */
    if (tenant->farewell >= 0)
        bid_farewell(tenant);
    free_tenant(tenant);
}

/* It is ENDING, so nobody comes to hold it. False: somebody does still, and gives it to the reaper again. */
static bool may_settle(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    tm_tenants_lock(tenants);
    bool is_free = tenant->holds == 0;
    tenant->is_put_off = !is_free;
    tenant->leaves = tenant->leaves || tenant->is_doomed;
    tm_tenants_unlock(tenants);
    return is_free;
}

static void tell_of_end(const struct tm_tenants *tenants, const struct tm_tenant *tenant)
{
    enum tm_event_kind kind = tenant->orphan_until_ns != 0 ? TM_EVENT_ORPHAN_ENDED : TM_EVENT_CLIENT_LEFT;
    tm_events_add(tenants->daemon->events, tenant->is_doomed ? TM_EVENT_CLIENT_DESTROYED : kind, tenant->name, 0, 0,
                  NULL);
}

void tm_tenant_settle(struct tm_tenants *tenants, struct tm_tenant *tenant)
{
    static struct tm_log_limit limit;
    uint32_t grace_seconds = tm_config_of(tenants->daemon)->grace_seconds;
    if (!may_settle(tenants, tenant))
        return;
    while (tm_tenant_pool_destroy_step(tenant, UINT32_MAX)) {
    }
    uint64_t pages = tenant->leaves ? 0 : keep_persistent(tenant);
    if (pages == 0 || grace_seconds == 0) {
        tell_of_end(tenants, tenant);
        end(tenants, tenant);
        return;
    }
    uint64_t now_ns = tm_now_ns();
    uint64_t until_ns = now_ns + grace_seconds * TM_SECOND_NS;
    tm_log_limited(&limit, now_ns, "client '%s' is gone; its %llu persistent pages wait %u s for it", tenant->name,
                   (unsigned long long)pages, grace_seconds);
    tm_tenants_lock(tenants);
    tenant->orphan_until_ns = until_ns;
    tenant->state = TM_TENANT_ORPHAN;
    if (tenant->is_save_over)
        tm_tenant_finish_save(tenant);
    tm_tenant_write_note(tenant);
    tm_tenants_unlock(tenants);
    tm_events_add(tenants->daemon->events, TM_EVENT_CLIENT_ORPHANED, tenant->name, pages, grace_seconds, NULL);
}

struct tm_tenant *tm_tenants_expire(struct tm_tenants *tenants, uint64_t now_ns, uint64_t *next_ns)
{
    static struct tm_log_limit limit;
    struct tm_tenant *found = NULL;
    *next_ns = UINT64_MAX;
    tm_tenants_lock(tenants);
    for (struct tm_tenant *tenant = tenants->first; tenant != NULL && found == NULL; tenant = tenant->next) {
        if (tenant->state != TM_TENANT_ORPHAN)
            continue;
        if (tenant->orphan_until_ns <= now_ns)
            found = tenant;
        else
            *next_ns = tm_min_u64(*next_ns, tenant->orphan_until_ns);
    }
    if (found != NULL) {
        found->state = TM_TENANT_ENDING;
        found->leaves = true;
    }
    tm_tenants_unlock(tenants);
    if (found != NULL)
        tm_log_limited(&limit, now_ns, "client '%s' did not come back: its persistent pages go", found->name);
    return found;
}

void tm_tenants_sum(struct tm_tenants *tenants, struct tm_tenants_sum *sum)
{
    *sum = (struct tm_tenants_sum){0, 0};
    tm_tenants_lock(tenants);
    for (struct tm_tenant *tenant = tenants->first; tenant != NULL; tenant = tenant->next) {
        uint64_t pages = 0;
        for (uint32_t i = 0; i < tenant->pool_count; i++)
            if (is_persistent(&tenant->pools[i]))
                pages += pages_of(tenant->pools[i].pool);
        sum->persistent_pages += pages;
        sum->clients += pages != 0;
    }
    tm_tenants_unlock(tenants);
}

/* ---- pools ---- */

/* Where the pool is or would be. */
static uint32_t position_of(const struct tm_tenant *tenant, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = tenant->pool_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2u;
        if (tenant->pools[middle].id < id)
            low = middle + 1u;
        else
            high = middle;
    }
    return low;
}

struct tmem_pool *tm_tenant_pool(struct tm_tenant *tenant, uint64_t id)
{
    uint32_t at = tenant->pool_last;
    if (at >= tenant->pool_count || tenant->pools[at].id != id) {
        at = position_of(tenant, id);
        if (at == tenant->pool_count || tenant->pools[at].id != id)
            return NULL;
        tenant->pool_last = at;
    }
    return tenant->pools[at].pool;
}

uint64_t tm_tenant_pool_of_former(const struct tm_tenant *tenant, uint64_t former)
{
    for (uint32_t i = 0; former != 0 && i < tenant->pool_count; i++)
        if (tenant->pools[i].former == former)
            return tenant->pools[i].id;
    return 0;
}

uint64_t tm_tenant_pool_after(const struct tm_tenant *tenant, uint64_t id)
{
    uint32_t at = id < UINT64_MAX ? position_of(tenant, id + 1u) : tenant->pool_count;
    return at < tenant->pool_count ? tenant->pools[at].id : 0;
}

static bool make_room(struct tm_tenant *tenant)
{
    if (tenant->pool_count < tenant->pool_capacity)
        return true;
    uint32_t capacity = tenant->pool_capacity == 0 ? 4 : tenant->pool_capacity * 2u;
    struct tm_tenant_pool *pools = realloc(tenant->pools, capacity * sizeof *pools);
    if (pools == NULL)
        return false;
    tenant->pools = pools;
    tenant->pool_capacity = capacity;
    return true;
}

enum tmem_result tm_tenant_pool_create(struct tm_tenant *tenant, uint32_t flags, const struct tmem_uuid *uuid,
                                       uint64_t *id)
{
    struct tmem_pool *pool;
    const struct tm_rule *rule = tm_load_acquire(&tenant->rule);
    if ((flags & TMEM_POOL_PERSISTENT) != 0 && !rule->persistent)
        return TMEM_DENIED;
    if (tenant->pool_count >= rule->pools || tm_load_relaxed(&tenant->is_saved) != 0)
        return TMEM_REFUSED;
    if (!make_room(tenant))
        return TMEM_NOMEM;
    enum tmem_result result = tmem_pool_create(tenant->client, flags, uuid, &pool);
    if (result != TMEM_OK)
        return result;
    *id = tmem_pool_id(pool);
    /* A shared pool that is joined may be older than what this client has. */
    uint32_t at = position_of(tenant, *id);
    memmove(&tenant->pools[at + 1u], &tenant->pools[at], (tenant->pool_count - at) * sizeof tenant->pools[0]);
    tenant->pools[at] = (struct tm_tenant_pool){*id, pool, flags, 0};
    tenant->pool_count++;
    return TMEM_OK;
}

enum tmem_result tm_tenant_pool_destroy_begin(struct tm_tenant *tenant, uint64_t id)
{
    struct tmem_pool *pool = tm_tenant_pool(tenant, id);
    TM_ASSERT(tenant->ending_pool == NULL);
    if (pool == NULL)
        return TMEM_NOT_FOUND;
    uint32_t at = tenant->pool_last;
    tenant->pool_count--;
    memmove(&tenant->pools[at], &tenant->pools[at + 1u], (tenant->pool_count - at) * sizeof tenant->pools[0]);
    tm_pool_destroy_begin(tm_member_of(pool));
    tenant->ending_pool = pool;
    return TMEM_OK;
}

bool tm_tenant_pool_destroy_step(struct tm_tenant *tenant, uint32_t chunks)
{
    if (tenant->ending_pool != NULL && tm_pool_destroy_step(tm_member_of(tenant->ending_pool), chunks))
        return true;
    tenant->ending_pool = NULL;
    return false;
}

/* ---- after a restart ---- */

static uint64_t until_of(const struct tm_tenant *tenant, uint64_t noted_until_ns, uint32_t grace_seconds)
{
    uint64_t now_ns = tm_now_ns();
    uint64_t least_ns = now_ns + TM_RETURN_SECONDS * TM_SECOND_NS;
    if (noted_until_ns != 0)
        return tm_max_u64(noted_until_ns, least_ns);
    /* It was connected. Without anything that must stay it is only its settings that wait. */
    return tenant->pool_count == 0 ? least_ns : tm_max_u64(now_ns + grace_seconds * TM_SECOND_NS, least_ns);
}

static uint64_t former_of(const struct tm_receive_pool *pools, size_t count, const struct tmem_pool *pool)
{
    for (size_t i = 0; i < count; i++)
        if (pools[i].pool == pool)
            return pools[i].id;
    return 0;
}

/* @pools: as they were received, or NULL. After a restart ephemeral ones have come back empty; what uses them makes
 * them anew. */
static enum tmem_result restore_pools(struct tm_tenant *tenant, const struct tm_receive_pool *pools, size_t pool_total)
{
    uint64_t id = 0;
    size_t count = 0;
    struct tmem_pool *pool;
    struct tmem_pool_stats stats;
    for (;;) {
        enum tmem_result result = tmem_client_pools(tenant->client, id, &id, 1, &count);
        if (result != TMEM_OK || count == 0)
            return result;
        if (!make_room(tenant))
            return TMEM_NOMEM;
        result = tmem_pool_open(tenant->client, id, &pool);
        if (result == TMEM_OK)
            result = tmem_pool_stats(pool, &stats, sizeof stats);
        if (result != TMEM_OK)
            return result;
        if ((stats.flags & TMEM_POOL_PERSISTENT) == 0 && pools == NULL)
            tmem_pool_destroy(pool);
        else
            tenant->pools[tenant->pool_count++] =
                (struct tm_tenant_pool){id, pool, stats.flags, former_of(pools, pool_total, pool)};
    }
}

/* An orphan of what is in the note. */
static enum tmem_result make_orphan(struct tm_tenants *tenants, struct tmem_client *client, const char *name,
                                    const uint64_t *note, const struct tm_receive_pool *pools, size_t pool_count)
{
    const struct tm_config *config = tm_config_of(tenants->daemon);
    struct tm_tenant *tenant = calloc(1, sizeof *tenant);
    if (tenant == NULL)
        return TMEM_NOMEM;
    tenant->client = client;
    tenant->uid = (uid_t)note[NOTE_USER];
    memcpy(tenant->token.bytes, &note[NOTE_TOKEN], sizeof tenant->token.bytes);
    (void)snprintf(tenant->name, sizeof tenant->name, "%s", name);
    tenant->rule = tm_config_rule_of(config, tenant->uid, name);
    if (note[NOTE_USER] >> NOTE_TERMS != tm_rule_terms(tenant->rule))
        tm_tenant_lower(tenant);
    enum tmem_result result = restore_pools(tenant, pools, pool_count);
    if (result != TMEM_OK) {
        free_tenant(tenant);
        return result;
    }
    tenant->state = TM_TENANT_ORPHAN;
    tenant->orphan_until_ns = until_of(tenant, note[NOTE_UNTIL] & NOTE_TIME, config->grace_seconds);
    if ((note[NOTE_UNTIL] & NOTE_IS_SAVED) != 0)
        tm_client_set_frozen(tm_client_of(client), (note[NOTE_UNTIL] & NOTE_IS_FROZEN_AFTER) != 0);
    tm_tenants_lock(tenants);
    tm_tenant_write_note(tenant);
    add(tenants, tenant);
    tm_tenants_unlock(tenants);
    return TMEM_OK;
}

enum tmem_result tm_tenant_restore(struct tm_tenants *tenants, struct tmem_client *client, const char *name)
{
    uint64_t note[TM_CLIENT_NOTE_WORDS];
    tm_client_note(tm_client_of(client), note);
    if ((note[NOTE_USER] & NOTE_IS_WRITTEN) == 0)
        return TMEM_NOT_FOUND;
    return make_orphan(tenants, client, name, note, NULL, 0);
}

enum tmem_result tm_tenant_adopt(struct tm_tenants *tenants, struct tmem_client *client, const char *name, uid_t uid,
                                 const struct tm_wire_token *token, const struct tm_receive_pool *pools, size_t count)
{
    static const struct tm_receive_pool none;
    uint64_t note[TM_CLIENT_NOTE_WORDS] = {0};
    memcpy(&note[NOTE_TOKEN], token->bytes, sizeof token->bytes);
    note[NOTE_USER] = uid | NOTE_IS_WRITTEN;
    enum tmem_result result = make_orphan(tenants, client, name, note, pools != NULL ? pools : &none, count);
    if (result != TMEM_OK)
        return result;
    tm_forwards_forget(tenants->daemon->forwards, token);
    tm_reaper_look(tenants->daemon->reaper);
    return TMEM_OK;
}
