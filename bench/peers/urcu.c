/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * urcu.c - liburcu's lock-free hash table with automatic resizing, as an index and no more: it finds
 * the word of a page, and keeps no page. An entry is allocated when it is added, as the library's examples
 * do, and readers are of the cheapest kind (QSBR).
 */
#include "peer.h"

#include "base/mix.h"

#include <stdlib.h>
#include <string.h>

/* The library's inline functions, as it offers them to programs of any licence. */
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

#define BUCKETS_FIRST (1u << 20)
#define BUCKETS_LEAST 1024u
#define BUCKETS_ANY 0u

/* A reader says now and then that it holds nothing. */
#define QUIET_EVERY 64u

struct entry {
    struct cds_lfht_node node;
    uint64_t number;
    uint64_t word;
};

_Static_assert(offsetof(struct entry, node) == 0, "entry_of() casts");

struct index {
    struct cds_lfht *table;
    uint64_t pages;
    unsigned operations;
};

static unsigned long hash_of(uint64_t number)
{
    return (unsigned long)tm_scramble(number);
}

/* NULL stays NULL. */
static const struct entry *entry_of(const struct cds_lfht_node *node)
{
    return (const struct entry *)(const void *)node;
}

static int is_number(struct cds_lfht_node *node, const void *number)
{
    return entry_of(node)->number == *(const uint64_t *)number;
}

static bool urcu_open(const char *at, uint64_t pages, void **state)
{
    struct index *index = calloc(1, sizeof *index);
    (void)at;
    if (index == NULL)
        return peer_fail("urcu: no memory");
    *state = index;
    index->pages = pages;
    urcu_qsbr_register_thread();
    index->table = cds_lfht_new_flavor(BUCKETS_FIRST, BUCKETS_LEAST, BUCKETS_ANY,
                                       CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &urcu_qsbr_flavor, NULL);
    return index->table != NULL || peer_fail("urcu: no memory for the table");
}

/* The table and its entries go with the process: emptying it would take longer than measuring it. */
static void urcu_close(void *state)
{
    urcu_qsbr_unregister_thread();
    free(state);
}

static void rest_now_and_then(struct index *index)
{
    if (++index->operations % QUIET_EVERY == 0)
        urcu_qsbr_quiescent_state();
}

static bool urcu_put(void *state, uint64_t number, const unsigned char *page)
{
    struct index *index = state;
    struct entry *entry = malloc(sizeof *entry);
    if (entry == NULL)
        return peer_fail("urcu: no memory");
    entry->number = number;
    memcpy(&entry->word, page, sizeof entry->word);
    urcu_qsbr_read_lock();
    cds_lfht_add(index->table, hash_of(number), &entry->node);
    urcu_qsbr_read_unlock();
    rest_now_and_then(index);
    return true;
}

static const struct entry *find(struct index *index, uint64_t number)
{
    struct cds_lfht_iter place;
    cds_lfht_lookup(index->table, hash_of(number), is_number, &number, &place);
    return entry_of(cds_lfht_iter_get_node(&place));
}

static bool urcu_get(void *state, uint64_t number, unsigned char *page)
{
    struct index *index = state;
    urcu_qsbr_read_lock();
    const struct entry *entry = find(index, number);
    if (entry != NULL)
        memcpy(page, &entry->word, sizeof entry->word);
    urcu_qsbr_read_unlock();
    rest_now_and_then(index);
    return entry != NULL || peer_fail("urcu: page %llu is not there", (unsigned long long)number);
}

static bool urcu_miss(void *state, uint64_t number, unsigned char *page)
{
    struct index *index = state;
    (void)page;
    urcu_qsbr_read_lock();
    const struct entry *entry = find(index, number);
    urcu_qsbr_read_unlock();
    rest_now_and_then(index);
    return entry == NULL || peer_fail("urcu: page %llu is there", (unsigned long long)number);
}

/* The table grows in a thread of its own, and stops where that had come to when the last entry was added: with
 * a busy machine far too early. As large as it should be, it is at its best. */
static bool urcu_settle(void *state)
{
    struct index *index = state;
    /* Buckets are a power of two: a bucket for each entry, or fewer than two. */
    cds_lfht_resize(index->table, 1ul << tm_log2(index->pages * 2 - 1));
    return true;
}

/* While this thread waits for a command, the table's own may go on resizing. */
static void urcu_idle(void *state, bool is_idle)
{
    (void)state;
    if (is_idle)
        urcu_qsbr_thread_offline();
    else
        urcu_qsbr_thread_online();
}

static const struct peer_kind urcu_kind = {
    .name = "urcu",
    .open = urcu_open,
    .close = urcu_close,
    .put = urcu_put,
    .get = urcu_get,
    .miss = urcu_miss,
    .settle = urcu_settle,
    .idle = urcu_idle,
    .words_only = true,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &urcu_kind);
}
