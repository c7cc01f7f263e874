/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tenants after a restart: they wait for who shows their token, for as long as they would have, with what they had; and
 * what nobody was told of, or was promised to be gone, is not there.
 */
#include "daemon/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/events.h"
#include "daemon/reaper.h"
#include "daemon/tenant.h"
#include "daemon/worker.h"

#define GRACE_SECONDS 3600u

static struct tm_config config;
static struct tm_daemon ours;
static int arena;
static const struct tmem_object_id object = {{1, 2, 3}};

uint64_t tm_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TM_SECOND_NS + (uint64_t)now.tv_nsec;
}

static void begin(void)
{
    char uri[256];
    tm_config_uri(&config, arena, uri, sizeof uri);
    ours = (struct tm_daemon){.config = &config};
    assert_int_equal(tmem_open(uri, &ours.store, NULL), TMEM_OK);
    ours.events = tm_events_create();
    assert_non_null(ours.events);
    ours.tenants = tm_tenants_create(&ours);
    assert_non_null(ours.tenants);
    assert_true(tm_restore(&ours));
    ours.reaper = tm_reaper_create(&ours);
    assert_non_null(ours.reaper);
    ours.workers = tm_workers_create(&ours, 1);
    assert_non_null(ours.workers);
}

static void end(void)
{
    tm_workers_destroy(ours.workers);
    tm_reaper_destroy(ours.reaper);
    tm_tenants_destroy(ours.tenants);
    tm_events_destroy(ours.events);
    tmem_close(ours.store);
}

static int set_up(void **state)
{
    (void)state;
    tm_config_init(&config);
    config.size_bytes = UINT64_C(32) << 20;
    config.grace_seconds = GRACE_SECONDS;
    arena = memfd_create("restore-test", MFD_CLOEXEC);
    assert_true(arena >= 0);
    begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end();
    (void)close(arena);
    return 0;
}

static void restart(void)
{
    end();
    begin();
}

/* Connects as this user does; @token: shown, or NULL. */
static enum tmem_result connect_as(const char *name, const struct tm_wire_token *token, struct tm_tenant **tenant,
                                   bool *claimed)
{
    char text[256];
    struct tm_tenant_wish wish = {.uid = geteuid(), .name = name};
    if (token != NULL)
        wish.token = *token;
    return tm_tenant_connect(ours.tenants, &wish, tenant, claimed, text, sizeof text);
}

static struct tm_tenant *make(const char *name)
{
    struct tm_tenant *tenant = NULL;
    bool claimed = true;
    assert_int_equal(connect_as(name, NULL, &tenant, &claimed), TMEM_OK);
    assert_false(claimed);
    return tenant;
}

static struct tm_tenant *claim(const char *name, const struct tm_wire_token *token)
{
    struct tm_tenant *tenant = NULL;
    bool claimed = false;
    assert_int_equal(connect_as(name, token, &tenant, &claimed), TMEM_OK);
    assert_true(claimed);
    return tenant;
}

static uint64_t make_pool(struct tm_tenant *tenant, uint32_t flags)
{
    uint64_t id = 0;
    assert_int_equal(tm_tenant_pool_create(tenant, flags, NULL, &id), TMEM_OK);
    return id;
}

static void put(struct tm_tenant *tenant, uint64_t pool)
{
    unsigned char page[TMEM_PAGE_SIZE];
    memset(page, 0x5a, sizeof page);
    page[7] = 1;
    assert_int_equal(tmem_put(tm_tenant_pool(tenant, pool), &object, 9, page, TMEM_PUT_PLAIN), TMEM_OK);
}

static bool has(struct tm_tenant *tenant, uint64_t pool)
{
    unsigned char page[TMEM_PAGE_SIZE] = {0};
    struct tmem_pool *found = tm_tenant_pool(tenant, pool);
    return found != NULL && tmem_get(found, &object, 9, page, TMEM_GET_INCLUSIVE) == TMEM_OK && page[0] == 0x5a &&
           page[7] == 1;
}

/* When the next orphan goes; UINT64_MAX: there is none. */
static uint64_t next_end_ns(void)
{
    uint64_t next_ns = 0;
    assert_null(tm_tenants_expire(ours.tenants, tm_now_ns(), &next_ns));
    return next_ns;
}

/* The reaper's part is done at some time after the connection has ended. */
static uint64_t await_orphan_ns(void)
{
    uint64_t next_ns;
    while ((next_ns = next_end_ns()) == UINT64_MAX)
        usleep(1000);
    return next_ns;
}

static void is_about(uint64_t when_ns, uint64_t seconds)
{
    uint64_t expected_ns = tm_now_ns() + seconds * TM_SECOND_NS;
    assert_in_range(when_ns, expected_ns - 3u * TM_SECOND_NS, expected_ns);
}

