/* SPDX-License-Identifier: BSD-2-Clause */
/* line_socket.c - see line_socket.h. */
#include "line_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

bool line_socket_open(struct line_socket *line, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    *line = (struct line_socket){.fd = -1};
    if (length >= sizeof address.sun_path)
        return peer_fail("%s: too long for a socket", path);
    memcpy(address.sun_path, path, length + 1);
    line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd >= 0 && connect(line->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    return peer_fail_system(path);
}

void line_socket_close(struct line_socket *line)
{
    if (line->fd >= 0)
        (void)close(line->fd);
    line->fd = -1;
}

/* What is left to send after @sent bytes. */
static void advance(struct iovec parts[3], size_t sent)
{
    for (unsigned i = 0; i < 3; i++) {
        size_t taken = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        parts[i].iov_base = (char *)parts[i].iov_base + taken;
        parts[i].iov_len -= taken;
        sent -= taken;
    }
}

bool line_socket_send(struct line_socket *line, const char *head, const void *bytes, size_t size, const char *tail)
{
    struct iovec parts[3] = {{(void *)(uintptr_t)head, strlen(head)},
                             {(void *)(uintptr_t)bytes, size},
                             {(void *)(uintptr_t)tail, strlen(tail)}};
    size_t left = parts[0].iov_len + size + parts[2].iov_len;
    while (left > 0) {
        ssize_t sent = writev(line->fd, parts, 3);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return peer_fail_system("cannot send to the server");
        advance(parts, (size_t)sent);
        left -= (size_t)sent;
    }
    return true;
}

/* Reads what there is, at least a byte. */
static bool read_more(struct line_socket *line)
{
    if (line->from > 0) {
        memmove(line->room, line->room + line->from, line->to - line->from);
        line->to -= line->from;
        line->from = 0;
    }
    if (line->to == sizeof line->room)
        return peer_fail("the server's line is too long");
    ssize_t got = 0;
    do
        got = read(line->fd, line->room + line->to, sizeof line->room - line->to);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        line->to += (size_t)got;
    return got > 0 || (got < 0 ? peer_fail_system("cannot read from the server") : peer_fail("the server is gone"));
}

const char *line_socket_line(struct line_socket *line)
{
    size_t searched = 0;
    for (;;) {
        char *begin = line->room + line->from;
        char *end = memchr(begin + searched, '\n', line->to - line->from - searched);
        if (end != NULL) {
            end[end > begin && end[-1] == '\r' ? -1 : 0] = '\0';
            line->from += (size_t)(end - begin) + 1;
            return begin;
        }
        searched = line->to - line->from;
        if (!read_more(line))
            return NULL;
    }
}

bool line_socket_expect(struct line_socket *line, const char *expected)
{
    const char *got = line_socket_line(line);
    return got != NULL &&
           (strcmp(got, expected) == 0 || peer_fail("the server answers '%.100s', not '%s'", got, expected));
}

bool line_socket_bytes(struct line_socket *line, void *bytes, size_t size)
{
    unsigned char *to = bytes;
    while (size > 0) {
        size_t there = line->to - line->from;
        size_t taken = there < size ? there : size;
        memcpy(to, line->room + line->from, taken);
        line->from += taken;
        to += taken;
        size -= taken;
        if (size > 0 && !read_more(line))
            return false;
    }
    return true;
}
