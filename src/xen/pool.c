/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c - a domain's numbered pools: made, joined, left, and who may share them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xen/xen.h"

#define NO_UUID UINT64_MAX /* both halves: none */

static bool same_uuid(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

void tm_xen_count(const struct tm_xen_slot *slot, struct tmem_counters *counters)
{
    struct tmem_pool_stats stats;
    if (tmem_pool_stats(slot->member, &stats, sizeof stats) != TMEM_OK)
        memset(&stats, 0, sizeof stats);
    *counters = stats.counters;
}

/* ---- rights ---- */

static uint64_t *find_right(struct tmem_xen_domain *domain, const uint64_t uuid[2])
{
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        if (same_uuid(domain->rights[i], uuid))
            return domain->rights[i];
    return NULL;
}

long tm_xen_authorise(struct tmem_xen_domain *domain, const uint64_t uuid[2])
{
    static const uint64_t none[2] = {NO_UUID, NO_UUID};
    uint64_t *right = find_right(domain, none);
    if (right == NULL)
        return -ENOMEM;
    right[0] = uuid[0];
    right[1] = uuid[1];
    return 1;
}

long tm_xen_deauthorise(struct tmem_xen_domain *domain, const uint64_t uuid[2])
{
    uint64_t *right = find_right(domain, uuid);
    if (right == NULL)
        return 0;
    right[0] = right[1] = NO_UUID;
    return 1;
}

/* A shared pool that a domain may not have becomes a private one, and the guest cannot tell. */
static bool may_share(struct tmem_xen_domain *domain, const uint64_t uuid[2])
{
    if (uuid[0] == NO_UUID && uuid[1] == NO_UUID)
        return false;
    bool is_open = domain->xen->needs_no_right && !tm_xen_since(domain, TMEM_XEN_RELEASE_4_12);
    return is_open || find_right(domain, uuid) != NULL;
}

/* ---- making ---- */

static void show_frozen(struct tm_xen_pool *pool)
{
    tm_store_relaxed(&pool->is_frozen, pool->owner->is_frozen);
    tm_store_relaxed(&pool->is_migrating, pool->owner->is_migrating);
}

static bool flags_are_valid(uint32_t flags)
{
    uint32_t version = flags >> TMEM_POOL_VERSION_SHIFT & TMEM_POOL_VERSION_MASK;
    uint32_t page_size = flags >> TMEM_POOL_PAGESIZE_SHIFT & TMEM_POOL_PAGESIZE_MASK;
    uint32_t both = TMEM_POOL_PERSIST | TMEM_POOL_SHARED;
    return version == TMEM_SPEC_VERSION && page_size == 0 && (flags & both) != both &&
           (flags & (TMEM_POOL_PRECOMPRESSED | TMEM_POOL_RESERVED_BITS)) == 0;
}

static int free_number(const struct tmem_xen_domain *domain)
{
    for (int i = 0; i < (int)TMEM_XEN_POOLS; i++)
        if (domain->slots[i].pool == NULL)
            return i;
    return -1;
}

/* The place of a shared pool among the host's: the one it has, or else a free one. NULL: none is free. */
static struct tm_xen_pool **find_shared(struct tmem_xen *xen, const uint64_t uuid[2])
{
    struct tm_xen_pool **free_place = NULL;
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++) {
        struct tm_xen_pool *pool = xen->shared[i];
        if (pool != NULL && same_uuid(pool->uuid, uuid))
            return &xen->shared[i];
        if (pool == NULL && free_place == NULL)
            free_place = &xen->shared[i];
    }
    return free_place;
}

/* The domain's handle of a pool that it is in already. */
static struct tmem_pool *find_member(const struct tmem_xen_domain *domain, const struct tm_xen_pool *pool)
{
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        if (domain->slots[i].pool == pool)
            return domain->slots[i].member;
    return NULL;
}

/* The store's own pool. It asks for a right to share; which a domain has here for no longer than it joins, so that
 * guests cannot fill memory with rights. A store that takes no rights from here (a daemon's) knows them by itself. */
static enum tmem_result join(struct tmem_xen_domain *domain, const struct tm_xen_pool *pool, struct tmem_pool **member)
{
    if (!pool->is_shared)
        return tmem_pool_create(domain->client, pool->is_persistent ? TMEM_POOL_PERSISTENT : TMEM_POOL_EPHEMERAL, NULL,
                                member);
    const struct tmem_uuid uuid = {{pool->uuid[0], pool->uuid[1]}};
    enum tmem_result given = tmem_client_authorise(domain->client, &uuid);
    if (given != TMEM_OK && given != TMEM_UNSUPPORTED)
        return given;
    enum tmem_result made = tmem_pool_create(domain->client, TMEM_POOL_SHARED, &uuid, member);
    if (given == TMEM_OK)
        (void)!tmem_client_deauthorise(domain->client, &uuid);
    return made;
}

static struct tm_xen_pool *make_pool(struct tmem_xen_domain *domain, uint32_t flags, bool is_shared,
                                     const uint64_t uuid[2])
{
    struct tm_xen_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->is_persistent = (flags & TMEM_POOL_PERSIST) != 0;
    pool->is_shared = is_shared;
    memcpy(pool->uuid, uuid, sizeof pool->uuid);
    pool->owner = domain;
    show_frozen(pool);
    return pool;
}

static void publish(struct tmem_xen_domain *domain, int number, struct tm_xen_pool *pool, struct tmem_pool *member)
{
    const struct tm_xen_slot slot = {pool, member, domain->xen->next_order++};
    pool->users++;
    pthread_rwlock_wrlock(&domain->slots_lock);
    domain->slots[number] = slot;
    pthread_rwlock_unlock(&domain->slots_lock);
}

