/* SPDX-License-Identifier: BSD-2-Clause */
/* listen.c - see listen.h. */
#include "daemon/listen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/crowd.h"
#include "daemon/events.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/session.h"
#include "daemon/worker.h"

/* How long nobody is let in after the kernel had no descriptor left. */
#define PAUSE_MS 100

int tm_listen_signals(void)
{
    sigset_t signals;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- letting in ---- */

static void refuse(int socket)
{
    union tm_wire_any answer;
    size_t bytes = tm_message_begin(&answer, TM_WIRE_FAILED, TM_WIRE_VERSION_MAX, 0);
    answer.failed.result = TM_WIRE_REFUSED;
    (void)snprintf(answer.failed.text, sizeof answer.failed.text,
                   "the daemon has as many connections as it takes (see `connections` in its configuration)");
    ssize_t sent = send(socket, &answer, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    (void)close(socket);
}

static void let_in(const struct tm_daemon *daemon, int socket)
{
    static struct tm_log_limit limit;
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
        (void)close(socket);
        return;
    }
    if (!tm_crowd_enter(daemon->crowd, who.uid)) {
        tm_events_add(daemon->events, TM_EVENT_CONNECTION_REFUSED, NULL, who.uid, (uint64_t)who.pid, NULL);
        tm_log_limited(&limit, tm_now_ns(), "user %u has too many connections, or all together have: one refused",
                       (unsigned)who.uid);
        refuse(socket);
        return;
    }
    struct tm_session *session = tm_session_create(daemon, socket, who.uid, who.pid);
    if (session == NULL) {
        tm_crowd_leave(daemon->crowd, who.uid);
        refuse(socket);
        return;
    }
    tm_workers_add(daemon->workers, session);
}

/* False: the kernel has no descriptor left, so it is of no use to try again at once. */
static bool let_all_in(const struct tm_daemon *daemon, int door)
{
    static struct tm_log_limit limit;
    for (;;) {
        int socket = accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) {
            let_in(daemon, socket);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return true;
        char cause[TM_ERROR_TEXT_SIZE];
        tm_log_limited(&limit, tm_now_ns(), "cannot let somebody in: %s", tm_error_text(errno, cause));
        return false;
    }
}

/* ---- being watched ---- */

struct watchdog {
    uint64_t period_ns; /* 0: nobody watches */
    uint64_t next_ns;
};

/* Twice as often as is asked for, as is the custom. */
static void begin_watchdog(struct watchdog *watchdog)
{
    const char *period = getenv("WATCHDOG_USEC");
    const char *process = getenv("WATCHDOG_PID");
    *watchdog = (struct watchdog){0, UINT64_MAX};
    if (period == NULL || (process != NULL && strtoull(process, NULL, 10) != (unsigned long long)getpid()))
        return;
    watchdog->period_ns = strtoull(period, NULL, 10) * 500u;
    if (watchdog->period_ns != 0)
        watchdog->next_ns = tm_now_ns() + watchdog->period_ns;
}

static void tend_watchdog(struct watchdog *watchdog, struct tm_workers *workers)
{
    static struct tm_log_limit limit;
    uint64_t now_ns = tm_now_ns();
    if (now_ns < watchdog->next_ns)
        return;
    watchdog->next_ns = now_ns + watchdog->period_ns;
    if (tm_workers_are_alive(workers))
        (void)tm_notify("WATCHDOG=1");
    else
        tm_log_limited(&limit, now_ns, "a thread that serves has not moved for %llu ms",
                       (unsigned long long)(watchdog->period_ns / 1000000u));
}

/* -1: for ever. */
static int wait_ms(const struct watchdog *watchdog, bool pauses)
{
    uint64_t now_ns = tm_now_ns();
    uint64_t most_ms = pauses ? PAUSE_MS : UINT64_MAX;
    if (watchdog->period_ns != 0)
        most_ms = tm_min_u64(most_ms, watchdog->next_ns > now_ns ? (watchdog->next_ns - now_ns) / 1000000u + 1u : 0);
    return most_ms == UINT64_MAX ? -1 : (int)tm_min_u64(most_ms, 60000);
}

/* ---- signals ---- */

static void reload(struct tm_daemon *daemon, struct tm_settings *settings)
{
    char text[64];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(tm_now_ns() / 1000u));
    (void)tm_notify(text);
    tm_settings_reload(settings, daemon);
    (void)tm_notify("READY=1");
}

/* The signal by which it is time to end, or 0. */
static int take_signals(struct tm_daemon *daemon, struct tm_settings *settings, int signals)
{
    struct signalfd_siginfo signal;
    while (read(signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo != SIGHUP)
            return (int)signal.ssi_signo;
        reload(daemon, settings);
    }
    return 0;
}

int tm_listen(struct tm_daemon *daemon, struct tm_settings *settings, int door, int signals)
{
    struct watchdog watchdog;
    struct pollfd waits[2] = {{signals, POLLIN, 0}, {door, POLLIN, 0}};
    bool pauses = false;
    int signal;
    begin_watchdog(&watchdog);
    for (;;) {
        int ready = poll(waits, pauses ? 1 : 2, wait_ms(&watchdog, pauses));
        if (ready > 0 && waits[0].revents != 0 && (signal = take_signals(daemon, settings, signals)) != 0)
            return signal;
        pauses = !pauses && ready > 0 && waits[1].revents != 0 && !let_all_in(daemon, door);
        tend_watchdog(&watchdog, daemon->workers);
    }
}
