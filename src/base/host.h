/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - the services that a store needs from where it runs, per instance. A process on Linux
 * (src/host), the simulator and the tests each supply a table.
 */
#ifndef TM_BASE_HOST_H
#define TM_BASE_HOST_H

#include "base/base.h"

/* The two arenas of a store: one per kind of pool. */
enum tm_arena_kind {
    TM_ARENA_EPHEMERAL = 0,
    TM_ARENA_PERSISTENT = 1,
    TM_ARENAS
};

/* Units that a span is cut into; a segment is an aligned run of 1, 2, 4 or 8 of them. */
#define TM_SPAN_UNITS 32u

struct tm_host {
    void *user;

    /* Bytes of a span, a power of two: 2 MiB on Linux; at least TM_SPAN_UNITS * 8 KiB. */
    uint32_t span_bytes;

    /* Address space of each arena, reserved for the store's life, aligned to span_bytes, a multiple
     * of it. Its first spans are the head, which is used without being committed: zero at first (unless the
     * arena survived), readable and writable, and best resident only where touched. Reading other spans that
     * are not committed need not be possible. */
    unsigned char *arena_base[TM_ARENAS];
    uint64_t arena_bytes[TM_ARENAS];

    /* True when what lies in the persistent arena outlives the store. */
    bool persistent_survives;

    /* Operations that can be under way at once, and a small number that differs among threads. */
    unsigned workers;
    unsigned (*thread_number)(void *user);

    /* Zeroed memory for metadata, aligned to a cache line, or NULL. Large blocks should become
     * resident only when touched. */
    void *(*alloc)(void *user, size_t bytes);
    void (*free)(void *user, void *memory, size_t bytes);

    /* Makes a span's memory usable and zero; false: there is none. Never called under a lock. */
    bool (*span_commit)(void *user, enum tm_arena_kind arena, uint64_t span);

    /* Gives a span's memory back to the machine. Never called under a lock. */
    void (*span_release)(void *user, enum tm_arena_kind arena, uint64_t span);

    /* Monotonic nanoseconds. */
    uint64_t (*clock_ns)(void *user);

    /* 64 bits nobody can guess. */
    uint64_t (*random)(void *user);

    /* May be NULL: not known. True when a CPU has nothing to do but what the caller does. Asked often, and answered at
     * once; never called under a lock. */
    bool (*has_idle_cpu)(void *user);

    /* Work for tm_engine_maintain() has come up. May be NULL. Callable under locks: only notes it. */
    void (*kick)(void *user);

    /* As kick(), when puts will wait for it. May be NULL: kick() is called instead. */
    void (*hurry)(void *user);
};

#endif