static unsigned clients(void)
{
    char names[8][TMEM_CLIENT_NAME_SIZE];
    size_t count = 0;
    assert_int_equal(tmem_store_clients(ours.store, NULL, names, 8, &count), TMEM_OK);
    return (unsigned)count;
}

static void who_was_connected_has_everything_by_the_token_and_nobody_without(void **state)
{
    (void)state;
    struct tm_tenant *tenant = make("a");
    struct tm_tenant *other = NULL;
    bool claimed;
    uint64_t first = make_pool(tenant, TMEM_POOL_PERSISTENT);
    uint64_t cache = make_pool(tenant, TMEM_POOL_EPHEMERAL);
    uint64_t second = make_pool(tenant, TMEM_POOL_PERSISTENT);
    put(tenant, first);
    put(tenant, cache);
    const struct tm_wire_token token = tenant->token;
    for (unsigned round = 0; round < 3; round++) {
        restart();
        struct tm_wire_token wrong = token;
        wrong.bytes[15] ^= 1u;
        assert_int_equal(connect_as("a", NULL, &other, &claimed), TMEM_EXISTS);
        assert_int_equal(connect_as("a", &wrong, &other, &claimed), TMEM_EXISTS);
        tenant = claim("a", &token);
        assert_memory_equal(&tenant->token, &token, sizeof token);
        assert_true(has(tenant, first));
        assert_non_null(tm_tenant_pool(tenant, second));
        assert_false(has(tenant, second));
        assert_null(tm_tenant_pool(tenant, cache));
        assert_int_equal(connect_as("a", &token, &other, &claimed), TMEM_EXISTS); /* is connected */
    }
    assert_int_equal(tm_tenant_pool_destroy_begin(tenant, first), TMEM_OK);
    while (tm_tenant_pool_destroy_step(tenant, 1)) {
    }
    restart();
    tenant = claim("a", &token);
    assert_null(tm_tenant_pool(tenant, first));
    assert_non_null(tm_tenant_pool(tenant, second));
}

