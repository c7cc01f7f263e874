/* SPDX-License-Identifier: BSD-2-Clause */
/* keep.c - see keep.h. */
#include "daemon/keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "command/command.h"
#include "daemon/notify.h"

/* How long a holder may take to take note. */
#define HOLDER_MS 5000u

static int *place_of(struct tm_keep *keep, const char *name)
{
    if (strcmp(name, TM_KEEP_ARENA) == 0)
        return &keep->arena;
    if (strcmp(name, TM_KEEP_MOVED) == 0)
        return &keep->moved;
    return strcmp(name, TM_KEEP_DOOR) == 0 ? &keep->door : &keep->listener;
}

bool tm_keep_take(struct tm_keep *keep, char *text, size_t text_size)
{
    struct tm_passed passed;
    *keep = (struct tm_keep){.listener = -1, .arena = -1, .door = -1, .moved = -1};
    if (!tm_passed_descriptors(&passed)) {
        (void)snprintf(text, text_size,
                       "LISTEN_PID and LISTEN_FDS make no sense (at most %u descriptors are passed)", TM_PASSED_MAX);
        return false;
    }
    for (unsigned i = 0; i < passed.count; i++) {
        int *place = place_of(keep, passed.name[i]);
        if (*place >= 0) {
            (void)snprintf(text, text_size,
                           "descriptors %d and %u were passed for the same: of sockets to listen on "
                           "(ListenSequentialPacket= in the unit), " TM_KEEP_ARENA ", " TM_KEEP_DOOR
                           " and " TM_KEEP_MOVED " one is taken",
                           *place, TM_PASSED_FIRST + i);
            return false;
        }
        *place = TM_PASSED_FIRST + (int)i;
    }
    keep->is_found = keep->is_held = keep->arena >= 0;
    return true;
}

/* What is lost without it is only the way to another daemon. */
static void begin_moved(struct tm_keep *keep)
{
    if (keep->moved >= 0 || !keep->is_held)
        return;
    keep->moved = memfd_create("tmem-moved", MFD_CLOEXEC);
    if (keep->moved >= 0)
        (void)tm_notify_with("FDSTORE=1\nFDNAME=" TM_KEEP_MOVED, keep->moved);
}

static bool begin_arena(struct tm_keep *keep, char *text, size_t text_size)
{
    char cause[TM_ERROR_TEXT_SIZE];
    text[0] = '\0';
    if (keep->arena >= 0)
        return true;
    keep->arena = memfd_create("tmem-persistent", MFD_CLOEXEC);
    if (keep->arena < 0) {
        (void)snprintf(text, text_size, "no memory file for persistent pages: %s (%s)", tm_error_text(errno, cause),
                       tm_error_remedy(errno, "is a limit set? see ulimit -n"));
        return false;
    }
    if (!tm_notify_is_wanted())
        return true;
    int error = tm_notify_with("FDSTORE=1\nFDNAME=" TM_KEEP_ARENA, keep->arena);
    if (error == 0)
        error = tm_notify_wait(HOLDER_MS);
    keep->is_held = error == 0;
    if (error != 0)
        (void)snprintf(text, text_size, "nobody keeps the persistent pages when this daemon ends: %s",
                       tm_error_text(error, cause));
    return true;
}

bool tm_keep_begin(struct tm_keep *keep, char *text, size_t text_size)
{
    bool has_begun = begin_arena(keep, text, text_size);
    if (has_begun)
        begin_moved(keep);
    return has_begun;
}

void tm_keep_door(struct tm_keep *keep, int socket)
{
    if (!keep->is_held)
        return;
    /* Should it not be kept, who comes while there is no daemon is refused, and comes again. */
    if (keep->door >= 0)
        (void)tm_notify("FDSTOREREMOVE=1\nFDNAME=" TM_KEEP_DOOR);
    (void)tm_notify_with("FDSTORE=1\nFDNAME=" TM_KEEP_DOOR, socket);
    keep->door = socket;
}

void tm_keep_nothing(struct tm_keep *keep)
{
    if (!keep->is_held)
        return;
    (void)tm_notify("FDSTOREREMOVE=1\nFDNAME=" TM_KEEP_DOOR);
    (void)tm_notify("FDSTOREREMOVE=1\nFDNAME=" TM_KEEP_MOVED);
    (void)tm_notify("FDSTOREREMOVE=1\nFDNAME=" TM_KEEP_ARENA);
    (void)tm_notify_wait(HOLDER_MS);
    keep->is_held = false;
}

enum tm_keep_fate tm_keep_fate(const struct tm_keep *keep)
{
    /* Whoever held it may be gone. */
    if (!keep->is_held || tm_notify_wait(HOLDER_MS) != 0)
        return TM_KEEP_LOST;
    return getenv(TM_KEEP_VARIABLE) != NULL ? TM_KEEP_BY_KEEPER : TM_KEEP_BY_MANAGER;
}

void tm_keep_end(struct tm_keep *keep)
{
    if (keep->arena >= 0)
        (void)close(keep->arena);
    if (keep->moved >= 0)
        (void)close(keep->moved);
    keep->arena = keep->moved = -1;
}
