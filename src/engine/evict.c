/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evict.c - who loses pages, and which: by weight, then by value.
 *
 * By weight: the client whose charge is furthest above its share, charge divided by weight, loses first.
 *
 * By value: a heap's pages are young until they leave the first sixty-fourth of it. While there is room they then
 * become main pages, without a copy. When memory is short, the oldest young segment is taken apart, and only
 * those pages go on to main that were asked for clearly more often than main pages are on average (the sketch
 * estimates; `worth` is the running mean over sampled main pages). So neither a scan nor a loop larger than the
 * store drives out what is used: equal pages do not replace each other. When young is less than its share, the
 * oldest main segment is taken apart: what was used since it was last looked at goes round again.
 *
 * The share and the margin are measured: docs/design-notes/eviction.md.
 *
 * Room is made in steps of one segment; whoever needs it comes back for more.
 */
#include "engine/engine_internal.h"

#define YOUNG_SHARE 64u   /* young is at least so small a part */
#define SAMPLE 8u         /* main pages looked at for each young segment */
#define WORTH_UNIT 16u    /* `worth` is in sixteenths of an estimate */
#define WORTH_MARGIN 24u  /* a candidate must be better, not equal with luck: in a loop counts differ by up to that */
#define MEMORY 4u         /* events per page in the store after which what was counted weighs half */
#define SECOND_CHANCES 4u /* main segments in a row that may go round before one must go */
#define HALF_DEAD 4u      /* eighths: cleaning frees more than it copies */
#define WORTH_CLEANING 2u
#define COMPACT_LOOKS 8u                /* times 64 spans */
#define PATIENCE_NS UINT64_C(100000000) /* what is not half dead waits so long: it may soon be deader */
#define CHUNKS_AT_ONCE 256u             /* about a segment of them */
#define FRUITLESS 16u                   /* copies in a row that gave nothing back to the host */
#define GAIN_STEPS 64u                  /* segments evicted until it is looked again how much copying would gain */
#define FRUITLESS_MOST 256u             /* the same, where there is nothing left to evict */
#define CLEANS 64u                      /* segments copied together at most for one page: about two spans */
#define CLEANS_MOST 1024u               /* the same, for one that must not fail */

/* ---- value ---- */

struct worth {
    struct tm_engine *engine;
    uint32_t sum;
    uint32_t count;
};

static void add_worth(void *user, uint32_t hash, unsigned number)
{
    struct worth *worth = user;
    worth->sum += tm_sketch_estimate(&worth->engine->sketch, hash, number) * WORTH_UNIT;
    worth->count++;
}

/* Brings `worth` up to date with a few more main pages. */
static void sample_worth(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *account)
{
    struct worth worth = {engine, 0, 0};
    tm_sketch_set_period(&engine->sketch, tm_store_blocks(engine->store) * MEMORY);
    tm_heap_sample_main(account->heap, worker, SAMPLE, add_worth, &worth);
    if (worth.count == 0)
        return;
    uint32_t mean = (uint32_t)tm_max_u64(worth.sum / worth.count, 1); /* 0: nobody has looked yet */
    uint32_t before = tm_load_relaxed(&account->worth);
    tm_store_relaxed(&account->worth, before == 0 ? mean : (before * 7u + mean) / 8u);
}

bool tm_is_worth_keeping(struct tm_engine *engine, struct tm_account *account, uint32_t hash, unsigned number)
{
    unsigned estimate = tm_sketch_estimate(&engine->sketch, hash, number);
    /* What was asked for once may never be again, however little main pages are worth by now: a scan. */
    if (estimate > 1 && estimate * WORTH_UNIT > tm_load_relaxed(&account->worth) + WORTH_MARGIN)
        return true;
    tm_fetch_add_relaxed(&engine->refused_admissions, 1u);
    return false;
}

static bool is_mostly_young(const struct tm_heap *heap)
{
    uint64_t young = tm_heap_age_bytes(heap, TM_AGE_YOUNG);
    uint64_t all = young + tm_heap_age_bytes(heap, TM_AGE_MAIN);
    return young * YOUNG_SHARE > all;
}

