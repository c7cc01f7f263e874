/* SPDX-License-Identifier: BSD-2-Clause */
/* link_ring.c - requests to the daemon and its answers: the rings in shared memory. */
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "client/link.h"

#define PLACE_BITS 16u /* of a tag */
#define NOBODY UINT32_MAX

/*
 * How long the reaper looks before it sleeps: about as long as it takes the daemon to wake up and answer. Each time
 * that an answer came meanwhile is a credit; each time that none came costs some. Without credit it sleeps at once, but
 * now and then it tries again.
 */
#define SPIN_NS 40000u
#define LOOKS_BETWEEN_CLOCKS 32u
#define CREDIT_MAX 16u
#define CREDIT_COST 4u
#define SLEEPS_TO_TRY 32u
#define TRY_EVERY_NS 5000000u
/*
 * Where many clients keep all CPUs busy, being woken costs more than the pages that are asked for: the reaper lets
 * others go first so many times, and they do the same. Somebody who does not, and who keeps the CPU for so long, makes
 * that dear: then it is not done for many times as long.
 */
#define YIELDS_MAX 16u
#define YIELD_LONG_NS 1000000u
#define YIELD_REST 64u

/* ---- places ---- */

/* Takes up to @wanted of those that are free. */
static uint32_t take_some(struct tm_link *link, uint32_t wanted, uint32_t *places)
{
    uint64_t free = tm_load_relaxed(&link->free);
    uint64_t left;
    uint32_t count;
    do {
        left = free;
        for (count = 0; count < wanted && left != 0; count++) {
            places[count] = (uint32_t)__builtin_ctzll(left);
            left &= left - 1u;
        }
    } while (count != 0 && !tm_compare_exchange(&link->free, &free, left));
    return count;
}

/* Until there is a free place, or the state is another. */
static void wait_for_place(struct tm_link *link, enum tm_link_state state)
{
    pthread_mutex_lock(&link->lock);
    (void)tm_fetch_add_seq(&link->waiting, 1u);
    while (tm_load_relaxed(&link->state) == state && tm_load_seq(&link->free) == 0)
        pthread_cond_wait(&link->changed, &link->lock);
    (void)tm_fetch_sub_relaxed(&link->waiting, 1u);
    pthread_mutex_unlock(&link->lock);
}

uint32_t tm_link_take(struct tm_link *link, uint32_t wanted, uint32_t *places, bool is_restoring)
{
    enum tm_link_state state = is_restoring ? TM_LINK_RESTORING : TM_LINK_OPEN;
    while (tm_load_relaxed(&link->state) == state) {
        uint32_t count = take_some(link, wanted, places);
        /* Once more: it may have been closed, and opened by somebody who is not ready yet. */
        if (count != 0 && tm_load_relaxed(&link->state) == state)
            return count;
        if (count != 0)
            tm_link_give_back(link, places, count);
        else
            wait_for_place(link, state);
    }
    return 0;
}

void tm_link_give_back(struct tm_link *link, const uint32_t *places, uint32_t count)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < count; i++) {
        tm_store_relaxed(&link->places[places[i]].state, TM_LINK_IDLE);
        mask |= UINT64_C(1) << places[i];
    }
    (void)tm_fetch_or_seq(&link->free, mask);
    if (tm_load_seq(&link->waiting) != 0) {
        pthread_mutex_lock(&link->lock);
        pthread_cond_broadcast(&link->changed);
        pthread_mutex_unlock(&link->lock);
    }
}

/* ---- sending ---- */

