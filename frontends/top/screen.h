/* SPDX-License-Identifier: BSD-2-Clause */
/* screen.h - the table on a terminal, again and again, until the user has seen enough. */
#ifndef TM_TOP_SCREEN_H
#define TM_TOP_SCREEN_H

#include "table.h"

/*
 * top_screen_run - show the daemon at work; every @interval_ms a new table, at once after a key or a resized window.
 * A daemon that goes away is waited for.
 */
enum tm_exit top_screen_run(struct top_source *source, unsigned interval_ms, bool with_pools);

/* top_terminal_is_known - whether this is a terminal that can be drawn on. The library that draws loses memory where it
 * finds that out itself. */
bool top_terminal_is_known(void);

#endif
