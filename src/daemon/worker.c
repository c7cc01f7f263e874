/* SPDX-License-Identifier: BSD-2-Clause */
/* worker.c - see worker.h. */
#include "daemon/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/session.h"

#define EVENTS_MAX 64

/* How long a session may be looked at in vain, at most, and what is not worth it: see found() and idle(). */
#define SPIN_MAX_NS 50000u
#define SPIN_LEAST_NS 2000u
/* While the worker is busy with others, looking costs it nothing, and spares both ends a wake-up. */
#define COMPANY_NS 1000000u
/* After so many times to sleep at once, and so long, it is tried again whether spinning is worth it. */
#define SLEEPS_TO_TRY 32u
#define TRY_EVERY_NS 5000000u
/* What the heaviest of several sessions may do before the others have their turn; parts of a request, for weights. Who
 * wants one page is to wait for a page of who wants many, and not for more. */
#define TURN_OF_MANY 1u
#define REQUEST_PARTS 1024u
/* Who is so many times lighter has its next turn so late that it is woken for what it has. */
#define FAR_LIGHTER 8u
/* Requests after which it is asked whether the weight is another. */
#define WEIGH_EVERY 4096u
/* While nothing comes the time is taken once in so many rounds. */
#define ROUNDS_OF_A_CLOCK 8u
/* Who had so many requests in so long a time is busy, and those who are busy want a CPU each. */
#define PERIOD_NS 1000000u
#define BUSY_REQUESTS 8u
/* With more clients for each CPU one that lets the others go first finds its answer when it is its turn again. */
#define THRONG_OF_A_CPU 2u
/* What another worker said of a period longer ago than this means nothing: it sleeps. */
#define STALE_NS (4u * PERIOD_NS)
/* How often sockets are looked at while sessions are awake. */
#define LOOK_NS 50000u

/* How long a connection may take to say who it is, and how often those are looked at that have not yet. */
#define HELLO_NS (5u * TM_SECOND_NS)
#define HELLO_LOOK_MS 1000

/* Which descriptor of a session an event is about: the lowest bit of its address. */
#define EVENT_OF_SOCKET ((uintptr_t)0)
#define EVENT_OF_RING ((uintptr_t)1)

struct worker {
    const struct tm_daemon *daemon;
    pthread_t thread;
    int events; /* epoll */
    int knock;  /* eventfd: the inbox, or to stop */
    bool may_spin;
    uint32_t rouses; /* atomic: all sessions are to be looked at */

    pthread_mutex_t mutex;
    struct tm_session *inbox; /* by next */
    bool stops;

    struct tm_session *all;   /* by next and prev */
    struct tm_session *awake; /* by next_awake and prev_awake */
    struct tm_session *over;  /* by next: ended when no event can be about them */
    uint32_t count;           /* atomic: the inbox included */
    uint32_t served;          /* atomic: of these, those that have said who they are */
    uint32_t heaviest;        /* of those awake: the most weight */
    bool has_new;             /* perhaps some that have not said who they are */
    uint64_t new_seen_ns;     /* when they were last looked at */
    uint32_t rounds;          /* atomic: that it has begun */
    uint32_t rounds_seen;     /* by whoever watches it */
    bool is_watched;

    const struct tm_workers *others; /* and this one */
    tm_atomic64 period_ns;           /* atomic: when the last period ended */
    uint32_t busy;                   /* atomic: sessions that were busy then */
    uint32_t busy_now;               /* so far in this one, which has the number */
    uint32_t period;
    enum tm_wire_crowded crowded; /* are there fewer CPUs than threads that are busy? */
    bool worked;                  /* the last round was not in vain */
    struct tm_scratch scratch;
};

struct tm_workers {
    unsigned wanted; /* in the array, from the first one's start on */
    unsigned count;
    unsigned cpus;
    struct worker *workers;
};

/* ---- lists ---- */

