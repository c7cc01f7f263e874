/* SPDX-License-Identifier: BSD-2-Clause */
/* node.c - the files that the kernel knows. */
#include "node_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODE_MAGIC 0x6e6f6465u
#define FIRST_BUCKETS 16u

static struct tm_node_stripe *stripe_of(struct tm_nodes *nodes, uint64_t hash)
{
    return &nodes->stripes[hash % TM_NODE_STRIPES];
}

struct tm_node_stripe *tm_node_lock(struct tm_nodes *nodes, const struct tm_node *node)
{
    TM_MAGIC_CHECK(node, NODE_MAGIC);
    struct tm_node_stripe *stripe = stripe_of(nodes, node->hash);
    pthread_mutex_lock(&stripe->lock);
    return stripe;
}

static struct tm_node **bucket_of(const struct tm_node_stripe *stripe, uint64_t hash)
{
    /* The low bits chose the stripe. */
    return &stripe->buckets[(hash / TM_NODE_STRIPES) & (stripe->bucket_count - 1u)];
}

/* Doubles the buckets when there are more nodes than buckets. Without memory the chains grow. */
static void grow(struct tm_node_stripe *stripe)
{
    if (stripe->count <= stripe->bucket_count)
        return;
    struct tm_node **old = stripe->buckets;
    size_t old_count = stripe->bucket_count;
    struct tm_node **buckets = calloc(old_count * 2u, sizeof *buckets);
    if (buckets == NULL)
        return;
    stripe->buckets = buckets;
    stripe->bucket_count = old_count * 2u;
    for (size_t i = 0; i < old_count; i++) {
        struct tm_node *node = old[i];
        while (node != NULL) {
            struct tm_node *next = node->next;
            struct tm_node **bucket = bucket_of(stripe, node->hash);
            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    free(old);
}

/* A handle names one file of the filesystem, and is all that reports of changes name. */
static uint64_t hash_of_handle(const struct tm_nodes *nodes, int type, const void *handle, size_t handle_bytes)
{
    return tm_version_hash(&nodes->key, (uint64_t)(unsigned)type, 0, handle, handle_bytes);
}

static uint64_t hash_of(const struct tm_nodes *nodes, const struct tm_identity *identity)
{
    if (identity->handle_bytes != 0)
        return hash_of_handle(nodes, identity->handle_type, identity->handle, identity->handle_bytes);
    return tm_version_hash(&nodes->key, identity->status.st_dev, identity->status.st_ino, NULL, 0);
}

static bool is_same(const struct tm_node *node, uint64_t hash, const struct tm_identity *identity)
{
    return node->hash == hash && node->inode == identity->status.st_ino && node->device == identity->status.st_dev &&
           node->type == (identity->status.st_mode & S_IFMT) >> 12 && node->handle_type == identity->handle_type &&
           node->handle_bytes == identity->handle_bytes &&
           memcmp(node->handle, identity->handle, identity->handle_bytes) == 0;
}

static struct tm_node *new_node(struct tm_nodes *nodes, uint64_t hash, const struct tm_identity *identity)
{
    struct tm_node *node = calloc(1, sizeof *node + identity->handle_bytes);
    if (node == NULL)
        return NULL;
    TM_MAGIC_SET(node, NODE_MAGIC);
    node->hash = hash;
    node->device = identity->status.st_dev;
    node->inode = identity->status.st_ino;
    node->generation = __atomic_add_fetch(&nodes->generation, 1, __ATOMIC_RELAXED);
    node->version = tm_version_of(&nodes->key, hash, &identity->status);
    node->told = TM_NODE_NOBODY;
    node->held = -1;
    node->handle_type = identity->handle_type;
    node->handle_bytes = (uint8_t)identity->handle_bytes;
    node->type = (uint8_t)((identity->status.st_mode & S_IFMT) >> 12);
    memcpy(node->handle, identity->handle, identity->handle_bytes);
    tm_node_met_locked(node);
    return node;
}

/* True when what is found now under another name and with other times may be another file. */
static bool may_be_another(struct tm_nodes *nodes, const struct tm_node *node, const struct tm_identity *identity,
                           const struct tm_place *place)
{
    if (place == NULL || node == nodes->root)
        return false;
    struct tm_version version = tm_version_of(&nodes->key, node->hash, &identity->status);
    return !tm_version_equal(&version, &node->version) &&
           (node->place->parent != place->parent || strcmp(node->place->name, place->name) != 0);
}

/* Takes a node that nobody needs any more, or that nobody is to find, out of where it is. */
static void remove_locked(struct tm_node_stripe *stripe, struct tm_node *node)
{
    struct tm_node **link = node->superseded ? &stripe->superseded : bucket_of(stripe, node->hash);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    stripe->count--;
}

static void supersede_locked(struct tm_node_stripe *stripe, struct tm_node *node)
{
    remove_locked(stripe, node);
    node->superseded = true;
    node->next = stripe->superseded;
    stripe->superseded = node;
    stripe->count++;
}

static struct tm_place *new_place(struct tm_node *parent, const char *name)
{
    size_t name_bytes = strlen(name) + 1u;
    struct tm_place *place = malloc(sizeof *place + name_bytes);
    if (place == NULL)
        return NULL;
    memcpy(place->name, name, name_bytes);
    place->parent = parent;
    /* The kernel keeps the directory alive while it asks for a name in it. */
    __atomic_fetch_add(&parent->references, 1, __ATOMIC_RELAXED);
    return place;
}

static void end_place(struct tm_nodes *nodes, struct tm_place *place)
{
    if (place == NULL)
        return;
    tm_node_unref(nodes, place->parent);
    free(place);
}

static struct tm_node *find_locked(const struct tm_node_stripe *stripe, uint64_t hash,
                                   const struct tm_identity *identity)
{
    struct tm_node *node = *bucket_of(stripe, hash);
    while (node != NULL && !is_same(node, hash, identity))
        node = node->next;
    return node;
}

struct tm_node *tm_node_find(struct tm_nodes *nodes, const struct tm_identity *identity)
{
    uint64_t hash = hash_of(nodes, identity);
    struct tm_node_stripe *stripe = stripe_of(nodes, hash);
    pthread_mutex_lock(&stripe->lock);
    struct tm_node *node = find_locked(stripe, hash, identity);
    if (node != NULL)
        tm_node_ref(node);
    pthread_mutex_unlock(&stripe->lock);
    return node;
}

void tm_node_look_up(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    node->lookups++;
    pthread_mutex_unlock(&stripe->lock);
}

void tm_node_ref(struct tm_node *node)
{
    __atomic_fetch_add(&node->references, 1, __ATOMIC_RELAXED);
}

struct tm_node *tm_node_enter(struct tm_nodes *nodes, const struct tm_identity *identity, struct tm_node *parent,
                              const char *name)
{
    uint64_t hash = hash_of(nodes, identity);
    struct tm_node_stripe *stripe = stripe_of(nodes, hash);
    struct tm_place *place = NULL;
    if (!nodes->source->by_handle) {
        place = new_place(parent, name);
        if (place == NULL)
            return NULL;
    }

    pthread_mutex_lock(&stripe->lock);
    struct tm_node *node = find_locked(stripe, hash, identity);
    if (node != NULL && may_be_another(nodes, node, identity, place)) {
        supersede_locked(stripe, node);
        node = NULL;
    }
    if (node == NULL) {
        node = new_node(nodes, hash, identity);
        if (node != NULL) {
            struct tm_node **bucket = bucket_of(stripe, hash);
            node->next = *bucket;
            *bucket = node;
            stripe->count++;
            grow(stripe);
        }
    }
    if (node != NULL) {
        node->lookups++;
        /* The place is replaced even when it is the same: the old one's parent may be gone. */
        struct tm_place *before = node->place;
        if (place != NULL && node != nodes->root) {
            node->place = place;
            place = before;
        }
    }
    pthread_mutex_unlock(&stripe->lock);
    end_place(nodes, place);
    return node;
}

struct tm_node *tm_node_find_by_handle(struct tm_nodes *nodes, int type, const void *handle, size_t handle_bytes)
{
    uint64_t hash = hash_of_handle(nodes, type, handle, handle_bytes);
    struct tm_node_stripe *stripe = stripe_of(nodes, hash);
    pthread_mutex_lock(&stripe->lock);
    struct tm_node *node = *bucket_of(stripe, hash);
    while (node != NULL && (node->hash != hash || node->handle_type != type || node->handle_bytes != handle_bytes ||
                            memcmp(node->handle, handle, handle_bytes) != 0))
        node = node->next;
    if (node != NULL)
        tm_node_ref(node);
    pthread_mutex_unlock(&stripe->lock);
    return node;
}

bool tm_node_try_ref(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool lives = node->lookups != 0 || __atomic_load_n(&node->references, __ATOMIC_RELAXED) != 0;
    if (lives)
        tm_node_ref(node);
    pthread_mutex_unlock(&stripe->lock);
    return lives;
}

/* Of the nodes in a list, the first to have been made after the one of @generation. */
static struct tm_node *next_in_list(struct tm_node *list, uint64_t generation)
{
    struct tm_node *next = NULL;
    for (struct tm_node *node = list; node != NULL; node = node->next)
        if (node->generation > generation && (next == NULL || node->generation < next->generation))
            next = node;
    return next;
}

/* Doubling the buckets moves nodes on to later ones or leaves them: none is passed over. */
static struct tm_node *next_in_stripe(const struct tm_node_stripe *stripe, struct tm_node_cursor *cursor)
{
    for (;;) {
        bool last = cursor->bucket >= stripe->bucket_count;
        struct tm_node *list = last ? stripe->superseded : stripe->buckets[cursor->bucket];
        struct tm_node *node = next_in_list(list, cursor->generation);
        if (node != NULL || last) {
            cursor->generation = node != NULL ? node->generation : 0;
            return node;
        }
        cursor->bucket++;
        cursor->generation = 0;
    }
}

struct tm_node *tm_node_next(struct tm_nodes *nodes, struct tm_node_cursor *cursor)
{
    while (cursor->stripe < TM_NODE_STRIPES) {
        struct tm_node_stripe *stripe = &nodes->stripes[cursor->stripe];
        pthread_mutex_lock(&stripe->lock);
        struct tm_node *node = next_in_stripe(stripe, cursor);
        if (node != NULL)
            tm_node_ref(node);
        pthread_mutex_unlock(&stripe->lock);
        if (node != NULL)
            return node;
        *cursor = (struct tm_node_cursor){.stripe = cursor->stripe + 1u};
    }
    return NULL;
}

/* Takes back look-ups and references, and frees the node if it was the last; then its path's parent
 * may be next: a loop, since paths are longer than stacks are deep. */
static void release(struct tm_nodes *nodes, struct tm_node *node, uint64_t lookups, uint32_t references)
{
    while (node != NULL && node != nodes->root) {
        struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
        TM_ASSERT(node->lookups >= lookups);
        node->lookups -= lookups;
        /* Who has it open, the kernel knows. */
        int held = node->lookups == 0 ? node->held : -1;
        if (held >= 0)
            __atomic_store_n(&node->held, -1, __ATOMIC_RELEASE);
        /* Others add references without the lock, but only while there is one already. */
        bool ends = __atomic_sub_fetch(&node->references, references, __ATOMIC_ACQ_REL) == 0 && node->lookups == 0;
        if (ends)
            remove_locked(stripe, node);
        pthread_mutex_unlock(&stripe->lock);
        if (held >= 0)
            (void)close(held);
        if (!ends)
            return;
        if (nodes->abandoned != NULL && tm_node_abandons_locked(node))
            nodes->abandoned(nodes->abandoned_context, &node->content, node->inode, node->version.size_bytes);
        if (__atomic_load_n(&node->watch, __ATOMIC_RELAXED) != 0)
            nodes->unwatch(nodes->unwatch_context, node);
        struct tm_place *place = node->place;
        TM_MAGIC_END(node, NODE_MAGIC);
        free(node);
        node = place != NULL ? place->parent : NULL;
        free(place);
        lookups = 0;
        references = 1;
    }
}

void tm_node_forget(struct tm_nodes *nodes, struct tm_node *node, uint64_t lookups)
{
    release(nodes, node, lookups, 0);
}

void tm_node_unref(struct tm_nodes *nodes, struct tm_node *node)
{
    release(nodes, node, 0, 1);
}

struct tm_node *tm_node_ref_parent(struct tm_nodes *nodes, struct tm_node *node, char name[static NAME_MAX + 1])
{
    struct tm_node *parent = NULL;
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    if (node->place != NULL && strlen(node->place->name) <= NAME_MAX) {
        memcpy(name, node->place->name, strlen(node->place->name) + 1u);
        parent = node->place->parent;
        /* The place holds a reference, so the parent cannot end before this one is taken. */
        __atomic_fetch_add(&parent->references, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&stripe->lock);
    return parent;
}

struct tm_version tm_node_version(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    struct tm_version version = node->version;
    pthread_mutex_unlock(&stripe->lock);
    return version;
}

void tm_node_set_current(struct tm_nodes *nodes, struct tm_node *node, uint32_t epoch)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    if (node->epoch == epoch)
        node->kernel_current = true;
    pthread_mutex_unlock(&stripe->lock);
}

bool tm_node_is_current(struct tm_nodes *nodes, struct tm_node *node, uint32_t *epoch)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool current = node->kernel_current;
    *epoch = node->epoch;
    pthread_mutex_unlock(&stripe->lock);
    return current;
}

void tm_node_hold(struct tm_nodes *nodes, struct tm_node *node, int fd)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool takes = node->held < 0 && node->lookups > 0;
    if (takes)
        __atomic_store_n(&node->held, fd, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&stripe->lock);
    if (!takes)
        (void)close(fd);
}

