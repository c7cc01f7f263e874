/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - `tmem bench policy`: which pages stay. Reads of real programs are recorded, and replayed over orders
 * of eviction.
 */
#ifndef TM_BENCH_POLICY_H
#define TM_BENCH_POLICY_H

#include "command/command.h"

extern const char policy_help[];

/* policy_main - the verb, with the arguments behind it: arguments[0] is "policy". */
enum tm_exit policy_main(int count, char **arguments);

#endif
