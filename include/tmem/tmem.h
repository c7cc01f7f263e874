/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmem.h - transcendent memory: put pages into a store, get them back later.
 *
 * The nouns, with one meaning everywhere:
 *
 *   store    the pooled memory. It holds pages compressed and deduplicated, has a size, and gives
 *            memory back when it is told to, or when pages leave.
 *   client   a tenant of a store, who owns pools. It has a weight, a cap, a state (running or
 *            frozen) and statistics.
 *   pool     a set of objects of one kind. EPHEMERAL: the store may drop any page at any time (a
 *            second-chance cache). PERSISTENT: a stored page stays until its owner removes it or
 *            leaves (swap). A pool is private to a client, or shared by uuid among clients that
 *            were authorised for it (see control.h).
 *   object   192-bit id inside a pool: a file, a slice of a swap device. Any value is legal.
 *   index    32-bit page number inside an object.
 *   handle   (pool, object, index). It names one page of TMEM_PAGE_SIZE bytes.
 *
 * The laws that every call keeps:
 *
 *   1. put, put, get never returns the first page. A failed put removes what was under its handle;
 *      only a put with TMEM_PUT_KEEP into a persistent pool leaves the older page instead and says
 *      so (TMEM_KEPT). Replacing never fails for lack of room if the new page needs no more bytes
 *      than the old one, also at a full cap.
 *   2. A get that missed keeps missing until the next put.
 *   3. What a get returns is exactly what the last successful put of that handle stored, verified
 *      by checksum. A persistent page that fails its check answers TMEM_CORRUPT on every get until
 *      it is overwritten or invalidated; an ephemeral one is dropped and counted: a miss.
 *   4. A persistent page leaves only by its owner's act. An ephemeral page may always leave.
 *   5. An exclusive get removes the page, but only once it is safely in the caller's buffer.
 *   6. Invalidate and destroy are effective before they return.
 *   7. No client can read, pin, exhaust or slow down what belongs to another. A page of a shared
 *      pool belongs to the pool.
 *
 * Which calls may overlap (from any threads, on one store):
 *
 *                       page calls   pool create   pool destroy   client destroy   close
 *   page calls (1)          yes           yes           (2)             (2)          no
 *   pool create             yes           yes           yes             (2)          no
 *   pool destroy            (2)           yes           (2)             (2)          no
 *   client destroy          (2)           (2)           (2)             (2)          no
 *   control.h               yes           yes           yes             (2)          no
 *
 *   (1) put, get, invalidate, batches, walk, stored pages, statistics
 *   (2) yes for different pools or clients; a handle must not be used during or after the call
 *       that destroys it.
 *
 * Caveats, honestly: handles are pointers into this process and are not valid in a forked child; the child must open
 * a store of its own (over unix: its calls on the parent's handles answer TMEM_UNAVAILABLE, and it should close the
 * store, so that the daemon sees when the parent ends). Ephemeral pages vanish
 * without notice: that is what the word means. A caller's buffer is undefined after any get that did not return
 * TMEM_OK. The size of a store is a limit on resident bytes that may be exceeded by 2 % or 8 MiB, whichever is more,
 * for moments.
 *
 * A NULL handle, or any other NULL that is not said to be legal, is TMEM_INVALID. What a call would have
 * returned through a pointer is written only where it says so.
 *
 * Nothing here prints, exits, or aborts for lack of memory.
 */
#ifndef TMEM_TMEM_H
#define TMEM_TMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TMEM_API __attribute__((visibility("default")))
#define TMEM_MUST_USE __attribute__((warn_unused_result))
#else
#define TMEM_API
#define TMEM_MUST_USE
#endif

/* The version of this interface. The library's own is tmem_version(). */
#define TMEM_VERSION_MAJOR 0
#define TMEM_VERSION_MINOR 1
#define TMEM_VERSION_PATCH 0

/* Bytes of every page. */
#define TMEM_PAGE_SIZE 4096u

/* Bytes that a page in stored (compressed) form may take: see tmem_get_stored(). */
#define TMEM_STORED_MAX 4096u

/*
 * Every result of every call. A switch over it without `default:` lets the compiler point at
 * results that are not handled.
 */
