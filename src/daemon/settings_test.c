/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration that is read again while the daemon runs: what it says of clients, grace and store holds then;
 * what takes a new start stays as it was; with a mistake in it nothing changes.
 */
#include "daemon/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/crowd.h"
#include "daemon/events.h"
#include "daemon/reaper.h"
#include "daemon/tenant.h"

static char path[64];
static struct tm_settings settings;
static struct tm_daemon ours;

uint64_t tm_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TM_SECOND_NS + (uint64_t)now.tv_nsec;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    char uri[256];
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%s/settings-XXXXXX",
                   base != NULL && strlen(base) < 40 && *base != 0 ? base : "/tmp");
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    write_file("[store]\nsize = 64M\n[daemon]\ngrace = 100\n[client a]\nuid = 5\nweight = 50\nclients = 3\n");
    assert_int_equal(tm_settings_init(&settings, path, 0), TM_EXIT_OK);
    assert_int_equal(tm_settings_read(&settings), TM_EXIT_OK);
    tm_config_uri(settings.config, -1, uri, sizeof uri);
    ours = (struct tm_daemon){.config = settings.config};
    assert_int_equal(tmem_open(uri, &ours.store, NULL), TMEM_OK);
    ours.events = tm_events_create();
    ours.crowd = tm_crowd_create(settings.config->connections, geteuid());
    ours.tenants = tm_tenants_create(&ours);
    ours.reaper = tm_reaper_create(&ours);
    assert_true(ours.events != NULL && ours.crowd != NULL && ours.tenants != NULL && ours.reaper != NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_reaper_destroy(ours.reaper);
    tm_tenants_destroy(ours.tenants);
    tm_crowd_destroy(ours.crowd);
    tm_events_destroy(ours.events);
    tmem_close(ours.store);
    tm_settings_fini(&settings);
    return unlink(path);
}

static void reload(const char *text)
{
    write_file(text);
    tm_settings_reload(&settings, &ours);
    assert_ptr_equal(ours.config, settings.config);
}

static struct tm_tenant *connect_as(const char *name, uint32_t weight, uint64_t cap_bytes)
{
    char text[256];
    bool claimed;
    struct tm_tenant *tenant = NULL;
    struct tm_tenant_wish wish = {.uid = 5, .name = name, .weight = weight, .cap_bytes = cap_bytes, .socket = -1};
    assert_int_equal(tm_tenant_connect(ours.tenants, &wish, &tenant, &claimed, text, sizeof text), TMEM_OK);
    return tenant;
}

static struct tmem_client_stats stats_of(struct tm_tenant *tenant)
{
    struct tmem_client_stats stats;
    assert_int_equal(tmem_client_stats(tenant->client, &stats, sizeof stats), TMEM_OK);
    return stats;
}

static void clients_have_the_weights_and_caps_of_their_rules_at_once(void **state)
{
    (void)state;
    struct tm_tenant *plain = connect_as("", 0, 0);
    struct tm_tenant *modest = connect_as("modest", 20, 1u << 20);
    assert_int_equal(stats_of(plain).weight, 50);
    assert_int_equal(stats_of(modest).weight, 20);
    reload("[client a]\nuid = 5\nweight = 300\ncap = 4M\nclients = 3\n");
    assert_int_equal(stats_of(plain).weight, 100);
    assert_int_equal(stats_of(plain).cap_bytes, 4 << 20);
    assert_int_equal(stats_of(modest).weight, 20);
    assert_int_equal(stats_of(modest).cap_bytes, 1 << 20);
    reload("[client a]\nuid = 5\nweight = 10\ncap = none\nclients = 3\n");
    assert_int_equal(stats_of(plain).weight, 10);
    assert_true(stats_of(plain).cap_bytes == UINT64_MAX);
    assert_int_equal(stats_of(modest).weight, 10);
    assert_int_equal(stats_of(modest).cap_bytes, 1 << 20);
}

static void what_an_operator_set_stays_where_the_rule_stays(void **state)
{
    (void)state;
    struct tm_tenant *tenant = connect_as("", 0, 0);
    assert_int_equal(tmem_client_set_weight(tenant->client, 77), TMEM_OK);
    reload("[store]\nsize = 64M\n[client a]\nuid = 5\nweight = 50\ncap = 4M\nclients = 3\n");
    assert_int_equal(stats_of(tenant).weight, 77);
    assert_int_equal(stats_of(tenant).cap_bytes, 4 << 20);
}