void tm_age_heap(struct tm_engine *engine, struct tm_account *account)
{
    if (TM_UNLIKELY(is_mostly_young(account->heap)) && tm_store_has_room(engine->store))
        tm_heap_promote(account->heap);
}

/* Until now there was room for all: what is not among the youngest has stood the test of time, and tells what main
 * pages are worth. From now on what goes on to main is chosen. */
static void promote_untested(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *account)
{
    struct tm_heap *heap = account->heap;
    if (tm_heap_age_bytes(heap, TM_AGE_MAIN) != 0 && tm_load_relaxed(&account->worth) != 0)
        return;
    while (is_mostly_young(heap) && tm_heap_promote(heap)) {
    }
    sample_worth(engine, worker, account);
}

/* Takes one segment of an ephemeral heap apart; *dropped: the pages that went. False: it has none. */
static bool evict_segment(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *account,
                          uint64_t *dropped)
{
    struct tm_store *store = engine->store;
    struct tm_heap *heap = account->heap;
    if (tm_heap_age_bytes(heap, TM_AGE_YOUNG) + tm_heap_age_bytes(heap, TM_AGE_MAIN) == 0)
        tm_heap_seal(heap);
    promote_untested(engine, worker, account);
    if (is_mostly_young(heap)) {
        sample_worth(engine, worker, account);
        if (tm_heap_purge(store, worker, heap, TM_AGE_YOUNG, TM_PURGE_ADMIT, dropped))
            return true;
    }
    for (unsigned round = 0; round <= SECOND_CHANCES; round++) {
        enum tm_purge why = round < SECOND_CHANCES ? TM_PURGE_SECOND : TM_PURGE_ALL;
        if (!tm_heap_purge(store, worker, heap, TM_AGE_MAIN, why, dropped))
            break;
        if (*dropped != 0)
            return true;
    }
    return tm_heap_purge(store, worker, heap, TM_AGE_YOUNG, TM_PURGE_ALL, dropped);
}

/* ---- weight ---- */

/* The account's heap may end while it is looked at; its memory stays. */
static uint64_t bytes_of(const struct tm_account *account)
{
    const struct tm_heap *heap = tm_load_acquire(&account->heap);
    return heap != NULL ? tm_heap_segment_bytes(heap) : 0;
}

static bool has_segments(const struct tm_account *account)
{
    return bytes_of(account) != 0;
}

static bool is_member(struct tm_pool *pool, const struct tm_client *client)
{
    bool found = false;
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    for (const struct tm_member *member = pool->members; member != NULL && !found; member = member->next_of_pool)
        found = member->client == client;
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    return found;
}

/* The shared ephemeral pool with the largest heap that the client is a member of; pinned, or NULL. */
static struct tm_pool *largest_shared(struct tm_engine *engine, const struct tm_client *client)
{
    struct tm_pool *best = NULL;
    uint64_t most = 0;
    uint32_t last = tm_load_acquire(&engine->pools_next);
    for (uint32_t number = 1; number < last; number++) {
        struct tm_pool *pool = tm_pool_at(engine, number);
        if (!tm_load_relaxed(&pool->is_shared) || !tm_pool_pin(pool))
            continue;
        uint64_t bytes = pool->kind == TM_ARENA_EPHEMERAL && is_member(pool, client) ? bytes_of(&pool->own) : 0;
        if (bytes > most) {
            if (best != NULL)
                tm_pool_unpin(best);
            best = pool;
            most = bytes;
        } else {
            tm_pool_unpin(pool);
        }
    }
    return best;
}

/* How far above its share a client is: charge by weight, scaled so that small charges differ, too. */
static uint64_t excess_of(const struct tm_client *client)
{
    uint64_t charged = tm_load_relaxed(&client->charged);
    uint32_t weight = tm_load_relaxed(&client->weight);
    return charged > UINT64_MAX >> 10 ? UINT64_MAX / weight : (charged << 10) / weight;
}

