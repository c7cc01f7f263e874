/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entries.h - which file a name in a directory leads to, as far as it is known.
 *
 * Purpose     The kernel forgets names when its memory is short, and asks again. The answer would be read from the
 *             disk: blocks of directories and inodes, again and again. So a mount that hears of every change
 *             (content.h) keeps a bounded number of answers, also that there is no such name.
 * Invariants  An entry is what a look-up found, and no change of that name has been noted since that look-up began:
 *             its begin takes a ticket, changes make tickets void, and what comes with a void one is not kept.
 * Ownership   An entry holds references on both nodes.
 * Threads     All calls may overlap. Striped locks, held for a few instructions; no other lock is taken under them.
 */
#ifndef TM_FUSE_ENTRIES_H
#define TM_FUSE_ENTRIES_H

#include "node.h"

#define TM_ENTRIES_STRIPES 64u

struct tm_entry;

struct tm_entries_stripe {
    pthread_mutex_t lock;
    struct tm_entry **buckets; /* NULL until the first entry */
    struct tm_entry *oldest;   /* a ring in order of entry; the hand of a clock */
    uint32_t count;
    uint32_t changes; /* that were noted: the ticket */
} TM_ALIGNED(64);

struct tm_entries {
    struct tm_nodes *nodes;
    struct tm_entries_stripe stripes[TM_ENTRIES_STRIPES];
};

/* What tm_entry_find() knows. */
enum tm_entry_answer {
    TM_ENTRY_UNKNOWN,
    TM_ENTRY_NODE, /* the name leads to *node */
    TM_ENTRY_NONE  /* there is no such name */
};

void tm_entries_init(struct tm_entries *entries, struct tm_nodes *nodes);

/* tm_entries_fini - let go of everything; no other call may be under way. */
void tm_entries_fini(struct tm_entries *entries);

/*
 * tm_entry_find - what @name in @directory leads to.
 *
 * *node    with one more look-up counted for the kernel, as by tm_node_enter(), on TM_ENTRY_NODE.
 * *ticket  for tm_entry_keep(), on TM_ENTRY_UNKNOWN.
 */
enum tm_entry_answer tm_entry_find(struct tm_entries *entries, struct tm_node *directory, const char *name,
                                   struct tm_node **node, uint32_t *ticket) TM_MUST_USE;

/* tm_entry_keep - the look-up that @ticket was taken for found @node, or no such name (NULL). Kept unless the ticket
 * is void or there is no memory. */
void tm_entry_keep(struct tm_entries *entries, struct tm_node *directory, const char *name, struct tm_node *node,
                   uint32_t ticket);

/* tm_entry_change - the name leads elsewhere, or may: forgets it. To be called when the change has been made. */
void tm_entry_change(struct tm_entries *entries, struct tm_node *directory, const char *name);

/* tm_entries_change_all - any name may have changed: forgets all, stripe by stripe. */
void tm_entries_change_all(struct tm_entries *entries);

#endif
