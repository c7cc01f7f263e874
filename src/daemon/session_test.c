/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions: a client that speaks the wire format by hand is served as the format says, gets only what is its own, and
 * each thing that it does wrong ends its own connection and no other.
 */
#include "daemon/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/crowd.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/reaper.h"
#include "daemon/worker.h"
#include "tests/support/raw.h"

#define CONNECTIONS 40u
#define UID_OTHER 54321u

static struct tm_config config;
static struct tm_daemon ours;
static struct raw_client one;
static struct raw_client two;

uint64_t tm_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TM_SECOND_NS + (uint64_t)now.tv_nsec;
}

static int set_up(void **state)
{
    (void)state;
    char uri[256];
    tm_config_init(&config);
    config.size_bytes = UINT64_C(64) << 20;
    config.grace_seconds = 3600;
    tm_config_uri(&config, -1, uri, sizeof uri);
    ours = (struct tm_daemon){.config = &config};
    assert_int_equal(tmem_open(uri, &ours.store, NULL), TMEM_OK);
    ours.events = tm_events_create();
    ours.forwards = tm_forwards_create(-1);
    ours.crowd = tm_crowd_create(CONNECTIONS, geteuid());
    ours.tenants = tm_tenants_create(&ours);
    ours.reaper = tm_reaper_create(&ours);
    ours.workers = tm_workers_create(&ours, 2);
    assert_non_null(ours.workers);
    raw_use(&one, -1);
    raw_use(&two, -1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    raw_close(&one);
    raw_close(&two);
    tm_workers_destroy(ours.workers);
    tm_reaper_destroy(ours.reaper);
    tm_tenants_destroy(ours.tenants);
    tm_crowd_destroy(ours.crowd);
    tm_forwards_destroy(ours.forwards);
    tm_events_destroy(ours.events);
    assert_int_equal(tmem_store_check(ours.store), TMEM_OK);
    tmem_close(ours.store);
    return 0;
}

static void connect_as(struct raw_client *client, uid_t uid)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(tm_crowd_enter(ours.crowd, uid));
    struct tm_session *session = tm_session_create(&ours, ends[1], uid, getpid());
    assert_non_null(session);
    raw_use(client, ends[0]);
    tm_workers_add(ours.workers, session);
}

static void begin(struct raw_client *client, const char *name)
{
    connect_as(client, geteuid());
    assert_int_equal(raw_hello(client, name, NULL), TM_WIRE_WELCOME);
}

static uint64_t pool_of(struct raw_client *client, uint32_t flags)
{
    uint64_t pool = 0;
    assert_int_equal(raw_pool(client, flags, &pool), TM_WIRE_OK);
    assert_true(pool != 0);
    return pool;
}

/* It is still served: nothing that others did has hurt it. */
static void is_well(struct raw_client *client, uint64_t pool)
{
    raw_fill(client, 0, 77);
    assert_int_equal(raw_put(client, pool, 1000, 1, 0), TM_WIRE_OK);
    raw_fill(client, 1, 78);
    assert_int_equal(raw_get(client, pool, 1000, 1, 1), TM_WIRE_OK);
    assert_true(raw_is_filled(client, 1, 77));
}

static void is_hung_up(struct raw_client *client)
{
    assert_int_equal(raw_receive(client, 10000), 0);
}

/* ---- what is right ---- */

static void pages_go_in_and_come_out(void **state)
{
    (void)state;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, 0);
    for (uint32_t i = 0; i < 200; i++) {
        raw_fill(&one, i % 16u, i);
        assert_int_equal(raw_put(&one, pool, 5, i, i % 16u), TM_WIRE_OK);
    }
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(raw_get(&one, pool, 5, i, 3), TM_WIRE_OK);
        assert_true(raw_is_filled(&one, 3, i));
        assert_int_equal(raw_get(&one, pool, 5, i, 3), TM_WIRE_MISS); /* exclusive */
    }
}