/* Evicts a segment of a pinned client, of its private pages or of a shared pool, whichever is more. */
static bool evict_largest(struct tm_engine *engine, struct tm_worker *worker, struct tm_client *client,
                          uint64_t *dropped)
{
    struct tm_account *own = &client->account[TM_ARENA_EPHEMERAL];
    struct tm_pool *shared = largest_shared(engine, client);
    uint64_t own_bytes = bytes_of(own);
    uint64_t shared_bytes = shared != NULL ? bytes_of(&shared->own) : 0;
    bool done = false;
    if (shared_bytes > own_bytes)
        done = evict_segment(engine, worker, &shared->own, dropped);
    else if (own_bytes != 0)
        done = evict_segment(engine, worker, own, dropped);
    if (shared != NULL)
        tm_pool_unpin(shared);
    return done;
}

/* ---- pages without segments ---- */

/*
 * Same-filled pages have no bytes, and neither have pages whose shared content was evicted; but their chunks take
 * memory and are charged. When an account has no segments left, these go, oldest first.
 */
static bool evict_chunks_of_pool(struct tm_pool *pool, uint64_t *dropped)
{
    unsigned chunks = 0;
    uint64_t pages;
    for (; chunks < CHUNKS_AT_ONCE && tm_index_evict_chunk(pool, &pages); chunks++)
        *dropped += pages;
    return chunks != 0;
}

/* As evict_chunks_of_pool(), for the ephemeral pools that a pinned client pays for. */
static bool evict_chunks(struct tm_engine *engine, const struct tm_client *client, bool with_shared, uint64_t *dropped)
{
    uint32_t last = tm_load_acquire(&engine->pools_next);
    for (uint32_t number = 1; number < last; number++) {
        struct tm_pool *pool = tm_pool_at(engine, number);
        if (!tm_pool_pin(pool))
            continue;
        bool fits = pool->kind == TM_ARENA_EPHEMERAL && (with_shared || !pool->is_shared) && is_member(pool, client);
        bool done = fits && evict_chunks_of_pool(pool, dropped);
        tm_pool_unpin(pool);
        if (done)
            return true;
    }
    return false;
}

/* The client with the largest excess below @below; of equals the one after @after. Pinned, or NULL. */
static struct tm_client *next_victim(struct tm_engine *engine, uint64_t below, uint32_t after, uint64_t *excess,
                                     uint32_t *number)
{
    struct tm_client *best = NULL;
    uint32_t last = tm_load_acquire(&engine->clients_next);
    for (uint32_t n = 1; n < last; n++) {
        struct tm_client *client = tm_client_at(engine, n);
        if (tm_load_relaxed(&client->life) != TM_LIFE_RUNNING)
            continue;
        uint64_t value = excess_of(client);
        bool is_candidate = value < below || (value == below && n > after);
        if (!is_candidate || (best != NULL && value <= *excess) || !tm_client_pin(client))
            continue;
        if (best != NULL)
            tm_client_unpin(best);
        best = client;
        *excess = value;
        *number = n;
    }
    return best;
}

/* Evicts one segment, or as many chunks, from whoever is furthest above its share and has any. @for_whom: the client
 * that needs room, who takes nothing from those that are less far above theirs; NULL: the host needs it. */
static bool evict_by_weight(struct tm_engine *engine, struct tm_worker *worker, const struct tm_client *for_whom,
                            enum tm_eviction why)
{
    uint64_t excess = UINT64_MAX;
    uint64_t least = for_whom != NULL ? excess_of(for_whom) : 0;
    uint32_t number = 0;
    for (;;) {
        uint64_t below = excess;
        struct tm_client *client = next_victim(engine, below, number, &excess, &number);
        if (client == NULL)
            return false;
        uint64_t dropped = 0;
        bool may = client == for_whom || excess >= least;
        bool done = may && (evict_largest(engine, worker, client, &dropped) ||
                            evict_chunks(engine, client, true, &dropped));
        tm_note_evicted(engine, client, why, dropped);
        if (for_whom != NULL && client != for_whom)
            tm_note_causer(client, for_whom, dropped);
        tm_client_unpin(client);
        if (done || !may)
            return done;
    }
}

