/* SPDX-License-Identifier: BSD-2-Clause */
/* send_test.c - a client that is sent and received is the same there as it was here, also while it runs. */
#include "daemon/receive.h"
#include "daemon/send.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tmem/control.h>

#include "base/atomic.h"
#include "base/mix.h"
#include "daemon/daemon.h"

#define THREADS 3u
#define OBJECTS 12u
#define INDEXES 100u

/* What was written, in memory. */
struct stream {
    unsigned char *bytes;
    size_t size, capacity, at;
};

static struct tmem_store *here;
static struct tmem_store *there;
static struct tmem_client *client;
static struct tmem_pool *persistent, *ephemeral;
static struct stream stream;
static struct tm_save_writer writer;
static struct tm_send sending;
static struct tm_receive receiving;
static const struct tm_send_plan everything = {UINT64_MAX, 0, 1000000, 20};
static const struct tm_send_plan persistent_only = {0, 0, 1000000, 20};

/* Every round takes half a millisecond. */
uint64_t tm_now_ns(void)
{
    static uint64_t now_ns;
    return now_ns += 500000;
}

static struct tmem_store *open_store(const char *uri)
{
    struct tmem_store *store;
    struct tmem_error error;
    if (tmem_open(uri, &store, &error) != TMEM_OK)
        fail_msg("%s", error.text);
    return store;
}

static struct tmem_pool *make_pool(struct tmem_client *of, uint32_t flags, const struct tmem_uuid *uuid)
{
    struct tmem_pool *pool;
    assert_int_equal(tmem_pool_create(of, flags, uuid, &pool), TMEM_OK);
    return pool;
}

static int set_up(void **state)
{
    (void)state;
    here = open_store("embedded:size=64M,maintenance=none");
    there = open_store("embedded:size=64M,maintenance=none,codec=zstd");
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    options.weight = 300;
    options.cap_bytes = UINT64_C(60) << 20;
    assert_int_equal(tmem_client_create(here, "moving", &options, &client), TMEM_OK);
    persistent = make_pool(client, TMEM_POOL_PERSISTENT, NULL);
    ephemeral = make_pool(client, TMEM_POOL_EPHEMERAL, NULL);
    stream = (struct stream){NULL, 0, 0, 0};
    sending = (struct tm_send){.client = client, .writer = &writer, .plan = &everything, .uid = 5};
    memcpy(sending.token, "secret of client", sizeof sending.token);
    receiving = (struct tm_receive){.store = there};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_send_end(&sending);
    tm_receive_abandon(&receiving);
    assert_int_equal(tmem_store_check(here), TMEM_OK);
    assert_int_equal(tmem_store_check(there), TMEM_OK);
    tmem_close(here);
    tmem_close(there);
    free(stream.bytes);
    return 0;
}

/* ---- pages ---- */

static void fill(unsigned char *page, uint64_t number)
{
    uint64_t state = number;
    memset(page, (int)(number % 251u), TMEM_PAGE_SIZE);
    size_t random = number % 3u * 2000u; /* words, text, and what does not compress */
    for (size_t at = 0; at + 8u <= random; at += 8u) {
        uint64_t word = tm_random_next(&state);
        memcpy(page + at, &word, sizeof word);
    }
}

static void put(struct tmem_pool *pool, uint64_t object, uint32_t index, uint64_t number)
{
    unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_object_id id = {{object, 0, 7}};
    fill(page, number);
    enum tmem_result result = tmem_put(pool, &id, index, page, TMEM_PUT_PLAIN);
    assert_true(result == TMEM_OK || result == TMEM_REFUSED);
}

static enum tmem_result get(struct tmem_pool *pool, uint64_t object, uint32_t index, unsigned char *page)
{
    struct tmem_object_id id = {{object, 0, 7}};
    return tmem_get(pool, &id, index, page, TMEM_GET_INCLUSIVE);
}

static uint64_t pages_of(struct tmem_pool *pool)
{
    struct tmem_pool_stats stats;
    assert_int_equal(tmem_pool_stats(pool, &stats, sizeof stats), TMEM_OK);
    return stats.counters.pages;
}

