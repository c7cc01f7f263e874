/* SPDX-License-Identifier: BSD-2-Clause */
/* test_death.c - see test_death.h. */
#include "support/test_death.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool tm_test_dies(void (*body)(void))
{
    const struct rlimit no_core = {0, 0};
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &no_core);
        sigaction(SIGABRT, &by_default, NULL);
        body();
        _exit(0);
    }
    while (waitpid(child, &status, 0) != child) {
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
