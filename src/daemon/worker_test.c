/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns: who is served when several want to be. The rounds of a worker are gone by hand here, without its thread, so
 * that what is asserted is the order of service and never a time.
 */
#include "daemon/worker.c" /* its rounds are nobody else's business */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/crowd.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/reaper.h"
#include "tests/support/raw.h"

#define CLIENTS 3u
#define ENTRIES 64u

static struct tm_config config;
static struct tm_daemon ours;
static struct worker worker;
static struct tm_workers workers = {.wanted = 1, .count = 1, .cpus = 64, .workers = &worker};
static struct raw_client clients[CLIENTS];
static struct tm_session *sessions[CLIENTS];
static uint64_t pools[CLIENTS];

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
    tm_config_uri(&config, -1, uri, sizeof uri);
    ours = (struct tm_daemon){.config = &config};
    assert_int_equal(tmem_open(uri, &ours.store, NULL), TMEM_OK);
    ours.events = tm_events_create();
    ours.forwards = tm_forwards_create(-1);
    ours.crowd = tm_crowd_create(CLIENTS, geteuid());
    ours.tenants = tm_tenants_create(&ours);
    ours.reaper = tm_reaper_create(&ours);
    assert_non_null(ours.reaper);
    /* Nobody falls asleep: the time stands still. */
    worker = (struct worker){
        .daemon = &ours, .others = &workers, .heaviest = 1, .may_spin = true, .events = epoll_create1(EPOLL_CLOEXEC)};
    for (unsigned i = 0; i < CLIENTS; i++)
        raw_use(&clients[i], -1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (worker.awake != NULL)
        take_out(&worker, worker.awake);
    end_those_over(&worker);
    for (unsigned i = 0; i < CLIENTS; i++)
        raw_close(&clients[i]);
    tm_reaper_destroy(ours.reaper);
    tm_tenants_destroy(ours.tenants);
    tm_crowd_destroy(ours.crowd);
    tm_forwards_destroy(ours.forwards);
    tm_events_destroy(ours.events);
    (void)close(worker.events);
    assert_int_equal(tmem_store_check(ours.store), TMEM_OK);
    tmem_close(ours.store);
    return 0;
}

static void begin(unsigned number, uint32_t weight)
{
    int ends[2];
    char name[8];
    struct tm_wire_answer answer;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(tm_crowd_enter(ours.crowd, geteuid()));
    struct tm_session *session = tm_session_create(&ours, ends[1], geteuid(), getpid());
    assert_non_null(session);
    raw_use(&clients[number], ends[0]);
    (void)snprintf(name, sizeof name, "c%u", number);
    assert_true(raw_greet(&clients[number], name, NULL));
    tm_session_hear(session, &worker.scratch);
    assert_int_equal(raw_enter(&clients[number]), TM_WIRE_WELCOME);
    assert_int_equal(tmem_client_set_weight(session->tenant->client, weight), TMEM_OK);
    tm_session_weigh(session);
    session->next = session->prev = NULL;
    worker.all = NULL;
    sessions[number] = session;
    session->spin_ns = SPIN_MAX_NS;
    raw_submit(&clients[number], &(struct tm_wire_request){.operation = TM_WIRE_POOL_CREATE});
    assert_int_equal(tm_session_serve(session, 1, &worker.scratch), 1);
    assert_true(raw_take(&clients[number], &answer, 0));
    pools[number] = answer.value;
    wake(&worker, session);
}

/* As many gets of what is not there as the ring takes. */
static void want_much(unsigned number)
{
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = pools[number], .object = {1}};
    while (tm_ring_room(&clients[number].requests, 1) != 0 &&
           clients[number].requests.count - clients[number].answers.count < ENTRIES)
        raw_submit(&clients[number], &request);
}

/* Answers that have come since it was asked. */
static uint32_t answers_of(unsigned number)
{
    uint32_t count = 0;
    struct tm_wire_answer answer;
    while (tm_ring_waiting(&clients[number].answers, 1) != 0) {
        assert_true(raw_take(&clients[number], &answer, 0));
        count++;
    }
    return count;
}