/* Every page of both is the same, or missing in both. */
static void assert_same_pool(struct tmem_pool *a, struct tmem_pool *b)
{
    for (uint64_t object = 0; object < OBJECTS; object++)
        for (uint32_t index = 0; index < INDEXES; index++) {
            unsigned char one[TMEM_PAGE_SIZE];
            unsigned char other[TMEM_PAGE_SIZE];
            enum tmem_result result = get(a, object, index, one);
            assert_int_equal(get(b, object, index, other), result);
            if (result == TMEM_OK)
                assert_memory_equal(one, other, TMEM_PAGE_SIZE);
        }
    assert_int_equal(pages_of(a), pages_of(b));
}

/* ---- from here to there ---- */

static bool give(void *user, const void *bytes, size_t size)
{
    struct stream *to = user;
    if (to->capacity - to->size < size) {
        to->capacity = (to->capacity + size) * 2u;
        to->bytes = realloc(to->bytes, to->capacity);
        assert_non_null(to->bytes);
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
    return true;
}

static size_t take(void *user, void *bytes, size_t size)
{
    struct stream *from = user;
    size_t left = from->size - from->at;
    size = size < left ? size : left;
    memcpy(bytes, from->bytes + from->at, size);
    from->at += size;
    return size;
}

static void begin(const struct tm_send_plan *plan)
{
    sending.plan = plan;
    assert_true(tm_save_begin(&writer, TM_SAVE_STREAM, 1, give, &stream));
    assert_int_equal(tm_send_begin(&sending), TMEM_OK);
}

static void one_round(bool last)
{
    if (!tm_send_round(&sending, last))
        fail_msg("%s", sending.text);
}

static void finish(void)
{
    assert_true(tm_save_finish(&writer, true));
    tm_send_end(&sending);
}

/* Everything while nothing changes. */
static void send_all(const struct tm_send_plan *plan)
{
    begin(plan);
    one_round(false);
    one_round(true);
    finish();
}

static enum tmem_result receive(struct tmem_client **received)
{
    struct tm_save_reader reader;
    struct tm_save_item item;
    enum tmem_result result = TMEM_OK;
    enum tm_save_answer answer;
    stream.at = 0;
    assert_true(tm_save_open(&reader, take, &stream));
    while (result == TMEM_OK && (answer = tm_save_read(&reader, &item)) == TM_SAVE_ITEM)
        result = tm_receive_item(&receiving, &item);
    if (result == TMEM_OK && answer != TM_SAVE_ENDED)
        fail_msg("%s", reader.text);
    tm_save_close(&reader);
    if (result == TMEM_OK)
        result = tm_receive_finish(&receiving, received);
    return result;
}

static struct tmem_client *received_client(void)
{
    struct tmem_client *received;
    if (receive(&received) != TMEM_OK)
        fail_msg("%s", receiving.text);
    return received;
}

/* The pool of the received client that was made as number @n. */
static struct tmem_pool *received_pool(struct tmem_client *received, unsigned n)
{
    uint64_t ids[8];
    size_t count;
    struct tmem_pool *pool;
    assert_int_equal(tmem_client_pools(received, 0, ids, 8, &count), TMEM_OK);
    assert_true(n < count);
    assert_int_equal(tmem_pool_open(received, ids[n], &pool), TMEM_OK);
    return pool;
}

/* ---- tests ---- */

static void a_client_is_the_same_there(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 400; i++) {
        put(persistent, i % OBJECTS, i / OBJECTS, i / 2u); /* half of them twice */
        put(ephemeral, i % OBJECTS, i / OBJECTS, 1000u + i);
    }
    assert_int_equal(tmem_client_freeze(client), TMEM_OK);
    assert_int_equal(tmem_client_set_compress(client, false), TMEM_OK);
    send_all(&everything);
    struct tmem_client *received = received_client();
    struct tmem_client_stats stats;
    assert_int_equal(tmem_client_stats(received, &stats, sizeof stats), TMEM_OK);
    assert_string_equal(stats.name, "moving");
    assert_int_equal(stats.weight, 300);
    assert_int_equal(stats.frozen, 1);
    assert_true(stats.cap_bytes == UINT64_C(60) << 20);
    struct tmem_client_stats before;
    assert_int_equal(tmem_client_stats(client, &before, sizeof before), TMEM_OK);
    assert_int_equal(stats.uncompressed, 1);
    assert_int_equal(stats.counters.puts, 800);
    assert_int_equal(stats.counters.gets, 0);
    assert_int_equal(stats.counters.puts_stored, before.counters.puts_stored);
    assert_true(stats.charged_max_bytes >= before.charged_max_bytes);
    assert_int_equal(receiving.settings.uid, 5);
    assert_memory_equal(receiving.settings.token, "secret of client", TM_SAVE_TOKEN_BYTES);
    assert_same_pool(persistent, received_pool(received, 0));
    assert_same_pool(ephemeral, received_pool(received, 1));
}

