/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_test.c - the library's end of a connection, against a daemon in this process that keeps to the format, answers
 * late or in another order, writes garbage, dies, comes back with or without what was there.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tmem/control.h>

#include "tests/unix/peer.h"

#define THREADS 4u

static struct peer *peer;
static struct peer_manners *manners;
static struct tmem_store *store;
static struct tmem_client *client;
static struct tmem_pool *cache; /* ephemeral */
static struct tmem_pool *swap;  /* persistent */

static struct tmem_object_id object_of(unsigned number)
{
    return (struct tmem_object_id){{number, 2, 3}};
}

static void fill(unsigned char *page, unsigned number)
{
    for (unsigned i = 0; i < TMEM_PAGE_SIZE; i++)
        page[i] = (unsigned char)(number * 31u + i * (number | 1u));
    memcpy(page, &number, sizeof number);
}

static enum tmem_result put(struct tmem_pool *pool, unsigned number)
{
    unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_object_id object = object_of(number / 8u);
    fill(page, number);
    return tmem_put(pool, &object, number, page, TMEM_PUT_PLAIN);
}

static enum tmem_result get(struct tmem_pool *pool, unsigned number, enum tmem_get_mode mode)
{
    unsigned char page[TMEM_PAGE_SIZE];
    unsigned char expected[TMEM_PAGE_SIZE];
    struct tmem_object_id object = object_of(number / 8u);
    enum tmem_result result = tmem_get(pool, &object, number, page, mode);
    fill(expected, number);
    if (result == TMEM_OK)
        assert_memory_equal(page, expected, sizeof page);
    return result;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void open_all(const char *more)
{
    char uri[160];
    struct tmem_error error = {""};
    snprintf(uri, sizeof uri, "unix:%s%s", peer_path(peer), more);
    if (tmem_open(uri, &store, &error) != TMEM_OK)
        fail_msg("%s: %s", uri, error.text);
    assert_int_equal(tmem_client_create(store, "client", NULL, &client), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_EPHEMERAL, NULL, &cache), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &swap), TMEM_OK);
}

static int set_up(void **state)
{
    (void)state;
    peer = peer_create();
    manners = peer_manners(peer);
    open_all("");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tmem_close(store);
    peer_destroy(peer);
    return 0;
}

/* Calls until one is answered, as a program would; false: none was for as long as it may take. */
static bool comes_back(struct tmem_pool *pool)
{
    for (unsigned i = 0; i < 500; i++) {
        if (get(pool, 12345, TMEM_GET_INCLUSIVE) == TMEM_MISS)
            return true;
        usleep(10000);
    }
    return false;
}

/* ---- a daemon that keeps to the format ---- */

static void pages_come_back_as_they_were(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(put(cache, i), TMEM_OK);
        assert_int_equal(put(swap, i), TMEM_OK);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(get(cache, i, TMEM_GET_DEFAULT), TMEM_OK);
        assert_int_equal(get(cache, i, TMEM_GET_DEFAULT), TMEM_MISS); /* exclusive */
        assert_int_equal(get(swap, i, TMEM_GET_DEFAULT), TMEM_OK);
        assert_int_equal(get(swap, i, TMEM_GET_INCLUSIVE), TMEM_OK);
    }
    struct tmem_object_id object = object_of(0);
    assert_int_equal(tmem_invalidate_page(swap, &object, 3), TMEM_OK);
    assert_int_equal(tmem_invalidate_page(swap, &object, 3), TMEM_MISS);
    assert_int_equal(tmem_invalidate_object(swap, &object), TMEM_OK);
    assert_int_equal(tmem_invalidate_object(swap, &object), TMEM_MISS);
    assert_int_equal(get(swap, 4, TMEM_GET_DEFAULT), TMEM_MISS);
    assert_int_equal(get(swap, 9, TMEM_GET_EXCLUSIVE), TMEM_OK);
    assert_int_equal(get(swap, 9, TMEM_GET_EXCLUSIVE), TMEM_MISS);
}

