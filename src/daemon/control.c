/* SPDX-License-Identifier: BSD-2-Clause */
/* control.c - see control.h: who is let in, and the threads. */
#include "daemon/control.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_line.h"
#include "daemon/control_verb.h"
#include "daemon/door.h"
#include "daemon/log.h"
#include "daemon/tenant.h"

#define GROUPS_MAX 256u
/* How long nobody is let in after the kernel had no descriptor left. */
#define PAUSE_MS 100
/* How often is told what clients lose. */
#define WATCH_MS 1000

struct tm_control_connection {
    const struct tm_daemon *daemon;
    struct tm_control *control; /* NULL: nobody joins its thread */
    struct tm_control_connection *next;
    pthread_t thread;
    bool is_over; /* its line has ended, and its thread is to be joined */
    struct tm_control_kept *kept;
    struct tm_control_line line;
};

struct tm_control {
    const struct tm_daemon *daemon;
    struct tm_door_kind kind;
    struct tm_door door;
    int stop; /* eventfd */
    pthread_t thread;
    pthread_mutex_t mutex; /* the list, and is_over */
    struct tm_control_connection *first;
    unsigned count;
};

static void lock(struct tm_control *control)
{
    int error = pthread_mutex_lock(&control->mutex);
    TM_ASSERT(error == 0);
}

static void unlock(struct tm_control *control)
{
    int error = pthread_mutex_unlock(&control->mutex);
    TM_ASSERT(error == 0);
}

/* ---- a connection ---- */

/* Consumes the answer. False: nobody listens. */
static bool say(struct tm_control_connection *connection, json_t *answer)
{
    static const char no_memory[] = "{\"result\":\"no-memory\",\"error\":\"the daemon has no memory for an answer\"}\n";
    char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    if (text == NULL)
        return tm_control_line_send(&connection->line, no_memory, sizeof no_memory - 1u);
    size_t bytes = strlen(text);
    text[bytes] = '\n';
    bool is_sent = tm_control_line_send(&connection->line, text, bytes + 1u);
    free(text);
    return is_sent;
}

bool tm_control_say(struct tm_control_call *call, json_t *line)
{
    return say(call->connection, line) && tm_control_is_wanted(call);
}

bool tm_control_is_wanted(const struct tm_control_call *call)
{
    return tm_control_line_is_open(&call->connection->line);
}

int tm_control_socket(const struct tm_control_call *call)
{
    return call->connection->line.socket;
}

int tm_control_take_descriptor(struct tm_control_call *call, unsigned index)
{
    struct tm_control_line *line = &call->connection->line;
    if (index >= line->descriptor_count)
        return -1;
    int descriptor = line->descriptors[index];
    line->descriptors[index] = -1;
    return descriptor;
}

void tm_control_keep(struct tm_control_call *call, struct tm_control_kept *kept)
{
    kept->next = call->connection->kept;
    call->connection->kept = kept;
}

struct tm_control_kept *tm_control_take_kept(struct tm_control_call *call,
                                             void (*end)(struct tm_control_kept *kept, const struct tm_daemon *daemon),
                                             const char *client)
{
    struct tm_control_kept **at = &call->connection->kept;
    while (*at != NULL && ((*at)->end != end || strcmp((*at)->client, client) != 0))
        at = &(*at)->next;
    struct tm_control_kept *kept = *at;
    if (kept != NULL)
        *at = kept->next;
    return kept;
}

static void end_kept(struct tm_control_connection *connection)
{
    while (connection->kept != NULL) {
        struct tm_control_kept *kept = connection->kept;
        connection->kept = kept->next;
        kept->end(kept, connection->daemon);
    }
}

/* What ends a connection that is still there. NULL: nothing needs to be said. */
static json_t *last_words(enum tm_control_heard heard)
{
    switch (heard) {
    case TM_CONTROL_HEARD_TOO_LONG:
        return tm_control_error(TMEM_INVALID, "a line has at most %u bytes", TM_CONTROL_LINE_BYTES);
    case TM_CONTROL_HEARD_HALF:
        return tm_control_error(TMEM_INVALID, "the rest of the line did not come");
    case TM_CONTROL_HEARD_TOO_MANY:
        return tm_control_error(TMEM_INVALID, "at most %u descriptors come with a line", TM_CONTROL_DESCRIPTORS);
    case TM_CONTROL_HEARD_LINE:
    case TM_CONTROL_HEARD_END:
        break;
    }
    return NULL;
}

