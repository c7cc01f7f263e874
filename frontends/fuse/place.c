/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.c - finding files by path, where the kernel gives no handles: for ordinary users, and on
 * filesystems that have none.
 *
 * A node knows the directory and the name where it was seen last. A path may have become wrong
 * meanwhile; so what was opened is compared with what was looked for, and ESTALE makes the kernel look the
 * names up again.
 */
#include "node.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* No real tree is deeper (each level takes two bytes of a path); a ring of wrong places is. */
#define DEPTH_MAX 65536u

/* The names from @base down to a node, collected from its end. */
struct path_walk {
    char text[PATH_MAX];
    size_t at;            /* where the path begins in text */
    struct tm_node *base; /* with a reference; NULL: the root of the source */
};

/* Puts names in front until the root is reached or the text is full. 0, or minus the errno. */
static int collect(struct tm_nodes *nodes, struct tm_node *node, struct path_walk *walk, unsigned *depth)
{
    char name[NAME_MAX + 1];
    walk->at = sizeof walk->text - 1u;
    walk->text[walk->at] = '\0';
    walk->base = node;
    __atomic_fetch_add(&node->references, 1, __ATOMIC_RELAXED);
    while (walk->base != nodes->root) {
        struct tm_node *parent = tm_node_ref_parent(nodes, walk->base, name);
        if (parent == NULL || ++*depth > DEPTH_MAX) {
            if (parent != NULL)
                tm_node_unref(nodes, parent);
            tm_node_unref(nodes, walk->base);
            return -ESTALE;
        }
        size_t length = strlen(name);
        if (walk->at < length + 1u) {
            tm_node_unref(nodes, parent);
            return 0; /* the rest is opened first */
        }
        if (walk->text[walk->at] != '\0')
            walk->text[--walk->at] = '/';
        walk->at -= length;
        memcpy(walk->text + walk->at, name, length);
        tm_node_unref(nodes, walk->base);
        walk->base = parent;
    }
    return 0;
}

static bool is_what_was_looked_for(const struct tm_node *node, int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_ino == node->inode && status.st_dev == node->device &&
           (status.st_mode & S_IFMT) >> 12 == node->type;
}

static int open_to_depth(struct tm_nodes *nodes, struct tm_node *node, int flags, unsigned *depth)
{
    struct path_walk walk;
    int error = collect(nodes, node, &walk, depth);
    if (error != 0)
        return error;
    int base = nodes->source->root;
    if (walk.base != nodes->root) {
        /* A path longer than the kernel takes at once. Each turn takes off nearly PATH_MAX. */
        base = open_to_depth(nodes, walk.base, O_PATH | O_DIRECTORY, depth);
    }
    int fd = base;
    if (base >= 0) {
        fd = tm_source_open_at(nodes->source, base, walk.text + walk.at, flags);
        if (base != nodes->source->root)
            (void)close(base);
    }
    tm_node_unref(nodes, walk.base);
    return fd;
}

int tm_place_open(struct tm_nodes *nodes, struct tm_node *node, int flags)
{
    unsigned depth = 0;
    int fd = open_to_depth(nodes, node, flags, &depth);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV)
        return -ESTALE;
    if (fd >= 0 && !is_what_was_looked_for(node, fd)) {
        (void)close(fd);
        return -ESTALE;
    }
    return fd;
}
