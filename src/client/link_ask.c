/* SPDX-License-Identifier: BSD-2-Clause */
/* link_ask.c - questions to the daemon: messages over the socket. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "client/link.h"

#define DESCRIPTORS_MAX 4u /* one more than any message has */

uint64_t tm_link_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

bool tm_link_is_ready(int socket, short events, uint64_t end_ms)
{
    struct pollfd poll_fd = {socket, events, 0};
    for (;;) {
        uint64_t now_ms = tm_link_now_ms();
        int left_ms = end_ms == UINT64_MAX ? -1 : end_ms <= now_ms ? 0
                                                                   : (int)(end_ms - now_ms);
        int count = poll(&poll_fd, 1, left_ms);
        if (count > 0)
            return true;
        if (count == 0 || errno != EINTR)
            return false;
    }
}

/* @descriptor: one that goes along, or -1. */
static bool send_message(int socket, const union tm_wire_any *message, int descriptor, uint64_t end_ms)
{
    union {
        struct cmsghdr aligned;
        unsigned char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    /* sendmsg() only reads it. */
    struct iovec vector = {(void *)(uintptr_t)message, message->head.bytes};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    if (descriptor >= 0) {
        control.aligned = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.aligned), &descriptor, sizeof descriptor);
        header.msg_control = &control;
        header.msg_controllen = sizeof control.bytes;
    }
    for (;;) {
        ssize_t sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            return (size_t)sent == message->head.bytes;
        if (errno == EAGAIN && !tm_link_is_ready(socket, POLLOUT, end_ms))
            return false;
        if (errno != EAGAIN && errno != EINTR)
            return false;
    }
}

/* Takes what came along; returns how many. */
static unsigned take_descriptors(struct msghdr *header, int *descriptors)
{
    unsigned count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        unsigned many = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < many && count < DESCRIPTORS_MAX; i++, count++)
            memcpy(&descriptors[count], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
    }
    return count;
}

/* Bytes received; 0: the daemon hung up, or took too long. */
static size_t receive_message(int socket, union tm_wire_any *message, int *descriptors, unsigned *descriptor_count,
                              uint64_t end_ms)
{
    union {
        struct cmsghdr aligned;
        unsigned char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct iovec vector = {message, sizeof *message};
    *descriptor_count = 0;
    for (;;) {
        struct msghdr header = {
            .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (bytes >= 0) {
            *descriptor_count = take_descriptors(&header, descriptors);
            return (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? 0 : (size_t)bytes;
        }
        if (errno == EAGAIN && !tm_link_is_ready(socket, POLLIN, end_ms))
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return 0;
    }
}

enum tm_wire_result tm_link_exchange(int socket, const union tm_wire_any *question, int descriptor,
                                     enum tm_wire_kind expected, union tm_wire_any *answer, int *descriptors,
                                     int wait_ms)
{
    int received[DESCRIPTORS_MAX];
    unsigned count;
    uint32_t number = question->head.number;
    uint64_t end_ms = wait_ms < 0 ? UINT64_MAX : tm_link_now_ms() + (unsigned)wait_ms;
    if (!send_message(socket, question, descriptor, end_ms))
        return TM_WIRE_UNAVAILABLE;
    memset(answer, 0, sizeof *answer);
    size_t bytes = receive_message(socket, answer, received, &count, end_ms);
    bool is_right = tm_message_judge(answer, bytes, count, TM_WIRE_FROM_DAEMON) && answer->head.number == number;
    if (is_right && answer->head.kind == expected) {
        if (count != 0)
            memcpy(descriptors, received, count * sizeof *received);
        return TM_WIRE_OK;
    }
    for (unsigned i = 0; i < count; i++)
        close(received[i]);
    if (is_right && answer->head.kind == TM_WIRE_MOVED && expected == TM_WIRE_WELCOME)
        return TM_LINK_MOVED;
    if (is_right && answer->head.kind == TM_WIRE_FAILED)
        return (enum tm_wire_result)answer->failed.result;
    return TM_WIRE_UNAVAILABLE;
}

enum tm_wire_result tm_link_ask(struct tm_link *link, union tm_wire_any *question, int descriptor,
                                enum tm_wire_kind expected, union tm_wire_any *answer, bool is_restoring)
{
    pthread_mutex_lock(&link->lock);
    bool is_open = tm_load_relaxed(&link->state) == (is_restoring ? TM_LINK_RESTORING : TM_LINK_OPEN);
    if (is_open)
        link->in_use++;
    pthread_mutex_unlock(&link->lock);
    if (!is_open)
        return TM_WIRE_UNAVAILABLE;
    pthread_mutex_lock(&link->asking);
    question->head.number = link->questions++;
    question->head.version = link->version;
    /* None of the questions but the first brings descriptors: a message with some is not judged right. */
    enum tm_wire_result result = tm_link_exchange(link->socket, question, descriptor, expected, answer, NULL, -1);
    pthread_mutex_unlock(&link->asking);
    /* After a question without an answer nobody knows whose answer comes next. */
    if (result == TM_WIRE_UNAVAILABLE)
        tm_link_break(link);
    pthread_mutex_lock(&link->lock);
    link->in_use--;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
    return result;
}