static void wake(struct worker *worker, struct tm_session *session)
{
    if (session->is_awake)
        return;
    session->is_awake = true;
    session->idle_since_ns = 0;
    /* Who writes to an eventfd unasked leaves the flag as it is. */
    tm_sleep_end(&session->head->daemon);
    session->prev_awake = NULL;
    session->next_awake = worker->awake;
    if (worker->awake != NULL)
        worker->awake->prev_awake = session;
    worker->awake = session;
}

static void put_to_sleep(struct worker *worker, struct tm_session *session)
{
    session->is_awake = false;
    if (session->prev_awake != NULL)
        session->prev_awake->next_awake = session->next_awake;
    else
        worker->awake = session->next_awake;
    if (session->next_awake != NULL)
        session->next_awake->prev_awake = session->prev_awake;
}

static void forget(struct worker *worker, int descriptor)
{
    if (descriptor >= 0)
        (void)epoll_ctl(worker->events, EPOLL_CTL_DEL, descriptor, NULL);
}

/*
 * Takes a session out. Its descriptors leave the poll by name: the client shares the eventfd, so closing ours would not
 * take it out. It is freed later, since an event about it may have been received already.
 */
static void take_out(struct worker *worker, struct tm_session *session)
{
    forget(worker, session->socket);
    forget(worker, session->wake_daemon);
    if (session->is_awake)
        put_to_sleep(worker, session);
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        worker->all = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    session->next = worker->over;
    worker->over = session;
}

static void end_those_over(struct worker *worker)
{
    while (worker->over != NULL) {
        struct tm_session *session = worker->over;
        worker->over = session->next;
        if (session->is_counted)
            (void)tm_fetch_sub_relaxed(&worker->served, 1u);
        tm_session_destroy(session, true);
        (void)tm_fetch_sub_relaxed(&worker->count, 1u);
    }
}

