/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix.h - the home of a store in a daemon: what stands behind the public handles.
 *
 * Each client has a connection of its own, and the daemon knows it by that. When the connection is lost, whoever called
 * then gets TMEM_UNAVAILABLE; a later call, or a thread of the store's own, connects again, at most once in so many
 * milliseconds, shows the token that the daemon gave the last time, and restores the pools under the same handles:
 * persistent ones are opened again, ephemeral ones begin empty, since it is not known what became of the last requests.
 * A persistent pool that the daemon has no more is *lost*: its calls answer TMEM_UNAVAILABLE until it is destroyed,
 * since its pages are no miss.
 *
 * Handles of clients and pools are addresses with the lowest bit set, by which the public calls tell them from those of
 * an engine in this process.
 *
 * Nothing here may be used in a forked child, which shares the connection: a page that is zero in a child says so, and
 * every call answers TMEM_UNAVAILABLE there.
 *
 * Who locks: a store's `lock` its list of clients; a client's `connecting` how it connects again, `pools_lock` its list
 * of pools. In this order: lock, connecting, pools_lock, the link's. A pool's id changes only while nobody has a place
 * of the link.
 */
#ifndef TM_UNIX_H
#define TM_UNIX_H

#include "base/atomic.h"
#include "client/home.h"
#include "client/link.h"
#include "client/uri.h"

#define TM_UNIX_BATCH 16u /* requests that a batch has under way at most: each has a page of shared memory */

#define TM_UNIX_CLIENT_MAGIC 0x75636c69u
#define TM_UNIX_POOL_MAGIC 0x75706f6fu

/* What sees that connections end. */
struct tm_unix_watch {
    int events; /* epoll: the clients' sockets, and */
    int knock;  /* an eventfd */
    bool is_running;
    uint32_t stops; /* atomic */
    pthread_t thread;
    pthread_cond_t unwatched; /* a client is not watched any more */
};

struct tm_unix_store {
    struct tmem_store base;
    struct tm_uri uri;
    uint32_t *alive; /* a page of its own: 1, and 0 in a forked child */
    pthread_mutex_t lock;
    struct tm_unix_client *clients;
    struct tm_unix_watch watch;
};

/* Memory that the daemon may have mapped, too: changed under `connecting` only. */
struct tm_unix_memory {
    tm_atomic64 base; /* atomic; 0: none */
    uint64_t bytes;
    int descriptor;
    uint32_t region; /* atomic; what the daemon calls it, 0: it has not got it. Like a pool's id */
};

struct tm_unix_client {
    unsigned magic;
    struct tm_unix_client *next;
    struct tm_unix_store *store;
    char name[TMEM_CLIENT_NAME_SIZE]; /* as it was created */
    char path[TM_WIRE_PATH_BYTES];    /* where its daemon is: the store's, until an operator moves the client */
    struct tm_wire_hello hello;       /* what to say when it connects, token included */
    struct tm_link link;
    pthread_mutex_t connecting;
    uint64_t retry_at_ms;
    uint32_t retry_ms;
    bool is_watched; /* the store's thread connects it just now; store's lock */
    pthread_mutex_t pools_lock;
    struct tm_unix_pool *pools;
    struct tm_unix_memory memory[TM_WIRE_REGIONS_MAX];
    uint32_t memory_count; /* atomic: entries that were ever used */
};

enum tm_unix_pool_state {
    TM_UNIX_POOL_MAKING, /* not answered yet */
    TM_UNIX_POOL_READY,
    TM_UNIX_POOL_LOST,
    TM_UNIX_POOL_DOOMED, /* destroyed here; the daemon does not know yet */
};

struct tm_unix_pool {
    unsigned magic;
    struct tm_unix_pool *next;
    struct tm_unix_client *client;
    uint32_t flags;
    uint32_t state; /* enum tm_unix_pool_state, atomic */
    tm_atomic64 id; /* atomic; as the daemon has it */
    bool was_moved; /* to another daemon, which has another id for it; pools_lock */
    struct tmem_uuid uuid;
};

static inline struct tm_unix_store *tm_unix_store_of(struct tmem_store *store)
{
    return TM_CONTAINER_OF(store, struct tm_unix_store, base);
}

