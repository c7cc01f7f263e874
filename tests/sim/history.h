/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history.h - what was done, when it began and ended, and what it answered; and whether the laws allow that.
 *
 * For each handle the checker looks for an order of its deeds such that each answer is right: every deed takes
 * effect at one moment between its begin and its end. If there is none, a law was broken: a page came back, was stale,
 * was lost, or was given to two. In ephemeral pools a page may go at any moment, and nothing else is allowed in
 * addition.
 *
 * Deeds on a whole object, and walks, count for each handle that they touch.
 */
#ifndef TM_TEST_HISTORY_H
#define TM_TEST_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum deed_kind {
    DEED_PENDING,     /* it has not answered yet */
    DEED_WRITE,       /* from here on the page is `value` */
    DEED_REMOVE,      /* a put that failed: from here on there is none */
    DEED_REMOVE_PAGE, /* there was one, now there is none */
    DEED_REMOVE_MANY, /* an object's invalidation: removes, perhaps more than once while it runs */
    DEED_TAKE,        /* there was `value`, now there is none */
    DEED_READ,        /* there is `value` */
    DEED_PRESENT,     /* there is one */
    DEED_ABSENT,      /* there is none */
    DEED_NONE,        /* no effect, and it says nothing */
    DEED_KINDS
};

/* What a deed that was cut off may have done. */
enum deed_chance {
    CHANCE_NOTHING = 0,
    CHANCE_WRITE = 1, /* `value` */
    CHANCE_REMOVE = 2
};

struct deed {
    uint64_t pool;
    uint32_t object;
    uint32_t index;
    uint32_t begin;
    uint32_t end; /* 0: cut off by a crash */
    uint32_t value;
    uint32_t walk;  /* the walk that listed it; 0: none */
    uint32_t batch; /* deeds of one batch take effect in the order in which they began; 0: none */
    uint8_t kind;   /* enum deed_kind */
    uint8_t chance; /* enum deed_chance */
    uint8_t who;    /* coroutine */
    uint8_t flags;  /* for whoever reads the text: what was asked for */
};

/* A deed that touches every handle of an object, or of a pool. */
struct wide_deed {
    uint64_t pool;
    uint32_t object; /* not for walks */
    uint32_t begin;
    uint32_t end;
    uint32_t walk; /* number of a walk that came to its end: what it did not list was absent; 0: not a walk */
    uint8_t kind;
    uint8_t who;
};

struct history {
    uint32_t now;
    uint32_t crashed_at; /* deeds without an end were cut off here; 0: none were */
    struct deed *deeds;
    size_t count, room;
    struct wide_deed *wide;
    size_t wide_count, wide_room;
    /* Pools whose pages stay. */
    uint64_t persistent[64];
    unsigned persistent_count;
    unsigned undecided; /* handles at which so much was going on at once that the checker gave up */
};

void history_init(struct history *history);
void history_fini(struct history *history);

/* Pages of this pool stay until they are removed. */
void history_persistent(struct history *history, uint64_t pool);

/* A deed begins. Answers its number, for history_end(). */
size_t history_begin(struct history *history, const struct deed *deed);
/* It ends, having been @kind of @value. */
void history_end(struct history *history, size_t number, enum deed_kind kind, uint32_t value);
/* A deed that began at @begin and is over. */
void history_note(struct history *history, const struct deed *deed, uint32_t begin);
size_t history_begin_wide(struct history *history, const struct wide_deed *deed);
void history_end_wide(struct history *history, size_t number, enum deed_kind kind);
/* All deeds that have not ended never will. */
void history_crash(struct history *history);

/* Whether there is an order for every handle. False: @text says for which not. */
bool history_check(struct history *history, char *text, size_t room);

#endif
