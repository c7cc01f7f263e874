/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.h - what a client and the daemon share: rings and page slots in one piece of memory, and messages on a
 * socket. docs/wire-format.md has the same as byte tables.
 *
 * Both ends are on one machine, so numbers are in its byte order. Sizes and places are the same for 32-bit and 64-bit
 * programs: every field is as wide as its name says and lies at a multiple of its width, with no holes.
 *
 * Nothing in memory that the other end can write is used where it lies: ring.h copies, request.h and message.h judge
 * the copy.
 */
#ifndef TM_WIRE_LAYOUT_H
#define TM_WIRE_LAYOUT_H

#include "base/atomic.h"
#include "base/base.h"

/* Versions of this format that this build speaks. Any change of a table makes a new one: see "Versions" there. */
#define TM_WIRE_VERSION_MIN 1u
#define TM_WIRE_VERSION_MAX 1u

/* Both ends name the features they know; what both name is used. None is needed to speak version 1. */
enum tm_wire_feature {
    TM_WIRE_STORED_PAGES = 1u << 0, /* TM_WIRE_GET_STORED, TM_WIRE_PUT_STORED */
    TM_WIRE_REGIONS = 1u << 1,      /* memory of the client's own: TM_WIRE_REGISTER */
    TM_WIRE_MOVES = 1u << 2,        /* TM_WIRE_MOVED, TM_WIRE_POOL_FORMER */
    TM_WIRE_CLAIMS = 1u << 3,       /* a hello with a token and no name is for whose token it is; TM_WIRE_POOL_NEXT */
    TM_WIRE_FEATURES = TM_WIRE_STORED_PAGES | TM_WIRE_REGIONS | TM_WIRE_MOVES | TM_WIRE_CLAIMS,
};

/* Limits of any ring. Entries are powers of two. */
#define TM_WIRE_ENTRIES_MIN 16u
#define TM_WIRE_ENTRIES_MAX 4096u
#define TM_WIRE_SLOTS_MIN 16u
#define TM_WIRE_SLOTS_MAX 4096u
#define TM_WIRE_REGIONS_MAX 16u
#define TM_WIRE_REGION_BYTES_MAX (UINT64_C(1) << 46)

/* ---- requests and answers ---- */

enum tm_wire_operation {
    TM_WIRE_PUT = 1,
    TM_WIRE_GET = 2,
    TM_WIRE_INVALIDATE_PAGE = 3,
    TM_WIRE_INVALIDATE_OBJECT = 4,
    TM_WIRE_POOL_CREATE = 5,
    TM_WIRE_POOL_DESTROY = 6,
    TM_WIRE_PUT_STORED = 7, /* a page in stored form: docs/wire-format.md, "Stored pages" */
    TM_WIRE_GET_STORED = 8,
    TM_WIRE_OPERATION_COUNT
};

/* Of a put. */
enum tm_wire_put_flags {
    TM_WIRE_PUT_PLAIN = 0,
    TM_WIRE_PUT_KEEP = 1,
};

/* Of a get. */
enum tm_wire_get_mode {
    TM_WIRE_GET_DEFAULT = 0,
    TM_WIRE_GET_EXCLUSIVE = 1,
    TM_WIRE_GET_INCLUSIVE = 2,
};

/* Of a pool that is made, in `index`. */
enum tm_wire_pool_flags {
    TM_WIRE_POOL_PERSISTENT = 1u << 0,
    TM_WIRE_POOL_SHARED = 1u << 1,
};

/* What became of a request: the numbers of enum tmem_result. */
enum tm_wire_result {
    TM_WIRE_OK = 0,
    TM_WIRE_MISS = 1,
    TM_WIRE_REFUSED = 2,
    TM_WIRE_KEPT = 3,
    TM_WIRE_NOMEM = 4,
    TM_WIRE_CORRUPT = 5,
    TM_WIRE_INVALID = 6,
    TM_WIRE_NOT_FOUND = 7,
    TM_WIRE_EXISTS = 8,
    TM_WIRE_DENIED = 9,
    TM_WIRE_UNSUPPORTED = 10,
    TM_WIRE_UNAVAILABLE = 11,
    TM_WIRE_RESULT_COUNT
};

