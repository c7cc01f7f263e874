/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c - answering messages of a client that is connected: pools, walks, statistics, leaving. */
#include "daemon/session.h"

#include <string.h>
#include <unistd.h>

TM_STATIC_ASSERT(TM_WIRE_KEYS_MAX == 64); /* tmem_walk() takes no less */
TM_STATIC_ASSERT(sizeof(struct tmem_store_stats) <= TM_WIRE_WORDS_MAX * sizeof(uint64_t));
TM_STATIC_ASSERT(sizeof(struct tmem_client_stats) <= TM_WIRE_WORDS_MAX * sizeof(uint64_t));
TM_STATIC_ASSERT(sizeof(struct tmem_pool_stats) <= TM_WIRE_WORDS_MAX * sizeof(uint64_t));
TM_STATIC_ASSERT(sizeof(struct tm_wire_key) == sizeof(struct tmem_key));
TM_STATIC_ASSERT(offsetof(struct tm_wire_key, index) == offsetof(struct tmem_key, index));

static void no_such_pool(struct tm_session *session, struct tm_scratch *scratch)
{
    tm_session_fail(session, scratch, TMEM_NOT_FOUND, "no such pool of this client");
}

static void open_pool(struct tm_session *session, struct tm_scratch *scratch)
{
    if (tm_tenant_pool(session->tenant, scratch->question.pool.pool) == NULL) {
        no_such_pool(session, scratch);
        return;
    }
    (void)tm_message_begin(&scratch->answer, TM_WIRE_DONE, session->version, scratch->question.head.number);
    tm_session_send(session, &scratch->answer, NULL, 0);
}

/* @id 0: there is none. */
static void tell_pool(struct tm_session *session, struct tm_scratch *scratch, uint64_t id)
{
    if (id == 0) {
        no_such_pool(session, scratch);
        return;
    }
    (void)tm_message_begin(&scratch->answer, TM_WIRE_POOL_FOUND, session->version, scratch->question.head.number);
    scratch->answer.pool.pool = id;
    tm_session_send(session, &scratch->answer, NULL, 0);
}

static void walk(struct tm_session *session, struct tm_scratch *scratch)
{
    const struct tm_wire_walk *question = &scratch->question.walk;
    struct tm_wire_walked *answer = &scratch->answer.walked;
    struct tmem_key keys[TM_WIRE_KEYS_MAX];
    struct tmem_cursor cursor;
    size_t count = 0;
    struct tmem_pool *pool = tm_tenant_pool(session->tenant, question->pool);
    if (pool == NULL) {
        no_such_pool(session, scratch);
        return;
    }
    if (question->capacity < TM_WIRE_KEYS_MAX) {
        tm_session_fail(session, scratch, TMEM_INVALID, "a step of a walk takes 64 keys");
        return;
    }
    memcpy(cursor.position, question->position, sizeof cursor.position);
    enum tmem_result result = tmem_walk(pool, &cursor, keys, TM_WIRE_KEYS_MAX, &count);
    size_t bytes = tm_message_begin(&scratch->answer, TM_WIRE_WALKED, session->version, question->head.number);
    memcpy(answer->position, cursor.position, sizeof answer->position);
    answer->at_end = result != TMEM_OK;
    answer->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        memcpy(answer->keys[i].object, keys[i].object.word, sizeof answer->keys[i].object);
        answer->keys[i].index = keys[i].index;
    }
    answer->head.bytes = (uint32_t)(bytes + count * sizeof answer->keys[0]);
    tm_session_send(session, &scratch->answer, NULL, 0);
}

/*
 * Of the store a client learns its size, and for the rest what is his own: what others have, and when it changes, is
 * not his to know.
 */
static enum tmem_result store_stats(struct tm_session *session, struct tmem_store_stats *out)
{
    struct tmem_store_stats store;
    struct tmem_client_stats client;
    enum tmem_result result = tmem_store_stats(session->daemon->store, &store, sizeof store);
    if (result == TMEM_OK)
        result = tmem_client_stats(session->tenant->client, &client, sizeof client);
    if (result != TMEM_OK)
        return result;
    *out = (struct tmem_store_stats){
        .size_bytes = store.size_bytes,
        .span_bytes = store.span_bytes,
        .resident_bytes = client.charged_bytes,
        .block_bytes = client.charged_bytes,
        .stored_bytes = client.counters.pages * TMEM_PAGE_SIZE,
        .pages = client.counters.pages,
        .pages_same = client.counters.same_filled,
        .clients = 1,
        .pools = client.pools,
        .objects = client.counters.objects,
        .evicted_pages = client.counters.evicted,
        .corrupt_pages = client.counters.gets_corrupt,
    };
    return TMEM_OK;
}

