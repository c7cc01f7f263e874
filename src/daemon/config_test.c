/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration: what is right is read, what is wrong is named with its place, and users get their rule. */
#include "daemon/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static char path[96];
static char told[4096];
static struct tm_config config;

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    const char *place = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%.40s/tmemd.XXXXXX", place != NULL ? place : "/tmp");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/c", directory);
    told[0] = '\0';
    tm_config_init(&config);
    return 0;
}

static void remove_file(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, "%s/%s", directory, name);
    (void)remove(file);
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"c.d/10.conf", "c.d/20.conf", "c.d/30.txt", "c.d", "c", ""};
    tm_config_fini(&config);
    for (size_t i = 0; i < TM_ARRAY_SIZE(names); i++)
        remove_file(names[i]);
    return 0;
}

static void report(void *context, const char *place, const char *problem)
{
    size_t used = strlen(told);
    assert_ptr_equal(context, &config);
    snprintf(told + used, sizeof told - used, "%s: %s\n", strrchr(place, '/') + 1, problem);
}

static unsigned read_text(const char *text)
{
    write_file(path, text);
    return tm_config_read(&config, path, true, report, &config);
}

static const struct tm_rule *rule_for(uid_t uid, const char *wish, char name[static TMEM_CLIENT_NAME_SIZE])
{
    return tm_config_rule(&config, uid, wish, name, told, sizeof told);
}

static void without_a_file_there_are_defaults(void **state)
{
    (void)state;
    char uri[256];
    char name[TMEM_CLIENT_NAME_SIZE];
    assert_int_equal(tm_config_read(&config, path, false, report, &config), 0);
    tm_config_uri(&config, -1, uri, sizeof uri);
    assert_string_equal(uri, "embedded:size=268435456,codec=lz4,dedup=on,defer=off,persistent=memfd");
    const struct tm_rule *rule = rule_for(geteuid() + 1u, "", name);
    assert_non_null(rule);
    assert_string_equal(config.control_socket, "");
    assert_string_equal(config.control_group, "tmem-admin");
    assert_int_equal(config.control_mode, 0660);
    assert_string_equal(config.metrics_address.text, "");
    assert_string_equal(config.metrics_socket, "");
    assert_int_equal(config.metrics_clients, 100);
    assert_false(rule->persistent);
    assert_int_equal(rule->weight, 100);
    rule = rule_for(geteuid(), "", name);
    assert_true(rule->persistent);
}

static void a_file_that_must_exist_is_missed(void **state)
{
    (void)state;
    assert_int_equal(tm_config_read(&config, path, true, report, &config), 1);
    assert_non_null(strstr(told, "c: cannot open it: no such file"));
}

