/* SPDX-License-Identifier: BSD-2-Clause */
/* keeper.c - see keeper.h. */
#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/keep.h"
#include "daemon/log.h"
#include "daemon/notify.h"

#define NOTICE_BYTES 1024u
#define RECEIVED_MAX 8u /* descriptors of one message */
/* Where descriptors are out of the way of those that are passed. */
#define ASIDE (TM_PASSED_FIRST + (int)TM_PASSED_MAX)
/* How long to wait before the next try, after daemons that ended before they served. */
#define PAUSE_FIRST_MS 10u
#define PAUSE_MAX_MS 5000u

struct keeper {
    char program[PATH_MAX]; /* as it is called now: an upgrade puts another file there */
    char **arguments;
    int ready;
    int signals;
    int notices;
    char notices_name[16]; /* '@' and the name that the kernel chose */

    unsigned kept_count;
    int kept[TM_PASSED_MAX];
    char kept_name[TM_PASSED_MAX][TM_PASSED_NAME_SIZE];

    pid_t child;
    bool serves;     /* this child */
    bool has_served; /* any */
    bool ends;
    unsigned pause_ms;
};

/* ---- what is kept ---- */

static void drop(struct keeper *keeper, const char *name)
{
    unsigned left = 0;
    for (unsigned i = 0; i < keeper->kept_count; i++) {
        if (strcmp(keeper->kept_name[i], name) == 0) {
            (void)close(keeper->kept[i]);
            continue;
        }
        keeper->kept[left] = keeper->kept[i];
        memmove(keeper->kept_name[left], keeper->kept_name[i], sizeof keeper->kept_name[left]);
        left++;
    }
    keeper->kept_count = left;
}

/* Takes the descriptor over, in place of one of the same name. */
static void keep(struct keeper *keeper, const char *name, int descriptor)
{
    drop(keeper, name);
    if (keeper->kept_count == TM_PASSED_MAX) {
        tm_log("keeper: no room to keep '%s'", name);
        (void)close(descriptor);
        return;
    }
    keeper->kept[keeper->kept_count] = descriptor;
    (void)snprintf(keeper->kept_name[keeper->kept_count], TM_PASSED_NAME_SIZE, "%s", name);
    keeper->kept_count++;
}

/* ---- what the daemon tells ---- */

struct notice {
    char text[NOTICE_BYTES];
    int descriptors[RECEIVED_MAX];
    unsigned count;
    pid_t sender;
};

/* False: there is none. */
static bool receive(const struct keeper *keeper, struct notice *notice)
{
    struct iovec part = {notice->text, sizeof notice->text - 1u};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(RECEIVED_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t bytes = recvmsg(keeper->notices, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes < 0)
        return false;
    notice->text[bytes] = '\0';
    notice->count = 0;
    notice->sender = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL; head = CMSG_NXTHDR(&message, head)) {
        struct ucred who;
        if (head->cmsg_level != SOL_SOCKET)
            continue;
        if (head->cmsg_type == SCM_CREDENTIALS && head->cmsg_len == CMSG_LEN(sizeof who)) {
            memcpy(&who, CMSG_DATA(head), sizeof who);
            notice->sender = who.pid;
        } else if (head->cmsg_type == SCM_RIGHTS) {
            notice->count = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(notice->descriptors, CMSG_DATA(head), notice->count * sizeof(int));
        }
    }
    return true;
}

