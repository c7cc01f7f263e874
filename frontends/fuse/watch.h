/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - noticing changes on DIR that were made behind the mount's back.
 *
 * Purpose     A thread reads what the kernel reports of DIR's filesystem and makes old what the mount and the
 *             kernel know of it (behind.h). So the kernel may use names and attributes for long without asking.
 * Kinds       fanotify, for root: reports every change made on this machine to any file of the filesystem, by
 *             handle, and by whom; the mount's own changes are left out. inotify, for ordinary users: reports
 *             on the directories that the mount knows, its own changes as well. Stores through a shared mapping
 *             are reported when the file is closed.
 * Complete    Nothing that is done on this machine escapes: fanotify on a filesystem that only this machine
 *             changes, and whose names are told apart by their bytes. With inotify a file may be changed under a
 *             name in a directory that the mount does not know. Where reports were lost, everything is made old.
 *
 * Races       An answer that says how a file was *before* a change may reach the kernel after the kernel was told of
 *             the change, and would then be believed until its time-out. The argument why it is not:
 *             - The kernel reports a change after it was made. A request that begins to look at files when the report
 *               was read sees the change. What remains are requests that began before.
 *             - Those whose answers the kernel keeps are registered with the number of the pass in which they begin
 *               (tm_watch_request_begins()). A report is worked off at once; if requests of before are still under way
 *               then, it is worked off again when the last of them has been answered.
 *             - An answer that was given in time may lie with a process that has not run since. The kernel itself
 *               takes care of most: it holds the directory's lock from a request for a name until it has taken in
 *               the answer, and the report of a change of name waits for that lock; it ignores attributes asked for
 *               before a report on a file that it knows. If it does not know the file yet, we wait for the lock of
 *               the directory in which it was changed, and tell it again (tm_behind_file()).
 *             - A name that is confirmed without that lock was dropped from the kernel's table by the report; what
 *               is confirmed late belongs to nobody's next look-up.
 *             Not covered: an answer that shows a file to the kernel for the first time in one directory, while it is
 *             changed under another of its names; and answers to changes of attributes, which the kernel believes in
 *             any case. Such answers are for a second at most: see tm_watch_doubtful_seconds().
 *
 * Threads     One of its own, between start and stop. Workers call tm_watch_request_*() and tm_watch_directory().
 */
#ifndef TM_FUSE_WATCH_H
#define TM_FUSE_WATCH_H

#include "options.h"

#include <pthread.h>
#include <sys/types.h>

struct fuse_buf;
struct tm_mount;
struct tm_node;

/* Reports that are read at once, and how many such readings may wait to be worked off again. */
#define TM_WATCH_BATCH_BYTES 65536u
#define TM_WATCH_BATCHES 8u

struct tm_watch_batch {
    uint64_t pass;   /* requests with a smaller number began before it was read */
    bool waits;      /* to be worked off again */
    bool everything; /* stands for later ones as well, which had no place */
    size_t length;
    unsigned char reports[TM_WATCH_BATCH_BYTES] TM_ALIGNED(16);
};

/* The pass in which a worker's request began; 0 while it has none that matters. */
struct tm_watch_slot {
    uint64_t pass; /* atomic */
} TM_ALIGNED(64);

/* A directory with a watch of inotify. */
struct tm_watch_entry {
    int watch; /* inotify's number; 0: the place is free */
    struct tm_node *node;
};

/* inotify only; under lock. */
struct tm_watched {
    pthread_mutex_t lock;
    struct tm_watch_entry *entries; /* a hash table, a power of two of places */
    size_t places;
    size_t count;
    uint64_t refused; /* directories without a watch because there is none to be had */
};

struct tm_watch {
    const struct tm_watch_kind *kind; /* constant once open; NULL: none */
    int fd;                           /* where reports are read; -1: none */
    int stop;                         /* an eventfd */
    bool complete;                    /* constant once open */
    bool started;
    pid_t process;
    int64_t others_until; /* the watcher's own, see behind.h */
    pthread_t thread;
    uint64_t pass; /* atomic; begins at 1 */
    unsigned slot_count;
    struct tm_watch_slot *slots;
    struct tm_watch_batch *batches;
    struct tm_watched watched;
};

/*
 * tm_watch_open - begin to watch DIR, as mount->options say. The nodes exist, nothing was answered yet.
 *
 * TM_EXIT_OK, also when there is no watch to be had and none in particular was demanded; or a code after a
 * message. tm_watch_close() undoes it in either case.
 */
enum tm_exit tm_watch_open(struct tm_mount *mount) TM_MUST_USE;
void tm_watch_close(struct tm_mount *mount);

/* tm_watch_start - start the thread; the session exists. TM_EXIT_OK, or a code after a message.
 * tm_watch_stop - end it, before the session does. Harmless when it was not started. */
enum tm_exit tm_watch_start(struct tm_mount *mount) TM_MUST_USE;
void tm_watch_stop(struct tm_mount *mount);

/* Around the handling of each request by the worker number @worker. */
void tm_watch_request_begins(struct tm_mount *mount, unsigned worker, const struct fuse_buf *request);
void tm_watch_request_ends(struct tm_mount *mount, unsigned worker);

/* tm_watch_directory - names in @directory, open as @fd, are about to be looked at: have its changes reported
 * from now on. Costs nothing where that is so already. */
void tm_watch_directory(struct tm_mount *mount, struct tm_node *directory, int fd);

/* tm_watch_is_complete - is every change noticed? */
bool tm_watch_is_complete(const struct tm_mount *mount);

/* tm_watch_doubtful_seconds - how long the kernel may use attributes of an answer that a report cannot overtake in
 * every case: those of a file with several names, found by name, and those that the kernel has changed itself. */
double tm_watch_doubtful_seconds(const struct tm_mount *mount);

/* tm_watch_name_seconds - how long a kernel that speaks FUSE 7.@minor may use names, at most. Where it cannot drop all
 * of them at once, lost reports must not make it believe old ones for a day. */
double tm_watch_name_seconds(const struct tm_mount *mount, unsigned minor);

/* tm_watch_name - "fanotify", "inotify" or "off": what is active. */
const char *tm_watch_name(const struct tm_mount *mount);

#endif