/* Any of the statistics; words of the library's structures. */
union stats {
    struct tmem_store_stats store;
    struct tmem_client_stats client;
    struct tmem_pool_stats pool;
};

/* Bytes of the statistics asked for; 0: of a pool that is not his. */
static size_t stats_of(struct tm_session *session, const struct tm_wire_statistics *question, union stats *stats)
{
    struct tmem_pool *pool;
    switch ((enum tm_wire_subject)question->subject) {
    case TM_WIRE_OF_STORE:
        return store_stats(session, &stats->store) == TMEM_OK ? sizeof stats->store : 0;
    case TM_WIRE_OF_CLIENT:
        return tmem_client_stats(session->tenant->client, &stats->client, sizeof stats->client) == TMEM_OK
                   ? sizeof stats->client
                   : 0;
    case TM_WIRE_OF_POOL:
        pool = tm_tenant_pool(session->tenant, question->pool);
        return tmem_pool_stats(pool, &stats->pool, sizeof stats->pool) == TMEM_OK ? sizeof stats->pool : 0;
    }
    return 0;
}

static void count(struct tm_session *session, struct tm_scratch *scratch)
{
    const struct tm_wire_statistics *question = &scratch->question.statistics;
    struct tm_wire_counted *answer = &scratch->answer.counted;
    union stats stats;
    size_t size = stats_of(session, question, &stats);
    if (size == 0) {
        no_such_pool(session, scratch);
        return;
    }
    size_t bytes = tm_message_begin(&scratch->answer, TM_WIRE_COUNTED, session->version, question->head.number);
    memcpy(answer->words, &stats, size);
    answer->subject = question->subject;
    answer->count = (uint32_t)(size / sizeof(uint64_t));
    answer->head.bytes = (uint32_t)(bytes + size);
    tm_session_send(session, &scratch->answer, NULL, 0);
}

/* The reaper answers, when all is gone; it gets the socket when the session ends. */
static void leave(struct tm_session *session, const struct tm_scratch *scratch)
{
    session->leaves = true;
    session->farewell_number = scratch->question.head.number;
    session->state = TM_SESSION_OVER;
}

/* Of who agreed on it; a message that has no descriptor brings none. */
static void answer_region(struct tm_session *session, struct tm_scratch *scratch, int descriptor)
{
    if ((session->bounds.features & TM_WIRE_REGIONS) == 0) {
        if (descriptor >= 0)
            (void)close(descriptor);
        tm_session_fail(session, scratch, TMEM_UNSUPPORTED, "it was not agreed on (TM_WIRE_REGIONS)");
    } else if (scratch->question.head.kind == TM_WIRE_REGISTER)
        tm_session_register(session, scratch, descriptor);
    else
        tm_session_unregister(session, scratch);
}

void tm_session_answer(struct tm_session *session, struct tm_scratch *scratch, int descriptor)
{
    switch ((enum tm_wire_kind)scratch->question.head.kind) {
    case TM_WIRE_POOL_OPEN:
        open_pool(session, scratch);
        return;
    case TM_WIRE_POOL_FORMER:
        tell_pool(session, scratch, tm_tenant_pool_of_former(session->tenant, scratch->question.pool.pool));
        return;
    case TM_WIRE_POOL_NEXT:
        tell_pool(session, scratch, tm_tenant_pool_after(session->tenant, scratch->question.pool.pool));
        return;
    case TM_WIRE_WALK:
        walk(session, scratch);
        return;
    case TM_WIRE_STATISTICS:
        count(session, scratch);
        return;
    case TM_WIRE_LEAVE:
        leave(session, scratch);
        return;
    case TM_WIRE_REGISTER:
    case TM_WIRE_UNREGISTER:
        answer_region(session, scratch, descriptor);
        return;
    case TM_WIRE_HELLO:
    case TM_WIRE_WELCOME:
    case TM_WIRE_FAILED:
    case TM_WIRE_REGISTERED:
    case TM_WIRE_DONE:
    case TM_WIRE_WALKED:
    case TM_WIRE_COUNTED:
    case TM_WIRE_MOVED:
    case TM_WIRE_POOL_FOUND:
    case TM_WIRE_KIND_COUNT:
        break;
    }
    tm_session_break(session, "a message out of its turn");
}