static void invalidated_pages_are_gone(void **state)
{
    (void)state;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(raw_put(&one, pool, 5, i, i), TM_WIRE_OK);
    struct tm_wire_request request = {.operation = TM_WIRE_INVALIDATE_PAGE, .pool = pool, .object = {5}, .index = 1};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_OK);
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_MISS);
    assert_int_equal(raw_get(&one, pool, 5, 1, 0), TM_WIRE_MISS);
    assert_int_equal(raw_get(&one, pool, 5, 2, 0), TM_WIRE_OK);
    request = (struct tm_wire_request){.operation = TM_WIRE_INVALIDATE_OBJECT, .pool = pool, .object = {5}};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_OK);
    assert_int_equal(raw_get(&one, pool, 5, 2, 0), TM_WIRE_MISS);
    request = (struct tm_wire_request){.operation = TM_WIRE_POOL_DESTROY, .pool = pool};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_OK);
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_NOT_FOUND);
    assert_int_equal(raw_put(&one, pool, 5, 1, 0), TM_WIRE_NOT_FOUND);
}

static void a_full_ring_of_requests_is_answered_each_with_its_tag(void **state)
{
    (void)state;
    bool seen[4096] = {false};
    begin(&one, "a");
    uint64_t pool = pool_of(&one, 0);
    uint32_t entries = one.sizes.entries;
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = pool, .object = {1}};
    for (uint32_t round = 0; round < 10; round++) {
        memset(seen, 0, sizeof seen);
        assert_int_equal(tm_ring_room(&one.requests, entries), entries);
        for (uint32_t i = 0; i < entries; i++) {
            request.tag = i;
            raw_submit(&one, &request);
        }
        for (uint32_t i = 0; i < entries; i++) {
            struct tm_wire_answer answer;
            assert_true(raw_take(&one, &answer, 10000));
            assert_int_equal(answer.result, TM_WIRE_MISS);
            assert_true(answer.tag < entries && !seen[answer.tag]);
            seen[answer.tag] = true;
        }
    }
}

static void pages_travel_in_stored_form(void **state)
{
    (void)state;
    begin(&one, "a");
    assert_int_equal(one.answer.welcome.features, TM_DAEMON_FEATURES);
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    raw_fill(&one, 0, 42);
    assert_int_equal(raw_put(&one, pool, 1, 1, 0), TM_WIRE_OK);
    struct tm_wire_request request = {
        .operation = TM_WIRE_GET_STORED, .pool = pool, .object = {1}, .index = 1, .place = TM_PAGE_BYTES};
    uint64_t stored = 0;
    assert_int_equal(raw_do(&one, &request, &stored), TM_WIRE_OK);
    assert_in_range(tm_wire_stored_bytes(stored), 1, TM_PAGE_BYTES - 1u); /* compressed */
    request.operation = TM_WIRE_PUT_STORED;
    request.stored = stored;
    request.index = 2;
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_OK);
    assert_int_equal(raw_get(&one, pool, 1, 2, 3), TM_WIRE_OK);
    assert_true(raw_is_filled(&one, 3, 42));
    /* What does not decode to a page changes nothing, whatever else it is. */
    memset(one.slots + TM_PAGE_BYTES, 0xff, TM_PAGE_BYTES);
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID);
    request.stored = tm_wire_stored(tm_wire_stored_codec(stored), 0);
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID);
    request.stored = tm_wire_stored(99, 10);
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID);
    assert_int_equal(raw_get(&one, pool, 1, 2, 3), TM_WIRE_OK);
    assert_true(raw_is_filled(&one, 3, 42));
    request = (struct tm_wire_request){.operation = TM_WIRE_GET_STORED, .pool = pool, .object = {1}, .index = 9};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_MISS);
}

static void messages_tell_of_pools_pages_and_counts(void **state)
{
    (void)state;
    union tm_wire_any question;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(raw_put(&one, pool, 5, i, 0), TM_WIRE_OK);
    (void)tm_message_begin(&question, TM_WIRE_POOL_OPEN, 1, 7);
    question.pool.pool = pool;
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_DONE);
    assert_int_equal(one.answer.head.number, 7);
    question.pool.pool = pool + 1;
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_FAILED);
    assert_int_equal(one.answer.failed.result, TM_WIRE_NOT_FOUND);

    uint32_t pages = 0;
    (void)tm_message_begin(&question, TM_WIRE_WALK, 1, 8);
    question.walk.pool = pool;
    question.walk.capacity = TM_WIRE_KEYS_MAX;
    for (unsigned steps = 0; steps < 100000; steps++) {
        assert_int_equal(raw_ask(&one, &question), TM_WIRE_WALKED);
        pages += one.answer.walked.count;
        if (one.answer.walked.at_end)
            break;
        memcpy(question.walk.position, one.answer.walked.position, sizeof question.walk.position);
    }
    assert_int_equal(pages, 10);

    (void)tm_message_begin(&question, TM_WIRE_STATISTICS, 1, 9);
    question.statistics.subject = TM_WIRE_OF_POOL;
    question.statistics.pool = pool;
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_COUNTED);
    struct tmem_pool_stats stats;
    assert_int_equal(one.answer.counted.count * sizeof(uint64_t), sizeof stats);
    memcpy(&stats, one.answer.counted.words, sizeof stats);
    assert_int_equal(stats.counters.pages, 10);
    assert_int_equal(stats.id, pool);
    question.statistics.subject = TM_WIRE_OF_CLIENT;
    question.statistics.pool = 0;
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_COUNTED);
    struct tmem_client_stats client;
    memcpy(&client, one.answer.counted.words, sizeof client);
    assert_int_equal(client.counters.pages, 10);
    assert_int_equal(client.pools, 1);
}

