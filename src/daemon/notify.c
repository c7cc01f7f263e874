/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c - see notify.h. */
#include "daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PASSED_MAX 64

int tm_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0')
        return 0;
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path)
        return EINVAL;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender < 0)
        return errno;
    socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(sender, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, address_size);
    int error = sent < 0 ? errno : 0;
    (void)close(sender);
    return error;
}

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

static int passed(const char *process, const char *count)
{
    if (process == NULL || count == NULL)
        return 0;
    long pid = number_of(process);
    long descriptors = number_of(count);
    if (pid <= 0 || descriptors < 0 || descriptors > PASSED_MAX)
        return -1;
    /* They are meant for another process, such as the one that started this one. */
    if (pid != (long)getpid())
        return 0;
    for (int i = 0; i < (int)descriptors; i++)
        if (fcntl(TM_PASSED_FIRST + i, F_SETFD, FD_CLOEXEC) != 0)
            return -1;
    return (int)descriptors;
}

int tm_passed_descriptors(void)
{
    int count = passed(getenv("LISTEN_PID"), getenv("LISTEN_FDS"));
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return count;
}
