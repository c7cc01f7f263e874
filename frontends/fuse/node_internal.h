/* SPDX-License-Identifier: BSD-2-Clause */
/* node_internal.h - what node.c and content.c share. */
#ifndef TM_FUSE_NODE_INTERNAL_H
#define TM_FUSE_NODE_INTERNAL_H

#include "node.h"

/* tm_node_lock - lock the node's stripe, and return it. */
struct tm_node_stripe *tm_node_lock(struct tm_nodes *nodes, const struct tm_node *node);

/* tm_node_met_locked - the node is new: which pages may be its? */
void tm_node_met_locked(struct tm_node *node);

/* tm_node_abandons_locked - the node ends: are there pages that nobody will find again? */
bool tm_node_abandons_locked(const struct tm_node *node);

#endif