static void of_the_store_a_client_learns_only_its_own_part(void **state)
{
    (void)state;
    union tm_wire_any question;
    struct tmem_store_stats stats;
    begin(&one, "a");
    begin(&two, "b");
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(raw_put(&one, pool, 5, i, 0), TM_WIRE_OK);
    (void)tm_message_begin(&question, TM_WIRE_STATISTICS, 1, 9);
    question.statistics.subject = TM_WIRE_OF_STORE;
    assert_int_equal(raw_ask(&two, &question), TM_WIRE_COUNTED);
    memcpy(&stats, two.answer.counted.words, sizeof stats);
    assert_int_equal(stats.pages, 0);
    assert_int_equal(stats.resident_bytes, 0);
    assert_int_equal(stats.clients, 1);
    assert_int_equal(stats.size_bytes, config.size_bytes);
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_COUNTED);
    memcpy(&stats, one.answer.counted.words, sizeof stats);
    assert_int_equal(stats.pages, 10);
}

/* ---- who is who ---- */

static void names_are_the_users_and_taken_once(void **state)
{
    (void)state;
    char expected[TMEM_CLIENT_NAME_SIZE];
    begin(&one, "a");
    snprintf(expected, sizeof expected, "uid-%u:a", (unsigned)geteuid());
    assert_string_equal(one.answer.welcome.name, expected);
    connect_as(&two, geteuid());
    assert_int_equal(raw_hello(&two, "a", NULL), TM_WIRE_FAILED);
    assert_int_equal(two.answer.failed.result, TM_WIRE_EXISTS);
    is_hung_up(&two);
    raw_close(&two);
    connect_as(&two, UID_OTHER);
    assert_int_equal(raw_hello(&two, "a", NULL), TM_WIRE_WELCOME);
    assert_string_equal(two.answer.welcome.name, "uid-54321:a");
}

static void pools_of_others_do_not_exist(void **state)
{
    (void)state;
    begin(&one, "a");
    begin(&two, "b");
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    is_well(&one, pool);
    assert_int_equal(raw_get(&two, pool, 1000, 1, 0), TM_WIRE_NOT_FOUND);
    assert_int_equal(raw_put(&two, pool, 1000, 1, 0), TM_WIRE_NOT_FOUND);
    struct tm_wire_request request = {.operation = TM_WIRE_POOL_DESTROY, .pool = pool};
    assert_int_equal(raw_do(&two, &request, NULL), TM_WIRE_NOT_FOUND);
    is_well(&one, pool);
}

static void other_users_make_no_persistent_pools_unless_configured(void **state)
{
    (void)state;
    uint64_t pool;
    connect_as(&one, UID_OTHER);
    assert_int_equal(raw_hello(&one, "", NULL), TM_WIRE_WELCOME);
    assert_int_equal(raw_pool(&one, TM_WIRE_POOL_PERSISTENT, &pool), TM_WIRE_DENIED);
    assert_int_equal(raw_pool(&one, 0, &pool), TM_WIRE_OK);
}