void tm_node_move(struct tm_nodes *nodes, struct tm_node *node, struct tm_node *parent, const char *name)
{
    if (nodes->source->by_handle || node == nodes->root)
        return;
    struct tm_place *place = new_place(parent, name);
    if (place == NULL)
        return;
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    struct tm_place *before = node->place;
    node->place = place;
    pthread_mutex_unlock(&stripe->lock);
    end_place(nodes, before);
}

/* Opens what is held: through the name of the descriptor, since it is only a place. */
static int open_held(int held, int flags)
{
    char name[32];
    int fd;
    if ((flags & O_PATH) != 0) {
        fd = fcntl(held, F_DUPFD_CLOEXEC, 0);
    } else {
        (void)snprintf(name, sizeof name, "/proc/self/fd/%d", held);
        fd = open(name, (flags & ~O_NOFOLLOW) | O_CLOEXEC);
    }
    return fd >= 0 ? fd : -errno;
}

bool tm_node_tell_to_look_up(struct tm_nodes *nodes, struct tm_node *node, int thread, bool gone)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool tell = (node->unconfirmed || gone) && node->told != thread;
    if (tell) {
        node->told = thread;
    } else {
        node->told = TM_NODE_NOBODY;
        node->unconfirmed = false;
    }
    pthread_mutex_unlock(&stripe->lock);
    return tell;
}