static bool watch(struct worker *worker, int descriptor, uint32_t events, struct tm_session *session, uintptr_t which)
{
    struct epoll_event event = {.events = events};
    event.data.u64 = (uint64_t)((uintptr_t)session | which);
    return epoll_ctl(worker->events, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

/* ---- events ---- */

static void open_inbox(struct worker *worker)
{
    uint64_t knocks;
    ssize_t taken = read(worker->knock, &knocks, sizeof knocks);
    (void)taken;
    (void)pthread_mutex_lock(&worker->mutex);
    struct tm_session *session = worker->inbox;
    worker->inbox = NULL;
    (void)pthread_mutex_unlock(&worker->mutex);
    while (session != NULL) {
        struct tm_session *next = session->next;
        session->prev = NULL;
        session->next = worker->all;
        if (worker->all != NULL)
            worker->all->prev = session;
        worker->all = session;
        worker->has_new = true;
        if (!watch(worker, session->socket, EPOLLIN | EPOLLRDHUP, session, EVENT_OF_SOCKET))
            take_out(worker, session);
        session = next;
    }
}

static void hear(struct worker *worker, struct tm_session *session)
{
    bool was_new = session->state == TM_SESSION_NEW;
    tm_session_hear(session, &worker->scratch);
    /* By edges: each writing to it is one, and it is never read. */
    if (was_new && session->state == TM_SESSION_SERVED) {
        session->spin_ns = SPIN_MAX_NS;
        session->is_counted = true;
        (void)tm_fetch_add_relaxed(&worker->served, 1u);
        if (watch(worker, session->wake_daemon, EPOLLIN | EPOLLET, session, EVENT_OF_RING))
            wake(worker, session);
        else
            session->state = TM_SESSION_OVER;
    }
    if (session->state == TM_SESSION_OVER)
        take_out(worker, session);
}

/* Is the session still there? One event of a batch may have ended what the next one is about. */
static bool is_over(const struct worker *worker, const struct tm_session *session)
{
    const struct tm_session *at = worker->over;
    while (at != NULL && at != session)
        at = at->next;
    return at != NULL;
}

/* True: it was told to stop. */
static bool look(struct worker *worker, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    bool knocked = false;
    int count = epoll_wait(worker->events, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++) {
        uintptr_t which = (uintptr_t)events[i].data.u64 & EVENT_OF_RING;
        struct tm_session *session = (struct tm_session *)((uintptr_t)events[i].data.u64 - which);
        if (session == NULL)
            knocked = true;
        else if (is_over(worker, session))
            continue;
        else if (which == EVENT_OF_RING)
            wake(worker, session);
        else
            hear(worker, session);
    }
    if (!knocked)
        return false;
    open_inbox(worker);
    if (tm_exchange(&worker->rouses, 0u) != 0)
        for (struct tm_session *session = worker->all; session != NULL; session = session->next)
            if (session->state == TM_SESSION_SERVED)
                wake(worker, session);
    return tm_load_acquire(&worker->stops);
}

/* ---- turns ---- */

/* Something came while it was looked for: that was worth it. */
static void found(struct tm_session *session)
{
    if (session->idle_since_ns == 0)
        return;
    session->idle_since_ns = 0;
    session->sleeps = 0;
    session->spin_ns = SPIN_MAX_NS;
}

/* How long to look this time. Where it was never worth it, it is tried now and then. */
static uint32_t patience_ns(const struct worker *worker, const struct tm_session *session, uint64_t now_ns)
{
    if (worker->worked)
        return COMPANY_NS;
    if (!worker->may_spin || (worker->crowded != TM_WIRE_ROOM))
        return 0;
    if (session->spin_ns >= SPIN_LEAST_NS)
        return session->spin_ns;
    return session->sleeps >= SLEEPS_TO_TRY && now_ns - session->tried_ns >= TRY_EVERY_NS ? SPIN_MAX_NS : 0;
}

/* It was looked at in vain for as long as it is worth, or not at all. */
static void count_sleep(struct tm_session *session, uint32_t patience, uint64_t now_ns)
{
    session->sleeps++;
    if (patience == 0)
        return;
    session->sleeps = 0;
    session->tried_ns = now_ns;
    session->spin_ns /= 2u;
}

/* Nothing to do for it: looks on for a while, then lets it sleep. */
static void idle(struct worker *worker, struct tm_session *session, uint64_t now_ns)
{
    if (session->idle_since_ns == 0)
        session->idle_since_ns = now_ns;
    uint32_t patience = patience_ns(worker, session, session->idle_since_ns);
    if (now_ns - session->idle_since_ns < patience)
        return;
    tm_sleep_begin(&session->head->daemon);
    if (tm_session_has_work(session)) {
        tm_sleep_end(&session->head->daemon);
        return;
    }
    count_sleep(session, patience, now_ns);
    put_to_sleep(worker, session);
}

/*
 * Deficit round robin by weight: how many requests the session may have answered this time. What is less than one is
 * kept for the next round; who leaves nothing waiting keeps nothing.
 */
static uint32_t turn_of(struct worker *worker, struct tm_session *session)
{
    if (session->next_awake == NULL && session->prev_awake == NULL) {
        session->credit = 0;
        return TM_SESSION_TURN;
    }
    uint64_t parts = (uint64_t)TURN_OF_MANY * REQUEST_PARTS * session->weight / worker->heaviest;
    session->credit += (uint32_t)tm_max_u64(tm_min_u64(parts, (uint64_t)TURN_OF_MANY * REQUEST_PARTS), 1u);
    return session->credit / REQUEST_PARTS;
}

/* Counts who is busy, and lets the client know whether those are too many. */
static void count_busy(struct worker *worker, struct tm_session *session, uint32_t served)
{
    if (session->period != worker->period) {
        session->period = worker->period;
        session->served_in_period = 0;
    }
    uint32_t before = session->served_in_period;
    session->served_in_period += served;
    worker->busy_now += before < BUSY_REQUESTS && before + served >= BUSY_REQUESTS;
    if (session->told_crowded != worker->crowded) {
        session->told_crowded = worker->crowded;
        tm_store_relaxed(&session->head->daemon.crowded, session->told_crowded);
    }
}

/* At the end of a period: are there more threads that are busy, clients' and workers', than CPUs? */
static void judge_crowd(struct worker *worker, uint64_t now_ns)
{
    uint32_t threads = 0;
    uint32_t clients = 0;
    const uint32_t cpus = worker->others->cpus;
    if (now_ns - worker->period_ns < PERIOD_NS)
        return;
    tm_store_relaxed(&worker->busy, worker->busy_now);
    tm_store_relaxed(&worker->period_ns, now_ns);
    worker->busy_now = 0;
    worker->period++;
    for (unsigned i = 0; i < worker->others->wanted; i++) {
        const struct worker *other = &worker->others->workers[i];
        uint32_t busy = tm_load_relaxed(&other->busy);
        /* Another's clock may be a moment ahead. */
        if (busy != 0 && tm_load_relaxed(&other->period_ns) + STALE_NS > now_ns) {
            threads += busy + 1u;
            clients += busy;
        }
    }
    worker->crowded = clients > THRONG_OF_A_CPU * cpus ? TM_WIRE_THRONG : threads > cpus ? TM_WIRE_CROWDED
                                                                                         : TM_WIRE_ROOM;
}

static void serve(struct worker *worker, struct tm_session *session)
{
    uint32_t most = turn_of(worker, session);
    uint32_t served = most != 0 ? tm_session_serve(session, most, &worker->scratch) : 0;
    if (most == 0 && session->weight < worker->heaviest / FAR_LIGHTER)
        tm_session_tell(session);
    session->credit = served < most ? 0 : session->credit % REQUEST_PARTS;
    session->served += served;
    count_busy(worker, session, served);
    if (session->served >= WEIGH_EVERY) {
        session->served = 0;
        tm_session_weigh(session);
    }
    found(session);
}

/* A turn for each that is awake. False: none had work. */
static bool go_round(struct worker *worker, uint64_t now_ns)
{
    uint32_t heaviest = 1;
    bool worked = false;
    struct tm_session *next;
    for (struct tm_session *session = worker->awake; session != NULL; session = next) {
        next = session->next_awake;
        heaviest = session->weight > heaviest ? session->weight : heaviest;
        if (tm_session_has_work(session)) {
            serve(worker, session);
            worked = true;
        } else {
            session->credit = 0;
            if (session->state != TM_SESSION_OVER)
                tm_session_tell(session);
            idle(worker, session, now_ns);
        }
        if (session->state == TM_SESSION_OVER)
            take_out(worker, session);
    }
    /* Who has become awake since counts from the next round on. */
    worker->heaviest = heaviest;
    return worked;
}

/* Who has a connection and says nothing would keep others from one. */
static void end_silent(struct worker *worker, uint64_t now_ns)
{
    struct tm_session *next;
    worker->has_new = false;
    worker->new_seen_ns = now_ns;
    for (struct tm_session *session = worker->all; session != NULL; session = next) {
        next = session->next;
        if (session->state != TM_SESSION_NEW)
            continue;
        if (now_ns - session->began_ns < HELLO_NS) {
            worker->has_new = true;
            continue;
        }
        tm_session_break(session, "it does not say who it is");
        take_out(worker, session);
    }
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    uint64_t looked_ns = 0;
    uint64_t now_ns = 0;
    uint32_t vain = 0; /* rounds without work */
    for (bool stops = false; !stops;) {
        tm_store_relaxed(&worker->rounds, worker->rounds + 1u);
        bool sleeps = worker->awake == NULL;
        if (vain % ROUNDS_OF_A_CLOCK == 0)
            now_ns = tm_now_ns();
        if (sleeps || now_ns - looked_ns >= LOOK_NS) {
            stops = look(worker, !sleeps ? 0 : worker->has_new ? HELLO_LOOK_MS
                                                               : -1);
            looked_ns = now_ns = tm_now_ns();
            judge_crowd(worker, now_ns);
            if (worker->has_new && now_ns - worker->new_seen_ns >= TM_SECOND_NS)
                end_silent(worker, now_ns);
        }
        end_those_over(worker);
        worker->worked = go_round(worker, now_ns);
        if (worker->worked)
            vain = 0;
        else {
            vain++;
            tm_platform_wait(0);
        }
        end_those_over(worker);
    }
    return NULL;
}

/* ---- making and ending ---- */

static void knock(const struct worker *worker)
{
    const uint64_t one = 1;
    ssize_t written = write(worker->knock, &one, sizeof one);
    (void)written;
}

void tm_workers_rouse(struct tm_workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++) {
        tm_store_release(&workers->workers[i].rouses, 1u);
        knock(&workers->workers[i]);
    }
}

static bool start(const struct tm_workers *workers, struct worker *worker, const struct tm_daemon *daemon)
{
    worker->daemon = daemon;
    worker->others = workers;
    /* Where there is one CPU, looking for work keeps the client from making some. */
    worker->may_spin = workers->cpus > 1;
    worker->heaviest = 1;
    worker->events = epoll_create1(EPOLL_CLOEXEC);
    worker->knock = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->events >= 0 && worker->knock >= 0 && watch(worker, worker->knock, EPOLLIN, NULL, 0) &&
        pthread_mutex_init(&worker->mutex, NULL) == 0) {
        if (pthread_create(&worker->thread, NULL, run, worker) == 0)
            return true;
        (void)pthread_mutex_destroy(&worker->mutex);
    }
    if (worker->events >= 0)
        (void)close(worker->events);
    if (worker->knock >= 0)
        (void)close(worker->knock);
    return false;
}