static void limits_of_the_configuration_hold(void **state)
{
    (void)state;
    uint64_t pool;
    config.others.pools = 2;
    config.others.clients = 1;
    config.others.cap_bytes = UINT64_C(1) << 20;
    config.others.weight = 7;
    connect_as(&one, UID_OTHER);
    assert_int_equal(raw_hello(&one, "x", NULL), TM_WIRE_WELCOME);
    assert_int_equal(one.answer.welcome.cap_bytes, UINT64_C(1) << 20);
    assert_int_equal(one.answer.welcome.weight, 7);
    assert_int_equal(raw_pool(&one, 0, &pool), TM_WIRE_OK);
    assert_int_equal(raw_pool(&one, 0, &pool), TM_WIRE_OK);
    assert_int_equal(raw_pool(&one, 0, &pool), TM_WIRE_REFUSED);
    connect_as(&two, UID_OTHER);
    assert_int_equal(raw_hello(&two, "y", NULL), TM_WIRE_FAILED);
    assert_int_equal(two.answer.failed.result, TM_WIRE_REFUSED);
    raw_close(&two);
    config.others.allowed = false;
    connect_as(&two, UID_OTHER + 1u);
    assert_int_equal(raw_hello(&two, "y", NULL), TM_WIRE_FAILED);
    assert_int_equal(two.answer.failed.result, TM_WIRE_DENIED);
}

/* ---- ends ---- */

/* Until the daemon has noticed that a client is gone. */
static int hello_again(struct raw_client *client, const char *name, const struct tm_wire_token *token)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        connect_as(client, geteuid());
        int kind = raw_hello(client, name, token);
        bool is_ending = kind == TM_WIRE_FAILED && (client->answer.failed.result == TM_WIRE_UNAVAILABLE ||
                                                    strstr(client->answer.failed.text, "connected") != NULL);
        if (!is_ending)
            return kind;
        raw_close(client);
        usleep(2000);
    }
    return -1;
}

static void persistent_pages_wait_for_their_token(void **state)
{
    (void)state;
    begin(&one, "a");
    uint64_t kept = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    uint64_t gone = pool_of(&one, 0);
    raw_fill(&one, 0, 5);
    assert_int_equal(raw_put(&one, kept, 1, 1, 0), TM_WIRE_OK);
    assert_int_equal(raw_put(&one, gone, 1, 1, 0), TM_WIRE_OK);
    struct tm_wire_token token = one.token;
    raw_close(&one);
    assert_int_equal(hello_again(&one, "a", NULL), TM_WIRE_FAILED);
    assert_int_equal(one.answer.failed.result, TM_WIRE_EXISTS);
    raw_close(&one);
    assert_int_equal(hello_again(&one, "a", &token), TM_WIRE_WELCOME);
    assert_int_equal(one.answer.welcome.claimed, 1);
    assert_int_equal(raw_get(&one, kept, 1, 1, 2), TM_WIRE_OK);
    assert_true(raw_is_filled(&one, 2, 5));
    assert_int_equal(raw_get(&one, gone, 1, 1, 2), TM_WIRE_NOT_FOUND);
    assert_memory_equal(&one.token, &token, sizeof token);
}

static void without_persistent_pages_nothing_waits(void **state)
{
    (void)state;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, 0);
    is_well(&one, pool);
    struct tm_wire_token token = one.token;
    raw_close(&one);
    assert_int_equal(hello_again(&one, "a", &token), TM_WIRE_WELCOME);
    assert_int_equal(one.answer.welcome.claimed, 0);
    assert_int_equal(raw_get(&one, pool, 1000, 1, 0), TM_WIRE_NOT_FOUND);
}

static void who_leaves_leaves_nothing(void **state)
{
    (void)state;
    union tm_wire_any question;
    struct tmem_store_stats stats;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    is_well(&one, pool);
    (void)tm_message_begin(&question, TM_WIRE_LEAVE, 1, 3);
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_DONE);
    assert_int_equal(one.answer.head.number, 3);
    is_hung_up(&one);
    assert_int_equal(tmem_store_stats(ours.store, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.pages, 0);
    assert_int_equal(stats.clients, 0);
    raw_close(&one);
    begin(&one, "a");
}

/* The name of a client of this test's user. */
static const char *full_name(const char *name)
{
    static char text[TMEM_CLIENT_NAME_SIZE];
    snprintf(text, sizeof text, "uid-%u:%s", (unsigned)geteuid(), name);
    return text;
}

static bool is_gone_within(unsigned tries, const char *name)
{
    const struct timespec briefly = {0, 10000000};
    for (; tries > 0; tries--) {
        struct tm_tenant *tenant = tm_tenant_hold(ours.tenants, full_name(name));
        if (tenant == NULL)
            return true;
        tm_tenant_release(ours.tenants, tenant);
        nanosleep(&briefly, NULL);
    }
    return false;
}

