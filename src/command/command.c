/* SPDX-License-Identifier: BSD-2-Clause */
/* command.c - messages and exit codes. */
#include "command/command.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message that is longer (it names very long paths) is cut. */
#define MESSAGE_SIZE 2048u

static TM_PRINTF(1, 0) void message_arguments(const char *format, va_list arguments)
{
    char line[MESSAGE_SIZE] = "tmem: ";
    size_t prefix = strlen(line);
    int length = vsnprintf(line + prefix, sizeof line - prefix - 1u, format, arguments);
    size_t used = prefix;
    if (length > 0)
        used += (size_t)tm_min_u64((uint64_t)length, sizeof line - prefix - 2u);
    line[used++] = '\n';

    /* One write, so that lines of several processes on one terminal do not mix. What cannot be
     * written to stderr cannot be reported either. */
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}

void tm_message(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    message_arguments(format, arguments);
    va_end(arguments);
}

enum tm_exit tm_fail(enum tm_exit code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    message_arguments(format, arguments);
    va_end(arguments);
    return code;
}

const char *tm_error_text(int error, char text[static TM_ERROR_TEXT_SIZE])
{
    /* The GNU variant may return a constant instead of filling the buffer. */
    char buffer[TM_ERROR_TEXT_SIZE];
    const char *words = strerror_r(error, buffer, sizeof buffer);
    (void)snprintf(text, TM_ERROR_TEXT_SIZE, "%s", words);
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

/*
 * Programs are linked with a library that keeps its own to itself, or with the library's parts, which
 * bring one: then that one counts.
 */
__attribute__((weak)) _Noreturn void tm_platform_panic(const char *file, int line, const char *what)
{
    tm_message("broken invariant: %s (%s:%d); please report this", what, file, line);
    abort();
}

const char *tm_error_remedy(int error, const char *if_missing)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return if_missing;
    case EACCES:
    case EPERM:
        return "who may use it, and each directory above it? try: ls -ld, or sudo";
    case ELOOP:
        return "its symbolic links lead to themselves";
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return "is a limit set? see ulimit -a";
    default:
        return "does `ls` show it?";
    }
}

enum tm_exit tm_exit_of_error(int error)
{
    switch (error) {
    case 0:
        return TM_EXIT_OK;
    case ENOENT:
    case ENOTDIR:
        return TM_EXIT_NOT_FOUND;
    case EACCES:
    case EPERM:
        return TM_EXIT_DENIED;
    default:
        return TM_EXIT_FAILED;
    }
}

enum tm_exit tm_print_stdout(const char *text)
{
    char cause[TM_ERROR_TEXT_SIZE];
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
        return tm_fail(TM_EXIT_FAILED, "cannot write to stdout: %s", tm_error_text(errno, cause));
    return TM_EXIT_OK;
}
