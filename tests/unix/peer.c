/* SPDX-License-Identifier: BSD-2-Clause */
/* peer.c - see peer.h. */
#include "tests/unix/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tmem/tmem.h>
#include <unistd.h>

#include "wire/message.h"
#include "wire/request.h"
#include "wire/ring.h"

#define SESSIONS 64u
#define POOLS 32u
#define HOLD_MOST 64u

#define NEED(condition)                                                                   \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "peer: %s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

/* A client, connected or remembered. */
struct session {
    bool is_used;
    int socket; /* -1: remembered */
    int wake, woken;
    unsigned char *memory;
    struct tm_wire_places where;
    struct tm_ring requests, answers;
    struct tm_wire_bounds bounds;
    struct tm_wire_token token;
    char name[TM_WIRE_NAME_BYTES];
    struct tmem_client *client;
    struct tmem_pool *pool[POOLS];
    uint32_t pool_flags[POOLS];
};

struct peer {
    struct peer_manners manners;
    char path[104];
    int listener;
    _Atomic bool is_over;
    pthread_t thread;
    struct tmem_store *store;
    uint64_t tokens;
    struct session session[SESSIONS];
};

/* ---- requests ---- */

static struct tmem_pool **find_pool(struct session *session, uint64_t id)
{
    for (unsigned i = 0; i < POOLS; i++)
        if (session->pool[i] != NULL && tmem_pool_id(session->pool[i]) == id)
            return &session->pool[i];
    return NULL;
}

static enum tmem_result create_pool(struct session *session, const struct tm_wire_request *request, uint64_t *id)
{
    struct tmem_uuid uuid = {{request->object[0], request->object[1]}};
    unsigned i = 0;
    while (i < POOLS && session->pool[i] != NULL)
        i++;
    if (i == POOLS)
        return TMEM_REFUSED;
    bool is_shared = (request->index & TM_WIRE_POOL_SHARED) != 0;
    enum tmem_result result =
        tmem_pool_create(session->client, request->index, is_shared ? &uuid : NULL, &session->pool[i]);
    session->pool_flags[i] = request->index;
    *id = result == TMEM_OK ? tmem_pool_id(session->pool[i]) : 0;
    return result;
}

static enum tmem_result get_stored(struct tmem_pool *pool, const struct tmem_object_id *object,
                                   const struct tm_wire_request *request, unsigned char *page,
                                   struct tm_wire_answer *answer)
{
    struct tmem_stored stored;
    enum tmem_result result = tmem_get_stored(pool, object, request->index, &stored);
    if (result != TMEM_OK)
        return result;
    memcpy(page, stored.bytes, stored.size_bytes);
    answer->value = tm_wire_stored(stored.codec, stored.size_bytes);
    answer->check = stored.check;
    return TMEM_OK;
}

static enum tmem_result perform(struct session *session, const struct tm_wire_request *request,
                                struct tm_wire_answer *answer)
{
    struct tmem_object_id object = {{request->object[0], request->object[1], request->object[2]}};
    unsigned char *page = session->memory + session->where.slots + request->place;
    unsigned char copy[TM_PAGE_BYTES];
    if (request->operation == TM_WIRE_POOL_CREATE)
        return create_pool(session, request, &answer->value);
    struct tmem_pool **pool = find_pool(session, request->pool);
    if (pool == NULL)
        return TMEM_NOT_FOUND;
    switch (request->operation) {
    case TM_WIRE_PUT:
        memcpy(copy, page, sizeof copy);
        return tmem_put(*pool, &object, request->index, copy, request->flags);
    case TM_WIRE_GET:
        return tmem_get(*pool, &object, request->index, page, (enum tmem_get_mode)request->flags);
    case TM_WIRE_GET_STORED:
        return get_stored(*pool, &object, request, page, answer);
    case TM_WIRE_INVALIDATE_PAGE:
        return tmem_invalidate_page(*pool, &object, request->index);
    case TM_WIRE_INVALIDATE_OBJECT:
        return tmem_invalidate_object(*pool, &object);
    case TM_WIRE_POOL_DESTROY:
        tmem_pool_destroy(*pool);
        *pool = NULL;
        return TMEM_OK;
    default:
        return TMEM_UNSUPPORTED;
    }
}

