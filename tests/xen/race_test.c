/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race_test.c - four threads of one guest on a thousand objects: puts and gets, while objects are flushed and pools
 * destroyed and made again, and at the end the domain dies under them. Meant for the thread sanitizer, too.
 *
 * Each page says which handle it was put under, and in which version; each handle has one thread that puts it. A get
 * must find a whole page of its handle, of a version that was put, and newer than what was known to be stored when
 * a flush or a destruction began that has ended. A persistent page that its own thread put, and that nothing since
 * can have removed, is there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/content.h"
#include "tests/xen/world.h"

#define THREADS 4u
#define OBJECTS 1000u
#define PAGES 4u
#define POOLS 2u
#define OPERATIONS 12000u /* of each thread */

struct handle {
    _Atomic uint64_t issued;    /* the version being put, or put last */
    _Atomic uint64_t completed; /* put, and answered */
    _Atomic uint64_t gone;      /* versions up to this one are known to be removed */
    _Atomic uint64_t removals;  /* that began, of whatever kind, */
    _Atomic uint64_t removing;  /* and those that have not ended */
};

static struct handle handles[POOLS][OBJECTS][PAGES];
static struct xen_world world;
static struct xen_guest *guest;
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER; /* numbers are given lowest first */
static atomic_bool is_dead;
static _Atomic uint64_t found, missed, stored, absent;

static const uint32_t flags[POOLS] = {0x01000000, 0x01000001};

static void die(const char *what, unsigned pool, unsigned object, unsigned page)
{
    fprintf(stderr, "pool %u, object %u, page %u: %s\n", pool, object, page, what);
    abort();
}

static void fill(unsigned char *frame, unsigned pool, unsigned object, unsigned page, uint64_t version)
{
    uint64_t words[TMEM_PAGE_SIZE / 8];
    uint64_t seed = content_scatter(((uint64_t)pool * OBJECTS + object) * PAGES + page) ^ version;
    for (unsigned i = 0; i < TMEM_PAGE_SIZE / 8; i++)
        words[i] = i % 4 == 0 ? content_next(&seed) : 0;
    words[1] = version;
    memcpy(frame, words, sizeof words);
}

/* ---- what threads do ---- */

static void put(unsigned pool, unsigned object, unsigned page, unsigned frame)
{
    struct handle *handle = &handles[pool][object][page];
    uint64_t version = handle->issued + 1; /* this thread's alone */
    bool is_quiet = handle->removing == 0;
    uint64_t removals = handle->removals;
    fill(guest->frames[frame], pool, object, page, version);
    handle->issued = version;
    long result = xen_page(guest, TMEM_PUT_PAGE, (int32_t)pool, object, page, frame, NULL);
    if (result == 1) {
        handle->completed = version;
        stored++;
    } else if (result != -ENODEV && result != -ENOMEM && result != -ENOSPC) {
        die("a put answered something else", pool, object, page);
    }
    if (result != 1 || flags[pool] != 0x01000001)
        return;
    result = xen_page(guest, TMEM_GET_PAGE, (int32_t)pool, object, page, frame, NULL);
    if (result != 1 && is_quiet && handle->removals == removals && !is_dead)
        die("a persistent page has gone", pool, object, page);
}

static void get(unsigned pool, unsigned object, unsigned page, unsigned frame)
{
    unsigned char expected[TMEM_PAGE_SIZE];
    struct handle *handle = &handles[pool][object][page];
    uint64_t gone = handle->gone;
    uint64_t version;
    long result = xen_page(guest, TMEM_GET_PAGE, (int32_t)pool, object, page, frame, NULL);
    if (result != 1) {
        if (result == -ENODEV)
            absent++;
        else if (result == 0 || result == -EEMPTY)
            missed++;
        else
            die("a get answered something else", pool, object, page);
        return;
    }
    found++;
    memcpy(&version, guest->frames[frame] + sizeof version, sizeof version);
    fill(expected, pool, object, page, version);
    if (memcmp(expected, guest->frames[frame], sizeof expected) != 0)
        die("not a whole page of this handle", pool, object, page);
    if (version > handle->issued)
        die("a version that was never put", pool, object, page);
    if (version <= gone)
        die("a page that was removed came back", pool, object, page);
}

