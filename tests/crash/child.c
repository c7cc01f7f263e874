/* SPDX-License-Identifier: BSD-2-Clause */
/* child.c - the process that is killed: two threads change what they have; each call is announced and written down. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crash.h"

#define NOISE_PAGES 512u

struct crew {
    struct crash_journal *journal;
    struct crash_thread *thread;
    unsigned number;
    uint64_t random;
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_client *guest;
    struct tmem_pool *pool[CRASH_POOLS];
    struct tmem_pool *noise; /* ephemeral: makes the store full */
    unsigned char page[CRASH_BATCH][TMEM_PAGE_SIZE];
};

/* ---- announcing and writing down ---- */

static struct crash_intent *announce(struct crew *crew, enum crash_kind kind, unsigned pool)
{
    struct crash_intent *intent = &crew->thread->intent;
    intent->kind = kind;
    intent->pool = pool;
    intent->count = 1;
    intent->result[0] = TMEM_OK;
    return intent;
}

static void call(struct crew *crew)
{
    atomic_fetch_add(&crew->journal->calls[crew->thread->intent.kind], 1);
    atomic_store(&crew->thread->intent.phase, CRASH_CALLING);
}

static void answered(struct crew *crew)
{
    struct crash_intent *intent = &crew->thread->intent;
    for (unsigned i = 0; i < intent->count; i++)
        if (intent->result[i] == TMEM_CORRUPT || intent->result[i] == TMEM_INVALID)
            crash_fail(crew->journal, "call of kind %d: answered '%s'", intent->kind,
                       tmem_result_text(intent->result[i]));
    atomic_store(&intent->phase, CRASH_ANSWERED);
    crash_apply(crew->thread);
    atomic_store(&intent->phase, CRASH_IDLE);
}

/* ---- pages ---- */

static unsigned draw_pool(struct crew *crew)
{
    unsigned pool = crash_below(&crew->random, CRASH_POOLS);
    return crew->pool[pool] != NULL ? pool : CRASH_SHARED_POOL;
}

static void put(struct crew *crew, bool is_batch)
{
    struct crash_intent *intent = announce(crew, is_batch ? CRASH_PUT_MANY : CRASH_PUT, draw_pool(crew));
    struct tmem_io io[CRASH_BATCH];
    struct tmem_object_id id;
    intent->object = crash_below(&crew->random, CRASH_OBJECTS);
    intent->page = crash_below(&crew->random, CRASH_PAGES);
    intent->count = is_batch ? 2u + crash_below(&crew->random, CRASH_BATCH - 1u) : 1;
    intent->flags = crash_below(&crew->random, 4) == 0 ? TMEM_PUT_KEEP : TMEM_PUT_PLAIN;
    id = crash_object(crew->number, intent->object);
    for (unsigned i = 0; i < intent->count; i++) {
        intent->content[i] = content_draw(content_next(&crew->random));
        content_fill(intent->content[i], crew->page[i]);
        io[i] = (struct tmem_io){id, crash_index((intent->page + i) % CRASH_PAGES), TMEM_INVALID, crew->page[i]};
    }
    struct tmem_pool *pool = crew->pool[intent->pool];
    call(crew);
    if (is_batch) {
        if (tmem_put_many(pool, io, intent->count, intent->flags) != TMEM_OK)
            crash_fail(crew->journal, "put_many failed");
        for (unsigned i = 0; i < intent->count; i++)
            intent->result[i] = io[i].result;
    } else {
        intent->result[0] = tmem_put(pool, &id, io[0].index, crew->page[0], intent->flags);
    }
    answered(crew);
}

