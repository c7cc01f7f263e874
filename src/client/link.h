/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - one connection to the daemon: requests over the ring in shared memory, rare questions over the socket.
 *
 * A thread takes one or more *places*, each with a page in shared memory, writes requests for them, waits for their
 * answers and gives the places back. Any number of threads do so at the same time, and answers come in any order: a
 * request carries a tag, of which a part is its place and the rest says which use of the place it is; answers with
 * other tags are ignored. Of those who wait one, the *reaper*, looks after the ring of answers: it looks again and
 * again for about as long as being woken takes, as long as that has paid lately, then sleeps until the daemon wakes it
 * or is gone. The others sleep until it tells them.
 *
 * Invariants: what the daemon can write is copied once and then judged. There are no more places than entries of a
 * ring, so neither ring is ever full. Who holds a place holds up the end of the link: memory is unmapped only when
 * who closes the link holds all of them, and while it is closed nobody gets one. A link that is broken (the daemon
 * hung up, or does not keep to the format) stays so until it is closed; answers that were written before are still
 * taken.
 *
 * Who locks: `free` is the places that nobody holds, a bit for each, and taking and giving back is one atomic operation
 * on it; `sending` guards the ring of requests; whoever exchanges `has_reaper` from 0 to 1 has the ring of answers. A
 * place belongs to who took it but for `answer` while it is under way, which is the reaper's. `lock` guards who sleeps
 * and changes of `state`; who makes something true that somebody may sleep for looks, after a full fence, at the count
 * of those who do, and who sleeps counts himself first. `asking` lets one question be asked at a time. None is held
 * over a copy of a page; `asking` is, over a system call.
 * Cost: a request takes one lock and three atomic operations. Daemon and client awake: no system call.
 */
#ifndef TM_LINK_H
#define TM_LINK_H

#include <pthread.h>

#include <tmem/tmem.h>

#include "wire/message.h"
#include "wire/ring.h"

#define TM_LINK_PATH_BYTES 108u /* of a socket's path, the NUL included */
#define TM_LINK_PLACES_MAX 64u  /* bits of a word */
#define TM_LINK_SPIN_CREDIT_FIRST 4u

enum tm_link_state {
    TM_LINK_CLOSED,    /* there is none; nobody holds anything of it */
    TM_LINK_RESTORING, /* open, for whoever opened it only */
    TM_LINK_OPEN,
    TM_LINK_BROKEN, /* to be closed as soon as nobody uses it */
};

enum tm_link_place_state {
    TM_LINK_IDLE,
    TM_LINK_UNDER_WAY, /* a request was sent */
    TM_LINK_ANSWERED,
};

/* One request under way. */
struct tm_link_place {
    tm_atomic64 tag; /* atomic, as is the next */
    uint32_t state;  /* enum tm_link_place_state */
    bool has_sleeper;
    struct tm_wire_answer answer;
    pthread_cond_t answered;
};

/* A result beside those of the format: the daemon says that the client is with another one. */
#define TM_LINK_MOVED TM_WIRE_RESULT_COUNT

struct tm_link {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a place came back, or the state is another */
    pthread_mutex_t asking;
    uint32_t state;    /* enum tm_link_state, atomic */
    uint32_t in_use;   /* threads that ask */
    uint32_t waiting;  /* atomic: threads that wait for `changed` on account of places */
    uint32_t sleepers; /* atomic: threads that wait for the reaper */

    int socket, wake, woken; /* the daemon's eventfd, and this end's */
    unsigned char *memory;
    struct tm_wire_places where;
    uint32_t features;
    uint16_t version;
    bool may_spin;
    uint32_t questions;                /* asked so far */
    char moved_to[TM_WIRE_PATH_BYTES]; /* after TM_LINK_MOVED */

    struct tm_link_place *places;
    uint32_t place_count;
    tm_atomic64 free; /* atomic; none unless memory is mapped */

    pthread_mutex_t sending;
    struct tm_ring requests;

    uint32_t has_reaper; /* atomic: 0 or 1; the rest is the reaper's */
    struct tm_ring answers;
    unsigned spin_credit;
    unsigned sleeps;       /* since it last spun, */
    uint64_t tried_ns;     /* at this time */
    uint64_t throng_at_ns; /* it lets others go first from then on, should many be there */
};

bool tm_link_init(struct tm_link *link);
/* The link is closed. */
void tm_link_fini(struct tm_link *link);

/*
 * tm_link_open - connect, say hello, and map what the daemon gives.
 *
 * @path        of the daemon's socket.
 * @hello       with all wishes filled in; its head is written here.
 * @wait_ms     how long the daemon may take.
 * @welcome     receives the answer on TMEM_OK.
 * @error       where not NULL, why not.
 *
 * On TMEM_OK the link is TM_LINK_RESTORING: tm_link_publish() opens it to all. Otherwise it is still closed.
 * Results: TMEM_OK, TMEM_UNAVAILABLE, TMEM_NOMEM, or what the daemon refused it with.
 */