enum tmem_result {
    TMEM_OK = 0,           /* done */
    TMEM_MISS = 1,         /* no such page; an answer, not a failure */
    TMEM_REFUSED = 2,      /* policy: over the cap, frozen client, store full; the older page is gone */
    TMEM_KEPT = 3,         /* a put with TMEM_PUT_KEEP failed and the older page is untouched */
    TMEM_NOMEM = 4,        /* no memory for data or metadata; after a put the older page is gone */
    TMEM_CORRUPT = 5,      /* a persistent page that fails its check */
    TMEM_INVALID = 6,      /* an argument is not valid; nothing changed */
    TMEM_NOT_FOUND = 7,    /* no such client, pool or path; nothing changed */
    TMEM_EXISTS = 8,       /* the name is taken; nothing changed */
    TMEM_DENIED = 9,       /* not authorised; nothing changed */
    TMEM_UNSUPPORTED = 10, /* this build or this host cannot; nothing changed */
    TMEM_UNAVAILABLE = 11, /* the store cannot be reached (no daemon, connection lost) */
    TMEM_RESULT_COUNT
};

/*
 * tmem_result_text - a short English text for a result, such as "miss".
 *
 * The text is constant and never freed. Any value is legal; an unknown one gives "unknown result".
 */
TMEM_API const char *tmem_result_text(enum tmem_result result);

/* tmem_version - the library's version, "major.minor.patch". Constant, never freed. */
TMEM_API const char *tmem_version(void);

struct tmem_store;
struct tmem_client;
struct tmem_pool;

/* A 192-bit object id. Any value is legal. word[2] is the most significant. */
struct tmem_object_id {
    uint64_t word[3];
};

/* A 128-bit name of a shared pool. word[1] is the most significant. */
struct tmem_uuid {
    uint64_t word[2];
};

/* Why tmem_open() failed, for a person: names the thing and the remedy. */
struct tmem_error {
    char text[256];
};

/* ------------------------------------------------------------------ store */

/*
 * tmem_open - open a store by URI.
 *
 *   embedded:[key=value[,key=value...]]   runs the engine in this process
 *       size=SIZE         limit on resident bytes, e.g. 512M (default 256M; at least 16M)
 *       codec=NAME        lz4 (default), zstd, zstd:LEVEL (-7 ... 19), lzo where built in, none
 *       dedup=on|off      find equal pages inside a client (default on)
 *       defer=on|off      while there is room, store pages as they are and compress them in the
 *                         background: faster puts (default off)
 *       workers=N         operations that can be under way at once (default 2 x CPUs, at most 64)
 *       persistent=KIND   memory of persistent pools: anon (default) or memfd
 *       arena-fd=FD       like persistent=memfd, in a memfd of the caller's: an empty one is
 *                         formatted, one that holds pages is rebuilt. The store dups FD.
 *       maintenance=MODE  thread (default): a thread cleans and gives memory back; none: only
 *                         calls do
 *       cold=PERCENT      of one CPU, 1 to 100: the thread makes pages smaller that nobody asks
 *                         for; off (default). See tmem_store_set_cold()
 *       cold-age=SECONDS  how long nobody asked for such a page (default 60)
 *   unix:PATH[,key=value...]   a daemon's store, through the socket at PATH and shared memory; see below
 *       size=SIZE         a wish, which the daemon's configuration bounds
 *       codec=NAME        a wish as well, of which tmemd makes nothing: its store has one codec for all
 *       name=NAME         comes before the names of clients, "NAME.client", for programs of one user
 *                         whose clients would be called the same (1 to 31 letters, digits, "._-:@")
 *       token=FILE        the client whose token is in FILE (32 digits, as `tmem token` prints them) is this
 *                         store's from now on: one that was restored, or left behind by a program that has died. It
 *                         is found by tmem_store_clients() and tmem_client_open(), and its pools by
 *                         tmem_client_pools() and tmem_pool_open(). It comes back by its token only, and ends as
 *                         others do
 *
 * A daemon knows clients by their connections. When one is lost (the daemon ended), calls that were under way and those
 * that follow answer TMEM_UNAVAILABLE, within a second; a later call connects again by itself. Then the client's
 * ephemeral pools are there again under the same handles, empty, with other ids; persistent ones as they were if the
 * daemon has kept them. If it has not, the pool's calls go on answering TMEM_UNAVAILABLE until it is destroyed: what
 * was lost is not a miss. What became of a put, an invalidation or an exclusive get that answered TMEM_UNAVAILABLE is
 * not known: a persistent page may be the old one or the new one, there or gone.
 *
 * @uri    NUL-terminated; not kept.
 * @store  receives the store on TMEM_OK; the caller closes it with tmem_close().
 * @error  where not NULL, receives a text on every result but TMEM_OK.
 *
 * Results: TMEM_OK, TMEM_INVALID (malformed URI, unknown key or value, size below the minimum or
 * above the machine's memory), TMEM_NOMEM, TMEM_UNSUPPORTED (a scheme or codec this build lacks, an
 * arena of another format version), TMEM_CORRUPT (the arena's head is damaged), TMEM_UNAVAILABLE (nobody listens at
 * PATH), TMEM_DENIED (not allowed to connect there, or to read FILE; no client has its token), TMEM_NOT_FOUND (there is
 * no FILE), TMEM_EXISTS (the client is connected).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_open(const char *uri, struct tmem_store **store,
                                                  struct tmem_error *error);

/*
 * tmem_close - destroy every client of this handle, and the store with them. NULL is legal.
 *
 * With arena-fd= the persistent pages stay in the caller's memfd, for the next tmem_open().
 */