static void who_does_not_say_hello_is_ended_after_a_while(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(tm_crowd_enter(ours.crowd, geteuid()));
    struct tm_session *session = tm_session_create(&ours, ends[1], geteuid(), getpid());
    assert_non_null(session);
    raw_use(&clients[0], ends[0]);
    worker.all = session;
    end_silent(&worker, session->began_ns + HELLO_NS - 1u);
    assert_true(worker.has_new);
    assert_null(worker.over);
    end_silent(&worker, session->began_ns + HELLO_NS);
    assert_ptr_equal(worker.over, session);
    end_those_over(&worker);
    assert_int_equal(raw_receive(&clients[0], 10000), 0);
    end_silent(&worker, 0);
    assert_false(worker.has_new);
}

static void who_is_heavier_is_served_more(void **state)
{
    uint32_t served[CLIENTS] = {0};
    (void)state;
    begin(0, 100);
    begin(1, 300);
    begin(2, 50);
    for (unsigned round = 0; round < 121; round++) {
        for (unsigned i = 0; i < CLIENTS; i++)
            want_much(i);
        (void)go_round(&worker, 1);
        for (unsigned i = 0; i < CLIENTS; i++) {
            uint32_t count = answers_of(i);
            served[i] += round != 0 ? count : 0; /* the first finds out who is heaviest */
        }
    }
    assert_int_equal(served[1], 120 * TURN_OF_MANY);
    assert_in_range(served[0], 120 * TURN_OF_MANY / 3 - 1, 120 * TURN_OF_MANY / 3 + TURN_OF_MANY);
    assert_in_range(served[2], 120 * TURN_OF_MANY / 6 - 1, 120 * TURN_OF_MANY / 6 + TURN_OF_MANY);
}

static void who_has_nothing_to_do_leaves_it_to_the_others_and_saves_nothing(void **state)
{
    (void)state;
    begin(0, 100);
    begin(1, 100);
    for (unsigned round = 0; round < 20; round++) {
        want_much(0);
        (void)go_round(&worker, 1);
    }
    (void)answers_of(0);
    want_much(0);
    want_much(1);
    (void)go_round(&worker, 1);
    assert_in_range(answers_of(1), 1, TURN_OF_MANY);
    assert_in_range(answers_of(0), 1, TURN_OF_MANY);
}

static void who_is_light_is_served_all_the_same(void **state)
{
    unsigned rounds = 0;
    (void)state;
    begin(0, 1);
    begin(1, TMEM_WEIGHT_MAX);
    want_much(0);
    do {
        want_much(1);
        (void)go_round(&worker, 1);
        (void)answers_of(1);
        rounds++;
    } while (answers_of(0) == 0);
    assert_in_range(rounds, 1, REQUEST_PARTS + 1u);
}

static void who_is_alone_is_served_more_at_a_time(void **state)
{
    (void)state;
    begin(0, 1);
    want_much(0);
    (void)go_round(&worker, 1);
    assert_int_equal(answers_of(0), TM_SESSION_TURN);
}

static void a_changed_weight_counts_soon(void **state)
{
    uint32_t served = 0;
    (void)state;
    begin(0, 100);
    begin(1, 100);
    assert_int_equal(tmem_client_set_weight(sessions[0]->tenant->client, 25), TMEM_OK);
    for (unsigned round = 0; round < WEIGH_EVERY / TURN_OF_MANY + 1u; round++) {
        want_much(0);
        want_much(1);
        (void)go_round(&worker, 1);
        (void)answers_of(0);
        (void)answers_of(1);
    }
    for (unsigned round = 0; round < 8; round++) {
        want_much(0);
        want_much(1);
        (void)go_round(&worker, 1);
        served += answers_of(0);
        (void)answers_of(1);
    }
    assert_in_range(served, 8 * TURN_OF_MANY / 4 - 1, 8 * TURN_OF_MANY / 4 + 1);
}

#define LARGE_CHUNKS 400u

/* Each page in a chunk of its own. */
static void fill_large(unsigned number)
{
    struct tmem_object_id object = {{1, 0, 0}};
    unsigned char page[TMEM_PAGE_SIZE] = {1};
    struct tmem_pool *pool = tm_tenant_pool(sessions[number]->tenant, pools[number]);
    for (uint32_t i = 0; i < LARGE_CHUNKS; i++)
        assert_int_equal(tmem_put(pool, &object, i * 64u, page, TMEM_PUT_PLAIN), TMEM_OK);
}

