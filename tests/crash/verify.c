/* SPDX-License-Identifier: BSD-2-Clause */
/* verify.c - what is left of a store whose process was killed, held against the journal. */
#include <stdio.h>
#include <string.h>

#include "crash.h"

typedef unsigned long long number;

struct survey {
    struct crash_journal *journal;
    struct crash_thread *thread;
    unsigned number_of_thread;
    struct tmem_store *store;
    struct tmem_client *client;
    bool is_under_way; /* the thread was killed inside its last call */
};

/* ---- pages ---- */

/* Whether the call under way was about this page; *content receives what it would have made of it. */
static bool is_touched(const struct survey *survey, unsigned pool, unsigned object, unsigned page, uint64_t *content)
{
    const struct crash_intent *intent = &survey->thread->intent;
    *content = 0;
    if (!survey->is_under_way || intent->pool != pool)
        return false;
    if (intent->kind == CRASH_POOL_DESTROY)
        return true;
    if (intent->object != object)
        return false;
    if (intent->kind == CRASH_INVALIDATE_OBJECT)
        return true;
    unsigned distance = (page + CRASH_PAGES - intent->page) % CRASH_PAGES;
    if (distance >= intent->count)
        return false;
    if (intent->kind == CRASH_PUT || intent->kind == CRASH_PUT_MANY) {
        *content = intent->content[distance];
        return true;
    }
    return intent->kind == CRASH_INVALIDATE_PAGE || intent->kind == CRASH_TAKE;
}

/* A put that was to be refused removes the older page; only a frozen client's is refused here. */
static bool may_be_gone(const struct survey *survey, uint64_t becomes)
{
    return becomes == 0 || (survey->thread->settings.is_frozen && survey->thread->intent.flags == TMEM_PUT_PLAIN);
}

static void check_page(const struct survey *survey, struct tmem_pool *member, unsigned pool, unsigned object,
                       unsigned page)
{
    static unsigned char bytes[TMEM_PAGE_SIZE];
    uint64_t *content = &survey->thread->pool[pool].content[object][page];
    uint64_t becomes;
    struct tmem_object_id id = crash_object(survey->number_of_thread, object);
    bool touched = is_touched(survey, pool, object, page, &becomes);
    enum tmem_result result = tmem_get(member, &id, crash_index(page), bytes, TMEM_GET_INCLUSIVE);
    if (result == TMEM_OK && *content != 0 && content_matches(*content, bytes))
        return;
    if (result == TMEM_OK && touched && becomes != 0 && content_matches(becomes, bytes)) {
        *content = becomes;
        return;
    }
    if (result == TMEM_MISS && *content == 0)
        return;
    if (result == TMEM_MISS && touched && may_be_gone(survey, becomes)) {
        *content = 0;
        return;
    }
    crash_fail(survey->journal, "thread %u, pool %u, object %u, page %u: '%s'%s, %s was stored; %s",
               survey->number_of_thread, pool, object, page, tmem_result_text(result),
               result == TMEM_OK ? " with other bytes" : "", *content != 0 ? "a page" : "nothing",
               touched ? "a call was under way" : "no call was under way");
}

/* Nothing but what the gets have found is listed and counted. */
static void check_listing(const struct survey *survey, struct tmem_pool *member, unsigned pool, uint64_t pages)
{
    struct tmem_cursor cursor = TMEM_CURSOR_INIT;
    struct tmem_key keys[64];
    uint64_t listed = 0;
    size_t count;
    enum tmem_result result;
    while ((result = tmem_walk(member, &cursor, keys, 64, &count)) == TMEM_OK)
        for (size_t i = 0; i < count; i++)
            listed += keys[i].object.word[2] == survey->number_of_thread;
    if (result != TMEM_MISS || listed != pages)
        crash_fail(survey->journal, "thread %u, pool %u: %llu pages listed, %llu are there", survey->number_of_thread,
                   pool, (number)listed, (number)pages);
    struct tmem_pool_stats stats;
    if (tmem_pool_stats(member, &stats, sizeof stats) != TMEM_OK ||
        (pool != CRASH_SHARED_POOL && stats.counters.pages != pages))
        crash_fail(survey->journal, "thread %u, pool %u: %llu pages counted, %llu are there",
                   survey->number_of_thread, pool, (number)stats.counters.pages, (number)pages);
}

