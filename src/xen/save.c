/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * save.c - a domain's persistent pages are read out and put into another one, also while the guest runs.
 *
 * Whoever is saved is frozen, and while it is saved live, puts only remove pages and no pool is made. So a page that
 * is gone stays gone: it is noted at most once, and all that could ever be noted has its room from the beginning. What
 * goes before its pool is first read needs no note, since it is never read.
 *
 * A save is begun and ended under the host's lock and the slots lock for writing, when nobody has pinned the domain.
 * The tool's lock is held by who reads pages or notes out, over the copy to its caller, and by nobody else; the notes'
 * lock is the innermost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xen/control.h"

#define BATCH 64u /* the least that a walk takes */

/* How far a pool has been read. */
struct walk {
    uint64_t order; /* of the slot that is read */
    struct tmem_cursor cursor;
    bool has_ended;
    size_t next, count; /* of keys */
    struct tmem_key keys[BATCH];
};

struct tm_xen_save {
    pthread_mutex_t tool_lock;
    struct walk walks[TMEM_XEN_POOLS];
    uint64_t notes_read;

    pthread_mutex_t notes_lock;
    bool has_begun[TMEM_XEN_POOLS]; /* somebody began to read the pool */
    bool is_short;                  /* of room for notes: the store counted fewer pages than there were */
    uint64_t note_count, note_room;
    struct tmem_handle *notes;
};

/* A page as it is read out. */
struct record {
    struct tmem_handle handle;
    unsigned char page[TMEM_PAGE_SIZE];
};

_Static_assert(sizeof(struct record) == sizeof(struct tmem_handle) + TMEM_PAGE_SIZE, "nothing in between");

/* ---- beginning and end; host's lock held ---- */

/* Nobody reads out of it, and no pool of it is on its way out. NULL: there is no such client. */
static struct tmem_xen_domain *find_quiet(struct tmem_xen *xen, uint32_t id)
{
    struct tmem_xen_domain *client = tm_xen_find_client(xen, id);
    while (client != NULL && client->pins > 0) {
        pthread_cond_wait(&xen->unpinned, &xen->lock);
        client = tm_xen_find_client(xen, id);
    }
    return client;
}

static void free_save(struct tm_xen_save *save)
{
    if (save == NULL)
        return;
    pthread_mutex_destroy(&save->tool_lock);
    pthread_mutex_destroy(&save->notes_lock);
    free(save->notes);
    free(save);
}

static struct tm_xen_save *make_save(void)
{
    struct tm_xen_save *save = calloc(1, sizeof *save);
    if (save == NULL)
        return NULL;
    pthread_mutex_init(&save->tool_lock, NULL);
    pthread_mutex_init(&save->notes_lock, NULL);
    return save;
}

/* Slots lock held for writing, so that no page comes meanwhile: room to note each persistent page. */
static long make_room(const struct tmem_xen_domain *client, struct tm_xen_save *save)
{
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++) {
        struct tmem_pool_stats stats;
        if (client->slots[i].pool == NULL || !client->slots[i].pool->is_persistent)
            continue;
        if (tmem_pool_stats(client->slots[i].member, &stats, sizeof stats) != TMEM_OK)
            return -EIO;
        save->note_room += stats.counters.pages;
    }
    if (save->note_room < SIZE_MAX) /* one more, since there may be none */
        save->notes = calloc((size_t)save->note_room + 1u, sizeof *save->notes);
    return save->notes != NULL ? 0 : -ENOMEM;
}

/* Slots lock held for writing: @save is what is under way from now on, NULL for nothing. */
static void replace(struct tmem_xen_domain *client, struct tm_xen_save *save, bool is_live)
{
    if (client->save == NULL)
        client->was_frozen = client->is_frozen;
    free_save(client->save);
    client->save = save;
    client->is_migrating = save != NULL && is_live;
    client->is_frozen = save != NULL || client->was_frozen;
    tm_xen_show_frozen(client);
}