static void whom_an_operator_holds_stays_and_holds_up_nobody(void **state)
{
    (void)state;
    struct tmem_client_stats stats;
    uint64_t pages = 0;
    begin(&one, "a");
    begin(&two, "b");
    assert_int_equal(raw_put(&one, pool_of(&one, 0), 5, 1, 1), TM_WIRE_OK);
    assert_int_equal(raw_put(&two, pool_of(&two, TM_WIRE_POOL_PERSISTENT), 5, 1, 1), TM_WIRE_OK);
    struct tm_tenant *held = tm_tenant_hold(ours.tenants, full_name("a"));
    assert_non_null(held);
    raw_close(&one);
    assert_true(is_gone_within(500, "a")); /* for others */
    assert_true(tm_tenant_doom(ours.tenants, full_name("b"), &pages));
    assert_int_equal(pages, 1);
    assert_int_equal(tmem_client_stats(held->client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.counters.pages, 1);
    tm_tenant_release(ours.tenants, held);
    struct tmem_store_stats store = {.clients = 1};
    for (unsigned tries = 500; tries > 0 && store.clients != 0; tries--) {
        const struct timespec briefly = {0, 10000000};
        nanosleep(&briefly, NULL);
        assert_int_equal(tmem_store_stats(ours.store, &store, sizeof store), TMEM_OK);
    }
    assert_int_equal(store.clients, 0);
}

static void grace_ends(void **state)
{
    (void)state;
    config.grace_seconds = 1;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, TM_WIRE_POOL_PERSISTENT);
    is_well(&one, pool);
    raw_close(&one);
    for (unsigned i = 0; i < 500; i++) {
        struct tmem_store_stats stats;
        assert_int_equal(tmem_store_stats(ours.store, &stats, sizeof stats), TMEM_OK);
        if (stats.clients == 0)
            return;
        usleep(10000);
    }
    fail_msg("a client that is gone is still there after its grace");
}

/* ---- what is wrong ---- */

static void bad_requests_are_answered_and_do_nothing(void **state)
{
    (void)state;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, 0);
    uint64_t slots_bytes = (uint64_t)one.sizes.slots * TM_PAGE_BYTES;
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = pool, .place = slots_bytes - 4095u};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID);
    request.place = UINT64_MAX - 4095u;
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID);
    request = (struct tm_wire_request){.operation = TM_WIRE_PUT, .pool = pool, .region = 1};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID);
    request = (struct tm_wire_request){.operation = 200, .pool = pool};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_UNSUPPORTED);
    request = (struct tm_wire_request){.operation = TM_WIRE_PUT, .pool = pool, .flags = TM_WIRE_PUT_KEEP};
    assert_int_equal(raw_do(&one, &request, NULL), TM_WIRE_INVALID); /* the pool is ephemeral */
    is_well(&one, pool);
}

/* Each breaks a connection of its own; the other client's is well all the while. */
static void what_breaks_the_format_ends_its_connection_only(void **state)
{
    (void)state;
    begin(&one, "a");
    uint64_t pool = pool_of(&one, 0);
    for (unsigned way = 0; way < 9; way++) {
        union tm_wire_any message;
        char name[8];
        int descriptors[RAW_DESCRIPTORS];
        snprintf(name, sizeof name, "w%u", way);
        if (way < 3)
            connect_as(&two, geteuid());
        else
            begin(&two, name);
        size_t bytes = tm_message_begin(&message, TM_WIRE_LEAVE, 1, 1);
        for (unsigned i = 0; i < RAW_DESCRIPTORS; i++)
            descriptors[i] = one.socket;
        switch (way) {
        case 0: /* nothing that makes sense */
            memset(&message, 0xa5, sizeof message);
            assert_true(raw_send(&two, &message, 100, NULL, 0));
            break;
        case 1: /* a question before it is known */
            assert_true(raw_send(&two, &message, bytes, NULL, 0));
            break;
        case 2: /* more than a message */
            assert_true(raw_send(&two, &(char[8192]){0}, 8192, NULL, 0));
            break;
        case 3: /* who is known says who it is */
            (void)raw_hello(&two, name, NULL);
            break;
        case 4: /* descriptors that nobody asked for */
            assert_true(raw_send(&two, &message, bytes, descriptors, 2));
            break;
        case 5: /* and more than there is room for */
            (void)raw_send(&two, &message, bytes, (int[32]){0}, 32);
            break;
        case 6: /* impossible counts */
            tm_store_release(&two.head->submitted.count, 100000u);
            break;
        case 7:
            /* Found out when the daemon needs to know, which is when the ring could be full. */
            tm_store_release(&two.head->seen.count, 1000u);
            for (uint32_t i = 0; i <= two.sizes.entries; i++) {
                for (unsigned waits = 0; tm_ring_room(&two.requests, 1) == 0 && waits < 1000; waits++)
                    usleep(1000);
                raw_submit(&two, &(struct tm_wire_request){.operation = TM_WIRE_GET});
            }
            break;
        case 8: /* another version than was agreed on */
            message.head.version = 2;
            assert_true(raw_send(&two, &message, bytes, NULL, 0));
            break;
        default:
            break;
        }
        if (way == 6) {
            const uint64_t wakes = 1;
            assert_int_equal(write(two.wake_daemon, &wakes, sizeof wakes), sizeof wakes);
        }
        is_hung_up(&two);
        raw_close(&two);
        is_well(&one, pool);
    }
}

