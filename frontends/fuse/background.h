/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * background.h - going into the background only when the mount answers.
 *
 * The process forks before it opens anything, because a store is not valid in a forked child. The parent
 * waits: for the child's word that all is well, or for its end, whose exit status it passes on. Until
 * then the child's messages reach the terminal.
 */
#ifndef TM_FUSE_BACKGROUND_H
#define TM_FUSE_BACKGROUND_H

#include "command/command.h"

struct tm_background {
    int word; /* write end of the pipe to the parent; -1 in the foreground */
};

/*
 * tm_background_begin - fork. Returns 0 in the child, which goes on. In the parent 1, and *status is the
 * exit status to end with. -1 with errno when it was not possible; there is no child then.
 */
int tm_background_begin(struct tm_background *background, int *status) TM_MUST_USE;

/* tm_background_ready - let the parent end with success, and let go of the terminal. In the foreground:
 * nothing. */
void tm_background_ready(struct tm_background *background);

#endif
