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

/* What stands behind a verb, for completion. */
enum tm_cli_operand {
    TM_CLI_NOTHING,
    TM_CLI_DIRECTORIES,
    TM_CLI_FILES,
    TM_CLI_MOUNTS,
    TM_CLI_CLIENTS,
    TM_CLI_SIZE_AND_CLIENT,
    TM_CLI_CHECK,
    TM_CLI_BENCHES,
};

struct tm_cli_verb {
    const char *name;
    const char *summary;      /* one line for `tmem --help` */
    tm_cli_function function; /* NULL: the verb is a program of its own */
    const char *help;         /* for --help of a plain verb */
    enum tm_cli_operand operand;
};

/* In the order of `tmem --help`; the last one has no name. */
extern const struct tm_cli_verb tm_cli_verbs[];

/* tm_cli_find_verb - a verb of `tmem --help`, or NULL. */
const struct tm_cli_verb *tm_cli_find_verb(const char *name);

/* tm_cli_usage - print "VERB: what is wrong" and how to get help; returns TM_EXIT_USAGE. */
enum tm_exit tm_cli_usage(const char *verb, const char *format, ...) TM_PRINTF(2, 3);

enum tm_exit tm_cli_config(int count, char **arguments);
enum tm_exit tm_cli_destroy(int count, char **arguments);
enum tm_exit tm_cli_doctor(int count, char **arguments);
enum tm_exit tm_cli_events(int count, char **arguments);
enum tm_exit tm_cli_freeable(int count, char **arguments);
enum tm_exit tm_cli_freeze(int count, char **arguments);
enum tm_exit tm_cli_list(int count, char **arguments);
enum tm_exit tm_cli_reclaim(int count, char **arguments);
enum tm_exit tm_cli_save(int count, char **arguments);
enum tm_exit tm_cli_restore(int count, char **arguments);
enum tm_exit tm_cli_migrate(int count, char **arguments);
enum tm_exit tm_cli_receive(int count, char **arguments);
enum tm_exit tm_cli_set(int count, char **arguments);
enum tm_exit tm_cli_shared_auth(int count, char **arguments);
enum tm_exit tm_cli_size(int count, char **arguments);
enum tm_exit tm_cli_stats(int count, char **arguments);
enum tm_exit tm_cli_thaw(int count, char **arguments);
enum tm_exit tm_cli_token(int count, char **arguments);
enum tm_exit tm_cli_umount(int count, char **arguments);
enum tm_exit tm_cli_version(int count, char **arguments);

extern const char tm_cli_config_help[];
extern const char tm_cli_destroy_help[];
extern const char tm_cli_doctor_help[];
extern const char tm_cli_events_help[];
extern const char tm_cli_freeable_help[];
extern const char tm_cli_freeze_help[];
extern const char tm_cli_list_help[];
extern const char tm_cli_reclaim_help[];
extern const char tm_cli_save_help[];
extern const char tm_cli_restore_help[];
extern const char tm_cli_migrate_help[];
extern const char tm_cli_receive_help[];
extern const char tm_cli_set_help[];
extern const char tm_cli_shared_auth_help[];
extern const char tm_cli_size_help[];
extern const char tm_cli_stats_help[];
extern const char tm_cli_thaw_help[];
extern const char tm_cli_token_help[];
extern const char tm_cli_umount_help[];
extern const char tm_cli_version_help[];

/*
 * tm_cli_complete - print what the last of the words behind `tmem` may become, one a line. A line that begins with a
 * colon is for the shell: `:directories`, `:files` (its own completion), `:nospace` (more follows).
 */
enum tm_exit tm_cli_complete(int count, char **words);

/* tm_cli_print_version - the first line of `tmem version`. */
enum tm_exit tm_cli_print_version(void);

/*
 * tm_cli_run_program - replace this process by the program tmem-VERB.
 *
 * It is looked for beside this executable, in the build tree's folders, and in the directory of
 * programs (libexec/tmem). Returns only when that failed: TM_EXIT_USAGE when there is no such
 * program, without a message, otherwise a code after a message.
 */
enum tm_exit tm_cli_run_program(char **arguments);

/*
 * tm_cli_run_daemon - replace this process by tmemd: beside this executable, or where it is installed. Returns only
 * when that failed, after a message.
 */
enum tm_exit tm_cli_run_daemon(char **arguments);

#endif