static void everything_can_be_set(void **state)
{
    (void)state;
    char uri[256];
    assert_int_equal(read_text("# a comment\n"
                               "; another\n"
                               "\n"
                               "[daemon]\n"
                               "socket = /run/x y\n"
                               "threads=3\n"
                               "  grace  =  7  \n"
                               "connections = 10\r\n"
                               "[store]\n"
                               "size = 1.5G\n"
                               "codec = zstd:3\n"
                               "dedup = no\n"
                               "defer = yes\n"
                               "cold = 20\n"
                               "[client vm-1]\n"
                               "uid = 1001\n"
                               "weight = 300\n"
                               "cap = 64M\n"
                               "persistent = no\n"
                               "pools = 5\n"
                               "clients = 2\n"
                               "uuids = 00000000-0000-0001-0000-000000000002, 0000000000000003000000000000000F\n"
                               "[others]\n"
                               "allow = no\n"
                               "cap = none\n"
                               "[metrics]\n"
                               "listen = [::1]:9753\n"
                               "socket = /run/metrics\n"
                               "clients = 7\n"
                               "[control]\n"
                               "socket = /run/control\n"
                               "group = wheel\n"
                               "mode = 0600"),
                     0);
    assert_string_equal(config.socket, "/run/x y");
    assert_int_equal(config.threads, 3);
    assert_int_equal(config.grace_seconds, 7);
    assert_int_equal(config.connections, 10);
    tm_config_uri(&config, -1, uri, sizeof uri);
    assert_string_equal(uri,
                        "embedded:size=1610612736,codec=zstd:3,dedup=off,defer=on,persistent=memfd,cold=20,"
                        "cold-age=60");
    assert_int_equal(config.rule_count, 1);
    const struct tm_rule *rule = &config.rules[0];
    assert_string_equal(rule->name, "vm-1");
    assert_int_equal(rule->uid, 1001);
    assert_int_equal(rule->weight, 300);
    assert_int_equal(rule->cap_bytes, 64 << 20);
    assert_false(rule->persistent);
    assert_int_equal(rule->pools, 5);
    assert_int_equal(rule->clients, 2);
    assert_int_equal(rule->uuid_count, 2);
    assert_int_equal(rule->uuids[0].word[1], 1);
    assert_int_equal(rule->uuids[0].word[0], 2);
    assert_int_equal(rule->uuids[1].word[1], 3);
    assert_int_equal(rule->uuids[1].word[0], 15);
    assert_false(config.others.allowed);
    assert_string_equal(config.control_socket, "/run/control");
    assert_string_equal(config.control_group, "wheel");
    assert_int_equal(config.control_mode, 0600);
    assert_string_equal(config.metrics_address.text, "[::1]:9753");
    assert_string_equal(config.metrics_socket, "/run/metrics");
    assert_int_equal(config.metrics_clients, 7);
}

static void users_may_be_named(void **state)
{
    (void)state;
    assert_int_equal(read_text("[client r]\nuid = root\n"), 0);
    assert_int_equal(config.rules[0].uid, 0);
    assert_int_equal(read_text("[client s]\nuid = no-such-user-here\n"), 2);
    assert_non_null(strstr(told, "c:2: uid = no-such-user-here: no such user"));
    assert_non_null(strstr(told, "[client s] has no uid"));
}