static void answer_lines(struct tm_control_connection *connection)
{
    enum tm_control_heard heard;
    const char *text;
    size_t bytes;
    while ((heard = tm_control_line_next(&connection->line, &text, &bytes)) == TM_CONTROL_HEARD_LINE) {
        struct tm_control_call call = {.daemon = connection->daemon, .connection = connection};
        if (!say(connection, tm_control_answer(&call, text, bytes)))
            break;
    }
    json_t *words = last_words(heard);
    if (words != NULL)
        (void)say(connection, words);
    end_kept(connection);
}

static void *run_connection(void *argument)
{
    struct tm_control_connection *connection = argument;
    struct tm_control *control = connection->control;
    answer_lines(connection);
    lock(control);
    tm_control_line_fini(&connection->line);
    connection->is_over = true;
    unlock(control);
    return NULL;
}

/* Joins those that are over; @all: waits for the others. */
static void join(struct tm_control *control, bool all)
{
    for (struct tm_control_connection **at = &control->first; *at != NULL;) {
        struct tm_control_connection *connection = *at;
        lock(control);
        bool is_over = connection->is_over;
        if (!is_over && all)
            tm_control_line_cut(&connection->line);
        unlock(control);
        if (!is_over && !all) {
            at = &connection->next;
            continue;
        }
        (void)pthread_join(connection->thread, NULL);
        *at = connection->next;
        control->count--;
        free(connection);
    }
}

/* ---- letting in ---- */