/* A pool of its own, or of all who know the uuid. *denied: the store lets it not share this one. */
static long create(struct tmem_xen_domain *domain, int number, uint32_t flags, const uint64_t *uuid, bool is_shared,
                   bool *denied)
{
    struct tm_xen_pool **place = is_shared ? find_shared(domain->xen, uuid) : NULL;
    if (is_shared && place == NULL)
        return -EPERM;
    bool is_new = place == NULL || *place == NULL;
    struct tm_xen_pool *pool = is_new ? make_pool(domain, flags, is_shared, uuid) : *place;
    if (pool == NULL)
        return -ENOMEM;
    struct tmem_pool *member = is_new ? NULL : find_member(domain, pool);
    enum tmem_result made = member != NULL ? TMEM_OK : join(domain, pool, &member);
    if (made != TMEM_OK) {
        if (is_new)
            free(pool);
        *denied = is_shared && made == TMEM_DENIED;
        return made == TMEM_NOMEM || made == TMEM_REFUSED ? -ENOMEM : -EPERM;
    }
    if (place != NULL)
        *place = pool;
    publish(domain, number, pool, member);
    return number;
}

long tm_xen_pool_create(struct tmem_xen_domain *domain, int number, uint32_t flags, const uint64_t uuid[2])
{
    bool denied = false;
    if (!flags_are_valid(flags))
        return -EPERM;
    if (number < 0)
        number = free_number(domain);
    /* Of one that is made while it migrates, the other side would know nothing. */
    if (domain->is_migrating || number < 0 || number >= (int)TMEM_XEN_POOLS || domain->slots[number].pool != NULL)
        return -EPERM;
    bool is_shared = (flags & TMEM_POOL_SHARED) != 0 && may_share(domain, uuid);
    long result = create(domain, number, flags, uuid, is_shared, &denied);
    return denied ? create(domain, number, flags, uuid, false, &denied) : result;
}

/* ---- leaving ---- */

/* The first to come of those that are left is the owner from now on. */
static void choose_owner(struct tmem_xen *xen, struct tm_xen_pool *pool)
{
    uint64_t first = UINT64_MAX;
    for (struct tmem_xen_domain *domain = xen->clients; domain != NULL; domain = domain->next_client)
        for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
            if (domain->slots[i].pool == pool && domain->slots[i].order < first) {
                first = domain->slots[i].order;
                pool->owner = domain;
            }
    show_frozen(pool);
}

static void end_pool(struct tmem_xen *xen, struct tm_xen_pool *pool, const struct tmem_counters *last)
{
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        if (xen->shared[i] == pool)
            xen->shared[i] = NULL;
    xen->ended_pools++;
    if (!pool->is_persistent)
        xen->ended_ephemeral_puts += pool->puts_good - tm_min_u64(pool->puts_good, last->puts_replaced);
    free(pool);
}

void tm_xen_unpin(struct tmem_xen_domain *domain)
{
    if (--domain->pins == 0)
        pthread_cond_broadcast(&domain->xen->unpinned);
}

/* Of a private pool it answers the handle, for tmem_pool_destroy(); a shared one was left. */
static struct tmem_pool *clear(struct tmem_xen_domain *domain, unsigned number)
{
    struct tm_xen_slot slot = domain->slots[number];
    struct tmem_counters last;
    if (slot.pool == NULL)
        return NULL;
    tm_xen_count(&slot, &last);
    /* Operations under way hold the lock for reading: when it is had, none uses the slot any more. */
    pthread_rwlock_wrlock(&domain->slots_lock);
    domain->slots[number] = (struct tm_xen_slot){0};
    pthread_rwlock_unlock(&domain->slots_lock);
    bool is_shared = slot.pool->is_shared;
    if (is_shared && find_member(domain, slot.pool) == NULL)
        tmem_pool_destroy(slot.member);
    if (--slot.pool->users == 0)
        end_pool(domain->xen, slot.pool, &last);
    else if (slot.pool->owner == domain)
        choose_owner(domain->xen, slot.pool);
    return is_shared ? NULL : slot.member;
}

void tm_xen_pools_end(struct tmem_xen_domain *domain, unsigned number, unsigned count)
{
    struct tmem_xen *xen = domain->xen;
    struct tmem_pool *left[TMEM_XEN_POOLS];
    bool is_noted = domain->is_migrating && tm_load_relaxed(&domain->is_dying) == 0;
    for (unsigned i = 0; i < count; i++)
        left[i] = clear(domain, number + i);
    domain->pins++;
    pthread_mutex_unlock(&xen->lock);
    for (unsigned i = 0; i < count; i++) {
        if (is_noted && left[i] != NULL)
            tm_xen_save_empty(domain, number + i, left[i]);
        tmem_pool_destroy(left[i]);
    }
    pthread_mutex_lock(&xen->lock);
    tm_xen_unpin(domain);
}

void tm_xen_set_frozen(struct tmem_xen_domain *domain, bool is_frozen)
{
    domain->was_frozen = is_frozen;
    if (domain->save != NULL) /* then it is so afterwards */
        return;
    domain->is_frozen = is_frozen;
    tm_xen_show_frozen(domain);
}

void tm_xen_show_frozen(struct tmem_xen_domain *domain)
{
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++) {
        struct tm_xen_pool *pool = domain->slots[i].pool;
        if (pool != NULL && pool->owner == domain)
            show_frozen(pool);
    }
}
