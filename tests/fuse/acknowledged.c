/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * acknowledged.c - what was acknowledged is in DIR when the mount's process is killed.
 *
 * usage: acknowledged MNT DIR PROCESS WRITERS MILLISECONDS SEED
 *
 * Writers change files of their own in MNT, by every kind of call, and note in shared memory what each file is to be
 * once a call has answered; the call under way is noted before it is made. After that many milliseconds PROCESS,
 * the mount's, is killed with SIGKILL, the writers stop at the next error, and DIR must have every file as noted: or,
 * for the one call of each writer that had no answer, as it was to be, or something in between for a write.
 * Exit status 0 when it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WRITERS_MAX 8u
#define FILES 5u
#define FILE_BYTES 30000u

/* What a file is: there or not, its bytes, its mode, an attribute. */
struct file_state {
    bool exists;
    mode_t mode;
    uint32_t mark; /* value of the attribute; 0: none */
    uint32_t size;
    unsigned char bytes[FILE_BYTES];
};

struct writer_state {
    struct file_state files[FILES];
    /* The call under way changes one file, or two by a rename, to this. */
    int changing[2]; /* numbers of files, or -1 */
    struct file_state next[2];
    uint64_t acknowledged;
    int error; /* of the call that failed */
};

struct writer {
    struct writer_state *state;
    const char *root;
    unsigned number;
    uint64_t random;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void path_of(char path[static PATH_MAX], const char *root, unsigned writer, unsigned file)
{
    (void)snprintf(path, PATH_MAX, "%s/writer-%u-file-%u", root, writer, file);
}

/* ------------------------------------------------------------------------------- writers */

/* Announces the call; done() makes what was announced the state. */
static struct file_state *announce(const struct writer *writer, int slot, unsigned file)
{
    struct writer_state *state = writer->state;
    state->next[slot] = state->files[file];
    __atomic_store_n(&state->changing[slot], (int)file, __ATOMIC_RELEASE);
    return &state->next[slot];
}

static void done(const struct writer *writer)
{
    struct writer_state *state = writer->state;
    for (int slot = 0; slot < 2; slot++) {
        if (state->changing[slot] >= 0)
            state->files[state->changing[slot]] = state->next[slot];
    }
    state->changing[0] = state->changing[1] = -1;
    state->acknowledged++;
}

static bool write_some(struct writer *writer, unsigned file, const char *path, bool by_map)
{
    struct file_state *next = announce(writer, 0, file);
    uint32_t size = (uint32_t)(1 + next_random(&writer->random) % 9000);
    uint32_t offset = (uint32_t)(next_random(&writer->random) % (FILE_BYTES - size));
    memset(next->bytes + offset, (int)(1 + next_random(&writer->random) % 255), size);
    if (next->size < offset + size)
        next->size = offset + size;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok;
    if (by_map) {
        unsigned char *map = MAP_FAILED;
        ok = ftruncate(fd, next->size) == 0 &&
             (map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) != MAP_FAILED;
        if (ok)
            memcpy(map + offset, next->bytes + offset, size);
        ok = ok && msync(map, FILE_BYTES, MS_SYNC) == 0;
        if (map != MAP_FAILED)
            (void)munmap(map, FILE_BYTES);
    } else {
        errno = EIO; /* for a write that ended half way */
        ok = pwrite(fd, next->bytes + offset, size, offset) == (ssize_t)size;
    }
    return close(fd) == 0 && ok;
}

static bool make_or_remove(struct writer *writer, unsigned file, const char *path)
{
    struct file_state *next = announce(writer, 0, file);
    bool existed = next->exists;
    *next = (struct file_state){.exists = !existed, .mode = existed ? 0 : 0644};
    if (existed)
        return unlink(path) == 0;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd >= 0 && close(fd) == 0;
}

static bool rename_to(struct writer *writer, unsigned file, const char *path)
{
    char target[PATH_MAX];
    unsigned other = (unsigned)(next_random(&writer->random) % FILES);
    if (other == file)
        return true;
    path_of(target, writer->root, writer->number, other);
    struct file_state *from = announce(writer, 0, file);
    struct file_state *to = announce(writer, 1, other);
    *to = *from;
    *from = (struct file_state){.exists = false};
    return rename(path, target) == 0;
}

static bool cut(struct writer *writer, unsigned file, const char *path)
{
    struct file_state *next = announce(writer, 0, file);
    uint32_t size = (uint32_t)(next_random(&writer->random) % FILE_BYTES);
    if (size < next->size)
        memset(next->bytes + size, 0, next->size - size);
    next->size = size;
    return truncate(path, size) == 0;
}

static bool mark(struct writer *writer, unsigned file, const char *path)
{
    struct file_state *next = announce(writer, 0, file);
    next->mark = (uint32_t)next_random(&writer->random) | 1;
    return setxattr(path, "user.mark", &next->mark, sizeof next->mark, 0) == 0;
}

static bool change_mode(struct writer *writer, unsigned file, const char *path)
{
    struct file_state *next = announce(writer, 0, file);
    next->mode = 0600 | (mode_t)(next_random(&writer->random) % 0100);
    return chmod(path, next->mode) == 0;
}

static bool change_one(struct writer *writer)
{
    char path[PATH_MAX];
    unsigned file = (unsigned)(next_random(&writer->random) % FILES);
    path_of(path, writer->root, writer->number, file);
    if (!writer->state->files[file].exists)
        return make_or_remove(writer, file, path);
    switch (next_random(&writer->random) % 12) {
    case 0:
        return make_or_remove(writer, file, path);
    case 1:
        return rename_to(writer, file, path);
    case 2:
        return cut(writer, file, path);
    case 3:
        return mark(writer, file, path);
    case 4:
        return change_mode(writer, file, path);
    case 5:
        return write_some(writer, file, path, true);
    default:
        return write_some(writer, file, path, false);
    }
}

static void work(struct writer *writer)
{
    while (change_one(writer))
        done(writer);
    writer->state->error = errno;
    _exit(0);
}

/* ---------------------------------------------------------------------------------- DIR */

static void look_at(struct file_state *found, const char *path)
{
    struct stat status;
    memset(found, 0, sizeof *found);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return;
    found->exists = true;
    found->mode = status.st_mode & 07777;
    found->size = (uint32_t)status.st_size;
    if (pread(fd, found->bytes, FILE_BYTES, 0) != status.st_size)
        found->size = UINT32_MAX;
    if (fgetxattr(fd, "user.mark", &found->mark, sizeof found->mark) < 0)
        found->mark = 0;
    (void)close(fd);
}

static bool is_same(const struct file_state *a, const struct file_state *b)
{
    return a->exists == b->exists && a->mode == b->mode && a->mark == b->mark && a->size == b->size &&
           memcmp(a->bytes, b->bytes, FILE_BYTES) == 0;
}

/* A write or a cut without answer may be done in part: each byte is one or the other. */
static bool is_between(const struct file_state *found, const struct file_state *before, const struct file_state *after)
{
    if (!found->exists || !before->exists || !after->exists || found->size > FILE_BYTES)
        return false;
    uint32_t least = before->size < after->size ? before->size : after->size;
    uint32_t most = before->size < after->size ? after->size : before->size;
    if (found->size < least || found->size > most || (found->mode != before->mode && found->mode != after->mode) ||
        (found->mark != before->mark && found->mark != after->mark))
        return false;
    for (uint32_t i = 0; i < found->size; i++) {
        unsigned char byte = found->bytes[i];
        if (byte != before->bytes[i] && byte != after->bytes[i] && !(i >= before->size && byte == 0))
            return false;
    }
    return true;
}

static unsigned check_writer(const struct writer_state *state, const char *dir, unsigned writer)
{
    static struct file_state found;
    unsigned wrong = 0;
    for (unsigned file = 0; file < FILES; file++) {
        char path[PATH_MAX];
        path_of(path, dir, writer, file);
        look_at(&found, path);
        bool ok = is_same(&found, &state->files[file]);
        for (int slot = 0; !ok && slot < 2; slot++) {
            ok = state->changing[slot] == (int)file &&
                 (is_same(&found, &state->next[slot]) ||
                  (state->changing[1] < 0 && is_between(&found, &state->files[file], &state->next[slot])));
        }
        if (ok)
            continue;
        wrong++;
        printf("FAILED: %s: exists %d mode %o mark %" PRIx32 " size %" PRIu32 ", acknowledged %d %o %" PRIx32
               " %" PRIu32 "%s\n",
               path, found.exists, found.mode, found.mark, found.size, state->files[file].exists,
               state->files[file].mode, state->files[file].mark, state->files[file].size,
               state->changing[0] == (int)file ? " and changing" : "");
    }
    return wrong;
}

static bool start(struct writer_state *states, unsigned writers, const char *mnt, uint64_t seed, pid_t *children)
{
    for (unsigned i = 0; i < writers; i++) {
        struct writer writer = {&states[i], mnt, i, (seed * UINT64_C(0x9e3779b97f4a7c15) + i * 7919) | 1};
        states[i].changing[0] = states[i].changing[1] = -1;
        children[i] = fork();
        if (children[i] < 0)
            return false;
        if (children[i] == 0) {
            const struct sigaction usual = {.sa_handler = SIG_DFL};
            (void)sigaction(SIGBUS, &usual, NULL); /* see main(): not a sanitizer's to report */
            work(&writer);
        }
    }
    return true;
}

int main(int count, char **arguments)
{
    pid_t children[WRITERS_MAX];
    if (count != 7) {
        fprintf(stderr, "usage: acknowledged MNT DIR PROCESS WRITERS MILLISECONDS SEED\n");
        return 2;
    }
    pid_t process = (pid_t)strtol(arguments[3], NULL, 10);
    unsigned writers = (unsigned)strtoul(arguments[4], NULL, 10);
    unsigned long milliseconds = strtoul(arguments[5], NULL, 10);
    struct writer_state *states = mmap(NULL, WRITERS_MAX * sizeof *states, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (states == MAP_FAILED || process <= 1 || writers == 0 || writers > WRITERS_MAX ||
        !start(states, writers, arguments[1], strtoull(arguments[6], NULL, 10), children))
        return 99;
    (void)usleep((useconds_t)(milliseconds * 1000));
    if (kill(process, SIGKILL) != 0)
        return 99;
    uint64_t acknowledged = 0;
    unsigned wrong = 0;
    for (unsigned i = 0; i < writers; i++) {
        int status = 0;
        (void)waitpid(children[i], &status, 0);
        int error = states[i].error;
        /* Stores to a mapping may meet the end of the mount: a bus error. */
        bool ended = WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS
                                         : error == ENOTCONN || error == ECONNABORTED || error == EIO;
        if (!ended) {
            printf("FAILED: writer %u ended by %d: %s\n", i, status, strerror(error));
            wrong++;
        }
        acknowledged += states[i].acknowledged;
        wrong += check_writer(&states[i], arguments[2], i);
    }
    printf("%" PRIu64 " changes acknowledged, %u files wrong\n", acknowledged, wrong);
    return wrong == 0 ? 0 : 1;
}
