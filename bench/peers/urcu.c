/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * urcu.c - liburcu's lock-free hash table with automatic resizing, as an index and no more: it finds
 * the word of a page, and keeps no page. Its entries lie in one piece of memory in huge pages, and its
 * readers are of the cheapest kind (QSBR), so that what is measured is the table.
 */
#include "peer.h"

#include "base/mix.h"
#include "bench/huge_memory.h"

#include <stdlib.h>
#include <string.h>

/* The library's inline functions, as it offers them to programs of any licence. */
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

#define BUCKETS_FIRST 1024u
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
    struct entry *entries;
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
    urcu_qsbr_register_thread();
    index->pages = pages;
    index->entries = (struct entry *)(void *)bench_memory(pages * sizeof *index->entries);
    index->table = cds_lfht_new_flavor(BUCKETS_FIRST, BUCKETS_LEAST, BUCKETS_ANY,
                                       CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &urcu_qsbr_flavor, NULL);
    return (index->entries != NULL && index->table != NULL) || peer_fail("urcu: no memory for the table");
}

static void urcu_close(void *state)
{
    struct index *index = state;
    urcu_qsbr_unregister_thread();
    /* The table goes with the process: emptying it would take longer than measuring it. */
    bench_memory_free((unsigned char *)index->entries, index->pages * sizeof *index->entries);
    free(index);
}

static void rest_now_and_then(struct index *index)
{
    if (++index->operations % QUIET_EVERY == 0)
        urcu_qsbr_quiescent_state();
}

static bool urcu_put(void *state, uint64_t number, const unsigned char *page)
{
    struct index *index = state;
    struct entry *entry = &index->entries[number];
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

static bool urcu_drop(void *state, uint64_t number)
{
    struct index *index = state;
    struct entry *entry = &index->entries[number];
    urcu_qsbr_read_lock();
    int result = cds_lfht_del(index->table, &entry->node);
    urcu_qsbr_read_unlock();
    rest_now_and_then(index);
    return result == 0 || peer_fail("urcu: page %llu is not there", (unsigned long long)number);
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

/* What was there before the first entry was put. */
static bool urcu_memory(void *state, struct tm_json *json)
{
    const struct index *index = state;
    tm_json_unsigned(json, "entries_bytes", index->pages * sizeof *index->entries);
    return true;
}

static const struct peer_kind urcu_kind = {
    .name = "urcu",
    .open = urcu_open,
    .close = urcu_close,
    .put = urcu_put,
    .get = urcu_get,
    .drop = urcu_drop,
    .miss = urcu_miss,
    .memory = urcu_memory,
    .idle = urcu_idle,
    .words_only = true,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &urcu_kind);
}
