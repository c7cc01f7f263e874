/* SPDX-License-Identifier: BSD-2-Clause */
/* verbs.c - the table of verbs: what `tmem --help` tells, what is run, and what completion knows of their operands. */
#include "cli/cli.h"

#include <string.h>

const struct tm_cli_verb tm_cli_verbs[] = {
    {"mount", "show a directory again, with its file pages cached in the store", NULL, NULL, TM_CLI_DIRECTORIES},
    {"umount", "undo a mount, also one whose process has died", tm_cli_umount, tm_cli_umount_help, TM_CLI_MOUNTS},
    {"stats", "what a mount has read from where; how a daemon's store is filled", tm_cli_stats, tm_cli_stats_help,
     TM_CLI_MOUNTS},
    {"top", "a daemon at work: clients, rates, latencies, who evicted whom", NULL, NULL, TM_CLI_NOTHING},
    {"list", "the clients of a daemon, and what they hold", tm_cli_list, tm_cli_list_help, TM_CLI_CLIENTS},
    {"freeze", "refuse a client's puts", tm_cli_freeze, tm_cli_freeze_help, TM_CLI_CLIENTS},
    {"thaw", "take them again", tm_cli_thaw, tm_cli_thaw_help, TM_CLI_CLIENTS},
    {"destroy", "end a client with all its pages", tm_cli_destroy, tm_cli_destroy_help, TM_CLI_CLIENTS},
    {"set", "change a client's weight, cap and compression", tm_cli_set, tm_cli_set_help, TM_CLI_CLIENTS},
    {"shared-auth", "let a client join a shared pool, or no longer", tm_cli_shared_auth, tm_cli_shared_auth_help,
     TM_CLI_CLIENTS},
    {"freeable", "how much memory a daemon could give back", tm_cli_freeable, tm_cli_freeable_help, TM_CLI_NOTHING},
    {"reclaim", "give memory back to the host now", tm_cli_reclaim, tm_cli_reclaim_help, TM_CLI_SIZE_AND_CLIENT},
    {"size", "change how much memory a daemon may use", tm_cli_size, tm_cli_size_help, TM_CLI_NOTHING},
    {"save", "write a client into a file while it runs", tm_cli_save, tm_cli_save_help, TM_CLI_CLIENTS},
    {"restore", "make a client again from a file", tm_cli_restore, tm_cli_restore_help, TM_CLI_FILES},
    {"migrate", "move a client to another daemon while it runs", tm_cli_migrate, tm_cli_migrate_help, TM_CLI_CLIENTS},
    {"receive", "the other end of `tmem migrate`", tm_cli_receive, tm_cli_receive_help, TM_CLI_NOTHING},
    {"token", "by what a program claims a client that waits", tm_cli_token, tm_cli_token_help, TM_CLI_CLIENTS},
    {"events", "what happened in a daemon, and what happens", tm_cli_events, tm_cli_events_help, TM_CLI_NOTHING},
    {"config", "say what is wrong with a daemon's configuration", tm_cli_config, tm_cli_config_help, TM_CLI_CHECK},
    {"doctor", "what works on this machine, and the remedy for what does not", tm_cli_doctor, tm_cli_doctor_help,
     TM_CLI_NOTHING},
    {"bench", "measure the engine on this machine", NULL, NULL, TM_CLI_BENCHES},
    {"version", "print the versions", tm_cli_version, tm_cli_version_help, TM_CLI_NOTHING},
    {NULL, NULL, NULL, NULL, TM_CLI_NOTHING},
};

const struct tm_cli_verb *tm_cli_find_verb(const char *name)
{
    for (const struct tm_cli_verb *verb = tm_cli_verbs; verb->name != NULL; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}