static void each_problem_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *told;
    } cases[] = {
        {"size = 4G\n", "c:1: size: stands before the first section"},
        {"[store]\n\nsize = large\n", "c:3: size = large: expected a size such as 512M"},
        {"[store]\nsize = -1\n", "c:2: size = -1: expected a size"},
        {"[store]\nsise = 4G\n", "c:2: sise: no such key in [store] (size, codec"},
        {"[store]\nsize\n", "c:2: 'size': expected key = value"},
        {"[store]\ncodec = lz4,size=1\n", "c:2: codec = lz4,size=1: expected lz4"},
        {"[store]\ndedup = on\n", "c:2: dedup = on: expected yes or no"},
        {"[store]\ncold = 101\n", "c:2: cold = 101: expected a number from 0 to 100"},
        {"[stores]\nsize = 4\n", "c:1: [stores]: no such section"},
        {"[store x]\n", "c:1: [store x]: no such section"},
        {"[daemon]\nthreads = 0\n", "c:2: threads = 0: expected a number from 1 to 64"},
        {"[daemon]\nthreads = 3x\n", "c:2: threads = 3x: expected"},
        {"[daemon]\nthreads =\n", "c:2: threads = : expected"},
        {"[daemon]\nsocket = here\n", "c:2: socket = here: expected a path"},
        {"[client]\nuid = 1\n", "c:1: [client ]: a name has 1 to 63"},
        {"[client a/b]\nuid = 1\n", "c:1: [client a/b]: a name has"},
        {"[client a]\n", "c: [client a] has no uid"},
        {"[client a]\nuid = 1\nweight = 0\n", "c:3: weight = 0: expected a number from 1 to 1000000"},
        {"[client a]\nuid = 1\nallow = no\n", "c:3: allow: no such key in [client]"},
        {"[client a]\nuid = 1\nuuids = 1\n", "c:3: uuids: '1' is no uuid"},
        {"[client a]\nuid = 1\nuuids = 0000000000000001-0000000000000002-\n", "c:3: uuids: '0"},
        {"[client a]\nuid = 1\nuuids = -00000000000000010000000000000002\n", "c:3: uuids: '-"},
        {"[client a]\nuid = 1\nuuids = 00000000--000000010000000000000002\n", "c:3: uuids: '0"},
        {"[client a]\nuid = 1\nuuids = 000000000000000100000000000000023\n", "c:3: uuids: '0"},
        {"[client a]\nuid = 1\nuuids = 0000000000000001000000000000000g\n", "c:3: uuids: '0"},
        {"[others]\nuuids = 00000000000000010000000000000002\n", "c:2: uuids: no such key in [others]"},
        {"[others]\nuid = 1\n", "c:2: uid: no such key in [others]"},
        {"[metrics]\nlisten = localhost:9753\n", "c:2: listen = localhost:9753: expected an address and a port"},
        {"[metrics]\nclients = 4097\n", "c:2: clients = 4097: expected a number from 0 to 4096"},
        {"[metrics]\nsocket = x\n", "c:2: socket = x: expected a path"},
        {"[control]\nmode = 0860\n", "c:2: mode = 0860: expected permissions"},
        {"[control]\nmode = 0060\n", "c:2: mode = 0060: expected permissions"},
        {"[control]\nmode = 01666\n", "c:2: mode = 01666: expected permissions"},
        {"[control]\ngroup =\n", "c:2: group = : expected the name"},
        {"[control]\nsocket = control.sock\n", "c:2: socket = control.sock: expected a path"},
        {"[control]\nuid = 1\n", "c:2: uid: no such key in [control] (socket, group, mode)"},
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(cases); i++) {
        told[0] = '\0';
        tm_config_fini(&config);
        tm_config_init(&config);
        assert_int_equal(read_text(cases[i].text), 1);
        if (strncmp(told, cases[i].told, strlen(cases[i].told)) != 0)
            fail_msg("'%s' instead of '%s'", told, cases[i].told);
    }
}

static void a_line_that_is_too_long_is_one_problem(void **state)
{
    (void)state;
    char text[2000];
    snprintf(text, sizeof text, "[store]\n# %0*d\nsize = 32M\n", 1500, 0);
    assert_int_equal(read_text(text), 1);
    assert_non_null(strstr(told, "c:2: the line is longer"));
    assert_int_equal(config.size_bytes, 32 << 20);
}

static void all_problems_of_a_file_are_told(void **state)
{
    (void)state;
    assert_int_equal(read_text("[nothing]\nignored = yes\n[store]\nsize = x\n[daemon]\ngrace = y\n"), 3);
    assert_non_null(strstr(told, "c:1: "));
    assert_non_null(strstr(told, "c:4: "));
    assert_non_null(strstr(told, "c:6: "));
}

static void drop_ins_come_later_in_the_order_of_their_names(void **state)
{
    (void)state;
    char name[128];
    snprintf(name, sizeof name, "%s.d", path);
    assert_int_equal(mkdir(name, 0700), 0);
    snprintf(name, sizeof name, "%s.d/20.conf", path);
    write_file(name, "[store]\nsize = 128M\n[client a]\nweight = 7\n");
    snprintf(name, sizeof name, "%s.d/10.conf", path);
    write_file(name, "[store]\nsize = 64M\ndedup = no\n");
    snprintf(name, sizeof name, "%s.d/30.txt", path);
    write_file(name, "[store]\nsize = nonsense\n");
    assert_int_equal(read_text("[store]\nsize = 32M\n[client a]\nuid = 5\ncap = 1M\n"), 0);
    assert_int_equal(config.size_bytes, 128 << 20);
    assert_false(config.dedup);
    assert_int_equal(config.rule_count, 1);
    assert_int_equal(config.rules[0].weight, 7);
    assert_int_equal(config.rules[0].uid, 5);
    assert_int_equal(config.rules[0].cap_bytes, 1 << 20);
}