static void write_answer(struct session *session, const struct tm_wire_answer *answer)
{
    /* Who answers more than he was asked has to wait for room. */
    for (unsigned tries = 0; tm_ring_room(&session->answers, 1) == 0; tries++) {
        NEED(tries < 100000);
        usleep(20);
    }
    tm_ring_write(&session->answers, answer);
    tm_ring_publish(&session->answers);
    struct tm_wire_head *head = (struct tm_wire_head *)(void *)session->memory;
    if (tm_sleep_must_wake(&head->client))
        NEED(write(session->woken, "", 1) == 1);
}

static void answer_request(struct peer *peer, struct session *session, const struct tm_wire_request *request)
{
    struct tm_wire_answer answer = {.tag = request->tag};
    unsigned late_us = atomic_load(&peer->manners.late_us);
    enum tm_wire_result judged = tm_request_judge(request, &session->bounds);
    NEED(judged == TM_WIRE_OK);
    answer.result = (uint32_t)perform(session, request, &answer);
    if (late_us != 0)
        usleep(late_us);
    if (atomic_exchange(&peer->manners.has_bad_results, false))
        answer.result = TM_WIRE_RESULT_COUNT;
    if (atomic_load(&peer->manners.has_strangers)) {
        const struct tm_wire_answer strangers[] = {
            {.tag = UINT64_MAX}, {.tag = request->tag + (1u << 16)}, {.tag = request->tag ^ 0xffffu, .result = 77}};
        for (unsigned i = 0; i < sizeof strangers / sizeof *strangers; i++)
            write_answer(session, &strangers[i]);
        write_answer(session, &answer);
        answer.result = TM_WIRE_DENIED;
    }
    write_answer(session, &answer);
}

static void hang_up(struct session *session);

/* True when there was something to do. */
static bool serve_ring(struct peer *peer, struct session *session)
{
    struct tm_wire_request held[HOLD_MOST];
    unsigned hold = atomic_load(&peer->manners.hold);
    unsigned count = 0;
    while (count < (hold != 0 ? hold : 1u) && tm_ring_waiting(&session->requests, 1) > 0) {
        tm_ring_take(&session->requests, &held[count++]);
        tm_ring_publish(&session->requests);
        atomic_fetch_add(&peer->manners.requests, 1);
        unsigned left = atomic_load(&peer->manners.die_after);
        if (left != 0 && atomic_fetch_sub(&peer->manners.die_after, 1) == 1) {
            for (unsigned i = 0; i < SESSIONS; i++)
                hang_up(&peer->session[i]);
            return false;
        }
    }
    NEED(session->requests.state == TM_RING_OK);
    if (count > 0 && atomic_exchange(&peer->manners.has_bad_counts, false)) {
        struct tm_wire_head *head = (struct tm_wire_head *)(void *)session->memory;
        const uint64_t one = 1;
        tm_store_release(&head->answered.count, 1u << 30);
        NEED(write(session->woken, &one, sizeof one) == sizeof one);
        return false;
    }
    for (unsigned i = count; i > 0; i--)
        answer_request(peer, session, &held[i - 1u]);
    return count > 0;
}

/* ---- messages ---- */

static void send_message(int to, const union tm_wire_any *any, const int *descriptors, unsigned count)
{
    union {
        struct cmsghdr aligned;
        unsigned char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec vector = {.iov_len = any->head.bytes};
    memcpy(&vector.iov_base, &(const void *){any}, sizeof vector.iov_base);
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(part), descriptors, count * sizeof(int));
    }
    (void)!sendmsg(to, &header, MSG_NOSIGNAL);
}

static void refuse(int to, uint32_t number, enum tm_wire_result result, const char *text)
{
    union tm_wire_any any;
    tm_message_begin(&any, TM_WIRE_FAILED, 1, number);
    any.failed.result = result;
    snprintf(any.failed.text, sizeof any.failed.text, "%s", text);
    send_message(to, &any, NULL, 0);
}

