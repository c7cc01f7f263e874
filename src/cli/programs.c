/* SPDX-License-Identifier: BSD-2-Clause */
/* programs.c - finding and starting the verbs that are programs of their own. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Where a program may lie, relative to the directory of this executable: beside it, in the folders
 * of the build tree (TM_CLI_BUILD_FOLDERS, from the build files), and where a relocated installation
 * has it. Last comes the installed directory, TM_CLI_PROGRAM_DIRECTORY.
 */
static const char *const folders[] = {"", TM_CLI_BUILD_FOLDERS, "../libexec/tmem/"};

/* The directory of this executable with a slash behind it; false when /proc does not say. */
static bool own_directory(char directory[static PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1u);
    if (length <= 0)
        return false;
    directory[length] = '\0';
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    return true;
}

/* A verb is one plain word, so that no path can be smuggled into the name of a program. */
static bool is_plain_word(const char *verb)
{
    if (verb[0] == '\0' || verb[0] == '-')
        return false;
    return verb[strspn(verb, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* Starts @path unless it does not exist. Returns TM_EXIT_USAGE when it does not. */
static enum tm_exit try_program(const char *path, char **arguments)
{
    char cause[TM_ERROR_TEXT_SIZE];
    (void)execv(path, arguments);
    if (errno == ENOENT || errno == ENOTDIR)
        return TM_EXIT_USAGE;
    return tm_fail(tm_exit_of_error(errno), "cannot run %s: %s", path, tm_error_text(errno, cause));
}

enum tm_exit tm_cli_run_daemon(char **arguments)
{
    static const char *const places[] = {"tmemd", "../sbin/tmemd"};
    char directory[PATH_MAX];
    char path[PATH_MAX * 2];
    enum tm_exit code = TM_EXIT_USAGE;
    if (own_directory(directory)) {
        for (size_t i = 0; i < TM_ARRAY_SIZE(places) && code == TM_EXIT_USAGE; i++) {
            (void)snprintf(path, sizeof path, "%s%s", directory, places[i]);
            code = try_program(path, arguments);
        }
    }
    if (code == TM_EXIT_USAGE)
        code = try_program(TM_CLI_DAEMON, arguments);
    return code != TM_EXIT_USAGE ? code : tm_fail(TM_EXIT_NOT_FOUND, "tmemd is not installed (at %s)", TM_CLI_DAEMON);
}

enum tm_exit tm_cli_run_program(char **arguments)
{
    char directory[PATH_MAX];
    char path[PATH_MAX * 2];
    if (!is_plain_word(arguments[0]))
        return TM_EXIT_USAGE;
    if (own_directory(directory)) {
        for (size_t i = 0; i < TM_ARRAY_SIZE(folders); i++) {
            (void)snprintf(path, sizeof path, "%s%stmem-%s", directory, folders[i], arguments[0]);
            enum tm_exit code = try_program(path, arguments);
            if (code != TM_EXIT_USAGE)
                return code;
        }
    }
    (void)snprintf(path, sizeof path, "%s/tmem-%s", TM_CLI_PROGRAM_DIRECTORY, arguments[0]);
    return try_program(path, arguments);
}
