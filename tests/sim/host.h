/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - the host of a simulated engine: the test host, with a switching point before and after each of its
 * services, and in the middle of copying a page; and failures that are drawn for each operation.
 */
#ifndef TM_TEST_SIM_HOST_H
#define TM_TEST_SIM_HOST_H

#include "sim/world.h"

/* Units of 32 KiB. In smaller ones raw pages leave so much at the end that their segments always look worth
 * cleaning. */
#define SIM_SPAN_BYTES (1u << 20)
/* Address space of an arena: never what is short. */
#define SIM_ARENA_SPANS 24u

/* Makes world->host and world->outer as world->plan says, and the codec contexts of the world's own. */
void sim_host_init(struct sim_world *world);

/* Everything that was lent must be back. */
void sim_host_fini(struct sim_world *world);

#endif