/* Who shows a token gets what it stands for. NULL: the name is somebody's. */
static struct session *find_session(struct peer *peer, const struct tm_wire_hello *hello, bool *is_claimed)
{
    struct session *unused = NULL;
    static const struct tm_wire_token none;
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *session = &peer->session[i];
        if (!session->is_used) {
            unused = session;
            continue;
        }
        bool is_his = memcmp(&session->token, &hello->token, sizeof none) == 0 &&
                      memcmp(&hello->token, &none, sizeof none) != 0;
        if (session->socket < 0 && is_his) {
            *is_claimed = true;
            return session;
        }
        if (strcmp(session->name, hello->name) == 0)
            return NULL;
    }
    NEED(unused != NULL);
    struct tmem_client_options options = {hello->weight, 0, hello->cap_bytes};
    *unused = (struct session){.is_used = true, .socket = -1};
    memcpy(unused->name, hello->name, sizeof unused->name);
    NEED(tmem_client_create(peer->store, hello->name, &options, &unused->client) == TMEM_OK);
    *is_claimed = false;
    return unused;
}

static void welcome(struct peer *peer, int socket, const struct tm_wire_hello *hello)
{
    union tm_wire_any any;
    bool is_claimed;
    struct session *session = find_session(peer, hello, &is_claimed);
    if (session == NULL) {
        refuse(socket, hello->head.number, TM_WIRE_EXISTS, "the name is taken");
        close(socket);
        return;
    }
    tm_message_begin(&any, TM_WIRE_WELCOME, 1, hello->head.number);
    any.welcome.features = hello->features & TM_WIRE_STORED_PAGES;
    any.welcome.claimed = is_claimed;
    any.welcome.sizes = (struct tm_wire_sizes){64, 16};
    session->where = tm_wire_places(&any.welcome.sizes);
    any.welcome.memory_bytes = session->where.bytes;
    memcpy(any.welcome.name, session->name, sizeof any.welcome.name);
    peer->tokens++;
    memcpy(session->token.bytes, &peer->tokens, sizeof peer->tokens);
    any.welcome.token = session->token;
    int memory = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    NEED(memory >= 0 && ftruncate(memory, (off_t)session->where.bytes) == 0);
    if (!atomic_load(&peer->manners.has_open_memory))
        NEED(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    session->memory = mmap(NULL, session->where.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    NEED(session->memory != MAP_FAILED);
    session->socket = socket;
    session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int ends[2];
    NEED(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    session->woken = ends[1];
    struct tm_wire_head *head = (struct tm_wire_head *)(void *)session->memory;
    tm_ring_init(&session->requests, session->memory + session->where.requests, sizeof(struct tm_wire_request), 64,
                 &head->accepted.count, &head->submitted.count);
    tm_ring_init(&session->answers, session->memory + session->where.answers, sizeof(struct tm_wire_answer), 64,
                 &head->answered.count, &head->seen.count);
    session->bounds = (struct tm_wire_bounds){.features = any.welcome.features};
    session->bounds.region_bytes[0] = UINT64_C(16) * TM_PAGE_BYTES;
    const int descriptors[] = {memory, session->wake, ends[0]};
    send_message(socket, &any, descriptors, 3);
    close(memory);
    close(ends[0]);
    atomic_fetch_add(&peer->manners.connections, 1);
}

static void accept_one(struct peer *peer)
{
    union tm_wire_any any;
    int socket = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
    if (socket < 0)
        return;
    ssize_t bytes = recv(socket, &any, sizeof any, 0);
    if (bytes <= 0 || !tm_message_judge(&any, (size_t)bytes, 0, TM_WIRE_FROM_CLIENT)) {
        close(socket); /* who only looked whether somebody listens */
        return;
    }
    if (atomic_load(&peer->manners.has_bad_hello)) {
        (void)!send(socket, "what?", 5, MSG_NOSIGNAL);
        close(socket);
        return;
    }
    NEED(any.head.kind == TM_WIRE_HELLO);
    welcome(peer, socket, &any.hello);
}

/* The connection ends; ephemeral pools go, persistent ones wait for the token. */
static void hang_up(struct session *session)
{
    if (!session->is_used || session->socket < 0)
        return;
    munmap(session->memory, session->where.bytes);
    close(session->socket);
    close(session->wake);
    close(session->woken);
    session->socket = -1;
    for (unsigned i = 0; i < POOLS; i++) {
        if (session->pool[i] != NULL && (session->pool_flags[i] & TM_WIRE_POOL_PERSISTENT) == 0) {
            tmem_pool_destroy(session->pool[i]);
            session->pool[i] = NULL;
        }
    }
}

static void leave(struct session *session, uint32_t number)
{
    union tm_wire_any any;
    tmem_client_destroy(session->client);
    memset(session->pool, 0, sizeof session->pool);
    tm_message_begin(&any, TM_WIRE_DONE, 1, number);
    send_message(session->socket, &any, NULL, 0);
    hang_up(session);
    *session = (struct session){.is_used = false};
}

static void walk(struct session *session, struct tmem_pool *pool, const struct tm_wire_walk *question)
{
    union tm_wire_any any;
    struct tmem_key keys[TM_WIRE_KEYS_MAX];
    struct tmem_cursor cursor;
    size_t count;
    tm_message_begin(&any, TM_WIRE_WALKED, 1, question->head.number);
    memcpy(cursor.position, question->position, sizeof cursor.position);
    any.walked.at_end = tmem_walk(pool, &cursor, keys, TM_WIRE_KEYS_MAX, &count) == TMEM_MISS;
    memcpy(any.walked.position, cursor.position, sizeof any.walked.position);
    any.walked.count = (uint32_t)count;
    memcpy(any.walked.keys, keys, count * sizeof *keys);
    any.head.bytes += (uint32_t)(count * sizeof *keys);
    send_message(session->socket, &any, NULL, 0);
}

static void count(struct peer *peer, struct session *session, struct tmem_pool *pool,
                  const struct tm_wire_statistics *question)
{
    union tm_wire_any any;
    void *words = any.counted.words;
    tm_message_begin(&any, TM_WIRE_COUNTED, 1, question->head.number);
    any.counted.subject = question->subject;
    size_t bytes = sizeof(struct tmem_store_stats);
    if (question->subject == TM_WIRE_OF_STORE) {
        NEED(tmem_store_stats(peer->store, words, bytes) == TMEM_OK);
    } else if (question->subject == TM_WIRE_OF_CLIENT) {
        bytes = sizeof(struct tmem_client_stats);
        NEED(tmem_client_stats(session->client, words, bytes) == TMEM_OK);
    } else {
        bytes = sizeof(struct tmem_pool_stats);
        NEED(tmem_pool_stats(pool, words, bytes) == TMEM_OK);
    }
    any.counted.count = (uint32_t)(bytes / sizeof(uint64_t));
    any.head.bytes += (uint32_t)bytes;
    send_message(session->socket, &any, NULL, 0);
}

static void answer_message(struct peer *peer, struct session *session)
{
    union tm_wire_any any;
    ssize_t bytes = recv(session->socket, &any, sizeof any, MSG_DONTWAIT);
    if (bytes <= 0) {
        hang_up(session);
        return;
    }
    NEED(tm_message_judge(&any, (size_t)bytes, 0, TM_WIRE_FROM_CLIENT));
    if (any.head.kind == TM_WIRE_LEAVE) {
        leave(session, any.head.number);
        return;
    }
    uint64_t id = any.head.kind == TM_WIRE_STATISTICS ? any.statistics.pool : any.pool.pool;
    struct tmem_pool **pool = find_pool(session, id);
    bool needs_pool = any.head.kind != TM_WIRE_STATISTICS || any.statistics.subject == TM_WIRE_OF_POOL;
    if (needs_pool && pool == NULL) {
        refuse(session->socket, any.head.number, TM_WIRE_NOT_FOUND, "no such pool");
    } else if (any.head.kind == TM_WIRE_STATISTICS) {
        const struct tm_wire_statistics question = any.statistics;
        count(peer, session, pool == NULL ? NULL : *pool, &question);
    } else if (any.head.kind == TM_WIRE_WALK) {
        const struct tm_wire_walk question = any.walk;
        walk(session, *pool, &question);
    } else {
        tm_message_begin(&any, TM_WIRE_DONE, 1, any.head.number);
        send_message(session->socket, &any, NULL, 0);
    }
}

/* ---- the thread ---- */

static struct tm_wire_sleep *sleep_of(struct session *session)
{
    return &((struct tm_wire_head *)(void *)session->memory)->daemon;
}

static bool serve_rings(struct peer *peer)
{
    bool is_busy = false;
    for (unsigned i = 0; i < SESSIONS; i++)
        if (peer->session[i].is_used && peer->session[i].socket >= 0)
            is_busy = serve_ring(peer, &peer->session[i]) || is_busy;
    return is_busy;
}

/* As the format says: announces it, looks once more, sleeps. */
static void sleep_a_little(struct peer *peer, struct pollfd fds[1u + 2u * SESSIONS])
{
    fds[0] = (struct pollfd){peer->listener, POLLIN, 0};
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *session = &peer->session[i];
        bool is_there = session->is_used && session->socket >= 0;
        fds[1u + 2u * i] = (struct pollfd){is_there ? session->socket : -1, POLLIN, 0};
        fds[2u + 2u * i] = (struct pollfd){is_there ? session->wake : -1, POLLIN, 0};
        if (is_there)
            tm_sleep_begin(sleep_of(session));
    }
    (void)!poll(fds, 1u + 2u * SESSIONS, serve_rings(peer) ? 0 : 20);
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *session = &peer->session[i];
        uint64_t woken;
        if (!session->is_used || session->socket < 0)
            continue;
        tm_sleep_end(sleep_of(session));
        (void)!read(session->wake, &woken, sizeof woken);
    }
}

static void *run(void *user)
{
    struct peer *peer = user;
    struct pollfd fds[1u + 2u * SESSIONS];
    while (!atomic_load(&peer->is_over)) {
        if (serve_rings(peer))
            continue;
        sleep_a_little(peer, fds);
        for (unsigned i = 0; i < SESSIONS; i++)
            if (fds[1u + 2u * i].revents != 0 && peer->session[i].socket == fds[1u + 2u * i].fd)
                answer_message(peer, &peer->session[i]);
        if (fds[0].revents != 0)
            accept_one(peer);
    }
    return NULL;
}

static void listen_at(struct peer *peer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, peer->path, strlen(peer->path));
    peer->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    NEED(peer->listener >= 0);
    NEED(bind(peer->listener, (const struct sockaddr *)&address, sizeof address) == 0);
    NEED(listen(peer->listener, 16) == 0);
    atomic_store(&peer->is_over, false);
    NEED(pthread_create(&peer->thread, NULL, run, peer) == 0);
}

