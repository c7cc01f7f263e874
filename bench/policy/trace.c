/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c - see trace.h. */
#include "trace.h"

#include "base/mix.h"

#include <stdlib.h>

struct policy_key {
    uint64_t a;
    uint64_t b;
    uint32_t number;
    uint32_t is_used;
};

/* The slot of the key, or the free one where it belongs. */
static struct policy_key *find(const struct policy_keys *keys, uint64_t a, uint64_t b)
{
    uint64_t at = tm_scramble(a ^ tm_scramble(b));
    struct policy_key *slot = &keys->slots[at & keys->mask];
    while (slot->is_used != 0 && (slot->a != a || slot->b != b))
        slot = &keys->slots[++at & keys->mask];
    return slot;
}

/* Twice as many slots, when half of them are used. */
static bool make_room(struct policy_keys *keys)
{
    if (keys->slots != NULL && keys->used * 2u <= keys->mask)
        return true;
    struct policy_keys larger = {.mask = keys->slots == NULL ? 1023u : keys->mask * 2u + 1u, .used = keys->used};
    larger.slots = calloc((size_t)larger.mask + 1u, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (uint64_t i = 0; keys->slots != NULL && i <= keys->mask; i++)
        if (keys->slots[i].is_used != 0)
            *find(&larger, keys->slots[i].a, keys->slots[i].b) = keys->slots[i];
    free(keys->slots);
    *keys = larger;
    return true;
}

/* The key's slot. *is_new: the caller gives it a number. NULL: no memory. */
static struct policy_key *enter(struct policy_keys *keys, uint64_t a, uint64_t b, bool *is_new)
{
    if (!make_room(keys))
        return NULL;
    struct policy_key *slot = find(keys, a, b);
    *is_new = slot->is_used == 0;
    if (*is_new) {
        *slot = (struct policy_key){a, b, 0, 1};
        keys->used++;
    }
    return slot;
}

bool policy_trace_file(struct policy_trace *trace, uint64_t device, uint64_t inode, uint32_t *file)
{
    bool is_new;
    struct policy_key *slot = enter(&trace->files, device, inode, &is_new);
    if (slot == NULL)
        return false;
    if (is_new)
        slot->number = (uint32_t)(trace->files.used - 1u);
    *file = slot->number;
    return true;
}

bool policy_trace_read(struct policy_trace *trace, uint32_t file, uint32_t index)
{
    bool is_new;
    struct policy_key *slot = enter(&trace->pages, file, index, &is_new);
    if (slot == NULL)
        return false;
    if (is_new && !policy_stream_name(&trace->stream, (struct policy_page){file, index}, &slot->number))
        return false;
    return policy_stream_add(&trace->stream, slot->number);
}

void policy_trace_free(struct policy_trace *trace)
{
    policy_stream_free(&trace->stream);
    free(trace->files.slots);
    free(trace->pages.slots);
    *trace = (struct policy_trace){0};
}
