/* SPDX-License-Identifier: BSD-2-Clause */
/* content.c - which pages in the store are a file's. */
#include "node_internal.h"

#include <errno.h>
#include <string.h>

static struct tm_content name_of_version(const struct tm_version *version)
{
    return (struct tm_content){{version->word[0], version->word[1]}};
}

/* A name that no file had or will have: versions are hashes, and the lowest of their bits says so. */
static struct tm_content unique_name(struct tm_nodes *nodes)
{
    uint64_t count = __atomic_add_fetch(&nodes->names_given, 1, __ATOMIC_RELAXED);
    return (struct tm_content){{nodes->key.word[0] ^ count, nodes->key.word[1]}};
}

static bool is_trusted(const struct tm_nodes *nodes)
{
    return __atomic_load_n(&nodes->trusted, __ATOMIC_RELAXED) != 0;
}

/* What is in the store under the node's name is not this file's any more. */
static void rename_locked(struct tm_node *node, struct tm_observation *observation)
{
    observation->changed = true;
    observation->used = node->content_used;
    observation->before = node->content;
    observation->before_bytes = node->version.size_bytes;
    node->content_used = false;
    node->kernel_current = false;
    node->epoch++;
}

struct tm_reading tm_node_reading(struct tm_nodes *nodes, struct tm_node *node, int64_t now_ns)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool settled = tm_version_settled(&node->version, now_ns);
    bool keep = !node->unseen && (settled || is_trusted(nodes));
    if (!node->content_used && !node->unseen) {
        /* Times that may not move on at the next change name nothing for long. */
        node->content = settled ? name_of_version(&node->version) : unique_name(nodes);
        node->content_used = keep;
    }
    struct tm_reading reading = {
        .content = node->content,
        .version = node->version,
        .epoch = node->epoch,
        .keep = keep,
        .buffered = node->written,
        .unseen = node->unseen,
    };
    pthread_mutex_unlock(&stripe->lock);
    return reading;
}

bool tm_node_is_in(struct tm_nodes *nodes, struct tm_node *node, uint32_t epoch)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool same = node->epoch == epoch;
    pthread_mutex_unlock(&stripe->lock);
    return same;
}

void tm_node_met_locked(struct tm_node *node)
{
    /* Its pages may have been kept from an earlier time. */
    node->content = name_of_version(&node->version);
    node->content_used =
        node->type == S_IFREG >> 12 && tm_version_settled(&node->version, tm_version_now_ns());
}

bool tm_node_abandons_locked(const struct tm_node *node)
{
    /* Under the name of its version it may be met again; under another its pages are lost. */
    struct tm_content name = name_of_version(&node->version);
    return node->content_used && memcmp(&name, &node->content, sizeof name) != 0;
}

static pthread_mutex_t *change_lock_of(struct tm_nodes *nodes, const struct tm_node *node)
{
    return &nodes->change_locks[node->hash % TM_NODE_CHANGE_LOCKS];
}

static struct tm_attributes attributes_of(const struct stat *status)
{
    return (struct tm_attributes){
        .blocks = (uint64_t)status->st_blocks,
        .device = status->st_rdev,
        .accessed_seconds = status->st_atim.tv_sec,
        .modified_seconds = status->st_mtim.tv_sec,
        .changed_seconds = status->st_ctim.tv_sec,
        .accessed_ns = (uint32_t)status->st_atim.tv_nsec,
        .modified_ns = (uint32_t)status->st_mtim.tv_nsec,
        .changed_ns = (uint32_t)status->st_ctim.tv_nsec,
        .mode = status->st_mode,
        .links = (uint32_t)status->st_nlink,
        .user = status->st_uid,
        .group = status->st_gid,
        .block_bytes = (uint32_t)status->st_blksize,
    };
}

static void fill_status(const struct tm_node *node, struct stat *status)
{
    const struct tm_attributes *known = &node->attributes;
    *status = (struct stat){
        .st_dev = node->device,
        .st_ino = node->inode,
        .st_mode = known->mode,
        .st_nlink = known->links,
        .st_uid = known->user,
        .st_gid = known->group,
        .st_rdev = known->device,
        .st_size = (off_t)node->version.size_bytes,
        .st_blksize = (blksize_t)known->block_bytes,
        .st_blocks = (blkcnt_t)known->blocks,
        .st_atim = {known->accessed_seconds, known->accessed_ns},
        .st_mtim = {known->modified_seconds, known->modified_ns},
        .st_ctim = {known->changed_seconds, known->changed_ns},
    };
}

