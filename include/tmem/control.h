/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - what an operator does to a store: weights, caps, freezing, authorisation, its size.
 *
 * Nothing on the data path (tmem.h) can do what these calls do. The words are those of tmem.h.
 *
 * A store that was opened as `unix:` answers those of stores and clients with TMEM_UNSUPPORTED, since what its clients
 * may do is in the daemon's configuration; only tmem_store_clients() and tmem_client_pools() work, and list what this
 * handle made. What an operator does to a daemon's store goes through a socket of its own: tmem_daemon_open().
 *
 * Threads: every call may overlap every other, and every call of tmem.h, but for the end of the
 * client or the store that it is given.
 */
#ifndef TMEM_CONTROL_H
#define TMEM_CONTROL_H

#include <tmem/tmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits of what tmem_client_set_weight() takes. */
#define TMEM_WEIGHT_MIN 1u
#define TMEM_WEIGHT_MAX 1000000u

/*
 * tmem_client_set_weight - set the client's share of the store for when memory is short: weight
 * divided by the sum of the weights. Pages move only when memory is needed next.
 *
 * Results: TMEM_OK, TMEM_INVALID (out of range), TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_set_weight(struct tmem_client *client, uint32_t weight);

/*
 * tmem_client_set_cap - set the most that may be charged to the client.
 *
 * Ephemeral pages above a lower cap are dropped before the call returns. Persistent pages stay, and
 * puts that need more bytes are refused until the charge is below the cap.
 *
 * Results: TMEM_OK, TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_set_cap(struct tmem_client *client, uint64_t cap_bytes);

/*
 * tmem_client_set_compress - whether the client's pages are compressed from now on, as they are at first; those that
 * are there stay as they are. Equal pages are kept once, and pages of one repeated word take nothing, all the same;
 * and what becomes cold is coded where the store does that (tmem_store_set_cold()).
 *
 * Results: TMEM_OK, TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_set_compress(struct tmem_client *client, bool compress);

/*
 * tmem_client_freeze, tmem_client_thaw - a frozen client's puts are refused (a plain put still
 * removes the older page); its gets and invalidations work. Both are idempotent.
 *
 * Results: TMEM_OK, TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_freeze(struct tmem_client *client);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_thaw(struct tmem_client *client);

/*
 * tmem_client_authorise, tmem_client_deauthorise - let the client join the shared pool of this
 * name, or no longer. A member that loses the right stays a member until it leaves.
 *
 * Results: TMEM_OK, TMEM_INVALID (no uuid), TMEM_NOT_FOUND (deauthorise: had no such right),
 * TMEM_NOMEM, TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_authorise(struct tmem_client *client,
                                                              const struct tmem_uuid *uuid);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_deauthorise(struct tmem_client *client,
                                                                const struct tmem_uuid *uuid);

/*
 * tmem_store_set_size - change the limit on resident bytes while the store is in use.
 *
 * Shrinking drops ephemeral pages by weight, then by value, cleans, and gives whole spans back
 * before it returns. Where persistent pages need more than the new size, TMEM_REFUSED: the size is
 * set all the same, nothing persistent is lost, and puts are refused until there is room.
 *
 * @size_bytes  at least 16 MiB.
 *
 * Results: TMEM_OK, TMEM_REFUSED, TMEM_INVALID (too small, or more than the machine has; nothing
 * changed), TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_set_size(struct tmem_store *store, uint64_t size_bytes);

/*
 * tmem_store_reclaim - give @bytes back to the host now: first what is dead, then ephemeral pages
 * by weight and value. The size stays, so the store may grow again.
 *
 * @returned_bytes  receives what the host got back; less than asked when there was no more.
 *
 * Results: TMEM_OK, TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_reclaim(struct tmem_store *store, uint64_t bytes,
                                                           uint64_t *returned_bytes);

/*
 * tmem_client_reclaim - take @bytes of its charge from a client: ephemeral pages, by value. What they took is room for
 * others; tmem_store_reclaim() gives it back to the host.
 *
 * @released_bytes  receives what the charge went down by: less than asked when there were no more such pages, more by
 *                  up to what is dropped together, a segment.
 *
 * Results: TMEM_OK, TMEM_UNSUPPORTED (over a connection), TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_reclaim(struct tmem_client *client, uint64_t bytes,
                                                            uint64_t *released_bytes);

/*
 * tmem_store_freeable - bytes that tmem_store_reclaim() could give back, an estimate from below.
 *
 * Results: TMEM_OK, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_freeable(struct tmem_store *store, uint64_t *bytes);

/* The most that tmem_store_set_cold() takes for an age. */
#define TMEM_COLD_AGE_MAX 1000000u