enum tm_wire_result tm_link_open(struct tm_link *link, const char *path, const struct tm_wire_hello *hello,
                                 unsigned wait_ms, struct tm_wire_welcome *welcome, struct tmem_error *error);

/*
 * A socket of SOCK_... @type that is connected to one at @path, which fits, and that never blocks; waits as long for a
 * daemon that is too busy to let anybody in. -1: errno says why, and tm_link_cannot_connect() says it to people.
 */
int tm_link_connect(const char *path, int type, unsigned wait_ms);
enum tm_wire_result tm_link_cannot_connect(const char *path, struct tmem_error *error);

/*
 * Waits for POLL... @events of the socket until tm_link_now_ms() is @end_ms; UINT64_MAX: for ever. False: it took too
 * long, or failed. A hang-up counts as ready: the call that follows sees it.
 */
bool tm_link_is_ready(int socket, short events, uint64_t end_ms);

/* Tries the socket of a daemon, without saying hello. */
enum tm_wire_result tm_link_try(const char *path, unsigned wait_ms, struct tmem_error *error);

void tm_link_publish(struct tm_link *link);

/* Makes a link broken that is not closed: whoever waits gets no answer any more. */
void tm_link_break(struct tm_link *link);

/* Waits until nobody uses it, and closes a link that is broken, or closed already. */
void tm_link_close(struct tm_link *link);

bool tm_link_is_open(struct tm_link *link);

/* Whether there is still a daemon at the other end. One who hung up on an open link that nobody uses makes it broken
 * here; whoever uses it finds out himself, after the answers that are there. */
enum tm_link_health {
    TM_LINK_FINE,
    TM_LINK_LOST_IN_USE,
    TM_LINK_LOST
};
enum tm_link_health tm_link_health(struct tm_link *link);

/* enum tm_wire_feature, those agreed on; none while it is not open. */
uint32_t tm_link_features(struct tm_link *link);

/*
 * tm_link_forget - in a forked child: close its copies of the descriptors, so that the daemon sees when the parent
 * ends. Locks nothing, since whoever held a lock when the child began is not there.
 */
void tm_link_forget(struct tm_link *link);

/* ---- requests: link_ring.c ---- */

/*
 * Takes up to @wanted places (at least 1), waiting until there is one; returns how many. 0: the link is not open; with
 * @is_restoring, not restoring.
 */
uint32_t tm_link_take(struct tm_link *link, uint32_t wanted, uint32_t *places, bool is_restoring);

/* The page of a place that was taken: shared memory, which the daemon may write at any time. */
static inline unsigned char *tm_link_page(const struct tm_link *link, uint32_t place)
{
    return link->memory + link->where.slots + (size_t)place * TM_PAGE_BYTES;
}

/*
 * Sends a request for each of the places; the tag is filled in here, and where the page is unless it is in a region.
 * @has_page: of all or none.
 */
void tm_link_send(struct tm_link *link, const uint32_t *places, struct tm_wire_request *requests, uint32_t count,
                  bool has_page);

/* Whether sending wakes the daemon; a guess, since that may change at any time. */
static inline bool tm_link_daemon_sleeps(const struct tm_link *link)
{
    const struct tm_wire_head *head = (const struct tm_wire_head *)(const void *)link->memory;
    return tm_load_relaxed(&head->daemon.sleeps) != 0;
}

/* Waits for the answer to what was sent for a place. False: there will be none, and nothing is known. */
bool tm_link_wait(struct tm_link *link, uint32_t place, struct tm_wire_answer *answer);

void tm_link_give_back(struct tm_link *link, const uint32_t *places, uint32_t count);

/* ---- questions: link_ask.c ---- */

/*
 * tm_link_ask - send a message and wait for its answer, of kind @expected or TM_WIRE_FAILED.
 *
 * @question    all but the head's number is filled in.
 * @descriptor  one that belongs to it, which stays the caller's, or -1.
 * @answer    receives what was answered, judged; may be @question.
 *
 * TM_WIRE_OK: it is of kind @expected; TM_WIRE_UNAVAILABLE: there is no answer; else the daemon's refusal.
 */
enum tm_wire_result tm_link_ask(struct tm_link *link, union tm_wire_any *question, int descriptor,
                                enum tm_wire_kind expected, union tm_wire_any *answer, bool is_restoring);

/* What link.c needs for the first question. @wait_ms -1: no limit. Descriptors that come along are the caller's. */
enum tm_wire_result tm_link_exchange(int socket, const union tm_wire_any *question, int descriptor,
                                     enum tm_wire_kind expected, union tm_wire_any *answer, int *descriptors,
                                     int wait_ms);

uint64_t tm_link_now_ms(void);

#endif