static void wake_daemon(const struct tm_link *link)
{
    const uint64_t one = 1;
    /* Should its counter be full, it is awake. */
    while (write(link->wake, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static struct tm_wire_head *head_of(const struct tm_link *link)
{
    return (struct tm_wire_head *)(void *)link->memory;
}

void tm_link_send(struct tm_link *link, const uint32_t *places, struct tm_wire_request *requests, uint32_t count,
                  bool has_page)
{
    for (uint32_t i = 0; i < count; i++) {
        struct tm_link_place *place = &link->places[places[i]];
        requests[i].tag = tm_load_relaxed(&place->tag) + (UINT64_C(1) << PLACE_BITS);
        if (requests[i].region == 0)
            requests[i].place = has_page ? (uint64_t)places[i] * TM_PAGE_BYTES : 0;
        tm_store_relaxed(&place->tag, requests[i].tag);
        /* Release: who sees it under way sees its new tag. */
        tm_store_release(&place->state, TM_LINK_UNDER_WAY);
    }
    pthread_mutex_lock(&link->sending);
    bool is_up = tm_ring_room(&link->requests, count) >= count;
    for (uint32_t i = 0; i < count && is_up; i++)
        tm_ring_write(&link->requests, &requests[i]);
    tm_ring_publish(&link->requests);
    pthread_mutex_unlock(&link->sending);
    /* There are not more places than entries: a ring without room is not as the format says. */
    if (!is_up)
        tm_link_break(link);
    else if (tm_sleep_must_wake(&head_of(link)->daemon))
        wake_daemon(link);
}

/* ---- the reaper ---- */

static bool has_answers(struct tm_link *link)
{
    return tm_ring_waiting(&link->answers, 1) != 0 || link->answers.state == TM_RING_BROKEN;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_worth_spinning(struct tm_link *link, uint32_t crowded, uint64_t time_ns)
{
    bool has_credit = link->spin_credit != 0 ||
                      (link->sleeps >= SLEEPS_TO_TRY && time_ns - link->tried_ns >= TRY_EVERY_NS);
    if (!link->may_spin || !has_credit || crowded != TM_WIRE_ROOM) {
        link->sleeps++;
        return false;
    }
    link->sleeps = 0;
    link->tried_ns = time_ns;
    return true;
}

/* Looks for answers each time that it is its turn again; false: there are none. */
static bool let_others_go_first(struct tm_link *link, uint64_t time_ns)
{
    bool is_there = false;
    for (unsigned i = 0; i < YIELDS_MAX && !is_there && time_ns >= link->throng_at_ns; i++) {
        (void)sched_yield();
        uint64_t later_ns = now_ns();
        if (later_ns - time_ns > YIELD_LONG_NS)
            link->throng_at_ns = later_ns + (later_ns - time_ns) * YIELD_REST;
        time_ns = later_ns;
        is_there = has_answers(link);
    }
    return is_there;
}

/* Looks for answers for a while, if that pays; false: there are none. */
static bool spin(struct tm_link *link)
{
    uint64_t time_ns = now_ns();
    uint32_t crowded = tm_load_relaxed(&head_of(link)->daemon.crowded);
    if (crowded == TM_WIRE_THRONG)
        return let_others_go_first(link, time_ns);
    if (!is_worth_spinning(link, crowded, time_ns))
        return false;
    uint64_t end_ns = time_ns + SPIN_NS;
    do {
        for (unsigned i = 0; i < LOOKS_BETWEEN_CLOCKS; i++) {
            if (has_answers(link)) {
                link->spin_credit += link->spin_credit < CREDIT_MAX;
                return true;
            }
            tm_platform_wait(0);
        }
    } while (now_ns() < end_ns);
    link->spin_credit -= link->spin_credit < CREDIT_COST ? link->spin_credit : CREDIT_COST;
    return false;
}

/* False: the daemon is gone. It ends the pipe with the connection, however that ends. */
static bool sleep_until_woken(struct tm_link *link)
{
    unsigned char bytes[64];
    ssize_t count = 1;
    tm_sleep_begin(&head_of(link)->client);
    if (!has_answers(link))
        count = read(link->woken, bytes, sizeof bytes);
    tm_sleep_end(&head_of(link)->client);
    return count > 0 || (count < 0 && errno == EINTR);
}

/*
 * Tells the place what came for it. An answer that nobody waits for is nobody's; false: it means nothing. *settled
 * receives the place, or NOBODY.
 */
static bool settle(struct tm_link *link, const struct tm_wire_answer *answer, uint32_t *settled)
{
    uint32_t number = (uint32_t)(answer->tag & ((1u << PLACE_BITS) - 1u));
    *settled = NOBODY;
    if (number >= link->place_count)
        return true;
    struct tm_link_place *place = &link->places[number];
    if (tm_load_acquire(&place->state) != TM_LINK_UNDER_WAY || tm_load_relaxed(&place->tag) != answer->tag)
        return true;
    if (answer->result >= TM_WIRE_RESULT_COUNT)
        return false;
    place->answer = *answer;
    tm_store_seq(&place->state, TM_LINK_ANSWERED);
    *settled = number;
    return true;
}

static void wake_sleeper(struct tm_link *link, uint32_t number)
{
    if (number == NOBODY || tm_load_seq(&link->sleepers) == 0)
        return;
    pthread_mutex_lock(&link->lock);
    if (link->places[number].has_sleeper)
        pthread_cond_signal(&link->places[number].answered);
    pthread_mutex_unlock(&link->lock);
}

/* As the reaper: waits for answers and tells whom they are for. */
static void reap(struct tm_link *link)
{
    bool is_there = true;
    while (!has_answers(link) && is_there)
        is_there = spin(link) || sleep_until_woken(link);
    /* What was answered before the daemon went is an answer. */
    uint32_t count = tm_ring_waiting(&link->answers, link->answers.size);
    bool is_right = count > 0;
    for (uint32_t i = 0; i < count; i++) {
        struct tm_wire_answer answer;
        uint32_t settled;
        tm_ring_take(&link->answers, &answer);
        is_right = settle(link, &answer, &settled) && is_right;
        wake_sleeper(link, settled);
    }
    tm_ring_publish(&link->answers);
    if (!is_right)
        tm_link_break(link);
}

/* Who is the reaper no more lets one who sleeps for an answer be it. */
static void hand_over(struct tm_link *link)
{
    tm_store_seq(&link->has_reaper, 0u);
    if (tm_load_seq(&link->sleepers) == 0)
        return;
    pthread_mutex_lock(&link->lock);
    for (uint32_t i = 0; i < link->place_count; i++)
        if (link->places[i].has_sleeper && tm_load_relaxed(&link->places[i].state) == TM_LINK_UNDER_WAY) {
            pthread_cond_signal(&link->places[i].answered);
            break;
        }
    pthread_mutex_unlock(&link->lock);
}

/* Until there is an answer for the place, or nobody is the reaper. */
static void sleep_until_told(struct tm_link *link, struct tm_link_place *place)
{
    pthread_mutex_lock(&link->lock);
    place->has_sleeper = true;
    (void)tm_fetch_add_seq(&link->sleepers, 1u);
    while (tm_load_seq(&place->state) == TM_LINK_UNDER_WAY && tm_load_seq(&link->has_reaper) != 0 &&
           tm_load_relaxed(&link->state) != TM_LINK_BROKEN)
        pthread_cond_wait(&place->answered, &link->lock);
    (void)tm_fetch_sub_relaxed(&link->sleepers, 1u);
    place->has_sleeper = false;
    pthread_mutex_unlock(&link->lock);
}

bool tm_link_wait(struct tm_link *link, uint32_t number, struct tm_wire_answer *answer)
{
    struct tm_link_place *place = &link->places[number];
    while (tm_load_acquire(&place->state) == TM_LINK_UNDER_WAY && tm_load_relaxed(&link->state) != TM_LINK_BROKEN) {
        if (tm_exchange(&link->has_reaper, 1u) != 0) {
            sleep_until_told(link, place);
            continue;
        }
        while (tm_load_relaxed(&place->state) == TM_LINK_UNDER_WAY &&
               tm_load_relaxed(&link->state) != TM_LINK_BROKEN)
            reap(link);
        hand_over(link);
    }
    if (tm_load_acquire(&place->state) != TM_LINK_ANSWERED)
        return false;
    *answer = place->answer;
    return true;
}