/*
 * tmem_store_set_cold - let the store's own thread make cold pages smaller: by a slower codec, while a CPU has nothing
 * else to do. Gets find them as ever, only slower; what is asked for more than once becomes as fast as it was.
 *
 * The thread stops within a millisecond when all CPUs are busy, and goes on when one is idle. With maintenance=none
 * nothing happens but by tmem_store_recompress().
 *
 * @cpu_percent  most of one CPU's time to spend, 0 ... 100; 0 ends it. What is cold by then stays so.
 * @age_seconds  a page becomes cold when nobody has asked for it for so long, twice that at most; up to
 *               TMEM_COLD_AGE_MAX.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_UNSUPPORTED (the store's codec is as small already: zstd), TMEM_NOMEM,
 * TMEM_DENIED, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_set_cold(struct tmem_store *store, uint32_t cpu_percent,
                                                            uint32_t age_seconds);

/*
 * tmem_store_recompress - make all pages smaller now that nobody asked for since the last time or, the first time,
 * ever; whatever the settings of tmem_store_set_cold() are, and however busy the CPUs. Some of those that were asked
 * for more than once since they became cold are as fast as before when it returns.
 *
 * @pages  receives the number of contents that were coded anew.
 *
 * It takes about 50 us for a page. Other calls may overlap.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_UNSUPPORTED and TMEM_NOMEM as tmem_store_set_cold(), TMEM_DENIED,
 * TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_recompress(struct tmem_store *store, uint64_t *pages);

/*
 * tmem_store_clients - the names of the clients, in bounded steps.
 *
 * @after     NULL or "" to begin, then the last name received.
 * @names     receives at most @capacity names, in byte order, each greater than @after.
 * @count     receives their number; 0 at the end.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_clients(struct tmem_store *store, const char *after,
                                                           char (*names)[TMEM_CLIENT_NAME_SIZE],
                                                           size_t capacity, size_t *count);

/*
 * tmem_client_pools - the ids of the client's pools, ascending, each greater than @after.
 *
 * Results: TMEM_OK (*count ids, 0 at the end), TMEM_INVALID, TMEM_UNAVAILABLE.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_pools(struct tmem_client *client, uint64_t after,
                                                          uint64_t *ids, size_t capacity, size_t *count);

/* Why pages were evicted. */
enum tmem_eviction {
    TMEM_EVICTED_AHEAD = 0,   /* some with each put of whoever is furthest above its share, shortly before the store is
                                 full; also what went with a content that pages shared */
    TMEM_EVICTED_ROOM = 1,    /* a put needed room, and the store was full */
    TMEM_EVICTED_CAP = 2,     /* a client reached its cap, or the cap was lowered */
    TMEM_EVICTED_SIZE = 3,    /* the store was made smaller */
    TMEM_EVICTED_RECLAIM = 4, /* tmem_store_reclaim() */
    TMEM_EVICTION_COUNT
};

/* Why puts were refused. */
enum tmem_refusal {
    TMEM_REFUSAL_FROZEN = 0,
    TMEM_REFUSAL_CAP = 1,
    TMEM_REFUSAL_ROOM = 2,   /* the store is full of what may not be evicted */
    TMEM_REFUSAL_MEMORY = 3, /* there was none for records */
    TMEM_REFUSAL_COUNT
};

/*
 * What was counted for a client or a store since it is there, by kind of pool, pools that have ended included (of
 * shared ones, in a client's ledger, only those that it is a member of). pages, objects and same_filled are of now.
 */
struct tmem_ledger {
    struct tmem_counters ephemeral;
    struct tmem_counters persistent;
    uint64_t evicted[8]; /* pages, by enum tmem_eviction */
    uint64_t refused[8]; /* puts, by enum tmem_refusal */
};

/*
 * tmem_store_ledger, tmem_client_ledger - copy it. @out_bytes as of tmem_store_stats().
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_UNSUPPORTED (over a connection).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_ledger(struct tmem_store *store, struct tmem_ledger *out,
                                                          size_t out_bytes);
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_ledger(struct tmem_client *client, struct tmem_ledger *out,
                                                           size_t out_bytes);

/* Whoever's puts took room from a client that was above its share. */
struct tmem_evictor {
    char name[TMEM_CLIENT_NAME_SIZE]; /* empty: all the others together */
    uint64_t pages;
};