TMEM_API void tmem_close(struct tmem_store *store);

/* ----------------------------------------------------------------- client */

/* What a client is created with. Start from TMEM_CLIENT_OPTIONS_INIT. */
struct tmem_client_options {
    uint32_t weight;    /* share of the store when memory is short, 1 ... 1000000 */
    uint32_t reserved;  /* 0 */
    uint64_t cap_bytes; /* most that may be charged to the client; UINT64_MAX: no cap */
};

#define TMEM_CLIENT_OPTIONS_INIT \
    {                            \
        100u, 0u, UINT64_MAX     \
    }

/* Bytes of a client's name, the terminating NUL included. */
#define TMEM_CLIENT_NAME_SIZE 64u

/*
 * tmem_client_create - make a tenant.
 *
 * @name     1 to 63 bytes of letters, digits, '.', '_', '-', ':', '@'; unique in the store.
 * @options  NULL for the defaults.
 * @client   receives the client on TMEM_OK; ended by tmem_client_destroy() or tmem_close().
 *
 * Over unix: weight and cap are wishes, which the daemon's configuration bounds, and a name has to leave room for what
 * the daemon puts before it to say whose it is.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_EXISTS, TMEM_NOMEM; TMEM_UNAVAILABLE, TMEM_DENIED, TMEM_REFUSED (the daemon's).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_create(struct tmem_store *store, const char *name,
                                                           const struct tmem_client_options *options,
                                                           struct tmem_client **client);

/*
 * tmem_client_open - find a client that exists, by name: one of this process, or one that was
 * rebuilt from an arena. The handle ends as tmem_client_create() says.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_NOT_FOUND, TMEM_NOMEM, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_open(struct tmem_store *store, const char *name,
                                                         struct tmem_client **client);

/*
 * tmem_client_destroy - end a tenant: its private pools are destroyed, shared ones left. NULL is
 * legal. All its pool handles end with it. No page of it can be read when the call returns.
 */
TMEM_API void tmem_client_destroy(struct tmem_client *client);

/* ------------------------------------------------------------------- pool */

enum tmem_pool_flags {
    TMEM_POOL_EPHEMERAL = 0x0,
    TMEM_POOL_PERSISTENT = 0x1,
    TMEM_POOL_SHARED = 0x2,
};

/*
 * tmem_pool_create - make a pool, or join a shared one.
 *
 * @flags  TMEM_POOL_EPHEMERAL or TMEM_POOL_PERSISTENT, and TMEM_POOL_SHARED to name the pool by uuid:
 *         the first client to name it makes it, others join it. All must agree on the kind.
 * @uuid   the shared pool's name; NULL for a private pool.
 * @pool   receives the pool on TMEM_OK; ended by tmem_pool_destroy(), or with its client.
 *
 * Results: TMEM_OK, TMEM_INVALID (flags, uuid; a shared pool of the other kind), TMEM_DENIED (not
 * authorised for this uuid), TMEM_EXISTS (this client is a member already), TMEM_REFUSED (the
 * client's cap), TMEM_NOMEM, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_pool_create(struct tmem_client *client, uint32_t flags,
                                                         const struct tmem_uuid *uuid,
                                                         struct tmem_pool **pool);

/*
 * tmem_pool_open - find a pool of a client by its id: after a rebuild, or from a walk.
 *
 * Results: TMEM_OK, TMEM_NOT_FOUND, TMEM_NOMEM, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_pool_open(struct tmem_client *client, uint64_t pool_id,
                                                       struct tmem_pool **pool);

/*
 * tmem_pool_id - the pool's id: unique in the store, never used again. Not 0. Over unix: an ephemeral pool that comes
 * back after the connection was lost has another.
 */
