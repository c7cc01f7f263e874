/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h - something that keeps pages, driven from outside: tmem, or what a user could pick instead.
 *
 * tools/bench-peers starts a program of this folder for each of them and writes commands to it, one a
 * line; each is answered with one line of JSON. So everything keeps its pages while rounds alternate.
 * Each program is peer.c with one struct peer_kind: what the thing can do, page by page.
 *
 * Commands
 *   open        answers once the kind is ready
 *   fill        puts every page under its number, in order
 *   get N       gets N pages at random; `get-many` in batches where the kind has them
 *   put N       puts N pages over others at random, changed, so that none equals one that is there;
 *               `put-many` in batches where the kind has them
 *   miss N      asks for N pages that are not there
 *   latency N   gets N pages at random, one at a time: the median, and what one in a hundred is above
 *   crowd N     gets N pages at random, as one client and as several at once
 *   idle N      makes N clients more, which have done something each and then do nothing
 *   flood       puts and gets batches until there is a line of input: what others feel of that
 *   burn        uses the CPU for nothing until there is a line of input
 *   verify      gets some pages and compares every byte
 *   drop        drops half of the pages, by dice
 *   settle      lets the kind do what it does in idle time, until it rests
 *   reclaim     gives back what it can
 *   memory      what it holds, in bytes
 *   quit        ends, as does the end of the input
 *
 * A failure is a message on stderr and the exit status of every command; there is no other answer.
 */
#ifndef TM_BENCH_PEERS_PEER_H
#define TM_BENCH_PEERS_PEER_H

#include "command/command.h"
#include "command/json.h"

/* Pages of a batch. */
#define PEER_BATCH 16u

/* Every operation answers false after a message: everything stops then. */
struct peer_kind {
    const char *name;
    const char *at; /* what --at names, for the message when it is missing */

    /* Room for @pages pages under the numbers 0, 1, 2, ...; *state is handed to all others. */
    bool (*open)(const char *at, uint64_t pages, void **state);
    void (*close)(void *state);

    bool (*put)(void *state, uint64_t number, const unsigned char *page);
    bool (*get)(void *state, uint64_t number, unsigned char *page);

    /* These may be NULL: */
    bool (*drop)(void *state, uint64_t number);
    bool (*put_many)(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages);
    bool (*get_many)(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages);
    bool (*miss)(void *state, uint64_t number, unsigned char *page);
    bool (*flood)(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages);
    bool (*crowd)(void *state, uint64_t pages, double *page_ns); /* time that passes for a page; several clients */
    bool (*clients)(void *state, uint32_t count);
    bool (*settle)(void *state);
    bool (*reclaim)(void *state);
    bool (*memory)(void *state, struct tm_json *json); /* adds members to an open object */
    void (*idle)(void *state, bool is_idle);           /* called around waiting for a command */

    bool words_only; /* keeps the first word of a page and no more: for look-ups */
};

/* peer_main - the program: options, commands, answers. Returns its exit status. */
int peer_main(int count, char **arguments, const struct peer_kind *kind);

/* peer_fail - prints a message and answers false. */
bool peer_fail(const char *format, ...) TM_PRINTF(1, 2);

/* peer_fail_system - the same with the system's words for errno. */
bool peer_fail_system(const char *what);

#endif
