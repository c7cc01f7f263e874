/* SPDX-License-Identifier: BSD-2-Clause */
/* transfer.c - see transfer.h. */
#include "daemon/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_EVERY_MS 200

/* One that goes the other way only is never ready, and nobody is told why. */
static bool goes_this_way(int descriptor, short events)
{
    int mode = fcntl(descriptor, F_GETFL) & O_ACCMODE;
    return mode == O_RDWR || mode == (events == POLLIN ? O_RDONLY : O_WRONLY);
}

/* Waits for @events. False: an error, or it is not wanted any more. */
static bool wait_for(struct tm_transfer *transfer, int descriptor, short events)
{
    for (;;) {
        struct pollfd wait = {descriptor, events, 0};
        int ready = poll(&wait, 1, ASK_EVERY_MS);
        if (ready < 0 && errno != EINTR) {
            transfer->error = errno;
            return false;
        }
        if (ready > 0)
            return true;
        if (ready == 0 && !goes_this_way(descriptor, events)) {
            transfer->error = EBADF;
            return false;
        }
        if (!transfer->is_wanted(transfer->user))
            return false;
    }
}

/* A pipe that is ready takes so many bytes without waiting, whatever its other end does; a socket says how many. */
static ssize_t write_some(const struct tm_transfer *transfer, const void *bytes, size_t size)
{
    ssize_t written = send(transfer->to, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK)
        written = write(transfer->to, bytes, size < PIPE_BUF ? size : PIPE_BUF);
    return written;
}

bool tm_transfer_write(struct tm_transfer *transfer, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    while (size > 0) {
        if (!wait_for(transfer, transfer->to, POLLOUT))
            return false;
        ssize_t written = write_some(transfer, at, size);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            transfer->error = errno;
            return false;
        }
        if (written > 0) {
            at += written;
            size -= (size_t)written;
            transfer->written += (uint64_t)written;
        }
    }
    return true;
}

size_t tm_transfer_read(struct tm_transfer *transfer, void *bytes, size_t size)
{
    unsigned char *at = bytes;
    size_t done = 0;
    while (done < size) {
        if (!wait_for(transfer, transfer->from, POLLIN))
            break;
        ssize_t got = read(transfer->from, at + done, size - done);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            transfer->error = errno;
        if (got == 0 || transfer->error != 0)
            break;
        if (got > 0)
            done += (size_t)got;
    }
    transfer->read += done;
    return done;
}

void tm_transfer_close(struct tm_transfer *transfer)
{
    if (transfer->to >= 0 && transfer->to != transfer->from)
        (void)close(transfer->to);
    if (transfer->from >= 0)
        (void)close(transfer->from);
    transfer->from = transfer->to = -1;
}

bool tm_transfer_sink(void *user, const void *bytes, size_t size)
{
    return tm_transfer_write(user, bytes, size);
}

size_t tm_transfer_source(void *user, void *bytes, size_t size)
{
    return tm_transfer_read(user, bytes, size);
}

void tm_transfer_text(const struct tm_transfer *transfer, const char *side, char *text, size_t text_size)
{
    if (transfer->error != 0)
        snprintf(text, text_size, "%s: %s", side, strerror(transfer->error));
    else
        snprintf(text, text_size, "%s: it was given up", side);
}