bool tm_node_follow(struct tm_node *node, uint64_t first, uint64_t count)
{
    return __atomic_exchange_n(&node->follows, (uint32_t)(first + count), __ATOMIC_RELAXED) == (uint32_t)first &&
           first > 0;
}

void tm_node_confirm(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    node->told = TM_NODE_NOBODY;
    node->unconfirmed = false;
    pthread_mutex_unlock(&stripe->lock);
}

int tm_node_open(struct tm_nodes *nodes, struct tm_node *node, int flags)
{
    TM_MAGIC_CHECK(node, NODE_MAGIC);
    if (node == nodes->root) {
        /* "." is the directory itself, below whatever is mounted on it. */
        int fd = openat(nodes->source->root, ".", flags | O_CLOEXEC);
        return fd >= 0 ? fd : -errno;
    }
    int held = __atomic_load_n(&node->held, __ATOMIC_ACQUIRE);
    if (held >= 0)
        return open_held(held, flags);
    int fd = nodes->source->by_handle ? tm_source_open_handle(nodes->source, node->handle_type, node->handle,
                                                              node->handle_bytes, flags)
                                      : tm_place_open(nodes, node, flags);
    if (fd == -ESTALE)
        tm_node_doubt(nodes, node);
    return fd;
}

uint64_t tm_nodes_count(struct tm_nodes *nodes)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < TM_NODE_STRIPES; i++) {
        pthread_mutex_lock(&nodes->stripes[i].lock);
        count += nodes->stripes[i].count;
        pthread_mutex_unlock(&nodes->stripes[i].lock);
    }
    return count;
}