static void statistics_and_lists_are_the_clients(void **state)
{
    struct tmem_client_stats of_client;
    struct tmem_pool_stats of_pool;
    struct tmem_store_stats of_store;
    char names[4][TMEM_CLIENT_NAME_SIZE];
    uint64_t ids[4];
    size_t count;
    struct tmem_client *other;
    (void)state;
    assert_int_equal(put(swap, 1), TMEM_OK);
    assert_int_equal(tmem_client_create(store, "another", NULL, &other), TMEM_OK);
    assert_int_equal(tmem_client_stats(client, &of_client, sizeof of_client), TMEM_OK);
    assert_string_equal(of_client.name, "client");
    assert_int_equal(of_client.pools, 2);
    assert_int_equal(of_client.counters.puts, 1);
    assert_int_equal(tmem_pool_stats(swap, &of_pool, sizeof of_pool), TMEM_OK);
    assert_int_equal(of_pool.id, tmem_pool_id(swap));
    assert_int_equal(of_pool.counters.pages, 1);
    assert_int_equal(tmem_store_stats(store, &of_store, sizeof of_store), TMEM_OK);
    assert_int_equal(of_store.clients, 2);
    assert_int_equal(of_store.size_bytes, 32u << 20);
    assert_int_equal(tmem_store_clients(store, NULL, names, 4, &count), TMEM_OK);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "another");
    assert_string_equal(names[1], "client");
    assert_int_equal(tmem_store_clients(store, names[0], names, 4, &count), TMEM_OK);
    assert_int_equal(count, 1);
    assert_int_equal(tmem_client_pools(client, 0, ids, 4, &count), TMEM_OK);
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], tmem_pool_id(cache));
    assert_int_equal(ids[1], tmem_pool_id(swap));
    struct tmem_client *found;
    assert_int_equal(tmem_client_open(store, "client", &found), TMEM_OK);
    assert_ptr_equal(found, client);
    assert_int_equal(tmem_client_create(store, "client", NULL, &found), TMEM_EXISTS);
    tmem_client_destroy(other);
    assert_int_equal(tmem_client_open(store, "another", &found), TMEM_NOT_FOUND);
}

static void stored_pages_and_walks_work(void **state)
{
    struct tmem_stored stored;
    struct tmem_cursor cursor = TMEM_CURSOR_INIT;
    struct tmem_key keys[64];
    size_t count;
    unsigned found = 0;
    struct tmem_object_id object = object_of(0);
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(put(swap, i), TMEM_OK);
    while (tmem_walk(swap, &cursor, keys, 64, &count) == TMEM_OK)
        for (size_t i = 0; i < count; i++, found++)
            assert_int_equal(keys[i].object.word[0], keys[i].index / 8u);
    assert_int_equal(found, 200);
    assert_int_equal(tmem_get_stored(swap, &object, 1, &stored), TMEM_OK);
    assert_int_equal(tmem_get_stored(swap, &object, 99, &stored), TMEM_MISS);
}

static void control_is_not_the_clients(void **state)
{
    uint64_t bytes;
    const struct tmem_uuid uuid = {{1, 2}};
    (void)state;
    assert_int_equal(tmem_client_set_weight(client, 1), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_set_cap(client, 1), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_freeze(client), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_thaw(client), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_authorise(client, &uuid), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_deauthorise(client, &uuid), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_set_size(store, 64u << 20), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_reclaim(store, 1, &bytes), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_freeable(store, &bytes), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_set_cold(store, 0, 0), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_recompress(store, &bytes), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_store_check(store), TMEM_UNSUPPORTED);
    struct tmem_ledger ledger;
    struct tmem_evictor rows[TMEM_EVICTORS_MAX];
    struct tmem_pool_stats pool_stats;
    size_t count;
    assert_int_equal(tmem_store_ledger(store, &ledger, sizeof ledger), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_ledger(client, &ledger, sizeof ledger), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_evictors(client, rows, &count), TMEM_UNSUPPORTED);
    assert_int_equal(tmem_client_next_pool(client, 0, &pool_stats, sizeof pool_stats), TMEM_UNSUPPORTED);
}

/* ---- one that is slow, or answers in another order ---- */

