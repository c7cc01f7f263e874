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
    *link = (struct tm_link){.state = TM_LINK_CLOSED, .socket = -1, .wake = -1, .woken = -1};
    if (pthread_mutex_init(&link->lock, NULL) != 0)
        return false;
    if (pthread_mutex_init(&link->asking, NULL) == 0) {
        if (pthread_cond_init(&link->changed, NULL) == 0)
            return true;
        pthread_mutex_destroy(&link->asking);
    }
    pthread_mutex_destroy(&link->lock);
    return false;
}

void tm_link_fini(struct tm_link *link)
{
    TM_ASSERT(link->state == TM_LINK_CLOSED);
    pthread_cond_destroy(&link->changed);
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

/* A connected socket, or -1 with errno set. */
static int connect_to(const char *path, uint64_t end_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    TM_STATIC_ASSERT(sizeof address.sun_path == TM_LINK_PATH_BYTES);
    TM_ASSERT(length < sizeof address.sun_path);
    memcpy(address.sun_path, path, length);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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

static enum tm_wire_result cannot_connect(const char *path, struct tmem_error *error)
{
    int cause = errno;
    char text[64] = "";
    tm_error_set(error, "cannot connect to %s: %s (%s)", path, strerror_r(cause, text, sizeof text),
                 remedy_for(cause));
    return cause == EACCES || cause == EPERM ? TM_WIRE_DENIED : TM_WIRE_UNAVAILABLE;
}

enum tm_wire_result tm_link_try(const char *path, unsigned wait_ms, struct tmem_error *error)
{
    int fd = connect_to(path, tm_link_now_ms() + wait_ms);
    if (fd < 0)
        return cannot_connect(path, error);
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
        place->next_free = link->place_count + 1u;
    }
    link->first_free = 0;
    link->free_count = count;
    return true;
}

/* @fd: the memory; stays the caller's. */
static enum tm_wire_result map(struct tm_link *link, int fd, const struct tm_wire_welcome *welcome,
                               struct tmem_error *error)
{
    const struct tm_wire_sizes sizes = welcome->sizes;
    if (!is_sealed(fd, welcome->memory_bytes)) {
        tm_error_set(error, "the daemon's shared memory is not as agreed (another version? restart tmemd)");
        return TM_WIRE_UNAVAILABLE;
    }
    if (!create_places(link, sizes.entries < sizes.slots ? sizes.entries : sizes.slots)) {
        tm_error_set(error, "no memory");
        return TM_WIRE_NOMEM;
    }
    size_t bytes = (size_t)welcome->memory_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
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
    enum tm_wire_result result = map(link, descriptors[0], welcome, error);
    if (result != TM_WIRE_OK)
        return result;
    link->wake = descriptors[1];
    link->woken = descriptors[2];
    /* Whatever they are: nobody here ever waits for the daemon in a read or a write. */
    for (int i = 1; i <= 2; i++)
        (void)fcntl(descriptors[i], F_SETFL, fcntl(descriptors[i], F_GETFL) | O_NONBLOCK);
    link->version = welcome->head.version;
    link->features = welcome->features;
    link->has_reaper = false;
    link->sleepers = 0;
    link->spin_credit = TM_LINK_SPIN_CREDIT_FIRST;
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
    question.hello.features = TM_WIRE_STORED_PAGES;
    enum tm_wire_result result =
        tm_link_exchange(fd, &question, TM_WIRE_WELCOME, answer, descriptors, (int)wait_ms);
    if (result == TM_WIRE_UNAVAILABLE)
        tm_error_set(error, "the daemon does not answer as it should (is it tmemd that listens there?)");
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
    int fd = connect_to(path, tm_link_now_ms() + wait_ms);
    if (fd < 0)
        return cannot_connect(path, error);
    enum tm_wire_result result = greet(fd, hello, wait_ms, link->questions++, &answer, descriptors, error);
    if (result == TM_WIRE_OK) {
        *welcome = answer.welcome;
        result = enter(link, descriptors, welcome, error);
        close(descriptors[0]);
    }
    if (result != TM_WIRE_OK) {
        close(fd);
        for (int i = 1; i <= 2; i++)
            if (descriptors[i] >= 0)
                close(descriptors[i]);
        return result;
    }
    link->socket = fd;
    pthread_mutex_lock(&link->lock);
    link->state = TM_LINK_RESTORING;
    pthread_mutex_unlock(&link->lock);
    return TM_WIRE_OK;
}

void tm_link_publish(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    if (link->state == TM_LINK_RESTORING)
        link->state = TM_LINK_OPEN;
    pthread_mutex_unlock(&link->lock);
}

bool tm_link_is_open(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool is_open = link->state == TM_LINK_OPEN;
    pthread_mutex_unlock(&link->lock);
    return is_open;
}

uint32_t tm_link_features(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    uint32_t features = link->state == TM_LINK_OPEN ? link->features : 0;
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
    if (link->state == TM_LINK_OPEN || link->state == TM_LINK_RESTORING) {
        link->state = TM_LINK_BROKEN;
        /* Wakes whoever sleeps until the daemon says something. */
        (void)shutdown(link->socket, SHUT_RDWR);
        for (uint32_t i = 0; i < link->place_count; i++)
            pthread_cond_broadcast(&link->places[i].answered);
        pthread_cond_broadcast(&link->changed);
    }
    pthread_mutex_unlock(&link->lock);
}

void tm_link_close(struct tm_link *link)
{
    pthread_mutex_lock(&link->lock);
    TM_ASSERT(link->state == TM_LINK_BROKEN || link->state == TM_LINK_CLOSED);
    while (link->in_use > 0)
        pthread_cond_wait(&link->changed, &link->lock);
    bool is_open = link->state == TM_LINK_BROKEN;
    link->state = TM_LINK_CLOSED;
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