/* Rounds until the first client has its one answer, the second having had some each time. */
static unsigned rounds_of(const struct tm_wire_request *request)
{
    unsigned rounds = 0;
    struct tm_wire_answer answer;
    raw_submit(&clients[0], request);
    while (tm_ring_waiting(&clients[0].answers, 1) == 0) {
        want_much(1);
        (void)go_round(&worker, 1);
        assert_int_equal(answers_of(1), TURN_OF_MANY);
        assert_in_range(++rounds, 1, LARGE_CHUNKS);
    }
    assert_true(raw_take(&clients[0], &answer, 0));
    assert_int_equal(answer.result, TM_WIRE_OK);
    return rounds;
}

static void what_takes_long_holds_nobody_up(void **state)
{
    (void)state;
    begin(0, 100);
    begin(1, 100);
    fill_large(0);
    (void)go_round(&worker, 1);
    assert_in_range(rounds_of(&(struct tm_wire_request){
                        .operation = TM_WIRE_INVALIDATE_OBJECT, .pool = pools[0], .object = {1}}),
                    10, LARGE_CHUNKS);
    fill_large(0);
    assert_in_range(rounds_of(&(struct tm_wire_request){.operation = TM_WIRE_POOL_DESTROY, .pool = pools[0]}), 10,
                    LARGE_CHUNKS);
}

static void a_pool_whose_client_ends_in_the_middle_is_gone_with_it(void **state)
{
    struct tmem_store_stats stats;
    struct tm_wire_request request = {.operation = TM_WIRE_POOL_DESTROY};
    (void)state;
    begin(0, 100);
    begin(1, 100);
    fill_large(0);
    request.pool = pools[0];
    raw_submit(&clients[0], &request);
    (void)go_round(&worker, 1);
    assert_int_equal(tm_ring_waiting(&clients[0].answers, 1), 0);
    assert_null(tm_tenant_pool(sessions[0]->tenant, pools[0]));
    take_out(&worker, sessions[0]);
    end_those_over(&worker);
    do
        assert_int_equal(tmem_store_stats(ours.store, &stats, sizeof stats), TMEM_OK);
    while (stats.clients != 1);
    assert_int_equal(stats.pages, 0);
}

/* Whether a client that sleeps was woken since. */
static bool was_woken(unsigned number)
{
    return clients[number].head->client.sleeps == 0;
}

static void want_some(unsigned number, unsigned count)
{
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = pools[number], .object = {1}};
    for (unsigned i = 0; i < count; i++)
        raw_submit(&clients[number], &request);
}

static void who_sleeps_is_woken_once_for_what_takes_several_turns(void **state)
{
    (void)state;
    begin(0, 100);
    begin(1, 100);
    want_some(0, 2 * TURN_OF_MANY);
    tm_sleep_begin(&clients[0].head->client);
    (void)go_round(&worker, 1);
    assert_int_equal(answers_of(0), TURN_OF_MANY);
    assert_false(was_woken(0));
    (void)go_round(&worker, 1);
    assert_true(was_woken(0));
    assert_int_equal(answers_of(0), TURN_OF_MANY);
    want_much(0);
    tm_sleep_begin(&clients[0].head->client);
    for (unsigned round = 0; !was_woken(0); round++) {
        assert_in_range(round, 0, ENTRIES / TURN_OF_MANY / 2);
        (void)go_round(&worker, 1);
    }
}

static void who_sleeps_is_woken_where_no_more_can_be_done_for_it(void **state)
{
    (void)state;
    begin(0, 100);
    begin(1, 100);
    want_some(0, 2 * TURN_OF_MANY);
    tm_sleep_begin(&clients[0].head->client);
    (void)go_round(&worker, 1);
    assert_false(was_woken(0));
    tm_tenant_pause(sessions[0]->tenant);
    (void)go_round(&worker, 1);
    assert_true(was_woken(0));
}

