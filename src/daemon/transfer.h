/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfer.h - bytes to and from a descriptor that an operator gave, which may be anything and may stand still for
 * ever: whoever waits asks again and again whether that is still wanted.
 *
 * Who locks: nobody; it belongs to one thread.
 */
#ifndef TM_DAEMON_TRANSFER_H
#define TM_DAEMON_TRANSFER_H

#include "base/base.h"

/* False: give up. */
typedef bool tm_transfer_wanted(void *user);

struct tm_transfer {
    int from; /* descriptors; the same where one goes both ways, -1: closed */
    int to;
    tm_transfer_wanted *is_wanted;
    void *user;
    int error;        /* errno of what failed; 0: nothing did, or it was not wanted any more */
    uint64_t written; /* bytes */
    uint64_t read;
};

/* tm_transfer_write - all of it. False: it cannot be written, or is not wanted any more. */
bool tm_transfer_write(struct tm_transfer *transfer, const void *bytes, size_t size);

/* tm_transfer_read - as much as there is, @size at most, waiting for all of it. Less: that was the end, an error, or it
 * is not wanted any more. */
size_t tm_transfer_read(struct tm_transfer *transfer, void *bytes, size_t size);

/* The same as a sink and a source of save/save.h, whose @user is the transfer. */
bool tm_transfer_sink(void *user, const void *bytes, size_t size);
size_t tm_transfer_source(void *user, void *bytes, size_t size);

void tm_transfer_close(struct tm_transfer *transfer);

/* tm_transfer_text - why it ended early, for a person; @side is what it was about. */
void tm_transfer_text(const struct tm_transfer *transfer, const char *side, char *text, size_t text_size);

#endif
