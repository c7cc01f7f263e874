/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon_test.c TMEMD - the library and the daemon together, when one of them goes: a daemon that is killed and started
 * again, a connection that is lost while both live on, a client that is killed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tmem/control.h>

#include "client/unix.h"

#define THREADS 3u

extern char **environ;

static const char *tmemd_path;
static char folder[64];
static char socket_path[96];
static pid_t daemon_pid;
static struct tmem_store *store;
static struct tmem_client *client;
static struct tmem_pool *cache; /* ephemeral */
static struct tmem_pool *swap;  /* persistent */

/* A child of this process, which has threads, opens a store, which begins one: the thread sanitizer is asked to bear
 * that. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- the daemon ---- */

static void start_daemon(void)
{
    char config[128];
    const char *const arguments[] = {tmemd_path, "--foreground", "--config", config, "--socket", socket_path, NULL};
    struct stat status;
    posix_spawn_file_actions_t actions;
    snprintf(config, sizeof config, "%s/tmemd.conf", folder);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    char *const *passed = (char *const *)(uintptr_t)arguments;
    assert_int_equal(posix_spawn(&daemon_pid, tmemd_path, &actions, NULL, passed, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    /* A socket that nobody listens at may be left of the one before. */
    for (unsigned i = 0; i < 3000; i++) {
        struct tmem_store *probe;
        if (stat(socket_path, &status) == 0) {
            char uri[128];
            snprintf(uri, sizeof uri, "unix:%s", socket_path);
            if (tmem_open(uri, &probe, NULL) == TMEM_OK) {
                tmem_close(probe);
                return;
            }
        }
        usleep(10000);
    }
    fail_msg("%s does not listen at %s", tmemd_path, socket_path);
}

static void kill_daemon(int how)
{
    int status;
    assert_int_equal(kill(daemon_pid, how), 0);
    assert_int_equal(waitpid(daemon_pid, &status, 0), daemon_pid);
    assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : SIGTERM, how);
    if (how == SIGTERM)
        assert_int_equal(status, 0);
}

static int set_up(void **state)
{
    char path[128];
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/daemon-XXXXXX",
             base != NULL && strlen(base) < 40 && *base != 0 ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(path, sizeof path, "%s/tmemd.conf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "[daemon]\ngrace = 60\n[store]\nsize = 32M\n[client test]\nuid = %d\nclients = 10\n",
            (int)getuid());
    assert_int_equal(fclose(file), 0);
    start_daemon();
    snprintf(path, sizeof path, "unix:%s", socket_path);
    assert_int_equal(tmem_open(path, &store, NULL), TMEM_OK);
    assert_int_equal(tmem_client_create(store, "client", NULL, &client), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_EPHEMERAL, NULL, &cache), TMEM_OK);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &swap), TMEM_OK);
    return 0;
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;
    tmem_close(store);
    kill_daemon(SIGTERM);
    snprintf(path, sizeof path, "%s/tmemd.conf", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s.lock", socket_path); /* the daemon's, and it stays */
    unlink(path);
    unlink(socket_path);
    snprintf(path, sizeof path, "%s/control.sock", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/control.sock.lock", folder);
    unlink(path);
    return rmdir(folder);
}

/* ---- pages ---- */

static enum tmem_result put(struct tmem_pool *pool, unsigned number)
{
    unsigned char page[TMEM_PAGE_SIZE];
    const struct tmem_object_id object = {{1, 2, 3}};
    for (unsigned i = 0; i < sizeof page; i++)
        page[i] = (unsigned char)(number + i * (number | 1u));
    return tmem_put(pool, &object, number, page, TMEM_PUT_PLAIN);
}

static enum tmem_result get(struct tmem_pool *pool, unsigned number)
{
    unsigned char page[TMEM_PAGE_SIZE];
    const struct tmem_object_id object = {{1, 2, 3}};
    enum tmem_result result = tmem_get(pool, &object, number, page, TMEM_GET_INCLUSIVE);
    for (unsigned i = 0; result == TMEM_OK && i < sizeof page; i++)
        assert_int_equal(page[i], (unsigned char)(number + i * (number | 1u)));
    return result;
}

static bool comes_back(struct tmem_pool *pool)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (get(pool, 12345) == TMEM_MISS)
            return true;
        usleep(10000);
    }
    return false;
}

/* ---- cases ---- */

struct losses {
    _Atomic unsigned lost;
    _Atomic uint64_t slowest_ms;
    _Atomic uint64_t calls;
};

static void *put_until_lost(void *user)
{
    struct losses *losses = user;
    enum tmem_result result = TMEM_OK;
    while (result == TMEM_OK) {
        uint64_t begin_ms = now_ms();
        result = put(swap, (unsigned)(atomic_fetch_add(&losses->calls, 1) % 1000u));
        uint64_t took_ms = now_ms() - begin_ms;
        if (took_ms > atomic_load(&losses->slowest_ms))
            atomic_store(&losses->slowest_ms, took_ms);
    }
    atomic_fetch_add(&losses->lost, result == TMEM_UNAVAILABLE ? 1u : 1000u);
    return NULL;
}