static void check_pool(struct survey *survey, unsigned pool)
{
    struct crash_pool *known = &survey->thread->pool[pool];
    struct tmem_pool *member;
    uint64_t pages = 0;
    if (known->id == 0)
        return;
    if (tmem_pool_open(survey->client, known->id, &member) != TMEM_OK) {
        const struct crash_intent *intent = &survey->thread->intent;
        if (!survey->is_under_way || intent->kind != CRASH_POOL_DESTROY || intent->pool != pool)
            crash_fail(survey->journal, "thread %u: pool %u is gone", survey->number_of_thread, pool);
        memset(known, 0, sizeof *known);
        return;
    }
    for (unsigned object = 0; object < CRASH_OBJECTS; object++) {
        for (unsigned page = 0; page < CRASH_PAGES; page++) {
            check_page(survey, member, pool, object, page);
            pages += known->content[object][page] != 0;
        }
    }
    check_listing(survey, member, pool, pages);
}

/* ---- pools and clients ---- */

static bool is_known_pool(const struct survey *survey, uint64_t id)
{
    for (unsigned i = 0; i < CRASH_POOLS; i++)
        if (survey->thread->pool[i].id == id)
            return true;
    return false;
}

/* A persistent pool that nobody knows can only be one that was being made. */
static void check_unknown_pool(struct survey *survey, uint64_t id, bool *is_adopted)
{
    struct crash_intent *intent = &survey->thread->intent;
    struct tmem_pool *member;
    struct tmem_pool_stats stats;
    if (tmem_pool_open(survey->client, id, &member) != TMEM_OK ||
        tmem_pool_stats(member, &stats, sizeof stats) != TMEM_OK)
        crash_fail(survey->journal, "a pool that is listed cannot be opened");
    if (stats.flags == TMEM_POOL_EPHEMERAL) {
        if (stats.counters.pages != 0)
            crash_fail(survey->journal, "ephemeral pages came through the restart");
        return;
    }
    bool was_being_made = survey->is_under_way && intent->kind == CRASH_POOL_CREATE && !*is_adopted;
    if (!was_being_made || stats.counters.pages != 0)
        crash_fail(survey->journal, "thread %u: pool %llu came back", survey->number_of_thread, (number)id);
    *is_adopted = true;
    survey->thread->pool[intent->pool].id = id;
}

static void check_pools(struct survey *survey)
{
    uint64_t ids[16];
    size_t count;
    bool is_adopted = false;
    if (tmem_client_pools(survey->client, 0, ids, 16, &count) != TMEM_OK)
        crash_fail(survey->journal, "client_pools failed");
    for (size_t i = 0; i < count; i++)
        if (!is_known_pool(survey, ids[i]))
            check_unknown_pool(survey, ids[i], &is_adopted);
    for (unsigned pool = 0; pool < CRASH_POOLS; pool++)
        check_pool(survey, pool);
}

static void check_settings(struct survey *survey)
{
    struct tmem_client_stats stats;
    struct crash_settings *known = &survey->thread->settings;
    const struct crash_intent *intent = &survey->thread->intent;
    const struct crash_settings *becomes =
        survey->is_under_way && intent->kind == CRASH_SETTINGS ? &intent->settings : known;
    if (tmem_client_stats(survey->client, &stats, sizeof stats) != TMEM_OK)
        crash_fail(survey->journal, "client_stats failed");
    bool is_frozen = stats.frozen != 0;
    if ((stats.weight != known->weight && stats.weight != becomes->weight) ||
        (stats.cap_bytes != known->cap_bytes && stats.cap_bytes != becomes->cap_bytes) ||
        (is_frozen != known->is_frozen && is_frozen != becomes->is_frozen))
        crash_fail(survey->journal, "client %s: weight, cap or state are others", stats.name);
    *known = (struct crash_settings){stats.weight, is_frozen, stats.cap_bytes};
}