static inline struct tm_unix_client *tm_unix_client_of(struct tmem_client *handle)
{
    struct tm_unix_client *client = (struct tm_unix_client *)(void *)((unsigned char *)handle - TM_HANDLE_UNIX);
    TM_MAGIC_CHECK(client, TM_UNIX_CLIENT_MAGIC);
    return client;
}

static inline struct tmem_client *tm_unix_client_handle(struct tm_unix_client *client)
{
    return (struct tmem_client *)(void *)((unsigned char *)client + TM_HANDLE_UNIX);
}

static inline struct tm_unix_pool *tm_unix_pool_of(struct tmem_pool *handle)
{
    struct tm_unix_pool *pool = (struct tm_unix_pool *)(void *)((unsigned char *)handle - TM_HANDLE_UNIX);
    TM_MAGIC_CHECK(pool, TM_UNIX_POOL_MAGIC);
    return pool;
}

static inline struct tmem_pool *tm_unix_pool_handle(struct tm_unix_pool *pool)
{
    return (struct tmem_pool *)(void *)((unsigned char *)pool + TM_HANDLE_UNIX);
}

/* The results of the wire are numbered as the public ones. */
static inline enum tmem_result tm_wire_public(enum tm_wire_result result)
{
    return (enum tmem_result)result;
}

/* Opens a store as the URI says: on TMEM_OK a daemon listens there, and all of *store but its magic is set. */
TM_MUST_USE enum tmem_result tm_unix_open(const struct tm_uri *uri, struct tmem_store **store,
                                          struct tmem_error *error);

/* False in a forked child. */
static inline bool tm_unix_is_alive(const struct tm_unix_store *store)
{
    return tm_load_relaxed(store->alive) != 0;
}

/* ---- unix_connect.c ---- */

/* Makes a client with a connection; or ends one: with its pages if @leaves, else as if the process had ended. */
enum tmem_result tm_unix_connect(struct tm_unix_store *store, const char *name,
                                 const struct tmem_client_options *options, struct tm_unix_client **client);
void tm_unix_disconnect(struct tm_unix_client *client, bool leaves);

/* Makes the client that the daemon knows by this token; its name is the daemon's. */
enum tmem_result tm_unix_claim(struct tm_unix_store *store, const struct tm_wire_token *token,
                               struct tm_unix_client **client, struct tmem_error *error);

/* Connects again, unless it is too early for another try. True: there is a connection. */
bool tm_unix_revive(struct tm_unix_client *client);

/* Takes places of the client's link as tm_link_take(), connecting again where that is needed and may be tried. */
uint32_t tm_unix_take(struct tm_unix_client *client, uint32_t wanted, uint32_t *places);

/* One request without a page. */
enum tm_wire_result tm_unix_call(struct tm_unix_client *client, struct tm_wire_request *request,
                                 struct tm_wire_answer *answer);

/* One question, connecting again where that is needed and may be tried. */
enum tm_wire_result tm_unix_ask(struct tm_unix_client *client, union tm_wire_any *question,
                                enum tm_wire_kind expected, union tm_wire_any *answer);

/* ---- unix_token.c ---- */

/* The client whose token is in the file that the URI names becomes one of the store's. */
enum tmem_result tm_unix_claim_by_file(struct tm_unix_store *store, struct tmem_error *error);

/* ---- unix_client.c ---- */

/* A client that is connected becomes one of the store's. */
void tm_unix_add_client(struct tm_unix_store *store, struct tm_unix_client *client);

/* All pools that the daemon knows of a client that is connected become those of this one. */
enum tmem_result tm_unix_find_pools(struct tm_unix_client *client);

/* ---- unix_watch.c ---- */

bool tm_unix_watch_init(struct tm_unix_watch *watch);
/* Ends its thread, if there is one; nobody calls the store any more. */
void tm_unix_watch_fini(struct tm_unix_watch *watch);
/* In a forked child, which has no such thread. */
void tm_unix_watch_forget(struct tm_unix_watch *watch);
/* Under the store's lock: begins with the first client. Where there is no thread to be had only calls connect again. */
void tm_unix_watch_start(struct tm_unix_store *store);
/* A client has a new connection. */
void tm_unix_watch_socket(struct tm_unix_watch *watch, int socket);

