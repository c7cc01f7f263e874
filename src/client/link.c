/* SPDX-License-Identifier: BSD-2-Clause */
/* link.c - how a connection to the daemon begins and ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/link.h"
#include "client/uri.h"

#define RETRY_NS 5000000 /* while the daemon has no room for one more who waits to be accepted */

bool tm_link_init(struct tm_link *link)
{
    pthread_mutex_t *const mutexes[] = {&link->lock, &link->asking, &link->sending};
    size_t made = 0;
    *link = (struct tm_link){.state = TM_LINK_CLOSED, .socket = -1, .wake = -1, .woken = -1};
    while (made < TM_ARRAY_SIZE(mutexes) && pthread_mutex_init(mutexes[made], NULL) == 0)
        made++;
    if (made == TM_ARRAY_SIZE(mutexes) && pthread_cond_init(&link->changed, NULL) == 0)
        return true;
    while (made > 0)
        pthread_mutex_destroy(mutexes[--made]);
    return false;
}

void tm_link_fini(struct tm_link *link)
{
    TM_ASSERT(tm_load_relaxed(&link->state) == TM_LINK_CLOSED);
    pthread_cond_destroy(&link->changed);
    pthread_mutex_destroy(&link->sending);
    pthread_mutex_destroy(&link->asking);
    pthread_mutex_destroy(&link->lock);
}

/* ---- connecting ---- */

static const char *remedy_for(int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return "is the daemon running? try: tmemd --foreground";
    case EACCES:
    case EPERM:
        return "is this user allowed to? see the socket's permission";
    case EAGAIN:
        return "the daemon is too busy to accept anybody";
    default:
        return "is it a daemon's socket?";
    }
}

int tm_link_connect(const char *path, int type, unsigned wait_ms)
{
    uint64_t end_ms = tm_link_now_ms() + wait_ms;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    TM_STATIC_ASSERT(sizeof address.sun_path == TM_LINK_PATH_BYTES);
    TM_ASSERT(length < sizeof address.sun_path);
    memcpy(address.sun_path, path, length);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || tm_link_now_ms() >= end_ms) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        const struct timespec briefly = {0, RETRY_NS};
        nanosleep(&briefly, NULL);
    }
    return fd;
}

enum tm_wire_result tm_link_cannot_connect(const char *path, struct tmem_error *error)
{
    int cause = errno;
    char text[64] = "";
    tm_error_set(error, "cannot connect to %s: %s (%s)", path, strerror_r(cause, text, sizeof text),
                 remedy_for(cause));
    return cause == EACCES || cause == EPERM ? TM_WIRE_DENIED : TM_WIRE_UNAVAILABLE;
}

enum tm_wire_result tm_link_try(const char *path, unsigned wait_ms, struct tmem_error *error)
{
    int fd = tm_link_connect(path, SOCK_SEQPACKET, wait_ms);
    if (fd < 0)
        return tm_link_cannot_connect(path, error);
    close(fd);
    return TM_WIRE_OK;
}

/* ---- what the daemon gives ---- */

/* Memory that could be cut short while it is in use would end this process. */
static bool is_sealed(int fd, uint64_t bytes)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(fd, &status) == 0 && status.st_size >= 0 &&
           (uint64_t)status.st_size >= bytes;
}

