/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.c - what operators want to know: counts that survive the end of pools, why pages went and puts were refused,
 * and for whom.
 *
 * Nothing here is on the path of a put or get that succeeds: evictions are noted once for each segment that is taken
 * apart, refusals when a put has failed. What is evicted ahead of need goes a few pages at a time with puts that
 * succeed, so it is not noted: it is what the pools' counters say beyond the rest.
 */
#include "engine/engine_internal.h"

/* All of them are numbers, which can be gone through one by one. */
#define COUNTS (sizeof(struct tm_page_counts) / sizeof(uint64_t))
TM_STATIC_ASSERT(sizeof(struct tm_page_counts) % sizeof(uint64_t) == 0);
TM_STATIC_ASSERT(sizeof(struct tm_ledger) % sizeof(uint64_t) == 0);

/* ---- counts ---- */

/* What is counted as it happens, and where it stands among the counts. */
static const struct {
    enum tm_tally tally;
    size_t at;
} events[] = {
#define EVENT(tally, member)                                              \
    {                                                                     \
        tally, offsetof(struct tm_page_counts, member) / sizeof(uint64_t) \
    }
    EVENT(TM_TALLY_PUTS, puts),
    EVENT(TM_TALLY_PUTS_REPLACED, puts_replaced),
    EVENT(TM_TALLY_PUTS_REFUSED, puts_refused),
    EVENT(TM_TALLY_PUTS_DROPPED_OLD, puts_dropped_old),
    EVENT(TM_TALLY_GETS, gets),
    EVENT(TM_TALLY_GETS_FOUND, gets_found),
    EVENT(TM_TALLY_GETS_CORRUPT, gets_corrupt),
    EVENT(TM_TALLY_INVALIDATES, invalidates),
    EVENT(TM_TALLY_INVALIDATES_FOUND, invalidates_found),
    EVENT(TM_TALLY_OBJECT_INVALIDATES, object_invalidates),
    EVENT(TM_TALLY_OBJECT_INVALIDATES_FOUND, object_invalidates_found),
    EVENT(TM_TALLY_EVICTED, evicted),
#undef EVENT
};

void tm_counts_add(const struct tm_pool *pool, struct tm_page_counts *out)
{
    uint64_t *counts = (uint64_t *)(void *)out;
    uint64_t pages = tm_tally_of(pool, TM_TALLY_PAGES);
    out->pages += pages;
    out->pages_max += tm_max_u64(pages, tm_load_relaxed(&pool->pages_max));
    out->objects += tm_tally_of(pool, TM_TALLY_OBJECTS);
    out->same_filled += tm_tally_of(pool, TM_TALLY_SAME);
    out->shared += tm_tally_of(pool, TM_TALLY_SHARED);
    for (size_t i = 0; i < TM_ARRAY_SIZE(events); i++)
        counts[events[i].at] += tm_tally_of(pool, events[i].tally);
}

void tm_pool_set_past(struct tm_member *member, const struct tm_page_counts *past)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    struct tm_pool *pool = member->pool;
    const uint64_t *counts = (const uint64_t *)(const void *)past;
    for (size_t i = 0; i < TM_ARRAY_SIZE(events); i++)
        tm_tally_add(pool, 0, events[i].tally, counts[events[i].at] - tm_tally_of(pool, events[i].tally));
    if (past->pages_max > tm_load_relaxed(&pool->pages_max))
        tm_store_relaxed(&pool->pages_max, past->pages_max);
}

void tm_pool_uncount_get(struct tm_member *member, bool was_found)
{
    TM_MAGIC_CHECK(member, TM_MEMBER_MAGIC);
    tm_tally_add(member->pool, 0, TM_TALLY_GETS, (uint64_t)-1);
    if (was_found)
        tm_tally_add(member->pool, 0, TM_TALLY_GETS_FOUND, (uint64_t)-1);
}

void tm_client_set_past(struct tm_client *client, uint64_t charged_max_bytes, uint64_t evicted_for_others)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    if (charged_max_bytes > tm_load_relaxed(&client->charged_max))
        tm_store_relaxed(&client->charged_max, charged_max_bytes);
    tm_store_relaxed(&client->evicted_for_others, evicted_for_others);
}

/* Numbers of @words of a ledger that others count in as well. */
static void add_words(void *to, const void *from, size_t words)
{
    uint64_t *sum = to;
    const uint64_t *more = from;
    for (size_t i = 0; i < words; i++)
        tm_fetch_add_relaxed(&sum[i], tm_load_relaxed(&more[i]));
}

/* ---- what happens ---- */

static void add(uint64_t *count, uint64_t more)
{
    tm_fetch_add_relaxed(count, more);
}

void tm_note_evicted(struct tm_engine *engine, struct tm_client *victim, enum tm_eviction why, uint64_t pages)
{
    struct tm_ledger *ledger = victim != NULL ? &victim->past : &engine->past;
    if (pages != 0)
        add(&ledger->evicted[why], pages);
}

/* The causer's row, or a free one, or that of who caused least. */
static struct tm_causer *find_causer(struct tm_client *victim, uint64_t serial)
{
    struct tm_causer *least = &victim->causers[0];
    for (unsigned i = 0; i < TM_CAUSERS; i++) {
        struct tm_causer *causer = &victim->causers[i];
        if (causer->serial == serial && causer->pages != 0)
            return causer;
        if (causer->pages < least->pages)
            least = causer;
    }
    return least;
}

