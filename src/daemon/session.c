/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - see session.h: the socket, and the end. */
#include "daemon/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/crowd.h"
#include "daemon/log.h"

/* Room for more descriptors than any message has, so that too many are seen, and closed. */
#define DESCRIPTORS_MAX 8u

struct tm_session *tm_session_create(const struct tm_daemon *daemon, int socket, uid_t uid, pid_t pid)
{
    struct tm_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->daemon = daemon;
    session->socket = socket;
    session->wake_daemon = -1;
    session->wake_client = -1;
    session->uid = uid;
    session->pid = pid;
    session->began_ns = tm_now_ns();
    return session;
}

static void close_if_open(int descriptor)
{
    if (descriptor >= 0)
        (void)close(descriptor);
}

void tm_session_destroy(struct tm_session *session, bool disconnects)
{
    bool leaves = disconnects && session->leaves;
    close_if_open(session->wake_daemon);
    close_if_open(session->wake_client);
    for (unsigned i = 1; i <= TM_WIRE_REGIONS_MAX; i++)
        if (session->regions[i].bytes != 0)
            (void)munmap(session->regions[i].base, (size_t)session->regions[i].bytes);
    if (session->head != NULL)
        (void)munmap(session->head, (size_t)session->memory_bytes);
    if (!disconnects && session->tenant != NULL)
        while (tm_tenant_pool_destroy_step(session->tenant, UINT32_MAX)) {
        }
    if (leaves)
        tm_tenant_leave(session->daemon->tenants, session->tenant, session->socket, session->farewell_number);
    else if (session->tenant != NULL && disconnects)
        tm_tenant_disconnect(session->daemon->tenants, session->tenant);
    /* Not before, since until then operators may hang up on it. */
    if (!leaves)
        close_if_open(session->socket);
    tm_crowd_leave(session->daemon->crowd, session->uid);
    free(session);
}

void tm_session_weigh(struct tm_session *session)
{
    struct tmem_client_stats stats;
    if (tmem_client_stats(session->tenant->client, &stats, sizeof stats) == TMEM_OK)
        session->weight = (uint32_t)stats.weight;
}

void tm_session_break(struct tm_session *session, const char *what)
{
    static struct tm_log_limit limit;
    tm_log_limited(&limit, tm_now_ns(), "connection of user %u, process %d (%s) ended: %s", (unsigned)session->uid,
                   (int)session->pid, session->tenant != NULL ? session->tenant->name : "no client yet", what);
    session->state = TM_SESSION_OVER;
}

/* ---- sending ---- */

void tm_session_send(struct tm_session *session, const union tm_wire_any *answer, const int *descriptors,
                     unsigned descriptor_count)
{
    /* sendmsg() only reads it. */
    struct iovec part = {(void *)(uintptr_t)answer, answer->head.bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    if (descriptor_count != 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(descriptor_count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        TM_ASSERT(head != NULL);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(descriptor_count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, descriptor_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(session->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return;
    if (errno == EAGAIN)
        tm_session_break(session, "it does not take its answers");
    else
        session->state = TM_SESSION_OVER;
}

void tm_session_fail(struct tm_session *session, struct tm_scratch *scratch, enum tmem_result result,
                     const char *text)
{
    union tm_wire_any *answer = &scratch->answer;
    uint32_t number = scratch->question.head.number;
    (void)tm_message_begin(answer, TM_WIRE_FAILED, session->version != 0 ? session->version : TM_WIRE_VERSION_MAX,
                           number);
    answer->failed.result = (uint32_t)result;
    snprintf(answer->failed.text, sizeof answer->failed.text, "%s", text);
    /* What a client sent may be part of the text; the format allows printable ASCII. */
    for (char *at = answer->failed.text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    tm_session_send(session, answer, NULL, 0);
}

/* ---- hearing ---- */

struct heard {
    int descriptors[DESCRIPTORS_MAX];
    unsigned count;
    bool cut; /* there were more bytes or descriptors */
};

static void collect(struct msghdr *message, struct heard *heard)
{
    heard->count = 0;
    heard->cut = (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && heard->count < DESCRIPTORS_MAX; i++)
            memcpy(&heard->descriptors[heard->count++], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
    }
}

/* Bytes of the next message; 0: the other end hung up; -1: there is none. */
static ssize_t receive(struct tm_session *session, union tm_wire_any *question, struct heard *heard)
{
    struct iovec part = {question, sizeof *question};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t bytes;
    do
        bytes = recvmsg(session->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return errno == EAGAIN ? -1 : 0;
    collect(&message, heard);
    return bytes;
}

static void close_all(const struct heard *heard)
{
    for (unsigned i = 0; i < heard->count; i++)
        (void)close(heard->descriptors[i]);
}

/* One message that was judged. Descriptors are those of its kind: none or one. */
static void answer(struct tm_session *session, struct tm_scratch *scratch, int descriptor)
{
    const struct tm_wire_message *head = &scratch->question.head;
    if ((head->kind == TM_WIRE_HELLO) != (session->state == TM_SESSION_NEW)) {
        close_if_open(descriptor);
        tm_session_break(session, "a message out of its turn");
        return;
    }
    if (session->state == TM_SESSION_NEW)
        tm_session_welcome(session, scratch);
    else if (head->version != session->version) {
        close_if_open(descriptor);
        tm_session_break(session, "a message of another version");
    } else
        tm_session_answer(session, scratch, descriptor);
}

void tm_session_hear(struct tm_session *session, struct tm_scratch *scratch)
{
    for (unsigned i = 0; i < TM_SESSION_QUESTIONS && session->state != TM_SESSION_OVER; i++) {
        struct heard heard;
        /* What is shorter than what its kind says must not find another message's bytes. */
        memset(&scratch->question, 0, sizeof scratch->question);
        ssize_t bytes = receive(session, &scratch->question, &heard);
        if (bytes < 0)
            return;
        if (bytes == 0) {
            /* A message of no bytes is none that we know, so it may end the connection as well. */
            session->state = TM_SESSION_OVER;
            return;
        }
        if (heard.cut ||
            !tm_message_judge(&scratch->question, (size_t)bytes, heard.count, TM_WIRE_FROM_CLIENT)) {
            close_all(&heard);
            tm_session_break(session, "a message that is none");
            return;
        }
        answer(session, scratch, heard.count != 0 ? heard.descriptors[0] : -1);
    }
}
