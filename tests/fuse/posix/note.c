/* SPDX-License-Identifier: BSD-2-Clause */
/* note.c - what a case writes down. */
#include "posix.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Longer than the clock that file times are taken from is coarse. */
#define CLOCK_STEP_NS 12000000

static FILE *lines;
static char current_label[128];
static const char *known_reason;

void note_begin(FILE *out)
{
    lines = out;
    current_label[0] = '\0';
    known_reason = NULL;
}

/* The runner tells lines that may differ by their first character. */
static void begin_line(void)
{
    if (known_reason != NULL)
        fprintf(lines, "~%s\t", known_reason);
    if (current_label[0] != '\0')
        fprintf(lines, "[%s] ", current_label);
}

void known(const char *reason)
{
    known_reason = reason;
}

void label(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(current_label, sizeof current_label, format, arguments);
    va_end(arguments);
}

void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin_line();
    (void)vfprintf(lines, format, arguments);
    (void)fputc('\n', lines);
    va_end(arguments);
}

static const char *error_name(int error)
{
    const char *name = strerrorname_np(error);
    return name != NULL ? name : "an unknown error";
}

long note_result(const char *what, long result)
{
    int error = errno;
    if (result == -1)
        note("%s = -1 %s", what, error_name(error));
    else
        note("%s = %ld", what, result);
    errno = error;
    return result;
}

int note_open(const char *what, int fd)
{
    int error = errno;
    if (fd < 0)
        note("%s = -1 %s", what, error_name(error));
    else
        note("%s = ok", what);
    errno = error;
    return fd;
}

long must(const char *what, long result)
{
    if (result != -1)
        return result;
    note("cannot go on: %s = -1 %s", what, error_name(errno));
    (void)fflush(lines);
    _exit(99);
}

void note_bytes(const char *what, const void *bytes, size_t size)
{
    note("%s: %zu bytes, %016" PRIx64, what, size, hash_bytes(0, bytes, size));
}

void note_text(const char *what, const char *text)
{
    note("%s: '%s'", what, text);
}

void note_open_file(const char *what, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        note("%s: fstat = -1 %s", what, error_name(errno));
    else
        note("%s: %lld bytes, %016" PRIx64, what, (long long)status.st_size, hash_file(fd));
}

void note_status(const char *what, const struct stat *status)
{
    bool sized = S_ISREG(status->st_mode) || S_ISLNK(status->st_mode);
    note("%s: mode %o owner %u:%u links %lu size %lld device %lx", what, status->st_mode, status->st_uid,
         status->st_gid, (unsigned long)status->st_nlink, sized ? (long long)status->st_size : -1LL,
         (unsigned long)status->st_rdev);
}

void note_stat(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        note("lstat(%s) = -1 %s", path, error_name(errno));
    else
        note_status(path, &status);
}

void note_file(const char *path)
{
    note_stat(path);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        note("reading %s = -1 %s", path, error_name(errno));
    } else {
        note_open_file(path, fd);
        (void)close(fd);
    }
    begin_line();
    fprintf(lines, "%s attributes:", path);
    write_xattrs(lines, path);
    (void)fputc('\n', lines);
}

void times_before(const char *path, struct stat *before)
{
    const struct timespec step = {.tv_nsec = CLOCK_STEP_NS};
    (void)nanosleep(&step, NULL);
    MUST(lstat(path, before));
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

void times_after(const char *path, const struct stat *before)
{
    struct stat after;
    if (lstat(path, &after) != 0) {
        note("times of %s: it is gone", path);
        return;
    }
    note("times of %s: modification %s, change %s", path,
         same_time(&before->st_mtim, &after.st_mtim) ? "kept" : "new",
         same_time(&before->st_ctim, &after.st_ctim) ? "kept" : "new");
}

void fill(void *bytes, size_t size, uint64_t seed)
{
    unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)((seed + i) * 2654435761u >> 13 ^ (i >> 8));
}

void write_file(const char *path, const char *text)
{
    int fd = MUST_OPEN(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    MUST(write(fd, text, strlen(text)));
    MUST(close(fd));
}

void write_bytes(const char *path, size_t size, uint64_t seed)
{
    unsigned char *bytes = malloc(size);
    int fd = MUST_OPEN(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (bytes == NULL)
        _exit(99);
    fill(bytes, size, seed);
    if (MUST(write(fd, bytes, size)) != (long)size)
        _exit(99);
    free(bytes);
    MUST(close(fd));
}

static void wait_for(pid_t child)
{
    int status = 0;
    MUST(waitpid(child, &status, 0));
    if (WIFSIGNALED(status))
        note("the child ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        note("the child ended with status %d", WEXITSTATUS(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
        _exit(99);
}

void in_child(void (*function)(void))
{
    (void)fflush(lines);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        function();
        (void)fflush(lines);
        _exit(0);
    }
    wait_for(child);
}

void run_as(uid_t user, bool shared, void (*function)(void))
{
    const gid_t group = GROUP_SHARED;
    (void)fflush(lines);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        MUST(setgroups(shared ? 1 : 0, &group));
        MUST(setresgid(user, user, user));
        MUST(setresuid(user, user, user));
        function();
        (void)fflush(lines);
        _exit(0);
    }
    wait_for(child);
}