static void end_sessions(struct tm_session *session)
{
    while (session != NULL) {
        struct tm_session *next = session->next;
        tm_session_destroy(session, false);
        session = next;
    }
}

static void stop(struct worker *worker)
{
    tm_store_release(&worker->stops, true);
    knock(worker);
    (void)pthread_join(worker->thread, NULL);
    end_sessions(worker->all);
    end_sessions(worker->inbox);
    (void)close(worker->events);
    (void)close(worker->knock);
    (void)pthread_mutex_destroy(&worker->mutex);
}

struct tm_workers *tm_workers_create(const struct tm_daemon *daemon, unsigned count)
{
    struct tm_workers *workers = calloc(1, sizeof *workers);
    if (workers == NULL)
        return NULL;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    workers->cpus = cpus < 1 ? 1 : (unsigned)cpus;
    workers->wanted = count;
    workers->workers = calloc(count, sizeof workers->workers[0]);
    while (workers->workers != NULL && workers->count < count &&
           start(workers, &workers->workers[workers->count], daemon))
        workers->count++;
    if (workers->count == count)
        return workers;
    tm_workers_destroy(workers);
    return NULL;
}

void tm_workers_destroy(struct tm_workers *workers)
{
    if (workers == NULL)
        return;
    for (unsigned i = 0; i < workers->count; i++)
        stop(&workers->workers[i]);
    free(workers->workers);
    free(workers);
}

