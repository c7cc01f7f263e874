/* SPDX-License-Identifier: BSD-2-Clause */
/* guest_host.h - see guest_host.c. */
#ifndef TM_TEST_SIM_GUEST_HOST_H
#define TM_TEST_SIM_GUEST_HOST_H

#include "support/test_host.h"

/* Of the numbers that nobody can guess, for stores that are opened from now on. */
extern uint64_t sim_guest_host_seed;

#endif
