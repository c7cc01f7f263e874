/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept.h - a daemon with a keeper, in a folder of its own, whose daemon a test kills.
 *
 * What goes wrong ends the test, with what the daemons have said.
 */
#ifndef TMEM_TEST_KEPT_H
#define TMEM_TEST_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kept {
    char folder[64];
    char socket[96];
    char uri[104];
    char log[96];
    pid_t keeper;
    _Atomic pid_t daemon;
};

/* False: this machine does not say which processes are whose children. */
bool kept_is_possible(void);

/* Starts them: serving when this returns. @settings: of the configuration. */
void kept_start(struct kept *kept, const char *tmemd, const char *settings);

/* Waits for the next daemon, whatever state it is in yet. */
void kept_await_daemon(struct kept *kept);

/* Kills the daemon; no matter if it has ended already. */
void kept_kill(const struct kept *kept, int signal);

/* True when so many lines of the log have the text. */
bool kept_has_said(const struct kept *kept, const char *text, unsigned times);
/* Waits for that. */
void kept_await(const struct kept *kept, const char *text, unsigned times);

/* Ends keeper and daemon, and removes the folder. */
void kept_stop(struct kept *kept);

_Noreturn void kept_fail(const struct kept *kept, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint64_t kept_now_us(void);

#endif
