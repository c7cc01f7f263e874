/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_watch.c - a thread that sees when the daemon hangs up on a client that does nothing, and connects it again.
 *
 * Calls connect again by themselves. But a client that has none to make would not come back in time: its persistent
 * pages wait only for a while in a daemon that was started again. The thread sleeps until a connection ends.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/unix.h"

#define STACK_BYTES (256u << 10)
#define LOOK_AGAIN_MS 10u /* at what others are busy with */

bool tm_unix_watch_init(struct tm_unix_watch *watch)
{
    *watch = (struct tm_unix_watch){.events = epoll_create1(EPOLL_CLOEXEC), .knock = eventfd(0, EFD_CLOEXEC)};
    struct epoll_event event = {.events = EPOLLIN};
    if (watch->events >= 0 && watch->knock >= 0 &&
        epoll_ctl(watch->events, EPOLL_CTL_ADD, watch->knock, &event) == 0 &&
        pthread_cond_init(&watch->unwatched, NULL) == 0)
        return true;
    tm_unix_watch_forget(watch);
    return false;
}

void tm_unix_watch_forget(struct tm_unix_watch *watch)
{
    if (watch->events >= 0)
        (void)close(watch->events);
    if (watch->knock >= 0)
        (void)close(watch->knock);
    watch->events = watch->knock = -1;
}

void tm_unix_watch_fini(struct tm_unix_watch *watch)
{
    static const uint64_t one = 1;
    if (watch->is_running) {
        tm_store_release(&watch->stops, 1u);
        (void)!write(watch->knock, &one, sizeof one);
        (void)pthread_join(watch->thread, NULL);
    }
    (void)pthread_cond_destroy(&watch->unwatched);
    tm_unix_watch_forget(watch);
}

void tm_unix_watch_socket(struct tm_unix_watch *watch, int socket)
{
    /* By edges: a hang-up is told once. It leaves the set when it is closed. */
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET};
    (void)epoll_ctl(watch->events, EPOLL_CTL_ADD, socket, &event);
}

/* ---- the thread ---- */

/* How long the client can be left alone; 0: it should be connected again now. */
static uint32_t patience_ms(struct tm_unix_client *client)
{
    enum tm_link_health health = tm_link_health(&client->link);
    uint32_t patience = UINT32_MAX;
    if (health == TM_LINK_FINE)
        return patience;
    /* Whoever is connecting it, or just being told that it is lost, needs no help yet. */
    if (health == TM_LINK_LOST_IN_USE || pthread_mutex_trylock(&client->connecting) != 0)
        return LOOK_AGAIN_MS;
    uint64_t now_ms = tm_link_now_ms();
    patience = client->retry_at_ms > now_ms ? (uint32_t)(client->retry_at_ms - now_ms) : 0;
    pthread_mutex_unlock(&client->connecting);
    return patience;
}

/* Connects one client again, or answers how long nobody needs it. */
static uint32_t look(struct tm_unix_store *store)
{
    uint32_t least = UINT32_MAX;
    pthread_mutex_lock(&store->lock);
    for (struct tm_unix_client *client = store->clients; client != NULL; client = client->next) {
        uint32_t patience = patience_ms(client);
        least = patience < least ? patience : least;
        if (patience != 0)
            continue;
        /* Its end waits for this. */
        client->is_watched = true;
        pthread_mutex_unlock(&store->lock);
        (void)tm_unix_revive(client);
        pthread_mutex_lock(&store->lock);
        client->is_watched = false;
        pthread_cond_broadcast(&store->watch.unwatched);
        break;
    }
    pthread_mutex_unlock(&store->lock);
    return least;
}

static void *run(void *user)
{
    struct tm_unix_store *store = user;
    struct tm_unix_watch *watch = &store->watch;
    struct epoll_event event;
    while (tm_load_acquire(&watch->stops) == 0) {
        uint32_t patience = look(store);
        if (patience != 0)
            (void)epoll_wait(watch->events, &event, 1, patience == UINT32_MAX ? -1 : (int)patience);
    }
    return NULL;
}

void tm_unix_watch_start(struct tm_unix_store *store)
{
    struct tm_unix_watch *watch = &store->watch;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (watch->is_running || pthread_attr_init(&attributes) != 0)
        return;
    /* The program's signals are not for this thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    watch->is_running = pthread_create(&watch->thread, &attributes, run, store) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}