static void invalidate_page(struct crew *crew, enum crash_kind kind)
{
    struct crash_intent *intent = announce(crew, kind, draw_pool(crew));
    intent->object = crash_below(&crew->random, CRASH_OBJECTS);
    intent->page = crash_below(&crew->random, CRASH_PAGES);
    struct tmem_object_id id = crash_object(crew->number, intent->object);
    struct tmem_pool *pool = crew->pool[intent->pool];
    uint64_t content = crew->thread->pool[intent->pool].content[intent->object][intent->page];
    call(crew);
    if (kind == CRASH_TAKE)
        intent->result[0] = tmem_get(pool, &id, crash_index(intent->page), crew->page[0], TMEM_GET_EXCLUSIVE);
    else
        intent->result[0] = tmem_invalidate_page(pool, &id, crash_index(intent->page));
    if (intent->result[0] != (content != 0 ? TMEM_OK : TMEM_MISS))
        crash_fail(crew->journal, "invalidate or take: answered '%s'", tmem_result_text(intent->result[0]));
    if (kind == CRASH_TAKE && content != 0 && !content_matches(content, crew->page[0]))
        crash_fail(crew->journal, "take: not the page that was stored");
    answered(crew);
}

static void invalidate_object(struct crew *crew)
{
    struct crash_intent *intent = announce(crew, CRASH_INVALIDATE_OBJECT, draw_pool(crew));
    intent->object = crash_below(&crew->random, CRASH_OBJECTS);
    struct tmem_object_id id = crash_object(crew->number, intent->object);
    struct tmem_pool *pool = crew->pool[intent->pool];
    call(crew);
    intent->result[0] = tmem_invalidate_object(pool, &id);
    answered(crew);
}

/* Pages that nobody looks for later: they fill the store, so that segments are evicted and cleaned. */
static void make_noise(struct crew *crew)
{
    struct tmem_object_id id = crash_object(crew->number, 0);
    content_fill(content_draw(content_next(&crew->random)), crew->page[0]);
    if (tmem_put(crew->noise, &id, crash_below(&crew->random, NOISE_PAGES), crew->page[0], 0) == TMEM_INVALID)
        crash_fail(crew->journal, "ephemeral put failed");
}

/* ---- pools, clients ---- */

static void create_pool(struct crew *crew, unsigned number)
{
    struct crash_intent *intent = announce(crew, CRASH_POOL_CREATE, number);
    struct tmem_pool *made = NULL;
    call(crew);
    intent->result[0] = tmem_pool_create(crew->client, TMEM_POOL_PERSISTENT, NULL, &made);
    intent->pool_id = tmem_pool_id(made);
    answered(crew);
    crew->pool[number] = made;
}

static void change_pool(struct crew *crew)
{
    unsigned number = crash_below(&crew->random, CRASH_SHARED_POOL);
    if (crew->pool[number] == NULL) {
        create_pool(crew, number);
        return;
    }
    (void)announce(crew, CRASH_POOL_DESTROY, number);
    call(crew);
    tmem_pool_destroy(crew->pool[number]);
    answered(crew);
    crew->pool[number] = NULL;
}

static void change_settings(struct crew *crew)
{
    struct crash_intent *intent = announce(crew, CRASH_SETTINGS, 0);
    intent->settings = crew->thread->settings;
    switch (crash_below(&crew->random, 3)) {
    case 0:
        intent->settings.weight = 1u + crash_below(&crew->random, 1000);
        call(crew);
        intent->result[0] = tmem_client_set_weight(crew->client, intent->settings.weight);
        break;
    case 1:
        /* Far above what is needed: a cap must not refuse anything here. */
        intent->settings.cap_bytes = (UINT64_C(1) << 30) + content_next(&crew->random) % 100000u;
        call(crew);
        intent->result[0] = tmem_client_set_cap(crew->client, intent->settings.cap_bytes);
        break;
    default:
        intent->settings.is_frozen = !intent->settings.is_frozen;
        call(crew);
        intent->result[0] =
            intent->settings.is_frozen ? tmem_client_freeze(crew->client) : tmem_client_thaw(crew->client);
    }
    answered(crew);
}