static void open_store(struct peer *peer)
{
    NEED(tmem_open("embedded:size=32M", &peer->store, NULL) == TMEM_OK);
}

struct peer *peer_create(void)
{
    static unsigned number;
    const char *folder = getenv("TMPDIR");
    struct peer *peer = calloc(1, sizeof *peer);
    NEED(peer != NULL);
    snprintf(peer->path, sizeof peer->path, "%s/peer-%d-%u", folder != NULL && *folder != 0 ? folder : "/tmp",
             (int)getpid(), number++);
    open_store(peer);
    listen_at(peer);
    return peer;
}

const char *peer_path(const struct peer *peer)
{
    return peer->path;
}

struct peer_manners *peer_manners(struct peer *peer)
{
    return &peer->manners;
}

void peer_stop(struct peer *peer)
{
    atomic_store(&peer->is_over, true);
    pthread_join(peer->thread, NULL);
    for (unsigned i = 0; i < SESSIONS; i++)
        hang_up(&peer->session[i]);
    close(peer->listener);
    unlink(peer->path);
}

void peer_start(struct peer *peer, bool has_forgotten)
{
    if (has_forgotten) {
        memset(peer->session, 0, sizeof peer->session);
        tmem_close(peer->store);
        open_store(peer);
    }
    listen_at(peer);
}

void peer_destroy(struct peer *peer)
{
    peer_stop(peer);
    tmem_close(peer->store);
    free(peer);
}