static void who_sleeps_and_is_far_lighter_is_woken_for_what_it_has(void **state)
{
    (void)state;
    begin(0, 1);
    begin(1, REQUEST_PARTS);
    want_some(0, 2);
    tm_sleep_begin(&clients[0].head->client);
    do {
        want_much(1);
        (void)go_round(&worker, 1);
        (void)answers_of(1);
    } while (answers_of(0) == 0);
    want_much(1);
    (void)go_round(&worker, 1);
    assert_true(was_woken(0));
    assert_int_equal(answers_of(0), 0);
}

static void who_does_nothing_is_looked_at_while_there_is_work_for_others(void **state)
{
    uint64_t now_ns = TM_SECOND_NS;
    (void)state;
    begin(0, 100);
    begin(1, 100);
    worker.crowded = TM_WIRE_CROWDED;
    worker.worked = true;
    for (; now_ns < TM_SECOND_NS + COMPANY_NS; now_ns += COMPANY_NS / 4) {
        want_some(1, 1);
        worker.worked = go_round(&worker, now_ns);
        assert_true(worker.worked);
        assert_int_equal(answers_of(1), 1);
        assert_true(sessions[0]->is_awake);
    }
    want_some(1, 1);
    (void)go_round(&worker, now_ns);
    assert_false(sessions[0]->is_awake);
    assert_true(sessions[1]->is_awake);
    wake(&worker, sessions[0]); /* to be ended with the others */
}

static void a_new_client_goes_where_there_are_fewest(void **state)
{
    const struct worker with_one = {.served = 1, .count = 1};
    const struct worker with_none = {.count = 2};
    const struct worker with_nobody = {.count = 0};
    (void)state;
    assert_true(load_of(&with_none) < load_of(&with_one));
    assert_true(load_of(&with_nobody) < load_of(&with_none));
}

/* What the worker finds at the end of a period in which so many clients were busy. */
static enum tm_wire_crowded crowd_of(uint32_t busy)
{
    worker.busy_now = busy;
    judge_crowd(&worker, worker.period_ns + PERIOD_NS);
    return worker.crowded;
}

static void clients_are_told_how_many_want_the_cpus(void **state)
{
    struct tm_workers few = {.wanted = 1, .count = 1, .cpus = 2, .workers = &worker};
    (void)state;
    begin(0, 100);
    worker.others = &few;
    assert_int_equal(crowd_of(1), TM_WIRE_ROOM);
    assert_int_equal(crowd_of(2), TM_WIRE_CROWDED);
    assert_int_equal(crowd_of(2 * THRONG_OF_A_CPU), TM_WIRE_CROWDED);
    assert_int_equal(crowd_of(2 * THRONG_OF_A_CPU + 1), TM_WIRE_THRONG);
    assert_int_equal(clients[0].head->daemon.crowded, TM_WIRE_ROOM);
    want_much(0);
    (void)go_round(&worker, 1);
    assert_int_equal(clients[0].head->daemon.crowded, TM_WIRE_THRONG);
    assert_int_equal(crowd_of(0), TM_WIRE_ROOM);
    (void)answers_of(0);
    want_much(0);
    (void)go_round(&worker, 1);
    assert_int_equal(clients[0].head->daemon.crowded, TM_WIRE_ROOM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_does_not_say_hello_is_ended_after_a_while),
        TEST(who_is_heavier_is_served_more),
        TEST(who_has_nothing_to_do_leaves_it_to_the_others_and_saves_nothing),
        TEST(who_is_light_is_served_all_the_same),
        TEST(who_is_alone_is_served_more_at_a_time),
        TEST(a_changed_weight_counts_soon),
        TEST(who_sleeps_is_woken_once_for_what_takes_several_turns),
        TEST(who_sleeps_is_woken_where_no_more_can_be_done_for_it),
        TEST(who_sleeps_and_is_far_lighter_is_woken_for_what_it_has),
        TEST(who_does_nothing_is_looked_at_while_there_is_work_for_others),
        TEST(a_new_client_goes_where_there_are_fewest),
        TEST(clients_are_told_how_many_want_the_cpus),
        TEST(what_takes_long_holds_nobody_up),
        TEST(a_pool_whose_client_ends_in_the_middle_is_gone_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