static bool is_in_group(int socket, gid_t gid, gid_t primary)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof groups;
    if (primary == gid)
        return true;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false;
    for (size_t i = 0; i < size / sizeof groups[0]; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

/* Root, whose daemon it is, and members of the group. */
static bool may_ask(const struct tm_control *control, int socket, uid_t *uid)
{
    struct ucred who = {0, (uid_t)-1, (gid_t)-1};
    socklen_t size = sizeof who;
    struct group entry;
    struct group *found = NULL;
    char room[4096];
    bool is_known = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
    *uid = who.uid;
    if (!is_known)
        return false;
    if (who.uid == 0 || who.uid == geteuid())
        return true;
    return getgrnam_r(tm_config_of(control->daemon)->control_group, &entry, room, sizeof room, &found) == 0 &&
           found != NULL && is_in_group(socket, found->gr_gid, who.gid);
}

/* Says why not, without waiting, and closes it. */
static void turn_away(int socket, json_t *answer)
{
    char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    if (text != NULL) {
        size_t bytes = strlen(text);
        text[bytes] = '\n';
        (void)!send(socket, text, bytes + 1u, MSG_DONTWAIT | MSG_NOSIGNAL);
        free(text);
    }
    (void)close(socket);
}

/* NULL: no memory. */
static struct tm_control_connection *make_connection(const struct tm_daemon *daemon, int socket)
{
    struct tm_control_connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->daemon = daemon;
    connection->control = NULL;
    connection->is_over = false;
    connection->kept = NULL;
    tm_control_line_init(&connection->line, socket);
    return connection;
}

bool tm_control_answer_all(const struct tm_daemon *daemon, int socket)
{
    struct tm_control_connection *connection = make_connection(daemon, socket);
    if (connection == NULL)
        return false;
    answer_lines(connection);
    tm_control_line_fini(&connection->line);
    free(connection);
    return true;
}

static bool start(struct tm_control *control, int socket)
{
    struct tm_control_connection *connection = make_connection(control->daemon, socket);
    if (connection == NULL)
        return false;
    connection->control = control;
    if (pthread_create(&connection->thread, NULL, run_connection, connection) != 0) {
        free(connection);
        return false;
    }
    connection->next = control->first;
    control->first = connection;
    control->count++;
    return true;
}

static void let_in(struct tm_control *control, int socket)
{
    static struct tm_log_limit limit;
    uid_t uid;
    join(control, false);
    if (!may_ask(control, socket, &uid)) {
        tm_log_limited(&limit, tm_now_ns(), "user %u is no operator: refused", (unsigned)uid);
        turn_away(socket, tm_control_error(TMEM_DENIED,
                                           "user %u is no operator of this daemon (be root, its own user, or a member "
                                           "of the group %s)",
                                           (unsigned)uid, tm_config_of(control->daemon)->control_group));
    } else if (control->count >= TM_CONTROL_CONNECTIONS)
        turn_away(socket, tm_control_error(TMEM_REFUSED, "%u operators are connected already, as many as there may be",
                                           TM_CONTROL_CONNECTIONS));
    else if (!start(control, socket))
        turn_away(socket, tm_control_error(TMEM_NOMEM, "the daemon has no memory for one more connection"));
}

static void *listen_there(void *argument)
{
    struct tm_control *control = argument;
    struct pollfd waits[2] = {{control->stop, POLLIN, 0}, {control->door.socket, POLLIN, 0}};
    nfds_t count = 2;
    uint64_t watched_ns = tm_now_ns();
    for (;;) {
        int ready = poll(waits, count, count == 2 ? WATCH_MS : PAUSE_MS);
        if (ready > 0 && waits[0].revents != 0)
            return NULL;
        if (tm_now_ns() - watched_ns >= WATCH_MS * UINT64_C(1000000)) {
            tm_tenants_watch(control->daemon->tenants);
            watched_ns = tm_now_ns();
        }
        if (count == 1)
            count = 2;
        if (ready <= 0 || waits[1].revents == 0)
            continue;
        int socket = accept4(control->door.socket, NULL, NULL, SOCK_CLOEXEC);
        if (socket >= 0)
            let_in(control, socket);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            count = 1;
    }
}

/* ---- beginning and ending ---- */

/* control.sock in the directory of the clients' socket. */
static bool choose_path(const struct tm_config *config, const char *socket, char path[static TM_SOCKET_PATH_SIZE])
{
    const char *slash = strrchr(socket, '/');
    int length = config->control_socket[0] != '\0'
                     ? snprintf(path, TM_SOCKET_PATH_SIZE, "%s", config->control_socket)
                     : snprintf(path, TM_SOCKET_PATH_SIZE, "%.*scontrol.sock",
                                slash != NULL ? (int)(slash - socket) + 1 : 0, socket);
    return length < (int)TM_SOCKET_PATH_SIZE;
}

static bool begin(struct tm_control *control)
{
    control->stop = eventfd(0, EFD_CLOEXEC);
    if (control->stop < 0)
        return false;
    if (pthread_mutex_init(&control->mutex, NULL) == 0) {
        /* Once, before there are threads that need it. */
        json_object_seed(0);
        if (pthread_create(&control->thread, NULL, listen_there, control) == 0)
            return true;
        (void)pthread_mutex_destroy(&control->mutex);
    }
    (void)close(control->stop);
    return false;
}

struct tm_control *tm_control_create(const struct tm_daemon *daemon, const char *socket, char *text, size_t text_size)
{
    char path[TM_SOCKET_PATH_SIZE];
    struct tm_control *control = calloc(1, sizeof *control);
    if (control == NULL || !choose_path(daemon->config, socket, path)) {
        (void)snprintf(text, text_size, "no memory, or no room for control.sock beside %s (see [control] in the "
                                        "configuration)",
                       socket);
        free(control);
        return NULL;
    }
    control->daemon = daemon;
    control->kind = (struct tm_door_kind){.type = SOCK_STREAM,
                                          .mode = tm_config_of(daemon)->control_mode,
                                          .group = tm_config_of(daemon)->control_group,
                                          .remedy = "choose another place for the control socket: [control] socket"};
    if (!tm_door_open(&control->door, &control->kind, path, text, text_size)) {
        free(control);
        return NULL;
    }
    if (begin(control))
        return control;
    (void)snprintf(text, text_size, "no memory or no threads to begin with (is a limit set? see ulimit -u and -v)");
    tm_door_close(&control->door, false);
    free(control);
    return NULL;
}

void tm_control_destroy(struct tm_control *control)
{
    if (control == NULL)
        return;
    (void)eventfd_write(control->stop, 1);
    (void)pthread_join(control->thread, NULL);
    join(control, true);
    tm_door_close(&control->door, false);
    (void)pthread_mutex_destroy(&control->mutex);
    (void)close(control->stop);
    free(control);
}