/* Once more is from the start; whether the client was frozen is what it was before the first. */
static long begin(struct tmem_xen_domain *client, bool is_live)
{
    struct tm_xen_save *save = make_save();
    if (save == NULL)
        return -ENOMEM;
    pthread_rwlock_wrlock(&client->slots_lock);
    long result = is_live ? make_room(client, save) : 0;
    if (result == 0)
        replace(client, save, is_live);
    pthread_rwlock_unlock(&client->slots_lock);
    if (result != 0)
        free_save(save);
    return result;
}

void tm_xen_save_stop(struct tmem_xen_domain *client)
{
    if (client->save == NULL)
        return;
    pthread_rwlock_wrlock(&client->slots_lock);
    replace(client, NULL, false);
    pthread_rwlock_unlock(&client->slots_lock);
}

static bool has_pools(const struct tmem_xen_domain *client)
{
    bool any = false;
    for (unsigned i = 0; i < TMEM_XEN_POOLS; i++)
        any = any || client->slots[i].pool != NULL;
    return any;
}

/* Up to 4.7 it answered 1, and 0 where there was nothing to save. */
long tm_xen_save_begin(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    bool is_new = tm_xen_since(request->caller, TMEM_XEN_RELEASE_4_12);
    bool is_live = (is_new ? request->extra : request->value) != 0;
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *client = find_quiet(xen, request->client);
    long result = client != NULL && has_pools(client) ? begin(client, is_live) : -ENOENT;
    pthread_mutex_unlock(&xen->lock);
    if (is_new || (result != 0 && result != -ENOENT))
        return result;
    return result == 0;
}

long tm_xen_save_end(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *client = find_quiet(xen, request->client);
    if (client != NULL)
        tm_xen_save_stop(client);
    pthread_mutex_unlock(&xen->lock);
    if (client != NULL)
        return 0;
    return tm_xen_since(request->caller, TMEM_XEN_RELEASE_4_12) ? -ENOENT : TM_XEN_NO_SUCH;
}

/* ---- pages that go ---- */

void tm_xen_save_note(struct tmem_xen_domain *domain, uint32_t number, const struct tmem_object_id *object,
                      uint32_t index)
{
    struct tm_xen_save *save = domain->save;
    if (!domain->is_migrating) /* any more */
        return;
    pthread_mutex_lock(&save->notes_lock);
    if (save->has_begun[number] && save->note_count == save->note_room) {
        save->is_short = true;
    } else if (save->has_begun[number]) {
        struct tmem_handle *note = &save->notes[save->note_count++];
        *note = (struct tmem_handle){.pool_id = number, .index = index};
        memcpy(note->oid, object->word, sizeof note->oid);
    }
    pthread_mutex_unlock(&save->notes_lock);
}

/* Pages of a pool that are removed one by one. */
struct removal {
    struct tmem_xen_domain *domain;
    uint32_t number;
    struct tmem_pool *member;
    const struct tmem_object_id *object; /* NULL: any */
    struct tmem_cursor cursor;
    enum tmem_result result; /* TMEM_MISS: none so far */
};

/* Removes some. False: that was all, or the store cannot be reached. */
static bool remove_some(struct removal *removal)
{
    struct tmem_key keys[BATCH];
    size_t count;
    enum tmem_result walked = tmem_walk(removal->member, &removal->cursor, keys, BATCH, &count);
    if (walked != TMEM_OK && walked != TMEM_MISS)
        removal->result = walked;
    for (size_t i = 0; walked == TMEM_OK && i < count; i++) {
        const struct tmem_object_id *object = &keys[i].object;
        if (removal->object != NULL && memcmp(object, removal->object, sizeof *object) != 0)
            continue;
        enum tmem_result removed = tmem_invalidate_page(removal->member, object, keys[i].index);
        if (removed == TMEM_OK)
            tm_xen_save_note(removal->domain, removal->number, object, keys[i].index);
        if (removed != TMEM_MISS)
            removal->result = removed;
    }
    return walked == TMEM_OK;
}

