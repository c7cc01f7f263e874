/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.c - clients of a daemon that do one thing wrong each, and one that does everything right.
 *
 *   hostile WHAT SOCKET [NUMBER]
 *
 * Exit status 0: it could do what it set out to do; what the daemon makes of it is for the script to see.
 */
#include "tests/support/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *path;
static uint64_t number;
static uint64_t seed = 88172645463325252u;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void need(bool is_true, const char *what)
{
    if (!is_true)
        give_up(what);
}

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void begin(struct raw_client *client, const char *role)
{
    static unsigned times;
    char name[48];
    snprintf(name, sizeof name, "%s-%d-%u", role, (int)getpid(), times++);
    need(raw_connect(client, path), "connect");
    need(raw_hello(client, name, NULL) == TM_WIRE_WELCOME, "hello");
}

static uint64_t pool_of(struct raw_client *client, uint32_t flags)
{
    uint64_t pool = 0;
    need(raw_pool(client, flags, &pool) == TM_WIRE_OK, "make a pool");
    return pool;
}

/* Puts and gets of persistent pages, each of which must come back as it was, until stdin ends. */
static void well(void)
{
    struct raw_client client;
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    uint64_t rounds = 0;
    begin(&client, "well");
    uint64_t pool = pool_of(&client, TM_WIRE_POOL_PERSISTENT);
    printf("ready\n");
    (void)fflush(stdout);
    while (poll(&input, 1, 0) == 0) {
        for (uint32_t i = 0; i < 64; i++) {
            raw_fill(&client, i % 8u, rounds * 64u + i);
            need(raw_put(&client, pool, 9, i, i % 8u) == TM_WIRE_OK, "a put of who is well");
        }
        for (uint32_t i = 0; i < 64; i++) {
            need(raw_get(&client, pool, 9, i, 9) == TM_WIRE_OK, "a get of who is well");
            need(raw_is_filled(&client, 9, rounds * 64u + i), "a page of who is well");
        }
        rounds++;
    }
    need(rounds > 0, "no round");
    printf("well for %llu rounds\n", (unsigned long long)rounds);
}

/* Persistent pages, then the end without a farewell. */
static void leave_behind(void)
{
    struct raw_client client;
    begin(&client, "left");
    uint64_t pool = pool_of(&client, TM_WIRE_POOL_PERSISTENT);
    for (uint64_t i = 0; i < number; i++) {
        raw_fill(&client, 0, i * 31u + 7u);
        need(raw_put(&client, pool, 1, (uint32_t)i, 0) == TM_WIRE_OK, "put");
    }
}

/* Bytes of any kind: some begin as messages do. */
static void garbage(void)
{
    for (uint64_t i = 0; i < number; i++) {
        struct raw_client client;
        union tm_wire_any message;
        int descriptors[4] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
        unsigned char *bytes = (unsigned char *)&message;
        if (i % 3u == 0)
            begin(&client, "garbage");
        else
            need(raw_connect(&client, path), "connect");
        size_t size = 1u + next_random() % sizeof message;
        for (size_t at = 0; at < sizeof message; at++)
            bytes[at] = (unsigned char)next_random();
        if (i % 2u == 0)
            size = tm_message_begin(&message, (enum tm_wire_kind)(1u + next_random() % (TM_WIRE_KIND_COUNT - 1u)), 1,
                                    1);
        if (i % 5u == 0)
            bytes[next_random() % size] ^= (unsigned char)next_random();
        unsigned count = (unsigned)(next_random() % 5u);
        (void)raw_send(&client, bytes, size, descriptors, count);
        raw_close(&client);
    }
}

/* Requests with random fields, all over the ring, and random counts at the end. */
static void noise(void)
{
    for (uint64_t i = 0; i < number; i++) {
        struct raw_client client;
        begin(&client, "noise");
        uint64_t pool = pool_of(&client, (uint32_t)(i % 2u));
        for (unsigned n = 0; n < 200; n++) {
            struct tm_wire_request request;
            struct tm_wire_answer answer;
            unsigned char *bytes = (unsigned char *)&request;
            for (size_t at = 0; at < sizeof request; at++)
                bytes[at] = (unsigned char)next_random();
            request.operation %= TM_WIRE_OPERATION_COUNT;
            if (n % 2u == 0) {
                request.pool = pool;
                request.place %= 8u * TM_PAGE_BYTES;
                request.region = 0;
                request.stored = 0;
                request.flags %= 3u;
            }
            need(tm_ring_room(&client.requests, 1) != 0, "room");
            raw_submit(&client, &request);
            need(raw_take(&client, &answer, 10000), "an answer to noise");
        }
        for (size_t at = 0; at < sizeof *client.head; at++)
            ((volatile unsigned char *)client.head)[at] = (unsigned char)next_random();
        (void)!write(client.wake_daemon, &(const uint64_t){1}, sizeof(uint64_t));
        need(raw_receive(&client, 10000) == 0, "the daemon does not mind impossible counts");
        raw_close(&client);
    }
}

