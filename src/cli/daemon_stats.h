/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon_stats.h - `tmem stats` without a mount point. */
#ifndef TM_CLI_DAEMON_STATS_H
#define TM_CLI_DAEMON_STATS_H

#include "cli/cli.h"

/* How a daemon's store is filled. @socket: NULL: as tmem_daemon_open() chooses. */
enum tm_exit tm_cli_daemon_stats(const char *socket, bool as_json);

#endif
