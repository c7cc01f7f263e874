/* SPDX-License-Identifier: BSD-2-Clause */
/* unix_page.c - pages of a store in a daemon: single pages, batches, walks. */
#include <string.h>

#include "client/unix.h"

#define SENT_TOGETHER 4u

TM_STATIC_ASSERT((int)TM_WIRE_PUT_KEEP == (int)TMEM_PUT_KEEP);
TM_STATIC_ASSERT((int)TM_WIRE_GET_EXCLUSIVE == (int)TMEM_GET_EXCLUSIVE);
TM_STATIC_ASSERT((int)TM_WIRE_GET_INCLUSIVE == (int)TMEM_GET_INCLUSIVE);
TM_STATIC_ASSERT((int)TM_WIRE_RESULT_COUNT == (int)TMEM_RESULT_COUNT);
TM_STATIC_ASSERT((int)TM_WIRE_UNAVAILABLE == (int)TMEM_UNAVAILABLE && (int)TM_WIRE_OK == (int)TMEM_OK);
TM_STATIC_ASSERT((int)TM_WIRE_MISS == (int)TMEM_MISS && (int)TM_WIRE_REFUSED == (int)TMEM_REFUSED);
TM_STATIC_ASSERT((int)TM_WIRE_KEPT == (int)TMEM_KEPT && (int)TM_WIRE_NOMEM == (int)TMEM_NOMEM);
TM_STATIC_ASSERT((int)TM_WIRE_CORRUPT == (int)TMEM_CORRUPT && (int)TM_WIRE_INVALID == (int)TMEM_INVALID);
TM_STATIC_ASSERT((int)TM_WIRE_NOT_FOUND == (int)TMEM_NOT_FOUND && (int)TM_WIRE_EXISTS == (int)TMEM_EXISTS);
TM_STATIC_ASSERT((int)TM_WIRE_DENIED == (int)TMEM_DENIED && (int)TM_WIRE_UNSUPPORTED == (int)TMEM_UNSUPPORTED);
TM_STATIC_ASSERT(sizeof(struct tm_wire_key) == sizeof(struct tmem_key));
TM_STATIC_ASSERT(offsetof(struct tm_wire_key, index) == offsetof(struct tmem_key, index));

bool tm_unix_put_flags_ok(const struct tm_unix_pool *pool, uint32_t flags)
{
    return flags == TMEM_PUT_PLAIN || (flags == TMEM_PUT_KEEP && (pool->flags & TMEM_POOL_PERSISTENT) != 0);
}

/* Places for a pool's pages; 0: not now. Who has one knows that the pool's id stays what it is. */
uint32_t tm_unix_take_for(struct tm_unix_pool *pool, uint32_t wanted, uint32_t *places)
{
    uint32_t count = tm_unix_take(pool->client, wanted, places);
    if (count > 0 && tm_load_relaxed(&pool->state) != TM_UNIX_POOL_READY) {
        tm_link_give_back(&pool->client->link, places, count);
        return 0;
    }
    return count;
}

struct tm_wire_request tm_unix_request(const struct tm_unix_pool *pool, enum tm_wire_operation operation,
                                       const struct tmem_object_id *object, uint32_t index, uint32_t flags)
{
    struct tm_wire_request request = {.operation = (uint8_t)operation, .flags = (uint8_t)flags, .index = index};
    request.pool = tm_load_relaxed(&pool->id);
    memcpy(request.object, object->word, sizeof request.object);
    return request;
}

/* A pool that the daemon does not know has been lost. */
enum tmem_result tm_unix_result(bool is_answered, const struct tm_wire_answer *answer)
{
    if (!is_answered || answer->result == TM_WIRE_NOT_FOUND)
        return TMEM_UNAVAILABLE;
    return tm_wire_public((enum tm_wire_result)answer->result);
}

/* ---- single pages ---- */

enum tmem_result tm_unix_put(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                             const void *page, uint32_t flags)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    struct tm_link *link = &pool->client->link;
    struct tm_wire_answer answer;
    uint32_t place;
    if (!tm_unix_put_flags_ok(pool, flags))
        return TMEM_INVALID;
    if (tm_unix_take_for(pool, 1, &place) == 0)
        return TMEM_UNAVAILABLE;
    struct tm_wire_request request = tm_unix_request(pool, TM_WIRE_PUT, object, index, flags);
    tm_unix_find_page(pool->client, page, &request);
    if (request.region == 0)
        memcpy(tm_link_page(link, place), page, TMEM_PAGE_SIZE);
    tm_link_send(link, &place, &request, 1, true);
    bool is_answered = tm_link_wait(link, place, &answer);
    tm_link_give_back(link, &place, 1);
    return tm_unix_result(is_answered, &answer);
}

