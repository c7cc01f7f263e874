/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - one direction of a ring in shared memory: one end writes entries, the other takes them.
 *
 * Invariants: what each end knows of itself (its own count) lies in its private memory and is only published; of the
 * other end it uses one number, the count, which it reads once and then checks: 0 <= written - taken <= entries. An end
 * that finds it otherwise says TM_RING_BROKEN, from then on every time: whoever it talks to does not keep to the
 * format, and nothing of him is used any more. Entries are copied out before anybody looks at them.
 *
 * Who locks: nobody. Each end of a ring belongs to one thread at a time.
 * Cost: writing and taking an entry is a copy of 32 or 64 bytes; publishing is one store; the other end's count is
 * read only when what was known of it is used up.
 */
#ifndef TM_WIRE_RING_H
#define TM_WIRE_RING_H

#include "wire/layout.h"

enum tm_ring_state {
    TM_RING_OK,
    TM_RING_BROKEN, /* the other end's count is impossible */
};

/* One end. The fields are ring.c's. */
struct tm_ring {
    unsigned char *entries; /* shared */
    uint32_t *own;          /* shared: this end's count, which only it writes */
    const uint32_t *other;  /* shared: the other end's */
    uint32_t entry_bytes;   /* a multiple of 8 */
    uint32_t size;          /* entries, a power of two */
    uint32_t count;         /* this end's count, as it is */
    uint32_t known;         /* the other end's count, as last checked */
    enum tm_ring_state state;
};

/*
 * tm_ring_init - begin at one end of an empty ring: both counts are 0.
 *
 * @entries      @size times @entry_bytes shared bytes, aligned to 8; they and the counts outlive the ring.
 * @own, @other  the counts: the writer's and the taker's, or the other way round.
 * @size         entries, a power of two of at most TM_WIRE_ENTRIES_MAX.
 */
void tm_ring_init(struct tm_ring *ring, void *entries, uint32_t entry_bytes, uint32_t size, uint32_t *own,
                  const uint32_t *other);

/*
 * tm_ring_room - how many entries the writer may write now; 0 when the ring is full or broken. Asks the other end only
 * when less than @wanted are known to be free.
 */
uint32_t tm_ring_room(struct tm_ring *ring, uint32_t wanted);

/* tm_ring_write - write one entry, for which there is room. Nobody sees it before tm_ring_publish(). */
void tm_ring_write(struct tm_ring *ring, const void *entry);

/*
 * tm_ring_waiting - how many entries the taker may take now; 0 when there is none or the ring is broken. Asks the other
 * end only when less than @wanted are known.
 */
uint32_t tm_ring_waiting(struct tm_ring *ring, uint32_t wanted);

/* tm_ring_take - copy out the next entry, of which there is one. Its place is free after tm_ring_publish(). */
void tm_ring_take(struct tm_ring *ring, void *entry);

/* tm_ring_publish - let the other end see what was written or taken. */
void tm_ring_publish(struct tm_ring *ring);

/*
 * Sleeping. Who finds nothing to do: tm_sleep_begin(), looks once more, and if there is still nothing waits for his
 * eventfd; then, or when there was something, tm_sleep_end(). Who has published: if tm_sleep_must_wake(), writes to the
 * other's eventfd. Of two who do this at the same time at least one sees the other: each writes, then fences, then
 * reads. A wake too many costs time only.
 */
void tm_sleep_begin(struct tm_wire_sleep *sleep);
void tm_sleep_end(struct tm_wire_sleep *sleep);

/* True at most once for each tm_sleep_begin(), as long as the other end keeps to it. */
bool tm_sleep_must_wake(struct tm_wire_sleep *sleep);

/* tm_ring_check - panics when the ring's own part contradicts itself. */
void tm_ring_check(const struct tm_ring *ring);

#endif
