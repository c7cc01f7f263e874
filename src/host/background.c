/* SPDX-License-Identifier: BSD-2-Clause */
/* background.c - one thread, woken by a futex. */
#include "host/background.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

/* DOZING: asleep, but not for long. */
enum state {
    STATE_BUSY,
    STATE_KICKED,
    STATE_ASLEEP,
    STATE_DOZING,
    STATE_STOPPING
};

#define ROUNDS_AT_ONCE 64u

static void futex(uint32_t *word, int operation, uint32_t value, const struct timespec *at_most)
{
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, at_most, NULL, 0);
}

/* Works until there is nothing left to do now; lets others run now and then, since nobody waits for this.
 * True: there will be something later. */
static bool work_off(struct tm_background *background)
{
    for (unsigned rounds = 1; tm_load_acquire(&background->state) != STATE_STOPPING; rounds++) {
        enum tm_background_work answer = background->work(background->user);
        if (answer != TM_BACKGROUND_MORE)
            return answer == TM_BACKGROUND_LATER;
        if (rounds % ROUNDS_AT_ONCE == 0) {
            struct timespec briefly = {0, 1000000};
            nanosleep(&briefly, NULL);
        }
    }
    return false;
}

/* Sleeps until kicked; with @later, a while at most, and then works as if kicked. */
static void sleep_off(struct tm_background *background, bool later)
{
    const struct timespec a_while = {0, 200000000};
    uint32_t asleep = later ? STATE_DOZING : STATE_ASLEEP;
    uint32_t state = STATE_BUSY;
    if (!tm_compare_exchange(&background->state, &state, asleep))
        return;
    do
        futex(&background->state, FUTEX_WAIT, asleep, later ? &a_while : NULL);
    while (!later && tm_load_acquire(&background->state) == STATE_ASLEEP);
    state = asleep;
    (void)tm_compare_exchange(&background->state, &state, (uint32_t)STATE_KICKED);
}

static void *run(void *user)
{
    struct tm_background *background = user;
    for (;;) {
        uint32_t state = STATE_KICKED;
        if (tm_compare_exchange(&background->state, &state, (uint32_t)STATE_BUSY))
            sleep_off(background, work_off(background));
        else if (state == STATE_STOPPING)
            return NULL;
        else
            sleep_off(background, false);
    }
}

bool tm_background_start(struct tm_background *background, enum tm_background_work (*work)(void *user), void *user)
{
    sigset_t all;
    sigset_t before;
    background->work = work;
    background->user = user;
    background->state = STATE_KICKED;
    /* The program's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    background->runs = pthread_create(&background->thread, NULL, run, background) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return background->runs;
}

static void rouse(struct tm_background *background, bool from_doze)
{
    uint32_t state = tm_load_relaxed(&background->state);
    while (state == STATE_BUSY || state == STATE_ASLEEP || (from_doze && state == STATE_DOZING)) {
        if (!tm_compare_exchange(&background->state, &state, (uint32_t)STATE_KICKED))
            continue;
        if (state != STATE_BUSY)
            futex(&background->state, FUTEX_WAKE, INT_MAX, NULL);
        return;
    }
}

void tm_background_kick(struct tm_background *background)
{
    rouse(background, false);
}

void tm_background_hurry(struct tm_background *background)
{
    rouse(background, true);
}

void tm_background_stop(struct tm_background *background)
{
    if (!background->runs)
        return;
    tm_store_release(&background->state, (uint32_t)STATE_STOPPING);
    futex(&background->state, FUTEX_WAKE, INT_MAX, NULL);
    pthread_join(background->thread, NULL);
    background->runs = false;
}
