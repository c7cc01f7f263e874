/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h - where the configuration comes from, files and command line; read at the beginning, and again when the
 * daemon is told to (SIGHUP).
 *
 * Invariants: a configuration that is in use does not change, and stays until the daemon ends: reading again makes
 * another. So whoever has looked at one may go on with it.
 *
 * Who locks: nobody; it belongs to the main thread.
 */
#ifndef TM_DAEMON_SETTINGS_H
#define TM_DAEMON_SETTINGS_H

#include <limits.h>

#include "command/command.h"
#include "daemon/daemon.h"

struct tm_settings {
    char path[PATH_MAX];      /* of the file; empty: there is no place where one could be */
    bool is_required;         /* it was named */
    uint64_t size_bytes;      /* from the command line; 0: as configured */
    struct tm_config *config; /* in use; by `before`, those that were */
};

/* tm_settings_init - @path: a file that must exist, or NULL: the user's own, if there is one. */
enum tm_exit tm_settings_init(struct tm_settings *settings, const char *path, uint64_t size_bytes);
void tm_settings_fini(struct tm_settings *settings);

/* tm_settings_read - read all of it, into settings->config. What is wrong is logged, and nothing has changed. */
enum tm_exit tm_settings_read(struct tm_settings *settings);

/*
 * tm_settings_reload - read it again, and let the daemon go on with it: users' rules with the weights and caps of the
 * clients that are there, the grace period, connections, the store's size and its share of a CPU for cold pages. What
 * takes a new start stays as it is, and the log names it. What is wrong is logged, and nothing has changed.
 */
void tm_settings_reload(struct tm_settings *settings, struct tm_daemon *daemon);

/* tm_settings_connections - as many connections as the limit of open files, which is raised as far as it goes, is
 * enough for; @wanted at most. */
uint32_t tm_settings_connections(uint32_t wanted);

#endif
