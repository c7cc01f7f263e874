/* SPDX-License-Identifier: BSD-2-Clause */
/* raw.c - see raw.h. */
#include "tests/support/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 10000
/* Looks in vain before it sleeps. */
#define LOOKS 200u

void raw_use(struct raw_client *client, int socket)
{
    memset(client, 0, sizeof *client);
    client->socket = socket;
    client->wake_daemon = -1;
    client->wake_client = -1;
}

bool raw_connect(struct raw_client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    raw_use(client, -1);
    if (length >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, length);
    client->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (client->socket < 0)
        return false;
    if (connect(client->socket, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    int error = errno;
    (void)close(client->socket);
    client->socket = -1;
    errno = error;
    return false;
}

static void close_descriptors(struct raw_client *client)
{
    for (unsigned i = 0; i < client->descriptor_count; i++)
        (void)close(client->descriptors[i]);
    client->descriptor_count = 0;
}

void raw_close(struct raw_client *client)
{
    close_descriptors(client);
    if (client->socket >= 0)
        (void)close(client->socket);
    if (client->wake_daemon >= 0)
        (void)close(client->wake_daemon);
    if (client->wake_client >= 0)
        (void)close(client->wake_client);
    if (client->head != NULL)
        (void)munmap(client->head, (size_t)client->memory_bytes);
    raw_use(client, -1);
}

bool raw_send(struct raw_client *client, const void *bytes, size_t count, const int *descriptors,
              unsigned descriptor_count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control;
    if (descriptor_count != 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(descriptor_count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        if (head == NULL)
            return false;
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(descriptor_count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, descriptor_count * sizeof(int));
    }
    return sendmsg(client->socket, &message, MSG_NOSIGNAL) == (ssize_t)count;
}

static void collect(struct raw_client *client, struct msghdr *message)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_type != SCM_RIGHTS)
            continue;
        client->descriptor_count = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(client->descriptors, CMSG_DATA(head), client->descriptor_count * sizeof(int));
    }
}