static int enter_root(struct tm_nodes *nodes)
{
    struct tm_identity identity;
    int error = tm_source_identify(nodes->source, nodes->source->root, &identity);
    if (error != 0)
        return error;
    uint64_t hash = hash_of(nodes, &identity);
    struct tm_node *root = new_node(nodes, hash, &identity);
    if (root == NULL)
        return ENOMEM;
    struct tm_node_stripe *stripe = stripe_of(nodes, hash);
    root->lookups = 1;
    *bucket_of(stripe, hash) = root;
    stripe->count = 1;
    nodes->root = root;
    return 0;
}

int tm_nodes_init(struct tm_nodes *nodes, struct tm_source *source)
{
    memset(nodes, 0, sizeof *nodes);
    nodes->source = source;
    int error = tm_version_key_init(&nodes->key);
    if (error != 0)
        return error;
    for (unsigned i = 0; i < TM_NODE_CHANGE_LOCKS; i++)
        pthread_mutex_init(&nodes->change_locks[i], NULL);
    for (unsigned i = 0; i < TM_NODE_STRIPES; i++) {
        struct tm_node_stripe *stripe = &nodes->stripes[i];
        pthread_mutex_init(&stripe->lock, NULL);
        stripe->bucket_count = FIRST_BUCKETS;
        stripe->buckets = calloc(FIRST_BUCKETS, sizeof(struct tm_node *));
        if (stripe->buckets == NULL) {
            error = ENOMEM;
            stripe->bucket_count = 0;
        }
    }
    if (error == 0)
        error = enter_root(nodes);
    if (error != 0)
        tm_nodes_fini(nodes);
    return error;
}

static void free_list(struct tm_node *node)
{
    while (node != NULL) {
        struct tm_node *next = node->next;
        if (node->held >= 0)
            (void)close(node->held);
        free(node->place);
        free(node);
        node = next;
    }
}

void tm_nodes_fini(struct tm_nodes *nodes)
{
    for (unsigned i = 0; i < TM_NODE_STRIPES; i++) {
        struct tm_node_stripe *stripe = &nodes->stripes[i];
        for (size_t bucket = 0; bucket < stripe->bucket_count; bucket++)
            free_list(stripe->buckets[bucket]);
        free_list(stripe->superseded);
        free(stripe->buckets);
        pthread_mutex_destroy(&stripe->lock);
    }
    for (unsigned i = 0; i < TM_NODE_CHANGE_LOCKS; i++)
        pthread_mutex_destroy(&nodes->change_locks[i]);
    nodes->root = NULL;
}