/* A request, one entry of the submission ring. What an operation does not use is 0. */
struct tm_wire_request {
    uint8_t operation;  /* enum tm_wire_operation */
    uint8_t flags;      /* enum tm_wire_put_flags, enum tm_wire_get_mode */
    uint16_t region;    /* where the page is: 0 the slots, else memory that the client registered */
    uint32_t index;     /* the page's number in its object; enum tm_wire_pool_flags */
    uint64_t tag;       /* any value; comes back with the answer */
    uint64_t pool;      /* the pool's id */
    uint64_t object[3]; /* the object's id; of a shared pool that is made, its uuid in the first two */
    uint64_t place;     /* of the page: bytes from the beginning of the slots or the region */
    uint64_t stored;    /* TM_WIRE_PUT_STORED: codec in the low half, size in the high one */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_request) == 64);
TM_STATIC_ASSERT(offsetof(struct tm_wire_request, tag) == 8);
TM_STATIC_ASSERT(offsetof(struct tm_wire_request, object) == 24);
TM_STATIC_ASSERT(offsetof(struct tm_wire_request, place) == 48);

/* An answer, one entry of the completion ring. Answers come in any order. */
struct tm_wire_answer {
    uint64_t tag;    /* the request's */
    uint32_t result; /* enum tm_wire_result */
    uint32_t zero;
    uint64_t value; /* TM_WIRE_POOL_CREATE: the pool's id; TM_WIRE_GET_STORED: as `stored` of a request */
    uint64_t check; /* TM_WIRE_GET_STORED: the stored form's checksum */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_answer) == 32);
TM_STATIC_ASSERT(offsetof(struct tm_wire_answer, value) == 16);

/* ---- shared memory ---- */

/* A ring's place that one end moves on, alone in its cache line. Counts up for ever and wraps; modulo the entries it is
 * an entry's number. */
struct tm_wire_place {
    uint32_t count; /* atomic */
    uint32_t zero[15];
};

/* What the daemon says of who wants the CPUs. */
enum tm_wire_crowded {
    TM_WIRE_ROOM = 0,
    TM_WIRE_CROWDED = 1, /* who looks again and again keeps others from working: sleep at once */
    TM_WIRE_THRONG = 2,  /* and so many are at it that who only lets the others go first is served meanwhile */
};

/* That one end is about to sleep, and wants to be woken through its eventfd. */
struct tm_wire_sleep {
    uint32_t sleeps;  /* atomic: 0 or 1 */
    uint32_t crowded; /* atomic; the daemon's only: enum tm_wire_crowded */
    uint32_t zero[14];
};

/*
 * The first page. Then the submission ring, the completion ring and the page slots, each at a page boundary: see
 * tm_wire_places().
 */
struct tm_wire_head {
    struct tm_wire_place submitted; /* requests written; the client's */
    struct tm_wire_place accepted;  /* requests copied; the daemon's */
    struct tm_wire_place answered;  /* answers written; the daemon's */
    struct tm_wire_place seen;      /* answers copied; the client's */
    struct tm_wire_sleep daemon;    /* the daemon's */
    struct tm_wire_sleep client;    /* the client's */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_head) == 384);
TM_STATIC_ASSERT(sizeof(struct tm_wire_head) <= TM_PAGE_BYTES);

/* How many of each: agreed on when the connection is made, and never read from shared memory. */
struct tm_wire_sizes {
    uint32_t entries; /* of either ring; also the most requests under way */
    uint32_t slots;   /* pages */
};

/* Where they lie, in bytes from the beginning. */
struct tm_wire_places {
    uint64_t requests;
    uint64_t answers;
    uint64_t slots;
    uint64_t bytes; /* of all of it */
};

/* True when the sizes are within the limits. */
static inline bool tm_wire_sizes_are_valid(const struct tm_wire_sizes *sizes)
{
    return sizes->entries >= TM_WIRE_ENTRIES_MIN && sizes->entries <= TM_WIRE_ENTRIES_MAX &&
           tm_is_power_of_two(sizes->entries) && sizes->slots >= TM_WIRE_SLOTS_MIN &&
           sizes->slots <= TM_WIRE_SLOTS_MAX;
}

/* Places for sizes that are valid. */
static inline struct tm_wire_places tm_wire_places(const struct tm_wire_sizes *sizes)
{
    struct tm_wire_places places;
    uint64_t requests = (uint64_t)sizes->entries * sizeof(struct tm_wire_request);
    uint64_t answers = (uint64_t)sizes->entries * sizeof(struct tm_wire_answer);
    places.requests = TM_PAGE_BYTES;
    places.answers = tm_round_up(places.requests + requests, TM_PAGE_BYTES);
    places.slots = tm_round_up(places.answers + answers, TM_PAGE_BYTES);
    places.bytes = places.slots + (uint64_t)sizes->slots * TM_PAGE_BYTES;
    return places;
}

#endif