/* Puts without end: to be killed in the middle. */
static void batches(void)
{
    struct raw_client client;
    begin(&client, "batches");
    uint64_t pool = pool_of(&client, TM_WIRE_POOL_PERSISTENT);
    printf("ready\n");
    (void)fflush(stdout);
    for (uint32_t i = 0;; i++) {
        struct tm_wire_answer answer;
        struct tm_wire_request request = {
            .operation = TM_WIRE_PUT, .pool = pool, .index = i % 512u, .place = (uint64_t)(i % 16u) * TM_PAGE_BYTES};
        if (tm_ring_room(&client.requests, 1) != 0 && i % 64u != 63)
            raw_submit(&client, &request);
        while (tm_ring_waiting(&client.answers, 1) != 0)
            (void)raw_take(&client, &answer, 0);
        raw_fill(&client, i % 16u, i);
    }
}

/* Requests, whose answers are never taken, and questions. */
static void takes_nothing(void)
{
    struct raw_client client;
    union tm_wire_any question;
    begin(&client, "takes-nothing");
    uint64_t pool = pool_of(&client, 0);
    struct tm_wire_request request = {.operation = TM_WIRE_GET, .pool = pool};
    for (unsigned i = 0; i < 100000 && tm_ring_room(&client.requests, 1) != 0; i++)
        raw_submit(&client, &request);
    size_t bytes = tm_message_begin(&question, TM_WIRE_STATISTICS, 1, 1);
    question.statistics.subject = TM_WIRE_OF_CLIENT;
    need(fcntl(client.socket, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    bool is_over = false;
    for (unsigned i = 0; i < 20000 && !is_over; i++) {
        is_over = !raw_send(&client, &question, bytes, NULL, 0) && errno != EAGAIN;
        if (!is_over && i % 100u == 0)
            (void)usleep(1000);
    }
    need(is_over, "the daemon does not mind who takes no answers");
}

/* What others could be hurt by is refused by the kernel. */
static void cuts_memory(void)
{
    union tm_wire_any hello;
    struct raw_client client;
    need(raw_connect(&client, path), "connect");
    size_t bytes = tm_message_begin(&hello, TM_WIRE_HELLO, TM_WIRE_VERSION_MIN, 1);
    hello.hello.newest_version = TM_WIRE_VERSION_MAX;
    need(raw_send(&client, &hello, bytes, NULL, 0), "send");
    need(raw_receive(&client, 10000) == TM_WIRE_WELCOME, "welcome");
    need(ftruncate(client.descriptors[0], 0) != 0 && errno == EPERM, "the memory can be cut");
    need(ftruncate(client.descriptors[0], 1 << 30) != 0 && errno == EPERM, "the memory can grow");
    need(write(client.descriptors[2], "x", 1) < 0 && errno == EBADF, "the pipe can be written");
    uint64_t most = UINT64_MAX - 1u;
    need(write(client.descriptors[1], &most, sizeof most) == sizeof most, "fill the eventfd");
}

static struct raw_client scribbled;
static bool stops; /* atomic */

static void *scribble(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; !tm_load_relaxed(&stops); i++)
        raw_fill(&scribbled, (unsigned)(i % 4u), i);
    return NULL;
}

/* Writes to the slots all the while they are read and written by the daemon. */
static void scribbles(void)
{
    pthread_t thread;
    begin(&scribbled, "scribbles");
    uint64_t pool = pool_of(&scribbled, TM_WIRE_POOL_PERSISTENT);
    need(pthread_create(&thread, NULL, scribble, NULL) == 0, "a thread");
    for (uint64_t i = 0; i < number; i++) {
        unsigned slot = (unsigned)(i % 4u);
        need(raw_put(&scribbled, pool, 3, (uint32_t)(i % 100u), slot) == TM_WIRE_OK, "put");
        need(raw_get(&scribbled, pool, 3, (uint32_t)(i % 100u), slot) == TM_WIRE_OK, "get");
    }
    tm_store_relaxed(&stops, true);
    (void)pthread_join(thread, NULL);
    /* What was stored is whole all the same: of two gets both are alike. */
    for (uint32_t i = 0; i < 100 && i < number; i++) {
        need(raw_get(&scribbled, pool, 3, i, 0) == TM_WIRE_OK, "get");
        need(raw_get(&scribbled, pool, 3, i, 1) == TM_WIRE_OK, "get");
        need(memcmp(scribbled.slots, scribbled.slots + TM_PAGE_BYTES, TM_PAGE_BYTES) == 0, "two gets differ");
    }
}

/* Says nothing, and waits for the end of it. */
static void silent(void)
{
    struct raw_client client;
    need(raw_connect(&client, path), "connect");
    need(raw_receive(&client, 30000) == 0, "the daemon does not mind who says nothing");
}

/* Two processes with one connection, both of which write requests; the child goes on for a while after its parent. */
static void forks(void)
{
    struct raw_client client;
    begin(&client, "forks");
    uint64_t pool = pool_of(&client, TM_WIRE_POOL_PERSISTENT);
    pid_t child = fork();
    need(child >= 0, "fork");
    for (uint32_t i = 0; i < number; i++) {
        struct tm_wire_request request = {.operation = i % 3u == 0 ? TM_WIRE_GET : TM_WIRE_PUT,
                                          .pool = pool,
                                          .index = i % 128u,
                                          .place = (uint64_t)(i % 16u) * TM_PAGE_BYTES};
        if (tm_ring_room(&client.requests, 1) == 0)
            break;
        raw_submit(&client, &request);
        raw_fill(&client, i % 16u, i);
    }
    if (child == 0) {
        (void)usleep(200000);
        _exit(0);
    }
}

#define SECRET UINT64_C(0x5ec4e75ec4e75ec4)

/* Pages that are full of a secret, to be looked for by others when this one is gone. */
static void keeps_secrets(void)
{
    struct raw_client client;
    begin(&client, "secret");
    uint64_t pool = pool_of(&client, (uint32_t)(number % 2u));
    uint64_t *words = (uint64_t *)(void *)client.slots;
    for (uint32_t i = 0; i < 2048; i++) {
        for (size_t at = 0; at < TM_PAGE_BYTES / sizeof *words; at++)
            words[at] = at % 4u == 0 ? next_random() : SECRET;
        need(raw_put(&client, pool, 1, i, 0) == TM_WIRE_OK, "put");
    }
}

static void find_no_secret(const struct raw_client *client)
{
    const uint64_t *words = (const uint64_t *)(const void *)client->head;
    for (size_t at = 0; at < client->memory_bytes / sizeof *words; at++)
        need(words[at] != SECRET, "another client's page can be read");
}

/* Where the pages of another were, on this machine and in this daemon: neither memory nor misses show any of it. */
static void looks_for_secrets(void)
{
    struct raw_client client;
    begin(&client, "curious");
    find_no_secret(&client);
    uint64_t pool = pool_of(&client, TM_WIRE_POOL_PERSISTENT);
    for (uint32_t i = 0; i < 4096; i++) {
        struct tm_wire_request request = {.operation = TM_WIRE_GET_STORED,
                                          .pool = pool,
                                          .object = {1},
                                          .index = i,
                                          .place = (uint64_t)(i % 16u) * TM_PAGE_BYTES};
        need(raw_get(&client, pool, 1, i, i % 16u) == TM_WIRE_MISS, "another's page is found");
        need(raw_do(&client, &request, NULL) == TM_WIRE_MISS, "another's page is found in its stored form");
        memset(client.slots, 0, TM_PAGE_BYTES);
        client.slots[i % TM_PAGE_BYTES] = 1;
        need(raw_put(&client, pool, 1, i, 0) == TM_WIRE_OK, "put");
        need(raw_do(&client, &request, NULL) == TM_WIRE_OK, "get in stored form");
        if (i % 256u == 0)
            find_no_secret(&client);
    }
    find_no_secret(&client);
}

/* As many connections as there are to be had; half of them say who they are. */
static void many(void)
{
    uint64_t connected = 0;
    uint64_t welcomed = 0;
    struct rlimit limit;
    need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "limits");
    limit.rlim_cur = limit.rlim_max;
    need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "limits");
    struct raw_client *clients = calloc(number, sizeof *clients);
    need(clients != NULL, "memory");
    for (uint64_t i = 0; i < number && raw_connect(&clients[i], path); i++) {
        char name[32];
        connected++;
        snprintf(name, sizeof name, "m%d-%u", (int)getpid(), (unsigned)i);
        if (i % 2u == 0 && raw_hello(&clients[i], name, NULL) == TM_WIRE_WELCOME)
            welcomed++;
        else if (i % 2u == 0)
            raw_close(&clients[i]); /* it was told that there is no room */
    }
    printf("%llu connected, %llu welcomed\n", (unsigned long long)connected, (unsigned long long)welcomed);
    (void)fflush(stdout);
    char byte;
    (void)!read(STDIN_FILENO, &byte, 1);
    for (uint64_t i = 0; i < connected; i++)
        raw_close(&clients[i]);
    free(clients);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *what;
        void (*run)(void);
    } ways[] = {
        {"well", well},
        {"leave-behind", leave_behind},
        {"garbage", garbage},
        {"noise", noise},
        {"batches", batches},
        {"takes-nothing", takes_nothing},
        {"cuts-memory", cuts_memory},
        {"scribbles", scribbles},
        {"forks", forks},
        {"keeps-secrets", keeps_secrets},
        {"looks-for-secrets", looks_for_secrets},
        {"silent", silent},
        {"many", many},
    };
    if (count >= 3) {
        path = arguments[2];
        number = count > 3 ? strtoull(arguments[3], NULL, 10) : 1;
        for (size_t i = 0; i < TM_ARRAY_SIZE(ways); i++)
            if (strcmp(ways[i].what, arguments[1]) == 0) {
                ways[i].run();
                return 0;
            }
    }
    fprintf(stderr, "usage: hostile WHAT SOCKET [NUMBER]\n");
    return 2;
}