/* ---- ahead of need ---- */

#define BLOCKS_AT_ONCE 3u

/* Nobody is further above its share. */
static bool is_furthest(struct tm_engine *engine, const struct tm_client *client)
{
    uint64_t excess = excess_of(client);
    uint32_t last = tm_load_acquire(&engine->clients_next);
    for (uint32_t n = 1; n < last; n++) {
        const struct tm_client *other = tm_client_at(engine, n);
        if (tm_load_relaxed(&other->life) == TM_LIFE_RUNNING && excess_of(other) > excess)
            return false;
    }
    return true;
}

/* Begins to take a segment of the heap apart, chosen as evict_segment() does. */
static void begin_ahead(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *account)
{
    struct tm_heap *heap = account->heap;
    if (tm_heap_age_bytes(heap, TM_AGE_MAIN) == 0)
        return; /* the first time is not a matter of a few blocks: evict_segment() */
    promote_untested(engine, worker, account);
    if (is_mostly_young(heap)) {
        sample_worth(engine, worker, account);
        (void)tm_heap_purge_begin(heap, TM_AGE_YOUNG, TM_PURGE_ADMIT);
    } else {
        (void)tm_heap_purge_begin(heap, TM_AGE_MAIN, TM_PURGE_SECOND);
    }
}

void tm_evict_ahead(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *account,
                    const struct tm_client *client)
{
    if (TM_LIKELY(!tm_store_is_tight(engine->store)))
        return;
    if (tm_heap_purge_some(engine->store, worker, account->heap, BLOCKS_AT_ONCE))
        return;
    if (is_furthest(engine, client))
        begin_ahead(engine, worker, account);
}

/* ---- cleaning ---- */

/* Something to be done to a heap, with a number. False: there was nothing to do. */
typedef bool heap_work(struct tm_engine *engine, struct tm_worker *worker, struct tm_heap *heap, unsigned number);

/* Does it to the first heap that has something to do. */
static bool any_heap(struct tm_engine *engine, struct tm_worker *worker, heap_work *work, unsigned number)
{
    uint32_t last = tm_load_acquire(&engine->clients_next);
    for (uint32_t n = 1; n < last; n++) {
        struct tm_client *client = tm_client_at(engine, n);
        if (!tm_client_pin(client))
            continue;
        bool done = false;
        for (unsigned kind = 0; kind < TM_ARENAS && !done; kind++) {
            struct tm_heap *heap = tm_load_acquire(&client->account[kind].heap);
            done = heap != NULL && work(engine, worker, heap, number);
        }
        tm_client_unpin(client);
        if (done)
            return true;
    }
    last = tm_load_acquire(&engine->pools_next);
    for (uint32_t n = 1; n < last; n++) {
        struct tm_pool *pool = tm_pool_at(engine, n);
        if (!tm_load_relaxed(&pool->is_shared) || !tm_pool_pin(pool))
            continue;
        struct tm_heap *heap = tm_load_acquire(&pool->own.heap);
        bool done = heap != NULL && work(engine, worker, heap, number);
        tm_pool_unpin(pool);
        if (done)
            return true;
    }
    return false;
}

static bool clean_heap(struct tm_engine *engine, struct tm_worker *worker, struct tm_heap *heap, unsigned eighths)
{
    return tm_heap_is_cleanable(heap, eighths) && tm_heap_clean(engine->store, worker, heap, eighths);
}

/* Cleans one segment of somebody's heap that is dead to at least so many eighths. */
static bool clean_any(struct tm_engine *engine, struct tm_worker *worker, unsigned eighths)
{
    return any_heap(engine, worker, clean_heap, eighths);
}

static bool code_heap(struct tm_engine *engine, struct tm_worker *worker, struct tm_heap *heap, unsigned with_open)
{
    return tm_heap_undefer(engine->store, worker, heap, with_open != 0);
}

