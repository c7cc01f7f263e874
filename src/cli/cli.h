/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h - the command `tmem`: its plain verbs, and how it finds the others.
 *
 * Purpose     `tmem VERB ...` does the small verbs itself; every other verb is a program of its own
 *             named tmem-VERB, so that `tmem` needs no library of theirs. A verb gets its arguments
 *             from its own name on, and returns the exit status (command.h).
 * Layer       includes include/, command and base only.
 */
#ifndef TM_CLI_H
#define TM_CLI_H

#include "command/command.h"

/* A verb's function; arguments[0] is the verb. */
typedef enum tm_exit (*tm_cli_function)(int count, char **arguments);

struct tm_cli_verb {
    const char *name;
    const char *summary;      /* one line for `tmem --help` */
    tm_cli_function function; /* NULL: the verb is a program of its own */
    const char *help;         /* for --help of a plain verb */
};

/* tm_cli_find_verb - a verb of `tmem --help`, or NULL. */
const struct tm_cli_verb *tm_cli_find_verb(const char *name);

/* tm_cli_usage - print "VERB: what is wrong" and how to get help; returns TM_EXIT_USAGE. */
enum tm_exit tm_cli_usage(const char *verb, const char *format, ...) TM_PRINTF(2, 3);

enum tm_exit tm_cli_umount(int count, char **arguments);
enum tm_exit tm_cli_stats(int count, char **arguments);
enum tm_exit tm_cli_doctor(int count, char **arguments);

extern const char tm_cli_umount_help[];
extern const char tm_cli_stats_help[];
extern const char tm_cli_doctor_help[];

/*
 * tm_cli_run_program - replace this process by the program tmem-VERB.
 *
 * It is looked for beside this executable, in the build tree's folders, and in the directory of
 * programs (libexec/tmem). Returns only when that failed: TM_EXIT_USAGE when there is no such
 * program, without a message, otherwise a code after a message.
 */
enum tm_exit tm_cli_run_program(char **arguments);

#endif
