/* SPDX-License-Identifier: BSD-2-Clause */
/* special.c - pipes with names, sockets, devices. */
#include "posix.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void nodes(void)
{
    write_file("there", "x");
    TRY(mknod("regular", S_IFREG | 0640, 0));
    TRY(mknod("no-kind", 0600, 0));
    TRY(mknod("pipe", S_IFIFO | 0640, 0));
    TRY(mknod("socket", S_IFSOCK | 0640, 0));
    TRY(mknod("folder", S_IFDIR | 0755, 0));
    TRY(mknod("link", S_IFLNK | 0755, 0));
    TRY(mknod("nonsense", 0150000 | 0600, 0));
    TRY(mknod("character", S_IFCHR | 0640, makedev(1, 3)));
    TRY(mknod("block", S_IFBLK | 0640, makedev(7, 250)));
    TRY(mknod("large-numbers", S_IFCHR | 0640, makedev(4000, 1000000)));
    TRY(mknod("whiteout", S_IFCHR | 0640, makedev(0, 0)));
    TRY(mknod("there", S_IFREG | 0640, 0));
    TRY(mknod("missing/x", S_IFREG | 0640, 0));
    TRY(mknod("there/x", S_IFREG | 0640, 0));
    TRY(mknod("new/", S_IFREG | 0640, 0));
    TRY(mkfifo("there", 0640));
    TRY(mkfifo("suid", 06777));
    static const char *const names[] = {"regular", "no-kind", "pipe", "socket", "character", "block",
                                        "large-numbers", "whiteout", "suid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        note_stat(names[i]);
        if (strcmp(names[i], "whiteout") == 0)
            known("an ordinary user's mount opens no devices");
        int fd = note_open(names[i], open(names[i], O_RDWR | O_NONBLOCK | O_CLOEXEC));
        if (fd >= 0)
            (void)close(fd);
        known(NULL);
    }
}

static void devices(void)
{
    char buffer[8] = "unread";
    TRY(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
    TRY(mknod("full", S_IFCHR | 0666, makedev(1, 7)));
    int fd = TRY_OPEN(open("zero", O_RDWR | O_CLOEXEC));
    if (fd >= 0) {
        TRY(read(fd, buffer, 6));
        note_bytes("zeros", buffer, 6);
        (void)close(fd);
    }
    fd = TRY_OPEN(open("full", O_RDWR | O_CLOEXEC));
    if (fd >= 0) {
        TRY(write(fd, "x", 1));
        (void)close(fd);
    }
    TRY(truncate("zero", 0));
    note_stat("zero");
}

static void pipe_writer(void)
{
    int fd = MUST_OPEN(open("pipe", O_WRONLY | O_CLOEXEC));
    TRY(write(fd, "through the pipe", 16));
    MUST(close(fd));
}

static void pipes(void)
{
    char buffer[64] = "";
    TRY(mkfifo("pipe", 0644));
    TRY_OPEN(open("pipe", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    int fd = TRY_OPEN(open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    TRY(read(fd, buffer, sizeof buffer));
    in_child(pipe_writer);
    TRY(read(fd, buffer, sizeof buffer));
    note_text("read", buffer);
    TRY(read(fd, buffer, sizeof buffer));
    TRY(lseek(fd, 0, SEEK_SET));
    int writer = TRY_OPEN(open("pipe", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    TRY(rename("pipe", "renamed"));
    TRY(write(writer, "moved", 5));
    MUST(unlink("renamed"));
    TRY(write(writer, "gone", 4));
    memset(buffer, 0, sizeof buffer);
    TRY(read(fd, buffer, sizeof buffer));
    note_text("read", buffer);
    TRY(truncate("renamed", 0));
    TRY(mkfifo("pipe", 0644));
    TRY(truncate("pipe", 0));
    TRY(chmod("pipe", 0600));
    note_stat("pipe");
}

static struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    return address;
}

static void connect_child(void)
{
    struct sockaddr_un address = address_of("socket");
    char buffer[32] = "";
    int fd = MUST_OPEN(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    TRY(connect(fd, (const struct sockaddr *)&address, sizeof address));
    TRY(write(fd, "question", 8));
    TRY(read(fd, buffer, sizeof buffer));
    note_text("answer", buffer);
}

static void answer(int listener)
{
    char buffer[32] = "";
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        int fd = MUST_OPEN(accept(listener, NULL, NULL));
        MUST(read(fd, buffer, sizeof buffer));
        MUST(write(fd, "answer", 6));
        _exit(0);
    }
    in_child(connect_child);
    int status;
    MUST(waitpid(child, &status, 0));
    note("status %d", status);
}

static void sockets(void)
{
    struct sockaddr_un address = address_of("socket");
    write_file("file", "x");
    int listener = MUST_OPEN(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int second = MUST_OPEN(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    TRY(bind(listener, (const struct sockaddr *)&address, sizeof address));
    note_stat("socket");
    TRY(bind(second, (const struct sockaddr *)&address, sizeof address));
    TRY(connect(second, (const struct sockaddr *)&address, sizeof address));
    TRY(listen(listener, 5));
    answer(listener);
    TRY_OPEN(open("socket", O_RDWR | O_CLOEXEC));
    TRY(chmod("socket", 0600));
    TRY(rename("socket", "moved"));
    TRY(connect(second, (const struct sockaddr *)&address, sizeof address));
    TRY(rename("moved", "socket"));
    MUST(close(listener));
    TRY(connect(second, (const struct sockaddr *)&address, sizeof address));
    TRY(unlink("socket"));
    address = address_of("file");
    TRY(connect(second, (const struct sockaddr *)&address, sizeof address));
    address = address_of("missing/socket");
    TRY(bind(second, (const struct sockaddr *)&address, sizeof address));
    int datagram = MUST_OPEN(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    address = address_of("datagram");
    TRY(bind(datagram, (const struct sockaddr *)&address, sizeof address));
    TRY(sendto(datagram, "to itself", 9, 0, (const struct sockaddr *)&address, sizeof address));
    TRY(recv(datagram, &address, 1, MSG_DONTWAIT));
}

static void polled(void)
{
    write_file("file", "x");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};
    TRY(poll(&one, 1, 0));
    note("events %x", (unsigned)one.revents);
}

const struct posix_case special_cases[] = {
    {"nodes of every kind", nodes, false},
    {"devices answer", devices, true},
    {"pipes with names", pipes, false},
    {"sockets with names", sockets, false},
    {"files are always ready", polled, false},
    {NULL, NULL, false},
};