TMEM_API uint64_t tmem_pool_id(const struct tmem_pool *pool);

/*
 * tmem_pool_destroy - remove a private pool with all its pages, or leave a shared one, whose pages
 * go with its last member. NULL is legal. Effective before it returns. The work is proportional to
 * the pages, in steps that hold up nobody else.
 */
TMEM_API void tmem_pool_destroy(struct tmem_pool *pool);

/* ------------------------------------------------------------------ pages */

enum tmem_put_flags {
    TMEM_PUT_PLAIN = 0x0, /* a failed put removes the older page */
    TMEM_PUT_KEEP = 0x1,  /* persistent pools: a failed put leaves it, and answers TMEM_KEPT */
};

enum tmem_get_mode {
    TMEM_GET_DEFAULT = 0,   /* private ephemeral pools: exclusive; all others: inclusive */
    TMEM_GET_EXCLUSIVE = 1, /* remove the page once it is in the caller's buffer */
    TMEM_GET_INCLUSIVE = 2, /* keep the page */
};

/* Most memory areas of a client at the same time. */
#define TMEM_MEMORY_MAX 16u

/*
 * tmem_memory_create - make memory for pages that go straight to and from the store.
 *
 * @size_bytes  rounded up to whole pages.
 * @memory      receives the memory on TMEM_OK: zero, aligned to a page; ended by tmem_memory_destroy(), before its
 *              client ends.
 *
 * Any memory may be a caller's buffer. Over unix: pages in this one, at whatever place, are not copied between the
 * caller and the daemon, to which it is lent; a daemon that does not take it makes it memory like any other. A forked
 * child does not have it. While a call that has a page of it as its buffer is under way, the page is the store's.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_NOMEM, TMEM_REFUSED (there are TMEM_MEMORY_MAX), TMEM_UNAVAILABLE (in a forked
 * child).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_memory_create(struct tmem_client *client, size_t size_bytes,
                                                           void **memory);

/* tmem_memory_destroy - end it, while no call uses it. NULL is legal. */
TMEM_API void tmem_memory_destroy(struct tmem_client *client, void *memory);

/*
 * tmem_put - store a copy of one page under (pool, object, index).
 *
 * On TMEM_OK a later get of the handle may return the page: in an ephemeral pool it may be dropped
 * at any moment (also at once), in a persistent pool it stays until it is removed. On TMEM_REFUSED
 * and TMEM_NOMEM nothing is stored under the handle any more; on TMEM_KEPT the older page is.
 *
 * @page   TMEM_PAGE_SIZE readable bytes that do not change during the call; any alignment.
 * @flags  enum tmem_put_flags. TMEM_PUT_KEEP in an ephemeral pool is TMEM_INVALID.
 *
 * Threads: safe against every other page call. Of two puts of one handle at once, one page is left.
 * Compresses; may evict a bounded number of pages to make room. No system call unless the store
 * needs memory from the kernel.
 *
 * Results: TMEM_OK, TMEM_REFUSED, TMEM_KEPT, TMEM_NOMEM, TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_put(struct tmem_pool *pool, const struct tmem_object_id *object,
                                                 uint32_t index, const void *page, uint32_t flags);

/*
 * tmem_get - copy the page under (pool, object, index) into @page.
 *
 * On TMEM_OK the buffer holds exactly the page stored last; an exclusive get has removed it. On all
 * other results the buffer is undefined, and a persistent page is still where it was.
 *
 * @page  TMEM_PAGE_SIZE writable bytes; any alignment.
 * @mode  see enum tmem_get_mode.
 *
 * Threads: safe against every other page call. Of two exclusive gets at once, one succeeds.
 *
 * Results: TMEM_OK, TMEM_MISS, TMEM_CORRUPT (persistent pools only), TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_get(struct tmem_pool *pool, const struct tmem_object_id *object,
                                                 uint32_t index, void *page, enum tmem_get_mode mode);

/*
 * tmem_invalidate_page - remove one page. Idempotent, effective before it returns.
 *
 * Results: TMEM_OK (removed), TMEM_MISS (there was none), TMEM_INVALID, TMEM_UNAVAILABLE (not known
 * whether it was removed).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_invalidate_page(struct tmem_pool *pool,
                                                             const struct tmem_object_id *object,
                                                             uint32_t index);

/*
 * tmem_invalidate_object - remove all pages of one object. Idempotent, effective before it returns:
 * a page put before the call began is gone; one put while it runs may or may not be.
 *
 * Results: TMEM_OK (something was removed), TMEM_MISS (there was nothing), TMEM_INVALID,
 * TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_invalidate_object(struct tmem_pool *pool,
                                                               const struct tmem_object_id *object);

/* ---------------------------------------------------------------- batches */