enum tmem_result tm_unix_get(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                             void *page, enum tmem_get_mode mode)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    struct tm_link *link = &pool->client->link;
    struct tm_wire_answer answer;
    uint32_t place;
    if ((unsigned)mode > TMEM_GET_INCLUSIVE)
        return TMEM_INVALID;
    if (tm_unix_take_for(pool, 1, &place) == 0)
        return TMEM_UNAVAILABLE;
    struct tm_wire_request request = tm_unix_request(pool, TM_WIRE_GET, object, index, (uint32_t)mode);
    tm_unix_find_page(pool->client, page, &request);
    tm_link_send(link, &place, &request, 1, true);
    bool is_answered = tm_link_wait(link, place, &answer);
    if (is_answered && answer.result == TM_WIRE_OK && request.region == 0)
        memcpy(page, tm_link_page(link, place), TMEM_PAGE_SIZE);
    tm_link_give_back(link, &place, 1);
    return tm_unix_result(is_answered, &answer);
}

static enum tmem_result invalidate(struct tm_unix_pool *pool, enum tm_wire_operation operation,
                                   const struct tmem_object_id *object, uint32_t index)
{
    struct tm_link *link = &pool->client->link;
    struct tm_wire_answer answer;
    uint32_t place;
    if (tm_unix_take_for(pool, 1, &place) == 0)
        return TMEM_UNAVAILABLE;
    struct tm_wire_request request = tm_unix_request(pool, operation, object, index, 0);
    tm_link_send(link, &place, &request, 1, false);
    bool is_answered = tm_link_wait(link, place, &answer);
    tm_link_give_back(link, &place, 1);
    return tm_unix_result(is_answered, &answer);
}

enum tmem_result tm_unix_invalidate_page(struct tmem_pool *handle, const struct tmem_object_id *object,
                                         uint32_t index)
{
    return invalidate(tm_unix_pool_of(handle), TM_WIRE_INVALIDATE_PAGE, object, index);
}

enum tmem_result tm_unix_invalidate_object(struct tmem_pool *handle, const struct tmem_object_id *object)
{
    return invalidate(tm_unix_pool_of(handle), TM_WIRE_INVALIDATE_OBJECT, object, 0);
}

/* ---- batches ---- */

/*
 * How many entries from the first may be under way together. The daemon does requests in any order, but two entries of
 * one handle have theirs. Handles that only look the same to 64 bits of it wait for nothing but each other.
 */
static uint32_t independent(const struct tmem_io *io, size_t count)
{
    uint64_t seen[4] = {0, 0, 0, 0};
    uint32_t limit = count < TM_UNIX_BATCH ? (uint32_t)count : TM_UNIX_BATCH;
    for (uint32_t i = 0; i < limit; i++) {
        const uint64_t *word = io[i].object.word;
        uint64_t mixed = (word[0] ^ word[1] * 3u ^ word[2] * 7u) * UINT64_C(0x9e3779b97f4a7c15) + io[i].index;
        unsigned bit = (unsigned)(mixed * UINT64_C(0xbf58476d1ce4e5b9) >> 56);
        if ((seen[bit >> 6] >> (bit & 63u) & 1u) != 0) {
            /* Perhaps: look closely. */
            for (uint32_t k = 0; k < i; k++)
                if (io[k].index == io[i].index && memcmp(io[k].object.word, word, sizeof io[k].object.word) == 0)
                    return i;
        }
        seen[bit >> 6] |= UINT64_C(1) << (bit & 63u);
    }
    return limit;
}

/*
 * How many requests to prepare before they are sent: a daemon that is awake does the first while the next are prepared,
 * one that sleeps is woken once.
 */
static uint32_t sent_together(struct tm_link *link, uint32_t count)
{
    return tm_link_daemon_sleeps(link) || count < SENT_TOGETHER ? count : SENT_TOGETHER;
}

/* Sends requests for some entries, for which there are places. */
static void send_some(struct tm_unix_pool *pool, enum tm_wire_operation operation, const struct tmem_io *io,
                      const uint32_t *places, struct tm_wire_request *requests, uint32_t count, uint32_t flags)
{
    struct tm_link *link = &pool->client->link;
    for (uint32_t i = 0; i < count; i++) {
        requests[i] = tm_unix_request(pool, operation, &io[i].object, io[i].index, flags);
        tm_unix_find_page(pool->client, io[i].page, &requests[i]);
        if (operation == TM_WIRE_PUT && requests[i].region == 0)
            memcpy(tm_link_page(link, places[i]), io[i].page, TMEM_PAGE_SIZE);
    }
    tm_link_send(link, places, requests, count, true);
}