bool tm_workers_are_alive(struct tm_workers *workers)
{
    bool are_alive = true;
    for (unsigned i = 0; i < workers->count; i++) {
        struct worker *worker = &workers->workers[i];
        uint32_t rounds = tm_load_relaxed(&worker->rounds);
        are_alive = are_alive && (!worker->is_watched || rounds != worker->rounds_seen);
        worker->rounds_seen = rounds;
        worker->is_watched = true;
        knock(worker);
    }
    return are_alive;
}

/* First how many clients it has; of connections that have not said who they are most are over soon. */
static uint64_t load_of(const struct worker *worker)
{
    return (uint64_t)tm_load_relaxed(&worker->served) << 32 | tm_load_relaxed(&worker->count);
}

void tm_workers_add(struct tm_workers *workers, struct tm_session *session)
{
    struct worker *least = &workers->workers[0];
    for (unsigned i = 1; i < workers->count; i++)
        if (load_of(&workers->workers[i]) < load_of(least))
            least = &workers->workers[i];
    (void)tm_fetch_add_relaxed(&least->count, 1u);
    (void)pthread_mutex_lock(&least->mutex);
    session->next = least->inbox;
    least->inbox = session;
    (void)pthread_mutex_unlock(&least->mutex);
    knock(least);
}

void tm_workers_latency(const struct tm_workers *workers, unsigned operation, struct tm_latency *sum)
{
    for (unsigned i = 0; i < workers->count; i++)
        tm_latency_add(sum, &workers->workers[i].scratch.latencies.of[operation]);
}