void tm_note_causer(struct tm_client *victim, const struct tm_client *causer, uint64_t pages)
{
    if (pages == 0)
        return;
    tm_lock_acquire(&victim->causers_lock, TM_LOCK_causers);
    struct tm_causer *row = find_causer(victim, causer->serial);
    if (row->pages != 0 && row->serial != causer->serial) {
        victim->causers[TM_CAUSERS].pages += row->pages;
        row->pages = 0;
    }
    if (row->pages == 0) {
        memcpy(row->name, causer->name, sizeof row->name);
        row->serial = causer->serial;
    }
    row->pages += pages;
    tm_lock_release(&victim->causers_lock, TM_LOCK_causers);
    add(&victim->evicted_for_others, pages);
}

static bool is_at_cap(const struct tm_client *client, uint64_t bytes)
{
    return tm_load_relaxed(&client->charged) + bytes > tm_load_relaxed(&client->cap_bytes);
}

/* Anybody who would have to pay for a part of it. */
static bool is_any_at_cap(struct tm_pool *pool, struct tm_client *client, uint64_t bytes)
{
    bool found = false;
    if (!pool->is_shared)
        return is_at_cap(client, bytes);
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    for (const struct tm_member *member = pool->members; member != NULL; member = member->next_of_pool)
        found = found || is_at_cap(member->client, bytes / pool->member_count);
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    return found;
}

void tm_note_refused(struct tm_pool *pool, struct tm_client *client, enum tm_result why, uint64_t bytes)
{
    enum tm_refusal refusal = TM_REFUSAL_ROOM;
    if (why == TM_NOMEM)
        refusal = TM_REFUSAL_MEMORY;
    else if (tm_load_relaxed(&client->frozen) != 0)
        refusal = TM_REFUSAL_FROZEN;
    else if (is_any_at_cap(pool, client, bytes))
        refusal = TM_REFUSAL_CAP;
    add(&client->past.refused[refusal], 1);
}

/* ---- beginning and end ---- */

void tm_ledger_init(struct tm_client *client)
{
    memset(&client->past, 0, sizeof client->past);
    memset(client->causers, 0, sizeof client->causers);
}

void tm_ledger_end_client(struct tm_client *client)
{
    struct tm_ledger *past = &client->engine->past;
    add_words(past->evicted, client->past.evicted, TM_EVICTIONS);
    add_words(past->refused, client->past.refused, TM_REFUSALS);
}

void tm_ledger_end_pool(const struct tm_pool *pool, struct tm_client *owner)
{
    struct tm_page_counts counts = {0};
    tm_counts_add(pool, &counts);
    counts.pages = counts.objects = counts.same_filled = counts.shared = 0;
    counts.pages_max = 0; /* the sum over pools that were there one after the other means nothing */
    add_words(&pool->engine->past.counts[pool->kind], &counts, COUNTS);
    if (owner != NULL)
        add_words(&owner->past.counts[pool->kind], &counts, COUNTS);
}

/* ---- what is told ---- */

static void find_ahead(struct tm_ledger *ledger)
{
    uint64_t known = 0;
    for (unsigned why = 0; why < TM_EVICTIONS; why++)
        known += why == TM_EVICTED_AHEAD ? 0 : ledger->evicted[why];
    uint64_t all = ledger->counts[TM_ARENA_EPHEMERAL].evicted;
    ledger->evicted[TM_EVICTED_AHEAD] = all > known ? all - known : 0;
}

void tm_client_ledger(struct tm_client *client, struct tm_ledger *out)
{
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    memset(out, 0, sizeof *out);
    tm_lock_acquire(&client->engine->control, TM_LOCK_control);
    add_words(out, &client->past, sizeof *out / sizeof(uint64_t));
    for (const struct tm_member *member = client->members; member != NULL; member = member->next_of_client)
        tm_counts_add(member->pool, &out->counts[member->pool->kind]);
    tm_lock_release(&client->engine->control, TM_LOCK_control);
    find_ahead(out);
}

void tm_engine_ledger(struct tm_engine *engine, struct tm_ledger *out)
{
    TM_MAGIC_CHECK(engine, TM_ENGINE_MAGIC);
    memset(out, 0, sizeof *out);
    tm_lock_acquire(&engine->control, TM_LOCK_control);
    add_words(out, &engine->past, sizeof *out / sizeof(uint64_t));
    for (uint32_t n = 1; n < engine->pools_next; n++) {
        const struct tm_pool *pool = tm_pool_at(engine, n);
        if (tm_load_relaxed(&pool->life) == TM_LIFE_RUNNING)
            tm_counts_add(pool, &out->counts[pool->kind]);
    }
    for (uint32_t n = 1; n < engine->clients_next; n++) {
        const struct tm_client *client = tm_client_at(engine, n);
        if (tm_load_relaxed(&client->life) != TM_LIFE_RUNNING)
            continue;
        add_words(out->evicted, client->past.evicted, TM_EVICTIONS);
        add_words(out->refused, client->past.refused, TM_REFUSALS);
    }
    tm_lock_release(&engine->control, TM_LOCK_control);
    find_ahead(out);
}

unsigned tm_client_causers(struct tm_client *client, struct tm_causer out[TM_CAUSERS + 1u])
{
    unsigned count = 0;
    TM_MAGIC_CHECK(client, TM_CLIENT_MAGIC);
    tm_lock_acquire(&client->causers_lock, TM_LOCK_causers);
    for (unsigned i = 0; i <= TM_CAUSERS; i++)
        if (client->causers[i].pages != 0)
            out[count++] = client->causers[i];
    tm_lock_release(&client->causers_lock, TM_LOCK_causers);
    return count;
}