/* Some entries, all under way together; returns how many. They all have a page. */
static uint32_t do_some(struct tm_unix_pool *pool, enum tm_wire_operation operation, struct tmem_io *io,
                        uint32_t count, uint32_t flags)
{
    struct tm_link *link = &pool->client->link;
    uint32_t places[TM_UNIX_BATCH];
    struct tm_wire_request requests[TM_UNIX_BATCH];
    struct tm_wire_answer answer;
    uint32_t taken = tm_unix_take_for(pool, count, places);
    if (taken == 0) {
        io[0].result = TMEM_UNAVAILABLE;
        return 1;
    }
    for (uint32_t at = 0; at < taken;) {
        uint32_t many = sent_together(link, taken - at);
        send_some(pool, operation, io + at, places + at, requests + at, many, flags);
        at += many;
    }
    for (uint32_t i = 0; i < taken; i++) {
        bool is_answered = tm_link_wait(link, places[i], &answer);
        io[i].result = tm_unix_result(is_answered, &answer);
        if (io[i].result == TMEM_OK && operation == TM_WIRE_GET && requests[i].region == 0)
            memcpy(io[i].page, tm_link_page(link, places[i]), TMEM_PAGE_SIZE);
    }
    tm_link_give_back(link, places, taken);
    return taken;
}

static void do_many(struct tm_unix_pool *pool, enum tm_wire_operation operation, struct tmem_io *io, size_t count,
                    uint32_t flags)
{
    for (size_t at = 0; at < count;) {
        size_t valid = 0;
        while (at + valid < count && valid < TM_UNIX_BATCH && io[at + valid].page != NULL)
            valid++;
        if (valid == 0) {
            io[at++].result = TMEM_INVALID;
            continue;
        }
        at += do_some(pool, operation, &io[at], independent(&io[at], valid), flags);
    }
}

enum tmem_result tm_unix_put_many(struct tmem_pool *handle, struct tmem_io *io, size_t count, uint32_t flags)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    if (!tm_unix_put_flags_ok(pool, flags)) {
        for (size_t i = 0; i < count; i++)
            io[i].result = TMEM_INVALID;
        return TMEM_INVALID;
    }
    do_many(pool, TM_WIRE_PUT, io, count, flags);
    return TMEM_OK;
}

enum tmem_result tm_unix_get_many(struct tmem_pool *handle, struct tmem_io *io, size_t count,
                                  enum tmem_get_mode mode)
{
    if ((unsigned)mode > TMEM_GET_INCLUSIVE)
        return TMEM_INVALID;
    do_many(tm_unix_pool_of(handle), TM_WIRE_GET, io, count, (uint32_t)mode);
    return TMEM_OK;
}

/* ---- walks ---- */

enum tmem_result tm_unix_walk(struct tmem_pool *handle, struct tmem_cursor *cursor, struct tmem_key *keys,
                              size_t capacity, size_t *count)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    union tm_wire_any any;
    TM_ASSERT(capacity >= TM_WIRE_KEYS_MAX);
    if (tm_load_relaxed(&pool->state) != TM_UNIX_POOL_READY)
        return TMEM_UNAVAILABLE;
    tm_message_begin(&any, TM_WIRE_WALK, 0, 0);
    any.walk.pool = tm_load_relaxed(&pool->id);
    any.walk.capacity = TM_WIRE_KEYS_MAX;
    memcpy(any.walk.position, cursor->position, sizeof any.walk.position);
    enum tm_wire_result result = tm_unix_ask(pool->client, &any, TM_WIRE_WALKED, &any);
    if (result != TM_WIRE_OK)
        return result == TM_WIRE_NOT_FOUND ? TMEM_UNAVAILABLE : tm_wire_public(result);
    memcpy(cursor->position, any.walked.position, sizeof cursor->position);
    for (uint32_t i = 0; i < any.walked.count; i++) {
        keys[i] = (struct tmem_key){.index = any.walked.keys[i].index};
        memcpy(keys[i].object.word, any.walked.keys[i].object, sizeof keys[i].object.word);
    }
    *count = any.walked.count;
    return any.walked.at_end != 0 && any.walked.count == 0 ? TMEM_MISS : TMEM_OK;
}
