/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd.h - several clients of one store at once, each with a thread: what they get together, beside one client that
 * has as many requests under way as all of them.
 */
#ifndef TM_BENCH_PEERS_CROWD_H
#define TM_BENCH_PEERS_CROWD_H

#include "bench/store.h"

/* The clients, and requests that each has under way: as many in all as one client's batch. */
#define CROWD_CLIENTS 8u
#define CROWD_BATCH 2u

struct crowd;

/* crowd_create - the clients, each with a pool and an eighth of the first @pages pages of @from. NULL after a
 * message. */
struct crowd *crowd_create(const struct bench_store *from, uint64_t pages);

/* crowd_get - @pages gets at random, all clients together. Time that passes for each page; negative after a message. */
double crowd_get(struct crowd *crowd, uint64_t pages);

/* The store ends the clients. */
void crowd_free(struct crowd *crowd);

/*
 * crowd_idle - makes clients that have had a full batch of pages put and got, whose pool is gone again, and that do
 * nothing from then on. The store ends them. False after a message.
 */
bool crowd_idle(const struct bench_store *from, uint32_t count);

#endif
