/* SPDX-License-Identifier: BSD-2-Clause */
/* kept.c - see kept.h. */
#include "tests/restart/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_US UINT64_C(60000000) /* sanitizers and valgrind are slow */
#define LOG_BYTES (1u << 20)

extern char **environ;

uint64_t kept_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* ---- what they have said ---- */

static char *read_log(const struct kept *kept)
{
    char *text = calloc(1, LOG_BYTES + 1u);
    FILE *file = fopen(kept->log, "re");
    if (text != NULL && file != NULL) {
        size_t bytes = fread(text, 1, LOG_BYTES, file);
        text[bytes] = '\0';
    }
    if (file != NULL)
        fclose(file);
    return text;
}

void kept_fail(const struct kept *kept, const char *format, ...)
{
    va_list arguments;
    char *log = read_log(kept);
    size_t length = log != NULL ? strlen(log) : 0;
    fprintf(stderr, "FAILED: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nthe daemons said at last:\n%s\n", log != NULL ? log + (length > 8000 ? length - 8000 : 0) : "");
    free(log);
    kill(kept->keeper, SIGKILL);
    if (kept->daemon > 0)
        kill(kept->daemon, SIGKILL);
    exit(1);
}

bool kept_has_said(const struct kept *kept, const char *text, unsigned times)
{
    unsigned count = 0;
    char *log = read_log(kept);
    for (const char *at = log; at != NULL && (at = strstr(at, text)) != NULL; at++)
        count++;
    free(log);
    return count >= times;
}

void kept_await(const struct kept *kept, const char *text, unsigned times)
{
    for (uint64_t end = kept_now_us() + PATIENCE_US; !kept_has_said(kept, text, times);) {
        if (kept_now_us() > end)
            kept_fail(kept, "nobody said '%s' %u times", text, times);
        usleep(2000);
    }
}

/* ---- processes ---- */

/* The first child of a process, 0: it has none, -1: nobody tells. */
static pid_t child_of(pid_t parent)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%d", &child) != 1)
        child = 0;
    fclose(file);
    return child;
}

bool kept_is_possible(void)
{
    return child_of(getpid()) >= 0;
}

void kept_await_daemon(struct kept *kept)
{
    pid_t before = kept->daemon;
    for (uint64_t end = kept_now_us() + PATIENCE_US;;) {
        pid_t child = child_of(kept->keeper);
        if (child > 0 && child != before) {
            kept->daemon = child;
            return;
        }
        if (kept_now_us() > end)
            kept_fail(kept, "there is no next daemon");
        usleep(200);
    }
}

void kept_kill(const struct kept *kept, int signal)
{
    if (kill(kept->daemon, signal) != 0 && errno != ESRCH)
        kept_fail(kept, "cannot kill the daemon: %s", strerror(errno));
}

static void write_settings(const char *path, const char *settings)
{
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(settings, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "cannot write %s\n", path);
        exit(1);
    }
}

void kept_start(struct kept *kept, const char *tmemd, const char *settings)
{
    char config[96];
    const char *base = getenv("TMPDIR");
    const char *const arguments[] = {tmemd, "--keeper", "--foreground", "--config", config,
                                     "--socket", kept->socket, NULL};
    posix_spawn_file_actions_t actions;
    *kept = (struct kept){.keeper = 0};
    snprintf(kept->folder, sizeof kept->folder, "%s/restart-XXXXXX",
             base != NULL && strlen(base) < 40 && *base != 0 ? base : "/tmp");
    if (mkdtemp(kept->folder) == NULL) {
        fprintf(stderr, "no folder in %s\n", kept->folder);
        exit(1);
    }
    snprintf(config, sizeof config, "%s/config", kept->folder);
    snprintf(kept->socket, sizeof kept->socket, "%s/socket", kept->folder);
    snprintf(kept->uri, sizeof kept->uri, "unix:%s", kept->socket);
    snprintf(kept->log, sizeof kept->log, "%s/log", kept->folder);
    write_settings(config, settings);
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, 2, kept->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char *const *passed = (char *const *)(uintptr_t)arguments;
    if (error == 0)
        error = posix_spawn(&kept->keeper, tmemd, &actions, NULL, passed, environ);
    if (error != 0) {
        fprintf(stderr, "cannot start %s: %s\n", tmemd, strerror(error));
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    kept_await(kept, "tmemd: serving", 1);
    kept_await_daemon(kept);
}

void kept_stop(struct kept *kept)
{
    static const char *const names[] = {"config", "socket", "socket.lock", "control.sock.lock", "log"};
    char path[128];
    int status = -1;
    if (kept->keeper > 0) {
        kill(kept->keeper, SIGTERM);
        if (waitpid(kept->keeper, &status, 0) != kept->keeper || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            kept_fail(kept, "the keeper ended with status %d", status);
    }
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", kept->folder, names[i]);
        unlink(path);
    }
    if (rmdir(kept->folder) != 0)
        kept_fail(kept, "%s: %s", kept->folder, strerror(errno));
}
