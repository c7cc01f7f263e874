/* SPDX-License-Identifier: BSD-2-Clause */
/* forward.c - see forward.h. */
#include "daemon/forward.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"

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

/* What the next daemon finds. One that was killed leaves at most an entry without a time, which is none. */
struct table {
    uint64_t magic;
    uint32_t next; /* to be used: the oldest, once all are */
    uint32_t zero;
    struct forward all[TM_FORWARDS_MAX];
};

struct tm_forwards {
    pthread_mutex_t mutex;
    struct table *table;
};

/* Another layout has another number. */
#define TABLE_MAGIC (UINT64_C(0x746d656d66776400) + sizeof(struct table))

static struct table *map(int file)
{
    int flags = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *mapped = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, flags, file, 0);
    return mapped != MAP_FAILED ? mapped : NULL;
}

/* NULL: it is not understood. */
static struct table *map_kept(int file)
{
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0)
        return NULL;
    bool is_new = status.st_size == 0;
    if (is_new ? ftruncate(file, sizeof(struct table)) != 0 : status.st_size != (off_t)sizeof(struct table))
        return NULL;
    struct table *table = map(file);
    if (table == NULL || is_new || (table->magic == TABLE_MAGIC && table->next < TM_FORWARDS_MAX))
        return table;
    (void)munmap(table, sizeof *table);
    return NULL;
}

struct tm_forwards *tm_forwards_create(int file)
{
    struct tm_forwards *forwards = calloc(1, sizeof *forwards);
    if (forwards == NULL)
        return NULL;
    forwards->table = map_kept(file);
    if (forwards->table == NULL)
        forwards->table = map(-1);
    if (forwards->table != NULL && pthread_mutex_init(&forwards->mutex, NULL) == 0) {
        forwards->table->magic = TABLE_MAGIC;
        return forwards;
    }
    if (forwards->table != NULL)
        (void)munmap(forwards->table, sizeof *forwards->table);
    free(forwards);
    return NULL;
}

void tm_forwards_destroy(struct tm_forwards *forwards)
{
    if (forwards == NULL)
        return;
    (void)pthread_mutex_destroy(&forwards->mutex);
    (void)munmap(forwards->table, sizeof *forwards->table);
    free(forwards);
}

/* Under the lock. NULL: none that holds still. Every one is looked at whole: time tells nothing of a token. */
static struct forward *find(struct tm_forwards *forwards, const struct tm_wire_token *token)
{
    struct forward *found = NULL;
    uint64_t now_ns = tm_now_ns();
    for (unsigned i = 0; i < TM_FORWARDS_MAX; i++) {
        struct forward *forward = &forwards->table->all[i];
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
        forward = &forwards->table->all[forwards->table->next];
        forwards->table->next = (forwards->table->next + 1u) % TM_FORWARDS_MAX;
    }
    tm_store_release(&forward->until_ns, UINT64_C(0)); /* half of one is none, whenever this process is killed */
    forward->token = *token;
    memset(forward->path, 0, sizeof forward->path); /* it travels whole: nothing behind the end */
    (void)snprintf(forward->path, sizeof forward->path, "%s", path);
    tm_store_release(&forward->until_ns, tm_now_ns() + TM_FORWARD_SECONDS * TM_SECOND_NS);
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
    if (forward != NULL) {
        memcpy(path, forward->path, TM_WIRE_PATH_BYTES);
        path[TM_WIRE_PATH_BYTES - 1u] = '\0';
    }
    (void)pthread_mutex_unlock(&forwards->mutex);
    return forward != NULL;
}