/* The value of a line KEY=VALUE, or NULL. */
static const char *value_of(const char *text, const char *key, char value[static TM_PASSED_NAME_SIZE])
{
    size_t length = strlen(key);
    while (text != NULL && (strncmp(text, key, length) != 0 || text[length] != '=')) {
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
    if (text == NULL)
        return NULL;
    text += length + 1u;
    (void)snprintf(value, TM_PASSED_NAME_SIZE, "%.*s", (int)strcspn(text, "\n"), text);
    return value;
}

static bool says(const struct notice *notice, const char *key)
{
    char value[TM_PASSED_NAME_SIZE];
    return value_of(notice->text, key, value) != NULL && strcmp(value, "1") == 0;
}

static void take_note(struct keeper *keeper, struct notice *notice)
{
    char name[TM_PASSED_NAME_SIZE];
    bool has_name = value_of(notice->text, "FDNAME", name) != NULL;
    if (says(notice, "READY")) {
        keeper->serves = keeper->has_served = true;
        keeper->pause_ms = 0;
        if (keeper->ready >= 0) {
            (void)!write(keeper->ready, "", 1);
            (void)close(keeper->ready);
            keeper->ready = -1;
        }
    }
    if (says(notice, "FDSTOREREMOVE") && has_name)
        drop(keeper, name);
    if (says(notice, "FDSTORE") && has_name && notice->count == 1) {
        keep(keeper, name, notice->descriptors[0]);
        notice->count = 0;
    }
}

/* Whoever knows the socket's name may write to it: only the child's own words count. */
static void hear(struct keeper *keeper)
{
    struct notice notice;
    while (receive(keeper, &notice)) {
        if (notice.sender == keeper->child)
            take_note(keeper, &notice);
        /* Closing what came with BARRIER=1 is the answer to it. */
        for (unsigned i = 0; i < notice.count; i++)
            (void)close(notice.descriptors[i]);
    }
}

/* ---- the daemon ---- */

/* In the child: what is kept becomes descriptors from TM_PASSED_FIRST on, and the environment says so. */
static bool pass_on(struct keeper *keeper)
{
    char number[32];
    char names[TM_PASSED_MAX * TM_PASSED_NAME_SIZE] = "";
    size_t used = 0;
    for (unsigned i = 0; i < keeper->kept_count; i++) {
        keeper->kept[i] = fcntl(keeper->kept[i], F_DUPFD_CLOEXEC, ASIDE);
        if (keeper->kept[i] < 0)
            return false;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ":" : "", keeper->kept_name[i]);
    }
    for (unsigned i = 0; i < keeper->kept_count; i++)
        if (dup2(keeper->kept[i], TM_PASSED_FIRST + (int)i) < 0)
            return false;
    if (setenv("NOTIFY_SOCKET", keeper->notices_name, 1) != 0 || setenv(TM_KEEP_VARIABLE, "1", 1) != 0)
        return false;
    if (keeper->kept_count == 0)
        return true;
    (void)snprintf(number, sizeof number, "%d", (int)getpid());
    bool done = setenv("LISTEN_PID", number, 1) == 0;
    (void)snprintf(number, sizeof number, "%u", keeper->kept_count);
    return done && setenv("LISTEN_FDS", number, 1) == 0 && setenv("LISTEN_FDNAMES", names, 1) == 0;
}

static _Noreturn void be_daemon(struct keeper *keeper)
{
    char cause[TM_ERROR_TEXT_SIZE];
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (pass_on(keeper))
        (void)execv(keeper->program, keeper->arguments);
    tm_log("keeper: cannot start %s: %s", keeper->program, tm_error_text(errno, cause));
    _exit(TM_EXIT_FAILED);
}

static void start(struct keeper *keeper)
{
    keeper->serves = false;
    keeper->child = fork();
    if (keeper->child == 0)
        be_daemon(keeper);
    if (keeper->child < 0)
        tm_log("keeper: cannot start the daemon again yet (is a limit set? see ulimit -u)");
}

/* The next pause is longer, unless this daemon served. */
static void lengthen_pause(struct keeper *keeper)
{
    if (keeper->serves)
        keeper->pause_ms = 0;
    else
        keeper->pause_ms = keeper->pause_ms == 0 ? PAUSE_FIRST_MS : keeper->pause_ms * 2u;
    if (keeper->pause_ms > PAUSE_MAX_MS)
        keeper->pause_ms = PAUSE_MAX_MS;
}

static void say_how_it_ended(const struct keeper *keeper, int status)
{
    char pause[48] = "";
    if (keeper->pause_ms >= 1000)
        (void)snprintf(pause, sizeof pause, " in %u s", keeper->pause_ms / 1000u);
    if (WIFSIGNALED(status))
        tm_log("keeper: the daemon, process %d, was ended by signal %d; the next one is started%s", (int)keeper->child,
               WTERMSIG(status), pause);
    else
        tm_log("keeper: the daemon, process %d, ended with status %d; the next one is started%s", (int)keeper->child,
               WEXITSTATUS(status), pause);
}