/* Compresses a segment of pages that wait for it. With @with_open also of those that puts still fill. */
static bool code_any(struct tm_engine *engine, struct tm_worker *worker, bool with_open)
{
    return any_heap(engine, worker, code_heap, with_open);
}

/* The same in the background: segments that puts fill are left alone as long as others come. *later: they will be
 * closed in a while. */
static bool code_in_background(struct tm_engine *engine, struct tm_worker *worker, bool *later)
{
    if (!engine->is_ahead)
        return code_any(engine, worker, true);
    uint64_t now = engine->host.clock_ns(engine->host.user);
    bool is_patient = now - tm_load_relaxed(&engine->coded_ns) < PATIENCE_NS;
    bool done = code_any(engine, worker, !is_patient);
    if (done)
        tm_store_relaxed(&engine->coded_ns, now);
    *later = *later || (is_patient && tm_store_has_open_deferred(engine->store));
    return done;
}

/* Empties a span that is so dead, in either arena. A few looks find it if there is one near. */
static bool compact_span(struct tm_engine *engine, struct tm_worker *worker, unsigned eighths)
{
    for (unsigned kind = 0; kind < TM_ARENAS; kind++)
        for (unsigned looks = 0; looks < COMPACT_LOOKS; looks++)
            if (tm_store_compact(engine->store, worker, (enum tm_arena_kind)kind, eighths))
                return true;
    return false;
}

/* The same, or else empties a segment. */
static bool compact_any(struct tm_engine *engine, struct tm_worker *worker, unsigned eighths)
{
    return compact_span(engine, worker, eighths) || clean_any(engine, worker, eighths);
}

/* How dead a segment must be to be cleaned now, when there is a thread that can come back later. */
static unsigned worth_cleaning(struct tm_engine *engine)
{
    if (!engine->is_ahead)
        return WORTH_CLEANING;
    uint64_t now = engine->host.clock_ns(engine->host.user);
    uint64_t since = tm_load_relaxed(&engine->patient_since_ns);
    if (since == 0) {
        tm_store_relaxed(&engine->patient_since_ns, now);
        return HALF_DEAD;
    }
    return now - since >= PATIENCE_NS ? WORTH_CLEANING : HALF_DEAD;
}

enum tm_work tm_engine_maintain(struct tm_engine *engine, unsigned steps)
{
    struct tm_worker *worker = tm_worker_acquire(engine->store);
    bool more = true;
    bool later = false;
    for (unsigned i = 0; i < steps && more; i++) {
        more = tm_store_prepare(engine->store, &later);
        more = code_in_background(engine, worker, &later) || more;
        unsigned eighths = worth_cleaning(engine);
        bool is_put_off = tm_load_relaxed(&engine->cold.is_ordered) != 0;
        bool cleaned = !is_put_off && compact_any(engine, worker, eighths);
        later = later || is_put_off;
        more = cleaned || more;
        later = later || (!cleaned && eighths != WORTH_CLEANING);
        if (!cleaned && eighths == WORTH_CLEANING)
            tm_store_relaxed(&engine->patient_since_ns, UINT64_C(0));
    }
    enum tm_work cold = more || steps == 0 ? TM_WORK_NONE : tm_cold_work(engine, worker);
    more = tm_store_drain(engine->store) || more || cold == TM_WORK_MORE;
    later = later || cold == TM_WORK_LATER;
    tm_worker_release(engine->store, worker);
    return more ? TM_WORK_MORE : later ? TM_WORK_LATER
                                       : TM_WORK_NONE;
}

/* ---- room ---- */

/* Copying may only move holes about, each time at another's cost: it ends after so many segments. */
static bool clean_for(struct tm_engine *engine, struct tm_worker *worker, struct tm_room *room, unsigned eighths,
                      unsigned most)
{
    if (room->cleaned >= most || !clean_any(engine, worker, eighths))
        return false;
    room->cleaned++;
    return true;
}