/* It is waited for by reading, and ends with the daemon: not everything that can be read does. */
static bool is_pipe(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

static void destroy_places(struct tm_link *link)
{
    for (uint32_t i = 0; i < link->place_count; i++)
        pthread_cond_destroy(&link->places[i].answered);
    free(link->places);
    link->places = NULL;
    link->place_count = 0;
}

static bool create_places(struct tm_link *link, uint32_t count)
{
    link->places = calloc(count, sizeof *link->places);
    if (link->places == NULL)
        return false;
    for (; link->place_count < count; link->place_count++) {
        struct tm_link_place *place = &link->places[link->place_count];
        if (pthread_cond_init(&place->answered, NULL) != 0) {
            destroy_places(link);
            return false;
        }
        place->tag = link->place_count;
    }
    return true;
}

static uint64_t all_places(const struct tm_link *link)
{
    return UINT64_MAX >> (TM_LINK_PLACES_MAX - link->place_count);
}

/* @descriptors: what the daemon sent; they stay the caller's. */
static enum tm_wire_result map(struct tm_link *link, const int *descriptors, const struct tm_wire_welcome *welcome,
                               struct tmem_error *error)
{
    const struct tm_wire_sizes sizes = welcome->sizes;
    if (!is_sealed(descriptors[0], welcome->memory_bytes) || !is_pipe(descriptors[2])) {
        tm_error_set(error, "what the daemon shares is not as agreed (another version? restart tmemd)");
        return TM_WIRE_UNAVAILABLE;
    }
    uint64_t places = tm_min_u64(tm_min_u64(sizes.entries, sizes.slots), TM_LINK_PLACES_MAX);
    if (!create_places(link, (uint32_t)places)) {
        tm_error_set(error, "no memory");
        return TM_WIRE_NOMEM;
    }
    size_t bytes = (size_t)welcome->memory_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[0], 0);
    if (memory == MAP_FAILED) {
        destroy_places(link);
        tm_error_set(error, "no memory to share with the daemon (is a limit set? see ulimit -v)");
        return TM_WIRE_NOMEM;
    }
    /* Neither a child nor a core dump has any use for it. */
    (void)madvise(memory, bytes, MADV_DONTFORK);
    (void)madvise(memory, bytes, MADV_DONTDUMP);
    struct tm_wire_head *head = memory;
    link->memory = memory;
    link->where = tm_wire_places(&sizes);
    tm_ring_init(&link->requests, link->memory + link->where.requests, sizeof(struct tm_wire_request),
                 sizes.entries, &head->submitted.count, &head->accepted.count);
    tm_ring_init(&link->answers, link->memory + link->where.answers, sizeof(struct tm_wire_answer), sizes.entries,
                 &head->seen.count, &head->answered.count);
    return TM_WIRE_OK;
}

static enum tm_wire_result enter(struct tm_link *link, const int *descriptors,
                                 const struct tm_wire_welcome *welcome, struct tmem_error *error)
{
    if (welcome->head.version < TM_WIRE_VERSION_MIN || welcome->head.version > TM_WIRE_VERSION_MAX) {
        tm_error_set(error, "the daemon speaks version %u of the format, this library %u to %u (restart tmemd)",
                     welcome->head.version, TM_WIRE_VERSION_MIN, TM_WIRE_VERSION_MAX);
        return TM_WIRE_UNSUPPORTED;
    }
    enum tm_wire_result result = map(link, descriptors, welcome, error);
    if (result != TM_WIRE_OK)
        return result;
    link->wake = descriptors[1];
    link->woken = descriptors[2];
    /* Whatever they are: one is written without waiting, the other is waited for by reading. */
    (void)fcntl(link->wake, F_SETFL, fcntl(link->wake, F_GETFL) | O_NONBLOCK);
    (void)fcntl(link->woken, F_SETFL, fcntl(link->woken, F_GETFL) & ~O_NONBLOCK);
    link->version = welcome->head.version;
    link->features = welcome->features;
    /* Where there is one CPU, looking for answers keeps the daemon from writing some. */
    link->may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    link->spin_credit = TM_LINK_SPIN_CREDIT_FIRST;
    link->sleeps = 0;
    link->tried_ns = 0;
    return TM_WIRE_OK;
}

static enum tm_wire_result greet(int fd, const struct tm_wire_hello *hello, unsigned wait_ms, uint32_t number,
                                 union tm_wire_any *answer, int *descriptors, struct tmem_error *error)
{
    union tm_wire_any question;
    tm_message_begin(&question, TM_WIRE_HELLO, TM_WIRE_VERSION_MIN, number);
    struct tm_wire_message head = question.head;
    question.hello = *hello;
    question.hello.head = head;
    question.hello.newest_version = TM_WIRE_VERSION_MAX;
    question.hello.features = TM_WIRE_FEATURES;
    enum tm_wire_result result =
        tm_link_exchange(fd, &question, -1, TM_WIRE_WELCOME, answer, descriptors, (int)wait_ms);
    if (result == TM_WIRE_UNAVAILABLE)
        tm_error_set(error, "the daemon does not answer as it should (is it tmemd that listens there?)");
    else if (result == TM_LINK_MOVED)
        tm_error_set(error, "the client went to another daemon: %s", answer->moved.path);
    else if (result != TM_WIRE_OK)
        tm_error_set(error, "%s", answer->failed.text);
    return result;
}