/* The daemon answers the last request first; entries of one handle have their order all the same. */
static void entries_of_one_handle_keep_their_order(void **state)
{
    enum {
        COUNT = 60
    };
    static unsigned char pages[COUNT][TMEM_PAGE_SIZE];
    struct tmem_io io[COUNT];
    (void)state;
    atomic_store(&manners->hold, 16);
    for (unsigned i = 0; i < COUNT; i++) {
        fill(pages[i], i);
        io[i] = (struct tmem_io){.object = object_of(i % 7u), .index = 5, .page = pages[i]};
    }
    assert_int_equal(tmem_put_many(cache, io, COUNT, TMEM_PUT_PLAIN), TMEM_OK);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(io[i].result, TMEM_OK);
    memset(pages, 0, sizeof pages);
    /* Exclusive: of each handle the first get finds the page that was put last, the others find nothing. */
    assert_int_equal(tmem_get_many(cache, io, COUNT, TMEM_GET_DEFAULT), TMEM_OK);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned char expected[TMEM_PAGE_SIZE];
        unsigned last = i % 7u;
        while (last + 7u < COUNT)
            last += 7u;
        assert_int_equal(io[i].result, i < 7 ? TMEM_OK : TMEM_MISS);
        fill(expected, last);
        if (i < 7)
            assert_memory_equal(pages[i], expected, sizeof expected);
    }
}

struct work {
    unsigned number;
    unsigned rounds;
    unsigned wrong;
};

static void *work(void *user)
{
    struct work *work = user;
    static _Thread_local unsigned char pages[8][TMEM_PAGE_SIZE];
    unsigned char expected[TMEM_PAGE_SIZE];
    struct tmem_io io[8];
    for (unsigned round = 0; round < work->rounds; round++) {
        for (unsigned i = 0; i < 8; i++) {
            fill(pages[i], work->number * 1000u + round * 8u + i);
            io[i] = (struct tmem_io){.object = object_of(work->number), .index = i, .page = pages[i]};
        }
        work->wrong += tmem_put_many(swap, io, 8, TMEM_PUT_PLAIN) != TMEM_OK;
        for (unsigned i = 0; i < 8; i++)
            work->wrong += io[i].result != TMEM_OK;
        memset(pages, 0, sizeof pages);
        work->wrong += tmem_get_many(swap, io, 8, TMEM_GET_INCLUSIVE) != TMEM_OK;
        for (unsigned i = 0; i < 8; i++) {
            fill(expected, work->number * 1000u + round * 8u + i);
            work->wrong += io[i].result != TMEM_OK || memcmp(pages[i], expected, sizeof expected) != 0;
        }
        work->wrong += tmem_invalidate_page(swap, &io[0].object, 0) != TMEM_OK;
    }
    return NULL;
}

static void run_threads(unsigned rounds)
{
    pthread_t threads[THREADS];
    struct work works[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        works[i] = (struct work){i, rounds, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &works[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(works[i].wrong, 0);
    }
}

/* 32 requests wish to be under way, and there is room for 16. */
static void many_threads_share_a_connection(void **state)
{
    (void)state;
    run_threads(300);
    atomic_store(&manners->hold, 5);
    run_threads(300);
    atomic_store(&manners->late_us, 200);
    run_threads(10);
}

static void answers_that_nobody_asked_for_are_ignored(void **state)
{
    (void)state;
    atomic_store(&manners->has_strangers, true);
    run_threads(50);
}

/* ---- one that does not keep to the format ---- */

static void a_result_that_there_is_not_ends_the_connection(void **state)
{
    (void)state;
    assert_int_equal(put(swap, 1), TMEM_OK);
    atomic_store(&manners->has_bad_results, true);
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_UNAVAILABLE);
    assert_true(comes_back(swap));
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
}

static void an_impossible_count_ends_the_connection(void **state)
{
    (void)state;
    assert_int_equal(put(swap, 1), TMEM_OK);
    atomic_store(&manners->has_bad_counts, true);
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_UNAVAILABLE);
    assert_true(comes_back(swap));
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
}

static void a_strange_welcome_is_refused(void **state)
{
    struct tmem_client *other = NULL;
    (void)state;
    atomic_store(&manners->has_bad_hello, true);
    assert_int_equal(tmem_client_create(store, "other", NULL, &other), TMEM_UNAVAILABLE);
    atomic_store(&manners->has_bad_hello, false);
    atomic_store(&manners->has_open_memory, true);
    assert_int_equal(tmem_client_create(store, "other-2", NULL, &other), TMEM_UNAVAILABLE);
    atomic_store(&manners->has_open_memory, false);
    assert_null(other);
    assert_int_equal(tmem_client_create(store, "other-3", NULL, &other), TMEM_OK);
}

