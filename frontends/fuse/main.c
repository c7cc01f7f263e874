/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - `tmem mount`: from the command line to a mount that answers, and to its end.
 *
 * All that can be checked is checked before anything is mounted, so that whatever fails leaves nothing
 * behind. The order: options, what a dead mount has left, DIR, MNT, store, mount, threads.
 *
 * PR_SET_IO_FLUSHER is not set: it keeps this process from reclaiming inodes when its memory cgroup is
 * full, and only a filesystem with dirty pages could wait for itself.
 */
#include "background.h"
#include "list.h"
#include "mountpoint.h"
#include "session.h"
#include "worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* How long the kernel may keep names and attributes, unless the command line says. */
#define TRUSTED_SECONDS 86400.0
#define UNTRUSTED_SECONDS 1.0

/* How long open files may keep a process that was told to end. */
#define GRACE_MS 5000

/* A second heap would cost memory that the store could have; little is allocated while running. */
static void keep_memory_small(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

/* Every open file of the mount is a descriptor here. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Signals that end the mount arrive at a descriptor instead; -1 on failure. Threads made later inherit
 * the mask. */
static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Ends the mount because a signal asked for it. False: files in it are still open after all patience. */
static bool end_mount(struct tm_mount *mount, dev_t device, const struct tm_workers *workers, int signals)
{
    struct signalfd_siginfo information;
    if (read(signals, &information, sizeof information) < 0 && errno != EAGAIN)
        tm_message("cannot read signals");
    struct pollfd events[] = {{.fd = workers->ended, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    if (!tm_session_unmount(mount, device) && events[0].revents == 0)
        tm_message("%s is in use: ending in %d s, or at the next signal", mount->point, GRACE_MS / 1000);
    (void)poll(events, 2, GRACE_MS);
    return (events[0].revents & POLLIN) != 0;
}

/* Serves until the mount has ended. */
static enum tm_exit serve(struct tm_mount *mount, struct tm_background *background, int signals)
{
    struct tm_workers workers;
    dev_t device = 0;
    enum tm_exit code = tm_watch_start(mount);
    if (code == TM_EXIT_OK)
        code = tm_workers_start(&workers, mount);
    if (code != TM_EXIT_OK) {
        tm_watch_stop(mount);
        return code;
    }
    code = tm_session_answers(mount, &device);
    if (code == TM_EXIT_OK) {
        tm_background_ready(background);
        struct pollfd events[] = {{.fd = workers.ended, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        while (events[0].revents == 0 && events[1].revents == 0)
            (void)poll(events, 2, -1);
        if (events[0].revents == 0 && !end_mount(mount, device, &workers, signals))
            _exit(TM_EXIT_OK); /* who still has files open there gets ENOTCONN */
    } else {
        /* The descriptor ends here, and with it what the watcher writes to. */
        tm_watch_stop(mount);
        fuse_session_unmount(mount->session);
    }
    tm_workers_join(&workers);
    tm_watch_stop(mount);
    return code;
}

static enum tm_exit open_store(struct tm_mount *mount)
{
    char uri[PATH_MAX];
    char name[TMEM_CLIENT_NAME_SIZE];
    enum tm_exit code = tm_options_store_uri(&mount->options, uri, sizeof uri);
    if (code != TM_EXIT_OK)
        return code;
    (void)snprintf(name, sizeof name, "mount-%d", (int)getpid());
    return tm_pages_open(&mount->pages, uri, mount->options.name != NULL ? mount->options.name : name);
}

/* Pages of a file that is forgotten under a name that it will not have again. */
static void on_abandoned(void *context, const struct tm_content *content, uint64_t inode, uint64_t size_bytes)
{
    struct tm_mount *mount = context;
    tm_pages_invalidate(&mount->pages, content, inode, size_bytes);
}

/* Who hears of every change may let the kernel keep what it knows. */
static void set_trust(struct tm_mount *mount, bool trusted)
{
    double seconds = trusted ? TRUSTED_SECONDS : UNTRUSTED_SECONDS;
    mount->trusted = trusted;
    __atomic_store_n(&mount->nodes.trusted, trusted, __ATOMIC_RELAXED);
    if (mount->options.attribute_seconds < 0)
        mount->options.attribute_seconds = seconds;
    if (mount->options.entry_seconds < 0)
        mount->options.entry_seconds = seconds;
}

/* With DIR open and MNT checked: store, nodes, mount, and all of it back. */
static enum tm_exit run(struct tm_mount *mount, struct tm_background *background)
{
    char cause[TM_ERROR_TEXT_SIZE];
    enum tm_exit code = open_store(mount);
    if (code != TM_EXIT_OK)
        return code;
    int signals = -1;
    int error = tm_nodes_init(&mount->nodes, &mount->source);
    if (error != 0) {
        code = tm_fail(TM_EXIT_FAILED, "cannot begin with %s: %s", mount->directory, tm_error_text(error, cause));
    } else {
        tm_entries_init(&mount->entries, &mount->nodes);
        mount->nodes.abandoned = on_abandoned;
        mount->nodes.abandoned_context = mount;
        /* A kernel that keeps writes back believes nobody else about times and sizes. */
        code = tm_watch_open(mount);
        set_trust(mount, mount->options.exclusive || mount->options.writeback || tm_watch_is_complete(mount));
        pthread_mutex_init(&mount->files_lock, NULL);
        tm_flights_init(&mount->flights);
        signals = open_signals();
        if (code == TM_EXIT_OK && signals < 0)
            code = tm_fail(TM_EXIT_FAILED, "cannot wait for signals: %s", tm_error_text(errno, cause));
        if (code == TM_EXIT_OK)
            code = tm_session_open(mount);
        if (code == TM_EXIT_OK) {
            (void)malloc_trim(0);
            code = serve(mount, background, signals);
            tm_session_close(mount);
        }
        if (signals >= 0)
            (void)close(signals);
        tm_files_end_all(mount);
        tm_entries_fini(&mount->entries);
        tm_flights_fini(&mount->flights);
        pthread_mutex_destroy(&mount->files_lock);
        tm_nodes_fini(&mount->nodes);
        tm_watch_close(mount);
    }
    tm_pages_close(&mount->pages);
    return code;
}

static enum tm_exit mount_directory(struct tm_mount *mount)
{
    struct tm_background background = {.word = -1};
    int status = TM_EXIT_OK;
    if (!mount->options.foreground) {
        int side = tm_background_begin(&background, &status);
        if (side < 0)
            return tm_fail(TM_EXIT_FAILED, "cannot go into the background (try: --foreground)");
        if (side > 0)
            return (enum tm_exit)status;
    }
    enum tm_exit code = tm_mountpoint_repair(mount->options.point);
    if (code == TM_EXIT_OK)
        code = tm_source_open(&mount->source, mount->options.directory, mount->options.read_only);
    if (code != TM_EXIT_OK)
        return code;
    code = tm_mountpoint_check(mount);
    if (code == TM_EXIT_OK && chdir("/") != 0)
        code = tm_fail(TM_EXIT_FAILED, "cannot go to /");
    if (code == TM_EXIT_OK)
        code = run(mount, &background);
    tm_source_close(&mount->source);
    return code;
}

int main(int count, char **arguments)
{
    static struct tm_mount mount;
    enum tm_exit code = tm_options_parse(count, arguments, &mount.options);
    if (code != TM_EXIT_OK)
        return code;
    if (mount.options.help)
        return tm_print_stdout(tm_options_help);
    if (mount.options.list)
        return tm_list_mounts(mount.options.json);
    keep_memory_small();
    allow_many_descriptors();
    mount.began_ns = tm_version_now_ns();
    return mount_directory(&mount);
}
