/* SPDX-License-Identifier: BSD-2-Clause */
/* door.c - see door.h. */
#include "daemon/door.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "command/command.h"

#define LOCK_SUFFIX ".lock"
#define BACKLOG 512

/* Anybody may connect: who connects is judged by the kernel's word for who it is. */
const struct tm_door_kind tm_door_for_clients = {
    .type = SOCK_SEQPACKET, .mode = 0666, .remedy = "choose another place with --socket"};

bool tm_door_default_path(char path[static TM_SOCKET_PATH_SIZE])
{
    const char *directory = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (directory == NULL || directory[0] != '/')
        return false;
    int length = snprintf(path, TM_SOCKET_PATH_SIZE, "%s/tmem/tmemd.sock", directory);
    return length > 0 && length < (int)TM_SOCKET_PATH_SIZE;
}

static bool fail(char *text, size_t text_size, const char *what, const char *path, int error)
{
    char cause[TM_ERROR_TEXT_SIZE];
    snprintf(text, text_size, "cannot %s %s: %s (%s)", what, path, tm_error_text(error, cause),
             tm_error_remedy(error, "is its directory there?"));
    return false;
}

static void address_of(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, strlen(path) + 1u);
}

/* Makes the directory, not those above it. */
static void make_directory(const char *path)
{
    char directory[TM_SOCKET_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return;
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    /* If it cannot be made, the lock in it says why. */
    (void)mkdir(directory, 0755);
}

static bool take_lock(struct tm_door *door, char *text, size_t text_size)
{
    char path[TM_SOCKET_PATH_SIZE + sizeof LOCK_SUFFIX];
    snprintf(path, sizeof path, "%s" LOCK_SUFFIX, door->path);
    door->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (door->lock < 0)
        return fail(text, text_size, "open", path, errno);
    if (flock(door->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        snprintf(text, text_size, "another daemon listens at %s (stop it, or %s)", door->path, door->kind->remedy);
    else
        (void)fail(text, text_size, "lock", path, errno);
    return false;
}

/* What connecting there answers: 0, or an errno. */
static int probe(const struct tm_door *door, const struct sockaddr_un *address)
{
    int client = socket(AF_UNIX, door->kind->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client < 0)
        return errno;
    int error = connect(client, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    (void)close(client);
    return error;
}

/* Does anybody answer there? One who has not made a lock, such as another program. */
static bool is_answered(const struct tm_door *door, const struct sockaddr_un *address)
{
    /* Refused: nobody has it open. What has another type answers EPROTOTYPE, and is somebody's. */
    return probe(door, address) != ECONNREFUSED;
}

/* Whatever lies at the path goes, if it is a socket that nobody listens to. */
static bool clear_place(const struct tm_door *door, const struct sockaddr_un *address, char *text, size_t text_size)
{
    const char *path = door->path;
    struct stat there;
    if (lstat(path, &there) != 0)
        return errno == ENOENT || fail(text, text_size, "look at", path, errno);
    if (!S_ISSOCK(there.st_mode)) {
        snprintf(text, text_size, "%s is no socket (remove it, or %s)", path, door->kind->remedy);
        return false;
    }
    if (is_answered(door, address)) {
        snprintf(text, text_size, "another daemon listens at %s (stop it, or %s)", path, door->kind->remedy);
        return false;
    }
    return unlink(path) == 0 || fail(text, text_size, "replace", path, errno);
}

/* There need be no such group: then only the owner's permissions count. */
static bool give_to_group(const struct tm_door *door)
{
    struct group entry;
    struct group *found = NULL;
    char room[4096];
    if (door->kind->group == NULL || getgrnam_r(door->kind->group, &entry, room, sizeof room, &found) != 0 ||
        found == NULL)
        return true;
    /* A user's own daemon cannot give it away, if the user is no member. */
    return chown(door->path, (uid_t)-1, found->gr_gid) == 0 || geteuid() != 0;
}

static bool listen_there(struct tm_door *door, const struct sockaddr_un *address, char *text, size_t text_size)
{
    door->socket = socket(AF_UNIX, door->kind->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door->socket < 0)
        return fail(text, text_size, "make a socket for", door->path, errno);
    if (bind(door->socket, (const struct sockaddr *)address, sizeof *address) != 0)
        return fail(text, text_size, "listen at", door->path, errno);
    door->is_ours = true;
    if (!give_to_group(door) || chmod(door->path, door->kind->mode) != 0 || listen(door->socket, BACKLOG) != 0)
        return fail(text, text_size, "listen at", door->path, errno);
    return true;
}

/* True: the socket listens at the door's path, as far as can be seen: with the lock nobody else of us does. */
static bool listens_at(const struct tm_door *door, int socket, const struct sockaddr_un *expected)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    if (getsockname(socket, (struct sockaddr *)&address, &size) != 0 || address.sun_family != AF_UNIX ||
        strncmp(address.sun_path, door->path, sizeof address.sun_path) != 0)
        return false;
    /* So many may wait there that there is no room for one more. */
    int error = probe(door, expected);
    return error == 0 || error == EAGAIN;
}

static bool go_on_with(struct tm_door *door, int socket, const struct sockaddr_un *address)
{
    if (socket < 0)
        return false;
    if (!listens_at(door, socket, address)) {
        (void)close(socket);
        return false;
    }
    door->socket = socket;
    door->is_ours = door->goes_on = true;
    return true;
}

bool tm_door_open(struct tm_door *door, const struct tm_door_kind *kind, const char *path, char *text, size_t text_size)
{
    return tm_door_open_again(door, kind, -1, path, text, text_size);
}

bool tm_door_open_again(struct tm_door *door, const struct tm_door_kind *kind, int socket, const char *path,
                        char *text, size_t text_size)
{
    struct sockaddr_un address;
    *door = (struct tm_door){.kind = kind, .socket = -1, .lock = -1};
    if (strlen(path) >= sizeof door->path) {
        snprintf(text, text_size, "%.200s: a socket's path has at most %zu bytes (%s)", path, sizeof door->path - 1u,
                 kind->remedy);
        return false;
    }
    memcpy(door->path, path, strlen(path) + 1u);
    make_directory(path);
    address_of(path, &address);
    if (take_lock(door, text, text_size) &&
        (go_on_with(door, socket, &address) ||
         (clear_place(door, &address, text, text_size) && listen_there(door, &address, text, text_size))))
        return true;
    tm_door_close(door, false);
    return false;
}

bool tm_door_adopt(struct tm_door *door, int socket, char *text, size_t text_size)
{
    int type = 0;
    int listens = 0;
    socklen_t size = sizeof type;
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t address_size = sizeof address;
    *door = (struct tm_door){.kind = &tm_door_for_clients, .socket = -1, .lock = -1};
    bool fits = getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
                getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
                getsockname(socket, (struct sockaddr *)&address, &address_size) == 0 &&
                address.sun_family == AF_UNIX;
    if (!fits) {
        snprintf(text, text_size, "descriptor %d, passed to this process to listen on, is no listening unix socket of "
                                  "type SOCK_SEQPACKET (ListenSequentialPacket= in the unit)",
                 socket);
        return false;
    }
    if (fcntl(socket, F_SETFL, O_NONBLOCK) != 0)
        return fail(text, text_size, "use", "the socket passed to this process", errno);
    door->socket = socket;
    size_t length = strnlen(address.sun_path, sizeof address.sun_path - 1u);
    memcpy(door->path, address.sun_path, length);
    door->path[length] = '\0';
    return true;
}

/* Somebody may have put another in its place. */
static bool is_still_ours(const struct tm_door *door)
{
    struct sockaddr_un address;
    address_of(door->path, &address);
    return !is_answered(door, &address);
}

void tm_door_close(struct tm_door *door, bool goes_on)
{
    if (door->socket >= 0)
        (void)close(door->socket);
    if (door->is_ours && !goes_on && is_still_ours(door))
        (void)unlink(door->path);
    if (door->lock >= 0)
        (void)close(door->lock);
    *door = (struct tm_door){.socket = -1, .lock = -1};
}