void tm_xen_save_empty(struct tmem_xen_domain *domain, uint32_t number, struct tmem_pool *member)
{
    struct removal removal = {domain, number, member, NULL, TMEM_CURSOR_INIT, TMEM_MISS};
    while (remove_some(&removal))
        continue;
}

enum tmem_result tm_xen_save_remove(struct tmem_xen_domain *domain, uint32_t number,
                                    const struct tmem_object_id *object)
{
    const struct tm_xen_slot slot = domain->slots[number];
    struct removal removal = {domain, number, slot.member, object, TMEM_CURSOR_INIT, TMEM_MISS};
    while (remove_some(&removal)) {
        pthread_rwlock_unlock(&domain->slots_lock); /* who waits for it holds others up */
        pthread_rwlock_rdlock(&domain->slots_lock);
        if (domain->slots[number].order != slot.order || domain->slots[number].pool == NULL)
            return TMEM_NOT_FOUND;
    }
    return removal.result;
}

/* ---- reading out ---- */

static struct tmem_xen_domain *pin(const struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *client = tm_xen_find_client(xen, request->client);
    if (client != NULL)
        client->pins++;
    pthread_mutex_unlock(&xen->lock);
    return client;
}

static void unpin(struct tmem_xen_domain *client)
{
    pthread_mutex_lock(&client->xen->lock);
    tm_xen_unpin(client);
    pthread_mutex_unlock(&client->xen->lock);
}

/* From here on whoever removes a page of this pool notes it. */
static void mark_begun(struct tm_xen_save *save, uint32_t number)
{
    pthread_mutex_lock(&save->notes_lock);
    save->has_begun[number] = true;
    pthread_mutex_unlock(&save->notes_lock);
}

/* A step: 1, *record is the page at walk->next; 0, go on; TM_XEN_NO_SUCH, the end; -EIO. */
static long walk_on(struct walk *walk, struct tmem_pool *member, struct record *record)
{
    if (walk->next == walk->count) {
        if (walk->has_ended)
            return TM_XEN_NO_SUCH;
        walk->next = walk->count = 0;
        enum tmem_result walked = tmem_walk(member, &walk->cursor, walk->keys, BATCH, &walk->count);
        walk->has_ended = walked == TMEM_MISS;
        return walked == TMEM_OK || walked == TMEM_MISS ? 0 : -EIO;
    }
    const struct tmem_key *key = &walk->keys[walk->next];
    enum tmem_result got = tmem_get(member, &key->object, key->index, record->page, TMEM_GET_INCLUSIVE);
    if (got == TMEM_OK) {
        record->handle.index = key->index;
        memcpy(record->handle.oid, key->object.word, sizeof record->handle.oid);
        return 1;
    }
    walk->next++;
    return got == TMEM_MISS ? 0 : -EIO;
}

/* The same, if the request's pool can be read. Each step lets those in who wait for the slots. */
static long read_step(struct tmem_xen_domain *client, const struct tm_xen_request *request, struct record *record)
{
    struct tm_xen_save *save = client->save;
    uint32_t number = (uint32_t)request->pool_id;
    if (save == NULL || number >= TMEM_XEN_POOLS)
        return TM_XEN_NO_SUCH;
    const struct tm_xen_slot *slot = &client->slots[number];
    struct walk *walk = &save->walks[number];
    if (slot->pool == NULL || !slot->pool->is_persistent)
        return TM_XEN_NO_SUCH;
    if (request->value < sizeof *record)
        return -ENOMEM;
    if (!save->has_begun[number] || walk->order != slot->order) {
        *walk = (struct walk){.order = slot->order};
        mark_begun(save, number);
    }
    record->handle.pool_id = number;
    return walk_on(walk, slot->member, record);
}

static long read_page(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    struct record record;
    long result;
    do {
        pthread_rwlock_rdlock(&client->slots_lock);
        result = read_step(client, request, &record);
        pthread_rwlock_unlock(&client->slots_lock);
    } while (result == 0);
    if (result != 1)
        return result;
    if (!tm_xen_write(request->caller, request->buffer, &record, sizeof record))
        return -EFAULT;
    client->save->walks[record.handle.pool_id].next++;
    return 1;
}

