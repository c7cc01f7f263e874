/* SPDX-License-Identifier: BSD-2-Clause */
/* serve.c - taking requests from a session's ring and answering them. */
#include "daemon/session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "codec/codec.h"

/* Chunks of up to 64 pages that go in one step of what takes long: about as much work as a turn. */
#define STEP_CHUNKS 16u
/* Answers after which a client is woken though it waits for more. */
#define TELL_AFTER 8u

TM_STATIC_ASSERT((int)TM_WIRE_UNAVAILABLE == (int)TMEM_UNAVAILABLE && (int)TM_WIRE_INVALID == (int)TMEM_INVALID);
TM_STATIC_ASSERT((int)TM_WIRE_RESULT_COUNT == (int)TMEM_RESULT_COUNT);
TM_STATIC_ASSERT((int)TM_WIRE_PUT_KEEP == (int)TMEM_PUT_KEEP);
TM_STATIC_ASSERT((int)TM_WIRE_GET_EXCLUSIVE == (int)TMEM_GET_EXCLUSIVE);
TM_STATIC_ASSERT((int)TM_WIRE_GET_INCLUSIVE == (int)TMEM_GET_INCLUSIVE);
TM_STATIC_ASSERT((int)TM_WIRE_POOL_PERSISTENT == (int)TMEM_POOL_PERSISTENT);
TM_STATIC_ASSERT((int)TM_WIRE_POOL_SHARED == (int)TMEM_POOL_SHARED);

static enum tmem_result create_pool(struct tm_session *session, const struct tm_wire_request *request,
                                    struct tm_wire_answer *answer)
{
    struct tmem_uuid uuid = {{request->object[0], request->object[1]}};
    bool is_shared = (request->index & TM_WIRE_POOL_SHARED) != 0;
    return tm_tenant_pool_create(session->tenant, request->index, is_shared ? &uuid : NULL, &answer->value);
}

/* ---- pages in stored form ---- */

/* The client may go on writing: what was copied is what is checked, decoded and stored. */
static enum tmem_result put_stored(struct tmem_pool *pool, const struct tmem_object_id *object,
                                   const struct tm_wire_request *request, const unsigned char *page,
                                   struct tmem_stored *stored)
{
    stored->codec = tm_wire_stored_codec(request->stored);
    stored->size_bytes = tm_wire_stored_bytes(request->stored);
    memcpy(stored->bytes, page, stored->size_bytes);
    stored->check = tm_codec_form_check(stored->codec, stored->bytes, stored->size_bytes);
    return tmem_put_stored(pool, object, request->index, stored, request->flags);
}

static enum tmem_result get_stored(struct tmem_pool *pool, const struct tmem_object_id *object,
                                   const struct tm_wire_request *request, unsigned char *page,
                                   struct tmem_stored *stored, struct tm_wire_answer *answer)
{
    enum tmem_result result = tmem_get_stored(pool, object, request->index, stored);
    if (result != TMEM_OK)
        return result;
    memcpy(page, stored->bytes, stored->size_bytes);
    answer->value = tm_wire_stored(stored->codec, stored->size_bytes);
    answer->check = stored->check;
    return TMEM_OK;
}

/* ---- requests ---- */

/* A request that was judged. Its page lies inside its region. */
static enum tmem_result operate(struct tm_session *session, struct tm_scratch *scratch,
                                const struct tm_wire_request *request, struct tm_wire_answer *answer)
{
    const struct tmem_object_id object = {{request->object[0], request->object[1], request->object[2]}};
    if (request->operation == TM_WIRE_POOL_CREATE)
        return create_pool(session, request, answer);
    struct tmem_pool *pool = tm_tenant_pool(session->tenant, request->pool);
    if (pool == NULL)
        return TMEM_NOT_FOUND;
    unsigned char *page = session->regions[request->region].base + request->place;
    switch ((enum tm_wire_operation)request->operation) {
    case TM_WIRE_PUT:
        /* The client may write to it while it is hashed and compressed: only the copy counts. */
        memcpy(scratch->page, page, sizeof scratch->page);
        return tmem_put(pool, &object, request->index, scratch->page, request->flags);
    case TM_WIRE_GET:
        /* Straight into his memory. If he writes there meanwhile, what he gets is his own fault; that the page itself
         * is sound is judged from memory that is not his. */
        return tmem_get(pool, &object, request->index, page, (enum tmem_get_mode)request->flags);
    case TM_WIRE_INVALIDATE_PAGE:
        return tmem_invalidate_page(pool, &object, request->index);
    case TM_WIRE_PUT_STORED:
        return put_stored(pool, &object, request, page, &scratch->stored);
    case TM_WIRE_GET_STORED:
        return get_stored(pool, &object, request, page, &scratch->stored, answer);
    case TM_WIRE_POOL_CREATE:
    case TM_WIRE_POOL_DESTROY:
    case TM_WIRE_INVALIDATE_OBJECT:
    case TM_WIRE_OPERATION_COUNT:
        break;
    }
    return TMEM_UNSUPPORTED;
}

static void note_latency(struct tm_session *session, struct tm_scratch *scratch, unsigned operation, uint64_t took_ns)
{
    tm_latency_note(&scratch->latencies.of[operation], took_ns);
    tm_latency_sums_note(&session->tenant->latency, operation, took_ns);
}

/* The same, timed now and then. */
static enum tmem_result operate_timed(struct tm_session *session, struct tm_scratch *scratch,
                                      const struct tm_wire_request *request, struct tm_wire_answer *answer)
{
    if (TM_LIKELY(!tm_latency_is_due(&scratch->latencies)))
        return operate(session, scratch, request, answer);
    uint64_t began_ns = tm_now_ns();
    enum tmem_result result = operate(session, scratch, request, answer);
    note_latency(session, scratch, request->operation, tm_now_ns() - began_ns);
    return result;
}