/* Notes what a look found, unless others have changed the file since: @epoch is as of before the look. */
static void note_look_locked(struct tm_node *node, const struct stat *status, uint32_t epoch)
{
    if (node->epoch != epoch)
        return;
    node->attributes = attributes_of(status);
    node->attributes_known = true;
    node->unseen = false;
}

/* True when the look tells nothing new. *epoch receives the node's. */
static bool is_known(struct tm_nodes *nodes, struct tm_node *node, const struct tm_version *version,
                     const struct stat *status, uint32_t *epoch)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool known = tm_version_equal(version, &node->version) && !node->unseen;
    if (known && !node->attributes_known) {
        node->attributes = attributes_of(status);
        node->attributes_known = true;
    }
    *epoch = node->epoch;
    pthread_mutex_unlock(&stripe->lock);
    return known;
}

int tm_node_observe(struct tm_nodes *nodes, struct tm_node *node, int fd, struct stat *status,
                    struct tm_observation *observation)
{
    uint32_t epoch = 0;
    struct tm_version version = tm_version_of(&nodes->key, node->hash, status);
    *observation = (struct tm_observation){.version = version};
    if (is_known(nodes, node, &version, status, &epoch))
        return 0;

    /* Either the file changed, or this look is older than one that was noted meanwhile. A look under
     * the lock is the newest of all that were noted. */
    pthread_mutex_t *change_lock = change_lock_of(nodes, node);
    pthread_mutex_lock(change_lock);
    (void)tm_node_is_current(nodes, node, &epoch);
    int error = fstat(fd, status) == 0 ? 0 : errno;
    if (error == 0) {
        version = tm_version_of(&nodes->key, node->hash, status);
        struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
        if (!tm_version_equal(&version, &node->version)) {
            if (node->own_changes == 0 && !node->unseen) {
                rename_locked(node, observation);
                node->unconfirmed = !is_trusted(nodes);
                epoch = node->epoch;
            }
            node->version = version;
        }
        note_look_locked(node, status, epoch);
        pthread_mutex_unlock(&stripe->lock);
        observation->version = version;
    }
    pthread_mutex_unlock(change_lock);
    return error;
}

bool tm_node_attributes(struct tm_nodes *nodes, struct tm_node *node, struct stat *status)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool known = is_trusted(nodes) && node->attributes_known && !node->unseen;
    if (known)
        fill_status(node, status);
    pthread_mutex_unlock(&stripe->lock);
    return known;
}

void tm_node_doubt(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    node->unseen = true;
    /* A look under way may have been before what the doubt is about: it is not to be noted. */
    node->epoch++;
    pthread_mutex_unlock(&stripe->lock);
}

void tm_node_begin_change(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    node->own_changes++;
    pthread_mutex_unlock(&stripe->lock);
}

int tm_node_end_change(struct tm_nodes *nodes, struct tm_node *node, int fd, struct stat *status,
                       struct tm_observation *observation)
{
    uint32_t epoch = 0;
    *observation = (struct tm_observation){.changed = false};
    pthread_mutex_t *change_lock = change_lock_of(nodes, node);
    pthread_mutex_lock(change_lock);
    (void)tm_node_is_current(nodes, node, &epoch);
    int error = fstat(fd, status) == 0 ? 0 : errno;
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    TM_ASSERT(node->own_changes > 0);
    node->own_changes--;
    if (error == 0)
        note_look_locked(node, status, epoch);
    /* Without trust, a change of others' may hide behind ours. */
    if (error != 0 || !is_trusted(nodes))
        rename_locked(node, observation);
    if (error == 0)
        node->version = tm_version_of(&nodes->key, node->hash, status);
    observation->version = node->version;
    pthread_mutex_unlock(&stripe->lock);
    pthread_mutex_unlock(change_lock);
    return error;
}

void tm_node_mark_written(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    node->written = true;
    pthread_mutex_unlock(&stripe->lock);
}

bool tm_node_is_written(struct tm_nodes *nodes, struct tm_node *node)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool written = node->written;
    pthread_mutex_unlock(&stripe->lock);
    return written;
}

bool tm_node_content(struct tm_nodes *nodes, struct tm_node *node, struct tm_content *content, uint64_t *size_bytes)
{
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    bool used = node->content_used;
    *content = node->content;
    *size_bytes = node->version.size_bytes;
    pthread_mutex_unlock(&stripe->lock);
    return used;
}

void tm_node_foreign_change(struct tm_nodes *nodes, struct tm_node *node, struct tm_observation *observation)
{
    *observation = (struct tm_observation){.changed = false};
    struct tm_node_stripe *stripe = tm_node_lock(nodes, node);
    rename_locked(node, observation);
    node->unseen = true;
    observation->version = node->version;
    pthread_mutex_unlock(&stripe->lock);
}