/* Rows that are enough for tmem_client_evictors(). */
#define TMEM_EVICTORS_MAX 9u

/*
 * tmem_client_evictors - for whose puts this client has lost pages, ever: a few of those for whom it lost most, by
 * name (also when they are gone), and the rest together. The sum is evicted_for_others of its statistics.
 *
 * @rows  at least TMEM_EVICTORS_MAX; *count receives their number.
 *
 * Results: TMEM_OK, TMEM_INVALID, TMEM_UNSUPPORTED (over a connection).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_evictors(struct tmem_client *client, struct tmem_evictor *rows,
                                                             size_t *count);

/*
 * tmem_client_next_pool - the statistics of the client's pool with the smallest id above @after (0 to begin).
 *
 * Unlike tmem_pool_open() and tmem_pool_stats() it may overlap the end of that pool.
 *
 * Results: TMEM_OK, TMEM_MISS (no more), TMEM_INVALID, TMEM_UNSUPPORTED (over a connection).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_client_next_pool(struct tmem_client *client, uint64_t after,
                                                              struct tmem_pool_stats *out, size_t out_bytes);

/*
 * tmem_store_check - walk every structure of the store and balance the books between them.
 *
 * No other call may be under way. A broken invariant is a bug of the library: the process is aborted with the
 * invariant and its place. For tests and for support; it takes time.
 *
 * Results: TMEM_OK, TMEM_UNSUPPORTED (over a connection).
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_store_check(struct tmem_store *store);

/* ----------------------------------------------------------------- daemon */

/*
 * A connection to the control socket of tmemd. One line of JSON asks, lines of JSON answer, the last of which begins
 * with `{"result":`; docs/control-protocol.md says what there is to ask. A handle is used by one thread at a time.
 */
struct tmem_daemon;

/*
 * tmem_daemon_open - connect to a daemon's control socket.
 *
 * @path    NULL: of the user's own daemon, $XDG_RUNTIME_DIR/tmem/control.sock, where somebody listens there and the
 *          user is not root; else of the system's, /run/tmem/control.sock.
 * @daemon  receives it on TMEM_OK; ended by tmem_daemon_close().
 * @error   where not NULL, receives a text on every result but TMEM_OK.
 *
 * Results: TMEM_OK, TMEM_INVALID (the path is too long), TMEM_UNAVAILABLE (nobody listens there), TMEM_DENIED (not
 * allowed to connect there), TMEM_NOMEM.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_daemon_open(const char *path, struct tmem_daemon **daemon,
                                                         struct tmem_error *error);

/* Most descriptors that go along with a line, and the longest line that asks, its end included. */
#define TMEM_DAEMON_DESCRIPTORS 8u
#define TMEM_DAEMON_LINE_BYTES 65536u

/*
 * tmem_daemon_ask - send a line, and wait for the first line of its answer.
 *
 * The lines of an earlier answer were read to the last one.
 *
 * @request      an object of JSON in one line, without its end.
 * @descriptors  go along; they stay the caller's. NULL where @descriptor_count is 0.
 * @answer       receives the line, without its end; valid until the next call with this handle.
 *
 * Results: TMEM_OK (there is an answer, which says what the daemon thinks of it), TMEM_INVALID (too long, several
 * lines, too many descriptors or one that is not open; nothing was sent), TMEM_UNAVAILABLE (the daemon hung up),
 * TMEM_NOMEM.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_daemon_ask(struct tmem_daemon *daemon, const char *request,
                                                        const int *descriptors, size_t descriptor_count,
                                                        const char **answer);

/*
 * tmem_daemon_next - the next line of an answer that has several.
 *
 * @timeout_ms  how long to wait for it; -1: for ever.
 *
 * Results: TMEM_OK, TMEM_MISS (none came in this time), TMEM_UNAVAILABLE, TMEM_NOMEM.
 */
TMEM_API TMEM_MUST_USE enum tmem_result tmem_daemon_next(struct tmem_daemon *daemon, int timeout_ms,
                                                         const char **line);

/* tmem_daemon_close - hang up. What was asked for may go on. NULL is legal. */
TMEM_API void tmem_daemon_close(struct tmem_daemon *daemon);

#ifdef __cplusplus
}
#endif

#endif
