/* SPDX-License-Identifier: BSD-2-Clause */
/* journal.c - what both processes know: names, and what follows from an answer. */
#include <string.h>

#include "crash.h"

struct tmem_object_id crash_object(unsigned thread, unsigned object)
{
    return (struct tmem_object_id){{content_scatter(object), object == 0 ? 0 : UINT64_MAX, thread}};
}

/* Pages of one chunk that fills, and one to a chunk. */
uint32_t crash_index(unsigned page)
{
    return page < 64 ? page : 1000u + page * 64u;
}

const char *crash_client_name(unsigned thread)
{
    static const char *const names[CRASH_THREADS] = {"one", "two"};
    return names[thread];
}

const char *crash_guest_name(unsigned thread)
{
    static const char *const names[CRASH_THREADS] = {"guest-one", "guest-two"};
    return names[thread];
}

struct tmem_uuid crash_uuid(void)
{
    return (struct tmem_uuid){{17, 4}};
}

static void apply_put(struct crash_thread *thread, const struct crash_intent *intent)
{
    uint64_t *contents = thread->pool[intent->pool].content[intent->object];
    for (unsigned i = 0; i < intent->count; i++) {
        uint64_t *at = &contents[(intent->page + i) % CRASH_PAGES];
        if (intent->result[i] == TMEM_OK)
            *at = intent->content[i];
        else if (intent->result[i] != TMEM_KEPT)
            *at = 0;
    }
}

void crash_apply(struct crash_thread *thread)
{
    const struct crash_intent *intent = &thread->intent;
    struct crash_pool *pool = &thread->pool[intent->pool];
    bool is_ok = intent->result[0] == TMEM_OK;
    switch (intent->kind) {
    case CRASH_PUT:
    case CRASH_PUT_MANY:
        apply_put(thread, intent);
        break;
    case CRASH_INVALIDATE_PAGE:
    case CRASH_TAKE:
        pool->content[intent->object][intent->page] = 0;
        break;
    case CRASH_INVALIDATE_OBJECT:
        memset(pool->content[intent->object], 0, sizeof pool->content[intent->object]);
        break;
    case CRASH_POOL_CREATE:
        if (is_ok)
            pool->id = intent->pool_id;
        break;
    case CRASH_POOL_DESTROY:
        memset(pool, 0, sizeof *pool);
        break;
    case CRASH_SETTINGS:
        thread->settings = intent->settings;
        break;
    case CRASH_GUEST_CREATE:
        thread->has_guest = thread->has_guest || is_ok;
        break;
    case CRASH_GUEST_DESTROY:
        thread->has_guest = false;
        break;
    case CRASH_KINDS:
        break;
    }
}
