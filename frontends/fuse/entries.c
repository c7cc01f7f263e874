/* SPDX-License-Identifier: BSD-2-Clause */
/* entries.c - which file a name in a directory leads to. */
#include "entries.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u
/* In all, 65,536: about 8 MiB with the nodes that only they keep. */
#define STRIPE_ENTRIES_MAX 1024u

struct tm_entry {
    struct tm_entry *next;  /* in the bucket */
    struct tm_entry *newer; /* the ring */
    struct tm_entry *older;
    uint64_t hash;
    struct tm_node *directory;
    struct tm_node *node; /* NULL: there is no such name */
    bool used;            /* since the hand passed */
    char name[];
};

/* Keyed: nobody outside can make names collide. */
static uint64_t hash_of(const struct tm_entries *entries, const struct tm_node *directory, const char *name)
{
    return tm_version_hash(&entries->nodes->key, directory->generation, directory->inode, name, strlen(name));
}

static struct tm_entries_stripe *lock_stripe(struct tm_entries *entries, uint64_t hash)
{
    struct tm_entries_stripe *stripe = &entries->stripes[hash % TM_ENTRIES_STRIPES];
    pthread_mutex_lock(&stripe->lock);
    return stripe;
}

static struct tm_entry **bucket_of(const struct tm_entries_stripe *stripe, uint64_t hash)
{
    return &stripe->buckets[(hash / TM_ENTRIES_STRIPES) % BUCKETS];
}

static struct tm_entry *find_locked(const struct tm_entries_stripe *stripe, uint64_t hash,
                                    const struct tm_node *directory, const char *name)
{
    if (stripe->buckets == NULL)
        return NULL;
    struct tm_entry *entry = *bucket_of(stripe, hash);
    while (entry != NULL &&
           (entry->hash != hash || entry->directory != directory || strcmp(entry->name, name) != 0))
        entry = entry->next;
    return entry;
}

static void remove_locked(struct tm_entries_stripe *stripe, struct tm_entry *entry)
{
    struct tm_entry **link = bucket_of(stripe, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
    if (stripe->oldest == entry)
        stripe->oldest = entry->newer != entry ? entry->newer : NULL;
    stripe->count--;
}

static void add_locked(struct tm_entries_stripe *stripe, struct tm_entry *entry)
{
    struct tm_entry **bucket = bucket_of(stripe, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    if (stripe->oldest == NULL) {
        entry->newer = entry->older = entry;
        stripe->oldest = entry;
    } else {
        entry->newer = stripe->oldest;
        entry->older = stripe->oldest->older;
        entry->older->newer = entry;
        entry->newer->older = entry;
    }
    stripe->count++;
}

/* Ends an entry that is in no stripe any more; under no lock, since a node may end with it. */
static void end_entry(struct tm_entries *entries, struct tm_entry *entry)
{
    if (entry == NULL)
        return;
    if (entry->node != NULL)
        tm_node_unref(entries->nodes, entry->node);
    tm_node_unref(entries->nodes, entry->directory);
    free(entry);
}

/* The stripe is full: takes out what was not asked for since the hand passed last. */
static struct tm_entry *evict_locked(struct tm_entries_stripe *stripe)
{
    if (stripe->count < STRIPE_ENTRIES_MAX)
        return NULL;
    while (stripe->oldest->used) {
        stripe->oldest->used = false;
        stripe->oldest = stripe->oldest->newer;
    }
    struct tm_entry *victim = stripe->oldest;
    remove_locked(stripe, victim);
    return victim;
}

void tm_entries_init(struct tm_entries *entries, struct tm_nodes *nodes)
{
    memset(entries, 0, sizeof *entries);
    entries->nodes = nodes;
    for (unsigned i = 0; i < TM_ENTRIES_STRIPES; i++)
        pthread_mutex_init(&entries->stripes[i].lock, NULL);
}

void tm_entries_fini(struct tm_entries *entries)
{
    tm_entries_change_all(entries);
    for (unsigned i = 0; i < TM_ENTRIES_STRIPES; i++) {
        free(entries->stripes[i].buckets);
        pthread_mutex_destroy(&entries->stripes[i].lock);
    }
}

enum tm_entry_answer tm_entry_find(struct tm_entries *entries, struct tm_node *directory, const char *name,
                                   struct tm_node **node, uint32_t *ticket)
{
    uint64_t hash = hash_of(entries, directory, name);
    enum tm_entry_answer answer = TM_ENTRY_UNKNOWN;
    struct tm_entries_stripe *stripe = lock_stripe(entries, hash);
    struct tm_entry *entry = find_locked(stripe, hash, directory, name);
    *ticket = stripe->changes;
    *node = NULL;
    if (entry != NULL) {
        entry->used = true;
        answer = entry->node != NULL ? TM_ENTRY_NODE : TM_ENTRY_NONE;
        *node = entry->node;
        if (entry->node != NULL)
            tm_node_ref(entry->node);
    }
    pthread_mutex_unlock(&stripe->lock);
    if (*node != NULL) {
        tm_node_look_up(entries->nodes, *node);
        tm_node_unref(entries->nodes, *node);
    }
    return answer;
}

void tm_entry_keep(struct tm_entries *entries, struct tm_node *directory, const char *name, struct tm_node *node,
                   uint32_t ticket)
{
    size_t name_bytes = strlen(name) + 1u;
    struct tm_entry *entry = malloc(sizeof *entry + name_bytes);
    struct tm_entry *victim = NULL;
    if (entry == NULL)
        return;
    *entry = (struct tm_entry){.hash = hash_of(entries, directory, name), .directory = directory, .node = node};
    memcpy(entry->name, name, name_bytes);
    tm_node_ref(directory);
    if (node != NULL)
        tm_node_ref(node);

    struct tm_entries_stripe *stripe = lock_stripe(entries, entry->hash);
    if (stripe->buckets == NULL)
        stripe->buckets = calloc(BUCKETS, sizeof(struct tm_entry *));
    bool kept = stripe->buckets != NULL && stripe->changes == ticket &&
                find_locked(stripe, entry->hash, directory, name) == NULL;
    if (kept) {
        victim = evict_locked(stripe);
        add_locked(stripe, entry);
    }
    pthread_mutex_unlock(&stripe->lock);
    end_entry(entries, kept ? victim : entry);
}

void tm_entry_change(struct tm_entries *entries, struct tm_node *directory, const char *name)
{
    uint64_t hash = hash_of(entries, directory, name);
    struct tm_entries_stripe *stripe = lock_stripe(entries, hash);
    struct tm_entry *entry = find_locked(stripe, hash, directory, name);
    stripe->changes++;
    if (entry != NULL)
        remove_locked(stripe, entry);
    pthread_mutex_unlock(&stripe->lock);
    end_entry(entries, entry);
}

void tm_entries_change_all(struct tm_entries *entries)
{
    for (unsigned i = 0; i < TM_ENTRIES_STRIPES; i++) {
        struct tm_entries_stripe *stripe = &entries->stripes[i];
        struct tm_entry *gone = NULL;
        pthread_mutex_lock(&stripe->lock);
        stripe->changes++;
        while (stripe->oldest != NULL) {
            struct tm_entry *entry = stripe->oldest;
            remove_locked(stripe, entry);
            entry->next = gone;
            gone = entry;
        }
        pthread_mutex_unlock(&stripe->lock);
        while (gone != NULL) {
            struct tm_entry *next = gone->next;
            end_entry(entries, gone);
            gone = next;
        }
    }
}