static void a_killed_daemon_is_told_within_a_second(void **state)
{
    pthread_t threads[THREADS];
    struct losses losses = {0};
    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_until_lost, &losses), 0);
    while (atomic_load(&losses.calls) < 500)
        usleep(1000);
    kill_daemon(SIGKILL);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&losses.lost), THREADS);
    assert_in_range(atomic_load(&losses.slowest_ms), 0, 999);
    start_daemon();
    /* It has kept nothing: what may go is gone, what may not go is not a miss. */
    assert_true(comes_back(cache));
    assert_int_equal(get(swap, 1), TMEM_UNAVAILABLE);
    assert_int_equal(put(cache, 1), TMEM_OK);
    assert_int_equal(get(cache, 1), TMEM_OK);
    tmem_pool_destroy(swap);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &swap), TMEM_OK);
    assert_int_equal(put(swap, 1), TMEM_OK);
    assert_int_equal(get(swap, 1), TMEM_OK);
}

static void memory_is_the_daemons_again_when_it_was_started_again(void **state)
{
    const struct tmem_object_id object = {{4, 5, 6}};
    struct tm_unix_memory *known = &tm_unix_client_of(client)->memory[0];
    unsigned char *memory;
    void *made;
    (void)state;
    assert_int_equal(tmem_memory_create(client, 4 * TMEM_PAGE_SIZE, &made), TMEM_OK);
    memory = made;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(known->region, 1); /* nothing is copied */
        memset(memory, (int)round + 3, TMEM_PAGE_SIZE);
        memory[5] = 1;
        assert_int_equal(tmem_put(cache, &object, 1, memory, TMEM_PUT_PLAIN), TMEM_OK);
        assert_int_equal(tmem_get(cache, &object, 1, memory + 2 * TMEM_PAGE_SIZE, TMEM_GET_INCLUSIVE), TMEM_OK);
        assert_memory_equal(memory, memory + 2 * TMEM_PAGE_SIZE, TMEM_PAGE_SIZE);
        kill_daemon(SIGKILL);
        assert_int_equal(tmem_get(cache, &object, 1, memory, TMEM_GET_INCLUSIVE), TMEM_UNAVAILABLE);
        start_daemon();
        assert_true(comes_back(cache));
    }
    tmem_memory_destroy(client, made);
    assert_int_equal(known->region, 0);
    assert_int_equal(put(cache, 1), TMEM_OK);
    tmem_pool_destroy(swap); /* lost with the first daemon */
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &swap), TMEM_OK);
}

/* As if the network between them had failed, if there were one. */
static void a_lost_connection_is_claimed_by_the_token(void **state)
{
    uint64_t id = tmem_pool_id(swap);
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 100; i++) {
            assert_int_equal(put(swap, i), TMEM_OK);
            assert_int_equal(put(cache, i), TMEM_OK);
        }
        tm_link_break(&tm_unix_client_of(client)->link);
        assert_true(comes_back(swap));
        assert_int_equal(tmem_pool_id(swap), id);
        for (unsigned i = 0; i < 100; i++) {
            assert_int_equal(get(swap, i), TMEM_OK);
            assert_int_equal(get(cache, i), TMEM_MISS);
        }
    }
}

/* Its name is free again, for somebody who has nothing of what it had. */
static void a_killed_clients_name_is_free_again(void **state)
{
    int status;
    char uri[128];
    (void)state;
    snprintf(uri, sizeof uri, "unix:%s", socket_path);
    pid_t child = fork();
    if (child == 0) {
        struct tmem_store *own;
        struct tmem_client *its;
        struct tmem_pool *pool;
        bool is_right =
            tmem_open(uri, &own, NULL) == TMEM_OK && tmem_client_create(own, "child", NULL, &its) == TMEM_OK &&
            tmem_pool_create(its, TMEM_POOL_EPHEMERAL, NULL, &pool) == TMEM_OK && put(pool, 1) == TMEM_OK;
        (void)!kill(getpid(), is_right ? SIGKILL : SIGABRT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    struct tmem_client *other = NULL;
    struct tmem_pool *pool;
    enum tmem_result result = TMEM_UNAVAILABLE;
    for (unsigned i = 0; i < 500 && result != TMEM_OK; i++) {
        result = tmem_client_create(store, "child", NULL, &other);
        if (result != TMEM_OK)
            usleep(10000);
    }
    assert_int_equal(result, TMEM_OK);
    assert_int_equal(tmem_pool_create(other, TMEM_POOL_EPHEMERAL, NULL, &pool), TMEM_OK);
    assert_int_equal(get(pool, 1), TMEM_MISS);
    assert_int_equal(put(swap, 1), TMEM_OK);
    assert_int_equal(get(swap, 1), TMEM_OK);
}

static void a_client_that_leaves_and_comes_back_has_nothing(void **state)
{
    uint64_t id = tmem_pool_id(swap);
    struct tmem_pool *found = NULL;
    (void)state;
    assert_int_equal(put(swap, 1), TMEM_OK);
    for (unsigned i = 0; i < 20; i++) {
        tmem_client_destroy(client);
        assert_int_equal(tmem_client_create(store, "client", NULL, &client), TMEM_OK);
    }
    assert_int_equal(tmem_pool_open(client, id, &found), TMEM_NOT_FOUND);
    assert_null(found);
    assert_int_equal(tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &swap), TMEM_OK);
    assert_int_equal(get(swap, 1), TMEM_MISS);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_killed_daemon_is_told_within_a_second),
        CASE(memory_is_the_daemons_again_when_it_was_started_again),
        CASE(a_lost_connection_is_claimed_by_the_token),
        CASE(a_killed_clients_name_is_free_again),
        CASE(a_client_that_leaves_and_comes_back_has_nothing),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: daemon_test TMEMD\n");
        return 2;
    }
    tmemd_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
