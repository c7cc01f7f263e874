/* SPDX-License-Identifier: BSD-2-Clause */
/* sent.c - see sent.h. */
#include "daemon/sent.h"

#include <stdlib.h>
#include <string.h>

#define STRETCH 64u

static bool make_room(struct tm_sent *sent)
{
    if (sent->count < sent->capacity)
        return true;
    size_t capacity = sent->capacity * 2u + STRETCH;
    struct tm_change *stretches = realloc(sent->stretches, capacity * sizeof *stretches);
    if (stretches == NULL)
        return false;
    sent->stretches = stretches;
    sent->capacity = capacity;
    return true;
}

bool tm_sent_add(struct tm_sent *sent, uint64_t pool_id, const struct tm_object_id *object, uint32_t index)
{
    struct tm_change *last = sent->count != 0 ? &sent->stretches[sent->count - 1u] : NULL;
    uint32_t first = index / STRETCH * STRETCH;
    if (last == NULL || last->pool_id != pool_id || last->first != first ||
        memcmp(&last->object, object, sizeof *object) != 0) {
        if (!make_room(sent))
            return false;
        last = &sent->stretches[sent->count++];
        *last = (struct tm_change){.pool_id = pool_id, .object = *object, .first = first};
    }
    last->pages |= UINT64_C(1) << (index - first);
    return true;
}

/* @member NULL: all of its pages are gone. */
static bool compare_stretch(const struct tm_change *stretch, struct tm_member *member, tm_sent_gone *gone, void *user)
{
    for (uint32_t i = 0; i < STRETCH; i++) {
        uint32_t index = stretch->first + i;
        bool was_there = (stretch->pages >> i & 1u) != 0;
        bool is_there = was_there && member != NULL && tm_page_is_there(member, &stretch->object, index);
        if (was_there && !is_there && !gone(user, stretch->pool_id, &stretch->object, index))
            return false;
    }
    return true;
}

bool tm_sent_compare(const struct tm_sent *sent, struct tm_client *client, tm_sent_gone *gone, void *user)
{
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < sent->count; i++) {
        struct tm_member *member = tm_pool_borrow(client, sent->stretches[i].pool_id);
        goes_on = compare_stretch(&sent->stretches[i], member, gone, user);
        if (member != NULL)
            tm_pool_return(member);
    }
    return goes_on;
}

void tm_sent_fini(struct tm_sent *sent)
{
    free(sent->stretches);
    *sent = (struct tm_sent){NULL, 0, 0};
}
