/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node.h - the files that the kernel knows, and how each is opened again.
 *
 * Purpose     A node stands for one inode of DIR, however many names it has. The kernel's number of
 *             a file is its node's address. It costs about 250 bytes and no descriptor, unless its name was
 *             removed through the mount while the kernel knew it: then one keeps the file.
 * Life        The kernel counts its look-ups and tells when it forgets them; a node ends with its last
 *             look-up, or with the last node that needs it for its path.
 * Invariants  One node per identity (device, inode, handle) can be found. `version` is what the file was
 *             seen as by the latest look: it never goes back to an older look's. Without handles an inode
 *             number may have been given to another file: a node that is found under another name and
 *             with another version is superseded by a new one, and opens only what its own name says.
 * Threads     All calls may overlap. Table and nodes are guarded by striped locks, held for a few
 *             instructions; a version changes under a second set of locks that are held over one
 *             fstat(), so that looks are ordered. Order: change lock, then table lock.
 */
#ifndef TM_FUSE_NODE_H
#define TM_FUSE_NODE_H

#include "content.h"
#include "source.h"
#include "version.h"

#include <limits.h>
#include <pthread.h>

/* What stat() tells and a node does not know anyway; the size is in its version. */
struct tm_attributes {
    uint64_t blocks;
    uint64_t device; /* that a device node stands for */
    int64_t accessed_seconds;
    int64_t modified_seconds;
    int64_t changed_seconds;
    uint32_t accessed_ns; /* beyond the seconds, and so below */
    uint32_t modified_ns;
    uint32_t changed_ns;
    uint32_t mode;
    uint32_t links;
    uint32_t user;
    uint32_t group;
    uint32_t block_bytes;
};

/* What a path needs where there are no handles; see place.c. */
struct tm_place {
    struct tm_node *parent; /* holds a reference */
    char name[];
};

struct tm_node {
    uint32_t magic;
    uint32_t references; /* atomic: places that name it as parent, and operations under way */
    struct tm_node *next;
    uint64_t hash;
    uint64_t device;
    uint64_t inode;
    uint64_t generation;
    uint64_t lookups;                /* of the kernel */
    struct tm_attributes attributes; /* as of the latest look, if known */
    struct tm_version version;
    struct tm_content content; /* content.c: its pages' name, if any are used */
    struct tm_place *place;    /* NULL with handles */
    uint32_t epoch;            /* of the content name */
    uint32_t own_changes;      /* of the mount, under way */
    uint32_t follows;          /* atomic: the page behind the last read, its low bits */
    int held;                  /* atomic: a descriptor of a file whose name is gone; -1 */
    int handle_type;
    int told;  /* the thread whose open was answered ESTALE last; TM_NODE_NOBODY */
    int watch; /* atomic, watch_inotify.c's: 0 when nothing is known of it there */
    uint8_t handle_bytes;
    uint8_t type;      /* S_IFMT >> 12 */
    bool content_used; /* pages may lie in the store under the content name */
    bool written;      /* through the mount: DIR's page cache may be newer than the disk */
    bool unseen;       /* changed by others, and not looked at since */
    bool attributes_known;
    bool kernel_current; /* what the kernel's own cache holds is of this epoch */
    bool unconfirmed;    /* has changed, and no name was looked up since */
    bool superseded;     /* another node has its identity now; on the stripe's list of such nodes */
    unsigned char handle[];
};

#define TM_NODE_NOBODY (-1)

#define TM_NODE_STRIPES 64u
#define TM_NODE_CHANGE_LOCKS 16u

struct tm_node_stripe {
    pthread_mutex_t lock;
    struct tm_node **buckets;   /* a power of two of them */
    struct tm_node *superseded; /* not to be found any more, but known to the kernel */
    size_t bucket_count;
    size_t count;
} TM_ALIGNED(64);

struct tm_nodes {
    struct tm_source *source;
    struct tm_version_key key;
    struct tm_node *root;
    uint64_t generation;  /* atomic */
    uint64_t names_given; /* atomic: unique content names */
    int trusted;          /* atomic: content.h */
    /* Called under no lock when pages of a file that is forgotten will not be found again. */
    void (*abandoned)(void *context, const struct tm_content *content, uint64_t inode, uint64_t size_bytes);
    void *abandoned_context;
    /* Called when a node ends whose `watch` is not 0, before its memory goes. Under no lock. */
    void (*unwatch)(void *context, struct tm_node *node);
    void *unwatch_context;
    struct tm_node_stripe stripes[TM_NODE_STRIPES];
    pthread_mutex_t change_locks[TM_NODE_CHANGE_LOCKS];
};

/* tm_nodes_init - make an empty table with the root of @source in it. 0, or the errno; nothing is
 * left then. */
int tm_nodes_init(struct tm_nodes *nodes, struct tm_source *source) TM_MUST_USE;

