/* SPDX-License-Identifier: BSD-2-Clause */
/* ring.c - see ring.h. */
#include "wire/ring.h"

#define WORD sizeof(uint64_t)

void tm_ring_init(struct tm_ring *ring, void *entries, uint32_t entry_bytes, uint32_t size, uint32_t *own,
                  const uint32_t *other)
{
    TM_ASSERT(tm_is_power_of_two(size) && size <= TM_WIRE_ENTRIES_MAX && entry_bytes % WORD == 0);
    *ring = (struct tm_ring){
        .entries = entries,
        .own = own,
        .other = other,
        .entry_bytes = entry_bytes,
        .size = size,
        .state = TM_RING_OK,
    };
}

/* Word by word, each read or written once: the other end may do what it likes with the memory meanwhile. */
static void copy_in(unsigned char *shared, const unsigned char *entry, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += (uint32_t)WORD) {
        uint64_t word;
        memcpy(&word, entry + at, WORD);
        tm_store_relaxed((tm_atomic64 *)(void *)(shared + at), word);
    }
}

static void copy_out(unsigned char *entry, const unsigned char *shared, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += (uint32_t)WORD) {
        uint64_t word = tm_load_relaxed((const tm_atomic64 *)(const void *)(shared + at));
        memcpy(entry + at, &word, WORD);
    }
}

static unsigned char *entry_at(const struct tm_ring *ring, uint32_t count)
{
    return ring->entries + (size_t)(count & (ring->size - 1u)) * ring->entry_bytes;
}

/*
 * Reads the other end's count. Acquire: what it published before (entries written, or entries it is done with) is seen
 * before they are used. @least and @most say how far it may be from this end's own.
 */
static void ask(struct tm_ring *ring, uint32_t least, uint32_t most)
{
    if (ring->state == TM_RING_BROKEN)
        return;
    uint32_t count = tm_load_acquire(ring->other);
    /* Neither further than there are entries, nor back behind what it said before. */
    if (count - least > most - least) {
        ring->state = TM_RING_BROKEN;
        return;
    }
    ring->known = count;
}

uint32_t tm_ring_room(struct tm_ring *ring, uint32_t wanted)
{
    if (ring->size - (ring->count - ring->known) < wanted)
        ask(ring, ring->known, ring->count);
    return ring->state == TM_RING_OK ? ring->size - (ring->count - ring->known) : 0;
}

void tm_ring_write(struct tm_ring *ring, const void *entry)
{
    TM_ASSERT(ring->count - ring->known < ring->size);
    copy_in(entry_at(ring, ring->count), entry, ring->entry_bytes);
    ring->count++;
}

uint32_t tm_ring_waiting(struct tm_ring *ring, uint32_t wanted)
{
    if (ring->known - ring->count < wanted)
        ask(ring, ring->known, ring->count + ring->size);
    return ring->state == TM_RING_OK ? ring->known - ring->count : 0;
}

void tm_ring_take(struct tm_ring *ring, void *entry)
{
    TM_ASSERT(ring->known != ring->count);
    copy_out(entry, entry_at(ring, ring->count), ring->entry_bytes);
    ring->count++;
}

void tm_ring_publish(struct tm_ring *ring)
{
    /* Release: the entries are written, or copied out, before the other end may rely on it. */
    tm_store_release(ring->own, ring->count);
}

void tm_sleep_begin(struct tm_wire_sleep *sleep)
{
    tm_store_relaxed(&sleep->sleeps, 1u);
    /* The flag is out before the ring is looked at once more; against the fence in tm_sleep_must_wake(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void tm_sleep_end(struct tm_wire_sleep *sleep)
{
    tm_store_relaxed(&sleep->sleeps, 0u);
}

bool tm_sleep_must_wake(struct tm_wire_sleep *sleep)
{
    /* What was published is out before the flag is read; against the fence in tm_sleep_begin(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return tm_load_relaxed(&sleep->sleeps) != 0 && tm_exchange(&sleep->sleeps, 0u) != 0;
}

void tm_ring_check(const struct tm_ring *ring)
{
    TM_ASSERT(tm_is_power_of_two(ring->size) && ring->size <= TM_WIRE_ENTRIES_MAX);
    /* One of the two is ahead, by no more than there are entries. */
    TM_ASSERT(ring->count - ring->known <= ring->size || ring->known - ring->count <= ring->size);
}