static void settings_stay_what_they_were(void **state)
{
    (void)state;
    struct tm_tenant *tenant = make("a");
    struct tmem_client_stats stats;
    const struct tm_wire_token token = tenant->token;
    assert_int_equal(tmem_client_set_weight(tenant->client, 77), TMEM_OK);
    assert_int_equal(tmem_client_set_cap(tenant->client, 12345678), TMEM_OK);
    assert_int_equal(tmem_client_freeze(tenant->client), TMEM_OK);
    restart();
    tenant = claim("a", &token);
    assert_ptr_equal(tenant->rule, &config.own);
    assert_int_equal(tmem_client_stats(tenant->client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.weight, 77);
    assert_int_equal(stats.cap_bytes, 12345678);
    assert_true(stats.frozen);
}

static void a_rule_that_allows_less_holds_at_once_one_that_says_the_same_leaves_what_was_set(void **state)
{
    (void)state;
    struct tm_tenant *tenant = make("a");
    struct tmem_client_stats stats;
    const struct tm_wire_token token = tenant->token;
    assert_int_equal(tmem_client_set_weight(tenant->client, 500), TMEM_OK);
    config.own.weight = 300;
    config.own.cap_bytes = 8u << 20;
    restart();
    tenant = claim("a", &token);
    assert_int_equal(tmem_client_stats(tenant->client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.weight, 300);
    assert_int_equal(stats.cap_bytes, 8 << 20);
    /* An operator may go beyond it. */
    assert_int_equal(tmem_client_set_cap(tenant->client, 16u << 20), TMEM_OK);
    restart();
    tenant = claim("a", &token);
    assert_int_equal(tmem_client_stats(tenant->client, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.cap_bytes, 16 << 20);
}

static void an_orphan_waits_as_long_as_it_would_have(void **state)
{
    (void)state;
    struct tm_tenant *tenant = make("a");
    const struct tm_wire_token token = tenant->token;
    uint64_t pool = make_pool(tenant, TMEM_POOL_PERSISTENT);
    put(tenant, pool);
    tm_tenant_disconnect(ours.tenants, tenant);
    uint64_t until_ns = await_orphan_ns();
    is_about(until_ns, GRACE_SECONDS);
    config.grace_seconds = 2u * GRACE_SECONDS;
    restart();
    assert_true(next_end_ns() == until_ns);
    restart();
    assert_true(next_end_ns() == until_ns);
    assert_true(has(claim("a", &token), pool));
    /* It was connected when the next daemon ended: its time begins anew. */
    restart();
    is_about(next_end_ns(), 2u * GRACE_SECONDS);
}

static void who_could_not_come_has_some_seconds_at_least(void **state)
{
    (void)state;
    config.grace_seconds = 1;
    struct tm_tenant *tenant = make("a");
    put(tenant, make_pool(tenant, TMEM_POOL_PERSISTENT));
    tm_tenant_disconnect(ours.tenants, tenant);
    is_about(await_orphan_ns(), 1);
    restart();
    is_about(next_end_ns(), TM_RETURN_SECONDS);
    struct tm_tenant *second = make("b");
    put(second, make_pool(second, TMEM_POOL_PERSISTENT));
    restart();
    is_about(next_end_ns(), TM_RETURN_SECONDS);
}

static void settings_alone_wait_some_seconds(void **state)
{
    (void)state;
    struct tm_tenant *tenant = make("a");
    put(tenant, make_pool(tenant, TMEM_POOL_EPHEMERAL));
    restart();
    assert_int_equal(clients(), 1);
    is_about(next_end_ns(), TM_RETURN_SECONDS);
    struct tmem_store_stats stats;
    assert_int_equal(tmem_store_stats(ours.store, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.pools, 0);
}

static void who_left_and_who_was_just_being_made_is_gone(void **state)
{
    (void)state;
    struct tmem_client *client;
    struct tm_tenant *tenant = make("a");
    put(tenant, make_pool(tenant, TMEM_POOL_PERSISTENT));
    assert_int_equal(tmem_client_create(ours.store, "made", NULL, &client), TMEM_OK);
    tm_tenant_leave(ours.tenants, tenant, -1, 0);
    for (unsigned i = 0; i < 10000 && clients() != 1; i++)
        usleep(1000);
    restart();
    assert_int_equal(clients(), 0);
    assert_true(next_end_ns() == UINT64_MAX);
    (void)make("a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static bool is_frozen(struct tm_tenant *tenant)
{
    struct tmem_client_stats stats;
    assert_int_equal(tmem_client_stats(tenant->client, &stats, sizeof stats), TMEM_OK);
    return stats.frozen != 0;
}

static void who_was_being_saved_is_frozen_no_more_but_by_an_operator(void **state)
{
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        uint64_t id;
        struct tm_tenant *tenant = make(told ? "b" : "a");
        struct tm_wire_token token = tenant->token;
        uint64_t pool = make_pool(tenant, TMEM_POOL_PERSISTENT);
        put(tenant, pool);
        assert_false(tm_tenant_save_begin(ours.tenants, tenant));
        assert_true(is_frozen(tenant));
        assert_int_equal(tm_tenant_pool_create(tenant, 0, NULL, &id), TMEM_REFUSED);
        if (told)
            tm_tenant_set_frozen(ours.tenants, tenant, true);
        restart();
        tenant = claim(told ? "b" : "a", &token);
        assert_true(has(tenant, pool));
        assert_int_equal(is_frozen(tenant), told);
        assert_int_equal(tm_tenant_pool_create(tenant, 0, NULL, &id), TMEM_OK);
        tm_tenant_disconnect(ours.tenants, tenant);
    }
}

/* The reaper has it then: it is told, and does it when the client waits. */
static void who_hangs_up_while_being_saved_is_as_before(void **state)
{
    uint64_t next_ns = UINT64_MAX;
    (void)state;
    struct tm_tenant *tenant = make("a");
    struct tm_wire_token token = tenant->token;
    put(tenant, make_pool(tenant, TMEM_POOL_PERSISTENT));
    uint64_t serial = tenant->serial;
    assert_false(tm_tenant_save_begin(ours.tenants, tenant));
    assert_non_null(tm_tenant_hold(ours.tenants, tenant->name)); /* so that it cannot settle */
    tm_tenant_disconnect(ours.tenants, tenant);
    tm_tenant_save_end(ours.tenants, serial);
    tm_tenant_release(ours.tenants, tenant);
    while (next_ns == UINT64_MAX)
        (void)tm_tenants_expire(ours.tenants, tm_now_ns(), &next_ns);
    tenant = claim("a", &token);
    assert_false(is_frozen(tenant));
    tm_tenant_save_end(ours.tenants, serial + 1); /* nobody's */
    tm_tenant_disconnect(ours.tenants, tenant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_was_connected_has_everything_by_the_token_and_nobody_without),
        TEST(settings_stay_what_they_were),
        TEST(a_rule_that_allows_less_holds_at_once_one_that_says_the_same_leaves_what_was_set),
        TEST(an_orphan_waits_as_long_as_it_would_have),
        TEST(who_could_not_come_has_some_seconds_at_least),
        TEST(settings_alone_wait_some_seconds),
        TEST(who_was_being_saved_is_frozen_no_more_but_by_an_operator),
        TEST(who_hangs_up_while_being_saved_is_as_before),
        TEST(who_left_and_who_was_just_being_made_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