static void begin_removal(struct handle *handle, uint64_t *completed)
{
    handle->removing++;
    handle->removals++;
    *completed = handle->completed;
}

/* @completed: what was put when it began, if it did its work. */
static void end_removal(struct handle *handle, uint64_t completed)
{
    uint64_t gone = handle->gone;
    while (gone < completed && !atomic_compare_exchange_weak(&handle->gone, &gone, completed)) {
    }
    handle->removing--;
}

static void flush_object(unsigned pool, unsigned object)
{
    uint64_t completed[PAGES];
    for (unsigned i = 0; i < PAGES; i++)
        begin_removal(&handles[pool][object][i], &completed[i]);
    long result = xen_page(guest, TMEM_FLUSH_OBJECT, (int32_t)pool, object, 0, 0, NULL);
    if (result != 1 && result != -ENODEV)
        die("an object's flush answered something else", pool, object, 0);
    for (unsigned i = 0; i < PAGES; i++)
        end_removal(&handles[pool][object][i], result == 1 ? completed[i] : 0);
}

static void renew_pool(unsigned pool)
{
    static uint64_t completed[OBJECTS][PAGES];
    pthread_mutex_lock(&pools_lock);
    for (unsigned i = 0; i < OBJECTS * PAGES; i++)
        begin_removal(&handles[pool][i / PAGES][i % PAGES], &completed[i / PAGES][i % PAGES]);
    long destroyed = xen_page(guest, TMEM_DESTROY_POOL, (int32_t)pool, 0, 0, 0, NULL);
    long made = xen_new(guest, flags[pool], 0, 0);
    if (!is_dead && (destroyed != 1 || made != (long)pool))
        die("a pool was not made again", pool, 0, 0);
    for (unsigned i = 0; i < OBJECTS * PAGES; i++)
        end_removal(&handles[pool][i / PAGES][i % PAGES], destroyed == 1 ? completed[i / PAGES][i % PAGES] : 0);
    pthread_mutex_unlock(&pools_lock);
}

static void *work(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    uint64_t random = content_scatter(thread + 77);
    for (unsigned i = 0; i < OPERATIONS || !is_dead; i++) {
        uint64_t draw = content_next(&random) >> 20;
        unsigned pool = (unsigned)(draw & 1);
        unsigned object = (unsigned)(draw >> 1) % OBJECTS;
        unsigned page = (unsigned)(draw >> 20) % PAGES;
        unsigned own = object - object % THREADS + thread;
        unsigned frame = 1 + thread;
        unsigned kind = (unsigned)(draw >> 30) % 4096;
        if (kind == 0)
            renew_pool(pool);
        else if (kind < 200)
            flush_object(pool, object);
        else if (kind < 2200)
            put(pool, own, page, frame);
        else
            get(pool, object, page, frame);
        if (thread == 0 && i == OPERATIONS) {
            is_dead = true;
            tmem_xen_domain_kill(guest->domain);
        }
    }
    return NULL;
}

static void threads_of_a_guest_see_whole_pages_that_were_not_removed(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    xen_world_open(&world, NULL);
    guest = xen_guest_create(&world, 1, TMEM_XEN_RELEASE_4_12, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    for (unsigned i = 0; i < POOLS; i++)
        assert_int_equal(xen_new(guest, flags[i], 0, 0), i);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("stored %llu, found %llu, missed %llu, without a pool %llu\n", (unsigned long long)stored,
           (unsigned long long)found, (unsigned long long)missed, (unsigned long long)absent);
    assert_true(stored > OPERATIONS / 2 && found > OPERATIONS / 16 && missed > 0);
    assert_int_equal(xen_page(guest, TMEM_GET_PAGE, 0, 1, 1, 1, NULL), -ENODEV);
    xen_world_close(&world);
    xen_guest_free(guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_of_a_guest_see_whole_pages_that_were_not_removed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
