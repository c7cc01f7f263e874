/* SPDX-License-Identifier: BSD-2-Clause */
/* list_xen.h - a daemon's clients in the lines in which the original lists its own: see docs/xen-compat.md. */
#ifndef TM_CLI_LIST_XEN_H
#define TM_CLI_LIST_XEN_H

#include <jansson.h>
#include <stdbool.h>

/*
 * tm_cli_print_xen - print them to stdout.
 *
 * @store    of the answer to `list` with pools and activity; NULL: only the clients' lines.
 * @clients  all of them, from one answer or several. A client's number is its place among them.
 */
void tm_cli_print_xen(const json_t *store, const json_t *clients, bool is_long);

#endif