int raw_receive(struct raw_client *client, int timeout_ms)
{
    struct iovec part = {&client->answer, sizeof client->answer};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(RAW_DESCRIPTORS * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct pollfd wait = {client->socket, POLLIN, 0};
    close_descriptors(client);
    if (poll(&wait, 1, timeout_ms) <= 0)
        return -1;
    memset(&client->answer, 0, sizeof client->answer);
    ssize_t bytes = recvmsg(client->socket, &message, MSG_CMSG_CLOEXEC);
    if (bytes <= 0)
        return bytes == 0 || errno == ECONNRESET ? 0 : -1;
    collect(client, &message);
    bool is_right = tm_message_judge(&client->answer, (size_t)bytes, client->descriptor_count, TM_WIRE_FROM_DAEMON);
    return is_right ? client->answer.head.kind : -1;
}

/* The shared memory and what wakes, from a welcome. */
static bool share(struct raw_client *client)
{
    const struct tm_wire_welcome *welcome = &client->answer.welcome;
    client->sizes = welcome->sizes;
    client->token = welcome->token;
    client->memory_bytes = welcome->memory_bytes;
    struct tm_wire_places places = tm_wire_places(&client->sizes);
    void *memory =
        mmap(NULL, (size_t)client->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, client->descriptors[0], 0);
    if (memory == MAP_FAILED)
        return false;
    client->head = memory;
    client->slots = (unsigned char *)memory + places.slots;
    client->wake_daemon = client->descriptors[1];
    client->wake_client = client->descriptors[2];
    (void)close(client->descriptors[0]);
    client->descriptor_count = 0;
    tm_ring_init(&client->requests, (unsigned char *)memory + places.requests, sizeof(struct tm_wire_request),
                 client->sizes.entries, &client->head->submitted.count, &client->head->accepted.count);
    tm_ring_init(&client->answers, (unsigned char *)memory + places.answers, sizeof(struct tm_wire_answer),
                 client->sizes.entries, &client->head->seen.count, &client->head->answered.count);
    return true;
}

bool raw_greet(struct raw_client *client, const char *name, const struct tm_wire_token *token)
{
    union tm_wire_any hello;
    size_t bytes = tm_message_begin(&hello, TM_WIRE_HELLO, TM_WIRE_VERSION_MIN, 1);
    hello.hello.newest_version = TM_WIRE_VERSION_MAX;
    hello.hello.features = TM_WIRE_FEATURES;
    memcpy(hello.hello.name, name, strlen(name));
    if (token != NULL)
        hello.hello.token = *token;
    return raw_send(client, &hello, bytes, NULL, 0);
}

int raw_enter(struct raw_client *client)
{
    int kind = raw_receive(client, ANSWER_MS);
    return kind == TM_WIRE_WELCOME && !share(client) ? -1 : kind;
}

int raw_hello(struct raw_client *client, const char *name, const struct tm_wire_token *token)
{
    return raw_greet(client, name, token) ? raw_enter(client) : -1;
}

int raw_ask(struct raw_client *client, union tm_wire_any *question)
{
    if (!raw_send(client, question, question->head.bytes, NULL, 0))
        return -1;
    return raw_receive(client, ANSWER_MS);
}

void raw_submit(struct raw_client *client, const struct tm_wire_request *request)
{
    const uint64_t one = 1;
    tm_ring_write(&client->requests, request);
    tm_ring_publish(&client->requests);
    if (!tm_sleep_must_wake(&client->head->daemon))
        return;
    ssize_t written = write(client->wake_daemon, &one, sizeof one);
    (void)written;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the pipe says something. */
static void sleep_until_woken(struct raw_client *client, int timeout_ms)
{
    char bytes[64];
    struct pollfd wait = {client->wake_client, POLLIN, 0};
    tm_sleep_begin(&client->head->client);
    if (tm_ring_waiting(&client->answers, 1) == 0 && poll(&wait, 1, timeout_ms) > 0) {
        ssize_t taken = read(client->wake_client, bytes, sizeof bytes);
        (void)taken;
    }
    tm_sleep_end(&client->head->client);
}

bool raw_take(struct raw_client *client, struct tm_wire_answer *answer, int timeout_ms)
{
    int64_t until_ms = now_ms() + timeout_ms;
    for (unsigned looks = 0; tm_ring_waiting(&client->answers, 1) == 0; looks++) {
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0 || client->answers.state == TM_RING_BROKEN)
            return false;
        if (looks >= LOOKS)
            sleep_until_woken(client, (int)left_ms);
    }
    tm_ring_take(&client->answers, answer);
    tm_ring_publish(&client->answers);
    return true;
}

int raw_do(struct raw_client *client, const struct tm_wire_request *request, uint64_t *value)
{
    struct tm_wire_answer answer;
    struct tm_wire_request tagged = *request;
    tagged.tag = ++client->tag;
    if (tm_ring_room(&client->requests, 1) == 0)
        return -1;
    raw_submit(client, &tagged);
    if (!raw_take(client, &answer, ANSWER_MS) || answer.tag != client->tag)
        return -1;
    if (value != NULL)
        *value = answer.value;
    return (int)answer.result;
}

int raw_pool(struct raw_client *client, uint32_t flags, uint64_t *pool)
{
    const struct tm_wire_request request = {.operation = TM_WIRE_POOL_CREATE, .index = flags};
    return raw_do(client, &request, pool);
}

int raw_put(struct raw_client *client, uint64_t pool, uint64_t object, uint32_t index, unsigned slot)
{
    const struct tm_wire_request request = {.operation = TM_WIRE_PUT,
                                            .pool = pool,
                                            .object = {object},
                                            .index = index,
                                            .place = (uint64_t)slot * TM_PAGE_BYTES};
    return raw_do(client, &request, NULL);
}

int raw_get(struct raw_client *client, uint64_t pool, uint64_t object, uint32_t index, unsigned slot)
{
    const struct tm_wire_request request = {.operation = TM_WIRE_GET,
                                            .pool = pool,
                                            .object = {object},
                                            .index = index,
                                            .place = (uint64_t)slot * TM_PAGE_BYTES};
    return raw_do(client, &request, NULL);
}

static uint64_t word_of(uint64_t seed, unsigned number)
{
    /* Half of it is alike, so that it compresses. */
    return number % 2u != 0 ? seed : (seed + number) * UINT64_C(0x9e3779b97f4a7c15);
}

void raw_fill(struct raw_client *client, unsigned slot, uint64_t seed)
{
    unsigned char *page = client->slots + (size_t)slot * TM_PAGE_BYTES;
    for (unsigned i = 0; i < TM_PAGE_BYTES / sizeof(uint64_t); i++) {
        uint64_t word = word_of(seed, i);
        memcpy(page + i * sizeof word, &word, sizeof word);
    }
}

bool raw_is_filled(const struct raw_client *client, unsigned slot, uint64_t seed)
{
    const unsigned char *page = client->slots + (size_t)slot * TM_PAGE_BYTES;
    for (unsigned i = 0; i < TM_PAGE_BYTES / sizeof(uint64_t); i++) {
        uint64_t word = word_of(seed, i);
        if (memcmp(page + i * sizeof word, &word, sizeof word) != 0)
            return false;
    }
    return true;
}
