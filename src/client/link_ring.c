/* SPDX-License-Identifier: BSD-2-Clause */
/* link_ring.c - requests to the daemon and its answers: the rings in shared memory. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "client/link.h"

#define ANSWERS_AT_ONCE 32u
#define PLACE_BITS 16u /* of a tag */

/*
 * How long the reaper looks before it sleeps: some ten microseconds. Each time that an answer came meanwhile is a
 * credit; each time that none came costs some. Without credit it sleeps at once, but now and then it tries again.
 */
#define SPINS 400u
#define CREDIT_MAX 16u
#define CREDIT_COST 4u
#define SLEEPS_BETWEEN_TRIES 64u

/* ---- places ---- */

uint32_t tm_link_take(struct tm_link *link, uint32_t wanted, uint32_t *places, bool is_restoring)
{
    enum tm_link_state state = is_restoring ? TM_LINK_RESTORING : TM_LINK_OPEN;
    uint32_t count = 0;
    pthread_mutex_lock(&link->lock);
    while (link->state == state && link->free_count == 0)
        pthread_cond_wait(&link->changed, &link->lock);
    while (link->state == state && count < wanted && link->free_count > 0) {
        places[count] = link->first_free;
        link->first_free = link->places[places[count]].next_free;
        link->free_count--;
        count++;
    }
    link->in_use += count;
    pthread_mutex_unlock(&link->lock);
    return count;
}

void tm_link_give_back(struct tm_link *link, const uint32_t *places, uint32_t count)
{
    pthread_mutex_lock(&link->lock);
    bool is_awaited = link->free_count == 0 || link->state == TM_LINK_BROKEN;
    for (uint32_t i = 0; i < count; i++) {
        link->places[places[i]].is_under_way = false;
        link->places[places[i]].next_free = link->first_free;
        link->first_free = places[i];
        link->free_count++;
    }
    link->in_use -= count;
    if (is_awaited)
        pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
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
    pthread_mutex_lock(&link->lock);
    bool is_up = link->state != TM_LINK_BROKEN && tm_ring_room(&link->requests, count) >= count;
    for (uint32_t i = 0; i < count; i++) {
        struct tm_link_place *place = &link->places[places[i]];
        place->tag += UINT64_C(1) << PLACE_BITS;
        place->is_under_way = true;
        requests[i].tag = place->tag;
        requests[i].region = 0;
        requests[i].place = has_page ? (uint64_t)places[i] * TM_PAGE_BYTES : 0;
        if (is_up)
            tm_ring_write(&link->requests, &requests[i]);
    }
    if (is_up)
        tm_ring_publish(&link->requests);
    pthread_mutex_unlock(&link->lock);
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

static bool spin(struct tm_link *link)
{
    if (link->spin_credit == 0 && ++link->sleeps % SLEEPS_BETWEEN_TRIES != 0)
        return false;
    for (unsigned i = 0; i < SPINS; i++) {
        if (has_answers(link)) {
            link->spin_credit += link->spin_credit < CREDIT_MAX;
            return true;
        }
        tm_platform_wait(0);
    }
    link->spin_credit -= link->spin_credit < CREDIT_COST ? link->spin_credit : CREDIT_COST;
    return false;
}

/* False: the daemon is gone. */
static bool sleep_until_woken(struct tm_link *link)
{
    struct pollfd fds[2] = {{link->woken, POLLIN, 0}, {link->socket, 0, 0}};
    uint64_t count;
    tm_sleep_begin(&head_of(link)->client);
    if (!has_answers(link))
        (void)!poll(fds, 2, -1);
    tm_sleep_end(&head_of(link)->client);
    if ((fds[0].revents & POLLIN) != 0)
        (void)!read(link->woken, &count, sizeof count);
    return fds[1].revents == 0 && (fds[0].revents & ~POLLIN) == 0;
}

/* Waits for answers and copies some; 0: none will come. */
static uint32_t reap(struct tm_link *link, struct tm_wire_answer *answers)
{
    bool is_there = true;
    while (!has_answers(link) && is_there)
        is_there = spin(link) || sleep_until_woken(link);
    /* What was answered before the daemon went is an answer. */
    uint32_t count = tm_ring_waiting(&link->answers, ANSWERS_AT_ONCE);
    count = count < ANSWERS_AT_ONCE ? count : ANSWERS_AT_ONCE;
    for (uint32_t i = 0; i < count; i++)
        tm_ring_take(&link->answers, &answers[i]);
    if (count > 0)
        tm_ring_publish(&link->answers);
    return count;
}

/* Under the lock. An answer that nobody waits for is nobody's; false: it means nothing. */
static bool settle(struct tm_link *link, const struct tm_wire_answer *answer)
{
    uint32_t number = (uint32_t)(answer->tag & ((1u << PLACE_BITS) - 1u));
    if (number >= link->place_count)
        return true;
    struct tm_link_place *place = &link->places[number];
    if (place->tag != answer->tag || !place->is_under_way)
        return true;
    if (answer->result >= TM_WIRE_RESULT_COUNT)
        return false;
    place->answer = *answer;
    place->is_under_way = false;
    if (place->has_sleeper)
        pthread_cond_signal(&place->answered);
    return true;
}

/* Under the lock: who has its answer lets another who waits be the reaper. */
static void hand_over(struct tm_link *link)
{
    for (uint32_t i = 0; i < link->place_count && link->sleepers > 0; i++) {
        if (link->places[i].has_sleeper && link->places[i].is_under_way) {
            pthread_cond_signal(&link->places[i].answered);
            return;
        }
    }
}

/* Under the lock, which is released meanwhile. */
static void reap_once(struct tm_link *link)
{
    struct tm_wire_answer answers[ANSWERS_AT_ONCE];
    link->has_reaper = true;
    pthread_mutex_unlock(&link->lock);
    uint32_t count = reap(link, answers);
    bool is_right = count > 0;
    pthread_mutex_lock(&link->lock);
    for (uint32_t i = 0; i < count; i++)
        is_right = settle(link, &answers[i]) && is_right;
    link->has_reaper = false;
    if (!is_right) {
        pthread_mutex_unlock(&link->lock);
        tm_link_break(link);
        pthread_mutex_lock(&link->lock);
    }
}

bool tm_link_wait(struct tm_link *link, uint32_t number, struct tm_wire_answer *answer)
{
    struct tm_link_place *place = &link->places[number];
    bool was_reaper = false;
    pthread_mutex_lock(&link->lock);
    while (place->is_under_way && link->state != TM_LINK_BROKEN) {
        if (!link->has_reaper) {
            reap_once(link);
            was_reaper = true;
            continue;
        }
        place->has_sleeper = true;
        link->sleepers++;
        pthread_cond_wait(&place->answered, &link->lock);
        place->has_sleeper = false;
        link->sleepers--;
    }
    bool is_answered = !place->is_under_way;
    *answer = place->answer;
    if (was_reaper || !link->has_reaper)
        hand_over(link);
    pthread_mutex_unlock(&link->lock);
    return is_answered;
}