static void who_does_not_take_answers_waits_alone(void **state)
{
    (void)state;
    begin(&one, "a");
    begin(&two, "b");
    uint64_t pool = pool_of(&one, 0);
    uint64_t others = pool_of(&two, 0);
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = others};
    /* Twice as many requests as there is room for answers. */
    for (uint32_t i = 0; i < 2u * two.sizes.entries; i++) {
        for (unsigned waits = 0; tm_ring_room(&two.requests, 1) == 0 && waits < 2000; waits++)
            usleep(1000);
        assert_true(tm_ring_room(&two.requests, 1) != 0);
        raw_submit(&two, &request);
    }
    is_well(&one, pool);
    assert_int_equal(tm_load_acquire(&two.head->answered.count) - two.answers.count, two.sizes.entries);
    /* When it takes them, and says so, it is served again. */
    struct tm_wire_answer answer;
    for (uint32_t i = 0; i < 2u * two.sizes.entries; i++) {
        if (i % two.sizes.entries == 0)
            assert_int_equal(write(two.wake_daemon, &(const uint64_t){1}, 8), 8);
        if (!raw_take(&two, &answer, 200)) {
            assert_int_equal(write(two.wake_daemon, &(const uint64_t){1}, 8), 8);
            assert_true(raw_take(&two, &answer, 10000));
        }
    }
    is_well(&two, others);
    is_well(&one, pool);
}

/* The eventfd and the pipe: whatever a client does to his ends, no thread of the daemon waits for him. */
static void what_a_client_does_to_its_descriptors_stops_nobody(void **state)
{
    (void)state;
    begin(&one, "a");
    begin(&two, "b");
    uint64_t pool = pool_of(&one, 0);
    uint64_t others = pool_of(&two, 0);
    const uint64_t most = UINT64_MAX - 1u;
    uint64_t counted;
    (void)!read(two.wake_daemon, &counted, sizeof counted);
    assert_int_equal(write(two.wake_daemon, &most, sizeof most), sizeof most);
    assert_int_equal(fcntl(two.wake_daemon, F_SETFL, 0), 0);
    assert_int_equal(fcntl(two.wake_client, F_SETFL, 0), 0);
    assert_true(fcntl(two.wake_client, F_SETPIPE_SZ, 4096) >= 4096);
    /* The pipe is never read, and the client claims to sleep all the time. */
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = others};
    for (uint32_t i = 0; i < 5000; i++) {
        struct tm_wire_answer answer;
        tm_store_release(&two.head->client.sleeps, 1u);
        assert_true(tm_ring_room(&two.requests, 1) != 0);
        tm_ring_write(&two.requests, &request);
        tm_ring_publish(&two.requests);
        for (unsigned waits = 0; tm_ring_waiting(&two.answers, 1) == 0; waits++) {
            assert_true(waits < 1000000);
            if (waits > 100) {
                /* Its eventfd is full; only messages wake the daemon now, and a round of others. */
                is_well(&one, pool);
                if (read(two.wake_daemon, &counted, sizeof counted) > 0)
                    assert_int_equal(write(two.wake_daemon, &(const uint64_t){1}, 8), 8);
            }
        }
        tm_ring_take(&two.answers, &answer);
        tm_ring_publish(&two.answers);
    }
    is_well(&one, pool);
}

