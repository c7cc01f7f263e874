/* SPDX-License-Identifier: BSD-2-Clause */
/* mount_stats.c - reading the statistics attribute. */
#include "command/mount_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int tm_mount_stats_read(const char *point, char text[static TM_MOUNT_STATS_SIZE])
{
    ssize_t length = getxattr(point, TM_MOUNT_STATS_ATTRIBUTE, text, TM_MOUNT_STATS_SIZE - 1u);
    if (length < 0)
        return errno;
    text[length] = '\0';
    return 0;
}

/* What the child writes into the pipe: smaller than a pipe holds, so that it never waits. */
struct answer {
    int error;
    char text[TM_MOUNT_STATS_SIZE];
};

/* How long a child that was killed is waited for. */
#define CHILD_END_MS 500

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Fills *answer until the other end is closed. 0, or the errno. */
static int receive(int pipe, struct answer *answer, int timeout_ms)
{
    int64_t end_ms = now_ms() + timeout_ms;
    size_t used = 0;
    while (used < sizeof *answer) {
        struct pollfd event = {.fd = pipe, .events = POLLIN};
        int64_t left_ms = end_ms - now_ms();
        int ready = poll(&event, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0)
            return ETIMEDOUT;
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready < 0)
            continue;
        ssize_t length = read(pipe, (char *)answer + used, sizeof *answer - used);
        if (length <= 0)
            return length == 0 ? EIO : errno;
        used += (size_t)length;
    }
    return answer->error;
}

int tm_mount_stats_ask(const char *point, int timeout_ms, char text[static TM_MOUNT_STATS_SIZE])
{
    struct answer answer;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    pid_t child = fork();
    if (child < 0) {
        int error = errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return error;
    }
    if (child == 0) {
        answer.error = tm_mount_stats_read(point, answer.text);
        _exit(write(ends[1], &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
    }
    (void)close(ends[1]);
    int error = receive(ends[0], &answer, timeout_ms);
    if (error == 0)
        memcpy(text, answer.text, sizeof answer.text);
    (void)kill(child, SIGKILL);
    /* The end of the child closes the pipe, and lets go of the mount. One whose question was taken and not answered
     * stays until it is. */
    struct pollfd end = {.fd = ends[0], .events = 0};
    bool has_ended = poll(&end, 1, CHILD_END_MS) == 1;
    (void)close(ends[0]);
    (void)waitpid(child, NULL, has_ended ? 0 : WNOHANG);
    return error;
}

enum tm_mount_state tm_mount_state_of(int error)
{
    switch (error) {
    case 0:
        return TM_MOUNT_ALIVE;
    case ENOTCONN:
    case ECONNABORTED:
        return TM_MOUNT_DEAD;
    case ETIMEDOUT:
        return TM_MOUNT_SILENT;
    case EACCES:
    case EPERM:
        return TM_MOUNT_PRIVATE;
    default:
        return TM_MOUNT_OTHER;
    }
}

bool tm_mount_is_dead(const char *point)
{
    char text[TM_MOUNT_STATS_SIZE];
    return tm_mount_state_of(tm_mount_stats_ask(point, TM_MOUNT_ANSWER_MS, text)) == TM_MOUNT_DEAD;
}