/* tm_nodes_fini - free everything. No other call may be under way. */
void tm_nodes_fini(struct tm_nodes *nodes);

/* tm_nodes_count - files known now. */
uint64_t tm_nodes_count(struct tm_nodes *nodes);

/*
 * tm_node_enter - the node of @identity, with one more look-up counted; made where it is new.
 *
 * @parent, @name  under which it was found just now; kept where files are found by path.
 *
 * NULL when there is no memory. The caller gives the look-up to the kernel, or takes it back by
 * tm_node_forget().
 */
struct tm_node *tm_node_enter(struct tm_nodes *nodes, const struct tm_identity *identity, struct tm_node *parent,
                              const char *name) TM_MUST_USE;

/* tm_node_forget - take @lookups back; the node may end. The root never does. */
void tm_node_forget(struct tm_nodes *nodes, struct tm_node *node, uint64_t lookups);

/* tm_node_look_up - one more look-up of the kernel, of a node that cannot end just now. */
void tm_node_look_up(struct tm_nodes *nodes, struct tm_node *node);

/*
 * The node of @identity, or of a handle; NULL where the file is not known. With a reference, which tm_node_unref()
 * gives back.
 */
struct tm_node *tm_node_find(struct tm_nodes *nodes, const struct tm_identity *identity) TM_MUST_USE;
struct tm_node *tm_node_find_by_handle(struct tm_nodes *nodes, int type, const void *handle,
                                       size_t handle_bytes) TM_MUST_USE;

/* tm_node_try_ref - take a reference on a node whose memory is still there. False: it has ended. */
bool tm_node_try_ref(struct tm_nodes *nodes, struct tm_node *node) TM_MUST_USE;

/* Where a walk through all nodes is; begins as zero. */
struct tm_node_cursor {
    unsigned stripe;
    size_t bucket;
    uint64_t generation;
};

/*
 * tm_node_next - the next node of a walk, with a reference; NULL at the end.
 *
 * A walk meets every node that is there from its beginning to its end, some of them twice. Each step holds one lock
 * for as long as looking through one bucket takes, and the empty ones before it.
 */
struct tm_node *tm_node_next(struct tm_nodes *nodes, struct tm_node_cursor *cursor) TM_MUST_USE;

/* tm_node_ref - one more reference on a node that cannot end just now; it is given back by tm_node_unref(). */
void tm_node_ref(struct tm_node *node);
void tm_node_unref(struct tm_nodes *nodes, struct tm_node *node);

/* tm_node_hold - the file's name is gone: opens go by @fd from now on, which the node takes over. */
void tm_node_hold(struct tm_nodes *nodes, struct tm_node *node, int fd);

/* tm_node_move - the file is called @name in @parent now; matters where files are found by path. Without memory
 * the old name stays, and opens answer ESTALE until a look-up. */
void tm_node_move(struct tm_nodes *nodes, struct tm_node *node, struct tm_node *parent, const char *name);

/* tm_node_version - the version as of the latest look. */
struct tm_version tm_node_version(struct tm_nodes *nodes, struct tm_node *node);

/* tm_node_open - open the node's file. A descriptor, or minus the errno; -ESTALE when it is gone. */
int tm_node_open(struct tm_nodes *nodes, struct tm_node *node, int flags) TM_MUST_USE;

/*
 * The kernel's page cache of a file may be kept at open once it is known to be of @epoch:
 * tm_node_set_current() says so, tm_node_is_current() asks.
 */
void tm_node_set_current(struct tm_nodes *nodes, struct tm_node *node, uint32_t epoch);
bool tm_node_is_current(struct tm_nodes *nodes, struct tm_node *node, uint32_t *epoch);

/*
 * tm_node_tell_to_look_up - must an open of this node by @thread be answered ESTALE, so that the kernel looks
 * the path's names up again?
 *
 * Yes when the node has changed since a name was last looked up, or when it is @gone from its directory. A
 * thread that comes back without another look-up has no other name (/proc/self/fd): it is let through.
 */
bool tm_node_tell_to_look_up(struct tm_nodes *nodes, struct tm_node *node, int thread, bool gone) TM_MUST_USE;

/* tm_node_follow - @count pages from @first on are being read: do they follow what was read last? A guess. */
bool tm_node_follow(struct tm_node *node, uint64_t first, uint64_t count);

/* tm_node_confirm - a name was looked up just now, and it is this node's. */
void tm_node_confirm(struct tm_nodes *nodes, struct tm_node *node);

/* place.c: finding files by path. Called under no lock. */
int tm_place_open(struct tm_nodes *nodes, struct tm_node *node, int flags) TM_MUST_USE;

/* For place.c: the node's parent, with a reference on it that tm_node_unref() gives back, and the name
 * in it. NULL for the root. */
struct tm_node *tm_node_ref_parent(struct tm_nodes *nodes, struct tm_node *node, char name[static NAME_MAX + 1]);

#endif