static void change_guest(struct crew *crew)
{
    struct tmem_pool *pool;
    struct tmem_object_id id = crash_object(crew->number, 1);
    if (crew->guest != NULL) {
        (void)announce(crew, CRASH_GUEST_DESTROY, 0);
        call(crew);
        tmem_client_destroy(crew->guest);
        answered(crew);
        crew->guest = NULL;
        return;
    }
    struct crash_intent *intent = announce(crew, CRASH_GUEST_CREATE, 0);
    call(crew);
    intent->result[0] = tmem_client_create(crew->store, crash_guest_name(crew->number), NULL, &crew->guest);
    enum tmem_result result = intent->result[0];
    answered(crew);
    if (result != TMEM_OK || tmem_pool_create(crew->guest, TMEM_POOL_PERSISTENT, NULL, &pool) != TMEM_OK)
        return;
    for (unsigned i = 0; i < 20; i++) {
        content_fill(content_draw(content_next(&crew->random)), crew->page[0]);
        if (tmem_put(pool, &id, i * 7u, crew->page[0], 0) == TMEM_INVALID)
            crash_fail(crew->journal, "a guest's put failed");
    }
}

/* ---- the threads ---- */

static void step(struct crew *crew)
{
    unsigned kind = crash_below(&crew->random, 1000);
    /* A frozen client refuses everything: not for long. */
    if (crew->thread->settings.is_frozen && kind < 100)
        kind = 990;
    if (kind < 480)
        put(crew, false);
    else if (kind < 540)
        put(crew, true);
    else if (kind < 700)
        make_noise(crew);
    else if (kind < 860)
        invalidate_page(crew, CRASH_INVALIDATE_PAGE);
    else if (kind < 930)
        invalidate_page(crew, CRASH_TAKE);
    else if (kind < 970)
        invalidate_object(crew);
    else if (kind < 980)
        change_pool(crew);
    else if (kind < 994)
        change_settings(crew);
    else
        change_guest(crew);
}

static void *work(void *user)
{
    struct crew *crew = user;
    atomic_store(&crew->thread->tid, (int)syscall(SYS_gettid));
    atomic_store(&crew->journal->is_working, true);
    for (;;)
        step(crew);
    return NULL;
}

/* Finds what must be there, as verify.c has found it before. */
static void find_all(struct crew *crew)
{
    const struct crash_thread *thread = crew->thread;
    if (tmem_client_open(crew->store, crash_client_name(crew->number), &crew->client) != TMEM_OK)
        crash_fail(crew->journal, "client %s is gone", crash_client_name(crew->number));
    for (unsigned i = 0; i < CRASH_POOLS; i++)
        if (thread->pool[i].id != 0 && tmem_pool_open(crew->client, thread->pool[i].id, &crew->pool[i]) != TMEM_OK)
            crash_fail(crew->journal, "pool %llu is gone", (unsigned long long)thread->pool[i].id);
    if (thread->has_guest &&
        tmem_client_open(crew->store, crash_guest_name(crew->number), &crew->guest) != TMEM_OK)
        crash_fail(crew->journal, "client %s is gone", crash_guest_name(crew->number));
    /* The ephemeral pool came through the restart, empty. */
    uint64_t after = 0;
    uint64_t id;
    size_t count;
    while (tmem_client_pools(crew->client, after, &id, 1, &count) == TMEM_OK && count == 1) {
        struct tmem_pool *pool;
        struct tmem_pool_stats stats;
        after = id;
        if (tmem_pool_open(crew->client, id, &pool) == TMEM_OK &&
            tmem_pool_stats(pool, &stats, sizeof stats) == TMEM_OK && stats.flags == TMEM_POOL_EPHEMERAL)
            crew->noise = pool;
    }
    if (crew->noise == NULL)
        crash_fail(crew->journal, "the ephemeral pool is gone");
}

void crash_child(struct crash_journal *journal, const char *uri)
{
    static struct crew crews[CRASH_THREADS];
    struct tmem_store *store;
    struct tmem_error error;
    if (tmem_open(uri, &store, &error) != TMEM_OK)
        crash_fail(journal, "the child cannot open the store: %s", error.text);
    for (unsigned i = 0; i < CRASH_THREADS; i++) {
        crews[i].journal = journal;
        crews[i].thread = &journal->thread[i];
        crews[i].number = i;
        crews[i].store = store;
        crews[i].random = content_scatter(journal->seed + journal->round * CRASH_THREADS + i);
        find_all(&crews[i]);
    }
    for (unsigned i = 0; i < CRASH_THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, &crews[i]) != 0)
            crash_fail(journal, "cannot start a thread");
    }
    for (;;)
        pause();
}
