/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch_inotify.c - changes as inotify reports them: for ordinary users, on each directory in which the mount looks.
 *
 * A report names the directory's watch and a name. The watch is added before anything in the directory is looked at,
 * and removed when the mount forgets the directory. The kernel allows only so many (fs.inotify.max_user_watches); a
 * directory without one is asked again when its time-outs are over, and counted.
 *
 * Who made a change is not reported: the mount's own cost the kernel what it has cached of them. So that nobody finds
 * himself in a directory that is gone, right after it was made, names are only expired.
 */
#include "watch_kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define NAMES_MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define BYTES_MASK (IN_MODIFY | IN_CLOSE_WRITE)
#define WATCH_MASK (NAMES_MASK | BYTES_MASK | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* A node's `watch` where none could be had; tried again at the next look. */
#define WATCH_REFUSED (-1)

#define FIRST_PLACES 64u

/* ------------------------------------------------------------ table of watches */

void tm_watched_init(struct tm_watched *watched)
{
    *watched = (struct tm_watched){.entries = NULL};
    pthread_mutex_init(&watched->lock, NULL);
}

void tm_watched_fini(struct tm_watched *watched)
{
    free(watched->entries);
    watched->entries = NULL;
    watched->places = watched->count = 0;
    pthread_mutex_destroy(&watched->lock);
}

uint64_t tm_watched_refused(struct tm_watched *watched)
{
    pthread_mutex_lock(&watched->lock);
    uint64_t refused = watched->refused;
    pthread_mutex_unlock(&watched->lock);
    return refused;
}

/* The place of @watch, or the free one where it belongs. The numbers are given out one after the other. */
static struct tm_watch_entry *place_of(const struct tm_watched *watched, int watch)
{
    size_t at = (size_t)watch & (watched->places - 1u);
    while (watched->entries[at].watch != 0 && watched->entries[at].watch != watch)
        at = (at + 1u) & (watched->places - 1u);
    return &watched->entries[at];
}

/* Makes room for one more. False: no memory. */
static bool grow(struct tm_watched *watched)
{
    if (watched->entries != NULL && watched->count * 2u < watched->places)
        return true;
    struct tm_watched larger = {.places = watched->places == 0 ? FIRST_PLACES : watched->places * 2u};
    larger.entries = calloc(larger.places, sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < watched->places; i++)
        if (watched->entries[i].watch != 0)
            *place_of(&larger, watched->entries[i].watch) = watched->entries[i];
    free(watched->entries);
    watched->entries = larger.entries;
    watched->places = larger.places;
    return true;
}

/* Frees the place, and moves back what stands behind it because it was taken. */
static void take_out(struct tm_watched *watched, struct tm_watch_entry *entry)
{
    size_t mask = watched->places - 1u;
    size_t hole = (size_t)(entry - watched->entries);
    watched->count--;
    for (size_t at = (hole + 1u) & mask; watched->entries[at].watch != 0; at = (at + 1u) & mask) {
        size_t home = (size_t)watched->entries[at].watch & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it would stand before where it belongs */
        watched->entries[hole] = watched->entries[at];
        hole = at;
    }
    watched->entries[hole] = (struct tm_watch_entry){.watch = 0};
}

static void set_refused(struct tm_watched *watched, struct tm_node *node)
{
    if (node->watch != WATCH_REFUSED)
        watched->refused++;
    __atomic_store_n(&node->watch, WATCH_REFUSED, __ATOMIC_RELAXED);
}

