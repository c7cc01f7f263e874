/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - a target for what operators ask: lines of JSON on the control socket, and what comes along with them.
 *
 * Input: a byte of choices, lines, and behind a zero byte what is in a memory file. Choices: 1 a descriptor of that
 * file comes along with the first line; 2 another one; 4 it is a pipe that nobody reads; 8 it is the file, to be read
 * only.
 * Before each input there are the clients "one" and "two", with pages; afterwards those that came are ended.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tmem/control.h>

#include "daemon/control.h"
#include "daemon/tenant.h"
#include "fuzz/by_hand.h"

#define INPUT_MAX 16384u
#define PAGES 8u
#define IDLE_MS 100 /* after which nothing more is waited for: some answers have no end */
#define SIZE_BYTES (UINT64_C(16) << 20)
#define CHECK_EVERY 256u

static const char *const names[] = {"one", "two"};

/* ---- clients ---- */

static void put_pages(struct tmem_client *client, uint32_t flags)
{
    unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_pool *pool;
    const struct tmem_object_id object = {{1, 2, 3}};
    enum tmem_result result = tmem_pool_create(client, flags, NULL, &pool);
    TM_ASSERT(result == TMEM_OK);
    for (uint32_t i = 0; i < PAGES; i++) {
        memset(page, (int)i, sizeof page);
        page[i] = 77;
        (void)!tmem_put(pool, &object, i, page, TMEM_PUT_PLAIN); /* or there is no room: an input says how much */
    }
}

static void make_client(const struct tm_daemon *daemon, const char *name)
{
    struct tm_wire_token token = {{1, 2, 3}};
    struct tmem_client *client;
    struct tm_tenant *tenant = tm_tenant_hold(daemon->tenants, name);
    if (tenant != NULL) {
        tm_tenant_release(daemon->tenants, tenant);
        return;
    }
    if (tmem_client_create(daemon->store, name, NULL, &client) != TMEM_OK)
        return;
    put_pages(client, TMEM_POOL_PERSISTENT);
    put_pages(client, TMEM_POOL_EPHEMERAL);
    token.bytes[3] = (unsigned char)name[0];
    enum tmem_result result = tm_tenant_adopt(daemon->tenants, client, name, geteuid(), &token, NULL, 0);
    TM_ASSERT(result == TMEM_OK);
}

static bool is_ours(const char *name)
{
    return strcmp(name, names[0]) == 0 || strcmp(name, names[1]) == 0;
}

/* Those that were restored or received. */
static void end_others(const struct tm_daemon *daemon)
{
    char name[TMEM_CLIENT_NAME_SIZE] = "";
    struct tm_tenant *tenant;
    uint64_t pages;
    while ((tenant = tm_tenants_hold_next(daemon->tenants, name)) != NULL) {
        memcpy(name, tenant->name, sizeof name);
        tm_tenant_release(daemon->tenants, tenant);
        if (!is_ours(name))
            (void)tm_tenant_doom(daemon->tenants, name, &pages);
    }
}

/* ---- one input ---- */

/* Takes all answers; hangs up when none come any more. */
static void *take_answers(void *argument)
{
    int socket = *(int *)argument;
    char bytes[4096];
    struct pollfd wait = {socket, POLLIN, 0};
    while (poll(&wait, 1, IDLE_MS) > 0 && recv(socket, bytes, sizeof bytes, 0) > 0)
        continue;
    (void)close(socket);
    return NULL;
}

/* What comes along; -1: nothing does. */
static int make_descriptor(unsigned choices, const uint8_t *bytes, size_t size)
{
    int ends[2];
    char path[64];
    if ((choices & 1u) == 0)
        return -1;
    if ((choices & 4u) != 0) {
        bool is_made = pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
        TM_ASSERT(is_made);
        (void)close(ends[0]);
        return ends[1];
    }
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    bool is_written = file >= 0 && write(file, bytes, size) == (ssize_t)size && lseek(file, 0, SEEK_SET) == 0;
    TM_ASSERT(is_written);
    if ((choices & 8u) == 0)
        return file;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    (void)close(file);
    return again;
}

static void send_lines(int socket, const uint8_t *lines, size_t size, unsigned choices, int descriptor)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } room = {.bytes = {0}};
    const int descriptors[2] = {descriptor, descriptor};
    size_t count = (choices & 2u) != 0 ? 2 : 1;
    struct iovec part = {(void *)(uintptr_t)lines, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, count * sizeof(int));
    }
    (void)!sendmsg(socket, &message, MSG_NOSIGNAL);
    (void)shutdown(socket, SHUT_WR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned inputs;
    int ends[2];
    pthread_t taker;
    if (size < 2 || size > INPUT_MAX)
        return 0;
    const struct sigaction ignore = {.sa_handler = SIG_IGN}; /* as the daemon does */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    const struct tm_daemon *daemon = by_hand_daemon();
    (void)!tmem_store_set_size(daemon->store, SIZE_BYTES);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(names); i++)
        make_client(daemon, names[i]);
    const uint8_t *end = memchr(data + 1, 0, size - 1u);
    size_t lines = (end != NULL ? (size_t)(end - data) : size) - 1u;
    size_t used = end != NULL ? lines + 2u : size;
    int descriptor = make_descriptor(data[0], data + used, size - used);
    bool is_made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
    TM_ASSERT(is_made);
    send_lines(ends[0], data + 1, lines, data[0], descriptor);
    if (descriptor >= 0)
        (void)close(descriptor);
    bool is_running = pthread_create(&taker, NULL, take_answers, &ends[0]) == 0;
    TM_ASSERT(is_running);
    bool is_answered = tm_control_answer_all(daemon, ends[1]);
    TM_ASSERT(is_answered);
    (void)pthread_join(taker, NULL);
    end_others(daemon);
    if (++inputs % CHECK_EVERY == 0) {
        enum tmem_result result = tmem_store_check(daemon->store);
        TM_ASSERT(result == TMEM_OK);
    }
    return 0;
}
