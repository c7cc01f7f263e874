/* SPDX-License-Identifier: BSD-2-Clause */
/* test_death.h - what must end the process does so in a child. */
#ifndef TM_TEST_DEATH_H
#define TM_TEST_DEATH_H

#include <stdbool.h>

/* Runs @body in a child. True: the child was ended by tm_platform_panic(); false: it ended by itself. What it
 * writes to stderr is dropped. */
bool tm_test_dies(void (*body)(void));

#endif
