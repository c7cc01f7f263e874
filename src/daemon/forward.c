/* SPDX-License-Identifier: BSD-2-Clause */
/* forward.c - see forward.h. */
#include "daemon/forward.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tm_token_is(const struct tm_wire_token *token, const struct tm_wire_token *shown)
{
    unsigned difference = 0;
    for (size_t i = 0; i < sizeof token->bytes; i++)
        difference |= (unsigned)(token->bytes[i] ^ shown->bytes[i]);
    return difference == 0;
}

struct forward {
    struct tm_wire_token token;
    uint64_t until_ns; /* 0: none */
    char path[TM_WIRE_PATH_BYTES];
};

struct tm_forwards {
    pthread_mutex_t mutex;
    unsigned next; /* to be used: the oldest, once all are */
    struct forward all[TM_FORWARDS_MAX];
};

struct tm_forwards *tm_forwards_create(void)
{
    struct tm_forwards *forwards = calloc(1, sizeof *forwards);
    if (forwards != NULL && pthread_mutex_init(&forwards->mutex, NULL) != 0) {
        free(forwards);
        return NULL;
    }
    return forwards;
}

void tm_forwards_destroy(struct tm_forwards *forwards)
{
    if (forwards == NULL)
        return;
    (void)pthread_mutex_destroy(&forwards->mutex);
    free(forwards);
}

/* Under the lock. NULL: none that holds still. Every one is looked at whole: time tells nothing of a token. */
static struct forward *find(struct tm_forwards *forwards, const struct tm_wire_token *token)
{
    struct forward *found = NULL;
    uint64_t now_ns = tm_now_ns();
    for (unsigned i = 0; i < TM_FORWARDS_MAX; i++) {
        struct forward *forward = &forwards->all[i];
        if (tm_token_is(&forward->token, token) && forward->until_ns > now_ns)
            found = forward;
    }
    return found;
}

void tm_forwards_add(struct tm_forwards *forwards, const struct tm_wire_token *token, const char *path)
{
    (void)pthread_mutex_lock(&forwards->mutex);
    struct forward *forward = find(forwards, token);
    if (forward == NULL) {
        forward = &forwards->all[forwards->next];
        forwards->next = (forwards->next + 1u) % TM_FORWARDS_MAX;
    }
    forward->token = *token;
    forward->until_ns = tm_now_ns() + TM_FORWARD_SECONDS * TM_SECOND_NS;
    (void)snprintf(forward->path, sizeof forward->path, "%s", path);
    (void)pthread_mutex_unlock(&forwards->mutex);
}

void tm_forwards_forget(struct tm_forwards *forwards, const struct tm_wire_token *token)
{
    (void)pthread_mutex_lock(&forwards->mutex);
    struct forward *forward = find(forwards, token);
    if (forward != NULL)
        forward->until_ns = 0;
    (void)pthread_mutex_unlock(&forwards->mutex);
}

bool tm_forwards_find(struct tm_forwards *forwards, const struct tm_wire_token *token,
                      char path[static TM_WIRE_PATH_BYTES])
{
    (void)pthread_mutex_lock(&forwards->mutex);
    const struct forward *forward = find(forwards, token);
    if (forward != NULL)
        memcpy(path, forward->path, TM_WIRE_PATH_BYTES);
    (void)pthread_mutex_unlock(&forwards->mutex);
    return forward != NULL;
}
