/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one connection: from its first message over shared memory and rings to its end.
 *
 * A session waits for TM_WIRE_HELLO; what is right makes it a tenant's, with memory of its own, and it is served. A
 * bad message, a broken ring or a hang-up ends it.
 *
 * Awake and asleep: the worker looks at the rings of sessions that are awake again and again. One that stays idle for
 * as long as it is worth (spin_ns, which learns) falls asleep: it says so in shared memory, and its eventfd wakes the
 * worker.
 *
 * Who locks: nobody: a session belongs to one worker's thread.
 */
#ifndef TM_DAEMON_SESSION_H
#define TM_DAEMON_SESSION_H

#include "client/client.h"
#include "daemon/tenant.h"
#include "wire/request.h"
#include "wire/ring.h"

/* Most requests of one session at a time, and messages. */
#define TM_SESSION_TURN 32u
#define TM_SESSION_QUESTIONS 4u

enum tm_session_state {
    TM_SESSION_NEW, /* before TM_WIRE_HELLO */
    TM_SESSION_SERVED,
    TM_SESSION_OVER, /* to be ended */
};

/* Memory of the client's own. */
struct tm_session_region {
    unsigned char *base;
    uint64_t bytes; /* 0: none */
};

/* What a thread needs for one operation. */
struct tm_scratch {
    unsigned char page[TM_PAGE_BYTES];
    struct tmem_stored stored;
    union tm_wire_any question;
    union tm_wire_any answer;
    struct tm_latencies latencies;
};

/* A request that takes many steps: the client's others wait for it, and nobody else. */
struct tm_long_request {
    bool is_under_way;
    uint64_t began_ns; /* 0: its time is not noted */
    struct tm_wire_request request;
    struct tm_invalidation invalidation;
};

struct tm_session {
    const struct tm_daemon *daemon;
    struct tm_session *next; /* of its worker: all */
    struct tm_session *prev;
    struct tm_session *next_awake;
    struct tm_session *prev_awake;
    enum tm_session_state state;
    bool is_awake;
    bool leaves; /* the client asked to: all goes, and farewell_number is answered then */
    /* The worker's: */
    uint32_t sleeps;   /* at once, since it was last looked at in vain, */
    uint64_t tried_ns; /* at this time */
    uint32_t spin_ns;
    uint64_t idle_since_ns; /* 0: it is not idle */
    uint32_t weight;        /* its client's, as of late */
    uint32_t credit;        /* that it may have answered, in parts of a request */
    uint32_t served;        /* requests since the weight was asked for */
    uint32_t period;        /* of its worker, in which it had so many */
    uint32_t served_in_period;
    uint32_t told_crowded; /* enum tm_wire_crowded */
    bool is_counted;       /* among those that its worker serves */
    uint32_t untold;       /* answers written since the client was woken, or would have been */
    uint64_t began_ns;     /* when it was let in */

    int socket;
    int wake_daemon; /* eventfd, or -1 */
    int wake_client; /* the writing end of a pipe, or -1 */
    uid_t uid;
    pid_t pid;
    uint16_t version;
    uint32_t farewell_number;

    struct tm_tenant *tenant;
    struct tm_wire_head *head; /* shared memory, or NULL */
    uint64_t memory_bytes;
    struct tm_ring requests;
    struct tm_ring answers;
    struct tm_wire_bounds bounds;
    struct tm_long_request unfinished;
    struct tm_session_region regions[TM_WIRE_REGIONS_MAX + 1u]; /* [0]: the slots */
};

/* Takes over @socket and a place in the crowd; NULL: no memory, and both are the caller's. */
struct tm_session *tm_session_create(const struct tm_daemon *daemon, int socket, uid_t uid, pid_t pid);

/* tm_session_destroy - end it. @disconnects: its tenant loses its connection; else the daemon ends, and all with it. */
void tm_session_destroy(struct tm_session *session, bool disconnects);

/*
 * tm_session_hear - take up to TM_SESSION_QUESTIONS messages from the socket and answer them. Afterwards the state says
 * whether it is served, or over.
 */
void tm_session_hear(struct tm_session *session, struct tm_scratch *scratch);

/*
 * tm_session_serve - take up to @most requests, at least one, and answer them (serve.c). What takes long is done in
 * steps, each a turn of its own. Returns what it comes to in requests; afterwards the state says whether it is over.
 * A client that sleeps is woken once for several turns: tm_session_tell() is called where the session has no work left.
 */
uint32_t tm_session_serve(struct tm_session *session, uint32_t most, struct tm_scratch *scratch);

/* tm_session_tell - wake the client, should it sleep and have answers that it was not woken for. */
void tm_session_tell(struct tm_session *session);

/* tm_session_weigh - ask for the weight of its client, which an operator may have changed. */
void tm_session_weigh(struct tm_session *session);

/* ---- for the parts ---- */

/* tm_session_break - the client does not keep to the format: say so in the log, limited, and end it. */
void tm_session_break(struct tm_session *session, const char *what);

/* tm_session_send - send the answer, without waiting: who does not take answers is ended. */
void tm_session_send(struct tm_session *session, const union tm_wire_any *answer, const int *descriptors,
                     unsigned descriptor_count);

/* tm_session_fail - answer TM_WIRE_FAILED to a question. */
void tm_session_fail(struct tm_session *session, struct tm_scratch *scratch, enum tmem_result result,
                     const char *text);

/* tm_session_answer - answer a question of a client that is connected (ask.c). @descriptor: one that came along, the
 * callee's to close, or -1. */
void tm_session_answer(struct tm_session *session, struct tm_scratch *scratch, int descriptor);

/* tm_session_register, tm_session_unregister - memory of the client's own (region.c). @memory is the callee's to
 * close. */
void tm_session_register(struct tm_session *session, struct tm_scratch *scratch, int memory);
void tm_session_unregister(struct tm_session *session, struct tm_scratch *scratch);

/* tm_session_welcome - answer TM_WIRE_HELLO (welcome.c). */
void tm_session_welcome(struct tm_session *session, struct tm_scratch *scratch);

/* True when the client has written requests that there is room to answer, or its ring is broken. */
bool tm_session_has_work(struct tm_session *session);

#endif