/* One page of a batch. */
struct tmem_io {
    struct tmem_object_id object; /* in */
    uint32_t index;               /* in */
    enum tmem_result result;      /* out: as the single call would have answered */
    void *page;                   /* in: TMEM_PAGE_SIZE bytes, read by put, written by get */
};

/*
 * tmem_put_many, tmem_get_many - put or get @count pages of one pool.
 *
 * The same as @count single calls, in order, but cheaper: each entry's `result` receives what the
 * single call would have answered. Two entries may name one handle.
 *
 * Results: TMEM_OK (every entry has its own result), TMEM_INVALID (@flags or @mode; nothing was done),
 * TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_put_many(struct tmem_pool *pool, struct tmem_io *io, size_t count,
                                                      uint32_t flags);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_get_many(struct tmem_pool *pool, struct tmem_io *io, size_t count,
                                                      enum tmem_get_mode mode);

/* ------------------------------------------------- stored form, and walks */

enum tmem_codec {
    TMEM_CODEC_SAME = 1, /* one 64-bit word, repeated */
    TMEM_CODEC_RAW = 2,
    TMEM_CODEC_LZ4 = 3,
    TMEM_CODEC_ZSTD = 4,
    TMEM_CODEC_LZO = 5,
};

/* A page as the store holds it, to be moved elsewhere without being compressed again. */
struct tmem_stored {
    uint32_t codec; /* enum tmem_codec */
    uint32_t size_bytes;
    uint64_t check; /* checksum of codec, size and bytes, so that a transfer can be verified */
    unsigned char bytes[TMEM_STORED_MAX];
};

/*
 * tmem_get_stored - take out a page in its stored form. Inclusive: the page stays.
 *
 * Results: as tmem_get().
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_get_stored(struct tmem_pool *pool,
                                                        const struct tmem_object_id *object, uint32_t index,
                                                        struct tmem_stored *stored);

/*
 * tmem_put_stored - store a page that is in stored form already.
 *
 * @stored is not trusted: it is copied, its checksum compared and its bytes decoded once before
 * anything changes; one that does not decode to a page is TMEM_INVALID, and the older page stays.
 *
 * Results: as tmem_put(), and TMEM_UNSUPPORTED (a codec this build lacks).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_put_stored(struct tmem_pool *pool,
                                                        const struct tmem_object_id *object, uint32_t index,
                                                        const struct tmem_stored *stored, uint32_t flags);

/* The handle of a page that a walk found. */
struct tmem_key {
    struct tmem_object_id object;
    uint32_t index;
    uint32_t reserved;
};

/* Where a walk stands. Start with TMEM_CURSOR_INIT; the content is the library's. */
struct tmem_cursor {
    uint64_t position[4];
};

#define TMEM_CURSOR_INIT   \
    {                      \
        {                  \
            0u, 0u, 0u, 0u \
        }                  \
    }

/*
 * tmem_walk - list the handles of a pool's pages, in bounded steps.
 *
 * Writes at most @capacity handles to @keys and their number to @count, and moves @cursor on. A page
 * present from the first step to the last is listed at least once, and may be listed twice when
 * the store grew meanwhile; one that comes or goes may or may not be. A step may yield no keys
 * before the end; the walk is over at TMEM_MISS.
 *
 * @capacity  at least 64.
 *
 * Results: TMEM_OK (@count keys, go on), TMEM_MISS (the end, *count is 0), TMEM_INVALID,
 * TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_walk(struct tmem_pool *pool, struct tmem_cursor *cursor,
                                                  struct tmem_key *keys, size_t capacity, size_t *count);

/* ------------------------------------------------------------- statistics */

