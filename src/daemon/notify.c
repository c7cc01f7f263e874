/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c - see notify.h. */
#include "daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- telling ---- */

bool tm_notify_is_wanted(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    return path != NULL && path[0] != '\0';
}

/* Where to tell it; 0: an address that there is not. */
static socklen_t address_of(const char *path, struct sockaddr_un *address)
{
    size_t length = strlen(path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address->sun_path)
        return 0;
    memcpy(address->sun_path, path, length);
    if (path[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static int send_to(const struct sockaddr_un *address, socklen_t address_size, const char *text, int descriptor)
{
    /* sendmsg() only reads what these point to. */
    struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {.msg_name = (void *)(uintptr_t)address,
                             .msg_namelen = address_size,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof descriptor)];
    } control = {.bytes = {0}};
    if (descriptor >= 0) {
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(&control.head), &descriptor, sizeof descriptor);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
    }
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender < 0)
        return errno;
    ssize_t sent;
    do
        sent = sendmsg(sender, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    int error = sent < 0 ? errno : 0;
    (void)close(sender);
    return error;
}

int tm_notify_with(const char *text, int descriptor)
{
    struct sockaddr_un address;
    if (!tm_notify_is_wanted())
        return 0;
    socklen_t address_size = address_of(getenv("NOTIFY_SOCKET"), &address);
    return address_size == 0 ? EINVAL : send_to(&address, address_size, text, descriptor);
}

int tm_notify(const char *text)
{
    return tm_notify_with(text, -1);
}

int tm_notify_wait(unsigned most_ms)
{
    int ends[2];
    if (!tm_notify_is_wanted())
        return 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int error = tm_notify_with("BARRIER=1", ends[1]);
    (void)close(ends[1]);
    /* It closes the other end when it comes to this message. */
    struct pollfd wait = {ends[0], 0, 0};
    int ready = 1;
    if (error == 0)
        ready = poll(&wait, 1, (int)most_ms);
    if (ready <= 0)
        error = ready == 0 ? ETIMEDOUT : errno;
    (void)close(ends[0]);
    return error;
}

/* ---- what was passed ---- */

/* A whole number that is not negative, or -1. */
static long number_of(const char *text)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    long number = strtol(text, &end, 10);
    return errno != 0 || *end != '\0' ? -1 : number;
}

/* "NAME:NAME...", as many as there are descriptors; names that are too long are none of ours. */
static void read_names(const char *names, struct tm_passed *passed)
{
    for (unsigned i = 0; i < passed->count; i++) {
        size_t length = names != NULL ? strcspn(names, ":") : 0;
        if (length > 0 && length < TM_PASSED_NAME_SIZE)
            memcpy(passed->name[i], names, length);
        if (names != NULL)
            names = names[length] == ':' ? names + length + 1 : NULL;
    }
}

static bool read_passed(const char *process, const char *count, const char *names, struct tm_passed *passed)
{
    if (process == NULL || count == NULL)
        return true;
    long pid = number_of(process);
    long descriptors = number_of(count);
    if (pid <= 0 || descriptors < 0 || descriptors > (long)TM_PASSED_MAX)
        return false;
    /* They are meant for another process, such as the one that started this one. */
    if (pid != (long)getpid())
        return true;
    for (int i = 0; i < (int)descriptors; i++)
        if (fcntl(TM_PASSED_FIRST + i, F_SETFD, FD_CLOEXEC) != 0)
            return false;
    passed->count = (unsigned)descriptors;
    read_names(names, passed);
    return true;
}

bool tm_passed_descriptors(struct tm_passed *passed)
{
    *passed = (struct tm_passed){0};
    bool makes_sense =
        read_passed(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), passed);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return makes_sense;
}