/* ---- one that dies ---- */

struct losses {
    _Atomic unsigned lost;
    _Atomic uint64_t slowest_ms;
};

static void *put_until_somebody_lost(void *user)
{
    struct losses *losses = user;
    while (atomic_load(&losses->lost) == 0) {
        uint64_t begin_ms = now_ms();
        enum tmem_result result = put(swap, 1);
        uint64_t took_ms = now_ms() - begin_ms;
        if (took_ms > atomic_load(&losses->slowest_ms))
            atomic_store(&losses->slowest_ms, took_ms);
        if (result != TMEM_OK)
            atomic_fetch_add(&losses->lost, result == TMEM_UNAVAILABLE ? 1u : 1000u);
    }
    return NULL;
}

static void whoever_waits_learns_that_the_daemon_died(void **state)
{
    pthread_t threads[THREADS];
    struct losses losses = {0};
    (void)state;
    atomic_store(&manners->die_after, 500);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_until_somebody_lost, &losses), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&losses.lost), 1, THREADS);
    assert_in_range(atomic_load(&losses.slowest_ms), 0, 999);
    assert_true(comes_back(swap));
}

static void pools_come_back_under_their_handles(void **state)
{
    struct tmem_pool *gone;
    uint64_t swap_id = tmem_pool_id(swap);
    (void)state;
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &gone), TMEM_OK);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(put(cache, i), TMEM_OK);
        assert_int_equal(put(swap, i), TMEM_OK);
        assert_int_equal(put(gone, i), TMEM_OK);
    }
    uint64_t gone_id = tmem_pool_id(gone);
    peer_stop(peer);
    assert_int_equal(put(swap, 0), TMEM_UNAVAILABLE);
    tmem_pool_destroy(gone); /* while nobody is there to be told */
    peer_start(peer, false);
    assert_true(comes_back(swap));
    assert_int_equal(tmem_pool_id(swap), swap_id);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(get(cache, i, TMEM_GET_INCLUSIVE), TMEM_MISS);
        assert_int_equal(get(swap, i, TMEM_GET_INCLUSIVE), TMEM_OK);
    }
    assert_int_equal(put(cache, 1), TMEM_OK);
    assert_int_equal(get(cache, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
    assert_int_equal(tmem_pool_open(client, gone_id, &gone), TMEM_NOT_FOUND);
}

static void what_is_lost_is_no_miss(void **state)
{
    struct tmem_pool *fresh;
    struct tmem_pool_stats stats;
    (void)state;
    assert_int_equal(put(swap, 1), TMEM_OK);
    peer_stop(peer);
    peer_start(peer, true);
    assert_int_not_equal(get(cache, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
    assert_true(comes_back(cache));
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_UNAVAILABLE);
    assert_int_equal(put(swap, 1), TMEM_UNAVAILABLE);
    assert_int_equal(tmem_pool_stats(swap, &stats, sizeof stats), TMEM_UNAVAILABLE);
    tmem_pool_destroy(swap);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &fresh), TMEM_OK);
    assert_int_equal(put(fresh, 1), TMEM_OK);
    assert_int_equal(get(fresh, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
}

/* Two of one store: while the first is connected again the second waits. */
static void who_does_nothing_is_connected_again_all_the_same(void **state)
{
    struct tmem_client *second;
    uint64_t connections = atomic_load(&manners->connections);
    (void)state;
    assert_int_equal(tmem_client_create(store, "second", NULL, &second), TMEM_OK);
    assert_int_equal(put(swap, 1), TMEM_OK);
    for (unsigned round = 1; round <= 3; round++) {
        peer_stop(peer);
        usleep(round * 20000);
        peer_start(peer, false);
        for (unsigned i = 0; i < 1000 && atomic_load(&manners->connections) < connections + 1 + 2 * round; i++)
            usleep(10000);
        assert_int_equal(atomic_load(&manners->connections), connections + 1 + 2 * round);
    }
    assert_true(comes_back(swap));
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
    assert_int_equal(atomic_load(&manners->connections), connections + 7);
    peer_stop(peer);
    tmem_client_destroy(second); /* while it is being connected, perhaps */
    peer_start(peer, false);
    assert_true(comes_back(swap));
}

static void nobody_waits_for_a_daemon_that_is_away(void **state)
{
    uint64_t connections = atomic_load(&manners->connections);
    (void)state;
    peer_stop(peer);
    uint64_t begin_ms = now_ms();
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(put(swap, i), TMEM_UNAVAILABLE);
    assert_true(now_ms() - begin_ms < 2000);
    peer_start(peer, false);
    assert_true(comes_back(swap));
    assert_int_equal(atomic_load(&manners->connections), connections + 1);
}

static void a_store_without_a_daemon_is_not_opened(void **state)
{
    struct tmem_store *other = NULL;
    struct tmem_error error = {""};
    char uri[160];
    (void)state;
    snprintf(uri, sizeof uri, "unix:%s-not,size=64M", peer_path(peer));
    assert_int_equal(tmem_open(uri, &other, &error), TMEM_UNAVAILABLE);
    assert_null(other);
    assert_non_null(strstr(error.text, "-not: "));
    assert_non_null(strstr(error.text, "try: tmemd"));
}

/* ---- children ---- */

static int use_in_child(void)
{
    struct tmem_pool *pool;
    struct tmem_client *other;
    struct tmem_store_stats stats;
    bool is_right = put(swap, 1) == TMEM_UNAVAILABLE && get(swap, 1, TMEM_GET_INCLUSIVE) == TMEM_UNAVAILABLE &&
                    tmem_pool_create(client, 0, NULL, &pool) == TMEM_UNAVAILABLE &&
                    tmem_client_create(store, "child", NULL, &other) == TMEM_UNAVAILABLE &&
                    tmem_client_open(store, "client", &other) == TMEM_UNAVAILABLE &&
                    tmem_store_stats(store, &stats, sizeof stats) == TMEM_UNAVAILABLE;
    tmem_pool_destroy(swap);
    tmem_client_destroy(client);
    tmem_close(store);
    return is_right ? 0 : 1;
}

static void a_forked_child_is_refused_and_harms_nothing(void **state)
{
    int status;
    (void)state;
    assert_int_equal(put(swap, 1), TMEM_OK);
    pid_t child = fork();
    if (child == 0) {
        /* Ends as another program: valgrind would look for leaks in all memory that the child did not inherit. */
        const char *end = use_in_child() == 0 ? "true" : "false";
        execlp(end, end, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(get(swap, 1, TMEM_GET_INCLUSIVE), TMEM_OK);
}

static void a_name_in_the_uri_comes_first(void **state)
{
    struct tmem_store *other;
    struct tmem_client *its;
    char uri[160];
    (void)state;
    snprintf(uri, sizeof uri, "unix:%s,name=web,codec=zstd:3,size=64M", peer_path(peer));
    assert_int_equal(tmem_open(uri, &other, NULL), TMEM_OK);
    assert_int_equal(tmem_client_create(other, "client", NULL, &its), TMEM_OK);
    tmem_close(other);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(pages_come_back_as_they_were),
        CASE(statistics_and_lists_are_the_clients),
        CASE(stored_pages_and_walks_work),
        CASE(control_is_not_the_clients),
        CASE(entries_of_one_handle_keep_their_order),
        CASE(many_threads_share_a_connection),
        CASE(answers_that_nobody_asked_for_are_ignored),
        CASE(a_result_that_there_is_not_ends_the_connection),
        CASE(an_impossible_count_ends_the_connection),
        CASE(a_strange_welcome_is_refused),
        CASE(whoever_waits_learns_that_the_daemon_died),
        CASE(pools_come_back_under_their_handles),
        CASE(what_is_lost_is_no_miss),
        CASE(who_does_nothing_is_connected_again_all_the_same),
        CASE(nobody_waits_for_a_daemon_that_is_away),
        CASE(a_store_without_a_daemon_is_not_opened),
        CASE(a_forked_child_is_refused_and_harms_nothing),
        CASE(a_name_in_the_uri_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
