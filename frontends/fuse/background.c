/* SPDX-License-Identifier: BSD-2-Clause */
/* background.c - going into the background only when the mount answers. */
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char all_is_well = 'w';

/* The parent: waits for the word or the end of the child. */
static int wait_for(pid_t child, int word)
{
    char byte = 0;
    ssize_t length;
    do
        length = read(word, &byte, 1);
    while (length < 0 && errno == EINTR);
    (void)close(word);
    if (length == 1 && byte == all_is_well)
        return TM_EXIT_OK;

    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return TM_EXIT_FAILED;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return tm_fail(TM_EXIT_FAILED, "the process of the mount ended by signal %d", WTERMSIG(status));
}

int tm_background_begin(struct tm_background *background, int *status)
{
    int ends[2];
    background->word = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t child = fork();
    if (child < 0) {
        int error = errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        errno = error;
        return -1;
    }
    if (child > 0) {
        (void)close(ends[1]);
        *status = wait_for(child, ends[0]);
        return 1;
    }
    (void)close(ends[0]);
    background->word = ends[1];
    (void)setsid();
    return 0;
}

void tm_background_ready(struct tm_background *background)
{
    if (background->word < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            (void)dup2(null, fd);
        if (null > STDERR_FILENO)
            (void)close(null);
    }
    ssize_t written = write(background->word, &all_is_well, 1);
    (void)written; /* a parent that was killed needs no word */
    (void)close(background->word);
    background->word = -1;
}