static void only_persistent_pages_go_unless_more_is_asked_for(void **state)
{
    (void)state;
    put(persistent, 1, 1, 5);
    put(ephemeral, 1, 1, 5);
    begin(&persistent_only);
    one_round(false);
    put(ephemeral, 1, 2, 5);
    one_round(true);
    finish();
    struct tmem_client *received = received_client();
    assert_int_equal(pages_of(received_pool(received, 0)), 1);
    assert_int_equal(pages_of(received_pool(received, 1)), 0);
}

/* Out and in again as the original's stream. TMEM_UNSUPPORTED: it could not be written. */
static enum tmem_result through_foreign(enum tm_xen_stream generation, struct tmem_client **received)
{
    struct tm_foreign_writer foreign;
    struct tm_foreign_reader reader;
    static struct tm_save_item item;
    enum tm_save_answer answer;
    enum tmem_result result = TMEM_OK;
    tm_foreign_begin(&foreign, generation, give, &stream);
    sending.plan = &persistent_only;
    sending.xen = &foreign;
    assert_int_equal(tm_send_begin(&sending), TMEM_OK);
    if (!tm_send_round(&sending, true) || !tm_foreign_finish(&foreign))
        return TMEM_UNSUPPORTED;
    tm_send_end(&sending);
    receiving.name = "came";
    receiving.is_raw = true;
    tm_foreign_open(&reader, generation, take, &stream);
    while (result == TMEM_OK && (answer = tm_foreign_read(&reader, &item)) == TM_SAVE_ITEM)
        result = tm_receive_item(&receiving, &item);
    if (result == TMEM_OK && answer != TM_SAVE_ENDED)
        fail_msg("%s", reader.text);
    return result == TMEM_OK ? tm_receive_finish(&receiving, received) : result;
}

