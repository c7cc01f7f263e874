/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon.c - the public API: a connection to a daemon's control socket, and lines over it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/unix.h"

#include <tmem/control.h>

#define SYSTEM_PATH "/run/tmem/control.sock"
#define CONNECT_WAIT_MS 5000u
#define INPUT_BYTES 4096u /* to begin with; a line may take more */

struct tmem_daemon {
    unsigned magic;
    int socket;
    char *input;
    size_t capacity;
    size_t bytes;
    size_t used; /* of them, the line that was returned last */
};

#define DAEMON_MAGIC 0x74644d4fu

/* ---- connecting ---- */

/* The user's own, where somebody listens there. -1: nobody does. */
static int connect_own(char path[static TM_URI_PATH_BYTES])
{
    const char *directory = geteuid() == 0 ? NULL : getenv("XDG_RUNTIME_DIR");
    if (directory == NULL || directory[0] != '/')
        return -1;
    if (snprintf(path, TM_URI_PATH_BYTES, "%s/tmem/control.sock", directory) >= (int)TM_URI_PATH_BYTES)
        return -1;
    return tm_link_connect(path, SOCK_STREAM, CONNECT_WAIT_MS);
}

static enum tmem_result connect_to(const char *path, int *connected, struct tmem_error *error)
{
    char own[TM_URI_PATH_BYTES];
    if (path != NULL && strlen(path) >= TM_URI_PATH_BYTES) {
        tm_error_set(error, "%.100s...: a socket's path has at most %u bytes", path, TM_URI_PATH_BYTES - 1u);
        return TMEM_INVALID;
    }
    *connected = path == NULL ? connect_own(own) : -1;
    if (*connected < 0) {
        path = path == NULL ? SYSTEM_PATH : path;
        *connected = tm_link_connect(path, SOCK_STREAM, CONNECT_WAIT_MS);
    }
    return *connected >= 0 ? TMEM_OK : tm_wire_public(tm_link_cannot_connect(path, error));
}

enum tmem_result tmem_daemon_open(const char *path, struct tmem_daemon **result, struct tmem_error *error)
{
    int connected;
    if (result == NULL) {
        tm_error_set(error, "no place for the daemon's handle");
        return TMEM_INVALID;
    }
    enum tmem_result outcome = connect_to(path, &connected, error);
    if (outcome != TMEM_OK)
        return outcome;
    struct tmem_daemon *daemon = calloc(1, sizeof *daemon);
    char *input = malloc(INPUT_BYTES);
    if (daemon == NULL || input == NULL) {
        free(daemon);
        free(input);
        (void)close(connected);
        tm_error_set(error, "no memory for a connection");
        return TMEM_NOMEM;
    }
    TM_MAGIC_SET(daemon, DAEMON_MAGIC);
    daemon->socket = connected;
    daemon->input = input;
    daemon->capacity = INPUT_BYTES;
    *result = daemon;
    return TMEM_OK;
}

void tmem_daemon_close(struct tmem_daemon *daemon)
{
    if (daemon == NULL)
        return;
    TM_MAGIC_END(daemon, DAEMON_MAGIC);
    (void)close(daemon->socket);
    free(daemon->input);
    free(daemon);
}

/* ---- asking ---- */

static void attach(struct msghdr *message, char *room, size_t room_bytes, const int *descriptors, size_t count)
{
    memset(room, 0, room_bytes);
    message->msg_control = room;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    TM_ASSERT(head != NULL);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), descriptors, count * sizeof(int));
}

/* Who was turned away finds nobody to take the question, and an answer all the same: so it is no failure here. */
static void send_line(const struct tmem_daemon *daemon, const char *request, const int *descriptors, size_t count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(TMEM_DAEMON_DESCRIPTORS * sizeof(int))];
    } room;
    char end = '\n';
    /* sendmsg() only reads it. */
    struct iovec parts[2] = {{(void *)(uintptr_t)request, strlen(request)}, {&end, 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (count != 0)
        attach(&message, room.bytes, sizeof room.bytes, descriptors, count);
    while (parts[1].iov_len != 0) {
        ssize_t sent = sendmsg(daemon->socket, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR && (errno != EAGAIN || !tm_link_is_ready(daemon->socket, POLLOUT, UINT64_MAX)))
            return;
        if (sent <= 0)
            continue;
        /* The descriptors have gone with the first byte. */
        message.msg_control = NULL;
        message.msg_controllen = 0;
        size_t of_first = (size_t)tm_min_u64((uint64_t)sent, parts[0].iov_len);
        parts[0].iov_base = (char *)parts[0].iov_base + of_first;
        parts[0].iov_len -= of_first;
        parts[1].iov_len -= (size_t)sent - of_first;
    }
}

/* One that is not open would keep the line from being sent, and whoever waits for the answer waiting. */
static bool are_open(const int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fcntl(descriptors[i], F_GETFD) < 0)
            return false;
    return true;
}

enum tmem_result tmem_daemon_ask(struct tmem_daemon *daemon, const char *request, const int *descriptors,
                                 size_t descriptor_count, const char **answer)
{
    if (daemon == NULL || request == NULL || answer == NULL || descriptor_count > TMEM_DAEMON_DESCRIPTORS ||
        (descriptor_count != 0 && descriptors == NULL) || strlen(request) >= TMEM_DAEMON_LINE_BYTES ||
        strchr(request, '\n') != NULL || !are_open(descriptors, descriptor_count))
        return TMEM_INVALID;
    TM_MAGIC_CHECK(daemon, DAEMON_MAGIC);
    send_line(daemon, request, descriptors, descriptor_count);
    return tmem_daemon_next(daemon, -1, answer);
}

/* ---- being answered ---- */

static bool make_room(struct tmem_daemon *daemon)
{
    if (daemon->bytes < daemon->capacity)
        return true;
    char *input = realloc(daemon->input, daemon->capacity * 2u);
    if (input == NULL)
        return false;
    daemon->input = input;
    daemon->capacity *= 2u;
    return true;
}

enum tmem_result tmem_daemon_next(struct tmem_daemon *daemon, int timeout_ms, const char **line)
{
    if (daemon == NULL || line == NULL)
        return TMEM_INVALID;
    TM_MAGIC_CHECK(daemon, DAEMON_MAGIC);
    uint64_t end_ms = timeout_ms < 0 ? UINT64_MAX : tm_link_now_ms() + (uint64_t)timeout_ms;
    size_t searched = 0;
    daemon->bytes -= daemon->used;
    memmove(daemon->input, daemon->input + daemon->used, daemon->bytes);
    daemon->used = 0;
    for (;;) {
        char *end = memchr(daemon->input + searched, '\n', daemon->bytes - searched);
        if (end != NULL) {
            *end = '\0';
            daemon->used = (size_t)(end - daemon->input) + 1u;
            *line = daemon->input;
            return TMEM_OK;
        }
        searched = daemon->bytes;
        if (!make_room(daemon))
            return TMEM_NOMEM;
        if (!tm_link_is_ready(daemon->socket, POLLIN, end_ms))
            return TMEM_MISS;
        ssize_t received = recv(daemon->socket, daemon->input + daemon->bytes, daemon->capacity - daemon->bytes, 0);
        if (received > 0)
            daemon->bytes += (size_t)received;
        else if (received == 0 || (errno != EAGAIN && errno != EINTR))
            return TMEM_UNAVAILABLE;
    }
}
