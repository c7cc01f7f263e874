/* SPDX-License-Identifier: BSD-2-Clause */
/* behind.c - what is done about a change on DIR that was made behind the mount's back. */
#include "behind.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* How long a change of a name by others may lead the mount's own changes of names astray. */
#define OTHERS_SECONDS 60

static uint64_t number_of(const struct tm_mount *mount, const struct tm_node *node)
{
    return node == mount->nodes.root ? FUSE_ROOT_ID : (uint64_t)(uintptr_t)node;
}

static bool is_regular(const struct tm_node *node)
{
    return node->type == S_IFREG >> 12;
}

void tm_behind_begin(struct tm_behind *pass, struct tm_mount *mount)
{
    memset(pass, 0, sizeof *pass);
    pass->mount = mount;
    pass->session = fuse_session_fd(mount->session);
}

void tm_behind_end(struct tm_behind *pass)
{
    if (pass->everything)
        tm_behind_everything(pass);
}

static uint64_t *recent_of(struct tm_behind *pass, const struct tm_node *node)
{
    return &pass->recent[node->generation % TM_BEHIND_RECENT];
}

void tm_behind_file(struct tm_behind *pass, struct tm_node *node, struct tm_node *directory, enum tm_notify_inode what)
{
    struct tm_mount *mount = pass->mount;
    uint64_t *recent = recent_of(pass, node);
    uint64_t mark = node->generation * 2u + (what == TM_NOTIFY_PAGES);
    if (*recent == mark || *recent == node->generation * 2u + 1u)
        return;
    pass->concerned = true;
    tm_count(&mount->counters.watch_files, 1);
    if (what == TM_NOTIFY_PAGES && is_regular(node))
        tm_mount_drop(mount, node);
    else
        tm_node_doubt(&mount->nodes, node);
    uint64_t number = number_of(mount, node);
    int error = tm_notify_inode(pass->session, number, what);
    if (error == ENOENT && directory != NULL) {
        tm_notify_wait(pass->session, number_of(mount, directory));
        error = tm_notify_inode(pass->session, number, what);
    }
    /* What the kernel did not know, another event may have to tell it after waiting elsewhere. */
    if (error == 0)
        *recent = mark;
}

void tm_behind_name(struct tm_behind *pass, struct tm_node *directory, const char *name, size_t length,
                    enum tm_notify_name how)
{
    struct tm_mount *mount = pass->mount;
    tm_count(&mount->counters.watch_names, 1);
    tm_entry_change(&mount->entries, directory, name);
    (void)tm_notify_name(pass->session, number_of(mount, directory), name, length, how);
    /* Its times and its listing: the kernel looks no further when it does not know the name. */
    tm_behind_file(pass, directory, NULL, TM_NOTIFY_PAGES);
}

/* A coarse clock that costs nothing. */
static int64_t now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

void tm_behind_note_others(struct tm_mount *mount)
{
    mount->watch.others_until = now_seconds() + OTHERS_SECONDS;
}

bool tm_behind_others_change_names(const struct tm_mount *mount)
{
    return now_seconds() < mount->watch.others_until;
}

/* Drops the name under which a file was found last. Of others, only time-outs make the kernel ask. */
static void drop_place(struct tm_behind *pass, struct tm_node *node)
{
    char name[NAME_MAX + 1];
    struct tm_node *parent = tm_node_ref_parent(&pass->mount->nodes, node, name);
    if (parent == NULL)
        return;
    (void)tm_notify_name(pass->session, number_of(pass->mount, parent), name, strlen(name), TM_NOTIFY_EXPIRE);
    tm_node_unref(&pass->mount->nodes, parent);
}

void tm_behind_everything(struct tm_behind *pass)
{
    struct tm_mount *mount = pass->mount;
    struct tm_node_cursor cursor = {.stripe = 0};
    struct tm_node *node;
    pass->everything = false;
    pass->concerned = true;
    memset(pass->recent, 0, sizeof pass->recent);
    tm_entries_change_all(&mount->entries);
    bool names_done = tm_notify_all_names(pass->session) == 0;
    while ((node = tm_node_next(&mount->nodes, &cursor)) != NULL) {
        if (is_regular(node))
            tm_mount_drop(mount, node);
        else
            tm_node_doubt(&mount->nodes, node);
        (void)tm_notify_inode(pass->session, number_of(mount, node), TM_NOTIFY_PAGES);
        if (!names_done)
            drop_place(pass, node);
        tm_node_unref(&mount->nodes, node);
    }
}