static void check_guest(struct survey *survey)
{
    struct tmem_client *guest;
    struct crash_thread *thread = survey->thread;
    enum tmem_result result = tmem_client_open(survey->store, crash_guest_name(survey->number_of_thread), &guest);
    bool is_there = result == TMEM_OK;
    enum crash_kind kind = thread->intent.kind;
    bool may_differ = survey->is_under_way && (kind == CRASH_GUEST_CREATE || kind == CRASH_GUEST_DESTROY);
    if (is_there != thread->has_guest && !may_differ)
        crash_fail(survey->journal, "client %s is %s", crash_guest_name(survey->number_of_thread),
                   is_there ? "back" : "gone");
    thread->has_guest = is_there;
}

static void check_thread(struct survey *survey)
{
    struct crash_intent *intent = &survey->thread->intent;
    int phase = atomic_load(&intent->phase);
    if (phase == CRASH_ANSWERED)
        crash_apply(survey->thread);
    survey->is_under_way = phase == CRASH_CALLING;
    if (tmem_client_open(survey->store, crash_client_name(survey->number_of_thread), &survey->client) != TMEM_OK)
        crash_fail(survey->journal, "client %s is gone", crash_client_name(survey->number_of_thread));
    check_settings(survey);
    check_pools(survey);
    check_guest(survey);
    atomic_store(&intent->phase, CRASH_IDLE);
}

/* ---- the store ---- */

static struct tmem_store *open_store(struct crash_journal *journal, const char *uri)
{
    struct tmem_store *store;
    struct tmem_error error;
    enum tmem_result result = tmem_open(uri, &store, &error);
    if (result != TMEM_OK)
        crash_fail(journal, "cannot open %s: '%s': %s", uri, tmem_result_text(result), error.text);
    return store;
}

static void check_clients(const struct crash_journal *journal, struct tmem_store *store)
{
    char names[8][TMEM_CLIENT_NAME_SIZE];
    size_t count;
    size_t expected = CRASH_THREADS;
    for (unsigned i = 0; i < CRASH_THREADS; i++)
        expected += journal->thread[i].has_guest;
    if (tmem_store_clients(store, NULL, names, 8, &count) != TMEM_OK || count != expected)
        crash_fail(journal, "%zu clients, must be %zu", count, expected);
}

void crash_verify(struct crash_journal *journal, const char *uri)
{
    struct tmem_store *store = open_store(journal, uri);
    for (unsigned i = 0; i < CRASH_THREADS; i++) {
        struct survey survey = {journal, &journal->thread[i], i, store, NULL, false};
        check_thread(&survey);
    }
    check_clients(journal, store);
    if (tmem_store_check(store) != TMEM_OK)
        crash_fail(journal, "store_check failed");
    struct tmem_store_stats stats;
    if (tmem_store_stats(store, &stats, sizeof stats) != TMEM_OK || stats.corrupt_pages != 0)
        crash_fail(journal, "%llu damaged pages", (number)stats.corrupt_pages);
    tmem_close(store);
}

void crash_set_up(struct crash_journal *journal, const char *uri)
{
    struct tmem_store *store = open_store(journal, uri);
    struct tmem_uuid uuid = crash_uuid();
    for (unsigned i = 0; i < CRASH_THREADS; i++) {
        struct crash_thread *thread = &journal->thread[i];
        struct tmem_client *client;
        struct tmem_pool *pool;
        if (tmem_client_create(store, crash_client_name(i), NULL, &client) != TMEM_OK ||
            tmem_client_authorise(client, &uuid) != TMEM_OK ||
            tmem_pool_create(client, TMEM_POOL_EPHEMERAL, NULL, &pool) != TMEM_OK ||
            tmem_pool_create(client, TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED, &uuid, &pool) != TMEM_OK)
            crash_fail(journal, "cannot make clients and pools");
        thread->pool[CRASH_SHARED_POOL].id = tmem_pool_id(pool);
        thread->settings = (struct crash_settings){100, false, UINT64_MAX};
    }
    tmem_close(store);
}
