/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * in_use.h - the order in use: a store, through the public interface, that is given what a stream asks for.
 *
 * Pages are random bytes and stored as they are, without a search for equal ones, so that each takes as much room as
 * any other and a store holds a number of pages. That number is measured: it is how many there are at most in a store
 * of this size that new pages are put into, with all that the store needs besides. What it holds less at other
 * times, since segments are being taken apart or copied, is its own loss. A store has 16 MiB at least.
 */
#ifndef TM_BENCH_POLICY_IN_USE_H
#define TM_BENCH_POLICY_IN_USE_H

#include "command/command.h"
#include "stream.h"

/* A store of known capacity. */
struct policy_room {
    uint64_t size_bytes;
    uint32_t capacity;
};

/*
 * policy_room_find - finds the store that comes nearest to holding @wanted pages of the stream; room->capacity says how
 * many it holds indeed. TM_EXIT_OK, or a code after a message.
 */
enum tm_exit policy_room_find(const struct policy_stream *stream, uint32_t wanted, struct policy_room *room);

/* policy_in_use_run - hits of a new store among the accesses that are counted. TM_EXIT_OK, or a code after a
 * message. */
enum tm_exit policy_in_use_run(const struct policy_room *room, const struct policy_stream *stream, uint64_t *hits);

#endif