/* ---- unix.c ---- */

/* The statistics of the client, a pool of it, or what it knows of the store; @out is filled as far as it reaches. */
enum tm_wire_result tm_unix_count(struct tm_unix_client *client, enum tm_wire_subject subject, uint64_t pool,
                                  void *out, size_t out_bytes);

/* ---- unix_page.c, for unix_stored.c ---- */

bool tm_unix_put_flags_ok(const struct tm_unix_pool *pool, uint32_t flags);
uint32_t tm_unix_take_for(struct tm_unix_pool *pool, uint32_t wanted, uint32_t *places);
struct tm_wire_request tm_unix_request(const struct tm_unix_pool *pool, enum tm_wire_operation operation,
                                       const struct tmem_object_id *object, uint32_t index, uint32_t flags);
enum tmem_result tm_unix_result(bool is_answered, const struct tm_wire_answer *answer);

/* ---- unix_memory.c ---- */

/* If the page lies in memory that the daemon has, says where in the request. For who holds a place. */
void tm_unix_find_page(const struct tm_unix_client *client, const void *page, struct tm_wire_request *request);
/* While the link is restoring: tells the daemon of all memory again. */
void tm_unix_restore_memory(struct tm_unix_client *client);
/* At the client's end. */
void tm_unix_release_memory(struct tm_unix_client *client);
enum tmem_result tm_unix_memory_create(struct tmem_client *handle, size_t size_bytes, void **result);
void tm_unix_memory_destroy(struct tmem_client *handle, void *base);

/* ---- unix_client.c, unix_page.c, unix_stored.c: functions of tm_unix_home ---- */

enum tmem_result tm_unix_client_create(struct tmem_store *public_store, const char *name,
                                       const struct tmem_client_options *options, struct tmem_client **result);
enum tmem_result tm_unix_client_open(struct tmem_store *public_store, const char *name,
                                     struct tmem_client **result);
void tm_unix_client_destroy(struct tmem_client *handle);
enum tmem_result tm_unix_store_clients(struct tmem_store *public_store, char after[TMEM_CLIENT_NAME_SIZE],
                                       char (*names)[TMEM_CLIENT_NAME_SIZE], size_t capacity, size_t *count);
enum tmem_result tm_unix_pool_create(struct tmem_client *handle, uint32_t flags, const struct tmem_uuid *uuid,
                                     struct tmem_pool **result);
enum tmem_result tm_unix_pool_open(struct tmem_client *handle, uint64_t pool_id, struct tmem_pool **result);
uint64_t tm_unix_pool_id(const struct tmem_pool *handle);
void tm_unix_pool_destroy(struct tmem_pool *handle);
enum tmem_result tm_unix_client_pools(struct tmem_client *handle, uint64_t after, uint64_t *ids, size_t capacity,
                                      size_t *count);
enum tmem_result tm_unix_put(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                             const void *page, uint32_t flags);
enum tmem_result tm_unix_get(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                             void *page, enum tmem_get_mode mode);
enum tmem_result tm_unix_invalidate_page(struct tmem_pool *handle, const struct tmem_object_id *object,
                                         uint32_t index);
enum tmem_result tm_unix_invalidate_object(struct tmem_pool *handle, const struct tmem_object_id *object);
enum tmem_result tm_unix_put_many(struct tmem_pool *handle, struct tmem_io *io, size_t count, uint32_t flags);
enum tmem_result tm_unix_get_many(struct tmem_pool *handle, struct tmem_io *io, size_t count,
                                  enum tmem_get_mode mode);
enum tmem_result tm_unix_walk(struct tmem_pool *handle, struct tmem_cursor *cursor, struct tmem_key *keys,
                              size_t capacity, size_t *count);
enum tmem_result tm_unix_get_stored(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                                    struct tmem_stored *stored);
enum tmem_result tm_unix_put_stored(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                                    const struct tmem_stored *stored, uint32_t flags);

#endif
