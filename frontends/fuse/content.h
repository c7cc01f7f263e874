/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * content.h - which pages in the store are a file's.
 *
 * Purpose     A file's pages lie in the store under a content name of 128 bits. A file that is what it was
 *             keeps its name, also when the kernel forgot it in between: the name is then a hash of what it
 *             was seen as (version.h). A change through the mount keeps the name and drops exactly the
 *             pages that it touches. Any other change gives the file a new name: whatever else goes wrong,
 *             pages of before are never found again.
 * Trust       The mount is *trusted* when it hears of every change that is made on DIR behind its back, or
 *             has been promised that there are none. Otherwise a change is noticed by looking at size and
 *             times, which cannot tell a foreign change from one of ours that came right behind it: then our
 *             own changes rename the file as well, and what is read is not kept until the times have settled.
 * Epoch       Counts the names that a node has had. What was read in one epoch is put only in it.
 * Threads     All calls may overlap. They take the locks of node.h.
 */
#ifndef TM_FUSE_CONTENT_H
#define TM_FUSE_CONTENT_H

#include "version.h"

struct tm_node;
struct tm_nodes;

struct tm_content {
    uint64_t word[2];
};

/* What a read goes by from its beginning to its end. */
struct tm_reading {
    struct tm_content content;
    struct tm_version version;
    uint32_t epoch;
    bool keep;     /* what is read may be put */
    bool buffered; /* the newest bytes may lie in DIR's page cache */
    bool unseen;   /* has changed: look first; there are no pages, and no name for them */
};

/* What tm_node_observe() and the ends of changes found. */
struct tm_observation {
    bool changed;              /* the file has another name now */
    bool used;                 /* there may be pages under the one before: */
    struct tm_content before;  /* valid when used */
    uint64_t before_bytes;     /* how long the file was */
    struct tm_version version; /* as of this look */
};

/* tm_node_reading - begin a read; @now_ns as of tm_version_now_ns(). */
struct tm_reading tm_node_reading(struct tm_nodes *nodes, struct tm_node *node, int64_t now_ns);

/* tm_node_is_in - is the node still in this epoch? */
bool tm_node_is_in(struct tm_nodes *nodes, struct tm_node *node, uint32_t epoch);

/*
 * tm_node_observe - compare *status, just read from the open file @fd, with what the node knows.
 *
 * Where they differ, the file is looked at once more under the node's change lock, *status receives
 * that, and the node is brought up to date. A look at a node that has just been made is to be repeated: changes
 * between the look and the making have been told to nobody. 0, or the errno of that second look.
 */
int tm_node_observe(struct tm_nodes *nodes, struct tm_node *node, int fd, struct stat *status,
                    struct tm_observation *observation) TM_MUST_USE;

/* tm_node_attributes - what fstat() would tell, from memory. False: it is not known, or may be old. */
bool tm_node_attributes(struct tm_nodes *nodes, struct tm_node *node, struct stat *status) TM_MUST_USE;

/* tm_node_doubt - the file is not what it is thought to be, or has gone: looks are needed again. */
void tm_node_doubt(struct tm_nodes *nodes, struct tm_node *node);

/*
 * tm_node_begin_change - the mount is about to change the file: until tm_node_end_change() what a look
 * finds changed is taken for that. Several may be under way.
 */
void tm_node_begin_change(struct tm_nodes *nodes, struct tm_node *node);

/*
 * tm_node_end_change - the change has been made, or has failed; @fd is any descriptor of the file.
 *
 * *status receives a look at it. 0, or the errno of that look, after which the file counts as changed by others.
 */
int tm_node_end_change(struct tm_nodes *nodes, struct tm_node *node, int fd, struct stat *status,
                       struct tm_observation *observation) TM_MUST_USE;

/* tm_node_mark_written - the newest bytes may be in DIR's page cache only, from now on. */
void tm_node_mark_written(struct tm_nodes *nodes, struct tm_node *node);

bool tm_node_is_written(struct tm_nodes *nodes, struct tm_node *node);

/* tm_node_content - the name under which pages may lie, and how long the file is. False: there are none. */
bool tm_node_content(struct tm_nodes *nodes, struct tm_node *node, struct tm_content *content, uint64_t *size_bytes);

/*
 * tm_node_foreign_change - somebody else has changed the file, or pages could not be dropped one by one: gives it a
 * new name. The next look is taken for what the change made of it.
 */
void tm_node_foreign_change(struct tm_nodes *nodes, struct tm_node *node, struct tm_observation *observation);

#endif