bool tm_make_room(struct tm_engine *engine, struct tm_worker *worker, struct tm_room *room)
{
    tm_store_drain(engine->store);
    if (tm_store_unprepare(engine->store) || clean_for(engine, worker, room, HALF_DEAD, CLEANS))
        return true;
    if (code_any(engine, worker, true))
        return true;
    if (evict_by_weight(engine, worker, room->for_whom, TM_EVICTED_ROOM))
        return true;
    if (clean_for(engine, worker, room, 1, CLEANS))
        return true;
    /* Free units may lie where they are of no use: in the other arena, or, for records, in spans of data. */
    if (compact_span(engine, worker, 1))
        return true;
    /* Only pages that must stay are left: copied together, their last holes make a segment. */
    return room->tier != TM_TIER_NORMAL && clean_for(engine, worker, room, 0, CLEANS_MOST);
}

/* Compresses pages that wait for it, and are charged raw meanwhile. */
static bool code_accounts(struct tm_engine *engine, struct tm_worker *worker, struct tm_account *accounts,
                          unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct tm_heap *heap = tm_load_acquire(&accounts[i].heap);
        if (heap != NULL && tm_heap_undefer(engine->store, worker, heap, true))
            return true;
    }
    return false;
}

/* The client that joined as number @n counted from the last, pinned; NULL: there are not so many, or it is ending. */
static struct tm_client *pin_member(struct tm_pool *pool, uint32_t n)
{
    tm_lock_acquire(&pool->members_lock, TM_LOCK_account_members);
    const struct tm_member *member = pool->members;
    while (member != NULL && n-- > 0)
        member = member->next_of_pool;
    struct tm_client *client = member != NULL && tm_client_pin(member->client) ? member->client : NULL;
    tm_lock_release(&pool->members_lock, TM_LOCK_account_members);
    return client;
}

/* The same for all that those are charged for who pay for the pool. */
static bool code_payers(struct tm_pool *pool, struct tm_worker *worker)
{
    struct tm_engine *engine = pool->engine;
    if (!pool->is_shared)
        return code_accounts(engine, worker, pool->members->client->account, TM_ARENAS);
    bool done = code_accounts(engine, worker, &pool->own, 1);
    struct tm_client *client;
    for (uint32_t n = 0; !done && (client = pin_member(pool, n)) != NULL; n++) {
        done = code_accounts(engine, worker, client->account, TM_ARENAS);
        tm_client_unpin(client);
    }
    return done;
}

bool tm_make_room_in(struct tm_pool *pool, struct tm_worker *worker, enum tm_eviction why)
{
    struct tm_engine *engine = pool->engine;
    struct tm_client *client = pool->is_shared ? NULL : pool->members->client;
    struct tm_account *account = pool->is_shared ? &pool->own : &client->account[TM_ARENA_EPHEMERAL];
    uint64_t dropped = 0;
    if (code_payers(pool, worker))
        return true;
    if (pool->is_shared && pool->kind != TM_ARENA_EPHEMERAL)
        return false;
    bool done = (has_segments(account) && evict_segment(engine, worker, account, &dropped)) ||
                (pool->is_shared ? evict_chunks_of_pool(pool, &dropped)
                                 : evict_chunks(engine, client, false, &dropped));
    tm_note_evicted(engine, client, why, dropped);
    return done;
}

/* Where shrinking stands. */
struct shrinking {
    enum tm_eviction why;
    uint64_t returned;
    unsigned fruitless; /* how often copying in a row gave nothing back */
    uint64_t gain;      /* what copying alone might give back, as it was a while ago */
    unsigned steps;
};

/* Evicts first where copying cannot give back all that is @missing: what goes anyway is not copied before. */
static bool evict_what_must_go(struct tm_engine *engine, struct tm_worker *worker, struct shrinking *shrinking,
                               uint64_t missing)
{
    if (shrinking->steps++ % GAIN_STEPS == 0)
        shrinking->gain = tm_store_gain(engine->store);
    return missing > shrinking->gain && evict_by_weight(engine, worker, NULL, shrinking->why);
}

