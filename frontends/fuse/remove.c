/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remove.c - removing and renaming.
 *
 * A file whose last name goes while the kernel knows it may be open: its node holds a descriptor from then on,
 * so that it can be read and written until the last program closes it, as on any filesystem.
 */
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

/* A file that one of its names leads to, while that name changes. */
struct subject {
    int place;            /* -1: there is none */
    struct tm_node *node; /* NULL: the kernel does not know it */
    bool editing;
    bool last_name; /* or the one by which it is found */
    struct tm_edit edit;
};

static void end_subject(struct tm_mount *mount, struct subject *subject, bool gone)
{
    struct stat status;
    if (subject->editing)
        (void)tm_edit_end(&subject->edit, &status);
    if (gone && subject->node != NULL && subject->last_name) {
        tm_node_hold(&mount->nodes, subject->node, subject->place);
        subject->place = -1;
    }
    if (subject->node != NULL)
        tm_node_unref(&mount->nodes, subject->node);
    if (subject->place >= 0)
        (void)close(subject->place);
}

/* Finds who is called @name. 0, or the errno; then there is nothing to end. */
static int begin_subject(struct tm_mount *mount, int directory, const char *name, struct subject *subject)
{
    struct tm_identity identity;
    *subject = (struct subject){.place = tm_source_open_at(&mount->source, directory, name, O_PATH)};
    if (subject->place < 0)
        return -subject->place;
    int error = tm_source_identify(&mount->source, subject->place, &identity);
    if (error == 0)
        subject->node = tm_node_find(&mount->nodes, &identity);
    if (subject->node != NULL) {
        error = tm_edit_begin(&subject->edit, mount, subject->node, subject->place, TM_EDIT_NO_PAGES);
        subject->editing = error == 0;
    }
    if (error != 0) {
        end_subject(mount, subject, false);
        return error;
    }
    subject->last_name =
        S_ISDIR(identity.status.st_mode) || identity.status.st_nlink == 1 || !mount->source.by_handle;
    return 0;
}

static int remove_name(struct tm_mount *mount, struct tm_node *parent, int directory, const char *name, int flags)
{
    struct subject subject;
    struct tm_edit edit;
    struct stat status;
    int error = begin_subject(mount, directory, name, &subject);
    if (error != 0)
        return error;
    error = tm_edit_begin(&edit, mount, parent, directory, TM_EDIT_NO_PAGES);
    if (error == 0) {
        error = unlinkat(directory, name, flags) == 0 ? 0 : errno;
        tm_entry_change(&mount->entries, parent, name);
        (void)tm_edit_end(&edit, &status);
    }
    end_subject(mount, &subject, error == 0);
    return error;
}

static void remove_and_reply(fuse_req_t request, fuse_ino_t parent, const char *name, int flags)
{
    struct tm_mount *mount = tm_mount_of(request);
    int directory = tm_mount_open_directory(mount, parent);
    int error = directory < 0 ? -directory
                              : remove_name(mount, tm_node_of(mount, parent), directory, name, flags);
    if (directory >= 0)
        (void)close(directory);
    (void)fuse_reply_err(request, error);
}

void tm_op_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    remove_and_reply(request, parent, name, 0);
}

void tm_op_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    remove_and_reply(request, parent, name, AT_REMOVEDIR);
}

/* One end of a renaming. */
struct end {
    struct tm_node *parent;
    int directory;
    const char *name;
    struct subject subject;
};

/* Whoever is called @to loses that name, or takes the other in an exchange. */
static void note_names(struct tm_mount *mount, struct end *from, struct end *to, unsigned flags)
{
    if (from->subject.node != NULL)
        tm_node_move(&mount->nodes, from->subject.node, to->parent, to->name);
    if ((flags & RENAME_EXCHANGE) != 0 && to->subject.node != NULL)
        tm_node_move(&mount->nodes, to->subject.node, from->parent, from->name);
}

static int rename_between(struct tm_mount *mount, struct end *from, struct end *to, unsigned flags)
{
    struct tm_edit edits[2];
    struct stat status;
    int error = tm_edit_begin(&edits[0], mount, from->parent, from->directory, TM_EDIT_NO_PAGES);
    if (error != 0)
        return error;
    error = tm_edit_begin(&edits[1], mount, to->parent, to->directory, TM_EDIT_NO_PAGES);
    if (error == 0) {
        error = renameat2(from->directory, from->name, to->directory, to->name, flags) == 0 ? 0 : errno;
        tm_entry_change(&mount->entries, from->parent, from->name);
        tm_entry_change(&mount->entries, to->parent, to->name);
        (void)tm_edit_end(&edits[1], &status);
    }
    (void)tm_edit_end(&edits[0], &status);
    if (error == 0)
        note_names(mount, from, to, flags);
    return error;
}

static int rename_found(struct tm_mount *mount, struct end *from, struct end *to, unsigned flags)
{
    int error = begin_subject(mount, from->directory, from->name, &from->subject);
    if (error != 0)
        return error;
    error = begin_subject(mount, to->directory, to->name, &to->subject);
    bool replaces = error == 0;
    if (error == ENOENT) {
        to->subject = (struct subject){.place = -1};
        error = 0;
    }
    if (error == 0)
        error = rename_between(mount, from, to, flags);
    /* Two names of one file: neither goes. */
    bool same = replaces && from->subject.node == to->subject.node;
    if (replaces)
        end_subject(mount, &to->subject, error == 0 && !same && (flags & RENAME_EXCHANGE) == 0);
    end_subject(mount, &from->subject, false);
    return error;
}

void tm_op_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                  const char *new_name, unsigned flags)
{
    struct tm_mount *mount = tm_mount_of(request);
    struct end from = {.parent = tm_node_of(mount, parent), .name = name};
    struct end to = {.parent = tm_node_of(mount, new_parent), .name = new_name};
    from.directory = tm_mount_open_directory(mount, parent);
    to.directory = tm_mount_open_directory(mount, new_parent);
    int error = from.directory < 0 ? -from.directory
                : to.directory < 0 ? -to.directory
                                   : rename_found(mount, &from, &to, flags);
    if (from.directory >= 0)
        (void)close(from.directory);
    if (to.directory >= 0)
        (void)close(to.directory);
    (void)fuse_reply_err(request, error);
}
