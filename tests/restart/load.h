/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h - clients of a daemon that dies again and again, each a thread with pages of its own and a model of what must
 * be in them: what was acknowledged is so, and a call that was not answered has happened or not.
 */
#ifndef TMEM_TEST_RESTART_LOAD_H
#define TMEM_TEST_RESTART_LOAD_H

#include <stdatomic.h>

#include "tests/restart/kept.h"

enum load_kind {
    LOAD_PUT,
    LOAD_PUT_MANY,
    LOAD_GET,
    LOAD_TAKE, /* exclusive get */
    LOAD_INVALIDATE_PAGE,
    LOAD_INVALIDATE_OBJECT,
    LOAD_POOL_DESTROY,
    LOAD_CACHE, /* a page of the ephemeral pool */
    LOAD_KINDS
};

struct load;

/* Makes @clients of them and sets them to work. */
struct load *load_start(const struct kept *kept, unsigned clients, uint64_t seed);

/* Waits until each of them has done so many more calls, after it looked at all its pages if it had lost the daemon. */
void load_await(struct load *load, unsigned calls);

/* The next call of this kind of any client whose answer comes kills the daemon there and then; whether it was answered
 * too early is seen so. Waits until that has happened. */
void load_kill_after(struct load *load, enum load_kind kind);

/* Waits until each knows of all of its pages again what is in them, and ends them with their stores. */
void load_stop(struct load *load);

/* Calls so far that were answered, and those whose connection was lost. */
struct load_sum {
    uint64_t calls[LOAD_KINDS];
    uint64_t unanswered[LOAD_KINDS];
    uint64_t slowest_us;
};
void load_sum(const struct load *load, struct load_sum *sum);

#endif
