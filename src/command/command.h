/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - what every program with a command line shares: exit codes, messages, sizes as people
 * write them, JSON, and the kernel's table of mounts.
 *
 * Purpose      `tmem`, its verbs and the frontends' programs answer alike. Nothing of this is in
 *              the library: here printing is allowed.
 * Layer        includes base only; src/cli, frontends and bench may include it.
 * Messages     data goes to stdout, messages to stderr, one line each, in the form
 *              `tmem: cannot open /x: permission denied (try: ...)`: the thing, the cause, the remedy.
 * Threads      all functions may be called from any thread; they keep no state.
 */
#ifndef TM_COMMAND_H
#define TM_COMMAND_H

#include "base/base.h"

/* The exit status of every command, as documented for scripts. */
enum tm_exit {
    TM_EXIT_OK = 0,
    TM_EXIT_FAILED = 1,    /* it was tried and did not work */
    TM_EXIT_USAGE = 2,     /* the command line is wrong; nothing was tried */
    TM_EXIT_NOT_FOUND = 3, /* what it names does not exist */
    TM_EXIT_DENIED = 4,    /* no permission */
    TM_EXIT_NO_DAEMON = 5, /* the daemon cannot be reached */
};

/* tm_message - print one line to stderr, prefixed "tmem: ", in one write. */
void tm_message(const char *format, ...) TM_PRINTF(1, 2);

/* tm_fail - tm_message(), then the exit code back, so that callers can `return tm_fail(...)`. */
enum tm_exit tm_fail(enum tm_exit code, const char *format, ...) TM_PRINTF(2, 3);

/* Bytes that tm_error_text() writes at most. */
#define TM_ERROR_TEXT_SIZE 96u

/* tm_error_text - the system's words for @error, beginning in lower case, in @text; returns it. */
const char *tm_error_text(int error, char text[static TM_ERROR_TEXT_SIZE]);

/*
 * tm_error_remedy - what to do about a path that cannot be used for @error; @if_missing says what where it does not
 * exist. Never empty.
 */
const char *tm_error_remedy(int error, const char *if_missing);

/* tm_exit_of_error - the exit code for a system call's error: not found, denied, or failed. */
enum tm_exit tm_exit_of_error(int error);

/*
 * tm_print_stdout - write @text to stdout and flush it.
 *
 * Returns TM_EXIT_OK, or TM_EXIT_FAILED after a message (a full disk, a closed pipe).
 */
enum tm_exit tm_print_stdout(const char *text);

#endif
