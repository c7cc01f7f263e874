/* SPDX-License-Identifier: BSD-2-Clause */
/* edit.c - how the mount changes a file. */
#include "edit.h"

#include <errno.h>

void tm_mount_dropped(struct tm_mount *mount, struct tm_node *node, const struct tm_observation *observation)
{
    if (observation->used)
        tm_pages_invalidate(&mount->pages, &observation->before, node->inode, observation->before_bytes);
}

void tm_mount_drop(struct tm_mount *mount, struct tm_node *node)
{
    struct tm_observation observation;
    tm_node_foreign_change(&mount->nodes, node, &observation);
    tm_mount_dropped(mount, node, &observation);
}

/* The bytes of these pages are not what they were in a moment. */
static void drop_pages(struct tm_edit *edit, uint64_t first, uint64_t behind)
{
    struct tm_content content;
    uint64_t size_bytes = 0;
    if (!tm_node_content(&edit->mount->nodes, edit->node, &content, &size_bytes))
        return;
    if (!tm_pages_invalidate_range(&edit->mount->pages, &content, edit->node->inode, first, behind, size_bytes))
        tm_mount_drop(edit->mount, edit->node);
}

int tm_edit_begin(struct tm_edit *edit, struct tm_mount *mount, struct tm_node *node, int fd, uint64_t first,
                  uint64_t behind)
{
    struct stat status;
    struct tm_observation observation;
    *edit = (struct tm_edit){.mount = mount, .node = node, .fd = fd, .has_pages = first < behind};
    if (edit->has_pages) {
        bool waited = tm_flight_begin(&mount->flights, &edit->flight, node, first, behind - first);
        (void)waited;
    }
    /* What others did before is noted as theirs. */
    int error = fstat(fd, &status) == 0 ? 0 : errno;
    if (error == 0)
        error = tm_mount_look(mount, node, fd, &status, TM_ANSWER_TELLS, &observation);
    if (error != 0) {
        if (edit->has_pages)
            tm_flight_end(&mount->flights, &edit->flight);
        return error;
    }
    tm_node_begin_change(&mount->nodes, node);
    if (edit->has_pages) {
        tm_node_mark_written(&mount->nodes, node);
        drop_pages(edit, first, behind);
    }
    return 0;
}

int tm_edit_end(struct tm_edit *edit, struct stat *status)
{
    struct tm_observation observation;
    int error = tm_node_end_change(&edit->mount->nodes, edit->node, edit->fd, status, &observation);
    if (observation.changed)
        tm_mount_dropped(edit->mount, edit->node, &observation);
    if (edit->has_pages)
        tm_flight_end(&edit->mount->flights, &edit->flight);
    return error;
}