/* True: that was the last one; *code is the answer. */
static bool reap(struct keeper *keeper, enum tm_exit *code)
{
    int status;
    if (keeper->child <= 0 || waitpid(keeper->child, &status, WNOHANG) != keeper->child)
        return false;
    /* What it told before it ended. */
    hear(keeper);
    bool failed = WIFEXITED(status) && WEXITSTATUS(status) != 0;
    if (keeper->ends || (failed && !keeper->has_served)) {
        *code = failed ? (enum tm_exit)WEXITSTATUS(status) : TM_EXIT_OK;
        return true;
    }
    lengthen_pause(keeper);
    say_how_it_ended(keeper, status);
    keeper->child = -1;
    return false;
}

/* ---- the keeper ---- */

/* True: there is nobody to wait for. */
static bool take_signal(struct keeper *keeper)
{
    struct signalfd_siginfo signal;
    while (read(keeper->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGHUP && keeper->child > 0)
            (void)kill(keeper->child, SIGHUP);
        if (signal.ssi_signo != SIGTERM && signal.ssi_signo != SIGINT)
            continue;
        keeper->ends = true;
        if (keeper->child <= 0)
            return true;
        /* SIGINT: there is no next one. */
        (void)kill(keeper->child, SIGINT);
    }
    return false;
}

static enum tm_exit watch(struct keeper *keeper)
{
    struct pollfd waits[2] = {{keeper->signals, POLLIN, 0}, {keeper->notices, POLLIN, 0}};
    enum tm_exit code = TM_EXIT_OK;
    start(keeper);
    for (;;) {
        bool is_waiting = keeper->child < 0;
        int ready = poll(waits, 2, is_waiting ? (int)keeper->pause_ms : -1);
        hear(keeper);
        if (take_signal(keeper) || reap(keeper, &code))
            return code;
        if (is_waiting && ready == 0) {
            start(keeper);
            if (keeper->child < 0)
                lengthen_pause(keeper);
        }
    }
}

/* A socket with a name that the kernel chooses; messages say who sent them. */
static bool open_notices(struct keeper *keeper)
{
    const int yes = 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address.sun_family;
    keeper->notices = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (keeper->notices < 0 || setsockopt(keeper->notices, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0 ||
        bind(keeper->notices, (const struct sockaddr *)&address, size) != 0)
        return false;
    size = sizeof address;
    if (getsockname(keeper->notices, (struct sockaddr *)&address, &size) != 0)
        return false;
    size_t length = size - offsetof(struct sockaddr_un, sun_path);
    if (length < 2 || length >= sizeof keeper->notices_name)
        return false;
    memcpy(keeper->notices_name, address.sun_path, length);
    keeper->notices_name[0] = '@';
    keeper->notices_name[length] = '\0';
    return true;
}

static bool take_signals(struct keeper *keeper)
{
    /* It shall not end because nobody reads its messages any more. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t signals;
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return false;
    keeper->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return keeper->signals >= 0;
}

static bool find_program(struct keeper *keeper)
{
    ssize_t length = readlink("/proc/self/exe", keeper->program, sizeof keeper->program - 1u);
    if (length > 0)
        keeper->program[length] = '\0';
    return length > 0;
}

enum tm_exit tm_keeper_run(char **arguments, int ready)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct keeper keeper = {.arguments = arguments, .ready = ready, .signals = -1, .notices = -1};
    enum tm_exit code = TM_EXIT_FAILED;
    if (find_program(&keeper) && open_notices(&keeper) && take_signals(&keeper))
        code = watch(&keeper);
    else
        tm_log("keeper: cannot begin: %s (is /proc there? is a limit set? see ulimit -n)", tm_error_text(errno, cause));
    for (unsigned i = 0; i < keeper.kept_count; i++)
        (void)close(keeper.kept[i]);
    return code;
}