enum tm_wire_result tm_link_open(struct tm_link *link, const char *path, const struct tm_wire_hello *hello,
                                 unsigned wait_ms, struct tm_wire_welcome *welcome, struct tmem_error *error)
{
    union tm_wire_any answer;
    int descriptors[4] = {-1, -1, -1, -1};
    TM_ASSERT(link->state == TM_LINK_CLOSED);
    int fd = tm_link_connect(path, SOCK_SEQPACKET, wait_ms);
    if (fd < 0)
        return tm_link_cannot_connect(path, error);
    enum tm_wire_result result = greet(fd, hello, wait_ms, link->questions++, &answer, descriptors, error);
    if (result == TM_WIRE_OK) {
        *welcome = answer.welcome;
        result = enter(link, descriptors, welcome, error);
        close(descriptors[0]);
    }
    if (result == TM_LINK_MOVED)
        memcpy(link->moved_to, answer.moved.path, sizeof link->moved_to);
    if (result != TM_WIRE_OK) {
        close(fd);
        for (int i = 1; i <= 2; i++)
            if (descriptors[i] >= 0)
                close(descriptors[i]);
        return result;
    }
    link->socket = fd;
    pthread_mutex_lock(&link->lock);
    tm_store_relaxed(&link->state, TM_LINK_RESTORING);
    pthread_mutex_unlock(&link->lock);
    /* Release: who takes a place finds all of the link as it is now. */
    tm_store_release(&link->free, all_places(link));
    return TM_WIRE_OK;
}

void tm_link_publish(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    if (tm_load_relaxed(&link->state) == TM_LINK_RESTORING)
        tm_store_relaxed(&link->state, TM_LINK_OPEN);
    pthread_mutex_unlock(&link->lock);
}

bool tm_link_is_open(struct tm_link *link)
{
    return tm_load_relaxed(&link->state) == TM_LINK_OPEN;
}

uint32_t tm_link_features(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    uint32_t features = tm_load_relaxed(&link->state) == TM_LINK_OPEN ? link->features : 0;
    pthread_mutex_unlock(&link->lock);
    return features;
}

/* ---- ending ---- */

void tm_link_forget(struct tm_link *link)
{
    int *const descriptors[] = {&link->socket, &link->wake, &link->woken};
    for (size_t i = 0; i < TM_ARRAY_SIZE(descriptors); i++) {
        if (*descriptors[i] >= 0)
            close(*descriptors[i]);
        *descriptors[i] = -1;
    }
}

void tm_link_break(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    uint32_t state = tm_load_relaxed(&link->state);
    if (state == TM_LINK_OPEN || state == TM_LINK_RESTORING) {
        tm_store_relaxed(&link->state, TM_LINK_BROKEN);
        /* The daemon ends what wakes whoever sleeps until it says something. */
        (void)shutdown(link->socket, SHUT_RDWR);
        for (uint32_t i = 0; i < link->place_count; i++)
            pthread_cond_broadcast(&link->places[i].answered);
        pthread_cond_broadcast(&link->changed);
    }
    pthread_mutex_unlock(&link->lock);
}

static bool has_hung_up(int socket)
{
    struct pollfd wait = {socket, POLLRDHUP, 0};
    return poll(&wait, 1, 0) > 0;
}

enum tm_link_health tm_link_health(struct tm_link *link)
{
    enum tm_link_health health = TM_LINK_LOST;
    pthread_mutex_lock(&link->lock);
    uint32_t state = tm_load_relaxed(&link->state);
    if (state == TM_LINK_OPEN && !has_hung_up(link->socket))
        health = TM_LINK_FINE;
    else if (state == TM_LINK_RESTORING ||
             (state == TM_LINK_OPEN && (link->in_use != 0 || tm_load_relaxed(&link->free) != all_places(link))))
        health = TM_LINK_LOST_IN_USE;
    pthread_mutex_unlock(&link->lock);
    if (health == TM_LINK_LOST)
        tm_link_break(link);
    return health;
}

/* Under the lock. When this returns nobody has a place, and nobody gets one. */
static void take_all(struct tm_link *link)
{
    uint64_t taken = 0;
    (void)tm_fetch_add_seq(&link->waiting, 1u);
    while ((taken |= tm_fetch_and_seq(&link->free, 0u)) != all_places(link))
        pthread_cond_wait(&link->changed, &link->lock);
    (void)tm_fetch_sub_relaxed(&link->waiting, 1u);
}

void tm_link_close(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool is_open = tm_load_relaxed(&link->state) == TM_LINK_BROKEN;
    TM_ASSERT(is_open || tm_load_relaxed(&link->state) == TM_LINK_CLOSED);
    while (link->in_use > 0)
        pthread_cond_wait(&link->changed, &link->lock);
    if (is_open)
        take_all(link);
    tm_store_relaxed(&link->state, TM_LINK_CLOSED);
    pthread_mutex_unlock(&link->lock);
    if (!is_open)
        return;
    munmap(link->memory, (size_t)link->where.bytes);
    link->memory = NULL;
    close(link->socket);
    close(link->wake);
    close(link->woken);
    link->socket = link->wake = link->woken = -1;
    destroy_places(link);
}
