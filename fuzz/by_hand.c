/* SPDX-License-Identifier: BSD-2-Clause */
/* by_hand.c - see by_hand.h. */
#include "fuzz/by_hand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/crowd.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/reaper.h"
#include "daemon/worker.h"

#define ROUNDS_MAX 100000u
#define CHECK_EVERY 512u

static struct tm_config config;
static struct tm_daemon ours;
static struct by_hand *last; /* whose session there may be */

uint64_t tm_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TM_SECOND_NS + (uint64_t)now.tv_nsec;
}

static void end_session(struct by_hand *it)
{
    if (it->session == NULL)
        return;
    tm_session_destroy(it->session, true);
    it->session = NULL;
    raw_close(&it->client);
    /* It ends when it has done all. */
    tm_reaper_destroy(ours.reaper);
    ours.reaper = tm_reaper_create(&ours);
    TM_ASSERT(ours.reaper != NULL);
}

static void end_daemon(void)
{
    if (last != NULL)
        end_session(last);
    if (ours.workers != NULL)
        tm_workers_destroy(ours.workers);
    tm_reaper_destroy(ours.reaper);
    tm_tenants_destroy(ours.tenants);
    tm_crowd_destroy(ours.crowd);
    tm_forwards_destroy(ours.forwards);
    tm_events_destroy(ours.events);
    tmem_close(ours.store);
}

static void begin_daemon(void)
{
    char uri[256];
    if (ours.config != NULL)
        return;
    tm_config_init(&config);
    config.size_bytes = UINT64_C(16) << 20;
    config.grace_seconds = 0;
    tm_config_uri(&config, -1, uri, sizeof uri);
    ours = (struct tm_daemon){.config = &config};
    bool is_open = tmem_open(uri, &ours.store, NULL) == TMEM_OK;
    TM_ASSERT(is_open);
    ours.events = tm_events_create();
    ours.forwards = tm_forwards_create(-1);
    ours.crowd = tm_crowd_create(64, geteuid());
    ours.tenants = tm_tenants_create(&ours);
    ours.reaper = tm_reaper_create(&ours);
    TM_ASSERT(ours.events != NULL && ours.forwards != NULL && ours.crowd != NULL && ours.tenants != NULL);
    TM_ASSERT(ours.reaper != NULL);
    (void)atexit(end_daemon);
}

const struct tm_daemon *by_hand_daemon(void)
{
    begin_daemon();
    if (ours.workers == NULL) {
        (void)snprintf(ours.socket, sizeof ours.socket, "/nowhere/tmemd.sock");
        ours.workers = tm_workers_create(&ours, 1);
        TM_ASSERT(ours.workers != NULL);
    }
    return &ours;
}

void by_hand_knock(struct by_hand *it)
{
    int ends[2];
    begin_daemon();
    end_session(it);
    last = it;
    bool is_made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
    TM_ASSERT(is_made);
    bool may_enter = tm_crowd_enter(ours.crowd, geteuid());
    TM_ASSERT(may_enter);
    raw_use(&it->client, ends[0]);
    it->session = tm_session_create(&ours, ends[1], geteuid(), getpid());
    TM_ASSERT(it->session != NULL);
}

static uint64_t make_pool(struct by_hand *it, uint32_t flags)
{
    struct tm_wire_answer answer;
    raw_submit(&it->client, &(struct tm_wire_request){.operation = TM_WIRE_POOL_CREATE, .index = flags});
    uint32_t served = tm_session_serve(it->session, 1, &it->scratch);
    bool is_answered = raw_take(&it->client, &answer, 0);
    TM_ASSERT(served == 1 && is_answered && answer.result == TM_WIRE_OK);
    return answer.value;
}

void by_hand_enter(struct by_hand *it)
{
    static unsigned number;
    char name[24];
    if (it->session != NULL && it->session->state == TM_SESSION_SERVED)
        return;
    by_hand_knock(it);
    (void)snprintf(name, sizeof name, "fuzz-%u", number++);
    bool is_sent = raw_greet(&it->client, name, NULL);
    tm_session_hear(it->session, &it->scratch);
    int kind = raw_enter(&it->client);
    TM_ASSERT(is_sent && kind == TM_WIRE_WELCOME);
    it->pools[0] = make_pool(it, 0);
    it->pools[1] = make_pool(it, TM_WIRE_POOL_PERSISTENT);
}

void by_hand_settle(struct by_hand *it)
{
    static unsigned times;
    struct tm_session *session = it->session;
    tm_session_hear(session, &it->scratch);
    for (unsigned i = 0; session->state == TM_SESSION_SERVED && tm_session_has_work(session); i++) {
        (void)tm_session_serve(session, TM_SESSION_TURN, &it->scratch);
        TM_ASSERT(i < ROUNDS_MAX);
    }
    for (int kind = 1; kind > 0;)
        kind = raw_receive(&it->client, 0);
    if (session->state == TM_SESSION_OVER)
        end_session(it);
    if (++times % CHECK_EVERY == 0) {
        enum tmem_result result = tmem_store_check(ours.store);
        TM_ASSERT(result == TMEM_OK);
    }
}
