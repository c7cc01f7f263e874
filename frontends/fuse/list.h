/* SPDX-License-Identifier: BSD-2-Clause */
/* list.h - `tmem mount --list`. */
#ifndef TM_FUSE_LIST_H
#define TM_FUSE_LIST_H

#include "command/command.h"

/*
 * tm_list_mounts - print every tmem mount that the caller can see: where, alive or dead, how it does.
 *
 * A mount that does not answer holds nobody up. TM_EXIT_OK also when there is none, or a code after a
 * message.
 */
enum tm_exit tm_list_mounts(bool as_json) TM_MUST_USE;

#endif