static void rules_count_clients_and_pools_by_what_they_say_now(void **state)
{
    (void)state;
    char text[256];
    bool claimed;
    uint64_t id;
    struct tm_tenant *tenant = connect_as("", 0, 0);
    struct tm_tenant *second;
    const struct tm_tenant_wish wish = {.uid = 5, .name = "second", .socket = -1};
    reload("[client a]\nuid = 5\nclients = 1\npools = 1\npersistent = no\n");
    assert_int_equal(tm_tenant_connect(ours.tenants, &wish, &second, &claimed, text, sizeof text), TMEM_REFUSED);
    assert_int_equal(tm_tenant_pool_create(tenant, TMEM_POOL_PERSISTENT, NULL, &id), TMEM_DENIED);
    assert_int_equal(tm_tenant_pool_create(tenant, TMEM_POOL_EPHEMERAL, NULL, &id), TMEM_OK);
    assert_int_equal(tm_tenant_pool_create(tenant, TMEM_POOL_EPHEMERAL, NULL, &id), TMEM_REFUSED);
    /* Without a section of its own it is one of the others. */
    reload("[others]\nallow = no\n");
    assert_int_equal(tm_tenant_connect(ours.tenants, &wish, &second, &claimed, text, sizeof text), TMEM_DENIED);
    assert_ptr_equal(tenant->rule, geteuid() == 5 ? &ours.config->own : &ours.config->others);
}

static void the_store_and_the_grace_follow_what_takes_a_new_start_does_not(void **state)
{
    (void)state;
    struct tmem_store_stats stats;
    reload("[store]\nsize = 96M\ncold = 5\ncodec = zstd\ndedup = no\n[daemon]\ngrace = 7\nthreads = 9\n"
           "socket = /nowhere\nconnections = 12\n[control]\ngroup = nobody\nsocket = /nowhere\nmode = 0600\n"
           "[metrics]\nsocket = /nowhere\n");
    assert_int_equal(tmem_store_stats(ours.store, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.size_bytes, 96 << 20);
    assert_int_equal(ours.config->cold_percent, 5);
    assert_int_equal(ours.config->grace_seconds, 7);
    assert_int_equal(ours.config->connections, 12);
    assert_string_equal(ours.config->codec, "lz4");
    assert_true(ours.config->dedup);
    assert_int_equal(ours.config->threads, 0);
    assert_string_equal(ours.config->socket, "");
    assert_string_equal(ours.config->control_socket, "");
    assert_string_equal(ours.config->metrics_socket, "");
    for (unsigned i = 0; i < 12; i++)
        assert_true(tm_crowd_enter(ours.crowd, geteuid()));
    assert_false(tm_crowd_enter(ours.crowd, geteuid()));
}

static void with_a_mistake_in_it_nothing_changes(void **state)
{
    (void)state;
    struct tm_tenant *tenant = connect_as("", 0, 0);
    const struct tm_config *before = ours.config;
    reload("[store]\nsize = 96M\n[client a]\nuid = 5\nweight = 7\n[nonsense]\n");
    assert_ptr_equal(ours.config, before);
    assert_int_equal(stats_of(tenant).weight, 50);
    struct tmem_store_stats stats;
    assert_int_equal(tmem_store_stats(ours.store, &stats, sizeof stats), TMEM_OK);
    assert_int_equal(stats.size_bytes, 64 << 20);
    reload("[store]\nsize = 1000000G\n[client a]\nuid = 5\nweight = 7\n"); /* more than any machine has */
    assert_int_equal(ours.config->size_bytes, 64 << 20);
    assert_int_equal(stats_of(tenant).weight, 7);
}

static void the_command_line_stays_above_the_file(void **state)
{
    (void)state;
    settings.size_bytes = UINT64_C(48) << 20;
    reload("[store]\nsize = 96M\n");
    assert_int_equal(ours.config->size_bytes, 48 << 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clients_have_the_weights_and_caps_of_their_rules_at_once),
        TEST(what_an_operator_set_stays_where_the_rule_stays),
        TEST(rules_count_clients_and_pools_by_what_they_say_now),
        TEST(the_store_and_the_grace_follow_what_takes_a_new_start_does_not),
        TEST(with_a_mistake_in_it_nothing_changes),
        TEST(the_command_line_stays_above_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