/* One step towards fewer resident bytes. Copying may only move holes about: then it is time to evict. */
static bool shrink_step(struct tm_engine *engine, struct tm_worker *worker, struct shrinking *shrinking,
                        uint64_t missing)
{
    tm_store_drain(engine->store);
    if (evict_what_must_go(engine, worker, shrinking, missing))
        return true;
    uint64_t returned = tm_store_returned(engine->store);
    shrinking->fruitless = returned != shrinking->returned ? 0 : shrinking->fruitless + 1u;
    shrinking->returned = returned;
    if (shrinking->fruitless < FRUITLESS && compact_any(engine, worker, WORTH_CLEANING))
        return true;
    if (tm_store_unprepare(engine->store) || code_any(engine, worker, true) ||
        evict_by_weight(engine, worker, NULL, shrinking->why)) {
        shrinking->fruitless = 0;
        return true;
    }
    return shrinking->fruitless < FRUITLESS_MOST && compact_any(engine, worker, 1);
}

/* Segments there can be: more steps than this cannot help. */
static uint64_t most_steps(const struct tm_engine *engine)
{
    return tm_store_resident(engine->store) / (engine->host.span_bytes / TM_SPAN_UNITS) * 2u * FRUITLESS + 64u;
}

enum tm_result tm_engine_set_size(struct tm_engine *engine, uint64_t size_bytes)
{
    struct tm_worker *worker = tm_worker_acquire(engine->store);
    struct shrinking shrinking = {.why = TM_EVICTED_SIZE, .returned = tm_store_returned(engine->store)};
    uint64_t resident;
    tm_store_set_size(engine->store, size_bytes);
    for (uint64_t steps = most_steps(engine); steps > 0; steps--) {
        resident = tm_store_resident(engine->store);
        if (resident <= size_bytes || !shrink_step(engine, worker, &shrinking, resident - size_bytes))
            break;
    }
    bool fits = tm_store_resident(engine->store) <= size_bytes;
    tm_worker_release(engine->store, worker);
    return fits ? TM_OK : TM_REFUSED;
}

uint64_t tm_engine_reclaim(struct tm_engine *engine, uint64_t bytes)
{
    struct tm_worker *worker = tm_worker_acquire(engine->store);
    uint64_t before = tm_store_returned(engine->store);
    struct shrinking shrinking = {.why = TM_EVICTED_RECLAIM, .returned = before};
    for (uint64_t steps = most_steps(engine); steps > 0; steps--) {
        uint64_t done = tm_store_returned(engine->store) - before;
        if (done >= bytes || !shrink_step(engine, worker, &shrinking, bytes - done))
            break;
    }
    uint64_t after = tm_store_returned(engine->store);
    tm_worker_release(engine->store, worker);
    return after - before;
}

uint64_t tm_engine_freeable(struct tm_engine *engine)
{
    uint64_t bytes = 0;
    uint32_t last = tm_load_acquire(&engine->clients_next);
    for (uint32_t n = 1; n < last; n++) {
        struct tm_client *client = tm_client_at(engine, n);
        struct tm_account *own = &client->account[TM_ARENA_EPHEMERAL];
        if (tm_load_relaxed(&client->life) == TM_LIFE_RUNNING)
            bytes += bytes_of(own);
    }
    last = tm_load_acquire(&engine->pools_next);
    for (uint32_t n = 1; n < last; n++) {
        struct tm_pool *pool = tm_pool_at(engine, n);
        if (!tm_load_relaxed(&pool->is_shared) || !tm_pool_pin(pool))
            continue;
        bytes += pool->kind == TM_ARENA_EPHEMERAL ? bytes_of(&pool->own) : 0;
        tm_pool_unpin(pool);
    }
    /* From below: what is kept while segments are taken apart may hold one span. */
    uint64_t span_bytes = engine->host.span_bytes;
    return bytes < 2u * span_bytes ? 0 : (bytes - span_bytes) / span_bytes * span_bytes;
}