void tm_watched_add(struct tm_mount *mount, struct tm_node *directory, int fd)
{
    struct tm_watched *watched = &mount->watch.watched;
    char name[32];
    if (__atomic_load_n(&directory->watch, __ATOMIC_RELAXED) > 0)
        return;
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    pthread_mutex_lock(&watched->lock);
    int watch = grow(watched) ? inotify_add_watch(mount->watch.fd, name, WATCH_MASK) : -1;
    if (watch <= 0) {
        set_refused(watched, directory);
    } else {
        if (directory->watch == WATCH_REFUSED)
            watched->refused--;
        /* Another node may have been this directory before: it is found under its last one. */
        struct tm_watch_entry *entry = place_of(watched, watch);
        watched->count += entry->watch == 0;
        *entry = (struct tm_watch_entry){.watch = watch, .node = directory};
        __atomic_store_n(&directory->watch, watch, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&watched->lock);
}

/* A node ends; its memory is there as long as it is in the table. */
static void unwatch(void *context, struct tm_node *node)
{
    struct tm_mount *mount = context;
    struct tm_watched *watched = &mount->watch.watched;
    pthread_mutex_lock(&watched->lock);
    if (node->watch == WATCH_REFUSED) {
        watched->refused--;
    } else if (watched->places > 0) {
        struct tm_watch_entry *entry = place_of(watched, node->watch);
        if (entry->watch != 0 && entry->node == node) {
            (void)inotify_rm_watch(mount->watch.fd, node->watch);
            take_out(watched, entry);
        }
    }
    pthread_mutex_unlock(&watched->lock);
}

/* The directory of a watch with a reference, NULL when it has ended; taken out when it is @over. */
static struct tm_node *find_watched(struct tm_mount *mount, int watch, bool over)
{
    struct tm_watched *watched = &mount->watch.watched;
    struct tm_node *node = NULL;
    pthread_mutex_lock(&watched->lock);
    struct tm_watch_entry *entry = watched->places > 0 ? place_of(watched, watch) : NULL;
    if (entry != NULL && entry->watch != 0) {
        if (tm_node_try_ref(&mount->nodes, entry->node))
            node = entry->node;
        if (over) {
            __atomic_store_n(&entry->node->watch, 0, __ATOMIC_RELAXED);
            take_out(watched, entry);
        }
    }
    pthread_mutex_unlock(&watched->lock);
    return node;
}

/* --------------------------------------------------------------------- reports */

/* The node of @name in @directory as of now, with a reference; NULL: not there, or not known. */
static struct tm_node *find_named(struct tm_behind *pass, struct tm_node *directory, const char *name)
{
    struct tm_mount *mount = pass->mount;
    struct tm_identity identity;
    struct tm_node *node = NULL;
    int directory_fd = tm_node_open(&mount->nodes, directory, O_PATH | O_DIRECTORY);
    if (directory_fd < 0) {
        /* Found by its path, it may have another since; that is reported, too. */
        pass->again = true;
        return NULL;
    }
    int fd = tm_source_open_at(&mount->source, directory_fd, name, O_PATH);
    if (fd >= 0) {
        if (tm_source_identify(&mount->source, fd, &identity) == 0)
            node = tm_node_find(&mount->nodes, &identity);
        (void)close(fd);
    }
    (void)close(directory_fd);
    return node;
}

static void act_on(struct tm_behind *pass, const struct inotify_event *event, const char *name)
{
    struct tm_mount *mount = pass->mount;
    struct tm_node *directory = find_watched(mount, event->wd, (event->mask & IN_IGNORED) != 0);
    if (directory == NULL)
        return;
    size_t length = event->len > 0 ? strnlen(name, event->len) : 0;
    if (length == 0) {
        tm_behind_file(pass, directory, NULL, TM_NOTIFY_PAGES);
    } else {
        if ((event->mask & NAMES_MASK) != 0)
            tm_behind_name(pass, directory, name, length, TM_NOTIFY_EXPIRE);
        /* What has come by another name may have been changed under that before, unseen. */
        bool bytes = (event->mask & (BYTES_MASK | IN_MOVED_TO)) != 0;
        struct tm_node *file = find_named(pass, directory, name);
        if (file != NULL) {
            if ((event->mask & IN_MOVED_TO) != 0)
                tm_node_move(&mount->nodes, file, directory, name);
            tm_behind_file(pass, file, directory, bytes ? TM_NOTIFY_PAGES : TM_NOTIFY_ATTRIBUTES);
            tm_node_unref(&mount->nodes, file);
        }
    }
    tm_node_unref(&mount->nodes, directory);
}

static bool handle_reports(struct tm_behind *pass, const unsigned char *reports, size_t length)
{
    struct tm_counters *counters = &pass->mount->counters;
    for (size_t at = 0; at < length;) {
        struct inotify_event event;
        if (length - at < sizeof event)
            return false;
        memcpy(&event, reports + at, sizeof event);
        if (event.len > length - at - sizeof event)
            return false;
        tm_count(&counters->watch_events, 1);
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
            tm_count(&counters->watch_overflows, 1);
            pass->everything = true;
        } else {
            act_on(pass, &event, (const char *)reports + at + sizeof event);
        }
        at += sizeof event + event.len;
    }
    return true;
}

static int open_inotify(struct tm_mount *mount)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    mount->nodes.unwatch = unwatch;
    mount->nodes.unwatch_context = mount;
    return fd;
}

const struct tm_watch_kind tm_watch_by_inotify = {
    .name = "inotify",
    .complete = false,
    .open = open_inotify,
    .handle = handle_reports,
};
