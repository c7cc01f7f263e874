/* SPDX-License-Identifier: BSD-2-Clause */
/* control_line.c - see control_line.h. */
#include "daemon/control_line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/atomic.h"

/* How long the rest of a line may take, and how long somebody may take no answer. */
#define REST_MS 5000
#define ANSWER_SECONDS 5

void tm_control_line_init(struct tm_control_line *line, int socket)
{
    const struct timeval patience = {ANSWER_SECONDS, 0};
    line->socket = socket;
    line->is_cut = false;
    line->bytes = 0;
    line->used = 0;
    line->descriptor_count = 0;
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static void close_descriptors(struct tm_control_line *line)
{
    for (unsigned i = 0; i < line->descriptor_count; i++)
        if (line->descriptors[i] >= 0)
            (void)close(line->descriptors[i]);
    line->descriptor_count = 0;
}

void tm_control_line_fini(struct tm_control_line *line)
{
    close_descriptors(line);
    (void)close(line->socket);
}

bool tm_control_line_is_open(const struct tm_control_line *line)
{
    /* Hung up is POLLHUP: one who only says that there are no more questions still listens. */
    struct pollfd wait = {line->socket, 0, 0};
    return !tm_load_relaxed(&line->is_cut) && poll(&wait, 1, 0) == 0;
}

void tm_control_line_cut(struct tm_control_line *line)
{
    tm_store_relaxed(&line->is_cut, true);
    (void)shutdown(line->socket, SHUT_RDWR);
}

/* False: more came than there is room for; those that fit are closed with the line. */
static bool keep_descriptors(struct tm_control_line *line, struct msghdr *message)
{
    bool fits = (message->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(head) + i * sizeof(int), sizeof descriptor);
            if (line->descriptor_count < TM_CONTROL_DESCRIPTORS)
                line->descriptors[line->descriptor_count++] = descriptor;
            else {
                (void)close(descriptor);
                fits = false;
            }
        }
    }
    return fits;
}

static enum tm_control_heard receive(struct tm_control_line *line)
{
    struct iovec part = {line->input + line->bytes, sizeof line->input - line->bytes};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(TM_CONTROL_DESCRIPTORS * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct pollfd wait = {line->socket, POLLIN, 0};
    int ready;
    do
        ready = poll(&wait, 1, line->bytes != 0 ? REST_MS : -1);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return TM_CONTROL_HEARD_HALF;
    ssize_t received = recvmsg(line->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (received <= 0)
        return received < 0 && (errno == EINTR || errno == EAGAIN) ? TM_CONTROL_HEARD_LINE : TM_CONTROL_HEARD_END;
    line->bytes += (size_t)received;
    return keep_descriptors(line, &message) ? TM_CONTROL_HEARD_LINE : TM_CONTROL_HEARD_TOO_MANY;
}

enum tm_control_heard tm_control_line_next(struct tm_control_line *line, const char **text, size_t *bytes)
{
    line->bytes -= line->used;
    memmove(line->input, line->input + line->used, line->bytes);
    /* What has come with a line that is only begun is that line's. */
    if (line->used != 0)
        close_descriptors(line);
    line->used = 0;
    for (;;) {
        char *end = memchr(line->input, '\n', line->bytes);
        if (end != NULL) {
            line->used = (size_t)(end - line->input) + 1u;
            *text = line->input;
            *bytes = line->used - 1u;
            return TM_CONTROL_HEARD_LINE;
        }
        if (line->bytes == sizeof line->input)
            return TM_CONTROL_HEARD_TOO_LONG;
        enum tm_control_heard heard = receive(line);
        if (heard != TM_CONTROL_HEARD_LINE)
            return heard;
    }
}

bool tm_control_line_send(struct tm_control_line *line, const char *text, size_t bytes)
{
    while (bytes > 0 && !tm_load_relaxed(&line->is_cut)) {
        ssize_t sent = send(line->socket, text, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0) {
            /* Nor is anything else said to him: half a line may be out. */
            tm_control_line_cut(line);
            return false;
        }
        text += sent;
        bytes -= (size_t)sent;
    }
    return bytes == 0;
}