static long read_note(struct tmem_xen_domain *client, const struct tm_xen_request *request)
{
    struct tm_xen_save *save = client->save;
    struct tmem_handle note = {0};
    if (request->value < sizeof note)
        return -ENOMEM;
    pthread_mutex_lock(&save->notes_lock);
    bool is_short = save->is_short;
    bool is_there = save->notes_read < save->note_count;
    if (is_there)
        note = save->notes[save->notes_read];
    pthread_mutex_unlock(&save->notes_lock);
    if (!is_there)
        return is_short ? -ENOMEM : 0;
    if (!tm_xen_write(request->caller, request->buffer, &note, sizeof note))
        return -EFAULT;
    save->notes_read++;
    return 1;
}

/* While it is pinned, what is saved stays so. */
static long read_out(const struct tm_xen_request *request,
                     long (*read)(struct tmem_xen_domain *client, const struct tm_xen_request *request),
                     long without_save)
{
    long result = without_save;
    struct tmem_xen_domain *client = pin(request);
    if (client == NULL)
        return without_save;
    struct tm_xen_save *save = client->save;
    if (save != NULL) {
        pthread_mutex_lock(&save->tool_lock);
        result = read(client, request);
        pthread_mutex_unlock(&save->tool_lock);
    }
    unpin(client);
    return result;
}

long tm_xen_save_next_page(struct tm_xen_request *request)
{
    return read_out(request, read_page, TM_XEN_NO_SUCH);
}

long tm_xen_save_next_invalidated(struct tm_xen_request *request)
{
    return read_out(request, read_note, 0);
}

/* ---- putting in ---- */

/* Up to 4.7 it answered 1. */
long tm_xen_restore_begin(struct tm_xen_request *request)
{
    struct tmem_xen *xen = request->caller->xen;
    bool is_new = tm_xen_since(request->caller, TMEM_XEN_RELEASE_4_12);
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain *domain = tm_xen_find(xen, request->client);
    bool is_client = domain != NULL && tm_xen_is_client(domain);
    long result = domain == NULL ? -ENOMEM : is_client ? -EEXIST
                                                       : tm_xen_enlist(domain);
    pthread_mutex_unlock(&xen->lock);
    if (result == 0)
        return is_new ? 0 : 1;
    return is_new ? result == -ENODEV ? -ENOMEM : result : TM_XEN_NO_SUCH;
}

/* Puts a page, or with none at hand removes it, which a put that fails does as well. */
static long restore(const struct tm_xen_request *request, unsigned char *page, long failure)
{
    long result = TM_XEN_NO_SUCH;
    uint32_t number = (uint32_t)request->pool_id;
    struct tmem_op op = {.pool_id = request->pool_id};
    memcpy(op.u.gen.oid, request->oid, sizeof op.u.gen.oid);
    op.u.gen.index = request->extra;
    struct tmem_xen_domain *client = pin(request);
    if (client == NULL)
        return result;
    pthread_rwlock_rdlock(&client->slots_lock);
    if (number < TMEM_XEN_POOLS && client->slots[number].pool != NULL) {
        result = failure;
        if (failure != -EINVAL)
            result = tm_xen_restore_op(client, &client->slots[number], &op, page);
    }
    pthread_rwlock_unlock(&client->slots_lock);
    unpin(client);
    return result == 1 && failure != 0 ? failure : result;
}

long tm_xen_restore_page(struct tm_xen_request *request)
{
    unsigned char page[TMEM_PAGE_SIZE];
    if (request->value != sizeof page)
        return restore(request, NULL, -EINVAL);
    if (!tm_xen_read(request->caller, request->buffer, page, sizeof page))
        return restore(request, NULL, -EFAULT);
    return restore(request, page, 0);
}

long tm_xen_restore_flush(struct tm_xen_request *request)
{
    return restore(request, NULL, 0);
}