static void a_client_goes_through_the_originals_stream(void **state)
{
    (void)state;
    struct tmem_client *received;
    struct tmem_client_stats stats;
    struct tmem_pool *second = make_pool(client, TMEM_POOL_PERSISTENT, NULL);
    for (uint32_t i = 0; i < 200; i++) {
        put(persistent, i % OBJECTS, i / OBJECTS, i);
        put(second, i % OBJECTS, i / OBJECTS, i * 3u);
        put(ephemeral, i % OBJECTS, i / OBJECTS, i);
    }
    assert_int_equal(tmem_client_freeze(client), TMEM_OK);
    assert_int_equal(tmem_client_set_compress(client, false), TMEM_OK);
    if (through_foreign(TM_XEN_STREAM_40, &received) != TMEM_OK)
        fail_msg("%s%s", sending.text, receiving.text);
    assert_int_equal(tmem_client_stats(received, &stats, sizeof stats), TMEM_OK);
    assert_string_equal(stats.name, "came");
    assert_int_equal(stats.weight, 300);
    assert_int_equal(stats.frozen, 1);
    assert_int_equal(stats.uncompressed, 1);
    assert_true(stats.cap_bytes == UINT64_C(60) << 20);
    assert_same_pool(persistent, received_pool(received, 0));
    assert_int_equal(pages_of(received_pool(received, 1)), 0);
    assert_same_pool(second, received_pool(received, 2));
    assert_int_equal(tmem_client_stats(client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.counters.gets, 2u * OBJECTS * INDEXES); /* of the comparison only */
}

static void an_object_of_all_ones_has_no_place_there(void **state)
{
    (void)state;
    unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_client *received;
    const struct tmem_object_id ones = {{UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    fill(page, 3);
    assert_int_equal(tmem_put(persistent, &ones, 4, page, TMEM_PUT_PLAIN), TMEM_OK);
    assert_int_equal(through_foreign(TM_XEN_STREAM_48, &received), TMEM_UNSUPPORTED);
    assert_non_null(strstr(sending.text, "all ones"));
    assert_non_null(strstr(sending.text, "try: --format tmem"));
}

static void the_hottest_pages_go_first(void **state)
{
    (void)state;
    unsigned char page[TMEM_PAGE_SIZE];
    for (uint32_t i = 0; i < INDEXES; i++)
        put(ephemeral, 1, i, 3u * i + 2u);
    for (unsigned times = 0; times < 12; times++)
        for (uint32_t i = 20; i < 30; i++)
            assert_int_equal(get(ephemeral, 1, i, page), TMEM_OK);
    static const struct tm_send_plan some = {15u * 4096u, 0, 1000000, 20};
    send_all(&some);
    struct tmem_pool *pool = received_pool(received_client(), 1);
    for (uint32_t i = 20; i < 30; i++)
        assert_int_equal(get(pool, 1, i, page), TMEM_OK);
    assert_in_range(pages_of(pool), 10, 15);
}

static void ephemeral_pages_go_for_so_long(void **state)
{
    (void)state;
    static const struct tm_send_plan some = {UINT64_MAX, 20u * 500000u, 1000000, 20}; /* of this clock */
    for (uint32_t i = 0; i < INDEXES; i++)
        put(ephemeral, 1, i, i);
    put(persistent, 1, 1, 1);
    send_all(&some);
    struct tmem_client *received = received_client();
    assert_in_range(pages_of(received_pool(received, 1)), 10, 20);
    assert_int_equal(pages_of(received_pool(received, 0)), 1);
}

static void changes_between_rounds_follow(void **state)
{
    (void)state;
    struct tmem_object_id object = {{3, 0, 7}};
    struct tmem_object_id other = {{4, 0, 7}};
    for (uint32_t i = 0; i < INDEXES; i++)
        for (uint64_t o = 1; o < 6; o++)
            put(persistent, o, i, o * 1000u + i);
    struct tmem_pool *doomed = make_pool(client, TMEM_POOL_PERSISTENT, NULL);
    put(doomed, 1, 1, 1);
    begin(&everything);
    one_round(false);
    put(persistent, 1, 1, 77);
    assert_int_equal(tmem_invalidate_page(persistent, &object, 9), TMEM_OK);
    assert_int_equal(tmem_invalidate_object(persistent, &other), TMEM_OK);
    tmem_pool_destroy(doomed);
    one_round(false);
    assert_true(tm_send_is_ready(&sending));
    put(persistent, 4, 5, 78);
    struct tmem_pool *late = make_pool(client, TMEM_POOL_PERSISTENT, NULL);
    put(late, 2, 2, 79);
    assert_int_equal(tmem_client_set_weight(client, 17), TMEM_OK);
    one_round(true);
    finish();
    struct tmem_client *received = received_client();
    assert_same_pool(persistent, received_pool(received, 0));
    assert_same_pool(late, received_pool(received, 2));
    struct tmem_client_stats stats;
    assert_int_equal(tmem_client_stats(received, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.weight, 17);
    assert_int_equal(stats.pools, 3);
}

static void more_changes_than_can_be_noted_begin_anew(void **state)
{
    (void)state;
    put(persistent, 1, 1, 1);
    put(persistent, 1, 2, 1);
    sending.changes_max = 64;
    begin(&everything);
    one_round(false);
    for (uint64_t object = 100; object < 300; object++)
        put(persistent, object, 1, 0);
    for (uint64_t object = 100; object < 300; object++) {
        struct tmem_object_id id = {{object, 0, 7}};
        assert_int_equal(tmem_invalidate_object(persistent, &id), TMEM_OK);
    }
    put(persistent, 1, 2, 2);
    one_round(true);
    finish();
    assert_same_pool(persistent, received_pool(received_client(), 0));
}

/* ---- while it runs ---- */

static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static uint32_t is_over;

static void *run(void *argument)
{
    uint64_t state = (uint64_t)(uintptr_t)argument;
    while (tm_load_acquire(&is_over) == 0) {
        uint64_t dice = tm_random_next(&state);
        struct tmem_pool *pool = (dice & 1) != 0 ? persistent : ephemeral;
        struct tmem_object_id object = {{dice >> 8 & 0xff, 0, 7}};
        uint32_t index = (uint32_t)(dice >> 16) % INDEXES;
        unsigned char page[TMEM_PAGE_SIZE];
        object.word[0] %= OBJECTS;
        enum tmem_result result = TMEM_OK;
        (void)pthread_rwlock_rdlock(&gate);
        if (dice >> 32 & 1)
            put(pool, object.word[0], index, dice >> 40);
        else if (dice >> 33 & 1)
            result = tmem_invalidate_page(pool, &object, index);
        else if (dice >> 34 & 7)
            result = tmem_get(pool, &object, index, page, TMEM_GET_EXCLUSIVE);
        else
            result = tmem_invalidate_object(pool, &object);
        assert_true(result == TMEM_OK || result == TMEM_MISS);
        (void)pthread_rwlock_unlock(&gate);
    }
    return NULL;
}

static void a_running_client_is_copied_exactly(void **state)
{
    (void)state;
    static const struct tm_send_plan plan = {UINT64_MAX, 0, 0, 6};
    pthread_t threads[THREADS];
    is_over = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0); /* NOLINT */
    begin(&plan);
    do
        one_round(false);
    while (!tm_send_is_ready(&sending));
    (void)pthread_rwlock_wrlock(&gate);
    one_round(true);
    finish();
    struct tmem_client *received = received_client();
    assert_same_pool(persistent, received_pool(received, 0));
    assert_same_pool(ephemeral, received_pool(received, 1));
    tm_store_release(&is_over, 1u);
    (void)pthread_rwlock_unlock(&gate);
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

/* ---- shared pools ---- */

static void what_others_share_there_stays_theirs(void **state)
{
    (void)state;
    const struct tmem_uuid uuid = {{1, 2}};
    const struct tmem_uuid revoked = {{3, 4}};
    struct tmem_client *neighbour;
    unsigned char page[TMEM_PAGE_SIZE];
    unsigned char expected[TMEM_PAGE_SIZE];
    assert_int_equal(tmem_client_create(there, "neighbour", NULL, &neighbour), TMEM_OK);
    assert_int_equal(tmem_client_authorise(neighbour, &uuid), TMEM_OK);
    assert_int_equal(tmem_client_authorise(client, &uuid), TMEM_OK);
    assert_int_equal(tmem_client_authorise(client, &revoked), TMEM_OK);
    struct tmem_pool *theirs = make_pool(neighbour, TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED, &uuid);
    struct tmem_pool *ours = make_pool(client, TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED, &uuid);
    (void)make_pool(client, TMEM_POOL_SHARED, &revoked);
    assert_int_equal(tmem_client_deauthorise(client, &revoked), TMEM_OK);
    put(theirs, 1, 1, 100);
    put(ours, 1, 1, 200);
    put(ours, 1, 2, 300);
    send_all(&everything);
    struct tmem_client *received = received_client();
    fill(expected, 100);
    assert_int_equal(get(theirs, 1, 1, page), TMEM_OK);
    assert_memory_equal(page, expected, sizeof page);
    fill(expected, 300);
    assert_int_equal(get(theirs, 1, 2, page), TMEM_OK);
    assert_memory_equal(page, expected, sizeof page);
    struct tmem_client_stats stats;
    assert_int_equal(tmem_client_stats(received, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.pools, 4);
    assert_int_equal(tmem_client_deauthorise(received, &uuid), TMEM_OK);
    assert_int_equal(tmem_client_deauthorise(received, &revoked), TMEM_NOT_FOUND);
}

static void a_shared_pool_of_the_other_kind_is_refused(void **state)
{
    (void)state;
    const struct tmem_uuid uuid = {{1, 2}};
    struct tmem_client *neighbour;
    struct tmem_client *received;
    assert_int_equal(tmem_client_create(there, "neighbour", NULL, &neighbour), TMEM_OK);
    assert_int_equal(tmem_client_authorise(neighbour, &uuid), TMEM_OK);
    assert_int_equal(tmem_client_authorise(client, &uuid), TMEM_OK);
    (void)make_pool(neighbour, TMEM_POOL_SHARED, &uuid);
    (void)make_pool(client, TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED, &uuid);
    send_all(&everything);
    assert_int_equal(receive(&received), TMEM_REFUSED);
    assert_non_null(strstr(receiving.text, "other kind"));
}

/* ---- what does not go ---- */

static void a_name_that_is_taken_needs_another(void **state)
{
    (void)state;
    struct tmem_client *neighbour;
    struct tmem_client *received;
    put(persistent, 1, 1, 5);
    assert_int_equal(tmem_client_create(there, "moving", NULL, &neighbour), TMEM_OK);
    send_all(&everything);
    assert_int_equal(receive(&received), TMEM_EXISTS);
    assert_non_null(strstr(receiving.text, "--as"));
    tm_receive_abandon(&receiving);
    receiving = (struct tm_receive){.store = there, .name = "another"};
    assert_int_equal(pages_of(received_pool(received_client(), 0)), 1);
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct tmem_client *received;
    struct tmem_store_stats before;
    struct tmem_store_stats after;
    for (uint32_t i = 0; i < 900; i++)
        put(persistent, i % OBJECTS, i / OBJECTS, 3u * i + 2u);
    assert_int_equal(tmem_client_set_cap(client, UINT64_C(1) << 20), TMEM_OK); /* less than it holds */
    send_all(&everything);
    assert_int_equal(tmem_store_stats(there, &before, sizeof before), TMEM_OK);
    assert_int_equal(receive(&received), TMEM_REFUSED);
    tm_receive_abandon(&receiving);
    assert_int_equal(tmem_store_stats(there, &after, sizeof after), TMEM_OK);
    assert_int_equal(after.pages, 0);
    assert_int_equal(after.clients, before.clients);
}

static void a_page_that_is_not_what_it_says_is_refused(void **state)
{
    (void)state;
    struct tm_save_item item = {.kind = TM_SAVE_CLIENT};
    memcpy(item.client.stats.name, "c", 2);
    item.client.stats.weight = 1;
    item.client.stats.cap_bytes = UINT64_MAX;
    assert_int_equal(tm_receive_item(&receiving, &item), TMEM_OK);
    item = (struct tm_save_item){.kind = TM_SAVE_POOL};
    item.of_pool.id = 9;
    assert_int_equal(tm_receive_item(&receiving, &item), TMEM_OK);
    item = (struct tm_save_item){.kind = TM_SAVE_PAGE, .pool = 9};
    item.page.codec = TMEM_CODEC_LZ4;
    item.page.size_bytes = 50;
    assert_int_equal(tm_receive_item(&receiving, &item), TMEM_INVALID);
    item.pool = 10;
    assert_int_equal(tm_receive_item(&receiving, &item), TMEM_INVALID);
}

static void a_client_is_sent_once_at_a_time(void **state)
{
    (void)state;
    struct tm_send second = {.client = client, .writer = &writer, .plan = &everything};
    begin(&everything);
    assert_int_equal(tm_send_begin(&second), TMEM_EXISTS);
    tm_send_end(&second);
    one_round(true);
    finish();
    (void)received_client();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_the_same_there),
        TEST(only_persistent_pages_go_unless_more_is_asked_for),
        TEST(a_client_goes_through_the_originals_stream),
        TEST(an_object_of_all_ones_has_no_place_there),
        TEST(the_hottest_pages_go_first),
        TEST(ephemeral_pages_go_for_so_long),
        TEST(changes_between_rounds_follow),
        TEST(more_changes_than_can_be_noted_begin_anew),
        TEST(a_running_client_is_copied_exactly),
        TEST(what_others_share_there_stays_theirs),
        TEST(a_shared_pool_of_the_other_kind_is_refused),
        TEST(a_name_that_is_taken_needs_another),
        TEST(what_does_not_fit_leaves_nothing),
        TEST(a_page_that_is_not_what_it_says_is_refused),
        TEST(a_client_is_sent_once_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