/* One byte that means "look". A full pipe means it already; a client that is gone is seen at his socket. */
static void wake_client(const struct tm_session *session)
{
    static const char byte;
    ssize_t written = write(session->wake_client, &byte, 1);
    (void)written;
}

/* ---- requests that may take long ---- */

static bool may_take_long(const struct tm_wire_request *request)
{
    return request->operation == TM_WIRE_INVALIDATE_OBJECT || request->operation == TM_WIRE_POOL_DESTROY;
}

static void begin_long(struct tm_session *session, struct tm_scratch *scratch, const struct tm_wire_request *request)
{
    session->unfinished = (struct tm_long_request){
        .is_under_way = true,
        .request = *request,
        .began_ns = tm_latency_is_due(&scratch->latencies) ? tm_now_ns() : 0,
    };
}

/* A step of destroying a pool. True: it is done, with this result. */
static bool destroy_some(struct tm_session *session, enum tmem_result *result)
{
    *result = TMEM_OK;
    if (session->tenant->ending_pool == NULL) {
        *result = tm_tenant_pool_destroy_begin(session->tenant, session->unfinished.request.pool);
        if (*result != TMEM_OK)
            return true;
    }
    return !tm_tenant_pool_destroy_step(session->tenant, STEP_CHUNKS);
}

/* A step of invalidating an object. */
static bool invalidate_some(struct tm_session *session, enum tmem_result *result)
{
    struct tm_long_request *it = &session->unfinished;
    struct tm_object_id object;
    struct tmem_pool *pool = tm_tenant_pool(session->tenant, it->request.pool);
    *result = TMEM_NOT_FOUND;
    if (pool == NULL)
        return true;
    memcpy(object.word, it->request.object, sizeof object.word);
    bool is_done = !tm_object_invalidate_step(tm_member_of(pool), &object, &it->invalidation, STEP_CHUNKS);
    *result = (enum tmem_result)it->invalidation.result;
    return is_done;
}

/* A step of what is under way. True: it is done, and this is its answer. */
static bool go_on(struct tm_session *session, struct tm_scratch *scratch, struct tm_wire_answer *answer)
{
    struct tm_long_request *it = &session->unfinished;
    enum tmem_result result;
    bool is_done = it->request.operation == TM_WIRE_POOL_DESTROY ? destroy_some(session, &result)
                                                                 : invalidate_some(session, &result);
    if (!is_done)
        return false;
    it->is_under_way = false;
    *answer = (struct tm_wire_answer){.tag = it->request.tag, .result = (uint32_t)result};
    if (it->began_ns != 0)
        note_latency(session, scratch, it->request.operation, tm_now_ns() - it->began_ns);
    return true;
}

/* ---- turns ---- */

/* One request. False: it is not done yet. */
static bool serve_next(struct tm_session *session, struct tm_scratch *scratch, struct tm_wire_answer *answer)
{
    struct tm_wire_request request;
    tm_ring_take(&session->requests, &request);
    tm_ring_publish(&session->requests);
    *answer = (struct tm_wire_answer){.tag = request.tag};
    answer->result = (uint32_t)tm_request_judge(&request, &session->bounds);
    if (answer->result != TM_WIRE_OK)
        return true;
    if (may_take_long(&request)) {
        begin_long(session, scratch, &request);
        return go_on(session, scratch, answer);
    }
    answer->result = (uint32_t)operate_timed(session, scratch, &request, answer);
    return true;
}

void tm_session_tell(struct tm_session *session)
{
    if (session->untold == 0)
        return;
    session->untold = 0;
    if (tm_sleep_must_wake(&session->head->client))
        wake_client(session);
}

uint32_t tm_session_serve(struct tm_session *session, uint32_t most, struct tm_scratch *scratch)
{
    struct tm_wire_answer answer;
    uint32_t answered = 0;
    bool is_long = session->unfinished.is_under_way;
    if (!tm_tenant_enter(session->tenant))
        return 0;
    uint32_t count = (uint32_t)tm_min_u64(tm_ring_waiting(&session->requests, most), most);
    count = is_long ? 1 : count != 0 ? (uint32_t)tm_min_u64(tm_ring_room(&session->answers, count), count)
                                     : 0;
    for (; answered < count; answered++) {
        bool is_done = is_long ? go_on(session, scratch, &answer) : serve_next(session, scratch, &answer);
        is_long = is_long || !is_done;
        if (!is_done)
            break;
        tm_ring_write(&session->answers, &answer);
        tm_ring_publish(&session->answers);
    }
    tm_tenant_leave_turn(session->tenant);
    session->untold += answered;
    if (session->untold >= TELL_AFTER || is_long || tm_ring_waiting(&session->requests, 1) == 0)
        tm_session_tell(session);
    if (session->requests.state == TM_RING_BROKEN || session->answers.state == TM_RING_BROKEN)
        tm_session_break(session, "an impossible count in a ring");
    return is_long ? most : answered;
}

bool tm_session_has_work(struct tm_session *session)
{
    if (tm_tenant_is_paused(session->tenant))
        return false;
    if (session->unfinished.is_under_way)
        return true;
    bool has_requests = tm_ring_waiting(&session->requests, 1) != 0 && tm_ring_room(&session->answers, 1) != 0;
    return has_requests || session->requests.state == TM_RING_BROKEN || session->answers.state == TM_RING_BROKEN;
}