static void one_user_may_not_take_all_connections(void **state)
{
    (void)state;
    unsigned entered = 0;
    begin(&one, "a");
    while (tm_crowd_enter(ours.crowd, UID_OTHER))
        entered++;
    assert_int_equal(entered, CONNECTIONS / 4u);
    begin(&two, "b");
    for (unsigned i = 0; i < entered; i++)
        tm_crowd_leave(ours.crowd, UID_OTHER);
    assert_true(tm_crowd_enter(ours.crowd, UID_OTHER));
    tm_crowd_leave(ours.crowd, UID_OTHER);
}

/* ---- being watched ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* Whoever is told so does not move until the gate is open. */
static void stand_still(int signal)
{
    (void)signal;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
}

/* Sends it to all threads but this one. */
static void tell_the_others(int signal)
{
    char name[64];
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        (void)snprintf(name, sizeof name, "%.40s", entry->d_name);
        long thread = strtol(name, NULL, 10);
        if (thread > 0 && thread != syscall(SYS_gettid))
            assert_int_equal(syscall(SYS_tgkill, getpid(), thread, signal), 0);
    }
    closedir(threads);
}

static bool are_alive_within(unsigned tries, bool expected)
{
    for (unsigned i = 0; i < tries; i++) {
        usleep(20000);
        if (tm_workers_are_alive(ours.workers) == expected)
            return true;
    }
    return false;
}

static void threads_that_stand_still_are_seen_and_idle_ones_are_alive(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = stand_still, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    begin(&one, "a");
    assert_true(tm_workers_are_alive(ours.workers));
    assert_true(are_alive_within(500, true));
    (void)pthread_mutex_lock(&gate);
    tell_the_others(SIGUSR1);
    assert_true(are_alive_within(500, false));
    assert_false(are_alive_within(5, true));
    (void)pthread_mutex_unlock(&gate);
    assert_true(are_alive_within(500, true));
    is_well(&one, pool_of(&one, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- moved to another daemon ---- */

static void who_was_moved_is_told_where(void **state)
{
    (void)state;
    struct tm_wire_token token = {{1, 2, 3}};
    union tm_wire_any question;
    char path[TM_WIRE_PATH_BYTES];
    connect_as(&one, 5);
    tm_forwards_add(ours.forwards, &token, "/run/other.sock");
    (void)tm_message_begin(&question, TM_WIRE_HELLO, 1, 7);
    question.hello.newest_version = TM_WIRE_VERSION_MAX;
    question.hello.features = TM_WIRE_MOVES;
    question.hello.token = token;
    assert_int_equal(raw_ask(&one, &question), TM_WIRE_MOVED);
    assert_string_equal(one.answer.moved.path, "/run/other.sock");
    assert_int_equal(raw_receive(&one, 5000), 0);

    /* Who does not know of moving is not told, and who has come back is sent nowhere. */
    raw_close(&one);
    connect_as(&one, 5);
    question.hello.features = TM_WIRE_STORED_PAGES;
    assert_true(raw_send(&one, &question, question.head.bytes, NULL, 0));
    assert_int_equal(raw_receive(&one, 5000), TM_WIRE_WELCOME);
    tm_forwards_forget(ours.forwards, &token);
    assert_false(tm_forwards_find(ours.forwards, &token, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_go_in_and_come_out),
        TEST(invalidated_pages_are_gone),
        TEST(a_full_ring_of_requests_is_answered_each_with_its_tag),
        TEST(pages_travel_in_stored_form),
        TEST(messages_tell_of_pools_pages_and_counts),
        TEST(of_the_store_a_client_learns_only_its_own_part),
        TEST(names_are_the_users_and_taken_once),
        TEST(pools_of_others_do_not_exist),
        TEST(other_users_make_no_persistent_pools_unless_configured),
        TEST(limits_of_the_configuration_hold),
        TEST(persistent_pages_wait_for_their_token),
        TEST(without_persistent_pages_nothing_waits),
        TEST(who_leaves_leaves_nothing),
        TEST(whom_an_operator_holds_stays_and_holds_up_nobody),
        TEST(grace_ends),
        TEST(bad_requests_are_answered_and_do_nothing),
        TEST(what_breaks_the_format_ends_its_connection_only),
        TEST(who_does_not_take_answers_waits_alone),
        TEST(what_a_client_does_to_its_descriptors_stops_nobody),
        TEST(one_user_may_not_take_all_connections),
        TEST(who_was_moved_is_told_where),
        TEST(threads_that_stand_still_are_seen_and_idle_ones_are_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