static void clients_are_called_after_their_section_or_user(void **state)
{
    (void)state;
    char name[TMEM_CLIENT_NAME_SIZE];
    assert_int_equal(read_text("[client a]\nuid = 5\n[client b]\nuid = 5\n[client c]\nuid = 6\n"), 0);
    assert_ptr_equal(rule_for(5, "", name), &config.rules[0]);
    assert_string_equal(name, "a");
    assert_ptr_equal(rule_for(5, "a", name), &config.rules[0]);
    assert_string_equal(name, "a");
    assert_ptr_equal(rule_for(5, "b", name), &config.rules[1]);
    assert_string_equal(name, "b");
    assert_ptr_equal(rule_for(5, "c", name), &config.rules[0]);
    assert_string_equal(name, "a:c");
    assert_ptr_equal(rule_for(4000000000u, "", name), &config.others);
    assert_string_equal(name, "uid-4000000000");
    assert_ptr_equal(rule_for(4000000000u, "x", name), &config.others);
    assert_string_equal(name, "uid-4000000000:x");
}

static void rules_are_found_again_by_the_names_that_they_gave(void **state)
{
    (void)state;
    assert_int_equal(read_text("[client a]\nuid = 5\n[client a:b]\nuid = 5\n[client c]\nuid = 6\n"), 0);
    assert_ptr_equal(tm_config_rule_of(&config, 5, "a"), &config.rules[0]);
    assert_ptr_equal(tm_config_rule_of(&config, 5, "a:x"), &config.rules[0]);
    assert_ptr_equal(tm_config_rule_of(&config, 5, "a:b"), &config.rules[1]);
    assert_ptr_equal(tm_config_rule_of(&config, 5, "a:b:c"), &config.rules[1]);
    assert_ptr_equal(tm_config_rule_of(&config, 6, "c"), &config.rules[2]);
    /* Of sections that are gone, and of users without one. */
    assert_ptr_equal(tm_config_rule_of(&config, 5, "ab"), &config.rules[0]);
    assert_ptr_equal(tm_config_rule_of(&config, 4000000000u, "uid-4000000000:x"), &config.others);
    assert_ptr_equal(tm_config_rule_of(&config, geteuid(), "uid-0"), &config.own);
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    char name[TMEM_CLIENT_NAME_SIZE];
    char wish[80];
    assert_null(rule_for(7, "a b", name));
    assert_non_null(strstr(told, "'a b' cannot be part of a client's name, uid-7:NAME"));
    memset(wish, 'x', sizeof wish);
    wish[63] = '\0';
    assert_null(rule_for(7, wish, name));
    wish[57] = '\0';
    assert_non_null(rule_for(7, wish, name));
    config.others.allowed = false;
    assert_null(rule_for(7, "", name));
    assert_non_null(strstr(told, "user 7 may not connect"));
}

static void nothing_follows_a_name(void **state)
{
    (void)state;
    char name[TMEM_CLIENT_NAME_SIZE];
    memset(name, 0x5a, sizeof name);
    assert_non_null(rule_for(7, "", name));
    for (size_t i = strlen(name); i < sizeof name; i++)
        assert_int_equal(name[i], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_there_are_defaults),
        TEST(a_file_that_must_exist_is_missed),
        TEST(everything_can_be_set),
        TEST(users_may_be_named),
        TEST(each_problem_is_told_with_its_line),
        TEST(a_line_that_is_too_long_is_one_problem),
        TEST(all_problems_of_a_file_are_told),
        TEST(drop_ins_come_later_in_the_order_of_their_names),
        TEST(clients_are_called_after_their_section_or_user),
        TEST(rules_are_found_again_by_the_names_that_they_gave),
        TEST(names_that_are_none_are_refused),
        TEST(nothing_follows_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