/* Counters of a pool, or of all pools of a client. Counts since its creation unless marked "now". */
struct tmem_counters {
    uint64_t pages;            /* now */
    uint64_t pages_max;        /* most there ever were, but for a few dozen for each CPU */
    uint64_t objects;          /* now */
    uint64_t puts;             /* asked for */
    uint64_t puts_stored;      /* answered TMEM_OK */
    uint64_t puts_replaced;    /* of them, over an older page */
    uint64_t puts_refused;     /* TMEM_REFUSED, TMEM_KEPT, TMEM_NOMEM */
    uint64_t puts_dropped_old; /* of them, an older page went */
    uint64_t gets;             /* asked for */
    uint64_t gets_found;       /* answered TMEM_OK */
    uint64_t gets_corrupt;     /* failed the check (ephemeral: dropped, a miss) */
    uint64_t invalidates;      /* page invalidations asked for */
    uint64_t invalidates_found;
    uint64_t object_invalidates;
    uint64_t object_invalidates_found;
    uint64_t evicted;     /* pages the store dropped */
    uint64_t same_filled; /* now: pages that are one repeated word */
    uint64_t reserved[7];
};

struct tmem_pool_stats {
    uint64_t id;
    uint32_t flags; /* enum tmem_pool_flags */
    uint32_t members;
    struct tmem_uuid uuid;
    struct tmem_counters counters;
};

struct tmem_client_stats {
    char name[TMEM_CLIENT_NAME_SIZE];
    uint32_t weight;
    uint32_t frozen;
    uint64_t cap_bytes;
    uint64_t charged_bytes;     /* now; never above the cap */
    uint64_t charged_max_bytes; /* most there ever was */
    uint64_t pools;
    uint64_t evicted_for_others; /* pages this client lost when another needed room */
    struct tmem_counters counters;
    uint64_t uncompressed; /* 1: its pages are stored as they are, see tmem_client_set_compress() */
    uint64_t reserved[7];
};

#define TMEM_CODECS 8u

struct tmem_store_stats {
    uint64_t size_bytes;     /* the limit */
    uint64_t resident_bytes; /* now: spans and all metadata */
    uint64_t metadata_bytes; /* of them: records, index, tables, workers */
    uint64_t stored_bytes;   /* pages x TMEM_PAGE_SIZE */
    uint64_t block_bytes;    /* bytes of live blocks, headers and rounding included */
    uint64_t dead_bytes;     /* bytes of segments in use that no block needs any more */
    uint64_t pages;          /* handles that answer a get */
    uint64_t pages_same;     /* of them: one repeated word */
    uint64_t pages_raw;
    uint64_t pages_compressed;
    uint64_t pages_deduplicated; /* of them: share the bytes of another */
    uint64_t contents_shared;    /* distinct contents that several pages share */
    uint64_t clients;
    uint64_t pools;
    uint64_t objects;
    uint64_t evicted_pages;
    uint64_t evicted_segments;
    uint64_t refused_admissions; /* pages that made room rather than stay: not worth a better one */
    uint64_t cleaned_segments;
    uint64_t cleaned_bytes;  /* bytes copied by cleaning */
    uint64_t returned_bytes; /* given back to the host, ever */
    uint64_t corrupt_pages;
    uint64_t spans; /* now */
    uint64_t span_bytes;
    /* Now: memory in which pages wait to be compressed, as far as it is full; see defer=. */
    uint64_t deferred_bytes;
    uint64_t pages_cold;         /* now: contents coded anew, since nobody asked for them */
    uint64_t cold_bytes;         /* now: of their blocks */
    uint64_t recompressed_pages; /* coded anew, ever */
    uint64_t recompressed_saved_bytes;
    uint64_t promoted_pages; /* of them, coded as they were before, since somebody asked for them, ever */
    uint64_t cold_ns;        /* time spent on both, ever */
    uint64_t reserved[1];
    uint64_t codec_pages[TMEM_CODECS]; /* now: contents that have bytes, by enum tmem_codec, */
    uint64_t codec_bytes[TMEM_CODECS]; /* and these bytes, headers and rounding included */
};

/*
 * tmem_store_stats, tmem_client_stats, tmem_pool_stats - copy the statistics.
 *
 * @out_bytes  sizeof *out as the caller was compiled; a newer library fills that much.
 *
 * The counters are exact for what happened before the call; what overlaps it may be counted in
 * part. Over unix: the store's are those of this handle's clients together, as far as a client may
 * know them, beside the store's size; the rest is 0. Results: TMEM_OK, TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_stats(struct tmem_store *store, struct tmem_store_stats *out,
                                                         size_t out_bytes);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_stats(struct tmem_client *client,
                                                          struct tmem_client_stats *out, size_t out_bytes);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_pool_stats(struct tmem_pool *pool, struct tmem_pool_stats *out,
                                                        size_t out_bytes);

#ifdef __cplusplus
}
#endif

#endif
